/* terminal.h: what the output can show, and tables for it. */
#ifndef LN_CLI_TERMINAL_H
#define LN_CLI_TERMINAL_H

#include "text.h"

#include <stdio.h>

typedef struct terminal {
    bool is_terminal; /* lines may be drawn over */
    bool color;       /* a terminal, and neither NO_COLOR nor TERM=dumb */
    bool utf8;        /* the locale's characters are UTF-8 */
} terminal;

terminal terminal_of(FILE *stream);
/* Columns now (a terminal may be resized); 80 where it is not known. */
size_t terminal_width(FILE *stream);

/* Escape sequences, or "" without colour. */
typedef enum style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_GOOD, STYLE_BAD } style;
const char *terminal_style(const terminal *t, style s);

/* Rows of cells under aligned columns: align has 'l' or 'r' for each column, 'L' or 'R' for one of names, which are cut
 * in their middle where a terminal is too narrow for the table. The first row is the heading. */
typedef struct table { const char *align; pool owner; const char **cells; size_t n_cells, capacity; } table;

void table_add(table *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* False: stream is a terminal that is too narrow for it, however names are cut. */
bool table_fits(const table *t, FILE *stream);
void table_free(table *t);
/* Prints and empties it. */
void table_print(table *t, FILE *stream);

#endif
