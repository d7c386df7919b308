/* points: two values an image (2×1×1), x and y uniform in ±1; class 1 where x + y + noise · z > 0, z normal
 *
 * Two classes on either side of a diagonal, mixed along it. They stand in for the exercise about headers won on a
 * football pitch. */
#include "data/generate.h"

typedef struct points_args {
    double noise;
} points_args;

static const ln_attr attrs[] = {{.key = "noise",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(points_args, noise),
                                 .preset = 0.3,
                                 .low = 0,
                                 .high = 100,
                                 .help = "how far the classes mix"},
                                {0}};

static int draw(const ln_drawing *d, void *image) {
    const points_args *const a = d->args;
    const double             x = 2 * ln_random_uniform(d->random) - 1, y = 2 * ln_random_uniform(d->random) - 1;
    ln_generator_put(d, (ln_point){x, y}, 0, image);
    return x + y + a->noise * ln_random_normal(d->random) > 0;
}

const ln_generator ln_generator_points = {
    .name = "points",
    .help = "points in the plane (2x1x1), of two classes that mix along a diagonal",
    .attrs = attrs,
    .args_size = sizeof(points_args),
    .shape = ln_generator_two_classes,
    .draw = draw,
};
