/* filters.c: the weights of the first layer that has some, when it is a convolution: a square for each filter; where it
 * looks at several channels, a row of squares; of three channels, as colours. */
#include "picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { LEFT = 20, GAP = 14, WIDTH = 900, MOST_FILTERS = 256, MOST_CHANNELS = 12, KEY = 26, NAME = 20 };

/* The weights: rank 4, of the first layer that learns; values NULL: there is no such convolution. */
static ln_parameter first_weights(const subject *s) {
    for (size_t i = 0; i < ln_model_parameter_count(s->model); i++) {
        const ln_parameter p = ln_model_parameter(s->model, i);
        if (!p.learned) continue;
        return p.rank == 4 && p.shape[2] * p.shape[3] > 1 ? p : (ln_parameter){0};
    }
    return (ln_parameter){0};
}

static const char *refuse(const subject *s) {
    return first_weights(s).values ? NULL : "its first layer with weights is no convolution of more than one pixel";
}

static double largest(const ln_parameter *p) {
    double most = 0;
    for (size_t i = 0; i < p->count; i++)
        if (fabs((double)p->values[i]) > most) most = fabs((double)p->values[i]);
    return most > 0 ? most : 1;
}

/* Filter o: of channel c, or of all three as colours. */
static void filter_pixels(const ln_parameter *p, size_t o, size_t channel, bool rgb, double most, uint32_t *pixels) {
    const size_t area = p->shape[2] * p->shape[3];
    const float *values = p->values + o * p->shape[1] * area;
    for (size_t k = 0; k < area; k++) {
        pixels[k] = two_sided_color((double)values[channel * area + k] / most);
        for (size_t j = 0; j < 3 && rgb; j++) {
            const uint32_t shade = (uint32_t)(127.5 + 127.5 * (double)values[j * area + k] / most);
            pixels[k] = (j ? pixels[k] : 0) | shade << (16 - 8 * j);
        }
    }
}

static void draw_filter(canvas *c, const ln_parameter *p, size_t o, size_t n_channels, bool rgb, double most, box b) {
    uint32_t *const pixels = take(p->shape[2] * p->shape[3], sizeof *pixels);
    pool            owner = {0};
    canvas_begin(c, "filter", pool_format(&owner, "filter %zu", o));
    canvas_text(c, b.x, b.y - 9, (font){.size = 11, .color = COLOR_DIM}, pool_format(&owner, "%zu", o));
    for (size_t channel = 0; channel < n_channels; channel++) {
        filter_pixels(p, o, channel, rgb, most, pixels);
        const box square = {b.x + (double)channel * (b.w + 3), b.y, b.w, b.h};
        canvas_image(c, square, pixels, p->shape[3], p->shape[2], false);
        canvas_rect(c, square, COLOR_NONE, COLOR_DIM);
    }
    canvas_end(c);
    free(pixels);
    pool_free(&owner);
}

static canvas *draw(const subject *s, bool svg, ln_error *error) {
    const ln_parameter p = first_weights(s);
    const bool         rgb = p.shape[1] == 3;
    const size_t       n_channels = rgb ? 1 : p.shape[1] < MOST_CHANNELS ? p.shape[1] : MOST_CHANNELS;
    const size_t       n = p.shape[0] < MOST_FILTERS ? p.shape[0] : MOST_FILTERS;
    const double       side = n_channels > 1 ? 56 : n <= 12 ? 130 : n <= 64 ? 84 : 48, most = largest(&p);
    const double       w = side * (double)n_channels + 3 * (double)(n_channels - 1) + GAP;
    const double       h = side * (double)p.shape[2] / (double)p.shape[3] + NAME + GAP;
    const size_t       fit = (size_t)(WIDTH / w), columns = fit < 1 || n < 1 ? 1 : fit < n ? fit : n;
    const size_t       rows = (n + columns - 1) / columns;
    pool               owner = {0};
    (void)error; /* weights that are there can be drawn */
    const double  width = (double)columns * w + 2 * LEFT;
    canvas *const c = canvas_new(width < 620 ? 620 : width, CHART_HEAD + KEY + (double)rows * h + GAP, svg);
    chart_heading(c, pool_format(&owner, "Filters of the first convolution, %zux%zu", p.shape[2], p.shape[3]),
                  pool_format(&owner, "%s · %s · %zu of %zu filters, %zu of %zu channels", subject_name(s), p.name, n,
                              p.shape[0], rgb ? 3 : n_channels, p.shape[1]));
    if (rgb)
        canvas_text(c, LEFT, CHART_HEAD + 10, (font){.size = 12, .color = COLOR_DIM},
                    pool_format(&owner, "red, green and blue: grey is 0, full colour ±%.3g", most));
    else
        two_sided_key(c, LEFT, CHART_HEAD + 10,
                      pool_format(&owner, "-%.3g (blue), 0 (white), %.3g (orange)", most, most));
    for (size_t o = 0; o < n; o++)
        draw_filter(c, &p, o, n_channels, rgb, most,
                    (box){LEFT + (double)(o % columns) * w,
                          CHART_HEAD + KEY + NAME + (double)(o - o % columns) / (double)columns * h, side,
                          h - NAME - GAP});
    pool_free(&owner);
    return c;
}

const picture picture_filters = {.what = "filters", .refuse = refuse, .draw = draw};
