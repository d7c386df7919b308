/* The list of augmentations, from augments.def; how a line of them is read, and how they are done one after another. */
#include "data/augment.h"

#include <stdio.h>
#include <string.h>

#define LN_AUGMENTATION(name) extern const ln_augmentation ln_augmentation_##name;
#include "data/augments.def"
#undef LN_AUGMENTATION

const ln_augmentation *const ln_augmentations[LN_AUGMENTATION_COUNT] = {
#define LN_AUGMENTATION(name) [LN_AUGMENTATION_##name] = &ln_augmentation_##name,
#include "data/augments.def"
#undef LN_AUGMENTATION
};

static ln_status find(const char *word, const ln_augmentation **kind, ln_error *error) {
    const char *names[LN_AUGMENTATION_COUNT];
    char        list[400] = "";
    size_t      length = 0;
    for (size_t i = 0; i < LN_AUGMENTATION_COUNT; i++) {
        names[i] = ln_augmentations[i]->name;
        if (strcmp(names[i], word) == 0) {
            *kind = ln_augmentations[i];
            return LN_OK;
        }
        if (length < sizeof list)
            length += (size_t)snprintf(list + length, sizeof list - length, "%s%s", i ? ", " : "", names[i]);
    }
    const char *const near = ln_nearest(word, names, LN_AUGMENTATION_COUNT);
    return ln_fail(error, LN_E_ARGUMENT, "unknown augmentation '%s'; allowed: %s, or none%s%s%s", word, list,
                   near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
}

/* Where a kind's line ends: at a comma before a letter, or with the text. */
static size_t line_length(const char *text) {
    for (const char *comma = text; (comma = strchr(comma, ',')); comma++) {
        const char next = comma[1 + strspn(comma + 1, " \t\r\n\v\f")];
        if ((next >= 'a' && next <= 'z') || (next >= 'A' && next <= 'Z')) return (size_t)(comma - text);
    }
    return strlen(text);
}

static ln_status parse_step(const char *text, size_t length, ln_augment_step *step, ln_error *error) {
    char    one[LN_MAX_REST];
    ln_line line;
    if (length >= sizeof one)
        return ln_fail(error, LN_E_ARGUMENT, "augmentation: a line is longer than %zu characters; shorten it",
                       sizeof one - 1);
    memcpy(one, text, length);
    one[length] = '\0';
    ln_status status = ln_line_split(one, "augmentation", &line, error);
    if (status == LN_OK) status = find(line.word, &step->kind, error);
    if (status != LN_OK) return status;
    if (line.from[0] || line.as[0])
        return ln_fail(error, LN_E_ARGUMENT, "augmentation %s: takes neither 'from' nor 'as'", line.word);
    status =
        ln_attr_parse(line.rest, line.word, step->kind->attrs, step->args, step->kind->args_size, NULL, NULL, 0, error);
    return status == LN_OK && step->kind->check ? step->kind->check(step->args, NULL, error) : status;
}

ln_status ln_augment_parse(const char *text, ln_augment *augment, ln_error *error) {
    ln_augment found = {0};
    for (const char *at = text; at && strcmp(text, "none") != 0;) {
        const size_t length = line_length(at);
        if (found.n == LN_MAX_AUGMENTS)
            return ln_fail(error, LN_E_ARGUMENT, "augmentation: more than %d are given; leave some out",
                           LN_MAX_AUGMENTS);
        const ln_status status = parse_step(at, length, &found.step[found.n++], error);
        if (status != LN_OK) return status;
        at = at[length] ? at + length + 1 : NULL;
    }
    *augment = found;
    return LN_OK;
}

ln_status ln_augment_check(const ln_augment *augment, const ln_frame *frame, ln_error *error) {
    ln_status status = LN_OK;
    for (size_t i = 0; i < augment->n && status == LN_OK; i++)
        if (augment->step[i].kind->check) status = augment->step[i].kind->check(augment->step[i].args, frame, error);
    return status;
}

static size_t whole_lines(size_t n_bytes) { return (n_bytes + 63) / 64 * 64; }

static size_t between_bytes(const ln_augment *augment, const ln_frame *f) {
    return augment->n > 1 ? whole_lines(f->c * f->h * f->w * f->value_bytes) : 0;
}

size_t ln_augment_spare_bytes(const ln_augment *augment, const ln_frame *frame) {
    size_t most = 0;
    for (size_t i = 0; i < augment->n; i++) {
        const ln_augment_step *const step = &augment->step[i];
        const size_t                 n_bytes = step->kind->work_bytes ? step->kind->work_bytes(step->args, frame) : 0;
        most = n_bytes > most ? n_bytes : most;
    }
    return between_bytes(augment, frame) + whole_lines(most);
}

/* Spare begins with an image, where there is more than one kind. Results lie in `to` and there by turns, such that the
 * last one lies in `to`. */
void ln_augment_image(const ln_augment *augment, const ln_frame *frame, ln_occasion at, const void *from, void *to,
                      void *spare) {
    ln_random   random = ln_random_at(at.seed, LN_RANDOM_AUGMENT, at.image, at.epoch);
    void *const work = (unsigned char *)spare + between_bytes(augment, frame);
    for (size_t i = 0; i < augment->n; i++) {
        void *const next = (augment->n - i) % 2 ? to : spare;
        augment->step[i].kind->change(augment->step[i].args, frame, &random, from, next, work);
        from = next;
    }
}

ln_status ln_augment_range(const char *kind, const char *low_key, double low, const char *high_key, double high,
                           ln_error *error) {
    if (low <= high) return LN_OK;
    return ln_fail(error, LN_E_ARGUMENT, "augmentation %s: %s=%g is above %s=%g; give the smaller one first", kind,
                   low_key, low, high_key, high);
}

double ln_augment_between(ln_random *random, double low, double high) {
    return low + (high - low) * ln_random_uniform(random);
}
