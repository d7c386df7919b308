/* The context: allocator, log, threads, instruction set. Everything is made from one and counted by it. */
#ifndef LN_BASE_CONTEXT_H
#define LN_BASE_CONTEXT_H

#include "base/cpu.h"
#include "base/error.h"
#include "base/size.h"
#include "base/threads.h"

#include <stdatomic.h>

struct ln_context {
    ln_allocator allocator;
    void (*log)(void *user, const char *line);
    void      *log_user;
    bool (*watch)(void *user, const char *what, size_t n_done, size_t n); /* of long work; or NULL */
    void      *watch_user;
    ln_isa     isa;
    bool       exact; /* the processor has fma */
    int        n_threads;
    ln_threads *threads;
    size_t      data_memory; /* bytes; 0: by what the machine has */
    _Atomic size_t n_bytes_now, n_bytes_peak;
};

/* What lies in front of every block, in LN_BLOCK_HEAD bytes. */
enum { LN_BLOCK_HEAD = 64 };
typedef struct ln_block_head {
    size_t n_bytes; /* with the head */
    bool   mapped;  /* from a file: base/large.h */
} ln_block_head;

/* 64-byte aligned memory from the context's allocator; n_bytes 0 gives a valid pointer. NULL when there is none. The
 * block remembers its size in its head, so that ln_release needs the pointer alone. */
void *ln_allocate(ln_context *context, size_t n_bytes);
void *ln_allocate_zeroed(ln_context *context, size_t n_bytes);
/* Keeps the first min(old, new) bytes; on NULL the old block stays valid. memory may be NULL. */
void *ln_reallocate(ln_context *context, void *memory, size_t n_bytes);
void  ln_release(ln_context *context, void *memory);
char *ln_copy_text(ln_context *context, const char *text); /* strdup */

/* One warning sentence to the context's log. */
void ln_warn(const ln_context *context, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
