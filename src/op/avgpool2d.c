/* avgpool2d: the mean of each window, padding counted as zeros, or (count_include_pad=false) left out
 *
 * Shapes    x c×h×w → y c×oh×ow, see pool2d.h.
 * Forward   y[h][w] = s · Σ x[r][q] over the cells (r, q) under window (h, w), row by row; s = 1 / (rows · columns) of
 *           the window, less what lies beyond image and padding, or beyond the image
 * Backward  dx[r][q] = Σ s·dy[h][w] over the windows (h, w) that cover (r, q), row by row; 0 where none does.
 * Source: LeCun et al., "Gradient-based learning applied to document recognition", 1998 (subsampling, without its
 * trained factor); torch.nn.AvgPool2d. */
#include "op/pool2d.h"

#ifdef LN_DESCRIPTOR

static const ln_attr attrs[] = {POOL2D_ATTRS,
                                {.key = "count_include_pad",
                                 .type = LN_ATTR_BOOL,
                                 .offset = offsetof(pool2d_args, count_include_pad),
                                 .preset = 1,
                                 .help = "padding counts as zeros of the mean"},
                                {0}};

const ln_op ln_op_avgpool2d = {
    .name = "avgpool2d",
    .help = "mean of each window",
    .attrs = attrs,
    .args_size = sizeof(pool2d_args),
    .traits = LN_LOCAL,
    .n_inputs = 1,
    .infer = pool2d_infer,
    .window = pool2d_window,
};

#else

/* Of the padding as much counts as a window covers: with ceil_mode it may reach beyond. */
static side side_of_axis(const ln_node *node, axis a, size_t i) {
    const span   taps = pool2d_taps(a, i), under = {pool2d_at(a, i, taps.lo), pool2d_at(a, i, taps.hi)};
    const size_t room = a.n + 2 * a.padding - i * a.stride;
    const bool   all = ((const pool2d_args *)(const void *)node->args)->count_include_pad;
    return (side){under, !all ? taps.hi - taps.lo : room < a.kernel ? room : a.kernel};
}

static side rows_of(const ln_node *node, size_t h) { return side_of_axis(node, pool2d_of(node).h, h); }
static side columns_of(const ln_node *node, size_t w) { return side_of_axis(node, pool2d_of(node).w, w); }

static void forward_2x2(const ln_task *t) {
    const size_t w = t->node->out.w;
    const vec    s = v_splat((real)0.25);
    LN_FOR_ROWS(t, b, c, h) {
        const lanes *upper = view_row(&t->in[0], b, c, 2 * h), *lower = upper + t->in[0].row;
        lanes       *y = view_row(&t->out, b, c, h);
        for (size_t i = 0; i < w; i++)
            for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
                const vec up = v_add(v_load(upper[2 * i].of + p), v_load(upper[2 * i + 1].of + p));
                const vec low = v_add(v_load(lower[2 * i].of + p), v_load(lower[2 * i + 1].of + p));
                v_store(y[i].of + p, v_mul(v_add(up, low), s));
            }
    }
}

static void forward(const ln_task *t) {
    if (pool2d_is_2x2(t->node)) forward_2x2(t);
    else pool2d_mean(t, rows_of, columns_of);
}

static inline void write(real *dx, vec value, bool adds) { v_store(dx, adds ? v_add(v_load(dx), value) : value); }

static inline void dinput_2x2(const ln_task *t, bool adds) {
    const size_t w = t->node->out.w, ahead = POOL2D_AHEAD * t->din[0].row;
    const vec    s = v_splat((real)0.25);
    LN_FOR_ROWS(t, b, c, h) {
        const lanes *dy = view_row(&t->dout, b, c, h);
        lanes       *upper = view_row(&t->din[0], b, c, 2 * h), *lower = upper + t->din[0].row;
        for (size_t i = 0; i < w; i++) {
            pool2d_fetch_2x2(&upper[2 * i], &lower[2 * i], ahead);
            for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
                const vec value = v_mul(v_load(dy[i].of + p), s);
                write(upper[2 * i].of + p, value, adds);
                write(upper[2 * i + 1].of + p, value, adds);
                write(lower[2 * i].of + p, value, adds);
                write(lower[2 * i + 1].of + p, value, adds);
            }
        }
    }
}

/* Rows of windows that lie over one row of cells, at most; more of them to make a power of two. */
static size_t rows_over(axis a) {
    size_t n = 1;
    while (n < (a.kernel - 1) / a.stride + 1) n *= 2;
    return n;
}

/* The rows of dout that are at work, times s: row h of all of them, counted from the task's first, is h mod n. */
typedef struct scaled {
    lanes *rows;
    strip *strips;
    size_t n_strips, n, next;
} scaled;

static inline void scaled_row(const ln_task *t, size_t b, size_t c, size_t h, void *state, source *to) {
    scaled *const  s = state;
    const ln_shape out = t->node->out;
    const size_t   number = (b * out.c + c) * out.h + h;
    lanes *const   row = s->rows + (number & (s->n - 1)) * out.w;
    to->dy = row;
    if (number < s->next) return;
    const size_t       count = rows_of(t->node, h).count;
    const lanes *const dy = view_row(&t->dout, b, c, h);
    for (const strip *u = s->strips; u < s->strips + s->n_strips; u++) {
        const vec scale = pool2d_scale(count * u->count);
        for (size_t i = u->window; i < u->window + u->n; i++)
            for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) v_store(row[i].of + p, v_mul(v_load(dy[i].of + p), scale));
    }
    s->next = number + 1;
}

LN_INLINE vec share(const source *s, size_t i, size_t p, size_t tap) {
    (void)tap;
    return v_load(s->dy[i].of + p);
}

/* Scratch: scaled rows, strips, and what the way back takes. */
static void dinput_any(const ln_task *t) {
    const size_t w = t->node->out.w, n = rows_over(pool2d_of(t->node).h);
    lanes *const rows = t->scratch;
    strip *const strips = (strip *)(void *)(rows + n * w);
    scaled       s = {.rows = rows, .strips = strips, .n_strips = pool2d_strips(t->node, columns_of, strips), .n = n};
    pool2d_back(t, strips + w, scaled_row, &s, share);
}

static void prepare(const ln_node *node, ln_need *need) {
    const size_t w = node->out.w, n_rows = rows_over(pool2d_of(node).h);
    need->scratch = w * sizeof(strip);
    if (need->training) need->scratch += n_rows * w * sizeof(lanes) + pool2d_back_scratch(node);
}

static void dinput(const ln_task *t) {
    const ln_shape in = t->node->in[0];
    const bool     covered = in.h % 2 == 0 && in.w % 2 == 0; /* by 2×2 windows */
    if (t->write[0] == LN_SKIP) return;
    if (!pool2d_is_2x2(t->node) || !covered) dinput_any(t);
    else if (t->write[0] == LN_ADD) dinput_2x2(t, true);
    else dinput_2x2(t, false);
}

const ln_kernel LN_KERNEL(avgpool2d) = {.prepare = prepare, .forward = {{.run = forward}}, .dinput = {{.run = dinput}}};
#endif
