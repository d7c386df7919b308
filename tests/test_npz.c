/* NPZ files: what is written reads back through libzip, header and values to the byte; what is read is taken to the
 * value, or refused with a sentence. */
#include "harness/files.h"

#include "data/npy.h"
#include "data/npz.h"

#include <zip.h>

static const float    floats[6] = {1, 2, 3, -4.5f, 0.1f, 1e30f};
static const int64_t  integers[3] = {7, -1, INT64_C(1) << 40};
static const ln_array arrays[] = {
    {.name = "logits", .n = 3, .k = 2, .floats = floats},
    {.name = "labels", .n = 3, .k = 1, .integers = integers},
};

/* One entry, unpacked; its checked size. */
static size_t unpack(const char *path, const char *name, unsigned char *out, size_t room) {
    zip_t *archive = zip_open(path, ZIP_RDONLY | ZIP_CHECKCONS, NULL);
    assert_non_null(archive);
    zip_stat_t st;
    assert_int_equal(zip_stat(archive, name, 0, &st), 0);
    assert_int_equal(st.comp_method, ZIP_CM_DEFLATE);
    zip_file_t *file = zip_fopen(archive, name, 0);
    assert_non_null(file);
    const zip_int64_t n = zip_fread(file, out, room);
    assert_int_equal(n, st.size);
    assert_int_equal(zip_fclose(file), 0);
    zip_discard(archive);
    return (size_t)n;
}

static void check_npy(const char *path, const char *name, const char *dict, const void *values, size_t n_bytes) {
    unsigned char out[512];
    assert_int_equal(unpack(path, name, out, sizeof out), 128 + n_bytes);
    assert_memory_equal(out, "\x93NUMPY\x01\x00\x76\x00", 10);
    assert_memory_equal(out + 10, dict, strlen(dict));
    for (size_t i = 10 + strlen(dict); i < 127; i++) assert_int_equal(out[i], ' ');
    assert_int_equal(out[127], '\n');
    assert_memory_equal(out + 128, values, n_bytes);
}

static void writes_what_numpy_reads(void **state) {
    files *f = *state;
    char   path[512];
    assert_int_equal(ln_npz_write(f->context, files_path(f, "a.npz", path), arrays, 2, NULL), LN_OK);
    check_npy(path, "logits.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }", floats, 24);
    check_npy(path, "labels.npy", "{'descr': '<i8', 'fortran_order': False, 'shape': (3,), }", integers, 24);
    assert_int_equal(files_count(f->folder), 1);
}

/* Bytes, and shapes of more sizes than rows and columns; the longest header that there is. */
static void arrays_have_any_rank(void **state) {
    files               *f = *state;
    char                 path[512];
    static const uint8_t bytes[24] = {1, 2, 3, 255};
    const ln_array       some[] = {{.name = "a", .bytes = bytes, .rank = 4, .shape = {2, 3, 1, 4}},
                                   {.name = "b", .floats = floats, .rank = 3, .shape = {1, 3, 2}},
                                   {.name = "c", .n = 24, .k = 1, .bytes = bytes},
                                   {.name = "d", .bytes = bytes, .rank = 4, .shape = {0, 4294967295, 4294967295, 1}}};
    assert_int_equal(ln_npz_write(f->context, files_path(f, "a.npz", path), some, 4, NULL), LN_OK);
    check_npy(path, "a.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3, 1, 4), }", bytes, 24);
    check_npy(path, "b.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 3, 2), }", floats, 24);
    check_npy(path, "c.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (24,), }", bytes, 24);
    check_npy(path, "d.npy", "{'descr': '|u1', 'fortran_order': False, 'shape': (0, 4294967295, 4294967295, 1), }",
              NULL, 0);
}

static void the_same_arrays_give_the_same_bytes(void **state) {
    files        *f = *state;
    char          path[512];
    unsigned char first[2048], second[2048];
    assert_int_equal(ln_npz_write(f->context, files_path(f, "a.npz", path), arrays, 2, NULL), LN_OK);
    const size_t n = files_get(path, first, sizeof first);
    assert_int_equal(ln_npz_write(f->context, files_path(f, "b.npz", path), arrays, 2, NULL), LN_OK);
    assert_int_equal(files_get(path, second, sizeof second), n);
    assert_memory_equal(first, second, n);
    assert_memory_equal(first + 10, "\0\0\x21\0", 4); /* the first day of 1980, not the present one */
}

/* As many letters each as the longest has, zeros behind the shorter ones. */
static void texts_are_numpys_characters(void **state) {
    static const char *const names[] = {"ant", "Z\xc3\xbcrich \xf0\x9f\x90\xa6", ""};
    static const uint32_t    letters[3][8] = {{'a', 'n', 't'}, {'Z', 0xfc, 'r', 'i', 'c', 'h', ' ', 0x1f426}, {0}};
    static const char *const bad[] = {"ant", "caf\xe9"};
    files                   *f = *state;
    char                     path[512];
    ln_error                 error = {0};
    const ln_array texts = {.name = "names", .n = 3, .texts = names}, wrong = {.name = "b", .n = 2, .texts = bad};
    const ln_array none = {.name = "none", .texts = names};
    assert_int_equal(ln_npz_write(f->context, files_path(f, "a.npz", path), &texts, 1, NULL), LN_OK);
    check_npy(path, "names.npy", "{'descr': '<U8', 'fortran_order': False, 'shape': (3,), }", letters, sizeof letters);
    assert_int_equal(ln_npz_write(f->context, path, &none, 1, NULL), LN_OK);
    check_npy(path, "none.npy", "{'descr': '<U1', 'fortran_order': False, 'shape': (0,), }", NULL, 0);
    assert_int_equal(ln_npz_write(f->context, path, &wrong, 1, &error), LN_E_ARGUMENT);
    assert_non_null(strstr(error.message, "a text of the array b is not UTF-8"));
}

static void empty_arrays_are_fine(void **state) {
    files         *f = *state;
    char           path[512];
    const ln_array none = {.name = "none", .n = 0, .k = 5, .floats = floats};
    assert_int_equal(ln_npz_write(f->context, files_path(f, "a.npz", path), &none, 1, NULL), LN_OK);
    check_npy(path, "none.npy", "{'descr': '<f4', 'fortran_order': False, 'shape': (0, 5), }", NULL, 0);
}

static void mistakes_are_told(void **state) {
    files         *f = *state;
    char           path[512];
    ln_error       error = {0};
    const ln_array bad[] = {{.name = "", .n = 1, .k = 1, .floats = floats},
                            {.name = "a", .n = 1, .k = 1},
                            {.name = "a", .n = 1, .k = 1, .floats = floats, .integers = integers},
                            {.name = "a", .n = 1, .k = 1, .floats = floats, .bytes = (const uint8_t[]){1}},
                            {.name = "a", .floats = floats, .rank = 5},
                            {.name = NULL, .n = 1, .k = 1, .floats = floats}};
    files_path(f, "a.npz", path);
    for (size_t i = 0; i < 6; i++) assert_int_equal(ln_npz_write(f->context, path, &bad[i], 1, &error), LN_E_ARGUMENT);
    const ln_array huge = {.name = "a", .n = SIZE_MAX / 2, .k = 3, .floats = floats};
    assert_int_equal(ln_npz_write(f->context, path, &huge, 1, &error), LN_E_SHAPE);
    assert_int_equal(ln_npz_write(f->context, path, arrays, 0, &error), LN_E_ARGUMENT);
    const ln_array twice[] = {arrays[0], arrays[0]};
    assert_int_not_equal(ln_npz_write(f->context, path, twice, 2, &error), LN_OK);
    assert_non_null(strstr(error.message, path));
    assert_int_equal(files_count(f->folder), 0);
}

static void a_full_disk_is_told(void **state) {
    files   *f = *state;
    char     path[512];
    ln_error error = {0};
    assert_int_equal(ln_npz_write(f->context, "/dev/full", arrays, 2, &error), LN_E_IO);
    assert_non_null(strstr(error.message, "No space left"));
    assert_int_equal(ln_npz_write(f->context, files_path(f, "no/a.npz", path), arrays, 2, &error), LN_E_IO);
    assert_int_equal(files_count(f->folder), 0);
}

static bool write_arrays(files *f, void *path, ln_error *error) {
    return ln_npz_write(f->context, path, arrays, 2, error) == LN_OK;
}

static void every_allocation_may_fail(void **state) {
    files *f = *state;
    char   path[512];
    files_path(f, "a.npz", path);
    assert_in_range(files_fail_each(f, write_arrays, path), 4, 20);
}

/* ------------------------------------------------------------------ reading */

/* Bytes that grow: NPY arrays and archives are put together in them. */
typedef struct blob {
    unsigned char bytes[8192];
    size_t        n;
} blob;

static void put(blob *b, const void *bytes, size_t n) {
    assert_true(b->n + n <= sizeof b->bytes);
    memcpy(b->bytes + b->n, bytes, n);
    b->n += n;
}

/* An array as NumPy writes it. dict: what stands between the braces. */
static void put_npy(blob *b, unsigned char version, const char *dict, const void *values, size_t n_bytes) {
    char                text[512];
    const int           n = snprintf(text, sizeof text, "{%s}          \n", dict);
    const unsigned char head[] = {0x93, 'N', 'U', 'M', 'P', 'Y', version, 0, (unsigned char)n, (unsigned char)(n >> 8),
                                  0,    0};
    put(b, head, version == 1 ? 10 : 12);
    put(b, text, (size_t)n);
    put(b, values, n_bytes);
}

static void npy(blob *b, const char *type, const char *shape, const void *values, size_t n_bytes) {
    char dict[256];
    snprintf(dict, sizeof dict, "'descr': '%s', 'fortran_order': False, 'shape': (%s), ", type, shape);
    b->n = 0;
    put_npy(b, 1, dict, values, n_bytes);
}

typedef struct entry {
    const char *name, *type, *shape;
    const void *values;
    size_t      n_bytes;
} entry;

/* An archive in f's folder; method is libzip's. Returns its path in text. */
static const char *put_npz(files *f, const char *name, const entry *entries, size_t n, int method, char text[512]) {
    static blob members[8];
    zip_t      *archive = zip_open(files_path(f, name, text), ZIP_CREATE | ZIP_TRUNCATE, NULL);
    assert_non_null(archive);
    for (size_t i = 0; i < n; i++) {
        char member[80];
        snprintf(member, sizeof member, "%.64s.npy", entries[i].name);
        npy(&members[i], entries[i].type, entries[i].shape, entries[i].values, entries[i].n_bytes);
        zip_source_t     *source = zip_source_buffer(archive, members[i].bytes, members[i].n, 0);
        const zip_int64_t at = zip_file_add(archive, member, source, 0);
        assert_true(at >= 0);
        assert_int_equal(zip_set_file_compression(archive, (zip_uint64_t)at, method, 0), 0);
    }
    assert_int_equal(zip_close(archive), 0);
    return text;
}

static ln_data *open_good(files *f, const char *path, const char *split) {
    ln_error error = {0};
    ln_data *data = ln_data_open(f->context, path, split, NULL, &error);
    if (!data) fail_msg("%s", error.message);
    return data;
}

static void check_shape(const ln_data *data, size_t n, size_t c, size_t h, size_t w, bool is_float) {
    const ln_data_info info = ln_data_describe(data);
    assert_int_equal(info.n, n);
    assert_int_equal(info.c, c);
    assert_int_equal(info.h, h);
    assert_int_equal(info.w, w);
    assert_int_equal(info.is_float, is_float);
}

static void refuse_path(files *f, const char *path, const char *split, ln_status status, const char *words) {
    ln_error error = {0};
    assert_null(ln_data_open(f->context, path, split, NULL, &error));
    if (error.status != status || !strstr(error.message, words))
        fail_msg("%d: '%s' lacks '%s'", (int)error.status, error.message, words);
    assert_non_null(strstr(error.message, f->folder));
}

static const unsigned char pixels[24] = {0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10,  11,
                                         12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 200, 255};

/* The keys of report C: digits 0, 1 and 2 in four arrays. */
static const entry four[] = {{"train_x012", "|u1", "3, 2, 2", pixels, 12},
                             {"train_y012", "<i8", "3,", (const int64_t[]){2, 0, 1}, 24},
                             {"test_x012", "|u1", "2, 2, 2", pixels + 12, 8},
                             {"test_y012", "<i8", "2,", (const int64_t[]){1, 1}, 16}};

static void both_parts_are_read(void **state) {
    files *f = *state;
    char   path[512], name[520];
    for (int method = 0; method < 2; method++) {
        put_npz(f, "a.npz", four, 4, method ? ZIP_CM_DEFLATE : ZIP_CM_STORE, path);
        ln_data *const train = open_good(f, path, NULL), *const test = open_good(f, path, "test");
        snprintf(name, sizeof name, "%s:test", path);
        ln_data *const same = open_good(f, name, "train");
        check_shape(train, 3, 1, 2, 2, false);
        check_shape(test, 2, 1, 2, 2, false);
        check_shape(same, 2, 1, 2, 2, false);
        assert_memory_equal(ln_data_image(train, 0), pixels, 12);
        assert_memory_equal(ln_data_image(test, 0), pixels + 12, 8);
        assert_memory_equal(ln_data_image(same, 0), pixels + 12, 8);
        for (size_t i = 0; i < 3; i++) assert_int_equal(ln_data_label(train, i), "\2\0\1"[i]);
        assert_int_equal(ln_data_label(test, 0), 1);
        assert_int_equal(ln_data_describe(train).n_classes, 3);
        ln_data_free(train);
        ln_data_free(test);
        ln_data_free(same);
    }
}

/* What this library writes, it reads. */
static void own_archives_are_read(void **state) {
    files         *f = *state;
    char           path[512];
    const ln_array own[] = {{.name = "x_train", .n = 3, .k = 2, .floats = floats},
                            {.name = "y_train", .n = 3, .k = 1, .integers = (const int64_t[]){5, 0, 1}}};
    assert_int_equal(ln_npz_write(f->context, files_path(f, "a.npz", path), own, 2, NULL), LN_OK);
    ln_data *const data = open_good(f, path, "train");
    check_shape(data, 3, 2, 1, 1, true);
    assert_memory_equal(ln_data_image(data, 0), floats, sizeof floats);
    assert_int_equal(ln_data_label(data, 0), 5);
    ln_data_free(data);
    refuse_path(f, path, "test", LN_E_ARGUMENT, "it holds x_train, y_train");
}

#define TWO_IMAGES \
    {"x", "|u1", "2, 3", pixels, 6}, { "y", "|u1", "2,", "\2\0", 2 }

static void classes_have_names(void **state) {
    static const uint32_t letters[4][2] = {{'a'}, {0xfc, 0x1f426}, {'c', 'd'}, {'e'}};
    static const entry    cases[][3] = {
           {TWO_IMAGES, {"class_names", "<U2", "4,", letters, sizeof letters}},
           {TWO_IMAGES,
            {"target_names", "|S9", "4,",
             "a\0\0\0\0\0\0\0\0\xc3\xbc\xf0\x9f\x90\xa6\0\0\0cd\0\0\0\0\0\0\0e\0\0\0\0\0\0\0\0", 36}}};
    files *f = *state;
    char   path[512];
    for (size_t i = 0; i < 2; i++) {
        ln_data *const data = open_good(f, put_npz(f, "a.npz", cases[i], 3, ZIP_CM_DEFLATE, path), NULL);
        assert_int_equal(ln_data_describe(data).n_classes, 4);
        assert_string_equal(ln_data_class_name(data, 0), "a");
        assert_string_equal(ln_data_class_name(data, 1), "\xc3\xbc\xf0\x9f\x90\xa6");
        assert_string_equal(ln_data_class_name(data, 2), "cd");
        assert_int_equal(ln_data_write(f->context, files_path(f, "b.npz", path), data, NULL, NULL), LN_OK);
        ln_data_free(data);
        ln_data *const back = open_good(f, path, NULL);
        assert_string_equal(ln_data_class_name(back, 1), "\xc3\xbc\xf0\x9f\x90\xa6");
        assert_string_equal(ln_data_class_name(back, 3), "e");
        ln_data_free(back);
    }
    const entry    numbers[] = {TWO_IMAGES, {"class_names", "|u1", "3,", "abc", 3}};
    ln_data *const data = open_good(f, put_npz(f, "a.npz", numbers, 3, ZIP_CM_DEFLATE, path), NULL);
    assert_null(ln_data_class_name(data, 0)); /* numbers name nothing */
    ln_data_free(data);
}

static void names_that_cannot_be_are_told(void **state) {
    static const uint32_t letters[3] = {'a', 0xd800, 'c'};
    static const struct {
        entry       names;
        ln_status   status;
        const char *words;
    } cases[] = {
        {{"class_names", "|S1", "2,", "ab", 2}, LN_E_FORMAT, "2 names for 3 classes"},
        {{"class_names", "|S1", "3, 1", "abc", 3}, LN_E_SHAPE, "names of 256 classes at most, in one axis"},
        {{"class_names", "<U1", "3,", letters, 12}, LN_E_FORMAT, "text 1 holds what is no character"},
        {{"class_names", "|S2", "3,", "a\0b\nc", 6}, LN_E_FORMAT, "class 1 is called 'b?', but a name of UTF-8"},
        {{"class_names", "|S1", "3,", "a\0c", 3}, LN_E_FORMAT, "class 1 is called ''"},
        {{"class_names", "|S1", "3,", "ab", 2}, LN_E_FORMAT, "truncated or damaged"},
        {{"class_names", ">U1", "3,", letters, 12}, LN_E_UNSUPPORTED, "of type '>U1'"},
        {{"class_names", "|S257", "3,", letters, 12}, LN_E_UNSUPPORTED, "of type '|S257'"}};
    files *f = *state;
    char   path[512];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        refuse_path(f, put_npz(f, "b.npz", (const entry[]){TWO_IMAGES, cases[i].names}, 3, ZIP_CM_DEFLATE, path), NULL,
                    cases[i].status, cases[i].words);
}

static void names_say_what_arrays_hold(void **state) {
    static const struct {
        const char *images, *labels, *split;
    } good[] = {{"x_train", "y_train", "train"},
                {"X_test", "y_test", "test"},
                {"x", "y", "train"},
                {"x", "y", "test"},
                {"images", "labels", "test"},
                {"train_images", "train_labels", "train"},
                {"testX", "testY", "test"},
                {"training.data", "training.target", "train"},
                {"arr_0", NULL, "train"},
                {"x_train01", "y_train01", "train"}};
    files *f = *state;
    char   path[512];
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        const entry  entries[] = {{good[i].images, "|u1", "3, 2, 2", pixels, 12},
                                  {good[i].labels, "|u1", "3", pixels, 3},
                                  {"x_val", "|u1", "1, 1", pixels, 1}};
        const size_t n = good[i].labels ? (strchr(good[i].images, '_') ? 3 : 2) : 1;
        ln_data     *data = open_good(f, put_npz(f, "a.npz", entries, n, ZIP_CM_DEFLATE, path), good[i].split);
        check_shape(data, 3, 1, 2, 2, false);
        assert_int_equal(ln_data_describe(data).has_labels, good[i].labels != NULL);
        ln_data_free(data);
    }
    const entry several[] = {{"x_train", "|u1", "1", pixels, 1}, {"train_images", "|u1", "1", pixels, 1}};
    refuse_path(f, put_npz(f, "b.npz", several, 2, ZIP_CM_STORE, path), NULL, LN_E_FORMAT, "more than one array");
    const entry unknown[] = {{"arr_0", "|u1", "1", pixels, 1}, {"arr_1", "|u1", "1", pixels, 1}};
    refuse_path(f, put_npz(f, "c.npz", unknown, 2, ZIP_CM_STORE, path), NULL, LN_E_ARGUMENT, "it holds arr_0, arr_1");
}

/* Each type with values that are bytes and with one that is not; floats stay floats. */
static void every_type_is_read(void **state) {
    static const double bytes[4] = {0, 1, 1, 0};
    static const double others[4] = {0, 1, -7, 100};
    files              *f = *state;
#define CASE(name, type, of)                                                                                 \
    do {                                                                                                     \
        blob b;                                                                                              \
        type v[4];                                                                                           \
        for (size_t i = 0; i < 4; i++) v[i] = (type)(of)[i];                                                 \
        npy(&b, name, "2, 2", v, sizeof v);                                                                  \
        ln_error       error = {0};                                                                          \
        ln_data *const data = ln_npy_parse(f->context, "a.npy", b.bytes, b.n, &error);                       \
        if (!data) fail_msg("%s: %s", name, error.message);                                                  \
        const bool is_byte = !strchr(name, 'f') && ((double)v[2] >= 0 && (double)v[2] <= 255);               \
        check_shape(data, 2, 2, 1, 1, !is_byte);                                                             \
        for (size_t i = 0; i < 4; i++) {                                                                     \
            const void *const image = ln_data_image(data, i / 2);                                            \
            const float       x = is_byte ? ((const uint8_t *)image)[i % 2] : ((const float *)image)[i % 2]; \
            if (x < (float)v[i] || x > (float)v[i]) fail_msg("%s: %g", name, (double)x);                     \
        }                                                                                                    \
        ln_data_free(data);                                                                                  \
    } while (0)
    CASE("|b1", uint8_t, bytes);
    CASE("|u1", uint8_t, bytes);
    CASE("|i1", int8_t, bytes);
    CASE("|i1", int8_t, others);
    CASE("<u2", uint16_t, bytes);
    CASE("<u2", uint16_t, ((const double[]){0, 1, 65535, 256}));
    CASE("<i2", int16_t, others);
    CASE("<u4", uint32_t, ((const double[]){0, 1, 4294967295.0, 256}));
    CASE("<i4", int32_t, others);
    CASE("<i8", int64_t, bytes);
    CASE("<i8", int64_t, others);
    CASE("<f4", float, others);
    CASE("<f8", double, ((const double[]){0.1, 1e-60, 1.0 / 3, 3e38}));
#undef CASE
}

static ln_data *shaped(files *f, const char *shape, ln_error *error) {
    blob b;
    npy(&b, "|u1", shape, pixels, 24);
    return ln_npy_parse(f->context, "a.npy", b.bytes, b.n, error);
}

static void shapes_are_told_apart(void **state) {
    static const struct {
        const char *shape;
        size_t      n, c, h, w;
    } cases[] = {{"24,", 24, 1, 1, 1},       {"4, 6", 4, 6, 1, 1},       {"2, 3, 4", 2, 1, 3, 4},
                 {"1, 3, 2, 4", 1, 3, 2, 4}, {"2, 1, 6, 2", 2, 1, 6, 2}, {"2, 4, 3, 1", 2, 1, 4, 3},
                 {"1, 2, 4, 3", 1, 3, 2, 4}, {"1, 2, 2, 6", 1, 2, 2, 6}};
    files   *f = *state;
    ln_error error = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ln_data *const data = shaped(f, cases[i].shape, &error);
        if (!data) fail_msg("%s: %s", cases[i].shape, error.message);
        check_shape(data, cases[i].n, cases[i].c, cases[i].h, cases[i].w, false);
        const uint8_t *const x = ln_data_image(data, 0);
        const bool           moved = cases[i].c == 3 && cases[i].h == 2 && strcmp(cases[i].shape, "1, 2, 4, 3") == 0;
        for (size_t k = 0; k < 24; k++) assert_int_equal(x[moved ? k % 3 * 8 + k / 3 : k], pixels[k]);
        ln_data_free(data);
    }
    assert_null(shaped(f, "2, 3, 4, 1", &error));
    assert_int_equal(error.status, LN_E_SHAPE);
    assert_null(shaped(f, "1, 1, 1, 1, 24", &error));
    assert_int_equal(error.status, LN_E_UNSUPPORTED);
    assert_null(shaped(f, "0, 24", &error));
    assert_int_equal(error.status, LN_E_FORMAT);
    assert_null(shaped(f, "25,", &error));
    assert_non_null(strstr(error.message, "25 bytes of values, but at most 24"));
    assert_null(shaped(f, "23,", &error));
    assert_non_null(strstr(error.message, "bytes follow"));
    assert_null(shaped(f, "4294967296, 4294967296, 2", &error));
    assert_non_null(strstr(error.message, "more values than there are numbers for"));
    assert_null(shaped(f, "18446744073709551616,", &error));
    assert_int_equal(error.status, LN_E_FORMAT);
}

static void labels_may_be_one_hot(void **state) {
    static const float hot[] = {0, 0, 1, 0, 1, 0, 0, 0}, warm[] = {0, 0, 1, 0, 0.5f, 0.5f, 0, 0};
    static const float two[] = {0, 1, 1, 0, 1, 0, 0, 0}, half[] = {0.5f, 1};
    files             *f = *state;
    char               path[512];
    const entry        x = {"x", "|u1", "2, 2, 2", pixels, 8};
    ln_data           *data =
        open_good(f, put_npz(f, "a.npz", (const entry[]){x, {"y", "<f4", "2, 4", hot, 32}}, 2, 0, path), NULL);
    assert_int_equal(ln_data_label(data, 0), 2);
    assert_int_equal(ln_data_label(data, 1), 0);
    assert_int_equal(ln_data_describe(data).n_classes, 4); /* as many as there are columns */
    ln_data_free(data);
    data = open_good(
        f, put_npz(f, "a.npz", (const entry[]){x, {"y", "<i4", "2, 1", (const int32_t[]){9, 3}, 8}}, 2, 0, path), NULL);
    assert_int_equal(ln_data_label(data, 0), 9);
    ln_data_free(data);
    const struct {
        entry       y;
        ln_status   status;
        const char *words;
    } bad[] = {{{"y", "<f4", "2, 4", warm, 32}, LN_E_FORMAT, "row 1 of 4 labels is not one-hot"},
               {{"y", "<f4", "2, 4", two, 32}, LN_E_FORMAT, "row 0 of 4 labels is not one-hot"},
               {{"y", "<f4", "2, 2, 2", hot, 32}, LN_E_SHAPE, "labels of 3 axes"},
               {{"y", "<f4", "2", half, 8}, LN_E_FORMAT, "label 0 is 0.5"},
               {{"y", "<i2", "2", (const int16_t[]){0, 256}, 4}, LN_E_FORMAT, "label 1 is 256"},
               {{"y", "|i1", "2", (const int8_t[]){0, -1}, 2}, LN_E_FORMAT, "label 1 is -1"},
               {{"y", "|u1", "3", pixels, 3}, LN_E_SHAPE, "3 labels for 2 images"}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refuse_path(f, put_npz(f, "b.npz", (const entry[]){x, bad[i].y}, 2, ZIP_CM_DEFLATE, path), NULL, bad[i].status,
                    bad[i].words);
}

/* --------------------------------------------------------------- what is refused */

static void refuse_npy(files *f, unsigned char version, const char *dict, ln_status status, const char *words) {
    blob     b = {.n = 0};
    ln_error error = {0};
    put_npy(&b, version, dict, floats, sizeof floats);
    assert_null(ln_npy_parse(f->context, "a.npy", b.bytes, b.n, &error));
    if (error.status != status || !strstr(error.message, words))
        fail_msg("%d: '%s' lacks '%s'", (int)error.status, error.message, words);
}

static void strange_arrays_are_told(void **state) {
    files *f = *state;
#define SHAPE "'fortran_order': False, 'shape': (6,), "
    blob b = {.n = 0};
    put_npy(&b, 3, "\"shape\" :(2 , 3),\"fortran_order\":False ,\"descr\":\"<f4\"", floats, sizeof floats);
    ln_data *const data = ln_npy_parse(f->context, "a.npy", b.bytes, b.n, NULL);
    assert_non_null(data);
    check_shape(data, 2, 3, 1, 1, true);
    ln_data_free(data);
    refuse_npy(f, 1, "'descr': '|O', " SHAPE, LN_E_UNSUPPORTED, "Python objects (pickled, which is never read)");
    refuse_npy(f, 1, "'descr': [('a', '<f4')], " SHAPE, LN_E_UNSUPPORTED, "an array of records");
    refuse_npy(f, 1, "'descr': '>f4', " SHAPE, LN_E_UNSUPPORTED, "most significant byte comes first");
    refuse_npy(f, 1, "'descr': '<U1', " SHAPE, LN_E_UNSUPPORTED, "y = np.unique(names, return_inverse=True)");
    refuse_npy(f, 1, "'descr': '<c8', " SHAPE, LN_E_UNSUPPORTED, "of type '<c8'");
    refuse_npy(f, 1, "'descr': '<f4', 'fortran_order': True, 'shape': (3, 2), ", LN_E_UNSUPPORTED, "Fortran's order");
    refuse_npy(f, 1, "'descr': '<f4', 'fortran_order': False, 'shape': (), ", LN_E_UNSUPPORTED, "a single number");
    refuse_npy(f, 1, "'descr': '<f4', 'fortran_order': False, ", LN_E_FORMAT, "damaged NPY header");
    refuse_npy(f, 1, "'descr': '<f4', 'more': 1, " SHAPE, LN_E_FORMAT, "damaged NPY header");
    refuse_npy(f, 1, "'descr': '<f4', 'fortran_order': False, 'shape': (-6,), ", LN_E_FORMAT, "damaged NPY header");
    refuse_npy(f, 1, "'descr': '<f4", LN_E_FORMAT, "damaged NPY header");
    refuse_npy(f, 4, "'descr': '<f4', " SHAPE, LN_E_UNSUPPORTED, "version 4");
    assert_null(ln_npy_parse(f->context, "a.npy", "\x93NUMPY\x02\x00\xff\xff\xff\xff", 12, &(ln_error){0}));
    static const float bad[] = {1, 2, 3, (float)(0.0 / 0.0)};
    ln_error           error = {0};
    npy(&b, "<f4", "2, 2", bad, sizeof bad);
    assert_null(ln_npy_parse(f->context, "a.npy", b.bytes, b.n, &error));
    assert_non_null(strstr(error.message, "image or label 1 holds"));
    npy(&b, "<f8", "1,", (const double[]){1e39}, 8);
    assert_null(ln_npy_parse(f->context, "a.npy", b.bytes, b.n, &error));
    assert_non_null(strstr(error.message, "holds 1e+39"));
}

/* Every byte of an archive in turn is changed: an error, or data that can be used; no size or sum is believed. */
static void damage_is_told(void **state) {
    files        *f = *state;
    char          path[512];
    unsigned char bytes[4096];
    size_t        n_refused = 0;
    const size_t  n = files_get(put_npz(f, "a.npz", four, 4, ZIP_CM_STORE, path), bytes, sizeof bytes);
    for (size_t i = 0; i < n; i++) {
        ln_error error = {0};
        bytes[i] ^= 0x55;
        ln_data *const data = ln_npz_parse(f->context, "a.npz", bytes, n, false, &error);
        bytes[i] ^= 0x55;
        n_refused += !data;
        assert_true(data || (error.status != LN_OK && strstr(error.message, "a.npz")));
        ln_data_free(data);
    }
    assert_true(n_refused > n / 3);
    for (size_t cut = 0; cut < n; cut++) assert_null(ln_npz_parse(f->context, "a.npz", bytes, cut, false, NULL));
}

static void bombs_are_told(void **state) {
    files         *f = *state;
    char           path[512];
    unsigned char  bytes[4096];
    ln_error       error = {0};
    const entry    x = {"x", "|u1", "24,", pixels, 24};
    const size_t   n = files_get(put_npz(f, "a.npz", &x, 1, ZIP_CM_DEFLATE, path), bytes, sizeof bytes);
    unsigned char *central = bytes;
    while (memcmp(central, "PK\1\2", 4) != 0) central++;
    memcpy(central + 24, "\xff\xff\xff\x7f", 4); /* the unpacked size, here and in the member's own header */
    memcpy(bytes + 22, "\xff\xff\xff\x7f", 4);
    assert_null(ln_npz_parse(f->context, "a.npz", bytes, n, false, &error));
    assert_int_equal(error.status, LN_E_FORMAT);
    assert_non_null(strstr(error.message, "unpack to 2147483647"));
    const entry huge = {"x", "|u1", "4000000000,", pixels, 24};
    refuse_path(f, put_npz(f, "b.npz", &huge, 1, ZIP_CM_DEFLATE, path), NULL, LN_E_FORMAT,
                "4000000000 bytes of values, but at most 24 follow");
    size_t peak;
    ln_context_memory(f->context, NULL, &peak);
    assert_true(peak < 1000000);
    refuse_path(f, files_put(f, "c.npz", "PK\3\4 and then nothing", 22, path), NULL, LN_E_FORMAT, "a damaged NPZ file");
}

static void secrets_are_told(void **state) {
    files *f = *state;
    char   path[512];
    put_npz(f, "a.npz", four, 4, ZIP_CM_STORE, path);
    zip_t *archive = zip_open(path, 0, NULL);
    assert_non_null(archive);
    if (zip_file_set_encryption(archive, 0, ZIP_EM_AES_128, "word")) {
        zip_discard(archive);
        skip(); /* a libzip without cryptography */
    }
    assert_int_equal(zip_close(archive), 0);
    refuse_path(f, path, NULL, LN_E_UNSUPPORTED, "(train_x012.npy): encrypted");
}

static bool read_npz(files *f, void *path, ln_error *error) {
    ln_data *const data = ln_data_open(f->context, path, "train", NULL, error);
    ln_data_free(data);
    return data != NULL;
}

static void every_allocation_of_reading_may_fail(void **state) {
    files      *f = *state;
    char        path[512];
    blob        b;
    const entry last[] = {{"x", "<i2", "1, 2, 2, 3", (const int16_t[12]){0, 1, 2, -3}, 24},
                          {"y", "|u1", "1, 3", "\0\0\1", 3}};
    assert_in_range(files_fail_each(f, read_npz, (void *)(uintptr_t)put_npz(f, "a.npz", last, 2, 0, path)), 6, 20);
    npy(&b, "<i8", "2,", (const int64_t[]){0, 300}, 16);
    files_put(f, "a.npy", b.bytes, b.n, path);
    assert_in_range(files_fail_each(f, read_npz, path), 5, 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FILES_TEST(both_parts_are_read),
        FILES_TEST(own_archives_are_read),
        FILES_TEST(classes_have_names),
        FILES_TEST(names_that_cannot_be_are_told),
        FILES_TEST(names_say_what_arrays_hold),
        FILES_TEST(every_type_is_read),
        FILES_TEST(shapes_are_told_apart),
        FILES_TEST(labels_may_be_one_hot),
        FILES_TEST(strange_arrays_are_told),
        FILES_TEST(damage_is_told),
        FILES_TEST(bombs_are_told),
        FILES_TEST(secrets_are_told),
        FILES_TEST(every_allocation_of_reading_may_fail),
        FILES_TEST(writes_what_numpy_reads),
        FILES_TEST(arrays_have_any_rank),
        FILES_TEST(the_same_arrays_give_the_same_bytes),
        FILES_TEST(texts_are_numpys_characters),
        FILES_TEST(empty_arrays_are_fine),
        FILES_TEST(mistakes_are_told),
        FILES_TEST(a_full_disk_is_told),
        FILES_TEST(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
