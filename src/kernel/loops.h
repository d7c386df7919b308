/* The loops of kernels.h that belong to no op, for this instruction set. What they do is said there. */
#ifndef LN_KERNEL_LOOPS_H
#define LN_KERNEL_LOOPS_H

#include "kernel/kernel.h"
#include "kernel/kernels.h"

void   LN_PASTE(ln_, fill, LN_ISA_NAME)(const ln_fill *fill, void *lanes_out);
void   LN_PASTE(ln_, fill_planar, LN_ISA_NAME)(const ln_fill *fill, float *out);
void   LN_PASTE(ln_, unlane, LN_ISA_NAME)(const void *lanes_in, size_t count, size_t n, float *const *rows);
#define ln_sum_partials LN_PASTE(ln_, sum_partials, LN_ISA_NAME) /* ops call it, too */
void   ln_sum_partials(const void *partials, size_t n, size_t stride, void *out, size_t lo, size_t hi);
double LN_PASTE(ln_, sum_squares, LN_ISA_NAME)(const void *x, size_t lo, size_t hi);
void   LN_PASTE(ln_, approach, LN_ISA_NAME)(void *average, const void *x, double share, size_t lo, size_t hi);
bool   LN_PASTE(ln_, all_finite, LN_ISA_NAME)(const void *x, size_t lo, size_t hi);
void   LN_PASTE(ln_, copy, LN_ISA_NAME)(void *to, const void *from, size_t n);
double LN_PASTE(ln_, fma_rounds, LN_ISA_NAME)(size_t n_rounds);

#endif
