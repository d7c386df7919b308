/* Planning, in this order: nodes, units, threads, policies, phases; then place.c finds room for it all. See plan.h. */
#include "graph/place.h"

#include "graph/run.h"

#include <string.h>

enum {
    SHARE_POSITIONS = 16,    /* fewer output positions than this: weights are worth sharing among blocks */
    BIG_WEIGHTS = 1 << 20,   /* bytes of weights that only one thread should read */
    PARTIAL_BYTES = 1 << 20, /* at most this for a layer's partial gradients */
    THREAD_MACS = 3 << 20    /* a thread for less work than this costs more than it brings */
};

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
    return planar || n->node->n_params > 0 || !ln_plan_has(n, LN_LOCAL) ? "it has no kernel for one image at a time"
                                                                        : NULL;
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
        if (p->options.image && t > 0) shape.c = ln_channel_groups(shape.c);
        p->value[t] = (ln_slot){.shape = shape, .base = t, .planar = p->options.image && t == 0};
        p->gradient[t] = (ln_slot){.shape = shape, .base = t};
    }
    return LN_OK;
}

size_t ln_plan_consumers(const ln_plan *p, size_t tensor) {
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

/* May others run behind it? */
static bool leads(const ln_plan *p, const ln_plan_node *n) {
    return ln_plan_has(n, LN_HEAD) || (ln_plan_meets(p, n) && ln_plan_has(n, LN_LOCAL));
}

/* May node i run behind node i - 1 in its unit? */
static bool follows(const ln_plan *p, size_t i) {
    const ln_plan_node *const n = &p->node[i];
    return ln_plan_has(n, LN_LOCAL) && !ln_plan_has(n, LN_LOSS) && !ln_plan_meets(p, n) && n->tensor_in[0] == i &&
           ln_plan_consumers(p, i) == 1 && rows_part(n->node);
}

static void form_units(ln_plan *p) {
    for (size_t i = 0; i < p->n_nodes;) {
        ln_unit *const u = &p->unit[p->n_units++];
        const ln_shape s = p->node[i].node->out;
        const bool     alone = p->options.keep_all || !leads(p, &p->node[i]);
        u->first = i;
        u->per_block = s.h * s.w >= SHARE_POSITIONS;
        for (i++; i < p->n_nodes && i < u->first + LN_MAX_UNIT && !alone && follows(p, i);) i++;
        u->last = i - 1;
    }
}

/* ---------------------------------------------------------------- threads */

size_t ln_plan_weight_bytes(const ln_plan_node *n) {
    size_t count = 0;
    for (size_t k = 0; k < n->node->n_params; k++) count += n->node->param[k].count;
    return count * sizeof(float);
}

/* By blocks where they share out evenly among the threads, by parts elsewhere and for large weights. */
static void choose_threads(ln_plan *p) {
    uint64_t macs = 0;
    for (size_t i = 0; i < p->n_nodes; i++) macs += p->node[i].node->n_macs;
    const uint64_t work =
        macs * (p->options.image ? 1 : LN_LANES) * p->n_blocks * (p->options.training ? 3 : 1) / THREAD_MACS;
    const size_t most = work < 1 ? 1 : work < 1024 ? (size_t)work : 1024;
    const size_t asked = (size_t)p->options.n_threads;
    p->n_threads = (int)(asked < most ? asked : most);
    const size_t n = (size_t)p->n_threads, each = (p->n_blocks + n - 1) / n;
    const bool   uneven = each * n * 5 > p->n_blocks * 6; /* more than a fifth of the time would be spent waiting */
    bool         convolves = false, heavy = false;        /* heavy: has weights that each chunk fetches from afar */
    for (size_t i = 0; i < p->n_units; i++) {
        ln_unit *const u = &p->unit[i];
        const bool     big =
            ln_plan_has(&p->node[u->first], LN_HEAD) && ln_plan_weight_bytes(&p->node[u->first]) > BIG_WEIGHTS;
        u->parts = n > 1 && (uneven || big);
        convolves |= u->per_block && ln_plan_has(&p->node[u->first], LN_HEAD);
        heavy |= big && !u->parts && !u->per_block;
    }
    const size_t most_chunk = !convolves ? 4 : heavy ? 2 : 1, n_chunks = (each + most_chunk - 1) / most_chunk;
    p->chunk = p->options.keep_all ? p->n_blocks : (each + n_chunks - 1) / n_chunks;
}

/* --------------------------------------------------------------- policies */

static void choose_policies(ln_plan *p) {
    for (size_t i = 0; i < p->n_nodes; i++) {
        ln_plan_node *const n = &p->node[i];
        const ln_shape      s = n->node->out;
        if (!p->options.training || n->node->n_params == 0 || n->node->learning.frozen) n->policy = LN_POLICY_NONE;
        else if (ln_plan_has(n, LN_CROSS_BATCH)) n->policy = LN_POLICY_MEET;
        else if (!ln_plan_has(n, LN_HEAD) || s.h * s.w < SHARE_POSITIONS ||
                 ln_plan_weight_bytes(n) * p->n_blocks > PARTIAL_BYTES)
            n->policy = LN_POLICY_BATCH;
        else n->policy = LN_POLICY_BLOCK;
    }
}

/* Which tensors need a gradient, and who writes it first. */
static void choose_writes(ln_plan *p) {
    p->gradient[0].used = p->options.input_gradient;
    for (size_t i = 0; i < p->n_nodes; i++) {
        const ln_plan_node *const n = &p->node[i];
        bool                      needed = n->node->n_params > 0 && !n->node->learning.frozen;
        for (size_t k = 0; k < n->node->n_inputs; k++) needed |= p->gradient[n->tensor_in[k]].used;
        p->gradient[n->tensor_out].used = needed;
    }
    for (size_t i = p->n_nodes; i-- > 0;) /* inputs as kernels take them: of x + x the first sets, the second adds */
        for (size_t k = 0; k < p->node[i].node->n_inputs; k++) {
            ln_plan_node *const n = &p->node[i];
            ln_slot *const      g = &p->gradient[n->tensor_in[k]];
            n->write[k] = !g->used ? LN_SKIP : g->written ? LN_ADD : LN_SET;
            g->written = true;
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
    add_phase(p, LN_PHASE_FORWARD, unit);
    if (!ln_plan_meets(p, head)) return;
    begin_segment(p, true, true);
    add_phase(p, LN_PHASE_MEET_FORWARD, unit);
    begin_segment(p, p->unit[unit].parts, p->unit[unit].parts);
    add_phase(p, LN_PHASE_FORWARD_2, unit);
}

static void backward_phases(ln_plan *p, size_t unit) {
    const ln_unit *const      u = &p->unit[unit];
    const ln_plan_node *const head = &p->node[u->first];
    bool                      wanted = head->policy != LN_POLICY_NONE;
    for (size_t i = u->first; i <= u->last; i++) /* behind a head that learns nothing, a join has another input */
        for (size_t k = 0; k < p->node[i].node->n_inputs; k++) wanted |= p->node[i].write[k] != LN_SKIP;
    if (!wanted) return;
    want_segment(p, u->parts);
    if (!ln_plan_has(head, LN_HEAD) || u->last > u->first || head->policy == LN_POLICY_BLOCK)
        add_phase(p, LN_PHASE_BACKWARD, unit);
    if (ln_plan_meets(p, head)) {
        begin_segment(p, true, true);
        add_phase(p, LN_PHASE_MEET_BACKWARD, unit);
        begin_segment(p, u->parts, u->parts);
        add_phase(p, LN_PHASE_BACKWARD_2, unit);
    } else if (ln_plan_has(head, LN_HEAD) && head->write[0] != LN_SKIP && !ln_plan_goes_through(head))
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
        if (p->node[p->unit[u].first].policy == LN_POLICY_BATCH) add_phase(p, LN_PHASE_DPARAM, u);
        else if (p->node[p->unit[u].first].policy != LN_POLICY_NONE) add_phase(p, LN_PHASE_REDUCE, u);
}

/* -------------------------------------------------------------- the plan */

static ln_status lay_out(ln_plan *p, ln_error *error) {
    form_units(p);
    choose_threads(p);
    choose_policies(p);
    choose_writes(p);
    make_phases(p);
    return ln_plan_place(p, error);
}

static ln_status make(ln_model *model, const ln_plan_options *options, ln_plan **plan, ln_error *error) {
    const ln_status finished = ln_model_finish(model, error);
    if (finished != LN_OK) return finished;
    const size_t n = model->n_nodes + (options->training || options->loss ? 1 : 0);
    const size_t n_bytes = sizeof(ln_plan) + n * (sizeof(ln_plan_node) + sizeof(ln_unit)) +
                           (n + 1) * 2 * sizeof(ln_slot) + (8 * n + 2) * (sizeof(ln_phase) + sizeof(ln_segment));
    ln_plan *const p = ln_allocate_zeroed(model->context, n_bytes);
    if (!p) return ln_fail_memory(error, "plan", n_bytes);
    *p = (ln_plan){.context = model->context,
                   .model = model,
                   .options = *options,
                   .element = options->kernels->element,
                   .n_blocks = options->image ? options->batch : (options->batch + LN_LANES - 1) / LN_LANES,
                   .n_nodes = n,
                   .n_tensors = n + 1};
    p->node = (ln_plan_node *)(void *)(p + 1);
    p->unit = (ln_unit *)(void *)(p->node + n);
    p->value = (ln_slot *)(void *)(p->unit + n);
    p->gradient = p->value + n + 1;
    p->phase = (ln_phase *)(void *)(p->gradient + n + 1);
    p->segment = (ln_segment *)(void *)(p->phase + 8 * n + 2);
    ln_status status = collect(p, error);
    if (status == LN_OK) status = lay_out(p, error);
    if (status == LN_OK) *plan = p;
    else ln_release(model->context, p);
    return status;
}

ln_status ln_plan_measure(ln_model *model, const ln_plan_options *options, size_t *n_bytes, int *n_threads,
                          ln_error *error) {
    ln_plan        *p;
    const ln_status status = make(model, options, &p, error);
    if (status != LN_OK) return status;
    *n_bytes = p->n_bytes;
    if (n_threads) *n_threads = p->n_threads;
    ln_release(model->context, p);
    return LN_OK;
}

ln_status ln_plan_check_batch(const ln_model *model, size_t n, ln_error *error) {
    for (size_t i = 0; i < model->n_nodes; i++) {
        const ln_node *const node = model->node[i];
        const size_t         least = node->op->least_batch ? node->op->least_batch(node) : 1;
        if (n < least)
            return ln_fail_node(error, LN_E_ARGUMENT, node,
                                "a step of %zu image%s is too small for it to learn from, it wants %zu or more; choose "
                                "another batch size, with which no step of an epoch is smaller",
                                n, n == 1 ? "" : "s", least);
    }
    return LN_OK;
}

ln_status ln_plan_new(ln_model *model, const ln_plan_options *options, ln_plan **plan, ln_error *error) {
    ln_plan  *p;
    ln_status status = options->training ? ln_plan_check_batch(model, options->batch, error) : LN_OK;
    if (status == LN_OK) status = make(model, options, &p, error);
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
