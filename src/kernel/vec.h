/* The machine's vector, and a value of sixteen images: what every kernel is written in.
 *
 * The build defines one of LN_VEC_AVX512, LN_VEC_AVX2, LN_VEC_NEON, LN_VEC_PLAIN (scalar float; with LN_NOFMA for
 * processors without fused multiply-add) and LN_VEC_F64 (scalar double, for checking gradients).
 *
 * All float sets with fma give the same bits for the same operations, element by element (the payload and sign of a
 * NaN excepted); there is no operation here for which they would differ. That holds for ordinary numbers in the
 * library's floating-point mode, which flushes denormals to zero.
 *
 *   v_zero() v_splat(x) v_load(p) v_store(p, v)   p needs no alignment
 *   v_stream(p, v)        past the caches, p aligned to the vector; v_stream_end() after a thread's last
 *   v_broadcast(p)        *p in every element: a load from memory, one instruction (v_splat(*p) may cost a shuffle)
 *   v_fma(a, b, c)        a·b + c, rounded once (LN_NOFMA and f64: twice)
 *   v_add v_sub v_mul v_div v_sqrt v_neg v_abs
 *   v_max(a, b)           a > b ? a : b, so b where either is NaN or both are zero
 *   v_min(a, b)           a < b ? a : b, likewise
 *   v_lt v_le v_gt v_ge v_eq v_is_nan             comparisons; false where either is NaN
 *   mask_and mask_or mask_not, mask_bits(m)       one bit an element, the first lowest, all others 0
 *   mask_from_bits(bits)                          reads the low LN_WIDTH bits
 *   v_select(m, if_set, if_clear)
 *
 * vint is int32 by element, wrapping on overflow:
 *   vi_splat vi_load vi_store vi_add vi_sub vi_and vi_or vi_xor vi_eq
 *   vi_load_bytes(p), vi_store_bytes(p, i)         unsigned, in memory a byte each; i in 0 to 255
 *   vi_mul_low, vi_mul_high                       halves of the unsigned 64-bit product
 *   vi_shift_left, vi_shift_right (zeros come in), vi_shift_right_signed; by 0 to 31 bits
 *   v_round_int(v)                                nearest, ties to even, for |v| < 2^31
 *   vi_to_real(i), v_bits(v), v_from_bits(i)      the last two for float sets only
 *   v_scale(a, n)         a·2^n, rounded once, for a normal, n a whole number and |n| ≤ 250; float sets only
 *
 * Over sixteen images:
 *   lanes_sum(x)                                  of[i] + of[i+8], then +4, +2, +1: the same bits for every width
 *   lanes_sum16(in, out)                          out[k] = lanes_sum(&in[k])
 *   lanes_transpose16(in, out)                    out[i].of[j] = in[j].of[i]; in and out do not overlap */
#ifndef LN_KERNEL_VEC_H
#define LN_KERNEL_VEC_H

#include <stdint.h>

/* LN_INLINE: its constant arguments become constants of each caller. LN_UNROLL, before a loop whose count is a constant
 * (at most 64): unrolls it wholly, so that arrays indexed by it become registers; nested loops each need their own.
 * LN_ROLLED (builds with sanitizers, and tests' kernels whose speed is of no use) does without both: the same code and
 * bits, compiled in a tenth of the time. */
#ifdef LN_ROLLED
#define LN_INLINE static inline
#define LN_UNROLL
#else
#define LN_INLINE static inline __attribute__((always_inline))
#ifdef __clang__
#define LN_UNROLL _Pragma("clang loop unroll(full)")
#else
#define LN_UNROLL _Pragma("GCC unroll 64")
#endif
#endif

/* Tells the compiler that v may have become anything: it neither foresees nor drops what is done to it, and keeps it in
 * a register where it would read memory again for every use. Costs no instruction. */
#if defined(__x86_64__)
#define LN_KEEP(v) __asm__ volatile("" : "+v"(v))
#elif defined(__aarch64__)
#define LN_KEEP(v) __asm__ volatile("" : "+w"(v))
#else
#define LN_KEEP(v) __asm__ volatile("" : "+m"(v))
#endif

/* Vector registers. */
#if defined(LN_VEC_AVX512) || defined(LN_VEC_NEON)
enum { LN_REGISTERS = 32 };
#else
enum { LN_REGISTERS = 16 };
#endif

#ifdef LN_VEC_F64
typedef double real;
typedef struct lanes { _Alignas(64) real of[16]; } lanes;
#else
typedef float real;
typedef struct lanes { _Alignas(64) real of[16]; } lanes;
#endif

#if defined(LN_VEC_AVX512)
#include "kernel/vec_avx512.h"
#elif defined(LN_VEC_AVX2)
#include "kernel/vec_avx2.h"
#elif defined(LN_VEC_NEON)
#include "kernel/vec_neon.h"
#elif defined(LN_VEC_PLAIN) || defined(LN_VEC_F64)
#include "kernel/vec_plain.h"
#else
#error "define one of LN_VEC_AVX512, LN_VEC_AVX2, LN_VEC_NEON, LN_VEC_PLAIN, LN_VEC_F64"
#endif

#if !defined(LN_VEC_AVX512) && !defined(LN_VEC_F64)
/* 2^i for -126 ≤ i ≤ 127. */
LN_INLINE vec ln_power_of_two(vint i) { return v_from_bits(vi_shift_left(vi_add(i, vi_splat(127)), 23)); }
/* In two steps, as 2^n itself may not be a float; the first is exact. */
LN_INLINE vec v_scale(vec a, vec n) {
    const vint i = v_round_int(n), half = vi_shift_right_signed(i, 1);
    return v_mul(v_mul(a, ln_power_of_two(half)), ln_power_of_two(vi_sub(i, half)));
}
#endif

#endif
