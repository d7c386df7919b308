/* Poolings, activations, add, flatten and cross_entropy against references in double on plain n × c × h × w arrays,
 * forward and backward: over odd shapes, ties, NaN and infinity, on every instruction set, cut in every way. The
 * harness lays guards and gaps round every buffer and spoils what an op must not read. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harness/op_run.h"

enum { DEFAULTS = 0, SPECIAL = 1 };

typedef struct sample {
    const char *line;
    size_t      n;
    ln_shape    in;
    /* From x (and the second input), dy: y and the gradients, in double. */
    void (*reference)(const ln_node *node, const double *x, const double *x2, const double *dy, double *y, double *dx,
                      double *dx2);
    double tolerance; /* of float32, relative to the largest value */
} sample;

static void *must(void *memory) {
    if (!memory) abort();
    return memory;
}

static void assert_close(double found, double want, double difference) {
    if (found != want && !(fabs(found - want) <= difference)) fail_msg("%.9g is not %.9g", found, want);
}

static size_t count_of(size_t n, ln_shape s) { return n * s.c * s.h * s.w; }

/* ------------------------------------------------------------------- references, of one image */

static void relu(const ln_node *node, const double *x, const double *x2, const double *dy, double *y, double *dx,
                 double *dx2) {
    (void)x2, (void)dx2;
    for (size_t i = 0; i < ln_shape_count(node->out); i++) {
        y[i] = x[i] <= 0 ? 0 : x[i];
        dx[i] = x[i] <= 0 ? 0 : dy[i];
    }
}

static void sigmoid(const ln_node *node, const double *x, const double *x2, const double *dy, double *y, double *dx,
                    double *dx2) {
    (void)x2, (void)dx2;
    for (size_t i = 0; i < ln_shape_count(node->out); i++) {
        y[i] = 1 / (1 + exp(-x[i]));
        dx[i] = dy[i] * y[i] * (1 - y[i]);
    }
}

static void hyperbolic(const ln_node *node, const double *x, const double *x2, const double *dy, double *y, double *dx,
                       double *dx2) {
    (void)x2, (void)dx2;
    for (size_t i = 0; i < ln_shape_count(node->out); i++) {
        y[i] = tanh(x[i]);
        dx[i] = dy[i] * (1 - y[i] * y[i]);
    }
}

/* An activation of one value: y, and its slope there. a are the op's arguments. */
typedef struct point {
    double y, slope;
} point;

static void each(const ln_node *node, const double *x, const double *dy, double *y, double *dx,
                 point (*f)(double x, const double *a)) {
    for (size_t i = 0; i < ln_shape_count(node->out); i++) {
        const point p = f(x[i], (const void *)node->args);
        y[i] = p.y;
        dx[i] = p.slope == 0 ? 0 : dy[i] * p.slope;
    }
}

#define ACTIVATION(name)                                                                                              \
    static void name(const ln_node *node, const double *x, const double *x2, const double *dy, double *y, double *dx, \
                     double *dx2) {                                                                                   \
        (void)x2, (void)dx2;                                                                                          \
        each(node, x, dy, y, dx, name##_at);                                                                          \
    }

static point leaky_at(double x, const double *a) { return x > 0 ? (point){x, 1} : (point){a[0] * x, a[0]}; }

static point hard_at(double x, const double *a) {
    return x <= a[0] ? (point){a[0], 0} : x >= a[1] ? (point){a[1], 0} : (point){x, 1};
}

static point elu_at(double x, const double *a) {
    return x > 0 ? (point){x, 1} : (point){a[0] * expm1(x), a[0] * exp(x)};
}

static point gelu_at(double x, const double *a) {
    (void)a;
    const double below = (1 + erf(x / sqrt(2))) / 2;
    return (point){x * below, below + x * exp(-x * x / 2) / sqrt(2 * acos(-1))};
}

static point gelu_tanh_at(double x, const double *a) {
    (void)a;
    const double k = sqrt(2 / acos(-1)), t = tanh(k * (x + 0.044715 * x * x * x));
    return (point){x * (1 + t) / 2, (1 + t) / 2 + x * (1 - t * t) / 2 * k * (1 + 3 * 0.044715 * x * x)};
}

static point silu_at(double x, const double *a) {
    (void)a;
    const double s = 1 / (1 + exp(-x));
    return (point){x * s, s * (1 + x * (1 - s))};
}

static point softplus_at(double x, const double *a) {
    const double z = a[0] * x;
    return z > a[1] ? (point){x, 1} : (point){log1p(exp(z)) / a[0], 1 / (1 + exp(-z))};
}

ACTIVATION(leaky)
ACTIVATION(hard)
ACTIVATION(elu)
ACTIVATION(gelu)
ACTIVATION(gelu_tanh)
ACTIVATION(silu)
ACTIVATION(softplus)

static void same(const ln_node *node, const double *x, const double *x2, const double *dy, double *y, double *dx,
                 double *dx2) {
    (void)x2, (void)dx2;
    for (size_t i = 0; i < ln_shape_count(node->out); i++) y[i] = x[i], dx[i] = dy[i];
}

static void sum(const ln_node *node, const double *x, const double *x2, const double *dy, double *y, double *dx,
                double *dx2) {
    for (size_t i = 0; i < ln_shape_count(node->out); i++) y[i] = x[i] + x2[i], dx[i] = dy[i], dx2[i] = dy[i];
}

typedef struct window {
    int    h_lo, h_hi, w_lo, w_hi;
    size_t n_cells;
} window; /* in the image */

static window window_at(const ln_node *node, size_t oh, size_t ow) {
    const ln_pool2d_args *a = (const void *)node->args;
    const int             sh = a->stride.h ? a->stride.h : a->kernel.h, sw = a->stride.w ? a->stride.w : a->kernel.w;
    window                v = {(int)oh * sh - a->padding.h, 0, (int)ow * sw - a->padding.w, 0, 0};
    v.h_hi = v.h_lo + a->kernel.h, v.w_hi = v.w_lo + a->kernel.w;
    if (v.h_lo < 0) v.h_lo = 0;
    if (v.w_lo < 0) v.w_lo = 0;
    if (v.h_hi > (int)node->in[0].h) v.h_hi = (int)node->in[0].h;
    if (v.w_hi > (int)node->in[0].w) v.w_hi = (int)node->in[0].w;
    v.n_cells = (size_t)(a->kernel.h * a->kernel.w);
    return v;
}

static void pool(const ln_node *node, const double *x, const double *dy, double *y, double *dx, bool is_max) {
    const ln_shape in = node->in[0], out = node->out;
    for (size_t i = 0; i < ln_shape_count(in); i++) dx[i] = 0;
    for (size_t c = 0; c < out.c; c++)
        for (size_t oh = 0; oh < out.h; oh++)
            for (size_t ow = 0; ow < out.w; ow++) {
                const window v = window_at(node, oh, ow);
                const size_t o = (c * out.h + oh) * out.w + ow;
                const size_t first = (c * in.h + (size_t)v.h_lo) * in.w + (size_t)v.w_lo;
                size_t       winner = first;
                double       best = -INFINITY, total = 0;
                for (int h = v.h_lo; h < v.h_hi; h++)
                    for (int w = v.w_lo; w < v.w_hi; w++) {
                        const size_t i = (c * in.h + (size_t)h) * in.w + (size_t)w;
                        if (x[i] > best || isnan(x[i])) best = x[i], winner = i;
                        total += x[i];
                        if (!is_max) dx[i] += dy[o] / (double)v.n_cells;
                    }
                y[o] = is_max ? best : total / (double)v.n_cells;
                if (is_max) dx[winner] += dy[o];
            }
}

static void largest(const ln_node *node, const double *x, const double *x2, const double *dy, double *y, double *dx,
                    double *dx2) {
    (void)x2, (void)dx2;
    pool(node, x, dy, y, dx, true);
}

static void mean(const ln_node *node, const double *x, const double *x2, const double *dy, double *y, double *dx,
                 double *dx2) {
    (void)x2, (void)dx2;
    pool(node, x, dy, y, dx, false);
}

/* ------------------------------------------------------------------- the samples */

static const sample samples[] = {
    {"relu", 17, {37, 13, 11}, relu, 0},
    {"relu", 3, {5, 1, 1}, relu, 0},
    {"sigmoid", 17, {7, 13, 11}, sigmoid, 1e-6},
    {"tanh", 17, {7, 13, 11}, hyperbolic, 1e-6},
    {"leaky_relu", 17, {7, 13, 11}, leaky, 1e-7},
    {"leaky_relu -0.5", 3, {5, 1, 1}, leaky, 0},
    {"hardtanh", 17, {7, 13, 11}, hard, 0},
    {"hardtanh 0 1.5", 3, {5, 1, 1}, hard, 0},
    {"elu", 17, {7, 13, 11}, elu, 1e-6},
    {"elu 0.75", 3, {5, 1, 1}, elu, 1e-6},
    {"gelu", 17, {7, 13, 11}, gelu, 1e-6},
    {"gelu approximate=tanh", 17, {7, 13, 11}, gelu_tanh, 1e-6},
    {"silu", 17, {7, 13, 11}, silu, 1e-6},
    {"softplus", 17, {7, 13, 11}, softplus, 1e-6},
    {"softplus 2 threshold=1", 3, {5, 7, 1}, softplus, 1e-6},
    {"flatten", 18, {7, 3, 5}, same, 0},
    {"add other", 17, {7, 13, 11}, sum, 1e-7},
    {"maxpool2d 2", 17, {7, 13, 11}, largest, 0},
    {"maxpool2d 2", 33, {6, 12, 10}, largest, 0},
    {"maxpool2d 2", 1, {2, 12, 7}, largest, 0},
    {"maxpool2d 3 stride=2", 17, {7, 13, 11}, largest, 1e-6},
    {"maxpool2d 3 stride=2 padding=1", 17, {37, 13, 11}, largest, 1e-6},
    {"maxpool2d 3 stride=2 padding=1 ceil_mode=true", 17, {5, 12, 14}, largest, 1e-6},
    {"maxpool2d 3 stride=2 ceil_mode=true", 17, {5, 12, 14}, largest, 1e-6},
    {"maxpool2d 3", 5, {3, 13, 11}, largest, 0},
    {"maxpool2d 2x3 stride=3x2 padding=1x0", 16, {7, 13, 11}, largest, 1e-6},
    {"maxpool2d 3x2 stride=3x1", 16, {3, 13, 11}, largest, 1e-6},
    {"maxpool2d 5 stride=1 padding=2", 17, {3, 13, 11}, largest, 1e-6},
    {"maxpool2d 1 stride=3", 2, {3, 13, 11}, largest, 0},
    {"maxpool2d 20x21 stride=3 padding=10", 17, {3, 13, 11}, largest, 1e-6},
    {"maxpool2d 13x11", 17, {7, 13, 11}, largest, 0},
    {"avgpool2d 2", 17, {7, 13, 11}, mean, 1e-6},
    {"avgpool2d 2", 33, {6, 12, 10}, mean, 1e-6},
    {"avgpool2d 3 stride=2 padding=1", 17, {37, 13, 11}, mean, 1e-6},
    {"avgpool2d 3", 5, {3, 13, 11}, mean, 1e-6},
    {"avgpool2d 2x3 stride=3x2 padding=1x0", 16, {7, 13, 11}, mean, 1e-6},
    {"avgpool2d 5 stride=1 padding=2", 17, {3, 13, 11}, mean, 1e-6},
    {"avgpool2d 1 stride=3", 2, {3, 13, 11}, mean, 1e-6},
    {"avgpool2d 20x21 stride=3 padding=10", 17, {3, 13, 11}, mean, 1e-6},
};

/* Multiples of 1/8 from -2 to 2, so that many are equal and some are zero. */
static float value_at(uint32_t seed, size_t i) {
    uint32_t h = (uint32_t)i * 0x9E3779B1u + seed * 0x85EBCA77u;
    h = (h ^ h >> 16) * 0x7FEB352Du;
    h = (h ^ h >> 15) * 0x846CA68Bu;
    return (float)((int)((h ^ h >> 16) % 33) - 16) / 8;
}

static float *values(uint32_t seed, size_t count, int kind) {
    float *v = must(malloc(count * sizeof *v));
    for (size_t i = 0; i < count; i++) v[i] = value_at(seed, i);
    for (size_t i = seed; kind == SPECIAL && i < count; i += 29)
        v[i] = i % 3 == 0 ? NAN : i % 3 == 1 ? INFINITY : -INFINITY;
    return v;
}

static double *widened(const float *v, size_t count) {
    double *wide = must(malloc(count * sizeof *wide));
    for (size_t i = 0; i < count; i++) wide[i] = (double)v[i];
    return wide;
}

/* Everything of one sample: what goes in, and what must come out. */
typedef struct wanted {
    ln_node node;
    size_t  n_in, n_out;
    float  *x[2], *dy, *held[2]; /* held: what din holds before LN_ADD */
    double *y, *dx[2];
} wanted;

static wanted wanted_new(const sample *s, int kind) {
    wanted         w = {0};
    ln_error       error;
    const ln_shape in[2] = {s->in, s->in};
    if (!op_node(s->line, in, &w.node, &error)) fail_msg("%s", error.message);
    w.n_in = count_of(s->n, s->in);
    w.n_out = count_of(s->n, w.node.out);
    w.dy = values(3, w.n_out, DEFAULTS);
    for (uint32_t i = 0; i < 2; i++) {
        w.x[i] = values(1 + i, w.n_in, kind);
        w.held[i] = values(4 + i, w.n_in, DEFAULTS);
        w.dx[i] = must(calloc(w.n_in, sizeof(double)));
    }
    w.y = must(calloc(w.n_out, sizeof(double)));
    double      *x = widened(w.x[0], w.n_in), *x2 = widened(w.x[1], w.n_in), *dy = widened(w.dy, w.n_out);
    const size_t a = w.n_in / s->n, b = w.n_out / s->n;
    for (size_t i = 0; i < s->n; i++)
        s->reference(&w.node, x + i * a, x2 + i * a, dy + i * b, w.y + i * b, w.dx[0] + i * a, w.dx[1] + i * a);
    free(x), free(x2), free(dy);
    return w;
}

static void wanted_free(wanted *w) {
    free(w->dy), free(w->y);
    for (size_t i = 0; i < 2; i++) free(w->x[i]), free(w->held[i]), free(w->dx[i]);
}

static op_result result_of(const sample *s, const wanted *w, ln_isa isa, op_cut cut) {
    op_result    r;
    ln_error     error;
    const op_run run = {.line = s->line,
                        .isa = isa,
                        .n = s->n,
                        .in = {s->in, s->in},
                        .x = {w->x[0], w->x[1]},
                        .dout = w->dy,
                        .din = {w->held[0], w->held[1]},
                        .cut = cut};
    if (!op_run_all(&run, &r, &error)) fail_msg("%s", error.message);
    if (r.fault[0]) fail_msg("%s on %s: %s", s->line, ln_isa_name(isa), r.fault);
    return r;
}

static void assert_near(const sample *s, ln_isa isa, const char *what, const double *found, const double *want,
                        size_t count, double tolerance) {
    double most = 0;
    for (size_t i = 0; i < count; i++)
        if (isfinite(want[i])) most = fmax(most, fabs(want[i]));
    for (size_t i = 0; i < count; i++) {
        if (isnan(want[i]) && isnan(found[i])) continue;
        if (found[i] == want[i] || fabs(found[i] - want[i]) <= tolerance * most) continue;
        fail_msg("%s on %s: %s[%zu] is %.9g, not %.9g", s->line, ln_isa_name(isa), what, i, found[i], want[i]);
    }
}

/* Equal to the bit, but for which NaN. */
static bool same_bits(const double *a, const double *b, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (!(isnan(a[i]) && isnan(b[i])) && memcmp(&a[i], &b[i], sizeof *a) != 0) return false;
    return true;
}

static void assert_same(const sample *s, ln_isa isa, const char *how, const op_result *a, const op_result *b,
                        const wanted *w) {
    bool equal = same_bits(a->out, b->out, w->n_out);
    for (size_t i = 0; i < w->node.n_inputs; i++) equal = equal && same_bits(a->din[i], b->din[i], w->n_in);
    if (!equal) fail_msg("%s on %s: %s gives other bits", s->line, ln_isa_name(isa), how);
}

static const ln_isa isas[] = {LN_ISA_PLAIN, LN_ISA_NEON, LN_ISA_AVX2, LN_ISA_AVX512};
enum { N_ISAS = sizeof isas / sizeof *isas, N_SAMPLES = sizeof samples / sizeof *samples };

/* The kernels of isa against the references, and every cut against the whole; first is the first set's result. */
static void check_isa(const sample *s, const wanted *w, ln_isa isa, const op_result *first) {
    static const op_cut cuts[] = {{.band_rows = 1, .n_parts = 3, .task_blocks = 1},
                                  {.band_rows = 2},
                                  {.n_parts = 2},
                                  {.in_place = true},
                                  {.inference = true}};
    const double        tolerance = isa == LN_ISA_F64 ? 1e-13 : s->tolerance;
    op_result           whole = result_of(s, w, isa, (op_cut){0});
    assert_near(s, isa, "y", whole.out, w->y, w->n_out, tolerance);
    for (size_t i = 0; i < w->node.n_inputs; i++) assert_near(s, isa, "dx", whole.din[i], w->dx[i], w->n_in, tolerance);
    if (first) assert_same(s, isa, "this instruction set", &whole, first, w);
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        op_result cut = result_of(s, w, isa, cuts[i]);
        char      how[32];
        snprintf(how, sizeof how, "cut %zu", i);
        if (cuts[i].inference) assert_true(same_bits(cut.out, whole.out, w->n_out));
        else assert_same(s, isa, how, &cut, &whole, w);
        op_result_free(&cut);
    }
    op_result_free(&whole);
}

/* LN_ADD: what was held is still there, in any bands and on any instruction set. */
static void check_adding(const sample *s, const wanted *w, ln_isa isa, const op_result *first) {
    op_result added = result_of(s, w, isa, (op_cut){.write = LN_ADD});
    op_result banded = result_of(s, w, isa, (op_cut){.write = LN_ADD, .band_rows = 1, .n_parts = 2, .task_blocks = 1});
    double   *want = must(malloc(w->n_in * sizeof *want));
    for (size_t i = 0; i < w->node.n_inputs; i++) {
        for (size_t k = 0; k < w->n_in; k++) want[k] = w->dx[i][k] + (double)w->held[i][k];
        assert_near(s, isa, "added dx", added.din[i], want, w->n_in, fmax(s->tolerance, 1e-7));
    }
    assert_same(s, isa, "adding by bands", &banded, &added, w);
    if (first) assert_same(s, isa, "adding", &added, first, w);
    free(want);
    op_result_free(&added);
    op_result_free(&banded);
}

static void check_sample(const sample *s, int kind) {
    wanted    w = wanted_new(s, kind);
    op_result whole = result_of(s, &w, LN_ISA_PLAIN, (op_cut){0});
    op_result added = result_of(s, &w, LN_ISA_PLAIN, (op_cut){.write = LN_ADD});
    for (size_t k = 0; k < N_ISAS; k++) {
        if (!ln_isa_available(isas[k])) continue;
        check_isa(s, &w, isas[k], &whole);
        check_adding(s, &w, isas[k], &added);
    }
    check_isa(s, &w, LN_ISA_F64, NULL);
    op_result_free(&whole);
    op_result_free(&added);
    wanted_free(&w);
}

static void test_all_agree_with_references(void **state) {
    (void)state;
    for (size_t i = 0; i < N_SAMPLES; i++) check_sample(&samples[i], DEFAULTS);
}

static void test_nan_and_infinity_pass(void **state) {
    (void)state;
    for (size_t i = 0; i < N_SAMPLES; i++) check_sample(&samples[i], SPECIAL);
}

/* ----------------------------------------------------------------- cross_entropy */

static double loss_of(const float *x, size_t k, int32_t label, double *share, bool *hit) {
    double m = -INFINITY, z = 0;
    size_t best = 0;
    for (size_t c = 0; c < k; c++) {
        if ((double)x[c] > m) m = (double)x[c];
        if (x[c] > x[best]) best = c;
    }
    for (size_t c = 0; c < k; c++) z += exp((double)x[c] - m);
    for (size_t c = 0; c < k; c++) share[c] = exp((double)x[c] - m) / z;
    *hit = best == (size_t)label;
    return log(z) + m - (double)x[label];
}

static void check_loss(const char *line, ln_isa isa, size_t n, size_t k, float spread, int kind) {
    float   *x = values(1, n * k, kind), *held = values(4, n * k, DEFAULTS);
    int32_t *label = must(malloc(n * sizeof *label));
    double  *share = must(malloc(k * sizeof *share));
    for (size_t i = 0; i < n * k; i++) x[i] *= spread;
    for (size_t i = 0; i < n; i++) label[i] = (int32_t)((i * 7 + 1) % k);
    op_run    run = {.line = line, .isa = isa, .n = n, .in = {{k, 1, 1}}, .x = {x}, .label = label, .din = {held}};
    ln_error  error;
    op_result set, add;
    assert_true(op_run_all(&run, &set, &error));
    run.cut = (op_cut){.write = LN_ADD, .n_parts = 2, .task_blocks = 1};
    assert_true(op_run_all(&run, &add, &error));
    assert_string_equal(set.fault, "");
    assert_string_equal(add.fault, "");
    const double scale = strstr(line, "sum") ? 1 : 1 / (double)n;
    for (size_t i = 0; i < n; i++) {
        bool         hit;
        const double loss = loss_of(x + i * k, k, label[i], share, &hit);
        if (isnan(loss)) assert_true(isnan(set.out[i]));
        else assert_close(set.out[i], loss, 1e-6 * (1 + fabs(loss)));
        if (!isnan(loss)) assert_int_equal(set.hit[i], hit);
        for (size_t c = 0; c < k; c++) {
            const size_t at = i * k + c;
            const double want = (share[c] - (c == (size_t)label[i] ? 1 : 0)) * scale;
            if (isnan(want)) assert_true(isnan(set.din[0][at]) && isnan(add.din[0][at]));
            else assert_close(set.din[0][at], want, 1e-6 * scale);
            if (!isnan(want)) assert_close(add.din[0][at], want + (double)held[at], 1e-6);
        }
    }
    op_result_free(&set);
    op_result_free(&add);
    free(x), free(held), free(label), free(share);
}

static void test_cross_entropy(void **state) {
    (void)state;
    static const ln_isa all[] = {LN_ISA_F64, LN_ISA_PLAIN, LN_ISA_NEON, LN_ISA_AVX2, LN_ISA_AVX512};
    for (size_t k = 0; k < sizeof all / sizeof *all; k++) {
        if (all[k] != LN_ISA_F64 && !ln_isa_available(all[k])) continue;
        check_loss("cross_entropy", all[k], 17, 10, 1, DEFAULTS);
        check_loss("cross_entropy reduction=sum", all[k], 33, 37, 1, DEFAULTS);
        check_loss("cross_entropy", all[k], 1, 2, 1, DEFAULTS);
        check_loss("cross_entropy", all[k], 20, 10, 5000, DEFAULTS);
        check_loss("cross_entropy", all[k], 40, 3, 1, SPECIAL);
    }
}

static void test_cross_entropy_bits(void **state) {
    (void)state;
    enum { N = 50, K = 10 };
    float    *x = values(1, N * K, DEFAULTS);
    int32_t   label[N];
    op_result first, r;
    ln_error  error;
    for (int i = 0; i < N; i++) label[i] = i % K;
    op_run run = {.line = "cross_entropy", .isa = LN_ISA_PLAIN, .n = N, .in = {{K, 1, 1}}, .x = {x}, .label = label};
    assert_true(op_run_all(&run, &first, &error));
    for (size_t k = 0; k < N_ISAS; k++) {
        if (!ln_isa_available(isas[k])) continue;
        run.isa = isas[k];
        assert_true(op_run_all(&run, &r, &error));
        assert_memory_equal(r.out, first.out, N * sizeof *r.out);
        assert_memory_equal(r.din[0], first.din[0], N * K * sizeof **r.din);
        assert_memory_equal(r.hit, first.hit, N);
        op_result_free(&r);
    }
    op_result_free(&first);
    free(x);
}

/* Dead lanes of a block: no loss, no hit, no gradient, whatever they and their labels hold. */
static void test_cross_entropy_dead_lanes(void **state) {
    (void)state;
    enum { K = 3 };
    _Alignas(128) float x[K][16], dx[K][16], loss[16];
    int32_t             label[16];
    uint8_t             hit[16];
    ln_node             node;
    ln_error            error;
    const uint16_t      live = 0x1235;
    assert_true(op_node("cross_entropy", &(ln_shape){K, 1, 1}, &node, &error));
    for (size_t k = 0; k < N_ISAS; k++) {
        if (!ln_isa_available(isas[k])) continue;
        for (int l = 0; l < 16; l++) {
            const bool lives = live >> l & 1;
            for (int c = 0; c < K; c++) x[c][l] = c == 1 ? 4 : 2, dx[c][l] = NAN;
            if (!lives && l % 2) x[0][l] = NAN;
            label[l] = lives ? 1 : -99;
            loss[l] = NAN, hit[l] = 9;
        }
        const ln_task    task = {.node = &node,
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
                                 .in = {{x, K, 1, 1, 0, 0}},
                                 .out = {loss, 1, 1, 1, 0, 0},
                                 .din = {{dx, K, 1, 1, 0, 0}}};
        const ln_kernel *kernel = ln_kernels_of(isas[k])->op[LN_OP_cross_entropy];
        kernel->forward[0].run(&task);
        kernel->dinput[0].run(&task);
        for (int l = 0; l < 16; l++) {
            const bool lives = live >> l & 1;
            assert_int_equal(hit[l], lives);
            if (lives) assert_true(loss[l] > 0 && dx[1][l] < 0);
            else assert_true(loss[l] == 0 && dx[0][l] == 0 && dx[1][l] == 0 && dx[2][l] == 0);
        }
    }
}

static void test_softmax(void **state) {
    (void)state;
    const float x[3][4] = {{1, 2, 3, 4}, {1000, -1000, 1000, 0}, {0, NAN, 0, 0}};
    float       p[3][4], in_place[3][4];
    ln_softmax(x[0], 3, 4, p[0]);
    memcpy(in_place, x, sizeof x);
    ln_softmax(in_place[0], 3, 4, in_place[0]);
    assert_memory_equal(p, in_place, 2 * sizeof p[0]);
    const double z = exp(-3) + exp(-2) + exp(-1) + 1;
    for (int c = 0; c < 4; c++) assert_close((double)p[0][c], exp(c - 3) / z, 1e-7);
    assert_true(p[1][0] == 0.5f && p[1][1] == 0 && p[1][2] == 0.5f && p[1][3] == 0);
    for (int c = 0; c < 4; c++) assert_true(isnan(p[2][c]));
}

/* ----------------------------------------------------------------------- refusals */

static void test_refusals(void **state) {
    (void)state;
    static const struct {
        const char *line;
        ln_shape    a, b;
        ln_status   status;
        const char *says;
    } cases[] = {
        {"maxpool2d 3 padding=2", {1, 8, 8}, {1, 8, 8}, LN_E_ARGUMENT, "padding 2x2 is more than half of kernel 3x3"},
        {"avgpool2d 4x1 padding=2x1", {1, 8, 8}, {1, 8, 8}, LN_E_ARGUMENT, "at most padding=2x0"},
        {"maxpool2d 9", {3, 8, 12}, {1, 8, 8}, LN_E_SHAPE, "kernel 9x9 is larger than the input 3x8x12"},
        {"avgpool2d 9 padding=1", {3, 12, 6}, {1, 8, 8}, LN_E_SHAPE, "with padding 1x1: use a smaller kernel"},
        {"add x", {3, 8, 12}, {3, 8, 11}, LN_E_SHAPE, "the inputs are 3x8x12 and 3x8x11 (\"x\")"},
        {"hardtanh 1 1", {1, 8, 8}, {1, 8, 8}, LN_E_ARGUMENT, "min_val=1 is not below max_val=1"},
        {"cross_entropy", {10, 2, 1}, {1, 8, 8}, LN_E_SHAPE, "the input is 10x2x1, but one logit for each class"},
        {"cross_entropy", {1, 1, 1}, {1, 8, 8}, LN_E_SHAPE, "at least two classes"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const ln_shape in[2] = {cases[i].a, cases[i].b};
        ln_node        node;
        ln_error       error = {0};
        assert_false(op_node(cases[i].line, in, &node, &error));
        assert_int_equal(error.status, cases[i].status);
        if (!strstr(error.message, cases[i].says)) fail_msg("\"%s\" does not say \"%s\"", error.message, cases[i].says);
    }
}

/* Adjacent bands of disjoint windows partition the input's rows; overlapping ones say that they do. */
static void test_windows(void **state) {
    (void)state;
    static const struct {
        const char *line;
        size_t      h;
        bool        disjoint;
    } cases[] = {{"maxpool2d 2", 13, true},
                 {"avgpool2d 2 stride=5", 13, true},
                 {"maxpool2d 3 padding=1", 13, true},
                 {"maxpool2d 3 stride=2", 13, false}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ln_node  node;
        ln_error error;
        size_t   lo, hi, last = 0;
        assert_true(op_node(cases[i].line, &(ln_shape){1, cases[i].h, 13}, &node, &error));
        for (size_t h = 0; h < node.out.h; h++) {
            assert_int_equal(node.op->window(&node, h, h + 1, &lo, &hi), cases[i].disjoint);
            if (cases[i].disjoint) assert_int_equal(lo, last);
            last = hi;
        }
        assert_int_equal(last, cases[i].h);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_agree_with_references),
        cmocka_unit_test(test_nan_and_infinity_pass),
        cmocka_unit_test(test_cross_entropy),
        cmocka_unit_test(test_cross_entropy_bits),
        cmocka_unit_test(test_cross_entropy_dead_lanes),
        cmocka_unit_test(test_softmax),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_windows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
