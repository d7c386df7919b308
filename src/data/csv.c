/* CSV in two passes: the first counts lines and bytes, so that the second reads into memory of the final size. A line
 * of k numbers takes at least 2k bytes, so what a file can make us take is bounded by what it holds. */
#include "data/csv.h"

#include "base/number.h"
#include "data/stream.h"
#include "data/values.h"

#include <string.h>
#include <strings.h>

enum { LN_CSV_BUFFER = 1 << 18, LN_CSV_MAX_LINE = 1 << 26, LN_CSV_NUMBER = 512 };

/* A column's place when there is none, or when it is to be found once all lines are read. */
enum { LN_NO_COLUMN = -1, LN_COLUMN_OPEN = -2 };

/* Could the labels stand in this column? They are bytes, and not all the same. */
typedef struct edge {
    bool   odd, varies;
    double first;
} edge;

typedef struct csv {
    ln_context *context;
    const char *name;
    const void *bytes; /* NULL: the file called name */
    size_t      n_bytes;
    ln_stream  *stream;
    char       *buffer; /* room + 1 bytes, of which begin … end are at hand */
    size_t      room, begin, end;
    bool        at_end;
    size_t      line, first_line; /* of the file, from 1; first_line: the first that is not blank */
    uint64_t    total, n_lines;   /* counted in the first pass */
    char        delimiter;
    char       *header; /* a copy of its line, or NULL */
    size_t      n_columns, n_rows;
    ptrdiff_t   label;
    ln_values   values; /* of all columns */
    edge        edges[2];
} csv;

/* ------------------------------------------------------------------- lines */

static ln_status open_stream(csv *c, ln_error *error) {
    c->begin = c->end = 0;
    c->at_end = false;
    return c->bytes ? ln_stream_open_memory(c->context, c->name, c->bytes, c->n_bytes, &c->stream, error)
                    : ln_stream_open(c->context, c->name, &c->stream, error);
}

static void close_stream(csv *c) {
    ln_stream_close(c->stream);
    c->stream = NULL;
}

static ln_status grow(csv *c, ln_error *error) {
    const size_t room = c->room ? 2 * c->room : LN_CSV_BUFFER;
    if (room > LN_CSV_MAX_LINE)
        return ln_fail(error, LN_E_FORMAT, "%s:%zu: a line of more than %d bytes: is this a CSV file?", c->name,
                       c->line + 1, LN_CSV_MAX_LINE);
    char *const buffer = ln_reallocate(c->context, c->buffer, room + 1);
    if (!buffer) return ln_fail_memory(error, c->name, room + 1);
    c->buffer = buffer;
    c->room = room;
    return LN_OK;
}

/* More bytes behind those at hand, or at_end. */
static ln_status read_more(csv *c, ln_error *error) {
    size_t    got;
    ln_status status = LN_OK;
    memmove(c->buffer, c->buffer + c->begin, c->end - c->begin);
    c->end -= c->begin;
    c->begin = 0;
    if (c->end == c->room) status = grow(c, error);
    if (status == LN_OK) status = ln_stream_read_some(c->stream, c->buffer + c->end, c->room - c->end, &got, error);
    if (status != LN_OK) return status;
    c->end += got;
    c->at_end = got == 0;
    return c->at_end ? ln_stream_end(c->stream, error) : LN_OK;
}

/* The first pass. A last line need not end. */
static ln_status count_lines(csv *c, ln_error *error) {
    ln_status status = open_stream(c, error);
    while (status == LN_OK && !c->at_end) {
        c->begin = c->end = 0;
        status = read_more(c, error);
        if (status != LN_OK) break;
        c->total += c->end;
        for (const char *s = c->buffer; (s = memchr(s, '\n', c->end - (size_t)(s - c->buffer))); s++) c->n_lines++;
    }
    c->n_lines++;
    close_stream(c);
    return status;
}

/* The next line, with '\n' behind it and no '\r' before that; NULL after the last one. */
static ln_status next_line(csv *c, char **line, ln_error *error) {
    size_t looked = 0;
    *line = NULL;
    for (;;) {
        char *const start = c->buffer + c->begin;
        char       *stop = memchr(start + looked, '\n', c->end - c->begin - looked);
        if (!stop && c->at_end && c->begin == c->end) return LN_OK;
        if (!stop && c->at_end) stop = c->buffer + c->end++; /* the byte that room does not count */
        if (stop) {
            c->begin = (size_t)(stop + 1 - c->buffer);
            c->line++;
            if (stop > start && stop[-1] == '\r') stop--;
            *stop = '\n';
            *line = start;
            return LN_OK;
        }
        looked = c->end - c->begin;
        const ln_status status = read_more(c, error);
        if (status != LN_OK) return status;
    }
}

/* ------------------------------------------------------------------- cells */

typedef struct csv_cell {
    const char *text;
    size_t      n;
} csv_cell;

/* The cell at *s without blanks and quotes around it; *s moves to what ends it. A quote that is not closed is taken for
 * a part of the text. */
static csv_cell take_cell(const char **s, char delimiter) {
    const char *from = *s, *to;
    while (*from == ' ') from++;
    if (*from == '"') {
        const char *close = from + 1;
        while (*close != '\n' && (*close != '"' || close[1] == '"')) close += *close == '"' ? 2 : 1;
        to = close + (*close == '"');
        while (*to == ' ') to++;
        if (*close == '"' && (*to == delimiter || *to == '\n')) {
            *s = to;
            return (csv_cell){from + 1, (size_t)(close - from - 1)};
        }
    }
    to = from;
    while (*to != delimiter && *to != '\n') to++;
    *s = to;
    while (to > from && to[-1] == ' ') to--;
    return (csv_cell){from, (size_t)(to - from)};
}

static bool cell_number(csv_cell cell, double *x) {
    char text[LN_CSV_NUMBER];
    while (cell.n && *cell.text == ' ') cell.text++, cell.n--; /* within quotes */
    while (cell.n && cell.text[cell.n - 1] == ' ') cell.n--;
    if (cell.n >= sizeof text || memchr(cell.text, '\0', cell.n)) return false;
    memcpy(text, cell.text, cell.n);
    text[cell.n] = '\0';
    return ln_number_read(text, x) == LN_OK && ln_is_float(*x);
}

/* The number at *s, up to the cell's end. Digits that 53 bits hold, divided by a power of ten that they hold too, are
 * rounded once, correctly (Clinger, How to read floating point numbers accurately, 1990); others by ln_number_read. */
static inline bool read_number(const char **s, char delimiter, double *x) {
    static const double tens[] = {1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    const char         *at = *s;
    const bool          minus = *at == '-';
    at += minus;
    const char *const start = at;
    uint64_t          digits = 0;
    unsigned          d;
    while ((d = (unsigned)(*at - '0')) <= 9) digits = 10 * digits + d, at++;
    ptrdiff_t n = at - start, n_after = 0;
    if (*at == '.') {
        const char *const point = at++;
        while ((d = (unsigned)(*at - '0')) <= 9) digits = 10 * digits + d, at++;
        n_after = at - point - 1;
        n += n_after;
    }
    if (n > 0 && n <= 15 && (*at == delimiter || *at == '\n')) {
        const double magnitude = n_after ? (double)digits / tens[n_after] : (double)digits;
        *x = minus ? -magnitude : magnitude;
        *s = at;
        return true;
    }
    return cell_number(take_cell(s, delimiter), x);
}

/* What a message shows of a cell: its beginning, as plain text. */
static const char *show(csv_cell cell, char text[48]) {
    const size_t n = ln_least(cell.n, 40);
    for (size_t i = 0; i < n; i++) text[i] = cell.text[i] >= ' ' && cell.text[i] <= '~' ? cell.text[i] : '?';
    memcpy(text + n, cell.n > n ? "..." : "", cell.n > n ? 4 : 1);
    return text;
}

static csv_cell cell_of(const csv *c, const char *line, size_t column) {
    for (size_t i = 0; i < column; i++) {
        take_cell(&line, c->delimiter);
        line += *line == c->delimiter;
    }
    return take_cell(&line, c->delimiter);
}

static ln_status fail_cell(const csv *c, const char *line, size_t column, const char *wanted, ln_error *error) {
    char           found[48], title[48];
    const csv_cell value = cell_of(c, line, column);
    return ln_fail(error, LN_E_FORMAT, "%s:%zu: column %zu%s%s%s is %s%s%s, but %s was wanted: correct this line",
                   c->name, c->line, column + 1, c->header ? " (" : "",
                   c->header ? show(cell_of(c, c->header, column), title) : "", c->header ? ")" : "",
                   value.n ? "'" : "empty", show(value, found), value.n ? "'" : "", wanted);
}

/* ------------------------------------------------------------------ header */

static bool is_word(csv_cell cell, const char *word) {
    return strlen(word) == cell.n && strncasecmp(cell.text, word, cell.n) == 0;
}

/* y is a label's name but where it stands beside an x. */
static bool names_label(csv_cell cell, bool has_x) {
    static const char *const words[] = {"label", "class", "target"};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (is_word(cell, words[i])) return true;
    return !has_x && is_word(cell, "y");
}

static char find_delimiter(const char *line) {
    bool quoted = false;
    for (; *line != '\n'; line++) {
        quoted ^= *line == '"';
        if (!quoted && (*line == ',' || *line == ';' || *line == '\t')) return *line;
    }
    return ',';
}

typedef struct head {
    size_t n_numbers, n_empty, n_labels;
    size_t word, empty, label[2]; /* columns: the first of each kind, the last two labels */
    bool   has_x;
} head;

/* What kinds of cells the first line has. */
static head look_at(csv *c, const char *line) {
    head h = {0};
    for (int pass = 0; pass < 2; pass++) {
        const char *s = line;
        size_t      column = 0;
        for (;; column++, s++) {
            double         x;
            const csv_cell cell = take_cell(&s, c->delimiter);
            if (pass == 0) {
                const bool number = cell_number(cell, &x);
                h.n_numbers += number;
                if (!number && h.n_numbers == column) h.word = column;
                if (!cell.n && !h.n_empty++) h.empty = column;
                h.has_x = h.has_x || is_word(cell, "x");
            } else if (names_label(cell, h.has_x)) {
                h.label[0] = h.label[1];
                h.label[1] = column;
                h.n_labels++;
            }
            if (*s == '\n') break;
        }
        c->n_columns = column + 1;
    }
    return h;
}

/* Says by the first line which columns there are, and whether that line is a header. */
static ln_status read_head(csv *c, const char *line, ln_error *error) {
    c->first_line = c->line;
    c->delimiter = find_delimiter(line);
    const head h = look_at(c, line);
    c->label = h.n_labels ? (ptrdiff_t)h.label[1] : LN_NO_COLUMN;
    if (h.n_numbers == c->n_columns) {
        c->label = LN_COLUMN_OPEN;
        return LN_OK;
    }
    if (h.n_numbers && !h.n_labels) return fail_cell(c, line, h.word, "a number, or else a header of names,", error);
    if (h.n_empty)
        return ln_fail(error, LN_E_FORMAT,
                       "%s:%zu: column %zu has no name: name every column in the header (pandas leaves its index out "
                       "with index=False)",
                       c->name, c->line, h.empty + 1);
    if (h.n_labels > 1)
        return ln_fail(error, LN_E_FORMAT,
                       "%s:%zu: columns %zu and %zu are both named as labels, but one label a line was wanted: rename "
                       "or leave out one",
                       c->name, c->line, h.label[0] + 1, h.label[1] + 1);
    const size_t n = (size_t)((const char *)memchr(line, '\n', SIZE_MAX / 2) + 1 - line);
    c->header = ln_allocate(c->context, n);
    if (!c->header) return ln_fail_memory(error, c->name, n);
    memcpy(c->header, line, n);
    return LN_OK;
}

/* -------------------------------------------------------------------- rows */

static ln_status fail_ragged(const csv *c, const char *line, ln_error *error) {
    size_t n = 1;
    for (const char *s = line; take_cell(&s, c->delimiter), *s != '\n'; s++) n++;
    return ln_fail(error, LN_E_FORMAT, "%s:%zu: %zu columns, but line %zu has %zu: correct this line", c->name, c->line,
                   n, c->first_line, c->n_columns);
}

static void look_at_edge(edge *e, double x, bool first) {
    if (first) e->first = x;
    e->odd = e->odd || !ln_is_byte(x);
    e->varies = e->varies || x < e->first || x > e->first;
}

static ln_status read_row(csv *c, const char *line, ln_error *error) {
    const char *s = line;
    double      x = 0;
    for (size_t column = 0; column < c->n_columns; column++) {
        if (column && *s++ != c->delimiter) return fail_ragged(c, line, error);
        const bool label = (ptrdiff_t)column == c->label;
        if (!read_number(&s, c->delimiter, &x) || (label && !ln_is_byte(x)))
            return fail_cell(c, line, column,
                             label ? "a whole number from 0 to 255 (the label)"
                             : c->n_rows == 0 && cell_of(c, line, column).n
                                 ? "a number (pandas.factorize numbers names)"
                                 : "a number",
                             error);
        const ln_status status = ln_values_add(&c->values, x, c->name, error);
        if (status != LN_OK) return status;
        if (column == 0 && c->label == LN_COLUMN_OPEN) look_at_edge(&c->edges[0], x, c->n_rows == 0);
    }
    if (*s != '\n') return fail_ragged(c, line, error);
    if (c->label == LN_COLUMN_OPEN) look_at_edge(&c->edges[1], x, c->n_rows == 0);
    c->n_rows++;
    return LN_OK;
}

static bool is_blank(const char *line) { return line[strspn(line, " \t")] == '\n'; }

static ln_status start_values(csv *c, ln_error *error) {
    const uint64_t by_bytes = (c->total + 1) / (2 * (uint64_t)c->n_columns);
    const uint64_t n = c->n_lines < by_bytes ? c->n_lines : by_bytes;
    return ln_values_start(c->context, c->name, (size_t)n * c->n_columns, false, &c->values, error);
}

static ln_status read_lines(csv *c, ln_error *error) {
    char     *line;
    ln_status status = LN_OK;
    while (status == LN_OK) {
        status = next_line(c, &line, error);
        if (status != LN_OK || !line) break;
        if (c->line == 1 && strncmp(line, "\xef\xbb\xbf", 3) == 0) line += 3; /* the mark of UTF-8 */
        if (is_blank(line)) continue;
        if (!c->n_columns) {
            status = read_head(c, line, error);
            if (status == LN_OK) status = start_values(c, error);
            if (c->header) continue;
        }
        /* A file that grows while it is read could bring more lines than were counted. */
        if (status == LN_OK && c->values.room - c->values.n < c->n_columns)
            status = ln_fail(error, LN_E_IO, "%s: the file changed while it was read: try again", c->name);
        if (status == LN_OK) status = read_row(c, line, error);
    }
    if (status == LN_OK && !c->n_columns)
        return ln_fail(error, LN_E_FORMAT, "%s: the file is empty: lines of numbers were wanted", c->name);
    if (status == LN_OK && !c->n_rows)
        return ln_fail(error, LN_E_FORMAT, "%s: a header and nothing else: lines of numbers were wanted", c->name);
    return status;
}

/* ------------------------------------------------------------------ labels */

/* Without a header: the first column, if it can be, else the last. */
static void find_labels(csv *c) {
    const bool first = c->n_columns > 1 && !c->edges[0].odd && c->edges[0].varies;
    const bool last = c->n_columns > 1 && !c->edges[1].odd && c->edges[1].varies;
    if (first && last)
        ln_warn(c->context,
                "%s has no header, and its first and last column could both be the labels: the first one is taken; "
                "a header with the name 'label' says which",
                c->name);
    c->label = first ? 0 : last ? (ptrdiff_t)c->n_columns - 1 : LN_NO_COLUMN;
}

/* Takes column `label` out of the rows, in place. */
static void take_labels(csv *c, uint8_t *labels) {
    ln_values   *v = &c->values;
    const size_t size = v->bytes ? 1 : sizeof(float), row = c->n_columns * size, label = (size_t)c->label;
    char *const  base = v->bytes ? (char *)v->bytes : (char *)v->floats;
    for (size_t i = 0; i < c->n_rows; i++) {
        labels[i] = (uint8_t)ln_values_get(v, i * c->n_columns + label);
        const char *const from = base + i * row;
        char *const       to = base + i * (row - size);
        memmove(to, from, label * size);
        memmove(to + label * size, from + (label + 1) * size, row - (label + 1) * size);
    }
    c->n_columns--;
}

static ln_data *make(csv *c, ln_error *error) {
    uint8_t *labels = NULL;
    if (c->label == LN_COLUMN_OPEN) find_labels(c);
    if (c->label >= 0 && c->n_columns == 1) {
        ln_fail(error, LN_E_FORMAT, "%s: labels and nothing else: columns of values were wanted beside them", c->name);
        return NULL;
    }
    if (c->label >= 0) {
        labels = ln_allocate(c->context, c->n_rows);
        if (!labels) {
            ln_fail_memory(error, c->name, c->n_rows);
            return NULL;
        }
        take_labels(c, labels);
    }
    const ln_data_parts parts = {.pixels = c->values.bytes ? (const void *)c->values.bytes : c->values.floats,
                                 .labels = labels,
                                 .is_float = c->values.floats != NULL,
                                 .own = true,
                                 .n = c->n_rows,
                                 .c = c->n_columns,
                                 .h = 1,
                                 .w = 1};
    ln_data *const      data = ln_data_new(c->context, c->name, &parts, error);
    if (data) c->values = (ln_values){0};
    else ln_release(c->context, labels);
    return data;
}

static ln_data *read_csv(csv *c, ln_error *error) {
    const uint64_t mode = ln_fp_enter();
    ln_data       *data = NULL;
    if (grow(c, error) == LN_OK && count_lines(c, error) == LN_OK && open_stream(c, error) == LN_OK &&
        read_lines(c, error) == LN_OK)
        data = make(c, error);
    close_stream(c);
    ln_release(c->context, c->buffer);
    ln_release(c->context, c->header);
    ln_values_free(&c->values);
    ln_fp_leave(mode);
    return data;
}

ln_data *ln_csv_read(ln_context *context, const char *path, ln_error *error) {
    return read_csv(&(csv){.context = context, .name = path}, error);
}

ln_data *ln_csv_parse(ln_context *context, const char *name, const void *bytes, size_t n_bytes, ln_error *error) {
    return read_csv(&(csv){.context = context, .name = name, .bytes = bytes ? bytes : "", .n_bytes = n_bytes}, error);
}
