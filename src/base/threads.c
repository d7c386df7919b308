/* A team of threads. The caller is thread 0; each other member has a slot, in which it is told what to do.
 *
 * All waiting is done at gates. A gate is one 32-bit word: bit 0 says that someone sleeps there, the bits above count
 * arrivals (modulo 2^31). A waiter wants the count to reach a target. It spins for some microseconds, and then sets
 * bit 0 and sleeps in the kernel (futex) for as long as the word stays as it saw it. Whoever makes the count reach the
 * target and finds bit 0 set clears it and wakes all. No wake-up is lost: a waiter who set the bit before it was
 * cleared is asleep and gets woken, or finds the word changed and looks again.
 *
 * There are three kinds of gates: one in each slot (the caller's orders, waited for by that thread), `done` (members
 * that finished a run, waited for by the caller), `barrier` (waited for by all). Targets differ, the rest is shared.
 * Members that spin keep a core from those they wait for when there are more members than cores; then nobody spins. */
#include "base/threads.h"

#include "base/context.h"
#include "base/number.h"

#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum {
    /* Half of what sleeping and being woken costs in a virtual machine (40 us). Measured on two cores, steps of half a
     * millisecond with 8 barriers and uneven work: 5 us lose 15 % to wake-ups, 50 us lose 20 % to a busy neighbour. */
    LN_SPIN_NS = 20000,
    LN_SPIN_TURNS = 8, /* looks at the gate between two looks at the clock */
    LN_SLEEPERS = 1,   /* bit 0 of a gate */
    LN_ARRIVAL = 2
};

typedef struct gate {
    _Alignas(64) _Atomic uint32_t word;
} gate; /* a cache line each */

typedef struct slot {
    gate orders;
    void (*work)(void *argument, int t); /* NULL: leave */
    void       *argument;
    ln_threads *team;
    pthread_t   thread;
    int         t;
} slot;

struct ln_threads {
    int size, n_cores;
    /* Of the present run; written while all others wait. */
    _Alignas(64) uint32_t n;
    uint32_t barrier_base, done_target;
    bool     spins;
    gate     done, barrier;
    slot     slots[]; /* size; the caller's is not used */
};

/* ------------------------------------------------------------------- gates */

static bool reached(uint32_t word, uint32_t target) { return (int32_t)((word & ~(uint32_t)LN_SLEEPERS) - target) >= 0; }

static void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb"); /* yield does nothing on most cores; isb takes about as long as x86's pause */
#endif
}

static int64_t clock_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static bool spin(const gate *g, uint32_t target) {
    int64_t end = 0;
    for (;;) {
        for (int i = 0; i < LN_SPIN_TURNS; i++) {
            if (reached(atomic_load_explicit(&g->word, memory_order_acquire), target)) return true;
            relax();
        }
        const int64_t now = clock_ns();
        if (end == 0) end = now + LN_SPIN_NS;
        if (now >= end) return false;
    }
}

static void gate_wait(gate *g, uint32_t target, bool spins) {
    if (spins && spin(g, target)) return;
    uint32_t word = atomic_load_explicit(&g->word, memory_order_acquire);
    while (!reached(word, target)) {
        const uint32_t marked = word | LN_SLEEPERS;
        if (word == marked ||
            atomic_compare_exchange_weak_explicit(&g->word, &word, marked, memory_order_relaxed, memory_order_relaxed))
            syscall(SYS_futex, &g->word, FUTEX_WAIT_PRIVATE, marked, NULL, NULL, 0);
        word = atomic_load_explicit(&g->word, memory_order_acquire);
    }
}

/* Opens the gate for those who wait for the target that the arrival just before, which found word, has reached. */
static void gate_wake(gate *g, uint32_t word) {
    if (!(word & LN_SLEEPERS)) return;
    atomic_fetch_and_explicit(&g->word, ~(uint32_t)LN_SLEEPERS, memory_order_relaxed);
    syscall(SYS_futex, &g->word, FUTEX_WAKE_PRIVATE, INT32_MAX, NULL, NULL, 0);
}

/* Returns the word before. */
static uint32_t gate_arrive(gate *g) { return atomic_fetch_add_explicit(&g->word, LN_ARRIVAL, memory_order_acq_rel); }

/* -------------------------------------------------------------------- team */

static void *member(void *argument) {
    slot *const self = argument;
    uint32_t    next = LN_ARRIVAL;
    bool        spins = false;
    pthread_setname_np(pthread_self(), "linnet");
    ln_fp_enter();
    for (;; next += LN_ARRIVAL) {
        gate_wait(&self->orders, next, spins);
        if (!self->work) return NULL;
        self->work(self->argument, self->t);
        spins = self->team->spins;
        gate *const    done = &self->team->done;
        const uint32_t target = self->team->done_target; /* the caller may write these again once all have arrived */
        const uint32_t word = gate_arrive(done);
        if (reached(word + LN_ARRIVAL, target)) gate_wake(done, word);
    }
}

static void order(slot *s, void (*work)(void *argument, int t), void *argument) {
    s->work = work;
    s->argument = argument;
    gate_wake(&s->orders, gate_arrive(&s->orders));
}

void ln_threads_run(ln_threads *threads, int n, void (*work)(void *argument, int t), void *argument) {
    const uint32_t barrier = atomic_load_explicit(&threads->barrier.word, memory_order_relaxed);
    threads->n = (uint32_t)n;
    threads->barrier_base = barrier & ~(uint32_t)LN_SLEEPERS;
    threads->done_target += (uint32_t)(n - 1) * LN_ARRIVAL;
    threads->spins = n <= threads->n_cores;
    for (int t = 1; t < n; t++) order(&threads->slots[t], work, argument);
    work(argument, 0);
    gate_wait(&threads->done, threads->done_target, threads->spins);
}

void ln_threads_barrier(ln_threads *threads) {
    const uint32_t n = threads->n;
    if (n == 1) return;
    gate *const    g = &threads->barrier;
    const uint32_t word = gate_arrive(g);
    const uint32_t before = ((word & ~(uint32_t)LN_SLEEPERS) - threads->barrier_base) / LN_ARRIVAL;
    const uint32_t round = before / n;
    if (before == round * n + n - 1) gate_wake(g, word);
    else gate_wait(g, threads->barrier_base + (round + 1) * n * LN_ARRIVAL, threads->spins);
}

/* Starts members 1 … size - 1 with all signals blocked, which they inherit. Returns how many members there are then,
 * the caller included, and the reason when that is not all. */
static int start(ln_threads *threads, int *reason) {
    sigset_t all, callers;
    int      t = 1;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &callers);
    for (; t < threads->size; t++) {
        slot *const s = &threads->slots[t];
        s->team = threads;
        s->t = t;
        *reason = pthread_create(&s->thread, NULL, member, s);
        if (*reason) break;
    }
    pthread_sigmask(SIG_SETMASK, &callers, NULL);
    return t;
}

ln_threads *ln_threads_new(ln_context *context, int n, ln_error *error) {
    const size_t      n_bytes = sizeof(ln_threads) + (size_t)n * sizeof(slot);
    ln_threads *const threads = ln_allocate_zeroed(context, n_bytes);
    if (!threads) {
        ln_fail_memory(error, "team of threads", n_bytes);
        return NULL;
    }
    threads->size = n;
    threads->n_cores = ln_cpu_count();
    threads->n = 1;
    int       reason = 0;
    const int n_started = start(threads, &reason);
    if (n_started == n) return threads;
    ln_fail(error, LN_E_UNSUPPORTED,
            "context: the system refused thread %d of %d (%s); ask for fewer by n_threads or LINNET_THREADS",
            n_started + 1, n, strerror_l(reason, ln_plain_locale()));
    threads->size = n_started;
    ln_threads_free(context, threads);
    return NULL;
}

void ln_threads_free(ln_context *context, ln_threads *threads) {
    if (!threads) return;
    for (int t = 1; t < threads->size; t++) order(&threads->slots[t], NULL, NULL);
    for (int t = 1; t < threads->size; t++) pthread_join(threads->slots[t].thread, NULL);
    ln_release(context, threads);
}
