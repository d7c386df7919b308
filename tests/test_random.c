/* base/random.h: the published known answers, moments, bounds, and that an order is a permutation. */
#include "base/random.h"
#include "linnet.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

/* From the kat_vectors of the Random123 library: philox4x32, 10 rounds. */
static void test_known_answers(void **state) {
    (void)state;
    static const struct {
        uint32_t counter[4], key[2], word[4];
    } cases[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        uint32_t word[4];
        ln_philox(cases[i].counter, cases[i].key, word);
        assert_memory_equal(word, cases[i].word, sizeof word);
    }
}

/* Every one of seed, purpose, a and b makes another stream, upper halves included; the same ones the same stream. */
static void test_streams_differ(void **state) {
    (void)state;
    ln_random streams[] = {
        ln_random_at(1, LN_RANDOM_INIT, 0, 0),
        ln_random_at(2, LN_RANDOM_INIT, 0, 0),
        ln_random_at(1, LN_RANDOM_ORDER, 0, 0),
        ln_random_at(1, LN_RANDOM_INIT, 1, 0),
        ln_random_at(1, LN_RANDOM_INIT, 0, 1),
        ln_random_at(1 + (UINT64_C(1) << 32), LN_RANDOM_INIT, 0, 0),
        ln_random_at(1, LN_RANDOM_INIT, 0, UINT64_C(1) << 32),
    };
    enum { N = sizeof streams / sizeof *streams };
    uint32_t first[N];
    for (size_t i = 0; i < N; i++) {
        first[i] = ln_random_u32(&streams[i]);
        for (size_t j = 0; j < i; j++) assert_int_not_equal(first[i], first[j]);
    }
    ln_random again = ln_random_at(1, LN_RANDOM_INIT, 0, 0);
    assert_int_equal(ln_random_u32(&again), first[0]);
    for (int i = 0; i < 100; i++) assert_int_equal(ln_random_u32(&again), ln_random_u32(&streams[0]));
}

/* A stream is the words of its counters, in order, and goes on into the counter's second word. */
static void test_counter_carries(void **state) {
    (void)state;
    ln_random random = ln_random_at(7, LN_RANDOM_LAYER, 3, 5);
    random.counter[0] = 0xffffffffu;
    const uint32_t wrapped[4] = {0, 1, 5, 0};
    uint32_t       want[4];
    ln_philox(wrapped, random.key, want);
    for (int i = 0; i < 4; i++) ln_random_u32(&random);
    for (int i = 0; i < 4; i++) assert_int_equal(ln_random_u32(&random), want[i]);
}

static void test_moments(void **state) {
    (void)state;
    enum { N = 200000 };
    ln_random random = ln_random_at(1, LN_RANDOM_INIT, 0, 0);
    double    u1 = 0, u2 = 0, lowest = 1, highest = 0, n1 = 0, n2 = 0, n3 = 0, n4 = 0;
    for (int i = 0; i < N; i++) {
        const double u = ln_random_uniform(&random), z = ln_random_normal(&random);
        lowest = fmin(lowest, u);
        highest = fmax(highest, u);
        u1 += u / N;
        u2 += u * u / N;
        n1 += z / N;
        n2 += z * z / N;
        n3 += z * z * z / N;
        n4 += z * z * z * z / N;
    }
    assert_true(lowest >= 0 && lowest < 1e-4 && highest < 1 && highest > 1 - 1e-4);
    assert_true(fabs(u1 - 0.5) < 0.003 && fabs(u2 - 1.0 / 3) < 0.003);
    assert_true(fabs(n1) < 0.01 && fabs(n2 - 1) < 0.015 && fabs(n3) < 0.04 && fabs(n4 - 3) < 0.12);
}

/* The first normals of a stream, to the bit: they must be the same on every machine. */
static void test_normals_are_fixed(void **state) {
    (void)state;
    static const double want[4] = {-0x1.91d62e55eef3p-2, 0x1.796ff3597162ep-3, -0x1.9567acc5dc2c8p+0,
                                   -0x1.3c633cf784211p-1};
    ln_random           random = ln_random_at(1, LN_RANDOM_INIT, 0, 0);
    for (int i = 0; i < 4; i++) {
        const double z = ln_random_normal(&random);
        assert_memory_equal(&z, &want[i], sizeof z);
    }
}

static void test_below(void **state) {
    (void)state;
    ln_random random = ln_random_at(1, LN_RANDOM_SPLIT, 0, 0);
    int       seen[7] = {0};
    for (int i = 0; i < 70000; i++) {
        const uint64_t x = ln_random_below(&random, 7);
        assert_true(x < 7);
        seen[x]++;
    }
    for (int i = 0; i < 7; i++) assert_in_range(seen[i], 9500, 10500);
    assert_int_equal(ln_random_below(&random, 1), 0);
    /* Without drawing again, numbers below 2^62 would come up twice as often as others: half of all, not a third. */
    const uint64_t n = UINT64_C(3) << 62;
    int            low = 0;
    for (int i = 0; i < 30000; i++) {
        const uint64_t x = ln_random_below(&random, n);
        assert_true(x < n);
        low += x < UINT64_C(1) << 62;
    }
    assert_in_range(low, 9500, 10500);
}

static void test_order_is_a_permutation(void **state) {
    (void)state;
    enum { N = 1000 };
    uint32_t  order[N + 1], other[N];
    int       seen[N] = {0}, fixed = 0;
    ln_random random = ln_random_at(1, LN_RANDOM_ORDER, 0, 0);
    order[N] = 0xdeadbeef;
    ln_random_order(&random, order, N);
    assert_int_equal(order[N], 0xdeadbeef);
    for (uint32_t i = 0; i < N; i++) {
        assert_true(order[i] < N);
        assert_int_equal(seen[order[i]]++, 0);
        fixed += order[i] == i;
    }
    assert_true(fixed < 10); /* one is expected */
    ln_random_order(&random, other, N);
    assert_memory_not_equal(order, other, sizeof other);
    ln_random_order(&random, order, 0);
    ln_random_order(&random, order, 1);
    assert_int_equal(order[0], 0);
}

/* All orders of three are equally likely. */
static void test_orders_are_even(void **state) {
    (void)state;
    int       seen[27] = {0};
    ln_random random = ln_random_at(1, LN_RANDOM_ORDER, 1, 0);
    for (int i = 0; i < 60000; i++) {
        uint32_t order[3];
        ln_random_order(&random, order, 3);
        seen[order[0] * 9 + order[1] * 3 + order[2]]++;
    }
    const int permutations[6] = {5, 7, 11, 15, 19, 21};
    for (int i = 0; i < 6; i++) assert_in_range(seen[permutations[i]], 9500, 10500);
}

/* What callers draw: in [0, 1), a function of three numbers, even, and another stream than any of the library's own. */
static void test_numbers_of_callers(void **state) {
    (void)state;
    double mean = 0;
    for (uint64_t i = 0; i < 4096; i++) {
        const double u = ln_random_number(7, 3, i);
        assert_true(u >= 0 && u < 1);
        mean += u / 4096;
    }
    assert_true(fabs(mean - 0.5) < 0.02);
    const double u = ln_random_number(7, 3, 5);
    assert_true(fabs(u - ln_random_number(7, 3, 5)) <= 0);
    assert_true(fabs(u - ln_random_number(8, 3, 5)) > 0 && fabs(u - ln_random_number(7, 4, 5)) > 0 &&
                fabs(u - ln_random_number(7, 3, 6)) > 0);
    for (int purpose = LN_RANDOM_INIT; purpose < LN_RANDOM_CALLER; purpose++) {
        ln_random own = ln_random_at(7, (ln_purpose)purpose, 3, 5);
        assert_true(fabs(u - ln_random_uniform(&own)) > 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers_of_callers),
        cmocka_unit_test(test_known_answers),
        cmocka_unit_test(test_streams_differ),
        cmocka_unit_test(test_counter_carries),
        cmocka_unit_test(test_moments),
        cmocka_unit_test(test_normals_are_fixed),
        cmocka_unit_test(test_below),
        cmocka_unit_test(test_order_is_a_permutation),
        cmocka_unit_test(test_orders_are_even),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
