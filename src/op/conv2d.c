/* conv2d: y[n,o,h,w] = b[o] + Σ_{c,ky,kx} weight[o,c,ky,kx] · x[n, c, h·sh + ky·dh - ph, w·sw + kx·dw - pw]
 *
 * (what the field calls convolution: the kernel is not flipped), over the taps (ky, kx) of a kernel of kh × kw. Outside
 * the image x is zero; dh and dw are the dilation. With groups, output channels o of group g see the input channels of
 * group g alone; groups = in_channels is the depthwise convolution.
 *
 *   output size    oh = floor((h + 2ph - (kh - 1)·dh - 1) / sh) + 1, and likewise ow
 *   backward       dx[n,c,r,q]          = Σ_{o,ky,kx} weight[o,c,ky,kx] · dy[n, o, (r + ph - ky·dh)/sh,
 *                                         (q + pw - kx·dw)/sw] over the taps for which both quotients are whole and
 *                                         inside dy
 *                  dweight[o,c,ky,kx]   = Σ_{n,h,w} dy[n,o,h,w] · x[n, c, h·sh + ky·dh - ph, w·sw + kx·dw - pw]
 *                  db[o]                = Σ_{n,h,w} dy[n,o,h,w]
 *
 * Invariant: the sum of an output runs over (c, ky, kx) in that order from the bias; of a weight's gradient over the
 * pixels of a block in order, lane by lane, then over lanes; of an input's gradient over strips of output columns
 * whose width depends on ow alone. So tiles, bands, parts and instruction sets change no bit.
 * Source: LeCun et al., "Gradient-based learning applied to document recognition", 1998; PyTorch's Conv2d. */
#include "op/op.h"

typedef struct conv2d {
    int      out_channels;
    ln_size2 kernel, stride, padding, dilation;
    int      groups;
    bool     bias;
} conv2d;

#ifdef LN_DESCRIPTOR

/* Cells from the first tap to the last. */
static size_t extent(int kernel, int dilation) { return ((size_t)kernel - 1) * (size_t)dilation + 1; }

static ln_status check(const ln_node *node, ln_error *error) {
    const conv2d *const a = (const conv2d *)(const void *)node->args;
    const ln_shape      s = node->in[0];
    const size_t        groups = (size_t)a->groups;
    const size_t        eh = extent(a->kernel.h, a->dilation.h), ew = extent(a->kernel.w, a->dilation.w);
    if (s.c % groups != 0 || (size_t)a->out_channels % groups != 0)
        return ln_fail_node(error, LN_E_SHAPE, node,
                            "groups=%d does not divide both %zu input and %d output channels; choose one that does",
                            a->groups, s.c, a->out_channels);
    if (eh <= s.h + 2 * (size_t)a->padding.h && ew <= s.w + 2 * (size_t)a->padding.w) return LN_OK;
    if (a->dilation.h == 1 && a->dilation.w == 1)
        return ln_fail_node(error, LN_E_SHAPE, node,
                            "its kernel of %dx%d is larger than its input of %zux%zux%zu with padding %dx%d; use a "
                            "smaller kernel or more padding",
                            a->kernel.h, a->kernel.w, s.c, s.h, s.w, a->padding.h, a->padding.w);
    return ln_fail_node(error, LN_E_SHAPE, node,
                        "its kernel of %dx%d with dilation %dx%d spans %zux%zu, more than its input of %zux%zux%zu "
                        "with padding %dx%d; use a smaller kernel or dilation, or more padding",
                        a->kernel.h, a->kernel.w, a->dilation.h, a->dilation.w, eh, ew, s.c, s.h, s.w, a->padding.h,
                        a->padding.w);
}

static ln_status infer(ln_node *node, ln_error *error) {
    const conv2d *const a = (const conv2d *)(const void *)node->args;
    const ln_status     status = check(node, error);
    if (status != LN_OK) return status;
    const ln_shape s = node->in[0];
    const size_t   o = (size_t)a->out_channels, kh = (size_t)a->kernel.h, kw = (size_t)a->kernel.w,
                 c = s.c / (size_t)a->groups;
    const size_t eh = extent(a->kernel.h, a->dilation.h), ew = extent(a->kernel.w, a->dilation.w);
    node->out = (ln_shape){o, (s.h + 2 * (size_t)a->padding.h - eh) / (size_t)a->stride.h + 1,
                           (s.w + 2 * (size_t)a->padding.w - ew) / (size_t)a->stride.w + 1};
    size_t taps, count, outputs;
    if (!ln_multiply(c, kh * kw, &taps) || !ln_multiply(o, taps, &count) || count > (size_t)1 << 31 ||
        !ln_multiply(node->out.h * node->out.w, o, &outputs) || outputs > (size_t)1 << 31)
        return ln_fail_node(error, LN_E_SHAPE, node,
                            "%zu outputs of %zu taps each are more than 2^31 values; make it smaller", o, taps);
    node->halo = a->padding;
    node->own_channels = (size_t)a->groups == node->in[0].c && (size_t)a->groups == node->out.c;
    node->n_macs = (uint64_t)outputs * taps;
    node->n_params = a->bias ? 2 : 1;
    node->param[0] = (ln_param){
        .name = "weight", .rank = 4, .dims = {o, c, kh, kw}, .count = count, .fan_in = taps, .fan_out = o * kh * kw};
    node->param[1] =
        (ln_param){.name = "bias", .rank = 1, .dims = {o}, .count = o, .fan_in = taps, .fan_out = o, .is_bias = true};
    return LN_OK;
}

static const ln_attr attrs[] = {{.key = "out_channels",
                                 .type = LN_ATTR_INT,
                                 .offset = offsetof(conv2d, out_channels),
                                 .required = true,
                                 .positional = true,
                                 .low = 1,
                                 .high = 65536,
                                 .help = "channels of the output, one filter each"},
                                {.key = "kernel",
                                 .type = LN_ATTR_SIZE2,
                                 .offset = offsetof(conv2d, kernel),
                                 .required = true,
                                 .low = 1,
                                 .high = 1024,
                                 .help = "rows and columns of a window"},
                                {.key = "stride",
                                 .type = LN_ATTR_SIZE2,
                                 .offset = offsetof(conv2d, stride),
                                 .preset = 1,
                                 .low = 1,
                                 .high = 1024,
                                 .help = "rows and columns from one window to the next"},
                                {.key = "padding",
                                 .type = LN_ATTR_SIZE2,
                                 .offset = offsetof(conv2d, padding),
                                 .low = 0,
                                 .high = 1024,
                                 .help = "rows and columns of zeros added on each side"},
                                {.key = "dilation",
                                 .type = LN_ATTR_SIZE2,
                                 .offset = offsetof(conv2d, dilation),
                                 .preset = 1,
                                 .low = 1,
                                 .high = 1024,
                                 .help = "rows and columns from one cell of a window to the next"},
                                {.key = "groups",
                                 .type = LN_ATTR_INT,
                                 .offset = offsetof(conv2d, groups),
                                 .preset = 1,
                                 .low = 1,
                                 .high = 65536,
                                 .help = "groups of channels that do not see each other"},
                                {.key = "bias",
                                 .type = LN_ATTR_BOOL,
                                 .offset = offsetof(conv2d, bias),
                                 .preset = 1,
                                 .help = "add a learnt bias to each channel"},
                                {0}};

const ln_op ln_op_conv2d = {
    .name = "conv2d",
    .help = "convolution over rows and columns",
    .attrs = attrs,
    .args_size = sizeof(conv2d),
    .traits = LN_HEAD | LN_NEEDS_IN | LN_LEARNS | LN_DRAWS,
    .n_inputs = 1,
    .infer = infer,
};

#else
#include "kernel/conv.h"

#include <string.h>

/* The sizes of a node, as the loops want them. */
typedef struct sizes {
    size_t o, c, kh, kw, taps; /* c and taps: of one group */
    size_t group_o, sh, sw, ph, pw, dh, dw;
    size_t tile, sum_tile; /* output channels of a tile: forward (and the packing), and parameter gradient */
    size_t sum_rows;       /* rows of a block that the parameter gradient takes at a time; 0: all of all blocks */
} sizes;

static sizes sizes_of(const ln_node *node, const size_t choice[3]) {
    const conv2d *const a = (const conv2d *)(const void *)node->args;
    const size_t        groups = (size_t)a->groups;
    sizes               s = {.o = node->out.c,
                             .c = node->in[0].c / groups,
                             .kh = (size_t)a->kernel.h,
                             .kw = (size_t)a->kernel.w,
                             .group_o = node->out.c / groups,
                             .sh = (size_t)a->stride.h,
                             .sw = (size_t)a->stride.w,
                             .ph = (size_t)a->padding.h,
                             .pw = (size_t)a->padding.w,
                             .dh = (size_t)a->dilation.h,
                             .dw = (size_t)a->dilation.w};
    if (s.kh == 1) s.dh = 1; /* nothing lies between */
    if (s.kw == 1) s.dw = 1;
    s.taps = s.c * s.kh * s.kw;
    s.tile = choice[0];
    s.sum_tile = choice[1];
    s.sum_rows = choice[2];
    return s;
}

enum {
    FEW_BYTES = 128 << 10,
    BAND_BYTES = 256 << 10
};                         /* of weights, and of input, which the second-level cache holds */
enum { CUT_CHANNELS = 8 }; /* so many input channels make it worth while to cut maps into bands of rows */

/* How many columns of the kernel a tile of sums may have: their taps must lie side by side. */
static size_t sums_beside(const conv2d *a) { return a->dilation.w == 1 ? (size_t)a->kernel.w : 1; }

/* Tiles for the forward pass, and for sums over pixels: there all pixels of a tile's channels should stay in the
 * first-level cache while input channels pass by. So blocks are taken one by one and rows a few at a time, and the sums
 * of a tile wait in memory meanwhile. With few input channels, whose sums would come and go as often as the pixels,
 * the tile is made smaller instead, and choice[2] is 0. Channels that each have an input of their own (depthwise) are
 * taken one by one, with their inputs, and need no bands of rows where one walk does for all taps. */
static void choose(const ln_node *node, size_t n_parts, size_t choice[3]) {
    const conv2d *const a = (const conv2d *)(const void *)node->args;
    const bool          divides = a->groups > 1, own = node->own_channels;
    const size_t        group_o = node->out.c / (size_t)a->groups, row = node->out.w * sizeof(lanes);
    const bool          cuts = own ? a->kernel.h * a->kernel.w > CONV_OWN_ROWS * CONV_OWN_ROWS
                                   : node->in[0].c / (size_t)a->groups >= CUT_CHANNELS;
    choice[0] = conv_tile_rows(group_o, node->out.w, divides ? 1 : n_parts, divides, SIZE_MAX);
    choice[1] = own ? 1
                    : conv_tile_rows(group_o, sums_beside(a), 1, divides,
                                     cuts ? SIZE_MAX : CONV_CACHE_BYTES / (node->out.h * row));
    const size_t rows = CONV_CACHE_BYTES / ((own ? 2 : 1) * choice[1] * row);
    choice[2] = !cuts ? 0 : rows > 0 ? rows : 1;
}

/* Sums of weights' gradients that wait in scratch, before those of biases: of a tile, or, in bands, of all. */
static size_t sums_waiting(const sizes *s, bool bands) {
    if (bands) return s->o * (s->taps | 1);
    return s->sum_tile * (s->sum_rows > 0 ? s->taps | 1 : s->kh * s->kw);
}

static void prepare(const ln_node *node, ln_need *need) {
    choose(node, need->n_parts, need->choice);
    const sizes s = sizes_of(node, need->choice);
    const bool  bands = need->band_rows > 0 && need->band_rows < node->out.h;
    need->grain = s.tile;
    need->sum_grain = s.sum_tile;
    need->n_packed = node->param[0].count * (need->training ? 2 : 1);
    if (need->training) need->scratch = (sums_waiting(&s, bands) + s.o) * sizeof(lanes);
}

/* Forward: [o / tile][c][kh][kw][tile]. Input gradient: [c][kh][o of the group][kw]. */
static void pack(const ln_task *t) {
    const sizes       s = sizes_of(t->node, t->choice);
    const real *const weight = t->param[0];
    real *const forward = t->packed, *const back = forward + s.o * s.taps;
    size_t lo, hi;
    ln_part((s.o + s.tile - 1) / s.tile, t->part, t->n_parts, &lo, &hi);
    for (size_t o0 = lo * s.tile; o0 < ln_least(hi * s.tile, s.o); o0 += s.tile) {
        const size_t tile = ln_least(s.tile, s.o - o0);
        for (size_t tap = 0; tap < s.taps; tap++)
            for (size_t o = 0; o < tile; o++) forward[o0 * s.taps + tap * tile + o] = weight[(o0 + o) * s.taps + tap];
    }
    if (!t->training) return;
    ln_part(t->node->in[0].c, t->part, t->n_parts, &lo, &hi);
    for (size_t c = lo; c < hi; c++) {
        const size_t first = c / s.c * s.group_o; // NOLINT(clang-analyzer-core.DivideZero): infer made groups divide c
        for (size_t ky = 0; ky < s.kh; ky++)
            for (size_t o = 0; o < s.group_o; o++)
                memcpy(back + ((c * s.kh + ky) * s.group_o + o) * s.kw,
                       weight + (first + o) * s.taps + (c % s.c * s.kh + ky) * s.kw, s.kw * sizeof(real));
    }
}

/* Kernels of this width slide along rows, and their tiles exist. */
static bool slides(const sizes *s) {
    return s->sw <= 2 && s->dw == 1 && s->kw <= CONV_MAX_SLIDE && conv_slides[1][1][s->kw][1];
}

/* ---------------------------------------------------------------- forward */

static void forward_tiles(const conv_row *rows, void (*const *tiles)(const conv_row *), conv_cut cut) {
    conv_row r = *rows;
    r.n = cut.n;
    tiles[cut.size](&r);
    if (cut.rest == 0) return;
    r.in += cut.n * cut.size * r.in_step;
    r.out += cut.n * cut.size;
    r.n = cut.rest;
    tiles[cut.size - 1](&r);
}

/* Rows of a lone channel two at a time, where they may be. */
static void forward_rows(const sizes *s, const conv_row *rows, size_t tile, size_t columns) {
    conv_row     r = *rows;
    const bool   beside = s->sh == 1 && s->sw == 1 && s->dh == 1 && slides(s);
    const size_t pairs = tile == 1 && beside ? r.rows / 2 : 0;
    if (pairs > 0) forward_tiles(&r, conv_pairs[s->kw], conv_cut_evenly(columns, CONV_PAIR));
    r.in += 2 * pairs * r.in_next;
    r.out += 2 * pairs * r.out_next;
    r.rows -= 2 * pairs;
    forward_tiles(&r, r.in_tap == 1 ? conv_forward[tile] : conv_dilated[tile],
                  conv_cut_evenly(columns, ln_least(CONV_MAX, CONV_TILE / tile)));
}

static void forward(const ln_task *t) {
    const sizes s = sizes_of(t->node, t->choice);
    for (size_t b = 0; b < t->n_blocks; b++)
        for (size_t o = t->c_lo; o < t->c_hi; o += s.tile) {
            const size_t   tile = ln_least(s.tile, s.o - o), c0 = o / s.group_o * s.c;
            const conv_row r = {.weights = (const real *)t->packed + o * s.taps,
                                .bias = t->node->n_params > 1 ? (const real *)t->param[1] + o : NULL,
                                .in = view_row(&t->in[0], b, c0, t->h_lo * s.sh) - s.ph * t->in[0].row - s.pw,
                                .out = view_row(&t->out, b, o, t->h_lo),
                                .rows = t->h_hi - t->h_lo,
                                .c = s.c,
                                .kh = s.kh,
                                .kw = s.kw,
                                .in_channel = t->in[0].channel,
                                .in_row = s.dh * t->in[0].row,
                                .in_tap = s.dw,
                                .in_step = s.sw,
                                .in_next = s.sh * t->in[0].row,
                                .out_next = t->out.row,
                                .ahead = (s.kh + 3) * t->in[0].row, /* rows that soon come */
                                .out_channel = t->out.channel};
            forward_rows(&s, &r, tile, t->node->out.w);
        }
}

/* ----------------------------------------------------- parameter gradient */

/* Some rows of some blocks of a task. */
typedef struct region {
    size_t block, n_blocks, h_lo, h_hi;
} region;

/* Sums over a region of dout from channel o and of the input's channel. */
static conv_sum sum_at(const ln_task *t, const sizes *s, const region *at, size_t o, size_t channel) {
    return (conv_sum){.dout = view_row(&t->dout, at->block, o, at->h_lo),
                      .in = view_row(&t->in[0], at->block, channel, at->h_lo * s->sh) - s->ph * t->in[0].row - s->pw,
                      .adds = at->block > 0 || at->h_lo > 0,
                      .n_blocks = at->n_blocks,
                      .rows = at->h_hi - at->h_lo,
                      .columns = t->node->out.w,
                      .dout_block = t->dout.block,
                      .dout_channel = t->dout.channel,
                      .dout_row = t->dout.row,
                      .in_block = t->in[0].block,
                      .in_row_step = s->sh * t->in[0].row,
                      .in_step = s->sw,
                      .in_tap = s->dw};
}

/* kh × kw sums of each of tile channels, for input channel c of their group. */
static void sum_channel(const ln_task *t, const sizes *s, const region *at, size_t o, size_t tile, size_t c,
                        lanes *sums, size_t step) {
    const size_t       most = s->dw == 1 ? ln_least(CONV_MAX, CONV_TILE / tile) : 1;
    const conv_cut     cut = conv_cut_evenly(s->kw, most);
    conv_sum           sum = sum_at(t, s, at, o, o / s->group_o * s->c + c);
    const lanes *const in = sum.in;
    sum.sums_step = step;
    sum.in_ahead = c + 1 < s->c ? t->in[0].channel : 0;
    for (size_t ky = 0; ky < s->kh; ky++)
        for (size_t i = 0, kx = 0; i < cut.n + cut.rest; i++) {
            const size_t size = i < cut.n ? cut.size : cut.size - 1;
            sum.in = in + ky * s->dh * t->in[0].row + kx * s->dw;
            sum.sums = sums + ky * s->kw + kx;
            conv_dparam[tile][size](&sum);
            kx += size;
        }
}

/* The same for a channel with an input of its own, and the sum of dout with the first of them. */
static void sum_own(const ln_task *t, const sizes *s, const region *at, size_t o, lanes *sums, lanes *pixels) {
    const conv_cut     cut = conv_cut_evenly(s->kw, CONV_MAX);
    const conv_cut     cut_h = conv_cut_evenly(s->kh, ln_least(CONV_OWN_ROWS, CONV_TILE / cut.size));
    conv_sum           sum = sum_at(t, s, at, o, o);
    const lanes *const in = sum.in;
    sum.sums_step = s->kw;
    for (size_t j = 0, ky = 0; j < cut_h.n + cut_h.rest; j++) {
        const size_t rows = j < cut_h.n ? cut_h.size : cut_h.size - 1;
        for (size_t i = 0, kx = 0; i < cut.n + cut.rest; i++) {
            const size_t size = i < cut.n ? cut.size : cut.size - 1;
            for (size_t r = 0; r < rows; r++) sum.in_rows[r] = in + (ky + r) * s->dh * t->in[0].row + kx * s->dw;
            sum.sums = sums + ky * s->kw + kx;
            sum.pixels = ky + kx == 0 ? pixels : NULL;
            conv_own[rows][size](&sum);
            kx += size;
        }
        ky += rows;
    }
}

static void fold(const lanes *sums, size_t n, real *out) {
    size_t i = 0;
    for (; i + 16 <= n; i += 16) lanes_sum16(sums + i, out + i);
    for (; i < n; i++) out[i] = lanes_sum(sums + i);
}

/* Pixels of each block in order, lane by lane, for n of the task's channels from o: n sums side by side, as one
 * addition must wait for the one before it. */
LN_INLINE void sum_pixels(const ln_task *t, size_t o, const int n, lanes *sums) {
    for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
        vec acc[4];
        LN_UNROLL for (int i = 0; i < n; i++) acc[i] = t->h_lo > 0 ? v_load(sums[i].of + p) : v_zero();
        for (size_t b = 0; b < t->n_blocks; b++)
            for (size_t h = t->h_lo; h < t->h_hi; h++) {
                const lanes *const dy = view_row(&t->dout, b, o, h);
                for (size_t w = 0; w < t->node->out.w; w++)
                    LN_UNROLL for (int i = 0; i < n; i++) acc[i] =
                        v_add(acc[i], v_load(dy[(size_t)i * t->dout.channel + w].of + p));
            }
        LN_UNROLL for (int i = 0; i < n; i++) v_store(sums[i].of + p, acc[i]);
    }
}

static void sum_bias(const ln_task *t, lanes *pixels) {
    size_t o = t->c_lo;
    for (; o + 4 <= t->c_hi; o += 4) sum_pixels(t, o, 4, pixels + o);
    for (; o < t->c_hi; o++) sum_pixels(t, o, 1, pixels + o);
}

/* A tile of channels from o, all of its input channels one by one: each is done with before the next. */
static void sum_tile(const ln_task *t, const sizes *s, size_t o, size_t tile, lanes *sums, lanes *pixels) {
    const size_t area = s->kh * s->kw;
    const region all = {0, t->n_blocks, t->h_lo, t->h_hi};
    real *const  dweight = t->dparam[0];
    for (size_t c = 0; c < s->c; c++) {
        if (t->node->own_channels) sum_own(t, s, &all, o, sums, pixels);
        else sum_channel(t, s, &all, o, tile, c, sums, area);
        for (size_t i = 0; i < tile; i++) fold(sums + i * area, area, dweight + (o + i) * s->taps + c * area);
    }
}

/* The same a band of rows at a time, with the sums of all input channels side by side. */
static void sum_bands(const ln_task *t, const sizes *s, size_t o, size_t tile, lanes *sums, lanes *pixels) {
    const size_t area = s->kh * s->kw, rows = s->sum_rows > 0 ? s->sum_rows : t->h_hi - t->h_lo;
    real *const  dweight = t->dparam[0];
    for (size_t b = 0; b < t->n_blocks; b++)
        for (size_t h = t->h_lo; h < t->h_hi; h += rows) {
            const region band = {b, 1, h, ln_least(h + rows, t->h_hi)};
            if (t->node->own_channels) sum_own(t, s, &band, o, sums, pixels);
            else
                for (size_t c = 0; c < s->c; c++) sum_channel(t, s, &band, o, tile, c, sums + c * area, s->taps | 1);
        }
    for (size_t i = 0; i < tile && t->h_hi == t->node->out.h; i++)
        fold(sums + i * (s->taps | 1), s->taps, dweight + (o + i) * s->taps);
}

/* Lanes are folded when the last row is in. */
static void dparam(const ln_task *t) {
    const sizes  s = sizes_of(t->node, t->choice);
    const bool   whole = t->h_lo == 0 && t->h_hi == t->node->out.h, biases = t->node->n_params > 1;
    lanes *const sums = t->scratch, *const pixels = sums + sums_waiting(&s, !whole);
    real *const dbias = t->dparam[1];
    for (size_t o = t->c_lo, tile; o < t->c_hi; o += tile) {
        tile = ln_least(s.sum_tile, ln_least(t->c_hi - o, s.group_o - o % s.group_o));
        lanes *const sum = biases ? pixels + o : NULL;
        if (!whole) sum_bands(t, &s, o, tile, sums + o * (s.taps | 1), sum);
        else if (s.sum_rows > 0) sum_bands(t, &s, o, tile, sums, sum);
        else sum_tile(t, &s, o, tile, sums, sum);
    }
    if (biases && !t->node->own_channels) sum_bias(t, pixels);
    for (size_t o = t->c_lo; o < t->c_hi && biases && t->h_hi == t->node->out.h; o++) dbias[o] = lanes_sum(pixels + o);
}

/* --------------------------------------------------------- input gradient */

/* Rows of dout with a tap in row r of the padded input: n of them from lo, every step-th, the first with its row ky;
 * the next ones' rows of the kernel fall by fall. */
typedef struct rows_behind {
    size_t lo, n, step, ky, fall;
} rows_behind;

/* Of the rows from lo to end, whose windows hold row r, those that have a tap there. */
static rows_behind rows_dilated(const sizes *s, size_t r, size_t lo, size_t end) {
    size_t step = 1;
    while (step * s->sh % s->dh != 0) step++;
    while (lo < end && (r - lo * s->sh) % s->dh != 0) lo++;
    if (lo >= end) return (rows_behind){.step = 1};
    return (rows_behind){lo, (end - lo + step - 1) / step, step, (r - lo * s->sh) / s->dh, step * s->sh / s->dh};
}

static rows_behind rows_behind_of(const sizes *s, size_t r, size_t out_h) {
    const size_t extent = (s->kh - 1) * s->dh + 1;
    const bool   beside = s->sh == 1; /* most are, and division is slow */
    const size_t lo = r < extent ? 0 : (beside ? r - extent : (r - extent) / s->sh) + 1;
    const size_t end = ln_least((beside ? r : r / s->sh) + 1, out_h);
    if (lo >= end) return (rows_behind){.step = 1};
    return s->dh == 1 ? (rows_behind){lo, end - lo, 1, r - lo * s->sh, s->sh} : rows_dilated(s, r, lo, end);
}

/* What adds to row h of channel c, of the group whose output channels begin at first. */
static conv_slide slide_at(const ln_task *t, const sizes *s, size_t b, size_t c, size_t first, size_t h) {
    const size_t      ky_step = s->group_o * s->kw;
    const rows_behind rows = rows_behind_of(s, h + s->ph, t->node->out.h);
    return (conv_slide){.weights = {(const real *)t->packed + s->o * s->taps + (c * s->kh + rows.ky) * ky_step},
                        .dout = {view_row(&t->dout, b, first, rows.lo)},
                        .din = {view_row(&t->din[0], b, c, h) - s->pw},
                        .n_rows = rows.n,
                        .o = s->group_o,
                        .din_ahead = CONV_AHEAD * t->din[0].row,
                        .weights_row = -(ptrdiff_t)(rows.fall * ky_step),
                        .dout_channel = t->dout.channel,
                        .dout_row = rows.step * t->dout.row};
}

/* All strips of a row, or of two: at once, unless the many rows of dout behind them are walked again for each part of a
 * lane, and should still be in the cache. */
static void slide_rows(const sizes *s, conv_cut cut, conv_slide *slide, size_t n_rows) {
    for (size_t i = 0; i < cut.n + cut.rest; i += slide->n, slide->begins = false) {
        const size_t size = i < cut.n ? cut.size : cut.size - 1;
        slide->n = LN_WIDTH < LN_LANES && s->group_o > 1 ? 1 : i < cut.n ? cut.n : cut.rest;
        conv_slides[s->sw][n_rows][s->kw][size](slide);
        for (size_t r = 0; r < n_rows; r++) {
            slide->dout[r] += slide->n * size;
            slide->din[r] += slide->n * size * s->sw;
        }
    }
}

/* The same of one row by any stride, tap by tap. */
static void scatter_row(const sizes *s, conv_cut cut, conv_slide *slide) {
    for (size_t i = 0; i < cut.n + cut.rest; i++) {
        const size_t size = i < cut.n ? cut.size : cut.size - 1;
        lanes *const din = slide->din[0];
        for (size_t kx = 0; kx < s->kw; kx++, slide->din[0] += s->dw - 1) conv_scatter(size, slide, s->kw, kx, s->sw);
        slide->dout[0] += size;
        slide->din[0] = din + size * s->sw;
    }
}

/* Zeros for a row that is to be set: all of it, or what sliding does not set itself. */
static void begin_row(const ln_task *t, const sizes *s, conv_slide *row) {
    const size_t columns = t->node->in[0].w + 2 * s->pw, reached = (t->node->out.w - 1) * s->sw + s->kw;
    if (t->write[0] != LN_SET) return;
    row->sets = row->begins = row->n_rows > 0 && slides(s) && s->kw >= s->sw;
    const size_t set = row->sets ? reached : 0;
    if (set < columns) memset(row->din[0] + set, 0, (columns - set) * sizeof *row->din[0]);
}

static void add_row(const sizes *s, conv_cut cut, conv_slide *row) {
    if (row->n_rows == 0) return;
    if (slides(s)) slide_rows(s, cut, row, 1);
    else scatter_row(s, cut, row);
}

/* Both rows at once where they may be. */
static void dinput_rows(const ln_task *t, const sizes *s, conv_cut cut, conv_slide *one, conv_slide *other) {
    begin_row(t, s, one);
    if (other) begin_row(t, s, other);
    if (other && CONV_SLIDE_ROWS == 2 && one->n_rows == other->n_rows && one->n_rows > 0 && slides(s)) {
        one->weights[1] = other->weights[0];
        one->dout[1] = other->dout[0];
        one->din[1] = other->din[0];
        slide_rows(s, cut, one, 2);
        return;
    }
    add_row(s, cut, one);
    if (other) add_row(s, cut, other);
}

/* Channels in pairs; of one that is left, rows from above with those from below, which as many rows of dout reach. */
static void dinput(const ln_task *t) {
    const sizes    s = sizes_of(t->node, t->choice);
    const conv_cut cut = conv_cut_evenly(t->node->out.w, slides(&s) && s.sw == 2 ? CONV_WIDE : CONV_MAX);
    const size_t   h_in = t->node->in[0].h;
    for (size_t b = 0; b < t->n_blocks; b++)
        for (size_t c = t->c_lo, n; c < t->c_hi; c += n) {
            n = ln_least(2, t->c_hi - c);
            const size_t first = c / s.c * s.group_o, second = (c + 1) / s.c * s.group_o;
            for (size_t h = 0; h < (n == 2 ? h_in : (h_in + 1) / 2); h++) {
                const bool pair = n == 2 || h_in - 1 - h != h;
                conv_slide one = slide_at(t, &s, b, c, first, h), other;
                if (pair)
                    other = n == 2 ? slide_at(t, &s, b, c + 1, second, h) : slide_at(t, &s, b, c, first, h_in - 1 - h);
                dinput_rows(t, &s, cut, &one, pair ? &other : NULL);
            }
        }
}

/* ------------------------------------------------------ one image at a time */

static void prepare_image(const ln_node *node, ln_need *need) {
    const conv2d *const a = (const conv2d *)(const void *)node->args;
    need->n_packed =
        ln_channel_groups(node->out.c) * LN_LANES * (1 + node->in[0].c * (size_t)a->kernel.h * (size_t)a->kernel.w);
}

static const char *refuse_image(const ln_node *node) {
    return ((const conv2d *)(const void *)node->args)->groups > 1 ? "its groups do not share inputs" : NULL;
}

/* [group of 16 outputs][bias, then c, kh, kw]; zeros beyond the last output. */
static void pack_image(const ln_task *t) {
    const size_t      out = t->node->out.c, taps = t->node->param[0].count / out;
    const real *const weight = t->param[0], *const bias = t->node->n_params > 1 ? t->param[1] : NULL;
    lanes *const packed = t->packed;
    size_t       lo, hi;
    ln_part(ln_channel_groups(out) * LN_LANES, t->part, t->n_parts, &lo, &hi);
    for (size_t o = lo; o < hi; o++) {
        lanes *const of = packed + o / LN_LANES * (1 + taps);
        of[0].of[o % LN_LANES] = bias && o < out ? bias[o] : 0;
        for (size_t k = 0; k < taps; k++) of[1 + k].of[o % LN_LANES] = o < out ? weight[o * taps + k] : 0;
    }
}

static void image_row(const conv_image *row, size_t n_groups, size_t columns) {
    const conv_cut cut = conv_cut_evenly(columns, CONV_IMAGE_COLUMNS);
    conv_image     r = *row;
    r.n = cut.n;
    conv_images[n_groups][cut.size](&r);
    if (cut.rest == 0) return;
    r.in += cut.n * cut.size * r.in_step;
    r.out += cut.n * cut.size;
    r.n = cut.rest;
    conv_images[n_groups][cut.size - 1](&r);
}

static void run_image(const ln_task *t) {
    const conv2d *const  a = (const conv2d *)(const void *)t->node->args;
    const ln_view *const in = &t->in[0];
    const size_t         sh = (size_t)a->stride.h, sw = (size_t)a->stride.w, unit = t->planar ? 1 : LN_LANES;
    const size_t         taps = t->node->param[0].count / t->node->out.c, row = in->row * unit;
    conv_image           r = {.c = t->node->in[0].c,
                              .kh = (size_t)a->kernel.h,
                              .kw = (size_t)a->kernel.w,
                              .weights_group = 1 + taps,
                              .in_channel = in->channel * unit,
                              .in_row = (size_t)a->dilation.h * row,
                              .in_column = (size_t)a->dilation.w * unit,
                              .in_step = sw * unit,
                              .out_group = t->out.channel,
                              .planar = t->planar};
    for (size_t b = 0; b < t->n_blocks; b++)
        for (size_t g = t->c_lo, n; g < t->c_hi; g += n) {
            n = ln_least(CONV_IMAGE_GROUPS, t->c_hi - g);
            r.weights = (const lanes *)t->packed + g * (1 + taps);
            for (size_t h = t->h_lo; h < t->h_hi; h++) {
                r.in = (const real *)in->data + b * in->block * unit + h * sh * row -
                       ((size_t)a->padding.h * row + (size_t)a->padding.w * unit);
                r.out = view_row(&t->out, b, g, h);
                image_row(&r, n, t->node->out.w);
            }
        }
}

const ln_kernel LN_KERNEL(conv2d) = {
    .image = {.refuse = refuse_image, .prepare = prepare_image, .pack = pack_image, .run = run_image},
    .prepare = prepare,
    .pack = pack,
    .forward = {{.run = forward}},
    .dinput = {{.run = dinput}},
    .dparam = dparam};
#endif
