/* recipe_weights.c: a training that begins with the weights of another, layer by layer by their names. */
#include "cli.h"
#include "recipe_internal.h"
#include "terminal.h"

#include <string.h>

typedef struct fit {
    recipe         *r;
    const char     *path;
    const ln_model *to, *from;
    const char    **except; /* names */
    bool           *used;   /* of these: is there such a layer? */
    size_t          n_except;
} fit;

/* "3, 5", with or without brackets. */
static void split_names(fit *f, const char *value) {
    const char  *s = value;
    const size_t most = strlen(value) + 1;
    f->except = pool_take(&f->r->owner, most * sizeof *f->except);
    f->used = pool_take(&f->r->owner, most * sizeof *f->used);
    if (strcmp(value, "none") == 0) return;
    for (s += strspn(s, "[ ,"); *s; s += strspn(s, "], ")) {
        const size_t length = strcspn(s, "], ");
        f->except[f->n_except++] = pool_copy(&f->r->owner, s, length);
        s += length;
    }
}

static bool excepted(fit *f, const char *name, size_t length) {
    bool found = false;
    for (size_t i = 0; i < f->n_except; i++)
        if (strlen(f->except[i]) == length && strncmp(f->except[i], name, length) == 0) found = f->used[i] = true;
    return found;
}

/* "0.weight" is of layer "0". */
static size_t layer_length(const char *parameter) { return (size_t)(strrchr(parameter, '.') - parameter); }

static bool is_of(const ln_parameter *p, const char *layer) {
    const size_t n = layer_length(p->name);
    return strlen(layer) == n && strncmp(p->name, layer, n) == 0;
}

static bool find(const ln_model *m, const char *name, ln_parameter *found) {
    for (size_t i = 0; i < ln_model_parameter_count(m); i++) {
        *found = ln_model_parameter(m, i);
        if (strcmp(found->name, name) == 0) return true;
    }
    return false;
}

static const char *shape_words(pool *owner, const ln_parameter *p) {
    const char *words = "";
    for (size_t i = 0; i < p->rank; i++) words = pool_format(owner, "%s%s%zu", words, i ? "x" : "", p->shape[i]);
    return words;
}

/* What stands in the way of this parameter, in words; NULL: nothing. */
static const char *obstacle(fit *f, const ln_parameter *mine) {
    ln_parameter other;
    if (!find(f->from, mine->name, &other)) return pool_format(&f->r->owner, "it has no %s", mine->name);
    if (other.rank == mine->rank && memcmp(other.shape, mine->shape, mine->rank * sizeof mine->shape[0]) == 0)
        return NULL;
    return pool_format(&f->r->owner, "its %s is %s, and the recipe's is %s", mine->name,
                       shape_words(&f->r->owner, &other), shape_words(&f->r->owner, mine));
}

static bool refuse(fit *f, const char *why, const char *layer, size_t length, const char *then, ln_error *error) {
    return recipe_fail(f->r, &f->r->item[KEY_train_weights], error,
                       "%.150s does not fit: %.120s: name the layer in except=%.*s to %s", f->path, why, (int)length,
                       layer, then);
}

static size_t take_layer(fit *f, const char *layer) {
    size_t n = 0;
    for (size_t i = 0; i < ln_model_parameter_count(f->to); i++) {
        const ln_parameter mine = ln_model_parameter(f->to, i);
        ln_parameter       other;
        if (!is_of(&mine, layer) || !find(f->from, mine.name, &other)) continue;
        memcpy(mine.values, other.values, mine.count * sizeof *mine.values);
        n += mine.count;
    }
    return n;
}

static bool fit_layer(fit *f, const ln_layer_info *layer, table *rows, ln_error *error) {
    const char *why = NULL;
    size_t      n_parameters = 0;
    for (size_t i = 0; i < ln_model_parameter_count(f->to); i++) {
        const ln_parameter p = ln_model_parameter(f->to, i);
        if (!is_of(&p, layer->name)) continue;
        n_parameters++;
        if (!why) why = obstacle(f, &p);
    }
    if (n_parameters == 0) return true;
    const bool   drawn = excepted(f, layer->name, strlen(layer->name));
    const size_t n = drawn || why ? 0 : take_layer(f, layer->name);
    if (why && !drawn) return refuse(f, why, layer->name, strlen(layer->name), "draw it", error);
    table_add(rows, "%s", layer->name), table_add(rows, "%s", layer->line);
    if (drawn) table_add(rows, "drawn, as except says%s%s", why ? ": " : "", why ? why : "");
    else table_add(rows, "%s values taken", text_count(&f->r->owner, n));
    return true;
}

/* Layers of the file that the recipe has not. */
static bool check_left(fit *f, ln_error *error) {
    for (size_t i = 0; i < ln_model_parameter_count(f->from); i++) {
        const ln_parameter p = ln_model_parameter(f->from, i);
        ln_parameter       mine;
        const size_t       length = layer_length(p.name);
        if (excepted(f, p.name, length) || find(f->to, p.name, &mine)) continue;
        return refuse(f, pool_format(&f->r->owner, "the recipe has no %s", p.name), p.name, length, "leave it out",
                      error);
    }
    for (size_t i = 0; i < f->n_except; i++)
        if (!f->used[i])
            return recipe_fail(f->r, &f->r->item[KEY_train_except], error,
                               "except names '%.60s', and neither the recipe nor %.200s has weights in a layer of that "
                               "name",
                               f->except[i], f->path);
    return true;
}

static bool fit_all(fit *f, table *rows, ln_error *error) {
    bool good = true;
    *rows = (table){.align = "lll"};
    table_add(rows, "layer"), table_add(rows, "as the recipe has it"), table_add(rows, "weights");
    for (size_t i = 0; i < ln_model_layer_count(f->to) && good; i++) {
        const ln_layer_info layer = ln_model_layer(f->to, i);
        good = fit_layer(f, &layer, rows, error);
    }
    return good && check_left(f, error);
}

bool recipe_weights(recipe *r, ln_model *model, ln_context *context, table *report, ln_error *error) {
    const recipe_item *const weights = &r->item[KEY_train_weights], *const except = &r->item[KEY_train_except];
    if (strcmp(weights->text, "none") == 0) {
        if (strcmp(except->text, "none") == 0) return true;
        return recipe_fail(r, except, error,
                           "train.except names layers for weights that are not given: give weights=FILE too");
    }
    ln_model *const from = load_weights(context, weights->text, error);
    if (!from) return recipe_blame(r, weights, error);
    fit f = {.r = r, .path = weights->text, .to = model, .from = from};
    split_names(&f, except->text);
    const bool good = fit_all(&f, report, error);
    ln_model_free(from);
    return good;
}
