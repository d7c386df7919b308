/* The table of one instruction set: a kernel for every op, and the loops that belong to no op. */
#ifndef LN_KERNEL_KERNELS_H
#define LN_KERNEL_KERNELS_H

#include "base/cpu.h"
#include "kernel/pixels.h"
#include "op/op.h"
#include "optim/optim.h"

/* Sixteen images of one block, laid into lanes: value = pixel * factor + offset, one fma each.
 * Pixels are uint8 or float32 rows of count values; lane l takes rows[l]. */
typedef struct ln_fill { const void *const *rows; bool is_float; size_t count; double factor, offset; } ln_fill;

typedef struct ln_kernels {
    ln_isa           isa;
    size_t           element;            /* sizeof(real) */
    const ln_kernel *op[LN_OP_COUNT];
    void (*update[LN_OPTIMIZER_COUNT])(const ln_update *update);
    void (*fill)(const ln_fill *fill, void *lanes_out);
    /* The same for one image, as floats: rows[0] alone. */
    void (*fill_planar)(const ln_fill *fill, float *out);
    /* lanes → n × count floats by image, for the first n lanes. */
    void (*unlane)(const void *lanes_in, size_t count, size_t n, float *const *rows);
    /* out[i] = ((p[0][i] + p[1][i]) + p[2][i]) + …, i in [lo, hi): partial gradients of blocks, in order. */
    void (*sum_partials)(const void *partials, size_t n, size_t stride, void *out, size_t lo, size_t hi);
    /* The sum of x[lo, hi)'s squares: element lo + i in lane i % 16, in order, then lanes_sum. */
    double (*sum_squares)(const void *x, size_t lo, size_t hi);
    /* average[i] += share · (x[i] - average[i]), i in [lo, hi), one fma each. */
    void (*approach)(void *average, const void *x, double share, size_t lo, size_t hi);
    /* False when any of x[lo, hi) is NaN, or too large to be a gradient (v_find_unfit). */
    bool (*all_finite)(const void *x, size_t lo, size_t hi);
    /* n lanes, n a multiple of 4; what reading and writing them costs. */
    void (*copy)(void *to, const void *from, size_t n);
    /* Seconds-long chain-free fmas: n_rounds of a fixed number; returns the floating-point operations done. */
    double (*fma_rounds)(size_t n_rounds);
    const ln_pixels *pixels; /* NULL for f64 */
} ln_kernels;

/* The table, or NULL when it is not compiled in. LN_ISA_PLAIN gives the variant without fma where the processor has
 * none. */
const ln_kernels *ln_kernels_of(ln_isa isa);

#endif
