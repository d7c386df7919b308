/* Arguments by table: a line of words to a struct and back. See attr.h.
 *
 * Invariant: what ln_attr_print writes, ln_attr_parse reads to the same bits. */
#include "base/attr.h"

#include "base/number.h"

#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { LN_WORD = 32, LN_MAX_ROWS = 64, LN_WORDS = 400, LN_RANGE = 2 * LN_NUMBER_TEXT + 32 };

/* Text that grows to the right and remembers how long it would be; snprintf's rules. */
typedef struct output {
    char  *to;
    size_t size, length;
} output;

__attribute__((format(printf, 2, 3))) static void append(output *t, const char *format, ...) {
    const size_t left = t->length < t->size ? t->size - t->length : 0;
    va_list      arguments;
    va_start(arguments, format);
    const int n = vsnprintf(left ? t->to + t->length : NULL, left, format, arguments);
    va_end(arguments);
    if (n > 0) t->length += (size_t)n;
}

/* ------------------------------------------------------------------- lines */

/* The next word of *rest, and its length; *rest moves behind it. NULL at the end. */
static const char *next_word(const char **rest, size_t *length) {
    static const char blanks[] = " \t\r\n\v\f";
    const char *const word = *rest + strspn(*rest, blanks);
    *length = strcspn(word, blanks);
    *rest = word + *length;
    return *length ? word : NULL;
}

static bool is_name(const char *word, size_t length) {
    static const char allowed[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    return length > 0 && length < LN_WORD && strspn(word, allowed) >= length;
}

static bool is_word(const char *word, size_t length, const char *what) {
    return strlen(what) == length && memcmp(word, what, length) == 0;
}

static ln_status copy_name(char name[LN_WORD], const char *word, size_t length, const char *who, ln_error *error) {
    if (!is_name(word, length))
        return ln_fail(error, LN_E_ARGUMENT, "%s: '%.*s' is not a name; use 1 to %d letters, digits, '_' or '-'", who,
                       (int)(length < 60 ? length : 60), word, LN_WORD - 1);
    memcpy(name, word, length);
    name[length] = '\0';
    return LN_OK;
}

/* The name behind a `from` or `as`. */
static ln_status split_name(char name[LN_WORD], const char *key, const char **text, const char *who, ln_error *error) {
    size_t            length;
    const char *const word = next_word(text, &length);
    if (!word) return ln_fail(error, LN_E_ARGUMENT, "%s: '%s' stands without a name; write %s NAME", who, key, key);
    if (name[0]) return ln_fail(error, LN_E_ARGUMENT, "%s: '%s' is given twice; leave one out", who, key);
    if (is_word(word, length, "from") || is_word(word, length, "as"))
        return ln_fail(error, LN_E_ARGUMENT, "%s: '%s %.*s': 'from' and 'as' cannot be names; write %s NAME", who, key,
                       (int)length, word, key);
    return copy_name(name, word, length, who, error);
}

static ln_status split_rest(char rest[LN_MAX_REST], const char *word, size_t length, const char *who, ln_error *error) {
    const size_t used = strlen(rest), blank = used > 0;
    if (used + blank + length >= LN_MAX_REST)
        return ln_fail(error, LN_E_ARGUMENT, "%s: the arguments are longer than %d characters; shorten them", who,
                       LN_MAX_REST - 1);
    if (blank) rest[used] = ' ';
    memcpy(rest + used + blank, word, length);
    rest[used + blank + length] = '\0';
    return LN_OK;
}

ln_status ln_line_split(const char *text, const char *who, ln_line *line, ln_error *error) {
    ln_line     found = {0};
    char        owner[LN_WORD + 64];
    size_t      length;
    const char *word = next_word(&text, &length);
    if (!word) return ln_fail(error, LN_E_ARGUMENT, "%s: the line is empty; begin it with a name", who);
    ln_status status = copy_name(found.word, word, length, who, error);
    snprintf(owner, sizeof owner, "%s %s", who, found.word);
    while (status == LN_OK && (word = next_word(&text, &length))) {
        if (is_word(word, length, "from")) status = split_name(found.from, "from", &text, owner, error);
        else if (is_word(word, length, "as")) status = split_name(found.as, "as", &text, owner, error);
        else status = split_rest(found.rest, word, length, owner, error);
    }
    if (status == LN_OK) *line = found;
    return status;
}

/* ------------------------------------------------------------------ values */

/* An argument's value, of whichever type. */
typedef struct value {
    double   number;
    ln_size2 size;
    char     name[LN_WORD + 1];
    ln_list  list;
} value;

static value load(const ln_attr *a, const void *args) {
    const void *const from = (const unsigned char *)args + a->offset;
    value             v = {0};
    int               whole;
    bool              yes;
    switch (a->type) {
    case LN_ATTR_INT:
    case LN_ATTR_CHOICE:
        memcpy(&whole, from, sizeof whole);
        v.number = whole;
        break;
    case LN_ATTR_SIZE2: memcpy(&v.size, from, sizeof v.size); break;
    case LN_ATTR_BOOL:
        memcpy(&yes, from, sizeof yes);
        v.number = yes;
        break;
    case LN_ATTR_FLOAT: memcpy(&v.number, from, sizeof v.number); break;
    case LN_ATTR_NAME: memcpy(v.name, from, LN_WORD); break;
    case LN_ATTR_LIST: memcpy(&v.list, from, sizeof v.list); break;
    }
    return v;
}

static void store(const ln_attr *a, const value *v, void *args) {
    void *const to = (unsigned char *)args + a->offset;
    const int   whole = a->type == LN_ATTR_INT || a->type == LN_ATTR_CHOICE ? (int)v->number : 0;
    const bool  yes = v->number != 0;
    switch (a->type) {
    case LN_ATTR_INT:
    case LN_ATTR_CHOICE: memcpy(to, &whole, sizeof whole); break;
    case LN_ATTR_SIZE2: memcpy(to, &v->size, sizeof v->size); break;
    case LN_ATTR_BOOL: memcpy(to, &yes, sizeof yes); break;
    case LN_ATTR_FLOAT: memcpy(to, &v->number, sizeof v->number); break;
    case LN_ATTR_NAME: memcpy(to, v->name, LN_WORD); break;
    case LN_ATTR_LIST: memcpy(to, &v->list, sizeof v->list); break;
    }
}

static value preset_of(const ln_attr *a) {
    const int side = a->type == LN_ATTR_SIZE2 ? (int)a->preset : 0;
    return (value){.number = a->preset, .size = {side, side}};
}

/* Of a list that a C program may have filled with anything. */
static int list_count(const ln_list *list) { return list->n < 0 ? 0 : list->n > LN_MAX_LIST ? LN_MAX_LIST : list->n; }

static bool same_list(const ln_list *x, const ln_list *y) {
    return x->n == y->n && memcmp(x->value, y->value, (size_t)list_count(x) * sizeof *x->value) == 0;
}

static bool same_value(const ln_attr *a, const value *x, const value *y) {
    if (a->type == LN_ATTR_SIZE2) return x->size.h == y->size.h && x->size.w == y->size.w;
    if (a->type == LN_ATTR_NAME) return strcmp(x->name, y->name) == 0;
    if (a->type == LN_ATTR_LIST) return same_list(&x->list, &y->list);
    return memcmp(&x->number, &y->number, sizeof x->number) == 0;
}

static size_t choice_count(const ln_attr *a) {
    size_t n = 0;
    while (a->choices[n]) n++;
    return n;
}

/* As one writes it. */
static void print_value(const ln_attr *a, const value *v, output *t) {
    char number[LN_NUMBER_TEXT];
    switch (a->type) {
    case LN_ATTR_INT:
    case LN_ATTR_FLOAT: append(t, "%s", ln_number_print(v->number, number)); break;
    case LN_ATTR_SIZE2:
        append(t, "%d", v->size.h);
        if (v->size.w != v->size.h) append(t, "x%d", v->size.w);
        break;
    case LN_ATTR_BOOL: append(t, "%s", v->number != 0 ? "true" : "false"); break;
    case LN_ATTR_CHOICE:
        if (v->number >= 0 && v->number < (double)choice_count(a)) append(t, "%s", a->choices[(size_t)v->number]);
        else append(t, "%s", ln_number_print(v->number, number));
        break;
    case LN_ATTR_NAME: append(t, "%s", v->name); break;
    case LN_ATTR_LIST:
        for (int i = 0; i < list_count(&v->list); i++)
            append(t, "%s%s", i ? "," : "", ln_number_print(v->list.value[i], number));
        break;
    }
}

/* ------------------------------------------------------------------ ranges */

static bool   is_whole(const ln_attr *a) { return a->type == LN_ATTR_INT || a->type == LN_ATTR_SIZE2; }
static double low_of(const ln_attr *a) { return is_whole(a) ? fmax(a->low, INT_MIN) : a->low; }
static double high_of(const ln_attr *a) { return is_whole(a) ? fmin(a->high, INT_MAX) : a->high; }

/* "1 to 1024", "0 or more", … */
static void print_range(const ln_attr *a, output *t) {
    char         low[LN_NUMBER_TEXT], high[LN_NUMBER_TEXT];
    const double least = low_of(a), most = high_of(a);
    ln_number_print(least, low);
    ln_number_print(most, high);
    if (isinf(least) && isinf(most)) append(t, "any number");
    else if (isinf(most)) append(t, "%s or more", low);
    else if (isinf(least)) append(t, "%s or less", high);
    else append(t, "%s to %s", low, high);
}

static ln_status fail_range(const char *owner, const ln_attr *a, const char *shown, ln_error *error) {
    char       range[LN_RANGE];
    const bool open = isinf(low_of(a)) || isinf(high_of(a));
    output     t = {range, sizeof range, 0};
    print_range(a, &t);
    return ln_fail(error, LN_E_ARGUMENT, "%s: %s=%.60s is %s %s", owner, a->key, shown,
                   open ? "out of range; write" : "outside", range);
}

static bool in_range(const ln_attr *a, double number) { return number >= low_of(a) && number <= high_of(a); }

/* Ranges of numbers; shown is the value as text. */
static ln_status check_range(const char *owner, const ln_attr *a, const value *v, const char *shown, ln_error *error) {
    const bool good = a->type == LN_ATTR_SIZE2 ? in_range(a, v->size.h) && in_range(a, v->size.w)
                      : a->type == LN_ATTR_INT || a->type == LN_ATTR_FLOAT ? in_range(a, v->number)
                                                                           : true;
    return good ? LN_OK : fail_range(owner, a, shown, error);
}

static ln_status fail_too_many(const char *owner, const ln_attr *a, ln_error *error) {
    return ln_fail(error, LN_E_ARGUMENT, "%s: %s has more than %d numbers; leave some out", owner, a->key, LN_MAX_LIST);
}

/* ----------------------------------------------------------------- reading */

/* "owner: key='word' is not WHAT; write HOW". */
static ln_status fail_type(const char *owner, const ln_attr *a, const char *word, const char *what, const char *how,
                           ln_error *error) {
    char   range[LN_RANGE];
    output t = {range, sizeof range, 0};
    print_range(a, &t);
    return ln_fail(error, LN_E_ARGUMENT, "%s: %s='%.60s' is not %s; write %s", owner, a->key, word, what,
                   how ? how : range);
}

static ln_status fail_choice(const char *owner, const ln_attr *a, const char *word, ln_error *error) {
    char              list[LN_WORDS] = "";
    output            t = {list, sizeof list, 0};
    const char *const near = ln_nearest(word, a->choices, choice_count(a));
    for (size_t i = 0; a->choices[i]; i++) append(&t, "%s%s", i ? ", " : "", a->choices[i]);
    return ln_fail(error, LN_E_ARGUMENT, "%s: %s='%.60s' is not one of %s%s%s%s", owner, a->key, word, list,
                   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* A whole number that an int may not hold: then it is out of range, whatever the range. */
static ln_status read_int(const char *word, int *whole) {
    int64_t         number = 0;
    const ln_status status = ln_integer_read(word, &number);
    if (status != LN_OK) return status;
    if (number < INT_MIN || number > INT_MAX) return LN_E_ARGUMENT;
    *whole = (int)number;
    return LN_OK;
}

/* "5" or "5x3". */
static ln_status read_size2(const char *word, ln_size2 *size) {
    const char *const x = strchr(word, 'x');
    char              first[LN_MAX_REST];
    const size_t      length = x ? (size_t)(x - word) : strlen(word);
    memcpy(first, word, length);
    first[length] = '\0';
    const ln_status h = read_int(first, &size->h), w = x ? read_int(x + 1, &size->w) : h;
    if (!x) size->w = size->h;
    return h == LN_E_FORMAT || w == LN_E_FORMAT ? LN_E_FORMAT : h != LN_OK ? h : w;
}

static ln_status read_choice(const ln_attr *a, const char *word, double *index) {
    for (size_t i = 0; a->choices[i]; i++)
        if (strcmp(word, a->choices[i]) == 0) {
            *index = (double)i;
            return LN_OK;
        }
    return LN_E_FORMAT;
}

/* "0.1,1,2": every number is checked by itself. */
static ln_status read_list(const char *owner, const ln_attr *a, const char *word, ln_list *list, ln_error *error) {
    for (const char *from = word, *end; from; from = *end ? end + 1 : NULL) {
        char         number[LN_MAX_REST];
        const size_t length = strcspn(from, ",");
        value        v = {0};
        end = from + length;
        memcpy(number, from, length);
        number[length] = '\0';
        if (ln_number_read(number, &v.number) != LN_OK)
            return fail_type(owner, a, word, "a list of numbers", "numbers with commas between, such as 0.5,1,2",
                             error);
        if (!in_range(a, v.number)) return fail_range(owner, a, number, error);
        if (list->n == LN_MAX_LIST) return fail_too_many(owner, a, error);
        list->value[list->n++] = v.number;
    }
    return LN_OK;
}

/* Reads word (shorter than LN_MAX_REST) as a's type and checks its range. */
static ln_status read_value(const char *owner, const ln_attr *a, const char *word, value *v, ln_error *error) {
    int       whole = 0;
    ln_status status;
    *v = (value){0};
    switch (a->type) {
    case LN_ATTR_INT:
        status = read_int(word, &whole);
        v->number = whole;
        if (status == LN_E_FORMAT) return fail_type(owner, a, word, "a whole number", NULL, error);
        break;
    case LN_ATTR_SIZE2:
        status = read_size2(word, &v->size);
        if (status == LN_E_FORMAT) return fail_type(owner, a, word, "a size", "5 or 5x3", error);
        break;
    case LN_ATTR_FLOAT:
        status = ln_number_read(word, &v->number);
        if (status == LN_E_FORMAT) return fail_type(owner, a, word, "a number", NULL, error);
        if (status != LN_OK) return fail_type(owner, a, word, "a number that a double can hold", NULL, error);
        break;
    case LN_ATTR_BOOL:
        v->number = strcmp(word, "true") == 0;
        if (v->number == 0 && strcmp(word, "false") != 0)
            return fail_type(owner, a, word, "a yes or no", "true or false", error);
        return LN_OK;
    case LN_ATTR_CHOICE: return read_choice(a, word, &v->number) == LN_OK ? LN_OK : fail_choice(owner, a, word, error);
    case LN_ATTR_LIST: return read_list(owner, a, word, &v->list, error);
    default: return copy_name(v->name, word, strlen(word), owner, error);
    }
    return status == LN_OK ? check_range(owner, a, v, word, error) : fail_range(owner, a, word, error);
}

/* What ln_attr_parse knows while it reads: rows of both tables in one numbering, table first. */
typedef struct reader {
    const char    *owner;
    const ln_attr *table, *common;
    void          *args, *common_args;
    size_t         n_table, n;
    uint64_t       given; /* bit i: row i has its value */
    ln_error      *error;
} reader;

static const ln_attr *row(const reader *r, size_t i) {
    return i < r->n_table ? &r->table[i] : &r->common[i - r->n_table];
}

static bool is_given(const reader *r, size_t i) { return r->given >> i & 1; }

/* n when there is none. */
static size_t find_key(const reader *r, const char *key) {
    size_t i = 0;
    while (i < r->n && strcmp(row(r, i)->key, key) != 0) i++;
    return i;
}

static size_t next_positional(const reader *r) {
    for (size_t i = 0; i < r->n_table; i++)
        if (r->table[i].positional && !is_given(r, i)) return i;
    return r->n;
}

static ln_status fail_unknown(const reader *r, const char *what, const char *key) {
    const char *keys[LN_MAX_ROWS] = {NULL};
    char        list[LN_WORDS] = "";
    output      t = {list, sizeof list, 0};
    for (size_t i = 0; i < r->n; i++) {
        keys[i] = row(r, i)->key;
        append(&t, "%s%s", i ? ", " : "", keys[i]);
    }
    if (r->n == 0)
        return ln_fail(r->error, LN_E_ARGUMENT, "%s: %s '%.60s'; it takes no arguments", r->owner, what, key);
    const char *const near = ln_nearest(key, keys, r->n);
    return ln_fail(r->error, LN_E_ARGUMENT, "%s: %s '%.60s'; allowed: %s%s%s%s", r->owner, what, key, list,
                   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

static ln_status fail_described(const char *owner, const char *what, const ln_attr *a, ln_error *error) {
    char description[LN_WORDS];
    ln_attr_describe(a, description, sizeof description);
    return ln_fail(error, LN_E_ARGUMENT, "%s: %s: %s", owner, what, description);
}

static ln_status accept(reader *r, size_t i, const char *word) {
    const ln_attr *const a = row(r, i);
    if (is_given(r, i))
        return ln_fail(r->error, LN_E_ARGUMENT, "%s: '%s' is given twice; leave one out", r->owner, a->key);
    value           v;
    const ln_status status = read_value(r->owner, a, word, &v, r->error);
    if (status != LN_OK) return status;
    store(a, &v, i < r->n_table ? r->args : r->common_args);
    r->given |= (uint64_t)1 << i;
    return LN_OK;
}

/* "key=value", or a positional value. */
static ln_status read_word(reader *r, char *word) {
    char *const equals = strchr(word, '=');
    if (equals) *equals = '\0';
    const size_t named = find_key(r, word);
    if (equals) return named < r->n ? accept(r, named, equals + 1) : fail_unknown(r, "unknown argument", word);
    const size_t next = next_positional(r);
    if (next < r->n) return accept(r, next, word);
    if (named < r->n) return fail_described(r->owner, "argument without a value", row(r, named), r->error);
    return fail_unknown(r, "unexpected word", word);
}

static ln_status read_words(reader *r, const char *rest) {
    size_t      length;
    const char *from;
    while ((from = next_word(&rest, &length))) {
        char word[LN_MAX_REST];
        if (length >= sizeof word)
            return ln_fail(r->error, LN_E_ARGUMENT, "%s: '%.40s...' is longer than %d characters; shorten it", r->owner,
                           from, LN_MAX_REST - 1);
        memcpy(word, from, length);
        word[length] = '\0';
        const ln_status status = read_word(r, word);
        if (status != LN_OK) return status;
    }
    for (size_t i = 0; i < r->n; i++)
        if (row(r, i)->required && !is_given(r, i))
            return fail_described(r->owner, "argument missing", row(r, i), r->error);
    return LN_OK;
}

static size_t row_count(const ln_attr *table) {
    size_t n = 0;
    while (table && table[n].key) n++;
    return n;
}

ln_status ln_attr_parse(const char *rest, const char *owner, const ln_attr *table, void *args, size_t size,
                        const ln_attr *common, void *common_args, size_t common_size, ln_error *error) {
    reader r = {.owner = owner,
                .table = table,
                .common = common,
                .args = args,
                .common_args = common_args,
                .n_table = row_count(table),
                .error = error};
    r.n = r.n_table + row_count(common);
    if (r.n > LN_MAX_ROWS)
        return ln_fail(error, LN_E_UNSUPPORTED, "%s: %zu arguments are more than %d; split them", owner, r.n,
                       LN_MAX_ROWS);
    ln_attr_defaults(table, args, size);
    if (common) ln_attr_defaults(common, common_args, common_size);
    const ln_status status = read_words(&r, rest);
    if (status == LN_OK) return LN_OK;
    ln_attr_defaults(table, args, size);
    if (common) ln_attr_defaults(common, common_args, common_size);
    return status;
}

/* ------------------------------------------------------------ whole structs */

void ln_attr_defaults(const ln_attr *table, void *args, size_t size) {
    if (size) memset(args, 0, size);
    for (const ln_attr *a = table; a->key; a++) {
        const value preset = preset_of(a);
        store(a, &preset, args);
    }
}

static ln_status check_list(const char *owner, const ln_attr *a, const ln_list *list, ln_error *error) {
    char number[LN_NUMBER_TEXT];
    if (list->n > LN_MAX_LIST) return fail_too_many(owner, a, error);
    if (list->n < 0)
        return ln_fail(error, LN_E_ARGUMENT, "%s: %s has %d numbers; give it 0 to %d", owner, a->key, list->n,
                       LN_MAX_LIST);
    if (list->n == 0 && a->required) return fail_described(owner, "argument missing", a, error);
    for (int i = 0; i < list->n; i++) {
        ln_number_print(list->value[i], number);
        if (!isfinite(list->value[i])) return fail_type(owner, a, number, "a finite number", NULL, error);
        if (!in_range(a, list->value[i])) return fail_range(owner, a, number, error);
    }
    return LN_OK;
}

static ln_status check_one(const char *owner, const ln_attr *a, const void *args, ln_error *error) {
    char        shown[LN_WORD + 2 * LN_NUMBER_TEXT];
    output      t = {shown, sizeof shown, 0};
    const value v = load(a, args);
    print_value(a, &v, &t);
    switch (a->type) {
    case LN_ATTR_NAME:
        if (!v.name[0] && a->required) return fail_described(owner, "argument missing", a, error);
        if (v.name[0] && !is_name(v.name, strlen(v.name)))
            return fail_type(owner, a, v.name, "a name", "1 to 31 letters, digits, '_' or '-'", error);
        return LN_OK;
    case LN_ATTR_LIST: return check_list(owner, a, &v.list, error);
    case LN_ATTR_CHOICE:
        return v.number >= 0 && v.number < (double)choice_count(a) ? LN_OK : fail_choice(owner, a, shown, error);
    case LN_ATTR_FLOAT:
        if (!isfinite(v.number)) return fail_type(owner, a, shown, "a finite number", NULL, error);
        break;
    default: break;
    }
    return check_range(owner, a, &v, shown, error);
}

ln_status ln_attr_check(const char *owner, const ln_attr *table, const void *args, ln_error *error) {
    ln_status status = LN_OK;
    for (const ln_attr *a = table; a->key && status == LN_OK; a++) status = check_one(owner, a, args, error);
    return status;
}

size_t ln_attr_print(const ln_attr *table, const void *args, char *to, size_t size) {
    output t = {to, size, 0};
    bool   bare = true;
    if (size) to[0] = '\0';
    for (const ln_attr *a = table; a->key; a++) {
        const value v = load(a, args), preset = preset_of(a);
        const bool  shown = a->required || !same_value(a, &v, &preset);
        if (shown) {
            append(&t, " ");
            if (!a->positional || !bare) append(&t, "%s=", a->key);
            print_value(a, &v, &t);
        }
        if (a->positional && !shown) bare = false;
    }
    return t.length;
}

static void print_type(const ln_attr *a, output *t) {
    static const char *const words[] = {
        [LN_ATTR_INT] = "int",      [LN_ATTR_SIZE2] = "int or HxW", [LN_ATTR_BOOL] = "true or false",
        [LN_ATTR_FLOAT] = "number", [LN_ATTR_NAME] = "name",        [LN_ATTR_LIST] = "numbers with commas between"};
    if (a->type != LN_ATTR_CHOICE) {
        append(t, "%s", words[a->type]);
        return;
    }
    for (size_t i = 0; a->choices[i]; i++) append(t, "%s%s", i ? "|" : "", a->choices[i]);
}

size_t ln_attr_describe(const ln_attr *a, char *to, size_t size) {
    output      t = {to, size, 0};
    const value preset = preset_of(a);
    append(&t, "%s (", a->key);
    print_type(a, &t);
    if (a->required || a->type == LN_ATTR_NAME || a->type == LN_ATTR_LIST) {
        append(&t, ", %s", a->required ? "required" : "optional");
    } else {
        append(&t, ", default ");
        print_value(a, &preset, &t);
    }
    if (is_whole(a) || a->type == LN_ATTR_FLOAT || a->type == LN_ATTR_LIST) {
        append(&t, a->type == LN_ATTR_LIST ? ", each " : ", ");
        print_range(a, &t);
    }
    append(&t, "): %s", a->help);
    return t.length;
}
