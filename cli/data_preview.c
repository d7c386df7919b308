/* data_preview.c: linnet data preview RECIPE: training images as they are, and as the first epochs see them. */
#include "data.h"

#include "recipe.h"
#include "sheet.h"

#include <stdio.h>
#include <stdlib.h>

enum { MOST_IMAGES = 1000, MOST_VIEWS = 1000 };

typedef struct preview {
    recipe      recipe;
    ln_context *context;
    ln_model   *model;
    recipe_data data;
    sheet       sheet;
    size_t      n, n_views;
    ln_mixture *mixtures; /* n of the first epoch, then those of the next */
    const char *out;
} preview;

/* The training image of a row: spread over them all, as folders have one class after the other. */
static size_t image_of(const preview *p, size_t row) { return row * ln_data_describe(p->data.train).n / p->n; }

/* That image as stored, or as an epoch from 1 on sees it, mixed with any of the training. */
static ln_data *seen_in(preview *p, size_t row, size_t epoch, ln_error *error) {
    const char *const augment = epoch ? p->recipe.item[KEY_data_augment].text : NULL;
    const uint64_t    seed = (uint64_t)p->recipe.item[KEY_train_seed].number;
    ln_mixture *const mixture = epoch ? p->mixtures + (epoch - 1) * p->n + row : NULL;
    return ln_data_augmented_rows(p->data.train, image_of(p, row), 1, augment, seed, epoch ? epoch : 1, mixture, error);
}

/* From the darkest value of all that are shown as stored to the lightest. */
static bool find_range(preview *p, double *low, double *high, ln_error *error) {
    for (size_t row = 0; row < p->n; row++) {
        data_stats     stats = {0};
        ln_data *const stored = seen_in(p, row, 0, error);
        if (!stored) return false;
        data_measure(stored, &stats);
        if (row == 0 || stats.low < *low) *low = stats.low;
        if (row == 0 || stats.high > *high) *high = stats.high;
        data_stats_free(&stats);
        ln_data_free(stored);
    }
    return true;
}

/* A row an image: its class, the image as stored, then as epochs see it. */
static bool fill(preview *p, ln_error *error) {
    double low = 0, high = 0;
    if (!find_range(p, &low, &high, error)) return false;
    for (size_t row = 0; row < p->n; row++) {
        sheet_number(&p->sheet, row, ln_data_class(p->data.train, ln_data_label(p->data.train, image_of(p, row))));
        for (size_t view = 0; view <= p->n_views; view++) {
            ln_data *const seen = seen_in(p, row, view, error);
            if (!seen) return false;
            sheet_put(&p->sheet, seen, 0, low, high, row, view);
            ln_data_free(seen);
        }
    }
    return true;
}

static bool open_images(preview *p, ln_error *error) {
    p->model = recipe_model(&p->recipe, p->context, error);
    if (!p->model || !recipe_open_training(&p->recipe, p->context, p->model, &p->data, error)) return false;
    const ln_data_info info = ln_data_describe(p->data.train);
    if (info.h * info.w == 1) {
        return fill_error(error, LN_E_ARGUMENT,
                          "out=%.200s: images of %zux1x1 are no pictures: there is nothing to show of points", p->out,
                          info.c);
    }
    p->n = info.n < p->n ? info.n : p->n;
    p->mixtures = take(p->n * p->n_views, sizeof *p->mixtures);
    return true;
}

static void print_share(const preview *p, int label, double share) {
    const char *const name = ln_data_class_name(p->data.train, label);
    if (name) printf("%s %.2f", name, share);
    else printf("%d %.2f", ln_data_class(p->data.train, label), share);
}

/* The row on the sheet, and whose it is where images have names. */
static void print_row(const preview *p, size_t i) {
    const char *const name = ln_data_image_name(p->data.train, image_of(p, i));
    printf("%4zu  ", i + 1);
    if (name) printf("%s: ", name);
}

/* Labels and their shares, a line for each image; nothing where none was mixed. */
static void print_mixtures(const preview *p) {
    if (p->mixtures[0].other < 0) return;
    printf("labels and their shares, epoch by epoch:\n");
    for (size_t i = 0; i < p->n; i++)
        for (size_t view = 0; view < p->n_views; view++) {
            const ln_mixture m = p->mixtures[view * p->n + i];
            if (view == 0) print_row(p, i);
            else printf(", ");
            print_share(p, ln_data_label(p->data.train, image_of(p, i)), 1 - m.share);
            printf(" + ");
            print_share(p, m.other, m.share);
            if (view + 1 == p->n_views) printf("\n");
        }
}

/* "classes: 0 cat, 1 dog": what the numbers before the rows stand for, where they have names. */
static void print_classes(const preview *p) {
    const int n = ln_data_describe(p->data.train).n_classes;
    size_t    n_named = 0;
    for (int k = 0; k < n; k++) {
        bool shown = false;
        for (size_t i = 0; i < p->n; i++) shown |= ln_data_label(p->data.train, image_of(p, i)) == k;
        const char *const name = shown ? ln_data_class_name(p->data.train, k) : NULL;
        if (name) printf("%s%d %s", n_named++ ? ", " : "classes: ", ln_data_class(p->data.train, k), name);
    }
    if (n_named) printf("\n");
}

static bool draw(preview *p, ln_error *error) {
    if (!open_images(p, error) || !sheet_new(&p->sheet, p->data.train, p->n, p->n_views + 1, true, error)) return false;
    if (!fill(p, error) || !sheet_write(&p->sheet, p->context, p->out, error)) return false;
    printf("%zu training image%s, a row each: class, as stored, then as seen in epochs 1 to %zu with augment: %s\n"
           "picture in %s\n",
           p->n, p->n == 1 ? "" : "s", p->n_views, p->recipe.item[KEY_data_augment].text, p->out);
    print_classes(p);
    print_mixtures(p);
    return true;
}

static void release(preview *p) {
    sheet_free(&p->sheet);
    recipe_data_free(&p->data);
    ln_model_free(p->model);
    ln_context_free(p->context);
    recipe_free(&p->recipe);
    free(p->mixtures);
}

static int run(const arguments *a) {
    preview  p = {.recipe.verb_keys = a->verb->keys, .n = 10, .n_views = 8, .out = argument(a, "out")};
    ln_error error = {0};
    int      status = STATUS_FAILED;
    if (!p.out) return say_usage(a->verb, "preview makes a picture: give its name by out=FILE.png");
    if (!ends_in(p.out, ".png")) return say_usage(a->verb, "out=%s: a name that ends in .png is wanted", p.out);
    if (!argument_count(a, "n", 1, MOST_IMAGES, &p.n) || !argument_count(a, "views", 1, MOST_VIEWS, &p.n_views))
        return STATUS_USAGE;
    if (!recipe_read(&p.recipe, a->words[1], a->pairs, a->n_pairs, &error)) say_error(&error);
    else if ((p.context = open_context((int)p.recipe.item[KEY_train_threads].number)))
        status = draw(&p, &error) ? STATUS_OK : say_error(&error);
    if (p.recipe.usage) status = STATUS_USAGE;
    release(&p);
    return status;
}

const data_word data_preview = {
    .name = "preview",
    .usage = "data preview RECIPE out=FILE.png [n=N] [views=N] [KEY=VALUE ...]",
    .keys = (const char *const[]){"out", "n", "views", NULL},
    .n_min = 1,
    .n_max = 1,
    .overrides = true,
    .run = run,
};
