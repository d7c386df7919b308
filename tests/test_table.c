/* cli/terminal.h, cli/text.h: words cut in their middle, and tables that keep within the terminal they are shown in. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pty.h>
#include <unistd.h>

#include "cli/terminal.h"

static void words_keep_both_ends(void **state) {
    (void)state;
    static const struct {
        const char *words, *ellipsis, *cut;
        size_t      n;
    } cases[] = {
        {"sign stop", "~", "sign stop", 9},
        {"sign stop", "~", "sign~top", 8},
        {"sign stop", "~", "si~p", 4},
        {"sign stop", "~", "s~", 2},
        {"sign stop", "~", "~", 1},
        {"sign stop", "...", "si...op", 7},
        {"sign stop", "...", "...", 2},
        {"", "~", "", 0},
        {"ßäöü€", "…", "ßä…€", 4},
        {"ßäöü€", "…", "ßäöü€", 5},
        {"aß", "…", "…", 1},
    };
    pool owner = {0};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(text_within(&owner, cases[i].words, cases[i].n, cases[i].ellipsis), cases[i].cut);
    pool_free(&owner);
}

/* What a terminal of so many columns gets of a table whose second column may be cut (align). */
static void shown(const char *align, unsigned short columns, char *bytes, size_t n) {
    const struct winsize size = {.ws_row = 10, .ws_col = columns};
    int                  master, slave;
    assert_int_equal(openpty(&master, &slave, NULL, NULL, &size), 0);
    FILE *const stream = fdopen(slave, "w");
    assert_non_null(stream);
    table t = {.align = align};
    table_add(&t, "no."), table_add(&t, "class"), table_add(&t, "images");
    table_add(&t, "%d", 1), table_add(&t, "%s", "Straßenschild Stopp"), table_add(&t, "%d", 1000);
    table_add(&t, "%d", 2), table_add(&t, "%s", "Straßenschild Vorfahrt"), table_add(&t, "%d", 20);
    table_print(&t, stream);
    fputs("\f", stream);
    fflush(stream);
    size_t n_read = 0;
    while (n_read == 0 || bytes[n_read - 1] != '\f') {
        const ssize_t more = read(master, bytes + n_read, n - 1 - n_read);
        assert_true(more > 0);
        n_read += (size_t)more;
    }
    bytes[n_read - 1] = '\0';
    fclose(stream);
    close(master);
}

static void tables_keep_within_terminals(void **state) {
    (void)state;
    char bytes[512];
    assert_int_equal(setenv("TERM", "xterm", 1) | setenv("NO_COLOR", "1", 1) | setenv("LC_ALL", "C.UTF-8", 1), 0);
    shown("rRr", 35, bytes, sizeof bytes); /* as wide as it is */
    assert_string_equal(bytes, "no.                   class  images\r\n"
                               "  1     Straßenschild Stopp    1000\r\n"
                               "  2  Straßenschild Vorfahrt      20\r\n");
    shown("rLr", 25, bytes, sizeof bytes);
    assert_string_equal(bytes, "no.  class         images\r\n"
                               "  1  Straße…Stopp    1000\r\n"
                               "  2  Straße…fahrt      20\r\n");
    shown("rRr", 5, bytes, sizeof bytes); /* no room for figures: names are still names */
    assert_string_equal(bytes, "no.  class images\r\n"
                               "  1 Str…pp   1000\r\n"
                               "  2 Str…rt     20\r\n");
    shown("rrr", 25, bytes, sizeof bytes);
    assert_non_null(strstr(bytes, "Straßenschild Vorfahrt"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(words_keep_both_ends),
                                       cmocka_unit_test(tables_keep_within_terminals)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
