/* canvas.h: a sheet to draw on, PNG or SVG by the same calls. PNG is drawn by cairo. SVG is written here, as cairo's
 * has outlines for letters: this one's texts can be searched, copied, read aloud and compared, and its groups have
 * names. Points from the upper left corner; a PNG has CANVAS_SCALE pixels a point. */
#ifndef LN_CLI_PLOT_CANVAS_H
#define LN_CLI_PLOT_CANVAS_H

#include "linnet.h"
#include "text.h"

#define CANVAS_SCALE 2

typedef struct canvas canvas;

typedef struct box { double x, y, w, h; } box;

enum { COLOR_NONE = -1, COLOR_INK = 0x222222, COLOR_DIM = 0x666666, COLOR_GRID = 0xe0e0e0, COLOR_PAPER = 0xffffff };

/* For series and classes: Okabe and Ito's colours, told apart with any kind of colour vision, and for print in grey a
 * dash and a marker of their own. */
enum { N_STYLES = 7 };
int style_color(size_t i);

typedef enum anchor { ANCHOR_START, ANCHOR_MIDDLE, ANCHOR_END } anchor;

typedef struct font {
    double size;
    bool   bold;
    int    color;
    anchor anchor;
    bool   upright; /* turned by a quarter, to be read from below */
} font;

/* White, w × h points. Ends the program when there is no memory for it. */
canvas *canvas_new(double w, double h, bool svg);
void    canvas_free(canvas *c);
box     canvas_box(const canvas *c);

void canvas_line(canvas *c, const double *x, const double *y, size_t n, int color, double width, size_t style);
void canvas_rect(canvas *c, box b, int fill, int stroke);
void canvas_marker(canvas *c, double x, double y, double radius, int color, size_t style, bool hollow);
/* The text's middle is at y. What is no UTF-8 or steers terminals becomes '?'. */
void   canvas_text(canvas *c, double x, double y, font f, const char *words);
double canvas_text_width(canvas *c, font f, const char *words);
/* The same, shortened to `most` points by an ellipsis in its middle. */
void canvas_text_within(canvas *c, double x, double y, font f, double most, const char *words);
/* w × h pixels 0xRRGGBB into the box; soft: with smooth passages, otherwise each pixel a square. */
void canvas_image(canvas *c, box b, const uint32_t *pixels, size_t w, size_t h, bool soft);
/* What follows stays within b. */
void canvas_clip(canvas *c, box b);
void canvas_unclip(canvas *c);
/* What follows belongs together: of SVG, <g class="kind"> with the name as its title. */
void canvas_begin(canvas *c, const char *kind, const char *name);
void canvas_end(canvas *c);

/* The whole sheet's bytes. */
void      canvas_finish(canvas *c, text *to);
ln_status canvas_write(canvas *c, ln_context *context, const char *path, ln_error *error);

/* Gives back what cairo holds for good, when the last sheet is freed: so that tools that look for leaks see ours. */
void canvas_end_all(void);

/* Bytes in base64, added to a text. */
void text_add_base64(text *to, const unsigned char *bytes, size_t n);
/* words with &, <, > and quotes written as HTML and SVG want them, cleaned as canvas_text does. */
void text_add_escaped(text *to, const char *words);

#endif
