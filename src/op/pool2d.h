/* What the poolings share: arguments, shapes, which cells lie under which window, and the mean over windows.
 *
 * Tap (i, j) of window (h, w) lies in row h·sh - ph + i·dh and column w·sw - pw + j·dw, where d is the dilation (1 in
 * avgpool2d); taps outside the image are left out.
 *   out.h = floor((in.h + 2·ph - eh) / sh) + 1, eh = (kh - 1)·dh + 1, and likewise out.w
 *   ceil_mode: rounded up instead, but no window begins behind the image (in.h + ph)
 * Invariant: 0 ≤ ph ≤ kh/2, and every window holds a real cell (infer looks).
 * Source: the definition of torch.nn.MaxPool2d, AvgPool2d and AdaptiveAvgPool2d. */
#ifndef LN_OP_POOL2D_H
#define LN_OP_POOL2D_H

#include "op/op.h"

typedef struct pool2d_args {
    ln_pool2d_args window;
    ln_size2       dilation; /* maxpool2d */
    bool           ceil_mode, count_include_pad;
} pool2d_args;

typedef struct axis { size_t kernel, stride, padding, dilation, n; } axis; /* rows or columns; n: how many */
typedef struct pool2d { axis h, w; } pool2d;                               /* resolved arguments */
typedef struct span { size_t lo, hi; } span;                               /* [lo, hi) */

static inline axis pool2d_axis(int kernel, int stride, int padding, int dilation, size_t n) {
    return (axis){(size_t)kernel, (size_t)(stride ? stride : kernel), (size_t)padding,
                  (size_t)(dilation ? dilation : 1), n};
}

static inline pool2d pool2d_of(const ln_node *node) {
    const pool2d_args   *a = (const void *)node->args;
    const ln_pool2d_args v = a->window;
    return (pool2d){pool2d_axis(v.kernel.h, v.stride.h, v.padding.h, a->dilation.h, node->in[0].h),
                    pool2d_axis(v.kernel.w, v.stride.w, v.padding.w, a->dilation.w, node->in[0].w)};
}

/* Cells from a window's first tap to its last. */
static inline size_t pool2d_extent(axis a) { return (a.kernel - 1) * a.dilation + 1; }

/* The taps of window i that lie in the image. */
static inline span pool2d_taps(axis a, size_t i) {
    const size_t start = i * a.stride, end = a.n + a.padding, step = a.dilation;
    const size_t lo = start < a.padding ? (a.padding - start + step - 1) / step : 0;
    const size_t most = start < end ? (end - start + step - 1) / step : 0;
    return (span){lo, most < a.kernel ? most : a.kernel};
}

/* Where a tap of window i lies. */
static inline size_t pool2d_at(axis a, size_t i, size_t tap) { return i * a.stride + tap * a.dilation - a.padding; }

/* The commonest pooling by far, which both ops write out by hand. */
static inline bool pool2d_is_2x2(const ln_node *node) {
    const pool2d p = pool2d_of(node);
    const bool   plain = p.h.padding == 0 && p.w.padding == 0 && p.h.dilation == 1 && p.w.dilation == 1;
    return plain && p.h.kernel == 2 && p.w.kernel == 2 && p.h.stride == 2 && p.w.stride == 2 &&
           2 * node->out.h <= p.h.n && 2 * node->out.w <= p.w.n;
}

/* ln_op.window. Rows behind the last window belong to the last band, rows between windows to the window above. */
static inline bool pool2d_window(const ln_node *node, size_t lo, size_t hi, size_t *in_lo, size_t *in_hi) {
    const axis   a = pool2d_of(node).h;
    const size_t first = lo * a.stride, end = (hi - 1) * a.stride + pool2d_extent(a) - a.padding;
    const bool   disjoint = a.stride >= pool2d_extent(a);
    *in_lo = first > a.padding ? first - a.padding : 0;
    *in_hi = hi == node->out.h ? a.n : disjoint ? hi * a.stride - a.padding : end < a.n ? end : a.n;
    return disjoint;
}

#ifdef LN_DESCRIPTOR

/* The rows of both tables of arguments that are alike. */
#define POOL2D_ATTRS                                                                                                  \
    {.key = "kernel", .type = LN_ATTR_SIZE2, .offset = offsetof(pool2d_args, window.kernel), .required = true,        \
     .positional = true, .low = 1, .high = 4096, .help = "rows and columns of a window"},                             \
    {.key = "stride", .type = LN_ATTR_SIZE2, .offset = offsetof(pool2d_args, window.stride), .low = 0, .high = 4096,  \
     .help = "rows and columns from one window to the next; 0: as kernel"},                                           \
    {.key = "padding", .type = LN_ATTR_SIZE2, .offset = offsetof(pool2d_args, window.padding), .low = 0,              \
     .high = 2048, .help = "rows and columns added on each side, at most half of kernel"},                            \
    {.key = "ceil_mode", .type = LN_ATTR_BOOL, .offset = offsetof(pool2d_args, ceil_mode),                            \
     .help = "a last window that is not full counts too"}

static inline size_t pool2d_out(axis a, bool ceil_mode) {
    const size_t room = a.n + 2 * a.padding - pool2d_extent(a);
    const size_t out = (room + (ceil_mode ? a.stride - 1 : 0)) / a.stride;
    return ceil_mode && out * a.stride >= a.n + a.padding ? out : out + 1;
}

/* The first of n windows that holds nothing but padding; n where none does. */
static inline size_t pool2d_empty(axis a, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (pool2d_taps(a, i).lo >= pool2d_taps(a, i).hi) return i;
    return n;
}

static inline ln_status pool2d_check(const ln_node *node, ln_error *error) {
    const pool2d   p = pool2d_of(node);
    const ln_shape in = node->in[0];
    const size_t   kh = p.h.kernel, kw = p.w.kernel, ph = p.h.padding, pw = p.w.padding;
    const size_t   eh = pool2d_extent(p.h), ew = pool2d_extent(p.w);
    if (ph > kh / 2 || pw > kw / 2)
        return ln_fail_node(error, LN_E_ARGUMENT, node,
                            "padding %zux%zu is more than half of kernel %zux%zu: use at most padding=%zux%zu, or a "
                            "larger kernel", ph, pw, kh, kw, kh / 2, kw / 2);
    if (in.h + 2 * ph >= eh && in.w + 2 * pw >= ew) return LN_OK;
    if (eh > kh || ew > kw)
        return ln_fail_node(error, LN_E_SHAPE, node,
                            "kernel %zux%zu with dilation %zux%zu spans %zux%zu, more than the input %zux%zux%zu with "
                            "padding %zux%zu: use a smaller kernel or dilation, or a larger input",
                            kh, kw, p.h.dilation, p.w.dilation, eh, ew, in.c, in.h, in.w, ph, pw);
    return ln_fail_node(error, LN_E_SHAPE, node,
                        "kernel %zux%zu is larger than the input %zux%zux%zu with padding %zux%zu: use a smaller "
                        "kernel, more padding, or a larger input", kh, kw, in.c, in.h, in.w, ph, pw);
}

/* Sets the output's shape, once it is known to be no larger than that of any other layer may be. */
static inline ln_status pool2d_shape(ln_node *node, ln_shape out, ln_error *error) {
    size_t count;
    if (!ln_multiply(out.c, out.h, &count) || !ln_multiply(count, out.w, &count) || count > (size_t)1 << 31)
        return ln_fail_node(error, LN_E_SHAPE, node,
                            "the output %zux%zux%zu is more than 2^31 values; make it smaller, or the input", out.c,
                            out.h, out.w);
    node->out = out;
    return LN_OK;
}

static inline ln_status pool2d_infer(ln_node *node, ln_error *error) {
    const pool2d    p = pool2d_of(node);
    const ln_status status = pool2d_check(node, error);
    if (status != LN_OK) return status;
    const bool     up = ((const pool2d_args *)(const void *)node->args)->ceil_mode;
    const ln_shape out = {node->in[0].c, pool2d_out(p.h, up), pool2d_out(p.w, up)};
    const size_t   h = pool2d_empty(p.h, out.h), w = pool2d_empty(p.w, out.w);
    if (h < out.h || w < out.w)
        return ln_fail_node(error, LN_E_SHAPE, node,
                            "%s %zu of its windows holds nothing but padding of the input %zux%zux%zu: use a smaller "
                            "dilation, less padding, or a larger input",
                            h < out.h ? "row" : "column", h < out.h ? h : w, node->in[0].c, node->in[0].h,
                            node->in[0].w);
    return pool2d_shape(node, out, error);
}

#else
#include "kernel/kernel.h"

/* Zeros for all input gradients that the task's range of dout defines: what is passed back is then added. */
static inline void pool2d_clear(const ln_task *t) {
    const size_t w = t->node->in[0].w;
    size_t       lo, hi;
    t->node->op->window(t->node, t->h_lo, t->h_hi, &lo, &hi);
    for (size_t b = 0; b < t->n_blocks; b++)
        for (size_t c = t->c_lo; c < t->c_hi; c++)
            for (size_t r = lo; r < hi; r++) {
                lanes *dx = view_row(&t->din[0], b, c, r);
                for (size_t q = 0; q < w; q++)
                    for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) v_store(dx[q].of + p, v_zero());
            }
}

/* ------------------------------------------------------------------- means */

/* The rows, or columns, under a window, and how many of them the mean counts. */
typedef struct side { span under; size_t count; } side;
typedef side (*side_of)(const ln_node *node, size_t i);

/* y = (sum over the cells under the window, row by row) / (rows counted · columns counted) */
LN_INLINE void pool2d_mean(const ln_task *t, side_of rows_of, side_of columns_of) {
    const size_t w = t->node->out.w, row = t->in[0].row;
    LN_FOR_ROWS(t, b, c, h) {
        const side   rows = rows_of(t->node, h);
        const lanes *x = view_row(&t->in[0], b, c, rows.under.lo);
        lanes       *y = view_row(&t->out, b, c, h);
        for (size_t i = 0; i < w; i++) {
            const side columns = columns_of(t->node, i);
            const vec  scale = v_splat((real)1 / (real)(rows.count * columns.count));
            for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
                vec sum = v_zero();
                for (size_t r = 0; r < rows.under.hi - rows.under.lo; r++)
                    for (size_t q = columns.under.lo; q < columns.under.hi; q++)
                        sum = v_add(sum, v_load(x[r * row + q].of + p));
                v_store(y[i].of + p, v_mul(sum, scale));
            }
        }
    }
}

/* Do n windows cover an axis of `in` cells, each of them once? */
static inline bool pool2d_tiles(const ln_node *node, side_of of, size_t n, size_t in) {
    size_t end = 0;
    for (size_t i = 0; i < n; i++) {
        const span under = of(node, i).under;
        if (under.lo != end) return false;
        end = under.hi;
    }
    return end == in;
}

LN_INLINE void pool2d_mean_pass(const ln_task *t, side_of rows_of, side_of columns_of, bool adds) {
    const size_t w = t->node->out.w, row = t->din[0].row;
    LN_FOR_ROWS(t, b, c, h) {
        const side   rows = rows_of(t->node, h);
        const lanes *dy = view_row(&t->dout, b, c, h);
        lanes       *dx = view_row(&t->din[0], b, c, rows.under.lo);
        for (size_t i = 0; i < w; i++) {
            const side columns = columns_of(t->node, i);
            const vec  scale = v_splat((real)1 / (real)(rows.count * columns.count));
            for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
                const vec value = v_mul(v_load(dy[i].of + p), scale);
                for (size_t r = 0; r < rows.under.hi - rows.under.lo; r++)
                    for (size_t q = columns.under.lo; q < columns.under.hi; q++) {
                        real *const to = dx[r * row + q].of + p;
                        v_store(to, adds ? v_add(v_load(to), value) : value);
                    }
            }
        }
    }
}

/* Where windows cover every cell once, each is written once; elsewhere all are cleared and then added to. */
LN_INLINE void pool2d_mean_back(const ln_task *t, side_of rows_of, side_of columns_of) {
    const ln_shape in = t->node->in[0], out = t->node->out;
    if (t->write[0] == LN_SKIP) return;
    if (t->write[0] == LN_SET && pool2d_tiles(t->node, rows_of, out.h, in.h) &&
        pool2d_tiles(t->node, columns_of, out.w, in.w)) {
        pool2d_mean_pass(t, rows_of, columns_of, false);
        return;
    }
    if (t->write[0] == LN_SET) pool2d_clear(t);
    pool2d_mean_pass(t, rows_of, columns_of, true);
}
#endif

#endif
