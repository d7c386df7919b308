/* A photo of a digit as MNIST's images are: light ink on black, 20 pixels large, the centre of mass in the middle.
 *
 *   paper   of dark ink: the lightest value near by, then the darkest of those (a closing): what the paper would look
 *           like without the ink, shadow and all; of light ink the other way round (the picture is turned over first)
 *   ink     the share of the light that it takes, 1 - picture / paper, where that is more than Otsu's threshold and
 *           than 2/5 of the strongest
 *   pieces  connected ink; specks (less than a twentieth of the largest), and what lies at the edge of the picture
 *           where something large does not, are dropped
 *   stroke  about 2 · area / edge wide; strokes thinner than two pixels of the result are widened to that
 *   result  the box round the ink scaled to 20 of 28 (the mean over the area that a pixel covers), as strong as the ink
 *           is, placed such that the centre of mass is in the middle
 *
 * Which way round ink and paper are is seen by what differs most from its surroundings: ink does, and there is less of
 * it than of paper. */
#include "data/photo.h"

#include "base/cpu.h"
#include "base/file.h"
#include "base/size.h"
#include "data/data.h"
#include "data/picture.h"

#include <string.h>

enum { LEAST_SIDE = 8, LEAST_CONTRAST = 24, LEVELS = 256 };

static const uint32_t AT_EDGE = UINT32_C(1) << 31;

/* Working copies, side by side in one piece of memory. */
typedef struct photo {
    size_t    h, w, n;
    uint8_t  *grey, *paper, *spare;
    uint32_t *piece, *queue; /* piece: to which one a pixel belongs, 0: to none */
    uint32_t *area;          /* of piece i, from 1 on, pixels; with AT_EDGE where it reaches the picture's edge */
} photo;

/* ---------------------------------------------------------------- the paper */

/* to[i] = the largest (or smallest) of the line's values at most `reach` places away; n values, `step` apart. */
static void extreme_line(const uint8_t *from, uint8_t *to, size_t n, size_t step, size_t reach, bool largest) {
    for (size_t i = 0; i < n; i++) {
        const size_t lo = i > reach ? i - reach : 0, hi = ln_least(n - 1, i + reach);
        uint8_t      best = from[lo * step];
        for (size_t j = lo + 1; j <= hi; j++) {
            const uint8_t value = from[j * step];
            if (largest ? value > best : value < best) best = value;
        }
        to[i * step] = best;
    }
}

/* The same over a square, in place. */
static void extreme(photo *p, uint8_t *values, size_t reach, bool largest) {
    for (size_t r = 0; r < p->h; r++) extreme_line(values + r * p->w, p->spare + r * p->w, p->w, 1, reach, largest);
    for (size_t q = 0; q < p->w; q++) extreme_line(p->spare + q, values + q, p->h, p->w, reach, largest);
}

/* Is the ink lighter than the paper? Of the differences from the mean of the surroundings, the largest hundredth up is
 * set beside the largest hundredth down. */
static bool ink_is_light(const photo *p) {
    const size_t reach = ln_most(p->h, p->w) / 6;
    size_t       count[2 * LEVELS] = {0}, low = 0, high = 2 * LEVELS - 1;
    for (size_t r = 0; r < p->h; r++)
        for (size_t q = 0; q < p->w; q++) {
            const size_t top = r > reach ? r - reach : 0, bottom = ln_least(p->h - 1, r + reach);
            const size_t left = q > reach ? q - reach : 0, right = ln_least(p->w - 1, q + reach);
            size_t       sum = p->grey[r * p->w + q], n = 1;
            for (size_t y = top; y <= bottom; y += 4)
                for (size_t x = left; x <= right; x += 4, n++) sum += p->grey[y * p->w + x];
            count[LEVELS + p->grey[r * p->w + q] - sum / n]++;
        }
    for (size_t seen = 0; (seen += count[low]) <= p->n / 100; low++) {}
    for (size_t seen = 0; (seen += count[high]) <= p->n / 100; high--) {}
    return high > LEVELS && (low >= LEVELS || high - LEVELS > LEVELS - low);
}

/* -------------------------------------------------------------------- the ink */

/* What n / part of the values are above. */
static unsigned strongest(const uint8_t *values, size_t n, size_t part) {
    size_t   count[LEVELS] = {0}, seen = 0;
    unsigned level = LEVELS - 1;
    for (size_t i = 0; i < n; i++) count[values[i]]++;
    while (level > 0 && (seen += count[level]) <= n / part) level--;
    return level;
}

/* The level that parts the values in two such that these differ most, each weighted by its number. */
static unsigned otsu(const uint8_t *values, size_t n) {
    double   count[LEVELS] = {0}, sum = 0, below = 0, sum_below = 0, best = -1;
    unsigned level = 0;
    for (size_t i = 0; i < n; i++) {
        count[values[i]]++;
        sum += values[i];
    }
    for (unsigned t = 0; t < LEVELS; t++) {
        below += count[t];
        sum_below += t * count[t];
        const double above = (double)n - below;
        if (below <= 0 || above <= 0) continue;
        const double apart = sum_below / below - (sum - sum_below) / above, between = below * above * apart * apart;
        if (between > best) best = between, level = t;
    }
    return level;
}

/* Gives all ink that hangs together with pixel i, by corners too, the number of a piece; returns its area. */
static uint32_t mark(photo *p, size_t i, uint32_t number, const uint8_t *ink, unsigned level) {
    uint32_t area = 0;
    size_t   n = 0;
    p->queue[n++] = (uint32_t)i;
    p->piece[i] = number;
    while (n > 0) {
        const size_t at = p->queue[--n], r = at / p->w, q = at % p->w;
        const bool   at_edge = r == 0 || q == 0 || r + 1 == p->h || q + 1 == p->w;
        area = (area + 1) | (at_edge ? AT_EDGE : 0);
        for (size_t y = r > 0 ? r - 1 : 0; y <= ln_least(r + 1, p->h - 1); y++)
            for (size_t x = q > 0 ? q - 1 : 0; x <= ln_least(q + 1, p->w - 1); x++) {
                const size_t near = y * p->w + x;
                if (p->piece[near] || ink[near] <= level) continue;
                p->piece[near] = number;
                p->queue[n++] = (uint32_t)near;
            }
    }
    return area;
}

/* Numbers all pieces of ink, then takes the number from those that are not the digit's. */
static void find_pieces(photo *p, const uint8_t *ink, unsigned level) {
    uint32_t n = 0, largest = 0, inside = 0;
    memset(p->piece, 0, p->n * sizeof *p->piece);
    for (size_t i = 0; i < p->n; i++) {
        if (p->piece[i] || ink[i] <= level) continue;
        const uint32_t area = mark(p, i, ++n, ink, level);
        p->area[n] = area;
        if ((area & ~AT_EDGE) > largest) largest = area & ~AT_EDGE;
        if (!(area & AT_EDGE) && area > inside) inside = area;
    }
    const bool     free = inside >= largest / 5;
    const uint32_t least = (free ? inside : largest) / 20;
    for (size_t i = 0; i < p->n; i++) {
        const uint32_t area = p->area[p->piece[i]];
        if (p->piece[i] && ((area & ~AT_EDGE) < least || (free && (area & AT_EDGE)))) p->piece[i] = 0;
    }
}

/* ------------------------------------------------------------------ the digit */

typedef struct box {
    size_t top, bottom, left, right;
} box; /* [top, bottom) × [left, right) */

static box box_of(const photo *p) {
    box b = {p->h, 0, p->w, 0};
    for (size_t i = 0; i < p->n; i++) {
        if (!p->piece[i]) continue;
        b.top = ln_least(b.top, i / p->w), b.bottom = ln_most(b.bottom, i / p->w + 1);
        b.left = ln_least(b.left, i % p->w), b.right = ln_most(b.right, i % p->w + 1);
    }
    return b;
}

/* Pixels of a stroke from side to side: twice the area over the length of the outline. */
static double stroke_of(const photo *p) {
    size_t area = 0, edge = 0;
    for (size_t i = 0; i < p->n; i++) {
        if (!p->piece[i]) continue;
        const size_t r = i / p->w, q = i % p->w;
        const bool   above = r > 0 && p->piece[i - p->w], below = r + 1 < p->h && p->piece[i + p->w];
        const bool   left = q > 0 && p->piece[i - 1], right = q + 1 < p->w && p->piece[i + 1];
        area++;
        edge += 4 - (size_t)above - (size_t)below - (size_t)left - (size_t)right;
    }
    return edge ? 2 * (double)area / (double)edge : 0;
}

/* The ink of the digit and of the pixels around it, 255 where it is as strong as in most of the digit; 0 elsewhere. */
static void clean(photo *p, uint8_t *ink, unsigned level) {
    double sum = 0;
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        if (p->piece[i]) sum += ink[i], n++;
    const double floor = level / 2.0, full = sum / (double)n;
    for (size_t i = 0; i < p->n; i++) p->spare[i] = p->piece[i] ? 1 : 0;
    memcpy(p->paper, p->spare, p->n);
    extreme(p, p->paper, 1, true); /* the digit and one pixel around it */
    for (size_t i = 0; i < p->n; i++) {
        const double value = full > floor ? 255 * ((double)ink[i] - floor) / (full - floor) : 255;
        const long   whole = (long)(value * 2 + 1) / 2; /* rounded */
        ink[i] = !p->paper[i] || value < 0 ? 0 : whole > 255 ? 255 : (uint8_t)whole;
    }
}

/* The mean of the ink over [y, y + step) × [x, x + step), which may lie between pixels. */
static double mean_of(const photo *p, const uint8_t *ink, double y, double x, double step) {
    double       sum = 0;
    const size_t top = (size_t)y, left = (size_t)x;
    for (size_t r = top; r < p->h && (double)r < y + step; r++) {
        const double from = (double)r > y ? (double)r : y, to = (double)r + 1 < y + step ? (double)r + 1 : y + step;
        for (size_t q = left; q < p->w && (double)q < x + step; q++) {
            const double begin = (double)q > x ? (double)q : x,
                         end = (double)q + 1 < x + step ? (double)q + 1 : x + step;
            sum += (to - from) * (end - begin) * ink[r * p->w + q];
        }
    }
    return sum / (step * step);
}

/* Row by row at `from`, a pixel every `step` of the photo; into out such that the centre of mass is in its middle. */
static void place(const photo *p, const uint8_t *ink, box b, double step, size_t side, uint8_t *out) {
    const size_t h = (size_t)((double)(b.bottom - b.top) / step + 0.999),
                 w = (size_t)((double)(b.right - b.left) / step + 0.999);
    double mass = 0, moment_y = 0, moment_x = 0, strongest = 0;
    for (size_t r = 0; r < h; r++)
        for (size_t q = 0; q < w; q++) {
            const double v = mean_of(p, ink, (double)b.top + (double)r * step, (double)b.left + (double)q * step, step);
            mass += v, moment_y += v * ((double)r + 0.5), moment_x += v * ((double)q + 0.5);
            if (v > strongest) strongest = v;
        }
    const double middle = (double)side / 2 + 0.5;
    const long   down = (long)(middle - moment_y / mass + (double)side) - (long)side; /* rounded */
    const long   over = (long)(middle - moment_x / mass + (double)side) - (long)side;
    memset(out, 0, side * side);
    for (size_t r = 0; r < h; r++)
        for (size_t q = 0; q < w; q++) {
            const long   y = (long)r + down, x = (long)q + over;
            const double v = mean_of(p, ink, (double)b.top + (double)r * step, (double)b.left + (double)q * step, step);
            if (y >= 0 && x >= 0 && y < (long)side && x < (long)side)
                out[(size_t)y * side + (size_t)x] = (uint8_t)(255 * v / strongest + 0.5);
        }
}

static ln_status prepare(photo *p, const char *name, size_t side, uint8_t *out, ln_error *error) {
    const size_t reach = ln_most(p->h, p->w) / 6;
    if (ink_is_light(p))
        for (size_t i = 0; i < p->n; i++) p->grey[i] = (uint8_t)(255 - p->grey[i]);
    memcpy(p->paper, p->grey, p->n);
    extreme(p, p->paper, reach, true);
    extreme(p, p->paper, reach, false);
    uint8_t *const ink = p->grey;
    for (size_t i = 0; i < p->n; i++) ink[i] = (uint8_t)(255 * (p->paper[i] - p->grey[i]) / (p->paper[i] + 8));
    const unsigned strong = strongest(ink, p->n, 500), low = strong * 2 / 5, parting = otsu(ink, p->n);
    const unsigned level = parting > low ? parting : low; /* of very little ink Otsu sees nothing but grain */
    if (strong < LEAST_CONTRAST)
        return ln_fail(error, LN_E_FORMAT,
                       "%s: no ink is to be seen: almost nothing is darker or lighter than the paper by more than %u "
                       "%%; give a photo with more contrast",
                       name, strong * 100 / 255);
    find_pieces(p, ink, level);
    const box    b = box_of(p);
    const double large = (double)ln_most(b.bottom - b.top, b.right - b.left);
    const double step = large / ((double)side * 20 / 28), stroke = stroke_of(p);
    clean(p, ink, level);
    if (stroke < 2 * step) extreme(p, ink, (size_t)((2 * step - stroke) / 2 + 0.5), true);
    place(p, ink, b, step, side, out);
    return LN_OK;
}

ln_status ln_photo_digit(ln_context *context, const char *name, const uint8_t *grey, size_t h, size_t w, size_t side,
                         uint8_t *out, ln_error *error) {
    if (h < LEAST_SIDE || w < LEAST_SIDE)
        return ln_fail(error, LN_E_SHAPE,
                       "%s: a photo of %zux%zu is too small to find a digit in: give one of %dx%d at "
                       "least",
                       name, h, w, LEAST_SIDE, LEAST_SIDE);
    const size_t    n = h * w, n_bytes = 3 * n + (3 * n + 1) * sizeof(uint32_t);
    photo           p = {.h = h, .w = w, .n = n};
    uint32_t *const memory = ln_allocate_zeroed(context, n_bytes);
    if (!memory) return ln_fail_memory(error, name, n_bytes);
    p.piece = memory, p.queue = memory + n, p.area = memory + 2 * n;
    p.grey = (uint8_t *)(p.area + n + 1), p.paper = p.grey + n, p.spare = p.paper + n;
    memcpy(p.grey, grey, n);
    const ln_status status = prepare(&p, name, side, out, error);
    ln_release(context, memory);
    return status;
}

/* ---------------------------------------------------------------------- files */

/* Grey, as large as a photo needs to be. */
static ln_status shrink(ln_context *context, const char *name, const ln_picture *picture, uint8_t **grey, size_t *h,
                        size_t *w, ln_error *error) {
    const size_t large = ln_most(picture->h, picture->w), side = ln_least(large, LN_PHOTO_SIDE);
    *h = ln_most(picture->h * side / large, 1);
    *w = ln_most(picture->w * side / large, 1);
    *grey = ln_allocate(context, *h * *w);
    if (!*grey) return ln_fail_memory(error, name, *h * *w);
    ln_picture_scale(picture, 1, *h, *w, *grey);
    return LN_OK;
}

static ln_status read_digit(ln_context *context, const char *path, size_t side, uint8_t *out, ln_error *error) {
    unsigned char *bytes;
    uint8_t       *grey = NULL;
    size_t         n_bytes, h, w;
    ln_picture     picture;
    ln_status      status = ln_file_read(context, path, LN_PICTURE_MAX_FILE, &bytes, &n_bytes, error);
    if (status != LN_OK) return status;
    status = ln_picture_decode(context, path, bytes, n_bytes, &picture, error);
    ln_release(context, bytes);
    if (status != LN_OK) return status;
    const uint64_t mode = ln_fp_enter();
    status = shrink(context, path, &picture, &grey, &h, &w, error);
    if (status == LN_OK) status = ln_photo_digit(context, path, grey, h, w, side, out, error);
    ln_fp_leave(mode);
    ln_release(context, picture.samples);
    ln_release(context, grey);
    return status;
}

ln_data *ln_data_from_photo(ln_context *context, const char *path, size_t side, ln_error *error) {
    if (side < LEAST_SIDE || side > LN_PHOTO_SIDE) {
        ln_fail(error, LN_E_SHAPE, "%s: a digit cannot be prepared for images of %zux%zu: %d to %d on each side", path,
                side, side, LEAST_SIDE, LN_PHOTO_SIDE);
        return NULL;
    }
    uint8_t *const values = ln_allocate(context, side * side);
    if (!values) {
        ln_fail_memory(error, path, side * side);
        return NULL;
    }
    const ln_data_parts parts = {.pixels = values, .own = true, .n = 1, .c = 1, .h = side, .w = side};
    ln_data *const      data =
        read_digit(context, path, side, values, error) == LN_OK ? ln_data_new(context, path, &parts, error) : NULL;
    if (!data) ln_release(context, values);
    return data;
}
