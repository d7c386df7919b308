/* shear: rows moved sideways in proportion to their distance from the middle, and columns up or down likewise
 *
 *   y at (j', i') from the centre = x at (j' + tan a · i', i' + tan b · j'), interpolated (data/warp.h)
 *
 * a is drawn evenly from -x to x degrees, b from -y to y. With y = 0 it is torchvision's RandomAffine(shear=x). */
#include "data/warp.h"

typedef struct shear_args {
    double x, y;
} shear_args;

static const ln_attr attrs[] = {{.key = "x",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(shear_args, x),
                                 .required = true,
                                 .positional = true,
                                 .low = 0,
                                 .high = 80,
                                 .help = "most degrees that upright lines lean to either side"},
                                {.key = "y",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(shear_args, y),
                                 .positional = true,
                                 .low = 0,
                                 .high = 80,
                                 .help = "most degrees that level lines rise or fall"},
                                {0}};

/* The tangent of an angle drawn from -most to most. */
static double draw(ln_random *random, double most) {
    double sine, cosine;
    ln_warp_turn(ln_augment_between(random, -most, most), &sine, &cosine);
    return sine / cosine;
}

static void change(const void *args, const ln_frame *f, ln_random *random, const void *from, void *to, void *work) {
    const shear_args *const a = args;
    const double            x = draw(random, a->x), y = draw(random, a->y);
    ln_warp_affine(f, &(ln_affine){.xx = 1, .xy = x, .yx = y, .yy = 1}, from, to, work);
}

const ln_augmentation ln_augmentation_shear = {
    .name = "shear",
    .help = "the image slanted about its centre",
    .attrs = attrs,
    .args_size = sizeof(shear_args),
    .check = ln_warp_check,
    .work_bytes = ln_warp_bytes,
    .change = change,
};
