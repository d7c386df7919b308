/* circles: points in the plane (2×1×1) on two circles, one within the other
 *
 *   class 0   (cos 2πu, sin 2πu) + noise · z
 *   class 1   factor · (cos 2πu, sin 2πu) + noise · z
 *
 * u is uniform in [0, 1), z are two normal numbers. Image i is of class i modulo 2. Source: scikit-learn's
 * make_circles, which takes evenly spaced u; here u is drawn, so that both parts differ also without noise. */
#include "data/generate.h"

typedef struct circles_args {
    double factor, noise;
} circles_args;

static const ln_attr attrs[] = {{.key = "factor",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(circles_args, factor),
                                 .preset = 0.8,
                                 .low = 0,
                                 .high = 1,
                                 .help = "radius of the inner circle, where the outer one has 1"},
                                {.key = "noise",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(circles_args, noise),
                                 .preset = 0.05,
                                 .low = 0,
                                 .high = 100,
                                 .help = "deviation of both coordinates"},
                                {0}};

static int draw(const ln_drawing *d, void *image) {
    const circles_args *const a = d->args;
    const bool                inner = d->i % 2;
    const double              radius = inner ? a->factor : 1;
    const ln_point            p = ln_generator_circle(ln_random_uniform(d->random));
    ln_generator_put(d, (ln_point){radius * p.x, radius * p.y}, a->noise, image);
    return inner;
}

const ln_generator ln_generator_circles = {
    .name = "circles",
    .help = "points in the plane (2x1x1), of two classes, on a circle within another",
    .attrs = attrs,
    .args_size = sizeof(circles_args),
    .shape = ln_generator_two_classes,
    .draw = draw,
};
