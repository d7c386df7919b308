/* Twenty steps of training for each of several networks, on images made by arithmetic; prints a hash of every
 * parameter. The text is the same on every machine with fused multiply-add, for every instruction set and any number
 * of threads (LINNET_ISA, LINNET_THREADS): tests compare it. Exits with 1 and a sentence when anything fails. */
#include "harness/lenet5.h"
#include "linnet.h"

#include <inttypes.h>
#include <stdio.h>

enum { N = 120, C = 1, H = 28, W = 28, STEPS = 20, MAX_LAYERS = 16 };

typedef struct network {
    const char *name, *optimizer, *schedule, *loss, *layers[MAX_LAYERS];
    size_t      batch;
} network;

static const network networks[] = {
    {"lenet5", "sgd lr=0.05 momentum=0.9", "cosine", "cross_entropy", {LENET5("relu", "maxpool2d 2", "")}, 64},
    {"lenet5_1998",
     "sgd lr=0.0015",
     "constant",
     "cross_entropy reduction=sum",
     {LENET5("sigmoid", "avgpool2d 2", " init=normal std=1 bias_std=1")},
     50},
    {"joined",
     "sgd lr=0.02 momentum=0.9 nesterov=true weight_decay=1e-3",
     "step size=1 gamma=0.5",
     "cross_entropy",
     {"conv2d 7 kernel=3 stride=2 padding=1 init=kaiming_normal", "tanh as a", "conv2d 7 kernel=3 padding=1", "relu",
      "add a", "avgpool2d 3 stride=2 padding=1", "conv2d 14 kernel=3 groups=7", "tanh", "flatten", "linear 10"},
     17},
};

/* Bright strokes on a dark ground, and ten labels that depend on them. */
static void make_images(uint8_t *pixels, uint8_t *labels) {
    uint32_t state = 1;
    for (int i = 0; i < N; i++) {
        state = state * 1664525u + 1013904223u;
        labels[i] = (uint8_t)((state >> 16) % 10);
        for (int y = 0; y < H; y++)
            for (int x = 0; x < W; x++) {
                state = state * 1664525u + 1013904223u;
                const bool lit = (x * (labels[i] + 1) + y * 3 + i) % 23 < 5;
                pixels[(i * H + y) * W + x] = (uint8_t)(lit ? 160 + (state >> 26) : (state >> 28));
            }
    }
}

static uint64_t hash_of(const ln_parameter *p) {
    const unsigned char *bytes = (const unsigned char *)p->values;
    uint64_t             hash = 14695981039346656037u;
    for (size_t i = 0; i < p->count * sizeof(float); i++) hash = (hash ^ bytes[i]) * 1099511628211u;
    return hash;
}

static ln_status build(ln_model *model, const network *net, ln_error *error) {
    for (int i = 0; i < MAX_LAYERS && net->layers[i]; i++)
        if (ln_model_add(model, net->layers[i], error) < 0) return error->status;
    const ln_status status = ln_model_set_loss(model, net->loss, error);
    return status != LN_OK ? status : ln_model_initialize(model, 7, error);
}

static ln_status train(ln_model *model, const ln_data *data, const network *net, ln_error *error) {
    ln_train_options options = LN_TRAIN_OPTIONS;
    options.batch = net->batch;
    options.epochs = STEPS;
    options.optimizer = net->optimizer;
    options.schedule = net->schedule;
    ln_trainer *trainer = ln_trainer_new(model, data, &options, error);
    if (!trainer) return error->status;
    ln_status status = LN_OK;
    for (int i = 0; status == LN_OK && i < STEPS; i++) status = ln_trainer_step(trainer, NULL, error);
    ln_trainer_free(trainer);
    return status;
}

static ln_status show(ln_context *context, const ln_data *data, const network *net, ln_error *error) {
    ln_model *model = ln_model_new(context, C, H, W, error);
    if (!model) return error->status;
    ln_status status = build(model, net, error);
    if (status == LN_OK) status = train(model, data, net, error);
    if (status == LN_OK)
        for (size_t i = 0; i < ln_model_parameter_count(model); i++) {
            const ln_parameter p = ln_model_parameter(model, i);
            printf("%s %s %016" PRIx64 "\n", net->name, p.name, hash_of(&p));
        }
    ln_model_free(model);
    return status;
}

int main(void) {
    static uint8_t pixels[N * C * H * W], labels[N];
    make_images(pixels, labels);
    ln_error    error = {.status = LN_OK};
    ln_context *context = ln_context_new(NULL, &error);
    ln_data    *data = context ? ln_data_from_bytes(context, pixels, labels, N, C, H, W, &error) : NULL;
    ln_status   status = data ? LN_OK : error.status;
    for (size_t i = 0; status == LN_OK && i < sizeof networks / sizeof *networks; i++)
        status = show(context, data, &networks[i], &error);
    ln_data_free(data);
    ln_context_free(context);
    if (status != LN_OK) fprintf(stderr, "bits: %s\n", error.message);
    return status == LN_OK ? 0 : 1;
}
