/* cmd_help.c: linnet help [WORD]: whatever the command has a word for: verbs, layers, losses, optimizers, schedules,
 * inits, augmentations, generators, their arguments, a recipe's keys, names of images. */
#include "cli.h"
#include "images.h"
#include "recipe.h"
#include "terminal.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char layer_line[] =
    "A layer is a line: its name, its arguments, then `from NAME` (its input; otherwise the\n"
    "layer before) and `as NAME` (its own name; otherwise its number, counted from 0) where\n"
    "wanted: conv2d 16 kernel=5 padding=2 from c1 as c2. Arguments are written key=value; the\n"
    "first one's key may be left out: conv2d 16 is conv2d out_channels=16.";

static const char init_line[] =
    "fan_in counts the inputs that an output sums, fan_out the outputs that an input reaches.\n"
    "Biases are 0, or normal with deviation bias_std, where pytorch does not draw them too.\n"
    "model.init holds for all layers; one may have its own: linear 10 init=normal std=0.1.";

static const char augmentation_line[] =
    "data.augment takes one, such as shift 2, or a list, whose kinds are done in its order; on\n"
    "the command line they have commas between: augment=\"KIND ..., KIND ...\". Of images that\n"
    "mixup mixes, the training's accuracy counts the label with the larger share.";

static const char generator_line[] =
    "data.name and data.test take one: points n=211 noise=0.3. linnet help images says what\n"
    "else they take.";

static const struct {
    ln_kind     kind;
    const char *one, *many, *note;
} kinds[] = {
    {LN_KIND_LAYER, "layer", "layers", layer_line},
    {LN_KIND_LOSS, "loss", "losses", NULL},
    {LN_KIND_OPTIMIZER, "optimizer", "optimizers", NULL},
    {LN_KIND_SCHEDULE, "schedule", "schedules", NULL},
    {LN_KIND_INIT, "init", "inits", init_line},
    {LN_KIND_AUGMENTATION, "augmentation", "augmentations", augmentation_line},
    {LN_KIND_DATA, "generator", "generators", generator_line},
};
enum { N_KINDS = sizeof kinds / sizeof *kinds, HELP = 400 };

/* ------------------------------------------------------------------- pieces */

static void print_entry(size_t kind, size_t i) {
    const ln_kind k = kinds[kind].kind;
    printf("%s (%s): %s\n", ln_catalogue_name(k, i), kinds[kind].one, ln_catalogue_help(k, i));
    if (ln_catalogue_argument_count(k, i) == 0) puts("  (no arguments)");
    for (size_t j = 0; j < ln_catalogue_argument_count(k, i); j++) {
        char help[HELP];
        ln_catalogue_argument(k, i, j, help, sizeof help);
        printf("  %s\n", help);
    }
}

static void print_list(size_t kind) {
    const ln_kind k = kinds[kind].kind;
    size_t        width = 13;
    for (size_t i = 0; i < ln_catalogue_count(k); i++)
        if (strlen(ln_catalogue_name(k, i)) > width) width = strlen(ln_catalogue_name(k, i));
    for (size_t i = 0; i < ln_catalogue_count(k); i++)
        printf("  %-*s  %s\n", (int)width, ln_catalogue_name(k, i), ln_catalogue_help(k, i));
}

static void print_kind(size_t kind) {
    print_list(kind);
    if (kinds[kind].note) printf("\n%s\n", kinds[kind].note);
}

static size_t kind_index(ln_kind kind) {
    size_t k = 0;
    while (kinds[k].kind != kind) k++;
    return k;
}

static void print_key(recipe_key key) {
    pool        owner = {0};
    ln_kind     kind;
    const char *preset = recipe_key_preset(key);
    printf("%s (recipe; %s, %s%s): %s\n", recipe_key_name(key), recipe_key_values(key, &owner),
           preset ? "default " : "required", preset ? preset : "", recipe_key_help(key));
    if (recipe_key_kind(key, &kind)) print_kind(kind_index(kind));
    pool_free(&owner);
}

/* The keys of a section, or of all. */
static void print_keys(const char *section) {
    table        t = {.align = "lll"};
    const size_t n = section ? strlen(section) : 0;
    table_add(&t, "key"), table_add(&t, "default"), table_add(&t, "%s", "");
    for (recipe_key k = 0; k < KEY_COUNT; k++) {
        const char *preset = recipe_key_preset(k), *name = recipe_key_name(k);
        if (n && (strncmp(name, section, n) != 0 || name[n] != '.')) continue;
        table_add(&t, "%s", name);
        table_add(&t, "%s", preset ? preset : "(required)");
        table_add(&t, "%s", recipe_key_help(k));
    }
    table_print(&t, stdout);
}

static void print_recipe(void) {
    puts("A recipe is a YAML file with these keys. KEY=VALUE on the command line overrides one;\n"
         "the section may be left out (epochs=3), and arguments are reached with a dot\n"
         "(optimizer.lr=0.1, layers.0.kernel=3) or alone where one line has them (lr=0.1).\n");
    print_keys(NULL);
    printf("\n%s\n", layer_line);
    for (size_t i = 0; i < N_KINDS; i++) {
        printf("\n%c%s:\n", kinds[i].many[0] - 32, kinds[i].many + 1);
        print_list(i);
    }
    puts("\nlinnet help NAME explains each, with its arguments.");
}

/* -------------------------------------------------------------------- words */

/* Each prints what it knows of word and says whether it knew something. */

static bool print_topic(const char *word) {
    if (strcmp(word, "recipe") == 0) return print_recipe(), true;
    if (strcmp(word, "images") == 0) return fputs(images_help, stdout), true;
    if (strcmp(word, "from") == 0 || strcmp(word, "as") == 0) return puts(layer_line), true;
    return false;
}

/* Keys and sections may be called like a verb: then their page is named under the verb's. */
static bool print_verb(const char *word) {
    const verb *v = NULL;
    for (size_t i = 0; verbs[i]; i++)
        if (strcmp(word, verbs[i]->name) == 0) v = verbs[i];
    if (!v) return false;
    print_verb_help(v);
    for (recipe_key k = 0; k < KEY_COUNT; k++)
        if (recipe_key_is(k, word)) printf("\nRecipes have a key %s: linnet help %s\n", word, recipe_key_name(k));
    for (size_t s = 0; recipe_section(s); s++)
        if (strcmp(recipe_section(s), word) == 0) printf("\nRecipes have a section %s: linnet help recipe\n", word);
    return true;
}

static bool print_recipe_word(const char *word) {
    bool known = false;
    for (recipe_key k = 0; k < KEY_COUNT; k++) {
        if (!recipe_key_is(k, word)) continue;
        print_key(k);
        known = true;
    }
    for (size_t s = 0; recipe_section(s) && !known; s++)
        if (strcmp(recipe_section(s), word) == 0) return print_keys(word), true;
    return known;
}

static bool print_kind_word(const char *word) {
    for (size_t k = 0; k < N_KINDS; k++)
        if (strcmp(word, kinds[k].one) == 0 || strcmp(word, kinds[k].many) == 0) return print_kind(k), true;
    return false;
}

static bool print_catalogue_word(const char *word) {
    bool known = false;
    for (size_t k = 0; k < N_KINDS; k++)
        for (size_t i = 0; i < ln_catalogue_count(kinds[k].kind); i++) {
            if (strcmp(word, ln_catalogue_name(kinds[k].kind, i)) != 0) continue;
            print_entry(k, i);
            known = true;
        }
    return known;
}

/* An argument, of whatever takes it: lr, optimizer.lr, layers.0.kernel. */
static bool print_argument(const char *word) {
    const char  *dot = strrchr(word, '.'), *key = dot ? dot + 1 : word;
    const size_t length = strlen(key);
    bool         known = false;
    for (size_t k = 0; k < N_KINDS; k++)
        for (size_t i = 0; i < ln_catalogue_count(kinds[k].kind); i++)
            for (size_t j = 0; j < ln_catalogue_argument_count(kinds[k].kind, i); j++) {
                char help[HELP];
                ln_catalogue_argument(kinds[k].kind, i, j, help, sizeof help);
                if (length == 0 || strncmp(help, key, length) != 0 || help[length] != ' ') continue;
                printf("%s (%s): %s\n", ln_catalogue_name(kinds[k].kind, i), kinds[k].one, help);
                known = true;
            }
    return known;
}

/* Is word at at, with nothing of a word before and behind it? */
static bool is_whole(const char *page, const char *at, size_t n) {
    return (at == page || !isalnum((unsigned char)at[-1])) && !isalnum((unsigned char)at[n]) && at[n] != '_';
}

/* The first line of a page with that word, without the space before it; NULL: none has it. */
static const char *line_with(const char *page, const char *word, size_t *length) {
    for (const char *at = strstr(page, word); at; at = strstr(at + 1, word)) {
        if (!is_whole(page, at, strlen(word))) continue;
        while (at > page && at[-1] != '\n') at--;
        at += strspn(at, " ");
        *length = strcspn(at, "\n");
        return at;
    }
    return NULL;
}

/* What the pages of verbs say of their own keys, flags and values: resume, prepare, kaggle. */
static bool print_verbs_word(const char *word) {
    enum { SHORTEST = 4 }; /* shorter ones are everywhere */
    bool known = false;
    for (size_t i = 0; verbs[i] && strlen(word) >= SHORTEST; i++) {
        size_t            n = 0;
        const char *const line = line_with(verbs[i]->help, word, &n);
        if (line) printf("linnet help %s has it: %.*s\n", verbs[i]->name, (int)n, line);
        known = known || line;
    }
    return known;
}

/* ---------------------------------------------------------------------- run */

/* The known word that is nearest, or NULL. */
static const char *nearest(const char *word) {
    enum { MAX_WORDS = 256 };
    const char *words[MAX_WORDS] = {"recipe", "images"};
    size_t      n = 2;
    for (size_t i = 0; verbs[i]; i++) words[n++] = verbs[i]->name;
    for (recipe_key k = 0; k < KEY_COUNT; k++) words[n++] = strchr(recipe_key_name(k), '.') + 1;
    for (size_t k = 0; k < N_KINDS; k++)
        for (size_t i = 0; i < ln_catalogue_count(kinds[k].kind) && n + 1 < MAX_WORDS; i++) {
            if (i == 0) words[n++] = kinds[k].many;
            words[n++] = ln_catalogue_name(kinds[k].kind, i);
        }
    return ln_nearest_word(word, words, n);
}

static int run(const arguments *a) {
    if (a->n_words == 0) return print_help(), STATUS_OK;
    const char *word = a->words[0];
    if (print_topic(word) || print_verb(word)) return STATUS_OK;
    const bool is_key = print_recipe_word(word); /* scale is one, and an augmentation */
    if ((!is_key && print_kind_word(word)) || print_catalogue_word(word) || is_key || print_argument(word))
        return STATUS_OK;
    const char *const own = word + strspn(word, "-"); /* flags may be given as they are */
    if (print_verbs_word(own)) return STATUS_OK;
    const char *near = nearest(word);
    return say_usage(a->verb, "nothing is called '%s'%s%s%s", word, near ? "; did you mean '" : "", near ? near : "",
                     near ? "'?" : "");
}

const verb verb_help = {
    .name = "help",
    .summary = "explain any word: a verb, a layer, an argument, a recipe's key, ...",
    .usage = "help [WORD]",
    .help = "  linnet help train     a verb\n"
            "  linnet help recipe    every key of a recipe, every layer, loss, optimizer, ...\n"
            "  linnet help images    how images are named\n"
            "  linnet help epochs    a key of recipes\n"
            "  linnet help conv2d    a layer and its arguments; likewise a loss, an optimizer, ...\n"
            "  linnet help momentum  an argument, of whatever takes it\n",
    .n_max = 1,
    .run = run,
};
