/* A data set as IDX, the format of MNIST: a file of images and one of labels beside it, gzipped if the name says so.
 * Both are written before either is renamed. */
#include "base/file.h"
#include "data/write.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

enum { IDX_BUFFER = 1 << 16, IDX_GZIP = 16 + MAX_WBITS, IDX_ROOM = 40 };

/* What is written goes to the file, through zip where there is a buffer. */
typedef struct sink {
    ln_context     *context;
    const char     *path;
    ln_file_writer *writer;
    unsigned char  *buffer; /* NULL: as it is */
    z_stream        zip;
} sink;

static void *zip_allocate(void *context, unsigned n, unsigned size) {
    size_t n_bytes;
    return ln_multiply(n, size, &n_bytes) ? ln_allocate(context, n_bytes) : NULL;
}

static void zip_release(void *context, void *memory) { ln_release(context, memory); }

static ln_status open_sink(sink *s, bool zipped, ln_error *error) {
    const ln_status status = ln_file_writer_open(s->context, s->path, &s->writer, error);
    if (status != LN_OK || !zipped) return status;
    s->buffer = ln_allocate(s->context, IDX_BUFFER);
    if (!s->buffer) return ln_fail_memory(error, s->path, IDX_BUFFER);
    s->zip = (z_stream){.zalloc = zip_allocate, .zfree = zip_release, .opaque = s->context};
    if (deflateInit2(&s->zip, Z_DEFAULT_COMPRESSION, Z_DEFLATED, IDX_GZIP, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) == Z_OK)
        return LN_OK;
    ln_release(s->context, s->buffer);
    s->buffer = NULL;
    return ln_fail_memory(error, s->path, (size_t)1 << 18);
}

/* n may be 0 with how Z_FINISH: what zlib still holds. */
static ln_status put(sink *s, const void *bytes, size_t n, int how, ln_error *error) {
    if (!s->buffer) return ln_file_writer_write(s->writer, bytes, n, error);
    const unsigned char *next = bytes;
    bool                 full = true;
    ln_status            status = LN_OK;
    while (status == LN_OK && (n || full)) {
        const size_t some = ln_least(n, 1 << 30);
        s->zip.next_in = (unsigned char *)(uintptr_t)next;
        s->zip.avail_in = (unsigned)some;
        s->zip.next_out = s->buffer;
        s->zip.avail_out = IDX_BUFFER;
        deflate(&s->zip, how); /* cannot fail: state, bytes and room are what it wants */
        next += some - s->zip.avail_in;
        n -= some - s->zip.avail_in;
        full = s->zip.avail_out == 0;
        status = ln_file_writer_write(s->writer, s->buffer, IDX_BUFFER - s->zip.avail_out, error);
    }
    return status;
}

static void close_sink(sink *s) {
    if (s->buffer) deflateEnd(&s->zip);
    ln_release(s->context, s->buffer);
    ln_file_writer_abandon(s->writer);
    s->writer = NULL;
}

static ln_status put_header(sink *s, const size_t *sizes, size_t rank, ln_error *error) {
    unsigned char head[4 + 4 * 4] = {0, 0, 8, (unsigned char)rank};
    for (size_t i = 0; i < rank; i++)
        for (size_t k = 0; k < 4; k++) head[4 + 4 * i + k] = (unsigned char)(sizes[i] >> (24 - 8 * k));
    return put(s, head, 4 + 4 * rank, Z_NO_FLUSH, error);
}

static ln_status put_images(sink *s, const ln_data *data, ln_error *error) {
    const ln_store *const store = data->store;
    const size_t          grey[] = {data->n, store->h, store->w}, all[] = {data->n, store->c, store->h, store->w};
    ln_status             status = put_header(s, store->c > 1 ? all : grey, store->c > 1 ? 4 : 3, error);
    ln_work               work = ln_work_begin(s->context, "writing", data->n);
    for (size_t i = 0; i < data->n && status == LN_OK; i++)
        status = ln_work_goes_on(&work, i) ? put(s, ln_data_values(data, i), store->image_bytes, Z_NO_FLUSH, error)
                                           : ln_work_stop(&work, i, error);
    ln_work_end(&work);
    return status == LN_OK ? put(s, "", 0, Z_FINISH, error) : status;
}

static ln_status put_labels(sink *s, const ln_data *data, ln_error *error) {
    ln_status status = put_header(s, &data->n, 1, error);
    for (size_t i = 0; i < data->n && status == LN_OK; i++) {
        const uint8_t label = (uint8_t)ln_data_written_label(data, i);
        status = put(s, &label, 1, Z_NO_FLUSH, error);
    }
    return status == LN_OK ? put(s, "", 0, Z_FINISH, error) : status;
}

/* ------------------------------------------------------------------- names */

typedef struct names {
    char *images, *labels; /* of ln_allocate */
    bool  zipped;
} names;

/* Length without ".gz". */
static size_t bare_length(const char *path) { return strlen(path) - (ln_ends_in(path, ".gz") ? strlen(".gz") : 0); }

static bool has_end(const char *path, const char *end) {
    const size_t n = bare_length(path), m = strlen(end);
    return n > m && memcmp(path + n - m, end, m) == 0;
}

bool ln_idx_named(const char *path) {
    return has_end(path, ".idx") || has_end(path, "-idx3-ubyte") || has_end(path, "-idx4-ubyte");
}

/* PATH.idx[.gz] as a pair's names. */
static void name_pair(const char *path, char rank, names *to, size_t room) {
    const int         n = (int)(bare_length(path) - strlen(".idx"));
    const char *const end = to->zipped ? ".gz" : "";
    snprintf(to->images, room, "%.*s-images-idx%c-ubyte%s", n, path, rank, end);
    snprintf(to->labels, room, "%.*s-labels-idx1-ubyte%s", n, path, end);
}

static ln_status name_files(const char *path, char rank, names *to, size_t room, ln_error *error) {
    if (has_end(path, ".idx")) {
        name_pair(path, rank, to, room);
        return LN_OK;
    }
    const char *const slash = strrchr(path, '/'), *const found = strstr(slash ? slash : path, "images-idx");
    const size_t before = strlen("images-idx");
    if (!found || found[before] != rank)
        return ln_fail(error, LN_E_ARGUMENT,
                       "%s: images of %s are IDX of rank %c, whose name holds images-idx%c, so that labels-idx1 names "
                       "the labels: call it so, or PATH.idx",
                       path, rank == '3' ? "one channel" : "several channels", rank, rank);
    snprintf(to->images, room, "%s", path);
    snprintf(to->labels, room, "%.*slabels-idx1%s", (int)(found - path), path, found + before + 1);
    return LN_OK;
}

/* ------------------------------------------------------------------ writing */

static ln_status check(const char *path, const ln_data *data, const names *to, ln_error *error) {
    const ln_store *const s = data->store;
    if (s->c > UINT32_MAX || s->h > UINT32_MAX || s->w > UINT32_MAX)
        return ln_fail(error, LN_E_SHAPE, "%s: images of %zux%zux%zu are too large for IDX: write .npz", path, s->c,
                       s->h, s->w);
    if (!s->labels && !access(to->labels, F_OK))
        return ln_fail(error, LN_E_ARGUMENT,
                       "%s: the images have no labels, but would be read with those of %s, which is there: choose "
                       "another name",
                       path, to->labels);
    return LN_OK;
}

static ln_status write_pair(ln_context *context, const ln_data *data, const names *to, ln_error *error) {
    sink      images = {.context = context, .path = to->images}, labels = {.context = context, .path = to->labels};
    ln_status status = open_sink(&images, to->zipped, error);
    if (status == LN_OK) status = put_images(&images, data, error);
    if (status == LN_OK && data->store->labels) status = open_sink(&labels, to->zipped, error);
    if (status == LN_OK && labels.writer) status = put_labels(&labels, data, error);
    if (status == LN_OK && labels.writer) {
        status = ln_file_writer_commit(labels.writer, error);
        labels.writer = NULL;
    }
    if (status == LN_OK) {
        status = ln_file_writer_commit(images.writer, error);
        images.writer = NULL;
    }
    close_sink(&images);
    close_sink(&labels);
    return status;
}

ln_status ln_idx_write(ln_context *context, const char *path, const ln_data *data, ln_error *error) {
    if (data->store->is_float)
        return ln_fail(error, LN_E_ARGUMENT, "%s: the values are floats, but IDX holds bytes: write .npz or .csv",
                       path);
    const size_t room = strlen(path) + IDX_ROOM;
    names        to = {.images = ln_allocate(context, room), .labels = ln_allocate(context, room)};
    ln_status    status = LN_OK;
    to.zipped = ln_ends_in(path, ".gz");
    if (!to.images || !to.labels) status = ln_fail_memory(error, path, 2 * room);
    if (status == LN_OK) status = name_files(path, data->store->c > 1 ? '4' : '3', &to, room, error);
    if (status == LN_OK) status = check(path, data, &to, error);
    if (status == LN_OK) status = write_pair(context, data, &to, error);
    ln_release(context, to.images);
    ln_release(context, to.labels);
    return status;
}
