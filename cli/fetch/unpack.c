/* unpack.c: the members of a set's archive. Their names on disk are those of the table, never the archive's. */
#include "fetch.h"
#include "interrupt.h"
#include "tar.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

enum { OTHERS = 1 << 20 }; /* headers, and entries that nobody wants */

typedef struct unpacking {
    const fetching *fetching;
    const char     *archive;
    tar             tar;
    bool            done[LN_SET_MEMBERS];
    pool           *owner;
} unpacking;

static long read_gzip(void *user, void *bytes, size_t n) { return gzread(user, bytes, (unsigned)n); }

static const char *path_of(const fetching *f, size_t i, const char *end, pool *owner) {
    return pool_format(owner, "%s/%s%s", f->folder, f->set->member[i].name, end);
}

bool unpack_is_done(const fetching *f, pool *owner) {
    const ln_set_member *const m = f->set->member;
    for (size_t i = 0; i < LN_SET_MEMBERS && m[i].name; i++) {
        struct stat st;
        if (stat(path_of(f, i, "", owner), &st) || !S_ISREG(st.st_mode) || st.st_size == 0) return false;
        if (m[i].n_bytes && (uint64_t)st.st_size != m[i].n_bytes) return false;
    }
    return true;
}

static bool is_length(const ln_set_member *m, uint64_t n_bytes) {
    return m->n_bytes ? n_bytes == m->n_bytes : n_bytes > 0 && n_bytes <= LN_SET_SMALL;
}

static bool damaged(const unpacking *u, const char *reason, ln_error *error) {
    return fill_error(error, LN_E_FORMAT, "%s: %s: remove it, and fetch it again", u->archive, reason);
}

static bool write_all(int fd, const char *bytes, size_t n) {
    while (n > 0) {
        const ssize_t now = write(fd, bytes, n);
        if (now < 0 && errno != EINTR) return false;
        if (now > 0) bytes += now, n -= (size_t)now;
    }
    return true;
}

/* The entry at hand into fd, whose file is called part. */
static bool copy_entry(unpacking *u, int fd, const char *part, ln_error *error) {
    static char bytes[1 << 16];
    for (size_t n = 1; n > 0;) {
        const char *reason;
        if (!tar_read(&u->tar, bytes, sizeof bytes, &n, &reason)) return damaged(u, reason, error);
        if (!write_all(fd, bytes, n))
            return fill_error(error, LN_E_IO, "cannot write %.300s: %s", part, strerror(errno));
    }
    return true;
}

static bool take_member(unpacking *u, size_t i, ln_error *error) {
    const char *const path = path_of(u->fetching, i, "", u->owner);
    const char *const part = path_of(u->fetching, i, ".part", u->owner);
    const int         fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (fd < 0) return fill_error(error, LN_E_IO, "cannot write %.300s: %s", part, strerror(errno));
    const bool good = copy_entry(u, fd, part, error) && stored_place(fd, part, path, error);
    close(fd);
    if (!good) unlink(part);
    return u->done[i] = good;
}

/* The number of the member that entry is, or LN_SET_MEMBERS. */
static size_t find_member(const ln_set *set, const char *name) {
    size_t i = 0;
    for (; i < LN_SET_MEMBERS && set->member[i].name; i++) {
        const size_t n = strlen(set->member[i].folder);
        if (strncmp(name, set->member[i].folder, n) == 0 && strcmp(name + n, set->member[i].name) == 0) return i;
    }
    return LN_SET_MEMBERS;
}

static bool unpack_members(unpacking *u, ln_error *error) {
    const ln_set *const set = u->fetching->set;
    tar_entry           entry;
    const char         *reason;
    tar_result          result;
    while ((result = tar_next(&u->tar, &entry, &reason)) == TAR_ENTRY) {
        const size_t i = find_member(set, entry.name);
        if (interrupt_asked()) return fill_error(error, LN_E_INTERRUPTED, "interrupted: the same command goes on");
        if (i == LN_SET_MEMBERS) continue;
        if (!entry.is_file || u->done[i] || !is_length(&set->member[i], entry.n_bytes))
            return damaged(u, pool_format(u->owner, "its %s is not the file that it should be", entry.name), error);
        if (!take_member(u, i, error)) return false;
    }
    if (result == TAR_BAD) return damaged(u, reason, error);
    for (size_t i = 0; i < LN_SET_MEMBERS && set->member[i].name; i++)
        if (!u->done[i]) return damaged(u, pool_format(u->owner, "it has no %s", set->member[i].name), error);
    return true;
}

bool unpack(const fetching *f, const char *archive, pool *owner, ln_error *error) {
    unpacking u = {.fetching = f, .archive = archive, .owner = owner, .tar = {.read = read_gzip, .n_most = OTHERS}};
    for (size_t i = 0; i < LN_SET_MEMBERS && f->set->member[i].name; i++)
        u.tar.n_most += f->set->member[i].n_bytes ? f->set->member[i].n_bytes : LN_SET_SMALL;
    const gzFile file = gzopen(archive, "rb");
    if (!file) return fill_error(error, LN_E_IO, "cannot open %.300s: %s", archive, strerror(errno));
    u.tar.user = file;
    const bool good = unpack_members(&u, error);
    gzclose(file);
    return good;
}
