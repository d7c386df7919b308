/* Counter-based random numbers (Philox4x32-10, Salmon et al. 2011): a number is a function of where it is used, so
 * threads, order and resuming change nothing. */
#ifndef LN_BASE_RANDOM_H
#define LN_BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

typedef enum ln_purpose {
    LN_RANDOM_INIT = 1,
    LN_RANDOM_ORDER,
    LN_RANDOM_SPLIT,
    LN_RANDOM_LAYER,
    LN_RANDOM_CHECK,
    LN_RANDOM_DATA,
    LN_RANDOM_AUGMENT,
    LN_RANDOM_CALLER
} ln_purpose;

typedef struct ln_random { uint32_t key[2]; uint32_t counter[4]; uint32_t word[4]; unsigned used; } ln_random;

/* The four words of one counter under one key. */
void ln_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t word[4]);

/* A stream keyed by seed and purpose, and by two more numbers (layer and step, epoch and image, …). */
ln_random ln_random_at(uint64_t seed, ln_purpose purpose, uint32_t a, uint64_t b);
uint32_t  ln_random_u32(ln_random *random);
double    ln_random_uniform(ln_random *random);                 /* [0, 1), 53 bits */
double    ln_random_normal(ln_random *random);                  /* Box-Muller on our own log and cos */
uint64_t  ln_random_below(ln_random *random, uint64_t n);       /* [0, n), unbiased; n ≥ 1 */
/* Fisher-Yates of 0 … n-1 into order. */
void      ln_random_order(ln_random *random, uint32_t *order, size_t n);

#endif
