/* Photos of digits: the same ink gives the same image wherever it lies, whichever way round it and the paper are and
 * whatever shadow is on them, on ruled paper, too; holes are none; the image is as MNIST's are made; what has no ink is
 * refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/random.h"
#include "data/photo.h"

enum { H = 120, W = 100, SIDE = 28, IMAGE = SIDE * SIDE };

/* A seven of strokes `thick` wide, `size` high, at (top, left). */
static void draw_seven(uint8_t *grey, size_t top, size_t left, size_t size, size_t thick, int change) {
    for (size_t r = 0; r < size; r++)
        for (size_t q = 0; q < size * 2 / 3; q++) {
            const long slope = (long)(size * 2 / 3) - 1 - (long)(r / 2);
            const bool ink = r < thick || labs((long)q - slope) < (long)(thick + 1) / 2;
            if (ink) grey[(top + r) * W + left + q] = (uint8_t)(grey[(top + r) * W + left + q] + change);
        }
}

static void paper(uint8_t *grey, int value) { memset(grey, value, (size_t)H * W); }

static void shadow(uint8_t *grey) {
    for (size_t r = 0; r < H; r++)
        for (size_t q = 0; q < W; q++)
            if (q + r / 3 > 70) grey[r * W + q] = (uint8_t)(grey[r * W + q] * 3 / 4);
}

static ln_status prepare(const uint8_t *grey, uint8_t *out, ln_error *error) {
    ln_context *const context = ln_context_new(NULL, NULL);
    const ln_status   status = ln_photo_digit(context, "photo", grey, H, W, SIDE, out, error);
    ln_context_free(context);
    return status;
}

static void must(const uint8_t *grey, uint8_t out[IMAGE]) {
    ln_error error = {0};
    if (prepare(grey, out, &error) != LN_OK) fail_msg("%s", error.message);
}

/* The mean difference of two images, in levels. */
static double apart(const uint8_t *a, const uint8_t *b) {
    double sum = 0;
    for (size_t i = 0; i < IMAGE; i++) sum += abs(a[i] - b[i]);
    return sum / IMAGE;
}

static void test_shape(void **state) {
    (void)state;
    uint8_t grey[H * W], out[IMAGE];
    paper(grey, 200);
    draw_seven(grey, 20, 30, 60, 8, -120);
    must(grey, out);
    size_t top = SIDE, bottom = 0;
    double mass = 0, y = 0, x = 0;
    for (size_t i = 0; i < IMAGE; i++) {
        if (out[i] > 60) top = i / SIDE < top ? i / SIDE : top, bottom = i / SIDE + 1;
        mass += out[i], y += out[i] * ((double)(i / SIDE) + 0.5), x += out[i] * ((double)(i % SIDE) + 0.5);
    }
    assert_in_range(bottom - top, 20, 21); /* 20 pixels high, one more where they do not lie on the grid */
    assert_true(fabs(y / mass - 14) <= 0.51 && fabs(x / mass - 14) <= 0.51);
    assert_int_equal(out[0], 0);
}

static void test_same(void **state) {
    (void)state;
    uint8_t grey[H * W], want[IMAGE], got[IMAGE];
    paper(grey, 200);
    draw_seven(grey, 20, 30, 60, 8, -120);
    must(grey, want);
    paper(grey, 200); /* elsewhere */
    draw_seven(grey, 48, 5, 60, 8, -120);
    must(grey, got);
    assert_true(apart(want, got) < 0.5);
    paper(grey, 40); /* light on dark */
    draw_seven(grey, 20, 30, 60, 8, 120);
    must(grey, got);
    assert_true(apart(want, got) < 0.5);
    paper(grey, 200); /* a shadow across */
    draw_seven(grey, 20, 30, 60, 8, -120);
    shadow(grey);
    must(grey, got);
    assert_true(apart(want, got) < 6);
    paper(grey, 200); /* specks, and the dark edge of a table */
    draw_seven(grey, 20, 30, 60, 8, -120);
    for (size_t r = 0; r < H; r++) memset(grey + r * W + W - 4, 30, 4);
    memset(grey + 100 * W + 10, 60, 3);
    must(grey, got);
    assert_true(apart(want, got) < 3);
}

/* A thin stroke is no fainter than a thick one. */
static void test_thin(void **state) {
    (void)state;
    uint8_t grey[H * W], out[IMAGE];
    size_t  n_light = 0;
    paper(grey, 220);
    draw_seven(grey, 10, 20, 100, 2, -100);
    must(grey, out);
    for (size_t i = 0; i < IMAGE; i++) n_light += out[i] > 128;
    assert_in_range(n_light, 40, 150);
}

static void test_refusals(void **state) {
    (void)state;
    uint8_t           grey[H * W], out[IMAGE];
    ln_error          error = {0};
    ln_context *const context = ln_context_new(NULL, NULL);
    paper(grey, 128);
    assert_int_equal(prepare(grey, out, &error), LN_E_FORMAT);
    assert_non_null(strstr(error.message, "photo: no ink is to be seen"));
    assert_int_equal(ln_photo_digit(context, "photo", grey, 7, W, SIDE, out, &error), LN_E_SHAPE);
    ln_context_free(context);
}

enum { LARGE_H = 700, LARGE_W = 900 };

/* A small seven on a large photo, with grain and a shadow, both ways round: it is found, and looks as it does alone. */
static void test_small(void **state) {
    (void)state;
    uint8_t        alone[H * W], want[IMAGE], got[IMAGE];
    uint8_t *const large = malloc((size_t)LARGE_H * LARGE_W);
    ln_random      random = ln_random_at(1, LN_RANDOM_CHECK, 6, 0);
    assert_non_null(large);
    paper(alone, 200);
    draw_seven(alone, 20, 30, 21, 3, -140);
    must(alone, want);
    for (int light = 0; light < 2; light++) {
        for (size_t i = 0; i < (size_t)LARGE_H * LARGE_W; i++) {
            const size_t r = i / LARGE_W, q = i % LARGE_W;
            const bool   inside = r >= 500 && r < 500 + H && q >= 650 && q < 650 + W;
            const int    value = (inside ? alone[(r - 500) * W + q - 650] : 200) - (int)ln_random_below(&random, 8);
            const int    shown = q + r / 3 > 400 ? value : value * 3 / 4;
            large[i] = (uint8_t)(light ? 255 - shown : shown);
        }
        ln_error          error = {0};
        ln_context *const context = ln_context_new(NULL, NULL);
        const ln_status   status = ln_photo_digit(context, "photo", large, LARGE_H, LARGE_W, SIDE, got, &error);
        ln_context_free(context);
        if (status != LN_OK) fail_msg("%s", error.message);
        assert_true(apart(want, got) < 6);
    }
    free(large);
}

/* Grain alone is no ink. */
static void test_grain(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 20; seed++) {
        ln_random random = ln_random_at(seed, LN_RANDOM_CHECK, 7, 0);
        uint8_t   grey[H * W], out[IMAGE];
        for (size_t i = 0; i < sizeof grey; i++)
            grey[i] = (uint8_t)(150 + ln_random_below(&random, 20) + ln_random_below(&random, 20));
        assert_int_equal(prepare(grey, out, NULL), LN_E_FORMAT);
    }
}

/* An eight of two rings, its holes about as wide as its strokes, 100 high and 60 wide, at (top, left). */
static void draw_eight(uint8_t *grey, long top, long left, int ink) {
    for (long r = 0; r < H; r++)
        for (long q = 0; q < W; q++) {
            const long   y = r - top, x = q - left - 30;
            const double upper = hypot((double)(y - 28), (double)x), lower = hypot((double)(y - 70), (double)x);
            if ((upper <= 28 && upper >= 9) || (lower <= 30 && lower >= 10)) grey[r * W + q] = (uint8_t)ink;
        }
}

/* A bold digit that fills the picture, both ways round, its strokes along an edge or not: not its holes are the ink. */
static void test_bold(void **state) {
    (void)state;
    static const long places[][2] = {{10, 20}, {2, 36}, {0, 20}};
    for (size_t i = 0; i < 6; i++) {
        const bool light = i % 2;
        uint8_t    grey[H * W], out[IMAGE];
        paper(grey, light ? 30 : 225);
        draw_eight(grey, places[i / 2][0], places[i / 2][1], light ? 225 : 30);
        must(grey, out);
        assert_true(out[14 * SIDE + 14] > 200 && out[5 * SIDE + 14] > 200 && out[22 * SIDE + 14] > 200);
        assert_true(out[9 * SIDE + 14] < 60 && out[18 * SIDE + 14] < 60 && out[3 * SIDE + 3] < 60);
    }
}

/* A digit on ruled and on squared paper, whose lines cross it, is as it is without. */
static void test_ruled(void **state) {
    (void)state;
    uint8_t grey[H * W], want[IMAGE], got[IMAGE];
    paper(grey, 210);
    draw_seven(grey, 20, 30, 60, 8, -170);
    must(grey, want);
    for (int kind = 1; kind <= 5; kind++) { /* 1: ruled, 2: downwards, 3: squared, 4: aslant, 5: squared, light ink */
        for (size_t r = 0; r < H; r++)
            for (size_t q = 0; q < W; q++) {
                const bool across = (r + 5 + (kind == 4 ? q / 12 : 0)) % 17 < 2, down = (q + 5) % 17 < 2;
                grey[r * W + q] = (kind != 2 && across) || ((kind == 2 || kind % 2) && kind > 1 && down) ? 120 : 210;
            }
        uint8_t alone[H * W];
        paper(alone, 210);
        draw_seven(alone, 20, 30, 60, 8, -170);
        for (size_t i = 0; i < sizeof grey; i++) {
            if (alone[i] < grey[i]) grey[i] = alone[i];
            if (kind == 5) grey[i] = (uint8_t)(255 - grey[i]);
        }
        must(grey, got);
        assert_true(apart(want, got) < 12); /* a pixel up or down; with the lines it is 90 */
    }
}

/* Whatever it is given, it answers or refuses. */
static void test_anything(void **state) {
    (void)state;
    for (uint64_t seed = 0; seed < 200; seed++) {
        ln_random random = ln_random_at(seed, LN_RANDOM_CHECK, 5, 0);
        uint8_t   grey[H * W], out[IMAGE];
        const int spread = (int)ln_random_below(&random, 256);
        for (size_t i = 0; i < sizeof grey; i++) grey[i] = (uint8_t)ln_random_below(&random, (uint64_t)spread + 1);
        const ln_status status = prepare(grey, out, NULL);
        assert_true(status == LN_OK || status == LN_E_FORMAT);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shape),    cmocka_unit_test(test_same),     cmocka_unit_test(test_thin),
        cmocka_unit_test(test_refusals), cmocka_unit_test(test_anything), cmocka_unit_test(test_small),
        cmocka_unit_test(test_grain),    cmocka_unit_test(test_bold),     cmocka_unit_test(test_ruled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
