/* A model in a safetensors file: its parameters as tensors, and in the metadata the key "linnet", the model as JSON:
 *   {"version": 1, "input": [c, h, w], "layers": ["conv2d 6 kernel=5 …", …], "loss": "cross_entropy",
 *    "preprocess": {"scale": …, "mean": …, "std": …}, "classes": ["0", "1", …],
 *    "reading": {"resize": [h, w], "grayscale": true, "invert": true}}    (what of it is so; else left out)
 * The layers are recipe lines, so that one grammar, with one set of checks, reads recipes and files. */
#include "base/math.h"
#include "graph/graph.h"
#include "io/safetensors.h"

#include <cjson/cJSON.h>
#include <stdio.h>
#include <string.h>

enum { VERSION = 1 };

/* ---------------------------------------------------------------- writing */

static bool add_reading(cJSON *root, const ln_reading *r) {
    const double size[] = {(double)r->h, (double)r->w};
    if (!r->h && !r->grayscale && !r->invert) return true;
    cJSON *const reading = cJSON_AddObjectToObject(root, "reading");
    return reading && (!r->h || cJSON_AddItemToObject(reading, "resize", cJSON_CreateDoubleArray(size, 2))) &&
           (!r->grayscale || cJSON_AddTrueToObject(reading, "grayscale")) &&
           (!r->invert || cJSON_AddTrueToObject(reading, "invert"));
}

/* cJSON allocates by malloc: its hooks are global, which the library's contexts must not share. */
static char *model_json(const ln_model *model) {
    char         loss[LN_MAX_LINE];
    cJSON *const root = cJSON_CreateObject();
    const double input[] = {(double)model->input.c, (double)model->input.h, (double)model->input.w};
    const size_t n = (size_t)snprintf(loss, sizeof loss, "%s", model->loss.op ? model->loss.op->name : "cross_entropy");
    if (model->loss.op) ln_attr_print(model->loss.op->attrs, model->loss.args, loss + n, sizeof loss - n);
    bool fine = cJSON_AddNumberToObject(root, "version", VERSION) &&
                cJSON_AddItemToObject(root, "input", cJSON_CreateDoubleArray(input, 3));
    cJSON *const layers = cJSON_AddArrayToObject(root, "layers");
    for (size_t i = 0; i < model->n_nodes; i++)
        fine = fine && cJSON_AddItemToArray(layers, cJSON_CreateString(model->line[i]));
    fine = fine && cJSON_AddStringToObject(root, "loss", loss);
    cJSON *const preprocess = cJSON_AddObjectToObject(root, "preprocess");
    fine = fine && cJSON_AddNumberToObject(preprocess, "scale", model->preprocess.scale) &&
           cJSON_AddNumberToObject(preprocess, "mean", model->preprocess.mean) &&
           cJSON_AddNumberToObject(preprocess, "std", model->preprocess.std);
    cJSON *const classes = cJSON_AddArrayToObject(root, "classes");
    for (size_t i = 0; i < model->n_classes && i < ln_model_class_count(model); i++)
        fine = fine && cJSON_AddItemToArray(classes, cJSON_CreateString(model->class_name[i]));
    fine = fine && add_reading(root, &model->reading);
    const uint64_t mode = ln_fp_enter(); /* numbers are to read back as they are, however the caller rounds */
    char *const    text = fine && classes ? cJSON_PrintUnformatted(root) : NULL;
    ln_fp_leave(mode);
    cJSON_Delete(root);
    return text;
}

ln_status ln_model_save(const ln_model *model, const char *path, ln_error *error) {
    if (model->error.status != LN_OK) return ln_model_status(model, error);
    const size_t n = ln_model_parameter_count(model);
    ln_tensor   *tensors = ln_allocate(model->context, (n + 1) * sizeof *tensors);
    char *const  json = model_json(model);
    ln_status    status = LN_OK;
    if (!tensors || !json) status = ln_fail_memory(error, path, (n + 1) * sizeof *tensors);
    for (size_t i = 0; i < n && status == LN_OK; i++) {
        const ln_parameter p = ln_model_parameter(model, i);
        tensors[i] = (ln_tensor){.name = p.name, .rank = p.rank, .count = p.count, .values = p.values};
        memcpy(tensors[i].shape, p.shape, sizeof p.shape);
    }
    const ln_metadata metadata = {"linnet", json};
    if (status == LN_OK) status = ln_safetensors_write(model->context, path, tensors, n, &metadata, 1, error);
    cJSON_free(json);
    ln_release(model->context, tensors);
    return status;
}

/* ---------------------------------------------------------------- reading */

static ln_status damaged(const char *path, const char *what, ln_error *error) {
    return ln_fail(error, LN_E_FORMAT,
                   "%s: its description of the model %s; it was not written by this version of linnet, or is damaged",
                   path, what);
}

/* A mistake in what the file says is the file's. */
static ln_status in_file(const char *path, const ln_error *found, ln_error *error) {
    return ln_fail(error, found->status == LN_E_MEMORY ? LN_E_MEMORY : LN_E_FORMAT, "%s: %s", path, found->message);
}

/* Element i of a JSON array as a size, 0 when it is none. */
static size_t size_at(const cJSON *array, int i) {
    const cJSON *const item = cJSON_GetArrayItem(array, i);
    const double       value = cJSON_IsNumber(item) ? item->valuedouble : 0;
    const size_t       size = value >= 1 && value < (double)(1 << 28) ? (size_t)value : 0;
    return (double)size == value ? size : 0;
}

/* A NUL character, escaped, in a text of the description: cJSON would end the text there. */
static bool holds_nul(const char *json) {
    for (const char *s = strchr(json, '\\'); s; s = s[1] ? strchr(s + 2, '\\') : NULL)
        if (strncmp(s, "\\u0000", 6) == 0) return true;
    return false;
}

static ln_status read_layers(const char *path, const cJSON *root, ln_model *model, ln_error *error) {
    const cJSON       *layer;
    const cJSON *const layers = cJSON_GetObjectItemCaseSensitive(root, "layers");
    const cJSON *const loss = cJSON_GetObjectItemCaseSensitive(root, "loss");
    ln_error           found;
    if (!cJSON_IsArray(layers) || !cJSON_IsString(loss)) return damaged(path, "lacks layers or a loss", error);
    cJSON_ArrayForEach(layer, layers) {
        if (!cJSON_IsString(layer)) return damaged(path, "has a layer that is no text", error);
        if (ln_model_add(model, layer->valuestring, &found) < 0) return in_file(path, &found, error);
    }
    if (ln_model_set_loss(model, loss->valuestring, &found) != LN_OK || ln_model_finish(model, &found) != LN_OK)
        return in_file(path, &found, error);
    return LN_OK;
}

static ln_status read_preprocess(const char *path, const cJSON *root, ln_model *model, ln_error *error) {
    const cJSON *const        p = cJSON_GetObjectItemCaseSensitive(root, "preprocess");
    const cJSON *const        scale = cJSON_GetObjectItemCaseSensitive(p, "scale"),
                       *const mean = cJSON_GetObjectItemCaseSensitive(p, "mean"),
                       *const std = cJSON_GetObjectItemCaseSensitive(p, "std");
    if (!cJSON_IsNumber(scale) || !cJSON_IsNumber(mean) || !cJSON_IsNumber(std))
        return damaged(path, "lacks the scale, mean or std of its images", error);
    const ln_preprocess preprocess = {scale->valuedouble, mean->valuedouble, std->valuedouble};
    ln_error            found;
    return ln_model_set_preprocess(model, preprocess, &found) == LN_OK ? LN_OK : in_file(path, &found, error);
}

/* A file without it was written for images that are read as they are. */
static ln_status read_reading(const char *path, const cJSON *root, ln_model *model, ln_error *error) {
    const cJSON *const r = cJSON_GetObjectItemCaseSensitive(root, "reading");
    const cJSON *const size = cJSON_GetObjectItemCaseSensitive(r, "resize");
    const ln_reading   reading = {.h = size_at(size, 0),
                                  .w = size_at(size, 1),
                                  .grayscale = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(r, "grayscale")),
                                  .invert = cJSON_IsTrue(cJSON_GetObjectItemCaseSensitive(r, "invert"))};
    if ((r && !cJSON_IsObject(r)) || (size && (cJSON_GetArraySize(size) != 2 || !reading.h || !reading.w)))
        return damaged(path, "has no readable resize, grayscale and invert of its images", error);
    return ln_model_set_reading(model, reading, error);
}

static ln_status read_classes(const char *path, const cJSON *root, ln_model *model, ln_error *error) {
    const cJSON *const classes = cJSON_GetObjectItemCaseSensitive(root, "classes");
    const size_t       n = cJSON_IsArray(classes) ? (size_t)cJSON_GetArraySize(classes) : 0,
                 n_bytes = (n + 1) * sizeof(char *);
    const cJSON *name;
    size_t       i = 0;
    ln_status    status = LN_OK;
    if (!cJSON_IsArray(classes) || n > ln_model_class_count(model))
        return damaged(path, "has no list of classes that fits its outputs", error);
    const char **const names = ln_allocate(model->context, n_bytes);
    if (!names) return ln_fail_memory(error, path, n_bytes);
    cJSON_ArrayForEach(name, classes) {
        if (!cJSON_IsString(name)) status = damaged(path, "has a class whose name is no text", error);
        names[i++] = cJSON_IsString(name) ? name->valuestring : "";
    }
    ln_error found;
    if (status == LN_OK && n > 0 && ln_model_set_classes(model, names, n, &found) != LN_OK)
        status = in_file(path, &found, error);
    ln_release(model->context, names);
    return status;
}

/* Where the values of each of the file's tensors go; every parameter must have one, and every tensor be one's. */
static ln_status find_places(const char *path, const ln_safetensors *file, const ln_model *model, float **to,
                             ln_error *error) {
    const size_t n = ln_model_parameter_count(model);
    for (size_t i = 0; i < n; i++) {
        const ln_parameter     p = ln_model_parameter(model, i);
        const ln_tensor *const t = ln_safetensors_find(file, p.name);
        if (!t) return ln_fail(error, LN_E_FORMAT, "%s: lacks the tensor '%s' that its own model names", path, p.name);
        if (t->rank != p.rank || memcmp(t->shape, p.shape, p.rank * sizeof p.shape[0]) != 0)
            return ln_fail(error, LN_E_FORMAT, "%s: the tensor '%s' has another shape than its own model says", path,
                           p.name);
        to[t - file->tensors] = p.values;
    }
    if (file->n_tensors != n)
        return ln_fail(error, LN_E_FORMAT, "%s: holds %zu tensors, and its own model names %zu", path, file->n_tensors,
                       n);
    return LN_OK;
}

static ln_status read_tensor(const char *path, ln_safetensors *file, float *to, ln_error *error) {
    const ln_tensor *const t = &file->tensors[file->next];
    const ln_status        status = ln_safetensors_take(file, to, error);
    if (status == LN_OK && ln_first_not_finite(to, t->count) < t->count)
        return ln_fail(error, LN_E_FORMAT,
                       "%s: the tensor '%s' holds values that are not finite; use weights from before they became so",
                       path, t->name);
    return status;
}

static ln_status read_values(const char *path, ln_safetensors *file, const ln_model *model, ln_error *error) {
    const size_t  n = file->n_tensors, n_bytes = n * sizeof(float *);
    float **const to = ln_allocate(model->context, n_bytes);
    if (!to) return ln_fail_memory(error, path, n_bytes);
    ln_status status = find_places(path, file, model, to, error);
    for (size_t i = 0; i < n && status == LN_OK; i++) status = read_tensor(path, file, to[i], error);
    ln_release(model->context, to);
    return status;
}

/* Layers take the memory of their parameters one by one: is there some for all of them? Nothing of it is touched. */
static ln_status ask_memory(ln_context *context, const char *path, const ln_safetensors *file, ln_error *error) {
    size_t n_bytes = 0;
    for (size_t i = 0; i < file->n_tensors; i++) n_bytes += file->tensors[i].count * sizeof(float);
    void *const memory = ln_allocate(context, n_bytes);
    ln_release(context, memory);
    return memory ? LN_OK : ln_fail_memory(error, path, n_bytes);
}

static ln_model *read_model(ln_context *context, const char *path, ln_safetensors *file, const cJSON *root,
                            ln_error *error) {
    const cJSON *const version = cJSON_GetObjectItemCaseSensitive(root, "version");
    const cJSON *const input = cJSON_GetObjectItemCaseSensitive(root, "input");
    if (cJSON_IsNumber(version) && version->valuedouble > VERSION) {
        ln_fail(error, LN_E_FORMAT,
                "%s: its description of the model has version %.9g, and version %d is read: use a newer linnet", path,
                version->valuedouble, VERSION);
        return NULL;
    }
    if (!cJSON_IsNumber(version) || version->valuedouble < VERSION || !cJSON_IsArray(input) ||
        cJSON_GetArraySize(input) != 3 || size_at(input, 0) == 0 || size_at(input, 1) == 0 || size_at(input, 2) == 0) {
        damaged(path, "has no readable version and input", error);
        return NULL;
    }
    if (ask_memory(context, path, file, error) != LN_OK) return NULL;
    ln_error        found;
    ln_model *const model = ln_model_new(context, size_at(input, 0), size_at(input, 1), size_at(input, 2), &found);
    if (!model) {
        in_file(path, &found, error);
        return NULL;
    }
    model->values_left = 1 << 20; /* a little more than the file has, so that a tensor which lacks is named */
    for (size_t i = 0; i < file->n_tensors; i++) model->values_left += file->tensors[i].count;
    if (read_layers(path, root, model, error) == LN_OK && read_preprocess(path, root, model, error) == LN_OK &&
        read_reading(path, root, model, error) == LN_OK && read_classes(path, root, model, error) == LN_OK &&
        read_values(path, file, model, error) == LN_OK)
        return model;
    ln_model_free(model);
    return NULL;
}

ln_model *ln_model_load(ln_context *context, const char *path, ln_error *error) {
    ln_safetensors file = {0};
    ln_model      *model = NULL;
    if (ln_safetensors_open(context, path, &file, error) != LN_OK) return NULL;
    const char *const json = ln_safetensors_get(&file, "linnet");
    const uint64_t    mode = ln_fp_enter();
    cJSON *const      root = json ? cJSON_Parse(json) : NULL;
    ln_fp_leave(mode);
    if (!json)
        ln_fail(error, LN_E_FORMAT,
                "%s: is a safetensors file without linnet's description of a model; use a file that linnet wrote",
                path);
    else if (!root) damaged(path, "is not JSON", error);
    else if (holds_nul(json)) damaged(path, "has a text with a NUL character", error);
    else model = read_model(context, path, &file, root, error);
    cJSON_Delete(root);
    ln_safetensors_free(&file);
    return model;
}
