/* Known data sets: the table, files opened by name and sum, and archives unpacked: what is wanted of them and nothing
 * else. tests/fetch has downloads. */
#include "harness/files.h"

#include "cli/fetch/fetch.h"
#include "cli/fetch/tar.h"
#include "data/data.h"
#include "data/known.h"

#include <fcntl.h>
#include <zlib.h>

enum { RECORD = 512, KIND_FILE = '0', KIND_FOLDER = '5', KIND_LINK = '2' };

/* ------------------------------------------------------------------- table */

static void check_file(const ln_set_file *file) {
    for (size_t i = 0; i < LN_SET_FORMS && file->form[i].sha256; i++) {
        assert_int_equal(strlen(file->form[i].sha256), 64);
        assert_int_equal(strspn(file->form[i].sha256, "0123456789abcdef"), 64);
        assert_true(file->form[i].n_bytes > 0);
    }
    assert_non_null(file->form[0].sha256);
}

static void test_table(void **state) {
    (void)state;
    for (const ln_set *set = ln_sets; set->name; set++) {
        assert_ptr_equal(ln_set_find(set->name), set);
        assert_true(set->title && set->by && set->licence && set->page && set->mirror[0]);
        for (size_t i = 0; i < LN_SET_MIRRORS && set->mirror[i]; i++) {
            assert_int_equal(strncmp(set->mirror[i], "https://", 8), 0);
            assert_int_equal(set->mirror[i][strlen(set->mirror[i]) - 1], '/');
        }
        const size_t n = set->member[0].name ? 1 : LN_SET_FILES;
        for (size_t i = 0; i < LN_SET_FILES; i++) assert_int_equal(set->file[i].name != NULL, i < n);
        for (size_t i = 0; i < n; i++) check_file(&set->file[i]);
        for (size_t i = 1; i < LN_SET_CLASSES; i++) assert_int_equal(!set->class_name[i], !set->class_name[0]);
    }
    assert_null(ln_set_find("mnist2"));
}

/* ------------------------------------------------------------- opened by name */

static const char *sum_of(const char *path, char sum[SUM_TEXT]) {
    const int fd = open(path, O_RDONLY);
    assert_true(fd >= 0 && stored_sum(fd, sum));
    close(fd);
    return sum;
}

/* A set of two images of 1×2 in each part, in the folder NAME of f. */
typedef struct small_set {
    ln_set set;
    char   sum[LN_SET_FILES][SUM_TEXT], folder[512];
} small_set;

static void make_small(files *f, const char *name, small_set *s) {
    static const unsigned char images[] = {0, 0, 8, 3, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4};
    static const unsigned char labels[] = {0, 0, 8, 1, 0, 0, 0, 2, 9, 4};
    static const char *const   names[] = {"a-images", "a-labels", "b-images", "b-labels"};
    char                       relative[600], path[512];
    *s = (small_set){
        .set = {.name = name, .title = "Small", .class_name = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j"}}};
    assert_int_equal(mkdir(files_path(f, name, s->folder), 0777), 0);
    for (size_t i = 0; i < LN_SET_FILES; i++) {
        snprintf(relative, sizeof relative, "%.100s/%s", name, names[i]);
        files_put(f, relative, i % 2 ? labels : images, i % 2 ? sizeof labels : sizeof images, path);
        s->set.file[i] = (ln_set_file){names[i], {{"0", 1}, {sum_of(path, s->sum[i]), 1}}};
    }
}

static void test_by_name(void **state) {
    files    *f = *state;
    small_set s;
    ln_error  error = {0};
    make_small(f, "small", &s);
    ln_data *const data = ln_known_open(f->context, &s.set, true, f->folder, &error);
    assert_non_null(data);
    assert_int_equal(ln_data_describe(data).n, 2);
    assert_int_equal(ln_data_describe(data).n_classes, 10);
    assert_string_equal(ln_data_class_name(data, ln_data_label(data, 0)), "j");
    assert_int_equal(((const unsigned char *)ln_data_image(data, 1))[0], 3);
    ln_data_free(data);
    s.sum[1][0] = s.sum[1][0] == '0' ? '1' : '0';
    assert_null(ln_known_open(f->context, &s.set, false, f->folder, &error));
    assert_int_equal(error.status, LN_E_FORMAT);
    assert_non_null(strstr(error.message, "not Small's file: its SHA-256 is "));
}

/* The files of a set must be in a folder of its name; those of MNIST need not. */
static void test_bare_folder(void **state) {
    files    *f = *state;
    small_set s;
    ln_error  error = {0};
    make_small(f, "small", &s);
    setenv("XDG_DATA_HOME", "/nowhere", 1);
    assert_null(ln_known_open(f->context, &s.set, true, s.folder, &error));
    assert_int_equal(error.status, LN_E_IO);
    assert_non_null(strstr(error.message, "'linnet data fetch small' gets it"));
    s.set.name = "mnist";
    ln_data *const data = ln_known_open(f->context, &s.set, true, s.folder, &error);
    assert_non_null(data);
    ln_data_free(data);
}

/* CIFAR-10 as it was unpacked, with the names that are in its folder. */
static void test_cifar(void **state) {
    static const char names[] = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n";
    static char       record[1 + 3 * 32 * 32] = {6, 5};
    files            *f = *state;
    char              path[512];
    ln_error          error = {0};
    assert_int_equal(mkdir(files_path(f, "cifar10", path), 0777), 0);
    files_put(f, "cifar10/test_batch.bin", record, sizeof record, path);
    files_put(f, "cifar10/batches.meta.txt", names, sizeof names - 1, path);
    setenv("XDG_DATA_HOME", f->folder, 1);
    ln_data *const data = ln_data_open(f->context, "cifar10:test", NULL, f->folder, &error);
    if (!data) fail_msg("%s", error.message);
    assert_string_equal(ln_data_class_name(data, ln_data_label(data, 0)), "frog");
    ln_data_free(data);
    assert_null(ln_data_open(f->context, "cifar10:train", NULL, f->folder, &error));
    assert_non_null(strstr(error.message, "no data_batch_1.bin in "));
}

/* The user's folder is searched: $XDG_DATA_HOME/linnet, if that is absolute, or ~/.local/share/linnet. */
static void test_home(void **state) {
    (void)state;
    char path[512];
    setenv("HOME", "/home/me", 1);
    setenv("XDG_DATA_HOME", "/data", 1);
    assert_true(ln_set_home(path, sizeof path));
    assert_string_equal(path, "/data/linnet");
    setenv("XDG_DATA_HOME", "data", 1);
    assert_true(ln_set_home(path, sizeof path));
    assert_string_equal(path, "/home/me/.local/share/linnet");
    assert_false(ln_set_home(path, 10));
    unsetenv("HOME");
    assert_false(ln_set_home(path, sizeof path));
}

/* ---------------------------------------------------------------- archives */

static void put_entry(gzFile to, const char *name, char kind, const void *bytes, size_t n, size_t announced) {
    char     header[RECORD] = {0};
    unsigned sum = 0;
    snprintf(header, 100, "%s", name);
    snprintf(header + 124, 12, "%011zo", announced);
    memset(header + 148, ' ', 8);
    header[156] = kind;
    memcpy(header + 257, "ustar\00000", 8);
    for (size_t i = 0; i < RECORD; i++) sum += (unsigned char)header[i];
    snprintf(header + 148, 8, "%06o", sum);
    assert_int_equal(gzwrite(to, header, RECORD), RECORD);
    if (n) assert_int_equal(gzwrite(to, bytes, (unsigned)n), n);
    memset(header, 0, RECORD);
    if (n % RECORD) gzwrite(to, header, (unsigned)(RECORD - n % RECORD));
}

static void put_end(gzFile to) {
    static const char empty[2 * RECORD];
    assert_int_equal(gzwrite(to, empty, sizeof empty), sizeof empty);
    assert_int_equal(gzclose(to), Z_OK);
}

/* A set of an archive with "in/one" (600 bytes) and "in/two" (of any length), in folder arch of f. */
typedef struct archive_set {
    ln_set   set;
    char     folder[512], path[512], sum[SUM_TEXT];
    fetching fetching;
    gzFile   to;
} archive_set;

static void archive_begin(files *f, archive_set *s) {
    *s = (archive_set){.set = {.name = "arch",
                               .title = "Arch",
                               .by = "us",
                               .licence = "none",
                               .page = "here",
                               .member = {{"in/", "one", 600}, {"in/", "two", 0}}}};
    s->set.file[0] = (ln_set_file){"arch.tar.gz", {{s->sum, 1}}};
    mkdir(files_path(f, "arch", s->folder), 0777);
    files_path(f, "arch/arch.tar.gz", s->path);
    s->fetching = (fetching){.set = &s->set, .folder = s->folder};
    s->to = gzopen(s->path, "wb1");
    assert_non_null(s->to);
}

/* As fetch_set finds it, who needs no network for an archive that is there and right. */
static bool archive_fetch(archive_set *s, ln_error *error) {
    sum_of(s->path, s->sum);
    return fetch_set(&s->fetching, error);
}

static void test_unpack(void **state) {
    files      *f = *state;
    archive_set s;
    ln_error    error = {0};
    char        one[600], back[700], path[512];
    memset(one, 7, sizeof one);
    archive_begin(f, &s);
    put_entry(s.to, "in/", KIND_FOLDER, NULL, 0, 0);
    put_entry(s.to, "in/readme", KIND_FILE, one, 500, 500);
    put_entry(s.to, "in/two", KIND_FILE, "names\n", 6, 6);
    put_entry(s.to, "../one", KIND_FILE, "no", 2, 2);
    put_entry(s.to, "/in/one", KIND_FILE, "no", 2, 2);
    put_entry(s.to, "in/one", KIND_FILE, one, sizeof one, sizeof one);
    put_end(s.to);
    if (!archive_fetch(&s, &error)) fail_msg("%s", error.message);
    assert_int_equal(files_count(s.folder), 3);
    assert_int_equal(files_count(f->folder), 1);
    assert_int_equal(files_get(files_path(f, "arch/one", path), back, sizeof back), sizeof one);
    assert_memory_equal(back, one, sizeof one);
    assert_int_equal(files_get(files_path(f, "arch/two", path), back, sizeof back), 6);
    assert_int_equal(unlink(s.path), 0); /* what is unpacked is enough */
    assert_true(fetch_set(&s.fetching, &error));
    s.set.member[0].n_bytes = 601;
    pool owner = {0};
    assert_false(unpack_is_done(&s.fetching, &owner));
    pool_free(&owner);
}

static void refused(files *f, archive_set *s, const char *reason) {
    ln_error error = {0};
    put_end(s->to);
    assert_false(archive_fetch(s, &error));
    if (!strstr(error.message, reason)) fail_msg("'%s' lacks '%s'", error.message, reason);
    for (const char *const *name = (const char *const[]){"arch/one.part", "arch/two.part", NULL}; *name; name++) {
        char path[512];
        assert_int_equal(access(files_path(f, *name, path), F_OK), -1);
    }
    files_clear(s->folder);
}

static void test_unpack_refuses(void **state) {
    files      *f = *state;
    archive_set s;
    static char many[1 << 16];
    archive_begin(f, &s);
    put_entry(s.to, "in/one", KIND_LINK, NULL, 0, 0);
    refused(f, &s, "its in/one is not the file that it should be: remove it, and fetch it again");
    archive_begin(f, &s);
    put_entry(s.to, "in/one", KIND_FILE, many, 601, 601);
    refused(f, &s, "its in/one is not the file");
    archive_begin(f, &s);
    put_entry(s.to, "in/one", KIND_FILE, many, 600, 600);
    put_entry(s.to, "in/one", KIND_FILE, many, 600, 600);
    refused(f, &s, "its in/one is not the file");
    archive_begin(f, &s);
    put_entry(s.to, "in/two", KIND_FILE, "x", 1, 1);
    refused(f, &s, "it has no one");
    archive_begin(f, &s);
    put_entry(s.to, "in/two", KIND_FILE, many, 600, (1 << 16) + 1);
    refused(f, &s, "its in/two is not the file");
    archive_begin(f, &s);
    put_entry(s.to, "in/two", KIND_FILE, many, 80, 60000);
    refused(f, &s, "it is truncated or damaged");
    archive_begin(f, &s);
    gzwrite(s.to, many + 1, 100);
    gzwrite(s.to, "x", 1);
    refused(f, &s, "it is no tar archive, or damaged");
}

/* A bomb: 64 MiB that pack to nothing. */
static void test_unpack_limit(void **state) {
    files      *f = *state;
    archive_set s;
    static char many[1 << 16];
    archive_begin(f, &s);
    put_entry(s.to, "in/others", KIND_FILE, NULL, 0, 64 << 20);
    for (size_t i = 0; i < 1024; i++) gzwrite(s.to, many, sizeof many);
    refused(f, &s, "it unpacks to more than it should hold");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table),    FILES_TEST(test_by_name),      FILES_TEST(test_bare_folder),
        cmocka_unit_test(test_home),     FILES_TEST(test_cifar),        FILES_TEST(test_unpack),
        FILES_TEST(test_unpack_refuses), FILES_TEST(test_unpack_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
