/* The cache of folders of pictures: it is used, it is made anew when it is damaged or what it was made of changes, it
 * stays within its limit, and where it cannot be nothing else changes. */
#include "harness/files.h"

#include "linnet.h"

#include <fcntl.h>
#include <time.h>

enum { SIDE = 4, N_FILES = 3, COMMENT = 3 << 20, MADE = SIDE * SIDE * N_FILES };

/* A PGM whose comment makes it worth keeping; all its pixels are alike. */
static void put_picture(files *f, const char *name, unsigned char value) {
    static const char head[] = "P5 #", size[] = "\n4 4 255\n";
    char              path[512];
    char *const       text = malloc(COMMENT);
    assert_non_null(text);
    memset(text, 'x', COMMENT);
    memcpy(text, head, sizeof head - 1);
    char *const end = text + COMMENT - SIDE * SIDE - (sizeof size - 1);
    memcpy(end, size, sizeof size - 1);
    memset(end + sizeof size - 1, value, SIDE * SIDE);
    files_put(f, name, text, COMMENT, path);
    free(text);
}

/* Three pictures in two classes, old enough that a change would show; and a cache folder. */
static files *begin(void **state) {
    files *const f = *state;
    char         path[512];
    mkdir(files_path(f, "p", path), 0700);
    mkdir(files_path(f, "p/a", path), 0700);
    mkdir(files_path(f, "p/b", path), 0700);
    put_picture(f, "p/a/1.pgm", 10);
    put_picture(f, "p/a/2.pgm", 20);
    put_picture(f, "p/b/1.pgm", 30);
    setenv("LINNET_CACHE", files_path(f, "cache", path), 1);
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL);
    return f;
}

static const char *const names_at_first[N_FILES] = {"a/1.pgm", "a/2.pgm", "b/1.pgm"};

static void open_named(files *f, const ln_reading *reading, const unsigned char values[N_FILES],
                       const char *const names[N_FILES]) {
    char           path[512];
    ln_error       error = {0};
    ln_data *const data = ln_data_open_as(f->context, files_path(f, "p", path), NULL, NULL, reading, &error);
    if (!data) fail_msg("%s", error.message);
    const ln_data_info d = ln_data_describe(data);
    assert_true(d.n == N_FILES && d.c == 1 && d.n_classes == 2);
    for (size_t i = 0; i < N_FILES; i++) {
        assert_int_equal(ln_data_label(data, i), i == 2);
        assert_string_equal(ln_data_image_name(data, i), names[i]);
        for (size_t k = 0; k < d.h * d.w; k++)
            assert_int_equal(((const uint8_t *)ln_data_image(data, i))[k], values[i]);
    }
    ln_data_free(data);
}

static void open_and_check(files *f, const ln_reading *reading, const unsigned char values[N_FILES]) {
    open_named(f, reading, values, names_at_first);
}

/* The one file in the cache. */
static const char *kept(files *f, char path[512]) {
    char                 folder[512];
    DIR *const           dir = opendir(files_path(f, "cache", folder));
    const struct dirent *d;
    assert_non_null(dir);
    assert_int_equal(files_count(folder), 1);
    while ((d = readdir(dir)) && d->d_name[0] == '.') {}
    assert_non_null(d);
    snprintf(path, 512, "%.250s/%.255s", folder, d->d_name);
    closedir(dir);
    return path;
}

static const unsigned char first[N_FILES] = {10, 20, 30};

static void the_second_opening_uses_it(void **state) {
    files *const          f = begin(state);
    const struct timespec old[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    char                  path[512];
    struct stat           st;
    open_and_check(f, NULL, first);
    assert_int_equal(utimensat(AT_FDCWD, kept(f, path), old, 0), 0);
    open_and_check(f, NULL, first);
    assert_int_equal(stat(kept(f, path), &st), 0);
    assert_true(st.st_mtim.tv_sec > 1000 && st.st_size > MADE);
}

static void what_was_read_otherwise_is_another(void **state) {
    static const unsigned char inverted[N_FILES] = {245, 235, 225};
    files *const               f = begin(state);
    char                       path[512];
    for (int pass = 0; pass < 2; pass++) {
        open_and_check(f, NULL, first);
        open_and_check(f, &(ln_reading){.invert = true}, inverted);
        open_and_check(f, &(ln_reading){.h = 2, .w = 3}, first);
    }
    assert_int_equal(files_count(files_path(f, "cache", path)), 3);
}

static void a_change_shows(void **state) {
    files *const          f = begin(state);
    const struct timespec now = {.tv_nsec = 100000000};
    char                  path[512], other[512];
    struct stat           st;
    open_and_check(f, NULL, first);
    assert_int_equal(stat(files_path(f, "p/a/2.pgm", path), &st), 0);
    put_picture(f, "p/a/2.pgm", 99); /* as long as before, and with the same time of writing */
    const struct timespec times[2] = {st.st_atim, st.st_mtim};
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    open_and_check(f, NULL, (const unsigned char[]){10, 99, 30});
    nanosleep(&now, NULL);
    open_and_check(f, NULL, (const unsigned char[]){10, 99, 30});
    files_path(f, "p/a/1.pgm", path);
    files_path(f, "p/a/3.pgm", other);
    assert_int_equal(rename(path, other), 0); /* the order of names */
    open_named(f, NULL, (const unsigned char[]){99, 10, 30}, (const char *const[]){"a/2.pgm", "a/3.pgm", "b/1.pgm"});
}

/* Whatever byte is wrong, and whatever is missing or too much: decoded again, and whole again. */
static void damage_is_not_believed(void **state) {
    files *const  f = begin(state);
    char          path[512];
    unsigned char good[1024], bytes[1024];
    open_and_check(f, NULL, first);
    const size_t n = files_get(kept(f, path), good, sizeof good);
    assert_true(n > MADE && n < sizeof good);
    for (size_t k = 0; k < n + 3; k++) {
        const size_t length = k < n ? n : k == n ? n - 1 : k == n + 1 ? n + 1 : 0;
        memcpy(bytes, good, sizeof bytes);
        if (k < n) bytes[k] ^= 4;
        FILE *const file = fopen(path, "wb");
        assert_true(file && fwrite(bytes, 1, length, file) == length && fclose(file) == 0);
        if (k % 8 == 0 || k >= n || k >= n - 2) {
            open_and_check(f, NULL, first);
            assert_int_equal(files_get(kept(f, path), bytes, sizeof bytes), n);
            assert_memory_equal(bytes, good, n);
        }
    }
}

static void it_is_no_condition(void **state) {
    files *const f = begin(state);
    char         path[512];
    setenv("LINNET_CACHE", files_put(f, "file", "", 0, path), 1);
    open_and_check(f, NULL, first);
    assert_int_equal(files_get(path, path, 1), 0);
    setenv("LINNET_CACHE", "/proc/none", 1);
    open_and_check(f, NULL, first);
}

/* Two that nobody used for long fill it: the older one goes. */
static void the_oldest_goes(void **state) {
    static const char *const names[] = {"cache/old.pictures", "cache/older.pictures", "cache/oldest.txt"};
    files *const             f = begin(state);
    char                     path[512];
    mkdir(files_path(f, "cache", path), 0700);
    for (int i = 0; i < 3; i++) {
        const struct timespec times[2] = {{.tv_sec = 5000 - i}, {.tv_sec = 5000 - i}};
        files_put(f, names[i], "", 0, path);
        assert_int_equal(truncate(path, (off_t)3 << 30), 0); /* takes no room on the disk */
        assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    }
    open_and_check(f, NULL, first);
    assert_int_equal(files_count(files_path(f, "cache", path)), 3);
    assert_int_equal(access(files_path(f, names[0], path), F_OK), 0);
    assert_int_not_equal(access(files_path(f, names[1], path), F_OK), 0);
    assert_int_equal(access(files_path(f, names[2], path), F_OK), 0);
}

static bool open_folder(files *f, void *path, ln_error *error) {
    ln_data *const data = ln_data_open(f->context, path, NULL, NULL, error);
    ln_data_free(data);
    return data != NULL;
}

/* Where an allocation of the cache's own fails, nothing is kept and nothing else happens. */
static void memory_may_run_out(void **state) {
    files *const f = begin(state);
    char         path[512];
    files_fail_each(f, open_folder, (void *)(uintptr_t)files_path(f, "p", path));
    open_and_check(f, NULL, first);
}

int main(void) {
    const struct CMUnitTest tests[] = {FILES_TEST(the_second_opening_uses_it),
                                       FILES_TEST(what_was_read_otherwise_is_another),
                                       FILES_TEST(a_change_shows),
                                       FILES_TEST(damage_is_not_believed),
                                       FILES_TEST(it_is_no_condition),
                                       FILES_TEST(the_oldest_goes),
                                       FILES_TEST(memory_may_run_out)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
