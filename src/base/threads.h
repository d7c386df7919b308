/* A team of threads that runs one function on all of its members: spins for up to 20
 * microseconds (not at all with more threads than cores), then sleeps (futex). */
#ifndef LN_BASE_THREADS_H
#define LN_BASE_THREADS_H

#include "base/error.h"

typedef struct ln_threads ln_threads;

/* Makes n - 1 threads; the caller is thread 0. context owns the memory. Its threads enter the library's
 * floating-point mode (ln_fp_enter) once; block all signals; are named "linnet". */
ln_threads *ln_threads_new(ln_context *context, int n, ln_error *error);
void        ln_threads_free(ln_context *context, ln_threads *threads);

/* Runs work(argument, t) on threads 0 ≤ t < n (n at most the team's size) and returns when all are done. Not
 * reentrant. Allocates nothing and cannot fail. */
void ln_threads_run(ln_threads *threads, int n, void (*work)(void *argument, int t), void *argument);

/* Inside work: waits until all n threads of this run have come; what they wrote before is seen after. One thread's
 * arrival costs a fetch-add; waiting spins with pause and then sleeps. */
void ln_threads_barrier(ln_threads *threads);

/* Part p of n of count things, in order, as even as possible: [*low, *high). */
static inline void ln_part(size_t count, size_t p, size_t n, size_t *low, size_t *high) {
    *low = count * p / n;
    *high = count * (p + 1) / n;
}

#endif
