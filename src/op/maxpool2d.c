/* maxpool2d: the largest value of each window
 *
 * Shapes    x c×h×w → y c×oh×ow, see pool2d.h; padding counts as -∞, so it never wins.
 * Forward   y[h][w] = max x[r][q] over the cells (r, q) under the taps of window (h, w), row by row. A cell takes the
 *           lead when it is greater than the best so far or NaN: of equal cells the first wins, and NaN gets through.
 * Backward  dx[r][q] = Σ dy[h][w] over the windows (h, w) that (r, q) won, row by row; 0 where there are none.
 * Kept between the two: where each window's winner lies. For 2×2 windows side by side two bits a value (is it in the
 * right column, is it in the lower row); else its tap's number (row·kw + column) as one byte, or as four where a window
 * has more than 256 taps.
 * Source: Ranzato et al., "Unsupervised learning of invariant feature hierarchies", 2007; torch.nn.MaxPool2d. */
#include "op/pool2d.h"

#ifdef LN_DESCRIPTOR

static const ln_attr attrs[] = {POOL2D_ATTRS,
                                {.key = "dilation",
                                 .type = LN_ATTR_SIZE2,
                                 .offset = offsetof(pool2d_args, dilation),
                                 .preset = 1,
                                 .low = 1,
                                 .high = 4096,
                                 .help = "rows and columns from one cell of a window to the next"},
                                {0}};

const ln_op ln_op_maxpool2d = {
    .name = "maxpool2d",
    .help = "largest value of each window",
    .attrs = attrs,
    .args_size = sizeof(pool2d_args),
    .traits = LN_LOCAL | LN_KINKS,
    .n_inputs = 1,
    .infer = pool2d_infer,
    .window = pool2d_window,
};

#else

static vmask leads(vec x, vec best) { return mask_or(v_gt(x, best), v_is_nan(x)); }

static inline void write(real *dx, vec value, bool adds) { v_store(dx, adds ? v_add(v_load(dx), value) : value); }

/* ---------------------------------------------------------------- 2×2 windows */

/* The winners of one window: bit l for lane l in the right column, bit 16 + l for the lower row. */
static uint32_t *winners_of(const ln_task *t, size_t b, size_t c, size_t h) {
    const ln_shape s = t->node->out;
    return (uint32_t *)(void *)(t->saved + b * t->saved_stride) + (c * s.h + h) * s.w;
}

/* Takes the upper row's bits where the upper row wins. */
LN_INLINE uint32_t winners(unsigned upper_right, unsigned lower_right, unsigned low) {
    return (upper_right ^ ((upper_right ^ lower_right) & low)) | (uint32_t)low << LN_LANES;
}

/* y and, where it is not NULL, won from two rows of x, w windows; false when x may hold a NaN that did not get through.
 * v_max(a1, a0) is a1 where a1 leads and a0 elsewhere, but for a NaN in a1: instead of asking each, the values that may
 * not be NaN are summed and the sums watched (infinite ones raise a false alarm, rarely). */
LN_INLINE bool row_fast(const lanes *upper, const lanes *lower, lanes *y, size_t ahead, uint32_t *won, size_t w) {
    vec watch = v_zero();
    for (size_t i = 0; i < w; i++) {
        unsigned upper_right = 0, lower_right = 0, low = 0;
        __builtin_prefetch(&y[i + ahead], 1);
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            const vec a0 = v_load(upper[2 * i].of + p), a1 = v_load(upper[2 * i + 1].of + p), a = v_max(a1, a0);
            const vec b0 = v_load(lower[2 * i].of + p), b1 = v_load(lower[2 * i + 1].of + p), b = v_max(b1, b0);
            v_store(y[i].of + p, v_max(b, a));
            watch = v_fma(v_add(v_add(a1, b1), b0), v_zero(), watch);
            if (!won) continue;
            upper_right |= mask_bits(v_gt(a1, a0)) << p;
            lower_right |= mask_bits(v_gt(b1, b0)) << p;
            low |= mask_bits(v_gt(b, a)) << p;
        }
        if (won) won[i] = winners(upper_right, lower_right, low);
    }
    return mask_bits(v_is_nan(watch)) == 0;
}

/* The same, whatever x holds. */
static void row_exact(const lanes *upper, const lanes *lower, lanes *y, uint32_t *won, size_t w) {
    for (size_t i = 0; i < w; i++) {
        unsigned upper_right = 0, lower_right = 0, low = 0;
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            const vec   a0 = v_load(upper[2 * i].of + p), a1 = v_load(upper[2 * i + 1].of + p);
            const vec   b0 = v_load(lower[2 * i].of + p), b1 = v_load(lower[2 * i + 1].of + p);
            const vmask a_right = leads(a1, a0), b_right = leads(b1, b0);
            const vec   a = v_select(a_right, a1, a0), b = v_select(b_right, b1, b0);
            v_store(y[i].of + p, v_select(leads(b, a), b, a));
            upper_right |= mask_bits(a_right) << p;
            lower_right |= mask_bits(b_right) << p;
            low |= mask_bits(leads(b, a)) << p;
        }
        if (won) won[i] = winners(upper_right, lower_right, low);
    }
}

static void forward_2x2(const ln_task *t) {
    const size_t w = t->node->out.w, ahead = POOL2D_AHEAD / 2 * t->out.row;
    LN_FOR_ROWS(t, b, c, h) {
        const lanes *upper = view_row(&t->in[0], b, c, 2 * h), *lower = upper + t->in[0].row;
        lanes       *y = view_row(&t->out, b, c, h);
        uint32_t    *won = t->training ? winners_of(t, b, c, h) : NULL;
        if (!(won ? row_fast(upper, lower, y, ahead, won, w) : row_fast(upper, lower, y, ahead, NULL, w)))
            row_exact(upper, lower, y, won, w);
    }
}

/* dx of two rows from dy. */
LN_INLINE void row_back(const lanes *dy, const uint32_t *won, lanes *upper, lanes *lower, size_t ahead, size_t w,
                        bool adds) {
    for (size_t i = 0; i < w; i++) {
        pool2d_fetch_2x2(&upper[2 * i], &lower[2 * i], ahead);
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            const uint32_t right = won[i] >> p, low = won[i] >> LN_LANES >> p;
            const vec      value = v_load(dy[i].of + p), zero = v_zero();
            write(upper[2 * i].of + p, v_select(mask_from_bits(~right & ~low), value, zero), adds);
            write(upper[2 * i + 1].of + p, v_select(mask_from_bits(right & ~low), value, zero), adds);
            write(lower[2 * i].of + p, v_select(mask_from_bits(~right & low), value, zero), adds);
            write(lower[2 * i + 1].of + p, v_select(mask_from_bits(right & low), value, zero), adds);
        }
    }
}

/* Where windows cover every cell, each is written once. */
static void dinput_2x2(const ln_task *t) {
    const ln_shape in = t->node->in[0];
    const size_t   w = t->node->out.w, ahead = POOL2D_AHEAD * t->din[0].row;
    const bool     covered = in.h % 2 == 0 && in.w % 2 == 0, adds = t->write[0] == LN_ADD;
    if (!covered && !adds) pool2d_clear(t);
    LN_FOR_ROWS(t, b, c, h) {
        const lanes    *dy = view_row(&t->dout, b, c, h);
        const uint32_t *won = winners_of(t, b, c, h);
        lanes          *upper = view_row(&t->din[0], b, c, 2 * h), *lower = upper + t->din[0].row;
        if (adds) row_back(dy, won, upper, lower, ahead, w, true);
        else row_back(dy, won, upper, lower, ahead, w, false);
    }
}

/* ---------------------------------------------------------------- all others */

static size_t cell_bytes(pool2d p) { return p.h.kernel * p.w.kernel > 256 ? sizeof(uint32_t) : sizeof(uint8_t); }

/* The numbers of the winners of a row of windows, 16 lanes each. */
static unsigned char *cells_of(const ln_task *t, size_t b, size_t c, size_t h, size_t bytes) {
    const ln_shape s = t->node->out;
    return t->saved + b * t->saved_stride + (c * s.h + h) * s.w * LN_LANES * bytes;
}

static inline void cells_write(unsigned char *cells, size_t bytes, size_t p, vint number) {
    if (bytes == sizeof(uint8_t)) vi_store_bytes(cells + p, number);
    else vi_store((int32_t *)(void *)cells + p, number);
}

/* The taps of a window that lie in the image, and how far apart they are in a row and between rows, in lanes. */
typedef struct taps {
    span   rows, columns;
    size_t row_step, column_step, kw;
} taps;

static inline real tap_number(size_t r, size_t q, size_t kw) { return (real)(int32_t)(r * kw + q); }

/* The largest of the cells under the taps, of which the first lies at x, and (cells: not NULL) its tap's number. Unless
 * exact, a NaN may be lost; then watch becomes NaN (see row_fast). */
LN_INLINE void window_max(const lanes *x, taps s, lanes *y, unsigned char *cells, size_t bytes, bool exact,
                          vec *watch) {
    for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
        vec best = v_splat(-(real)__builtin_inf()), cell = v_splat(tap_number(s.rows.lo, s.columns.lo, s.kw));
        vec sum = v_zero();
        for (size_t r = s.rows.lo; r < s.rows.hi; r++)
            for (size_t q = s.columns.lo; q < s.columns.hi; q++) {
                const lanes *at = x + (r - s.rows.lo) * s.row_step + (q - s.columns.lo) * s.column_step;
                const vec    value = v_load(at->of + p);
                const vmask  lead = exact ? leads(value, best) : v_gt(value, best);
                best = exact ? v_select(lead, value, best) : v_max(value, best);
                cell = v_select(lead, v_splat(tap_number(r, q, s.kw)), cell);
                sum = v_add(sum, value);
            }
        v_store(y->of + p, best);
        if (cells) cells_write(cells, bytes, p, v_round_int(cell));
        *watch = v_fma(sum, v_zero(), *watch);
    }
}

/* A strip of windows under taps of this kind; returns the watch. */
LN_INLINE vec strip_max(const lanes *x, taps under, const strip *s, lanes *y, unsigned char *cells, size_t bytes,
                        bool exact) {
    const size_t n = s->n, step = s->step;
    vec          watch = v_zero();
    x += s->cell, y += s->window;
    if (cells) cells += s->window * LN_LANES * bytes;
    for (size_t i = 0; i < n; i++, x += step)
        window_max(x, under, &y[i], cells ? cells + i * LN_LANES * bytes : NULL, bytes, exact, &watch);
    return watch;
}

/* The same, not exact; the common squares by constants. */
LN_INLINE vec strip_fast(const lanes *x, taps under, const strip *s, lanes *y, unsigned char *cells, size_t bytes) {
    const size_t height = under.rows.hi - under.rows.lo, width = under.columns.hi - under.columns.lo;
    const bool   plain = under.rows.lo == 0 && under.column_step == 1 && bytes == sizeof(uint8_t);
    const size_t square = plain && height == width && width == under.kw ? width : 0;
    const taps   two = {{0, 2}, {0, 2}, under.row_step, 1, 2}, three = {{0, 3}, {0, 3}, under.row_step, 1, 3};
    if (square == 2) return strip_max(x, two, s, y, cells, sizeof(uint8_t), false);
    if (square == 3) return strip_max(x, three, s, y, cells, sizeof(uint8_t), false);
    return strip_max(x, under, s, y, cells, bytes, false);
}

/* The cells that a window's taps lie over, from the first to the last, and which tap is the first. */
static side columns_of(const ln_node *node, size_t i) {
    const axis a = pool2d_of(node).w;
    const span in = pool2d_taps(a, i);
    return (side){{pool2d_at(a, i, in.lo), pool2d_at(a, i, in.hi - 1) + 1}, in.lo};
}

static void forward_any(const ln_task *t) {
    const pool2d p = pool2d_of(t->node);
    const size_t bytes = cell_bytes(p);
    strip *const strips = t->scratch, *const end = strips + pool2d_strips(t->node, columns_of, strips);
    taps s = {.row_step = p.h.dilation * t->in[0].row, .column_step = p.w.dilation, .kw = p.w.kernel};
    LN_FOR_ROWS(t, b, c, h) {
        s.rows = pool2d_taps(p.h, h);
        const lanes *const   x = view_row(&t->in[0], b, c, pool2d_at(p.h, h, s.rows.lo));
        lanes *const         y = view_row(&t->out, b, c, h);
        unsigned char *const cells = t->training ? cells_of(t, b, c, h, bytes) : NULL;
        for (const strip *u = strips; u < end; u++) {
            s.columns = pool2d_taps(p.w, u->window);
            const vec watch = cells ? strip_fast(x, s, u, y, cells, bytes) : strip_fast(x, s, u, y, NULL, bytes);
            if (mask_bits(v_is_nan(watch)) != 0) (void)strip_max(x, s, u, y, cells, bytes, true);
        }
    }
}

/* dy where tap number `tap` won, 0 elsewhere. */
LN_INLINE vec winners_share(vint cells, const source *s, size_t i, size_t p, size_t tap) {
    return v_select(vi_eq(cells, vi_splat((int32_t)(s->tap + tap))), v_load(s->dy[i].of + p), v_zero());
}

LN_INLINE vec share_of_bytes(const source *s, size_t i, size_t p, size_t tap) {
    return winners_share(vi_load_bytes(s->won + i * LN_LANES + p), s, i, p, tap);
}

LN_INLINE vec share_of_words(const source *s, size_t i, size_t p, size_t tap) {
    const int32_t *const cells = (const int32_t *)(const void *)s->won + i * LN_LANES + p;
    return winners_share(vi_load(cells), s, i, p, tap);
}

LN_INLINE void source_row(const ln_task *t, size_t b, size_t c, size_t h, void *state, source *s) {
    const size_t *const bytes = state;
    s->dy = view_row(&t->dout, b, c, h);
    s->won = cells_of(t, b, c, h, *bytes);
}

static void dinput_any(const ln_task *t) {
    size_t bytes = cell_bytes(pool2d_of(t->node));
    if (bytes == sizeof(uint8_t)) pool2d_back(t, t->scratch, source_row, &bytes, share_of_bytes);
    else pool2d_back(t, t->scratch, source_row, &bytes, share_of_words);
}

/* ------------------------------------------------------------------- contract */

static void prepare(const ln_node *node, ln_need *need) {
    const pool2d p = pool2d_of(node);
    const size_t each = pool2d_is_2x2(node) ? sizeof(uint32_t) : LN_LANES * cell_bytes(p);
    const size_t columns = node->out.w * sizeof(strip), back = pool2d_back_scratch(node);
    if (!pool2d_is_2x2(node)) need->scratch = need->training ? ln_most(back, columns) : columns;
    if (need->training) need->saved = ln_shape_count(node->out) * each;
}

static void forward(const ln_task *t) {
    if (pool2d_is_2x2(t->node)) forward_2x2(t);
    else forward_any(t);
}

static void dinput(const ln_task *t) {
    if (t->write[0] == LN_SKIP) return;
    if (pool2d_is_2x2(t->node)) dinput_2x2(t);
    else dinput_any(t);
}

const ln_kernel LN_KERNEL(maxpool2d) = {.prepare = prepare, .forward = {{.run = forward}}, .dinput = {{.run = dinput}}};
#endif
