/* data_convert.c: linnet data convert FROM TO. */
#include "data.h"
#include "images.h"
#include "interrupt.h"
#include "recipe_internal.h"

#include <stdio.h>
#include <string.h>

typedef struct conversion {
    const arguments *arguments;
    const char      *from, *to, *split;
    size_t           first, n_rows; /* n_rows 0: all */
    const char      *classes[MAX_CLASSES];
    size_t           n_classes; /* 0: all */
    ln_reading       reading;
    pool             owner;
    bool             both; /* parts, where there are two */
} conversion;

/* False after a message: the command line is wrong. */
static bool read_arguments(conversion *c, const arguments *a) {
    const char *const rows = argument(a, "rows"), *const classes = argument(a, "classes");
    c->split = argument(a, "split");
    c->both = !c->split && ends_in(c->to, ".npz");
    if (c->split && strcmp(c->split, "train") != 0 && strcmp(c->split, "test") != 0)
        return say_usage(a->verb, "split=%s: must be train or test", c->split), false;
    if (rows && !recipe_rows(rows, &c->first, &c->n_rows))
        return say_usage(a->verb, "rows=%s: must be FIRST-LAST, counted from 1, such as 1-10000, or all", rows), false;
    if (classes && !recipe_classes(classes, c->classes, &c->n_classes, &c->owner))
        return say_usage(a->verb, "classes=%s: must be a list of labels, such as 0,1,2, or all", classes), false;
    return data_reading(a, &c->reading);
}

static bool open_parts(const conversion *c, ln_context *context, data_parts *parts, ln_error *error) {
    if (c->both) return data_open(context, c->from, &c->reading, parts, error);
    pool              owner = {0};
    const char *const name = c->split ? pool_format(&owner, "%s:%s", c->from, c->split) : c->from;
    *parts = (data_parts){.train = ln_data_open_as(context, name, "train", NULL, &c->reading, error)};
    pool_free(&owner);
    return parts->train != NULL;
}

static bool keep(const conversion *c, ln_data *data, ln_error *error) {
    if (c->n_rows && ln_data_keep_rows(data, c->first, c->n_rows, error) != LN_OK) return false;
    int labels[MAX_CLASSES];
    for (size_t i = 0; i < c->n_classes; i++)
        if (!images_label(data, c->classes[i], &labels[i], error)) return false;
    return c->n_classes == 0 || ln_data_keep_classes(data, labels, c->n_classes, error) == LN_OK;
}

/* What the labels mean, where the format has no place for it. */
static void note_names(const char *to, const ln_data *data) {
    enum { ENOUGH = 200 };
    const int n = ln_data_describe(data).n_classes;
    text      t = {0};
    int       k = 0;
    for (; k < n && t.n < ENOUGH; k++)
        text_add(&t, "%s%d %.60s", k ? ", " : "", ln_data_class(data, k), ln_data_class_name(data, k));
    say("note: %s holds labels without the names of their classes: %s%s", to, t.bytes, k < n ? ", ..." : "");
    text_free(&t);
}

static void report(const conversion *c, const data_parts *parts) {
    const ln_data_info i = ln_data_describe(parts->train);
    printf("%zu %simage%s", i.n, parts->test ? "training " : "", i.n == 1 ? "" : "s");
    if (parts->test) printf(" and %zu test images", ln_data_describe(parts->test).n);
    printf(" of %zux%zux%zu%s in %s\n", i.c, i.h, i.w, i.has_labels ? "" : ", without labels,", c->to);
    fflush(stdout);
    if (!ends_in(c->to, ".npz") && !ends_in(c->to, "/") && ln_data_class_name(parts->train, 0))
        note_names(c->to, parts->train);
}

static bool convert(const conversion *c, ln_context *context, data_parts *parts, ln_error *error) {
    if (ends_in(c->to, "/")) interrupt_listen(); /* half a folder is taken away */
    if (!open_parts(c, context, parts, error) || !data_shape(c->arguments, parts, error)) return false;
    if (parts->test && c->n_rows) {
        return fill_error(error, LN_E_ARGUMENT, "rows=%s: %.200s has training and test images: say which by split=",
                          argument(c->arguments, "rows"), c->from);
    }
    if (!keep(c, parts->train, error) || (parts->test && !keep(c, parts->test, error))) return false;
    if (ln_data_write(context, c->to, parts->train, parts->test, error) != LN_OK) return false;
    report(c, parts);
    return true;
}

static int run(const arguments *a) {
    conversion c = {.arguments = a, .from = a->words[1], .to = a->words[2]};
    ln_error   error = {0};
    data_parts parts = {0};
    int        status = STATUS_USAGE;
    if (read_arguments(&c, a)) {
        ln_context *const context = open_context(1);
        status = STATUS_FAILED;
        if (context && convert(&c, context, &parts, &error)) status = STATUS_OK;
        else if (context) status = data_fail(a, &error);
        data_free(&parts);
        ln_context_free(context);
    }
    pool_free(&c.owner);
    return status;
}

const data_word data_convert = {
    .name = "convert",
    .usage = "data convert FROM TO [split=train|test] [rows=FIRST-LAST] [classes=LABELS] [shape=CxHxW] [resize=HxW] "
             "[grayscale=true]",
    .keys = (const char *const[]){"split", "rows", "classes", "shape", "resize", "grayscale", NULL},
    .n_min = 2,
    .n_max = 2,
    .run = run,
};
