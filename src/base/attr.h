/* Arguments of layers, losses, optimizers and schedules: stated once as a table, from which parsing, checking,
 * defaults, help, the resolved recipe and the model's JSON all follow. */
#ifndef LN_BASE_ATTR_H
#define LN_BASE_ATTR_H

#include "base/context.h"

typedef enum ln_attr_type {
    LN_ATTR_INT,    /* int */
    LN_ATTR_SIZE2,  /* ln_size2; written `5` or `5x3` (h x w) */
    LN_ATTR_BOOL,   /* bool; true or false */
    LN_ATTR_FLOAT,  /* double */
    LN_ATTR_CHOICE, /* int: index into choices */
    LN_ATTR_NAME,   /* char[32]: another layer's name (for `add NAME`) */
    LN_ATTR_LIST    /* ln_list; written `0.1,1,2`; empty by default */
} ln_attr_type;

/* Some numbers. All values behind the first n are 0. */
enum { LN_MAX_LIST = 32 };
typedef struct ln_list { int n; double value[LN_MAX_LIST]; } ln_list;

typedef struct ln_attr {
    const char        *key;
    ln_attr_type       type;
    size_t             offset;      /* in the owner's argument struct */
    bool               required;
    bool               positional;  /* may be given without its key, in the table's order */
    double             preset;      /* default (choice: index); SIZE2: both sides */
    double             low, high;   /* inclusive range of numbers (LIST: of each); -INFINITY, INFINITY: open */
    const char *const *choices;     /* NULL-terminated, for LN_ATTR_CHOICE */
    const char        *help;        /* one line */
} ln_attr; /* a table ends with a row whose key is NULL */

/* A line taken apart: "conv2d 6 kernel=5 from x as y" is word "conv2d", from "x", as "y" and the rest, which has room
 * for a full list of numbers of any length. */
enum { LN_MAX_REST = 1024 };
typedef struct ln_line { char word[32]; char from[32]; char as[32]; char rest[LN_MAX_REST]; } ln_line;

/* Splits at blanks; checks that word, from and as are ≤ 31 characters of [A-Za-z0-9_-]. rest is the other words with
 * one blank between them. who ("layer") begins messages. */
ln_status ln_line_split(const char *text, const char *who, ln_line *line, ln_error *error);

/* Fills args (zeroed by the callee, size bytes) from rest by table, then by common (may be NULL; its offsets are into
 * common_args; all its rows need their key). Everything absent gets its default; messages name owner ("layer conv2d"),
 * word, what is allowed, and the nearest. Both together have at most 64 rows. After an error args are the defaults. */
ln_status ln_attr_parse(const char *rest, const char *owner, const ln_attr *table, void *args, size_t size,
                        const ln_attr *common, void *common_args, size_t common_size, ln_error *error);
/* Sets every argument of the table to its default. */
void ln_attr_defaults(const ln_attr *table, void *args, size_t size);
/* Checks ranges and required values of a struct that a C program filled. */
ln_status ln_attr_check(const char *owner, const ln_attr *table, const void *args, ln_error *error);
/* Appends " key=value" for all that differ from their default (required ones always; positional ones bare, while all
 * before them were bare). Numbers are written so that they read back to the same bits. Returns the length needed, as
 * snprintf does; text may be NULL when size is 0. */
size_t ln_attr_print(const ln_attr *table, const void *args, char *text, size_t size);
/* "kernel (int or HxW, required, 1 to 1024): height and width of the window". Same return, and NULL is fine too. */
size_t ln_attr_describe(const ln_attr *attr, char *text, size_t size);

#endif
