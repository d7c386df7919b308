/* moons: points in the plane (2×1×1) on two half circles that reach into each other
 *
 *   class 0   (cos πu, sin πu) + noise · z
 *   class 1   (1 - cos πu, ½ - sin πu) + noise · z
 *
 * u is uniform in [0, 1), z are two normal numbers. Image i is of class i modulo 2. Source: scikit-learn's make_moons,
 * which takes evenly spaced u; here u is drawn, so that both parts differ also without noise. */
#include "data/generate.h"

typedef struct moons_args {
    double noise;
} moons_args;

static const ln_attr attrs[] = {{.key = "noise",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(moons_args, noise),
                                 .preset = 0.1,
                                 .low = 0,
                                 .high = 100,
                                 .help = "deviation of both coordinates"},
                                {0}};

static int draw(const ln_drawing *d, void *image) {
    const moons_args *const a = d->args;
    const bool              inner = d->i % 2;
    const ln_point          p = ln_generator_circle(0.5 * ln_random_uniform(d->random));
    ln_generator_put(d, inner ? (ln_point){1 - p.x, 0.5 - p.y} : p, a->noise, image);
    return inner;
}

const ln_generator ln_generator_moons = {
    .name = "moons",
    .help = "points in the plane (2x1x1), of two classes, on half circles that reach into each other",
    .attrs = attrs,
    .args_size = sizeof(moons_args),
    .shape = ln_generator_two_classes,
    .draw = draw,
};
