/* data_sheet.c: a picture of some images of a set, a row a class, the class's number before it. */
#include "data.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PER_ROW = 8,
    UNLABELLED = 64,
    GAP = 4,
    CELL = 56,
    DOT = 4,
    GLYPH_W = 3,
    GLYPH_H = 5,
    MAX_SIDE = 16384,
    MAX_PIXELS = 1 << 27
};

/* 0 to 9, five rows of three dots each, the first in the highest bits. */
static const unsigned short glyphs[10] = {075557, 026227, 071747, 071717, 055711,
                                          074717, 074757, 071111, 075757, 075717};

typedef struct sheet {
    const data_stats *stats;
    size_t            n_rows, margin, scale, cell_h, cell_w, h, w, channels;
    uint8_t          *pixels; /* planes */
} sheet;

/* 0 to 255: bytes as they are, floats over the range of the set. */
static uint8_t shade(const data_stats *s, const void *image, size_t at) {
    if (!s->info.is_float) return ((const uint8_t *)image)[at];
    const double x = (double)((const float *)image)[at], range = s->high - s->low;
    return range > 0 ? (uint8_t)((long)((x - s->low) / range * 510 + 1) / 2) : 0; /* rounded */
}

/* Of one channel where there are three; else the mean over all. */
static uint8_t pixel(const sheet *t, const void *image, size_t channel, size_t y, size_t x) {
    const ln_data_info *const i = &t->stats->info;
    size_t                    sum = 0;
    if (t->channels == 3 || i->c < 1) return shade(t->stats, image, (channel * i->h + y) * i->w + x);
    for (size_t c = 0; c < i->c; c++) sum += shade(t->stats, image, (c * i->h + y) * i->w + x);
    return (uint8_t)((sum + i->c / 2) / i->c);
}

static void put(const sheet *t, size_t y, size_t x, size_t channel, uint8_t value) {
    t->pixels[(channel * t->h + y) * t->w + x] = value;
}

static void draw_image(const sheet *t, size_t row, size_t column, size_t i) {
    const void *const image = ln_data_image(t->stats->data, i);
    const size_t      top = GAP + row * (t->cell_h + GAP), left = t->margin + column * (t->cell_w + GAP);
    for (size_t c = 0; c < t->channels; c++)
        for (size_t y = 0; y < t->stats->info.h * t->scale; y++)
            for (size_t x = 0; x < t->cell_w; x++)
                put(t, top + y, left + x, c, pixel(t, image, c, y / t->scale, x / t->scale));
}

/* Black, to the left of the row, in the middle of its height. */
static void draw_number(const sheet *t, size_t row, int number) {
    char         digits[12];
    const int    n = snprintf(digits, sizeof digits, "%d", number);
    const size_t height = GLYPH_H * DOT, top = GAP + row * (t->cell_h + GAP) + (t->cell_h - height) / 2;
    const size_t left = t->margin - GAP - (size_t)n * (GLYPH_W + 1) * DOT;
    for (int k = 0; k < n; k++)
        for (size_t y = 0; y < height; y++)
            for (size_t x = 0; x < GLYPH_W * DOT; x++) {
                const size_t bit = (GLYPH_H - 1 - y / DOT) * GLYPH_W + (GLYPH_W - 1 - x / DOT);
                for (size_t c = 0; c < t->channels && glyphs[digits[k] - '0'] >> bit & 1; c++)
                    put(t, top + y, left + (size_t)k * (GLYPH_W + 1) * DOT + x, c, 0);
            }
}

static void draw_classes(const sheet *t) {
    const data_stats *const s = t->stats;
    size_t                  row = 0;
    for (int k = 0; k < 256; k++) {
        size_t column = 0;
        if (s->n_of[k] == 0) continue;
        draw_number(t, row, ln_data_class(s->data, k));
        for (size_t i = 0; i < s->info.n && column < PER_ROW; i++)
            if (ln_data_label(s->data, i) == k) draw_image(t, row, column++, i);
        row++;
    }
}

/* Sizes; false where there is no such picture. */
static bool lay_out(sheet *t, const char *path, ln_error *error) {
    const ln_data_info *const i = &t->stats->info;
    const size_t              side = i->h > i->w ? i->h : i->w, n = i->n < UNLABELLED ? i->n : UNLABELLED;
    t->channels = i->c == 3 ? 3 : 1;
    t->n_rows = i->has_labels ? t->stats->n_present : (n + PER_ROW - 1) / PER_ROW;
    t->margin = i->has_labels ? 2 * GAP + 3 * (GLYPH_W + 1) * DOT : GAP;
    t->scale = side < CELL ? CELL / side : 1;
    t->cell_h = i->h * t->scale, t->cell_w = i->w * t->scale;
    if (t->cell_h < GLYPH_H * DOT) t->cell_h = GLYPH_H * DOT;
    error->status = LN_E_ARGUMENT;
    if (i->h * i->w == 1)
        return snprintf(error->message, sizeof error->message,
                        "sheet=%.200s: images of %zux1x1 are no pictures: give the rows and columns that they have by "
                        "shape=, such as shape=1x28x28",
                        path, i->c),
               false;
    if (side < MAX_SIDE) t->h = GAP + t->n_rows * (t->cell_h + GAP), t->w = t->margin + PER_ROW * (t->cell_w + GAP);
    if (side < MAX_SIDE && t->h * t->w <= MAX_PIXELS) return true;
    return snprintf(error->message, sizeof error->message,
                    "sheet=%.200s: %zu rows of %d images of %zux%zu are too large for a sheet: convert some of them to "
                    "a folder of pictures",
                    path, t->n_rows, PER_ROW, i->h, i->w),
           false;
}

bool data_sheet(ln_context *context, const char *path, const data_stats *stats, ln_error *error) {
    sheet t = {.stats = stats};
    if (!lay_out(&t, path, error)) return false;
    t.pixels = take(t.channels * t.h, t.w);
    memset(t.pixels, 255, t.channels * t.h * t.w);
    if (stats->info.has_labels) draw_classes(&t);
    for (size_t i = 0; !stats->info.has_labels && i < stats->info.n && i < UNLABELLED; i++)
        draw_image(&t, i / PER_ROW, i % PER_ROW, i);
    const bool good = ln_picture_write(context, path, t.pixels, t.channels, t.h, t.w, error) == LN_OK;
    free(t.pixels);
    return good;
}
