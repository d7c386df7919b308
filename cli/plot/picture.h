/* picture.h: what a picture is drawn of, and the list of pictures (pictures.def): one file and one line each. */
#ifndef LN_CLI_PLOT_PICTURE_H
#define LN_CLI_PLOT_PICTURE_H

#include "chart.h"
#include "cli.h"
#include "recipe.h"
#include "runs.h"

/* A run, or weights and images. */
typedef struct subject {
    pool        owner;
    ln_context *context;
    const char *run;      /* "runs/1", or NULL */
    const char *weights;  /* the file */
    const char *pictures; /* the folder that pictures go to when nobody says where; NULL: the current one */
    recipe      recipe;   /* of a run */
    recipe_data data;     /* of a run */
    ln_data    *opened;   /* IMAGES */
    ln_data    *images;   /* what is measured on; NULL: there is nothing */
    const char *said;     /* "test images", or IMAGES as given */
    const char *set;      /* "test", "validation", "training", or NULL: of IMAGES */
    ln_model   *model;
    const size_t *image;  /* image=N, its number in the set that it is from; NULL: the first */
} subject;

/* Opens a run's folder or a file of weights, with images (may be NULL). False on error; subject_close it in any
 * case. */
bool subject_open(subject *s, const char *path, const char *images, ln_error *error);
void subject_close(subject *s);
/* "runs/1" or the weights' name. */
const char *subject_name(const subject *s);
/* What people call image i of the images: "IMG_1.png" where they are files, else "no. 7", its number in its set. */
const char *subject_image(const subject *s, size_t i, pool *owner);
/* The set that has these numbers, as predict takes it ("mnist:train"), where they are not the images' places: of some
 * rows or classes, or of a part that was split off. NULL: they are, or nobody sees them. */
const char *subject_numbers(const subject *s, pool *owner);

typedef struct picture {
    const char *what;    /* "confusion" */
    const char *(*refuse)(const subject *s); /* why there is nothing to draw, a sentence's end; NULL: there is */
    canvas *(*draw)(const subject *s, bool svg, ln_error *error); /* NULL on error */
} picture;

#define PICTURE(name) extern const picture picture_##name;
#include "pictures.def"
#undef PICTURE
extern const picture *const pictures[]; /* NULL-terminated */
const picture *picture_find(const char *what);

/* Curves of runs (or of one): x, y as the verb's keys, or NULL; mean: one of all runs that differ by their seeds. */
canvas *curves_draw(const char *const *runs, size_t n, const char *x, const char *y, bool mean, bool svg,
                    ln_error *error);

/* Why not, for several pictures: without images, or without labels. */
const char *needs_images(const subject *s);
const char *needs_labels(const subject *s);

/* w × h pixels of image i of data: grey, or colours where it has three channels; the darkest value black, the lightest
 * white (bytes: 0 and 255). */
void image_pixels(const ln_data *data, size_t i, uint32_t *pixels);
/* value as a colour: -1 blue, 0 white, 1 orange. */
uint32_t two_sided_color(double value);
/* a + share * (b - a), of colours. */
uint32_t mixed_color(int a, int b, double share);
/* Black or white: which can be read better on that colour, by the ratio of contrast of WCAG 2 (then 4.5 or more). */
int readable_color(int background);
/* A layer's line without what only its first weights were drawn by. */
const char *layer_words(const ln_layer_info *layer, pool *owner);
/* A bar that says what two_sided_color means, ±most. */
void two_sided_key(canvas *c, double x, double y, const char *words);

#endif
