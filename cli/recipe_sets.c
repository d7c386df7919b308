/* recipe_sets.c: do the training images and the test images belong together? */
#include "recipe_internal.h"

#include <string.h>

enum { LABELS = 256 };

/* Both sets call their classes by the same names, where both have names: else a label means two things. */
static bool same_classes(recipe *r, const ln_data *train, const ln_data *other, const char *what, ln_error *error) {
    const int a = ln_data_describe(train).n_classes, b = ln_data_describe(other).n_classes;
    if (!ln_data_class_name(train, 0) || !ln_data_class_name(other, 0)) return true;
    for (int i = 0; i < a || i < b; i++) {
        const char *const trained = i < a ? ln_data_class_name(train, i) : NULL;
        const char *const tested = i < b ? ln_data_class_name(other, i) : NULL;
        if (trained && tested && strcmp(trained, tested) == 0) continue;
        const bool only_other = !trained || (tested && strcmp(tested, trained) < 0);
        return recipe_fail(r, &r->item[KEY_data_test], error,
                           "the %s images have a class '%s', which the %s images have not: make their folders the same",
                           only_other ? what : "training", only_other ? tested : trained,
                           only_other ? "training" : what);
    }
    return true;
}

/* How many images have each label; the number of the class as the set has it. */
static void count(const ln_data *data, size_t n_of[LABELS]) {
    memset(n_of, 0, LABELS * sizeof *n_of);
    for (size_t i = 0; i < ln_data_describe(data).n; i++) n_of[ln_data_label(data, i)]++;
}

/* Of the labels that one set has, how many the other lacks; *n_all: how many it has; *first: the first that lacks. */
static size_t lacking(const size_t has[LABELS], const size_t other[LABELS], size_t *n_all, int *first) {
    size_t n = 0;
    *n_all = 0;
    for (int k = 0; k < LABELS; k++) {
        *n_all += has[k] > 0;
        if (has[k] == 0 || other[k] > 0) continue;
        if (n++ == 0) *first = k;
    }
    return n;
}

static bool share_labels(recipe *r, const ln_data *train, const ln_data *other, const char *what, ln_error *error) {
    size_t trained[LABELS], tested[LABELS], n_all;
    int    first = 0;
    if (!ln_data_describe(train).has_labels || !ln_data_describe(other).has_labels) return true;
    count(train, trained);
    count(other, tested);
    if (lacking(tested, trained, &n_all, &first) < n_all) return true;
    return recipe_fail(r, &r->item[KEY_data_test], error,
                       "no label of the %s images is one of the training images' (the first is %d): name images of "
                       "the same classes",
                       what, ln_data_class(other, first));
}

bool recipe_sets_agree(recipe *r, const ln_data *train, const ln_data *other, const char *what, ln_error *error) {
    return same_classes(r, train, other, what, error) && share_labels(r, train, other, what, error);
}

/* Are the classes called 0, 1, 2, …, as labels without names are? */
static bool are_numbers(const ln_data *data) {
    pool owner = {0};
    bool are = true;
    for (int k = 0; are && k < ln_data_describe(data).n_classes; k++)
        are = strcmp(ln_data_class_name(data, k), pool_format(&owner, "%d", ln_data_class(data, k))) == 0;
    pool_free(&owner);
    return are;
}

const char *recipe_sets_doubt(const recipe_data *data, pool *owner) {
    size_t trained[LABELS], tested[LABELS], n_all;
    int    first = 0;
    if (!data->test) return NULL;
    const bool           named = ln_data_class_name(data->train, 0) != NULL;
    const ln_data *const with = named ? data->train : data->test;
    if (named != (ln_data_class_name(data->test, 0) != NULL) && !are_numbers(with))
        return pool_format(owner,
                           "the classes of the %s images have names, those of the %s images numbers alone: class 0 is "
                           "taken for '%s', and so on; are they of the same classes?",
                           named ? "training" : "test", named ? "test" : "training", ln_data_class_name(with, 0));
    if (ln_data_describe(data->train).is_float != ln_data_describe(data->test).is_float)
        return pool_format(owner,
                           "the training images are %s, the test images %s: data.scale multiplies both alike; are "
                           "their values of one range?",
                           ln_data_describe(data->train).is_float ? "floats" : "bytes",
                           ln_data_describe(data->test).is_float ? "floats" : "bytes");
    count(data->train, trained);
    count(data->test, tested);
    const size_t n = lacking(tested, trained, &n_all, &first);
    if (n == 0) return NULL;
    return pool_format(owner,
                       "%zu of the test images' %zu classes %s no training image (the first is %d): they cannot be "
                       "answered rightly",
                       n, n_all, n == 1 ? "has" : "have", ln_data_class(data->test, first));
}
