/* Folders of pictures and CIFAR-10 as data sets; pictures as Pillow sees them (pictures/make.py); what is done to
 * images when they are read. */
#include "harness/files.h"

#include "data/data.h"
#include "data/picture.h"

enum { H = 9, W = 13, CIFAR = 3073 };

static size_t fixture(const char *name, unsigned char bytes[4096]) {
    char path[512];
    snprintf(path, sizeof path, "%s/tests/pictures/%s", LN_SOURCE_DIR, name);
    return files_get(path, bytes, 4096);
}

/* Fixture `name` as NAME in the folder below f's, which is made when it is not there. */
static void put(files *f, const char *below, const char *name, const char *as) {
    char          path[512], text[512];
    unsigned char bytes[4096];
    for (const char *slash = below; (slash = strchr(slash, '/')); slash++) {
        snprintf(text, sizeof text, "%.*s", (int)(slash - below), below);
        mkdir(files_path(f, text, path), 0700);
    }
    mkdir(files_path(f, below, path), 0700);
    snprintf(text, sizeof text, "%s/%s", below, as);
    files_put(f, text, bytes, name ? fixture(name, bytes) : 0, path);
}

static void refuse(files *f, const char *name, const char *split, const ln_reading *reading, ln_status status,
                   const char *words) {
    char           path[512];
    ln_error       error = {0};
    ln_data *const data = ln_data_open_as(f->context, files_path(f, name, path), split, NULL, reading, &error);
    assert_null(data);
    if (!strstr(error.message, words)) fail_msg("'%s' lacks '%s'", error.message, words);
    assert_int_equal(error.status, status);
}

static ln_data *open_data(files *f, const char *name, const char *split, const ln_reading *reading) {
    char           path[512];
    ln_error       error = {0};
    ln_data *const data = ln_data_open_as(f->context, files_path(f, name, path), split, NULL, reading, &error);
    if (!data) fail_msg("%s", error.message);
    return data;
}

/* ---------------------------------------------------------------- pictures */

static void pictures_are_what_pillow_says(void **state) {
    static const struct {
        const char *name;
        unsigned    c;
        int         off; /* how far a value may be from Pillow's */
    } cases[] = {{"grey.png", 1, 0},    {"grey.pgm", 1, 0},        {"colour.png", 3, 0},       {"colour.ppm", 3, 0},
                 {"bits.png", 1, 0},    {"palette.png", 3, 0},     {"grey_palette.png", 1, 0}, {"deep.png", 1, 0},
                 {"deep.ppm", 3, 0},    {"alpha.png", 3, 0},       {"grey.jpg", 1, 2},         {"colour.jpg", 3, 2},
                 {"full.jpg", 3, 2},    {"progressive.jpg", 3, 2}, {"cmyk.jpg", 3, 2},         {"turned1.jpg", 3, 2},
                 {"turned2.jpg", 3, 2}, {"turned3.jpg", 3, 2},     {"turned4.jpg", 3, 2},      {"turned5.jpg", 3, 2},
                 {"turned6.jpg", 3, 2}, {"turned7.jpg", 3, 2},     {"turned8.jpg", 3, 2}};
    files *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char   *name = cases[i].name;
        unsigned char bytes[4096], wanted[4096];
        uint8_t       got[3 * H * W];
        char          text[64];
        ln_error      error = {0};
        ln_picture    p;
        const size_t  n_bytes = fixture(name, bytes), n = cases[i].c * H * W;
        snprintf(text, sizeof text, "%s.values", name);
        assert_int_equal(fixture(text, wanted), n);
        if (ln_picture_decode(f->context, name, bytes, n_bytes, &p, &error) != LN_OK) fail_msg("%s", error.message);
        assert_int_equal(p.grey, cases[i].c == 1);
        assert_int_equal(p.h * p.w, H * W);
        assert_int_equal(p.h, strstr(name, "turned") && name[6] >= '5' ? W : H);
        ln_picture_scale(&p, cases[i].c, p.h, p.w, got);
        ln_release(f->context, p.samples);
        for (size_t k = 0; k < n; k++)
            if (abs((int)got[k] - (int)wanted[k]) > cases[i].off)
                fail_msg("%s: value %zu is %d, and Pillow says %d", name, k, got[k], wanted[k]);
    }
}

/* Every beginning of a JPEG, and every flipped bit: told, or a picture that is not larger. */
static void bad_jpeg_never_harms(void **state) {
    static const char *const names[] = {"turned6.jpg", "progressive.jpg", "cmyk.jpg"};
    files                   *f = *state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        unsigned char bytes[4096];
        ln_picture    p;
        ln_error      error = {0};
        const size_t  n_bytes = fixture(names[i], bytes);
        for (size_t n = 3; n < n_bytes - 2; n++) {
            unsigned char *const cut = malloc(n); /* so that sanitizers see its end */
            assert_int_equal(ln_picture_decode(f->context, "a.jpg", memcpy(cut, bytes, n), n, &p, &error), LN_E_FORMAT);
            assert_non_null(strstr(error.message, "a.jpg: damaged, truncated or unusual JPEG ("));
            free(cut);
        }
        for (size_t bit = 0; bit < 8 * n_bytes; bit += 3) {
            bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
            if (ln_picture_decode(f->context, "a.jpg", bytes, n_bytes, &p, NULL) == LN_OK)
                ln_release(f->context, p.samples);
            bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        }
    }
}

/* Cameras fill up before the end of the file. What the same bytes hide elsewhere cannot be known: they stay an error,
 * as does a cut that they cover. */
static void bytes_before_the_end_are_no_damage(void **state) {
    static const char *const   names[] = {"colour.jpg", "progressive.jpg", "cmyk.jpg"};
    static const unsigned char end[2] = {0xff, 0xd9};
    files                     *f = *state;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        unsigned char bytes[4096 + 64];
        uint8_t       values[2][3 * H * W];
        ln_error      error = {0};
        ln_picture    p;
        size_t        n = fixture(names[i], bytes);
        for (size_t k = 0; k < 2; k++) {
            if (ln_picture_decode(f->context, names[i], bytes, n, &p, &error) != LN_OK) fail_msg("%s", error.message);
            ln_picture_scale(&p, 3, p.h, p.w, values[k]);
            ln_release(f->context, p.samples);
            memset(bytes + n - 2, 1, 40);
            memcpy(bytes + n + 38, end, 2);
            n += 40;
        }
        assert_memory_equal(values[0], values[1], sizeof *values);
        n = fixture(names[i], bytes);
        memmove(bytes + 24, bytes + 20, n - 20); /* APP0 ends there */
        assert_int_equal(ln_picture_decode(f->context, "a.jpg", bytes, n - 40, &p, &error), LN_E_FORMAT);
        n = fixture(names[i], bytes);
        if (i == 1) continue; /* fewer scans are a whole picture too, a coarser one */
        memset(bytes + n - 60, 0, 20);
        memcpy(bytes + n - 40, end, 2);
        assert_int_equal(ln_picture_decode(f->context, "a.jpg", bytes, n - 38, &p, &error), LN_E_FORMAT);
    }
}

/* ------------------------------------------------------------------ folders */

static void make_pets(files *f, const char *root) {
    char below[64];
    snprintf(below, sizeof below, "%s/dog", root);
    put(f, below, "colour.png", "b.png");
    put(f, below, "turned1.jpg", "a");
    snprintf(below, sizeof below, "%s/Cat", root);
    put(f, below, "grey.png", "1.png");
    put(f, below, "colour.ppm", "3.ppm");
    put(f, below, "grey.pgm", "2.pgm");
    put(f, below, NULL, ".hidden.png");
}

static void a_folder_is_a_set(void **state) {
    files        *f = *state;
    unsigned char wanted[4096];
    make_pets(f, "pets");
    ln_data *const     data = open_data(f, "pets", "train", NULL);
    const ln_data_info info = ln_data_describe(data);
    assert_int_equal(info.n, 5);
    assert_int_equal(info.c, 3);
    assert_int_equal(info.h, H);
    assert_int_equal(info.w, W);
    assert_int_equal(info.n_classes, 2);
    assert_string_equal(ln_data_class_name(data, 0), "Cat");
    assert_string_equal(ln_data_class_name(data, 1), "dog");
    assert_null(ln_data_class_name(data, 2));
    assert_null(ln_data_class_name(data, -1));
    const int labels[] = {0, 0, 0, 1, 1};
    for (size_t i = 0; i < 5; i++) assert_int_equal(ln_data_label(data, i), labels[i]);
    fixture("grey.png.values", wanted);
    for (size_t c = 0; c < 3; c++)
        for (size_t i = 0; i < 2; i++)
            assert_memory_equal((const uint8_t *)ln_data_image(data, i) + c * H * W, wanted, H * W);
    fixture("colour.png.values", wanted);
    assert_memory_equal(ln_data_image(data, 2), wanted, 3 * H * W);
    assert_memory_equal(ln_data_image(data, 4), wanted, 3 * H * W);
    assert_int_equal(ln_data_keep_classes(data, (const int[]){1}, 1, NULL), LN_OK);
    assert_string_equal(ln_data_class_name(data, 0), "dog");
    ln_data_free(data);
}

/* In every view, and in a copy: its own name, and its place in the whole. */
static void check_names(const ln_data *data, const char *const *names, const size_t *numbers, size_t n) {
    assert_int_equal(ln_data_describe(data).n, n);
    for (size_t i = 0; i < n; i++) {
        assert_string_equal(ln_data_image_name(data, i), names[i]);
        assert_int_equal(ln_data_image_number(data, i), numbers[i]);
    }
}

static void images_keep_their_names(void **state) {
    static const char *const all[] = {"Cat/1.png", "Cat/2.pgm", "Cat/3.ppm", "dog/a", "dog/b.png"};
    static const size_t      numbers[] = {0, 1, 2, 3, 4};
    files                   *f = *state;
    make_pets(f, "k");
    make_pets(f, "m/train");
    put(f, "m/val/dog", "colour.png", "z.png");
    ln_data *data = open_data(f, "k", NULL, NULL);
    check_names(data, all, numbers, 5);
    assert_int_equal(ln_data_prepare(&data, "k", &(ln_reading){.h = 2, .w = 2}, NULL), LN_OK);
    check_names(data, all, numbers, 5);
    assert_int_equal(ln_data_keep_rows(data, 1, 4, NULL), LN_OK);
    check_names(data, all + 1, numbers + 1, 4);
    ln_data *const part = ln_data_split(data, 0.4, 1, NULL);
    for (size_t i = 0; i < ln_data_describe(part).n; i++)
        assert_string_equal(ln_data_image_name(part, i), all[ln_data_image_number(part, i)]);
    assert_int_equal(ln_data_describe(part).n, 2);
    ln_data_free(part);
    assert_int_equal(ln_data_keep_classes(data, (const int[]){1}, 1, NULL), LN_OK);
    for (size_t i = 0; i < ln_data_describe(data).n; i++)
        assert_string_equal(ln_data_image_name(data, i), all[ln_data_image_number(data, i)]);
    ln_data_free(data);
    data = open_data(f, "m:test", NULL, NULL);
    check_names(data, (const char *const[]){"val/dog/z.png"}, numbers, 1);
    ln_data_free(data);
    data = open_data(f, "m/train", NULL, NULL);
    check_names(data, all, numbers, 5);
    ln_data_free(data);
}

static void grey_pictures_have_one_channel(void **state) {
    files *f = *state;
    put(f, "g", "grey.png", "readme");
    put(f, "g/a", "grey.png", "x.png");
    put(f, "g/a", "grey_palette.png", "y.png");
    put(f, "g/b", "bits.png", "x.png");
    put(f, "g/b", "grey.jpg", "y.JPEG");
    ln_data *const data = open_data(f, "g", NULL, NULL);
    assert_int_equal(ln_data_describe(data).c, 1);
    ln_data_free(data);
}

static void parts_are_folders_too(void **state) {
    files *f = *state;
    char   path[512];
    make_pets(f, "p/train");
    put(f, "p/val/dog", "colour.png", "a.png");
    assert_true(ln_data_has_test(f->context, files_path(f, "p", path)));
    ln_data *data = open_data(f, "p", "train", NULL);
    assert_int_equal(ln_data_describe(data).n, 5);
    ln_data_free(data);
    data = open_data(f, "p:test", "train", NULL);
    assert_int_equal(ln_data_describe(data).n, 1);
    ln_data_free(data);
    assert_false(ln_data_has_test(f->context, files_path(f, "p/train", path)));
    refuse(f, "p/train:test", NULL, NULL, LN_E_ARGUMENT, "has no folder test, and no folder val");
    put(f, "q/test/dog", "colour.png", "a.png");
    refuse(f, "q", "train", NULL, LN_E_ARGUMENT, "has no folder train");
    put(f, "q/train", "colour.png", "a.png"); /* beside a class of another name, train and test are classes */
    put(f, "q/other", "colour.png", "a.png");
    put(f, "q/test", "colour.png", "a.png");
    data = open_data(f, "q", "test", NULL);
    assert_int_equal(ln_data_describe(data).n_classes, 3);
    ln_data_free(data);
}

static void bad_folders_are_told(void **state) {
    files *f = *state;
    char   path[512];
    mkdir(files_path(f, "e", path), 0700);
    refuse(f, "e", NULL, NULL, LN_E_FORMAT, "has no folders");
    mkdir(files_path(f, "e/a", path), 0700);
    refuse(f, "e", NULL, NULL, LN_E_FORMAT, "no picture in any of its folders");
    put(f, "e/b", "grey.png", "x.png");
    refuse(f, "e", NULL, NULL, LN_E_FORMAT, "e/a: the folder of a class without a picture");
    put(f, "e/a", "turned6.jpg", "z.jpg");
    refuse(f, "e", NULL, NULL, LN_E_SHAPE, "a/z.jpg has 13x9 pixels and b/x.png 9x13");
    put(f, "e/a", NULL, "q.png");
    refuse(f, "e", NULL, &(ln_reading){.h = 4, .w = 4}, LN_E_FORMAT,
           "e/a/q.png: an empty file, but a PNG, JPEG, PGM or PPM picture was wanted: repair or remove it");
    put(f, "e/b", NULL, "a.png");
    refuse(f, "e", NULL, &(ln_reading){.h = 4, .w = 4}, LN_E_FORMAT,
           "/e: 2 pictures cannot be read: a/q.png (an empty file, but a PNG, JPEG, PGM or PPM picture was wanted), "
           "b/a.png (an empty file, but a PNG, JPEG, PGM or PPM picture was wanted): repair or remove them");
    refuse(f, "e", NULL, NULL, LN_E_SHAPE, "a/z.jpg has 13x9 pixels and b/x.png 9x13");
    refuse(f, "e", NULL, &(ln_reading){.h = 4}, LN_E_ARGUMENT, "resize to 4x0");
}

/* A link to nothing is no picture, unless it is called so; and a folder may have nothing that can be read. */
static void links_to_nothing_are_told(void **state) {
    files *f = *state;
    char   path[512];
    put(f, "l/a", "grey.png", "x.png");
    assert_int_equal(symlink("nowhere", files_path(f, "l/a/y.txt", path)), 0);
    assert_int_equal(symlink("nowhere", files_path(f, "l/z.txt", path)), 0);
    ln_data *const data = open_data(f, "l", NULL, NULL);
    assert_int_equal(ln_data_describe(data).n, 1);
    ln_data_free(data);
    assert_int_equal(symlink("nowhere", files_path(f, "l/a/v.png", path)), 0);
    refuse(f, "l", NULL, NULL, LN_E_IO, "/l/a/v.png': No such file or directory: repair or remove it");
    assert_int_equal(symlink("nowhere", files_path(f, "l/a/w.png", path)), 0);
    assert_int_equal(unlink(files_path(f, "l/a/x.png", path)), 0);
    refuse(f, "l", NULL, NULL, LN_E_IO,
           "/l: 2 pictures cannot be read: a/v.png (cannot open: No such file or directory), "
           "a/w.png (cannot open: No such file or directory): repair or remove them");
    put(f, "l/a", "turned6.jpg", "x.jpg"); /* not the first, but the first that says a size */
    put(f, "l/b", "grey.png", "x.png");
    refuse(f, "l", NULL, NULL, LN_E_SHAPE, "a/x.jpg has 13x9 pixels and b/x.png 9x13");
}

static void truncated_pictures_name_their_file(void **state) {
    files        *f = *state;
    char          path[512];
    unsigned char bytes[4096];
    make_pets(f, "t");
    const size_t n = fixture("colour.jpg", bytes);
    files_put(f, "t/dog/c.jpg", bytes, n - 40, path);
    refuse(f, "t", NULL, NULL, LN_E_FORMAT, "t/dog/c.jpg: damaged, truncated");
}

static void sizes_and_colours_change_as_asked(void **state) {
    files           *f = *state;
    const ln_reading reading = {.h = 5, .w = 17, .grayscale = true, .invert = true};
    char             path[512];
    make_pets(f, "r");
    put(f, "r/dog", "turned5.jpg", "c.jpg");
    ln_data *const     data = open_data(f, "r", NULL, &reading);
    const ln_data_info info = ln_data_describe(data);
    assert_int_equal(info.n, 6);
    assert_int_equal(info.c, 1);
    assert_int_equal(info.h, 5);
    assert_int_equal(info.w, 17);
    ln_data *const alone = ln_data_from_picture(f->context, files_path(f, "r/dog/c.jpg", path), 1, 5, 17, NULL, NULL);
    for (size_t k = 0; k < 5 * 17; k++)
        assert_int_equal(((const uint8_t *)ln_data_image(data, 5))[k],
                         255 - ((const uint8_t *)ln_data_image(alone, 0))[k]);
    ln_data_free(alone);
    ln_data_free(data);
}

static void threads_change_nothing(void **state) {
    files             *f = *state;
    ln_context_options options = LN_CONTEXT_OPTIONS;
    ln_error           first = {0};
    char               path[512], other[512], wanted[64], name[64];
    options.n_threads = 3;
    ln_context *const many = ln_context_new(&options, NULL);
    for (int i = 0; i < 40; i++) {
        snprintf(name, sizeof name, "%02d.jpg", i);
        put(f, i % 2 ? "n/a" : "n/b", i % 3 ? "colour.jpg" : "turned3.jpg", name);
    }
    ln_data *const one = open_data(f, "n", NULL, NULL);
    ln_data *const all = ln_data_open(many, files_path(f, "n", path), NULL, NULL, NULL);
    assert_non_null(all);
    for (size_t i = 0; i < 40; i++) assert_memory_equal(ln_data_image(one, i), ln_data_image(all, i), 3 * H * W);
    for (int i = 3; i < 40; i += 4) { /* the second class's first pictures are read by others than the first's last */
        snprintf(name, sizeof name, "%02d.pgm", i);
        files_put(f, i % 8 == 3 ? "n/a/x" : "n/b/x", "P5 9 9 x", 8, other);
        assert_int_equal(rename(other, files_path(f, strcat(strcpy(wanted, i % 8 == 3 ? "n/a/" : "n/b/"), name), path)),
                         0);
    }
    refuse(f, "n", NULL, NULL, LN_E_FORMAT,
           "/n: 10 pictures cannot be read: a/03.pgm (damaged PGM header: width, height and largest value (1 to 65535) "
           "were wanted after P5), a/11.pgm (damaged PGM header: width");
    assert_null(ln_data_open(f->context, files_path(f, "n", path), NULL, NULL, &first));
    assert_non_null(strstr(first.message, ", …: repair or remove them"));
    for (int i = 0; i < 20; i++) {
        ln_error error = {0};
        assert_null(ln_data_open(many, path, NULL, NULL, &error));
        assert_string_equal(error.message, first.message);
    }
    ln_data_free(one);
    ln_data_free(all);
    ln_context_free(many);
}

static bool open_folder(files *f, void *path, ln_error *error) {
    ln_data *data = ln_data_open(f->context, path, NULL, NULL, error);
    ln_data_free(data);
    return data != NULL;
}

static void every_allocation_may_fail(void **state) {
    files *f = *state;
    char   path[512];
    make_pets(f, "a");
    files_path(f, "a", path);
    assert_in_range(files_fail_each(f, open_folder, path), 20, 60);
}

static void a_split_takes_of_every_class(void **state) {
    files *f = *state;
    char   name[64];
    for (int i = 0; i < 31; i++) {
        snprintf(name, sizeof name, "%02d.png", i);
        put(f, i < 20 ? "s/a" : i < 30 ? "s/b" : "s/c", "bits.png", name);
    }
    ln_data *const data = open_data(f, "s", NULL, NULL);
    ln_data *const part = ln_data_split(data, 0.3, 1, NULL);
    size_t         n[3] = {0};
    assert_int_equal(ln_data_describe(part).n, 9);
    assert_int_equal(ln_data_describe(data).n, 22);
    for (size_t i = 0; i < 9; i++) n[ln_data_label(part, i)]++;
    assert_int_equal(n[0], 6);
    assert_int_equal(n[1], 3);
    assert_string_equal(ln_data_class_name(part, 2), "c");
    ln_data_free(data);
    ln_data_free(part);
}

/* ------------------------------------------------------------------ others */

static void make_cifar(files *f, const char *name, size_t n, unsigned char first) {
    unsigned char *const bytes = malloc(n * CIFAR);
    char                 path[512];
    for (size_t i = 0; i < n; i++) {
        bytes[i * CIFAR] = (unsigned char)((first + i) % 10);
        for (size_t k = 1; k < CIFAR; k++) bytes[i * CIFAR + k] = (unsigned char)(k / 1024 * 80 + i);
    }
    files_put(f, name, bytes, n * CIFAR, path);
    free(bytes);
}

static void cifar_is_read(void **state) {
    files *f = *state;
    char   path[512];
    mkdir(files_path(f, "c", path), 0700);
    make_cifar(f, "c/data_batch_1.bin", 3, 0);
    make_cifar(f, "c/data_batch_3.bin", 2, 7);
    refuse(f, "c", "test", NULL, LN_E_ARGUMENT, "has no test_batch.bin");
    make_cifar(f, "c/test_batch.bin", 1, 4);
    assert_true(ln_data_has_test(f->context, files_path(f, "c", path)));
    ln_data *data = open_data(f, "c", "train", &(ln_reading){.invert = true});
    assert_int_equal(ln_data_describe(data).n, 5);
    assert_int_equal(ln_data_describe(data).n_classes, 10);
    assert_int_equal(ln_data_describe(data).c * ln_data_describe(data).h * ln_data_describe(data).w, 3072);
    assert_int_equal(ln_data_label(data, 4), 8);
    assert_int_equal(((const uint8_t *)ln_data_image(data, 4))[1022], 254);
    assert_int_equal(((const uint8_t *)ln_data_image(data, 4))[1023], 254 - 80);
    assert_null(ln_data_class_name(data, 0));
    ln_data_free(data);
    data = open_data(f, "c/data_batch_3.bin", "test", NULL);
    assert_int_equal(ln_data_describe(data).n, 2);
    assert_int_equal(ln_data_label(data, 0), 7);
    ln_data_free(data);
    const char names[] = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n";
    files_put(f, "c/batches.meta.txt", names, sizeof names - 1, path);
    data = open_data(f, "c:test", NULL, NULL);
    assert_string_equal(ln_data_class_name(data, ln_data_label(data, 0)), "deer");
    ln_data_free(data);
    files_put(f, "c/batches.meta.txt", names, 20, path);
    refuse(f, "c", NULL, NULL, LN_E_FORMAT, "ten names of classes");
}

static void bad_cifar_is_told(void **state) {
    files *f = *state;
    char   path[512];
    mkdir(files_path(f, "c", path), 0700);
    files_put(f, "c/data_batch_1.bin", "\1\2", 2, path);
    refuse(f, "c", NULL, NULL, LN_E_FORMAT, "2 bytes, but a batch of CIFAR-10 is records of 3073");
    unsigned char *const bytes = calloc(2, CIFAR);
    bytes[CIFAR] = 10;
    files_put(f, "c/data_batch_1.bin", bytes, 2 * CIFAR, path);
    free(bytes);
    refuse(f, "c", NULL, NULL, LN_E_FORMAT, "image 1 has the label 10");
}

static void other_sets_change_as_asked(void **state) {
    files        *f = *state;
    ln_error      error = {0};
    const uint8_t colour[2 * 3 * 2 * 1] = {0, 255, 0, 0, 0, 0, 10, 10, 20, 20, 30, 30};
    ln_data      *data = ln_data_from_bytes(f->context, colour, (const uint8_t[]){1, 0}, 2, 3, 2, 1, NULL);
    assert_int_equal(ln_data_prepare(&data, "x", &(ln_reading){.grayscale = true, .invert = true}, &error), LN_OK);
    assert_int_equal(ln_data_describe(data).c, 1);
    assert_int_equal(ln_data_label(data, 0), 1);
    assert_memory_equal(ln_data_image(data, 0), ((const uint8_t[]){255, 255 - 76}), 2);
    assert_memory_equal(ln_data_image(data, 1), ((const uint8_t[]){255 - 18, 255 - 18}), 2);
    assert_int_equal(ln_data_prepare(&data, "x", &(ln_reading){.h = 1, .w = 2}, &error), LN_OK);
    assert_memory_equal(ln_data_image(data, 0), ((const uint8_t[]){217, 217}), 2);
    ln_data_free(data);
    const float floats[2] = {0, 1};
    data = ln_data_from_floats(f->context, floats, NULL, 1, 2, 1, 1, NULL);
    assert_int_equal(ln_data_prepare(&data, "x", &(ln_reading){.invert = true}, &error), LN_E_UNSUPPORTED);
    assert_non_null(strstr(error.message, "invert is for images of bytes"));
    ln_data_free(data);
    data = ln_data_from_bytes(f->context, colour, NULL, 1, 12, 1, 1, NULL);
    assert_int_equal(ln_data_prepare(&data, "x", &(ln_reading){.grayscale = true}, &error), LN_E_SHAPE);
    assert_non_null(strstr(error.message, "grayscale is for images of 1 or 3 channels"));
    ln_data_free(data);
}

static void weights_remember_how_images_are_read(void **state) {
    files           *f = *state;
    char             path[512];
    const ln_reading readings[] = {{0}, {.h = 7, .w = 5}, {.grayscale = true}, {.h = 1, .w = 1, .invert = true}};
    for (size_t i = 0; i < sizeof readings / sizeof *readings; i++) {
        ln_model *model = ln_model_new(f->context, 1, 2, 2, NULL);
        ln_linear(model, ln_flatten(model, ln_model_input(model)), 2);
        assert_int_equal(ln_model_initialize(model, 1, NULL), LN_OK);
        assert_int_equal(ln_model_set_reading(model, readings[i], NULL), LN_OK);
        assert_int_equal(ln_model_set_reading(model, (ln_reading){.w = 3}, NULL), LN_E_ARGUMENT);
        assert_int_equal(ln_model_save(model, files_path(f, "w", path), NULL), LN_OK);
        ln_model_free(model);
        model = ln_model_load(f->context, path, NULL);
        const ln_reading got = ln_model_reading(model);
        assert_int_equal(got.h, readings[i].h);
        assert_int_equal(got.w, readings[i].w);
        assert_int_equal(got.grayscale, readings[i].grayscale);
        assert_int_equal(got.invert, readings[i].invert);
        ln_model_free(model);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FILES_TEST(pictures_are_what_pillow_says),
        FILES_TEST(bad_jpeg_never_harms),
        FILES_TEST(bytes_before_the_end_are_no_damage),
        FILES_TEST(a_folder_is_a_set),
        FILES_TEST(images_keep_their_names),
        FILES_TEST(grey_pictures_have_one_channel),
        FILES_TEST(parts_are_folders_too),
        FILES_TEST(bad_folders_are_told),
        FILES_TEST(links_to_nothing_are_told),
        FILES_TEST(truncated_pictures_name_their_file),
        FILES_TEST(sizes_and_colours_change_as_asked),
        FILES_TEST(threads_change_nothing),
        FILES_TEST(every_allocation_may_fail),
        FILES_TEST(a_split_takes_of_every_class),
        FILES_TEST(cifar_is_read),
        FILES_TEST(bad_cifar_is_told),
        FILES_TEST(other_sets_change_as_asked),
        FILES_TEST(weights_remember_how_images_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
