/* See tests/vec_probe.h. */
#include "vec_probe.h"

#include "kernel/vmath.h"

#define EACH for (int i = 0; i < 16; i += LN_WIDTH)

/* The two results of v_normal. */
LN_INLINE vec v_share(vec x) {
    vec density;
    return v_normal(x, &density);
}
LN_INLINE vec v_density(vec x) {
    vec density;
    (void)v_normal(x, &density);
    return density;
}

#define UNARY(name) \
    static void unary_##name(const float *a, float *out) { EACH v_store(out + i, v_##name(v_load(a + i))); }
PROBE_UNARY(UNARY)
#define BINARY(name)                                                        \
    static void binary_##name(const float *a, const float *b, float *out) { \
        EACH v_store(out + i, v_##name(v_load(a + i), v_load(b + i)));      \
    }
PROBE_BINARY(BINARY)
#define COMPARE(name)                                                            \
    static unsigned compare_##name(const float *a, const float *b) {             \
        unsigned bits = 0;                                                       \
        EACH     bits |= mask_bits(v_##name(v_load(a + i), v_load(b + i))) << i; \
        return bits;                                                             \
    }
PROBE_COMPARE(COMPARE)
#define INTEGER(name)                                                              \
    static void integer_##name(const int32_t *a, const int32_t *b, int32_t *out) { \
        EACH vi_store(out + i, vi_##name(vi_load(a + i), vi_load(b + i)));         \
    }
PROBE_INTEGER(INTEGER)

static void fma_of(const float *a, const float *b, const float *c, float *out) {
    EACH v_store(out + i, v_fma(v_load(a + i), v_load(b + i), v_load(c + i)));
}

static void shift(const int32_t *a, int n, int32_t *left, int32_t *right, int32_t *right_signed) {
    EACH {
        const vint x = vi_load(a + i);
        vi_store(left + i, vi_shift_left(x, n));
        vi_store(right + i, vi_shift_right(x, n));
        vi_store(right_signed + i, vi_shift_right_signed(x, n));
    }
}

static void bytes(const unsigned char *from, int32_t *loaded, unsigned char *stored) {
    EACH {
        const vint x = vi_load_bytes(from + i);
        vi_store(loaded + i, x);
        vi_store_bytes(stored + i, x);
    }
}

static void convert(const float *a, int32_t *rounded, float *back) {
    EACH {
        const vint x = v_round_int(v_load(a + i));
        vi_store(rounded + i, x);
        v_store(back + i, v_from_bits(v_bits(vi_to_real(x))));
    }
}

static void scale(const float *a, const float *n, float *out) {
    EACH v_store(out + i, v_scale(v_load(a + i), v_load(n + i)));
}

static unsigned integer_eq(const int32_t *a, const int32_t *b) {
    unsigned bits = 0;
    EACH     bits |= mask_bits(vi_eq(vi_load(a + i), vi_load(b + i))) << i;
    return bits;
}

static unsigned is_nan(const float *a) {
    unsigned bits = 0;
    EACH     bits |= mask_bits(v_is_nan(v_load(a + i))) << i;
    return bits;
}

static unsigned masks(unsigned a, unsigned b) {
    unsigned bits = 0;
    EACH {
        const vmask x = mask_from_bits(a >> i), y = mask_from_bits(b >> i);
        bits |= mask_bits(mask_or(mask_not(mask_and(x, y)), mask_and(x, mask_not(y)))) << i;
    }
    return bits;
}

static void choose(unsigned bits, const float *if_set, const float *if_clear, float *out) {
    EACH v_store(out + i, v_select(mask_from_bits(bits >> i), v_load(if_set + i), v_load(if_clear + i)));
}

static void fill(const float *from, float *splat, float *broadcast, float *zero) {
    EACH {
        v_store(splat + i, v_splat(*from));
        v_store(broadcast + i, v_broadcast(from));
        v_store(zero + i, v_zero());
    }
}

static float sum(const float *x) { return lanes_sum((const lanes *)(const void *)x); }
static void  sum16(const float *x, float *out) { lanes_sum16((const lanes *)(const void *)x, out); }
static void  transpose(const float *x, float *out) {
     lanes_transpose16((const lanes *)(const void *)x, (lanes *)(void *)out);
}

#define PASTE2(a, b) a##b
#define PASTE(a, b) PASTE2(a, b)
#define U_ROW(name) unary_##name,
#define B_ROW(name) binary_##name,
#define C_ROW(name) compare_##name,
#define I_ROW(name) integer_##name,
extern const vec_probe PASTE(vec_probe_, LN_ISA_NAME);
const vec_probe        PASTE(vec_probe_, LN_ISA_NAME) = {
           .width = LN_WIDTH,
           .unary = {PROBE_UNARY(U_ROW)},
           .binary = {PROBE_BINARY(B_ROW)},
           .compare = {PROBE_COMPARE(C_ROW)},
           .integer = {PROBE_INTEGER(I_ROW)},
           .fma = fma_of,
           .shift = shift,
           .bytes = bytes,
           .convert = convert,
           .scale = scale,
           .integer_eq = integer_eq,
           .is_nan = is_nan,
           .masks = masks,
           .select = choose,
           .fill = fill,
           .sum = sum,
           .sum16 = sum16,
           .transpose = transpose,
};
