/* tanh: y = tanh(x)
 *
 * Forward   y = tanh(x), by our own tanh (kernel/vmath.h); NaN stays NaN.
 * Backward  dx = dy · (1 - y²), the bracket rounded once
 * Source: LeCun et al., "Efficient BackProp", 1998. */
#include "op/op.h"

#ifdef LN_DESCRIPTOR

static ln_status infer(ln_node *node, ln_error *error) {
    (void)error;
    node->out = node->in[0];
    return LN_OK;
}

static const ln_attr attrs[] = {{0}};

const ln_op ln_op_tanh = {
    .name = "tanh",
    .help = "hyperbolic tangent",
    .attrs = attrs,
    .traits = LN_LOCAL | LN_IN_PLACE | LN_NEEDS_OUT,
    .low = -1,
    .high = 1,
    .n_inputs = 1,
    .infer = infer,
};

#else
#include "kernel/kernel.h"
#include "kernel/vmath.h"

static void forward(const ln_task *t) {
    const size_t w = t->node->out.w;
    LN_FOR_ROWS(t, b, c, h) {
        const lanes *x = view_row(&t->in[0], b, c, h);
        lanes       *y = view_row(&t->out, b, c, h);
        for (size_t i = 0; i < w; i++)
            for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) v_store(y[i].of + p, v_tanh(v_load(x[i].of + p)));
    }
}

static void dinput(const ln_task *t) {
    const size_t w = t->node->out.w;
    const vec    one = v_splat(1);
    if (t->write[0] == LN_SKIP) return;
    LN_FOR_ROWS(t, b, c, h) {
        const lanes *y = view_row(&t->out, b, c, h), *dy = view_row(&t->dout, b, c, h);
        lanes       *dx = view_row(&t->din[0], b, c, h);
        const bool   adds = t->write[0] == LN_ADD;
        for (size_t i = 0; i < w; i++)
            for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
                const vec value = v_load(y[i].of + p);
                const vec slope = v_fma(v_neg(value), value, one);
                const vec passed = v_mul(v_load(dy[i].of + p), slope);
                v_store(dx[i].of + p, adds ? v_add(v_load(dx[i].of + p), passed) : passed);
            }
    }
}

const ln_kernel LN_KERNEL(tanh) = {.forward = {{.run = forward}}, .dinput = {{.run = dinput}}};
#endif
