/* How gradients become steps, through the public API: ten steps of a small network against PyTorch's, for every
 * optimizer, clipping, L2, sparing of biases, moving averages, layers' rates and frozen layers
 * (golden/optim_steps.bin; golden/generate_optim.py says what is in it). Weights and losses no further from PyTorch's
 * float64 run than twice what PyTorch's own float32 run is, and the same bits for any number of threads and
 * instruction set. Memory is what was said; wrong numbers are refused; schedules see what epochs come to. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cpu.h"
#include "harness/net.h"
#include "linnet.h"

enum { IMAGES = 50, BATCH = 20, PIXELS = 12, STEPS = 10, PARAMETERS = 6, MAX_COUNT = 108 };

static const size_t counts[PARAMETERS] = {108, 9, 63, 7, 35, 5};

typedef struct setting {
    char     optimizer[96], layer[32];
    double   clip_norm, clip_value, l2, ema;
    uint32_t decay_weights_only;
    double   loss[STEPS], loss_torch32, torch32[PARAMETERS], after[PARAMETERS][MAX_COUNT];
} setting;

typedef struct golden {
    FILE    *file;
    uint32_t n;
    float    pixels[IMAGES * PIXELS], before[PARAMETERS][MAX_COUNT];
    uint8_t  labels[IMAGES];
} golden;

static void take(FILE *file, void *to, size_t n_bytes) {
    if (fread(to, 1, n_bytes, file) != n_bytes) fail_msg("a golden file ends too early");
}

static golden golden_open(void) {
    golden   g = {.file = fopen(LN_SOURCE_DIR "/tests/golden/optim_steps.bin", "rb")};
    uint32_t sizes[3], n, count;
    char     magic[8];
    if (!g.file) fail_msg("optim_steps.bin is missing: run tests/golden/generate_optim.py");
    take(g.file, magic, sizeof magic);
    assert_memory_equal(magic, "LNOPST1", sizeof magic);
    take(g.file, &g.n, sizeof g.n);
    take(g.file, sizes, sizeof sizes);
    assert_true(sizes[0] == STEPS && sizes[1] == IMAGES && sizes[2] == BATCH);
    take(g.file, g.pixels, sizeof g.pixels);
    take(g.file, g.labels, sizeof g.labels);
    take(g.file, &n, sizeof n);
    assert_int_equal(n, PARAMETERS);
    for (size_t i = 0; i < PARAMETERS; i++) {
        take(g.file, &count, sizeof count);
        assert_int_equal(count, counts[i]);
        take(g.file, g.before[i], count * sizeof(float));
    }
    return g;
}

static setting golden_next(const golden *g) {
    setting s;
    take(g->file, s.optimizer, sizeof s.optimizer);
    take(g->file, s.layer, sizeof s.layer);
    take(g->file, &s.clip_norm, 4 * sizeof s.clip_norm);
    take(g->file, &s.decay_weights_only, sizeof s.decay_weights_only);
    take(g->file, s.loss, sizeof s.loss);
    take(g->file, &s.loss_torch32, sizeof s.loss_torch32);
    for (size_t i = 0; i < PARAMETERS; i++) {
        take(g->file, &s.torch32[i], sizeof s.torch32[i]);
        take(g->file, s.after[i], counts[i] * sizeof(double));
    }
    return s;
}

/* A model in a context of its own, and the data. */
typedef struct bench {
    ln_context *context;
    ln_model   *model;
    ln_data    *data;
} bench;

static bench bench_new(const golden *g, const char *isa, int n_threads, const char *layer) {
    char              middle[64];
    ln_error          error = {0};
    bench             b = {.context = net_context(isa, n_threads)};
    const char *const lines[] = {"flatten", "linear 9", "tanh", middle, "tanh", "linear 5", NULL};
    (void)snprintf(middle, sizeof middle, "linear 7 %s", layer);
    b.model = net_model(b.context, (ln_shape){1, 3, 4}, lines);
    b.data = ln_data_from_floats(b.context, g->pixels, g->labels, IMAGES, 1, 3, 4, &error);
    if (!b.data || ln_model_set_preprocess(b.model, (ln_preprocess){1, 0, 1}, &error) != LN_OK)
        fail_msg("%s", error.message);
    assert_int_equal(ln_model_parameter_count(b.model), PARAMETERS);
    for (size_t i = 0; i < PARAMETERS; i++)
        memcpy(ln_model_parameter(b.model, i).values, g->before[i], counts[i] * sizeof(float));
    return b;
}

static void bench_free(const bench *b) {
    ln_data_free(b->data);
    ln_model_free(b->model);
    ln_context_free(b->context);
}

static ln_train_options options_of(const setting *s) {
    ln_train_options o = LN_TRAIN_OPTIONS;
    o.batch = BATCH, o.epochs = 4, o.in_order = true;
    o.optimizer = s->optimizer;
    o.clip_norm = s->clip_norm, o.clip_value = s->clip_value, o.l2 = s->l2, o.ema = s->ema;
    o.decay_weights_only = s->decay_weights_only != 0;
    return o;
}

typedef struct outcome {
    double loss[STEPS];
    float  values[PARAMETERS][MAX_COUNT];
} outcome;

static void train(const golden *g, const setting *s, const char *isa, int n_threads, outcome *out) {
    const bench            b = bench_new(g, isa, n_threads, s->layer);
    const ln_train_options options = options_of(s);
    ln_error               error = {0};
    ln_memory              memory = {0};
    ln_trainer *const      trainer = ln_trainer_new(b.model, b.data, &options, &error);
    if (!trainer || ln_model_memory(b.model, BATCH, &options, &memory, &error) != LN_OK) fail_msg("%s", error.message);
    assert_int_equal(memory.training, ln_trainer_memory(trainer));
    *out = (outcome){0};
    ln_trainer_swap_average(trainer); /* there is none yet */
    for (size_t i = 0; i < STEPS; i++) {
        ln_metrics metrics;
        if (ln_trainer_step(trainer, &metrics, &error) != LN_OK) fail_msg("%s", error.message);
        out->loss[i] = metrics.loss;
        ln_trainer_swap_average(trainer);
        if (i + 1 < STEPS) ln_trainer_swap_average(trainer);
    }
    for (size_t i = 0; i < PARAMETERS; i++)
        memcpy(out->values[i], ln_model_parameter(b.model, i).values, counts[i] * sizeof(float));
    ln_trainer_free(trainer);
    bench_free(&b);
}

static void check_distance(const setting *s, const char *what, double far, double torch32) {
    if (!(far <= 2 * torch32))
        fail_msg("%s %s clip_norm=%g clip_value=%g l2=%g ema=%g: %s is %.3g from the float64 run, PyTorch's float32 is "
                 "%.3g",
                 s->optimizer, s->layer, s->clip_norm, s->clip_value, s->l2, s->ema, what, far, torch32);
}

static void check_outcome(const setting *s, const outcome *out) {
    static const char *const names[] = {"1.weight", "1.bias", "3.weight", "3.bias", "5.weight", "5.bias"};
    double                   sum = 0;
    for (size_t i = 0; i < STEPS; i++) sum += (out->loss[i] - s->loss[i]) * (out->loss[i] - s->loss[i]);
    check_distance(s, "the loss", sqrt(sum), s->loss_torch32);
    for (size_t i = 0; i < PARAMETERS; i++) {
        sum = 0;
        for (size_t k = 0; k < counts[i]; k++)
            sum += ((double)out->values[i][k] - s->after[i][k]) * ((double)out->values[i][k] - s->after[i][k]);
        check_distance(s, names[i], sqrt(sum), s->torch32[i]);
    }
}

static void test_steps(void **state) {
    (void)state;
    golden g = golden_open();
    for (uint32_t k = 0; k < g.n; k++) {
        const setting  s = golden_next(&g);
        static outcome want, got;
        train(&g, &s, "plain", 1, &want);
        check_outcome(&s, &want);
        for (ln_isa isa = LN_ISA_PLAIN; isa < LN_ISA_COUNT; isa++)
            for (int n_threads = 1; isa != LN_ISA_F64 && ln_isa_available(isa) && n_threads <= 3; n_threads++) {
                train(&g, &s, ln_isa_name(isa), n_threads, &got);
                assert_memory_equal(&got, &want, sizeof got);
            }
    }
    assert_int_equal(fgetc(g.file), EOF);
    (void)fclose(g.file);
}

/* ------------------------------------------------------------------- the loop's side */

enum { WIDE = 4000 };

/* A network with work for several threads, and with many pieces to its sums of squares: the weights after some epochs,
 * and before. */
static float *train_wide(const golden *g, const ln_train_options *options, int n_threads, float **before,
                         size_t *n_bytes) {
    static const char *const lines[] = {"flatten", "linear 4000", "relu", "linear 10", NULL};
    ln_context *const        context = net_context(NULL, n_threads);
    ln_model *const          model = net_model(context, (ln_shape){1, 3, 4}, lines);
    ln_data *const           data = ln_data_from_floats(context, g->pixels, g->labels, IMAGES, 1, 3, 4, NULL);
    ln_error                 error = {0};
    assert_int_equal(ln_model_parameter(model, 0).count, WIDE * PIXELS);
    if (before) *before = net_weights(model, n_bytes);
    if (ln_train(model, data, options, &error) != LN_OK) fail_msg("%s", error.message);
    float *const after = net_weights(model, n_bytes);
    ln_data_free(data);
    ln_model_free(model);
    ln_context_free(context);
    return after;
}

/* The same bits for any number of threads, with all that can be asked for. */
static void test_threads(void **state) {
    (void)state;
    golden           g = golden_open();
    ln_train_options o = LN_TRAIN_OPTIONS;
    size_t           n_bytes = 0;
    float           *weights[4] = {NULL};
    (void)fclose(g.file);
    o.batch = IMAGES, o.epochs = 20, o.optimizer = "adamw lr=0.01 amsgrad=true";
    o.clip_norm = 0.2, o.clip_value = 0.02, o.l2 = 0.5, o.ema = 0.8, o.decay_weights_only = true;
    for (int n = 1; n <= 3; n++) weights[n] = train_wide(&g, &o, n, NULL, &n_bytes);
    o.clip_norm = 0;
    weights[0] = train_wide(&g, &o, 1, NULL, &n_bytes);
    assert_memory_not_equal(weights[0], weights[1], n_bytes);
    assert_memory_equal(weights[1], weights[2], n_bytes);
    assert_memory_equal(weights[1], weights[3], n_bytes);
    for (int n = 0; n < 4; n++) free(weights[n]);
}

/* A step of clipped gradients is as long as the limit says, and a limit that is not reached changes no bit. */
static void test_large_norm(void **state) {
    (void)state;
    static const double norms[] = {0, 1e20, 0.125};
    float              *before[3], *after[3];
    size_t              n_bytes = 0;
    golden              g = golden_open();
    double              sum = 0;
    (void)fclose(g.file);
    for (int k = 0; k < 3; k++) {
        ln_train_options o = LN_TRAIN_OPTIONS;
        o.batch = IMAGES, o.epochs = 1, o.optimizer = "sgd lr=1", o.clip_norm = norms[k];
        after[k] = train_wide(&g, &o, 2, &before[k], &n_bytes);
    }
    assert_memory_equal(after[0], after[1], n_bytes);
    for (size_t i = 0; i < n_bytes / sizeof(float); i++) {
        const double step = (double)after[2][i] - (double)before[2][i];
        sum += step * step;
    }
    assert_true(fabs(sqrt(sum) - norms[2]) < 1e-4 * norms[2]);
    for (int k = 0; k < 3; k++) free(before[k]), free(after[k]);
}

/* What a progress call finds in the model. */
typedef struct listener {
    const ln_model *model;
    float           at_step[8], at_epoch[8];
    double          lr[8], loss[8];
    size_t          n_steps, n_epochs;
    bool            stop;
} listener;

static bool listen(void *user, const ln_progress *p) {
    listener *const l = user;
    const float     first = ln_model_parameter(l->model, 0).values[0];
    if (p->epoch_done) {
        l->loss[l->n_epochs] = p->has_validation ? p->validation.loss : p->train.loss;
        l->at_epoch[l->n_epochs++] = first;
        return true;
    }
    l->lr[l->n_steps] = p->lr;
    l->at_step[l->n_steps++] = first;
    return !(l->stop && l->n_steps == 3);
}

/* One step an epoch: the average is what is measured, seen after the epoch, and left; steps go on from the weights. */
static void test_average(void **state) {
    (void)state;
    golden g = golden_open();
    (void)fclose(g.file);
    for (int stop = 0; stop < 2; stop++) {
        const bench      b = bench_new(&g, NULL, 2, "");
        listener         l = {.model = b.model, .stop = stop};
        ln_train_options o = LN_TRAIN_OPTIONS;
        ln_metrics       metrics;
        o.batch = IMAGES, o.epochs = 5, o.optimizer = "sgd lr=0.5", o.ema = 0.75;
        o.progress = listen, o.user = &l, o.validation = b.data;
        assert_int_equal(ln_train(b.model, b.data, &o, NULL), stop ? LN_E_INTERRUPTED : LN_OK);
        float average = l.at_step[0];
        for (size_t i = 0; i < l.n_steps; i++) {
            if (i > 0) average = fmaf(0.25F, l.at_step[i] - average, average);
            if (i < l.n_epochs) assert_true(l.at_epoch[i] == average);
            if (i > 0) assert_true(l.at_step[i] != average);
        }
        assert_true(ln_model_parameter(b.model, 0).values[0] == average);
        if (!stop) {
            assert_int_equal(ln_evaluate(b.model, b.data, IMAGES, &metrics, NULL, NULL), LN_OK);
            assert_true(metrics.loss == l.loss[4]);
        }
        bench_free(&b);
    }
}

/* A plateau sees the validation loss where there is one, else the training loss, after each epoch. */
static void test_plateau(void **state) {
    (void)state;
    golden g = golden_open();
    (void)fclose(g.file);
    for (int validates = 0; validates < 2; validates++) {
        const bench      b = bench_new(&g, NULL, 1, "");
        listener         l = {.model = b.model};
        ln_train_options o = LN_TRAIN_OPTIONS;
        double           want = 3, best = INFINITY;
        size_t           falls = 0;
        o.batch = IMAGES, o.epochs = 8, o.optimizer = "sgd lr=3";
        o.schedule = "reduce_on_plateau patience=0 factor=0.5 threshold=0.1 threshold_mode=abs";
        o.progress = listen, o.user = &l, o.validation = validates ? b.data : NULL;
        assert_int_equal(ln_train(b.model, b.data, &o, NULL), LN_OK);
        for (size_t i = 0; i < l.n_steps; i++) {
            assert_true(l.lr[i] == want);
            if (l.loss[i] < best - 0.1) best = l.loss[i];
            else want /= 2, falls++;
        }
        assert_in_range(falls, 1, 7);
        bench_free(&b);
    }
}

/* By hand, without anyone's measurements: the same rates as in ln_train. */
static void test_plateau_by_hand(void **state) {
    (void)state;
    golden g = golden_open();
    (void)fclose(g.file);
    double loss[2] = {0};
    for (int by_hand = 0; by_hand < 2; by_hand++) {
        const bench      b = bench_new(&g, NULL, 1, "");
        ln_train_options o = LN_TRAIN_OPTIONS;
        ln_metrics       metrics;
        o.batch = BATCH, o.epochs = 6, o.optimizer = "sgd lr=3";
        o.schedule = "reduce_on_plateau patience=0 factor=0.5";
        if (by_hand) {
            ln_trainer *const trainer = ln_trainer_new(b.model, b.data, &o, NULL);
            for (size_t i = 0; i < 6 * ln_trainer_steps_per_epoch(trainer); i++)
                assert_int_equal(ln_trainer_step(trainer, NULL, NULL), LN_OK);
            ln_trainer_free(trainer);
        } else {
            assert_int_equal(ln_train(b.model, b.data, &o, NULL), LN_OK);
        }
        assert_int_equal(ln_evaluate(b.model, b.data, IMAGES, &metrics, NULL, NULL), LN_OK);
        loss[by_hand] = metrics.loss;
        bench_free(&b);
    }
    assert_true(loss[0] == loss[1]);
}

static void test_refusals(void **state) {
    (void)state;
    golden g = golden_open();
    (void)fclose(g.file);
    const bench              b = bench_new(&g, NULL, 1, "");
    const ln_train_options   good = LN_TRAIN_OPTIONS;
    ln_train_options         bad[6] = {good, good, good, good, good, good};
    static const char *const says[] = {"clip_norm=-1 is outside 0 to 1e+30",  "clip_value=nan is outside 0 to 1e+30",
                                       "l2=inf is outside 0 to 1e+06",        "ema=1 is outside 0 to 0.999999",
                                       "warmup=5 leaves nothing of 5 epochs", "unknown optimizer 'adan'"};
    bad[0].clip_norm = -1, bad[1].clip_value = NAN, bad[2].l2 = INFINITY, bad[3].ema = 1;
    bad[4].schedule = "cosine warmup=5", bad[5].optimizer = "adan";
    for (size_t i = 0; i < 6; i++) {
        ln_error  error = {0};
        ln_memory memory;
        assert_int_equal(ln_train(b.model, b.data, &bad[i], &error), LN_E_ARGUMENT);
        if (!strstr(error.message, says[i])) fail_msg("'%s' does not say '%s'", error.message, says[i]);
        if (i == 5) assert_int_equal(ln_model_memory(b.model, 20, &bad[i], &memory, NULL), LN_E_ARGUMENT);
    }
    bench_free(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_steps),    cmocka_unit_test(test_threads), cmocka_unit_test(test_large_norm),
        cmocka_unit_test(test_average),  cmocka_unit_test(test_plateau), cmocka_unit_test(test_plateau_by_hand),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
