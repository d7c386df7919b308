/* The list of data sets that are computed, from generators.def; how a line of them is read and drawn. */
#include "data/generate.h"

#include "base/large.h"
#include "base/math.h"

#include <string.h>

#define LN_GENERATOR(name) extern const ln_generator ln_generator_##name;
#include "data/generators.def"
#undef LN_GENERATOR

const ln_generator *const ln_generators[LN_GENERATOR_COUNT] = {
#define LN_GENERATOR(name) [LN_GENERATOR_##name] = &ln_generator_##name,
#include "data/generators.def"
#undef LN_GENERATOR
};

typedef struct common_args {
    int n, seed;
} common_args;

/* What a data set is drawn from. */
typedef struct drawing {
    common_args common;
    _Alignas(16) unsigned char args[LN_MAX_GENERATOR_ARGS];
} drawing;

/* Streams of LN_RANDOM_DATA: images of the two parts by their number, what belongs to a class by class. */
enum { STREAM_TRAIN, STREAM_TEST, STREAM_CLASS };

/* More than this is refused and not drawn for minutes. */
static const size_t most_bytes = (size_t)1 << 32;

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

/* -------------------------------------------------------- what they draw by */

ln_random ln_generator_class(const ln_drawing *d, uint64_t class) {
    return ln_random_at(d->seed, LN_RANDOM_DATA, STREAM_CLASS, class);
}

/* cos πx for 0 ≤ x ≤ 2. */
static double cos_pi(double x) { return ln_cos_pi(x <= 1 ? x : 2 - x); }

ln_point ln_generator_circle(double turns) {
    const double part = turns - (double)(uint64_t)turns, from_top = part > 0.25 ? part - 0.25 : 0.25 - part;
    return (ln_point){cos_pi(2 * part), cos_pi(2 * from_top)};
}

void ln_generator_two_classes(const void *args, ln_data_parts *parts) {
    (void)args;
    *parts = (ln_data_parts){.is_float = true, .c = 2, .h = 1, .w = 1, .n_classes = 2};
}

void ln_generator_put(const ln_drawing *d, ln_point point, double noise, void *image) {
    float *const to = image;
    if (noise > 0) {
        point.x += noise * ln_random_normal(d->random);
        point.y += noise * ln_random_normal(d->random);
    }
    to[0] = (float)point.x;
    to[1] = (float)point.y;
}

/* -------------------------------------------------------------------- lines */

static const ln_generator *find(const char *name) {
    const size_t length = strcspn(name, " ");
    for (size_t i = 0; i < LN_GENERATOR_COUNT; i++)
        if (strlen(ln_generators[i]->name) == length && memcmp(ln_generators[i]->name, name, length) == 0)
            return ln_generators[i];
    return NULL;
}

bool ln_generates(const char *name) { return find(name) != NULL; }

static ln_status parse(const ln_generator *g, const char *name, drawing *d, ln_error *error) {
    ln_line         line;
    const ln_status status = ln_line_split(name, "data", &line, error);
    if (status != LN_OK) return status;
    return ln_attr_parse(line.rest, line.word, g->attrs, d->args, g->args_size, ln_generator_attrs, &d->common,
                         sizeof d->common, error);
}

/* Arguments and sizes; *image_bytes of one image. */
static ln_status plan(const ln_generator *g, const char *name, drawing *d, ln_data_parts *parts, size_t *image_bytes,
                      ln_error *error) {
    const ln_status status = parse(g, name, d, error);
    if (status != LN_OK) return status;
    g->shape(d->args, parts);
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
    const ln_generator *const g = find(name);
    drawing                   d;
    if (g) return parse(g, name, &d, error);
    return ln_fail(error, LN_E_ARGUMENT, "'%.60s' begins with no generator's word, such as %s", name,
                   ln_generators[0]->name);
}

static void draw_all(const ln_generator *g, const drawing *d, bool test, size_t image_bytes, unsigned char *images,
                     uint8_t *labels) {
    const uint64_t mode = ln_fp_enter();
    for (size_t i = 0; i < (size_t)d->common.n; i++) {
        ln_random random = ln_random_at((uint64_t)d->common.seed, LN_RANDOM_DATA, test ? STREAM_TEST : STREAM_TRAIN, i);
        const ln_drawing one = {.args = d->args, .seed = (uint64_t)d->common.seed, .i = i, .random = &random};
        labels[i] = (uint8_t)g->draw(&one, images + i * image_bytes);
    }
    ln_fp_leave(mode);
}

ln_data *ln_generate(ln_context *context, const char *name, bool test, ln_error *error) {
    const ln_generator *const g = find(name);
    drawing                   d;
    ln_data_parts             parts;
    size_t                    image_bytes;
    if (plan(g, name, &d, &parts, &image_bytes, error) != LN_OK) return NULL;
    void           *images;
    const ln_status status = ln_allocate_large(context, name, parts.n * image_bytes, &images, error);
    uint8_t        *labels = ln_allocate(context, parts.n);
    ln_data        *data = NULL;
    if (status == LN_OK && labels) {
        draw_all(g, &d, test, image_bytes, images, labels);
        parts.pixels = images;
        parts.labels = labels;
        data = ln_data_new(context, name, &parts, error);
    } else if (status == LN_OK) ln_fail_memory(error, name, parts.n);
    if (data) return data;
    ln_release(context, images);
    ln_release(context, labels);
    return NULL;
}
