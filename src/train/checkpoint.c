/* Checkpoints: a safetensors file that holds
 *   tensors    parameters and buffers by their names ("0.weight"), states of the optimizer ("0.weight:state0"), moving
 *              averages ("0.weight:average"), the parameters of the best row ("0.weight:best");
 *   metadata   "checkpoint": the version; what the training is ("train.batch": "64"), which whoever goes on must match;
 *              and where it is ("at.step": "844"): whole numbers, and for doubles the 16 digits of their bits.
 * Random numbers are functions of seed, epoch, step and image, so nothing of them is kept.
 *
 * Invariant: whatever goes on from a checkpoint computes the bits that the training itself goes on to.
 *
 * The training thread copies the state and opens the file; a thread of its own writes, syncs and renames, and touches
 * nothing but the copy, so that neither waits for the other and the allocator is asked by one thread alone. */
#include "train/checkpoint.h"

#include "base/clock.h"
#include "base/number.h"

#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

enum { VERSION = 1, MAX_FIELDS = 64, MAX_WHOLE = 16, MAX_KEY = 40, MAX_NAME = 72 };

typedef struct note {
    char key[MAX_KEY], value[LN_MAX_LINE];
} note;

struct ln_keeper {
    ln_trainer  *trainer;
    const char  *path;
    note        *note; /* what the training is, then where it is */
    ln_metadata *metadata;
    size_t       n_notes, n_same; /* n_same: of the first kind */
    ln_tensor   *tensor;          /* the training's own memory; the best row's last */
    char (*name)[MAX_NAME];
    size_t                n_tensors, n_best; /* n_best: of the best row, which may not be there yet */
    ln_tensor            *copied;            /* the same tensors in `staged` */
    float                *staged;            /* NULL: too large to be copied */
    double                begun;             /* when the last one was */
    bool                  due, runs;
    ln_safetensors_writer writer;
    pthread_t             thread;
    atomic_bool           done;
    ln_status             status; /* the thread's, once it is done */
    ln_error              error;
};

/* ------------------------------------------------------ where a training is */

typedef enum field_kind { WHOLE, FLAG, REAL } field_kind;

typedef struct field {
    const char *name;
    field_kind  kind;
    void       *at; /* uint64_t or size_t, bool, double */
} field;

typedef struct fields {
    size_t n;
    field  of[MAX_FIELDS];
} fields;

_Static_assert(sizeof(size_t) == sizeof(uint64_t), "whole numbers are of one size");

static void add_field(fields *f, const char *name, field_kind kind, void *at) {
    f->of[f->n++] = (field){name, kind, at};
}

#define METRICS(f, name, m)                                                                              \
    (add_field(f, name ".loss", REAL, &(m)->loss), add_field(f, name ".accuracy", REAL, &(m)->accuracy), \
     add_field(f, name ".n", WHOLE, &(m)->n), add_field(f, name ".n_correct", WHOLE, &(m)->n_correct))

/* Everything that is no function of model, data, options and step. */
static fields fields_of(ln_trainer *t) {
    fields                   f = {0};
    ln_progress *const       now = &t->now;
    ln_gauge *const          g = &t->gauge;
    static const char *const plateau[LN_MAX_SCHEDULE_STATES] = {"at.schedule.0", "at.schedule.1", "at.schedule.2",
                                                                "at.schedule.3", "at.schedule.4", "at.schedule.5",
                                                                "at.schedule.6", "at.schedule.7"};
    for (size_t i = 0; i < LN_MAX_SCHEDULE_STATES; i++) add_field(&f, plateau[i], REAL, &t->pace.state[i]);
    METRICS(&f, "at.epoch", &t->epoch);
    METRICS(&f, "at.measured", &t->measured);
    METRICS(&f, "at.best", &g->best);
    METRICS(&f, "at.train", &now->train);
    METRICS(&f, "at.batch", &now->batch);
    METRICS(&f, "at.validation", &now->validation);
    METRICS(&f, "at.test", &now->test);
    add_field(&f, "at.monitor.best", REAL, &t->monitor.best);
    add_field(&f, "at.monitor.mark", REAL, &t->monitor.mark);
    add_field(&f, "at.monitor.n_bad", WHOLE, &t->monitor.n_bad);
    add_field(&f, "at.has_best", FLAG, &t->has_best);
    add_field(&f, "at.first_squares", REAL, &g->first_squares);
    add_field(&f, "at.first_spread", REAL, &g->first_spread);
    add_field(&f, "at.spread", REAL, &g->spread);
    add_field(&f, "at.any_measured", FLAG, &g->measured);
    add_field(&f, "at.weighed", FLAG, &g->weighed);
    add_field(&f, "at.stalled", FLAG, &g->stalled);
    add_field(&f, "at.seconds", REAL, &now->seconds);
    add_field(&f, "at.lr", REAL, &now->lr);
    return f;
}

static void print_real(double x, char *text) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    snprintf(text, 17, "%016" PRIx64, bits);
}

static void print_whole(uint64_t n, char *text) { snprintf(text, 21, "%" PRIu64, n); }

static void print_field(const field *f, char *text) {
    uint64_t whole = 0;
    if (f->kind == REAL) {
        double x;
        memcpy(&x, f->at, sizeof x);
        print_real(x, text);
        return;
    }
    if (f->kind == FLAG) whole = *(const bool *)f->at;
    else memcpy(&whole, f->at, sizeof whole);
    print_whole(whole, text);
}

static bool read_real(const char *text, double *x) {
    uint64_t bits = 0;
    if (strlen(text) != 16 || text[strspn(text, "0123456789abcdef")]) return false;
    for (; *text; text++) bits = bits << 4 | (uint64_t)(*text <= '9' ? *text - '0' : *text - 'a' + 10);
    memcpy(x, &bits, sizeof bits);
    return true;
}

/* Up to 2^53, so that sums and products of the like stay whole. */
static bool read_whole(const char *text, uint64_t *n) {
    const size_t length = strspn(text, "0123456789");
    if (length == 0 || length > MAX_WHOLE || text[length]) return false;
    for (*n = 0; *text; text++) *n = *n * 10 + (uint64_t)(*text - '0');
    return *n <= (uint64_t)1 << 53;
}

/* -------------------------------------------------- what the training is */

typedef struct identity {
    note  *notes;
    size_t n;
} identity;

static note *add_note(identity *to, const char *key) {
    note *const made = &to->notes[to->n++];
    snprintf(made->key, sizeof made->key, "%s", key);
    made->value[0] = '\0';
    return made;
}

static void say_whole(identity *to, const char *key, uint64_t n) { print_whole(n, add_note(to, key)->value); }

static void say_number(identity *to, const char *key, double x) {
    char text[LN_NUMBER_TEXT];
    snprintf(add_note(to, key)->value, LN_NUMBER_TEXT, "%s", ln_number_print(x, text));
}

static void say_more(note *to, const ln_attr *attrs, const void *args) {
    const size_t n = strlen(to->value);
    ln_attr_print(attrs, args, to->value + n, sizeof to->value - n);
}

/* A line of the catalogue as it is understood: the word, and every argument that differs from its default. */
static note *say_line(identity *to, const char *key, const char *word, const ln_attr *attrs, const void *args) {
    note *const made = add_note(to, key);
    snprintf(made->value, sizeof made->value, "%s", word);
    say_more(made, attrs, args);
    return made;
}

static uint64_t mix(uint64_t hash, const void *bytes, size_t n) {
    const unsigned char *const b = bytes;
    for (size_t i = 0; i < n; i++) hash = (hash ^ b[i]) * 0x100000001b3U; /* FNV-1a */
    return hash;
}

/* How many images there are, and a sum of all labels and of some images, by which others are told apart. */
static void say_data(identity *to, const char *key, const ln_data *data) {
    char *const value = add_note(to, key)->value;
    snprintf(value, LN_MAX_LINE, "none");
    if (!data) return;
    const ln_data_info info = ln_data_describe(data);
    const size_t       n_bytes = info.c * info.h * info.w * (info.is_float ? sizeof(float) : 1), each = info.n / 64 + 1;
    uint64_t           hash = 0xcbf29ce484222325U;
    for (size_t i = 0; i < info.n; i++) {
        const int label = ln_data_label(data, i);
        hash = mix(hash, &label, sizeof label);
        if (i % each == 0) hash = mix(hash, ln_data_image(data, i), n_bytes);
    }
    snprintf(value, LN_MAX_LINE, "%zu images of %zux%zux%zu with the sum %016" PRIx64, info.n, info.c, info.h, info.w,
             hash);
}

static void say_model(identity *to, const ln_model *m) {
    char key[MAX_KEY];
    snprintf(add_note(to, "model.input")->value, LN_MAX_LINE, "%zux%zux%zu", m->input.c, m->input.h, m->input.w);
    for (size_t i = 0; i < m->n_nodes; i++) {
        snprintf(key, sizeof key, "model.layers.%zu", i);
        snprintf(add_note(to, key)->value, LN_MAX_LINE, "%s", m->line[i]);
    }
    say_line(to, "train.loss", m->loss.op->name, m->loss.op->attrs, m->loss.args);
    say_number(to, "data.scale", m->preprocess.scale);
    say_number(to, "data.mean", m->preprocess.mean);
    say_number(to, "data.std", m->preprocess.std);
}

enum { N_SAME = 40 }; /* what say_training and say_model say at most, but for the layers */

static void say_training(identity *to, const ln_trainer *t) {
    const ln_train_options *const   o = &t->options;
    const ln_optimizer *const       optimizer = ln_optimizers[t->optimizer];
    const struct ln_schedule *const schedule = t->pace.schedule;
    say_line(to, "train.optimizer", optimizer->name, optimizer->attrs, t->optimizer_args);
    say_more(say_line(to, "train.schedule", schedule->name, schedule->attrs, t->pace.args), ln_warmup_attrs,
             &t->pace.warmup);
    say_whole(to, "train.epochs", o->epochs);
    say_whole(to, "data.batch", o->batch);
    say_whole(to, "train.seed", o->seed);
    snprintf(add_note(to, "data.shuffle")->value, LN_MAX_LINE, "%s", o->in_order ? "false" : "true");
    snprintf(add_note(to, "data.augment")->value, LN_MAX_LINE, "%s", o->augment ? o->augment : "none");
    say_whole(to, "train.every", o->every > 0 ? o->every : 1);
    say_number(to, "train.clip_norm", o->clip_norm);
    say_number(to, "train.clip_value", o->clip_value);
    say_number(to, "train.l2", o->l2);
    snprintf(add_note(to, "train.decay")->value, LN_MAX_LINE, "%s", o->decay_weights_only ? "weights" : "all");
    say_number(to, "train.ema", o->ema);
    snprintf(add_note(to, "train.monitor")->value, LN_MAX_LINE, "%s", o->monitor ? o->monitor : "auto");
    say_whole(to, "train.patience", o->patience);
    say_number(to, "train.min_delta", o->min_delta);
    snprintf(add_note(to, "train.restore_best")->value, LN_MAX_LINE, "%s", o->restore_best ? "true" : "false");
    snprintf(add_note(to, "train.by")->value, LN_MAX_LINE, "%s", t->gauge.outputs ? "ln_train" : "ln_trainer_step");
    say_data(to, "data.name", t->data);
    say_data(to, "data.val", o->validation);
    say_data(to, "data.test", o->test);
}

/* ----------------------------------------------------------------- tensors */

static void add_tensor(ln_keeper *k, const ln_param *p, const char *kind, size_t number, float *values) {
    char *const name = k->name[k->n_tensors];
    if (!kind) snprintf(name, MAX_NAME, "%s", p->full_name);
    else if (strcmp(kind, "state") == 0) snprintf(name, MAX_NAME, "%s:state%zu", p->full_name, number);
    else snprintf(name, MAX_NAME, "%s:%s", p->full_name, kind);
    ln_tensor *const t = &k->tensor[k->n_tensors++];
    *t = (ln_tensor){.name = name, .rank = p->rank, .count = p->count, .values = values};
    memcpy(t->shape, p->dims, sizeof t->shape);
}

static void add_states(ln_keeper *k, const ln_plan *plan, size_t i) {
    const ln_plan_node *const n = &plan->node[i];
    const size_t n_states = ln_plan_states(plan, n), n_own = n_states - (n_states && plan->options.average);
    for (size_t j = 0; j < n->node->n_params; j++)
        for (size_t s = 0; s < n_states; s++)
            add_tensor(k, &n->node->param[j], s < n_own ? "state" : "average", s, ln_run_state(plan, i, j, s));
}

/* Where everything lies; the best row's come last, as long as there is none they are left out. */
static void list_tensors(ln_keeper *k) {
    const ln_trainer *const t = k->trainer;
    const ln_model *const   m = t->model;
    for (size_t i = 0; i < m->n_nodes; i++)
        for (size_t j = 0; j < ln_node_tensors(m->node[i]); j++)
            add_tensor(k, &m->node[i]->param[j], NULL, 0, m->values[i][j]);
    for (size_t i = 0; i < t->plan->n_nodes; i++) add_states(k, t->plan, i);
    float       *best = t->best;
    const size_t before = k->n_tensors;
    for (size_t i = 0; i < m->n_nodes && best; i++)
        for (size_t j = 0; j < ln_node_tensors(m->node[i]); best += m->node[i]->param[j++].count)
            add_tensor(k, &m->node[i]->param[j], "best", 0, best);
    k->n_best = k->n_tensors - before;
}

static size_t count_tensors(const ln_trainer *t) {
    return ln_model_parameter_count(t->model) * (2 + t->plan->options.n_states + t->plan->options.average);
}

static size_t now_tensors(const ln_keeper *k) { return k->n_tensors - (k->trainer->has_best ? 0 : k->n_best); }

/* ------------------------------------------------------------------ making */

static ln_status take_memory(ln_keeper *k, ln_error *error) {
    ln_context *const context = k->trainer->model->context;
    const size_t      n_tensors = count_tensors(k->trainer);
    const size_t      n_notes = N_SAME + k->trainer->model->n_nodes + MAX_FIELDS + 8 + LN_CHECKPOINT_OWN;
    k->note = ln_allocate(context, n_notes * sizeof *k->note);
    k->metadata = ln_allocate(context, n_notes * sizeof *k->metadata);
    k->tensor = ln_allocate(context, n_tensors * sizeof *k->tensor);
    k->copied = ln_allocate(context, n_tensors * sizeof *k->copied);
    k->name = ln_allocate(context, n_tensors * sizeof *k->name);
    if (k->note && k->metadata && k->tensor && k->copied && k->name) return LN_OK;
    return ln_fail_memory(error, "checkpoints", n_notes * sizeof *k->note + n_tensors * sizeof *k->name);
}

static size_t count_values(const ln_keeper *k) {
    size_t count = 0;
    for (size_t i = 0; i < k->n_tensors; i++) count += k->tensor[i].count;
    return count;
}

static void stage(ln_keeper *k) {
    const size_t n_bytes = count_values(k) * sizeof(float);
    if (n_bytes <= LN_KEEPER_STAGED) k->staged = ln_allocate(k->trainer->model->context, n_bytes);
    float *to = k->staged; /* NULL, also for lack of memory: the training waits while its state is written */
    for (size_t i = 0; i < k->n_tensors && to; to += k->tensor[i++].count) {
        k->copied[i] = k->tensor[i];
        k->copied[i].values = to;
    }
}

static ln_keeper *keeper_new(ln_trainer *t, const char *path, ln_error *error) {
    ln_context *const context = t->model->context;
    ln_keeper *const  k = ln_allocate_zeroed(context, sizeof *k);
    if (!k) {
        ln_fail_memory(error, "checkpoints", sizeof *k);
        return NULL;
    }
    k->trainer = t;
    k->path = path;
    k->begun = ln_seconds_now();
    atomic_init(&k->done, false);
    if (take_memory(k, error) != LN_OK) {
        ln_keeper_free(k);
        return NULL;
    }
    identity same = {.notes = k->note};
    say_whole(&same, "checkpoint", VERSION);
    say_model(&same, t->model);
    say_training(&same, t);
    k->n_same = k->n_notes = same.n;
    list_tensors(k);
    return k;
}

ln_status ln_keeper_new(ln_trainer *t, ln_error *error) {
    ln_error found;
    t->keeper = keeper_new(t, t->options.checkpoint, &found);
    if (t->keeper) {
        stage(t->keeper);
        return LN_OK;
    }
    if (error) *error = found;
    return LN_E_MEMORY;
}

static ln_status join(ln_keeper *k, ln_error *error) {
    if (!k->runs) return LN_OK;
    pthread_join(k->thread, NULL);
    k->runs = false;
    ln_safetensors_end(&k->writer);
    if (k->status != LN_OK && error) *error = k->error;
    return k->status;
}

void ln_keeper_free(ln_keeper *k) {
    if (!k) return;
    ln_context *const context = k->trainer->model->context;
    join(k, NULL);
    ln_release(context, k->note);
    ln_release(context, k->metadata);
    ln_release(context, k->tensor);
    ln_release(context, k->copied);
    ln_release(context, k->name);
    ln_release(context, k->staged);
    ln_release(context, k);
}

/* ----------------------------------------------------------------- writing */

static bool is_finished(const ln_trainer *t) {
    return t->now.stopped || (t->now.epoch_done && t->step == t->options.epochs * t->n_steps);
}

static void say_place(ln_keeper *k) {
    ln_trainer *const t = k->trainer;
    const fields      f = fields_of(t);
    identity          at = {.notes = k->note, .n = k->n_same};
    say_whole(&at, "at.step", t->step);
    say_whole(&at, "at.steps_per_epoch", t->n_steps);
    say_whole(&at, "at.epoch_done", t->now.epoch_done);
    say_whole(&at, "at.stopped", t->now.stopped);
    say_whole(&at, "at.finished", is_finished(t));
    for (size_t i = 0; i < f.n; i++) print_field(&f.of[i], add_note(&at, f.of[i].name)->value);
    say_whole(&at, "own", t->options.n_own);
    for (size_t i = 0; i < t->options.n_own; i++) {
        char key[MAX_KEY];
        snprintf(key, sizeof key, "own.%zu", i);
        print_real(t->options.own[i], add_note(&at, key)->value);
    }
    k->n_notes = at.n;
    for (size_t i = 0; i < at.n; i++) k->metadata[i] = (ln_metadata){k->note[i].key, k->note[i].value};
}

static ln_status write_here(ln_keeper *k, ln_error *error) {
    say_place(k);
    k->due = false;
    return ln_safetensors_write(k->trainer->model->context, k->path, k->tensor, now_tensors(k), k->metadata, k->n_notes,
                                error);
}

static void *write_beside(void *argument) {
    ln_keeper *const k = argument;
    pthread_setname_np(pthread_self(), "linnet");
    k->status = ln_safetensors_finish(&k->writer, &k->error);
    atomic_store_explicit(&k->done, true, memory_order_release);
    return NULL;
}

/* With all signals blocked, which it inherits. */
static bool start(ln_keeper *k) {
    sigset_t all, callers;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &callers);
    k->runs = pthread_create(&k->thread, NULL, write_beside, k) == 0;
    pthread_sigmask(SIG_SETMASK, &callers, NULL);
    return k->runs;
}

/* Copies the state, and has it written. */
static ln_status begin(ln_keeper *k, ln_error *error) {
    k->begun = ln_seconds_now();
    if (!k->staged) return write_here(k, error);
    const size_t n = now_tensors(k);
    for (size_t i = 0; i < n; i++)
        memcpy((float *)(uintptr_t)k->copied[i].values, k->tensor[i].values, k->tensor[i].count * sizeof(float));
    say_place(k);
    const ln_status status = ln_safetensors_begin(k->trainer->model->context, k->path, k->copied, n, k->metadata,
                                                  k->n_notes, &k->writer, error);
    if (status != LN_OK) return status;
    atomic_store_explicit(&k->done, false, memory_order_relaxed);
    k->due = false;
    if (start(k)) return LN_OK;
    ln_safetensors_end(&k->writer);
    return write_here(k, error);
}

ln_status ln_keeper_tick(ln_keeper *k, bool measured, ln_error *error) {
    if (!k) return LN_OK;
    const double interval = k->trainer->options.checkpoint_seconds;
    k->due |= measured || (interval > 0 && ln_seconds_now() - k->begun >= interval);
    if (k->runs && !atomic_load_explicit(&k->done, memory_order_acquire)) return LN_OK;
    const ln_status status = join(k, error);
    return status == LN_OK && k->due ? begin(k, error) : status;
}

ln_status ln_keeper_settle(ln_keeper *k, bool anyway, ln_error *error) {
    if (!k) return LN_OK;
    const ln_status status = join(k, error);
    return status == LN_OK && (k->due || anyway) ? write_here(k, error) : status;
}

ln_status ln_trainer_save(ln_trainer *t, const char *path, ln_error *error) {
    ln_error         found;
    ln_keeper *const k = keeper_new(t, path, &found);
    const ln_status  status = k ? write_here(k, &found) : found.status;
    ln_keeper_free(k);
    if (status != LN_OK && error) *error = found;
    return status;
}

/* ----------------------------------------------------------------- reading */

static ln_status damaged(const ln_safetensors *file, const char *key, ln_error *error) {
    return ln_fail(error, LN_E_FORMAT,
                   "%s: no checkpoint of this version of linnet, or damaged: its text '%s' is missing or cannot be; "
                   "start the training anew",
                   file->path, key);
}

static bool get_whole(const ln_safetensors *file, const char *key, uint64_t high, uint64_t *n) {
    const char *const text = ln_safetensors_get(file, key);
    return text && read_whole(text, n) && *n <= high;
}

ln_status ln_checkpoint_parse(const ln_safetensors *file, ln_checkpoint *found, ln_error *error) {
    static const char *const keys[] = {"checkpoint", "at.step",     "at.steps_per_epoch", "train.epochs",
                                       "own",        "at.finished", "at.epoch_done"};
    static const uint64_t    high[] = {VERSION, (uint64_t)1 << 53, (uint64_t)1 << 32, 1000000, LN_CHECKPOINT_OWN, 1, 1};
    uint64_t                 n[7];
    for (size_t i = 0; i < 7; i++)
        if (!get_whole(file, keys[i], high[i], &n[i])) return damaged(file, keys[i], error);
    ln_checkpoint c = {.step = n[1], .steps_per_epoch = n[2], .n_epochs = n[3], .finished = n[5], .epoch_done = n[6]};
    if (c.steps_per_epoch < 1) return damaged(file, keys[2], error);
    if (c.step > c.steps_per_epoch * c.n_epochs) return damaged(file, keys[1], error);
    if (c.epoch_done && (c.step < 1 || c.step % c.steps_per_epoch != 0)) return damaged(file, keys[6], error);
    for (c.n_own = 0; c.n_own < n[4]; c.n_own++) {
        char key[MAX_KEY];
        snprintf(key, sizeof key, "own.%zu", c.n_own);
        const char *const text = ln_safetensors_get(file, key);
        if (!text || !read_real(text, &c.own[c.n_own])) return damaged(file, key, error);
    }
    *found = c;
    return LN_OK;
}

ln_status ln_checkpoint_read(ln_context *context, const char *path, ln_checkpoint *checkpoint, ln_error *error) {
    ln_safetensors file = {0};
    ln_status      status = ln_safetensors_open(context, path, &file, error);
    if (status == LN_OK) status = ln_checkpoint_parse(&file, checkpoint, error);
    ln_safetensors_free(&file);
    return status;
}

/* More epochs than before: what is done already must be what the longer training would have done. */
static ln_status check_epochs(const ln_keeper *k, const ln_safetensors *file, const ln_checkpoint *c, ln_error *error) {
    const ln_train_options *const o = &k->trainer->options;
    const size_t                  every = o->every > 0 ? o->every : 1;
    if (o->epochs < c->n_epochs)
        return ln_fail(error, LN_E_ARGUMENT, "%s: is of a training of %zu epochs, which cannot become one of %zu",
                       file->path, c->n_epochs, o->epochs);
    if (o->epochs > c->n_epochs && k->trainer->pace.schedule->spans)
        return ln_fail(error, LN_E_ARGUMENT,
                       "%s: is of a training of %zu epochs, over which the schedule %s spreads its rates: it cannot "
                       "become one of %zu; train anew, or go on from its weights",
                       file->path, c->n_epochs, k->trainer->pace.schedule->name, o->epochs);
    if (o->epochs > c->n_epochs && c->epoch_done && c->step / c->steps_per_epoch % every != 0)
        return ln_fail(
            error, LN_E_ARGUMENT,
            "%s: epoch %zu was measured because it was the last, and with every=%zu a training of %zu epochs "
            "does not measure it: train anew",
            file->path, c->n_epochs, every, o->epochs);
    return LN_OK;
}

/* Is the file's training this one? The first text that differs is named. */
static ln_status check_same(const ln_keeper *k, const ln_safetensors *file, const ln_checkpoint *c, ln_error *error) {
    for (size_t i = 0; i < k->n_same; i++) {
        const note *const mine = &k->note[i];
        const char *const other = ln_safetensors_get(file, mine->key);
        if (strcmp(mine->key, "train.epochs") == 0) continue;
        if (other && strcmp(other, mine->value) == 0) continue;
        return ln_fail(error, LN_E_ARGUMENT,
                       "%.150s: is a checkpoint of another training: its %s is '%.100s', and here it is '%.100s'",
                       file->path, mine->key, other ? other : "nothing", mine->value);
    }
    char key[MAX_KEY];
    snprintf(key, sizeof key, "model.layers.%zu", k->trainer->model->n_nodes);
    const char *const more = ln_safetensors_get(file, key);
    if (more)
        return ln_fail(error, LN_E_ARGUMENT,
                       "%.150s: is a checkpoint of another training: its %s is '%.100s', and here there is none",
                       file->path, key, more);
    return check_epochs(k, file, c, error);
}

/* Every tensor of the file must have its place, and every place its tensor. */
static ln_tensor *place_of(const ln_keeper *k, size_t n, const ln_tensor *found) {
    for (size_t i = 0; i < n; i++) {
        ln_tensor *const t = &k->tensor[i];
        if (strcmp(t->name, found->name) == 0)
            return t->rank == found->rank && memcmp(t->shape, found->shape, t->rank * sizeof t->shape[0]) == 0 ? t
                                                                                                               : NULL;
    }
    return NULL;
}

static ln_status check_tensors(const ln_keeper *k, const ln_safetensors *file, size_t n, ln_error *error) {
    for (size_t i = 0; i < file->n_tensors; i++)
        if (!place_of(k, n, &file->tensors[i]))
            return ln_fail(error, LN_E_FORMAT,
                           "%.200s: the tensor '%.80s' has no place in its own training, or another shape: it is "
                           "damaged; start the training anew",
                           file->path, file->tensors[i].name);
    if (file->n_tensors == n) return LN_OK;
    return ln_fail(error, LN_E_FORMAT,
                   "%s: holds %zu tensors, and its training has %zu: it is damaged; start the training anew",
                   file->path, file->n_tensors, n);
}

static ln_status check_field(const ln_safetensors *file, const field *f, ln_error *error) {
    const char *const text = ln_safetensors_get(file, f->name);
    uint64_t          whole;
    double            x;
    const bool        good = text && (f->kind == REAL ? read_real(text, &x) : read_whole(text, &whole));
    return good && (f->kind != FLAG || whole <= 1) ? LN_OK : damaged(file, f->name, error);
}

static void set_field(const ln_safetensors *file, const field *f) {
    const char *const text = ln_safetensors_get(file, f->name);
    uint64_t          whole = 0;
    if (f->kind == REAL) read_real(text, f->at);
    else read_whole(text, &whole);
    if (f->kind == FLAG) *(bool *)f->at = whole > 0;
    if (f->kind == WHOLE) memcpy(f->at, &whole, sizeof whole);
}

static ln_status check_all(const ln_keeper *k, const ln_safetensors *file, ln_checkpoint *c, ln_error *error) {
    const fields f = fields_of(k->trainer);
    uint64_t     has_best = 0, stopped;
    ln_status    status = ln_checkpoint_parse(file, c, error);
    if (status == LN_OK) status = check_same(k, file, c, error);
    for (size_t i = 0; i < f.n && status == LN_OK; i++) status = check_field(file, &f.of[i], error);
    if (status != LN_OK) return status;
    if (c->steps_per_epoch != k->trainer->n_steps) return damaged(file, "at.steps_per_epoch", error);
    if (c->n_own != k->trainer->options.n_own) return damaged(file, "own", error);
    if (!get_whole(file, "at.stopped", 1, &stopped)) return damaged(file, "at.stopped", error);
    get_whole(file, "at.has_best", 1, &has_best);
    if (has_best && k->n_best == 0) return damaged(file, "at.has_best", error);
    return check_tensors(k, file, k->n_tensors - (has_best ? 0 : k->n_best), error);
}

static ln_status take_all(ln_keeper *k, ln_safetensors *file, const ln_checkpoint *c, ln_error *error) {
    ln_trainer *const t = k->trainer;
    const fields      f = fields_of(t);
    for (size_t i = 0; i < file->n_tensors; i++) {
        const ln_tensor *const to = place_of(k, k->n_tensors, &file->tensors[i]);
        const ln_status        status = ln_safetensors_take(file, (float *)(uintptr_t)to->values, error);
        if (status != LN_OK) return status;
    }
    for (size_t i = 0; i < f.n; i++) set_field(file, &f.of[i]);
    uint64_t stopped = 0;
    get_whole(file, "at.stopped", 1, &stopped);
    t->now.stopped = stopped;
    t->now.epoch_done = c->epoch_done;
    t->step = t->now.total_step = c->step;
    t->lr = t->now.lr;
    for (size_t i = 0; i < c->n_own; i++) t->options.own[i] = c->own[i];
    ln_run_load_parameters(t->plan);
    if (t->step % t->n_steps != 0) ln_trainer_begin_epoch(t, t->step / t->n_steps);
    return LN_OK;
}

ln_status ln_trainer_restore(ln_trainer *t, const char *path, ln_error *error) {
    ln_error         found;
    ln_safetensors   file = {0};
    ln_checkpoint    c;
    ln_keeper *const k = keeper_new(t, path, &found);
    ln_status        status = k ? ln_safetensors_open(t->model->context, path, &file, &found) : found.status;
    if (status == LN_OK) status = check_all(k, &file, &c, &found);
    if (status == LN_OK) status = take_all(k, &file, &c, &found);
    ln_safetensors_free(&file);
    ln_keeper_free(k);
    if (status != LN_OK && error) *error = found;
    return status;
}
