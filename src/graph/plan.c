/* Planning, in this order: nodes, units, threads, policies, phases, tensors, bands, memory. See plan.h. */
#include "graph/plan.h"

#include "graph/run.h"

#include <string.h>

enum {
    SHARE_POSITIONS = 16,            /* fewer output positions than this: weights are worth sharing among blocks */
    BAND_BYTES = 24 << 10,           /* what lies between the layers of a unit should sit in the first-level cache */
    SUM_BYTES = 64 << 10,            /* a head's sums over lanes, kept from band to band */
    BIG_WEIGHTS = 1 << 20,           /* bytes of weights that only one thread should read */
    PARTIAL_BYTES = 1 << 20,         /* at most this for a layer's partial gradients */
    THREAD_MACS = 3 << 20            /* a thread for less work than this costs more than it brings */
};

static bool has(const ln_plan_node *n, unsigned traits) { return (n->node->op->traits & traits) != 0; }
static size_t round_up(size_t n) { return (n + 63) & ~(size_t)63; }
static size_t lanes_bytes(const ln_plan *p) { return LN_LANES * p->element; }
static size_t unit_bytes(const ln_plan *p, const ln_slot *x) { return x->planar ? p->element : lanes_bytes(p); }

/* ------------------------------------------------------------------ nodes */

static const ln_kernel *kernel_of(const ln_plan *p, const ln_op *op) {
    for (size_t i = 0; i < LN_OP_COUNT; i++)
        if (ln_ops[i] == op) return p->options.kernels->op[i];
    return op->kernel ? op->kernel(p->options.kernels->isa) : NULL;
}

/* Why node cannot be run, or NULL. */
static const char *refusal(const ln_plan *p, const ln_plan_node *n) {
    if (!n->kernel) return "it has no kernel for this instruction set";
    const char *const reason = n->kernel->refuse ? n->kernel->refuse(n->node) : NULL;
    if (reason || !p->options.image) return reason;
    if (n->kernel->image.run) return n->kernel->image.refuse ? n->kernel->image.refuse(n->node) : NULL;
    bool planar = false;
    for (size_t k = 0; k < n->node->n_inputs; k++) planar |= n->tensor_in[k] == 0;
    return planar || n->node->n_params > 0 || !has(n, LN_LOCAL) ? "it has no kernel for one image at a time" : NULL;
}

static ln_status collect(ln_plan *p, ln_error *error) {
    for (size_t i = 0; i < p->n_nodes; i++) {
        ln_plan_node *const n = &p->node[i];
        n->node = i < p->model->n_nodes ? p->model->node[i] : &p->model->loss;
        n->kernel = kernel_of(p, n->node->op);
        n->runs = true;
        n->tensor_out = i + 1;
        for (size_t k = 0; k < n->node->n_inputs; k++) n->tensor_in[k] = (size_t)(n->node->input[k] + 1);
        const char *const reason = refusal(p, n);
        if (reason) return ln_fail_node(error, LN_E_UNSUPPORTED, n->node, "cannot be run: %s", reason);
    }
    for (size_t t = 0; t < p->n_tensors; t++) {
        ln_shape shape = t == 0 ? p->model->input : p->node[t - 1].node->out;
        if (p->options.image && t > 0) shape.c = (shape.c + LN_LANES - 1) / LN_LANES;
        p->value[t] = (ln_slot){.shape = shape, .base = t, .planar = p->options.image && t == 0};
        p->gradient[t] = (ln_slot){.shape = shape, .base = t};
    }
    return LN_OK;
}

static size_t consumers(const ln_plan *p, size_t tensor) {
    size_t n = 0;
    for (size_t i = 0; i < p->n_nodes; i++)
        for (size_t k = 0; k < p->node[i].node->n_inputs; k++) n += p->node[i].tensor_in[k] == tensor;
    return n;
}

/* ------------------------------------------------------------------ units */

/* Windows of successive rows lie side by side, without overlap or gap: bands need nothing from each other. */
static bool rows_part(const ln_node *node) {
    if (!node->op->window) return true;
    size_t end = 0;
    for (size_t h = 0; h < node->out.h; h++) {
        size_t lo, hi;
        node->op->window(node, h, h + 1, &lo, &hi);
        if (lo != end) return false;
        end = hi;
    }
    return true;
}

static void form_units(ln_plan *p) {
    for (size_t i = 0; i < p->n_nodes;) {
        ln_unit *const u = &p->unit[p->n_units++];
        const ln_shape s = p->node[i].node->out;
        u->first = i;
        u->per_block = s.h * s.w >= SHARE_POSITIONS;
        for (i++; i < p->n_nodes && i < u->first + LN_MAX_UNIT && !p->options.keep_all; i++) {
            const ln_plan_node *const n = &p->node[i];
            if (!has(&p->node[u->first], LN_HEAD) || !has(n, LN_LOCAL) || has(n, LN_LOSS) || n->tensor_in[0] != i ||
                consumers(p, i) != 1 || !rows_part(n->node))
                break;
        }
        u->last = i - 1;
    }
}

/* ---------------------------------------------------------------- threads */

static size_t weight_bytes(const ln_plan_node *n) {
    size_t count = 0;
    for (size_t k = 0; k < n->node->n_params; k++) count += n->node->param[k].count;
    return count * sizeof(float);
}

/* By blocks where they share out evenly among the threads, by parts elsewhere and for large weights. */
static void choose_threads(ln_plan *p) {
    uint64_t macs = 0;
    for (size_t i = 0; i < p->n_nodes; i++) macs += p->node[i].node->n_macs;
    const uint64_t work = macs * (p->options.image ? 1 : LN_LANES) * p->n_blocks * (p->options.training ? 3 : 1) / THREAD_MACS;
    const size_t   most = work < 1 ? 1 : work < 1024 ? (size_t)work : 1024;
    const size_t   asked = (size_t)p->options.n_threads;
    p->n_threads = (int)(asked < most ? asked : most);
    const size_t n = (size_t)p->n_threads, each = (p->n_blocks + n - 1) / n;
    const bool   uneven = each * n * 5 > p->n_blocks * 6; /* more than a fifth of the time would be spent waiting */
    bool         convolves = false;
    for (size_t i = 0; i < p->n_units; i++) {
        ln_unit *const u = &p->unit[i];
        const bool big = has(&p->node[u->first], LN_HEAD) && weight_bytes(&p->node[u->first]) > BIG_WEIGHTS;
        u->parts = n > 1 && (uneven || big);
        convolves |= u->per_block && has(&p->node[u->first], LN_HEAD);
    }
    const size_t most_chunk = convolves ? 2 : 4, n_chunks = (each + most_chunk - 1) / most_chunk;
    p->chunk = p->options.keep_all ? p->n_blocks : (each + n_chunks - 1) / n_chunks;
}

/* --------------------------------------------------------------- policies */

static void choose_policies(ln_plan *p) {
    for (size_t i = 0; i < p->n_nodes; i++) {
        ln_plan_node *const n = &p->node[i];
        const ln_shape      s = n->node->out;
        if (!p->options.training || n->node->n_params == 0)
            n->policy = LN_POLICY_NONE;
        else if (has(n, LN_CROSS_BATCH))
            n->policy = LN_POLICY_MEET;
        else if (s.h * s.w < SHARE_POSITIONS || weight_bytes(n) * p->n_blocks > PARTIAL_BYTES)
            n->policy = LN_POLICY_BATCH;
        else
            n->policy = LN_POLICY_BLOCK;
    }
}

/* Which tensors need a gradient, and who writes it first. */
static void choose_writes(ln_plan *p) {
    p->gradient[0].used = p->options.input_gradient;
    for (size_t i = 0; i < p->n_nodes; i++) {
        const ln_plan_node *const n = &p->node[i];
        bool needed = n->node->n_params > 0;
        for (size_t k = 0; k < n->node->n_inputs; k++) needed |= p->gradient[n->tensor_in[k]].used;
        p->gradient[n->tensor_out].used = needed;
    }
    for (size_t i = p->n_nodes; i-- > 0;)
        for (size_t k = p->node[i].node->n_inputs; k-- > 0;) {
            ln_plan_node *const n = &p->node[i];
            ln_slot *const    g = &p->gradient[n->tensor_in[k]];
            n->write[k] = !g->used ? LN_SKIP : g->last ? LN_ADD : LN_SET;
            g->last = 1; /* written once: the next one adds */
        }
    for (size_t t = 0; t < p->n_tensors; t++) p->gradient[t].last = 0;
    /* With x + x the second write of the same op must add to the first. */
    for (size_t i = 0; i < p->n_nodes; i++) {
        ln_plan_node *const n = &p->node[i];
        if (n->node->n_inputs == 2 && n->tensor_in[0] == n->tensor_in[1] && n->write[1] == LN_SET) {
            n->write[0] = LN_SET;
            n->write[1] = LN_ADD;
        }
    }
}

/* ----------------------------------------------------------------- phases */

static void add_phase(ln_plan *p, ln_phase_kind kind, size_t unit) {
    p->phase[p->n_phases++] = (ln_phase){kind, unit, p->unit[unit].per_block};
    p->segment[p->n_segments - 1].last = p->n_phases;
}

static void begin_segment(ln_plan *p, bool parts, bool meets) {
    if (p->n_segments > 0 && p->segment[p->n_segments - 1].first == p->n_phases) p->n_segments--;
    p->segment[p->n_segments++] = (ln_segment){p->n_phases, p->n_phases, parts, meets};
}

/* Continues the segment if it is of the same manner. */
static void want_segment(ln_plan *p, bool parts) {
    if (p->n_segments == 0 || p->segment[p->n_segments - 1].parts != parts) begin_segment(p, parts, parts);
}

static void forward_phases(ln_plan *p, size_t unit) {
    const ln_plan_node *const head = &p->node[p->unit[unit].first];
    want_segment(p, p->unit[unit].parts);
    if (has(head, LN_CROSS_BATCH)) {
        if (p->options.training) {
            add_phase(p, LN_PHASE_FORWARD, unit);
            begin_segment(p, true, true);
            add_phase(p, LN_PHASE_MEET_FORWARD, unit);
            begin_segment(p, p->unit[unit].parts, p->unit[unit].parts);
        }
        add_phase(p, LN_PHASE_FORWARD_2, unit);
    } else
        add_phase(p, LN_PHASE_FORWARD, unit);
}

static void backward_phases(ln_plan *p, size_t unit) {
    const ln_unit *const      u = &p->unit[unit];
    const ln_plan_node *const head = &p->node[u->first];
    bool wanted = head->policy != LN_POLICY_NONE;
    for (size_t k = 0; k < head->node->n_inputs; k++) wanted |= head->write[k] != LN_SKIP;
    if (!wanted) return;
    want_segment(p, u->parts);
    if (!has(head, LN_HEAD) || u->last > u->first || head->policy == LN_POLICY_BLOCK) add_phase(p, LN_PHASE_BACKWARD, unit);
    if (has(head, LN_CROSS_BATCH)) {
        begin_segment(p, true, true);
        add_phase(p, LN_PHASE_MEET_BACKWARD, unit);
        begin_segment(p, u->parts, u->parts);
        add_phase(p, LN_PHASE_BACKWARD_2, unit);
    } else if (has(head, LN_HEAD) && head->write[0] != LN_SKIP)
        add_phase(p, LN_PHASE_DINPUT, unit);
}

static void make_phases(ln_plan *p) {
    begin_segment(p, p->unit[0].parts, p->unit[0].parts);
    add_phase(p, LN_PHASE_FILL, 0);
    for (size_t u = 0; u < p->n_units; u++) forward_phases(p, u);
    if (!p->options.training) return;
    for (size_t u = p->n_units; u-- > 0;) backward_phases(p, u);
    begin_segment(p, true, false);
    for (size_t u = 0; u < p->n_units; u++)
        if (p->node[p->unit[u].first].policy == LN_POLICY_BATCH)
            add_phase(p, LN_PHASE_DPARAM, u);
        else if (p->node[p->unit[u].first].policy != LN_POLICY_NONE)
            add_phase(p, LN_PHASE_REDUCE, u);
}

/* ---------------------------------------------------------------- aliases */

static bool needed_backward(const ln_plan *p, size_t tensor) {
    if (!p->options.training) return false;
    if (tensor > 0 && has(&p->node[tensor - 1], LN_NEEDS_OUT)) return true;
    for (size_t i = 0; i < p->n_nodes; i++)
        for (size_t k = 0; k < p->node[i].node->n_inputs; k++)
            if (p->node[i].tensor_in[k] == tensor && has(&p->node[i], LN_NEEDS_IN)) return true;
    return false;
}

/* The same of any tensor that lives in this one's memory: what an in-place layer may not write over. */
static bool memory_needed_backward(const ln_plan *p, size_t tensor) {
    bool needed = false;
    for (size_t t = 0; t < p->n_tensors; t++) needed |= p->value[t].base == p->value[tensor].base && needed_backward(p, t);
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

/* May node's output live in its input's memory? */
static bool may_alias(const ln_plan *p, const ln_plan_node *n, const ln_slot *tensors) {
    const size_t in = n->tensor_in[0], out = n->tensor_out;
    if (p->options.keep_all || consumers(p, in) != 1) return false;
    if (has(n, LN_VIEW) && p->options.image) return false; /* channels change their places among the lanes */
    if (has(n, LN_VIEW)) return no_halo(&tensors[tensors[in].base]) && no_halo(&tensors[tensors[out].base]);
    return has(n, LN_IN_PLACE) && n->node->n_inputs == 1;
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
        const bool          free_to = has(n, LN_VIEW) || (in > 0 && !memory_needed_backward(p, in));
        if (!may_alias(p, n, p->value) || !free_to) continue;
        merge(p->value, n->tensor_out, in);
        n->runs = !has(n, LN_VIEW);
    }
    for (size_t i = p->n_nodes; i-- > 0;) {
        const ln_plan_node *const n = &p->node[i];
        if (!p->options.training || !p->gradient[n->tensor_in[0]].used || !may_alias(p, n, p->gradient)) continue;
        if (has(n, LN_VIEW) && n->runs) continue; /* both or neither */
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
typedef struct ln_use { size_t time, era, segment; } ln_use;

/* Moves on to phase k of the segment. */
static void advance(const ln_plan *p, ln_use *at, size_t k) {
    const ln_segment *const s = &p->segment[at->segment];
    if (s->parts || k == s->first || !p->phase[k].per_block || !p->phase[k - 1].per_block) at->time++;
    if (k == s->first || s->meets) at->era++;
}

static void use(ln_slot *tensors, size_t tensor, const ln_use *at, size_t *segments) {
    const size_t     base = tensors[tensor].base;
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
    const bool   forward = kind == LN_PHASE_FORWARD || kind == LN_PHASE_FORWARD_2 || kind == LN_PHASE_MEET_FORWARD;
    const size_t n_inputs = n->node->n_inputs;
    if (forward || has(n, LN_NEEDS_OUT)) use(p->value, n->tensor_out, at, vs);
    for (size_t k = 0; k < n_inputs; k++)
        if (forward || has(n, LN_NEEDS_IN)) use(p->value, n->tensor_in[k], at, vs);
    if (forward) return;
    if (!has(n, LN_LOSS)) use(p->gradient, n->tensor_out, at, gs);
    for (size_t k = 0; k < n_inputs; k++)
        if (n->write[k] != LN_SKIP && kind != LN_PHASE_DPARAM) use(p->gradient, n->tensor_in[k], at, gs);
}

static void use_unit(ln_plan *p, const ln_phase *phase, const ln_use *at, size_t *vs, size_t *gs) {
    const ln_unit *const u = &p->unit[phase->unit];
    const bool head_only = phase->kind != LN_PHASE_FORWARD && phase->kind != LN_PHASE_BACKWARD;
    for (size_t i = u->first; i <= (head_only ? u->first : u->last); i++) {
        /* In its BACKWARD phase a head only adds up parameter gradients: its input's gradient is DINPUT's. */
        const bool dparam = i == u->first && phase->kind == LN_PHASE_BACKWARD && has(&p->node[i], LN_HEAD);
        if (p->node[i].runs) use_node(p, &p->node[i], dparam ? LN_PHASE_DPARAM : phase->kind, at, vs, gs);
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
            if (phase->kind == LN_PHASE_FILL)
                use(p->value, 0, &at, vs);
            else if (phase->kind != LN_PHASE_REDUCE)
                use_unit(p, phase, &at, vs, gs);
        }
        for (size_t t = 0; t < p->n_tensors; t++) { /* by parts, threads share every tensor */
            if (s->parts && vs[t] == at.segment && p->value[t].place == LN_PLACE_THREAD) p->value[t].place = LN_PLACE_SHARED;
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

/* Tensors that never leave their unit need a band, or a block, of one thread. */
static void narrow_places(ln_plan *p) {
    for (size_t i = 0; i < p->n_units; i++) {
        const ln_unit *const      u = &p->unit[i];
        const ln_plan_node *const head = &p->node[u->first];
        if (!u->per_block) continue;
        for (size_t t = u->first + 1; t <= u->last; t++) {
            ln_slot *const v = &p->value[t], *const g = &p->gradient[t];
            if (v->base == t && inside(p, p->value, t, u)) {
                bool kept = false;
                for (size_t s = t; s <= u->last; s++) kept |= p->value[s].base == t && needed_backward(p, s);
                if (!kept) v->place = LN_PLACE_BAND;
            }
            if (g->base == t && inside(p, p->gradient, t, u) && head->policy != LN_POLICY_BATCH && p->options.training)
                g->place = head->write[0] == LN_SKIP ? LN_PLACE_BAND : u->parts ? g->place : LN_PLACE_BLOCK;
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

static void choose_band(ln_plan *p, ln_unit *u, ln_band *band, bool backward) {
    const ln_plan_node *const head = &p->node[u->first];
    const ln_shape            s = p->value[head->tensor_out].shape;
    const size_t grain = backward ? head->need.sum_grain : head->need.grain, rows = p->node[u->last].node->out.h;
    const size_t row_bytes = s.w * lanes_bytes(p), per_row = (s.h + rows - 1) / rows;
    *band = (ln_band){rows, s.c, true};
    if (u->first == u->last || !u->per_block) return;
    if (s.c * s.h * row_bytes <= BAND_BYTES) return;
    band->whole = false;
    if (backward && grain * s.h * row_bytes <= BAND_BYTES * 4 / 3) { /* whole rows: parameter gradients in one go */
        band->channels = BAND_BYTES * 4 / 3 / (grain * s.h * row_bytes) * grain;
        return;
    }
    if (backward && weight_bytes(head) * LN_LANES > SUM_BYTES) { /* its sums would not stay in the cache between bands */
        band->channels = grain;
        return;
    }
    band->rows = BAND_BYTES / (s.c * per_row * row_bytes);
    if (band->rows >= 1) return;
    band->rows = 1;
    if (backward) return;
    band->channels = BAND_BYTES / (grain * per_row * row_bytes) * grain;
    if (band->channels < grain) band->channels = grain;
}

static void prepare(ln_plan *p, const ln_unit *u, ln_plan_node *n, size_t band_rows) {
    n->need = (ln_need){.n_parts = u->parts ? (size_t)p->n_threads : 1, .training = p->options.training,
                        .n_blocks = p->n_blocks, .band_rows = band_rows, .grain = 1, .sum_grain = 1};
    void (*const ask)(const ln_node *, ln_need *) = p->options.image && n->kernel->image.run ? n->kernel->image.prepare : n->kernel->prepare;
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
            size_t lo, hi, b = a + band->rows;
            if (b > p->node[u->last].node->out.h) b = p->node[u->last].node->out.h;
            ln_unit_rows(p, u, t - 1, a, b, &lo, &hi);
            if (hi - lo > most) most = hi - lo;
        }
        x->offset = bytes;
        x->halo = (ln_size2){0, 0};
        bytes += x->place == LN_PLACE_BLOCK ? ln_slot_lanes(x) * unit_bytes(p, x)
                                            : band->channels * most * x->shape.w * lanes_bytes(p);
    }
    return bytes;
}

static size_t plan_bands(ln_plan *p) {
    size_t most = 0;
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
        if (f > most) most = f;
        if (b > most) most = b;
    }
    return most;
}

/* ----------------------------------------------------------------- memory */

/* A piece of memory with a time of use; pieces of one arena whose times do not meet may share bytes. */
typedef struct ln_piece { size_t n_bytes, first, last, *offset; bool placed; } ln_piece;

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
                const bool meets = b->placed && a->first <= b->last && b->first <= a->last;
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
        piece[n++] = (ln_piece){round_up(ln_slot_lanes(x) * unit_bytes(p, x)) * blocks, x->first, x->last, &x->offset, false};
    }
    return n;
}

/* From a unit's first phase to its last: where its saved values live, and how long. */
typedef struct ln_life { ln_use first, last; bool parts; } ln_life;

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
        const ln_piece all = {.first = p->options.keep_all ? 0 : shared ? life.first.era : life.first.time,
                              .last = p->options.keep_all ? SIZE_MAX : shared ? life.last.era : life.last.time};
        for (size_t k = p->unit[i].first; k <= p->unit[i].last && shared == (place == LN_PLACE_SHARED); k++) {
            ln_plan_node *const x = &p->node[k];
            x->saved_place = place;
            if (x->need.saved == 0) continue;
            piece[n] = all;
            piece[n].n_bytes = round_up(x->need.saved) * blocks;
            piece[n++].offset = &x->saved;
        }
    }
    return n;
}

static size_t take(size_t *end, size_t n_bytes) {
    const size_t at = *end;
    *end += round_up(n_bytes);
    return at;
}

static void lay_parameters(ln_plan *p, size_t *end) {
    p->gradient_offset = *end;
    for (size_t i = 0; i < p->n_nodes && p->options.training; i++)
        for (size_t k = 0; k < p->node[i].node->n_params; k++)
            p->node[i].gradient[k] = take(end, p->node[i].node->param[k].count * p->element);
    p->gradient_bytes = *end - p->gradient_offset;
    for (size_t i = 0; i < p->n_nodes; i++) {
        ln_plan_node *const n = &p->node[i];
        n->packed = take(end, n->need.n_packed * p->element);
        n->states = *end;
        for (size_t k = 0; k < n->node->n_params && p->options.training; k++) /* side by side */
            take(end, round_up(n->node->param[k].count * p->element) * p->options.n_states);
        for (size_t k = 0; k < n->node->n_params && n->policy == LN_POLICY_BLOCK; k++)
            n->partial[k] = take(end, round_up(n->node->param[k].count * p->element) * p->n_blocks);
        n->parameters = *end;
        for (size_t k = 0; k < n->node->n_params && p->element != sizeof(float); k++)
            take(end, n->node->param[k].count * p->element);
    }
}

static void lay_memory(ln_plan *p, ln_piece *piece) {
    size_t end = 0, scratch = 0;
    const size_t bands = plan_bands(p);
    for (size_t i = 0; i < p->n_nodes; i++)
        if (p->node[i].need.scratch > scratch) scratch = p->node[i].need.scratch;
    lay_parameters(p, &end);
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
        if (place == LN_PLACE_SHARED)
            p->shared_offset = take(&end, bytes);
        else
            p->band_offset = round_up(bytes);
    }
    p->scratch_offset = p->band_offset + round_up(bands);
    p->thread_bytes = p->scratch_offset + round_up(scratch) + 64 * 17; /* threads begin at different cache sets */
    p->threads_offset = end;
    p->n_bytes = end + p->thread_bytes * (size_t)p->n_threads;
}

/* -------------------------------------------------------------- the plan */

static ln_status lay_out(ln_plan *p, ln_error *error) {
    ln_piece *const piece = ln_allocate(p->context, sizeof *piece * (3 * p->n_tensors + p->n_nodes));
    if (!piece) return ln_fail_memory(error, "plan", sizeof *piece * 3 * p->n_tensors);
    form_units(p);
    choose_threads(p);
    choose_policies(p);
    choose_writes(p);
    make_phases(p);
    place_tensors(p);
    lay_memory(p, piece);
    ln_release(p->context, piece);
    return LN_OK;
}

static ln_status make(ln_model *model, const ln_plan_options *options, ln_plan **plan, ln_error *error) {
    const ln_status finished = ln_model_finish(model, error);
    if (finished != LN_OK) return finished;
    if (model->n_nodes > LN_MAX_NODES)
        return ln_fail(error, LN_E_UNSUPPORTED, "model: %zu layers are more than the %d a plan can hold", model->n_nodes, LN_MAX_NODES);
    const size_t n = model->n_nodes + (options->training || options->loss ? 1 : 0);
    const size_t n_bytes = sizeof(ln_plan) + n * (sizeof(ln_plan_node) + sizeof(ln_unit)) +
                           (n + 1) * 2 * sizeof(ln_slot) + (8 * n + 2) * (sizeof(ln_phase) + sizeof(ln_segment));
    ln_plan *const p = ln_allocate_zeroed(model->context, n_bytes);
    if (!p) return ln_fail_memory(error, "plan", n_bytes);
    *p = (ln_plan){.context = model->context, .model = model, .options = *options, .element = options->kernels->element,
                   .n_blocks = options->image ? options->batch : (options->batch + LN_LANES - 1) / LN_LANES, .n_nodes = n, .n_tensors = n + 1};
    p->node = (ln_plan_node *)(void *)(p + 1);
    p->unit = (ln_unit *)(void *)(p->node + n);
    p->value = (ln_slot *)(void *)(p->unit + n);
    p->gradient = p->value + n + 1;
    p->phase = (ln_phase *)(void *)(p->gradient + n + 1);
    p->segment = (ln_segment *)(void *)(p->phase + 8 * n + 2);
    ln_status status = collect(p, error);
    if (status == LN_OK) status = lay_out(p, error);
    if (status == LN_OK)
        *plan = p;
    else
        ln_release(model->context, p);
    return status;
}

ln_status ln_plan_measure(ln_model *model, const ln_plan_options *options, size_t *n_bytes, ln_error *error) {
    ln_plan        *p;
    const ln_status status = make(model, options, &p, error);
    if (status != LN_OK) return status;
    *n_bytes = p->n_bytes;
    ln_release(model->context, p);
    return LN_OK;
}

ln_status ln_plan_new(ln_model *model, const ln_plan_options *options, ln_plan **plan, ln_error *error) {
    ln_plan        *p;
    const ln_status status = make(model, options, &p, error);
    if (status != LN_OK) return status;
    p->arena = ln_allocate_zeroed(model->context, p->n_bytes);
    if (!p->arena) {
        const size_t n_bytes = p->n_bytes;
        ln_plan_free(p);
        return ln_fail_memory(error, "plan", n_bytes);
    }
    ln_run_load_parameters(p);
    *plan = p;
    return LN_OK;
}

void ln_plan_free(ln_plan *plan) {
    if (!plan) return;
    ln_release(plan->context, plan->arena);
    ln_release(plan->context, plan);
}
