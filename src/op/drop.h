/* What dropout and dropout2d share: the argument, and which units (values, or channels) of an image stay.
 *
 *   m[i] = 1/(1 - p) where u[i] ≥ T, 0 elsewhere; u[i] is 32 random bits, T = ⌈p·2^32⌉
 *
 * Random bits are Philox's, keyed by seed and layer, at counters of image and step, so they do not know of threads,
 * bands, lanes or batches. The high half of u[i] is half i % 8 of counter (i / 8, image, step), low halves of words
 * first. The low half, of counter (2^31 + i, image, step), matters only where the high half equals T's: once in 65536
 * times, and never when p is a multiple of 2^-16: so a counter serves eight units, and p is still exact to 2^-32.
 * Kept from forward to backward: one bit a unit and lane, set where it stays.
 * Source: Srivastava et al., "Dropout: a simple way to prevent neural networks from overfitting", 2014, in the inverted
 * form of torch.nn.Dropout; Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011. */
#ifndef LN_OP_DROP_H
#define LN_OP_DROP_H

#include "op/op.h"

typedef struct drop_args {
    double p;
} drop_args;

static inline double drop_p(const ln_node *node) { return ((const drop_args *)(const void *)node->args)->p; }

#ifdef LN_DESCRIPTOR

#define DROP_ATTRS(what)                                                                                     \
    {                                                                                                        \
        {.key = "p", .type = LN_ATTR_FLOAT, .offset = offsetof(drop_args, p), .positional = true,            \
         .preset = 0.5, .low = 0, .high = 1, .help = what},                                                  \
        {0}                                                                                                  \
    }

#else
#include "kernel/kernel.h"

#include <string.h>

enum { DROP_UNITS = 16, DROP_ROUNDS = 10 }; /* units of two counters, which are drawn side by side; of Philox */

/* T's halves, and what the draws of a task have in common: the keys of each round, the same in every lane. */
typedef struct drop_rule {
    _Alignas(64) int32_t round_key[DROP_ROUNDS][2][LN_LANES];
    uint32_t             high, low, key[2], step[2];
} drop_rule;

static inline drop_rule drop_rule_of(const ln_task *t) {
    const double    scaled = drop_p(t->node) * 4294967296.0;
    const uint64_t  whole = (uint64_t)scaled, limit = whole + ((double)whole < scaled);
    const ln_random random = ln_random_at(t->seed, LN_RANDOM_LAYER, (uint32_t)t->node->index, t->step);
    drop_rule       rule = {.high = (uint32_t)(limit >> 16),
                            .low = (uint32_t)(limit & 0xffff),
                            .key = {random.key[0], random.key[1]},
                            .step = {random.counter[2], random.counter[3]}};
    for (uint32_t r = 0; r < DROP_ROUNDS; r++)
        for (size_t l = 0; l < LN_LANES; l++) {
            rule.round_key[r][0][l] = (int32_t)(random.key[0] + r * 0x9e3779b9u);
            rule.round_key[r][1][l] = (int32_t)(random.key[1] + r * 0xbb67ae85u);
        }
    return rule;
}

/* The four words of a counter in every element: base/random.c's Philox. */
LN_INLINE void drop_round(vint x[4], vint k0, vint k1) {
    const vint m0 = vi_splat((int32_t)0xd2511f53), m2 = vi_splat((int32_t)0xcd9e8d57);
    const vint high0 = vi_mul_high(x[0], m0), low0 = vi_mul_low(x[0], m0);
    const vint high2 = vi_mul_high(x[2], m2), low2 = vi_mul_low(x[2], m2);
    x[0] = vi_xor(vi_xor(high2, x[1]), k0);
    x[2] = vi_xor(vi_xor(high0, x[3]), k1);
    x[1] = low2;
    x[3] = low0;
}

/* Word i of two counters. */
static inline unsigned drop_half(const uint32_t word[8], size_t i) { return word[i / 2] >> (i % 2 * 16) & 0xffff; }

/* Draws the low halves of a pair of counters' units whose high half is T's. */
static inline void drop_ties(const drop_rule *rule, const uint32_t *image, uint32_t pair, uint16_t *bits) {
    for (size_t l = 0; l < LN_LANES; l++) {
        uint32_t word[8], more[4];
        for (uint32_t k = 0; k < 2; k++)
            ln_philox((const uint32_t[4]){2 * pair + k, image[l], rule->step[0], rule->step[1]}, rule->key,
                      word + 4 * (size_t)k);
        for (uint32_t i = 0; i < DROP_UNITS; i++) {
            if (drop_half(word, i) != rule->high) continue;
            const uint32_t unit = 0x80000000u + pair * DROP_UNITS + i;
            ln_philox((const uint32_t[4]){unit, image[l], rule->step[0], rule->step[1]}, rule->key, more);
            if ((more[0] & 0xffff) >= rule->low) bits[i] = (uint16_t)(bits[i] | 1u << l);
        }
    }
}

/* The bits of a pair of counters. Two at a time, as each round must wait for the one before. */
LN_INLINE void drop_draw(const drop_rule *rule, const uint32_t *image, uint32_t pair, uint16_t *bits, bool exact) {
    const vec  first = v_splat((real)(int32_t)(rule->high + exact)), tie = v_splat((real)(int32_t)rule->high);
    const vint half = vi_splat(0xffff);
    unsigned   stay[DROP_UNITS] = {0}, ties = 0;
    for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
        vint x[2][4];
        LN_UNROLL for (int k = 0; k < 2; k++) {
            x[k][0] = vi_splat((int32_t)(2 * pair + (uint32_t)k));
            x[k][1] = vi_load((const int32_t *)(const void *)image + p);
            x[k][2] = vi_splat((int32_t)rule->step[0]);
            x[k][3] = vi_splat((int32_t)rule->step[1]);
        }
        LN_UNROLL for (int r = 0; r < DROP_ROUNDS; r++) {
            const vint k0 = vi_load(rule->round_key[r][0] + p), k1 = vi_load(rule->round_key[r][1] + p);
            LN_UNROLL for (int k = 0; k < 2; k++) drop_round(x[k], k0, k1);
        }
        LN_UNROLL for (int i = 0; i < DROP_UNITS / 2; i++) {
            const vint word = x[i / 4][i % 4];
            const vec  low = vi_to_real(vi_and(word, half)), high = vi_to_real(vi_shift_right(word, 16));
            stay[2 * i] |= mask_bits(v_ge(low, first)) << p;
            stay[2 * i + 1] |= mask_bits(v_ge(high, first)) << p;
            if (exact) ties |= mask_bits(mask_or(v_eq(low, tie), v_eq(high, tie)));
        }
    }
    LN_UNROLL for (int i = 0; i < DROP_UNITS; i++) bits[i] = (uint16_t)stay[i];
    if (ties) drop_ties(rule, image, pair, bits);
}

/* Where a block's bits lie. */
static inline uint16_t *drop_bits(const ln_task *t, size_t block) {
    return (uint16_t *)(void *)(t->saved + block * t->saved_stride);
}

LN_INLINE void drop_units(const ln_task *t, const drop_rule *rule, size_t block, size_t lo, size_t hi, bool exact) {
    const uint32_t *const image = t->image + block * LN_LANES;
    uint16_t *const       bits = drop_bits(t, block);
    for (size_t at = lo, end; at < hi; at = end) {
        const size_t first = at / DROP_UNITS * DROP_UNITS;
        uint16_t     some[DROP_UNITS];
        end = first + DROP_UNITS < hi ? first + DROP_UNITS : hi;
        drop_draw(rule, image, (uint32_t)(at / DROP_UNITS), some, exact);
        memcpy(bits + at, some + (at - first), (end - at) * sizeof *bits);
    }
}

/* Draws the bits of units [lo, hi) of a block, and touches no others: they may be another thread's. */
static inline void drop_range(const ln_task *t, const drop_rule *rule, size_t block, size_t lo, size_t hi) {
    if (rule->low > 0) drop_units(t, rule, block, lo, hi, true);
    else drop_units(t, rule, block, lo, hi, false);
}

/* What units that stay are multiplied by; of p = 1 none does. */
static inline vec drop_scale(const ln_task *t) { return v_splat((real)(1 / (1 - drop_p(t->node)))); }

/* to = m · from for a row of w values; bits of successive values are `step` apart (0: one for all). */
LN_INLINE void drop_row(const lanes *from, lanes *to, const uint16_t *bits, size_t step, size_t w, vec scale,
                        bool adds) {
    for (size_t i = 0; i < w; i++)
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            const vec m = v_select(mask_from_bits((unsigned)bits[i * step] >> p), scale, v_zero());
            const vec value = v_mul(v_load(from[i].of + p), m);
            v_store(to[i].of + p, adds ? v_add(v_load(to[i].of + p), value) : value);
        }
}

/* In prediction y is x. */
static inline void drop_copy(const ln_task *t) {
    const size_t w = t->node->out.w;
    LN_FOR_ROWS(t, b, c, h) {
        const lanes *x = view_row(&t->in[0], b, c, h);
        lanes       *y = view_row(&t->out, b, c, h);
        if (y != x) memcpy(y, x, w * sizeof *y);
    }
}
#endif

#endif
