/* Numbers as text. A program may have called setlocale, so every conversion names its locale; and it may round in its
 * own way, so every conversion is done in the library's floating-point mode. */
#include "base/number.h"

#include "base/cpu.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The C locale is built into libc: newlocale hands out the same object each time and allocates nothing. */
locale_t ln_plain_locale(void) { return newlocale(LC_ALL_MASK, "C", (locale_t)0); }

static const char *skip_digits(const char *text) { return text + strspn(text, "0123456789"); }

/* [-+] digits [. digits] [e [-+] digits], with a digit before or after the point, and nothing else. */
static bool is_number(const char *text) {
    const char *const start = text + (*text == '-' || *text == '+');
    const char       *end = skip_digits(start);
    ptrdiff_t         n_digits = end - start;
    if (*end == '.') {
        const char *const fraction = end + 1;
        end = skip_digits(fraction);
        n_digits += end - fraction;
    }
    if (n_digits == 0) return false;
    if (*end == 'e' || *end == 'E') {
        const char *const exponent = end + 1 + (end[1] == '-' || end[1] == '+');
        end = skip_digits(exponent);
        if (end == exponent) return false;
    }
    return *end == '\0';
}

/* Whether a number's digits, before any exponent, are all 0. */
static bool is_zero(const char *text) {
    const char after = text[strspn(text, "-+.0")];
    return after == '\0' || after == 'e' || after == 'E';
}

/* By bits: with denormals flushed, as on computing threads, they all compare equal to 0. */
static bool same_bits(double a, double b) { return memcmp(&a, &b, sizeof a) == 0; }

ln_status ln_number_read(const char *text, double *value) {
    if (!is_number(text)) return LN_E_FORMAT;
    const uint64_t mode = ln_fp_enter();
    const double   number = strtod_l(text, NULL, ln_plain_locale());
    ln_fp_leave(mode);
    const bool vanished = same_bits(fabs(number), 0) && !is_zero(text);
    if (!isfinite(number) || vanished) return LN_E_ARGUMENT;
    *value = number;
    return LN_OK;
}

ln_status ln_integer_read(const char *text, int64_t *value) {
    const char *const start = text + (*text == '-');
    if (!*start || *skip_digits(start)) return LN_E_FORMAT;
    errno = 0;
    const long long number = strtoll(text, NULL, 10);
    if (errno) return LN_E_ARGUMENT;
    *value = number;
    return LN_OK;
}

const char *ln_number_print(double value, char text[LN_NUMBER_TEXT]) {
    const uint64_t mode = ln_fp_enter();
    const locale_t callers = uselocale(ln_plain_locale());
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, LN_NUMBER_TEXT, "%.*g", digits, value);
        if (same_bits(strtod_l(text, NULL, ln_plain_locale()), value)) break;
    }
    uselocale(callers);
    ln_fp_leave(mode);
    return text;
}
