/* A folder's classes and pictures: listed, sorted by bytes, and told from what is no picture. */
#include "data/folder_files.h"

#include "data/picture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MAX_NAMED = 3, HEAD = 16 };

/* ----------------------------------------------------------------- listing */

static void clear(ln_context *context, ln_folder_list *l) {
    for (size_t i = 0; i < l->n; i++) ln_release(context, l->file[i].name);
    ln_release(context, l->file);
    *l = (ln_folder_list){0};
}

static ln_status append(ln_context *context, ln_folder_list *l, const ln_folder_file *e, ln_error *error) {
    if (l->n == l->capacity) {
        const size_t          capacity = l->capacity ? 2 * l->capacity : 64;
        ln_folder_file *const more = ln_reallocate(context, l->file, capacity * sizeof *more);
        if (!more) return ln_fail_memory(error, "the list of files", capacity * sizeof *more);
        l->file = more;
        l->capacity = capacity;
    }
    l->file[l->n] = *e;
    l->file[l->n].name = ln_copy_text(context, e->name);
    if (!l->file[l->n].name) return ln_fail_memory(error, "the list of files", strlen(e->name) + 1);
    l->n++;
    return LN_OK;
}

static int by_name(const void *a, const void *b) {
    return strcmp(((const ln_folder_file *)a)->name, ((const ln_folder_file *)b)->name);
}

static int64_t nanoseconds(struct timespec t) { return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec; }

/* Is a file called as pictures that are read here are? */
static bool named_picture(const char *name) {
    static const char *const ends[] = {".png", ".jpg", ".jpeg", ".pgm", ".ppm"};
    const char *const        dot = strrchr(name, '.');
    for (size_t i = 0; dot && i < sizeof ends / sizeof *ends; i++)
        if (strcasecmp(dot, ends[i]) == 0) return true;
    return false;
}

/* What is in path/below: its folders, or all else (and folders once more, as others: their names end in '/'), called
 * below/NAME and sorted behind what is there. What cannot be looked at is told when it is to be read; a link to nothing
 * that is not named as a picture is one of the others. */
static ln_status list_folder(const ln_folder *f, const char *below, bool folders, uint8_t label, ln_folder_list *to,
                             ln_error *error) {
    char path[PATH_MAX], name[PATH_MAX];
    if (snprintf(path, sizeof path, "%s%s%s", f->path, *below ? "/" : "", below) >= PATH_MAX)
        return ln_fail(error, LN_E_IO, "%.300s: the path is too long: move the folder", f->path);
    DIR *const dir = opendir(path);
    if (!dir) return ln_fail_io(error, "open", path);
    const size_t first = to->n;
    ln_status    status = LN_OK;
    for (const struct dirent *d; status == LN_OK && (d = readdir(dir));) {
        struct stat st = {0};
        if (d->d_name[0] == '.') continue;
        snprintf(name, sizeof name, "%s%s%s", below, *below ? "/" : "", d->d_name);
        const bool known = fstatat(dirfd(dir), d->d_name, &st, 0) == 0;
        const bool gone = !known && (errno == ENOENT || errno == ELOOP);
        const bool is_folder = S_ISDIR(st.st_mode);
        if (is_folder && !folders) strncat(name, "/", sizeof name - strlen(name) - 1);
        const ln_folder_file e = {.name = name,
                                  .label = label,
                                  .inode = st.st_ino,
                                  .modified = nanoseconds(st.st_mtim),
                                  .changed = nanoseconds(st.st_ctim),
                                  .n_bytes = S_ISREG(st.st_mode) ? (size_t)st.st_size : 0,
                                  .other = known ? !S_ISREG(st.st_mode) : gone && !named_picture(name)};
        if (is_folder || !folders) status = append(f->context, to, &e, error);
    }
    closedir(dir);
    if (to->n > first) qsort(to->file + first, to->n - first, sizeof *to->file, by_name);
    return status;
}

/* ---------------------------------------------------------------- pictures */

/* A file of another name is a picture if it begins as one. What cannot be opened is told when it is to be read. */
static bool begins_as_picture(const char *path) {
    unsigned char head[HEAD];
    const int     fd = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t n = fd >= 0 ? read(fd, head, sizeof head) : 0;
    if (fd < 0) return true;
    close(fd);
    return n > 0 && ln_picture_known(head, (size_t)n);
}

/* What is too long to be read is a picture where it is named so, which is told then, and another file else. */
static void find_others(const ln_folder *f) {
    char path[PATH_MAX];
    for (size_t i = 0; i < f->pictures.n; i++) {
        ln_folder_file *const e = &f->pictures.file[i];
        if (e->other || named_picture(e->name)) continue;
        ln_folder_path(f, i, path);
        e->other = e->n_bytes > LN_PICTURE_MAX_FILE || !begins_as_picture(path);
    }
}

void ln_folder_path(const ln_folder *f, size_t i, char path[PATH_MAX]) {
    snprintf(path, PATH_MAX, "%.3000s/%.1000s", f->path, f->pictures.file[i].name);
}

/* Leaves the pictures, and says which files were none. */
static void drop_others(ln_folder *f) {
    char   names[160] = "";
    size_t n = 0, n_others = 0, length = 0;
    for (size_t i = 0; i < f->pictures.n; i++) {
        const ln_folder_file e = f->pictures.file[i];
        if (!e.other) {
            f->pictures.file[n++] = e;
            continue;
        }
        if (n_others++ < MAX_NAMED && length < sizeof names)
            length += (size_t)snprintf(names + length, sizeof names - length, "%s%.48s", length ? ", " : "", e.name);
        ln_release(f->context, e.name);
    }
    f->pictures.n = n;
    if (n_others)
        ln_warn(f->context, "%.200s: %zu file%s no picture%s and left out: %s%s", f->path, n_others,
                n_others == 1 ? " is" : "s are", n_others == 1 ? "" : "s", names, n_others > MAX_NAMED ? ", …" : "");
}

static ln_status check_classes(const ln_folder *f, ln_error *error) {
    size_t n[LN_FOLDER_CLASSES] = {0};
    if (!f->pictures.n)
        return ln_fail(error, LN_E_FORMAT, "%s: no picture in any of its folders: give another folder", f->path);
    for (size_t i = 0; i < f->pictures.n; i++) n[f->pictures.file[i].label]++;
    for (size_t k = 0; k < f->classes.n; k++)
        if (!n[k])
            return ln_fail(error, LN_E_FORMAT,
                           "%s/%s: the folder of a class without a picture: put some there, or remove it", f->path,
                           f->classes.file[k].name);
    return LN_OK;
}

/* ------------------------------------------------------------------- whole */

static ln_status list_classes(ln_folder *f, ln_error *error) {
    ln_folder_list top = {0};
    ln_status      status = list_folder(f, "", true, 0, &f->classes, error);
    if (status == LN_OK) status = list_folder(f, "", false, 0, &top, error);
    if (status == LN_OK && !f->classes.n)
        status = ln_fail(error, LN_E_FORMAT,
                         "%s: has no folders: a folder of pictures for each class was wanted, called as the class is",
                         f->path);
    if (status == LN_OK && f->classes.n > LN_FOLDER_CLASSES)
        status = ln_fail(error, LN_E_UNSUPPORTED, "%s: %zu folders, but a set has %d classes at most", f->path,
                         f->classes.n, LN_FOLDER_CLASSES);
    for (size_t i = 0; i < top.n && status == LN_OK; i++)
        if (top.file[i].name[strlen(top.file[i].name) - 1] != '/') {
            top.file[i].other = true;
            status = append(f->context, &f->pictures, &top.file[i], error);
        }
    clear(f->context, &top);
    for (size_t k = 0; k < f->classes.n && status == LN_OK; k++)
        status = list_folder(f, f->classes.file[k].name, false, (uint8_t)k, &f->pictures, error);
    return status;
}

ln_status ln_folder_find(ln_folder *f, ln_error *error) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    f->listed = nanoseconds(now);
    const ln_status status = list_classes(f, error);
    if (status != LN_OK) return status;
    find_others(f);
    drop_others(f);
    return check_classes(f, error);
}

void ln_folder_forget(ln_folder *f) {
    clear(f->context, &f->classes);
    clear(f->context, &f->pictures);
}

/* ------------------------------------------------------------------- parts */

ln_status ln_folder_parts(ln_context *context, const char *path, bool found[3], ln_error *error) {
    static const char *const names[3] = {"train", "val", "test"};
    const ln_folder          f = {.context = context, .path = path};
    ln_folder_list           l = {0};
    const ln_status          status = list_folder(&f, "", true, 0, &l, error);
    size_t                   n = 0;
    for (size_t i = 0; i < 3; i++) {
        found[i] = false;
        for (size_t k = 0; k < l.n; k++) found[i] = found[i] || strcmp(l.file[k].name, names[i]) == 0;
        n += found[i];
    }
    for (size_t i = 0; i < 3; i++) found[i] = found[i] && n == l.n;
    clear(context, &l);
    return status;
}
