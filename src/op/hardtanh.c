/* hardtanh: x, kept between min_val and max_val
 *
 * Forward   y = min(max(x, min_val), max_val); NaN stays NaN.
 * Backward  dx = 0 where x <= min_val or x >= max_val, dy elsewhere.
 * Kept between the two: one bit a value, set where dy passes.
 * Source: Collobert, "Large scale machine learning", 2004; relu6 is min_val=0 max_val=6. */
#include "op/activation.h"

typedef struct hardtanh_args {
    double min_val, max_val;
} hardtanh_args;

#ifdef LN_DESCRIPTOR

static ln_status infer(ln_node *node, ln_error *error) {
    const hardtanh_args *const a = (const void *)node->args;
    if (!(a->min_val < a->max_val))
        return ln_fail_node(error, LN_E_ARGUMENT, node,
                            "min_val=%g is not below max_val=%g: nothing would pass; use a smaller min_val or a larger "
                            "max_val",
                            a->min_val, a->max_val);
    return ln_infer_same(node, error);
}

static void bounds(const ln_node *node, double *low, double *high) {
    const hardtanh_args *const a = (const void *)node->args;
    *low = a->min_val;
    *high = a->max_val;
}

static const ln_attr attrs[] = {
    {.key = "min_val",
     .type = LN_ATTR_FLOAT,
     .offset = offsetof(hardtanh_args, min_val),
     .positional = true,
     .preset = -1,
     .low = -1e30,
     .high = 1e30,
     .help = "the smallest output"},
    {.key = "max_val",
     .type = LN_ATTR_FLOAT,
     .offset = offsetof(hardtanh_args, max_val),
     .positional = true,
     .preset = 1,
     .low = -1e30,
     .high = 1e30,
     .help = "the largest output"},
    {0},
};

const ln_op ln_op_hardtanh = {
    .name = "hardtanh",
    .help = "x, kept between min_val and max_val",
    .attrs = attrs,
    .args_size = sizeof(hardtanh_args),
    .traits = LN_LOCAL | LN_IN_PLACE | LN_KINKS,
    .n_inputs = 1,
    .infer = infer,
    .bounds = bounds,
};

#else

/* a: min_val, b: max_val */
static splats splats_of(const ln_node *node) {
    const hardtanh_args *const args = (const void *)node->args;
    return (splats){.a = v_splat((real)args->min_val), .b = v_splat((real)args->max_val)};
}

LN_INLINE vec value(vec x, splats k) { return v_max(k.a, v_min(k.b, x)); }

LN_INLINE vmask passes(vec x, splats k) { return mask_not(mask_or(v_le(x, k.a), v_ge(x, k.b))); }

LN_INLINE vec blocked(vec dy, splats k) {
    (void)dy, (void)k;
    return v_zero();
}

static void forward(const ln_task *t) { activation_forward_bits(t, value, passes, splats_of(t->node)); }
static void dinput(const ln_task *t) { activation_dinput_bits(t, blocked, splats_of(t->node)); }

const ln_kernel LN_KERNEL(hardtanh) = {
    .prepare = activation_prepare_bits, .forward = {{.run = forward}}, .dinput = {{.run = dinput}}};
#endif
