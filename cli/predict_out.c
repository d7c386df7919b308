/* predict_out.c: answers as CSV, NPZ, JSON lines, and as Kaggle takes them. */
#include "cli.h"
#include "json.h"
#include "predict.h"

#include <stdlib.h>
#include <string.h>

static void *grown(void *memory, size_t n, size_t size) {
    void *more = realloc(memory, n * size);
    if (more) return more;
    free(memory);
    return take(SIZE_MAX, 1); /* says what is wrong and ends */
}

void answers_reserve(answers *a, size_t more) {
    if (a->n + more <= a->capacity) return;
    a->capacity = 2 * a->n + more;
    a->logits = grown(a->logits, a->capacity * a->k, sizeof *a->logits);
    a->probabilities = grown(a->probabilities, a->capacity * a->n_classes, sizeof *a->probabilities);
    a->labels = grown(a->labels, a->capacity, sizeof *a->labels);
    a->truth = grown(a->truth, a->capacity, sizeof *a->truth);
    a->files = grown(a->files, a->capacity, sizeof *a->files);
    a->number = grown(a->number, a->capacity, sizeof *a->number);
}

void answers_free(answers *a) {
    free(a->logits), free(a->probabilities), free(a->labels), free(a->truth), free(a->files), free(a->number);
    *a = (answers){0};
}

size_t answers_best(const answers *a, size_t i, size_t n, size_t *classes) {
    const float *const p = a->probabilities + i * a->n_classes;
    const size_t       count = n < a->n_classes ? n : a->n_classes;
    size_t             found = 0;
    for (size_t j = 0; j < a->n_classes; j++) { /* of equal ones the first stands before */
        size_t at = found;
        while (at > 0 && p[j] > p[classes[at - 1]]) at--;
        if (at == count) continue;
        if (found < count) found++;
        memmove(classes + at + 1, classes + at, (found - at - 1) * sizeof *classes);
        classes[at] = j;
    }
    return found;
}

double answers_percent(const answers *a, size_t i, size_t class) {
    return 100 * (double)a->probabilities[i * a->n_classes + class];
}

/* ----------------------------------------------------------------------- CSV */

/* A field that may hold commas, quotes or line ends. */
static void add_field(text *to, const char *field) {
    if (!strpbrk(field, ",\"\r\n")) {
        text_add(to, "%s", field);
        return;
    }
    text_add(to, "\"");
    for (; *field; field++) text_add(to, *field == '"' ? "\"\"" : "%c", *field);
    text_add(to, "\"");
}

static void add_class(text *to, const ln_model *model, int64_t said) {
    pool owner = {0};
    if (said >= 0) add_field(to, class_name(model, (size_t)said, &owner));
    pool_free(&owner);
}

static void write_csv(const answers *a, const ln_model *model, text *to) {
    bool names = false;
    for (size_t i = 0; i < a->n; i++) names = names || a->files[i];
    text_add(to, "image,%sclass,label,probability", names ? "file," : "");
    for (size_t j = 0; j < a->k; j++) text_add(to, ",logit_%zu", j);
    for (size_t j = 0; j < a->n_classes; j++) text_add(to, ",probability_%zu", j);
    for (size_t i = 0; i < a->n; i++) {
        text_add(to, "\n%zu,", a->number[i]);
        if (a->files[i]) add_field(to, a->files[i]);
        if (names) text_add(to, ",");
        add_class(to, model, a->labels[i]);
        text_add(to, ",");
        add_class(to, model, a->truth[i]);
        text_add(to, ",%.9g", answers_percent(a, i, (size_t)a->labels[i]) / 100);
        for (size_t j = 0; j < a->k; j++) text_add(to, ",%.9g", (double)a->logits[i * a->k + j]);
        for (size_t j = 0; j < a->n_classes; j++) text_add(to, ",%.9g", (double)a->probabilities[i * a->n_classes + j]);
    }
    text_add(to, "\n");
}

/* Kaggle counts from 1. Images that could not be read leave gaps. */
static bool write_kaggle(const answers *a, const ln_model *model, text *to, ln_error *error) {
    pool owner = {0};
    for (size_t i = 1; i < a->n; i++)
        if (a->number[i] <= a->number[i - 1])
            return fill_error(
                error, LN_E_ARGUMENT,
                "format=kaggle: two images have the ImageId %zu, as more than one set was given: give one",
                a->number[i] + 1);
    text_add(to, "ImageId,Label\n");
    for (size_t i = 0; i < a->n; i++) {
        text_add(to, "%zu,", a->number[i] + 1);
        add_field(to, class_name(model, (size_t)a->labels[i], &owner));
        text_add(to, "\n");
    }
    pool_free(&owner);
    return true;
}

/* ---------------------------------------------------------------- JSON lines */

static cJSON *object_of(const answers *a, const ln_model *model, size_t i, size_t n_best, pool *owner) {
    cJSON *const line = cJSON_CreateObject(), *const best = cJSON_CreateArray();
    size_t *const classes = pool_take(owner, (n_best + 1) * sizeof *classes);
    const size_t  n = answers_best(a, i, n_best, classes);
    const size_t  said = (size_t)a->labels[i];
    cJSON_AddNumberToObject(line, "image", (double)a->number[i]);
    if (a->files[i]) cJSON_AddStringToObject(line, "file", a->files[i]);
    cJSON_AddStringToObject(line, "class", class_name(model, said, owner));
    cJSON_AddNumberToObject(line, "probability", answers_percent(a, i, said) / 100);
    if (a->truth[i] >= 0) cJSON_AddStringToObject(line, "label", class_name(model, (size_t)a->truth[i], owner));
    for (size_t j = 0; j < n; j++) {
        cJSON *const one = cJSON_CreateObject();
        cJSON_AddStringToObject(one, "class", class_name(model, classes[j], owner));
        cJSON_AddNumberToObject(one, "probability", answers_percent(a, i, classes[j]) / 100);
        cJSON_AddItemToArray(best, one);
    }
    cJSON_AddItemToObject(line, "best", best);
    return line;
}

void answers_line(const answers *a, const ln_model *model, size_t i, size_t n_best, text *to) {
    pool owner = {0};
    json_add(to, object_of(a, model, i, n_best, &owner));
    pool_free(&owner);
}

/* ----------------------------------------------------------------------- NPZ */

static bool write_npz(const answers *a, const ln_model *model, ln_context *context, const char *path, ln_error *error) {
    pool               owner = {0};
    const char **const names = pool_take(&owner, a->n_classes * sizeof *names);
    for (size_t k = 0; k < a->n_classes; k++) names[k] = class_name(model, k, &owner);
    int64_t *const numbers = pool_take(&owner, a->n * sizeof *numbers);
    for (size_t i = 0; i < a->n; i++) numbers[i] = (int64_t)a->number[i];
    ln_array arrays[6] = {{.name = "logits", .n = a->n, .k = a->k, .floats = a->logits},
                          {.name = "probabilities", .n = a->n, .k = a->n_classes, .floats = a->probabilities},
                          {.name = "labels", .n = a->n, .k = 1, .integers = a->labels},
                          {.name = "class_names", .n = a->n_classes, .texts = names},
                          {.name = "numbers", .n = a->n, .k = 1, .integers = numbers}};
    if (a->n_labelled) arrays[5] = (ln_array){.name = "truth", .n = a->n, .k = 1, .integers = a->truth};
    const bool good = ln_npz_write(context, path, arrays, a->n_labelled ? 6 : 5, error) == LN_OK;
    pool_free(&owner);
    return good;
}

bool answers_write(const answers *a, const ln_model *model, ln_context *context, answers_format format, size_t n_best,
                   const char *path, ln_error *error) {
    text out = {0};
    switch (format) {
    case ANSWERS_NPZ: return write_npz(a, model, context, path, error);
    case ANSWERS_CSV: write_csv(a, model, &out); break;
    case ANSWERS_KAGGLE:
        if (!write_kaggle(a, model, &out, error)) return false;
        break;
    case ANSWERS_LINES:
        for (size_t i = 0; i < a->n; i++) answers_line(a, model, i, n_best, &out);
    }
    const bool good = ln_file_write(context, path, out.bytes, out.n, error) == LN_OK;
    text_free(&out);
    return good;
}
