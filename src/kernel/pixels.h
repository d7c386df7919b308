/* Loops over stored values, places and random words, which augmentations are made of: one table an instruction set.
 * Nothing is fused, so every set gives the same bits, also where a processor has no fused multiply-add. */
#ifndef LN_KERNEL_PIXELS_H
#define LN_KERNEL_PIXELS_H

#include "base/cpu.h"
#include "base/random.h"

#include <stddef.h>

enum { LN_PLACES = 256, LN_COUNTERS = 16, LN_SPILL = 16 };

/* Where values of an image are fetched: the first of four pixels, counted from the first one of a padded channel (see
 * lay_bytes), and how far right and below of it. */
typedef struct ln_places {
    size_t  n; /* ≤ LN_PLACES */
    int32_t at[LN_PLACES];
    float   fx[LN_PLACES], fy[LN_PLACES];
} ln_places;

/* Values are bytes, or (is_float) floats: bytes are held within 0 to 255 and rounded to the nearest, halves up. What
 * spills writes whole vectors: up to LN_SPILL - 1 values behind the last one become anything. */
typedef struct ln_pixels {
    /* ln_philox of n counters, the stream's and those after it; spills up to a multiple of LN_COUNTERS. */
    void (*philox)(const ln_random *random, size_t n, uint32_t *word);
    /* Two normal numbers of each word, into z[0 … n) and z[n … 2n); see pixels.c. */
    void (*normals)(const uint32_t *word, size_t n, float *z);
    /* Numbers even in ±1 of the words' bytes, the lowest first: (2 byte - 255) / 256. */
    void (*even)(const uint32_t *word, size_t n, float *y);

    /* y = x + std · z */
    void (*add)(const void *x, const float *z, bool is_float, size_t n, float std, void *y);
    /* y = middle + factor · (x - middle) */
    void (*spread)(const void *x, bool is_float, size_t n, float middle, float factor, void *y);
    /* y = x + share · (other - x) */
    void (*mix)(const void *x, const void *other, bool is_float, size_t n, float share, void *y);

    /* y[j] = first + step · j; spills. */
    void (*line)(float first, float step, size_t n, float *y);
    /* y[j] = first + step · j + (a[j] + t · (b[j] - a[j])); spills. */
    void (*displace)(const float *a, const float *b, float t, size_t n, float first, float step, float *y);
    /* y[j] = k[0] x[j] + Σ k[r] (x[j - r step] + x[j + r step]), r from 1 to radius; spills. */
    void (*blur)(const float *x, size_t step, size_t n, const float *k, size_t radius, float *y);
    /* Straight lines from each of n nodes to the next, s apart: y[i s + t] = node[i] + (node[i + 1] - node[i]) / s · t;
     * spills. */
    void (*stretch)(const float *node, size_t n, size_t s, float *y);

    /* Of an image of h × w: rows v and columns u as places in a channel whose rows are stride apart, with a row and a
     * column of zeros before it and two behind. What lies outside goes to the zeros. */
    void (*find)(const float *u, const float *v, size_t n, size_t h, size_t w, size_t stride, ln_places *places);
    /* All four pixels of every place as the bytes of a word (right: the second; below: the third), of a channel of
     * n = rows × stride bytes, padded so. */
    void (*quads)(const uint8_t *padded, size_t stride, size_t n, uint32_t *quad);
    /* The values there, interpolated: of such words, and of a padded channel of floats. */
    void (*sample_bytes)(const uint32_t *quad, const ln_places *places, uint8_t *y);
    void (*sample_floats)(const float *padded, size_t stride, const ln_places *places, float *y);
} ln_pixels;

/* NULL where the instruction set is not compiled in, or has none (LN_ISA_F64). */
const ln_pixels *ln_pixels_of(ln_isa isa);

static inline uint8_t ln_stored_byte(float x) {
    x = x > 0 ? x : 0;
    x = x < 255 ? x : 255;
    return (uint8_t)(int32_t)(x + 0.5f);
}

#endif
