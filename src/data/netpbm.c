/* PGM and PPM (P2, P3: numbers in text; P5, P6: bytes, or two of them for a largest value above 255). */
#include "data/picture.h"

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

static bool is_netpbm(const unsigned char *b, size_t n_bytes) {
    return n_bytes >= 3 && b[0] == 'P' && (b[1] == '2' || b[1] == '3' || b[1] == '5' || b[1] == '6') &&
           (is_space(b[2]) || b[2] == '#');
}

static bool is_plain(const unsigned char *bytes) { return bytes[1] < '4'; }

/* Leaves t at the first pixel. */
static ln_status read_header(const char *name, text *t, ln_picture *p, ln_error *error) {
    const unsigned char kind = t->next[1];
    const unsigned      n_channels = kind == '3' || kind == '6' ? 3 : 1;
    unsigned            w, h, max;
    t->next += 2;
    if (!read_number(t, 1u << 28, &w) || !read_number(t, 1u << 28, &h) || !read_number(t, 65535, &max) || !max ||
        t->next == t->end || !is_space(*t->next))
        return ln_fail(error, LN_E_FORMAT,
                       "%s: damaged %s header: width, height and largest value (1 to 65535) were "
                       "wanted after P%c",
                       name, n_channels == 3 ? "PPM" : "PGM", kind);
    /* A sample takes a byte at least; a header that announces more is refused before memory is taken for it. */
    if ((uint64_t)w * h > (uint64_t)(t->end - t->next) / n_channels)
        return ln_fail(error, LN_E_FORMAT,
                       "%s: truncated: its header announces %ux%u pixels, but only %zu bytes follow", name, h, w,
                       (size_t)(t->end - t->next));
    t->next++; /* the one space before raw pixels */
    *p = ln_picture_upright(h, w, n_channels, max);
    return LN_OK;
}

static ln_status header(const char *name, const unsigned char *bytes, size_t n_bytes, ln_picture *picture,
                        ln_error *error) {
    return read_header(name, &(text){bytes, bytes + n_bytes}, picture, error);
}

static void put_sample(const ln_picture *p, size_t i, unsigned value) {
    if (p->max > 255) ((uint16_t *)p->samples)[i] = (uint16_t)value;
    else ((uint8_t *)p->samples)[i] = (uint8_t)value;
}

static ln_status fail_sample(const char *name, size_t i, const ln_picture *p, ln_error *error) {
    const size_t pixel = i / p->n_channels;
    return ln_fail(error, LN_E_FORMAT,
                   "%s: pixel %zu of row %zu is missing or not a number from 0 to %u: the file is "
                   "truncated or damaged",
                   name, pixel % p->w, pixel / p->w, p->max);
}

static ln_status read_plain(text *t, const char *name, const ln_picture *p, ln_error *error) {
    for (size_t i = 0; i < p->h * p->w * p->n_channels; i++) {
        unsigned value;
        if (!read_number(t, p->max, &value)) return fail_sample(name, i, p, error);
        put_sample(p, i, value);
    }
    return LN_OK;
}

static ln_status read_raw(text *t, const char *name, const ln_picture *p, ln_error *error) {
    const size_t size = p->max > 255 ? 2 : 1;
    for (size_t i = 0; i < p->h * p->w * p->n_channels; i++, t->next += size) {
        if ((size_t)(t->end - t->next) < size) return fail_sample(name, i, p, error);
        const unsigned value = size == 2 ? (unsigned)t->next[0] << 8 | t->next[1] : t->next[0];
        if (value > p->max) return fail_sample(name, i, p, error);
        put_sample(p, i, value);
    }
    return LN_OK;
}

static ln_status pixels(const char *name, const unsigned char *bytes, size_t n_bytes, const ln_picture *picture,
                        ln_error *error) {
    const bool plain = is_plain(bytes);
    text       t = {bytes, bytes + n_bytes};
    ln_picture p;
    ln_status  status = read_header(name, &t, &p, error);
    if (status == LN_OK) status = (plain ? read_plain : read_raw)(&t, name, picture, error);
    if (status != LN_OK) return status;
    if (plain) skip_space(&t);
    while (t.next < t.end && is_space(*t.next)) t.next++;
    if (t.next < t.end)
        return ln_fail(error, LN_E_FORMAT,
                       "%s: %zu bytes follow after the last pixel: the header is wrong, or the file "
                       "holds more than one picture",
                       name, (size_t)(t.end - t.next));
    return LN_OK;
}

const ln_picture_kind ln_picture_netpbm = {is_netpbm, header, pixels};
