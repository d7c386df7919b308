/* recipe.h: a training as people write it, in YAML with `key=value` on the command line, checked and made into calls
 * of the library. Every value remembers where it came from, so that a message can begin with it: "x.yaml:7: " for the
 * file, "epochs=many: " for the command line. */
#ifndef LN_CLI_RECIPE_H
#define LN_CLI_RECIPE_H

#include "linnet.h"
#include "terminal.h"
#include "text.h"

#define KEY(section, name, type, preset, low, high, help) KEY_##section##_##name,
typedef enum recipe_key {
#include "recipe_keys.def"
    KEY_COUNT
} recipe_key;
#undef KEY

typedef struct recipe_item {
    const char *text;     /* the value as written, spaces at its ends and doubled ones taken out */
    const char *override; /* the whole "key=value" it came from, or NULL: from the file */
    size_t      line;     /* in the file; 0: the key is absent and text its default */
    double      number;   /* what the text says, where that is a number or one of two words (the second: 1); scale auto:
                           * 0; batch all: the most there can be */
} recipe_item;

typedef struct recipe {
    pool         owner;
    const char  *file;
    recipe_item  item[KEY_COUNT];     /* KEY_model_layers: where the list is */
    recipe_item *layers;
    size_t       n_layers;
    size_t       c, h, w;             /* of model.input */
    const char *const *verb_keys;     /* set by the caller: keys of the command line that are the verb's, or NULL */
    bool         usage;               /* after an error: the command line is to blame, not the file */
} recipe;

/* Reads n bytes of YAML of the file called name, then the overrides, and checks everything that can be checked
 * without a model. False, with the error filled, on the first mistake. r must be {0}; recipe_free it in any case. */
bool recipe_parse(recipe *r, const char *name, const char *bytes, size_t n, const char *const *overrides,
                  size_t n_overrides, ln_error *error);
/* The same from the file at path. */
bool recipe_read(recipe *r, const char *path, const char *const *overrides, size_t n_overrides, ln_error *error);
void recipe_free(recipe *r);

/* The model of the recipe, its weights not drawn yet; the caller frees it. NULL on error. */
ln_model *recipe_model(recipe *r, ln_context *context, ln_error *error);

/* Puts the weights of train.weights into the model, whose weights have been drawn, and fills report, which the caller
 * prints or frees, with what each layer begins with. A layer that does not fit is an error, unless
 * train.except names it. */
bool recipe_weights(recipe *r, ln_model *model, ln_context *context, table *report, ln_error *error);

/* How the recipe trains: all of the options but data, checkpoint, progress and user. The texts are the recipe's. */
ln_train_options recipe_training(const recipe *r);

typedef struct recipe_data { ln_data *train, *validation, *test; } recipe_data; /* the last two may be NULL */

/* Opens the data, checks that they fit the model and that it can be trained on them, splits off the validation part,
 * and tells the model how to preprocess. False on error; recipe_data_free what it filled in any case. */
bool recipe_open(recipe *r, ln_context *context, ln_model *model, recipe_data *data, ln_error *error);
/* The same for the recipe of a run, which may be looked at from another folder than it was trained in. */
bool recipe_open_run(recipe *r, ln_context *context, ln_model *model, recipe_data *data, ln_error *error);
/* Why training and test images may not belong together, though they can be used; NULL: nothing speaks against it. */
const char *recipe_sets_doubt(const recipe_data *data, pool *owner);
/* The same for a verb that measures nothing: without the test images, and whatever chooses by them. */
bool recipe_open_training(recipe *r, ln_context *context, ln_model *model, recipe_data *data, ln_error *error);
/* Would the recipe's training begin? data are what it opened, or NULL: what depends on the images is not looked at. */
bool recipe_check_training(recipe *r, ln_model *model, const recipe_data *data, ln_error *error);
void recipe_data_free(recipe_data *data);

/* The whole recipe as YAML with every default and override in place; reading it gives the same recipe. */
void recipe_print(const recipe *r, text *to);

/* The same with the default for every key that changes no result; so two recipes that print alike train alike. Without
 * seed, but for their seeds. */
const char *recipe_essence(const recipe *r, bool seed, pool *owner);
/* Does the key say what is learnt, and not only how the training is run and told? */
bool recipe_key_matters(recipe_key key);

/* "data.name", and the key's line of help. */
const char *recipe_key_name(recipe_key key);
const char *recipe_key_help(recipe_key key);
/* The default as written, or NULL. */
const char *recipe_key_preset(recipe_key key);
/* "whole number, 1 to 65536". */
const char *recipe_key_values(recipe_key key, pool *owner);
/* Is it called so, with or without its section? */
bool recipe_key_is(recipe_key key, const char *word);
/* The catalogue that its lines are from; false where they are from none. */
bool recipe_key_kind(recipe_key key, ln_kind *kind);
/* "data", "model", "train", NULL. */
const char *recipe_section(size_t i);

#endif
