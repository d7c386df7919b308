/* Warping: an image sampled at other places, by bilinear interpolation, with zeros outside; what the augmentations that
 * move pixels by parts of a pixel share.
 *
 *   y[i][j] = x at row v, column u:  Σ (1 - |u - a|)⁺ (1 - |v - b|)⁺ x[b][a] over pixels (b, a)
 *
 * bytes rounded to the nearest. All of it is IEEE arithmetic of floats: the same bits everywhere. */
#ifndef LN_DATA_WARP_H
#define LN_DATA_WARP_H

#include "data/augment.h"

/* Rows and columns that an image has at most, so that places are exact enough. */
enum { LN_WARP_MOST = 4096 };
/* check and work_bytes of kinds that have no others. */
ln_status ln_warp_check(const ln_augmentation *kind, const void *args, const ln_frame *frame, ln_error *error);
size_t    ln_warp_bytes(const void *args, const ln_frame *frame);

/* Memory of one warping: the image with a border of zeros, and the places of its pixels. */
typedef struct ln_warp {
    const ln_frame *frame;
    void           *padded; /* c channels of (h + 3) × (w + 3): floats, or four bytes each (quads of ln_pixels) */
    float          *u, *v;  /* h × w each, with room for a spill: the caller sets them */
} ln_warp;

/* Lays the image into work. */
ln_warp ln_warp_of(const ln_frame *frame, const void *from, void *work);
/* Samples every channel at the places u, v. */
void ln_warp_sample(const ln_warp *warp, void *to);

/* An affine map of places about the image's centre: that of row i and column j, as distances (j', i') from it, is
 * (xx j' + xy i', yx j' + yy i') from it. */
typedef struct ln_affine { double xx, xy, yx, yy; } ln_affine;
void ln_warp_affine(const ln_frame *frame, const ln_affine *map, const void *from, void *to, void *work);
/* Sine and cosine of so many degrees. */
void ln_warp_turn(double degrees, double *sine, double *cosine);

#endif
