/* relu: y = max(x, 0)
 *
 * Forward   y = x where x > 0, 0 elsewhere; NaN stays NaN.
 * Backward  dx = dy where not (x <= 0), 0 elsewhere.
 * Kept between the two: one bit a value, set where dy passes.
 * Source: Nair and Hinton, "Rectified linear units improve restricted Boltzmann machines", 2010. */
#include "op/activation.h"

#ifdef LN_DESCRIPTOR

static const ln_attr attrs[] = {{0}};

const ln_op ln_op_relu = {
    .name = "relu",
    .help = "max(x, 0)",
    .attrs = attrs,
    .traits = LN_LOCAL | LN_IN_PLACE | LN_KINKS,
    .high = __builtin_inf(),
    .n_inputs = 1,
    .infer = ln_infer_same,
};

#else

LN_INLINE vec value(vec x, splats k) {
    (void)k;
    return v_max(v_zero(), x);
}

LN_INLINE vmask passes(vec x, splats k) {
    (void)k;
    return mask_not(v_le(x, v_zero()));
}

LN_INLINE vec blocked(vec dy, splats k) {
    (void)dy, (void)k;
    return v_zero();
}

static void forward(const ln_task *t) { activation_forward_bits(t, value, passes, no_splats()); }
static void dinput(const ln_task *t) { activation_dinput_bits(t, blocked, no_splats()); }

const ln_kernel LN_KERNEL(relu) = {
    .prepare = activation_prepare_bits, .forward = {{.run = forward}}, .dinput = {{.run = dinput}}};
#endif
