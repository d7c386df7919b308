/* histograms.c: of every layer the values of its weights, of their gradients, of its outputs and of theirs, at the
 * weights as they are, in one training step on the first images. */
#include "picture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
    LEFT = 20,
    NAMES = 250,
    COLUMN_W = 206,
    COLUMNS = 4,
    BARS = 40,
    BAR_H = 56,
    ROW = 96,
    MOST_ROWS = 32,
    IMAGES = 256
};

static const char *const titles[COLUMNS] = {"weights", "gradients of weights", "outputs", "gradients of outputs"};

/* How far the bars reach: to the largest value, but no further than six times the root mean square, as a few large ones
 * would make one bar of all others; how many values are not finite. */
static double reach(const float *values, size_t n, size_t *n_strange) {
    double most = 0, squares = 0;
    *n_strange = 0;
    for (size_t i = 0; i < n; i++) {
        const double size = fabs((double)values[i]);
        if (!isfinite(size)) {
            ++*n_strange;
            continue;
        }
        squares += size * size;
        if (size > most) most = size;
    }
    const double usual = 6 * sqrt(squares / (double)n);
    return usual < most ? usual : most;
}

/* Bars from -most to most, as high as the root of their share, so that few values are seen beside many. */
static void draw_bars(canvas *c, const float *values, size_t n, box b, size_t column) {
    size_t       count[BARS] = {0}, tallest = 1, n_strange;
    const double most = reach(values, n, &n_strange);
    pool         owner = {0};
    const font   f = {.size = 10, .color = COLOR_DIM, .anchor = ANCHOR_MIDDLE};
    font         end = f;
    for (size_t i = 0; i < n; i++)
        if (isfinite(values[i])) {
            const double share = most > 0 ? ((double)values[i] / most + 1) / 2 : 0.5;
            count[(size_t)((share < 0 ? 0 : share > 1 ? 1 : share) * (BARS - 1) + 0.5)]++;
        }
    for (size_t i = 0; i < BARS; i++)
        if (count[i] > tallest) tallest = count[i];
    canvas_begin(c, "histogram", titles[column]);
    for (size_t i = 0; i < BARS; i++) {
        const double h = b.h * sqrt((double)count[i] / (double)tallest), w = b.w / BARS;
        if (count[i]) canvas_rect(c, (box){b.x + (double)i * w, b.y + b.h - h, w, h}, style_color(column), COLOR_NONE);
    }
    canvas_line(c, (double[]){b.x, b.x + b.w}, (double[]){b.y + b.h, b.y + b.h}, 2, COLOR_DIM, 1, 0);
    canvas_text(c, b.x + b.w / 2, b.y + b.h + 10, f,
                n_strange ? pool_format(&owner, "%zu not finite", n_strange) : "0");
    end.anchor = ANCHOR_START;
    canvas_text(c, b.x, b.y + b.h + 10, end, pool_format(&owner, "-%.2g", most));
    end.anchor = ANCHOR_END;
    canvas_text(c, b.x + b.w, b.y + b.h + 10, end, pool_format(&owner, "%.2g", most));
    canvas_end(c);
    pool_free(&owner);
}

/* The layer's first learned tensor: "NAME.weight". */
static size_t weights_of(const subject *s, const char *layer) {
    const size_t n = ln_model_parameter_count(s->model), length = strlen(layer);
    for (size_t i = 0; i < n; i++) {
        const ln_parameter p = ln_model_parameter(s->model, i);
        if (p.learned && strncmp(p.name, layer, length) == 0 && p.name[length] == '.') return i;
    }
    return n;
}

static bool draw_weights(canvas *c, const subject *s, const ln_trace *trace, size_t parameter, box b, ln_error *error) {
    const ln_parameter p = ln_model_parameter(s->model, parameter);
    float *const       gradients = take(p.count, sizeof *gradients);
    const bool         good = ln_trace_parameter(trace, parameter, gradients, error) == LN_OK;
    draw_bars(c, p.values, p.count, b, 0);
    b.x += COLUMN_W;
    if (good) draw_bars(c, gradients, p.count, b, 1);
    free(gradients);
    return good;
}

static bool draw_outputs(canvas *c, const ln_trace *trace, ln_layer layer, size_t count, box b, ln_error *error) {
    float *const values = take(count, sizeof *values);
    bool         good = ln_trace_values(trace, layer, values, error) == LN_OK;
    b.x += 2 * COLUMN_W;
    if (good) draw_bars(c, values, count, b, 2);
    good = good && ln_trace_gradients(trace, layer, values, error) == LN_OK;
    b.x += COLUMN_W;
    if (good) draw_bars(c, values, count, b, 3);
    free(values);
    return good;
}

static bool draw_row(canvas *c, const subject *s, const ln_trace *trace, size_t i, size_t n, double y,
                     ln_error *error) {
    const ln_layer_info info = ln_model_layer(s->model, i);
    const size_t        parameter = weights_of(s, info.name);
    const box           b = {LEFT + NAMES, y, COLUMN_W - 28, BAR_H};
    pool                owner = {0};
    canvas_begin(c, "layer", info.name);
    canvas_text_within(c, LEFT, y + 20, (font){.size = 12, .bold = true, .color = COLOR_INK}, NAMES - 12,
                       layer_words(&info, &owner));
    if (info.n_parameters)
        canvas_text_within(c, LEFT, y + 38, (font){.size = 11, .color = COLOR_DIM}, NAMES - 12,
                           pool_format(&owner, "%s parameters", text_count(&owner, info.n_parameters)));
    const bool good =
        (parameter == ln_model_parameter_count(s->model) || draw_weights(c, s, trace, parameter, b, error)) &&
        draw_outputs(c, trace, (ln_layer)i, n * info.c * info.h * info.w, b, error);
    canvas_end(c);
    pool_free(&owner);
    return good;
}

/* Fewer images where their values would be many. */
static size_t images_for(const subject *s) {
    size_t values = 1, n = ln_data_describe(s->images).n;
    for (size_t i = 0; i < ln_model_layer_count(s->model); i++) {
        const ln_layer_info info = ln_model_layer(s->model, i);
        values += info.c * info.h * info.w;
    }
    const size_t fit = ((size_t)64 << 20) / values, most = fit < 1 ? 1 : fit < IMAGES ? fit : IMAGES;
    return n < most ? n : most;
}

static canvas *draw(const subject *s, bool svg, ln_error *error) {
    const size_t    n_layers = ln_model_layer_count(s->model), n_rows = n_layers < MOST_ROWS ? n_layers : MOST_ROWS;
    const size_t    n = images_for(s);
    ln_trace *const trace = ln_trace_new(s->model, s->images, 0, n, true, error);
    if (!trace) return NULL;
    pool         owner = {0};
    const double top = CHART_HEAD + 34;
    canvas      *c = canvas_new(LEFT + NAMES + COLUMNS * COLUMN_W, top + (double)(n_rows * ROW), svg);
    bool         good = true;
    chart_heading(
        c, "Weights, outputs and gradients, layer by layer",
        pool_format(
            &owner,
            "%s · a training step on the first %zu %s%s · heights by the root of the share, outer bars with all beyond",
            subject_name(s), n, s->said,
            n_rows < n_layers ? pool_format(&owner, " · the first %zu layers", n_rows) : ""));
    for (size_t k = 0; k < COLUMNS; k++)
        canvas_text(c, LEFT + NAMES + (double)(k * COLUMN_W) + (COLUMN_W - 28) / 2.0, CHART_HEAD + 12,
                    (font){.size = 14, .bold = true, .color = COLOR_INK, .anchor = ANCHOR_MIDDLE}, titles[k]);
    for (size_t i = 0; i < n_rows && good; i++) good = draw_row(c, s, trace, i, n, top + (double)(i * ROW), error);
    if (!good) {
        canvas_free(c);
        c = NULL;
    }
    ln_trace_free(trace);
    pool_free(&owner);
    return c;
}

const picture picture_histograms = {.what = "histograms", .refuse = needs_labels, .draw = draw};
