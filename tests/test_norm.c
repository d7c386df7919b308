/* What golden values do not reach of batchnorm1d, batchnorm2d and layernorm: sums that could cancel, whole networks on
 * any number of threads and every instruction set, one image at a time, buffers in files, frozen layers, steps that are
 * not taken, and batches that are refused. */
#include <math.h>

#include "harness/files.h"
#include "harness/net.h"
#include "harness/op_run.h"

enum { CLASSES = 5, MOST = 250 };

/* ------------------------------------------------------------- cancellation */

/* Deviation about 1, round middle; the first row of each channel elsewhere. */
static float *far_values(size_t n, ln_shape s, float middle, float first_row) {
    const size_t count = n * ln_shape_count(s);
    float *const x = net_floats(3, count);
    for (size_t i = 0; i < count; i++) x[i] = middle + 2 * x[i] + (i / s.w % s.h == 0 ? first_row : 0);
    return x;
}

static void check_near(const char *what, const double *got, const double *want, size_t count, double share) {
    double largest = 0;
    for (size_t i = 0; i < count; i++) largest = fmax(largest, fabs(want[i]));
    for (size_t i = 0; i < count; i++)
        if (!(fabs(got[i] - want[i]) <= share * largest))
            fail_msg("%s[%zu] is %.9g, and %.9g in double precision", what, i, got[i], want[i]);
}

/* Against double precision, in which none of this matters. share: of outputs and gradients; the mean itself is a float,
 * so far from 0 they cannot be better than its last digit. */
static void check_far(const char *line, float middle, float first_row, double share) {
    const ln_shape s = {3, 28, 9};
    const size_t   n = 33, count = n * ln_shape_count(s);
    float *const x = far_values(n, s, middle, first_row), *const dout = net_floats(4, count);
    float one[3 * 28 * 9], zero[3 * 28 * 9] = {0};
    for (size_t i = 0; i < ln_shape_count(s); i++) one[i] = 1;
    const op_run run = {.line = line, .n = n, .in = {s}, .x = {x}, .param = {one, zero, zero, one}, .dout = dout};
    op_run       exact = run, quick = run;
    op_result    want, got;
    ln_error     error = {0};
    exact.isa = LN_ISA_F64;
    quick.isa = LN_ISA_PLAIN;
    if (!op_run_all(&exact, &want, &error) || !op_run_all(&quick, &got, &error)) fail_msg("%s", error.message);
    check_near("out", got.out, want.out, count, share);
    check_near("din", got.din[0], want.din[0], count, share);
    for (size_t i = 0; i < 2; i++) {
        check_near(want.node.param[i].name, got.dparam[i], want.dparam[i], want.node.param[i].count, share);
        if (want.node.n_buffers) check_near("buffer", got.buffer[i], want.buffer[i], s.c, 1e-5);
    }
    op_result_free(&want);
    op_result_free(&got);
    free(x);
    free(dout);
}

static void test_nothing_cancels(void **state) {
    (void)state;
    static const char *const lines[] = {"batchnorm2d", "layernorm"};
    for (size_t i = 0; i < 2; i++) {
        check_far(lines[i], 0, 0, 1e-6);
        check_far(lines[i], 3000, 0, 2e-4);
        check_far(lines[i], -20000, 0, 2e-3);
        check_far(lines[i], 0, 100, 5e-6);
        check_far(lines[i], 1000, -500, 1e-5);
    }
}

/* ----------------------------------------------------------------- networks */

typedef struct network {
    const char *name;
    ln_shape    in;
    const char *lines[NET_LINES];
} network;

static const network networks[] = {
    {"residual",
     {2, 9, 7},
     {"conv2d 18 kernel=3 padding=1 bias=false", "batchnorm2d", "relu as a", "conv2d 18 kernel=3 padding=1",
      "batchnorm2d momentum=0.5", "add a", "relu", "maxpool2d 2", "batchnorm2d affine=false", "flatten", "linear 20",
      "batchnorm1d", "relu", "linear 5"}},
    {"first and last", {3, 6, 6}, {"batchnorm2d", "flatten", "batchnorm1d affine=false", "linear 5", "batchnorm1d"}},
    {"layers",
     {2, 9, 7},
     {"layernorm", "conv2d 6 kernel=3", "layernorm", "relu", "flatten", "layernorm bias=false", "linear 5"}},
    {"both",
     {1, 8, 8},
     {"conv2d 5 kernel=3 as a", "batchnorm2d", "layernorm elementwise_affine=false", "add a", "batchnorm2d", "tanh",
      "flatten", "linear 5"}},
};
enum { N_NETWORKS = sizeof networks / sizeof *networks };

typedef struct images {
    float       *pixels;
    const void **rows;
    int32_t      labels[MOST];
} images;

static images images_new(ln_shape in, size_t n) {
    images x = {.pixels = net_floats(7, n * ln_shape_count(in)), .rows = net_must(malloc(n * sizeof(void *)))};
    for (size_t i = 0; i < n; i++) {
        x.rows[i] = x.pixels + i * ln_shape_count(in);
        x.labels[i] = (int32_t)(i * 7 % 11 % CLASSES);
    }
    return x;
}

static void images_free(images *x) {
    free(x->pixels);
    free(x->rows);
}

static ln_batch batch_of(const images *x, size_t n) {
    return (ln_batch){.rows = x->rows, .is_float = true, .labels = x->labels, .n = n, .preprocess = {1, 0, 1}};
}

static ln_plan *plan_new(ln_model *model, const ln_plan_options *options) {
    ln_plan *plan = NULL;
    ln_error error = {0};
    model->node[0]->n_macs = (uint64_t)1 << 32; /* so that threads seem worth while */
    if (ln_plan_new(model, options, &plan, &error) != LN_OK) fail_msg("%s", error.message);
    return plan;
}

static ln_plan_options training_options(const ln_model *model, size_t room) {
    return (ln_plan_options){.kernels = ln_kernels_of(model->context->isa),
                             .batch = room,
                             .n_threads = ln_context_threads(model->context),
                             .training = true,
                             .n_states = 1};
}

static void take_steps_as(ln_model *model, const images *x, const ln_plan_options *options, size_t n, size_t n_steps) {
    ln_plan *const             plan = plan_new(model, options);
    const ln_batch             batch = batch_of(x, n);
    ln_optimizer_id            optimizer;
    _Alignas(16) unsigned char args[LN_MAX_OPTIM_ARGS];
    assert_int_equal(ln_optimizer_parse("sgd lr=0.1 momentum=0.9", &optimizer, args, NULL), LN_OK);
    for (size_t i = 1; i <= n_steps; i++) {
        const ln_update update = {.args = args, .lr = 0.1, .step = i};
        assert_true(ln_run_step(
            plan, &(ln_step){.batch = &batch, .seed = 1, .number = i, .update = &update, .optimizer = optimizer}));
    }
    ln_plan_free(plan);
}

/* Steps of n images in a plan that has room for more. */
static void take_steps(ln_model *model, const images *x, size_t room, size_t n, size_t n_steps) {
    const ln_plan_options options = training_options(model, room);
    take_steps_as(model, x, &options, n, n_steps);
}

/* All parameters and buffers after three steps; free() them. */
static float *trained(const network *net, const char *isa, int n_threads, size_t room, size_t n, size_t *n_bytes) {
    ln_context *const context = net_context(isa, n_threads);
    ln_model *const   model = net_model(context, net->in, net->lines);
    images            x = images_new(net->in, n);
    take_steps(model, &x, room, n, 3);
    float *const weights = net_weights(model, n_bytes);
    images_free(&x);
    ln_model_free(model);
    ln_context_free(context);
    return weights;
}

static void check_same(const network *net, const char *isa, int n_threads, size_t room, size_t n, const float *want) {
    size_t       n_bytes;
    float *const got = trained(net, isa, n_threads, room, n, &n_bytes);
    for (size_t i = 0; i < n_bytes / sizeof *got; i++) {
        assert_true(isfinite(got[i]));
        if (memcmp(&got[i], &want[i], sizeof *got) != 0)
            fail_msg("%s, %s, %d threads, %zu images in room for %zu: weight %zu is %a, and %a on one thread",
                     net->name, isa ? isa : "best", n_threads, n, room, i, (double)got[i], (double)want[i]);
    }
    free(got);
}

static void test_same_bits(void **state) {
    (void)state;
    static const size_t batches[] = {2, 16, 17, 250};
    static const int    teams[] = {1, 2, 3, 7};
    for (size_t i = 0; i < N_NETWORKS; i++)
        for (size_t b = 0; b < 4; b++) {
            size_t       n_bytes;
            float *const want = trained(&networks[i], NULL, 1, batches[b], batches[b], &n_bytes);
            for (size_t t = 1; t < 4; t++) check_same(&networks[i], NULL, teams[t], batches[b], batches[b], want);
            check_same(&networks[i], NULL, 3, MOST, batches[b], want);
            for (ln_isa isa = LN_ISA_PLAIN; isa < LN_ISA_COUNT; isa++) {
                if (!ln_isa_available(isa) || (isa == LN_ISA_PLAIN && !ln_cpu_has_fma())) continue;
                check_same(&networks[i], ln_isa_name(isa), 1, batches[b], batches[b], want);
                check_same(&networks[i], ln_isa_name(isa), 3, batches[b], batches[b], want);
            }
            free(want);
        }
}

/* A single image has many values a channel, too. */
static void test_one_image(void **state) {
    (void)state;
    const network net = {
        "one", {2, 5, 5}, {"conv2d 3 kernel=3", "batchnorm2d", "relu", "layernorm", "flatten", "linear 5"}};
    size_t       n_bytes;
    float *const want = trained(&net, NULL, 1, 1, 1, &n_bytes);
    check_same(&net, NULL, 3, 1, 1, want);
    check_same(&net, "plain", 2, 64, 1, want);
    free(want);
}

/* --------------------------------------------------------------- prediction */

static float *outputs_of(ln_model *model, const images *x, size_t n, bool image, bool keep_all, size_t *n_units) {
    const ln_plan_options options = {.kernels = ln_kernels_of(model->context->isa),
                                     .batch = n,
                                     .n_threads = ln_context_threads(model->context),
                                     .image = image,
                                     .keep_all = keep_all};
    ln_plan *const        plan = plan_new(model, &options);
    const ln_batch        batch = batch_of(x, n);
    float *const          outputs = net_must(malloc(n * ln_model_outputs(model) * sizeof *outputs));
    ln_run_forward(plan, &batch);
    ln_run_outputs(plan, n, outputs);
    *n_units = plan->n_units;
    ln_plan_free(plan);
    return outputs;
}

/* By blocks behind a convolution or alone, and one image at a time: the same, and far from what training says. */
static void test_prediction(void **state) {
    (void)state;
    static const char *const lines[] = {"conv2d 18 kernel=3 padding=1",
                                        "batchnorm2d",
                                        "relu",
                                        "maxpool2d 2",
                                        "conv2d 5 kernel=3",
                                        "batchnorm2d affine=false",
                                        "flatten",
                                        "linear 33",
                                        "batchnorm1d",
                                        "relu",
                                        "linear 5",
                                        NULL};
    ln_context *const        context = net_context(NULL, 2);
    ln_model *const          model = net_model(context, (ln_shape){2, 9, 7}, lines);
    images                   x = images_new((ln_shape){2, 9, 7}, 17);
    size_t                   fused, alone, one;
    take_steps(model, &x, 17, 17, 5);
    float *const a = outputs_of(model, &x, 17, false, false, &fused), *const b = outputs_of(model, &x, 17, false, true,
                                                                                            &alone);
    float *const c = outputs_of(model, &x, 17, true, false, &one);
    assert_int_equal(fused, 5); /* what begins with a convolution, flatten or a linear layer */
    assert_int_equal(alone, 11);
    assert_memory_equal(a, b, 17 * CLASSES * sizeof *a);
    assert_memory_equal(a, c, 17 * CLASSES * sizeof *a);
    free(a);
    free(b);
    free(c);
    images_free(&x);
    ln_model_free(model);
    ln_context_free(context);
}

/* --------------------------------------------------------- buffers and steps */

static ln_parameter parameter(const ln_model *model, const char *name) {
    for (size_t i = 0; i < ln_model_parameter_count(model); i++)
        if (strcmp(ln_model_parameter(model, i).name, name) == 0) return ln_model_parameter(model, i);
    fail_msg("there is no %s", name);
    return (ln_parameter){0};
}

static void check_values(const ln_model *model, const char *name, bool are_first, float first) {
    const ln_parameter p = parameter(model, name);
    for (size_t i = 0; i < p.count; i++)
        if ((memcmp(&p.values[i], &first, sizeof first) == 0) != are_first)
            fail_msg("%s[%zu] is %g", name, i, (double)p.values[i]);
}

static void test_buffers_are_kept(void **state) {
    files *const f = *state;
    char         path[300];
    ln_model    *model = net_model(f->context, networks[0].in, networks[0].lines);
    images       x = images_new(networks[0].in, 20);
    size_t       n_bytes, n_read;
    check_values(model, "1.weight", true, 1);
    check_values(model, "1.bias", true, 0);
    check_values(model, "1.running_mean", true, 0);
    check_values(model, "1.running_var", true, 1);
    assert_true(parameter(model, "1.bias").learned);
    assert_false(parameter(model, "1.running_var").learned);
    assert_int_equal(ln_model_layer(model, 1).n_parameters, 36);
    take_steps(model, &x, 20, 20, 2);
    check_values(model, "1.weight", false, 1);
    check_values(model, "1.bias", false, 0);
    check_values(model, "1.running_mean", false, 0);
    check_values(model, "1.running_var", false, 1);
    snprintf(path, sizeof path, "%s/a.safetensors", f->folder);
    float *const before = net_weights(model, &n_bytes);
    assert_int_equal(ln_model_save(model, path, NULL), LN_OK);
    ln_model_free(model);
    model = ln_model_load(f->context, path, NULL);
    assert_non_null(model);
    float *const after = net_weights(model, &n_read);
    assert_int_equal(n_read, n_bytes);
    assert_memory_equal(after, before, n_bytes);
    free(before);
    free(after);
    images_free(&x);
    ln_model_free(model);
    assert_int_equal(remove(path), 0);
}

/* A layer on the model's input learns the same whether or not somebody wants the input's gradient. */
static void test_first_layer_learns(void **state) {
    (void)state;
    static const char *const lines[] = {"layernorm", "flatten", "linear 5", NULL};
    float                   *weights[2];
    size_t                   n_bytes;
    for (int i = 0; i < 2; i++) {
        ln_context *const context = net_context(NULL, 2);
        ln_model *const   model = net_model(context, (ln_shape){3, 5, 7}, lines);
        images            x = images_new((ln_shape){3, 5, 7}, 40);
        ln_plan_options   options = training_options(model, 40);
        options.input_gradient = i == 1;
        take_steps_as(model, &x, &options, 40, 2);
        check_values(model, "0.weight", false, 1);
        check_values(model, "0.bias", false, 0);
        weights[i] = net_weights(model, &n_bytes);
        images_free(&x);
        ln_model_free(model);
        ln_context_free(context);
    }
    assert_memory_equal(weights[0], weights[1], n_bytes);
    free(weights[0]);
    free(weights[1]);
}

/* Its parameters stay, its statistics go on; also where nothing before it learns, and nobody makes a gradient. */
static void test_frozen(void **state) {
    (void)state;
    static const char *const lines[] = {"batchnorm2d frozen=true",
                                        "conv2d 4 kernel=3",
                                        "batchnorm2d frozen=true as a",
                                        "layernorm frozen=true as b",
                                        "flatten",
                                        "linear 5",
                                        NULL};
    for (int n_threads = 1; n_threads <= 3; n_threads += 2) {
        ln_context *const context = net_context(NULL, n_threads);
        ln_model *const   model = net_model(context, (ln_shape){2, 6, 6}, lines);
        images            x = images_new((ln_shape){2, 6, 6}, 40);
        take_steps(model, &x, 40, 40, 3);
        static const char *const frozen[] = {"0.weight", "0.bias", "a.weight", "a.bias", "b.weight", "b.bias"};
        for (size_t i = 0; i < 6; i++) check_values(model, frozen[i], true, i % 2 ? 0 : 1);
        check_values(model, "0.running_mean", false, 0);
        check_values(model, "0.running_var", false, 1);
        check_values(model, "a.running_mean", false, 0);
        images_free(&x);
        ln_model_free(model);
        ln_context_free(context);
    }
}

static size_t meetings(const ln_plan *plan, size_t node) {
    size_t n = 0;
    for (size_t i = 0; i < plan->n_phases; i++)
        n += plan->phase[i].kind == LN_PHASE_MEET_BACKWARD && plan->unit[plan->phase[i].unit].first == node;
    return n;
}

/* No gradient is there to be read behind what does not learn; what does learn gets one through a frozen layer. */
static void test_frozen_phases(void **state) {
    (void)state;
    static const char *const lines[] = {
        "batchnorm2d frozen=true", "conv2d 4 kernel=3", "batchnorm2d frozen=true", "flatten", "linear 5", NULL};
    ln_context *const     context = net_context(NULL, 1);
    ln_model *const       model = net_model(context, (ln_shape){2, 6, 6}, lines);
    const ln_plan_options options = training_options(model, 16);
    ln_plan *const        plan = plan_new(model, &options);
    assert_int_equal(meetings(plan, 0), 0);
    assert_int_equal(meetings(plan, 2), 1);
    ln_plan_free(plan);
    ln_model_free(model);
    ln_context_free(context);
}

/* Every learnt tensor and the input are compared; buffers and frozen parameters have no gradient. */
static void test_check(void **state) {
    (void)state;
    static const char *const lines[] = {"conv2d 4 kernel=3",
                                        "batchnorm2d as a",
                                        "tanh",
                                        "layernorm frozen=true",
                                        "flatten",
                                        "linear 6",
                                        "batchnorm1d frozen=true",
                                        "tanh",
                                        "layernorm as b",
                                        "linear 5",
                                        NULL};
    ln_context *const        context = net_context(NULL, 1);
    ln_model *const          model = net_model(context, (ln_shape){2, 6, 6}, lines);
    images                   x = images_new((ln_shape){2, 6, 6}, 40);
    uint8_t                  labels[40];
    for (size_t i = 0; i < 40; i++) labels[i] = (uint8_t)x.labels[i];
    ln_data *const  data = ln_data_from_floats(context, x.pixels, labels, 40, 2, 6, 6, NULL);
    ln_check *const check = ln_check_new(model, data, 40, 1, NULL);
    assert_non_null(check);
    assert_int_equal(check->n_tensors, 2 + 2 + 2 + 2 + 2 + 1);
    for (size_t i = 0; i < check->n_tensors; i++) {
        assert_non_null(check->tensors[i].name);
        assert_true(check->tensors[i].n_checked > 0);
    }
    if (!check->passed) fail_msg("%s", check->verdict);
    ln_check_free(check);
    ln_data_free(data);
    images_free(&x);
    ln_model_free(model);
    ln_context_free(context);
}

static void test_step_not_taken(void **state) {
    (void)state;
    ln_context *const     context = net_context(NULL, 2);
    ln_model *const       model = net_model(context, networks[1].in, networks[1].lines);
    images                x = images_new(networks[1].in, 20);
    const ln_plan_options options = training_options(model, 20);
    ln_plan *const        plan = plan_new(model, &options);
    const ln_batch        batch = batch_of(&x, 20);
    const ln_update       update = {.args = "", .lr = 0.1, .step = 1};
    size_t                n_bytes;
    float *const          before = net_weights(model, &n_bytes);
    x.pixels[77] = NAN;
    assert_false(ln_run_step(plan, &(ln_step){.batch = &batch, .seed = 1, .number = 1, .update = &update}));
    float *const after = net_weights(model, &n_bytes);
    assert_memory_equal(after, before, n_bytes);
    free(before);
    free(after);
    ln_plan_free(plan);
    images_free(&x);
    ln_model_free(model);
    ln_context_free(context);
}

/* ------------------------------------------------------------ what is refused */

static void check_message(const ln_error *error, ln_status status, const char *words) {
    assert_int_equal(error->status, status);
    if (!strstr(error->message, words)) fail_msg("\"%s\" lacks \"%s\"", error->message, words);
}

/* n images in batches: NULL when a trainer is made, or a part of what is said. */
static void check_batches(ln_context *context, const char *const lines[], size_t n, size_t batch, const char *words) {
    ln_model *const  model = net_model(context, (ln_shape){3, 1, 1}, lines);
    float *const     pixels = net_floats(1, n * 3);
    uint8_t *const   labels = net_must(calloc(n, 1));
    ln_data *const   data = ln_data_from_floats(context, pixels, labels, n, 3, 1, 1, NULL);
    ln_train_options options = LN_TRAIN_OPTIONS;
    ln_error         error = {0};
    ln_memory        memory;
    options.batch = batch;
    ln_trainer *const trainer = ln_trainer_new(model, data, &options, &error);
    if (words) {
        assert_null(trainer);
        check_message(&error, LN_E_ARGUMENT, words);
    } else assert_non_null(trainer);
    assert_int_equal(ln_model_memory(model, batch, &options, &memory, &error), LN_OK); /* it only asks */
    ln_trainer_free(trainer);
    ln_data_free(data);
    ln_model_free(model);
    free(pixels);
    free(labels);
}

static void test_single_values_are_refused(void **state) {
    (void)state;
    static const char *const one[] = {"linear 5", "batchnorm1d as norm", NULL}, *const two[] = {"batchnorm2d",
                                                                                                "linear 5", NULL};
    static const char words[] = "layer norm (batchnorm1d): a step of 1 image is too small for it to learn from, it "
                                "wants 2 or more; choose another batch size";
    ln_context *const context = net_context(NULL, 1);
    check_batches(context, one, 10, 1, words);
    check_batches(context, one, 10, 3, words);
    check_batches(context, one, 1, 64, words);
    check_batches(context, one, 10, 4, NULL);
    check_batches(context, one, 10, 10, NULL);
    check_batches(context, two, 10, 3, "layer 0 (batchnorm2d): a step of 1 image");
    check_batches(context, two, 12, 3, NULL);
    ln_context_free(context);
}

static void test_lines_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *line, *words;
        ln_status   status;
    } cases[] = {
        {"batchnorm1d", "layer 0 (batchnorm1d): its input is 2x5x5, and it wants one row of features; use batchnorm2d",
         LN_E_SHAPE},
        {"batchnorm2d momentum=1.5", "momentum", LN_E_ARGUMENT},
        {"batchnorm2d eps=0", "eps", LN_E_ARGUMENT},
        {"batchnorm2d track_running_stats=false", "track_running_stats", LN_E_ARGUMENT},
        {"batchnorm2d init=normal", "init", LN_E_ARGUMENT},
        {"layernorm momentum=0.1", "momentum", LN_E_ARGUMENT},
    };
    ln_context *const context = net_context(NULL, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ln_error              error = {0};
        const char *const     lines[] = {cases[i].line, NULL};
        const ln_model *const model = net_model_or_null(context, (ln_shape){2, 5, 5}, lines, &error);
        assert_null(model);
        check_message(&error, cases[i].status, cases[i].words);
    }
    ln_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nothing_cancels),
        cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_one_image),
        cmocka_unit_test(test_prediction),
        cmocka_unit_test_setup_teardown(test_buffers_are_kept, files_setup, files_teardown),
        cmocka_unit_test(test_first_layer_learns),
        cmocka_unit_test(test_frozen),
        cmocka_unit_test(test_frozen_phases),
        cmocka_unit_test(test_check),
        cmocka_unit_test(test_step_not_taken),
        cmocka_unit_test(test_single_values_are_refused),
        cmocka_unit_test(test_lines_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
