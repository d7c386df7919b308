/* sheet.h: a picture of many images side by side, as a PNG file. */
#ifndef LN_CLI_SHEET_H
#define LN_CLI_SHEET_H

#include "linnet.h"

/* Images in rows and columns, a gap round each, small ones enlarged by whole pixels; numbers before the rows. */
typedef struct sheet {
    size_t         c, h, w;           /* c: 1 grey, 3 colours; h, w: of an image, enlarged */
    size_t         zoom;
    size_t         cell_h, margin;    /* rows of pixels that an image has room in; columns before the first image */
    size_t         picture_h, picture_w;
    unsigned char *pixels;            /* c planes of picture_h x picture_w, white to begin with */
} sheet;

/* An empty sheet for images of data's shape, in colours where they have three channels; with_numbers: room for them.
 * sheet_free it in any case. False, with the error filled, where the picture would have more than 64 million pixels. */
bool sheet_new(sheet *s, const ln_data *data, size_t n_rows, size_t n_columns, bool with_numbers, ln_error *error);
/* Lays image i of data there. Bytes are as they are, floats grey between low (black) and high (white); a grey sheet
 * shows the mean over all channels. */
void sheet_put(sheet *s, const ln_data *data, size_t i, double low, double high, size_t row, size_t column);
/* A number of at most three digits, black, to the left of the row. */
void sheet_number(sheet *s, size_t row, int number);
bool sheet_write(const sheet *s, ln_context *context, const char *path, ln_error *error);
void sheet_free(sheet *s);

#endif
