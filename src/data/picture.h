/* Pictures: PNG and PGM of any size, as one image of the size that a network wants. */
#ifndef LN_DATA_PICTURE_H
#define LN_DATA_PICTURE_H

#include "base/context.h"

/* Limits against files that announce more than anyone would draw. */
enum {
    LN_PICTURE_MAX_SIDE = 16384,
    LN_PICTURE_MAX_PIXELS = 1 << 25,
    LN_PICTURE_MAX_FILE = 1 << 28 /* bytes */
};

/* A decoded picture: rows of pixels of n_channels samples, uint8_t when max <= 255, else uint16_t. */
typedef struct ln_picture {
    size_t   h, w;
    unsigned n_channels; /* 1: grey; 4: red, green, blue, alpha (not premultiplied) */
    unsigned max;        /* the sample that means white, or opaque */
    void    *samples;    /* from ln_allocate: the caller's */
} ln_picture;

/* name stands in messages. */
ln_status ln_picture_decode(ln_context *context, const char *name, const void *bytes, size_t n_bytes,
                            ln_picture *picture, ln_error *error);
/* c × h × w values of 0 … 255 into out: transparent parts laid over white, grey (c = 1) by the weights of Rec. 601, or
 * red, green, blue (c = 3), every value the mean over the area it covers, rounded to the nearest. */
void ln_picture_scale(const ln_picture *picture, size_t c, size_t h, size_t w, uint8_t *out);
/* True when the outer eighth is lighter than what it encloses (on average over c × h × w), unlike MNIST's digits. */
bool ln_picture_looks_inverted(const uint8_t *values, size_t c, size_t h, size_t w);

#endif
