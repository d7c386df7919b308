/* images.c: the images a verb is given, and how they look in text. */
#include "images.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

ln_data *images_open(ln_context *context, const char *name, ln_error *error) {
    static const char mnist[] = "mnist:";
    if (strcmp(name, "mnist") == 0) return ln_data_open(context, "mnist", "test", NULL, error);
    if (strncmp(name, mnist, sizeof mnist - 1) != 0) return ln_data_open(context, name, "test", NULL, error);
    const char *split = name + sizeof mnist - 1;
    if (strcmp(split, "train") == 0 || strcmp(split, "test") == 0)
        return ln_data_open(context, "mnist", split, NULL, error);
    error->status = LN_E_ARGUMENT;
    snprintf(error->message, sizeof error->message, "'%.200s': MNIST has the parts mnist:train and mnist:test", name);
    return NULL;
}

bool images_is_picture(const char *path) {
    unsigned char head[4] = {0};
    FILE         *file = fopen(path, "rb");
    const size_t  n = file ? fread(head, 1, sizeof head, file) : 0;
    if (file) fclose(file);
    if (n < 2) return false;
    return memcmp(head, "\x89PNG", 4) == 0 || (head[0] == 'P' && (head[1] == '2' || head[1] == '5'));
}

ln_data *images_part(ln_context *context, const ln_data *data, size_t from, size_t n, bool inverted, pool *owner,
                     ln_error *error) {
    const ln_data_info info = ln_data_describe(data);
    const size_t       count = info.c * info.h * info.w, size = count * (info.is_float ? sizeof(float) : 1);
    unsigned char     *values = pool_take(owner, n * size);
    uint8_t           *labels = info.has_labels ? pool_take(owner, n) : NULL;
    for (size_t i = 0; i < n; i++) {
        memcpy(values + i * size, ln_data_image(data, from + i), size);
        if (labels) labels[i] = (uint8_t)ln_data_label(data, from + i);
    }
    if (info.is_float)
        return ln_data_from_floats(context, (const float *)(const void *)values, labels, n, info.c, info.h, info.w,
                                   error);
    for (size_t i = 0; inverted && i < n * size; i++) values[i] = (unsigned char)(255 - values[i]);
    return ln_data_from_bytes(context, values, labels, n, info.c, info.h, info.w, error);
}

static double value_at(const ln_data_info *info, const void *image, size_t i) {
    return info->is_float ? (double)((const float *)image)[i] : (double)((const uint8_t *)image)[i];
}

float *images_floats(const ln_data *data, size_t n, ln_preprocess how) {
    const ln_data_info info = ln_data_describe(data);
    const size_t       count = info.c * info.h * info.w;
    float             *floats = take(n * count, sizeof *floats);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < count; j++)
            floats[i * count + j] =
                (float)((value_at(&info, ln_data_image(data, i), j) * how.scale - how.mean) / how.std);
    return floats;
}

/* ----------------------------------------------------------------- drawing */

/* The mean over channels and over the part of the image behind dot (x, y) of dots_w × dots_h. */
static double dot(const ln_data_info *info, const void *image, size_t x, size_t y, size_t dots_w, size_t dots_h) {
    const size_t y0 = y * info->h / dots_h, x0 = x * info->w / dots_w;
    size_t       y1 = (y + 1) * info->h / dots_h, x1 = (x + 1) * info->w / dots_w, n = 0;
    double       sum = 0;
    if (y1 <= y0) y1 = y0 + 1;
    if (x1 <= x0) x1 = x0 + 1;
    for (size_t c = 0; c < info->c; c++)
        for (size_t h = y0; h < y1; h++)
            for (size_t w = x0; w < x1; w++, n++) sum += value_at(info, image, (c * info->h + h) * info->w + w);
    return sum / (double)n;
}

/* Two dots wide and four high are one character: braille with those above a third, or a letter as grey as they are. */
static void add_character(text *line, const double *cell, bool utf8) {
    static const unsigned char bits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    static const char          greys[] = " .:-=+*#%@";
    double                     sum = 0;
    unsigned                   pattern = 0;
    for (size_t i = 0; i < 8; i++) {
        sum += cell[i];
        if (cell[i] > 1.0 / 3) pattern |= bits[i / 2][i % 2];
    }
    if (!utf8) text_add(line, "%c", greys[(size_t)(sum / 8 * 9.99)]);
    else if (pattern == 0) text_add(line, " ");
    else text_add(line, "\xe2%c%c", (char)(0xa0 + (pattern >> 6)), (char)(0x80 + (pattern & 0x3f)));
}

const char **images_draw(const ln_data *data, size_t i, size_t columns, bool utf8, size_t *n_rows, pool *owner) {
    const ln_data_info info = ln_data_describe(data);
    const void        *image = ln_data_image(data, i);
    const size_t       dots_w = 2 * columns, dots_h = (dots_w * info.h + info.w - 1) / info.w;
    const size_t       rows = (dots_h + 3) / 4;
    double            *grey = take(4 * rows * dots_w, sizeof *grey), low = INFINITY, high = -INFINITY;
    for (size_t k = 0; k < 4 * rows * dots_w; k++) grey[k] = -INFINITY; /* below the image there is nothing */
    for (size_t y = 0; y < dots_h; y++)
        for (size_t x = 0; x < dots_w; x++) {
            const double value = dot(&info, image, x, y, dots_w, dots_h);
            grey[y * dots_w + x] = value;
            if (value < low) low = value;
            if (value > high) high = value;
        }
    const char **lines = pool_take(owner, rows * sizeof *lines);
    for (size_t row = 0; row < rows; row++) {
        text line = {0};
        for (size_t column = 0; column < columns; column++) {
            double cell[8];
            for (size_t k = 0; k < 8; k++) {
                const double value = grey[(4 * row + k / 2) * dots_w + 2 * column + k % 2];
                cell[k] = high > low && value >= low ? (value - low) / (high - low) : 0;
            }
            add_character(&line, cell, utf8);
        }
        lines[row] = pool_copy(owner, line.bytes, line.n);
        text_free(&line);
    }
    free(grey);
    *n_rows = rows;
    return lines;
}
