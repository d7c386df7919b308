/* sigmoid: y = 1 / (1 + exp(-x))
 *
 * Forward   y = sigmoid(x), by our own exp (kernel/vmath.h); NaN stays NaN.
 * Backward  dx = dy · (1 - y)·y
 * Source: LeCun et al., "Efficient BackProp", 1998. */
#include "op/activation.h"

#ifdef LN_DESCRIPTOR

static const ln_attr attrs[] = {{0}};

const ln_op ln_op_sigmoid = {
    .name = "sigmoid",
    .help = "1 / (1 + exp(-x))",
    .attrs = attrs,
    .traits = LN_LOCAL | LN_IN_PLACE | LN_NEEDS_OUT,
    .low = 0,
    .high = 1,
    .meaning = LN_PROBABILITIES,
    .n_inputs = 1,
    .infer = ln_infer_same,
};

#else
#include "kernel/vmath.h"

LN_INLINE vec value(vec x, splats k) {
    (void)k;
    return v_sigmoid(x);
}

LN_INLINE vec slope(vec y, splats k) {
    (void)k;
    return v_mul(v_sub(v_splat(1), y), y);
}

static void forward(const ln_task *t) { activation_forward(t, value, no_splats()); }
static void dinput(const ln_task *t) { activation_dinput(t, &t->out, slope, no_splats()); }

const ln_kernel LN_KERNEL(sigmoid) = {.forward = {{.run = forward}}, .dinput = {{.run = dinput}}};
#endif
