/* predict_files.c: what predict is given: pictures, folders of them, photos in folders of classes, sets, its input. */
#include "cli.h"
#include "images.h"
#include "predict.h"
#include "work.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* A picture that cannot be read is told, and the others are predicted; what is true of all of them ends the work. */
static bool skip(prediction *p, ln_error *error) {
    const ln_status s = error->status;
    if (s != LN_E_FORMAT && s != LN_E_IO && s != LN_E_UNSUPPORTED && !(s == LN_E_SHAPE && p->prepares)) return false;
    say_error(error);
    *error = (ln_error){0};
    p->n_unread++;
    return true;
}

static bool stop(size_t n_done, size_t n, ln_error *error) {
    return fill_error(error, LN_E_INTERRUPTED, "stopped: %zu of %zu pictures were looked at", n_done, n);
}

/* Where grey images may lie the other way round than those of the training, and nothing tells which way those did. */
static bool minds_inverted(const prediction *p) {
    const ln_reading r = ln_model_reading(p->model);
    size_t           c, h, w;
    ln_model_input_shape(p->model, &c, &h, &w);
    return c == 1 && !p->inverted && r.h == 0 && !r.grayscale && !r.invert;
}

/* Are pictures to be turned over? As the training images were, and once more where asked for. */
static bool turns(const prediction *p) { return !p->prepares && p->inverted != ln_model_reading(p->model).invert; }

/* What image `row` of the answers is to be called: as its set and its number, or of pictures in folders of classes
 * "cat_IMG_1.png" for photos/cat/IMG_1.png, as those of several classes may be called alike. */
static const char *seen_name(const prediction *p, size_t row, const char *set, pool *owner) {
    const char *const file = p->answers.files[row], *const last = file ? strrchr(file, '/') : NULL;
    if (!last) return pool_format(owner, "%s_%05zu.", set, p->answers.number[row]);
    const char *folder = last;
    while (folder > file && folder[-1] != '/') folder--;
    return pool_format(owner, "%.*s_%s", (int)(last - folder), folder, last + 1);
}

/* Keeps the n images of data, whose answers are the last ones; called: the picture or the set that they are from. */
static void keep_seen(prediction *p, const ln_data *data, size_t n, const char *called, bool of_set) {
    const size_t from = p->answers.n - n;
    const double scale = ln_model_preprocess(p->model).scale;
    pool         owner = {0};
    for (size_t i = 0; i < n && p->save; i++)
        seen_add(&p->seen, of_set ? seen_name(p, from + i, called, &owner) : called, predict_said(p, from + i, &owner),
                 data, i, scale);
    pool_free(&owner);
}

/* The picture as the network takes it. */
static ln_data *open_picture(prediction *p, const char *path, const char *called, ln_error *error) {
    bool   looks_inverted = false;
    size_t c, h, w;
    ln_model_input_shape(p->model, &c, &h, &w);
    const bool square = c == 1 && h == w;
    if (p->prepares && square) return ln_data_from_photo(p->context, path, h, error);
    if (p->prepares) {
        fill_error(error, LN_E_ARGUMENT,
                   "prepare=mnist makes square grey images, and the network takes %zux%zux%zu: leave it out", c, h, w);
        return NULL;
    }
    ln_data *const data = ln_data_from_picture(p->context, path, c, h, w, &looks_inverted, error);
    if (looks_inverted && minds_inverted(p) && p->n_inverted++ == 0)
        p->first_inverted = pool_format(&p->owner, "%s", called);
    return data;
}

/* called: what it is in the answers, and `number` its number there. */
static bool predict_picture(prediction *p, const char *path, const char *called, size_t number, ln_error *error) {
    p->n_asked++;
    ln_data *data = open_picture(p, path, called, error);
    if (!data) return skip(p, error);
    ln_data       *turned = turns(p) ? images_part(p->context, data, 0, 1, true, &p->owner, error) : NULL;
    const ln_data *image = turns(p) ? turned : data;
    const char    *name = pool_format(&p->owner, "%s", called);
    const bool     good =
        image && predict_answer(p, image, &(origin){.named = image, .files = &name, .first = number}, error);
    if (good) keep_seen(p, image, 1, strcmp(called, "-") == 0 ? "input" : called, false);
    if (good && p->shows) predict_show(p, image, p->answers.n - 1);
    if (good && p->lines) predict_print_lines(p, p->answers.n - 1);
    else if (good) predict_print_picture(p, name);
    ln_data_free(turned);
    ln_data_free(data);
    return good;
}

static bool refuse_image(const prediction *p, const char *name, size_t n, ln_error *error) {
    return fill_error(error, LN_E_ARGUMENT, "image=%zu: %.200s has %zu image%s, 0 to %zu", p->image, name, n,
                      n == 1 ? "" : "s", n - 1);
}

/* Which of the n images of that name are asked about: from the one to before the other. */
static bool choose(const prediction *p, const char *name, size_t n, size_t *from, size_t *end, ln_error *error) {
    const bool one = p->image != SIZE_MAX;
    *from = one ? p->image : 0;
    *end = one ? p->image + 1 : p->first < n ? p->first : n;
    return *from < n || refuse_image(p, name, n, error);
}

/* "mnist:test" as "mnist_test", "x/test.csv" as "test": what its pictures are called; the path of a file that standard
 * input was kept in as "input". */
static const char *set_name(prediction *p, const char *name) {
    const char *const slash = strrchr(name, '/'), *const last = slash ? slash + 1 : name;
    char *const copy = pool_copy(&p->owner, last, strlen(last));
    char *const dot = strrchr(copy, '.');
    if (dot && dot > copy) *dot = '\0';
    return p->spooled ? "input" : copy;
}

/* What is said of the images of a set. */
static bool tell_set(prediction *p, const char *name, const ln_data *data, const origin *of, ln_error *error) {
    const size_t before = p->answers.n;
    if (!predict_answer(p, data, of, error)) return false;
    keep_seen(p, data, p->answers.n - before, set_name(p, name), true);
    if (p->shows) predict_show(p, data, before);
    else if (p->lines) predict_print_lines(p, before);
    else predict_print_rows(p, before);
    return true;
}

/* The files of n images from `from` on, as one would open them: "photos/test/cat/1.png" for image cat/1.png of
 * photos/test, and for image test/cat/1.png of photos:test. NULL: they are no files. */
static const char *const *set_files(prediction *p, const char *name, const ln_data *data, size_t from, size_t n) {
    if (!ln_data_image_name(data, 0)) return NULL;
    const char **const files = pool_take(&p->owner, n * sizeof *files);
    const size_t       length = images_folder_length(name);
    const char *const  slash = length > 0 && name[length - 1] == '/' ? "" : "/";
    for (size_t i = 0; i < n; i++)
        files[i] = pool_format(&p->owner, "%.*s%s%s", (int)length, name, slash, ln_data_image_name(data, from + i));
    return files;
}

static bool predict_set(prediction *p, const char *name, ln_error *error) {
    const ln_reading reading = images_reading(p->model, name);
    ln_data         *all = ln_data_open_as(p->context, name, "test", NULL, &reading, error), *part = NULL;
    size_t           from, end;
    p->usage = !all && error->status == LN_E_ARGUMENT;
    if (!all) return false;
    images_fit(all, p->model);
    const size_t n = ln_data_describe(all).n;
    bool         good = choose(p, name, n, &from, &end, error);
    const bool   cut = good && (end - from < n || p->inverted);
    if (cut) part = images_part(p->context, all, from, end - from, p->inverted, &p->owner, error);
    if (good && (part || !cut)) {
        const origin of = {.named = all, .first = from, .files = set_files(p, name, all, from, end - from)};
        good = tell_set(p, name, cut ? part : all, &of, error);
    } else good = false;
    ln_data_free(part);
    ln_data_free(all);
    return good;
}

/* Photos in folders of classes, made into images as those of one set. */
typedef struct photos {
    const char **path;
    size_t      *number;
    int64_t     *truth;
    uint8_t     *pixels, *labels; /* labels: that there are some; truth says which */
    size_t       n, side;
} photos;

/* The output that is called so; -1: none is. */
static int64_t output_called(prediction *p, const char *word) {
    for (size_t i = 0; i < p->answers.n_classes; i++)
        if (strcmp(class_name(p->model, i, &p->owner), word) == 0) return (int64_t)i;
    return -1;
}

/* The paths and classes of all pictures in the folders. */
static photos list_photos(prediction *p, const char *const *folders, size_t n_folders) {
    const char ***const names = pool_take(&p->owner, (n_folders + 1) * sizeof *names);
    size_t *const       n_of = pool_take(&p->owner, (n_folders + 1) * sizeof *n_of);
    photos              list = {0};
    for (size_t k = 0; k < n_folders; k++) list.n += n_of[k] = images_in_folder(folders[k], &names[k], &p->owner);
    list.path = pool_take(&p->owner, (list.n + 1) * sizeof *list.path);
    list.truth = pool_take(&p->owner, (list.n + 1) * sizeof *list.truth);
    for (size_t k = 0, at = 0; k < n_folders; k++) {
        const int64_t class = output_called(p, strrchr(folders[k], '/') + 1);
        for (size_t i = 0; i < n_of[k]; i++, at++) list.path[at] = names[k][i], list.truth[at] = class;
    }
    return list;
}

/* Reads photos from to end-1, and leaves those in the list that could be read. */
static bool read_photos(prediction *p, photos *list, size_t from, size_t end, ln_error *error) {
    size_t c, h, w;
    ln_model_input_shape(p->model, &c, &h, &w);
    list->n = 0;
    list->side = h;
    list->pixels = pool_take(&p->owner, (end - from) * h * w);
    list->labels = pool_take(&p->owner, end - from);
    list->number = pool_take(&p->owner, (end - from) * sizeof *list->number);
    for (size_t i = from; i < end; i++) {
        if (!work_show(NULL, "reading photos", i - from, end - from)) return stop(i - from, end - from, error);
        p->n_asked++;
        ln_data *const photo = open_picture(p, list->path[i], list->path[i], error);
        if (!photo && !skip(p, error)) return false;
        if (!photo) continue;
        const size_t at = list->n++;
        memcpy(list->pixels + at * h * w, ln_data_image(photo, 0), h * w);
        list->labels[at] = 0;
        list->number[at] = p->n_pictures + i;
        list->path[at] = list->path[i];
        list->truth[at] = list->truth[i];
        ln_data_free(photo);
    }
    work_show(NULL, "reading photos", end - from, end - from);
    return true;
}

static bool predict_photos(prediction *p, const char *name, const char *const *folders, size_t n_folders,
                           ln_error *error) {
    photos list = list_photos(p, folders, n_folders);
    size_t from, end;
    if (list.n == 0)
        return fill_error(error, LN_E_ARGUMENT, "%.200s: no picture in it, nor in its folders: give another folder",
                          name);
    const size_t n_all = list.n;
    if (!choose(p, name, list.n, &from, &end, error) || !read_photos(p, &list, from, end, error)) return false;
    p->n_pictures += n_all;
    if (list.n == 0) return true;
    ln_data *const data =
        ln_data_from_bytes(p->context, list.pixels, list.labels, list.n, 1, list.side, list.side, error);
    const origin of = {.named = data, .files = list.path, .number = list.number, .truth = list.truth};
    const bool   good = data && tell_set(p, name, data, &of, error);
    ln_data_free(data);
    return good;
}

/* All of standard input into file. False: errno says why not. */
static bool keep_input(int file) {
    char bytes[1 << 16];
    for (ssize_t n; (n = read(STDIN_FILENO, bytes, sizeof bytes)) != 0;) {
        if (n < 0 && errno != EINTR) return false;
        for (ssize_t done = 0, m; done<n; done += m> 0 ? m : 0)
            if ((m = write(file, bytes + done, (size_t)(n - done))) < 0 && errno != EINTR) return false;
    }
    return lseek(file, 0, SEEK_SET) == 0;
}

/* Makes standard input a file, since sets are looked at before they are read. Nobody else sees it, and nothing is left
 * of it, however this ends. */
static bool spool(prediction *p, ln_error *error) {
    const char *const folder = getenv("TMPDIR");
    char *const       path = pool_format(&p->owner, "%s/linnet-XXXXXX", folder && *folder ? folder : "/tmp");
    const int         file = mkstemp(path);
    if (file >= 0) unlink(path);
    const bool good = file >= 0 && keep_input(file) && dup2(file, STDIN_FILENO) == STDIN_FILENO;
    if (!good)
        fill_error(error, LN_E_IO, "standard input cannot be kept in %.200s: %s", folder && *folder ? folder : "/tmp",
                   strerror(errno));
    if (file >= 0) close(file);
    return good;
}

/* A picture, or those of a folder. */
static bool predict_pictures(prediction *p, const char *name, const char *const *pictures, size_t n, ln_error *error) {
    const size_t before = p->n_pictures;
    const bool   shows = !isatty(STDOUT_FILENO); /* there the lines themselves are a sign */
    size_t       from, end;
    if (!choose(p, name, n, &from, &end, error)) return false;
    for (size_t i = from; i < end; i++) {
        if (shows && !work_show(NULL, "predicting", i - from, end - from)) return stop(i - from, end - from, error);
        if (!predict_picture(p, pictures[i], pictures[i], before + i, error)) return false;
    }
    if (shows) work_show(NULL, "predicting", end - from, end - from);
    p->n_pictures += n;
    return true;
}

static bool predict_named(prediction *p, const char *name, const char *called, ln_error *error) {
    const char **names;
    size_t       from, end;
    if (images_is_picture(name))
        return choose(p, called, 1, &from, &end, error) && predict_picture(p, name, called, p->n_pictures++, error);
    size_t n = images_in_folder(name, &names, &p->owner);
    if (n) return predict_pictures(p, name, names, n, error);
    if (!p->prepares) return predict_set(p, name, error);
    n = images_folders_in(name, &names, &p->owner);
    if (n) return predict_photos(p, name, names, n, error);
    fill_error(error, LN_E_ARGUMENT, "prepare=mnist is for photos, and %.200s is a set of images: leave it out", name);
    p->usage = true;
    return false;
}

static bool predict_input(prediction *p, ln_error *error) {
    if (!spool(p, error)) return false;
    p->spooled = true;
    const bool good = predict_named(p, "/dev/stdin", "-", error);
    p->spooled = false;
    return good;
}

bool predict_file(prediction *p, const char *name, ln_error *error) {
    return strcmp(name, "-") == 0 ? predict_input(p, error) : predict_named(p, name, name, error);
}
