/* text.h: the command's memory and strings. A `pool` owns everything of one reading and is freed at once; a `text`
 * grows. When there is no memory left the command says so and ends with status 1. */
#ifndef LN_CLI_TEXT_H
#define LN_CLI_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>

typedef struct pool { struct pool_block *first; } pool; /* {0} is empty */

/* Zeroed memory of n bytes, owned by the pool. */
void *pool_take(pool *owner, size_t n);
/* The first n bytes of bytes and a NUL. */
char *pool_copy(pool *owner, const char *bytes, size_t n);
char *pool_format(pool *owner, const char *format, ...) __attribute__((format(printf, 2, 3)));
void  pool_free(pool *owner);

typedef struct text { char *bytes; size_t n, capacity; } text; /* {0} is empty; bytes ends in NUL once it has any */

void text_add(text *to, const char *format, ...) __attribute__((format(printf, 2, 3)));
void text_add_list(text *to, const char *format, va_list list) __attribute__((format(printf, 2, 0)));
void text_add_bytes(text *to, const void *bytes, size_t n);
void text_free(text *t);

/* calloc that never returns NULL; the caller frees. */
void *take(size_t n, size_t size);

bool text_is_utf8(const char *bytes, size_t n);
/* Makes UTF-8 of it, for names of files may hold anything: '?' in place of each byte that belongs to no character. */
void text_make_utf8(char *bytes);
/* The same, and '?' for control characters: what may stand in a line or a picture. */
const char *text_plain(pool *owner, const char *words);
/* The code point at bytes, which must be UTF-8, and how many bytes it has. */
size_t text_character(const char *bytes, unsigned *point);
/* Columns on a terminal, counting every character as one. */
size_t text_width(const char *bytes);
/* words (UTF-8), or, where they have more than n characters, as many of the first and of the last as n leaves room for,
 * an ellipsis between them: names that begin alike often end differently. */
const char *text_within(pool *owner, const char *words, size_t n, const char *ellipsis);
/* 1234567 as "1,234,567". */
const char *text_count(pool *owner, unsigned long long count);
/* Bytes as "1.23 MiB". */
const char *text_bytes(pool *owner, size_t n_bytes);

#endif
