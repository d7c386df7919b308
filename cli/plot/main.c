/* main.c: linnet-plot, the program that draws: linnet plot and linnet report become it. */
#include "picture.h"
#include "program.h"
#include "report.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* A name in .png or .svg. */
static bool check_out(const verb *v, const char *out, bool *svg) {
    *svg = out && ends_in(out, ".svg");
    if (!out || *svg || ends_in(out, ".png")) return true;
    return say_usage(v, "out=%s: the name must end in .png or .svg", out), false;
}

static bool make_folder(const char *path, ln_error *error) {
    if (mkdir(path, 0777) == 0 || errno == EEXIST) return true;
    fill_error(error, LN_E_IO, "cannot make the folder %.300s: %s", path, strerror(errno));
    return false;
}

/* Draws, writes and forgets the sheet; NULL (with the error filled) is passed on. folder may be NULL. */
static bool keep(ln_context *context, canvas *c, const char *folder, const char *path, ln_error *error) {
    const bool good = c && (!folder || make_folder(folder, error)) && canvas_write(c, context, path, error) == LN_OK;
    canvas_free(c);
    if (good) puts(path);
    return good;
}

/* Of what is drawn of one run: true after a message. */
static bool refuse_sweep(const arguments *a) {
    pool              owner = {0};
    const char *const instead = sweep_instead(a->words[0], &owner);
    if (instead) say_usage(a->verb, "%s", instead);
    pool_free(&owner);
    return instead != NULL;
}

/* ------------------------------------------------------------------- curves */

/* Into pictures/ of the first run, or of a sweep alone, where nobody says where. */
static bool draw_curves(const arguments *a, ln_context *context, const runs *found, bool svg, ln_error *error) {
    pool              owner = {0};
    const char *const out = argument(a, "out"), *const home = a->n_words == 1 ? a->words[0] : found->path[0];
    const char *const folder = out ? NULL : pool_format(&owner, "%s/pictures", home);
    const char *const path =
        out ? out : pool_format(&owner, "%s/%s.png", folder, found->n > 1 ? "comparison" : "curves");
    canvas *const sheet = curves_draw(found->path, found->n, argument(a, "x"), argument(a, "y"),
                                      argument(a, "seeds") != NULL, svg, error);
    const bool    good = keep(context, sheet, folder, path, error);
    pool_free(&owner);
    return good;
}

static int plot_curves(const arguments *a) {
    const char *const out = argument(a, "out");
    ln_error          error = {0};
    pool              owner = {0};
    bool              svg;
    const char *const seeds = argument(a, "seeds");
    if (seeds && strcmp(seeds, "mean") != 0)
        return say_usage(a->verb, "seeds=%s: must be mean, or left out for a curve of each run", seeds);
    if (argument(a, "image")) return say_usage(a->verb, "image= chooses what what=features draws"), STATUS_USAGE;
    if (a->n_words == 1 && !is_folder(a->words[0]))
        return say_usage(a->verb, "'%s' is no run's folder%s", a->words[0],
                         is_weights(a->words[0]) ? ": say what to draw of these weights, such as what=filters" : "");
    if (!check_out(a->verb, out, &svg)) return STATUS_USAGE;
    ln_context *const context = open_context(1);
    if (!context) return STATUS_FAILED;
    runs       found;
    const bool good =
        runs_find(&found, &owner, a->words, a->n_words, &error) && draw_curves(a, context, &found, svg, &error);
    ln_context_free(context);
    pool_free(&owner);
    if (good) return STATUS_OK;
    return error.status == LN_E_ARGUMENT ? say_usage(a->verb, "%s", error.message) : say_error(&error);
}

/* ----------------------------------------------------------------- pictures */

static bool draw_one(const subject *s, const picture *p, const char *out, bool svg, ln_error *error) {
    pool              owner = {0};
    const char *const reason = p->refuse(s), *const folder = out ? NULL : s->pictures;
    const char *const path =
        out ? out : pool_format(&owner, "%s%s%s.png", folder ? folder : "", folder ? "/" : "", p->what);
    if (reason)
        fill_error(error, LN_E_ARGUMENT, "what=%s: %s has nothing to draw: %s", p->what, subject_name(s), reason);
    canvas *const sheet = reason ? NULL : p->draw(s, svg, error);
    const bool    good = keep(s->context, sheet, folder, path, error);
    pool_free(&owner);
    return good;
}

/* What fails does not keep the others from being drawn. */
static bool draw_all(subject *s, const char *run, const char *out, ln_error *error) {
    pool              owner = {0};
    const char *const folder = out ? out : pool_format(&owner, "%s/pictures", run);
    ln_error          one = {0};
    bool              good = keep(s->context, curves_draw(&run, 1, NULL, NULL, false, false, error), folder,
                                  pool_format(&owner, "%s/curves.png", folder), error);
    const bool        opened = subject_open(s, run, NULL, &one);
    if (!opened && good) *error = one;
    good = good && opened;
    for (size_t i = 0; pictures[i] && opened; i++) {
        const picture *const p = pictures[i];
        if (p->refuse(s)) continue;
        if (keep(s->context, p->draw(s, false, &one), folder, pool_format(&owner, "%s/%s.png", folder, p->what), &one))
            continue;
        if (good) *error = one;
        good = false;
    }
    pool_free(&owner);
    return good;
}

static int plot_pictures(const arguments *a, const char *what) {
    const bool           all = strcmp(what, "all") == 0;
    const picture *const p = picture_find(what);
    const char *const    out = argument(a, "out");
    ln_error             error = {0};
    bool                 svg = false;
    size_t               image = 0;
    if (!all && !p) {
        text list = {0};
        for (size_t i = 0; pictures[i]; i++) text_add(&list, "%s, ", pictures[i]->what);
        say_usage(a->verb, "what=%s: must be one of %sall", what, list.bytes);
        text_free(&list);
        return STATUS_USAGE;
    }
    if (!argument_count(a, "image", 0, 1u << 30, &image)) return STATUS_USAGE;
    if (a->n_words > 2)
        return say_usage(a->verb, "one word too many, '%s': what= takes a run, or weights and images", a->words[2]);
    if (argument(a, "x") || argument(a, "y"))
        return say_usage(a->verb, "x= and y= choose columns of curves, and what=%s is none", what);
    if (all && !is_folder(a->words[0])) return say_usage(a->verb, "what=all: '%s' is no run's folder", a->words[0]);
    if (all && a->n_words > 1) return say_usage(a->verb, "one word too many, '%s': what=all takes a run", a->words[1]);
    if (!all && !check_out(a->verb, out, &svg)) return STATUS_USAGE;
    if (refuse_sweep(a)) return STATUS_USAGE;
    subject s = {.context = open_context(0), .image = argument(a, "image") ? &image : NULL};
    if (!s.context) return STATUS_FAILED;
    ln_context *const context = s.context;
    const char *const images = a->n_words > 1 ? a->words[1] : NULL;
    const bool        good = all ? draw_all(&s, a->words[0], out, &error)
                                 : subject_open(&s, a->words[0], images, &error) && draw_one(&s, p, out, svg, &error);
    subject_close(&s);
    ln_context_free(context);
    if (good) return STATUS_OK;
    return error.status == LN_E_ARGUMENT ? say_usage(a->verb, "%s", error.message) : say_error(&error);
}

static int plot(const arguments *a) {
    const char *const what = argument(a, "what");
    return what ? plot_pictures(a, what) : plot_curves(a);
}

/* ------------------------------------------------------------------- report */

static int report(const arguments *a) {
    ln_error    error = {0};
    pool        owner = {0};
    const char *out = argument(a, "out");
    if (!is_folder(a->words[0])) return say_usage(a->verb, "'%s' is no run's folder", a->words[0]);
    if (refuse_sweep(a)) return STATUS_USAGE;
    if (!out) out = pool_format(&owner, "%s/report.html", a->words[0]);
    subject s = {.context = open_context(0)};
    if (!s.context) return STATUS_FAILED;
    ln_context *const context = s.context;
    text              page = {0};
    const bool        good = subject_open(&s, a->words[0], NULL, &error) && report_write(&s, &page, &error) &&
                      ln_file_write(context, out, page.bytes, page.n, &error) == LN_OK;
    if (good) puts(out);
    text_free(&page);
    subject_close(&s);
    ln_context_free(context);
    pool_free(&owner);
    return good ? STATUS_OK : say_error(&error);
}

int main(int argc, char **argv) {
    static const program_verb list[] = {{&verb_plot, plot}, {&verb_report, report}};
    const int                 status = program_main(argc, argv, list, sizeof list / sizeof *list);
    canvas_end_all();
    return status;
}
