/* results.c: results.csv as columns of numbers. */
#include "results.h"

#include "cli.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A place in the bytes. */
typedef struct reader {
    const char *path, *at, *end;
    size_t      line;
    ln_error   *error;
} reader;

/* The cell at the reader, spaces at its ends left out, and the reader behind it. */
static const char *next_cell(reader *r, size_t *n) {
    const char *first = r->at;
    while (r->at < r->end && *r->at != ',' && *r->at != '\n') r->at++;
    const char *last = r->at;
    while (first < last && (*first == ' ' || *first == '\t')) first++;
    while (last > first && (last[-1] == ' ' || last[-1] == '\t' || last[-1] == '\r')) last--;
    *n = (size_t)(last - first);
    return first;
}

/* Steps over a comma; false: the line ends here. */
static bool step_comma(reader *r) {
    if (r->at == r->end || *r->at != ',') return false;
    r->at++;
    return true;
}

static void step_line(reader *r) {
    if (r->at < r->end) r->at++;
    r->line++;
}

static bool read_heading(results *t, reader *r, pool *owner) {
    do {
        size_t      n;
        const char *name = next_cell(r, &n);
        if (n == 0 || n > 60 || strchr("+-.0123456789", *name) || !text_is_utf8(name, n))
            return fill_error(
                r->error, LN_E_FORMAT,
                "%.200s:1: '%.*s' is no name of a column: the first line must name them, as that of results.csv "
                "does",
                r->path, (int)(n < 60 ? n : 60), name);
        if (t->n_columns == RESULTS_MAX_COLUMNS)
            return fill_error(r->error, LN_E_FORMAT, "%.200s:1: more than %d columns", r->path, RESULTS_MAX_COLUMNS);
        t->name[t->n_columns++] = pool_copy(owner, name, n);
    } while (step_comma(r));
    step_line(r);
    return true;
}

/* An empty cell is NaN. */
static bool read_number(const char *cell, size_t n, double *value) {
    char copy[64], *end;
    *value = NAN;
    if (n == 0) return true;
    if (n >= sizeof copy || memchr(cell, '\0', n)) return false;
    memcpy(copy, cell, n);
    copy[n] = '\0';
    *value = strtod(copy, &end);
    if (*end) return false;
    if (!isfinite(*value)) *value = INFINITY;
    return true;
}

static bool read_row(results *t, reader *r) {
    size_t k = 0;
    do {
        size_t            n;
        const char *const cell = next_cell(r, &n);
        double            value;
        if (k < t->n_columns && !read_number(cell, n, &value))
            return fill_error(r->error, LN_E_FORMAT, "%.200s:%zu: '%.*s' in column %s is no number", r->path, r->line,
                              (int)(n < 40 ? n : 40), cell, t->name[k]);
        if (k < t->n_columns) t->column[k][t->n_rows] = value;
        k++;
    } while (step_comma(r));
    if (k != t->n_columns)
        return fill_error(r->error, LN_E_FORMAT, "%.200s:%zu: %zu value%s, where the heading names %zu column%s",
                          r->path, r->line, k, k == 1 ? "" : "s", t->n_columns, t->n_columns == 1 ? "" : "s");
    t->n_rows++;
    step_line(r);
    return true;
}

bool results_parse(results *t, pool *owner, const char *path, const char *bytes, size_t n, ln_error *error) {
    reader r = {.path = path, .at = bytes, .end = bytes + n, .line = 1, .error = error};
    *t = (results){0};
    if (n == 0)
        return fill_error(error, LN_E_FORMAT, "%.200s is empty: a results.csv has a heading and a row an epoch", path);
    if (!read_heading(t, &r, owner)) return false;
    size_t n_lines = 1;
    for (const char *s = r.at; s < r.end; s++) n_lines += *s == '\n';
    if (n_lines * t->n_columns > RESULTS_MAX_BYTES) /* short rows cannot ask for more than long ones */
        return fill_error(error, LN_E_FORMAT, "%.200s has %zu lines of %zu columns, more than %d numbers", path,
                          n_lines, t->n_columns, RESULTS_MAX_BYTES);
    for (size_t k = 0; k < t->n_columns; k++) t->column[k] = pool_take(owner, n_lines * sizeof(double));
    while (r.at < r.end)
        if (*r.at == '\r') r.at++;
        else if (*r.at == '\n') step_line(&r); /* a blank line */
        else if (!read_row(t, &r)) return false;
    return true;
}

char *results_file(pool *owner, const char *path, size_t max, size_t *n, ln_error *error) {
    struct stat st;
    const bool  there = stat(path, &st) == 0, is_file = there && S_ISREG(st.st_mode);
    FILE       *file = is_file ? fopen(path, "rb") : NULL; /* a pipe would be waited for */
    char       *bytes = NULL;
    if (there && !is_file) fill_error(error, LN_E_IO, "cannot read %.300s: it is no file", path);
    else if (!file) fill_error(error, LN_E_IO, "cannot read %.300s: %s", path, strerror(errno));
    else if ((unsigned long long)st.st_size > max)
        fill_error(error, LN_E_FORMAT, "%.300s is larger than %zu bytes", path, max);
    else {
        bytes = pool_take(owner, (size_t)st.st_size + 1);
        *n = fread(bytes, 1, (size_t)st.st_size, file);
        bytes[*n] = '\0';
    }
    if (file) fclose(file);
    return bytes;
}

bool results_read(results *t, pool *owner, const char *path, ln_error *error) {
    size_t            n;
    const char *const bytes = results_file(owner, path, RESULTS_MAX_BYTES, &n, error);
    return bytes && results_parse(t, owner, path, bytes, n, error);
}

const double *results_column(const results *t, const char *name) {
    for (size_t k = 0; k < t->n_columns; k++)
        if (strcmp(t->name[k], name) == 0) return t->column[k];
    return NULL;
}

const char *results_names(const results *t, pool *owner) {
    text list = {0};
    for (size_t k = 0; k < t->n_columns; k++) text_add(&list, "%s%s", k ? ", " : "", t->name[k]);
    const char *const copy = pool_copy(owner, list.bytes, list.n);
    text_free(&list);
    return copy;
}

/* Epochs that were not measured have no row, and are taken to last as long as the next one that has. */
double *results_seconds(const results *t, pool *owner) {
    const double *const seconds = results_column(t, "seconds"), *const epoch = results_column(t, "epoch");
    if (!seconds || !epoch) return NULL;
    double *const sum = pool_take(owner, (t->n_rows + 1) * sizeof *sum);
    double        before = 0, last = 0;
    for (size_t i = 0; i < t->n_rows; i++) {
        const double skipped = isfinite(epoch[i]) && epoch[i] > last + 1 ? epoch[i] - last - 1 : 0;
        sum[i] = before + seconds[i] * (1 + skipped);
        if (!isfinite(epoch[i])) continue;
        before = sum[i];
        last = epoch[i];
    }
    return sum;
}
