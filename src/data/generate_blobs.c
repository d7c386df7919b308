/* blobs: points in the plane (2×1×1), gathered about a centre for each class
 *
 *   (x, y) = centre + noise · z
 *
 * z are two normal numbers, a centre's coordinates are uniform in ±10 and the same in both parts. Image i is of class i
 * modulo classes. Source: scikit-learn's make_blobs. */
#include "data/generate.h"

typedef struct blobs_args {
    int    classes;
    double noise;
} blobs_args;

static const ln_attr attrs[] = {{.key = "classes",
                                 .type = LN_ATTR_INT,
                                 .offset = offsetof(blobs_args, classes),
                                 .preset = 3,
                                 .low = 2,
                                 .high = 256,
                                 .help = "how many centres"},
                                {.key = "noise",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(blobs_args, noise),
                                 .preset = 1,
                                 .low = 0,
                                 .high = 100,
                                 .help = "deviation of both coordinates from the centre"},
                                {0}};

static void shape(const void *args, ln_data_parts *parts) {
    const blobs_args *const a = args;
    *parts = (ln_data_parts){.is_float = true, .c = 2, .h = 1, .w = 1, .n_classes = a->classes};
}

static int draw(const ln_drawing *d, void *image) {
    const blobs_args *const a = d->args;
    const size_t class = d->i % (size_t)a->classes;
    ln_random    own = ln_generator_class(d, class);
    const double x = 20 * ln_random_uniform(&own) - 10, y = 20 * ln_random_uniform(&own) - 10;
    ln_generator_put(d, (ln_point){x, y}, a->noise, image);
    return (int)class;
}

const ln_generator ln_generator_blobs = {
    .name = "blobs",
    .help = "points in the plane (2x1x1), gathered about a centre for each class",
    .attrs = attrs,
    .args_size = sizeof(blobs_args),
    .shape = shape,
    .draw = draw,
};
