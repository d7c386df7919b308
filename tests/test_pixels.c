/* The loops of kernel/pixels.h on every instruction set: words at once are those one by one, normal numbers have the
 * right moments, values and places come out as plain C has them, and the same bits everywhere; spills stay within
 * LN_SPILL. What augmentations make of them is compared with NumPy in test_augment_values.c. */
#include "data/augment.h"
#include "harness/net.h"

#include <math.h>

enum { MOST = 100, ROOM = MOST + LN_SPILL };

/* Calls check with the table of each instruction set there is. */
static void on_each(void (*check)(const ln_pixels *pixels)) {
    for (ln_isa isa = LN_ISA_PLAIN; isa < LN_ISA_COUNT; isa++)
        if (ln_isa_available(isa)) check(ln_pixels_of(isa));
    assert_null(ln_pixels_of(LN_ISA_F64));
}

/* ------------------------------------------------------------------- words */

/* From any place in the stream, also where its counter overflows. */
static void check_words(const ln_pixels *pixels) {
    static const size_t counts[] = {0, 1, 3, 4, 63, 64, 65, 127, 128, 129, 300, 1000};
    static uint32_t     words[1000 + LN_AUGMENT_SPILL];
    const ln_frame      frame = {.pixels = pixels};
    for (uint32_t first = 0; first < 2; first++) {
        ln_random one = ln_random_at(1, LN_RANDOM_CHECK, 2, 3), many;
        one.counter[0] = first ? 0xffffffffu - 100 : 0;
        many = one;
        for (size_t k = 0; k < sizeof counts / sizeof *counts; k++) {
            memset(words, 0x5a, sizeof words);
            ln_augment_words(&frame, &many, words, counts[k]);
            for (size_t i = 0; i < counts[k]; i++) assert_int_equal(words[i], ln_random_u32(&one));
            for (size_t i = counts[k] + LN_AUGMENT_SPILL; i < 1000 + LN_AUGMENT_SPILL; i++)
                assert_int_equal(words[i], 0x5a5a5a5a);
        }
    }
}

static void test_words(void **state) {
    (void)state;
    on_each(check_words);
}

/* Moments, pairs without correlation, and their tails. */
static void check_normals(const ln_pixels *pixels) {
    enum { M = 50001, N = 2 * M };
    static float    z[N + 1];
    static uint32_t words[M + LN_AUGMENT_SPILL];
    double          sum[5] = {0}, both = 0, beyond = 0;
    ln_random       random = ln_random_at(4, LN_RANDOM_CHECK, 5, 6);
    z[N] = 77;
    ln_augment_words(&(ln_frame){.pixels = pixels}, &random, words, M);
    pixels->normals(words, M, z);
    assert_true(z[N] > 76); /* untouched */
    for (size_t i = 0; i < N; i++) {
        const double x = (double)z[i];
        sum[1] += x, sum[2] += x * x, sum[3] += x * x * x, sum[4] += x * x * x * x;
        beyond += fabs(x) > 2;
        if (i < M) both += x * (double)z[i + M];
        assert_true(fabs(x) < 4.9);
    }
    assert_true(fabs(sum[1] / N) < 0.015 && fabs(sum[2] / N - 1) < 0.02);
    assert_true(fabs(sum[3] / N) < 0.04 && fabs(sum[4] / N - 3) < 0.12);
    assert_true(fabs(both / M) < 0.02 && fabs(beyond / N - 0.0455) < 0.003);
}

static void test_normals(void **state) {
    (void)state;
    on_each(check_normals);
}

static void check_even(const ln_pixels *pixels) {
    const uint32_t words[] = {0xff800100u, 0x7f818283u};
    const uint8_t  bytes[] = {0, 1, 128, 255, 0x83, 0x82, 0x81};
    float          y[8] = {0};
    y[7] = 77;
    pixels->even(words, 7, y);
    for (int i = 0; i < 7; i++) assert_true(y[i] * 256 == (float)(2 * bytes[i] - 255));
    assert_true(y[7] > 76);
}

static void test_even(void **state) {
    (void)state;
    on_each(check_even);
}

/* ------------------------------------------------------------------ values */

typedef struct values {
    uint8_t bytes[MOST], others[MOST], made[MOST + 1];
    float   floats[ROOM], other[ROOM], y[ROOM + 1], k[4];
} values;

static void draw(values *v) {
    ln_random random = ln_random_at(3, LN_RANDOM_CHECK, 0, 0);
    for (size_t i = 0; i < MOST; i++) {
        v->bytes[i] = (uint8_t)ln_random_below(&random, 256), v->others[i] = (uint8_t)ln_random_below(&random, 256);
    }
    for (size_t i = 0; i < ROOM; i++) {
        v->floats[i] = (float)ln_random_normal(&random) * 30, v->other[i] = (float)ln_random_normal(&random) * 30;
    }
    for (size_t i = 0; i < 4; i++) v->k[i] = 1 / (float)(i + 3);
}

static uint8_t stored(float x) { return x > 0 ? x < 255 ? (uint8_t)(x + 0.5f) : 255 : 0; }

/* A value is the same wherever it stands; none behind the last one is written. */
static void check_values(const ln_pixels *pixels) {
    static const size_t counts[] = {1, 7, 16, 33, MOST};
    values              v;
    draw(&v);
    for (size_t c = 0; c < 5; c++) {
        const size_t n = counts[c];
        v.made[n] = 77, v.y[n] = 77;
        pixels->add(v.bytes, v.other, false, n, 3, v.made);
        for (size_t i = 0; i < n; i++) assert_int_equal(v.made[i], stored((float)v.bytes[i] + 3 * v.other[i]));
        pixels->add(v.floats, v.other, true, n, 3, v.y);
        for (size_t i = 0; i < n; i++) assert_true(v.y[i] == v.floats[i] + 3 * v.other[i]);
        pixels->spread(v.bytes, false, n, 100, 1.7f, v.made);
        for (size_t i = 0; i < n; i++) assert_int_equal(v.made[i], stored(100 + 1.7f * ((float)v.bytes[i] - 100)));
        pixels->spread(v.floats, true, n, 100, 1.7f, v.y);
        for (size_t i = 0; i < n; i++) assert_true(v.y[i] == 100 + 1.7f * (v.floats[i] - 100));
        pixels->mix(v.bytes, v.others, false, n, 0.3f, v.made);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(v.made[i], stored((float)v.bytes[i] + 0.3f * (float)(v.others[i] - v.bytes[i])));
        pixels->mix(v.floats, v.other, true, n, 0.3f, v.y);
        for (size_t i = 0; i < n; i++) assert_true(v.y[i] == v.floats[i] + 0.3f * (v.other[i] - v.floats[i]));
        assert_true(v.made[n] == 77 && v.y[n] > 76);
    }
}

static void test_values(void **state) {
    (void)state;
    on_each(check_values);
}

static void check_spill(const values *v, size_t n) {
    for (size_t i = n + LN_SPILL - 1; i <= ROOM; i++) assert_true(v->y[i] > 76 && v->y[i] < 78);
}

static void clear(values *v) {
    for (size_t i = 0; i <= ROOM; i++) v->y[i] = 77;
}

static void check_lines(const ln_pixels *pixels) {
    values v;
    draw(&v);
    for (size_t n = 1; n <= 40; n += 13) {
        clear(&v);
        pixels->line(-3.3f, 0.7f, n, v.y);
        for (size_t j = 0; j < n; j++) assert_true(v.y[j] == -3.3f + 0.7f * (float)j);
        check_spill(&v, n);
        clear(&v);
        pixels->displace(v.floats, v.other, 0.25f, n, 5, 1, v.y);
        for (size_t j = 0; j < n; j++)
            assert_true(v.y[j] == 5 + (float)j + (v.floats[j] + 0.25f * (v.other[j] - v.floats[j])));
        check_spill(&v, n);
        clear(&v);
        pixels->blur(v.floats + 15, 5, n, v.k, 3, v.y);
        for (size_t j = 0; j < n; j++) {
            float sum = v.k[0] * v.floats[15 + j];
            for (size_t r = 1; r <= 3; r++) sum += v.k[r] * (v.floats[15 + j - 5 * r] + v.floats[15 + j + 5 * r]);
            assert_true(v.y[j] == sum);
        }
        check_spill(&v, n);
    }
    for (size_t s = 1; s <= 20; s += 19) {
        clear(&v);
        pixels->stretch(v.floats, 4, s, v.y);
        for (size_t j = 0; j < 4 * s; j++) {
            const float *const node = v.floats + j / s;
            assert_true(v.y[j] == node[0] + (node[1] - node[0]) * (1 / (float)s) * (float)(j % s));
        }
        check_spill(&v, 4 * s);
    }
}

static void test_lines(void **state) {
    (void)state;
    on_each(check_lines);
}

/* ------------------------------------------------------------------ places */

enum { H = 3, W = 4, STRIDE = W + 3, PADDED = (H + 3) * STRIDE };

/* Bytes and floats of the same channel, at places inside, on and outside its border, and at one that is no number. */
static void check_places(const ln_pixels *pixels) {
    static const float u[] = {0, 1.5f, 3, 3.75f, -0.25f, -9, 99, 2, NAN}, v[] = {0, 0.5f, 2, 1, 1.25f, 1, 1, 2.5f, 1};
    static const float wanted[] = {10, 45, 120, 20, 45, 0, 0, 55, 0};
    enum { N = sizeof u / sizeof *u };
    uint8_t   bytes[PADDED] = {0}, made[N];
    float     floats[PADDED] = {0}, y[N];
    uint32_t  quads[PADDED];
    ln_places p;
    for (size_t i = 0; i < H; i++)
        for (size_t j = 0; j < W; j++) {
            bytes[(i + 1) * STRIDE + j + 1] = (uint8_t)(10 * (i * W + j + 1));
            floats[(i + 1) * STRIDE + j + 1] = (float)(10 * (i * W + j + 1));
        }
    pixels->find(u, v, N, H, W, STRIDE, &p);
    pixels->quads(bytes, STRIDE, PADDED, quads);
    pixels->sample_bytes(quads, &p, made);
    pixels->sample_floats(floats, STRIDE, &p, y);
    assert_int_equal(p.n, N);
    for (size_t j = 0; j < N; j++) {
        if (made[j] != stored(wanted[j]) || stored(y[j]) != stored(wanted[j]))
            fail_msg("at (%g, %g): %d and %g, but %g was wanted", (double)v[j], (double)u[j], made[j], (double)y[j],
                     (double)wanted[j]);
    }
}

static void test_places(void **state) {
    (void)state;
    on_each(check_places);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),  cmocka_unit_test(test_normals), cmocka_unit_test(test_even),
        cmocka_unit_test(test_values), cmocka_unit_test(test_lines),   cmocka_unit_test(test_places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
