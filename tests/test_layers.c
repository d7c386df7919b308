/* What golden values do not reach: the draws of dropout against a reference of their own, values that are not finite,
 * refusals, gradients of networks that join and repeat layers, one image at a time; and networks drawn from the whole
 * catalogue, trained by different threads and instructions. */
#include "harness/draw.h"

#include <math.h>

static bool usable(ln_isa isa) { return ln_isa_available(isa) && (isa != LN_ISA_PLAIN || ln_cpu_has_fma()); }

/* ------------------------------------------------------------------ dropout */

/* u of op/drop.h, in full. */
static uint32_t draw_of(uint64_t seed, uint32_t layer, uint64_t step, uint32_t image, uint32_t unit) {
    const ln_random random = ln_random_at(seed, LN_RANDOM_LAYER, layer, step);
    const uint32_t  low = (uint32_t)step, high = (uint32_t)(step >> 32);
    uint32_t        word[4], more[4];
    ln_philox((const uint32_t[4]){unit / 8, image, low, high}, random.key, word);
    ln_philox((const uint32_t[4]){0x80000000u + unit, image, low, high}, random.key, more);
    const uint32_t half = word[unit % 8 / 2] >> (unit % 2 ? 16 : 0) & 0xffff;
    return half << 16 | (more[0] & 0xffff);
}

typedef struct drop_case {
    const char *line;
    double      p;
    bool        channels; /* dropout2d */
    ln_shape    in;
    size_t      n;
} drop_case;

static const drop_case drop_cases[] = {
    {"dropout", 0.5, false, {3, 5, 7}, 17},         {"dropout 0.3", 0.3, false, {37, 1, 1}, 40},
    {"dropout p=0.9", 0.9, false, {2, 9, 4}, 1},    {"dropout 0.999", 0.999, false, {5, 6, 8}, 33},
    {"dropout 1e-9", 1e-9, false, {5, 3, 3}, 16},   {"dropout 1", 1, false, {2, 3, 5}, 17},
    {"dropout2d", 0.5, true, {13, 4, 3}, 17},       {"dropout2d 0.3", 0.3, true, {37, 1, 1}, 40},
    {"dropout2d p=0.99", 0.99, true, {8, 2, 2}, 5}, {"dropout2d 1", 1, true, {3, 3, 5}, 17},
    {"dropout 0.1", 0.1, false, {41, 32, 33}, 16}, /* some high halves are T's */
};
enum { SEED = 77, STEP = 5, FIRST_IMAGE = 1000 }; /* as the harness numbers images */

static bool stays(const drop_case *d, size_t image, size_t value) {
    const size_t   unit = d->channels ? value / (d->in.h * d->in.w) : value;
    const uint32_t u = draw_of(SEED, 0, STEP, (uint32_t)(FIRST_IMAGE + image), (uint32_t)unit);
    return (double)u >= d->p * 4294967296.0;
}

/* m · x, as the instruction set rounds. */
static double product(const drop_case *d, bool one_stays, float x, bool is_double) {
    if (!one_stays) return 0;
    return is_double ? (double)x * (1 / (1 - d->p)) : (double)(x * (float)(1 / (1 - d->p)));
}

static void check_drop(const drop_case *d, const bool *stay, ln_isa isa, op_cut cut) {
    const size_t count = ln_shape_count(d->in), total = d->n * count;
    float *const x = net_floats(1, total), *const dy = net_floats(2, total), *const was = net_floats(3, total);
    op_run     run = {.line = d->line,
                      .isa = isa,
                      .n = d->n,
                      .in = {d->in},
                      .x = {x},
                      .dout = dy,
                      .din = {was},
                      .seed = SEED,
                      .step = STEP,
                      .cut = cut};
    const bool wide = isa == LN_ISA_F64;
    op_result  r;
    ln_error   error = {0};
    if (!op_run_all(&run, &r, &error)) fail_msg("%s", error.message);
    if (r.fault[0]) fail_msg("%s: %s", d->line, r.fault);
    for (size_t i = 0; i < total; i++) {
        const double y = cut.inference ? (double)x[i] : product(d, stay[i], x[i], wide);
        const double dx = cut.inference ? 0 : product(d, stay[i], dy[i], wide);
        const double sum = wide ? (double)was[i] + dx : (double)(was[i] + (float)dx);
        if (r.out[i] != y) fail_msg("%s on %s: y[%zu] is %g, not %g", d->line, ln_isa_name(isa), i, r.out[i], y);
        if (!cut.inference && r.din[0][i] != (cut.write == LN_ADD ? sum : dx))
            fail_msg("%s on %s: dx[%zu] is %g", d->line, ln_isa_name(isa), i, r.din[0][i]);
    }
    op_result_free(&r);
    free(x);
    free(dy);
    free(was);
}

/* The reference's mask forward and backward, on all instruction sets, however the work is cut. */
static void test_drop_masks(void **state) {
    (void)state;
    const op_cut cuts[] = {{0},
                           {.n_parts = 3, .band_rows = 2, .task_blocks = 1},
                           {.in_place = true, .band_rows = 1},
                           {.write = LN_ADD, .n_parts = 2},
                           {.inference = true, .band_rows = 2},
                           {.inference = true, .in_place = true}};
    for (size_t i = 0; i < sizeof drop_cases / sizeof *drop_cases; i++) {
        const drop_case *const d = &drop_cases[i];
        const size_t           count = ln_shape_count(d->in);
        bool *const            stay = net_must(malloc(d->n * count));
        for (size_t k = 0; k < d->n * count; k++) stay[k] = stays(d, k / count, k % count);
        for (ln_isa isa = 0; isa < LN_ISA_COUNT; isa++)
            for (size_t k = 0; k < sizeof cuts / sizeof *cuts; k++)
                if (isa == LN_ISA_F64 || ln_isa_available(isa)) check_drop(d, stay, isa, cuts[k]);
        free(stay);
    }
}

/* Of n draws with probability p, zeros and sum are where five deviations allow them; and so are pairs of neighbours. */
static void test_drop_shares(void **state) {
    (void)state;
    const ln_shape in = {20, 30, 30};
    const size_t   count = ln_shape_count(in), n = 16, total = n * count;
    const char    *lines[] = {"dropout 0.5", "dropout 0.1", "dropout 0.9", "dropout 0.999"};
    const double   shares[] = {0.5, 0.1, 0.9, 0.999};
    float *const   ones = net_must(malloc(total * sizeof *ones));
    for (size_t i = 0; i < total; i++) ones[i] = 1;
    for (size_t k = 0; k < 4; k++) {
        const op_run run = {.line = lines[k],
                            .isa = LN_ISA_PLAIN,
                            .n = n,
                            .in = {in},
                            .x = {ones},
                            .dout = ones,
                            .seed = SEED,
                            .step = STEP};
        const double p = shares[k], n_values = (double)total;
        double       sum = 0, zeros = 0, beside = 0, other_image = 0;
        op_result    r;
        assert_true(op_run_all(&run, &r, NULL));
        for (size_t i = 0; i < total; i++) {
            sum += r.out[i];
            zeros += r.out[i] == 0;
            beside += i + 1 < total && r.out[i] == 0 && r.out[i + 1] == 0;
            other_image += i + count < total && r.out[i] == 0 && r.out[i + count] == 0;
        }
        assert_true(fabs(zeros - p * n_values) < 5 * sqrt(n_values * p * (1 - p)));
        assert_true(fabs(sum - n_values) < 5 * sqrt(n_values * p / (1 - p)));
        const double pairs = 5 * sqrt(3 * n_values * p * p * (1 - p));
        assert_true(fabs(beside - p * p * n_values) < pairs);
        assert_true(fabs(other_image - p * p * (n_values - (double)count)) < pairs);
        op_result_free(&r);
    }
    free(ones);
}

/* The outputs of a network over ones. */
static void ones_through(const char *const lines[], uint64_t seed, uint64_t step, float out[20 * 16]) {
    ln_context *const context = net_context(NULL, 1);
    ln_model *const   model = net_model(context, (ln_shape){16, 1, 1}, lines);
    const float       ones[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1};
    const void       *rows[20];
    const int32_t     labels[20] = {0};
    ln_plan          *plan = NULL;
    for (size_t i = 0; i < 20; i++) rows[i] = ones;
    const ln_batch        batch = {.rows = rows, .is_float = true, .labels = labels, .n = 20, .preprocess = {1, 0, 1}};
    const ln_plan_options options = {
        .kernels = ln_kernels_of(context->isa), .batch = 20, .n_threads = 1, .training = true};
    assert_int_equal(ln_plan_new(model, &options, &plan, NULL), LN_OK);
    assert_true(ln_run_step(plan, &(ln_step){.batch = &batch, .seed = seed, .number = step}));
    ln_run_outputs(plan, 20, out);
    ln_plan_free(plan);
    ln_model_free(model);
    ln_context_free(context);
}

/* Another seed, step or layer draws other values. */
static void test_drop_streams(void **state) {
    (void)state;
    const char *const one[] = {"flatten", "dropout", NULL}, *const later[] = {"flatten", "relu", "dropout", NULL};
    float a[20 * 16], b[20 * 16];
    ones_through(one, 1, 1, a);
    ones_through(one, 1, 1, b);
    assert_memory_equal(a, b, sizeof a);
    ones_through(one, 2, 1, b);
    assert_memory_not_equal(a, b, sizeof a);
    ones_through(one, 1, 2, b);
    assert_memory_not_equal(a, b, sizeof a);
    ones_through(one, 1, UINT64_C(1) << 32 | 1, b);
    assert_memory_not_equal(a, b, sizeof a);
    ones_through(later, 1, 1, b);
    assert_memory_not_equal(a, b, sizeof a);
}

/* ------------------------------------------------------- what is not finite */

/* The output of line for one image; free() it. */
static double *output_of(const char *line, ln_isa isa, ln_shape in, const float *x, const float *dout) {
    const op_run run = {.line = line, .isa = isa, .n = 1, .in = {in, in}, .x = {x, x}, .dout = dout};
    op_result    r;
    ln_error     error = {0};
    if (!op_run_all(&run, &r, &error)) fail_msg("%s", error.message);
    double *const out = r.out;
    r.out = NULL;
    op_result_free(&r);
    return out;
}

static void check_softmax(const char *line, ln_isa isa) {
    const float   x[4][2] = {{1000, NAN}, {999, 0}, {-1000, 1}, {1000, 2}}; /* channels of two pixels */
    const float   dy[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    const double  z = 2 + exp(-1);
    const bool    logs = line[0] == 'l';
    double *const y = output_of(line, isa, (ln_shape){4, 1, 2}, x[0], dy);
    const double  want[4] = {1 / z, exp(-1) / z, 0, 1 / z};
    const double  want_log[4] = {-log(z), -1 - log(z), -2000 - log(z), -log(z)};
    for (size_t c = 0; c < 4; c++) {
        assert_true(isnan(y[2 * c + 1]));
        assert_true(fabs(y[2 * c] - (logs ? want_log[c] : want[c])) < (logs ? 2e-4 : 1e-6));
    }
    free(y);
}

/* Windows with a NaN under one of their taps are NaN, and no others. */
static void check_pool(const char *line, ln_isa isa, size_t dilation, size_t out_side) {
    const size_t side = 7, at = 3, kernel = 2, stride = 2;
    float        x[49] = {0};
    float *const dy = net_floats(1, out_side * out_side);
    x[at * side + at] = NAN;
    double *const y = output_of(line, isa, (ln_shape){1, side, side}, x, dy);
    for (size_t h = 0; h < out_side; h++)
        for (size_t w = 0; w < out_side; w++) {
            bool rows = false, columns = false;
            for (size_t k = 0; k < kernel; k++)
                rows |= h * stride + k * dilation == at, columns |= w * stride + k * dilation == at;
            assert_int_equal(isnan(y[h * out_side + w]), rows && columns);
        }
    free(y);
    free(dy);
}

static void test_not_finite(void **state) {
    (void)state;
    const float x[4] = {NAN, 1, NAN, -1}, dy[8] = {1, 1, 1, 1, 1, 1, 1, 1};
    for (ln_isa isa = 0; isa < LN_ISA_COUNT; isa++) {
        if (isa != LN_ISA_F64 && !ln_isa_available(isa)) continue;
        check_softmax("softmax", isa);
        check_softmax("log_softmax", isa);
        check_pool("maxpool2d 2 dilation=2", isa, 2, 3);
        check_pool("maxpool2d 2 ceil_mode=true", isa, 1, 4);
        check_pool("avgpool2d 2 ceil_mode=true", isa, 1, 4);
        double *const dropped = output_of("dropout 1", isa, (ln_shape){4, 1, 1}, x, dy);
        double *const joined = output_of("concat a", isa, (ln_shape){4, 1, 1}, x, dy);
        double *const mean = output_of("adaptive_avgpool2d 1", isa, (ln_shape){1, 2, 2}, x, dy);
        for (size_t i = 0; i < 8; i++) assert_int_equal(isnan(joined[i]), isnan(x[i % 4]));
        for (size_t i = 0; i < 4; i++) assert_int_equal(isnan(dropped[i]), isnan(x[i]));
        assert_true(isnan(mean[0]));
        free(dropped);
        free(joined);
        free(mean);
    }
}

/* ---------------------------------------------------------------- refusals */

static void test_refusals(void **state) {
    (void)state;
    static const struct {
        const char *line;
        ln_shape    in[2];
        const char *message;
    } wrong[] = {
        {"concat a",
         {{3, 4, 4}, {2, 4, 5}},
         "layer 0 (concat): the inputs are 3x4x4 and 2x4x5 (\"a\"), but must have the same height and width: change "
         "strides or padding of the layers before them, or join other ones"},
        {"maxpool2d 2 dilation=2 padding=1",
         {{3, 1, 8}, {0}},
         "layer 0 (maxpool2d): row 0 of its windows holds nothing but padding of the input 3x1x8: use a smaller "
         "dilation, less padding, or a larger input"},
        {"maxpool2d 2 dilation=3 padding=1",
         {{3, 8, 2}, {0}},
         "layer 0 (maxpool2d): column 0 of its windows holds nothing but padding of the input 3x8x2: use a smaller "
         "dilation, less padding, or a larger input"},
        {"maxpool2d 3 dilation=4",
         {{3, 8, 9}, {0}},
         "layer 0 (maxpool2d): kernel 3x3 with dilation 4x4 spans 9x9, more than the input 3x8x9 with padding 0x0: use "
         "a smaller kernel or dilation, or a larger input"},
        {"avgpool2d 3 padding=2",
         {{3, 8, 9}, {0}},
         "layer 0 (avgpool2d): padding 2x2 is more than half of kernel 3x3: use at most padding=1x1, or a larger "
         "kernel"},
        {"conv2d 4 kernel=3 dilation=2x4",
         {{3, 8, 8}, {0}},
         "layer 0 (conv2d): its kernel of 3x3 with dilation 2x4 spans 5x9, more than its input of 3x8x8 with padding "
         "0x0; use a smaller kernel or dilation, or more padding"},
        {"layernorm",
         {{1, 1, 1}, {0}},
         "layer 0 (layernorm): its input is one value, which less its mean is 0 for every image: leave the layer out, "
         "or give the one before it more outputs"},
        {"softmax",
         {{1, 4, 5}, {0}},
         "layer 0 (softmax): its input is 1x4x5, and the share of a single channel is 1 for every image: take sigmoid, "
         "or give the layer before it more channels"},
        {"log_softmax",
         {{1, 1, 1}, {0}},
         "layer 0 (log_softmax): its input is 1x1x1, and the share of a single channel is 1 for every image: take "
         "sigmoid, or give the layer before it more channels"},
        {"concat a",
         {{(size_t)1 << 30, 1, 1}, {((size_t)1 << 30) + 1, 1, 1}},
         "layer 0 (concat): the output 2147483649x1x1 is more than 2^31 values; join smaller ones"},
        {"upsample 1024",
         {{3, 1000, 1000}, {0}},
         "layer 0 (upsample): the output 3x1024000x1024000 is more than 2^31 values; use a smaller scale"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ln_node  node;
        ln_error error = {0};
        assert_false(op_node(wrong[i].line, wrong[i].in, &node, &error));
        assert_string_equal(error.message, wrong[i].message);
    }
}

/* ----------------------------------------------------------- whole networks */

typedef struct network {
    ln_shape    in;
    const char *lines[NET_LINES];
} network;

/* Layers of every kind here, joined in all ways. */
static const network checked[] = {
    {{2, 8, 8}, {"conv2d 4 kernel=3", "dropout2d 0.4", "tanh", "dropout", "flatten", "linear 3"}},
    {{3, 7, 7},
     {"conv2d 3 kernel=3 padding=1 as a", "conv2d 4 kernel=3 padding=1 as b", "concat a as c", "conv2d 2 kernel=1",
      "concat c", "concat input", "tanh", "flatten", "linear 3"}},
    {{2, 6, 6},
     {"conv2d 3 kernel=3 as a", "sigmoid as b", "concat b", "tanh from a as c", "concat b from c", "concat c as d",
      "add d", "concat 2", "flatten", "linear 3"}},
    {{2, 8, 8}, {"conv2d 4 kernel=3", "softmax", "flatten", "linear 5", "log_softmax"}},
    {{2, 8, 8}, {"conv2d 2 kernel=2 stride=2", "upsample", "add input", "tanh", "flatten", "linear 3"}},
    {{3, 9, 8}, {"conv2d 5 kernel=2", "silu", "adaptive_avgpool2d 3x2", "tanh", "adaptive_avgpool2d 1", "flatten"}},
    {{1, 13, 12},
     {"conv2d 6 kernel=3 dilation=2x3 padding=2", "tanh", "conv2d 6 kernel=3x2 dilation=3x2 stride=2x1 groups=6",
      "silu", "conv2d 4 kernel=2 dilation=2 groups=2", "flatten", "linear 3"}},
    {{2, 9, 8},
     {"conv2d 5 kernel=3 padding=1", "relu", "conv2d 5 kernel=3 padding=1 groups=5", "conv2d 5 kernel=3 groups=5",
      "tanh", "conv2d 3 kernel=1", "flatten", "linear 3"}},
    {{2, 11, 12},
     {"conv2d 4 kernel=3", "maxpool2d 2 dilation=2 ceil_mode=true", "avgpool2d 2x3 ceil_mode=true padding=1",
      "avgpool2d 2 stride=1 padding=1 count_include_pad=false", "flatten", "linear 3"}},
};

static void test_gradients(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof checked / sizeof *checked; i++) {
        const ln_shape    in = checked[i].in;
        ln_context *const context = net_context(NULL, 2);
        ln_model *const   model = net_model(context, in, checked[i].lines);
        float *const      pixels = net_floats(3, 9 * ln_shape_count(in));
        const uint8_t     labels[9] = {0, 1, 1, 0, 2, 0, 0, 1, 0};
        ln_error          error = {0};
        ln_data *const    data = ln_data_from_floats(context, pixels, labels, 9, in.c, in.h, in.w, &error);
        (void)ln_model_set_preprocess(model, (ln_preprocess){.scale = 1, .std = 1}, &error);
        ln_check *const check = data ? ln_check_new(model, data, 9, 11, &error) : NULL;
        if (!check) fail_msg("network %zu: %s", i, error.message);
        if (!check->passed) fail_msg("network %zu: %s", i, check->verdict);
        for (size_t k = 0; k < check->n_tensors; k++)
            if (check->tensors[k].n_checked == 0)
                fail_msg("network %zu: %s was not checked", i, check->tensors[k].name);
        ln_check_free(check);
        ln_data_free(data);
        free(pixels);
        ln_model_free(model);
        ln_context_free(context);
    }
}

static const network predicted[] = {
    {{3, 16, 35}, {"conv2d 20 kernel=3 stride=16", "tanh", "flatten", "linear 3"}},
    {{20, 16, 35}, {"conv2d 20 kernel=3 stride=16x1", "tanh", "flatten", "linear 3"}},
    {{2, 15, 17},
     {"conv2d 18 kernel=3 dilation=2x3 padding=2x1", "relu", "conv2d 5 kernel=2x3 dilation=3x2 stride=2", "flatten"}},
    {{1, 40, 40}, {"conv2d 17 kernel=2 dilation=16 padding=1", "conv2d 3 kernel=3 dilation=1x5 stride=3x1", "flatten"}},
    {{2, 11, 12},
     {"conv2d 17 kernel=3", "dropout2d", "maxpool2d 2 dilation=2 ceil_mode=true", "dropout", "upsample 2x3",
      "avgpool2d 2x3 padding=1 ceil_mode=true count_include_pad=false", "adaptive_avgpool2d 3x4", "flatten",
      "linear 3"}},
    {{3, 9, 8},
     {"conv2d 37 kernel=2", "softmax", "conv2d 16 kernel=2", "log_softmax", "flatten", "linear 50", "softmax"}},
    {{2, 7, 7},
     {"conv2d 16 kernel=2 as a", "conv2d 5 kernel=1 as b", "concat a", "concat b as c", "concat c from a",
      "conv2d 3 kernel=2 as d", "concat d", "flatten", "linear 3"}},
    {{3, 8, 9},
     {"conv2d 37 kernel=2", "layernorm", "conv2d 16 kernel=3x5", "layernorm bias=false", "conv2d 20 kernel=2x3",
      "layernorm elementwise_affine=false", "flatten", "linear 50", "layernorm", "linear 3"}},
};

/* So that no parameter is a constant, nor a running variance small. */
static void shake(ln_model *model) {
    ln_random r = ln_random_at(8, LN_RANDOM_CHECK, 0, 0);
    for (size_t i = 0; i < ln_model_parameter_count(model); i++) {
        const ln_parameter p = ln_model_parameter(model, i);
        for (size_t k = 0; k < p.count; k++) p.values[k] += (float)(ln_random_uniform(&r) - 0.5) / 2;
    }
}

/* The outputs of three images, one at a time or in a block of sixteen; NULL and an error where that cannot be. */
static float *predict(ln_model *model, ln_shape in, bool image, ln_error *error) {
    enum { N = 3 };
    const ln_plan_options options = {
        .kernels = ln_kernels_of(model->context->isa), .batch = N, .n_threads = 2, .image = image};
    ln_plan *plan = NULL;
    if (ln_plan_new(model, &options, &plan, error) != LN_OK) return NULL;
    float *const pixels = net_floats(9, N * ln_shape_count(in));
    float *const out = net_must(malloc(N * ln_model_outputs(model) * sizeof *out));
    const void  *rows[N];
    for (size_t i = 0; i < N; i++) rows[i] = pixels + i * ln_shape_count(in);
    ln_run_forward(plan, &(ln_batch){.rows = rows, .is_float = true, .n = N, .preprocess = {.scale = 1, .std = 1}});
    ln_run_outputs(plan, N, out);
    ln_plan_free(plan);
    free(pixels);
    return out;
}

/* Are one image at a time and a block the same to the bit? False where one at a time cannot be, and error says why. */
static bool check_one_image(ln_isa isa, ln_shape in, const char *const lines[], ln_error *error) {
    ln_context *const context = net_context(ln_isa_name(isa), 2);
    ln_model *const   model = net_model(context, in, lines);
    model->node[0]->n_macs += (uint64_t)1 << 32; /* so that threads seem worth while */
    shake(model);
    float *const sixteen = predict(model, in, false, error);
    if (!sixteen) fail_msg("%s", error->message);
    float *const one = predict(model, in, true, error);
    for (size_t k = 0; one && k < 3 * ln_model_outputs(model); k++)
        if (memcmp(&one[k], &sixteen[k], sizeof *one) != 0) {
            for (size_t i = 0; lines[i]; i++) print_error("%s\n", lines[i]);
            fail_msg("%s: output %zu is %g, and %g in a block", ln_isa_name(isa), k, (double)one[k],
                     (double)sixteen[k]);
        }
    const bool compared = one != NULL;
    free(one);
    free(sixteen);
    ln_model_free(model);
    ln_context_free(context);
    return compared;
}

static void test_one_image(void **state) {
    (void)state;
    for (ln_isa isa = 0; isa < LN_ISA_COUNT; isa++)
        for (size_t i = 0; i < sizeof predicted / sizeof *predicted && isa != LN_ISA_F64 && usable(isa); i++) {
            ln_error error = {0};
            if (!check_one_image(isa, predicted[i].in, predicted[i].lines, &error)) fail_msg("%s", error.message);
        }
}

/* ---------------------------------------------------------- drawn networks */

enum { N_DRAWN = 200, N_STEPS = 3, CLASSES = 3 };

static bool has_choice(const char *of, const char *key) {
    for (size_t i = 0; i < DRAW_CHOICES; i++)
        if (strcmp(draw_choices[i].of, of) == 0 && strcmp(draw_choices[i].key, key) == 0) return true;
    return false;
}

static const ln_kind drawn_kinds[] = {LN_KIND_LAYER, LN_KIND_LOSS, LN_KIND_OPTIMIZER};
enum { N_KINDS = sizeof drawn_kinds / sizeof *drawn_kinds };

/* The key of argument j of word i of a kind. */
static void key_of(ln_kind kind, size_t i, size_t j, char key[32]) {
    char text[400];
    assert_true(ln_catalogue_argument(kind, i, j, text, sizeof text) > 0);
    (void)snprintf(key, 32, "%.*s", (int)strcspn(text, " "), text);
}

static bool in_catalogue(ln_kind kind, const draw_choice *c) {
    char key[32];
    for (size_t i = 0; i < ln_catalogue_count(kind); i++)
        for (size_t j = 0; j < ln_catalogue_argument_count(kind, i); j++) {
            key_of(kind, i, j, key);
            if (strcmp(key, c->key) == 0 && (c->of[0] == '*' || strcmp(ln_catalogue_name(kind, i), c->of) == 0))
                return true;
        }
    return false;
}

static void check_choices_of(ln_kind kind) {
    char key[32];
    for (size_t i = 0; i < ln_catalogue_count(kind); i++)
        for (size_t j = 0; j < ln_catalogue_argument_count(kind, i); j++) {
            const char *const of = ln_catalogue_name(kind, i);
            key_of(kind, i, j, key);
            if (!has_choice(of, key) && !has_choice("*", key))
                fail_msg("%s: draw_choices in tests/harness/draw.h says nothing of its argument '%s'; add a row", of,
                         key);
        }
}

/* Every argument of every layer, loss and optimizer has its choices, and every choice its argument. */
static void test_choices(void **state) {
    (void)state;
    for (size_t i = 0; i < N_KINDS; i++) check_choices_of(drawn_kinds[i]);
    for (size_t k = 0; k < DRAW_CHOICES; k++) {
        bool found = false;
        for (size_t i = 0; i < N_KINDS; i++) found |= in_catalogue(drawn_kinds[i], &draw_choices[k]);
        if (!found)
            fail_msg("%s has no argument '%s'; take its row out of draw_choices", draw_choices[k].of,
                     draw_choices[k].key);
    }
}

/* What a training leaves: losses, then parameters and buffers, and their averages (without ema the same again). */
typedef struct trained {
    double    loss[N_STEPS];
    ln_status status; /* of the last step */
    size_t    n_bytes;
    float    *weights, *averages;
} trained;

static ln_train_options options_of(const drawn *net) {
    ln_train_options options = LN_TRAIN_OPTIONS;
    options.batch = net->batch;
    options.optimizer = net->optimizer;
    options.clip_norm = net->clip_norm;
    options.clip_value = net->clip_value;
    options.l2 = net->l2;
    options.ema = net->ema;
    options.decay_weights_only = net->decay_weights_only;
    return options;
}

static ln_model *model_of(ln_context *context, const drawn *net) {
    ln_model *const model = net_model(context, net->in, net->lines);
    ln_error        error = {0};
    model->node[0]->n_macs += (uint64_t)1 << 32; /* so that threads seem worth while */
    if (ln_model_set_loss(model, net->loss, &error) != LN_OK) fail_msg("%s", error.message);
    return model;
}

static trained train(const drawn *net, const ln_data_info *info, const float *pixels, const uint8_t *labels,
                     const char *isa, int n_threads) {
    ln_context *const context = net_context(isa, n_threads);
    ln_model *const   model = model_of(context, net);
    ln_error          error = {0};
    ln_data *const    data = ln_data_from_floats(context, pixels, labels, info->n, info->c, info->h, info->w, &error);
    const ln_train_options options = options_of(net);
    trained                t = {.status = LN_OK};
    (void)ln_model_set_preprocess(model, (ln_preprocess){.scale = 1, .std = 1}, &error);
    ln_trainer *const trainer = ln_trainer_new(model, data, &options, &error);
    if (!trainer) fail_msg("%s", error.message);
    for (size_t i = 0; i < N_STEPS && t.status == LN_OK; i++) {
        ln_metrics metrics = {0};
        t.status = ln_trainer_step(trainer, &metrics, &error);
        t.loss[i] = metrics.loss;
    }
    t.weights = net_weights(model, &t.n_bytes);
    ln_trainer_swap_average(trainer);
    t.averages = net_weights(model, &t.n_bytes);
    ln_trainer_free(trainer);
    ln_data_free(data);
    ln_model_free(model);
    ln_context_free(context);
    return t;
}

static bool same(const trained *a, const trained *b) {
    return a->status == b->status && a->n_bytes == b->n_bytes && memcmp(a->loss, b->loss, sizeof a->loss) == 0 &&
           memcmp(a->weights, b->weights, a->n_bytes) == 0 && memcmp(a->averages, b->averages, a->n_bytes) == 0;
}

static void print_drawn(const drawn *net) {
    for (size_t i = 0; i < net->n; i++) print_error("%s\n", net->lines[i]);
    print_error("%s; %s, clip_norm=%g clip_value=%g l2=%g ema=%g%s\n", net->loss, net->optimizer, net->clip_norm,
                net->clip_value, net->l2, net->ema, net->decay_weights_only ? " decay_weights_only" : "");
}

/* A set of instructions beside the best, another one for every seed; NULL where there is none. */
static const char *other_isa(uint64_t seed) {
    for (uint64_t i = 0; i < LN_ISA_COUNT; i++) {
        const ln_isa isa = (ln_isa)((seed + i) % LN_ISA_COUNT);
        if (isa != LN_ISA_F64 && isa != ln_isa_best() && usable(isa)) return ln_isa_name(isa);
    }
    return NULL;
}

/* The last of the steps takes fewer images. */
static bool check_drawn(const drawn *net, uint64_t seed) {
    const size_t       n = (N_STEPS - 1) * net->batch + net->batch / 2 + 1;
    const ln_data_info info = {.n = n, .c = net->in.c, .h = net->in.h, .w = net->in.w};
    float *const       pixels = net_floats(5, n * ln_shape_count(net->in));
    uint8_t *const     labels = net_must(malloc(n));
    const char *const  isas[] = {NULL, other_isa(seed)};
    for (size_t i = 0; i < n; i++) labels[i] = (uint8_t)(i * 7 % 5 % CLASSES);
    const trained want = train(net, &info, pixels, labels, NULL, 1);
    for (size_t i = 0; i < 2; i++)
        for (int n_threads = 1; n_threads <= 3; n_threads += 2) {
            trained got = train(net, &info, pixels, labels, isas[i], n_threads);
            if (!same(&want, &got)) {
                print_drawn(net);
                fail_msg("seed %d, batches of %zu, %s, %d threads: not the best instruction set's bits on one thread",
                         (int)seed, net->batch, isas[i] ? isas[i] : "best", n_threads);
            }
            free(got.weights);
            free(got.averages);
        }
    const bool finite = want.status == LN_OK;
    free(want.weights);
    free(want.averages);
    free(pixels);
    free(labels);
    return finite;
}

/* Losses and gradients of one step: by a plan that keeps everything and fuses nothing, or as it is trained, or in the
 * smallest bands (band_bytes=1). */
static float *step_of(const drawn *net, bool keep_all, int n_threads, size_t band_bytes, size_t *count) {
    ln_context *const     context = net_context(NULL, n_threads);
    ln_model *const       model = model_of(context, net);
    float *const          pixels = net_floats(5, net->batch * ln_shape_count(net->in));
    const void          **rows = net_must(malloc(net->batch * sizeof *rows));
    int32_t *const        labels = net_must(malloc(net->batch * sizeof *labels));
    const ln_plan_options options = {.kernels = ln_kernels_of(context->isa),
                                     .batch = net->batch,
                                     .n_threads = n_threads,
                                     .training = true,
                                     .keep_all = keep_all,
                                     .band_bytes = band_bytes};
    ln_error              error = {0};
    ln_plan              *plan = NULL;
    for (size_t i = 0; i < net->batch; i++) {
        rows[i] = pixels + i * ln_shape_count(net->in);
        labels[i] = (int32_t)(i * 7 % 5 % CLASSES);
    }
    if (ln_plan_new(model, &options, &plan, &error) != LN_OK) fail_msg("%s", error.message);
    const ln_batch batch = {
        .rows = rows, .is_float = true, .labels = labels, .n = net->batch, .preprocess = {.scale = 1, .std = 1}};
    (void)ln_run_step(plan, &(ln_step){.batch = &batch, .seed = 5, .number = 2});
    float *values = net_must(malloc(net->batch * sizeof *values));
    memcpy(values, ln_run_tensor(plan, false, plan->n_tensors - 1), net->batch * sizeof *values);
    *count = net->batch;
    for (size_t i = 0; i < model->n_nodes; i++)
        for (size_t k = 0; k < model->node[i]->n_params && plan->node[i].policy != LN_POLICY_NONE; k++) {
            const size_t n = model->node[i]->param[k].count;
            values = net_must(realloc(values, (*count + n) * sizeof *values));
            memcpy(values + *count, ln_run_gradient(plan, i, k), n * sizeof *values);
            *count += n;
        }
    ln_plan_free(plan);
    free(pixels);
    free(rows);
    free(labels);
    ln_model_free(model);
    ln_context_free(context);
    return values;
}

static void check_unfused(const drawn *net, uint64_t seed) {
    size_t       n, count;
    float *const want = step_of(net, true, 1, 0, &count);
    for (int way = 0; way < 4; way++) {
        const int    n_threads = 1 + way / 2 * 2;
        const size_t band_bytes = (size_t)way % 2;
        float *const got = step_of(net, false, n_threads, band_bytes, &n);
        assert_int_equal(n, count);
        if (memcmp(want, got, n * sizeof *got) != 0) {
            print_drawn(net);
            fail_msg("seed %d, batches of %zu, %d threads, %s bands: not the bits of an unfused plan", (int)seed,
                     net->batch, n_threads, band_bytes > 0 ? "the smallest" : "the usual");
        }
        free(got);
    }
    free(want);
}

static void test_unfused(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof checked / sizeof *checked; i++) {
        drawn net = {.in = checked[i].in, .batch = 37, .loss = "cross_entropy"};
        while (checked[i].lines[net.n]) net.lines[net.n] = checked[i].lines[net.n], net.n++;
        check_unfused(&net, i);
    }
}

static bool begins_with(const char *line, const char *word) {
    const size_t length = strlen(word);
    return strncmp(line, word, length) == 0 && strchr(" ", line[length]);
}

static void see(const drawn *net, bool seen[LN_OP_COUNT]) {
    for (size_t k = 0; k < LN_OP_COUNT; k++) {
        seen[k] |= begins_with(net->loss, ln_ops[k]->name);
        for (size_t i = 0; i < net->n; i++) seen[k] |= begins_with(net->lines[i], ln_ops[k]->name);
    }
}

static void assert_all_seen(const bool seen[LN_OP_COUNT], const char *where) {
    for (size_t k = 0; k < LN_OP_COUNT; k++)
        if (!seen[k]) fail_msg("no %s has a %s", where, ln_ops[k]->name);
}

static void test_drawn(void **state) {
    (void)state;
    bool   seen[LN_OP_COUNT] = {false}, optimizer[LN_OPTIMIZER_COUNT] = {false};
    size_t n_finite = 0;
    for (uint64_t seed = 0; seed < N_DRAWN; seed++) {
        drawn net;
        draw_network(&net, seed, 0);
        see(&net, seen);
        for (size_t i = 0; i < LN_OPTIMIZER_COUNT; i++)
            optimizer[i] |= begins_with(net.optimizer, ln_optimizers[i]->name);
        check_unfused(&net, seed);
        n_finite += check_drawn(&net, seed);
    }
    assert_all_seen(seen, "network");
    for (size_t i = 0; i < LN_OPTIMIZER_COUNT; i++) assert_true(optimizer[i]);
    assert_in_range(n_finite, N_DRAWN * 9 / 10, N_DRAWN);
}

/* Convolutions with groups alone cannot be run one image at a time; they read the model's input through a whole one, as
 * most layers cannot. */
static void test_drawn_one_image(void **state) {
    (void)state;
    bool seen[LN_OP_COUNT] = {false};
    for (uint64_t seed = 0; seed < N_DRAWN; seed++) {
        drawn    net;
        ln_error error = {0};
        draw_network(&net, seed, 1 + seed % 40);
        bool groups = false, compared = true;
        for (size_t i = 0; i < net.n; i++) groups |= strstr(net.lines[i], "groups=") != NULL;
        for (ln_isa isa = 0; isa < LN_ISA_COUNT && compared; isa++)
            if (isa != LN_ISA_F64 && usable(isa)) compared = check_one_image(isa, net.in, net.lines, &error);
        if (compared) see(&net, seen);
        else if (!groups || !strstr(error.message, "its groups do not share inputs"))
            fail_msg("seed %d: %s", (int)seed, error.message);
    }
    assert_all_seen(seen, "network that can be predicted one image at a time");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drop_masks), cmocka_unit_test(test_drop_shares),     cmocka_unit_test(test_drop_streams),
        cmocka_unit_test(test_not_finite), cmocka_unit_test(test_refusals),        cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_one_image),  cmocka_unit_test(test_choices),         cmocka_unit_test(test_unfused),
        cmocka_unit_test(test_drawn),      cmocka_unit_test(test_drawn_one_image),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
