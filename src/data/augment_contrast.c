/* contrast: the distance of all values from their mean times a factor drawn evenly from low to high
 *
 *   y = m + factor · (x - m), m the mean of the image's values over all channels; bytes are held within 0 to 255 and
 *   rounded to the nearest, floats are stored as they come
 *
 * Of one channel it is torchvision's ColorJitter(contrast=…), whose m of colours is that of their greys. */
#include "data/augment.h"

typedef struct contrast_args {
    double low, high;
} contrast_args;

static const ln_attr attrs[] = {{.key = "low",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(contrast_args, low),
                                 .required = true,
                                 .positional = true,
                                 .low = 0,
                                 .high = 100,
                                 .help = "smallest factor"},
                                {.key = "high",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(contrast_args, high),
                                 .required = true,
                                 .positional = true,
                                 .low = 0,
                                 .high = 100,
                                 .help = "largest factor"},
                                {0}};

static ln_status check(const void *args, const ln_frame *f, ln_error *error) {
    const contrast_args *const a = args;
    (void)f;
    return ln_augment_range("contrast", "low", a->low, "high", a->high, error);
}

static void spread_bytes(const uint8_t *restrict x, size_t n, float factor, uint8_t *restrict y) {
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) sum += x[i];
    const float m = (float)((double)sum / (double)n);
    for (size_t i = 0; i < n; i++) y[i] = ln_augment_byte(m + factor * ((float)x[i] - m));
}

static void spread_floats(const float *restrict x, size_t n, float factor, float *restrict y) {
    double sum = 0;
    for (size_t i = 0; i < n; i++) sum += (double)x[i];
    const float m = (float)(sum / (double)n);
    for (size_t i = 0; i < n; i++) y[i] = m + factor * (x[i] - m);
}

static void change(const void *args, const ln_frame *f, ln_random *random, const void *from, void *to, void *work) {
    const contrast_args *const a = args;
    const float                factor = (float)ln_augment_between(random, a->low, a->high);
    const size_t               n = f->c * f->h * f->w;
    (void)work;
    if (f->value_bytes == 1) spread_bytes(from, n, factor, to);
    else spread_floats(from, n, factor, to);
}

const ln_augmentation ln_augmentation_contrast = {
    .name = "contrast",
    .help = "the distance of all values from their mean times a factor",
    .attrs = attrs,
    .args_size = sizeof(contrast_args),
    .check = check,
    .change = change,
};
