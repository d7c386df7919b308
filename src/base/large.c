/* Blocks larger than memory, mapped from files without names.
 *
 * The file's room is taken before it is mapped (fallocate), so that a full disk is told here and does not kill the
 * process with SIGBUS later. For the same reason, and because a training must not see its images change, files of the
 * user's are never mapped where they lie, even those that hold values as they are needed (IDX, NPY, CIFAR-10): whoever
 * cuts or rewrites one meanwhile would end the process, or change the bits. They are copied, at the disk's pace. */
#include "base/large.h"

#include "base/cache.h"
#include "base/number.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SMALL = 1 << 24 }; /* up to this the machine is not asked what it has */

/* The number behind a word in one of the system's files; SIZE_MAX where there is none. */
static size_t read_number(const char *path, const char *word) {
    char          text[4096];
    const int     fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    const char   *found = NULL;
    if (fd >= 0) close(fd);
    text[n > 0 ? n : 0] = '\0';
    if (n > 0) found = strstr(text, word);
    if (!found) return SIZE_MAX;
    found += strlen(word);
    found += strspn(found, " ");
    char        *end;
    const size_t number = strtoul(found, &end, 10);
    return end == found ? SIZE_MAX : number;
}

/* Half of what can be had without swapping, and of what a container may have. */
static size_t machine_share(void) {
    const size_t available = read_number("/proc/meminfo", "MemAvailable:"); /* KiB */
    const size_t limit = read_number("/sys/fs/cgroup/memory.max", "");
    return ln_least(available == SIZE_MAX ? SIZE_MAX : available * 1024, limit) / 2;
}

static size_t most_in_memory(const ln_context *context, size_t n_bytes) {
    if (context->data_memory) return context->data_memory;
    return n_bytes <= SMALL ? SIZE_MAX : machine_share();
}

/* A file without a name in folder; -1 and errno. */
static int open_nameless(const char *folder) {
    char path[PATH_MAX + 16];
    int  fd = open(folder, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);
    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != ENOENT)) return fd;
    snprintf(path, sizeof path, "%s/.large-XXXXXX", folder);
    fd = mkostemp(path, O_CLOEXEC);
    if (fd >= 0) unlink(path);
    return fd;
}

/* MAP_FAILED and errno. */
static void *map_file(int fd, size_t n_bytes) {
    int code = n_bytes > (size_t)PTRDIFF_MAX ? ENOSPC : EINTR;
    while (code == EINTR) code = posix_fallocate(fd, 0, (off_t)n_bytes);
    if (!code) return mmap(NULL, n_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    errno = code;
    return MAP_FAILED;
}

static ln_status map_large(const ln_context *context, const char *who, size_t n_bytes, void **memory, ln_error *error) {
    char        folder[PATH_MAX];
    const int   fd = ln_cache_folder(folder) ? open_nameless(folder) : -1;
    void *const mapped = fd >= 0 ? map_file(fd, n_bytes) : MAP_FAILED;
    const int   reason = errno;
    if (fd >= 0) close(fd);
    if (mapped != MAP_FAILED) {
        *(ln_block_head *)mapped = (ln_block_head){.n_bytes = n_bytes, .mapped = true};
        *memory = (unsigned char *)mapped + LN_BLOCK_HEAD;
        return LN_OK;
    }
    return ln_fail(
        error, LN_E_IO,
        "%.200s: its values take %zu MiB, more than the %zu MiB that a set may have in memory, and cannot be laid "
        "into a file in %.100s (%s): set LINNET_CACHE to a folder with room",
        who, n_bytes >> 20, most_in_memory(context, n_bytes) >> 20, folder, strerror_l(reason, ln_plain_locale()));
}

ln_status ln_allocate_large(ln_context *context, const char *who, size_t n_bytes, void **memory, ln_error *error) {
    *memory = NULL;
    if (n_bytes > SIZE_MAX - LN_BLOCK_HEAD) return ln_fail_memory(error, who, n_bytes);
    if (n_bytes > most_in_memory(context, n_bytes))
        return map_large(context, who, n_bytes + LN_BLOCK_HEAD, memory, error);
    *memory = ln_allocate(context, n_bytes);
    return *memory ? LN_OK : ln_fail_memory(error, who, n_bytes);
}

void ln_unmap_large(void *memory, size_t n_bytes) { munmap(memory, n_bytes); }
