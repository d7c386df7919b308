/* What the activations share: the walk over blocks, channels, rows and lanes.
 *
 *   y = f(x), dx = dy · f'(x), value by value
 *
 * An activation states f and its slope as functions of one vector; these loops call them, always inlined, with what
 * they need of the arguments splat before the loop. There are two kinds:
 * - curved ones, whose slope is found again in the backward pass from y (LN_NEEDS_OUT) or from x (LN_NEEDS_IN);
 * - those of straight pieces, of which one bit a value is kept: whether dy passes as it is (LN_KINKS).
 * A curved one that has a kink (LN_KINKS too) keeps bits in f64 alone, for `check`. */
#ifndef LN_OP_ACTIVATION_H
#define LN_OP_ACTIVATION_H

#include "op/op.h"

#ifndef LN_DESCRIPTOR
#include "kernel/kernel.h"

/* What an activation's functions want to know of its arguments, in whatever order its file says. */
typedef struct splats { vec a, b, c; } splats;

LN_INLINE splats no_splats(void) { return (splats){v_zero(), v_zero(), v_zero()}; }

/* -------------------------------------------------------------- curved ones */

LN_INLINE void activation_forward(const ln_task *t, vec (*value)(vec x, splats k), splats k) {
    const size_t w = t->node->out.w;
    LN_FOR_ROWS(t, b, c, h) {
        const lanes *x = view_row(&t->in[0], b, c, h);
        lanes       *y = view_row(&t->out, b, c, h);
        for (size_t i = 0; i < w; i++)
            for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) v_store(y[i].of + p, value(v_load(x[i].of + p), k));
    }
}

LN_INLINE void activation_pass(const ln_task *t, const ln_view *from, vec (*slope)(vec v, splats k), splats k,
                               bool adds) {
    const size_t w = t->node->out.w;
    LN_FOR_ROWS(t, b, c, h) {
        const lanes *v = view_row(from, b, c, h), *dy = view_row(&t->dout, b, c, h);
        lanes       *dx = view_row(&t->din[0], b, c, h);
        for (size_t i = 0; i < w; i++)
            for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
                const vec passed = v_mul(v_load(dy[i].of + p), slope(v_load(v[i].of + p), k));
                v_store(dx[i].of + p, adds ? v_add(v_load(dx[i].of + p), passed) : passed);
            }
    }
}

/* from is what slope is a function of: &t->out or &t->in[0]. */
LN_INLINE void activation_dinput(const ln_task *t, const ln_view *from, vec (*slope)(vec v, splats k), splats k) {
    if (t->write[0] == LN_ADD) activation_pass(t, from, slope, k, true);
    else if (t->write[0] == LN_SET) activation_pass(t, from, slope, k, false);
}

/* ------------------------------------------------------- of straight pieces */

static inline void activation_prepare_bits(const ln_node *node, ln_need *need) {
    if (need->training) need->saved = ln_shape_count(node->out) * sizeof(uint16_t);
}

static inline uint16_t *activation_bits(const ln_task *t, size_t block, size_t c, size_t h) {
    const ln_shape s = t->node->out;
    return (uint16_t *)(void *)(t->saved + block * t->saved_stride) + (c * s.h + h) * s.w;
}

/* A row of w values; bits may be NULL. */
LN_INLINE void activation_row_bits(const lanes *x, lanes *y, uint16_t *bits, size_t w, vec (*value)(vec x, splats k),
                                   vmask (*passes)(vec x, splats k), splats k) {
    for (size_t i = 0; i < w; i++) {
        unsigned set = 0;
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            const vec v = v_load(x[i].of + p);
            v_store(y[i].of + p, value(v, k));
            if (bits) set |= mask_bits(passes(v, k)) << p;
        }
        if (bits) bits[i] = (uint16_t)set;
    }
}

LN_INLINE void activation_forward_bits(const ln_task *t, vec (*value)(vec x, splats k),
                                       vmask (*passes)(vec x, splats k), splats k) {
    const size_t w = t->node->out.w;
    LN_FOR_ROWS(t, b, c, h) {
        const lanes *x = view_row(&t->in[0], b, c, h);
        lanes       *y = view_row(&t->out, b, c, h);
        if (t->training) activation_row_bits(x, y, activation_bits(t, b, c, h), w, value, passes, k);
        else activation_row_bits(x, y, NULL, w, value, passes, k);
    }
}

LN_INLINE void activation_pass_bits(const ln_task *t, vec (*blocked)(vec dy, splats k), splats k, bool adds) {
    const size_t w = t->node->out.w;
    LN_FOR_ROWS(t, b, c, h) {
        const lanes    *dy = view_row(&t->dout, b, c, h);
        lanes          *dx = view_row(&t->din[0], b, c, h);
        const uint16_t *bits = activation_bits(t, b, c, h);
        for (size_t i = 0; i < w; i++)
            for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
                const vec d = v_load(dy[i].of + p);
                const vec passed = v_select(mask_from_bits((unsigned)bits[i] >> p), d, blocked(d, k));
                v_store(dx[i].of + p, adds ? v_add(v_load(dx[i].of + p), passed) : passed);
            }
    }
}

/* blocked is what comes of dy where its bit is clear. */
LN_INLINE void activation_dinput_bits(const ln_task *t, vec (*blocked)(vec dy, splats k), splats k) {
    if (t->write[0] == LN_ADD) activation_pass_bits(t, blocked, k, true);
    else if (t->write[0] == LN_SET) activation_pass_bits(t, blocked, k, false);
}

/* ------------------------------------------------------ curved, with a kink */

static inline void activation_prepare_kink(const ln_node *node, ln_need *need) {
#ifdef LN_VEC_F64
    activation_prepare_bits(node, need);
#else
    (void)node, (void)need;
#endif
}

/* above tells on which side of the kink x lies. */
LN_INLINE void activation_forward_kink(const ln_task *t, vec (*value)(vec x, splats k),
                                       vmask (*above)(vec x, splats k), splats k) {
#ifdef LN_VEC_F64
    activation_forward_bits(t, value, above, k);
#else
    (void)above;
    activation_forward(t, value, k);
#endif
}

#endif
#endif
