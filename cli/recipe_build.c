/* recipe_build.c: a checked recipe as calls of the library. */
#include "recipe_internal.h"

#include <stdio.h>
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

static bool open_test(recipe *r, ln_context *context, recipe_data *data, ln_error *error) {
    const recipe_item *test = &r->item[KEY_data_test];
    const char        *name = r->item[KEY_data_name].text;
    const bool         is_auto = strcmp(test->text, "auto") == 0;
    if (strcmp(test->text, "none") == 0 || (is_auto && strcmp(name, "mnist") != 0)) return true;
    data->test = ln_data_open(context, is_auto ? name : test->text, "test", NULL, error);
    return data->test || recipe_blame(r, test, error);
}

static bool preprocess(recipe *r, ln_model *model, const ln_data *train, ln_error *error) {
    const recipe_item *scale = &r->item[KEY_data_scale];
    ln_preprocess      how = {.scale = scale->number, .mean = 0, .std = 1};
    if (how.scale <= 0) how.scale = ln_data_describe(train).is_float ? 1 : 1.0 / 255;
    if (strcmp(r->item[KEY_data_normalize].text, "auto") == 0) how = ln_data_fit(train, how.scale);
    return ln_model_set_preprocess(model, how, error) == LN_OK || recipe_blame(r, scale, error);
}

/* Images of another shape than the network's are refused before anything is written. */
static bool fits(recipe *r, const ln_data *train, ln_error *error) {
    const ln_data_info i = ln_data_describe(train);
    if (i.c == r->c && i.h == r->h && i.w == r->w) return true;
    return recipe_fail(r, &r->item[KEY_model_input], error,
                       "model.input is %s, but the images of %.80s are %zux%zux%zu: change one of them",
                       r->item[KEY_model_input].text, r->item[KEY_data_name].text, i.c, i.h, i.w);
}

bool recipe_open(recipe *r, ln_context *context, ln_model *model, recipe_data *data, ln_error *error) {
    const recipe_item *name = &r->item[KEY_data_name], *val = &r->item[KEY_data_val];
    *data = (recipe_data){0};
    data->train = ln_data_open(context, name->text, "train", NULL, error);
    if (!data->train) return recipe_blame(r, name, error);
    if (!fits(r, data->train, error) || !open_test(r, context, data, error)) return false;
    if (val->number > 0) {
        data->validation = ln_data_split(data->train, val->number, (uint64_t)r->item[KEY_train_seed].number, error);
        if (!data->validation) return recipe_blame(r, val, error);
    }
    return !model || preprocess(r, model, data->train, error);
}

void recipe_data_free(recipe_data *data) {
    ln_data_free(data->validation);
    ln_data_free(data->test);
    ln_data_free(data->train);
    *data = (recipe_data){0};
}
