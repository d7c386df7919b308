/* What every kernel half includes: the vector, views, and the names that depend on the instruction set.
 * The build defines LN_ISA_NAME (plain, nofma, avx2, avx512, neon, f64) for each compilation of the file. */
#ifndef LN_KERNEL_KERNEL_H
#define LN_KERNEL_KERNEL_H

#include "kernel/vec.h"
#include "op/op.h"

#define LN_PASTE2(a, b, c) a##b##_##c
#define LN_PASTE(a, b, c) LN_PASTE2(a, b, c)
#define LN_KERNEL(name) LN_PASTE(ln_kernel_, name, LN_ISA_NAME) /* the op's table for this instruction set */

static inline lanes *view_row(const ln_view *v, size_t block, size_t c, size_t h) {
    return (lanes *)v->data + block * v->block + (c - v->c0) * v->channel + (h - v->h0) * v->row;
}

/* One image at a time: refuses the model's input, whose channels are no lanes. */
static inline const char *refuse_planar(const ln_node *node) {
    return node->input[0] < 0 ? "its input is the model's" : NULL;
}

/* found, or NaN once value is NaN or becomes infinite when multiplied by 2^28: a gradient that large would make a
 * weight infinite in the update. */
LN_INLINE vec v_find_unfit(vec value, vec found) {
    return v_fma(v_mul(value, v_splat((real)(1 << 28))), v_zero(), found);
}

/* Every (block, channel, row) of the task's range. */
#define LN_FOR_ROWS(t, b, c, h)                          \
    for (size_t b = 0; b < (t)->n_blocks; b++)           \
        for (size_t c = (t)->c_lo; c < (t)->c_hi; c++)   \
            for (size_t h = (t)->h_lo; h < (t)->h_hi; h++)

#endif
