/* predict_print.c: what is printed of answers: rows of a table, lines of JSON, pictures with words below. */
#include "cli.h"
#include "images.h"
#include "predict.h"
#include "terminal.h"

#include <stdio.h>
#include <string.h>

enum { MAX_COLUMNS = 30 };

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

const char *predict_said(const prediction *p, size_t i, pool *owner) {
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
void predict_show(const prediction *p, const ln_data *data, size_t from) {
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
            snprintf(words, sizeof words, "%.24s  %.2f %%", predict_said(p, from + i + j, &owner),
                     percent(a, from + i + j));
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

void predict_print_rows(prediction *p, size_t from) {
    const answers *a = &p->answers;
    bool           files = false;
    for (size_t i = from; i < a->n; i++) files = files || a->files[i];
    table t = {.align = files ? p->n_best > 1 ? "rlrrll" : "rlrrl" : p->n_best > 1 ? "rrrll" : "rrrl"};
    pool  owner = {0};
    table_add(&t, "image");
    if (files) table_add(&t, "file");
    table_add(&t, "class"), table_add(&t, "probability");
    if (p->n_best > 1) table_add(&t, "or");
    table_add(&t, "%s", "");
    for (size_t i = from; i < a->n; i++) {
        table_add(&t, "%zu", a->number[i]);
        if (files) table_add(&t, "%s", a->files[i] ? text_plain(&owner, a->files[i]) : "");
        table_add(&t, "%s", predict_said(p, i, &owner));
        table_add(&t, "%.2f %%", percent(a, i));
        if (p->n_best > 1) table_add(&t, "%s", others(p, i, &owner));
        table_add(&t, "%s", verdict(p, i, &owner));
    }
    table_print(&t, stdout);
    pool_free(&owner);
}

void predict_print_lines(const prediction *p, size_t from) {
    for (size_t i = from; i < p->answers.n; i++) {
        text line = {0};
        answers_line(&p->answers, p->model, i, p->n_best, &line);
        fputs(line.bytes, stdout);
        text_free(&line);
    }
}

void predict_print_picture(prediction *p, const char *path) {
    const size_t i = p->answers.n - 1;
    pool         owner = {0};
    const char  *more = p->n_best > 1 ? others(p, i, &owner) : "";
    printf("%s: %s (%.2f %%)%s%s\n", text_plain(&owner, path), predict_said(p, i, &owner), percent(&p->answers, i),
           *more ? "; or " : "", more);
    pool_free(&owner);
}

void predict_print_members(const prediction *p) {
    const answers *a = &p->answers;
    for (size_t m = 0; m < p->n_members; m++)
        printf("%s: %zu correct (%.2f %%)\n", p->members[m].path, p->members[m].n_right,
               100 * (double)p->members[m].n_right / (double)a->n_labelled);
}

/* Once, however many there are. */
void predict_note_inverted(const prediction *p) {
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
