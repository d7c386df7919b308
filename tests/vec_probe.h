/* The operations of kernel/vec.h and kernel/vmath.h on arrays of sixteen, as one table for each instruction set:
 * tests/vec_probe.c is compiled once per float set, with the flags of its kernels, and defines vec_probe_NAME. */
#ifndef LN_TESTS_VEC_PROBE_H
#define LN_TESTS_VEC_PROBE_H

#include <stdint.h>

#define PROBE_UNARY(X) \
    X(neg) X(abs) X(sqrt) X(exp) X(expm1) X(log) X(tanh) X(sigmoid) X(softplus) X(share) X(density) X(sin) X(cos)
#define PROBE_BINARY(X) X(add) X(sub) X(mul) X(div) X(max) X(min) X(pow)
#define PROBE_COMPARE(X) X(lt) X(le) X(gt) X(ge) X(eq)
#define PROBE_INTEGER(X) X(add) X(sub) X(and) X(or) X(xor) X(mul_low) X(mul_high)

#define PROBE_ENUM_U(name) PROBE_##name,
enum { PROBE_UNARY(PROBE_ENUM_U) PROBE_N_UNARY };
#define PROBE_ENUM_B(name) PROBE_B_##name,
enum { PROBE_BINARY(PROBE_ENUM_B) PROBE_N_BINARY };
#define PROBE_ENUM_C(name) PROBE_C_##name,
enum { PROBE_COMPARE(PROBE_ENUM_C) PROBE_N_COMPARE };
#define PROBE_ENUM_I(name) PROBE_I_##name,
enum { PROBE_INTEGER(PROBE_ENUM_I) PROBE_N_INTEGER };

typedef struct vec_probe {
    int width;
    void (*unary[PROBE_N_UNARY])(const float *a, float *out);
    void (*binary[PROBE_N_BINARY])(const float *a, const float *b, float *out);
    unsigned (*compare[PROBE_N_COMPARE])(const float *a, const float *b); /* one bit an element */
    void (*integer[PROBE_N_INTEGER])(const int32_t *a, const int32_t *b, int32_t *out);
    void (*fma)(const float *a, const float *b, const float *c, float *out);
    void (*shift)(const int32_t *a, int n, int32_t *left, int32_t *right, int32_t *right_signed);
    void (*bytes)(const unsigned char *from, int32_t *loaded, unsigned char *stored);
    void (*convert)(const float *a, int32_t *rounded, float *back);
    void (*scale)(const float *a, const float *n, float *out);
    unsigned (*integer_eq)(const int32_t *a, const int32_t *b);
    unsigned (*is_nan)(const float *a);
    unsigned (*masks)(unsigned a, unsigned b); /* not (a and b) or (a and not b), bit by bit */
    void (*select)(unsigned bits, const float *if_set, const float *if_clear, float *out);
    void (*fill)(const float *from, float *splat, float *broadcast, float *zero);
    float (*sum)(const float *aligned16);
    void (*sum16)(const float *aligned256, float *out);
    void (*transpose)(const float *aligned256, float *aligned_out);
} vec_probe;

#endif
