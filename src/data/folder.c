/* A folder of pictures: PATH/CLASS/PICTURE, or PATH/train/CLASS/PICTURE and PATH/val (or test)/CLASS/PICTURE.
 *
 * Classes are the folders' names, pictures lie in the order of theirs, both sorted by bytes; what begins with a dot is
 * not seen. What is a picture its first bytes say, not its name; but a file with a picture's name that is none is
 * damaged. Files that are neither are left out, and one warning counts and names them. Images are bytes: one channel
 * when all pictures are grey, else three; transparent parts are laid over white, and EXIF turns are applied, as when a
 * picture is looked at or predicted (Pillow's convert("RGB") does neither: it shows what lies under the transparency).
 * 16 bits become 8, rounded.
 *
 * Files are read twice: the first time for their headers, so that sizes, channels and memory are known and refused
 * before anything is decoded, the second time for their pixels, straight into the store. Both times all threads take
 * files one by one; they ask for no memory of the context's, and of all mistakes the first file's is told. */
#include "data/folder.h"

#include "base/math.h"
#include "base/work.h"
#include "data/data.h"
#include "data/picture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

enum { MAX_CLASSES = 256, MAX_NAMED = 3 };

typedef struct entry {
    char    *name; /* CLASS/PICTURE, from ln_allocate; of a class: its folder */
    size_t   n_bytes;
    uint32_t h, w;
    uint8_t  label, pixel_bytes; /* pixel_bytes: decoded */
    bool     grey, other;        /* other: no picture */
} entry;

typedef struct list {
    entry *entry;
    size_t n, capacity;
} list;

typedef struct folder {
    ln_context       *context;
    const char       *path;
    const ln_reading *reading;
    list              classes, files;
    size_t            n_others;
} folder;

/* ----------------------------------------------------------------- listing */

static void clear(ln_context *context, list *l) {
    for (size_t i = 0; i < l->n; i++) ln_release(context, l->entry[i].name);
    ln_release(context, l->entry);
    *l = (list){0};
}

static ln_status append(ln_context *context, list *l, const entry *e, ln_error *error) {
    if (l->n == l->capacity) {
        const size_t capacity = l->capacity ? 2 * l->capacity : 64;
        entry *const more = ln_reallocate(context, l->entry, capacity * sizeof *more);
        if (!more) return ln_fail_memory(error, "the list of files", capacity * sizeof *more);
        l->entry = more;
        l->capacity = capacity;
    }
    l->entry[l->n] = *e;
    l->entry[l->n].name = ln_copy_text(context, e->name);
    if (!l->entry[l->n].name) return ln_fail_memory(error, "the list of files", strlen(e->name) + 1);
    l->n++;
    return LN_OK;
}

static int by_name(const void *a, const void *b) { return strcmp(((const entry *)a)->name, ((const entry *)b)->name); }

/* What is in path/below: its folders, or all else (and folders once more, as others: their names end in '/'), called
 * below/NAME and sorted behind what is there. */
static ln_status list_folder(const folder *f, const char *below, bool folders, uint8_t label, list *to,
                             ln_error *error) {
    char path[PATH_MAX], name[PATH_MAX];
    if (snprintf(path, sizeof path, "%s%s%s", f->path, *below ? "/" : "", below) >= PATH_MAX)
        return ln_fail(error, LN_E_IO, "%.300s: the path is too long: move the folder", f->path);
    DIR *const dir = opendir(path);
    if (!dir) return ln_fail_io(error, "open", path);
    const size_t first = to->n;
    ln_status    status = LN_OK;
    for (const struct dirent *d; status == LN_OK && (d = readdir(dir));) {
        struct stat st;
        if (d->d_name[0] == '.') continue;
        snprintf(name, sizeof name, "%s%s%s", below, *below ? "/" : "", d->d_name);
        if (fstatat(dirfd(dir), d->d_name, &st, 0)) {
            snprintf(path, sizeof path, "%.3000s/%.1000s", f->path, name);
            status = ln_fail_io(error, "read", path);
            break;
        }
        const bool is_folder = S_ISDIR(st.st_mode);
        if (is_folder && !folders) strncat(name, "/", sizeof name - strlen(name) - 1);
        const entry e = {.name = name,
                         .label = label,
                         .n_bytes = S_ISREG(st.st_mode) ? (size_t)st.st_size : 0,
                         .other = !S_ISREG(st.st_mode)};
        if (is_folder || !folders) status = append(f->context, to, &e, error);
    }
    closedir(dir);
    if (to->n > first) qsort(to->entry + first, to->n - first, sizeof *to->entry, by_name);
    return status;
}

/* --------------------------------------------------------------- all threads */

typedef struct job {
    const folder *f;
    void (*read)(struct job *job, int t, size_t i, ln_error *error);
    ln_work        work;
    atomic_bool    stopped;
    _Atomic size_t next, first_bad; /* first_bad: of the files with a mistake so far */
    ln_error      *errors;          /* of each thread, its first */
    size_t        *bad;             /* and the file it is about */
    unsigned char *bytes, *samples; /* room for each thread */
    size_t         n_bytes, n_samples;
    ln_data_parts *parts;
    uint8_t       *pixels;
} job;

/* Numbers are given out in order, so every file before the first bad one has been looked at when all are through. */
static void take_files(void *argument, int t) {
    job *const j = argument;
    j->bad[t] = SIZE_MAX;
    for (;;) {
        const size_t i = atomic_fetch_add(&j->next, 1);
        if (i >= j->f->files.n || i > atomic_load(&j->first_bad) || atomic_load(&j->stopped)) return;
        ln_error error = {0};
        if (t == 0 && !ln_work_goes_on(&j->work, i)) atomic_store(&j->stopped, true);
        j->read(j, t, i, &error);
        if (error.status == LN_OK || j->bad[t] != SIZE_MAX) continue;
        j->errors[t] = error;
        j->bad[t] = i;
        size_t first = atomic_load(&j->first_bad);
        while (i < first && !atomic_compare_exchange_weak(&j->first_bad, &first, i)) {}
    }
}

static ln_status run(job *j, const char *what, ln_error *error) {
    ln_context *const context = j->f->context;
    const size_t      n_threads = (size_t)ln_context_threads(context);
    j->errors = ln_allocate(context, n_threads * sizeof *j->errors);
    j->bad = ln_allocate(context, n_threads * sizeof *j->bad);
    j->bytes = ln_allocate(context, n_threads * j->n_bytes);
    j->samples = ln_allocate(context, n_threads * j->n_samples);
    atomic_store(&j->next, 0);
    atomic_store(&j->first_bad, SIZE_MAX);
    atomic_store(&j->stopped, false);
    j->work = ln_work_begin(context, what, j->f->files.n);
    ln_status status = LN_OK;
    if (!j->errors || !j->bad || !j->bytes || !j->samples) {
        status = ln_fail_memory(error, j->f->path, n_threads * (j->n_bytes + j->n_samples));
    } else {
        const uint64_t mode = ln_fp_enter();
        ln_threads_run(context->threads, (int)n_threads, take_files, j);
        ln_fp_leave(mode);
        const size_t first = atomic_load(&j->first_bad);
        for (size_t t = 0; t < n_threads && first != SIZE_MAX; t++)
            if (j->bad[t] == first) status = ln_fail(error, j->errors[t].status, "%s", j->errors[t].message);
        ln_work_end(&j->work);
        if (atomic_load(&j->stopped))
            status = ln_work_stop(&j->work, ln_least(atomic_load(&j->next), j->work.n), error);
    }
    ln_release(context, j->errors);
    ln_release(context, j->bad);
    ln_release(context, j->bytes);
    ln_release(context, j->samples);
    return status;
}

/* File i into bytes, which has room for its size; a file that has become longer or shorter is damaged. */
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

/* Is a file called as pictures that are read here are? */
static bool named_picture(const char *name) {
    static const char *const ends[] = {".png", ".jpg", ".jpeg", ".pgm", ".ppm"};
    const char *const        dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof ends / sizeof *ends; i++)
        if (strcasecmp(dot, ends[i]) == 0) return true;
    return false;
}

static const unsigned char *file_bytes(job *j, int t, size_t i, char path[PATH_MAX], ln_error *error) {
    unsigned char *const bytes = j->bytes + (size_t)t * j->n_bytes;
    snprintf(path, PATH_MAX, "%.3000s/%.1000s", j->f->path, j->f->files.entry[i].name);
    return read_bytes(path, bytes, j->f->files.entry[i].n_bytes, error) ? bytes : NULL;
}

static void read_header(job *j, int t, size_t i, ln_error *error) {
    entry *const e = &j->f->files.entry[i];
    char         path[PATH_MAX];
    ln_picture   p;
    if (e->other) return;
    const bool named = named_picture(e->name);
    if (e->n_bytes > LN_PICTURE_MAX_FILE) {
        e->other = !named;
        snprintf(path, PATH_MAX, "%.3000s/%.1000s", j->f->path, e->name);
        if (named)
            ln_fail(error, LN_E_UNSUPPORTED, "%s: %zu bytes, but a picture may have %d: make it smaller", path,
                    e->n_bytes, LN_PICTURE_MAX_FILE);
        return;
    }
    const unsigned char *const bytes = file_bytes(j, t, i, path, error);
    if (!bytes) return;
    e->other = !named && !ln_picture_known(bytes, e->n_bytes);
    if (e->other || ln_picture_header(path, bytes, e->n_bytes, &p, error) != LN_OK) return;
    e->h = (uint32_t)p.h;
    e->w = (uint32_t)p.w;
    e->grey = p.grey;
    e->pixel_bytes = (uint8_t)(ln_picture_bytes(&p) / p.h / p.w);
}

static void read_pixels(job *j, int t, size_t i, ln_error *error) {
    const entry *const         e = &j->f->files.entry[i];
    const ln_data_parts *const parts = j->parts;
    const size_t               count = parts->c * parts->h * parts->w;
    uint8_t *const             to = j->pixels + i * count;
    char                       path[PATH_MAX];
    ln_picture                 p;
    const unsigned char *const bytes = file_bytes(j, t, i, path, error);
    if (!bytes || ln_picture_header(path, bytes, e->n_bytes, &p, error) != LN_OK) return;
    if (p.h != e->h || p.w != e->w || ln_picture_bytes(&p) > j->n_samples) {
        ln_fail(error, LN_E_IO, "%s: became another picture while it was read: try again", path);
        return;
    }
    p.samples = j->samples + (size_t)t * j->n_samples;
    if (ln_picture_pixels(path, bytes, e->n_bytes, &p, error) != LN_OK) return;
    ln_picture_scale(&p, parts->c, parts->h, parts->w, to);
    for (size_t k = 0; j->f->reading->invert && k < count; k++) to[k] = (uint8_t)(255 - to[k]);
}

/* ------------------------------------------------------------------ checks */

/* Leaves the pictures, and says which files were none. */
static void drop_others(folder *f) {
    char   names[160] = "";
    size_t n = 0, length = 0;
    for (size_t i = 0; i < f->files.n; i++) {
        const entry e = f->files.entry[i];
        if (!e.other) {
            f->files.entry[n++] = e;
            continue;
        }
        if (f->n_others++ < MAX_NAMED && length < sizeof names)
            length += (size_t)snprintf(names + length, sizeof names - length, "%s%.48s", length ? ", " : "", e.name);
        ln_release(f->context, e.name);
    }
    f->files.n = n;
    if (f->n_others)
        ln_warn(f->context, "%.200s: %zu file%s no picture%s and left out: %s%s", f->path, f->n_others,
                f->n_others == 1 ? " is" : "s are", f->n_others == 1 ? "" : "s", names,
                f->n_others > MAX_NAMED ? ", …" : "");
}

static ln_status check_classes(const folder *f, ln_error *error) {
    size_t n[MAX_CLASSES] = {0};
    if (!f->files.n)
        return ln_fail(error, LN_E_FORMAT, "%s: no picture in any of its folders: give another folder", f->path);
    for (size_t i = 0; i < f->files.n; i++) n[f->files.entry[i].label]++;
    for (size_t k = 0; k < f->classes.n; k++)
        if (!n[k])
            return ln_fail(error, LN_E_FORMAT,
                           "%s/%s: the folder of a class without a picture: put some there, or remove it", f->path,
                           f->classes.entry[k].name);
    return LN_OK;
}

static ln_status check_sizes(const folder *f, ln_error *error) {
    const entry *const a = f->files.entry;
    for (const entry *b = a; b < a + f->files.n && !f->reading->h; b++)
        if (a->h != b->h || a->w != b->w)
            return ln_fail(
                error, LN_E_SHAPE,
                "%s: %.100s has %ux%u pixels and %.100s %ux%u, but the images of a set have one size: resize "
                "(data.resize: HxW) makes them so",
                f->path, a->name, a->h, a->w, b->name, b->h, b->w);
    return LN_OK;
}

/* What all images take, before anything is decoded: more than the machine has is not asked for. */
static ln_status check_memory(const folder *f, const ln_data_parts *p, size_t *n_bytes, ln_error *error) {
    const size_t machine = (size_t)sysconf(_SC_PHYS_PAGES) * (size_t)sysconf(_SC_PAGE_SIZE);
    if (ln_multiply(p->c * p->h * p->w, p->n, n_bytes) && *n_bytes <= machine) return LN_OK;
    return ln_fail(error, LN_E_MEMORY,
                   "%s: %zu images of %zux%zux%zu take more than the %zu MiB of memory that this machine has: "
                   "resize (data.resize: HxW) makes them smaller",
                   f->path, p->n, p->c, p->h, p->w, machine >> 20);
}

/* ----------------------------------------------------------------- reading */

static ln_status list_classes(folder *f, ln_error *error) {
    list      top = {0};
    ln_status status = list_folder(f, "", true, 0, &f->classes, error);
    if (status == LN_OK) status = list_folder(f, "", false, 0, &top, error);
    if (status == LN_OK && !f->classes.n)
        status = ln_fail(error, LN_E_FORMAT,
                         "%s: has no folders: a folder of pictures for each class was wanted, called as the class is",
                         f->path);
    if (status == LN_OK && f->classes.n > MAX_CLASSES)
        status = ln_fail(error, LN_E_UNSUPPORTED, "%s: %zu folders, but a set has %d classes at most", f->path,
                         f->classes.n, MAX_CLASSES);
    for (size_t i = 0; i < top.n && status == LN_OK; i++)
        if (top.entry[i].name[strlen(top.entry[i].name) - 1] != '/') {
            top.entry[i].other = true;
            status = append(f->context, &f->files, &top.entry[i], error);
        }
    clear(f->context, &top);
    for (size_t k = 0; k < f->classes.n && status == LN_OK; k++)
        status = list_folder(f, f->classes.entry[k].name, false, (uint8_t)k, &f->files, error);
    return status;
}

static ln_status read_headers(folder *f, ln_error *error) {
    job j = {.f = f, .read = read_header};
    for (size_t i = 0; i < f->files.n; i++)
        if (f->files.entry[i].n_bytes <= LN_PICTURE_MAX_FILE) j.n_bytes = ln_most(j.n_bytes, f->files.entry[i].n_bytes);
    ln_status status = run(&j, "looking at pictures", error);
    if (status == LN_OK) drop_others(f);
    if (status == LN_OK) status = check_classes(f, error);
    return status == LN_OK ? check_sizes(f, error) : status;
}

static ln_status read_all(folder *f, ln_data_parts *parts, uint8_t *pixels, uint8_t *labels, ln_error *error) {
    job j = {.f = f, .read = read_pixels, .parts = parts, .pixels = pixels};
    for (size_t i = 0; i < f->files.n; i++) {
        const entry *const e = &f->files.entry[i];
        j.n_bytes = ln_most(j.n_bytes, e->n_bytes);
        j.n_samples = ln_most(j.n_samples, (size_t)e->h * e->w * e->pixel_bytes);
        labels[i] = e->label;
    }
    return run(&j, "reading pictures", error);
}

static ln_data *make(folder *f, ln_error *error) {
    const char   *names[MAX_CLASSES];
    const entry  *e = f->files.entry;
    bool          grey = true;
    ln_data_parts p = {.own = true,
                       .n = f->files.n,
                       .h = f->reading->h ? f->reading->h : e->h,
                       .w = f->reading->h ? f->reading->w : e->w,
                       .n_classes = (int)f->classes.n,
                       .class_name = names};
    size_t        n_bytes;
    for (size_t i = 0; i < f->files.n; i++) grey = grey && e[i].grey;
    for (size_t k = 0; k < f->classes.n; k++) names[k] = f->classes.entry[k].name;
    p.c = grey || f->reading->grayscale ? 1 : 3;
    if (check_memory(f, &p, &n_bytes, error) != LN_OK) return NULL;
    uint8_t *const pixels = ln_allocate(f->context, n_bytes), *const labels = ln_allocate(f->context, p.n);
    ln_data *data = NULL;
    p.pixels = pixels;
    p.labels = labels;
    if (!pixels || !labels) ln_fail_memory(error, f->path, n_bytes + p.n);
    else if (read_all(f, &p, pixels, labels, error) == LN_OK) data = ln_data_new(f->context, f->path, &p, error);
    if (data) return data;
    ln_release(f->context, pixels);
    ln_release(f->context, labels);
    return NULL;
}

static ln_data *open_classes(ln_context *context, const char *path, const ln_reading *reading, ln_error *error) {
    folder   f = {.context = context, .path = path, .reading = reading};
    ln_data *data = NULL;
    if (list_classes(&f, error) == LN_OK && read_headers(&f, error) == LN_OK) data = make(&f, error);
    clear(context, &f.classes);
    clear(context, &f.files);
    return data;
}

/* ------------------------------------------------------------------- parts */

/* Which of train, val and test are folders in path; none where there are others, which are classes then. */
static ln_status find_parts(ln_context *context, const char *path, bool found[3], ln_error *error) {
    static const char *const names[3] = {"train", "val", "test"};
    const folder             f = {.context = context, .path = path};
    list                     l = {0};
    const ln_status          status = list_folder(&f, "", true, 0, &l, error);
    size_t                   n = 0;
    for (size_t i = 0; i < 3; i++) {
        found[i] = false;
        for (size_t k = 0; k < l.n; k++) found[i] = found[i] || strcmp(l.entry[k].name, names[i]) == 0;
        n += found[i];
    }
    for (size_t i = 0; i < 3; i++) found[i] = found[i] && n == l.n;
    clear(context, &l);
    return status;
}

bool ln_folder_has_test(ln_context *context, const char *path) {
    bool has[3];
    return find_parts(context, path, has, NULL) == LN_OK && (has[1] || has[2]);
}

ln_data *ln_folder_open(ln_context *context, const char *path, bool test, bool part, const ln_reading *reading,
                        ln_error *error) {
    bool has[3];
    char below[PATH_MAX];
    if (find_parts(context, path, has, error) != LN_OK) return NULL;
    if (!has[0] && !has[1] && !has[2] && !(part && test)) return open_classes(context, path, reading, error);
    const char *const name = !test ? "train" : has[2] ? "test" : "val";
    if (test ? !has[1] && !has[2] : !has[0]) {
        ln_fail(error, LN_E_ARGUMENT, "%s: has no %s: its %s images were asked for", path,
                test ? "folder test, and no folder val" : "folder train", test ? "test" : "training");
        return NULL;
    }
    snprintf(below, sizeof below, "%s/%s", path, name);
    return open_classes(context, below, reading, error);
}
