/* When memory runs out: every allocation of every kind of call fails once, in turn. The call must say LN_E_MEMORY in a
 * sentence, hold nothing, leave its outputs and the model as they were, and work when there is memory again. Calls that
 * plan a network do so for several, which together have every layer, loss and optimizer; all but the first train with
 * all that a training can be asked to do beside. */
#include "harness/draw.h"
#include "harness/files.h"

enum { N_IMAGES = 40, MAX_NETWORKS = 24, SEEDS = 400 };

/* Nothing special; what is not about a network has this one. */
static const char *const lines[] = {
    "conv2d 4 kernel=3 padding=1 as c", "relu", "add c", "maxpool2d 2", "flatten", "linear 3", NULL};

static drawn  networks[MAX_NETWORKS];
static size_t n_networks;

/* The words of all ops and optimizers. */
enum { N_WORDS = LN_OP_COUNT + LN_OPTIMIZER_COUNT };
static const char *word(size_t i) { return i < LN_OP_COUNT ? ln_ops[i]->name : ln_optimizers[i - LN_OP_COUNT]->name; }

static bool begins_with(const char *line, const char *name) {
    const size_t length = strlen(name);
    return strncmp(line, name, length) == 0 && strchr(" ", line[length]);
}

static bool has_word(const drawn *net, const char *name) {
    bool has = begins_with(net->loss, name) || begins_with(net->optimizer, name);
    for (size_t i = 0; net->lines[i]; i++) has |= begins_with(net->lines[i], name);
    return has;
}

/* Groups cannot be predicted one image at a time. */
static bool has_groups(const drawn *net) {
    bool has = false;
    for (size_t i = 0; net->lines[i]; i++) has |= strstr(net->lines[i], "groups=") != NULL;
    return has;
}

/* Takes the network where it has a word that no other has. */
static void take_network(bool seen[N_WORDS], uint64_t seed) {
    drawn net;
    bool  is_new = false;
    draw_network(&net, seed, 0);
    if (has_groups(&net)) return;
    for (size_t i = 0; i < N_WORDS; i++) is_new |= !seen[i] && has_word(&net, word(i));
    if (!is_new) return;
    assert_true(n_networks < MAX_NETWORKS);
    draw_network(&networks[n_networks], seed, 0);
    networks[n_networks].ema = 0.9;
    for (size_t i = 0; i < N_WORDS; i++) seen[i] |= has_word(&net, word(i));
    n_networks++;
}

static int choose_networks(void **state) {
    bool seen[N_WORDS] = {false}, all = true;
    (void)state;
    networks[n_networks++] = (drawn){.in = {1, 8, 8}, .loss = "cross_entropy", .optimizer = "sgd lr=0.05 momentum=0.9"};
    memcpy(networks[0].lines, lines, sizeof lines);
    for (uint64_t seed = 0; seed < SEEDS; seed++) take_network(seen, seed);
    for (size_t i = 0; i < N_WORDS; i++)
        if (!seen[i]) {
            print_error("none of %d drawn networks has %s\n", SEEDS, word(i));
            all = false;
        }
    return all ? 0 : -1;
}

/* What the calls below work on. */
typedef struct scene {
    const drawn *net;
    ln_model    *model;
    ln_data     *data;
    float       *pixels;
    uint8_t      labels[N_IMAGES];
    char         path[512], written[512];
} scene;

static ln_model *model_or_null(files *f, const scene *s, ln_error *error) {
    ln_model *const model = net_model_or_null(f->context, s->net->in, s->net->lines, error);
    if (model && ln_model_set_loss(model, s->net->loss, error) == LN_OK) return model;
    ln_model_free(model);
    return NULL;
}

static ln_data *data_or_null(files *f, const scene *s, ln_error *error) {
    const ln_shape in = s->net->in;
    return ln_data_from_floats(f->context, s->pixels, s->labels, N_IMAGES, in.c, in.h, in.w, error);
}

static ln_train_options options_of(const scene *s) {
    ln_train_options options = LN_TRAIN_OPTIONS;
    options.epochs = 2;
    options.optimizer = s->net->optimizer;
    options.test = s->data;
    if (s->net == networks) return options;
    options.schedule = "reduce_on_plateau";
    options.augment = "shift 1";
    options.validation = s->data;
    options.clip_norm = s->net->clip_norm;
    options.clip_value = s->net->clip_value;
    options.l2 = s->net->l2;
    options.ema = s->net->ema;
    options.patience = 1;
    options.restore_best = true;
    return options;
}

static void scene_open(files *f, scene *s, const drawn *net) {
    ln_error error = {0};
    s->net = net;
    s->pixels = net_floats(1, N_IMAGES * ln_shape_count(net->in));
    for (size_t i = 0; i < N_IMAGES; i++) s->labels[i] = (uint8_t)(i % 3);
    s->model = model_or_null(f, s, &error);
    if (!s->model) fail_msg("%s", error.message);
    s->data = data_or_null(f, s, NULL);
    assert_non_null(s->data);
    assert_int_equal(ln_model_save(s->model, files_path(f, "saved.safetensors", s->path), NULL), LN_OK);
    (void)files_path(f, "written", s->written);
}

static void scene_close(scene *s) {
    ln_data_free(s->data);
    ln_model_free(s->model);
    free(s->pixels);
}

/* Runs work with its first, second, … allocation failing, until none fails. at_least: how many it must have. */
typedef bool work_of(files *f, scene *s, ln_error *error);
static void  each_fails_with(void **state, const drawn *net, work_of *work, size_t at_least) {
     files *const f = *state;
     scene        s = {0};
     scene_open(f, &s, net);
     size_t       n_bytes, n = 0;
     const size_t held = f->n_held;
     for (size_t k = 1; n == 0; k++) {
         ln_error error = {0};
         float   *before = net_weights(s.model, &n_bytes);
         f->n_allocations = 0;
         f->fails_at = k;
         const bool good = work(f, &s, &error);
         f->fails_at = 0;
         assert_int_equal(f->n_held, held);
         if (f->n_allocations < k) { /* it did not come to the k-th */
            if (!good) fail_msg("%s", error.message);
            n = k - 1;
        } else {
             float *const after = net_weights(s.model, &n_bytes);
             if (good) fail_msg("allocation %zu failed, and nobody noticed", k);
            assert_int_equal(error.status, LN_E_MEMORY);
             if (!strstr(error.message, "out of memory")) fail_msg("'%s'", error.message);
            assert_memory_equal(before, after, n_bytes);
             free(after);
        }
         free(before);
    }
     assert_in_range(n, at_least, 1000);
     scene_close(&s);
}

/* What has to do with no network, and what plans one. */
static void each_fails(void **state, work_of *work, size_t at_least) {
    each_fails_with(state, networks, work, at_least);
}
static void each_fails_planning(void **state, work_of *work, size_t at_least) {
    for (size_t i = 0; i < n_networks; i++) each_fails_with(state, &networks[i], work, at_least);
}

/* ------------------------------------------------------------------- calls */

static bool use_context(files *f, scene *s, ln_error *error) {
    const ln_allocator       allocator = {files_allocate, files_release, f};
    const ln_context_options with = {.size = sizeof with, .n_threads = 3, .allocator = &allocator};
    ln_context *const        context = ln_context_new(&with, error);
    (void)s;
    ln_context_free(context);
    return context != NULL;
}

/* Twenty layers, so that the model has to grow. */
static bool build(files *f, scene *s, ln_error *error) {
    ln_model *const model = ln_model_new(f->context, 1, 8, 8, error);
    ln_layer        last = 0;
    (void)s;
    for (size_t i = 0; i < 20 && model && last >= 0; i++)
        last = ln_model_add(model, "conv2d 2 kernel=3 padding=1", error);
    ln_error kept = {0};
    if (model && last < 0) {
        assert_int_equal(ln_model_status(model, &kept), LN_E_MEMORY);
        assert_string_equal(kept.message, error->message);
    }
    ln_model_free(model);
    return model && last >= 0;
}

static bool name_classes(files *f, scene *s, ln_error *error) {
    const char *const names[] = {"nought", "one", "two"};
    const char *const again[] = {"zero", "one", "two"};
    ln_model *const   model = ln_model_new(f->context, 1, 8, 8, error);
    (void)s;
    const bool first = model && ln_model_set_classes(model, names, 3, error) == LN_OK;
    const bool second = first && ln_model_set_classes(model, again, 3, error) == LN_OK;
    if (first) assert_string_equal(ln_model_class(model, 0), second ? "zero" : "nought");
    ln_model_free(model);
    return second;
}

static bool plan(files *f, scene *s, ln_error *error) {
    ln_plan              *p = NULL;
    size_t                n_bytes = 77;
    const ln_plan_options options = {
        .kernels = ln_kernels_of(f->context->isa), .batch = 20, .n_threads = 1, .training = true};
    const bool good = ln_plan_measure(s->model, &options, &n_bytes, NULL, error) == LN_OK &&
                      ln_plan_new(s->model, &options, &p, error) == LN_OK;
    if (!good) assert_null(p);
    ln_plan_free(p);
    return good;
}

static bool measure_memory(files *f, scene *s, ln_error *error) {
    ln_memory              memory = {.training = 1, .inference = 2};
    const ln_train_options options = options_of(s);
    (void)f;
    const bool good = ln_model_memory(s->model, 20, &options, &memory, error) == LN_OK;
    if (!good) assert_true(memory.training == 1 && memory.inference == 2);
    return good;
}

/* On a model of its own, whose weights may change. */
static bool step(files *f, scene *s, ln_error *error) {
    const ln_train_options options = options_of(s);
    ln_model *const        model = model_or_null(f, s, error);
    ln_trainer *const      trainer = model ? ln_trainer_new(model, s->data, &options, error) : NULL;
    const bool             good = trainer && ln_trainer_step(trainer, NULL, error) == LN_OK;
    if (trainer) assert_true(good); /* a step allocates nothing */
    ln_trainer_free(trainer);
    ln_model_free(model);
    return good;
}

static bool train(files *f, scene *s, ln_error *error) {
    const ln_train_options options = options_of(s);
    ln_model *const        model = model_or_null(f, s, error);
    const bool             good = model && ln_train(model, s->data, &options, error) == LN_OK;
    ln_model_free(model);
    return good;
}

static bool evaluate(files *f, scene *s, ln_error *error) {
    ln_metrics m = {.n = 99};
    uint64_t   confusion[9] = {99};
    (void)f;
    const bool good = ln_evaluate(s->model, s->data, 20, &m, confusion, error) == LN_OK;
    if (!good) assert_true(m.n == 99 && confusion[0] == 99);
    return good;
}

static bool predict_by(size_t batch, scene *s, ln_error *error) {
    float      logits[3 * N_IMAGES] = {99}, shares[3 * N_IMAGES] = {99};
    const bool good = ln_predict(s->model, s->data, batch, logits, shares, error) == LN_OK;
    if (!good) assert_true(logits[0] == 99 && shares[0] == 99);
    return good;
}
static bool predict(files *f, scene *s, ln_error *error) {
    (void)f;
    return predict_by(20, s, error);
}
static bool predict_images(files *f, scene *s, ln_error *error) {
    (void)f;
    return predict_by(1, s, error);
}

static bool predictor(files *f, scene *s, ln_error *error) {
    ln_predictor *const p = ln_predictor_new(s->model, 2, error);
    float               logits[6];
    (void)f;
    if (p) assert_int_equal(ln_predictor_run(p, s->pixels, 2, logits, error), LN_OK);
    ln_predictor_free(p);
    return p != NULL;
}

static bool check(files *f, scene *s, ln_error *error) {
    ln_check *const c = ln_check_new(s->model, s->data, 2, 1, error);
    (void)f;
    ln_check_free(c);
    return c != NULL;
}

static bool measure_layers(files *f, scene *s, ln_error *error) {
    ln_layer_time layers[NET_LINES], update;
    (void)f;
    return ln_measure_layers(s->model, 4, s->net->optimizer, 2, layers, &update, error) == LN_OK;
}

static bool save(files *f, scene *s, ln_error *error) {
    (void)f;
    return ln_model_save(s->model, s->written, error) == LN_OK;
}

static bool load(files *f, scene *s, ln_error *error) {
    ln_model *const model = ln_model_load(f->context, s->path, error);
    ln_model_free(model);
    return model != NULL;
}

static bool open_data(files *f, scene *s, ln_error *error) {
    (void)s;
    ln_data *const data =
        ln_data_open(f->context, LN_SOURCE_DIR "/data/mnist/t10k-images-idx3-ubyte.gz", "test", NULL, error);
    ln_data_free(data);
    return data != NULL;
}

static bool open_mnist(files *f, scene *s, ln_error *error) {
    (void)s;
    ln_data *const data = ln_data_open(f->context, "mnist", "test", LN_SOURCE_DIR "/data", error);
    ln_data_free(data);
    return data != NULL;
}

static bool split_data(files *f, scene *s, ln_error *error) {
    ln_data *const data = data_or_null(f, s, error);
    ln_data *const part = data ? ln_data_split(data, 0.25, 1, error) : NULL;
    if (data && !part) assert_int_equal(ln_data_describe(data).n, N_IMAGES);
    ln_data_free(data);
    ln_data_free(part);
    return part != NULL;
}

static bool open_picture(files *f, scene *s, ln_error *error) {
    char              path[512];
    static const char pgm[] = "P5 4 4 255\n0123456789abcdef";
    (void)s;
    ln_data *const data =
        ln_data_from_picture(f->context, files_put(f, "x.pgm", pgm, sizeof pgm - 1, path), 1, 8, 8, NULL, error);
    ln_data_free(data);
    return data != NULL;
}

static bool write_arrays(files *f, scene *s, ln_error *error) {
    const ln_array arrays[] = {{.name = "a", .n = N_IMAGES, .k = 64, .floats = s->pixels}};
    return ln_npz_write(f->context, s->written, arrays, 1, error) == LN_OK &&
           ln_file_write(f->context, s->written, "x", 1, error) == LN_OK;
}

/* ------------------------------------------------------------------- tests */

static void test_context(void **state) { each_fails(state, use_context, 2); }
static void test_build(void **state) { each_fails(state, build, 40); }
static void test_classes(void **state) { each_fails(state, name_classes, 3); }
static void test_plan(void **state) { each_fails_planning(state, plan, 5); }
static void test_model_memory(void **state) { each_fails_planning(state, measure_memory, 4); }
static void test_step(void **state) { each_fails_planning(state, step, 10); }
static void test_train(void **state) { each_fails_planning(state, train, 10); }
static void test_evaluate(void **state) { each_fails_planning(state, evaluate, 4); }
static void test_predict(void **state) { each_fails_planning(state, predict, 4); }
static void test_predict_images(void **state) { each_fails_planning(state, predict_images, 4); }
static void test_predictor(void **state) { each_fails_planning(state, predictor, 3); }
static void test_check(void **state) { each_fails_planning(state, check, 8); }
static void test_measure_layers(void **state) { each_fails_planning(state, measure_layers, 5); }
static void test_save(void **state) { each_fails_planning(state, save, 2); }
static void test_load(void **state) { each_fails_planning(state, load, 10); }
static void test_open_data(void **state) { each_fails(state, open_data, 4); }
static void test_open_mnist(void **state) { each_fails(state, open_mnist, 4); }
static void test_split_data(void **state) { each_fails(state, split_data, 5); }
static void test_open_picture(void **state) { each_fails(state, open_picture, 3); }
static void test_write_arrays(void **state) { each_fails(state, write_arrays, 1); }

/* A step that fails says why even when there is no memory to look for the culprit. */
static void test_not_finite_without_memory(void **state) {
    files *const     f = *state;
    scene            s = {0};
    ln_train_options options = LN_TRAIN_OPTIONS;
    scene_open(f, &s, networks);
    options.in_order = true;
    ln_trainer *const trainer = ln_trainer_new(s.model, s.data, &options, NULL);
    s.pixels[5] = __builtin_inff();
    for (size_t k = 1; k <= 4; k++) {
        ln_error error = {0};
        f->n_allocations = 0;
        f->fails_at = k;
        assert_int_equal(ln_trainer_step(trainer, NULL, &error), LN_E_NOT_FINITE);
        f->fails_at = 0;
        assert_int_equal(error.status, LN_E_NOT_FINITE);
        assert_true(strncmp(error.message, "step 1: ", 8) == 0);
    }
    ln_trainer_free(trainer);
    scene_close(&s);
}

/* Sizes that no machine has are refused, not attempted in part. */
static void test_more_than_there_is(void **state) {
    files *const    f = *state;
    ln_error        error = {0};
    ln_memory       memory;
    ln_model *const model = ln_model_new(f->context, 1, 8192, 8192, NULL);
    assert_non_null(model);
    assert_int_equal(ln_model_add(model, "conv2d 8 kernel=3", &error), 0);
    assert_int_equal(ln_model_add(model, "flatten", &error), 1);
    assert_int_equal(ln_model_memory(model, 1 << 20, NULL, &memory, &error), LN_OK);
    assert_true(memory.training > (size_t)1 << 48);
    assert_null(ln_predictor_new(model, 1 << 20, &error));
    assert_int_equal(error.status, LN_E_MEMORY);
    ln_model_free(model);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FILES_TEST(test_context),
        FILES_TEST(test_build),
        FILES_TEST(test_classes),
        FILES_TEST(test_plan),
        FILES_TEST(test_model_memory),
        FILES_TEST(test_step),
        FILES_TEST(test_train),
        FILES_TEST(test_evaluate),
        FILES_TEST(test_predict),
        FILES_TEST(test_predict_images),
        FILES_TEST(test_predictor),
        FILES_TEST(test_check),
        FILES_TEST(test_measure_layers),
        FILES_TEST(test_save),
        FILES_TEST(test_load),
        FILES_TEST(test_open_data),
        FILES_TEST(test_open_mnist),
        FILES_TEST(test_split_data),
        FILES_TEST(test_open_picture),
        FILES_TEST(test_write_arrays),
        FILES_TEST(test_not_finite_without_memory),
        FILES_TEST(test_more_than_there_is),
    };
    return cmocka_run_group_tests(tests, choose_networks, NULL);
}
