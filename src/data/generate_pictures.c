/* pictures: a pattern for each class, and noise on it: bytes c×h×w
 *
 *   pixel = 127.5 · (1 + p / 2 + noise · z), rounded and kept within 0 to 255
 *
 * A class has a pattern of its own: for each channel 5×5 numbers p, uniform in ±1, spread over the picture and linear
 * between. z has mean 0 and deviation 1: the sum of a random word's four bytes, which is nearly normal. Train and test
 * pictures of one seed have the same patterns. Only what IEEE 754 rounds correctly is used, and so the bytes are the
 * same on every machine. */
#include "data/generate.h"

typedef struct picture_args {
    int    c, h, w, classes;
    double noise;
} picture_args;

static const ln_attr attrs[] = {{.key = "c",
                                 .type = LN_ATTR_INT,
                                 .offset = offsetof(picture_args, c),
                                 .preset = 3,
                                 .low = 1,
                                 .high = 1024,
                                 .help = "channels of a picture"},
                                {.key = "h",
                                 .type = LN_ATTR_INT,
                                 .offset = offsetof(picture_args, h),
                                 .preset = 32,
                                 .low = 1,
                                 .high = 4096,
                                 .help = "rows of a picture"},
                                {.key = "w",
                                 .type = LN_ATTR_INT,
                                 .offset = offsetof(picture_args, w),
                                 .preset = 32,
                                 .low = 1,
                                 .high = 4096,
                                 .help = "columns of a picture"},
                                {.key = "classes",
                                 .type = LN_ATTR_INT,
                                 .offset = offsetof(picture_args, classes),
                                 .preset = 10,
                                 .low = 2,
                                 .high = 256,
                                 .help = "how many patterns"},
                                {.key = "noise",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(picture_args, noise),
                                 .preset = 0.5,
                                 .high = 10,
                                 .help = "deviation of what is added, where the pattern's is about 0.2"},
                                {0}};

static void shape(const void *args, ln_data_parts *parts) {
    const picture_args *const a = args;
    *parts = (ln_data_parts){.c = (size_t)a->c, .h = (size_t)a->h, .w = (size_t)a->w, .n_classes = a->classes};
}

enum { KNOTS = 5 };

/* Between which two of the knots place i of n lies, and how far from the first. */
static size_t between(size_t i, size_t n, double *part) {
    const double at = n > 1 ? (double)i * ((KNOTS - 1) / (double)(n - 1)) : 0;
    const size_t knot = at < KNOTS - 2 ? (size_t)at : KNOTS - 2;
    *part = at - (double)knot;
    return knot;
}

/* About normal, of mean 0 and deviation 1: the sum of four bytes has mean 510 and variance 4 · (256² - 1) / 12. */
static double draw_noise(ln_random *random) {
    const uint32_t x = ln_random_u32(random);
    return ((double)((x & 255) + (x >> 8 & 255) + (x >> 16 & 255) + (x >> 24)) - 510) * (1 / 147.80053);
}

/* The nearest: value + ½ without its fraction. */
static uint8_t to_byte(double value) {
    const double above = value + 0.5;
    return value <= 0 ? 0 : value >= 255 ? 255 : (uint8_t)above;
}

static void draw_row(const double row[KNOTS], double noise, ln_random *random, uint8_t *to, size_t w) {
    for (size_t x = 0; x < w; x++) {
        double       part;
        const size_t knot = between(x, w, &part);
        const double p = row[knot] + part * (row[knot + 1] - row[knot]);
        to[x] = to_byte(127.5 * (1 + p / 2 + noise * draw_noise(random)));
    }
}

static int draw(const ln_drawing *d, void *image) {
    const picture_args *const a = d->args;
    const size_t              c = (size_t)a->c, h = (size_t)a->h, w = (size_t)a->w;
    const uint64_t class = ln_random_below(d->random, (uint64_t)a->classes);
    ln_random pattern = ln_generator_class(d, class);
    uint8_t  *to = image;
    for (size_t i = 0; i < c; i++) {
        double knots[KNOTS][KNOTS], row[KNOTS], part;
        for (size_t k = 0; k < KNOTS * KNOTS; k++) knots[k / KNOTS][k % KNOTS] = 2 * ln_random_uniform(&pattern) - 1;
        for (size_t y = 0; y < h; y++, to += w) {
            const size_t knot = between(y, h, &part);
            for (size_t k = 0; k < KNOTS; k++) row[k] = knots[knot][k] + part * (knots[knot + 1][k] - knots[knot][k]);
            draw_row(row, a->noise, d->random, to, w);
        }
    }
    return (int)class;
}

const ln_generator ln_generator_pictures = {
    .name = "pictures",
    .help = "a pattern for each class, and noise on it",
    .attrs = attrs,
    .args_size = sizeof(picture_args),
    .shape = shape,
    .draw = draw,
};
