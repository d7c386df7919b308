/* tar.c: POSIX ustar: records of 512 bytes; a header (name at 0, size in octal at 124, sum at 148, kind at 156, the
 * beginning of a long name at 345), then the bytes, filled up to a record; two empty records end the archive. */
#include "tar.h"

#include <string.h>

enum { RECORD = 512, NAME = 100, SIZE_AT = 124, SIZE = 12, SUM_AT = 148, SUM = 8, KIND_AT = 156, MAGIC_AT = 257 };
enum { PREFIX_AT = 345, PREFIX = 155 };

/* n bytes into bytes (NULL: nowhere), or false. */
static bool take_bytes(tar *t, void *bytes, size_t n, const char **reason) {
    char         nowhere[RECORD];
    const size_t step = bytes ? n : sizeof nowhere;
    for (size_t done = 0; done < n;) {
        const size_t now = n - done < step ? n - done : step;
        if (now > t->n_most) return *reason = "it unpacks to more than it should hold", false;
        if (t->read(t->user, bytes ? (char *)bytes + done : nowhere, now) != (long)now)
            return *reason = "it is truncated or damaged", false;
        t->n_most -= now;
        done += now;
    }
    return true;
}

/* An octal number in a field that a space or a zero byte ends. */
static bool parse_octal(const unsigned char *field, size_t n, uint64_t *value) {
    size_t i = 0;
    *value = 0;
    while (i < n && field[i] == ' ') i++;
    const size_t first = i;
    for (; i < n && field[i] >= '0' && field[i] <= '7'; i++) *value = *value << 3 | (uint64_t)(field[i] - '0');
    return i > first && (i == n || field[i] == ' ' || field[i] == '\0');
}

/* The sum of a header's bytes, in which the sum itself counts as spaces. */
static uint64_t sum_of(const unsigned char header[RECORD]) {
    uint64_t sum = 0;
    for (size_t i = 0; i < RECORD; i++) sum += i >= SUM_AT && i < SUM_AT + SUM ? ' ' : header[i];
    return sum;
}

static void copy_name(const unsigned char header[RECORD], char name[TAR_NAME]) {
    const char *first = (const char *)header + PREFIX_AT, *last = (const char *)header;
    const bool  ustar = memcmp(header + MAGIC_AT, "ustar", 6) == 0; /* with its zero byte: GNU's own has other fields */
    const size_t n_first = ustar ? strnlen(first, PREFIX) : 0, n_last = strnlen(last, NAME);
    memcpy(name, first, n_first);
    if (n_first) name[n_first] = '/';
    memcpy(name + n_first + (n_first > 0), last, n_last);
    name[n_first + (n_first > 0) + n_last] = '\0';
}

static bool skip_rest(tar *t, const char **reason) {
    while (t->n_left > 0) {
        const size_t n = t->n_left < 1 << 20 ? (size_t)t->n_left : 1 << 20;
        if (!take_bytes(t, NULL, n, reason)) return false;
        t->n_left -= n;
    }
    const bool good = take_bytes(t, NULL, (size_t)t->n_padding, reason);
    t->n_padding = 0;
    return good;
}

tar_result tar_next(tar *t, tar_entry *entry, const char **reason) {
    static const unsigned char empty[RECORD] = {0};
    unsigned char              header[RECORD];
    uint64_t                   sum;
    if (!skip_rest(t, reason) || !take_bytes(t, header, RECORD, reason)) return TAR_BAD;
    if (memcmp(header, empty, RECORD) == 0) return TAR_END;
    if (!parse_octal(header + SUM_AT, SUM, &sum) || sum != sum_of(header))
        return *reason = "it is no tar archive, or damaged", TAR_BAD;
    if (!parse_octal(header + SIZE_AT, SIZE, &entry->n_bytes))
        return *reason = "an entry has no size that can be read", TAR_BAD;
    copy_name(header, entry->name);
    entry->is_file = header[KIND_AT] == '0' || header[KIND_AT] == '\0';
    t->n_left = entry->n_bytes;
    t->n_padding = (RECORD - entry->n_bytes % RECORD) % RECORD;
    return TAR_ENTRY;
}

bool tar_read(tar *t, void *bytes, size_t n, size_t *n_read, const char **reason) {
    *n_read = t->n_left < n ? (size_t)t->n_left : n;
    t->n_left -= *n_read;
    return take_bytes(t, bytes, *n_read, reason);
}
