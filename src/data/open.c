/* ln_data_open: a data set by name ("mnist") or by the path of an IDX image file and its labels' sibling. */
#include "data/data.h"
#include "data/idx.h"
#include "data/mnist.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The name of the labels that belong to path, from ln_allocate: "images-idx3" (or 4) in its last part becomes
 * "labels-idx1"; *labels is NULL when the name has no such part. */
static ln_status name_labels(ln_context *context, const char *path, char **labels, ln_error *error) {
    static const char from[] = "images-idx", to[] = "labels-idx";
    const char       *slash = strrchr(path, '/');
    const char       *found = strstr(slash ? slash : path, from);
    *labels = NULL;
    if (!found || (found[sizeof from - 1] != '3' && found[sizeof from - 1] != '4')) return LN_OK;
    char *name = ln_allocate(context, strlen(path) + sizeof ".gz");
    if (!name) return ln_fail_memory(error, path, strlen(path) + sizeof ".gz");
    memcpy(name, path, strlen(path) + 1);
    char *at = name + (found - path);
    memcpy(at, to, sizeof to - 1);
    at[sizeof to - 1] = '1';
    *labels = name;
    return LN_OK;
}

/* True when name exists, or exists once ".gz" is put on or taken off (name has room for it). */
static bool exists_either(char *name) {
    if (!access(name, F_OK)) return true;
    const size_t n = strlen(name);
    if (n > 3 && !strcmp(name + n - 3, ".gz")) name[n - 3] = '\0';
    else memcpy(name + n, ".gz", sizeof ".gz");
    return !access(name, F_OK);
}

static ln_status check_labels(const char *path, const ln_idx *images, const char *name, const ln_idx *labels,
                              ln_error *error) {
    if (labels->rank != 1)
        return ln_fail(error, LN_E_FORMAT, "%s: labels of rank %zu, but one number an image (rank 1) was wanted", name,
                       labels->rank);
    if (labels->dims[0] != images->dims[0])
        return ln_fail(error, LN_E_SHAPE, "%s: %zu labels, but %s has %zu images: the two files do not belong together",
                       name, labels->dims[0], path, images->dims[0]);
    return LN_OK;
}

/* The labels beside path, or values NULL where there are none. */
static ln_status read_labels(ln_context *context, const char *path, const ln_idx *images, ln_idx *labels,
                             ln_error *error) {
    char     *name;
    ln_status status = name_labels(context, path, &name, error);
    *labels = (ln_idx){0};
    if (status == LN_OK && name && exists_either(name)) {
        status = ln_idx_read(context, name, NULL, labels, error);
        if (status == LN_OK) status = check_labels(path, images, name, labels, error);
    }
    ln_release(context, name);
    return status;
}

static ln_data *open_idx(ln_context *context, const char *path, ln_error *error) {
    ln_idx images, labels;
    if (ln_idx_read(context, path, NULL, &images, error) != LN_OK) return NULL;
    ln_data *data = NULL;
    if (images.rank == 1) {
        ln_fail(error, LN_E_FORMAT, "%s: a list of labels (rank 1), but images (rank 3 or 4) were wanted", path);
        labels = (ln_idx){0};
    } else if (read_labels(context, path, &images, &labels, error) == LN_OK) {
        const size_t       *d = images.dims;
        const ln_data_parts parts = {.pixels = images.values,
                                     .labels = labels.values,
                                     .own = true,
                                     .n = d[0],
                                     .c = images.rank == 4 ? d[1] : 1,
                                     .h = d[images.rank - 2],
                                     .w = d[images.rank - 1]};
        data = ln_data_new(context, path, &parts, error);
    }
    if (data) return data;
    ln_release(context, images.values);
    ln_release(context, labels.values);
    return NULL;
}

ln_data *ln_data_open(ln_context *context, const char *name, const char *split, const char *folder, ln_error *error) {
    const bool test = split && !strcmp(split, "test");
    if (!name || !*name) {
        ln_fail(error, LN_E_ARGUMENT, "data without a name: \"mnist\" or the path of an IDX image file was wanted");
        return NULL;
    }
    if (split && !test && strcmp(split, "train") != 0) {
        ln_fail(error, LN_E_ARGUMENT, "data %s: split \"%s\", but \"train\" or \"test\" was wanted", name, split);
        return NULL;
    }
    return strcmp(name, "mnist") == 0 ? ln_mnist_open(context, test, folder, error) : open_idx(context, name, error);
}
