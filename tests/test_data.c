/* Data sets: handles over memory and files, views that share, and the fit. */
#include "harness/files.h"

#include "cli/recipe.h"
#include "data/data.h"

#include <math.h>

static const uint8_t pixels[] = {0, 1, 2, 3, 10, 11, 12, 13, 20, 21, 22, 23, 30, 31, 32, 33, 40, 41, 42, 43};
static const uint8_t labels[] = {4, 0, 7, 2, 2};

static ln_data *five(files *f) { return ln_data_from_bytes(f->context, pixels, labels, 5, 1, 2, 2, NULL); }

static void describes_what_was_given(void **state) {
    files             *f = *state;
    ln_data           *data = five(f);
    const ln_data_info info = ln_data_describe(data);
    assert_int_equal(info.n, 5);
    assert_int_equal(info.c * info.h * info.w, 4);
    assert_false(info.is_float);
    assert_true(info.has_labels);
    assert_int_equal(info.n_classes, 8);
    assert_int_equal(info.n_bytes, 25);
    assert_ptr_equal(ln_data_image(data, 3), pixels + 12);
    assert_int_equal(ln_data_label(data, 2), 7);
    ln_data_free(data);
    ln_data_free(NULL);
}

static void floats_may_lack_labels(void **state) {
    files             *f = *state;
    static const float values[6] = {1, 2, 3, 4, 5, 6};
    ln_data           *data = ln_data_from_floats(f->context, values, NULL, 2, 3, 1, 1, NULL);
    const ln_data_info info = ln_data_describe(data);
    assert_true(info.is_float);
    assert_false(info.has_labels);
    assert_int_equal(info.n_classes, 0);
    assert_int_equal(info.n_bytes, 24);
    assert_int_equal(ln_data_label(data, 0), -1);
    assert_ptr_equal(ln_data_image(data, 1), values + 3);
    ln_data_free(data);
}

static void impossible_sizes_are_told(void **state) {
    files   *f = *state;
    ln_error error = {0};
    assert_null(ln_data_from_bytes(f->context, pixels, NULL, 0, 1, 2, 2, &error));
    assert_int_equal(error.status, LN_E_SHAPE);
    assert_null(ln_data_from_bytes(f->context, pixels, NULL, 1, 1, 0, 2, &error));
    assert_null(ln_data_from_bytes(f->context, NULL, NULL, 1, 1, 2, 2, &error));
    assert_int_equal(error.status, LN_E_ARGUMENT);
    assert_null(ln_data_from_bytes(f->context, pixels, NULL, 4, SIZE_MAX / 2, 2, 2, &error));
    assert_null(
        ln_data_from_floats(f->context, (const float *)(const void *)pixels, NULL, 4, SIZE_MAX / 16, 1, 1, &error));
    assert_int_equal(error.status, LN_E_SHAPE);
    assert_null(ln_data_from_bytes(f->context, pixels, NULL, (size_t)1 << 33, 1, 1, 1, &error));
}

static void a_split_shares_and_covers(void **state) {
    files         *f = *state;
    static uint8_t many[1000], seen[1000];
    for (size_t i = 0; i < 1000; i++) many[i] = (uint8_t)(i % 251);
    memset(seen, 0, sizeof seen);
    ln_data *data = ln_data_from_bytes(f->context, many, many, 1000, 1, 1, 1, NULL);
    ln_data *first = ln_data_split(data, 0.1, 7, NULL);
    ln_data *second = ln_data_split(data, 0.5, 7, NULL);
    ln_data *part[] = {data, first, second};
    assert_int_equal(ln_data_describe(first).n, 100);
    assert_int_equal(ln_data_describe(second).n, 450);
    assert_int_equal(ln_data_describe(data).n, 450);
    for (size_t p = 0; p < 3; p++)
        for (size_t i = 0; i < ln_data_describe(part[p]).n; i++) {
            const size_t number = ln_data_number(part[p], i);
            assert_ptr_equal(ln_data_image(part[p], i), many + number);
            assert_int_equal(ln_data_label(part[p], i), many[number]);
            assert_false(seen[number]++);
            if (i) assert_true(ln_data_number(part[p], i - 1) < number);
        }
    ln_data_free(data);
    assert_int_equal(ln_data_describe(second).n_classes, 251);
    ln_data_free(first);
    ln_data_free(second);
}

/* The n_taken images that a seed draws, as a sum over their places. */
static uint64_t drawn(files *f, uint64_t seed) {
    static uint8_t many[1000];
    ln_data       *data = ln_data_from_bytes(f->context, many, NULL, 1000, 1, 1, 1, NULL);
    ln_data       *part = ln_data_split(data, 0.25, seed, NULL);
    uint64_t       sum = 0;
    for (size_t i = 0; i < 250; i++) sum = sum * 31 + ln_data_number(part, i);
    ln_data_free(data);
    ln_data_free(part);
    return sum;
}

static void a_seed_draws_the_same(void **state) {
    files *f = *state;
    assert_true(drawn(f, 1) == drawn(f, 1));
    assert_true(drawn(f, 1) != drawn(f, 2));
}

/* Over many seeds, each of ten images is drawn about as often: three of ten, 3000 times of 10000. */
static void a_draw_is_fair(void **state) {
    files         *f = *state;
    static uint8_t ten[10];
    unsigned       n[10] = {0};
    for (uint64_t seed = 0; seed < 10000; seed++) {
        ln_data *data = ln_data_from_bytes(f->context, ten, NULL, 10, 1, 1, 1, NULL);
        ln_data *part = ln_data_split(data, 0.3, seed, NULL);
        for (size_t i = 0; i < 3; i++) n[ln_data_number(part, i)]++;
        ln_data_free(data);
        ln_data_free(part);
    }
    for (size_t i = 0; i < 10; i++) assert_in_range(n[i], 2770, 3230); /* five deviations */
}

static void impossible_splits_change_nothing(void **state) {
    files       *f = *state;
    ln_data     *data = five(f);
    ln_error     error = {0};
    const double bad[] = {0, 1, -0.5, 2, __builtin_nan(""), 0.01, 0.99};
    for (size_t i = 0; i < 7; i++) {
        assert_null(ln_data_split(data, bad[i], 1, &error));
        assert_int_equal(error.status, i < 5 ? LN_E_ARGUMENT : LN_E_SHAPE);
    }
    assert_int_equal(ln_data_describe(data).n, 5);
    ln_data_free(data);
}

static bool nearly(double a, double b) { return a - b < 1e-12 && b - a < 1e-12; }

static void fits_mean_and_deviation(void **state) {
    files              *f = *state;
    static const float  floats[] = {1, 2, 3, 4};
    static const double variance = 201.25; /* of the pixels: five tens (200) and four units (1.25) */
    ln_data            *data = five(f);
    ln_preprocess       fit = ln_data_fit(data, 1.0 / 255);
    assert_true(fit.scale == 1.0 / 255);
    assert_true(nearly(fit.mean, 21.5 / 255));
    assert_true(nearly(fit.std * fit.std, variance / 255 / 255));
    ln_data_free(data);
    data = ln_data_from_floats(f->context, floats, NULL, 1, 1, 2, 2, NULL);
    fit = ln_data_fit(data, 2);
    assert_true(nearly(fit.mean, 5) && nearly(fit.std * fit.std, 5));
    ln_data_free(data);
    data = ln_data_from_bytes(f->context, (const uint8_t *)"aaaa", NULL, 1, 1, 2, 2, NULL);
    fit = ln_data_fit(data, 1);
    assert_true(nearly(fit.mean, 'a') && nearly(fit.std, 1)); /* a constant must not be divided by 0 */
    ln_data_free(data);
}

static void fits_a_range(void **state) {
    files             *f = *state;
    static const float floats[] = {-2, 6, 0, 1};
    ln_data           *data = ln_data_from_floats(f->context, floats, NULL, 1, 1, 2, 2, NULL);
    ln_preprocess      fit = ln_data_fit_range(data, 1, 0, 1); /* v -> (v + 2) / 8 */
    assert_true(nearly(fit.mean, -2) && nearly(fit.std, 8));
    fit = ln_data_fit_range(data, 0.5, -1, 3); /* 0.5 v -> (0.5 v + 1 - 1) / 1 */
    assert_true(nearly(fit.scale, 0.5) && nearly(fit.mean, 0) && nearly(fit.std, 1));
    ln_data_free(data);
    data = five(f);
    ln_data *one = ln_data_split(data, 0.2, 3, NULL);
    fit = ln_data_fit_range(one, 1, 0, 1); /* of a view: its four pixels */
    assert_true(nearly(fit.mean, 10.0 * ln_data_number(one, 0)) && nearly(fit.std, 3));
    ln_data_free(data);
    ln_data_free(one);
    data = ln_data_from_bytes(f->context, (const uint8_t *)"aaaa", NULL, 1, 1, 2, 2, NULL);
    fit = ln_data_fit_range(data, 1, -1, 1);
    assert_true(nearly(fit.mean, 'a' + 1) && nearly(fit.std, 1)); /* -1: not divided by 0 */
    ln_data_free(data);
}

static void a_view_is_fitted_alone(void **state) {
    files   *f = *state;
    ln_data *data = five(f);
    ln_data *one = ln_data_split(data, 0.2, 3, NULL);
    assert_true(nearly(ln_data_fit(one, 1).mean, 10.0 * ln_data_number(one, 0) + 1.5));
    ln_data_free(data);
    ln_data_free(one);
}

/* ------------------------------------------------------------------- files */

static const unsigned char idx_images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4};
static const unsigned char idx_labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 5, 1};

static void a_path_opens_with_its_sibling(void **state) {
    files *f = *state;
    char   path[512], sibling[512];
    files_put(f, "x-images-idx3-ubyte", idx_images, sizeof idx_images, path);
    files_put(f, "x-labels-idx1-ubyte", idx_labels, sizeof idx_labels, sibling);
    ln_data     *data = ln_data_open(f->context, path, "train", NULL, NULL);
    ln_data_info info = ln_data_describe(data);
    assert_int_equal(info.n, 2);
    assert_int_equal(info.w, 2);
    assert_int_equal(info.n_classes, 6);
    assert_int_equal(ln_data_label(data, 1), 1);
    assert_memory_equal(ln_data_image(data, 1), "\x03\x04", 2);
    ln_data_free(data);
    unlink(sibling);
    files_put(f, "x-labels-idx1-ubyte.gz", idx_labels, sizeof idx_labels, sibling); /* by contents, not by name */
    data = ln_data_open(f->context, path, NULL, NULL, NULL);
    assert_true(ln_data_describe(data).has_labels);
    ln_data_free(data);
    unlink(sibling);
    data = ln_data_open(f->context, path, NULL, NULL, NULL);
    assert_false(ln_data_describe(data).has_labels);
    ln_data_free(data);
}

static void refuse(files *f, const char *name, const char *split, const char *words) {
    ln_error error = {0};
    assert_null(ln_data_open(f->context, name, split, NULL, &error));
    if (!strstr(error.message, words)) fail_msg("'%s' lacks '%s'", error.message, words);
}

static void wrong_names_and_files_are_told(void **state) {
    files *f = *state;
    char   path[512], sibling[512];
    files_put(f, "x-images-idx3-ubyte", idx_images, sizeof idx_images, path);
    refuse(f, path, "training", "\"train\" or \"test\"");
    refuse(f, "", "train", "mnist");
    refuse(f, "minst", "train", "minst");
    refuse(f, f->folder, "train", f->folder);
    files_put(f, "x-labels-idx1-ubyte", "\0\0\x08\x01\0\0\0\x03\1\2\3", 11, sibling);
    refuse(f, path, "train", "3 labels");
    files_put(f, "x-labels-idx1-ubyte", idx_images, sizeof idx_images, sibling);
    refuse(f, path, "train", "rank 3");
    files_put(f, "x-labels-idx1-ubyte", idx_labels, sizeof idx_labels - 1, sibling);
    refuse(f, path, "train", "truncated");
    files_put(f, "y", idx_labels, sizeof idx_labels, sibling);
    refuse(f, sibling, "train", "images");
}

static void opens_mnist(void **state) {
    files   *f = *state;
    ln_error error = {0};
    ln_data *data = ln_data_open(f->context, "mnist", "test", LN_SOURCE_DIR "/data", &error);
    if (!data) fail_msg("%s", error.message);
    const ln_data_info info = ln_data_describe(data);
    assert_int_equal(info.n, 10000);
    assert_int_equal(info.h, 28);
    assert_int_equal(info.w, 28);
    assert_int_equal(info.n_classes, 10);
    assert_int_equal(ln_data_label(data, 0), 7);
    assert_int_equal(ln_data_label(data, 9999), 6);
    const ln_preprocess fit = ln_data_fit(data, 1.0 / 255);
    assert_true(fit.mean > 0.1325 && fit.mean < 0.1326 && fit.std > 0.3104 && fit.std < 0.3106);
    ln_data_free(data);
}

/* The training set goes straight to its place: beside it there is room for the labels and small buffers only. */
static void mnist_takes_its_own_size(void **state) {
    files   *f = *state;
    size_t   peak;
    ln_data *data = ln_data_open(f->context, "mnist", "train", LN_SOURCE_DIR "/data/mnist", NULL);
    assert_non_null(data);
    assert_int_equal(ln_data_describe(data).n_bytes, 60000 * 785);
    ln_context_memory(f->context, NULL, &peak);
    assert_true(peak < 60000 * 785 + 300000);
    ln_data_free(data);
}

static void foreign_mnist_files_are_told(void **state) {
    files *f = *state;
    char   path[512];
    files_put(f, "t10k-images-idx3-ubyte.gz", idx_images, sizeof idx_images, path);
    ln_error error = {0};
    assert_null(ln_data_open(f->context, "mnist", "test", f->folder, &error));
    assert_int_equal(error.status, LN_E_FORMAT);
    assert_non_null(strstr(error.message, "SHA-256"));
    assert_non_null(strstr(error.message, path));
}

static void says_where_it_looked(void **state) {
    files      *f = *state;
    ln_error    error = {0};
    const char *set = getenv("LINNET_DATA");
    char        kept[512] = "";
    if (set) snprintf(kept, sizeof kept, "%s", set);
    setenv("LINNET_DATA", "/nowhere", 1);
    ln_data *data = ln_data_open(f->context, "mnist", "train", f->folder, &error);
    if (set) setenv("LINNET_DATA", kept, 1);
    else unsetenv("LINNET_DATA");
    if (data) { /* one is installed, or lies beside this program */
        ln_data_free(data);
        return;
    }
    assert_int_equal(error.status, LN_E_IO);
    assert_non_null(strstr(error.message, f->folder));
    assert_non_null(strstr(error.message, "/nowhere"));
    assert_non_null(strstr(error.message, "/../share/linnet/data"));
}

static bool open_and_split(files *f, void *path, ln_error *error) {
    ln_data   *data = ln_data_open(f->context, path, NULL, NULL, error);
    ln_data   *part = data ? ln_data_split(data, 0.5, 1, error) : NULL;
    const bool good = part != NULL;
    ln_data_free(part);
    ln_data_free(data);
    return good;
}

static bool open_mnist(files *f, void *argument, ln_error *error) {
    ln_data *data = ln_data_open(f->context, "mnist", "test", argument, error);
    ln_data_free(data);
    return data != NULL;
}

/* ------------------------------------------------------- parts and classes */

static void rows_are_kept(void **state) {
    files   *f = *state;
    ln_error error = {0};
    ln_data *data = five(f);
    assert_int_equal(ln_data_keep_rows(data, 1, 3, &error), LN_OK);
    assert_int_equal(ln_data_describe(data).n, 3);
    assert_ptr_equal(ln_data_image(data, 0), pixels + 4);
    assert_int_equal(ln_data_label(data, 2), 2);
    assert_int_equal(ln_data_image_number(data, 2), 3);
    assert_null(ln_data_image_name(data, 2));
    assert_int_equal(ln_data_keep_rows(data, 2, 1, &error), LN_OK); /* rows of what is left */
    assert_ptr_equal(ln_data_image(data, 0), pixels + 12);
    assert_int_equal(ln_data_image_number(data, 0), 3);
    ln_data_free(data);
}

static void classes_are_kept_and_renumbered(void **state) {
    files     *f = *state;
    ln_error   error = {0};
    ln_data   *data = five(f);
    const int  wanted[] = {2, 4}, again[] = {1};
    const char expected[] = {1, 0, 0}; /* labels 4, 2, 2 */
    assert_int_equal(ln_data_keep_classes(data, wanted, 2, &error), LN_OK);
    assert_int_equal(ln_data_describe(data).n, 3);
    assert_int_equal(ln_data_describe(data).n_classes, 2);
    for (size_t i = 0; i < 3; i++) assert_int_equal(ln_data_label(data, i), expected[i]);
    assert_int_equal(ln_data_class(data, 0), 2);
    assert_int_equal(ln_data_class(data, 1), 4);
    size_t numbers = 0;
    for (size_t i = 0; i < 3; i++) numbers += ln_data_image_number(data, i);
    assert_int_equal(numbers, 0 + 3 + 4);
    ln_data *part = ln_data_split(data, 0.34, 1, &error);
    assert_int_equal(ln_data_describe(part).n_classes, 2);
    assert_int_equal(ln_data_image_number(part, 0) + ln_data_image_number(data, 0) + ln_data_image_number(data, 1),
                     numbers);
    assert_int_equal(ln_data_label(part, 0) + ln_data_label(data, 0) + ln_data_label(data, 1), 1);
    ln_data_free(part);
    assert_int_equal(
        ln_data_keep_classes(data, again, 1, &error),
        ln_data_label(data, 0) == 1 || ln_data_label(data, 1) == 1 ? LN_OK : LN_E_SHAPE); /* its own numbers count */
    ln_data_free(data);
}

static void impossible_parts_change_nothing(void **state) {
    files    *f = *state;
    ln_error  error = {0};
    ln_data  *data = five(f), *bare = ln_data_from_bytes(f->context, pixels, NULL, 5, 1, 2, 2, NULL);
    const int beyond[] = {8}, twice[] = {2, 2}, empty[] = {3}, one[] = {4};
    assert_int_equal(ln_data_keep_rows(data, 4, 2, &error), LN_E_SHAPE);
    assert_string_equal(error.message, "rows: 5 to 6 were asked for, but there are 5; choose rows from 1 to 5");
    assert_int_equal(ln_data_keep_rows(data, 0, 0, &error), LN_E_SHAPE);
    assert_int_equal(ln_data_keep_rows(data, SIZE_MAX, SIZE_MAX, &error), LN_E_SHAPE);
    assert_int_equal(ln_data_keep_classes(data, beyond, 1, &error), LN_E_ARGUMENT);
    assert_string_equal(error.message, "classes: there is no class 8; the data have 0 to 7");
    assert_int_equal(ln_data_keep_classes(data, twice, 2, &error), LN_E_ARGUMENT);
    assert_int_equal(ln_data_keep_classes(data, empty, 1, &error), LN_E_SHAPE);
    assert_int_equal(ln_data_keep_classes(data, one, 0, &error), LN_E_ARGUMENT);
    assert_int_equal(ln_data_keep_classes(bare, one, 1, &error), LN_E_ARGUMENT);
    assert_int_equal(ln_data_describe(data).n, 5);
    assert_int_equal(ln_data_describe(data).n_classes, 8);
    ln_data_free(bare);
    ln_data_free(data);
}

/* --------------------------------------------------------------- generators */

static size_t share_of_ones(const ln_data *data) {
    size_t n = 0;
    for (size_t i = 0; i < ln_data_describe(data).n; i++) n += ln_data_label(data, i) == 1;
    return n;
}

static void points_are_drawn_by_seed(void **state) {
    files             *f = *state;
    ln_data           *a = ln_data_open(f->context, "points n=1000 seed=3", "train", NULL, NULL);
    ln_data           *b = ln_data_open(f->context, "points n=500 seed=3", "train", NULL, NULL);
    ln_data           *c = ln_data_open(f->context, "points n=500 seed=3", "test", NULL, NULL);
    const ln_data_info info = ln_data_describe(a);
    assert_int_equal(info.n, 1000);
    assert_int_equal(info.c, 2);
    assert_int_equal(info.h * info.w, 1);
    assert_int_equal(info.n_classes, 2);
    assert_in_range(share_of_ones(a), 420, 580);
    assert_memory_equal(ln_data_image(a, 499), ln_data_image(b, 499), 8); /* a point does not depend on how many */
    assert_memory_not_equal(ln_data_image(b, 0), ln_data_image(c, 0), 8);
    for (size_t i = 0; i < 1000; i++)
        for (size_t k = 0; k < 2; k++) assert_true(fabsf(((const float *)ln_data_image(a, i))[k]) <= 1);
    ln_data_free(a);
    ln_data_free(b);
    ln_data_free(c);
}

static void noise_mixes_the_classes(void **state) {
    files *f = *state;
    size_t wrong[2] = {0};
    for (int k = 0; k < 2; k++) {
        ln_data *data =
            ln_data_open(f->context, k ? "points n=2000 noise=0.5" : "points n=2000 noise=0", "train", NULL, NULL);
        for (size_t i = 0; i < 2000; i++) {
            const float *const p = ln_data_image(data, i);
            wrong[k] += (p[0] + p[1] > 0) != (ln_data_label(data, i) == 1);
        }
        ln_data_free(data);
    }
    assert_int_equal(wrong[0], 0);
    assert_in_range(wrong[1], 200, 600);
}

/* Image i of the name's part, or NULL where it is of another class. */
static const uint8_t *picture_of(const ln_data *data, size_t i, int class) {
    return ln_data_label(data, i) == class ? ln_data_image(data, i) : NULL;
}

static void pictures_are_patterns_of_their_classes(void **state) {
    files   *f = *state;
    ln_data *train = ln_data_open(f->context, "pictures n=60 c=2 h=7 w=9 classes=4 noise=0", NULL, NULL, NULL);
    ln_data *test = ln_data_open(f->context, "pictures n=50 c=2 h=7 w=9 classes=4 noise=0:test", NULL, NULL, NULL);
    ln_data *other = ln_data_open(f->context, "pictures c=2 h=7 w=9 classes=4 noise=0 seed=2", NULL, NULL, NULL);
    const ln_data_info info = ln_data_describe(train);
    const uint8_t     *first[4] = {0};
    assert_int_equal(info.n, 60);
    assert_int_equal(info.c, 2);
    assert_int_equal(info.h, 7);
    assert_int_equal(info.w, 9);
    assert_false(info.is_float);
    assert_int_equal(info.n_classes, 4);
    for (int class = 0; class < 4; class ++) {
        for (size_t i = 0; i < 60; i++) {
            const uint8_t *const image = picture_of(train, i, class);
            if (image && !first[class]) first[class] = image;
            if (image) assert_memory_equal(image, first[class], 126);
        }
        for (size_t i = 0; i < 50; i++)
            if (picture_of(test, i, class)) assert_memory_equal(picture_of(test, i, class), first[class], 126);
        for (size_t i = 0; i < 200; i++)
            if (picture_of(other, i, class)) assert_memory_not_equal(picture_of(other, i, class), first[class], 126);
        for (size_t i = 0; i < 126; i++) assert_in_range(first[class][i], 63, 192);
        for (int lower = 0; lower < class; lower++) assert_memory_not_equal(first[class], first[lower], 126);
    }
    ln_data_free(train);
    ln_data_free(test);
    ln_data_free(other);
}

static void pictures_have_noise_of_their_own(void **state) {
    files         *f = *state;
    ln_data       *a = ln_data_open(f->context, "pictures n=40 h=50 w=40 noise=0.1", NULL, NULL, NULL);
    ln_data       *b = ln_data_open(f->context, "pictures n=9 h=50 w=40 noise=0.1", NULL, NULL, NULL);
    ln_data       *c = ln_data_open(f->context, "pictures n=9 h=50 w=40 noise=0.1", "test", NULL, NULL);
    ln_data       *bare = ln_data_open(f->context, "pictures n=40 h=50 w=40 noise=0", NULL, NULL, NULL);
    const uint8_t *x = ln_data_image(a, 8), *pattern = ln_data_image(bare, 8);
    double         sum = 0, squares = 0;
    uint32_t       hash = 2166136261u;
    assert_memory_equal(x, ln_data_image(b, 8), 6000); /* a picture does not depend on how many */
    assert_memory_not_equal(ln_data_image(b, 0), ln_data_image(c, 0), 6000);
    for (size_t i = 0; i < 6000; i++) {
        const double noise = x[i] - pattern[i];
        sum += noise;
        squares += noise * noise;
        hash = (hash ^ x[i]) * 16777619u;
    }
    assert_true(fabs(sum / 6000) < 0.7);
    assert_true(fabs(sqrt(squares / 6000) - 12.75) < 0.5);
    assert_int_equal(hash, 0xced8f277); /* the same bytes on every machine */
    ln_data_free(a);
    ln_data_free(b);
    ln_data_free(c);
    ln_data_free(bare);
}

static void wrong_arguments_of_generators_are_told(void **state) {
    static const char *const bad[] = {"points m=3",           "points n=0",   "points c=2",      "pictures classes=1",
                                      "pictures classes=257", "pictures w=0", "pictures h=4097", "pictures noise=-1"};
    files                   *f = *state;
    ln_error                 error = {0};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_null(ln_data_open(f->context, bad[i], "train", NULL, &error));
        assert_int_equal(error.status, LN_E_ARGUMENT);
    }
    assert_null(ln_data_open(f->context, "pictures n=100000000 h=227 w=227", "train", NULL, &error));
    assert_int_equal(error.status, LN_E_ARGUMENT);
    assert_string_equal(error.message, "pictures: 100000000 images of 3x227x227 take 14397 GiB, but at most 4 GiB are "
                                       "drawn; ask for n=27783 or fewer, or for smaller ones");
}

/* ----------------------------------------------------------- parts and recipes */

static void names_have_parts(void **state) {
    static const char *const bad[] = {"mnist:val", "mnist:", "mnist:training"};
    files                   *f = *state;
    char                     path[512], name[520];
    ln_error                 error = {0};
    ln_data *const           test = ln_data_open(f->context, "mnist:test", "train", LN_SOURCE_DIR "/data", &error);
    ln_data *const           points = ln_data_open(f->context, "points n=3:test", "train", NULL, &error);
    ln_data *const           same = ln_data_open(f->context, "points n=3", "test", NULL, &error);
    assert_int_equal(ln_data_describe(test).n, 10000);
    assert_memory_equal(ln_data_image(points, 0), ln_data_image(same, 0), 24);
    ln_data_free(test);
    ln_data_free(points);
    ln_data_free(same);
    for (size_t i = 0; i < 3; i++) {
        assert_null(ln_data_open(f->context, bad[i], NULL, LN_SOURCE_DIR "/data", &error));
        assert_int_equal(error.status, LN_E_ARGUMENT);
        assert_non_null(strstr(error.message, "mnist:train and mnist:test"));
    }
    files_put(f, "x-images-idx3-ubyte", idx_images, sizeof idx_images, path);
    snprintf(name, sizeof name, "%s:test", path);
    assert_null(ln_data_open(f->context, name, NULL, NULL, &error));
    assert_non_null(strstr(error.message, "IDX has no parts"));
    files_put(f, "x-images-idx3-ubyte:test", idx_images, sizeof idx_images, name); /* a file of the whole name */
    ln_data *const whole = ln_data_open(f->context, name, NULL, NULL, &error);
    assert_non_null(whole);
    ln_data_free(whole);
    refuse(f, files_put(f, "a.png", "\x89PNG\r\n\x1a\n", 8, path), "train", "a single picture");
    refuse(f, files_put(f, "a.bin", "\x7f\x45\x4c\x46", 4, path), "train", "begins with 7f 45");
}

/* Opens what a recipe of these data lines says; NULL with the message in error. */
static ln_model *open_recipe(files *f, const char *lines, recipe *r, recipe_data *data, ln_error *error) {
    char yaml[1200];
    snprintf(yaml, sizeof yaml, "data:\n%.900s\nmodel: {input: 1x2x3, layers: [flatten, linear 3]}\n", lines);
    *r = (recipe){0};
    *data = (recipe_data){0};
    ln_model *model =
        recipe_parse(r, "x.yaml", yaml, strlen(yaml), NULL, 0, error) ? recipe_model(r, f->context, error) : NULL;
    if (model && recipe_open(r, f->context, model, data, error)) return model;
    ln_model_free(model);
    recipe_data_free(data);
    recipe_free(r);
    return NULL;
}

static void refuse_recipe(files *f, const char *lines, const char *words) {
    recipe      r;
    recipe_data data;
    ln_error    error = {0};
    assert_null(open_recipe(f, lines, &r, &data, &error));
    if (!strstr(error.message, words)) fail_msg("'%s' lacks '%s'", error.message, words);
}

/* 12 images whose labels are 0, 1, 2, 3, 0, … and whose first value is their number, to train on, and 4 to test. */
static void put_archive(files *f, char path[512]) {
    float   x[12 * 6] = {0};
    int64_t y[12];
    for (size_t i = 0; i < 12; i++) {
        x[6 * i] = (float)i;
        y[i] = (int64_t)(i % 4);
    }
    const ln_array arrays[] = {{.name = "train_x012", .n = 12, .k = 6, .floats = x},
                               {.name = "train_y012", .n = 12, .k = 1, .integers = y},
                               {.name = "test_x012", .n = 4, .k = 6, .floats = x},
                               {.name = "test_y012", .n = 4, .k = 1, .integers = y}};
    assert_int_equal(ln_npz_write(f->context, files_path(f, "a.npz", path), arrays, 4, NULL), LN_OK);
}

static void recipes_choose_rows_and_classes(void **state) {
    files      *f = *state;
    char        path[512], lines[800];
    recipe      r;
    recipe_data data;
    ln_error    error = {0};
    put_archive(f, path);
    snprintf(lines, sizeof lines,
             "  name: %.300s\n  test: %.300s\n  rows: 2-9\n  test_rows: 1 - 3\n  classes: [3, 0, 1]\n  batch: all\n"
             "  shuffle: false\n  normalize: 2/4",
             path, path);
    ln_model *const model = open_recipe(f, lines, &r, &data, &error);
    if (!model) fail_msg("%s", error.message);
    static const char train[] = {1, 3, 4, 5, 7, 8}, places[] = {2, 0, 1, 2, 0, 1}; /* rows 2 to 9 without class 2 */
    assert_int_equal(ln_data_describe(data.train).n, 6);
    assert_int_equal(ln_data_describe(data.train).h, 2);
    assert_int_equal(ln_data_describe(data.train).w, 3);
    for (size_t i = 0; i < 6; i++) {
        assert_int_equal((int)*(const float *)ln_data_image(data.train, i), train[i]);
        assert_int_equal(ln_data_label(data.train, i), places[i]);
    }
    assert_int_equal(ln_data_describe(data.test).n, 2);
    assert_int_equal(ln_data_label(data.test, 1), 2);
    assert_int_equal((int)r.item[KEY_data_batch].number, 65536);
    assert_int_equal((int)r.item[KEY_data_shuffle].number, 0);
    const ln_preprocess how = ln_model_preprocess(model);
    assert_true(how.scale >= 1 && how.scale <= 1 && how.mean >= 2 && how.mean <= 2 && how.std >= 4 && how.std <= 4);
    ln_model_free(model);
    recipe_data_free(&data);
    recipe_free(&r);
}

static void recipes_that_choose_wrongly_are_told(void **state) {
    static const struct {
        const char *lines, *words;
    } cases[] = {{"rows: 5-13", "x.yaml:3: rows: 5 to 13 were asked for, but there are 12"},
                 {"rows: 0-3", "x.yaml:3: data.rows is '0-3'"},
                 {"rows: 3-", "data.rows is '3-'"},
                 {"rows: 4-3", "data.rows is '4-3'"},
                 {"rows: 1-2-3", "data.rows is '1-2-3'"},
                 {"rows: [1]", "x.yaml:3: data.rows is a list"},
                 {"test_rows: 1-x", "x.yaml:3: data.test_rows is '1-x'"},
                 {"classes: 0;1", "x.yaml:3: classes: there is no class '0;1'; the data have 0 to 3"},
                 {"classes: \"[0, 1\"", "data.classes is '[0, 1'"},
                 {"classes: \"0, 1]\"", "data.classes is '0, 1]'"},
                 {"classes: \"0,\"", "data.classes is '0,'"},
                 {"classes: [-1]", "classes: there is no class '-1'"},
                 {"classes: 4", "x.yaml:3: classes: there is no class 4; the data have 0 to 3"},
                 {"classes: all", "tells 3 classes apart, but the labels of"},
                 {"normalize: 1/0", "data.normalize is '1/0'"},
                 {"normalize: 1/2/3", "data.normalize is '1/2/3'"},
                 {"normalize: 1..1", "data.normalize is '1..1'"},
                 {"normalize: 0..1..2", "data.normalize is '0..1..2'"},
                 {"normalize: ..1", "data.normalize is '..1'"},
                 {"shuffle: no", "data.shuffle is 'no', but must be true or false"}};
    files *f = *state;
    char   path[512], lines[800];
    put_archive(f, path);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        snprintf(lines, sizeof lines, "  name: %.300s\n  %s", path, cases[i].lines);
        refuse_recipe(f, lines, cases[i].words);
    }
}

static bool open_and_keep(files *f, void *name, ln_error *error) {
    const int  wanted[] = {1};
    ln_data   *data = ln_data_open(f->context, name, NULL, NULL, error);
    const bool good = data && ln_data_keep_rows(data, 10, 100, error) == LN_OK &&
                      ln_data_keep_classes(data, wanted, 1, error) == LN_OK;
    ln_data_free(data);
    return good;
}

static void every_allocation_may_fail(void **state) {
    files *f = *state;
    char   path[512], sibling[512], folder[] = LN_SOURCE_DIR "/data";
    files_put(f, "x-images-idx3-ubyte", idx_images, sizeof idx_images, path);
    files_put(f, "x-labels-idx1-ubyte", idx_labels, sizeof idx_labels, sibling);
    assert_in_range(files_fail_each(f, open_and_split, path), 8, 30);
    assert_in_range(files_fail_each(f, open_mnist, folder), 8, 30);
    assert_in_range(files_fail_each(f, open_and_keep, (char[]){"points n=200"}), 6, 10);
    assert_in_range(files_fail_each(f, open_and_keep, (char[]){"pictures h=3 w=3"}), 6, 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FILES_TEST(describes_what_was_given),
        FILES_TEST(floats_may_lack_labels),
        FILES_TEST(impossible_sizes_are_told),
        FILES_TEST(a_split_shares_and_covers),
        FILES_TEST(a_seed_draws_the_same),
        FILES_TEST(a_draw_is_fair),
        FILES_TEST(impossible_splits_change_nothing),
        FILES_TEST(fits_mean_and_deviation),
        FILES_TEST(fits_a_range),
        FILES_TEST(a_view_is_fitted_alone),
        FILES_TEST(a_path_opens_with_its_sibling),
        FILES_TEST(wrong_names_and_files_are_told),
        FILES_TEST(opens_mnist),
        FILES_TEST(mnist_takes_its_own_size),
        FILES_TEST(foreign_mnist_files_are_told),
        FILES_TEST(says_where_it_looked),
        FILES_TEST(rows_are_kept),
        FILES_TEST(classes_are_kept_and_renumbered),
        FILES_TEST(impossible_parts_change_nothing),
        FILES_TEST(points_are_drawn_by_seed),
        FILES_TEST(noise_mixes_the_classes),
        FILES_TEST(pictures_are_patterns_of_their_classes),
        FILES_TEST(pictures_have_noise_of_their_own),
        FILES_TEST(wrong_arguments_of_generators_are_told),
        FILES_TEST(names_have_parts),
        FILES_TEST(recipes_choose_rows_and_classes),
        FILES_TEST(recipes_that_choose_wrongly_are_told),
        FILES_TEST(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
