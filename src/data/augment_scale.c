/* scale: the image larger or smaller about its centre, by a factor drawn evenly from low to high
 *
 *   y at (j', i') from the centre = x at (j' / factor, i' / factor), interpolated (data/warp.h)
 *
 * A factor above 1 enlarges, as in torchvision's RandomAffine(scale=(low, high)). */
#include "data/warp.h"

static const ln_attr attrs[] = LN_FACTOR_ATTRS(0.1, 10);

static ln_status check(const ln_augmentation *kind, const void *args, const ln_frame *f, ln_error *error) {
    const ln_status status = ln_factor_check(kind, args, f, error);
    return status == LN_OK ? ln_warp_check(kind, args, f, error) : status;
}

static void change(const void *args, const ln_frame *f, ln_random *random, const void *from, void *to, void *work) {
    const double back = 1 / ln_factor_draw(args, random);
    ln_warp_affine(f, &(ln_affine){.xx = back, .yy = back}, from, to, work);
}

const ln_augmentation ln_augmentation_scale = {
    .name = "scale",
    .help = "the image larger or smaller about its centre",
    .attrs = attrs,
    .args_size = sizeof(ln_factor),
    .check = check,
    .work_bytes = ln_warp_bytes,
    .change = change,
};
