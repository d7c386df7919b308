/* A look inside: what images are behind every layer, and which way the loss falls there, kept by a plan that keeps all.
 *
 * A prediction's values, or a training step's with gradients: of the loss the training takes (the mean over the images,
 * where that is the loss's way). Nothing is learnt, and what normalising layers keep stays as it is. */
#include "train/batch.h"
#include "train/predict.h"

struct ln_trace {
    ln_model *model;
    ln_plan  *plan;
    size_t    n;
    bool      training;
};

static ln_status check_part(const ln_data *data, size_t first, size_t n, ln_error *error) {
    const size_t all = ln_data_describe(data).n;
    if (n < 1 || n > LN_MAX_BATCH)
        return ln_fail(error, LN_E_ARGUMENT, "trace: %zu images at once are outside 1 to %d", n, LN_MAX_BATCH);
    if (first < all && n <= all - first) return LN_OK;
    return ln_fail(error, LN_E_ARGUMENT, "trace: images %zu to %zu were asked for, and there are 0 to %zu", first,
                   first + n - 1, all - 1);
}

static ln_status run(ln_trace *t, const ln_data *data, size_t first, ln_error *error) {
    const ln_plan_options options = {.kernels = ln_context_kernels(t->model->context),
                                     .batch = t->n,
                                     .training = t->training,
                                     .n_threads = ln_context_threads(t->model->context),
                                     .keep_all = true,
                                     .input_gradient = t->training};
    ln_batch_room         room = {0};
    ln_status             status = ln_plan_new(t->model, &options, &t->plan, error);
    if (status == LN_OK) status = ln_batch_room_new(t->model->context, t->n, &room, error);
    if (status == LN_OK) {
        const uint64_t mode = ln_fp_enter();
        const ln_batch batch = ln_batch_of(&room, t->model, data, NULL, first, t->n);
        const ln_step  step = {.batch = &batch, .number = 1};
        if (t->training) (void)ln_run_step(t->plan, &step); /* a gradient that is not finite is a value to look at */
        else ln_run_forward(t->plan, &batch);
        ln_fp_leave(mode);
    }
    ln_batch_room_free(t->model->context, &room);
    return status;
}

ln_trace *ln_trace_new(ln_model *model, const ln_data *data, size_t first, size_t n, bool training, ln_error *error) {
    if (ln_model_finish(model, error) != LN_OK || ln_batch_check("trace", model, data, training, error) != LN_OK ||
        check_part(data, first, n, error) != LN_OK)
        return NULL;
    ln_trace *const t = ln_allocate_zeroed(model->context, sizeof *t);
    if (!t) {
        ln_fail_memory(error, "trace", sizeof *t);
        return NULL;
    }
    *t = (ln_trace){.model = model, .n = n, .training = training};
    if (run(t, data, first, error) == LN_OK) return t;
    ln_trace_free(t);
    return NULL;
}

void ln_trace_free(ln_trace *trace) {
    if (!trace) return;
    ln_plan_free(trace->plan);
    ln_release(trace->model->context, trace);
}

/* Out of lanes: image by image, c, h, w. */
static void copy_out(const ln_trace *t, bool gradient, size_t tensor, float *values) {
    const ln_slot *const all = gradient ? t->plan->gradient : t->plan->value;
    const float *const   lanes = ln_run_tensor(t->plan, gradient, tensor);
    const size_t         count = t->n * ln_shape_count(all[tensor].shape);
    for (size_t i = 0; i < count; i++) values[i] = lanes[ln_slot_place(&all[tensor], i)];
}

static ln_status check_layer(const ln_trace *t, ln_layer layer, ln_error *error) {
    if (layer >= -1 && layer < (int)t->model->n_nodes) return LN_OK;
    return ln_fail(error, LN_E_ARGUMENT, "trace: there is no layer %d: -1 (the input) to %zu", layer,
                   t->model->n_nodes - 1);
}

ln_status ln_trace_values(const ln_trace *t, ln_layer layer, float *values, ln_error *error) {
    if (check_layer(t, layer, error) != LN_OK) return error ? error->status : LN_E_ARGUMENT;
    copy_out(t, false, (size_t)(layer + 1), values);
    return LN_OK;
}

static ln_status check_training(const ln_trace *t, ln_error *error) {
    if (t->training) return LN_OK;
    return ln_fail(error, LN_E_ARGUMENT, "trace: a prediction has no gradients: make the trace with training = true");
}

ln_status ln_trace_gradients(const ln_trace *t, ln_layer layer, float *gradients, ln_error *error) {
    if (check_layer(t, layer, error) != LN_OK || check_training(t, error) != LN_OK)
        return error ? error->status : LN_E_ARGUMENT;
    const size_t tensor = (size_t)(layer + 1);
    if (t->plan->gradient[tensor].used) {
        copy_out(t, true, tensor, gradients);
        return LN_OK;
    }
    const size_t count = t->n * ln_shape_count(t->plan->value[tensor].shape); /* nothing that learns asks for it */
    for (size_t i = 0; i < count; i++) gradients[i] = 0;
    return LN_OK;
}

ln_status ln_trace_parameter(const ln_trace *t, size_t i, float *gradients, ln_error *error) {
    if (check_training(t, error) != LN_OK) return LN_E_ARGUMENT;
    if (i >= ln_model_parameter_count(t->model))
        return ln_fail(error, LN_E_ARGUMENT, "trace: there is no parameter %zu: 0 to %zu", i,
                       ln_model_parameter_count(t->model) - 1);
    const ln_parameter p = ln_model_parameter(t->model, i);
    for (size_t k = 0; k < p.count; k++) gradients[k] = 0;
    for (size_t node = 0; node < t->model->n_nodes; node++) {
        const ln_node *const n = t->model->node[node];
        for (size_t k = 0; k < n->n_params && !n->learning.frozen; k++) {
            if (t->model->values[node][k] != p.values) continue;
            const float *const found = ln_run_gradient(t->plan, node, k);
            for (size_t j = 0; j < p.count; j++) gradients[j] = found[j];
        }
    }
    return LN_OK;
}
