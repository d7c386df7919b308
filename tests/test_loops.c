/* The loops that belong to no op, on every instruction set: pixels into lanes and back, sums of partial gradients,
 * finiteness. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/kernels.h"

enum { MOST = 100 };

static const ln_isa isas[] = {LN_ISA_PLAIN, LN_ISA_NEON, LN_ISA_AVX2, LN_ISA_AVX512};
enum { N_ISAS = sizeof isas / sizeof *isas };

static void *must(void *memory) {
    if (!memory) abort();
    return memory;
}

/* Fills count values of sixteen images; rows end where their memory ends, so that a sanitizer sees what reads on. */
static void check_fill(ln_isa isa, size_t count, bool is_float) {
    const void *rows[LN_LANES];
    for (size_t l = 0; l < LN_LANES; l++) {
        void *row = must(malloc(is_float ? count * sizeof(float) : count));
        for (size_t i = 0; i < count; i++) {
            const uint8_t pixel = (uint8_t)(l * 31 + i * 7 + l * i);
            if (is_float) ((float *)row)[i] = (float)pixel / 3;
            else ((uint8_t *)row)[i] = pixel;
        }
        rows[l] = row;
    }
    const ln_fill      f = {.rows = rows, .is_float = is_float, .count = count, .factor = 1 / 255.0, .offset = -0.5};
    _Alignas(64) float out[(MOST + 1) * LN_LANES];
    for (size_t i = 0; i < (MOST + 1) * LN_LANES; i++) out[i] = 77;
    ln_kernels_of(isa)->fill(&f, out);
    for (size_t i = 0; i < count; i++)
        for (size_t l = 0; l < LN_LANES; l++) {
            const float x = is_float ? ((const float *)rows[l])[i] : (float)((const uint8_t *)rows[l])[i];
            if (out[i * LN_LANES + l] != fmaf(x, (float)f.factor, (float)f.offset))
                fail_msg("%s: value %zu of image %zu is %.9g", ln_isa_name(isa), i, l, (double)out[i * LN_LANES + l]);
        }
    for (size_t i = count * LN_LANES; i < (MOST + 1) * LN_LANES; i++) assert_true(out[i] == 77);
    for (size_t l = 0; l < LN_LANES; l++) free((void *)(uintptr_t)rows[l]);
}

static void test_fill(void **state) {
    (void)state;
    static const size_t counts[] = {1, 15, 16, 17, 49, MOST};
    for (size_t k = 0; k < N_ISAS; k++)
        for (size_t i = 0; ln_isa_available(isas[k]) && i < sizeof counts / sizeof *counts; i++) {
            check_fill(isas[k], counts[i], false);
            check_fill(isas[k], counts[i], true);
        }
}

static void test_fill_double(void **state) {
    (void)state;
    _Alignas(128) double out[LN_LANES * 17];
    uint8_t              pixels[LN_LANES][17];
    const void          *rows[LN_LANES];
    for (size_t l = 0; l < LN_LANES; l++) {
        for (size_t i = 0; i < 17; i++) pixels[l][i] = (uint8_t)(l * 16 + i);
        rows[l] = pixels[l];
    }
    const ln_fill f = {.rows = rows, .count = 17, .factor = 1 / 255.0, .offset = -0.5};
    ln_kernels_of(LN_ISA_F64)->fill(&f, out);
    for (size_t i = 0; i < 17; i++)
        for (size_t l = 0; l < LN_LANES; l++)
            assert_true(fabs(out[i * LN_LANES + l] - (pixels[l][i] / 255.0 - 0.5)) < 1e-15);
}

static void test_unlane(void **state) {
    (void)state;
    _Alignas(64) float in[10 * LN_LANES];
    for (size_t i = 0; i < 10 * LN_LANES; i++) in[i] = (float)i;
    for (size_t k = 0; k < N_ISAS; k++) {
        if (!ln_isa_available(isas[k])) continue;
        float rows[LN_LANES][10], *to[LN_LANES];
        for (size_t l = 0; l < LN_LANES; l++) {
            to[l] = rows[l];
            for (size_t i = 0; i < 10; i++) rows[l][i] = -1;
        }
        ln_kernels_of(isas[k])->unlane(in, 10, 13, to);
        for (size_t l = 0; l < LN_LANES; l++)
            for (size_t i = 0; i < 10; i++) assert_true(rows[l][i] == (l < 13 ? (float)(i * LN_LANES + l) : -1));
    }
}

typedef struct lanes_of_squares {
    float of[LN_LANES];
} lanes_of_squares;

/* Sums whose order matters, over every split. */
static void test_sum_partials(void **state) {
    (void)state;
    enum { N = 5, STRIDE = 48, COUNT = 37 };
    static float p[N * STRIDE];
    float        want[COUNT];
    for (size_t i = 0; i < N * STRIDE; i++) p[i] = sinf((float)i) * (i % 3 ? 1 : 1e4f);
    for (size_t i = 0; i < COUNT; i++) {
        want[i] = p[i];
        for (size_t n = 1; n < N; n++) want[i] += p[n * STRIDE + i];
    }
    for (size_t k = 0; k < N_ISAS; k++)
        for (size_t split = 1; ln_isa_available(isas[k]) && split <= COUNT; split++) {
            float out[COUNT + 1];
            for (size_t i = 0; i <= COUNT; i++) out[i] = 77;
            for (size_t lo = 0; lo < COUNT; lo += split)
                ln_kernels_of(isas[k])->sum_partials(p, N, STRIDE, out, lo, lo + split < COUNT ? lo + split : COUNT);
            assert_memory_equal(out, want, sizeof want);
            assert_true(out[COUNT] == 77);
        }
}

/* Against the same order in plain C; each element counts, and none beyond. */
static void test_sum_squares(void **state) {
    (void)state;
    enum { COUNT = 67 };
    float x[COUNT + 1];
    for (size_t i = 0; i <= COUNT; i++) x[i] = sinf((float)i) * (i % 3 ? 1 : 1e4f);
    for (size_t lo = 0; lo < 20; lo++)
        for (size_t hi = lo; hi <= COUNT; hi++) {
            lanes_of_squares want = {{0}};
            for (size_t i = lo; i < hi; i++)
                want.of[(i - lo) % LN_LANES] = fmaf(x[i], x[i], want.of[(i - lo) % LN_LANES]);
            for (size_t half = LN_LANES / 2; half > 0; half /= 2)
                for (size_t l = 0; l < half; l++) want.of[l] += want.of[l + half];
            for (size_t k = 0; k < N_ISAS; k++)
                if (ln_isa_available(isas[k]))
                    assert_true(ln_kernels_of(isas[k])->sum_squares(x, lo, hi) == (double)want.of[0]);
        }
    const double doubles[3] = {3, 4e100, 12};
    assert_true(ln_kernels_of(LN_ISA_F64)->sum_squares(doubles, 1, 2) == 4e100 * 4e100);
}

static void test_approach(void **state) {
    (void)state;
    enum { COUNT = 37 };
    float x[COUNT], start[COUNT], want[COUNT];
    for (size_t i = 0; i < COUNT; i++) x[i] = sinf((float)i), start[i] = cosf((float)i);
    for (size_t i = 0; i < COUNT; i++) want[i] = fmaf(0.3F, x[i] - start[i], start[i]);
    for (size_t k = 0; k < N_ISAS; k++)
        for (size_t split = 1; ln_isa_available(isas[k]) && split <= COUNT; split++) {
            float mean[COUNT + 1];
            memcpy(mean, start, sizeof start);
            mean[COUNT] = 77;
            for (size_t lo = 0; lo < COUNT; lo += split)
                ln_kernels_of(isas[k])->approach(mean, x, 0.3, lo, lo + split < COUNT ? lo + split : COUNT);
            assert_memory_equal(mean, want, sizeof want);
            assert_true(mean[COUNT] == 77);
        }
}

static void test_all_finite(void **state) {
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY, 2e30f}; /* the last: too near to infinity */
    float              x[MOST];
    for (size_t i = 0; i < MOST; i++) x[i] = i % 2 ? 1e30f : -1e30f;
    for (size_t k = 0; k < N_ISAS; k++) {
        if (!ln_isa_available(isas[k])) continue;
        bool (*all_finite)(const void *, size_t, size_t) = ln_kernels_of(isas[k])->all_finite;
        assert_true(all_finite(x, 0, MOST));
        assert_true(all_finite(x, 5, 5));
        for (size_t i = 0; i < MOST; i++) {
            const float kept = x[i];
            x[i] = bad[i % 4];
            assert_false(all_finite(x, 0, MOST));
            assert_false(all_finite(x, i, i + 1));
            assert_true(all_finite(x, 0, i) && all_finite(x, i + 1, MOST));
            x[i] = kept;
        }
    }
}

/* Work is counted, not done away with: twice the rounds are twice the operations. */
static void test_fma_rounds(void **state) {
    (void)state;
    for (size_t k = 0; k < N_ISAS; k++) {
        if (!ln_isa_available(isas[k])) continue;
        const double one = ln_kernels_of(isas[k])->fma_rounds(1);
        assert_true(one > 0 && ln_kernels_of(isas[k])->fma_rounds(2) == 2 * one);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fill),         cmocka_unit_test(test_fill_double), cmocka_unit_test(test_unlane),
        cmocka_unit_test(test_sum_partials), cmocka_unit_test(test_sum_squares), cmocka_unit_test(test_approach),
        cmocka_unit_test(test_all_finite),   cmocka_unit_test(test_fma_rounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
