/* Points that are drawn: each generator against its formula, its noise against a normal distribution, and the same bits
 * on every machine. */
#include "harness/files.h"

#include "data/data.h"

#include <math.h>

static ln_data *draw(files *f, const char *name) {
    ln_error       error = {0};
    ln_data *const data = ln_data_open(f->context, name, NULL, NULL, &error);
    if (!data) fail_msg("%s: %s", name, error.message);
    const ln_data_info info = ln_data_describe(data);
    assert_int_equal(info.c, 2);
    assert_int_equal(info.h * info.w, 1);
    assert_true(info.is_float);
    return data;
}

/* Without noise every point lies where the formula says; all that matters is drawn anew in the test part. */
static void spirals_lie_on_their_arms(void **state) {
    files         *f = *state;
    ln_data *const data = draw(f, "spirals n=1000 classes=4 turns=1.5 noise=0");
    double         mean = 0;
    assert_int_equal(ln_data_describe(data).n_classes, 4);
    for (size_t i = 0; i < 1000; i++) {
        const float *const p = ln_data_image(data, i);
        const double       x = (double)p[0], y = (double)p[1], r = sqrt(x * x + y * y);
        const double       angle = 2 * M_PI * ((double)(i % 4) / 4 + 1.5 * r);
        assert_int_equal(ln_data_label(data, i), i % 4);
        assert_true(r < 1);
        assert_true(fabs(x - r * cos(angle)) < 1e-6 && fabs(y - r * sin(angle)) < 1e-6);
        mean += r * r / 1000;
    }
    assert_true(fabs(mean - 0.5) < 0.03); /* r² is uniform */
    ln_data_free(data);
}

static void moons_lie_on_half_circles(void **state) {
    files         *f = *state;
    ln_data *const data = draw(f, "moons n=1000 noise=0");
    for (size_t i = 0; i < 1000; i++) {
        const float *const p = ln_data_image(data, i);
        const bool         inner = i % 2;
        const double       x = inner ? 1 - (double)p[0] : (double)p[0], y = inner ? 0.5 - (double)p[1] : (double)p[1];
        assert_int_equal(ln_data_label(data, i), inner);
        assert_true(fabs(x * x + y * y - 1) < 1e-6);
        assert_true(y >= -1e-7);
    }
    ln_data_free(data);
}

static void circles_lie_within_each_other(void **state) {
    files         *f = *state;
    ln_data *const data = draw(f, "circles n=1000 factor=0.3 noise=0"), *const plain = draw(f, "circles n=2 noise=0");
    size_t quarter[4] = {0};
    for (size_t i = 0; i < 1000; i++) {
        const float *const p = ln_data_image(data, i);
        const double       r = i % 2 ? 0.3 : 1;
        assert_int_equal(ln_data_label(data, i), i % 2);
        assert_true(fabs(hypot((double)p[0], (double)p[1]) - r) < 1e-6);
        quarter[2 * (p[0] > 0) + (p[1] > 0)]++;
    }
    for (size_t k = 0; k < 4; k++) assert_in_range(quarter[k], 190, 310);
    const float *const inner = ln_data_image(plain, 1);
    assert_true(fabs(hypot((double)inner[0], (double)inner[1]) - 0.8) < 1e-6);
    ln_data_free(data);
    ln_data_free(plain);
}

static void blobs_share_their_centres(void **state) {
    files         *f = *state;
    ln_data *const train = draw(f, "blobs n=10 classes=5 noise=0"), *const test =
                                                                        draw(f, "blobs n=10 classes=5 noise=0:test");
    ln_data *const other = draw(f, "blobs n=10 classes=5 noise=0 seed=2");
    for (size_t i = 0; i < 10; i++) {
        const float *const p = ln_data_image(train, i);
        assert_int_equal(ln_data_label(train, i), i % 5);
        assert_memory_equal(p, ln_data_image(test, (i + 5) % 10), 8);
        assert_memory_not_equal(p, ln_data_image(other, i), 8);
        for (size_t k = 0; k < i % 5; k++) assert_memory_not_equal(p, ln_data_image(train, k), 8);
        assert_true(fabsf(p[0]) <= 10 && fabsf(p[1]) <= 10);
    }
    ln_data_free(train);
    ln_data_free(test);
    ln_data_free(other);
}

/* Shares within 1, 2 and 3 deviations, of both coordinates; they do not go together. */
static void noise_is_normal(void **state) {
    enum { N = 20000 };
    static const double wanted[3] = {0.6827, 0.9545, 0.9973};
    files              *f = *state;
    ln_data *const bare = draw(f, "blobs n=20000 noise=0"), *const noisy = draw(f, "blobs n=20000 noise=0.25");
    double together = 0;
    for (size_t c = 0; c < 2; c++) {
        double sum = 0, within[3] = {0};
        for (size_t i = 0; i < N; i++) {
            const float *const from = ln_data_image(bare, i), *const to = ln_data_image(noisy, i);
            const double z = (double)(to[c] - from[c]) / 0.25;
            sum += z;
            together += z * (double)(to[1 - c] - from[1 - c]) / 0.25 / N / 2;
            for (size_t k = 0; k < 3; k++) within[k] += fabs(z) < (double)k + 1;
        }
        assert_true(fabs(sum / N) < 0.03);
        for (size_t k = 0; k < 3; k++) assert_true(fabs(within[k] / N - wanted[k]) < 0.01);
    }
    assert_true(fabs(together) < 0.03);
    ln_data_free(bare);
    ln_data_free(noisy);
}

/* The parts draw other numbers, a set begins as a smaller one does, and the bits are those of every machine. */
static void the_same_seed_the_same_bits(void **state) {
    static const struct {
        const char *name;
        uint32_t    hash;
    } sets[] = {{"points n=64", 0xa2efe1ad},
                {"spirals n=64", 0xc26ff988},
                {"moons n=64", 0x733068f2},
                {"circles n=64", 0x9853ed48},
                {"blobs n=64", 0xa67c91a1}};
    files *f = *state;
    for (size_t k = 0; k < sizeof sets / sizeof *sets; k++) {
        char           part[64], smaller[64];
        uint32_t       hash = 2166136261u;
        ln_data *const data = draw(f, sets[k].name);
        snprintf(part, sizeof part, "%s:test", sets[k].name);
        snprintf(smaller, sizeof smaller, "%.*s n=7", (int)strcspn(sets[k].name, " "), sets[k].name);
        ln_data *const test = draw(f, part), *const few = draw(f, smaller);
        assert_memory_equal(ln_data_image(data, 0), ln_data_image(few, 0), 7 * 8);
        for (size_t i = 0; i < 64; i++) {
            const unsigned char *const bytes = ln_data_image(data, i);
            assert_memory_not_equal(bytes, ln_data_image(test, i), 8);
            for (size_t j = 0; j < 8; j++) hash = (hash ^ bytes[j]) * 16777619u;
        }
        if (hash != sets[k].hash) fail_msg("%s: 0x%08x", sets[k].name, hash);
        ln_data_free(data);
        ln_data_free(test);
        ln_data_free(few);
    }
}

static void wrong_arguments_are_told(void **state) {
    static const char *const bad[] = {"spirals classes=1",  "spirals turns=-1",  "spirals noise=x", "moons classes=3",
                                      "circles factor=1.1", "blobs classes=257", "blobs n=0",       "moons noise=-1"};
    files                   *f = *state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ln_error error = {0};
        assert_null(ln_data_open(f->context, bad[i], NULL, NULL, &error));
        assert_int_equal(error.status, LN_E_ARGUMENT);
        assert_memory_equal(error.message, bad[i], strcspn(bad[i], " "));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FILES_TEST(spirals_lie_on_their_arms),
        FILES_TEST(moons_lie_on_half_circles),
        FILES_TEST(circles_lie_within_each_other),
        FILES_TEST(blobs_share_their_centres),
        FILES_TEST(noise_is_normal),
        FILES_TEST(the_same_seed_the_same_bits),
        FILES_TEST(wrong_arguments_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
