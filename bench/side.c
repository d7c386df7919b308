/* Linnet's side of bench/pytorch: trains and runs a recipe's network through the public API, as it is told.
 *
 *   side DATA_FOLDER RECIPE [KEY=VALUE ...]   reads commands from stdin, answers each with one line:
 *     network                 what there is to build, as JSON
 *     train THREADS IMAGES    so many images or a few more, in order, in the recipe's batches: images a second
 *     predict THREADS IMAGES  so many images in batches of 64: images a second
 *     latency IMAGES          so many images one by one, one thread: microseconds an image
 *     layers RUNS             a step by layer, one thread, median of RUNS: microseconds forward and back, pair by pair
 *
 * MNIST's recipes see MNIST. All others see random bytes, which take as long. Loss and optimizer are the recipe's; its
 * schedule and whatever else goes beyond a plain step is left out. */
#include "linnet.h"
#include "recipe.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { INFERENCE_BATCH = 64, MAX_THREADS = 64 };

/* Everything for one number of threads; made when first asked for, so that no round pays for it. */
typedef struct side {
    ln_context *context;
    ln_model   *model;
    ln_data    *train, *test;
    ln_trainer *trainer;
} side;

static recipe      plan;
static const char *folder;
static ln_error    error;

_Noreturn static void die(void) {
    fprintf(stderr, "%s\n", error.message);
    exit(1);
}

static void *must(void *memory) {
    if (!memory) {
        fprintf(stderr, "side: out of memory\n");
        exit(1);
    }
    return memory;
}

static double now(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ------------------------------------------------------------------- images */

static size_t batch_size(void) { return (size_t)plan.item[KEY_data_batch].number; }
static bool   is_mnist(void) { return strcmp(plan.item[KEY_data_name].text, "mnist") == 0; }

/* Every byte from the one before, by a full-period generator. They live as long as the program. */
static ln_data *random_images(const side *s) {
    const size_t n = 4 * (batch_size() > INFERENCE_BATCH ? batch_size() : INFERENCE_BATCH),
                 size = plan.c * plan.h * plan.w;
    const size_t n_classes = ln_model_class_count(s->model) < 256 ? ln_model_class_count(s->model) : 256;
    uint8_t     *pixels = must(malloc(n * size)), *labels = must(malloc(n));
    uint32_t     x = 1;
    for (size_t i = 0; i < n * size; i++) pixels[i] = (uint8_t)((x = x * 1664525u + 1013904223u) >> 24);
    for (size_t i = 0; i < n; i++) labels[i] = (uint8_t)(i % n_classes);
    return ln_data_from_bytes(s->context, pixels, labels, n, plan.c, plan.h, plan.w, &error);
}

static void open_images(side *s) {
    if (is_mnist()) {
        s->train = ln_data_open(s->context, "mnist", "train", folder, &error);
        s->test = s->train ? ln_data_open(s->context, "mnist", "test", folder, &error) : NULL;
    } else {
        s->train = s->test = random_images(s);
    }
    if (!s->train || !s->test) die();
}

/* ------------------------------------------------------------------ network */

static ln_model *make_model(ln_context *context) {
    const ln_preprocess how =
        is_mnist() ? (ln_preprocess){1.0 / 255, 0.1307, 0.3081} : (ln_preprocess){1.0 / 255, 0.5, 0.29};
    ln_model *const model = recipe_model(&plan, context, &error);
    if (!model || ln_model_set_preprocess(model, how, &error) != LN_OK ||
        ln_model_initialize(model, 1, &error) != LN_OK)
        die();
    return model;
}

static side *side_of(int n_threads) {
    static side sides[MAX_THREADS + 1];
    side *const s = &sides[n_threads];
    if (s->context) return s;
    ln_context_options with = LN_CONTEXT_OPTIONS;
    with.n_threads = n_threads;
    s->context = ln_context_new(&with, &error);
    if (!s->context) die();
    s->model = make_model(s->context);
    open_images(s);
    return s;
}

static ln_trainer *trainer_of(side *s) {
    if (s->trainer) return s->trainer;
    ln_train_options options = LN_TRAIN_OPTIONS;
    options.batch = batch_size();
    options.epochs = 1000000; /* more than anyone asks for */
    options.optimizer = plan.item[KEY_train_optimizer].text;
    options.in_order = true;
    s->trainer = ln_trainer_new(s->model, s->train, &options, &error);
    if (!s->trainer) die();
    return s->trainer;
}

/* Names and lines hold no character that JSON would write otherwise. */
static void say_network(void) {
    const ln_model *const model = side_of(1)->model;
    printf("{\"images\": \"%s\", \"batch\": %zu, \"input\": [%zu, %zu, %zu], \"loss\": \"%s\", \"optimizer\": \"%s\", "
           "\"layers\": [",
           is_mnist() ? "mnist" : "random", batch_size(), plan.c, plan.h, plan.w, plan.item[KEY_train_loss].text,
           plan.item[KEY_train_optimizer].text);
    for (size_t i = 0; i < ln_model_layer_count(model); i++) {
        const ln_layer_info l = ln_model_layer(model, i);
        printf("%s{\"name\": \"%s\", \"line\": \"%s\", \"shape\": [%zu, %zu, %zu]}", i ? ", " : "", l.name, l.line, l.c,
               l.h, l.w);
    }
    printf("]}\n");
}

/* ---------------------------------------------------------------- measuring */

static double train(side *s, size_t n_images) {
    ln_trainer *const trainer = trainer_of(s);
    size_t            n = 0;
    const double      start = now();
    while (n < n_images) {
        ln_metrics m;
        if (ln_trainer_step(trainer, &m, &error) != LN_OK) die();
        n += m.n;
    }
    return (double)n / (now() - start);
}

static float *prepare(const side *s) {
    const size_t        n = ln_data_describe(s->test).n, size = plan.c * plan.h * plan.w;
    const ln_preprocess p = ln_model_preprocess(s->model);
    float *const        x = must(malloc(n * size * sizeof *x));
    for (size_t i = 0; i < n * size; i++)
        x[i] = (float)((((const uint8_t *)ln_data_image(s->test, i / size))[i % size] * p.scale - p.mean) / p.std);
    return x;
}

/* Images a second, over the test images prepared as floats. */
static double predict(const side *s, size_t batch, size_t n_images) {
    const size_t n = ln_data_describe(s->test).n, size = plan.c * plan.h * plan.w;
    float *const x = prepare(s), *const logits = must(malloc(batch * ln_model_outputs(s->model) * sizeof *x));
    ln_predictor *const predictor = ln_predictor_new(s->model, batch, &error);
    if (!predictor) die();
    double start = now();
    size_t done = 0;
    for (size_t i = 0, first = 1; done < n_images; i = i + batch < n ? i + batch : 0) {
        const size_t some = n - i < batch ? n - i : batch;
        if (ln_predictor_run(predictor, x + i * size, some, logits, &error) != LN_OK) die();
        if (first) first = 0, start = now(); /* it has warmed up */
        else done += some;
    }
    const double rate = (double)done / (now() - start);
    ln_predictor_free(predictor);
    free(logits);
    free(x);
    return rate;
}

static void say_layers(const side *s, size_t n_runs) {
    const size_t         n = ln_model_layer_count(s->model);
    ln_layer_time *const layers = must(malloc(n * sizeof *layers));
    ln_layer_time        update;
    if (ln_measure_layers(s->model, batch_size(), plan.item[KEY_train_optimizer].text, n_runs, layers, &update,
                          &error) != LN_OK)
        die();
    for (size_t i = 0; i < n; i++)
        printf("%.9g %.9g%c", 1e6 * layers[i].seconds[0], 1e6 * layers[i].seconds[1], i + 1 < n ? ' ' : '\n');
    free(layers);
}

static bool obey(const char *verb, size_t a, size_t b) {
    const bool threads = a >= 1 && a <= MAX_THREADS;
    if (strcmp(verb, "network") == 0) say_network();
    else if (strcmp(verb, "train") == 0 && threads) printf("%.9g\n", train(side_of((int)a), b));
    else if (strcmp(verb, "predict") == 0 && threads) printf("%.9g\n", predict(side_of((int)a), INFERENCE_BATCH, b));
    else if (strcmp(verb, "latency") == 0) printf("%.9g\n", 1e6 / predict(side_of(1), 1, a));
    else if (strcmp(verb, "layers") == 0 && a) say_layers(side_of(1), a);
    else return false;
    return fflush(stdout) == 0;
}

int main(int argc, char **argv) {
    char command[64];
    if (argc < 3) {
        fprintf(stderr, "usage: side DATA_FOLDER RECIPE [KEY=VALUE ...]\n");
        return 2;
    }
    folder = argv[1];
    if (!recipe_read(&plan, argv[2], (const char *const *)(argv + 3), (size_t)(argc - 3), &error)) die();
    while (fgets(command, sizeof command, stdin)) {
        char   verb[16];
        size_t a = 0, b = 0;
        if (sscanf(command, "%15s %zu %zu", verb, &a, &b) < 1 || !obey(verb, a, b)) return 2;
    }
    recipe_free(&plan);
    return 0;
}
