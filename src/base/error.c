/* Errors as values, and the nearest right word that most of their sentences end with. */
#include "base/error.h"

#include "base/number.h"
#include "base/size.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *ln_version(void) { return "linnet " LN_VERSION; }

/* A message may quote bytes of a hostile file: it stays one line, and shows where it was cut. */
static void tidy(ln_error *error, bool cut) {
    const size_t size = sizeof error->message;
    if (cut) memcpy(error->message + size - 4, "...", 4);
    for (char *c = error->message; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f) *c = '?';
}

ln_status(ln_fail)(ln_error *error, ln_status status, const char *format, ...) {
    if (!error) return status;
    const locale_t callers = uselocale(ln_plain_locale()); /* numbers with a point */
    char           message[sizeof error->message];         /* an argument may be the old message */
    va_list        arguments;
    va_start(arguments, format);
    const int length = vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    uselocale(callers);
    memcpy(error->message, message, sizeof message);
    error->status = status;
    tidy(error, length >= (int)sizeof message);
    return status;
}

ln_status(ln_fail_memory)(ln_error *error, const char *what, size_t n_bytes) {
    return ln_fail(
        error, LN_E_MEMORY,
        "out of memory: %s needs %zu bytes more; take fewer images, a smaller batch or a smaller model, or allow "
        "the process more memory",
        what, n_bytes);
}

ln_status(ln_fail_io)(ln_error *error, const char *verb, const char *path) {
    const int reason = errno;
    return ln_fail(error, LN_E_IO, "cannot %s '%s': %s", verb, path, strerror_l(reason, ln_plain_locale()));
}

/* ------------------------------------------------------------ nearest word */

enum { LN_WORD_MOST = 64 }; /* longer words have no neighbours */

static bool same_letter(char a, char b) { return tolower((unsigned char)a) == tolower((unsigned char)b); }

/* Edits that turn a into b: a letter put in, left out or replaced, or two neighbours swapped, count 1 each; case
 * counts nothing (optimal string alignment; Damerau 1964). Row i of the table holds the distances of a's first i
 * letters; three rows suffice. */
static size_t distance(const char *a, size_t n_a, const char *b, size_t n_b) {
    size_t  rows[3][LN_WORD_MOST + 1];
    size_t *before = rows[0], *above = rows[1], *row = rows[2];
    for (size_t j = 0; j <= n_b; j++) above[j] = j;
    for (size_t i = 1; i <= n_a; i++) {
        row[0] = i;
        for (size_t j = 1; j <= n_b; j++) {
            const size_t replaced = above[j - 1] + !same_letter(a[i - 1], b[j - 1]);
            row[j] = ln_least(replaced, ln_least(above[j], row[j - 1]) + 1);
            const bool swapped = i > 1 && j > 1 && same_letter(a[i - 1], b[j - 2]) && same_letter(a[i - 2], b[j - 1]);
            if (swapped) row[j] = ln_least(row[j], before[j - 2] + 1);
        }
        size_t *const oldest = before;
        before = above;
        above = row;
        row = oldest;
    }
    return above[n_b];
}

/* The longest of the words that stand before the first '_' of word, or behind the last. */
static const char *longest_part(const char *word, const char *const *words, size_t n) {
    const char *const first = strchr(word, '_'), *const last = strrchr(word, '_'), *longest = NULL;
    for (size_t i = 0; i < n && first; i++) {
        const size_t length = strlen(words[i]);
        const bool   begins = length == (size_t)(first - word) && strncmp(word, words[i], length) == 0;
        if ((begins || strcmp(last + 1, words[i]) == 0) && (!longest || length > strlen(longest))) longest = words[i];
    }
    return longest;
}

const char *ln_nearest(const char *word, const char *const *words, size_t n) {
    const size_t length = strlen(word);
    const char  *nearest = NULL;
    size_t       best = LN_WORD_MOST;
    for (size_t i = 0; i < n; i++) {
        const size_t other = strlen(words[i]);
        if (length > LN_WORD_MOST || other > LN_WORD_MOST) continue;
        const size_t d = distance(word, length, words[i], other);
        const bool   near = d <= ln_most(length, other) / 3;
        if (near && d < best) {
            best = d;
            nearest = words[i];
        }
    }
    return nearest ? nearest : longest_part(word, words, n);
}

const char *ln_nearest_word(const char *word, const char *const *words, size_t n) { return ln_nearest(word, words, n); }
