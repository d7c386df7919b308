/* What softmax and log_softmax share: both look at all channels of one pixel, shifted by the largest.
 *
 *   m = max_c x[c],  z = Σ_c e^(x[c] - m)
 *
 * Invariant: sums run over the channels in order; a NaN anywhere makes z NaN, and so every channel of that pixel. */
#ifndef LN_OP_SOFTMAX_H
#define LN_OP_SOFTMAX_H

#include "op/op.h"

#ifdef LN_DESCRIPTOR

static ln_status softmax_infer(ln_node *node, ln_error *error) {
    (void)error;
    node->out = node->in[0];
    return LN_OK;
}

static const ln_attr softmax_attrs[] = {{0}};

#else
#include "kernel/kernel.h"
#include "kernel/vmath.h"

/* Every (block, row, column, part of the lanes). */
#define SOFTMAX_FOR_PIXELS(t, b, h, w, p)                     \
    for (size_t b = 0; b < (t)->n_blocks; b++)                \
        for (size_t h = 0; h < (t)->node->out.h; h++)         \
            for (size_t w = 0; w < (t)->node->out.w; w++)     \
                for (size_t p = 0; p < LN_LANES; p += LN_WIDTH)

/* Channel 0 of a pixel; the next ones are a channel of the view apart. */
static inline lanes *softmax_pixel(const ln_view *v, size_t b, size_t h, size_t w) { return view_row(v, b, 0, h) + w; }

LN_INLINE vec softmax_largest(const lanes *x, size_t channel, size_t n, size_t p) {
    vec top = v_load(x->of + p);
    for (size_t c = 1; c < n; c++) top = v_max(v_load(x[c * channel].of + p), top);
    return top;
}
#endif

#endif
