/* CSV files: read to the value, or refused with file, line and column, never anything else. */
#include "harness/files.h"

#include "data/csv.h"

#include <math.h>
#include <zlib.h>

static ln_data *parse_bytes(files *f, const char *text, size_t n, ln_error *error) {
    return ln_csv_parse(f->context, "a.csv", text, n, error);
}

static ln_data *parse(files *f, const char *text) {
    ln_error error = {0};
    ln_data *data = parse_bytes(f, text, strlen(text), &error);
    if (!data) fail_msg("%s", error.message);
    return data;
}

static void check_shape(const ln_data *data, size_t n, size_t count, bool is_float, int n_classes) {
    const ln_data_info info = ln_data_describe(data);
    assert_int_equal(info.n, n);
    assert_int_equal(info.c, count);
    assert_int_equal(info.h * info.w, 1);
    assert_int_equal(info.is_float, is_float);
    assert_int_equal(info.has_labels, n_classes > 0);
    assert_int_equal(info.n_classes, n_classes);
}

static void check_bytes(files *f, const char *text, const char *values, const char *labels) {
    ln_data *const data = parse(f, text);
    const size_t   n = ln_data_describe(data).n, count = strlen(values) / n;
    assert_false(ln_data_describe(data).is_float);
    assert_int_equal(ln_data_describe(data).c, count);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < count; j++)
            assert_int_equal(((const uint8_t *)ln_data_image(data, i))[j], values[i * count + j] - '0');
        assert_int_equal(ln_data_label(data, i), labels ? labels[i] - '0' : -1);
    }
    ln_data_free(data);
}

/* --------------------------------------------------------------- what is read */

static void kaggles_three_forms(void **state) {
    files *f = *state;
    check_bytes(f, "label,pixel0,pixel1\n3,0,7\n1,9,5\n", "0795", "31"); /* train.csv */
    check_bytes(f, "pixel0,pixel1\n0,7\n9,5\n", "0795", NULL);           /* test.csv */
    check_bytes(f, "ImageId,Label\n1,2\n2,0\n", "12", "20");             /* sample_submission.csv */
}

static void points_have_their_label_last(void **state) {
    files         *f = *state;
    ln_data *const data = parse(f, "x,y,label\n0.5,-1.25,1\n-3e-2,.5,0\n");
    const float    wanted[2][2] = {{0.5f, -1.25f}, {-0.03f, 0.5f}};
    check_shape(data, 2, 2, true, 2);
    assert_memory_equal(ln_data_image(data, 0), wanted[0], sizeof wanted[0]);
    assert_memory_equal(ln_data_image(data, 1), wanted[1], sizeof wanted[1]);
    assert_int_equal(ln_data_label(data, 0), 1);
    assert_int_equal(ln_data_label(data, 1), 0);
    ln_data_free(data);
    check_bytes(f, "x,y\n1,2\n3,4\n", "1234", NULL); /* y beside x is no label */
    check_bytes(f, "x1,y\n1,2\n3,4\n", "13", "24");
    check_bytes(f, "a,CLASS,b\n1,2,3\n4,5,6\n", "1346", "25");
    check_bytes(f, "a,target\n1,2\n", "1", "2");
}

static void without_a_header(void **state) {
    files *f = *state;
    check_bytes(f, "3,0,7,0\n1,9,5,0\n", "070950", "31"); /* the last column is always the same */
    check_bytes(f, "5,3,0\n5,4,1\n", "5354", "01");       /* so is the first one */
    check_bytes(f, "5,3,0\n5,4,0\n", "530540", NULL);
    check_bytes(f, "3,1\n1,2\n", "12", "31"); /* either could be: the first */
    check_bytes(f, "7\n8\n", "78", NULL);
    ln_data *const data = parse(f, "0.5,1\n3,0\n");
    check_shape(data, 2, 1, true, 2);
    ln_data_free(data);
}

static void lines_as_programs_write_them(void **state) {
    files *f = *state;
    check_bytes(f, "\xef\xbb\xbflabel,a\r\n1,2\r\n0,3\r\n", "23", "10");
    check_bytes(f, "\n  \n\"label\" , \"a,\"\"b\"\"\"\n\n\"1\",\" 2 \"\n 0 ,3 ", "23", "10");
    check_bytes(f, "label;a\n1;2\n0;3\n", "23", "10");
    check_bytes(f, "label\ta\n1\t2\n0\t3", "23", "10");
    check_bytes(f, "label,a\n1.0,2e0\n00,+3\n", "23", "10");
    check_bytes(f, "label,0,1\n1,2,3\n", "23", "1"); /* pandas numbers its columns */
}

static void other_numbers_are_floats(void **state) {
    files                   *f = *state;
    static const char *const texts[] = {"256",
                                        "-1",
                                        "0.5",
                                        "1e2",
                                        "123456789.123456789",
                                        "0.1",
                                        "3.4028234e38",
                                        "1e-50",
                                        "16777217",
                                        "0.30000001192092896",
                                        "9007199254740993"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char text[128];
        snprintf(text, sizeof text, "a,b\n0,7\n%s,7\n200,%s\n", texts[i], texts[i]);
        ln_data *const data = parse(f, text);
        const bool     is_byte = strcmp(texts[i], "1e2") == 0;
        const float    wanted = (float)strtod(texts[i], NULL);
        check_shape(data, 3, 2, !is_byte, 0);
        if (!is_byte) {
            const float images[3][2] = {{0, 7}, {wanted, 7}, {200, wanted}};
            for (size_t k = 0; k < 3; k++) assert_memory_equal(ln_data_image(data, k), images[k], sizeof images[k]);
        }
        ln_data_free(data);
    }
}

/* Digits by the short way and by ln_number_read must agree, for every count of digits before and after the point. */
static void decimals_are_rounded_once(void **state) {
    files *f = *state;
    for (int i = 0; i < 20; i++)
        for (int k = 1; k < 18; k++) {
            char text[96], number[48];
            snprintf(number, sizeof number, "%.*f", k, ldexp(1.0 / 3 + i * 0.77, i));
            snprintf(text, sizeof text, "a\n%s\n", number);
            ln_data *const data = parse(f, text);
            assert_true(ln_data_describe(data).is_float);
            const float wanted = (float)strtod(number, NULL);
            assert_memory_equal(ln_data_image(data, 0), &wanted, sizeof wanted);
            ln_data_free(data);
        }
}

/* A line that is longer than what is read at once, so that lines end anywhere in it. */
static void long_lines_and_many(void **state) {
    enum { COUNT = 150000, ROWS = 5 };
    files *f = *state;
    char  *text = malloc((size_t)4 * COUNT * ROWS + 1), *at = text;
    assert_non_null(text);
    for (size_t i = 0; i < ROWS; i++)
        for (size_t j = 0; j < COUNT; j++) {
            const unsigned x = (unsigned)((i * 31 + j * 7) % 256);
            if (x > 99) *at++ = (char)('0' + x / 100);
            if (x > 9) *at++ = (char)('0' + x / 10 % 10);
            *at++ = (char)('0' + x % 10);
            *at++ = j + 1 < COUNT ? ',' : '\n';
        }
    ln_data *const data = parse_bytes(f, text, (size_t)(at - text) - 1, NULL); /* the last line does not end */
    assert_non_null(data);
    check_shape(data, ROWS, COUNT - 1, false, 125);
    for (size_t i = 0; i < ROWS; i++) {
        const uint8_t *const x = ln_data_image(data, i);
        assert_int_equal(ln_data_label(data, i), i * 31 % 256);
        for (size_t j = 1; j < COUNT; j++)
            if (x[j - 1] != (i * 31 + j * 7) % 256) fail_msg("row %zu column %zu: %d", i, j, x[j - 1]);
    }
    ln_data_free(data);
    free(text);
}

static void opens_by_content(void **state) {
    files            *f = *state;
    static const char text[] = "label,a,b\n3,0,7\n1,9,5\n";
    char              path[512], name[520];
    ln_error          error = {0};
    gzFile            zipped = gzopen(files_path(f, "x.dat", path), "wb");
    assert_int_equal(gzwrite(zipped, text, sizeof text - 1), sizeof text - 1);
    assert_int_equal(gzclose(zipped), Z_OK);
    ln_data *data = ln_data_open(f->context, path, "train", NULL, &error);
    if (!data) fail_msg("%s", error.message);
    check_shape(data, 2, 2, false, 4);
    ln_data_free(data);
    data = ln_data_open(f->context, files_put(f, "y.idx", text, sizeof text - 1, path), "test", NULL, &error);
    if (!data) fail_msg("%s", error.message);
    check_shape(data, 2, 2, false, 4);
    ln_data_free(data);
    snprintf(name, sizeof name, "%s:test", path);
    assert_null(ln_data_open(f->context, name, "train", NULL, &error));
    assert_int_equal(error.status, LN_E_ARGUMENT);
    assert_non_null(strstr(error.message, "CSV has no parts"));
}

/* MNIST's test images as CSV, read back to the byte. */
static void mnist_comes_back(void **state) {
    enum { N = 500 };
    files   *f = *state;
    char     path[512];
    ln_error error = {0};
    ln_data *mnist = ln_data_open(f->context, "mnist:test", NULL, LN_SOURCE_DIR "/data", &error);
    FILE    *file = fopen(files_path(f, "mnist.csv", path), "w");
    if (!mnist) fail_msg("%s", error.message);
    assert_non_null(file);
    fputs("label", file);
    for (int j = 0; j < 784; j++) fprintf(file, ",pixel%d", j);
    for (size_t i = 0; i < N; i++) {
        fprintf(file, "\n%d", ln_data_label(mnist, i));
        for (int j = 0; j < 784; j++) fprintf(file, ",%d", ((const uint8_t *)ln_data_image(mnist, i))[j]);
    }
    fclose(file);
    ln_data *const data = ln_data_open(f->context, path, NULL, NULL, &error);
    if (!data) fail_msg("%s", error.message);
    check_shape(data, N, 784, false, 10);
    assert_int_equal(ln_data_reshape(data, 1, 28, 28, &error), LN_OK);
    assert_int_equal(ln_data_describe(data).h, 28);
    for (size_t i = 0; i < N; i++) {
        assert_int_equal(ln_data_label(data, i), ln_data_label(mnist, i));
        assert_memory_equal(ln_data_image(data, i), ln_data_image(mnist, i), 784);
    }
    assert_int_equal(ln_data_reshape(data, 3, 28, 28, &error), LN_E_SHAPE);
    assert_int_equal(ln_data_reshape(data, SIZE_MAX, 2, 392, &error), LN_E_SHAPE);
    assert_int_equal(ln_data_describe(data).c, 1);
    ln_data_free(data);
    ln_data_free(mnist);
}

/* ------------------------------------------------------------ what is refused */

static void refuse_bytes(files *f, const char *text, size_t n, const char *words) {
    ln_error error = {0};
    assert_null(parse_bytes(f, text, n, &error));
    assert_int_equal(error.status, LN_E_FORMAT);
    if (!strstr(error.message, words)) fail_msg("'%s' lacks '%s'", error.message, words);
}

static void refuse(files *f, const char *text, const char *words) { refuse_bytes(f, text, strlen(text), words); }

static void mistakes_name_line_and_column(void **state) {
    files *f = *state;
    refuse(f, "", "a.csv: the file is empty");
    refuse(f, " \r\n\n", "a.csv: the file is empty");
    refuse(f, "label,a\n", "a.csv: a header and nothing else");
    refuse(f, "label,a\n1,2\n\n1\n", "a.csv:4: 1 columns, but line 1 has 2");
    refuse(f, "\nlabel,a\n1,2,3\n", "a.csv:3: 3 columns, but line 2 has 2");
    refuse(f, "label,a\n1,2,\n", "a.csv:2: 3 columns, but line 1 has 2");
    refuse(f, "label,a\n1,\n", "a.csv:2: column 2 (a) is empty, but a number was wanted");
    refuse(f, "label,a\n1,2\n1,two\n", "a.csv:3: column 2 (a) is 'two', but a number was wanted");
    refuse(f, "1,2\n1,2 3\n", "a.csv:2: column 2 is '2 3', but a number was wanted");
    refuse(f, "1,2\n1,nan\n", "column 2 is 'nan'");
    refuse(f, "1,2\n1,inf\n", "column 2 is 'inf'");
    refuse(f, "1,2\n1,0x10\n", "column 2 is '0x10'");
    refuse(f, "1,2\n1,1e39\n", "column 2 is '1e39'");
    refuse(f, "1,2\n1,\"3\n", "column 2 is '\"3'");
    refuse(f, "1,2\n1,--3\n", "column 2 is '--3'");
    refuse(f, "1,2\n1,-\n", "column 2 is '-'");
    refuse(f, "1,2\n1,\x1b[2J\n", "column 2 is '?[2J'");
    refuse(f, "label,a\n1.5,2\n", "a.csv:2: column 1 (label) is '1.5', but a whole number from 0 to 255");
    refuse(f, "label,a\n256,2\n", "column 1 (label) is '256'");
    refuse(f, "label,a\n-1,2\n", "column 1 (label) is '-1'");
    refuse(f, "1,x,2\n1,2,3\n", "a.csv:1: column 2 is 'x', but a number, or else a header of names,");
    refuse(f, ",a,label\n0,1,2\n", "a.csv:1: column 1 has no name");
    refuse(f, "label,a,class\n0,1,2\n", "a.csv:1: columns 1 and 3 are both named as labels");
    refuse(f, "label\n1\n2\n", "labels and nothing else");
    refuse_bytes(f, "1,2\n1,\0\n", 8, "column 2 is '?'");
    refuse_bytes(f, "1,2\n1,3\0\n", 9, "column 2 is '3?'");
}

/* Many columns announced over many short lines must not take memory for all of them. */
static void memory_is_bounded_by_the_file(void **state) {
    enum { COLUMNS = 10000, LINES = 100000 };
    files *f = *state;
    char  *text = malloc(2 * COLUMNS + LINES);
    size_t peak;
    assert_non_null(text);
    for (size_t i = 0; i < COLUMNS; i++) memcpy(text + 2 * i, "1,", 2);
    text[2 * COLUMNS - 1] = '\n';
    memset(text + 2 * COLUMNS, '\n', LINES);
    ln_data *const data = parse_bytes(f, text, 2 * COLUMNS + LINES, NULL);
    assert_non_null(data);
    ln_context_memory(f->context, NULL, &peak);
    assert_true(peak < 1000000);
    ln_data_free(data);
    free(text);
}

static bool open_text(files *f, void *path, ln_error *error) {
    ln_data *const data = ln_data_open(f->context, path, NULL, NULL, error);
    ln_data_free(data);
    return data != NULL;
}

static bool open_part(files *f, void *path, ln_error *error) {
    ln_data *const data = ln_data_open(f->context, path, NULL, NULL, error);
    assert_null(data);
    return error->status == LN_E_ARGUMENT;
}

static void every_allocation_may_fail(void **state) {
    files            *f = *state;
    static const char text[] = "label,a,b\n3,0,7\n1,9,0.5\n";
    char              path[512];
    files_put(f, "a.csv", text, sizeof text - 1, path);
    assert_in_range(files_fail_each(f, open_text, path), 10, 30);
    strcat(path, ":train");
    assert_in_range(files_fail_each(f, open_part, path), 2, 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FILES_TEST(kaggles_three_forms),
        FILES_TEST(points_have_their_label_last),
        FILES_TEST(without_a_header),
        FILES_TEST(lines_as_programs_write_them),
        FILES_TEST(other_numbers_are_floats),
        FILES_TEST(decimals_are_rounded_once),
        FILES_TEST(long_lines_and_many),
        FILES_TEST(opens_by_content),
        FILES_TEST(mnist_comes_back),
        FILES_TEST(mistakes_name_line_and_column),
        FILES_TEST(memory_is_bounded_by_the_file),
        FILES_TEST(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
