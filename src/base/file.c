/* Reading whole files and writing them atomically; see file.h for the promise. */
#include "base/file.h"

#include "base/context.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LN_NAME_TRIES = 1000, LN_TEMPORARY = 64, LN_READ_FIRST = 1 << 16 };

struct ln_file_writer {
    ln_context *context;
    char       *path;      /* as the caller wrote it, for messages */
    char       *target;    /* path with symbolic links followed */
    char       *temporary; /* a name in target's folder; taken when `named` */
    size_t      n_folder;  /* length of target's folder part, "/" included; 0: the current folder */
    int         fd;
    bool        named;  /* temporary exists */
    bool        hasty;  /* not synced */
    bool        direct; /* target is a device or pipe: no temporary */
};

static void free_writer(ln_file_writer *writer) {
    ln_release(writer->context, writer->path);
    ln_release(writer->context, writer->target);
    ln_release(writer->context, writer->temporary);
    ln_release(writer->context, writer);
}

void ln_file_writer_abandon(ln_file_writer *writer) {
    if (!writer) return;
    if (writer->fd >= 0) close(writer->fd);
    if (writer->named) unlink(writer->temporary);
    free_writer(writer);
}

/* target's folder, for open(). */
static void folder_of(const ln_file_writer *writer, char folder[PATH_MAX]) {
    const size_t n = writer->n_folder;
    memcpy(folder, n ? writer->target : ".", n ? n : 1);
    folder[n ? n : 1] = '\0';
}

/* The k-th hidden name in target's folder. The process's number keeps two processes apart. */
static void name_temporary(ln_file_writer *writer, unsigned k) {
    snprintf(writer->temporary, writer->n_folder + LN_TEMPORARY, "%.*s.linnet-%ld-%u.tmp", (int)writer->n_folder,
             writer->target, (long)getpid(), k);
}

static int open_named(ln_file_writer *writer) {
    for (unsigned k = 0; k < LN_NAME_TRIES; k++) {
        name_temporary(writer, k);
        const int fd = open(writer->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0) writer->named = true;
        if (fd >= 0 || errno != EEXIST) return fd;
    }
    return -1;
}

/* An unnamed file vanishes by itself, even when the process is killed; it gets its name from /proc. */
static int open_unnamed(const ln_file_writer *writer) {
    char folder[PATH_MAX];
    folder_of(writer, folder);
    if (access("/proc/self/fd", X_OK)) return -1;
    return open(folder, O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666);
}

static int open_output(ln_file_writer *writer) {
    struct stat st;
    if (!stat(writer->target, &st) && !S_ISREG(st.st_mode)) {
        writer->direct = true;
        return open(writer->target, O_WRONLY | O_CLOEXEC); /* a folder fails here, by EISDIR */
    }
    const int fd = open_unnamed(writer);
    return fd >= 0 ? fd : open_named(writer);
}

static ln_file_writer *new_writer(ln_context *context, const char *path, const char *target) {
    ln_file_writer *writer = ln_allocate_zeroed(context, sizeof *writer);
    if (!writer) return NULL;
    writer->context = context;
    writer->fd = -1;
    writer->path = ln_copy_text(context, path);
    writer->target = ln_copy_text(context, target);
    const char *slash = strrchr(target, '/');
    writer->n_folder = slash ? (size_t)(slash - target) + 1 : 0;
    writer->temporary = ln_allocate(context, writer->n_folder + LN_TEMPORARY);
    if (writer->path && writer->target && writer->temporary) return writer;
    free_writer(writer);
    return NULL;
}

ln_status ln_file_writer_open(ln_context *context, const char *path, ln_file_writer **writer, ln_error *error) {
    char resolved[PATH_MAX];
    if (!path || !*path) return ln_fail(error, LN_E_ARGUMENT, "cannot write a file without a name: give a path");
    const char *target = realpath(path, resolved) ? resolved : path;
    if (strlen(target) > PATH_MAX - LN_TEMPORARY) {
        errno = ENAMETOOLONG;
        return ln_fail_io(error, "write", path);
    }
    ln_file_writer *made = new_writer(context, path, target);
    if (!made) return ln_fail_memory(error, "a file writer", sizeof *made);
    made->fd = open_output(made);
    if (made->fd < 0) {
        const ln_status status = ln_fail_io(error, "write", path);
        ln_file_writer_abandon(made);
        return status;
    }
    *writer = made;
    return LN_OK;
}

ln_status ln_file_writer_write(ln_file_writer *writer, const void *bytes, size_t n_bytes, ln_error *error) {
    const char *next = bytes;
    while (n_bytes) {
        const ssize_t n = write(writer->fd, next, n_bytes);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return ln_fail_io(error, "write", writer->path);
        next += n;
        n_bytes -= (size_t)n;
    }
    return LN_OK;
}

/* Gives the unnamed file a name beside target. */
static int give_name(ln_file_writer *writer) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", writer->fd);
    for (unsigned k = 0; k < LN_NAME_TRIES; k++) {
        name_temporary(writer, k);
        if (!linkat(AT_FDCWD, link, AT_FDCWD, writer->temporary, AT_SYMLINK_FOLLOW)) {
            writer->named = true;
            return 0;
        }
        if (errno != EEXIST) return -1;
    }
    return -1;
}

/* Makes the rename durable. File systems that cannot sync a folder say EINVAL; there is nothing more to do there. */
static int sync_folder(const ln_file_writer *writer) {
    char folder[PATH_MAX];
    folder_of(writer, folder);
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return errno == EACCES ? 0 : -1; /* a folder may be writable but not readable */
    const int failed = fsync(fd) && errno != EINVAL;
    const int reason = errno;
    close(fd);
    errno = reason;
    return failed ? -1 : 0;
}

/* 0, or -1 with errno set. The descriptor is closed before the rename, since close() reports late write errors. */
static int finish(ln_file_writer *writer) {
    if (!writer->direct && ((!writer->hasty && fsync(writer->fd)) || (!writer->named && give_name(writer)))) return -1;
    const int fd = writer->fd;
    writer->fd = -1;
    if (close(fd)) return -1;
    if (writer->direct) return 0;
    if (rename(writer->temporary, writer->target)) return -1;
    writer->named = false;
    return writer->hasty ? 0 : sync_folder(writer);
}

void ln_file_writer_hurry(ln_file_writer *writer) { writer->hasty = true; }

ln_status ln_file_writer_finish(ln_file_writer *writer, ln_error *error) {
    return finish(writer) ? ln_fail_io(error, "write", writer->path) : LN_OK;
}

ln_status ln_file_writer_commit(ln_file_writer *writer, ln_error *error) {
    const ln_status status = ln_file_writer_finish(writer, error);
    ln_file_writer_abandon(writer);
    return status;
}

ln_status ln_file_write(ln_context *context, const char *path, const void *bytes, size_t n_bytes, ln_error *error) {
    ln_file_writer *writer = NULL;
    ln_status       status = ln_file_writer_open(context, path, &writer, error);
    if (status != LN_OK) return status;
    status = ln_file_writer_write(writer, bytes, n_bytes, error);
    if (status == LN_OK) return ln_file_writer_commit(writer, error);
    ln_file_writer_abandon(writer);
    return status;
}

/* ----------------------------------------------------------------- reading */

typedef struct buffer {
    ln_context    *context;
    unsigned char *bytes;
    size_t         n, capacity;
} buffer;

/* Reads fd to its end; room for one more byte than limit shows a file that is too long. */
static ln_status read_all(int fd, const char *path, size_t limit, buffer *b, ln_error *error) {
    for (;;) {
        if (b->n > limit)
            return ln_fail(error, LN_E_FORMAT, "%s: longer than %zu bytes, the most that such a file may have", path,
                           limit);
        if (b->n == b->capacity) {
            const size_t   capacity = b->capacity < limit / 2 ? 2 * b->capacity : limit + 1;
            unsigned char *more = ln_reallocate(b->context, b->bytes, capacity + 1);
            if (!more) return ln_fail_memory(error, path, capacity + 1);
            b->bytes = more;
            b->capacity = capacity;
        }
        const ssize_t n = read(fd, b->bytes + b->n, b->capacity - b->n);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return ln_fail_io(error, "read", path);
        if (n == 0) return LN_OK;
        b->n += (size_t)n;
    }
}

static ln_status read_open(ln_context *context, int fd, const char *path, size_t limit, unsigned char **bytes,
                           size_t *n_bytes, ln_error *error) {
    struct stat st;
    if (fstat(fd, &st)) return ln_fail_io(error, "read", path);
    const bool sized = S_ISREG(st.st_mode);
    if (sized && (uintmax_t)st.st_size > limit)
        return ln_fail(error, LN_E_FORMAT, "%s: %jd bytes, but such a file may have %zu at most", path,
                       (intmax_t)st.st_size, limit);
    const size_t first = sized ? (size_t)st.st_size + 1 : limit < LN_READ_FIRST ? limit + 1 : LN_READ_FIRST;
    buffer       b = {.context = context, .bytes = ln_allocate(context, first + 1), .capacity = first};
    if (!b.bytes) return ln_fail_memory(error, path, first + 1);
    const ln_status status = read_all(fd, path, limit, &b, error);
    if (status != LN_OK) {
        ln_release(context, b.bytes);
        return status;
    }
    b.bytes[b.n] = '\0';
    *bytes = b.bytes;
    *n_bytes = b.n;
    return LN_OK;
}

ln_status ln_file_read(ln_context *context, const char *path, size_t limit, unsigned char **bytes, size_t *n_bytes,
                       ln_error *error) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return ln_fail_io(error, "open", path);
    const ln_status status = read_open(context, fd, path, limit, bytes, n_bytes, error);
    close(fd);
    return status;
}
