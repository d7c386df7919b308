/* Linnet's side of bench/pytorch: trains and runs LeNet-5 on MNIST through the public API, as it is told.
 *
 *   side DATA_FOLDER   reads commands from stdin, answers each with one line:
 *     train THREADS    one epoch of 60,000 images in file order, batch 64: images a second
 *     predict THREADS  the 10,000 test images in batches of 64: images a second
 *     latency          the 10,000 test images one by one, one thread: microseconds an image */
#include "linnet.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { BATCH = 64, PIXELS = 28 * 28, CLASSES = 10, MAX_THREADS = 64 };

/* Everything for one number of threads; made when first asked for, so that no round pays for it. */
typedef struct side {
    ln_context *context;
    ln_model   *model;
    ln_data    *train;
    ln_trainer *trainer;
} side;

static const char *folder;
static ln_error    error;

_Noreturn static void die(void) {
    fprintf(stderr, "%s\n", error.message);
    exit(1);
}

static double now(void) {
    struct timespec t;
    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static ln_model *make_model(ln_context *context) {
    static const char *const lines[] = {"conv2d 6 kernel=5 padding=2",
                                        "relu",
                                        "maxpool2d 2",
                                        "conv2d 16 kernel=5",
                                        "relu",
                                        "maxpool2d 2",
                                        "flatten",
                                        "linear 120",
                                        "relu",
                                        "linear 84",
                                        "relu",
                                        "linear 10"};
    ln_model                *model = ln_model_new(context, 1, 28, 28, &error);
    if (!model) die();
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (ln_model_add(model, lines[i], &error) < 0) die();
    if (ln_model_set_preprocess(model, (ln_preprocess){1.0 / 255, 0.1307, 0.3081}, &error) != LN_OK) die();
    if (ln_model_initialize(model, 1, &error) != LN_OK) die();
    return model;
}

static side *side_of(int n_threads) {
    static side sides[MAX_THREADS + 1];
    side *const s = &sides[n_threads];
    if (s->context) return s;
    ln_context_options with = LN_CONTEXT_OPTIONS;
    ln_train_options   options = LN_TRAIN_OPTIONS;
    with.n_threads = n_threads;
    options.batch = BATCH;
    options.epochs = 1000000; /* more than anyone asks for */
    options.optimizer = "sgd lr=0.05 momentum=0.9";
    options.in_order = true;
    s->context = ln_context_new(&with, &error);
    if (!s->context) die();
    s->model = make_model(s->context);
    s->train = ln_data_open(s->context, "mnist", "train", folder, &error);
    if (!s->train) die();
    s->trainer = ln_trainer_new(s->model, s->train, &options, &error);
    if (!s->trainer) die();
    return s;
}

static double train(const side *s) {
    const size_t n_steps = ln_trainer_steps_per_epoch(s->trainer);
    const double start = now();
    for (size_t i = 0; i < n_steps; i++)
        if (ln_trainer_step(s->trainer, NULL, &error) != LN_OK) die();
    return (double)ln_data_describe(s->train).n / (now() - start);
}

/* Images a second, over the test set prepared as floats. */
static double predict(const side *s, size_t batch) {
    ln_data *const data = ln_data_open(s->context, "mnist", "test", folder, &error);
    if (!data) die();
    const size_t        n = ln_data_describe(data).n;
    const ln_preprocess p = ln_model_preprocess(s->model);
    float *const        x = malloc(n * PIXELS * sizeof *x);
    float               logits[BATCH * CLASSES];
    ln_predictor *const predictor = ln_predictor_new(s->model, batch, &error);
    if (!x || !predictor) die();
    for (size_t i = 0; i < n * PIXELS; i++) {
        const uint8_t *const image = ln_data_image(data, i / PIXELS);
        x[i] = (float)((image[i % PIXELS] * p.scale - p.mean) / p.std);
    }
    double start = 0;
    for (int round = 0; round < 2; round++) { /* the first warms up */
        start = now();
        for (size_t i = 0; i < n; i += batch)
            if (ln_predictor_run(predictor, x + i * PIXELS, n - i < batch ? n - i : batch, logits, &error) != LN_OK)
                die();
    }
    const double rate = (double)n / (now() - start);
    ln_predictor_free(predictor);
    ln_data_free(data);
    free(x);
    return rate;
}

int main(int argc, char **argv) {
    char command[64];
    if (argc != 2) {
        fprintf(stderr, "usage: side DATA_FOLDER\n");
        return 2;
    }
    folder = argv[1];
    while (fgets(command, sizeof command, stdin)) {
        char verb[16];
        int  n_threads = 1;
        if (sscanf(command, "%15s %d", verb, &n_threads) < 1 || n_threads < 1 || n_threads > MAX_THREADS) return 2;
        const side *const s = side_of(n_threads);
        if (strcmp(verb, "train") == 0) printf("%.9g\n", train(s));
        else if (strcmp(verb, "predict") == 0) printf("%.9g\n", predict(s, BATCH));
        else if (strcmp(verb, "latency") == 0) printf("%.9g\n", 1e6 / predict(s, 1));
        else return 2;
        (void)fflush(stdout);
    }
    return 0;
}
