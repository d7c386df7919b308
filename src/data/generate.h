/* Data sets that are computed, one a file: "points n=211 noise=0.3 seed=1", "pictures n=1000 c=3 h=32 w=32 classes=10".
 *
 * A generator draws image i from a stream of its own, which depends on seed, part (train or test) and i alone: so a set
 * begins as a smaller one does, and the two parts share nothing but what is drawn by ln_generator_class. */
#ifndef LN_DATA_GENERATE_H
#define LN_DATA_GENERATE_H

#include "base/attr.h"
#include "base/random.h"
#include "data/data.h"

enum { LN_MAX_GENERATOR_ARGS = 64 };

/* The image to be drawn: args are the generator's own. */
typedef struct ln_drawing {
    const void *args;
    uint64_t    seed;
    size_t      i;      /* in its part */
    ln_random  *random; /* its stream */
} ln_drawing;

typedef struct ln_generator {
    const char    *name, *help;
    const ln_attr *attrs; /* beside ln_generator_attrs */
    size_t         args_size;
    void (*shape)(const void *args, ln_data_parts *parts); /* sets c, h, w, is_float and n_classes */
    int (*draw)(const ln_drawing *d, void *image);         /* writes it, and returns its class */
} ln_generator;

#define LN_GENERATOR(name) LN_GENERATOR_##name,
typedef enum ln_generator_id {
#include "data/generators.def"
    LN_GENERATOR_COUNT
} ln_generator_id;
#undef LN_GENERATOR

extern const ln_generator *const ln_generators[LN_GENERATOR_COUNT];
/* n and seed, which every one takes. */
extern const ln_attr ln_generator_attrs[];

/* What belongs to a class of this seed, in both parts. */
ln_random ln_generator_class(const ln_drawing *d, uint64_t class);
/* The point at angle 2π · turns (turns ≥ 0, small) on the circle of radius 1, correct to 1e-15. */
typedef struct ln_point { double x, y; } ln_point;
ln_point ln_generator_circle(double turns);
/* The shape of points in the plane, of two classes, whatever the arguments. */
void ln_generator_two_classes(const void *args, ln_data_parts *parts);
/* Two floats: the point, each coordinate moved by noise · z, z normal. */
void ln_generator_put(const ln_drawing *d, ln_point point, double noise, void *image);

/* Does name begin with a generator's word? */
bool ln_generates(const char *name);
/* Is name such a line, whatever memory it takes? */
ln_status ln_generator_check(const char *name, ln_error *error);
/* The images that name describes; the test part draws other numbers. */
ln_data *ln_generate(ln_context *context, const char *name, bool test, ln_error *error);

#endif
