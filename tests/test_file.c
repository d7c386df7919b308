/* Files: whole or not at all. */
#include "harness/files.h"

#include "base/file.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void writes_and_reads_back(void **state) {
    files         *f = *state;
    char           path[512];
    ln_error       error = {0};
    unsigned char *bytes;
    size_t         n;
    files_path(f, "a", path);
    assert_int_equal(ln_file_write(f->context, path, "first", 5, &error), LN_OK);
    assert_int_equal(ln_file_write(f->context, path, "two\0words", 9, &error), LN_OK);
    assert_int_equal(ln_file_read(f->context, path, 9, &bytes, &n, &error), LN_OK);
    assert_int_equal(n, 9);
    assert_memory_equal(bytes, "two\0words", 10);
    ln_release(f->context, bytes);
    assert_int_equal(ln_file_write(f->context, path, "", 0, &error), LN_OK);
    assert_int_equal(ln_file_read(f->context, path, 0, &bytes, &n, &error), LN_OK);
    assert_int_equal(n, 0);
    ln_release(f->context, bytes);
    assert_int_equal(files_count(f->folder), 1);
}

static void streams_and_shows_nothing_before_commit(void **state) {
    files          *f = *state;
    char            path[512], text[16];
    ln_file_writer *writer;
    files_put(f, "a", "old", 3, path);
    assert_int_equal(ln_file_writer_open(f->context, path, &writer, NULL), LN_OK);
    assert_int_equal(ln_file_writer_write(writer, "ne", 2, NULL), LN_OK);
    assert_int_equal(ln_file_writer_write(writer, "w one", 5, NULL), LN_OK);
    assert_int_equal(files_get(path, text, sizeof text), 3);
    assert_int_equal(ln_file_writer_commit(writer, NULL), LN_OK);
    assert_int_equal(files_get(path, text, sizeof text), 7);
    assert_memory_equal(text, "new one", 7);
    assert_int_equal(files_count(f->folder), 1);
}

static void abandon_leaves_the_old(void **state) {
    files          *f = *state;
    char            path[512], text[16];
    ln_file_writer *writer;
    files_put(f, "a", "old", 3, path);
    assert_int_equal(ln_file_writer_open(f->context, path, &writer, NULL), LN_OK);
    assert_int_equal(ln_file_writer_write(writer, "new", 3, NULL), LN_OK);
    ln_file_writer_abandon(writer);
    ln_file_writer_abandon(NULL);
    assert_int_equal(files_get(path, text, sizeof text), 3);
    assert_memory_equal(text, "old", 3);
    assert_int_equal(files_count(f->folder), 1);
}

static void the_mask_decides_the_mode(void **state) {
    files       *f = *state;
    char         path[512];
    struct stat  st;
    const mode_t mask = umask(027);
    assert_int_equal(ln_file_write(f->context, files_path(f, "a", path), "x", 1, NULL), LN_OK);
    umask(mask);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0640);
}

static void a_link_stays_a_link(void **state) {
    files      *f = *state;
    char        path[512], link[512], text[16];
    struct stat st;
    files_put(f, "target", "old", 3, path);
    assert_int_equal(symlink("target", files_path(f, "link", link)), 0);
    assert_int_equal(ln_file_write(f->context, link, "newer", 5, NULL), LN_OK);
    assert_int_equal(lstat(link, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
    assert_int_equal(files_get(path, text, sizeof text), 5);
}

static void a_device_is_written_and_not_replaced(void **state) {
    files      *f = *state;
    struct stat st;
    ln_error    error = {0};
    assert_int_equal(ln_file_write(f->context, "/dev/null", "x", 1, &error), LN_OK);
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
    assert_int_equal(ln_file_write(f->context, "/dev/full", "x", 1, &error), LN_E_IO);
    assert_non_null(strstr(error.message, "/dev/full"));
    assert_non_null(strstr(error.message, "No space left on device"));
}

/* A limit on the size of files stands in for a full disk. In a child, since it cannot be taken back. */
static void a_full_disk_leaves_nothing(void **state) {
    files *f = *state;
    char   path[512], text[16];
    files_put(f, "a", "old", 3, path);
    const pid_t child = fork();
    if (!child) {
        static const char   big[100000];
        const struct rlimit limit = {50000, 50000};
        ln_error            error = {0};
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &limit);
        const bool failed = ln_file_write(f->context, path, big, sizeof big, &error) == LN_E_IO;
        _exit(failed && strstr(error.message, path) && strstr(error.message, "File too large") ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(files_count(f->folder), 1);
    assert_int_equal(files_get(path, text, sizeof text), 3);
    assert_memory_equal(text, "old", 3);
}

/* Killed while it writes: the old file stays, and nothing beside it where the file system has unnamed files. */
static void a_kill_leaves_the_old(void **state) {
    files *f = *state;
    char   path[512], text[16];
    int    ready[2];
    files_put(f, "a", "old", 3, path);
    assert_int_equal(pipe(ready), 0);
    const pid_t child = fork();
    if (!child) {
        ln_file_writer *writer;
        if (ln_file_writer_open(f->context, path, &writer, NULL) != LN_OK) _exit(1);
        if (ln_file_writer_write(writer, "half", 4, NULL) != LN_OK) _exit(1);
        if (write(ready[1], "", 1) != 1) _exit(1);
        for (;;) pause();
    }
    int status;
    close(ready[1]);
    assert_int_equal(read(ready[0], text, 1), 1);
    close(ready[0]);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(files_get(path, text, sizeof text), 3);
    assert_memory_equal(text, "old", 3);
    const int unnamed = open(f->folder, O_WRONLY | O_TMPFILE, 0600);
    if (unnamed >= 0) assert_int_equal(files_count(f->folder), 1);
    if (unnamed >= 0) close(unnamed);
}

static void impossible_places_are_named(void **state) {
    files   *f = *state;
    char     path[512], longer[800] = {0};
    ln_error error = {0};
    assert_int_equal(ln_file_write(f->context, files_path(f, "no/such/a", path), "x", 1, &error), LN_E_IO);
    assert_non_null(strstr(error.message, path));
    assert_non_null(strstr(error.message, "No such file or directory"));
    assert_int_equal(ln_file_write(f->context, f->folder, "x", 1, &error), LN_E_IO);
    assert_non_null(strstr(error.message, "Is a directory"));
    memset(longer + sprintf(longer, "%.250s/", f->folder), 'x', 256);
    assert_int_equal(ln_file_write(f->context, longer, "x", 1, &error), LN_E_IO);
    assert_non_null(strstr(error.message, "File name too long"));
    assert_int_equal(ln_file_write(f->context, "/proc/linnet", "x", 1, &error), LN_E_IO);
    assert_int_equal(ln_file_write(f->context, "", "x", 1, &error), LN_E_ARGUMENT);
    assert_int_equal(files_count(f->folder), 0);
}

static void an_unwritable_folder_is_named(void **state) {
    files *f = *state;
    char   path[512];
    files_path(f, "a", path);
    assert_int_equal(chmod(f->folder, 0555), 0);
    const pid_t child = fork();
    if (!child) { /* the superuser may write anywhere, so be somebody else */
        ln_error error = {0};
        if (!geteuid() && setuid(65534)) _exit(2);
        const bool failed = ln_file_write(f->context, path, "x", 1, &error) == LN_E_IO;
        _exit(failed && strstr(error.message, path) && strstr(error.message, "Permission denied") ? 0 : 1);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    chmod(f->folder, 0700);
    assert_int_equal(status, 0);
    assert_int_equal(files_count(f->folder), 0);
}

/* In a root folder without /proc, an unnamed file could not get its name, so a hidden one is used. */
static int write_without_proc(files *f) {
    ln_file_writer *writer;
    unsigned char  *bytes;
    size_t          n;
    if (chroot(f->folder) && (unshare(CLONE_NEWUSER) || chroot(f->folder))) return 77;
    if (chdir("/") || ln_file_write(f->context, "/a", "old", 3, NULL) != LN_OK) return 1;
    if (ln_file_writer_open(f->context, "/a", &writer, NULL) != LN_OK || files_count("/") != 2) return 2;
    if (ln_file_writer_write(writer, "x", 1, NULL) != LN_OK) return 3;
    ln_file_writer_abandon(writer);
    if (files_count("/") != 1 || ln_file_write(f->context, "a", "new", 3, NULL) != LN_OK) return 4;
    if (ln_file_read(f->context, "a", 9, &bytes, &n, NULL) != LN_OK || n != 3 || memcmp(bytes, "new", 3)) return 5;
    ln_release(f->context, bytes);
    return files_count("/") == 1 ? 0 : 6;
}

static void works_without_proc(void **state) {
    const pid_t child = fork();
    if (!child) _exit(write_without_proc(*state));
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    if (WEXITSTATUS(status) == 77) skip();
    assert_int_equal(status, 0);
}

static void reading_has_limits(void **state) {
    files         *f = *state;
    char           path[512];
    unsigned char *bytes = NULL;
    size_t         n = 77;
    ln_error       error = {0};
    files_put(f, "a", "12345", 5, path);
    assert_int_equal(ln_file_read(f->context, path, 4, &bytes, &n, &error), LN_E_FORMAT);
    assert_non_null(strstr(error.message, path));
    assert_int_equal(ln_file_read(f->context, "/dev/zero", 200000, &bytes, &n, &error), LN_E_FORMAT);
    assert_int_equal(ln_file_read(f->context, f->folder, 100, &bytes, &n, &error), LN_E_IO);
    assert_int_equal(ln_file_read(f->context, files_path(f, "none", path), 100, &bytes, &n, &error), LN_E_IO);
    assert_null(bytes);
    assert_int_equal(n, 77);
}

static void *feed(void *argument) {
    static char byte[1000];
    const int   fd = open(argument, O_WRONLY);
    for (int i = 0; fd >= 0 && i < 300; i++)
        if (write(fd, byte, sizeof byte) < 0) break;
    close(fd);
    return NULL;
}

static void a_pipe_is_read_to_its_end(void **state) {
    files         *f = *state;
    char           path[512];
    unsigned char *bytes;
    size_t         n;
    pthread_t      feeder;
    assert_int_equal(mkfifo(files_path(f, "pipe", path), 0600), 0);
    assert_int_equal(pthread_create(&feeder, NULL, feed, path), 0);
    assert_int_equal(ln_file_read(f->context, path, 300000, &bytes, &n, NULL), LN_OK);
    pthread_join(feeder, NULL);
    assert_int_equal(n, 300000);
    ln_release(f->context, bytes);
}

static bool write_and_read(files *f, void *path, ln_error *error) {
    unsigned char *bytes;
    size_t         n;
    if (ln_file_write(f->context, path, "bytes", 5, error) != LN_OK) return false;
    if (ln_file_read(f->context, path, 100, &bytes, &n, error) != LN_OK) return false;
    ln_release(f->context, bytes);
    return true;
}

static void every_allocation_may_fail(void **state) {
    files *f = *state;
    char   path[512];
    files_path(f, "a", path);
    assert_in_range(files_fail_each(f, write_and_read, path), 5, 20);
    assert_int_equal(files_count(f->folder), 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FILES_TEST(writes_and_reads_back),       FILES_TEST(streams_and_shows_nothing_before_commit),
        FILES_TEST(abandon_leaves_the_old),      FILES_TEST(the_mask_decides_the_mode),
        FILES_TEST(a_link_stays_a_link),         FILES_TEST(a_device_is_written_and_not_replaced),
        FILES_TEST(a_full_disk_leaves_nothing),  FILES_TEST(a_kill_leaves_the_old),
        FILES_TEST(impossible_places_are_named), FILES_TEST(an_unwritable_folder_is_named),
        FILES_TEST(works_without_proc),          FILES_TEST(reading_has_limits),
        FILES_TEST(a_pipe_is_read_to_its_end),   FILES_TEST(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
