/* upsample: every cell becomes a block of sh × sw cells (nearest neighbour)
 *
 * Shapes    x c×h×w → y c×(sh·h)×(sw·w)
 * Forward   y[r][q] = x[floor(r/sh)][floor(q/sw)]
 * Backward  dx[h][w] = Σ dy[r][q] over the cells of its block, row by row.
 * Source: torch.nn.Upsample(scale_factor=scale, mode="nearest"). */
#include "op/op.h"

typedef struct upsample_args {
    ln_size2 scale;
} upsample_args;

#ifdef LN_DESCRIPTOR

static ln_status infer(ln_node *node, ln_error *error) {
    const ln_size2 s = ((const upsample_args *)(const void *)node->args)->scale;
    const ln_shape in = node->in[0], out = {in.c, in.h * (size_t)s.h, in.w * (size_t)s.w};
    size_t         count;
    if (!ln_multiply(out.c, out.h, &count) || !ln_multiply(count, out.w, &count) || count > (size_t)1 << 31)
        return ln_fail_node(error, LN_E_SHAPE, node,
                            "the output %zux%zux%zu is more than 2^31 values; use a smaller scale", out.c, out.h,
                            out.w);
    node->out = out;
    return LN_OK;
}

static bool window(const ln_node *node, size_t lo, size_t hi, size_t *in_lo, size_t *in_hi) {
    const size_t scale = (size_t)((const upsample_args *)(const void *)node->args)->scale.h;
    *in_lo = lo / scale;
    *in_hi = (hi - 1) / scale + 1;
    return scale == 1;
}

static const ln_attr attrs[] = {{.key = "scale",
                                 .type = LN_ATTR_SIZE2,
                                 .offset = offsetof(upsample_args, scale),
                                 .positional = true,
                                 .preset = 2,
                                 .low = 1,
                                 .high = 1024,
                                 .help = "how many times as high and wide the output is"},
                                {0}};

const ln_op ln_op_upsample = {
    .name = "upsample",
    .help = "every cell again and again, in rows and columns",
    .attrs = attrs,
    .args_size = sizeof(upsample_args),
    .traits = LN_LOCAL,
    .n_inputs = 1,
    .infer = infer,
    .window = window,
};

#else
#include "kernel/kernel.h"

static void forward(const ln_task *t) {
    const ln_size2 scale = ((const upsample_args *)(const void *)t->node->args)->scale;
    const size_t   sh = (size_t)scale.h, sw = (size_t)scale.w, w = t->node->in[0].w;
    LN_FOR_ROWS(t, b, c, h) {
        const lanes *x = view_row(&t->in[0], b, c, h / sh);
        lanes       *y = view_row(&t->out, b, c, h);
        for (size_t i = 0; i < w; i++, y += sw)
            for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
                const vec value = v_load(x[i].of + p);
                for (size_t q = 0; q < sw; q++) v_store(y[q].of + p, value);
            }
    }
}

/* dx of one row from the sh rows of dy that came of it. */
LN_INLINE void row_back(const ln_task *t, size_t b, size_t c, size_t row, size_t sh, size_t sw, bool adds) {
    const lanes *dy = view_row(&t->dout, b, c, row * sh);
    lanes       *dx = view_row(&t->din[0], b, c, row);
    for (size_t i = 0; i < t->node->in[0].w; i++)
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            vec sum = v_zero();
            for (size_t r = 0; r < sh; r++)
                for (size_t q = 0; q < sw; q++) sum = v_add(sum, v_load(dy[r * t->dout.row + i * sw + q].of + p));
            v_store(dx[i].of + p, adds ? v_add(v_load(dx[i].of + p), sum) : sum);
        }
}

/* The task has whole blocks of rows: bands of them would share rows of dx. */
static void dinput(const ln_task *t) {
    const ln_size2 scale = ((const upsample_args *)(const void *)t->node->args)->scale;
    const size_t   sh = (size_t)scale.h, sw = (size_t)scale.w;
    if (t->write[0] == LN_SKIP) return;
    for (size_t b = 0; b < t->n_blocks; b++)
        for (size_t c = t->c_lo; c < t->c_hi; c++)
            for (size_t row = t->h_lo / sh; row < t->h_hi / sh; row++)
                if (t->write[0] == LN_ADD) row_back(t, b, c, row, sh, sw, true);
                else if (sh == 2 && sw == 2) row_back(t, b, c, row, 2, 2, false);
                else row_back(t, b, c, row, sh, sw, false);
}

const ln_kernel LN_KERNEL(upsample) = {.forward = {{.run = forward}}, .dinput = {{.run = dinput}}};
#endif
