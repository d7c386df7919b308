/* Errors: values that carry one sentence. Nothing here prints, exits or aborts. */
#ifndef LN_BASE_ERROR_H
#define LN_BASE_ERROR_H

#include "linnet.h"

/* Fills error (if not NULL) with the formatted sentence and returns status, so that `return ln_fail(…)` reads well. */
ln_status ln_fail(ln_error *error, ln_status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* "out of memory: WHAT needs N bytes; …". */
ln_status ln_fail_memory(ln_error *error, const char *what, size_t n_bytes);
/* For failed system calls: appends strerror(errno). */
ln_status ln_fail_io(ln_error *error, const char *verb, const char *path);

/* None of these returns LN_OK (status must not be): said here, so that compilers and analyzers see it at every call. */
static inline ln_status ln_failed(ln_status status) {
    if (status == LN_OK) __builtin_unreachable();
    return status;
}
#define ln_fail(error, status, ...) ln_failed(ln_fail(error, status, __VA_ARGS__))
#define ln_fail_memory(error, what, n_bytes) ln_failed(ln_fail_memory(error, what, n_bytes))
#define ln_fail_io(error, verb, path) ln_failed(ln_fail_io(error, verb, path))

/* The nearest word within a third of its length by edit distance (a swap of neighbours counts 1); else the longest that
 * word begins or ends with (kernel, for kernel_size); or NULL. */
const char *ln_nearest(const char *word, const char *const *words, size_t n);

#endif
