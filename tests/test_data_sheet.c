/* The sheet of samples of `data info`: which pixels are where in it. */
#include "harness/files.h"

#include "cli/data.h"

enum { SCALE = 56 / 7, CELL = 56, GAP = 4, MARGIN = 56, WIDTH = MARGIN + 8 * (CELL + GAP) };

/* The sheet of data as c × h × w pixels. */
static ln_data *sheet_of(files *f, const ln_data *data, size_t c, size_t h, size_t w) {
    char       path[512];
    ln_error   error = {0};
    data_stats stats;
    data_measure(data, &stats);
    if (!data_sheet(f->context, files_path(f, "a.png", path), &stats, &error)) fail_msg("%s", error.message);
    data_stats_free(&stats);
    unsigned char head[24];
    assert_int_equal(files_get(path, head, sizeof head), sizeof head);
    assert_int_equal(head[18] << 8 | head[19], w);
    assert_int_equal(head[22] << 8 | head[23], h);
    ln_data *const back = ln_data_from_picture(f->context, path, c, h, w, NULL, NULL);
    assert_non_null(back);
    return back;
}

/* Classes 1 and 70, three and two images; each image is where it belongs, its number before it. */
static void rows_are_classes(void **state) {
    files        *f = *state;
    uint8_t       pixels[5 * 49];
    const uint8_t labels[5] = {70, 1, 1, 70, 1};
    for (size_t i = 0; i < sizeof pixels; i++) pixels[i] = (uint8_t)(i * 37 % 251);
    ln_data *const data = ln_data_from_bytes(f->context, pixels, labels, 5, 1, 7, 7, NULL);
    const size_t   h = GAP + 2 * (CELL + GAP), places[2][3] = {{1, 2, 4}, {0, 3, 5}};
    ln_data *const sheet = sheet_of(f, data, 1, h, WIDTH);
    const uint8_t *p = ln_data_image(sheet, 0);
    for (size_t row = 0; row < 2; row++)
        for (size_t column = 0; column < 3; column++)
            for (size_t y = 0; y < CELL; y++)
                for (size_t x = 0; x < CELL; x++) {
                    const size_t  i = places[row][column];
                    const uint8_t wanted = i < 5 ? pixels[i * 49 + y / SCALE * 7 + x / SCALE] : 255;
                    assert_int_equal(p[(GAP + row * (CELL + GAP) + y) * WIDTH + MARGIN + column * (CELL + GAP) + x],
                                     wanted);
                }
    /* "1" and "70" in dots of four pixels, ten above and below the middle of their rows. */
    static const char *const glyphs[2][5] = {{".....#.", "....##.", ".....#.", ".....#.", "....###"},
                                             {"###.###", "..#.#.#", "..#.#.#", "..#.#.#", "..#.###"}};
    for (size_t row = 0; row < 2; row++)
        for (size_t y = 0; y < 5; y++)
            for (size_t x = 0; x < 7; x++)
                assert_int_equal(
                    p[(GAP + row * (CELL + GAP) + CELL / 2 - 10 + 4 * y) * WIDTH + MARGIN - GAP - 32 + 4 * x],
                    glyphs[row][y][x] == '#' ? 0 : 255);
    ln_data_free(sheet);
    ln_data_free(data);
}

/* Floats over their range; without labels images lie in their order. */
static void floats_are_spread(void **state) {
    files *f = *state;
    float  values[10 * 49];
    for (size_t i = 0; i < 490; i++) values[i] = (float)i / 100 - 3;
    ln_data *const data = ln_data_from_floats(f->context, values, NULL, 10, 1, 7, 7, NULL);
    ln_data *const sheet = sheet_of(f, data, 1, GAP + 2 * (CELL + GAP), WIDTH - MARGIN + GAP);
    const uint8_t *p = ln_data_image(sheet, 0);
    assert_int_equal(p[GAP * (WIDTH - MARGIN + GAP) + GAP], 0);
    const size_t last = (GAP + CELL + GAP + CELL - 1) * (WIDTH - MARGIN + GAP) + GAP + CELL + GAP + CELL - 1;
    assert_int_equal(p[last], 255);
    assert_in_range(p[last - 3 * SCALE], 252, 254);
    ln_data_free(sheet);
    ln_data_free(data);
}

static void colours_are_kept(void **state) {
    files        *f = *state;
    const uint8_t pixels[3] = {10, 120, 230}, label = 0;
    uint8_t       planes[3 * 49];
    for (size_t c = 0; c < 3; c++) memset(planes + 49 * c, pixels[c], 49);
    ln_data *const data = ln_data_from_bytes(f->context, planes, &label, 1, 3, 7, 7, NULL);
    ln_data *const sheet = sheet_of(f, data, 3, GAP + CELL + GAP, WIDTH);
    const uint8_t *p = ln_data_image(sheet, 0);
    for (size_t c = 0; c < 3; c++) {
        assert_int_equal(p[c * 64 * WIDTH + GAP * WIDTH + MARGIN], pixels[c]);
        assert_int_equal(p[c * 64 * WIDTH], 255);
    }
    ln_data_free(sheet);
    ln_data_free(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        FILES_TEST(rows_are_classes),
        FILES_TEST(floats_are_spread),
        FILES_TEST(colours_are_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
