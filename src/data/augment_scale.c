/* scale: the image larger or smaller about its centre, by a factor drawn evenly from low to high
 *
 *   y at (j', i') from the centre = x at (j' / factor, i' / factor), interpolated (data/warp.h)
 *
 * A factor above 1 enlarges, as in torchvision's RandomAffine(scale=(low, high)). */
#include "data/warp.h"

typedef struct scale_args {
    double low, high;
} scale_args;

static const ln_attr attrs[] = {{.key = "low",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(scale_args, low),
                                 .required = true,
                                 .positional = true,
                                 .low = 0.1,
                                 .high = 10,
                                 .help = "smallest factor"},
                                {.key = "high",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(scale_args, high),
                                 .required = true,
                                 .positional = true,
                                 .low = 0.1,
                                 .high = 10,
                                 .help = "largest factor"},
                                {0}};

static ln_status check(const void *args, const ln_frame *f, ln_error *error) {
    const scale_args *const a = args;
    const ln_status         status = ln_augment_range("scale", "low", a->low, "high", a->high, error);
    return status == LN_OK ? ln_warp_check("scale", f, error) : status;
}

static size_t work_bytes(const void *args, const ln_frame *f) {
    (void)args;
    return ln_warp_bytes(f);
}

static void change(const void *args, const ln_frame *f, ln_random *random, const void *from, void *to, void *work) {
    const scale_args *const a = args;
    const double            back = 1 / ln_augment_between(random, a->low, a->high);
    ln_warp_affine(f, &(ln_affine){.xx = back, .yy = back}, from, to, work);
}

const ln_augmentation ln_augmentation_scale = {
    .name = "scale",
    .help = "the image larger or smaller about its centre",
    .attrs = attrs,
    .args_size = sizeof(scale_args),
    .check = check,
    .work_bytes = work_bytes,
    .change = change,
};
