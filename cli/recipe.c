/* recipe.c: from YAML to checked values, and back to YAML. */
#include "recipe_internal.h"
#include "tree.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY(section, name, type, preset, low, high, help) \
    {#section, #name, #section "." #name, TYPE_##type, preset, low, high, help},
const recipe_rule recipe_rules[KEY_COUNT] = {
#include "recipe_keys.def"
};
#undef KEY

static const char *const sections[] = {"data", "model", "train"};
enum { N_SECTIONS = 3 };

const char *recipe_key_name(recipe_key key) { return recipe_rules[key].path; }
const char *recipe_key_help(recipe_key key) { return recipe_rules[key].help; }
const char *recipe_key_preset(recipe_key key) { return recipe_rules[key].preset; }
bool        recipe_key_kind(recipe_key key, ln_kind *kind) { return recipe_kind(recipe_rules[key].type, kind); }
bool        recipe_key_is(recipe_key key, const char *word) {
           return strcmp(recipe_rules[key].path, word) == 0 || strcmp(recipe_rules[key].name, word) == 0;
}

const char *recipe_section(size_t i) { return i < N_SECTIONS ? sections[i] : NULL; }

const char *recipe_key_values(recipe_key key, pool *owner) {
    const recipe_rule *rule = &recipe_rules[key];
    switch (rule->type) {
    case TYPE_WHOLE: return pool_format(owner, "whole number, %.0f to %.0f", rule->low, rule->high);
    case TYPE_FRACTION: return "number from 0 to less than 1";
    case TYPE_NUMBER: return pool_format(owner, "number, %g to %g", rule->low, rule->high);
    case TYPE_DECAY: return "all or weights";
    case TYPE_MONITOR: return "train, val or test, _loss or _accuracy, or auto";
    case TYPE_SCALE: return "number above 0 or auto";
    case TYPE_NORMALIZE: return "auto, none or MEAN/DEVIATION";
    case TYPE_BATCH: return pool_format(owner, "whole number, %.0f to %.0f, or all", rule->low, rule->high);
    case TYPE_BOOL: return "true or false";
    case TYPE_ROWS: return "FIRST-LAST or all";
    case TYPE_CLASSES: return "list of labels or all";
    case TYPE_SHAPE: return "CxHxW";
    case TYPE_LAYERS: return "list";
    case TYPE_TEXT: return "name or path";
    default: return "one line";
    }
}

/* ---------------------------------------------------------------- messages */

/* A file that is not there or damaged, or too little memory, is no wrong usage, whoever named it. */
bool recipe_blame(recipe *r, const recipe_item *where, ln_error *error) {
    r->usage = where->override && error && (error->status == LN_E_ARGUMENT || error->status == LN_E_SHAPE);
    if (!error) return false;
    char place[256];
    if (where->override) snprintf(place, sizeof place, "%.100s: ", where->override);
    else snprintf(place, sizeof place, "%.200s:%zu: ", r->file, where->line ? where->line : 1);
    const size_t at = strlen(place), room = sizeof error->message - 1 - at;
    memmove(error->message + at, error->message, room);
    memcpy(error->message, place, at);
    error->message[at + room] = '\0';
    return false;
}

bool recipe_fail(recipe *r, const recipe_item *where, ln_error *error, const char *format, ...) {
    if (error) {
        va_list list;
        va_start(list, format);
        vsnprintf(error->message, sizeof error->message, format, list);
        va_end(list);
        error->status = LN_E_ARGUMENT;
    }
    return recipe_blame(r, where, error);
}

const char *recipe_hint(pool *owner, const char *word, const char *const *words, size_t n) {
    const char *nearest = ln_nearest_word(word, words, n);
    return nearest ? pool_format(owner, "; did you mean '%s'?", nearest) : "";
}

const char *recipe_tidy(pool *owner, const char *value) {
    char *out = pool_take(owner, strlen(value) + 1), *at = out;
    for (const char *s = value; *s; s++) {
        const bool space = *s == ' ' || *s == '\t' || *s == '\n' || *s == '\r';
        if (!space) *at++ = *s;
        else if (at > out && at[-1] != ' ') *at++ = ' ';
    }
    if (at > out && at[-1] == ' ') at--;
    *at = '\0';
    return out;
}

/* ------------------------------------------------------------------ values */

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

static bool check_whole(recipe *r, const recipe_rule *rule, recipe_item *item, ln_error *error) {
    const char  *s = item->text;
    const size_t length = strspn(s, "0123456789");
    const bool   whole = length > 0 && length <= 16 && s[length] == '\0';
    item->number = whole ? (double)strtoull(s, NULL, 10) : -1;
    if (whole && item->number >= rule->low && item->number <= rule->high) return true;
    return recipe_fail(r, item, error, "%s is '%.60s', but must be a whole number from %.0f to %.0f%s", rule->path, s,
                       rule->low, rule->high, rule->type == TYPE_BATCH ? ", or all" : "");
}

static bool check_fraction(recipe *r, const recipe_rule *rule, recipe_item *item, ln_error *error) {
    const char *end;
    if (read_number(item->text, &end, &item->number) && *end == '\0' && item->number >= 0 && item->number < 1)
        return true;
    return recipe_fail(r, item, error, "%s is '%.60s', but must be a share from 0 to less than 1, such as 0.1",
                       rule->path, item->text);
}

static bool check_number(recipe *r, const recipe_rule *rule, recipe_item *item, ln_error *error) {
    const char *end;
    const bool  number = read_number(item->text, &end, &item->number) && *end == '\0';
    if (number && item->number >= rule->low && item->number <= rule->high) return true;
    return recipe_fail(r, item, error, "%s is '%.60s', but must be a number from %g to %g", rule->path, item->text,
                       rule->low, rule->high);
}

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

bool recipe_normalize(const char *value, double *mean, double *std, size_t *n) {
    const char *end;
    *n = 0;
    if (strcmp(value, "auto") == 0 || strcmp(value, "none") == 0) return true;
    *n = 2;
    return read_number(value, &end, mean) && *end == '/' && read_number(end + 1, &end, std) && *end == '\0' && *std > 0;
}

static bool check_normalize(recipe *r, const recipe_rule *rule, recipe_item *item, ln_error *error) {
    static const char *const words[] = {"auto", "none"};
    double                   mean, std;
    size_t                   n;
    if (recipe_normalize(item->text, &mean, &std, &n)) return true;
    return recipe_fail(r, item, error, "%s is '%.60s', but must be auto, none or MEAN/DEVIATION, such as 0.13/0.31%s",
                       rule->path, item->text, recipe_hint(&r->owner, item->text, words, 2));
}

static bool check_batch(recipe *r, const recipe_rule *rule, recipe_item *item, ln_error *error) {
    item->number = rule->high;
    if (strcmp(item->text, "all") == 0) return true;
    return check_whole(r, rule, item, error);
}

/* One of two words, whose number is 0 or 1. */
static bool check_either(recipe *r, const recipe_rule *rule, recipe_item *item, const char *const words[2],
                         ln_error *error) {
    const bool is_bool = rule->type == TYPE_BOOL;
    for (size_t i = 0; i < 2; i++)
        if (strcmp(item->text, words[i]) == 0) return item->number = (double)i, true;
    return recipe_fail(r, item, error, "%s is '%.60s', but must be %s or %s%s", rule->path, item->text, words[is_bool],
                       words[!is_bool], recipe_hint(&r->owner, item->text, words, 2));
}

static bool check_monitor(recipe *r, recipe_item *item, ln_error *error) {
    return ln_monitor_check(item->text, true, true, error) == LN_OK || recipe_blame(r, item, error);
}

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

/* "0, 1, 2", with or without brackets. */
bool recipe_classes(const char *value, int classes[MAX_CLASSES], size_t *n) {
    *n = 0;
    if (strcmp(value, "all") == 0) return true;
    const char *s = value + (*value == '[');
    for (;;) {
        s += strspn(s, " ");
        const size_t length = strspn(s, "0123456789");
        if (length == 0 || length > 3 || *n == MAX_CLASSES) return false;
        classes[(*n)++] = (int)strtoul(s, NULL, 10);
        s += length + strspn(s + length, " ");
        if (*s != ',') break;
        s++;
    }
    if (*s == ']' && *value == '[') s++;
    else if (*value == '[') return false;
    return *s == '\0';
}

static bool check_classes(recipe *r, const recipe_rule *rule, recipe_item *item, ln_error *error) {
    int    classes[MAX_CLASSES];
    size_t n;
    if (recipe_classes(item->text, classes, &n)) return true;
    return recipe_fail(r, item, error, "%s is '%.60s', but must be a list of labels, such as [0, 1, 2], or all",
                       rule->path, item->text);
}

bool recipe_kind(recipe_type type, ln_kind *kind) {
    switch (type) {
    case TYPE_LAYERS: *kind = LN_KIND_LAYER; return true;
    case TYPE_LOSS: *kind = LN_KIND_LOSS; return true;
    case TYPE_OPTIMIZER: *kind = LN_KIND_OPTIMIZER; return true;
    case TYPE_SCHEDULE: *kind = LN_KIND_SCHEDULE; return true;
    case TYPE_INIT: *kind = LN_KIND_INIT; return true;
    default: return false;
    }
}

bool recipe_check(recipe *r, const recipe_rule *rule, recipe_item *item, ln_error *error) {
    static const char *const bools[] = {"false", "true"}, *const decays[] = {"all", "weights"};
    ln_kind kind;
    if (item->text[0] == '\0') return recipe_fail(r, item, error, "%s has no value (%s)", rule->path, rule->help);
    if (!text_is_utf8(item->text, strlen(item->text)))
        return recipe_fail(r, item, error, "%s is not UTF-8 text", rule->path);
    switch (rule->type) {
    case TYPE_WHOLE: return check_whole(r, rule, item, error);
    case TYPE_BATCH: return check_batch(r, rule, item, error);
    case TYPE_BOOL: return check_either(r, rule, item, bools, error);
    case TYPE_DECAY: return check_either(r, rule, item, decays, error);
    case TYPE_NUMBER: return check_number(r, rule, item, error);
    case TYPE_MONITOR: return check_monitor(r, item, error);
    case TYPE_ROWS: return check_rows(r, rule, item, error);
    case TYPE_CLASSES: return check_classes(r, rule, item, error);
    case TYPE_FRACTION: return check_fraction(r, rule, item, error);
    case TYPE_SCALE: return check_scale(r, rule, item, error);
    case TYPE_SHAPE: return check_shape(r, rule, item, error);
    case TYPE_NORMALIZE: return check_normalize(r, rule, item, error);
    case TYPE_INIT:
    case TYPE_LOSS:
    case TYPE_OPTIMIZER:
    case TYPE_SCHEDULE:
        recipe_kind(rule->type, &kind);
        return ln_catalogue_check(kind, item->text, error) == LN_OK || recipe_blame(r, item, error);
    default: return true; /* text; layers are checked where the model is built */
    }
}

/* -------------------------------------------------------------------- file */

static recipe_item at_line(size_t line) { return (recipe_item){.line = line}; }

static const char *kind_words(const tree *t) {
    return t->kind == TREE_MAP ? "a mapping" : t->kind == TREE_LIST ? "a list" : "a single value";
}

static bool read_layers(recipe *r, const tree *list, ln_error *error) {
    const recipe_item where = at_line(list->line);
    if (list->kind != TREE_LIST)
        return recipe_fail(r, &where, error,
                           "model.layers is %s, but must be a list with a line for each layer, such as "
                           "'- conv2d 6 kernel=5'",
                           kind_words(list));
    size_t n = 0;
    for (const tree *t = list->first; t; t = t->next) n++;
    if (n == 0) return recipe_fail(r, &where, error, "model.layers is empty: a model needs at least one layer");
    r->layers = pool_take(&r->owner, n * sizeof *r->layers);
    for (const tree *t = list->first; t; t = t->next) {
        recipe_item *layer = &r->layers[r->n_layers++];
        layer->line = t->line;
        if (t->kind != TREE_TEXT)
            return recipe_fail(r, layer, error,
                               "a layer is one line of text, such as 'conv2d 6 kernel=5 padding=2', but "
                               "this is %s",
                               kind_words(t));
        layer->text = recipe_tidy(&r->owner, t->text);
        if (layer->text[0] == '\0') return recipe_fail(r, layer, error, "this layer is empty");
    }
    return true;
}

/* A YAML list of classes as the text that an override would have. */
static bool read_list(recipe *r, recipe_item *item, const tree *list, ln_error *error) {
    text joined = {0};
    for (const tree *t = list->first; t; t = t->next) {
        if (t->kind != TREE_TEXT) {
            text_free(&joined);
            return recipe_fail(r, item, error, "data.classes holds %s, but must be a list of labels, such as [0, 1, 2]",
                               kind_words(t));
        }
        text_add(&joined, "%s%s", t == list->first ? "" : ", ", t->text);
    }
    item->text = joined.bytes ? recipe_tidy(&r->owner, joined.bytes) : "";
    text_free(&joined);
    return true;
}

static bool read_value(recipe *r, const recipe_rule *rule, const tree *t, ln_error *error) {
    recipe_item *item = &r->item[rule - recipe_rules];
    item->line = t->line;
    if (rule->type == TYPE_LAYERS) return read_layers(r, t, error);
    if (rule->type == TYPE_CLASSES && t->kind == TREE_LIST) return read_list(r, item, t, error);
    if (t->kind != TREE_TEXT)
        return recipe_fail(r, item, error, "%s is %s, but must be one value (%s)", rule->path, kind_words(t),
                           rule->help);
    item->text = recipe_tidy(&r->owner, t->text);
    return true;
}

const char *recipe_section_keys(pool *owner, const char *section) {
    size_t n = 0, i = 0;
    text   keys = {0};
    for (size_t k = 0; k < KEY_COUNT; k++) n += strcmp(recipe_rules[k].section, section) == 0;
    for (size_t k = 0; k < KEY_COUNT; k++) {
        if (strcmp(recipe_rules[k].section, section) != 0) continue;
        text_add(&keys, "%s%s", i == 0 ? "" : i + 1 < n ? ", " : " and ", recipe_rules[k].name);
        i++;
    }
    const char *list = pool_copy(owner, keys.bytes, keys.n);
    text_free(&keys);
    return list;
}

static bool unknown_key(recipe *r, const tree *t, const char *section, ln_error *error) {
    const char       *words[KEY_COUNT];
    size_t            n = 0;
    const recipe_item where = at_line(t->key_line);
    for (size_t k = 0; k < KEY_COUNT; k++)
        if (strcmp(recipe_rules[k].section, section) == 0) words[n++] = recipe_rules[k].name;
    return recipe_fail(r, &where, error, "unknown key '%.60s' in %s: its keys are %s%s", t->key, section,
                       recipe_section_keys(&r->owner, section), recipe_hint(&r->owner, t->key, words, n));
}

static bool read_section(recipe *r, const tree *section, ln_error *error) {
    const recipe_item where = at_line(section->line);
    if (section->kind != TREE_MAP)
        return recipe_fail(r, &where, error, "%s is %s, but must be a mapping with keys such as %s", section->key,
                           kind_words(section),
                           section->key[0] == 'd'   ? "name"
                           : section->key[0] == 'm' ? "input"
                                                    : "epochs");
    for (const tree *t = section->first; t; t = t->next) {
        size_t k = 0;
        while (k < KEY_COUNT &&
               (strcmp(recipe_rules[k].section, section->key) != 0 || strcmp(recipe_rules[k].name, t->key) != 0))
            k++;
        if (k == KEY_COUNT) return unknown_key(r, t, section->key, error);
        if (!read_value(r, &recipe_rules[k], t, error)) return false;
    }
    return true;
}

static bool read_root(recipe *r, const tree *root, ln_error *error) {
    const recipe_item where = at_line(root->line);
    if (root->kind != TREE_MAP)
        return recipe_fail(r, &where, error,
                           "a recipe is a mapping with the keys data, model and train, but this is %s",
                           kind_words(root));
    for (const tree *t = root->first; t; t = t->next) {
        const recipe_item key = at_line(t->key_line);
        size_t            s = 0;
        while (s < N_SECTIONS && strcmp(sections[s], t->key) != 0) s++;
        if (s == N_SECTIONS)
            return recipe_fail(r, &key, error, "unknown key '%.60s': a recipe has the keys data, model and train%s",
                               t->key, recipe_hint(&r->owner, t->key, sections, N_SECTIONS));
        if (!read_section(r, t, error)) return false;
    }
    return true;
}

static bool check_all(recipe *r, ln_error *error) {
    for (size_t k = 0; k < KEY_COUNT; k++) {
        const recipe_rule *rule = &recipe_rules[k];
        recipe_item       *item = &r->item[k];
        if (!item->text && rule->type != TYPE_LAYERS) item->text = rule->preset;
        if (rule->type == TYPE_LAYERS ? !r->layers : !item->text)
            return recipe_fail(r, item, error, "%s is missing (%s)", rule->path, rule->help);
        if (rule->type != TYPE_LAYERS && !recipe_check(r, rule, item, error)) return false;
    }
    return true;
}

bool recipe_parse(recipe *r, const char *name, const char *bytes, size_t n, const char *const *overrides,
                  size_t n_overrides, ln_error *error) {
    r->file = pool_copy(&r->owner, name, strlen(name));
    const tree *root = tree_read(&r->owner, r->file, bytes, n, error);
    return root && read_root(r, root, error) && recipe_override(r, overrides, n_overrides, error) &&
           check_all(r, error);
}

bool recipe_read(recipe *r, const char *path, const char *const *overrides, size_t n_overrides, ln_error *error) {
    FILE      *file = fopen(path, "rb");
    char      *bytes = take(TREE_MAX_BYTES + 1, 1);
    size_t     n = file ? fread(bytes, 1, TREE_MAX_BYTES + 1, file) : 0;
    const bool bad = !file || ferror(file);
    if (bad) {
        snprintf(error->message, sizeof error->message, "cannot read the recipe %.300s: %s", path, strerror(errno));
        error->status = LN_E_IO;
    }
    if (file) fclose(file);
    const bool good = !bad && recipe_parse(r, path, bytes, n, overrides, n_overrides, error);
    free(bytes);
    return good;
}

void recipe_free(recipe *r) {
    pool_free(&r->owner);
    *r = (recipe){0};
}

/* ------------------------------------------------------------------- print */

/* Plain where YAML can take it so, in double quotes otherwise. */
static void print_value(text *to, const char *value) {
    static const char safe[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./=+- ";
    const bool        starts_well = value[0] && !strchr("-=+ ", value[0]);
    if (starts_well && strspn(value, safe) == strlen(value)) {
        text_add(to, "%s", value);
        return;
    }
    text_add(to, "\"");
    for (const char *c = value; *c;) {
        unsigned     point;
        const size_t n = text_character(c, &point);
        const bool   printable =
            (point >= 0x20 && point < 0x7f) ||
            (point >= 0xa0 && point != 0x2028 && point != 0x2029 && point != 0xfeff && (point | 1) != 0xffff);
        if (point == '"' || point == '\\') text_add(to, "\\%c", (int)point);
        else if (printable) text_add(to, "%.*s", (int)n, c);
        else text_add(to, "\\u%04X", point); /* those above U+FFFF are all printable */
        c += n;
    }
    text_add(to, "\"");
}

void recipe_print(const recipe *r, text *to) {
    for (size_t s = 0; s < N_SECTIONS; s++) {
        text_add(to, "%s:\n", sections[s]);
        for (size_t k = 0; k < KEY_COUNT; k++) {
            if (strcmp(recipe_rules[k].section, sections[s]) != 0) continue;
            text_add(to, "  %s:", recipe_rules[k].name);
            if (recipe_rules[k].type == TYPE_LAYERS) {
                for (size_t i = 0; i < r->n_layers; i++) {
                    text_add(to, "\n    - ");
                    print_value(to, r->layers[i].text);
                }
            } else {
                text_add(to, " ");
                print_value(to, r->item[k].text);
            }
            text_add(to, "\n");
        }
    }
}
