/* cmd_predict.c: linnet predict WEIGHTS FILE, and linnet ensemble, which asks several networks. */
#include "cli.h"
#include "images.h"
#include "interrupt.h"
#include "predict.h"
#include "predict_save.h"
#include "terminal.h"
#include "work.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_COLUMNS = 30, MAX_IMAGES = 1000000000, MAX_BEST = 1000, MAX_MEMBERS = 64 };

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
    size_t           n_asked, n_unread, n_inverted; /* pictures: all, those that could not be read, … */
    const char      *first_inverted;
    bool             spooled;    /* standard input is looked at */
    bool             usage;      /* after an error: no images can have the name that was given */
    const char      *out, *save; /* save: the folder for what the network saw */
    seen             seen;
    answers_format   format;
    answers          answers;
    pool             owner;
} prediction;

/* The class that an image's outputs say: the largest output, where there is one for each class. */
static size_t said_by(const answers *a, const float *logits, const float *probabilities) {
    return a->k == a->n_classes ? place_of_largest(logits, a->k) : place_of_largest(probabilities, a->n_classes);
}

/* Adds what member m says of the n images from row a->n on; votes[image][class] counts who says so. */
static bool ask(prediction *p, size_t m, const ln_data *data, size_t *votes, ln_error *error) {
    answers     *a = &p->answers;
    const size_t n = ln_data_describe(data).n;
    float *const logits = take(n * a->k, sizeof *logits), *const shares = take(n * a->n_classes, sizeof *shares);
    const bool  good = ln_predict(p->members[m].model, data, n == 1 ? 1 : 64, logits, shares, error) == LN_OK;
    const float weight = 1 / (float)p->n_members;
    for (size_t i = 0; i < n && good; i++) {
        const size_t said = said_by(a, logits + i * a->k, shares + i * a->n_classes);
        votes[i * a->n_classes + said]++;
        p->members[m].n_right += a->truth[a->n + i] == (int64_t)said;
        for (size_t j = 0; j < a->k; j++) a->logits[(a->n + i) * a->k + j] += weight * logits[i * a->k + j];
        for (size_t j = 0; j < a->n_classes; j++)
            a->probabilities[(a->n + i) * a->n_classes + j] += weight * shares[i * a->n_classes + j];
    }
    free(logits);
    free(shares);
    return good;
}

/* Shares of the votes in place of probabilities, which decide between equally many; the class that wins. */
static size_t elect(const prediction *p, const size_t *votes, float *shares) {
    size_t best = 0;
    for (size_t j = 1; j < p->answers.n_classes; j++)
        if (votes[j] > votes[best] || (votes[j] == votes[best] && shares[j] > shares[best])) best = j;
    for (size_t j = 0; j < p->answers.n_classes; j++) shares[j] = (float)votes[j] / (float)p->n_members;
    return best;
}

static bool ask_all(prediction *p, const ln_data *data, ln_error *error) {
    answers      *a = &p->answers;
    const size_t  n = ln_data_describe(data).n;
    size_t *const votes = take(n * a->n_classes, sizeof *votes);
    bool          good = true;
    for (size_t m = 0; m < p->n_members && good; m++) good = ask(p, m, data, votes, error);
    for (size_t i = 0; i < n && good; i++) {
        float *const shares = a->probabilities + (a->n + i) * a->n_classes;
        a->labels[a->n + i] =
            (int64_t)(p->votes ? elect(p, votes + i * a->n_classes, shares) : place_of_largest(shares, a->n_classes));
    }
    free(votes);
    return good;
}

/* One network's own values, to the bit. */
static bool ask_one(prediction *p, const ln_data *data, ln_error *error) {
    answers     *a = &p->answers;
    const size_t n = ln_data_describe(data).n;
    float *const logits = a->logits + a->n * a->k, *const shares = a->probabilities + a->n * a->n_classes;
    if (ln_predict(p->model, data, n == 1 ? 1 : 64, logits, shares, error) != LN_OK) return false;
    for (size_t i = 0; i < n; i++)
        a->labels[a->n + i] = (int64_t)said_by(a, logits + i * a->k, shares + i * a->n_classes);
    return true;
}

/* Where images are from. */
typedef struct origin {
    const char        *file;  /* the picture's name; NULL: a set */
    const ln_data     *named; /* the set, whose classes may have names */
    size_t             first; /* number of the first image in it */
    const char *const *files; /* of photos of a set: the name, the number and the class of each; else NULL */
    const size_t      *number;
    const int64_t     *truth;
} origin;

static bool answer(prediction *p, const ln_data *data, const origin *of, ln_error *error) {
    answers     *a = &p->answers;
    const size_t n = ln_data_describe(data).n;
    answers_reserve(a, n);
    for (size_t i = 0; i < n; i++) {
        a->truth[a->n + i] = of->truth ? of->truth[i] : images_answer(p->model, of->named, ln_data_label(data, i));
        a->files[a->n + i] = of->files ? of->files[i] : of->file;
        a->number[a->n + i] = of->number ? of->number[i] : of->first + i;
    }
    memset(a->logits + a->n * a->k, 0, n * a->k * sizeof *a->logits);
    memset(a->probabilities + a->n * a->n_classes, 0, n * a->n_classes * sizeof *a->probabilities);
    if (!(p->n_members == 1 ? ask_one(p, data, error) : ask_all(p, data, error))) return false;
    for (size_t i = a->n; i < a->n + n; i++) {
        a->n_labelled += a->truth[i] >= 0;
        a->n_right += a->truth[i] == a->labels[i];
    }
    a->n += n;
    return true;
}

/* ---------------------------------------------------------------- printing */

static double percent(const answers *a, size_t i) { return answers_percent(a, i, (size_t)a->labels[i]); }

/* "1 0.52 %, 9 0.10 %": what else it may be, the likeliest first. */
static const char *others(prediction *p, size_t i, pool *owner) {
    const answers *a = &p->answers;
    size_t *const  classes = pool_take(owner, p->n_best * sizeof *classes);
    const size_t   n = answers_best(a, i, p->n_best, classes);
    text           list = {0};
    for (size_t j = 0; j < n; j++)
        if (classes[j] != (size_t)a->labels[i])
            text_add(&list, "%s%s %.2f %%", list.n ? ", " : "", class_name(p->model, classes[j], owner),
                     answers_percent(a, i, classes[j]));
    const char *const copy = pool_copy(owner, list.n ? list.bytes : "", list.n);
    text_free(&list);
    return copy;
}

static const char *said(const prediction *p, size_t i, pool *owner) {
    return class_name(p->model, (size_t)p->answers.labels[i], owner);
}

static const char *verdict(const prediction *p, size_t i, pool *owner) {
    const answers *a = &p->answers;
    if (a->truth[i] < 0) return "";
    return a->truth[i] == a->labels[i]
               ? "right"
               : pool_format(owner, "wrong, is %s", class_name(p->model, (size_t)a->truth[i], owner));
}

/* Pictures side by side, as many as the terminal is wide, what the network says of them below. */
static void show(const prediction *p, const ln_data *data, size_t from) {
    const answers     *a = &p->answers;
    const ln_data_info info = ln_data_describe(data);
    const terminal     look = terminal_of(stdout);
    const size_t       width = terminal_width(stdout), half = (info.w + 1) / 2,
                 limit = width < MAX_COLUMNS ? width : MAX_COLUMNS;
    const size_t columns = half < limit ? half : limit, cell = columns < 14 ? 14 : columns;
    const size_t per_line = width > cell + 2 ? (width + 2) / (cell + 2) : 1;
    for (size_t i = 0; i < info.n; i += per_line) {
        pool          owner = {0};
        const size_t  n = info.n - i < per_line ? info.n - i : per_line;
        const char ***pictures = pool_take(&owner, n * sizeof *pictures);
        size_t        n_rows = 0;
        for (size_t j = 0; j < n; j++) pictures[j] = images_draw(data, i + j, columns, look.utf8, &n_rows, &owner);
        for (size_t row = 0; row < n_rows; row++, putchar('\n'))
            for (size_t j = 0; j < n; j++)
                printf("%s%s%*s", j ? "  " : "", pictures[j][row], j + 1 < n ? (int)(cell - columns) : 0, "");
        for (size_t j = 0; j < n; j++) {
            char words[40];
            snprintf(words, sizeof words, "%.24s  %.2f %%", said(p, from + i + j, &owner), percent(a, from + i + j));
            printf("%s%-*s", j ? "  " : "", j + 1 < n ? (int)cell : 0, words);
        }
        putchar('\n');
        for (size_t j = 0; info.has_labels && j < n; j++) {
            const bool right = a->truth[from + i + j] == a->labels[from + i + j];
            printf("%s%s%-*s%s", j ? "  " : "", terminal_style(&look, right ? STYLE_GOOD : STYLE_BAD),
                   j + 1 < n ? (int)cell : 0, verdict(p, from + i + j, &owner), terminal_style(&look, STYLE_PLAIN));
        }
        if (info.has_labels) putchar('\n');
        if (i + n < info.n) putchar('\n');
        pool_free(&owner);
    }
}

static void print_rows(prediction *p, size_t from) {
    const answers *a = &p->answers;
    table          t = {.align = p->n_best > 1 ? "rrrll" : "rrrl"};
    pool           owner = {0};
    table_add(&t, "image"), table_add(&t, "class"), table_add(&t, "probability");
    if (p->n_best > 1) table_add(&t, "or");
    table_add(&t, "%s", "");
    for (size_t i = from; i < a->n; i++) {
        table_add(&t, "%zu", a->number[i]);
        table_add(&t, "%s", said(p, i, &owner));
        table_add(&t, "%.2f %%", percent(a, i));
        if (p->n_best > 1) table_add(&t, "%s", others(p, i, &owner));
        table_add(&t, "%s", verdict(p, i, &owner));
    }
    table_print(&t, stdout);
    pool_free(&owner);
}

static void print_lines(const prediction *p, size_t from) {
    for (size_t i = from; i < p->answers.n; i++) {
        text line = {0};
        answers_line(&p->answers, p->model, i, p->n_best, &line);
        fputs(line.bytes, stdout);
        text_free(&line);
    }
}

static void print_picture(prediction *p, const char *path) {
    const size_t i = p->answers.n - 1;
    pool         owner = {0};
    const char  *more = p->n_best > 1 ? others(p, i, &owner) : "";
    printf("%s: %s (%.2f %%)%s%s\n", path, said(p, i, &owner), percent(&p->answers, i), *more ? "; or " : "", more);
    pool_free(&owner);
}

/* -------------------------------------------------------------------- runs */

/* A picture that cannot be read is told, and the others are predicted; what is true of all of them ends the work. */
static bool skip(prediction *p, ln_error *error) {
    const ln_status s = error->status;
    if (s != LN_E_FORMAT && s != LN_E_IO && s != LN_E_UNSUPPORTED && !(s == LN_E_SHAPE && p->prepares)) return false;
    say_error(error);
    *error = (ln_error){0};
    p->n_unread++;
    return true;
}

/* Where grey images may lie the other way round than those of the training, and nothing tells which way those did. */
static bool minds_inverted(const prediction *p) {
    const ln_reading r = ln_model_reading(p->model);
    size_t           c, h, w;
    ln_model_input_shape(p->model, &c, &h, &w);
    return c == 1 && !p->inverted && r.h == 0 && !r.grayscale && !r.invert;
}

/* Once, however many there are. */
static void note_inverted(const prediction *p) {
    size_t c, h, w;
    pool   owner = {0};
    if (p->n_inverted == 0) return;
    ln_model_input_shape(p->model, &c, &h, &w);
    const size_t      n = p->n_asked - p->n_unread;
    const bool        one = p->n_inverted == 1;
    const char *const who = n == 1 ? p->first_inverted : pool_format(&owner, "%zu of %zu pictures", p->n_inverted, n);
    say("note: %s look%s inverted (light around the middle), where the training images are light on dark: invert=true "
        "turns %s over%s",
        who, one ? "s" : "", one ? "it" : "them", h == w ? ", and prepare=mnist finds the digit in a photo" : "");
    pool_free(&owner);
}

/* Are pictures to be turned over? As the training images were, and once more where asked for. */
static bool turns(const prediction *p) { return !p->prepares && p->inverted != ln_model_reading(p->model).invert; }

/* Keeps the n images of data, whose answers are the last ones; called: the picture or the set that they are from. */
static void keep_seen(prediction *p, const ln_data *data, size_t n, const char *called, bool numbered) {
    const size_t from = p->answers.n - n;
    const double scale = ln_model_preprocess(p->model).scale;
    pool         owner = {0};
    for (size_t i = 0; i < n && p->save; i++)
        seen_add(&p->seen, numbered ? pool_format(&owner, "%s_%05zu.", called, p->answers.number[from + i]) : called,
                 said(p, from + i, &owner), data, i, scale);
    pool_free(&owner);
}

/* The picture as the network takes it. */
static ln_data *open_picture(prediction *p, const char *path, const char *called, ln_error *error) {
    bool   looks_inverted = false;
    size_t c, h, w;
    ln_model_input_shape(p->model, &c, &h, &w);
    const bool square = c == 1 && h == w;
    if (p->prepares && square) return ln_data_from_photo(p->context, path, h, error);
    if (p->prepares) {
        fill_error(error, LN_E_ARGUMENT,
                   "prepare=mnist makes square grey images, and the network takes %zux%zux%zu: leave it out", c, h, w);
        return NULL;
    }
    ln_data *const data = ln_data_from_picture(p->context, path, c, h, w, &looks_inverted, error);
    if (looks_inverted && minds_inverted(p) && p->n_inverted++ == 0)
        p->first_inverted = pool_format(&p->owner, "%s", called);
    return data;
}

/* called: what it is in the answers, and `number` its number there. */
static bool predict_picture(prediction *p, const char *path, const char *called, size_t number, ln_error *error) {
    p->n_asked++;
    ln_data *data = open_picture(p, path, called, error);
    if (!data) return skip(p, error);
    ln_data       *turned = turns(p) ? images_part(p->context, data, 0, 1, true, &p->owner, error) : NULL;
    const ln_data *image = turns(p) ? turned : data;
    const char    *name = pool_format(&p->owner, "%s", called);
    const bool     good = image && answer(p, image, &(origin){.file = name, .named = image, .first = number}, error);
    if (good) keep_seen(p, image, 1, strcmp(called, "-") == 0 ? "input" : called, false);
    if (good && p->shows) show(p, image, p->answers.n - 1);
    if (good && p->lines) print_lines(p, p->answers.n - 1);
    else if (good) print_picture(p, name);
    ln_data_free(turned);
    ln_data_free(data);
    return good;
}

static bool refuse_image(const prediction *p, const char *name, size_t n, ln_error *error) {
    return fill_error(error, LN_E_ARGUMENT, "image=%zu: %.200s has %zu image%s, 0 to %zu", p->image, name, n,
                      n == 1 ? "" : "s", n - 1);
}

/* Which of the n images of that name are asked about: from the one to before the other. */
static bool choose(const prediction *p, const char *name, size_t n, size_t *from, size_t *end, ln_error *error) {
    const bool one = p->image != SIZE_MAX;
    *from = one ? p->image : 0;
    *end = one ? p->image + 1 : p->first < n ? p->first : n;
    return *from < n || refuse_image(p, name, n, error);
}

/* "mnist:test" as "mnist_test", "x/test.csv" as "test": what its pictures are called; the path of a file that standard
 * input was kept in as "input". */
static const char *set_name(prediction *p, const char *name) {
    const char *const slash = strrchr(name, '/'), *const last = slash ? slash + 1 : name;
    char *const copy = pool_copy(&p->owner, last, strlen(last));
    char *const dot = strrchr(copy, '.');
    if (dot && dot > copy) *dot = '\0';
    return p->spooled ? "input" : copy;
}

/* What is said of the images of a set. */
static bool tell_set(prediction *p, const char *name, const ln_data *data, const origin *of, ln_error *error) {
    const size_t before = p->answers.n;
    if (!answer(p, data, of, error)) return false;
    keep_seen(p, data, p->answers.n - before, set_name(p, name), true);
    if (p->shows) show(p, data, before);
    else if (p->lines) print_lines(p, before);
    else print_rows(p, before);
    return true;
}

static bool predict_set(prediction *p, const char *name, ln_error *error) {
    const ln_reading reading = images_reading(p->model, name);
    ln_data         *all = ln_data_open_as(p->context, name, "test", NULL, &reading, error), *part = NULL;
    size_t           from, end;
    p->usage = !all && error->status == LN_E_ARGUMENT;
    if (!all) return false;
    images_fit(all, p->model);
    const size_t n = ln_data_describe(all).n;
    bool         good = choose(p, name, n, &from, &end, error);
    const bool   cut = good && (end - from < n || p->inverted);
    if (cut) part = images_part(p->context, all, from, end - from, p->inverted, &p->owner, error);
    good = good && (part || !cut) && tell_set(p, name, cut ? part : all, &(origin){.named = all, .first = from}, error);
    ln_data_free(part);
    ln_data_free(all);
    return good;
}

/* Photos in folders of classes, made into images as those of one set. */
typedef struct photos {
    const char **path;
    size_t      *number;
    int64_t     *truth;
    uint8_t     *pixels, *labels; /* labels: that there are some; truth says which */
    size_t       n, side;
} photos;

/* The output that is called so; -1: none is. */
static int64_t output_called(prediction *p, const char *word) {
    for (size_t i = 0; i < p->answers.n_classes; i++)
        if (strcmp(class_name(p->model, i, &p->owner), word) == 0) return (int64_t)i;
    return -1;
}

/* The paths and classes of all pictures in the folders. */
static photos list_photos(prediction *p, const char *const *folders, size_t n_folders) {
    const char ***const names = pool_take(&p->owner, (n_folders + 1) * sizeof *names);
    size_t *const       n_of = pool_take(&p->owner, (n_folders + 1) * sizeof *n_of);
    photos              list = {0};
    for (size_t k = 0; k < n_folders; k++) list.n += n_of[k] = images_in_folder(folders[k], &names[k], &p->owner);
    list.path = pool_take(&p->owner, (list.n + 1) * sizeof *list.path);
    list.truth = pool_take(&p->owner, (list.n + 1) * sizeof *list.truth);
    for (size_t k = 0, at = 0; k < n_folders; k++) {
        const int64_t class = output_called(p, strrchr(folders[k], '/') + 1);
        for (size_t i = 0; i < n_of[k]; i++, at++) list.path[at] = names[k][i], list.truth[at] = class;
    }
    return list;
}

/* Reads photos from to end-1, and leaves those in the list that could be read. */
static bool read_photos(prediction *p, photos *list, size_t from, size_t end, ln_error *error) {
    size_t c, h, w;
    ln_model_input_shape(p->model, &c, &h, &w);
    list->n = 0;
    list->side = h;
    list->pixels = pool_take(&p->owner, (end - from) * h * w);
    list->labels = pool_take(&p->owner, end - from);
    list->number = pool_take(&p->owner, (end - from) * sizeof *list->number);
    for (size_t i = from; i < end; i++) {
        work_show(NULL, "reading photos", i - from, end - from);
        p->n_asked++;
        ln_data *const photo = open_picture(p, list->path[i], list->path[i], error);
        if (!photo && !skip(p, error)) return false;
        if (!photo) continue;
        const size_t at = list->n++;
        memcpy(list->pixels + at * h * w, ln_data_image(photo, 0), h * w);
        list->labels[at] = 0;
        list->number[at] = i;
        list->path[at] = list->path[i];
        list->truth[at] = list->truth[i];
        ln_data_free(photo);
    }
    work_show(NULL, "reading photos", end - from, end - from);
    return true;
}

static bool predict_photos(prediction *p, const char *name, const char *const *folders, size_t n_folders,
                           ln_error *error) {
    photos list = list_photos(p, folders, n_folders);
    size_t from, end;
    if (list.n == 0)
        return fill_error(error, LN_E_ARGUMENT, "%.200s: no picture in it, nor in its folders: give another folder",
                          name);
    if (!choose(p, name, list.n, &from, &end, error) || !read_photos(p, &list, from, end, error)) return false;
    if (list.n == 0) return true;
    ln_data *const data =
        ln_data_from_bytes(p->context, list.pixels, list.labels, list.n, 1, list.side, list.side, error);
    const origin of = {.named = data, .files = list.path, .number = list.number, .truth = list.truth};
    const bool   good = data && tell_set(p, name, data, &of, error);
    ln_data_free(data);
    return good;
}

/* Standard input as a file, since sets are looked at before they are read; NULL: it could not be kept. */
static const char *spool(prediction *p, ln_error *error) {
    const char *const folder = getenv("TMPDIR");
    char *const       path = pool_format(&p->owner, "%s/linnet-XXXXXX", folder && *folder ? folder : "/tmp");
    const int         file = mkstemp(path);
    char              bytes[1 << 16];
    ssize_t           n = file < 0 ? -1 : 1;
    while (n > 0 && (n = read(STDIN_FILENO, bytes, sizeof bytes)) > 0)
        if (write(file, bytes, (size_t)n) != n) n = -1;
    if (n == 0 && close(file) == 0) return path;
    fill_error(error, LN_E_IO, "standard input cannot be kept in %.200s: %s", path, strerror(errno));
    if (file >= 0) unlink(path);
    return NULL;
}

/* A picture, or those of a folder. */
static bool predict_pictures(prediction *p, const char *name, const char *const *pictures, size_t n, ln_error *error) {
    const size_t before = p->n_asked;
    size_t       from, end;
    if (!choose(p, name, n, &from, &end, error)) return false;
    for (size_t i = from; i < end; i++) {
        if (!isatty(STDOUT_FILENO)) /* there the lines themselves are a sign */
            work_show(NULL, "predicting", i - from, end - from);
        if (!predict_picture(p, pictures[i], pictures[i], before + i, error)) return false;
    }
    work_show(NULL, "predicting", end - from, end - from);
    return true;
}

static bool predict_file(prediction *p, const char *name, const char *called, ln_error *error) {
    const char **names;
    size_t       from, end;
    if (images_is_picture(name))
        return choose(p, called, 1, &from, &end, error) && predict_picture(p, name, called, p->n_asked, error);
    size_t n = images_in_folder(name, &names, &p->owner);
    if (n) return predict_pictures(p, name, names, n, error);
    if (!p->prepares) return predict_set(p, name, error);
    n = images_folders_in(name, &names, &p->owner);
    if (n) return predict_photos(p, name, names, n, error);
    fill_error(error, LN_E_ARGUMENT, "prepare=mnist is for photos, and %.200s is a set of images: leave it out", name);
    p->usage = true;
    return false;
}

static bool predict_input(prediction *p, ln_error *error) {
    const char *const path = spool(p, error);
    p->spooled = true;
    const bool good = path && predict_file(p, path, "-", error);
    p->spooled = false;
    if (path) unlink(path);
    return good;
}

/* All members must be asked for the same, and mean the same by it. */
static bool agrees(prediction *p, const member *other, ln_error *error) {
    size_t       s[2][3];
    const size_t n = ln_model_class_count(p->model);
    ln_model_input_shape(p->model, &s[0][0], &s[0][1], &s[0][2]);
    ln_model_input_shape(other->model, &s[1][0], &s[1][1], &s[1][2]);
    bool same = ln_model_outputs(other->model) == ln_model_outputs(p->model) &&
                ln_model_class_count(other->model) == n && memcmp(s[0], s[1], sizeof s[0]) == 0;
    for (size_t i = 0; i < n && same; i++)
        same = strcmp(class_name(p->model, i, &p->owner), class_name(other->model, i, &p->owner)) == 0;
    if (same) return true;
    return fill_error(
        error, LN_E_SHAPE,
        "%.200s and %.200s cannot answer together: they take images of other shapes or tell other classes apart",
        p->members[0].path, other->path);
}

static bool load(prediction *p, const char *path, ln_error *error) {
    member *const m = &p->members[p->n_members];
    *m = (member){.path = path, .model = ln_model_load(p->context, path, error)};
    if (!m->model) return false;
    if (p->n_members++ == 0) p->model = m->model;
    return agrees(p, m, error);
}

static void print_members(const prediction *p) {
    const answers *a = &p->answers;
    for (size_t m = 0; m < p->n_members; m++)
        printf("%s: %zu correct (%.2f %%)\n", p->members[m].path, p->members[m].n_right,
               100 * (double)p->members[m].n_right / (double)a->n_labelled);
}

static bool may_save(prediction *p, ln_error *error) {
    size_t c, h, w;
    ln_model_input_shape(p->model, &c, &h, &w);
    if (!p->save) return true;
    p->usage = !seen_may(p->save, error);
    if (p->usage) return false;
    if ((c == 1 || c == 3) && h * w > 1) return true;
    return fill_error(
        error, LN_E_SHAPE,
        "save=: the network takes %zux%zux%zu, and a picture has 1 or 3 channels and some pixels: leave it out", c, h,
        w);
}

/* The weights first, then what they are asked about. */
static bool predict_all(prediction *p, ln_error *error) {
    const arguments *a = p->arguments;
    size_t           at = 0;
    do
        if (!load(p, a->words[at++], error)) return false;
    while (a->verb == &verb_ensemble && at < a->n_words && is_weights(a->words[at]) && at < MAX_MEMBERS);
    p->answers.k = ln_model_outputs(p->model);
    p->answers.n_classes = ln_model_class_count(p->model);
    if (!may_save(p, error)) return false;
    for (; at < a->n_words; at++)
        if (!(strcmp(a->words[at], "-") == 0 ? predict_input(p, error)
                                             : predict_file(p, a->words[at], a->words[at], error)))
            return false;
    if (p->answers.n_labelled && !p->lines) {
        if (p->shows) putchar('\n');
        if (p->n_members > 1) print_members(p);
        printf("%s%zu image%s, %zu correct (%.2f %%)\n", p->n_members > 1 ? "together: " : "", p->answers.n_labelled,
               p->answers.n_labelled == 1 ? "" : "s", p->answers.n_right,
               100 * (double)p->answers.n_right / (double)p->answers.n_labelled);
    }
    note_inverted(p);
    if (p->n_unread && p->answers.n == 0) return true; /* nothing to write, as has been said */
    if (p->save && !seen_write(&p->seen, p->context, p->save, error)) return false;
    if (!p->out) return true;
    return answers_write(&p->answers, p->model, p->context, p->format, p->n_best, p->out, error);
}

/* Of the name's ending, unless format says that it is Kaggle's. */
static bool read_format(prediction *p, const arguments *a) {
    const char *const format = argument(a, "format");
    p->out = argument(a, "out");
    if (format && strcmp(format, "kaggle") != 0)
        return say_usage(a->verb, "format=%s: kaggle is the only one; otherwise the ending of out= says it", format),
               false;
    if (format && (!p->out || !ends_in(p->out, ".csv")))
        return say_usage(a->verb, "format=kaggle: give the table a name, as out=submission.csv"), false;
    p->format = format ? ANSWERS_KAGGLE : ANSWERS_CSV;
    if (!p->out || ends_in(p->out, ".csv")) return true;
    if (ends_in(p->out, ".npz")) p->format = ANSWERS_NPZ;
    else if (ends_in(p->out, ".jsonl")) p->format = ANSWERS_LINES;
    else return say_usage(a->verb, "out=%s: the name must end in .csv, .npz or .jsonl", p->out), false;
    return true;
}

static bool is_one_of(const arguments *a, const char *key, const char *yes, const char *no, bool *is) {
    const char *const value = argument(a, key);
    *is = value && strcmp(value, yes) == 0;
    if (!value || *is || strcmp(value, no) == 0) return true;
    return say_usage(a->verb, "%s=%s: must be %s or %s", key, value, yes, no), false;
}

static bool read_arguments(prediction *p, const arguments *a) {
    p->save = argument(a, "save");
    if (p->save && !*p->save) return say_usage(a->verb, "save=: the folder for what the network saw"), false;
    p->shows = has_flag(a, "--show");
    p->lines = has_flag(a, "--json");
    if (!read_format(p, a) || !is_one_of(a, "invert", "true", "false", &p->inverted) ||
        !is_one_of(a, "prepare", "mnist", "none", &p->prepares) || !is_one_of(a, "by", "vote", "average", &p->votes))
        return false;
    if (p->prepares && p->inverted)
        return say_usage(a->verb, "invert= and prepare=: prepare=mnist sees by itself which is ink: leave invert out"),
               false;
    if (argument(a, "first") && argument(a, "image"))
        return say_usage(a->verb, "first= and image= choose images, each in its way: give one of them"), false;
    return argument_count(a, "first", 1, MAX_IMAGES, &p->first) &&
           argument_count(a, "image", 0, MAX_IMAGES, &p->image) && argument_count(a, "top", 1, MAX_BEST, &p->n_best);
}

/* One image does not pay for a second thread. */
static int threads_for(const arguments *a, const prediction *p) {
    bool one = true;
    for (size_t i = 1; i < a->n_words; i++) one = one && images_is_picture(a->words[i]);
    return one || p->image != SIZE_MAX ? 1 : 0;
}

static int run(const arguments *a) {
    prediction p = {.arguments = a, .first = SIZE_MAX, .image = SIZE_MAX, .n_best = 1};
    ln_error   error = {0};
    if (!read_arguments(&p, a)) return STATUS_USAGE;
    if (p.save) interrupt_listen();      /* half a folder is taken away */
    if (p.out) signal(SIGPIPE, SIG_IGN); /* the file is wanted, whoever reads the rest */
    p.context = open_context(threads_for(a, &p));
    if (!p.context) return STATUS_FAILED;
    int status = STATUS_OK;
    if (!predict_all(&p, &error)) status = p.usage ? say_usage(a->verb, "%s", error.message) : say_error(&error);
    if (p.n_unread && p.n_asked > 1) say("%zu of %zu pictures could not be read", p.n_unread, p.n_asked);
    if (p.n_unread && status == STATUS_OK) status = STATUS_FAILED;
    answers_free(&p.answers);
    seen_free(&p.seen);
    for (size_t m = 0; m < p.n_members; m++) ln_model_free(p.members[m].model);
    ln_context_free(p.context);
    pool_free(&p.owner);
    return status;
}

#define OPTIONS                                                                                   \
    "  --show         draws the images\n"                                                         \
    "  --json         a line of JSON for each image, instead of the table\n"                      \
    "  first=N        the first N images of a set or folder only\n"                               \
    "  image=N        image N of a set or folder only, counted from 0\n"                          \
    "  top=N          the N likeliest classes of each image\n"                                    \
    "  invert=true    turns dark on light into light on dark, as MNIST is\n"                      \
    "  prepare=mnist  for photos of digits: finds the ink, whichever way round it and the\n"      \
    "                 paper are and whatever shadow lies over both, and makes of it an image\n"   \
    "                 as MNIST's were made\n"                                                     \
    "  save=FOLDER    writes what the network saw, as PNG files called by source and answer,\n"   \
    "                 such as photo7_4.png; the folder must be new or empty\n"                    \
    "  out=NAME       writes a table for a name that ends in .csv; for one in .jsonl a line of\n" \
    "                 JSON an image; for one in .npz the arrays logits, probabilities, labels\n"  \
    "                 (the classes said) and, where it is known, truth\n"                         \
    "  format=kaggle  the table as Kaggle takes it: ImageId (from 1), Label\n"

const verb verb_predict = {
    .name = "predict",
    .summary = "say what pictures show",
    .usage = "predict WEIGHTS FILE ... [KEY=VALUE ...] [--show] [--json]",
    .help = "Prints class and probability of each image, and whether that is right where the\n"
            "label is known. FILE is a picture (PNG, JPEG, PGM, PPM), a folder of pictures, a\n"
            "set, such as mnist:test, or - for standard input; linnet help images says more.\n"
            "Pictures that cannot be read are named, the others predicted; exit status is 1.\n"
            "\n" OPTIONS "\n"
            "  linnet predict runs/1/weights/last.safetensors seven.png\n"
            "  linnet predict runs/1/weights/last.safetensors photo.png prepare=mnist --show\n"
            "  linnet predict runs/1/weights/last.safetensors mnist:test first=10 --show\n"
            "  linnet predict runs/1/weights/last.safetensors test.csv out=x.csv format=kaggle\n",
    .flags = (const char *const[]){"--show", "--json", NULL},
    .keys = (const char *const[]){"first", "image", "top", "invert", "prepare", "save", "out", "format", NULL},
    .n_min = 2,
    .n_max = SIZE_MAX,
    .run = run,
};

const verb verb_ensemble = {
    .name = "ensemble",
    .summary = "let several networks say together what pictures show",
    .usage = "ensemble WEIGHTS WEIGHTS ... FILE ... [by=average|vote] [KEY=VALUE ...]",
    .help = "Asks every network and answers as one: by the mean of their probabilities, or by\n"
            "the class that most of them name (of equally many, the likelier one; a class's\n"
            "probability is then its share of the votes). Of labelled images it also says how\n"
            "many each of them got right. They must take images of one shape and tell the same\n"
            "classes apart. FILE is as for predict.\n"
            "\n"
            "  by=vote        by votes (by=average: by mean probabilities, the default)\n" OPTIONS "\n"
            "  linnet ensemble runs/*/weights/last.safetensors mnist:test first=10\n",
    .flags = (const char *const[]){"--show", "--json", NULL},
    .keys = (const char *const[]){"by", "first", "image", "top", "invert", "prepare", "save", "out", "format", NULL},
    .n_min = 2,
    .n_max = SIZE_MAX,
    .run = run,
};
