/* What softmax and log_softmax share: both look at all channels of one pixel, shifted by the largest.
 *
 *   m = max_c x[c],  z = Σ_c e^(x[c] - m)
 *
 * Invariant: sums run over the channels in order; a NaN anywhere makes z NaN, and so every channel of that pixel. */
#ifndef LN_OP_SOFTMAX_H
#define LN_OP_SOFTMAX_H

#include "op/op.h"

#ifdef LN_DESCRIPTOR

static const ln_attr softmax_attrs[] = {{0}};

static ln_status softmax_infer(ln_node *node, ln_error *error) {
    const ln_shape in = node->in[0];
    if (in.c == 1)
        return ln_fail_node(error, LN_E_SHAPE, node,
                            "its input is %zux%zux%zu, and the share of a single channel is 1 for every image: take "
                            "sigmoid, or give the layer before it more channels",
                            in.c, in.h, in.w);
    return ln_infer_same(node, error);
}

#else
#include "kernel/kernel.h"
#include "kernel/vmath.h"

/* Every (block, row, column); every part of the lanes there. */
#define SOFTMAX_FOR_PIXELS(t, b, h, w)                    \
    for (size_t b = 0; b < (t)->n_blocks; b++)            \
        for (size_t h = 0; h < (t)->node->out.h; h++)     \
            for (size_t w = 0; w < (t)->node->out.w; w++)
#define SOFTMAX_FOR_LANES(t, b, h, w, p) \
    SOFTMAX_FOR_PIXELS(t, b, h, w)       \
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH)

/* Channel 0 of a pixel; the next ones are a channel of the view apart. */
static inline lanes *softmax_pixel(const ln_view *v, size_t b, size_t h, size_t w) { return view_row(v, b, 0, h) + w; }

LN_INLINE vec softmax_largest(const lanes *x, size_t channel, size_t n, size_t p) {
    vec top = v_load(x->of + p);
    for (size_t c = 1; c < n; c++) top = v_max(v_load(x[c * channel].of + p), top);
    return top;
}

/* dx of both: `add` takes a channel into a sum over all of them, in order, and with that sum `slope` gives dx. */
LN_INLINE void softmax_dinput(const ln_task *t, vec (*add)(vec y, vec dy, vec sum),
                              vec (*slope)(vec y, vec dy, vec sum)) {
    const size_t n = t->node->out.c, of_y = t->out.channel, of_dy = t->dout.channel, of_dx = t->din[0].channel;
    const bool   adds = t->write[0] == LN_ADD;
    if (t->write[0] == LN_SKIP) return;
    SOFTMAX_FOR_LANES(t, b, h, w, p) {
        const lanes *y = softmax_pixel(&t->out, b, h, w), *dy = softmax_pixel(&t->dout, b, h, w);
        lanes       *dx = softmax_pixel(&t->din[0], b, h, w);
        vec          sum = v_zero();
        for (size_t c = 0; c < n; c++) sum = add(v_load(y[c * of_y].of + p), v_load(dy[c * of_dy].of + p), sum);
        for (size_t c = 0; c < n; c++) {
            const vec   passed = slope(v_load(y[c * of_y].of + p), v_load(dy[c * of_dy].of + p), sum);
            real *const out = dx[c * of_dx].of + p;
            v_store(out, adds ? v_add(v_load(out), passed) : passed);
        }
    }
}

/* ------------------------------------------------------ one image at a time */

/* The channels of a pixel are the lanes of its groups; sums go value by value, in the channels' order. */
LN_INLINE vec softmax_image_largest(const lanes *x, size_t group, size_t n) {
    real top = x->of[0];
    for (size_t c = 1; c < n; c++) {
        const real v = x[c / LN_LANES * group].of[c % LN_LANES];
        top = v > top ? v : top;
    }
    return v_splat(top);
}

/* z; e^(x[c] - m) goes to y (which may be x) unless that is NULL, and 0 to its lanes that are no channel. */
LN_INLINE vec softmax_image_sum(const lanes *x, size_t from, lanes *y, size_t to, size_t n, vec top) {
    real sum = 0;
    for (size_t g = 0; g * LN_LANES < n; g++) {
        const size_t left = n - g * LN_LANES;
        lanes        e;
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH)
            v_store(e.of + p, v_exp(v_sub(v_load(x[g * from].of + p), top)));
        for (size_t l = 0; l < LN_LANES; l++)
            if (l < left) sum += e.of[l];
            else e.of[l] = 0;
        if (y) y[g * to] = e;
    }
    return v_splat(sum);
}
#endif

#endif
