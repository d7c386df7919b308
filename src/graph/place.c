/* Where everything lies: which tensors share memory, when each is in use, which need only a band of one block, and the
 * offsets of all of it in the plan's arena. */
#include "graph/place.h"

#include <string.h>

enum {
    BAND_BYTES = 24 << 10, /* what lies between the layers of a unit should sit in the first-level cache */
    MAP_BYTES = 32 << 10,  /* the same for whole maps of some channels, of which a tile reads a part at a time */
    OWN_BYTES = 384 << 10, /* maps of in, dout and din should stay in the second-level cache from dparam to dinput */
    SUM_BYTES = 64 << 10   /* a head's sums over lanes, kept from band to band */
};

static const size_t TENSOR_BYTES = (size_t)1 << 52;

static size_t lanes_bytes(const ln_plan *p) { return LN_LANES * p->element; }

/* ---------------------------------------------------------------- aliases */

static bool needed_backward(const ln_plan *p, size_t tensor) {
    if (!p->options.training) return false;
    if (tensor > 0 && ln_plan_has(&p->node[tensor - 1], LN_NEEDS_OUT)) return true;
    for (size_t i = 0; i < p->n_nodes; i++)
        for (size_t k = 0; k < p->node[i].node->n_inputs; k++)
            if (p->node[i].tensor_in[k] == tensor && ln_plan_has(&p->node[i], LN_NEEDS_IN)) return true;
    return false;
}

/* The same of any tensor that lives in this one's memory: what an in-place layer may not write over. */
static bool memory_needed_backward(const ln_plan *p, size_t tensor) {
    bool needed = false;
    for (size_t t = 0; t < p->n_tensors; t++)
        needed |= p->value[t].base == p->value[tensor].base && needed_backward(p, t);
    return needed;
}

static void set_halos(ln_plan *p) {
    for (size_t i = 0; i < p->n_nodes; i++) {
        const ln_size2 halo = p->node[i].node->halo;
        for (int side = 0; side < 2; side++) {
            ln_slot *const t = side ? &p->gradient[p->node[i].tensor_in[0]] : &p->value[p->node[i].tensor_in[0]];
            if (halo.h > t->halo.h) t->halo.h = halo.h;
            if (halo.w > t->halo.w) t->halo.w = halo.w;
        }
    }
}

static bool no_halo(const ln_slot *t) { return t->halo.h == 0 && t->halo.w == 0; }

static bool same_shape(ln_shape a, ln_shape b) { return a.c == b.c && a.h == b.h && a.w == b.w; }

/* May node's output live in its input's memory? A halo lies round one shape, and so not where a view has another. */
static bool may_alias(const ln_plan *p, const ln_plan_node *n, const ln_slot *tensors) {
    const size_t in = n->tensor_in[0], out = n->tensor_out;
    if (p->options.keep_all || ln_plan_consumers(p, in) != 1) return false;
    if (ln_plan_has(n, LN_VIEW) && p->options.image) return false; /* channels change their places among the lanes */
    const ln_slot *const x = &tensors[tensors[in].base], *const y = &tensors[tensors[out].base];
    const bool bare = no_halo(x) && no_halo(y);
    if (ln_plan_has(n, LN_VIEW)) return bare;
    return ln_plan_has(n, LN_IN_PLACE) && n->node->n_inputs == 1 && (bare || same_shape(x->shape, y->shape));
}

static void merge(ln_slot *tensors, size_t from, size_t to) {
    ln_slot *const a = &tensors[tensors[from].base], *const b = &tensors[tensors[to].base];
    if (a->halo.h > b->halo.h) b->halo.h = a->halo.h;
    if (a->halo.w > b->halo.w) b->halo.w = a->halo.w;
    tensors[from].base = tensors[to].base;
}

static void alias_tensors(ln_plan *p) {
    for (size_t i = 0; i < p->n_nodes; i++) {
        ln_plan_node *const n = &p->node[i];
        const size_t        in = n->tensor_in[0];
        const bool          free_to = ln_plan_has(n, LN_VIEW) || (in > 0 && !memory_needed_backward(p, in));
        if (!may_alias(p, n, p->value) || !free_to) continue;
        merge(p->value, n->tensor_out, in);
        n->runs = !ln_plan_has(n, LN_VIEW);
    }
    for (size_t i = p->n_nodes; i-- > 0;) {
        const ln_plan_node *const n = &p->node[i];
        if (!p->options.training || !p->gradient[n->tensor_in[0]].used || !may_alias(p, n, p->gradient)) continue;
        if (ln_plan_has(n, LN_VIEW) && n->runs) continue; /* both or neither */
        merge(p->gradient, n->tensor_in[0], n->tensor_out);
    }
    for (size_t i = 0; i < p->n_nodes; i++) { /* a view whose gradient could not follow copies both ways */
        ln_plan_node *const n = &p->node[i];
        if (n->runs || !p->options.training || !p->gradient[n->tensor_in[0]].used) continue;
        n->runs = p->gradient[n->tensor_in[0]].base != p->gradient[n->tensor_out].base;
    }
}

/* ------------------------------------------------------- lifetimes, places */

/* time: a thread's own; block-by-block phases of a segment that follow each other are one. era: that of memory which
 * threads share; phases between which no thread waits for the others, nor for its own next chunk, are one. */
typedef struct ln_use {
    size_t time, era, segment;
} ln_use;

/* Moves on to phase k of the segment. */
static void advance(const ln_plan *p, ln_use *at, size_t k) {
    const ln_segment *const s = &p->segment[at->segment];
    if (s->parts || k == s->first || !p->phase[k].per_block || !p->phase[k - 1].per_block) at->time++;
    if (k == s->first || s->meets) at->era++;
}

static void use(ln_slot *tensors, size_t tensor, const ln_use *at, size_t *segments) {
    const size_t   base = tensors[tensor].base;
    ln_slot *const t = &tensors[base];
    if (t->place == LN_PLACE_NONE) { /* first use */
        t->place = LN_PLACE_THREAD;
        t->first = at->time;
        t->first_era = at->era;
        segments[base] = at->segment;
    }
    if (segments[base] != at->segment) t->place = LN_PLACE_SHARED;
    t->last = at->time;
    t->last_era = at->era;
}

static void use_node(ln_plan *p, const ln_plan_node *n, ln_phase_kind kind, const ln_use *at, size_t *vs, size_t *gs) {
    const bool   gives = kind == LN_PHASE_FORWARD_2 || (kind == LN_PHASE_FORWARD && !ln_plan_meets(p, n));
    const bool   forward = gives || kind == LN_PHASE_FORWARD || kind == LN_PHASE_MEET_FORWARD;
    const size_t n_inputs = n->node->n_inputs;
    if (kind == LN_PHASE_DPARAM && !ln_plan_has(n, LN_HEAD)) return; /* dinput has saved what it wants */
    if (gives || (!forward && ln_plan_has(n, LN_NEEDS_OUT))) use(p->value, n->tensor_out, at, vs);
    for (size_t k = 0; k < n_inputs; k++)
        if (forward || ln_plan_has(n, LN_NEEDS_IN)) use(p->value, n->tensor_in[k], at, vs);
    if (forward) return;
    if (!ln_plan_has(n, LN_LOSS)) use(p->gradient, n->tensor_out, at, gs);
    for (size_t k = 0; k < n_inputs; k++)
        if (n->write[k] != LN_SKIP && kind != LN_PHASE_DPARAM) use(p->gradient, n->tensor_in[k], at, gs);
}

/* Does the phase run the layers behind the head too? */
static bool runs_all(const ln_plan *p, const ln_phase *phase) {
    const ln_plan_node *const head = &p->node[p->unit[phase->unit].first];
    return phase->kind == LN_PHASE_BACKWARD ||
           phase->kind == (ln_plan_meets(p, head) ? LN_PHASE_FORWARD_2 : LN_PHASE_FORWARD);
}

static void use_unit(ln_plan *p, const ln_phase *phase, const ln_use *at, size_t *vs, size_t *gs) {
    const ln_unit *const u = &p->unit[phase->unit];
    for (size_t i = u->first; i <= (runs_all(p, phase) ? u->last : u->first); i++) {
        const ln_plan_node *const n = &p->node[i];
        /* In its BACKWARD phase most heads only add up parameter gradients: the input's gradient is DINPUT's. */
        const bool    sums = ln_plan_has(n, LN_HEAD) && !ln_plan_goes_through(n);
        const bool    dparam = i == u->first && phase->kind == LN_PHASE_BACKWARD && sums;
        ln_phase_kind kind = dparam ? LN_PHASE_DPARAM : phase->kind;
        if (i > u->first && kind == LN_PHASE_FORWARD_2) kind = LN_PHASE_FORWARD;
        if (n->runs) use_node(p, n, kind, at, vs, gs);
    }
}

/* What is used in which phase. */
static void use_all(ln_plan *p, size_t *vs, size_t *gs) {
    ln_use at = {0};
    for (at.segment = 0; at.segment < p->n_segments; at.segment++) {
        const ln_segment *const s = &p->segment[at.segment];
        for (size_t k = s->first; k < s->last; k++) {
            const ln_phase *const phase = &p->phase[k];
            advance(p, &at, k);
            if (phase->kind == LN_PHASE_FILL) use(p->value, 0, &at, vs);
            else if (phase->kind != LN_PHASE_REDUCE) use_unit(p, phase, &at, vs, gs);
        }
        for (size_t t = 0; t < p->n_tensors; t++) { /* by parts, threads share every tensor */
            if (s->parts && vs[t] == at.segment && p->value[t].place == LN_PLACE_THREAD)
                p->value[t].place = LN_PLACE_SHARED;
            if (s->parts && gs[t] == at.segment && p->gradient[t].place == LN_PLACE_THREAD)
                p->gradient[t].place = LN_PLACE_SHARED;
        }
    }
}

/* Is every tensor that lives in base's memory an output inside the unit (of all its layers but the last)? */
static bool inside(const ln_plan *p, const ln_slot *tensors, size_t base, const ln_unit *u) {
    for (size_t t = 0; t < p->n_tensors; t++)
        if (tensors[t].base == base && (t < u->first + 1 || t > u->last)) return false;
    return true;
}

/* Where the gradient of a tensor inside a unit is needed, by the head's phases too. */
static ln_place gradient_place(const ln_plan *p, const ln_unit *u, size_t tensor) {
    const ln_plan_node *const head = &p->node[u->first];
    const bool                heads = p->gradient[head->tensor_out].base == tensor; /* the head's own dout */
    if (ln_plan_meets(p, head)) return heads ? p->gradient[tensor].place : LN_PLACE_BAND;
    if (head->policy == LN_POLICY_BATCH) return p->gradient[tensor].place;
    return head->write[0] == LN_SKIP || ln_plan_goes_through(head) ? LN_PLACE_BAND
           : u->parts                                              ? p->gradient[tensor].place
                                                                   : LN_PLACE_BLOCK;
}

/* Tensors that never leave their unit need a band, or a block, of one thread. */
static void narrow_places(ln_plan *p) {
    for (size_t i = 0; i < p->n_units; i++) {
        const ln_unit *const u = &p->unit[i];
        if (!u->per_block) continue;
        for (size_t t = u->first + 1; t <= u->last; t++) {
            ln_slot *const v = &p->value[t], *const g = &p->gradient[t];
            if (v->base == t && inside(p, p->value, t, u)) {
                bool kept = false;
                for (size_t s = t; s <= u->last; s++) kept |= p->value[s].base == t && needed_backward(p, s);
                if (!kept) v->place = LN_PLACE_BAND;
            }
            if (g->base == t && inside(p, p->gradient, t, u) && p->options.training) g->place = gradient_place(p, u, t);
        }
    }
}

static void lives_in_eras(ln_slot *x) {
    if (x->place == LN_PLACE_SHARED) x->first = x->first_era, x->last = x->last_era;
}

static void place_tensors(ln_plan *p) {
    size_t segments[2][LN_MAX_NODES + 2];
    memset(segments, 0xff, sizeof segments); /* of no segment */
    set_halos(p);
    alias_tensors(p);
    use_all(p, segments[0], segments[1]);
    narrow_places(p);
    for (size_t t = 0; t < p->n_tensors; t++) {
        lives_in_eras(&p->value[t]);
        lives_in_eras(&p->gradient[t]);
    }
    for (size_t t = p->model->n_nodes; t < p->n_tensors; t++) { /* output and loss stay readable after the run */
        ln_slot *const out = &p->value[p->value[t].base];
        out->place = LN_PLACE_SHARED;
        out->first = out->first_era;
        out->last = SIZE_MAX;
    }
    for (size_t t = 0; t < p->n_tensors; t++) {
        if (p->options.keep_all && p->value[t].place != LN_PLACE_NONE) {
            p->value[t].place = LN_PLACE_SHARED;
            p->value[t].first = 0, p->value[t].last = SIZE_MAX;
        }
        if (p->options.keep_all && p->gradient[t].place != LN_PLACE_NONE) {
            p->gradient[t].place = LN_PLACE_SHARED;
            p->gradient[t].first = 0, p->gradient[t].last = SIZE_MAX;
        }
        if (!no_halo(&p->value[t])) p->value[t].first = 0, p->value[t].last = SIZE_MAX; /* its border stays zero */
    }
}

/* ------------------------------------------------------------------ bands */

void ln_unit_rows(const ln_plan *p, const ln_unit *u, size_t node, size_t a, size_t b, size_t *lo, size_t *hi) {
    for (size_t i = u->last; i > node; i--) {
        const ln_node *const n = p->node[i].node;
        size_t               ignored;
        if (n->op->window) {
            const bool starts = a == 0, ends = b == n->out.h;
            size_t     low = 0, high = n->in[0].h;
            if (!starts) n->op->window(n, a, a + 1, &low, &ignored);
            if (!ends) n->op->window(n, b, b + 1, &high, &ignored);
            a = starts ? 0 : low;
            b = ends ? n->in[0].h : high;
        }
    }
    *lo = a;
    *hi = b;
}

/* The most channels of the unit that one thread takes. */
static size_t part_channels(const ln_plan *p, const ln_unit *u) {
    const ln_plan_node *const head = &p->node[u->first];
    const size_t              c = p->value[head->tensor_out].shape.c, grain = head->need.grain;
    const bool                shares = u->parts && ln_plan_has(head, LN_HEAD | LN_LOCAL); /* others need all of them */
    const size_t              n = shares ? (size_t)p->n_threads : 1, grains = (c + grain - 1) / grain;
    return ln_least((grains + n - 1) / n * grain, c);
}

/* What lies between the unit's layers is written and read again at once, so a band of it should stay in the first-level
 * cache; and a band should be large, as every one costs a call of each layer. Forward, rows of all channels come first:
 * they read the input's rows once. Backward, channels with all their rows: then the head's parameter gradient is a sum
 * in registers from beginning to end; where even a grain of channels is too large for that, rows of all channels, with
 * the sums kept between bands, unless the sums themselves are too many. A head that meets reads each channel by itself:
 * channels come first, and going back, when it sums, all of their rows. */
static void choose_band(ln_plan *p, ln_unit *u, ln_band *band, bool backward) {
    const ln_plan_node *const head = &p->node[u->first];
    const ln_shape            s = p->value[head->tensor_out].shape;
    const size_t grain = backward ? head->need.sum_grain : head->need.grain, rows = p->node[u->last].node->out.h;
    const size_t row_bytes = s.w * lanes_bytes(p), per_row = (s.h + rows - 1) / rows;
    const size_t channels = part_channels(p, u), map = grain * s.h * row_bytes;
    const size_t limit = p->options.band_bytes, band_bytes = limit ? limit : BAND_BYTES;
    const size_t map_bytes = limit ? limit : MAP_BYTES;
    const bool   meets = ln_plan_meets(p, head);
    *band = (ln_band){rows, channels};
    if (backward && ln_plan_goes_through(head)) {
        const size_t most = limit ? 1 : OWN_BYTES / (3 * map);
        band->channels = most > channels ? channels : most > 1 ? most / 2 * 2 : 1; /* dinput likes them in pairs */
        return;
    }
    if (u->first == u->last || !u->per_block) return;
    if (channels * s.h * row_bytes <= band_bytes) return;
    if ((backward || meets) && map <= map_bytes) {
        band->channels = map_bytes / map * grain;
        return;
    }
    if (backward && (meets || ln_plan_weight_bytes(head) * LN_LANES > SUM_BYTES)) {
        band->channels = grain;
        return;
    }
    if (meets) band->channels = grain;
    band->rows = band_bytes / (band->channels * per_row * row_bytes);
    if (band->rows >= 1) return;
    band->rows = 1;
    if (backward) return;
    band->channels = band_bytes / (grain * per_row * row_bytes) * grain;
    if (band->channels < grain) band->channels = grain;
}

static void prepare(ln_plan *p, const ln_unit *u, ln_plan_node *n, size_t band_rows) {
    n->need = (ln_need){.n_parts = u->parts ? (size_t)p->n_threads : 1,
                        .training = p->options.training,
                        .n_blocks = p->n_blocks,
                        .band_rows = band_rows,
                        .grain = 1,
                        .sum_grain = 1};
    void (*const ask)(const ln_node *, ln_need *) =
        p->options.image && n->kernel->image.run ? n->kernel->image.prepare : n->kernel->prepare;
    if (ask) ask(n->node, &n->need);
}

/* Bytes of the unit's band tensors, whose offsets are set. */
static size_t lay_bands(ln_plan *p, const ln_unit *u, ln_slot *tensors, const ln_band *band) {
    size_t bytes = 0;
    for (size_t t = u->first + 1; t <= u->last; t++) {
        ln_slot *const x = &tensors[t];
        if (x->base != t || (x->place != LN_PLACE_BAND && x->place != LN_PLACE_BLOCK)) continue;
        size_t most = 0;
        for (size_t a = 0; a < p->node[u->last].node->out.h; a += band->rows) {
            size_t lo, hi;
            ln_unit_rows(p, u, t - 1, a, ln_least(a + band->rows, p->node[u->last].node->out.h), &lo, &hi);
            most = ln_most(most, hi - lo);
        }
        x->offset = bytes;
        x->halo = (ln_size2){0, 0};
        bytes += x->place == LN_PLACE_BLOCK ? ln_slot_lanes(x) * ln_slot_unit(p, x)
                                            : band->channels * most * x->shape.w * lanes_bytes(p);
    }
    return bytes;
}

/* Sets where the scratch of a unit's layers lies; returns the bytes of all. */
static size_t lay_scratch(ln_plan *p, const ln_unit *u) {
    const size_t head = ln_plan_round(p->node[u->first].need.scratch);
    size_t       most = 0;
    for (size_t k = u->first + 1; k <= u->last; k++) {
        p->node[k].scratch = head;
        most = ln_most(most, p->node[k].need.scratch);
    }
    return head + ln_plan_round(most);
}

/* Returns the bytes of the largest unit's; *scratch: likewise. */
static size_t plan_bands(ln_plan *p, size_t *scratch) {
    size_t most = 0;
    *scratch = 0;
    for (size_t i = 0; i < p->n_units; i++) {
        ln_unit *const u = &p->unit[i];
        for (size_t k = u->first; k <= u->last; k++) prepare(p, u, &p->node[k], 0);
        choose_band(p, u, &u->forward, false);
        choose_band(p, u, &u->backward, true);
        if (u->backward.rows < p->node[u->last].node->out.h) {
            size_t lo, hi;
            ln_unit_rows(p, u, u->first, 0, u->backward.rows, &lo, &hi);
            prepare(p, u, &p->node[u->first], hi);
        }
        const size_t f = lay_bands(p, u, p->value, &u->forward), b = lay_bands(p, u, p->gradient, &u->backward);
        most = ln_most(most, ln_most(f, b));
        *scratch = ln_most(*scratch, lay_scratch(p, u));
    }
    return most;
}

/* ----------------------------------------------------------------- memory */

/* A piece of memory with a time of use; pieces of one arena whose times do not meet may share bytes. */
typedef struct ln_piece {
    size_t n_bytes, first, last, *offset;
    bool   placed;
} ln_piece;

/* Largest first, each at the lowest place that is free for all of its time. Returns the arena's size. */
static size_t lay_pieces(ln_piece *piece, size_t n) {
    size_t end = 0;
    for (size_t round = 0; round < n; round++) {
        size_t best = n;
        for (size_t i = 0; i < n; i++)
            if (!piece[i].placed && (best == n || piece[i].n_bytes > piece[best].n_bytes)) best = i;
        ln_piece *const a = &piece[best];
        size_t          at = 0;
        for (bool moved = true; moved;) {
            moved = false;
            for (size_t i = 0; i < n; i++) {
                const ln_piece *const b = &piece[i];
                const bool            meets = b->placed && a->first <= b->last && b->first <= a->last;
                if (!meets || at >= *b->offset + b->n_bytes || *b->offset >= at + a->n_bytes) continue;
                at = *b->offset + b->n_bytes;
                moved = true;
            }
        }
        *a->offset = at;
        a->placed = true;
        if (at + a->n_bytes > end) end = at + a->n_bytes;
    }
    return end;
}

static size_t tensor_pieces(const ln_plan *p, ln_slot *tensors, ln_place place, ln_piece *piece, size_t n) {
    const size_t blocks = place == LN_PLACE_SHARED ? p->n_blocks : p->chunk;
    for (size_t t = 0; t < p->n_tensors; t++) {
        ln_slot *const x = &tensors[t];
        if (x->base != t || x->place != place) continue;
        piece[n++] = (ln_piece){ln_plan_round(ln_slot_lanes(x) * ln_slot_unit(p, x)) * blocks, x->first, x->last,
                                &x->offset, false};
    }
    return n;
}

/* From a unit's first phase to its last: where its saved values live, and how long. */
typedef struct ln_life {
    ln_use first, last;
    bool   parts;
} ln_life;

static ln_life life_of(const ln_plan *p, size_t unit) {
    ln_life life = {.first.time = SIZE_MAX};
    ln_use  at = {0};
    for (at.segment = 0; at.segment < p->n_segments; at.segment++)
        for (size_t k = p->segment[at.segment].first; k < p->segment[at.segment].last; k++) {
            const ln_phase_kind kind = p->phase[k].kind;
            advance(p, &at, k);
            if (p->phase[k].unit != unit || kind == LN_PHASE_FILL || kind == LN_PHASE_REDUCE) continue;
            if (life.first.time == SIZE_MAX) life.first = at;
            life.last = at;
            life.parts |= p->segment[at.segment].parts;
        }
    return life;
}

static size_t saved_pieces(const ln_plan *p, ln_place place, ln_piece *piece, size_t n) {
    for (size_t i = 0; i < p->n_units; i++) {
        const ln_life  life = life_of(p, i);
        const bool     shared = p->options.keep_all || life.parts || life.first.segment != life.last.segment;
        const size_t   blocks = shared ? p->n_blocks : p->chunk;
        const ln_piece all = {.first = p->options.keep_all ? 0
                                       : shared            ? life.first.era
                                                           : life.first.time,
                              .last = p->options.keep_all ? SIZE_MAX
                                      : shared            ? life.last.era
                                                          : life.last.time};
        for (size_t k = p->unit[i].first; k <= p->unit[i].last && shared == (place == LN_PLACE_SHARED); k++) {
            ln_plan_node *const x = &p->node[k];
            x->saved_place = place;
            if (x->need.saved == 0) continue;
            piece[n] = all;
            if (x->kernel->settle && p->options.training) piece[n].last = SIZE_MAX; /* settle reads it at the end */
            piece[n].n_bytes = ln_plan_round(x->need.saved) * blocks;
            piece[n++].offset = &x->saved;
        }
    }
    return n;
}

static size_t take(size_t *end, size_t n_bytes) {
    const size_t at = *end;
    *end += ln_plan_round(n_bytes);
    return at;
}

static void lay_parameters(ln_plan *p, size_t *end) {
    for (size_t i = 0; i < p->n_nodes && p->options.training; i++)
        for (size_t k = 0; k < p->node[i].node->n_params; k++)
            p->node[i].gradient[k] = take(end, p->node[i].node->param[k].count * p->element);
    for (size_t i = 0; i < p->n_nodes; i++) {
        ln_plan_node *const n = &p->node[i];
        n->packed = take(end, n->need.n_packed * p->element);
        n->states = *end;
        for (size_t k = 0; k < n->node->n_params && p->options.training; k++) /* side by side */
            take(end, ln_plan_round(n->node->param[k].count * p->element) * ln_plan_states(p, n));
        for (size_t k = 0; k < n->node->n_params && n->policy == LN_POLICY_BLOCK; k++)
            n->partial[k] = take(end, ln_plan_round(n->node->param[k].count * p->element) * p->n_blocks);
        n->parameters = *end;
        for (size_t k = 0; k < ln_node_tensors(n->node) && p->element != sizeof(float); k++)
            take(end, n->node->param[k].count * p->element);
    }
}

static void lay_squares(ln_plan *p, size_t *end) {
    p->n_squares = 0;
    for (size_t i = 0; i < p->n_nodes && p->options.squares; i++)
        for (size_t k = 0; k < p->node[i].node->n_params; k++)
            p->n_squares += ln_squares_of(&p->node[i].node->param[k]);
    p->squares_offset = take(end, 2 * p->n_squares * sizeof(double));
}

static void lay_memory(ln_plan *p, ln_piece *piece) {
    size_t       end = 0, scratch;
    const size_t bands = plan_bands(p, &scratch);
    lay_parameters(p, &end);
    lay_squares(p, &end);
    p->rows_offset = take(&end, p->n_blocks * LN_LANES * sizeof(void *));
    p->label_offset = take(&end, p->n_blocks * LN_LANES * sizeof(int32_t));
    p->image_offset = take(&end, p->n_blocks * LN_LANES * sizeof(uint32_t));
    p->live_offset = take(&end, p->n_blocks * sizeof(uint16_t));
    p->hit_offset = take(&end, p->n_blocks * LN_LANES);
    p->finite_offset = take(&end, p->n_nodes * LN_MAX_PARAMS * sizeof(int));
    for (int place = LN_PLACE_SHARED; place <= LN_PLACE_THREAD; place++) {
        size_t n = tensor_pieces(p, p->value, (ln_place)place, piece, 0);
        if (p->options.training) n = tensor_pieces(p, p->gradient, (ln_place)place, piece, n);
        n = saved_pieces(p, (ln_place)place, piece, n);
        const size_t bytes = lay_pieces(piece, n);
        if (place == LN_PLACE_SHARED) p->shared_offset = take(&end, bytes);
        else p->band_offset = ln_plan_round(bytes);
    }
    p->scratch_offset = p->band_offset + ln_plan_round(bands);
    p->thread_bytes = p->scratch_offset + scratch + 64 * 17; /* threads begin at different cache sets */
    p->threads_offset = end;
    p->n_bytes = end + p->thread_bytes * (size_t)p->n_threads;
}

/* All that is summed above stays below SIZE_MAX when no tensor, its border included, is larger than TENSOR_BYTES:
 * what a plan says it takes must not have wrapped round. */
static ln_status check_sizes(const ln_plan *p, ln_error *error) {
    for (size_t t = 0; t < p->n_tensors; t++) {
        const ln_slot *const x = &p->value[p->value[t].base];
        if (ln_slot_lanes(x) <= TENSOR_BYTES / (ln_slot_unit(p, x) * p->n_blocks)) continue;
        return ln_fail_node(
            error, LN_E_MEMORY, p->node[t > 0 ? t - 1 : 0].node,
            "its %s, with the padding that is read round it, takes more than 2^52 bytes for %zu images; "
            "make the batch, the layers or the padding smaller",
            t > 0 ? "output" : "input", p->options.batch);
    }
    return LN_OK;
}

ln_status ln_plan_place(ln_plan *p, ln_error *error) {
    const size_t    n_bytes = sizeof(ln_piece) * (3 * p->n_tensors + p->n_nodes);
    ln_piece *const piece = ln_allocate(p->context, n_bytes);
    if (!piece) return ln_fail_memory(error, "plan", n_bytes);
    place_tensors(p);
    const ln_status fits = check_sizes(p, error);
    if (fits != LN_OK) {
        ln_release(p->context, piece);
        return fits;
    }
    lay_memory(p, piece);
    ln_release(p->context, piece);
    return LN_OK;
}
