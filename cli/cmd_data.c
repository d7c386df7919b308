/* cmd_data.c: linnet data WORD ...: what is done with images before any training. Each word is a file, data_WORD.c. */
#include "data.h"
#include "recipe_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const data_word *const words[] = {&data_info, &data_convert, &data_preview, &data_fetch};
enum { N_WORDS = sizeof words / sizeof *words };

/* An NPZ without parts is whole in either: its images are the same ones. */
static bool same(const ln_data *a, const ln_data *b) {
    const ln_data_info i = ln_data_describe(a), k = ln_data_describe(b);
    const size_t       n_bytes = i.c * i.h * i.w * (i.is_float ? sizeof(float) : 1);
    bool               equal = i.n == k.n && i.c == k.c && i.h == k.h && i.w == k.w && i.is_float == k.is_float;
    for (size_t at = 0; equal && at < i.n; at++)
        equal = ln_data_label(a, at) == ln_data_label(b, at) &&
                memcmp(ln_data_image(a, at), ln_data_image(b, at), n_bytes) == 0;
    return equal;
}

bool data_reading(const arguments *a, ln_reading *reading) {
    const char *const resize = argument(a, "resize"), *const grey = argument(a, "grayscale");
    *reading = (ln_reading){.grayscale = grey && strcmp(grey, "true") == 0};
    if (grey && !reading->grayscale && strcmp(grey, "false") != 0)
        return say_usage(a->verb, "grayscale=%s: must be true or false", grey), false;
    if (!resize || recipe_resize(resize, &reading->h, &reading->w)) return true;
    return say_usage(a->verb, "resize=%s: must be rows x columns, each 1 to 16384, such as 32x32, or none", resize),
           false;
}

bool data_open(ln_context *context, const char *name, const ln_reading *reading, data_parts *parts, ln_error *error) {
    const char *const colon = strrchr(name, ':');
    const bool        one = colon && (strcmp(colon, ":train") == 0 || strcmp(colon, ":test") == 0);
    pool              owner = {0};
    *parts = (data_parts){.train = ln_data_open_as(context, name, "train", NULL, reading, error)};
    bool good = parts->train != NULL;
    if (good && !one) { /* what has no parts refuses to be asked for one */
        parts->test = ln_data_open_as(context, pool_format(&owner, "%s:test", name), NULL, NULL, reading, error);
        good = parts->test || error->status == LN_E_ARGUMENT;
        if (parts->test && same(parts->train, parts->test)) {
            ln_data_free(parts->test);
            parts->test = NULL;
        }
    }
    pool_free(&owner);
    return good;
}

void data_free(data_parts *parts) {
    ln_data_free(parts->train);
    ln_data_free(parts->test);
}

bool data_shape(const arguments *a, data_parts *parts, ln_error *error) {
    const char *const wanted = argument(a, "shape");
    unsigned          c, h, w;
    char              end;
    if (!wanted) return true;
    if (strspn(wanted, "0123456789x") != strlen(wanted) ||
        sscanf(wanted, "%9ux%9ux%9u%c", &c, &h, &w, &end) != 3) { /* NOLINT(cert-err34-c): nine digits fit */
        return fill_error(error, LN_E_ARGUMENT, "shape=%.60s: must be channels x rows x columns, such as 1x28x28",
                          wanted);
    }
    const ln_data_info i = ln_data_describe(parts->train);
    if (i.h * i.w > 1 && (i.c != c || i.h != h || i.w != w)) {
        return fill_error(error, LN_E_SHAPE,
                          "shape=%.60s: the images are %zux%zux%zu as the file says, and no values without a shape: "
                          "leave it out",
                          wanted, i.c, i.h, i.w);
    }
    return ln_data_reshape(parts->train, c, h, w, error) == LN_OK &&
           (!parts->test || ln_data_reshape(parts->test, c, h, w, error) == LN_OK);
}

int data_fail(const arguments *a, const ln_error *error) {
    return error->status == LN_E_ARGUMENT ? say_usage(a->verb, "%s", error->message) : say_error(error);
}

/* The first word of given that list lacks, or NULL. Of KEY=VALUE the key counts. */
static const char *foreign(const char *const *given, size_t n, const char *const *list) {
    for (size_t i = 0; i < n; i++) {
        const size_t length = strcspn(given[i], "=");
        bool         known = false;
        for (size_t k = 0; list && list[k]; k++)
            known = known || (strlen(list[k]) == length && strncmp(list[k], given[i], length) == 0);
        if (!known) return given[i];
    }
    return NULL;
}

static int run_word(const arguments *a, const data_word *word) {
    const size_t      n = a->n_words - 1;
    const char *const key = foreign(a->own, a->n_own, word->keys);
    const char *const flag = foreign(a->flags, a->n_flags, word->flags);
    if (n < word->n_min) return say_usage(a->verb, "something is missing: linnet %s", word->usage);
    if (n > word->n_max)
        return say_usage(a->verb, "one word too many, '%s': linnet %s", a->words[word->n_max + 1], word->usage);
    if (a->n_pairs && !word->overrides)
        return say_usage(a->verb, "%s: data %s does not take this: linnet %s", a->pairs[0], word->name, word->usage);
    if (key || flag)
        return say_usage(a->verb, "%s: data %s does not take this: linnet %s", key ? key : flag, word->name,
                         word->usage);
    return word->run(a);
}

static int run(const arguments *a) {
    const char *names[N_WORDS];
    for (size_t i = 0; i < N_WORDS; i++) {
        names[i] = words[i]->name;
        if (strcmp(a->words[0], names[i]) == 0) return run_word(a, words[i]);
    }
    const char *const near = ln_nearest_word(a->words[0], names, N_WORDS);
    return say_usage(a->verb, "data does not know '%s'%s%s%s", a->words[0], near ? "; did you mean '" : "",
                     near ? near : "", near ? "'?" : "");
}

const verb verb_data = {
    .name = "data",
    .summary = "describe, convert, preview and fetch images",
    .usage = "data info|convert|preview|fetch ...",
    .help = "linnet data info NAME [TEST] [sheet=FILE.png] [shape=CxHxW] [resize=HxW]\n"
            "                 [grayscale=true] [--json]\n"
            "\n"
            "  says what a set holds (linnet help images has the names): sizes, range, mean and\n"
            "  deviation of the values, images by class; and what to look out for: classes of\n"
            "  very different sizes, images that are there twice, values that never change. A\n"
            "  set with two parts, or two sets, are compared as training and test images.\n"
            "\n"
            "  sheet=FILE.png  a picture of some images: a row a class, its number before it\n"
            "  shape=CxHxW     what the values of an image are, where a file does not say, as a\n"
            "                  CSV does not: shape=1x28x28\n"
            "  resize=HxW      makes images so large, as data.resize does in a recipe: pictures\n"
            "                  in folders may differ in size\n"
            "  grayscale=true  makes colour grey, as data.grayscale does\n"
            "  --json          one line of JSON\n"
            "\n"
            "linnet data convert FROM TO [split=train|test] [rows=FIRST-LAST]\n"
            "                    [classes=LABELS] [shape=CxHxW] [resize=HxW] [grayscale=true]\n"
            "\n"
            "  writes a set anew, in the format that TO ends in:\n"
            "\n"
            "  .npz            x_train, y_train, x_test and y_test where FROM has two parts and\n"
            "                  split= chooses none of them, or else x and y\n"
            "  .csv            a line an image: label,pixel0,pixel1,...\n"
            "  -idx3-ubyte     images-idx3 (idx4 with channels) in the name, and labels beside\n"
            "                  them, as MNIST's are called; .idx for PATH-images-idx3-ubyte and\n"
            "                  PATH-labels-idx1-ubyte; .gz behind it packs both\n"
            "  /               a folder of PNG pictures for each label\n"
            "\n"
            "  All but .npz hold one part: the training images, unless split=test. rows= and\n"
            "  classes= keep some of the images, and those keep their labels. Floats are for\n"
            "  .npz and .csv alone. A file that is there is replaced once the new one is\n"
            "  whole; a folder must be new or empty.\n"
            "\n"
            "linnet data preview RECIPE out=FILE.png [n=N] [views=N] [KEY=VALUE ...]\n"
            "\n"
            "  draws training images of a recipe on a sheet, a row each: as they are stored, and\n"
            "  then as the recipe's data.augment changes them in the first epochs; of mixed ones\n"
            "  both labels are printed, with their shares.\n"
            "\n"
            "  out=FILE.png  the picture to write\n"
            "  n=N           images, spread over all of the training (10); before each its class\n"
            "  views=N       epochs (8)\n"
            "  KEY=VALUE     overrides a value of the recipe: augment=\"rotate 15, shift 2\"\n"
            "\n"
            "linnet data fetch mnist|fashion-mnist|kmnist|cifar10 ... [to=FOLDER]\n"
            "\n"
            "  downloads known sets, which recipes then have by their names; checks their SHA-256,\n"
            "  goes on with what an interrupted download left, keeps what is already there.\n"
            "\n"
            "  to=FOLDER      a folder NAME in it ($XDG_DATA_HOME/linnet, or ~/.local/share/linnet);\n"
            "                 LINNET_DATA=FOLDER has it found there\n"
            "  LINNET_MIRROR  the address of a mirror of your own (variable), tried first: it has\n"
            "                 the files in folders NAME, as this command leaves those of MNIST\n"
            "\n"
            "  linnet data info mnist sheet=mnist.png\n"
            "  linnet data info train.csv test.csv\n"
            "  linnet data convert mnist digits.npz classes=0,1,2\n"
            "  linnet data convert train.csv digits/ shape=1x28x28\n"
            "  linnet data convert photos photos.npz resize=64x64\n"
            "  linnet data preview recipes/mnist_best.yaml out=seen.png\n"
            "  linnet data fetch fashion-mnist\n",
    .flags = (const char *const[]){"--json", NULL},
    .keys = (const char *const[]){"sheet", "shape", "resize", "grayscale", "split", "rows", "classes", "out", "n",
                                  "views", "to", NULL},
    .n_min = 1,
    .n_max = SIZE_MAX,
    .overrides = true,
    .run = run,
};
