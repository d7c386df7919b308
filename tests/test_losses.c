/* What golden values and gradient checks on layers do not reach of the losses: shapes they refuse, what their outputs
 * mean, values that are no ordinary numbers, the mean over a batch's class weights, whole networks trained on each of
 * them, and one output that decides between two classes. */
#include "harness/files.h"
#include "harness/net.h"
#include "harness/op_run.h"

#include <math.h>

static const ln_isa isas[] = {LN_ISA_PLAIN, LN_ISA_NEON, LN_ISA_AVX2, LN_ISA_AVX512, LN_ISA_F64};
enum { N_ISAS = sizeof isas / sizeof *isas, N_IMAGES = 40, SIDE = 4 };

static bool available(ln_isa isa) { return isa == LN_ISA_F64 || ln_isa_available(isa); }

/* ---------------------------------------------------------------- refusals */

static void test_refusals(void **state) {
    (void)state;
#define ROW(c, h, w) \
    { c, h, w }
    static const struct {
        const char *line;
        ln_shape    in;
        const char *message;
    } cases[] = {
        {"mse", ROW(2, 8, 7),
         "the input is 2x8x7, but one value for each class (kx1x1) is wanted: end the model with "
         "flatten and linear"},
        {"half_squared", ROW(2, 1, 7),
         "the input is 2x1x7, but one value for each class (kx1x1) is wanted: end the "
         "model with flatten and linear"},
        {"bce", ROW(2, 8, 1),
         "the input is 2x8x1, but one probability for each class (kx1x1) is wanted: end the model "
         "with flatten and linear"},
        {"bce_with_logits", ROW(2, 8, 1),
         "the input is 2x8x1, but one logit for each class (kx1x1) is wanted: end the "
         "model with flatten and linear"},
        {"nll", ROW(2, 8, 1),
         "the input is 2x8x1, but one log-probability for each class (kx1x1) is wanted: end the "
         "model with flatten and linear"},
        {"multi_margin", ROW(2, 8, 1),
         "the input is 2x8x1, but one score for each class (kx1x1) is wanted: end the "
         "model with flatten and linear"},
        {"cross_entropy", ROW(1, 1, 1),
         "the input is one value, but there must be at least two classes: give the last "
         "layer one output for each class, or take the loss bce_with_logits, where one "
         "output decides"},
        {"nll", ROW(1, 1, 1),
         "the input is one value, but there must be at least two classes: give the last layer one "
         "output for each class, or take the loss bce_with_logits, where one output decides"},
        {"multi_margin", ROW(1, 1, 1),
         "the input is one value, but there must be at least two classes: give the last "
         "layer one output for each class, or take the loss bce_with_logits, where one "
         "output decides"},
        {"cross_entropy weight=1,2", ROW(3, 1, 1),
         "weight has 2 numbers, and the input 3 values: give one number for each class"},
        {"nll weight=1", ROW(3, 1, 1), "weight has 1 number, and the input 3 values: give one number for each class"},
        {"multi_margin weight=1,1,1", ROW(2, 1, 1),
         "weight has 3 numbers, and the input 2 values: give one number for each class"},
        {"bce_with_logits pos_weight=1,2", ROW(1, 1, 1),
         "pos_weight has 2 numbers, and the input 1 value: give one number for each, or a single one"},
        {"cross_entropy weight=0,0,0", ROW(3, 1, 1),
         "weight is 0 throughout, and nothing would be learned: leave it out, or make one number larger"},
    };
#undef ROW
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ln_node  node;
        ln_error error = {0};
        if (op_node(cases[i].line, &cases[i].in, &node, &error)) fail_msg("%s was taken", cases[i].line);
        if (!strstr(error.message, cases[i].message)) fail_msg("%s: %s", cases[i].line, error.message);
    }
}

static void test_bad_arguments(void **state) {
    (void)state;
    static const struct {
        const char *line, *message;
    } cases[] = {
        {"cross_entropy label_smoothing=1.5", "label_smoothing=1.5 is outside 0 to 1"},
        {"cross_entropy weight=1,-1", "weight=-1 is outside 0 to 1000000"},
        {"multi_margin p=3", "p=3 is outside 1 to 2"},
        {"mse reduction=none", "reduction='none' is not one of mean, sum"},
        {"bce label_smoothing=0.1", "unknown argument 'label_smoothing'; allowed: reduction"},
    };
    const ln_shape two = {2, 1, 1};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ln_node  node;
        ln_error error = {0};
        assert_false(op_node(cases[i].line, &two, &node, &error));
        if (!strstr(error.message, cases[i].message)) fail_msg("%s: %s", cases[i].line, error.message);
    }
}

/* ---------------------------------------------------------------- meanings */

static void check_meaning(const char *line, size_t k, const float *outputs, const float *p, size_t n_classes) {
    const ln_shape in = {k, 1, 1};
    ln_node        node;
    float          got[4];
    ln_error       error = {0};
    if (!op_node(line, &in, &node, &error)) fail_msg("%s", error.message);
    assert_int_equal(node.op->classes ? node.op->classes(&node) : k, n_classes);
    node.op->probabilities(&node, outputs, got);
    for (size_t c = 0; c < n_classes; c++)
        if (fabsf(got[c] - p[c]) > 1e-6F) fail_msg("%s: p[%zu] is %g", line, c, (double)got[c]);
}

static void test_meanings(void **state) {
    (void)state;
    static const float x[] = {1, 2, 0.25F}, sigmoid[] = {0.7310586F, 0.8807970F, 0.5621765F};
    check_meaning("mse", 3, x, x, 3);
    check_meaning("half_squared", 3, x, x, 3);
    check_meaning("bce", 3, x, x, 3);
    check_meaning("bce_with_logits", 3, x, sigmoid, 3);
    check_meaning("nll", 3, (const float[]){-1, -2, 0}, (const float[]){0.36787944F, 0.13533528F, 1}, 3);
    float e[3], sum = 0; /* softmax */
    for (int c = 0; c < 3; c++) sum += e[c] = expf(x[c]);
    for (int c = 0; c < 3; c++) e[c] /= sum;
    check_meaning("cross_entropy", 3, x, e, 3);
    check_meaning("multi_margin", 3, x, e, 3);
    static const char *const values[] = {"mse", "half_squared", "bce"};
    for (int i = 0; i < 3; i++) check_meaning(values[i], 1, x + 2, (const float[]){0.75F, 0.25F}, 2);
    check_meaning("bce_with_logits", 1, x, (const float[]){0.2689414F, 0.7310586F}, 2);
    check_meaning("bce_with_logits", 1, (const float[]){-200}, (const float[]){1, 0}, 2);
    check_meaning("bce_with_logits", 1, (const float[]){200}, (const float[]){0, 1}, 2);
}

/* The class that the kernel calls right is the larger probability, however near the threshold: else a confusion matrix
 * and the count of hits would differ. */
static void test_thresholds(void **state) {
    (void)state;
    static const char *const lines[] = {"mse", "half_squared", "bce", "bce_with_logits"};
    for (size_t i = 0; i < 4; i++) {
        const float at = i < 3 ? 0.5F : 0;
        const float x[] = {at, nextafterf(at, 1), nextafterf(at, -1), at + 1e-9F, at + 1e-3F, at - 1e-3F, 1e-30F};
        enum { N = sizeof x / sizeof *x };
        const int32_t  label[N] = {1, 1, 1, 1, 1, 1, 1};
        const ln_shape in = {1, 1, 1};
        for (size_t k = 0; k < N_ISAS; k++) {
            op_result    r;
            ln_error     error = {0};
            const op_run run = {.line = lines[i], .isa = isas[k], .n = N, .in = {in}, .x = {x}, .label = label};
            if (!available(isas[k])) continue;
            if (!op_run_all(&run, &r, &error)) fail_msg("%s", error.message);
            for (size_t j = 0; j < N; j++) {
                float p[2];
                if (fabsf(x[j]) > 0 && fabsf(x[j]) < 1.2e-38F) continue; /* counts as 0 in kernels */
                r.node.op->probabilities(&r.node, &x[j], p);
                assert_int_equal(r.hit[j], p[1] > p[0]);
            }
            op_result_free(&r);
        }
    }
}

/* ---------------------------------------------------- no ordinary numbers */

static const char *const all[] = {
    "cross_entropy",
    "cross_entropy weight=0,2,1",
    "cross_entropy label_smoothing=0.2 weight=0,2,1",
    "mse",
    "half_squared reduction=sum",
    "bce",
    "bce_with_logits pos_weight=2,1,3",
    "nll weight=1,0,2",
    "multi_margin",
    "multi_margin p=2 weight=0,2,1",
};
enum { N_ALL = sizeof all / sizeof *all };

/* NaN in any output makes the image's loss NaN, and no other's. */
static void test_nan(void **state) {
    (void)state;
    enum { N = 20, K = 3 };
    float          x[N][K];
    int32_t        label[N];
    const ln_shape in = {K, 1, 1};
    for (int i = 0; i < N; i++) {
        label[i] = i % K;
        for (int c = 0; c < K; c++) x[i][c] = (i / K) % 4 == c ? NAN : 0.25F;
    }
    for (size_t l = 0; l < N_ALL; l++)
        for (size_t k = 0; k < N_ISAS; k++) {
            op_result    r;
            ln_error     error = {0};
            const op_run run = {.line = all[l], .isa = isas[k], .n = N, .in = {in}, .x = {x[0]}, .label = label};
            if (!available(isas[k])) continue;
            if (!op_run_all(&run, &r, &error)) fail_msg("%s", error.message);
            for (int i = 0; i < N; i++)
                if (isnan(r.out[i]) != ((i / K) % 4 < K))
                    fail_msg("%s, %s, image %d: %g", all[l], ln_isa_name(isas[k]), i, r.out[i]);
            op_result_free(&r);
        }
}

/* Far out, and where nothing is asked of a class whose logit is -infinity. */
static void test_far_out(void **state) {
    (void)state;
    static const struct {
        const char *line;
        float       x[2];
        double      loss[2]; /* by label */
    } cases[] = {
        {"bce_with_logits reduction=sum", {1e4F, -1e4F}, {0, 2e4}},
        {"bce_with_logits reduction=sum", {200, 200}, {200, 200}},
        {"bce reduction=sum", {0, 1}, {200, 0}},
        {"bce", {1, 1}, {50, 50}},
        {"cross_entropy", {3, -INFINITY}, {0, INFINITY}},
        {"cross_entropy weight=2,0", {3, -INFINITY}, {0, 0}},
        {"cross_entropy label_smoothing=0.5", {5000, 0}, {1250, 3750}},
        {"nll", {0, -INFINITY}, {0, INFINITY}},
        {"multi_margin", {1e30F, -1e30F}, {0, 1e30}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t k = 0; k < N_ISAS; k++) {
            const float    x[] = {cases[i].x[0], cases[i].x[1], cases[i].x[0], cases[i].x[1]};
            const int32_t  label[] = {0, 1};
            const ln_shape in = {2, 1, 1};
            op_result      r;
            ln_error       error = {0};
            const op_run   run = {.line = cases[i].line, .isa = isas[k], .n = 2, .in = {in}, .x = {x}, .label = label};
            if (!available(isas[k])) continue;
            if (!op_run_all(&run, &r, &error)) fail_msg("%s", error.message);
            for (int l = 0; l < 2; l++)
                if (!(fabs(r.out[l] - cases[i].loss[l]) <= 1e-6 * cases[i].loss[l]) && r.out[l] != cases[i].loss[l])
                    fail_msg("%s, %s, label %d: %g", cases[i].line, ln_isa_name(isas[k]), l, r.out[l]);
            op_result_free(&r);
        }
}

/* Dead lanes, whatever they and their labels hold: no loss, no hit, no gradient. */
static void check_dead_lanes(const char *line, ln_isa isa) {
    enum { K = 3 };
    _Alignas(128) float     x[K][16], dx[K][16], loss[16];
    _Alignas(64) uint16_t   saved[32];
    int32_t                 label[16];
    uint8_t                 hit[16];
    const uint16_t          live = 0x1235;
    const ln_shape          in = {K, 1, 1};
    ln_node                 node;
    ln_error                error;
    const ln_kernels *const kernels = ln_kernels_of(isa);
    assert_true(op_node(line, &in, &node, &error));
    for (int l = 0; l < 16; l++) {
        const bool lives = live >> l & 1;
        for (int c = 0; c < K; c++) x[c][l] = c == 1 ? 0.5F : 0.125F, dx[c][l] = NAN;
        if (!lives && l % 2) x[0][l] = NAN;
        label[l] = lives ? 1 : -99;
        loss[l] = NAN, hit[l] = 9;
    }
    const ln_task task = {.node = &node,
                          .n_blocks = 1,
                          .c_hi = K,
                          .h_hi = 1,
                          .live = &live,
                          .label = {.first = label},
                          .hit = hit,
                          .batch = 6,
                          .weight = 1.0 / 6,
                          .write = {LN_SET},
                          .training = true,
                          .saved = (unsigned char *)saved,
                          .saved_stride = sizeof saved,
                          .in = {{x, K, 1, 1, 0, 0}},
                          .out = {loss, 1, 1, 1, 0, 0},
                          .din = {{dx, K, 1, 1, 0, 0}}};
    for (size_t i = 0; i < LN_OP_COUNT; i++)
        if (ln_ops[i] == node.op) {
            kernels->op[i]->forward[0].run(&task);
            kernels->op[i]->dinput[0].run(&task);
        }
    for (int l = 0; l < 16; l++) {
        const bool lives = live >> l & 1;
        assert_int_equal(hit[l], lives);
        if (lives) assert_true(loss[l] == loss[0] && dx[1][l] == dx[1][0] && isfinite(loss[l]) && dx[1][l] < 0);
        else assert_true(loss[l] == 0 && dx[0][l] == 0 && dx[1][l] == 0 && dx[2][l] == 0);
    }
}

static void test_dead_lanes(void **state) {
    (void)state;
    for (size_t l = 0; l < N_ALL; l++)
        for (size_t k = 0; k < N_ISAS; k++)
            if (isas[k] != LN_ISA_F64 && available(isas[k]) && !strstr(all[l], "nll weight=1,0"))
                check_dead_lanes(all[l], isas[k]);
}

/* ----------------------------------------------------------------- weights */

static double weight_of(const char *line, const int32_t *labels, size_t n) {
    const ln_shape in = {3, 1, 1};
    ln_node        node;
    ln_error       error = {0};
    if (!op_node(line, &in, &node, &error)) fail_msg("%s", error.message);
    return node.op->weight(&node, &(ln_labels){.first = labels}, n);
}

static void test_weights(void **state) {
    (void)state;
    const int32_t labels[] = {0, 2, 2, 1, 0};
    for (size_t l = 0; l < N_ALL; l++) {
        const bool is_sum = strstr(all[l], "sum") != NULL;
        if (strstr(all[l], "cross_entropy ") || strstr(all[l], "nll")) continue;
        assert_true(weight_of(all[l], labels, 5) == (is_sum ? 1 : 1 / 5.0));
    }
    assert_true(weight_of("cross_entropy weight=0.5,2,3", labels, 5) == 1 / 9.0);
    assert_true(weight_of("nll weight=0.5,2,3", labels, 3) == 1 / 6.5);
    assert_true(weight_of("nll weight=0.5,2,3 reduction=sum", labels, 3) == 1);
    assert_true(weight_of("multi_margin weight=0.5,2,3", labels, 4) == 0.25); /* as PyTorch's: by images */
    assert_true(weight_of("cross_entropy weight=0,2,0", labels, 3) == 0);     /* nothing to learn from these */
}

/* ---------------------------------------------------------- whole networks */

typedef struct world {
    ln_context *context;
    ln_data    *data;
    float      *pixels;
    uint8_t    *labels;
} world;

/* Images of ±1 whose class says which part of them is bright. */
static world world_new(const char *isa, int n_threads, int n_classes) {
    enum { COUNT = SIDE * SIDE };
    world w = {.context = net_context(isa, n_threads),
               .pixels = net_floats(5, N_IMAGES * COUNT),
               .labels = net_must(malloc(N_IMAGES))};
    for (int i = 0; i < N_IMAGES; i++) {
        w.labels[i] = (uint8_t)(i * 5 % 7 % n_classes);
        for (int k = 0; k < COUNT; k++)
            if (k % n_classes == w.labels[i]) w.pixels[i * COUNT + k] += 0.75F;
    }
    w.data = ln_data_from_floats(w.context, w.pixels, w.labels, N_IMAGES, 1, SIDE, SIDE, NULL);
    assert_non_null(w.data);
    return w;
}

static void world_free(world *w) {
    ln_data_free(w->data);
    ln_context_free(w->context);
    free(w->pixels);
    free(w->labels);
}

static ln_model *model_of(const world *w, const char *loss, const char *const lines[]) {
    ln_error        error = {0};
    ln_model *const model = net_model(w->context, (ln_shape){1, SIDE, SIDE}, lines);
    assert_int_equal(ln_model_set_preprocess(model, (ln_preprocess){1, 0, 1}, NULL), LN_OK);
    if (ln_model_set_loss(model, loss, &error) != LN_OK) fail_msg("%s: %s", loss, error.message);
    return model;
}

static void train(ln_model *model, const ln_data *data, const char *optimizer, size_t batch, size_t epochs) {
    ln_error         error = {0};
    ln_train_options options = LN_TRAIN_OPTIONS;
    options.batch = batch;
    options.epochs = epochs;
    options.optimizer = optimizer;
    options.in_order = true;
    if (ln_train(model, data, &options, &error) != LN_OK) fail_msg("%s", error.message);
}

/* A network for a loss of three classes, of which some need probabilities. */
typedef struct network {
    const char *loss, *lines[5];
} network;
static const network networks[] = {
    {"cross_entropy label_smoothing=0.2", {"flatten", "linear 3"}},
    {"cross_entropy weight=0.5,2,1", {"flatten", "linear 3"}},
    {"cross_entropy weight=0.5,2,1 label_smoothing=0.1 reduction=sum", {"flatten", "linear 3"}},
    {"mse", {"flatten", "linear 3", "sigmoid"}},
    {"mse reduction=sum", {"flatten", "linear 3"}},
    {"half_squared", {"flatten", "linear 3", "sigmoid"}},
    {"half_squared reduction=sum", {"flatten", "linear 3"}},
    {"bce", {"flatten", "linear 3", "sigmoid"}},
    {"bce reduction=sum", {"flatten", "linear 3", "sigmoid"}},
    {"bce_with_logits", {"flatten", "linear 3"}},
    {"bce_with_logits pos_weight=3,0.5,1 reduction=sum", {"flatten", "linear 3"}},
    {"nll", {"flatten", "linear 3", "log_softmax"}},
    {"nll weight=0.5,2,1", {"flatten", "linear 3", "log_softmax"}},
    {"multi_margin", {"flatten", "linear 3"}},
    {"multi_margin p=2 margin=0.75 reduction=sum", {"flatten", "linear 3"}},
    {"multi_margin weight=0.5,2,1", {"flatten", "linear 3"}},
};
enum { N_NETWORKS = sizeof networks / sizeof *networks };

static void test_checked(void **state) {
    (void)state;
    for (size_t i = 0; i < N_NETWORKS; i++) {
        ln_error        error = {0};
        world           w = world_new(NULL, 2, 3);
        ln_model *const model = model_of(&w, networks[i].loss, networks[i].lines);
        ln_check *const check = ln_check_new(model, w.data, 15, 9, &error);
        if (!check) fail_msg("%s", error.message);
        if (!check->passed) fail_msg("%s: %s", networks[i].loss, check->verdict);
        for (size_t k = 0; k < check->n_tensors; k++) assert_true(check->tensors[k].n_checked > 0);
        ln_check_free(check);
        ln_model_free(model);
        world_free(&w);
    }
}

static float *trained(const network *n, const char *isa, int n_threads, size_t *n_bytes) {
    world           w = world_new(isa, n_threads, 3);
    ln_model *const model = model_of(&w, n->loss, n->lines);
    train(model, w.data, "sgd lr=0.02 momentum=0.9", 35, 3); /* two blocks and a bit, then 5 images */
    float *const weights = net_weights(model, n_bytes);
    ln_model_free(model);
    world_free(&w);
    return weights;
}

static void test_same_bits(void **state) {
    (void)state;
    for (size_t i = 0; i < N_NETWORKS; i++) {
        size_t       n_bytes, n_other;
        float *const want = trained(&networks[i], NULL, 1, &n_bytes);
        for (size_t k = 0; k < N_ISAS && ln_cpu_has_fma(); k++)
            for (int n_threads = 1; n_threads <= 3; n_threads += 2) {
                if (isas[k] == LN_ISA_F64 || !available(isas[k])) continue;
                float *const got = trained(&networks[i], ln_isa_name(isas[k]), n_threads, &n_other);
                assert_int_equal(n_bytes, n_other);
                if (memcmp(want, got, n_bytes) != 0)
                    fail_msg("%s, %s, %d threads: other weights", networks[i].loss, ln_isa_name(isas[k]), n_threads);
                free(got);
            }
        free(want);
    }
}

/* The mean by class weights is each batch's own: two steps of it are two trainings with the sum, whose rates are
 * divided by the weights of their 16 images. All factors are powers of two, so that the bits are the same. */
static void test_mean_by_class(void **state) {
    (void)state;
    enum { HALF = 16, COUNT = SIDE * SIDE };
    const char *const lines[] = {"flatten", "linear 2", NULL};
    world             w = world_new(NULL, 2, 2);
    size_t            n_bytes;
    for (int i = 0; i < 2 * HALF; i++) w.labels[i] = (uint8_t)(i >= HALF || i % 2 == 0); /* sums 8 + 24, 48 - 16 */
    for (int i = HALF; i < 2 * HALF; i++) w.labels[i] = 0;
    ln_data *const both = ln_data_from_floats(w.context, w.pixels, w.labels, 2 * HALF, 1, SIDE, SIDE, NULL);
    ln_data *const one = ln_data_from_floats(w.context, w.pixels, w.labels, HALF, 1, SIDE, SIDE, NULL);
    ln_data *const two =
        ln_data_from_floats(w.context, w.pixels + HALF * COUNT, w.labels + HALF, HALF, 1, SIDE, SIDE, NULL);
    ln_model *const mean = model_of(&w, "cross_entropy weight=1,3", lines);
    ln_model *const sum = model_of(&w, "cross_entropy weight=1,3 reduction=sum", lines);
    train(mean, both, "sgd lr=0.5", HALF, 1);
    train(sum, one, "sgd lr=0.015625", HALF, 1); /* 0.5 / 32 */
    train(sum, two, "sgd lr=0.03125", HALF, 1);  /* 0.5 / 16 */
    float *const a = net_weights(mean, &n_bytes), *const b = net_weights(sum, &n_bytes);
    assert_memory_equal(a, b, n_bytes);
    free(a), free(b);
    ln_model_free(mean), ln_model_free(sum);
    ln_data_free(both), ln_data_free(one), ln_data_free(two);
    world_free(&w);
}

/* -------------------------------------------------------------- one output */

static void check_answers(ln_model *model, const ln_data *data, size_t k) {
    ln_metrics m;
    ln_error   error = {0};
    uint64_t   confusion[9];
    float      outputs[N_IMAGES * 3], p[N_IMAGES * 3];
    size_t     n_right = 0, n_diagonal = 0, n_all = 0;
    assert_true(ln_model_class_count(model) == k);
    for (size_t batch = 1; batch <= 32; batch += 31) { /* one image at a time, and blocks */
        memset(confusion, 0xff, sizeof confusion);
        if (ln_evaluate(model, data, batch, &m, confusion, &error) != LN_OK) fail_msg("%s", error.message);
        if (ln_predict(model, data, batch, outputs, p, &error) != LN_OK) fail_msg("%s", error.message);
        for (size_t i = n_right = 0; i < N_IMAGES; i++) {
            size_t best = 0;
            for (size_t c = 1; c < k; c++) best = p[i * k + c] > p[i * k + best] ? c : best;
            n_right += best == (size_t)ln_data_label(data, i);
            if (k == 2) assert_true(fabsf(p[2 * i] + p[2 * i + 1] - 1) < 1e-6F);
        }
        for (size_t i = n_diagonal = n_all = 0; i < k * k; i++) {
            n_all += confusion[i];
            n_diagonal += i % (k + 1) == 0 ? confusion[i] : 0;
        }
        assert_int_equal(n_all, N_IMAGES);
        assert_int_equal(n_diagonal, m.n_correct);
        assert_int_equal(n_right, m.n_correct);
    }
    assert_true(m.accuracy > 0.9);
}

/* Trains, saves, loads: the file knows the loss with all its arguments, and so what the outputs mean. */
static void check_life(const files *f, const network *n, size_t k) {
    ln_error        error = {0};
    world           w = world_new(NULL, 2, (int)k);
    ln_model *const model = model_of(&w, n->loss, n->lines);
    char            path[512];
    train(model, w.data, "sgd lr=0.2 momentum=0.9", 16, 60);
    check_answers(model, w.data, k);
    if (ln_model_save(model, files_path(f, "one.safetensors", path), &error) != LN_OK) fail_msg("%s", error.message);
    ln_model *const loaded = ln_model_load(w.context, path, &error);
    if (!loaded) fail_msg("%s", error.message);
    assert_memory_equal(loaded->loss.args, model->loss.args, sizeof loaded->loss.args);
    check_answers(loaded, w.data, k);
    ln_model_free(loaded);
    ln_model_free(model);
    world_free(&w);
}

static void test_lives(void **state) {
    static const network one[] = {
        {"bce_with_logits", {"flatten", "linear 1"}},
        {"bce_with_logits pos_weight=1.5 reduction=sum", {"flatten", "linear 1"}},
        {"bce", {"flatten", "linear 1", "sigmoid"}},
        {"mse", {"flatten", "linear 1", "sigmoid"}},
        {"half_squared", {"flatten", "linear 1", "sigmoid"}},
    };
    static const network more[] = {
        {"bce_with_logits pos_weight=1,2,1.5", {"flatten", "linear 3"}},
        {"cross_entropy weight=1,0.3,1.1 label_smoothing=0.01", {"flatten", "linear 3"}},
        {"half_squared", {"flatten", "linear 3", "sigmoid"}},
        {"multi_margin p=2", {"flatten", "linear 3"}},
    };
    for (size_t i = 0; i < sizeof one / sizeof *one; i++) check_life(*state, &one[i], 2);
    for (size_t i = 0; i < sizeof more / sizeof *more; i++) check_life(*state, &more[i], 3);
}

/* Labels that a loss of one output cannot tell apart. */
static void test_too_many_classes(void **state) {
    (void)state;
    world            w = world_new(NULL, 1, 3);
    ln_error         error = {0};
    ln_train_options options = LN_TRAIN_OPTIONS;
    ln_model *const  model = model_of(&w, "bce_with_logits", (const char *[]){"flatten", "linear 1", NULL});
    assert_int_equal(ln_train(model, w.data, &options, &error), LN_E_SHAPE);
    assert_non_null(strstr(error.message, "the data have 3 classes, and the loss bce_with_logits tells 2 apart"));
    ln_model_free(model);
    world_free(&w);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_bad_arguments),
        cmocka_unit_test(test_meanings),
        cmocka_unit_test(test_thresholds),
        cmocka_unit_test(test_nan),
        cmocka_unit_test(test_far_out),
        cmocka_unit_test(test_dead_lanes),
        cmocka_unit_test(test_weights),
        cmocka_unit_test(test_checked),
        cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_mean_by_class),
        cmocka_unit_test_setup_teardown(test_lives, files_setup, files_teardown),
        cmocka_unit_test(test_too_many_classes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
