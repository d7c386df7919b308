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

static void print_row(const table *t, const size_t *width, const char *const *row, FILE *stream) {
    text         line = {0};
    const size_t n = strlen(t->align);
    for (size_t c = 0; c < n; c++) {
        const size_t gap = width[c] - text_width(row[c]);
        const bool   right = t->align[c] == 'r';
        text_add(&line, "%s%*s%s%*s", c ? "  " : "", right ? (int)gap : 0, "", row[c], right ? 0 : (int)gap, "");
    }
    while (line.n && line.bytes[line.n - 1] == ' ') line.bytes[--line.n] = '\0';
    fprintf(stream, "%s\n", line.bytes);
    text_free(&line);
}

void table_print(table *t, FILE *stream) {
    const terminal look = terminal_of(stream);
    const size_t   n = strlen(t->align);
    size_t        *width = take(n, sizeof *width);
    for (size_t i = 0; i < t->n_cells; i++) {
        const size_t w = text_width(t->cells[i]);
        if (w > width[i % n]) width[i % n] = w;
    }
    for (size_t i = 0; i + n <= t->n_cells; i += n) {
        if (i == 0) fputs(terminal_style(&look, STYLE_BOLD), stream);
        print_row(t, width, t->cells + i, stream);
        if (i == 0) fputs(terminal_style(&look, STYLE_PLAIN), stream);
    }
    free(width);
    pool_free(&t->owner);
    *t = (table){.align = t->align};
}
