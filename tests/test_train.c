/* Training, evaluating and predicting as a whole: the same bits for any threads and instructions, LeNet-5 learns, what
 * is not finite changes nothing, every wrong option is refused, memory is what was said, and the caller's
 * floating-point mode is its own. */
#include "harness/lenet5.h"
#include "harness/net.h"

#include <fenv.h>
#include <math.h>
#include <pthread.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

static const char *const lenet5[] = {LENET5("relu", "maxpool2d 2", ""), NULL};
static const ln_shape    digit = {1, 28, 28};

/* --------------------------------------------------------------------- data */

static ln_data *mnist(ln_context *context, const char *split) {
    ln_error error = {0};
    ln_data *data = ln_data_open(context, "mnist", split, LN_SOURCE_DIR "/data", &error);
    if (!data) fail_msg("%s", error.message);
    return data;
}

/* The first images of MNIST, for all tests. */
enum { N_FIRST = 2000 };
static uint8_t first_pixels[N_FIRST][784], first_labels[N_FIRST];

static int load_first(void **state) {
    (void)state;
    ln_context *const context = net_context(NULL, 1);
    ln_data *const    data = mnist(context, "train");
    for (size_t i = 0; i < N_FIRST; i++) {
        memcpy(first_pixels[i], ln_data_image(data, i), 784);
        first_labels[i] = (uint8_t)ln_data_label(data, i);
    }
    ln_data_free(data);
    ln_context_free(context);
    return 0;
}

static ln_data *first(ln_context *context, size_t n) {
    ln_data *const data = ln_data_from_bytes(context, first_pixels[0], first_labels, n, 1, 28, 28, NULL);
    assert_non_null(data);
    return data;
}

/* A small network and its task, for tests that want speed: is the image's upper half brighter? */
static const char *const small_lines[] = {
    "conv2d 4 kernel=3 padding=1", "relu", "maxpool2d 2", "flatten", "linear 2", NULL};
static const ln_shape small_shape = {1, 8, 8};
enum { N_SMALL = 100 };

typedef struct small {
    ln_context *context;
    ln_model   *model;
    ln_data    *data;
    float      *pixels;
    uint8_t    *labels;
} small;

static small small_new(int n_threads) {
    small s = {.context = net_context(NULL, n_threads),
               .pixels = net_floats(3, N_SMALL * 64),
               .labels = net_must(malloc(N_SMALL))};
    for (size_t i = 0; i < N_SMALL; i++) {
        float sum = 0;
        for (size_t k = 0; k < 64; k++) sum += k < 32 ? s.pixels[i * 64 + k] : -s.pixels[i * 64 + k];
        s.labels[i] = sum > 0;
    }
    s.model = net_model(s.context, small_shape, small_lines);
    assert_int_equal(ln_model_set_preprocess(s.model, (ln_preprocess){1, 0, 1}, NULL), LN_OK);
    s.data = ln_data_from_floats(s.context, s.pixels, s.labels, N_SMALL, 1, 8, 8, NULL);
    assert_non_null(s.data);
    return s;
}

static void small_free(small *s) {
    ln_data_free(s->data);
    ln_model_free(s->model);
    ln_context_free(s->context);
    free(s->pixels);
    free(s->labels);
}

/* ---------------------------------------------------------------- same bits */

typedef struct way {
    const char *isa;
    int         n_threads;
    size_t      n, batch;
} way;

static float *train_lenet(const way *w, size_t *n_bytes) {
    ln_context *const context = net_context(w->isa, w->n_threads);
    ln_model *const   model = net_model(context, digit, lenet5);
    ln_data *const    data = first(context, w->n);
    ln_train_options  options = LN_TRAIN_OPTIONS;
    ln_error          error = {0};
    options.batch = w->batch;
    options.epochs = 1;
    options.schedule = "cosine";
    if (ln_train(model, data, &options, &error) != LN_OK) fail_msg("%s", error.message);
    float *const weights = net_weights(model, n_bytes);
    ln_data_free(data);
    ln_model_free(model);
    ln_context_free(context);
    return weights;
}

static void check_way(const way *w, const float *want, size_t want_bytes) {
    size_t       n_bytes;
    float *const got = train_lenet(w, &n_bytes);
    assert_int_equal(n_bytes, want_bytes);
    if (memcmp(got, want, n_bytes) != 0)
        fail_msg("%s, %d threads, batch %zu: other weights", w->isa ? w->isa : "best", w->n_threads, w->batch);
    free(got);
}

static void test_threads(void **state) {
    (void)state;
    const size_t batches[] = {64, 50, 17};
    const int    teams[] = {2, 3, 7};
    for (size_t b = 0; b < 3; b++) {
        size_t       n_bytes;
        float *const want = train_lenet(&(way){NULL, 1, N_FIRST, batches[b]}, &n_bytes);
        for (size_t i = 0; i < 3; i++) check_way(&(way){NULL, teams[i], N_FIRST, batches[b]}, want, n_bytes);
        free(want);
    }
}

static void test_instructions(void **state) {
    (void)state;
    const size_t batches[] = {64, 50, 17};
    for (size_t b = 0; b < 3; b++) {
        size_t       n_bytes;
        const size_t few = 160 + batches[b] / 3;
        float *const want_all = train_lenet(&(way){NULL, 1, N_FIRST, batches[b]}, &n_bytes);
        float *const want_few = train_lenet(&(way){NULL, 1, few, batches[b]}, &n_bytes);
        for (ln_isa isa = LN_ISA_PLAIN; isa < LN_ISA_COUNT; isa++) {
            if (!ln_isa_available(isa) || (isa == LN_ISA_PLAIN && !ln_cpu_has_fma())) continue;
            const bool plain = isa == LN_ISA_PLAIN;
            check_way(&(way){ln_isa_name(isa), 2, plain ? few : N_FIRST, batches[b]}, plain ? want_few : want_all,
                      n_bytes);
        }
        free(want_all);
        free(want_few);
    }
}

static void *train_alone(void *argument) {
    size_t n_bytes;
    *(float **)argument = train_lenet(&(way){NULL, 2, 500, 50}, &n_bytes);
    return NULL;
}

static void test_two_contexts(void **state) {
    (void)state;
    size_t       n_bytes;
    float *const want = train_lenet(&(way){NULL, 2, 500, 50}, &n_bytes), *got[2];
    pthread_t    thread[2];
    for (int i = 0; i < 2; i++) assert_int_equal(pthread_create(&thread[i], NULL, train_alone, &got[i]), 0);
    for (int i = 0; i < 2; i++) {
        pthread_join(thread[i], NULL);
        assert_memory_equal(got[i], want, n_bytes);
        free(got[i]);
    }
    free(want);
}

/* The order of the images is the seed's; without shuffling it is theirs. */
static void test_order(void **state) {
    (void)state;
    float *weights[4];
    size_t n_bytes;
    for (int i = 0; i < 4; i++) {
        small            s = small_new(1);
        ln_train_options options = LN_TRAIN_OPTIONS;
        options.seed = i == 1 ? 2 : 1;
        options.in_order = i == 2;
        options.epochs = 2;
        options.batch = 10;
        assert_int_equal(ln_train(s.model, s.data, &options, NULL), LN_OK);
        weights[i] = net_weights(s.model, &n_bytes);
        small_free(&s);
    }
    assert_memory_equal(weights[0], weights[3], n_bytes);
    assert_memory_not_equal(weights[0], weights[1], n_bytes);
    assert_memory_not_equal(weights[0], weights[2], n_bytes);
    for (int i = 0; i < 4; i++) free(weights[i]);
}

/* ----------------------------------------------------------------- learning */

/* recipes/lenet5.yaml for one epoch; then every way to predict agrees. */
static void test_lenet5_learns(void **state) {
    (void)state;
    ln_context *const context = net_context(NULL, 2);
    ln_model *const   model = net_model(context, digit, lenet5);
    ln_data *const train = mnist(context, "train"), *const test = mnist(context, "test");
    ln_train_options options = LN_TRAIN_OPTIONS;
    ln_error         error = {0};
    ln_metrics       metrics;
    uint64_t         confusion[100], diagonal = 0, all = 0;
    assert_int_equal(ln_model_set_preprocess(model, ln_data_fit(train, 1.0 / 255), &error), LN_OK);
    options.epochs = 1;
    options.optimizer = "sgd lr=0.05 momentum=0.9";
    options.schedule = "cosine";
    if (ln_train(model, train, &options, &error) != LN_OK) fail_msg("%s", error.message);
    assert_int_equal(ln_evaluate(model, test, 64, &metrics, confusion, &error), LN_OK);
    if (metrics.accuracy < 0.98) fail_msg("accuracy %.4f", metrics.accuracy);
    for (size_t i = 0; i < 100; i++) all += confusion[i], diagonal += i % 11 == 0 ? confusion[i] : 0;
    assert_int_equal(all, 10000);
    assert_int_equal(metrics.n, 10000);
    assert_int_equal(diagonal, metrics.n_correct);
    assert_true(metrics.accuracy == (double)metrics.n_correct / 10000);
    ln_data_free(train);
    ln_data_free(test);
    ln_model_free(model);
    ln_context_free(context);
}

/* Logits by ln_predict and ln_predictor_run, in batches of many sizes. */
static void check_predictions(const char *isa, const float *want) {
    const size_t      batches[] = {1, 2, 7, 8, 9, 64, 100};
    ln_context *const context = net_context(isa, 2);
    ln_model *const   model = net_model(context, digit, lenet5);
    ln_data *const    data = first(context, 100);
    float             logits[1000], shares[1000], mine[1000];
    float *const      pixels = net_must(malloc(100 * 784 * sizeof *pixels));
    for (size_t i = 0; i < 100 * 784; i++) /* as the library does it: one fma */
        pixels[i] = fmaf((float)first_pixels[i / 784][i % 784], (float)(1.0 / 255.0), 0);
    for (size_t b = 0; b < sizeof batches / sizeof *batches; b++) {
        assert_int_equal(ln_predict(model, data, batches[b], logits, shares, NULL), LN_OK);
        assert_memory_equal(logits, want, sizeof logits);
        ln_softmax(want, 100, 10, mine);
        assert_memory_equal(shares, mine, sizeof mine);
        ln_predictor *const p = ln_predictor_new(model, batches[b], NULL);
        assert_non_null(p);
        for (size_t i = 0; i < 100; i += batches[b]) {
            const size_t n = 100 - i < batches[b] ? 100 - i : batches[b];
            assert_int_equal(ln_predictor_run(p, pixels + i * 784, n, logits + i * 10, NULL), LN_OK);
        }
        assert_memory_equal(logits, want, sizeof logits);
        ln_predictor_free(p);
    }
    free(pixels);
    ln_data_free(data);
    ln_model_free(model);
    ln_context_free(context);
}

static void test_predictions_agree(void **state) {
    (void)state;
    ln_context *const context = net_context(NULL, 1);
    ln_model *const   model = net_model(context, digit, lenet5);
    ln_data *const    data = first(context, 100);
    float             want[1000];
    assert_int_equal(ln_predict(model, data, 100, want, NULL, NULL), LN_OK);
    for (ln_isa isa = LN_ISA_PLAIN; isa < LN_ISA_COUNT; isa++)
        if (ln_isa_available(isa) && (isa != LN_ISA_PLAIN || ln_cpu_has_fma()))
            check_predictions(ln_isa_name(isa), want);
    ln_data_free(data);
    ln_model_free(model);
    ln_context_free(context);
}

static void test_predictor_limits(void **state) {
    (void)state;
    small    s = small_new(1);
    ln_error error = {0};
    float    logits[16];
    assert_null(ln_predictor_new(s.model, 0, &error));
    assert_int_equal(error.status, LN_E_ARGUMENT);
    ln_predictor *const p = ln_predictor_new(s.model, 3, &error);
    assert_non_null(p);
    assert_int_equal(ln_predictor_run(p, s.pixels, 4, logits, &error), LN_E_ARGUMENT);
    assert_string_equal(error.message, "predictor: 4 images are outside 1 to the 3 it was made for");
    assert_int_equal(ln_predictor_run(p, s.pixels, 0, logits, &error), LN_E_ARGUMENT);
    ln_predictor_free(p);
    ln_predictor_free(NULL);
    ln_trainer_free(NULL);
    small_free(&s);
}

/* -------------------------------------------------------------- not finite */

/* One step that must fail, and must leave the weights. has: words of the message. */
static void check_bad_step(ln_trainer *trainer, ln_model *model, const char *has[3]) {
    ln_error     error = {0};
    ln_metrics   metrics = {.loss = 7};
    size_t       n_bytes;
    float *const before = net_weights(model, &n_bytes);
    assert_int_equal(ln_trainer_step(trainer, &metrics, &error), LN_E_NOT_FINITE);
    float *const after = net_weights(model, &n_bytes);
    assert_memory_equal(before, after, n_bytes);
    assert_true(metrics.loss == 7);
    for (size_t i = 0; i < 3 && has[i]; i++)
        if (!strstr(error.message, has[i])) fail_msg("'%s' does not say '%s'", error.message, has[i]);
    free(before);
    free(after);
}

static ln_trainer *small_trainer(const small *s, const char *optimizer) {
    ln_train_options options = LN_TRAIN_OPTIONS;
    ln_error         error = {0};
    options.batch = 20;
    options.optimizer = optimizer;
    options.in_order = true;
    ln_trainer *const trainer = ln_trainer_new(s->model, s->data, &options, &error);
    if (!trainer) fail_msg("%s", error.message);
    return trainer;
}

static void test_rate_too_high(void **state) {
    (void)state;
    for (int n_threads = 1; n_threads <= 3; n_threads++) {
        small             s = small_new(n_threads);
        ln_trainer *const trainer = small_trainer(&s, "sgd lr=1e6 momentum=0.9");
        ln_error          error = {0};
        size_t            n_bytes = 0, steps = 0;
        float            *before = NULL;
        ln_status         status = LN_OK;
        while (status == LN_OK && steps < 50) {
            free(before);
            before = net_weights(s.model, &n_bytes);
            status = ln_trainer_step(trainer, NULL, &error);
            steps++;
        }
        float *const after = net_weights(s.model, &n_bytes);
        char         step[40];
        (void)snprintf(step, sizeof step, "step %zu: ", steps);
        assert_int_equal(status, LN_E_NOT_FINITE);
        assert_memory_equal(before, after, n_bytes);
        for (size_t i = 0; i < n_bytes / sizeof *after; i++) assert_true(isfinite(after[i]));
        if (strncmp(error.message, step, strlen(step)) != 0 || !strstr(error.message, " layer ") ||
            !strstr(error.message, "lr=1e+06") || !strstr(error.message, "try lr=100000"))
            fail_msg("after %zu steps: %s", steps, error.message);
        free(before);
        free(after);
        ln_trainer_free(trainer);
        small_free(&s);
    }
}

static void test_nan_in_images(void **state) {
    (void)state;
    small             s = small_new(2);
    ln_trainer *const trainer = small_trainer(&s, "sgd lr=0.1");
    s.pixels[64 * 25 + 3] = NAN;
    assert_int_equal(ln_trainer_step(trainer, NULL, NULL), LN_OK);
    check_bad_step(trainer, s.model, (const char *[3]){"step 2: ", "the images hold values that are not finite"});
    s.pixels[64 * 25 + 3] = -INFINITY;
    check_bad_step(trainer, s.model, (const char *[3]){"step 2: ", "the images hold values that are not finite"});
    s.pixels[64 * 25 + 3] = 0.5F;
    assert_int_equal(ln_trainer_step(trainer, NULL, NULL), LN_OK);
    ln_trainer_free(trainer);
    small_free(&s);
}

static void test_infinite_weights(void **state) {
    (void)state;
    const float bad[] = {INFINITY, -INFINITY, NAN};
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 4; k++) {
            small              s = small_new(2);
            const ln_parameter p = ln_model_parameter(s.model, k);
            const char *const  names[] = {"weight of layer 0 (conv2d)", "bias of layer 0 (conv2d)",
                                          "weight of layer 4 (linear)", "bias of layer 4 (linear)"};
            p.values[p.count / 2] = bad[i];
            ln_trainer *const trainer = small_trainer(&s, "sgd lr=0.1");
            if (i == 1 && k == 1) /* relu makes zero of minus infinity: the layer is dead, but no sum is spoilt */
                assert_int_equal(ln_trainer_step(trainer, NULL, NULL), LN_OK);
            else check_bad_step(trainer, s.model, (const char *[3]){"step 1: ", names[k], "no longer finite"});
            ln_trainer_free(trainer);
            small_free(&s);
        }
}

/* The message's layer is the first whose output went wrong. */
static void test_overflow_is_named(void **state) {
    (void)state;
    small s = small_new(2);
    for (size_t k = 0; k < 4; k += 2)
        for (size_t i = 0; i < ln_model_parameter(s.model, k).count; i++)
            ln_model_parameter(s.model, k).values[i] = 1e25F;
    ln_trainer *const trainer = small_trainer(&s, "sgd lr=0.1");
    check_bad_step(trainer, s.model, (const char *[3]){"step 1: ", "the output of layer 4 (linear) is not finite"});
    ln_trainer_free(trainer);
    small_free(&s);
}

/* ------------------------------------------------------------ what is refused */

static void check_refused(const small *s, const ln_data *data, const ln_train_options *options, ln_status status,
                          const char *message) {
    ln_error error = {0};
    assert_int_equal(ln_train(s->model, data, options, &error), status);
    assert_int_equal(error.status, status);
    if (strcmp(error.message, message) != 0) fail_msg("'%s', where '%s' was wanted", error.message, message);
    assert_int_equal(ln_train(s->model, data, options, NULL), status);
    assert_null(ln_trainer_new(s->model, data, options, NULL));
}

/* A loss takes what the last layer gives, or says what to change. */
static void test_loss_and_layer(void **state) {
    (void)state;
    static const struct {
        const char *last, *loss, *message;
    } cases[] = {
        {"softmax", "cross_entropy",
         "layer loss (cross_entropy): it makes probabilities of its input itself, and layer 2 (softmax) has done so "
         "before: leave that layer out"},
        {"log_softmax", "cross_entropy",
         "layer loss (cross_entropy): it makes probabilities of its input itself, and layer 2 (log_softmax) has done "
         "so "
         "before: leave that layer out, or take the loss nll"},
        {"sigmoid", "bce_with_logits",
         "layer loss (bce_with_logits): it makes probabilities of its input itself, and layer 2 (sigmoid) has done so "
         "before: leave that layer out"},
        {"relu", "bce",
         "layer loss (bce): its input must be probabilities, and layer 2 (relu) gives any values: end the model with "
         "sigmoid, or take the loss bce_with_logits"},
        {"softmax", "nll",
         "layer loss (nll): its input must be logarithms of probabilities, and layer 2 (softmax) gives none: end the "
         "model with log_softmax, or with linear and the loss cross_entropy"},
        {"hardtanh 0 1", "bce", NULL},
        {"hardtanh", "bce",
         "layer loss (bce): its input must be probabilities, and layer 2 (hardtanh) gives any values: end the model "
         "with sigmoid, or take the loss bce_with_logits"},
        {"log_softmax", "nll", NULL},
        {"relu", "cross_entropy", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        small             s = small_new(1);
        const char *const lines[] = {"flatten", "linear 2", cases[i].last, "flatten", NULL};
        ln_model *const   usual = s.model;
        s.model = net_model(s.context, small_shape, lines);
        assert_int_equal(ln_model_set_preprocess(s.model, (ln_preprocess){1, 0, 1}, NULL), LN_OK);
        assert_int_equal(ln_model_set_loss(s.model, cases[i].loss, NULL), LN_OK);
        const ln_train_options options = LN_TRAIN_OPTIONS;
        const char            *option = NULL;
        if (cases[i].message) check_refused(&s, s.data, &options, LN_E_ARGUMENT, cases[i].message);
        const ln_status status = ln_train_check(s.model, s.data, &options, &option, NULL);
        assert_int_equal(status, cases[i].message ? LN_E_ARGUMENT : LN_OK);
        if (cases[i].message) assert_string_equal(option, "loss");
        ln_model_free(usual);
        small_free(&s);
    }
}

static void test_wrong_options(void **state) {
    (void)state;
    small                  s = small_new(1);
    const ln_train_options good = LN_TRAIN_OPTIONS;
    ln_train_options       o = good;
    char                   text[100];
    (void)snprintf(text, sizeof text, "train: options.size is %zu; start from LN_TRAIN_OPTIONS", o.size = 8);
    check_refused(&s, s.data, &o, LN_E_ARGUMENT, text);
    o = good, o.batch = 0;
    check_refused(&s, s.data, &o, LN_E_ARGUMENT, "train: batch=0 is outside 1 to 1048576");
    o = good, o.batch = 2000000;
    check_refused(&s, s.data, &o, LN_E_ARGUMENT, "train: batch=2000000 is outside 1 to 1048576");
    o = good, o.epochs = 0;
    check_refused(&s, s.data, &o, LN_E_ARGUMENT, "train: epochs=0 is outside 1 to 1000000");
    o = good, o.every = 1000001;
    check_refused(&s, s.data, &o, LN_E_ARGUMENT, "train: every=1000001 is outside 1 to 1000000");
    o = good, o.min_delta = -0.5;
    check_refused(&s, s.data, &o, LN_E_ARGUMENT, "train: min_delta=-0.5 is outside 0 to 1e+30");
    o = good, o.monitor = "val_los";
    check_refused(
        &s, s.data, &o, LN_E_ARGUMENT,
        "monitor is 'val_los', but must be auto, train_loss, train_accuracy, val_loss, val_accuracy, test_loss "
        "or test_accuracy; did you mean 'val_loss'?");
    o = good, o.monitor = "val_loss";
    check_refused(&s, s.data, &o, LN_E_ARGUMENT,
                  "monitor is 'val_loss', but there are no validation images: give some, or choose train_loss or "
                  "train_accuracy");
    o = good, o.monitor = "test_accuracy", o.validation = s.data;
    check_refused(&s, s.data, &o, LN_E_ARGUMENT,
                  "monitor is 'test_accuracy', but there are no test images: give some, or choose train_loss, "
                  "train_accuracy, val_loss or val_accuracy");
    o = good, o.epochs = 1000001;
    check_refused(&s, s.data, &o, LN_E_ARGUMENT, "train: epochs=1000001 is outside 1 to 1000000");
    small_free(&s);
}

/* What ln_train refuses it refuses, too, without the images as far as it can, and says which option is to blame. */
static void test_check_names_option(void **state) {
    (void)state;
    small                  s = small_new(1);
    const ln_train_options good = LN_TRAIN_OPTIONS;
    ln_train_options       o[8];
    const struct {
        const char *option;
        bool        needs_data; /* to see it */
    } wanted[8] = {{NULL, false},        {"batch", false},    {"min_delta", false}, {"monitor", false},
                   {"optimizer", false}, {"schedule", false}, {"augment", true},    {"clip_norm", false}};
    for (size_t i = 0; i < 8; i++) o[i] = good;
    o[1].batch = 0, o[2].min_delta = 0.1, o[3].monitor = "val_loss", o[4].optimizer = "sgd", o[5].epochs = 3;
    o[5].schedule = "cosine warmup=3", o[6].augment = "shift 65535", o[7].clip_norm = -1;
    for (size_t i = 0; i < 8; i++)
        for (int with = 0; with < 2; with++) {
            const char     *option = "unset";
            ln_error        error = {0};
            const bool      fine = i == 0 || (wanted[i].needs_data && !with);
            const ln_status status = ln_train_check(s.model, with ? s.data : NULL, &o[i], &option, &error);
            assert_int_equal(status == LN_OK, fine);
            if (fine) assert_null(option);
            else assert_string_equal(option, wanted[i].option);
            assert_int_equal(ln_train_check(s.model, with ? s.data : NULL, &o[i], NULL, NULL), status);
        }
    small_free(&s);
}

/* A model in which nothing can be learnt. */
static void test_nothing_to_learn(void **state) {
    (void)state;
    ln_context *const      context = net_context(NULL, 1);
    const ln_train_options o = LN_TRAIN_OPTIONS;
    const char *const      lines[2][4] = {{"flatten", "linear 3 frozen=true", "linear 2 frozen=true", NULL},
                                          {"flatten", "relu", NULL}};
    for (size_t i = 0; i < 2; i++) {
        ln_error        error = {0};
        ln_model *const model = net_model(context, (ln_shape){2, 1, 1}, lines[i]);
        assert_int_equal(ln_train_check(model, NULL, &o, NULL, &error), LN_E_ARGUMENT);
        if (!strstr(error.message, i ? "no layer has parameters" : "are frozen")) fail_msg("%s", error.message);
        ln_model_free(model);
    }
    ln_context_free(context);
}

static void test_wrong_words(void **state) {
    (void)state;
    small             s = small_new(1);
    const char *const optimizers[] = {
        "sdg lr=1", "sgd", "sgd lr=-1", "sgd lr=nan", "sgd lr=0.1 momentum=2", "sgd lr=0.1 nesterov=true", ""};
    const char *const schedules[] = {"linear", "step", "step size=0", "cosine min=-1", "cosine min=1", "constant 3"};
    for (size_t i = 0; i < sizeof optimizers / sizeof *optimizers; i++) {
        ln_train_options o = LN_TRAIN_OPTIONS;
        ln_error         error = {0};
        o.optimizer = optimizers[i];
        assert_int_equal(ln_train(s.model, s.data, &o, &error), LN_E_ARGUMENT);
        if (!strstr(error.message, "optimizer") && !strstr(error.message, "sgd"))
            fail_msg("%s: %s", optimizers[i], error.message);
    }
    for (size_t i = 0; i < sizeof schedules / sizeof *schedules; i++) {
        ln_train_options o = LN_TRAIN_OPTIONS;
        ln_error         error = {0};
        o.schedule = schedules[i];
        assert_int_equal(ln_train(s.model, s.data, &o, &error), LN_E_ARGUMENT);
        if (!strstr(error.message, "schedule") && strncmp(error.message, schedules[i], 4) != 0)
            fail_msg("%s: %s", schedules[i], error.message);
    }
    small_free(&s);
}

/* Everything that takes labelled data refuses the same. */
static void check_data_refused(const small *s, const ln_data *data, ln_status status, const char *rest) {
    const ln_train_options good = LN_TRAIN_OPTIONS;
    ln_train_options       o = good;
    ln_metrics             metrics;
    ln_error               error = {0};
    char                   text[300];
    (void)snprintf(text, sizeof text, "train: %s", rest);
    check_refused(s, data, &good, status, text);
    (void)snprintf(text, sizeof text, "train: validation: %s", rest);
    o.validation = data;
    check_refused(s, s->data, &o, status, text);
    (void)snprintf(text, sizeof text, "train: test: %s", rest);
    o = good, o.test = data;
    check_refused(s, s->data, &o, status, text);
    (void)snprintf(text, sizeof text, "val: %s", rest);
    assert_int_equal(ln_evaluate(s->model, data, 10, &metrics, NULL, &error), status);
    assert_string_equal(error.message, text);
    (void)snprintf(text, sizeof text, "check: %s", rest);
    assert_null(ln_check_new(s->model, data, 10, 1, &error));
    assert_int_equal(error.status, status);
    assert_string_equal(error.message, text);
}

static void test_wrong_data(void **state) {
    (void)state;
    small    s = small_new(1);
    ln_error error = {0};
    float    logits[400];
    s.labels[17] = 2;
    ln_data *data = ln_data_from_floats(s.context, s.pixels, s.labels, N_SMALL, 1, 8, 8, NULL);
    check_data_refused(&s, data, LN_E_SHAPE, "the data have 3 classes, and the model 2 outputs; give its last layer 3");
    assert_int_equal(ln_predict(s.model, data, 10, logits, NULL, &error), LN_OK); /* labels are not its business */
    ln_data_free(data);
    s.labels[17] = 1;
    data = ln_data_from_floats(s.context, s.pixels, s.labels, 50, 2, 8, 8, NULL);
    check_data_refused(&s, data, LN_E_SHAPE,
                       "the images are 2x8x8, and the model wants 1x8x8; change the model's input or the images");
    assert_int_equal(ln_predict(s.model, data, 10, logits, NULL, &error), LN_E_SHAPE);
    ln_data_free(data);
    data = ln_data_from_floats(s.context, s.pixels, NULL, N_SMALL, 1, 8, 8, NULL);
    check_data_refused(&s, data, LN_E_ARGUMENT, "the data have no labels, and measuring a loss needs them");
    assert_int_equal(ln_predict(s.model, data, 10, logits, NULL, &error), LN_OK);
    assert_int_equal(ln_predict(s.model, data, 0, logits, NULL, &error), LN_E_ARGUMENT);
    assert_string_equal(error.message, "batch=0 is outside 1 to 1048576");
    ln_data_free(data);
    assert_null(ln_data_from_floats(s.context, s.pixels, s.labels, 0, 1, 8, 8, &error));
    assert_int_equal(error.status, LN_E_SHAPE);
    small_free(&s);
}

/* ------------------------------------------------------------- progress, rates */

typedef struct told {
    size_t      calls, stop_at, n_epochs_done;
    ln_progress last, seen[64];
} told;

static bool listen(void *user, const ln_progress *p) {
    told *const t = user;
    if (t->calls < 64) t->seen[t->calls] = *p;
    t->last = *p;
    t->n_epochs_done += p->epoch_done;
    return ++t->calls != t->stop_at;
}

static void test_progress(void **state) {
    (void)state;
    small            s = small_new(2);
    told             t = {0};
    ln_train_options o = LN_TRAIN_OPTIONS;
    ln_data *const   part = ln_data_split(s.data, 0.25, 3, NULL);
    o.batch = 20, o.epochs = 3, o.optimizer = "sgd lr=0.2", o.schedule = "step size=2 gamma=0.5";
    o.validation = part, o.test = s.data, o.progress = listen, o.user = &t;
    assert_non_null(part);
    assert_int_equal(ln_train(s.model, s.data, &o, NULL), LN_OK);
    assert_int_equal(t.calls, 3 * 5); /* 75 images are 4 steps; and the epoch's end */
    for (size_t i = 0; i < 15; i++) {
        const ln_progress *const p = &t.seen[i];
        const bool               done = i % 5 == 4;
        assert_int_equal(p->epoch, i / 5 + 1);
        assert_int_equal(p->n_epochs, 3);
        assert_int_equal(p->step, done ? 4 : i % 5 + 1);
        assert_int_equal(p->n_steps, 4);
        assert_int_equal(p->total_step, i / 5 * 4 + p->step);
        assert_int_equal(p->epoch_done, done);
        assert_int_equal(p->has_validation, done);
        assert_int_equal(p->has_test, done);
        assert_int_equal(p->train.n, p->step == 4 ? 75 : 20 * p->step);
        assert_int_equal(p->batch.n, p->step == 4 ? 15 : 20);
        if (!done) assert_int_equal(p->train.n_correct, p->batch.n_correct + (p->step > 1 ? p[-1].train.n_correct : 0));
        assert_true(p->lr == (i / 5 == 2 ? 0.1 : 0.2));
        assert_true(p->seconds > 0 && p->train.loss > 0);
        if (!done) continue;
        assert_int_equal(p->validation.n, 25);
        assert_int_equal(p->test.n, 75);
        assert_true(i > 4 || p->best);
    }
    ln_metrics m;
    assert_int_equal(ln_evaluate(s.model, part, 25, &m, NULL, NULL), LN_OK);
    assert_memory_equal(&m, &t.last.validation, sizeof m);
    ln_data_free(part);
    small_free(&s);
}

static void test_stopping(void **state) {
    (void)state;
    for (size_t at = 1; at <= 12; at++) {
        small            s = small_new(1);
        told             t = {.stop_at = at};
        ln_error         error = {0};
        ln_train_options o = LN_TRAIN_OPTIONS;
        char             text[100];
        o.batch = 20, o.epochs = 2, o.progress = listen, o.user = &t;
        const ln_status status = ln_train(s.model, s.data, &o, &error);
        assert_int_equal(t.calls, at);
        if (at == 6) (void)snprintf(text, sizeof text, "training was stopped after epoch 1");
        else
            (void)snprintf(text, sizeof text, "training was stopped after step %zu of epoch %zu", at > 6 ? at - 6 : at,
                           at > 6 ? (size_t)2 : (size_t)1);
        assert_int_equal(status,
                         at == 12 ? LN_OK : LN_E_INTERRUPTED); /* after the last epoch there is nothing to stop */
        if (at < 12) assert_string_equal(error.message, text);
        small_free(&s);
    }
}

static void test_schedules(void **state) {
    (void)state;
    const char *const words[] = {"constant", "cosine", "cosine min=0.05", "step size=1 gamma=0.1"};
    for (size_t k = 0; k < 4; k++) {
        small            s = small_new(1);
        told             t = {0};
        ln_train_options o = LN_TRAIN_OPTIONS;
        o.batch = 25, o.epochs = 2, o.optimizer = "sgd lr=0.2", o.schedule = words[k], o.progress = listen, o.user = &t;
        assert_int_equal(ln_train(s.model, s.data, &o, NULL), LN_OK);
        for (size_t i = 0; i < t.calls; i++) {
            const double step = (double)t.seen[i].total_step - 1, wave = (1 + cos(acos(-1) * step / 8)) / 2;
            const double want[] = {0.2, 0.2 * wave, 0.05 + 0.15 * wave, t.seen[i].epoch == 1 ? 0.2 : 0.02};
            assert_true(fabs(t.seen[i].lr - want[k]) < 1e-15);
        }
        small_free(&s);
    }
}

/* ------------------------------------------- intervals, early stopping, stalling */

/* Measured after every other epoch and the last; a plateau looks at those epochs alone. */
static void test_every(void **state) {
    (void)state;
    small            s = small_new(1);
    told             t = {0};
    ln_train_options o = LN_TRAIN_OPTIONS;
    size_t           n_done = 0;
    o.batch = N_SMALL, o.epochs = 7, o.every = 2, o.optimizer = "sgd lr=1e-30", o.validation = s.data;
    o.schedule = "reduce_on_plateau patience=0 factor=0.5 eps=0", o.progress = listen, o.user = &t;
    assert_int_equal(ln_train(s.model, s.data, &o, NULL), LN_OK);
    for (size_t i = 0; i < t.calls; i++) {
        const ln_progress *const p = &t.seen[i];
        assert_true(p->lr == (p->epoch <= 4 ? 1e-30 : p->epoch <= 6 ? 5e-31 : 2.5e-31));
        if (p->epoch_done) assert_int_equal(p->epoch, n_done < 3 ? 2 * ++n_done : 7);
    }
    assert_int_equal(t.n_epochs_done, 4);
    assert_int_equal(t.calls, 7 + 4);
    small_free(&s);
}

/* Epochs that a training of 20 takes. */
static size_t epochs_taken(const char *optimizer, const char *monitor, size_t patience, double min_delta) {
    small            s = small_new(1);
    told             t = {0};
    ln_train_options o = LN_TRAIN_OPTIONS;
    o.batch = N_SMALL, o.epochs = 20, o.optimizer = optimizer, o.monitor = monitor, o.patience = patience;
    o.min_delta = min_delta, o.in_order = true, o.progress = listen, o.user = &t, o.test = s.data;
    assert_int_equal(ln_train(s.model, s.data, &o, NULL), LN_OK);
    assert_true(t.last.epoch_done);
    assert_int_equal(t.last.stopped, t.last.epoch < 20);
    assert_string_equal(t.last.monitor, monitor ? monitor : "train_loss");
    small_free(&s);
    return t.last.epoch;
}

static void test_early_stopping(void **state) {
    (void)state;
    const char *const still = "sgd lr=1e-30", *const learns = "sgd lr=0.1";
    const char *const monitors[] = {NULL, "train_accuracy", "test_loss", "test_accuracy"};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(epochs_taken(still, monitors[i], 0, 0), 20);
        for (size_t patience = 1; patience < 4; patience++)
            assert_int_equal(epochs_taken(still, monitors[i], patience, 0), patience + 1);
        assert_int_equal(epochs_taken(learns, monitors[i], 3, 10), 4); /* never by more than 10 */
    }
    assert_int_equal(epochs_taken(learns, "train_loss", 1, 0), 20);
    assert_in_range(epochs_taken(learns, "train_loss", 1, 0.004), 3, 19); /* less and less */
    /* by less than min_delta an epoch, and by more than it in eight: it is the last mark that counts */
    assert_int_equal(epochs_taken("sgd lr=0.01", "train_loss", 8, 0.002), 20);
    assert_in_range(epochs_taken("sgd lr=0.01", "train_loss", 1, 0.002), 2, 2);
}

/* Keeps the parameters that were there when the monitor was best. */
typedef struct keeper {
    const ln_model *model;
    float          *best;
    size_t          best_epoch, n_bytes;
} keeper;

static bool keep_best(void *user, const ln_progress *p) {
    keeper *const k = user;
    if (!p->epoch_done || !p->monitor_best) return true;
    free(k->best);
    k->best = net_weights(k->model, &k->n_bytes);
    k->best_epoch = p->epoch;
    return true;
}

static void test_restore_best(void **state) {
    (void)state;
    for (int with = 0; with < 4; with++) {
        small            s = small_new(2);
        keeper           k = {.model = s.model};
        ln_train_options o = LN_TRAIN_OPTIONS;
        size_t           n_bytes;
        ln_memory        memory;
        o.batch = 10, o.epochs = 7, o.optimizer = "sgd lr=3", o.restore_best = with & 1, o.ema = with & 2 ? 0.5 : 0;
        o.progress = keep_best, o.user = &k;
        assert_int_equal(ln_model_memory(s.model, 10, &o, &memory, NULL), LN_OK);
        ln_trainer *const trainer = ln_trainer_new(s.model, s.data, &o, NULL);
        assert_int_equal(ln_trainer_memory(trainer), memory.training);
        ln_trainer_free(trainer);
        assert_int_equal(ln_train(s.model, s.data, &o, NULL), LN_OK);
        assert_in_range(k.best_epoch, 1, 6); /* or there would be nothing to see */
        float *const now = net_weights(s.model, &n_bytes);
        assert_int_equal(n_bytes, k.n_bytes);
        assert_int_equal(memcmp(now, k.best, n_bytes) == 0, with & 1);
        free(now);
        free(k.best);
        small_free(&s);
    }
}

/* Weights a ten-thousandth of what they were learn nothing, and it is said of the first measurement alone; healthy ones
 * are not blamed, however small the rate. */
static void test_stalled(void **state) {
    (void)state;
    for (int is_small = 0; is_small < 2; is_small++)
        for (int is_still = 0; is_still < 2; is_still++) {
            small            s = small_new(1);
            told             t = {0};
            ln_train_options o = LN_TRAIN_OPTIONS;
            for (size_t k = 0; k < ln_model_parameter_count(s.model) && is_small; k++)
                for (size_t i = 0; i < ln_model_parameter(s.model, k).count; i++)
                    ln_model_parameter(s.model, k).values[i] *= 1e-4F;
            o.batch = 20, o.epochs = 2, o.progress = listen, o.user = &t;
            o.optimizer = is_still ? "sgd lr=1e-6" : "sgd lr=0.1";
            assert_int_equal(ln_train(s.model, s.data, &o, NULL), LN_OK);
            for (size_t i = 0; i < t.calls; i++)
                assert_int_equal(t.seen[i].stalled, is_small && t.seen[i].epoch_done && t.seen[i].epoch == 1
                                                        ? LN_STALL_SMALL
                                                        : LN_STALL_NONE);
            small_free(&s);
        }
}

/* ------------------------------------------------------------------- memory */

typedef struct counted {
    size_t n_calls, n_held, now, peak;
} counted;

static void *count_allocate(void *user, size_t n_bytes, size_t alignment) {
    counted *const c = user;
    c->n_calls++;
    c->n_held++;
    c->now += n_bytes;
    if (c->now > c->peak) c->peak = c->now;
    return aligned_alloc(alignment, (n_bytes + alignment - 1) / alignment * alignment);
}

static void count_release(void *user, void *memory, size_t n_bytes) {
    counted *const c = user;
    c->n_held--;
    c->now -= n_bytes;
    free(memory);
}

static void test_memory_is_as_said(void **state) {
    (void)state;
    const size_t batches[] = {1, 7, 16, 50, 64, 100};
    for (int n_threads = 1; n_threads <= 3; n_threads++) {
        counted                  c = {0};
        const ln_allocator       allocator = {count_allocate, count_release, &c};
        const ln_context_options with = {.size = sizeof with, .n_threads = n_threads, .allocator = &allocator};
        ln_context *const        context = ln_context_new(&with, NULL);
        ln_model *const          model = net_model(context, digit, lenet5);
        ln_data *const           data = first(context, 200);
        const ln_train_options   usual = LN_TRAIN_OPTIONS;
        ln_trainer_free(ln_trainer_new(model, data, &usual, NULL)); /* the first one names the model's classes */
        for (size_t b = 0; b < sizeof batches / sizeof *batches; b++) {
            ln_memory        memory;
            ln_train_options o = LN_TRAIN_OPTIONS;
            size_t           now, peak;
            o.batch = batches[b];
            const size_t before = c.now;
            assert_int_equal(ln_model_memory(model, batches[b], NULL, &memory, NULL), LN_OK);
            assert_int_equal(c.now, before);
            ln_trainer *const trainer = ln_trainer_new(model, data, &o, NULL);
            assert_int_equal(ln_trainer_memory(trainer), memory.training);
            assert_in_range(c.now - before, memory.training, memory.training + 65536); /* beside it: the order, lists */
            ln_predictor *const predictor = ln_predictor_new(model, batches[b], NULL);
            assert_int_equal(ln_predictor_memory(predictor), memory.inference);
            const size_t calls = c.n_calls;
            float        logits[1000];
            for (size_t i = 0; i < 5; i++) assert_int_equal(ln_trainer_step(trainer, NULL, NULL), LN_OK);
            float *const pixels = net_floats(1, batches[b] * 784);
            assert_int_equal(ln_predictor_run(predictor, pixels, batches[b], logits, NULL), LN_OK);
            assert_int_equal(c.n_calls, calls);
            free(pixels);
            ln_context_memory(context, &now, &peak);
            assert_int_equal(now, c.now);
            assert_int_equal(peak, c.peak);
            ln_predictor_free(predictor);
            ln_trainer_free(trainer);
            assert_int_equal(c.now, before);
        }
        ln_memory memory;
        ln_error  error = {0};
        assert_int_equal(ln_model_memory(model, 0, NULL, &memory, &error), LN_E_ARGUMENT);
        assert_string_equal(error.message, "batch=0 is outside 1 to 1048576");
        ln_data_free(data);
        ln_model_free(model);
        ln_context_free(context);
        assert_int_equal(c.n_held, 0);
        assert_int_equal(c.now, 0);
    }
}

/* What an epoch allocates: nothing. */
typedef struct watcher {
    const counted *memory;
    size_t         first, n_calls;
} watcher;

static bool watch(void *user, const ln_progress *p) {
    watcher *const w = user;
    (void)p;
    if (w->n_calls++ == 0) w->first = w->memory->n_calls;
    return w->memory->n_calls == w->first;
}

static void test_epochs_allocate_nothing(void **state) {
    (void)state;
    counted                  c = {0};
    const ln_allocator       allocator = {count_allocate, count_release, &c};
    const ln_context_options with = {.size = sizeof with, .n_threads = 2, .allocator = &allocator};
    ln_context *const        context = ln_context_new(&with, NULL);
    ln_model *const          model = net_model(context, digit, lenet5);
    ln_data *const           data = first(context, 20);
    watcher                  w = {.memory = &c};
    ln_train_options         o = LN_TRAIN_OPTIONS;
    o.batch = 20, o.epochs = 20, o.every = 3, o.ema = 0.9, o.restore_best = true, o.patience = 1000;
    o.validation = o.test = data, o.monitor = "val_accuracy", o.progress = watch, o.user = &w;
    assert_int_equal(ln_train(model, data, &o, NULL), LN_OK);
    assert_int_equal(w.n_calls, 20 + 7);
    ln_data_free(data);
    ln_model_free(model);
    ln_context_free(context);
    assert_int_equal(c.n_held, 0);
}

/* ------------------------------------------------------ floating-point mode */

#if defined(__x86_64__)
enum { FLAGS = 0x3f }; /* what happened; the rest is the mode */

/* Every public call that computes, on a mode of the caller's. Gives all results, for comparison. */
typedef struct computed {
    ln_preprocess fit;
    float         logits[200], shares[200], run[200], weights[400];
    ln_metrics    metrics, step;
    ln_progress   progress;
    double        worst, direction, std;
} computed;

#define KEEPS_MODE(call)                                         \
    do {                                                         \
        call;                                                    \
        assert_int_equal(_mm_getcsr() & ~(unsigned)FLAGS, mode); \
    } while (0)

static void compute(unsigned mode, computed *out) {
    small            s = small_new(2);
    told             t = {0};
    ln_train_options o = LN_TRAIN_OPTIONS;
    ln_memory        memory;
    ln_layer_time    layers[5], update;
    memset(out, 0, sizeof *out);
    o.batch = 20, o.epochs = 1, o.schedule = "cosine min=0.003", o.progress = listen, o.user = &t, o.test = s.data;
    o.optimizer = "sgd lr=0.07 momentum=0.9 weight_decay=1e-3";
    const unsigned saved = _mm_getcsr();
    _mm_setcsr(mode);
    KEEPS_MODE(assert_int_equal(ln_model_initialize(s.model, 3, NULL), LN_OK));
    KEEPS_MODE(out->fit = ln_data_fit(s.data, 1.0 / 3));
    KEEPS_MODE(assert_int_equal(ln_model_set_preprocess(s.model, out->fit, NULL), LN_OK));
    KEEPS_MODE(assert_int_equal(ln_train(s.model, s.data, &o, NULL), LN_OK));
    ln_trainer   *trainer;
    ln_predictor *predictor;
    ln_check     *check;
    KEEPS_MODE(trainer = ln_trainer_new(s.model, s.data, &o, NULL));
    KEEPS_MODE(assert_int_equal(ln_trainer_step(trainer, &out->step, NULL), LN_OK));
    KEEPS_MODE(ln_trainer_free(trainer));
    KEEPS_MODE(assert_int_equal(ln_evaluate(s.model, s.data, 30, &out->metrics, NULL, NULL), LN_OK));
    KEEPS_MODE(assert_int_equal(ln_predict(s.model, s.data, 30, out->logits, out->shares, NULL), LN_OK));
    KEEPS_MODE(predictor = ln_predictor_new(s.model, 1, NULL));
    for (size_t i = 0; i < N_SMALL; i++)
        KEEPS_MODE(assert_int_equal(ln_predictor_run(predictor, s.pixels + 64 * i, 1, out->run + 2 * i, NULL), LN_OK));
    KEEPS_MODE(ln_predictor_free(predictor));
    KEEPS_MODE(ln_softmax(out->logits, 100, 2, out->shares));
    KEEPS_MODE(assert_int_equal(ln_model_memory(s.model, 20, NULL, &memory, NULL), LN_OK));
    KEEPS_MODE(check = ln_check_new(s.model, s.data, 20, 1, NULL));
    KEEPS_MODE(assert_int_equal(ln_measure_layers(s.model, 20, "sgd lr=0.1", 2, layers, &update, NULL), LN_OK));
    s.pixels[0] = 1e30F; /* a step that fails computes too */
    s.pixels[1] = INFINITY;
    o.in_order = true;
    KEEPS_MODE(assert_int_equal(ln_train(s.model, s.data, &o, NULL), LN_E_NOT_FINITE));
    _mm_setcsr(saved);
    out->worst = check->tensors[0].worst;
    out->direction = check->tensors[0].direction;
    out->std = check->layers[1].activation_std;
    ln_check_free(check);
    size_t       n_bytes;
    float *const weights = net_weights(s.model, &n_bytes);
    assert_true(n_bytes <= sizeof out->weights);
    memcpy(out->weights, weights, n_bytes);
    free(weights);
    t.last.seconds = 0;
    memcpy(&out->progress, &t.last, sizeof t.last);
    small_free(&s);
}

/* What a layer must do does not depend on the clock: its multiply-accumulates, and less work where nothing is learnt.
 * Measuring changes nothing. */
static void test_measuring(void **state) {
    (void)state;
    small         s = small_new(1);
    size_t        n_before, n_after;
    ln_layer_time layers[6], update, predicted[6];
    float *const  before = net_weights(s.model, &n_before);
    const size_t  n = ln_model_layer_count(s.model);
    assert_true(n <= 6);
    assert_int_equal(ln_measure_layers(s.model, 20, "adam lr=0.1", 3, layers, &update, NULL), LN_OK);
    assert_int_equal(ln_measure_layers(s.model, 20, NULL, 3, predicted, NULL, NULL), LN_OK);
    for (size_t i = 0; i < n; i++) {
        const ln_layer_info l = ln_model_layer(s.model, i);
        const double        macs = 20 * (double)l.n_macs;
        assert_true(layers[i].macs[0] == macs && predicted[i].macs[0] == macs && predicted[i].macs[1] == 0);
        assert_true(layers[i].macs[1] == (i == 0 ? macs : 2 * macs)); /* no gradient of the model's input */
        assert_true(layers[i].seconds[0] >= 0 && layers[i].copying[0] >= 0 && predicted[i].copying[1] == 0);
        assert_true(l.n_parameters == 0 || layers[i].copying[1] > 0);
    }
    assert_true(update.seconds[0] == 0 && update.seconds[1] > 0 && update.copying[1] > 0 && update.macs[1] == 0);
    float *const after = net_weights(s.model, &n_after);
    assert_memory_equal(before, after, n_before);
    assert_int_equal(ln_measure_layers(s.model, 20, "sgt", 3, layers, &update, NULL), LN_E_ARGUMENT);
    assert_int_equal(ln_measure_layers(s.model, 20, NULL, 0, layers, NULL, NULL), LN_E_ARGUMENT);
    free(before);
    free(after);
    small_free(&s);
}

/* Rounding up, and to zero; denormals flushed; division by zero, overflow and nonsense that kill the program: results
 * are the same bits. */
static void test_mode_of_caller(void **state) {
    (void)state;
    const unsigned  plain = 0x1f80, modes[] = {plain, plain | 0x4000, plain | 0x6000, plain | 0x8040, plain & ~0x0680U};
    static computed want, got;
    compute(plain, &want);
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        compute(modes[i], &got);
        assert_memory_equal(&got.fit, &want.fit, sizeof want.fit);
        assert_memory_equal(got.weights, want.weights, sizeof want.weights);
        assert_memory_equal(got.logits, want.logits, sizeof want.logits);
        assert_memory_equal(got.run, want.run, sizeof want.run);
        assert_memory_equal(got.shares, want.shares, sizeof want.shares);
        assert_memory_equal(&got.metrics, &want.metrics, sizeof want.metrics);
        assert_memory_equal(&got.step, &want.step, sizeof want.step);
        assert_memory_equal(&got.progress, &want.progress, sizeof want.progress);
        assert_true(got.worst == want.worst && got.direction == want.direction && got.std == want.std);
    }
}
#endif

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads),
        cmocka_unit_test(test_instructions),
        cmocka_unit_test(test_two_contexts),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_lenet5_learns),
        cmocka_unit_test(test_predictions_agree),
        cmocka_unit_test(test_predictor_limits),
        cmocka_unit_test(test_rate_too_high),
        cmocka_unit_test(test_nan_in_images),
        cmocka_unit_test(test_infinite_weights),
        cmocka_unit_test(test_overflow_is_named),
        cmocka_unit_test(test_loss_and_layer),
        cmocka_unit_test(test_wrong_options),
        cmocka_unit_test(test_check_names_option),
        cmocka_unit_test(test_nothing_to_learn),
        cmocka_unit_test(test_wrong_words),
        cmocka_unit_test(test_wrong_data),
        cmocka_unit_test(test_progress),
        cmocka_unit_test(test_stopping),
        cmocka_unit_test(test_schedules),
        cmocka_unit_test(test_every),
        cmocka_unit_test(test_early_stopping),
        cmocka_unit_test(test_restore_best),
        cmocka_unit_test(test_stalled),
        cmocka_unit_test(test_memory_is_as_said),
        cmocka_unit_test(test_epochs_allocate_nothing),
#if defined(__x86_64__)
        cmocka_unit_test(test_mode_of_caller),
        cmocka_unit_test(test_measuring),
#endif
    };
    return cmocka_run_group_tests(tests, load_first, NULL);
}
