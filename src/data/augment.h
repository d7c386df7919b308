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

enum { LN_MAX_AUGMENTS = 16, LN_MAX_AUGMENT_ARGS = 64 };

/* What all images have in common: c × h × w values of so many bytes each (1: uint8, 4: float), adjacent. */
typedef struct ln_frame { size_t c, h, w, value_bytes; } ln_frame;

typedef struct ln_augmentation {
    const char    *name, *help;
    const ln_attr *attrs;
    size_t         args_size;
    /* Do the arguments suit each other, and such images (frame NULL: any)? NULL: all do. */
    ln_status (*check)(const void *args, const ln_frame *frame, ln_error *error);
    /* Bytes of room, aligned to 64, that change takes beside the images; NULL: none. */
    size_t (*work_bytes)(const void *args, const ln_frame *frame);
    /* Writes what becomes of the image at from to to, which lies elsewhere. */
    void (*change)(const void *args, const ln_frame *frame, ln_random *random, const void *from, void *to, void *work);
} ln_augmentation;

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

/* Some, in the order in which they are done. */
typedef struct ln_augment {
    size_t          n;
    ln_augment_step step[LN_MAX_AUGMENTS];
} ln_augment;

/* Reads "shift 2, shift 0x1"; "none" and NULL have no kind. A comma parts two kinds where a letter follows; another one
 * is part of an argument. */
ln_status ln_augment_parse(const char *text, ln_augment *augment, ln_error *error);
/* Do all of them suit such images? */
ln_status ln_augment_check(const ln_augment *augment, const ln_frame *frame, ln_error *error);
/* Which image it is, in which epoch (from 0) of which training. */
typedef struct ln_occasion { uint64_t seed, epoch; uint32_t image; } ln_occasion;
/* The room, aligned to 64, that ln_augment_image wants beside the two images: a multiple of 64, or 0. */
size_t ln_augment_spare_bytes(const ln_augment *augment, const ln_frame *frame);
/* Writes to `to` what becomes of the image at from. n ≥ 1; none of the three overlaps another. */
void ln_augment_image(const ln_augment *augment, const ln_frame *frame, ln_occasion at, const void *from, void *to,
                      void *spare);

/* ------------------------------------------------------- what kinds share */

/* Two arguments between which a third number is drawn: low must not be above high. */
ln_status ln_augment_range(const char *kind, const char *low_key, double low, const char *high_key, double high,
                           ln_error *error);
/* Evenly from low to high. */
double ln_augment_between(ln_random *random, double low, double high);
/* A stored byte of a value from anywhere: held within 0 to 255, rounded to the nearest, halves up. */
static inline uint8_t ln_augment_byte(float x) {
    x = x > 0 ? x : 0;
    x = x < 255 ? x : 255;
    return (uint8_t)(int32_t)(x + 0.5f);
}

#endif
