/* avgpool2d: the mean of each window, padding counted as zeros
 *
 * Shapes    x c×h×w → y c×oh×ow, see pool2d.h.
 * Forward   y[h][w] = s · Σ x[r][q] over the cells (r, q) under window (h, w), row by row;  s = 1 / (kh·kw)
 * Backward  dx[r][q] = Σ s·dy[h][w] over the windows (h, w) that cover (r, q), row by row; 0 where none does.
 * Source: LeCun et al., "Gradient-based learning applied to document recognition", 1998 (subsampling, without its
 * trained factor); torch.nn.AvgPool2d with count_include_pad=True. */
#include "op/pool2d.h"

#ifdef LN_DESCRIPTOR

const ln_op ln_op_avgpool2d = {
    .name = "avgpool2d",
    .help = "mean of each window",
    .attrs = pool2d_attrs,
    .args_size = sizeof(ln_pool2d_args),
    .traits = LN_LOCAL,
    .n_inputs = 1,
    .infer = pool2d_infer,
    .window = pool2d_window,
};

#else

static real scale_of(pool2d p) { return (real)1 / (real)(p.kh * p.kw); }

/* The sum of the cells rows × columns of x, times s. */
static inline vec mean(const lanes *x, size_t row, span rows, span columns, size_t part, vec s) {
    vec sum = v_zero();
    for (size_t r = rows.lo; r < rows.hi; r++)
        for (size_t q = columns.lo; q < columns.hi; q++) sum = v_add(sum, v_load(x[r * row + q].of + part));
    return v_mul(sum, s);
}

static void forward_any(const ln_task *t) {
    const pool2d   p = pool2d_of(t->node);
    const ln_shape in = t->node->in[0], out = t->node->out;
    const vec      s = v_splat(scale_of(p));
    LN_FOR_ROWS(t, b, c, h) {
        const span   under = pool2d_under(h, p.kh, p.sh, p.ph, in.h), rows = {0, under.hi - under.lo};
        const lanes *x = view_row(&t->in[0], b, c, under.lo);
        lanes       *y = view_row(&t->out, b, c, h);
        for (size_t w = 0; w < out.w; w++) {
            const span columns = pool2d_under(w, p.kw, p.sw, p.pw, in.w);
            for (size_t part = 0; part < LN_LANES; part += LN_WIDTH)
                v_store(y[w].of + part, mean(x, t->in[0].row, rows, columns, part, s));
        }
    }
}

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
    if (pool2d_is_2x2(pool2d_of(t->node))) forward_2x2(t);
    else forward_any(t);
}

static inline void write(real *dx, vec value, bool adds) { v_store(dx, adds ? v_add(v_load(dx), value) : value); }

static void dinput_any(const ln_task *t) {
    const pool2d   p = pool2d_of(t->node);
    const ln_shape in = t->node->in[0];
    const size_t   w = t->node->out.w, row = t->din[0].row;
    const vec      s = v_splat(scale_of(p));
    if (t->write[0] == LN_SET) pool2d_clear(t);
    LN_FOR_ROWS(t, b, c, h) {
        const span   rows = pool2d_under(h, p.kh, p.sh, p.ph, in.h);
        const lanes *dy = view_row(&t->dout, b, c, h);
        lanes       *dx = view_row(&t->din[0], b, c, rows.lo);
        for (size_t i = 0; i < w; i++) {
            const span columns = pool2d_under(i, p.kw, p.sw, p.pw, in.w);
            for (size_t part = 0; part < LN_LANES; part += LN_WIDTH) {
                const vec value = v_mul(v_load(dy[i].of + part), s);
                for (size_t r = 0; r < rows.hi - rows.lo; r++)
                    for (size_t q = columns.lo; q < columns.hi; q++) write(dx[r * row + q].of + part, value, true);
            }
        }
    }
}

static inline void dinput_2x2(const ln_task *t, bool adds) {
    const size_t w = t->node->out.w;
    const vec    s = v_splat((real)0.25);
    LN_FOR_ROWS(t, b, c, h) {
        const lanes *dy = view_row(&t->dout, b, c, h);
        lanes       *upper = view_row(&t->din[0], b, c, 2 * h), *lower = upper + t->din[0].row;
        for (size_t i = 0; i < w; i++)
            for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
                const vec value = v_mul(v_load(dy[i].of + p), s);
                write(upper[2 * i].of + p, value, adds);
                write(upper[2 * i + 1].of + p, value, adds);
                write(lower[2 * i].of + p, value, adds);
                write(lower[2 * i + 1].of + p, value, adds);
            }
    }
}

static void dinput(const ln_task *t) {
    const ln_shape in = t->node->in[0];
    const bool     covered = in.h % 2 == 0 && in.w % 2 == 0; /* by 2×2 windows */
    if (t->write[0] == LN_SKIP) return;
    if (!pool2d_is_2x2(pool2d_of(t->node)) || !covered) dinput_any(t);
    else if (t->write[0] == LN_ADD) dinput_2x2(t, true);
    else dinput_2x2(t, false);
}

const ln_kernel LN_KERNEL(avgpool2d) = {.forward = {{.run = forward}}, .dinput = {{.run = dinput}}};
#endif
