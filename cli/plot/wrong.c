/* wrong.c: images that are answered wrongly, the surest answers first: label, answer, probability. */
#include "picture.h"

#include <stdlib.h>

enum { COLUMNS = 8, MOST = 32, CELL_W = 118, CELL_H = 148, LINE = 15, SIDE = 96, LEFT = 20, GAP = 12 };

static const font words_font = {.size = 12, .bold = true, .color = COLOR_INK, .anchor = ANCHOR_MIDDLE};

typedef struct mistake {
    size_t image, label, answer;
    float  probability;
} mistake;

/* Puts it in its place among the n surest; the number of these. */
static size_t keep(mistake *list, size_t n, mistake m) {
    if (n == MOST && m.probability <= list[n - 1].probability) return n;
    size_t at = n < MOST ? n++ : n - 1;
    for (; at > 0 && list[at - 1].probability < m.probability; at--) list[at] = list[at - 1];
    list[at] = m;
    return n;
}

static size_t find(const subject *s, const float *probabilities, mistake *list, size_t *n_wrong) {
    const size_t n = ln_data_describe(s->images).n, k = ln_model_class_count(s->model);
    size_t       kept = 0;
    *n_wrong = 0;
    for (size_t i = 0; i < n; i++) {
        const float *const p = probabilities + i * k;
        const size_t       answer = place_of_largest(p, k), label = (size_t)ln_data_label(s->images, i);
        if (answer == label) continue;
        ++*n_wrong;
        kept = keep(list, kept, (mistake){i, label, answer, p[answer]});
    }
    return kept;
}

/* "is 4, said 9": on a line where that fits. */
static const char *words_of(const subject *s, const mistake *m, pool *owner) {
    return pool_format(owner, "is %s, said %s", class_name(s->model, m->label, owner),
                       class_name(s->model, m->answer, owner));
}

/* Whether any needs a line for the label and one for the answer: names are longer than numbers. */
static bool need_two_lines(const subject *s, const mistake *list, size_t n) {
    canvas *const measure = canvas_new(1, 1, true);
    pool          owner = {0};
    bool          two = false;
    for (size_t i = 0; i < n; i++)
        two |= canvas_text_width(measure, words_font, words_of(s, &list[i], &owner)) > CELL_W - 4;
    pool_free(&owner);
    canvas_free(measure);
    return two;
}

/* The line below them; a name is cut only where a line of its own is too short for it. */
static double draw_words(canvas *c, const subject *s, const mistake *m, double x, double y, bool two) {
    pool owner = {0};
    if (!two) canvas_text(c, x, y, words_font, words_of(s, m, &owner));
    if (two) {
        canvas_text_within(c, x, y, words_font, CELL_W - 4,
                           pool_format(&owner, "is %s", class_name(s->model, m->label, &owner)));
        canvas_text_within(c, x, y + LINE, words_font, CELL_W - 4,
                           pool_format(&owner, "said %s", class_name(s->model, m->answer, &owner)));
    }
    pool_free(&owner);
    return y + (two ? LINE : 0) + 17;
}

/* "98.7 %  (no. 7)"; the name of a file has a line of its own. */
static void draw_caption(canvas *c, const subject *s, const mistake *m, double x, double y) {
    pool              owner = {0};
    const font        small = {.size = 11, .color = COLOR_DIM, .anchor = ANCHOR_MIDDLE};
    const double      percent = 100 * (double)m->probability;
    const char *const image = subject_image(s, m->image, &owner);
    const bool        named = ln_data_image_name(s->images, m->image);
    canvas_text(c, x, y, small, pool_format(&owner, named ? "%.1f %%" : "%.1f %%  (%s)", percent, image));
    if (named) canvas_text_within(c, x, y + LINE, small, CELL_W - 4, image);
    pool_free(&owner);
}

static void draw_mistake(canvas *c, const subject *s, const mistake *m, double x, double y, bool two) {
    const ln_data_info info = ln_data_describe(s->images);
    uint32_t *const    pixels = take(info.h * info.w, sizeof *pixels);
    pool               owner = {0};
    const double       longer = (double)(info.h > info.w ? info.h : info.w);
    const double       w = SIDE * (double)info.w / longer, h = SIDE * (double)info.h / longer;
    const char *const  name = ln_data_image_name(s->images, m->image);
    const size_t       number = ln_data_image_number(s->images, m->image);
    canvas_begin(c, "wrong", name ? name : pool_format(&owner, "image %zu", number));
    image_pixels(s->images, m->image, pixels);
    canvas_image(c, (box){x + (CELL_W - w) / 2, y + (SIDE - h) / 2, w, h}, pixels, info.w, info.h, false);
    draw_caption(c, s, m, x + CELL_W / 2.0, draw_words(c, s, m, x + CELL_W / 2.0, y + SIDE + 13, two));
    canvas_end(c);
    free(pixels);
    pool_free(&owner);
}

static canvas *draw(const subject *s, bool svg, ln_error *error) {
    const size_t n = ln_data_describe(s->images).n, k = ln_model_class_count(s->model);
    float *const probabilities = take(n * k, sizeof *probabilities);
    mistake      list[MOST];
    size_t       n_wrong = 0;
    pool         owner = {0};
    canvas      *c = NULL;
    if (ln_predict(s->model, s->images, 64, NULL, probabilities, error) == LN_OK) {
        const size_t kept = find(s, probabilities, list, &n_wrong), rows = (kept + COLUMNS - 1) / COLUMNS;
        const bool   two = need_two_lines(s, list, kept);
        const double cell_h = CELL_H + (two ? LINE : 0) + (ln_data_image_name(s->images, 0) ? LINE : 0);
        const char  *numbers = kept ? subject_numbers(s, &owner) : NULL;
        c = canvas_new(2 * LEFT + COLUMNS * (CELL_W + GAP) - GAP, CHART_HEAD + 14 + cell_h * (double)rows, svg);
        chart_heading(c, "Wrong answers, the surest first",
                      pool_format(&owner, "%s · %zu of %s %s are wrong%s%s", subject_name(s), n_wrong,
                                  text_count(&owner, n), s->said,
                                  kept < n_wrong ? pool_format(&owner, "; the first %zu", kept) : "",
                                  numbers ? pool_format(&owner, "; numbers of %s", numbers) : ""));
        for (size_t i = 0; i < kept; i++)
            draw_mistake(c, s, &list[i], LEFT + (double)(i % COLUMNS * (CELL_W + GAP)),
                         CHART_HEAD + 10 + (double)(i - i % COLUMNS) / COLUMNS * cell_h, two);
    }
    free(probabilities);
    pool_free(&owner);
    return c;
}

static const char *refuse(const subject *s) {
    const char *const reason = needs_labels(s);
    const size_t      area = reason ? 2 : ln_data_describe(s->images).h * ln_data_describe(s->images).w;
    return !reason && area < 2 ? "its images are single points, no pictures" : reason;
}

const picture picture_wrong = {.what = "wrong", .refuse = refuse, .draw = draw};
