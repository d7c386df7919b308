/* Using a model: loss and accuracy, predictions, and a planned prediction for one batch size. */
#include "train/predict.h"
#include "base/math.h"
#include "train/batch.h"

#include <string.h>

enum { IMAGE_BATCH = 8 }; /* up to here one image at a time is quicker than blocks of sixteen */

static ln_plan_options options_for(const ln_model *model, size_t batch, bool loss) {
    return (ln_plan_options){.kernels = ln_context_kernels(model->context),
                             .batch = batch,
                             .n_threads = ln_context_threads(model->context),
                             .loss = loss};
}

/* A plan for predictions: one image at a time for small batches, where every layer can. */
static ln_status plan_prediction(ln_model *model, size_t batch, ln_plan **plan, size_t *n_bytes, ln_error *error) {
    ln_plan_options options = options_for(model, batch, false);
    options.image = batch <= IMAGE_BATCH;
    ln_status status =
        plan ? ln_plan_new(model, &options, plan, error) : ln_plan_measure(model, &options, n_bytes, NULL, error);
    if (status != LN_E_UNSUPPORTED || !options.image) return status;
    options.image = false;
    return plan ? ln_plan_new(model, &options, plan, error) : ln_plan_measure(model, &options, n_bytes, NULL, error);
}

ln_status ln_predict_measure(ln_model *model, size_t batch, size_t *n_bytes, ln_error *error) {
    return plan_prediction(model, batch, NULL, n_bytes, error);
}

static ln_status check_batch(size_t batch, ln_error *error) {
    if (batch >= 1 && batch <= LN_MAX_BATCH) return LN_OK;
    return ln_fail(error, LN_E_ARGUMENT, "batch=%zu is outside 1 to %d", batch, LN_MAX_BATCH);
}

/* ---------------------------------------------------------------- measuring */

ln_status ln_evaluator_new(ln_model *model, size_t batch, ln_evaluator *e, ln_error *error) {
    *e = (ln_evaluator){.model = model, .batch = batch};
    const ln_plan_options options = options_for(model, batch, true);
    ln_status             status = check_batch(batch, error);
    if (status == LN_OK) status = ln_plan_new(model, &options, &e->plan, error);
    if (status == LN_OK) status = ln_batch_room_new(model->context, batch, &e->room, error);
    if (status != LN_OK) ln_evaluator_free(e);
    return status;
}

void ln_evaluator_free(ln_evaluator *e) {
    ln_batch_room_free(e->model->context, &e->room);
    ln_plan_free(e->plan);
    *e = (ln_evaluator){.model = e->model};
}

static size_t largest(const float *values, size_t n) {
    size_t best = 0;
    for (size_t i = 1; i < n; i++)
        if (values[i] > values[best]) best = i;
    return best;
}

/* What an image is taken for: its largest output, or by the loss where one output decides between two. */
static size_t guess(const ln_model *model, const float *outputs) {
    float        two[2];
    const size_t k = ln_model_outputs(model);
    if (k == ln_model_class_count(model)) return largest(outputs, k);
    model->loss.op->probabilities(&model->loss, outputs, two);
    return largest(two, 2);
}

static void count_confusion(const ln_evaluator *e, const ln_batch *batch, float *outputs, uint64_t *confusion) {
    const size_t k = ln_model_outputs(e->model), n_classes = ln_model_class_count(e->model);
    ln_run_outputs(e->plan, batch->n, outputs);
    for (size_t i = 0; i < batch->n; i++)
        confusion[(size_t)batch->labels[i] * n_classes + guess(e->model, outputs + i * k)]++;
}

ln_metrics ln_evaluator_run(ln_evaluator *e, const ln_data *data, float *outputs, uint64_t *confusion) {
    const uint64_t mode = ln_fp_enter();
    const size_t   n = ln_data_describe(data).n;
    ln_metrics     m = {.n = n};
    ln_run_pack(e->plan);
    for (size_t first = 0; first < n; first += e->batch) {
        if (e->work && !ln_work_goes_on(e->work, first)) {
            e->stopped = true;
            e->n_done = first;
            break;
        }
        const ln_batch batch =
            ln_batch_of(&e->room, e->model, data, NULL, first, n - first < e->batch ? n - first : e->batch);
        size_t correct;
        ln_run_forward(e->plan, &batch);
        m.loss += ln_run_loss(e->plan, batch.n, &correct);
        m.n_correct += correct;
        if (confusion) count_confusion(e, &batch, outputs, confusion);
    }
    m.loss /= (double)n;
    m.accuracy = (double)m.n_correct / (double)n;
    ln_fp_leave(mode);
    return m;
}

ln_status ln_evaluate(ln_model *model, const ln_data *data, size_t batch, ln_metrics *metrics, uint64_t *confusion,
                      ln_error *error) {
    const size_t k = ln_model_outputs(model);
    ln_evaluator e;
    ln_status    status = ln_model_finish(model, error);
    if (status == LN_OK) status = ln_batch_check("val", model, data, true, error);
    if (status == LN_OK) status = ln_evaluator_new(model, batch, &e, error);
    if (status != LN_OK) return status;
    float *outputs = NULL;
    if (confusion && !(outputs = ln_allocate(model->context, batch * k * sizeof *outputs))) {
        ln_evaluator_free(&e);
        return ln_fail_memory(error, "val", batch * k * sizeof *outputs);
    }
    const size_t n_classes = ln_model_class_count(model);
    if (confusion) memset(confusion, 0, n_classes * n_classes * sizeof *confusion);
    ln_work work = ln_work_begin(model->context, "measuring", ln_data_describe(data).n);
    e.work = &work;
    const ln_metrics found = ln_evaluator_run(&e, data, outputs, confusion);
    ln_work_end(&work);
    if (e.stopped) status = ln_work_stop(&work, e.n_done, error);
    ln_release(model->context, outputs);
    ln_evaluator_free(&e);
    if (status != LN_OK) return status;
    if (!(found.loss - found.loss == 0))
        return ln_fail(error, LN_E_NOT_FINITE,
                       "val: the loss is not finite: the weights or the images are far too large for this network");
    *metrics = found;
    return LN_OK;
}

/* --------------------------------------------------------------- predicting */

/* Outputs of n images from image `first` on, k each. */
static ln_status check_outputs(const float *outputs, size_t first, size_t n, size_t k, ln_error *error) {
    const size_t bad = ln_first_not_finite(outputs, n * k);
    if (bad < n * k)
        return ln_fail(error, LN_E_NOT_FINITE,
                       "predict: the outputs for image %zu are not finite: the weights or the image are far too "
                       "large for this network",
                       first + bad / k);
    return LN_OK;
}

struct ln_predictor {
    ln_model    *model;
    ln_plan     *plan;
    size_t       batch;
    const void **rows;
    size_t       image_values;
};

ln_predictor *ln_predictor_new(ln_model *model, size_t batch, ln_error *error) {
    if (check_batch(batch, error) != LN_OK || ln_model_finish(model, error) != LN_OK) return NULL;
    const size_t        n_bytes = sizeof(ln_predictor) + batch * sizeof(void *);
    ln_predictor *const p = ln_allocate_zeroed(model->context, n_bytes);
    if (!p) {
        ln_fail_memory(error, "predictor", n_bytes);
        return NULL;
    }
    *p = (ln_predictor){.model = model,
                        .batch = batch,
                        .rows = (const void **)(void *)(p + 1),
                        .image_values = ln_shape_count(model->input)};
    if (plan_prediction(model, batch, &p->plan, NULL, error) == LN_OK) return p;
    ln_predictor_free(p);
    return NULL;
}

void ln_predictor_free(ln_predictor *predictor) {
    if (!predictor) return;
    ln_context *const context = predictor->model->context;
    ln_plan_free(predictor->plan);
    ln_release(context, predictor);
}

ln_status ln_predictor_run(ln_predictor *p, const float *images, size_t n, float *logits, ln_error *error) {
    if (n < 1 || n > p->batch)
        return ln_fail(error, LN_E_ARGUMENT, "predictor: %zu images are outside 1 to the %zu it was made for", n,
                       p->batch);
    for (size_t i = 0; i < n; i++) p->rows[i] = images + i * p->image_values;
    const ln_batch batch = {.rows = p->rows, .is_float = true, .n = n, .preprocess = {1, 0, 1}};
    ln_run_forward(p->plan, &batch);
    ln_run_outputs(p->plan, n, logits);
    return LN_OK;
}

size_t ln_predictor_memory(const ln_predictor *predictor) { return predictor->plan->n_bytes; }

ln_status ln_predict(ln_model *model, const ln_data *data, size_t batch, float *logits, float *probabilities,
                     ln_error *error) {
    ln_status status = check_batch(batch, error);
    if (status == LN_OK) status = ln_model_finish(model, error);
    if (status == LN_OK) status = ln_batch_check("predict", model, data, false, error);
    if (status != LN_OK) return status;
    const size_t  n = ln_data_describe(data).n, k = ln_model_outputs(model), n_classes = ln_model_class_count(model);
    ln_plan      *plan = NULL;
    ln_batch_room room = {0};
    if (batch > n) batch = n;
    float *const outputs = ln_allocate(model->context, batch * k * sizeof *outputs);
    status = outputs ? plan_prediction(model, batch, &plan, NULL, error)
                     : ln_fail_memory(error, "predict", batch * k * sizeof *outputs);
    if (status == LN_OK) status = ln_batch_room_new(model->context, batch, &room, error);
    ln_work work = ln_work_begin(model->context, "predicting", n);
    for (size_t first = 0; status == LN_OK && first < n; first += batch) {
        if (!ln_work_goes_on(&work, first)) {
            status = ln_work_stop(&work, first, error);
            break;
        }
        const ln_batch part = ln_batch_of(&room, model, data, NULL, first, n - first < batch ? n - first : batch);
        ln_run_forward(plan, &part);
        ln_run_outputs(plan, part.n, outputs);
        status = check_outputs(outputs, first, part.n, k, error);
        if (logits) memcpy(logits + first * k, outputs, part.n * k * sizeof *outputs);
        for (size_t i = 0; i < part.n && probabilities; i++)
            model->loss.op->probabilities(&model->loss, outputs + i * k, probabilities + (first + i) * n_classes);
    }
    ln_work_end(&work);
    ln_batch_room_free(model->context, &room);
    ln_plan_free(plan);
    ln_release(model->context, outputs);
    return status;
}
