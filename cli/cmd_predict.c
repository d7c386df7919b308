/* cmd_predict.c: linnet predict WEIGHTS FILE, and linnet ensemble, which asks several networks. */
#include "cli.h"
#include "images.h"
#include "interrupt.h"
#include "predict.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_IMAGES = 1000000000, MAX_BEST = 1000 };

/* "takes 1x28x28 and tells 10 classes apart". */
static const char *wants_of(prediction *p, const ln_model *model) {
    size_t c, h, w;
    ln_model_input_shape(model, &c, &h, &w);
    return pool_format(&p->owner, "takes %zux%zux%zu and tells %zu classes apart", c, h, w,
                       ln_model_class_count(model));
}

static bool same_reading(ln_reading a, ln_reading b) {
    return a.h == b.h && a.w == b.w && a.grayscale == b.grayscale && a.invert == b.invert;
}

/* All members must be asked for the same, and mean the same by it. */
static bool agrees(prediction *p, const member *other, ln_error *error) {
    const size_t      n = ln_model_class_count(p->model);
    const char *const first = p->members[0].path, *const mine = wants_of(p, p->model);
    const char *const theirs = wants_of(p, other->model);
    if (strcmp(mine, theirs) != 0 || ln_model_outputs(other->model) != ln_model_outputs(p->model))
        return fill_error(error, LN_E_SHAPE, "%.150s and %.150s cannot answer together: the one %s, the other %s",
                          first, other->path, mine, theirs);
    for (size_t i = 0; i < n; i++) {
        const char *const a = class_name(p->model, i, &p->owner), *const b = class_name(other->model, i, &p->owner);
        if (strcmp(a, b) != 0)
            return fill_error(error, LN_E_SHAPE,
                              "%.150s and %.150s cannot answer together: class %zu is '%.60s' to the one, '%.60s' to "
                              "the other",
                              first, other->path, i, a, b);
    }
    if (same_reading(ln_model_reading(p->model), ln_model_reading(other->model))) return true;
    return fill_error(error, LN_E_SHAPE,
                      "%.150s and %.150s cannot answer together: their training images were read in different ways "
                      "(resize, grayscale, invert)",
                      first, other->path);
}

static bool load(prediction *p, const char *path, ln_error *error) {
    member *const m = &p->members[p->n_members];
    *m = (member){.path = path, .model = load_weights(p->context, path, error)};
    if (!m->model) return false;
    if (p->n_members++ == 0) p->model = m->model;
    return agrees(p, m, error);
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

/* The weights, which come first; *at is then the place of what they are asked about. */
static bool load_all(prediction *p, size_t *at, ln_error *error) {
    const arguments *a = p->arguments;
    do
        if (!load(p, a->words[(*at)++], error)) return false;
    while (a->verb == &verb_ensemble && *at < a->n_words && is_weights(a->words[*at]) && *at < MAX_MEMBERS);
    p->usage = *at == a->n_words || (*at == MAX_MEMBERS && is_weights(a->words[*at]));
    if (*at == a->n_words)
        return fill_error(error, LN_E_ARGUMENT, "nothing to say anything about: give a picture, a folder or a set");
    return !p->usage || fill_error(error, LN_E_ARGUMENT, "%d networks at most answer together", MAX_MEMBERS);
}

static bool predict_all(prediction *p, ln_error *error) {
    const arguments *a = p->arguments;
    size_t           at = 0;
    if (!load_all(p, &at, error)) return false;
    p->answers.k = ln_model_outputs(p->model);
    p->answers.n_classes = ln_model_class_count(p->model);
    if (!may_save(p, error)) return false;
    for (; at < a->n_words; at++)
        if (!predict_file(p, a->words[at], error)) return false;
    if (p->answers.n_labelled && !p->lines) {
        if (p->shows) putchar('\n');
        if (p->n_members > 1) predict_print_members(p);
        printf("%s%zu image%s, %zu correct (%.2f %%)\n", p->n_members > 1 ? "together: " : "", p->answers.n_labelled,
               p->answers.n_labelled == 1 ? "" : "s", p->answers.n_right,
               100 * (double)p->answers.n_right / (double)p->answers.n_labelled);
    }
    predict_note_inverted(p);
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
        return say_usage(a->verb, "format=kaggle: give the table a name that ends in .csv, as out=submission.csv"),
               false;
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

/* Would out= replace what is asked about, or who is asked? */
static bool spares_inputs(const prediction *p, const arguments *a) {
    struct stat to, from;
    if (!p->out || stat(p->out, &to) != 0 || !S_ISREG(to.st_mode)) return true;
    for (size_t i = 0; i < a->n_words; i++)
        if (stat(a->words[i], &from) == 0 && from.st_dev == to.st_dev && from.st_ino == to.st_ino)
            return say_usage(a->verb, "out=%s: this would replace %s: name another file", p->out, a->words[i]), false;
    return true;
}

static bool read_arguments(prediction *p, const arguments *a) {
    p->save = argument(a, "save");
    if (p->save && !*p->save) return say_usage(a->verb, "save=: the folder for what the network saw"), false;
    p->shows = has_flag(a, "--show");
    p->lines = has_flag(a, "--json");
    if (!read_format(p, a) || !spares_inputs(p, a) || !is_one_of(a, "invert", "true", "false", &p->inverted) ||
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
    "                 (0 for the first of class_names), numbers of the images and, where it\n"    \
    "                 is known, truth\n"                                                          \
    "  format=kaggle  the table as Kaggle takes it: ImageId (from 1), Label\n"

const verb verb_predict = {
    .name = "predict",
    .summary = "say what pictures show",
    .usage = "predict WEIGHTS FILE ... [KEY=VALUE ...] [--show] [--json]",
    .help = "Prints class and probability of each image, and whether that is right where the\n"
            "label is known. FILE is a picture (PNG, JPEG, PGM, PPM), a folder of pictures, a\n"
            "set, such as mnist:test, or - for standard input; linnet help images says more.\n"
            "Pictures that cannot be read are named, the others predicted; exit status is 1.\n"
            "In folders of classes, which are sets, all must be readable.\n"
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
