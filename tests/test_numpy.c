/* Arrays that NumPy saved, to the value, and back: what linnet makes of them has the members, byte for byte, that NumPy
 * has been seen to read the same arrays from (arrays/make.py). */
#include "harness/files.h"

#include "linnet.h"

#include <zip.h>

enum { ROOM = 4096 };

static const struct {
    const char *name, *back;
    size_t      n, c, h, w;
    bool        is_float, has_labels;
} cases[] = {{"bytes.npz", "back-bytes.npz", 5, 1, 4, 5, false, true},
             {"floats.npz", "back-floats.npz", 6, 3, 4, 2, true, true},
             {"names.npz", "back-names.npz", 3, 1, 2, 5, false, true},
             {"channels_last.npy", "back-channels_last.npz", 4, 3, 6, 5, false, false},
             {"doubles.npy", "back-doubles.npz", 5, 8, 1, 1, true, false},
             {"signs.npy", "back-signs.npz", 3, 1, 3, 3, true, false}};

static const char *fixture(const char *name, const char *more, char path[512]) {
    snprintf(path, 512, "%s/tests/arrays/%s%s", LN_SOURCE_DIR, name, more);
    return path;
}

static ln_data *open_case(files *f, const char *name, const char *split) {
    char           path[512];
    ln_error       error = {0};
    ln_data *const data = ln_data_open(f->context, fixture(name, "", path), split, NULL, &error);
    if (!data) fail_msg("%s", error.message);
    return data;
}

static void numpys_files_are_read_to_the_value(void **state) {
    files *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char               path[512];
        unsigned char      wanted[ROOM];
        ln_data *const     data = open_case(f, cases[i].name, "train");
        const ln_data_info d = ln_data_describe(data);
        assert_int_equal(d.n, cases[i].n);
        assert_true(d.c == cases[i].c && d.h == cases[i].h && d.w == cases[i].w);
        assert_int_equal(d.is_float, cases[i].is_float);
        const size_t image = d.c * d.h * d.w * (d.is_float ? sizeof(float) : 1);
        assert_int_equal(files_get(fixture(cases[i].name, ".values", path), wanted, ROOM), d.n * image);
        for (size_t k = 0; k < d.n; k++) assert_memory_equal(ln_data_image(data, k), wanted + k * image, image);
        assert_int_equal(d.has_labels, cases[i].has_labels);
        if (d.has_labels) assert_int_equal(files_get(fixture(cases[i].name, ".labels", path), wanted, ROOM), d.n);
        for (size_t k = 0; d.has_labels && k < d.n; k++) assert_int_equal(ln_data_label(data, k), wanted[k]);
        ln_data_free(data);
    }
}

static zip_int64_t unpack(zip_t *archive, zip_int64_t i, unsigned char bytes[ROOM]) {
    zip_file_t *const file = zip_fopen_index(archive, (zip_uint64_t)i, 0);
    assert_non_null(file);
    const zip_int64_t n = zip_fread(file, bytes, ROOM);
    assert_int_equal(zip_fclose(file), 0);
    return n;
}

/* The same members with the same bytes: how they are packed is zlib's business. */
static void check_same_members(const char *made, const char *kept) {
    zip_t *const a = zip_open(made, ZIP_RDONLY, NULL), *const b = zip_open(kept, ZIP_RDONLY, NULL);
    assert_true(a && b);
    const zip_int64_t n = zip_get_num_entries(b, 0);
    assert_int_equal(zip_get_num_entries(a, 0), n);
    for (zip_int64_t i = 0; i < n; i++) {
        unsigned char     x[ROOM], y[ROOM];
        const zip_int64_t n_bytes = unpack(b, i, y);
        assert_string_equal(zip_get_name(a, (zip_uint64_t)i, 0), zip_get_name(b, (zip_uint64_t)i, 0));
        assert_int_equal(unpack(a, i, x), n_bytes);
        assert_memory_equal(x, y, (size_t)n_bytes);
    }
    zip_discard(a);
    zip_discard(b);
}

static void numpy_reads_what_is_written(void **state) {
    files *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char           made[512], kept[512];
        ln_data *const data = open_case(f, cases[i].name, "train");
        ln_data *const test = strcmp(cases[i].name, "bytes.npz") == 0 ? open_case(f, cases[i].name, "test") : NULL;
        assert_int_equal(ln_data_write(f->context, files_path(f, "a.npz", made), data, test, NULL), LN_OK);
        check_same_members(made, fixture(cases[i].back, "", kept));
        ln_data_free(data);
        ln_data_free(test);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {FILES_TEST(numpys_files_are_read_to_the_value),
                                       FILES_TEST(numpy_reads_what_is_written)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
