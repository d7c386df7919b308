/* recipe_internal.h: what recipe.c, recipe_types.c (keys and values), recipe_override.c and recipe_build.c share. */
#ifndef LN_CLI_RECIPE_INTERNAL_H
#define LN_CLI_RECIPE_INTERNAL_H

#include "recipe.h"

typedef struct recipe_type recipe_type;

typedef struct recipe_rule {
    const char        *section, *name, *path; /* "data", "batch", "data.batch" */
    const recipe_type *type;
    const char        *preset;
    double             low, high;
    const char        *help;
} recipe_rule;

struct recipe_type {
    const char *values; /* in words, as printf's format of the key's lowest and highest */
    const char *list;   /* in words, where a YAML list will do too: its values are joined by ", "; NULL: it will not */
    bool (*check)(recipe *r, const recipe_rule *rule, recipe_item *item, ln_error *error); /* NULL: all is good */
    bool    has_kind;
    ln_kind kind;      /* the catalogue that its words are from */
    bool    is_line;   /* one such word and its arguments, which overrides may change by themselves */
    bool    is_layers; /* the recipe's layers, and not the item's text */
};

extern const recipe_rule recipe_rules[KEY_COUNT];

/* Fills error with "FILE:LINE: …" or "KEY=VALUE: …" and says in r->usage which. Returns false. */
bool recipe_fail(recipe *r, const recipe_item *where, ln_error *error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
/* Puts the same before a message that the library gave. Returns false. */
bool recipe_blame(recipe *r, const recipe_item *where, ln_error *error);

/* "; did you mean 'epochs'?", or "" when no word is near. */
const char *recipe_hint(pool *owner, const char *word, const char *const *words, size_t n);
/* value without spaces at its ends, runs of white space as one space. */
const char *recipe_tidy(pool *owner, const char *value);

/* "input, init and layers". */
const char *recipe_section_keys(pool *owner, const char *section);

/* Checks item's text as the rule says and sets its number or the recipe's shape. */
bool recipe_check(recipe *r, const recipe_rule *rule, recipe_item *item, ln_error *error);
/* Applies the command line's overrides to a recipe read from a file. */
bool recipe_override(recipe *r, const char *const *overrides, size_t n, ln_error *error);

/* Whether other images (what: "test") are of the training images' classes: an error where they cannot be. */
bool recipe_sets_agree(recipe *r, const ln_data *train, const ln_data *other, const char *what, ln_error *error);

enum { MAX_CLASSES = 256 };

/* What data.normalize says: "auto", "none", "0.13/0.31" or "0..1". */
typedef struct normalizing {
    enum { NORMALIZE_AUTO, NORMALIZE_NONE, NORMALIZE_BY, NORMALIZE_RANGE } how;
    double a, b; /* mean and deviation; what the least and the greatest value become */
} normalizing;

/* What a value of these types says. False where it is not well formed; "all" is, and leaves n at 0. */
bool recipe_rows(const char *value, size_t *first, size_t *n);
bool recipe_classes(const char *value, const char *words[MAX_CLASSES], size_t *n, pool *owner);
bool recipe_resize(const char *value, size_t *h, size_t *w);
bool recipe_normalize(const char *value, normalizing *n);

#endif
