/* ln_trace: the last layer's values are the prediction's, the layers' those of a network that ends there, gradients
 * those of the loss; nothing of the model changes. */
#include "harness/net.h"

#include <math.h>

enum { N = 37, FIRST = 3, N_TRACED = 21, MOST = 6 * 9 * 9 };

static const ln_shape    shape = {2, 9, 9};
static const char *const lines[] = {
    "conv2d 6 kernel=3 padding=1", "batchnorm2d", "relu", "dropout 0.3", "maxpool2d 2", "flatten", "linear 4", NULL};

typedef struct traced {
    ln_context *context;
    ln_model   *model;
    ln_data    *data;
    float      *pixels;
    uint8_t    *labels;
} traced;

static traced make(int n_threads) {
    traced t = {.context = net_context(NULL, n_threads),
                .pixels = net_floats(3, N * ln_shape_count(shape)),
                .labels = net_must(malloc(N))};
    t.model = net_model(t.context, shape, lines);
    assert_int_equal(ln_model_set_preprocess(t.model, (ln_preprocess){2, 0.5, 3}, NULL), LN_OK);
    for (size_t i = 0; i < N; i++) t.labels[i] = (uint8_t)(i % 4);
    t.data = ln_data_from_floats(t.context, t.pixels, t.labels, N, shape.c, shape.h, shape.w, NULL);
    assert_non_null(t.data);
    return t;
}

static void release(traced *t) {
    ln_data_free(t->data);
    ln_model_free(t->model);
    ln_context_free(t->context);
    free(t->pixels), free(t->labels);
}

static ln_trace *trace_of(const traced *t, bool training) {
    ln_error        error = {0};
    ln_trace *const trace = ln_trace_new(t->model, t->data, FIRST, N_TRACED, training, &error);
    if (!trace) fail_msg("%s", error.message);
    return trace;
}

static void test_values(void **state) {
    (void)state;
    traced          t = make(2);
    ln_trace *const trace = trace_of(&t, false);
    static float    values[N_TRACED * MOST], logits[N * 4];
    const size_t    last = ln_model_layer_count(t.model) - 1, each = ln_shape_count(shape);
    assert_int_equal(ln_trace_values(trace, -1, values, NULL), LN_OK);
    for (size_t i = 0; i < N_TRACED * each; i++)
        assert_float_equal(values[i], (t.pixels[FIRST * each + i] * 2 - 0.5F) / 3, 1e-6F);
    assert_int_equal(ln_predict(t.model, t.data, 16, logits, NULL, NULL), LN_OK);
    assert_int_equal(ln_trace_values(trace, (ln_layer)last, values, NULL), LN_OK);
    assert_memory_equal(values, logits + FIRST * 4, N_TRACED * 4 * sizeof(float));
    ln_trace_free(trace);
    release(&t);
}

/* A network that ends behind layer k has its values as outputs. */
static void test_inner_layers(void **state) {
    (void)state;
    traced          t = make(1);
    ln_trace *const trace = trace_of(&t, false);
    static float    values[N_TRACED * MOST], outputs[N * MOST];
    for (size_t k = 0; lines[k]; k++) {
        const char *some[8] = {NULL};
        memcpy(some, lines, (k + 1) * sizeof *some);
        if (k < 5) some[k + 1] = "flatten"; /* a loss wants vectors */
        ln_model *const part = net_model(t.context, shape, some);
        const size_t    n = ln_model_outputs(part);
        assert_int_equal(ln_model_set_preprocess(part, ln_model_preprocess(t.model), NULL), LN_OK);
        assert_int_equal(ln_predict(part, t.data, N, outputs, NULL, NULL), LN_OK);
        assert_int_equal(ln_trace_values(trace, (ln_layer)k, values, NULL), LN_OK);
        assert_memory_equal(values, outputs + FIRST * n, N_TRACED * n * sizeof(float));
        ln_model_free(part);
    }
    ln_trace_free(trace);
    release(&t);
}

/* Of the outputs: (p - 1 of the label) / n. Of the last layer's bias: their sum over the images. */
static void test_gradients(void **state) {
    (void)state;
    traced          t = make(2);
    ln_trace *const trace = trace_of(&t, true);
    static float    outputs[N_TRACED * 4], p[N_TRACED * 4], gradients[N_TRACED * 4], bias[4];
    const ln_layer  last = (ln_layer)ln_model_layer_count(t.model) - 1;
    double          sum[4] = {0};
    assert_int_equal(ln_trace_values(trace, last, outputs, NULL), LN_OK);
    assert_int_equal(ln_trace_gradients(trace, last, gradients, NULL), LN_OK);
    ln_softmax(outputs, N_TRACED, 4, p);
    for (size_t i = 0; i < N_TRACED; i++)
        for (size_t k = 0; k < 4; k++) {
            const float want = (p[i * 4 + k] - (t.labels[FIRST + i] == k ? 1.0F : 0.0F)) / N_TRACED;
            assert_float_equal(gradients[i * 4 + k], want, 1e-6F);
            sum[k] += (double)want;
        }
    const size_t n = ln_model_parameter_count(t.model);
    for (size_t i = 0; i < n; i++)
        if (strcmp(ln_model_parameter(t.model, i).name, "6.bias") == 0)
            assert_int_equal(ln_trace_parameter(trace, i, bias, NULL), LN_OK);
    for (size_t k = 0; k < 4; k++) assert_float_equal(bias[k], (float)sum[k], 1e-6F);
    ln_trace_free(trace);
    release(&t);
}

static void test_changes_nothing(void **state) {
    (void)state;
    traced       t = make(2);
    const size_t n = ln_model_parameter_count(t.model);
    for (size_t i = 0; i < n; i++) {
        const ln_parameter p = ln_model_parameter(t.model, i);
        float *const       before = net_must(malloc(p.count * sizeof(float)));
        memcpy(before, p.values, p.count * sizeof(float));
        ln_trace_free(trace_of(&t, true));
        assert_memory_equal(before, p.values, p.count * sizeof(float));
        free(before);
    }
    release(&t);
}

static void wants(const ln_error *error, const char *sentence) {
    assert_int_equal(error->status, LN_E_ARGUMENT);
    assert_string_equal(error->message, sentence);
}

static void test_refusals(void **state) {
    (void)state;
    traced          t = make(1);
    ln_error        error = {0};
    float           values[4];
    ln_trace *const trace = trace_of(&t, false);
    assert_null(ln_trace_new(t.model, t.data, 36, 2, false, &error));
    wants(&error, "trace: images 36 to 37 were asked for, and there are 0 to 36");
    assert_null(ln_trace_new(t.model, t.data, 0, 0, false, &error));
    wants(&error, "trace: 0 images at once are outside 1 to 1048576");
    assert_int_equal(ln_trace_values(trace, 7, values, &error), LN_E_ARGUMENT);
    wants(&error, "trace: there is no layer 7: -1 (the input) to 6");
    assert_int_equal(ln_trace_gradients(trace, 0, values, &error), LN_E_ARGUMENT);
    wants(&error, "trace: a prediction has no gradients: make the trace with training = true");
    assert_int_equal(ln_trace_values(trace, -2, values, NULL), LN_E_ARGUMENT);
    assert_int_equal(ln_trace_parameter(trace, 0, values, NULL), LN_E_ARGUMENT);
    ln_trace_free(trace);
    ln_trace_free(NULL);
    release(&t);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_values), cmocka_unit_test(test_inner_layers),
                                       cmocka_unit_test(test_gradients), cmocka_unit_test(test_changes_nothing),
                                       cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
