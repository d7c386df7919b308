/* The loops of pixels.h for one instruction set. Where they are plain C, compilers make vectors of them.
 *
 * Normal numbers are √(-2 log u) · (cos φ, sin φ) of 16 bits each (Box and Muller): u = (k + ½) / 2^16, and φ one of
 * 2^16 angles evenly around the circle: one of 2^14 in ±π/4, or (a bit) its mirror image in the y axis, or (another)
 * that of either with x and y exchanged. None is beyond 4.9. Bilinear interpolation of the pixels p q / r s, fx to the
 * right and fy below of p: top = p + fx (q - p), bottom = r + fx (s - r), top + fy (bottom - top). */
#include "kernel/pixels.h"

#include "kernel/kernel.h"
#include "kernel/kernels.h"

#ifndef LN_VEC_F64

#include <string.h>

extern const ln_pixels LN_PASTE(ln_, pixels, LN_ISA_NAME);

/* ---------------------------------------------------------- random numbers */

static const int32_t steps[LN_COUNTERS] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

LN_INLINE void philox_round(vint x[4], uint32_t k0, uint32_t k1) {
    const vint m0 = vi_splat((int32_t)0xd2511f53), m2 = vi_splat((int32_t)0xcd9e8d57);
    const vint high0 = vi_mul_high(x[0], m0), low0 = vi_mul_low(x[0], m0);
    const vint high2 = vi_mul_high(x[2], m2), low2 = vi_mul_low(x[2], m2);
    x[0] = vi_xor(vi_xor(high2, x[1]), vi_splat((int32_t)k0));
    x[2] = vi_xor(vi_xor(high0, x[3]), vi_splat((int32_t)k1));
    x[1] = low2;
    x[3] = low0;
}

/* base/random.c's Philox of LN_COUNTERS counters from `first` on, by words. The counter's second word carries. */
LN_INLINE void philox_some(const ln_random *random, uint64_t first, int32_t word[4][LN_COUNTERS]) {
    int32_t second[LN_COUNTERS];
    for (uint32_t i = 0; i < LN_COUNTERS; i++) second[i] = (int32_t)((first + i) >> 32);
    for (size_t p = 0; p < LN_COUNTERS; p += LN_WIDTH) {
        vint x[4] = {vi_add(vi_splat((int32_t)(uint32_t)first), vi_load(steps + p)), vi_load(second + p),
                     vi_splat((int32_t)random->counter[2]), vi_splat((int32_t)random->counter[3])};
        LN_UNROLL for (uint32_t r = 0; r < 10; r++)
            philox_round(x, random->key[0] + r * 0x9e3779b9u, random->key[1] + r * 0xbb67ae85u);
        LN_UNROLL for (int k = 0; k < 4; k++) vi_store(word[k] + p, x[k]);
    }
}

static void philox(const ln_random *random, size_t n, uint32_t *restrict word) {
    const uint64_t first = (uint64_t)random->counter[1] << 32 | random->counter[0];
    int32_t        x[4][LN_COUNTERS];
    for (size_t i = 0; i < n; i += LN_COUNTERS, word += 4 * LN_COUNTERS) {
        philox_some(random, first + i, x);
        for (size_t j = 0; j < LN_COUNTERS; j++)
            for (size_t k = 0; k < 4; k++) word[4 * j + k] = (uint32_t)x[k][j];
    }
}

/* √(-2 log u) above; the logarithm as ln_log_double takes it, in float. */
LN_INLINE float distance(uint32_t k) {
    const float u = ((float)(int32_t)k + 0.5f) * 0x1p-16f;
    int32_t     bits;
    memcpy(&bits, &u, sizeof bits);
    const int32_t e = (bits - 0x3f3504f3) >> 23, rest = bits - e * (1 << 23);
    float         m;
    memcpy(&m, &rest, sizeof m);
    const float s = (m - 1) / (m + 1), t = s * s;
    const float log = s * (2.0f + t * (2.0f / 3 + t * (2.0f / 5 + t * (2.0f / 7 + t * (2.0f / 9)))));
    return __builtin_sqrtf(-2 * ((float)e * 0x1.62e43p-1f + log));
}

static void pairs(const uint32_t *restrict word, size_t n, float *restrict x, float *restrict y) {
    for (size_t i = 0; i < n; i++) {
        const uint32_t k = word[i] & 0xffff;
        const float    far = distance(word[i] >> 16);
        const float    r = ((float)(int32_t)(k & 0x3fff) - 8191.5f) * 0x1.921fb6p-14f, t = r * r;
        const float    s = r * (1 - t * (1.0f / 6 - t * (1.0f / 120 - t * (1.0f / 5040))));
        const float    c = 1 - t * (0.5f - t * (1.0f / 24 - t * (1.0f / 720 - t * (1.0f / 40320))));
        const float    mirrored = far * (k & 0x4000 ? -c : c), upright = far * s;
        x[i] = k & 0x8000 ? upright : mirrored;
        y[i] = k & 0x8000 ? mirrored : upright;
    }
}

static void normals(const uint32_t *word, size_t n, float *z) { pairs(word, n, z, z + n); }

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the bytes of words are taken from the lowest");

static void even_bytes(const uint8_t *restrict x, size_t n, float *restrict y) {
    for (size_t i = 0; i < n; i++) y[i] = (float)x[i] * (1.0f / 128) - (255.0f / 256);
}

static void even(const uint32_t *word, size_t n, float *y) { even_bytes((const uint8_t *)word, n, y); }

/* ------------------------------------------------------------------ values */

static void add_bytes(const uint8_t *restrict x, const float *restrict z, size_t n, float std, uint8_t *restrict y) {
    for (size_t i = 0; i < n; i++) y[i] = ln_stored_byte((float)x[i] + std * z[i]);
}

static void add_floats(const float *restrict x, const float *restrict z, size_t n, float std, float *restrict y) {
    for (size_t i = 0; i < n; i++) y[i] = x[i] + std * z[i];
}

static void add(const void *x, const float *z, bool is_float, size_t n, float std, void *y) {
    if (is_float) add_floats(x, z, n, std, y);
    else add_bytes(x, z, n, std, y);
}

static void spread_bytes(const uint8_t *restrict x, size_t n, float middle, float factor, uint8_t *restrict y) {
    for (size_t i = 0; i < n; i++) y[i] = ln_stored_byte(middle + factor * ((float)x[i] - middle));
}

static void spread_floats(const float *restrict x, size_t n, float middle, float factor, float *restrict y) {
    for (size_t i = 0; i < n; i++) y[i] = middle + factor * (x[i] - middle);
}

static void spread(const void *x, bool is_float, size_t n, float middle, float factor, void *y) {
    if (is_float) spread_floats(x, n, middle, factor, y);
    else spread_bytes(x, n, middle, factor, y);
}

static void mix_bytes(const uint8_t *restrict x, const uint8_t *restrict other, size_t n, float share,
                      uint8_t *restrict y) {
    for (size_t i = 0; i < n; i++) y[i] = ln_stored_byte((float)x[i] + share * ((float)other[i] - (float)x[i]));
}

static void mix_floats(const float *restrict x, const float *restrict other, size_t n, float share, float *restrict y) {
    for (size_t i = 0; i < n; i++) y[i] = x[i] + share * (other[i] - x[i]);
}

static void mix(const void *x, const void *other, bool is_float, size_t n, float share, void *y) {
    if (is_float) mix_floats(x, other, n, share, y);
    else mix_bytes(x, other, n, share, y);
}

/* --------------------------------------------------- lines, blurs, stretching */

_Static_assert((int)LN_SPILL == (int)LN_LANES, "a whole vector is at most so long");
static const float counts[LN_LANES] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};

/* j, j + 1, …, exact as whole numbers below 2^24 are. */
LN_INLINE vec count_from(size_t j) { return v_add(v_splat((float)(int32_t)j), v_load(counts)); }

static void line(float first, float step, size_t n, float *y) {
    for (size_t j = 0; j < n; j += LN_WIDTH) v_store(y + j, v_add(v_splat(first), v_mul(v_splat(step), count_from(j))));
}

static void displace(const float *a, const float *b, float t, size_t n, float first, float step, float *y) {
    for (size_t j = 0; j < n; j += LN_WIDTH) {
        const vec upper = v_load(a + j), between = v_mul(v_splat(t), v_sub(v_load(b + j), upper));
        const vec place = v_add(v_splat(first), v_mul(v_splat(step), count_from(j)));
        v_store(y + j, v_add(place, v_add(upper, between)));
    }
}

static void blur(const float *x, size_t step, size_t n, const float *k, size_t radius, float *y) {
    for (size_t j = 0; j < n; j += LN_WIDTH) {
        vec sum = v_mul(v_splat(k[0]), v_load(x + j));
        for (size_t r = 1; r <= radius; r++) {
            const vec both = v_add(v_load(x + j - r * step), v_load(x + j + r * step));
            sum = v_add(sum, v_mul(v_splat(k[r]), both));
        }
        v_store(y + j, sum);
    }
}

static void stretch(const float *node, size_t n, size_t s, float *y) {
    const float share = 1 / (float)(int32_t)s;
    for (size_t i = 0; i < n; i++, y += s) {
        const vec slope = v_splat((node[i + 1] - node[i]) * share);
        for (size_t t = 0; t < s; t += LN_WIDTH) v_store(y + t, v_add(v_splat(node[i]), v_mul(slope, count_from(t))));
    }
}

/* ----------------------------------------------------------------- warping */

/* Counted from the border, which begins a row and a column before the image, and held within it. */
LN_INLINE float held(float at, float most) {
    at = at + 1;
    at = at > 0 ? at : 0;
    return at < most ? at : most;
}

LN_INLINE void find_some(const float *restrict u, const float *restrict v, size_t n, float most_x, float most_y,
                         int32_t stride, ln_places *restrict p) {
    for (size_t j = 0; j < n; j++) {
        const float   x = held(u[j], most_x), y = held(v[j], most_y);
        const int32_t whole_x = (int32_t)x, whole_y = (int32_t)y;
        p->at[j] = whole_y * stride + whole_x;
        p->fx[j] = x - (float)whole_x;
        p->fy[j] = y - (float)whole_y;
    }
}

static void find(const float *u, const float *v, size_t n, size_t h, size_t w, size_t stride, ln_places *places) {
    places->n = n;
    find_some(u, v, n, (float)(int32_t)(w + 1), (float)(int32_t)(h + 1), (int32_t)stride, places);
}

static void quads(const uint8_t *restrict padded, size_t stride, size_t n, uint32_t *restrict quad) {
    const uint8_t *const below = padded + stride;
    for (size_t i = 0; i + stride + 1 < n; i++)
        quad[i] = (uint32_t)padded[i] | (uint32_t)padded[i + 1] << 8 | (uint32_t)below[i] << 16 |
                  (uint32_t)below[i + 1] << 24;
}

LN_INLINE float between(float p, float q, float r, float s, float fx, float fy) {
    const float top = p + fx * (q - p), bottom = r + fx * (s - r);
    return top + fy * (bottom - top);
}

static void interpolate(const uint32_t *restrict q, const ln_places *restrict p, uint8_t *restrict y) {
    for (size_t j = 0; j < p->n; j++) {
        const float a = (float)(int32_t)(q[j] & 255), b = (float)(int32_t)(q[j] >> 8 & 255);
        const float c = (float)(int32_t)(q[j] >> 16 & 255), d = (float)(int32_t)(q[j] >> 24);
        y[j] = ln_stored_byte(between(a, b, c, d, p->fx[j], p->fy[j]));
    }
}

static void sample_bytes(const uint32_t *quad, const ln_places *p, uint8_t *y) {
    uint32_t found[LN_PLACES];
    for (size_t j = 0; j < p->n; j++) {
        uint32_t at = (uint32_t)p->at[j];
        __asm__("" : "+r"(at)); /* or compilers load vectors of numbers and take them apart again */
        found[j] = quad[at];
    }
    interpolate(found, p, y);
}

static void sample_floats(const float *padded, size_t stride, const ln_places *p, float *y) {
    for (size_t j = 0; j < p->n; j++) {
        const float *const a = padded + (uint32_t)p->at[j], *const b = a + stride;
        y[j] = between(a[0], a[1], b[0], b[1], p->fx[j], p->fy[j]);
    }
}

const ln_pixels LN_PASTE(ln_, pixels, LN_ISA_NAME) = {
    .philox = philox,
    .normals = normals,
    .even = even,
    .add = add,
    .spread = spread,
    .mix = mix,
    .line = line,
    .displace = displace,
    .blur = blur,
    .stretch = stretch,
    .find = find,
    .quads = quads,
    .sample_bytes = sample_bytes,
    .sample_floats = sample_floats,
};
#endif
