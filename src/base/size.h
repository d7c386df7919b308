/* Sizes: the smaller and the larger of two, and products that may be too large. */
#ifndef LN_BASE_SIZE_H
#define LN_BASE_SIZE_H

#include <stdbool.h>
#include <stddef.h>

static inline size_t ln_least(size_t a, size_t b) { return a < b ? a : b; }
static inline size_t ln_most(size_t a, size_t b) { return a > b ? a : b; }

/* *product = a*b, false on overflow. */
static inline bool ln_multiply(size_t a, size_t b, size_t *product) {
    return !__builtin_mul_overflow(a, b, product);
}

#endif
