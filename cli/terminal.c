/* terminal.c: what the output can show, and tables for it. */
#include "terminal.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <unistd.h>

/* As setlocale would find it, without the cost of loading one. */
static bool locale_is_utf8(void) {
    static const char *const names[] = {"LC_ALL", "LC_CTYPE", "LANG"};
    for (size_t i = 0; i < 3; i++) {
        const char *value = getenv(names[i]);
        if (value && *value) return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}

terminal terminal_of(FILE *stream) {
    const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR");
    terminal    t = {.utf8 = locale_is_utf8()};
    t.is_terminal = isatty(fileno(stream)) && term && strcmp(term, "dumb") != 0;
    t.color = t.is_terminal && !(no_color && *no_color);
    return t;
}

size_t terminal_width(FILE *stream) {
    struct winsize size;
    return ioctl(fileno(stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

const char *terminal_style(const terminal *t, style s) {
    static const char *const codes[] = {"\033[0m", "\033[1m", "\033[2m", "\033[32m", "\033[31m"};
    return t->color ? codes[s] : "";
}

void table_add(table *t, const char *format, ...) {
    text    cell = {0};
    va_list list;
    va_start(list, format);
    text_add_list(&cell, format, list);
    va_end(list);
    if (t->n_cells == t->capacity) {
        t->capacity = 2 * t->capacity + 64;
        const char **cells = pool_take(&t->owner, t->capacity * sizeof *cells);
        for (size_t i = 0; i < t->n_cells; i++) cells[i] = t->cells[i];
        t->cells = cells;
    }
    t->cells[t->n_cells++] = pool_copy(&t->owner, cell.bytes, cell.n);
    text_free(&cell);
}

enum { GAP = 2, LEAST_NAME = 6 };

typedef struct columns {
    size_t *width;
    size_t  n, gap;
} columns;

static size_t whole_width(const columns *c) {
    size_t sum = (c->n - 1) * c->gap;
    for (size_t k = 0; k < c->n; k++) sum += c->width[k];
    return sum;
}

static bool may_be_cut(const table *t, size_t k) { return t->align[k] == 'L' || t->align[k] == 'R'; }

/* With every name as short as may be. */
static size_t least_width(const table *t, const columns *c) {
    size_t sum = whole_width(c);
    for (size_t k = 0; k < c->n; k++)
        if (may_be_cut(t, k) && c->width[k] > LEAST_NAME) sum -= c->width[k] - LEAST_NAME;
    return sum;
}

/* The widest of the columns that may be cut further; n: there is none. */
static size_t widest(const table *t, const columns *c) {
    size_t at = c->n;
    for (size_t k = 0; k < c->n; k++)
        if (may_be_cut(t, k) && c->width[k] > (at < c->n ? c->width[at] : LEAST_NAME)) at = k;
    return at;
}

/* Figures are never cut, so a table may stay wider than `most`. */
static void narrow(const table *t, columns *c, size_t most) {
    if (least_width(t, c) > most) c->gap = 1;
    for (size_t k; whole_width(c) > most && (k = widest(t, c)) < c->n;) c->width[k]--;
}

static void print_row(const table *t, const columns *k, const char *ellipsis, const char *const *row, FILE *stream) {
    text line = {0};
    pool owner = {0};
    for (size_t c = 0; c < k->n; c++) {
        const char *const cell = text_within(&owner, row[c], k->width[c], ellipsis);
        const size_t      gap = k->width[c] - text_width(cell);
        const bool        right = t->align[c] == 'r' || t->align[c] == 'R';
        text_add(&line, "%*s%*s%s%*s", c ? (int)k->gap : 0, "", right ? (int)gap : 0, "", cell, right ? 0 : (int)gap,
                 "");
    }
    while (line.n && line.bytes[line.n - 1] == ' ') line.bytes[--line.n] = '\0';
    fprintf(stream, "%s\n", line.bytes);
    text_free(&line);
    pool_free(&owner);
}

/* As the stream has room for; the caller frees width. */
static columns measure(const table *t, FILE *stream) {
    const terminal look = terminal_of(stream);
    const size_t   n = strlen(t->align);
    columns        c = {.width = take(n, sizeof(size_t)), .n = n, .gap = GAP};
    for (size_t i = 0; i < t->n_cells; i++) {
        const size_t w = text_width(t->cells[i]);
        if (w > c.width[i % n]) c.width[i % n] = w;
    }
    if (look.is_terminal && strpbrk(t->align, "LR")) narrow(t, &c, terminal_width(stream));
    return c;
}

bool table_fits(const table *t, FILE *stream) {
    const columns c = measure(t, stream);
    const bool    fits = !terminal_of(stream).is_terminal || whole_width(&c) <= terminal_width(stream);
    free(c.width);
    return fits;
}

void table_free(table *t) {
    pool_free(&t->owner);
    *t = (table){.align = t->align};
}

void table_print(table *t, FILE *stream) {
    const terminal look = terminal_of(stream);
    const columns  c = measure(t, stream);
    for (size_t i = 0; i + c.n <= t->n_cells; i += c.n) {
        if (i == 0) fputs(terminal_style(&look, STYLE_BOLD), stream);
        print_row(t, &c, look.utf8 ? "…" : "...", t->cells + i, stream);
        if (i == 0) fputs(terminal_style(&look, STYLE_PLAIN), stream);
    }
    free(c.width);
    table_free(t);
}
