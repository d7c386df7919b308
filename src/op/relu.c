/* relu: y = max(x, 0)
 *
 * Forward   y = x where x > 0, 0 elsewhere; NaN stays NaN.
 * Backward  dx = dy where not (x <= 0), 0 elsewhere.
 * Kept between the two: one bit a value, set where dy passes.
 * Source: Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", 2010. */
#include "op/op.h"

#ifdef LN_DESCRIPTOR

static ln_status infer(ln_node *node, ln_error *error) {
    (void)error;
    node->out = node->in[0];
    return LN_OK;
}

static const ln_attr attrs[] = {{0}};

const ln_op ln_op_relu = {
    .name = "relu",
    .help = "max(x, 0)",
    .attrs = attrs,
    .traits = LN_LOCAL | LN_IN_PLACE | LN_KINKS,
    .high = __builtin_inf(),
    .n_inputs = 1,
    .infer = infer,
};

#else
#include "kernel/kernel.h"

static void prepare(const ln_node *node, ln_need *need) {
    if (need->training) need->saved = ln_shape_count(node->out) * sizeof(uint16_t);
}

static uint16_t *bits_of(const ln_task *t, size_t block, size_t c, size_t h) {
    const ln_shape s = t->node->out;
    return (uint16_t *)(void *)(t->saved + block * t->saved_stride) + (c * s.h + h) * s.w;
}

/* A row of w values; bits may be NULL. */
LN_INLINE void row_forward(const lanes *x, lanes *y, uint16_t *bits, size_t w) {
    const vec zero = v_zero();
    for (size_t i = 0; i < w; i++) {
        unsigned passes = 0;
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            const vec value = v_load(x[i].of + p);
            v_store(y[i].of + p, v_max(zero, value));
            if (bits) passes |= mask_bits(mask_not(v_le(value, zero))) << p;
        }
        if (bits) bits[i] = (uint16_t)passes;
    }
}

static void forward(const ln_task *t) {
    const size_t w = t->node->out.w;
    LN_FOR_ROWS(t, b, c, h) {
        const lanes *x = view_row(&t->in[0], b, c, h);
        lanes       *y = view_row(&t->out, b, c, h);
        if (t->training) row_forward(x, y, bits_of(t, b, c, h), w);
        else row_forward(x, y, NULL, w);
    }
}

LN_INLINE void row_dinput(const lanes *dy, const uint16_t *bits, lanes *dx, size_t w, bool adds) {
    for (size_t i = 0; i < w; i++)
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            const vec passed = v_select(mask_from_bits((unsigned)bits[i] >> p), v_load(dy[i].of + p), v_zero());
            v_store(dx[i].of + p, adds ? v_add(v_load(dx[i].of + p), passed) : passed);
        }
}

static void dinput(const ln_task *t) {
    const size_t w = t->node->out.w;
    if (t->write[0] == LN_SKIP) return;
    LN_FOR_ROWS(t, b, c, h) {
        const lanes    *dy = view_row(&t->dout, b, c, h);
        lanes          *dx = view_row(&t->din[0], b, c, h);
        const uint16_t *bits = bits_of(t, b, c, h);
        if (t->write[0] == LN_ADD) row_dinput(dy, bits, dx, w, true);
        else row_dinput(dy, bits, dx, w, false);
    }
}

const ln_kernel LN_KERNEL(relu) = {.prepare = prepare, .forward = {{.run = forward}}, .dinput = {{.run = dinput}}};
#endif
