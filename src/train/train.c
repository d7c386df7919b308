/* Training: the order of the images, steps, epochs, and what is said when a value is not finite. */
#include "base/clock.h"
#include "train/predict.h"

#include <stdio.h>
#include <string.h>

struct ln_trainer {
    ln_model        *model;
    const ln_data   *data;
    ln_train_options options;
    ln_plan         *plan;
    ln_batch_room    room;
    uint32_t        *order;      /* of this epoch */
    size_t           n, n_steps; /* images; steps an epoch */
    uint64_t         step;       /* steps done, over all epochs */
    ln_optimizer_id  optimizer;
    ln_pace          pace;
    double           base, lr; /* the optimizer's rate, and that of the last step */
    ln_metrics       epoch;    /* of its training images so far; only for a pace that watches */
    ln_metrics       measured; /* of the validation images after it; n 0: not measured */
    _Alignas(16) unsigned char optimizer_args[LN_MAX_OPTIM_ARGS];
};

/* ------------------------------------------------------------------ making */

static ln_status check_learning(const ln_train_options *o, ln_error *error) {
    const struct {
        const char *name;
        double      value, high;
    } numbers[] = {{"clip_norm", o->clip_norm, 1e30},
                   {"clip_value", o->clip_value, 1e30},
                   {"l2", o->l2, 1e6},
                   {"ema", o->ema, 0.999999}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!(numbers[i].value >= 0 && numbers[i].value <= numbers[i].high))
            return ln_fail(error, LN_E_ARGUMENT, "train: %s=%g is outside 0 to %g", numbers[i].name, numbers[i].value,
                           numbers[i].high);
    return LN_OK;
}

static ln_status check(const ln_trainer *t, ln_error *error) {
    const ln_train_options *const o = &t->options;
    if (o->size < sizeof *o)
        return ln_fail(error, LN_E_ARGUMENT, "train: options.size is %zu; start from LN_TRAIN_OPTIONS", o->size);
    if (o->batch < 1 || o->batch > LN_MAX_BATCH)
        return ln_fail(error, LN_E_ARGUMENT, "train: batch=%zu is outside 1 to %d", o->batch, LN_MAX_BATCH);
    if (o->epochs < 1 || o->epochs > 1000000)
        return ln_fail(error, LN_E_ARGUMENT, "train: epochs=%zu is outside 1 to 1000000", o->epochs);
    ln_status status = check_learning(o, error);
    if (status == LN_OK) status = ln_model_finish(t->model, error);
    if (status == LN_OK) status = ln_batch_check("train", t->model, t->data, true, error);
    if (status == LN_OK && o->validation)
        status = ln_batch_check("train: validation", t->model, o->validation, true, error);
    if (status == LN_OK && o->test) status = ln_batch_check("train: test", t->model, o->test, true, error);
    return status;
}

/* Outputs are called 0, 1, … unless someone has named them. */
static ln_status name_classes(ln_model *model, const ln_data *data, ln_error *error) {
    const size_t n = ln_model_class_count(model), each = 24;
    if (ln_model_class(model, 0)) return LN_OK;
    char *const text = ln_allocate(model->context, n * (each + sizeof(char *)));
    if (!text) return ln_fail_memory(error, "classes", n * (each + sizeof(char *)));
    const char **const names = (const char **)(void *)text;
    for (size_t i = 0; i < n; i++) {
        char *const name = text + n * sizeof(char *) + i * each;
        snprintf(name, each, "%d", ln_data_class(data, (int)i));
        names[i] = name;
    }
    const ln_status status = ln_model_set_classes(model, names, n, error);
    ln_release(model->context, text);
    return status;
}

static ln_plan_options plan_options(const ln_model *model, const ln_train_options *o, size_t batch,
                                    ln_optimizer_id optimizer, const void *optimizer_args) {
    return (ln_plan_options){.kernels = ln_context_kernels(model->context),
                             .batch = batch,
                             .n_threads = ln_context_threads(model->context),
                             .training = true,
                             .n_states = ln_optimizers[optimizer]->n_states(optimizer_args),
                             .average = o->ema > 0,
                             .squares = o->clip_norm > 0 || o->l2 > 0};
}

static ln_status make(ln_trainer *t, ln_error *error) {
    ln_status status = check(t, error);
    if (status == LN_OK) status = ln_optimizer_parse(t->options.optimizer, &t->optimizer, t->optimizer_args, error);
    if (status == LN_OK) t->base = ln_optimizers[t->optimizer]->lr(t->optimizer_args);
    if (status == LN_OK) status = ln_schedule_parse(t->options.schedule, &t->pace, error);
    if (status == LN_OK) status = ln_pace_check(&t->pace, t->base, t->options.epochs, error);
    if (status == LN_OK) status = name_classes(t->model, t->data, error);
    if (status != LN_OK) return status;
    ln_context *const context = t->model->context;
    t->n = ln_data_describe(t->data).n;
    if (t->options.batch > t->n) t->options.batch = t->n;
    t->n_steps = (t->n + t->options.batch - 1) / t->options.batch;
    const ln_plan_options options =
        plan_options(t->model, &t->options, t->options.batch, t->optimizer, t->optimizer_args);
    const size_t last = t->n % t->options.batch; /* images of the last step, if fewer */
    if (last > 0) status = ln_plan_check_batch(t->model, last, error);
    if (status == LN_OK) status = ln_plan_new(t->model, &options, &t->plan, error);
    if (status == LN_OK) status = ln_batch_room_new(context, t->options.batch, &t->room, error);
    if (status == LN_OK && !(t->order = ln_allocate(context, t->n * sizeof *t->order)))
        status = ln_fail_memory(error, "train", t->n * sizeof *t->order);
    return status;
}

ln_trainer *ln_trainer_new(ln_model *model, const ln_data *data, const ln_train_options *options, ln_error *error) {
    ln_trainer *const t = ln_allocate_zeroed(model->context, sizeof *t);
    if (!t) {
        ln_fail_memory(error, "train", sizeof *t);
        return NULL;
    }
    *t = (ln_trainer){.model = model, .data = data, .options = *options};
    if (make(t, error) == LN_OK) return t;
    ln_trainer_free(t);
    return NULL;
}

void ln_trainer_free(ln_trainer *trainer) {
    if (!trainer) return;
    ln_context *const context = trainer->model->context;
    ln_plan_free(trainer->plan);
    ln_batch_room_free(context, &trainer->room);
    ln_release(context, trainer->order);
    ln_release(context, trainer);
}

size_t ln_trainer_steps_per_epoch(const ln_trainer *trainer) { return trainer->n_steps; }

size_t ln_trainer_memory(const ln_trainer *trainer) { return trainer->plan->n_bytes; }

void ln_trainer_swap_average(ln_trainer *trainer) {
    if (trainer->options.ema > 0 && trainer->step > 0) ln_run_swap_average(trainer->plan);
}

ln_status ln_model_memory(const ln_model *model, size_t batch, const ln_train_options *options, ln_memory *memory,
                          ln_error *error) {
    ln_model *const            writable = (ln_model *)(uintptr_t)model; /* planning sets the default loss at most */
    const ln_train_options     preset = LN_TRAIN_OPTIONS;
    ln_memory                  found;
    ln_optimizer_id            optimizer;
    _Alignas(16) unsigned char args[LN_MAX_OPTIM_ARGS];
    if (!options) options = &preset;
    if (batch < 1 || batch > LN_MAX_BATCH)
        return ln_fail(error, LN_E_ARGUMENT, "batch=%zu is outside 1 to %d", batch, LN_MAX_BATCH);
    ln_status status = ln_optimizer_parse(options->optimizer, &optimizer, args, error);
    if (status == LN_OK) status = ln_predict_measure(writable, batch, &found.inference, error);
    if (status != LN_OK) return status;
    const ln_plan_options plan = plan_options(model, options, batch, optimizer, args);
    status = ln_plan_measure(writable, &plan, &found.training, error);
    if (status == LN_OK) *memory = found;
    return status;
}

/* ---------------------------------------------------------------- not finite */

static bool tensor_finite(const ln_plan *p, size_t tensor) {
    const size_t count = ln_slot_lanes(&p->value[tensor]) * LN_LANES * p->n_blocks;
    return p->options.kernels->all_finite(ln_run_tensor(p, false, tensor), 0, count);
}

/* The first layer whose output is not finite for this batch, by a forward run that keeps everything. -1: the input;
 * -2: none could be found. */
static int first_bad_layer(const ln_trainer *t, const ln_batch *batch) {
    const ln_plan_options options = {
        .kernels = t->plan->options.kernels, .batch = batch->n, .n_threads = 1, .keep_all = true};
    ln_plan *p;
    if (ln_plan_new(t->model, &options, &p, NULL) != LN_OK) return -2;
    ln_run_forward(p, batch);
    int bad = -2;
    for (size_t i = p->n_tensors; i-- > 0;)
        if (!tensor_finite(p, i)) bad = (int)i - 1;
    ln_plan_free(p);
    return bad;
}

static bool parameter_finite(const ln_trainer *t, size_t *node, size_t *k) {
    for (size_t i = 0; i < t->model->n_nodes; i++)
        for (size_t j = 0; j < t->model->node[i]->n_params; j++)
            if (!t->plan->options.kernels->all_finite(t->model->values[i][j], 0, t->model->node[i]->param[j].count)) {
                *node = i;
                *k = j;
                return false;
            }
    return true;
}

static ln_status explain(const ln_trainer *t, const ln_batch *batch, ln_error *error) {
    char      what[160];
    size_t    node, k;
    const int bad = first_bad_layer(t, batch);
    if (!parameter_finite(t, &node, &k))
        snprintf(what, sizeof what, "%s of layer %s (%s) is no longer finite", t->model->node[node]->param[k].name,
                 t->model->node[node]->name, t->model->node[node]->op->name);
    else if (bad == -2 && ln_run_culprit(t->plan, &node, &k))
        snprintf(what, sizeof what, "the gradient of layer %s (%s)'s %s is not finite", t->plan->node[node].node->name,
                 t->plan->node[node].node->op->name, t->plan->node[node].node->param[k].name);
    else if (bad == -1) snprintf(what, sizeof what, "the images hold values that are not finite");
    else if (bad >= 0)
        snprintf(what, sizeof what, "the output of layer %s (%s) is not finite", t->model->node[bad]->name,
                 t->model->node[bad]->op->name);
    else snprintf(what, sizeof what, "the loss is not finite");
    return ln_fail(error, LN_E_NOT_FINITE,
                   "step %llu: %s; nothing was updated. The rate lr=%g is probably too high or the initial weights too "
                   "large; try lr=%g or another init",
                   (unsigned long long)t->step + 1, what, t->lr, t->lr / 10);
}

/* ------------------------------------------------------------------- steps */

static void begin_epoch(ln_trainer *t, uint64_t epoch) {
    if (t->options.in_order) {
        for (size_t i = 0; i < t->n; i++) t->order[i] = (uint32_t)i;
        return;
    }
    ln_random random = ln_random_at(t->options.seed, LN_RANDOM_ORDER, 0, epoch);
    ln_random_order(&random, t->order, t->n);
}

static void add_metrics(ln_metrics *sum, const ln_metrics *m) {
    const uint64_t mode = ln_fp_enter();
    sum->loss = (sum->loss * (double)sum->n + m->loss * (double)m->n) / (double)(sum->n + m->n);
    sum->n += m->n;
    sum->n_correct += m->n_correct;
    sum->accuracy = (double)sum->n_correct / (double)sum->n;
    ln_fp_leave(mode);
}

/* Tells the pace what the epoch before this step has come to. */
static void watch_epoch(ln_trainer *t) {
    if (t->step > 0)
        ln_pace_observe(&t->pace, t->base, t->step, t->n_steps, t->measured.n > 0 ? &t->measured : &t->epoch);
    t->epoch = t->measured = (ln_metrics){0};
}

static void set_learning(const ln_trainer *t, ln_step *step) {
    const ln_train_options *const o = &t->options;
    step->optimizer = t->optimizer;
    step->clip_norm = o->clip_norm;
    step->clip_value = o->clip_value;
    step->l2 = o->l2 / (double)step->batch->n;
    step->decay_weights_only = o->decay_weights_only;
    step->average = o->ema;
}

static ln_metrics metrics_of(const ln_trainer *t, size_t n) {
    ln_metrics m = {.n = n};
    m.loss = ln_run_loss(t->plan, n, &m.n_correct) / (double)n;
    if (t->options.l2 > 0) m.loss += t->options.l2 / (2 * (double)n) * ln_run_weight_squares(t->plan);
    m.accuracy = (double)m.n_correct / (double)n;
    return m;
}

static ln_status take_step(ln_trainer *t, ln_metrics *metrics, ln_error *error) {
    const uint64_t epoch = t->step / t->n_steps, within = t->step % t->n_steps;
    const size_t   first = within * t->options.batch, left = t->n - first;
    if (within == 0) {
        watch_epoch(t);
        begin_epoch(t, epoch);
    }
    const ln_batch batch = ln_batch_of(&t->room, t->model, t->data, t->order + first, 0,
                                       left < t->options.batch ? left : t->options.batch);
    t->lr = ln_pace_rate(&t->pace, t->base, t->step, t->n_steps, t->options.epochs);
    const ln_update update = {.args = t->optimizer_args, .lr = t->lr, .step = t->step + 1};
    ln_step         step = {.batch = &batch, .seed = t->options.seed, .number = t->step + 1, .update = &update};
    set_learning(t, &step);
    if (!ln_run_step(t->plan, &step)) return explain(t, &batch, error);
    t->step++;
    if (!metrics && !ln_pace_watches(&t->pace)) return LN_OK;
    const ln_metrics found = metrics_of(t, batch.n);
    if (metrics) *metrics = found;
    if (ln_pace_watches(&t->pace)) add_metrics(&t->epoch, &found);
    return LN_OK;
}

/* Rates and losses too are computed in the library's mode, so that they do not depend on the caller's. */
ln_status ln_trainer_step(ln_trainer *t, ln_metrics *metrics, ln_error *error) {
    const uint64_t  mode = ln_fp_enter();
    const ln_status status = take_step(t, metrics, error);
    ln_fp_leave(mode);
    return status;
}

/* ------------------------------------------------------------------ epochs */

static bool tell(const ln_trainer *t, const ln_progress *p) {
    return !t->options.progress || t->options.progress(t->options.user, p);
}

static ln_status run_epoch(ln_trainer *t, ln_progress *p, ln_error *error) {
    double seconds = 0, start = ln_seconds_now();
    p->epoch_done = p->best = p->has_validation = p->has_test = false;
    p->train = (ln_metrics){0};
    for (p->step = 1; p->step <= t->n_steps; p->step++) {
        ln_metrics      m = {0};
        const ln_status status = ln_trainer_step(t, &m, error);
        if (status != LN_OK) return status;
        add_metrics(&p->train, &m);
        p->lr = t->lr;
        p->total_step = t->step;
        p->seconds = seconds + ln_seconds_now() - start;
        seconds = p->seconds;
        if (!tell(t, p))
            return ln_fail(error, LN_E_INTERRUPTED, "training was stopped after step %zu of epoch %zu", p->step,
                           p->epoch);
        start = ln_seconds_now(); /* what the caller shows is not training */
    }
    p->step = t->n_steps;
    return LN_OK;
}

/* The best so far: by accuracy, and by loss where that is equal. */
static bool improves(const ln_metrics *now, const ln_metrics *best) {
    return now->accuracy > best->accuracy || (now->accuracy >= best->accuracy && now->loss < best->loss);
}

static void measure(ln_trainer *t, ln_evaluator *e, ln_progress *p, ln_metrics *best) {
    p->has_validation = t->options.validation != NULL;
    p->has_test = t->options.test != NULL;
    if (p->has_validation) {
        p->validation = ln_evaluator_run(e, t->options.validation, NULL, NULL);
        p->best = improves(&p->validation, best);
        if (p->best) *best = p->validation;
        t->measured = p->validation;
    }
    if (p->has_test) p->test = ln_evaluator_run(e, t->options.test, NULL, NULL);
    p->epoch_done = true;
}

static ln_status run_epochs(ln_trainer *t, ln_evaluator *e, ln_error *error) {
    ln_progress p = {.n_epochs = t->options.epochs, .n_steps = t->n_steps};
    ln_metrics  best = {.accuracy = -1};
    for (p.epoch = 1; p.epoch <= t->options.epochs; p.epoch++) {
        const ln_status status = run_epoch(t, &p, error);
        if (status != LN_OK) return status;
        ln_trainer_swap_average(t);
        measure(t, e, &p, &best);
        const bool goes_on = tell(t, &p);
        ln_trainer_swap_average(t);
        if (!goes_on && p.epoch < t->options.epochs)
            return ln_fail(error, LN_E_INTERRUPTED, "training was stopped after epoch %zu", p.epoch);
    }
    return LN_OK;
}

ln_status ln_train(ln_model *model, const ln_data *data, const ln_train_options *options, ln_error *error) {
    ln_error          found = {0};
    ln_trainer *const t = ln_trainer_new(model, data, options, &found);
    if (!t) {
        if (error) *error = found;
        return found.status;
    }
    ln_evaluator e = {.model = model};
    ln_status    status = LN_OK;
    if (options->validation || options->test)
        status = ln_evaluator_new(model, 64 * (size_t)ln_context_threads(model->context), &e, error);
    if (status == LN_OK) status = run_epochs(t, &e, error);
    ln_trainer_swap_average(t); /* for good */
    ln_evaluator_free(&e);
    ln_trainer_free(t);
    return status;
}
