/* The words of cmocka that the tests of ops use, for machines where it is not installed (cross builds). */
#ifndef LN_TESTS_LONE_CMOCKA_H
#define LN_TESTS_LONE_CMOCKA_H

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

struct CMUnitTest {
    const char *name;
    void (*test)(void **state);
    int (*setup)(void **state);
    int (*teardown)(void **state);
    void *state;
};

static jmp_buf lone_failure; /* 1: failed, 2: skipped */

__attribute__((noreturn)) static inline void lone_stop(int how, const char *what, const char *file, int line) {
    fprintf(stderr, "%s:%d: %s %s\n", file, line, how == 1 ? "failed:" : "skipped", what);
    longjmp(lone_failure, how);
}

#define lone_check(what, text) ((what) ? (void)0 : lone_stop(1, text, __FILE__, __LINE__))
#define assert_true(x) lone_check(x, #x)
#define assert_false(x) lone_check(!(x), "not " #x)
#define assert_null(x) lone_check(!(x), #x " == NULL")
#define assert_non_null(x) lone_check(x, #x " != NULL")
#define assert_int_equal(a, b) lone_check((unsigned long long)(a) == (unsigned long long)(b), #a " == " #b)
#define assert_int_not_equal(a, b) lone_check((unsigned long long)(a) != (unsigned long long)(b), #a " != " #b)
#define assert_ptr_equal(a, b) lone_check((const void *)(a) == (const void *)(b), #a " == " #b)
#define assert_ptr_not_equal(a, b) lone_check((const void *)(a) != (const void *)(b), #a " != " #b)
#define assert_string_equal(a, b) lone_check(strcmp(a, b) == 0, #a " == " #b)
#define assert_memory_equal(a, b, n) lone_check(memcmp(a, b, n) == 0, #a " == " #b)
#define assert_memory_not_equal(a, b, n) lone_check(memcmp(a, b, n) != 0, #a " != " #b)
#define assert_float_equal(a, b, by) lone_check((a) - (b) <= (by) && (b) - (a) <= (by), #a " == " #b)
#define assert_double_equal(a, b, by) assert_float_equal(a, b, by)
#define assert_in_range(x, low, high) lone_check((x) >= (low) && (x) <= (high), #x " in " #low " to " #high)
#define fail() lone_stop(1, "fail()", __FILE__, __LINE__)
#define fail_msg(...) (fprintf(stderr, __VA_ARGS__), lone_stop(1, "", __FILE__, __LINE__))
#define skip() lone_stop(2, "", __FILE__, __LINE__)
#define print_message(...) ((void)printf(__VA_ARGS__))
#define print_error(...) ((void)fprintf(stderr, __VA_ARGS__))

#define cmocka_unit_test(f) {#f, f, NULL, NULL, NULL}
#define cmocka_unit_test_setup_teardown(f, setup, teardown) {#f, f, setup, teardown, NULL}
#define cmocka_unit_test_prestate(f, state) {#f, f, NULL, NULL, state}
#define cmocka_run_group_tests(tests, setup, teardown) \
    lone_run(tests, sizeof(tests) / sizeof(tests)[0], setup, teardown)

static inline int lone_run(const struct CMUnitTest *tests, size_t n, int (*setup)(void **), int (*teardown)(void **)) {
    static volatile int    n_failed;
    static void           *group, *state;
    static volatile size_t i;
    if (setup && setup(&group) != 0) return 1;
    for (i = 0; i < n; i++) {
        const struct CMUnitTest *t = &tests[i];
        state = t->state ? t->state : group;
        const int how = setjmp(lone_failure);
        if (how == 0) {
            if (t->setup && t->setup(&state) != 0) lone_stop(1, "its setup", t->name, 0);
            t->test(&state);
        }
        if (t->teardown) t->teardown(&state);
        if (how == 1) n_failed++;
        printf("[%s] %s\n", how == 1 ? "  FAILED  " : how == 2 ? "  SKIPPED " : "       OK ", tests[i].name);
    }
    if (teardown) teardown(&group);
    return n_failed;
}

#endif
