/* recipe_types.c: the types that values of a recipe have, a block each: how one is written, and what is good. The keys
 * come last. A new type is one more block, which recipe_keys.def then names. */
#include "recipe_internal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A plain decimal number (no hexadecimal, no "nan") that ends at *end. */
static bool read_number(const char *s, const char **end, double *value) {
    const size_t length = strspn(s, "0123456789.eE+-");
    if (length == 0 || length > 40) return false;
    char digits[48], *stop;
    memcpy(digits, s, length);
    digits[length] = '\0';
    *value = strtod(digits, &stop);
    *end = s + length;
    return *stop == '\0' && isfinite(*value);
}

/* -------------------------------------------------------------------- text */

static const recipe_type TEXT = {.values = "name or path"};

/* Names with commas between them, with or without brackets; whoever reads them says which there may be. */
static const recipe_type NAMES = {.values = "list of layers or none", .list = "a list of layers, such as [3, 5]"};

/* ----------------------------------------------------------------- numbers */

static bool read_whole(recipe *r, const recipe_rule *rule, recipe_item *item, const char *more, ln_error *error) {
    const char  *s = item->text;
    const size_t length = strspn(s, "0123456789");
    const bool   whole = length > 0 && length <= 16 && s[length] == '\0';
    item->number = whole ? (double)strtoull(s, NULL, 10) : -1;
    if (whole && item->number >= rule->low && item->number <= rule->high) return true;
    return recipe_fail(r, item, error, "%s is '%.60s', but must be a whole number from %.0f to %.0f%s", rule->path, s,
                       rule->low, rule->high, more);
}

static bool check_whole(recipe *r, const recipe_rule *rule, recipe_item *item, ln_error *error) {
    return read_whole(r, rule, item, "", error);
}

static const recipe_type WHOLE = {.values = "whole number, %.0f to %.0f", .check = check_whole};

static bool check_batch(recipe *r, const recipe_rule *rule, recipe_item *item, ln_error *error) {
    item->number = rule->high;
    if (strcmp(item->text, "all") == 0) return true;
    return read_whole(r, rule, item, ", or all", error);
}

static const recipe_type BATCH = {.values = "whole number, %.0f to %.0f, or all", .check = check_batch};

static bool check_number(recipe *r, const recipe_rule *rule, recipe_item *item, ln_error *error) {
    const char *end;
    const bool  number = read_number(item->text, &end, &item->number) && *end == '\0';
    if (number && item->number >= rule->low && item->number <= rule->high) return true;
    return recipe_fail(r, item, error, "%s is '%.60s', but must be a number from %g to %g", rule->path, item->text,
                       rule->low, rule->high);
}

static const recipe_type NUMBER = {.values = "number, %g to %g", .check = check_number};

static bool check_fraction(recipe *r, const recipe_rule *rule, recipe_item *item, ln_error *error) {
    const char *end;
    if (read_number(item->text, &end, &item->number) && *end == '\0' && item->number >= 0 && item->number < 1)
        return true;
    return recipe_fail(r, item, error, "%s is '%.60s', but must be a share from 0 to less than 1, such as 0.1",
                       rule->path, item->text);
}

static const recipe_type FRACTION = {.values = "number from 0 to less than 1", .check = check_fraction};

/* "0.5", "1/256", or auto, which is the number 0. */
static bool check_scale(recipe *r, const recipe_rule *rule, recipe_item *item, ln_error *error) {
    item->number = 0;
    if (strcmp(item->text, "auto") == 0) return true;
    const char *end;
    double      over = 1;
    bool        good = read_number(item->text, &end, &item->number);
    if (good && *end == '/') good = read_number(end + 1, &end, &over) && over > 0;
    item->number /= over;
    if (good && *end == '\0' && item->number > 0 && isfinite(item->number)) return true;
    return recipe_fail(r, item, error, "%s is '%.60s', but must be auto or a number above 0, such as 1/256", rule->path,
                       item->text);
}

static const recipe_type SCALE = {.values = "number above 0 or auto", .check = check_scale};

/* Two numbers with that between them, and nothing else. */
static bool read_pair(const char *value, const char *between, double *a, double *b) {
    const char *const at = strstr(value, between), *end;
    char              first[48];
    if (!at || at == value || (size_t)(at - value) >= sizeof first) return false;
    memcpy(first, value, (size_t)(at - value));
    first[at - value] = '\0';
    return read_number(first, &end, a) && *end == '\0' && read_number(at + strlen(between), &end, b) && *end == '\0';
}

bool recipe_normalize(const char *value, normalizing *n) {
    *n = (normalizing){.how = NORMALIZE_AUTO};
    if (strcmp(value, "auto") == 0) return true;
    n->how = NORMALIZE_NONE;
    if (strcmp(value, "none") == 0) return true;
    n->how = strstr(value, "..") ? NORMALIZE_RANGE : NORMALIZE_BY;
    if (n->how == NORMALIZE_RANGE) return read_pair(value, "..", &n->a, &n->b) && n->a < n->b;
    return read_pair(value, "/", &n->a, &n->b) && n->b > 0;
}

static bool check_normalize(recipe *r, const recipe_rule *rule, recipe_item *item, ln_error *error) {
    static const char *const words[] = {"auto", "none"};
    normalizing              n;
    if (recipe_normalize(item->text, &n)) return true;
    return recipe_fail(r, item, error,
                       "%s is '%.60s', but must be auto, none, LOW..HIGH, such as 0..1, or MEAN/DEVIATION, such as "
                       "0.13/0.31%s",
                       rule->path, item->text, recipe_hint(&r->owner, item->text, words, 2));
}

static const recipe_type NORMALIZE = {.values = "auto, none, LOW..HIGH or MEAN/DEVIATION", .check = check_normalize};

/* ------------------------------------------------------------------- words */

/* One of two words, whose number is 0 or 1. */
static bool check_either(recipe *r, const recipe_rule *rule, recipe_item *item, const char *const words[2],
                         ln_error *error) {
    for (size_t i = 0; i < 2; i++)
        if (strcmp(item->text, words[i]) == 0) return item->number = (double)i, true;
    return recipe_fail(r, item, error, "%s is '%.60s', but must be %s%s", rule->path, item->text, rule->type->values,
                       recipe_hint(&r->owner, item->text, words, 2));
}

static bool check_bool(recipe *r, const recipe_rule *rule, recipe_item *item, ln_error *error) {
    return check_either(r, rule, item, (const char *const[]){"false", "true"}, error);
}

static const recipe_type BOOL = {.values = "true or false", .check = check_bool};

static bool check_decay(recipe *r, const recipe_rule *rule, recipe_item *item, ln_error *error) {
    return check_either(r, rule, item, (const char *const[]){"all", "weights"}, error);
}

static const recipe_type DECAY = {.values = "all or weights", .check = check_decay};

static bool check_monitor(recipe *r, const recipe_rule *rule, recipe_item *item, ln_error *error) {
    (void)rule;
    return ln_monitor_check(item->text, true, true, error) == LN_OK || recipe_blame(r, item, error);
}

static const recipe_type MONITOR = {.values = "train, val or test, _loss or _accuracy, or auto",
                                    .check = check_monitor};

/* ------------------------------------------------------------------ images */

/* "1-10000", counted from 1 with the last one in it; "7" is that one. */
bool recipe_rows(const char *value, size_t *first, size_t *n) {
    size_t      bound[2] = {0};
    const char *s = value;
    *first = *n = 0;
    if (strcmp(value, "all") == 0) return true;
    for (size_t i = 0; i < 2; i++) {
        const size_t length = strspn(s, "0123456789");
        if (length == 0 || length > 12) return false;
        bound[i] = strtoull(s, NULL, 10);
        s += length + strspn(s + length, " ");
        if (i == 0 && *s == '\0') bound[++i] = bound[0];
        else if (i == 0 && *s++ != '-') return false;
        s += strspn(s, " ");
    }
    if (*s || bound[0] < 1 || bound[1] < bound[0]) return false;
    *first = bound[0] - 1;
    *n = bound[1] - *first;
    return true;
}

static bool check_rows(recipe *r, const recipe_rule *rule, recipe_item *item, ln_error *error) {
    size_t first, n;
    if (recipe_rows(item->text, &first, &n)) return true;
    return recipe_fail(r, item, error, "%s is '%.60s', but must be FIRST-LAST, counted from 1, such as 1-10000, or all",
                       rule->path, item->text);
}

static const recipe_type ROWS = {.values = "FIRST-LAST or all", .check = check_rows};

/* "0, 1, 2" or "cat, dog", with or without brackets. */
bool recipe_classes(const char *value, const char *words[MAX_CLASSES], size_t *n, pool *owner) {
    const bool  brackets = *value == '[';
    const char *s = value + brackets;
    *n = 0;
    if (strcmp(value, "all") == 0) return true;
    for (;; s++) {
        s += strspn(s, " ");
        const size_t whole = strcspn(s, ",[]");
        size_t       length = whole;
        while (length > 0 && s[length - 1] == ' ') length--;
        if (length == 0 || *n == MAX_CLASSES) return false;
        words[(*n)++] = pool_copy(owner, s, length);
        s += whole;
        if (*s != ',') break;
    }
    if (brackets && *s++ != ']') return false;
    return *s == '\0';
}

static bool check_classes(recipe *r, const recipe_rule *rule, recipe_item *item, ln_error *error) {
    const char *words[MAX_CLASSES];
    size_t      n;
    if (recipe_classes(item->text, words, &n, &r->owner)) return true;
    return recipe_fail(r, item, error, "%s is '%.60s', but must be %s, or all", rule->path, item->text,
                       rule->type->list);
}

static const recipe_type CLASSES = {.values = "list of labels or all",
                                    .list = "a list of labels, such as [0, 1, 2] or [cat, dog]",
                                    .check = check_classes};

/* "32x32", or none, whose sides are 0. */
bool recipe_resize(const char *value, size_t *h, size_t *w) {
    *h = *w = 0;
    if (strcmp(value, "none") == 0) return true;
    const size_t n = strspn(value, "0123456789"), m = value[n] == 'x' ? strspn(value + n + 1, "0123456789") : 0;
    if (n == 0 || n > 5 || m == 0 || m > 5 || value[n + 1 + m]) return false;
    *h = strtoull(value, NULL, 10);
    *w = strtoull(value + n + 1, NULL, 10);
    return *h >= 1 && *h <= 16384 && *w >= 1 && *w <= 16384;
}

static bool check_resize(recipe *r, const recipe_rule *rule, recipe_item *item, ln_error *error) {
    size_t h, w;
    if (recipe_resize(item->text, &h, &w)) return true;
    return recipe_fail(r, item, error,
                       "%s is '%.60s', but must be rows x columns, each 1 to 16384, such as 32x32, or none", rule->path,
                       item->text);
}

static const recipe_type RESIZE = {.values = "HxW or none", .check = check_resize};

static bool check_shape(recipe *r, const recipe_rule *rule, recipe_item *item, ln_error *error) {
    size_t      size[3] = {0};
    const char *s = item->text;
    bool        good = true;
    for (size_t i = 0; i < 3 && good; i++) {
        const size_t length = strspn(s, "0123456789");
        good = length > 0 && length < 6 && s[length] == (i < 2 ? 'x' : '\0');
        size[i] = good ? strtoull(s, NULL, 10) : 0;
        s += length + (i < 2);
    }
    if (!good || size[0] == 0 || size[1] == 0 || size[2] == 0)
        return recipe_fail(r, item, error, "%s is '%.60s', but must be channels x rows x columns, such as 1x28x28",
                           rule->path, item->text);
    r->c = size[0], r->h = size[1], r->w = size[2];
    return true;
}

static const recipe_type SHAPE = {.values = "CxHxW", .check = check_shape};

/* ------------------------------------------------- words of the catalogue */

static bool check_line(recipe *r, const recipe_rule *rule, recipe_item *item, ln_error *error) {
    return ln_catalogue_check(rule->type->kind, item->text, error) == LN_OK || recipe_blame(r, item, error);
}

#define LINE(of) \
    { .values = "one line", .check = check_line, .has_kind = true, .kind = (of), .is_line = true }
static const recipe_type INIT = LINE(LN_KIND_INIT), LOSS = LINE(LN_KIND_LOSS), OPTIMIZER = LINE(LN_KIND_OPTIMIZER),
                         SCHEDULE = LINE(LN_KIND_SCHEDULE);

static const recipe_type AUGMENT = {.values = "one line or a list of them, or none",
                                    .list = "a list of augmentations, such as [shift 2]",
                                    .check = check_line,
                                    .has_kind = true,
                                    .kind = LN_KIND_AUGMENTATION};

/* Checked where the model is built. */
static const recipe_type LAYERS = {.values = "list", .has_kind = true, .kind = LN_KIND_LAYER, .is_layers = true};

/* -------------------------------------------------------------------- keys */

#define KEY(section, name, type, preset, low, high, help) \
    {#section, #name, #section "." #name, &(type), preset, low, high, help},
const recipe_rule recipe_rules[KEY_COUNT] = {
#include "recipe_keys.def"
};

const char *recipe_key_name(recipe_key key) { return recipe_rules[key].path; }
const char *recipe_key_help(recipe_key key) { return recipe_rules[key].help; }
const char *recipe_key_preset(recipe_key key) { return recipe_rules[key].preset; }

const char *recipe_key_values(recipe_key key, pool *owner) {
    const recipe_rule *rule = &recipe_rules[key];
    return pool_format(owner, rule->type->values, rule->low, rule->high);
}

bool recipe_key_kind(recipe_key key, ln_kind *kind) {
    if (recipe_rules[key].type->has_kind) *kind = recipe_rules[key].type->kind;
    return recipe_rules[key].type->has_kind;
}

bool recipe_key_is(recipe_key key, const char *word) {
    return strcmp(recipe_rules[key].path, word) == 0 || strcmp(recipe_rules[key].name, word) == 0;
}

bool recipe_check(recipe *r, const recipe_rule *rule, recipe_item *item, ln_error *error) {
    if (item->text[0] == '\0') return recipe_fail(r, item, error, "%s has no value (%s)", rule->path, rule->help);
    if (!text_is_utf8(item->text, strlen(item->text)))
        return recipe_fail(r, item, error, "%s is not UTF-8 text", rule->path);
    return !rule->type->check || rule->type->check(r, rule, item, error);
}
