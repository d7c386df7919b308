/* data_sheet.c: a picture of some images of a set, a row a class, the class's number before it. */
#include "data.h"

#include "sheet.h"

#include <stdio.h>

enum { PER_ROW = 8, UNLABELLED = 64 };

static void put(sheet *t, const data_stats *s, size_t i, size_t row, size_t column) {
    sheet_put(t, s->data, i, s->low, s->high, row, column);
}

static void draw_classes(sheet *t, const data_stats *s) {
    size_t row = 0;
    for (int k = 0; k < 256; k++) {
        size_t column = 0;
        if (s->n_of[k] == 0) continue;
        sheet_number(t, row, ln_data_class(s->data, k));
        for (size_t i = 0; i < s->info.n && column < PER_ROW; i++)
            if (ln_data_label(s->data, i) == k) put(t, s, i, row, column++);
        row++;
    }
}

bool data_sheet(ln_context *context, const char *path, const data_stats *s, ln_error *error) {
    const ln_data_info *const i = &s->info;
    const size_t              n = i->n < UNLABELLED ? i->n : UNLABELLED;
    const size_t              n_rows = i->has_labels ? s->n_present : (n + PER_ROW - 1) / PER_ROW;
    sheet                     t = {0};
    if (i->h * i->w == 1) {
        return fill_error(
            error, LN_E_ARGUMENT,
            "sheet=%.200s: images of %zux1x1 are no pictures: give the rows and columns that they have by "
            "shape=, such as shape=1x28x28",
            path, i->c);
    }
    bool good = sheet_new(&t, s->data, n_rows, PER_ROW, i->has_labels, error);
    if (good && i->has_labels) draw_classes(&t, s);
    for (size_t k = 0; good && !i->has_labels && k < n; k++) put(&t, s, k, k / PER_ROW, k % PER_ROW);
    good = good && sheet_write(&t, context, path, error);
    sheet_free(&t);
    return good;
}
