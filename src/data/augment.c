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

static ln_status check_step(const ln_augment_step *step, const ln_frame *frame, ln_error *error) {
    return step->kind->check ? step->kind->check(step->kind, step->args, frame, error) : LN_OK;
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
    return status == LN_OK ? check_step(step, NULL, error) : status;
}

/* A label has room for one other. */
static ln_status find_mix(ln_augment *augment, ln_error *error) {
    augment->mix = augment->n;
    for (size_t i = augment->n; i-- > 0;) {
        if (!augment->step[i].kind->share) continue;
        if (ln_augment_mixes(augment))
            return ln_fail(error, LN_E_ARGUMENT,
                           "augmentation %s: images are mixed twice, and two labels are the most that are kept: leave "
                           "one out",
                           augment->step[i].kind->name);
        augment->mix = i;
    }
    return LN_OK;
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
    const ln_status status = find_mix(&found, error);
    if (status == LN_OK) *augment = found;
    return status;
}

ln_status ln_augment_check(const ln_augment *augment, const ln_frame *frame, ln_error *error) {
    ln_status status = LN_OK;
    for (size_t i = 0; i < augment->n && status == LN_OK; i++) status = check_step(&augment->step[i], frame, error);
    return status;
}

static size_t whole_lines(size_t n_bytes) { return (n_bytes + 63) / 64 * 64; }

static size_t image_room(const ln_frame *f) { return whole_lines(ln_frame_count(f) * f->value_bytes); }

/* Images in spare. */
static size_t spare_images(const ln_augment *augment) { return ln_augment_mixes(augment) ? 2 : augment->n > 1; }

size_t ln_augment_spare_bytes(const ln_augment *augment, const ln_frame *frame) {
    size_t most = 0;
    for (size_t i = 0; i < augment->n; i++) {
        const ln_augment_step *const step = &augment->step[i];
        const size_t                 n_bytes = step->kind->work_bytes ? step->kind->work_bytes(step->args, frame) : 0;
        most = n_bytes > most ? n_bytes : most;
    }
    return spare_images(augment) * image_room(frame) + whole_lines(most);
}

/* Where results lie: in `to` and between by turns, such that the last one lies in `to`. */
typedef struct places {
    void *to, *between, *work;
} places;

/* Steps [first, last); where there are none the image stays where it is. */
static const void *run(const ln_augment *augment, size_t first, size_t last, const ln_frame *frame, ln_random *random,
                       const void *from, places p) {
    for (size_t i = first; i < last; i++) {
        void *const next = (last - i) % 2 ? p.to : p.between;
        augment->step[i].kind->change(augment->step[i].args, frame, random, from, next, p.work);
        from = next;
    }
    return from;
}

static ln_random stream_of(const ln_occasion *at, uint32_t image) {
    return ln_random_at(at->seed, LN_RANDOM_AUGMENT, image, at->epoch);
}

/* The other image is drawn among all of them, and changed before as this epoch changes it anyway: it is a function of
 * the number of its own, so neither batches nor threads have a part in what is made. */
static ln_mate mix(const ln_augment *augment, const ln_frame *frame, const ln_occasion *at, const void *from, void *to,
                   unsigned char *one, void *work) {
    void *const                  two = one + image_room(frame);
    const ln_augment_step *const step = &augment->step[augment->mix];
    ln_random                    random = stream_of(at, at->image);
    const void *const            own = run(augment, 0, augment->mix, frame, &random, from, (places){one, to, work});
    const size_t                 place = (size_t)ln_random_below(&random, at->among->n);
    const float                  share = (float)step->kind->share(step->args, &random);
    ln_random                    its = stream_of(at, ln_data_number(at->among, place));
    const void *const            other =
        run(augment, 0, augment->mix, frame, &its, ln_data_values(at->among, place), (places){two, to, work});
    frame->pixels->mix(own, other, frame->value_bytes > 1, ln_frame_count(frame), share, to);
    if (augment->mix + 1 < augment->n) {
        memcpy(one, to, ln_frame_count(frame) * frame->value_bytes);
        run(augment, augment->mix + 1, augment->n, frame, &random, one, (places){to, two, work});
    }
    return (ln_mate){place, share};
}

ln_mate ln_augment_image(const ln_augment *augment, const ln_frame *frame, ln_occasion at, const void *from, void *to,
                         void *spare) {
    unsigned char *const one = spare;
    void *const          work = one + spare_images(augment) * image_room(frame);
    if (ln_augment_mixes(augment)) return mix(augment, frame, &at, from, to, one, work);
    ln_random random = stream_of(&at, at.image);
    run(augment, 0, augment->n, frame, &random, from, (places){to, one, work});
    return (ln_mate){0};
}

ln_frame ln_frame_of(const ln_data *data) {
    const ln_store *const s = data->store;
    return (ln_frame){s->c, s->h, s->w, s->is_float ? sizeof(float) : 1, ln_pixels_of(s->context->isa)};
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

void ln_augment_words(const ln_frame *frame, ln_random *random, uint32_t *words, size_t n) {
    size_t i = 0;
    while (i < n && random->used < 4) words[i++] = ln_random_u32(random);
    const size_t n_counters = (n - i + 3) / 4;
    if (n_counters == 0) return;
    frame->pixels->philox(random, n_counters, words + i);
    const uint64_t first = (uint64_t)random->counter[1] << 32 | random->counter[0], next = first + n_counters;
    memcpy(random->word, words + i + 4 * (n_counters - 1), sizeof random->word);
    random->counter[0] = (uint32_t)next;
    random->counter[1] = (uint32_t)(next >> 32);
    random->used = (unsigned)(n - i - 4 * (n_counters - 1));
}

ln_status ln_factor_check(const ln_augmentation *kind, const void *args, const ln_frame *frame, ln_error *error) {
    const ln_factor *const a = args;
    (void)frame;
    return ln_augment_range(kind->name, "low", a->low, "high", a->high, error);
}

double ln_factor_draw(const void *args, ln_random *random) {
    const ln_factor *const a = args;
    return ln_augment_between(random, a->low, a->high);
}
