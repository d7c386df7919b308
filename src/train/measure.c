/* The machine's limit, and the time that each layer takes. */
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

/* ----------------------------------------------------------------- layers */

static void sort(double *values, size_t n) {
    for (size_t i = 1; i < n; i++)
        for (size_t j = i; j > 0 && values[j] < values[j - 1]; j--) {
            const double swap = values[j];
            values[j] = values[j - 1];
            values[j - 1] = swap;
        }
}

/* Runs n_runs batches of a fixed pattern; seconds[pass][run][node]. */
static void time_runs(ln_plan *plan, const ln_batch *batch, size_t n_runs, double *seconds) {
    const size_t  n = plan->n_nodes;
    const ln_step step = {.batch = batch, .number = 1};
    for (size_t i = 0; i < 2 * n_runs * n; i++) seconds[i] = 0;
    for (size_t i = 0; i < n_runs; i++) {
        plan->seconds[0] = seconds + i * n;
        plan->seconds[1] = seconds + (n_runs + i) * n;
        if (plan->options.training) (void)ln_run_step(plan, &step); /* gradients alone: no update */
        else ln_run_forward(plan, batch);
    }
    plan->seconds[0] = plan->seconds[1] = NULL;
}

static double median_of(const double *seconds, size_t n_runs, size_t n_nodes, size_t node, double *sorted) {
    for (size_t i = 0; i < n_runs; i++) sorted[i] = seconds[i * n_nodes + node];
    sort(sorted, n_runs);
    return sorted[n_runs / 2];
}

ln_status ln_measure_layers(ln_model *model, size_t batch, bool training, size_t n_runs, double *forward,
                            double *backward, ln_error *error) {
    if (n_runs < 1 || n_runs > 10000)
        return ln_fail(error, LN_E_ARGUMENT, "bench: %zu runs are outside 1 to 10000", n_runs);
    if (batch < 1 || batch > LN_MAX_BATCH)
        return ln_fail(error, LN_E_ARGUMENT, "bench: batch=%zu is outside 1 to %d", batch, LN_MAX_BATCH);
    const ln_plan_options options = {.kernels = ln_context_kernels(model->context),
                                     .batch = batch,
                                     .n_threads = 1,
                                     .training = training,
                                     .n_states = 0};
    ln_plan              *plan = NULL;
    ln_batch_room         room = {0};
    ln_status             status = ln_plan_new(model, &options, &plan, error);
    if (status != LN_OK) return status;
    const size_t  image = ln_shape_count(model->input), n = plan->n_nodes;
    const size_t  n_bytes = sizeof(double) * (2 * n_runs * n + n_runs);
    float *const  pixels = ln_allocate(model->context, image * sizeof *pixels);
    double *const seconds = ln_allocate(model->context, n_bytes);
    if (!pixels || !seconds) status = ln_fail_memory(error, "bench", n_bytes);
    else status = ln_batch_room_new(model->context, batch, &room, error);
    if (status == LN_OK) {
        for (size_t i = 0; i < image; i++) pixels[i] = (float)(i * 37 % 101) / 101;
        memset(room.labels, 0, batch * sizeof *room.labels);
        for (size_t i = 0; i < batch; i++) room.rows[i] = pixels;
        const ln_batch pattern = {
            .rows = room.rows, .is_float = true, .labels = room.labels, .n = batch, .preprocess = {1, 0, 1}};
        time_runs(plan, &pattern, n_runs, seconds);
        double *const sorted = seconds + 2 * n_runs * n;
        for (size_t i = 0; i < model->n_nodes; i++) {
            forward[i] = median_of(seconds, n_runs, n, i, sorted);
            backward[i] = training ? median_of(seconds + n_runs * n, n_runs, n, i, sorted) : 0;
        }
    }
    ln_batch_room_free(model->context, &room);
    ln_release(model->context, seconds);
    ln_release(model->context, pixels);
    ln_plan_free(plan);
    return status;
}
