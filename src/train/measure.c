/* What the machine can do at most, and the time that each layer and the update take beside it. */
#include "base/clock.h"
#include "train/predict.h"

#include <string.h>

/* ------------------------------------------------------------------- peak */

typedef struct peak_job {
    const ln_kernels *kernels;
    size_t            n_rounds;
    double            flops;
} peak_job; /* flops: of one thread */

static void peak_work(void *argument, int t) {
    peak_job *const job = argument;
    const double    flops = job->kernels->fma_rounds(job->n_rounds);
    if (t == 0) job->flops = flops;
}

ln_status ln_measure_fma_peak(ln_context *context, int n_threads, double *flops, ln_error *error) {
    if (n_threads < 1 || n_threads > ln_context_threads(context))
        return ln_fail(error, LN_E_ARGUMENT, "fma peak: %d threads are outside 1 to the context's %d", n_threads,
                       ln_context_threads(context));
    const uint64_t mode = ln_fp_enter();
    peak_job       job = {.kernels = ln_context_kernels(context), .n_rounds = 1000};
    double         best = 0, seconds = 0;
    while (seconds < 1e-3) { /* a run of a millisecond or more */
        const double start = ln_seconds_now();
        job.kernels->fma_rounds(job.n_rounds);
        seconds = ln_seconds_now() - start;
        if (seconds < 1e-3) job.n_rounds *= 2;
    }
    for (int i = 0; i < 25; i++) {
        const double start = ln_seconds_now();
        ln_threads_run(context->threads, n_threads, peak_work, &job);
        const double rate = job.flops * n_threads / (ln_seconds_now() - start);
        if (rate > best) best = rate;
    }
    ln_fp_leave(mode);
    *flops = best;
    return LN_OK;
}

/* ------------------------------------------------------------------- copies */

static void sort(double *values, size_t n) {
    for (size_t i = 1; i < n; i++)
        for (size_t j = i; j > 0 && values[j] < values[j - 1]; j--) {
            const double swap = values[j];
            values[j] = values[j - 1];
            values[j - 1] = swap;
        }
}

enum { LEAST_COPY = 16 << 10, COPY_SIZES = 13 }; /* 16 KiB … 64 MiB, each twice the one before */

/* What a byte takes, read or written, within so much memory: 0 before it is measured. */
typedef struct copies {
    ln_context *context;
    double      seconds[COPY_SIZES];
} copies;

static ln_status measure_copy(copies *c, size_t size, ln_error *error) {
    const size_t n_bytes = (size_t)LEAST_COPY << size, half = n_bytes / 2;
    char *const  memory = ln_allocate_zeroed(c->context, n_bytes);
    if (!memory) return ln_fail_memory(error, "bench", n_bytes);
    const ln_kernels *const kernels = ln_context_kernels(c->context);
    const size_t            times = 1 + ((size_t)2 << 20) / n_bytes;
    double                  seconds[9];
    for (int i = 0; i < 9; i++) {
        const double start = ln_seconds_now();
        for (size_t k = 0; k < times; k++) kernels->copy(memory + half, memory, half / (LN_LANES * kernels->element));
        seconds[i] = ln_seconds_now() - start;
    }
    sort(seconds, 9);
    c->seconds[size] = seconds[4] / ((double)times * (double)n_bytes); /* the median, as of the layers */
    ln_release(c->context, memory);
    return LN_OK;
}

/* Adds what reading or writing n_bytes that lie scattered over so much memory takes. */
static ln_status add_copy(copies *c, double n_bytes, size_t memory, double *seconds, ln_error *error) {
    size_t    size = 0;
    ln_status status = LN_OK;
    while (size + 1 < COPY_SIZES && ((size_t)LEAST_COPY << size) < memory) size++;
    if (c->seconds[size] == 0) status = measure_copy(c, size, error);
    *seconds += n_bytes * c->seconds[size];
    return status;
}

/* Bytes of memory among which a tensor's lie. */
static size_t reach_of(const ln_plan *p, const ln_slot *x) {
    const size_t shared = p->threads_offset - p->shared_offset;
    switch (x->place) {
    case LN_PLACE_SHARED: return shared + p->thread_bytes;
    case LN_PLACE_THREAD: return p->thread_bytes;
    default: return p->scratch_offset - p->band_offset;
    }
}

/* An operand of a pass; fresh: the layer beside it in the unit has just made it, band by band (and a layer that meets
 * reads it again after all bands). */
typedef struct operand {
    const ln_slot *tensors;
    size_t         tensor;
    bool           fresh;
} operand;

static ln_status add_operand(copies *c, const ln_plan *p, const ln_unit *u, const ln_band *band, operand o,
                             double *seconds, ln_error *error) {
    const ln_slot *const t = &o.tensors[o.tensor], *const base = &o.tensors[t->base];
    const ln_shape head = p->node[u->first].node->out;
    const double   block = (double)(t->shape.c * t->shape.h * t->shape.w * LN_LANES * p->element);
    const double   share = (double)ln_least(band->channels, head.c) / (double)head.c * (double)band->rows /
                         (double)p->node[u->last].node->out.h;
    size_t memory = reach_of(p, base);
    if (o.fresh && 2 * block * share < (double)memory) memory = (size_t)(2 * block * share);
    return add_copy(c, block * (double)p->n_blocks, memory, seconds, error);
}

/* What node k of unit u reads and writes in a pass. */
static size_t operands_of(const ln_plan *p, const ln_unit *u, size_t k, bool backward, operand *o) {
    const ln_plan_node *const n = &p->node[k];
    size_t                    count = 0;
    const bool                behind = k > u->first, before = k < u->last && !ln_plan_meets(p, n);
    if (!n->runs) return 0;
    for (size_t i = 0; i < n->node->n_inputs; i++) {
        const bool in_place = p->value[n->tensor_in[i]].base == p->value[n->tensor_out].base;
        const bool back_in_place = p->gradient[n->tensor_in[i]].base == p->gradient[n->tensor_out].base;
        if (!backward || ln_plan_has(n, LN_NEEDS_IN))
            o[count++] = (operand){p->value, n->tensor_in[i], !backward && behind && i == 0};
        if (!backward && i == 0) o[count++] = (operand){p->value, n->tensor_out, behind && in_place};
        for (int times = 0; backward && times < (int)n->write[i]; times++) /* LN_SET: once; LN_ADD: read as well */
            o[count++] = (operand){p->gradient, n->tensor_in[i], before && back_in_place};
    }
    if (backward) o[count++] = (operand){p->gradient, n->tensor_out, before};
    if (backward && ln_plan_has(n, LN_NEEDS_OUT)) o[count++] = (operand){p->value, n->tensor_out, false};
    return count;
}

static ln_status add_pass(copies *c, const ln_plan *p, const ln_unit *u, size_t k, bool backward, ln_layer_time *time,
                          ln_error *error) {
    const ln_plan_node *const n = &p->node[k];
    operand                   o[3 * LN_MAX_INPUTS + 2];
    const size_t              count = operands_of(p, u, k, backward, o);
    double                    kept = (double)(n->need.saved * p->n_blocks);
    ln_status                 status = LN_OK;
    const ln_slot             saved = {.place = n->saved_place};
    for (size_t i = 0; i < count && status == LN_OK; i++)
        status = add_operand(c, p, u, backward ? &u->backward : &u->forward, o[i], &time->copying[backward], error);
    for (size_t i = 0; i < n->node->n_params && (!backward || n->policy != LN_POLICY_NONE); i++)
        kept += (double)(n->node->param[i].count * p->element);
    if (status == LN_OK) status = add_copy(c, kept, reach_of(p, &saved), &time->copying[backward], error);
    const double macs = (double)n->node->n_macs * (double)p->options.batch;
    time->macs[backward] = macs * (backward ? (n->policy != LN_POLICY_NONE) + (n->write[0] != LN_SKIP) : 1);
    return status;
}

static ln_status set_limits(copies *c, const ln_plan *p, ln_layer_time *layers, ln_error *error) {
    ln_status status = LN_OK;
    for (size_t i = 0; i < p->n_units; i++)
        for (size_t k = p->unit[i].first; k <= p->unit[i].last && k < p->model->n_nodes; k++)
            for (int backward = 0; backward <= (int)p->options.training && status == LN_OK; backward++)
                status = add_pass(c, p, &p->unit[i], k, backward, &layers[k], error);
    return status;
}

/* ----------------------------------------------------------------- layers */

/* One measuring: a plan, a batch of a fixed pattern, and room for seconds[pass][run][node]. */
typedef struct measuring {
    ln_plan        *plan;
    ln_batch_room   room;
    ln_batch        batch;
    float          *pixels;
    size_t          n_runs;
    double         *seconds, *sorted;
    ln_optimizer_id optimizer;
    _Alignas(16) unsigned char args[LN_MAX_OPTIM_ARGS];
} measuring;

/* What reading the clock takes, that a call timed by it seems to take longer. */
static double clock_seconds(void) {
    double least = 1;
    for (int i = 0; i < 1000; i++) {
        const double start = ln_seconds_now(), seconds = ln_seconds_now() - start;
        if (seconds < least) least = seconds;
    }
    return least;
}

static void time_runs(const measuring *m) {
    ln_plan *const p = m->plan;
    const size_t   n = p->n_nodes;
    const ln_step  step = {.batch = &m->batch, .number = 1};
    p->clock = clock_seconds();
    for (size_t i = 0; i < 2 * m->n_runs * n; i++) m->seconds[i] = 0;
    for (size_t i = 0; i < m->n_runs; i++) {
        p->seconds[0] = m->seconds + i * n;
        p->seconds[1] = m->seconds + (m->n_runs + i) * n;
        if (p->options.training) (void)ln_run_step(p, &step); /* gradients alone: no update */
        else ln_run_forward(p, &m->batch);
    }
    p->seconds[0] = p->seconds[1] = NULL;
}

static double median_of(const measuring *m, const double *seconds, size_t step) {
    for (size_t i = 0; i < m->n_runs; i++) m->sorted[i] = seconds[i * step];
    sort(m->sorted, m->n_runs);
    return m->sorted[m->n_runs / 2];
}

/* At a rate of 0, so that no weight changes. */
static ln_status time_update(const measuring *m, copies *c, ln_layer_time *update, ln_error *error) {
    ln_plan *const p = m->plan;
    double         n_bytes = 0;
    for (size_t i = 0; i < p->n_nodes; i++)
        for (size_t k = 0; k < p->node[i].node->n_params && !p->node[i].node->learning.frozen; k++)
            n_bytes += (double)(p->node[i].node->param[k].count * p->element * (3 + 2 * p->options.n_states));
    for (size_t i = 0; i < m->n_runs; i++) {
        const ln_update by = {.args = m->args, .lr = 0, .step = i + 1};
        const ln_step   step = {.batch = &m->batch, .number = i + 1, .update = &by, .optimizer = m->optimizer};
        const double    start = ln_seconds_now();
        ln_run_update(p, &step);
        m->seconds[i] = ln_seconds_now() - start;
    }
    *update = (ln_layer_time){.seconds = {0, median_of(m, m->seconds, 1)}};
    return add_copy(c, n_bytes, (size_t)n_bytes, &update->copying[1], error);
}

static ln_status begin(ln_model *model, size_t batch, const char *optimizer, measuring *m, ln_error *error) {
    ln_plan_options options = {
        .kernels = ln_context_kernels(model->context), .batch = batch, .n_threads = 1, .training = optimizer != NULL};
    ln_status status = optimizer ? ln_optimizer_parse(optimizer, &m->optimizer, m->args, error) : LN_OK;
    if (status == LN_OK && optimizer) options.n_states = ln_optimizers[m->optimizer]->n_states(m->args);
    if (status == LN_OK) status = ln_plan_new(model, &options, &m->plan, error);
    if (status != LN_OK) return status;
    const size_t image = ln_shape_count(model->input);
    const size_t n_bytes = sizeof(double) * m->n_runs * (2 * m->plan->n_nodes + 1);
    m->pixels = ln_allocate(model->context, image * sizeof *m->pixels);
    m->seconds = ln_allocate(model->context, n_bytes);
    if (!m->pixels || !m->seconds) return ln_fail_memory(error, "bench", n_bytes);
    m->sorted = m->seconds + 2 * m->n_runs * m->plan->n_nodes;
    status = ln_batch_room_new(model->context, batch, &m->room, error);
    if (status != LN_OK) return status;
    for (size_t i = 0; i < image; i++) m->pixels[i] = (float)(i * 37 % 101) / 101;
    memset(m->room.labels, 0, batch * sizeof *m->room.labels);
    for (size_t i = 0; i < batch; i++) m->room.rows[i] = m->pixels;
    m->batch = (ln_batch){
        .rows = m->room.rows, .is_float = true, .labels = m->room.labels, .n = batch, .preprocess = {1, 0, 1}};
    return LN_OK;
}

ln_status ln_measure_layers(ln_model *model, size_t batch, const char *optimizer, size_t n_runs, ln_layer_time *layers,
                            ln_layer_time *update, ln_error *error) {
    if (n_runs < 1 || n_runs > 10000)
        return ln_fail(error, LN_E_ARGUMENT, "bench: %zu runs are outside 1 to 10000", n_runs);
    if (batch < 1 || batch > LN_MAX_BATCH)
        return ln_fail(error, LN_E_ARGUMENT, "bench: batch=%zu is outside 1 to %d", batch, LN_MAX_BATCH);
    measuring m = {.n_runs = n_runs};
    copies    c = {.context = model->context};
    ln_status status = begin(model, batch, optimizer, &m, error);
    if (status == LN_OK) {
        const size_t n = m.plan->n_nodes;
        time_runs(&m);
        for (size_t i = 0; i < model->n_nodes; i++)
            layers[i] = (ln_layer_time){
                .seconds = {median_of(&m, m.seconds + i, n), median_of(&m, m.seconds + n_runs * n + i, n)}};
        status = set_limits(&c, m.plan, layers, error);
        if (status == LN_OK && optimizer) status = time_update(&m, &c, update, error);
    }
    ln_batch_room_free(model->context, &m.room);
    ln_release(model->context, m.seconds);
    ln_release(model->context, m.pixels);
    ln_plan_free(m.plan);
    return status;
}
