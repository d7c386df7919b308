/* brightness: all values times a factor drawn evenly from low to high
 *
 *   y = factor · x; bytes are held within 0 to 255 and rounded to the nearest, floats are stored as they come */
#include "data/augment.h"

static const ln_attr attrs[] = LN_FACTOR_ATTRS(0, 100);

static void change(const void *args, const ln_frame *f, ln_random *random, const void *from, void *to, void *work) {
    (void)work;
    f->pixels->spread(from, f->value_bytes > 1, ln_frame_count(f), 0, (float)ln_factor_draw(args, random), to);
}

const ln_augmentation ln_augmentation_brightness = {
    .name = "brightness",
    .help = "all values times a factor",
    .attrs = attrs,
    .args_size = sizeof(ln_factor),
    .check = ln_factor_check,
    .change = change,
};
