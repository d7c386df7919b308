/* Keeping a part of a data set: some rows, some classes. Both narrow a view in place; the store stays as it is. */
#include "data/data.h"

#include <string.h>

/* The view becomes those of its images that wanted says, at least one. */
static ln_status narrow(ln_data *data, const char *what, bool (*wanted)(const ln_data *, size_t, const void *),
                        const void *user, ln_error *error) {
    ln_context *const context = data->store->context;
    size_t            n = 0;
    for (size_t i = 0; i < data->n; i++) n += wanted(data, i, user);
    if (n == 0) return ln_fail(error, LN_E_SHAPE, "%s: none of the %zu images is left; choose others", what, data->n);
    uint32_t *const index = ln_allocate(context, n * sizeof *index);
    if (!index) return ln_fail_memory(error, what, n * sizeof *index);
    size_t at = 0;
    for (size_t i = 0; i < data->n; i++)
        if (wanted(data, i, user)) index[at++] = ln_data_number(data, i);
    ln_release(context, data->index);
    data->index = index;
    data->n = n;
    return LN_OK;
}

typedef struct rows {
    size_t first, n;
} rows;

static bool in_rows(const ln_data *data, size_t i, const void *user) {
    const rows *const r = user;
    (void)data;
    return i >= r->first && i - r->first < r->n;
}

ln_status ln_data_keep_rows(ln_data *data, size_t first, size_t n, ln_error *error) {
    if (n == 0 || first >= data->n || n > data->n - first)
        return ln_fail(error, LN_E_SHAPE,
                       "rows: %zu to %zu were asked for, but there are %zu; choose rows from 1 to %zu", first + 1,
                       first + n, data->n, data->n);
    return narrow(data, "rows", in_rows, &(rows){first, n}, error);
}

typedef struct classes {
    const int *wanted;
    size_t     n;
} classes;

static bool in_classes(const ln_data *data, size_t i, const void *user) {
    const classes *const c = user;
    const int            label = ln_data_label(data, i);
    for (size_t k = 0; k < c->n; k++)
        if (c->wanted[k] == label) return true;
    return false;
}

ln_status ln_data_keep_classes(ln_data *data, const int *wanted, size_t n, ln_error *error) {
    const int known = ln_data_describe(data).n_classes;
    uint8_t   kept[LN_MAX_KEPT];
    if (!data->store->labels) return ln_fail(error, LN_E_ARGUMENT, "classes: the data have no labels to choose by");
    if (n < 1 || n > LN_MAX_KEPT)
        return ln_fail(error, LN_E_ARGUMENT, "classes: %zu were asked for; give 1 to %d", n, LN_MAX_KEPT);
    for (size_t i = 0; i < n; i++) {
        if (wanted[i] < 0 || wanted[i] >= known)
            return ln_fail(error, LN_E_ARGUMENT, "classes: there is no class %d; the data have 0 to %d", wanted[i],
                           known - 1);
        for (size_t k = 0; k < i; k++)
            if (wanted[k] == wanted[i])
                return ln_fail(error, LN_E_ARGUMENT, "classes: %d is given twice; leave one out", wanted[i]);
        kept[i] = (uint8_t)ln_data_class(data, wanted[i]);
    }
    const ln_status status = narrow(data, "classes", in_classes, &(classes){wanted, n}, error);
    if (status != LN_OK) return status;
    memcpy(data->kept, kept, n);
    data->n_kept = (int)n;
    return LN_OK;
}
