/* A tar archive from any bytes: every entry has a name that ends, no more than the limit is read, and reading ends. */
#include "fuzz/fuzz.h"

#include "cli/fetch/tar.h"

#include <string.h>

enum { LIMIT = 1 << 16 };

typedef struct source {
    const uint8_t *bytes;
    size_t         n, n_read;
} source;

static long take(void *user, void *bytes, size_t n) {
    source *const s = user;
    if (n > s->n) n = s->n;
    memcpy(bytes, s->bytes, n);
    s->bytes += n;
    s->n -= n;
    s->n_read += n;
    return (long)n;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t n_bytes) {
    source      from = {.bytes = bytes, .n = n_bytes};
    tar         t = {.read = take, .user = &from, .n_most = LIMIT};
    tar_entry   entry;
    char        part[100];
    size_t      n, n_entries = 0;
    const char *reason = NULL;
    tar_result  result;
    while ((result = tar_next(&t, &entry, &reason)) == TAR_ENTRY) {
        fuzz_want(memchr(entry.name, 0, sizeof entry.name));
        if (++n_entries % 2) /* every other is skipped */
            while (tar_read(&t, part, sizeof part, &n, &reason) && n > 0) fuzz_want(n <= sizeof part);
    }
    fuzz_want(from.n_read <= LIMIT && (result == TAR_END || reason));
    return 0;
}
