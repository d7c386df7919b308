/* Running a plan: every thread walks the same segments and phases, and takes its blocks or its parts of each.
 *
 * A step's update, beside what the optimizer does (optim/update.h):
 *   scale = min(1, clip_norm / (‖G‖ + 10^-6)), ‖G‖ the Euclidean norm of all gradients together
 *   average = p after the first step, average ← ema·average + (1 - ema)·p after every other */
#include "graph/run.h"

#include "base/clock.h"
#include "base/math.h"

#include <stdatomic.h>
#include <string.h>

/* One thread's place in a run. */
typedef struct ln_worker {
    ln_plan        *p;
    const ln_step  *step; /* NULL in prediction */
    const ln_batch *batch;
    size_t          t, n;   /* this thread, of how many */
    size_t          chunk;  /* first block of the chunk that thread memory holds */
    char           *memory; /* this thread's arena */
    bool            probes; /* forward phases only, from the input that lies there */
} ln_worker;

/* Some blocks, and the share of their channels that a thread takes. */
typedef struct ln_share {
    size_t block, n_blocks, part, n_parts;
} ln_share;

static size_t block_bytes(const ln_plan *p, const ln_slot *x) {
    return ln_plan_round(ln_slot_lanes(x) * ln_slot_unit(p, x));
}
/* ------------------------------------------------------------------ tasks */

static ln_view view_of(const ln_worker *w, const ln_slot *tensors, size_t t, size_t block) {
    const ln_plan *const p = w->p;
    const ln_slot *const x = &tensors[tensors[t].base];
    const ln_shape       s = tensors[t].shape;
    const size_t         row = s.w + 2 * (size_t)x->halo.w, channel = row * (s.h + 2 * (size_t)x->halo.h);
    const size_t         border = ((size_t)x->halo.h * row + (size_t)x->halo.w) * ln_slot_unit(p, x);
    ln_view              v = {.block = block_bytes(p, x) / ln_slot_unit(p, x), .channel = channel, .row = row};
    switch (x->place) {
    case LN_PLACE_NONE: break;
    case LN_PLACE_SHARED: v.data = p->arena + p->shared_offset + x->offset + block * block_bytes(p, x) + border; break;
    case LN_PLACE_THREAD: v.data = w->memory + x->offset + (block - w->chunk) * block_bytes(p, x) + border; break;
    case LN_PLACE_BLOCK:
    case LN_PLACE_BAND: v.data = w->memory + p->band_offset + x->offset; break;
    }
    return v;
}

static void *parameter_at(const ln_plan *p, const ln_plan_node *n, size_t k) {
    if (p->element == sizeof(float)) return p->model->values[n->node->index][k];
    size_t at = n->parameters;
    for (size_t j = 0; j < k; j++) at += ln_plan_round(n->node->param[j].count * p->element);
    return p->arena + at;
}

static void *gradient_at(const ln_plan *p, const ln_plan_node *n, size_t k, size_t block) {
    const size_t bytes = ln_plan_round(n->node->param[k].count * p->element);
    return p->arena + (n->policy == LN_POLICY_BLOCK ? n->partial[k] + block * bytes : n->gradient[k]);
}

/* From a block on. Second labels and shares lie in the batch, which has none for dead lanes. */
static ln_labels labels_of(const ln_plan *p, const ln_batch *batch, size_t block) {
    const size_t at = block * LN_LANES;
    ln_labels    l = {.first = (const int32_t *)(const void *)(p->arena + p->label_offset) + at};
    if (batch && batch->second) l.second = batch->second + at, l.share = batch->share + at;
    return l;
}

static ln_task make_task(const ln_worker *w, const ln_plan_node *n, size_t block, size_t n_blocks) {
    const ln_plan *const p = w->p;
    const ln_node *const node = n->node;
    ln_task              t = {.node = node,
                              .n_blocks = n_blocks,
                              .c_hi = p->value[n->tensor_out].shape.c,
                              .h_hi = node->out.h,
                              .n_parts = 1,
                              .training = p->options.training,
                              .choice = n->need.choice,
                              .saved_stride = ln_plan_round(n->need.saved),
                              .packed = p->arena + n->packed};
    t.out = view_of(w, p->value, n->tensor_out, block);
    if (p->options.training) t.dout = view_of(w, p->gradient, n->tensor_out, block);
    for (size_t k = 0; k < node->n_inputs; k++) {
        t.in[k] = view_of(w, p->value, n->tensor_in[k], block);
        t.write[k] = n->write[k];
        if (p->options.training && n->write[k] != LN_SKIP) t.din[k] = view_of(w, p->gradient, n->tensor_in[k], block);
    }
    for (size_t k = 0; k < ln_node_tensors(node); k++) t.param[k] = parameter_at(p, n, k);
    for (size_t k = 0; k < node->n_params; k++) {
        if (n->policy != LN_POLICY_NONE) t.dparam[k] = gradient_at(p, n, k, block);
    }
    if (n->need.saved > 0)
        t.saved = (unsigned char *)(n->saved_place == LN_PLACE_SHARED
                                        ? p->arena + p->shared_offset + n->saved + block * t.saved_stride
                                        : w->memory + n->saved + (block - w->chunk) * t.saved_stride);
    t.scratch = w->memory + p->scratch_offset + n->scratch;
    t.live = (const uint16_t *)(const void *)(p->arena + p->live_offset) + block;
    t.image = (const uint32_t *)(const void *)(p->arena + p->image_offset) + block * LN_LANES;
    t.label = labels_of(p, w->batch, block);
    t.hit = (uint8_t *)p->arena + p->hit_offset + block * LN_LANES;
    t.planar = p->value[n->tensor_in[0]].planar;
    t.batch = w->batch ? w->batch->n : 0;
    t.weight = p->weight;
    if (w->step) {
        t.seed = w->step->seed;
        t.step = w->step->number;
    }
    return t;
}

/* Every kernel call passes here, so that layers can be timed. */
static void call(const ln_worker *w, void (*run)(const ln_task *), const ln_task *task, size_t node, bool backward) {
    if (!run) return;
    double *const seconds = w->t == 0 ? w->p->seconds[backward] : NULL;
    if (!seconds) {
        run(task);
        return;
    }
    const double start = ln_seconds_now();
    run(task);
    seconds[node] += ln_seconds_now() - start - w->p->clock;
}

/* ------------------------------------------------------------------ units */

/* Part of count channels in whole grains. */
static void grain_part(size_t count, size_t grain, const ln_share *share, size_t *lo, size_t *hi) {
    ln_part((count + grain - 1) / grain, share->part, share->n_parts, lo, hi);
    *lo = ln_least(*lo * grain, count);
    *hi = ln_least(*hi * grain, count);
}

/* A band buffer begins at the band's first channel and row. */
static void set_band_view(const ln_slot *tensors, size_t tensor, ln_view *v, size_t c0, size_t h0, size_t rows) {
    const ln_slot *const x = &tensors[tensors[tensor].base];
    if (x->place != LN_PLACE_BAND) return;
    v->block = 0;
    v->row = x->shape.w;
    v->channel = rows * x->shape.w;
    v->c0 = c0;
    v->h0 = h0;
}

/* Where a band lies: its channels, and the rows of each of the unit's outputs. */
typedef struct ln_place_in_unit {
    size_t c_lo, c_hi, lo[LN_MAX_UNIT], hi[LN_MAX_UNIT];
} ln_place_in_unit;

static ln_place_in_unit band_at(const ln_plan *p, const ln_unit *u, const ln_band *band, size_t c, size_t c_end,
                                size_t h) {
    ln_place_in_unit at = {.c_lo = c, .c_hi = c + ln_least(band->channels, c_end - c)};
    const size_t     end = ln_least(h + band->rows, p->node[u->last].node->out.h);
    for (size_t i = u->first; i <= u->last; i++)
        ln_unit_rows(p, u, i, h, end, &at.lo[i - u->first], &at.hi[i - u->first]);
    return at;
}

static void set_band(const ln_plan *p, const ln_unit *u, ln_task *tasks, const ln_place_in_unit *at) {
    for (size_t i = u->first; i <= u->last; i++) {
        const ln_plan_node *const n = &p->node[i];
        const size_t              k = i - u->first;
        ln_task *const            t = &tasks[k];
        t->c_lo = at->c_lo;
        t->c_hi = at->c_hi;
        t->h_lo = at->lo[k];
        t->h_hi = at->hi[k];
        set_band_view(p->value, n->tensor_out, &t->out, at->c_lo, at->lo[k], at->hi[k] - at->lo[k]);
        set_band_view(p->gradient, n->tensor_out, &t->dout, at->c_lo, at->lo[k], at->hi[k] - at->lo[k]);
        if (k == 0) continue;
        set_band_view(p->value, n->tensor_in[0], &t->in[0], at->c_lo, at->lo[k - 1], at->hi[k - 1] - at->lo[k - 1]);
        set_band_view(p->gradient, n->tensor_in[0], &t->din[0], at->c_lo, at->lo[k - 1], at->hi[k - 1] - at->lo[k - 1]);
    }
}

static void make_tasks(const ln_worker *w, const ln_unit *u, const ln_share *s, ln_task *tasks) {
    for (size_t i = u->first; i <= u->last; i++)
        tasks[i - u->first] = make_task(w, &w->p->node[i], s->block, s->n_blocks);
}

static void (*forward_of(const ln_plan *p, const ln_plan_node *n, int pass))(const ln_task *) {
    if (p->options.image && n->kernel->image.run) return n->kernel->image.run;
    return n->kernel->forward[ln_plan_has(n, LN_CROSS_BATCH) && !p->options.training ? 1 : pass].run;
}

static void forward_unit(const ln_worker *w, const ln_unit *u, const ln_share *s, int pass) {
    const ln_plan *const p = w->p;
    const bool           alone = pass == 0 && ln_plan_meets(p, &p->node[u->first]); /* it sums whole channels */
    const size_t         last = alone ? u->first : u->last, rows = p->node[u->last].node->out.h;
    const ln_band        band = alone ? (ln_band){rows, SIZE_MAX} : u->forward;
    ln_task              tasks[LN_MAX_UNIT];
    size_t               c_lo, c_hi;
    make_tasks(w, u, s, tasks);
    grain_part(tasks[0].c_hi, p->node[u->first].need.grain, s, &c_lo, &c_hi);
    for (size_t c = c_lo; c < c_hi; c = ln_least(band.channels, c_hi - c) + c)
        for (size_t h = 0; h < rows; h += band.rows) {
            const ln_place_in_unit at = band_at(p, u, &band, c, c_hi, h);
            set_band(p, u, tasks, &at);
            for (size_t i = u->first; i <= last; i++)
                if (p->node[i].runs)
                    call(w, forward_of(p, &p->node[i], i == u->first ? pass : 0), &tasks[i - u->first], i, false);
        }
}

/* A layer that is neither head nor local passes all of its input's gradient back at once. */
static void backward_whole(const ln_worker *w, size_t node, const ln_share *s, int pass) {
    const ln_plan_node *const n = &w->p->node[node];
    ln_task                   t = make_task(w, n, s->block, s->n_blocks);
    t.c_hi = n->node->in[0].c;
    t.h_hi = n->node->in[0].h;
    if (n->runs) call(w, n->kernel->dinput[pass].run, &t, node, true);
}

static void dinput_channels(const ln_worker *w, const ln_unit *u, ln_task t) {
    t.h_lo = 0;
    t.h_hi = t.node->in[0].h;
    if (t.c_lo < t.c_hi) call(w, w->p->node[u->first].kernel->dinput[0].run, &t, u->first, true);
}

/* Back through the unit to the head's output, and the head's partial sums of this block. */
static void backward_unit(const ln_worker *w, const ln_unit *u, const ln_share *s, int pass) {
    const ln_plan *const      p = w->p;
    const ln_plan_node *const head = &p->node[u->first];
    const bool                heads = ln_plan_has(head, LN_HEAD);
    ln_task                   tasks[LN_MAX_UNIT];
    size_t                    c_lo, c_hi;
    if (!ln_plan_has(head, LN_HEAD | LN_LOCAL)) {
        backward_whole(w, u->first, s, pass);
        return;
    }
    make_tasks(w, u, s, tasks);
    grain_part(head->node->out.c, head->need.grain, s, &c_lo, &c_hi);
    for (size_t c = c_lo; c < c_hi; c += u->backward.channels)
        for (size_t h = 0; h < p->node[u->last].node->out.h; h += u->backward.rows) {
            const ln_place_in_unit at = band_at(p, u, &u->backward, c, c_hi, h);
            set_band(p, u, tasks, &at);
            for (size_t i = u->last; i > u->first && pass == 0; i--)
                call(w, p->node[i].kernel->dinput[0].run, &tasks[i - u->first], i, true);
            if (!heads && head->runs) call(w, head->kernel->dinput[pass].run, &tasks[0], u->first, true);
            if (heads && head->policy == LN_POLICY_BLOCK) call(w, head->kernel->dparam, &tasks[0], u->first, true);
            if (ln_plan_goes_through(head)) dinput_channels(w, u, tasks[0]);
        }
}

static void dinput_head(const ln_worker *w, const ln_unit *u, const ln_share *s) {
    const ln_plan_node *const head = &w->p->node[u->first];
    ln_task                   t = make_task(w, head, s->block, s->n_blocks);
    grain_part(head->node->in[0].c, 1, s, &t.c_lo, &t.c_hi);
    dinput_channels(w, u, t);
}

static void meet(const ln_worker *w, const ln_unit *u, const ln_share *s, bool backward) {
    const ln_plan_node *const head = &w->p->node[u->first];
    ln_task                   t = make_task(w, head, 0, w->p->n_blocks);
    t.part = s->part;
    t.n_parts = s->n_parts;
    call(w, backward ? head->kernel->dinput[0].meet : head->kernel->forward[0].meet, &t, u->first, backward);
}

/* -------------------------------------------------- parameter gradients */

static void mark_bad(const ln_worker *w, const ln_plan_node *n, size_t k) {
    atomic_int *const flags = (atomic_int *)(void *)(w->p->arena + w->p->finite_offset);
    atomic_store_explicit(&flags[(size_t)(n - w->p->node) * LN_MAX_PARAMS + k], 1, memory_order_relaxed);
}

static void check_finite(const ln_worker *w, const ln_plan_node *n, size_t k, size_t lo, size_t hi) {
    if (lo < hi && !w->p->options.kernels->all_finite(w->p->arena + n->gradient[k], lo, hi)) mark_bad(w, n, k);
}

static void dparam_batch(const ln_worker *w, const ln_unit *u, const ln_share *s) {
    const ln_plan_node *const head = &w->p->node[u->first];
    ln_task                   t = make_task(w, head, 0, w->p->n_blocks);
    bool                      bad[LN_MAX_PARAMS] = {false};
    t.bad = bad;
    if (head->need.sum_inputs) grain_part(head->node->in[0].c, LN_LANES, s, &t.c_lo, &t.c_hi);
    else grain_part(head->node->out.c, head->need.grain, s, &t.c_lo, &t.c_hi);
    if (t.c_lo == t.c_hi) return;
    call(w, head->kernel->dparam, &t, u->first, true);
    for (size_t k = 0; k < head->node->n_params; k++) {
        const size_t each = head->node->param[k].count / head->node->out.c;
        if (!ln_plan_has(head, LN_CHECKS)) check_finite(w, head, k, t.c_lo * each, t.c_hi * each);
        else if (bad[k]) mark_bad(w, head, k);
    }
}

/* A thread's share of a parameter, in whole cache lines. */
static void parameter_part(size_t count, const ln_share *s, size_t *lo, size_t *hi) {
    grain_part(count, LN_LANES, s, lo, hi);
}

static void reduce(const ln_worker *w, const ln_unit *u, const ln_share *s) {
    const ln_plan *const      p = w->p;
    const ln_plan_node *const n = &p->node[u->first];
    for (size_t k = 0; k < n->node->n_params; k++) {
        size_t lo, hi;
        parameter_part(n->node->param[k].count, s, &lo, &hi);
        if (n->policy == LN_POLICY_BLOCK)
            p->options.kernels->sum_partials(p->arena + n->partial[k], p->n_blocks,
                                             ln_plan_round(n->node->param[k].count * p->element) / p->element,
                                             p->arena + n->gradient[k], lo, hi);
        check_finite(w, n, k, lo, hi);
    }
}

/* ------------------------------------------------------------------- fill */

/* Pixels [lo, hi) of one block, by way of a small buffer when the input has a halo. */
static void fill_block(const ln_worker *w, size_t block, size_t lo, size_t hi) {
    const ln_plan *const     p = w->p;
    const ln_batch *const    batch = w->batch;
    const ln_shape           s = p->model->input;
    const size_t             lane = LN_LANES * p->element, pixel = batch->is_float ? sizeof(float) : 1;
    const ln_preprocess     *pre = &batch->preprocess;
    const void *const *const rows = (const void *const *)(const void *)(p->arena + p->rows_offset) + block * LN_LANES;
    const ln_view            v = view_of(w, p->value, 0, block);
    _Alignas(128) unsigned char buffer[64 * LN_LANES * sizeof(double)];
    const void                 *at[LN_LANES];
    for (size_t i = lo; i < hi; i += 64) {
        const size_t count = ln_least(64, hi - i);
        for (size_t l = 0; l < LN_LANES; l++) at[l] = (const char *)rows[l] + i * pixel;
        const ln_fill fill = {at, batch->is_float, count, pre->scale / pre->std, -pre->mean / pre->std};
        if (v.row == s.w && v.channel == s.w * s.h) { /* no halo: the block is one row of lanes */
            p->options.kernels->fill(&fill, (char *)v.data + i * lane);
            continue;
        }
        p->options.kernels->fill(&fill, buffer);
        for (size_t j = 0; j < count;) {
            const size_t row = (i + j) / s.w, x = (i + j) % s.w, c = row / s.h, run = ln_least(s.w - x, count - j);
            memcpy((char *)v.data + (c * v.channel + (row - c * s.h) * v.row + x) * lane, buffer + j * lane,
                   run * lane);
            j += run;
        }
    }
}

/* One image at a time: rows [lo, hi) of all channels, as floats. */
static void fill_planar(const ln_worker *w, size_t block, size_t lo, size_t hi) {
    const ln_plan *const  p = w->p;
    const ln_batch *const batch = w->batch;
    const ln_shape        s = p->model->input;
    const ln_preprocess  *pre = &batch->preprocess;
    const size_t          pixel = batch->is_float ? sizeof(float) : 1;
    const ln_view         v = view_of(w, p->value, 0, block);
    const char *const     image = batch->rows[ln_least(block, batch->n - 1)];
    for (size_t i = lo; i < hi; i++) {
        const void *const row = image + i * s.w * pixel;
        const ln_fill     fill = {&row, batch->is_float, s.w, pre->scale / pre->std, -pre->mean / pre->std};
        p->options.kernels->fill_planar(&fill, (float *)v.data + i / s.h * v.channel + i % s.h * v.row);
    }
}

static void fill(const ln_worker *w, const ln_share *s) {
    size_t lo, hi;
    if (w->p->options.image) {
        grain_part(w->p->model->input.c * w->p->model->input.h, 1, s, &lo, &hi);
        for (size_t b = 0; b < s->n_blocks; b++) fill_planar(w, s->block + b, lo, hi);
        return;
    }
    grain_part(ln_shape_count(w->p->model->input), 64, s, &lo, &hi);
    for (size_t b = 0; b < s->n_blocks; b++) fill_block(w, s->block + b, lo, hi);
}

/* ----------------------------------------------------------------- phases */

static void run_phase(const ln_worker *w, const ln_phase *phase, const ln_share *s) {
    const ln_unit *const u = &w->p->unit[phase->unit];
    const bool           forward =
        phase->kind == LN_PHASE_FORWARD || phase->kind == LN_PHASE_FORWARD_2 || phase->kind == LN_PHASE_MEET_FORWARD;
    if (w->probes && !forward) return;
    switch (phase->kind) {
    case LN_PHASE_FILL: fill(w, s); break;
    case LN_PHASE_FORWARD: forward_unit(w, u, s, 0); break;
    case LN_PHASE_FORWARD_2: forward_unit(w, u, s, 1); break;
    case LN_PHASE_BACKWARD: backward_unit(w, u, s, 0); break;
    case LN_PHASE_BACKWARD_2: backward_unit(w, u, s, 1); break;
    case LN_PHASE_DINPUT: dinput_head(w, u, s); break;
    case LN_PHASE_MEET_FORWARD: meet(w, u, s, false); break;
    case LN_PHASE_MEET_BACKWARD: meet(w, u, s, true); break;
    case LN_PHASE_DPARAM: dparam_batch(w, u, s); break;
    case LN_PHASE_REDUCE: reduce(w, u, s); break;
    }
}

/* This thread's share of a phase that all threads work on. */
static void run_part(const ln_worker *w, const ln_phase *phase) {
    const ln_plan *const p = w->p;
    const unsigned       traits = p->node[p->unit[phase->unit].first].node->op->traits;
    ln_share             s = {0, p->n_blocks, w->t, w->n};
    const bool           whole = phase->kind == LN_PHASE_MEET_FORWARD || phase->kind == LN_PHASE_MEET_BACKWARD ||
                       phase->kind == LN_PHASE_DPARAM || phase->kind == LN_PHASE_REDUCE;
    if (whole || phase->kind == LN_PHASE_FILL) {
        run_phase(w, phase, &s);
        return;
    }
    if ((traits & (LN_HEAD | LN_LOCAL)) == 0) { /* channels depend on each other: by blocks after all */
        size_t hi;
        ln_part(p->n_blocks, w->t, w->n, &s.block, &hi);
        s = (ln_share){s.block, hi - s.block, 0, 1};
    }
    const size_t end = s.block + s.n_blocks, each = phase->per_block ? 1 : s.n_blocks;
    for (; s.block < end; s.block += each) {
        s.n_blocks = each;
        run_phase(w, phase, &s);
    }
}

static void run_blocks(ln_worker *w, const ln_segment *segment) {
    const ln_plan *const p = w->p;
    size_t               block, end;
    ln_part(p->n_blocks, w->t, w->n, &block, &end);
    for (; block < end; block += p->chunk) {
        const size_t n = ln_least(p->chunk, end - block);
        w->chunk = block;
        for (size_t i = segment->first; i < segment->last;) {
            size_t next = i + 1;
            if (!p->phase[i].per_block) {
                run_phase(w, &p->phase[i], &(ln_share){block, n, 0, 1});
                i = next;
                continue;
            }
            while (next < segment->last && p->phase[next].per_block) next++;
            for (size_t b = block; b < block + n; b++) /* depth first: a block through all of them */
                for (size_t k = i; k < next; k++) run_phase(w, &p->phase[k], &(ln_share){b, 1, 0, 1});
            i = next;
        }
    }
}

static void run_program(ln_worker *w) {
    const ln_plan *const p = w->p;
    for (size_t i = 0; i < p->n_segments; i++) {
        const ln_segment *const s = &p->segment[i];
        if (i > 0) ln_threads_barrier(p->context->threads);
        if (!s->parts) {
            run_blocks(w, s);
            continue;
        }
        for (size_t k = s->first; k < s->last; k++) {
            if (k > s->first && s->meets) ln_threads_barrier(p->context->threads);
            run_part(w, &p->phase[k]);
        }
    }
}

/* ------------------------------------------------------- packing, updating */

static void pack_all(const ln_worker *w) {
    for (size_t i = 0; i < w->p->n_nodes; i++) {
        const ln_plan_node *const n = &w->p->node[i];
        void (*const pack)(const ln_task *) =
            w->p->options.image && n->kernel->image.run ? n->kernel->image.pack : n->kernel->pack;
        if (!pack) continue;
        ln_task t = make_task(w, n, 0, 0);
        t.part = w->t;
        t.n_parts = w->n;
        pack(&t);
    }
}

/* State j of parameter k. */
static void *state_at(const ln_plan *p, const ln_plan_node *n, size_t k, size_t j) {
    size_t at = n->states;
    for (size_t i = 0; i < k; i++) at += ln_plan_round(n->node->param[i].count * p->element) * ln_plan_states(p, n);
    return p->arena + at + ln_plan_round(n->node->param[k].count * p->element) * j;
}

static double *squares_at(const ln_plan *p, bool of_weights) {
    return (double *)(void *)(p->arena + p->squares_offset) + (of_weights ? p->n_squares : 0);
}

/* This thread's share of the sums of squares: of all weights, or of all gradients that there are. */
static void sum_squares(const ln_worker *w, bool of_weights) {
    const ln_plan *const p = w->p;
    double              *sum = squares_at(p, of_weights);
    for (size_t i = 0; i < p->n_nodes; i++)
        for (size_t k = 0; k < p->node[i].node->n_params; k++) {
            const ln_plan_node *const n = &p->node[i];
            const ln_param *const     param = &n->node->param[k];
            const void *const         x = of_weights ? parameter_at(p, n, k) : p->arena + n->gradient[k];
            const bool                counts = of_weights ? ln_is_weight(param) : !n->node->learning.frozen;
            size_t                    lo, hi;
            ln_part(ln_squares_of(param), w->t, w->n, &lo, &hi);
            for (size_t j = lo; j < hi; j++)
                sum[j] = counts ? p->options.kernels->sum_squares(x, j * LN_SQUARES,
                                                                  ln_least((j + 1) * LN_SQUARES, param->count))
                                : 0;
            sum += ln_squares_of(param);
        }
}

static double total_of_squares(const ln_plan *p, bool of_weights) {
    const double *const sum = squares_at(p, of_weights);
    double              total = 0;
    for (size_t i = 0; i < p->n_squares; i++) total += sum[i];
    return total;
}

/* What takes the norm of all gradients down to clip_norm: torch.nn.utils.clip_grad_norm_. Every thread finds it. */
static double norm_scale(const ln_worker *w) {
    sum_squares(w, false);
    ln_threads_barrier(w->p->context->threads);
    const double scale = w->step->clip_norm / (ln_sqrt(total_of_squares(w->p, false)) + 1e-6);
    return scale < 1 ? scale : 1;
}

/* This thread's share of a parameter: its update, and then its average's. */
static void update_one(const ln_worker *w, const ln_plan_node *n, size_t k, const ln_correction *common) {
    const ln_plan *const  p = w->p;
    const ln_step *const  step = w->step;
    const ln_param *const param = &n->node->param[k];
    ln_correction         correction = *common;
    ln_update             u = *step->update;
    if (!ln_is_weight(param)) correction.l2 = 0;
    if (correction.scale < 1 || step->clip_value > 0 || correction.l2 > 0) u.correction = &correction;
    u.spared = step->decay_weights_only && !ln_is_weight(param);
    u.lr *= n->node->learning.lr_factor;
    u.param = parameter_at(p, n, k);
    u.gradient = p->arena + n->gradient[k];
    for (size_t j = 0; j < p->options.n_states; j++) u.state[j] = state_at(p, n, k, j);
    parameter_part(param->count, &(ln_share){.part = w->t, .n_parts = w->n}, &u.lo, &u.hi);
    if (u.lo == u.hi) return;
    p->options.kernels->update[step->optimizer](&u);
    if (step->average > 0) /* the first average is what the first step leaves */
        p->options.kernels->approach(state_at(p, n, k, p->options.n_states), u.param,
                                     u.step == 1 ? 1 : 1 - step->average, u.lo, u.hi);
}

static void update_all(const ln_worker *w) {
    const ln_plan *const p = w->p;
    const ln_step *const step = w->step;
    const ln_correction  common = {
         .scale = step->clip_norm > 0 ? norm_scale(w) : 1, .limit = step->clip_value, .l2 = step->l2};
    for (size_t i = 0; i < p->n_nodes; i++)
        for (size_t k = 0; k < p->node[i].node->n_params && !p->node[i].node->learning.frozen; k++)
            update_one(w, &p->node[i], k, &common);
}

/* Buffers, from what the step has saved. */
static void settle_all(const ln_worker *w) {
    for (size_t i = 0; i < w->p->n_nodes; i++) {
        const ln_plan_node *const n = &w->p->node[i];
        if (!n->kernel->settle) continue;
        ln_task t = make_task(w, n, 0, w->p->n_blocks);
        t.part = w->t;
        t.n_parts = w->n;
        n->kernel->settle(&t);
    }
}

/* --------------------------------------------------------------- the runs */

static ln_worker worker_at(ln_plan *p, const ln_batch *batch, const ln_step *step, int t) {
    return (ln_worker){.p = p,
                       .step = step,
                       .batch = batch,
                       .t = (size_t)t,
                       .n = (size_t)p->n_threads,
                       .memory = p->arena + p->threads_offset + (size_t)t * p->thread_bytes};
}

typedef struct ln_job {
    ln_plan        *p;
    const ln_batch *batch;
    const ln_step  *step;
    bool            finite;
} ln_job;

static void pack_job(void *argument, int t) {
    const ln_job *const job = argument;
    const ln_worker     w = worker_at(job->p, NULL, NULL, t);
    pack_all(&w);
}

static void forward_job(void *argument, int t) {
    const ln_job *const job = argument;
    ln_worker           w = worker_at(job->p, job->batch, NULL, t);
    run_program(&w);
}

static void probe_job(void *argument, int t) {
    const ln_job *const job = argument;
    ln_worker           w = worker_at(job->p, job->batch, job->step, t);
    w.probes = true;
    pack_all(&w);
    ln_threads_barrier(job->p->context->threads);
    run_program(&w);
}

/* Every thread reads the same flags and losses, and so decides the same. */
static bool step_finite(const ln_plan *p, size_t n_images) {
    size_t       node, param, hits;
    const double loss = ln_run_loss(p, n_images, &hits);
    return loss - loss == 0 && !ln_run_culprit(p, &node, &param);
}

static void step_job(void *argument, int t) {
    ln_job *const job = argument;
    ln_worker     w = worker_at(job->p, job->batch, job->step, t);
    if (job->step->l2 > 0) sum_squares(&w, true);
    run_program(&w);
    ln_threads_barrier(job->p->context->threads);
    const bool finite = step_finite(job->p, job->batch->n);
    if (t == 0) job->finite = finite;
    if (!finite || !job->step->update) return;
    update_all(&w);
    settle_all(&w);
    ln_threads_barrier(job->p->context->threads);
    pack_all(&w);
}

static void run_job(ln_job *job, void (*work)(void *, int)) {
    const uint64_t mode = ln_fp_enter();
    ln_threads_run(job->p->context->threads, job->p->n_threads, work, job);
    ln_fp_leave(mode);
}

/* Rows, labels, numbers, the live mask and the losses' weight; dead lanes copy the last live image. */
static void load_batch(ln_plan *p, const ln_batch *batch) {
    const void    **rows = (const void **)(void *)(p->arena + p->rows_offset);
    int32_t *const  label = (int32_t *)(void *)(p->arena + p->label_offset);
    uint32_t *const image = (uint32_t *)(void *)(p->arena + p->image_offset);
    uint16_t *const live = (uint16_t *)(void *)(p->arena + p->live_offset);
    memset(live, 0, p->n_blocks * sizeof *live);
    memset(p->arena + p->finite_offset, 0, p->n_nodes * LN_MAX_PARAMS * sizeof(int));
    for (size_t i = 0; i < p->n_blocks * LN_LANES; i++) {
        const size_t from = ln_least(i, batch->n - 1);
        rows[i] = batch->rows[from];
        label[i] = batch->labels ? batch->labels[from] : 0;
        image[i] = batch->images ? batch->images[from] : (uint32_t)from;
        if (i < batch->n) live[i / LN_LANES] = (uint16_t)(live[i / LN_LANES] | 1U << i % LN_LANES);
    }
    const ln_node *const last = p->node[p->n_nodes - 1].node;
    const ln_labels      labels = labels_of(p, batch, 0);
    if (last->op->weight) p->weight = last->op->weight(last, &labels, batch->n);
}

void ln_run_pack(ln_plan *plan) { run_job(&(ln_job){.p = plan}, pack_job); }

void ln_run_load_parameters(ln_plan *plan) {
    for (size_t i = 0; i < plan->n_nodes && plan->element == sizeof(double); i++)
        for (size_t k = 0; k < ln_node_tensors(plan->node[i].node); k++) {
            double *const      to = parameter_at(plan, &plan->node[i], k);
            const float *const from = plan->model->values[i][k];
            for (size_t j = 0; j < plan->node[i].node->param[k].count; j++) to[j] = (double)from[j];
        }
    ln_run_pack(plan);
}

void ln_run_forward(ln_plan *plan, const ln_batch *batch) {
    load_batch(plan, batch);
    run_job(&(ln_job){.p = plan, .batch = batch}, forward_job);
}

bool ln_run_step(ln_plan *plan, const ln_step *step) {
    ln_job job = {.p = plan, .batch = step->batch, .step = step};
    load_batch(plan, step->batch);
    run_job(&job, step_job);
    return job.finite;
}

static void update_job(void *argument, int t) {
    const ln_job *const job = argument;
    const ln_worker     w = worker_at(job->p, job->batch, job->step, t);
    update_all(&w);
}

void ln_run_update(ln_plan *plan, const ln_step *step) {
    run_job(&(ln_job){.p = plan, .batch = step->batch, .step = step}, update_job);
}

void ln_run_probe(ln_plan *plan, const ln_step *step) {
    run_job(&(ln_job){.p = plan, .batch = step->batch, .step = step}, probe_job);
}

/* ---------------------------------------------------------------- results */

static double real_at(const ln_plan *p, const void *reals, size_t i) {
    return p->element == sizeof(float) ? (double)((const float *)reals)[i] : ((const double *)reals)[i];
}

void *ln_run_tensor(const ln_plan *plan, bool gradient, size_t tensor) {
    const ln_slot *const tensors = gradient ? plan->gradient : plan->value;
    return plan->arena + plan->shared_offset + tensors[tensors[tensor].base].offset;
}

const unsigned char *ln_run_saved(const ln_plan *plan, size_t node) {
    return (const unsigned char *)plan->arena + plan->shared_offset + plan->node[node].saved;
}

void *ln_run_gradient(const ln_plan *plan, size_t node, size_t k) { return plan->arena + plan->node[node].gradient[k]; }

void *ln_run_parameter(const ln_plan *plan, size_t node, size_t k) { return parameter_at(plan, &plan->node[node], k); }

/* One image at a time: lanes [c / 16][h][w] to c, h, w. The output has no halo. */
static void unlane_images(const ln_plan *plan, size_t n, float *outputs) {
    const size_t      last = plan->model->n_nodes, block = block_bytes(plan, &plan->value[plan->value[last].base]);
    const ln_shape    s = ln_model_shape(plan->model, (int)last - 1);
    const size_t      area = s.h * s.w;
    const char *const lanes = ln_run_tensor(plan, false, last);
    for (size_t i = 0; i < n; i++) {
        const float *const image = (const float *)(const void *)(lanes + i * block);
        for (size_t c = 0; c < s.c; c++)
            for (size_t k = 0; k < area; k++) *outputs++ = image[(c / LN_LANES * area + k) * LN_LANES + c % LN_LANES];
    }
}

void ln_run_outputs(const ln_plan *plan, size_t n, float *outputs) {
    const size_t    last = plan->model->n_nodes, count = ln_model_outputs(plan->model);
    const ln_worker w = {.p = (ln_plan *)(uintptr_t)plan};
    if (plan->options.image) {
        unlane_images(plan, n, outputs);
        return;
    }
    for (size_t block = 0; block * LN_LANES < n; block++) {
        const ln_view v = view_of(&w, plan->value, last, block);
        float        *rows[LN_LANES];
        const size_t  live = ln_least(LN_LANES, n - block * LN_LANES);
        for (size_t l = 0; l < live; l++) rows[l] = outputs + (block * LN_LANES + l) * count;
        plan->options.kernels->unlane(v.data, count, live, rows);
    }
}

double ln_run_loss(const ln_plan *plan, size_t n, size_t *n_correct) {
    const void *const    losses = ln_run_tensor(plan, false, plan->n_tensors - 1);
    const uint8_t *const hit = (const uint8_t *)plan->arena + plan->hit_offset;
    double               sum = 0;
    *n_correct = 0;
    for (size_t i = 0; i < n; i++) {
        sum += real_at(plan, losses, i);
        *n_correct += hit[i];
    }
    return sum;
}

double ln_run_weight_squares(const ln_plan *plan) { return total_of_squares(plan, true); }

float *ln_run_state(const ln_plan *plan, size_t node, size_t k, size_t j) {
    return state_at(plan, &plan->node[node], k, j);
}

void ln_run_swap_average(ln_plan *plan) {
    for (size_t i = 0; i < plan->n_nodes; i++) {
        const ln_plan_node *const n = &plan->node[i];
        for (size_t k = 0; k < n->node->n_params && !n->node->learning.frozen; k++) {
            float *const values = plan->model->values[n->node->index][k];
            float *const average = state_at(plan, n, k, plan->options.n_states);
            for (size_t j = 0; j < n->node->param[k].count; j++) {
                const float kept = values[j];
                values[j] = average[j];
                average[j] = kept;
            }
        }
    }
}

bool ln_run_culprit(const ln_plan *plan, size_t *node, size_t *param) {
    const atomic_int *const flags = (const atomic_int *)(const void *)(plan->arena + plan->finite_offset);
    for (size_t i = plan->n_nodes * LN_MAX_PARAMS; i-- > 0;) /* from the loss back: the first that went wrong */
        if (atomic_load_explicit(&flags[i], memory_order_relaxed)) {
            *node = i / LN_MAX_PARAMS;
            *param = i % LN_MAX_PARAMS;
            return true;
        }
    return false;
}
