/* NPZ files: read back through libzip, header and values to the byte. */
#include "harness/files.h"

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
                            {.name = NULL, .n = 1, .k = 1, .floats = floats}};
    files_path(f, "a.npz", path);
    for (size_t i = 0; i < 4; i++) assert_int_equal(ln_npz_write(f->context, path, &bad[i], 1, &error), LN_E_ARGUMENT);
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

int main(void) {
    const struct CMUnitTest tests[] = {
        FILES_TEST(writes_what_numpy_reads), FILES_TEST(the_same_arrays_give_the_same_bytes),
        FILES_TEST(empty_arrays_are_fine),   FILES_TEST(mistakes_are_told),
        FILES_TEST(a_full_disk_is_told),     FILES_TEST(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
