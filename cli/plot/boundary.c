/* boundary.c: for networks of two inputs: the points with their labels, and the answer everywhere between them. */
#include "picture.h"

#include <math.h>
#include <stdlib.h>

enum { ACROSS = 240, LEFT = 70, SIDE = 600, FOOT = 50, LEGEND = 70 };

typedef struct plane {
    double low[2], high[2];
} plane;

static void stored_point(const ln_data *data, size_t i, double at[2]) {
    const bool        is_float = ln_data_describe(data).is_float;
    const void *const values = ln_data_image(data, i);
    for (size_t k = 0; k < 2; k++)
        at[k] = is_float ? (double)((const float *)values)[k] : (double)((const uint8_t *)values)[k];
}

static void take_in(plane *p, const ln_data *data) {
    for (size_t i = 0; data && i < ln_data_describe(data).n; i++) {
        double at[2];
        stored_point(data, i, at);
        for (size_t k = 0; k < 2; k++) {
            if (!isfinite(at[k])) continue;
            if (!(p->low[k] <= at[k])) p->low[k] = at[k];
            if (!(p->high[k] >= at[k])) p->high[k] = at[k];
        }
    }
}

static plane plane_of(const subject *s) {
    plane p = {{NAN, NAN}, {NAN, NAN}};
    take_in(&p, s->images);
    take_in(&p, s->data.train);
    for (size_t k = 0; k < 2; k++) {
        const double by = p.high[k] > p.low[k] ? 0.06 * (p.high[k] - p.low[k]) : 1;
        p.low[k] -= by;
        p.high[k] += by;
    }
    return p;
}

/* The middle of each little square, as stored values; rows from the top. */
static void fill_grid(const plane *p, float *values) {
    for (size_t y = 0; y < ACROSS; y++)
        for (size_t x = 0; x < ACROSS; x++) {
            float *const at = values + 2 * (y * ACROSS + x);
            at[0] = (float)(p->low[0] + (p->high[0] - p->low[0]) * ((double)x + 0.5) / ACROSS);
            at[1] = (float)(p->high[1] - (p->high[1] - p->low[1]) * ((double)y + 0.5) / ACROSS);
        }
}

/* The likeliest class's colour, the fainter the less sure. */
static uint32_t answer_color(const float *probabilities, size_t k) {
    size_t best = 0;
    for (size_t i = 1; i < k; i++)
        if (probabilities[i] > probabilities[best]) best = i;
    const double chance = 1 / (double)k, sure = ((double)probabilities[best] - chance) / (1 - chance);
    return mixed_color(COLOR_PAPER, style_color(best), 0.1 + 0.35 * (sure > 0 ? sure : 0));
}

static bool answers(const subject *s, const plane *p, uint32_t *pixels, ln_error *error) {
    const size_t n = (size_t)ACROSS * ACROSS, k = ln_model_class_count(s->model);
    float *const values = take(2 * n, sizeof *values), *const probabilities = take(n * k, sizeof *probabilities);
    size_t c, h, w;
    ln_model_input_shape(s->model, &c, &h, &w);
    fill_grid(p, values);
    ln_data *const grid = ln_data_from_floats(s->context, values, NULL, n, c, h, w, error);
    const bool     good = grid && ln_predict(s->model, grid, 256, NULL, probabilities, error) == LN_OK;
    for (size_t i = 0; good && i < n; i++) pixels[i] = answer_color(probabilities + i * k, k);
    ln_data_free(grid);
    free(values), free(probabilities);
    return good;
}

static void draw_points(canvas *c, const ln_data *data, const plane *p, box b, bool hollow, const char *name) {
    canvas_begin(c, "points", name);
    for (size_t i = 0; data && i < ln_data_describe(data).n; i++) {
        double at[2];
        stored_point(data, i, at);
        const double x = b.x + b.w * (at[0] - p->low[0]) / (p->high[0] - p->low[0]);
        const double y = b.y + b.h * (p->high[1] - at[1]) / (p->high[1] - p->low[1]);
        const int    label = ln_data_label(data, i);
        const size_t look = label < 0 ? 6 : (size_t)label;
        if (isfinite(x) && isfinite(y)) canvas_marker(c, x, y, 4, style_color(look), look, hollow);
    }
    canvas_end(c);
}

static void draw_axes(canvas *c, const plane *p, box b) {
    pool        owner = {0};
    font        f = {.size = 12, .color = COLOR_DIM, .anchor = ANCHOR_MIDDLE};
    font        axis = {.size = 13, .color = COLOR_INK, .anchor = ANCHOR_MIDDLE};
    const ticks x = chart_ticks(p->low[0], p->high[0], 8, false), y = chart_ticks(p->low[1], p->high[1], 8, false);
    for (size_t i = 0; i < x.n; i++)
        canvas_text(c, b.x + b.w * (x.at[i] - p->low[0]) / (p->high[0] - p->low[0]), b.y + b.h + 13, f,
                    chart_number(&owner, &x, x.at[i]));
    f.anchor = ANCHOR_END;
    for (size_t i = 0; i < y.n; i++)
        canvas_text(c, b.x - 7, b.y + b.h * (p->high[1] - y.at[i]) / (p->high[1] - p->low[1]), f,
                    chart_number(&owner, &y, y.at[i]));
    canvas_text(c, b.x + b.w / 2, b.y + b.h + 33, axis, "first value");
    axis.upright = true;
    canvas_text(c, 16, b.y + b.h / 2, axis, "second value");
    canvas_rect(c, b, COLOR_NONE, COLOR_DIM);
    pool_free(&owner);
}

/* A marker for each class, then what full and hollow ones are. */
static void draw_legend(canvas *c, const subject *s, double y, bool two_sets, const char *points) {
    const font f = {.size = 13, .color = COLOR_INK};
    pool       owner = {0};
    double     x = LEFT;
    for (size_t i = 0; i < ln_model_class_count(s->model) && x < LEFT + SIDE - 60; i++) {
        const char *const name = pool_format(&owner, "class %s", class_name(s->model, i, &owner));
        canvas_marker(c, x + 6, y, 5, style_color(i), i, false);
        canvas_text(c, x + 18, y, f, name);
        x += 18 + canvas_text_width(c, f, name) + 22;
    }
    canvas_text(c, LEFT, y + 21, (font){.size = 12, .color = COLOR_DIM},
                two_sets ? pool_format(&owner,
                                       "full: training points; hollow: %s; background: the answer, paler where "
                                       "less sure",
                                       points)
                         : pool_format(&owner, "%s; background: the answer, paler where less sure", points));
    pool_free(&owner);
}

static canvas *draw(const subject *s, bool svg, ln_error *error) {
    const plane       p = plane_of(s);
    uint32_t *const   pixels = take((size_t)ACROSS * ACROSS, sizeof *pixels);
    const bool        two_sets = s->data.train && s->data.train != s->images;
    const box         b = {LEFT, CHART_HEAD + LEGEND - 14, SIDE, SIDE};
    pool              owner = {0};
    canvas           *c = NULL;
    ln_metrics        m = {0};
    const char *const points = s->set ? pool_format(&owner, "%s points", s->set) : s->said;
    const bool        labelled = ln_data_describe(s->images).has_labels;
    if ((!labelled || ln_evaluate(s->model, s->images, 64, &m, NULL, error) == LN_OK) &&
        answers(s, &p, pixels, error)) {
        c = canvas_new(LEFT + SIDE + 30, b.y + SIDE + FOOT, svg);
        chart_heading(c, "Decision boundary",
                      labelled ? pool_format(&owner, "%s · %zu %s, %.1f %% correct", subject_name(s), m.n, points,
                                             100 * m.accuracy)
                               : subject_name(s));
        draw_legend(c, s, CHART_HEAD + 10, two_sets, points);
        canvas_image(c, b, pixels, ACROSS, ACROSS, true);
        if (two_sets) draw_points(c, s->data.train, &p, b, false, "training points");
        draw_points(c, s->images, &p, b, two_sets, points);
        draw_axes(c, &p, b);
    }
    free(pixels);
    pool_free(&owner);
    return c;
}

static const char *refuse(const subject *s) {
    size_t c, h, w;
    ln_model_input_shape(s->model, &c, &h, &w);
    if (c * h * w != 2) return "only networks of two inputs have a plane to draw";
    if (needs_images(s)) return needs_images(s);
    const ln_data_info i = ln_data_describe(s->images);
    return i.c * i.h * i.w == 2 ? NULL : "the images are no points of two values";
}

const picture picture_boundary = {.what = "boundary", .refuse = refuse, .draw = draw};
