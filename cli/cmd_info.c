/* cmd_info.c: linnet info RECIPE|WEIGHTS. */
#include "cli.h"
#include "recipe.h"
#include "terminal.h"

#include <stdio.h>
#include <string.h>

enum { ALL_FOR_EXAMPLE = 1000 };

/* A layer's line says how it is initialised even where that is nothing special. */
static const char *without_default(pool *owner, const char *line) {
    static const char usual[] = " init=pytorch";
    const char       *at = strstr(line, usual);
    if (!at || (at[sizeof usual - 1] != ' ' && at[sizeof usual - 1] != '\0')) return line;
    return pool_format(owner, "%.*s%s", (int)(at - line), line, at + sizeof usual - 1);
}

static void print_layers(const ln_model *model) {
    table    t = {.align = "llrrr"};
    pool     owner = {0};
    size_t   n_parameters = 0, c, h, w;
    uint64_t n_macs = 0;
    ln_model_input_shape(model, &c, &h, &w);
    table_add(&t, "name"), table_add(&t, "layer"), table_add(&t, "output"), table_add(&t, "parameters"),
        table_add(&t, "MACs");
    table_add(&t, "%s", ""), table_add(&t, "input"), table_add(&t, "%zux%zux%zu", c, h, w);
    table_add(&t, "%s", ""), table_add(&t, "%s", "");
    for (size_t i = 0; i < ln_model_layer_count(model); i++) {
        const ln_layer_info l = ln_model_layer(model, i);
        table_add(&t, "%s", l.name);
        table_add(&t, "%s", without_default(&owner, l.line));
        table_add(&t, "%zux%zux%zu", l.c, l.h, l.w);
        table_add(&t, "%s", l.n_parameters ? text_count(&owner, l.n_parameters) : "");
        table_add(&t, "%s", l.n_macs ? text_count(&owner, l.n_macs) : "");
        n_parameters += l.n_parameters;
        n_macs += l.n_macs;
    }
    table_add(&t, "%s", ""), table_add(&t, "total"), table_add(&t, "%s", "");
    table_add(&t, "%s", text_count(&owner, n_parameters)), table_add(&t, "%s", text_count(&owner, n_macs));
    table_print(&t, stdout);
    pool_free(&owner);
}

static bool print_memory(const ln_context *context, const ln_model *model, const ln_train_options *train,
                         ln_error *error) {
    ln_memory    many, one;
    pool         owner = {0};
    const size_t batch = train->batch;
    if (ln_model_memory(model, batch, train, &many, error) != LN_OK ||
        ln_model_memory(model, 1, train, &one, error) != LN_OK)
        return false;
    const int n_threads = ln_context_threads(context);
    table     t = {.align = "lr"};
    table_add(&t, "memory beside data and program, %d thread%s (%s)", n_threads, n_threads == 1 ? "" : "s",
              ln_context_isa(context));
    table_add(&t, "%s", "");
    table_add(&t, "  training, batch %zu", batch), table_add(&t, "%s", text_bytes(&owner, many.training));
    table_add(&t, "  inference, batch %zu", batch), table_add(&t, "%s", text_bytes(&owner, many.inference));
    table_add(&t, "  inference, batch 1"), table_add(&t, "%s", text_bytes(&owner, one.inference));
    putchar('\n');
    table_print(&t, stdout);
    pool_free(&owner);
    return true;
}

static int describe(ln_context *context, ln_model *model, const ln_train_options *train, ln_error *error) {
    if (!model) return say_error(error);
    print_layers(model);
    return print_memory(context, model, train, error) ? STATUS_OK : say_error(error);
}

static int info_recipe(const arguments *a, ln_error *error) {
    recipe r = {.verb_keys = a->verb->keys};
    int    status = STATUS_FAILED;
    if (recipe_read(&r, a->words[0], a->pairs, a->n_pairs, error)) {
        ln_context      *context = open_context((int)r.item[KEY_train_threads].number);
        ln_model        *model = context ? recipe_model(&r, context, error) : NULL;
        ln_train_options train = recipe_training(&r);
        const bool       all = strcmp(r.item[KEY_data_batch].text, "all") == 0;
        if (all) train.batch = ALL_FOR_EXAMPLE;
        if (model && !recipe_check_training(&r, model, NULL, error)) ln_model_free(model), model = NULL;
        if (context) status = describe(context, model, &train, error);
        if (all && status == STATUS_OK)
            printf("\nbatch: all takes every training image in one step, and how many those are only the data know: "
                   "shown is %d, batch=N shows N\n",
                   ALL_FOR_EXAMPLE);
        ln_model_free(model);
        ln_context_free(context);
    } else {
        say_error(error);
    }
    if (r.usage) status = STATUS_USAGE;
    recipe_free(&r);
    return status;
}

static int info_weights(const arguments *a, ln_error *error) {
    ln_train_options train = LN_TRAIN_OPTIONS;
    for (size_t i = 0; i < a->n_pairs; i++) { /* a weights file has no values to override but this one */
        const arguments one = {.verb = a->verb, .own = a->pairs + i, .n_own = 1};
        if (!argument(&one, "batch"))
            return say_usage(a->verb, "%s: with a weights file the only key is batch", a->pairs[i]);
        if (!argument_count(&one, "batch", 1, 65536, &train.batch)) return STATUS_USAGE;
    }
    ln_context *context = open_context(0);
    if (!context) return STATUS_FAILED;
    ln_model *model = load_weights(context, a->words[0], error);
    const int status = describe(context, model, &train, error);
    ln_model_free(model);
    ln_context_free(context);
    return status;
}

static int run(const arguments *a) {
    ln_error error = {0};
    return is_weights(a->words[0]) ? info_weights(a, &error) : info_recipe(a, &error);
}

const verb verb_info = {
    .name = "info",
    .summary = "layers, shapes, parameters, work and memory of a recipe or weights file",
    .usage = "info RECIPE|WEIGHTS [KEY=VALUE ...]",
    .help = "Prints a line a layer: output shape (channels x rows x columns), parameters and\n"
            "multiply-accumulates for one image, padding counted; then the memory that\n"
            "training and inference take.\n"
            "\n"
            "  KEY=VALUE  overrides a value of the recipe; batch=N for a weights file\n"
            "\n"
            "  linnet info recipes/lenet5.yaml batch=256\n"
            "  linnet info runs/1/weights/last.safetensors\n",
    .n_min = 1,
    .n_max = 1,
    .overrides = true,
    .run = run,
};
