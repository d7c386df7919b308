/* voice_json.c: training told to programs: an object a line, each with the member "event". */
#include "json.h"
#include "voice.h"

static const double STEP_SECONDS = 0.5; /* between two steps that are told */

static cJSON *event(const char *name) {
    cJSON *const object = cJSON_CreateObject();
    json_text(object, "event", name);
    return object;
}

static void begin(voice *v, const voice_facts *f) {
    cJSON *const o = event("begin"), *const images = cJSON_CreateObject();
    (void)v;
    json_text(o, "run", f->run->path);
    json_text(o, "recipe", f->recipe);
    json_text(o, "weights", f->weights);
    json_count(o, "parameters", f->n_parameters);
    json_count(images, "train", f->n_images);
    json_count(images, "val", f->n_validation);
    json_count(images, "test", f->n_test);
    cJSON_AddItemToObject(o, "images", images);
    json_count(o, "batch", f->batch);
    json_count(o, "epochs", f->n_epochs);
    json_count(o, "steps", f->n_steps);
    json_count(o, "step", f->step);
    json_count(o, "threads", (size_t)f->n_threads);
    json_text(o, "isa", f->isa);
    json_print(o);
}

static void add_metrics(cJSON *o, const char *part, bool present, const ln_metrics *m) {
    pool              owner = {0};
    const char *const loss = pool_format(&owner, "%s_loss", part);
    const char *const accuracy = pool_format(&owner, "%s_accuracy", part);
    if (present) json_number(o, loss, m->loss), json_number(o, accuracy, m->accuracy);
    else json_text(o, loss, NULL), json_text(o, accuracy, NULL);
    pool_free(&owner);
}

/* The columns of results.csv, and how far it is. */
static cJSON *row_of(const char *name, const ln_progress *now, bool measured) {
    cJSON *const o = event(name);
    json_count(o, "epoch", now->epoch);
    json_count(o, "step", now->total_step);
    json_number(o, "seconds", now->seconds);
    json_number(o, "lr", now->lr);
    add_metrics(o, "train", true, &now->train);
    add_metrics(o, "val", measured && now->has_validation, &now->validation);
    add_metrics(o, "test", measured && now->has_test, &now->test);
    return o;
}

static void row(voice *v, const ln_progress *now) {
    (void)v;
    json_print(row_of("step", now, false));
}

/* The event that begins has the step. */
static void go_on(voice *v, size_t n_done, size_t n_steps) { (void)v, (void)n_done, (void)n_steps; }

static void step(voice *v, const ln_progress *now) {
    const double time = seconds_now();
    if (v->by_rows || time - v->said < STEP_SECONDS) return;
    v->said = time;
    row(v, now);
}

static void epoch(voice *v, const ln_progress *now) {
    cJSON *const o = row_of("epoch", now, true);
    (void)v;
    cJSON_AddBoolToObject(o, "best", now->best);
    json_print(o);
}

static void warn(voice *v, const char *sentence) {
    cJSON *const o = event("warning");
    (void)v;
    json_text(o, "message", sentence);
    json_print(o);
}

static void stop(voice *v, const char *why, const char *sentence) {
    cJSON *const o = event("stopped");
    (void)v;
    json_text(o, "why", why);
    json_text(o, "message", sentence);
    json_print(o);
}

static void add_epoch(cJSON *o, const char *key, double number) {
    if (number > 0) json_number(o, key, number);
    else json_text(o, key, NULL);
}

static void end(voice *v, const voice_end *e) {
    cJSON *const o = event("end"), *const files = cJSON_CreateObject();
    pool owner = {0};
    json_text(o, "how", e->how);
    json_number(o, "seconds", seconds_now() - v->progress.started);
    add_epoch(o, "best_epoch", e->best_epoch);
    add_epoch(o, "restored_epoch", e->restored_epoch);
    json_text(o, "of", e->n > 0 ? e->of : NULL);
    json_number(o, "images", e->n);
    json_number(o, "correct", e->n_correct);
    json_text(files, "last", e->run->last);
    json_text(files, "best", e->best_epoch > 0 ? e->run->best : NULL);
    json_text(files, "checkpoint", e->run->checkpoint);
    json_text(files, "results", e->run->results);
    json_text(files, "recipe", e->run->recipe);
    json_text(files, "pictures", e->pictures ? pool_format(&owner, "%s/pictures", e->run->path) : NULL);
    json_text(files, "events", e->run->events);
    cJSON_AddItemToObject(o, "files", files);
    json_print(o);
    pool_free(&owner);
}

const voice_kind voice_json = {begin, go_on, step, row, epoch, warn, stop, end};
