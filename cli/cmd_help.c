/* cmd_help.c: linnet help [WORD]: a verb, a layer, a loss, an optimizer, a schedule, or the recipe's keys. */
#include "cli.h"
#include "recipe.h"
#include "terminal.h"

#include <stdio.h>
#include <string.h>

static const struct {
    ln_kind     kind;
    const char *one, *many;
} kinds[] = {
    {LN_KIND_LAYER, "layer", "layers"},
    {LN_KIND_LOSS, "loss", "losses"},
    {LN_KIND_OPTIMIZER, "optimizer", "optimizers"},
    {LN_KIND_SCHEDULE, "schedule", "schedules"},
};
enum { N_KINDS = 4, MAX_WORDS = 128 };

static void print_entry(size_t kind, size_t i) {
    const ln_kind k = kinds[kind].kind;
    printf("%s (%s): %s\n", ln_catalogue_name(k, i), kinds[kind].one, ln_catalogue_help(k, i));
    for (size_t j = 0; j < ln_catalogue_argument_count(k, i); j++) {
        char help[400];
        ln_catalogue_argument(k, i, j, help, sizeof help);
        printf("  %s\n", help);
    }
}

static void print_list(size_t kind) {
    const ln_kind k = kinds[kind].kind;
    for (size_t i = 0; i < ln_catalogue_count(k); i++)
        printf("  %-14s %s\n", ln_catalogue_name(k, i), ln_catalogue_help(k, i));
}

static void print_recipe(void) {
    table t = {.align = "lll"};
    table_add(&t, "key"), table_add(&t, "default"), table_add(&t, "%s", "");
    for (recipe_key k = 0; k < KEY_COUNT; k++) {
        const char *preset = recipe_key_preset(k);
        table_add(&t, "%s", recipe_key_name(k));
        table_add(&t, "%s", preset ? preset : "(required)");
        table_add(&t, "%s", recipe_key_help(k));
    }
    puts("A recipe is a YAML file with these keys. KEY=VALUE on the command line overrides one;\n"
         "the section may be left out (epochs=3), and arguments are reached with a dot\n"
         "(optimizer.lr=0.1, model.layers.0.kernel=3) or alone where one line has them (lr=0.1).\n");
    table_print(&t, stdout);
    puts("\nA layer is a line: its name, its arguments, then `from NAME` (input; otherwise the layer\n"
         "before) and `as NAME` where wanted: conv2d 16 kernel=5 padding=2 as c2. Layers with weights also take\n"
         "init=, std= and bias_std=: linear 10 init=normal std=0.1.");
    for (size_t i = 0; i < N_KINDS; i++) {
        printf("\n%c%s:\n", kinds[i].many[0] - 32, kinds[i].many + 1);
        print_list(i);
    }
    puts("\nlinnet help NAME lists the arguments of each.");
}

static bool print_word(const char *word) {
    for (size_t i = 0; verbs[i]; i++)
        if (strcmp(word, verbs[i]->name) == 0) return print_verb_help(verbs[i]), true;
    if (strcmp(word, "recipe") == 0) return print_recipe(), true;
    for (size_t k = 0; k < N_KINDS; k++) {
        if (strcmp(word, kinds[k].one) == 0 || strcmp(word, kinds[k].many) == 0) return print_list(k), true;
        for (size_t i = 0; i < ln_catalogue_count(kinds[k].kind); i++)
            if (strcmp(word, ln_catalogue_name(kinds[k].kind, i)) == 0) return print_entry(k, i), true;
    }
    return false;
}

static int run(const arguments *a) {
    const char *words[MAX_WORDS];
    size_t      n = 0;
    if (a->n_words == 0) {
        print_help();
        return STATUS_OK;
    }
    if (print_word(a->words[0])) return STATUS_OK;
    for (size_t i = 0; verbs[i] && n < MAX_WORDS; i++) words[n++] = verbs[i]->name;
    for (size_t k = 0; k < N_KINDS; k++) {
        if (n < MAX_WORDS) words[n++] = kinds[k].many;
        for (size_t i = 0; i < ln_catalogue_count(kinds[k].kind) && n < MAX_WORDS; i++)
            words[n++] = ln_catalogue_name(kinds[k].kind, i);
    }
    const char *nearest = ln_nearest_word(a->words[0], words, n);
    if (nearest) return say_usage(a->verb, "nothing is called '%s'; did you mean '%s'?", a->words[0], nearest);
    return say_usage(a->verb, "nothing is called '%s'", a->words[0]);
}

const verb verb_help = {
    .name = "help",
    .summary = "explain a verb, a layer, a loss, an optimizer, a schedule, or recipes",
    .usage = "help [WORD]",
    .help = "  linnet help train    a verb\n"
            "  linnet help recipe   every key of a recipe, every layer, loss, optimizer, schedule\n"
            "  linnet help conv2d   its arguments\n",
    .n_max = 1,
    .run = run,
};
