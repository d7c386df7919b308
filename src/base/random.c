/* Philox4x32-10 (Salmon, Moraes, Dror, Shaw: "Parallel random numbers: as easy as 1, 2, 3", 2011) and what is drawn
 * from it. A stream's key holds seed, purpose and a; its counter holds b in the upper half and counts in the lower.
 *
 *   uniform = 53 bits · 2^-53, in [0, 1)
 *   normal = √(-2 log u) · cos 2πv, u in (0, 1] and v in [0, 1) uniform (Box and Muller)
 *
 * Loops over many numbers are plain C that compilers make vectors of. */
#include "base/random.h"

#include "base/math.h"

#include <math.h>
#include <string.h>

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

/* ------------------------------------------------------------------ at once */

enum { N_COUNTERS = 32, N_WORDS = 128 };

/* ln_philox of N_COUNTERS counters from the stream's, whose first word does not overflow among them. */
static void philox_run(const ln_random *random, uint32_t *word) {
    uint32_t x0[N_COUNTERS], x1[N_COUNTERS], x2[N_COUNTERS], x3[N_COUNTERS], k0 = random->key[0], k1 = random->key[1];
    for (uint32_t i = 0; i < N_COUNTERS; i++) {
        x0[i] = random->counter[0] + i;
        x1[i] = random->counter[1];
        x2[i] = random->counter[2];
        x3[i] = random->counter[3];
    }
    for (int round = 0; round < 10; round++) {
        for (int i = 0; i < N_COUNTERS; i++) {
            const uint64_t p0 = UINT64_C(0xd2511f53) * x0[i], p1 = UINT64_C(0xcd9e8d57) * x2[i];
            x0[i] = (uint32_t)(p1 >> 32) ^ x1[i] ^ k0;
            x2[i] = (uint32_t)(p0 >> 32) ^ x3[i] ^ k1;
            x1[i] = (uint32_t)p1;
            x3[i] = (uint32_t)p0;
        }
        k0 += 0x9e3779b9u;
        k1 += 0xbb67ae85u;
    }
    for (int i = 0; i < N_COUNTERS; i++) {
        word[4 * i] = x0[i];
        word[4 * i + 1] = x1[i];
        word[4 * i + 2] = x2[i];
        word[4 * i + 3] = x3[i];
    }
}

void ln_random_words(ln_random *random, uint32_t *words, size_t n) {
    size_t i = 0;
    while (i < n && random->used < 4) words[i++] = ln_random_u32(random);
    for (; n - i >= 4 * N_COUNTERS && random->counter[0] <= UINT32_MAX - N_COUNTERS; i += 4 * N_COUNTERS) {
        philox_run(random, words + i);
        random->counter[0] += N_COUNTERS;
    }
    while (i < n) words[i++] = ln_random_u32(random);
}

/* √(-2 log u) of u = (k + ½) / 2^16; the logarithm as ln_log_double takes it, in float. */
static inline float distance(uint32_t k) {
    const float u = ((float)(int32_t)k + 0.5f) * 0x1p-16f;
    int32_t     bits;
    memcpy(&bits, &u, sizeof bits);
    const int32_t e = (bits - 0x3f3504f3) >> 23, rest = bits - e * (1 << 23);
    float         m;
    memcpy(&m, &rest, sizeof m);
    const float s = (m - 1) / (m + 1), t = s * s;
    const float log = s * (2.0f + t * (2.0f / 3 + t * (2.0f / 5 + t * (2.0f / 7 + t * (2.0f / 9)))));
    return sqrtf(-2 * ((float)e * 0x1.62e43p-1f + log));
}

/* The angle of k is one of 2^14 in ±π/4, or (a bit) its mirror image in the y axis, or (another) that of either with x
 * and y exchanged: 2^16 evenly around the circle. */
static void pairs(const uint32_t *restrict word, size_t n, float *restrict x, float *restrict y) {
    for (size_t i = 0; i < n; i++) {
        const uint32_t k = word[i] & 0xffff;
        const float    far = distance(word[i] >> 16);
        const float    r = ((float)(int32_t)(k & 0x3fff) - 8191.5f) * 0x1.921fb6p-14f, t = r * r;
        const float    s = r * (1 - t * (1.0f / 6 - t * (1.0f / 120 - t * (1.0f / 5040))));
        const float    c = 1 - t * (0.5f - t * (1.0f / 24 - t * (1.0f / 720 - t * (1.0f / 40320))));
        const float    mirrored = far * (k & 0x4000 ? -c : c), upright = far * s;
        x[i] = k & 0x8000 ? upright : mirrored;
        y[i] = k & 0x8000 ? mirrored : upright;
    }
}

void ln_random_normals(ln_random *random, float *values, size_t n) {
    const size_t m = (n + 1) / 2;
    for (size_t i = 0; i < m; i += N_WORDS) {
        const size_t n_now = m - i < N_WORDS ? m - i : N_WORDS;
        uint32_t     words[N_WORDS];
        float        x[N_WORDS], y[N_WORDS];
        ln_random_words(random, words, n_now);
        pairs(words, n_now, x, y);
        memcpy(values + i, x, n_now * sizeof *x);
        memcpy(values + m + i, y, (m + i + n_now > n ? n_now - 1 : n_now) * sizeof *y);
    }
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
