/* data_info.c: linnet data info NAME [TEST]: what a set of images holds, and what to look out for. */
#include "data.h"
#include "terminal.h"

#include <stdio.h>
#include <string.h>

enum { MAX_NOTES = 16, BAR = 20, FEW = 8, UNEVEN = 3 };

typedef struct report {
    const char *titles[2]; /* of the parts: "train" and "test", or the set's name */
    data_stats  stats[2];
    size_t      n_parts;
    data_twins  shared;
    const char *notes[MAX_NOTES];
    size_t      n_notes;
    pool        owner;
} report;

/* ------------------------------------------------------------------- notes */

static void note(report *r, const char *sentence) {
    if (r->n_notes < MAX_NOTES) r->notes[r->n_notes++] = sentence;
}

/* How messages call the images of a part. */
static const char *called(const report *r, size_t part) {
    return r->n_parts == 1 ? "" : part == 0 ? "training " : "test ";
}

static const char *values_word(const data_stats *s) { return s->info.h * s->info.w > 1 ? "pixels" : "values"; }

/* How people call class k: by its name, where it has one, or its label. */
static const char *class_word(report *r, const ln_data *data, int k) {
    const char *const name = ln_data_class_name(data, k);
    return name ? name : pool_format(&r->owner, "%d", ln_data_class(data, k));
}

/* The classes below n that a has (NULL: all of them) and b lacks, at most FEW by number: "Class 3 is", "Classes 1, 3
 * are"; NULL when there are none. */
static const char *classes_beyond(report *r, const data_stats *a, const data_stats *b, int n) {
    text   list = {0};
    size_t count = 0;
    for (int k = 0; k < n; k++) {
        const bool has = !a || a->n_of[k] > 0;
        if (!has || b->n_of[k] > 0 || ++count > FEW) continue;
        text_add(&list, "%s%s", count > 1 ? ", " : "",
                 class_word(r, a && k >= b->info.n_classes ? a->data : b->data, k));
    }
    if (count > FEW) text_add(&list, " and %zu more", count - FEW);
    const char *const said =
        count ? pool_format(&r->owner, "Class%s %s %s", count > 1 ? "es" : "", list.bytes, count > 1 ? "are" : "is")
              : NULL;
    text_free(&list);
    return said;
}

static void note_labels(report *r, size_t part) {
    const data_stats *const s = &r->stats[part];
    if (!s->info.has_labels) {
        note(r, pool_format(&r->owner,
                            "The %simages have no labels: they can be predicted, but not learned or tested "
                            "from; linnet help images says where labels are looked for.",
                            called(r, part)));
        return;
    }
    if (s->n_of[s->largest] > UNEVEN * s->n_of[s->smallest])
        note(r, pool_format(&r->owner,
                            "Class %s has %zu %simages and class %s only %zu: a network that always says the former "
                            "looks good, so judge it by the recall of each class (linnet val), or even them out.",
                            class_word(r, s->data, s->largest), s->n_of[s->largest], called(r, part),
                            class_word(r, s->data, s->smallest), s->n_of[s->smallest]));
    const char *const empty = part == 0 ? classes_beyond(r, NULL, s, s->info.n_classes) : NULL;
    if (empty)
        note(r,
             pool_format(&r->owner,
                         "%s without %simages: the network gets outputs that stand for nothing, unless classes: in the "
                         "recipe lists those that there are.",
                         empty, called(r, part)));
}

/* "image 10", or what its file is called. */
static const char *image_word(report *r, size_t part, size_t i) {
    const char *const name = ln_data_image_name(r->stats[part].data, i);
    return name ? name : pool_format(&r->owner, "image %zu", ln_data_image_number(r->stats[part].data, i));
}

static void note_copies(report *r, size_t part) {
    const data_stats *const s = &r->stats[part];
    const data_twins *const t = &s->twins;
    if (t->n == 0) return;
    note(r,
         pool_format(&r->owner,
                     "%zu %simage%s there already (the first: %s is %s again)%s: leave copies out, as "
                     "they count more than others%s.",
                     t->n, called(r, part), t->n == 1 ? " is" : "s are", image_word(r, part, t->first),
                     image_word(r, part, t->second),
                     t->n_relabelled ? pool_format(&r->owner, ", %zu of them with another label", t->n_relabelled) : "",
                     t->n_relabelled ? ", and see which label is right" : ""));
}

static void note_values(report *r, size_t part) {
    const data_stats *const s = &r->stats[part];
    if (s->info.n < 2 || s->n_constant == 0) return;
    if (s->n_constant == s->n_values)
        note(r, pool_format(&r->owner,
                            "All %simages are the same: there is nothing to learn from; look at where they come "
                            "from.",
                            called(r, part)));
    else if (part == 0)
        note(r, pool_format(&r->owner,
                            "%zu of %zu %s are the same in all %simages and tell nothing: normalise by one mean and "
                            "deviation for all (normalize: auto), not each by its own, which would be 0.",
                            s->n_constant, s->n_values, values_word(s), called(r, part)));
}

/* The first class that both sets have names for, but not the same; -1: there is none. */
static int other_name(const ln_data *a, const ln_data *b) {
    for (int k = 0; ln_data_class_name(a, k) && ln_data_class_name(b, k); k++)
        if (strcmp(ln_data_class_name(a, k), ln_data_class_name(b, k)) != 0) return k;
    return -1;
}

static void note_both(report *r) {
    const data_stats *const train = &r->stats[0], *const test = &r->stats[1];
    const ln_data_info *a = &train->info, *b = &test->info;
    if (a->c != b->c || a->h != b->h || a->w != b->w)
        note(r, pool_format(&r->owner,
                            "Training images are %zux%zux%zu and test images %zux%zux%zu: no network takes "
                            "both, so bring them to one shape.",
                            a->c, a->h, a->w, b->c, b->h, b->w));
    if (a->is_float != b->is_float)
        note(r, pool_format(&r->owner,
                            "Training images are %s and test images %s, and data.scale multiplies both alike: see "
                            "whether their values are of one range, or give both the same type.",
                            a->is_float ? "floats" : "bytes", b->is_float ? "floats" : "bytes"));
    if (r->shared.n)
        note(r, pool_format(
                    &r->owner,
                    "%zu test image%s also among the training images (the first: test %s is training %s)%s: the "
                    "network has seen %s, so take %s out of one of the two.",
                    r->shared.n, r->shared.n == 1 ? " is" : "s are", image_word(r, 1, r->shared.first),
                    image_word(r, 0, r->shared.second),
                    r->shared.n_relabelled ? pool_format(&r->owner, ", %zu under another label", r->shared.n_relabelled)
                                           : "",
                    r->shared.n == 1 ? "it" : "them", r->shared.n == 1 ? "it" : "them"));
    if (!a->has_labels || !b->has_labels) return;
    const int other = other_name(train->data, test->data);
    if (other >= 0)
        note(r, pool_format(&r->owner,
                            "Class %d is called %s in the training images and %s in the test images: the table goes "
                            "by numbers; make their classes the same.",
                            other, class_word(r, train->data, other), class_word(r, test->data, other)));
    const char *classes = classes_beyond(r, test, train, 256);
    if (classes)
        note(r, pool_format(&r->owner,
                            "%s in the test images alone and cannot be learned: see whether labels mean the same in "
                            "both, or leave such images out by classes:.",
                            classes));
    classes = classes_beyond(r, train, test, 256);
    if (classes)
        note(r, pool_format(&r->owner,
                            "%s in the training images alone, and the test says nothing of this: test on more "
                            "images.",
                            classes));
}

static void find_notes(report *r) {
    for (size_t part = 0; part < r->n_parts; part++) {
        note_labels(r, part);
        note_copies(r, part);
        note_values(r, part);
    }
    if (r->n_parts == 2) note_both(r);
}

/* ---------------------------------------------------------------- printing */

static const char *share(report *r, const data_stats *s, size_t n) {
    return pool_format(&r->owner, "%.2f %%", 100 * (double)n / (double)s->info.n);
}

static const char *cell(report *r, const data_stats *s, size_t row) {
    switch (row) {
    case 0: return text_count(&r->owner, s->info.n);
    case 1: return pool_format(&r->owner, "%zux%zux%zu", s->info.c, s->info.h, s->info.w);
    case 2: return s->info.is_float ? "float" : "byte";
    case 3: return text_bytes(&r->owner, s->info.n_bytes);
    case 4: return pool_format(&r->owner, "%.6g", s->low);
    case 5: return pool_format(&r->owner, "%.6g", s->high);
    case 6: return pool_format(&r->owner, "%.4g", s->mean);
    case 7: return pool_format(&r->owner, "%.4g", s->deviation);
    case 8: return pool_format(&r->owner, "%zu of %zu", s->n_constant, s->n_values);
    case 9: return text_count(&r->owner, s->twins.n);
    default: return NULL;
    }
}

static void print_table(report *r) {
    static const char *const rows[] = {"images",  "shape", "type",      "memory",   "lowest value",
                                       "highest", "mean",  "deviation", "constant", "copies"};
    table                    t = {.align = r->n_parts == 2 ? "lrr" : "lr"};
    table_add(&t, "%s", "");
    for (size_t part = 0; part < r->n_parts; part++) table_add(&t, "%s", r->titles[part]);
    for (size_t row = 0; row < sizeof rows / sizeof *rows; row++) {
        table_add(&t, "%s", rows[row]);
        for (size_t part = 0; part < r->n_parts; part++) table_add(&t, "%s", cell(r, &r->stats[part], row));
    }
    table_print(&t, stdout);
}

/* As long as its share of the largest class of the first part. */
static const char *bar(report *r, size_t n, size_t most, bool utf8) {
    text         marks = {0};
    const size_t length = n ? 1 + (n * (BAR - 1)) / most : 0;
    for (size_t i = 0; i < length; i++) text_add(&marks, "%s", utf8 ? "\xe2\x96\x88" : "#");
    const char *const copy = marks.n ? pool_copy(&r->owner, marks.bytes, marks.n) : "";
    text_free(&marks);
    return copy;
}

static void print_classes(report *r) {
    const data_stats *const s = &r->stats[0], *const other = r->n_parts == 2 ? &r->stats[1] : NULL;
    const bool     two = other && other->info.has_labels;
    const terminal look = terminal_of(stdout);
    const bool     named = ln_data_class_name(s->data, 0) != NULL; /* a sheet has numbers: this says whose */
    table          t = {.align = named ? two ? "rRrrlrr" : "rRrrl" : two ? "rrrlrr" : "rrrl"};
    if (!s->info.has_labels) return;
    if (named) table_add(&t, "%s", "");
    table_add(&t, "class"), table_add(&t, "%s", two ? r->titles[0] : "images"), table_add(&t, "share");
    table_add(&t, "%s", "");
    if (two) table_add(&t, "%s", r->titles[1]), table_add(&t, "share");
    for (int k = 0; k < 256; k++) {
        if (s->n_of[k] == 0 && (!two || other->n_of[k] == 0)) continue;
        const ln_data *const of = k < s->info.n_classes || !other ? s->data : other->data;
        if (named) table_add(&t, "%d", ln_data_class(of, k));
        table_add(&t, "%s", class_word(r, of, k));
        table_add(&t, "%s", text_count(&r->owner, s->n_of[k]));
        table_add(&t, "%s", share(r, s, s->n_of[k]));
        table_add(&t, "%s", bar(r, s->n_of[k], s->n_of[s->largest], look.utf8));
        if (two) table_add(&t, "%s", text_count(&r->owner, other->n_of[k]));
        if (two) table_add(&t, "%s", share(r, other, other->n_of[k]));
    }
    putchar('\n');
    table_print(&t, stdout);
}

static void print_words(report *r) {
    print_table(r);
    print_classes(r);
    putchar('\n');
    for (size_t i = 0; i < r->n_notes; i++) puts(r->notes[i]);
    if (r->n_notes == 0) puts("Nothing to look out for.");
}

/* -------------------------------------------------------------------- JSON */

static void print_string(const char *s) {
    putchar('"');
    for (; *s; s++) {
        const unsigned char byte = (unsigned char)*s;
        if (byte == '"' || byte == '\\') printf("\\%c", byte);
        else if (byte < 0x20) printf("\\u%04x", byte);
        else putchar(byte);
    }
    putchar('"');
}

static void print_twins(const char *key, const data_twins *t) {
    printf("\"%s\": {\"n\": %zu, \"relabelled\": %zu", key, t->n, t->n_relabelled);
    if (t->n) printf(", \"first\": [%zu, %zu]", t->first, t->second);
    putchar('}');
}

static void print_part(const char *key, const data_stats *s) {
    const ln_data_info *const i = &s->info;
    const char               *before = "";
    printf("\"%s\": {\"n\": %zu, \"c\": %zu, \"h\": %zu, \"w\": %zu, \"type\": \"%s\", \"bytes\": %zu, "
           "\"low\": %.9g, \"high\": %.9g, \"mean\": %.9g, \"deviation\": %.9g, \"constant\": %zu, ",
           key, i->n, i->c, i->h, i->w, i->is_float ? "float32" : "uint8", i->n_bytes, s->low, s->high, s->mean,
           s->deviation, s->n_constant);
    print_twins("copies", &s->twins);
    printf(", \"classes\": ");
    if (!i->has_labels) printf("null}");
    else putchar('{');
    for (int k = 0; k < 256 && i->has_labels; k++) {
        if (s->n_of[k] == 0) continue;
        const char *const name = ln_data_class_name(s->data, k);
        printf("%s", before);
        if (name) print_string(name);
        else printf("\"%d\"", ln_data_class(s->data, k));
        printf(": %zu", s->n_of[k]);
        before = ", ";
    }
    if (i->has_labels) printf("}}");
}

static void print_json(report *r) {
    putchar('{');
    print_part(r->n_parts == 2 ? "train" : "all", &r->stats[0]);
    if (r->n_parts == 2) {
        printf(", ");
        print_part("test", &r->stats[1]);
        printf(", ");
        print_twins("shared", &r->shared);
    }
    printf(", \"notes\": [");
    for (size_t i = 0; i < r->n_notes; i++) {
        char *const note = pool_copy(&r->owner, r->notes[i], strlen(r->notes[i]));
        text_make_utf8(note); /* names of files may be any bytes */
        if (i) printf(", ");
        print_string(note);
    }
    puts("]}");
}

/* --------------------------------------------------------------------- runs */

static bool open_parts(const arguments *a, ln_context *context, const ln_reading *reading, data_parts *parts,
                       ln_error *error) {
    if (a->n_words == 2) return data_open(context, a->words[1], reading, parts, error) && data_shape(a, parts, error);
    *parts = (data_parts){.train = ln_data_open_as(context, a->words[1], "train", NULL, reading, error)};
    if (parts->train) parts->test = ln_data_open_as(context, a->words[2], "test", NULL, reading, error);
    return parts->test && data_shape(a, parts, error);
}

static void measure(report *r, const arguments *a, const data_parts *parts) {
    r->n_parts = parts->test ? 2 : 1;
    r->titles[0] = parts->test ? "train" : a->words[1];
    r->titles[1] = "test";
    data_measure(parts->train, &r->stats[0]);
    if (parts->test) data_measure(parts->test, &r->stats[1]);
    if (parts->test) r->shared = data_shared(&r->stats[0], &r->stats[1]);
    find_notes(r);
}

static int run(const arguments *a) {
    const char *const sheet = argument(a, "sheet");
    report            r = {0};
    ln_error          error = {0};
    data_parts        parts = {0};
    ln_reading        reading;
    if (sheet && !ends_in(sheet, ".png")) return say_usage(a->verb, "sheet=%s: the name must end in .png", sheet);
    if (!data_reading(a, &reading)) return STATUS_USAGE;
    ln_context *const context = open_context(1);
    if (!context) return STATUS_FAILED;
    bool good = open_parts(a, context, &reading, &parts, &error);
    if (good) measure(&r, a, &parts);
    good = good && (!sheet || data_sheet(context, sheet, &r.stats[0], &error));
    if (good && has_flag(a, "--json")) print_json(&r);
    else if (good) print_words(&r);
    for (size_t i = 0; i < r.n_parts; i++) data_stats_free(&r.stats[i]);
    pool_free(&r.owner);
    data_free(&parts);
    ln_context_free(context);
    return good ? STATUS_OK : data_fail(a, &error);
}

const data_word data_info = {
    .name = "info",
    .usage = "data info NAME [TEST] [sheet=FILE.png] [shape=CxHxW] [resize=HxW] [grayscale=true] [--json]",
    .keys = (const char *const[]){"sheet", "shape", "resize", "grayscale", NULL},
    .flags = (const char *const[]){"--json", NULL},
    .n_min = 1,
    .n_max = 2,
    .run = run,
};
