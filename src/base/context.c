/* The context: checks its options once, so that nothing made from it needs to, and counts every byte.
 *
 * A block of memory is a head, which holds the block's size, and what the caller gets behind it. */
#include "base/context.h"

#include "base/large.h"
#include "base/number.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/mman.h>
#endif

enum { LN_MAX_THREADS = 1024, HUGE_PAGE = 2 << 20 };

/* ------------------------------------------------------------------ memory */

/* Large blocks ask for large pages (a few percent for networks whose activations outgrow the second-level cache);
 * where the system has none to give, nothing changes. */
static void *default_allocate(void *user, size_t n_bytes, size_t alignment) {
    const bool huge = n_bytes >= 4 * (size_t)HUGE_PAGE;
    void      *memory;
    (void)user;
    if (posix_memalign(&memory, huge ? HUGE_PAGE : alignment, n_bytes) != 0) return NULL;
#ifdef __linux__
    if (huge) (void)madvise(memory, n_bytes & ~((size_t)HUGE_PAGE - 1), MADV_HUGEPAGE);
#endif
    return memory;
}

static void default_release(void *user, void *memory, size_t n_bytes) {
    (void)user;
    (void)n_bytes;
    free(memory);
}

static void count_in(ln_context *context, size_t n_bytes) {
    const size_t now = atomic_fetch_add_explicit(&context->n_bytes_now, n_bytes, memory_order_relaxed) + n_bytes;
    size_t       peak = atomic_load_explicit(&context->n_bytes_peak, memory_order_relaxed);
    while (now > peak && !atomic_compare_exchange_weak_explicit(&context->n_bytes_peak, &peak, now,
                                                                memory_order_relaxed, memory_order_relaxed)) {}
}

static ln_block_head *head_of(void *memory) {
    return (ln_block_head *)(void *)((unsigned char *)memory - LN_BLOCK_HEAD);
}

void *ln_allocate(ln_context *context, size_t n_bytes) {
    if (n_bytes > SIZE_MAX - LN_BLOCK_HEAD) return NULL;
    const size_t         total = n_bytes + LN_BLOCK_HEAD;
    ln_block_head *const head = context->allocator.allocate(context->allocator.user, total, LN_BLOCK_HEAD);
    if (!head) return NULL;
    *head = (ln_block_head){.n_bytes = total};
    count_in(context, total);
    return (unsigned char *)head + LN_BLOCK_HEAD;
}

void *ln_allocate_zeroed(ln_context *context, size_t n_bytes) {
    void *const memory = ln_allocate(context, n_bytes);
    return memory ? memset(memory, 0, n_bytes) : NULL;
}

void *ln_reallocate(ln_context *context, void *memory, size_t n_bytes) {
    void *const moved = ln_allocate(context, n_bytes);
    if (!moved || !memory) return moved;
    const size_t before = head_of(memory)->n_bytes - LN_BLOCK_HEAD;
    memcpy(moved, memory, ln_least(before, n_bytes));
    ln_release(context, memory);
    return moved;
}

/* The context itself is such a block, so it is not touched after the allocator has it back. */
void ln_release(ln_context *context, void *memory) {
    if (!memory) return;
    ln_block_head *const head = head_of(memory);
    const size_t         total = head->n_bytes;
    const ln_allocator   allocator = context->allocator;
    if (head->mapped) {
        ln_unmap_large(head, total);
        return;
    }
    atomic_fetch_sub_explicit(&context->n_bytes_now, total, memory_order_relaxed);
    allocator.release(allocator.user, head, total);
}

char *ln_copy_text(ln_context *context, const char *text) {
    const size_t size = strlen(text) + 1;
    char *const  copy = ln_allocate(context, size);
    return copy ? memcpy(copy, text, size) : NULL;
}

void ln_context_memory(const ln_context *context, size_t *n_bytes_now, size_t *n_bytes_peak) {
    if (n_bytes_now) *n_bytes_now = atomic_load_explicit(&context->n_bytes_now, memory_order_relaxed);
    if (n_bytes_peak) *n_bytes_peak = atomic_load_explicit(&context->n_bytes_peak, memory_order_relaxed);
}

/* --------------------------------------------------------------------- log */

void ln_warn(const ln_context *context, const char *format, ...) {
    if (!context->log) return;
    char    line[sizeof(((ln_error *)NULL)->message)];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    context->log(context->log_user, line);
}

void ln_context_watch(ln_context *context, bool (*watch)(void *user, const char *what, size_t n_done, size_t n),
                      void       *user) {
    context->watch = watch;
    context->watch_user = user;
}

/* ----------------------------------------------------------------- options */

/* Copies what the caller knows of the struct; fields newer than the caller stay zero. A caller newer than the library
 * is fine as long as it leaves what is unknown here zero. */
static ln_status read_options(const ln_context_options *given, ln_context_options *options, ln_error *error) {
    *options = (ln_context_options){0};
    if (!given) return LN_OK;
    if (given->size < offsetof(ln_context_options, n_threads) + sizeof given->n_threads)
        return ln_fail(error, LN_E_ARGUMENT,
                       "context: options.size=%zu is too small; begin with LN_CONTEXT_OPTIONS, which sets it",
                       given->size);
    const unsigned char *const bytes = (const unsigned char *)given;
    for (size_t i = sizeof *options; i < given->size; i++)
        if (bytes[i])
            return ln_fail(error, LN_E_UNSUPPORTED,
                           "context: options.size=%zu, and an option is set that this library (%s, %zu bytes) does not "
                           "know; use a newer library",
                           given->size, ln_version(), sizeof *options);
    memcpy(options, given, given->size < sizeof *options ? given->size : sizeof *options);
    if (options->allocator && (!options->allocator->allocate || !options->allocator->release))
        return ln_fail(error, LN_E_ARGUMENT, "context: options.allocator lacks a function; give allocate and release");
    return LN_OK;
}

/* An environment variable; one that is empty counts as not set. */
static const char *variable(const char *name) {
    const char *const value = getenv(name);
    return value && *value ? value : NULL;
}

static ln_status choose_threads(int wanted, int *n_threads, ln_error *error) {
    if (wanted < 0 || wanted > LN_MAX_THREADS)
        return ln_fail(error, LN_E_ARGUMENT,
                       "context: n_threads=%d is outside 0 to %d; 0 takes as many as this process may use", wanted,
                       LN_MAX_THREADS);
    const char *const text = variable("LINNET_THREADS");
    *n_threads = wanted;
    if (wanted) return LN_OK;
    if (text) {
        int64_t         number = 0;
        const ln_status status = ln_integer_read(text, &number);
        if (status == LN_E_FORMAT)
            return ln_fail(error, LN_E_ARGUMENT, "context: LINNET_THREADS='%.40s' is not a whole number; write 1 to %d",
                           text, LN_MAX_THREADS);
        if (status || number < 1 || number > LN_MAX_THREADS)
            return ln_fail(error, LN_E_ARGUMENT, "context: LINNET_THREADS=%.40s is outside 1 to %d", text,
                           LN_MAX_THREADS);
        *n_threads = (int)number;
        return LN_OK;
    }
    const int count = ln_cpu_count();
    *n_threads = count < LN_MAX_THREADS ? count : LN_MAX_THREADS;
    return LN_OK;
}

/* Bytes; 0 where nobody says. */
static ln_status choose_data_memory(size_t wanted, size_t *n_bytes, ln_error *error) {
    const char *const text = variable("LINNET_DATA_MEMORY");
    int64_t           number = 0;
    *n_bytes = wanted;
    if (wanted || !text) return LN_OK;
    if (ln_integer_read(text, &number) != LN_OK || number < 1 || number > INT64_MAX >> 20)
        return ln_fail(error, LN_E_ARGUMENT,
                       "context: LINNET_DATA_MEMORY='%.40s' is not a number of MiB; write a whole number from 1 on",
                       text);
    *n_bytes = (size_t)number << 20;
    return LN_OK;
}

static ln_status fail_unavailable(const char *who, const char *name, ln_error *error) {
    char   list[128] = "";
    size_t length = 0;
    for (ln_isa isa = LN_ISA_PLAIN; isa < LN_ISA_COUNT; isa++)
        if (ln_isa_available(isa))
            length +=
                (size_t)snprintf(list + length, sizeof list - length, "%s%s", length ? ", " : "", ln_isa_name(isa));
    return ln_fail(error, LN_E_UNSUPPORTED,
                   "context: %s='%s' is not available on this processor or in this build; "
                   "available: %s",
                   who, name, list);
}

static ln_status choose_isa(const char *wanted, ln_isa *chosen, ln_error *error) {
    const char *const who = wanted ? "isa" : "LINNET_ISA";
    const char *const name = wanted ? wanted : variable("LINNET_ISA");
    const char       *names[LN_ISA_COUNT - LN_ISA_PLAIN];
    if (!name) {
        *chosen = ln_isa_best();
        return LN_OK;
    }
    for (ln_isa isa = LN_ISA_PLAIN; isa < LN_ISA_COUNT; isa++) {
        names[isa - LN_ISA_PLAIN] = ln_isa_name(isa);
        if (strcmp(name, ln_isa_name(isa)) != 0) continue;
        if (!ln_isa_available(isa)) return fail_unavailable(who, name, error);
        *chosen = isa;
        return LN_OK;
    }
    const char *const near = ln_nearest(name, names, LN_ISA_COUNT - LN_ISA_PLAIN);
    return ln_fail(error, LN_E_ARGUMENT,
                   "context: %s='%.40s' is not an instruction set; allowed: plain, neon, avx2, avx512%s%s%s", who, name,
                   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* ------------------------------------------------------------------- whole */

/* Fills all of *context but its threads; nothing is allocated yet. */
static ln_status choose(const ln_context_options *given, ln_context *context, ln_error *error) {
    ln_context_options options;
    ln_status          status = read_options(given, &options, error);
    if (status == LN_OK) status = choose_threads(options.n_threads, &context->n_threads, error);
    if (status == LN_OK) status = choose_data_memory(options.data_memory, &context->data_memory, error);
    if (status == LN_OK) status = choose_isa(options.isa, &context->isa, error);
    context->allocator = (ln_allocator){.allocate = default_allocate, .release = default_release};
    if (status == LN_OK && options.allocator) context->allocator = *options.allocator;
    context->log = options.log;
    context->log_user = options.log_user;
    context->exact = ln_cpu_has_fma();
    return status;
}

ln_context *ln_context_new(const ln_context_options *options, ln_error *error) {
    ln_context first = {0};
    if (choose(options, &first, error) != LN_OK) return NULL;
    ln_context *const context = ln_allocate(&first, sizeof *context);
    if (!context) {
        ln_fail_memory(error, "context", sizeof *context + LN_BLOCK_HEAD);
        return NULL;
    }
    memcpy(context, &first, sizeof first); /* with what was counted */
    context->threads = ln_threads_new(context, context->n_threads, error);
    if (!context->threads) {
        ln_release(context, context);
        return NULL;
    }
    if (!context->exact)
        ln_warn(context, "this processor lacks fused multiply-add: results are sound, but their bits differ from other "
                         "machines'");
    return context;
}

void ln_context_free(ln_context *context) {
    if (!context) return;
    ln_threads_free(context, context->threads);
    ln_release(context, context);
}

int         ln_context_threads(const ln_context *context) { return context->n_threads; }
const char *ln_context_isa(const ln_context *context) { return ln_isa_name(context->isa); }
bool        ln_context_exact(const ln_context *context) { return context->exact; }
