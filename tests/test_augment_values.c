/* What the augmentations make of images: values of an independent reference (tests/golden/generate_augment.py), what
 * holds whatever is drawn, and what is drawn. */
#include "data/augment.h"
#include "harness/train.h"

#include <math.h>
#include <stdio.h>

enum { MOST = 4096, SIDE = 28, N_PIXELS = SIDE * SIDE };

/* Makes of x what line says for an image of a training; bytes or floats by the frame. */
static void make(const char *line, const ln_frame *frame, ln_occasion at, const void *x, void *y) {
    static _Alignas(64) unsigned char spare[1 << 18];
    ln_augment                        augment;
    ln_error                          error = {0};
    if (ln_augment_parse(line, &augment, &error) != LN_OK || ln_augment_check(&augment, frame, &error) != LN_OK)
        fail_msg("%s", error.message);
    const size_t n_bytes = ln_augment_spare_bytes(&augment, frame);
    assert_true(n_bytes + 64 <= sizeof spare);
    memset(spare, 0x5a, n_bytes + 64);
    ln_augment_image(&augment, frame, at, x, y, spare);
    for (size_t i = n_bytes; i < n_bytes + 64; i++) assert_int_equal(spare[i], 0x5a);
}

static ln_frame byte_frame = {1, SIDE, SIDE, 1, NULL}, float_frame = {1, SIDE, SIDE, 4, NULL}; /* loops: in main */

static ln_occasion image_number(uint32_t image) { return (ln_occasion){.seed = 3, .epoch = 1, .image = image}; }

/* ------------------------------------------------------------------- golden */

typedef struct head {
    char     line[64];
    uint32_t c, h, w, is_float, image, epoch;
    uint64_t seed;
} head;

/* Bytes may differ by one where a value lies at a half but for rounding; of a case that is two in a hundred at most. */
static void compare(const head *k, const float *before, const float *after, const ln_pixels *pixels) {
    const size_t   n = k->c * k->h * k->w;
    const ln_frame frame = {k->c, k->h, k->w, k->is_float ? 4 : 1, pixels};
    uint8_t        bytes[MOST], made_bytes[MOST];
    float          made[MOST];
    size_t         n_off = 0;
    for (size_t i = 0; i < n; i++) bytes[i] = (uint8_t)before[i];
    make(k->line, &frame, (ln_occasion){k->seed, k->epoch, k->image, NULL}, k->is_float ? (const void *)before : bytes,
         k->is_float ? (void *)made : made_bytes);
    for (size_t i = 0; i < n; i++) {
        const double value = k->is_float ? (double)made[i] : made_bytes[i], off = fabs(value - (double)after[i]);
        if (off > (k->is_float ? 0.02 : 1))
            fail_msg("%s, %ux%ux%u: value %zu is %g, and %g was wanted", k->line, k->c, k->h, k->w, i, value,
                     (double)after[i]);
        n_off += !k->is_float && off > 0;
    }
    if (n_off * 50 > n) fail_msg("%s: %zu of %zu values are off by one", k->line, n_off, n);
}

static void test_golden(void **state) {
    (void)state;
    FILE *const file = fopen(LN_SOURCE_DIR "/tests/golden/augment.bin", "rb");
    char        magic[8];
    uint32_t    n = 0;
    assert_non_null(file);
    assert_int_equal(fread(magic, 8, 1, file), 1);
    assert_memory_equal(magic, "LNAUGM1", 8);
    assert_int_equal(fread(&n, 4, 1, file), 1);
    assert_true(n >= 80);
    for (uint32_t i = 0; i < n; i++) {
        head  k;
        float before[MOST], after[MOST];
        assert_int_equal(fread(&k, sizeof k, 1, file), 1);
        const size_t count = k.c * k.h * k.w;
        assert_true(count <= MOST);
        assert_int_equal(fread(before, 4, count, file), count);
        assert_int_equal(fread(after, 4, count, file), count);
        for (ln_isa isa = LN_ISA_PLAIN; isa < LN_ISA_COUNT; isa++)
            if (ln_isa_available(isa)) compare(&k, before, after, ln_pixels_of(isa));
    }
    fclose(file);
}

/* --------------------------------------------------------------- properties */

static void draw_bytes(uint8_t x[N_PIXELS]) {
    ln_random random = ln_random_at(5, LN_RANDOM_CHECK, 0, 0);
    for (size_t i = 0; i < N_PIXELS; i++) x[i] = (uint8_t)(1 + ln_random_below(&random, 255));
}

/* Arguments that change nothing, and two that undo each other. */
static void test_identities(void **state) {
    (void)state;
    static const char *const lines[] = {
        "rotate 0",      "scale 1 1",   "shear 0",
        "elastic 0",     "flip 0",      "crop 0",
        "erase 0",       "noise 0",     "brightness 1 1",
        "contrast 1 1",  "shift 0",     "flip 1, flip 1",
        "erase 1 0 0.0", "elastic 0 9", "flip 1 direction=vertical, flip 1 direction=vertical"};
    uint8_t x[N_PIXELS], y[N_PIXELS];
    float   from[N_PIXELS], to[N_PIXELS];
    draw_bytes(x);
    for (size_t i = 0; i < N_PIXELS; i++) from[i] = (float)x[i] / 7;
    for (size_t k = 0; k < sizeof lines / sizeof *lines; k++) {
        make(lines[k], &byte_frame, image_number(1), x, y);
        if (memcmp(x, y, sizeof x) != 0) fail_msg("%s changes an image", lines[k]);
        make(lines[k], &float_frame, image_number(1), from, to);
        for (size_t i = 0; i < N_PIXELS; i++)
            if (fabsf(from[i] - to[i]) > 1e-3f) fail_msg("%s changes an image of floats", lines[k]);
    }
}

/* Every value of a crop is one of the image's, or 0 where it may be. */
static void test_crop_inside(void **state) {
    (void)state;
    static const char *const lines[] = {"crop 27x5 padding_mode=reflect", "crop 5x27 padding_mode=edge", "crop 27"};
    uint8_t                  x[N_PIXELS], y[N_PIXELS];
    size_t                   n_zeros[3] = {0};
    draw_bytes(x);
    for (size_t k = 0; k < 3; k++)
        for (uint32_t image = 0; image < 300; image++) {
            make(lines[k], &byte_frame, image_number(image), x, y);
            for (size_t i = 0; i < N_PIXELS; i++) n_zeros[k] += y[i] == 0;
        }
    assert_int_equal(n_zeros[0] + n_zeros[1], 0);
    assert_in_range(n_zeros[2], 300 * N_PIXELS * 69 / 100, 300 * N_PIXELS * 79 / 100); /* 0.741 on the average */
}

/* ------------------------------------------------------------- what is drawn */

enum { N_DRAWN = 4000 };

/* Mean and deviation of what measure finds in images made of x. */
static void moments(const char *line, const float *x, double (*measure)(const float *), double *mean, double *std) {
    double sum = 0, squares = 0;
    for (uint32_t image = 0; image < N_DRAWN; image++) {
        float y[N_PIXELS];
        make(line, &float_frame, image_number(image), x, y);
        const double value = measure(y);
        sum += value;
        squares += value * value;
    }
    *mean = sum / N_DRAWN;
    *std = sqrt(squares / N_DRAWN - *mean * *mean);
}

static void check_moments(const char *line, const float *x, double (*measure)(const float *), double mean, double std,
                          double within) {
    double found[2];
    moments(line, x, measure, &found[0], &found[1]);
    if (fabs(found[0] - mean) > within || fabs(found[1] - std) > within)
        fail_msg("%s: mean %g and deviation %g, but %g and %g were wanted", line, found[0], found[1], mean, std);
}

static double middle(const float *y) { return (double)y[14 * SIDE + 14]; }
/* How far the row above the middle has moved, of columns' numbers. */
static double lean(const float *y) { return (double)(y[4 * SIDE + 14] - y[23 * SIDE + 14]); }
static double step(const float *y) { return (double)(y[14 * SIDE + 20] - y[14 * SIDE + 8]) / 12; }
static double share_of_zeros(const float *y) {
    double n = 0;
    for (size_t i = 0; i < N_PIXELS; i++) n += y[i] == 0;
    return n / N_PIXELS;
}

/* An image whose values are its columns' numbers shows where each value came from. Even draws from a to b have the mean
 * (a + b) / 2 and the deviation (b - a) / √12. */
static void test_drawn(void **state) {
    (void)state;
    float columns[N_PIXELS], ones[N_PIXELS];
    for (size_t i = 0; i < N_PIXELS; i++) columns[i] = (float)(i % SIDE), ones[i] = 1;
    check_moments("brightness 0.4 1.6", ones, middle, 1, 1.2 / sqrt(12), 0.02);
    check_moments("noise 2", ones, middle, 1, 2, 0.1);
    check_moments("rotate 20", columns, lean, 0, 19 * 0.5 * 2 * 0.1972, 0.15); /* deviation of sin in ±20°: 0.1972 */
    check_moments("scale 1 2", columns, step, 0.6931, 0.1402, 0.01);           /* 1/f: log 2, √(½ - log² 2) */
    check_moments("shear 45", columns, lean, 0, 19 * 0.5227, 0.3); /* of tan in ±45°: √(4/π - 1) = 0.5227 */
    check_moments("erase 1 0.1 0.3 ratio_low=1 ratio_high=1", ones, share_of_zeros, 0.2, 0.2 / sqrt(12), 0.01);
    check_moments("flip 0.3", columns, middle, 0.3 * 13 + 0.7 * 14, sqrt(0.3 * 0.7), 0.03);
}

/* Displacements have the deviation of Simard's blurred noise, alpha √(1/3) Σ k² (k along one axis), that is
 * alpha / (√12 √π sigma), on and between nodes, near the border and far from it, and neighbours are alike by
 * exp(-d² / 4 sigma²) within what interpolation makes of it. */
static void test_elastic(void **state) {
    (void)state;
    static const size_t places[] = {14 * SIDE + 14, 14 * SIDE + 12, 8 * SIDE + 8, 10 * SIDE + 10};
    float               columns[N_PIXELS], y[N_PIXELS];
    double              squares[4] = {0}, together = 0, all = 0;
    const double        wanted = 10 / (sqrt(12 * 3.14159265358979) * 4);
    for (size_t i = 0; i < N_PIXELS; i++) columns[i] = (float)(i % SIDE);
    for (uint32_t image = 0; image < N_DRAWN; image++) {
        make("elastic 10 4", &float_frame, image_number(image), columns, y);
        double d[4];
        for (size_t k = 0; k < 4; k++) {
            d[k] = (double)y[places[k]] - (double)(places[k] % SIDE);
            squares[k] += d[k] * d[k] / N_DRAWN;
            all += d[k] * d[k] / N_DRAWN / 4;
        }
        together += d[0] * ((double)y[places[0] - 6] - (double)(places[0] % SIDE - 6)) / N_DRAWN;
    }
    for (size_t k = 0; k < 4; k++) assert_true(fabs(sqrt(squares[k]) / wanted - 1) < 0.2);
    assert_true(fabs(sqrt(all) / wanted - 1) < 0.1);
    assert_true(fabs(together / all - exp(-36.0 / 64)) < 0.15);
}

/* ---------------------------------------------------------------- refusals */

static void test_wrong_arguments(void **state) {
    (void)state;
    static const struct {
        const char *line, *words;
    } cases[] = {
        {"rotate", "rotate: argument missing: degrees"},
        {"rotate 181", "rotate: degrees=181 is outside 0 to 180"},
        {"scale 1.2 0.8", "augmentation scale: low=1.2 is above high=0.8; give the smaller one first"},
        {"scale 0 1", "scale: low=0 is outside 0.1 to 10"},
        {"shear 81", "shear: x=81 is outside 0 to 80"},
        {"elastic 34 0.5", "elastic: sigma=0.5 is outside 1 to 100"},
        {"flip 2", "flip: p=2 is outside 0 to 1"},
        {"flip direction=up", "flip: direction='up'"},
        {"crop", "crop: argument missing: padding"},
        {"crop 2 padding_mode=wrap", "crop: padding_mode='wrap'"},
        {"erase 0.5 0.4 0.2", "augmentation erase: low=0.4 is above high=0.2"},
        {"erase ratio_low=4", "augmentation erase: ratio_low=4 is above ratio_high=3.3"},
        {"noise -1", "noise: std=-1 is outside 0 to 1000000"},
        {"brightness 2 1", "augmentation brightness: low=2 is above high=1"},
        {"contrast 1", "contrast: argument missing: high"},
    };
    ln_augment augment;
    ln_error   error;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(ln_augment_parse(cases[i].line, &augment, &error), LN_E_ARGUMENT);
        if (!strstr(error.message, cases[i].words)) fail_msg("'%s' lacks '%s'", error.message, cases[i].words);
    }
}

static void test_wrong_images(void **state) {
    (void)state;
    static const struct {
        const char *line;
        ln_frame    frame;
        const char *message;
    } cases[] = {
        {"crop 4x2",
         {1, 5, 2, 1, NULL},
         "augmentation crop: 4x2 padding can leave nothing of images of 5x2; give less than these"},
        {"erase value=256",
         {1, 9, 9, 1, NULL},
         "augmentation erase: value=256, but the images are bytes; give 0 to 255"},
        {"rotate 5",
         {1, 4097, 9, 1, NULL},
         "augmentation rotate: the images are 4097x9, and it changes images of up to 4096x4096; leave it out"},
    };
    ln_error error;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ln_augment augment;
        assert_int_equal(ln_augment_parse(cases[i].line, &augment, &error), LN_OK);
        assert_true(ln_augment_check(&augment, &cases[i].frame, &error) != LN_OK);
        assert_string_equal(error.message, cases[i].message);
    }
    ln_augment bright;
    assert_int_equal(ln_augment_parse("erase value=256, crop 3", &bright, &error), LN_OK);
    assert_int_equal(ln_augment_check(&bright, &float_frame, &error), LN_OK);
}

/* ----------------------------------------------------- training, and a set */

enum { N_IMAGES = 40 };
static const char *const net[] = {"conv2d 4 kernel=3 padding=1", "relu", "maxpool2d 4", "flatten", "linear 2", NULL};
static const char        every[] = "rotate 15, scale 0.9 1.1, shear 5, elastic, flip, crop 2, erase, noise 5, "
                                   "brightness 0.8 1.2, contrast 0.8 1.2";

static float *train(const uint8_t *pixels, const uint8_t *labels, const char *augment, int n_threads, size_t *n_bytes) {
    const train_set  of = {.pixels = pixels, .labels = labels, .n = N_IMAGES, .in = {1, SIDE, SIDE}, .lines = net};
    ln_train_options options = LN_TRAIN_OPTIONS;
    options.batch = 17;
    options.epochs = 1;
    options.seed = 8;
    options.augment = augment;
    return train_weights(&of, n_threads, &options, n_bytes);
}

/* Training with all kinds is, for 1 and 3 threads, training on what ln_data_augmented makes of the images. */
static void test_training(void **state) {
    (void)state;
    static uint8_t    pixels[N_IMAGES][N_PIXELS], labels[N_IMAGES], made[N_IMAGES][N_PIXELS];
    ln_error          error = {0};
    ln_context *const context = net_context(NULL, 1);
    for (size_t i = 0; i < N_IMAGES; i++) draw_bytes(pixels[i]), labels[i] = i % 2, pixels[i][i] = 0;
    ln_data *const data = ln_data_from_bytes(context, pixels[0], labels, N_IMAGES, 1, SIDE, SIDE, NULL);
    ln_data *const seen = ln_data_augmented(data, every, 8, 1, &error);
    if (!seen) fail_msg("%s", error.message);
    for (size_t i = 0; i < N_IMAGES; i++) {
        memcpy(made[i], ln_data_image(seen, i), N_PIXELS);
        assert_int_equal(ln_data_label(seen, i), labels[i]);
        assert_memory_not_equal(made[i], pixels[i], N_PIXELS);
    }
    size_t       n_bytes;
    float *const plain = train(made[0], labels, "none", 1, &n_bytes);
    for (int n_threads = 1; n_threads <= 3; n_threads += 2) {
        float *const weights = train(pixels[0], labels, every, n_threads, &n_bytes);
        assert_memory_equal(weights, plain, n_bytes);
        free(weights);
    }
    free(plain);
    assert_null(ln_data_augmented(data, "shift 2", 8, 0, &error));
    assert_string_equal(error.message, "ln_data_augmented: epoch 0, but epochs count from 1");
    assert_null(ln_data_augmented(data, "crop 28", 8, 1, &error));
    assert_int_equal(error.status, LN_E_SHAPE);
    ln_data_free(seen);
    ln_data_free(data);
    ln_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),          cmocka_unit_test(test_identities), cmocka_unit_test(test_crop_inside),
        cmocka_unit_test(test_drawn),           cmocka_unit_test(test_elastic),    cmocka_unit_test(test_wrong_images),
        cmocka_unit_test(test_wrong_arguments), cmocka_unit_test(test_training),
    };
    byte_frame.pixels = float_frame.pixels = ln_pixels_of(ln_isa_best());
    return cmocka_run_group_tests(tests, NULL, NULL);
}
