/* cmd_bench.c: linnet bench RECIPE.
 *
 * Rounds of short runs, each between measurements of the FMA peak, so that a machine that changes its pace changes it
 * for both. A figure is the median of the rounds, of which slow networks have fewer; the peak is the best of all.
 *
 * Work, at 2 floating-point operations a multiply-accumulate: inference counts a layer's MACs once; training counts
 * them for the forward pass, for the gradient of the parameters where there are any, and for the gradient of the
 * input, which the first layer has none of. */
#include "cli.h"
#include "images.h"
#include "progress.h"
#include "recipe.h"
#include "terminal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    N_ROUNDS = 7,
    LEAST_ROUNDS = 3,
    LARGE_IMAGE = 1 << 14,
    N_LAYER_RUNS = 31,
    LAYER_SECONDS = 2,
    INFERENCE_BATCH = 64
};
static const double run_seconds = 0.15;

/* The same training with one number of threads: a context of its own and everything in it. */
typedef struct side {
    ln_context *context;
    ln_model   *model;
    ln_data    *data; /* of the one-threaded side; the other trains on what was opened */
    ln_trainer *trainer;
} side;

typedef struct bench {
    recipe        recipe;
    recipe_data   opened;
    pool          owner;
    side          all, one;
    size_t        batch, n_images; /* images to predict */
    size_t        n_rounds;
    float        *images, *logits;
    ln_predictor *many, *single;          /* batch 64 on all threads, batch 1 on one */
    double        train_macs, infer_macs; /* an image */
} bench;

typedef enum figure { TRAIN, TRAIN_ONE, INFER, LATENCY, PEAK, PEAK_ONE, N_FIGURES } figure;
typedef struct results {
    double rounds[N_FIGURES][N_ROUNDS], value[N_FIGURES], scaling;
} results;

/* --------------------------------------------------------------------- set up */

/* How often a layer's MACs are done again going back: for its parameters, and for its input where layers before it
 * have parameters that want to know. */
static double backward_times(const ln_model *model, size_t layer) {
    bool behind = false;
    for (size_t i = 0; i < layer; i++) behind |= ln_model_layer(model, i).n_parameters > 0;
    return (ln_model_layer(model, layer).n_parameters > 0) + behind;
}

static void count_work(bench *b) {
    for (size_t i = 0; i < ln_model_layer_count(b->all.model); i++) {
        const ln_layer_info l = ln_model_layer(b->all.model, i);
        const double        macs = (double)l.n_macs;
        b->infer_macs += macs;
        b->train_macs += macs * (1 + backward_times(b->all.model, i));
    }
}

static bool start_side(bench *b, side *s, const ln_data *data, ln_error *error) {
    ln_train_options options = LN_TRAIN_OPTIONS;
    options.batch = b->batch;
    options.epochs = 1000000; /* the schedule's end is never reached */
    options.optimizer = b->recipe.item[KEY_train_optimizer].text;
    options.schedule = b->recipe.item[KEY_train_schedule].text;
    if (ln_model_set_preprocess(s->model, ln_model_preprocess(b->all.model), error) != LN_OK) return false;
    if (ln_model_initialize(s->model, (uint64_t)b->recipe.item[KEY_train_seed].number, error) != LN_OK) return false;
    s->trainer = ln_trainer_new(s->model, data, &options, error);
    return s->trainer != NULL;
}

static bool open_all(bench *b, ln_error *error) {
    b->batch = (size_t)b->recipe.item[KEY_data_batch].number;
    b->all.model = recipe_model(&b->recipe, b->all.context, error);
    if (!b->all.model || !recipe_open_training(&b->recipe, b->all.context, b->all.model, &b->opened, error))
        return false;
    return start_side(b, &b->all, b->opened.train, error);
}

/* One context has one user at a time: the second side has the images as its own. */
static bool open_one(bench *b, ln_error *error) {
    const size_t n = ln_data_describe(b->opened.train).n;
    b->one.model = recipe_model(&b->recipe, b->one.context, error);
    if (!b->one.model) return false;
    b->one.data = images_part(b->one.context, b->opened.train, 0, n, false, &b->owner, error);
    return b->one.data && start_side(b, &b->one, b->one.data, error);
}

static bool open_predictors(bench *b, ln_error *error) {
    const ln_data_info info = ln_data_describe(b->opened.train);
    const size_t       each = info.c * info.h * info.w, most = (each > LARGE_IMAGE ? 2 : 16) * INFERENCE_BATCH;
    b->n_images = info.n < most ? info.n : most;
    b->images = images_floats(b->opened.train, b->n_images, ln_model_preprocess(b->all.model));
    b->logits = take(INFERENCE_BATCH * ln_model_outputs(b->all.model), sizeof *b->logits);
    b->many = ln_predictor_new(b->all.model, INFERENCE_BATCH, error);
    if (b->many) b->single = ln_predictor_new(b->one.model, 1, error);
    return b->single != NULL;
}

static void release(bench *b) {
    ln_predictor_free(b->many);
    ln_predictor_free(b->single);
    side *const sides[] = {&b->one, &b->all};
    for (size_t i = 0; i < 2; i++) {
        ln_trainer_free(sides[i]->trainer);
        ln_data_free(sides[i]->data);
        ln_model_free(sides[i]->model);
    }
    recipe_data_free(&b->opened);
    ln_context_free(b->one.context);
    ln_context_free(b->all.context);
    free(b->images);
    free(b->logits);
    pool_free(&b->owner);
    recipe_free(&b->recipe);
}

/* ------------------------------------------------------------------ measuring */

/* Images a second of training. */
static bool time_training(ln_trainer *trainer, double *rate, ln_error *error) {
    size_t       n = 0;
    ln_metrics   m;
    const double start = seconds_now();
    double       now = start;
    for (; now - start < run_seconds; now = seconds_now()) {
        if (ln_trainer_step(trainer, &m, error) != LN_OK) return false;
        n += m.n;
    }
    *rate = (double)n / (now - start);
    return true;
}

/* Images a second of predicting `batch` at a time. The clock is looked at after 8 runs, or after a long one. */
static bool time_predictor(const bench *b, ln_predictor *predictor, size_t batch, double *rate, ln_error *error) {
    size_t c, h, w, n = 0, at = 0, runs = 1;
    ln_model_input_shape(b->all.model, &c, &h, &w);
    const size_t step = batch < b->n_images ? batch : b->n_images;
    const double start = seconds_now();
    double       now = start;
    for (; now - start < run_seconds; now = seconds_now()) {
        if (n > 0 && now - start < run_seconds / 64) runs = 8;
        for (size_t i = 0; i < runs; i++, n += step, at = at + 2 * step <= b->n_images ? at + step : 0)
            if (ln_predictor_run(predictor, b->images + at * c * h * w, step, b->logits, error) != LN_OK) return false;
    }
    *rate = (double)n / (now - start);
    return true;
}

static int by_value(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *values, size_t n) {
    qsort(values, n, sizeof *values, by_value);
    return values[n / 2];
}

static bool time_round(const bench *b, results *r, size_t round, ln_error *error) {
    double   *at[N_FIGURES];
    const int n_threads = ln_context_threads(b->all.context);
    for (size_t f = 0; f < N_FIGURES; f++) at[f] = &r->rounds[f][round];
    bool good = ln_measure_fma_peak(b->one.context, 1, at[PEAK_ONE], error) == LN_OK &&
                time_training(b->one.trainer, at[TRAIN_ONE], error) &&
                ln_measure_fma_peak(b->all.context, n_threads, at[PEAK], error) == LN_OK &&
                time_training(b->all.trainer, at[TRAIN], error) &&
                time_predictor(b, b->many, INFERENCE_BATCH, at[INFER], error) &&
                time_predictor(b, b->single, 1, at[LATENCY], error);
    if (good) *at[LATENCY] = 1 / *at[LATENCY];
    return good;
}

/* Trains a little first, until everything is in the caches; where a single step takes longer than a round should,
 * there are fewer rounds. */
static bool warm_up(bench *b, ln_error *error) {
    double rate, unused;
    if (!time_training(b->one.trainer, &rate, error) || !time_training(b->all.trainer, &unused, error)) return false;
    b->n_rounds = (double)b->batch > rate * run_seconds ? LEAST_ROUNDS : N_ROUNDS;
    return true;
}

static bool measure(const bench *b, results *r, ln_error *error) {
    double ratio[N_ROUNDS];
    for (size_t round = 0; round < b->n_rounds; round++) {
        if (!time_round(b, r, round, error)) return false;
        ratio[round] = r->rounds[TRAIN][round] / r->rounds[TRAIN_ONE][round];
    }
    for (size_t f = 0; f < N_FIGURES; f++) {
        r->value[f] = median(r->rounds[f], b->n_rounds);
        if (f == PEAK || f == PEAK_ONE) r->value[f] = r->rounds[f][b->n_rounds - 1];
    }
    r->scaling = median(ratio, b->n_rounds);
    return true;
}

/* ------------------------------------------------------------------- printing */

static double train_flops(const bench *b, double rate) { return 2 * b->train_macs * rate; }
static double infer_flops(const bench *b, double rate) { return 2 * b->infer_macs * rate; }
static double latency_multiple(const bench *b, const results *r) {
    return r->value[LATENCY] * r->value[PEAK_ONE] / (2 * b->infer_macs);
}

static void add_row(table *t, const char *name, int n_threads, double rate, double flops, double peak) {
    table_add(t, "%s", name);
    table_add(t, "%d", n_threads);
    table_add(t, "%.0f", rate);
    table_add(t, "%.1f", flops * 1e-9);
    table_add(t, "%.1f %%", 100 * flops / peak);
}

static void print_results(const bench *b, const results *r) {
    const double *v = r->value;
    const int     n_threads = ln_context_threads(b->all.context);
    char          training[40];
    table         t = {.align = "lrrrr"};
    snprintf(training, sizeof training, "training, batch %zu", b->batch);
    printf("%s, %s\n", b->recipe.file, ln_context_isa(b->all.context));
    table_add(&t, "%s", ""), table_add(&t, "threads"), table_add(&t, "images/s"), table_add(&t, "GFLOP/s");
    table_add(&t, "of FMA peak");
    add_row(&t, training, n_threads, v[TRAIN], train_flops(b, v[TRAIN]), v[PEAK]);
    if (n_threads > 1) add_row(&t, training, 1, v[TRAIN_ONE], train_flops(b, v[TRAIN_ONE]), v[PEAK_ONE]);
    add_row(&t, "inference, batch 64", n_threads, v[INFER], infer_flops(b, v[INFER]), v[PEAK]);
    add_row(&t, "inference, batch 1", 1, 1 / v[LATENCY], infer_flops(b, 1 / v[LATENCY]), v[PEAK_ONE]);
    table_print(&t, stdout);
    printf("\nlatency at batch 1: %.2f us", 1e6 * v[LATENCY]);
    if (b->infer_macs > 0) printf(", %.2f times what the FMA units of one core need", latency_multiple(b, r));
    putchar('\n');
    if (n_threads > 1)
        printf("scaling to %d threads: training %.2f times one thread, FMA peak %.2f times: %.1f %%\n", n_threads,
               r->scaling, v[PEAK] / v[PEAK_ONE], 100 * r->scaling / (v[PEAK] / v[PEAK_ONE]));
    printf("FMA peak: %.1f GFLOP/s with %d thread%s, %.1f with one\n", v[PEAK] * 1e-9, n_threads,
           n_threads == 1 ? "" : "s", v[PEAK_ONE] * 1e-9);
}

/* The least that a pass can take: its fused multiply-adds at one core's peak, or its operands read and written once. */
static double limit_of(const ln_layer_time *l, int backward, double peak) {
    return fmax(2 * l->macs[backward] / peak, l->copying[backward]);
}

static void add_pass(table *t, const ln_layer_time *l, int backward, double peak) {
    const double limit = limit_of(l, backward, peak);
    table_add(t, "%.1f", 1e6 * l->seconds[backward]);
    if (l->seconds[backward] > 0 && limit > 0) table_add(t, "%.0f %%", 100 * limit / l->seconds[backward]);
    else table_add(t, "%s", "");
}

static void print_layers(const bench *b, const results *r, const ln_layer_time *layers) {
    const size_t n = ln_model_layer_count(b->one.model);
    table        t = {.align = "llrrrr"};
    table_add(&t, "name"), table_add(&t, "layer"), table_add(&t, "forward us"), table_add(&t, "of limit");
    table_add(&t, "backward us"), table_add(&t, "of limit");
    for (size_t i = 0; i <= n; i++) {
        table_add(&t, "%s", i < n ? ln_model_layer(b->one.model, i).name : "");
        table_add(&t, "%s", i < n ? ln_model_layer(b->one.model, i).op : "update");
        for (int pass = 0; pass < 2; pass++) add_pass(&t, &layers[i], pass, r->value[PEAK_ONE]);
    }
    printf("\nA training step of %zu images by layer, one thread. Limit: the multiply-adds at the\n"
           "FMA peak, or all values read and written once, at the pace at which this processor\n"
           "copies within as much memory as they lie in; the longer of the two.\n",
           b->batch);
    table_print(&t, stdout);
}

/* 1e6 as 1e+06; what JSON has no number for is null. */
static const char *json_number(pool *owner, double value) {
    return isfinite(value) ? pool_format(owner, "%.6g", value) : "null";
}

static void print_json(const bench *b, const results *r, const ln_layer_time *layers) {
    const double *v = r->value;
    pool          owner = {0};
    printf("{\"train_images_per_s\": %.6g, \"train_1_images_per_s\": %.6g, \"inference_images_per_s\": %.6g, "
           "\"latency_us\": %.6g, \"fma_peak_1_gflops\": %.6g, \"fma_peak_gflops\": %.6g, \"train_gflops\": %.6g, "
           "\"train_share\": %.6g, \"inference_share\": %.6g, \"latency_multiple\": %s, \"scaling\": %.6g, "
           "\"scaling_share\": %.6g, \"batch\": %zu, \"threads\": %d, \"isa\": \"%s\"",
           v[TRAIN], v[TRAIN_ONE], v[INFER], 1e6 * v[LATENCY], v[PEAK_ONE] * 1e-9, v[PEAK] * 1e-9,
           train_flops(b, v[TRAIN]) * 1e-9, train_flops(b, v[TRAIN]) / v[PEAK], infer_flops(b, v[INFER]) / v[PEAK],
           json_number(&owner, latency_multiple(b, r)), r->scaling, r->scaling * v[PEAK_ONE] / v[PEAK], b->batch,
           ln_context_threads(b->all.context), ln_context_isa(b->all.context));
    const size_t n = ln_model_layer_count(b->one.model);
    for (size_t i = 0; layers && i <= n; i++) {
        const ln_layer_time *const l = &layers[i];
        printf("%s{\"name\": \"%s\", \"op\": \"%s\", \"forward_us\": %.6g, \"forward_limit_us\": %.6g, "
               "\"backward_us\": %.6g, \"backward_limit_us\": %.6g}",
               i ? ", " : ", \"layers\": [", i < n ? ln_model_layer(b->one.model, i).name : "",
               i < n ? ln_model_layer(b->one.model, i).op : "update", 1e6 * l->seconds[0],
               1e6 * limit_of(l, 0, v[PEAK_ONE]), 1e6 * l->seconds[1], 1e6 * limit_of(l, 1, v[PEAK_ONE]));
    }
    printf("%s}\n", layers ? "]" : "");
    pool_free(&owner);
}

/* ----------------------------------------------------------------------- runs */

/* As many steps as fit in about two seconds. */
static bool measure_layers(const bench *b, const results *r, ln_layer_time *layers, ln_error *error) {
    const double steps = LAYER_SECONDS * r->value[TRAIN_ONE] / (double)b->batch;
    const size_t n_runs = steps < 3 ? 3 : steps > N_LAYER_RUNS ? N_LAYER_RUNS : (size_t)steps;
    return ln_measure_layers(b->one.model, b->batch, b->recipe.item[KEY_train_optimizer].text, n_runs, layers,
                             layers + ln_model_layer_count(b->one.model), error) == LN_OK;
}

static bool measure_and_print(bench *b, const arguments *a, ln_error *error) {
    if (!open_all(b, error) || !open_one(b, error) || !open_predictors(b, error)) return false;
    ln_layer_time *layers =
        has_flag(a, "--layers") ? take(ln_model_layer_count(b->all.model) + 1, sizeof *layers) : NULL;
    results r = {0};
    count_work(b);
    bool good = warm_up(b, error) && measure(b, &r, error);
    if (good && layers) good = measure_layers(b, &r, layers, error);
    if (good && has_flag(a, "--json")) {
        print_json(b, &r, layers);
    } else if (good) {
        print_results(b, &r);
        if (layers) print_layers(b, &r, layers);
    }
    free(layers);
    return good;
}

static int run(const arguments *a) {
    bench    b = {.recipe.verb_keys = a->verb->keys};
    ln_error error = {0};
    int      status = STATUS_FAILED;
    if (recipe_read(&b.recipe, a->words[0], a->pairs, a->n_pairs, &error)) {
        b.all.context = open_context((int)b.recipe.item[KEY_train_threads].number);
        b.one.context = b.all.context ? open_context(1) : NULL;
        if (b.one.context) status = measure_and_print(&b, a, &error) ? STATUS_OK : say_error(&error);
    } else {
        say_error(&error);
    }
    if (b.recipe.usage) status = STATUS_USAGE;
    release(&b);
    return status;
}

const verb verb_bench = {
    .name = "bench",
    .summary = "how fast a recipe trains and predicts here, beside what the processor can do",
    .usage = "bench RECIPE [--layers] [--json] [KEY=VALUE ...]",
    .help = "Measures training, inference at batch 64 and latency at batch 1 (one thread), and\n"
            "between them the fused multiply-adds a second that this processor reaches. Takes\n"
            "some seconds; nothing else should run.\n"
            "\n"
            "  --layers   the time of each layer and of the update as well, on one thread, beside\n"
            "             the least that it could take here\n"
            "  --json     one line of JSON\n"
            "  KEY=VALUE  overrides a value of the recipe: batch=16, threads=1\n"
            "\n"
            "  linnet bench recipes/lenet5.yaml\n",
    .flags = (const char *const[]){"--layers", "--json", NULL},
    .n_min = 1,
    .n_max = 1,
    .overrides = true,
    .run = run,
};
