/* Data sets in memory: stores shared by views, splitting, and the fit of mean and deviation: of all N values v,
 *   mean = scale · Σ v / N,  std = scale · √(Σ (v - Σ v / N)² / N), or 1 where that is 0 */
#include "data/data.h"

#include "base/math.h"
#include "base/random.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

static int count_classes(const uint8_t *labels, size_t n) {
    int largest = -1;
    for (size_t i = 0; labels && i < n; i++) largest = labels[i] > largest ? labels[i] : largest;
    return largest + 1;
}

/* Sizes that are positive, whose product fits, with image numbers of 32 bits. */
static ln_status check_parts(const char *who, const ln_data_parts *p, size_t *image_bytes, ln_error *error) {
    size_t count = 0, n_bytes = 0;
    if (!p->pixels) return ln_fail(error, LN_E_ARGUMENT, "%s: no pixels were given (NULL)", who);
    if (!p->n || !p->c || !p->h || !p->w)
        return ln_fail(error, LN_E_SHAPE, "%s: %zu images of %zux%zux%zu hold no values: every size must be at least 1",
                       who, p->n, p->c, p->h, p->w);
    if (p->n > UINT32_MAX)
        return ln_fail(error, LN_E_SHAPE, "%s: %zu images, but a data set holds %ju at most", who, p->n,
                       (uintmax_t)UINT32_MAX);
    if (!ln_multiply(p->c, p->h, &count) || !ln_multiply(count, p->w, &count) ||
        !ln_multiply(count, p->is_float ? sizeof(float) : 1, image_bytes) ||
        !ln_multiply(*image_bytes, p->n, &n_bytes) || n_bytes > PTRDIFF_MAX)
        return ln_fail(error, LN_E_SHAPE, "%s: %zu images of %zux%zux%zu are more than memory can address", who, p->n,
                       p->c, p->h, p->w);
    for (int k = 0; p->class_name && k < p->n_classes; k++)
        if (!ln_utf8_is_name(p->class_name[k]))
            return ln_fail(error, LN_E_FORMAT,
                           "%s: class %d is called '%.60s', but a name of UTF-8 text without control characters was "
                           "wanted: rename it",
                           who, k, p->class_name[k]);
    return LN_OK;
}

/* Pointers and texts in one piece of memory; below stands before each. NULL (names may be, too) has no copy. */
static char **copy_names(ln_context *context, const char *below, const char *const *names, size_t n) {
    const size_t n_below = below ? strlen(below) : 0;
    size_t       n_bytes = n * sizeof(char *);
    for (size_t i = 0; names && i < n; i++) n_bytes += n_below + strlen(names[i]) + 1;
    char **const copy = names ? ln_allocate(context, n_bytes) : NULL;
    if (!copy) return NULL;
    char *text = (char *)(copy + n);
    for (size_t i = 0; i < n; i++) {
        const size_t size = n_below + strlen(names[i]) + 1;
        copy[i] = text;
        snprintf(text, size, "%s%s", below ? below : "", names[i]);
        text += size;
    }
    return copy;
}

ln_data *ln_data_new(ln_context *context, const char *who, const ln_data_parts *parts, ln_error *error) {
    size_t image_bytes = 0;
    if (check_parts(who, parts, &image_bytes, error) != LN_OK) return NULL;
    ln_data  *data = ln_allocate_zeroed(context, sizeof *data);
    ln_store *store = ln_allocate_zeroed(context, sizeof *store);
    char    **classes = copy_names(context, NULL, parts->class_name, (size_t)parts->n_classes);
    char    **images = copy_names(context, parts->below, parts->image_name, parts->n);
    if (!data || !store || (parts->class_name && !classes) || (parts->image_name && !images)) {
        ln_release(context, data);
        ln_release(context, store);
        ln_release(context, classes);
        ln_release(context, images);
        ln_fail_memory(error, who, sizeof *data + sizeof *store);
        return NULL;
    }
    const int counted = count_classes(parts->labels, parts->n);
    *store = (ln_store){.context = context,
                        .n_views = 1,
                        .is_float = parts->is_float,
                        .n = parts->n,
                        .c = parts->c,
                        .h = parts->h,
                        .w = parts->w,
                        .image_bytes = image_bytes,
                        .pixels = parts->pixels,
                        .labels = parts->labels,
                        .n_classes = counted > parts->n_classes ? counted : parts->n_classes,
                        .class_name = classes,
                        .image_name = images};
    if (parts->own) {
        store->own_pixels = (void *)(uintptr_t)parts->pixels;
        store->own_labels = (void *)(uintptr_t)parts->labels;
    }
    *data = (ln_data){.store = store, .n = parts->n};
    return data;
}

ln_data *ln_data_from_bytes(ln_context *context, const uint8_t *pixels, const uint8_t *labels, size_t n, size_t c,
                            size_t h, size_t w, ln_error *error) {
    const ln_data_parts parts = {.pixels = pixels, .labels = labels, .n = n, .c = c, .h = h, .w = w};
    return ln_data_new(context, "ln_data_from_bytes", &parts, error);
}

ln_data *ln_data_from_floats(ln_context *context, const float *pixels, const uint8_t *labels, size_t n, size_t c,
                             size_t h, size_t w, ln_error *error) {
    const ln_data_parts parts = {.pixels = pixels, .labels = labels, .is_float = true, .n = n, .c = c, .h = h, .w = w};
    return ln_data_new(context, "ln_data_from_floats", &parts, error);
}

void ln_data_free(ln_data *data) {
    if (!data) return;
    ln_store   *store = data->store;
    ln_context *context = store->context;
    ln_release(context, data->index);
    ln_release(context, data);
    if (--store->n_views) return;
    ln_release(context, store->own_pixels);
    ln_release(context, store->own_labels);
    ln_release(context, store->class_name);
    ln_release(context, store->image_name);
    ln_release(context, store);
}

ln_data_info ln_data_describe(const ln_data *data) {
    const ln_store *s = data->store;
    return (ln_data_info){.n = data->n,
                          .c = s->c,
                          .h = s->h,
                          .w = s->w,
                          .is_float = s->is_float,
                          .has_labels = s->labels != NULL,
                          .n_classes = data->n_kept ? data->n_kept : s->n_classes,
                          .n_bytes = s->n * (s->image_bytes + (s->labels ? 1 : 0)) +
                                     (data->index ? data->n * sizeof *data->index : 0)};
}

ln_status ln_data_reshape(ln_data *data, size_t c, size_t h, size_t w, ln_error *error) {
    ln_store *const s = data->store;
    size_t          count = 0;
    if (!ln_multiply(c, h, &count) || !ln_multiply(count, w, &count) || count != s->c * s->h * s->w)
        return ln_fail(error, LN_E_SHAPE, "reshape: images of %zux%zux%zu have %zu values, which %zux%zux%zu has not",
                       s->c, s->h, s->w, s->c * s->h * s->w, c, h, w);
    s->c = c, s->h = h, s->w = w;
    return LN_OK;
}

const void *ln_data_image(const ln_data *data, size_t i) { return ln_data_values(data, i); }

int ln_data_label(const ln_data *data, size_t i) {
    if (!data->store->labels) return -1;
    const int label = data->store->labels[ln_data_number(data, i)];
    for (int k = 0; k < data->n_kept; k++)
        if (data->kept[k] == label) return k;
    return label;
}

int ln_data_class(const ln_data *data, int i) { return i < data->n_kept ? data->kept[i] : i; }

const char *ln_data_class_name(const ln_data *data, int i) {
    const int label = ln_data_class(data, i);
    return data->store->class_name && i >= 0 && label < data->store->n_classes ? data->store->class_name[label] : NULL;
}

const char *ln_data_image_name(const ln_data *data, size_t i) {
    return data->store->image_name ? data->store->image_name[ln_data_number(data, i)] : NULL;
}

size_t ln_data_image_number(const ln_data *data, size_t i) { return ln_data_number(data, i); }

/* Draws exactly n_taken of data's images into taken and the others into kept, both in data's order: Knuth's selection
 * sampling (The Art of Computer Programming, 3.4.2, algorithm S). */
static void draw(const ln_data *data, uint64_t seed, uint32_t *taken, size_t n_taken, uint32_t *kept) {
    ln_random random = ln_random_at(seed, LN_RANDOM_SPLIT, 0, 0);
    for (size_t i = 0; i < data->n; i++) {
        const bool take = ln_random_below(&random, data->n - i) < n_taken;
        *(take ? taken++ : kept++) = ln_data_number(data, i);
        n_taken -= take;
    }
}

/* How many images of each class there are (left) and are to be taken (wanted): of every class its share rounded down,
 * and one more of those whose share lost the most by that, until n_taken are together. The last image of a class is
 * not taken, so that training knows it. Returns how many that makes. */
static size_t share_classes(const ln_data *data, double fraction, size_t n_taken, size_t left[256],
                            size_t wanted[256]) {
    double lost[256];
    size_t n = 0;
    memset(left, 0, 256 * sizeof *left);
    for (size_t i = 0; i < data->n; i++) left[data->store->labels[ln_data_number(data, i)]]++;
    for (size_t k = 0; k < 256; k++) {
        const double share = fraction * (double)left[k];
        wanted[k] = (size_t)share;
        lost[k] = wanted[k] + 1 < left[k] ? share - (double)wanted[k] : 0;
        n += wanted[k];
    }
    for (; n < n_taken; n++) {
        size_t most = 0;
        for (size_t k = 1; k < 256; k++) most = lost[k] > lost[most] ? k : most;
        if (!(lost[most] > 0)) break;
        lost[most] = 0;
        wanted[most]++;
    }
    return n;
}

/* draw(), for every class by itself, in one walk. */
static void draw_stratified(const ln_data *data, uint64_t seed, uint32_t *taken, size_t left[256], size_t wanted[256],
                            uint32_t *kept) {
    ln_random random = ln_random_at(seed, LN_RANDOM_SPLIT, 1, 0);
    for (size_t i = 0; i < data->n; i++) {
        const uint32_t number = ln_data_number(data, i);
        const size_t   k = data->store->labels[number];
        const bool     take = ln_random_below(&random, left[k]--) < wanted[k];
        *(take ? taken++ : kept++) = number;
        wanted[k] -= take;
    }
}

ln_data *ln_data_split(ln_data *data, double fraction, uint64_t seed, ln_error *error) {
    ln_context *context = data->store->context;
    if (!(fraction > 0 && fraction < 1)) {
        ln_fail(error, LN_E_ARGUMENT, "split: fraction %g, but a part must lie between 0 and 1", fraction);
        return NULL;
    }
    const uint64_t mode = ln_fp_enter();
    const bool     stratified = data->store->labels && data->store->class_name;
    size_t         left[256], wanted[256], n_taken = (size_t)(fraction * (double)data->n + 0.5);
    if (stratified) n_taken = share_classes(data, fraction, n_taken, left, wanted);
    ln_fp_leave(mode);
    if (!n_taken || n_taken >= data->n) {
        ln_fail(error, LN_E_SHAPE,
                "%g of %zu image%s is %zu, which leaves one side of a split without images: choose another part",
                fraction, data->n, data->n == 1 ? "" : "s", n_taken);
        return NULL;
    }
    const size_t n_kept = data->n - n_taken;
    ln_data     *part = ln_allocate_zeroed(context, sizeof *part);
    uint32_t    *taken = ln_allocate(context, n_taken * sizeof *taken);
    uint32_t    *kept = ln_allocate(context, n_kept * sizeof *kept);
    if (!part || !taken || !kept) {
        ln_release(context, part);
        ln_release(context, taken);
        ln_release(context, kept);
        ln_fail_memory(error, "ln_data_split", data->n * sizeof *taken);
        return NULL;
    }
    if (stratified) draw_stratified(data, seed, taken, left, wanted, kept);
    else draw(data, seed, taken, n_taken, kept);
    ln_release(context, data->index);
    data->index = kept;
    data->n = n_kept;
    data->store->n_views++;
    *part = (ln_data){.store = data->store, .n = n_taken, .index = taken, .n_kept = data->n_kept};
    memcpy(part->kept, data->kept, sizeof part->kept);
    return part;
}

/* Sums of integers are exact in any order; 2^64 / 255^2 values are more than memory holds. */
static void fit_bytes(const ln_data *data, double *mean, double *variance) {
    const size_t count = data->store->image_bytes;
    uint64_t     sum = 0, squares = 0;
    for (size_t i = 0; i < data->n; i++) {
        const uint8_t *x = ln_data_values(data, i);
        for (size_t j = 0; j < count; j++) {
            sum += x[j];
            squares += (uint64_t)x[j] * x[j];
        }
    }
    const unsigned __int128 n = (unsigned __int128)data->n * count;
    *mean = (double)sum / (double)n;
    *variance = (double)(n * squares - (unsigned __int128)sum * sum) / (double)n / (double)n;
}

/* The mean first, then squares of differences, each in the order of the view. */
static void fit_floats(const ln_data *data, double *mean, double *variance) {
    const size_t count = data->store->image_bytes / sizeof(float);
    const double n = (double)data->n * (double)count;
    double       sum = 0, squares = 0;
    for (size_t i = 0; i < data->n; i++) {
        const float *x = ln_data_values(data, i);
        for (size_t j = 0; j < count; j++) sum += (double)x[j];
    }
    *mean = sum / n;
    for (size_t i = 0; i < data->n; i++) {
        const float *x = ln_data_values(data, i);
        for (size_t j = 0; j < count; j++) squares += ((double)x[j] - *mean) * ((double)x[j] - *mean);
    }
    *variance = squares / n;
}

ln_preprocess ln_data_fit(const ln_data *data, double scale) {
    const uint64_t mode = ln_fp_enter();
    double         mean, variance;
    (data->store->is_float ? fit_floats : fit_bytes)(data, &mean, &variance);
    /* A constant cannot be normalised: it becomes 0 by its mean alone. */
    const double        std = variance > 0 ? ln_sqrt(variance) * scale : 1;
    const ln_preprocess fit = {.scale = scale, .mean = mean * scale, .std = std};
    ln_fp_leave(mode);
    return fit;
}

/* The least and the greatest value. */
static void range_bytes(const ln_data *data, double *least, double *most) {
    uint8_t low = UINT8_MAX, high = 0;
    for (size_t i = 0; i < data->n; i++) {
        const uint8_t *x = ln_data_values(data, i);
        for (size_t j = 0; j < data->store->image_bytes; j++) {
            low = x[j] < low ? x[j] : low;
            high = x[j] > high ? x[j] : high;
        }
    }
    *least = low, *most = high;
}

static void range_floats(const ln_data *data, double *least, double *most) {
    const size_t count = data->store->image_bytes / sizeof(float);
    float        low = *(const float *)ln_data_values(data, 0), high = low;
    for (size_t i = 0; i < data->n; i++) {
        const float *x = ln_data_values(data, i);
        for (size_t j = 0; j < count; j++) {
            low = x[j] < low ? x[j] : low;
            high = x[j] > high ? x[j] : high;
        }
    }
    *least = (double)low, *most = (double)high;
}

ln_preprocess ln_data_fit_range(const ln_data *data, double scale, double low, double high) {
    const uint64_t mode = ln_fp_enter();
    double         least, most;
    (data->store->is_float ? range_floats : range_bytes)(data, &least, &most);
    const double        std = most > least ? (most - least) * scale / (high - low) : 1;
    const ln_preprocess fit = {.scale = scale, .mean = least * scale - low * std, .std = std};
    ln_fp_leave(mode);
    return fit;
}
