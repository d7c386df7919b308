/* UTF-8, as names of classes are kept: between it and the numbers of Unicode's characters. */
#ifndef LN_BASE_UTF8_H
#define LN_BASE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LN_UTF8_MOST = 4 }; /* bytes a character */

/* The character that begins at text, which a 0 ends: its length in bytes; 0 where none is well formed. */
size_t ln_utf8_get(const char *text, uint32_t *character);
/* Writes a character; its length in bytes; 0 where there is no such character. */
size_t ln_utf8_put(uint32_t character, char out[LN_UTF8_MOST]);
/* Is it a name that can be shown: some characters, none of them a control character? */
bool ln_utf8_is_name(const char *text);

#endif
