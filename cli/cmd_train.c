/* cmd_train.c: linnet train RECIPE. */
#include "cli.h"
#include "progress.h"
#include "recipe.h"
#include "run_folder.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A signal handler can reach nothing else: set by Ctrl-C, read after each step. */
static volatile sig_atomic_t stop_asked;

/* The first signal ends training after the step, which may take long; the second one, of whichever kind, does what it
 * does to any program: it ends it, here and now. */
static void on_signal(int number) {
    if (stop_asked) {
        signal(number, SIG_DFL);
        raise(number); /* arrives when this handler returns */
    }
    stop_asked = 1;
}

/* What came ignored, as under nohup, stays so. Without a reader of its output, training goes on. */
static void listen(void) {
    static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
    struct sigaction action = {.sa_handler = on_signal}, before;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(numbers[i], &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}

typedef struct training {
    recipe      recipe;
    ln_context *context;
    ln_model   *model;
    recipe_data data;
    run_folder  run;
    progress    progress;
    ln_progress now;      /* the last measured epoch's, once one is */
    ln_progress restored; /* with restore_best: that of the weights that are put back */
    ln_metrics  window;   /* with log_steps: of the steps since the last row of that kind */
    size_t      best_epoch;
    double      saved;    /* when last.safetensors was written */
    ln_error    io_error; /* of a callback */
    bool        began;    /* a step was taken */
} training;

static double whole(const training *t, recipe_key key) { return t->recipe.item[key].number; }

/* A row every log_steps steps: training alone, and no epoch. */
static bool log_step(training *t, const ln_progress *now) {
    const size_t every = (size_t)whole(t, KEY_train_log_steps);
    if (every == 0) return true;
    ln_metrics  *sum = &t->window;
    const size_t n = sum->n + now->batch.n;
    sum->loss += (now->batch.loss - sum->loss) * (double)now->batch.n / (double)n;
    sum->n_correct += now->batch.n_correct;
    sum->n = n;
    if (now->total_step % every != 0) return true;
    ln_progress row = *now;
    row.epoch = 0;
    row.train = *sum;
    row.train.accuracy = (double)sum->n_correct / (double)n;
    *sum = (ln_metrics){0};
    return run_folder_row(&t->run, &row, &t->io_error);
}

/* After a measured epoch: why its loss is what guessing gives. */
static void say_stalled(const training *t, const ln_progress *now) {
    const char *const file = t->recipe.file;
    const double      loss = now->train.loss;
    switch (now->stalled) {
    case LN_STALL_NONE: return;
    case LN_STALL_NOTHING:
        say("warning: nothing is learnt: the loss stays at %.4g, as from the first step to epoch %zu every image gets "
            "the very same outputs: a layer lets nothing through, as dropout 1 does, or weights of 0 (linnet check %s "
            "shows where the signal is lost)",
            loss, now->epoch, file);
        return;
    case LN_STALL_SMALL:
        say("warning: nothing is learnt: the loss stays at %.4g, as after epoch %zu every image still gets the same "
            "outputs and the weights are as they were; they are probably too small for gradients to pass, or the rate "
            "is: try another init, such as kaiming_normal, or a higher lr (linnet check %s shows where the signal is "
            "lost)",
            loss, now->epoch, file);
        return;
    case LN_STALL_LOST:
        say("warning: nothing is learnt: the loss is %.4g, as after epoch %zu every image gets the same outputs, which "
            "at the first step were not the same: the rate is probably too high for these weights: try a lower lr, "
            "such as a tenth of it, or another init or seed",
            loss, now->epoch);
        return;
    case LN_STALL_GUESSING:
        say("warning: nothing is learnt so far: the loss of epoch %zu is %.4g, and %.2f %% of its images were right, "
            "where always naming the most frequent class gets %.2f %%: the rate is probably too low for these weights, "
            "or too high: try ten times the lr or a tenth of it, or another init (linnet check %s shows how large the "
            "gradients are)",
            now->epoch, loss, 100 * now->train.accuracy, 100 * now->most_frequent, file);
    }
}

static void print_stopped(const training *t, const ln_progress *now) {
    const size_t patience = (size_t)whole(t, KEY_train_patience);
    const double min_delta = whole(t, KEY_train_min_delta);
    printf("stopped early after epoch %zu: %s has not improved ", now->epoch, now->monitor);
    if (min_delta > 0) printf("by more than %g ", min_delta);
    printf("for %zu %s\n", patience, patience == 1 ? "row" : "rows");
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

static bool on_epoch(training *t, const ln_progress *now) {
    t->now = *now;
    if (now->best) t->best_epoch = now->epoch;
    if (now->monitor_best) t->restored = *now;
    progress_epoch(&t->progress, now);
    say_stalled(t, now);
    if (now->stopped) print_stopped(t, now);
    return keep(t, now);
}

static bool on_progress(void *user, const ln_progress *now) {
    training *t = user;
    t->began = true;
    if (now->epoch_done) return on_epoch(t, now) && !stop_asked;
    progress_step(&t->progress, now);
    return log_step(t, now) && !stop_asked;
}

static bool is_printable(const char *name) {
    for (const char *c = name; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) return false;
    return true;
}

/* Fit for a comment of a YAML file. */
static bool is_plain(const char *name) { return is_printable(name) && text_is_utf8(name, strlen(name)); }

/* Weights are drawn only where there can be memory to train them: one look at the plan is quicker than both. */
static bool fits_memory(training *t, ln_error *error) {
    const recipe_item     *batch = &t->recipe.item[KEY_data_batch];
    const size_t           n_images = ln_data_describe(t->data.train).n, wanted = (size_t)batch->number;
    const size_t           machine = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGE_SIZE);
    const ln_train_options train = recipe_training(&t->recipe);
    ln_memory              memory;
    if (ln_model_memory(t->model, wanted < n_images ? wanted : n_images, &train, &memory, error) != LN_OK) return false;
    if (memory.training <= machine) return true;
    error->status = LN_E_MEMORY;
    snprintf(error->message, sizeof error->message,
             "%.200s: training in batches of %s takes %s of memory, and this machine has %s: make the batch or the "
             "layers smaller (linnet info shows what they take)",
             t->recipe.file, batch->text, text_bytes(&t->recipe.owner, memory.training),
             text_bytes(&t->recipe.owner, machine));
    return false;
}

static bool prepare(training *t, const arguments *a, ln_error *error) {
    const char *name = argument(a, "name"), *project = argument(a, "project");
    if (!recipe_read(&t->recipe, a->words[0], a->pairs, a->n_pairs, error)) return false;
    t->context = open_context((int)whole(t, KEY_train_threads));
    if (!t->context) return false;
    t->model = recipe_model(&t->recipe, t->context, error);
    if (!t->model || !recipe_open(&t->recipe, t->context, t->model, &t->data, error)) return false;
    if (!fits_memory(t, error)) return false;
    if (ln_model_initialize(t->model, (uint64_t)whole(t, KEY_train_seed), error) != LN_OK) return false;
    text resolved = {0};
    text_add(&resolved, "# %s with all its values, as used by %s\n",
             is_plain(t->recipe.file) ? t->recipe.file : "A recipe", ln_version());
    recipe_print(&t->recipe, &resolved);
    const bool good = run_folder_make(&t->run, t->context, project ? project : "runs", name, &resolved, error);
    text_free(&resolved);
    if (!good || whole(t, KEY_train_tensorboard) <= 0 || run_folder_tensorboard(&t->run, error)) return good;
    run_folder_discard(&t->run);
    return false;
}

static void print_head(const training *t) {
    size_t n_parameters = 0;
    pool   owner = {0};
    for (size_t i = 0; i < ln_model_parameter_count(t->model); i++) {
        const ln_parameter p = ln_model_parameter(t->model, i);
        if (p.learned) n_parameters += p.count;
    }
    const int    n_threads = ln_context_threads(t->context);
    const size_t n_images = ln_data_describe(t->data.train).n;
    printf("%s: %s parameter%s, %s image%s, %d thread%s (%s), into %s\n", t->recipe.file,
           text_count(&owner, n_parameters), n_parameters == 1 ? "" : "s", text_count(&owner, n_images),
           n_images == 1 ? "" : "s", n_threads, n_threads == 1 ? "" : "s", ln_context_isa(t->context), t->run.path);
    fflush(stdout);
    pool_free(&owner);
}

static ln_status learn(training *t, ln_error *error) {
    ln_train_options options = recipe_training(&t->recipe);
    options.validation = t->data.validation;
    options.test = t->data.test;
    options.progress = on_progress;
    options.user = t;
    t->progress = progress_start();
    t->saved = t->progress.started;
    const ln_status status = ln_train(t->model, t->data.train, &options, error);
    progress_clear(&t->progress);
    return status;
}

static void print_result(const training *t) {
    const bool         restored = whole(t, KEY_train_restore_best) > 0 && t->restored.epoch > 0;
    const ln_progress *now = restored ? &t->restored : &t->now;
    const bool         is_test = now->has_test;
    const ln_metrics  *m = is_test ? &now->test : now->has_validation ? &now->validation : &now->train;
    if (restored) printf("the weights of epoch %zu, whose %s is the best, are put back\n", now->epoch, now->monitor);
    if (t->best_epoch)
        printf("the weights of epoch %zu, whose val_accuracy is the best, in %s\n", t->best_epoch, t->run.best);
    printf("weights in %s\n", t->run.last);
    printf("%zu %s image%s, %zu correct (%.2f %%)\n", m->n,
           is_test               ? "test"
           : now->has_validation ? "validation"
                                 : "training",
           m->n == 1 ? "" : "s", m->n_correct, 100 * m->accuracy);
}

/* Saves what there is and says how it ended. */
static int finish(training *t, ln_status status, const ln_error *error) {
    if (!t->began && status != LN_OK && status != LN_E_NOT_FINITE) {
        run_folder_discard(&t->run);
        return say_error(error);
    }
    ln_error   save_error = {0};
    const bool saved = ln_model_save(t->model, t->run.last, &save_error) == LN_OK;
    if (t->io_error.status != LN_OK) return say_error(&t->io_error);
    if (!saved) return say_error(&save_error);
    if (status == LN_E_INTERRUPTED) return say("interrupted: the weights so far are in %s", t->run.last);
    if (status == LN_E_NOT_FINITE)
        return say("%s; the weights before that step are in %s", error->message, t->run.last);
    if (status != LN_OK) return say("%s; the weights so far are in %s", error->message, t->run.last);
    print_result(t);
    return STATUS_OK;
}

static void release(training *t) {
    run_folder_close(&t->run);
    recipe_data_free(&t->data);
    ln_model_free(t->model);
    ln_context_free(t->context);
    recipe_free(&t->recipe);
}

static bool good_name(const char *name) {
    return !name || (name[strspn(name, " ")] && is_printable(name) && !strchr(name, '/') && strcmp(name, ".") != 0 &&
                     strcmp(name, "..") != 0);
}

static int run(const arguments *a) {
    const char *name = argument(a, "name"), *project = argument(a, "project");
    if (!good_name(name))
        return say_usage(a->verb, "name=%s: the name of a folder, not blank, without '/' and control characters", name);
    if (project && !*project) return say_usage(a->verb, "project=: the folder that run folders are made in");
    training t = {.recipe.verb_keys = a->verb->keys, .run = {.csv = -1, .board = -1}};
    ln_error error = {0};
    int      status = STATUS_FAILED;
    if (prepare(&t, a, &error)) {
        listen();
        print_head(&t);
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
    .usage = "train RECIPE [name=NAME] [project=FOLDER] [KEY=VALUE ...]",
    .help = "Trains the model of RECIPE (YAML) and writes runs/NAME/: recipe.yaml (every value\n"
            "as used), results.csv (a row an epoch, or as train.every and train.log_steps\n"
            "say), weights/last.safetensors and, when the recipe splits off validation\n"
            "images, weights/best.safetensors (of the highest val_accuracy; among equals of\n"
            "the lowest val_loss).\n"
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
            "Ctrl-C (or SIGTERM, SIGHUP) ends training after the current step and keeps the\n"
            "weights; a second one ends it at once, with status 128 + the signal's number.\n"
            "\n"
            "  linnet train recipes/lenet5.yaml\n"
            "  linnet train recipes/lenet5.yaml name=slow lr=0.01 seed=2\n",
    .keys = (const char *const[]){"name", "project", NULL},
    .n_min = 1,
    .n_max = 1,
    .overrides = true,
    .run = run,
};
