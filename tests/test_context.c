/* The context: options, environment, memory and its count, allocations that fail, log, cores, floating-point mode. */
#include <fenv.h>
#include <float.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/context.h"

/* An allocator that counts, checks what it is told on release, and fails the call number fails_at (from 0). */
typedef struct ledger {
    size_t n_calls, fails_at, n_live, n_bytes_live, n_bytes_most;
} ledger;

static void *ledger_allocate(void *user, size_t n_bytes, size_t alignment) {
    ledger *const l = user;
    void         *memory;
    if (l->n_calls++ == l->fails_at || posix_memalign(&memory, alignment, n_bytes)) return NULL;
    l->n_live++;
    l->n_bytes_live += n_bytes;
    if (l->n_bytes_live > l->n_bytes_most) l->n_bytes_most = l->n_bytes_live;
    memset(memory, 0xa5, n_bytes); /* nothing may rely on zeros */
    return memory;
}

static void ledger_release(void *user, void *memory, size_t n_bytes) {
    ledger *const l = user;
    l->n_live--;
    l->n_bytes_live -= n_bytes;
    free(memory);
}

static ln_context *new_context(int n_threads, const char *isa, ln_error *error) {
    ln_context_options options = LN_CONTEXT_OPTIONS;
    options.n_threads = n_threads;
    options.isa = isa;
    return ln_context_new(&options, error);
}

static void assert_refused(int n_threads, const char *isa, ln_status status, const char *message) {
    ln_error error = {0};
    assert_null(new_context(n_threads, isa, &error));
    assert_string_equal(error.message, message);
    assert_int_equal(error.status, status);
}

static int clear_environment(void **state) {
    (void)state;
    return unsetenv("LINNET_ISA") || unsetenv("LINNET_THREADS");
}

/* ----------------------------------------------------------------- options */

static void without_options(void **state) {
    (void)state;
    ln_context *const context = ln_context_new(NULL, NULL);
    assert_non_null(context);
    assert_int_equal(ln_context_threads(context), ln_cpu_count());
    assert_string_equal(ln_context_isa(context), ln_isa_name(ln_isa_best()));
    assert_int_equal(ln_context_exact(context), ln_cpu_has_fma());
    ln_context_free(context);
    ln_context_free(NULL);
}

static void older_and_newer_callers(void **state) {
    (void)state;
    struct {
        ln_context_options known;
        char              *newer;
    } options = {.known = {.n_threads = 2, .isa = "nonsense"}};
    ln_error error = {0};
    options.known.size = offsetof(ln_context_options, isa); /* before there was isa: what lies there is not read */
    ln_context *context = ln_context_new(&options.known, &error);
    assert_non_null(context);
    assert_int_equal(ln_context_threads(context), 2);
    ln_context_free(context);
    options.known.isa = NULL;
    options.known.size = sizeof options;
    context = ln_context_new(&options.known, &error);
    assert_non_null(context);
    ln_context_free(context);
    options.newer = "set";
    assert_null(ln_context_new(&options.known, &error));
    assert_int_equal(error.status, LN_E_UNSUPPORTED);
    assert_non_null(strstr(error.message, "does not know; use a newer library"));
    options.known.size = 0;
    assert_null(ln_context_new(&options.known, &error));
    assert_string_equal(error.message,
                        "context: options.size=0 is too small; begin with LN_CONTEXT_OPTIONS, which sets it");
}

static void an_allocator_without_functions(void **state) {
    (void)state;
    const ln_allocator broken = {.allocate = ledger_allocate};
    ln_context_options options = LN_CONTEXT_OPTIONS;
    ln_error           error;
    options.allocator = &broken;
    assert_null(ln_context_new(&options, &error));
    assert_string_equal(error.message, "context: options.allocator lacks a function; give allocate and release");
}

static void thread_counts(void **state) {
    (void)state;
    static const int counts[] = {1, 2, 7};
    for (size_t i = 0; i < 3; i++) {
        char text[8];
        snprintf(text, sizeof text, "%d", counts[i]);
        ln_context *context = new_context(counts[i], NULL, NULL);
        assert_int_equal(ln_context_threads(context), counts[i]);
        ln_context_free(context);
        setenv("LINNET_THREADS", text, 1);
        context = ln_context_new(NULL, NULL);
        assert_int_equal(ln_context_threads(context), counts[i]);
        ln_context_free(context);
    }
    ln_context *const context = new_context(3, NULL, NULL); /* options before environment */
    assert_int_equal(ln_context_threads(context), 3);
    ln_context_free(context);
}

static void bad_thread_counts(void **state) {
    (void)state;
    static const char range[] = " is outside 0 to 1024; 0 takes as many as this process may use";
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"two", "context: LINNET_THREADS='two' is not a whole number; write 1 to 1024"},
        {"2 ", "context: LINNET_THREADS='2 ' is not a whole number; write 1 to 1024"},
        {"0", "context: LINNET_THREADS=0 is outside 1 to 1024"},
        {"-1", "context: LINNET_THREADS=-1 is outside 1 to 1024"},
        {"1025", "context: LINNET_THREADS=1025 is outside 1 to 1024"},
        {"99999999999999999999", "context: LINNET_THREADS=99999999999999999999 is outside 1 to 1024"},
    };
    char message[128];
    snprintf(message, sizeof message, "context: n_threads=-1%s", range);
    assert_refused(-1, NULL, LN_E_ARGUMENT, message);
    snprintf(message, sizeof message, "context: n_threads=1025%s", range);
    assert_refused(1025, NULL, LN_E_ARGUMENT, message);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        setenv("LINNET_THREADS", cases[i].text, 1);
        assert_refused(0, NULL, LN_E_ARGUMENT, cases[i].message);
    }
    setenv("LINNET_THREADS", "", 1); /* empty: as if not set */
    ln_context *const context = ln_context_new(NULL, NULL);
    assert_int_equal(ln_context_threads(context), ln_cpu_count());
    ln_context_free(context);
}

/* -------------------------------------------------------- instruction sets */

/* By option and by environment: what is available is taken, what is not is refused. */
static void try_isa(ln_isa isa) {
    const char *const name = ln_isa_name(isa);
    ln_error          error = {0};
    for (int by_environment = 0; by_environment < 2; by_environment++) {
        if (by_environment) setenv("LINNET_ISA", name, 1);
        ln_context *const context = new_context(1, by_environment ? NULL : name, &error);
        if (ln_isa_available(isa)) {
            assert_non_null(context);
            assert_string_equal(ln_context_isa(context), name);
        } else {
            char begin[64];
            snprintf(begin, sizeof begin, "context: %s='%s' is not available", by_environment ? "LINNET_ISA" : "isa",
                     name);
            assert_null(context);
            assert_int_equal(error.status, LN_E_UNSUPPORTED);
            assert_int_equal(strncmp(error.message, begin, strlen(begin)), 0);
            assert_non_null(strstr(error.message, "available: plain"));
        }
        ln_context_free(context);
    }
    unsetenv("LINNET_ISA");
}

static void instruction_sets(void **state) {
    (void)state;
    for (ln_isa isa = LN_ISA_PLAIN; isa < LN_ISA_COUNT; isa++) try_isa(isa);
    assert_true(ln_isa_available(LN_ISA_PLAIN) && ln_isa_available(LN_ISA_F64) && ln_isa_available(ln_isa_best()));
    assert_true(ln_isa_best() >= LN_ISA_PLAIN);
#if !defined(LN_HAVE_NEON)
    assert_false(ln_isa_available(LN_ISA_NEON));
#endif
#if defined(__x86_64__)
    assert_int_equal(ln_cpu_has_fma(), __builtin_cpu_supports("fma") != 0);
#if defined(LN_HAVE_AVX2)
    assert_int_equal(ln_isa_available(LN_ISA_AVX2), __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"));
#endif
#if defined(LN_HAVE_AVX512)
    assert_int_equal(ln_isa_available(LN_ISA_AVX512), __builtin_cpu_supports("avx512bw") != 0);
#endif
#endif
}

static void option_before_environment(void **state) {
    (void)state;
    setenv("LINNET_ISA", "nonsense", 1);
    ln_context *const context = new_context(1, "plain", NULL);
    assert_string_equal(ln_context_isa(context), "plain");
    ln_context_free(context);
}

static void bad_instruction_sets(void **state) {
    (void)state;
    static const char known[] = "is not an instruction set; allowed: plain, neon, avx2, avx512";
    char              message[160];
    snprintf(message, sizeof message, "context: isa='avx3' %s; did you mean 'avx2'?", known);
    assert_refused(1, "avx3", LN_E_ARGUMENT, message);
    snprintf(message, sizeof message, "context: isa='f64' %s", known);
    assert_refused(1, "f64", LN_E_ARGUMENT, message);
    snprintf(message, sizeof message, "context: isa='' %s", known);
    assert_refused(1, "", LN_E_ARGUMENT, message);
    setenv("LINNET_ISA", "avx-512", 1);
    snprintf(message, sizeof message, "context: LINNET_ISA='avx-512' %s; did you mean 'avx512'?", known);
    assert_refused(1, NULL, LN_E_ARGUMENT, message);
    setenv("LINNET_ISA", "", 1);
    ln_context *const context = ln_context_new(NULL, NULL);
    assert_string_equal(ln_context_isa(context), ln_isa_name(ln_isa_best()));
    ln_context_free(context);
}

/* ------------------------------------------------------------------ memory */

static ln_context *with_ledger(ledger *l, int n_threads, ln_error *error) {
    const ln_allocator allocator = {ledger_allocate, ledger_release, l}; /* copied by the context */
    ln_context_options options = LN_CONTEXT_OPTIONS;
    options.n_threads = n_threads;
    options.allocator = &allocator;
    return ln_context_new(&options, error);
}

static void each_allocation_failing(void **state) {
    (void)state;
    ledger all = {.fails_at = SIZE_MAX};
    ln_context_free(with_ledger(&all, 3, NULL));
    assert_true(all.n_calls >= 2);
    assert_int_equal(all.n_live, 0);
    assert_int_equal(all.n_bytes_live, 0);
    for (size_t i = 0; i < all.n_calls; i++) {
        ledger   l = {.fails_at = i};
        ln_error error = {0};
        assert_null(with_ledger(&l, 3, &error));
        assert_int_equal(error.status, LN_E_MEMORY);
        assert_non_null(strstr(error.message, "out of memory: "));
        assert_int_equal(l.n_live, 0);
        assert_int_equal(l.n_bytes_live, 0);
    }
}

static void blocks(void **state) {
    (void)state;
    static const size_t sizes[] = {0, 1, 63, 64, 65, 1000000};
    ledger              l = {.fails_at = SIZE_MAX};
    ln_context *const   context = with_ledger(&l, 1, NULL);
    const size_t        n_before = l.n_live;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        unsigned char *const block = ln_allocate(context, sizes[i]), *const zeros =
                                                                         ln_allocate_zeroed(context, sizes[i]);
        assert_non_null(block);
        assert_int_equal((uintptr_t)block % 64, 0);
        assert_int_equal((uintptr_t)zeros % 64, 0);
        memset(block, 7, sizes[i]);
        for (size_t k = 0; k < sizes[i]; k++) assert_true(zeros[k] == 0);
        ln_release(context, zeros);
        ln_release(context, block);
    }
    assert_int_equal(l.n_live, n_before);
    ln_release(context, NULL);
    assert_null(ln_allocate(context, SIZE_MAX));
    assert_null(ln_allocate(context, SIZE_MAX - 63));
    ln_context_free(context);
    assert_int_equal(l.n_live, 0);
}

static void reallocation(void **state) {
    (void)state;
    ledger            l = {.fails_at = SIZE_MAX};
    ln_context *const context = with_ledger(&l, 1, NULL);
    char             *text = ln_reallocate(context, NULL, 6);
    memcpy(text, "hello", 6);
    text = ln_reallocate(context, text, 100000);
    assert_string_equal(text, "hello");
    text = ln_reallocate(context, text, 3);
    assert_memory_equal(text, "hel", 3);
    l.fails_at = l.n_calls;
    assert_null(ln_reallocate(context, text, 50));
    assert_memory_equal(text, "hel", 3); /* still there */
    l.fails_at = l.n_calls;
    assert_null(ln_allocate_zeroed(context, 5));
    l.fails_at = l.n_calls;
    assert_null(ln_copy_text(context, "text"));
    char *const copy = ln_copy_text(context, "");
    assert_string_equal(copy, "");
    ln_release(context, copy);
    ln_release(context, text);
    ln_context_free(context);
    assert_int_equal(l.n_live, 0);
}

static void accounting(void **state) {
    (void)state;
    ledger            l = {.fails_at = SIZE_MAX};
    ln_context *const context = with_ledger(&l, 2, NULL);
    size_t            now, peak, after;
    ln_context_memory(context, &now, &peak);
    assert_int_equal(now, l.n_bytes_live); /* the context and its threads are counted too */
    void *const a = ln_allocate(context, 1000);
    void *const b = ln_allocate(context, 5000);
    ln_context_memory(context, &after, NULL);
    assert_int_equal(after, now + 1000 + 5000 + 2 * 64);
    ln_release(context, b);
    void *const c = ln_allocate(context, 10);
    ln_context_memory(context, &after, &peak);
    assert_int_equal(after, l.n_bytes_live);
    assert_int_equal(peak, now + 1000 + 5000 + 2 * 64);
    assert_int_equal(peak, l.n_bytes_most);
    ln_context_memory(context, NULL, NULL);
    ln_release(context, a);
    ln_release(context, c);
    ln_context_memory(context, &after, NULL);
    assert_int_equal(after, now);
    ln_context_free(context);
}

/* ---------------------------------------------------------------- together */

typedef struct tenant {
    ln_context *context;
    int         n_threads, total;
    unsigned    sums[3];
    bool        good;
} tenant;

static void add_up(void *argument, int t) {
    tenant *const u = argument;
    for (unsigned i = 0; i < 1000; i++) u->sums[t] += i;
    void *const memory = ln_allocate(u->context, 100);
    ln_threads_barrier(u->context->threads);
    ln_release(u->context, memory);
}

/* Makes a context, works in it, frees it, all in a thread of its own. */
static void *use_a_context(void *argument) {
    tenant *const u = argument;
    u->good = true;
    for (int round = 0; round < 20; round++) {
        size_t before, after;
        u->context = new_context(u->n_threads, NULL, NULL);
        ln_context_memory(u->context, &before, NULL);
        memset(u->sums, 0, sizeof u->sums);
        for (int i = 0; i < 20; i++) ln_threads_run(u->context->threads, u->n_threads, add_up, u);
        ln_context_memory(u->context, &after, NULL);
        for (int t = 0; t < u->n_threads; t++) u->good = u->good && u->sums[t] == 20u * 499500u;
        u->good = u->good && before == after;
        ln_context_free(u->context);
    }
    return NULL;
}

static void two_contexts_in_two_threads(void **state) {
    (void)state;
    tenant    users[2] = {{.n_threads = 2}, {.n_threads = 3}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++) assert_int_equal(pthread_create(&threads[i], NULL, use_a_context, &users[i]), 0);
    for (int i = 0; i < 2; i++) assert_int_equal(pthread_join(threads[i], NULL), 0);
    assert_true(users[0].good);
    assert_true(users[1].good);
}

static void keep_line(void *user, const char *line) { snprintf(user, 600, "%s", line); }

static void logging(void **state) {
    (void)state;
    char               kept[600] = "", text[1000];
    ln_context_options options = LN_CONTEXT_OPTIONS;
    options.log = keep_line;
    options.log_user = kept;
    ln_context *context = ln_context_new(&options, NULL);
    assert_int_equal(kept[0] == '\0', ln_context_exact(context)); /* without fma there is a warning */
    ln_warn(context, "%d images look inverted", 3);
    assert_string_equal(kept, "3 images look inverted");
    memset(text, 'x', sizeof text);
    text[sizeof text - 1] = '\0';
    ln_warn(context, "%s", text); /* is cut */
    assert_in_range(strlen(kept), 100, 599);
    ln_context_free(context);
    context = ln_context_new(NULL, NULL);
    ln_warn(context, "nobody listens");
    ln_context_free(context);
}

/* ------------------------------------------------------------------- cores */

/* A tree of control groups under a folder of its own. */
typedef struct tree {
    char root[64], membership[96];
} tree;

static void write_text(const char *path, const char *text) {
    FILE *const file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void put(const tree *t, const char *name, const char *text) {
    char path[160];
    snprintf(path, sizeof path, "%s/%s", t->root, name);
    if (text) write_text(path, text);
    else assert_int_equal(mkdir(path, 0700), 0);
}

static void quota_is(const tree *t, const char *membership, int cores) {
    write_text(t->membership, membership);
    assert_int_equal(ln_cpu_quota(t->membership, t->root), cores);
}

static void quotas(void **state) {
    (void)state;
    const char *const folder = getenv("TMPDIR");
    tree              t;
    snprintf(t.root, sizeof t.root, "%.32s/linnet-test-XXXXXX",
             folder && *folder && strlen(folder) < 32 ? folder : "/tmp");
    assert_non_null(mkdtemp(t.root));
    snprintf(t.membership, sizeof t.membership, "%s/membership", t.root);
    put(&t, "a", NULL), put(&t, "a/b", NULL), put(&t, "cpu", NULL), put(&t, "cpu/d", NULL);
    quota_is(&t, "0::/a/b\n", 0);
    put(&t, "a/b/cpu.max", "max 100000\n");
    quota_is(&t, "0::/a/b\n", 0);
    put(&t, "a/b/cpu.max", "250000 100000\n"); /* two and a half: three threads */
    quota_is(&t, "0::/a/b\n", 3);
    put(&t, "a/cpu.max", "200000 100000\n"); /* the parent's counts too, and is less */
    quota_is(&t, "0::/a/b\n", 2);
    quota_is(&t, "0::/a\n", 2);
    quota_is(&t, "0::/\n", 0);
    put(&t, "cpu.max", "10000 100000\n"); /* in a container: only the root can be seen */
    quota_is(&t, "0::/somewhere/else\n", 1);
    put(&t, "cpu/d/cpu.cfs_quota_us", "500000\n"), put(&t, "cpu/d/cpu.cfs_period_us", "100000\n");
    quota_is(&t, "4:memory:/a/b\n3:cpu,cpuacct:/d\n", 5);
    quota_is(&t, "3:cpuacct,cpu:/d\n0::/a\n", 1); /* both versions: the least */
    quota_is(&t, "3:cpuset:/d\n2:cpuacct:/d\n", 0);
    put(&t, "cpu/d/cpu.cfs_quota_us", "-1\n");
    quota_is(&t, "3:cpu:/d\n", 0);
    put(&t, "cpu.max", "junk");
    quota_is(&t, "no colons\n0:\n::/\n", 0);
    quota_is(&t, "", 0);
    char command[96];
    snprintf(command, sizeof command, "rm -r '%s'", t.root);
    assert_int_equal(system(command), 0);
    assert_int_equal(ln_cpu_quota(t.membership, t.root), 0);
    assert_in_range(ln_cpu_count(), 1, 1 << 16);
}

/* ----------------------------------------------------- floating-point mode */

/* How many denormals become 0: one that is an operand, one that is a result. */
static int flushed(void) {
    const uint32_t one_bit = 1;
    uint32_t       bits;
    volatile float least = FLT_MIN, denormal;
    memcpy((void *)(uintptr_t)&denormal, &one_bit, sizeof one_bit);
    volatile float large = denormal * 1e30f, half = least * 0.5f;
    memcpy(&bits, (void *)(uintptr_t)&half, sizeof bits);
    return (large == 0) + (bits == 0);
}

/* Measured, since fegetround may look at another unit than the one that computes. */
static bool rounds_up(void) {
    volatile float one = 1, little = 1e-10f;
    return one + little > 1;
}

static void modes(void **state) {
    (void)state;
#if defined(__x86_64__) || defined(__aarch64__)
    fesetround(FE_UPWARD);
    assert_int_equal(flushed(), 0);
    const uint64_t mode = ln_fp_enter();
    assert_int_equal(flushed(), 2);
    assert_false(rounds_up());
    const double read = strtod("0.0039215686274509803", NULL); /* the C library may ask another unit how to round */
    assert_memory_equal(&read, &(const double){1.0 / 255}, sizeof read);
    const uint64_t inner = ln_fp_enter(); /* nested, as when one public function calls another */
    assert_int_equal(flushed(), 2);
    ln_fp_leave(inner);
    assert_int_equal(flushed(), 2);
    ln_fp_leave(mode);
    assert_int_equal(flushed(), 0);
    assert_true(rounds_up());
    fesetround(FE_TONEAREST);
#else
    skip();
#endif
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, clear_environment, clear_environment)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(without_options),
        TEST(older_and_newer_callers),
        TEST(an_allocator_without_functions),
        TEST(thread_counts),
        TEST(bad_thread_counts),
        TEST(instruction_sets),
        TEST(option_before_environment),
        TEST(bad_instruction_sets),
        TEST(each_allocation_failing),
        TEST(blocks),
        TEST(reallocation),
        TEST(accounting),
        TEST(two_contexts_in_two_threads),
        TEST(logging),
        TEST(quotas),
        TEST(modes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
