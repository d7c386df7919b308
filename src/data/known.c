/* Sets known by name: found in a few places and read; IDX files are known by their SHA-256. */
#include "data/known.h"

#include "data/cifar.h"
#include "data/data.h"
#include "data/idx.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef LN_DATA_DIR
#error "LN_DATA_DIR must be the installed folder that holds mnist/, for example \"/usr/local/share/linnet/data\""
#endif

enum { LN_PLACES = 6, LN_PATH = PATH_MAX };

static void to_hex(const unsigned char sum[LN_SHA256], char text[2 * LN_SHA256 + 1]) {
    for (size_t i = 0; i < LN_SHA256; i++) snprintf(text + 2 * i, 3, "%02x", sum[i]);
}

static bool is_form(const ln_set_file *file, const char *sum) {
    for (size_t i = 0; i < LN_SET_FORMS && file->form[i].sha256; i++)
        if (strcmp(file->form[i].sha256, sum) == 0) return true;
    return false;
}

static ln_status read_known(ln_context *context, const ln_set *set, const char *folder, const ln_set_file *file,
                            ln_idx *idx, ln_error *error) {
    char          path[LN_PATH], found[2 * LN_SHA256 + 1];
    unsigned char sum[LN_SHA256];
    ln_idx        made;
    snprintf(path, sizeof path, "%s/%s", folder, file->name);
    const ln_status status = ln_idx_read(context, path, sum, &made, error);
    if (status != LN_OK) return status;
    to_hex(sum, found);
    if (!is_form(file, found)) {
        ln_release(context, made.values);
        return ln_fail(error, LN_E_FORMAT,
                       "%s: not %s's file: its SHA-256 is %s, but %s was wanted: fetch it again, or "
                       "open it by its path to use it as it is",
                       path, set->title, found, file->form[0].sha256);
    }
    *idx = made;
    return LN_OK;
}

/* ------------------------------------------------------------------ places */

typedef struct places {
    char   root[LN_PLACES][LN_PATH];
    size_t n;
} places;

/* Appends start/rest; one that is too long for a path cannot exist and is left out. */
static void add_place(places *p, const char *start, const char *rest) {
    const int n = snprintf(p->root[p->n], LN_PATH, "%s%s", start, rest);
    if (n > 0 && n < LN_PATH) p->n++;
}

static void list_places(places *p, const char *folder) {
    p->n = 0;
    const char *set = getenv("LINNET_DATA");
    if (folder && *folder) add_place(p, folder, "");
    if (set && *set) add_place(p, set, "");
    char home[LN_PATH];
    if (ln_set_home(home, sizeof home)) add_place(p, home, "");
    char          self[LN_PATH];
    const ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n > 0) {
        self[n] = '\0';
        char *slash = strrchr(self, '/');
        if (slash) *slash = '\0';
        add_place(p, self, "/../data");
        static const char inner[] = "/libexec/linnet"; /* where the command's other programs lie */
        const size_t      length = strlen(self), tail = sizeof inner - 1;
        const bool        is_inner = length >= tail && strcmp(self + length - tail, inner) == 0;
        add_place(p, self, is_inner ? "/../../share/linnet/data" : "/../share/linnet/data");
    }
    add_place(p, LN_DATA_DIR, "");
}

/* The first folder that has file: NAME below a place, or of MNIST the place itself; other sets' files are called like
 * MNIST's, so that theirs must be in a folder that says whose they are. */
static bool find_folder(const places *p, const ln_set *set, const char *file, char folder[LN_PATH]) {
    const bool bare = strcmp(set->name, "mnist") == 0;
    for (size_t i = 0; i < 2 * p->n; i += bare ? 1 : 2) {
        char      path[LN_PATH + 64];
        const int n = snprintf(folder, LN_PATH, "%s%s%s", p->root[i / 2], i % 2 ? "" : "/", i % 2 ? "" : set->name);
        snprintf(path, sizeof path, "%s/%s", folder, file);
        if (n < LN_PATH && !access(path, F_OK)) return true;
    }
    return false;
}

static void fail_missing(const places *p, const ln_set *set, const char *file, ln_error *error) {
    char   list[300] = "";
    size_t n = 0;
    for (size_t i = 0; i < p->n && n < sizeof list; i++)
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", p->root[i]);
    ln_fail(error, LN_E_IO,
            "%s: not here: 'linnet data fetch %s' gets it, or LINNET_DATA names the folder that has it "
            "(no %s in %s)",
            set->name, set->name, file, list);
}

/* Both files into one handle, which owns their memory. */
static ln_data *join(ln_context *context, const ln_set *set, const ln_idx *images, const ln_idx *labels,
                     ln_error *error) {
    const ln_data_parts parts = {.pixels = images->values,
                                 .labels = labels->values,
                                 .own = true,
                                 .n = images->dims[0],
                                 .c = 1,
                                 .h = images->dims[1],
                                 .w = images->dims[2],
                                 .n_classes = LN_SET_CLASSES,
                                 .class_name = set->class_name[0] ? set->class_name : NULL};
    ln_data            *data = ln_data_new(context, set->name, &parts, error);
    if (data) return data;
    ln_release(context, images->values);
    ln_release(context, labels->values);
    return NULL;
}

static ln_data *open_idx(ln_context *context, const ln_set *set, bool test, const char *folder, ln_error *error) {
    const ln_set_file *file = set->file + (test ? 2 : 0);
    ln_idx             images, labels;
    if (read_known(context, set, folder, &file[0], &images, error) != LN_OK) return NULL;
    if (read_known(context, set, folder, &file[1], &labels, error) == LN_OK)
        return join(context, set, &images, &labels, error);
    ln_release(context, images.values);
    return NULL;
}

ln_data *ln_known_open(ln_context *context, const ln_set *set, bool test, const char *folder, ln_error *error) {
    const bool        archive = set->member[0].name;
    const char *const first = !archive ? set->file[test ? 2 : 0].name : test ? "test_batch.bin" : "data_batch_1.bin";
    char              found[LN_PATH];
    places            p;
    list_places(&p, folder);
    if (!find_folder(&p, set, first, found)) {
        fail_missing(&p, set, first, error);
        return NULL;
    }
    return archive ? ln_cifar_open_folder(context, found, test, error) : open_idx(context, set, test, found, error);
}
