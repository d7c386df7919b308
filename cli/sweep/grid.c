/* grid.c: from words to settings and runs, each with a recipe that was read and found good. */
#include "sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ALL_FOR_EXAMPLE = 1000, DRAWS_A_SAMPLE = 100 };

/* ------------------------------------------------------------------- names */

const char *sweep_setting(const sweep *s, size_t i, pool *owner) {
    text t = {0};
    for (size_t k = 0; k < s->n_axes; k++)
        text_add(&t, strchr(s->settings[i].value[k], ' ') ? "%s%s='%s'" : "%s%s=%s", k ? " " : "", s->axes[k].key,
                 s->settings[i].value[k]);
    const char *const copy = t.n ? pool_copy(owner, t.bytes, t.n) : "the recipe as it is";
    text_free(&t);
    return copy;
}

const char *sweep_name(const sweep *s, const sweep_run *r, pool *owner) {
    const char *const name = sweep_setting(s, r->setting, owner);
    if (s->repeats > 1 && s->n_axes == 0) return pool_format(owner, "seed=%ju", (uintmax_t)r->seed);
    return s->repeats > 1 ? pool_format(owner, "%s seed=%ju", name, (uintmax_t)r->seed) : name;
}

const char *sweep_file(const sweep *s, size_t run, const char *end, pool *owner) {
    return pool_format(owner, "%s/%03zu%s", s->path, run + 1, end);
}

const char **sweep_words(const sweep *s, size_t i, const uint64_t *seed, pool *owner) {
    const char **const words = pool_take(owner, (s->n_fixed + s->n_axes + 2) * sizeof *words);
    size_t             n = 0;
    for (size_t k = 0; k < s->n_fixed; k++) words[n++] = s->fixed[k];
    for (size_t k = 0; k < s->n_axes; k++)
        words[n++] = pool_format(owner, "%s=%s", s->axes[k].key, s->settings[i].value[k]);
    if (s->repeats > 1 && seed) words[n++] = pool_format(owner, "train.seed=%ju", (uintmax_t)*seed);
    return words;
}

/* ------------------------------------------------------------------ recipes */

static bool read_recipe(const sweep *s, recipe *r, size_t i, const uint64_t *seed, ln_error *error) {
    const char **const words = sweep_words(s, i, seed, &r->owner);
    size_t             n = 0;
    while (words[n]) n++;
    r->verb_keys = verb_sweep.keys;
    return recipe_parse(r, s->file, s->bytes, s->n_bytes, words, n, error);
}

/* The message with the setting named before it, where one was varied. */
static bool blame(sweep *s, const recipe *r, size_t i, ln_error *error) {
    pool           owner = {0};
    const ln_error found = *error;
    s->usage = r->usage;
    if (s->n_axes > 0)
        snprintf(error->message, sizeof error->message, "with %.150s: %.340s", sweep_setting(s, i, &owner),
                 found.message);
    pool_free(&owner);
    return false;
}

/* The model, how it is trained, and how many threads that keeps busy. */
static bool check_model(sweep *s, recipe *r, ln_context *context, ln_error *error) {
    const ln_train_options train = recipe_training(r);
    const bool             all = strcmp(r->item[KEY_data_batch].text, "all") == 0;
    ln_memory              memory;
    ln_model *const        model = recipe_model(r, context, error);
    const bool             good = model && recipe_check_training(r, model, NULL, error) &&
                      ln_model_memory(model, all ? ALL_FOR_EXAMPLE : train.batch, &train, &memory, error) == LN_OK;
    ln_model_free(model);
    if (good && (size_t)memory.training_threads > s->threads) s->threads = (size_t)memory.training_threads;
    return good;
}

/* Fills the run's recipe. */
static bool check_run(sweep *s, sweep_run *run, ln_context *context, ln_error *error) {
    recipe     r = {0};
    const bool good =
        read_recipe(s, &r, run->setting, &run->seed, error) && (!context || check_model(s, &r, context, error));
    if (good) {
        run->seed = (uint64_t)r.item[KEY_train_seed].number;
        run->epochs = r.item[KEY_train_epochs].number;
        run->recipe = recipe_essence(&r, true, &s->owner);
    } else {
        blame(s, &r, run->setting, error);
    }
    recipe_free(&r);
    return good;
}

bool sweep_try(const sweep *s, ln_context *context, ln_error *error) {
    recipe          r = {0};
    recipe_data     data = {0};
    bool            good = read_recipe(s, &r, s->runs[0].setting, &s->runs[0].seed, error);
    ln_model *const model = good ? recipe_model(&r, context, error) : NULL;
    good = model && recipe_open(&r, context, model, &data, error);
    recipe_data_free(&data);
    ln_model_free(model);
    recipe_free(&r);
    return good;
}

/* The recipe's own seed, with the first value of every key. */
static bool find_seed(sweep *s, ln_error *error) {
    recipe  r = {0};
    setting first = {.value = pool_take(&s->owner, (s->n_axes + 1) * sizeof *first.value)};
    for (size_t k = 0; k < s->n_axes; k++) first.value[k] = axis_draw(&s->axes[k], 0, &s->owner);
    s->settings = &first;
    const bool good = read_recipe(s, &r, 0, NULL, error);
    s->seed = (uint64_t)r.item[KEY_train_seed].number;
    s->own_threads = (size_t)r.item[KEY_train_threads].number;
    if (!good) blame(s, &r, 0, error);
    s->settings = NULL;
    recipe_free(&r);
    return good;
}

/* ----------------------------------------------------------------- settings */

static bool refuse(sweep *s, ln_error *error) {
    s->usage = error->status == LN_E_ARGUMENT;
    return false;
}

static bool too_many(sweep *s, ln_error *error) {
    fill_error(error, LN_E_ARGUMENT,
               "these words ask for more than %d runs, the most that a sweep has: leave values out, or draw some by "
               "samples=N",
               SWEEP_MAX_RUNS);
    return refuse(s, error);
}

/* How many combinations there are; 0: endlessly many, or too many to count. */
static size_t combinations(const sweep *s) {
    size_t n = 1;
    for (size_t k = 0; k < s->n_axes; k++) {
        if (s->axes[k].n == 0 || n > SIZE_MAX / s->axes[k].n) return 0;
        n *= s->axes[k].n;
    }
    return n;
}

/* The last key changes soonest. */
static bool all_settings(sweep *s, ln_error *error) {
    for (size_t k = 0; k < s->n_axes; k++)
        if (s->axes[k].n == 0) {
            fill_error(error, LN_E_ARGUMENT,
                       "%.100s: a range without steps is there to be drawn from: add samples=N, or steps as in "
                       "0.1..0.5:0.1 and log:1e-4..1e-1:4",
                       s->axes[k].written);
            return refuse(s, error);
        }
    const size_t n = combinations(s);
    if (n == 0 || n > SWEEP_MAX_RUNS) return too_many(s, error);
    s->settings = pool_take(&s->owner, n * sizeof *s->settings);
    for (s->n_settings = 0; s->n_settings < n; s->n_settings++) {
        size_t rest = s->n_settings;
        s->settings[s->n_settings].value = pool_take(&s->owner, (s->n_axes + 1) * sizeof(char *));
        for (size_t k = s->n_axes; k-- > 0; rest /= s->axes[k].n)
            s->settings[s->n_settings].value[k] = s->axes[k].value[rest % s->axes[k].n];
    }
    return true;
}

static bool same_setting(const sweep *s, const setting *a, const setting *b) {
    for (size_t k = 0; k < s->n_axes; k++)
        if (strcmp(a->value[k], b->value[k]) != 0) return false;
    return true;
}

/* Sample i is a function of the seed and i alone, so more of them begin with the same. What was drawn before is drawn
 * anew. */
static bool draw_settings(sweep *s, ln_error *error) {
    const size_t n = combinations(s);
    bool         few = n > 0 && n < s->samples;
    s->settings = pool_take(&s->owner, s->samples * sizeof *s->settings);
    for (uint64_t i = 0; s->n_settings < s->samples && !few; i++) {
        setting *const mine = &s->settings[s->n_settings];
        size_t         k = 0;
        mine->value = pool_take(&s->owner, (s->n_axes + 1) * sizeof *mine->value);
        for (; k < s->n_axes; k++)
            mine->value[k] = axis_draw(&s->axes[k], ln_random_number(s->seed, (uint32_t)k, i), &s->owner);
        for (k = 0; k < s->n_settings && !same_setting(s, &s->settings[k], mine);) k++;
        s->n_settings += k == s->n_settings;
        few = i >= DRAWS_A_SAMPLE * (uint64_t)s->samples;
    }
    if (!few) return true;
    fill_error(error, LN_E_ARGUMENT,
               "samples=%zu: there are fewer combinations than that: leave samples= out to run all", s->samples);
    return refuse(s, error);
}

/* -------------------------------------------------------------------- runs */

static int by_recipe(const void *a, const void *b) {
    return strcmp((*(const sweep_run *const *)a)->recipe, (*(const sweep_run *const *)b)->recipe);
}

/* Two keys may stand for the same value, and values may be written in several ways. */
static bool check_twins(sweep *s, ln_error *error) {
    pool              owner = {0};
    const sweep_run **sorted = pool_take(&owner, s->n_runs * sizeof *sorted);
    size_t            i = 1;
    for (size_t k = 0; k < s->n_runs; k++) sorted[k] = &s->runs[k];
    qsort(sorted, s->n_runs, sizeof *sorted, by_recipe);
    while (i < s->n_runs && strcmp(sorted[i - 1]->recipe, sorted[i]->recipe) != 0) i++;
    if (i < s->n_runs) {
        const bool first = sorted[i - 1] < sorted[i];
        fill_error(error, LN_E_ARGUMENT, "%.150s and %.150s are the same training: leave one out",
                   sweep_name(s, sorted[first ? i - 1 : i], &owner), sweep_name(s, sorted[first ? i : i - 1], &owner));
        refuse(s, error);
    }
    pool_free(&owner);
    return i >= s->n_runs;
}

/* Every setting once before any a second time. */
static bool make_runs(sweep *s, ln_context *context, ln_error *error) {
    if (s->n_settings * s->repeats > SWEEP_MAX_RUNS) return too_many(s, error);
    s->runs = pool_take(&s->owner, s->n_settings * s->repeats * sizeof *s->runs);
    for (size_t i = 0; i < s->repeats; i++)
        for (size_t k = 0; k < s->n_settings; k++) {
            sweep_run *const run = &s->runs[s->n_runs++];
            *run = (sweep_run){.setting = k, .seed = s->seed + i, .message = ""};
            if (!check_run(s, run, i == 0 ? context : NULL, error)) return false;
        }
    return check_twins(s, error);
}

/* ------------------------------------------------------------------- words */

static bool add_pair(sweep *s, const char *pair, ln_error *error) {
    axis a;
    if (!axis_read(&a, pair, &s->owner, error)) return refuse(s, error);
    if (a.n == 1) return s->fixed[s->n_fixed++] = pool_format(&s->owner, "%s=%s", a.key, a.value[0]), true;
    for (size_t k = 0; k < s->n_axes; k++)
        if (strcmp(s->axes[k].key, a.key) == 0) {
            fill_error(error, LN_E_ARGUMENT, "%.100s: %.60s is there twice: give all its values in one list", pair,
                       a.key);
            return refuse(s, error);
        }
    if (s->n_axes == SWEEP_MAX_AXES) {
        fill_error(error, LN_E_ARGUMENT, "%.100s: more than %d keys vary", pair, SWEEP_MAX_AXES);
        return refuse(s, error);
    }
    if (s->repeats > 1 && recipe_key_is(KEY_train_seed, a.key)) {
        fill_error(error, LN_E_ARGUMENT, "%.100s: repeats=%zu gives the seeds already: leave one of them out", pair,
                   s->repeats);
        return refuse(s, error);
    }
    s->axes[s->n_axes++] = a;
    return true;
}

bool sweep_plan(sweep *s, const char *const *pairs, size_t n_pairs, ln_context *context, ln_error *error) {
    s->fixed = pool_take(&s->owner, (n_pairs + 1) * sizeof *s->fixed);
    for (size_t i = 0; i < n_pairs; i++)
        if (!add_pair(s, pairs[i], error)) return false;
    if (s->n_axes == 0 && (s->repeats == 1 || s->samples > 0)) {
        fill_error(error, LN_E_ARGUMENT,
                   "nothing varies: give a key several values, as in lr=0.1,0.2, or repeats=N for several seeds");
        return refuse(s, error);
    }
    return find_seed(s, error) && (s->samples ? draw_settings(s, error) : all_settings(s, error)) &&
           make_runs(s, context, error);
}

/* ---------------------------------------------------------------- continue */

static const char *keys_of(const sweep *s, pool *owner) {
    text t = {0};
    for (size_t k = 0; k < s->n_axes; k++) text_add(&t, "%s%s", k ? ", " : "", s->axes[k].key);
    const char *const copy = t.n ? pool_copy(owner, t.bytes, t.n) : "nothing but seeds";
    text_free(&t);
    return copy;
}

static bool other_keys(const sweep *s, const sweep *old, ln_error *error) {
    pool owner = {0};
    bool same = s->n_axes == old->n_axes;
    for (size_t k = 0; k < s->n_axes && same; k++) same = strcmp(s->axes[k].key, old->axes[k].key) == 0;
    if (!same)
        fill_error(error, LN_E_ARGUMENT,
                   "%.150s holds a sweep over %.120s, and this one is over %.120s: choose another name=", s->path,
                   keys_of(old, &owner), keys_of(s, &owner));
    pool_free(&owner);
    return !same;
}

/* The first line in which they differ, without the spaces before it. */
static void first_difference(const char *a, const char *b, const char *line[2], int n[2]) {
    size_t from = 0;
    for (size_t i = 0; a[i] == b[i]; i++)
        if (a[i] == '\n') from = i + 1;
    line[0] = a + from + strspn(a + from, " ");
    line[1] = b + from + strspn(b + from, " ");
    for (size_t i = 0; i < 2; i++) n[i] = (int)strcspn(line[i], "\n");
}

static bool other_recipe(const sweep *s, size_t run, const sweep_run *was, const sweep_run *is, ln_error *error) {
    const char *line[2];
    int         n[2];
    if (strcmp(was->recipe, is->recipe) == 0) return false;
    first_difference(was->recipe, is->recipe, line, n);
    fill_error(error, LN_E_ARGUMENT,
               "%.150s holds another sweep: its run %03zu has '%.*s', and here it is '%.*s': choose another name=",
               s->path, run + 1, n[0] < 100 ? n[0] : 100, line[0], n[1] < 100 ? n[1] : 100, line[1]);
    return true;
}

static bool twice(const sweep *s, const char *what, ln_error *error) {
    return fill_error(error, LN_E_FORMAT,
                      "%.300s/sweep.db is damaged: it has the same %s twice; put back a copy, or remove the folder to "
                      "begin anew",
                      s->path, what);
}

/* For every setting of old where it is among those of s. */
static bool match_settings(const sweep *s, const sweep *old, size_t *place, ln_error *error) {
    for (size_t i = 0; i < old->n_settings; i++) {
        for (size_t k = 0; k < i; k++)
            if (same_setting(s, &old->settings[k], &old->settings[i])) return twice(s, "setting", error);
        pool   owner = {0};
        size_t k = 0;
        while (k < s->n_settings && !same_setting(s, &s->settings[k], &old->settings[i])) k++;
        if (k == s->n_settings)
            fill_error(
                error, LN_E_ARGUMENT,
                "%.150s has %.200s, which these words leave out: name all that it has and what is to be added, or "
                "choose another name=",
                s->path, sweep_setting(old, i, &owner));
        pool_free(&owner);
        if (k == s->n_settings) return false;
        place[i] = k;
    }
    return true;
}

/* Settings in the order of old, those that it lacks behind them. place becomes their numbers by those of s. */
static void order_settings(sweep *s, const sweep *old, size_t *place, pool *owner) {
    setting *const sorted = pool_take(&s->owner, s->n_settings * sizeof *sorted);
    size_t *const  number = pool_take(owner, s->n_settings * sizeof *number);
    bool *const    known = pool_take(owner, s->n_settings * sizeof *known);
    size_t         n = old->n_settings;
    for (size_t i = 0; i < old->n_settings; i++) number[place[i]] = i, known[place[i]] = true;
    for (size_t k = 0; k < s->n_settings; k++)
        if (!known[k]) number[k] = n++;
    for (size_t k = 0; k < s->n_settings; k++) sorted[number[k]] = s->settings[k];
    for (size_t i = 0; i < s->n_runs; i++) s->runs[i].setting = number[s->runs[i].setting];
    s->settings = sorted;
}

static sweep_run *find_run(const sweep *s, const sweep_run *like) {
    for (size_t i = 0; i < s->n_runs; i++)
        if (s->runs[i].setting == like->setting && s->runs[i].seed == like->seed) return &s->runs[i];
    return NULL;
}

/* The same for runs: those of old come first, as they stand. */
static bool order_runs(sweep *s, const sweep *old, ln_error *error) {
    sweep_run *const sorted = pool_take(&s->owner, s->n_runs * sizeof *sorted);
    size_t           n = 0;
    for (; n < old->n_runs; n++) {
        sweep_run *const found = find_run(s, &old->runs[n]);
        if (!found)
            return fill_error(error, LN_E_ARGUMENT,
                              "%.150s has a run with seed=%ju, which these words leave out: give at least as many "
                              "repeats= as it has, or choose another name=",
                              s->path, (uintmax_t)old->runs[n].seed);
        if (!found->recipe) return twice(s, "run", error);
        if (other_recipe(s, n, &old->runs[n], found, error)) return false;
        sorted[n] = old->runs[n];
        sorted[n].recipe = found->recipe;
        sorted[n].epochs = found->epochs;
        sorted[n].message = pool_copy(&s->owner, old->runs[n].message, strlen(old->runs[n].message));
        found->recipe = NULL; /* taken */
    }
    for (size_t i = 0; i < s->n_runs; i++)
        if (s->runs[i].recipe) sorted[n++] = s->runs[i];
    s->runs = sorted;
    return true;
}

bool sweep_continue(sweep *s, const sweep *old, size_t *first_setting, size_t *first_run, ln_error *error) {
    pool          owner = {0};
    size_t *const place = pool_take(&owner, (old->n_settings + 1) * sizeof *place);
    bool          good = !other_keys(s, old, error) && match_settings(s, old, place, error);
    if (good) {
        order_settings(s, old, place, &owner);
        good = order_runs(s, old, error);
    }
    *first_setting = old->n_settings;
    *first_run = old->n_runs;
    s->usage = !good && error->status == LN_E_ARGUMENT;
    pool_free(&owner);
    return good;
}
