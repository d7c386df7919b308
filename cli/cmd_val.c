/* cmd_val.c: linnet val WEIGHTS. */
#include "cli.h"
#include "images.h"
#include "json.h"
#include "recipe.h"
#include "terminal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void add_share(table *t, uint64_t part, uint64_t of) {
    if (of) table_add(t, "%.2f %%", 100 * (double)part / (double)of);
    else table_add(t, "-");
}

static void print_classes(const ln_model *model, const uint64_t *confusion, size_t k) {
    pool  owner = {0};
    table t = {.align = "Rrrrr"};
    table_add(&t, "class"), table_add(&t, "images"), table_add(&t, "correct"), table_add(&t, "precision");
    table_add(&t, "recall");
    for (size_t i = 0; i < k; i++) {
        uint64_t is = 0, said = 0;
        for (size_t j = 0; j < k; j++) {
            is += confusion[i * k + j];
            said += confusion[j * k + i];
        }
        table_add(&t, "%s", class_name(model, i, &owner));
        table_add(&t, "%llu", (unsigned long long)is);
        table_add(&t, "%llu", (unsigned long long)confusion[i * k + i]);
        add_share(&t, confusion[i * k + i], said);
        add_share(&t, confusion[i * k + i], is);
    }
    table_print(&t, stdout);
    pool_free(&owner);
}

static void print_confusion(const ln_model *model, const uint64_t *confusion, size_t k) {
    pool  owner = {0};
    char *align = take(k + 2, 1);
    for (size_t i = 0; i <= k; i++) align[i] = 'R';
    table t = {.align = align};
    table_add(&t, "label");
    for (size_t j = 0; j < k; j++) table_add(&t, "%s", class_name(model, j, &owner));
    for (size_t i = 0; i < k; i++) {
        table_add(&t, "%s", class_name(model, i, &owner));
        for (size_t j = 0; j < k; j++)
            if (confusion[i * k + j]) table_add(&t, "%llu", (unsigned long long)confusion[i * k + j]);
            else table_add(&t, ".");
    }
    if (table_fits(&t, stdout)) {
        puts("\nConfusion: a row for each label, a column for each answer");
        table_print(&t, stdout);
    } else puts("\nThe confusion matrix is too wide for this terminal: linnet plot what=confusion draws it");
    table_free(&t);
    free(align);
    pool_free(&owner);
}

/* null, of nothing. */
static void add_ratio(cJSON *o, const char *key, uint64_t part, uint64_t of) {
    json_number(o, key, of ? (double)part / (double)of : (double)NAN);
}

static cJSON *class_of(const ln_model *model, const uint64_t *confusion, size_t k, size_t i) {
    cJSON *const o = cJSON_CreateObject(), *const row = cJSON_CreateArray();
    pool     owner = {0};
    uint64_t is = 0, said = 0;
    for (size_t j = 0; j < k; j++) {
        is += confusion[i * k + j];
        said += confusion[j * k + i];
        cJSON_AddItemToArray(row, cJSON_CreateNumber((double)confusion[i * k + j]));
    }
    json_text(o, "class", class_name(model, i, &owner));
    json_count(o, "images", is);
    json_count(o, "correct", confusion[i * k + i]);
    add_ratio(o, "precision", confusion[i * k + i], said);
    add_ratio(o, "recall", confusion[i * k + i], is);
    cJSON_AddItemToObject(o, "said", row);
    pool_free(&owner);
    return o;
}

static void print_json(const ln_model *model, const char *said, const ln_metrics *m, const uint64_t *confusion,
                       size_t k) {
    cJSON *const o = cJSON_CreateObject(), *const classes = cJSON_CreateArray();
    json_text(o, "data", said);
    json_count(o, "images", m->n);
    json_count(o, "correct", m->n_correct);
    json_number(o, "accuracy", m->accuracy);
    json_number(o, "loss", m->loss);
    for (size_t i = 0; i < k; i++) cJSON_AddItemToArray(classes, class_of(model, confusion, k, i));
    cJSON_AddItemToObject(o, "classes", classes);
    json_print(o);
}

static bool has_labels(const ln_data *data, const char *name, ln_error *error) {
    if (ln_data_describe(data).has_labels) return true;
    pool owner = {0};
    fill_error(error, LN_E_ARGUMENT, "%.200s has no labels to measure by: %s", name, images_labels_place(name, &owner));
    pool_free(&owner);
    return false;
}

/* What is measured on: images, what they are called, and what must live as long. */
typedef struct measured {
    ln_data    *data;
    const char *said;
    recipe      recipe;
    recipe_data sets;
    pool        owner;
} measured;

static bool open_named(measured *m, const ln_model *model, ln_context *context, const char *name, ln_error *error) {
    const ln_reading reading = images_reading(model, name);
    m->said = name;
    m->data = ln_data_open_as(context, name, "test", NULL, &reading, error);
    if (m->data) images_fit(m->data, model);
    return m->data != NULL;
}

/* Of a run those that it was tested on, or else chosen by. */
static bool open_of_run(measured *m, ln_context *context, const char *run, ln_error *error) {
    if (!recipe_read(&m->recipe, pool_format(&m->owner, "%s/recipe.yaml", run), NULL, 0, error)) return false;
    ln_model  *built = recipe_model(&m->recipe, context, error);
    const bool good = built && recipe_open_run(&m->recipe, context, built, &m->sets, error);
    ln_model_free(built);
    if (!good) return false;
    m->data = m->sets.test ? m->sets.test : m->sets.validation;
    m->said = pool_format(&m->owner, "the %s images of %s", m->sets.test ? "test" : "validation", run);
    return m->data || fill_error(error, LN_E_ARGUMENT,
                                 "%.200s was trained without test images: say which it is measured on, data=IMAGES "
                                 "(see linnet help images)",
                                 run);
}

/* Without data= and a run the digits are taken: no wonder when a network for other images does not want them. */
static bool fits_default(const arguments *a, const ln_model *model, const ln_data *data, ln_error *error) {
    const ln_data_info i = ln_data_describe(data);
    size_t             c, h, w;
    ln_model_input_shape(model, &c, &h, &w);
    if (i.c == c && i.h == h && i.w == w) return true;
    return fill_error(error, LN_E_SHAPE,
                      "%.200s takes images of %zux%zux%zu, and lies in no run's folder: say which it is measured on, "
                      "data=IMAGES (see linnet help images)",
                      a->words[0], c, h, w);
}

static bool open_measured(measured *m, const arguments *a, const ln_model *model, ln_context *context,
                          ln_error *error) {
    const char *const given = argument(a, "data"), *const run = run_of_weights(&m->owner, a->words[0]);
    if (given) return open_named(m, model, context, given, error);
    if (run) return open_of_run(m, context, run, error);
    return open_named(m, model, context, "mnist:test", error) && fits_default(a, model, m->data, error);
}

static void close_measured(measured *m) {
    if (m->data != m->sets.test && m->data != m->sets.validation) ln_data_free(m->data);
    recipe_data_free(&m->sets);
    recipe_free(&m->recipe);
    pool_free(&m->owner);
}

static int evaluate(const arguments *a, ln_context *context, size_t batch, ln_error *error) {
    measured        on = {0};
    ln_model *const model = load_weights(context, a->words[0], error);
    const bool      opened = model && open_measured(&on, a, model, context, error);
    const size_t    k = model ? ln_model_class_count(model) : 0;
    uint64_t *const confusion = take(k * k, sizeof *confusion);
    ln_metrics      m;
    const bool      good = opened && has_labels(on.data, on.said, error) && images_keep_known(on.data, model, error) &&
                      ln_evaluate(model, on.data, batch, &m, confusion, error) == LN_OK;
    if (good && has_flag(a, "--json")) print_json(model, on.said, &m, confusion, k);
    else if (good) {
        print_classes(model, confusion, k);
        print_confusion(model, confusion, k);
        printf("\n%s: %zu image%s, %zu correct (%.2f %%), loss %.4f\n", on.said, m.n, m.n == 1 ? "" : "s", m.n_correct,
               100 * m.accuracy, m.loss);
    }
    const bool usage = model && !opened && error->status == LN_E_ARGUMENT;
    free(confusion);
    close_measured(&on);
    ln_model_free(model);
    if (usage) return say_usage(a->verb, "%s", error->message);
    return good ? STATUS_OK : say_error(error);
}

static int run(const arguments *a) {
    size_t   batch = 64;
    ln_error error = {0};
    if (!argument_count(a, "batch", 1, 65536, &batch)) return STATUS_USAGE;
    ln_context *context = open_context(0);
    if (!context) return STATUS_FAILED;
    const int status = evaluate(a, context, batch, &error);
    ln_context_free(context);
    return status;
}

const verb verb_val = {
    .name = "val",
    .summary = "measure trained weights on labelled images",
    .usage = "val WEIGHTS [data=IMAGES] [batch=N] [--json]",
    .help = "Prints loss, accuracy, precision and recall of each class, and the confusion\n"
            "matrix. WEIGHTS is a file, which alone says what the network is, or a run's folder,\n"
            "which stands for its last weights.\n"
            "\n"
            "  data=IMAGES  what to measure on; linnet help images says how they are named. Without\n"
            "               it: what the run that the weights are from was tested on (or else\n"
            "               validated), and mnist:test for weights that lie in no run's folder\n"
            "  batch=N      images at a time (64)\n"
            "  --json       one line of JSON: data, images, correct, accuracy, loss, and of each class\n"
            "               images, correct, precision, recall (null where there are none) and\n"
            "               said: how many of its images were taken for each class\n"
            "\n"
            "  linnet val runs/1/weights/last.safetensors\n",
    .flags = (const char *const[]){"--json", NULL},
    .keys = (const char *const[]){"data", "batch", NULL},
    .n_min = 1,
    .n_max = 1,
    .run = run,
};
