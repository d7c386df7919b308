/* Checkpoints: whatever breaks a training off, wherever, it goes on to the same bits, with other threads and other
 * instructions; what is no checkpoint of the training is refused by name; a write that fails leaves the last
 * good one. */
#include "harness/files.h"
#include "harness/net.h"
#include "train/checkpoint.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

enum { N_IMAGES = 90, N_MORE = 40, BATCH = 16, STEPS = 6, MAX_ROWS = 64 };

static const char *const small_lines[] = {
    "conv2d 4 kernel=3 padding=1", "batchnorm2d", "relu", "maxpool2d 2", "dropout 0.2", "flatten", "linear 2", NULL};

/* -------------------------------------------------------------- trainings */

typedef struct way {
    const char *isa;
    int         n_threads;
} way;

typedef struct work {
    ln_context      *context;
    ln_model        *model;
    ln_data         *data, *validation;
    float           *pixels;
    uint8_t          labels[N_IMAGES + N_MORE];
    ln_train_options options;
    double           own[3];  /* steps seen, and two numbers that the file must keep to the bit */
    size_t           stop_at; /* steps and measured epochs told of, then stop; 0: never */
    size_t           n_told;
    ln_progress      row[MAX_ROWS]; /* of each measured epoch, by its number */
} work;

static bool on_progress(void *user, const ln_progress *now) {
    work *const w = user;
    w->own[0] += 1;
    w->own[1] = now->epoch_done ? now->train.loss : w->own[1];
    w->own[2] = w->own[0] * 0x1p-1074;
    if (now->epoch_done && now->epoch < MAX_ROWS) w->row[now->epoch] = *now;
    return ++w->n_told != w->stop_at;
}

static work *work_new(way how, const ln_train_options *options, const char *const *lines) {
    work *const w = net_must(calloc(1, sizeof *w));
    w->context = net_context(how.isa, how.n_threads);
    w->pixels = net_floats(3, (N_IMAGES + N_MORE) * 64);
    for (size_t i = 0; i < N_IMAGES + N_MORE; i++) w->labels[i] = w->pixels[i * 64 + 9] > w->pixels[i * 64 + 40];
    w->model = net_model(w->context, (ln_shape){1, 8, 8}, lines);
    w->data = ln_data_from_floats(w->context, w->pixels, w->labels, N_IMAGES, 1, 8, 8, NULL);
    w->validation =
        ln_data_from_floats(w->context, w->pixels + N_IMAGES * 64, w->labels + N_IMAGES, N_MORE, 1, 8, 8, NULL);
    w->options = *options;
    if (options->validation) w->options.validation = w->validation;
    w->options.progress = on_progress;
    w->options.user = w;
    if (options->checkpoint) {
        w->options.own = w->own;
        w->options.n_own = 3;
    }
    return w;
}

static void work_free(work *w) {
    ln_data_free(w->validation);
    ln_data_free(w->data);
    ln_model_free(w->model);
    ln_context_free(w->context);
    free(w->pixels);
    free(w);
}

static ln_status work_run(work *w, ln_error *error) { return ln_train(w->model, w->data, &w->options, error); }

/* Weights, buffers among them, and what was told of every epoch, as it is but for the seconds. */
static void check_equal(const char *what, work *got, work *want) {
    size_t       n, n_want;
    float *const a = net_weights(got->model, &n), *const b = net_weights(want->model, &n_want);
    assert_int_equal(n, n_want);
    if (memcmp(a, b, n) != 0) fail_msg("%s: other weights", what);
    free(a);
    free(b);
    for (size_t i = 1; i < MAX_ROWS; i++) {
        if (got->row[i].epoch == 0) continue;
        ln_progress x = got->row[i], y = want->row[i];
        x.seconds = y.seconds = 0;
        x.monitor = y.monitor = NULL;
        x.n_epochs = y.n_epochs = 0;
        if (x.train.loss != y.train.loss || x.validation.loss != y.validation.loss || x.lr != y.lr ||
            x.batch.loss != y.batch.loss || x.best != y.best || x.monitor_best != y.monitor_best ||
            x.stopped != y.stopped || x.stalled != y.stalled || x.total_step != y.total_step ||
            x.train.n_correct != y.train.n_correct)
            fail_msg("%s: epoch %zu was told of otherwise", what, i);
    }
    if (got->options.checkpoint && want->options.checkpoint && memcmp(got->own, want->own, sizeof got->own) != 0)
        fail_msg("%s: the caller's own numbers are others: %g, not %g", what, got->own[0], want->own[0]);
}

static const ln_train_options plain = {.size = sizeof(ln_train_options),
                                       .batch = BATCH,
                                       .epochs = 3,
                                       .optimizer = "sgd lr=0.05 momentum=0.9",
                                       .schedule = "constant",
                                       .seed = 5};

/* Trains until it is stopped after stop_at calls, then goes on in another way to the end. */
static void check_stopped(const char *path, const ln_train_options *options, size_t stop_at, way first, way then,
                          work *want) {
    ln_error         error = {0};
    char             what[200];
    ln_train_options with = *options;
    with.checkpoint = path;
    with.resume = true;
    unlink(path);
    work *w = work_new(first, &with, small_lines);
    w->stop_at = stop_at;
    const ln_status status = work_run(w, &error);
    if (status != LN_OK && status != LN_E_INTERRUPTED) fail_msg("%s", error.message);
    work_free(w);
    w = work_new(then, &with, small_lines);
    if (work_run(w, &error) != LN_OK) fail_msg("%s", error.message);
    snprintf(what, sizeof what, "%s, %s, stopped at %zu", options->optimizer, options->schedule, stop_at);
    check_equal(what, w, want);
    if (w->n_told + stop_at != want->n_told && want->n_told > stop_at)
        fail_msg("%s: %zu steps and epochs followed, not %zu", what, w->n_told, want->n_told - stop_at);
    work_free(w);
}

static work *uninterrupted(const files *f, const ln_train_options *options, char text[512]) {
    ln_error         error = {0};
    ln_train_options with = *options;
    with.checkpoint = files_path(f, "whole", text);
    work *const w = work_new((way){NULL, 1}, &with, small_lines);
    if (work_run(w, &error) != LN_OK) fail_msg("%s", error.message);
    return w;
}

static void check_options(const files *f, const ln_train_options *options) {
    char         path[512], whole[512];
    const way    ways[] = {{NULL, 1}, {"plain", 2}, {NULL, 3}};
    const size_t stops[] = {1, 4, STEPS, STEPS + 1, STEPS + 2, 2 * STEPS + 1, 2 * STEPS + 2, 2 * STEPS + 5};
    work *const  want = uninterrupted(f, options, whole);
    files_path(f, "checkpoint", path);
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++)
        check_stopped(path, options, stops[i], ways[i % 3], ways[(i + 1) % 3], want);
    assert_int_equal(files_count(f->folder), 2); /* the two files, and nothing beside them */
    work_free(want);
}

static void test_every_option(void **state) {
    const files *const f = *state;
    ln_train_options   o = plain;
    check_options(f, &o);
    const char *const optimizers[] = {"sgd lr=0.05", "sgd lr=0.05 momentum=0.9 nesterov=true", "adam lr=0.01",
                                      "adamw lr=0.01", "rmsprop lr=0.01 momentum=0.9 centered=true"};
    const char *const schedules[] = {"step size=1 gamma=0.5", "cosine warmup=0.5", "one_cycle", "exponential gamma=0.9",
                                     "multistep milestones=1,2"};
    for (size_t i = 0; i < 5; i++) {
        o.optimizer = optimizers[i];
        o.schedule = schedules[i];
        o.validation = i % 2 ? (const ln_data *)f : NULL; /* any pointer: each work has its own images */
        check_options(f, &o);
    }
    o = plain;
    o.ema = 0.9;
    o.clip_norm = 1;
    o.l2 = 0.01;
    o.augment = "shift 1, mixup 0.5";
    o.restore_best = true;
    o.validation = (const ln_data *)f;
    check_options(f, &o);
    o.every = 2;
    o.clip_norm = 0;
    o.clip_value = 0.1;
    o.in_order = true;
    check_options(f, &o);
}

/* What looks back over epochs: a plateau, early stopping, the best row. */
static void test_memory_of_epochs(void **state) {
    const files *const f = *state;
    ln_train_options   o = plain;
    o.epochs = 9;
    o.optimizer = "sgd lr=0.4 momentum=0.9";
    o.schedule = "reduce_on_plateau patience=0 factor=0.5 cooldown=1 threshold=0.1";
    check_options(f, &o);
    o.validation = (const ln_data *)f;
    check_options(f, &o);
    o.patience = 3;
    o.restore_best = true;
    check_options(f, &o);
    o.schedule = "constant";
    o.min_delta = 0.01;
    check_options(f, &o);
}

/* ---------------------------------------------------------------- by hand */

static void steps(ln_trainer *t, size_t n) {
    ln_error error = {0};
    for (size_t i = 0; i < n; i++)
        if (ln_trainer_step(t, NULL, &error) != LN_OK) fail_msg("%s", error.message);
}

static void test_by_hand(void **state) {
    char              path[512];
    const char *const at = files_path(*state, "checkpoint", path);
    ln_train_options  o = plain;
    o.schedule = "reduce_on_plateau patience=0 threshold=0.5";
    o.ema = 0.5;
    work *const a = work_new((way){NULL, 1}, &o, small_lines), *const b = work_new((way){NULL, 2}, &o, small_lines);
    ln_trainer *const t = ln_trainer_new(a->model, a->data, &a->options, NULL);
    ln_trainer *const u = ln_trainer_new(b->model, b->data, &b->options, NULL);
    assert_true(t && u);
    for (size_t i = 0; i < 3 * STEPS; i++) {
        assert_int_equal(ln_trainer_save(t, at, NULL), LN_OK);
        steps(t, 1);
        assert_int_equal(ln_trainer_restore(u, at, NULL), LN_OK);
        steps(u, 1);
        check_equal("by hand", b, a);
        ln_trainer_swap_average(t);
        ln_trainer_swap_average(u);
        check_equal("the averages", b, a);
        ln_trainer_swap_average(t);
        ln_trainer_swap_average(u);
    }
    ln_trainer_free(t);
    ln_trainer_free(u);
    work_free(a);
    work_free(b);
}

/* ------------------------------------------------------------ what differs */

static void check_refused(const char *path, const ln_train_options *options, const char *const *lines,
                          const char *says) {
    ln_error         error = {0};
    ln_train_options with = *options;
    with.checkpoint = path;
    with.resume = true;
    work *const  w = work_new((way){NULL, 1}, &with, lines);
    size_t       n;
    float *const before = net_weights(w->model, &n);
    assert_int_not_equal(work_run(w, &error), LN_OK);
    if (!strstr(error.message, says)) fail_msg("'%s' does not say '%s'", error.message, says);
    float *const after = net_weights(w->model, &n);
    assert_memory_equal(before, after, n);
    assert_int_equal(w->n_told, 0);
    free(before);
    free(after);
    work_free(w);
}

static void test_other_training(void **state) {
    static const char *const fewer[] = {"flatten", "linear 2", NULL};
    static const char *const wider[] = {"conv2d 5 kernel=3 padding=1",
                                        "batchnorm2d",
                                        "relu",
                                        "maxpool2d 2",
                                        "dropout 0.2",
                                        "flatten",
                                        "linear 2",
                                        NULL};
    const files *const       f = *state;
    char                     path[512];
    work *const              w = uninterrupted(f, &plain, path);
    ln_train_options         o = plain;
    work_free(w);
    check_refused(path, &o, wider,
                  "model.layers.0 is 'conv2d 4 kernel=3 padding=1 init=pytorch', and here it is 'conv2d 5");
    check_refused(path, &o, fewer, "padding=1 init=pytorch', and here it is 'flatten'");
    o.batch = 32;
    check_refused(path, &o, small_lines, "data.batch is '16', and here it is '32'");
    o = plain;
    o.optimizer = "sgd momentum=0.9 lr=0.1";
    check_refused(path, &o, small_lines, "train.optimizer is 'sgd lr=0.05 momentum=0.9', and here it is 'sgd lr=0.1 m");
    o = plain;
    o.seed = 6;
    check_refused(path, &o, small_lines, "train.seed is '5', and here it is '6'");
    o = plain;
    o.validation = (const ln_data *)f;
    check_refused(path, &o, small_lines, "data.val is 'none', and here it is '40 images of 1x8x8 with the sum ");
    o = plain;
    o.epochs = 2;
    check_refused(path, &o, small_lines, "is of a training of 3 epochs, which cannot become one of 2");
}

/* A longer training goes on where the shorter one ended, as though it had been so long from the start. */
static void test_more_epochs(void **state) {
    const files *const f = *state;
    char               path[512], longer_path[512];
    ln_train_options   o = plain, longer;
    o.schedule = "step size=2";
    work_free(uninterrupted(f, &o, path));
    longer = o;
    longer.epochs = 6;
    work *const want = uninterrupted(f, &longer, longer_path);
    work_free(uninterrupted(f, &o, path)); /* the file anew, as both have one name */
    longer.checkpoint = path;
    longer.resume = true;
    work *const w = work_new((way){NULL, 2}, &longer, small_lines);
    assert_int_equal(work_run(w, NULL), LN_OK);
    check_equal("more epochs", w, want);
    work_free(w);
    work_free(want);
    o.schedule = "cosine";
    work_free(uninterrupted(f, &o, path));
    o.epochs = 6;
    check_refused(path, &o, small_lines, "over which the schedule cosine spreads its rates: it cannot become one of 6");
    o = plain;
    o.every = 2;
    work_free(uninterrupted(f, &o, path));
    o.epochs = 6;
    check_refused(path, &o, small_lines, "epoch 3 was measured because it was the last, and with every=2");
}

/* ----------------------------------------------------------- damaged files */

static void test_damaged(void **state) {
    const files *const f = *state;
    char               path[512], bad[512];
    work_free(uninterrupted(f, &plain, path));
    static unsigned char bytes[1 << 20], changed[1 << 20];
    const size_t         n = files_get(path, bytes, sizeof bytes);
    assert_true(n < sizeof bytes);
    for (size_t cut = 0; cut < n; cut += n / 7) {
        files_put(f, "bad", bytes, cut, bad);
        check_refused(bad, &plain, small_lines, bad);
    }
    const struct {
        const char *from, *to, *says;
    } change[] = {{"\"at.step\":\"18\"", "\"at.step\":\"19\"", "'at.step'"},
                  {"\"at.step\":\"18\"", "\"at.step\":\"-8\"", "'at.step'"},
                  {"\"at.step\":\"18\"", "\"at.step\":\"17\"", "'at.epoch_done'"},
                  {"\"at.steps_per_epoch\":\"6\"", "\"at.steps_per_epoch\":\"9\"", "'at.steps_per_epoch'"},
                  {"\"at.steps_per_epoch\":\"6\"", "\"at.steps_per_epoch\":\"0\"", "'at.steps_per_epoch'"},
                  {"\"at.has_best\":\"0\"", "\"at.has_best\":\"1\"", "'at.has_best'"},
                  {"\"at.has_best\":\"0\"", "\"at.has_best\":\"2\"", "'at.has_best'"},
                  {"\"at.monitor.n_bad\"", "\"at.monitor.n_bax\"", "'at.monitor.n_bad'"},
                  {"\"own\":\"3\"", "\"own\":\"9\"", "'own.3'"},
                  {"\"checkpoint\":\"1\"", "\"checkpoint\":\"2\"", "'checkpoint'"},
                  {"0.weight:state0", "0.weight:state9", "'0.weight:state9' has no place"}};
    for (size_t i = 0; i < sizeof change / sizeof *change; i++) {
        memcpy(changed, bytes, n);
        unsigned char *const at = memmem(changed, n, change[i].from, strlen(change[i].from));
        if (!at) fail_msg("there is no %s", change[i].from);
        memcpy(at, change[i].to, strlen(change[i].to));
        files_put(f, "bad", changed, n, bad);
        check_refused(bad, &plain, small_lines, change[i].says);
    }
    ln_checkpoint c;
    assert_int_equal(ln_checkpoint_read(f->context, path, &c, NULL), LN_OK);
    assert_true(c.step == 18 && c.steps_per_epoch == STEPS && c.n_epochs == 3 && c.epoch_done && c.finished &&
                c.n_own == 3 && c.own[0] == 3 * (STEPS + 1));
}

/* A file that may not grow stands for a full disk. */
static void test_failing_write(void **state) {
    const files *const f = *state;
    char               path[512];
    static char        good[1 << 20], now[1 << 20];
    ln_error           error = {0};
    ln_train_options   o = plain;
    work_free(uninterrupted(f, &plain, path));
    const size_t  n = files_get(path, good, sizeof good);
    struct rlimit before, limit;
    getrlimit(RLIMIT_FSIZE, &before);
    limit = before;
    limit.rlim_cur = 1000;
    void (*const handler)(int) = signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &limit);
    o.checkpoint = path;
    work *const     w = work_new((way){NULL, 1}, &o, small_lines);
    const ln_status status = work_run(w, &error);
    setrlimit(RLIMIT_FSIZE, &before);
    signal(SIGXFSZ, handler);
    assert_int_equal(status, LN_E_IO);
    assert_non_null(strstr(error.message, "cannot write"));
    assert_non_null(strstr(error.message, "File too large"));
    assert_true(w->n_told <= 3 * (STEPS + 1));
    work_free(w);
    assert_int_equal(files_get(path, now, sizeof now), n);
    assert_memory_equal(good, now, n);
    assert_int_equal(files_count(f->folder), 1);
}

static bool train_or_fail(files *f, void *argument, ln_error *error) {
    const ln_train_options *const o = argument;
    const ln_allocator            allocator = {files_allocate, files_release, f};
    ln_context_options            with = LN_CONTEXT_OPTIONS;
    with.n_threads = 1;
    with.allocator = &allocator;
    ln_context *const context = ln_context_new(&with, error);
    if (!context) return false;
    static const char *const lines[] = {"flatten", "linear 2", NULL};
    static const float       pixels[32 * 4];
    static const uint8_t     labels[32];
    ln_model *const          model = net_model_or_null(context, (ln_shape){1, 2, 2}, lines, error);
    ln_data *const           data = model ? ln_data_from_floats(context, pixels, labels, 32, 1, 2, 2, error) : NULL;
    const bool               good = data && ln_train(model, data, o, error) == LN_OK;
    ln_data_free(data);
    ln_model_free(model);
    ln_context_free(context);
    return good;
}

static void test_memory_fails(void **state) {
    files           *f = *state;
    char             path[512];
    ln_train_options o = plain;
    o.checkpoint = files_path(f, "checkpoint", path);
    o.resume = true;
    o.restore_best = true;
    files_fail_each(f, train_or_fail, &o);
}

/* ----------------------------------------------------------------- killed */

/* A process that trains, going on where the file says, and leaves its weights when it comes to the end. */
static pid_t train_beside(const char *path, const char *weights, const ln_train_options *options, way how) {
    const pid_t child = fork();
    if (child != 0) return child;
    ln_train_options with = *options;
    with.checkpoint = path;
    with.checkpoint_seconds = 0.002;
    with.resume = true;
    work *const w = work_new(how, &with, small_lines);
    const bool  good = work_run(w, NULL) == LN_OK && ln_model_save(w->model, weights, NULL) == LN_OK;
    _exit(good ? 0 : 1);
}

static void sleep_seconds(double seconds) {
    const struct timespec t = {(time_t)seconds, (long)(1e9 * (seconds - (double)(time_t)seconds))};
    nanosleep(&t, NULL);
}

static double now_seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* Kills until one training is through, then begins the next; 50 kills in all. */
static void test_killed(void **state) {
    const files *const f = *state;
    char               path[512], weights[512], wanted[512];
    static char        got[1 << 16], want[1 << 16];
    const way          ways[] = {{NULL, 1}, {"plain", 1}, {NULL, 2}};
    ln_train_options   o = plain;
    int                status, n_killed = 0, n_through = 0, n_gone_on = 0;
    o.epochs = 150;
    o.optimizer = "adam lr=0.002";
    o.schedule = "cosine";
    o.ema = 0.9;
    files_path(f, "checkpoint", path);
    files_path(f, "weights", weights);
    files_path(f, "wanted", wanted);
    const double begin = now_seconds();
    waitpid(train_beside(path, wanted, &o, ways[0]), &status, 0);
    const double seconds = now_seconds() - begin;
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    const size_t n = files_get(wanted, want, sizeof want);
    assert_true(n < sizeof want);
    ln_random random = ln_random_at(11, LN_RANDOM_CHECK, 1, 0);
    unlink(path);
    for (size_t i = 0; n_killed < 50; i++) {
        n_gone_on += access(path, F_OK) == 0;
        const pid_t child = train_beside(path, weights, &o, ways[i % 3]);
        sleep_seconds(seconds * ln_random_uniform(&random));
        kill(child, SIGKILL);
        waitpid(child, &status, 0);
        if (WIFSIGNALED(status)) {
            n_killed++;
            continue;
        }
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        assert_int_equal(files_get(weights, got, sizeof got), n);
        assert_memory_equal(got, want, n);
        unlink(path);
        n_through++;
    }
    assert_true(n_through > 0 && n_gone_on > 10);
    waitpid(train_beside(path, weights, &o, ways[1]), &status, 0);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    assert_int_equal(files_get(weights, got, sizeof got), n);
    assert_memory_equal(got, want, n);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FILES_TEST(test_every_option),   FILES_TEST(test_memory_of_epochs), FILES_TEST(test_by_hand),
        FILES_TEST(test_other_training), FILES_TEST(test_more_epochs),      FILES_TEST(test_damaged),
        FILES_TEST(test_failing_write),  FILES_TEST(test_memory_fails),     FILES_TEST(test_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
