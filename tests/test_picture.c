/* Pictures: what comes out of PNG and PGM files, and what is refused. */
#include "harness/files.h"

#include "data/data.h"
#include "data/picture.h"

#include <zlib.h>

/* -------------------------------------------------------- a small PNG writer */

typedef struct png {
    unsigned char bytes[4096];
    size_t        n;
} png;

static void put_u32(unsigned char *at, uint32_t value) {
    for (int i = 0; i < 4; i++) at[i] = (unsigned char)(value >> (24 - 8 * i));
}

static void put_chunk(png *p, const char *type, const unsigned char *data, size_t n) {
    put_u32(p->bytes + p->n, (uint32_t)n);
    memcpy(p->bytes + p->n + 4, type, 4);
    if (n) memcpy(p->bytes + p->n + 8, data, n);
    put_u32(p->bytes + p->n + 8 + n, (uint32_t)crc32(0, p->bytes + p->n + 4, (unsigned)n + 4));
    p->n += n + 12;
}

/* rows: every row with its filter byte. extra: a chunk between header and pixels ("PLTE", "tRNS"), or NULL. */
static png make_png(uint32_t w, uint32_t h, int depth, int colour, const void *rows, size_t n_rows, const char *extra,
                    const void *extra_bytes, size_t n_extra) {
    png           p = {.n = 8};
    unsigned char header[13] = {0}, packed[2048];
    uLongf        n = sizeof packed;
    memcpy(p.bytes, "\x89PNG\r\n\x1a\n", 8);
    put_u32(header, w);
    put_u32(header + 4, h);
    header[8] = (unsigned char)depth;
    header[9] = (unsigned char)colour;
    put_chunk(&p, "IHDR", header, sizeof header);
    if (extra) put_chunk(&p, extra, extra_bytes, n_extra);
    assert_int_equal(compress(packed, &n, rows, n_rows), Z_OK);
    put_chunk(&p, "IDAT", packed, n);
    put_chunk(&p, "IEND", NULL, 0);
    return p;
}

enum { GREY = 0, RGB = 2, PALETTE = 3, GREY_ALPHA = 4, RGBA = 6 };

/* ------------------------------------------------------------------ helpers */

/* The picture scaled to c × h × w must be wanted. */
static void want(files *f, const void *bytes, size_t n, size_t c, size_t h, size_t w, const uint8_t *wanted) {
    ln_picture picture;
    uint8_t    got[64];
    ln_error   error = {0};
    if (ln_picture_decode(f->context, "a", bytes, n, &picture, &error) != LN_OK) fail_msg("%s", error.message);
    ln_picture_scale(&picture, c, h, w, got);
    ln_release(f->context, picture.samples);
    assert_memory_equal(got, wanted, c * h * w);
}

#define VALUES(...) ((const uint8_t[]){__VA_ARGS__})

static void refuse(files *f, const void *bytes, size_t n, ln_status status, const char *words) {
    ln_picture picture;
    ln_error   error = {0};
    assert_int_equal(ln_picture_decode(f->context, "a.png", bytes, n, &picture, &error), status);
    if (!strstr(error.message, words)) fail_msg("'%s' lacks '%s'", error.message, words);
    assert_non_null(strstr(error.message, "a.png"));
}

#define TEXT(text) text, sizeof(text) - 1

/* --------------------------------------------------------------------- PGM */

static void reads_plain_and_raw_pgm(void **state) {
    files *f = *state;
    want(f, TEXT("P2 3 2 255 0 1 2 253 254 255"), 1, 2, 3, VALUES(0, 1, 2, 253, 254, 255));
    want(f, TEXT("P2\n# who\n3 # width\n2\n255\n0 1 2\n#mid\n253 254 255 # end"), 1, 2, 3,
         VALUES(0, 1, 2, 253, 254, 255));
    want(f, TEXT("P5 3 2 255\n\x00\x01\x02\xfd\xfe\xff"), 1, 2, 3, VALUES(0, 1, 2, 253, 254, 255));
    want(f, TEXT("P5 2 1 100\n\x00\x64\n"), 1, 1, 2, VALUES(0, 255));
    want(f, TEXT("P5 3 1 65535\n\x00\x00\x80\x00\xff\xff"), 1, 1, 3, VALUES(0, 128, 255));
    want(f, TEXT("P2 2 1 1 1 0"), 3, 1, 2, VALUES(255, 0, 255, 0, 255, 0));
}

static void reads_ppm(void **state) {
    files *f = *state;
    want(f, TEXT("P3 2 1 255 255 0 0 1 2 3"), 3, 1, 2, VALUES(255, 1, 0, 2, 0, 3));
    want(f, TEXT("P6 2 1 255\n\xff\x00\x00\x01\x02\x03"), 1, 1, 2, VALUES(76, 2));
    refuse(f, TEXT("P6 2 1 255\n\xff\x00\x00\x01\x02"), LN_E_FORMAT, "truncated");
    refuse(f, TEXT("P3 2 1 255 255 0 0 1 2 x"), LN_E_FORMAT, "pixel 1 of row 0");
    refuse(f, TEXT("P6 2 1"), LN_E_FORMAT, "PPM header");
}

static void bad_pgm_is_told(void **state) {
    files *f = *state;
    refuse(f, TEXT("P2 3 2"), LN_E_FORMAT, "PGM header");
    refuse(f, TEXT("P2 3 2 0 1 1 1 1 1 1"), LN_E_FORMAT, "PGM header");
    refuse(f, TEXT("P2 3 2 65536 1 1 1 1 1 1"), LN_E_FORMAT, "PGM header");
    refuse(f, TEXT("P2 -3 2 255 1 1 1 1 1 1"), LN_E_FORMAT, "PGM header");
    refuse(f, TEXT("P2 0 2 255 "), LN_E_FORMAT, "without pixels");
    refuse(f, TEXT("P2 3 2 255 0 1 2 253 254 "), LN_E_FORMAT, "pixel 2 of row 1");
    refuse(f, TEXT("P2 3 2 255 0 1 2 253 256 255"), LN_E_FORMAT, "pixel 1 of row 1");
    refuse(f, TEXT("P2 3 1 255 0 1 x      "), LN_E_FORMAT, "pixel 2 of row 0");
    refuse(f, TEXT("P5 3 2 255\n\x01\x02\x03\x04\x05"), LN_E_FORMAT, "truncated");
    refuse(f, TEXT("P5 2 1 255\n\x01\x02\x03"), LN_E_FORMAT, "follow");
    refuse(f, TEXT("P5 2 1 100\n\x01\x65"), LN_E_FORMAT, "pixel 1");
    refuse(f, TEXT("P2 1 1 255 1 1"), LN_E_FORMAT, "follow");
    refuse(f, TEXT("P5 100000 100000 255\n\x01"), LN_E_FORMAT, "truncated");
}

/* --------------------------------------------------------------------- PNG */

static void reads_every_kind_of_png(void **state) {
    files *f = *state;
    png    p = make_png(2, 1, 8, GREY, "\0\x10\xf0", 3, NULL, NULL, 0);
    want(f, p.bytes, p.n, 1, 1, 2, VALUES(0x10, 0xf0));
    p = make_png(4, 1, 1, GREY, "\0\xa0", 2, NULL, NULL, 0);
    want(f, p.bytes, p.n, 1, 1, 4, VALUES(255, 0, 255, 0));
    p = make_png(2, 1, 16, GREY, "\0\x80\x00\x7f\xff", 5, NULL, NULL, 0);
    want(f, p.bytes, p.n, 1, 1, 2, VALUES(128, 127));
    p = make_png(2, 1, 8, RGB, "\0\xff\x00\x00\x01\x02\x03", 7, NULL, NULL, 0);
    want(f, p.bytes, p.n, 3, 1, 2, VALUES(255, 1, 0, 2, 0, 3));
    want(f, p.bytes, p.n, 1, 1, 2, VALUES(76, 2));
    p = make_png(2, 1, 8, PALETTE, "\0\x01\x00", 3, "PLTE", "\x0a\x0a\x0a\x14\x14\x14", 6);
    want(f, p.bytes, p.n, 1, 1, 2, VALUES(20, 10));
    p = make_png(2, 1, 8, GREY, "\0\x10\xf0", 3, "tRNS", "\x00\x10", 2);
    want(f, p.bytes, p.n, 1, 1, 2, VALUES(255, 0xf0));
}

static void transparent_parts_become_white(void **state) {
    files *f = *state;
    png    p = make_png(3, 1, 8, GREY_ALPHA, "\0\x64\x00\x64\xff\x00\x33", 7, NULL, NULL, 0);
    want(f, p.bytes, p.n, 1, 1, 3, VALUES(255, 100, 204));
    p = make_png(1, 1, 16, RGBA, "\0\x00\x00\xff\xff\x00\x00\x80\x00", 9, NULL, NULL, 0);
    want(f, p.bytes, p.n, 3, 1, 1, VALUES(127, 255, 127));
}

static void bad_png_is_told(void **state) {
    files       *f = *state;
    png          p = make_png(2, 1, 8, GREY, "\0\x10\xf0", 3, NULL, NULL, 0);
    const size_t n_needed = p.n - 4; /* libspng does not ask for the check sum of IEND, which holds nothing */
    for (size_t i = 4; i < n_needed; i++) refuse(f, p.bytes, i, LN_E_FORMAT, "PNG");
    p.bytes[p.n - 13] ^= 1; /* in the pixels' check sum */
    refuse(f, p.bytes, p.n, LN_E_FORMAT, "PNG");
    p = make_png(2, 2, 8, GREY, "\0\x10\xf0", 3, NULL, NULL, 0);
    refuse(f, p.bytes, p.n, LN_E_FORMAT, "PNG");
    p = make_png(LN_PICTURE_MAX_SIDE + 1, 1, 8, GREY, "\0", 1, NULL, NULL, 0);
    refuse(f, p.bytes, p.n, LN_E_UNSUPPORTED, "1x16385 pixels, but a picture may have 16384 a side");
    p = make_png(LN_PICTURE_MAX_SIDE, LN_PICTURE_MAX_SIDE, 8, GREY, "\0", 1, NULL, NULL, 0);
    refuse(f, p.bytes, p.n, LN_E_FORMAT, "truncated PNG");
    unsigned char *longer = calloc(1, 50000); /* long enough to be believed, were so many pixels allowed */
    refuse(f, memcpy(longer, p.bytes, p.n), 50000, LN_E_UNSUPPORTED, "make it smaller");
    free(longer);
}

/* Every bit of a PNG: told, or a picture of the same size. */
static void flipped_bits_never_harm(void **state) {
    files *f = *state;
    png    p = make_png(2, 1, 8, RGBA, "\0\x10\xf0\x10\x10\xf0\x10\x10\x10", 9, NULL, NULL, 0);
    for (size_t i = 0; i < 8 * p.n; i++) {
        ln_picture picture;
        p.bytes[i / 8] ^= (unsigned char)(1 << i % 8);
        if (ln_picture_decode(f->context, "a", p.bytes, p.n, &picture, NULL) == LN_OK) {
            assert_int_equal(picture.h * picture.w, 2);
            ln_release(f->context, picture.samples);
        }
        p.bytes[i / 8] ^= (unsigned char)(1 << i % 8);
    }
}

static void other_files_are_told(void **state) {
    files *f = *state;
    refuse(f, "", 0, LN_E_FORMAT, "an empty file");
    refuse(f, TEXT("\xff\xd8\xff\xe0"), LN_E_FORMAT, "JPEG");
    refuse(f, TEXT("P4 1 1\n1"), LN_E_UNSUPPORTED, "only PNG, JPEG, PGM and PPM");
    refuse(f, TEXT("hello"), LN_E_UNSUPPORTED, "only PNG, JPEG, PGM and PPM");
}

/* ----------------------------------------------------------------- scaling */

static void scales_by_area_or_between(void **state) {
    files *f = *state;
    want(f, TEXT("P2 4 2 255 10 20 30 40 30 40 50 70"), 1, 1, 2, VALUES(25, 48)); /* 47.5 rounds up */
    want(f, TEXT("P2 3 1 255 0 90 180"), 1, 1, 2, VALUES(30, 150));
    want(f, TEXT("P2 2 1 255 0 90"), 1, 1, 3, VALUES(0, 45, 90));
    want(f, TEXT("P2 1 1 255 77"), 1, 2, 2, VALUES(77, 77, 77, 77));
    want(f, TEXT("P2 2 2 255 0 100 200 255"), 1, 1, 1, VALUES(139));
    want(f, TEXT("P2 1 2 255 0 100"), 1, 4, 1, VALUES(0, 25, 75, 100));
    want(f, TEXT("P2 2 2 255 0 100 200 40"), 1, 1, 4, VALUES(100, 93, 78, 70)); /* means of columns, and between */
}

static void light_borders_look_inverted(void **state) {
    uint8_t image[28 * 28], colour[3 * 28 * 28];
    (void)state;
    memset(image, 0, sizeof image);
    assert_false(ln_picture_looks_inverted(image, 1, 28, 28));
    for (size_t i = 10; i < 18; i++) memset(image + 28 * i + 10, 255, 8);
    assert_false(ln_picture_looks_inverted(image, 1, 28, 28));
    for (size_t i = 0; i < sizeof image; i++) image[i] = (uint8_t)(255 - image[i]);
    assert_true(ln_picture_looks_inverted(image, 1, 28, 28));
    for (size_t c = 0; c < 3; c++) memcpy(colour + c * sizeof image, image, sizeof image);
    assert_true(ln_picture_looks_inverted(colour, 3, 28, 28));
    assert_false(ln_picture_looks_inverted(image, 1, 1, 1)); /* no middle */
}

/* ------------------------------------------------------------------- files */

static void a_picture_becomes_data(void **state) {
    files     *f = *state;
    char       path[512];
    const char text[] = "P2 3 3 255 200 200 200 200 9 200 200 200 200";
    bool       inverted = false;
    files_put(f, "a.pgm", text, sizeof text - 1, path);
    ln_data *data = ln_data_from_picture(f->context, path, 1, 3, 3, &inverted, NULL);
    assert_non_null(data);
    const ln_data_info info = ln_data_describe(data);
    assert_int_equal(info.n, 1);
    assert_int_equal(info.c, 1);
    assert_int_equal(info.h * info.w, 9);
    assert_false(info.has_labels);
    assert_true(inverted);
    assert_int_equal(((const uint8_t *)ln_data_image(data, 0))[4], 9);
    ln_data_free(data);
}

static void impossible_wishes_are_told(void **state) {
    files   *f = *state;
    ln_error error = {0};
    char     path[512];
    files_put(f, "a.pgm", TEXT("P2 1 1 255 1"), path);
    assert_null(ln_data_from_picture(f->context, path, 2, 28, 28, NULL, &error));
    assert_non_null(strstr(error.message, "2 are wanted"));
    assert_null(ln_data_from_picture(f->context, path, 1, 0, 28, NULL, &error));
    assert_null(ln_data_from_picture(f->context, path, 1, 28, SIZE_MAX, NULL, &error));
    assert_int_equal(error.status, LN_E_SHAPE);
    assert_null(ln_data_from_picture(f->context, files_path(f, "none", path), 1, 28, 28, NULL, &error));
    assert_int_equal(error.status, LN_E_IO);
}

static bool open_picture(files *f, void *path, ln_error *error) {
    ln_data *data = ln_data_from_picture(f->context, path, 1, 28, 28, NULL, error);
    ln_data_free(data);
    return data != NULL;
}

static void every_allocation_may_fail(void **state) {
    files    *f = *state;
    char      path[512];
    const png p = make_png(2, 1, 8, GREY, "\0\x10\xf0", 3, NULL, NULL, 0);
    files_put(f, "a.png", p.bytes, p.n, path);
    assert_in_range(files_fail_each(f, open_picture, path), 4, 20);
    files_put(f, "a.pgm", TEXT("P2 1 1 255 1"), path);
    assert_in_range(files_fail_each(f, open_picture, path), 4, 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FILES_TEST(reads_plain_and_raw_pgm),
        FILES_TEST(reads_ppm),
        FILES_TEST(bad_pgm_is_told),
        FILES_TEST(reads_every_kind_of_png),
        FILES_TEST(transparent_parts_become_white),
        FILES_TEST(bad_png_is_told),
        FILES_TEST(flipped_bits_never_harm),
        FILES_TEST(other_files_are_told),
        FILES_TEST(scales_by_area_or_between),
        FILES_TEST(light_borders_look_inverted),
        FILES_TEST(a_picture_becomes_data),
        FILES_TEST(impossible_wishes_are_told),
        FILES_TEST(every_allocation_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
