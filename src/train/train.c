/* Training: the order of the images, steps, epochs, and what is said when a value is not finite. */
#include "base/clock.h"
#include "base/math.h"
#include "train/checkpoint.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ------------------------------------------------------------------ making */

/* What a refusal blames: *option, where somebody asks. */
static ln_status blame(const char **option, const char *name, ln_status status) {
    if (option && status != LN_OK) *option = name;
    return status;
}

static ln_status check_numbers(const ln_train_options *o, const char **option, ln_error *error) {
    const struct {
        const char *name;
        double      value, high;
    } numbers[] = {{"clip_norm", o->clip_norm, 1e30},
                   {"clip_value", o->clip_value, 1e30},
                   {"l2", o->l2, 1e6},
                   {"ema", o->ema, 0.999999},
                   {"min_delta", o->min_delta, 1e30}};
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        if (!(numbers[i].value >= 0 && numbers[i].value <= numbers[i].high))
            return blame(option, numbers[i].name,
                         ln_fail(error, LN_E_ARGUMENT, "train: %s=%g is outside 0 to %g", numbers[i].name,
                                 numbers[i].value, numbers[i].high));
    if (o->min_delta > 0 && o->patience == 0)
        return blame(option, "min_delta",
                     ln_fail(error, LN_E_ARGUMENT,
                             "train: min_delta=%g is for early stopping, and without patience nothing is stopped: give "
                             "patience too, or leave min_delta out",
                             o->min_delta));
    return LN_OK;
}

static ln_status check_options(const ln_train_options *o, const char **option, ln_error *error) {
    if (o->size < sizeof *o)
        return ln_fail(error, LN_E_ARGUMENT, "train: options.size is %zu; start from LN_TRAIN_OPTIONS", o->size);
    if (o->batch < 1 || o->batch > LN_MAX_BATCH)
        return blame(option, "batch",
                     ln_fail(error, LN_E_ARGUMENT, "train: batch=%zu is outside 1 to %d", o->batch, LN_MAX_BATCH));
    if (o->epochs < 1 || o->epochs > 1000000)
        return blame(option, "epochs",
                     ln_fail(error, LN_E_ARGUMENT, "train: epochs=%zu is outside 1 to 1000000", o->epochs));
    if (o->checkpoint_seconds != o->checkpoint_seconds || o->checkpoint_seconds < 0)
        return blame(option, "checkpoint_seconds",
                     ln_fail(error, LN_E_ARGUMENT, "train: checkpoint_seconds=%g is below 0", o->checkpoint_seconds));
    if ((o->resume || o->n_own > 0) && !o->checkpoint)
        return blame(option, "checkpoint",
                     ln_fail(error, LN_E_ARGUMENT,
                             "train: resume and n_own are about a checkpoint: give its path by options.checkpoint"));
    if (o->n_own > 0 && !o->own)
        return blame(option, "own", ln_fail(error, LN_E_ARGUMENT, "train: n_own=%zu, but own is NULL", o->n_own));
    if (o->n_own > LN_CHECKPOINT_OWN)
        return blame(option, "n_own",
                     ln_fail(error, LN_E_ARGUMENT, "train: n_own=%zu is greater than %d", o->n_own, LN_CHECKPOINT_OWN));
    if (o->every > 1000000)
        return blame(option, "every",
                     ln_fail(error, LN_E_ARGUMENT, "train: every=%zu is outside 1 to 1000000", o->every));
    return check_numbers(o, option, error);
}

static ln_status check_learns(const ln_model *model, ln_error *error) {
    bool has = false;
    for (size_t i = 0; i < model->n_nodes; i++) {
        if (model->node[i]->n_params > 0 && !model->node[i]->learning.frozen) return LN_OK;
        has |= model->node[i]->n_params > 0;
    }
    return ln_fail(error, LN_E_ARGUMENT, "train: there is nothing to learn, as %s",
                   has ? "all layers with parameters are frozen: leave frozen out of one"
                       : "no layer has parameters: add one, such as linear");
}

/* What the layer whose values the loss takes gives: probabilities where they lie in 0 to 1, whatever made them. */
static ln_meaning meaning_of(const ln_node *node) {
    double low = node->op->low, high = node->op->high;
    if (node->op->meaning != LN_ANY_VALUES) return node->op->meaning;
    if (node->op->bounds) node->op->bounds(node, &low, &high);
    return low >= 0 && high > low && high <= 1 ? LN_PROBABILITIES : LN_ANY_VALUES;
}

static ln_status check_loss(const ln_model *model, ln_error *error) {
    const ln_node *const loss = &model->loss, *last = model->node[model->n_nodes - 1];
    while (last->op->traits & LN_VIEW && last->input[0] >= 0) last = model->node[last->input[0]];
    const ln_meaning is = meaning_of(last), wanted = loss->op->meaning;
    if (wanted == LN_LOGITS && (last->op->meaning == LN_PROBABILITIES || is == LN_LOG_PROBABILITIES))
        return ln_fail_node(error, LN_E_ARGUMENT, loss,
                            "it makes probabilities of its input itself, and layer %s (%s) has done so before: leave "
                            "that layer out%s",
                            last->name, last->op->name, is == LN_LOG_PROBABILITIES ? ", or take the loss nll" : "");
    if (wanted == LN_PROBABILITIES && is != LN_PROBABILITIES)
        return ln_fail_node(error, LN_E_ARGUMENT, loss,
                            "its input must be probabilities, and layer %s (%s) gives any values: end the model with "
                            "sigmoid, or take the loss bce_with_logits",
                            last->name, last->op->name);
    if (wanted == LN_LOG_PROBABILITIES && is != LN_LOG_PROBABILITIES)
        return ln_fail_node(error, LN_E_ARGUMENT, loss,
                            "its input must be logarithms of probabilities, and layer %s (%s) gives none: end the "
                            "model with log_softmax, or with linear and the loss cross_entropy",
                            last->name, last->op->name);
    return LN_OK;
}

static ln_status check_data(const ln_trainer *t, ln_error *error) {
    const ln_train_options *const o = &t->options;
    ln_status                     status = ln_batch_check("train", t->model, t->data, true, error);
    if (status == LN_OK && o->validation)
        status = ln_batch_check("train: validation", t->model, o->validation, true, error);
    if (status == LN_OK && o->test) status = ln_batch_check("train: test", t->model, o->test, true, error);
    return status;
}

/* Outputs are called as the data call their classes, or 0, 1, …, unless someone has named them. */
static ln_status name_classes(ln_model *model, const ln_data *data, ln_error *error) {
    const size_t n = ln_model_class_count(model), each = 24;
    if (ln_model_class(model, 0)) return LN_OK;
    char *const text = ln_allocate(model->context, n * (each + sizeof(char *)));
    if (!text) return ln_fail_memory(error, "classes", n * (each + sizeof(char *)));
    const char **const names = (const char **)(void *)text;
    for (size_t i = 0; i < n; i++) {
        char *const       name = text + n * sizeof(char *) + i * each;
        const char *const own = ln_data_class_name(data, (int)i);
        snprintf(name, each, "%d", ln_data_class(data, (int)i));
        names[i] = own ? own : name;
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

static size_t copy_bytes(const ln_model *model, const ln_train_options *o) {
    return o->restore_best ? ln_copy_count(model) * sizeof(float) : 0;
}

static ln_status read_augment(ln_trainer *t, ln_error *error) {
    const ln_node *const loss = &t->model->loss;
    const ln_status      status = ln_augment_parse(t->options.augment, &t->augment, error);
    if (status == LN_OK && ln_augment_mixes(&t->augment) && !(loss->op->traits & LN_MIXES))
        return ln_fail_node(error, LN_E_UNSUPPORTED, loss,
                            "it takes one label of an image, and augmentation %s gives images two: leave that out, or "
                            "take the loss cross_entropy",
                            t->augment.step[t->augment.mix].kind->name);
    if (status != LN_OK || !t->data) return status;
    const ln_frame frame = ln_frame_of(t->data);
    return ln_augment_check(&t->augment, &frame, error);
}

static ln_status read_schedule(ln_trainer *t, ln_error *error) {
    const ln_status status = ln_schedule_parse(t->options.schedule, &t->pace, error);
    return status == LN_OK ? ln_pace_check(&t->pace, t->base, t->options.epochs, error) : status;
}

/* Steps and their sizes; the last step of an epoch may have fewer images. */
static ln_status cut_epoch(ln_trainer *t, ln_error *error) {
    if (t->data) {
        t->n = ln_data_describe(t->data).n;
        if (t->options.batch > t->n) t->options.batch = t->n;
        t->n_steps = (t->n + t->options.batch - 1) / t->options.batch;
    }
    const size_t    last = t->n % t->options.batch;
    const ln_status status = ln_plan_check_batch(t->model, t->options.batch, error);
    return status == LN_OK && last > 0 ? ln_plan_check_batch(t->model, last, error) : status;
}

/* All that can be refused before memory is asked for; without data (NULL), all that does not depend on them. */
static ln_status settle(ln_trainer *t, const char **option, ln_error *error) {
    ln_status status = check_options(&t->options, option, error);
    if (status == LN_OK) status = ln_model_finish(t->model, error);
    if (status == LN_OK) status = check_learns(t->model, error);
    if (status == LN_OK) status = blame(option, "loss", check_loss(t->model, error));
    if (status == LN_OK && t->data) status = check_data(t, error);
    if (status == LN_OK) status = blame(option, "monitor", ln_monitor_new(&t->options, &t->monitor, error));
    if (status == LN_OK)
        status = blame(option, "optimizer",
                       ln_optimizer_parse(t->options.optimizer, &t->optimizer, t->optimizer_args, error));
    if (status != LN_OK) return status;
    t->base = ln_optimizers[t->optimizer]->lr(t->optimizer_args);
    status = blame(option, "schedule", read_schedule(t, error));
    if (status == LN_OK) status = blame(option, "augment", read_augment(t, error));
    return status == LN_OK ? blame(option, "batch", cut_epoch(t, error)) : status;
}

ln_status ln_train_check(ln_model *model, const ln_data *data, const ln_train_options *options, const char **option,
                         ln_error *error) {
    ln_trainer t = {.model = model, .data = data, .options = *options};
    if (option) *option = NULL;
    return settle(&t, option, error);
}

static ln_status make(ln_trainer *t, ln_error *error) {
    ln_status status = settle(t, NULL, error);
    if (status == LN_OK) status = name_classes(t->model, t->data, error);
    if (status != LN_OK) return status;
    ln_context *const     context = t->model->context;
    const ln_plan_options options =
        plan_options(t->model, &t->options, t->options.batch, t->optimizer, t->optimizer_args);
    status = ln_plan_new(t->model, &options, &t->plan, error);
    if (status == LN_OK) status = ln_batch_room_new(context, t->options.batch, &t->room, error);
    if (status == LN_OK && t->augment.n > 0)
        status = ln_batch_room_augmented(context, t->data, &t->augment, &t->room, error);
    if (status == LN_OK && !(t->order = ln_allocate(context, t->n * sizeof *t->order)))
        status = ln_fail_memory(error, "train", t->n * sizeof *t->order);
    const size_t n_copy = copy_bytes(t->model, &t->options);
    if (status == LN_OK && n_copy > 0 && !(t->best = ln_allocate(context, n_copy)))
        status = ln_fail_memory(error, "train", n_copy);
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
    ln_keeper_free(trainer->keeper);
    ln_plan_free(trainer->plan);
    ln_batch_room_free(context, &trainer->room);
    ln_release(context, trainer->order);
    ln_release(context, trainer->best);
    ln_release(context, trainer);
}

size_t ln_trainer_steps_per_epoch(const ln_trainer *trainer) { return trainer->n_steps; }

size_t ln_trainer_memory(const ln_trainer *trainer) {
    return trainer->plan->n_bytes + copy_bytes(trainer->model, &trainer->options);
}

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
    status = ln_plan_measure(writable, &plan, &found.training, &found.training_threads, error);
    found.training += copy_bytes(model, options);
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
    if (bad == -1)
        return ln_fail(error, LN_E_NOT_FINITE,
                       "step %llu: %s as scale, mean and std make them (%g, %g, %g), so nothing was updated: correct "
                       "the images, or these (data.scale, data.normalize)",
                       (unsigned long long)t->step + 1, what, t->model->preprocess.scale, t->model->preprocess.mean,
                       t->model->preprocess.std);
    return ln_fail(error, LN_E_NOT_FINITE,
                   "step %llu: %s, so nothing was updated: the rate lr=%g is probably too high or the initial weights "
                   "too large; try lr=%g or another init",
                   (unsigned long long)t->step + 1, what, t->lr, t->lr / 10);
}

/* ------------------------------------------------------------------- steps */

void ln_trainer_begin_epoch(ln_trainer *t, uint64_t epoch) {
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

/* Tells the pace what the epoch before this step has come to; where validation images are measured, only of epochs
 * after which they were. */
static void watch_epoch(ln_trainer *t) {
    if (t->step > 0 && (!t->validates || t->measured.n > 0))
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
        ln_trainer_begin_epoch(t, epoch);
    }
    const ln_batch batch =
        ln_batch_of(&t->room, t->model, t->data, t->order + first, 0, ln_least(left, t->options.batch));
    if (t->augment.n > 0)
        ln_batch_augment(t->model->context->threads, t->plan->n_threads, &t->room, &t->augment,
                         (ln_occasion){.seed = t->options.seed, .epoch = epoch, .among = t->data}, batch.n);
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

/* The best so far: by accuracy, and by loss where that is equal. */
static bool improves(const ln_metrics *now, const ln_metrics *best) {
    return now->accuracy > best->accuracy || (now->accuracy >= best->accuracy && now->loss < best->loss);
}

static ln_status gauge_new(const ln_trainer *t, ln_gauge *g, ln_error *error) {
    ln_context *const context = t->model->context;
    const size_t      n_bytes = LN_LANES * ln_model_outputs(t->model) * sizeof(float);
    *g = (ln_gauge){.evaluator = {.model = t->model}, .best = {.accuracy = -1}};
    const uint64_t mode = ln_fp_enter();
    g->first_squares = ln_weight_squares(t->model);
    g->n_frequent = ln_most_frequent(t->data);
    const double n_frequent = (double)g->n_frequent, n = (double)t->n;
    g->n_guessed = g->n_frequent + (size_t)(2 * ln_sqrt(n_frequent * (n - n_frequent) / n));
    ln_fp_leave(mode);
    g->outputs = ln_allocate(context, n_bytes);
    if (!g->outputs) return ln_fail_memory(error, "train", n_bytes);
    if (!t->options.validation && !t->options.test) return LN_OK;
    return ln_evaluator_new(t->model, 64 * (size_t)ln_context_threads(context), &g->evaluator, error);
}

static void gauge_free(const ln_trainer *t, ln_gauge *g) {
    ln_release(t->model->context, g->outputs);
    ln_evaluator_free(&g->evaluator);
}

static double spread_of(const ln_trainer *t, const ln_gauge *g, size_t n) {
    return n < 2 ? -1 : ln_output_spread(t->plan, n, g->outputs); /* an image cannot be compared with itself */
}

/* Weights as long as they were. */
static bool is_still(const ln_trainer *t, const ln_gauge *g) {
    if (g->first_squares <= 0) return false;
    const double change = ln_weight_squares(t->model) / g->first_squares - 1;
    return change < 2 * LN_STALL_CHANGE && change > -2 * LN_STALL_CHANGE;
}

/* Of outputs that are the same for all images: what became of them? */
static ln_stall lost_or_small(const ln_gauge *g) {
    return g->first_spread >= LN_STALL_SPREAD ? LN_STALL_LOST : g->first_spread > 0 ? LN_STALL_SMALL : LN_STALL_NOTHING;
}

/* After a measured epoch. Outputs that are the same are looked for in every epoch, as a network may die late; hits
 * alone once, in the first epoch that ends after so many steps that they should have shown something. */
static ln_stall stall_of(const ln_trainer *t, ln_gauge *g, const ln_progress *p) {
    const double spread = g->spread;
    const bool   same = g->first_spread >= 0 && spread >= 0 && spread < LN_STALL_SPREAD, first = !g->measured;
    const bool   enough = p->total_step >= LN_STALL_STEPS && p->epoch * t->n >= LN_STALL_IMAGES;
    const bool   look = enough && !g->weighed;
    const bool   guesses = enough && p->train.n_correct <= g->n_guessed;
    g->measured = true;
    g->weighed |= enough;
    if (same && (guesses || (first && is_still(t, g)))) return lost_or_small(g);
    return guesses && look ? LN_STALL_GUESSING : LN_STALL_NONE;
}

static void measure(ln_trainer *t, ln_gauge *g, ln_progress *p) {
    const uint64_t mode = ln_fp_enter();
    p->has_validation = t->options.validation != NULL;
    p->has_test = t->options.test != NULL;
    if (p->has_validation) {
        p->validation = ln_evaluator_run(&g->evaluator, t->options.validation, NULL, NULL);
        p->best = improves(&p->validation, &g->best);
        if (p->best) g->best = p->validation;
        t->measured = p->validation;
    }
    if (p->has_test) p->test = ln_evaluator_run(&g->evaluator, t->options.test, NULL, NULL);
    p->most_frequent = (double)g->n_frequent / (double)t->n;
    if (!g->stalled) p->stalled = stall_of(t, g, p);
    g->stalled |= p->stalled != LN_STALL_NONE;
    ln_monitor_observe(&t->monitor, p);
    if (t->best && p->monitor_best) {
        ln_copy_take(t->model, t->best);
        t->has_best = true;
    }
    p->epoch_done = true;
    ln_fp_leave(mode);
}

/* What is told of an epoch that begins. */
static void open_epoch(ln_progress *p) {
    p->epoch_done = p->best = p->has_validation = p->has_test = p->monitor_best = false;
    p->stalled = LN_STALL_NONE;
    p->train = (ln_metrics){0};
    p->seconds = 0;
}

/* The steps of p's epoch that are left. */
static ln_status run_epoch(ln_trainer *t, ln_gauge *g, ln_progress *p, ln_error *error) {
    const uint64_t begin = (p->epoch - 1) * t->n_steps;
    double         start = ln_seconds_now();
    if (t->step == begin) open_epoch(p);
    double seconds = p->seconds;
    for (p->step = t->step - begin + 1; p->step <= t->n_steps; p->step++) {
        ln_status status = ln_trainer_step(t, &p->batch, error);
        if (status != LN_OK) return status;
        if (t->step == 1) g->first_spread = spread_of(t, g, p->batch.n);
        if (p->step == t->n_steps) g->spread = spread_of(t, g, p->batch.n);
        add_metrics(&p->train, &p->batch);
        p->lr = t->lr;
        p->total_step = t->step;
        p->seconds = seconds + ln_seconds_now() - start;
        seconds = p->seconds;
        if (!tell(t, p))
            return ln_fail(error, LN_E_INTERRUPTED, "training was stopped after step %zu of epoch %zu", p->step,
                           p->epoch);
        status = ln_keeper_tick(t->keeper, false, error);
        if (status != LN_OK) return status;
        start = ln_seconds_now(); /* what the caller shows is not training */
    }
    p->step = t->n_steps;
    return LN_OK;
}

/* The first epoch with something left to do: after its last step it may still have to be measured. */
static size_t epoch_to_run(const ln_trainer *t) {
    return t->step == 0 ? 1 : (size_t)((t->step - 1) / t->n_steps) + 1 + t->now.epoch_done;
}

static ln_status run_epochs(ln_trainer *t, ln_gauge *g, ln_error *error) {
    const size_t       every = t->options.every > 0 ? t->options.every : 1;
    ln_progress *const p = &t->now;
    p->n_epochs = t->options.epochs;
    p->n_steps = t->n_steps;
    for (p->epoch = epoch_to_run(t); p->epoch <= t->options.epochs && !p->stopped; p->epoch++) {
        ln_status status = run_epoch(t, g, p, error);
        if (status != LN_OK) return status;
        if (p->epoch % every != 0 && p->epoch < t->options.epochs) continue;
        ln_trainer_swap_average(t);
        measure(t, g, p);
        const bool goes_on = tell(t, p);
        ln_trainer_swap_average(t);
        if (!goes_on && p->epoch < t->options.epochs && !p->stopped)
            return ln_fail(error, LN_E_INTERRUPTED, "training was stopped after epoch %zu", p->epoch);
        status = ln_keeper_tick(t->keeper, true, error);
        if (status != LN_OK) return status;
    }
    return LN_OK;
}

/* From the beginning, or from the checkpoint that is there, to the end, with the last checkpoint on the disk; also of a
 * training that was broken off. After a step that was not finite the one before it stays. */
static ln_status run_all(ln_trainer *t, ln_error *error) {
    const ln_train_options *const o = &t->options;
    ln_status                     status = o->checkpoint ? ln_keeper_new(t, error) : LN_OK;
    t->validates = o->validation != NULL;
    if (status == LN_OK && o->resume && o->checkpoint && access(o->checkpoint, F_OK) == 0)
        status = ln_trainer_restore(t, o->checkpoint, error);
    if (status != LN_OK) return status;
    status = run_epochs(t, &t->gauge, error);
    if (status != LN_OK && status != LN_E_INTERRUPTED) return status;
    ln_error        found;
    const ln_status kept = ln_keeper_settle(t->keeper, status != LN_OK, &found);
    if (kept == LN_OK) return status;
    if (error) *error = found;
    return kept;
}

/* To choose by the test images is allowed, and said. */
static void warn_of_test(const ln_trainer *t) {
    if (ln_monitor_tests(&t->monitor) && (t->options.patience > 0 || t->options.restore_best))
        ln_warn(t->model->context,
                "monitor=%s chooses by the test images, so what they measure is too good to be true of new images: "
                "split off validation images to choose by",
                t->options.monitor);
}

ln_status ln_train(ln_model *model, const ln_data *data, const ln_train_options *options, ln_error *error) {
    ln_error          found = {0};
    ln_trainer *const t = ln_trainer_new(model, data, options, &found);
    if (!t) {
        if (error) *error = found;
        return found.status;
    }
    ln_gauge *const g = &t->gauge;
    ln_status       status = gauge_new(t, g, error);
    if (status == LN_OK) {
        warn_of_test(t);
        status = run_all(t, error);
    }
    ln_trainer_swap_average(t); /* for good */
    if (status == LN_OK && t->has_best) ln_copy_put_back(model, t->best);
    gauge_free(t, g);
    ln_trainer_free(t);
    return status;
}
