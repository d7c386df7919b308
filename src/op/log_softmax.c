/* log_softmax: the logarithms of softmax, without their rounding to 0
 *
 * Shapes    x c×h×w → y c×h×w
 * Forward   y[c] = (x[c] - m) - log z for each pixel, m and z as in softmax.h
 * Backward  dx[c] = dy[c] - e^y[c] · Σ_k dy[k]
 * Source: torch.nn.LogSoftmax(dim=1). */
#include "op/softmax.h"

#ifdef LN_DESCRIPTOR

const ln_op ln_op_log_softmax = {
    .name = "log_softmax",
    .help = "logarithms of each pixel's shares",
    .attrs = softmax_attrs,
    .traits = LN_IN_PLACE | LN_NEEDS_OUT,
    .meaning = LN_LOG_PROBABILITIES,
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
        for (size_t c = 0; c < n; c++) sum = v_add(sum, v_exp(v_sub(v_load(x[c * from].of + p), top)));
        const vec log_sum = v_log(sum);
        for (size_t c = 0; c < n; c++)
            v_store(y[c * to].of + p, v_sub(v_sub(v_load(x[c * from].of + p), top), log_sum));
    }
}

LN_INLINE vec add(vec y, vec dy, vec sum) {
    (void)y;
    return v_add(sum, dy);
}

LN_INLINE vec slope(vec y, vec dy, vec sum) { return v_sub(dy, v_mul(v_exp(y), sum)); }

static void dinput(const ln_task *t) { softmax_dinput(t, add, slope); }

/* ------------------------------------------------------ one image at a time */

static void run_image(const ln_task *t) {
    const size_t n = t->node->out.c, from = t->in[0].channel, to = t->out.channel;
    SOFTMAX_FOR_PIXELS(t, b, h, w) {
        const lanes *x = softmax_pixel(&t->in[0], b, h, w);
        lanes       *y = softmax_pixel(&t->out, b, h, w);
        const vec    top = softmax_image_largest(x, from, n);
        const vec    log_sum = v_log(softmax_image_sum(x, from, NULL, 0, n, top));
        for (size_t g = 0; g * LN_LANES < n; g++)
            for (size_t p = 0; p < LN_LANES; p += LN_WIDTH)
                v_store(y[g * to].of + p, v_sub(v_sub(v_load(x[g * from].of + p), top), log_sum));
    }
}

const ln_kernel LN_KERNEL(log_softmax) = {
    .image = {.refuse = refuse_planar, .run = run_image}, .forward = {{.run = forward}}, .dinput = {{.run = dinput}}};
#endif
