/* The inner loops of a linear layer, on tiles of accumulators that stay in registers. See conv.h for the manner.
 *
 *   forward    ot outputs × bt blocks: for every input, ot weights broadcast from ot rows, bt inputs loaded
 *   dinput     it inputs × bt blocks: for every output, it neighbouring weights broadcast, bt gradients loaded
 *   dparam     ot outputs × vt vectors of 16 inputs: for every image, in order, ot gradients broadcast from their
 *              lanes, and vt vectors of the image's inputs, which were transposed to lie by image */
#ifndef LN_KERNEL_GEMM_H
#define LN_KERNEL_GEMM_H

#include "kernel/kernel.h"

#if defined(LN_VEC_AVX512) || defined(LN_VEC_NEON)
enum { GEMM_TILE = 24 };
#else
enum { GEMM_TILE = 12 };
#endif
enum { GEMM_ROWS = 12, GEMM_BLOCKS = 4, GEMM_VECTORS = 6 };

/* y[i][b] += Σ_k w(i, k) · x[k][b], for rows i of one tile; w(i, k) = weights[i * row + k * step]. */
typedef struct gemm_product {
    const real  *weights;
    size_t       row, step, n;  /* n: terms of the sum */
    const real  *start;         /* bias by row, or NULL: from zero, or from y when it adds */
    bool         adds;
    const lanes *x;
    lanes       *y;
    size_t       x_block, x_step, y_block, y_step;
} gemm_product;

LN_INLINE void gemm_product_tile(const int rows, const int blocks, const gemm_product *g) {
    if (rows * blocks > GEMM_TILE) return; /* no such tile */
    for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
        vec acc[GEMM_ROWS][GEMM_BLOCKS];
        LN_UNROLL for (int i = 0; i < rows; i++)
            LN_UNROLL for (int b = 0; b < blocks; b++)
                acc[i][b] = g->adds    ? v_load(g->y[(size_t)i * g->y_step + (size_t)b * g->y_block].of + p)
                            : g->start ? v_broadcast(g->start + i)
                                       : v_zero();
        const real  *w = g->weights;
        const lanes *x = g->x;
        for (size_t k = 0; k < g->n; k++, w += g->step, x += g->x_step) {
            vec value[GEMM_BLOCKS];
            LN_UNROLL for (int b = 0; b < blocks; b++) value[b] = v_load(x[(size_t)b * g->x_block].of + p);
            LN_UNROLL for (int i = 0; i < rows; i++) {
                const vec weight = v_broadcast(w + (size_t)i * g->row);
                LN_UNROLL for (int b = 0; b < blocks; b++) acc[i][b] = v_fma(weight, value[b], acc[i][b]);
            }
        }
        LN_UNROLL for (int i = 0; i < rows; i++)
            LN_UNROLL for (int b = 0; b < blocks; b++)
                v_store(g->y[(size_t)i * g->y_step + (size_t)b * g->y_block].of + p, acc[i][b]);
    }
}

/* Rows of weights that lie side by side (row = 1) get loops of their own, so that a broadcast is base + constant. */
#define GEMM_DEFINE(rows, blocks)                                                      \
    static void gemm_rows_##rows##_##blocks(const gemm_product *g) { gemm_product_tile(rows, blocks, g); } \
    static void gemm_side_##rows##_##blocks(const gemm_product *g) {                   \
        gemm_product h = *g;                                                           \
        h.row = 1;                                                                     \
        gemm_product_tile(rows, blocks, &h);                                           \
    }
#define GEMM_EACH_BLOCK(each, rows) each(rows, 1) each(rows, 2) each(rows, 3) each(rows, 4)
#define GEMM_EACH(each)                                                                                   \
    GEMM_EACH_BLOCK(each, 1) GEMM_EACH_BLOCK(each, 2) GEMM_EACH_BLOCK(each, 3) GEMM_EACH_BLOCK(each, 4)   \
    GEMM_EACH_BLOCK(each, 5) GEMM_EACH_BLOCK(each, 6) GEMM_EACH_BLOCK(each, 7) GEMM_EACH_BLOCK(each, 8)   \
    GEMM_EACH_BLOCK(each, 9) GEMM_EACH_BLOCK(each, 10) GEMM_EACH_BLOCK(each, 11) GEMM_EACH_BLOCK(each, 12)
GEMM_EACH(GEMM_DEFINE)
#define GEMM_ENTRY(rows, blocks) [rows][blocks] = gemm_rows_##rows##_##blocks,
static void (*const gemm_rows[GEMM_ROWS + 1][GEMM_BLOCKS + 1])(const gemm_product *) = {GEMM_EACH(GEMM_ENTRY)};
#undef GEMM_ENTRY
#define GEMM_ENTRY(rows, blocks) [rows][blocks] = gemm_side_##rows##_##blocks,
static void (*const gemm_side[GEMM_ROWS + 1][GEMM_BLOCKS + 1])(const gemm_product *) = {GEMM_EACH(GEMM_ENTRY)};
#undef GEMM_ENTRY

/* dweight of ot outputs × vt·16 inputs, over n images. */
typedef struct gemm_outer {
    const lanes *dy;      /* first output of the first block */
    const lanes *x;       /* [n][vt]: inputs by image, sixteen a lanes */
    lanes       *out;     /* [ot][vt] */
    size_t       n, dy_block, dy_step;
} gemm_outer;

LN_INLINE void gemm_outer_tile(const int ot, const int vt, const gemm_outer *g) {
    if (ot * vt > GEMM_TILE) return; /* no such tile */
    for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
        vec          acc[GEMM_ROWS][GEMM_VECTORS];
        const lanes *x = g->x;
        LN_UNROLL for (int o = 0; o < ot; o++)
            LN_UNROLL for (int v = 0; v < vt; v++) acc[o][v] = v_zero();
        for (size_t n = 0; n < g->n; n++, x += vt) {
            const real *dy = g->dy[n / LN_LANES * g->dy_block].of + n % LN_LANES;
            vec         value[GEMM_VECTORS];
            LN_UNROLL for (int v = 0; v < vt; v++) value[v] = v_load(x[v].of + p);
            LN_UNROLL for (int o = 0; o < ot; o++) {
                const vec gradient = v_broadcast(dy + (size_t)o * g->dy_step * LN_LANES);
                LN_UNROLL for (int v = 0; v < vt; v++) acc[o][v] = v_fma(gradient, value[v], acc[o][v]);
            }
        }
        LN_UNROLL for (int o = 0; o < ot; o++)
            LN_UNROLL for (int v = 0; v < vt; v++) v_store(g->out[o * vt + v].of + p, acc[o][v]);
    }
}

#define GEMM_DEFINE_OUTER(ot, vt) \
    static void gemm_outer_##ot##_##vt(const gemm_outer *g) { gemm_outer_tile(ot, vt, g); }
#define GEMM_EACH_VECTOR(each, ot) each(ot, 1) each(ot, 2) each(ot, 3) each(ot, 4) each(ot, 5) each(ot, 6)
#define GEMM_EACH_OUTER(each)                                                                         \
    GEMM_EACH_VECTOR(each, 1) GEMM_EACH_VECTOR(each, 2) GEMM_EACH_VECTOR(each, 3) GEMM_EACH_VECTOR(each, 4) \
    GEMM_EACH_VECTOR(each, 5) GEMM_EACH_VECTOR(each, 6)
GEMM_EACH_OUTER(GEMM_DEFINE_OUTER)
#define GEMM_ENTRY(ot, vt) [ot][vt] = gemm_outer_##ot##_##vt,
static void (*const gemm_outers[7][GEMM_VECTORS + 1])(const gemm_outer *) = {GEMM_EACH_OUTER(GEMM_ENTRY)};
#undef GEMM_ENTRY

/* ------------------------------------------------------ one image at a time */

/* Groups of 16 outputs; weights as lanes [input][width], the biases in front. Strides of y are in lanes. */
typedef struct gemm_row {
    const lanes *weights;
    const real  *x;
    lanes       *y;
    size_t       n, width, y_step; /* inputs; groups in a row of weights */
} gemm_row;

enum { GEMM_MAX_ROW = 12 };

LN_INLINE void gemm_row_tile(const int groups, const gemm_row *g) {
    for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
        vec          acc[GEMM_MAX_ROW];
        const lanes *w = g->weights;
        LN_UNROLL for (int i = 0; i < groups; i++) acc[i] = v_load(w[i].of + p);
        for (size_t k = 0; k < g->n; k++) {
            const vec x = v_broadcast(g->x + k);
            w += g->width;
            LN_UNROLL for (int i = 0; i < groups; i++) acc[i] = v_fma(v_load(w[i].of + p), x, acc[i]);
        }
        LN_UNROLL for (int i = 0; i < groups; i++) v_store(g->y[(size_t)i * g->y_step].of + p, acc[i]);
    }
}

#define GEMM_EACH_ROW(each) \
    each(1) each(2) each(3) each(4) each(5) each(6) each(7) each(8) each(9) each(10) each(11) each(12)
#define GEMM_DEFINE_ROW(groups) \
    static void gemm_row_##groups(const gemm_row *g) { gemm_row_tile(groups, g); }
GEMM_EACH_ROW(GEMM_DEFINE_ROW)
#define GEMM_ENTRY(groups) [groups] = gemm_row_##groups,
static void (*const gemm_row_tiles[GEMM_MAX_ROW + 1])(const gemm_row *) = {GEMM_EACH_ROW(GEMM_ENTRY)};
#undef GEMM_ENTRY

#endif
