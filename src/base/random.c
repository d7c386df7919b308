/* Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", 2011) and what is drawn
 * from it. A stream's key holds seed, purpose and a; its counter holds b in the upper half and counts in the lower.
 *
 *   uniform = 53 bits · 2^-53, in [0, 1)
 *   normal = √(-2 log u) · cos 2πv, u in (0, 1] and v in [0, 1) uniform (Box and Muller)
 */
#include "base/random.h"

#include "base/math.h"
#include "linnet.h"

#include <math.h>

void ln_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t word[4]) {
    uint32_t x0 = counter[0], x1 = counter[1], x2 = counter[2], x3 = counter[3], k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        const uint64_t p0 = UINT64_C(0xd2511f53) * x0, p1 = UINT64_C(0xcd9e8d57) * x2;
        x0 = (uint32_t)(p1 >> 32) ^ x1 ^ k0;
        x2 = (uint32_t)(p0 >> 32) ^ x3 ^ k1;
        x1 = (uint32_t)p1;
        x3 = (uint32_t)p0;
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
    word[0] = x0;
    word[1] = x1;
    word[2] = x2;
    word[3] = x3;
}

/* Seed, purpose and a are more than a key holds: the key is itself a Philox number of them. */
ln_random ln_random_at(uint64_t seed, ln_purpose purpose, uint32_t a, uint64_t b) {
    const uint32_t seed_key[2] = {(uint32_t)seed, (uint32_t)(seed >> 32)};
    const uint32_t use[4] = {(uint32_t)purpose, a, 0, 0};
    uint32_t       word[4];
    ln_philox(use, seed_key, word);
    return (ln_random){.key = {word[0], word[1]}, .counter = {0, 0, (uint32_t)b, (uint32_t)(b >> 32)}, .used = 4};
}

uint32_t ln_random_u32(ln_random *random) {
    if (random->used == 4) {
        ln_philox(random->counter, random->key, random->word);
        if (++random->counter[0] == 0) random->counter[1]++;
        random->used = 0;
    }
    return random->word[random->used++];
}

static uint64_t random_u64(ln_random *random) {
    const uint64_t high = ln_random_u32(random);
    return high << 32 | ln_random_u32(random);
}

double ln_random_uniform(ln_random *random) { return (double)(random_u64(random) >> 11) * 0x1p-53; }

double ln_random_number(uint64_t seed, uint32_t stream, uint64_t i) {
    ln_random random = ln_random_at(seed, LN_RANDOM_CALLER, stream, i);
    return ln_random_uniform(&random);
}

/* √(-2 log u) · cos 2πv with u in (0, 1]; of the pair that two uniforms give, the sine is not used. */
double ln_random_normal(ln_random *random) {
    const double u = 1 - ln_random_uniform(random), v = ln_random_uniform(random);
    return sqrt(-2 * ln_log_double(u)) * ln_cos_pi(v <= 0.5 ? 2 * v : 2 - 2 * v);
}

/* Numbers from the incomplete last run of n are drawn again. */
uint64_t ln_random_below(ln_random *random, uint64_t n) {
    const uint64_t excess = (0 - n) % n; /* 2^64 mod n */
    uint64_t       x = random_u64(random);
    while (x < excess) x = random_u64(random);
    return x % n;
}

void ln_random_order(ln_random *random, uint32_t *order, size_t n) {
    for (size_t i = 0; i < n; i++) order[i] = (uint32_t)i;
    for (size_t i = n; i > 1; i--) {
        const size_t   j = (size_t)ln_random_below(random, i);
        const uint32_t other = order[j];
        order[j] = order[i - 1];
        order[i - 1] = other;
    }
}
