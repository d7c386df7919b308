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

static void dinput(const ln_task *t) {
    const size_t n = t->node->out.c, of_y = t->out.channel, of_dy = t->dout.channel, of_dx = t->din[0].channel;
    const bool   adds = t->write[0] == LN_ADD;
    if (t->write[0] == LN_SKIP) return;
    SOFTMAX_FOR_LANES(t, b, h, w, p) {
        const lanes *y = softmax_pixel(&t->out, b, h, w), *dy = softmax_pixel(&t->dout, b, h, w);
        lanes       *dx = softmax_pixel(&t->din[0], b, h, w);
        vec          sum = v_zero();
        for (size_t c = 0; c < n; c++) sum = v_fma(v_load(y[c * of_y].of + p), v_load(dy[c * of_dy].of + p), sum);
        for (size_t c = 0; c < n; c++) {
            const vec   passed = v_mul(v_load(y[c * of_y].of + p), v_sub(v_load(dy[c * of_dy].of + p), sum));
            real *const out = dx[c * of_dx].of + p;
            v_store(out, adds ? v_add(v_load(out), passed) : passed);
        }
    }
}

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

const ln_kernel LN_KERNEL(softmax) = {.image = {.refuse = softmax_refuse_image, .run = run_image},
                                      .forward = {{.run = forward}},
                                      .dinput = {{.run = dinput}}};
#endif
