/* Errors: sentences, their limits, and the nearest word; numbers as text in any locale. */
#include <errno.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/cpu.h"
#include "base/error.h"
#include "base/number.h"

static void version_is_one_word_and_a_number(void **state) {
    (void)state;
    const char *const version = ln_version();
    assert_int_equal(strncmp(version, "linnet ", 7), 0);
    assert_int_equal(strspn(version + 7, "0123456789."), strlen(version) - 7);
    assert_true(strlen(version) > 7);
}

static void fail_fills_and_returns(void **state) {
    (void)state;
    ln_error error = {0};
    assert_int_equal(ln_fail(&error, LN_E_SHAPE, "layer %d: %s", 3, "too small"), LN_E_SHAPE);
    assert_int_equal(error.status, LN_E_SHAPE);
    assert_string_equal(error.message, "layer 3: too small");
    assert_int_equal(ln_fail(NULL, LN_E_IO, "nobody reads this"), LN_E_IO);
    ln_fail(&error, LN_E_IO, "weights: %s", error.message); /* an error may be wrapped in itself */
    assert_string_equal(error.message, "weights: layer 3: too small");
}

static void messages_stay_one_line_and_show_where_they_were_cut(void **state) {
    (void)state;
    struct {
        ln_error error;
        char     guard[8];
    } fenced = {.guard = "fenced"};
    char text[2000];
    ln_fail(&fenced.error, LN_E_FORMAT, "a\nb\t\x1b[31m\x7fz");
    assert_string_equal(fenced.error.message, "a?b??[31m?z");
    memset(text, 'x', sizeof text);
    text[sizeof fenced.error.message - 1] = '\0'; /* just fits */
    ln_fail(&fenced.error, LN_E_FORMAT, "%s", text);
    assert_string_equal(fenced.error.message, text);
    text[sizeof fenced.error.message - 1] = 'x';
    text[sizeof text - 1] = '\0';
    ln_fail(&fenced.error, LN_E_FORMAT, "%s", text);
    assert_int_equal(strlen(fenced.error.message), sizeof fenced.error.message - 1);
    assert_string_equal(fenced.error.message + sizeof fenced.error.message - 6, "xx...");
    assert_string_equal(fenced.guard, "fenced");
}

static void memory_and_files(void **state) {
    (void)state;
    ln_error error = {0};
    assert_int_equal(ln_fail_memory(&error, "model", 4096), LN_E_MEMORY);
    assert_string_equal(
        error.message,
        "out of memory: model needs 4096 bytes more; take fewer images, a smaller batch or a smaller model, or "
        "allow the process more memory");
    errno = ENOENT;
    assert_int_equal(ln_fail_io(&error, "open", "a/b.gz"), LN_E_IO);
    assert_string_equal(error.message, "cannot open 'a/b.gz': No such file or directory");
    assert_int_equal(error.status, LN_E_IO);
}

static void nearest(void **state) {
    (void)state;
    static const char *const words[] = {"out_channels", "kernel", "stride", "padding",
                                        "groups",       "bias",   "lr",     "conv2d"};
    static const struct {
        const char *word, *nearest;
    } cases[] = {
        {"kernal", "kernel"},  /* one replaced */
        {"kernell", "kernel"}, /* one too many */
        {"kernl", "kernel"},   /* one left out */
        {"kenrel", "kernel"},  /* neighbours swapped: 1, so that two more may be wrong */
        {"ekrenl", "kernel"},  /* swap, swap = 2: a third of 6 */
        {"krenll", "kernel"},
        {"Kernel", "kernel"}, /* case counts nothing */
        {"CONV2D", "conv2d"},
        {"conv", "conv2d"}, /* a third of the longer of the two */
        {"con", NULL},      /* 3 edits of 6 */
        {"channels", "out_channels"},
        {"lt", NULL}, /* two letters: no edit allowed */
        {"lr", "lr"},
        {"", NULL},
        {"momentum", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *const found = ln_nearest(cases[i].word, words, sizeof words / sizeof *words);
        if (!found != !cases[i].nearest || (found && strcmp(found, cases[i].nearest)))
            fail_msg("'%s': found %s, wanted %s", cases[i].word, found ? found : "none",
                     cases[i].nearest ? cases[i].nearest : "none");
    }
    assert_string_equal(ln_nearest("kernel_size", words, sizeof words / sizeof *words), "kernel");
    assert_string_equal(ln_nearest("size_of_kernel", words, sizeof words / sizeof *words), "kernel");
    assert_null(ln_nearest("kernels_of", words, sizeof words / sizeof *words));
    assert_null(ln_nearest("kernel", NULL, 0));
    assert_string_equal(ln_nearest_word("kernal", words, 8), "kernel");
}

static void nearest_takes_the_least_distance_then_the_first(void **state) {
    (void)state;
    static const char *const words[] = {"abcxxf", "abcdxf", "abcdef"}, *const twins[] = {"abcdex", "abcdey"};
    assert_string_equal(ln_nearest("abcdef", words, 3), "abcdef");
    assert_string_equal(ln_nearest("abcdef", words, 2), "abcdxf");
    assert_string_equal(ln_nearest("abcdez", twins, 2), "abcdex");
}

static void nearest_of_long_words(void **state) {
    (void)state;
    char a[66], b[66];
    memset(a, 'a', sizeof a);
    memset(b, 'a', sizeof b);
    a[64] = b[64] = '\0';
    b[10] = 'b';
    const char *words[] = {b};
    assert_ptr_equal(ln_nearest(a, words, 1), b);
    a[64] = 'a';
    a[65] = '\0'; /* 65 letters: no neighbours, and no overflow */
    assert_null(ln_nearest(a, words, 1));
}

/* ---------------------------------------------------------------- numbers */

static void read_numbers(void **state) {
    (void)state;
    static const struct {
        const char *text;
        ln_status   status;
        double      value;
    } cases[] = {
        {"0", LN_OK, 0},
        {"-0", LN_OK, -0.0},
        {"1", LN_OK, 1},
        {"+1.5", LN_OK, 1.5},
        {".5", LN_OK, 0.5},
        {"5.", LN_OK, 5},
        {"1e-4", LN_OK, 1e-4},
        {"1E+3", LN_OK, 1000},
        {"0e9999", LN_OK, 0},
        {"5e-324", LN_OK, 5e-324},
        {"0.1", LN_OK, 0.1},
        {"1.7976931348623157e308", LN_OK, 1.7976931348623157e308},
        {"", LN_E_FORMAT, 0},
        {".", LN_E_FORMAT, 0},
        {"-", LN_E_FORMAT, 0},
        {"e5", LN_E_FORMAT, 0},
        {"1e", LN_E_FORMAT, 0},
        {"1e+", LN_E_FORMAT, 0},
        {"1.2.3", LN_E_FORMAT, 0},
        {"1,5", LN_E_FORMAT, 0},
        {"1 ", LN_E_FORMAT, 0},
        {" 1", LN_E_FORMAT, 0},
        {"1x", LN_E_FORMAT, 0},
        {"0x10", LN_E_FORMAT, 0},
        {"nan", LN_E_FORMAT, 0},
        {"inf", LN_E_FORMAT, 0},
        {"-inf", LN_E_FORMAT, 0},
        {"--1", LN_E_FORMAT, 0},
        {"1e999", LN_E_ARGUMENT, 0},
        {"-1e309", LN_E_ARGUMENT, 0},
        {"1e-999", LN_E_ARGUMENT, 0},
        {"-.001e-400", LN_E_ARGUMENT, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        double          value = 42;
        const ln_status status = ln_number_read(cases[i].text, &value);
        const double    wanted = cases[i].status ? 42 : cases[i].value;
        if (status != cases[i].status || memcmp(&value, &wanted, sizeof value))
            fail_msg("'%s': status %d, value %g", cases[i].text, (int)status, value);
    }
}

static void read_integers(void **state) {
    (void)state;
    static const struct {
        const char *text;
        ln_status   status;
        int64_t     value;
    } cases[] = {
        {"0", LN_OK, 0},
        {"-12", LN_OK, -12},
        {"007", LN_OK, 7},
        {"9223372036854775807", LN_OK, INT64_MAX},
        {"-9223372036854775808", LN_OK, INT64_MIN},
        {"9223372036854775808", LN_E_ARGUMENT, 0},
        {"", LN_E_FORMAT, 0},
        {"-", LN_E_FORMAT, 0},
        {"+1", LN_E_FORMAT, 0},
        {"1.0", LN_E_FORMAT, 0},
        {"1e3", LN_E_FORMAT, 0},
        {" 1", LN_E_FORMAT, 0},
        {"1 ", LN_E_FORMAT, 0},
        {"0x1", LN_E_FORMAT, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t         value = 42;
        const ln_status status = ln_integer_read(cases[i].text, &value);
        if (status != cases[i].status || value != (status ? 42 : cases[i].value))
            fail_msg("'%s': status %d, value %lld", cases[i].text, (int)status, (long long)value);
    }
}

static void assert_reads_back(double value) {
    char   text[LN_NUMBER_TEXT];
    double back = 0;
    ln_number_print(value, text);
    if (ln_number_read(text, &back) != LN_OK || memcmp(&back, &value, sizeof value))
        fail_msg("%a is printed as %s, which reads as %a", value, text, back);
}

static void printed_numbers_are_short_and_read_back(void **state) {
    (void)state;
    static const struct {
        double      value;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-0.0, "-0"},
        {1, "1"},
        {0.1, "0.1"},
        {9.95, "9.95"},
        {-2.5, "-2.5"},
        {1e-4, "0.0001"},
        {1e300, "1e+300"},
        {1.0 / 3, "0.3333333333333333"},
        {0.1 + 0.2, "0.30000000000000004"},
        {123456789012345678., "1.2345678901234568e+17"},
    };
    char text[LN_NUMBER_TEXT];
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(ln_number_print(cases[i].value, text), cases[i].text);
    uint64_t bits = 1;
    for (int i = 0; i < 20000; i++) {
        double value;
        bits = bits * 6364136223846793005u + 1442695040888963407u;
        memcpy(&value, &bits, sizeof value);
        if ((bits >> 52 & 0x7ff) != 0x7ff) assert_reads_back(value);
    }
    const uint64_t mode = ln_fp_enter(); /* denormals compare equal to 0 here */
    assert_reads_back(5e-324);
    assert_reads_back(1.2345678901234567e-310);
    ln_fp_leave(mode);
}

static void numbers_in_a_locale_with_decimal_commas(void **state) {
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8",  "fr_FR.UTF-8",
                                        "nl_NL.UTF-8", "es_ES.UTF-8", "de_DE"};
    size_t                   i = 0;
    char                     text[LN_NUMBER_TEXT];
    ln_error                 error;
    double                   value = 0;
    while (i < sizeof names / sizeof *names && !setlocale(LC_ALL, names[i])) i++;
    if (i == sizeof names / sizeof *names) skip();
    assert_string_equal(localeconv()->decimal_point, ",");
    assert_int_equal(ln_number_read("1.5", &value), LN_OK);
    assert_true(value == 1.5);
    assert_int_equal(ln_number_read("1,5", &value), LN_E_FORMAT);
    assert_string_equal(ln_number_print(0.25, text), "0.25");
    ln_fail(&error, LN_E_IO, "%g", 0.5);
    assert_string_equal(error.message, "0.5");
    errno = ENOENT;
    ln_fail_io(&error, "open", "x");
    assert_string_equal(error.message, "cannot open 'x': No such file or directory");
    assert_string_equal(localeconv()->decimal_point, ","); /* the program's locale is its own */
    setlocale(LC_ALL, "C");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(version_is_one_word_and_a_number),
        cmocka_unit_test(fail_fills_and_returns),
        cmocka_unit_test(messages_stay_one_line_and_show_where_they_were_cut),
        cmocka_unit_test(memory_and_files),
        cmocka_unit_test(nearest),
        cmocka_unit_test(nearest_takes_the_least_distance_then_the_first),
        cmocka_unit_test(nearest_of_long_words),
        cmocka_unit_test(read_numbers),
        cmocka_unit_test(read_integers),
        cmocka_unit_test(printed_numbers_are_short_and_read_back),
        cmocka_unit_test(numbers_in_a_locale_with_decimal_commas),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
