/* Ten training steps of both LeNet-5s and of a network with residual blocks from PyTorch's initial weights, on MNIST's
 * first images: losses, all weights and all buffers no further from PyTorch's float64 run than twice what PyTorch's own
 * float32 run is (golden/steps_NET.bin; golden/generate.py says what is in them). Distances are Euclidean, tensor by
 * tensor. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cpu.h"
#include "harness/lenet5.h"
#include "linnet.h"

enum { MAX_PARAMETERS = 40, MAX_STEPS = 16 };

typedef struct tensor {
    char    name[17];
    size_t  count;
    double  torch32;
    float  *before;
    double *after;
} tensor;

typedef struct golden_steps {
    uint32_t n_parameters, n_steps;
    double   loss[MAX_STEPS], loss_torch32;
    tensor   parameter[MAX_PARAMETERS];
} golden_steps;

static void take(FILE *file, void *to, size_t n_bytes) {
    if (fread(to, 1, n_bytes, file) != n_bytes) fail_msg("a golden file ends too early");
}

static void *must(void *memory) {
    if (!memory) abort();
    return memory;
}

static void golden_take(golden_steps *g, const char *net) {
    char path[1024], magic[8];
    (void)snprintf(path, sizeof path, LN_SOURCE_DIR "/tests/golden/steps_%s.bin", net);
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("%s is missing: run tests/golden/generate.py", path);
    *g = (golden_steps){0};
    take(file, magic, sizeof magic);
    assert_memory_equal(magic, "LNSTEP1", sizeof magic);
    take(file, &g->n_parameters, sizeof g->n_parameters);
    take(file, &g->n_steps, sizeof g->n_steps);
    assert_in_range(g->n_parameters, 1, MAX_PARAMETERS);
    assert_in_range(g->n_steps, 1, MAX_STEPS);
    take(file, g->loss, g->n_steps * sizeof *g->loss);
    take(file, &g->loss_torch32, sizeof g->loss_torch32);
    for (uint32_t i = 0; i < g->n_parameters; i++) {
        tensor  *t = &g->parameter[i];
        uint32_t count;
        take(file, t->name, 16);
        take(file, &count, sizeof count);
        t->count = count;
        take(file, &t->torch32, sizeof t->torch32);
        take(file, t->before = must(malloc(count * sizeof(float))), count * sizeof(float));
        take(file, t->after = must(malloc(count * sizeof(double))), count * sizeof(double));
    }
    assert_int_equal(fgetc(file), EOF);
    (void)fclose(file);
}

static void golden_free(golden_steps *g) {
    for (uint32_t i = 0; i < g->n_parameters; i++) {
        free(g->parameter[i].before);
        free(g->parameter[i].after);
    }
}

/* ------------------------------------------------------------------ the networks */

typedef struct network {
    const char        *name;
    const char *const *lines; /* of layers, NULL-terminated */
    const char        *loss, *optimizer;
    ln_preprocess      preprocess;
    size_t             batch;
} network;

static const network lenet5 = {
    "lenet5",
    (const char *const[]){LENET5("relu", "maxpool2d 2", ""), NULL},
    "cross_entropy",
    "sgd lr=0.05 momentum=0.9",
    {1.0 / 255, 0.1307, 0.3081},
    64,
};
static const network lenet5_1998 = {
    "lenet5_1998",
    (const char *const[]){LENET5("sigmoid", "avgpool2d 2", ""), NULL},
    "cross_entropy reduction=sum",
    "sgd lr=0.0015",
    {1.0 / 256, 0, 1},
    64,
};

static const char *const residual_lines[] = {"conv2d 8 kernel=5 stride=4 padding=2 bias=false",
                                             "batchnorm2d",
                                             "relu as x",
                                             "conv2d 8 kernel=3 padding=1 bias=false",
                                             "batchnorm2d",
                                             "relu",
                                             "conv2d 8 kernel=3 padding=1 bias=false",
                                             "batchnorm2d",
                                             "add x",
                                             "relu as y",
                                             "conv2d 16 kernel=3 stride=2 padding=1 bias=false",
                                             "batchnorm2d",
                                             "relu",
                                             "conv2d 16 kernel=3 padding=1 bias=false",
                                             "batchnorm2d as z",
                                             "conv2d 16 kernel=1 stride=2 bias=false from y",
                                             "batchnorm2d",
                                             "add z",
                                             "relu",
                                             "adaptive_avgpool2d 1",
                                             "flatten",
                                             "dropout 0",
                                             "linear 10",
                                             NULL};

static const network residual = {
    "residual", residual_lines, "cross_entropy", "sgd lr=0.05 momentum=0.9", {1.0 / 255, 0.1307, 0.3081}, 64,
};
/* The last block of a step has two images and fourteen dead lanes. */
static const network residual_50 = {
    "residual_50",
    residual_lines,
    "cross_entropy",
    "sgd lr=0.05 momentum=0.9 weight_decay=0.0005",
    {1.0 / 255, 0.1307, 0.3081},
    50,
};

static ln_model *model_of(const network *net, ln_context *context) {
    ln_error  error = {0};
    ln_model *model = ln_model_new(context, 1, 28, 28, &error);
    if (!model) fail_msg("%s", error.message);
    for (const char *const *line = net->lines; *line; line++)
        if (ln_model_add(model, *line, &error) < 0) fail_msg("%s", error.message);
    if (ln_model_set_loss(model, net->loss, &error) != LN_OK) fail_msg("%s", error.message);
    if (ln_model_set_preprocess(model, net->preprocess, &error) != LN_OK) fail_msg("%s", error.message);
    return model;
}

static void set_weights(ln_model *model, const golden_steps *g) {
    assert_int_equal(ln_model_parameter_count(model), g->n_parameters);
    for (uint32_t i = 0; i < g->n_parameters; i++) {
        const ln_parameter p = ln_model_parameter(model, i);
        assert_string_equal(p.name, g->parameter[i].name);
        assert_int_equal(p.count, g->parameter[i].count);
        memcpy(p.values, g->parameter[i].before, p.count * sizeof(float));
    }
}

/* ------------------------------------------------------------------------ judging */

static void check_distance(const network *net, const char *isa, const char *what, double far, double torch32) {
    if (!(far <= 2 * torch32))
        fail_msg("%s on %s: %s is %.3g from the float64 run, PyTorch's float32 is %.3g", net->name, isa, what, far,
                 torch32);
}

static void check_steps(const network *net, const char *isa, const golden_steps *g, const double *loss,
                        const ln_model *model) {
    double sum = 0;
    for (uint32_t i = 0; i < g->n_steps; i++) sum += (loss[i] - g->loss[i]) * (loss[i] - g->loss[i]);
    check_distance(net, isa, "the loss", sqrt(sum), g->loss_torch32);
    for (uint32_t i = 0; i < g->n_parameters; i++) {
        const ln_parameter p = ln_model_parameter(model, i);
        const tensor      *t = &g->parameter[i];
        sum = 0;
        for (size_t k = 0; k < t->count; k++)
            sum += ((double)p.values[k] - t->after[k]) * ((double)p.values[k] - t->after[k]);
        check_distance(net, isa, t->name, sqrt(sum), t->torch32);
    }
}

static void train_on(const network *net, const char *isa) {
    const ln_context_options with = {.size = sizeof with, .n_threads = 2, .isa = isa};
    ln_train_options         options = LN_TRAIN_OPTIONS;
    ln_error                 error = {0};
    double                   loss[MAX_STEPS];
    golden_steps             g;
    golden_take(&g, net->name);
    ln_context *context = ln_context_new(&with, &error);
    if (!context) fail_msg("%s", error.message);
    ln_model *model = model_of(net, context);
    ln_data  *data = ln_data_open(context, "mnist", "train", LN_SOURCE_DIR "/data", &error);
    if (!data) fail_msg("%s", error.message);
    set_weights(model, &g);
    options.batch = net->batch;
    options.epochs = 1;
    options.optimizer = net->optimizer;
    options.in_order = true;
    ln_trainer *trainer = ln_trainer_new(model, data, &options, &error);
    if (!trainer) fail_msg("%s", error.message);
    for (uint32_t i = 0; i < g.n_steps; i++) {
        ln_metrics metrics;
        if (ln_trainer_step(trainer, &metrics, &error) != LN_OK) fail_msg("%s", error.message);
        loss[i] = metrics.loss;
    }
    check_steps(net, isa, &g, loss, model);
    ln_trainer_free(trainer);
    ln_data_free(data);
    ln_model_free(model);
    ln_context_free(context);
    golden_free(&g);
}

static void train(const network *net) {
    for (ln_isa isa = LN_ISA_PLAIN; isa < LN_ISA_COUNT; isa++)
        if (ln_isa_available(isa)) train_on(net, ln_isa_name(isa));
}

static void test_lenet5(void **state) {
    (void)state;
    train(&lenet5);
}

static void test_lenet5_1998(void **state) {
    (void)state;
    train(&lenet5_1998);
}

static void test_residual(void **state) {
    (void)state;
    train(&residual);
}

static void test_residual_50(void **state) {
    (void)state;
    train(&residual_50);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_lenet5), cmocka_unit_test(test_lenet5_1998),
                                       cmocka_unit_test(test_residual), cmocka_unit_test(test_residual_50)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
