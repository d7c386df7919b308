/* Data sets as files: every format reads back to the same values and labels, what it cannot hold is refused, and
 * nothing is left behind when writing fails. */
#include "harness/files.h"

#include "data/data.h"

#include <math.h>

enum { N = 12, MOST = 3 * 4 * 5 };

/* Three channels of 4×5, labels 0 to 11 but for gaps; floats are those a decimal must be long for. */
typedef struct sets {
    uint8_t bytes[N * MOST], labels[N];
    float   floats[N * MOST];
} sets;

static sets made(void) {
    sets s;
    for (size_t i = 0; i < N * MOST; i++) {
        s.bytes[i] = (uint8_t)(i * 89 + i / 7);
        s.floats[i] = ldexpf(1.0f / (float)(i + 3), (int)(i % 50) - 25) * (i % 3 ? 1.0f : -1.0f);
    }
    for (size_t i = 0; i < N; i++) s.labels[i] = (uint8_t)(i * 5 % 12);
    return s;
}

static ln_data *open_good(files *f, const char *path, const char *split) {
    ln_error       error = {0};
    ln_data *const data = ln_data_open(f->context, path, split, NULL, &error);
    if (!data) fail_msg("%s", error.message);
    return data;
}

/* Values, shape and labels; the shape too when `shaped`. */
static void check_same(const ln_data *a, const ln_data *b, bool shaped) {
    const ln_data_info x = ln_data_describe(a), y = ln_data_describe(b);
    const size_t       count = x.c * x.h * x.w;
    assert_int_equal(x.n, y.n);
    assert_int_equal(x.is_float, y.is_float);
    assert_int_equal(x.has_labels, y.has_labels);
    assert_int_equal(count, y.c * y.h * y.w);
    if (shaped) assert_true(x.c == y.c && x.h == y.h && x.w == y.w);
    for (size_t i = 0; i < x.n; i++) {
        assert_memory_equal(ln_data_image(a, i), ln_data_image(b, i), count * (x.is_float ? sizeof(float) : 1));
        if (x.has_labels)
            assert_int_equal(ln_data_class(a, ln_data_label(a, i)), ln_data_class(b, ln_data_label(b, i)));
    }
}

static void write_good(files *f, const char *path, const ln_data *data, const ln_data *test) {
    ln_error error = {0};
    if (ln_data_write(f->context, path, data, test, &error) != LN_OK) fail_msg("%s", error.message);
}

static void round_trip(files *f, const char *written, const char *read, const ln_data *data, bool shaped) {
    char path[512];
    write_good(f, files_path(f, written, path), data, NULL);
    ln_data *const back = open_good(f, files_path(f, read, path), NULL);
    check_same(data, back, shaped);
    ln_data_free(back);
}

static void bytes_come_back(void **state) {
    files     *f = *state;
    const sets s = made();
    for (size_t labels = 0; labels < 2; labels++) {
        const uint8_t *const l = labels ? s.labels : NULL;
        ln_data *const       grey = ln_data_from_bytes(f->context, s.bytes, l, N, 1, 4, 5, NULL);
        ln_data *const       colour = ln_data_from_bytes(f->context, s.bytes, l, N, 3, 4, 5, NULL);
        round_trip(f, labels ? "a.idx" : "b.idx", labels ? "a-images-idx3-ubyte" : "b-images-idx3-ubyte", grey, true);
        round_trip(f, labels ? "c.idx.gz" : "d.idx.gz", labels ? "c-images-idx4-ubyte.gz" : "d-images-idx4-ubyte.gz",
                   colour, true);
        round_trip(f, "x.npz", "x.npz", grey, true);
        round_trip(f, "x.npz", "x.npz", colour, true);
        round_trip(f, "x.csv", "x.csv", colour, false);
        ln_data_free(grey);
        ln_data_free(colour);
    }
    assert_int_equal(files_count(f->folder), 2 + 6);
}

static void floats_come_back(void **state) {
    files         *f = *state;
    const sets     s = made();
    ln_data *const data = ln_data_from_floats(f->context, s.floats, s.labels, N, 3, 4, 5, NULL);
    ln_data *const points = ln_data_from_floats(f->context, s.floats, NULL, N * MOST / 2, 2, 1, 1, NULL);
    ln_data *const narrow = ln_data_from_floats(f->context, s.floats, s.labels, N, 5, 4, 3, NULL);
    round_trip(f, "x.npz", "x.npz", data, true);
    round_trip(f, "x.csv", "x.csv", data, false);
    round_trip(f, "x.npz", "x.npz", points, true);
    round_trip(f, "x.csv", "x.csv", points, true);
    round_trip(f, "x.npz", "x.npz", narrow, false); /* three columns could be channels: a row an image instead */
    ln_data_free(data);
    ln_data_free(points);
    ln_data_free(narrow);
}

/* A part of the rows and of the classes, in an order of its own: the labels stay those of the file. */
static void views_are_gathered(void **state) {
    static const char *const names[][2] = {
        {"a.npz", "a.npz"}, {"a.csv", "a.csv"}, {"a-images-idx3-ubyte.gz", "a-images-idx3-ubyte.gz"}};
    files         *f = *state;
    const sets     s = made();
    ln_data *const data = ln_data_from_bytes(f->context, s.bytes, s.labels, N, 1, 4, 5, NULL);
    assert_int_equal(ln_data_keep_rows(data, 2, 9, NULL), LN_OK);
    assert_int_equal(ln_data_keep_classes(data, (const int[]){9, 1, 3}, 3, NULL), LN_OK);
    assert_int_equal(ln_data_describe(data).n, 3);
    for (size_t i = 0; i < 3; i++) round_trip(f, names[i][0], names[i][1], data, i != 1);
    ln_data_free(data);
}

static void both_parts_are_kept(void **state) {
    files         *f = *state;
    const sets     s = made();
    char           path[512];
    ln_error       error = {0};
    ln_data *const train = ln_data_from_bytes(f->context, s.bytes, s.labels, N, 1, 4, 5, NULL);
    ln_data *const test = ln_data_from_bytes(f->context, s.bytes + 7, s.labels + 4, 5, 1, 4, 5, NULL);
    write_good(f, files_path(f, "x.npz", path), train, test);
    ln_data *const back[] = {open_good(f, path, "train"), open_good(f, path, "test")};
    check_same(train, back[0], true);
    check_same(test, back[1], true);
    assert_int_equal(ln_data_write(f->context, files_path(f, "x.csv", path), train, test, &error), LN_E_ARGUMENT);
    assert_non_null(strstr(error.message, "only one part"));
    ln_data_free(back[0]), ln_data_free(back[1]);
    ln_data_free(train), ln_data_free(test);
}

/* A folder for each label that there is, with leading zeros; pictures by their numbers. */
static void pictures_come_back(void **state) {
    files     *f = *state;
    const sets s = made();
    char       path[512], name[64];
    for (size_t c = 1; c < 4; c += 2) {
        ln_data *const data = ln_data_from_bytes(f->context, s.bytes, s.labels, N, c, 4, 5, NULL);
        assert_int_equal(ln_data_keep_rows(data, 0, 11, NULL), LN_OK); /* label 7 has none left */
        write_good(f, files_path(f, c == 1 ? "grey/" : "new/", path), data, NULL);
        assert_int_equal(files_count(path), 11);
        for (size_t i = 0; i < 11; i++) {
            snprintf(name, sizeof name, "%s/%02d/%05zu.png", c == 1 ? "grey" : "new", ln_data_label(data, i), i + 1);
            ln_data *const back = ln_data_from_picture(f->context, files_path(f, name, path), c, 4, 5, NULL, NULL);
            assert_non_null(back);
            assert_memory_equal(ln_data_image(back, 0), ln_data_image(data, i), c * 20);
            ln_data_free(back);
        }
        ln_data_free(data);
    }
    assert_int_equal(files_count(f->folder), 2);
}

static void refuse(files *f, const char *name, const ln_data *data, const char *words) {
    char         path[512];
    ln_error     error = {0};
    const size_t n = files_count(f->folder);
    assert_int_equal(ln_data_write(f->context, files_path(f, name, path), data, NULL, &error), LN_E_ARGUMENT);
    if (!strstr(error.message, words)) fail_msg("'%s' lacks '%s'", error.message, words);
    assert_non_null(strstr(error.message, path));
    assert_int_equal(files_count(f->folder), n);
}

static void what_cannot_be_is_refused(void **state) {
    files         *f = *state;
    const sets     s = made();
    char           path[512];
    ln_data *const floats = ln_data_from_floats(f->context, s.floats, NULL, N, 1, 4, 5, NULL);
    ln_data *const bytes = ln_data_from_bytes(f->context, s.bytes, NULL, N, 2, 4, 5, NULL);
    ln_data *const grey = ln_data_from_bytes(f->context, s.bytes, NULL, N, 1, 4, 5, NULL);
    ln_data *const rows = ln_data_from_bytes(f->context, s.bytes, NULL, N, 20, 1, 1, NULL);
    refuse(f, "a.idx", floats, "floats, but IDX holds bytes: write .npz or .csv");
    refuse(f, "a/", floats, "floats, but PNG pictures hold bytes");
    refuse(f, "a/", bytes, "2x4x5 are no pictures");
    refuse(f, "a/", rows, "20x1x1 are no pictures");
    refuse(f, "a", bytes, "says no format");
    refuse(f, "a.npy", bytes, "says no format");
    refuse(f, "images-idx3-ubyte", bytes, "rank 4, whose name holds images-idx4");
    refuse(f, "a-idx3-ubyte.gz", grey, "call it so, or PATH.idx");
    files_put(f, "labels-idx1-ubyte", "", 0, path);
    refuse(f, "images-idx3-ubyte", grey, "would be read with those of");
    mkdir(files_path(f, "full", path), 0777);
    files_put(f, "full/x", "", 0, path);
    refuse(f, "full/", grey, "not empty");
    ln_data_free(floats), ln_data_free(bytes), ln_data_free(grey), ln_data_free(rows);
}

static void values_that_are_no_numbers_are_told(void **state) {
    files         *f = *state;
    const float    values[4] = {0, 1, INFINITY, 2};
    ln_data *const data = ln_data_from_floats(f->context, values, NULL, 2, 2, 1, 1, NULL);
    char           path[512];
    ln_error       error = {0};
    assert_int_equal(ln_data_write(f->context, files_path(f, "a.csv", path), data, NULL, &error), LN_E_NOT_FINITE);
    assert_non_null(strstr(error.message, "value 0 of image 1"));
    assert_int_equal(files_count(f->folder), 0);
    ln_data_free(data);
}

/* What was there stays as it was. */
static void a_failure_leaves_nothing(void **state) {
    static const char *const names[] = {"no/a.npz", "no/a.csv", "no/a.idx", "no/a.idx.gz", "no/a/", "/proc/x/", ""};
    files                   *f = *state;
    const sets               s = made();
    ln_data *const           data = ln_data_from_bytes(f->context, s.bytes, s.labels, N, 1, 4, 5, NULL);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char     path[512];
        ln_error error = {0};
        files_path(f, names[i], path);
        const char *const to = names[i][0] == '/' || !names[i][0] ? names[i] : path;
        assert_int_equal(ln_data_write(f->context, to, data, NULL, &error), *to ? LN_E_IO : LN_E_ARGUMENT);
    }
    assert_int_equal(files_count(f->folder), 0);
    ln_data_free(data);
}

typedef struct attempt {
    ln_data *data;
    char     path[512];
} attempt;

static bool try_to_write(files *f, void *argument, ln_error *error) {
    const attempt *const a = argument;
    return ln_data_write(f->context, a->path, a->data, NULL, error) == LN_OK;
}

static void every_allocation_may_fail(void **state) {
    static const char *const names[] = {"a.npz", "a.csv", "a.idx", "b.idx.gz", "c/"};
    files                   *f = *state;
    const sets               s = made();
    attempt                  a = {.data = ln_data_from_bytes(f->context, s.bytes, s.labels, N, 1, 4, 5, NULL)};
    assert_int_equal(ln_data_keep_rows(a.data, 1, 5, NULL), LN_OK);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        files_path(f, names[i], a.path);
        if (i < 4) assert_in_range(files_fail_each(f, try_to_write, &a), 5, 40);
        else assert_in_range(files_fail_each(f, try_to_write, &a), 2, 10);
    }
    ln_data_free(a.data);
}

static void a_picture_is_written(void **state) {
    files     *f = *state;
    const sets s = made();
    char       path[512];
    ln_error   error = {0};
    assert_int_equal(ln_picture_write(f->context, files_path(f, "a.png", path), s.bytes, 3, 4, 5, &error), LN_OK);
    ln_data *const back = ln_data_from_picture(f->context, path, 3, 4, 5, NULL, NULL);
    assert_non_null(back);
    assert_memory_equal(ln_data_image(back, 0), s.bytes, 60);
    ln_data_free(back);
    assert_int_equal(ln_picture_write(f->context, path, s.bytes, 2, 4, 5, &error), LN_E_SHAPE);
    assert_int_equal(ln_picture_write(f->context, path, s.bytes, 1, 0, 5, &error), LN_E_SHAPE);
    assert_int_equal(ln_picture_write(f->context, "/dev/full", s.bytes, 1, 4, 5, &error), LN_E_IO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FILES_TEST(bytes_come_back),
        FILES_TEST(floats_come_back),
        FILES_TEST(views_are_gathered),
        FILES_TEST(both_parts_are_kept),
        FILES_TEST(pictures_come_back),
        FILES_TEST(what_cannot_be_is_refused),
        FILES_TEST(values_that_are_no_numbers_are_told),
        FILES_TEST(a_failure_leaves_nothing),
        FILES_TEST(every_allocation_may_fail),
        FILES_TEST(a_picture_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
