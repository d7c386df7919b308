/* The table of one instruction set, gathered from ops.def, optimizers.def and loops.h. */
#include "kernel/kernels.h"

#include "kernel/kernel.h"
#include "kernel/loops.h"

#if defined(LN_VEC_AVX512)
#define ISA LN_ISA_AVX512
#elif defined(LN_VEC_AVX2)
#define ISA LN_ISA_AVX2
#elif defined(LN_VEC_NEON)
#define ISA LN_ISA_NEON
#elif defined(LN_VEC_F64)
#define ISA LN_ISA_F64
#else
#define ISA LN_ISA_PLAIN
#endif

#define LN_OP(name) extern const ln_kernel LN_KERNEL(name);
#include "op/ops.def"
#undef LN_OP
#define LN_OPTIMIZER(name) void LN_PASTE(ln_update_, name, LN_ISA_NAME)(const ln_update *update);
#include "optim/optimizers.def"
#undef LN_OPTIMIZER
#ifndef LN_VEC_F64
extern const ln_pixels LN_PASTE(ln_, pixels, LN_ISA_NAME);
#endif

extern const ln_kernels LN_PASTE(ln_, table, LN_ISA_NAME);

const ln_kernels LN_PASTE(ln_, table, LN_ISA_NAME) = {
    .isa = ISA,
    .element = sizeof(real),
#define LN_OP(name) .op[LN_OP_##name] = &LN_KERNEL(name),
#include "op/ops.def"
#undef LN_OP
#define LN_OPTIMIZER(name) .update[LN_OPTIMIZER_##name] = LN_PASTE(ln_update_, name, LN_ISA_NAME),
#include "optim/optimizers.def"
#undef LN_OPTIMIZER
    .fill = LN_PASTE(ln_, fill, LN_ISA_NAME),
    .fill_planar = LN_PASTE(ln_, fill_planar, LN_ISA_NAME),
    .unlane = LN_PASTE(ln_, unlane, LN_ISA_NAME),
    .sum_partials = ln_sum_partials,
    .sum_squares = LN_PASTE(ln_, sum_squares, LN_ISA_NAME),
    .approach = LN_PASTE(ln_, approach, LN_ISA_NAME),
    .all_finite = LN_PASTE(ln_, all_finite, LN_ISA_NAME),
    .copy = LN_PASTE(ln_, copy, LN_ISA_NAME),
    .fma_rounds = LN_PASTE(ln_, fma_rounds, LN_ISA_NAME),
#ifndef LN_VEC_F64
    .pixels = &LN_PASTE(ln_, pixels, LN_ISA_NAME),
#endif
};
