/* MNIST: found in a few places, read, and known by SHA-256. */
#include "data/mnist.h"

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

enum { LN_PLACES = 5, LN_PATH = PATH_MAX };

/* Each file has two sums: of the archive that comes with Linnet, and of the one that its authors published, which
 * unpacks to the same bytes. */
typedef struct known_file {
    const char *name, *sum[2];
} known_file;
typedef struct known_set {
    known_file images, labels;
} known_set;

static const known_set known[2] = {{{"train-images-idx3-ubyte.gz",
                                     {"0b367032e93c5d0cea0925647cfdb18614af8ee15f83e6f2fc2ad904a6835971",
                                      "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"}},
                                    {"train-labels-idx1-ubyte.gz",
                                     {"1787548bbe0bff1ec2ecdc0ef292b02df999e2d1a6002d27500982c652b17203",
                                      "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"}}},
                                   {{"t10k-images-idx3-ubyte.gz",
                                     {"1a1a05eab793c14bb050b398624a11b0ffd1a2953baed553b1b9bd079e2a20be",
                                      "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"}},
                                    {"t10k-labels-idx1-ubyte.gz",
                                     {"b91679a0acfe4ba0e50a2437a903084cba1f5f92592b016a25a7dfd00455798b",
                                      "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"}}}};

static void to_hex(const unsigned char sum[LN_SHA256], char text[2 * LN_SHA256 + 1]) {
    for (size_t i = 0; i < LN_SHA256; i++) snprintf(text + 2 * i, 3, "%02x", sum[i]);
}

static ln_status read_known(ln_context *context, const char *folder, const known_file *file, ln_idx *idx,
                            ln_error *error) {
    char          path[LN_PATH], found[2 * LN_SHA256 + 1];
    unsigned char sum[LN_SHA256];
    ln_idx        made;
    snprintf(path, sizeof path, "%s/%s", folder, file->name);
    const ln_status status = ln_idx_read(context, path, sum, &made, error);
    if (status != LN_OK) return status;
    to_hex(sum, found);
    if (strcmp(found, file->sum[0]) != 0 && strcmp(found, file->sum[1]) != 0) {
        ln_release(context, made.values);
        return ln_fail(error, LN_E_FORMAT,
                       "%s: not MNIST's file: its SHA-256 is %s, but %s was wanted: fetch it again, or "
                       "open it by its path to use it as it is",
                       path, found, file->sum[0]);
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

/* The first folder, a place or mnist below it, that has file. */
static bool find_folder(const places *p, const char *file, char folder[LN_PATH]) {
    for (size_t i = 0; i < 2 * p->n; i++) {
        char      path[LN_PATH + 64];
        const int n = snprintf(folder, LN_PATH, "%s%s", p->root[i / 2], i % 2 ? "" : "/mnist");
        snprintf(path, sizeof path, "%s/%s", folder, file);
        if (n < LN_PATH && !access(path, F_OK)) return true;
    }
    return false;
}

static void fail_missing(const places *p, const char *file, ln_error *error) {
    char   list[400] = "";
    size_t n = 0;
    for (size_t i = 0; i < p->n && n < sizeof list; i++)
        n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "", p->root[i]);
    ln_fail(error, LN_E_IO, "mnist: no %s in %s: set LINNET_DATA to the folder that has it", file, list);
}

/* Both files into one handle, which owns their memory. */
static ln_data *join(ln_context *context, const ln_idx *images, const ln_idx *labels, ln_error *error) {
    const ln_data_parts parts = {.pixels = images->values,
                                 .labels = labels->values,
                                 .own = true,
                                 .n = images->dims[0],
                                 .c = 1,
                                 .h = images->dims[1],
                                 .w = images->dims[2],
                                 .n_classes = 10};
    ln_data            *data = ln_data_new(context, "mnist", &parts, error);
    if (data) return data;
    ln_release(context, images->values);
    ln_release(context, labels->values);
    return NULL;
}

ln_data *ln_mnist_open(ln_context *context, bool test, const char *folder, ln_error *error) {
    const known_set *set = &known[test];
    char             found[LN_PATH];
    places           p;
    ln_idx           images, labels;
    list_places(&p, folder);
    if (!find_folder(&p, set->images.name, found)) {
        fail_missing(&p, set->images.name, error);
        return NULL;
    }
    if (read_known(context, found, &set->images, &images, error) != LN_OK) return NULL;
    if (read_known(context, found, &set->labels, &labels, error) != LN_OK) {
        ln_release(context, images.values);
        return NULL;
    }
    return join(context, &images, &labels, error);
}
