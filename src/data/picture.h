/* Pictures: PNG, JPEG, PGM and PPM of any size, as one image of the size that a network wants.
 *
 * A kind of picture has two functions, in a file of its own: one reads the header and takes no memory for pixels, the
 * other decodes into the caller's. Neither asks a context for memory, so that threads may decode side by side. */
#ifndef LN_DATA_PICTURE_H
#define LN_DATA_PICTURE_H

#include "base/context.h"

/* Limits against files that announce more than anyone would draw. */
enum {
    LN_PICTURE_MAX_SIDE = 16384,
    LN_PICTURE_MAX_PIXELS = 1 << 25,
    LN_PICTURE_MAX_FILE = 1 << 28 /* bytes */
};

/* A decoded picture: pixels of n_channels samples, uint8_t when max <= 255, else uint16_t. The pixel shown in row y and
 * column x is number first + y·row_step + x·column_step of those stored (a JPEG may say how it is to be turned). */
typedef struct ln_picture {
    size_t    h, w;       /* as shown */
    unsigned  n_channels; /* 1: grey; 3: red, green, blue; 4: and alpha (not premultiplied) */
    unsigned  max;        /* the sample that means white, or opaque */
    bool      grey;       /* no pixel has a colour, whatever n_channels says */
    ptrdiff_t first, row_step, column_step;
    void     *samples; /* ln_picture_bytes of them */
} ln_picture;

/* What the header says: everything but samples. The kind is told by the first bytes; name stands in messages. */
ln_status ln_picture_header(const char *name, const void *bytes, size_t n_bytes, ln_picture *picture, ln_error *error);
size_t    ln_picture_bytes(const ln_picture *picture);
/* Decodes into picture->samples, the caller's, what ln_picture_header saw in the same bytes. */
ln_status ln_picture_pixels(const char *name, const void *bytes, size_t n_bytes, const ln_picture *picture,
                            ln_error *error);
/* Both; samples are from ln_allocate, and the caller's. */
ln_status ln_picture_decode(ln_context *context, const char *name, const void *bytes, size_t n_bytes,
                            ln_picture *picture, ln_error *error);
/* Is it the beginning of a picture that is read here? */
bool ln_picture_known(const void *bytes, size_t n_bytes);
/* c × h × w values of 0 … 255 into out: transparent parts laid over white, grey (c = 1) by the weights of Rec. 601, or
 * red, green, blue (c = 3). Along each axis a smaller result is the mean over the area of a value, a larger one
 * interpolates linearly between the middles of pixels; all rounded to the nearest. */
void ln_picture_scale(const ln_picture *picture, size_t c, size_t h, size_t w, uint8_t *out);
/* True when the outer eighth is lighter than what it encloses (on average over c × h × w), unlike MNIST's digits. */
bool ln_picture_looks_inverted(const uint8_t *values, size_t c, size_t h, size_t w);

/* ------------------------------------------------------------ kinds of picture */

typedef struct ln_picture_kind {
    bool (*is)(const unsigned char *bytes, size_t n_bytes);
    ln_status (*header)(const char *name, const unsigned char *bytes, size_t n_bytes, ln_picture *picture,
                        ln_error *error);
    ln_status (*pixels)(const char *name, const unsigned char *bytes, size_t n_bytes, const ln_picture *picture,
                        ln_error *error);
} ln_picture_kind;

extern const ln_picture_kind ln_picture_png, ln_picture_jpeg, ln_picture_netpbm;

/* As stored: pixel by pixel, row by row. */
ln_picture ln_picture_upright(size_t h, size_t w, unsigned n_channels, unsigned max);

#endif
