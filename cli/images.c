/* images.c: the images a verb is given, and how they look in text. */
#include "images.h"

#include "cli.h"

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

const char images_help[] =
    "Images are named in the same way everywhere: in a recipe's data.name and data.test,\n"
    "in data= of val, as a FILE of predict.\n"
    "\n"
    "  mnist        the images of MNIST, which come with linnet: 60 000 to train on, 10 000\n"
    "               to test on\n"
    "  fashion-mnist, kmnist, cifar10   the sets that are called so, once linnet data fetch\n"
    "               has put them here\n"
    "  points       points in the plane, drawn: points n=211 noise=0.3 seed=1; likewise\n"
    "               spirals, moons, circles and blobs\n"
    "  pictures     a pattern for each class and noise on it, drawn: pictures n=1000 c=3 h=32\n"
    "               w=32 classes=10 noise=0.5 seed=1\n"
    "  FILE         IDX, CSV, NPZ or NPY, by its contents; gzipped or not. Or a file of\n"
    "               CIFAR-10's binary version\n"
    "  FOLDER       pictures, a folder for each class, or CIFAR-10's files\n"
    "  PICTURE      for predict alone: a PNG, JPEG, PGM or PPM picture of any size\n"
    "\n"
    "Known sets, drawn images, NPZ and folders have two parts: data.name means the training\n"
    "images, all else the test images. NAME:train and NAME:test choose: mnist:train,\n"
    "data.npz:test. A recipe's data.test: auto takes the test images that a known set, a\n"
    "folder or an NPZ has beside its training images.\n"
    "\n"
    "  IDX    unsigned bytes: images x values, images x rows x columns, or images x channels\n"
    "         x rows x columns. Labels are read from the file beside it whose name has\n"
    "         labels-idx1 for images-idx3 (or -idx2, -idx4)\n"
    "  CSV    a line an image, with a header or without. The column called label, class,\n"
    "         target or y (not beside an x) holds the labels; without a header they are the\n"
    "         first column, where that holds whole numbers that differ, or else the last. A\n"
    "         line of c*h*w values becomes an image of model.input's shape\n"
    "  NPZ    arrays whose names say what they are: x_train, y_train, x_test, y_test, or\n"
    "         train_images, train_labels, test_x012, test_y012, images, labels. Labels are\n"
    "         numbers or one-hot; images n x values, n x rows x columns, or with channels\n"
    "         before or (where 1 or 3) behind rows and columns. An array class_names, of\n"
    "         text, says what the labels 0, 1, 2, ... are called\n"
    "  NPY    one array of images, without labels\n"
    "  PICTURES  FOLDER/CLASS/any.png: classes are called as their folders, in the order of\n"
    "         their names. Folders train and val (or test) above them make two parts; of\n"
    "         all three, val chooses the best weights, unless data.val splits some off. Colour\n"
    "         gives three channels, grey pictures alone one; what is transparent becomes\n"
    "         white, and photos are turned as they say. data.resize makes all of one size,\n"
    "         data.grayscale and data.invert change them; the weights remember all three,\n"
    "         and predict and val do as they say; where they say nothing of the size or\n"
    "         of grey, pictures become what the network takes\n"
    "  CIFAR-10  data_batch_1.bin to data_batch_5.bin and test_batch.bin, with names of\n"
    "         classes from batches.meta.txt, where that is there; or one such file\n"
    "\n"
    "Labels are whole numbers from 0. Values that are whole numbers 0 to 255 throughout are\n"
    "kept as bytes (floats of NPZ and NPY stay floats), and data.scale divides bytes by 255.\n"
    "Known sets are looked for in LINNET_DATA, ~/.local/share/linnet and where linnet's data are.\n";

void images_fit(ln_data *data, const ln_model *model) {
    const ln_data_info i = ln_data_describe(data);
    size_t             c, h, w;
    ln_model_input_shape(model, &c, &h, &w);
    if (i.h == 1 && i.w == 1 && i.c == c * h * w) ln_data_reshape(data, c, h, w, NULL);
}

/* The labels that the network's outputs stand for; 0: their names are no labels. */
static size_t named_labels(const ln_model *model, int labels[256]) {
    const size_t n = ln_model_class_count(model);
    if (n > 256) return 0;
    for (size_t i = 0; i < n; i++) {
        const char *const name = ln_model_class(model, i);
        const size_t      length = name ? strspn(name, "0123456789") : 0;
        if (length == 0 || length > 3 || name[length]) return 0;
        labels[i] = (int)strtoul(name, NULL, 10);
    }
    return n;
}

/* The output that is called so; -1: none is. */
static int output_called(const ln_model *model, const char *name) {
    for (size_t i = 0; i < ln_model_class_count(model); i++)
        if (ln_model_class(model, i) && strcmp(ln_model_class(model, i), name) == 0) return (int)i;
    return -1;
}

int images_answer(const ln_model *model, const ln_data *data, int label) {
    const char *const name = ln_data_class_name(data, label);
    if (label >= 0 && name) return output_called(model, name);
    int          labels[256];
    const size_t n = named_labels(model, labels);
    for (size_t i = 0; i < n; i++)
        if (labels[i] == label) return (int)i;
    return n ? -1 : label;
}

/* "cat, emu, owl", as far as that is no longer than a line; then how many there are. */
static const char *names_of(const ln_data *data, int n, pool *owner) {
    enum { ENOUGH = 200 };
    text t = {0};
    int  k = 0;
    for (; k < n && t.n < ENOUGH; k++) text_add(&t, "%s%.60s", k ? ", " : "", ln_data_class_name(data, k));
    if (k < n) text_add(&t, ", ... (%d classes)", n);
    const char *const copy = pool_copy(owner, t.bytes, t.n);
    text_free(&t);
    return copy;
}

bool images_label(const ln_data *data, const char *word, int *label, ln_error *error) {
    const int    n = ln_data_describe(data).n_classes;
    const size_t length = strlen(word);
    for (*label = 0; *label < n; ++*label) {
        const char *const name = ln_data_class_name(data, *label);
        if (name && strcmp(name, word) == 0) return true;
    }
    *label = 0;
    if (n == 0) return true;
    if (length <= 3 && strspn(word, "0123456789") == length) return *label = (int)strtoul(word, NULL, 10), true;
    if (ln_data_class_name(data, 0)) {
        pool owner = {0};
        fill_error(error, LN_E_ARGUMENT, "classes: there is no class '%.60s'; the data have %s", word,
                   names_of(data, n, &owner));
        pool_free(&owner);
        return false;
    }
    return fill_error(error, LN_E_ARGUMENT, "classes: there is no class '%.60s'; the data have 0 to %d", word, n - 1);
}

const char *images_labels_place(const char *name, pool *owner) {
    unsigned char     head[2] = {0};
    const char *const slash = strrchr(name, '/'), *const found = strstr(slash ? slash : name, "images-idx");
    const bool paired = found && found[10] >= '2' && found[10] <= '4';
    if (file_head(name, head, 2) < 2 || (memcmp(head, "\0", 2) != 0 && memcmp(head, "\x1f\x8b", 2) != 0))
        return "linnet help images says where they are looked for";
    if (paired)
        return pool_format(owner, "they are looked for in %.*slabels-idx1%.100s, and that file is not there",
                           (int)(found - name), name, found + 11);
    return "for images-idx3 in an IDX file's name they are looked for in a file named with labels-idx1, and this name "
           "has no such part";
}

/* The same where data name their classes: those that the network names, in its order. */
static bool keep_named(ln_data *data, const ln_model *model, ln_error *error) {
    const int    n_classes = ln_data_describe(data).n_classes;
    const size_t n = ln_model_class_count(model);
    int          labels[256];
    bool         same = (size_t)n_classes == n;
    for (size_t i = 0; i < n && i < 256; i++) {
        labels[i] = -1;
        for (int k = 0; k < n_classes && ln_model_class(model, i); k++)
            if (strcmp(ln_data_class_name(data, k), ln_model_class(model, i)) == 0) labels[i] = k;
        if (labels[i] < 0) {
            return fill_error(
                error, LN_E_ARGUMENT,
                "the network tells the class '%.100s', and the images have none of that name (they have '%.100s' "
                "first): their folders must be called as those it was trained on",
                ln_model_class(model, i) ? ln_model_class(model, i) : "", ln_data_class_name(data, 0));
        }
        same = same && labels[i] == (int)i;
    }
    return same || ln_data_keep_classes(data, labels, n, error) == LN_OK;
}

bool images_keep_known(ln_data *data, const ln_model *model, ln_error *error) {
    if (ln_data_class_name(data, 0)) return keep_named(data, model, error);
    int          labels[256];
    const size_t n = named_labels(model, labels);
    bool         same = (size_t)ln_data_describe(data).n_classes <= n;
    for (size_t i = 0; i < n; i++) same = same && labels[i] == (int)i;
    if (n == 0 || same || !ln_data_describe(data).has_labels) return true;
    return ln_data_keep_classes(data, labels, n, error) == LN_OK;
}

/* Is a file called as pictures are? */
static bool named_picture(const char *path) {
    static const char *const ends[] = {".png",  ".pgm", ".ppm", ".pbm", ".pnm",  ".jpg",
                                       ".jpeg", ".gif", ".bmp", ".tif", ".tiff", ".webp"};
    const size_t             length = strlen(path);
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        const size_t n = strlen(ends[i]);
        if (length > n && strcasecmp(path + length - n, ends[i]) == 0) return true;
    }
    return false;
}

/* ------------------------------------------------------------------- folders */

static int by_name(const void *a, const void *b) { return strcmp(*(const char *const *)a, *(const char *const *)b); }

bool images_is_picture(const char *path) {
    unsigned char head[4] = {0};
    if (is_folder(path)) return false;
    if (named_picture(path)) return true;
    const size_t n = file_head(path, head, sizeof head);
    const bool   netpbm = n >= 3 && head[0] == 'P' && head[1] >= '1' && head[1] <= '7' && head[2] <= ' ';
    if (n == 4 && (memcmp(head, "\x89PNG", 4) == 0 || memcmp(head, "\xff\xd8\xff", 3) == 0)) return true;
    return netpbm || (n >= 3 && head[0] == 'P' && (head[1] == '2' || head[1] == '5') && head[2] == '#');
}

/* A file, and no pipe, which nobody may ever write. */
static bool is_picture_file(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && images_is_picture(path);
}

/* What lies in a folder and is one of those that are wanted, by name; what begins with a dot is not seen. */
static size_t list_folder(const char *path, bool (*wanted)(const char *path), const char ***names, pool *owner) {
    DIR *const   folder = opendir(path);
    size_t       n = 0, capacity = 0;
    const char **list = NULL;
    for (const struct dirent *entry; folder && (entry = readdir(folder));) {
        const char *const name = pool_format(owner, "%s/%s", path, entry->d_name);
        if (entry->d_name[0] == '.' || !wanted(name)) continue;
        if (n == capacity) {
            const char **const more = pool_take(owner, (capacity = 2 * n + 16) * sizeof *more);
            if (n) memcpy(more, list, n * sizeof *more);
            list = more;
        }
        list[n++] = name;
    }
    if (folder) closedir(folder);
    if (n) qsort(list, n, sizeof *list, by_name);
    *names = list;
    return n;
}

size_t images_in_folder(const char *path, const char ***names, pool *owner) {
    return list_folder(path, is_picture_file, names, owner);
}

size_t images_folders_in(const char *path, const char ***names, pool *owner) {
    return list_folder(path, is_folder, names, owner);
}

size_t images_folder_length(const char *name) {
    const char *const colon = strrchr(name, ':'); /* a folder may be called so */
    const bool        part = colon && !is_folder(name) && (strcmp(colon, ":train") == 0 || strcmp(colon, ":test") == 0);
    return part ? (size_t)(colon - name) : strlen(name);
}

static bool has_folders(const char *name) {
    pool              owner = {0};
    const char      **names;
    const char *const path = pool_copy(&owner, name, images_folder_length(name));
    const bool        has = images_folders_in(path, &names, &owner) > 0;
    pool_free(&owner);
    return has;
}

ln_reading images_reading(const ln_model *model, const char *name) {
    ln_reading reading = ln_model_reading(model);
    size_t     c, h, w;
    ln_model_input_shape(model, &c, &h, &w);
    if ((c != 1 && c != 3) || h * w == 1 || !has_folders(name)) return reading;
    if (reading.h == 0) reading.h = h, reading.w = w;
    reading.grayscale = reading.grayscale || c == 1;
    return reading;
}

ln_data *images_part(ln_context *context, const ln_data *data, size_t from, size_t n, bool inverted, pool *owner,
                     ln_error *error) {
    const ln_data_info info = ln_data_describe(data);
    const size_t       count = info.c * info.h * info.w, size = count * (info.is_float ? sizeof(float) : 1);
    unsigned char     *values = pool_take(owner, n * size);
    uint8_t           *labels = info.has_labels ? pool_take(owner, n) : NULL;
    for (size_t i = 0; i < n; i++) {
        memcpy(values + i * size, ln_data_image(data, from + i), size);
        if (labels) labels[i] = (uint8_t)ln_data_label(data, from + i);
    }
    if (info.is_float)
        return ln_data_from_floats(context, (const float *)(const void *)values, labels, n, info.c, info.h, info.w,
                                   error);
    for (size_t i = 0; inverted && i < n * size; i++) values[i] = (unsigned char)(255 - values[i]);
    return ln_data_from_bytes(context, values, labels, n, info.c, info.h, info.w, error);
}

static double value_at(const ln_data_info *info, const void *image, size_t i) {
    return info->is_float ? (double)((const float *)image)[i] : (double)((const uint8_t *)image)[i];
}

float *images_floats(const ln_data *data, size_t n, ln_preprocess how) {
    const ln_data_info info = ln_data_describe(data);
    const size_t       count = info.c * info.h * info.w;
    float             *floats = take(n * count, sizeof *floats);
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j < count; j++)
            floats[i * count + j] =
                (float)((value_at(&info, ln_data_image(data, i), j) * how.scale - how.mean) / how.std);
    return floats;
}

/* ----------------------------------------------------------------- drawing */

/* The mean over channels and over the part of the image behind dot (x, y) of dots_w × dots_h. */
static double dot(const ln_data_info *info, const void *image, size_t x, size_t y, size_t dots_w, size_t dots_h) {
    const size_t y0 = y * info->h / dots_h, x0 = x * info->w / dots_w;
    size_t       y1 = (y + 1) * info->h / dots_h, x1 = (x + 1) * info->w / dots_w, n = 0;
    double       sum = 0;
    if (y1 <= y0) y1 = y0 + 1;
    if (x1 <= x0) x1 = x0 + 1;
    for (size_t c = 0; c < info->c; c++)
        for (size_t h = y0; h < y1; h++)
            for (size_t w = x0; w < x1; w++, n++) sum += value_at(info, image, (c * info->h + h) * info->w + w);
    return sum / (double)n;
}

/* Two dots wide and four high are one character: braille with those above a third, or a letter as grey as they are. */
static void add_character(text *line, const double *cell, bool utf8) {
    static const unsigned char bits[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    static const char          greys[] = " .:-=+*#%@";
    double                     sum = 0;
    unsigned                   pattern = 0;
    for (size_t i = 0; i < 8; i++) {
        sum += cell[i];
        if (cell[i] > 1.0 / 3) pattern |= bits[i / 2][i % 2];
    }
    if (!utf8) text_add(line, "%c", greys[(size_t)(sum / 8 * 9.99)]);
    else if (pattern == 0) text_add(line, " ");
    else text_add(line, "\xe2%c%c", (char)(0xa0 + (pattern >> 6)), (char)(0x80 + (pattern & 0x3f)));
}

const char **images_draw(const ln_data *data, size_t i, size_t columns, bool utf8, size_t *n_rows, pool *owner) {
    const ln_data_info info = ln_data_describe(data);
    const void        *image = ln_data_image(data, i);
    const size_t       dots_w = 2 * columns, dots_h = (dots_w * info.h + info.w - 1) / info.w;
    const size_t       rows = (dots_h + 3) / 4;
    double            *grey = take(4 * rows * dots_w, sizeof *grey), low = INFINITY, high = -INFINITY;
    for (size_t k = 0; k < 4 * rows * dots_w; k++) grey[k] = -INFINITY; /* below the image there is nothing */
    for (size_t y = 0; y < dots_h; y++)
        for (size_t x = 0; x < dots_w; x++) {
            const double value = dot(&info, image, x, y, dots_w, dots_h);
            grey[y * dots_w + x] = value;
            if (value < low) low = value;
            if (value > high) high = value;
        }
    const char **lines = pool_take(owner, rows * sizeof *lines);
    for (size_t row = 0; row < rows; row++) {
        text line = {0};
        for (size_t column = 0; column < columns; column++) {
            double cell[8];
            for (size_t k = 0; k < 8; k++) {
                const double value = grey[(4 * row + k / 2) * dots_w + 2 * column + k % 2];
                cell[k] = high > low && value >= low ? (value - low) / (high - low) : 0;
            }
            add_character(&line, cell, utf8);
        }
        lines[row] = pool_copy(owner, line.bytes, line.n);
        text_free(&line);
    }
    free(grey);
    *n_rows = rows;
    return lines;
}
