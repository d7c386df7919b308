/* Augmentation: a shifted picture is exactly the shifted one, every image and epoch draws its own, training sees what
 * was drawn and measuring does not, for any number of threads; wrong lines are refused. */
#include "data/augment.h"
#include "harness/train.h"

enum { SIDE_H = 6, SIDE_W = 7, N_CHANNELS = 2, N_VALUES = N_CHANNELS * SIDE_H * SIDE_W, N_IMAGES = 50 };

static const ln_frame bytes_frame = {N_CHANNELS, SIDE_H, SIDE_W, 1, NULL},
                      floats_frame = {N_CHANNELS, SIDE_H, SIDE_W, 4, NULL}; /* whole pixels are moved by no loop */

static ln_augment read_augment(const char *text) {
    ln_augment augment;
    ln_error   error = {0};
    if (ln_augment_parse(text, &augment, &error) != LN_OK) fail_msg("%s", error.message);
    return augment;
}

/* ------------------------------------------------------------------- shift */

/* The value that a shift by (dy, dx) puts at channel c, row i, column j. */
static int shifted(const uint8_t *x, int dy, int dx, int c, int i, int j) {
    const int from_i = i - dy, from_j = j - dx;
    if (from_i < 0 || from_i >= SIDE_H || from_j < 0 || from_j >= SIDE_W) return 0;
    return x[(c * SIDE_H + from_i) * SIDE_W + from_j];
}

static bool is_shifted(const uint8_t *x, const uint8_t *y, int dy, int dx) {
    for (int c = 0; c < N_CHANNELS; c++)
        for (int i = 0; i < SIDE_H; i++)
            for (int j = 0; j < SIDE_W; j++)
                if (y[(c * SIDE_H + i) * SIDE_W + j] != shifted(x, dy, dx, c, i, j)) return false;
    return true;
}

/* Which shift, of at most h and w, makes y of x, whose values all differ; fails when none or more than one does. */
static size_t find_shift(const uint8_t *x, const uint8_t *y, int h, int w) {
    size_t n = 0, found = 0;
    for (int dy = -h; dy <= h; dy++)
        for (int dx = -w; dx <= w; dx++)
            if (is_shifted(x, y, dy, dx)) {
                found = (size_t)((dy + h) * (2 * w + 1) + dx + w);
                n++;
            }
    assert_int_equal(n, 1);
    return found;
}

static void fill(uint8_t x[N_VALUES]) {
    for (size_t i = 0; i < N_VALUES; i++) x[i] = (uint8_t)(i + 1);
}

/* How often each shift comes in 3000 images. */
static void count_shifts(const char *line, int h, int w, size_t *count) {
    const ln_augment augment = read_augment(line);
    uint8_t          x[N_VALUES], y[N_VALUES];
    fill(x);
    for (uint32_t image = 0; image < 3000; image++) {
        memset(y, 0xee, sizeof y);
        ln_augment_image(&augment, &bytes_frame, (ln_occasion){.seed = 1, .image = image}, x, y, NULL);
        count[find_shift(x, y, h, w)]++;
    }
}

/* Every shift comes, and all about as often: 120 times, with a deviation of 11. */
static void test_shift(void **state) {
    (void)state;
    size_t count[25] = {0}, narrow[21] = {0};
    count_shifts("shift 2", 2, 2, count);
    for (size_t i = 0; i < 25; i++) assert_in_range(count[i], 75, 165);
    count_shifts("shift pixels=1x3", 1, 3, narrow);
    for (size_t i = 0; i < 21; i++) assert_in_range(narrow[i], 90, 195);
}

/* The same of floats, whose zeros are those of the background. */
static void test_floats(void **state) {
    (void)state;
    const ln_augment augment = read_augment("shift 5x6");
    uint8_t          x[N_VALUES], y[N_VALUES];
    float            from[N_VALUES], to[N_VALUES];
    fill(x);
    for (size_t i = 0; i < N_VALUES; i++) from[i] = (float)x[i] / 2;
    for (uint32_t image = 0; image < 500; image++) {
        const ln_occasion at = {.seed = 9, .epoch = 3, .image = image};
        ln_augment_image(&augment, &bytes_frame, at, x, y, NULL);
        ln_augment_image(&augment, &floats_frame, at, from, to, NULL);
        for (size_t i = 0; i < N_VALUES; i++) assert_true(to[i] >= (float)y[i] / 2 && to[i] <= (float)y[i] / 2);
    }
}

static void shift(const uint8_t *x, int k, uint8_t *y) {
    for (int i = 0; i < N_VALUES; i++)
        y[i] = (uint8_t)shifted(x, k / 3 - 1, k % 3 - 1, i / (SIDE_H * SIDE_W), i / SIDE_W % SIDE_H, i % SIDE_W);
}

/* Is y what n shifts by at most one pixel make of x? */
static bool is_made(const uint8_t *x, const uint8_t *y, size_t n) {
    uint8_t next[N_VALUES];
    if (n == 0) return memcmp(x, y, sizeof next) == 0;
    for (int k = 0; k < 9; k++) {
        shift(x, k, next);
        if (is_made(next, y, n - 1)) return true;
    }
    return false;
}

/* Several are done one after another. */
static void test_several(void **state) {
    (void)state;
    const char *const lists[] = {"shift 1", "shift 1, shift 1", "shift 1,shift 1,shift pixels=1"};
    uint8_t           x[N_VALUES], y[N_VALUES], spare[N_VALUES];
    fill(x);
    for (size_t n = 1; n <= 3; n++) {
        const ln_augment augment = read_augment(lists[n - 1]);
        size_t           n_fewer = 0; /* that fewer could have made: 60 and 86 are to be expected */
        for (uint32_t image = 0; image < 100; image++) {
            ln_augment_image(&augment, &bytes_frame, (ln_occasion){.seed = 1, .image = image}, x, y, spare);
            assert_true(is_made(x, y, n));
            n_fewer += is_made(x, y, n - 1);
        }
        assert_in_range(n_fewer, 0, 97);
    }
}

static void test_own_draws(void **state) {
    (void)state;
    const ln_augment augment = read_augment("shift 2");
    uint8_t          x[N_VALUES], y[N_VALUES];
    size_t           same[3] = {0};
    fill(x);
    for (uint32_t image = 0; image < 1000; image++) {
        const ln_occasion at[] = {
            {1, 0, image, NULL}, {1, 1, image, NULL}, {2, 0, image, NULL}, {1, 0, image + 1, NULL}};
        size_t shift[4];
        for (size_t k = 0; k < 4; k++) {
            ln_augment_image(&augment, &bytes_frame, at[k], x, y, NULL);
            shift[k] = find_shift(x, y, 2, 2);
        }
        for (size_t k = 0; k < 3; k++) same[k] += shift[0] == shift[k + 1];
    }
    for (size_t k = 0; k < 3; k++) assert_in_range(same[k], 15, 70); /* one in 25 by chance */
}

/* ---------------------------------------------------------------- training */

static const char *const lines[] = {"conv2d 4 kernel=3 padding=1", "relu", "maxpool2d 2", "flatten", "linear 2", NULL};

typedef struct images {
    uint8_t pixels[N_IMAGES][N_VALUES], labels[N_IMAGES];
} images;

static void draw_images(images *set) {
    ln_random random = ln_random_at(5, LN_RANDOM_CHECK, 0, 0);
    for (size_t i = 0; i < N_IMAGES; i++) {
        for (size_t k = 0; k < N_VALUES; k++) set->pixels[i][k] = (uint8_t)(1 + ln_random_below(&random, 255));
        set->labels[i] = (uint8_t)(i % 2);
    }
}

/* The weights after so many epochs over the images [first, N_IMAGES) of the set. */
static float *train(const images *set, size_t first, int n_threads, ln_train_options options, size_t *n_bytes) {
    const train_set of = {.pixels = set->pixels[0],
                          .labels = set->labels,
                          .n = N_IMAGES,
                          .first = first,
                          .in = {N_CHANNELS, SIDE_H, SIDE_W},
                          .lines = lines};
    options.batch = 20; /* the last step is smaller, and smaller than a block */
    return train_weights(&of, n_threads, &options, n_bytes);
}

static bool same_weights(const images *a, const ln_train_options *a_options, int a_threads, const images *b,
                         const ln_train_options *b_options, size_t first) {
    size_t       a_bytes, b_bytes;
    float *const x = train(a, first, a_threads, *a_options, &a_bytes);
    float *const y = train(b, first, 1, *b_options, &b_bytes);
    const bool   same = a_bytes == b_bytes && memcmp(x, y, a_bytes) == 0;
    free(x);
    free(y);
    return same;
}

/* A training on images that were augmented before, as the first epoch does it, is that of the first epoch, also for
 * views: an image keeps its number. It is not that of two epochs. */
static void test_training_sees_them(void **state) {
    (void)state;
    static images    set, made;
    const ln_augment augment = read_augment("shift 2x3");
    ln_train_options with = LN_TRAIN_OPTIONS, without = LN_TRAIN_OPTIONS;
    with.augment = "shift 2x3";
    with.epochs = without.epochs = 1;
    with.seed = without.seed = 17;
    draw_images(&set);
    made = set;
    for (uint32_t i = 0; i < N_IMAGES; i++)
        ln_augment_image(&augment, &bytes_frame, (ln_occasion){17, 0, i, NULL}, set.pixels[i], made.pixels[i], NULL);
    assert_true(same_weights(&set, &with, 1, &made, &without, 0));
    assert_true(same_weights(&set, &with, 1, &made, &without, 3));
    with.epochs = without.epochs = 2;
    assert_false(same_weights(&set, &with, 1, &made, &without, 0));
    with.augment = "none";
    assert_true(same_weights(&set, &with, 1, &set, &without, 0));
}

static void test_threads(void **state) {
    (void)state;
    static images    set;
    const int        teams[] = {2, 3, 7};
    ln_train_options options = LN_TRAIN_OPTIONS;
    options.augment = "shift 2, shift 1";
    options.epochs = 3;
    draw_images(&set);
    for (size_t i = 0; i < 3; i++) assert_true(same_weights(&set, &options, teams[i], &set, &options, 0));
}

static bool keep_progress(void *user, const ln_progress *progress) {
    if (progress->epoch_done) *(ln_progress *)user = *progress;
    return true;
}

static bool is_like(double a, double b) { return a - b < 1e-4 && b - a < 1e-4; }

/* At a rate of almost 0 the network stays as it is, so the loss tells what images it was given. */
static void test_measuring_does_not(void **state) {
    (void)state;
    static images     set;
    ln_error          error = {0};
    ln_progress       p = {0};
    ln_metrics        plain;
    ln_train_options  options = LN_TRAIN_OPTIONS;
    ln_context *const context = net_context(NULL, 2);
    ln_model *const   model = net_model(context, (ln_shape){N_CHANNELS, SIDE_H, SIDE_W}, lines);
    draw_images(&set);
    ln_data *const data =
        ln_data_from_bytes(context, set.pixels[0], set.labels, N_IMAGES, N_CHANNELS, SIDE_H, SIDE_W, NULL);
    options.augment = "shift 5x6";
    options.optimizer = "sgd lr=1e-9";
    options.epochs = 1;
    options.validation = options.test = data;
    options.progress = keep_progress;
    options.user = &p;
    if (ln_train(model, data, &options, &error) != LN_OK) fail_msg("%s", error.message);
    assert_int_equal(ln_evaluate(model, data, 16, &plain, NULL, NULL), LN_OK);
    assert_true(is_like(p.validation.loss, plain.loss));
    assert_true(is_like(p.test.loss, plain.loss));
    assert_false(is_like(p.train.loss, plain.loss));
    ln_data_free(data);
    ln_model_free(model);
    ln_context_free(context);
}

/* ----------------------------------------------------------------- refusals */

static void test_wrong_lines(void **state) {
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {{"shfit 2",
                  "unknown augmentation 'shfit'; allowed: shift, rotate, scale, shear, elastic, flip, crop, erase, "
                  "noise, brightness, contrast, mixup, or none; did you mean 'shift'?"},
                 {"", "augmentation: the line is empty"},
                 {", shift 2", "augmentation: the line is empty"},
                 {"none, shift 2", "unknown augmentation 'none'"},
                 {"shift", "shift: argument missing: pixels"},
                 {"shift 2,1", "shift: pixels='2,1' is not a size"},
                 {"shift 2,", "shift: pixels='2,' is not a size"},
                 {"shift -1", "shift: pixels=-1 is outside 0 to 65535"},
                 {"shift 2 from x", "augmentation shift: takes neither 'from' nor 'as'"},
                 {"shift 2, shift 1 dy=3", "dy"}};
    ln_augment augment;
    ln_error   error;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(ln_augment_parse(cases[i].text, &augment, &error), LN_E_ARGUMENT);
        if (!strstr(error.message, cases[i].words)) fail_msg("'%s' lacks '%s'", error.message, cases[i].words);
        assert_int_equal(ln_catalogue_check(LN_KIND_AUGMENTATION, cases[i].text, NULL), LN_E_ARGUMENT);
    }
    char many[16 * 9 + 9] = "shift 1";
    for (size_t i = 1; i < LN_MAX_AUGMENTS; i++) strcat(many, ", shift 1");
    assert_int_equal(ln_augment_parse(many, &augment, &error), LN_OK);
    strcat(many, ", shift 1");
    assert_int_equal(ln_augment_parse(many, &augment, &error), LN_E_ARGUMENT);
    assert_non_null(strstr(error.message, "more than 16"));
    char long_line[2000] = "shift 1";
    for (size_t i = 7; i < sizeof long_line - 1; i++) long_line[i] = ' ';
    assert_int_equal(ln_augment_parse(long_line, &augment, &error), LN_E_ARGUMENT);
    assert_non_null(strstr(error.message, "longer than 1023"));
}

/* A trainer refuses what would leave nothing of an image, and what it cannot read. */
static void test_trainer_refuses(void **state) {
    (void)state;
    static images     set;
    ln_error          error;
    ln_train_options  options = LN_TRAIN_OPTIONS;
    ln_context *const context = net_context(NULL, 1);
    ln_model *const   model = net_model(context, (ln_shape){N_CHANNELS, SIDE_H, SIDE_W}, lines);
    draw_images(&set);
    ln_data *const data =
        ln_data_from_bytes(context, set.pixels[0], set.labels, N_IMAGES, N_CHANNELS, SIDE_H, SIDE_W, NULL);
    options.augment = "shift 5x7";
    assert_int_equal(ln_train(model, data, &options, &error), LN_E_SHAPE);
    assert_string_equal(error.message, "augmentation shift: 5x7 pixels can move images of 6x7 out of sight; give fewer "
                                       "than these");
    options.augment = "rotate";
    assert_int_equal(ln_train(model, data, &options, &error), LN_E_ARGUMENT);
    ln_data_free(data);
    ln_model_free(model);
    ln_context_free(context);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shift),           cmocka_unit_test(test_floats),
        cmocka_unit_test(test_several),         cmocka_unit_test(test_own_draws),
        cmocka_unit_test(test_threads),         cmocka_unit_test(test_training_sees_them),
        cmocka_unit_test(test_wrong_lines),     cmocka_unit_test(test_measuring_does_not),
        cmocka_unit_test(test_trainer_refuses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
