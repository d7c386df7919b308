/* rotate: the image turned about its centre, by an angle drawn evenly from -degrees to degrees
 *
 *   y at (j', i') from the centre = x at (cos a · j' - sin a · i', sin a · j' + cos a · i'), interpolated
 *   (data/warp.h); a above 0 turns counterclockwise, as in torchvision's RandomRotation and RandomAffine */
#include "data/warp.h"

typedef struct rotate_args {
    double degrees;
} rotate_args;

static const ln_attr attrs[] = {{.key = "degrees",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(rotate_args, degrees),
                                 .required = true,
                                 .positional = true,
                                 .low = 0,
                                 .high = 180,
                                 .help = "largest angle to either side"},
                                {0}};

static void change(const void *args, const ln_frame *f, ln_random *random, const void *from, void *to, void *work) {
    const rotate_args *const a = args;
    double                   sine, cosine;
    ln_warp_turn(ln_augment_between(random, -a->degrees, a->degrees), &sine, &cosine);
    const ln_affine map = {.xx = cosine, .xy = -sine, .yx = sine, .yy = cosine};
    ln_warp_affine(f, &map, from, to, work);
}

const ln_augmentation ln_augmentation_rotate = {
    .name = "rotate",
    .help = "the image turned about its centre, to either side",
    .attrs = attrs,
    .args_size = sizeof(rotate_args),
    .check = ln_warp_check,
    .work_bytes = ln_warp_bytes,
    .change = change,
};
