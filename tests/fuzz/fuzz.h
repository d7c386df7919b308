/* What the fuzz targets share: one context for all runs, and a check that nothing stays held. */
#ifndef LN_TESTS_FUZZ_H
#define LN_TESTS_FUZZ_H

#include "base/context.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes);

static inline ln_context *fuzz_context(void) {
    static ln_context *context;
    ln_context_options options = LN_CONTEXT_OPTIONS;
    options.n_threads = 1;
    if (!context) context = ln_context_new(&options, NULL);
    if (!context) abort();
    return context;
}

static inline size_t fuzz_held(ln_context *context) {
    size_t n_bytes;
    ln_context_memory(context, &n_bytes, NULL);
    return n_bytes;
}

/* A promise of the code under test that must hold whatever the input was. */
static inline void fuzz_want(bool holds) {
    if (!holds) abort();
}

#endif
