/* Augmentation: what is done to training images, anew in every epoch. One file a kind (augment_NAME.c), one line in
 * augments.def.
 *
 * A kind makes an image of an image, both of them stored values of one shape and type, before they are normalised. What
 * it draws comes from a stream that seed, epoch and the image's number alone determine: threads, batches and the order
 * of images change nothing. */
#ifndef LN_DATA_AUGMENT_H
#define LN_DATA_AUGMENT_H

#include "base/attr.h"
#include "base/random.h"
#include "data/data.h"
#include "kernel/pixels.h"

enum { LN_MAX_AUGMENTS = 16, LN_MAX_AUGMENT_ARGS = 64 };

/* What all images have in common: c × h × w values of so many bytes each (1: uint8, 4: float), adjacent; and the loops
 * that run over them. */
typedef struct ln_frame { size_t c, h, w, value_bytes; const ln_pixels *pixels; } ln_frame;
static inline size_t ln_frame_count(const ln_frame *f) { return f->c * f->h * f->w; }
ln_frame ln_frame_of(const ln_data *data);

typedef struct ln_augmentation ln_augmentation;
struct ln_augmentation {
    const char    *name, *help;
    const ln_attr *attrs;
    size_t         args_size;
    /* Do the arguments suit each other, and such images (frame NULL: any)? NULL: all do. */
    ln_status (*check)(const ln_augmentation *kind, const void *args, const ln_frame *frame, ln_error *error);
    /* Bytes of room, aligned to 64, that change takes beside the images; NULL: none. */
    size_t (*work_bytes)(const void *args, const ln_frame *frame);
    /* Writes what becomes of the image at from to to, which lies elsewhere. */
    void (*change)(const void *args, const ln_frame *frame, ln_random *random, const void *from, void *to, void *work);
    /* Of a kind that mixes each image with another one, in place of change: draws the other one's share, 0 to 1. */
    double (*share)(const void *args, ln_random *random);
};

#define LN_AUGMENTATION(name) LN_AUGMENTATION_##name,
typedef enum ln_augmentation_id {
#include "data/augments.def"
    LN_AUGMENTATION_COUNT
} ln_augmentation_id;
#undef LN_AUGMENTATION

extern const ln_augmentation *const ln_augmentations[LN_AUGMENTATION_COUNT];

/* One kind with its arguments. */
typedef struct ln_augment_step {
    const ln_augmentation *kind;
    _Alignas(16) unsigned char args[LN_MAX_AUGMENT_ARGS];
} ln_augment_step;

/* Some, in the order in which they are done. The first `mix` of them (all: none mixes) are done to both images. */
typedef struct ln_augment {
    size_t          n, mix;
    ln_augment_step step[LN_MAX_AUGMENTS];
} ln_augment;
static inline bool ln_augment_mixes(const ln_augment *augment) { return augment->mix < augment->n; }

/* Reads "shift 2, shift 0x1"; "none" and NULL have no kind. A comma parts two kinds where a letter follows; another one
 * is part of an argument. */
ln_status ln_augment_parse(const char *text, ln_augment *augment, ln_error *error);
/* Do all of them suit such images? */
ln_status ln_augment_check(const ln_augment *augment, const ln_frame *frame, ln_error *error);
/* Which image it is, in which epoch (from 0) of which training, and with which images it may be mixed (NULL where none
 * of the kinds does that). */
typedef struct ln_occasion { uint64_t seed, epoch; uint32_t image; const ln_data *among; } ln_occasion;
/* With which one it was mixed: its place in among, and its share of what was made; 0: with none. */
typedef struct ln_mate { size_t place; float share; } ln_mate;
/* The room, aligned to 64, that ln_augment_image wants beside the two images: a multiple of 64, or 0. */
size_t ln_augment_spare_bytes(const ln_augment *augment, const ln_frame *frame);
/* Writes to `to` what becomes of the image at from. n ≥ 1; none of the three overlaps another. */
ln_mate ln_augment_image(const ln_augment *augment, const ln_frame *frame, ln_occasion at, const void *from, void *to,
                         void *spare);

/* ------------------------------------------------------- what kinds share */

/* Two arguments between which a third number is drawn: low must not be above high. */
ln_status ln_augment_range(const char *kind, const char *low_key, double low, const char *high_key, double high,
                           ln_error *error);
/* Evenly from low to high. */
double ln_augment_between(ln_random *random, double low, double high);
/* The stream's next n words; up to LN_AUGMENT_SPILL behind them become anything. */
enum { LN_AUGMENT_SPILL = 4 * LN_COUNTERS };
void ln_augment_words(const ln_frame *frame, ln_random *random, uint32_t *words, size_t n);

/* The arguments of kinds that draw a factor, evenly from low to high, and no more. */
typedef struct ln_factor { double low, high; } ln_factor;
#define LN_FACTOR(name, least, most, says)                                                                     \
    {.key = #name, .type = LN_ATTR_FLOAT, .offset = offsetof(ln_factor, name), .required = true,               \
     .positional = true, .low = least, .high = most, .help = says}
#define LN_FACTOR_ATTRS(least, most) \
    {LN_FACTOR(low, least, most, "smallest factor"), LN_FACTOR(high, least, most, "largest factor"), {0}}
ln_status ln_factor_check(const ln_augmentation *kind, const void *args, const ln_frame *frame, ln_error *error);
double    ln_factor_draw(const void *args, ln_random *random);

#endif
