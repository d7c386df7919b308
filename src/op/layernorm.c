/* layernorm: an image's values less their mean, divided by their deviation, times weights, plus biases
 *
 * Shapes    x c×h×w → y c×h×w; weight and bias c×h×w, of rank 1 where h = w = 1.
 * Forward   for each image over its n = c·h·w values i: μ = Σ x[i] / n,  σ² = Σ (x[i] - μ)² / n,
 *           x̂[i] = (x[i] - μ) / √(σ² + eps),  y[i] = weight[i] · x̂[i] + bias[i]
 * Backward  with g[i] = weight[i] · dy[i]:  dx = (g - Σ g / n - x̂ · Σ (g · x̂) / n) / √(σ² + eps)
 *           dweight[i] = Σ dy[i] · x̂[i],  dbias[i] = Σ dy[i], over images
 * Sums      σ² takes a second walk, and what rounding left of Σ (x - μ) is taken off it: nothing cancels. Column w of a
 *           row goes to sum w mod 4, channels and rows in order; then the four are added. Over images: blocks in order,
 *           lane by lane, then the lanes.
 * Kept between the two: μ and 1 / √(σ² + eps) of each image.
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
#include "kernel/kernel.h"

enum { SUMS = 4 };

/* What is kept of a block. */
typedef struct statistics {
    lanes mean, scale;
} statistics;

static void prepare(const ln_node *node, ln_need *need) {
    (void)node;
    if (need->training) need->saved = sizeof(statistics);
}

static statistics *kept(const ln_task *t, size_t block) {
    return (statistics *)(void *)(t->saved + block * t->saved_stride);
}

static real n_of(const ln_task *t) { return (real)ln_shape_count(t->node->out); }

/* Of parameter k; NULL where there is none. */
static const real *row_of(const ln_task *t, size_t k, size_t c, size_t h) {
    const ln_shape s = t->node->out;
    return k < t->node->n_params ? (const real *)t->param[k] + (c * s.h + h) * s.w : NULL;
}

/* -------------------------------------------------------- sums of an image */

/* Σ a and Σ b, each as four. */
typedef struct sums {
    vec a[SUMS], b[SUMS];
} sums;

LN_INLINE vec fold(const vec sum[SUMS]) { return v_add(v_add(sum[0], sum[1]), v_add(sum[2], sum[3])); }

/* How lanes are read: those from p on, each an image; or, of one image, lane p, which is a channel. */
typedef enum reading { IMAGES, CHANNEL } reading;

/* One value's share: forward of d = x - middle and d², backward of g = weight · dy and g · d. */
LN_INLINE void take(const lanes *x, const lanes *dy, const real *weight, size_t p, reading how, vec middle, vec *a,
                    vec *b) {
    const vec v = how == CHANNEL ? v_broadcast(x->of + p) : v_load(x->of + p);
    const vec d = v_sub(v, middle), y = dy ? v_load(dy->of + p) : d;
    const vec e = weight ? v_mul(v_broadcast(weight), y) : y;
    *a = v_add(*a, e);
    *b = v_fma(e, d, *b);
}

LN_INLINE void take_row(const lanes *x, const lanes *dy, const real *weight, size_t w, size_t p, reading how,
                        vec middle, sums *s) {
    size_t i = 0;
    for (; i + SUMS <= w; i += SUMS)
        LN_UNROLL for (size_t k = 0; k < SUMS; k++)
            take(x + i + k, dy ? dy + i + k : NULL, weight ? weight + i + k : NULL, p, how, middle, &s->a[k], &s->b[k]);
    LN_UNROLL for (size_t k = 0; k + 1 < SUMS; k++) if (i + k < w)
        take(x + i + k, dy ? dy + i + k : NULL, weight ? weight + i + k : NULL, p, how, middle, &s->a[k], &s->b[k]);
}

/* p: see reading; of one image p is not looked at, and all elements of the sums are the same. */
LN_INLINE void sum_all(const ln_task *t, size_t b, size_t p, reading how, vec middle, bool backward, bool weighs,
                       vec *a_sum, vec *b_sum) {
    const ln_shape shape = t->node->out;
    sums           s;
    LN_UNROLL for (int k = 0; k < SUMS; k++) s.a[k] = s.b[k] = v_zero();
    for (size_t c = 0; c < shape.c; c++) {
        const size_t at = how == CHANNEL ? c / LN_LANES : c, lane = how == CHANNEL ? c % LN_LANES : p;
        for (size_t h = 0; h < shape.h; h++)
            take_row(view_row(&t->in[0], b, at, h), backward ? view_row(&t->dout, b, c, h) : NULL,
                     weighs ? row_of(t, 0, c, h) : NULL, shape.w, lane, how, middle, &s);
    }
    *a_sum = fold(s.a);
    *b_sum = fold(s.b);
}

/* ------------------------------------------------------------------ forward */

LN_INLINE void statistics_of(const ln_task *t, size_t b, size_t p, reading how, vec *mean, vec *scale) {
    const vec n = v_splat(n_of(t)), eps = v_splat((real)((const layernorm *)(const void *)t->node->args)->eps);
    vec       sum, squares;
    sum_all(t, b, p, how, v_zero(), false, false, &sum, &squares);
    const vec near = v_div(sum, n);
    sum_all(t, b, p, how, near, false, false, &sum, &squares);
    const vec rest = v_div(sum, n), var = v_sub(v_div(squares, n), v_mul(rest, rest));
    *mean = v_add(near, rest);
    *scale = v_div(v_splat(1), v_sqrt(v_add(v_max(v_zero(), var), eps)));
}

LN_INLINE void forward_row(const lanes *x, lanes *y, size_t w, const statistics *s, const real *weight,
                           const real *bias) {
    for (size_t i = 0; i < w; i++) {
        const vec one = weight ? v_broadcast(weight + i) : v_splat(1), zero = bias ? v_broadcast(bias + i) : v_zero();
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            const vec scale = v_load(s->scale.of + p), d = v_sub(v_load(x[i].of + p), v_load(s->mean.of + p));
            v_store(y[i].of + p, v_fma(v_mul(d, scale), one, zero));
        }
    }
}

static void forward(const ln_task *t) {
    const size_t w = t->node->out.w;
    for (size_t b = 0; b < t->n_blocks; b++) {
        statistics s;
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            vec mean, scale;
            statistics_of(t, b, p, IMAGES, &mean, &scale);
            v_store(s.mean.of + p, mean);
            v_store(s.scale.of + p, scale);
        }
        if (t->training) *kept(t, b) = s;
        for (size_t c = t->c_lo; c < t->c_hi; c++)
            for (size_t h = t->h_lo; h < t->h_hi; h++)
                forward_row(view_row(&t->in[0], b, c, h), view_row(&t->out, b, c, h), w, &s, row_of(t, 0, c, h),
                            row_of(t, 1, c, h));
    }
}

/* ----------------------------------------------------------------- backward */

/* dx = scale · (g - mean_g - (x - mean) · q) */
typedef struct slope {
    lanes mean_g, q;
} slope;

LN_INLINE slope slope_of(const ln_task *t, size_t b, const statistics *s) {
    const vec  n = v_splat(n_of(t));
    const bool weighs = t->node->n_params > 0;
    slope      k;
    for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
        const vec scale = v_load(s->scale.of + p);
        vec       g, gd;
        if (weighs) sum_all(t, b, p, IMAGES, v_load(s->mean.of + p), true, true, &g, &gd);
        else sum_all(t, b, p, IMAGES, v_load(s->mean.of + p), true, false, &g, &gd);
        v_store(k.mean_g.of + p, v_div(g, n));
        v_store(k.q.of + p, v_mul(v_mul(v_div(gd, n), scale), scale));
    }
    return k;
}

LN_INLINE void dinput_row(const lanes *x, const lanes *dy, lanes *dx, size_t w, const statistics *s, const slope *k,
                          const real *weight, bool adds) {
    for (size_t i = 0; i < w; i++) {
        const vec one = weight ? v_broadcast(weight + i) : v_splat(1);
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            const vec d = v_sub(v_load(x[i].of + p), v_load(s->mean.of + p)), g = v_mul(one, v_load(dy[i].of + p));
            const vec e = v_sub(v_sub(g, v_load(k->mean_g.of + p)), v_mul(d, v_load(k->q.of + p)));
            const vec value = v_mul(v_load(s->scale.of + p), e);
            v_store(dx[i].of + p, adds ? v_add(v_load(dx[i].of + p), value) : value);
        }
    }
}

static void dinput(const ln_task *t) {
    const ln_shape s = t->node->out;
    if (t->write[0] == LN_SKIP) return;
    for (size_t b = 0; b < t->n_blocks; b++) {
        const statistics *const at = kept(t, b);
        const slope             k = slope_of(t, b, at);
        for (size_t c = t->c_lo; c < t->c_hi; c++)
            for (size_t h = 0; h < s.h; h++)
                dinput_row(view_row(&t->in[0], b, c, h), view_row(&t->dout, b, c, h), view_row(&t->din[0], b, c, h),
                           s.w, at, &k, row_of(t, 0, c, h), t->write[0] == LN_ADD);
    }
}

/* ------------------------------------------------------ parameter gradients */

/* One of sixteen values: its place in a block of x and of dy, and its sums over the blocks. */
typedef struct element {
    size_t x, dy;
} element;

static element element_at(const ln_task *t, size_t i) {
    const ln_shape s = t->node->out;
    const size_t   c = i / (s.h * s.w), h = i / s.w % s.h, w = i % s.w;
    return (element){(c - t->in[0].c0) * t->in[0].channel + (h - t->in[0].h0) * t->in[0].row + w,
                     (c - t->dout.c0) * t->dout.channel + (h - t->dout.h0) * t->dout.row + w};
}

LN_INLINE void add_block(const ln_task *t, size_t b, const element at, lanes *weight, lanes *bias) {
    const statistics *const s = kept(t, b);
    const lanes *const      x = (const lanes *)t->in[0].data + b * t->in[0].block + at.x;
    const lanes *const      dy = (const lanes *)t->dout.data + b * t->dout.block + at.dy;
    for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
        const vec d = v_sub(v_load(x->of + p), v_load(s->mean.of + p)), g = v_load(dy->of + p);
        v_store(weight->of + p, v_fma(v_mul(d, v_load(s->scale.of + p)), g, v_load(weight->of + p)));
        v_store(bias->of + p, v_add(v_load(bias->of + p), g));
    }
}

/* Values [i, i + n), n ≤ 16: lanes are folded best by sixteens. */
static void dparam_some(const ln_task *t, size_t i, size_t n) {
    lanes   weight[LN_LANES], bias[LN_LANES];
    element at[LN_LANES];
    real    sum[LN_LANES];
    for (size_t k = 0; k < LN_LANES; k++) {
        at[k] = element_at(t, k < n ? i + k : i);
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH)
            v_store(weight[k].of + p, v_zero()), v_store(bias[k].of + p, v_zero());
    }
    for (size_t b = 0; b < t->n_blocks; b++)
        for (size_t k = 0; k < n; k++) add_block(t, b, at[k], &weight[k], &bias[k]);
    lanes_sum16(weight, sum);
    for (size_t k = 0; k < n; k++) ((real *)t->dparam[0])[i + k] = sum[k];
    if (t->node->n_params < 2) return;
    lanes_sum16(bias, sum);
    for (size_t k = 0; k < n; k++) ((real *)t->dparam[1])[i + k] = sum[k];
}

static void dparam(const ln_task *t) {
    const size_t each = t->node->out.h * t->node->out.w, end = t->c_hi * each;
    for (size_t i = t->c_lo * each; i < end; i += LN_LANES) dparam_some(t, i, end - i < LN_LANES ? end - i : LN_LANES);
}

/* ------------------------------------------------------ one image at a time */

static const char *refuse_image(const ln_node *node) { return node->input[0] < 0 ? "its input is the model's" : NULL; }

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
            const real *const from = c < s.c ? row_of(t, k, c, 0) : NULL;
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
        vec mean, scale;
        statistics_of(t, b, 0, CHANNEL, &mean, &scale);
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
    .image = {.refuse = refuse_image, .prepare = prepare_image, .pack = pack_image, .run = run_image}};
#endif
