/* text.c: pools and growing strings of the command. */
#include "text.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pool_block {
    struct pool_block *next;
    _Alignas(16) unsigned char bytes[];
};

static void *or_end(void *memory) {
    if (memory) return memory;
    static const char message[] = "linnet: out of memory\n";
    fputs(message, stderr);
    exit(1);
}

void *take(size_t n, size_t size) { return or_end(calloc(n ? n : 1, size ? size : 1)); }

void *pool_take(pool *owner, size_t n) {
    struct pool_block *block = or_end(calloc(1, sizeof *block + n + 1));
    block->next = owner->first;
    owner->first = block;
    return block->bytes;
}

char *pool_copy(pool *owner, const char *bytes, size_t n) {
    char *copy = pool_take(owner, n + 1);
    memcpy(copy, bytes, n);
    return copy;
}

char *pool_format(pool *owner, const char *format, ...) {
    text    t = {0};
    va_list list;
    va_start(list, format);
    text_add_list(&t, format, list);
    va_end(list);
    char *copy = pool_copy(owner, t.bytes, t.n);
    text_free(&t);
    return copy;
}

void pool_free(pool *owner) {
    while (owner->first) {
        struct pool_block *next = owner->first->next;
        free(owner->first);
        owner->first = next;
    }
}

/* Room for n more bytes and a NUL. */
static void reserve(text *to, size_t n) {
    if (to->n + n + 1 <= to->capacity) return;
    to->capacity = 2 * (to->n + n + 1);
    to->bytes = or_end(realloc(to->bytes, to->capacity));
    to->bytes[to->n] = '\0';
}

void text_add_list(text *to, const char *format, va_list list) {
    va_list again;
    va_copy(again, list);
    const int    length = vsnprintf(NULL, 0, format, list);
    const size_t n = length < 0 ? 0 : (size_t)length;
    reserve(to, n);
    vsnprintf(to->bytes + to->n, n + 1, format, again);
    to->n += n;
    va_end(again);
}

void text_add(text *to, const char *format, ...) {
    va_list list;
    va_start(list, format);
    text_add_list(to, format, list);
    va_end(list);
}

void text_add_bytes(text *to, const void *bytes, size_t n) {
    reserve(to, n);
    memcpy(to->bytes + to->n, bytes, n);
    to->n += n;
    to->bytes[to->n] = '\0';
}

void text_free(text *t) {
    free(t->bytes);
    *t = (text){0};
}

/* Length of the well-formed UTF-8 character at s (n bytes left), 0 when it is not one. */
static size_t character(const unsigned char *s, size_t n) {
    if (s[0] < 0x80) return 1;
    const size_t length = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : 2;
    if (s[0] < 0xc2 || s[0] > 0xf4 || length > n) return 0;
    for (size_t i = 1; i < length; i++)
        if ((s[i] & 0xc0) != 0x80) return 0;
    const bool overlong = (s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xf0 && s[1] < 0x90);
    const bool surrogate = s[0] == 0xed && s[1] > 0x9f;
    const bool too_large = s[0] == 0xf4 && s[1] > 0x8f;
    return overlong || surrogate || too_large ? 0 : length;
}

bool text_is_utf8(const char *bytes, size_t n) {
    for (size_t i = 0; i < n;) {
        const size_t length = character((const unsigned char *)bytes + i, n - i);
        if (length == 0) return false;
        i += length;
    }
    return true;
}

void text_make_utf8(char *bytes) {
    for (size_t n = strlen(bytes); n > 0;) {
        const size_t length = character((const unsigned char *)bytes, n), step = length ? length : 1;
        if (length == 0) *bytes = '?';
        bytes += step;
        n -= step;
    }
}

const char *text_plain(pool *owner, const char *words) {
    char *const copy = pool_copy(owner, words, strlen(words));
    text_make_utf8(copy);
    for (char *c = copy; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f) *c = '?';
    return copy;
}

size_t text_character(const char *bytes, unsigned *point) {
    const unsigned char *s = (const unsigned char *)bytes;
    const size_t         n = s[0] >= 0xf0 ? 4 : s[0] >= 0xe0 ? 3 : s[0] >= 0x80 ? 2 : 1;
    *point = n == 1 ? s[0] : s[0] & (0xffu >> (n + 1));
    for (size_t i = 1; i < n; i++) *point = *point << 6 | (s[i] & 0x3f);
    return n;
}

size_t text_width(const char *bytes) {
    size_t n = 0;
    for (; *bytes; bytes++) n += ((unsigned char)*bytes & 0xc0) != 0x80;
    return n;
}

/* Where character i begins; the end, where there are fewer. */
static const char *character_at(const char *bytes, size_t i) {
    while (*bytes && i-- > 0) do
            bytes++;
        while (((unsigned char)*bytes & 0xc0) == 0x80);
    return bytes;
}

const char *text_within(pool *owner, const char *words, size_t n, const char *ellipsis) {
    const size_t length = text_width(words), gap = text_width(ellipsis), kept = n > gap ? n - gap : 0;
    if (length <= n) return words;
    const char *const last = character_at(words, length - kept / 2);
    return pool_format(owner, "%.*s%s%s", (int)(character_at(words, kept - kept / 2) - words), words, ellipsis, last);
}

const char *text_count(pool *owner, unsigned long long count) {
    char      digits[32];
    const int n = snprintf(digits, sizeof digits, "%llu", count);
    char     *out = pool_take(owner, 64), *at = out;
    for (int i = 0; i < n; i++) {
        if (i > 0 && (n - i) % 3 == 0) *at++ = ',';
        *at++ = digits[i];
    }
    return out;
}

const char *text_bytes(pool *owner, size_t n_bytes) {
    static const char *const units[] = {"KiB", "MiB", "GiB", "TiB"};
    double                   value = (double)n_bytes / 1024;
    size_t                   unit = 0;
    for (; value >= 1024 && unit < 3; unit++) value /= 1024;
    return pool_format(owner, "%.*f %s", value < 10 ? 2 : value < 100 ? 1 : 0, value, units[unit]);
}
