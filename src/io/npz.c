/* NPZ: a zip archive of NPY arrays, as numpy.load reads it.
 *
 * libzip builds the archive in memory that it takes from malloc (it knows no other); from there it goes to the file as
 * everything here is written. The same arrays give the same bytes: every entry bears the date at which zip begins. */
#include "base/context.h"
#include "base/file.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>
#include <zip.h>

enum { LN_NPY_HEADER = 128, LN_NPY_PREFIX = 10, LN_ZIP_DATE = 1 << 5 | 1, LN_CHUNK = 1 << 16 };

/* zlib's own default; libzip's is the highest, which takes ten times as long for MNIST and saves a fiftieth. */
enum { LN_ZIP_LEVEL = 6 };

/* The most sizes that an array may have, and the largest one: so the header has room for all of them. */
enum { LN_NPZ_RANK = 4 };
#define LN_NPZ_SIDE ((size_t)UINT32_MAX)

/* One array as libzip is to see it: the NPY header and, without a copy, the values. It must live until the archive is
 * closed. */
typedef struct npy {
    char                  header[LN_NPY_HEADER];
    char                  name[80];
    zip_buffer_fragment_t parts[2];
    uint32_t             *letters; /* of an array of texts; else NULL */
} npy;

/* What an array may hold. */
static const struct {
    const char *name;
    size_t      size;
} types[] = {{"<f4", sizeof(float)}, {"<i8", sizeof(int64_t)}, {"|u1", 1}, {"<U", sizeof(uint32_t)}};

static size_t type_of(const ln_array *a) { return a->texts ? 3 : a->bytes ? 2 : a->integers ? 1 : 0; }

/* As many sizes as the array has; its rank. */
static size_t sizes_of(const ln_array *a, size_t sizes[LN_NPZ_RANK]) {
    if (a->rank && !a->texts) {
        memcpy(sizes, a->shape, a->rank * sizeof *sizes);
        return a->rank;
    }
    sizes[0] = a->n, sizes[1] = a->k;
    return a->k == 1 || a->texts ? 1 : 2;
}

/* The header of version 1.0: magic, version, length, and a Python dict padded with spaces to align the values. Texts
 * have so many letters each. */
static void write_npy_header(const ln_array *a, size_t n_letters, char header[LN_NPY_HEADER]) {
    char         shape[LN_NPY_HEADER];
    size_t       sizes[LN_NPZ_RANK], used = 0;
    const size_t rank = sizes_of(a, sizes);
    for (size_t i = 0; i < rank; i++)
        used += (size_t)snprintf(shape + used, sizeof shape - used, "%s%zu", i ? ", " : "", sizes[i]);
    memset(header, ' ', LN_NPY_HEADER);
    memcpy(header, "\x93NUMPY\x01\x00", 8);
    header[8] = LN_NPY_HEADER - LN_NPY_PREFIX;
    header[9] = 0;
    char text[LN_NPY_HEADER], length[24] = "";
    if (a->texts) snprintf(length, sizeof length, "%zu", n_letters);
    const int n = snprintf(text, sizeof text, "{'descr': '%s%s', 'fortran_order': False, 'shape': (%s%s), }",
                           types[type_of(a)].name, length, shape, rank == 1 ? "," : "");
    memcpy(header + LN_NPY_PREFIX, text, (size_t)n); /* at most 101 characters, as no size is longer than ten */
    header[LN_NPY_HEADER - 1] = '\n';
}

/* Characters of the longest, 1 at least, as NumPy wants it; 0 where a text is no UTF-8. */
static size_t longest_of(const ln_array *a) {
    size_t longest = 1;
    for (size_t i = 0; i < a->n; i++) {
        size_t      n = 0, length;
        uint32_t    letter;
        const char *s = a->texts[i];
        for (; *s && (length = ln_utf8_get(s, &letter)) > 0; s += length) n++;
        if (*s) return 0;
        longest = ln_most(longest, n);
    }
    return longest;
}

/* All texts as UTF-32, each of n_letters, with zeros behind its own. */
static ln_status spell(ln_context *context, const char *path, const ln_array *a, size_t n_letters, npy *out,
                       ln_error *error) {
    size_t n_bytes = sizeof(uint32_t);
    if (n_letters == 0) return ln_fail(error, LN_E_ARGUMENT, "%s: a text of the array %s is not UTF-8", path, a->name);
    if (!ln_multiply(n_bytes, n_letters, &n_bytes) || !ln_multiply(n_bytes, a->n, &n_bytes)) n_bytes = SIZE_MAX;
    out->letters = ln_allocate_zeroed(context, ln_most(n_bytes, 1));
    if (!out->letters) return ln_fail_memory(error, path, n_bytes);
    for (size_t i = 0; i < a->n; i++) {
        uint32_t *letter = out->letters + i * n_letters;
        for (const char *s = a->texts[i]; *s; letter++) s += ln_utf8_get(s, letter);
    }
    return LN_OK;
}

static ln_status prepare(ln_context *context, const char *path, const ln_array *a, npy *out, ln_error *error) {
    size_t     n_bytes = types[type_of(a)].size, sizes[LN_NPZ_RANK];
    const bool one = !!a->integers + !!a->floats + !!a->bytes + !!a->texts == 1;
    if (!a->name || !*a->name || strlen(a->name) > 64 || !one || a->rank > LN_NPZ_RANK)
        return ln_fail(error, LN_E_ARGUMENT,
                       "%s: an array for NPZ needs a name of 1 to 64 characters, a rank of at most %d, and floats, "
                       "integers, bytes or texts",
                       path, LN_NPZ_RANK);
    const size_t rank = sizes_of(a, sizes);
    for (size_t i = 0; i < rank; i++)
        if (sizes[i] > LN_NPZ_SIDE || !ln_multiply(n_bytes, sizes[i], &n_bytes))
            return ln_fail(error, LN_E_SHAPE, "%s: array %s of %zux%zu... values is too large", path, a->name, sizes[0],
                           rank > 1 ? sizes[1] : 1);
    const size_t    n_letters = a->texts ? longest_of(a) : 1;
    const ln_status status = a->texts ? spell(context, path, a, n_letters, out, error) : LN_OK;
    if (status != LN_OK) return status;
    n_bytes *= n_letters;
    write_npy_header(a, n_letters, out->header);
    snprintf(out->name, sizeof out->name, "%s.npy", a->name);
    const void *values = a->texts      ? (const void *)out->letters
                         : a->bytes    ? (const void *)a->bytes
                         : a->integers ? (const void *)a->integers
                                       : (const void *)a->floats;
    out->parts[0] = (zip_buffer_fragment_t){.data = (zip_uint8_t *)out->header, .length = LN_NPY_HEADER};
    out->parts[1] = (zip_buffer_fragment_t){.data = (zip_uint8_t *)(uintptr_t)values, .length = n_bytes};
    return LN_OK;
}

/* Adds one array; false with the reason in the archive's error. */
static bool add_array(zip_t *archive, npy *array) {
    zip_source_t *source = zip_source_buffer_fragment(archive, array->parts, array->parts[1].length ? 2 : 1, 0);
    if (!source) return false;
    const zip_int64_t i = zip_file_add(archive, array->name, source, ZIP_FL_ENC_UTF_8);
    if (i < 0) {
        zip_source_free(source);
        return false;
    }
    return !zip_set_file_compression(archive, (zip_uint64_t)i, ZIP_CM_DEFLATE, LN_ZIP_LEVEL) &&
           !zip_file_set_dostime(archive, (zip_uint64_t)i, 0, LN_ZIP_DATE, 0);
}

static ln_status fail_zip(const char *path, const char *reason, ln_error *error) {
    return ln_fail(error, LN_E_IO, "cannot make the archive for '%s': %s", path, reason);
}

/* Fills memory (a buffer source) with the archive. memory stays the caller's. */
static ln_status build(const char *path, npy *arrays, size_t n, zip_source_t *memory, ln_error *error) {
    zip_error_t reason;
    zip_error_init(&reason);
    zip_source_keep(memory);
    zip_t *archive = zip_open_from_source(memory, ZIP_TRUNCATE, &reason);
    if (!archive) {
        const ln_status status = fail_zip(path, zip_error_strerror(&reason), error);
        zip_error_fini(&reason);
        zip_source_free(memory);
        return status;
    }
    bool good = true;
    for (size_t i = 0; i < n && good; i++) good = add_array(archive, &arrays[i]);
    if (good && !zip_close(archive)) return LN_OK;
    const ln_status status = fail_zip(path, zip_strerror(archive), error);
    zip_discard(archive);
    return status;
}

static ln_status copy_out(zip_source_t *memory, const char *path, ln_file_writer *writer, ln_error *error) {
    unsigned char chunk[LN_CHUNK];
    if (zip_source_open(memory)) return fail_zip(path, zip_error_strerror(zip_source_error(memory)), error);
    ln_status   status = LN_OK;
    zip_int64_t n = 1;
    while (n > 0 && status == LN_OK) {
        n = zip_source_read(memory, chunk, sizeof chunk);
        if (n < 0) status = fail_zip(path, zip_error_strerror(zip_source_error(memory)), error);
        if (n > 0) status = ln_file_writer_write(writer, chunk, (size_t)n, error);
    }
    zip_source_close(memory);
    return status;
}

static ln_status write_archive(ln_context *context, const char *path, zip_source_t *memory, ln_error *error) {
    ln_file_writer *writer = NULL;
    ln_status       status = ln_file_writer_open(context, path, &writer, error);
    if (status != LN_OK) return status;
    status = copy_out(memory, path, writer, error);
    if (status == LN_OK) return ln_file_writer_commit(writer, error);
    ln_file_writer_abandon(writer);
    return status;
}

static ln_status write_arrays(ln_context *context, const char *path, npy *arrays, size_t n, ln_error *error) {
    zip_source_t *memory = zip_source_buffer_create(NULL, 0, 0, NULL);
    if (!memory) return ln_fail_memory(error, path, 0);
    ln_status status = build(path, arrays, n, memory, error);
    if (status == LN_OK) status = write_archive(context, path, memory, error);
    zip_source_free(memory);
    return status;
}

ln_status ln_npz_write(ln_context *context, const char *path, const ln_array *arrays, size_t n_arrays,
                       ln_error *error) {
    size_t n_bytes;
    if (!n_arrays) return ln_fail(error, LN_E_ARGUMENT, "%s: an NPZ file needs at least one array", path);
    if (!ln_multiply(n_arrays, sizeof(npy), &n_bytes)) n_bytes = SIZE_MAX;
    npy *prepared = ln_allocate_zeroed(context, n_bytes);
    if (!prepared) return ln_fail_memory(error, path, n_bytes);
    ln_status status = LN_OK;
    for (size_t i = 0; i < n_arrays && status == LN_OK; i++)
        status = prepare(context, path, &arrays[i], &prepared[i], error);
    if (status == LN_OK) status = write_arrays(context, path, prepared, n_arrays, error);
    for (size_t i = 0; i < n_arrays; i++) ln_release(context, prepared[i].letters);
    ln_release(context, prepared);
    return status;
}
