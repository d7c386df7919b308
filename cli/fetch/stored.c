/* stored.c: the files of a set as they lie on disk: checked by their SHA-256, named once they are whole. */
#include "fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

bool stored_sum(int fd, char sum[SUM_TEXT]) {
    static unsigned char bytes[1 << 16];
    unsigned char        digest[SHA256_DIGEST_SIZE];
    struct sha256_ctx    hash;
    sha256_init(&hash);
    for (off_t at = 0;;) {
        const ssize_t n = pread(fd, bytes, sizeof bytes, at);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return false;
        if (n == 0) break;
        sha256_update(&hash, (size_t)n, bytes);
        at += n;
    }
    sha256_digest(&hash, sizeof digest, digest);
    for (size_t i = 0; i < sizeof digest; i++) snprintf(sum + 2 * i, 3, "%02x", digest[i]);
    return true;
}

bool stored_is_form(const ln_set_file *file, const char *sum) {
    for (size_t i = 0; i < LN_SET_FORMS && file->form[i].sha256; i++)
        if (strcmp(file->form[i].sha256, sum) == 0) return true;
    return false;
}

stored stored_look(const char *path, const ln_set_file *file) {
    char      sum[SUM_TEXT];
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return errno == ENOENT ? STORED_NOT : STORED_WRONG;
    const bool right = stored_sum(fd, sum) && stored_is_form(file, sum);
    close(fd);
    return right ? STORED_RIGHT : STORED_WRONG;
}

bool stored_make_folder(const char *path, ln_error *error) {
    char part[PATH_MAX];
    if (snprintf(part, sizeof part, "%s", path) >= PATH_MAX)
        return fill_error(error, LN_E_IO, "%.300s: the path is too long: choose another folder by to=", path);
    for (char *slash = part; (slash = strchr(slash + 1, '/'));) {
        *slash = '\0';
        if (mkdir(part, 0777) && errno != EEXIST) break; /* what matters is whether the whole can be made */
        *slash = '/';
    }
    struct stat st;
    if (mkdir(path, 0777) == 0 || (errno == EEXIST && stat(path, &st) == 0 && S_ISDIR(st.st_mode))) return true;
    return fill_error(error, LN_E_IO, "cannot make the folder %.300s: %s: choose another by to=", path,
                      strerror(errno));
}

/* The folder of path, so that its entries are synced. */
static bool sync_folder_of(const char *path) {
    char              folder[PATH_MAX];
    const char *const slash = strrchr(path, '/');
    snprintf(folder, sizeof folder, "%.*s", slash ? (int)(slash + 1 - path) : 2, slash ? path : "./");
    const int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return errno == EACCES; /* a folder may be writable but not readable */
    const bool good = fsync(fd) == 0 || errno == EINVAL;
    close(fd);
    return good;
}

bool stored_place(int fd, const char *part, const char *path, ln_error *error) {
    if (fsync(fd) == 0 && rename(part, path) == 0 && sync_folder_of(path)) return true;
    return fill_error(error, LN_E_IO, "cannot write %.300s: %s", path, strerror(errno));
}
