/* brightness: all values times a factor drawn evenly from low to high
 *
 *   y = factor · x; bytes are held within 0 to 255 and rounded to the nearest, floats are stored as they come */
#include "data/augment.h"

typedef struct brightness_args {
    double low, high;
} brightness_args;

static const ln_attr attrs[] = {{.key = "low",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(brightness_args, low),
                                 .required = true,
                                 .positional = true,
                                 .low = 0,
                                 .high = 100,
                                 .help = "smallest factor"},
                                {.key = "high",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(brightness_args, high),
                                 .required = true,
                                 .positional = true,
                                 .low = 0,
                                 .high = 100,
                                 .help = "largest factor"},
                                {0}};

static ln_status check(const void *args, const ln_frame *f, ln_error *error) {
    const brightness_args *const a = args;
    (void)f;
    return ln_augment_range("brightness", "low", a->low, "high", a->high, error);
}

static void scale_bytes(const uint8_t *restrict x, size_t n, float factor, uint8_t *restrict y) {
    for (size_t i = 0; i < n; i++) y[i] = ln_augment_byte(factor * (float)x[i]);
}

static void scale_floats(const float *restrict x, size_t n, float factor, float *restrict y) {
    for (size_t i = 0; i < n; i++) y[i] = factor * x[i];
}

static void change(const void *args, const ln_frame *f, ln_random *random, const void *from, void *to, void *work) {
    const brightness_args *const a = args;
    const float                  factor = (float)ln_augment_between(random, a->low, a->high);
    const size_t                 n = f->c * f->h * f->w;
    (void)work;
    if (f->value_bytes == 1) scale_bytes(from, n, factor, to);
    else scale_floats(from, n, factor, to);
}

const ln_augmentation ln_augmentation_brightness = {
    .name = "brightness",
    .help = "all values times a factor",
    .attrs = attrs,
    .args_size = sizeof(brightness_args),
    .check = check,
    .change = change,
};
