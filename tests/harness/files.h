/* For tests of files: a folder that goes away, raw reading and writing, and a context whose k-th allocation fails. */
#ifndef LN_TESTS_FILES_H
#define LN_TESTS_FILES_H

#include "base/context.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct files {
    ln_context  *context;
    char         folder[256];
    size_t       n_allocations, fails_at; /* fails_at 0: never */
    size_t       n_held;                  /* blocks */
} files;

static inline void *files_allocate(void *user, size_t n_bytes, size_t alignment) {
    files *f = user;
    void  *memory = NULL;
    const bool too_large = n_bytes > (size_t)1 << 40; /* no machine has it, and sanitizers stop at it */
    if (++f->n_allocations == f->fails_at || too_large || posix_memalign(&memory, alignment, n_bytes)) return NULL;
    f->n_held++;
    return memory;
}

static inline void files_release(void *user, void *memory, size_t n_bytes) {
    (void)n_bytes;
    ((files *)user)->n_held--;
    free(memory);
}

static inline int files_setup(void **state) {
    files      *f = calloc(1, sizeof *f);
    const char *root = getenv("TMPDIR");
    assert_non_null(f);
    snprintf(f->folder, sizeof f->folder, "%.200s/linnet-test-XXXXXX", root && *root ? root : "/tmp");
    assert_non_null(mkdtemp(f->folder));
    const ln_allocator allocator = {files_allocate, files_release, f};
    ln_context_options options = LN_CONTEXT_OPTIONS;
    options.n_threads = 1;
    options.allocator = &allocator;
    f->context = ln_context_new(&options, NULL);
    assert_non_null(f->context);
    *state = f;
    return 0;
}

/* Folder's entries, hidden ones too. */
static inline size_t files_count(const char *folder) {
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    size_t n = 0;
    for (const struct dirent *entry; (entry = readdir(dir));)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(dir);
    return n;
}

static inline void files_clear(const char *folder) {
    DIR *dir = opendir(folder);
    if (!dir) return;
    for (const struct dirent *entry; (entry = readdir(dir));) {
        char path[1024];
        snprintf(path, sizeof path, "%.700s/%.255s", folder, entry->d_name);
        if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, "..")) continue;
        if (unlink(path)) files_clear(path);
    }
    closedir(dir);
    rmdir(folder);
}

static inline int files_teardown(void **state) {
    files *f = *state;
    ln_context_free(f->context);
    const size_t n_held = f->n_held;
    files_clear(f->folder);
    free(f);
    return n_held ? -1 : 0; /* a leak fails the test */
}

/* The path of a file in the folder; text is the caller's. */
static inline const char *files_path(const files *f, const char *name, char text[512]) {
    snprintf(text, 512, "%.250s/%.255s", f->folder, name);
    return text;
}

static inline const char *files_put(const files *f, const char *name, const void *bytes, size_t n, char text[512]) {
    FILE *file = fopen(files_path(f, name, text), "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
    return text;
}

/* The number of bytes in path; at most size are read. */
static inline size_t files_get(const char *path, void *bytes, size_t size) {
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    const size_t n = fread(bytes, 1, size, file);
    fclose(file);
    return n;
}

/* Runs work with its first, second, … allocation failing, until none fails any more: each time it must either succeed
 * (true) or fail, in both cases without holding a block. Returns how many allocations it took. */
static inline size_t files_fail_each(files *f, bool (*work)(files *f, void *argument, ln_error *error),
                                     void *argument) {
    const size_t held = f->n_held;
    for (size_t k = 1;; k++) {
        ln_error error = {0};
        f->n_allocations = 0;
        f->fails_at = k;
        const bool   good = work(f, argument, &error);
        const size_t n = f->n_allocations;
        f->fails_at = 0;
        assert_int_equal(f->n_held, held);
        if (n < k) {
            assert_true(good);
            return n;
        }
        if (!good) assert_int_equal(error.status, LN_E_MEMORY);
    }
}

#define FILES_TEST(function) cmocka_unit_test_setup_teardown(function, files_setup, files_teardown)

#endif
