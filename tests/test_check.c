/* ln_check_new: right gradients pass, wrong ones do not, and layers that will not learn are told apart from those that
 * will. */
#include "harness/lenet5.h"
#include "harness/net.h"
#include "train/check.h"

#include <math.h>

enum { N_IMAGES = 12 };

typedef struct checked {
    ln_context *context;
    ln_model   *model;
    ln_data    *data;
    ln_check   *check;
    float      *pixels;
    uint8_t     labels[N_IMAGES];
} checked;

static void checked_free(checked *c) {
    ln_check_free(c->check);
    ln_data_free(c->data);
    ln_model_free(c->model);
    ln_context_free(c->context);
    free(c->pixels);
}

static const ln_parameter *no_change(ln_model *model) {
    (void)model;
    return NULL;
}

/* Checks the model of lines, with weights that change has touched, on images of ±1. */
static void check_model(checked *c, ln_shape in, const char *const lines[], const ln_parameter *(*change)(ln_model *)) {
    ln_error error = {0};
    *c = (checked){.context = net_context(NULL, 2), .pixels = net_floats(5, N_IMAGES * ln_shape_count(in))};
    c->model = net_model(c->context, in, lines);
    assert_int_equal(ln_model_set_preprocess(c->model, (ln_preprocess){1, 0, 1}, NULL), LN_OK);
    (void)change(c->model);
    for (size_t i = 0; i < N_IMAGES; i++) c->labels[i] = (uint8_t)(i * 5 % 7 % 2);
    c->data = ln_data_from_floats(c->context, c->pixels, c->labels, N_IMAGES, in.c, in.h, in.w, &error);
    c->check = c->data ? ln_check_new(c->model, c->data, N_IMAGES, 9, &error) : NULL;
    if (!c->check) fail_msg("%s", error.message);
}

/* ---------------------------------------------------------------- gradients */

static void test_drawn_networks(void **state) {
    (void)state;
    size_t n_checked = 0, n_skipped = 0;
    for (uint64_t seed = 1000; seed < 1020; seed++) {
        net_drawn net;
        checked   c;
        net_draw(&net, seed, false);
        check_model(&c, net.in, net.lines, no_change);
        if (!c.check->passed) {
            for (size_t i = 0; i < net.n; i++) print_error("%s\n", net.lines[i]);
            fail_msg("seed %d: %s", (int)seed, c.check->verdict);
        }
        for (size_t i = 0; i < c.check->n_tensors; i++) {
            n_checked += c.check->tensors[i].n_checked;
            n_skipped += c.check->tensors[i].n_skipped;
        }
        checked_free(&c);
    }
    assert_true(n_skipped * 20 < n_checked); /* kinks are rare */
}

static void test_what_it_says(void **state) {
    (void)state;
    checked c;
    check_model(&c, (ln_shape){1, 6, 6},
                (const char *[]){"conv2d 3 kernel=3 as c", "relu", "flatten", "linear 2", NULL}, no_change);
    assert_true(c.check->passed && c.check->tolerance == 1e-5);
    assert_int_equal(c.check->n_tensors, 5);
    assert_int_equal(c.check->n_layers, 4);
    size_t seen = 0, wrong = 0;
    for (size_t i = 0; i < 5; i++) {
        const ln_check_tensor *const t = &c.check->tensors[i];
        const char *const            names[] = {"c.weight", "c.bias", "3.weight", "3.bias", "input"};
        const size_t                 counts[] = {27, 3, 64, 2, 64};
        for (size_t k = 0; k < 5; k++)
            if (strcmp(t->name, names[k]) == 0) {
                seen |= (size_t)1 << k;
                wrong += t->n_checked + t->n_skipped != counts[k];
            }
        if (i > 0) assert_true(t->worst <= fmax(c.check->tensors[i - 1].worst, c.check->tensors[i - 1].direction));
        assert_true(fabs(t->analytic - t->numeric) < 1e-6);
    }
    assert_int_equal(seen, 31);
    assert_int_equal(wrong, 0);
    for (size_t i = 0; i < 4; i++) {
        const ln_check_layer *const l = &c.check->layers[i];
        assert_string_equal(l->name, ln_model_layer(c.model, i).name);
        assert_string_equal(l->op, ln_model_layer(c.model, i).op);
        assert_true(l->activation_std > 0.01 && l->activation_std < 10 && l->gradient_std > 1e-5 &&
                    l->gradient_std < 1);
        assert_true(isnan(l->saturated) && isnan(l->dead) == (i != 1));
        assert_string_equal(l->warning, "");
    }
    assert_non_null(strstr(c.check->verdict, "gradients are right"));
    assert_non_null(strstr(c.check->verdict, "all layers are healthy"));
    checked_free(&c);
}

/* Off by a hundredth, in the middle of a network: everything before it is wrong, nothing behind. */
static void test_wrong_gradient(void **state) {
    (void)state;
    const char *const factors[] = {"skew 1.01", "skew 0.99", "skew 1.0001", "skew 0", "skew 1"};
    for (size_t i = 0; i < 5; i++) {
        checked c;
        check_model(
            &c, (ln_shape){2, 7, 7},
            (const char *[]){"conv2d 3 kernel=3", "tanh", factors[i], "flatten", "linear 4", "tanh", "linear 2", NULL},
            no_change);
        assert_int_equal(c.check->passed, i == 4);
        if (i == 4) {
            checked_free(&c);
            continue;
        }
        assert_non_null(strstr(c.check->verdict, "gradients are wrong: "));
        for (size_t k = 0; k < c.check->n_tensors; k++) {
            const ln_check_tensor *const t = &c.check->tensors[k];
            const bool                   before = t->name[0] == '0' || strcmp(t->name, "input") == 0;
            assert_true(before == (t->worst > 5e-5));
            if (before) assert_true(k < 3);
        }
        checked_free(&c);
    }
}

/* A check changes nothing: not a weight, and the same again says the same. */
static void test_it_only_looks(void **state) {
    (void)state;
    const char *const lines[] = {"conv2d 3 kernel=3", "maxpool2d 2", "flatten", "linear 2", NULL};
    checked           a, b;
    size_t            n_bytes;
    check_model(&a, (ln_shape){1, 6, 6}, lines, no_change);
    check_model(&b, (ln_shape){1, 6, 6}, lines, no_change);
    for (size_t i = 0; i < a.check->n_tensors; i++) {
        assert_string_equal(a.check->tensors[i].name, b.check->tensors[i].name);
        assert_true(a.check->tensors[i].worst == b.check->tensors[i].worst);
    }
    float *const after = net_weights(a.model, &n_bytes);
    assert_int_equal(ln_model_initialize(a.model, 1, NULL), LN_OK);
    float *const drawn = net_weights(a.model, &n_bytes);
    assert_memory_equal(after, drawn, n_bytes);
    free(after);
    free(drawn);
    checked_free(&a);
    checked_free(&b);
}

static const ln_parameter *spoil(ln_model *model) {
    ln_model_parameter(model, 0).values[0] = NAN;
    return NULL;
}

static void test_not_finite_fails(void **state) {
    (void)state;
    checked c;
    check_model(&c, (ln_shape){1, 6, 6}, (const char *[]){"conv2d 3 kernel=3", "flatten", "linear 2", NULL}, spoil);
    assert_false(c.check->passed);
    assert_non_null(strstr(c.check->layers[0].warning, "not finite"));
    checked_free(&c);
}

/* ------------------------------------------------------------------- scope */

static ln_check_scope scope_of(ln_context *context, ln_shape in, const char *const lines[]) {
    ln_model *const      model = net_model(context, in, lines);
    const ln_check_scope scope = ln_check_scope_of(model);
    for (size_t i = 0, last = 0; i < scope.n_probed; i++) {
        const size_t t = ln_check_chosen(model, &scope, i);
        assert_true(t < scope.n_tensors && (i == 0 || t > last));
        if (scope.n_probed == scope.n_tensors) assert_int_equal(t, i);
        last = t;
    }
    ln_model_free(model);
    return scope;
}

/* The larger the network the fewer entries, then directions of fewer tensors; never nothing. */
static void test_scope(void **state) {
    (void)state;
    ln_context *const    context = net_context(NULL, 2);
    const ln_check_scope small =
        scope_of(context, (ln_shape){1, 28, 28}, (const char *[]){LENET5("relu", "maxpool2d 2", ""), NULL});
    assert_true(small.images == 16 && small.entries == 64 && small.n_tensors == 11 && small.n_probed == 11);
    const ln_check_scope middle =
        scope_of(context, (ln_shape){64, 32, 32},
                 (const char *[]){"conv2d 64 kernel=5 padding=2", "conv2d 2 kernel=3", "flatten", "linear 2", NULL});
    assert_true(middle.images == 2 && middle.entries == 12 && middle.n_tensors == 7 && middle.n_probed == 7);
    const ln_check_scope large =
        scope_of(context, (ln_shape){512, 32, 32},
                 (const char *[]){"conv2d 512 kernel=3 padding=1", "conv2d 16 kernel=3", "conv2d 16 kernel=3",
                                  "conv2d 2 kernel=3", "flatten", "linear 2", NULL});
    assert_true(large.images == 2 && large.entries == 0 && large.n_tensors == 11 && large.n_probed == 1);
    const ln_check_scope frozen =
        scope_of(context, (ln_shape){512, 32, 32},
                 (const char *[]){"conv2d 128 kernel=3 padding=1 frozen=true", "conv2d 64 kernel=3",
                                  "conv2d 16 kernel=3", "flatten", "linear 2", NULL});
    assert_true(frozen.images == 2 && frozen.entries == 0 && frozen.n_tensors == 7 && frozen.n_probed == 6);
    ln_model *const model =
        net_model(context, (ln_shape){1, 28, 28}, (const char *[]){LENET5("relu", "maxpool2d 2", ""), NULL});
    const ln_check_scope some = {.n_tensors = 11, .n_probed = 5};
    for (size_t i = 0; i < 5; i++) assert_int_equal(ln_check_chosen(model, &some, i), 2 * i); /* weights, not biases */
    ln_model_free(model);
    ln_context_free(context);
}

/* ------------------------------------------------------------------ health */

/* The layers that are warned of with these words; the others with none. */
static void check_warned(const checked *c, size_t first, size_t last, const char *words) {
    for (size_t i = 0; i < c->check->n_layers; i++) {
        const char *const warning = c->check->layers[i].warning;
        if (i >= first && i <= last ? !strstr(warning, words) : warning[0] != '\0')
            fail_msg("layer %zu: '%s', where '%s' was wanted for %zu to %zu", i, warning, words, first, last);
    }
    assert_true(c->check->passed);
}

static void test_small_weights(void **state) {
    (void)state;
    checked c;
    check_model(&c, (ln_shape){1, 8, 8},
                (const char *[]){"flatten", "linear 30 init=normal std=0.001", "tanh",
                                 "linear 20 init=normal std=0.001", "tanh", "linear 2", NULL},
                no_change);
    bool stalls = false;
    for (size_t i = 0; i < 6; i++) stalls |= strstr(c.check->layers[i].warning, "learning will stall") != NULL;
    assert_true(stalls);
    assert_non_null(strstr(c.check->verdict, "need"));
    assert_true(c.check->passed);
    checked_free(&c);
}

/* A layer without parameters whose values are the same, though its inputs are not, is named as the one to look at. */
static void test_nothing_gets_through(void **state) {
    (void)state;
    checked c;
    check_model(&c, (ln_shape){1, 8, 8}, (const char *[]){"flatten", "linear 9", "dropout 1", "tanh", "linear 2", NULL},
                no_change);
    assert_non_null(strstr(c.check->layers[2].warning, "lets nothing through"));
    assert_null(strstr(c.check->layers[3].warning, "lets nothing through"));
    assert_null(strstr(c.check->layers[4].warning, "lets nothing through"));
    checked_free(&c);
}

static void test_saturation(void **state) {
    (void)state;
    checked c;
    check_model(&c, (ln_shape){1, 12, 12},
                (const char *[]){"flatten", "linear 30 init=normal std=1 bias_std=1", "sigmoid", "linear 20", "tanh",
                                 "linear 2", NULL},
                no_change);
    check_warned(&c, 2, 2, "saturated");
    assert_true(c.check->layers[2].saturated > 0.5 && c.check->layers[2].saturated <= 1);
    assert_true(c.check->layers[4].saturated < 0.1);
    assert_true(isnan(c.check->layers[2].dead));
    assert_non_null(strstr(c.check->verdict, "1 layer needs a look"));
    checked_free(&c);
}

/* Bounds that arguments set: what lies far inside of them is not saturated, whatever a tanh would say of it. */
static void test_bounds_of_arguments(void **state) {
    (void)state;
    static const struct {
        const char *layer;
        double      low, high; /* of the share that is saturated; NaN: there is no such share */
    } layers[] = {{"hardtanh", 0.2, 0.5},
                  {"hardtanh -0.01 0.02", 0.95, 1},
                  {"hardtanh -100 100", 0, 0},
                  {"hardtanh 0 6", 0.4, 0.6},
                  {"elu", 0, 0},
                  {"elu 0", NAN, NAN},
                  {"leaky_relu", NAN, NAN},
                  {"softplus", NAN, NAN}};
    for (size_t i = 0; i < sizeof layers / sizeof *layers; i++) {
        checked c;
        check_model(&c, (ln_shape){1, 8, 8},
                    (const char *[]){"flatten", "linear 40 init=normal std=0.2", layers[i].layer, "linear 2", NULL},
                    no_change);
        const double found = c.check->layers[2].saturated;
        if (isnan(layers[i].low) ? !isnan(found) : !(found >= layers[i].low && found <= layers[i].high))
            fail_msg("%s: %g saturated", layers[i].layer, found);
        checked_free(&c);
    }
}

static const ln_parameter *sink(ln_model *model) {
    for (size_t i = 0; i < 40; i++) ln_model_parameter(model, 1).values[i] = i < 30 ? -6 : -100;
    return NULL;
}

/* Far below 0 an ELU is flat, too: three quarters of the units nearly so, the others wholly. */
static void test_sunken_elu(void **state) {
    (void)state;
    checked c;
    check_model(&c, (ln_shape){1, 8, 8},
                (const char *[]){"flatten", "linear 40 init=normal std=0.01", "elu 0.7", "linear 2", NULL}, sink);
    assert_true(c.check->layers[2].saturated == 1 && c.check->layers[2].dead == 0.25);
    assert_non_null(strstr(c.check->layers[2].warning, "100 % saturated"));
    checked_free(&c);
}

static const ln_parameter *kill_channels(ln_model *model) {
    for (size_t i = 0; i < 4; i++) ln_model_parameter(model, 1).values[2 * i] = -100;
    return NULL;
}

static void test_dead_channels(void **state) {
    (void)state;
    checked c;
    check_model(&c, (ln_shape){1, 8, 8}, (const char *[]){"conv2d 8 kernel=3", "relu", "flatten", "linear 2", NULL},
                kill_channels);
    check_warned(&c, 1, 1, "50 % of its channels are dead");
    assert_true(c.check->layers[1].dead == 0.5);
    checked_free(&c);
}

static void test_vanishing_gradients(void **state) {
    (void)state;
    checked c;
    check_model(&c, (ln_shape){1, 8, 8},
                (const char *[]){"flatten", "linear 20 init=normal std=0.3", "tanh",
                                 "linear 20 init=normal std=0.00001 bias_std=1", "tanh", "linear 2", NULL},
                no_change);
    assert_non_null(strstr(c.check->layers[2].warning, "vanishes"));
    assert_true(c.check->passed);
    checked_free(&c);
}

static void test_lenet5_is_healthy(void **state) {
    (void)state;
    checked c;
    check_model(&c, (ln_shape){1, 28, 28}, (const char *[]){LENET5("relu", "maxpool2d 2", ""), NULL}, no_change);
    assert_true(c.check->passed);
    checked_free(&c);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_drawn_networks),       cmocka_unit_test(test_what_it_says),
        cmocka_unit_test(test_wrong_gradient),       cmocka_unit_test(test_it_only_looks),
        cmocka_unit_test(test_not_finite_fails),     cmocka_unit_test(test_small_weights),
        cmocka_unit_test(test_nothing_gets_through), cmocka_unit_test(test_saturation),
        cmocka_unit_test(test_dead_channels),        cmocka_unit_test(test_vanishing_gradients),
        cmocka_unit_test(test_lenet5_is_healthy),    cmocka_unit_test(test_bounds_of_arguments),
        cmocka_unit_test(test_sunken_elu),           cmocka_unit_test(test_scope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
