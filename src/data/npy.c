/* NPY as numpy.lib.format describes it, versions 1 to 3; little-endian arrays of numbers in C order. Nothing is ever
 * unpickled. */
#include "data/npy.h"

#include "base/utf8.h"
#include "data/stream.h"

#include <string.h>

enum { LN_NPY_PREFIX = 8, LN_NPY_MAX_HEADER = 4096, LN_NPY_CHUNK = 1 << 15, LN_NPY_RANK = 4 };

/* ------------------------------------------------------------------ header */

/* What is read of the dict, and where reading stands. */
typedef struct dict {
    const char *at;
    char        descr[16];
    bool        fortran, has_descr, has_order, has_shape, records;
    size_t      rank, shape[LN_NPY_RANK + 1]; /* a rank above LN_NPY_RANK + 1 is cut there */
} dict;

static bool take(dict *d, char c) {
    while (*d->at == ' ' || *d->at == '\n') d->at++;
    if (*d->at != c) return false;
    d->at++;
    return true;
}

/* A quoted word; longer ones are cut. */
static bool take_word(dict *d, char *word, size_t room) {
    const char quote = take(d, '\'') ? '\'' : take(d, '"') ? '"' : '\0';
    size_t     n = 0;
    if (!quote) return false;
    for (; *d->at && *d->at != quote; d->at++)
        if (n + 1 < room) word[n++] = *d->at >= ' ' && *d->at <= '~' ? *d->at : '?';
    word[n] = '\0';
    return take(d, quote);
}

static bool take_shape(dict *d) {
    d->rank = 0;
    if (!take(d, '(')) return false;
    while (!take(d, ')')) {
        size_t size = 0, n = 0;
        while (*d->at == ' ') d->at++;
        for (; *d->at >= '0' && *d->at <= '9'; d->at++, n++)
            if (!ln_multiply(size, 10, &size) || __builtin_add_overflow(size, (size_t)(*d->at - '0'), &size))
                return false;
        if (n == 0) return false;
        if (d->rank <= LN_NPY_RANK) d->shape[d->rank++] = size;
        if (!take(d, ',')) return take(d, ')');
    }
    return true;
}

static bool take_order(dict *d) {
    static const char *const words[] = {"False", "True"};
    while (*d->at == ' ') d->at++;
    for (size_t i = 0; i < 2; i++)
        if (strncmp(d->at, words[i], strlen(words[i])) == 0) {
            d->at += strlen(words[i]);
            d->fortran = i == 1;
            return true;
        }
    return false;
}

/* False where it is no such dict; a list of fields, which ends the reading, sets records. */
static bool take_dict(dict *d) {
    char key[20];
    if (!take(d, '{')) return false;
    while (!take(d, '}')) {
        if (!take_word(d, key, sizeof key) || !take(d, ':')) return false;
        if (strcmp(key, "descr") == 0) {
            d->records = take(d, '[');
            if (d->records) return true;
            d->has_descr = take_word(d, d->descr, sizeof d->descr);
            if (!d->has_descr) return false;
        } else if (strcmp(key, "fortran_order") == 0) {
            d->has_order = take_order(d);
            if (!d->has_order) return false;
        } else if (strcmp(key, "shape") == 0) {
            d->has_shape = take_shape(d);
            if (!d->has_shape) return false;
        } else return false;
        if (!take(d, ',')) {
            if (!take(d, '}')) return false;
            break;
        }
    }
    while (*d->at == ' ' || *d->at == '\n') d->at++;
    return *d->at == '\0' && d->has_descr && d->has_order && d->has_shape;
}

/* "U12", "S5": texts of so many letters at most. */
static bool is_text(const char *type, ln_npy *npy) {
    size_t n = 0;
    if (*type != 'U' && *type != 'S') return false;
    for (const char *c = type + 1; *c >= '0' && *c <= '9' && n <= LN_NPY_LETTERS; c++) n = 10 * n + (size_t)(*c - '0');
    if (n == 0 || n > LN_NPY_LETTERS || type[1 + strspn(type + 1, "0123456789")]) return false;
    npy->kind = *type;
    npy->size = *type == 'U' ? n * sizeof(uint32_t) : n;
    return true;
}

static ln_status check_type(const char *name, const dict *d, ln_npy *npy, ln_error *error) {
    static const char *const known[] = {"b1", "u1", "i1", "u2", "i2", "u4", "i4", "i8", "f4", "f8"};
    const char *const        type = d->descr + (*d->descr && strchr("<>|=", *d->descr));
    if (d->records || *type == 'O' || *type == 'V')
        return ln_fail(error, LN_E_UNSUPPORTED,
                       "%s: an array of %s, but numbers were wanted: save a numeric array, such as "
                       "x.astype('uint8')",
                       name, *type == 'O' ? "Python objects (pickled, which is never read)" : "records");
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strcmp(type, known[i]) != 0) continue;
        npy->kind = type[0];
        npy->size = (size_t)(type[1] - '0');
        if (*d->descr != '>' || npy->size == 1) return LN_OK;
        return ln_fail(error, LN_E_UNSUPPORTED,
                       "%s: an array of type '%s', of which the most significant byte comes first, but the least "
                       "significant was wanted there: save x.astype('<%s')",
                       name, d->descr, type);
    }
    if (*d->descr != '>' && is_text(type, npy)) return LN_OK;
    return ln_fail(error, LN_E_UNSUPPORTED,
                   "%s: an array of type '%s', but one of b1, u1, i1, u2, i2, u4, i4, i8, f4 and f8 was wanted: save "
                   "x.astype('float32') or ('uint8')",
                   name, d->descr);
}

static ln_status check_sizes(const ln_npy_source *source, const dict *d, ln_npy *npy, ln_error *error) {
    size_t n_bytes = 0;
    if (d->rank == 0 || d->rank > LN_NPY_RANK)
        return ln_fail(error, LN_E_UNSUPPORTED, "%s: %s, but an array of 1 to 4 axes was wanted: reshape it",
                       source->name, d->rank ? "more than 4 axes" : "a single number");
    if (d->fortran && d->rank > 1)
        return ln_fail(error, LN_E_UNSUPPORTED,
                       "%s: an array in Fortran's order, but C's was wanted: save numpy.ascontiguousarray(x)",
                       source->name);
    npy->count = 1;
    for (size_t i = 0; i < d->rank; i++) {
        npy->shape[i] = d->shape[i];
        if (d->shape[i] == 0)
            return ln_fail(error, LN_E_FORMAT, "%s: an array without values: axis %zu has size 0", source->name, i);
        if (!ln_multiply(npy->count, d->shape[i], &npy->count) || !ln_multiply(npy->count, npy->size, &n_bytes))
            return ln_fail(error, LN_E_FORMAT, "%s: its header announces more values than there are numbers for",
                           source->name);
    }
    npy->rank = d->rank;
    if (source->bound < npy->n_header || n_bytes > source->bound - npy->n_header)
        return ln_fail(error, LN_E_FORMAT,
                       "%s: truncated or damaged: its header announces %zu bytes of values, but at most %ju follow: "
                       "get or make the file anew",
                       source->name, n_bytes,
                       (uintmax_t)(source->bound < npy->n_header ? 0 : source->bound - npy->n_header));
    return LN_OK;
}

static ln_status read_dict(const ln_npy_source *source, char *text, size_t *n_header, ln_error *error) {
    unsigned char   prefix[LN_NPY_PREFIX + 4];
    const ln_status status = source->read(source->from, prefix, LN_NPY_PREFIX, "the NPY header", error);
    if (status != LN_OK) return status;
    if (memcmp(prefix, "\x93NUMPY", 6) != 0)
        return ln_fail(error, LN_E_FORMAT, "%s: no NPY array: it does not begin as one does", source->name);
    if (prefix[6] < 1 || prefix[6] > 3)
        return ln_fail(error, LN_E_UNSUPPORTED, "%s: NPY of version %d, but 1, 2 and 3 are read", source->name,
                       prefix[6]);
    const size_t    n_length = prefix[6] == 1 ? 2 : 4;
    unsigned char  *length = prefix + LN_NPY_PREFIX;
    const ln_status got = source->read(source->from, length, n_length, "the NPY header", error);
    if (got != LN_OK) return got;
    const size_t n =
        length[0] | (size_t)length[1] << 8 | (n_length == 4 ? (size_t)length[2] << 16 | (size_t)length[3] << 24 : 0);
    if (n > LN_NPY_MAX_HEADER)
        return ln_fail(error, LN_E_UNSUPPORTED,
                       "%s: an NPY header of %zu bytes, but at most %d are read: save a plain array of numbers",
                       source->name, n, LN_NPY_MAX_HEADER);
    *n_header = LN_NPY_PREFIX + n_length + n;
    text[n] = '\0';
    return source->read(source->from, text, n, "the NPY header", error);
}

ln_status ln_npy_header(const ln_npy_source *source, ln_npy *npy, ln_error *error) {
    char text[LN_NPY_MAX_HEADER + 1];
    *npy = (ln_npy){0};
    ln_status status = read_dict(source, text, &npy->n_header, error);
    if (status != LN_OK) return status;
    dict d = {.at = text};
    if (!take_dict(&d) && !d.records)
        return ln_fail(error, LN_E_FORMAT,
                       "%s: a damaged NPY header: a dict of descr, fortran_order and shape was wanted: get or make "
                       "the file anew",
                       source->name);
    status = check_type(source->name, &d, npy, error);
    return status == LN_OK ? check_sizes(source, &d, npy, error) : status;
}

/* ------------------------------------------------------------------ values */

#define LN_GET(type)                                \
    do {                                            \
        type x;                                     \
        memcpy(&x, bytes + i * sizeof x, sizeof x); \
        return (double)x;                           \
    } while (0)

/* Value i of a chunk. */
static inline double get(const ln_npy *npy, const unsigned char *bytes, size_t i) {
    if (npy->kind == 'f' && npy->size == 4) LN_GET(float);
    if (npy->kind == 'f') LN_GET(double);
    if (npy->kind == 'b') return bytes[i] != 0;
    switch ((npy->kind == 'u' ? 0 : 16) + npy->size) {
    case 1: LN_GET(uint8_t);
    case 2: LN_GET(uint16_t);
    case 4: LN_GET(uint32_t);
    case 16 + 1: LN_GET(int8_t);
    case 16 + 2: LN_GET(int16_t);
    case 16 + 4: LN_GET(int32_t);
    default: LN_GET(int64_t);
    }
}

static ln_status add_chunk(const char *name, const ln_npy *npy, const unsigned char *bytes, size_t n, ln_values *values,
                           ln_error *error) {
    for (size_t i = 0; i < n; i++) {
        const double x = get(npy, bytes, i);
        if (!ln_is_float(x))
            return ln_fail(error, LN_E_FORMAT,
                           "%s: image or label %zu holds %g, but finite numbers of 32 bits were wanted: correct it, or "
                           "leave it out",
                           name, values->n / (npy->count / npy->shape[0]), x);
        const ln_status status = ln_values_add(values, x, name, error);
        if (status != LN_OK) return status;
    }
    return LN_OK;
}

ln_status ln_npy_values(ln_context *context, const ln_npy_source *source, const ln_npy *npy, ln_values *values,
                        ln_error *error) {
    unsigned char chunk[LN_NPY_CHUNK];
    if (npy->kind == 'U' || npy->kind == 'S')
        return ln_fail(error, LN_E_UNSUPPORTED,
                       "%s: an array of text, but numbers were wanted: of names, y = np.unique(names, "
                       "return_inverse=True) gives both: save class_names=y[0] and labels=y[1]",
                       source->name);
    ln_status status = ln_values_start(context, source->name, npy->count, npy->kind == 'f', values, error);
    if (status != LN_OK) return status;
    if (npy->kind == 'u' && npy->size == 1) {
        status = source->read(source->from, values->bytes, npy->count, "its values", error);
        values->n = npy->count;
    }
    const uint64_t mode = ln_fp_enter();
    while (status == LN_OK && values->n < npy->count) {
        const size_t left = npy->count - values->n, room = sizeof chunk / npy->size, n = ln_least(left, room);
        status = source->read(source->from, chunk, n * npy->size, "its values", error);
        if (status == LN_OK) status = add_chunk(source->name, npy, chunk, n, values, error);
    }
    ln_fp_leave(mode);
    if (status != LN_OK) ln_values_free(values);
    return status;
}

/* ------------------------------------------------------------------- texts */

/* Text i as UTF-8, where the numbers of its characters are `stored`; its end, or NULL where one is no character. */
static char *decode(const ln_npy *npy, const unsigned char *stored, char *out) {
    const size_t n = npy->size / sizeof(uint32_t);
    uint32_t     c;
    if (npy->kind == 'S') {
        const size_t length = strnlen((const char *)stored, npy->size);
        memcpy(out, stored, length);
        return out + length;
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(&c, stored + i * sizeof c, sizeof c);
        if (c == 0) break;
        const size_t length = ln_utf8_put(c, out);
        if (length == 0) return NULL;
        out += length;
    }
    return out;
}

ln_status ln_npy_texts(ln_context *context, const ln_npy_source *source, const ln_npy *npy, char ***texts,
                       ln_error *error) {
    unsigned char stored[LN_NPY_LETTERS * sizeof(uint32_t)];
    if (npy->rank != 1 || npy->count > LN_NPY_TEXTS)
        return ln_fail(error, LN_E_SHAPE, "%s: names of %d classes at most, in one axis, were wanted", source->name,
                       LN_NPY_TEXTS);
    const size_t n_bytes = npy->count * (sizeof(char *) + npy->size + 1); /* UTF-8 is never longer than UTF-32 */
    char **const made = ln_allocate(context, n_bytes);
    if (!made) return ln_fail_memory(error, source->name, n_bytes);
    char     *at = (char *)(made + npy->count);
    ln_status status = LN_OK;
    for (size_t i = 0; i < npy->count && status == LN_OK; i++) {
        made[i] = at;
        status = source->read(source->from, stored, npy->size, "its texts", error);
        char *const end = status == LN_OK ? decode(npy, stored, at) : NULL;
        if (status == LN_OK && !end)
            status =
                ln_fail(error, LN_E_FORMAT, "%s: text %zu holds what is no character: save it anew", source->name, i);
        if (end) *end = '\0', at = end + 1;
    }
    if (status == LN_OK) *texts = made;
    else ln_release(context, made);
    return status;
}

/* ------------------------------------------------------------------ images */

/* n × h × w × c becomes n × c × h × w, image by image. */
static ln_status move_channels(ln_context *context, const char *name, ln_values *v, size_t n, size_t c, size_t area,
                               ln_error *error) {
    const size_t         size = v->bytes ? 1 : sizeof(float), n_bytes = c * area * size;
    unsigned char *const copy = ln_allocate(context, n_bytes);
    if (!copy) return ln_fail_memory(error, name, n_bytes);
    for (size_t i = 0; i < n; i++) {
        unsigned char *const image = (v->bytes ? v->bytes : (unsigned char *)v->floats) + i * n_bytes;
        memcpy(copy, image, n_bytes);
        for (size_t j = 0; j < area; j++)
            for (size_t k = 0; k < c; k++) memcpy(image + (k * area + j) * size, copy + (j * c + k) * size, size);
    }
    ln_release(context, copy);
    return LN_OK;
}

/* Channels are the second axis, or the last where that one has 1 or 3 and the second has not; where both have, nothing
 * tells. */
static ln_status lay_out(ln_context *context, const char *name, const ln_npy *npy, ln_values *values, size_t size[3],
                         ln_error *error) {
    const size_t *const s = npy->shape;
    size[0] = npy->rank == 2 ? s[1] : 1;
    size[1] = npy->rank == 3 ? s[1] : 1;
    size[2] = npy->rank == 3 ? s[2] : 1;
    if (npy->rank < 4) return LN_OK;
    const bool second = s[1] == 1 || s[1] == 3, last = s[3] == 1 || s[3] == 3;
    if (second && last)
        return ln_fail(error, LN_E_SHAPE,
                       "%s: images of %zux%zux%zu, whose channels could be the first axis or the last: save images x "
                       "rows x columns, or images x values",
                       name, s[1], s[2], s[3]);
    memcpy(size, last ? (const size_t[]){s[3], s[1], s[2]} : (const size_t[]){s[1], s[2], s[3]}, 3 * sizeof *size);
    return last && s[3] > 1 ? move_channels(context, name, values, s[0], s[3], s[1] * s[2], error) : LN_OK;
}

ln_data *ln_npy_images(ln_context *context, const char *name, const ln_npy *npy, ln_values *values,
                       const ln_npy_labels *labels, ln_error *error) {
    size_t size[3];
    if (lay_out(context, name, npy, values, size, error) != LN_OK) return NULL;
    const ln_data_parts parts = {.pixels = values->bytes ? (const void *)values->bytes : values->floats,
                                 .labels = labels->of,
                                 .is_float = values->floats != NULL,
                                 .own = true,
                                 .n = npy->shape[0],
                                 .c = size[0],
                                 .h = size[1],
                                 .w = size[2],
                                 .n_classes = labels->n_classes,
                                 .class_name = (const char *const *)labels->names};
    ln_data *const      data = ln_data_new(context, name, &parts, error);
    if (data) *values = (ln_values){0};
    return data;
}

static ln_status read_stream(void *from, void *bytes, size_t n, const char *what, ln_error *error) {
    return ln_stream_read(from, bytes, n, what, error);
}

static ln_data *read_array(ln_context *context, const char *name, ln_stream *stream, ln_error *error) {
    const ln_npy_source source = {name, read_stream, stream, ln_stream_bound(stream)};
    ln_values           values = {0};
    ln_npy              npy;
    ln_data            *data = NULL;
    if (ln_npy_header(&source, &npy, error) == LN_OK &&
        ln_npy_values(context, &source, &npy, &values, error) == LN_OK && ln_stream_end(stream, error) == LN_OK)
        data = ln_npy_images(context, name, &npy, &values, &(ln_npy_labels){0}, error);
    ln_values_free(&values);
    ln_stream_close(stream);
    return data;
}

ln_data *ln_npy_read(ln_context *context, const char *path, ln_error *error) {
    ln_stream *stream;
    return ln_stream_open(context, path, &stream, error) == LN_OK ? read_array(context, path, stream, error) : NULL;
}

ln_data *ln_npy_parse(ln_context *context, const char *name, const void *bytes, size_t n_bytes, ln_error *error) {
    ln_stream *stream;
    return ln_stream_open_memory(context, name, bytes, n_bytes, &stream, error) == LN_OK
               ? read_array(context, name, stream, error)
               : NULL;
}
