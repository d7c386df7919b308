/* cli/sheet.h: a sheet read back is its images, enlarged, each in its place, of bytes and of floats. */
#include "cli/sheet.h"
#include "harness/files.h"
#include "harness/net.h"

enum { H = 3, W = 2, N = 4, ZOOM = 18, GAP = 4 };

static const uint8_t bytes[N][H * W] = {
    {0, 10, 20, 30, 40, 50}, {255, 1, 2, 3, 4, 5}, {9, 8, 7, 6, 5, 4}, {100, 101, 102, 103, 104, 105}};

/* Images 0 to 3 in two rows, written and read as grey values of the picture's own size. */
static ln_data *sheet_of(const ln_data *data, ln_context *context, const char *path) {
    ln_error error = {0};
    sheet    s;
    assert_true(sheet_new(&s, data, 2, 2, false, &error));
    assert_int_equal(s.picture_h, 2 * (H * ZOOM + GAP) + GAP);
    assert_int_equal(s.picture_w, 2 * (W * ZOOM + GAP) + GAP);
    for (size_t i = 0; i < N; i++) sheet_put(&s, data, i, -1, 1, i / 2, i % 2);
    if (!sheet_write(&s, context, path, &error)) fail_msg("%s", error.message);
    ln_data *const read = ln_data_from_picture(context, path, 1, s.picture_h, s.picture_w, NULL, &error);
    if (!read) fail_msg("%s", error.message);
    sheet_free(&s);
    return read;
}

/* What the sheet shows of value k of image i, at a corner of its square of ZOOM. */
static int shown(const ln_data *picture, size_t i, size_t k, size_t corner) {
    const uint8_t *const x = ln_data_image(picture, 0);
    const size_t         row = GAP + i / 2 * (H * ZOOM + GAP) + k / W * ZOOM + corner / 2 * (ZOOM - 1);
    const size_t         column = GAP + i % 2 * (W * ZOOM + GAP) + k % W * ZOOM + corner % 2 * (ZOOM - 1);
    return x[row * (2 * (W * ZOOM + GAP) + GAP) + column];
}

static void test_sheet(void **state) {
    files *const   f = *state;
    float          floats[N][H * W];
    char           path[512];
    ln_data *const from_bytes = ln_data_from_bytes(f->context, bytes[0], NULL, N, 1, H, W, NULL);
    for (size_t i = 0; i < N * H * W; i++)
        floats[i / (H * W)][i % (H * W)] = (float)bytes[i / (H * W)][i % (H * W)] / 127.5f - 1;
    ln_data *const from_floats = ln_data_from_floats(f->context, floats[0], NULL, N, 1, H, W, NULL);
    ln_data *const pictures[] = {sheet_of(from_bytes, f->context, files_path(f, "a.png", path)),
                                 sheet_of(from_floats, f->context, files_path(f, "b.png", path))};
    for (size_t p = 0; p < 2; p++) {
        for (size_t i = 0; i < N; i++)
            for (size_t k = 0; k < H * W; k++)
                for (size_t corner = 0; corner < 4; corner++)
                    assert_int_equal(shown(pictures[p], i, k, corner), bytes[i][k]);
        assert_int_equal(((const uint8_t *)ln_data_image(pictures[p], 0))[0], 255);
        ln_data_free(pictures[p]);
    }
    ln_data_free(from_bytes);
    ln_data_free(from_floats);
}

static void test_too_large(void **state) {
    files *const   f = *state;
    ln_error       error = {0};
    sheet          s;
    ln_data *const data = ln_data_from_bytes(f->context, bytes[0], NULL, N, 1, H, W, NULL);
    assert_false(sheet_new(&s, data, 1000, 1000, false, &error));
    assert_string_equal(error.message, "a sheet of 1000 x 1000 images of 3x2 has more than 64000000 pixels; show fewer "
                                       "or smaller ones");
    ln_data_free(data);
}

int main(void) {
    const struct CMUnitTest tests[] = {FILES_TEST(test_sheet), FILES_TEST(test_too_large)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
