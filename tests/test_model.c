/* Models: builder calls and lines say the same, every mistake has its sentence and sticks, parameters are drawn as
 * their init says, and a model in a file is the model that was saved, or an error. */
#include "harness/files.h"
#include "harness/net.h"
#include "io/safetensors.h"

#include <math.h>

/* ----------------------------------------------------------------- building */

static const char *const full_lines[] = {"conv2d 6 kernel=5x3 stride=2x1 padding=2x1 as first",
                                         "relu",
                                         "maxpool2d 2 as pooled",
                                         "conv2d 6 kernel=3 padding=1 groups=2 bias=false",
                                         "sigmoid",
                                         "add pooled",
                                         "avgpool2d 3x2 stride=1 padding=1 from 5 as mean",
                                         "tanh",
                                         "flatten",
                                         "linear 7",
                                         NULL};

static ln_model *built(ln_context *context) {
    ln_model *const model = ln_model_new(context, 2, 20, 20, NULL);
    assert_non_null(model);
    ln_layer x = ln_conv2d(model, ln_model_input(model),
                           (ln_conv2d_args){.out_channels = 6, .kernel = {5, 3}, .stride = {2, 1}, .padding = {2, 1}});
    x = ln_maxpool2d(model, ln_relu(model, x), (ln_pool2d_args){.kernel = {2, 2}});
    ln_layer y = ln_conv2d(
        model, x,
        (ln_conv2d_args){.out_channels = 6, .kernel = {3, 3}, .padding = {1, 1}, .groups = 2, .no_bias = true});
    y = ln_add(model, ln_sigmoid(model, y), x);
    y = ln_avgpool2d(model, y, (ln_pool2d_args){.kernel = {3, 2}, .stride = {1, 1}, .padding = {1, 1}});
    y = ln_linear(model, ln_flatten(model, ln_tanh(model, y)), 7);
    assert_int_equal(y, 9);
    assert_int_equal(ln_model_initialize(model, 1, NULL), LN_OK);
    return model;
}

static void check_same_parameters(const ln_model *a, const ln_model *b) {
    assert_int_equal(ln_model_parameter_count(a), ln_model_parameter_count(b));
    for (size_t i = 0; i < ln_model_parameter_count(a); i++) {
        const ln_parameter p = ln_model_parameter(a, i), q = ln_model_parameter(b, i);
        assert_int_equal(p.count, q.count);
        assert_int_equal(p.rank, q.rank);
        assert_memory_equal(p.shape, q.shape, sizeof p.shape);
        assert_memory_equal(p.values, q.values, p.count * sizeof *p.values);
    }
}

static void test_calls_and_lines(void **state) {
    (void)state;
    ln_context *const context = net_context(NULL, 1);
    ln_model *const lines = net_model(context, (ln_shape){2, 20, 20}, full_lines), *const calls = built(context);
    assert_int_equal(ln_model_layer_count(lines), ln_model_layer_count(calls));
    for (size_t i = 0; i < ln_model_layer_count(lines); i++) {
        const ln_layer_info a = ln_model_layer(lines, i), b = ln_model_layer(calls, i);
        assert_string_equal(a.op, b.op);
        assert_true(a.c == b.c && a.h == b.h && a.w == b.w && a.n_parameters == b.n_parameters && a.n_macs == b.n_macs);
        assert_memory_equal(lines->node[i]->input, calls->node[i]->input, sizeof(int) * lines->node[i]->n_inputs);
    }
    check_same_parameters(lines, calls);
    size_t c, h, w;
    ln_model_input_shape(calls, &c, &h, &w);
    assert_true(c == 2 && h == 20 && w == 20);
    assert_int_equal(ln_model_outputs(calls), 7);
    assert_string_equal(ln_model_parameter(lines, 0).name, "first.weight");
    assert_string_equal(ln_model_parameter(calls, 0).name, "0.weight");
    assert_string_equal(ln_model_parameter(calls, 4).name, "9.bias");
    assert_null(ln_model_parameter(calls, 5).name);
    ln_model_free(lines);
    ln_model_free(calls);
    ln_model_free(NULL);
    ln_context_free(context);
}

/* What one returned the other takes by its number. */
static void test_calls_and_lines_mix(void **state) {
    (void)state;
    ln_context *const context = net_context(NULL, 1);
    ln_model *const   model = ln_model_new(context, 2, 8, 8, NULL);
    assert_int_equal(ln_conv2d(model, -1, (ln_conv2d_args){.out_channels = 3, .kernel = {3, 3}}), 0);
    assert_int_equal(ln_tanh(model, ln_model_add(model, "batchnorm2d", NULL)), 2);
    assert_int_equal(ln_model_add(model, "concat 0 from 2", NULL), 3);
    assert_true(model->node[2]->input[0] == 1 && model->node[3]->input[0] == 2 && model->node[3]->input[1] == 0);
    ln_linear(model, ln_flatten(model, 3), 2);
    assert_int_equal(ln_model_initialize(model, 1, NULL), LN_OK);
    ln_model_free(model);
    ln_context_free(context);
}

/* A layer's line, put into another model, makes the same layer. */
static void test_lines_are_kept(void **state) {
    (void)state;
    ln_context *const context = net_context(NULL, 1);
    ln_model *const   a = net_model(context, (ln_shape){2, 20, 20}, full_lines);
    const char       *again[NET_LINES] = {NULL};
    for (size_t i = 0; i < ln_model_layer_count(a); i++) again[i] = ln_model_layer(a, i).line;
    ln_model *const b = net_model(context, (ln_shape){2, 20, 20}, again);
    check_same_parameters(a, b);
    for (size_t i = 0; i < ln_model_layer_count(a); i++) {
        assert_string_equal(ln_model_layer(a, i).line, ln_model_layer(b, i).line);
        assert_string_equal(ln_model_layer(a, i).name, ln_model_layer(b, i).name);
    }
    assert_string_equal(again[0], "conv2d 6 kernel=5x3 stride=2x1 padding=2x1 init=pytorch as first");
    assert_string_equal(again[6], "avgpool2d 3x2 stride=1 padding=1 from 5 as mean");
    ln_model_free(a);
    ln_model_free(b);
    ln_context_free(context);
}

static void test_inits_are_kept(void **state) {
    (void)state;
    ln_context *const context = net_context(NULL, 1);
    ln_model *const   model = ln_model_new(context, 4, 1, 1, NULL);
    assert_int_equal(ln_model_add_init(model, "normal std=0.3 bias_std=0.2", NULL), LN_OK);
    ln_model_add(model, "linear 3", NULL);
    ln_model_add(model, "linear 3 init=xavier_uniform", NULL);
    ln_model_set_init(model, (ln_init){.kind = LN_INIT_KAIMING_NORMAL, .bias_std = 0.5});
    ln_linear(model, 1, 3);
    assert_string_equal(ln_model_layer(model, 0).line, "linear 3 init=normal std=0.3 bias_std=0.2");
    assert_string_equal(ln_model_layer(model, 1).line, "linear 3 init=xavier_uniform");
    assert_true(strstr(ln_model_layer(model, 2).line, "init=kaiming_normal") &&
                strstr(ln_model_layer(model, 2).line, "bias_std=0.5"));
    ln_model_free(model);
    ln_context_free(context);
}

/* ----------------------------------------------------------------- mistakes */

typedef struct mistake {
    const char *lines[5];
    ln_status   status;
    const char *message;
} mistake;

static const mistake mistakes[] = {
    {{"conv3d 4"}, LN_E_ARGUMENT, "unknown layer 'conv3d'; allowed: conv2d, ...; did you mean 'conv2d'?"},
    {{"cross_entropy"}, LN_E_ARGUMENT, "unknown layer 'cross_entropy'; allowed: conv2d, ..."},
    {{""}, LN_E_ARGUMENT, "layer: the line is empty; begin it with a name"},
    {{"relu from nobody"},
     LN_E_ARGUMENT,
     "layer 0 (relu): no layer before it is called 'nobody'; name one with 'as NAME', or use "
     "its number"},
    {{"relu as first", "relu from frist"},
     LN_E_ARGUMENT,
     "layer 1 (relu): no layer before it is called 'frist' (did you mean "
     "'first'?); name one with 'as NAME', or use its number"},
    {{"relu", "add 1"},
     LN_E_ARGUMENT,
     "layer 1 (add): no layer before it is called '1'; name one with 'as NAME', or use its "
     "number"},
    {{"relu as a", "relu as a"},
     LN_E_ARGUMENT,
     "layer 1 (relu): the name 'a' is already taken; choose another one after 'as'"},
    {{"relu as input"},
     LN_E_ARGUMENT,
     "layer 0 (relu): the name 'input' is already taken; choose another one after 'as'"},
    {{"relu as 1"},
     LN_E_ARGUMENT,
     "layer 0 (relu): the name '1' is a number, and numbers are the names of layers without 'as'; write a name with a "
     "letter in it"},
    {{"flatten init=normal"}, LN_E_ARGUMENT, "layer 0 (flatten): unknown argument 'init'; it takes no arguments"},
    {{"batchnorm2d std=1"},
     LN_E_ARGUMENT,
     "layer 0 (batchnorm2d): unknown argument 'std'; allowed: eps, momentum, affine, lr_factor, frozen"},
    {{"linear 4"},
     LN_E_SHAPE,
     "layer 0 (linear): its input is 2x8x8, and it wants one row of features; put flatten before it"},
    {{"flatten", "linear 4 std=1"},
     LN_E_ARGUMENT,
     "layer 1 (linear): std and bias_std belong to an init; write init=normal "
     "before them"},
    {{"flatten", "linear 4 init=kaiming_normal std=0.1"},
     LN_E_ARGUMENT,
     "layer 1 (linear): std=0.1 is for init normal, and kaiming_normal finds its own deviation; leave std out, or "
     "write normal"},
    {{"flatten", "linear 4 init=pytorch bias_std=0.1 as f"},
     LN_E_ARGUMENT,
     "layer f (linear): bias_std=0.1 is not for init pytorch, which draws biases as it draws weights; leave bias_std "
     "out, or write another init"},
    {{"conv2d 4 kernel=9"},
     LN_E_SHAPE,
     "layer 0 (conv2d): its kernel of 9x9 is larger than its input of 2x8x8 with padding 0x0; "
     "use a smaller kernel or more padding"},
    {{"conv2d 4 kernel=3 groups=3 as c"},
     LN_E_SHAPE,
     "layer c (conv2d): groups=3 does not divide both 2 input and 4 output "
     "channels; choose one that does"},
    {{"conv2d 3 kernel=3 as c", "add input"},
     LN_E_SHAPE,
     "layer 1 (add): the inputs are 3x6x6 and 2x8x8 (\"input\"), but must "
     "have the same shape: change the layers before them, or join other ones"},
    {{"maxpool2d 9"},
     LN_E_SHAPE,
     "layer 0 (maxpool2d): kernel 9x9 is larger than the input 2x8x8 with padding 0x0: use a smaller "
     "kernel, more padding, or a larger input"},
    {{"avgpool2d 2 padding=2"},
     LN_E_ARGUMENT,
     "layer 0 (avgpool2d): padding 2x2 is more than half of kernel 2x2: use at most "
     "padding=1x1, or a larger kernel"},
};

/* "..." in what is wanted stands for the rest of a list that grows. */
static bool same_message(const char *message, const char *wanted) {
    const char  *dots = strstr(wanted, "...");
    const size_t n = strlen(message), head = dots ? (size_t)(dots - wanted) : 0, tail = dots ? strlen(dots + 3) : 0;
    if (!dots) return strcmp(message, wanted) == 0;
    return n > head + tail && strncmp(message, wanted, head) == 0 && strcmp(message + n - tail, dots + 3) == 0;
}

static void test_mistakes(void **state) {
    (void)state;
    ln_context *const context = net_context(NULL, 1);
    for (size_t i = 0; i < sizeof mistakes / sizeof *mistakes; i++) {
        ln_model *const model = ln_model_new(context, 2, 8, 8, NULL);
        ln_error        error = {0}, kept = {0};
        ln_layer        last = -1;
        for (size_t k = 0; mistakes[i].lines[k]; k++) last = ln_model_add(model, mistakes[i].lines[k], &error);
        assert_int_equal(last, -1);
        assert_int_equal(error.status, mistakes[i].status);
        if (!same_message(error.message, mistakes[i].message))
            fail_msg("'%s', where '%s' was wanted", error.message, mistakes[i].message);
        assert_int_equal(ln_model_add(model, "relu", &kept), -1); /* it sticks, whatever comes */
        assert_memory_equal(&kept, &error, sizeof error);
        assert_int_equal(ln_model_add(model, "nonsense", &kept), -1);
        assert_string_equal(kept.message, error.message);
        assert_int_equal(ln_relu(model, -1), -1);
        assert_int_equal(ln_model_status(model, &kept), mistakes[i].status);
        assert_string_equal(kept.message, error.message);
        assert_int_equal(ln_model_initialize(model, 1, NULL), mistakes[i].status);
        assert_int_equal(ln_model_save(model, "/nowhere/at/all", &kept), mistakes[i].status);
        ln_memory memory;
        assert_int_equal(ln_model_memory(model, 4, NULL, &memory, NULL), mistakes[i].status);
        ln_model_free(model);
    }
    ln_context_free(context);
}

static void check_call(ln_layer layer, ln_model *model, const char *message) {
    ln_error error = {0};
    assert_int_equal(layer, -1);
    assert_int_not_equal(ln_model_status(model, &error), LN_OK);
    if (!strstr(error.message, message)) fail_msg("'%s' lacks '%s'", error.message, message);
    ln_model_free(model);
}

static void test_mistaken_calls(void **state) {
    (void)state;
    ln_context *const context = net_context(NULL, 1);
    ln_model         *m = ln_model_new(context, 2, 8, 8, NULL);
    check_call(ln_relu(m, 3), m, "no layer before it is called '3'");
    m = ln_model_new(context, 2, 8, 8, NULL);
    check_call(ln_relu(m, -2), m, "no layer before it is called '-2'");
    m = ln_model_new(context, 2, 8, 8, NULL);
    check_call(ln_add(m, -1, 7), m, "no layer before it is called '7'");
    m = ln_model_new(context, 2, 8, 8, NULL);
    check_call(ln_conv2d(m, -1, (ln_conv2d_args){.out_channels = 4}), m, "kernel");
    m = ln_model_new(context, 2, 8, 8, NULL);
    check_call(ln_conv2d(m, -1, (ln_conv2d_args){.out_channels = 0, .kernel = {1, 1}}), m, "channels");
    m = ln_model_new(context, 2, 8, 8, NULL);
    check_call(ln_conv2d(m, -1, (ln_conv2d_args){.out_channels = 1, .kernel = {1, 1}, .stride = {-1, 1}}), m, "stride");
    m = ln_model_new(context, 2, 8, 8, NULL);
    check_call(ln_maxpool2d(m, -1, (ln_pool2d_args){{0, 0}, {0, 0}, {0, 0}}), m, "kernel");
    m = ln_model_new(context, 2, 8, 8, NULL);
    ln_model_set_init(m, (ln_init){.kind = 77});
    check_call(ln_relu(m, -1), m, "init");
    m = ln_model_new(context, 2, 8, 8, NULL);
    ln_model_set_init(m, (ln_init){.kind = LN_INIT_NORMAL, .std = -1});
    check_call(ln_relu(m, -1), m, "std");
    ln_context_free(context);
}

static void check_unfinished(ln_context *context, const char *const lines[], const char *message) {
    ln_model *const model = ln_model_new(context, 2, 8, 8, NULL);
    ln_error        error = {0};
    ln_memory       memory;
    for (size_t i = 0; lines[i]; i++) assert_int_equal(ln_model_add(model, lines[i], NULL), i);
    assert_int_not_equal(ln_model_memory(model, 4, NULL, &memory, &error), LN_OK);
    if (strcmp(error.message, message) != 0) fail_msg("'%s', where '%s' was wanted", error.message, message);
    assert_null(ln_predictor_new(model, 1, &error));
    assert_string_equal(error.message, message);
    ln_model_free(model);
}

static void test_too_many_layers(void **state) {
    (void)state;
    ln_context *const context = net_context(NULL, 1);
    ln_model *const   model = ln_model_new(context, 1, 1, 4, NULL);
    ln_error          error = {0};
    for (int i = 0; i < 1024; i++) assert_int_equal(ln_model_add(model, "relu", NULL), i);
    assert_int_equal(ln_model_add(model, "relu", &error), -1);
    assert_int_equal(error.status, LN_E_UNSUPPORTED);
    assert_string_equal(error.message, "layer 1024 (relu): a model has at most 1024 layers; leave some out");
    ln_model_free(model);
    ln_context_free(context);
}

static void test_unfinished_models(void **state) {
    (void)state;
    ln_context *const context = net_context(NULL, 1);
    check_unfinished(context, (const char *[]){NULL}, "model: has no layers; add some before using it");
    check_unfinished(
        context, (const char *[]){"flatten", "linear 4 as lost", "linear 4 from 0", "linear 3", NULL},
        "layer lost (linear): no layer reads its output; leave it out, or read it by 'from lost' or 'add lost'");
    check_unfinished(context, (const char *[]){"relu", "flatten from input", "linear 4", NULL},
                     "layer 0 (relu): no layer reads its output; leave it out, or read it by 'from 0' or 'add 0'");
    check_unfinished(
        context, (const char *[]){"relu", NULL},
        "layer loss (cross_entropy): the input is 2x8x8, but one logit for each class (kx1x1) is wanted: end the "
        "model with flatten and linear");
    check_unfinished(
        context, (const char *[]){"flatten", "linear 1", NULL},
        "layer loss (cross_entropy): the input is one value, but there must be at least two classes: give the last "
        "layer one output for each class, or take the loss bce_with_logits, where one output decides");
    ln_context_free(context);
}

static void test_loss_and_preprocess(void **state) {
    (void)state;
    ln_context *const context = net_context(NULL, 1);
    ln_model *const   model = ln_model_new(context, 8, 1, 1, NULL);
    ln_error          error = {0};
    ln_memory         memory;
    assert_int_equal(ln_model_set_loss(model, "cross_entropy", &error), LN_E_ARGUMENT);
    assert_string_equal(error.message, "loss: the model has no layer yet; add layers first");
    assert_int_equal(ln_model_add(model, "linear 4", NULL), 0);
    assert_int_equal(ln_model_set_loss(model, "bse", &error), LN_E_ARGUMENT);
    assert_true(same_message(error.message, "unknown loss 'bse'; allowed: cross_entropy, ...; did you mean 'mse'?"));
    assert_int_equal(ln_model_set_loss(model, "relu", &error), LN_E_ARGUMENT);
    assert_int_equal(ln_model_set_loss(model, "cross_entropy as x", &error), LN_E_ARGUMENT);
    assert_string_equal(error.message, "loss cross_entropy: takes neither 'from' nor 'as'");
    assert_int_equal(ln_model_set_loss(model, "cross_entropy reduction=max", &error), LN_E_ARGUMENT);
    assert_int_equal(ln_model_set_loss(model, "cross_entropy reduction=sum", &error), LN_OK);
    assert_true(model->loss.op->weight(&model->loss, NULL, 10) == 1);
    assert_int_equal(ln_model_add(model, "linear 3", NULL),
                     1); /* the loss moves behind the new last layer, and stays a sum */
    assert_int_equal(ln_model_memory(model, 4, NULL, &memory, NULL), LN_OK);
    assert_true(model->loss.op->weight(&model->loss, NULL, 10) == 1);
    assert_int_equal(model->loss.input[0], 1);
    const ln_preprocess bad[] = {{0, 0, 1},   {1, 0, 0},        {-1, 0, 1},       {1, NAN, 1},
                                 {NAN, 0, 1}, {1, 0, INFINITY}, {1, -INFINITY, 1}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(ln_model_set_preprocess(model, bad[i], &error), LN_E_ARGUMENT);
    assert_true(ln_model_preprocess(model).scale == 1.0 / 255);
    assert_int_equal(ln_model_add_init(model, "gauss", &error), LN_E_ARGUMENT);
    ln_model_free(model);
    const size_t sizes[][3] = {{0, 8, 8}, {1, 0, 8}, {1, 8, 0}, {1 << 20, 1 << 20, 1 << 20}, {1, SIZE_MAX, 2}};
    for (size_t i = 0; i < 5; i++) {
        assert_null(ln_model_new(context, sizes[i][0], sizes[i][1], sizes[i][2], &error));
        assert_int_equal(error.status, LN_E_ARGUMENT);
    }
    ln_context_free(context);
}

/* -------------------------------------------------------------------- init */

typedef struct statistics {
    double mean, std, largest;
    size_t n;
} statistics;

static statistics of_values(const float *values, size_t n) {
    statistics s = {.n = n};
    for (size_t i = 0; i < n; i++) s.mean += (double)values[i] / (double)n;
    for (size_t i = 0; i < n; i++) {
        s.std += ((double)values[i] - s.mean) * ((double)values[i] - s.mean) / (double)n;
        s.largest = fmax(s.largest, fabs((double)values[i]));
    }
    s.std = sqrt(s.std);
    return s;
}

/* uniform: bound is given; else the deviation. 0: all zero. */
static void check_values(const char *what, const float *values, size_t n, bool uniform, double wanted) {
    const statistics s = of_values(values, n);
    const double     std = uniform ? wanted / sqrt(3) : wanted;
    if (wanted == 0) {
        assert_true(s.largest == 0);
        return;
    }
    const double share = 4 / sqrt((double)n);
    if (fabs(s.mean) > share * std || fabs(s.std - std) > share * std ||
        (uniform ? s.largest > wanted || s.largest < wanted * (1 - 20 / (double)n)
                 : s.largest < 1.8 * std || s.largest > 6 * std))
        fail_msg("%s: mean %g, deviation %g (wanted %g), largest %g of %zu", what, s.mean, s.std, std, s.largest, n);
}

typedef struct init_case {
    const char *line;
    bool        uniform, bias_uniform;
    double      linear, conv, linear_bias, conv_bias;
} init_case;

static void test_init(void **state) {
    (void)state;
    /* linear 300 → 200; a convolution of 2 groups, 20 → 30 channels, 5×3: fan_in 10·15, fan_out 30·15 */
    const init_case cases[] = {
        {"pytorch", true, true, 1 / sqrt(300), 1 / sqrt(150), 1 / sqrt(300), 1 / sqrt(150)},
        {"kaiming_uniform", true, false, sqrt(6.0 / 300), sqrt(6.0 / 150), 0, 0},
        {"kaiming_normal bias_std=0.1", false, false, sqrt(2.0 / 300), sqrt(2.0 / 150), 0.1, 0.1},
        {"xavier_uniform bias_std=2", true, false, sqrt(6.0 / 500), sqrt(6.0 / 600), 2, 2},
        {"xavier_normal", false, false, sqrt(2.0 / 500), sqrt(2.0 / 600), 0, 0},
        {"normal", false, false, 0.01, 0.01, 0, 0},
        {"normal std=1 bias_std=1", false, false, 1, 1, 1, 1},
        {"normal std=0", false, false, 0, 0, 0, 0},
    };
    ln_context *const context = net_context(NULL, 1);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const init_case *const c = &cases[i];
        ln_model *const        model = ln_model_new(context, 20, 5, 3, NULL);
        assert_int_equal(ln_model_add_init(model, c->line, NULL), LN_OK);
        ln_model_add(model, "conv2d 30 kernel=5x3 groups=2", NULL);
        ln_model_add(model, "flatten from input", NULL);
        assert_int_equal(ln_model_add(model, "linear 200", NULL), 2);
        assert_int_equal(ln_model_initialize(model, 3, NULL), LN_OK);
        check_values(c->line, ln_model_parameter(model, 0).values, 30 * 150, c->uniform, c->conv);
        check_values(c->line, ln_model_parameter(model, 1).values, 30, c->bias_uniform, c->conv_bias);
        check_values(c->line, ln_model_parameter(model, 2).values, 300 * 200, c->uniform, c->linear);
        check_values(c->line, ln_model_parameter(model, 3).values, 200, c->bias_uniform, c->linear_bias);
        ln_model_free(model);
    }
    ln_context_free(context);
}

static void test_seeds(void **state) {
    (void)state;
    ln_context *const context = net_context(NULL, 1);
    ln_model *const a = net_model(context, (ln_shape){2, 20, 20}, full_lines), *const b = net_model(
                                                                                   context, (ln_shape){2, 20, 20},
                                                                                   full_lines);
    check_same_parameters(a, b);
    const ln_parameter p = ln_model_parameter(a, 0), q = ln_model_parameter(b, 0);
    assert_int_equal(ln_model_initialize(a, 2, NULL), LN_OK);
    assert_memory_not_equal(p.values, q.values, p.count * sizeof(float));
    assert_int_equal(ln_model_initialize(a, 1, NULL), LN_OK);
    check_same_parameters(a, b);
    ln_model_free(a);
    ln_model_free(b);
    ln_context_free(context);
}

/* The values of a seed, for ever: a machine or a version on which they differ trains other networks. Every tensor has
 * numbers of its own. */
static void test_seeds_keep_their_values(void **state) {
    (void)state;
    const char *const lines[] = {"linear 3", "linear 3 init=normal std=1 bias_std=1", NULL};
    const float       want[4][2] = {{0x1.93be5p-2F, 0x1.4930cap-2F},
                                    {-0x1.af5b22p-6F, 0x1.649e64p-7F},
                                    {-0x1.3049cap+0F, -0x1.652362p+0F},
                                    {-0x1.778982p-1F, -0x1.0baa06p+0F}};
    ln_context *const context = net_context(NULL, 1);
    ln_model *const   model = net_model(context, (ln_shape){4, 1, 1}, lines);
    for (size_t i = 0; i < 4; i++) {
        const ln_parameter p = ln_model_parameter(model, i);
        const float        ends[2] = {p.values[0], p.values[p.count - 1]};
        assert_memory_equal(ends, want[i], sizeof ends);
    }
    ln_model_free(model);
    ln_context_free(context);
}

/* -------------------------------------------------------------------- files */

static const char *const file_lines[] = {"conv2d 3 kernel=3 padding=1 as c", "relu", "add c", "flatten",
                                         "linear 4 init=normal std=0.1",     NULL};
enum { FILE_ROOM = 1 << 16 };

static ln_model *file_model(ln_context *context) {
    ln_model *const model = net_model(context, (ln_shape){1, 6, 6}, file_lines);
    assert_int_equal(ln_model_set_loss(model, "cross_entropy reduction=sum", NULL), LN_OK);
    assert_int_equal(ln_model_set_preprocess(model, (ln_preprocess){1.0 / 256, 0.1307, 1.0 / 3}, NULL), LN_OK);
    return model;
}

static void test_round_trip(void **state) {
    files *const    f = *state;
    ln_model *const model = file_model(f->context);
    char            path[512], other[512];
    unsigned char   first[FILE_ROOM], second[FILE_ROOM];
    ln_error        error = {0};
    ln_model_parameter(model, 0).values[1] = -0.0F;
    ln_model_parameter(model, 0).values[2] = 1e-42F;
    assert_int_equal(ln_model_save(model, files_path(f, "a.safetensors", path), &error), LN_OK);
    ln_model *const loaded = ln_model_load(f->context, path, &error);
    if (!loaded) fail_msg("%s", error.message);
    check_same_parameters(model, loaded);
    const ln_preprocess a = ln_model_preprocess(model), b = ln_model_preprocess(loaded);
    assert_memory_equal(&a, &b, sizeof a);
    assert_true(loaded->loss.op->weight(&loaded->loss, NULL, 9) == 1);
    for (size_t i = 0; i < ln_model_layer_count(model); i++) {
        assert_string_equal(ln_model_layer(model, i).line, ln_model_layer(loaded, i).line);
        assert_string_equal(ln_model_layer(model, i).name, ln_model_layer(loaded, i).name);
    }
    assert_int_equal(ln_model_save(loaded, files_path(f, "b.safetensors", other), &error), LN_OK);
    const size_t n = files_get(path, first, sizeof first);
    assert_int_equal(files_get(other, second, sizeof second), n);
    assert_memory_equal(first, second, n);
    assert_int_equal(files_count(f->folder), 2);
    ln_model_free(model);
    ln_model_free(loaded);
}

/* Models are compared by what they predict, since that is what files are for. */
static void test_loaded_predicts(void **state) {
    files *const    f = *state;
    ln_model *const model = file_model(f->context);
    char            path[512];
    float *const    pixels = net_floats(1, 5 * 36);
    float           a[20], b[20];
    assert_int_equal(ln_model_save(model, files_path(f, "a.safetensors", path), NULL), LN_OK);
    ln_model *const loaded = ln_model_load(f->context, path, NULL);
    ln_data *const  data = ln_data_from_floats(f->context, pixels, NULL, 5, 1, 6, 6, NULL);
    assert_int_equal(ln_predict(model, data, 5, a, NULL, NULL), LN_OK);
    assert_int_equal(ln_predict(loaded, data, 2, b, NULL, NULL), LN_OK);
    assert_memory_equal(a, b, sizeof a);
    ln_data_free(data);
    ln_model_free(model);
    ln_model_free(loaded);
    free(pixels);
}

static void *allocate_some(void *user, size_t n_bytes, size_t alignment) {
    void *memory = NULL;
    return n_bytes > *(size_t *)user || posix_memalign(&memory, alignment, n_bytes) ? NULL : memory;
}

static void release_some(void *user, void *memory, size_t n_bytes) {
    (void)user, (void)n_bytes;
    free(memory);
}

/* Values are in memory once; and where there is none for all of them, no layer takes its share before that is said. */
static void test_memory_of_files(void **state) {
    enum { LAYERS = 4, SIDE = 256, BYTES = LAYERS * SIDE * SIDE * 4 };
    files *const    f = *state;
    ln_model *const model = ln_model_new(f->context, SIDE, 1, 1, NULL);
    char            path[512];
    for (int i = 0; i < LAYERS; i++) ln_model_add(model, "linear 256 bias=false", NULL);
    assert_int_equal(ln_model_initialize(model, 1, NULL), LN_OK);
    assert_int_equal(ln_model_save(model, files_path(f, "a.safetensors", path), NULL), LN_OK);
    ln_model_free(model);
    for (size_t most = BYTES / 2; most <= 2 * BYTES; most *= 4) {
        const ln_allocator       allocator = {allocate_some, release_some, &most};
        const ln_context_options with = {.size = sizeof with, .n_threads = 1, .allocator = &allocator};
        ln_context *const        context = ln_context_new(&with, NULL);
        ln_error                 error = {0};
        size_t                   peak;
        ln_model *const          loaded = ln_model_load(context, path, &error);
        ln_context_memory(context, NULL, &peak);
        if (most < BYTES) {
            assert_null(loaded);
            assert_int_equal(error.status, LN_E_MEMORY);
            assert_true(peak < BYTES / LAYERS);
        } else {
            assert_non_null(loaded);
            assert_true(peak < BYTES + BYTES / LAYERS);
        }
        ln_model_free(loaded);
        ln_context_free(context);
    }
}

/* Loads bytes; true when it worked, and else the error must have a sentence and a fitting status. */
static bool loads(files *f, const void *bytes, size_t n) {
    char     path[512];
    ln_error error = {0};
    (void)unlink(files_path(f, "damaged.safetensors", path)); /* much quicker than emptying it */
    ln_model *const model = ln_model_load(f->context, files_put(f, "damaged.safetensors", bytes, n, path), &error);
    if (!model) {
        assert_true(error.status == LN_E_FORMAT || error.status == LN_E_UNSUPPORTED || error.status == LN_E_ARGUMENT);
        assert_non_null(strstr(error.message, "damaged.safetensors"));
    }
    ln_model_free(model);
    return model != NULL;
}

static size_t saved_bytes(files *f, unsigned char *bytes) {
    ln_model *const model = file_model(f->context);
    char            path[512];
    assert_int_equal(ln_model_save(model, files_path(f, "a.safetensors", path), NULL), LN_OK);
    ln_model_free(model);
    return files_get(path, bytes, FILE_ROOM);
}

static void test_truncated_files(void **state) {
    files *const  f = *state;
    unsigned char bytes[FILE_ROOM];
    const size_t  n = saved_bytes(f, bytes);
    assert_true(loads(f, bytes, n));
    for (size_t i = 0; i < n; i++) assert_false(loads(f, bytes, i));
    bytes[n] = 0;
    assert_false(loads(f, bytes, n + 1));
}

static void test_flipped_bits(void **state) {
    files *const  f = *state;
    unsigned char bytes[FILE_ROOM];
    const size_t  n = saved_bytes(f, bytes), header = 8 + (bytes[0] | (size_t)bytes[1] << 8);
    size_t        n_loaded = 0;
    assert_in_range(header, 100, n);
    for (size_t i = 0; i < header; i++)
        for (int bit = 0; bit < 8; bit++) {
            bytes[i] = (unsigned char)(bytes[i] ^ 1 << bit);
            n_loaded += loads(f, bytes, n); /* a flipped letter of a name, a digit of a mean: nobody can tell */
            bytes[i] = (unsigned char)(bytes[i] ^ 1 << bit);
        }
    assert_in_range(n_loaded, 1, header);
}

typedef struct forged {
    ln_tensor   tensor[8];
    size_t      n;
    ln_metadata metadata[2];
    size_t      n_metadata;
} forged;

/* What a file of these parts says, which does not load. */
static void check_forged(files *f, const forged *x, const char *message) {
    char     path[512];
    ln_error error = {0};
    assert_int_equal(ln_safetensors_write(f->context, files_path(f, "forged.safetensors", path), x->tensor, x->n,
                                          x->metadata, x->n_metadata, &error),
                     LN_OK);
    assert_null(ln_model_load(f->context, path, &error));
    assert_int_equal(error.status, LN_E_FORMAT);
    if (!strstr(error.message, message) || strncmp(error.message, path, strlen(path)) != 0)
        fail_msg("'%s' lacks '%s'", error.message, message);
}

/* Opens the saved model's parts for forging; free with ln_safetensors_free. */
static forged forge(files *f, ln_safetensors *file) {
    unsigned char bytes[FILE_ROOM];
    forged        x = {0};
    assert_int_equal(ln_safetensors_parse(f->context, "saved", bytes, saved_bytes(f, bytes), file, NULL), LN_OK);
    assert_int_equal(file->n_tensors, 4);
    memcpy(x.tensor, file->tensors, 4 * sizeof *x.tensor);
    x.n = 4;
    x.metadata[0] = (ln_metadata){"linnet", ln_safetensors_get(file, "linnet")};
    x.n_metadata = 1;
    return x;
}

static void test_forged_tensors(void **state) {
    files *const   f = *state;
    ln_safetensors file;
    const forged   good = forge(f, &file);
    forged         x = good;
    x.n = 3;
    check_forged(f, &x, "lacks the tensor '4.bias' that its own model names");
    x = good, x.tensor[4] = x.tensor[0], x.tensor[4].name = "extra", x.n = 5;
    check_forged(f, &x, "holds 5 tensors, and its own model names 4");
    x = good, x.tensor[1].name = "c.bais";
    check_forged(f, &x, "lacks the tensor 'c.bias'");
    x = good, x.tensor[2].shape[0] = x.tensor[2].shape[1], x.tensor[2].shape[1] = 4;
    check_forged(f, &x, "the tensor '4.weight' has another shape than its own model says");
    x = good, x.tensor[3].rank = 2, x.tensor[3].shape[1] = 1;
    check_forged(f, &x, "the tensor '4.bias' has another shape");
    x = good, x.n_metadata = 0;
    check_forged(f, &x, "is a safetensors file without linnet's description of a model");
    ln_safetensors_free(&file);
}

/* The model's JSON with one part put in another's place. */
static void check_json(files *f, const forged *good, const char *part, const char *other, const char *message) {
    char              text[4096];
    forged            x = *good;
    const char *const at = strstr(good->metadata[0].value, part);
    if (!at) fail_msg("'%s' is not in '%s'", part, good->metadata[0].value);
    (void)snprintf(text, sizeof text, "%.*s%s%s", (int)(at - good->metadata[0].value), good->metadata[0].value, other,
                   at + strlen(part));
    x.metadata[0].value = text;
    check_forged(f, &x, message);
}

static void test_forged_json(void **state) {
    files *const   f = *state;
    ln_safetensors file;
    const forged   good = forge(f, &file);
    check_json(f, &good, "{", "[", "is not JSON");
    check_json(f, &good, "\"version\":1", "\"version\":2", "has version 2, and version 1 is read");
    check_json(f, &good, "\"version\":1", "\"version\":1.5", "has version 1.5, and version 1 is read");
    check_json(f, &good, "\"version\":1", "\"version\":0", "has no readable version and input");
    check_json(f, &good, "\"version\":1", "\"version\":\"1\"", "has no readable version and input");
    check_json(f, &good, "[1,6,6]", "[1,6]", "has no readable version and input");
    check_json(f, &good, "[1,6,6]", "[1.5,6,6]", "has no readable version and input");
    check_json(f, &good, "[1,6,6]", "{\"c\":1,\"h\":6,\"w\":6}", "has no readable version and input");
    check_json(f, &good, "[1,6,6]", "[1,0,6]", "has no readable version and input");
    check_json(f, &good, "[1,6,6]", "[1,-6,6]", "has no readable version and input");
    check_json(f, &good, "[1,6,6]", "7", "has no readable version and input");
    check_json(f, &good, "[1,6,6]", "[1,6,7]", "'4.weight' has another shape");
    check_json(f, &good, "\"layers\":", "\"players\":", "lacks layers or a loss");
    check_json(f, &good, "\"loss\":", "\"floss\":", "lacks layers or a loss");
    check_json(f, &good, "\"relu", "1,\"relu", "has a layer that is no text");
    check_json(f, &good, "\"relu\"", "\"rule\"", "unknown layer 'rule'");
    check_json(f, &good, "add c", "add d", "no layer before it is called 'd'");
    check_json(f, &good, "kernel=3", "kernel=33", "larger than its input");
    check_json(f, &good, "cross_entropy", "entropy", "unknown loss 'entropy'");
    check_json(f, &good, "\"scale\":", "\"scala\":", "lacks the scale, mean or std of its images");
    check_json(f, &good, "\"scale\":", "\"scale\":-", "must be above 0");
    check_json(f, &good, "[1,6,6]", "[100000,100000,100000]", "outside 1 to 2^28 values");
    check_json(f, &good, "\"classes\":[", "\"classes\":[\"a\",\"\"", "class");
    check_json(f, &good, "\"mean\":", "\"mean\":1e300,\"men\":", "mean 1e+300");
    check_json(f, &good, "\"classes\":[", "\"classes\":[\"a\\u0000b\"", "has a text with a NUL character");
    check_json(f, &good, "\"classes\":[", "\"classes\":[7", "has a class whose name is no text");
    check_json(f, &good, "\"classes\":[", "\"classes\":[\"\",\"b\",\"c\",\"d\",\"e\"",
               "has no list of classes that fits");
    check_json(f, &good, "\"flatten\",", "\"flatten\",\"linear 4\",\"linear 4 from 3\",", "no layer reads its output");
    ln_safetensors_free(&file);
}

static void test_no_file(void **state) {
    files *const f = *state;
    char         path[512];
    ln_error     error = {0};
    assert_null(ln_model_load(f->context, files_path(f, "none.safetensors", path), &error));
    assert_int_equal(error.status, LN_E_IO);
    ln_model *const model = file_model(f->context);
    assert_int_equal(ln_model_save(model, "/nowhere/at/all/x.safetensors", &error), LN_E_IO);
    ln_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_calls_and_lines),
        cmocka_unit_test(test_calls_and_lines_mix),
        cmocka_unit_test(test_lines_are_kept),
        cmocka_unit_test(test_inits_are_kept),
        cmocka_unit_test(test_mistakes),
        cmocka_unit_test(test_mistaken_calls),
        cmocka_unit_test(test_too_many_layers),
        cmocka_unit_test(test_unfinished_models),
        cmocka_unit_test(test_loss_and_preprocess),
        cmocka_unit_test(test_init),
        cmocka_unit_test(test_seeds),
        cmocka_unit_test(test_seeds_keep_their_values),
        FILES_TEST(test_round_trip),
        FILES_TEST(test_loaded_predicts),
        FILES_TEST(test_memory_of_files),
        FILES_TEST(test_truncated_files),
        FILES_TEST(test_flipped_bits),
        FILES_TEST(test_forged_tensors),
        FILES_TEST(test_forged_json),
        FILES_TEST(test_no_file),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
