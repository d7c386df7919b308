/* cli.h: what the verbs of the command share: arguments, messages, exit statuses, the table of verbs. */
#ifndef LN_CLI_CLI_H
#define LN_CLI_CLI_H

#include "linnet.h"
#include "text.h"

enum { STATUS_OK = 0, STATUS_FAILED = 1, STATUS_USAGE = 2 };

typedef struct arguments arguments;

typedef struct verb {
    const char        *name, *summary;
    const char        *usage;      /* "train RECIPE [KEY=VALUE ...]" */
    const char        *help;       /* what follows the usage line, examples included */
    const char *const *flags;      /* "--json", NULL-terminated, or NULL */
    const char *const *keys;       /* of KEY=VALUE that are the verb's own, NULL-terminated, or NULL */
    size_t             n_min, n_max; /* words (files) it takes */
    bool               overrides;  /* other KEY=VALUE belong to the recipe */
    int (*run)(const arguments *a);
} verb;

/* The command line after the verb, taken apart. "--" ends flags and pairs. */
struct arguments {
    const verb  *verb;
    const char **words;
    size_t       n_words;
    const char **pairs; /* KEY=VALUE that are no keys of the verb */
    size_t       n_pairs;
    const char **own;   /* KEY=VALUE that are */
    size_t       n_own;
    const char **flags;
    size_t       n_flags;
};

#define VERB(name) extern const verb verb_##name;
#include "verbs.def"
#undef VERB
extern const verb *const verbs[]; /* NULL-terminated */

void print_help(void);
void print_verb_help(const verb *v);

/* Writes "linnet: " and the sentence to stderr, control characters made harmless; returns STATUS_FAILED. */
int say(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* The same with the verb's --help named; returns STATUS_USAGE. */
int say_usage(const verb *v, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The library's message. */
int say_error(const ln_error *error);

/* Fills an error as the library does: one sentence. Returns false. */
bool fill_error(ln_error *error, ln_status status, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The value of the verb's key, or NULL: the last one given. */
const char *argument(const arguments *a, const char *key);
bool        has_flag(const arguments *a, const char *flag);
/* argument as a whole number from low to high; *value keeps its default when the key is absent. False: a message was
 * written and the verb returns STATUS_USAGE. */
bool argument_count(const arguments *a, const char *key, size_t low, size_t high, size_t *value);

/* A context with n_threads (0: as many as there are) whose warnings go to stderr, and whose long work shows (work.h);
 * NULL after a message. */
ln_context *open_context(int n_threads);
/* The same, its warnings told to warn. */
ln_context *open_context_telling(int n_threads, void (*warn)(void *user, const char *line), void *user);

/* The first bytes of a file, at most n of them, and how many there are: 0 for what cannot be opened, and for a pipe,
 * whose bytes come once. */
size_t file_head(const char *path, unsigned char *bytes, size_t n);
bool is_folder(const char *path);
/* The path without slashes at its end: runs/1/ and runs/1 are one. */
const char *without_slash(pool *owner, const char *path);
/* Does path end so, with something before it? */
bool   ends_in(const char *path, const char *end);
/* A weights file, by its first bytes or its name, or the folder of a run, which stands for its last weights. */
bool   is_weights(const char *path);
/* The model that they hold; NULL on error. */
ln_model *load_weights(ln_context *context, const char *path, ln_error *error);
/* The run that weights belong to: "runs/1" for runs/1/ and for runs/1/weights/last.safetensors; NULL: they lie in no
 * run's folder. */
const char *run_of_weights(pool *owner, const char *path);

/* What output i stands for: its name in the weights, or its number. */
const char *class_name(const ln_model *model, size_t i, pool *owner);
/* Where the largest of n values is, the first of equals. n >= 1. */
size_t place_of_largest(const float *values, size_t n);

#endif
