/* leaky_relu: y = x where x > 0, negative_slope · x elsewhere
 *
 * Forward   y = x where x > 0, s·x elsewhere (s = negative_slope); NaN stays NaN.
 * Backward  dx = dy where x > 0, s·dy elsewhere.
 * Kept between the two: one bit a value, set where x > 0.
 * Source: Maas, Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic models", 2013. */
#include "op/activation.h"

typedef struct leaky_relu_args {
    double negative_slope;
} leaky_relu_args;

#ifdef LN_DESCRIPTOR

static const ln_attr attrs[] = {
    {.key = "negative_slope",
     .type = LN_ATTR_FLOAT,
     .offset = offsetof(leaky_relu_args, negative_slope),
     .positional = true,
     .preset = 0.01,
     .low = -1000,
     .high = 1000,
     .help = "what values below 0 are multiplied by"},
    {0},
};

const ln_op ln_op_leaky_relu = {
    .name = "leaky_relu",
    .help = "x above 0, negative_slope times x below",
    .attrs = attrs,
    .args_size = sizeof(leaky_relu_args),
    .traits = LN_LOCAL | LN_IN_PLACE | LN_KINKS,
    .n_inputs = 1,
    .infer = ln_infer_same,
};

#else

/* a: negative_slope */
static splats splats_of(const ln_node *node) {
    const leaky_relu_args *const args = (const void *)node->args;
    return (splats){.a = v_splat((real)args->negative_slope)};
}

LN_INLINE vmask passes(vec x, splats k) {
    (void)k;
    return v_gt(x, v_zero());
}

LN_INLINE vec blocked(vec dy, splats k) { return v_mul(k.a, dy); }

LN_INLINE vec value(vec x, splats k) { return v_select(passes(x, k), x, v_mul(k.a, x)); }

static void forward(const ln_task *t) { activation_forward_bits(t, value, passes, splats_of(t->node)); }
static void dinput(const ln_task *t) { activation_dinput_bits(t, blocked, splats_of(t->node)); }

const ln_kernel LN_KERNEL(leaky_relu) = {
    .prepare = activation_prepare_bits, .forward = {{.run = forward}}, .dinput = {{.run = dinput}}};
#endif
