/* Pictures in: PNG (by libspng) and PGM (P2 and P5, read here), laid over white, grey or colour, scaled by area. */
#include "data/picture.h"

#include "base/file.h"
#include "data/data.h"

#include <spng.h>
#include <string.h>

/* ------------------------------------------------------------------ shared */

static ln_status take_memory(ln_context *context, const char *name, ln_picture *p, ln_error *error) {
    if (p->h > LN_PICTURE_MAX_SIDE || p->w > LN_PICTURE_MAX_SIDE || p->h * p->w > LN_PICTURE_MAX_PIXELS)
        return ln_fail(error, LN_E_UNSUPPORTED,
                       "%s: %zux%zu pixels, but a picture may have %d a side and %d in all: "
                       "make it smaller",
                       name, p->h, p->w, LN_PICTURE_MAX_SIDE, LN_PICTURE_MAX_PIXELS);
    if (!p->h || !p->w) return ln_fail(error, LN_E_FORMAT, "%s: a picture without pixels (%zux%zu)", name, p->h, p->w);
    const size_t n_bytes = p->h * p->w * p->n_channels * (p->max > 255 ? sizeof(uint16_t) : 1);
    p->samples = ln_allocate(context, n_bytes);
    return p->samples ? LN_OK : ln_fail_memory(error, name, n_bytes);
}

/* --------------------------------------------------------------------- PGM */

typedef struct text {
    const unsigned char *next, *end;
} text;

static bool is_space(unsigned char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static void skip_space(text *t) {
    bool comment = false;
    for (; t->next < t->end && (comment || is_space(*t->next) || *t->next == '#'); t->next++)
        comment = *t->next == '#' || (comment && *t->next != '\n' && *t->next != '\r');
}

/* The next decimal number, after space and comments; false when there is none, or it exceeds limit. */
static bool read_number(text *t, unsigned limit, unsigned *number) {
    skip_space(t);
    const unsigned char *first = t->next;
    unsigned             value = 0;
    for (; t->next < t->end && *t->next >= '0' && *t->next <= '9'; t->next++) {
        value = 10 * value + (*t->next - '0');
        if (value > limit) return false;
    }
    *number = value;
    return t->next > first;
}

static void put_sample(ln_picture *p, size_t i, unsigned value) {
    if (p->max > 255) ((uint16_t *)p->samples)[i] = (uint16_t)value;
    else ((uint8_t *)p->samples)[i] = (uint8_t)value;
}

static ln_status fail_sample(const char *name, size_t i, const ln_picture *p, ln_error *error) {
    return ln_fail(error, LN_E_FORMAT,
                   "%s: pixel %zu of row %zu is missing or not a number from 0 to %u: the file is "
                   "truncated or damaged",
                   name, i % p->w, i / p->w, p->max);
}

static ln_status read_plain(text *t, const char *name, ln_picture *p, ln_error *error) {
    for (size_t i = 0; i < p->h * p->w; i++) {
        unsigned value;
        if (!read_number(t, p->max, &value)) return fail_sample(name, i, p, error);
        put_sample(p, i, value);
    }
    return LN_OK;
}

static ln_status read_raw(text *t, const char *name, ln_picture *p, ln_error *error) {
    const size_t size = p->max > 255 ? 2 : 1;
    for (size_t i = 0; i < p->h * p->w; i++, t->next += size) {
        if ((size_t)(t->end - t->next) < size) return fail_sample(name, i, p, error);
        const unsigned value = size == 2 ? (unsigned)t->next[0] << 8 | t->next[1] : t->next[0];
        if (value > p->max) return fail_sample(name, i, p, error);
        put_sample(p, i, value);
    }
    return LN_OK;
}

static ln_status decode_pgm(ln_context *context, const char *name, const unsigned char *bytes, size_t n_bytes,
                            ln_picture *picture, ln_error *error) {
    const bool plain = bytes[1] == '2';
    text       t = {bytes + 2, bytes + n_bytes};
    unsigned   w, h, max;
    if (!read_number(&t, 1u << 28, &w) || !read_number(&t, 1u << 28, &h) || !read_number(&t, 65535, &max) || !max ||
        t.next == t.end || !is_space(*t.next))
        return ln_fail(error, LN_E_FORMAT,
                       "%s: damaged PGM header: width, height and largest value (1 to 65535) were "
                       "wanted after P%c",
                       name, bytes[1]);
    ln_picture p = {.h = h, .w = w, .n_channels = 1, .max = max};
    /* A pixel takes a byte at least; a header that announces more is refused before memory is taken for it. */
    if ((uint64_t)w * h > (uint64_t)(t.end - t.next))
        return ln_fail(error, LN_E_FORMAT,
                       "%s: truncated: its header announces %ux%u pixels, but only %zu bytes follow", name, h, w,
                       (size_t)(t.end - t.next));
    t.next++; /* the one space before raw pixels */
    ln_status status = take_memory(context, name, &p, error);
    if (status != LN_OK) return status;
    status = (plain ? read_plain : read_raw)(&t, name, &p, error);
    if (plain) skip_space(&t);
    while (t.next < t.end && is_space(*t.next)) t.next++;
    if (status == LN_OK && t.next < t.end)
        status = ln_fail(error, LN_E_FORMAT,
                         "%s: %zu bytes follow after the last pixel: the header is wrong, or the file "
                         "holds more than one picture",
                         name, (size_t)(t.end - t.next));
    if (status != LN_OK) {
        ln_release(context, p.samples);
        return status;
    }
    *picture = p;
    return LN_OK;
}

/* --------------------------------------------------------------------- PNG */

static ln_status fail_png(const char *name, int code, ln_error *error) {
    return ln_fail(error, code == SPNG_EMEM ? LN_E_MEMORY : LN_E_FORMAT, "%s: damaged or truncated PNG (%s)", name,
                   spng_strerror(code));
}

/* Reads the header into p (all but samples) and *format; a code of libspng's. */
static int open_png(spng_ctx *png, const void *bytes, size_t n_bytes, ln_picture *p, int *format) {
    struct spng_ihdr header;
    spng_set_chunk_limits(png, 1 << 20, 1 << 22); /* text and colour profiles; pixels are not counted */
    spng_set_crc_action(png, SPNG_CRC_ERROR, SPNG_CRC_ERROR);
    int code = spng_set_png_buffer(png, bytes, n_bytes);
    if (!code) code = spng_get_ihdr(png, &header);
    if (code) return code;
    const bool deep = header.bit_depth == 16;
    *format = deep ? SPNG_FMT_RGBA16 : SPNG_FMT_RGBA8;
    *p = (ln_picture){.h = header.height, .w = header.width, .n_channels = 4, .max = deep ? 65535 : 255};
    return 0;
}

/* A pixel takes a bit at least, and deflate shrinks 1032 times at most: refused before memory is taken for it. */
static ln_status check_length(const char *name, const ln_picture *p, size_t n_bytes, ln_error *error) {
    if (p->h * p->w / 8 / 1032 <= n_bytes) return LN_OK;
    return ln_fail(error, LN_E_FORMAT,
                   "%s: truncated PNG: its header announces %zux%zu pixels, but the file has %zu bytes", name, p->h,
                   p->w, n_bytes);
}

/* To the end of the file: a cut is an error also behind the pixels. A code of libspng's. */
static int read_pixels(spng_ctx *png, const ln_picture *p, int format) {
    const size_t size = p->h * p->w * 4 * (p->max > 255 ? sizeof(uint16_t) : 1);
    const int    code = spng_decode_image(png, p->samples, size, format, SPNG_DECODE_TRNS);
    return code ? code : spng_decode_chunks(png);
}

static ln_status decode_png(ln_context *context, const char *name, const void *bytes, size_t n_bytes,
                            ln_picture *picture, ln_error *error) {
    /* libspng's allocator has no argument for a context: it takes malloc's memory, bounded by the limits above. */
    spng_ctx *png = spng_ctx_new(0);
    if (!png) return ln_fail_memory(error, name, n_bytes);
    ln_picture p = {0};
    int        format = 0;
    int        code = open_png(png, bytes, n_bytes, &p, &format);
    ln_status  status = code ? fail_png(name, code, error) : check_length(name, &p, n_bytes, error);
    if (status == LN_OK) status = take_memory(context, name, &p, error);
    if (status == LN_OK) code = read_pixels(png, &p, format);
    if (status == LN_OK && code) status = fail_png(name, code, error);
    spng_ctx_free(png);
    if (status != LN_OK) {
        ln_release(context, p.samples);
        return status;
    }
    *picture = p;
    return LN_OK;
}

ln_status ln_picture_decode(ln_context *context, const char *name, const void *bytes, size_t n_bytes,
                            ln_picture *picture, ln_error *error) {
    const unsigned char *b = bytes;
    if (n_bytes >= 4 && !memcmp(b, "\x89PNG", 4)) return decode_png(context, name, bytes, n_bytes, picture, error);
    if (n_bytes >= 3 && b[0] == 'P' && (b[1] == '2' || b[1] == '5') && (is_space(b[2]) || b[2] == '#'))
        return decode_pgm(context, name, bytes, n_bytes, picture, error);
    return ln_fail(error, LN_E_FORMAT, "%s: %s, but only PNG and PGM (P2 or P5) pictures are read: convert it to PNG",
                   name,
                   n_bytes == 0                                    ? "an empty file"
                   : n_bytes >= 3 && !memcmp(b, "\xff\xd8\xff", 3) ? "a JPEG"
                   : n_bytes >= 3 && b[0] == 'P' && (b[1] == '3' || b[1] == '6') && is_space(b[2])
                       ? "a colour PPM"
                       : "not a picture that is known here");
}

/* ----------------------------------------------------------------- scaling */

static double sample(const ln_picture *p, size_t i) {
    if (p->max > 255) return (double)((const uint16_t *)p->samples)[i];
    /* The analyzer does not look deep enough to see that every decoded picture has samples. */
    return (double)((const uint8_t *)p->samples)[i]; // NOLINT(clang-analyzer-core.NullDereference)
}

/* Channel of c of the pixel at i, 0 to 1, over white. */
static double pixel(const ln_picture *p, size_t i, size_t channel, size_t c) {
    const double max = p->max;
    if (p->n_channels == 1) return sample(p, i) / max;
    const double alpha = sample(p, 4 * i + 3) / max;
    const double value = c == 3
                             ? sample(p, 4 * i + channel)
                             : 0.299 * sample(p, 4 * i) + 0.587 * sample(p, 4 * i + 1) + 0.114 * sample(p, 4 * i + 2);
    return alpha * (value / max) + (1 - alpha);
}

/* One axis of the area that output o of n covers among n_in inputs. In units of 1/n_in-th of an output: input x lies
 * from x·n to (x+1)·n, the output from o·n_in to (o+1)·n_in. All whole numbers: no rounding moves an edge. */
typedef struct cover {
    size_t first, end, lo, hi, n;
} cover;

static cover cover_of(size_t o, size_t n, size_t n_in) {
    const size_t lo = o * n_in, hi = lo + n_in;
    return (cover){.first = lo / n, .end = (hi + n - 1) / n, .lo = lo, .hi = hi, .n = n};
}

static double weight(const cover *a, size_t x) {
    const size_t lo = x * a->n, hi = lo + a->n;
    return (double)((hi < a->hi ? hi : a->hi) - (lo > a->lo ? lo : a->lo));
}

static double area_mean(const ln_picture *p, const cover *rows, const cover *columns, size_t channel, size_t c) {
    double sum = 0;
    for (size_t y = rows->first; y < rows->end; y++) {
        double row = 0;
        for (size_t x = columns->first; x < columns->end; x++)
            row += weight(columns, x) * pixel(p, y * p->w + x, channel, c);
        sum += weight(rows, y) * row;
    }
    return sum / ((double)p->h * (double)p->w);
}

void ln_picture_scale(const ln_picture *picture, size_t c, size_t h, size_t w, uint8_t *out) {
    for (size_t channel = 0; channel < c; channel++)
        for (size_t y = 0; y < h; y++) {
            const cover rows = cover_of(y, h, picture->h);
            for (size_t x = 0; x < w; x++) {
                const cover columns = cover_of(x, w, picture->w);
                *out++ = (uint8_t)(area_mean(picture, &rows, &columns, channel, c) * 255 + 0.5);
            }
        }
}

bool ln_picture_looks_inverted(const uint8_t *values, size_t c, size_t h, size_t w) {
    const size_t y_edge = (h + 7) / 8, x_edge = (w + 7) / 8;
    uint64_t     edge = 0, middle = 0, n_edge = 0, n_middle = 0;
    for (size_t i = 0; i < c * h * w; i++) {
        const size_t y = i / w % h, x = i % w;
        const bool   inside = y >= y_edge && y < h - y_edge && x >= x_edge && x < w - x_edge;
        *(inside ? &middle : &edge) += values[i];
        ++*(inside ? &n_middle : &n_edge);
    }
    return edge * n_middle > middle * n_edge; /* no middle: false */
}

static ln_status check_wanted(const char *path, size_t c, size_t h, size_t w, ln_error *error) {
    if (c != 1 && c != 3)
        return ln_fail(error, LN_E_SHAPE, "%s: a picture gives 1 channel (grey) or 3 (colour), but %zu are wanted",
                       path, c);
    if (!h || !w || h > LN_PICTURE_MAX_SIDE || w > LN_PICTURE_MAX_SIDE)
        return ln_fail(error, LN_E_SHAPE, "%s: cannot be scaled to %zux%zu: each side must be from 1 to %d", path, h, w,
                       LN_PICTURE_MAX_SIDE);
    return LN_OK;
}

static ln_status read_picture(ln_context *context, const char *path, ln_picture *picture, ln_error *error) {
    unsigned char *bytes;
    size_t         n_bytes;
    ln_status      status = ln_file_read(context, path, LN_PICTURE_MAX_FILE, &bytes, &n_bytes, error);
    if (status != LN_OK) return status;
    status = ln_picture_decode(context, path, bytes, n_bytes, picture, error);
    ln_release(context, bytes);
    return status;
}

ln_data *ln_data_from_picture(ln_context *context, const char *path, size_t c, size_t h, size_t w, bool *looks_inverted,
                              ln_error *error) {
    ln_picture picture;
    if (check_wanted(path, c, h, w, error) != LN_OK) return NULL;
    if (read_picture(context, path, &picture, error) != LN_OK) return NULL;
    uint8_t       *values = ln_allocate(context, c * h * w);
    const uint64_t mode = ln_fp_enter();
    if (values) ln_picture_scale(&picture, c, h, w, values);
    ln_fp_leave(mode);
    ln_release(context, picture.samples);
    if (!values) {
        ln_fail_memory(error, path, c * h * w);
        return NULL;
    }
    const ln_data_parts parts = {.pixels = values, .own = true, .n = 1, .c = c, .h = h, .w = w};
    ln_data            *data = ln_data_new(context, path, &parts, error);
    if (data && looks_inverted) *looks_inverted = ln_picture_looks_inverted(values, c, h, w);
    if (!data) ln_release(context, values);
    return data;
}
