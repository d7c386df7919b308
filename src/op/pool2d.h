/* What the poolings share: arguments, shapes, which cells lie under which window, and the way back to the cells.
 *
 * Tap (ky, kx) of window (h, w) lies in row h·sh - ph + ky·dh and column w·sw - pw + kx·dw, where d is the dilation
 * (1 in avgpool2d); taps outside the image are left out.
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

/* Steps that it takes to go so far, or farther. */
static inline size_t pool2d_steps(size_t way, size_t step) { return step == 1 ? way : (way + step - 1) / step; }

/* The taps of window i that lie in the image. */
static inline span pool2d_taps(axis a, size_t i) {
    const size_t start = i * a.stride, end = a.n + a.padding;
    const size_t lo = start < a.padding ? pool2d_steps(a.padding - start, a.dilation) : 0;
    const size_t most = start < end ? pool2d_steps(end - start, a.dilation) : 0;
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

#include <string.h>

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

/* -------------------------------------------------------------------- means */

/* The rows, or columns, under a window, and how many of them the mean counts. */
typedef struct side { span under; size_t count; } side;
typedef side (*side_of)(const ln_node *node, size_t i);

LN_INLINE vec pool2d_scale(size_t count) { return v_splat((real)1 / (real)count); }

/* Windows of a row with equally many columns under them, `step` cells from one to the next: n from `window` on, whose
 * first has `width` cells from `cell` on. */
typedef struct strip { size_t window, n, cell, step, width, count; } strip;

/* All windows of a row in strips, and how many strips these are: at the edges of the image begin others. */
static inline size_t pool2d_strips(const ln_node *node, side_of columns_of, strip *strips) {
    size_t n = 0;
    for (size_t i = 0; i < node->out.w; i++) {
        const side   s = columns_of(node, i);
        const size_t width = s.under.hi - s.under.lo;
        strip *const last = n > 0 ? &strips[n - 1] : strips;
        const bool   like = n > 0 && width == last->width && s.count == last->count;
        if (like && last->n == 1) last->step = s.under.lo - last->cell;
        if (like && s.under.lo == last->cell + last->n * last->step) last->n++;
        else strips[n++] = (strip){i, 1, s.under.lo, 0, width, s.count};
    }
    return n;
}

/* y = scale · the sum of rows × columns cells, row by row, for each window of a strip */
LN_INLINE void pool2d_strip_mean(const lanes *x, size_t row, size_t rows, size_t columns, const strip *s, vec scale,
                                 lanes *y) {
    const size_t n = s->n, step = s->step;
    x += s->cell, y += s->window;
    for (size_t i = 0; i < n; i++, x += step)
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            vec sum = v_zero();
            for (size_t r = 0; r < rows; r++)
                for (size_t q = 0; q < columns; q++) sum = v_add(sum, v_load(x[r * row + q].of + p));
            v_store(y[i].of + p, v_mul(sum, scale));
        }
}

/* y = (sum over the cells under the window, row by row) / (rows counted · columns counted). Scratch: out.w strips. */
LN_INLINE void pool2d_mean(const ln_task *t, side_of rows_of, side_of columns_of) {
    const size_t row = t->in[0].row;
    strip *const strips = t->scratch, *const end = strips + pool2d_strips(t->node, columns_of, strips);
    LN_FOR_ROWS(t, b, c, h) {
        const side   rows = rows_of(t->node, h);
        const size_t height = rows.under.hi - rows.under.lo;
        const lanes *x = view_row(&t->in[0], b, c, rows.under.lo);
        lanes       *y = view_row(&t->out, b, c, h);
        for (const strip *s = strips; s < end; s++) {
            const vec scale = pool2d_scale(rows.count * s->count);
            if (height == 2 && s->width == 2) pool2d_strip_mean(x, row, 2, 2, s, scale, y);
            else if (height == 3 && s->width == 3) pool2d_strip_mean(x, row, 3, 3, s, scale, y);
            else pool2d_strip_mean(x, row, height, s->width, s, scale, y);
        }
    }
}

/* ----------------------------------------------------------------- backward
 *
 * Each cell gathers what the windows over it have for it, row by row of windows, and is written once for each row.
 * Cell r of an axis is cell m = (r + p) mod s of a stride, the j-th: j = floor((r + p) / s). Which windows lie over it,
 * seen from j, and with which taps, is a matter of m alone, but at the edges, where some of them do not exist. */

/* n windows from `first` on, each `step` from the one before. The cell lies under tap `tap` of the first, and each next
 * has a tap `down` less. */
typedef struct over { size_t first, n, step, tap, down; } over;

/* first: seen from a j that is `kernel · dilation`. */
static inline over pool2d_over(axis a, size_t m) {
    const size_t j = a.kernel * a.dilation;
    over         o = {.step = 1};
    for (size_t back = 0, at = m; at <= (a.kernel - 1) * a.dilation; back++, at += a.stride) {
        if (at % a.dilation != 0) continue;
        if (o.n == 1) o.step = o.first - (j - back);
        o = (over){.first = j - back, .n = o.n + 1, .step = o.step, .tap = at / a.dilation};
    }
    o.down = o.step * a.stride / a.dilation;
    return o;
}

/* Those of o, moved to j, that exist. */
static inline over pool2d_existing(axis a, over o, size_t j, span windows) {
    const size_t base = a.kernel * a.dilation;
    for (; o.n && o.first + j < windows.lo + base; o.n--) {
        o.first += o.step;
        o.tap -= o.down;
    }
    o.first += j - base;
    while (o.n && o.first + (o.n - 1) * o.step >= windows.hi) o.n--;
    return o;
}

/* `count` cells, `cell` and on, a stride apart, the windows over each of which are those over the one before, moved
 * by one. paired: with each goes the next cell, which lies under the middle of its last window (3 wide, 2 apart). */
typedef struct run { size_t cell, count; over over; bool paired; } run;

/* Cells of an axis that differ in m. */
static inline size_t pool2d_phases(axis a) { return a.stride < a.n + a.padding ? a.stride : a.n + a.padding; }

/* All columns of cells in runs, and how many runs these are. */
static inline size_t pool2d_runs(axis a, size_t n_windows, run *runs) {
    size_t n = 0;
    for (size_t m = 0; m < pool2d_phases(a); m++) {
        const over   o = pool2d_over(a, m);
        const size_t before = n;
        for (size_t j = a.padding > m ? pool2d_steps(a.padding - m, a.stride) : 0; j * a.stride + m < a.n + a.padding;
             j++) {
            const over now = pool2d_existing(a, o, j, (span){0, n_windows});
            run *const last = n > before ? &runs[n - 1] : runs;
            if (n > before && now.n == last->over.n && now.tap == last->over.tap) last->count++;
            else runs[n++] = (run){j * a.stride + m - a.padding, 1, now, false};
        }
    }
    return n;
}

/* Of windows 3 wide and 2 apart, the commonest that overlap: lets the cells that two windows share take along those
 * that follow, under the middle of the second. */
static inline void pool2d_pair(axis a, run *runs, size_t n) {
    size_t two = 0, one = 0;
    if (a.kernel != 3 || a.stride != 2 || a.dilation != 1) return;
    while (two < n && runs[two].over.n != 2) two++;
    while (one < n && (runs[one].over.n != 1 || runs[one].over.tap != 1)) one++;
    if (two == n || one == n) return;
    const size_t before = (runs[two].cell + 1 - runs[one].cell) / 2;
    if (runs[one].count != before + runs[two].count) return; /* the last window has no middle */
    runs[one].count = before;
    runs[two].paired = true;
}

/* Bytes of scratch that pool2d_back takes. */
static inline size_t pool2d_back_scratch(const ln_node *node) {
    const pool2d p = pool2d_of(node);
    return pool2d_phases(p.h) * sizeof(over) + p.w.n * sizeof(run);
}

/* A row of windows: their dout, where their winners are told (maxpool2d), and the number of the tap that lies over the
 * row of din in the window's first column. */
typedef struct source { const lanes *dy; const unsigned char *won; size_t tap; } source;

/* What window i has for the cell under tap `tap` of its row, from lane p on. */
typedef vec (*share_of)(const source *s, size_t i, size_t p, size_t tap);

/* Rows of windows that are taken at once; rows of din from what is written to what is fetched meanwhile. */
enum { POOL2D_ROWS = 3, POOL2D_AHEAD = 4 };

/* Has the four cells under a later 2×2 window brought near, to be written. */
LN_INLINE void pool2d_fetch_2x2(const lanes *upper, const lanes *lower, size_t ahead) {
    __builtin_prefetch(upper + ahead, 1);
    __builtin_prefetch(upper + ahead + 1, 1);
    __builtin_prefetch(lower + ahead, 1);
    __builtin_prefetch(lower + ahead + 1, 1);
}

/* Sets the cells of a run in dx to the sum of the shares of its n windows in each of some rows, or adds it. */
LN_INLINE void pool2d_sum(lanes *dx, size_t stride, size_t ahead, const source *s, size_t n_rows, const run *u,
                          size_t n, share_of share, bool adds) {
    const over   o = u->over;
    const size_t count = u->count;
    lanes       *to = dx + u->cell;
    for (size_t i = 0; i < count; i++, to += stride)
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            vec sum = adds ? v_load(to->of + p) : v_zero();
            if (p == 0) __builtin_prefetch(to + ahead, 1);
            for (size_t r = 0; r < n_rows; r++)
                for (size_t k = 0; k < n; k++)
                    sum = v_add(sum, share(&s[r], o.first + i + k * o.step, p, o.tap - k * o.down));
            v_store(to->of + p, sum);
        }
}

/* The same for a run that is paired. */
LN_INLINE void pool2d_sum_pairs(lanes *dx, size_t ahead, const source *s, size_t n_rows, const run *u, share_of share,
                                bool adds) {
    const size_t first = u->over.first, count = u->count;
    lanes       *to = dx + u->cell;
    for (size_t i = first; i < first + count; i++, to += 2)
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            vec two = adds ? v_load(to[0].of + p) : v_zero(), one = adds ? v_load(to[1].of + p) : v_zero();
            if (p == 0) __builtin_prefetch(to + ahead, 1), __builtin_prefetch(to + ahead + 1, 1);
            for (size_t r = 0; r < n_rows; r++) {
                two = v_add(v_add(two, share(&s[r], i, p, 2)), share(&s[r], i + 1, p, 0));
                one = v_add(one, share(&s[r], i + 1, p, 1));
            }
            v_store(to[0].of + p, two);
            v_store(to[1].of + p, one);
        }
}

/* One row of din from some rows of windows. */
LN_INLINE void pool2d_row_back(lanes *dx, size_t stride, size_t ahead, const run *runs, size_t n_runs,
                               const source *s, size_t n_rows, share_of share, bool adds) {
    for (const run *u = runs; u < runs + n_runs; u++) {
        if (u->paired) pool2d_sum_pairs(dx, ahead, s, n_rows, u, share, adds);
        else if (u->over.n == 1) pool2d_sum(dx, stride, ahead, s, n_rows, u, 1, share, adds);
        else if (u->over.n == 3) pool2d_sum(dx, stride, ahead, s, n_rows, u, 3, share, adds);
        else pool2d_sum(dx, stride, ahead, s, n_rows, u, u->over.n, share, adds);
    }
}

/* Sets all but the tap for row h of windows; calls come in the order of blocks, channels and rows, some again. */
typedef void (*source_of)(const ln_task *t, size_t b, size_t c, size_t h, void *state, source *s);

/* din of all rows that the task's range of dout defines. */
LN_INLINE void pool2d_back(const ln_task *t, void *scratch, source_of row_of, void *state, share_of share) {
    const pool2d p = pool2d_of(t->node);
    over *const  rows = scratch;
    run *const   runs = (run *)(void *)(rows + pool2d_phases(p.h));
    const size_t n_runs = pool2d_runs(p.w, t->node->out.w, runs), ahead = POOL2D_AHEAD * t->din[0].row;
    size_t       lo, hi;
    pool2d_pair(p.w, runs, n_runs);
    for (size_t m = 0; m < pool2d_phases(p.h); m++) rows[m] = pool2d_over(p.h, m);
    t->node->op->window(t->node, t->h_lo, t->h_hi, &lo, &hi);
    for (size_t b = 0; b < t->n_blocks; b++)
        for (size_t c = t->c_lo; c < t->c_hi; c++) {
            size_t j = (lo + p.h.padding) / p.h.stride, m = (lo + p.h.padding) % p.h.stride;
            for (size_t r = lo; r < hi; r++, m++) {
                if (m == p.h.stride) m = 0, j++;
                const over   o = pool2d_existing(p.h, rows[m], j, (span){t->h_lo, t->h_hi});
                lanes *const dx = view_row(&t->din[0], b, c, r);
                bool         adds = t->write[0] == LN_ADD;
                if (o.n == 0 && !adds) memset(dx, 0, p.w.n * sizeof *dx);
                for (size_t k = 0; k < o.n; adds = true) {
                    source s[POOL2D_ROWS];
                    size_t n_rows = 0;
                    for (; n_rows < POOL2D_ROWS && k < o.n; n_rows++, k++) {
                        row_of(t, b, c, o.first + k * o.step, state, &s[n_rows]);
                        s[n_rows].tap = (o.tap - k * o.down) * p.w.kernel;
                    }
                    if (adds) pool2d_row_back(dx, p.w.stride, ahead, runs, n_runs, s, n_rows, share, true);
                    else if (n_rows == 1) pool2d_row_back(dx, p.w.stride, ahead, runs, n_runs, s, 1, share, false);
                    else if (n_rows == 2) pool2d_row_back(dx, p.w.stride, ahead, runs, n_runs, s, 2, share, false);
                    else pool2d_row_back(dx, p.w.stride, ahead, runs, n_runs, s, POOL2D_ROWS, share, false);
                }
            }
        }
}
#endif

#endif
