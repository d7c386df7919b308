/* sheet.c: a picture of many images side by side. */
#include "sheet.h"

#include "cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GAP = 4, SIDE = 56, MOST_PIXELS = 64000000, DOT = 4, GLYPH_W = 3, GLYPH_H = 5, DIGITS = 3 };

/* 0 to 9, five rows of three dots each, the first in the highest bits. */
static const unsigned short glyphs[10] = {075557, 026227, 071747, 071717, 055711,
                                          074717, 074757, 071111, 075757, 075717};

bool sheet_new(sheet *s, const ln_data *data, size_t n_rows, size_t n_columns, bool with_numbers, ln_error *error) {
    const ln_data_info info = ln_data_describe(data);
    const size_t       side = info.h > info.w ? info.h : info.w, zoom = side < SIDE ? SIDE / side : 1;
    const size_t       h = info.h * zoom, least = with_numbers ? GLYPH_H * DOT : 1, cell_h = h > least ? h : least;
    const size_t       margin = GAP + (with_numbers ? GAP + DIGITS * (GLYPH_W + 1) * DOT : 0);
    *s = (sheet){.c = info.c == 3 ? 3 : 1,
                 .h = h,
                 .w = info.w * zoom,
                 .zoom = zoom,
                 .cell_h = cell_h,
                 .margin = margin,
                 .picture_h = GAP + n_rows * (cell_h + GAP),
                 .picture_w = margin + n_columns * (info.w * zoom + GAP)};
    if ((double)s->picture_h * (double)s->picture_w > MOST_PIXELS) {
        return fill_error(error, LN_E_SHAPE,
                          "a sheet of %zu x %zu images of %zux%zu has more than %d pixels; show fewer or smaller ones",
                          n_rows, n_columns, info.h, info.w, MOST_PIXELS);
    }
    s->pixels = take(s->picture_h * s->picture_w, s->c);
    memset(s->pixels, 255, s->picture_h * s->picture_w * s->c);
    return true;
}

/* Value i of an image, from 0 to 255. */
static unsigned shade(const ln_data_info *info, const void *image, size_t i, double low, double high) {
    if (!info->is_float) return ((const unsigned char *)image)[i];
    const double x = high > low ? ((double)((const float *)image)[i] - low) / (high - low) : 0;
    return (unsigned)(x > 0 ? (x < 1 ? x * 255 + 0.5 : 255) : 0);
}

void sheet_put(sheet *s, const ln_data *data, size_t i, double low, double high, size_t row, size_t column) {
    const ln_data_info info = ln_data_describe(data);
    const void *const  image = ln_data_image(data, i);
    const size_t       top = GAP + row * (s->cell_h + GAP), left = s->margin + column * (s->w + GAP);
    const size_t       n_mixed = s->c == 1 && info.c > 1 ? info.c : 1; /* channels of the image for one of the sheet */
    for (size_t c = 0; c < s->c; c++)
        for (size_t y = 0; y < s->h; y++)
            for (size_t x = 0; x < s->w; x++) {
                size_t sum = n_mixed / 2;
                for (size_t k = c; k < c + n_mixed; k++)
                    sum += shade(&info, image, (k * info.h + y / s->zoom) * info.w + x / s->zoom, low, high);
                s->pixels[(c * s->picture_h + top + y) * s->picture_w + left + x] = (unsigned char)(sum / n_mixed);
            }
}

/* Dots of the glyph's line y that are black are so in all planes. */
static void draw_line(sheet *s, unsigned glyph, size_t y, size_t top, size_t left) {
    for (size_t x = 0; x < GLYPH_W * DOT; x++) {
        const size_t bit = (GLYPH_H - 1 - y / DOT) * GLYPH_W + (GLYPH_W - 1 - x / DOT);
        for (size_t c = 0; c < s->c && glyph >> bit & 1; c++)
            s->pixels[(c * s->picture_h + top + y) * s->picture_w + left + x] = 0;
    }
}

void sheet_number(sheet *s, size_t row, int number) {
    char         digits[12];
    const int    n = snprintf(digits, sizeof digits, "%d", number);
    const size_t top = GAP + row * (s->cell_h + GAP) + (s->cell_h - GLYPH_H * DOT) / 2;
    const size_t left = s->margin - GAP - (size_t)n * (GLYPH_W + 1) * DOT;
    for (int k = 0; k < n; k++)
        for (size_t y = 0; y < GLYPH_H * DOT; y++)
            draw_line(s, glyphs[digits[k] - '0'], y, top, left + (size_t)k * (GLYPH_W + 1) * DOT);
}

bool sheet_write(const sheet *s, ln_context *context, const char *path, ln_error *error) {
    return ln_picture_write(context, path, s->pixels, s->c, s->picture_h, s->picture_w, error) == LN_OK;
}

void sheet_free(sheet *s) {
    free(s->pixels);
    *s = (sheet){0};
}
