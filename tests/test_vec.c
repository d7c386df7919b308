/* kernel/vec.h: every instruction set against plain C written out here, bit for bit, special values included. */
#include "vec_probes.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define INF INFINITY

static uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* Equal bits, or both NaN (whose sign and payload are nobody's concern). */
static void assert_same(float got, float want) {
    if (isnan(want)) assert_true(isnan(got));
    else assert_int_equal(bits_of(got), bits_of(want));
}

static const float values[16] = {0.0F, -0.0F, 1.0F,  -1.0F, NAN,    INF,       -INF,    1.5F,
                                 2.5F, -2.5F, 3e37F, -0.1F, 1e-20F, 0x1p-126F, FLT_MAX, 16777215.0F};

/* Calls check with every probe, all pairs of values by rotation. */
static void for_probes(void (*check)(const vec_probe *p, const float *a, const float *b)) {
    for (int isa = 0; isa < LN_ISA_COUNT; isa++) {
        const vec_probe *const p = probe_of((ln_isa)isa);
        for (int turn = 0; p && turn < 16; turn++) {
            float b[17];
            for (int i = 0; i < 16; i++) b[i + 1] = values[(i + turn) % 16];
            check(p, values, b + 1); /* not aligned */
        }
    }
}

static void check_arithmetic(const vec_probe *p, const float *a, const float *b) {
    float out[PROBE_N_BINARY][16], fma_out[16], neg[16], absolute[16], root[16];
    for (int k = 0; k < PROBE_B_pow; k++) p->binary[k](a, b, out[k]);
    p->fma(a, b, a, fma_out);
    p->unary[PROBE_neg](a, neg);
    p->unary[PROBE_abs](a, absolute);
    p->unary[PROBE_sqrt](a, root);
    for (int i = 0; i < 16; i++) {
        assert_same(out[PROBE_B_add][i], a[i] + b[i]);
        assert_same(out[PROBE_B_sub][i], a[i] - b[i]);
        assert_same(out[PROBE_B_mul][i], a[i] * b[i]);
        assert_same(out[PROBE_B_div][i], a[i] / b[i]);
        assert_same(out[PROBE_B_max][i], a[i] > b[i] ? a[i] : b[i]);
        assert_same(out[PROBE_B_min][i], a[i] < b[i] ? a[i] : b[i]);
        assert_same(fma_out[i], fmaf(a[i], b[i], a[i]));
        assert_same(neg[i], -a[i]);
        assert_same(absolute[i], fabsf(a[i]));
        assert_same(root[i], sqrtf(a[i]));
    }
}

static void check_comparisons(const vec_probe *p, const float *a, const float *b) {
    const unsigned odd = 0xa5c3u;
    float          chosen[16];
    p->select(odd, a, b, chosen);
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(p->compare[PROBE_C_lt](a, b) >> i & 1, a[i] < b[i]);
        assert_int_equal(p->compare[PROBE_C_le](a, b) >> i & 1, a[i] <= b[i]);
        assert_int_equal(p->compare[PROBE_C_gt](a, b) >> i & 1, a[i] > b[i]);
        assert_int_equal(p->compare[PROBE_C_ge](a, b) >> i & 1, a[i] >= b[i]);
        assert_int_equal(p->compare[PROBE_C_eq](a, b) >> i & 1, a[i] == b[i]);
        assert_int_equal(p->is_nan(a) >> i & 1, isnan(a[i]) != 0);
        assert_same(chosen[i], odd >> i & 1 ? a[i] : b[i]);
    }
    assert_int_equal(p->is_nan(a) >> 16, 0);
    const unsigned x = bits_of(b[0]) >> 16, y = bits_of(b[3]) >> 16 ^ 0x5a5au; /* any bits */
    assert_int_equal(p->masks(x, y), (~(x & y) | (x & ~y)) & 0xffffu);
}

static void check_integers(const vec_probe *p, const float *a, const float *b) {
    int32_t x[16], y[16], out[PROBE_N_INTEGER][16], left[16], right[16], right_signed[16];
    memcpy(x, a, sizeof x);
    memcpy(y, b, sizeof y);
    x[3] = y[3];
    for (int k = 0; k < PROBE_N_INTEGER; k++) p->integer[k](x, y, out[k]);
    const int n = x[0] & 1 ? 0 : 31 & y[5] >> 20;
    p->shift(x, n, left, right, right_signed);
    for (int i = 0; i < 16; i++) {
        const uint32_t u = (uint32_t)x[i], v = (uint32_t)y[i];
        assert_int_equal((uint32_t)out[PROBE_I_add][i], (uint32_t)(u + v));
        assert_int_equal((uint32_t)out[PROBE_I_sub][i], (uint32_t)(u - v));
        assert_int_equal((uint32_t)out[PROBE_I_and][i], u & v);
        assert_int_equal((uint32_t)out[PROBE_I_or][i], u | v);
        assert_int_equal((uint32_t)out[PROBE_I_xor][i], u ^ v);
        assert_int_equal((uint32_t)out[PROBE_I_mul_low][i], (uint32_t)(u * v));
        assert_int_equal((uint32_t)out[PROBE_I_mul_high][i], (uint32_t)((uint64_t)u * v >> 32));
        assert_int_equal((uint32_t)left[i], (uint32_t)(u << n));
        assert_int_equal((uint32_t)right[i], u >> n);
        assert_int_equal(right_signed[i], x[i] >> n);
        assert_int_equal(p->integer_eq(x, y) >> i & 1, u == v);
    }
}

static void check_conversions(const vec_probe *p, const float *a, const float *b) {
    const float         x[16] = {0.5F, 1.5F,  2.5F,       -0.5F, -1.5F, -2.5F,         0.49999997F, 0.50000006F,
                                 1e9F, -1e9F, 8388609.0F, 3.7F,  -3.2F, 2147483520.0F, -0.0F,       100.5F};
    const float         n[16] = {0, 1, -1, 127, -126, 128, -127, -149, -150, 10, -200, 200, 23, 60, -60, 129};
    float               back[16], splat[16], broadcast[16], zero[16], scaled[16], one_and_half[16];
    int32_t             rounded[16], loaded[16];
    const unsigned char from[17] = {9, 0, 1, 127, 128, 255, 254, 3, 4, 200, 6, 7, 8, 129, 10, 11, 12};
    unsigned char       stored[17] = {[16] = 77};
    p->convert(x, rounded, back);
    p->bytes(from + 1, loaded, stored);
    assert_int_equal(stored[16], 77);
    p->fill(b + 2, splat, broadcast, zero);
    for (int i = 0; i < 16; i++) one_and_half[i] = -1.5F;
    p->scale(one_and_half, n, scaled);
    for (int i = 0; i < 16; i++) {
        assert_int_equal(rounded[i], lrintf(x[i]));
        assert_int_equal(loaded[i], from[i + 1]);
        assert_int_equal(stored[i], from[i + 1]);
        assert_same(back[i], (float)lrintf(x[i]));
        assert_same(splat[i], b[2]);
        assert_same(broadcast[i], b[2]);
        assert_int_equal(bits_of(zero[i]), 0);
        assert_same(scaled[i], ldexpf(-1.5F, (int)n[i]));
    }
    (void)a;
}

static void test_arithmetic(void **state) {
    (void)state;
    for_probes(check_arithmetic);
}
static void test_comparisons(void **state) {
    (void)state;
    for_probes(check_comparisons);
}
static void test_integers(void **state) {
    (void)state;
    for_probes(check_integers);
}
static void test_conversions(void **state) {
    (void)state;
    for_probes(check_conversions);
}

/* Sums of numbers of all sizes: any other order would give other bits. */
static void test_lanes(void **state) {
    (void)state;
    _Alignas(64) float in[256], out[256];
    uint32_t           random = 1;
    for (int i = 0; i < 256; i++) {
        random = random * 1664525u + 1013904223u;
        in[i] = ldexpf((float)(int32_t)random, (int)(random >> 8 & 15) - 40);
    }
    for (int isa = 0; isa < LN_ISA_COUNT; isa++) {
        const vec_probe *const p = probe_of((ln_isa)isa);
        if (!p) continue;
        float sums[16];
        p->sum16(in, sums);
        p->transpose(in, out);
        for (int k = 0; k < 16; k++) {
            float s[16];
            memcpy(s, in + 16 * k, sizeof s);
            for (int half = 8; half; half /= 2)
                for (int i = 0; i < half; i++) s[i] = s[i] + s[i + half];
            assert_same(p->sum(in + 16 * k), s[0]);
            assert_same(sums[k], s[0]);
            for (int i = 0; i < 16; i++) assert_same(out[16 * i + k], in[16 * k + i]);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arithmetic),  cmocka_unit_test(test_comparisons), cmocka_unit_test(test_integers),
        cmocka_unit_test(test_conversions), cmocka_unit_test(test_lanes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
