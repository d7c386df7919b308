/* CIFAR-10, binary version (Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009): a file is records
 * of 3073 bytes, the label (0 to 9) and then rows of red, of green and of blue. Read straight into the store: a record
 * goes to its place, and its label is taken out. */
#include "data/cifar.h"

#include "base/file.h"
#include "base/large.h"
#include "data/data.h"
#include "data/stream.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { IMAGE = 3 * 32 * 32, RECORD = 1 + IMAGE, MAX_FILES = 5, MAX_META = 1 << 16 };

typedef struct batches {
    char   path[MAX_FILES][PATH_MAX];
    size_t n_images[MAX_FILES], n;
} batches;

bool ln_cifar_is_file(const char *path) {
    struct stat st;
    const int   fd = open(path, O_RDONLY | O_CLOEXEC);
    bool        is = fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size > 0 && st.st_size % RECORD == 0;
    for (off_t at = 0; is && at < st.st_size; at += RECORD) {
        unsigned char label;
        is = pread(fd, &label, 1, at) == 1 && label < CIFAR_CLASSES;
    }
    if (fd >= 0) close(fd);
    return is;
}

static bool exists_in(const char *folder, const char *name) {
    char path[PATH_MAX];
    return snprintf(path, sizeof path, "%s/%s", folder, name) < PATH_MAX && !access(path, F_OK);
}

bool ln_cifar_is_folder(const char *path) {
    return exists_in(path, "data_batch_1.bin") || exists_in(path, "test_batch.bin");
}

bool ln_cifar_has_test(const char *path) { return exists_in(path, "test_batch.bin"); }

/* ----------------------------------------------------------------- reading */

static ln_status count(const char *path, size_t *n, ln_error *error) {
    struct stat st;
    if (stat(path, &st)) return ln_fail_io(error, "open", path);
    if (!S_ISREG(st.st_mode) || st.st_size == 0 || st.st_size % RECORD != 0)
        return ln_fail(error, LN_E_FORMAT,
                       "%s: %jd bytes, but a batch of CIFAR-10 is records of %d bytes, one or more: it is truncated or "
                       "of another kind; get it anew",
                       path, (intmax_t)st.st_size, RECORD);
    *n = (size_t)st.st_size / RECORD;
    return LN_OK;
}

static ln_status read_batch(ln_stream *stream, const char *path, size_t n, uint8_t *pixels, uint8_t *labels,
                            ln_error *error) {
    ln_status status = LN_OK;
    for (size_t i = 0; i < n && status == LN_OK; i++) {
        status = ln_stream_read(stream, labels + i, 1, "a label", error);
        if (status == LN_OK && labels[i] >= CIFAR_CLASSES)
            status = ln_fail(error, LN_E_FORMAT, "%s: image %zu has the label %d, but CIFAR-10 has 0 to 9", path, i,
                             labels[i]);
        if (status == LN_OK) status = ln_stream_read(stream, pixels + i * IMAGE, IMAGE, "an image", error);
    }
    return status == LN_OK ? ln_stream_end(stream, error) : status;
}

static ln_status open_batch(ln_context *context, const char *path, size_t n, uint8_t *pixels, uint8_t *labels,
                            ln_error *error) {
    ln_stream *stream;
    ln_status  status = ln_stream_open(context, path, &stream, error);
    if (status != LN_OK) return status;
    status = read_batch(stream, path, n, pixels, labels, error);
    ln_stream_close(stream);
    return status;
}

static ln_data *read_batches(ln_context *context, const char *name, const batches *b, const char *const *class_name,
                             ln_error *error) {
    ln_data_parts p = {.own = true, .c = 3, .h = 32, .w = 32, .n_classes = CIFAR_CLASSES, .class_name = class_name};
    for (size_t i = 0; i < b->n; i++) p.n += b->n_images[i];
    void *pixels, *const labels = ln_allocate(context, p.n);
    ln_status status = ln_allocate_large(context, name, p.n * IMAGE, &pixels, error);
    if (status == LN_OK && !labels) status = ln_fail_memory(error, name, p.n);
    for (size_t i = 0, at = 0; i < b->n && status == LN_OK; at += b->n_images[i++])
        status = open_batch(context, b->path[i], b->n_images[i], (uint8_t *)pixels + at * IMAGE, (uint8_t *)labels + at,
                            error);
    p.pixels = pixels;
    p.labels = labels;
    ln_data *const data = status == LN_OK ? ln_data_new(context, name, &p, error) : NULL;
    if (data) return data;
    ln_release(context, pixels);
    ln_release(context, labels);
    return NULL;
}

ln_data *ln_cifar_parse(ln_context *context, const char *name, const void *bytes, size_t n_bytes, ln_error *error) {
    const size_t n = n_bytes / RECORD;
    void *pixels, *const labels = ln_allocate(context, n);
    ln_stream *stream = NULL;
    ln_data   *data = NULL;
    ln_status  status = ln_allocate_large(context, name, n * IMAGE, &pixels, error);
    if (status == LN_OK && !labels) status = ln_fail_memory(error, name, n);
    if (status == LN_OK) status = ln_stream_open_memory(context, name, bytes, n_bytes, &stream, error);
    if (status == LN_OK) status = read_batch(stream, name, n, pixels, labels, error);
    const ln_data_parts p = {
        .pixels = pixels, .labels = labels, .own = true, .n = n, .c = 3, .h = 32, .w = 32, .n_classes = CIFAR_CLASSES};
    if (status == LN_OK) data = ln_data_new(context, name, &p, error);
    ln_stream_close(stream);
    if (data) return data;
    ln_release(context, pixels);
    ln_release(context, labels);
    return NULL;
}

ln_data *ln_cifar_open_file(ln_context *context, const char *path, ln_error *error) {
    batches b = {.n = 1};
    if (snprintf(b.path[0], PATH_MAX, "%s", path) >= PATH_MAX) {
        ln_fail(error, LN_E_IO, "%.300s: the path is too long: move the file", path);
        return NULL;
    }
    return count(path, &b.n_images[0], error) == LN_OK ? read_batches(context, path, &b, NULL, error) : NULL;
}

bool ln_cifar_names(const char *text, char names[CIFAR_CLASSES][CIFAR_NAME]) {
    size_t n = 0;
    while (*text) {
        const size_t length = strcspn(text, "\r\n");
        if (length >= CIFAR_NAME || (length && n == CIFAR_CLASSES)) return false;
        if (length) snprintf(names[n++], CIFAR_NAME, "%.*s", (int)length, text);
        text += length + strspn(text + length, "\r\n");
    }
    return n == CIFAR_CLASSES;
}

static ln_status read_names(ln_context *context, const char *folder, char names[CIFAR_CLASSES][CIFAR_NAME], bool *found,
                            ln_error *error) {
    char           path[PATH_MAX];
    unsigned char *bytes;
    size_t         n_bytes;
    *found = exists_in(folder, "batches.meta.txt");
    if (!*found) return LN_OK;
    snprintf(path, sizeof path, "%s/batches.meta.txt", folder);
    const ln_status status = ln_file_read(context, path, MAX_META, &bytes, &n_bytes, error);
    if (status != LN_OK) return status;
    const bool good = ln_cifar_names((const char *)bytes, names);
    ln_release(context, bytes);
    if (good) return LN_OK;
    return ln_fail(error, LN_E_FORMAT, "%s: ten names of classes were wanted, a line each: correct it, or remove it",
                   path);
}

ln_data *ln_cifar_open_folder(ln_context *context, const char *path, bool test, ln_error *error) {
    batches     b = {0};
    char        text[CIFAR_CLASSES][CIFAR_NAME];
    const char *names[CIFAR_CLASSES];
    bool        named;
    for (int i = 1; i <= (test ? 1 : MAX_FILES); i++) {
        char name[32] = "test_batch.bin";
        if (!test) snprintf(name, sizeof name, "data_batch_%d.bin", i);
        if (!exists_in(path, name)) continue;
        snprintf(b.path[b.n], PATH_MAX, "%s/%s", path, name);
        if (count(b.path[b.n], &b.n_images[b.n], error) != LN_OK) return NULL;
        b.n++;
    }
    if (!b.n) {
        ln_fail(error, LN_E_ARGUMENT, "%s: has no %s: the %s images of CIFAR-10 were asked for", path,
                test ? "test_batch.bin" : "data_batch_1.bin", test ? "test" : "training");
        return NULL;
    }
    if (!test && b.n < MAX_FILES)
        ln_warn(context, "%s has only %zu of the %d files data_batch_1.bin, ... of CIFAR-10's training images", path,
                b.n, MAX_FILES);
    if (read_names(context, path, text, &named, error) != LN_OK) return NULL;
    for (int k = 0; k < CIFAR_CLASSES; k++) names[k] = text[k];
    return read_batches(context, path, &b, named ? names : NULL, error);
}
