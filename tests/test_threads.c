/* The team of threads: shares of work, runs, barriers, and the state in which members work. Cells that threads share
 * are plain memory, so that the thread sanitizer sees whether runs and barriers order what they must. */
#include <float.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/context.h"

enum { MOST = 7 };

static ln_context *new_context(int n_threads) {
    ln_context_options options = LN_CONTEXT_OPTIONS;
    options.n_threads = n_threads;
    ln_context *const context = ln_context_new(&options, NULL);
    assert_non_null(context);
    return context;
}

static void parts_cover_all(void **state) {
    (void)state;
    for (size_t count = 0; count < 40; count++)
        for (size_t n = 1; n < 12; n++) {
            size_t expected = 0, least = SIZE_MAX, most = 0;
            for (size_t p = 0; p < n; p++) {
                size_t low, high;
                ln_part(count, p, n, &low, &high);
                assert_int_equal(low, expected);
                assert_true(high >= low);
                if (high - low < least) least = high - low;
                if (high - low > most) most = high - low;
                expected = high;
            }
            assert_int_equal(expected, count);
            assert_true(most - least <= 1);
        }
}

/* -------------------------------------------------------------------- runs */

typedef struct roll {
    int       calls[MOST];
    pthread_t thread[MOST];
} roll;

static void call(void *argument, int t) {
    roll *const r = argument;
    r->calls[t]++;
    r->thread[t] = pthread_self();
}

/* Every size of run in a team, mixed: members below n are called once each, on threads of their own; others not. */
static void runs_reach_their_members(void **state) {
    (void)state;
    ln_context *const context = new_context(MOST);
    for (int round = 0; round < 200; round++) {
        const int n = 1 + (round * 5) % MOST;
        roll      r = {{0}, {0}};
        ln_threads_run(context->threads, n, call, &r);
        for (int t = 0; t < MOST; t++) assert_int_equal(r.calls[t], t < n);
        assert_true(pthread_equal(r.thread[0], pthread_self()));
        for (int t = 1; t < n; t++)
            for (int other = 0; other < t; other++) assert_false(pthread_equal(r.thread[t], r.thread[other]));
    }
    ln_context_free(context);
}

/* Members that fell asleep between two runs wake up for the second. */
static void runs_wake_sleepers(void **state) {
    (void)state;
    ln_context *const context = new_context(3);
    roll              r = {{0}, {0}};
    for (int round = 0; round < 50; round++) {
        usleep((unsigned)round % 5 * 100);
        ln_threads_run(context->threads, 3, call, &r);
    }
    for (int t = 0; t < 3; t++) assert_int_equal(r.calls[t], 50);
    ln_context_free(context);
}

static void nap(void *argument, int t) {
    int *const naps = argument;
    if (t == 1) usleep(2000);
    naps[t]++;
}

static void runs_wait_for_the_slowest(void **state) {
    (void)state;
    ln_context *const context = new_context(2);
    int               naps[2] = {0};
    for (int round = 1; round < 6; round++) {
        ln_threads_run(context->threads, 2, nap, naps);
        assert_int_equal(naps[0], round);
        assert_int_equal(naps[1], round);
    }
    ln_context_free(context);
}

static void many_runs(void **state) {
    (void)state;
    for (int n = 1; n <= 3; n++) {
        ln_context *const context = new_context(n);
        roll              r = {{0}, {0}};
        for (int i = 0; i < 3000; i++) ln_threads_run(context->threads, n, call, &r);
        for (int t = 0; t < n; t++) assert_int_equal(r.calls[t], 3000);
        ln_context_free(context);
    }
}

static void teams_that_never_run(void **state) {
    (void)state;
    for (int n = 1; n <= MOST; n++) ln_context_free(new_context(n));
}

/* ---------------------------------------------------------------- barriers */

typedef struct relay {
    ln_threads *threads;
    int         n, rounds, wrong[MOST];
    struct {
        int round, pad[15];
    } cell[MOST];
} relay;

/* Each round every thread writes its cell, meets the others, reads all cells, and meets them again. */
static void take_turns(void *argument, int t) {
    relay *const r = argument;
    for (int round = 1; round <= r->rounds; round++) {
        if ((round + t) % 64 == 0) usleep(50); /* now and then someone is so late that the others sleep */
        r->cell[t].round = round;
        ln_threads_barrier(r->threads);
        for (int other = 0; other < r->n; other++) r->wrong[t] += r->cell[other].round != round;
        ln_threads_barrier(r->threads);
    }
}

static void barriers(void **state) {
    (void)state;
    static const int sizes[] = {1, 2, 3, 7};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        ln_context *const context = new_context(sizes[i]);
        relay             r = {.threads = context->threads, .n = sizes[i], .rounds = 500};
        for (int again = 0; again < 2; again++) ln_threads_run(context->threads, r.n, take_turns, &r);
        for (int t = 0; t < r.n; t++) assert_int_equal(r.wrong[t], 0);
        ln_context_free(context);
    }
}

/* Short runs of changing size in one team, an odd number of barriers in each. */
static void barriers_of_changing_runs(void **state) {
    (void)state;
    ln_context *const context = new_context(MOST);
    for (int round = 0; round < 300; round++) {
        relay r = {.threads = context->threads, .n = 1 + (round * 3) % MOST, .rounds = round % 4};
        ln_threads_run(context->threads, r.n, take_turns, &r);
        for (int t = 0; t < r.n; t++) {
            assert_int_equal(r.wrong[t], 0);
            assert_int_equal(r.cell[t].round, r.rounds);
        }
    }
    ln_context_free(context);
}

/* ----------------------------------------------------------------- members */

typedef struct condition {
    bool flushes, blocks;
    char name[16];
} condition;

static void look(void *argument, int t) {
    condition *const c = (condition *)argument + t;
    volatile float   least = FLT_MIN, half = least * 0.5f;
    sigset_t         blocked;
    pthread_sigmask(SIG_SETMASK, NULL, &blocked);
    c->flushes = half == 0;
    c->blocks = sigismember(&blocked, SIGINT) && sigismember(&blocked, SIGTERM) && sigismember(&blocked, SIGALRM);
    pthread_getname_np(pthread_self(), c->name, sizeof c->name);
}

/* Members flush denormals, leave signals to the program's threads, and have a name; the caller stays as it is. */
static void members_are_set_up(void **state) {
    (void)state;
    ln_context *const context = new_context(3);
    condition         c[3] = {{0}};
    ln_threads_run(context->threads, 3, look, c);
#if defined(__x86_64__) || defined(__aarch64__)
    assert_false(c[0].flushes);
    assert_true(c[1].flushes && c[2].flushes);
#endif
    assert_false(c[0].blocks);
    assert_true(c[1].blocks && c[2].blocks);
    assert_string_equal(c[2].name, "linnet");
    ln_context_free(context);
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

#ifndef SANITIZED
/* In a process with little address space left: 0 refused as it should be, 1 refused otherwise, 2 not refused. */
static int refused(void) {
    const struct rlimit little = {.rlim_cur = 256 << 20, .rlim_max = 256 << 20};
    ln_context_options  options = LN_CONTEXT_OPTIONS;
    ln_error            error = {0};
    options.n_threads = 1000;
    if (setrlimit(RLIMIT_AS, &little)) return 2;
    ln_context *const context = ln_context_new(&options, &error);
    if (context) return 2;
    return error.status != LN_E_UNSUPPORTED ||
           !strstr(error.message, "of 1000 (Resource temporarily unavailable); ask for");
}
#endif

/* A team that the system cuts short is taken down again, and the reason is given. */
static void threads_refused_by_the_system(void **state) {
    (void)state;
#ifdef SANITIZED
    skip(); /* sanitizers reserve more address space than the limit */
#else
    const pid_t child = fork();
    if (child == 0) _exit(refused());
    int status = 0;
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    if (WEXITSTATUS(status) == 2) skip(); /* an emulator that knows no such limit */
    assert_int_equal(WEXITSTATUS(status), 0);
#endif
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_cover_all),    cmocka_unit_test(runs_reach_their_members),
        cmocka_unit_test(runs_wake_sleepers), cmocka_unit_test(runs_wait_for_the_slowest),
        cmocka_unit_test(many_runs),          cmocka_unit_test(teams_that_never_run),
        cmocka_unit_test(barriers),           cmocka_unit_test(barriers_of_changing_runs),
        cmocka_unit_test(members_are_set_up), cmocka_unit_test(threads_refused_by_the_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
