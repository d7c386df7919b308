/* gelu: y = x · Φ(x), where Φ is the share of a standard normal below x
 *
 * approximate=none
 *   Forward   y = x·Φ(x) with Φ(x) = (1 + erf(x / √2)) / 2 (kernel/vmath.h)
 *   Backward  dx = dy · (Φ(x) + x·φ(x)) with φ(x) = exp(-x²/2) / √(2π)
 * approximate=tanh, in which (1 + tanh u) / 2 = sigmoid(2u)
 *   Forward   y = x·s with s = sigmoid(2u), 2u = 2·√(2/π) · (x + 0.044715 x³)
 *   Backward  dx = dy · (s + x·s·(1 - s)·2u'), 2u' = 2·√(2/π) · (1 + 3·0.044715 x²)
 * NaN stays NaN, -infinity gives NaN.
 * Source: Hendrycks and Gimpel, "Gaussian error linear units", 2016. */
#include "op/activation.h"

typedef struct gelu_args {
    int approximate;
} gelu_args;
enum { APPROXIMATE_NONE, APPROXIMATE_TANH };

#ifdef LN_DESCRIPTOR

static const char *const ways[] = {"none", "tanh", NULL};

static const ln_attr attrs[] = {
    {.key = "approximate",
     .type = LN_ATTR_CHOICE,
     .offset = offsetof(gelu_args, approximate),
     .preset = APPROXIMATE_NONE,
     .choices = ways,
     .help = "none: the normal distribution itself; tanh: a formula near it"},
    {0},
};

const ln_op ln_op_gelu = {
    .name = "gelu",
    .help = "x times the share of a standard normal below x",
    .attrs = attrs,
    .args_size = sizeof(gelu_args),
    .traits = LN_LOCAL | LN_IN_PLACE | LN_NEEDS_IN,
    .n_inputs = 1,
    .infer = ln_infer_same,
};

#else
#include "kernel/vmath.h"

/* 2·√(2/π), and that times 0.044715 */
static const double line = 1.5957691216057308, cube = 0.07135481627260025;

static bool by_tanh(const ln_node *node) {
    const gelu_args *const args = (const void *)node->args;
    return args->approximate == APPROXIMATE_TANH;
}

LN_INLINE vec value(vec x, splats k) {
    (void)k;
    vec density;
    return v_mul(x, v_normal(x, &density));
}

LN_INLINE vec slope(vec x, splats k) {
    (void)k;
    vec       density;
    const vec below = v_normal(x, &density);
    return v_fma(x, density, below);
}

LN_INLINE vec tanh_share(vec x, vec x2) {
    return v_sigmoid(v_mul(x, v_fma(x2, v_splat((real)cube), v_splat((real)line))));
}

LN_INLINE vec tanh_value(vec x, splats k) {
    (void)k;
    return v_mul(x, tanh_share(x, v_mul(x, x)));
}

LN_INLINE vec tanh_slope(vec x, splats k) {
    (void)k;
    const vec x2 = v_mul(x, x), s = tanh_share(x, x2);
    const vec steep = v_fma(x2, v_splat((real)(3 * cube)), v_splat((real)line));
    return v_fma(v_mul(v_mul(x, s), v_sub(v_splat(1), s)), steep, s);
}

static void forward(const ln_task *t) {
    if (by_tanh(t->node)) activation_forward(t, tanh_value, no_splats());
    else activation_forward(t, value, no_splats());
}

static void dinput(const ln_task *t) {
    if (by_tanh(t->node)) activation_dinput(t, &t->in[0], tanh_slope, no_splats());
    else activation_dinput(t, &t->in[0], slope, no_splats());
}

const ln_kernel LN_KERNEL(gelu) = {.forward = {{.run = forward}}, .dinput = {{.run = dinput}}};
#endif
