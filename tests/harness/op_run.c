/* Runs one op through the contract of op/op.h between guards, gaps and NaN: see op_run.h. */
#include "op_run.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD = 512, ALIGN = 128 }; /* bytes; all guard and gap bytes are 0xFF, which as a real is NaN */

/* ------------------------------------------------------------- guarded memory */

typedef struct buffer {
    unsigned char *base, *at;
    size_t         n_bytes, n_total;
} buffer;

static void *must(void *memory) {
    if (!memory) abort();
    return memory;
}

static size_t round_up(size_t n, size_t unit) { return (n + unit - 1) / unit * unit; }

static buffer buffer_new(size_t n_bytes) {
    const size_t n_total = round_up(n_bytes, ALIGN) + 2 * GUARD;
    buffer       b = {.n_bytes = n_bytes, .n_total = n_total};
    b.base = must(aligned_alloc(ALIGN, n_total));
    b.at = b.base + GUARD;
    memset(b.base, 0xFF, n_total);
    return b;
}

static void buffer_spoil(const buffer *b) {
    if (b->base) memset(b->at, 0xFF, b->n_bytes);
}

static bool all_ff(const unsigned char *p, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (p[i] != 0xFF) return false;
    return true;
}

static bool buffer_guards_stand(const buffer *b) {
    return !b->base || (all_ff(b->base, GUARD) && all_ff(b->at + b->n_bytes, b->n_total - GUARD - b->n_bytes));
}

static void buffer_copy(buffer *to, const buffer *from) {
    if (!to->base) *to = buffer_new(from->n_bytes);
    memcpy(to->base, from->base, from->n_total);
}

static void buffer_free(buffer *b) { free(b->base); }

/* ------------------------------------------------------------ lanes with gaps */

/* Activations of all blocks: a lane of gap after each row, one after each channel, two after each block. A halo lies
 * round every channel's rows, between the gaps. */
typedef struct tensor {
    buffer   memory;
    ln_shape shape;
    ln_size2 halo;
    ln_view  view; /* of everything; data is value (0, 0, 0), behind the halo */
} tensor;

typedef struct range {
    size_t b_lo, b_hi, c_lo, c_hi, h_lo, h_hi;
} range;

/* One run under way. */
typedef struct state {
    const op_run     *run;
    op_result        *result;
    ln_node           node;
    const ln_kernels *kernels;
    const ln_kernel  *kernel;
    size_t            element, n_blocks; /* bytes of a real */
    ln_need           need;
    tensor            in[LN_MAX_INPUTS], out, dout, din[LN_MAX_INPUTS];
    buffer            param[LN_MAX_TENSORS], dparam[LN_MAX_PARAMS], packed, saved, scratch, before;
    buffer            live, image, label, hit;
    size_t            saved_stride;
    bool              bad[LN_MAX_PARAMS]; /* what dparam has found */
} state;

static void fault(state *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fault(state *s, const char *format, ...) {
    if (s->result->fault[0]) return; /* the first is the cause */
    va_list list;
    va_start(list, format);
    (void)vsnprintf(s->result->fault, sizeof s->result->fault, format, list);
    va_end(list);
}

static tensor tensor_new(const state *s, ln_shape shape, ln_size2 halo) {
    const size_t above = (size_t)halo.h, left = (size_t)halo.w;
    tensor       t = {.shape = shape, .halo = halo};
    t.view.row = shape.w + 2 * left + 1;
    t.view.channel = (shape.h + 2 * above) * t.view.row + 1;
    t.view.block = shape.c * t.view.channel + 2;
    t.memory = buffer_new(s->n_blocks * t.view.block * LN_LANES * s->element);
    t.view.data = t.memory.at + (above * t.view.row + left) * LN_LANES * s->element;
    return t;
}

static double real_get(const state *s, const void *at, size_t i) {
    return s->element == sizeof(float) ? (double)((const float *)at)[i] : ((const double *)at)[i];
}

static void real_set(const state *s, void *at, size_t i, double value) {
    if (s->element == sizeof(float)) ((float *)at)[i] = (float)value;
    else ((double *)at)[i] = value;
}

/* The index, in reals, of lane 0 of a value. */
static size_t real_index(const ln_view *v, size_t b, size_t c, size_t h, size_t w) {
    return (b * v->block + c * v->channel + h * v->row + w) * LN_LANES;
}

/* The first byte and the number of bytes of a row with its halo; h counts from the first row of the halo. */
static size_t row_bytes(const state *s, const tensor *t) {
    return (t->shape.w + 2 * (size_t)t->halo.w) * LN_LANES * s->element;
}
static unsigned char *row_at(const state *s, const tensor *t, size_t b, size_t c, size_t h) {
    return t->memory.at + real_index(&t->view, b, c, h, 0) * s->element;
}

static void tensor_clear_halo(const state *s, const tensor *t) {
    const size_t above = (size_t)t->halo.h, side = (size_t)t->halo.w * LN_LANES * s->element;
    for (size_t b = 0; b < s->n_blocks; b++)
        for (size_t c = 0; c < t->shape.c; c++)
            for (size_t h = 0; h < t->shape.h + 2 * above; h++) {
                unsigned char *row = row_at(s, t, b, c, h);
                const bool     outside = h < above || h >= above + t->shape.h;
                memset(row, 0, outside ? row_bytes(s, t) : side);
                memset(row + row_bytes(s, t) - side, 0, side);
            }
}

/* The image whose values lane l of block b holds: dead lanes repeat the last. */
static size_t image_in(const state *s, size_t b, size_t l) {
    const size_t i = b * LN_LANES + l;
    return i < s->run->n ? i : s->run->n - 1;
}

/* values: n × shape; dead lanes get a copy of the last image, or zero. */
static void tensor_lay(const state *s, const tensor *t, const float *values, bool dead_is_zero) {
    const ln_shape shape = t->shape;
    for (size_t b = 0; b < s->n_blocks; b++)
        for (size_t c = 0; c < shape.c; c++)
            for (size_t h = 0; h < shape.h; h++)
                for (size_t w = 0; w < shape.w; w++)
                    for (size_t l = 0; l < LN_LANES; l++) {
                        const size_t i = image_in(s, b, l);
                        const bool   dead = b * LN_LANES + l >= s->run->n;
                        const float  value = values[((i * shape.c + c) * shape.h + h) * shape.w + w];
                        real_set(s, t->view.data, real_index(&t->view, b, c, h, w) + l,
                                 dead && dead_is_zero ? 0.0 : (double)value);
                    }
}

static double *tensor_unlay(const state *s, const tensor *t) {
    const ln_shape shape = t->shape;
    double        *values = must(malloc(s->run->n * ln_shape_count(shape) * sizeof *values)), *next = values;
    for (size_t i = 0; i < s->run->n; i++)
        for (size_t c = 0; c < shape.c; c++)
            for (size_t h = 0; h < shape.h; h++)
                for (size_t w = 0; w < shape.w; w++)
                    *next++ = real_get(s, t->view.data, real_index(&t->view, i / LN_LANES, c, h, w) + i % LN_LANES);
    return values;
}

static void tensor_set_rows(const state *s, const tensor *t, size_t h_lo, size_t h_hi, double value) {
    for (size_t b = 0; b < s->n_blocks; b++)
        for (size_t c = 0; c < t->shape.c; c++)
            for (size_t h = h_lo; h < h_hi; h++)
                for (size_t i = 0; i < t->shape.w * LN_LANES; i++)
                    real_set(s, t->view.data, real_index(&t->view, b, c, h, 0) + i, value);
}

/* A view that begins at a range's first block, channel and row, as a planner that holds only a band would give it. */
static ln_view view_from(const state *s, const tensor *t, range r) {
    ln_view v = t->view;
    if (!v.data) return v;
    v.data = (unsigned char *)v.data + real_index(&v, r.b_lo, r.c_lo, r.h_lo, 0) * s->element;
    v.c0 = r.c_lo;
    v.h0 = r.h_lo;
    return v;
}

static ln_view view_from_block(const state *s, const tensor *t, size_t b) {
    return view_from(s, t, (range){.b_lo = b});
}

/* Says so when t differs from its copy `before` anywhere but in r and the halo of r's channels. */
static void check_only_range(state *s, const tensor *t, range r, const char *what) {
    for (size_t b = r.b_lo; b < r.b_hi; b++)
        for (size_t c = r.c_lo; c < r.c_hi; c++)
            for (size_t h = r.h_lo; h < r.h_hi + 2 * (size_t)t->halo.h; h++) {
                const unsigned char *row = row_at(s, t, b, c, h);
                memcpy(s->before.at + (row - t->memory.at), row, row_bytes(s, t));
            }
    if (memcmp(s->before.base, t->memory.base, t->memory.n_total) != 0)
        fault(s, "%s wrote outside blocks %zu-%zu, channels %zu-%zu, rows %zu-%zu", what, r.b_lo, r.b_hi, r.c_lo,
              r.c_hi, r.h_lo, r.h_hi);
    buffer_free(&s->before);
    s->before = (buffer){0};
}

static uint64_t buffer_sum(const buffer *b) { /* FNV-1a, by words: n_total is a multiple of 8 */
    const uint64_t *words = (const void *)b->base;
    uint64_t        sum = 0xcbf29ce484222325u;
    for (size_t i = 0; words && i < b->n_total / 8; i++) sum = (sum ^ words[i]) * 0x100000001b3u;
    return sum;
}

/* -------------------------------------------------------------------- setting up */

bool op_node(const char *text, const ln_shape *in, ln_node *node, ln_error *error) {
    ln_line line;
    if (ln_line_split(text, "layer", &line, error) != LN_OK) return false;
    *node = (ln_node){.op = ln_op_find(line.word), .name = "0", .input = {-1, -1}};
    if (!node->op) {
        (void)ln_fail(error, LN_E_ARGUMENT, "layer 0: no op is called \"%s\"", line.word);
        return false;
    }
    node->n_inputs = node->op->n_inputs;
    for (size_t i = 0; i < node->n_inputs; i++) node->in[i] = in[i];
    if (ln_attr_parse(line.rest, "layer 0", node->op->attrs, node->args, node->op->args_size, NULL, NULL, 0, error) !=
        LN_OK)
        return false;
    return node->op->infer(node, error) == LN_OK;
}

static bool   has(const state *s, unsigned trait) { return (s->node.op->traits & trait) != 0; }
static size_t n_parts_of(const state *s) { return s->run->cut.n_parts ? s->run->cut.n_parts : 1; }
static size_t n_tensors_of(const state *s) { return s->node.n_params + s->node.n_buffers; }
static bool   meets(const state *s) { return has(s, LN_CROSS_BATCH) && !s->run->cut.inference; }

static const ln_kernel *kernel_of(const ln_kernels *kernels, const ln_op *op) {
    if (op->kernel) return op->kernel(kernels->isa);
    for (size_t i = 0; i < LN_OP_COUNT; i++)
        if (ln_ops[i] == op) return kernels->op[i];
    return NULL;
}

static void set_marks(state *s) {
    const op_run *r = s->run;
    const size_t  n = s->n_blocks * LN_LANES;
    s->live = buffer_new(s->n_blocks * sizeof(uint16_t));
    s->image = buffer_new(n * sizeof(uint32_t));
    s->hit = buffer_new(n);
    s->label = buffer_new(n * sizeof(int32_t));
    memset(s->live.at, 0, s->live.n_bytes);
    for (size_t i = 0; i < n; i++) {
        const size_t from = image_in(s, i / LN_LANES, i % LN_LANES);
        uint16_t    *live = (uint16_t *)(void *)s->live.at + i / LN_LANES;
        if (i < r->n) *live = (uint16_t)(*live | 1u << i % LN_LANES);
        ((uint32_t *)(void *)s->image.at)[i] = (uint32_t)(1000 + from);
        ((int32_t *)(void *)s->label.at)[i] = r->label ? r->label[from] : 0;
    }
}

static buffer reals_new(const state *s, const float *values, size_t count) {
    buffer b = buffer_new(count * s->element);
    for (size_t i = 0; values && i < count; i++) real_set(s, b.at, i, (double)values[i]);
    return b;
}

static void set_up(state *s) {
    const op_run *r = s->run;
    ln_node      *node = &s->node;
    s->need = (ln_need){.n_parts = n_parts_of(s), .training = !r->cut.inference, .n_blocks = s->n_blocks, .grain = 1};
    if (has(s, LN_HEAD)) s->need.band_rows = r->cut.band_rows;
    if (s->kernel && s->kernel->prepare) s->kernel->prepare(node, &s->need);
    for (size_t i = 0; i < node->n_inputs; i++) {
        s->in[i] = tensor_new(s, node->in[i], i == 0 ? node->halo : (ln_size2){0, 0});
        tensor_clear_halo(s, &s->in[i]);
        tensor_lay(s, &s->in[i], r->x[i], false);
    }
    for (size_t i = 0; i < n_tensors_of(s); i++) s->param[i] = reals_new(s, r->param[i], node->param[i].count);
    const bool overwrites = r->cut.inference || !has(s, LN_NEEDS_IN); /* as the planner does */
    if (r->cut.in_place && has(s, LN_IN_PLACE) && overwrites) s->out = s->in[0];
    else s->out = tensor_new(s, node->out, (ln_size2){0, 0});
    s->packed = buffer_new(s->need.n_packed * s->element);
    s->scratch = buffer_new(s->need.scratch);
    s->saved_stride = round_up(s->need.saved, 64) + 64;
    s->saved = buffer_new(s->saved_stride * s->n_blocks);
    set_marks(s);
}

static ln_task task_of(state *s, size_t b_lo, size_t b_hi) {
    const op_run *r = s->run;
    ln_task       t = {.node = &s->node,
                       .n_blocks = b_hi - b_lo,
                       .n_parts = n_parts_of(s),
                       .choice = s->need.choice,
                       .packed = s->packed.at,
                       .scratch = s->scratch.at,
                       .batch = r->n,
                       .seed = r->seed,
                       .step = r->step,
                       .training = !r->cut.inference,
                       .saved_stride = s->saved_stride};
    for (size_t i = 0; i < n_tensors_of(s); i++) t.param[i] = s->param[i].at;
    if (t.training) t.saved = s->saved.at + b_lo * s->saved_stride;
    t.live = (const uint16_t *)(void *)s->live.at + b_lo;
    t.image = (const uint32_t *)(void *)s->image.at + b_lo * LN_LANES;
    if (has(s, LN_LOSS)) {
        const size_t at = b_lo * LN_LANES;
        ln_labels    all = {(const int32_t *)(void *)s->label.at, r->second, r->share};
        t.weight = s->node.op->weight(&s->node, &all, r->n);
        t.label = (ln_labels){.first = all.first + at};
        if (r->second) t.label.second = r->second + at, t.label.share = r->share + at;
        t.hit = s->hit.at + b_lo * LN_LANES;
    }
    return t;
}

/* ---------------------------------------------------------------- cutting the work */

/* Channels [*lo, *hi) of part p, beginning at multiples of grain. */
static void channels_of(size_t c, size_t grain, size_t p, size_t n_parts, size_t *lo, size_t *hi) {
    const size_t unit = grain ? grain : 1;
    ln_part((c + unit - 1) / unit, p, n_parts, lo, hi);
    *lo = *lo * unit < c ? *lo * unit : c;
    *hi = *hi * unit < c ? *hi * unit : c;
}

/* Input rows behind output rows; false when those of adjacent bands overlap. */
static bool window_of(const ln_node *node, size_t lo, size_t hi, size_t *in_lo, size_t *in_hi) {
    *in_lo = lo;
    *in_hi = hi;
    return !node->op->window || node->op->window(node, lo, hi, in_lo, in_hi);
}

/* Calls work on every piece of the batch: blocks, then parts of channels, then bands of rows. The last come first:
 * nothing may depend on the order. */
static void for_pieces(state *s, size_t c, size_t h, size_t grain, size_t n_parts, size_t rows,
                       void (*work)(state *, range)) {
    const size_t n_blocks = s->run->cut.task_blocks ? s->run->cut.task_blocks : s->n_blocks;
    for (size_t b = (s->n_blocks - 1) / n_blocks * n_blocks + n_blocks; b > 0; b -= n_blocks)
        for (size_t p = n_parts; p > 0; p--)
            for (size_t row = (h - 1) / rows * rows + rows; row > 0; row -= rows) {
                range r = {.b_lo = b - n_blocks, .b_hi = b < s->n_blocks ? b : s->n_blocks, .h_lo = row - rows};
                r.h_hi = row < h ? row : h;
                channels_of(c, grain, p - 1, n_parts, &r.c_lo, &r.c_hi);
                if (r.c_lo < r.c_hi) work(s, r);
            }
}

static size_t rows_a_band(const state *s) {
    const size_t h = s->node.out.h, rows = s->run->cut.band_rows;
    return has(s, LN_LOCAL | LN_HEAD) && !meets(s) && rows && rows < h ? rows : h;
}

/* ------------------------------------------------------------------------ the calls */

static void pack(state *s) {
    if (!s->kernel->pack) return;
    ln_task t = task_of(s, 0, s->n_blocks);
    for (size_t p = t.n_parts; p > 0; p--) {
        t.part = p - 1;
        buffer_spoil(&s->scratch);
        s->kernel->pack(&t);
    }
}

static ln_task task_of_range(state *s, range r) {
    ln_task t = task_of(s, r.b_lo, r.b_hi);
    t.c_lo = r.c_lo, t.c_hi = r.c_hi, t.h_lo = r.h_lo, t.h_hi = r.h_hi;
    return t;
}

/* The input rows and channels behind a range of the output of a LN_LOCAL op; everything for others. */
static range behind(const state *s, range r, size_t i) {
    range back = {.b_lo = r.b_lo, .b_hi = r.b_hi, .c_hi = s->node.in[i].c, .h_hi = s->node.in[i].h};
    if (has(s, LN_LOCAL)) {
        back.c_lo = r.c_lo, back.c_hi = r.c_hi;
        (void)window_of(&s->node, r.h_lo, r.h_hi, &back.h_lo, &back.h_hi);
    }
    return back;
}

static void forward_piece(state *s, range r, void (*run)(const ln_task *)) {
    ln_task t = task_of_range(s, r);
    t.out = view_from(s, &s->out, r);
    for (size_t i = 0; i < s->node.n_inputs; i++) t.in[i] = view_from(s, &s->in[i], behind(s, r, i));
    buffer_spoil(&s->scratch);
    buffer_copy(&s->before, &s->out.memory);
    run(&t);
    check_only_range(s, &s->out, r, "forward");
}

static void forward_first(state *s, range r) { forward_piece(s, r, s->kernel->forward[0].run); }
static void forward_second(state *s, range r) { forward_piece(s, r, s->kernel->forward[1].run); }

static ln_write write_of(const state *s, size_t input) {
    if (s->run->cut.skip & 1u << input) return LN_SKIP;
    return s->run->cut.write == LN_ADD ? LN_ADD : LN_SET;
}

static void whole_views(state *s, ln_task *t) {
    for (size_t i = 0; i < s->node.n_inputs; i++) {
        t->in[i] = s->in[i].view;
        t->din[i] = s->din[i].view;
        t->write[i] = write_of(s, i);
    }
    t->out = s->out.view;
    t->dout = s->dout.view;
    t->c_hi = s->node.out.c;
    t->h_hi = s->node.out.h;
    for (size_t i = 0; i < s->node.n_params; i++) t->dparam[i] = s->dparam[i].at;
}

static void meet(state *s, const ln_pass *pass) {
    if (!pass->meet) return;
    ln_task t = task_of(s, 0, s->n_blocks);
    whole_views(s, &t);
    for (size_t p = 0; p < t.n_parts; p++) {
        t.part = p;
        buffer_spoil(&s->scratch);
        pass->meet(&t);
    }
}

static void forward(state *s) {
    static void (*const piece[2])(state *, range) = {forward_first, forward_second};
    const bool may_cut = has(s, LN_LOCAL | LN_HEAD);
    for (size_t i = has(s, LN_CROSS_BATCH) && !meets(s) ? 1 : 0; i < 2; i++) {
        const ln_pass *pass = &s->kernel->forward[i];
        if (pass->run)
            for_pieces(s, s->node.out.c, s->node.out.h, s->need.grain, may_cut ? n_parts_of(s) : 1, rows_a_band(s),
                       piece[i]);
        meet(s, pass);
    }
}

/* r: of dout for LN_LOCAL ops, channels of in[0] for others. */
static void dinput_piece(state *s, range r, void (*run)(const ln_task *)) {
    ln_task t = task_of_range(s, r);
    range   back[LN_MAX_INPUTS];
    t.out = view_from_block(s, &s->out, r.b_lo);
    t.dout = has(s, LN_LOCAL) ? view_from(s, &s->dout, r) : view_from_block(s, &s->dout, r.b_lo);
    for (size_t i = 0; i < s->node.n_inputs; i++) {
        back[i] = has(s, LN_HEAD) ? r : behind(s, r, i);
        t.in[i] = view_from_block(s, &s->in[i], r.b_lo);
        t.din[i] = view_from(s, &s->din[i], back[i]);
        t.write[i] = write_of(s, i);
    }
    for (size_t i = 0; i < s->node.n_params; i++) t.dparam[i] = s->dparam[i].at;
    const size_t watched = t.write[0] == LN_SKIP ? 1 : 0;
    buffer_spoil(&s->scratch);
    buffer_copy(&s->before, &s->din[watched].memory);
    run(&t);
    check_only_range(s, &s->din[watched], back[watched], "dinput");
}

static void dinput_first(state *s, range r) { dinput_piece(s, r, s->kernel->dinput[0].run); }
static void dinput_second(state *s, range r) { dinput_piece(s, r, s->kernel->dinput[1].run); }

/* din before the pass: what the caller gave for LN_ADD; NaN otherwise. */
static void set_up_din(state *s) {
    const bool adds = s->run->cut.write == LN_ADD;
    for (size_t i = 0; i < s->node.n_inputs; i++) {
        if (write_of(s, i) == LN_SKIP) continue;
        if (s->run->cut.in_place && has(s, LN_IN_PLACE) && !adds && i == 0) s->din[i] = s->dout;
        else s->din[i] = tensor_new(s, s->node.in[i], s->in[i].halo);
        if (adds) tensor_lay(s, &s->din[i], s->run->din[i], false);
    }
}

static void dinput(state *s) {
    static void (*const piece[2])(state *, range) = {dinput_first, dinput_second};
    const bool   local = has(s, LN_LOCAL);
    const size_t c = local ? s->node.out.c : s->node.in[0].c, h = local ? s->node.out.h : s->node.in[0].h;
    size_t       lo, hi;
    const size_t rows = local && window_of(&s->node, 0, h, &lo, &hi) ? rows_a_band(s) : h;
    for (size_t i = 0; i < 2; i++) {
        const ln_pass *pass = &s->kernel->dinput[i];
        if (pass->run) for_pieces(s, c, h, 1, has(s, LN_LOCAL | LN_HEAD) ? n_parts_of(s) : 1, rows, piece[i]);
        meet(s, pass);
    }
}

/* One dparam over blocks and channels, all rows or band after band. As in a plan, it looks for what is not finite where
 * it makes the whole sum. */
static void dparam_piece(state *s, range r, size_t rows, const buffer *to) {
    buffer_spoil(&s->scratch); /* but not between bands */
    for (size_t h = 0; h < r.h_hi; h += rows) {
        ln_task     t = task_of_range(s, r);
        const range band = {r.b_lo, r.b_hi, r.c_lo, r.c_hi, h, h + rows < r.h_hi ? h + rows : r.h_hi};
        t.h_lo = band.h_lo, t.h_hi = band.h_hi;
        if (has(s, LN_HEAD)) { /* the others have only what dinput has saved */
            t.dout = view_from(s, &s->dout, band);
            t.out = view_from_block(s, &s->out, r.b_lo);
            t.in[0] = view_from_block(s, &s->in[0], r.b_lo);
        }
        for (size_t i = 0; i < s->node.n_params; i++) t.dparam[i] = to[i].at;
        t.bad = s->run->cut.dparam_blocks ? NULL : s->bad;
        s->kernel->dparam(&t);
    }
}

/* Every parameter gradient of blocks [b_lo, b_hi) into `to`, part after part of the channels. */
static void dparam_of_blocks(state *s, size_t b_lo, size_t b_hi, const buffer *to) {
    const size_t n_parts = n_parts_of(s);
    const size_t rows = s->run->cut.dparam_blocks && has(s, LN_HEAD) ? rows_a_band(s) : s->node.out.h;
    for (size_t p = n_parts; p > 0; p--) {
        range r = {.b_lo = b_lo, .b_hi = b_hi, .h_hi = s->node.out.h};
        if (s->need.sum_inputs) channels_of(s->node.in[0].c, LN_LANES, p - 1, n_parts, &r.c_lo, &r.c_hi);
        else channels_of(s->node.out.c, s->need.grain, p - 1, n_parts, &r.c_lo, &r.c_hi);
        if (r.c_lo < r.c_hi) dparam_piece(s, r, rows, to);
    }
}

static void check_watch(state *s) {
    for (size_t i = 0; i < s->node.n_params && has(s, LN_CHECKS); i++) {
        const bool fits = s->kernels->all_finite(s->dparam[i].at, 0, s->node.param[i].count);
        if (s->bad[i] == fits)
            fault(s, "dparam calls parameter %zu %s, and it is not", i, s->bad[i] ? "not finite" : "finite");
    }
}

static void dparam(state *s) {
    buffer one[LN_MAX_PARAMS] = {{0}};
    if (!s->run->cut.dparam_blocks) {
        dparam_of_blocks(s, 0, s->n_blocks, s->dparam);
        check_watch(s);
        return;
    }
    for (size_t i = 0; i < s->node.n_params; i++) one[i] = buffer_new(s->node.param[i].count * s->element);
    for (size_t b = 0; b < s->n_blocks; b++) {
        for (size_t i = 0; i < s->node.n_params; i++) buffer_spoil(&one[i]);
        dparam_of_blocks(s, b, b + 1, one);
        for (size_t i = 0; i < s->node.n_params; i++)
            for (size_t k = 0; k < s->node.param[i].count; k++)
                real_set(s, s->dparam[i].at, k,
                         b == 0 ? real_get(s, one[i].at, k) /* the sum of two floats as doubles rounds as in float */
                                : real_get(s, s->dparam[i].at, k) + real_get(s, one[i].at, k));
    }
    for (size_t i = 0; i < s->node.n_params; i++) {
        if (!buffer_guards_stand(&one[i])) fault(s, "dparam wrote past parameter %zu of one block", i);
        buffer_free(&one[i]);
    }
}

/* ------------------------------------------------------------------------ the whole */

static void backward(state *s) {
    if (has(s, LN_LOSS)) {
        s->dout = (tensor){.shape = s->node.out};
    } else {
        s->dout = tensor_new(s, s->node.out, (ln_size2){0, 0});
        tensor_lay(s, &s->dout, s->run->dout, true);
    }
    for (size_t i = 0; i < s->node.n_inputs; i++) /* who does not ask for them does not get them */
        if (!has(s, LN_NEEDS_IN) && s->in[i].memory.base != s->out.memory.base)
            tensor_set_rows(s, &s->in[i], 0, s->node.in[i].h, (double)NAN);
    if (!has(s, LN_NEEDS_OUT)) tensor_set_rows(s, &s->out, 0, s->node.out.h, (double)NAN);
    const uint64_t dout_sum = buffer_sum(&s->dout.memory), out_sum = buffer_sum(&s->out.memory);
    for (size_t i = 0; i < s->node.n_params; i++) s->dparam[i] = buffer_new(s->node.param[i].count * s->element);
    const bool sums = s->kernel->dparam && s->node.n_params > 0, heads = has(s, LN_HEAD);
    if (sums && heads) dparam(s);
    if (dout_sum != buffer_sum(&s->dout.memory)) fault(s, "dparam changed dout");
    set_up_din(s);
    dinput(s);
    if (sums && !heads) dparam(s);
    if (s->din[0].memory.base != s->dout.memory.base && dout_sum != buffer_sum(&s->dout.memory))
        fault(s, "%s changed dout", sums && !heads ? "dinput or dparam" : "dinput");
    if (out_sum != buffer_sum(&s->out.memory)) fault(s, "backward changed out");
}

/* The parts one by one, from the last, of all channels: each must leave the others' alone. */
static void settle(state *s) {
    if (!s->kernel->settle) return;
    ln_task t = task_of(s, 0, s->n_blocks);
    for (size_t p = t.n_parts; p > 0; p--) {
        t.part = p - 1;
        buffer_spoil(&s->scratch);
        s->kernel->settle(&t);
    }
}

static void check_guards(state *s) {
    const struct {
        const char   *name;
        const buffer *b;
    } all[] = {{"in[0]", &s->in[0].memory},   {"in[1]", &s->in[1].memory},
               {"out", &s->out.memory},       {"dout", &s->dout.memory},
               {"din[0]", &s->din[0].memory}, {"din[1]", &s->din[1].memory},
               {"param[0]", &s->param[0]},    {"param[1]", &s->param[1]},
               {"param[2]", &s->param[2]},    {"param[3]", &s->param[3]},
               {"dparam[0]", &s->dparam[0]},  {"dparam[1]", &s->dparam[1]},
               {"packed", &s->packed},        {"scratch", &s->scratch},
               {"saved", &s->saved},          {"hit", &s->hit}};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (!buffer_guards_stand(all[i].b)) fault(s, "the guard bytes round %s were overwritten", all[i].name);
    for (size_t b = 0; b < s->n_blocks; b++)
        if (!all_ff(s->saved.at + b * s->saved_stride + s->need.saved, s->saved_stride - s->need.saved))
            fault(s, "block %zu wrote more than its %zu saved bytes", b, s->need.saved);
}

static void collect(state *s) {
    op_result *r = s->result;
    r->out = tensor_unlay(s, &s->out);
    if (!has(s, LN_LOSS)) return;
    r->hit = must(malloc(s->run->n));
    memcpy(r->hit, s->hit.at, s->run->n);
}

static double *reals_take(const state *s, const buffer *b, size_t count) {
    double *values = must(malloc(count * sizeof *values));
    for (size_t k = 0; k < count; k++) values[k] = real_get(s, b->at, k);
    return values;
}

static void collect_gradients(state *s) {
    op_result *r = s->result;
    for (size_t i = 0; i < s->node.n_inputs; i++)
        if (s->din[i].memory.base) r->din[i] = tensor_unlay(s, &s->din[i]);
    for (size_t i = 0; i < s->node.n_params; i++) r->dparam[i] = reals_take(s, &s->dparam[i], s->node.param[i].count);
    for (size_t i = s->node.n_params; i < n_tensors_of(s); i++)
        r->buffer[i - s->node.n_params] = reals_take(s, &s->param[i], s->node.param[i].count);
}

static void tear_down(state *s) {
    if (s->din[0].memory.base != s->dout.memory.base) buffer_free(&s->din[0].memory);
    buffer_free(&s->dout.memory);
    buffer_free(&s->din[1].memory);
    if (s->out.memory.base != s->in[0].memory.base) buffer_free(&s->out.memory);
    for (size_t i = 0; i < LN_MAX_INPUTS; i++) buffer_free(&s->in[i].memory);
    for (size_t i = 0; i < LN_MAX_PARAMS; i++) buffer_free(&s->dparam[i]);
    for (size_t i = 0; i < LN_MAX_TENSORS; i++) buffer_free(&s->param[i]);
    buffer *const rest[] = {&s->packed, &s->saved, &s->scratch, &s->live, &s->image, &s->label, &s->hit};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) buffer_free(rest[i]);
}

static void run_kernel(state *s) {
    uint64_t sums[LN_MAX_TENSORS + LN_MAX_INPUTS], i = 0;
    set_up(s);
    pack(s);
    const uint64_t packed = buffer_sum(&s->packed);
    for (size_t k = 0; k < LN_MAX_TENSORS; k++) sums[i++] = buffer_sum(&s->param[k]);
    for (size_t k = 0; k < LN_MAX_INPUTS; k++) sums[i++] = buffer_sum(&s->in[k].memory);
    forward(s);
    collect(s);
    for (size_t k = 0; k < s->node.n_inputs; k++)
        if (sums[LN_MAX_TENSORS + k] != buffer_sum(&s->in[k].memory) && s->out.memory.base != s->in[k].memory.base)
            fault(s, "forward changed in[%zu]", k);
    if (!s->run->cut.inference) backward(s);
    for (size_t k = 0; k < n_tensors_of(s); k++)
        if (sums[k] != buffer_sum(&s->param[k])) fault(s, "parameter %zu was changed", k);
    if (!s->run->cut.inference) {
        settle(s);
        collect_gradients(s);
    }
    if (packed != buffer_sum(&s->packed)) fault(s, "packed was changed after pack");
    check_guards(s);
    tear_down(s);
}

bool op_run_all(const op_run *run, op_result *result, ln_error *error) {
    state s = {.run = run, .result = result};
    *result = (op_result){0};
    if (!op_node(run->line, run->in, &s.node, error)) return false;
    result->node = s.node;
    s.kernels = ln_kernels_of(run->isa);
    s.kernel = s.kernels ? kernel_of(s.kernels, s.node.op) : NULL;
    const char *refusal = s.kernel ? (s.kernel->refuse ? s.kernel->refuse(&s.node) : NULL) : "there is no kernel";
    if (refusal) {
        (void)ln_fail(error, LN_E_UNSUPPORTED, "%s on %s: %s", run->line, ln_isa_name(run->isa), refusal);
        return false;
    }
    s.element = s.kernels->element;
    s.n_blocks = (run->n + LN_LANES - 1) / LN_LANES;
    const uint64_t mode = ln_fp_enter();
    run_kernel(&s);
    ln_fp_leave(mode);
    return true;
}

void op_result_free(op_result *result) {
    free(result->out);
    free(result->hit);
    for (size_t i = 0; i < LN_MAX_INPUTS; i++) free(result->din[i]);
    for (size_t i = 0; i < LN_MAX_PARAMS; i++) free(result->dparam[i]);
    for (size_t i = 0; i < LN_MAX_TENSORS; i++) free(result->buffer[i]);
    *result = (op_result){0};
}
