/* Kernels of the ops in tests/harness/own_ops.h, once for each instruction set. */
#include "harness/own_ops.h"
#include "kernel/kernel.h"

/* ----------------------------------------------------------------- centre */

/* What a block keeps: for each channel its sum, or the batch's mean; and of dy and dy · xc likewise. */
enum { OF_X, OF_DY, OF_DYXC, N_OF };

static real *kept(const ln_task *t, size_t block, int what) {
    return (real *)(void *)(t->saved + block * t->saved_stride) + (size_t)what * t->node->out.c;
}

static void centre_prepare(const ln_node *node, ln_need *need) {
    if (need->training) need->saved = N_OF * node->out.c * sizeof(real);
}

LN_INLINE vec alive(const ln_task *t, size_t block, size_t p, vec x) {
    return v_select(mask_from_bits((unsigned)t->live[block] >> p), x, v_zero());
}

static void centre_sum(const ln_task *t) {
    const ln_shape s = t->node->out;
    for (size_t b = 0; b < t->n_blocks; b++)
        for (size_t c = 0; c < s.c; c++) {
            lanes sum = {{0}};
            for (size_t h = 0; h < s.h; h++)
                for (size_t w = 0; w < s.w; w++)
                    for (size_t p = 0; p < LN_LANES; p += LN_WIDTH)
                        v_store(sum.of + p, v_add(v_load(sum.of + p),
                                                  alive(t, b, p, v_load(view_row(&t->in[0], b, c, h)[w].of + p))));
            kept(t, b, OF_X)[c] = lanes_sum(&sum);
        }
}

/* The blocks' sums in order, for this thread's channels; every block gets the mean. Returns the sum. */
static real total(const ln_task *t, int what, size_t c) {
    const ln_shape s = t->node->out;
    real           sum = 0;
    for (size_t b = 0; b < t->n_blocks; b++) sum += kept(t, b, what)[c];
    for (size_t b = 0; b < t->n_blocks; b++) kept(t, b, what)[c] = sum / (real)(t->batch * s.h * s.w);
    return sum;
}

static void centre_meet(const ln_task *t) {
    const size_t c = t->node->out.c;
    for (size_t i = c * t->part / t->n_parts; i < c * (t->part + 1) / t->n_parts; i++) (void)total(t, OF_X, i);
}

static void centre_forward(const ln_task *t) {
    const real *const scale = t->param[0];
    LN_FOR_ROWS(t, b, c, h) {
        const lanes *x = view_row(&t->in[0], b, c, h);
        lanes       *y = view_row(&t->out, b, c, h);
        const vec    mean = v_splat(t->training ? kept(t, b, OF_X)[c] : 0), s = v_splat(scale[c]);
        for (size_t w = 0; w < t->node->out.w; w++)
            for (size_t p = 0; p < LN_LANES; p += LN_WIDTH)
                v_store(y[w].of + p, v_mul(s, v_sub(v_load(x[w].of + p), mean)));
    }
}

static void centre_back_sum(const ln_task *t) {
    const ln_shape s = t->node->out;
    for (size_t b = 0; b < t->n_blocks; b++)
        for (size_t c = 0; c < s.c; c++) {
            const vec mean = v_splat(kept(t, b, OF_X)[c]);
            lanes     sum = {{0}}, product = {{0}};
            for (size_t h = 0; h < s.h; h++)
                for (size_t w = 0; w < s.w; w++)
                    for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
                        const vec dy = alive(t, b, p, v_load(view_row(&t->dout, b, c, h)[w].of + p));
                        const vec xc = v_sub(v_load(view_row(&t->in[0], b, c, h)[w].of + p), mean);
                        v_store(sum.of + p, v_add(v_load(sum.of + p), dy));
                        v_store(product.of + p, v_fma(dy, xc, v_load(product.of + p)));
                    }
            kept(t, b, OF_DY)[c] = lanes_sum(&sum);
            kept(t, b, OF_DYXC)[c] = lanes_sum(&product);
        }
}

static void centre_back_meet(const ln_task *t) {
    const size_t c = t->node->out.c;
    for (size_t i = c * t->part / t->n_parts; i < c * (t->part + 1) / t->n_parts; i++) {
        (void)total(t, OF_DY, i);
        ((real *)t->dparam[0])[i] = total(t, OF_DYXC, i);
    }
}

static void centre_dinput(const ln_task *t) {
    const real *const scale = t->param[0];
    if (t->write[0] == LN_SKIP) return;
    LN_FOR_ROWS(t, b, c, h) {
        const lanes *dy = view_row(&t->dout, b, c, h);
        lanes       *dx = view_row(&t->din[0], b, c, h);
        const vec    mean = v_splat(kept(t, b, OF_DY)[c]), s = v_splat(scale[c]);
        for (size_t w = 0; w < t->node->out.w; w++)
            for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
                const vec value = alive(t, b, p, v_mul(s, v_sub(v_load(dy[w].of + p), mean)));
                v_store(dx[w].of + p, t->write[0] == LN_ADD ? v_add(v_load(dx[w].of + p), value) : value);
            }
    }
}

extern const ln_kernel LN_KERNEL(own_centre);
const ln_kernel        LN_KERNEL(own_centre) = {
           .prepare = centre_prepare,
           .forward = {{.run = centre_sum, .meet = centre_meet}, {.run = centre_forward}},
           .dinput = {{.run = centre_back_sum, .meet = centre_back_meet}, {.run = centre_dinput}}};

/* ------------------------------------------------------------------- drop */

/* The key of an image's draws in this step; element i's is word 0 of counter i under it. */
static void draw_keys(const ln_task *t, size_t block, uint32_t key[LN_LANES][2]) {
    for (size_t l = 0; l < LN_LANES; l++) {
        const uint32_t image = t->image[block * LN_LANES + l];
        ln_random      random = ln_random_at(t->seed, LN_RANDOM_LAYER, (uint32_t)t->node->index, t->step << 32 | image);
        key[l][0] = ln_random_u32(&random);
        key[l][1] = ln_random_u32(&random);
    }
}

/* to = from, or its share that is kept; forward and backward alike. */
static void drop_rows(const ln_task *t, const ln_view *from, const ln_view *to, bool adds) {
    const ln_shape s = t->node->out;
    const double   p = ((const drop_args *)(const void *)t->node->args)->p;
    uint32_t       key[LN_LANES][2];
    for (size_t b = 0; b < t->n_blocks; b++) {
        draw_keys(t, b, key);
        for (size_t c = t->c_lo; c < t->c_hi; c++)
            for (size_t h = t->h_lo; h < t->h_hi; h++)
                for (size_t w = 0; w < s.w; w++) {
                    const lanes *in = view_row(from, b, c, h) + w;
                    lanes       *out = view_row(to, b, c, h) + w;
                    for (size_t l = 0; l < LN_LANES; l++) {
                        const uint32_t counter[4] = {(uint32_t)((c * s.h + h) * s.w + w), 0, 0, 0};
                        uint32_t       word[4];
                        ln_philox(counter, key[l], word);
                        const bool kept_one = !t->training || word[0] >= p * 4294967296.0;
                        const real value = kept_one ? in->of[l] * (t->training ? (real)(1 / (1 - p)) : 1) : 0;
                        out->of[l] = adds ? out->of[l] + value : value;
                    }
                }
    }
}

static void drop_forward(const ln_task *t) { drop_rows(t, &t->in[0], &t->out, false); }
static void drop_dinput(const ln_task *t) {
    if (t->write[0] != LN_SKIP) drop_rows(t, &t->dout, &t->din[0], t->write[0] == LN_ADD);
}

extern const ln_kernel LN_KERNEL(own_drop);
const ln_kernel        LN_KERNEL(own_drop) = {.forward = {{.run = drop_forward}}, .dinput = {{.run = drop_dinput}}};

/* ------------------------------------------------------------------- skew */

static void skew_rows(const ln_task *t, const ln_view *from, const ln_view *to, real factor, bool adds) {
    LN_FOR_ROWS(t, b, c, h)
        for (size_t w = 0; w < t->node->out.w; w++)
            for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
                real *const out = view_row(to, b, c, h)[w].of + p;
                const vec   value = v_mul(v_splat(factor), v_load(view_row(from, b, c, h)[w].of + p));
                v_store(out, adds ? v_add(v_load(out), value) : value);
            }
}

static void skew_forward(const ln_task *t) { skew_rows(t, &t->in[0], &t->out, 1, false); }
static void skew_dinput(const ln_task *t) {
    const double factor = ((const skew_args *)(const void *)t->node->args)->factor;
    if (t->write[0] != LN_SKIP) skew_rows(t, &t->dout, &t->din[0], (real)factor, t->write[0] == LN_ADD);
}

extern const ln_kernel LN_KERNEL(own_skew);
const ln_kernel        LN_KERNEL(own_skew) = {.forward = {{.run = skew_forward}}, .dinput = {{.run = skew_dinput}}};
