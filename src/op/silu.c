/* silu: y = x · sigmoid(x)
 *
 * Forward   y = x·s with s = sigmoid(x), by our own exp (kernel/vmath.h); NaN stays NaN, -infinity gives NaN.
 * Backward  dx = dy · (s + x·s·(1 - s))
 * Source: Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units for neural network function approximation in
 * reinforcement learning", 2018. */
#include "op/activation.h"

#ifdef LN_DESCRIPTOR

static const ln_attr attrs[] = {{0}};

const ln_op ln_op_silu = {
    .name = "silu",
    .help = "x * sigmoid(x), also called swish",
    .attrs = attrs,
    .traits = LN_LOCAL | LN_IN_PLACE | LN_NEEDS_IN,
    .n_inputs = 1,
    .infer = ln_infer_same,
};

#else
#include "kernel/vmath.h"

LN_INLINE vec value(vec x, splats k) {
    (void)k;
    return v_mul(x, v_sigmoid(x));
}

LN_INLINE vec slope(vec x, splats k) {
    (void)k;
    const vec s = v_sigmoid(x);
    return v_fma(v_mul(x, s), v_sub(v_splat(1), s), s);
}

static void forward(const ln_task *t) { activation_forward(t, value, no_splats()); }
static void dinput(const ln_task *t) { activation_dinput(t, &t->in[0], slope, no_splats()); }

const ln_kernel LN_KERNEL(silu) = {.forward = {{.run = forward}}, .dinput = {{.run = dinput}}};
#endif
