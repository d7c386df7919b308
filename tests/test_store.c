/* Sets that are larger than memory may be: every reader lays the same values into a file that it lays into memory, a
 * training on them ends with the same bits, memory stays small, and where there is no file there is a sentence. */
#include "harness/files.h"

#include "data/data.h"

#include <math.h>
#include <signal.h>
#include <sys/resource.h>

enum { N = 40, SIDE = 6, LARGE = 32 << 20 };

/* The cache folder is in the test's, and a context that has no memory for data beside that which has. */
typedef struct pair {
    files      *f;
    ln_context *small;
} pair;

static pair begin(void **state, size_t data_memory) {
    files             *f = *state;
    char               path[512];
    ln_context_options options = LN_CONTEXT_OPTIONS;
    const ln_allocator allocator = {files_allocate, files_release, f};
    setenv("LINNET_CACHE", files_path(f, "cache/a/b", path), 1);
    options.n_threads = 2;
    options.allocator = &allocator;
    options.data_memory = data_memory;
    ln_context *const small = ln_context_new(&options, NULL);
    assert_non_null(small);
    return (pair){f, small};
}

static void end(pair p) {
    char path[512];
    ln_context_free(p.small);
    assert_int_equal(files_count(files_path(p.f, "cache/a/b", path)), 0); /* files have no names */
    unsetenv("LINNET_CACHE");
}

static size_t peak_of(const ln_context *context) {
    size_t peak;
    ln_context_memory(context, NULL, &peak);
    return peak;
}

static ln_data *open_good(ln_context *context, const char *name, const ln_reading *reading) {
    ln_error       error = {0};
    ln_data *const data = ln_data_open_as(context, name, NULL, NULL, reading, &error);
    if (!data) fail_msg("%s", error.message);
    return data;
}

static void check_same(const ln_data *a, const ln_data *b) {
    const ln_data_info x = ln_data_describe(a), y = ln_data_describe(b);
    assert_true(x.n == y.n && x.c == y.c && x.h == y.h && x.w == y.w && x.is_float == y.is_float);
    for (size_t i = 0; i < x.n; i++) {
        assert_memory_equal(ln_data_image(a, i), ln_data_image(b, i),
                            x.c * x.h * x.w * (x.is_float ? sizeof(float) : 1));
        assert_int_equal(ln_data_label(a, i), ln_data_label(b, i));
    }
}

static void check_both(pair p, const char *name, const ln_reading *reading) {
    ln_data *const a = open_good(p.f->context, name, reading), *const b = open_good(p.small, name, reading);
    check_same(a, b);
    ln_data_free(a);
    ln_data_free(b);
}

/* -------------------------------------------------------------------- tests */

static void every_reader_gives_the_same_values(void **state) {
    static const char *const names[] = {"a.idx.gz", "a.csv", "a.npz", "a/"};
    static const char *const read[] = {"a-images-idx4-ubyte.gz", "a.csv", "a.npz", "a"};
    const pair               p = begin(state, 1);
    char                     path[512];
    unsigned char            batch[2 * 3073] = {3};
    ln_data *const           data = ln_data_open(p.f->context, "pictures n=40 c=3 h=6 w=6", NULL, NULL, NULL);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(ln_data_write(p.f->context, files_path(p.f, names[i], path), data, NULL, NULL), LN_OK);
        check_both(p, files_path(p.f, read[i], path), NULL);
    }
    const ln_reading reading = {.h = 9, .w = 4, .grayscale = true, .invert = true};
    check_both(p, files_path(p.f, "a", path), &reading);
    check_both(p, files_path(p.f, "a-images-idx4-ubyte.gz", path), &reading);
    check_both(p, "pictures n=20", NULL);
    check_both(p, "moons n=50", NULL);
    for (size_t i = 0; i < sizeof batch; i++) batch[i] = (unsigned char)(i % 3073 ? i * 7 : i / 3073 + 1);
    check_both(p, files_put(p.f, "cifar.bin", batch, sizeof batch, path), NULL);
    check_both(p, files_put(p.f, "wide.csv", "0,1,2\n1,2,3\n0,4,5.5\n", 20, path), NULL); /* bytes become floats */
    ln_data *const some = open_good(p.small, files_path(p.f, "a.npz", path), NULL);
    ln_data *const part = ln_data_split(some, 0.3, 1, NULL);
    ln_data *const part_before = ln_data_augmented(part, "shift 1, flip 0.5", 1, 1, NULL);
    ln_data *const whole = open_good(p.f->context, files_path(p.f, "a.npz", path), NULL);
    ln_data *const part_whole = ln_data_split(whole, 0.3, 1, NULL);
    ln_data *const part_after = ln_data_augmented(part_whole, "shift 1, flip 0.5", 1, 1, NULL);
    check_same(part_before, part_after);
    assert_int_equal(ln_data_write(p.small, files_path(p.f, "part.npz", path), part, NULL, NULL), LN_OK);
    check_both(p, path, NULL);
    ln_data *const all[] = {data, some, part, part_before, whole, part_whole, part_after};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) ln_data_free(all[i]);
    end(p);
}

/* Trained on pictures of the context's and tested on them: the outputs. */
static void train(ln_context *context, float logits[N * 10]) {
    ln_error         error = {0};
    ln_train_options options = LN_TRAIN_OPTIONS;
    ln_data *const   data = open_good(context, "pictures n=40 c=1 h=6 w=6", NULL);
    ln_model *const  m = ln_model_new(context, 1, SIDE, SIDE, &error);
    ln_model_add(m, "conv2d 4 kernel=3", NULL);
    ln_model_add(m, "relu", NULL);
    ln_model_add(m, "flatten", NULL);
    ln_model_add(m, "linear 10", NULL);
    assert_int_equal(ln_model_initialize(m, 1, &error), LN_OK);
    options.batch = 16;
    options.epochs = 2;
    options.augment = "shift 1, noise 0.1";
    if (ln_train(m, data, &options, &error) != LN_OK) fail_msg("%s", error.message);
    assert_int_equal(ln_predict(m, data, 16, logits, NULL, &error), LN_OK);
    ln_model_free(m);
    ln_data_free(data);
}

static void a_training_ends_with_the_same_bits(void **state) {
    const pair p = begin(state, 1);
    float      a[N * 10], b[N * 10];
    train(p.f->context, a);
    train(p.small, b);
    assert_memory_equal(a, b, sizeof a);
    end(p);
}

/* A file of zeros that takes no room on the disk; its images are 1024 values. */
static const char *put_large(files *f, char path[512]) {
    static const unsigned char head[] = {0, 0, 8, 3, 0, 0, LARGE >> 18, 0, 0, 0, 0, 32, 0, 0, 0, 32};
    files_put(f, "large-idx3", head, sizeof head, path);
    assert_int_equal(truncate(path, (off_t)sizeof head + LARGE), 0);
    return path;
}

static void memory_stays_small(void **state) {
    const pair     p = begin(state, LARGE - 1);
    char           path[512];
    ln_data *const data = open_good(p.small, put_large(p.f, path), NULL);
    assert_int_equal(ln_data_describe(data).n_bytes, LARGE);
    assert_true(peak_of(p.small) < 1 << 20);
    memset((void *)(uintptr_t)ln_data_image(data, 0), 1, 1024); /* it is memory all the same */
    ln_data_free(data);
    ln_data *const held = open_good(p.f->context, path, NULL); /* the least that there is in memory */
    assert_true(peak_of(p.f->context) >= LARGE);
    ln_data_free(held);
    end(p);
}

static void refuse(pair p, const char *name, const char *words) {
    ln_error error = {0};
    assert_null(ln_data_open(p.small, name, NULL, NULL, &error));
    assert_int_equal(error.status, LN_E_IO);
    if (!strstr(error.message, words)) fail_msg("'%s' lacks '%s'", error.message, words);
}

static void a_full_disk_is_told(void **state) {
    const pair          p = begin(state, 1 << 20);
    char                path[512], folder[512];
    struct rlimit       before;
    const struct rlimit little = {.rlim_cur = 1 << 20, .rlim_max = RLIM_INFINITY};
    put_large(p.f, path);
    getrlimit(RLIMIT_FSIZE, &before);
    void (*const handler)(int) = signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &(struct rlimit){little.rlim_cur, before.rlim_max}), 0);
    refuse(p, path,
           "its values take 32 MiB, more than the 1 MiB that a set may have in memory, and cannot be laid into");
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    signal(SIGXFSZ, handler);
    files_put(p.f, "file", "", 0, folder);
    setenv("LINNET_CACHE", folder, 1);
    refuse(p, path, "file (Not a directory): set LINNET_CACHE to a folder with room");
    unsetenv("LINNET_CACHE");
    setenv("XDG_CACHE_HOME", folder, 1);
    refuse(p, path, "file/linnet (Not a directory): set LINNET_CACHE");
    unsetenv("XDG_CACHE_HOME");
    end(p);
}

static void the_environment_says_how_much(void **state) {
    static const char *const bad[] = {"0", "-1", "2.5", "1G", "9999999999999999"};
    pair                     p = begin(state, 1);
    char                     path[512];
    ln_error                 error;
    ln_context_free(p.small);
    setenv("LINNET_DATA_MEMORY", "31", 1);
    p.small = ln_context_new(NULL, NULL);
    assert_non_null(p.small);
    ln_data_free(open_good(p.small, put_large(p.f, path), NULL));
    assert_true(peak_of(p.small) < 1 << 20);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        setenv("LINNET_DATA_MEMORY", bad[i], 1);
        assert_null(ln_context_new(NULL, &error));
        assert_int_equal(error.status, LN_E_ARGUMENT);
        assert_non_null(strstr(error.message, "is not a number of MiB; write a whole number from 1 on"));
    }
    unsetenv("LINNET_DATA_MEMORY");
    end(p);
}

int main(void) {
    const struct CMUnitTest tests[] = {FILES_TEST(every_reader_gives_the_same_values),
                                       FILES_TEST(a_training_ends_with_the_same_bits), FILES_TEST(memory_stays_small),
                                       FILES_TEST(a_full_disk_is_told), FILES_TEST(the_environment_says_how_much)};
    unsetenv("LINNET_DATA_MEMORY");
    return cmocka_run_group_tests(tests, NULL, NULL);
}
