/* What maxpool2d and avgpool2d share: arguments, shapes, and which cells lie under which window.
 *
 * Window (h, w) covers input rows h·sh - ph … h·sh - ph + kh - 1 and columns likewise, as far as they exist:
 *   out.h = floor((in.h + 2·ph - kh) / sh) + 1        0 ≤ ph ≤ kh/2, so that every window holds a real cell
 * Source: the definition of torch.nn.MaxPool2d and AvgPool2d (floor mode). */
#ifndef LN_OP_POOL2D_H
#define LN_OP_POOL2D_H

#include "op/op.h"

typedef struct pool2d { size_t kh, kw, sh, sw, ph, pw; } pool2d; /* resolved arguments */
typedef struct span { size_t lo, hi; } span;                     /* [lo, hi) */

static inline pool2d pool2d_of(const ln_node *node) {
    const ln_pool2d_args *a = (const void *)node->args;
    return (pool2d){
        .kh = (size_t)a->kernel.h,
        .kw = (size_t)a->kernel.w,
        .sh = (size_t)(a->stride.h ? a->stride.h : a->kernel.h),
        .sw = (size_t)(a->stride.w ? a->stride.w : a->kernel.w),
        .ph = (size_t)a->padding.h,
        .pw = (size_t)a->padding.w,
    };
}

/* The commonest pooling by far, which both ops write out by hand. */
static inline bool pool2d_is_2x2(pool2d p) {
    return p.kh == 2 && p.kw == 2 && p.sh == 2 && p.sw == 2 && p.ph == 0 && p.pw == 0;
}

/* Positions of an axis of n under window i. Never empty. */
static inline span pool2d_under(size_t i, size_t kernel, size_t stride, size_t padding, size_t n) {
    const size_t start = i * stride, end = start + kernel - padding;
    return (span){start > padding ? start - padding : 0, end < n ? end : n};
}

/* ln_op.window. Rows behind the last window belong to the last band, rows between windows to the window above. */
static inline bool pool2d_window(const ln_node *node, size_t lo, size_t hi, size_t *in_lo, size_t *in_hi) {
    const pool2d p = pool2d_of(node);
    const bool   disjoint = p.sh >= p.kh;
    const size_t h = node->in[0].h;
    *in_lo = pool2d_under(lo, p.kh, p.sh, p.ph, h).lo;
    *in_hi = hi == node->out.h ? h : disjoint ? hi * p.sh - p.ph : pool2d_under(hi - 1, p.kh, p.sh, p.ph, h).hi;
    return disjoint;
}

#ifdef LN_DESCRIPTOR
#include <stddef.h>

/* Positions within a window are kept as real, exact up to 2^24 = 4096². */
static const ln_attr pool2d_attrs[] = {
    {.key = "kernel", .type = LN_ATTR_SIZE2, .offset = offsetof(ln_pool2d_args, kernel), .required = true,
     .positional = true, .low = 1, .high = 4096, .help = "height and width of the window"},
    {.key = "stride", .type = LN_ATTR_SIZE2, .offset = offsetof(ln_pool2d_args, stride), .low = 0, .high = 4096,
     .help = "distance between windows; 0: as kernel"},
    {.key = "padding", .type = LN_ATTR_SIZE2, .offset = offsetof(ln_pool2d_args, padding), .low = 0, .high = 2048,
     .help = "rows and columns added on each side, at most half of kernel"},
    {0}};

static ln_status pool2d_infer(ln_node *node, ln_error *error) {
    const pool2d   p = pool2d_of(node);
    const ln_shape in = node->in[0];
    if (p.ph > p.kh / 2 || p.pw > p.kw / 2)
        return ln_fail_node(error, LN_E_ARGUMENT, node,
                            "padding %zux%zu is more than half of kernel %zux%zu: use at most padding=%zux%zu, or a "
                            "larger kernel", p.ph, p.pw, p.kh, p.kw, p.kh / 2, p.kw / 2);
    if (in.h + 2 * p.ph < p.kh || in.w + 2 * p.pw < p.kw)
        return ln_fail_node(error, LN_E_SHAPE, node,
                            "kernel %zux%zu is larger than the input %zux%zux%zu with padding %zux%zu: use a smaller "
                            "kernel, more padding, or a larger input", p.kh, p.kw, in.c, in.h, in.w, p.ph, p.pw);
    const ln_shape out = {in.c, (in.h + 2 * p.ph - p.kh) / p.sh + 1, (in.w + 2 * p.pw - p.kw) / p.sw + 1};
    size_t         count;
    if (!ln_multiply(out.c, out.h, &count) || !ln_multiply(count, out.w, &count) || count > SIZE_MAX / 1024)
        return ln_fail_node(error, LN_E_SHAPE, node, "the output %zux%zux%zu is too large for this machine", out.c,
                            out.h, out.w);
    node->out = out;
    return LN_OK;
}

#else
#include "kernel/kernel.h"

/* Zeros for all input gradients that the task's range of dout defines: what is passed back is then added. */
static inline void pool2d_clear(const ln_task *t) {
    const size_t w = t->node->in[0].w;
    size_t       lo, hi;
    pool2d_window(t->node, t->h_lo, t->h_hi, &lo, &hi);
    for (size_t b = 0; b < t->n_blocks; b++)
        for (size_t c = t->c_lo; c < t->c_hi; c++)
            for (size_t r = lo; r < hi; r++) {
                lanes *dx = view_row(&t->din[0], b, c, r);
                for (size_t q = 0; q < w; q++)
                    for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) v_store(dx[q].of + p, v_zero());
            }
}
#endif

#endif
