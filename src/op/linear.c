/* linear: y[n,o] = b[o] + Σ_i weight[o,i] · x[n,i]
 *
 *   backward    dx[n,i]      = Σ_o weight[o,i] · dy[n,o]
 *               dweight[o,i] = Σ_n dy[n,o] · x[n,i]
 *               db[o]        = Σ_n dy[n,o]
 *
 * Invariant: sums run over i from the bias, over o from zero, and over images in order. db folds the lanes of each
 * block and adds block to block.
 * Source: any textbook; PyTorch's Linear. */
#include "op/op.h"

typedef struct linear {
    int  out_features;
    bool bias;
} linear;

#ifdef LN_DESCRIPTOR

static ln_status infer(ln_node *node, ln_error *error) {
    const linear *const a = (const linear *)(const void *)node->args;
    const ln_shape      s = node->in[0];
    const size_t        o = (size_t)a->out_features;
    if (s.h != 1 || s.w != 1)
        return ln_fail_node(error, LN_E_SHAPE, node,
                            "its input is %zux%zux%zu, and it wants one row of features; put flatten before it", s.c,
                            s.h, s.w);
    if (s.c * o > (size_t)1 << 31)
        return ln_fail_node(error, LN_E_SHAPE, node, "%zu x %zu weights are more than 2^31; make it smaller", s.c, o);
    node->out = (ln_shape){o, 1, 1};
    node->n_macs = (uint64_t)s.c * o;
    node->n_params = a->bias ? 2 : 1;
    node->param[0] =
        (ln_param){.name = "weight", .rank = 2, .dims = {o, s.c}, .count = o * s.c, .fan_in = s.c, .fan_out = o};
    node->param[1] =
        (ln_param){.name = "bias", .rank = 1, .dims = {o}, .count = o, .fan_in = s.c, .fan_out = o, .is_bias = true};
    return LN_OK;
}

static const ln_attr attrs[] = {{.key = "out_features",
                                 .type = LN_ATTR_INT,
                                 .offset = offsetof(linear, out_features),
                                 .required = true,
                                 .positional = true,
                                 .low = 1,
                                 .high = 1 << 24,
                                 .help = "values of the output"},
                                {.key = "bias",
                                 .type = LN_ATTR_BOOL,
                                 .offset = offsetof(linear, bias),
                                 .preset = 1,
                                 .help = "add a learnt bias to each output"},
                                {0}};

const ln_op ln_op_linear = {
    .name = "linear",
    .help = "fully connected layer over features (flatten first)",
    .attrs = attrs,
    .args_size = sizeof(linear),
    .traits = LN_HEAD | LN_NEEDS_IN | LN_CHECKS | LN_LEARNS | LN_DRAWS,
    .n_inputs = 1,
    .infer = infer,
};

#else
#include "kernel/gemm.h"

#include <string.h>

/* Tiles of at most most things, as even as can be: the size of the next one. */
static size_t next_tile(size_t left, size_t most) {
    const size_t tiles = (left + most - 1) / most;
    return (left + tiles - 1) / tiles;
}

/* Transposing the inputs costs as much as the sums of some eight outputs: for few of them threads share the inputs. */
enum { FEW_OUTPUTS = 32, PANEL_VECTORS = GEMM_VECTORS - 1 };

/* A gradient larger than the caches will be read again from memory: it is written past them. */
enum { STREAM_BYTES = 16 << 20 };

/* What prepare chooses. */
enum { STREAMS, BY_INPUTS };

static void prepare(const ln_node *node, ln_need *need) {
    need->grain = 4;
    need->choice[STREAMS] = node->in[0].c % LN_LANES == 0 && node->param[0].count * sizeof(real) >= STREAM_BYTES;
    need->choice[BY_INPUTS] = need->sum_inputs = node->out.c <= FEW_OUTPUTS;
    if (need->training)
        need->scratch = need->n_blocks * LN_LANES * ln_least((node->in[0].c + LN_LANES - 1) / LN_LANES, PANEL_VECTORS) *
                        sizeof(lanes);
}

/* Rows of a product, in tiles, for all blocks of the task. */
static void product(gemm_product g, size_t n_rows, size_t n_blocks,
                    void (*const table[][GEMM_BLOCKS + 1])(const gemm_product *)) {
    const gemm_product first = g;
    for (size_t b = 0, bt; b < n_blocks; b += bt) {
        bt = next_tile(n_blocks - b, GEMM_BLOCKS);
        const size_t most = ln_least(GEMM_ROWS, GEMM_TILE / bt);
        for (size_t i = 0, it; i < n_rows; i += it) {
            it = next_tile(n_rows - i, most);
            g.weights = first.weights + i * first.row;
            g.start = first.start ? first.start + i : NULL;
            g.x = first.x + b * first.x_block;
            g.y = first.y + b * first.y_block + i * first.y_step;
            table[it][bt](&g);
        }
    }
}

static void forward(const ln_task *t) {
    const size_t in = t->node->in[0].c;
    product((gemm_product){.weights = (const real *)t->param[0] + t->c_lo * in,
                           .row = in,
                           .step = 1,
                           .n = in,
                           .start = t->node->n_params > 1 ? (const real *)t->param[1] + t->c_lo : NULL,
                           .x = view_row(&t->in[0], 0, 0, 0),
                           .x_block = t->in[0].block,
                           .x_step = t->in[0].channel,
                           .y = view_row(&t->out, 0, t->c_lo, 0),
                           .y_block = t->out.block,
                           .y_step = t->out.channel},
            t->c_hi - t->c_lo, t->n_blocks, gemm_rows);
}

static void dinput(const ln_task *t) {
    const size_t in = t->node->in[0].c;
    product((gemm_product){.weights = (const real *)t->param[0] + t->c_lo,
                           .row = 1,
                           .step = in,
                           .n = t->node->out.c,
                           .adds = t->write[0] == LN_ADD,
                           .x = view_row(&t->dout, 0, 0, 0),
                           .x_block = t->dout.block,
                           .x_step = t->dout.channel,
                           .y = view_row(&t->din[0], 0, t->c_lo, 0),
                           .y_block = t->din[0].block,
                           .y_step = t->din[0].channel},
            t->c_hi - t->c_lo, t->n_blocks, gemm_side);
}

/* ----------------------------------------------------- parameter gradient */

/* A task's share of the weights. */
typedef struct range {
    size_t o_lo, o_hi, i_lo, i_hi;
} range;

/* Inputs [i, i + 16·nv) of every image: [n][nv] lanes. Beyond the last input: zeros. */
static void transpose_panel(const ln_task *t, size_t i, size_t nv, lanes *panel) {
    const size_t in = t->node->in[0].c;
    for (size_t b = 0; b < t->n_blocks; b++)
        for (size_t v = 0; v < nv; v++) {
            lanes        from[LN_LANES], to[LN_LANES];
            const size_t first = i + v * LN_LANES, live = ln_least(LN_LANES, in - first);
            const lanes *x = view_row(&t->in[0], b, first, 0);
            for (size_t k = 0; k < LN_LANES; k++) {
                if (k < live) from[k] = x[k * t->in[0].channel];
                else memset(&from[k], 0, sizeof from[k]);
            }
            lanes_transpose16(from, to);
            for (size_t l = 0; l < LN_LANES; l++) panel[(b * LN_LANES + l) * nv + v] = to[l];
        }
}

/* n rows of a tile of nv lanes each, of which live values are weights. *found: see v_find_unfit. */
static void store_tile(const lanes *tile, size_t n, size_t nv, size_t live, real *to, size_t row, bool streams,
                       vec *found) {
    for (size_t k = 0; k < n; k++)
        for (size_t i = 0; i < nv * LN_LANES; i += LN_WIDTH) {
            const vec value = v_load(tile[k * nv].of + i);
            *found = v_find_unfit(value, *found);
            if (i + LN_WIDTH <= live && streams) v_stream(to + k * row + i, value);
            else if (i + LN_WIDTH <= live) v_store(to + k * row + i, value);
            else if (i < live) memcpy(to + k * row + i, tile[k * nv].of + i, (live - i) * sizeof(real));
        }
}

static void dweight_panel(const ln_task *t, const range *r, size_t i, size_t nv, const lanes *panel) {
    const size_t in = t->node->in[0].c, live = ln_least(nv * LN_LANES, in - i);
    const size_t most = ln_least(6, GEMM_TILE / nv);
    real *const  dweight = t->dparam[0];
    const bool   streams = t->choice[STREAMS] && (uintptr_t)dweight % sizeof(lanes) == 0;
    lanes        tile[GEMM_TILE];
    vec          found = v_zero();
    for (size_t o = r->o_lo, ot; o < r->o_hi; o += ot) {
        ot = next_tile(r->o_hi - o, most);
        const gemm_outer g = {.dy = view_row(&t->dout, 0, o, 0),
                              .x = panel,
                              .out = tile,
                              .n = t->n_blocks * LN_LANES,
                              .dy_block = t->dout.block,
                              .dy_step = t->dout.channel};
        gemm_outers[ot][nv](&g);
        store_tile(tile, ot, nv, live, dweight + o * in + i, in, streams, &found);
    }
    v_stream_end();
    if (t->bad && mask_bits(v_is_nan(found)) != 0) t->bad[0] = true;
}

static void dbias(const ln_task *t, const range *r) {
    vec found = v_zero();
    for (size_t o = r->o_lo; o < r->o_hi; o++) {
        real sum = 0;
        for (size_t b = 0; b < t->n_blocks; b++) sum += lanes_sum(view_row(&t->dout, b, o, 0));
        ((real *)t->dparam[1])[o] = sum;
        found = v_find_unfit(v_splat(sum), found);
    }
    if (t->bad && mask_bits(v_is_nan(found)) != 0) t->bad[1] = true;
}

static void dparam(const ln_task *t) {
    const bool  inputs = t->choice[BY_INPUTS];
    const range r =
        inputs ? (range){0, t->node->out.c, t->c_lo, t->c_hi} : (range){t->c_lo, t->c_hi, 0, t->node->in[0].c};
    for (size_t i = r.i_lo, nv; i < r.i_hi; i += nv * LN_LANES) {
        nv = next_tile((r.i_hi - i + LN_LANES - 1) / LN_LANES, PANEL_VECTORS);
        transpose_panel(t, i, nv, t->scratch);
        dweight_panel(t, &r, i, nv, t->scratch);
    }
    if (t->node->n_params > 1 && r.i_lo == 0) dbias(t, &r);
}

/* ------------------------------------------------------ one image at a time */

static void prepare_image(const ln_node *node, ln_need *need) {
    need->n_packed = ln_channel_groups(node->out.c) * LN_LANES * (node->in[0].c + 1);
}

/* Biases, then weights, as lanes [input][group of outputs]; zeros beyond the last output. */
static void pack_image(const ln_task *t) {
    const size_t      in = t->node->in[0].c, out = t->node->out.c, width = ln_channel_groups(out) * LN_LANES;
    const real *const weight = t->param[0], *const bias = t->node->n_params > 1 ? t->param[1] : NULL;
    real *const packed = t->packed;
    size_t      lo, hi;
    ln_part(width, t->part, t->n_parts, &lo, &hi);
    for (size_t o = lo; o < hi; o++) {
        packed[o] = bias && o < out ? bias[o] : 0;
        for (size_t i = 0; i < in; i++) packed[(i + 1) * width + o] = o < out ? weight[o * in + i] : 0;
    }
}

static void run_image(const ln_task *t) {
    const size_t width = ln_channel_groups(t->node->out.c);
    for (size_t b = 0; b < t->n_blocks; b++)
        for (size_t g = t->c_lo, n; g < t->c_hi; g += n) {
            n = next_tile(t->c_hi - g, GEMM_MAX_ROW);
            const gemm_row row = {.weights = (const lanes *)t->packed + g,
                                  .x = view_row(&t->in[0], b, 0, 0)->of,
                                  .y = view_row(&t->out, b, g, 0),
                                  .n = t->node->in[0].c,
                                  .width = width,
                                  .y_step = t->out.channel};
            gemm_row_tiles[n](&row);
        }
}

static const char *refuse_image(const ln_node *node) {
    return node->input[0] < 0 ? "its input is the model's; flatten it first" : NULL;
}

const ln_kernel LN_KERNEL(linear) = {
    .image = {.refuse = refuse_image, .prepare = prepare_image, .pack = pack_image, .run = run_image},
    .prepare = prepare,
    .forward = {{.run = forward}},
    .dinput = {{.run = dinput}},
    .dparam = dparam};
#endif
