/* data.h: the words of the verb `data`, a file each, and what they share. */
#ifndef LN_CLI_DATA_H
#define LN_CLI_DATA_H

#include "cli.h"

/* words[0] of the arguments is the word itself; n_min and n_max count those behind it. */
typedef struct data_word {
    const char        *name, *usage;
    const char *const *keys, *const *flags; /* of the verb's those that it takes, NULL-terminated */
    size_t             n_min, n_max;
    bool               overrides; /* other KEY=VALUE belong to the recipe */
    int (*run)(const arguments *a);
} data_word;

extern const data_word data_info, data_convert, data_preview, data_fetch;

typedef struct data_parts { ln_data *train, *test; } data_parts;

/* How images are to be read: the keys resize=HxW and grayscale=true, as in a recipe. False after a message. */
bool data_reading(const arguments *a, ln_reading *reading);
/* name's images; test is NULL where it has one part only, or names one of them. False with the error filled; the caller
 * frees both in any case. */
bool data_open(ln_context *context, const char *name, const ln_reading *reading, data_parts *parts, ln_error *error);
void data_free(data_parts *parts);
/* Gives both parts the shape of the key shape=CxHxW, where it is given. */
bool data_shape(const arguments *a, data_parts *parts, ln_error *error);
/* What could not be opened or written: of the command line, where the names in it are to blame. */
int  data_fail(const arguments *a, const ln_error *error);

/* Images that are the same, value for value, as an earlier one (or as one of other images). */
typedef struct data_twins {
    size_t n;             /* that are such copies */
    size_t first, second; /* the first copy, and what it is a copy of */
    size_t n_relabelled;  /* of them under another label */
} data_twins;

typedef struct data_stats {
    const ln_data *data;
    ln_data_info   info;
    size_t         n_values;           /* of an image */
    double         low, high, mean, deviation;
    size_t         n_constant;         /* values that are the same in all images */
    size_t         n_of[256], n_present; /* images by class; classes that have any */
    int            largest, smallest;  /* of the classes present; -1 without labels */
    data_twins     twins;
    struct data_key *keys;             /* of every image, in order of their hashes */
} data_stats;

void data_measure(const ln_data *data, data_stats *stats);
/* The test images that are training images too: first counts among the test images, second among the others. */
data_twins data_shared(const data_stats *train, const data_stats *test);
void       data_stats_free(data_stats *stats);

/* A PNG with the first images of each class, a row a class, or without labels the first 64 images. */
bool data_sheet(ln_context *context, const char *path, const data_stats *stats, ln_error *error);

#endif
