/* Convolution's inner loops, on tiles of accumulators that stay in registers.
 *
 * A tile's two sizes are constants of its function, so that all of it unrolls; everything else is run-time. Each loop
 * exists for every tile that fits the machine's registers, and a table finds it: conv_forward[ot][xt] and so on.
 *
 *            xt columns                          Forward, for every tap (c, ky, kx), in order:
 *          ┌────────────┐                          ot weights are broadcast from memory, in order of packing,
 *   ot     │ a a a a a  │                          xt inputs are loaded, ot·xt fmas are done.
 *   output │ a a a a a  │
 *   chan-  │ a a a a a  │                        Parameter gradient: the same tile, of ot channels and kt columns of
 *   nels   │ a a a a a  │                          the kernel, over all pixels of dout.
 *          └────────────┘
 * Input gradient (stride st of 1 or 2): a tile holds rt rows of din by (pt - 1)·st + kw columns, and slides every one
 * of pt columns of dout over it: only taps that exist, with padding and without. */
#ifndef LN_KERNEL_CONV_H
#define LN_KERNEL_CONV_H

#include "kernel/kernel.h"

#if defined(LN_VEC_AVX512) || defined(LN_VEC_NEON)
enum { CONV_TILE = 24, CONV_SLIDE_ROWS = 2 }; /* accumulators, of 32 registers */
#else
enum { CONV_TILE = 12, CONV_SLIDE_ROWS = 1 }; /* of 16 */
#endif
enum { CONV_PAIR = CONV_TILE / 3 }; /* columns of two rows of output of one channel */
enum { CONV_AHEAD = 4 };              /* rows from what is read to what is fetched meanwhile */
enum { CONV_CACHE_BYTES = 28 << 10 }; /* of the first-level cache, for one side of a tile */
enum { CONV_MAX = 8, CONV_MAX_SLIDE = 7, CONV_WIDE = 4 }; /* largest side of a tile; widest kernel that slides; columns
                                                              of dout that slide by twos */

/* ---------------------------------------------------------------- forward */

/* Asks for n lanes, to be read or (1) written: loops that do little with each would wait for them. */
LN_INLINE void conv_fetch(const int n, const lanes *at, const int write) {
    if (write) {
        LN_UNROLL for (int x = 0; x < n; x++) __builtin_prefetch(at + x, 1);
    } else {
        LN_UNROLL for (int x = 0; x < n; x++) __builtin_prefetch(at + x);
    }
}

/* n tiles of each of some rows of output, for ot channels. Strides are in lanes. */
typedef struct conv_row {
    const real  *weights;          /* packed [c][kh][kw][ot] */
    const real  *bias;             /* ot, or NULL */
    const lanes *in;               /* at the first tap of the first column */
    lanes       *out;
    size_t       rows, n, c, kh, kw;
    size_t       in_channel, in_row, in_step; /* in_row: between rows of the kernel; in_step: between columns, the
                                                 stride */
    size_t       in_next, out_next;           /* from one row of output to the next */
    size_t       ahead;                       /* single channels alone fetch what lies so far behind their inputs */
    size_t       out_channel;
    size_t       in_tap;                      /* between taps of a row, the dilation (conv_dilated) */
} conv_row;

LN_INLINE void conv_forward_tile(const int ot, const int xt, const size_t step, const size_t tap, const conv_row *r,
                                 const lanes *in, lanes *out, size_t p) {
    vec         acc[CONV_MAX][CONV_MAX];
    const real *w = r->weights;
    LN_UNROLL for (int o = 0; o < ot; o++) {
        const vec bias = r->bias ? v_broadcast(r->bias + o) : v_zero();
        LN_UNROLL for (int x = 0; x < xt; x++) acc[o][x] = bias;
    }
    for (size_t c = 0; c < r->c; c++)
        for (size_t ky = 0; ky < r->kh; ky++) {
            const lanes *row = in + c * r->in_channel + ky * r->in_row;
            for (size_t kx = 0; kx < r->kw; kx++, row += tap, w += ot) {
                vec few[CONV_MAX]; /* the shorter side is kept, the longer one streams */
                if (ot <= xt) {
                    LN_UNROLL for (int o = 0; o < ot; o++) few[o] = v_broadcast(w + o);
                    LN_UNROLL for (int x = 0; x < xt; x++) {
                        const vec value = v_load(row[(size_t)x * step].of + p);
                        LN_UNROLL for (int o = 0; o < ot; o++) acc[o][x] = v_fma(few[o], value, acc[o][x]);
                    }
                } else {
                    LN_UNROLL for (int x = 0; x < xt; x++) few[x] = v_load(row[(size_t)x * step].of + p);
                    LN_UNROLL for (int o = 0; o < ot; o++) {
                        const vec weight = v_broadcast(w + o);
                        LN_UNROLL for (int x = 0; x < xt; x++) acc[o][x] = v_fma(weight, few[x], acc[o][x]);
                    }
                }
            }
        }
    LN_UNROLL for (int o = 0; o < ot; o++)
        LN_UNROLL for (int x = 0; x < xt; x++) v_store(out[(size_t)o * r->out_channel + (size_t)x].of + p, acc[o][x]);
}

/* step is in_step and tap in_tap where they are known: then every address is a base and a constant. */
LN_INLINE void conv_forward_steps(const int ot, const int xt, const size_t step, const size_t tap, const conv_row *r) {
    for (size_t y = 0; y < r->rows; y++)
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH)
            for (size_t i = 0; i < r->n; i++) {
                const lanes *const in = r->in + y * r->in_next + i * (size_t)xt * step;
                LN_UNROLL for (int x = 0; x < xt && ot == 1; x++) __builtin_prefetch(in + (size_t)x + r->ahead);
                conv_forward_tile(ot, xt, step, tap, r, in, r->out + y * r->out_next + i * (size_t)xt, p);
            }
}

LN_INLINE void conv_forward_tiles(const int ot, const int xt, const conv_row *r) {
    if (ot * xt > CONV_TILE) return; /* no such tile */
    if (r->in_step == 1)
        conv_forward_steps(ot, xt, 1, 1, r);
    else
        conv_forward_steps(ot, xt, r->in_step, 1, r);
}

/* The same with dilated columns. */
LN_INLINE void conv_dilated_tiles(const int ot, const int xt, const conv_row *r) {
    if (ot * xt > CONV_TILE) return; /* no such tile */
    conv_forward_steps(ot, xt, r->in_step, r->in_tap, r);
}

/* A lone channel (depthwise) has too few accumulators to hide its loads. So two rows of output are taken at once, where
 * stride and dilation are 1: each row of input is loaded once for both, and meets ky of the upper one, ky - 1 of the
 * lower. */
LN_INLINE void conv_pair_tile(const int kw, const int xt, const conv_row *r, const lanes *in, lanes *out, size_t p) {
    vec         acc[2][CONV_MAX];
    const real *w = r->weights;
    const vec   bias = r->bias ? v_broadcast(r->bias) : v_zero();
    LN_UNROLL for (int x = 0; x < xt; x++) acc[0][x] = acc[1][x] = bias;
    for (size_t c = 0; c < r->c; c++, in += r->in_channel) {
        const lanes *row = in;
        for (size_t ky = 0; ky <= r->kh; ky++, row += r->in_row) {
            vec value[CONV_MAX + CONV_MAX_SLIDE];
            LN_UNROLL for (int x = 0; x < xt + kw - 1; x++) {
                value[x] = v_load(row[x].of + p);
                if (3 * xt + kw < LN_REGISTERS) LN_KEEP(value[x]);
            }
            LN_UNROLL for (int y = 1; y >= 0; y--) {
                if (y == 1 ? ky == 0 : ky == r->kh) continue;
                LN_UNROLL for (int k = 0; k < kw; k++) {
                    const vec weight = v_broadcast(w + k - y * kw);
                    LN_UNROLL for (int x = 0; x < xt; x++) acc[y][x] = v_fma(weight, value[x + k], acc[y][x]);
                }
            }
            if (ky < r->kh) w += kw;
        }
    }
    LN_UNROLL for (int y = 0; y < 2; y++)
        LN_UNROLL for (int x = 0; x < xt; x++) v_store(out[(size_t)y * r->out_next + (size_t)x].of + p, acc[y][x]);
}

LN_INLINE void conv_pair_tiles(const int kw, const int xt, const conv_row *r) {
    if (xt > CONV_PAIR) return; /* no such tile */
    for (size_t y = 0; y + 1 < r->rows; y += 2)
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH)
            for (size_t i = 0; i < r->n; i++) {
                const size_t x = i * (size_t)xt;
                const lanes *const in = r->in + y * r->in_next + x;
                if (p == 0) conv_fetch(xt, in + r->ahead, 0), conv_fetch(xt, in + r->ahead + r->in_next, 0);
                conv_pair_tile(kw, xt, r, in, r->out + y * r->out_next + x, p);
            }
}

/* ----------------------------------------------------- parameter gradient */

enum { CONV_OWN_ROWS = 3, CONV_OWN_COLUMNS = 4 }; /* of the kernel, and of dout, in a tile of a channel of its own */

/* One (c, ky), kt columns of the kernel, ot channels, over rows × columns of dout in each of n_blocks blocks. */
typedef struct conv_sum {
    const lanes *dout, *in; /* in: at the first tap of the first pixel */
    lanes       *sums;      /* [ot][sums_step], or of an own channel [rt][sums_step]: partial sums over pixels, a lane
                               an image */
    size_t       sums_step;
    lanes       *pixels;    /* own channels: the sum of dout, or NULL */
    bool         adds;      /* go on from what sums holds */
    size_t       n_blocks, rows, columns;
    size_t       dout_block, dout_channel, dout_row, in_block, in_row_step, in_step;
    const lanes *in_rows[CONV_OWN_ROWS]; /* own channels: in and the rows of taps below it */
    size_t       in_tap;      /* likewise: between taps of a row, the dilation */
    size_t       in_ahead;    /* from in to what will be read next, which is fetched meanwhile */
} conv_sum;

LN_INLINE void conv_dparam_tile(const int ot, const int kt, const conv_sum *s) {
    if (ot * kt > CONV_TILE) return; /* no such tile */
    for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
        vec acc[CONV_MAX][CONV_MAX];
        LN_UNROLL for (int o = 0; o < ot; o++)
            LN_UNROLL for (int k = 0; k < kt; k++)
                acc[o][k] = s->adds ? v_load(s->sums[(size_t)o * s->sums_step + (size_t)k].of + p) : v_zero();
        for (size_t b = 0; b < s->n_blocks; b++)
            for (size_t y = 0; y < s->rows; y++) {
                const lanes *dy = s->dout + b * s->dout_block + y * s->dout_row;
                const lanes *in = s->in + b * s->in_block + y * s->in_row_step;
                LN_UNROLL for (int k = 0; k + 1 < kt; k++) __builtin_prefetch(in + s->in_ahead + k);
                for (size_t x = 0; x < s->columns; x++, dy++, in += s->in_step) {
                    vec few[CONV_MAX];
                    __builtin_prefetch(in + s->in_ahead + kt - 1);
                    if (ot <= kt) {
                        LN_UNROLL for (int o = 0; o < ot; o++) few[o] = v_load(dy[(size_t)o * s->dout_channel].of + p);
                        LN_UNROLL for (int k = 0; k < kt; k++) {
                            vec value = v_load(in[k].of + p);
                            LN_KEEP(value);
                            LN_UNROLL for (int o = 0; o < ot; o++) acc[o][k] = v_fma(few[o], value, acc[o][k]);
                        }
                    } else {
                        LN_UNROLL for (int k = 0; k < kt; k++) {
                            few[k] = v_load(in[k].of + p);
                            LN_KEEP(few[k]);
                        }
                        LN_UNROLL for (int o = 0; o < ot; o++) {
                            vec value = v_load(dy[(size_t)o * s->dout_channel].of + p);
                            LN_KEEP(value);
                            LN_UNROLL for (int k = 0; k < kt; k++) acc[o][k] = v_fma(value, few[k], acc[o][k]);
                        }
                    }
                }
            }
        LN_UNROLL for (int o = 0; o < ot; o++)
            LN_UNROLL for (int k = 0; k < kt; k++)
                v_store(s->sums[(size_t)o * s->sums_step + (size_t)k].of + p, acc[o][k]);
    }
}

/* The same for a channel of output that has an input channel of its own: rt rows of the kernel by kt columns at once.
 * A strip of xt columns of dout is loaded once for all of them and for the sum of dout itself, each input under it once
 * (a lone column, where strides or dilation keep inputs apart, takes as many loads as taps). */
LN_INLINE void conv_own_strip(const int rt, const int kt, const int xt, const int st, const size_t tap,
                              const lanes *dy, const lanes *const in[CONV_OWN_ROWS], size_t p,
                              vec acc[CONV_OWN_ROWS][CONV_MAX], vec *pixels) {
    vec value[CONV_OWN_COLUMNS];
    LN_UNROLL for (int x = 0; x < xt; x++) {
        value[x] = v_load(dy[x].of + p);
        LN_KEEP(value[x]);
        *pixels = v_add(*pixels, value[x]);
    }
    LN_UNROLL for (int i = 0; i < (xt - 1) * st + kt; i++)
        LN_UNROLL for (int r = 0; r < rt; r++) {
            vec under = v_load(in[r][(size_t)i * tap].of + p);
            LN_KEEP(under);
            LN_UNROLL for (int x = 0; x < xt; x++) {
                const int k = i - x * st;
                if (k >= 0 && k < kt) acc[r][k] = v_fma(value[x], under, acc[r][k]);
            }
        }
}

LN_INLINE void conv_own_columns(const int rt, const int kt, const int xt, const int st, const conv_sum *s) {
    for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
        vec acc[CONV_OWN_ROWS][CONV_MAX], pixels = s->adds && s->pixels ? v_load(s->pixels->of + p) : v_zero();
        LN_UNROLL for (int r = 0; r < rt; r++)
            LN_UNROLL for (int k = 0; k < kt; k++)
                acc[r][k] = s->adds ? v_load(s->sums[(size_t)r * s->sums_step + (size_t)k].of + p) : v_zero();
        for (size_t b = 0; b < s->n_blocks; b++)
            for (size_t y = 0; y < s->rows; y++) {
                const lanes *dy = s->dout + b * s->dout_block + y * s->dout_row, *in[CONV_OWN_ROWS];
                LN_UNROLL for (int r = 0; r < rt; r++) in[r] = s->in_rows[r] + b * s->in_block + y * s->in_row_step;
                size_t x = 0;
                for (; xt > 1 && x + (size_t)xt <= s->columns; x += (size_t)xt, dy += xt) {
                    if (p == 0) {
                        conv_fetch(xt, dy + CONV_AHEAD * s->dout_row, 0);
                        conv_fetch(xt * st, in[rt - 1] + CONV_AHEAD * s->in_row_step, 0);
                    }
                    conv_own_strip(rt, kt, xt, st, 1, dy, in, p, acc, &pixels);
                    LN_UNROLL for (int r = 0; r < rt; r++) in[r] += xt * st;
                }
                for (; x < s->columns; x++, dy++) {
                    conv_own_strip(rt, kt, 1, 1, xt > 1 ? 1 : s->in_tap, dy, in, p, acc, &pixels);
                    LN_UNROLL for (int r = 0; r < rt; r++) in[r] += s->in_step;
                }
            }
        if (s->pixels) v_store(s->pixels->of + p, pixels);
        LN_UNROLL for (int r = 0; r < rt; r++)
            LN_UNROLL for (int k = 0; k < kt; k++)
                v_store(s->sums[(size_t)r * s->sums_step + (size_t)k].of + p, acc[r][k]);
    }
}

LN_INLINE void conv_own_tile(const int rt, const int kt, const conv_sum *s) {
    if (rt * kt > CONV_TILE) return; /* no such tile */
    const int left = LN_REGISTERS - rt * kt - 2, xt = left < CONV_OWN_COLUMNS ? left : CONV_OWN_COLUMNS;
    if (s->in_tap == 1 && s->in_step == 1) conv_own_columns(rt, kt, xt, 1, s);
    else if (s->in_tap == 1 && s->in_step == 2) conv_own_columns(rt, kt, xt, 2, s);
    else conv_own_columns(rt, kt, 1, 1, s);
}

/* --------------------------------------------------------- input gradient */

/* What n_rows rows of dout (of all o channels) add to one row of din, or to two rows that as many rows of dout reach
 * (the same row of two channels, or two rows of one), as one alone waits for its own additions. Of n strips each
 * reaches (pt - 1)·st + kw columns; those that it shares with the next stay in registers. */
typedef struct conv_slide {
    const real  *weights[2];   /* packed [channel of in][kh][o][kw], at the first row's ky */
    const lanes *dout[2];      /* at the first row and column */
    lanes       *din[2];       /* added to, unless it sets; begins: likewise the columns that the first strip shares */
    bool         sets, begins;
    size_t       n, n_rows, o; /* n: strips */
    size_t       din_ahead;    /* to what is fetched meanwhile, to be written */
    ptrdiff_t    weights_row;  /* from one row of dout to the next: ky falls by the stride */
    size_t       dout_channel, dout_row;
} conv_slide;

/* One row of dout of one o: its columns are kept and the weights stream. Where n_acc accumulators leave no room for
 * that, a lone channel, which is short of loads, keeps the weights instead. */
LN_INLINE void conv_slide_once(const bool lone, const int n_acc, const int pt, const int kw, const int st,
                               const real *w, const lanes *dy, size_t p, vec acc[2 * CONV_MAX + CONV_MAX_SLIDE]) {
    vec few[CONV_MAX];
    if (lone && n_acc + pt >= LN_REGISTERS && n_acc + kw < LN_REGISTERS) {
        LN_UNROLL for (int k = 0; k < kw; k++) few[k] = v_broadcast(w + k);
        LN_UNROLL for (int x = 0; x < pt; x++) {
            vec value = v_load(dy[x].of + p);
            LN_KEEP(value);
            LN_UNROLL for (int k = kw - 1; k >= 0; k--) acc[x * st + k] = v_fma(few[k], value, acc[x * st + k]);
        }
    } else {
        LN_UNROLL for (int x = 0; x < pt; x++) {
            few[x] = v_load(dy[x].of + p);
            if (n_acc + pt < LN_REGISTERS) LN_KEEP(few[x]);
        }
        LN_UNROLL for (int k = kw - 1; k >= 0; k--) {
            const vec weight = v_broadcast(w + k);
            LN_UNROLL for (int x = 0; x < pt; x++) acc[x * st + k] = v_fma(weight, few[x], acc[x * st + k]);
        }
    }
}

LN_INLINE void conv_slide_strips(const bool lone, const int rt, const int pt, const int kw, const int st,
                                 const conv_slide *s) {
    const int columns = (pt - 1) * st + kw, shared = kw > st ? kw - st : 0;
    for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
        vec acc[2][2 * CONV_MAX + CONV_MAX_SLIDE];
        LN_UNROLL for (int r = 0; r < rt; r++)
            LN_UNROLL for (int x = 0; x < shared; x++) acc[r][x] = s->begins ? v_zero() : v_load(s->din[r][x].of + p);
        for (size_t i = 0; i < s->n; i++) {
            lanes *const din[2] = {s->din[0] + i * (size_t)(pt * st), s->din[rt - 1] + i * (size_t)(pt * st)};
            if (p == 0) {
                const size_t ahead = (s->n_rows + CONV_AHEAD - 1) * s->dout_row + i * (size_t)pt;
                LN_UNROLL for (int r = 0; r < rt; r++) {
                    conv_fetch(pt, s->dout[r] + ahead, 0);
                    conv_fetch(pt * st, din[r] + s->din_ahead, 1);
                }
            }
            LN_UNROLL for (int r = 0; r < rt; r++)
                LN_UNROLL for (int x = shared; x < columns; x++)
                    acc[r][x] = s->sets ? v_zero() : v_load(din[r][x].of + p);
            for (size_t y = 0; y < s->n_rows; y++) {
                const ptrdiff_t row = (ptrdiff_t)y * s->weights_row;
                const size_t    at = y * s->dout_row + i * (size_t)pt;
                const real     *w[2] = {s->weights[0] + row, s->weights[rt - 1] + row};
                const lanes    *dy[2] = {s->dout[0] + at, s->dout[rt - 1] + at};
                for (size_t o = 0; o < (lone ? 1 : s->o); o++)
                    LN_UNROLL for (int r = 0; r < rt; r++) {
                        conv_slide_once(lone, rt * columns, pt, kw, st, w[r], dy[r], p, acc[r]);
                        w[r] += kw;
                        dy[r] += s->dout_channel;
                    }
            }
            LN_UNROLL for (int r = 0; r < rt; r++) {
                LN_UNROLL for (int x = 0; x < columns - shared; x++) v_store(din[r][x].of + p, acc[r][x]);
                LN_UNROLL for (int x = 0; x < shared; x++) acc[r][x] = acc[r][columns - shared + x];
            }
        }
        LN_UNROLL for (int r = 0; r < rt; r++)
            LN_UNROLL for (int x = 0; x < shared; x++)
                v_store(s->din[r][s->n * (size_t)(pt * st) + (size_t)x].of + p, acc[r][x]);
    }
}

LN_INLINE void conv_slide_tile(const int rt, const int pt, const int kw, const int st, const conv_slide *s) {
    if (st > 1 && pt > CONV_WIDE) return; /* no such tile */
    if (s->o == 1) conv_slide_strips(true, rt, pt, kw, st, s);
    else conv_slide_strips(false, rt, pt, kw, st, s);
}

/* The same for any stride and kernel width: one column of the kernel at a time, pt columns of dout. */
LN_INLINE void conv_scatter_tile(const int pt, const conv_slide *s, size_t kw, size_t kx, size_t step) {
    for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
        vec acc[CONV_MAX];
        LN_UNROLL for (int x = 0; x < pt; x++) acc[x] = v_load(s->din[0][(size_t)x * step + kx].of + p);
        for (size_t y = 0; y < s->n_rows; y++) {
            const real  *w = s->weights[0] + (ptrdiff_t)y * s->weights_row + kx;
            const lanes *dy = s->dout[0] + y * s->dout_row;
            for (size_t o = 0; o < s->o; o++, w += kw, dy += s->dout_channel) {
                const vec weight = v_broadcast(w);
                LN_UNROLL for (int x = 0; x < pt; x++) acc[x] = v_fma(weight, v_load(dy[x].of + p), acc[x]);
            }
        }
        LN_UNROLL for (int x = 0; x < pt; x++) v_store(s->din[0][(size_t)x * step + kx].of + p, acc[x]);
    }
}

/* ---------------------------------------------------- forward, one image */

/* n tiles of one row of output, for ot groups of 16 channels: weights are lanes, inputs are broadcast. in_* strides are
 * in reals; channel c of the input lies at (c / 16)·in_channel + c % 16, or, planar, at c·in_channel. */
typedef struct conv_image {
    const lanes *weights;   /* [group][1 + c·kh·kw], the biases first */
    const real  *in;        /* at the first tap of the first column */
    lanes       *out;
    size_t       n, c, kh, kw, weights_group, in_channel, in_row, in_column, in_step, out_group; /* in_row, in_column:
                                               between taps of the kernel; in_step: as above */
    bool         planar;
} conv_image;

enum { CONV_IMAGE_COLUMNS = CONV_TILE / 2, CONV_IMAGE_GROUPS = 2 };

LN_INLINE void conv_image_tile(const int ot, const int xt, const size_t column, const size_t step, const conv_image *r,
                               const real *in, lanes *out, size_t p) {
    vec          acc[CONV_IMAGE_GROUPS][CONV_IMAGE_COLUMNS];
    const lanes *w = r->weights;
    LN_UNROLL for (int o = 0; o < ot; o++)
        LN_UNROLL for (int x = 0; x < xt; x++) acc[o][x] = v_load(w[(size_t)o * r->weights_group].of + p);
    for (size_t c = 0; c < r->c; c++)
        for (size_t ky = 0; ky < r->kh; ky++) {
            const size_t channel = r->planar ? c * r->in_channel : c / LN_LANES * r->in_channel + c % LN_LANES;
            const real  *at = in + channel + ky * r->in_row;
            for (size_t kx = 0; kx < r->kw; kx++, at += column) {
                vec weight[CONV_IMAGE_GROUPS];
                w++;
                LN_UNROLL for (int o = 0; o < ot; o++) weight[o] = v_load(w[(size_t)o * r->weights_group].of + p);
                LN_UNROLL for (int x = 0; x < xt; x++) {
                    const vec value = v_broadcast(at + (size_t)x * step);
                    LN_UNROLL for (int o = 0; o < ot; o++) acc[o][x] = v_fma(weight[o], value, acc[o][x]);
                }
            }
        }
    LN_UNROLL for (int o = 0; o < ot; o++)
        LN_UNROLL for (int x = 0; x < xt; x++) v_store(out[(size_t)o * r->out_group + (size_t)x].of + p, acc[o][x]);
}

LN_INLINE void conv_image_steps(const int ot, const int xt, const size_t column, const size_t step,
                                const conv_image *r) {
    for (size_t p = 0; p < LN_LANES; p += LN_WIDTH)
        for (size_t i = 0; i < r->n; i++)
            conv_image_tile(ot, xt, column, step, r, r->in + i * (size_t)xt * step, r->out + i * (size_t)xt, p);
}

LN_INLINE void conv_image_tiles(const int ot, const int xt, const conv_image *r) {
    if (ot * xt > CONV_TILE || xt > CONV_IMAGE_COLUMNS) return; /* no such tile */
    if (r->planar && r->in_column == 1 && r->in_step == 1)
        conv_image_steps(ot, xt, 1, 1, r);
    else if (r->in_column == LN_LANES && r->in_step == LN_LANES)
        conv_image_steps(ot, xt, LN_LANES, LN_LANES, r);
    else
        conv_image_steps(ot, xt, r->in_column, r->in_step, r);
}

/* ----------------------------------------------------------------- tables */

#define CONV_EACH_COLUMN(each, row) \
    each(row, 1) each(row, 2) each(row, 3) each(row, 4) each(row, 5) each(row, 6) each(row, 7) each(row, 8)
#define CONV_EACH_TILE(each)                                                                             \
    CONV_EACH_COLUMN(each, 1) CONV_EACH_COLUMN(each, 2) CONV_EACH_COLUMN(each, 3) CONV_EACH_COLUMN(each, 4) \
    CONV_EACH_COLUMN(each, 5) CONV_EACH_COLUMN(each, 6) CONV_EACH_COLUMN(each, 7) CONV_EACH_COLUMN(each, 8)

#define CONV_DEFINE(ot, xt)                                                                        \
    static void conv_forward_##ot##_##xt(const conv_row *r) { conv_forward_tiles(ot, xt, r); }     \
    static void conv_dilated_##ot##_##xt(const conv_row *r) { conv_dilated_tiles(ot, xt, r); }     \
    static void conv_dparam_##ot##_##xt(const conv_sum *s) { conv_dparam_tile(ot, xt, s); }
CONV_EACH_TILE(CONV_DEFINE)
#define CONV_ENTRY(ot, xt) [ot][xt] = conv_forward_##ot##_##xt,
static void (*const conv_forward[CONV_MAX + 1][CONV_MAX + 1])(const conv_row *) = {CONV_EACH_TILE(CONV_ENTRY)};
#undef CONV_ENTRY
#define CONV_ENTRY(ot, xt) [ot][xt] = conv_dilated_##ot##_##xt,
static void (*const conv_dilated[CONV_MAX + 1][CONV_MAX + 1])(const conv_row *) = {CONV_EACH_TILE(CONV_ENTRY)};
#undef CONV_ENTRY
#define CONV_ENTRY(ot, xt) [ot][xt] = conv_dparam_##ot##_##xt,
static void (*const conv_dparam[CONV_MAX + 1][CONV_MAX + 1])(const conv_sum *) = {CONV_EACH_TILE(CONV_ENTRY)};
#undef CONV_ENTRY

#define CONV_DEFINE_OWN(rt, kt) \
    static void conv_own_##rt##_##kt(const conv_sum *s) { conv_own_tile(rt, kt, s); }
#define CONV_EACH_OWN(each) CONV_EACH_COLUMN(each, 1) CONV_EACH_COLUMN(each, 2) CONV_EACH_COLUMN(each, 3)
CONV_EACH_OWN(CONV_DEFINE_OWN)
#define CONV_ENTRY(rt, kt) [rt][kt] = conv_own_##rt##_##kt,
static void (*const conv_own[CONV_OWN_ROWS + 1][CONV_MAX + 1])(const conv_sum *) = {CONV_EACH_OWN(CONV_ENTRY)};
#undef CONV_ENTRY

#define CONV_EACH_SLIDE(each) \
    CONV_EACH_COLUMN(each, 1) CONV_EACH_COLUMN(each, 2) CONV_EACH_COLUMN(each, 3) CONV_EACH_COLUMN(each, 5) \
    CONV_EACH_COLUMN(each, 7)
#define CONV_DEFINE_SLIDE(kw, pt)                                                                       \
    static void conv_slide_1_##kw##_##pt(const conv_slide *s) { conv_slide_tile(1, pt, kw, 1, s); }       \
    static void conv_slide_2_##kw##_##pt(const conv_slide *s) { conv_slide_tile(2, pt, kw, 1, s); }       \
    static void conv_stride_1_##kw##_##pt(const conv_slide *s) { conv_slide_tile(1, pt, kw, 2, s); }      \
    static void conv_stride_2_##kw##_##pt(const conv_slide *s) { conv_slide_tile(2, pt, kw, 2, s); }
CONV_EACH_SLIDE(CONV_DEFINE_SLIDE)
#define CONV_DEFINE_PAIR(kw, xt) \
    static void conv_pair_##kw##_##xt(const conv_row *r) { conv_pair_tiles(kw, xt, r); }
CONV_EACH_SLIDE(CONV_DEFINE_PAIR)
#define CONV_ENTRY(kw, xt) [kw][xt] = conv_pair_##kw##_##xt,
static void (*const conv_pairs[CONV_MAX_SLIDE + 1][CONV_MAX + 1])(const conv_row *) = {CONV_EACH_SLIDE(CONV_ENTRY)};
#undef CONV_ENTRY
/* conv_slides[st][rt][kw][pt] */
#define CONV_ENTRY(kw, pt)                                                                  \
    [1][1][kw][pt] = conv_slide_1_##kw##_##pt, [1][2][kw][pt] = conv_slide_2_##kw##_##pt,   \
    [2][1][kw][pt] = conv_stride_1_##kw##_##pt, [2][2][kw][pt] = conv_stride_2_##kw##_##pt,
static void (*const conv_slides[3][3][CONV_MAX_SLIDE + 1][CONV_MAX + 1])(const conv_slide *) = {
    CONV_EACH_SLIDE(CONV_ENTRY)};
#undef CONV_ENTRY

#define CONV_DEFINE_IMAGE(ot, xt) \
    static void conv_image_##ot##_##xt(const conv_image *r) { conv_image_tiles(ot, xt, r); }
#define CONV_EACH_IMAGE(each, ot) \
    CONV_EACH_COLUMN(each, ot) each(ot, 9) each(ot, 10) each(ot, 11) each(ot, 12)
CONV_EACH_IMAGE(CONV_DEFINE_IMAGE, 1)
CONV_EACH_IMAGE(CONV_DEFINE_IMAGE, 2)
#define CONV_ENTRY(ot, xt) [ot][xt] = conv_image_##ot##_##xt,
static void (*const conv_images[CONV_IMAGE_GROUPS + 1][13])(const conv_image *) = {CONV_EACH_IMAGE(CONV_ENTRY, 1)
                                                                                      CONV_EACH_IMAGE(CONV_ENTRY, 2)};
#undef CONV_ENTRY

static inline void conv_scatter(size_t pt, const conv_slide *s, size_t kw, size_t kx, size_t step) {
    switch (pt) {
    case 1: conv_scatter_tile(1, s, kw, kx, step); break;
    case 2: conv_scatter_tile(2, s, kw, kx, step); break;
    case 3: conv_scatter_tile(3, s, kw, kx, step); break;
    case 4: conv_scatter_tile(4, s, kw, kx, step); break;
    case 5: conv_scatter_tile(5, s, kw, kx, step); break;
    case 6: conv_scatter_tile(6, s, kw, kx, step); break;
    case 7: conv_scatter_tile(7, s, kw, kx, step); break;
    default: conv_scatter_tile(8, s, kw, kx, step); break;
    }
}

/* ------------------------------------------------------------------ sizes */

/* How count columns are cut into tiles of at most most: n of size and then rest of size - 1. */
typedef struct conv_cut { size_t size, n, rest; } conv_cut;

static inline conv_cut conv_cut_evenly(size_t count, size_t most) {
    const size_t tiles = (count + most - 1) / most, size = (count + tiles - 1) / tiles;
    return (conv_cut){size, tiles - (size * tiles - count), size * tiles - count};
}

/* Half-cycles that one tap of an ot × xt tile takes: fmas (two a cycle), loads (two), or the latency of an fma (4). */
static inline size_t conv_tap_cost(size_t ot, size_t xt) {
    const size_t fmas = ot * xt, loads = ot + xt;
    return ln_most(ln_most(fmas, loads), 8) + 1;
}

/* Rows of the tile that make rows × columns cheapest when n parts share the rows. A divisor of rows only, when exact.
 * Tiles of more than fit rows pay for loads from beyond the first-level cache. */
static inline size_t conv_tile_rows(size_t rows, size_t columns, size_t n_parts, bool exact, size_t fit) {
    size_t best = 1, best_cost = SIZE_MAX;
    for (size_t ot = ln_least(CONV_MAX, rows); ot >= 1; ot--) {
        if (exact && rows % ot != 0) continue;
        const conv_cut cut = conv_cut_evenly(columns, ln_least(CONV_MAX, CONV_TILE / ot));
        const size_t   tiles = rows / ot, rest = rows % ot, busiest = (tiles + (rest > 0) + n_parts - 1) / n_parts;
        const size_t   full = cut.n * conv_tap_cost(ot, cut.size) + cut.rest * conv_tap_cost(ot, cut.size - 1);
        const size_t   last = cut.n * conv_tap_cost(rest, cut.size) + cut.rest * conv_tap_cost(rest, cut.size - 1);
        const size_t   far = ot > fit ? 2 * rows * (cut.n + cut.rest) : 0;
        const size_t   cost = (n_parts > 1 ? busiest * full : tiles * full + (rest > 0 ? last : 0)) + far;
        if (cost < best_cost) {
            best = ot;
            best_cost = cost;
        }
    }
    return best;
}

#endif
