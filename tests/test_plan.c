/* Plans: whatever a planner decides (units, bands, chunks, threads, places in memory, parts or blocks) must not change
 * a bit of a loss or a gradient. Every network below is run by a plan that keeps everything and fuses nothing, on one
 * thread; then by fused plans for 1, 2, 3 and 7 threads, on batches that fill no block, one, and several, and on every
 * instruction set. Its gradients are compared to differences too. Among the networks are ops that are not in the list,
 * for kinds of ops that it lacks: one that needs the whole batch, one that draws. */
#include "harness/net.h"

#include <math.h>

/* ---------------------------------------------------------------- networks */

typedef struct network {
    const char *name;
    ln_shape    in;
    const char *lines[NET_LINES];
    bool        large; /* too slow for plain C and double precision */
} network;

static const network networks[] = {
    {"residual",
     {3, 12, 12},
     {"conv2d 8 kernel=3 padding=1", "relu as r", "conv2d 8 kernel=3 padding=1", "relu", "conv2d 8 kernel=3 padding=1",
      "add r", "relu", "flatten", "linear 10"},
     false},
    {"x + x", {2, 8, 8}, {"conv2d 6 kernel=3", "sigmoid as s", "add s", "flatten", "linear 5"}, false},
    {"x + x in a unit", {2, 8, 8}, {"conv2d 6 kernel=3 as c", "add c", "relu", "flatten", "linear 5"}, false},
    {"input + layer", {4, 8, 8}, {"conv2d 4 kernel=3 padding=1", "add input", "tanh", "flatten", "linear 5"}, false},
    {"three readers",
     {2, 9, 9},
     {"conv2d 4 kernel=3 as a", "relu as b", "conv2d 4 kernel=3 padding=1 from b as c", "add b from c", "add a",
      "maxpool2d 2", "flatten", "linear 4"},
     false},
    {"two paddings",
     {2, 10, 10},
     {"conv2d 4 kernel=5 padding=2 as a", "conv2d 4 kernel=3 padding=1 from input", "add a as x",
      "conv2d 3 kernel=3x5 "
      "padding=1x2 as b",
      "conv2d 3 kernel=1 from x", "add b", "relu", "flatten", "linear 6"},
     false},
    {"flatten beside padding",
     {2, 8, 8},
     {"conv2d 3 kernel=3 as a", "conv2d 3 kernel=3 padding=1 from a as b", "flatten from a as f", "flatten from b",
      "add f", "linear 5"},
     false},
    {"flatten before local layers", {2, 8, 8}, {"conv2d 3 kernel=3", "sigmoid", "flatten", "relu", "linear 5"}, false},
    {"flatten after tanh",
     {2, 8, 8},
     {"conv2d 3 kernel=3", "tanh", "flatten", "tanh", "sigmoid", "relu", "linear 5"},
     false},
    {"flatten first", {1, 6, 6}, {"flatten", "relu", "tanh", "linear 5"}, false},
    {"flatten between linears",
     {1, 4, 4},
     {"flatten", "linear 40", "relu", "flatten", "linear 30", "tanh", "linear 4"},
     false},
    {"overlapping pools",
     {3, 15, 15},
     {"conv2d 6 kernel=3", "relu", "maxpool2d 3 stride=2", "conv2d 5 kernel=3 padding=1", "tanh",
      "avgpool2d 3 stride=1 padding=1", "flatten", "linear 7"},
     false},
    {"pools with gaps and rests",
     {2, 17, 19},
     {"conv2d 5 kernel=3x2 stride=1x2", "avgpool2d 2x1 stride=3x2", "relu", "maxpool2d 2 stride=2 padding=1", "flatten",
      "linear 3"},
     false},
    {"pool first",
     {3, 12, 12},
     {"maxpool2d 2", "relu", "conv2d 20 kernel=3", "avgpool2d 2", "flatten", "linear 5"},
     false},
    {"groups and strides",
     {4, 13, 11},
     {"conv2d 8 kernel=3 stride=2 padding=1 groups=4 bias=false", "sigmoid", "conv2d 6 kernel=2x3 groups=2", "relu",
      "flatten", "linear 5"},
     false},
    {"bands",
     {3, 32, 32},
     {"conv2d 64 kernel=3", "relu", "maxpool2d 2", "conv2d 40 kernel=3", "relu", "maxpool2d 2", "flatten", "linear 10"},
     true},
    {"bands behind padding",
     {8, 30, 30},
     {"conv2d 16 kernel=5 padding=2", "relu", "maxpool2d 2", "conv2d 64 kernel=3 padding=1", "relu", "relu",
      "avgpool2d 3", "flatten", "linear 4"},
     true},
    {"large weights", {1, 24, 24}, {"flatten", "linear 600", "relu", "linear 500", "tanh", "linear 10"}, true},
    {"large weights behind a convolution",
     {1, 20, 20},
     {"conv2d 8 kernel=5 padding=2", "relu", "maxpool2d 2", "flatten", "linear 400", "relu", "linear 10"},
     true},
    {"whole batch",
     {2, 9, 9},
     {"conv2d 6 kernel=3", "centre init=normal std=1", "relu", "maxpool2d 2", "flatten", "centre init=normal std=1",
      "linear 5"},
     false},
    {"whole batch first",
     {2, 6, 6},
     {"centre init=normal std=1", "flatten", "linear 5", "centre init=normal std=1"},
     false},
    {"whole batch with two readers",
     {2, 8, 8},
     {"conv2d 4 kernel=3 padding=1 as a", "centre init=normal std=1", "tanh", "add a", "conv2d 4 kernel=3 padding=1",
      "centre init=normal std=1", "flatten", "linear 5"},
     false},
    {"behind a normalisation",
     {3, 32, 32},
     {"conv2d 24 kernel=3 padding=1 as a", "batchnorm2d", "add a", "relu", "maxpool2d 2", "conv2d 6 kernel=3",
      "batchnorm2d affine=false", "tanh", "avgpool2d 2", "flatten", "linear 4"},
     false},
    {"frozen head before a join",
     {2, 9, 9},
     {"relu as x", "conv2d 4 kernel=3 padding=1 as a", "conv2d 4 kernel=1 frozen=true from x", "add a", "relu",
      "flatten", "linear 4"},
     false},
    {"random",
     {2, 9, 9},
     {"conv2d 6 kernel=3", "relu", "drop 0.3", "maxpool2d 2", "flatten", "drop", "linear 20", "drop 0.2", "linear 5"},
     false},
    {"deep unit",
     {2, 16, 16},
     {"conv2d 8 kernel=3", "relu", "tanh", "relu", "sigmoid", "maxpool2d 2", "relu", "tanh", "relu", "tanh", "flatten",
      "linear 5"},
     false},
    {"no parameters before", {5, 1, 1}, {"tanh", "linear 3", "linear 2"}, false},
};
enum { N_NETWORKS = sizeof networks / sizeof *networks, CLASSES = 2, N_DRAWN = 300 };

/* -------------------------------------------------------------------- runs */

typedef struct images {
    size_t       n;
    float       *pixels;
    const void **rows;
    int32_t     *labels;
    uint32_t    *numbers;
} images;

static images images_new(ln_shape in, size_t n) {
    images x = {n, net_floats(7, n * ln_shape_count(in)), net_must(malloc(n * sizeof(void *))), net_must(malloc(n * 4)),
                net_must(malloc(n * 4))};
    for (size_t i = 0; i < n; i++) {
        x.rows[i] = x.pixels + i * ln_shape_count(in);
        x.labels[i] = (int32_t)(i * 7 % 5 % CLASSES);
        x.numbers[i] = (uint32_t)(1000 + i * i);
    }
    return x;
}

static void images_free(images *x) {
    free(x->pixels);
    free(x->rows);
    free(x->labels);
    free(x->numbers);
}

typedef struct way {
    const char *isa;
    int         n_threads;
    size_t      batch, room;
    bool        keep_all, input_gradient;
} way;

/* What a step leaves: the images' losses, outputs and all parameter gradients, in a row. */
typedef struct result {
    size_t count;
    float *values;
} result;

static void take(result *r, const void *from, size_t count) {
    r->values = net_must(realloc(r->values, (r->count + count) * sizeof(float)));
    memcpy(r->values + r->count, from, count * sizeof(float));
    r->count += count;
}

static void take_results(const ln_plan *plan, size_t n, result *r) {
    const size_t outputs = ln_model_outputs(plan->model);
    float *const out = net_must(malloc(n * outputs * sizeof *out));
    take(r, ln_run_tensor(plan, false, plan->n_tensors - 1), n);
    ln_run_outputs(plan, n, out);
    take(r, out, n * outputs);
    free(out);
    for (size_t i = 0; i < plan->model->n_nodes; i++)
        for (size_t k = 0; k < plan->model->node[i]->n_params; k++)
            take(r, ln_run_gradient(plan, i, k), plan->model->node[i]->param[k].count);
}

/* A plan's account of itself must be the context's. */
static ln_plan *plan_checked(ln_model *model, const ln_plan_options *options) {
    size_t   measured = 0, before, measuring, after;
    int      n_threads = 0;
    ln_error error = {0};
    ln_plan *plan = NULL;
    ln_context_memory(model->context, &before, NULL);
    assert_int_equal(ln_plan_measure(model, options, &measured, &n_threads, &error), LN_OK);
    ln_context_memory(model->context, &measuring, NULL);
    assert_int_equal(measuring, before);
    if (ln_plan_new(model, options, &plan, &error) != LN_OK) fail_msg("%s", error.message);
    ln_context_memory(model->context, &after, NULL);
    const size_t n = plan->n_nodes, head = 64;
    const size_t description = sizeof(ln_plan) + n * (sizeof(ln_plan_node) + sizeof(ln_unit)) +
                               (n + 1) * 2 * sizeof(ln_slot) + (8 * n + 2) * (sizeof(ln_phase) + sizeof(ln_segment));
    assert_int_equal(plan->n_bytes, measured);
    assert_int_equal(plan->n_threads, n_threads);
    assert_int_equal(after - before, measured + description + 2 * head);
    return plan;
}

/* Two steps, since what one leaves in memory must not disturb the next; then look, unless it is NULL. n_threads: how
 * many the plan took. */
static result run(const network *net, const way *w, void (*look)(const ln_plan *, size_t n), int *n_threads) {
    ln_context *const context = net_context(w->isa, w->n_threads);
    ln_model *const   model = net_model(context, net->in, net->lines);
    images            x = images_new(net->in, w->batch);
    model->node[0]->n_macs += (uint64_t)1 << 32; /* so that threads seem worth while */
    const ln_plan_options options = {.kernels = ln_kernels_of(context->isa),
                                     .batch = w->room ? w->room : w->batch,
                                     .n_threads = w->n_threads,
                                     .training = true,
                                     .keep_all = w->keep_all,
                                     .input_gradient = w->input_gradient};
    const ln_batch        batch = {.rows = x.rows,
                                   .is_float = true,
                                   .labels = x.labels,
                                   .images = x.numbers,
                                   .n = w->batch,
                                   .preprocess = {1, 0, 1}};
    const ln_batch        other = {.rows = x.rows,
                                   .is_float = true,
                                   .labels = x.labels,
                                   .images = x.numbers,
                                   .n = (w->batch + 1) / 2,
                                   .preprocess = {3, 1, 2}};
    ln_plan *const        plan = plan_checked(model, &options);
    result                r = {0};
    assert_true(ln_run_step(plan, &(ln_step){.batch = &other, .seed = 1, .number = 1}));
    assert_true(ln_run_step(plan, &(ln_step){.batch = &batch, .seed = 5, .number = 2}));
    take_results(plan, w->batch, &r);
    if (look) look(plan, w->batch);
    if (n_threads) *n_threads = plan->n_threads;
    ln_plan_free(plan);
    images_free(&x);
    ln_model_free(model);
    ln_context_free(context);
    return r;
}

/* r is freed. */
static void check_same(const network *net, const way *w, const result *want, result *r) {
    assert_int_equal(r->count, want->count);
    for (size_t i = 0; i < r->count; i++)
        if (memcmp(&r->values[i], &want->values[i], sizeof *r->values) != 0)
            fail_msg("%s, %s, %d threads, %zu images%s: value %zu of %zu is %a, and %a unfused on one thread",
                     net->name, w->isa ? w->isa : "best", w->n_threads, w->batch, w->keep_all ? ", all kept" : "", i,
                     r->count, (double)r->values[i], (double)want->values[i]);
    free(r->values);
}

static const size_t batches[] = {1, 5, 16, 17, 50, 64};
static const int    teams[] = {1, 2, 3, 7};

static void check_threads(const network *net, size_t batch) {
    const result want = run(net, &(way){.n_threads = 1, .batch = batch, .keep_all = true}, NULL, NULL);
    for (size_t i = 0; i < want.count; i++) assert_true(isfinite(want.values[i]));
    for (size_t i = 0; i < sizeof teams / sizeof *teams; i++) {
        const way w = {.n_threads = teams[i], .batch = batch};
        int       taken;
        result    r = run(net, &w, NULL, &taken);
        assert_int_equal(taken, teams[i]);
        check_same(net, &w, &want, &r);
    }
    const way inner = {.n_threads = 2, .batch = batch, .input_gradient = true};
    result    r = run(net, &inner, NULL, NULL);
    check_same(net, &inner, &want, &r);
    free(want.values);
}

static void test_plans(void **state) {
    (void)state;
    for (size_t i = 0; i < N_NETWORKS; i++)
        for (size_t k = 0; k < sizeof batches / sizeof *batches; k++) check_threads(&networks[i], batches[k]);
}

/* Three blocks on two threads, and sets of instructions. */
static void test_instructions(void **state) {
    (void)state;
    for (size_t i = 0; i < N_NETWORKS; i++) {
        const size_t batch = networks[i].large ? 17 : 35;
        const result want = run(&networks[i], &(way){.n_threads = 1, .batch = batch, .keep_all = true}, NULL, NULL);
        for (ln_isa isa = LN_ISA_PLAIN; isa < LN_ISA_COUNT; isa++) {
            const way w = {.isa = ln_isa_name(isa), .n_threads = 2, .batch = batch};
            if (!ln_isa_available(isa) || (isa == LN_ISA_PLAIN && !ln_cpu_has_fma())) continue;
            result r = run(&networks[i], &w, NULL, NULL);
            check_same(&networks[i], &w, &want, &r);
        }
        free(want.values);
    }
}

/* Gradients that are written past the caches (of whole vectors, shared out by outputs and by inputs), and one as large
 * whose rows begin anywhere. Some of each layer's weights, at places of all kinds, are summed again here. */
static void check_sums(const ln_plan *plan, size_t n) {
    for (size_t k = 0; k < plan->model->n_nodes; k++) {
        const ln_node *const node = plan->model->node[k];
        if (node->n_params == 0) continue;
        const ln_plan_node *const at = &plan->node[k];
        const float *const        x = ln_run_tensor(plan, false, at->tensor_in[0]);
        const float *const        dy = ln_run_tensor(plan, true, at->tensor_out), *dw = ln_run_gradient(plan, k, 0);
        const size_t              in = node->in[0].c, out = node->out.c;
        for (size_t i = 0; i < in * out; i += 61) {
            float sum = 0;
            for (size_t b = 0; b < n; b++)
                sum = fmaf(dy[(b / LN_LANES * out + i / in) * LN_LANES + b % LN_LANES],
                           x[(b / LN_LANES * in + i % in) * LN_LANES + b % LN_LANES], sum);
            if (memcmp(&sum, &dw[i], sizeof sum) != 0)
                fail_msg("layer %zu: the gradient of weight %zu is %a, not %a", k, i, (double)dw[i], (double)sum);
        }
    }
}

static void test_large_gradients(void **state) {
    (void)state;
    static const network large[] = {
        {"past the caches", {1, 43, 48}, {"flatten", "linear 2033", "linear 2064", "linear 2"}, true},
        {"past the caches by inputs", {2, 256, 256}, {"flatten", "linear 32", "linear 2"}, true},
    };
    const size_t batch = 17;
    for (size_t i = 0; i < 2; i++) {
        const result want = run(&large[i], &(way){.n_threads = 1, .batch = batch, .keep_all = true},
                                ln_cpu_has_fma() ? check_sums : NULL, NULL);
        for (ln_isa isa = LN_ISA_PLAIN; isa < LN_ISA_COUNT; isa++) {
            const way w = {.isa = ln_isa_name(isa), .n_threads = teams[1 + isa % 3], .batch = batch};
            if (!ln_isa_available(isa) || (isa == LN_ISA_PLAIN && !ln_cpu_has_fma())) continue;
            result r = run(&large[i], &w, NULL, NULL);
            check_same(&large[i], &w, &want, &r);
        }
        free(want.values);
    }
}

/* The last batch of an epoch runs in a plan that is larger than it: by whatever threads, the same. */
static void test_small_batch_in_large_plan(void **state) {
    (void)state;
    for (size_t i = 0; i < N_NETWORKS; i++) {
        const result want = run(&networks[i], &(way){.n_threads = 1, .batch = 21, .room = 64}, NULL, NULL);
        for (size_t k = 1; k < sizeof teams / sizeof *teams; k++) {
            const way w = {.n_threads = teams[k], .batch = 21, .room = 64};
            result    r = run(&networks[i], &w, NULL, NULL);
            check_same(&networks[i], &w, &want, &r);
        }
        free(want.values);
    }
}

/* Networks that nobody chose. */
static void test_drawn_networks(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < N_DRAWN; seed++) {
        net_drawn drawn;
        network   net = {.name = "drawn"};
        net_draw(&drawn, seed, true);
        net.in = drawn.in;
        memcpy(net.lines, drawn.lines, sizeof net.lines);
        const size_t batch = batches[seed % (sizeof batches / sizeof *batches)];
        const result want = run(&net, &(way){.n_threads = 1, .batch = batch, .keep_all = true}, NULL, NULL);
        for (size_t i = 0; i < sizeof teams / sizeof *teams; i++) {
            const ln_isa isa = (ln_isa)(LN_ISA_PLAIN + (seed + i) % (LN_ISA_COUNT - LN_ISA_PLAIN));
            const bool   has = ln_isa_available(isa) && (isa != LN_ISA_PLAIN || ln_cpu_has_fma());
            const way    w = {.isa = has ? ln_isa_name(isa) : NULL,
                              .n_threads = teams[i],
                              .batch = batch,
                              .input_gradient = seed % 3 == 0};
            result       r = run(&net, &w, NULL, NULL);
            if (r.count == want.count && memcmp(r.values, want.values, r.count * sizeof *r.values) != 0)
                for (size_t k = 0; k < drawn.n; k++) print_error("seed %d: %s\n", (int)seed, drawn.lines[k]);
            check_same(&net, &w, &want, &r);
        }
        free(want.values);
    }
}

/* What the networks are here for. */
static void test_decisions(void **state) {
    (void)state;
    ln_context *const context = net_context(NULL, 2);
    bool              by_rows = false, by_channels = false, parts = false, large_parts = false, copies = false;
    for (size_t i = 0; i < N_NETWORKS; i++)
        for (size_t batch = 33; batch <= 64; batch += 31) {
            ln_model *const model = net_model(context, networks[i].in, networks[i].lines);
            ln_plan        *plan = NULL;
            model->node[0]->n_macs += (uint64_t)1 << 32;
            const ln_plan_options options = {
                .kernels = ln_kernels_of(context->isa), .batch = batch, .n_threads = 2, .training = true};
            assert_int_equal(ln_plan_new(model, &options, &plan, NULL), LN_OK);
            for (size_t u = 0; u < plan->n_units; u++) {
                const ln_unit *const unit = &plan->unit[u];
                by_rows |= unit->forward.rows < plan->node[unit->last].node->out.h;
                by_channels |= unit->backward.channels < plan->node[unit->first].node->out.c;
                parts |= unit->parts && batch == 33;
                large_parts |= unit->parts && batch == 64;
            }
            for (size_t k = 0; k < plan->n_nodes; k++)
                copies |= plan->node[k].runs && (plan->node[k].node->op->traits & LN_VIEW);
            ln_plan_free(plan);
            ln_model_free(model);
        }
    assert_true(by_rows);
    assert_true(by_channels);
    assert_true(parts);
    assert_true(large_parts);
    assert_true(copies);
    ln_context_free(context);
}

/* The bands of one block that threads share are made for each thread's channels: all of them at once where there are
 * many threads, though one alone would cut them. */
static void test_bands_of_parts(void **state) {
    (void)state;
    const network net = {
        "shared", {1, 8, 8}, {"conv2d 28 kernel=3 padding=1", "relu", "maxpool2d 2", "flatten", "linear 2"}, false};
    for (size_t i = 0; i < sizeof teams / sizeof *teams; i++) {
        const size_t      n = (size_t)teams[i], rows = 4;
        ln_context *const context = net_context(NULL, teams[i]);
        ln_model *const   model = net_model(context, net.in, net.lines);
        ln_plan          *plan = NULL;
        model->node[0]->n_macs += (uint64_t)1 << 32;
        const ln_plan_options options = {
            .kernels = ln_kernels_of(context->isa), .batch = 16, .n_threads = teams[i], .training = true};
        assert_int_equal(ln_plan_new(model, &options, &plan, NULL), LN_OK);
        const ln_unit *const u = &plan->unit[0];
        const bool           forward = u->forward.rows == rows && u->forward.channels * n >= 28;
        const bool           backward = u->backward.rows == rows && u->backward.channels * n >= 28;
        assert_int_equal(u->parts, n > 1);
        assert_int_equal(u->last, 2);
        assert_true(u->forward.channels * (n - 1) < 28 && u->backward.channels * (n - 1) < 28);
        assert_int_equal(forward, n == 7);
        assert_int_equal(backward, n == 7);
        ln_plan_free(plan);
        ln_model_free(model);
        ln_context_free(context);
    }
}

/* -------------------------------------------------------------- gradients */

static void test_gradients(void **state) {
    (void)state;
    for (size_t i = 0; i < N_NETWORKS; i++) {
        const network *const net = &networks[i];
        if (net->large) continue;
        ln_context *const context = net_context(NULL, 2);
        ln_model *const   model = net_model(context, net->in, net->lines);
        float *const      pixels = net_floats(3, 9 * ln_shape_count(net->in));
        const uint8_t     labels[9] = {0, 1, 1, 0, 1, 0, 0, 1, 0};
        ln_error          error = {0};
        ln_data *const data = ln_data_from_floats(context, pixels, labels, 9, net->in.c, net->in.h, net->in.w, &error);
        (void)ln_model_set_preprocess(model, (ln_preprocess){1, 0, 1}, &error);
        ln_check *const check = data ? ln_check_new(model, data, 9, 11, &error) : NULL;
        if (!check) fail_msg("%s: %s", net->name, error.message);
        if (!check->passed) fail_msg("%s: %s", net->name, check->verdict);
        for (size_t k = 0; k < check->n_tensors; k++)
            if (check->tensors[k].n_checked == 0) fail_msg("%s: %s was not checked", net->name, check->tensors[k].name);
        ln_check_free(check);
        ln_data_free(data);
        free(pixels);
        ln_model_free(model);
        ln_context_free(context);
    }
}

/* -------------------------------------------------- ops that are not in the list */

static ln_plan *plan_of(ln_model *model, size_t batch, bool training) {
    const ln_plan_options options = {
        .kernels = ln_kernels_of(model->context->isa), .batch = batch, .n_threads = 1, .training = training};
    ln_plan *plan = NULL;
    assert_int_equal(ln_plan_new(model, &options, &plan, NULL), LN_OK);
    return plan;
}

/* Dead lanes are in no mean: every output's mean over the live images is zero. */
static void test_centre(void **state) {
    (void)state;
    const char *const lines[] = {"flatten", "centre init=normal std=1", NULL};
    const ln_shape    in = {1, 2, 3};
    ln_context *const context = net_context(NULL, 1);
    ln_model *const   model = net_model(context, in, lines);
    for (size_t b = 0; b < sizeof batches / sizeof *batches; b++) {
        const size_t   n = batches[b];
        images         x = images_new(in, n);
        ln_plan *const plan = plan_of(model, n, true);
        const ln_batch batch = {.rows = x.rows, .is_float = true, .labels = x.labels, .n = n, .preprocess = {1, 0, 1}};
        float          out[64 * 6];
        assert_true(ln_run_step(plan, &(ln_step){.batch = &batch, .number = 1}));
        ln_run_outputs(plan, n, out);
        for (size_t c = 0; c < 6; c++) {
            double mean = 0, largest = 0;
            for (size_t i = 0; i < n; i++)
                mean += (double)out[i * 6 + c], largest = fmax(largest, fabs((double)out[i * 6 + c]));
            if (n == 1) assert_true(largest == 0);
            else assert_true(largest > 0);
            assert_true(fabs(mean / (double)n) < 1e-6);
        }
        ln_plan_free(plan);
        images_free(&x);
    }
    ln_model_free(model);
    ln_context_free(context);
}

/* The output of `flatten, drop` over ones. */
static void drop_once(ln_model *model, bool training, uint64_t seed, uint64_t step, uint32_t first, float *out) {
    const float    ones[6] = {1, 1, 1, 1, 1, 1};
    const void    *rows[20];
    uint32_t       numbers[20];
    const int32_t  labels[20] = {0};
    ln_plan *const plan = plan_of(model, 20, training);
    for (uint32_t i = 0; i < 20; i++) rows[i] = ones, numbers[i] = first + i;
    const ln_batch batch = {
        .rows = rows, .is_float = true, .labels = labels, .images = numbers, .n = 20, .preprocess = {1, 0, 1}};
    if (training) assert_true(ln_run_step(plan, &(ln_step){.batch = &batch, .seed = seed, .number = step}));
    else ln_run_forward(plan, &batch);
    ln_run_outputs(plan, 20, out);
    ln_plan_free(plan);
}

static void test_drop(void **state) {
    (void)state;
    const char *const lines[] = {"flatten", "drop 0.5", NULL};
    ln_context *const context = net_context(NULL, 1);
    ln_model *const   model = net_model(context, (ln_shape){6, 1, 1}, lines);
    float             a[120], b[120];
    size_t            zeros = 0;
    drop_once(model, true, 1, 1, 0, a);
    for (size_t i = 0; i < 120; i++) {
        assert_true(a[i] == 0 || a[i] == 2);
        zeros += a[i] == 0;
    }
    assert_in_range(zeros, 35, 85);
    drop_once(model, true, 1, 1, 0, b);
    assert_memory_equal(a, b, sizeof a);
    drop_once(model, true, 1, 1, 1, b); /* an image draws the same wherever it lies in the batch */
    assert_memory_equal(a + 6, b, sizeof a - 6 * sizeof *a);
    drop_once(model, true, 1, 2, 0, b);
    assert_memory_not_equal(a, b, sizeof a);
    drop_once(model, true, 2, 1, 0, b);
    assert_memory_not_equal(a, b, sizeof a);
    drop_once(model, false, 1, 1, 0, b);
    for (size_t i = 0; i < 120; i++) assert_true(b[i] == 1);
    ln_model_free(model);
    ln_context_free(context);
}

/* A gradient that only a meet writes is watched too: the weight is so large that dw overflows, not the loss. */
static void test_meet_is_watched(void **state) {
    (void)state;
    const char *const lines[] = {"flatten", "centre", "linear 2", NULL};
    ln_context *const context = net_context(NULL, 1);
    ln_model *const   model = net_model(context, (ln_shape){2, 1, 1}, lines);
    const float       pixels[2][2] = {{1e38F, 0}, {-1e38F, 0}};
    const void *const rows[] = {pixels[0], pixels[1]};
    const int32_t     labels[] = {1, 0};
    const float       centre[2] = {0, 1}, linear[4] = {1e4F, 0, -1e4F, 0}, bias[2] = {0, 0};
    memcpy(ln_model_parameter(model, 0).values, centre, sizeof centre);
    memcpy(ln_model_parameter(model, 1).values, linear, sizeof linear);
    memcpy(ln_model_parameter(model, 2).values, bias, sizeof bias);
    ln_plan *const plan = plan_of(model, 2, true);
    const ln_batch batch = {.rows = rows, .is_float = true, .labels = labels, .n = 2, .preprocess = {1, 0, 1}};
    size_t         node = 9, k = 9, hits;
    assert_false(ln_run_step(plan, &(ln_step){.batch = &batch, .number = 1}));
    assert_true(isfinite(ln_run_loss(plan, 2, &hits)));
    assert_true(ln_run_culprit(plan, &node, &k));
    assert_int_equal(node, 1);
    assert_int_equal(k, 0);
    ln_plan_free(plan);
    ln_model_free(model);
    ln_context_free(context);
}

/* An op without a kernel for the instruction set is refused while planning. */
static const ln_kernel *no_kernel(ln_isa isa) {
    (void)isa;
    return NULL;
}

static void test_no_kernel(void **state) {
    (void)state;
    ln_op             op = own_skew;
    ln_error          error = {0};
    ln_line           line;
    ln_context *const context = net_context(NULL, 1);
    ln_model *const   model = ln_model_new(context, 4, 1, 1, NULL);
    op.kernel = no_kernel;
    assert_int_equal(ln_line_split("skew as s", "layer", &line, NULL), LN_OK);
    assert_int_equal(ln_model_append(model, &op, &line, NULL), 0);
    size_t                n_bytes;
    const ln_plan_options options = {.kernels = ln_kernels_of(context->isa), .batch = 4, .n_threads = 1};
    assert_int_equal(ln_plan_measure(model, &options, &n_bytes, NULL, &error), LN_E_UNSUPPORTED);
    assert_string_equal(error.message, "layer s (skew): cannot be run: it has no kernel for this instruction set");
    ln_model_free(model);
    ln_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plans),           cmocka_unit_test(test_instructions),
        cmocka_unit_test(test_large_gradients), cmocka_unit_test(test_small_batch_in_large_plan),
        cmocka_unit_test(test_drawn_networks),  cmocka_unit_test(test_decisions),
        cmocka_unit_test(test_bands_of_parts),  cmocka_unit_test(test_gradients),
        cmocka_unit_test(test_centre),          cmocka_unit_test(test_drop),
        cmocka_unit_test(test_meet_is_watched), cmocka_unit_test(test_no_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
