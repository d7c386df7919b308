/* adaptive_avgpool2d: the mean of each of as many windows as the output has cells
 *
 * Shapes    x c×h×w → y c×oh×ow, whatever h and w are; 1 is the mean of each channel.
 * Window (i, j): rows floor(i·h / oh) … ceil((i + 1)·h / oh) - 1 of h, and likewise columns. Windows share rows where
 * oh does not divide h.
 * Forward   y[h][w] = s · Σ x[r][q] over the cells (r, q) under window (h, w), row by row;  s = 1 / (its cells)
 * Backward  dx[r][q] = Σ s·dy[h][w] over the windows (h, w) that cover (r, q), row by row.
 * Source: torch.nn.AdaptiveAvgPool2d; Lin, Chen and Yan, "Network in network", 2014 (one mean a channel). */
#include "op/pool2d.h"

typedef struct adaptive_args {
    ln_size2 output;
} adaptive_args;

static span under(size_t i, size_t n, size_t out) { return (span){i * n / out, ((i + 1) * n + out - 1) / out}; }

#ifdef LN_DESCRIPTOR

static ln_status infer(ln_node *node, ln_error *error) {
    const ln_size2 o = ((const adaptive_args *)(const void *)node->args)->output;
    return pool2d_shape(node, (ln_shape){node->in[0].c, (size_t)o.h, (size_t)o.w}, error);
}

static bool window(const ln_node *node, size_t lo, size_t hi, size_t *in_lo, size_t *in_hi) {
    const size_t n = node->in[0].h, out = node->out.h;
    *in_lo = under(lo, n, out).lo;
    *in_hi = under(hi - 1, n, out).hi;
    return n % out == 0;
}

static const ln_attr attrs[] = {{.key = "output",
                                 .type = LN_ATTR_SIZE2,
                                 .offset = offsetof(adaptive_args, output),
                                 .required = true,
                                 .positional = true,
                                 .low = 1,
                                 .high = 4096,
                                 .help = "rows and columns of the output"},
                                {0}};

const ln_op ln_op_adaptive_avgpool2d = {
    .name = "adaptive_avgpool2d",
    .help = "means of as many windows as the output has cells",
    .attrs = attrs,
    .args_size = sizeof(adaptive_args),
    .traits = LN_LOCAL,
    .n_inputs = 1,
    .infer = infer,
    .window = window,
};

#else

static side side_of_axis(size_t i, size_t n, size_t out) {
    const span cells = under(i, n, out);
    return (side){cells, cells.hi - cells.lo};
}

static side rows_of(const ln_node *node, size_t h) { return side_of_axis(h, node->in[0].h, node->out.h); }
static side columns_of(const ln_node *node, size_t w) { return side_of_axis(w, node->in[0].w, node->out.w); }

static void prepare(const ln_node *node, ln_need *need) { need->scratch = node->out.w * sizeof(strip); }

static void forward(const ln_task *t) { pool2d_mean(t, rows_of, columns_of); }

/* Sets all cells of a strip's windows to s · dy, or adds it. */
LN_INLINE void strip_back(lanes *dx, size_t row, size_t rows, const strip *s, const lanes *dy, bool adds) {
    const vec    scale = pool2d_scale(rows * s->count);
    const size_t n = s->n, step = s->step, columns = s->width;
    dx += s->cell, dy += s->window;
    for (size_t i = 0; i < n; i++, dx += step)
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            const vec value = v_mul(v_load(dy[i].of + p), scale);
            for (size_t r = 0; r < rows; r++)
                for (size_t q = 0; q < columns; q++) {
                    real *const to = dx[r * row + q].of + p;
                    v_store(to, adds ? v_add(v_load(to), value) : value);
                }
        }
}

LN_INLINE void back(const ln_task *t, bool adds) {
    strip *const strips = t->scratch, *const end = strips + pool2d_strips(t->node, columns_of, strips);
    LN_FOR_ROWS(t, b, c, h) {
        const side   rows = rows_of(t->node, h);
        const lanes *dy = view_row(&t->dout, b, c, h);
        lanes       *dx = view_row(&t->din[0], b, c, rows.under.lo);
        for (const strip *s = strips; s < end; s++) strip_back(dx, t->din[0].row, rows.count, s, dy, adds);
    }
}

/* Where windows cover every cell once, each is written once; elsewhere all are cleared and then added to. */
static void dinput(const ln_task *t) {
    const ln_shape in = t->node->in[0], out = t->node->out;
    const bool     once = in.h % out.h == 0 && in.w % out.w == 0;
    if (t->write[0] == LN_SKIP) return;
    if (t->write[0] == LN_SET && !once) pool2d_clear(t);
    if (t->write[0] == LN_ADD || !once) back(t, true);
    else back(t, false);
}

const ln_kernel LN_KERNEL(adaptive_avgpool2d) = {
    .prepare = prepare, .forward = {{.run = forward}}, .dinput = {{.run = dinput}}};
#endif
