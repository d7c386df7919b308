/* PNG, by libspng: every depth and colour type, interlaced or not. A cut or a wrong check sum is an error. */
#include "data/picture.h"

#include <spng.h>
#include <string.h>

static bool is_png(const unsigned char *bytes, size_t n_bytes) {
    return n_bytes >= 4 && memcmp(bytes, "\x89PNG", 4) == 0;
}

static ln_status fail_png(const char *name, int code, ln_error *error) {
    return ln_fail(error, code == SPNG_EMEM ? LN_E_MEMORY : LN_E_FORMAT, "%s: damaged or truncated PNG (%s)", name,
                   spng_strerror(code));
}

/* libspng's allocator has no argument for a context: it takes malloc's memory, bounded by the limits here. */
static spng_ctx *open_png(const void *bytes, size_t n_bytes, int *code) {
    spng_ctx *const png = spng_ctx_new(0);
    *code = SPNG_EMEM;
    if (!png) return NULL;
    spng_set_chunk_limits(png, 1 << 20, 1 << 22); /* text and colour profiles; pixels are not counted */
    spng_set_crc_action(png, SPNG_CRC_ERROR, SPNG_CRC_ERROR);
    *code = spng_set_png_buffer(png, bytes, n_bytes);
    return png;
}

/* A palette whose colours are all grey makes a grey picture. */
static bool is_grey(spng_ctx *png, const struct spng_ihdr *header) {
    struct spng_plte palette;
    if (header->color_type == SPNG_COLOR_TYPE_GRAYSCALE || header->color_type == SPNG_COLOR_TYPE_GRAYSCALE_ALPHA)
        return true;
    if (header->color_type != SPNG_COLOR_TYPE_INDEXED || spng_get_plte(png, &palette)) return false;
    for (uint32_t i = 0; i < palette.n_entries; i++)
        if (palette.entries[i].red != palette.entries[i].green || palette.entries[i].red != palette.entries[i].blue)
            return false;
    return true;
}

/* With as few channels as libspng makes of it: *format is its word for them. A code of libspng's. */
static int describe(spng_ctx *png, ln_picture *p, int *format) {
    struct spng_ihdr header;
    struct spng_trns transparent;
    const int        code = spng_get_ihdr(png, &header);
    if (code) return code;
    const bool opaque = spng_get_trns(png, &transparent) == SPNG_ECHUNKAVAIL && header.bit_depth <= 8;
    unsigned   n_channels = 4;
    *format = header.bit_depth == 16 ? SPNG_FMT_RGBA16 : SPNG_FMT_RGBA8;
    if (opaque && header.color_type == SPNG_COLOR_TYPE_GRAYSCALE) {
        *format = SPNG_FMT_G8;
        n_channels = 1;
    } else if (opaque &&
               (header.color_type == SPNG_COLOR_TYPE_TRUECOLOR || header.color_type == SPNG_COLOR_TYPE_INDEXED)) {
        *format = SPNG_FMT_RGB8;
        n_channels = 3;
    }
    *p = ln_picture_upright(header.height, header.width, n_channels, header.bit_depth == 16 ? 65535 : 255);
    p->grey = is_grey(png, &header);
    return 0;
}

/* A pixel takes a bit at least, and deflate shrinks 1032 times at most: refused before memory is taken for it. */
static ln_status check_length(const char *name, const ln_picture *p, size_t n_bytes, ln_error *error) {
    if (p->h * p->w / 8 / 1032 <= n_bytes) return LN_OK;
    return ln_fail(error, LN_E_FORMAT,
                   "%s: truncated PNG: its header announces %zux%zu pixels, but the file has %zu bytes", name, p->h,
                   p->w, n_bytes);
}

static ln_status header(const char *name, const unsigned char *bytes, size_t n_bytes, ln_picture *picture,
                        ln_error *error) {
    int             code, format;
    spng_ctx *const png = open_png(bytes, n_bytes, &code);
    if (!code) code = describe(png, picture, &format);
    spng_ctx_free(png);
    return code ? fail_png(name, code, error) : check_length(name, picture, n_bytes, error);
}

/* To the end of the file: a cut is an error also behind the pixels. */
static ln_status pixels(const char *name, const unsigned char *bytes, size_t n_bytes, const ln_picture *picture,
                        ln_error *error) {
    int             code, format;
    ln_picture      p;
    spng_ctx *const png = open_png(bytes, n_bytes, &code);
    if (!code) code = describe(png, &p, &format);
    if (!code) code = spng_decode_image(png, picture->samples, ln_picture_bytes(picture), format, SPNG_DECODE_TRNS);
    if (!code) code = spng_decode_chunks(png);
    spng_ctx_free(png);
    return code ? fail_png(name, code, error) : LN_OK;
}

const ln_picture_kind ln_picture_png = {is_png, header, pixels};
