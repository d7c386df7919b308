/* Points in the plane, drawn by seed: two values an image (2×1×1) and a class.
 *
 * points   x and y uniform in ±1; class 1 where x + y + noise · z > 0, z normal: two classes on either side of a
 *          diagonal, mixed along it. It stands in for the exercise about headers won on a football pitch.
 *
 * Image i's numbers depend on seed, part (train or test) and i alone. */
#include "data/generate.h"

#include "base/attr.h"
#include "base/random.h"

#include <string.h>

typedef struct generator_args {
    int    n, seed;
    double noise;
} generator_args;

typedef struct generator {
    const char *name;
    int (*draw)(const generator_args *args, ln_random *random, float point[2]); /* the class */
    int n_classes;
} generator;

static int draw_points(const generator_args *args, ln_random *random, float point[2]) {
    const double x = 2 * ln_random_uniform(random) - 1, y = 2 * ln_random_uniform(random) - 1;
    point[0] = (float)x;
    point[1] = (float)y;
    return x + y + args->noise * ln_random_normal(random) > 0;
}

static const generator generators[] = {{"points", draw_points, 2}};
enum { N_GENERATORS = sizeof generators / sizeof *generators };

static const ln_attr attrs[] = {{.key = "n",
                                 .type = LN_ATTR_INT,
                                 .offset = offsetof(generator_args, n),
                                 .preset = 200,
                                 .low = 1,
                                 .high = 1e8,
                                 .help = "how many points"},
                                {.key = "noise",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(generator_args, noise),
                                 .preset = 0.3,
                                 .high = 100,
                                 .help = "how far the classes mix"},
                                {.key = "seed",
                                 .type = LN_ATTR_INT,
                                 .offset = offsetof(generator_args, seed),
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

static void draw_all(const generator *g, const generator_args *args, bool test, float *points, uint8_t *labels) {
    const uint64_t mode = ln_fp_enter();
    for (size_t i = 0; i < (size_t)args->n; i++) {
        ln_random random = ln_random_at((uint64_t)args->seed, LN_RANDOM_DATA, test, i);
        labels[i] = (uint8_t)g->draw(args, &random, points + 2 * i);
    }
    ln_fp_leave(mode);
}

ln_data *ln_generate(ln_context *context, const char *name, bool test, ln_error *error) {
    const generator *const g = find(name);
    generator_args         args;
    ln_line                line;
    if (ln_line_split(name, "data", &line, error) != LN_OK) return NULL;
    if (ln_attr_parse(line.rest, line.word, attrs, &args, sizeof args, NULL, NULL, 0, error) != LN_OK) return NULL;
    const size_t n = (size_t)args.n;
    float       *points = ln_allocate(context, 2 * n * sizeof *points);
    uint8_t     *labels = ln_allocate(context, n);
    ln_data     *data = NULL;
    if (points && labels) {
        draw_all(g, &args, test, points, labels);
        const ln_data_parts parts = {.pixels = points,
                                     .labels = labels,
                                     .is_float = true,
                                     .own = true,
                                     .n = n,
                                     .c = 2,
                                     .h = 1,
                                     .w = 1,
                                     .n_classes = g->n_classes};
        data = ln_data_new(context, name, &parts, error);
    } else ln_fail_memory(error, name, n * (2 * sizeof *points + 1));
    if (data) return data;
    ln_release(context, points);
    ln_release(context, labels);
    return NULL;
}
