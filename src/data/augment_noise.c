/* noise: a normal number with deviation std added to every value
 *
 *   y = x + std · z; bytes are held within 0 to 255 and rounded to the nearest, floats are stored as they come
 *
 * std counts in stored units: of bytes 25.5 is a tenth of the range. z are those of ln_random_normals, of which none is
 * beyond 4.9. */
#include "data/augment.h"

typedef struct noise_args {
    double std;
} noise_args;

static const ln_attr attrs[] = {{.key = "std",
                                 .type = LN_ATTR_FLOAT,
                                 .offset = offsetof(noise_args, std),
                                 .required = true,
                                 .positional = true,
                                 .low = 0,
                                 .high = 1e6,
                                 .help = "deviation, in units as stored: of bytes, whose range is 0 to 255"},
                                {0}};

enum { AT_ONCE = 256 };

static void add_bytes(const uint8_t *restrict x, const float *restrict z, size_t n, float std, uint8_t *restrict y) {
    for (size_t i = 0; i < n; i++) y[i] = ln_augment_byte((float)x[i] + std * z[i]);
}

static void add_floats(const float *restrict x, const float *restrict z, size_t n, float std, float *restrict y) {
    for (size_t i = 0; i < n; i++) y[i] = x[i] + std * z[i];
}

static void change(const void *args, const ln_frame *f, ln_random *random, const void *from, void *to, void *work) {
    const noise_args *const a = args;
    const size_t            n = f->c * f->h * f->w;
    float                   z[AT_ONCE];
    (void)work;
    for (size_t i = 0; i < n; i += AT_ONCE) {
        const size_t n_now = n - i < AT_ONCE ? n - i : AT_ONCE;
        ln_random_normals(random, z, n_now);
        if (f->value_bytes == 1) add_bytes((const uint8_t *)from + i, z, n_now, (float)a->std, (uint8_t *)to + i);
        else add_floats((const float *)from + i, z, n_now, (float)a->std, (float *)to + i);
    }
}

const ln_augmentation ln_augmentation_noise = {
    .name = "noise",
    .help = "a normal number added to every value",
    .attrs = attrs,
    .args_size = sizeof(noise_args),
    .change = change,
};
