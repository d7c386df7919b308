/* The watch over gradients: one that is NaN, infinite or so large that an update would overflow stops the step,
 * wherever it lies, and is named by layer and tensor; a layer that looks for itself (LN_CHECKS) finds what all_finite
 * finds. */
#include "harness/net.h"
#include "harness/op_run.h"

#include <math.h>

enum { N = 17, IN = 37, MOST_OUT = 40 }; /* images and features fill neither a block nor a vector */

static const int outs[] = {7, MOST_OUT}; /* shared out among threads by inputs, and by outputs */

static bool runs_on(ln_isa isa) { return ln_isa_available(isa) && (isa != LN_ISA_PLAIN || ln_cpu_has_fma()); }

static bool is_fit(float x) { return isfinite(x * (float)(1 << 28)); }

/* -------------------------------------------------------------- the layer */

typedef struct gradient {
    ln_isa isa;
    int    out;
    size_t n_parts;
    float  x[N * IN], dout[N * MOST_OUT];
} gradient;

/* Zeros, and ones for the outputs' gradients. */
static gradient plain_gradient(ln_isa isa, int out, size_t n_parts) {
    gradient g = {.isa = isa, .out = out, .n_parts = n_parts};
    for (size_t i = 0; i < N * MOST_OUT; i++) g.dout[i] = 1;
    return g;
}

/* Which parameters have a gradient that does not fit; the harness compares that with what linear has found. */
static void check_found(const gradient *g, bool weight, bool bias) {
    static const float zeros[MOST_OUT * IN];
    char               line[40];
    op_result          r;
    ln_error           error = {0};
    (void)snprintf(line, sizeof line, "linear %d", g->out);
    const op_run run = {.line = line,
                        .isa = g->isa,
                        .n = N,
                        .in = {{IN, 1, 1}},
                        .x = {g->x},
                        .param = {zeros, zeros},
                        .dout = g->dout,
                        .cut = {.n_parts = g->n_parts}};
    if (!op_run_all(&run, &r, &error)) fail_msg("%s", error.message);
    if (r.fault[0]) fail_msg("%s on %s in %zu parts: %s", line, ln_isa_name(g->isa), g->n_parts, r.fault);
    const bool want[2] = {weight, bias};
    for (size_t k = 0; k < 2; k++) {
        bool bad = false;
        for (size_t i = 0; i < r.node.param[k].count; i++) bad |= !is_fit((float)r.dparam[k][i]);
        assert_int_equal(bad, want[k]);
    }
    op_result_free(&r);
}

static void check_places(ln_isa isa, int out, size_t n_parts, float value) {
    const size_t images[] = {0, 8, N - 1}, features[] = {0, 15, 16, IN - 1}, outputs[] = {0, 3, (size_t)out - 1};
    gradient     g = plain_gradient(isa, out, n_parts);
    check_found(&g, false, false);
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < 4; k++) {
            g.x[images[i] * IN + features[k]] = value;
            check_found(&g, true, false);
            g.x[images[i] * IN + features[k]] = 0;
        }
        for (size_t k = 0; k < 3; k++) {
            g.dout[images[i] * (size_t)out + outputs[k]] = value; /* times zero: NaN where it is not finite */
            check_found(&g, !isfinite(value), true);
            g.dout[images[i] * (size_t)out + outputs[k]] = 1;
        }
    }
}

static void test_linear_finds_it(void **state) {
    (void)state;
    const float values[] = {NAN, INFINITY, -INFINITY, 0x1p101F};
    for (ln_isa isa = LN_ISA_PLAIN; isa < LN_ISA_COUNT; isa++)
        for (size_t i = 0; i < sizeof outs / sizeof *outs && runs_on(isa); i++)
            for (size_t n_parts = 1; n_parts <= 3; n_parts++)
                for (size_t k = 0; k < sizeof values / sizeof *values; k++)
                    check_places(isa, outs[i], n_parts, values[k]);
}

/* --------------------------------------------------------------- the step */

/* flatten, linear OUT, linear 2: outputs are zero, so the loss is finite, and the first linear's outputs get the
 * gradients ±`gain`, or 15 of it in all. Pixels and weights stay below what the watch lets pass. */
typedef struct wide {
    ln_context *context;
    ln_model   *model;
    ln_data    *data;
    ln_trainer *trainer;
    float       pixels[N * IN];
    uint8_t     labels[N];
} wide;

static void wide_new(wide *w, const char *isa, int n_threads, int out, const float *gain) {
    char             line[40];
    ln_train_options options = LN_TRAIN_OPTIONS;
    ln_error         error = {0};
    (void)snprintf(line, sizeof line, "linear %d", out);
    *w = (wide){.context = net_context(isa, n_threads)};
    w->model = net_model(w->context, (ln_shape){1, 1, IN}, (const char *[]){"flatten", line, "linear 2", NULL});
    w->model->node[0]->n_macs += (uint64_t)1 << 32; /* so that threads seem worth while */
    for (size_t k = 0; k < 4; k++) {
        const ln_parameter p = ln_model_parameter(w->model, k);
        for (size_t i = 0; i < p.count; i++) p.values[i] = 0;
    }
    const ln_parameter last = ln_model_parameter(w->model, 2);
    for (int i = 0; i < out; i++) last.values[i] = gain[i], last.values[out + i] = -gain[i];
    assert_int_equal(ln_model_set_preprocess(w->model, (ln_preprocess){1, 0, 1}, NULL), LN_OK);
    assert_int_equal(ln_model_set_loss(w->model, "cross_entropy reduction=sum", NULL), LN_OK);
    w->labels[0] = 1; /* two classes; its gradient is the others' with another sign */
    options.batch = N;
    options.in_order = true;
    w->data = ln_data_from_floats(w->context, w->pixels, w->labels, N, 1, 1, IN, NULL);
    w->trainer = w->data ? ln_trainer_new(w->model, w->data, &options, &error) : NULL;
    if (!w->trainer) fail_msg("%s", error.message);
}

static void wide_free(wide *w) {
    ln_trainer_free(w->trainer);
    ln_data_free(w->data);
    ln_model_free(w->model);
    ln_context_free(w->context);
}

/* words: what the step's error names; NULL: it must do. */
static void check_step(wide *w, const char *words) {
    ln_error     error = {0};
    size_t       n_bytes;
    float *const before = net_weights(w->model, &n_bytes);
    const bool   done = ln_trainer_step(w->trainer, NULL, &error) == LN_OK;
    float *const after = net_weights(w->model, &n_bytes);
    if (done != !words) fail_msg("%s is not noticed, or not there: %s", words ? words : "nothing", error.message);
    if (words) {
        assert_int_equal(error.status, LN_E_NOT_FINITE);
        assert_memory_equal(before, after, n_bytes);
        if (!strstr(error.message, words)) fail_msg("'%s' does not say '%s'", error.message, words);
    }
    free(before);
    free(after);
}

/* Of the weights, those of one feature do not fit (too large for an update, or infinite); of the biases, that of one
 * output. */
static void check_steps(const char *isa, int n_threads, int out) {
    const float  values[] = {0x1p60F, 0x1p90F};
    const size_t features[] = {0, 16, IN - 1}, outputs[] = {0, (size_t)out - 1};
    float        gain[MOST_OUT];
    wide         w;
    for (int i = 0; i < out; i++) gain[i] = 0x1p50F;
    wide_new(&w, isa, n_threads, out, gain);
    for (size_t v = 0; v < 2; v++)
        for (size_t f = 0; f < 3; f++) {
            for (size_t i = 1; i < N; i++) w.pixels[i * IN + features[f]] = values[v];
            check_step(&w, "the gradient of layer 1 (linear)'s weight is not finite");
            for (size_t i = 1; i < N; i++) w.pixels[i * IN + features[f]] = 0;
        }
    check_step(&w, NULL);
    wide_free(&w);
    for (size_t o = 0; o < 2; o++) {
        gain[outputs[o]] = 0x1p99F;
        wide_new(&w, isa, n_threads, out, gain);
        check_step(&w, "the gradient of layer 1 (linear)'s bias is not finite");
        wide_free(&w);
        gain[outputs[o]] = 0x1p50F;
    }
}

static void test_step_stops(void **state) {
    (void)state;
    const int teams[] = {1, 2, 3, 7};
    for (ln_isa isa = LN_ISA_PLAIN; isa < LN_ISA_COUNT; isa++)
        for (size_t i = 0; i < sizeof outs / sizeof *outs && runs_on(isa); i++)
            for (size_t k = 0; k < sizeof teams / sizeof *teams; k++) check_steps(ln_isa_name(isa), teams[k], outs[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_linear_finds_it), cmocka_unit_test(test_step_stops)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
