/* What batchnorm1d and batchnorm2d share: all but the shapes they take.
 *
 * For each channel, over the n values of it that the whole batch has (every pixel of every live image):
 *   training    μ = Σ x / n,  σ² = Σ (x - μ)² / n,  x̂ = (x - μ) / √(σ² + eps),  y = weight · x̂ + bias
 *   prediction  the same with running_mean and running_var for μ and σ²: one fma a value
 *   after a step that is taken, with m = momentum:
 *               running_mean = (1 - m) · running_mean + m · μ
 *               running_var  = (1 - m) · running_var  + m · σ² · n / (n - 1)
 *   backward    dbias = Σ dy,  dweight = Σ dy · x̂
 *               dx = weight / √(σ² + eps) · (dy - dbias / n - x̂ · dweight / n)
 *
 * These are PyTorch's conventions. Elsewhere `momentum` is what stays, 1 - m, and running_var is of the biased σ².
 *
 * Sums     Σ (x - μ)² does not cancel. Of a channel's block, d = x - k and d² are summed, with k the mean of its first
 *          row, which lies at most √rows deviations from the block's mean; Σ d² - (Σ d)² / n is the block's own sum.
 *          Blocks are then merged: the sum over them of their own and of n of the block · (its mean - μ)².
 * Order    Column w of a row goes to sum w mod 4, rows in order, lane by lane; then the four, the lanes (dead ones are
 *          0), and blocks in order. Dead lanes of dx are 0, as those of dy.
 * Source: Ioffe and Szegedy, "Batch normalization", 2015; torch.nn.BatchNorm1d and BatchNorm2d; Chan, Golub and
 * LeVeque, "Algorithms for computing the sample variance", 1983. */
#ifndef LN_OP_BATCHNORM_H
#define LN_OP_BATCHNORM_H

#include "op/op.h"

typedef struct batchnorm { double eps, momentum; bool affine; } batchnorm;

static inline const batchnorm *batchnorm_of(const ln_node *node) { return (const void *)node->args; }

#ifdef LN_DESCRIPTOR

static const ln_attr batchnorm_attrs[] = {
    {.key = "eps", .type = LN_ATTR_FLOAT, .offset = offsetof(batchnorm, eps), .preset = 1e-5, .low = 1e-12, .high = 1,
     .help = "added to the variance"},
    {.key = "momentum", .type = LN_ATTR_FLOAT, .offset = offsetof(batchnorm, momentum), .preset = 0.1, .low = 0,
     .high = 1, .help = "share of the newest batch in the running mean and variance"},
    {.key = "affine", .type = LN_ATTR_BOOL, .offset = offsetof(batchnorm, affine), .preset = 1,
     .help = "multiply by a learnt weight and add a learnt bias"},
    {0}};

static inline ln_param batchnorm_param(const char *name, size_t c, double first) {
    return (ln_param){.name = name, .rank = 1, .dims = {c}, .count = c, .fan_in = 1, .fan_out = 1, .is_constant = true,
                      .constant = first};
}

static inline void batchnorm_infer_any(ln_node *node) {
    const size_t c = node->in[0].c;
    node->out = node->in[0];
    if (batchnorm_of(node)->affine) {
        node->param[node->n_params++] = batchnorm_param("weight", c, 1);
        node->param[node->n_params++] = batchnorm_param("bias", c, 0);
    }
    node->param[node->n_params + node->n_buffers++] = batchnorm_param("running_mean", c, 0);
    node->param[node->n_params + node->n_buffers++] = batchnorm_param("running_var", c, 1);
}

/* A single value has no variance. */
static inline size_t batchnorm_least_batch(const ln_node *node) { return node->out.h * node->out.w == 1 ? 2 : 1; }

#else
#include "kernel/kernel.h"

/* ------------------------------------------------------------ what is kept */

/* For each block, by channel: of the block alone until the pass's meet, then the same in all blocks:
 * MEAN, VAR  the block's mean and Σ (x - mean)²; then μ and σ²
 * SCALE      then 1 / √(σ² + eps)
 * DY, DYX    the block's Σ dy and Σ dy · (x - μ); then dbias / n, and dweight / n / √(σ² + eps) */
enum { BN_MEAN, BN_VAR, BN_SCALE, BN_DY, BN_DYX, BN_KEPT };

static inline size_t batchnorm_width(const ln_node *node) { return ln_channel_groups(node->out.c) * LN_LANES; }

static inline real *batchnorm_kept(const ln_task *t, size_t block, int what) {
    return (real *)(void *)(t->saved + block * t->saved_stride) + (size_t)what * batchnorm_width(t->node);
}

/* Prediction: what x is multiplied by, then what is added, by channel. */
static inline void batchnorm_prepare(const ln_node *node, ln_need *need) {
    if (need->training) need->saved = BN_KEPT * batchnorm_width(node) * sizeof(real);
    else need->n_packed = 2 * batchnorm_width(node);
}

/* Element i of the parameter: 1 or 0 where there is none. */
static inline real batchnorm_weight(const ln_task *t, size_t c) {
    return t->node->n_params > 0 ? ((const real *)t->param[0])[c] : 1;
}
static inline real batchnorm_bias(const ln_task *t, size_t c) {
    return t->node->n_params > 0 ? ((const real *)t->param[1])[c] : 0;
}

/* Values of a channel: in a block, in the batch. */
static inline size_t batchnorm_count(const ln_task *t, size_t block) {
    return (size_t)__builtin_popcount(t->live[block]) * t->node->out.h * t->node->out.w;
}
static inline real batchnorm_n(const ln_task *t) { return (real)(t->batch * t->node->out.h * t->node->out.w); }

/* ------------------------------------------------------------ sums of a block */

enum { BN_SUMS = 4 };

LN_INLINE vec batchnorm_fold(const vec sum[BN_SUMS]) {
    return v_add(v_add(sum[0], sum[1]), v_add(sum[2], sum[3]));
}

LN_INLINE void batchnorm_take(const lanes *x, const lanes *dy, size_t p, vec middle, bool backward, vec *a, vec *b) {
    const vec d = v_sub(v_load(x->of + p), middle), e = backward ? v_load(dy->of + p) : d;
    *a = v_add(*a, e);
    *b = v_fma(e, d, *b);
}

/* Σ d and Σ d² of some rows of a channel, d = x - middle; backward: Σ dy and Σ dy · d. One part of the lanes. */
LN_INLINE void batchnorm_sum_part(const ln_task *t, size_t block, size_t c, size_t h, size_t p, vec middle,
                                  bool backward, lanes *a_sum, lanes *b_sum) {
    const size_t w = t->node->out.w;
    const vmask  alive = mask_from_bits((unsigned)t->live[block] >> p);
    vec          a[BN_SUMS], b[BN_SUMS];
    LN_UNROLL for (int k = 0; k < BN_SUMS; k++) a[k] = b[k] = v_zero();
    for (size_t r = 0; r < h; r++) {
        const lanes *x = view_row(&t->in[0], block, c, r), *dy = backward ? view_row(&t->dout, block, c, r) : x;
        size_t       i = 0;
        for (; i + BN_SUMS <= w; i += BN_SUMS)
            LN_UNROLL for (size_t k = 0; k < BN_SUMS; k++)
                batchnorm_take(x + i + k, dy + i + k, p, middle, backward, &a[k], &b[k]);
        LN_UNROLL for (size_t k = 0; k + 1 < BN_SUMS; k++)
            if (i + k < w) batchnorm_take(x + i + k, dy + i + k, p, middle, backward, &a[k], &b[k]);
    }
    v_store(a_sum->of + p, v_select(alive, batchnorm_fold(a), v_zero()));
    v_store(b_sum->of + p, v_select(alive, batchnorm_fold(b), v_zero()));
}

/* Of n ≤ 16 channels from c, their first h rows: lanes are folded best by sixteens. */
LN_INLINE void batchnorm_sum(const ln_task *t, size_t block, size_t c, size_t n, size_t h, const real *middle,
                             bool backward, real a_sum[LN_LANES], real b_sum[LN_LANES]) {
    lanes a[LN_LANES], b[LN_LANES];
    for (size_t k = 0; k < LN_LANES; k++)
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            if (k < n) batchnorm_sum_part(t, block, c + k, h, p, v_splat(middle[k]), backward, &a[k], &b[k]);
            else v_store(a[k].of + p, v_zero()), v_store(b[k].of + p, v_zero());
        }
    lanes_sum16(a, a_sum);
    lanes_sum16(b, b_sum);
}

/* Mean and Σ (x - mean)² of a block; zeros for one without live images. */
static inline void batchnorm_block(const ln_task *t, size_t block, size_t c, size_t n) {
    const size_t count = batchnorm_count(t, block);
    const real   one = count ? 1 / (real)count : 0, row = one * (real)t->node->out.h;
    real *const  mean = batchnorm_kept(t, block, BN_MEAN) + c, *const var = batchnorm_kept(t, block, BN_VAR) + c;
    real         middle[LN_LANES] = {0}, a[LN_LANES], b[LN_LANES];
    batchnorm_sum(t, block, c, n, 1, middle, false, a, b);
    for (size_t k = 0; k < n; k++) middle[k] = a[k] * row;
    batchnorm_sum(t, block, c, n, t->node->out.h, middle, false, a, b);
    for (size_t k = 0; k < n; k++) {
        const real m2 = b[k] - a[k] * a[k] * one;
        mean[k] = middle[k] + a[k] * one;
        var[k] = m2 < 0 ? 0 : m2;
    }
}

static inline size_t batchnorm_step(const ln_task *t, size_t c) {
    return t->c_hi - c < LN_LANES ? t->c_hi - c : LN_LANES;
}

static void batchnorm_sums_forward(const ln_task *t) {
    for (size_t b = 0; b < t->n_blocks; b++)
        for (size_t c = t->c_lo; c < t->c_hi; c += LN_LANES) batchnorm_block(t, b, c, batchnorm_step(t, c));
}

static void batchnorm_sums_backward(const ln_task *t) {
    for (size_t b = 0; b < t->n_blocks; b++)
        for (size_t c = t->c_lo; c < t->c_hi; c += LN_LANES) {
            const size_t n = batchnorm_step(t, c);
            real         dy[LN_LANES], dyx[LN_LANES];
            batchnorm_sum(t, b, c, n, t->node->out.h, batchnorm_kept(t, b, BN_MEAN) + c, true, dy, dyx);
            for (size_t k = 0; k < n; k++) {
                batchnorm_kept(t, b, BN_DY)[c + k] = dy[k];
                batchnorm_kept(t, b, BN_DYX)[c + k] = dyx[k];
            }
        }
}

/* -------------------------------------------------------- sums of the batch */

LN_INLINE vec batchnorm_load(const ln_task *t, size_t block, int what, size_t c) {
    return v_load(batchnorm_kept(t, block, what) + c);
}

/* Every block gets value. */
LN_INLINE void batchnorm_spread(const ln_task *t, int what, size_t c, vec value) {
    for (size_t b = 0; b < t->n_blocks; b++) v_store(batchnorm_kept(t, b, what) + c, value);
}

/* Channels [c, c + LN_WIDTH). */
LN_INLINE void batchnorm_merge(const ln_task *t, size_t c) {
    const vec n = v_splat(batchnorm_n(t)), first = batchnorm_load(t, 0, BN_MEAN, c);
    vec       sum = v_zero();
    for (size_t b = 0; b < t->n_blocks; b++)
        sum = v_fma(v_splat((real)batchnorm_count(t, b)), v_sub(batchnorm_load(t, b, BN_MEAN, c), first), sum);
    const vec mean = v_add(first, v_div(sum, n));
    sum = v_zero();
    for (size_t b = 0; b < t->n_blocks; b++) {
        const vec far = v_sub(batchnorm_load(t, b, BN_MEAN, c), mean);
        sum = v_add(sum, v_fma(v_mul(v_splat((real)batchnorm_count(t, b)), far), far, batchnorm_load(t, b, BN_VAR, c)));
    }
    const vec var = v_div(sum, n), eps = v_splat((real)batchnorm_of(t->node)->eps);
    batchnorm_spread(t, BN_MEAN, c, mean);
    batchnorm_spread(t, BN_VAR, c, var);
    batchnorm_spread(t, BN_SCALE, c, v_div(v_splat(1), v_sqrt(v_add(var, eps))));
}

/* A thread's share, in sixteens of channels. */
LN_INLINE void batchnorm_part(const ln_task *t, size_t *lo, size_t *hi) {
    const size_t groups = ln_channel_groups(t->node->out.c);
    *lo = groups * t->part / t->n_parts * LN_LANES;
    *hi = groups * (t->part + 1) / t->n_parts * LN_LANES;
}

static void batchnorm_meet_forward(const ln_task *t) {
    size_t lo, hi;
    batchnorm_part(t, &lo, &hi);
    for (size_t c = lo; c < hi; c += LN_WIDTH) batchnorm_merge(t, c);
}

LN_INLINE vec batchnorm_total(const ln_task *t, int what, size_t c) {
    vec sum = v_zero();
    for (size_t b = 0; b < t->n_blocks; b++) sum = v_add(sum, batchnorm_load(t, b, what, c));
    return sum;
}

/* A parameter's gradient, of which the last sixteen channels may not all exist. */
LN_INLINE void batchnorm_set(const ln_task *t, size_t parameter, const lanes *value, size_t c) {
    real *const  to = t->dparam[parameter]; /* NULL when frozen, or not there */
    const size_t n = t->node->out.c - c < LN_LANES ? t->node->out.c - c : LN_LANES;
    for (size_t k = 0; k < n && to; k++) to[c + k] = value->of[k];
}

static void batchnorm_meet_backward(const ln_task *t) {
    const vec n = v_splat(batchnorm_n(t));
    size_t    lo, hi;
    batchnorm_part(t, &lo, &hi);
    for (size_t c = lo; c < hi; c += LN_LANES) {
        lanes weight, bias;
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            const vec scale = batchnorm_load(t, 0, BN_SCALE, c + p), dy = batchnorm_total(t, BN_DY, c + p);
            const vec dyx = v_mul(batchnorm_total(t, BN_DYX, c + p), scale);
            batchnorm_spread(t, BN_DY, c + p, v_div(dy, n));
            batchnorm_spread(t, BN_DYX, c + p, v_mul(v_div(dyx, n), scale));
            v_store(weight.of + p, dyx);
            v_store(bias.of + p, dy);
        }
        batchnorm_set(t, 0, &weight, c);
        batchnorm_set(t, 1, &bias, c);
    }
}

/* Running statistics, from those that every block has. */
static void batchnorm_settle(const ln_task *t) {
    const size_t n = t->batch * t->node->out.h * t->node->out.w, first = t->node->n_params;
    const real   m = (real)batchnorm_of(t->node)->momentum, stays = (real)(1 - batchnorm_of(t->node)->momentum);
    const real   unbiased = (real)((double)n / (double)(n - 1));
    const real  *mean = batchnorm_kept(t, 0, BN_MEAN), *var = batchnorm_kept(t, 0, BN_VAR);
    real *const  running_mean = t->param[first], *const running_var = t->param[first + 1];
    size_t       lo, hi;
    batchnorm_part(t, &lo, &hi);
    for (size_t c = lo; c < hi && c < t->node->out.c; c++) {
        running_mean[c] = stays * running_mean[c] + m * mean[c];
        running_var[c] = stays * running_var[c] + m * (var[c] * unbiased);
    }
}

/* ------------------------------------------------------------- every value */

LN_INLINE void batchnorm_row(const lanes *x, lanes *y, size_t w, vec mean, vec scale, vec bias) {
    for (size_t i = 0; i < w; i++)
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH)
            v_store(y[i].of + p, v_fma(v_sub(v_load(x[i].of + p), mean), scale, bias));
}

LN_INLINE void batchnorm_row_fma(const lanes *x, lanes *y, size_t w, vec scale, vec shift) {
    for (size_t i = 0; i < w; i++)
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH)
            v_store(y[i].of + p, v_fma(v_load(x[i].of + p), scale, shift));
}

static void batchnorm_forward(const ln_task *t) {
    const size_t      w = t->node->out.w;
    const real *const packed = t->packed;
    LN_FOR_ROWS(t, b, c, h) {
        const lanes *x = view_row(&t->in[0], b, c, h);
        lanes       *y = view_row(&t->out, b, c, h);
        if (t->training)
            batchnorm_row(x, y, w, v_splat(batchnorm_kept(t, b, BN_MEAN)[c]),
                          v_splat(batchnorm_kept(t, b, BN_SCALE)[c] * batchnorm_weight(t, c)),
                          v_splat(batchnorm_bias(t, c)));
        else batchnorm_row_fma(x, y, w, v_splat(packed[c]), v_splat(packed[batchnorm_width(t->node) + c]));
    }
}

/* dx = s · (dy - mean of dy - (x - μ) · q); s is 0 in dead lanes. */
LN_INLINE void batchnorm_row_back(const lanes *x, const lanes *dy, lanes *dx, size_t w, const lanes *s, vec mean,
                                  vec mean_dy, vec q, bool adds) {
    for (size_t i = 0; i < w; i++)
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            const vec d = v_sub(v_load(x[i].of + p), mean), e = v_sub(v_load(dy[i].of + p), mean_dy);
            const vec value = v_mul(v_load(s->of + p), v_sub(e, v_mul(d, q)));
            v_store(dx[i].of + p, adds ? v_add(v_load(dx[i].of + p), value) : value);
        }
}

LN_INLINE void batchnorm_dinput_rows(const ln_task *t, bool adds) {
    LN_FOR_ROWS(t, b, c, h) {
        const vec scale = v_splat(batchnorm_kept(t, b, BN_SCALE)[c] * batchnorm_weight(t, c));
        lanes     s;
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH)
            v_store(s.of + p, v_select(mask_from_bits((unsigned)t->live[b] >> p), scale, v_zero()));
        batchnorm_row_back(view_row(&t->in[0], b, c, h), view_row(&t->dout, b, c, h), view_row(&t->din[0], b, c, h),
                           t->node->out.w, &s, v_splat(batchnorm_kept(t, b, BN_MEAN)[c]),
                           v_splat(batchnorm_kept(t, b, BN_DY)[c]), v_splat(batchnorm_kept(t, b, BN_DYX)[c]), adds);
    }
}

static void batchnorm_dinput(const ln_task *t) {
    if (t->write[0] == LN_ADD) batchnorm_dinput_rows(t, true);
    else if (t->write[0] == LN_SET) batchnorm_dinput_rows(t, false);
}

/* -------------------------------------------------------------- prediction */

static void batchnorm_pack(const ln_task *t) {
    const size_t      c = t->node->out.c, width = batchnorm_width(t->node), first = t->node->n_params;
    const real *const mean = t->param[first], *const var = t->param[first + 1];
    const real        eps = (real)batchnorm_of(t->node)->eps;
    real *const       packed = t->packed;
    size_t            lo, hi;
    if (t->training) return;
    batchnorm_part(t, &lo, &hi);
    for (size_t i = lo; i < hi; i += LN_LANES) {
        lanes v = {{0}};
        for (size_t k = 0; k < LN_LANES && i + k < c; k++) v.of[k] = var[i + k] + eps;
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) v_store(v.of + p, v_sqrt(v_load(v.of + p)));
        for (size_t k = 0; k < LN_LANES; k++) {
            const bool real_one = i + k < c;
            packed[i + k] = real_one ? batchnorm_weight(t, i + k) * (1 / v.of[k]) : 0;
            packed[width + i + k] = real_one ? batchnorm_bias(t, i + k) - mean[i + k] * packed[i + k] : 0;
        }
    }
}

/* One image at a time: c counts sixteens of channels. */
static void batchnorm_image(const ln_task *t) {
    const real *const packed = t->packed;
    const size_t      width = batchnorm_width(t->node);
    LN_FOR_ROWS(t, b, c, h) {
        const lanes *x = view_row(&t->in[0], b, c, h);
        lanes       *y = view_row(&t->out, b, c, h);
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            const vec scale = v_load(packed + c * LN_LANES + p), shift = v_load(packed + width + c * LN_LANES + p);
            for (size_t i = 0; i < t->node->out.w; i++)
                v_store(y[i].of + p, v_fma(v_load(x[i].of + p), scale, shift));
        }
    }
}

#define BATCHNORM_KERNEL                                                                                          \
    {                                                                                                             \
        .prepare = batchnorm_prepare, .pack = batchnorm_pack, .settle = batchnorm_settle,                         \
        .forward = {{.run = batchnorm_sums_forward, .meet = batchnorm_meet_forward}, {.run = batchnorm_forward}}, \
        .dinput = {{.run = batchnorm_sums_backward, .meet = batchnorm_meet_backward}, {.run = batchnorm_dinput}}, \
        .image = {.refuse = refuse_planar, .prepare = batchnorm_prepare, .pack = batchnorm_pack,                  \
                  .run = batchnorm_image},                                                                        \
    }
#endif

#endif
