/* Long work that is watched (ln_context_watch): the watcher hears how far it is and ends what it does not want any
 * more, and the command shows it on a terminal, or in a file now and then. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <pty.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/work.h"
#include "cli/bar.h"
#include "cli/work.h"

static void wait_a_while(void) {
    const struct timespec while_ = {.tv_nsec = 110000000};
    nanosleep(&while_, NULL);
}

/* ------------------------------------------------------------------ library */

typedef struct heard {
    size_t n_calls, done, n;
    bool   stop;
} heard;

static bool hear(void *user, const char *what, size_t n_done, size_t n) {
    heard *const h = user;
    assert_string_equal(what, "counting");
    h->n_calls++;
    h->done = n_done;
    h->n = n;
    return !h->stop;
}

static void test_watched(void **state) {
    (void)state;
    ln_error          error = {0};
    heard             h = {0};
    ln_context *const context = ln_context_new(NULL, &error);
    ln_context_watch(context, hear, &h);
    const double later = 1e6, before = -1e6; /* so that no pause of this process matters */
    ln_work      work = ln_work_begin(context, "counting", 1000);
    work.told += later;
    assert_true(ln_work_goes_on(&work, 1)); /* too soon */
    ln_work_end(&work);
    assert_int_equal(h.n_calls, 0);
    work.told = before;
    assert_true(ln_work_goes_on(&work, 10));
    assert_int_equal(h.n_calls, 1);
    assert_int_equal(h.done, 10);
    assert_int_equal(h.n, 1000);
    work.told += later;
    assert_true(ln_work_goes_on(&work, 11));
    assert_int_equal(h.n_calls, 1);
    h.stop = true;
    work.told = before;
    assert_false(ln_work_goes_on(&work, 500));
    ln_work_end(&work); /* the last word */
    assert_int_equal(h.n_calls, 3);
    assert_int_equal(h.done, 1000);
    assert_int_equal(ln_work_stop(&work, 500, &error), LN_E_INTERRUPTED);
    assert_string_equal(error.message, "counting was stopped after 500 of 1000");
    ln_context_watch(context, NULL, NULL);
    work.told = before;
    assert_true(ln_work_goes_on(&work, 600));
    assert_int_equal(h.n_calls, 3);
    ln_context_free(context);
}

/* Every kind of long work listens to its watcher: images enough that it takes a while. */
static bool refuse(void *user, const char *what, size_t n_done, size_t n) {
    *(const char **)user = what;
    assert_true(n_done <= n);
    return false;
}

enum { SIDE = 64, N = 3000 };

static ln_model *slow_model(ln_context *context) {
    ln_model *const m = ln_model_new(context, 1, SIDE, SIDE, NULL);
    ln_model_add(m, "conv2d 16 kernel=5 padding=2", NULL);
    ln_model_add(m, "conv2d 16 kernel=5 padding=2", NULL);
    ln_model_add(m, "flatten", NULL);
    ln_model_add(m, "linear 2", NULL);
    assert_int_equal(ln_model_initialize(m, 1, NULL), LN_OK);
    return m;
}

static void test_stopped(void **state) {
    (void)state;
    ln_error           error = {0};
    ln_metrics         metrics = {.n = 77};
    const char        *what = NULL;
    ln_context_options options = LN_CONTEXT_OPTIONS;
    options.n_threads = 1;
    ln_context *const context = ln_context_new(&options, &error);
    uint8_t *const pixels = calloc((size_t)N * SIDE, SIDE), *const labels = calloc(N, 1);
    assert_non_null(pixels);
    ln_model *const m = slow_model(context);
    ln_data *const  data = ln_data_from_bytes(context, pixels, labels, N, 1, SIDE, SIDE, &error);
    ln_context_watch(context, refuse, &what);
    assert_int_equal(ln_evaluate(m, data, 16, &metrics, NULL, &error), LN_E_INTERRUPTED);
    assert_string_equal(what, "measuring");
    assert_int_equal(metrics.n, 77); /* outputs are set on success only */
    assert_int_equal(ln_predict(m, data, 16, NULL, NULL, &error), LN_E_INTERRUPTED);
    assert_string_equal(what, "predicting");
    assert_null(ln_check_new(m, data, 16, 1, &error));
    assert_int_equal(error.status, LN_E_INTERRUPTED);
    assert_string_equal(what, "checking");
    ln_data_free(data);
    ln_model_free(m);
    ln_context_free(context);
    free(pixels);
    free(labels);
}

/* A folder that is half-written is taken away. */
static void test_nothing_left(void **state) {
    (void)state;
    ln_error          error = {0};
    const char       *what = NULL;
    char              folder[] = "/tmp/linnet-work-XXXXXX", path[64];
    ln_context *const context = ln_context_new(NULL, &error);
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof path, "%s/x/", folder);
    ln_data *const data = ln_data_open(context, "pictures n=60000 c=1 h=24 w=24", NULL, NULL, &error);
    ln_context_watch(context, refuse, &what);
    assert_int_equal(ln_data_write(context, path, data, NULL, &error), LN_E_INTERRUPTED);
    assert_string_equal(what, "writing");
    assert_int_equal(rmdir(folder), 0); /* it is empty */
    ln_data_free(data);
    ln_context_free(context);
}

/* ------------------------------------------------------------------ command */

/* Standard error becomes the file; what it was before is returned. */
static int divert(int to) {
    const int before = dup(STDERR_FILENO);
    fflush(stderr);
    assert_int_equal(dup2(to, STDERR_FILENO), STDERR_FILENO);
    return before;
}

static void restore(int before) {
    fflush(stderr);
    dup2(before, STDERR_FILENO);
    close(before);
}

static void set_width(int tty, unsigned short width) {
    const struct winsize size = {.ws_row = 24, .ws_col = width};
    assert_int_equal(ioctl(tty, TIOCSWINSZ, &size), 0);
}

/* What came through a terminal, to the first '|': it may come in pieces. */
static void read_all(int master, char *words, size_t size) {
    size_t n = 0;
    while (n + 1 < size && (n == 0 || words[n - 1] != '|')) {
        const ssize_t more = read(master, words + n, size - 1 - n);
        if (more <= 0) break;
        n += (size_t)more;
    }
    words[n] = '\0';
}

/* A bar that was drawn on a terminal of this width, and taken away again, as text. */
static const char *drawn(unsigned short width, char *words, size_t size) {
    int               master, slave;
    const char *const figures[] = {" 43 %", "0:12 left", "99 images/s"};
    assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
    set_width(slave, width);
    const int before = divert(slave);
    bar       b = bar_start(false);
    assert_true(bar_due(&b));
    b.drawn += 1e6;
    assert_false(bar_due(&b)); /* too soon */
    bar_draw(&b, "sorting", 0.43, figures, 3);
    const bool visible = b.visible;
    bar_clear(&b);
    fputs("|", stderr);
    restore(before);
    read_all(master, words, size);
    close(slave);
    close(master);
    assert_int_equal(visible, strlen(words) > 1);
    return words;
}

/* Nobody knows how long it takes of which nothing is done. */
static void test_left(void **state) {
    (void)state;
    pool owner = {0};
    assert_string_equal(bar_left(&owner, 10, 0), "");
    assert_string_equal(bar_left(&owner, 10, 0.5), "0:10 left");
    assert_string_equal(bar_left(&owner, 10, 1), "0:00 left");
    pool_free(&owner);
}

static void test_bar(void **state) {
    (void)state;
    char words[400];
    setenv("TERM", "xterm", 1);
    setenv("NO_COLOR", "1", 1);
    setenv("LC_ALL", "C", 1);
    assert_string_equal(drawn(80, words, sizeof words),
                        "\rsorting [################----------------------]   43 %  0:12 left  99 images/s\033[K"
                        "\r\033[K|");
    assert_string_equal(drawn(30, words, sizeof words), "\rsorting    43 %  0:12 left\033[K\r\033[K|");
    assert_string_equal(drawn(12, words, sizeof words), "\rsorting \033[K\r\033[K|");
    assert_string_equal(drawn(5, words, sizeof words), "|"); /* no room for anything */
    unsetenv("NO_COLOR");
    setenv("LC_ALL", "C.UTF-8", 1);
    assert_string_equal(drawn(18, words, sizeof words), "\rsorting    43 %\033[K\r\033[K|");
    assert_string_equal(drawn(30, words, sizeof words), "\rsorting    43 %  0:12 left\033[K\r\033[K|");
    assert_string_equal(drawn(36, words, sizeof words),
                        "\rsorting \033[32m━━━\033[0m\033[2m────\033[0m   43 %  0:12 left\033[K\r\033[K|");
}

/* In a file: nothing for a minute, and then a line. */
static void test_without_terminal(void **state) {
    (void)state;
    char              words[400] = "";
    FILE *const       file = tmpfile();
    const char *const figures[] = {" 43 %", "0:12 left"};
    const int         before = divert(fileno(file));
    bar               b = bar_start(false);
    b.drawn += BAR_MINUTE;
    const bool early = bar_due(&b);
    b.drawn -= 2 * BAR_MINUTE;
    const bool late = bar_due(&b);
    b.drawn += BAR_MINUTE;
    const bool again = bar_due(&b);
    bar_draw(&b, "sorting", 0.43, figures, 2);
    bar_clear(&b);
    restore(before);
    rewind(file);
    words[fread(words, 1, sizeof words - 1, file)] = '\0';
    fclose(file);
    assert_false(early);
    assert_true(late);
    assert_false(again);
    assert_string_equal(words, "linnet: sorting   43 %  0:12 left\n");
}

/* The command's watch: nothing within the first second, and nothing is left on the line. */
static void test_show(void **state) {
    (void)state;
    char words[4000];
    int  master, slave;
    setenv("TERM", "xterm", 1);
    setenv("NO_COLOR", "1", 1);
    assert_int_equal(openpty(&master, &slave, NULL, NULL, NULL), 0);
    set_width(slave, 80);
    const int before = divert(slave);
    for (size_t i = 1; i <= 12; i++) {
        const bool goes_on = work_show(NULL, "sorting", i, 15);
        if (!goes_on) break;
        wait_a_while();
    }
    work_show(NULL, "sorting", 15, 15);
    fputs("|", stderr);
    restore(before);
    read_all(master, words, sizeof words);
    close(slave);
    close(master);
    assert_non_null(strstr(words, "\rsorting "));
    assert_null(strstr(words, "  1 of 15")); /* not at once */
    assert_non_null(strstr(words, " 80 %  0:"));
    assert_non_null(strstr(words, "12 of 15"));
    assert_non_null(strstr(words, "\r\033[K|"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_watched),      cmocka_unit_test(test_stopped),
                                       cmocka_unit_test(test_nothing_left), cmocka_unit_test(test_bar),
                                       cmocka_unit_test(test_left),         cmocka_unit_test(test_without_terminal),
                                       cmocka_unit_test(test_show)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
