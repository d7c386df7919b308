/* predict.h: what networks said of some images, and how it is written. */
#ifndef LN_CLI_PREDICT_H
#define LN_CLI_PREDICT_H

#include "linnet.h"
#include "text.h"

/* All answers so far, of all files; row i belongs to one image. */
typedef struct answers {
    size_t       n, capacity, k, n_classes, n_labelled, n_right; /* k: outputs */
    float       *logits, *probabilities;
    int64_t     *labels, *truth; /* truth -1: not known */
    const char **files;          /* the picture that row i is from; NULL: image `number[i]` of a set */
    size_t      *number;         /* in its set, or among the pictures that were asked about */
} answers;

/* Room for `more` rows; the caller frees with answers_free. */
void answers_reserve(answers *a, size_t more);
void answers_free(answers *a);
/* Of image i the n classes (at most all) of the highest probability, the highest first; returns how many. */
size_t answers_best(const answers *a, size_t i, size_t n, size_t *classes);
double answers_percent(const answers *a, size_t i, size_t class);

/* How a file of answers looks. */
typedef enum answers_format { ANSWERS_CSV, ANSWERS_NPZ, ANSWERS_LINES, ANSWERS_KAGGLE } answers_format;

/* One line of JSON, as a file that ends in .jsonl has them: {"image": 3, "class": "7", …}. */
void answers_line(const answers *a, const ln_model *model, size_t i, size_t n_best, text *to);
bool answers_write(const answers *a, const ln_model *model, ln_context *context, answers_format format, size_t n_best,
                   const char *path, ln_error *error);

#endif
