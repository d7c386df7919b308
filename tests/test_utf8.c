/* UTF-8: every character there and back, everything else refused, and what a name may hold. */
#include "harness/files.h"

#include "base/utf8.h"

static void characters_go_there_and_back(void **state) {
    (void)state;
    for (uint32_t c = 0; c < 0x120000; c++) {
        char         text[LN_UTF8_MOST + 1] = {0};
        uint32_t     back = 1;
        const size_t n = ln_utf8_put(c, text);
        const bool   surrogate = c >= 0xd800 && c < 0xe000;
        assert_int_equal(n, surrogate || c > 0x10ffff ? 0 : c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4);
        if (n == 0) continue;
        assert_int_equal(ln_utf8_get(text, &back), n);
        assert_int_equal(back, c);
    }
}

static void other_bytes_are_no_characters(void **state) {
    (void)state;
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc3",
                                      "\xc3(",
                                      "\xe0\x9f\xbf",
                                      "\xed\xa0\x80",
                                      "\xe2\x82",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf4\x90\x80\x80",
                                      "\xf8\x88\x80\x80\x80",
                                      "\xff"};
    uint32_t                 c;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_int_equal(ln_utf8_get(bad[i], &c), 0);
}

static void names_can_be_shown(void **state) {
    (void)state;
    static const char *const good[] = {"a", "Z\xc3\xbcrich", "\xf0\x9f\x90\xa6", "a b", "\xc2\xa0"};
    static const char *const bad[] = {"", "a\n", "\x7f", "\xc2\x85", "caf\xe9", "a\xc3"};
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) assert_true(ln_utf8_is_name(good[i]));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) assert_false(ln_utf8_is_name(bad[i]));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(characters_go_there_and_back),
                                       cmocka_unit_test(other_bytes_are_no_characters),
                                       cmocka_unit_test(names_can_be_shown)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
