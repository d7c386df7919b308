/* JPEG, by libturbojpeg: grey, colour, CMYK; progressive or not; turned as its EXIF orientation says, as browsers do.
 * What libturbojpeg warns of (a cut, damaged data) is an error here, but for bytes that fill up before its end. CMYK is
 * taken as Adobe's programs write it, turned over, and each colour is what its ink and black leave: red = C·K / 255.
 *
 * EXIF: JEITA CP-3451; the orientation is entry 0x112 of the first directory of the TIFF in segment APP1. */
#include "data/picture.h"

#include <string.h>
#include <turbojpeg.h>

static bool is_jpeg(const unsigned char *bytes, size_t n_bytes) {
    return n_bytes >= 3 && memcmp(bytes, "\xff\xd8\xff", 3) == 0;
}

/* ------------------------------------------------------------------- EXIF */

static unsigned number(const unsigned char *at, unsigned n_bytes, bool big) {
    unsigned value = 0;
    for (unsigned i = 0; i < n_bytes; i++) value = value << 8 | at[big ? i : n_bytes - 1 - i];
    return value;
}

/* 1 to 8 of the n bytes of a TIFF; 1 where nothing readable is said. */
static unsigned tiff_orientation(const unsigned char *tiff, size_t n) {
    if (n < 8 || (memcmp(tiff, "II*", 4) != 0 && memcmp(tiff, "MM\0*", 4) != 0)) return 1;
    const bool   big = *tiff == 'M';
    const size_t at = number(tiff + 4, 4, big);
    if (at > n - 2 || at < 8) return 1;
    const unsigned n_entries = number(tiff + at, 2, big);
    for (size_t i = 0, entry = at + 2; i < n_entries && entry + 12 <= n; i++, entry += 12)
        if (number(tiff + entry, 2, big) == 0x112) {
            const unsigned found = number(tiff + entry + 8, 2, big);
            return found >= 1 && found <= 8 ? found : 1;
        }
    return 1;
}

/* Walks the segments before the pixels. */
static unsigned orientation(const unsigned char *b, size_t n) {
    for (size_t at = 2; at + 4 <= n && b[at] == 0xff && b[at + 1] != 0xda;) {
        if (b[at + 1] == 0xff) { /* fill */
            at++;
            continue;
        }
        const size_t length = (size_t)b[at + 2] << 8 | b[at + 3];
        if (length < 2 || length > n - at - 2) return 1;
        if (b[at + 1] == 0xe1 && length >= 8 && memcmp(b + at + 4, "Exif\0", 6) == 0)
            return tiff_orientation(b + at + 10, length - 8);
        at += 2 + length;
    }
    return 1;
}

/* p as stored becomes p as shown. 2 and 4 mirror columns and rows, 3 both; 5 to 8 are these with rows and columns
 * exchanged before: 5 as 1, 6 as 2, 8 as 4, 7 as 3. */
static void turn(ln_picture *p, unsigned how) {
    const bool swapped = how >= 5;
    if (swapped) {
        const size_t    h = p->h;
        const ptrdiff_t step = p->row_step;
        p->h = p->w, p->w = h;
        p->row_step = p->column_step, p->column_step = step;
        how -= 4;
    }
    if (how == 2 || how == 3) {
        p->first += (ptrdiff_t)(p->w - 1) * p->column_step;
        p->column_step = -p->column_step;
    }
    if (how == 3 || how == 4) {
        p->first += (ptrdiff_t)(p->h - 1) * p->row_step;
        p->row_step = -p->row_step;
    }
}

/* ---------------------------------------------------------------- decoding */

static ln_status fail_jpeg(const char *name, tjhandle jpeg, ln_error *error) {
    if (!jpeg) return ln_fail_memory(error, name, 1 << 16);
    const char *const words = tjGetErrorStr2(jpeg);
    return ln_fail(error, LN_E_FORMAT, "%s: damaged, truncated or unusual JPEG (%s)", name,
                   strcmp(words, "No error") == 0 ? "it holds no picture" : words);
}

/* As stored; *format is libturbojpeg's word for the pixels. */
static bool describe(tjhandle jpeg, const unsigned char *bytes, size_t n_bytes, ln_picture *p, int *format) {
    int w = 0, h = 0, sampling, colours = -1; /* stay so where there are tables and no picture */
    if (!jpeg || tjDecompressHeader3(jpeg, bytes, n_bytes, &w, &h, &sampling, &colours) || w < 1 || h < 1) return false;
    const bool ink = colours == TJCS_CMYK || colours == TJCS_YCCK;
    *format = colours == TJCS_GRAY ? TJPF_GRAY : ink ? TJPF_CMYK : TJPF_RGB;
    *p = ln_picture_upright((size_t)h, (size_t)w, colours == TJCS_GRAY ? 1 : 3, 255);
    return true;
}

/* 8·8 pixels take a bit at least: refused before memory is taken. */
static ln_status check_length(const char *name, const ln_picture *p, size_t n_bytes, ln_error *error) {
    if (p->h * p->w / 64 / 8 <= n_bytes) return LN_OK;
    return ln_fail(error, LN_E_FORMAT,
                   "%s: truncated JPEG: its header announces %zux%zu pixels, but the file has %zu bytes", name, p->h,
                   p->w, n_bytes);
}

static ln_status header(const char *name, const unsigned char *bytes, size_t n_bytes, ln_picture *picture,
                        ln_error *error) {
    int             format;
    const tjhandle  jpeg = tjInitDecompress();
    const ln_status status = describe(jpeg, bytes, n_bytes, picture, &format)
                                 ? check_length(name, picture, n_bytes, error)
                                 : fail_jpeg(name, jpeg, error);
    if (jpeg) tjDestroy(jpeg);
    if (status == LN_OK) turn(picture, orientation(bytes, n_bytes));
    return status;
}

/* Four bytes of ink a pixel become three of colour. */
static void uncover(const uint8_t *ink, size_t n, uint8_t *colour) {
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < 3; k++) colour[3 * i + k] = (uint8_t)((ink[4 * i + k] * ink[4 * i + 3] + 127) / 255);
}

/* The first warning ends the decoding, but for bytes without meaning before the marker of the end, as some cameras
 * leave them: when that is said, all pixels have been decoded without a warning, and nothing else can come. No other
 * is passed over: of several warnings libturbojpeg tells the first, so behind it a cut could hide. */
static bool decode(tjhandle jpeg, const unsigned char *bytes, size_t n_bytes, const ln_picture *p, int format,
                   uint8_t *to) {
    /* A progressive picture of thousands of scans takes hours: 500 are allowed. */
    const int flags = TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS, w = (int)p->w, h = (int)p->h;
    if (tjDecompress2(jpeg, bytes, n_bytes, to, w, 0, h, format, flags | TJFLAG_STOPONWARNING) == 0) return true;
    const bool harmless =
        tjGetErrorCode(jpeg) == TJERR_WARNING && strstr(tjGetErrorStr2(jpeg), "extraneous bytes before marker 0xd9");
    return harmless && (tjDecompress2(jpeg, bytes, n_bytes, to, w, 0, h, format, flags) == 0 ||
                        tjGetErrorCode(jpeg) == TJERR_WARNING);
}

/* libturbojpeg decodes whole pictures: CMYK needs memory of its own, a third more than the picture's. */
static bool decode_ink(tjhandle jpeg, const unsigned char *bytes, size_t n_bytes, const ln_picture *p) {
    const size_t   n = p->h * p->w;
    uint8_t *const ink = tjAlloc((int)(4 * n)); /* at most 2^27: LN_PICTURE_MAX_PIXELS */
    const bool     good = ink && decode(jpeg, bytes, n_bytes, p, TJPF_CMYK, ink);
    if (good) uncover(ink, n, p->samples);
    if (ink) tjFree(ink);
    return good;
}

static ln_status pixels(const char *name, const unsigned char *bytes, size_t n_bytes, const ln_picture *picture,
                        ln_error *error) {
    int            format;
    ln_picture     p; /* as stored */
    const tjhandle jpeg = tjInitDecompress();
    bool           good = describe(jpeg, bytes, n_bytes, &p, &format);
    p.samples = picture->samples;
    if (good && format == TJPF_CMYK) good = decode_ink(jpeg, bytes, n_bytes, &p);
    else if (good) good = decode(jpeg, bytes, n_bytes, &p, format, p.samples);
    const ln_status status = good ? LN_OK : fail_jpeg(name, jpeg, error);
    if (jpeg) tjDestroy(jpeg);
    return status;
}

const ln_picture_kind ln_picture_jpeg = {is_jpeg, header, pixels};
