/* erase: a rectangle filled with one value, with probability p
 *
 * Of an image of h × w, area = s h w with s drawn evenly from low to high, ratio r with log r drawn evenly from
 * log ratio_low to log ratio_high; the rectangle has round(√(area r)) rows and round(√(area / r)) columns, and any
 * place where it lies inside, each as likely. One that is as high or as wide as the image is drawn again, ten times at
 * most; then nothing is erased. All channels get the value, which is one as stored.
 * Source: Zhong et al., "Random erasing data augmentation", 2017; torchvision's RandomErasing. */
#include "base/math.h"
#include "data/augment.h"

#include <string.h>

enum { N_TRIES = 10 };

typedef struct erase_args {
    double p, low, high, ratio_low, ratio_high, value;
} erase_args;

#define FLOAT(name, by_place, usual, least, most, says)                                                    \
    {                                                                                                      \
        .key = #name, .type = LN_ATTR_FLOAT, .offset = offsetof(erase_args, name), .positional = by_place, \
        .preset = usual, .low = least, .high = most, .help = says                                          \
    }

static const ln_attr attrs[] = {FLOAT(p, true, 0.5, 0, 1, "probability"),
                                FLOAT(low, true, 0.02, 0, 1, "smallest share of the image's area"),
                                FLOAT(high, true, 0.33, 0, 1, "largest share"),
                                FLOAT(ratio_low, false, 0.3, 0.01, 100, "smallest ratio of height to width"),
                                FLOAT(ratio_high, false, 3.3, 0.01, 100, "largest ratio"),
                                FLOAT(value, false, 0, -1e6, 1e6, "what is written, as stored: of bytes 0 to 255"),
                                {0}};

static ln_status check(const ln_augmentation *kind, const void *args, const ln_frame *f, ln_error *error) {
    (void)kind;
    const erase_args *const a = args;
    ln_status               status = ln_augment_range("erase", "low", a->low, "high", a->high, error);
    if (status == LN_OK)
        status = ln_augment_range("erase", "ratio_low", a->ratio_low, "ratio_high", a->ratio_high, error);
    if (status == LN_OK && f && f->value_bytes == 1 && !(a->value >= 0 && a->value <= 255))
        status = ln_fail(error, LN_E_ARGUMENT, "augmentation erase: value=%g, but the images are bytes; give 0 to 255",
                         a->value);
    return status;
}

typedef struct part {
    size_t top, left, h, w;
} part;

static double log_between(ln_random *random, double low, double high) {
    return ln_exp_double(ln_augment_between(random, ln_log_double(low), ln_log_double(high)));
}

/* False: none was found. */
static bool draw(const erase_args *a, const ln_frame *f, ln_random *random, part *p) {
    for (int k = 0; k < N_TRIES; k++) {
        const double area = ln_augment_between(random, a->low, a->high) * (double)(f->h * f->w);
        const double ratio = log_between(random, a->ratio_low, a->ratio_high);
        p->h = (size_t)(ln_sqrt(area * ratio) + 0.5);
        p->w = (size_t)(ln_sqrt(area / ratio) + 0.5);
        if (p->h >= f->h || p->w >= f->w) continue;
        p->top = (size_t)ln_random_below(random, f->h - p->h + 1);
        p->left = (size_t)ln_random_below(random, f->w - p->w + 1);
        return true;
    }
    return false;
}

static void fill(const ln_frame *f, const part *p, double value, void *to) {
    const float x = (float)value;
    for (size_t c = 0; c < f->c; c++)
        for (size_t i = 0; i < p->h; i++) {
            const size_t at = (c * f->h + p->top + i) * f->w + p->left;
            if (f->value_bytes == 1) memset((uint8_t *)to + at, ln_stored_byte(x), p->w);
            else
                for (size_t j = 0; j < p->w; j++) ((float *)to)[at + j] = x;
        }
}

static void change(const void *args, const ln_frame *f, ln_random *random, const void *from, void *to, void *work) {
    const erase_args *const a = args;
    part                    p;
    (void)work;
    memcpy(to, from, f->c * f->h * f->w * f->value_bytes);
    if (ln_random_uniform(random) < a->p && draw(a, f, random, &p)) fill(f, &p, a->value, to);
}

const ln_augmentation ln_augmentation_erase = {
    .name = "erase",
    .help = "a rectangle filled with one value",
    .attrs = attrs,
    .args_size = sizeof(erase_args),
    .check = check,
    .change = change,
};
