/* tar.h: the entries of a tar archive (POSIX ustar) in order, from whatever gives its bytes. Nothing is allocated, and
 * nothing is written: who reads decides which entries it wants. */
#ifndef LN_CLI_TAR_H
#define LN_CLI_TAR_H

#include "linnet.h"

enum { TAR_NAME = 257 };

typedef struct tar {
    /* Up to n bytes; fewer at the end only; negative: they cannot be read. */
    long (*read)(void *user, void *bytes, size_t n);
    void    *user;
    uint64_t n_most; /* bytes that may still come; more is an error */
    uint64_t n_left, n_padding; /* of the entry at hand */
} tar;

typedef struct tar_entry {
    char     name[TAR_NAME];
    bool     is_file; /* an ordinary one: no folder, link, device, or record about the next entry */
    uint64_t n_bytes;
} tar_entry;

typedef enum tar_result { TAR_ENTRY, TAR_END, TAR_BAD } tar_result;

/* The next entry, skipping what is left of the one before it. TAR_BAD: *reason says why, as the end of a sentence. */
tar_result tar_next(tar *t, tar_entry *entry, const char **reason);
/* The entry's next bytes, at most n; *n_read is 0 at its end. */
bool tar_read(tar *t, void *bytes, size_t n, size_t *n_read, const char **reason);

#endif
