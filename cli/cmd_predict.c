/* cmd_predict.c: linnet predict WEIGHTS FILE. */
#include "cli.h"
#include "images.h"
#include "terminal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_COLUMNS = 30, MAX_IMAGES = 1000000000 };

/* All answers so far, of all files; row i belongs to one image. */
typedef struct answers {
    size_t   n, capacity, k, n_classes, n_labelled, n_right; /* k: outputs */
    float   *logits, *probabilities;
    int64_t *labels, *truth; /* truth -1: not known */
} answers;

typedef struct prediction {
    const arguments *arguments;
    ln_context      *context;
    ln_model        *model;
    size_t           first, image; /* SIZE_MAX: not given */
    bool             inverted, shows;
    bool             usage; /* after an error: no images can have the name that was given */
    const char      *out;
    answers          answers;
    pool             owner;
} prediction;

static void *grown(void *memory, size_t n, size_t size) {
    void *more = realloc(memory, n * size);
    if (more) return more;
    free(memory);
    return take(SIZE_MAX, 1); /* says what is wrong and ends */
}

static void reserve(answers *a, size_t more) {
    a->capacity = a->n + more;
    a->logits = grown(a->logits, a->capacity * a->k, sizeof *a->logits);
    a->probabilities = grown(a->probabilities, a->capacity * a->n_classes, sizeof *a->probabilities);
    a->labels = grown(a->labels, a->capacity, sizeof *a->labels);
    a->truth = grown(a->truth, a->capacity, sizeof *a->truth);
}

static size_t largest(const float *values, size_t n) {
    size_t at = 0;
    for (size_t i = 1; i < n; i++)
        if (values[i] > values[at]) at = i;
    return at;
}

static bool answer(prediction *p, const ln_data *data, ln_error *error) {
    answers     *a = &p->answers;
    const size_t n = ln_data_describe(data).n;
    reserve(a, n);
    float *logits = a->logits + a->n * a->k, *probabilities = a->probabilities + a->n * a->n_classes;
    if (ln_predict(p->model, data, n == 1 ? 1 : 64, logits, probabilities, error) != LN_OK) return false;
    for (size_t i = 0; i < n; i++) {
        a->labels[a->n + i] = (int64_t)(a->k == a->n_classes ? largest(logits + i * a->k, a->k)
                                                             : largest(probabilities + i * a->n_classes, a->n_classes));
        a->truth[a->n + i] = images_answer(p->model, ln_data_label(data, i));
        a->n_labelled += a->truth[a->n + i] >= 0;
        a->n_right += a->truth[a->n + i] == a->labels[a->n + i];
    }
    a->n += n;
    return true;
}

/* ---------------------------------------------------------------- printing */

static double percent(const answers *a, size_t i) {
    return 100 * (double)a->probabilities[i * a->n_classes + (size_t)a->labels[i]];
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

static void print_rows(const prediction *p, size_t from, size_t first_number) {
    const answers *a = &p->answers;
    table          t = {.align = "rrrl"};
    pool           owner = {0};
    table_add(&t, "image"), table_add(&t, "class"), table_add(&t, "probability"), table_add(&t, "%s", "");
    for (size_t i = from; i < a->n; i++) {
        table_add(&t, "%zu", first_number + i - from);
        table_add(&t, "%s", said(p, i, &owner));
        table_add(&t, "%.2f %%", percent(a, i));
        table_add(&t, "%s", verdict(p, i, &owner));
    }
    table_print(&t, stdout);
    pool_free(&owner);
}

/* ------------------------------------------------------------------- files */

static bool write_csv(const prediction *p, ln_error *error) {
    const answers *a = &p->answers;
    text           out = {0};
    text_add(&out, "image,class,label,probability");
    for (size_t j = 0; j < a->k; j++) text_add(&out, ",logit_%zu", j);
    for (size_t j = 0; j < a->n_classes; j++) text_add(&out, ",probability_%zu", j);
    for (size_t i = 0; i < a->n; i++) {
        text_add(&out, "\n%zu,%lld,", i, (long long)a->labels[i]);
        if (a->truth[i] >= 0) text_add(&out, "%lld", (long long)a->truth[i]);
        text_add(&out, ",%.9g", (double)a->probabilities[i * a->n_classes + (size_t)a->labels[i]]);
        for (size_t j = 0; j < a->k; j++) text_add(&out, ",%.9g", (double)a->logits[i * a->k + j]);
        for (size_t j = 0; j < a->n_classes; j++)
            text_add(&out, ",%.9g", (double)a->probabilities[i * a->n_classes + j]);
    }
    text_add(&out, "\n");
    const bool good = ln_file_write(p->context, p->out, out.bytes, out.n, error) == LN_OK;
    text_free(&out);
    return good;
}

static bool write_npz(const prediction *p, ln_error *error) {
    const answers *a = &p->answers;
    const ln_array arrays[] = {
        {.name = "logits", .n = a->n, .k = a->k, .floats = a->logits},
        {.name = "probabilities", .n = a->n, .k = a->n_classes, .floats = a->probabilities},
        {.name = "labels", .n = a->n, .k = 1, .integers = a->labels},
        {.name = "truth", .n = a->n, .k = 1, .integers = a->truth},
    };
    return ln_npz_write(p->context, p->out, arrays, a->n_labelled ? 4 : 3, error) == LN_OK;
}

/* -------------------------------------------------------------------- runs */

static bool predict_picture(prediction *p, const char *path, ln_error *error) {
    bool   looks_inverted = false;
    size_t c, h, w;
    ln_model_input_shape(p->model, &c, &h, &w);
    ln_data       *data = ln_data_from_picture(p->context, path, c, h, w, &looks_inverted, error);
    ln_data       *turned = data && p->inverted ? images_part(p->context, data, 0, 1, true, &p->owner, error) : NULL;
    const ln_data *image = p->inverted ? turned : data;
    const bool     good = image && answer(p, image, error);
    if (good) {
        if (looks_inverted && !p->inverted)
            say("note: %s looks inverted (light around the middle), where the training images are light on dark: "
                "invert=true turns it over",
                path);
        if (p->shows) show(p, image, p->answers.n - 1);
        printf("%s: %s (%.2f %%)\n", path, said(p, p->answers.n - 1, &p->owner),
               percent(&p->answers, p->answers.n - 1));
    }
    ln_data_free(turned);
    ln_data_free(data);
    return good;
}

static bool refuse_image(const prediction *p, const char *name, size_t n, ln_error *error) {
    error->status = LN_E_ARGUMENT;
    snprintf(error->message, sizeof error->message, "image=%zu: %.200s has %zu image%s, 0 to %zu", p->image, name, n,
             n == 1 ? "" : "s", n - 1);
    return false;
}

static bool predict_set(prediction *p, const char *name, ln_error *error) {
    ln_data *all = ln_data_open(p->context, name, "test", NULL, error);
    p->usage = !all && error->status == LN_E_ARGUMENT;
    if (!all) return false;
    images_fit(all, p->model);
    const size_t n = ln_data_describe(all).n, from = p->image != SIZE_MAX ? p->image : 0, before = p->answers.n;
    const size_t n_wanted = p->image != SIZE_MAX ? 1 : p->first < n ? p->first : n;
    const bool   cut = n_wanted < n || p->inverted;
    bool         good = from < n || refuse_image(p, name, n, error);
    ln_data *part = good && cut ? images_part(p->context, all, from, n_wanted, p->inverted, &p->owner, error) : NULL;
    const ln_data *data = cut ? part : all;
    good = good && data && answer(p, data, error);
    if (good && p->shows) show(p, data, before);
    else if (good) print_rows(p, before, from);
    ln_data_free(part);
    ln_data_free(all);
    return good;
}

static bool predict_all(prediction *p, ln_error *error) {
    const arguments *a = p->arguments;
    p->model = ln_model_load(p->context, a->words[0], error);
    if (!p->model) return false;
    p->answers.k = ln_model_outputs(p->model);
    p->answers.n_classes = ln_model_class_count(p->model);
    for (size_t i = 1; i < a->n_words; i++)
        if (!(images_is_picture(a->words[i]) ? predict_picture(p, a->words[i], error)
                                             : predict_set(p, a->words[i], error)))
            return false;
    if (p->answers.n_labelled)
        printf("%s%zu image%s, %zu correct (%.2f %%)\n", p->shows ? "\n" : "", p->answers.n_labelled,
               p->answers.n_labelled == 1 ? "" : "s", p->answers.n_right,
               100 * (double)p->answers.n_right / (double)p->answers.n_labelled);
    if (!p->out) return true;
    return ends_in(p->out, ".npz") ? write_npz(p, error) : write_csv(p, error);
}

static bool read_arguments(prediction *p, const arguments *a) {
    const char *invert = argument(a, "invert");
    p->out = argument(a, "out");
    p->shows = has_flag(a, "--show");
    p->inverted = invert && strcmp(invert, "true") == 0;
    if (p->out && !ends_in(p->out, ".csv") && !ends_in(p->out, ".npz"))
        return say_usage(a->verb, "out=%s: the name must end in .csv or .npz", p->out), false;
    if (invert && !p->inverted && strcmp(invert, "false") != 0)
        return say_usage(a->verb, "invert=%s: must be true or false", invert), false;
    if (argument(a, "first") && argument(a, "image"))
        return say_usage(a->verb, "first= and image= choose images, each in its way: give one of them"), false;
    return argument_count(a, "first", 1, MAX_IMAGES, &p->first) && argument_count(a, "image", 0, MAX_IMAGES, &p->image);
}

/* One image does not pay for a second thread. */
static int threads_for(const arguments *a, const prediction *p) {
    bool one = true;
    for (size_t i = 1; i < a->n_words; i++) one = one && images_is_picture(a->words[i]);
    return one || p->image != SIZE_MAX ? 1 : 0;
}

static int run(const arguments *a) {
    prediction p = {.arguments = a, .first = SIZE_MAX, .image = SIZE_MAX};
    ln_error   error = {0};
    if (!read_arguments(&p, a)) return STATUS_USAGE;
    if (p.out) signal(SIGPIPE, SIG_IGN); /* the file is wanted, whoever reads the rest */
    p.context = open_context(threads_for(a, &p));
    if (!p.context) return STATUS_FAILED;
    int status = STATUS_OK;
    if (!predict_all(&p, &error)) status = p.usage ? say_usage(a->verb, "%s", error.message) : say_error(&error);
    free(p.answers.logits), free(p.answers.probabilities), free(p.answers.labels), free(p.answers.truth);
    ln_model_free(p.model);
    ln_context_free(p.context);
    pool_free(&p.owner);
    return status;
}

const verb verb_predict = {
    .name = "predict",
    .summary = "say what pictures show",
    .usage = "predict WEIGHTS FILE ... [first=N] [image=N] [invert=true] [out=NAME] [--show]",
    .help = "Prints class and probability of each image, and whether that is right where the\n"
            "label is known. FILE is a picture (PNG or PGM) or a set, such as mnist:test;\n"
            "linnet help images says what else.\n"
            "\n"
            "  --show       draws the images\n"
            "  first=N      the first N images of a set only\n"
            "  image=N      image N of a set only, counted from 0\n"
            "  invert=true  turns dark on light into light on dark, as MNIST is\n"
            "  out=NAME     writes a table for a name that ends in .csv; for one in .npz the\n"
            "               arrays logits, probabilities, labels (the classes said) and, where\n"
            "               it is known, truth\n"
            "\n"
            "  linnet predict runs/1/weights/last.safetensors seven.png\n"
            "  linnet predict runs/1/weights/last.safetensors mnist:test first=10 --show\n",
    .flags = (const char *const[]){"--show", NULL},
    .keys = (const char *const[]){"first", "image", "invert", "out", NULL},
    .n_min = 2,
    .n_max = SIZE_MAX,
    .run = run,
};
