/* softmax: each pixel's channels become shares of 1
 *
 * Shapes    x c×h×w → y c×h×w
 * Forward   y[c] = e^(x[c] - m) / z for each pixel, m and z as in softmax.h
 * Backward  dx[c] = y[c] · (dy[c] - Σ_k y[k]·dy[k])
 * The loss cross_entropy has its own: a network trained with it ends without this layer.
 * Source: Bridle, "Probabilistic interpretation of feedforward classification network outputs", 1990;
 * torch.nn.Softmax(dim=1). */
#include "op/softmax.h"

#ifdef LN_DESCRIPTOR

const ln_op ln_op_softmax = {
    .name = "softmax",
    .help = "each pixel's channels as shares of 1",
    .attrs = softmax_attrs,
    .traits = LN_IN_PLACE | LN_NEEDS_OUT,
    .meaning = LN_PROBABILITIES,
    .n_inputs = 1,
    .infer = softmax_infer,
};

#else

static void forward(const ln_task *t) {
    const size_t n = t->node->out.c, from = t->in[0].channel, to = t->out.channel;
    SOFTMAX_FOR_LANES(t, b, h, w, p) {
        const lanes *x = softmax_pixel(&t->in[0], b, h, w);
        lanes       *y = softmax_pixel(&t->out, b, h, w);
        const vec    top = softmax_largest(x, from, n, p);
        vec          sum = v_zero();
        for (size_t c = 0; c < n; c++) {
            const vec e = v_exp(v_sub(v_load(x[c * from].of + p), top));
            sum = v_add(sum, e);
            v_store(y[c * to].of + p, e);
        }
        const vec share = v_div(v_splat(1), sum);
        for (size_t c = 0; c < n; c++) v_store(y[c * to].of + p, v_mul(v_load(y[c * to].of + p), share));
    }
}

LN_INLINE vec add(vec y, vec dy, vec sum) { return v_fma(y, dy, sum); }
LN_INLINE vec slope(vec y, vec dy, vec sum) { return v_mul(y, v_sub(dy, sum)); }

static void dinput(const ln_task *t) { softmax_dinput(t, add, slope); }

/* ------------------------------------------------------ one image at a time */

static void run_image(const ln_task *t) {
    const size_t n = t->node->out.c, from = t->in[0].channel, to = t->out.channel;
    SOFTMAX_FOR_PIXELS(t, b, h, w) {
        const lanes *x = softmax_pixel(&t->in[0], b, h, w);
        lanes       *y = softmax_pixel(&t->out, b, h, w);
        const vec    top = softmax_image_largest(x, from, n);
        const vec    share = v_div(v_splat(1), softmax_image_sum(x, from, y, to, n, top));
        for (size_t g = 0; g * LN_LANES < n; g++)
            for (size_t p = 0; p < LN_LANES; p += LN_WIDTH)
                v_store(y[g * to].of + p, v_mul(v_load(y[g * to].of + p), share));
    }
}

const ln_kernel LN_KERNEL(softmax) = {
    .image = {.refuse = refuse_planar, .run = run_image}, .forward = {{.run = forward}}, .dinput = {{.run = dinput}}};
#endif
