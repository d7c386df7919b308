/* values.c: KEY=VALUES taken apart.
 *
 *   VALUES = item {"," item}          commas within brackets [ ] separate nothing
 *   item   = LOW..HIGH                whole numbers: each of them
 *          | LOW..HIGH:STEP           LOW, LOW + STEP, ... up to HIGH
 *          | log:LOW..HIGH:N          N values whose logarithms are evenly spaced
 *          | LOW..HIGH | log:LOW..HIGH   alone: a range to draw from
 *          | [text]                   the text without its brackets
 *          | text
 *
 * Only what has a number on both sides of ".." is a range, so that paths are none. */
#include "sweep.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { NUMBER_MAX = 40 };

/* A plain decimal number of n characters. */
static bool number_of(const char *s, size_t n, double *value) {
    char digits[NUMBER_MAX + 1], *end;
    if (n == 0 || n > NUMBER_MAX || strspn(s, "0123456789.eE+-") < n) return false;
    memcpy(digits, s, n);
    digits[n] = '\0';
    *value = strtod(digits, &end);
    return *end == '\0' && isfinite(*value);
}

static bool is_whole(const char *s, size_t n) {
    return n > 0 && n < 16 && strspn(s + (*s == '-'), "0123456789") + (*s == '-') >= n;
}

/* What an item that is a range says. */
typedef struct range {
    double low, high, step; /* step, or how many values: 0 where nothing is said */
    bool   log, whole;
} range;

typedef enum range_kind { NO_RANGE, BAD_RANGE, A_RANGE } range_kind;

static range_kind range_of(const char *item, range *r) {
    *r = (range){.log = strncmp(item, "log:", 4) == 0};
    const char *const low = item + (r->log ? 4 : 0), *const dots = strstr(low, "..");
    if (!dots || !number_of(low, (size_t)(dots - low), &r->low)) return r->log ? BAD_RANGE : NO_RANGE;
    const char *const high = dots + 2;
    const size_t      n = strcspn(high, ":");
    if (!number_of(high, n, &r->high)) return r->log ? BAD_RANGE : NO_RANGE;
    r->whole = is_whole(low, (size_t)(dots - low)) && is_whole(high, n);
    if (high[n] == '\0') return A_RANGE;
    const char *const step = high + n + 1;
    if (!number_of(step, strlen(step), &r->step) || r->step <= 0) return BAD_RANGE;
    return A_RANGE;
}

/* The same word, or the same number written otherwise. */
static bool is_known(const axis *a, const char *value, double number) {
    for (size_t i = 0; i < a->n; i++)
        if (isnan(number) ? strcmp(a->value[i], value) == 0 : fabs(a->number[i] - number) <= 0) return true;
    return false;
}

static bool add_value(axis *a, const char *value, ln_error *error) {
    for (const char *c = value; *c; c++)
        if ((unsigned char)*c < 0x20 || *c == 0x7f)
            return fill_error(error, LN_E_ARGUMENT, "%.100s: a value has a control character in it: leave that out",
                              a->written);
    if (a->n == SWEEP_MAX_VALUES)
        return fill_error(error, LN_E_ARGUMENT, "%.100s: more than %d values", a->written, SWEEP_MAX_VALUES);
    double number;
    if (!number_of(value, strlen(value), &number)) number = NAN;
    if (is_known(a, value, number))
        return fill_error(error, LN_E_ARGUMENT, "%.100s: the value %.60s is there twice: leave one out", a->written,
                          value);
    a->number[a->n] = number;
    a->value[a->n++] = value;
    return true;
}

static bool add_range(axis *a, const range *r, pool *owner, ln_error *error) {
    const double step = r->step > 0 ? r->step : 1,
                 steps = r->log ? r->step - 1 : floor((r->high - r->low) / step + 1e-9);
    if (!(steps < SWEEP_MAX_VALUES))
        return fill_error(error, LN_E_ARGUMENT, "%.100s: more than %d values", a->written, SWEEP_MAX_VALUES);
    for (size_t i = 0; i <= (size_t)steps; i++) {
        const double share = steps > 0 ? (double)i / steps : 0;
        const double value =
            r->log ? exp(log(r->low) + share * (log(r->high) - log(r->low))) : r->low + (double)i * step;
        const bool whole = fabs(value) < 1e16 && floor(value) >= value;
        if (!add_value(a, pool_format(owner, r->log ? "%.6g" : whole ? "%.0f" : "%.15g", value), error)) return false;
    }
    return true;
}

static bool check_range(const axis *a, const char *item, const range *r, ln_error *error) {
    if (!(r->low < r->high))
        return fill_error(error, LN_E_ARGUMENT, "%.100s: %.60s does not rise: write the lower number first", a->written,
                          item);
    if (!r->log) return true;
    if (r->low <= 0)
        return fill_error(error, LN_E_ARGUMENT,
                          "%.100s: %.60s begins at or below 0, which has no logarithm: begin above it", a->written,
                          item);
    if (r->step > 0 && (r->step < 2 || r->step > floor(r->step)))
        return fill_error(error, LN_E_ARGUMENT,
                          "%.100s: %.60s must end in how many values there are, 2 or more, such as log:1e-4..1e-1:4",
                          a->written, item);
    return true;
}

/* A range without steps stands alone, as it is drawn from. */
static bool add_item(axis *a, const char *item, bool alone, pool *owner, ln_error *error) {
    range        r;
    const size_t n = strlen(item);
    if (n == 0)
        return fill_error(error, LN_E_ARGUMENT,
                          "%.100s: a value is missing (a value with commas of its own stands in [ ])", a->written);
    switch (range_of(item, &r)) {
    case BAD_RANGE:
        return fill_error(error, LN_E_ARGUMENT,
                          "%.100s: %.60s is no range: write LOW..HIGH, LOW..HIGH:STEP or log:LOW..HIGH:HOW_MANY",
                          a->written, item);
    case A_RANGE:
        if (!check_range(a, item, &r, error)) return false;
        if (r.step > 0 || (r.whole && !r.log)) return add_range(a, &r, owner, error);
        a->low = r.low, a->high = r.high, a->log = r.log;
        return alone || fill_error(error, LN_E_ARGUMENT,
                                   "%.100s: %.60s has no steps: in a list write it with them, as in %.60s:%s",
                                   a->written, item, item, r.log ? "4" : "0.1");
    case NO_RANGE: break;
    }
    const bool bracketed = item[0] == '[' && item[n - 1] == ']' && strcspn(item + 1, "[]") == n - 2;
    return add_value(a, bracketed ? pool_copy(owner, item + 1, n - 2) : item, error);
}

/* The item at s, spaces at its ends left out, and where the next begins; NULL: brackets do not match. */
static const char *next_item(const char *s, const char **after, pool *owner) {
    size_t depth = 0, n = 0;
    s += strspn(s, " ");
    for (; s[n] && (depth > 0 || s[n] != ','); n++) {
        if (s[n] == '[') depth++;
        else if (s[n] == ']' && depth-- == 0) return NULL;
    }
    if (depth > 0) return NULL;
    *after = s + n;
    while (n > 0 && s[n - 1] == ' ') n--;
    return pool_copy(owner, s, n);
}

bool axis_read(axis *a, const char *pair, pool *owner, ln_error *error) {
    const char *at = strchr(pair, '=');
    *a = (axis){.written = pair, .key = pool_copy(owner, pair, (size_t)(at - pair))};
    a->value = pool_take(owner, SWEEP_MAX_VALUES * sizeof *a->value);
    a->number = pool_take(owner, SWEEP_MAX_VALUES * sizeof *a->number);
    for (at++;; at++) {
        const char *const begin = at, *const item = next_item(begin, &at, owner);
        if (!item) return fill_error(error, LN_E_ARGUMENT, "%.100s: a bracket has no partner", pair);
        if (!add_item(a, item, a->n == 0 && *at == '\0', owner, error)) return false;
        if (*at == '\0') return true;
    }
}

const char *axis_draw(const axis *a, double u, pool *owner) {
    if (a->n > 0) return a->value[(size_t)(u * (double)a->n)];
    const double value = a->log ? exp(log(a->low) + u * (log(a->high) - log(a->low))) : (1 - u) * a->low + u * a->high;
    const char  *brief = pool_format(owner, "%.4g", value);
    const double rounded = strtod(brief, NULL);
    return rounded < a->low || rounded > a->high ? pool_format(owner, "%.17g", value) : brief;
}
