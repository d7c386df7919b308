/* concat: y = the channels of a, then those of b, two tensors of the same height and width (a dense network's join)
 *
 * Shapes    a ca×h×w, b cb×h×w → y (ca + cb)×h×w
 * Forward   y[c] = a[c] for c < ca, b[c - ca] elsewhere
 * Backward  da[c] = dy[c], db[c] = dy[ca + c]; both may be the same tensor (the first is set, the second added).
 * Source: Huang et al., "Densely connected convolutional networks", 2017; torch.cat(…, dim=1). */
#include "op/op.h"

typedef struct concat_args {
    char with[LN_NAME];
} concat_args;

#ifdef LN_DESCRIPTOR

static ln_status infer(ln_node *node, ln_error *error) {
    const ln_shape a = node->in[0], b = node->in[1], out = {a.c + b.c, a.h, a.w};
    size_t         count;
    if (a.h != b.h || a.w != b.w)
        return ln_fail_node(error, LN_E_SHAPE, node,
                            "the inputs are %zux%zux%zu and %zux%zux%zu (\"%s\"), but must have the same height and "
                            "width: change strides or padding of the layers before them, or join other ones",
                            a.c, a.h, a.w, b.c, b.h, b.w, ((const concat_args *)(const void *)node->args)->with);
    if (!ln_multiply(out.c, out.h, &count) || !ln_multiply(count, out.w, &count) || count > (size_t)1 << 31)
        return ln_fail_node(error, LN_E_SHAPE, node,
                            "the output %zux%zux%zu is more than 2^31 values; join smaller ones", out.c, out.h, out.w);
    node->out = out;
    return LN_OK;
}

static const ln_attr attrs[] = {{.key = "with",
                                 .type = LN_ATTR_NAME,
                                 .offset = offsetof(concat_args, with),
                                 .required = true,
                                 .positional = true,
                                 .help = "the layer whose channels come behind"},
                                {0}};

const ln_op ln_op_concat = {
    .name = "concat",
    .help = "channels of two layers' outputs, one behind the other",
    .attrs = attrs,
    .args_size = sizeof(concat_args),
    .n_inputs = 2,
    .infer = infer,
};

#else
#include "kernel/kernel.h"

LN_INLINE void copy_row(const lanes *from, lanes *to, size_t w, bool adds) {
    for (size_t i = 0; i < w; i++)
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            const vec value = v_load(from[i].of + p);
            v_store(to[i].of + p, adds ? v_add(v_load(to[i].of + p), value) : value);
        }
}

static void forward(const ln_task *t) {
    const size_t ca = t->node->in[0].c;
    LN_FOR_ROWS(t, b, c, h) {
        const lanes *from = c < ca ? view_row(&t->in[0], b, c, h) : view_row(&t->in[1], b, c - ca, h);
        copy_row(from, view_row(&t->out, b, c, h), t->node->out.w, false);
    }
}

/* All of one input's gradient, which begins at channel first of dy. */
static void pass(const ln_task *t, size_t input, size_t first) {
    const ln_shape s = t->node->in[input];
    for (size_t b = 0; b < t->n_blocks; b++)
        for (size_t c = 0; c < s.c; c++)
            for (size_t h = 0; h < s.h; h++)
                copy_row(view_row(&t->dout, b, first + c, h), view_row(&t->din[input], b, c, h), s.w,
                         t->write[input] == LN_ADD);
}

static void dinput(const ln_task *t) {
    if (t->write[0] != LN_SKIP) pass(t, 0, 0);
    if (t->write[1] != LN_SKIP) pass(t, 1, t->node->in[0].c);
}

/* ------------------------------------------------------ one image at a time */

static const char *refuse_image(const ln_node *node) {
    return node->input[0] < 0 || node->input[1] < 0 ? "one of its inputs is the model's" : NULL;
}

static void copy_groups(const ln_task *t, size_t input, size_t b, size_t h, size_t first) {
    for (size_t g = 0; g < ln_channel_groups(t->node->in[input].c); g++)
        copy_row(view_row(&t->in[input], b, g, h), view_row(&t->out, b, first + g, h), t->node->out.w, false);
}

/* Where a's last group has room, b's channels move on to other lanes; those behind its last one get zeros. */
static void move_channels(const ln_task *t, size_t b, size_t h) {
    const size_t ca = t->node->in[0].c, last = t->node->out.c - 1, w = t->node->out.w;
    for (size_t c = ca; c <= last; c++) {
        const lanes *const from = view_row(&t->in[1], b, (c - ca) / LN_LANES, h);
        lanes *const       to = view_row(&t->out, b, c / LN_LANES, h);
        for (size_t i = 0; i < w; i++) to[i].of[c % LN_LANES] = from[i].of[(c - ca) % LN_LANES];
    }
    lanes *const to = view_row(&t->out, b, last / LN_LANES, h);
    for (size_t i = 0; i < w; i++)
        for (size_t l = last % LN_LANES + 1; l < LN_LANES; l++) to[i].of[l] = 0;
}

static void run_image(const ln_task *t) {
    const size_t ca = t->node->in[0].c;
    for (size_t b = 0; b < t->n_blocks; b++)
        for (size_t h = 0; h < t->node->out.h; h++) {
            copy_groups(t, 0, b, h, 0);
            if (ca % LN_LANES == 0) copy_groups(t, 1, b, h, ca / LN_LANES);
            else move_channels(t, b, h);
        }
}

const ln_kernel LN_KERNEL(concat) = {
    .image = {.refuse = refuse_image, .run = run_image}, .forward = {{.run = forward}}, .dinput = {{.run = dinput}}};
#endif
