/* Checking a model: its gradients against differences, and the health of its layers at the present weights.
 *
 * Gradients, in double precision, on the first images: for a value v of a tensor, with L the training's loss,
 *   numeric = (L(v + h) - L(v - h)) / 2h,  error = |numeric - analytic| / max(|numeric|, |analytic|, 1e-3 · largest)
 * where largest is the tensor's largest analytic gradient: below a thousandth of it (and below what rounding of the
 * losses can do) rounding would decide. One random direction d of ±1/sqrt(count) per tensor compares
 * (L(v + hd) - L(v - hd)) / 2h with the sum of gradient · d. Where forward's choices (a ReLU's sign, a maximum's place)
 * differ between the two points there is a kink, and the point is skipped and counted. Pixels get a little noise
 * first: in an even background all maxima are ties, and every point would be a kink.
 *
 * A large network gets fewer entries a tensor; a very large one directions alone, of some tensors and of all at once,
 * by a smaller step, as kinks lie closer the more values there are. */
#include "train/check.h"
#include "base/math.h"
#include "train/predict.h"

#include <stdio.h>
#include <string.h>

enum { CHECK_IMAGES = 16, CHECK_ENTRIES = 64, LEAST_IMAGES = 2, LEAST_ENTRIES = 4, DIRECTION_PROBES = 3 };
static const double check_step = 1e-5, check_tolerance = 1e-5, check_noise = 0.02;
static const char   all_at_once[] = "all at once";
static const double check_work = 2.5e11; /* multiply-accumulates: about a minute */

/* What a comparison needs. */
typedef struct prober {
    ln_plan       *plan;
    const ln_step *step;
    ln_check_scope scope;
    uint64_t       seed;
    size_t         n;       /* images */
    double         weight;  /* of an image's loss in the gradient */
    unsigned char *choices; /* saved bytes of all layers with kinks, at the middle point */
    size_t         n_choices;
    size_t         n_done; /* rows of the result */
    ln_work       *work;
    size_t         n_probes;
    bool           stopped; /* by the watcher: the comparisons that are left look at nothing */
} prober;

static double absolute(double x) { return x < 0 ? -x : x; }

/* ------------------------------------------------------------------ scope */

/* The model's t-th tensor that learns: node and parameter; false behind the last, where the input comes. */
static bool find_tensor(const ln_model *model, size_t t, size_t *node, size_t *param) {
    for (size_t i = 0; i < model->n_nodes; i++) {
        const size_t n = model->node[i]->learning.frozen ? 0 : model->node[i]->n_params;
        if (t < n) {
            *node = i;
            *param = t;
            return true;
        }
        t -= n;
    }
    return false;
}

static size_t least_images(const ln_model *model) {
    size_t most = LEAST_IMAGES;
    for (size_t i = 0; i < model->n_nodes; i++) {
        const ln_node *const node = model->node[i];
        const size_t         least = node->op->least_batch ? node->op->least_batch(node) : 1;
        if (least > most) most = least;
    }
    return most;
}

/* Two probes an entry and a direction. */
static double probes_of(const ln_model *model, size_t entries) {
    size_t n = ln_least(ln_shape_count(model->input), entries) + 1, node, param;
    for (size_t t = 0; find_tensor(model, t, &node, &param); t++)
        n += ln_least(model->node[node]->param[param].count, entries) + 1;
    return 2 * (double)n;
}

ln_check_scope ln_check_scope_of(const ln_model *model) {
    ln_check_scope scope = {.images = CHECK_IMAGES, .entries = CHECK_ENTRIES, .n_tensors = 1};
    double         macs = 1;
    size_t         node, param;
    for (size_t i = 0; i < model->n_nodes; i++) macs += (double)model->node[i]->n_macs;
    while (find_tensor(model, scope.n_tensors - 1, &node, &param)) scope.n_tensors++;
    scope.n_probed = scope.n_tensors;
    const double probes = check_work / (LN_LANES * macs);
    if (probes_of(model, CHECK_ENTRIES) <= probes) return scope;
    scope.images = least_images(model);
    while (scope.entries >= LEAST_ENTRIES && probes_of(model, scope.entries) > probes) scope.entries--;
    if (scope.entries >= LEAST_ENTRIES) return scope;
    scope.entries = 0;
    const double n = probes / DIRECTION_PROBES - 1; /* one goes through all */
    if (n < (double)scope.n_tensors) scope.n_probed = n < 1 ? 1 : (size_t)n;
    return scope;
}

static size_t count_of(const ln_model *model, size_t t) {
    size_t node, param;
    return find_tensor(model, t, &node, &param) ? model->node[node]->param[param].count : ln_shape_count(model->input);
}

size_t ln_check_chosen(const ln_model *model, const ln_check_scope *scope, size_t i) {
    const size_t end = (i + 1) * scope->n_tensors / scope->n_probed;
    size_t       best = i * scope->n_tensors / scope->n_probed;
    for (size_t t = best + 1; t < end; t++)
        if (count_of(model, t) > count_of(model, best)) best = t;
    return best;
}

static bool is_partial(const ln_check_scope *scope) { return scope->n_probed < scope->n_tensors; }

/* Two for each entry and direction; fewer steps than are allowed mostly do. */
static size_t most_probes(const ln_model *model, const ln_check_scope *scope) {
    size_t n = is_partial(scope) ? 2 : 0;
    for (size_t i = 0; i < scope->n_probed; i++)
        n += 2 + 2 * ln_least(count_of(model, ln_check_chosen(model, scope, i)), scope->entries);
    return n;
}

/* ---------------------------------------------------------------- choices */

/* Copies (or compares) what layers with kinks have saved. */
static bool each_choice(const prober *p, unsigned char *copy) {
    size_t at = 0;
    for (size_t i = 0; i < p->plan->n_nodes; i++) {
        const ln_plan_node *const n = &p->plan->node[i];
        if (!(n->node->op->traits & LN_KINKS)) continue;
        const size_t stride = ln_plan_round(n->need.saved), bytes = stride * p->plan->n_blocks;
        if (copy) memcpy(copy + at, ln_run_saved(p->plan, i), bytes);
        else if (memcmp(p->choices + at, ln_run_saved(p->plan, i), bytes) != 0) return false;
        at += bytes;
    }
    return true;
}

static size_t choice_bytes(const ln_plan *plan) {
    size_t bytes = 0;
    for (size_t i = 0; i < plan->n_nodes; i++)
        if (plan->node[i].node->op->traits & LN_KINKS)
            bytes += ln_plan_round(plan->node[i].need.saved) * plan->n_blocks;
    return bytes;
}

/* The losses of the images at the point that lies in memory; false: a kink lies between it and the middle. */
static bool probe(prober *p, double losses[CHECK_IMAGES]) {
    p->stopped = p->stopped || !ln_work_goes_on(p->work, ln_least(p->n_probes++, p->work->n));
    if (p->stopped) return false;
    ln_run_probe(p->plan, p->step);
    memcpy(losses, ln_run_tensor(p->plan, false, p->plan->n_tensors - 1), p->n * sizeof *losses);
    return each_choice(p, NULL);
}

/* Image by image, so that those the value does not touch cancel exactly. */
static double difference(const prober *p, const double *above, const double *below) {
    double sum = 0;
    for (size_t i = 0; i < p->n; i++) sum += above[i] - below[i];
    return sum * p->weight;
}

/* Below this, rounding of the losses decides over a relative error of the tolerance. */
static double rounding_floor(const prober *p) {
    const double *const losses = ln_run_tensor(p->plan, false, p->plan->n_tensors - 1);
    double              largest = 0;
    for (size_t i = 0; i < p->n; i++)
        if (absolute(losses[i]) > largest) largest = absolute(losses[i]);
    return 1e-15 * largest * p->weight * ln_sqrt((double)p->n) / (check_step * check_tolerance);
}

/* ------------------------------------------------------------- comparisons */

/* A tensor to move: count values at values[place(i)], and their gradients. */
typedef struct movable {
    const char    *name;
    size_t         count;
    double        *values;
    const double  *gradients;
    const ln_slot *value_slot, *gradient_slot; /* NULL for parameters: values lie in a row */
} movable;

static double *value_at(const movable *m, size_t i) {
    return &m->values[m->value_slot ? ln_slot_place(m->value_slot, i) : i];
}
static double gradient_at(const movable *m, size_t i) {
    return m->gradients[m->gradient_slot ? ln_slot_place(m->gradient_slot, i) : i];
}

/* Infinite where either is not finite. */
static double relative(double a, double b, double floor) {
    if (!(absolute(a - b) < __builtin_inf())) return __builtin_inf();
    double scale = absolute(a) > absolute(b) ? absolute(a) : absolute(b);
    if (scale < floor) scale = floor;
    return scale > 0 ? absolute(a - b) / scale : 0;
}

static void check_entry(prober *p, const movable *m, size_t i, double floor, ln_check_tensor *out) {
    double *const v = value_at(m, i), middle = *v;
    double        above[CHECK_IMAGES], below[CHECK_IMAGES];
    *v = middle + check_step;
    const bool same = probe(p, above);
    *v = middle - check_step;
    const bool smooth = probe(p, below) && same;
    *v = middle;
    if (!smooth) {
        out->n_skipped++;
        return;
    }
    const double numeric = difference(p, above, below) / (2 * check_step), analytic = gradient_at(m, i);
    const double error = relative(numeric, analytic, floor);
    out->n_checked++;
    if (error <= out->worst && out->n_checked > 1) return;
    out->worst = error;
    out->worst_index = i;
    out->analytic = analytic;
    out->numeric = numeric;
}

static movable movable_at(const prober *p, size_t t) {
    const ln_plan *const  plan = p->plan;
    const ln_model *const model = plan->model;
    size_t                i, k;
    if (find_tensor(model, t, &i, &k))
        return (movable){.name = model->node[i]->param[k].full_name,
                         .count = model->node[i]->param[k].count,
                         .values = ln_run_parameter(plan, i, k),
                         .gradients = ln_run_gradient(plan, i, k)};
    return (movable){.name = "input",
                     .count = p->n * ln_shape_count(model->input),
                     .values = ln_run_tensor(plan, false, 0),
                     .gradients = ln_run_tensor(plan, true, 0),
                     .value_slot = &plan->value[plan->value[0].base],
                     .gradient_slot = &plan->gradient[plan->gradient[0].base]};
}

/* Tensors to move together, each as far as the others. */
typedef struct range {
    size_t first, end;
} range;

static double each_of(const movable *m, range r) { return 1 / ln_sqrt((double)m->count * (double)(r.end - r.first)); }

static ln_random signs_of(const prober *p, size_t t) { return ln_random_at(p->seed, LN_RANDOM_CHECK, (uint32_t)t, 1); }

static void move_all(const prober *p, range r, double by) {
    for (size_t t = r.first; t < r.end; t++) {
        const movable m = movable_at(p, t);
        const double  each = by * each_of(&m, r);
        ln_random     random = signs_of(p, t);
        for (size_t i = 0; i < m.count; i++) *value_at(&m, i) += (ln_random_u32(&random) & 1) ? each : -each;
    }
}

static double slope_of(const prober *p, range r) {
    double sum = 0;
    for (size_t t = r.first; t < r.end; t++) {
        const movable m = movable_at(p, t);
        const double  each = each_of(&m, r);
        ln_random     random = signs_of(p, t);
        for (size_t i = 0; i < m.count; i++) sum += gradient_at(&m, i) * ((ln_random_u32(&random) & 1) ? each : -each);
    }
    return sum;
}

/* Smaller steps while kinks lie within, a few times. */
static void check_direction(prober *p, range r, double floor, ln_check_tensor *out) {
    const double slope = slope_of(p, r);
    out->direction = __builtin_nan("");
    for (double h = p->scope.entries ? check_step : check_step / 10; h >= check_step / 100; h /= 10) {
        double above[CHECK_IMAGES], below[CHECK_IMAGES];
        move_all(p, r, h);
        const bool same = probe(p, above);
        move_all(p, r, -2 * h);
        const bool smooth = probe(p, below) && same;
        move_all(p, r, h);
        if (!smooth) continue;
        out->direction = relative(difference(p, above, below) / (2 * h), slope, floor * check_step / h);
        return;
    }
}

static double largest_gradient(const prober *p, range r) {
    double largest = 0;
    for (size_t t = r.first; t < r.end; t++) {
        const movable m = movable_at(p, t);
        for (size_t i = 0; i < m.count; i++)
            if (absolute(gradient_at(&m, i)) > largest) largest = absolute(gradient_at(&m, i));
    }
    return largest;
}

static void check_tensor(prober *p, size_t t, ln_check_tensor *out) {
    const movable m = movable_at(p, t);
    const range   r = {t, t + 1};
    ln_random     random = ln_random_at(p->seed, LN_RANDOM_CHECK, (uint32_t)t, 0);
    const double  floor = 1e-3 * largest_gradient(p, r) + rounding_floor(p);
    const size_t  n = ln_least(m.count, p->scope.entries);
    *out = (ln_check_tensor){.name = m.name};
    for (size_t k = 0; k < n; k++) /* all of a small tensor, otherwise one of each n-th part */
        check_entry(p, &m, m.count <= n ? k : m.count * k / n + ln_random_below(&random, m.count / n), floor, out);
    check_direction(p, r, floor, out);
}

static void check_together(prober *p, ln_check_tensor *out) {
    const range r = {0, p->scope.n_tensors};
    *out = (ln_check_tensor){.name = all_at_once};
    check_direction(p, r, 1e-3 * largest_gradient(p, r) + rounding_floor(p), out);
}

static void check_tensors(prober *p, ln_check *check) {
    for (; p->n_done < p->scope.n_probed && !p->stopped; p->n_done++)
        check_tensor(p, ln_check_chosen(p->plan->model, &p->scope, p->n_done), &check->tensors[p->n_done]);
    if (is_partial(&p->scope) && !p->stopped) check_together(p, &check->tensors[p->n_done++]);
    check->n_tensors = p->n_done;
}

/* A tensor's verdict: its worst number; a direction that only kinks surround says nothing. */
static double badness(const ln_check_tensor *t) {
    const double worst = t->worst == t->worst ? t->worst : __builtin_inf();
    return t->direction == t->direction && t->direction > worst ? t->direction : worst;
}

static void sort_worst_first(ln_check *check) {
    for (size_t i = 1; i < check->n_tensors; i++)
        for (size_t j = i; j > 0 && badness(&check->tensors[j]) > badness(&check->tensors[j - 1]); j--) {
            const ln_check_tensor swap = check->tensors[j];
            check->tensors[j] = check->tensors[j - 1];
            check->tensors[j - 1] = swap;
        }
}

static ln_status check_gradients(ln_model *model, const ln_batch *batch, const ln_check_scope *scope, uint64_t seed,
                                 ln_check *check, ln_error *error) {
    const ln_plan_options options = {.kernels = ln_kernels_of(LN_ISA_F64),
                                     .batch = batch->n,
                                     .training = true,
                                     .keep_all = true,
                                     .n_threads = ln_context_threads(model->context),
                                     .input_gradient = true};
    const ln_step         step = {.batch = batch, .seed = seed, .number = 1};
    ln_work               work = ln_work_begin(model->context, "checking", most_probes(model, scope));
    prober                p = {.step = &step, .scope = *scope, .seed = seed, .n = batch->n, .work = &work};
    ln_status             status = ln_plan_new(model, &options, &p.plan, error);
    if (status != LN_OK) return status;
    p.weight = model->loss.op->weight(&model->loss, &(ln_labels){.first = batch->labels}, batch->n);
    p.n_choices = choice_bytes(p.plan);
    p.choices = ln_allocate(model->context, p.n_choices);
    if (p.choices) {
        (void)ln_run_step(p.plan, &step); /* a value that is not finite shows as an infinite error */
        each_choice(&p, p.choices);
        check_tensors(&p, check);
        ln_work_end(&work);
        if (p.stopped) status = ln_work_stop(&work, ln_least(p.n_probes - 1, work.n), error);
        sort_worst_first(check);
    } else status = ln_fail_memory(error, "check", p.n_choices);
    ln_release(model->context, p.choices);
    ln_plan_free(p.plan);
    return status;
}

/* ------------------------------------------------------------------ health */

/* What a layer's outputs lie between, as far as that is known: which of its values are at their end. */
typedef struct ends {
    bool   dies, saturates; /* have the words a meaning? */
    double low;             /* of a channel that dies: no value of it is above */
    double below, above;    /* values outside are saturated */
} ends;

static ends ends_of(const ln_node *node) {
    double low = node->op->low, high = node->op->high;
    if (node->op->bounds) node->op->bounds(node, &low, &high);
    const bool   dies = high - low > 1e300;
    const double margin = !dies ? (high - low) / 100 : low < 0 ? -low / 100 : 0;
    return (ends){.dies = dies,
                  .saturates = margin > 0,
                  .low = (double)(float)low,
                  .below = low + margin,
                  .above = dies ? high : high - margin};
}

typedef struct spread {
    double std, dead, saturated;
} spread;

/* Value (c, h, w) of image i. */
static double float_at(const ln_slot *slot, const float *values, size_t image, size_t c, size_t hw) {
    const ln_shape s = slot->shape;
    return (double)values[ln_slot_place(slot, image * ln_shape_count(s) + c * s.h * s.w + hw)];
}

static spread spread_of(const ln_slot *slot, const float *values, size_t n, const ends *e) {
    const ln_shape s = slot->shape;
    const size_t   area = s.h * s.w;
    double         sum = 0, squares = 0, saturated = 0, dead = 0;
    for (size_t c = 0; c < s.c; c++) {
        bool lives = false;
        for (size_t i = 0; i < n; i++)
            for (size_t k = 0; k < area; k++) {
                const double v = float_at(slot, values, i, c, k);
                sum += v;
                squares += v * v;
                lives |= !(v <= e->low);
                saturated += v < e->below || v > e->above;
            }
        dead += !lives;
    }
    const double count = (double)(n * s.c * area), mean = sum / count, variance = squares / count - mean * mean;
    return (spread){.std = ln_sqrt(variance < 0 ? 0 : variance),
                    .dead = e->dies ? dead / (double)s.c : __builtin_nan(""),
                    .saturated = e->saturates ? saturated / count : __builtin_nan("")};
}

/* What a layer's values and gradients are measured by. */
typedef struct beside {
    double input;  /* deviation of the model's input */
    double before; /* the largest deviation among the layer's own inputs */
    bool   learns; /* has it parameters? */
    double top;    /* deviation of the last layer's gradient */
    double least;  /* less than this share of it is too little */
} beside;

/* A gradient is spread over pixels and shared out among weights, so that a small one is no harm by itself: networks of
 * ReLUs learn with 1.2e-4 of the last layer's. Where layers behind it saturate, each takes its part for good: networks
 * with sigmoids learn with 7e-4, and with 3e-4 they hardly do. */
static const double least_values = 1e-3, least_gradient = 1e-4, least_behind_saturating = 5e-4;

static void warn(ln_check_layer *l, const beside *b) {
    if (l->activation_std != l->activation_std || l->activation_std > 1e30)
        snprintf(l->warning, sizeof l->warning, "its values are not finite; the initial weights are far too large");
    else if (l->activation_std < least_values * (b->before < b->input ? b->before : b->input) && !b->learns)
        snprintf(l->warning, sizeof l->warning,
                 "its values hardly differ from image to image (deviation %.1e), though those before it do: it lets "
                 "nothing through, and what lies before it cannot learn",
                 l->activation_std);
    else if (l->activation_std < least_values * b->input)
        snprintf(l->warning, sizeof l->warning,
                 "its values hardly differ from image to image (deviation %.1e): the initial weights are too small, "
                 "learning will stall; try init=kaiming_normal",
                 l->activation_std);
    else if (l->gradient_std < b->least * b->top)
        snprintf(l->warning, sizeof l->warning,
                 "its gradient is %.0e of the last layer's: it vanishes on the way, layers before it will hardly learn",
                 l->gradient_std / b->top);
    else if (l->dead > 0.3)
        snprintf(l->warning, sizeof l->warning,
                 "%.0f %% of its channels are dead: the same for every image, they cannot learn", 100 * l->dead);
    else if (l->saturated > 0.5)
        snprintf(l->warning, sizeof l->warning,
                 "%.0f %% saturated: they pass little gradient; it can train all the same if the gradients are large, "
                 "smaller initial weights are safer",
                 100 * l->saturated);
}

static ln_check_layer look_at(const ln_plan *plan, size_t i, size_t n) {
    const ln_node *const node = plan->model->node[i];
    const ends           none = {0}, e = ends_of(node);
    const spread         value = spread_of(&plan->value[i + 1], ln_run_tensor(plan, false, i + 1), n, &e);
    ln_check_layer       l = {.name = node->name,
                              .op = node->op->name,
                              .activation_std = value.std,
                              .dead = value.dead,
                              .saturated = value.saturated};
    if (plan->gradient[i + 1].used)
        l.gradient_std = spread_of(&plan->gradient[i + 1], ln_run_tensor(plan, true, i + 1), n, &none).std;
    return l;
}

static ln_status check_health(ln_model *model, const ln_batch *batch, ln_check *check, ln_error *error) {
    const ln_plan_options options = {.kernels = ln_context_kernels(model->context),
                                     .batch = batch->n,
                                     .training = true,
                                     .n_threads = ln_context_threads(model->context),
                                     .keep_all = true,
                                     .input_gradient = true}; /* so that layers before the first weights have theirs */
    const ln_step         step = {.batch = batch, .number = 1};
    ln_plan              *plan;
    ln_status             status = ln_plan_new(model, &options, &plan, error);
    if (status != LN_OK) return status;
    (void)ln_run_step(plan, &step);
    for (size_t i = 0; i < model->n_nodes; i++) check->layers[i] = look_at(plan, i, batch->n);
    const ends none = {0};
    beside     b = {.input = spread_of(&plan->value[0], ln_run_tensor(plan, false, 0), batch->n, &none).std,
                    .top = check->layers[model->n_nodes - 1].gradient_std,
                    .least = least_gradient};
    for (size_t i = model->n_nodes; i-- > 0;) {
        const ln_node *const node = model->node[i];
        b.before = 0;
        for (size_t k = 0; k < node->n_inputs; k++) {
            const double std = node->input[k] < 0 ? b.input : check->layers[node->input[k]].activation_std;
            if (std > b.before) b.before = std;
        }
        b.learns = node->n_params > 0;
        warn(&check->layers[i], &b);
        const ln_check_layer *const l = &check->layers[i];
        if (l->saturated == l->saturated && l->dead != l->dead) b.least = least_behind_saturating; /* sigmoid's kind */
    }
    ln_plan_free(plan);
    return LN_OK;
}

/* ----------------------------------------------------------------- the call */

/* A step without a kink was found neither for an entry nor along a direction. */
static bool is_unchecked(const ln_check_tensor *t) { return t->n_checked == 0 && t->direction != t->direction; }

/* What has been found right: everything, or less than that. */
static void describe_gradients(const ln_check *c, const ln_check_scope *scope, char *text, size_t size) {
    bool   together = false;
    size_t left_out = 0;
    for (size_t i = 0; i < c->n_tensors; i++) {
        const bool is_all = is_partial(scope) && strcmp(c->tensors[i].name, all_at_once) == 0;
        together |= is_all && !is_unchecked(&c->tensors[i]);
        left_out += !is_all && is_unchecked(&c->tensors[i]);
    }
    char skipped[60] = "";
    if (left_out > 0)
        snprintf(skipped, sizeof skipped, "; %zu tensor%s, all at kinks, not checked", left_out,
                 left_out == 1 ? "" : "s");
    const int n = snprintf(text, size, "gradients are right (worst %.1e%s)", badness(&c->tensors[0]), skipped);
    if (is_partial(scope))
        snprintf(text + n, size - (size_t)n, " along a direction in %zu of %zu tensors%s", scope->n_probed,
                 scope->n_tensors, together ? " and through all of them" : "");
}

static void give_verdict(ln_check *c, const ln_check_scope *scope) {
    const ln_check_tensor *const worst = &c->tensors[0];
    char                         right[160];
    size_t                       warned = 0;
    for (size_t i = 0; i < c->n_layers; i++) warned += c->layers[i].warning[0] != 0;
    c->tolerance = check_tolerance;
    c->passed = badness(worst) <= check_tolerance;
    describe_gradients(c, scope, right, sizeof right);
    if (!c->passed)
        snprintf(c->verdict, sizeof c->verdict, "gradients are wrong: %s is off by %.1e, more than %.0e", worst->name,
                 badness(worst), check_tolerance);
    else if (warned > 0)
        snprintf(c->verdict, sizeof c->verdict, "%s; %zu layer%s need%s a look", right, warned, warned == 1 ? "" : "s",
                 warned == 1 ? "s" : "");
    else snprintf(c->verdict, sizeof c->verdict, "%s, and all layers are healthy", right);
}

/* The first images of a batch as floats, preprocessed, with noise. */
static ln_batch with_noise(const ln_batch *batch, size_t most, const ln_model *model, uint64_t seed, float *pixels,
                           const void **rows) {
    const size_t         each = ln_shape_count(model->input);
    const ln_preprocess *pre = &batch->preprocess;
    ln_batch             few = *batch;
    ln_random            random = ln_random_at(seed, LN_RANDOM_CHECK, UINT32_MAX, 0);
    if (few.n > most) few.n = most;
    for (size_t i = 0; i < few.n; i++) {
        for (size_t k = 0; k < each; k++) {
            const double stored =
                batch->is_float ? (double)((const float *)batch->rows[i])[k] : ((const uint8_t *)batch->rows[i])[k];
            pixels[i * each + k] = (float)((stored * pre->scale - pre->mean) / pre->std +
                                           check_noise * (2 * ln_random_uniform(&random) - 1));
        }
        rows[i] = pixels + i * each;
    }
    few.rows = rows;
    few.is_float = true;
    few.preprocess = (ln_preprocess){1, 0, 1};
    return few;
}

static ln_status fill_check(ln_model *model, const ln_data *data, size_t batch, uint64_t seed, ln_check *check,
                            ln_error *error) {
    const ln_check_scope scope = ln_check_scope_of(model);
    ln_batch_room        room = {0};
    const size_t         n = ln_data_describe(data).n, most = ln_least(batch, n);
    const size_t         n_bytes = CHECK_IMAGES * ln_shape_count(model->input) * sizeof(float);
    const void          *rows[CHECK_IMAGES];
    float *const         pixels = ln_allocate(model->context, n_bytes);
    ln_status            status =
        pixels ? ln_batch_room_new(model->context, most, &room, error) : ln_fail_memory(error, "check", n_bytes);
    if (status == LN_OK) {
        const ln_batch all = ln_batch_of(&room, model, data, NULL, 0, most);
        const ln_batch few = with_noise(&all, scope.images, model, seed, pixels, rows);
        status = check_gradients(model, &few, &scope, seed, check, error);
        if (status == LN_OK) status = check_health(model, &all, check, error);
        if (status == LN_OK) give_verdict(check, &scope);
    }
    ln_batch_room_free(model->context, &room);
    ln_release(model->context, pixels);
    return status;
}

ln_check *ln_check_new(ln_model *model, const ln_data *data, size_t batch, uint64_t seed, ln_error *error) {
    if (ln_model_finish(model, error) != LN_OK || ln_batch_check("check", model, data, true, error) != LN_OK)
        return NULL;
    if (batch < 1 || batch > LN_MAX_BATCH) {
        ln_fail(error, LN_E_ARGUMENT, "check: batch=%zu is outside 1 to %d", batch, LN_MAX_BATCH);
        return NULL;
    }
    const size_t n_tensors = ln_model_parameter_count(model) + 2; /* at most: the input, and all at once */
    const size_t n_bytes =
        sizeof(ln_check) + n_tensors * sizeof(ln_check_tensor) + model->n_nodes * sizeof(ln_check_layer);
    ln_check *const check = ln_allocate_zeroed(model->context, n_bytes);
    if (!check) {
        ln_fail_memory(error, "check", n_bytes);
        return NULL;
    }
    check->context = model->context;
    check->n_tensors = n_tensors;
    check->n_layers = model->n_nodes;
    check->tensors = (ln_check_tensor *)(void *)(check + 1);
    check->layers = (ln_check_layer *)(void *)(check->tensors + n_tensors);
    const uint64_t  mode = ln_fp_enter();
    const ln_status status = fill_check(model, data, batch, seed, check, error);
    ln_fp_leave(mode);
    if (status == LN_OK) return check;
    ln_check_free(check);
    return NULL;
}

void ln_check_free(ln_check *check) {
    if (check) ln_release(check->context, check);
}
