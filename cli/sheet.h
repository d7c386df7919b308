/* sheet.h: a picture of many images side by side, as a PNG file. */
#ifndef LN_CLI_SHEET_H
#define LN_CLI_SHEET_H

#include "linnet.h"

/* Images in rows and columns with a margin around each, enlarged by whole pixels where they are small. */
typedef struct sheet {
    size_t         n_rows, n_columns, c, h, w; /* c: 1 grey, 3 colours */
    size_t         zoom;
    unsigned char *pixels;                     /* c planes of rows of picture_w bytes */
    size_t         picture_h, picture_w;
} sheet;

/* An empty sheet for images of data's shape: of one channel or more than three grey (the first channel), else in
 * colours. sheet_free it. False, with the error filled, where the picture would be larger than 64 million pixels. */
bool sheet_new(sheet *s, const ln_data *data, size_t n_rows, size_t n_columns, ln_error *error);
/* Lays image i of data there. Floats become grey by low and high, which are black and white; bytes are as they are. */
void sheet_put(sheet *s, const ln_data *data, size_t i, double low, double high, size_t row, size_t column);
bool sheet_write(const sheet *s, ln_context *context, const char *path, ln_error *error);
void sheet_free(sheet *s);

#endif
