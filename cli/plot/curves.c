/* curves.c: columns of results.csv, of a run or of several to compare. */
#include "picture.h"
#include "results.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    MAX_RUNS = 256,
    MAX_LINES = 32,
    MAX_Y = 8,
    PANEL_W = 470,
    PANEL_H = 320,
    LONE_W = 860,
    LONE_H = 480,
    SIDE = 16,
    MANY_KEYS = 2
};

typedef struct run {
    const char *path, *label; /* "runs/1"; what the legend calls it */
    results     table;
    double     *seconds;      /* of training, from its beginning */
    double     *step_rows[2]; /* train_loss and train_accuracy of rows of steps alone, where there are some */
    recipe      recipe;       /* {0} when it cannot be read */
    size_t      n_seeds;      /* runs whose mean this is */
} run;

typedef struct curves {
    pool        owner;
    run         runs[MAX_RUNS];
    size_t      n_runs;
    const char *x;
    ln_error   *error;
} curves;

static const char *const step_columns[2] = {"train_loss", "train_accuracy"};

/* ------------------------------------------------------------------- tables */

/* An epoch's mean among those of some steps would be a spike: where there are rows of steps, only they count for what
 * is measured in training. By epoch they have no place, and the epochs' rows stay. */
static double *steps_alone(const results *t, const char *name, pool *owner) {
    const double *const all = results_column(t, name), *const epoch = results_column(t, "epoch");
    double *const values = pool_take(owner, (t->n_rows + 1) * sizeof *values);
    size_t        n = 0;
    for (size_t i = 0; i < t->n_rows && all && epoch; i++) {
        values[i] = isnan(epoch[i]) ? all[i] : NAN;
        n += isnan(epoch[i]) != 0;
    }
    return n ? values : NULL;
}

static bool read_run(curves *c, run *r, const char *path) {
    ln_error error; /* a recipe that cannot be read is no reason not to draw */
    r->path = path;
    r->label = path;
    r->n_seeds = 1;
    if (!results_read(&r->table, &c->owner, pool_format(&c->owner, "%s/results.csv", path), c->error)) return false;
    if (r->table.n_rows == 0) {
        fill_error(c->error, LN_E_FORMAT,
                   "%.200s/results.csv has no rows yet: there is nothing to draw before the first "
                   "epoch is measured",
                   path);
        return false;
    }
    r->seconds = results_seconds(&r->table, &c->owner);
    for (size_t k = 0; k < 2; k++) r->step_rows[k] = steps_alone(&r->table, step_columns[k], &c->owner);
    if (!recipe_read(&r->recipe, pool_format(&c->owner, "%s/recipe.yaml", path), NULL, 0, &error)) {
        recipe_free(&r->recipe);
        r->recipe = (recipe){0};
    }
    return true;
}

/* A column, where the run has it with at least one number; NULL: it has not. */
static const double *column(const run *r, const char *name) {
    const double *const values =
        strcmp(name, "seconds") == 0 && r->seconds ? r->seconds : results_column(&r->table, name);
    for (size_t i = 0; values && i < r->table.n_rows; i++)
        if (isfinite(values[i])) return values;
    return NULL;
}

static bool any_has(const curves *c, const char *name) {
    for (size_t i = 0; i < c->n_runs; i++)
        if (column(&c->runs[i], name)) return true;
    return false;
}

/* Rows of steps alone: without an epoch. */
static bool has_step_rows(const curves *c) {
    for (size_t i = 0; i < c->n_runs; i++) {
        const double *const epoch = results_column(&c->runs[i].table, "epoch");
        for (size_t k = 0; epoch && k < c->runs[i].table.n_rows; k++)
            if (!isfinite(epoch[k])) return true;
    }
    return false;
}

/* -------------------------------------------------------------- differences */

/* Words of b that are not in a: "lr=0.1" of "sgd lr=0.1" against "sgd lr=0.2". */
static void add_new_words(text *to, const char *a, const char *b) {
    pool              owner = {0};
    char             *rest = pool_copy(&owner, b, strlen(b)), *save = NULL;
    const char *const padded = pool_format(&owner, " %s ", a);
    for (char *word = strtok_r(rest, " ", &save); word; word = strtok_r(NULL, " ", &save))
        if (!strstr(padded, pool_format(&owner, " %s ", word))) text_add(to, "%s%s", to->n ? " " : "", word);
    pool_free(&owner);
}

static bool key_differs(const curves *c, recipe_key key) {
    for (size_t i = 1; i < c->n_runs; i++)
        if (strcmp(c->runs[0].recipe.item[key].text, c->runs[i].recipe.item[key].text) != 0) return true;
    return false;
}

static bool is_named(const curves *c, recipe_key key) {
    return recipe_key_matters(key) && key != KEY_model_layers && key_differs(c, key);
}

/* The value of more runs than have any other; NULL: there is none. */
static const char *usual_value(const curves *c, recipe_key key) {
    const char *usual = NULL;
    size_t      most = 1; /* a value of one run is not usual */
    for (size_t i = 0; i < c->n_runs; i++) {
        const char *const value = c->runs[i].recipe.item[key].text;
        size_t            n = 0;
        if (usual && strcmp(usual, value) == 0) continue;
        for (size_t j = 0; j < c->n_runs; j++) n += strcmp(value, c->runs[j].recipe.item[key].text) == 0;
        if (n >= most) usual = n > most ? value : NULL, most = n;
    }
    return usual;
}

/* What run i has that another has not, or, where a usual value is given, that this one has not: of lines (sgd lr=0.1)
 * the words, otherwise KEY=VALUE. */
static void add_key(text *to, const curves *c, size_t i, recipe_key key, const char *usual) {
    ln_kind           kind;
    text              words = {0};
    const char *const mine = c->runs[i].recipe.item[key].text, *const name = strchr(recipe_key_name(key), '.') + 1;
    if (usual && strcmp(usual, mine) == 0) return;
    for (size_t j = 0; j < c->n_runs && recipe_key_kind(key, &kind) && words.n == 0; j++)
        add_new_words(&words, usual ? usual : c->runs[j].recipe.item[key].text, mine);
    if (words.n) text_add(to, "%s%s", to->n ? ", " : "", words.bytes);
    else text_add(to, "%s%s=%s", to->n ? ", " : "", name, mine);
    text_free(&words);
}

static const char *layers_of(const recipe *r, pool *owner) {
    text all = {0};
    for (size_t i = 0; i < r->n_layers; i++) text_add(&all, "%s\n", r->layers[i].text);
    const char *const copy = pool_copy(owner, all.n ? all.bytes : "", all.n);
    text_free(&all);
    return copy;
}

/* The layers that differ from the first run's, where there are as many; otherwise how many there are. */
static void add_layers(text *to, curves *c, size_t i) {
    const recipe *const mine = &c->runs[i].recipe;
    const recipe       *other = &c->runs[i ? 0 : 1].recipe;
    for (size_t j = 0; j < c->n_runs; j++)
        if (strcmp(layers_of(&c->runs[j].recipe, &c->owner), layers_of(mine, &c->owner)) != 0)
            other = &c->runs[j].recipe;
    if (other->n_layers != mine->n_layers) text_add(to, "%s%zu layers", to->n ? ", " : "", mine->n_layers);
    for (size_t k = 0; k < mine->n_layers && other->n_layers == mine->n_layers; k++)
        if (strcmp(mine->layers[k].text, other->layers[k].text) != 0)
            text_add(to, "%s%s", to->n ? ", " : "", mine->layers[k].text);
}

/* ---------------------------------------------------------------- mean of seeds */

/* Adds the values of more, row by row, as far as both go. */
static void add_values(double *to, const double *more, size_t n) {
    for (size_t i = 0; i < n; i++) to[i] += more[i];
}

static void add_run(run *to, const run *more) {
    if (more->table.n_rows < to->table.n_rows) to->table.n_rows = more->table.n_rows;
    for (size_t k = 0; k < to->table.n_columns; k++)
        add_values(to->table.column[k], more->table.column[k], to->table.n_rows);
    if (to->seconds) add_values(to->seconds, more->seconds, to->table.n_rows);
    for (size_t k = 0; k < 2; k++)
        if (to->step_rows[k] && more->step_rows[k]) add_values(to->step_rows[k], more->step_rows[k], to->table.n_rows);
    to->n_seeds++;
}

static void divide(run *r) {
    double *const others[] = {r->seconds, r->step_rows[0], r->step_rows[1]};
    for (size_t i = 0; i < r->table.n_rows && r->n_seeds > 1; i++) {
        for (size_t k = 0; k < r->table.n_columns; k++) r->table.column[k][i] /= (double)r->n_seeds;
        for (size_t k = 0; k < 3; k++)
            if (others[k]) others[k][i] /= (double)r->n_seeds;
    }
}

static bool same_columns(const results *a, const results *b) {
    bool same = a->n_columns == b->n_columns;
    for (size_t k = 0; same && k < a->n_columns; k++) same = strcmp(a->name[k], b->name[k]) == 0;
    return same;
}

/* Runs that differ by their seeds alone become the first of them, with the mean of their values. */
static void merge_seeds(curves *c) {
    const char *recipes[MAX_RUNS];
    size_t      n = 0;
    for (size_t i = 0; i < c->n_runs; i++) {
        run *const        r = &c->runs[i];
        const char *const mine = r->recipe.n_layers ? recipe_essence(&r->recipe, false, &c->owner) : r->path;
        size_t            k = 0;
        while (k < n && (strcmp(recipes[k], mine) != 0 || !same_columns(&c->runs[k].table, &r->table))) k++;
        if (k < n) {
            add_run(&c->runs[k], r);
            recipe_free(&r->recipe);
        } else {
            recipes[n] = mine;
            if (n < i) c->runs[n] = *r, *r = (run){0};
            n++;
        }
    }
    c->n_runs = n;
    for (size_t i = 0; i < n; i++) divide(&c->runs[i]);
}

/* Legends say the run's name and in what its recipe differs; where many keys differ, only what is not as usual, as a
 * long legend is cut. */
static void name_runs(curves *c) {
    bool   differ = false;
    size_t n_keys = 0;
    for (size_t i = 0; i < c->n_runs; i++)
        if (c->runs[i].recipe.n_layers == 0) return;
    for (size_t i = 1; i < c->n_runs; i++)
        differ |= strcmp(layers_of(&c->runs[0].recipe, &c->owner), layers_of(&c->runs[i].recipe, &c->owner)) != 0;
    for (recipe_key k = 0; k < KEY_COUNT; k++) n_keys += is_named(c, k);
    for (size_t i = 0; i < c->n_runs && c->n_runs > 1; i++) {
        text more = {0};
        for (recipe_key k = 0; k < KEY_COUNT; k++)
            if (is_named(c, k)) add_key(&more, c, i, k, n_keys > MANY_KEYS ? usual_value(c, k) : NULL);
        if (differ) add_layers(&more, c, i);
        if (c->runs[i].n_seeds > 1)
            c->runs[i].label = pool_format(&c->owner, "%s, mean of %zu seeds", more.n ? more.bytes : c->runs[i].path,
                                           c->runs[i].n_seeds);
        else if (more.n) c->runs[i].label = pool_format(&c->owner, "%s: %s", c->runs[i].path, more.bytes);
        text_free(&more);
    }
}

/* ------------------------------------------------------------------- panels */

typedef struct labels {
    const char *word; /* "train_loss" as people say it */
    const char *axis;
    double      factor;
} labels;

static labels words_of(const char *name, pool *owner) {
    static const char *const parts[][2] = {{"train_", "training "}, {"val_", "validation "}, {"test_", "test "}};
    if (strcmp(name, "seconds") == 0) return (labels){"seconds of training", "seconds of training", 1};
    if (strcmp(name, "lr") == 0) return (labels){"learning rate", "learning rate", 1};
    const bool accuracy = ends_in(name, "_accuracy");
    labels     l = {name, accuracy ? "accuracy (%)" : ends_in(name, "_loss") ? "loss" : name, accuracy ? 100 : 1};
    for (size_t i = 0; i < 3; i++) {
        const size_t n = strlen(parts[i][0]);
        if (strncmp(name, parts[i][0], n) == 0) l.word = pool_format(owner, "%s%s", parts[i][1], name + n);
    }
    return l;
}

/* One line a run and column. Of several columns of one run each has its style; of several runs, each run. */
static size_t make_series(curves *c, const char *const *columns, size_t n_columns, series *out) {
    size_t n = 0;
    for (size_t i = 0; i < c->n_runs; i++)
        for (size_t k = 0; k < n_columns; k++) {
            const run *const    r = &c->runs[i];
            const double *const x = column(r, c->x), *y = column(r, columns[k]);
            for (size_t j = 0; j < 2 && strcmp(c->x, "epoch") != 0; j++)
                if (strcmp(columns[k], step_columns[j]) == 0 && r->step_rows[j]) y = r->step_rows[j];
            if (!x || !y) continue;
            const char *const word = words_of(columns[k], &c->owner).word;
            const char *const name = c->n_runs == 1   ? word
                                     : n_columns == 1 ? r->label
                                                      : pool_format(&c->owner, "%s, %s", word, r->label);
            out[n] = (series){.name = name,
                              .x = x,
                              .y = y,
                              .n = r->table.n_rows,
                              .style = c->n_runs == 1   ? k
                                       : n_columns == 1 ? i
                                                        : i * n_columns + k};
            n++;
        }
    return n;
}

static const char *x_words(const curves *c, pool *owner) { return words_of(c->x, owner).word; }
static bool        x_counts(const curves *c) { return strcmp(c->x, "epoch") == 0 || strcmp(c->x, "step") == 0; }

static bool check_column(const curves *c, const char *key, const char *name) {
    for (size_t i = 0; i < c->n_runs; i++) {
        const run *const r = &c->runs[i];
        pool             owner = {0};
        if (!results_column(&r->table, name))
            fill_error(c->error, LN_E_ARGUMENT, "%s=%.60s: %.120s/results.csv has no such column, but %.200s", key,
                       name, r->path, results_names(&r->table, &owner));
        else if (!column(r, name))
            fill_error(c->error, LN_E_ARGUMENT, "%s=%.60s: that column of %.120s/results.csv holds no number", key,
                       name, r->path);
        else continue;
        pool_free(&owner);
        return false;
    }
    return true;
}

static const char *all_names(const curves *c, pool *owner) {
    text t = {0};
    for (size_t i = 0; i < c->n_runs && i < 6; i++) text_add(&t, "%s%s", i ? ", " : "", c->runs[i].path);
    if (c->n_runs > 6) text_add(&t, ", ... (%zu runs)", c->n_runs);
    for (size_t i = 0; i < c->n_runs; i++)
        if (c->runs[i].n_seeds > 1) {
            text_add(&t, " and their other seeds");
            break;
        }
    const char *const copy = pool_copy(owner, t.bytes, t.n);
    text_free(&t);
    return copy;
}

/* Are they measured by the same? */
static bool have_one_axis(curves *c, const char *const *columns, size_t n) {
    const char *const first = words_of(columns[0], &c->owner).axis;
    for (size_t i = 1; i < n; i++)
        if (strcmp(words_of(columns[i], &c->owner).axis, first) != 0) return false;
    return true;
}

/* "Training loss, test loss by epoch". */
static const char *title_of(curves *c, const char *const *columns, size_t n) {
    text t = {0};
    for (size_t i = 0; i < n; i++) text_add(&t, "%s%s", i ? ", " : "", words_of(columns[i], &c->owner).word);
    text_add(&t, " by %s", x_words(c, &c->owner));
    if (t.bytes[0] >= 'a' && t.bytes[0] <= 'z') t.bytes[0] = (char)(t.bytes[0] - 'a' + 'A');
    const char *const copy = pool_copy(&c->owner, t.bytes, t.n);
    text_free(&t);
    return copy;
}

/* y=COLUMN,...: one panel. */
static canvas *draw_columns(curves *c, const char *y, bool svg) {
    const char *columns[MAX_Y];
    size_t      n_columns = 0;
    char       *save = NULL;
    for (char *w = strtok_r(pool_copy(&c->owner, y, strlen(y)), ",", &save); w; w = strtok_r(NULL, ",", &save)) {
        if (n_columns == MAX_Y)
            return fill_error(c->error, LN_E_ARGUMENT, "y=%.100s: more than %d columns", y, MAX_Y), NULL;
        if (!check_column(c, "y", w)) return NULL;
        columns[n_columns++] = w;
    }
    if (n_columns == 0)
        return fill_error(c->error, LN_E_ARGUMENT, "y=: the columns to draw, such as y=train_loss"), NULL;
    series *const s = pool_take(&c->owner, c->n_runs * n_columns * sizeof *s);
    const size_t  n = make_series(c, columns, n_columns, s);
    const labels  first = words_of(columns[0], &c->owner);
    const bool    alike = have_one_axis(c, columns, n_columns);
    canvas       *measure = canvas_new(1, 1, true);
    const double  legend = n > 1 ? chart_legend(measure, SIDE, 0, LONE_W - 2 * SIDE, s, n, true) : 0;
    canvas_free(measure);
    const char *const title = title_of(c, columns, n_columns);
    const panel       p = {.title = "",
                           .x_label = x_words(c, &c->owner),
                           .y_label = alike ? first.axis : "value",
                           .series = s,
                           .n_series = n,
                           .y_factor = alike ? first.factor : 1,
                           .counts = x_counts(c)};
    canvas *const     sheet = canvas_new(LONE_W, CHART_HEAD + 8 + legend + LONE_H, svg);
    chart_heading(sheet, title, all_names(c, &c->owner));
    if (legend > 0) chart_legend(sheet, SIDE + 8, CHART_HEAD + 14, LONE_W - 2 * SIDE, s, n, false);
    chart_panel(sheet, (box){0, CHART_HEAD + legend - 8, LONE_W, LONE_H + 8}, &p);
    return sheet;
}

/* A panel of the standard sheet: the parts that are drawn together. */
typedef struct plan {
    const char *title, *kind;
    const char *parts[3];
    bool        beside; /* training in grey, to compare with */
} plan;

static const char *part_words(const char *part) {
    return strcmp(part, "val") == 0 ? "validation" : strcmp(part, "test") == 0 ? "test" : "training";
}

static size_t standard_series(curves *c, const plan *p, series *out) {
    size_t     n = 0;
    const bool alone = c->n_runs == 1;
    if (p->beside && alone) {
        const char *const name = pool_format(&c->owner, "train_%s", p->kind);
        n = make_series(c, &name, 1, out);
        for (size_t i = 0; i < n; i++) {
            out[i].faint = true;
            out[i].name = part_words("train");
        }
    }
    for (size_t k = 0; k < 3 && p->parts[k]; k++) {
        const char *const name = pool_format(&c->owner, "%s_%s", p->parts[k], p->kind);
        const size_t      added = make_series(c, &name, 1, out + n);
        for (size_t i = n; i < n + added && alone; i++) {
            out[i].style = strcmp(p->parts[k], "val") == 0 ? 2 : p->beside;
            out[i].name = part_words(p->parts[k]);
        }
        n += added;
        if (added && !alone) break; /* of several runs the first part that there is */
    }
    return n;
}

static void draw_standard_panel(curves *c, canvas *sheet, const plan *p, box b) {
    series *const s = pool_take(&c->owner, 3 * (c->n_runs + 1) * sizeof *s);
    const size_t  n = standard_series(c, p, s);
    const bool    accuracy = strcmp(p->kind, "accuracy") == 0;
    if (c->n_runs == 1 && n > 1) chart_legend(sheet, b.x + 74, b.y + b.h + 2, b.w - 70, s, n, false);
    const panel drawn = {.title = p->title,
                         .x_label = x_words(c, &c->owner),
                         .y_label = accuracy ? "accuracy (%)" : "loss",
                         .series = s,
                         .n_series = n,
                         .y_factor = accuracy ? 100 : 1,
                         .counts = x_counts(c)};
    chart_panel(sheet, b, &drawn);
}

/* Loss and accuracy, in training and on images it has not seen: four panels, or two where there are none of these. */
static canvas *draw_standard(curves *c, bool svg) {
    const bool        val = any_has(c, "val_loss"), test = any_has(c, "test_loss"), unseen = val || test;
    const char *const word = val && test && c->n_runs == 1 ? "Validation and test" : test ? "Test" : "Validation";
    const char *const a = test ? "test" : "val", *const b = val && test ? "val" : NULL;
    const plan plans[4] = {
        {"Training loss", "loss", {"train"}, false},
        {"Training accuracy", "accuracy", {"train"}, false},
        {pool_format(&c->owner, "%s loss", word), "loss", {a, b}, true},
        {pool_format(&c->owner, "%s accuracy", word), "accuracy", {a, b}, true},
    };
    if (!any_has(c, "train_loss") || !any_has(c, "train_accuracy"))
        return fill_error(c->error, LN_E_FORMAT,
                          "%.120s/results.csv has no numbers in the columns train_loss and train_accuracy: choose "
                          "others by y=",
                          c->runs[0].path),
               NULL;
    series *const names = pool_take(&c->owner, c->n_runs * sizeof *names);
    for (size_t i = 0; i < c->n_runs; i++) names[i] = (series){.name = c->runs[i].label, .style = i};
    canvas      *measure = canvas_new(1, 1, true);
    const double width = 2 * PANEL_W, rows = unseen ? 2 : 1, foot = c->n_runs == 1 && unseen ? 24 : 0;
    const double legend =
        c->n_runs > 1 ? chart_legend(measure, SIDE, 0, width - 2 * SIDE, names, c->n_runs, true) + 6 : 0;
    canvas_free(measure);
    canvas *const sheet = canvas_new(width, CHART_HEAD + legend + rows * PANEL_H + foot, svg);
    chart_heading(sheet, c->n_runs == 1 ? "Loss and accuracy" : "Loss and accuracy compared", all_names(c, &c->owner));
    if (legend > 0) chart_legend(sheet, SIDE + 8, CHART_HEAD + 12, width - 2 * SIDE, names, c->n_runs, false);
    for (size_t i = 0; i < (unseen ? 4 : 2); i++)
        draw_standard_panel(c, sheet, &plans[i],
                            (box){(double)(i % 2) * PANEL_W,
                                  CHART_HEAD + legend + 4 + (double)(i - i % 2) / 2 * PANEL_H, PANEL_W, PANEL_H - 8});
    return sheet;
}

/* --------------------------------------------------------------------- call */

static canvas *draw(curves *c, const char *const *paths, const char *x, const char *y, bool mean, bool svg) {
    for (size_t i = 0; i < c->n_runs; i++)
        if (!read_run(c, &c->runs[i], paths[i])) return NULL;
    if (mean) merge_seeds(c);
    if (c->n_runs > MAX_LINES)
        return fill_error(c->error, LN_E_ARGUMENT,
                          "%zu runs: %d at most fit on one plot; name fewer, or draw one curve of those that differ by "
                          "their seeds alone (seeds=mean)",
                          c->n_runs, MAX_LINES),
               NULL;
    c->x = x ? x : has_step_rows(c) || !any_has(c, "epoch") ? "step" : "epoch";
    if (!check_column(c, "x", c->x)) return NULL;
    name_runs(c);
    return y ? draw_columns(c, y, svg) : draw_standard(c, svg);
}

canvas *curves_draw(const char *const *paths, size_t n, const char *x, const char *y, bool mean, bool svg,
                    ln_error *error) {
    if (n > MAX_RUNS)
        return fill_error(error, LN_E_ARGUMENT, "%zu runs: %d at most are read for one plot", n, MAX_RUNS), NULL;
    curves *const c = take(1, sizeof *c);
    c->n_runs = n;
    c->error = error;
    canvas *const sheet = draw(c, paths, x, y, mean, svg);
    for (size_t i = 0; i < n; i++) recipe_free(&c->runs[i].recipe);
    pool_free(&c->owner);
    free(c);
    return sheet;
}
