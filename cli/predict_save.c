/* predict_save.c: what a network saw, as pictures in a folder. */
#include "predict_save.h"

#include "cli.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_PART = 100 }; /* bytes of a name that comes from elsewhere */

/* The first n bytes as a part of a file's name: no more of them than fit, no character cut in two, none that a path or
 * a shell takes for something else, and no '+'. */
static const char *part_of(pool *owner, const char *bytes, size_t n) {
    if (n > MAX_PART)
        for (n = MAX_PART; n > 0 && ((unsigned char)bytes[n] & 0xc0) == 0x80;) n--;
    char *const part = pool_copy(owner, bytes, n);
    for (char *c = part; *c; c++) {
        const bool plain = (*c >= '0' && *c <= '9') || (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z');
        if (!plain && !((unsigned char)*c & 0x80) && !strchr("-.", *c)) *c = '_';
    }
    if (*part == '.' || *part == '-') *part = '_';
    return part;
}

static const char *name_of(pool *owner, const char *source, const char *guess) {
    const char *const slash = strrchr(source, '/'), *const last = slash ? slash + 1 : source;
    const char *const dot = strrchr(last, '.');
    return pool_format(owner, "%s_%s", part_of(owner, last, dot && dot > last ? (size_t)(dot - last) : strlen(last)),
                       part_of(owner, guess, strlen(guess)));
}

static uint8_t byte_of(double share) { return share <= 0 ? 0 : share >= 1 ? 255 : (uint8_t)lround(255 * share); }

bool seen_may(const char *folder, ln_error *error) {
    DIR *const dir = opendir(folder);
    size_t     n = 0;
    for (const struct dirent *entry; dir && (entry = readdir(dir));)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    if (dir) closedir(dir);
    if (n == 0) return true;
    return fill_error(
        error, LN_E_ARGUMENT,
        "save=%.300s: the folder is there and not empty, and its files would be mixed with new ones: name another "
        "one, or remove it",
        folder);
}

static void *grown(void *memory, size_t n, size_t size) {
    void *const more = reallocarray(memory, n, size);
    if (more) return more;
    free(memory);
    return take(SIZE_MAX, 1); /* says what is wrong and ends */
}

void seen_add(seen *s, const char *source, const char *guess, const ln_data *data, size_t i, double scale) {
    const ln_data_info info = ln_data_describe(data);
    const size_t       count = info.c * info.h * info.w;
    const void *const  image = ln_data_image(data, i);
    if (s->n == s->capacity) {
        s->capacity = 2 * s->n + 16;
        s->bytes = grown(s->bytes, s->capacity, count);
        s->names = grown(s->names, s->capacity, sizeof *s->names);
    }
    s->c = info.c, s->h = info.h, s->w = info.w;
    for (size_t k = 0; k < count; k++)
        s->bytes[s->n * count + k] =
            info.is_float ? byte_of((double)((const float *)image)[k] * scale) : ((const uint8_t *)image)[k];
    s->names[s->n++] = name_of(&s->owner, source, guess);
}

static int by_name(const void *a, const void *b) {
    const char *const *const x = *(const char **const *)a, *const *const y = *(const char **const *)b;
    const int order = strcmp(*x, *y);
    return order ? order : x < y ? -1 : x > y;
}

static void number_equal(seen *s) {
    const char ***const order = take(s->n + 1, sizeof *order);
    for (size_t i = 0; i < s->n; i++) order[i] = &s->names[i];
    qsort(order, s->n, sizeof *order, by_name);
    for (size_t i = 0; i < s->n;) {
        const char *const name = *order[i];
        for (size_t k = 1; ++i < s->n && strcmp(*order[i], name) == 0;)
            *order[i] = pool_format(&s->owner, "%s+%zu", name, ++k);
    }
    free(order);
}

bool seen_write(seen *s, ln_context *context, const char *folder, ln_error *error) {
    if (s->n == 0) return true;
    number_equal(s);
    ln_data *const data = ln_data_from_bytes(context, s->bytes, NULL, s->n, s->c, s->h, s->w, error);
    const bool     good = data && ln_data_write_pictures(context, folder, data, s->names, error) == LN_OK;
    ln_data_free(data);
    return good;
}

void seen_free(seen *s) {
    free(s->bytes);
    free(s->names);
    pool_free(&s->owner);
}
