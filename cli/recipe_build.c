/* recipe_build.c: a checked recipe as calls of the library. */
#include "cli.h"
#include "images.h"
#include "recipe_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool build(recipe *r, ln_model *model, ln_error *error) {
    const recipe_item *init = &r->item[KEY_model_init], *loss = &r->item[KEY_train_loss];
    if (ln_model_add_init(model, init->text, error) != LN_OK) return recipe_blame(r, init, error);
    for (size_t i = 0; i < r->n_layers; i++)
        if (ln_model_add(model, r->layers[i].text, error) < 0) return recipe_blame(r, &r->layers[i], error);
    return ln_model_set_loss(model, loss->text, error) == LN_OK || recipe_blame(r, loss, error);
}

ln_model *recipe_model(recipe *r, ln_context *context, ln_error *error) {
    ln_model *model = ln_model_new(context, r->c, r->h, r->w, error);
    if (!model) {
        recipe_blame(r, &r->item[KEY_model_input], error);
        return NULL;
    }
    if (build(r, model, error)) return model;
    ln_model_free(model);
    return NULL;
}

static bool may_lack_test(recipe *r, ln_error *error) {
    const recipe_item *rows = &r->item[KEY_data_test_rows];
    if (strcmp(rows->text, "all") == 0) return true;
    return recipe_fail(r, rows, error,
                       "data.test_rows is '%.60s', but there are no test images to choose from: name some by "
                       "data.test, or leave test_rows out",
                       rows->text);
}

static ln_reading reading_of(const recipe *r) {
    ln_reading reading = {.grayscale = r->item[KEY_data_grayscale].number > 0,
                          .invert = r->item[KEY_data_invert].number > 0};
    recipe_resize(r->item[KEY_data_resize].text, &reading.h, &reading.w);
    return reading;
}

/* The test images that go with those of data.name: NAME:test, or NULL where there are none. */
static const char *own_test(recipe *r, ln_context *context) {
    const char *const name = r->item[KEY_data_name].text, *const colon = strrchr(name, ':');
    const size_t      length = colon && strcmp(colon, ":train") == 0 ? (size_t)(colon - name) : strlen(name);
    const char *const bare = pool_copy(&r->owner, name, length);
    return ln_data_has_test(context, bare) ? pool_format(&r->owner, "%s:test", bare) : NULL;
}

static bool open_test(recipe *r, ln_context *context, recipe_data *data, ln_error *error) {
    const recipe_item *test = &r->item[KEY_data_test];
    const ln_reading   reading = reading_of(r);
    const bool         is_auto = strcmp(test->text, "auto") == 0;
    const char *const  name = is_auto ? own_test(r, context) : test->text;
    if (!name || strcmp(name, "none") == 0) return may_lack_test(r, error);
    data->test = ln_data_open_as(context, name, "test", NULL, &reading, error);
    return data->test || recipe_blame(r, test, error);
}

static bool keep_classes(recipe *r, ln_data *images, ln_error *error) {
    const recipe_item *wanted = &r->item[KEY_data_classes];
    const char        *words[MAX_CLASSES];
    int                classes[MAX_CLASSES];
    size_t             n = 0;
    recipe_classes(wanted->text, words, &n, &r->owner);
    for (size_t i = 0; i < n; i++)
        if (!images_label(images, words[i], &classes[i], error)) return recipe_blame(r, wanted, error);
    return n == 0 || ln_data_keep_classes(images, classes, n, error) == LN_OK || recipe_blame(r, wanted, error);
}

/* The rows of the file, then the classes that are wanted of them. */
static bool keep(recipe *r, ln_data *images, recipe_key rows_key, ln_error *error) {
    const recipe_item *rows = &r->item[rows_key];
    size_t             first = 0, n = 0;
    recipe_rows(rows->text, &first, &n);
    if (n && ln_data_keep_rows(images, first, n, error) != LN_OK) return recipe_blame(r, rows, error);
    return keep_classes(r, images, error);
}

static bool preprocess(recipe *r, ln_model *model, const ln_data *train, ln_error *error) {
    const recipe_item *scale = &r->item[KEY_data_scale];
    ln_preprocess      how = {.scale = scale->number, .mean = 0, .std = 1};
    if (how.scale <= 0) how.scale = ln_data_describe(train).is_float ? 1 : 1.0 / 255;
    normalizing n;
    recipe_normalize(r->item[KEY_data_normalize].text, &n);
    if (n.how == NORMALIZE_AUTO) how = ln_data_fit(train, how.scale);
    if (n.how == NORMALIZE_RANGE) how = ln_data_fit_range(train, how.scale, n.a, n.b);
    if (n.how == NORMALIZE_BY) how.mean = n.a, how.std = n.b;
    return ln_model_set_preprocess(model, how, error) == LN_OK || recipe_blame(r, scale, error);
}

/* Images that the network cannot learn from are refused before anything is said or written. */
static bool fits(recipe *r, const ln_model *model, ln_data *images, const recipe_item *name, ln_error *error) {
    images_fit(images, model);
    const ln_data_info i = ln_data_describe(images);
    const size_t       n_classes = ln_model_class_count(model);
    const recipe_item *last = &r->layers[r->n_layers - 1];
    if (i.c != r->c || i.h != r->h || i.w != r->w)
        return recipe_fail(r, &r->item[KEY_model_input], error,
                           "model.input is %s, but the images of %.80s are %zux%zux%zu: change one of them",
                           r->item[KEY_model_input].text, name->text, i.c, i.h, i.w);
    if (!i.has_labels)
        return recipe_fail(r, name, error, "%.80s has no labels to learn or test from: %s", name->text,
                           images_labels_place(name->text, &r->owner));
    if ((size_t)i.n_classes > n_classes)
        return recipe_fail(r, last, error,
                           "the last layer, '%.60s', tells %zu classes apart, but the labels of %.80s name %d: give it "
                           "%d outputs",
                           last->text, n_classes, name->text, i.n_classes, i.n_classes);
    return true;
}

static bool check_whole_batch(recipe *r, const ln_data *train, ln_error *error) {
    const recipe_item *batch = &r->item[KEY_data_batch];
    const size_t       n = ln_data_describe(train).n;
    if (strcmp(batch->text, "all") != 0 || (double)n <= batch->number) return true;
    return recipe_fail(r, batch, error, "data.batch is all, but there are %zu images and a step takes %.0f at most", n,
                       batch->number);
}

ln_train_options recipe_training(const recipe *r) {
    const recipe_item *item = r->item;
    ln_train_options   o = LN_TRAIN_OPTIONS;
    o.batch = (size_t)item[KEY_data_batch].number;
    o.in_order = item[KEY_data_shuffle].number <= 0;
    o.augment = item[KEY_data_augment].text;
    o.epochs = (size_t)item[KEY_train_epochs].number;
    o.optimizer = item[KEY_train_optimizer].text;
    o.schedule = item[KEY_train_schedule].text;
    o.seed = (uint64_t)item[KEY_train_seed].number;
    o.every = (size_t)item[KEY_train_every].number;
    o.clip_norm = item[KEY_train_clip_norm].number;
    o.clip_value = item[KEY_train_clip_value].number;
    o.l2 = item[KEY_train_l2].number;
    o.decay_weights_only = item[KEY_train_decay].number > 0;
    o.ema = item[KEY_train_ema].number;
    o.monitor = item[KEY_train_monitor].text;
    o.patience = (size_t)item[KEY_train_patience].number;
    o.min_delta = item[KEY_train_min_delta].number;
    o.restore_best = item[KEY_train_restore_best].number > 0;
    o.checkpoint_seconds = 60 * item[KEY_train_checkpoint].number;
    return o;
}

/* The library names the option that is to blame as recipes call their keys. */
static bool check_options(recipe *r, ln_model *model, const ln_data *train, const ln_train_options *options,
                          ln_error *error) {
    const char *option = NULL;
    if (ln_train_check(model, train, options, &option, error) == LN_OK) return true;
    for (size_t k = 0; k < KEY_COUNT && option; k++)
        if (strcmp(recipe_rules[k].name, option) == 0) return recipe_blame(r, &r->item[k], error);
    return false;
}

bool recipe_check_training(recipe *r, ln_model *model, const recipe_data *data, ln_error *error) {
    ln_train_options options = recipe_training(r);
    if (!data) options.monitor = NULL; /* which images there will be is not known */
    else options.validation = data->validation, options.test = data->test;
    return check_options(r, model, data ? data->train : NULL, &options, error);
}

static bool open_train(recipe *r, ln_context *context, ln_model *model, recipe_data *data, ln_error *error) {
    const recipe_item *name = &r->item[KEY_data_name];
    const ln_reading   reading = reading_of(r);
    data->train = ln_data_open_as(context, name->text, "train", NULL, &reading, error);
    if (!data->train || ln_model_set_reading(model, reading, error) != LN_OK) return recipe_blame(r, name, error);
    return keep(r, data->train, KEY_data_rows, error) && fits(r, model, data->train, name, error);
}

static bool refuse_split(recipe *r, ln_error *error) {
    const ln_error     found = *error;
    const recipe_item *val = &r->item[KEY_data_val];
    if (found.status != LN_E_SHAPE) return recipe_blame(r, val, error);
    return recipe_fail(r, val, error, "data.val is %.40s, and %.300s", val->text, found.message);
}

static bool is_part(pool *owner, const char *folder, const char *part) {
    return is_folder(pool_format(owner, "%s/%s", folder, part));
}

/* FOLDER/val, where FOLDER has train and test as well, between which it stands; NULL: there is none such. */
static const char *own_validation(recipe *r) {
    const char *const name = r->item[KEY_data_name].text;
    const bool        all = is_part(&r->owner, name, "train") && is_part(&r->owner, name, "test");
    return all && is_part(&r->owner, name, "val") ? pool_format(&r->owner, "%s/val", name) : NULL;
}

/* data.val, where it is given, splits the training images instead. */
static bool open_validation(recipe *r, ln_context *context, ln_model *model, recipe_data *data, ln_error *error) {
    const recipe_item *name = &r->item[KEY_data_name];
    const char *const  path = own_validation(r);
    const ln_reading   reading = reading_of(r);
    if (!path || r->item[KEY_data_val].line || r->item[KEY_data_val].override) return true;
    data->validation = ln_data_open_as(context, path, NULL, NULL, &reading, error);
    if (!data->validation) return recipe_blame(r, name, error);
    return keep_classes(r, data->validation, error) &&
           recipe_sets_agree(r, data->train, data->validation, "validation", error) &&
           fits(r, model, data->validation, name, error);
}

/* With all images in their places. */
static bool split(recipe *r, ln_model *model, recipe_data *data, ln_error *error) {
    const recipe_item *val = &r->item[KEY_data_val];
    if (val->number > 0) {
        data->validation = ln_data_split(data->train, val->number, (uint64_t)r->item[KEY_train_seed].number, error);
        if (!data->validation) return refuse_split(r, error);
    }
    return check_whole_batch(r, data->train, error) && preprocess(r, model, data->train, error);
}

bool recipe_open(recipe *r, ln_context *context, ln_model *model, recipe_data *data, ln_error *error) {
    *data = (recipe_data){0};
    if (!open_train(r, context, model, data, error) || !open_test(r, context, data, error)) return false;
    if (data->test && (!keep(r, data->test, KEY_data_test_rows, error) ||
                       !recipe_sets_agree(r, data->train, data->test, "test", error) ||
                       !fits(r, model, data->test, &r->item[KEY_data_test], error)))
        return false;
    return open_validation(r, context, model, data, error) && split(r, model, data, error) &&
           recipe_check_training(r, model, data, error);
}

/* Are the images of that key a file called from here? Known and drawn sets are not. */
static bool is_from_here(const recipe_item *item) { return *item->text != '/' && strpbrk(item->text, "/.") != NULL; }

bool recipe_open_run(recipe *r, ln_context *context, ln_model *model, recipe_data *data, ln_error *error) {
    if (recipe_open(r, context, model, data, error)) return true;
    const ln_error found = *error;
    if (found.status != LN_E_IO || (!is_from_here(&r->item[KEY_data_name]) && !is_from_here(&r->item[KEY_data_test])))
        return false;
    return fill_error(error, found.status,
                      "%.400s; the run's recipe names images as they were called where it was trained: go there, or "
                      "correct it",
                      found.message);
}

bool recipe_open_training(recipe *r, ln_context *context, ln_model *model, recipe_data *data, ln_error *error) {
    ln_train_options options = recipe_training(r);
    options.monitor = NULL;
    *data = (recipe_data){0};
    return open_train(r, context, model, data, error) && split(r, model, data, error) &&
           check_options(r, model, data->train, &options, error);
}

void recipe_data_free(recipe_data *data) {
    ln_data_free(data->validation);
    ln_data_free(data->test);
    ln_data_free(data->train);
    *data = (recipe_data){0};
}
