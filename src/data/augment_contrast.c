/* contrast: the distance of all values from their mean times a factor drawn evenly from low to high
 *
 *   y = m + factor · (x - m), m the mean of the image's values over all channels; bytes are held within 0 to 255 and
 *   rounded to the nearest, floats are stored as they come
 *
 * Of one channel it is torchvision's ColorJitter(contrast=…), whose m of colours is that of their greys. */
#include "data/augment.h"

static const ln_attr attrs[] = LN_FACTOR_ATTRS(0, 100);

static double sum_of_bytes(const uint8_t *x, size_t n) {
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i];
    return (double)sum;
}

static double sum_of_floats(const float *x, size_t n) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i];
    return sum;
}

static void change(const void *args, const ln_frame *f, ln_random *random, const void *from, void *to, void *work) {
    const size_t n = ln_frame_count(f);
    const bool   is_float = f->value_bytes > 1;
    const double sum = is_float ? sum_of_floats(from, n) : sum_of_bytes(from, n);
    (void)work;
    f->pixels->spread(from, is_float, n, (float)(sum / (double)n), (float)ln_factor_draw(args, random), to);
}

const ln_augmentation ln_augmentation_contrast = {
    .name = "contrast",
    .help = "the distance of all values from their mean times a factor",
    .attrs = attrs,
    .args_size = sizeof(ln_factor),
    .check = ln_factor_check,
    .change = change,
};
