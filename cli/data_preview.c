/* data_preview.c: linnet data preview RECIPE: training images as they are, and as the first epochs see them. */
#include "data.h"

#include "recipe.h"
#include "sheet.h"

#include <stdio.h>

enum { MOST_IMAGES = 1000, MOST_VIEWS = 1000 };

typedef struct preview {
    recipe      recipe;
    ln_context *context;
    ln_model   *model;
    recipe_data data;
    sheet       sheet;
    size_t      n, n_views;
    const char *out;
} preview;

/* Column 0 is the images as stored, column k as epoch k sees them. */
static bool fill(preview *p, ln_error *error) {
    const char *const augment = p->recipe.item[KEY_data_augment].text;
    const uint64_t    seed = (uint64_t)p->recipe.item[KEY_train_seed].number;
    data_stats        stats;
    data_measure(p->data.train, &stats);
    data_stats_free(&stats); /* the range alone is wanted */
    for (size_t view = 0; view <= p->n_views; view++) {
        ln_data *const seen = ln_data_augmented(p->data.train, view ? augment : NULL, seed, view ? view : 1, error);
        if (!seen) return false;
        for (size_t i = 0; i < p->n; i++) sheet_put(&p->sheet, seen, i, stats.low, stats.high, i, view);
        ln_data_free(seen);
    }
    return true;
}

static bool open_images(preview *p, ln_error *error) {
    p->model = recipe_model(&p->recipe, p->context, error);
    if (!p->model || !recipe_open_training(&p->recipe, p->context, p->model, &p->data, error)) return false;
    const size_t n = ln_data_describe(p->data.train).n;
    p->n = n < p->n ? n : p->n;
    return ln_data_keep_rows(p->data.train, 0, p->n, error) == LN_OK;
}

static bool draw(preview *p, ln_error *error) {
    if (!open_images(p, error) || !sheet_new(&p->sheet, p->data.train, p->n, p->n_views + 1, false, error))
        return false;
    if (!fill(p, error) || !sheet_write(&p->sheet, p->context, p->out, error)) return false;
    printf("%zu training image%s, a row each: as stored, then as seen in epochs 1 to %zu with augment: %s\n"
           "picture in %s\n",
           p->n, p->n == 1 ? "" : "s", p->n_views, p->recipe.item[KEY_data_augment].text, p->out);
    return true;
}

static void release(preview *p) {
    sheet_free(&p->sheet);
    recipe_data_free(&p->data);
    ln_model_free(p->model);
    ln_context_free(p->context);
    recipe_free(&p->recipe);
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
