/* chart.c: axes, ticks, lines. */
#include "chart.h"

#include <math.h>
#include <stdlib.h>

enum { MARGIN = 20, LABELS_W = 74, LABELS_H = 46, TITLE_H = 30, LEGEND_ROW = 20, LEGEND_LINE = 30, FEW_POINTS = 40 };

static const font title_font = {.size = 15, .bold = true, .color = COLOR_INK};
static const font axis_font = {.size = 13, .color = COLOR_INK, .anchor = ANCHOR_MIDDLE};
static const font tick_font = {.size = 12, .color = COLOR_DIM};
static const font legend_font = {.size = 13, .color = COLOR_INK};

/* -------------------------------------------------------------------- ticks */

ticks chart_ticks(double low, double high, size_t most, bool counts) {
    const double raw = (high - low) / (double)most, power = pow(10, floor(log10(raw)));
    double       step = raw <= power ? power : raw <= 2 * power ? 2 * power : raw <= 5 * power ? 5 * power : 10 * power;
    ticks        t = {0};
    if (counts && step < 1) step = 1;
    const double exponent = floor(log10(step) + 1e-9);
    t.decimals = exponent < 0 ? (int)-exponent : 0;
    for (double k = ceil(low / step - 1e-9); k * step <= high + 1e-9 * step && t.n < 16; k++) {
        t.at[t.n++] = fabs(k) < 1e-12 ? 0 : k * step;
        if (fabs(k) > 1e15) break;
    }
    return t;
}

/* 1, 2 and 5 times powers of ten where these are few, or else the powers, or every so many of them. */
static ticks log_ticks(double low, double high, size_t most) {
    static const double steps[3] = {1, 2, 5};
    const double        decades = log10(high / low);
    const size_t        each = decades < 2.5 ? 3 : 1;
    const double        stride = decades / (double)most > 1 ? ceil(decades / (double)most) : 1;
    ticks               t = {.log = true};
    for (double e = floor(log10(low)); e <= log10(high) + 1; e += stride)
        for (size_t k = 0; k < each; k++) {
            const double at = pow(10, e) * steps[k];
            if (at >= low * (1 - 1e-9) && at <= high * (1 + 1e-9) && t.n < 16) t.at[t.n++] = at;
        }
    return t;
}

const char *chart_number(pool *owner, const ticks *t, double value) {
    const double size = fabs(value);
    if (t->log || (size > 0 && (size >= 1e6 || t->decimals > 5))) return pool_format(owner, "%.6g", value);
    return pool_format(owner, "%.*f", t->decimals, value);
}

/* --------------------------------------------------------------------- axes */

typedef struct range {
    double low, high;
    bool   log;
} range;

typedef struct axes {
    box   area; /* of the lines */
    range x, y;
} axes;

static void take_in(range *r, double value) {
    if (!isfinite(value)) return;
    if (!(r->low <= value)) r->low = value;
    if (!(r->high >= value)) r->high = value;
}

static bool is_drawn(const series *s, size_t i) { return isfinite(s->x[i]) && isfinite(s->y[i]); }

static void widen(range *r, double share) {
    if (!(r->low <= r->high)) *r = (range){0, 1, false}; /* nothing to draw */
    double by = share * (r->high - r->low);
    if (r->low >= r->high) by = r->low == 0.0 ? 1 : 0.1 * fabs(r->low);
    r->low -= by;
    r->high += by;
}

static axes axes_of(const panel *p, box area) {
    axes a = {area, {NAN, NAN, false}, {NAN, NAN, false}};
    for (size_t s = 0; s < p->n_series; s++)
        for (size_t i = 0; i < p->series[s].n; i++)
            if (is_drawn(&p->series[s], i)) {
                take_in(&a.x, p->series[s].x[i]);
                take_in(&a.y, p->series[s].y[i] * p->y_factor);
            }
    a.y.log = a.y.low > 0 && a.y.high > 30 * a.y.low;
    if (a.y.log) {
        a.y.low /= 1.15;
        a.y.high *= 1.15;
    } else {
        const bool share = p->y_factor > 1 && a.y.high <= 100;
        widen(&a.y, 0.05);
        if (share && a.y.high > 100) a.y.high = 100.0 + 0.02 * (100 - a.y.low); /* no more than all */
    }
    widen(&a.x, 0.02);
    return a;
}

static double place_x(const axes *a, double x) {
    return a->area.x + (x - a->x.low) / (a->x.high - a->x.low) * a->area.w;
}

static double place_y(const axes *a, double y) {
    const double share =
        a->y.log ? log(y / a->y.low) / log(a->y.high / a->y.low) : (y - a->y.low) / (a->y.high - a->y.low);
    return a->area.y + a->area.h - share * a->area.h;
}

static void draw_grid(canvas *c, const axes *a, const panel *p) {
    pool        owner = {0};
    const box   b = a->area;
    const ticks x = chart_ticks(a->x.low, a->x.high, b.w > 300 ? 8 : 5, p->counts);
    const ticks y =
        a->y.log ? log_ticks(a->y.low, a->y.high, 7) : chart_ticks(a->y.low, a->y.high, b.h > 200 ? 8 : 5, false);
    font f = tick_font;
    f.anchor = ANCHOR_MIDDLE;
    for (size_t i = 0; i < x.n; i++) {
        const double at = place_x(a, x.at[i]);
        canvas_line(c, (double[]){at, at}, (double[]){b.y, b.y + b.h}, 2, COLOR_GRID, 1, 0);
        canvas_text(c, at, b.y + b.h + 13, f, chart_number(&owner, &x, x.at[i]));
    }
    f.anchor = ANCHOR_END;
    for (size_t i = 0; i < y.n; i++) {
        const double at = place_y(a, y.at[i]);
        canvas_line(c, (double[]){b.x, b.x + b.w}, (double[]){at, at}, 2, COLOR_GRID, 1, 0);
        canvas_text(c, b.x - 7, at, f, chart_number(&owner, &y, y.at[i]));
    }
    canvas_rect(c, b, COLOR_NONE, COLOR_DIM);
    pool_free(&owner);
}

/* -------------------------------------------------------------------- lines */

/* Of more points than dots, only the lowest and the highest of a dot's width are drawn. */
static size_t thin_out(double *x, double *y, size_t n) {
    size_t out = 0;
    for (size_t i = 0; i < n;) {
        size_t low = i, high = i, end = i;
        while (end < n && fabs(x[end] - x[i]) < 0.5) {
            if (y[end] < y[low]) low = end;
            if (y[end] > y[high]) high = end;
            end++;
        }
        if (end == i) end++;
        const size_t first = low < high ? low : high, second = low < high ? high : low;
        const double fx = x[first], fy = y[first], sx = x[second], sy = y[second];
        x[out] = fx, y[out++] = fy;
        if (second != first) x[out] = sx, y[out++] = sy;
        i = end;
    }
    return out;
}

static void draw_piece(canvas *c, double *x, double *y, size_t n, const series *s, bool marked) {
    const int    color = s->faint ? 0x999999 : style_color(s->style);
    const size_t left = n > 1000 ? thin_out(x, y, n) : n;
    canvas_line(c, x, y, left, color, s->faint ? 1.3 : 2, s->style);
    for (size_t i = 0; i < n && (marked || n == 1); i++) canvas_marker(c, x[i], y[i], 3.6, color, s->style, false);
}

static void draw_series(canvas *c, const axes *a, const panel *p, const series *s) {
    double *const x = take(s->n, sizeof *x), *const y = take(s->n, sizeof *y);
    size_t n = 0, n_drawn = 0;
    for (size_t i = 0; i < s->n; i++) n_drawn += is_drawn(s, i);
    const bool marked = n_drawn <= FEW_POINTS && !s->faint;
    canvas_begin(c, "series", s->name);
    for (size_t i = 0; i <= s->n; i++) {
        if (i < s->n && is_drawn(s, i)) {
            x[n] = place_x(a, s->x[i]);
            y[n++] = place_y(a, s->y[i] * p->y_factor);
        } else if (n > 0 && (i == s->n || isinf(s->y[i]))) {
            draw_piece(c, x, y, n, s, marked);
            n = 0;
        }
    }
    canvas_end(c);
    free(x), free(y);
}

void chart_panel(canvas *c, box b, const panel *p) {
    const box  area = {b.x + LABELS_W, b.y + TITLE_H, b.w - LABELS_W - MARGIN, b.h - TITLE_H - LABELS_H};
    const axes a = axes_of(p, area);
    font       up = axis_font;
    pool       owner = {0};
    up.upright = true;
    canvas_begin(c, "panel", p->title);
    if (*p->title) canvas_text_within(c, area.x, b.y + 14, title_font, area.w, p->title);
    draw_grid(c, &a, p);
    canvas_text(c, area.x + area.w / 2, b.y + b.h - 16, axis_font, p->x_label);
    canvas_text(c, b.x + 12, area.y + area.h / 2, up,
                a.y.log ? pool_format(&owner, "%s (logarithmic)", p->y_label) : p->y_label);
    canvas_clip(c, area);
    for (size_t s = 0; s < p->n_series; s++) draw_series(c, &a, p, &p->series[s]);
    canvas_unclip(c);
    canvas_end(c);
    pool_free(&owner);
}

/* ------------------------------------------------------------------- legend */

double chart_legend(canvas *c, double x, double y, double width, const series *s, size_t n, bool only_measure) {
    double at = x, row = y;
    if (!only_measure) canvas_begin(c, "legend", "legend");
    for (size_t i = 0; i < n; i++) {
        const double most = width - LEGEND_LINE - 10, words = canvas_text_width(c, legend_font, s[i].name);
        const double w = LEGEND_LINE + 8 + (words < most ? words : most) + 24;
        if (at > x && at + w - 24 > x + width) {
            at = x;
            row += LEGEND_ROW;
        }
        if (!only_measure) {
            const int color = s[i].faint ? 0x999999 : style_color(s[i].style);
            canvas_line(c, (double[]){at, at + LEGEND_LINE}, (double[]){row, row}, 2, color, s[i].faint ? 1.3 : 2,
                        s[i].style);
            if (!s[i].faint) canvas_marker(c, at + LEGEND_LINE / 2.0, row, 3.6, color, s[i].style, false);
            canvas_text_within(c, at + LEGEND_LINE + 8, row, legend_font, most, s[i].name);
        }
        at += w;
    }
    if (!only_measure) canvas_end(c);
    return n ? row + LEGEND_ROW - y : 0;
}

void chart_heading(canvas *c, const char *title, const char *more) {
    const double width = canvas_box(c).w - 2 * MARGIN;
    canvas_text_within(c, MARGIN, 22, (font){.size = 18, .bold = true, .color = COLOR_INK}, width, title);
    canvas_text_within(c, MARGIN, 43, (font){.size = 13, .color = COLOR_DIM}, width, more);
}
