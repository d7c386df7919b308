/* cmd_check.c: linnet check RECIPE. */
#include "cli.h"
#include "recipe.h"
#include "terminal.h"

#include <math.h>
#include <stdio.h>

static void print_gradients(const ln_check *check) {
    table t = {.align = "lrrrrrrr"};
    table_add(&t, "tensor"), table_add(&t, "worst"), table_add(&t, "direction"), table_add(&t, "at entry");
    table_add(&t, "gradient"), table_add(&t, "difference"), table_add(&t, "checked"), table_add(&t, "at a kink");
    for (size_t i = 0; i < check->n_tensors; i++) {
        const ln_check_tensor *c = &check->tensors[i];
        table_add(&t, "%s", c->name);
        if (c->n_checked) table_add(&t, "%.1e", c->worst);
        else table_add(&t, "-");
        if (isnan(c->direction)) table_add(&t, "-"); /* every point along it lies at a kink */
        else table_add(&t, "%.1e", c->direction);
        if (c->n_checked) {
            table_add(&t, "%zu", c->worst_index);
            table_add(&t, "%.6g", c->analytic);
            table_add(&t, "%.6g", c->numeric);
        } else {
            for (size_t k = 0; k < 3; k++) table_add(&t, "-");
        }
        table_add(&t, "%zu", c->n_checked);
        if (c->n_skipped) table_add(&t, "%zu", c->n_skipped);
        else table_add(&t, "%s", "");
    }
    puts("Gradients against central differences in double precision (relative error, worst first)");
    table_print(&t, stdout);
}

static void add_share(table *t, double share) {
    if (isnan(share)) table_add(t, "%s", "");
    else table_add(t, "%.1f %%", 100 * share);
}

static void print_health(const ln_check *check) {
    table t = {.align = "llrrrr"};
    table_add(&t, "name"), table_add(&t, "layer"), table_add(&t, "activation"), table_add(&t, "gradient");
    table_add(&t, "dead"), table_add(&t, "saturated");
    for (size_t i = 0; i < check->n_layers; i++) {
        const ln_check_layer *l = &check->layers[i];
        table_add(&t, "%s", l->name);
        table_add(&t, "%s", l->op);
        table_add(&t, "%.3g", l->activation_std);
        table_add(&t, "%.3g", l->gradient_std);
        add_share(&t, l->dead);
        add_share(&t, l->saturated);
    }
    puts("\nOutputs at the initial weights (standard deviations, share of units)");
    table_print(&t, stdout);
    for (size_t i = 0; i < check->n_layers; i++)
        if (check->layers[i].warning[0])
            printf("warning: layer %s (%s): %s\n", check->layers[i].name, check->layers[i].op,
                   check->layers[i].warning);
}

static int report(const ln_check *check) {
    const terminal look = terminal_of(stdout);
    print_gradients(check);
    print_health(check);
    printf("\n%s%s%s\n", terminal_style(&look, check->passed ? STYLE_GOOD : STYLE_BAD), check->verdict,
           terminal_style(&look, STYLE_PLAIN));
    return check->passed ? STATUS_OK : STATUS_FAILED;
}

static int check_recipe(recipe *r, ln_context *context, size_t images, ln_error *error) {
    recipe_data    data = {0};
    const uint64_t seed = (uint64_t)r->item[KEY_train_seed].number;
    ln_model      *model = recipe_model(r, context, error);
    ln_check      *check = NULL;
    if (model && recipe_open_training(r, context, model, &data, error) &&
        ln_model_initialize(model, seed, error) == LN_OK)
        check = ln_check_new(model, data.train, images, seed, error);
    const int status = check ? report(check) : say_error(error);
    ln_check_free(check);
    recipe_data_free(&data);
    ln_model_free(model);
    return status;
}

static int run(const arguments *a) {
    recipe   r = {.verb_keys = a->verb->keys};
    ln_error error = {0};
    size_t   images = 16;
    int      status = STATUS_FAILED;
    if (!argument_count(a, "images", 1, 4096, &images)) return STATUS_USAGE;
    if (recipe_read(&r, a->words[0], a->pairs, a->n_pairs, &error)) {
        ln_context *context = open_context((int)r.item[KEY_train_threads].number);
        if (context) status = check_recipe(&r, context, images, &error);
        ln_context_free(context);
    } else {
        say_error(&error);
    }
    if (r.usage) status = STATUS_USAGE;
    recipe_free(&r);
    return status;
}

const verb verb_check = {
    .name = "check",
    .summary = "check a recipe's gradients and the health of its initial weights",
    .usage = "check RECIPE [images=N] [KEY=VALUE ...]",
    .help = "Compares the gradient of every parameter tensor and of the input with central\n"
            "differences in double precision: 64 entries and one random direction each, worst\n"
            "first. A large network gets fewer entries; a very large one directions alone, in\n"
            "some tensors and through all at once, as the last line then says. Then tells, on\n"
            "real images and the initial weights, how large activations and gradients are, and\n"
            "what share of units is dead (ReLU, ELU) or saturated (sigmoid, tanh, hardtanh,\n"
            "ELU). Exit status 1 when a gradient is wrong.\n"
            "\n"
            "  images=N   how many images to look at layers with (16); gradients take 16 at most\n"
            "  KEY=VALUE  overrides a value of the recipe\n"
            "\n"
            "  linnet check recipes/lenet5.yaml init=\"normal std=0.001\"\n",
    .keys = (const char *const[]){"images", NULL},
    .n_min = 1,
    .n_max = 1,
    .overrides = true,
    .run = run,
};
