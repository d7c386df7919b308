/* sheet.c: a picture of many images side by side. */
#include "sheet.h"

#include "text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MARGIN = 3, GROUND = 96, SIDE = 56, MOST_PIXELS = 64000000 };

static size_t cell(size_t side, size_t zoom) { return side * zoom + MARGIN; }

bool sheet_new(sheet *s, const ln_data *data, size_t n_rows, size_t n_columns, ln_error *error) {
    const ln_data_info info = ln_data_describe(data);
    const size_t       side = info.h > info.w ? info.h : info.w, zoom = side < SIDE ? (SIDE + side - 1) / side : 1;
    *s = (sheet){.n_rows = n_rows,
                 .n_columns = n_columns,
                 .c = info.c == 3 ? 3 : 1,
                 .h = info.h,
                 .w = info.w,
                 .zoom = zoom,
                 .picture_h = n_rows * cell(info.h, zoom) + MARGIN,
                 .picture_w = n_columns * cell(info.w, zoom) + MARGIN};
    if ((double)s->picture_h * (double)s->picture_w > MOST_PIXELS) {
        error->status = LN_E_SHAPE;
        snprintf(error->message, sizeof error->message,
                 "a sheet of %zu x %zu images of %zux%zu has more than %d pixels; show fewer of them", n_rows,
                 n_columns, info.h, info.w, MOST_PIXELS);
        return false;
    }
    s->pixels = take(s->picture_h * s->picture_w, s->c);
    memset(s->pixels, GROUND, s->picture_h * s->picture_w * s->c);
    return true;
}

static unsigned char grey(const ln_data_info *info, const void *image, size_t i, double low, double high) {
    if (!info->is_float) return ((const unsigned char *)image)[i];
    const double x = high > low ? ((double)((const float *)image)[i] - low) / (high - low) : 0;
    return (unsigned char)(x > 0 ? (x < 1 ? x * 255 + 0.5 : 255) : 0);
}

void sheet_put(sheet *s, const ln_data *data, size_t i, double low, double high, size_t row, size_t column) {
    const ln_data_info info = ln_data_describe(data);
    const void        *image = ln_data_image(data, i);
    const size_t       top = MARGIN + row * cell(s->h, s->zoom), left = MARGIN + column * cell(s->w, s->zoom);
    for (size_t y = 0; y < s->h * s->zoom; y++)
        for (size_t x = 0; x < s->w * s->zoom; x++)
            for (size_t c = 0; c < s->c; c++)
                s->pixels[(c * s->picture_h + top + y) * s->picture_w + left + x] =
                    grey(&info, image, (c * s->h + y / s->zoom) * s->w + x / s->zoom, low, high);
}

bool sheet_write(const sheet *s, ln_context *context, const char *path, ln_error *error) {
    return ln_picture_write(context, path, s->pixels, s->c, s->picture_h, s->picture_w, error) == LN_OK;
}

void sheet_free(sheet *s) {
    free(s->pixels);
    *s = (sheet){0};
}
