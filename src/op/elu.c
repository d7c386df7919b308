/* elu: y = x where x > 0, alpha · (exp(x) - 1) elsewhere
 *
 * Forward   y = x where x > 0, α·expm1(x) elsewhere (kernel/vmath.h); NaN stays NaN.
 * Backward  dx = dy where y > 0, dy · (y + α) elsewhere; as α >= 0, y > 0 is x > 0.
 * There is a kink at 0 unless α is 1.
 * Source: Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by exponential linear units",
 * 2016. */
#include "op/activation.h"

typedef struct elu_args {
    double alpha;
} elu_args;

#ifdef LN_DESCRIPTOR

static void bounds(const ln_node *node, double *low, double *high) {
    *low = -((const elu_args *)(const void *)node->args)->alpha;
    *high = __builtin_inf();
}

static const ln_attr attrs[] = {
    {.key = "alpha",
     .type = LN_ATTR_FLOAT,
     .offset = offsetof(elu_args, alpha),
     .positional = true,
     .preset = 1,
     .low = 0,
     .high = 1000,
     .help = "minus what outputs fall to far below 0"},
    {0},
};

const ln_op ln_op_elu = {
    .name = "elu",
    .help = "x above 0, alpha * (exp(x) - 1) below",
    .attrs = attrs,
    .args_size = sizeof(elu_args),
    .traits = LN_LOCAL | LN_IN_PLACE | LN_NEEDS_OUT | LN_KINKS,
    .n_inputs = 1,
    .infer = ln_infer_same,
    .bounds = bounds,
};

#else
#include "kernel/vmath.h"

/* a: alpha */
static splats splats_of(const ln_node *node) {
    const elu_args *const args = (const void *)node->args;
    return (splats){.a = v_splat((real)args->alpha)};
}

LN_INLINE vmask above(vec x, splats k) {
    (void)k;
    return v_gt(x, v_zero());
}

LN_INLINE vec value(vec x, splats k) { return v_select(above(x, k), x, v_mul(k.a, v_expm1(x))); }
LN_INLINE vec slope(vec y, splats k) { return v_select(above(y, k), v_splat(1), v_add(y, k.a)); }

static void forward(const ln_task *t) { activation_forward_kink(t, value, above, splats_of(t->node)); }
static void dinput(const ln_task *t) { activation_dinput(t, &t->out, slope, splats_of(t->node)); }

const ln_kernel LN_KERNEL(elu) = {
    .prepare = activation_prepare_kink, .forward = {{.run = forward}}, .dinput = {{.run = dinput}}};
#endif
