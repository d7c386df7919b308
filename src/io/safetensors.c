/* Reading and writing safetensors. A file is hostile until every field of its header has been checked against the
 * others and against its length.
 *
 * cJSON takes its memory from malloc, not from the context: its hooks are global, and the library has no globals. What
 * it can take is bounded by the header's limit (a header of 4 MiB becomes some 100 MiB at the very worst), and it is
 * all given back before a function returns. */
#include "io/safetensors.h"

#include "base/file.h"

#include <cjson/cJSON.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "values are written as they lie in memory");
_Static_assert(sizeof(float) == 4, "F32");

enum { LN_LENGTH = 8, LN_ALIGN = 8, LN_MAX_RANK = 4 };
static const size_t LN_SAFETENSORS_FILE = (size_t)1 << 40; /* bytes; memory is what really limits */
static const char   metadata_key[] = "__metadata__";
static const double LN_MAX_SIZE = 9007199254740992.0; /* 2^53: JSON numbers are doubles, exact up to here */

/* ------------------------------------------------------------------ header */

/* A tensor whose header was read: where its values lie, for the order. */
typedef struct entry {
    ln_tensor tensor;
    size_t    begin, end;
} entry;

typedef struct reader {
    ln_context  *context;
    const char  *name; /* of the file */
    ln_error    *error;
    size_t       n_data; /* bytes of values */
    size_t       n_entries, n_metadata;
    entry       *entries;
    ln_metadata *metadata;
    char        *text, *next_text;
} reader;

static ln_status fail(const reader *r, const char *what, const char *found) {
    return ln_fail(r->error, LN_E_FORMAT, "%s: damaged safetensors header: %s%.100s", r->name, what, found);
}

/* Copies into the text block: what JSON unescapes is never longer than what stood in the header with its quotes. */
static const char *keep(reader *r, const char *text) {
    const size_t size = strlen(text) + 1;
    char *const  kept = memcpy(r->next_text, text, size);
    r->next_text += size;
    return kept;
}

static bool good_name(const char *name) {
    size_t n = 0;
    for (; name[n]; n++)
        if ((unsigned char)name[n] < ' ' || name[n] == 0x7f || n == LN_SAFETENSORS_NAME) return false;
    return n > 0;
}

static bool read_size(const cJSON *item, size_t *size) {
    if (!cJSON_IsNumber(item) || !(item->valuedouble >= 0 && item->valuedouble < LN_MAX_SIZE)) return false;
    *size = (size_t)item->valuedouble;
    return (double)*size == item->valuedouble;
}

static ln_status read_shape(const reader *r, const cJSON *shape, ln_tensor *t) {
    const cJSON *side;
    if (!cJSON_IsArray(shape)) return fail(r, "no shape for tensor ", t->name);
    t->rank = 0;
    t->count = 1;
    cJSON_ArrayForEach(side, shape) {
        if (t->rank == LN_MAX_RANK)
            return ln_fail(r->error, LN_E_UNSUPPORTED, "%s: tensor %.100s has more than %d dimensions", r->name,
                           t->name, LN_MAX_RANK);
        if (!read_size(side, &t->shape[t->rank])) return fail(r, "a size that is no whole number in tensor ", t->name);
        if (!ln_multiply(t->count, t->shape[t->rank], &t->count))
            return fail(r, "a shape with too many values in tensor ", t->name);
        t->rank++;
    }
    return LN_OK;
}

static ln_status read_offsets(const reader *r, const cJSON *offsets, entry *e) {
    size_t n_bytes;
    if (cJSON_GetArraySize(offsets) != 2 || !read_size(cJSON_GetArrayItem(offsets, 0), &e->begin) ||
        !read_size(cJSON_GetArrayItem(offsets, 1), &e->end))
        return fail(r, "data_offsets are not two whole numbers in tensor ", e->tensor.name);
    if (e->begin > e->end || e->end > r->n_data)
        return ln_fail(r->error, LN_E_FORMAT,
                       "%s: truncated or damaged: tensor %.100s lies at bytes %zu to %zu of %zu: get or write "
                       "the file anew",
                       r->name, e->tensor.name, e->begin, e->end, r->n_data);
    if (!ln_multiply(e->tensor.count, sizeof(float), &n_bytes) || n_bytes != e->end - e->begin)
        return ln_fail(r->error, LN_E_FORMAT,
                       "%s: damaged safetensors header: tensor %.100s has %zu values but %zu bytes", r->name,
                       e->tensor.name, e->tensor.count, e->end - e->begin);
    return LN_OK;
}

static ln_status read_entry(reader *r, const cJSON *item) {
    entry *e = &r->entries[r->n_entries];
    if (!good_name(item->string))
        return fail(r, "a tensor's name is empty, longer than 255 bytes or not printable", "");
    e->tensor.name = keep(r, item->string);
    const cJSON *dtype = cJSON_GetObjectItemCaseSensitive(item, "dtype");
    if (!cJSON_IsObject(item) || cJSON_GetArraySize(item) != 3 || !cJSON_IsString(dtype))
        return fail(r, "dtype, shape and data_offsets, once each and nothing else, were wanted for tensor ",
                    e->tensor.name);
    if (strcmp(dtype->valuestring, "F32") != 0)
        return ln_fail(r->error, LN_E_UNSUPPORTED,
                       "%s: tensor %.100s is of type %.16s, but only F32 is read: convert it", r->name, e->tensor.name,
                       dtype->valuestring);
    ln_status status = read_shape(r, cJSON_GetObjectItemCaseSensitive(item, "shape"), &e->tensor);
    if (status == LN_OK) status = read_offsets(r, cJSON_GetObjectItemCaseSensitive(item, "data_offsets"), e);
    if (status == LN_OK) r->n_entries++;
    return status;
}

static ln_status read_metadata(reader *r, const cJSON *object) {
    const cJSON *item;
    if (!cJSON_IsObject(object) || r->metadata) return fail(r, "__metadata__ is not one map of texts", "");
    const size_t n_bytes = (size_t)cJSON_GetArraySize(object) * sizeof *r->metadata;
    r->metadata = ln_allocate(r->context, n_bytes);
    if (!r->metadata) return ln_fail_memory(r->error, r->name, n_bytes);
    cJSON_ArrayForEach(item, object) {
        if (!good_name(item->string) || !cJSON_IsString(item))
            return fail(r, "__metadata__ is not a map of texts with printable keys", "");
        r->metadata[r->n_metadata].key = keep(r, item->string);
        r->metadata[r->n_metadata++].value = keep(r, item->valuestring);
    }
    return LN_OK;
}

static int by_place(const void *a, const void *b) {
    const entry *x = a, *y = b;
    return x->begin != y->begin ? (x->begin > y->begin) - (x->begin < y->begin)
           : x->end != y->end   ? (x->end > y->end) - (x->end < y->end)
                                : strcmp(x->tensor.name, y->tensor.name);
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const entry *)a)->tensor.name, ((const entry *)b)->tensor.name);
}

static int by_key(const void *a, const void *b) {
    return strcmp(((const ln_metadata *)a)->key, ((const ln_metadata *)b)->key);
}

/* Every name once, and values that follow each other from the first byte to the last. */
static ln_status check_whole(const reader *r) {
    qsort(r->entries, r->n_entries, sizeof *r->entries, by_name);
    for (size_t i = 1; i < r->n_entries; i++)
        if (!by_name(&r->entries[i - 1], &r->entries[i]))
            return fail(r, "two tensors named ", r->entries[i].tensor.name);
    if (r->n_metadata) qsort(r->metadata, r->n_metadata, sizeof *r->metadata, by_key);
    for (size_t i = 1; i < r->n_metadata; i++)
        if (!by_key(&r->metadata[i - 1], &r->metadata[i]))
            return fail(r, "two texts with the key ", r->metadata[i].key);
    qsort(r->entries, r->n_entries, sizeof *r->entries, by_place);
    size_t end = 0;
    for (size_t i = 0; i < r->n_entries; end = r->entries[i++].end)
        if (r->entries[i].begin != end)
            return fail(r, r->entries[i].begin < end ? "values overlap at tensor " : "a hole lies before tensor ",
                        r->entries[i].tensor.name);
    if (end != r->n_data)
        return ln_fail(r->error, LN_E_FORMAT,
                       "%s: damaged safetensors file: its tensors take %zu bytes, but %zu follow the "
                       "header",
                       r->name, end, r->n_data);
    return LN_OK;
}

static ln_status read_items(reader *r, const cJSON *root, size_t n_header) {
    const size_t n_bytes = (size_t)cJSON_GetArraySize(root) * sizeof *r->entries;
    r->entries = ln_allocate_zeroed(r->context, n_bytes);
    r->text = r->next_text = ln_allocate(r->context, n_header);
    if (!r->entries || !r->text) return ln_fail_memory(r->error, r->name, n_bytes + n_header);
    const cJSON *item;
    cJSON_ArrayForEach(item, root) {
        const ln_status status = strcmp(item->string, metadata_key) == 0 ? read_metadata(r, item) : read_entry(r, item);
        if (status != LN_OK) return status;
    }
    return check_whole(r);
}

static ln_status read_json(reader *r, const char *header, size_t n) {
    const char *end = NULL;
    if (*header != '{') return fail(r, "it does not begin with {", "");
    cJSON *root = cJSON_ParseWithLengthOpts(header, n, &end, false); /* at most 1000 brackets deep: cJSON's limit */
    while (root && end < header + n && *end == ' ') end++;
    const ln_status status = !root              ? fail(r, "it is not JSON", "")
                             : end < header + n ? fail(r, "something follows after its last }", "")
                                                : read_items(r, root, n);
    cJSON_Delete(root);
    return status;
}

/* n_bytes: of the whole file, of which 8 suffice here. *n_header: the header's length. */
static ln_status read_length(const reader *r, const unsigned char *bytes, size_t n_bytes, size_t *n_header) {
    uint64_t n = 0;
    if (n_bytes == 0)
        return ln_fail(r->error, LN_E_FORMAT, "%s: the file is empty: give weights, as a safetensors file", r->name);
    if (n_bytes < LN_LENGTH)
        return ln_fail(r->error, LN_E_FORMAT,
                       "%s: %zu bytes are too few for a safetensors file: it is truncated or of "
                       "another kind; give weights, as a safetensors file",
                       r->name, n_bytes);
    for (size_t i = LN_LENGTH; i-- > 0;) n = n << 8 | bytes[i];
    if (n > LN_SAFETENSORS_HEADER || n < 2)
        return ln_fail(r->error, LN_E_FORMAT,
                       "%s: not a safetensors file, or damaged (its first 8 bytes announce a header "
                       "of %ju bytes, where 2 to %d are read): give weights, as a safetensors file",
                       r->name, (uintmax_t)n, LN_SAFETENSORS_HEADER);
    if (n > n_bytes - LN_LENGTH)
        return ln_fail(r->error, LN_E_FORMAT,
                       "%s: truncated: a header of %ju bytes is announced, but only %zu follow: get or write the file "
                       "anew",
                       r->name, (uintmax_t)n, n_bytes - LN_LENGTH);
    *n_header = (size_t)n;
    return LN_OK;
}

/* Moves what was read into *file, all but the values. */
static ln_status hand_over(reader *r, ln_safetensors *file) {
    ln_tensor *tensors = ln_allocate(r->context, r->n_entries * sizeof *tensors);
    if (!tensors) return ln_fail_memory(r->error, r->name, r->n_entries * sizeof *tensors);
    for (size_t i = 0; i < r->n_entries; i++) tensors[i] = r->entries[i].tensor;
    *file = (ln_safetensors){.context = r->context,
                             .n_tensors = r->n_entries,
                             .n_metadata = r->n_metadata,
                             .tensors = tensors,
                             .metadata = r->metadata,
                             .text = r->text,
                             .path = r->name,
                             .fd = -1};
    return LN_OK;
}

/* All but the values, which begin at *at and take *n_data bytes. bytes: the whole file, or what is before them. */
static ln_status read_header(ln_context *context, const char *name, const unsigned char *bytes, size_t n_bytes,
                             ln_safetensors *file, size_t *at, size_t *n_data, ln_error *error) {
    reader    r = {.context = context, .name = name, .error = error};
    size_t    n_header = 0;
    ln_status status = read_length(&r, bytes, n_bytes, &n_header);
    if (status != LN_OK) return status;
    r.n_data = n_bytes - LN_LENGTH - n_header;
    status = read_json(&r, (const char *)bytes + LN_LENGTH, n_header);
    if (status == LN_OK) status = hand_over(&r, file);
    ln_release(context, r.entries);
    if (status != LN_OK) {
        ln_release(context, r.metadata);
        ln_release(context, r.text);
        return status;
    }
    *at = LN_LENGTH + n_header;
    *n_data = r.n_data;
    return LN_OK;
}

/* ----------------------------------------------------------------- reading */

static void attach(ln_safetensors *file, void *values) {
    const float *next = file->values = values;
    for (size_t i = 0; i < file->n_tensors; next += file->tensors[i++].count) file->tensors[i].values = next;
}

ln_status ln_safetensors_parse(ln_context *context, const char *name, const void *bytes, size_t n_bytes,
                               ln_safetensors *file, ln_error *error) {
    ln_safetensors  made = {0};
    size_t          at = 0, n_data = 0;
    const ln_status status = read_header(context, name, bytes, n_bytes, &made, &at, &n_data, error);
    if (status != LN_OK) return status;
    void *values = ln_allocate(context, n_data);
    if (!values) {
        ln_safetensors_free(&made);
        return ln_fail_memory(error, name, n_data);
    }
    attach(&made, memcpy(values, (const unsigned char *)bytes + at, n_data));
    *file = made;
    return LN_OK;
}

/* A pipe, say, whose length nobody knows before its end: all of it, and a folder fails. */
static ln_status open_whole(ln_context *context, const char *path, ln_safetensors *file, ln_error *error) {
    unsigned char *bytes;
    size_t         n_bytes;
    ln_status      status = ln_file_read(context, path, LN_SAFETENSORS_FILE, &bytes, &n_bytes, error);
    if (status != LN_OK) return status;
    status = ln_safetensors_parse(context, path, bytes, n_bytes, file, error);
    ln_release(context, bytes);
    return status;
}

static ln_status read_exactly(int fd, const char *path, void *to, size_t n_bytes, ln_error *error) {
    for (unsigned char *at = to; n_bytes > 0;) {
        const ssize_t n = read(fd, at, n_bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return ln_fail_io(error, "read", path);
        if (n == 0) return ln_fail(error, LN_E_FORMAT, "%s: truncated while it was read: read it again", path);
        at += n;
        n_bytes -= (size_t)n;
    }
    return LN_OK;
}

/* The header of a file of n_bytes; fd then stands before the values. */
static ln_status open_values(ln_context *context, const char *path, int fd, size_t n_bytes, ln_safetensors *file,
                             ln_error *error) {
    const reader  r = {.name = path, .error = error};
    unsigned char first[LN_LENGTH] = {0};
    size_t        n_header = 0, at, n_data;
    ln_status     status = n_bytes < LN_LENGTH ? LN_OK : read_exactly(fd, path, first, LN_LENGTH, error);
    if (status == LN_OK) status = read_length(&r, first, n_bytes, &n_header);
    if (status != LN_OK) return status;
    unsigned char *const bytes = ln_allocate(context, LN_LENGTH + n_header);
    if (!bytes) return ln_fail_memory(error, path, LN_LENGTH + n_header);
    memcpy(bytes, first, LN_LENGTH);
    status = read_exactly(fd, path, bytes + LN_LENGTH, n_header, error);
    if (status == LN_OK) status = read_header(context, path, bytes, n_bytes, file, &at, &n_data, error);
    ln_release(context, bytes);
    return status;
}

ln_status ln_safetensors_open(ln_context *context, const char *path, ln_safetensors *file, ln_error *error) {
    struct stat st;
    if (stat(path, &st) || !S_ISREG(st.st_mode)) return open_whole(context, path, file, error);
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return ln_fail_io(error, "open", path);
    const ln_status status = open_values(context, path, fd, (size_t)st.st_size, file, error);
    if (status == LN_OK) file->fd = fd;
    else close(fd);
    return status;
}

ln_status ln_safetensors_take(ln_safetensors *file, float *to, ln_error *error) {
    const ln_tensor *const t = &file->tensors[file->next++];
    const size_t           n_bytes = t->count * sizeof(float);
    if (!file->values) return read_exactly(file->fd, file->path, to, n_bytes, error);
    memcpy(to, t->values, n_bytes);
    return LN_OK;
}

void ln_safetensors_free(ln_safetensors *file) {
    if (!file->context) return;
    if (file->fd >= 0) close(file->fd);
    ln_release(file->context, file->tensors);
    ln_release(file->context, file->metadata);
    ln_release(file->context, file->text);
    ln_release(file->context, file->values);
    *file = (ln_safetensors){0};
}

const ln_tensor *ln_safetensors_find(const ln_safetensors *file, const char *name) {
    for (size_t i = 0; i < file->n_tensors; i++)
        if (!strcmp(file->tensors[i].name, name)) return &file->tensors[i];
    return NULL;
}

const char *ln_safetensors_get(const ln_safetensors *file, const char *key) {
    for (size_t i = 0; i < file->n_metadata; i++)
        if (!strcmp(file->metadata[i].key, key)) return file->metadata[i].value;
    return NULL;
}

/* ----------------------------------------------------------------- writing */

/* Adds item, which then belongs to object; an item that could not be made (NULL) or added fails. */
static bool add_item(cJSON *object, const char *key, cJSON *item) {
    if (item && (key ? cJSON_AddItemToObject(object, key, item) : cJSON_AddItemToArray(object, item))) return true;
    cJSON_Delete(item);
    return false;
}

static bool add_metadata(cJSON *root, const ln_metadata *metadata, size_t n) {
    cJSON *object = cJSON_AddObjectToObject(root, metadata_key);
    bool   good = object != NULL;
    for (size_t i = 0; i < n && good; i++) good = cJSON_AddStringToObject(object, metadata[i].key, metadata[i].value);
    return good;
}

static bool add_tensor(cJSON *root, const ln_tensor *t, size_t begin) {
    cJSON *object = cJSON_AddObjectToObject(root, t->name);
    if (!object || !cJSON_AddStringToObject(object, "dtype", "F32")) return false;
    cJSON *shape = cJSON_AddArrayToObject(object, "shape");
    bool   good = shape != NULL;
    for (size_t i = 0; i < t->rank && good; i++) good = add_item(shape, NULL, cJSON_CreateNumber((double)t->shape[i]));
    cJSON *offsets = good ? cJSON_AddArrayToObject(object, "data_offsets") : NULL;
    return offsets && add_item(offsets, NULL, cJSON_CreateNumber((double)begin)) &&
           add_item(offsets, NULL, cJSON_CreateNumber((double)(begin + t->count * sizeof(float))));
}

/* The header's JSON, from cJSON_free; NULL when there is no memory. */
static char *print_header(const ln_tensor *tensors, size_t n_tensors, const ln_metadata *metadata, size_t n_metadata) {
    cJSON *root = cJSON_CreateObject();
    bool   good = root && (!n_metadata || add_metadata(root, metadata, n_metadata));
    size_t begin = 0;
    for (size_t i = 0; i < n_tensors && good; i++) {
        good = add_tensor(root, &tensors[i], begin);
        begin += tensors[i].count * sizeof(float);
    }
    char *text = good ? cJSON_PrintUnformatted(root) : NULL;
    cJSON_Delete(root);
    return text;
}

/* What the reader would refuse is not written. */
static ln_status check_tensors(const char *path, const ln_tensor *tensors, size_t n, ln_error *error) {
    size_t n_bytes = 0;
    for (size_t i = 0; i < n; i++) {
        const ln_tensor *t = &tensors[i];
        size_t           count = 1;
        bool             good = good_name(t->name) && strcmp(t->name, metadata_key) != 0 && t->rank <= LN_MAX_RANK;
        for (size_t j = 0; j < t->rank && good; j++) good = ln_multiply(count, t->shape[j], &count);
        for (size_t j = 0; j < i && good; j++) good = strcmp(t->name, tensors[j].name) != 0;
        good = good && count == t->count && count <= (size_t)PTRDIFF_MAX / sizeof(float) &&
               !__builtin_add_overflow(n_bytes, count * sizeof(float), &n_bytes) && (double)n_bytes < LN_MAX_SIZE;
        if (!good)
            return ln_fail(error, LN_E_ARGUMENT,
                           "%s: tensor %zu (%.100s) has a name or shape that safetensors cannot hold", path, i,
                           t->name);
    }
    return LN_OK;
}

static ln_status write_parts(ln_file_writer *writer, const char *header, const ln_tensor *tensors, size_t n,
                             ln_error *error) {
    const size_t  n_text = strlen(header), n_padded = (n_text + LN_ALIGN - 1) / LN_ALIGN * LN_ALIGN;
    unsigned char length[LN_LENGTH];
    for (size_t i = 0; i < LN_LENGTH; i++) length[i] = (unsigned char)((uint64_t)n_padded >> 8 * i);
    ln_status status = ln_file_writer_write(writer, length, sizeof length, error);
    if (status == LN_OK) status = ln_file_writer_write(writer, header, n_text, error);
    if (status == LN_OK) status = ln_file_writer_write(writer, "       ", n_padded - n_text, error);
    for (size_t i = 0; i < n && status == LN_OK; i++)
        status = ln_file_writer_write(writer, tensors[i].values, tensors[i].count * sizeof(float), error);
    return status;
}

/* Prints the header, and refuses what the reader would. */
static ln_status make_header(const char *path, const ln_tensor *tensors, size_t n_tensors, const ln_metadata *metadata,
                             size_t n_metadata, char **header, ln_error *error) {
    const ln_status status = check_tensors(path, tensors, n_tensors, error);
    if (status != LN_OK) return status;
    char *const text = print_header(tensors, n_tensors, metadata, n_metadata);
    if (!text) return ln_fail_memory(error, path, LN_SAFETENSORS_HEADER);
    if (strlen(text) <= LN_SAFETENSORS_HEADER - LN_ALIGN) {
        *header = text;
        return LN_OK;
    }
    const size_t n = strlen(text);
    cJSON_free(text);
    return ln_fail(error, LN_E_UNSUPPORTED, "%s: the model's description takes %zu bytes, but a header may have %d",
                   path, n, LN_SAFETENSORS_HEADER);
}

ln_status ln_safetensors_begin(ln_context *context, const char *path, const ln_tensor *tensors, size_t n_tensors,
                               const ln_metadata *metadata, size_t n_metadata, ln_safetensors_writer *writer,
                               ln_error *error) {
    ln_safetensors_writer made = {.tensors = tensors, .n_tensors = n_tensors};
    ln_status             status = make_header(path, tensors, n_tensors, metadata, n_metadata, &made.header, error);
    if (status == LN_OK) status = ln_file_writer_open(context, path, &made.file, error);
    if (status == LN_OK) *writer = made;
    else cJSON_free(made.header);
    return status;
}

ln_status ln_safetensors_finish(const ln_safetensors_writer *writer, ln_error *error) {
    const ln_status status = write_parts(writer->file, writer->header, writer->tensors, writer->n_tensors, error);
    return status == LN_OK ? ln_file_writer_finish(writer->file, error) : status;
}

void ln_safetensors_end(ln_safetensors_writer *writer) {
    ln_file_writer_abandon(writer->file);
    cJSON_free(writer->header);
    *writer = (ln_safetensors_writer){0};
}

ln_status ln_safetensors_write(ln_context *context, const char *path, const ln_tensor *tensors, size_t n_tensors,
                               const ln_metadata *metadata, size_t n_metadata, ln_error *error) {
    ln_safetensors_writer writer;
    ln_status status = ln_safetensors_begin(context, path, tensors, n_tensors, metadata, n_metadata, &writer, error);
    if (status != LN_OK) return status;
    status = ln_safetensors_finish(&writer, error);
    ln_safetensors_end(&writer);
    return status;
}
