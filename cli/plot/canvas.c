/* canvas.c: PNG by cairo, SVG by hand. */
#include "canvas.h"

#include <cairo.h>
#include <math.h>
#include <spng.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct canvas {
    double           w, h;
    bool             svg;
    text             body;    /* SVG */
    cairo_surface_t *surface; /* of SVG too: there it measures texts */
    cairo_t         *cairo;
};

#define FONT_FAMILY "DejaVu Sans"

static const int colors[N_STYLES] = {0x0072b2, 0xd55e00, 0x009e73, 0xcc79a7, 0xe69f00, 0x56b4e9, 0x000000};

/* Pairs of drawn and left out, in line widths; 0: a whole line. */
static const double dashes[N_STYLES][4] = {{0}, {5, 2}, {1.5, 1.5}, {8, 2, 1.5, 2}, {3, 3}, {10, 3}, {5, 2, 1.5, 1.5}};

int style_color(size_t i) { return colors[i % N_STYLES]; }

/* ------------------------------------------------------------------- texts */

void text_add_base64(text *to, const unsigned char *bytes, size_t n) {
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        const size_t   left = n - i < 3 ? n - i : 3;
        const unsigned three =
            (unsigned)bytes[i] << 16 | (left > 1 ? (unsigned)bytes[i + 1] << 8 : 0) | (left > 2 ? bytes[i + 2] : 0);
        char four[4];
        for (size_t k = 0; k < 4; k++) four[k] = k <= left ? digits[three >> (18 - 6 * k) & 63] : '=';
        text_add_bytes(to, four, sizeof four);
    }
}

void text_add_escaped(text *to, const char *words) {
    pool owner = {0};
    for (const char *s = text_plain(&owner, words); *s; s++) switch (*s) {
        case '&': text_add(to, "&amp;"); break;
        case '<': text_add(to, "&lt;"); break;
        case '>': text_add(to, "&gt;"); break;
        case '"': text_add(to, "&quot;"); break;
        default: text_add_bytes(to, s, 1);
        }
    pool_free(&owner);
}

/* -------------------------------------------------------------------- sheet */

static void want_memory(bool there) {
    if (there) return;
    fputs("linnet: out of memory for a picture\n", stderr);
    exit(1);
}

canvas *canvas_new(double w, double h, bool svg) {
    canvas *const c = take(1, sizeof *c);
    const int     scale = svg ? 1 : CANVAS_SCALE;
    *c = (canvas){.w = ceil(w), .h = ceil(h), .svg = svg};
    c->surface =
        cairo_image_surface_create(CAIRO_FORMAT_RGB24, svg ? 1 : (int)c->w * scale, svg ? 1 : (int)c->h * scale);
    c->cairo = cairo_create(c->surface);
    want_memory(cairo_status(c->cairo) == CAIRO_STATUS_SUCCESS);
    cairo_scale(c->cairo, scale, scale);
    canvas_rect(c, canvas_box(c), COLOR_PAPER, COLOR_NONE);
    return c;
}

void canvas_free(canvas *c) {
    if (!c) return;
    cairo_destroy(c->cairo);
    cairo_surface_destroy(c->surface);
    text_free(&c->body);
    free(c);
}

void canvas_end_all(void) { cairo_debug_reset_static_data(); }

box canvas_box(const canvas *c) { return (box){0, 0, c->w, c->h}; }

static void set_color(canvas *c, int color) {
    cairo_set_source_rgb(c->cairo, (color >> 16 & 255) / 255.0, (color >> 8 & 255) / 255.0, (color & 255) / 255.0);
}

/* fill="#0072b2", or none. */
static void add_color(canvas *c, const char *what, int color) {
    if (color == COLOR_NONE) text_add(&c->body, " %s=\"none\"", what);
    else text_add(&c->body, " %s=\"#%06x\"", what, (unsigned)color);
}

/* Fills and strokes cairo's path, and forgets it. */
static void paint(canvas *c, int fill, int stroke) {
    if (fill != COLOR_NONE) {
        set_color(c, fill);
        cairo_fill_preserve(c->cairo);
    }
    if (stroke != COLOR_NONE) {
        set_color(c, stroke);
        cairo_stroke_preserve(c->cairo);
    }
    cairo_new_path(c->cairo);
}

void canvas_line(canvas *c, const double *x, const double *y, size_t n, int color, double width, size_t style) {
    const double *const dash = dashes[style % N_STYLES];
    int                 n_dashes = 0;
    double              lengths[4];
    while (n_dashes < 4 && dash[n_dashes] > 0) {
        lengths[n_dashes] = dash[n_dashes] * width;
        n_dashes++;
    }
    if (n < 2) return;
    if (c->svg) {
        text_add(&c->body, "<polyline points=\"");
        for (size_t i = 0; i < n; i++) text_add(&c->body, "%s%.2f,%.2f", i ? " " : "", x[i], y[i]);
        text_add(&c->body, "\" stroke-width=\"%g\" stroke-linejoin=\"round\" fill=\"none\"", width);
        add_color(c, "stroke", color);
        for (int i = 0; i < n_dashes; i++) text_add(&c->body, "%s%g", i ? " " : " stroke-dasharray=\"", lengths[i]);
        text_add(&c->body, "%s/>\n", n_dashes ? "\"" : "");
        return;
    }
    cairo_set_line_width(c->cairo, width);
    cairo_set_line_join(c->cairo, CAIRO_LINE_JOIN_ROUND);
    cairo_set_dash(c->cairo, lengths, n_dashes, 0);
    cairo_move_to(c->cairo, x[0], y[0]);
    for (size_t i = 1; i < n; i++) cairo_line_to(c->cairo, x[i], y[i]);
    paint(c, COLOR_NONE, color);
    cairo_set_dash(c->cairo, NULL, 0, 0);
}

void canvas_rect(canvas *c, box b, int fill, int stroke) {
    if (c->svg) {
        text_add(&c->body, "<rect x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\"", b.x, b.y, b.w, b.h);
        add_color(c, "fill", fill);
        if (stroke != COLOR_NONE) add_color(c, "stroke", stroke);
        text_add(&c->body, "/>\n");
        return;
    }
    cairo_set_line_width(c->cairo, 1);
    cairo_rectangle(c->cairo, b.x, b.y, b.w, b.h);
    paint(c, fill, stroke);
}

/* Corners of a marker: a circle has none. */
static size_t corners(size_t style, double x, double y, double r, double corner[4][2]) {
    const double d = 1.15 * r;
    switch (style % 4) {
    case 1:
        memcpy(corner, (double[4][2]){{x - r, y - r}, {x + r, y - r}, {x + r, y + r}, {x - r, y + r}}, 64);
        return 4;
    case 2: memcpy(corner, (double[3][2]){{x, y - d}, {x + d, y + d}, {x - d, y + d}}, 48); return 3;
    case 3: memcpy(corner, (double[4][2]){{x, y - d}, {x + d, y}, {x, y + d}, {x - d, y}}, 64); return 4;
    default: return 0;
    }
}

void canvas_marker(canvas *c, double x, double y, double radius, int color, size_t style, bool hollow) {
    double       corner[4][2];
    const size_t n = corners(style, x, y, radius, corner);
    const int    fill = hollow ? COLOR_PAPER : color, stroke = hollow ? color : COLOR_PAPER;
    if (c->svg) {
        if (n == 0) text_add(&c->body, "<circle cx=\"%.2f\" cy=\"%.2f\" r=\"%.2f\"", x, y, radius);
        else text_add(&c->body, "<path d=\"");
        for (size_t i = 0; i < n; i++) text_add(&c->body, "%c%.2f %.2f", i ? 'L' : 'M', corner[i][0], corner[i][1]);
        if (n) text_add(&c->body, "Z\"");
        text_add(&c->body, " class=\"mark\" stroke-width=\"%s\"", hollow ? "1.5" : "0.7");
        add_color(c, "fill", fill);
        add_color(c, "stroke", stroke);
        text_add(&c->body, "/>\n");
        return;
    }
    cairo_set_line_width(c->cairo, hollow ? 1.5 : 0.7);
    cairo_new_path(c->cairo); /* words leave a point behind */
    if (n == 0) cairo_arc(c->cairo, x, y, radius, 0, 2 * M_PI);
    for (size_t i = 0; i < n; i++) cairo_line_to(c->cairo, corner[i][0], corner[i][1]);
    cairo_close_path(c->cairo);
    paint(c, fill, stroke);
}

/* -------------------------------------------------------------------- words */

static void set_font(canvas *c, font f) {
    cairo_select_font_face(c->cairo, FONT_FAMILY, CAIRO_FONT_SLANT_NORMAL,
                           f.bold ? CAIRO_FONT_WEIGHT_BOLD : CAIRO_FONT_WEIGHT_NORMAL);
    cairo_set_font_size(c->cairo, f.size);
}

double canvas_text_width(canvas *c, font f, const char *words) {
    pool                 owner = {0};
    cairo_text_extents_t e;
    set_font(c, f);
    cairo_text_extents(c->cairo, text_plain(&owner, words), &e);
    pool_free(&owner);
    return e.x_advance;
}

static void add_svg_text(canvas *c, double x, double y, font f, const char *words) {
    static const char *const anchors[] = {"start", "middle", "end"};
    text_add(&c->body, "<text x=\"%.2f\" y=\"%.2f\" font-size=\"%g\" text-anchor=\"%s\"", x, y, f.size,
             anchors[f.anchor]);
    add_color(c, "fill", f.color);
    if (f.bold) text_add(&c->body, " font-weight=\"bold\"");
    if (f.upright) text_add(&c->body, " transform=\"rotate(-90 %.2f %.2f)\"", x, y);
    text_add(&c->body, ">");
    text_add_escaped(&c->body, words);
    text_add(&c->body, "</text>\n");
}

void canvas_text(canvas *c, double x, double y, font f, const char *words) {
    const double drop = 0.36 * f.size; /* from the middle to the line that letters stand on */
    if (c->svg) {
        add_svg_text(c, f.upright ? x + drop : x, f.upright ? y : y + drop, f, words);
        return;
    }
    pool         owner = {0};
    const double width = canvas_text_width(c, f, words);
    cairo_save(c->cairo);
    cairo_translate(c->cairo, x, y);
    if (f.upright) cairo_rotate(c->cairo, -M_PI / 2);
    set_color(c, f.color);
    cairo_move_to(c->cairo, f.anchor == ANCHOR_START ? 0 : f.anchor == ANCHOR_MIDDLE ? -width / 2 : -width, drop);
    cairo_show_text(c->cairo, text_plain(&owner, words));
    cairo_restore(c->cairo);
    pool_free(&owner);
}

void canvas_text_within(canvas *c, double x, double y, font f, double most, const char *words) {
    pool              owner = {0};
    const char *const whole = text_plain(&owner, words), *shown = whole;
    for (size_t n = text_width(whole); n > 1 && canvas_text_width(c, f, shown) > most; n--)
        shown = text_within(&owner, whole, n - 1, "…");
    canvas_text(c, x, y, f, shown);
    pool_free(&owner);
}

/* ------------------------------------------------------------------- images */

/* Rows of red, green and blue; the caller frees. */
static uint8_t *rows_of(cairo_surface_t *s, size_t w, size_t h) {
    const unsigned char *const bytes = cairo_image_surface_get_data(s);
    const size_t               stride = (size_t)cairo_image_surface_get_stride(s);
    uint8_t *const             rows = take(3 * w * h, 1);
    for (size_t y = 0; y < h; y++)
        for (size_t x = 0; x < w; x++) {
            uint32_t pixel;
            memcpy(&pixel, bytes + y * stride + x * sizeof pixel, sizeof pixel);
            for (size_t k = 0; k < 3; k++) rows[3 * (y * w + x) + k] = (uint8_t)(pixel >> (16 - 8 * k));
        }
    return rows;
}

/* By libspng with one filter, as drawn pictures have large areas of one colour: cairo's own way, which tries every
 * filter on every row, takes twice as long for files of the same size. */
static void add_surface_png(cairo_surface_t *s, text *to) {
    cairo_surface_flush(s);
    const size_t     w = (size_t)cairo_image_surface_get_width(s), h = (size_t)cairo_image_surface_get_height(s);
    struct spng_ihdr header = {
        .width = (uint32_t)w, .height = (uint32_t)h, .bit_depth = 8, .color_type = SPNG_COLOR_TYPE_TRUECOLOR};
    uint8_t *const  rows = rows_of(s, w, h);
    spng_ctx *const png = spng_ctx_new(SPNG_CTX_ENCODER);
    size_t          n_bytes = 0;
    want_memory(png != NULL);
    int code = spng_set_option(png, SPNG_ENCODE_TO_BUFFER, 1);
    if (!code) code = spng_set_option(png, SPNG_FILTER_CHOICE, SPNG_FILTER_CHOICE_UP);
    if (!code) code = spng_set_ihdr(png, &header);
    if (!code) code = spng_encode_image(png, rows, 3 * w * h, SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
    void *const bytes = code ? NULL : spng_get_png_buffer(png, &n_bytes, &code);
    want_memory(bytes != NULL);
    text_add_bytes(to, bytes, n_bytes);
    free(bytes);
    free(rows);
    spng_ctx_free(png);
}

static cairo_surface_t *surface_of(const uint32_t *pixels, size_t w, size_t h) {
    cairo_surface_t *const s = cairo_image_surface_create(CAIRO_FORMAT_RGB24, (int)w, (int)h);
    want_memory(cairo_surface_status(s) == CAIRO_STATUS_SUCCESS);
    cairo_surface_flush(s);
    unsigned char *const bytes = cairo_image_surface_get_data(s);
    const size_t         stride = (size_t)cairo_image_surface_get_stride(s);
    for (size_t y = 0; y < h; y++) memcpy(bytes + y * stride, pixels + y * w, w * sizeof *pixels);
    cairo_surface_mark_dirty(s);
    return s;
}

static void add_svg_image(canvas *c, box b, cairo_surface_t *s, bool soft) {
    text png = {0};
    add_surface_png(s, &png);
    text_add(&c->body,
             "<image x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" preserveAspectRatio=\"none\"%s "
             "href=\"data:image/png;base64,",
             b.x, b.y, b.w, b.h, soft ? "" : " style=\"image-rendering:pixelated\"");
    text_add_base64(&c->body, (const unsigned char *)png.bytes, png.n);
    text_add(&c->body, "\"/>\n");
    text_free(&png);
}

void canvas_image(canvas *c, box b, const uint32_t *pixels, size_t w, size_t h, bool soft) {
    cairo_surface_t *const s = surface_of(pixels, w, h);
    if (c->svg) add_svg_image(c, b, s, soft);
    else {
        cairo_save(c->cairo);
        cairo_rectangle(c->cairo, b.x, b.y, b.w, b.h);
        cairo_clip(c->cairo);
        cairo_translate(c->cairo, b.x, b.y);
        cairo_scale(c->cairo, b.w / (double)w, b.h / (double)h);
        cairo_set_source_surface(c->cairo, s, 0, 0);
        cairo_pattern_set_filter(cairo_get_source(c->cairo), soft ? CAIRO_FILTER_BILINEAR : CAIRO_FILTER_NEAREST);
        cairo_pattern_set_extend(cairo_get_source(c->cairo), CAIRO_EXTEND_PAD);
        cairo_paint(c->cairo);
        cairo_restore(c->cairo);
    }
    cairo_surface_destroy(s);
}

/* ------------------------------------------------------------------- groups */

void canvas_clip(canvas *c, box b) {
    if (c->svg) {
        text_add(&c->body,
                 "<svg x=\"%.2f\" y=\"%.2f\" width=\"%.2f\" height=\"%.2f\" viewBox=\"%.2f %.2f %.2f %.2f\">\n", b.x,
                 b.y, b.w, b.h, b.x, b.y, b.w, b.h);
        return;
    }
    cairo_save(c->cairo);
    cairo_rectangle(c->cairo, b.x, b.y, b.w, b.h);
    cairo_clip(c->cairo);
}

void canvas_unclip(canvas *c) {
    if (c->svg) text_add(&c->body, "</svg>\n");
    else cairo_restore(c->cairo);
}

void canvas_begin(canvas *c, const char *kind, const char *name) {
    if (!c->svg) return;
    text_add(&c->body, "<g class=\"%s\"><title>", kind);
    text_add_escaped(&c->body, name);
    text_add(&c->body, "</title>\n");
}

void canvas_end(canvas *c) {
    if (c->svg) text_add(&c->body, "</g>\n");
}

void canvas_finish(canvas *c, text *to) {
    if (c->svg) {
        text_add(to,
                 "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" "
                 "font-family=\"" FONT_FAMILY ", Verdana, sans-serif\">\n",
                 c->w, c->h, c->w, c->h);
        text_add_bytes(to, c->body.bytes, c->body.n);
        text_add(to, "</svg>\n");
        return;
    }
    add_surface_png(c->surface, to);
}

ln_status canvas_write(canvas *c, ln_context *context, const char *path, ln_error *error) {
    text bytes = {0};
    canvas_finish(c, &bytes);
    const ln_status status = ln_file_write(context, path, bytes.bytes, bytes.n, error);
    text_free(&bytes);
    return status;
}
