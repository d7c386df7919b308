/* confusion.c: a row for each label, a column for each answer: how many, and which share of the label's images. */
#include "picture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    EDGE = 44,
    MOST_NAME = 240,
    LEAST_W = 480,          /* of the cells and what is white beside few */
    WIDE = 640,             /* cells of long names, in all */
    HEAD = CHART_HEAD + 60, /* where the cells begin under heads of a line */
    WORDS = 12,
    NUMBERS = 26
}; /* classes whose cells have room for shares; counts */

/* Blue for what is right, orange for what is not; by the root of the share, so that rare mistakes are seen. */
static int cell_color(uint64_t count, uint64_t of, bool right) {
    const double share = of ? (double)count / (double)of : 0, least = count ? 0.12 : 0;
    return (int)mixed_color(COLOR_PAPER, style_color(right ? 0 : 1), least + (1 - least) * sqrt(share));
}

static void draw_cell(canvas *c, box b, uint64_t count, uint64_t of, bool right, size_t k) {
    pool         owner = {0};
    const double share = of ? (double)count / (double)of : 0;
    const int    color = cell_color(count, of, right);
    font         f = {.size = 10, .color = readable_color(color), .anchor = ANCHOR_MIDDLE};
    if (k <= WORDS) f.size = 14, f.bold = true;
    canvas_rect(c, b, color, k <= 64 ? COLOR_GRID : COLOR_NONE);
    const double x = b.x + b.w / 2, y = b.y + b.h / 2;
    if (count > 0 && k <= NUMBERS)
        canvas_text(c, x, k <= WORDS ? y - 8 : y, f, pool_format(&owner, "%llu", (unsigned long long)count));
    f.size = 11, f.bold = false;
    if (count > 0 && k <= WORDS)
        canvas_text(c, x, y + 10, f, pool_format(&owner, share < 0.1 ? "%.2f %%" : "%.1f %%", 100 * share));
    pool_free(&owner);
}

/* The longest name's width, but MOST_NAME at most. */
static double longest(const subject *s, size_t k) {
    canvas *const measure = canvas_new(1, 1, true);
    double        most = 0;
    pool          owner = {0};
    for (size_t i = 0; i < k; i++) {
        const double width =
            canvas_text_width(measure, (font){.size = 13, .bold = true}, class_name(s->model, i, &owner));
        if (width > most) most = width;
    }
    pool_free(&owner);
    canvas_free(measure);
    most = 1.04 * most + 3; /* the width of a name is not quite the same at all sizes of pixels, nor upright */
    return most < MOST_NAME ? most : MOST_NAME;
}

/* Names stand beside and above the cells: upright above them, where a column is too narrow for the longest. */
typedef struct layout {
    double side, left, top, longest;
    bool   upright;
} layout;

/* How many columns share a head, so that heads have room. */
static size_t each_of(double side) { return side < 14 ? (size_t)(14 / side) + 1 : 1; }

/* Cells of few classes are as wide as the longest name, as far as a sheet has room. */
static layout lay_out(const subject *s, size_t k) {
    const double room = WIDE / (double)k;
    layout       l = {.side = k <= 4 ? 120 : k <= WORDS ? 62 : k <= NUMBERS ? 36 : 760.0 / (double)k};
    l.longest = longest(s, k);
    const double wanted = l.longest + 2 < room ? l.longest + 2 : room;
    if (wanted > l.side) l.side = wanted;
    l.upright = l.longest > l.side * (double)each_of(l.side) - 2;
    l.left = EDGE + 4 + l.longest;
    l.top = HEAD + (l.upright ? l.longest - 8 : 0);
    return l;
}

static void draw_names(canvas *c, const subject *s, size_t k, const layout *l) {
    const double side = l->side, left = l->left, top = l->top;
    pool         owner = {0};
    const size_t each = each_of(side);
    font         row = {.size = 13, .bold = true, .color = COLOR_INK, .anchor = ANCHOR_END}, column = row;
    column.anchor = l->upright ? ANCHOR_START : ANCHOR_MIDDLE;
    column.upright = l->upright;
    if (side < 20) row.size = column.size = 10;
    const double end = side * (double)k;
    for (size_t i = 0; i < k; i += each) {
        const double middle = side * ((double)i + 0.5);
        const char  *name = class_name(s->model, i, &owner);
        canvas_text_within(c, left - 8, top + middle, row, left - EDGE, name);
        canvas_text_within(c, left + middle, top - (l->upright ? 6 : 12), column,
                           l->upright ? l->longest : side * (double)each - 2, name);
    }
    const font axis = {.size = 14, .color = COLOR_INK, .anchor = ANCHOR_MIDDLE};
    font       up = axis;
    up.upright = true;
    canvas_text(c, left + end / 2, HEAD - 36, axis, "answer");
    canvas_text(c, 16, top + end / 2, up, "label");
    pool_free(&owner);
}

static const char *more_of(const subject *s, const ln_metrics *m, pool *owner) {
    return pool_format(owner, "%s · %s %s · %.2f %% correct · blue: right, orange: wrong", subject_name(s),
                       text_count(owner, m->n), s->said, 100 * m->accuracy);
}

static canvas *draw(const subject *s, bool svg, ln_error *error) {
    const size_t    k = ln_model_class_count(s->model);
    const layout    l = lay_out(s, k);
    const double    size = l.side * (double)k;
    uint64_t *const confusion = take(k * k, sizeof *confusion);
    ln_metrics      m;
    pool            owner = {0};
    canvas         *c = NULL;
    if (ln_evaluate(s->model, s->images, 64, &m, confusion, error) == LN_OK) {
        c = canvas_new(l.left + (size < LEAST_W ? LEAST_W : size) + 30, l.top + size + 30, svg);
        chart_heading(c, "Which answers the labels get", more_of(s, &m, &owner));
        draw_names(c, s, k, &l);
        for (size_t i = 0; i < k; i++) {
            uint64_t of = 0;
            for (size_t j = 0; j < k; j++) of += confusion[i * k + j];
            canvas_begin(c, "row", class_name(s->model, i, &owner));
            for (size_t j = 0; j < k; j++)
                draw_cell(c, (box){l.left + (double)j * l.side, l.top + (double)i * l.side, l.side, l.side},
                          confusion[i * k + j], of, i == j, k);
            canvas_end(c);
        }
    }
    free(confusion);
    pool_free(&owner);
    return c;
}

const picture picture_confusion = {.what = "confusion", .refuse = needs_labels, .draw = draw};
