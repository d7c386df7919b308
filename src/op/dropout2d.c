/* dropout2d: whole channels become 0 with probability p, all others are multiplied by 1/(1 - p)
 *
 * Shapes    x c×h×w → y c×h×w
 * Forward   y = m · x, m drawn for each channel, image and step as drop.h says; in prediction y = x
 * Backward  dx = m · dy
 * Source: Tompson et al., "Efficient object localization using convolutional networks", 2015; torch.nn.Dropout2d. */
#include "op/drop.h"

#ifdef LN_DESCRIPTOR

static const ln_attr attrs[] = DROP_ATTRS("share of the channels that become 0 in training");

const ln_op ln_op_dropout2d = {
    .name = "dropout2d",
    .help = "zeros for some channels, at random, in training",
    .attrs = attrs,
    .args_size = sizeof(drop_args),
    .traits = LN_LOCAL | LN_IN_PLACE | LN_RANDOM,
    .n_inputs = 1,
    .infer = ln_infer_same,
};

#else

static void prepare(const ln_node *node, ln_need *need) {
    if (need->training) need->saved = node->out.c * sizeof(uint16_t);
}

LN_INLINE void pass(const ln_task *t, const ln_view *from, const ln_view *to, bool adds) {
    const vec scale = drop_scale(t);
    LN_FOR_ROWS(t, b, c, h)
        drop_row(view_row(from, b, c, h), view_row(to, b, c, h), drop_bits(t, b) + c, 0, t->node->out.w, scale, adds);
}

/* Every band of rows draws its channels' bits, the same ones. */
static void forward(const ln_task *t) {
    if (!t->training) {
        drop_copy(t);
        return;
    }
    const drop_rule rule = drop_rule_of(t);
    for (size_t b = 0; b < t->n_blocks; b++) drop_range(t, &rule, b, t->c_lo, t->c_hi);
    pass(t, &t->in[0], &t->out, false);
}

static void dinput(const ln_task *t) {
    if (t->write[0] == LN_ADD) pass(t, &t->dout, &t->din[0], true);
    else if (t->write[0] == LN_SET) pass(t, &t->dout, &t->din[0], false);
}

const ln_kernel LN_KERNEL(dropout2d) = {.prepare = prepare, .forward = {{.run = forward}}, .dinput = {{.run = dinput}}};
#endif
