/* add: y = a + b, two tensors of the same shape (the join of a residual network)
 *
 * Forward   y = a + b
 * Backward  da = dy, db = dy; both may be the same tensor, which then gets dy twice (set, then added).
 * Source: He et al., "Deep residual learning for image recognition", 2015. */
#include "op/op.h"

typedef struct add_args {
    char with[LN_NAME];
} add_args;

#ifdef LN_DESCRIPTOR

static ln_status infer(ln_node *node, ln_error *error) {
    const ln_shape a = node->in[0], b = node->in[1];
    if (a.c != b.c || a.h != b.h || a.w != b.w)
        return ln_fail_node(error, LN_E_SHAPE, node,
                            "the inputs are %zux%zux%zu and %zux%zux%zu (\"%s\"), but must have the same shape: change "
                            "the layers before them, or join other ones",
                            a.c, a.h, a.w, b.c, b.h, b.w, ((const add_args *)(const void *)node->args)->with);
    node->out = a;
    return LN_OK;
}

static const ln_attr attrs[] = {{.key = "with",
                                 .type = LN_ATTR_NAME,
                                 .offset = offsetof(add_args, with),
                                 .required = true,
                                 .positional = true,
                                 .help = "the layer whose output is added"},
                                {0}};

const ln_op ln_op_add = {
    .name = "add",
    .help = "sum of two layers' outputs",
    .attrs = attrs,
    .args_size = sizeof(add_args),
    .traits = LN_LOCAL | LN_IN_PLACE,
    .n_inputs = 2,
    .infer = infer,
};

#else
#include "kernel/kernel.h"

static void forward(const ln_task *t) {
    const size_t w = t->node->out.w;
    LN_FOR_ROWS(t, b, c, h) {
        const lanes *one = view_row(&t->in[0], b, c, h), *other = view_row(&t->in[1], b, c, h);
        lanes       *y = view_row(&t->out, b, c, h);
        for (size_t i = 0; i < w; i++)
            for (size_t p = 0; p < LN_LANES; p += LN_WIDTH)
                v_store(y[i].of + p, v_add(v_load(one[i].of + p), v_load(other[i].of + p)));
    }
}

static void pass(const ln_task *t, size_t input) {
    const size_t w = t->node->out.w;
    const bool   adds = t->write[input] == LN_ADD;
    LN_FOR_ROWS(t, b, c, h) {
        const lanes *dy = view_row(&t->dout, b, c, h);
        lanes       *dx = view_row(&t->din[input], b, c, h);
        if (dx == dy && !adds) continue; /* in place */
        for (size_t i = 0; i < w; i++)
            for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
                const vec value = v_load(dy[i].of + p);
                v_store(dx[i].of + p, adds ? v_add(v_load(dx[i].of + p), value) : value);
            }
    }
}

static void dinput(const ln_task *t) {
    for (size_t input = 0; input < 2; input++)
        if (t->write[input] != LN_SKIP) pass(t, input);
}

const ln_kernel LN_KERNEL(add) = {.forward = {{.run = forward}}, .dinput = {{.run = dinput}}};
#endif
