/* Data sets that are computed, drawn by seed.
 *
 * points    Two values an image (2×1×1), x and y uniform in ±1; class 1 where x + y + noise · z > 0, z normal: two
 *           classes on either side of a diagonal, mixed along it. They stand in for the exercise about headers won on a
 *           football pitch.
 * pictures  Bytes c×h×w. A class has a pattern of its own: for each channel 5×5 numbers p, uniform in ±1, spread over
 *           the picture and linear between. A pixel is 127.5 · (1 + p / 2 + noise · z), rounded and kept within 0 to
 *           255. z has mean 0 and deviation 1: the sum of a random word's four bytes, which is nearly normal. Train and
 *           test pictures of one seed have the same patterns. Only what IEEE 754 rounds correctly is used, and so the
 *           bytes are the same on every machine.
 *
 * Image i's numbers depend on seed, part (train or test) and i alone, a pattern's on seed and class. */
#include "data/generate.h"

#include "base/attr.h"
#include "base/random.h"

#include <string.h>

typedef struct common_args {
    int n, seed;
} common_args;

typedef struct generator_args {
    double noise;
    int    c, h, w, classes;
} generator_args;

/* What a data set is drawn from. */
typedef struct drawing {
    common_args    common;
    generator_args args;
} drawing;

typedef struct generator {
    const char    *name, *help;
    const ln_attr *attrs;
    void (*shape)(const generator_args *args, ln_data_parts *parts); /* all but n, pixels and labels */
    int (*draw)(const drawing *d, ln_random *random, void *image);   /* the class */
} generator;

/* Streams of LN_RANDOM_DATA: images of the two parts by their number, patterns by class. */
enum { STREAM_TRAIN, STREAM_TEST, STREAM_PATTERN };

/* More than this is refused and not drawn for minutes. */
static const size_t most_bytes = (size_t)1 << 32;

/* ------------------------------------------------------------------- points */

static const ln_attr point_attrs[] = {{.key = "noise",
                                       .type = LN_ATTR_FLOAT,
                                       .offset = offsetof(generator_args, noise),
                                       .preset = 0.3,
                                       .high = 100,
                                       .help = "how far the classes mix"},
                                      {0}};

static void shape_points(const generator_args *args, ln_data_parts *parts) {
    (void)args;
    *parts = (ln_data_parts){.is_float = true, .c = 2, .h = 1, .w = 1, .n_classes = 2};
}

static int draw_point(const drawing *d, ln_random *random, void *image) {
    float *const point = image;
    const double x = 2 * ln_random_uniform(random) - 1, y = 2 * ln_random_uniform(random) - 1;
    point[0] = (float)x;
    point[1] = (float)y;
    return x + y + d->args.noise * ln_random_normal(random) > 0;
}

/* ----------------------------------------------------------------- pictures */

static const ln_attr picture_attrs[] = {{.key = "c",
                                         .type = LN_ATTR_INT,
                                         .offset = offsetof(generator_args, c),
                                         .preset = 3,
                                         .low = 1,
                                         .high = 1024,
                                         .help = "channels of a picture"},
                                        {.key = "h",
                                         .type = LN_ATTR_INT,
                                         .offset = offsetof(generator_args, h),
                                         .preset = 32,
                                         .low = 1,
                                         .high = 4096,
                                         .help = "rows of a picture"},
                                        {.key = "w",
                                         .type = LN_ATTR_INT,
                                         .offset = offsetof(generator_args, w),
                                         .preset = 32,
                                         .low = 1,
                                         .high = 4096,
                                         .help = "columns of a picture"},
                                        {.key = "classes",
                                         .type = LN_ATTR_INT,
                                         .offset = offsetof(generator_args, classes),
                                         .preset = 10,
                                         .low = 2,
                                         .high = 256,
                                         .help = "how many patterns"},
                                        {.key = "noise",
                                         .type = LN_ATTR_FLOAT,
                                         .offset = offsetof(generator_args, noise),
                                         .preset = 0.5,
                                         .high = 10,
                                         .help = "deviation of what is added, where the pattern's is about 0.2"},
                                        {0}};

static void shape_pictures(const generator_args *args, ln_data_parts *parts) {
    *parts =
        (ln_data_parts){.c = (size_t)args->c, .h = (size_t)args->h, .w = (size_t)args->w, .n_classes = args->classes};
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

static int draw_picture(const drawing *d, ln_random *random, void *image) {
    const size_t c = (size_t)d->args.c, h = (size_t)d->args.h, w = (size_t)d->args.w;
    const uint64_t class = ln_random_below(random, (uint64_t)d->args.classes);
    ln_random pattern = ln_random_at((uint64_t)d->common.seed, LN_RANDOM_DATA, STREAM_PATTERN, class);
    uint8_t  *to = image;
    for (size_t i = 0; i < c; i++) {
        double knots[KNOTS][KNOTS], row[KNOTS], part;
        for (size_t k = 0; k < KNOTS * KNOTS; k++) knots[k / KNOTS][k % KNOTS] = 2 * ln_random_uniform(&pattern) - 1;
        for (size_t y = 0; y < h; y++, to += w) {
            const size_t knot = between(y, h, &part);
            for (size_t k = 0; k < KNOTS; k++) row[k] = knots[knot][k] + part * (knots[knot + 1][k] - knots[knot][k]);
            draw_row(row, d->args.noise, random, to, w);
        }
    }
    return (int)class;
}

/* --------------------------------------------------------------- generators */

static const generator generators[] = {
    {"points", "points in the plane (2x1x1), of two classes that mix along a diagonal", point_attrs, shape_points,
     draw_point},
    {"pictures", "a pattern for each class, and noise on it", picture_attrs, shape_pictures, draw_picture}};
enum { N_GENERATORS = sizeof generators / sizeof *generators };

const ln_attr ln_generator_attrs[] = {{.key = "n",
                                       .type = LN_ATTR_INT,
                                       .offset = offsetof(common_args, n),
                                       .preset = 200,
                                       .low = 1,
                                       .high = 1e8,
                                       .help = "how many images"},
                                      {.key = "seed",
                                       .type = LN_ATTR_INT,
                                       .offset = offsetof(common_args, seed),
                                       .preset = 1,
                                       .high = 2147483647,
                                       .help = "of the draws"},
                                      {0}};

static const generator *find(const char *name) {
    const size_t length = strcspn(name, " ");
    for (size_t i = 0; i < N_GENERATORS; i++)
        if (strlen(generators[i].name) == length && memcmp(generators[i].name, name, length) == 0)
            return &generators[i];
    return NULL;
}

bool ln_generates(const char *name) { return find(name) != NULL; }

bool ln_generator(size_t i, const char **name, const char **help, const ln_attr **attrs) {
    if (i >= N_GENERATORS) return false;
    *name = generators[i].name, *help = generators[i].help, *attrs = generators[i].attrs;
    return true;
}

static ln_status parse(const generator *g, const char *name, drawing *d, ln_error *error) {
    ln_line         line;
    const ln_status status = ln_line_split(name, "data", &line, error);
    if (status != LN_OK) return status;
    return ln_attr_parse(line.rest, line.word, g->attrs, &d->args, sizeof d->args, ln_generator_attrs, &d->common,
                         sizeof d->common, error);
}

/* Arguments and sizes; *image_bytes of one image. */
static ln_status plan(const generator *g, const char *name, drawing *d, ln_data_parts *parts, size_t *image_bytes,
                      ln_error *error) {
    const ln_status status = parse(g, name, d, error);
    if (status != LN_OK) return status;
    g->shape(&d->args, parts);
    parts->own = true;
    parts->n = (size_t)d->common.n;
    *image_bytes = parts->c * parts->h * parts->w * (parts->is_float ? sizeof(float) : 1);
    if (*image_bytes <= most_bytes / parts->n) return LN_OK;
    const double gib = (double)parts->n * (double)*image_bytes * 0x1p-30;
    return ln_fail(
        error, LN_E_ARGUMENT,
        "%s: %zu images of %zux%zux%zu take %.0f GiB, but at most %zu GiB are drawn; ask for n=%zu or fewer, "
        "or for smaller ones",
        g->name, parts->n, parts->c, parts->h, parts->w, gib, most_bytes >> 30, most_bytes / *image_bytes);
}

ln_status ln_generator_check(const char *name, ln_error *error) {
    const generator *const g = find(name);
    drawing                d;
    if (g) return parse(g, name, &d, error);
    return ln_fail(error, LN_E_ARGUMENT, "'%.60s' begins with no generator's word, such as %s", name,
                   generators[0].name);
}

static void draw_all(const generator *g, const drawing *d, bool test, size_t image_bytes, unsigned char *images,
                     uint8_t *labels) {
    const uint64_t mode = ln_fp_enter();
    for (size_t i = 0; i < (size_t)d->common.n; i++) {
        ln_random random = ln_random_at((uint64_t)d->common.seed, LN_RANDOM_DATA, test ? STREAM_TEST : STREAM_TRAIN, i);
        labels[i] = (uint8_t)g->draw(d, &random, images + i * image_bytes);
    }
    ln_fp_leave(mode);
}

ln_data *ln_generate(ln_context *context, const char *name, bool test, ln_error *error) {
    const generator *const g = find(name);
    drawing                d;
    ln_data_parts          parts;
    size_t                 image_bytes;
    if (plan(g, name, &d, &parts, &image_bytes, error) != LN_OK) return NULL;
    unsigned char *images = ln_allocate(context, parts.n * image_bytes);
    uint8_t       *labels = ln_allocate(context, parts.n);
    ln_data       *data = NULL;
    if (images && labels) {
        draw_all(g, &d, test, image_bytes, images, labels);
        parts.pixels = images;
        parts.labels = labels;
        data = ln_data_new(context, name, &parts, error);
    } else ln_fail_memory(error, name, parts.n * (image_bytes + 1));
    if (data) return data;
    ln_release(context, images);
    ln_release(context, labels);
    return NULL;
}
