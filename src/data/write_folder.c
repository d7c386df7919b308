/* A data set as pictures: a folder for each class, called as it is, or else by its label; in it PNG files called by the
 * images' numbers in the set, from 1 on.
 * All of it is made in a hidden folder beside, synced, and renamed: the folder is there as a whole, or not at all. */
#include "data/write.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDER_TRIES = 1000, FOLDER_NAME = NAME_MAX + 65, FILE_NAME = 250, OPEN_FOLDERS = 16 };

typedef struct folder {
    const char        *path;             /* as given, for messages */
    char               target[PATH_MAX]; /* without the last '/' */
    char               made[PATH_MAX];   /* the hidden folder, "" when there is none */
    char               file[PATH_MAX + FOLDER_NAME + FILE_NAME];
    int                n_digits, label_digits;
    bool               named; /* folders are called as the classes */
    const char *const *names; /* of the files, in no folders of labels; NULL: by labels and numbers */
} folder;

static int digits_of(size_t n) {
    int digits = 1;
    for (; n > 9; n /= 10) digits++;
    return digits;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at) {
    (void)st, (void)kind, (void)at;
    return remove(path);
}

/* Is there no folder, or one without entries? */
static ln_status check_free(const folder *f, ln_error *error) {
    DIR *const dir = opendir(f->target);
    if (!dir && errno == ENOENT) return LN_OK;
    if (!dir) return ln_fail_io(error, "write", f->path);
    size_t n = 0;
    for (const struct dirent *entry; (entry = readdir(dir));)
        n += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(dir);
    if (n == 0) return LN_OK;
    return ln_fail(
        error, LN_E_ARGUMENT,
        "%s: the folder is there and not empty, and its files would be mixed with new ones: name another one, "
        "or remove it",
        f->path);
}

static ln_status name_target(folder *f, ln_error *error) {
    size_t n = strlen(f->path);
    while (n > 1 && f->path[n - 1] == '/') n--;
    if (n > sizeof f->target - FOLDER_NAME) {
        errno = ENAMETOOLONG;
        return ln_fail_io(error, "write", f->path);
    }
    memcpy(f->target, f->path, n);
    f->target[n] = '\0';
    return LN_OK;
}

static int n_parent(const folder *f) {
    const char *const slash = strrchr(f->target, '/');
    return slash ? (int)(slash - f->target) + 1 : 0;
}

static ln_status make_hidden(folder *f, ln_error *error) {
    for (unsigned k = 0; k < FOLDER_TRIES; k++) {
        snprintf(f->made, sizeof f->made, "%.*s.linnet-%ld-%u.tmp", n_parent(f), f->target, (long)getpid(), k);
        if (!mkdir(f->made, 0777)) return LN_OK;
        if (errno != EEXIST) break;
    }
    f->made[0] = '\0';
    return ln_fail_io(error, "write", f->path);
}

/* Can it be a folder that is read back as a class? Names may come from any file. */
static bool names_folder(const char *name) {
    return name && *name && *name != '.' && strlen(name) <= NAME_MAX && !strchr(name, '/') &&
           strcmp(name, "train") != 0 && strcmp(name, "val") != 0 && strcmp(name, "test") != 0;
}

/* All classes that are wanted can be, each by a name of its own. */
static bool are_named(const ln_data *data, const bool wanted[256]) {
    for (int k = 0; k < 256; k++) {
        const char *const name = wanted[k] ? ln_data_class_name(data, k) : NULL;
        if (wanted[k] && !names_folder(name)) return false;
        for (int i = 0; wanted[k] && i < k; i++)
            if (wanted[i] && strcmp(ln_data_class_name(data, i), name) == 0) return false;
    }
    return true;
}

/* Numbers have as many digits as the largest: sorted by name they are in order. */
static void name_label(folder *f, const ln_data *data, int k) {
    if (f->named) snprintf(f->file, sizeof f->file, "%s/%s", f->made, ln_data_class_name(data, k));
    else snprintf(f->file, sizeof f->file, "%s/%0*d", f->made, f->label_digits, ln_data_class(data, k));
}

/* A folder for each label that is there. */
static ln_status make_labels(folder *f, const ln_data *data, ln_error *error) {
    bool wanted[256] = {false};
    int  largest = 0;
    for (size_t i = 0; i < data->n; i++) {
        const int label = ln_data_written_label(data, i);
        wanted[ln_data_label(data, i)] = true;
        largest = label > largest ? label : largest;
    }
    f->label_digits = digits_of((size_t)largest);
    f->named = are_named(data, wanted);
    for (int k = 0; k < 256; k++) {
        if (!wanted[k]) continue;
        name_label(f, data, k);
        if (mkdir(f->file, 0777)) return ln_fail_io(error, "write", f->path);
    }
    return LN_OK;
}

/* Not synced: that is done once for all of them. */
static ln_status put_file(const folder *f, const void *bytes, size_t n, ln_error *error) {
    const int fd = open(f->file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0) return ln_fail_io(error, "write", f->path);
    const char *next = bytes;
    while (n) {
        const ssize_t some = write(fd, next, n);
        if (some < 0 && errno == EINTR) continue;
        if (some < 0) break;
        next += some;
        n -= (size_t)some;
    }
    if (n == 0) return close(fd) ? ln_fail_io(error, "write", f->path) : LN_OK;
    const ln_status status = ln_fail_io(error, "write", f->path);
    close(fd);
    return status;
}

static ln_status put_image(folder *f, const ln_data *data, size_t i, uint8_t *rows, ln_error *error) {
    const ln_store *const s = data->store;
    void                 *bytes = NULL;
    size_t                n_bytes = 0;
    if (s->labels && !f->names) name_label(f, data, ln_data_label(data, i));
    else snprintf(f->file, sizeof f->file, "%s", f->made);
    const size_t n = strlen(f->file);
    if (f->names) snprintf(f->file + n, sizeof f->file - n, "/%s.png", f->names[i]);
    else snprintf(f->file + n, sizeof f->file - n, "/%0*zu.png", f->n_digits, i + 1);
    ln_status status =
        ln_picture_encode(f->path, ln_data_values(data, i), s->c, s->h, s->w, rows, &bytes, &n_bytes, error);
    if (status == LN_OK) status = put_file(f, bytes, n_bytes, error);
    free(bytes);
    return status;
}

/* Opens the folder and writes out: it alone, or all of its file system. */
static bool sync_folder(const char *path, int (*sync)(int)) {
    const int  fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    const bool good = fd >= 0 && !sync(fd);
    if (fd >= 0) close(fd);
    return good;
}

/* Everything durable, then visible, then durably so (as far as the file system can sync a folder). */
static ln_status publish(folder *f, ln_error *error) {
    if (!sync_folder(f->made, syncfs) || rename(f->made, f->target)) return ln_fail_io(error, "write", f->path);
    f->made[0] = '\0';
    const int n = n_parent(f);
    snprintf(f->file, sizeof f->file, "%.*s", n ? n : 1, n ? f->target : ".");
    sync_folder(f->file, fsync);
    return LN_OK;
}

static ln_status check(const char *path, const ln_data *data, ln_error *error) {
    const ln_store *const s = data->store;
    if (s->is_float)
        return ln_fail(error, LN_E_ARGUMENT,
                       "%s: the values are floats, but PNG pictures hold bytes: write .npz or .csv", path);
    if ((s->c == 1 || s->c == 3) && s->h * s->w > 1 && s->h <= INT32_MAX && s->w <= INT32_MAX) return LN_OK;
    return ln_fail(error, LN_E_ARGUMENT,
                   "%s: images of %zux%zux%zu are no pictures of 1 or 3 channels: give them a shape such as 1x28x28, "
                   "or write .npz",
                   path, s->c, s->h, s->w);
}

static ln_status fill(ln_context *context, folder *f, const ln_data *data, uint8_t *rows, ln_error *error) {
    ln_status status = make_hidden(f, error);
    if (status == LN_OK && data->store->labels && !f->names) status = make_labels(f, data, error);
    ln_work work = ln_work_begin(context, "writing", data->n);
    for (size_t i = 0; i < data->n && status == LN_OK; i++)
        status = ln_work_goes_on(&work, i) ? put_image(f, data, i, rows, error) : ln_work_stop(&work, i, error);
    ln_work_end(&work);
    return status == LN_OK ? publish(f, error) : status;
}

static ln_status write_folder(ln_context *context, const char *path, const ln_data *data, const char *const *names,
                              ln_error *error) {
    ln_status status = check(path, data, error);
    if (status != LN_OK) return status;
    folder *const  f = ln_allocate_zeroed(context, sizeof *f);
    uint8_t *const rows = ln_allocate(context, data->store->image_bytes);
    if (f && rows) {
        f->path = path;
        f->names = names;
        f->n_digits = digits_of(data->n) > 5 ? digits_of(data->n) : 5;
        status = name_target(f, error);
        if (status == LN_OK) status = check_free(f, error);
        if (status == LN_OK) status = fill(context, f, data, rows, error);
        if (f->made[0]) nftw(f->made, remove_one, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS);
    } else status = ln_fail_memory(error, path, sizeof *f + data->store->image_bytes);
    ln_release(context, f);
    ln_release(context, rows);
    return status;
}

ln_status ln_folder_write(ln_context *context, const char *path, const ln_data *data, ln_error *error) {
    return write_folder(context, path, data, NULL, error);
}

/* A name is a file's name and nothing else: no part of a path. */
ln_status ln_data_write_pictures(ln_context *context, const char *path, const ln_data *data, const char *const *names,
                                 ln_error *error) {
    if (!path || !*path) return ln_fail(error, LN_E_ARGUMENT, "cannot write pictures without a name: give a folder");
    for (size_t i = 0; i < data->n; i++)
        if (!names[i][0] || strchr(names[i], '/') || strlen(names[i]) > FILE_NAME)
            return ln_fail(error, LN_E_ARGUMENT,
                           "%.200s: a picture cannot be called '%.100s': 1 to %d bytes without '/' were wanted", path,
                           names[i], FILE_NAME);
    return write_folder(context, path, data, names, error);
}
