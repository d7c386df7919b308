/* predict.h: a prediction: what networks are asked (predict_ask.c) about which images (predict_files.c), and how their
 * answers are printed (predict_print.c) and written (predict_out.c). */
#ifndef LN_CLI_PREDICT_H
#define LN_CLI_PREDICT_H

#include "cli.h"
#include "linnet.h"
#include "predict_save.h"
#include "text.h"

/* All answers so far, of all files; row i belongs to one image. */
typedef struct answers {
    size_t       n, capacity, k, n_classes, n_labelled, n_right; /* k: outputs */
    float       *logits, *probabilities;
    int64_t     *labels, *truth; /* truth -1: not known */
    const char **files;          /* the picture that row i is; NULL: it is no file, but image `number[i]` of a set */
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

/* ------------------------------------------------------------ one prediction */

enum { MAX_MEMBERS = 64 };

/* One of the networks that are asked. */
typedef struct member {
    const char *path;
    ln_model   *model;
    size_t      n_right; /* of the images whose label is known */
} member;

typedef struct prediction {
    const arguments *arguments;
    ln_context      *context;
    member           members[MAX_MEMBERS];
    size_t           n_members;
    ln_model        *model;        /* the first member's: what it is asked for and its classes are all others' */
    bool             votes;        /* several members: the class that most of them say; else their mean probabilities */
    size_t           first, image; /* SIZE_MAX: not given */
    size_t           n_best;
    bool             inverted, prepares, shows, lines;
    size_t           n_pictures; /* that were named so far, by themselves or by their folders: the next one's number */
    size_t           n_asked, n_unread, n_inverted; /* of these: asked about, those that could not be read, … */
    const char      *first_inverted;
    bool             spooled;    /* standard input is looked at */
    bool             usage;      /* after an error: no images can have the name that was given */
    const char      *out, *save; /* save: the folder for what the network saw */
    seen             seen;
    answers_format   format;
    answers          answers;
    pool             owner;
} prediction;

/* Where images are from. */
typedef struct origin {
    const ln_data     *named;  /* the set, whose classes may have names */
    const char *const *files;  /* of each image the name; NULL: they are no files */
    size_t             first;  /* number of the first image in it, */
    const size_t      *number; /* or of each; else NULL */
    const int64_t     *truth;  /* the class of each; NULL: as the labels say */
} origin;

/* Asks every network about the images of data, whose answers become the last rows. */
bool predict_answer(prediction *p, const ln_data *data, const origin *of, ln_error *error);
/* Predicts what is called so: a picture, a folder, a set, or - for standard input; prints what is said. */
bool predict_file(prediction *p, const char *name, ln_error *error);

/* The class that is said of image i, by its name. */
const char *predict_said(const prediction *p, size_t i, pool *owner);
/* The images of data, drawn, with the answers from row `from` on. */
void predict_show(const prediction *p, const ln_data *data, size_t from);
void predict_print_rows(prediction *p, size_t from);
void predict_print_lines(const prediction *p, size_t from);
/* The last answer, that about a picture. */
void predict_print_picture(prediction *p, const char *path);
/* How many images each member got right. */
void predict_print_members(const prediction *p);
/* Once for all pictures that look inverted. */
void predict_note_inverted(const prediction *p);

#endif
