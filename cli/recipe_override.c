/* recipe_override.c: `key=value` of the command line.
 *
 * A key is a path: train.epochs, train.optimizer.lr, model.layers.0, model.layers.0.kernel. The section may be left
 * out, and an argument of the optimizer, schedule, loss or init stands for itself (lr=0.1). Whole values are set first,
 * arguments after them, so that the order of `optimizer=sgd lr=0.1` does not matter. */
#include "recipe_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PARTS = 5, MAX_WORDS = 64 };

typedef struct assignment {
    const char *whole, *value;   /* "lr=0.1", "0.1" */
    const char *part[MAX_PARTS]; /* "train", "optimizer", "lr" */
    size_t      n_parts;
} assignment;

static bool fail_here(recipe *r, const assignment *a, ln_error *error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));
static bool fail_here(recipe *r, const assignment *a, ln_error *error, const char *format, ...) {
    char    message[400];
    va_list list;
    va_start(list, format);
    vsnprintf(message, sizeof message, format, list);
    va_end(list);
    const recipe_item where = {.override = a->whole};
    return recipe_fail(r, &where, error, "%s", message);
}

static const char key_characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";

static bool split(recipe *r, const char *whole, assignment *a, ln_error *error) {
    *a = (assignment){.whole = whole};
    const char *equals = strchr(whole, '=');
    char       *key = pool_copy(&r->owner, whole, equals ? (size_t)(equals - whole) : strlen(whole));
    a->value = recipe_tidy(&r->owner, equals ? equals + 1 : "");
    if (!text_is_utf8(whole, strlen(whole))) return fail_here(r, a, error, "this is not UTF-8 text"), false;
    for (char *state = NULL, *part = strtok_r(key, ".", &state); part; part = strtok_r(NULL, ".", &state)) {
        if (a->n_parts == MAX_PARTS) return fail_here(r, a, error, "the key has too many parts"), false;
        if (part[strspn(part, key_characters)]) return fail_here(r, a, error, "'%.40s' is no key", part), false;
        a->part[a->n_parts++] = part;
    }
    if (!equals || a->n_parts == 0)
        return fail_here(r, a, error, "write an override as key=value, such as epochs=3"), false;
    return true;
}

/* ------------------------------------------------------- arguments of a line */

static size_t find_word(ln_kind kind, const char *word) {
    size_t i = 0;
    while (i < ln_catalogue_count(kind) && strcmp(ln_catalogue_name(kind, i), word) != 0) i++;
    return i;
}

static const char *first_word(pool *owner, const char *line) { return pool_copy(owner, line, strcspn(line, " ")); }

/* The keys that a line may have: its word's arguments, and what already stands there as key=. */
static size_t arguments_of(pool *owner, ln_kind kind, const char *line, const char **words) {
    const size_t i = find_word(kind, first_word(owner, line));
    const size_t count = i < ln_catalogue_count(kind) ? ln_catalogue_argument_count(kind, i) : 0;
    size_t       n = 0;
    for (size_t j = 0; j < count && n < MAX_WORDS; j++) {
        char help[400];
        ln_catalogue_argument(kind, i, j, help, sizeof help);
        words[n++] = pool_copy(owner, help, strcspn(help, " :("));
    }
    for (const char *s = line; *s && n < MAX_WORDS; s += strspn(s, " ")) {
        const size_t length = strcspn(s, " "), key = strcspn(s, "= ");
        if (key < length) words[n++] = pool_copy(owner, s, key);
        s += length;
    }
    return n;
}

static bool has_word(const char *word, const char *const *words, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(words[i], word) == 0) return true;
    return false;
}

/* line with argument key set to value: in the place of `key=…`, of the bare word that stands for it, or before
 * `from` and `as`. */
static const char *set_argument(pool *owner, ln_kind kind, const char *line, const char *key, const char *value) {
    const char  *words[MAX_WORDS];
    const size_t n_words = arguments_of(owner, kind, line, words);
    size_t       place = 0; /* of key among the bare words */
    while (place < n_words && strcmp(words[place], key) != 0) place++;
    const size_t key_length = strlen(key);
    text         out = {0};
    bool         done = false, names = false;
    size_t       bare = 0, at = 0;
    for (const char *s = line; *s; at++) {
        const size_t length = strcspn(s, " ");
        const bool   is_key = memchr(s, '=', length) != NULL;
        names = names ||
                (at > 0 && ((length == 4 && strncmp(s, "from", 4) == 0) || (length == 2 && strncmp(s, "as", 2) == 0)));
        const bool same =
            is_key ? strncmp(s, key, key_length) == 0 && s[key_length] == '=' : at > 0 && !names && bare == place;
        if (names && !done) {
            text_add(&out, " %s=%s", key, value);
            done = true;
        }
        if (same && !done) text_add(&out, is_key ? " %s=%s" : " %.0s%s", key, value);
        else if (!(same && is_key)) text_add(&out, "%s%.*s", at ? " " : "", (int)length, s);
        done = done || same;
        bare += at > 0 && !is_key && !names;
        s += length;
        s += strspn(s, " ");
    }
    if (!done) text_add(&out, " %s=%s", key, value);
    const char *result = pool_copy(owner, out.bytes, out.n);
    text_free(&out);
    return result;
}

static bool change_argument(recipe *r, const assignment *a, ln_kind kind, recipe_item *item, const char *key,
                            ln_error *error) {
    if (a->value[0] == '\0' || strchr(a->value, ' '))
        return fail_here(r, a, error, "the argument '%.40s' takes one word", key);
    const bool was_good = kind != LN_KIND_LAYER && ln_catalogue_check(kind, item->text, NULL) == LN_OK;
    item->text = set_argument(&r->owner, kind, item->text, key, a->value);
    item->override = a->whole;
    /* A line that was wrong before may still be completed by another override: it is checked at the end, a layer where
     * the model is built. */
    return !was_good || ln_catalogue_check(kind, item->text, error) == LN_OK || recipe_blame(r, item, error);
}

/* ------------------------------------------------------------------- paths */

static recipe_item *item_with_default(recipe *r, size_t k) {
    if (!r->item[k].text) r->item[k].text = recipe_rules[k].preset;
    return &r->item[k];
}

static bool is_section(const char *word) {
    for (size_t s = 0; recipe_section(s); s++)
        if (strcmp(recipe_section(s), word) == 0) return true;
    return false;
}

/* Says that there is no such key, and which of words is near. */
static bool refuse_key(recipe *r, const assignment *a, const char *word, const char *const *words, size_t n,
                       ln_error *error) {
    text keys = {0};
    for (size_t i = 0; r->verb_keys && r->verb_keys[i]; i++)
        text_add(&keys, "%s%s", i ? ", " : "; the verb's own are ", r->verb_keys[i]);
    fail_here(r, a, error, "unknown key '%.40s'%s (linnet help recipe lists a recipe's keys%s)", word,
              recipe_hint(&r->owner, word, words, n), keys.n ? keys.bytes : "");
    text_free(&keys);
    return false;
}

static bool unknown(recipe *r, const assignment *a, const char *word, ln_error *error) {
    const char *words[KEY_COUNT + 4 * MAX_WORDS + 16];
    size_t      n = 0;
    for (size_t k = 0; k < KEY_COUNT; k++)
        words[n++] = k == KEY_data_name && a->n_parts == 1 ? "data" : recipe_rules[k].name;
    for (size_t i = 0; r->verb_keys && r->verb_keys[i]; i++) words[n++] = r->verb_keys[i];
    for (size_t s = 0; a->n_parts > 1 && recipe_section(s); s++) words[n++] = recipe_section(s);
    if (a->n_parts == 1 && is_section(word))
        return fail_here(r, a, error,
                         "%s is a section of the recipe and has no value; its keys are %s, written %s.KEY=VALUE", word,
                         recipe_section_keys(&r->owner, word), word);
    for (size_t k = 0; k < KEY_COUNT; k++) {
        if (!recipe_rules[k].type->is_line || !r->item[k].text) continue;
        const size_t n_here = arguments_of(&r->owner, recipe_rules[k].type->kind, r->item[k].text, words + n);
        if (has_word(word, words + n, n_here))
            return fail_here(r, a, error, "'%.40s' is an argument of %s: write %s.%.40s=VALUE", word,
                             recipe_rules[k].path, recipe_rules[k].path, word);
        n += n_here;
    }
    for (size_t k = 0; k < KEY_COUNT; k++)
        if (strcmp(word, recipe_rules[k].name) == 0)
            return fail_here(r, a, error, "the key is %s", recipe_rules[k].path);
    return refuse_key(r, a, word, words, n, error);
}

/* "optimizer.lr.x=1": part i is one too many. */
static bool too_deep(recipe *r, const assignment *a, size_t i, ln_error *error) {
    text path = {0};
    for (size_t k = 0; k < i; k++) text_add(&path, "%s%s", k ? "." : "", a->part[k]);
    fail_here(r, a, error, "%.80s is one value and has no part '%.40s': write %.80s=VALUE", path.bytes, a->part[i],
              path.bytes);
    text_free(&path);
    return false;
}

/* model.layers.N and model.layers.N.ARGUMENT */
static bool change_layer(recipe *r, const assignment *a, size_t from, bool whole, ln_error *error) {
    if (a->n_parts == from)
        return fail_here(r, a, error, "model.layers is a list: name a layer by its number, such as model.layers.0=...");
    const char  *digits = a->part[from];
    const bool   number = strlen(digits) < 7 && digits[strspn(digits, "0123456789")] == '\0';
    const size_t index = number ? strtoul(digits, NULL, 10) : r->n_layers;
    if (index >= r->n_layers)
        return fail_here(r, a, error, "there is no layer '%.40s': the recipe's layers are 0 to %zu", digits,
                         r->n_layers ? r->n_layers - 1 : 0);
    if (a->n_parts > from + 2) return too_deep(r, a, from + 2, error);
    recipe_item *layer = &r->layers[index];
    if (a->n_parts == from + 2) return whole || change_argument(r, a, LN_KIND_LAYER, layer, a->part[from + 1], error);
    if (!whole) return true;
    if (a->value[0] == '\0') return fail_here(r, a, error, "a layer cannot be empty");
    *layer = (recipe_item){.text = a->value, .override = a->whole, .line = layer->line};
    return true;
}

/* A bare argument, such as lr or train.lr: of the one line that knows it. */
static bool change_short(recipe *r, const assignment *a, ln_error *error) {
    size_t      found = KEY_COUNT, n_found = 0;
    const char *other = "", *word = a->part[a->n_parts - 1];
    for (size_t k = 0; k < KEY_COUNT; k++) {
        const recipe_rule *rule = &recipe_rules[k];
        const char        *words[MAX_WORDS];
        const bool         reached = a->n_parts == 1 || (a->n_parts == 2 && strcmp(a->part[0], rule->section) == 0);
        if (!rule->type->is_line || !reached) continue;
        const char *line = item_with_default(r, k)->text;
        if (!has_word(word, words, arguments_of(&r->owner, rule->type->kind, line, words))) continue;
        other = found < KEY_COUNT ? recipe_rules[found].path : "";
        found = k;
        n_found++;
    }
    if (n_found > 1)
        return fail_here(r, a, error, "'%.40s' is an argument of more than one line: write %s.%.40s or %s.%.40s", word,
                         other, word, recipe_rules[found].path, word);
    if (n_found == 0) return unknown(r, a, a->part[a->n_parts > 1 && is_section(a->part[0])], error);
    return change_argument(r, a, recipe_rules[found].type->kind, &r->item[found], word, error);
}

static bool apply(recipe *r, const assignment *a, bool whole, ln_error *error) {
    const bool is_data = a->n_parts == 1 && strcmp(a->part[0], "data") == 0; /* data=FILE is data.name=FILE */
    for (size_t k = 0; k < KEY_COUNT; k++) {
        const recipe_rule *rule = &recipe_rules[k];
        const size_t from = a->n_parts > 1 && strcmp(a->part[0], rule->section) == 0; /* the section may be left out */
        if (strcmp(a->part[from], rule->name) != 0 && !(is_data && k == KEY_data_name)) continue;
        if (rule->type->is_layers) return change_layer(r, a, from + 1, whole, error);
        if (k == KEY_data_name && a->n_parts == 1 && !is_data) /* one word, one meaning */
            return fail_here(r, a, error, "name= is train's, for its run: write data=%.80s for the images", a->value);
        recipe_item *item = item_with_default(r, k);
        if (a->n_parts == from + 1) {
            if (!whole) return true;
            *item = (recipe_item){.text = a->value, .override = a->whole, .line = item->line};
            return true; /* checked at the end */
        }
        if (!rule->type->is_line)
            return fail_here(r, a, error, "%s is one value and has no arguments: write %s=VALUE", rule->path,
                             rule->path);
        if (a->n_parts > from + 2) return too_deep(r, a, from + 2, error);
        return whole || change_argument(r, a, rule->type->kind, item, a->part[from + 1], error);
    }
    return whole || change_short(r, a, error);
}

bool recipe_override(recipe *r, const char *const *overrides, size_t n, ln_error *error) {
    for (int whole = 1; whole >= 0; whole--)
        for (size_t i = 0; i < n; i++) {
            assignment a;
            if (!split(r, overrides[i], &a, error) || !apply(r, &a, whole, error)) return false;
        }
    return true;
}
