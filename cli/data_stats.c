/* data_stats.c: what there is to say of a set of images, in one pass over its values, and which images are the same:
 * those of one hash, compared value by value. */
#include "data.h"
#include "work.h"

#include <stdlib.h>
#include <string.h>

typedef struct data_key {
    uint64_t hash;
    size_t   image;
} data_key;

/* ------------------------------------------------------------------ ranges */

enum { STRIDE = 32 }; /* values at a time, so that compilers see vectors */

/* The least and the greatest of each value; n is a multiple of STRIDE. */
#define SPREAD(type)                                                                                       \
    static void spread_##type(const type *restrict x, size_t n, type *restrict low, type *restrict high) { \
        for (size_t j = 0; j < n; j += STRIDE)                                                             \
            for (size_t k = j; k < j + STRIDE; k++) {                                                      \
                low[k] = x[k] < low[k] ? x[k] : low[k];                                                    \
                high[k] = x[k] > high[k] ? x[k] : high[k];                                                 \
            }                                                                                              \
    }                                                                                                      \
    static void range_##type(data_stats *s) {                                                              \
        const size_t n = s->n_values, even = n / STRIDE * STRIDE;                                          \
        type *const low = take(2 * n, sizeof *low), *const high = low + n;                                 \
        memcpy(low, ln_data_image(s->data, 0), n * sizeof *low);                                           \
        memcpy(high, low, n * sizeof *low);                                                                \
        for (size_t i = 1; i < s->info.n; i++) {                                                           \
            const type *const x = ln_data_image(s->data, i);                                               \
            spread_##type(x, even, low, high);                                                             \
            for (size_t j = even; j < n; j++) {                                                            \
                low[j] = x[j] < low[j] ? x[j] : low[j];                                                    \
                high[j] = x[j] > high[j] ? x[j] : high[j];                                                 \
            }                                                                                              \
        }                                                                                                  \
        s->low = (double)low[0], s->high = (double)high[0];                                                \
        for (size_t j = 0; j < n; j++) {                                                                   \
            s->low = (double)low[j] < s->low ? (double)low[j] : s->low;                                    \
            s->high = (double)high[j] > s->high ? (double)high[j] : s->high;                               \
            s->n_constant += !(low[j] < high[j]);                                                          \
        }                                                                                                  \
        free(low);                                                                                         \
    }
SPREAD(uint8_t)
SPREAD(float)

/* ----------------------------------------------------------------- classes */

static void count_classes(data_stats *s) {
    for (size_t i = 0; i < s->info.n && s->info.has_labels; i++) s->n_of[ln_data_label(s->data, i)]++;
    s->largest = s->smallest = -1;
    for (int k = 0; k < 256; k++) {
        if (s->n_of[k] == 0) continue;
        s->n_present++;
        if (s->largest < 0 || s->n_of[k] > s->n_of[s->largest]) s->largest = k;
        if (s->smallest < 0 || s->n_of[k] < s->n_of[s->smallest]) s->smallest = k;
    }
}

/* ------------------------------------------------------------------- copies */

enum { WATCHED = 1024 }; /* images between two looks at the clock */

static size_t image_bytes(const data_stats *s) { return s->n_values * (s->info.is_float ? sizeof(float) : 1); }

static uint64_t hash_of(const void *image, size_t n) {
    const unsigned char *bytes = image;
    uint64_t             hash = n, word;
    for (; n >= sizeof word; n -= sizeof word, bytes += sizeof word) {
        memcpy(&word, bytes, sizeof word);
        hash = (hash ^ word) * 0x9e3779b97f4a7c15;
        hash ^= hash >> 29;
    }
    for (; n; n--) hash = (hash ^ *bytes++) * 0x9e3779b97f4a7c15;
    return hash ^ hash >> 32;
}

static int compare_keys(const void *a, const void *b) {
    const data_key *const x = a, *const y = b;
    if (x->hash != y->hash) return x->hash < y->hash ? -1 : 1;
    return x->image < y->image ? -1 : x->image > y->image;
}

/* Image i of a is image j of b: counts it. */
static void count_twin(data_twins *t, const data_stats *a, size_t i, const data_stats *b, size_t j) {
    if (memcmp(ln_data_image(a->data, i), ln_data_image(b->data, j), image_bytes(a)) != 0) return;
    if (t->n++ == 0 || i < t->first) t->first = i, t->second = j;
    t->n_relabelled +=
        a->info.has_labels && b->info.has_labels && ln_data_label(a->data, i) != ln_data_label(b->data, j);
}

static void find_twins(data_stats *s) {
    s->keys = take(s->info.n, sizeof *s->keys);
    for (size_t i = 0; i < s->info.n; i++) {
        if (i % WATCHED == 0) work_show(NULL, "looking for copies", i, s->info.n);
        s->keys[i] = (data_key){hash_of(ln_data_image(s->data, i), image_bytes(s)), i};
    }
    work_show(NULL, "looking for copies", s->info.n, s->info.n);
    qsort(s->keys, s->info.n, sizeof *s->keys, compare_keys);
    for (size_t i = 1, first = 0; i < s->info.n; i++) {
        if (s->keys[i].hash != s->keys[first].hash) first = i;
        else count_twin(&s->twins, s, s->keys[i].image, s, s->keys[first].image);
    }
}

data_twins data_shared(const data_stats *train, const data_stats *test) {
    data_twins shared = {0};
    if (train->info.is_float != test->info.is_float || train->n_values != test->n_values) return shared;
    for (size_t i = 0, j = 0; j < test->info.n; j++) {
        while (i < train->info.n && train->keys[i].hash < test->keys[j].hash) i++;
        if (i < train->info.n && train->keys[i].hash == test->keys[j].hash)
            count_twin(&shared, test, test->keys[j].image, train, train->keys[i].image);
    }
    return shared;
}

/* --------------------------------------------------------------------- all */

void data_measure(const ln_data *data, data_stats *s) {
    *s = (data_stats){.data = data, .info = ln_data_describe(data)};
    s->n_values = s->info.c * s->info.h * s->info.w;
    (s->info.is_float ? range_float : range_uint8_t)(s);
    const ln_preprocess fit = ln_data_fit(data, 1);
    s->mean = fit.mean;
    s->deviation = s->low < s->high ? fit.std : 0;
    count_classes(s);
    find_twins(s);
}

void data_stats_free(data_stats *s) { free(s->keys); }
