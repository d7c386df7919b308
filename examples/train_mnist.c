/* train_mnist.c: trains LeNet-5 on MNIST for one epoch, measures it, saves it, and predicts one digit.
 *
 *   cc train_mnist.c -o train_mnist $(pkg-config --cflags --libs linnet) && ./train_mnist */
#include <linnet.h>

#include <stdio.h>

/* The network, layer by layer; what goes wrong is kept in the model and reported by ln_model_status. */
static ln_status build(ln_model *m, ln_error *error) {
    const ln_pool2d_args half = {.kernel = {2, 2}};
    ln_layer             x = ln_model_input(m);
    x = ln_conv2d(m, x, (ln_conv2d_args){.out_channels = 6, .kernel = {5, 5}, .padding = {2, 2}});
    x = ln_maxpool2d(m, ln_relu(m, x), half);
    x = ln_conv2d(m, x, (ln_conv2d_args){.out_channels = 16, .kernel = {5, 5}});
    x = ln_maxpool2d(m, ln_relu(m, x), half);
    x = ln_flatten(m, x);
    x = ln_relu(m, ln_linear(m, x, 120));
    x = ln_relu(m, ln_linear(m, x, 84));
    ln_linear(m, x, 10);
    return ln_model_status(m, error);
}

static bool on_progress(void *user, const ln_progress *p) {
    (void)user;
    if (p->epoch_done)
        printf("epoch %zu of %zu: loss %.4f, %.2f s\n", p->epoch, p->n_epochs, p->train.loss, p->seconds);
    return true; /* false would stop */
}

/* Trains m, prints how well it does on the test images, and what it takes the first of them for. */
static ln_status learn(ln_model *m, const ln_data *train, const ln_data *test, ln_error *error) {
    ln_metrics result;
    float      probabilities[10], pixels[28 * 28], logits[10];
    ln_status  status = ln_model_set_preprocess(m, ln_data_fit(train, 1.0 / 255), error);
    if (status == LN_OK) status = ln_model_initialize(m, 1, error);

    ln_train_options options = LN_TRAIN_OPTIONS;
    options.epochs = 1;
    options.optimizer = "sgd lr=0.02 momentum=0.9";
    options.schedule = "cosine";
    options.progress = on_progress;
    if (status == LN_OK) status = ln_train(m, train, &options, error);
    if (status == LN_OK) status = ln_evaluate(m, test, 64, &result, NULL, error);
    if (status != LN_OK) return status;
    printf("%zu test images, %zu correct (%.2f %%)\n", result.n, result.n_correct, 100 * result.accuracy);

    ln_predictor *predictor = ln_predictor_new(m, 1, error);
    if (!predictor) return error->status;
    const ln_preprocess p = ln_model_preprocess(m);
    const uint8_t      *image = ln_data_image(test, 0);
    for (size_t i = 0; i < 28 * 28; i++) pixels[i] = (float)((image[i] * p.scale - p.mean) / p.std);
    status = ln_predictor_run(predictor, pixels, 1, logits, error);
    ln_predictor_free(predictor);
    if (status != LN_OK) return status;
    ln_softmax(logits, 1, 10, probabilities);
    int best = 0;
    for (int k = 1; k < 10; k++)
        if (probabilities[k] > probabilities[best]) best = k;
    printf("the first is a %d, the network says %d (%.2f %%)\n", ln_data_label(test, 0), best,
           100 * (double)probabilities[best]);
    return LN_OK;
}

int main(int argc, char **argv) {
    ln_error    error = {0};
    const char *path = argc > 1 ? argv[1] : "lenet5.safetensors";
    ln_context *context = ln_context_new(NULL, &error);
    ln_data    *train = context ? ln_data_open(context, "mnist", "train", NULL, &error) : NULL;
    ln_data    *test = train ? ln_data_open(context, "mnist", "test", NULL, &error) : NULL;
    ln_model   *model = test ? ln_model_new(context, 1, 28, 28, &error) : NULL;
    const bool  good = model && build(model, &error) == LN_OK && learn(model, train, test, &error) == LN_OK &&
                      ln_model_save(model, path, &error) == LN_OK;
    if (good) printf("weights in %s\n", path);
    else fprintf(stderr, "train_mnist: %s\n", error.message);
    ln_model_free(model);
    ln_data_free(test);
    ln_data_free(train);
    ln_context_free(context);
    return good ? 0 : 1;
}
