/* ln_data_open: a data set by name ("mnist", "kmnist", "points n=200") or by the path of a file or folder, whose
 * contents tell what it is. */
#include "data/cifar.h"
#include "data/csv.h"
#include "data/data.h"
#include "data/folder.h"
#include "data/generate.h"
#include "data/idx.h"
#include "data/known.h"
#include "data/npy.h"
#include "data/npz.h"
#include "data/picture.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The name of the labels that belong to path, from ln_allocate: "images-idx3" (or 2, 4) in its last part becomes
 * "labels-idx1"; *labels is NULL when the name has no such part. */
static ln_status name_labels(ln_context *context, const char *path, char **labels, ln_error *error) {
    static const char from[] = "images-idx", to[] = "labels-idx";
    const char       *slash = strrchr(path, '/');
    const char       *found = strstr(slash ? slash : path, from);
    *labels = NULL;
    if (!found || found[sizeof from - 1] < '2' || found[sizeof from - 1] > '4') return LN_OK;
    char *name = ln_allocate(context, strlen(path) + sizeof ".gz");
    if (!name) return ln_fail_memory(error, path, strlen(path) + sizeof ".gz");
    memcpy(name, path, strlen(path) + 1);
    char *at = name + (found - path);
    memcpy(at, to, sizeof to - 1);
    at[sizeof to - 1] = '1';
    *labels = name;
    return LN_OK;
}

/* True when name exists, or exists once ".gz" is put on or taken off (name has room for it). */
static bool exists_either(char *name) {
    if (!access(name, F_OK)) return true;
    const size_t n = strlen(name);
    if (n > 3 && !strcmp(name + n - 3, ".gz")) name[n - 3] = '\0';
    else memcpy(name + n, ".gz", sizeof ".gz");
    return !access(name, F_OK);
}

static ln_status check_labels(const char *path, const ln_idx *images, const char *name, const ln_idx *labels,
                              ln_error *error) {
    if (labels->rank != 1)
        return ln_fail(error, LN_E_FORMAT, "%s: labels of rank %zu, but one number an image (rank 1) was wanted", name,
                       labels->rank);
    if (labels->dims[0] != images->dims[0])
        return ln_fail(error, LN_E_SHAPE, "%s: %zu labels, but %s has %zu images: the two files do not belong together",
                       name, labels->dims[0], path, images->dims[0]);
    return LN_OK;
}

/* The labels beside path, or values NULL where there are none. */
static ln_status read_labels(ln_context *context, const char *path, const ln_idx *images, ln_idx *labels,
                             ln_error *error) {
    char     *name;
    ln_status status = name_labels(context, path, &name, error);
    *labels = (ln_idx){0};
    if (status == LN_OK && name && exists_either(name)) {
        status = ln_idx_read(context, name, NULL, labels, error);
        if (status == LN_OK) status = check_labels(path, images, name, labels, error);
    }
    ln_release(context, name);
    return status;
}

static ln_data *open_idx(ln_context *context, const char *path, ln_error *error) {
    ln_idx images, labels;
    if (ln_idx_read(context, path, NULL, &images, error) != LN_OK) return NULL;
    ln_data *data = NULL;
    if (images.rank == 1) {
        ln_fail(error, LN_E_FORMAT, "%s: a list of labels (rank 1), but images (rank 2 to 4) were wanted", path);
        labels = (ln_idx){0};
    } else if (read_labels(context, path, &images, &labels, error) == LN_OK) {
        const size_t *const d = images.dims;
        const bool          flat = images.rank == 2;
        const ln_data_parts parts = {.pixels = images.values,
                                     .labels = labels.values,
                                     .own = true,
                                     .n = d[0],
                                     .c = images.rank == 3 ? 1 : d[1],
                                     .h = flat ? 1 : d[images.rank - 2],
                                     .w = flat ? 1 : d[images.rank - 1]};
        data = ln_data_new(context, path, &parts, error);
    }
    if (data) return data;
    ln_release(context, images.values);
    ln_release(context, labels.values);
    return NULL;
}

/* Plain text, as far as its beginning shows. */
static bool is_text(const unsigned char *bytes, size_t n) {
    for (size_t i = 0; i < n; i++)
        if ((bytes[i] < ' ' && bytes[i] != '\t' && bytes[i] != '\r' && bytes[i] != '\n') || bytes[i] == 0x7f)
            return false;
    return n > 0;
}

/* The first bytes of a file, unpacked: *n of at most size. */
static ln_status peek(ln_context *context, const char *path, unsigned char *bytes, size_t size, size_t *n,
                      ln_error *error) {
    ln_stream *stream;
    size_t     got = 1;
    ln_status  status = ln_stream_open(context, path, &stream, error);
    if (status != LN_OK) return status;
    for (*n = 0; status == LN_OK && got && *n < size; *n += got)
        status = ln_stream_read_some(stream, bytes + *n, size - *n, &got, error);
    ln_stream_close(stream);
    return status;
}

/* What is asked for: part says that the name ended in ":train" or ":test". */
typedef struct request {
    const char       *name, *folder;
    bool              test, part;
    const ln_reading *reading;
} request;

static ln_data *open_whole(ln_context *context, const request *r, const char *kind,
                           ln_data *(*open)(ln_context *, const char *, ln_error *), ln_error *error) {
    if (!r->part) return open(context, r->name, error);
    ln_fail(error, LN_E_ARGUMENT, "%s: %s has no parts, as mnist, drawn images, NPZ and folders have: leave out :%s",
            r->name, kind, r->test ? "test" : "train");
    return NULL;
}

static ln_data *open_file(ln_context *context, const request *r, ln_error *error) {
    const char *const path = r->name;
    unsigned char     head[256] = {0};
    size_t            n;
    if (peek(context, path, head, sizeof head, &n, error) != LN_OK) return NULL;
    if (n >= 4 && memcmp(head, "PK", 2) == 0 && head[2] < 8 && head[3] < 9)
        return ln_npz_open(context, path, r->test, error);
    if (n >= 6 && memcmp(head, "\x93NUMPY", 6) == 0) return open_whole(context, r, "NPY", ln_npy_read, error);
    const bool pgm = n >= 3 && head[0] == 'P' && head[1] >= '1' && head[1] <= '7' && head[2] <= ' ';
    if (!pgm && is_text(head, n)) return open_whole(context, r, "CSV", ln_csv_read, error);
    const bool idx = n < 2 || (head[0] == 0 && head[1] == 0);
    if (!(idx && n > 2 && head[2] == 8) && ln_cifar_is_file(path))
        return open_whole(context, r, "a file of CIFAR-10", ln_cifar_open_file, error);
    if (idx) return open_whole(context, r, "IDX", open_idx, error);
    const bool picture = pgm || memcmp(head, "\x89PNG", 4) == 0 || memcmp(head, "\xff\xd8\xff", 3) == 0;
    ln_fail(
        error, LN_E_FORMAT,
        "%s: not a set of images that is known: it begins with %02x %02x, but IDX, CSV, NPZ, NPY, a file of CIFAR-10 "
        "or a folder of pictures was wanted%s",
        path, head[0], head[1], picture ? " (a single picture can be predicted, not learned from)" : "");
    return NULL;
}

static bool is_folder(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* A folder of pictures has been read as it is asked for; what else there is, is now made so. */
static ln_data *prepared(ln_data *data, const request *r, ln_error *error) {
    if (!data || ln_data_prepare(&data, r->name, r->reading, error) == LN_OK) return data;
    ln_data_free(data);
    return NULL;
}

/* A known set's name and a part that it does not have, such as mnist:valid. */
static const ln_set *wrong_part(const char *name) {
    const char *const colon = strchr(name, ':');
    for (const ln_set *set = ln_sets; colon && set->name && access(name, F_OK) != 0; set++)
        if (strlen(set->name) == (size_t)(colon - name) && !strncmp(set->name, name, strlen(set->name))) return set;
    return NULL;
}

static ln_data *open_known(ln_context *context, const request *r, ln_error *error) {
    const ln_set *const set = ln_set_find(r->name), *const other = set ? NULL : wrong_part(r->name);
    if (ln_generates(r->name)) return ln_generate(context, r->name, r->test, error);
    if (set) return ln_known_open(context, set, r->test, r->folder, error);
    if (!other) return open_file(context, r, error);
    ln_fail(error, LN_E_ARGUMENT, "'%.200s': %s has the parts %s:train and %s:test", r->name, other->title, other->name,
            other->name);
    return NULL;
}

/* A known set's name is that set, also where a folder is called so: ./cifar10 is the folder. */
static ln_data *open_name(ln_context *context, const request *r, ln_error *error) {
    if (ln_set_find(r->name) || !is_folder(r->name)) return prepared(open_known(context, r, error), r, error);
    if (!ln_cifar_is_folder(r->name)) return ln_folder_open(context, r->name, r->test, r->part, r->reading, error);
    return prepared(ln_cifar_open_folder(context, r->name, r->test, error), r, error);
}

/* The ':' of NAME:train and NAME:test, or NULL; a file that is called so comes first. */
static const char *find_part(const char *name) {
    const char *const colon = strrchr(name, ':');
    const bool        part = colon && colon > name && (!strcmp(colon, ":train") || !strcmp(colon, ":test"));
    return part && access(name, F_OK) ? colon : NULL;
}

/* NAME:train or NAME:test as NAME and its part. */
static ln_data *open_part(ln_context *context, const request *r, const char *colon, ln_error *error) {
    char *const name = ln_copy_text(context, r->name);
    if (!name) {
        ln_fail_memory(error, r->name, strlen(r->name) + 1);
        return NULL;
    }
    name[colon - r->name] = '\0';
    const request bare = {
        .name = name, .folder = r->folder, .test = strcmp(colon, ":test") == 0, .part = true, .reading = r->reading};
    ln_data *const data = open_name(context, &bare, error);
    ln_release(context, name);
    return data;
}

static ln_status check_reading(const char *name, const ln_reading *r, ln_error *error) {
    if ((r->h == 0) == (r->w == 0) && r->h <= LN_PICTURE_MAX_SIDE && r->w <= LN_PICTURE_MAX_SIDE) return LN_OK;
    return ln_fail(error, LN_E_ARGUMENT, "data %s: resize to %zux%zu, but each side must be from 1 to %d", name, r->h,
                   r->w, LN_PICTURE_MAX_SIDE);
}

ln_data *ln_data_open_as(ln_context *context, const char *name, const char *split, const char *folder,
                         const ln_reading *reading, ln_error *error) {
    static const ln_reading plain = {0};
    const bool              test = split && !strcmp(split, "test");
    const request           r = {.name = name, .folder = folder, .test = test, .reading = reading ? reading : &plain};
    if (!name || !*name) {
        ln_fail(error, LN_E_ARGUMENT,
                "data without a name: \"mnist\", or the path of a folder of pictures, or of an IDX, CSV, NPZ, NPY or "
                "CIFAR-10 file was wanted");
        return NULL;
    }
    if (split && !r.test && strcmp(split, "train") != 0) {
        ln_fail(error, LN_E_ARGUMENT, "data %s: split \"%s\", but \"train\" or \"test\" was wanted", name, split);
        return NULL;
    }
    if (check_reading(name, r.reading, error) != LN_OK) return NULL;
    const char *const colon = find_part(name);
    return colon ? open_part(context, &r, colon, error) : open_name(context, &r, error);
}

ln_data *ln_data_open(ln_context *context, const char *name, const char *split, const char *folder, ln_error *error) {
    return ln_data_open_as(context, name, split, folder, NULL, error);
}

bool ln_data_has_test(ln_context *context, const char *name) {
    if (ln_set_find(name)) return true;
    if (!is_folder(name)) return ln_npz_has_test(name);
    return ln_cifar_has_test(name) || ln_folder_has_test(context, name);
}
