/* softplus: y = log(1 + exp(beta · x)) / beta, a smooth relu
 *
 * Forward   y = x where β·x > threshold, log(1 + exp(β·x)) / β elsewhere (kernel/vmath.h); NaN stays NaN.
 * Backward  dx = dy where β·x > threshold, dy · sigmoid(β·x) elsewhere.
 * y jumps at the threshold, by 2e-9 / β where it is 20.
 * Source: Dugas et al., "Incorporating second-order functional knowledge for better option pricing", 2001;
 * torch.nn.Softplus, whence the threshold: our own log(1 + exp(x)) does not overflow and needs none. */
#include "op/activation.h"

typedef struct softplus_args {
    double beta, threshold;
} softplus_args;

#ifdef LN_DESCRIPTOR

static const ln_attr attrs[] = {
    {.key = "beta",
     .type = LN_ATTR_FLOAT,
     .offset = offsetof(softplus_args, beta),
     .positional = true,
     .preset = 1,
     .low = 1e-3,
     .high = 1e3,
     .help = "how sharp the bend at 0 is"},
    {.key = "threshold",
     .type = LN_ATTR_FLOAT,
     .offset = offsetof(softplus_args, threshold),
     .positional = true,
     .preset = 20,
     .low = 0,
     .high = 1e6,
     .help = "where beta * x is above it, y is x"},
    {0},
};

const ln_op ln_op_softplus = {
    .name = "softplus",
    .help = "log(1 + exp(beta * x)) / beta",
    .attrs = attrs,
    .args_size = sizeof(softplus_args),
    .traits = LN_LOCAL | LN_IN_PLACE | LN_NEEDS_IN | LN_KINKS,
    .low = 0,
    .high = __builtin_inf(),
    .n_inputs = 1,
    .infer = ln_infer_same,
};

#else
#include "kernel/vmath.h"

/* a: beta, b: 1 / beta, c: threshold */
static splats splats_of(const ln_node *node) {
    const softplus_args *const args = (const void *)node->args;
    return (splats){v_splat((real)args->beta), v_splat((real)(1 / args->beta)), v_splat((real)args->threshold)};
}

LN_INLINE vmask above(vec x, splats k) { return v_gt(v_mul(k.a, x), k.c); }

LN_INLINE vec value(vec x, splats k) { return v_select(above(x, k), x, v_mul(k.b, v_softplus(v_mul(k.a, x)))); }

LN_INLINE vec slope(vec x, splats k) { return v_select(above(x, k), v_splat(1), v_sigmoid(v_mul(k.a, x))); }

static void forward(const ln_task *t) { activation_forward_kink(t, value, above, splats_of(t->node)); }
static void dinput(const ln_task *t) { activation_dinput(t, &t->in[0], slope, splats_of(t->node)); }

const ln_kernel LN_KERNEL(softplus) = {
    .prepare = activation_prepare_kink, .forward = {{.run = forward}}, .dinput = {{.run = dinput}}};
#endif
