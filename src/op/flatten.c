/* flatten: c×h×w becomes (c·h·w)×1×1
 *
 * Forward   y = x;  backward  dx = dy.
 * Lanes lie in the order c, h, w under both shapes, so the output is the input's memory and there is nothing to run,
 * but where a halo round the input keeps the two apart: then values are copied. */
#include "op/op.h"

#ifdef LN_DESCRIPTOR

static ln_status infer(ln_node *node, ln_error *error) {
    (void)error;
    node->out = (ln_shape){ln_shape_count(node->in[0]), 1, 1};
    return LN_OK;
}

static const ln_attr attrs[] = {{0}};

const ln_op ln_op_flatten = {
    .name = "flatten",
    .help = "all values as channels of one pixel",
    .attrs = attrs,
    .traits = LN_VIEW,
    .n_inputs = 1,
    .infer = infer,
};

#else
#include "kernel/kernel.h"

static void forward(const ln_task *t) {
    const ln_shape in = t->node->in[0];
    for (size_t b = 0; b < t->n_blocks; b++)
        for (size_t k = t->c_lo; k < t->c_hi; k++) {
            const lanes *x = view_row(&t->in[0], b, k / in.w / in.h, k / in.w % in.h);
            *view_row(&t->out, b, k, 0) = x[k % in.w];
        }
}

static void copy_back(lanes *dx, const lanes *dy, bool adds) {
    for (size_t p = 0; p < LN_LANES; p += LN_WIDTH)
        v_store(dx->of + p, adds ? v_add(v_load(dx->of + p), v_load(dy->of + p)) : v_load(dy->of + p));
}

static void dinput(const ln_task *t) {
    const ln_shape in = t->node->in[0];
    if (t->write[0] == LN_SKIP) return;
    for (size_t b = 0; b < t->n_blocks; b++)
        for (size_t c = t->c_lo; c < t->c_hi; c++)
            for (size_t h = 0; h < in.h; h++) {
                lanes *dx = view_row(&t->din[0], b, c, h);
                for (size_t w = 0; w < in.w; w++)
                    copy_back(&dx[w], view_row(&t->dout, b, (c * in.h + h) * in.w + w, 0), t->write[0] == LN_ADD);
            }
}

/* One image at a time: feature i goes to lane i % 16 of group i / 16. Whatever the share, all of it is copied by the
 * one that has the first group: it is little. */
static void run_image(const ln_task *t) {
    const ln_shape in = t->node->in[0];
    const size_t   unit = t->planar ? 1 : LN_LANES, group = t->out.channel * LN_LANES;
    for (size_t b = 0; b < t->n_blocks && t->c_lo == 0; b++) {
        real *const       y = view_row(&t->out, b, 0, 0)->of;
        const real *const x = (const real *)t->in[0].data + b * t->in[0].block * unit;
        size_t            i = 0;
        for (size_t c = 0; c < in.c; c++)
            for (size_t h = 0; h < in.h; h++) {
                const size_t first =
                    t->planar ? c * t->in[0].channel : c / LN_LANES * t->in[0].channel * LN_LANES + c % LN_LANES;
                const real *const row = x + first + h * t->in[0].row * unit;
                for (size_t w = 0; w < in.w; w++, i++) y[i / LN_LANES * group + i % LN_LANES] = row[w * unit];
            }
        for (; i % LN_LANES != 0; i++) y[i / LN_LANES * group + i % LN_LANES] = 0;
    }
}

const ln_kernel LN_KERNEL(flatten) = {
    .image = {.run = run_image}, .forward = {{.run = forward}}, .dinput = {{.run = dinput}}};
#endif
