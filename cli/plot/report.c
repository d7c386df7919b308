/* report.c: a run as one HTML page: what came of it, pictures (SVG within the page), layers, table of results, recipe,
 * machine. */
#include "report.h"
#include "machine.h"
#include "results.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST_ROWS = 200, RECIPE_BYTES = 256 * 1024 };

static const char page_style[] =
    "body{font:15px/1.5 'DejaVu Sans',Verdana,sans-serif;max-width:1000px;margin:2em auto;padding:0 1em;color:#222}\n"
    "h1{font-size:1.6em}h2{font-size:1.25em;margin-top:2em;border-bottom:1px solid #ddd}\n"
    "table{border-collapse:collapse;font-variant-numeric:tabular-nums}\n"
    "th,td{padding:.15em .8em;text-align:right;border-bottom:1px solid #eee}th{background:#f4f4f4}\n"
    "td.word,th.word{text-align:left}pre{background:#f6f6f6;padding:1em;overflow:auto}\n"
    "svg{max-width:100%;height:auto}.scroll{overflow:auto}.dim{color:#666}\n";

static void add_cell(text *page, const char *tag, bool word, const char *words) {
    text_add(page, "<%s%s>", tag, word ? " class=\"word\"" : "");
    text_add_escaped(page, words);
    text_add(page, "</%s>", tag);
}

static void add_row(text *page, const char *name, const char *value) {
    text_add(page, "<tr>");
    add_cell(page, "th", true, name);
    add_cell(page, "td", true, value);
    text_add(page, "</tr>\n");
}

/* ----------------------------------------------------------------- sections */

/* The last row that has a number in the column; NaN: none has. */
static double last_of(const results *t, const char *name) {
    const double *const values = results_column(t, name);
    for (size_t i = t->n_rows; values && i-- > 0;)
        if (isfinite(values[i])) return values[i];
    return NAN;
}

static void add_summary(text *page, const results *t) {
    static const char *const parts[][3] = {{"training", "train_loss", "train_accuracy"},
                                           {"validation", "val_loss", "val_accuracy"},
                                           {"test", "test_loss", "test_accuracy"}};
    pool                     owner = {0};
    text_add(page, "<table><tr><th class=\"word\">at the end</th><th>loss</th><th>accuracy</th></tr>\n");
    for (size_t i = 0; i < 3; i++) {
        const double loss = last_of(t, parts[i][1]), accuracy = last_of(t, parts[i][2]);
        if (!isfinite(loss) && !isfinite(accuracy)) continue;
        text_add(page, "<tr>");
        add_cell(page, "td", true, parts[i][0]);
        add_cell(page, "td", false, isfinite(loss) ? pool_format(&owner, "%.4g", loss) : "");
        add_cell(page, "td", false, isfinite(accuracy) ? pool_format(&owner, "%.2f %%", 100 * accuracy) : "");
        text_add(page, "</tr>\n");
    }
    text_add(page, "</table>\n");
    pool_free(&owner);
}

static void add_sheet(text *page, canvas *c, const char *what, const ln_error *error) {
    text_add(page, "<h2 id=\"%s\">%c%s</h2>\n", what, what[0] - 32, what + 1);
    if (c) canvas_finish(c, page);
    else {
        text_add(page, "<p class=\"dim\">Not drawn: ");
        text_add_escaped(page, error->message);
        text_add(page, "</p>\n");
    }
    canvas_free(c);
}

static void add_pictures(text *page, const subject *s) {
    ln_error error = {0};
    add_sheet(page, curves_draw(&s->run, 1, NULL, NULL, false, true, &error), "curves", &error);
    for (size_t i = 0; pictures[i]; i++)
        if (!pictures[i]->refuse(s)) add_sheet(page, pictures[i]->draw(s, true, &error), pictures[i]->what, &error);
}

static void add_layers(text *page, const subject *s) {
    pool owner = {0};
    text_add(page, "<h2>Layers</h2>\n<div class=\"scroll\"><table><tr><th class=\"word\">name</th>"
                   "<th class=\"word\">layer</th><th>output</th><th>parameters</th></tr>\n");
    for (size_t i = 0; i < ln_model_layer_count(s->model); i++) {
        const ln_layer_info l = ln_model_layer(s->model, i);
        text_add(page, "<tr>");
        add_cell(page, "td", true, l.name);
        add_cell(page, "td", true, l.line);
        add_cell(page, "td", false, pool_format(&owner, "%zux%zux%zu", l.c, l.h, l.w));
        add_cell(page, "td", false, text_count(&owner, l.n_parameters));
        text_add(page, "</tr>\n");
    }
    text_add(page, "</table></div>\n");
    pool_free(&owner);
}

/* Rows spread over the table where it is long. */
static void add_results(text *page, const results *t) {
    pool         owner = {0};
    const size_t n = t->n_rows < MOST_ROWS ? t->n_rows : MOST_ROWS;
    text_add(page, "<h2>Results</h2>\n");
    if (n < t->n_rows) text_add(page, "<p class=\"dim\">%zu of %zu rows</p>\n", n, t->n_rows);
    text_add(page, "<div class=\"scroll\"><table><tr>");
    for (size_t k = 0; k < t->n_columns; k++) add_cell(page, "th", false, t->name[k]);
    text_add(page, "</tr>\n");
    for (size_t i = 0; i < n; i++) {
        const size_t row = n < 2 ? 0 : i * (t->n_rows - 1) / (n - 1);
        text_add(page, "<tr>");
        for (size_t k = 0; k < t->n_columns; k++)
            add_cell(page, "td", false,
                     isfinite(t->column[k][row]) ? pool_format(&owner, "%.6g", t->column[k][row]) : "");
        text_add(page, "</tr>\n");
    }
    text_add(page, "</table></div>\n");
    pool_free(&owner);
}

static bool add_recipe(text *page, const subject *s, ln_error *error) {
    pool        owner = {0};
    size_t      n;
    const char *bytes = results_file(&owner, pool_format(&owner, "%s/recipe.yaml", s->run), RECIPE_BYTES, &n, error);
    text_add(page, "<h2>Recipe</h2>\n<pre>");
    for (const char *line = bytes; line && *line;) {
        const size_t length = strcspn(line, "\n");
        text_add_escaped(page, pool_copy(&owner, line, length));
        text_add(page, "\n");
        line += length + (line[length] == '\n');
    }
    text_add(page, "</pre>\n");
    pool_free(&owner);
    return bytes != NULL;
}

static void add_machine(text *page, const subject *s) {
    pool      owner = {0};
    char      date[40] = "";
    time_t    now = time(NULL);
    struct tm parts;
    if (localtime_r(&now, &parts)) strftime(date, sizeof date, "%Y-%m-%d %H:%M", &parts);
    text_add(page, "<h2>Machine</h2>\n<p class=\"dim\">Of this page; the first line of the recipe names that of the "
                   "training.</p>\n<table>\n");
    add_row(page, "processor", machine_processor(&owner));
    add_row(page, "instruction set", ln_context_isa(s->context));
    add_row(page, "threads", pool_format(&owner, "%d", ln_context_threads(s->context)));
    add_row(page, "version", ln_version());
    add_row(page, "written", date);
    text_add(page, "</table>\n");
    pool_free(&owner);
}

bool report_write(const subject *s, text *page, ln_error *error) {
    pool    owner = {0};
    results t;
    bool    good = results_read(&t, &owner, pool_format(&owner, "%s/results.csv", s->run), error);
    if (good) {
        text_add(page, "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>");
        text_add_escaped(page, s->run);
        text_add(page, "</title>\n<style>\n%s</style></head><body>\n<h1>", page_style);
        text_add_escaped(page, s->run);
        text_add(page, "</h1>\n");
        add_summary(page, &t);
        add_pictures(page, s);
        add_layers(page, s);
        add_results(page, &t);
        good = add_recipe(page, s, error);
        add_machine(page, s);
        text_add(page, "</body></html>\n");
    }
    pool_free(&owner);
    return good;
}
