/* A folder of pictures: PATH/CLASS/PICTURE, or PATH/train/CLASS/PICTURE and PATH/val (or test)/CLASS/PICTURE.
 *
 * Classes are the folders' names, pictures lie in the order of theirs, both sorted by bytes; what begins with a dot is
 * not seen. What is a picture its first bytes say, not its name; but a file with a picture's name that is none is
 * damaged. Files that are neither are left out, and one warning counts and names them. Images are bytes: one channel
 * when all pictures are grey, else three; transparent parts are laid over white, and EXIF turns are applied, as when a
 * picture is looked at or predicted (Pillow's convert("RGB") does neither: it shows what lies under the transparency).
 * 16 bits become 8, rounded.
 *
 * The first picture says the size of all, unless they are resized, and whether they are grey; should a later one have
 * colours, all are read once more with three channels. All threads take files one by one, decode them straight into the
 * store, and ask for no memory of the context's: one that lacks room stops the walk, which goes on with more. A picture
 * that cannot be read does not: the walk counts all of them, and one sentence names the first few. A size that does not
 * fit does, as many would follow. What took long to decode is kept in the cache. */
#include "data/folder.h"

#include "base/file.h"
#include "base/large.h"
#include "base/math.h"
#include "base/work.h"
#include "data/data.h"
#include "data/folder_cache.h"
#include "data/folder_files.h"
#include "data/picture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* ---------------------------------------------------------------- one file */

enum { FIRST_ROOM = 1 << 16, MAX_NAMED = 3 };

/* A file with a mistake; file SIZE_MAX: none. */
typedef struct mistake {
    size_t   file;
    ln_error error;
} mistake;

/* What a thread has: room for a file and for its pixels, and how much it found to be too little. */
typedef struct reader {
    unsigned char *bytes, *samples;
    size_t         n_bytes, n_samples, bytes_wanted, samples_wanted;
    size_t         again;          /* the file that lacked room; SIZE_MAX: none */
    size_t         n_bad;          /* files that cannot be read */
    mistake        bad[MAX_NAMED]; /* the first of them */
    mistake        end;            /* the first file that ends the walk */
} reader;

typedef struct job {
    const ln_folder     *f;
    const ln_data_parts *parts;
    uint8_t             *pixels;
    size_t               first, h, w;    /* the first picture that can be read, and its size */
    _Atomic size_t       next, end;      /* end: the first file so far that ends the walk */
    atomic_bool          stop, coloured; /* coloured: a picture is not grey, and there is one channel */
    ln_work              work;
    atomic_bool          unwanted; /* whoever watches has had enough */
    size_t               n_readers;
    reader              *reader;
} job;

/* Exactly n_bytes; a file that has become shorter is damaged. */
static bool read_bytes(const char *path, unsigned char *bytes, size_t n_bytes, ln_error *error) {
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t    n = 0;
    ssize_t   got = 1;
    if (fd < 0) return ln_fail_io(error, "open", path), false;
    while (n < n_bytes && got > 0) {
        got = read(fd, bytes + n, n_bytes - n);
        if (got < 0 && errno == EINTR) got = 1;
        else if (got > 0) n += (size_t)got;
    }
    if (got < 0) ln_fail_io(error, "read", path);
    else if (n < n_bytes) ln_fail(error, LN_E_FORMAT, "%s: became shorter while it was read: try again", path);
    close(fd);
    return n == n_bytes;
}

static ln_status check_size(const job *j, size_t i, const ln_picture *p, ln_error *error) {
    const ln_folder_file *const file = j->f->pictures.file;
    if (j->f->reading->h || (p->h == j->h && p->w == j->w)) return LN_OK;
    return ln_fail(error, LN_E_SHAPE,
                   "%s: %.100s has %zux%zu pixels and %.100s %zux%zu, but the images of a set have one size: resize "
                   "(data.resize: HxW) makes them so",
                   j->f->path, file[j->first].name, j->h, j->w, file[i].name, p->h, p->w);
}

/* File i to its place. False where the reader lacks room, or the image a channel; mistakes go into error. */
static bool read_file(job *j, reader *r, size_t i, ln_error *error) {
    const ln_data_parts *const parts = j->parts;
    const size_t               count = parts->c * parts->h * parts->w, n_bytes = j->f->pictures.file[i].n_bytes;
    uint8_t *const             to = j->pixels + i * count;
    char                       path[PATH_MAX];
    ln_picture                 p;
    ln_folder_path(j->f, i, path);
    if (n_bytes > LN_PICTURE_MAX_FILE) {
        ln_fail(error, LN_E_UNSUPPORTED, "%s: %zu bytes, but a picture may have %d: make it smaller", path, n_bytes,
                LN_PICTURE_MAX_FILE);
        return true;
    }
    r->bytes_wanted = n_bytes;
    if (n_bytes > r->n_bytes) return false;
    if (!read_bytes(path, r->bytes, n_bytes, error)) return true;
    if (ln_picture_header(path, r->bytes, n_bytes, &p, error) != LN_OK) return true;
    if (check_size(j, i, &p, error) != LN_OK) return true;
    if (!p.grey && parts->c == 1 && !j->f->reading->grayscale) {
        atomic_store(&j->coloured, true);
        return false;
    }
    r->samples_wanted = ln_picture_bytes(&p);
    if (r->samples_wanted > r->n_samples) return false;
    p.samples = r->samples;
    if (ln_picture_pixels(path, r->bytes, n_bytes, &p, error) != LN_OK) return true;
    ln_picture_scale(&p, parts->c, parts->h, parts->w, to);
    for (size_t k = 0; j->f->reading->invert && k < count; k++) to[k] = (uint8_t)(255 - to[k]);
    return true;
}

/* --------------------------------------------------------------- all threads */

/* Numbers are given out in order, so every file before the first that ends the walk has been looked at when all are
 * through, and each thread's own are in order. */
static void keep_mistake(job *j, reader *r, size_t i, const ln_error *error) {
    const bool ends = error->status == LN_E_SHAPE || error->status == LN_E_MEMORY;
    if (!ends && r->n_bad++ < MAX_NAMED) r->bad[r->n_bad - 1] = (mistake){i, *error};
    if (!ends || r->end.file != SIZE_MAX) return;
    r->end = (mistake){i, *error};
    size_t first = atomic_load(&j->end);
    while (i < first && !atomic_compare_exchange_weak(&j->end, &first, i)) {}
}

static void take_files(void *argument, int t) {
    job *const    j = argument;
    reader *const r = &j->reader[t];
    while (!atomic_load(&j->stop) && !atomic_load(&j->unwanted)) {
        const size_t i = r->again < SIZE_MAX ? r->again : atomic_fetch_add(&j->next, 1);
        r->again = SIZE_MAX;
        if (i >= j->f->pictures.n || i > atomic_load(&j->end)) return;
        if (t == 0 && !ln_work_goes_on(&j->work, i)) atomic_store(&j->unwanted, true);
        ln_error error = {0};
        if (!read_file(j, r, i, &error)) {
            r->again = i;
            atomic_store(&j->stop, true);
        }
        if (error.status != LN_OK) keep_mistake(j, r, i, &error);
    }
}

/* More than is wanted, so that it is not asked for again by the next file. */
static ln_status give_room(ln_context *context, const char *who, unsigned char **room, size_t *n, size_t wanted,
                           ln_error *error) {
    if (wanted <= *n) return LN_OK;
    const size_t size = ln_most(FIRST_ROOM, wanted + wanted / 2);
    ln_release(context, *room);
    *n = 0;
    *room = ln_allocate(context, size);
    if (!*room) return ln_fail_memory(error, who, size);
    *n = size;
    return LN_OK;
}

static ln_status give_rooms(job *j, ln_error *error) {
    ln_context *const context = j->f->context;
    ln_status         status = LN_OK;
    for (size_t t = 0; t < j->n_readers && status == LN_OK; t++) {
        reader *const r = &j->reader[t];
        status = give_room(context, j->f->path, &r->bytes, &r->n_bytes, r->bytes_wanted, error);
        if (status == LN_OK)
            status = give_room(context, j->f->path, &r->samples, &r->n_samples, r->samples_wanted, error);
    }
    return status;
}

/* ---------------------------------------------------------------- mistakes */

/* Of the files that cannot be read the first one behind `after` (SIZE_MAX: of all); NULL: there is none, or so many
 * before it that nobody kept it. */
static const mistake *next_bad(const job *j, size_t after) {
    const mistake *next = NULL;
    for (size_t t = 0; t < j->n_readers; t++)
        for (size_t k = 0; k < ln_least(j->reader[t].n_bad, MAX_NAMED); k++) {
            const mistake *const m = &j->reader[t].bad[k];
            if ((after == SIZE_MAX || m->file > after) && (!next || m->file < next->file)) next = m;
        }
    return next;
}

/* One alone, in its own words; what is unsupported says already what can be done. */
static ln_status fail_one(const mistake *m, ln_error *error) {
    return ln_fail(error, m->error.status, "%.470s%s", m->error.message,
                   m->error.status == LN_E_UNSUPPORTED ? ", or remove it" : ": repair or remove it");
}

/* "cat/1.png (damaged …)" to the end of the list, where there is room for it. The name is not said twice: messages are
 * "PATH: reason", or "cannot open 'PATH': reason". */
static bool name_bad(const job *j, const mistake *m, char *list, size_t size) {
    const size_t n = strlen(list);
    char         path[PATH_MAX];
    ln_folder_path(j->f, m->file, path);
    const char *const words = m->error.message, *const found = strstr(words, path);
    const bool        first = found == words, quoted = found && found >= words + 2;
    const char *const rest = first ? found + strlen(path) + 2 : quoted ? found + strlen(path) + 1 : words;
    const int length = snprintf(list + n, size - n, "%s%s (%.*s%s)", n ? ", " : "", j->f->pictures.file[m->file].name,
                                quoted ? (int)(found - words) - 2 : 0, words, rest);
    if (length >= 0 && (size_t)length < size - n) return true;
    list[n] = '\0';
    return false;
}

static ln_status tell_bad(const job *j, ln_error *error) {
    const mistake *const first = next_bad(j, SIZE_MAX);
    char                 list[330] = "";
    size_t               n = 0, named = 0;
    for (size_t t = 0; t < j->n_readers; t++) n += j->reader[t].n_bad;
    if (!first) return LN_OK;
    if (n == 1) return fail_one(first, error);
    for (const mistake *m = first; m && named < MAX_NAMED && name_bad(j, m, list, sizeof list); named++)
        m = next_bad(j, m->file);
    return ln_fail(error, first->error.status, "%.100s: %zu pictures cannot be read: %.329s%s: repair or remove them",
                   j->f->path, n, *list ? list : j->f->pictures.file[first->file].name, named < n ? ", …" : "");
}

/* Whoever ends the walk is told alone: nothing is known of the files behind it. */
static ln_status tell_mistakes(const job *j, ln_error *error) {
    const size_t end = atomic_load(&j->end);
    for (size_t t = 0; t < j->n_readers && end != SIZE_MAX; t++)
        if (j->reader[t].end.file == end)
            return ln_fail(error, j->reader[t].end.error.status, "%s", j->reader[t].end.error.message);
    return tell_bad(j, error);
}

/* Walks until all files are looked at, one ends it, or colours need more channels. */
static ln_status walk(job *j, ln_error *error) {
    ln_status status = LN_OK;
    do {
        atomic_store(&j->stop, false);
        status = give_rooms(j, error);
        if (status != LN_OK) return status;
        const uint64_t mode = ln_fp_enter();
        ln_threads_run(j->f->context->threads, (int)j->n_readers, take_files, j);
        ln_fp_leave(mode);
    } while (atomic_load(&j->stop) && !atomic_load(&j->coloured) && !atomic_load(&j->unwanted));
    if (!atomic_load(&j->coloured)) status = tell_mistakes(j, error);
    if (atomic_load(&j->unwanted)) status = ln_work_stop(&j->work, ln_least(atomic_load(&j->next), j->work.n), error);
    return status;
}

/* All files into pixels; *coloured: they were not finished, as they have colours, and parts one channel. */
static ln_status read_all(job *j, bool *coloured, ln_error *error) {
    ln_context *const context = j->f->context;
    j->n_readers = (size_t)ln_context_threads(context);
    j->reader = ln_allocate_zeroed(context, j->n_readers * sizeof *j->reader);
    if (!j->reader) return ln_fail_memory(error, j->f->path, j->n_readers * sizeof *j->reader);
    for (size_t t = 0; t < j->n_readers; t++)
        j->reader[t].again = j->reader[t].end.file = SIZE_MAX,
        j->reader[t].bytes_wanted = j->reader[t].samples_wanted = 1;
    atomic_store(&j->end, SIZE_MAX);
    j->work = ln_work_begin(context, "reading pictures", j->f->pictures.n);
    const ln_status status = walk(j, error);
    ln_work_end(&j->work);
    for (size_t t = 0; t < j->n_readers; t++) {
        ln_release(context, j->reader[t].bytes);
        ln_release(context, j->reader[t].samples);
    }
    ln_release(context, j->reader);
    *coloured = atomic_load(&j->coloured);
    return status;
}

/* ----------------------------------------------------------------- reading */

/* What its header says: picture i's size, and whether it is grey. */
static ln_status look_at(const ln_folder *f, size_t i, ln_picture *p, ln_error *error) {
    char           path[PATH_MAX];
    unsigned char *bytes;
    size_t         n_bytes;
    ln_folder_path(f, i, path);
    ln_status status = ln_file_read(f->context, path, LN_PICTURE_MAX_FILE, &bytes, &n_bytes, error);
    if (status != LN_OK) return status;
    status = ln_picture_header(path, bytes, n_bytes, p, error);
    ln_release(f->context, bytes);
    return status;
}

/* The first picture *i that has a header. Where none has, any size will do: the walk will find fault with all. */
static ln_status look_at_first(const ln_folder *f, size_t *i, ln_picture *p, ln_error *error) {
    for (*i = 0; *i < f->pictures.n; ++*i) {
        ln_error        found = {0};
        const ln_status status = look_at(f, *i, p, &found);
        if (status == LN_E_MEMORY) return ln_fail(error, status, "%s", found.message);
        if (status == LN_OK) return LN_OK;
    }
    *i = 0;
    *p = ln_picture_upright(1, 1, 1, 255);
    return LN_OK;
}

/* Memory for the images, of as many channels as p says. */
static ln_status take_memory(const ln_folder *f, const ln_data_parts *p, void **pixels, ln_error *error) {
    size_t n_bytes;
    if (!ln_multiply(p->c * p->h * p->w, p->n, &n_bytes)) n_bytes = SIZE_MAX;
    return ln_allocate_large(f->context, f->path, n_bytes, pixels, error);
}

/* Decodes all pictures into *pixels, and says in p what images they are. */
static ln_status decode(const ln_folder *f, ln_data_parts *p, void **pixels, ln_error *error) {
    ln_picture first;
    bool       coloured;
    size_t     place;
    ln_status  status = look_at_first(f, &place, &first, error);
    if (status != LN_OK) return status;
    p->h = f->reading->h ? f->reading->h : first.h;
    p->w = f->reading->h ? f->reading->w : first.w;
    p->c = first.grey || f->reading->grayscale ? 1 : 3;
    do {
        ln_release(f->context, *pixels);
        status = take_memory(f, p, pixels, error);
        job j = {.f = f, .parts = p, .pixels = *pixels, .first = place, .h = first.h, .w = first.w};
        if (status == LN_OK) status = read_all(&j, &coloured, error);
        if (status == LN_OK && coloured) p->c = 3;
    } while (status == LN_OK && coloured);
    return status;
}

static ln_status read_images(const ln_folder *f, ln_data_parts *p, void **pixels, ln_error *error) {
    ln_folder_cache cache;
    ln_folder_cache_find(f, &cache);
    ln_status status = ln_folder_cache_read(f, &cache, p, pixels, error);
    if (status != LN_OK || *pixels) return status;
    status = decode(f, p, pixels, error);
    if (status == LN_OK) ln_folder_cache_write(f, &cache, p, *pixels);
    return status;
}

/* below: what stands before the images' names; NULL: nothing. */
static ln_data *make(const ln_folder *f, const char *below, ln_error *error) {
    const size_t       n = f->pictures.n;
    const char        *classes[LN_FOLDER_CLASSES];
    void              *pixels = NULL;
    ln_data           *data = NULL;
    uint8_t *const     labels = ln_allocate(f->context, n);
    const char **const names = ln_allocate(f->context, n * sizeof *names);
    ln_data_parts      p = {.own = true,
                            .n = n,
                            .n_classes = (int)f->classes.n,
                            .class_name = classes,
                            .image_name = names,
                            .below = below};
    for (size_t k = 0; k < f->classes.n; k++) classes[k] = f->classes.file[k].name;
    for (size_t i = 0; labels && i < n; i++) labels[i] = f->pictures.file[i].label;
    for (size_t i = 0; names && i < n; i++) names[i] = f->pictures.file[i].name;
    if (!labels || !names) {
        ln_fail_memory(error, f->path, n * (1 + sizeof *names));
    } else if (read_images(f, &p, &pixels, error) == LN_OK) {
        p.pixels = pixels;
        p.labels = labels;
        data = ln_data_new(f->context, f->path, &p, error);
    }
    ln_release(f->context, names);
    if (data) return data;
    ln_release(f->context, pixels);
    ln_release(f->context, labels);
    return NULL;
}

static ln_data *open_classes(ln_context *context, const char *path, const char *below, const ln_reading *reading,
                             ln_error *error) {
    ln_folder f = {.context = context, .path = path, .reading = reading};
    ln_data  *data = ln_folder_find(&f, error) == LN_OK ? make(&f, below, error) : NULL;
    ln_folder_forget(&f);
    return data;
}

/* ------------------------------------------------------------------- parts */

bool ln_folder_has_test(ln_context *context, const char *path) {
    bool has[3];
    return ln_folder_parts(context, path, has, NULL) == LN_OK && (has[1] || has[2]);
}

ln_data *ln_folder_open(ln_context *context, const char *path, bool test, bool part, const ln_reading *reading,
                        ln_error *error) {
    bool has[3];
    char below[PATH_MAX];
    if (ln_folder_parts(context, path, has, error) != LN_OK) return NULL;
    if (!has[0] && !has[1] && !has[2] && !(part && test)) return open_classes(context, path, NULL, reading, error);
    const char *const name = !test ? "train/" : has[2] ? "test/" : "val/";
    if (test ? !has[1] && !has[2] : !has[0]) {
        ln_fail(error, LN_E_ARGUMENT, "%s: has no %s: its %s images were asked for", path,
                test ? "folder test, and no folder val" : "folder train", test ? "test" : "training");
        return NULL;
    }
    snprintf(below, sizeof below, "%s/%.*s", path, (int)strlen(name) - 1, name);
    return open_classes(context, below, name, reading, error);
}
