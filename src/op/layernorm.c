/* layernorm: an image's values less their mean, divided by their deviation, times weights, plus biases
 *
 * Shapes    x c×h×w → y c×h×w; weight and bias c×h×w, of rank 1 where h = w = 1.
 * Forward   for each image over its n = c·h·w values i: μ = Σ x[i] / n,  σ² = Σ (x[i] - μ)² / n,
 *           x̂[i] = (x[i] - μ) / √(σ² + eps),  y[i] = weight[i] · x̂[i] + bias[i]
 * Backward  with g[i] = weight[i] · dy[i]:  dx = (g - Σ g / n - x̂ · Σ (g · x̂) / n) / √(σ² + eps)
 *           dweight[i] = Σ dy[i] · x̂[i],  dbias[i] = Σ dy[i], over images
 * Sums      σ² is summed round m, the mean of every eighth row of each channel, which lies within √8 deviations of μ:
 *           Σ (x - m)² / n - (Σ (x - m) / n)² cancels at most a ninefold, and μ = m + Σ (x - m) / n.
 * Order     Value i of an image, counted in its c×h×w, goes to sum i mod 4, in order; then the four are added. Over
 *           images: the lanes of a block, then blocks in order.
 * Kept between the two: μ and 1 / √(σ² + eps) of each image. dinput leaves each block's share of dweight and dbias, as
 *           it has all of x and dy at hand: a sixteenth of what dparam would read.
 * Source: Ba, Kiros and Hinton, "Layer normalization", 2016; torch.nn.LayerNorm([c, h, w]). */
#include "op/op.h"

typedef struct layernorm {
    double eps;
    bool   elementwise_affine, bias;
} layernorm;

#ifdef LN_DESCRIPTOR

static ln_param param(const char *name, ln_shape s, double first) {
    const size_t count = ln_shape_count(s);
    ln_param     p = {.name = name,
                      .rank = s.h * s.w == 1 ? 1 : 3,
                      .dims = {s.c, s.h, s.w},
                      .count = count,
                      .fan_in = 1,
                      .fan_out = 1,
                      .is_constant = true,
                      .constant = first};
    if (p.rank == 1) p.dims[1] = p.dims[2] = 0;
    return p;
}

static ln_status infer(ln_node *node, ln_error *error) {
    const layernorm *const a = (const layernorm *)(const void *)node->args;
    if (ln_shape_count(node->in[0]) == 1)
        return ln_fail_node(error, LN_E_SHAPE, node,
                            "its input is one value, which less its mean is 0 for every image: leave the layer out, or "
                            "give the one before it more outputs");
    node->out = node->in[0];
    if (a->elementwise_affine) node->param[node->n_params++] = param("weight", node->out, 1);
    if (a->elementwise_affine && a->bias) node->param[node->n_params++] = param("bias", node->out, 0);
    return LN_OK;
}

static const ln_attr attrs[] = {{.key = "eps",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(layernorm, eps),
                                 .preset = 1e-5,
                                 .low = 1e-12,
                                 .high = 1,
                                 .help = "added to the variance"},
                                {.key = "elementwise_affine",
                                 .type = LN_ATTR_BOOL,
                                 .offset = offsetof(layernorm, elementwise_affine),
                                 .preset = 1,
                                 .help = "multiply each value by a learnt weight"},
                                {.key = "bias",
                                 .type = LN_ATTR_BOOL,
                                 .offset = offsetof(layernorm, bias),
                                 .preset = 1,
                                 .help = "with elementwise_affine: add a learnt bias to each value"},
                                {0}};

const ln_op ln_op_layernorm = {
    .name = "layernorm",
    .help = "an image's values normalised over all of it",
    .attrs = attrs,
    .args_size = sizeof(layernorm),
    .traits = LN_NEEDS_IN | LN_LEARNS,
    .n_inputs = 1,
    .infer = infer,
};

#else
#include "kernel/loops.h"

#include <string.h>

/* PARTS: vectors of a lanes. PIECE: values of a long row whose parts are walked one after the other, while they are in
 * the nearest cache. SAMPLE: one row of so many tells about where the mean is. */
enum { SUMS = 4, PARTS = LN_LANES / LN_WIDTH, PIECE = 64, SAMPLE = 8 };

/* What is kept of a block. Behind it: the block's share of the parameters' gradients. */
typedef struct statistics {
    lanes mean, scale;
} statistics;

static void prepare(const ln_node *node, ln_need *need) {
    const size_t n_learned = node->learning.frozen ? 0 : node->n_params;
    if (need->training) need->saved = sizeof(statistics) + n_learned * ln_shape_count(node->out) * sizeof(real);
}

static statistics *kept(const ln_task *t, size_t block) {
    return (statistics *)(void *)(t->saved + block * t->saved_stride);
}

/* A block's share of the gradient of parameter k. */
static real *share_of(const ln_task *t, size_t block, size_t k) {
    return (real *)(void *)(kept(t, block) + 1) + k * ln_shape_count(t->node->out);
}

static real n_of(const ln_task *t) { return (real)ln_shape_count(t->node->out); }

/* Of parameter k, from value i on; NULL where there is none. */
static const real *param_at(const ln_task *t, size_t k, size_t i) {
    return k < t->node->n_params ? (const real *)t->param[k] + i : NULL;
}

/* The image as it lies in v: where its rows, or its channels too, lie one behind the other, they are one long row. */
static ln_shape runs_of(const ln_task *t, const ln_view *v) {
    const ln_shape s = t->node->out;
    if (s.h > 1 && v->row != s.w) return s;
    if (s.c > 1 && v->channel != s.h * s.w) return (ln_shape){s.c, 1, s.h * s.w};
    return (ln_shape){1, 1, ln_shape_count(s)};
}

/* -------------------------------------------------------- sums of an image */

/* Σ a and Σ b, each as four. */
typedef struct sums {
    vec a[SUMS], b[SUMS];
} sums;

LN_INLINE void begin_sums(sums s[PARTS]) {
    LN_UNROLL for (int p = 0; p < PARTS; p++) LN_UNROLL for (int k = 0; k < SUMS; k++) s[p].a[k] = s[p].b[k] = v_zero();
}

LN_INLINE vec fold(const vec sum[SUMS]) { return v_add(v_add(sum[0], sum[1]), v_add(sum[2], sum[3])); }

/* How lanes are read: those from p on, each an image; or, of one image, lane p, which is a channel. */
typedef enum reading { IMAGES, CHANNEL } reading;

/* ------------------------------------------------------------------ forward */

/* One value's d = x - middle and d². */
LN_INLINE void take(const lanes *x, size_t p, reading how, vec middle, vec *a, vec *b) {
    const vec d = v_sub(how == CHANNEL ? v_broadcast(x->of + p) : v_load(x->of + p), middle);
    *a = v_add(*a, d);
    *b = v_fma(d, d, *b);
}

/* n values, of which the first is the image's value i. */
LN_INLINE void take_run(const lanes *x, size_t i, size_t n, size_t p, reading how, vec middle, sums *s) {
    size_t at = 0;
    for (; at < n && (i + at) % SUMS; at++)
        take(x + at, p, how, middle, &s->a[(i + at) % SUMS], &s->b[(i + at) % SUMS]);
    sums r = *s;
    for (; at + SUMS <= n; at += SUMS)
        LN_UNROLL for (size_t k = 0; k < SUMS; k++) take(x + at + k, p, how, middle, &r.a[k], &r.b[k]);
    LN_UNROLL for (size_t k = 0; k + 1 < SUMS; k++) if (at + k < n) take(x + at + k, p, how, middle, &r.a[k], &r.b[k]);
    *s = r;
}

/* The same of all lanes. */
LN_INLINE void take_lanes(const lanes *x, size_t i, size_t n, const lanes *middle, sums s[PARTS]) {
    for (size_t at = 0; at < n; at += PIECE) {
        const size_t some = ln_least(PIECE, n - at);
        LN_UNROLL for (size_t p = 0; p < PARTS; p++)
            take_run(x + at, i + at, some, p * LN_WIDTH, IMAGES, v_load(middle->of + p * LN_WIDTH), &s[p]);
    }
}

/* Of every step-th row of the image. One image at a time only s[0] is made, and all its elements are the same. */
LN_INLINE void deviations(const ln_task *t, size_t b, size_t step, reading how, const lanes *middle, sums s[PARTS]) {
    const bool     whole = how == IMAGES && (step == 1 || t->node->out.h == 1);
    const ln_shape r = whole ? runs_of(t, &t->in[0]) : t->node->out;
    begin_sums(s);
    for (size_t c = 0; c < r.c; c++)
        for (size_t h = 0; h < r.h; h += step) {
            const size_t i = (c * r.h + h) * r.w;
            if (how == IMAGES) take_lanes(view_row(&t->in[0], b, c, h), i, r.w, middle, s);
            else
                take_run(view_row(&t->in[0], b, c / LN_LANES, h), i, r.w, c % LN_LANES, CHANNEL, v_load(middle->of),
                         &s[0]);
        }
}

LN_INLINE void statistics_of(const ln_task *t, size_t b, reading how, statistics *s) {
    const ln_shape o = t->node->out;
    const vec      n = v_splat(n_of(t)), eps = v_splat((real)((const layernorm *)(const void *)t->node->args)->eps);
    const size_t   rows = (o.h + SAMPLE - 1) / SAMPLE;
    const vec      few = v_splat((real)(o.c * rows * o.w));
    lanes          near = {{0}};
    sums           sum[PARTS];
    deviations(t, b, SAMPLE, how, &near, sum);
    for (size_t p = 0; p < PARTS; p++) v_store(near.of + p * LN_WIDTH, v_div(fold(sum[p].a), few));
    deviations(t, b, 1, how, &near, sum);
    for (size_t p = 0; p < PARTS; p++) {
        const vec rest = v_div(fold(sum[p].a), n), var = v_sub(v_div(fold(sum[p].b), n), v_mul(rest, rest));
        v_store(s->mean.of + p * LN_WIDTH, v_add(v_load(near.of + p * LN_WIDTH), rest));
        v_store(s->scale.of + p * LN_WIDTH, v_div(v_splat(1), v_sqrt(v_add(v_max(v_zero(), var), eps))));
    }
}

LN_INLINE void forward_run(const lanes *x, lanes *y, size_t n, const statistics *s, const real *weight,
                           const real *bias) {
    vec mean[PARTS], scale[PARTS];
    LN_UNROLL for (size_t p = 0; p < PARTS; p++) {
        mean[p] = v_load(s->mean.of + p * LN_WIDTH);
        scale[p] = v_load(s->scale.of + p * LN_WIDTH);
    }
    for (size_t i = 0; i < n; i++) {
        const vec one = weight ? v_broadcast(weight + i) : v_splat(1), zero = bias ? v_broadcast(bias + i) : v_zero();
        LN_UNROLL for (size_t p = 0; p < PARTS; p++) {
            const vec d = v_sub(v_load(x[i].of + p * LN_WIDTH), mean[p]);
            v_store(y[i].of + p * LN_WIDTH, v_fma(v_mul(d, scale[p]), one, zero));
        }
    }
}

static void forward(const ln_task *t) {
    const ln_shape s = t->node->out;
    for (size_t b = 0; b < t->n_blocks; b++) {
        statistics of;
        statistics_of(t, b, IMAGES, &of);
        if (t->training) *kept(t, b) = of;
        for (size_t c = t->c_lo; c < t->c_hi; c++)
            for (size_t h = t->h_lo; h < t->h_hi; h++) {
                const size_t i = (c * s.h + h) * s.w;
                forward_run(view_row(&t->in[0], b, c, h), view_row(&t->out, b, c, h), s.w, &of, param_at(t, 0, i),
                            param_at(t, 1, i));
            }
    }
}

/* ----------------------------------------------------------------- backward */

/* A walk over the values of a block, along its rows, r.w long. */
typedef struct walk {
    const ln_view *v;
    ln_shape       r;
    size_t         b, c, h, w;
} walk;

/* Where the walk stands, before it goes on by n values, all of them of one row. */
LN_INLINE const lanes *step_on(walk *at, size_t n) {
    const lanes *const from = view_row(at->v, at->b, at->c, at->h) + at->w;
    at->w += n;
    if (at->w < at->r.w) return from;
    at->w = 0;
    if (++at->h == at->r.h) at->h = 0, at->c++;
    return from;
}

/* The next n values, zeros behind them up to sixteen: where they lie, or gathered in room. */
LN_INLINE const lanes *sixteen(walk *at, size_t n, lanes room[LN_LANES]) {
    if (at->w + LN_LANES <= at->r.w) return step_on(at, LN_LANES);
    for (size_t k = 0, some; k < n; k += some) {
        some = ln_least(n - k, at->r.w - at->w);
        memcpy(room + k, step_on(at, some), some * sizeof *room);
    }
    memset(room + n, 0, (LN_LANES - n) * sizeof *room);
    return room;
}

/* Of sixteen values Σ g and Σ g · (x - mean), with g = weight · dy, and products[k], whose fold over its images is
 * the block's share of dweight. */
LN_INLINE void take_16(const lanes *x, const lanes *dy, const real *weight, const statistics *at, sums s[PARTS],
                       lanes products[LN_LANES]) {
    LN_UNROLL for (size_t p = 0; p < PARTS; p++) {
        const vec mean = v_load(at->mean.of + p * LN_WIDTH), scale = v_load(at->scale.of + p * LN_WIDTH);
        sums      r = s[p];
        for (size_t k = 0; k < LN_LANES; k += SUMS) LN_UNROLL for (size_t j = 0; j < SUMS; j++) {
                const vec one = v_broadcast(weight + k + j), y = v_load(dy[k + j].of + p * LN_WIDTH);
                const vec e = v_mul(v_sub(v_load(x[k + j].of + p * LN_WIDTH), mean), y);
                r.a[j] = v_fma(one, y, r.a[j]);
                r.b[j] = v_fma(one, e, r.b[j]);
                v_store(products[k + j].of + p * LN_WIDTH, v_mul(e, scale));
            }
        s[p] = r;
    }
}

/* The sums over the lanes of sixteen values, of which n are kept. */
LN_INLINE void fold_16(const lanes x[LN_LANES], real *to, size_t n) {
    real few[LN_LANES];
    lanes_sum16(x, n < LN_LANES ? few : to);
    if (n < LN_LANES) memcpy(to, few, n * sizeof(real));
}

/* Sixteen weights, those of n values from value i on: where they lie, or in room, which holds ones. */
LN_INLINE const real *weights_of(const ln_task *t, size_t i, size_t n, real room[LN_LANES]) {
    const real *const weight = param_at(t, 0, i);
    if (!weight) return room;
    return n == LN_LANES ? weight : memcpy(room, weight, n * sizeof(real));
}

/* The first walk over a block: the two sums, and the block's shares of the parameters' gradients if they learn. */
LN_INLINE void first_walk(const ln_task *t, size_t b, sums sum[PARTS]) {
    const size_t n = ln_shape_count(t->node->out);
    walk         along_x = {.v = &t->in[0], .r = runs_of(t, &t->in[0]), .b = b};
    walk         along_dy = {.v = &t->dout, .r = runs_of(t, &t->dout), .b = b};
    lanes        room_x[LN_LANES], room_dy[LN_LANES], products[LN_LANES];
    real         ones[LN_LANES];
    for (size_t k = 0; k < LN_LANES; k++) ones[k] = 1;
    begin_sums(sum);
    for (size_t i = 0; i < n; i += LN_LANES) {
        const size_t       some = ln_least(LN_LANES, n - i);
        const lanes *const x = sixteen(&along_x, some, room_x), *const dy = sixteen(&along_dy, some, room_dy);
        take_16(x, dy, weights_of(t, i, some, ones), kept(t, b), sum, products);
        if (t->dparam[0]) fold_16(products, share_of(t, b, 0) + i, some);
        if (t->dparam[1]) fold_16(dy, share_of(t, b, 1) + i, some);
    }
}

/* In one part of the lanes dx = scale · (g - mean_g - (x - mean) · q). */
typedef struct slope {
    vec mean, scale, mean_g, q;
} slope;

LN_INLINE slope slope_of(const statistics *s, size_t p, const sums *sum, vec n) {
    const vec scale = v_load(s->scale.of + p);
    return (slope){.mean = v_load(s->mean.of + p),
                   .scale = scale,
                   .mean_g = v_div(fold(sum->a), n),
                   .q = v_mul(v_mul(v_div(fold(sum->b), n), scale), scale)};
}

LN_INLINE void dinput_run(const lanes *x, const lanes *dy, lanes *dx, size_t n, const slope k[PARTS],
                          const real *weight, bool adds) {
    for (size_t i = 0; i < n; i++) {
        const vec one = weight ? v_broadcast(weight + i) : v_splat(1);
        LN_UNROLL for (size_t p = 0; p < PARTS; p++) {
            real *const to = dx[i].of + p * LN_WIDTH;
            const vec   d = v_sub(v_load(x[i].of + p * LN_WIDTH), k[p].mean);
            const vec   g = v_mul(one, v_load(dy[i].of + p * LN_WIDTH));
            const vec   value = v_mul(k[p].scale, v_sub(v_sub(g, k[p].mean_g), v_mul(d, k[p].q)));
            v_store(to, adds ? v_add(v_load(to), value) : value);
        }
    }
}

LN_INLINE void second_walk(const ln_task *t, size_t b, const sums sum[PARTS], bool adds) {
    const ln_shape s = t->node->out;
    slope          k[PARTS];
    LN_UNROLL for (size_t p = 0; p < PARTS; p++) k[p] = slope_of(kept(t, b), p * LN_WIDTH, &sum[p], v_splat(n_of(t)));
    for (size_t c = t->c_lo; c < t->c_hi; c++)
        for (size_t h = 0; h < s.h; h++)
            dinput_run(view_row(&t->in[0], b, c, h), view_row(&t->dout, b, c, h), view_row(&t->din[0], b, c, h), s.w, k,
                       param_at(t, 0, (c * s.h + h) * s.w), adds);
}

static void dinput(const ln_task *t) {
    for (size_t b = 0; b < t->n_blocks; b++) {
        sums sum[PARTS];
        first_walk(t, b, sum);
        if (t->write[0] == LN_ADD) second_walk(t, b, sum, true);
        else if (t->write[0] == LN_SET) second_walk(t, b, sum, false);
    }
}

/* Adds up what dinput has left of each block. */
static void dparam(const ln_task *t) {
    const size_t each = t->node->out.h * t->node->out.w, stride = t->saved_stride / sizeof(real);
    for (size_t k = 0; k < t->node->n_params; k++)
        ln_sum_partials(share_of(t, 0, k), t->n_blocks, stride, t->dparam[k], t->c_lo * each, t->c_hi * each);
}

/* ------------------------------------------------------ one image at a time */

static void prepare_image(const ln_node *node, ln_need *need) {
    const ln_shape s = node->out;
    need->n_packed = node->n_params * ln_channel_groups(s.c) * s.h * s.w * LN_LANES;
}

/* Where parameter k's values for group g begin: [h][w] of sixteen channels, zeros behind the last one. */
static lanes *packed_of(const ln_task *t, size_t k, size_t g) {
    const ln_shape s = t->node->out;
    return (lanes *)t->packed + (k * ln_channel_groups(s.c) + g) * s.h * s.w;
}

static void pack_image(const ln_task *t) {
    const ln_shape s = t->node->out;
    const size_t   area = s.h * s.w;
    size_t         lo, hi;
    ln_part(ln_channel_groups(s.c), t->part, t->n_parts, &lo, &hi);
    for (size_t k = 0; k < t->node->n_params; k++)
        for (size_t c = lo * LN_LANES; c < hi * LN_LANES; c++) {
            const real *const from = c < s.c ? param_at(t, k, c * area) : NULL;
            lanes *const      to = packed_of(t, k, c / LN_LANES);
            for (size_t i = 0; i < area; i++) to[i].of[c % LN_LANES] = from ? from[i] : 0;
        }
}

LN_INLINE void image_row(const lanes *x, lanes *y, size_t w, vec mean, vec scale, const lanes *weight,
                         const lanes *bias) {
    for (size_t i = 0; i < w; i++)
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            const vec one = weight ? v_load(weight[i].of + p) : v_splat(1);
            const vec zero = bias ? v_load(bias[i].of + p) : v_zero();
            v_store(y[i].of + p, v_fma(v_mul(v_sub(v_load(x[i].of + p), mean), scale), one, zero));
        }
}

static void run_image(const ln_task *t) {
    const ln_shape s = t->node->out;
    const size_t   n_params = t->node->n_params;
    for (size_t b = 0; b < t->n_blocks; b++) {
        statistics of;
        statistics_of(t, b, CHANNEL, &of);
        const vec mean = v_load(of.mean.of), scale = v_load(of.scale.of);
        for (size_t g = 0; g < ln_channel_groups(s.c); g++)
            for (size_t h = 0; h < s.h; h++)
                image_row(view_row(&t->in[0], b, g, h), view_row(&t->out, b, g, h), s.w, mean, scale,
                          n_params > 0 ? packed_of(t, 0, g) + h * s.w : NULL,
                          n_params > 1 ? packed_of(t, 1, g) + h * s.w : NULL);
    }
}

const ln_kernel LN_KERNEL(layernorm) = {
    .prepare = prepare,
    .forward = {{.run = forward}},
    .dinput = {{.run = dinput}},
    .dparam = dparam,
    .image = {.refuse = refuse_planar, .prepare = prepare_image, .pack = pack_image, .run = run_image}};
#endif
