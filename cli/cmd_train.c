/* cmd_train.c: linnet train RECIPE. */
#include "cli.h"
#include "interrupt.h"
#include "machine.h"
#include "program.h"
#include "recipe.h"
#include "voice.h"
#include "work.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PICTURE_SECONDS = 60 }; /* that the end of a run waits for its pictures */

/* An epoch, and how many of the images that were measured last in it were right. */
typedef struct ended {
    double epoch, n, n_correct;
} ended;

/* What a checkpoint keeps for the command: doubles alone. */
typedef struct kept {
    double n_csv;                                   /* bytes of results.csv */
    double best_epoch;                              /* 0: none */
    double window_loss, window_n, window_n_correct; /* with log_steps: of the steps since the last row of that kind */
    ended  now;                                     /* the last measured epoch, once one is */
    ended  restored;                                /* with restore_best: that of the weights that are put back */
} kept;

typedef struct training {
    recipe        recipe;
    ln_context   *context;
    ln_model     *model;
    recipe_data   data;
    run_folder    run;
    voice         voice;
    kept          kept;
    table         fitted; /* with train.weights: what each layer begins with */
    double        saved;  /* when last.safetensors was written */
    bool          resumes;
    bool          longer;   /* epochs is more than the run's recipe says */
    ln_checkpoint found;    /* resumes: what there is; step 0: nothing */
    ln_error      io_error; /* of a callback */
    bool          began;    /* a step was taken */
    long          drawing;  /* the process that draws the pictures, or -1 */
} training;

static double whole(const training *t, recipe_key key) { return t->recipe.item[key].number; }

/* A row every log_steps steps: training alone, and no epoch. */
static bool log_step(training *t, const ln_progress *now) {
    const size_t every = (size_t)whole(t, KEY_train_log_steps);
    if (every == 0) return true;
    kept *const  sum = &t->kept;
    const double n = sum->window_n + (double)now->batch.n;
    sum->window_loss += (now->batch.loss - sum->window_loss) * (double)now->batch.n / n;
    sum->window_n_correct += (double)now->batch.n_correct;
    sum->window_n = n;
    if (now->total_step % every != 0) return true;
    ln_progress row = *now;
    row.epoch = 0;
    row.train = (ln_metrics){.loss = sum->window_loss, .accuracy = sum->window_n_correct / n};
    sum->window_loss = sum->window_n = sum->window_n_correct = 0;
    if (!run_folder_row(&t->run, &row, &t->io_error)) return false;
    row.epoch = now->epoch;
    t->voice.kind->row(&t->voice, &row);
    return true;
}

static bool is_printable(const char *name) {
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) return false;
    return true;
}

/* Fit for a comment of a YAML file. */
static bool is_plain(const char *name) { return is_printable(name) && text_is_utf8(name, strlen(name)); }

/* The resolved recipe, as runs/NAME/recipe.yaml has it. */
static text resolved_recipe(training *t) {
    text resolved = {0};
    text_add(&resolved, "# %s with all its values, as used by %s, %d threads (%s) of %s\n",
             is_plain(t->recipe.file) ? t->recipe.file : "A recipe", ln_version(), ln_context_threads(t->context),
             ln_context_isa(t->context), machine_processor(&t->recipe.owner));
    recipe_print(&t->recipe, &resolved);
    return resolved;
}

/* Once a resumed run has begun, its folder becomes what it was at the checkpoint; epochs may have become more. */
static bool settle_folder(training *t) {
    bool lost;
    if (!run_folder_cut(&t->run, (size_t)t->kept.n_csv, &lost, &t->io_error)) return false;
    if (lost)
        voice_warn(&t->voice, "%s has lost its last rows, as after a power failure: those of steps to come follow",
                   t->run.results);
    if (whole(t, KEY_train_tensorboard) > 0 &&
        !run_folder_tensorboard(&t->run, true, (size_t)t->found.step, &t->io_error))
        return false;
    if (!t->longer) return true;
    text       resolved = resolved_recipe(t);
    const bool good = ln_file_write(t->context, t->run.recipe, resolved.bytes, resolved.n, &t->io_error) == LN_OK;
    text_free(&resolved);
    return good;
}

/* Against a killed process the weights go to the disk at an epoch's end, but no more than once a second. */
static bool keep(training *t, const ln_progress *now) {
    const double time = seconds_now();
    if (!run_folder_row(&t->run, now, &t->io_error)) return false;
    if (now->best && ln_model_save(t->model, t->run.best, &t->io_error) != LN_OK) return false;
    if (time - t->saved < 1) return true;
    t->saved = time;
    return ln_model_save(t->model, t->run.last, &t->io_error) == LN_OK;
}

static ended end_of(const ln_progress *now) {
    const ln_metrics *m = now->has_test ? &now->test : now->has_validation ? &now->validation : &now->train;
    return (ended){(double)now->epoch, (double)m->n, (double)m->n_correct};
}

static bool on_epoch(training *t, const ln_progress *now) {
    t->kept.now = end_of(now);
    if (now->best) t->kept.best_epoch = (double)now->epoch;
    if (now->monitor_best) t->kept.restored = t->kept.now;
    t->voice.kind->epoch(&t->voice, now);
    voice_warn_stalled(&t->voice, t->recipe.file, now);
    if (now->stopped)
        voice_stop_early(&t->voice, (size_t)whole(t, KEY_train_patience), whole(t, KEY_train_min_delta), now);
    return keep(t, now);
}

static bool on_progress(void *user, const ln_progress *now) {
    training  *t = user;
    const bool first = !t->began;
    t->began = true;
    if (first && t->resumes && !settle_folder(t)) return false;
    if (first && t->found.step > 0)
        t->voice.kind->go_on(&t->voice, (size_t)t->found.step, now->n_epochs * now->n_steps);
    if (!now->epoch_done) t->voice.kind->step(&t->voice, now);
    const bool good = now->epoch_done ? on_epoch(t, now) : log_step(t, now);
    t->kept.n_csv = (double)run_folder_size(&t->run);
    return good && !interrupt_asked();
}

/* Weights are drawn only where there can be memory to train them: one look at the plan is quicker than both. */
static bool fits_memory(training *t, ln_error *error) {
    const recipe_item     *batch = &t->recipe.item[KEY_data_batch];
    const size_t           n_images = ln_data_describe(t->data.train).n, wanted = (size_t)batch->number;
    const size_t           machine = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGE_SIZE);
    const ln_train_options train = recipe_training(&t->recipe);
    ln_memory              memory;
    if (ln_model_memory(t->model, wanted < n_images ? wanted : n_images, &train, &memory, error) != LN_OK) return false;
    if (memory.training <= machine) return true;
    return fill_error(
        error, LN_E_MEMORY,
        "%.200s: training in batches of %s takes %s of memory, and this machine has %s: make the batch or the "
        "layers smaller (linnet info shows what they take)",
        t->recipe.file, batch->text, text_bytes(&t->recipe.owner, memory.training),
        text_bytes(&t->recipe.owner, machine));
}

/* Where weights=FILE is resumed, they are needed as long as there is no checkpoint. */
static bool initialize(training *t, ln_error *error) {
    if (ln_model_initialize(t->model, (uint64_t)whole(t, KEY_train_seed), error) != LN_OK) return false;
    return t->found.step > 0 || recipe_weights(&t->recipe, t->model, t->context, &t->fitted, error);
}

static void on_warning(void *user, const char *line) {
    training *const t = user;
    voice_warn(&t->voice, "%s", line);
}

/* All but the run's folder; the recipe has been read. */
static bool prepare(training *t, ln_error *error) {
    t->context = open_context_telling((int)whole(t, KEY_train_threads), on_warning, t);
    if (!t->context) return false;
    t->model = recipe_model(&t->recipe, t->context, error);
    if (!t->model || !(t->resumes ? recipe_open_run : recipe_open)(&t->recipe, t->context, t->model, &t->data, error))
        return false;
    const char *const doubt = recipe_sets_doubt(&t->data, &t->recipe.owner);
    if (doubt) voice_warn(&t->voice, "%s", doubt);
    return fits_memory(t, error);
}

/* name= is the run's, but in a recipe's section data it is the images'. */
static void warn_of_name(training *t, const char *name) {
    const char *const images = t->recipe.item[KEY_data_name].text;
    const size_t      n = name ? strlen(name) : 0;
    if (!name || (access(name, F_OK) != 0 && !ln_data_has_test(t->context, name))) return;
    if (strncmp(images, name, n) == 0 && strchr(":/", images[n])) return; /* both are meant: it ends there, too */
    voice_warn(&t->voice, "name=%s is what the run is called; its images are '%s': data.name= gives others", name,
               images);
}

static bool begin(training *t, const arguments *a, ln_error *error) {
    const char *name = argument(a, "name"), *project = argument(a, "project");
    if (!recipe_read(&t->recipe, a->words[0], a->pairs, a->n_pairs, error) || !prepare(t, error)) return false;
    if (!initialize(t, error)) return false;
    warn_of_name(t, name);
    text       resolved = resolved_recipe(t);
    const bool good = run_folder_make(&t->run, t->context, project ? project : "runs", name, &resolved, error);
    text_free(&resolved);
    if (!good || whole(t, KEY_train_tensorboard) <= 0 || run_folder_tensorboard(&t->run, false, 0, error)) return good;
    run_folder_discard(&t->run);
    return false;
}

/* What the checkpoint says, and results.csv as it was then; without one, all from the beginning. n_before: how many
 * epochs the run's recipe has. */
static bool look_back(training *t, size_t n_before, ln_error *error) {
    if (access(t->run.checkpoint, F_OK) == 0) {
        if (ln_checkpoint_read(t->context, t->run.checkpoint, &t->found, error) != LN_OK) return false;
        if (t->found.n_own != sizeof t->kept / sizeof(double)) {
            return fill_error(error, LN_E_FORMAT,
                              "%.300s was not written by this version of linnet train: go on with the version that did",
                              t->run.checkpoint);
        }
        memcpy(&t->kept, t->found.own, sizeof t->kept);
    }
    const size_t n_epochs = (size_t)whole(t, KEY_train_epochs);
    t->longer = n_epochs > n_before || (t->found.step > 0 && n_epochs > t->found.n_epochs);
    return initialize(t, error);
}

static bool epochs_before(const char *file, size_t *n, ln_error *error) {
    recipe     r = {0};
    const bool good = recipe_read(&r, file, NULL, 0, error);
    if (good) *n = (size_t)r.item[KEY_train_epochs].number;
    recipe_free(&r);
    return good;
}

/* The folder is locked before anything in it is looked at, but for the recipe, which says with how many threads. */
static bool go_on(training *t, const arguments *a, ln_error *error) {
    pool              owner = {0};
    const char *const path = without_slash(&owner, a->words[0]);
    const char *const file = pool_format(&owner, "%s/recipe.yaml", path);
    size_t            n_before;
    bool good = epochs_before(file, &n_before, error) && recipe_read(&t->recipe, file, a->pairs, a->n_pairs, error);
    if (good && (size_t)whole(t, KEY_train_epochs) < n_before)
        good =
            fill_error(error, LN_E_ARGUMENT, "%.300s: is of a training of %zu epochs, which cannot become one of %zu",
                       path, n_before, (size_t)whole(t, KEY_train_epochs));
    good =
        good && prepare(t, error) && run_folder_open(&t->run, t->context, path, error) && look_back(t, n_before, error);
    pool_free(&owner);
    return good;
}

static size_t count_images(const ln_data *data) { return data ? ln_data_describe(data).n : 0; }

static void say_begin(training *t) {
    const recipe_item *const item = t->recipe.item;
    const size_t             n_images = count_images(t->data.train), batch = (size_t)item[KEY_data_batch].number;
    const size_t             n_epochs = (size_t)whole(t, KEY_train_epochs);
    voice_facts              f = {.recipe = t->recipe.file,
                                  .isa = ln_context_isa(t->context),
                                  .run = &t->run,
                                  .n_images = n_images,
                                  .n_validation = count_images(t->data.validation),
                                  .n_test = count_images(t->data.test),
                                  .batch = batch,
                                  .n_epochs = n_epochs,
                                  .n_threads = ln_context_threads(t->context),
                                  .weights = t->fitted.n_cells > 0 ? item[KEY_train_weights].text : NULL,
                                  .fitted = &t->fitted,
                                  .step = (size_t)t->found.step,
                                  .n_steps = n_epochs * ((n_images + batch - 1) / batch),
                                  .resumes = t->resumes};
    for (size_t i = 0; i < ln_model_parameter_count(t->model); i++) {
        const ln_parameter p = ln_model_parameter(t->model, i);
        if (p.learned) f.n_parameters += p.count;
    }
    t->voice.by_rows = whole(t, KEY_train_log_steps) > 0;
    t->voice.kind->begin(&t->voice, &f);
}

static ln_status learn(training *t, ln_error *error) {
    ln_train_options options = recipe_training(&t->recipe);
    options.validation = t->data.validation;
    options.test = t->data.test;
    options.checkpoint = t->run.checkpoint;
    options.resume = t->resumes;
    options.own = (double *)(void *)&t->kept;
    options.n_own = sizeof t->kept / sizeof(double);
    options.progress = on_progress;
    options.user = t;
    voice_start(&t->voice);
    t->saved = t->voice.progress.started;
    const ln_status status = ln_train(t->model, t->data.train, &options, error);
    voice_pause(&t->voice);
    return status;
}

/* What early stopping and restore_best look at. */
static const char *monitor_name(const training *t) {
    const char *const name = t->recipe.item[KEY_train_monitor].text;
    return strcmp(name, "auto") != 0 ? name : t->data.validation ? "val_loss" : "train_loss";
}

static void say_end(training *t, const char *how) {
    const bool         restored = whole(t, KEY_train_restore_best) > 0 && t->kept.restored.epoch > 0;
    const ended *const m = restored ? &t->kept.restored : &t->kept.now;
    const voice_end    e = {.run = &t->run,
                            .how = how,
                            .began = t->began,
                            .pictures = t->drawing > 0,
                            .best_epoch = access(t->run.best, F_OK) == 0 ? t->kept.best_epoch : 0,
                            .restored_epoch = restored ? m->epoch : 0,
                            .monitor = monitor_name(t),
                            .of = t->data.test         ? "test"
                                  : t->data.validation ? "validation"
                                                       : "training",
                            .n = m->n,
                            .n_correct = m->n_correct};
    t->voice.kind->end(&t->voice, &e);
}

/* It ends here: why, and what there is. */
static int stop(training *t, const char *why, const char *sentence) {
    say("%s", sentence);
    t->voice.kind->stop(&t->voice, why, sentence);
    say_end(t, strcmp(why, "signal") == 0 ? "stopped" : "failed");
    return STATUS_FAILED;
}

/* What went wrong with a file, and that all is not lost. */
static int stop_broken(training *t, const ln_error *error) {
    if (access(t->run.checkpoint, F_OK) != 0) return stop(t, "error", error->message);
    return stop(t, "error",
                pool_format(&t->recipe.owner,
                            "%s; the last checkpoint is whole: linnet train --resume %s goes on from it",
                            error->message, t->run.path));
}

/* Pictures are drawn by a program of their own, from what lies in the folder, when all is written and said. Its files
 * appear whole or not at all, and so it may be left behind. */
static void start_pictures(training *t) {
    const char *const words[] = {"plot", "what=all", "--", t->run.path, NULL};
    if (whole(t, KEY_train_pictures) <= 0) return;
    t->drawing = program_start("plot", words, &t->recipe.owner);
    if (t->drawing < 0)
        voice_warn(&t->voice, "no pictures are drawn: linnet-plot is not beside linnet, or cannot be started "
                              "(pictures=false asks for none)");
}

static void wait_for_pictures(const training *t) {
    if (t->drawing <= 0) return;
    const int status = program_wait(t->drawing, PICTURE_SECONDS, interrupt_anew()); /* a signal ends the waiting */
    if (status < 0) say("the pictures are still being drawn, into %s/pictures", t->run.path);
    else if (status != STATUS_OK) say("not all pictures could be drawn: linnet plot %s what=all says why", t->run.path);
}

/* Saves what there is and says how it ended. */
static int finish(training *t, ln_status status, const ln_error *error) {
    if (!t->began && status != LN_OK && status != LN_E_NOT_FINITE) {
        if (!t->resumes) run_folder_discard(&t->run);
        return say_error(error);
    }
    ln_error    save_error = {0};
    const bool  saved = ln_model_save(t->model, t->run.last, &save_error) == LN_OK;
    pool *const owner = &t->recipe.owner;
    if (t->io_error.status != LN_OK) return stop_broken(t, &t->io_error);
    if (status == LN_E_IO) return stop_broken(t, error);
    if (!saved) return stop_broken(t, &save_error);
    if (status == LN_E_INTERRUPTED)
        return stop(t, "signal",
                    pool_format(owner, "interrupted: the weights so far are in %s; linnet train --resume %s goes on",
                                t->run.last, t->run.path));
    if (status != LN_OK)
        return stop(t, "error",
                    pool_format(owner, "%s; %s %s", error->message,
                                status == LN_E_NOT_FINITE ? RUN_NOT_FINITE : "the weights so far are in", t->run.last));
    if (t->began) start_pictures(t);
    say_end(t, "done");
    wait_for_pictures(t);
    return STATUS_OK;
}

static void release(training *t) {
    run_folder_close(&t->run);
    recipe_data_free(&t->data);
    ln_model_free(t->model);
    ln_context_free(t->context);
    pool_free(&t->fitted.owner);
    recipe_free(&t->recipe);
}

static bool good_name(const char *name) {
    return !name || (name[strspn(name, " ")] && is_printable(name) && !strchr(name, '/') && strcmp(name, ".") != 0 &&
                     strcmp(name, "..") != 0);
}

/* A resumed run goes on as it began: STATUS_OK, or what is wrong with the command line. */
static int may_resume(const arguments *a) {
    for (size_t i = 0; i < a->n_pairs; i++) {
        const char *const pair = a->pairs[i] + 6 * (strncmp(a->pairs[i], "train.", 6) == 0);
        if (strncmp(pair, "threads=", 8) != 0 && strncmp(pair, "epochs=", 7) != 0)
            return say_usage(a->verb,
                             "%s: a run goes on as it began; with --resume only threads= and more epochs= may be given",
                             a->pairs[i]);
    }
    if (a->n_own > 0)
        return say_usage(a->verb, "%s: with --resume the folder of the run is named by itself", a->own[0]);
    if (is_folder(a->words[0])) return STATUS_OK;
    return say("--resume wants the folder of a run, such as runs/1, and there is no folder %s", a->words[0]);
}

/* NULL: that cannot be meant. */
static const voice_kind *voice_of(const arguments *a) {
    const bool quiet = has_flag(a, "--quiet"), json = has_flag(a, "--json");
    return quiet && json ? NULL : quiet ? &voice_quiet : json ? &voice_json : &voice_lines;
}

static int run(const arguments *a) {
    const char *name = argument(a, "name"), *project = argument(a, "project");
    if (!good_name(name))
        return say_usage(a->verb, "name=%s: the name of a folder, not blank, without '/' and control characters", name);
    if (project && !*project) return say_usage(a->verb, "project=: the folder that run folders are made in");
    training t = {.recipe.verb_keys = a->verb->keys,
                  .run = {.csv = -1, .board = -1},
                  .resumes = has_flag(a, "--resume"),
                  .voice.kind = voice_of(a),
                  .drawing = -1};
    if (!t.voice.kind) return say_usage(a->verb, "--quiet and --json: one says nothing, the other all: give one");
    if (t.voice.kind != &voice_lines) work_hide();
    ln_error error = {0};
    int      status = t.resumes ? may_resume(a) : STATUS_OK;
    if (status != STATUS_OK) return status;
    status = STATUS_FAILED;
    if (t.resumes ? go_on(&t, a, &error) : begin(&t, a, &error)) {
        interrupt_listen();
        say_begin(&t);
        const ln_status result = learn(&t, &error);
        status = finish(&t, result, &error);
    } else if (error.status != LN_OK) {
        say_error(&error);
        if (t.recipe.usage) status = STATUS_USAGE;
    }
    release(&t);
    return status;
}

const verb verb_train = {
    .name = "train",
    .summary = "train a recipe, and keep weights and results in runs/",
    .usage = "train RECIPE|--resume RUN [name=NAME] [project=FOLDER] [KEY=VALUE ...] [--quiet|--json]",
    .help = "Trains the model of RECIPE (YAML) and writes runs/NAME/: recipe.yaml (every value\n"
            "as used), results.csv (a row an epoch, or as train.every and train.log_steps\n"
            "say), weights/last.safetensors and, when the recipe splits off validation\n"
            "images, weights/best.safetensors (of the highest val_accuracy; among equals of\n"
            "the lowest val_loss), and pictures/ (see linnet plot; train.pictures: false: none).\n"
            "\n"
            "results.csv has the columns epoch (empty in the rows of train.log_steps), step\n"
            "(counted through all epochs), seconds (of training in this epoch so far), lr (of\n"
            "the last step), then loss and accuracy: train_ of the epoch's images while the\n"
            "weights change, or of those since the last row of train.log_steps; val_ and test_\n"
            "of all validation and test images after the epoch, or empty.\n"
            "\n"
            "  name=NAME       of the run's folder; otherwise the next free number\n"
            "  project=FOLDER  where run folders are made (runs)\n"
            "  KEY=VALUE       overrides a value of the recipe: epochs=3, batch=32, lr=0.1,\n"
            "                  data.val=0.1, train.optimizer.momentum=0, model.layers.0.kernel=3,\n"
            "                  loss=\"cross_entropy reduction=sum\"; linnet help recipe lists all\n"
            "\n"
            "  --resume        goes on with the run in folder RUN, from its last checkpoint, to the\n"
            "                  weights and results that it would have had; epochs=N makes it longer,\n"
            "                  where the schedule does not depend on it\n"
            "  --quiet         says nothing but warnings and errors\n"
            "  --json          says everything in lines of JSON, an object each, for programs:\n"
            "                  event begin    run, recipe, weights, parameters, images, batch,\n"
            "                                 epochs, steps (in all), step (done), threads, isa\n"
            "                  event step     the columns of results.csv, twice a second at most,\n"
            "                                 or every train.log_steps steps\n"
            "                  event epoch    the columns of results.csv, and best\n"
            "                  event warning  message (it is on standard error as well)\n"
            "                  event stopped  why (patience, signal, error) and message\n"
            "                  event end      how (done, stopped, failed), seconds, best_epoch,\n"
            "                                 restored_epoch, images and correct (of the set that\n"
            "                                 of names), files\n"
            "                  What was not measured, and numbers that are not finite, are null.\n"
            "\n"
            "A checkpoint (weights/checkpoint.safetensors) is written after every measured epoch\n"
            "and every train.checkpoint minutes. Two processes cannot write one run.\n"
            "\n"
            "weights=FILE begins with other weights, layer by layer by their names, and says what\n"
            "fitted; layers that do not fit are drawn, or left out, when except=3,5 names them.\n"
            "\n"
            "Ctrl-C (or SIGTERM, SIGHUP) ends training after the current step and keeps the\n"
            "weights; a second one ends it at once, with status 128 + the signal's number.\n"
            "\n"
            "  linnet train recipes/lenet5.yaml\n"
            "  linnet train recipes/lenet5.yaml name=slow lr=0.01 seed=2\n"
            "  linnet train --resume runs/slow\n",
    .flags = (const char *const[]){"--resume", "--quiet", "--json", NULL},
    .keys = (const char *const[]){"name", "project", NULL},
    .n_min = 1,
    .n_max = 1,
    .overrides = true,
    .run = run,
};
