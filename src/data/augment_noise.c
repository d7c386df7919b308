/* noise: a normal number with deviation std added to every value
 *
 *   y = x + std · z; bytes are held within 0 to 255 and rounded to the nearest, floats are stored as they come
 *
 * std counts in stored units: of bytes 25.5 is a tenth of the range. z come in pairs, of 16 bits each
 * (kernel/pixels.c), and none is beyond 4.9. */
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

static void change(const void *args, const ln_frame *f, ln_random *random, const void *from, void *to, void *work) {
    const noise_args *const a = args;
    const size_t            n = ln_frame_count(f);
    uint32_t                words[AT_ONCE / 2 + LN_AUGMENT_SPILL];
    float                   z[AT_ONCE];
    (void)work;
    for (size_t i = 0; i < n; i += AT_ONCE) {
        const size_t n_now = n - i < AT_ONCE ? n - i : AT_ONCE, at = i * f->value_bytes;
        ln_augment_words(f, random, words, (n_now + 1) / 2);
        f->pixels->normals(words, (n_now + 1) / 2, z);
        f->pixels->add((const char *)from + at, z, f->value_bytes > 1, n_now, (float)a->std, (char *)to + at);
    }
}

const ln_augmentation ln_augmentation_noise = {
    .name = "noise",
    .help = "a normal number added to every value",
    .attrs = attrs,
    .args_size = sizeof(noise_args),
    .change = change,
};
