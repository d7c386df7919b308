/* recipe.c: from YAML to checked values, and back to YAML. What values there are says recipe_types.c. */
#include "recipe_internal.h"

#include "cli.h"
#include "tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const sections[] = {"data", "model", "train"};
enum { N_SECTIONS = 3 };

const char *recipe_section(size_t i) { return i < N_SECTIONS ? sections[i] : NULL; }

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

/* A YAML list of values as the text that an override would have. */
static bool read_list(recipe *r, const recipe_rule *rule, recipe_item *item, const tree *list, ln_error *error) {
    text joined = {0};
    for (const tree *t = list->first; t; t = t->next) {
        if (t->kind != TREE_TEXT) {
            text_free(&joined);
            return recipe_fail(r, item, error, "%s holds %s, but must be %s", rule->path, kind_words(t),
                               rule->type->list);
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
    if (rule->type->is_layers) return read_layers(r, t, error);
    if (rule->type->list && t->kind == TREE_LIST) return read_list(r, rule, item, t, error);
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
        const bool         is_layers = rule->type->is_layers;
        if (!item->text) item->text = rule->preset;
        if (is_layers ? !r->layers : !item->text)
            return recipe_fail(r, item, error, "%s is missing (%s)", rule->path, rule->help);
        if (!is_layers && !recipe_check(r, rule, item, error)) return false;
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
        fill_error(error, LN_E_IO, "cannot read the recipe %.300s: %s", path, strerror(errno));
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
            if (recipe_rules[k].type->is_layers) {
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

bool recipe_key_matters(recipe_key key) {
    static const recipe_key others[] = {KEY_train_threads, KEY_train_pictures, KEY_train_tensorboard,
                                        KEY_train_log_steps, KEY_train_checkpoint};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i] == key) return false;
    return true;
}

const char *recipe_essence(const recipe *r, bool seed, pool *owner) {
    recipe same = *r;
    text   t = {0};
    for (recipe_key k = 0; k < KEY_COUNT; k++)
        if (!recipe_key_matters(k) || (k == KEY_train_seed && !seed)) same.item[k].text = recipe_key_preset(k);
    recipe_print(&same, &t);
    const char *const copy = pool_copy(owner, t.bytes, t.n);
    text_free(&t);
    return copy;
}
