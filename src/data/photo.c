/* A photo of a digit as MNIST's images are: light ink on black, 20 pixels large, the centre of mass in the middle.
 *
 *   size    the photo is looked at small first, LN_PHOTO_SIDE large, where grain and dirt are faint; then twice as
 *           large, and so on up to what it is, until a digit is found of some size
 *   paper   of dark ink: the lightest value near by, then the darkest of those (a closing): what the paper would look
 *           like without the ink, shadow and all; of light ink the other way round (the picture is turned over first)
 *   ink     the share of the light that it takes, 1 - picture / paper, less what the paper's grain takes; where that is
 *           more than Otsu's threshold, than 2/5 of the strongest, and than the grain reaches
 *   lines   thin ones that run straight from edge to edge, as on ruled and squared paper, are taken out of the ink, but
 *           for where something thicker crosses them
 *   pieces  connected ink; specks (less than a twentieth of the largest), what lies far from the largest, and what lies
 *           at the edge of the picture where something large does not, are dropped
 *   stroke  about 2 · area / edge wide; strokes thinner than two pixels of the result are widened to that
 *   result  the box round the ink scaled to 20 of 28 (the mean over the area that a pixel covers), as strong as the ink
 *           is, placed such that the centre of mass is in the middle
 *
 * Which way round ink and paper are is guessed by what differs most from its surroundings, however little there is of
 * it: ink does, if there is less of it near by than of paper. Of thick strokes the holes do; so what is found the other
 * way round in the same place is the digit if what is around both is like the first. */
#include "data/photo.h"

#include "base/cpu.h"
#include "base/file.h"
#include "base/size.h"
#include "data/data.h"
#include "data/picture.h"

#include <stdlib.h>
#include <string.h>

enum {
    LEAST_SIDE = 8,
    LEAST_CONTRAST = 24, /* of 255, and */
    LEAST_AREA = 10,     /* pixels: fainter or smaller ink is none */
    SURE_LARGE = 40,     /* pixels: a digit of that size has all its strokes, a smaller one is looked at more closely */
    FEW = 16, /* pixels that a digit has at least of its strongest ink, or one that is large enough to read */
    LEVELS = 256,
    STRAIGHT = 8, /* rows in which a ruled line goes aside by one at most, and */
    THIN = 32,    /* of the picture's smaller side, how thick it is at most */
    LANES = 64    /* columns that are worked on side by side */
};

static const uint32_t AT_EDGE = UINT32_C(1) << 31, NEAR = UINT32_C(1) << 30, AREA = (UINT32_C(1) << 30) - 1;

/* Working copies, side by side in one piece of memory. */
typedef struct photo {
    size_t    h, w, n;
    size_t    reach;  /* what is farther away does not count as near; strokes are thinner than twice that */
    uint8_t   beyond; /* what is thought to lie beyond the edge, of 255, the lightest */
    uint8_t  *grey, *ink, *paper, *line;
    uint32_t *piece, *queue; /* piece: to which one a pixel belongs, 0: to none */
    uint32_t *area;          /* of piece i, from 1 on, pixels; AT_EDGE where it reaches the picture's edge, NEAR … */
} photo;                     /* … where it reaches the surroundings of the largest */

/* ---------------------------------------------------------------- the paper */

/* `lanes` neighbouring columns of n values, `step` apart: into the line, side by side, with `pad` of the value beyond
 * before and after them. */
static void load(photo *p, const uint8_t *values, size_t n, size_t step, size_t lanes, size_t pad, uint8_t beyond) {
    memset(p->line, beyond, (n + 2 * pad) * lanes);
    for (size_t i = 0; i < n; i++) memcpy(p->line + (pad + i) * lanes, values + i * step, lanes);
}

static void store(const photo *p, uint8_t *values, size_t n, size_t step, size_t lanes) {
    for (size_t i = 0; i < n; i++) memcpy(values + i * step, p->line + i * lanes, lanes);
}

static void turn_over(uint8_t *values, size_t n) {
    for (size_t i = 0; i < n; i++) values[i] = (uint8_t)(255 - values[i]);
}

/* Of the line's columns of n + 2 · reach values the n largest of 2 · reach + 1 that follow each other: by windows of 1,
 * 2, 4, … values, then two of these that overlap. */
static void largest_of(photo *p, size_t n, size_t lanes, size_t reach) {
    const size_t   window = 2 * reach + 1;
    uint8_t *const line = p->line;
    size_t         have = 1;
    for (; 2 * have <= window; have *= 2)
        for (size_t i = 0; i < (n + 2 * reach - have) * lanes; i++)
            if (line[i + have * lanes] > line[i]) line[i] = line[i + have * lanes];
    const size_t rest = (window - have) * lanes;
    for (size_t i = 0; i < n * lanes; i++)
        if (line[i + rest] > line[i]) line[i] = line[i + rest];
}

/* Each value becomes the largest of a square around it. */
static void spread(photo *p, uint8_t *values, size_t reach) {
    for (size_t r = 0; r < p->h; r++) {
        load(p, values + r * p->w, p->w, 1, 1, reach, 0);
        largest_of(p, p->w, 1, reach);
        store(p, values + r * p->w, p->w, 1, 1);
    }
    for (size_t q = 0; q < p->w; q += LANES) {
        const size_t lanes = ln_least(LANES, p->w - q);
        load(p, values + q, p->h, p->w, lanes, reach, 0);
        largest_of(p, p->h, lanes, reach);
        store(p, values + q, p->h, p->w, lanes);
    }
}

/* The closing, by squares that reach over the picture's edge, too: where a shadow is cut off there, one lies in
 * it; and so it does in a stroke along the edge, if it is not thought to be light beyond. So there are 2 · reach more
 * rows on the way, and as many columns. */
static void find_paper(photo *p) {
    const size_t reach = p->reach, h = p->h + 2 * reach;
    for (size_t q = 0; q < p->w; q += LANES) {
        const size_t lanes = ln_least(LANES, p->w - q);
        load(p, p->grey + q, p->h, p->w, lanes, 2 * reach, p->beyond);
        largest_of(p, h, lanes, reach);
        store(p, p->paper + q, h, p->w, lanes);
    }
    for (size_t r = 0; r < h; r++) {
        load(p, p->paper + r * p->w, p->w, 1, 1, 2 * reach, p->beyond);
        largest_of(p, p->w + 2 * reach, 1, reach);
        turn_over(p->line, p->w + 2 * reach); /* the smallest is the largest of what is turned over */
        largest_of(p, p->w, 1, reach);
        store(p, p->paper + r * p->w, p->w, 1, 1);
    }
    for (size_t q = 0; q < p->w; q += LANES) {
        const size_t lanes = ln_least(LANES, p->w - q);
        load(p, p->paper + q, h, p->w, lanes, 0, 0);
        largest_of(p, p->h, lanes, reach);
        store(p, p->paper + q, p->h, p->w, lanes);
    }
    turn_over(p->paper, p->n);
}

/* sum[i]: of all values above and left of pixel i and its own, modulo 2^32, which differences do not mind. */
static void add_up(const photo *p, uint32_t *sum) {
    for (size_t r = 0; r < p->h; r++) {
        uint32_t row = 0;
        for (size_t q = 0; q < p->w; q++) {
            row += p->grey[r * p->w + q];
            sum[r * p->w + q] = row + (r > 0 ? sum[(r - 1) * p->w + q] : 0);
        }
    }
}

/* How much lighter than the paper the ink is, negative where it is darker: of the differences from the mean of the
 * surroundings, the few largest up are set beside the few largest down. */
static long lightness(photo *p) {
    const size_t    reach = p->reach, few = ln_least(FEW, p->n / 100);
    uint32_t *const sum = p->piece;
    size_t          count[2 * LEVELS] = {0}, low = 0, high = 2 * LEVELS - 1;
    add_up(p, sum);
    for (size_t r = 0; r < p->h; r++)
        for (size_t q = 0; q < p->w; q++) {
            const size_t   bottom = ln_least(p->h - 1, r + reach), right = ln_least(p->w - 1, q + reach);
            const size_t   top = r > reach ? r - reach : 0, left = q > reach ? q - reach : 0;
            const uint32_t above = top > 0 ? sum[(top - 1) * p->w + right] : 0;
            const uint32_t beside = left > 0 ? sum[bottom * p->w + left - 1] : 0;
            const uint32_t twice = top > 0 && left > 0 ? sum[(top - 1) * p->w + left - 1] : 0;
            const uint32_t all = sum[bottom * p->w + right] - above - beside + twice;
            count[LEVELS + p->grey[r * p->w + q] - all / ((bottom - top + 1) * (right - left + 1))]++;
        }
    for (size_t seen = 0; (seen += count[low]) <= few; low++) {}
    for (size_t seen = 0; (seen += count[high]) <= few; high--) {}
    return (long)high + (long)low - 2 * LEVELS;
}

/* -------------------------------------------------------------------- the ink */

/* What `few` of the values are above. */
static unsigned strongest(const uint8_t *values, size_t n, size_t few) {
    size_t   count[LEVELS] = {0}, seen = 0;
    unsigned level = LEVELS - 1;
    for (size_t i = 0; i < n; i++) count[values[i]]++;
    while (level > 0 && (seen += count[level]) <= few) level--;
    return level;
}

/* The level that parts the values in two such that these differ most, each weighted by its number; *share of their
 * variance is that between the two. */
static unsigned otsu(const uint8_t *values, size_t n, double *share) {
    double   count[LEVELS] = {0}, sum = 0, squares = 0, below = 0, sum_below = 0, best = 0;
    unsigned level = 0;
    for (size_t i = 0; i < n; i++) {
        count[values[i]]++;
        sum += values[i], squares += values[i] * values[i];
    }
    for (unsigned t = 0; t < LEVELS; t++) {
        below += count[t];
        sum_below += t * count[t];
        const double above = (double)n - below;
        if (below <= 0 || above <= 0) continue;
        const double apart = sum_below / below - (sum - sum_below) / above, between = below * above * apart * apart;
        if (between > best) best = between, level = t;
    }
    *share = best > 0 ? best / ((double)n * squares - sum * sum) : 0;
    return level;
}

/* Takes the paper's own values, the median, from all; returns how far grain reaches above it: four standard deviations,
 * by the median of the distances, which ink does not change if there is less of it than of paper. Where the values are
 * of two kinds (of grain alone 0.64 of the variance lies between two parts of it) there may be more: the darker kind
 * alone is looked at. */
static unsigned take_grain(uint8_t *values, size_t n) {
    double         share;
    size_t         count[LEVELS] = {0}, far[LEVELS] = {0}, seen, n_all = 0;
    const unsigned parting = otsu(values, n, &share), most = share > 0.85 ? parting : LEVELS - 1;
    unsigned       middle = 0, distance = 0;
    for (size_t i = 0; i < n; i++) count[values[i]]++;
    for (unsigned v = 0; v <= most; v++) n_all += count[v];
    for (seen = count[0]; seen <= n_all / 2; seen += count[middle]) middle++;
    for (unsigned v = 0; v <= most; v++) far[v > middle ? v - middle : middle - v] += count[v];
    for (seen = far[0]; seen <= n_all / 2; seen += far[distance]) distance++;
    for (size_t i = 0; i < n; i++) values[i] = values[i] > middle ? (uint8_t)(values[i] - middle) : 0;
    return (unsigned)(4 * 1.48 * distance + 0.5);
}

/* ------------------------------------------------------------------ ruled lines */

/* Into to, w × h, what is in from, h × w. */
static void transpose(const uint8_t *from, size_t h, size_t w, uint8_t *to) {
    for (size_t begin = 0; begin < w; begin += LANES)
        for (size_t r = 0; r < h; r++)
            for (size_t q = begin; q < ln_least(begin + LANES, w); q++) to[q * h + r] = from[r * w + q];
}

/* Is pixel q of a row, or one beside it, ink? */
static bool inked(const uint8_t *row, size_t q, size_t w, unsigned level) {
    return row[q] > level || (q > 0 && row[q - 1] > level) || (q + 1 < w && row[q + 1] > level);
}

/* Of the straightest way from row `from`, the first or the last, to each pixel, how many others on it are no ink, and
 * more for those near that end: what is a line begins there. It goes a pixel aside every STRAIGHT rows. */
static void count_gaps(const uint8_t *ink, size_t h, size_t w, unsigned level, bool up, uint32_t *gaps) {
    for (size_t i = 0; i < h; i++) {
        const size_t          r = up ? h - 1 - i : i;
        const uint32_t *const before = up ? gaps + (r + 1) * w : gaps + (r - 1) * w; /* of the first there is none */
        const uint32_t        price = i < h / 32 ? 4 : 1;
        for (size_t q = 0; q < w; q++) {
            uint32_t least = i ? before[q] : 0;
            if (i && r % STRAIGHT == 0 && q > 0 && before[q - 1] < least) least = before[q - 1];
            if (i && r % STRAIGHT == 0 && q + 1 < w && before[q + 1] < least) least = before[q + 1];
            gaps[r * w + q] = least + (inked(ink + r * w, q, w, level) ? 0 : price);
        }
    }
}

/* Along row r the next run of ink from *q on that lies on a line: its length, *q where it begins; 0: there is none. */
static size_t next_on_line(const photo *p, const uint8_t *ink, size_t r, size_t h, size_t w, unsigned level,
                           size_t *q) {
    const uint32_t most = (uint32_t)(h / 10);
    for (size_t end = *q; end < w; *q = end) {
        while (*q < w && ink[r * w + *q] <= level) ++*q;
        bool on_line = false;
        for (end = *q; end < w && ink[r * w + end] > level; end++)
            on_line |= p->queue[r * w + end] + p->piece[r * w + end] <= most;
        if (on_line) return end - *q;
    }
    return 0;
}

/* Takes from the ink, h × w, the thin lines that run from the first row to the last, but not what is thicker, where the
 * strokes of a digit cross them. */
static void take_lines_down(photo *p, uint8_t *ink, size_t h, size_t w, unsigned level) {
    const size_t thick = ln_least(h, w) / THIN;
    size_t       count[LN_PHOTO_SIDE] = {0}, n = 0, usual = 0, run;
    count_gaps(ink, h, w, level, false, p->queue);
    count_gaps(ink, h, w, level, true, p->piece);
    for (size_t r = 0; r < h; r++)
        for (size_t q = 0; (run = next_on_line(p, ink, r, h, w, level, &q)) > 0; q += run)
            count[ln_least(run, LN_PHOTO_SIDE - 1)]++, n++;
    for (size_t seen = 0; (seen += count[usual]) <= n / 2 && usual < LN_PHOTO_SIDE - 1;) usual++;
    if (!n || usual > thick) return;
    for (size_t r = 0; r < h; r++)
        for (size_t q = 0; (run = next_on_line(p, ink, r, h, w, level, &q)) > 0; q += run)
            if (run <= usual + usual / 2 + 1) memset(ink + r * w + q, 0, run);
}

static void take_lines(photo *p, unsigned level) {
    take_lines_down(p, p->ink, p->h, p->w, level);
    transpose(p->ink, p->h, p->w, p->paper);
    take_lines_down(p, p->paper, p->w, p->h, level);
    transpose(p->paper, p->w, p->h, p->ink);
}

/* ------------------------------------------------------------------- the pieces */

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

typedef struct box {
    size_t top, bottom, left, right;
} box; /* [top, bottom) × [left, right) */

/* The box round one piece, or all (0). */
static box box_of(const photo *p, uint32_t number) {
    box b = {p->h, 0, p->w, 0};
    for (size_t i = 0; i < p->n; i++) {
        if (!p->piece[i] || (number && p->piece[i] != number)) continue;
        b.top = ln_least(b.top, i / p->w), b.bottom = ln_most(b.bottom, i / p->w + 1);
        b.left = ln_least(b.left, i % p->w), b.right = ln_most(b.right, i % p->w + 1);
    }
    return b;
}

static size_t large_of(box b) { return ln_most(b.bottom - b.top, b.right - b.left); }

/* Notes which pieces reach into the box round the largest and half its size around. */
static void find_near(photo *p, uint32_t largest) {
    const box    b = box_of(p, largest);
    const size_t around = large_of(b) / 2;
    for (size_t r = b.top > around ? b.top - around : 0; r < ln_least(b.bottom + around, p->h); r++)
        for (size_t q = b.left > around ? b.left - around : 0; q < ln_least(b.right + around, p->w); q++)
            p->area[p->piece[r * p->w + q]] |= NEAR;
}

/* Numbers all pieces of ink, then takes the number from those that are not the digit's. Returns the largest's area, and
 * how many of those that lie far from it, whole, have half of that at least. */
static uint32_t find_pieces(photo *p, const uint8_t *ink, unsigned level, size_t *n_others) {
    uint32_t n = 0, largest = 0, inside = 0; /* numbers; 0: there is none, and area[0] is 0 */
    memset(p->piece, 0, p->n * sizeof *p->piece);
    p->area[0] = 0;
    *n_others = 0;
    for (size_t i = 0; i < p->n; i++) {
        if (p->piece[i] || ink[i] <= level) continue;
        const uint32_t area = p->area[n + 1] = mark(p, i, n + 1, ink, level);
        n++;
        if ((area & AREA) > (p->area[largest] & AREA)) largest = n;
        if (!(area & AT_EDGE) && area > p->area[inside]) inside = n;
    }
    if (!n) return 0;
    const bool     free = p->area[inside] >= (p->area[largest] & AREA) / 5 && inside;
    const uint32_t main = free ? inside : largest, most = p->area[main] & AREA;
    find_near(p, main);
    for (uint32_t i = 1; i <= n; i++) *n_others += !(p->area[i] & (NEAR | AT_EDGE)) && p->area[i] >= most / 2;
    for (size_t i = 0; i < p->n; i++) {
        const uint32_t area = p->area[p->piece[i]];
        if ((area & AREA) < most / 20 || !(area & NEAR) || (free && (area & AT_EDGE))) p->piece[i] = 0;
    }
    return most;
}

/* ------------------------------------------------------------------ the digit */

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
    for (size_t i = 0; i < p->n; i++) p->paper[i] = p->piece[i] ? 1 : 0;
    spread(p, p->paper, 1); /* the digit and one pixel around it */
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

/* What a look at the photo found. */
typedef struct sight {
    box      round;         /* the digit */
    size_t   large;         /* pixels of the digit, 0: there is none */
    unsigned level;         /* what ink had to be stronger than */
    double   grey;          /* how light it is */
    bool     at_edge, sure; /* it reaches the picture's edge; no closer look is needed */
    size_t   n_others;      /* pieces like it elsewhere */
} sight;

/* How light the digit is: the mean where its ink is as strong as on the mean at least, which edges are not. */
static double grey_of(const photo *p) {
    double sum = 0, ink = 0;
    size_t area = 0, n = 0;
    for (size_t i = 0; i < p->n; i++)
        if (p->piece[i]) ink += p->ink[i], area++;
    for (size_t i = 0; i < p->n; i++)
        if (p->piece[i] && p->ink[i] * (double)area >= ink) sum += p->grey[i], n++;
    return sum / (double)n;
}

/* Looks at the photo in p->grey for dark ink on light paper, or light ink on dark: p->ink, p->piece. */
static sight look(photo *p, bool light) {
    uint8_t *const ink = p->ink;
    if (light) turn_over(p->grey, p->n);
    find_paper(p);
    for (size_t i = 0; i < p->n; i++) ink[i] = (uint8_t)(255 * (p->paper[i] - p->grey[i]) / (p->paper[i] + 8));
    if (light) turn_over(p->grey, p->n);
    const unsigned grain = take_grain(ink, p->n), strong = strongest(ink, p->n, ln_least(FEW, p->n / 100));
    double         share;
    const unsigned low = strong * 2 / 5,
                   parting = otsu(ink, p->n, &share); /* of very little ink Otsu sees nothing but grain */
    const unsigned level = (unsigned)ln_most(ln_most(parting, low), grain);
    if (strong < LEAST_CONTRAST) return (sight){.level = LEAST_CONTRAST};
    take_lines(p, (unsigned)ln_most(level / 2, grain));
    size_t n_others;
    if (find_pieces(p, ink, level, &n_others) < LEAST_AREA) return (sight){.level = level};
    const box b = box_of(p, 0);
    return (sight){.round = b,
                   .large = large_of(b),
                   .level = level,
                   .grey = grey_of(p),
                   .at_edge = !b.top || !b.left || b.bottom == p->h || b.right == p->w,
                   .sure = large_of(b) >= SURE_LARGE && strong >= 4 * grain,
                   .n_others = n_others};
}

/* The digit that was seen, into out. */
static void draw(photo *p, const sight *seen, size_t side, uint8_t *out) {
    const double step = (double)seen->large / ((double)side * 20 / 28), stroke = stroke_of(p);
    clean(p, p->ink, seen->level);
    if (stroke < 2 * step) spread(p, p->ink, (size_t)((2 * step - stroke) / 2 + 0.5));
    place(p, p->ink, seen->round, step, side, out);
}

/* Takes into p->grey the picture shrunk such that its larger side is `large`. */
static void shrink(photo *p, const ln_picture *picture, size_t large) {
    const size_t all = ln_most(picture->h, picture->w);
    p->h = ln_most(picture->h * large / all, 1);
    p->w = ln_most(picture->w * large / all, 1);
    p->n = p->h * p->w;
    p->reach = ln_least(large, LN_PHOTO_SIDE) / 6;
    ln_picture_scale(picture, 1, p->h, p->w, p->grey);
}

/* Is the ink lighter than the paper? The size at which that is clearest says it: of a small digit the largest, of thick
 * strokes, which are their own surroundings, a smaller one. */
static bool ink_is_light(photo *p, const ln_picture *picture, size_t all) {
    long clearest = 0;
    for (size_t large = ln_least(all, LN_PHOTO_SIDE);; large = ln_least(2 * large, all)) {
        shrink(p, picture, large);
        const long light = lightness(p);
        if (labs(light) > labs(clearest)) clearest = light;
        if (large == all) return clearest > 0;
    }
}

/* Looks for ink, light or dark, until a look is sure or as close as it can be; the digit goes into out. */
static sight search(photo *p, const ln_picture *picture, bool light, size_t side, uint8_t *out) {
    const size_t all = ln_most(picture->h, picture->w);
    sight        found = {0};
    for (size_t large = ln_least(all, LN_PHOTO_SIDE);; large = ln_least(2 * large, all)) {
        shrink(p, picture, large);
        const sight seen = look(p, light);
        if (seen.large) draw(p, &seen, side, out);
        if (seen.large || !found.large) found = seen; /* out keeps it where a closer look finds none */
        if (seen.sure || large == all) return found;
    }
}

/* How much of the outline of a box, the pixels along it on both sides, is lighter than `middle`. */
static double light_around(const photo *p, box b, double middle) {
    size_t light = 0, n = 0;
    for (size_t r = b.top > 0 ? b.top - 1 : 0; r < ln_least(b.bottom + 1, p->h); r++)
        for (size_t q = b.left > 0 ? b.left - 1 : 0; q < ln_least(b.right + 1, p->w); q++) {
            const bool inside = r > b.top && r + 1 < b.bottom && q > b.left && q + 1 < b.right;
            if (!inside) light += p->grey[r * p->w + q] > middle, n++;
        }
    return (double)light / (double)n;
}

/* Takes into p->grey what lies in the box, and as far from it as a first look sees. Returns the box there. */
static box crop(photo *p, box b) {
    const size_t top = b.top > LN_PHOTO_SIDE ? b.top - LN_PHOTO_SIDE : 0, bottom = b.bottom + LN_PHOTO_SIDE;
    const size_t left = b.left > LN_PHOTO_SIDE ? b.left - LN_PHOTO_SIDE : 0, right = b.right + LN_PHOTO_SIDE;
    const size_t h = ln_least(bottom, p->h) - top, w = ln_least(right, p->w) - left;
    for (size_t r = 0; r < h; r++) memmove(p->grey + r * w, p->grey + (top + r) * p->w + left, w);
    p->h = h, p->w = w, p->n = h * w;
    return (box){b.top - top, b.bottom - top, b.left - left, b.right - left};
}

/* Are the holes and corners of a digit taken for one? Then what lies between them, of the other lightness, is seen in
 * the same place, and two thirds of what is around both are like what was taken for ink. */
static bool is_hollow(photo *p, const sight *seen, bool light) {
    const box a = crop(p, seen->round);
    sight     other = look(p, !light);
    if (!other.large) p->beyond = 255, other = look(p, !light);
    const box b = other.round, both = {ln_least(a.top, b.top), ln_most(a.bottom, b.bottom), ln_least(a.left, b.left),
                                       ln_most(a.right, b.right)};
    if (!other.large || a.top >= b.bottom || b.top >= a.bottom || a.left >= b.right || b.left >= a.right) return false;
    const double nearer = p->beyond ? 1.0 / 3 : 1.0 / 2; /* a shadow at the edge may be what is seen then */
    const double share = light_around(p, both, seen->grey + nearer * (other.grey - seen->grey));
    return (light ? 1 - share : share) < 1.0 / 3;
}

/* Looks for ink of the lightness that differs most from its surroundings; of the other if there is none, or if what was
 * found are holes; and once more with light thought to be beyond the edge where the digit reaches that. */
static sight search_both(photo *p, const ln_picture *picture, size_t side, uint8_t *out) {
    bool        light = ink_is_light(p, picture, ln_most(picture->h, picture->w));
    const sight first = search(p, picture, light, side, out);
    const bool  hollow = first.large && is_hollow(p, &first, light);
    sight       seen = first;
    if (!first.large || hollow) {
        light = !light, p->beyond = 0;
        seen = search(p, picture, light, side, out);
    }
    if (seen.large ? seen.at_edge : hollow) {
        p->beyond = 255;
        seen = search(p, picture, light, side, out);
    }
    seen.level = (unsigned)ln_most(first.level, seen.level);
    return seen;
}

static ln_status find_digit(ln_context *context, const char *name, const ln_picture *picture, size_t side, uint8_t *out,
                            ln_error *error) {
    const size_t h = picture->h, w = picture->w, n = h * w, all = ln_most(h, w);
    if (h < LEAST_SIDE || w < LEAST_SIDE)
        return ln_fail(error, LN_E_SHAPE,
                       "%s: a photo of %zux%zu is too small to find a digit in: give one of %dx%d at "
                       "least",
                       name, h, w, LEAST_SIDE, LEAST_SIDE);
    const size_t    n_pieces = ((h + 1) / 2) * ((w + 1) / 2) + 1; /* at most: those that touch are one */
    const size_t    n_line = 2 * all * LANES, n_paper = n + 2 * (ln_least(all, LN_PHOTO_SIDE) / 6) * w;
    const size_t    n_bytes = (2 * n + n_pieces) * sizeof(uint32_t) + 2 * n + n_paper + n_line;
    photo           p = {0};
    uint32_t *const memory = ln_allocate(context, n_bytes);
    if (!memory) return ln_fail_memory(error, name, n_bytes);
    p.piece = memory, p.queue = memory + n, p.area = memory + 2 * n;
    p.grey = (uint8_t *)(p.area + n_pieces), p.ink = p.grey + n, p.paper = p.ink + n, p.line = p.paper + n_paper;
    const sight seen = search_both(&p, picture, side, out);
    ln_release(context, memory);
    if (!seen.large)
        return ln_fail(error, LN_E_FORMAT,
                       "%s: no ink is to be seen: nothing but specks, and what is thicker than a third of the picture, "
                       "is darker or lighter than its surroundings by more than %zu %%; give a photo with more "
                       "contrast, or with more paper around the digit",
                       name, ln_least(seen.level, 255) * 100 / 255);
    if (seen.n_others)
        ln_warn(context, "%.200s: %zu other piece%s of ink about as large %s left out: one digit is looked for", name,
                seen.n_others, seen.n_others == 1 ? "" : "s", seen.n_others == 1 ? "is" : "are");
    return LN_OK;
}

ln_status ln_photo_digit(ln_context *context, const char *name, const uint8_t *grey, size_t h, size_t w, size_t side,
                         uint8_t *out, ln_error *error) {
    ln_picture picture = ln_picture_upright(h, w, 1, 255);
    picture.samples = (void *)(uintptr_t)grey; /* read alone */
    return find_digit(context, name, &picture, side, out, error);
}

/* ---------------------------------------------------------------------- files */

static ln_status read_digit(ln_context *context, const char *path, size_t side, uint8_t *out, ln_error *error) {
    unsigned char *bytes;
    size_t         n_bytes;
    ln_picture     picture;
    ln_status      status = ln_file_read(context, path, LN_PICTURE_MAX_FILE, &bytes, &n_bytes, error);
    if (status != LN_OK) return status;
    status = ln_picture_decode(context, path, bytes, n_bytes, &picture, error);
    ln_release(context, bytes);
    if (status != LN_OK) return status;
    const uint64_t mode = ln_fp_enter();
    status = find_digit(context, path, &picture, side, out, error);
    ln_fp_leave(mode);
    ln_release(context, picture.samples);
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
