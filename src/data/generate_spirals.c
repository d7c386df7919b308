/* spirals: points in the plane (2×1×1) on arms that wind round the origin, one arm a class
 *
 *   (x, y) = r · (cos 2πφ, sin 2πφ) + noise · z,  r = √u, u uniform in [0, 1),  φ = class / classes + turns · r
 *
 * z are two normal numbers. √u has points lie about as densely at every part of an arm. Image i is of class i modulo
 * classes. Source: the two spirals of Lang and Witbrock, "Learning to tell two spirals apart" (1988). */
#include "base/math.h"
#include "data/generate.h"

typedef struct spirals_args {
    int    classes;
    double turns, noise;
} spirals_args;

static const ln_attr attrs[] = {{.key = "classes",
                                 .type = LN_ATTR_INT,
                                 .offset = offsetof(spirals_args, classes),
                                 .preset = 3,
                                 .low = 2,
                                 .high = 256,
                                 .help = "how many arms"},
                                {.key = "turns",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(spirals_args, turns),
                                 .preset = 1,
                                 .low = 0,
                                 .high = 100,
                                 .help = "how often an arm goes round"},
                                {.key = "noise",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(spirals_args, noise),
                                 .preset = 0.02,
                                 .low = 0,
                                 .high = 100,
                                 .help = "deviation of both coordinates from the arm, whose end is at distance 1"},
                                {0}};

static void shape(const void *args, ln_data_parts *parts) {
    const spirals_args *const a = args;
    *parts = (ln_data_parts){.is_float = true, .c = 2, .h = 1, .w = 1, .n_classes = a->classes};
}

static int draw(const ln_drawing *d, void *image) {
    const spirals_args *const a = d->args;
    const size_t class = d->i % (size_t)a->classes;
    const double   r = ln_sqrt(ln_random_uniform(d->random));
    const ln_point p = ln_generator_circle((double)class / a->classes + a->turns * r);
    ln_generator_put(d, (ln_point){r * p.x, r * p.y}, a->noise, image);
    return (int)class;
}

const ln_generator ln_generator_spirals = {
    .name = "spirals",
    .help = "points in the plane (2x1x1), on an arm of a spiral for each class",
    .attrs = attrs,
    .args_size = sizeof(spirals_args),
    .shape = shape,
    .draw = draw,
};
