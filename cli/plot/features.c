/* features.c: one image on its way through the network: what every layer makes of it. Maps are squares, rows of values
 * a strip; each layer has its own scale. */
#include "picture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LEFT = 20, NAMES = 250, MAPS = 16, SIDE = 52, GAP = 4, STRIP = 128, CELL = 7, ROW = SIDE + 16, MOST_ROWS = 40 };

typedef struct maps {
    size_t       c, h, w;
    const float *values;
    size_t       image; /* of the images, whose they are */
} maps;

static double largest(const maps *m) {
    double most = 0;
    for (size_t i = 0; i < m->c * m->h * m->w; i++)
        if (fabs((double)m->values[i]) > most) most = fabs((double)m->values[i]);
    return most;
}

/* Values without rows and columns: lines of cells. */
static void draw_strip(canvas *c, const maps *m, double most, double x, double y) {
    const size_t    n = m->c < 4 * STRIP ? m->c : 4 * STRIP, w = n < STRIP ? n : STRIP, h = (n + w - 1) / w;
    uint32_t *const pixels = take(w * h, sizeof *pixels);
    const double    fit = MAPS * (SIDE + GAP) / (double)w, side = fit > SIDE + GAP ? SIDE + GAP : fit;
    const double    height = h == 1 ? 26 : h == 2 ? 20 : CELL + 4;
    for (size_t i = 0; i < w * h; i++)
        pixels[i] = i < n ? two_sided_color(most > 0 ? (double)m->values[i] / most : 0) : COLOR_PAPER;
    const box b = {x, y + (SIDE - height * (double)h) / 2, side * (double)w, height * (double)h};
    canvas_image(c, b, pixels, w, h, false);
    canvas_rect(c, b, COLOR_NONE, COLOR_DIM);
    free(pixels);
}

static void draw_maps(canvas *c, const maps *m, double most, double x, double y) {
    const size_t    n = m->c < MAPS ? m->c : MAPS, area = m->h * m->w;
    uint32_t *const pixels = take(area, sizeof *pixels);
    const double    longer = (double)(m->h > m->w ? m->h : m->w);
    for (size_t k = 0; k < n; k++) {
        for (size_t i = 0; i < area; i++)
            pixels[i] = two_sided_color(most > 0 ? (double)m->values[k * area + i] / most : 0);
        const box b = {x + (double)k * (SIDE + GAP), y, SIDE * (double)m->w / longer, SIDE * (double)m->h / longer};
        canvas_image(c, b, pixels, m->w, m->h, false);
        canvas_rect(c, b, COLOR_NONE, COLOR_GRID);
    }
    free(pixels);
}

/* The input as it lies in the data. */
static void draw_input(canvas *c, const subject *s, const maps *m, double x, double y) {
    uint32_t *const pixels = take(m->h * m->w, sizeof *pixels);
    const double    longer = (double)(m->h > m->w ? m->h : m->w);
    image_pixels(s->images, m->image, pixels);
    canvas_image(c, (box){x, y, SIDE * (double)m->w / longer, SIDE * (double)m->h / longer}, pixels, m->w, m->h, false);
    free(pixels);
}

/* What the last layer's outputs stand for, under them. */
static void draw_classes(canvas *c, const subject *s, size_t n, double y) {
    pool       owner = {0};
    const font f = {.size = 11, .color = COLOR_DIM, .anchor = ANCHOR_MIDDLE};
    for (size_t i = 0; i < n; i++)
        canvas_text_within(c, LEFT + NAMES + (SIDE + GAP) * ((double)i + 0.5), y + SIDE - 4, f, SIDE,
                           class_name(s->model, i, &owner));
    pool_free(&owner);
}

static void draw_row(canvas *c, const subject *s, size_t row, const char *name, const maps *m, double y) {
    pool         owner = {0};
    const double most = largest(m), x = LEFT + NAMES;
    const bool   strip = m->h * m->w == 1;
    const size_t shown = strip ? (m->c < 4 * STRIP ? m->c : 4 * STRIP) : m->c < MAPS ? m->c : MAPS;
    const char  *rest = shown < m->c ? pool_format(&owner, ", first %zu", shown) : "";
    canvas_begin(c, "layer", name);
    canvas_text_within(c, LEFT, y + SIDE / 2.0 - 9, (font){.size = 12, .bold = true, .color = COLOR_INK}, NAMES - 12,
                       name);
    canvas_text_within(c, LEFT, y + SIDE / 2.0 + 9, (font){.size = 11, .color = COLOR_DIM}, NAMES - 12,
                       pool_format(&owner, "%zux%zux%zu, ±%.3g%s", m->c, m->h, m->w, most, rest));
    if (strip) draw_strip(c, m, most, x, y);
    else if (row == 0) draw_input(c, s, m, x, y);
    else draw_maps(c, m, most, x, y);
    if (strip && row == ln_model_layer_count(s->model) && m->c == ln_model_class_count(s->model) && m->c <= MAPS)
        draw_classes(c, s, m->c, y);
    canvas_end(c);
    pool_free(&owner);
}

static bool draw_layers(canvas *c, const subject *s, const ln_trace *trace, size_t image, size_t n_rows,
                        ln_error *error) {
    for (size_t row = 0; row < n_rows; row++) {
        maps        m;
        pool        owner = {0};
        const char *name = "input";
        ln_model_input_shape(s->model, &m.c, &m.h, &m.w);
        if (row > 0) {
            const ln_layer_info info = ln_model_layer(s->model, row - 1);
            m = (maps){.c = info.c, .h = info.h, .w = info.w};
            name = layer_words(&info, &owner);
        }
        float *const    values = take(m.c * m.h * m.w, sizeof *values);
        const ln_status status = ln_trace_values(trace, (ln_layer)row - 1, values, error);
        m.values = values;
        m.image = image;
        if (status == LN_OK) draw_row(c, s, row, name, &m, CHART_HEAD + 30 + (double)(row * ROW));
        free(values);
        pool_free(&owner);
        if (status != LN_OK) return false;
    }
    return true;
}

/* The place of the image that was asked for among the images; false with the error filled. */
static bool find_image(const subject *s, size_t *place, ln_error *error) {
    const size_t n = ln_data_describe(s->images).n;
    pool         owner = {0};
    for (*place = 0; *place < n; ++*place)
        if (!s->image || ln_data_image_number(s->images, *place) == *s->image) return true;
    const char *const numbers = subject_numbers(s, &owner);
    if (numbers)
        fill_error(error, LN_E_ARGUMENT, "image=%zu: none of the %zu %s, whose numbers are those of %.200s", *s->image,
                   n, s->set ? s->said : "images", numbers);
    else fill_error(error, LN_E_ARGUMENT, "image=%zu: there are %zu images, 0 to %zu", *s->image, n, n - 1);
    pool_free(&owner);
    return false;
}

/* "Image 7", or what its file is called. */
static const char *image_words(const subject *s, size_t place, pool *owner) {
    const char *const name = ln_data_image_name(s->images, place);
    return name ? name : pool_format(owner, "Image %zu", ln_data_image_number(s->images, place));
}

static canvas *draw(const subject *s, bool svg, ln_error *error) {
    const size_t n_layers = ln_model_layer_count(s->model);
    const size_t n_rows = n_layers + 1 < MOST_ROWS ? n_layers + 1 : MOST_ROWS;
    size_t       place;
    if (!find_image(s, &place, error)) return NULL;
    ln_trace *const trace = ln_trace_new(s->model, s->images, place, 1, false, error);
    if (!trace) return NULL;
    pool      owner = {0};
    canvas   *c = canvas_new(LEFT + NAMES + MAPS * (SIDE + GAP) + LEFT, CHART_HEAD + 30 + (double)(n_rows * ROW), svg);
    const int label = ln_data_label(s->images, place);
    chart_heading(c, pool_format(&owner, "%s on its way through the network", image_words(s, place, &owner)),
                  pool_format(&owner, "%s · %s%s%s%s", subject_name(s), s->said, label >= 0 ? " · label " : "",
                              label >= 0 ? class_name(s->model, (size_t)label, &owner) : "",
                              n_rows <= n_layers ? pool_format(&owner, " · the first %zu layers", n_rows - 1) : ""));
    two_sided_key(c, LEFT, CHART_HEAD + 8,
                  "negative (blue), 0 (white), positive (orange), each layer by its own scale ±");
    if (!draw_layers(c, s, trace, place, n_rows, error)) {
        canvas_free(c);
        c = NULL;
    }
    ln_trace_free(trace);
    pool_free(&owner);
    return c;
}

const picture picture_features = {.what = "features", .refuse = needs_images, .draw = draw};
