/* Pictures in: which kind they are, and one of any size as values of the size wanted. */
#include "data/picture.h"

#include "base/file.h"
#include "data/data.h"

/* ---------------------------------------------------------------- decoding */

static const ln_picture_kind *kind_of(const void *bytes, size_t n_bytes) {
    static const ln_picture_kind *const kinds[] = {&ln_picture_png, &ln_picture_jpeg, &ln_picture_netpbm};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (kinds[i]->is(bytes, n_bytes)) return kinds[i];
    return NULL;
}

bool ln_picture_known(const void *bytes, size_t n_bytes) { return kind_of(bytes, n_bytes) != NULL; }

ln_picture ln_picture_upright(size_t h, size_t w, unsigned n_channels, unsigned max) {
    return (ln_picture){.h = h,
                        .w = w,
                        .n_channels = n_channels,
                        .max = max,
                        .grey = n_channels == 1,
                        .row_step = (ptrdiff_t)w,
                        .column_step = 1};
}

static ln_status check_size(const char *name, size_t h, size_t w, ln_error *error) {
    if (h > LN_PICTURE_MAX_SIDE || w > LN_PICTURE_MAX_SIDE || h * w > LN_PICTURE_MAX_PIXELS)
        return ln_fail(error, LN_E_UNSUPPORTED,
                       "%s: %zux%zu pixels, but a picture may have %d a side and %d in all: "
                       "make it smaller",
                       name, h, w, LN_PICTURE_MAX_SIDE, LN_PICTURE_MAX_PIXELS);
    if (!h || !w) return ln_fail(error, LN_E_FORMAT, "%s: a picture without pixels (%zux%zu)", name, h, w);
    return LN_OK;
}

ln_status ln_picture_header(const char *name, const void *bytes, size_t n_bytes, ln_picture *picture, ln_error *error) {
    const ln_picture_kind *const kind = kind_of(bytes, n_bytes);
    if (n_bytes == 0)
        return ln_fail(error, LN_E_FORMAT, "%s: an empty file, but a PNG, JPEG, PGM or PPM picture was wanted", name);
    if (!kind)
        return ln_fail(error, LN_E_UNSUPPORTED,
                       "%s: not a picture that is known here, but only PNG, JPEG, PGM and PPM pictures are read: "
                       "convert it to PNG",
                       name);
    const ln_status status = kind->header(name, bytes, n_bytes, picture, error);
    return status == LN_OK ? check_size(name, picture->h, picture->w, error) : status;
}

size_t ln_picture_bytes(const ln_picture *p) {
    return p->h * p->w * p->n_channels * (p->max > 255 ? sizeof(uint16_t) : 1);
}

ln_status ln_picture_pixels(const char *name, const void *bytes, size_t n_bytes, const ln_picture *picture,
                            ln_error *error) {
    return kind_of(bytes, n_bytes)->pixels(name, bytes, n_bytes, picture, error);
}

ln_status ln_picture_decode(ln_context *context, const char *name, const void *bytes, size_t n_bytes,
                            ln_picture *picture, ln_error *error) {
    ln_picture p;
    ln_status  status = ln_picture_header(name, bytes, n_bytes, &p, error);
    if (status != LN_OK) return status;
    p.samples = ln_allocate(context, ln_picture_bytes(&p));
    if (!p.samples) return ln_fail_memory(error, name, ln_picture_bytes(&p));
    status = ln_picture_pixels(name, bytes, n_bytes, &p, error);
    if (status != LN_OK) ln_release(context, p.samples);
    else *picture = p;
    return status;
}

/* ----------------------------------------------------------------- scaling */

static double sample(const ln_picture *p, size_t i) {
    if (p->max > 255) return (double)((const uint16_t *)p->samples)[i];
    /* The analyzer does not look deep enough to see that every decoded picture has samples. */
    return (double)((const uint8_t *)p->samples)[i]; // NOLINT(clang-analyzer-core.NullDereference)
}

static size_t place(const ln_picture *p, size_t y, size_t x) {
    return (size_t)(p->first + (ptrdiff_t)y * p->row_step + (ptrdiff_t)x * p->column_step);
}

/* Channel of c of the pixel in row y and column x, 0 to 1, over white. */
static double pixel(const ln_picture *p, size_t y, size_t x, size_t channel, size_t c) {
    const size_t i = place(p, y, x), n = p->n_channels;
    const double max = p->max;
    if (n == 1) return sample(p, i) / max;
    const double value = c == 3
                             ? sample(p, n * i + channel)
                             : 0.299 * sample(p, n * i) + 0.587 * sample(p, n * i + 1) + 0.114 * sample(p, n * i + 2);
    if (n == 3) return value / max;
    const double alpha = sample(p, 4 * i + 3) / max;
    return alpha * (value / max) + (1 - alpha);
}

/* One axis: which inputs of n_in output o of n is made of, and their weights, of which total is the sum. All are whole
 * numbers: no rounding moves an edge.
 * Smaller: in units of 1/n_in-th of an output, input x lies from x·n to (x+1)·n, the output from lo = o·n_in to
 * hi = (o+1)·n_in, and an input weighs as much as it is covered.
 * Larger: the middle of the output lies at (2o+1)·n_in / 2n of the input, between the middles of two. */
typedef struct cover {
    size_t first, end, lo, hi, n, total;
    size_t second; /* larger: the weight of the input behind the first */
    bool   larger;
} cover;

static cover cover_of(size_t o, size_t n, size_t n_in) {
    const size_t lo = o * n_in, hi = lo + n_in;
    if (n <= n_in) return (cover){.first = lo / n, .end = (hi + n - 1) / n, .lo = lo, .hi = hi, .n = n, .total = n_in};
    const size_t middle = (2 * o + 1) * n_in, at = middle > n ? middle - n : 0;
    cover        c = {.first = at / (2 * n), .second = at % (2 * n), .total = 2 * n, .larger = true};
    if (c.first + 1 >= n_in) c.second = 0;
    c.end = c.first + (c.second ? 2 : 1);
    return c;
}

static double weight(const cover *a, size_t x) {
    if (a->larger) return (double)(x == a->first ? a->total - a->second : a->second);
    const size_t lo = x * a->n, hi = lo + a->n;
    return (double)((hi < a->hi ? hi : a->hi) - (lo > a->lo ? lo : a->lo));
}

static double mean(const ln_picture *p, const cover *rows, const cover *columns, size_t channel, size_t c) {
    double sum = 0;
    for (size_t y = rows->first; y < rows->end; y++) {
        double row = 0;
        for (size_t x = columns->first; x < columns->end; x++) row += weight(columns, x) * pixel(p, y, x, channel, c);
        sum += weight(rows, y) * row;
    }
    return sum / ((double)rows->total * (double)columns->total);
}

/* Bytes without alpha in the size that is wanted: nothing to compute but grey, whose weights are whole thousandths. */
static void copy(const ln_picture *p, size_t c, uint8_t *out) {
    const uint8_t *const samples = p->samples;
    const size_t         n = p->n_channels;
    for (size_t channel = 0; channel < c; channel++)
        for (size_t y = 0; y < p->h; y++)
            for (size_t x = 0; x < p->w; x++) {
                const uint8_t *const s = samples + n * place(p, y, x);
                *out++ = n == 1   ? *s
                         : c == 3 ? s[channel]
                                  : (uint8_t)((299u * s[0] + 587u * s[1] + 114u * s[2] + 500) / 1000);
            }
}

void ln_picture_scale(const ln_picture *picture, size_t c, size_t h, size_t w, uint8_t *out) {
    if (h == picture->h && w == picture->w && picture->max == 255 && picture->n_channels < 4) {
        copy(picture, c, out);
        return;
    }
    for (size_t channel = 0; channel < c; channel++)
        for (size_t y = 0; y < h; y++) {
            const cover rows = cover_of(y, h, picture->h);
            for (size_t x = 0; x < w; x++) {
                const cover columns = cover_of(x, w, picture->w);
                *out++ = (uint8_t)(mean(picture, &rows, &columns, channel, c) * 255 + 0.5);
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
