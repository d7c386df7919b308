/* Pictures out: PNG by libspng, grey or colour, eight bits a channel. */
#include "base/file.h"
#include "data/write.h"

#include <spng.h>
#include <stdlib.h>

/* Planes as pixels. */
static void interleave(const uint8_t *pixels, size_t area, uint8_t *rows) {
    for (size_t i = 0; i < area; i++)
        for (size_t c = 0; c < 3; c++) rows[3 * i + c] = pixels[c * area + i];
}

static int encode(spng_ctx *png, const uint8_t *rows, size_t c, size_t h, size_t w, void **bytes, size_t *n_bytes) {
    struct spng_ihdr header = {.width = (uint32_t)w,
                               .height = (uint32_t)h,
                               .bit_depth = 8,
                               .color_type = c == 3 ? SPNG_COLOR_TYPE_TRUECOLOR : SPNG_COLOR_TYPE_GRAYSCALE};
    int              code = spng_set_option(png, SPNG_ENCODE_TO_BUFFER, 1);
    if (!code) code = spng_set_ihdr(png, &header);
    if (!code) code = spng_encode_image(png, rows, c * h * w, SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE);
    if (!code) *bytes = spng_get_png_buffer(png, n_bytes, &code);
    return code;
}

ln_status ln_picture_encode(const char *path, const uint8_t *pixels, size_t c, size_t h, size_t w, uint8_t *rows,
                            void **bytes, size_t *n_bytes, ln_error *error) {
    spng_ctx *const png = spng_ctx_new(SPNG_CTX_ENCODER);
    if (!png) return ln_fail_memory(error, path, c * h * w);
    if (c == 3) interleave(pixels, h * w, rows);
    const int code = encode(png, c == 3 ? rows : pixels, c, h, w, bytes, n_bytes);
    spng_ctx_free(png);
    if (code == SPNG_EMEM) return ln_fail_memory(error, path, c * h * w);
    if (code) return ln_fail(error, LN_E_IO, "%s: libspng cannot encode the picture: %s", path, spng_strerror(code));
    return LN_OK;
}

ln_status ln_picture_write(ln_context *context, const char *path, const uint8_t *pixels, size_t c, size_t h, size_t w,
                           ln_error *error) {
    if ((c != 1 && c != 3) || !h || !w || h > INT32_MAX || w > INT32_MAX || h * w > PTRDIFF_MAX / 4)
        return ln_fail(error, LN_E_SHAPE, "%s: %zux%zux%zu is no picture: 1 or 3 channels were wanted", path, c, h, w);
    void          *bytes = NULL;
    size_t         n_bytes = 0;
    uint8_t *const rows = ln_allocate(context, c * h * w);
    if (!rows) return ln_fail_memory(error, path, c * h * w);
    ln_status status = ln_picture_encode(path, pixels, c, h, w, rows, &bytes, &n_bytes, error);
    if (status == LN_OK) status = ln_file_write(context, path, bytes, n_bytes, error);
    free(bytes);
    ln_release(context, rows);
    return status;
}
