/* Reading NPZ through libzip (which takes its own few buffers from malloc). Every size that the archive declares is a
 * limit that is checked before memory is taken, and every member's check sum is read to. */
#include "data/npz.h"

#include "data/npy.h"

#include <stdio.h>
#include <string.h>
#include <zip.h>

enum { LN_NPZ_NAME = 64, LN_NPZ_LIST = 240, LN_DEFLATE_RATIO = 1032 };

typedef enum npz_part { PART_ANY, PART_TRAIN, PART_TEST, PART_OTHER } npz_part;
typedef enum npz_role { ROLE_NONE, ROLE_IMAGES, ROLE_LABELS, ROLE_NAMES } npz_role;

typedef struct npz {
    ln_context *context;
    const char *name;
    zip_t      *archive;
    uint64_t    n_bytes; /* of the whole archive */
    bool        test;
} npz;

/* ------------------------------------------------------------------- names */

/* Takes the first of words that text holds out of it. */
static bool cut(char *text, const char *const *words) {
    for (; *words; words++) {
        char *const found = strstr(text, *words);
        if (!found) continue;
        memmove(found, found + strlen(*words), strlen(found + strlen(*words)) + 1);
        return true;
    }
    return false;
}

static bool is_one(const char *text, const char *const *words) {
    for (; *words; words++)
        if (strcmp(text, *words) == 0) return true;
    return false;
}

/* What the array of this name holds: "train_x012.npy" is the training part's images. */
static npz_role read_name(const char *name, npz_part *part) {
    static const char *const train[] = {"training", "train", NULL}, *const test[] = {"testing", "test", NULL};
    static const char *const other[] = {"validation", "valid", "val", "dev", NULL};
    static const char *const images[] = {"x",      "image",    "images", "img",    "imgs",   "data",
                                         "pixels", "features", "input",  "inputs", "points", NULL};
    static const char *const labels[] = {"y", "label", "labels", "target", "targets", "class", "classes", NULL};
    static const char *const names[] = {"classnames", "labelnames", "targetnames", NULL};
    char                     text[LN_NPZ_NAME];
    size_t                   n = 0;
    for (const char *s = name; *s && strcmp(s, ".npy") != 0; s++) {
        const char lower = *s >= 'A' && *s <= 'Z' ? (char)(*s - 'A' + 'a') : *s;
        if (lower < 'a' || lower > 'z') continue;
        if (n + 1 == sizeof text) return ROLE_NONE;
        text[n++] = lower;
    }
    text[n] = '\0';
    *part = cut(text, train) ? PART_TRAIN : cut(text, test) ? PART_TEST : cut(text, other) ? PART_OTHER : PART_ANY;
    if (is_one(text, names)) return ROLE_NAMES;
    return is_one(text, images) ? ROLE_IMAGES : is_one(text, labels) ? ROLE_LABELS : ROLE_NONE;
}

/* The names of all arrays, cut where they would fill the message. */
static const char *list(const npz *z, char text[LN_NPZ_LIST]) {
    size_t n = 0;
    text[0] = '\0';
    for (zip_int64_t i = 0; i < zip_get_num_entries(z->archive, 0) && n < LN_NPZ_LIST - 64; i++) {
        const char *const name = zip_get_name(z->archive, (zip_uint64_t)i, 0);
        const size_t      length = name ? strlen(name) : 0;
        const bool        is_array = length > 4 && strcmp(name + length - 4, ".npy") == 0;
        const int         shown = (int)(is_array ? length - 4 : length);
        n += (size_t)snprintf(text + n, LN_NPZ_LIST - n, "%s%.*s", n ? ", " : "", shown < 40 ? shown : 40,
                              name ? name : "");
    }
    for (char *c = text; *c; c++) *c = *c >= ' ' && *c <= '~' ? *c : '?';
    return text;
}

/* The number of the one array of this role in the wanted part; -1: there is none. An archive of one array is images. */
static ln_status find(const npz *z, npz_role role, int64_t *found, ln_error *error) {
    const npz_part    wanted = z->test ? PART_TEST : PART_TRAIN;
    const zip_int64_t n = zip_get_num_entries(z->archive, 0);
    size_t            n_wanted = 0, n_any = 0;
    int64_t           any = -1;
    bool              parted = false, named = false;
    char              names[LN_NPZ_LIST];
    *found = -1;
    for (zip_int64_t i = 0; i < n; i++) {
        npz_part          part = PART_ANY;
        const char *const name = zip_get_name(z->archive, (zip_uint64_t)i, 0);
        const npz_role    is = name ? read_name(name, &part) : ROLE_NONE;
        parted = parted || (is == ROLE_IMAGES && part != PART_ANY);
        named = named || is != ROLE_NONE;
        if (is != role) continue;
        if (part == wanted && n_wanted++ == 0) *found = i;
        if (part == PART_ANY && n_any++ == 0) any = i;
    }
    if (!parted && n_wanted == 0) {
        n_wanted = n_any;
        *found = any;
    }
    if (n == 1 && role == ROLE_IMAGES && !named) *found = 0;
    if (n_wanted > 1)
        return ln_fail(error, LN_E_FORMAT,
                       "%s: more than one array may be the %s (it holds %s): keep or name one of them so", z->name,
                       role == ROLE_IMAGES ? "images" : "labels", list(z, names));
    if (*found < 0 && role == ROLE_IMAGES)
        return ln_fail(error, LN_E_ARGUMENT,
                       "%s: no images of the %s part (it holds %s): an array named x_%s or the like was wanted, and "
                       "y_%s for labels",
                       z->name, z->test ? "test" : "train", list(z, names), z->test ? "test" : "train",
                       z->test ? "test" : "train");
    return LN_OK;
}

/* ----------------------------------------------------------------- members */

/* A member that is being read; label is "FILE (NAME)", for messages. */
typedef struct member {
    zip_file_t   *file;
    ln_npy_source source;
    char          label[400];
} member;

static ln_status read_member(void *from, void *bytes, size_t n, const char *what, ln_error *error) {
    member *const m = from;
    size_t        done = 0;
    while (done < n) {
        const zip_int64_t got = zip_fread(m->file, (char *)bytes + done, n - done);
        if (got < 0)
            return ln_fail(error, LN_E_FORMAT, "%s: damaged (%s): get or make the file anew", m->label,
                           zip_file_strerror(m->file));
        if (got == 0)
            return ln_fail(error, LN_E_FORMAT,
                           "%s: truncated: %s should take %zu bytes, but only %zu came: get or make the file anew",
                           m->label, what, n, done);
        done += (size_t)got;
    }
    return LN_OK;
}

/* Nothing may follow, and reading on to the end checks the sum. */
static ln_status end_member(member *m, ln_error *error) {
    char              extra;
    const zip_int64_t got = zip_fread(m->file, &extra, 1);
    if (got == 0) return LN_OK;
    if (got < 0)
        return ln_fail(error, LN_E_FORMAT, "%s: damaged (%s): get or make the file anew", m->label,
                       zip_file_strerror(m->file));
    return ln_fail(error, LN_E_FORMAT, "%s: bytes follow after its values: get or make the file anew", m->label);
}

static ln_status check_member(const npz *z, const zip_stat_t *st, const char *label, ln_error *error) {
    const zip_uint64_t need = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if ((st->valid & need) != need)
        return ln_fail(error, LN_E_FORMAT, "%s: the archive does not say its size and method", label);
    if (st->encryption_method != ZIP_EM_NONE)
        return ln_fail(error, LN_E_UNSUPPORTED, "%s: encrypted, but a plain archive was wanted: make it anew with %s",
                       label, "numpy.savez");
    if (st->comp_method != ZIP_CM_STORE && st->comp_method != ZIP_CM_DEFLATE)
        return ln_fail(error, LN_E_UNSUPPORTED,
                       "%s: compressed by method %d, but stored or deflated was wanted: make it anew with "
                       "numpy.savez_compressed",
                       label, st->comp_method);
    const uint64_t ratio = st->comp_method == ZIP_CM_STORE ? 1 : LN_DEFLATE_RATIO;
    if (st->comp_size > z->n_bytes || st->size / ratio > st->comp_size)
        return ln_fail(error, LN_E_FORMAT,
                       "%s: damaged or hostile: the archive says that %ju bytes unpack to %ju: get or make the file "
                       "anew",
                       label, (uintmax_t)st->comp_size, (uintmax_t)st->size);
    return LN_OK;
}

static ln_status open_member(const npz *z, int64_t i, member *m, ln_error *error) {
    zip_stat_t  st;
    const char *name = zip_get_name(z->archive, (zip_uint64_t)i, 0);
    snprintf(m->label, sizeof m->label, "%.300s (%.60s)", z->name, name ? name : "");
    for (char *c = m->label + strnlen(z->name, 300); *c; c++) *c = *c >= ' ' && *c <= '~' ? *c : '?';
    if (zip_stat_index(z->archive, (zip_uint64_t)i, 0, &st))
        return ln_fail(error, LN_E_FORMAT, "%s: damaged (%s)", m->label, zip_strerror(z->archive));
    const ln_status status = check_member(z, &st, m->label, error);
    if (status != LN_OK) return status;
    m->file = zip_fopen_index(z->archive, (zip_uint64_t)i, 0);
    if (!m->file) return ln_fail(error, LN_E_FORMAT, "%s: damaged (%s)", m->label, zip_strerror(z->archive));
    m->source = (ln_npy_source){m->label, read_member, m, st.size};
    return LN_OK;
}

static ln_status read_array(const npz *z, int64_t i, ln_npy *npy, ln_values *values, ln_error *error) {
    member    m = {0};
    ln_status status = open_member(z, i, &m, error);
    if (status != LN_OK) return status;
    status = ln_npy_header(&m.source, npy, error);
    if (status == LN_OK) status = ln_npy_values(z->context, &m.source, npy, values, error);
    if (status == LN_OK) {
        status = end_member(&m, error);
        if (status != LN_OK) ln_values_free(values);
    }
    zip_fclose(m.file);
    return status;
}

/* ------------------------------------------------------------------ labels */

/* The place of the only 1 among n values that are 0 else; -1: there is no such. */
static int hot(const ln_values *v, size_t from, size_t n) {
    int place = -1;
    for (size_t i = 0; i < n; i++) {
        const double x = ln_values_get(v, from + i);
        const bool   one = x >= 1 && x <= 1, zero = x >= 0 && x <= 0;
        if ((!one && !zero) || (one && place >= 0)) return -1;
        if (one) place = (int)i;
    }
    return place;
}

static ln_status make_labels(const npz *z, const ln_npy *npy, const ln_values *v, uint8_t *labels, ln_error *error) {
    const size_t k = npy->count / npy->shape[0];
    for (size_t i = 0; i < npy->shape[0]; i++) {
        const int place = k > 1 ? hot(v, i * k, k) : 0;
        if (place < 0)
            return ln_fail(error, LN_E_FORMAT,
                           "%s: row %zu of %zu labels is not one-hot, but one 1 and else 0 were wanted there (or one "
                           "number an image)",
                           z->name, i, k);
        const double x = k > 1 ? place : ln_values_get(v, i);
        if (!ln_is_byte(x))
            return ln_fail(error, LN_E_FORMAT, "%s: label %zu is %g, but a whole number from 0 to 255 was wanted",
                           z->name, i, x);
        labels[i] = (uint8_t)x;
    }
    return LN_OK;
}

/* How many classes there must be for these labels. */
static int classes_of(const uint8_t *labels, size_t n, size_t one_hot) {
    int k = one_hot > 1 ? (int)one_hot : 0;
    for (size_t i = 0; i < n; i++) k = labels[i] >= k ? labels[i] + 1 : k;
    return k;
}

/* Labels from n numbers, or n rows of one-hot. */
static ln_status read_labels(const npz *z, int64_t i, size_t n, ln_npy_labels *labels, ln_error *error) {
    ln_npy    npy;
    ln_values values = {0};
    ln_status status = read_array(z, i, &npy, &values, error);
    if (status != LN_OK) return status;
    if (npy.shape[0] != n)
        status = ln_fail(error, LN_E_SHAPE, "%s: %zu labels for %zu images: the two arrays do not belong together",
                         z->name, npy.shape[0], n);
    else if (npy.rank > 2 || npy.count / n > 256)
        status = ln_fail(error, LN_E_SHAPE,
                         "%s: labels of %zu axes and %zu values an image, but one number, or at most 256 of which one "
                         "is 1, were wanted",
                         z->name, npy.rank, npy.count / n);
    if (status == LN_OK && !(labels->of = ln_allocate(z->context, n))) status = ln_fail_memory(error, z->name, n);
    if (status == LN_OK) status = make_labels(z, &npy, &values, labels->of, error);
    if (status == LN_OK) labels->n_classes = classes_of(labels->of, n, npy.count / n);
    ln_values_free(&values);
    return status;
}

/* The classes' names, where the archive has an array for them, of text. */
static ln_status read_names(const npz *z, ln_npy_labels *labels, ln_error *error) {
    member   m = {0};
    ln_npy   npy;
    npz_part part;
    int64_t  i = zip_get_num_entries(z->archive, 0) - 1;
    for (const char *name; i >= 0; i--)
        if ((name = zip_get_name(z->archive, (zip_uint64_t)i, 0)) && read_name(name, &part) == ROLE_NAMES) break;
    ln_status status = i < 0 ? LN_OK : open_member(z, i, &m, error);
    if (i < 0 || status != LN_OK) return status;
    status = ln_npy_header(&m.source, &npy, error);
    const bool text = status == LN_OK && (npy.kind == 'U' || npy.kind == 'S');
    if (text) status = ln_npy_texts(z->context, &m.source, &npy, &labels->names, error);
    if (text && status == LN_OK) status = end_member(&m, error);
    if (text && status == LN_OK && npy.count < (size_t)labels->n_classes)
        status = ln_fail(error, LN_E_FORMAT,
                         "%s: %zu names for %d classes: name those of all labels, from 0 on, or leave the array out",
                         m.label, npy.count, labels->n_classes);
    if (text && status == LN_OK) labels->n_classes = (int)npy.count;
    zip_fclose(m.file);
    return status;
}

/* -------------------------------------------------------------------- open */

static ln_data *read_archive(const npz *z, ln_error *error) {
    int64_t       images, labels;
    ln_npy        npy;
    ln_values     values = {0};
    ln_npy_labels made = {0};
    ln_data      *data = NULL;
    if (find(z, ROLE_IMAGES, &images, error) == LN_OK && find(z, ROLE_LABELS, &labels, error) == LN_OK &&
        read_array(z, images, &npy, &values, error) == LN_OK &&
        (labels < 0 ||
         (read_labels(z, labels, npy.shape[0], &made, error) == LN_OK && read_names(z, &made, error) == LN_OK)))
        data = ln_npy_images(z->context, z->name, &npy, &values, &made, error);
    if (!data) ln_release(z->context, made.of);
    ln_release(z->context, made.names);
    ln_values_free(&values);
    return data;
}

/* Opens source, which it takes over. */
static ln_data *open_source(npz *z, zip_source_t *source, zip_error_t *reason, ln_error *error) {
    zip_stat_t st;
    ln_data   *data = NULL;
    if (source && !zip_source_stat(source, &st) && (st.valid & ZIP_STAT_SIZE)) z->n_bytes = st.size;
    z->archive = source ? zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, reason) : NULL;
    if (z->archive) {
        data = read_archive(z, error);
        zip_discard(z->archive);
    } else {
        const bool memory = zip_error_code_zip(reason) == ZIP_ER_MEMORY;
        ln_fail(error, memory ? LN_E_MEMORY : LN_E_FORMAT, "%s: a damaged NPZ file (%s): get or make it anew", z->name,
                zip_error_strerror(reason));
        zip_source_free(source);
    }
    zip_error_fini(reason);
    return data;
}

ln_data *ln_npz_open(ln_context *context, const char *path, bool test, ln_error *error) {
    npz         z = {.context = context, .name = path, .test = test};
    zip_error_t reason;
    zip_error_init(&reason);
    return open_source(&z, zip_source_file_create(path, 0, -1, &reason), &reason, error);
}

bool ln_npz_has_test(const char *path) {
    bool         has[ROLE_NAMES + 1] = {false};
    zip_t *const archive = zip_open(path, ZIP_RDONLY, NULL);
    for (zip_int64_t i = 0; archive && i < zip_get_num_entries(archive, 0); i++) {
        npz_part          part = PART_ANY;
        const char *const name = zip_get_name(archive, (zip_uint64_t)i, 0);
        const npz_role    role = name ? read_name(name, &part) : ROLE_NONE;
        has[role] = has[role] || part == PART_TEST;
    }
    if (archive) zip_discard(archive);
    return has[ROLE_IMAGES] && has[ROLE_LABELS];
}

ln_data *ln_npz_parse(ln_context *context, const char *name, const void *bytes, size_t n_bytes, bool test,
                      ln_error *error) {
    npz         z = {.context = context, .name = name, .test = test};
    zip_error_t reason;
    zip_error_init(&reason);
    return open_source(&z, zip_source_buffer_create(bytes, n_bytes, 0, &reason), &reason, error);
}
