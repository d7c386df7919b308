/* dropout: values become 0 with probability p, all others are multiplied by 1/(1 - p)
 *
 * Shapes    x c×h×w → y c×h×w
 * Forward   y = m · x, m drawn for each value, image and step as drop.h says; in prediction y = x
 * Backward  dx = m · dy
 * A product, not a choice: NaN stays NaN where it is dropped too, as in PyTorch. */
#include "op/drop.h"

#ifdef LN_DESCRIPTOR

static const ln_attr attrs[] = DROP_ATTRS("share of the values that become 0 in training");

const ln_op ln_op_dropout = {
    .name = "dropout",
    .help = "zeros for some values, at random, in training",
    .attrs = attrs,
    .args_size = sizeof(drop_args),
    .traits = LN_LOCAL | LN_IN_PLACE | LN_RANDOM,
    .n_inputs = 1,
    .infer = ln_infer_same,
};

#else

static void prepare(const ln_node *node, ln_need *need) {
    if (need->training) need->saved = ln_shape_count(node->out) * sizeof(uint16_t);
}

/* Values are numbered in the order of memory, so rows that follow each other are one range. */
static void draw(const ln_task *t) {
    const drop_rule rule = drop_rule_of(t);
    const ln_shape  s = t->node->out;
    const bool      all = t->h_lo == 0 && t->h_hi == s.h;
    for (size_t b = 0; b < t->n_blocks; b++)
        for (size_t c = t->c_lo; c < (all ? t->c_lo + 1 : t->c_hi); c++)
            drop_range(t, &rule, b, (c * s.h + t->h_lo) * s.w, ((all ? t->c_hi - 1 : c) * s.h + t->h_hi) * s.w);
}

LN_INLINE void pass(const ln_task *t, const ln_view *from, const ln_view *to, bool adds) {
    const ln_shape s = t->node->out;
    const vec      scale = drop_scale(t);
    LN_FOR_ROWS(t, b, c, h)
        drop_row(view_row(from, b, c, h), view_row(to, b, c, h), drop_bits(t, b) + (c * s.h + h) * s.w, 1, s.w, scale,
                 adds);
}

static void forward(const ln_task *t) {
    if (!t->training) {
        drop_copy(t);
        return;
    }
    draw(t);
    pass(t, &t->in[0], &t->out, false);
}

static void dinput(const ln_task *t) {
    if (t->write[0] == LN_ADD) pass(t, &t->dout, &t->din[0], true);
    else if (t->write[0] == LN_SET) pass(t, &t->dout, &t->din[0], false);
}

const ln_kernel LN_KERNEL(dropout) = {.prepare = prepare, .forward = {{.run = forward}}, .dinput = {{.run = dinput}}};
#endif
