/* Loops that belong to no op: pixels into lanes and back, sums of partial gradients, the watch for values that are not
 * finite, and what the machine can do at most: copies and fmas. Each gives the same bits for every vector width and
 * every split.
 *
 * A pixel becomes x = (pixel·scale - mean) / std, as fma(pixel, scale/std, -mean/std). */
#include "kernel/loops.h"

#include <string.h>

/* ------------------------------------------------------------------- fill */

typedef struct affine {
    vec factor, offset;
} affine;

/* One value of sixteen images, through plain C; for what is left over. */
static inline void fill_one(const ln_fill *f, size_t i, affine by, lanes *out) {
    lanes pixel;
    for (size_t l = 0; l < LN_LANES; l++)
        pixel.of[l] = f->is_float ? (real)((const float *)f->rows[l])[i] : (real)((const uint8_t *)f->rows[l])[i];
    for (size_t p = 0; p < LN_LANES; p += LN_WIDTH)
        v_store(out->of + p, v_fma(v_load(pixel.of + p), by.factor, by.offset));
}

/* Values i … i + 15 of sixteen images: as lanes, then transposed. */
LN_INLINE void fill_16_any(const ln_fill *f, size_t i, affine by, lanes *out, bool is_float) {
    lanes in[LN_LANES], pixel[LN_LANES];
    for (size_t l = 0; l < LN_LANES; l++) {
        const float   *floats = (const float *)f->rows[l] + (is_float ? i : 0);
        const uint8_t *bytes = (const uint8_t *)f->rows[l] + (is_float ? 0 : i);
        for (size_t k = 0; k < LN_LANES; k++) in[l].of[k] = is_float ? (real)floats[k] : (real)bytes[k];
    }
    lanes_transpose16(in, pixel);
    for (size_t k = 0; k < LN_LANES; k++)
        for (size_t p = 0; p < LN_LANES; p += LN_WIDTH)
            v_store(out[k].of + p, v_fma(v_load(pixel[k].of + p), by.factor, by.offset));
}

#if defined(LN_VEC_AVX512) || defined(LN_VEC_AVX2)

/* Sixteen bytes of image l, which need no alignment. */
LN_INLINE __m128i bytes_of(const ln_fill *f, size_t l, size_t i) {
    return _mm_loadu_si128((const __m128i_u *)(const void *)((const uint8_t *)f->rows[l] + i));
}

/* Column 4q + k of the dwords d, whose element l holds columns 4q … 4q + 3 of image l. */
LN_INLINE void store_columns(vint d, affine by, lanes *out, size_t p) {
    const vint byte = vi_splat(255);
    LN_UNROLL for (int k = 0; k < 4; k++) {
        const vint shifted = k ? vi_shift_right(d, 8 * k) : d;
        const vec  pixel = vi_to_real(k < 3 ? vi_and(shifted, byte) : shifted);
        v_store(out[k].of + p, v_fma(pixel, by.factor, by.offset));
    }
}
#endif

#if defined(LN_VEC_AVX512)

/* Rows r, r+4, r+8, r+12 side by side: broadcasts from memory under a mask, no shuffles. */
LN_INLINE vint four_rows(const ln_fill *f, size_t r, size_t i) {
    vint m = _mm512_castsi128_si512(bytes_of(f, r, i));
    m = _mm512_mask_broadcast_i32x4(m, 0x00f0, bytes_of(f, r + 4, i));
    m = _mm512_mask_broadcast_i32x4(m, 0x0f00, bytes_of(f, r + 8, i));
    return _mm512_mask_broadcast_i32x4(m, 0xf000, bytes_of(f, r + 12, i));
}

/* Bytes i … i + 15 of sixteen images, as 4×4 dwords in each quarter of a vector. */
LN_INLINE void fill_16_bytes(const ln_fill *f, size_t i, affine by, lanes *out) {
    const vint r0 = four_rows(f, 0, i), r1 = four_rows(f, 1, i), r2 = four_rows(f, 2, i), r3 = four_rows(f, 3, i);
    const vint a = _mm512_unpacklo_epi32(r0, r1), b = _mm512_unpackhi_epi32(r0, r1);
    const vint c = _mm512_unpacklo_epi32(r2, r3), d = _mm512_unpackhi_epi32(r2, r3);
    store_columns(_mm512_unpacklo_epi64(a, c), by, out, 0);
    store_columns(_mm512_unpackhi_epi64(a, c), by, out + 4, 0);
    store_columns(_mm512_unpacklo_epi64(b, d), by, out + 8, 0);
    store_columns(_mm512_unpackhi_epi64(b, d), by, out + 12, 0);
}

#elif defined(LN_VEC_AVX2)

/* Rows r and r+4 side by side. */
LN_INLINE vint two_rows(const ln_fill *f, size_t r, size_t i) {
    return _mm256_inserti128_si256(_mm256_castsi128_si256(bytes_of(f, r, i)), bytes_of(f, r + 4, i), 1);
}

/* Bytes i … i + 15 of sixteen images, eight images at a time, as 4×4 dwords in each half of a vector. */
LN_INLINE void fill_16_bytes(const ln_fill *f, size_t i, affine by, lanes *out) {
    for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
        const vint r0 = two_rows(f, p, i), r1 = two_rows(f, p + 1, i);
        const vint r2 = two_rows(f, p + 2, i), r3 = two_rows(f, p + 3, i);
        const vint a = _mm256_unpacklo_epi32(r0, r1), b = _mm256_unpackhi_epi32(r0, r1);
        const vint c = _mm256_unpacklo_epi32(r2, r3), d = _mm256_unpackhi_epi32(r2, r3);
        store_columns(_mm256_unpacklo_epi64(a, c), by, out, p);
        store_columns(_mm256_unpackhi_epi64(a, c), by, out + 4, p);
        store_columns(_mm256_unpacklo_epi64(b, d), by, out + 8, p);
        store_columns(_mm256_unpackhi_epi64(b, d), by, out + 12, p);
    }
}

#else

LN_INLINE void fill_16_bytes(const ln_fill *f, size_t i, affine by, lanes *out) { fill_16_any(f, i, by, out, false); }

#endif

void LN_PASTE(ln_, fill, LN_ISA_NAME)(const ln_fill *fill, void *lanes_out) {
    const affine  by = {v_splat((real)fill->factor), v_splat((real)fill->offset)};
    const ln_fill f = *fill; /* what is stored cannot change it */
    lanes        *out = lanes_out;
    size_t        i = 0;
    if (f.is_float)
        for (; i + LN_LANES <= f.count; i += LN_LANES) fill_16_any(&f, i, by, out + i, true);
    else
        for (; i + LN_LANES <= f.count; i += LN_LANES) fill_16_bytes(&f, i, by, out + i);
    for (; i < f.count; i++) fill_one(&f, i, by, out + i);
}

/* Values i … i + n - 1 of one image. */
LN_INLINE void fill_neighbours(const ln_fill *f, size_t i, size_t n, affine by, float *out) {
    lanes x = {{0}};
    if (f->is_float)
        for (size_t k = 0; k < n; k++) x.of[k] = (real)((const float *)f->rows[0])[i + k];
    else
        for (size_t k = 0; k < n; k++) x.of[k] = (real)((const uint8_t *)f->rows[0])[i + k];
    for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) v_store(x.of + p, v_fma(v_load(x.of + p), by.factor, by.offset));
    for (size_t k = 0; k < n; k++) out[i + k] = (float)x.of[k];
}

void LN_PASTE(ln_, fill_planar, LN_ISA_NAME)(const ln_fill *fill, float *out) {
    const affine by = {v_splat((real)fill->factor), v_splat((real)fill->offset)};
    size_t       i = 0;
    for (; i + LN_LANES <= fill->count; i += LN_LANES) fill_neighbours(fill, i, LN_LANES, by, out);
    if (i == fill->count) return;
    if (i > 0) fill_neighbours(fill, fill->count - LN_LANES, LN_LANES, by, out); /* some of them again: the same bits */
    else fill_neighbours(fill, 0, fill->count, by, out);
}

void LN_PASTE(ln_, unlane, LN_ISA_NAME)(const void *lanes_in, size_t count, size_t n, float *const *rows) {
    const lanes *in = lanes_in;
    for (size_t l = 0; l < n; l++)
        for (size_t i = 0; i < count; i++) rows[l][i] = (float)in[i].of[l];
}

/* -------------------------------------------------------------- partial sums */

/* The sum of a vector over the partials, in their order. */
LN_INLINE vec sum_one(const real *partials, size_t n, size_t stride) {
    vec sum = v_load(partials);
    for (size_t k = 1; k < n; k++) sum = v_add(sum, v_load(partials + k * stride));
    return sum;
}

void ln_sum_partials(const void *partials, size_t n, size_t stride, void *out, size_t lo, size_t hi) {
    const real *in = partials;
    real       *sums = out;
    size_t      i = lo;
    for (; i + LN_WIDTH <= hi; i += LN_WIDTH) v_store(sums + i, sum_one(in + i, n, stride));
    for (; i < hi; i++) {
        real sum = in[i];
        for (size_t k = 1; k < n; k++) sum += in[k * stride + i];
        sums[i] = sum;
    }
}

/* ---------------------------------------------------------- squares, averages */

/* sum of sixteen squares, element by element. */
LN_INLINE void add_squares(const real *x, vec *sum) {
    LN_UNROLL for (int k = 0; k < LN_LANES / LN_WIDTH; k++) {
        const vec v = v_load(x + k * LN_WIDTH);
        sum[k] = v_fma(v, v, sum[k]);
    }
}

double LN_PASTE(ln_, sum_squares, LN_ISA_NAME)(const void *x, size_t lo, size_t hi) {
    const real *value = x;
    vec         sum[LN_LANES / LN_WIDTH];
    lanes       last = {{0}};
    size_t      i = lo;
    LN_UNROLL for (int k = 0; k < LN_LANES / LN_WIDTH; k++) sum[k] = v_zero();
    for (; i + LN_LANES <= hi; i += LN_LANES) add_squares(value + i, sum);
    memcpy(last.of, value + i, (hi - i) * sizeof(real));
    add_squares(last.of, sum);
    LN_UNROLL for (int k = 0; k < LN_LANES / LN_WIDTH; k++) v_store(last.of + k * LN_WIDTH, sum[k]);
    return (double)lanes_sum(&last);
}

void LN_PASTE(ln_, approach, LN_ISA_NAME)(void *average, const void *x, double share, size_t lo, size_t hi) {
    real       *mean = average;
    const real *value = x;
    const vec   by = v_splat((real)share);
    size_t      i = lo;
    for (; i + LN_WIDTH <= hi; i += LN_WIDTH) {
        const vec old = v_load(mean + i);
        v_store(mean + i, v_fma(by, v_sub(v_load(value + i), old), old));
    }
    for (; i < hi; i++) { /* one by one, each in all elements of a vector */
        const vec old = v_splat(mean[i]);
        lanes     now;
        v_store(now.of, v_fma(by, v_sub(v_splat(value[i]), old), old));
        mean[i] = now.of[0];
    }
}

/* ----------------------------------------------------------------- finiteness */

/* 0·x is 0 for a finite x and NaN for any other, and NaN stays in a sum. */
bool LN_PASTE(ln_, all_finite, LN_ISA_NAME)(const void *x, size_t lo, size_t hi) {
    enum { N = 4 };
    const real *value = x;
    size_t      i = lo;
    vec         found[N];
    LN_UNROLL for (int k = 0; k < N; k++) found[k] = v_zero();
    for (; i + N * LN_WIDTH <= hi; i += N * LN_WIDTH)
        LN_UNROLL for (int k = 0; k < N; k++) found[k] = v_find_unfit(v_load(value + i + k * LN_WIDTH), found[k]);
    for (; i < hi; i++) found[0] = v_find_unfit(v_splat(value[i]), found[0]);
    const vec all = v_add(v_add(found[0], found[1]), v_add(found[2], found[3]));
    return mask_bits(v_is_nan(all)) == 0;
}

/* ------------------------------------------------------------ copies, fma peak */

void LN_PASTE(ln_, copy, LN_ISA_NAME)(void *to, const void *from, size_t n) {
    const lanes *x = from;
    lanes       *y = to;
    for (size_t i = 0; i < n; i += 4)
        LN_UNROLL for (size_t k = 0; k < 4; k++) LN_UNROLL for (size_t p = 0; p < LN_LANES; p += LN_WIDTH) {
            vec value = v_load(x[i + k].of + p);
            LN_KEEP(value); /* or it becomes a call of memcpy, which may have other ways */
            v_store(y[i + k].of + p, value);
        }
}

double LN_PASTE(ln_, fma_rounds, LN_ISA_NAME)(size_t n_rounds) {
    enum { CHAINS = 12, TIMES = 8, REPEATS = 64 }; /* two fma units of up to six cycles each stay busy */
    vec sum[CHAINS], factor = v_splat((real)0.5), term = v_splat(1);
    LN_KEEP(factor);
    LN_KEEP(term);
    LN_UNROLL for (int k = 0; k < CHAINS; k++) sum[k] = v_splat((real)k);
    for (size_t i = 0; i < n_rounds * REPEATS; i++)
        LN_UNROLL for (int j = 0; j < TIMES; j++) LN_UNROLL for (int k = 0; k < CHAINS; k++) {
            sum[k] = v_fma(sum[k], factor, term);
            LN_KEEP(sum[k]);
        }
    return 2.0 * LN_WIDTH * CHAINS * TIMES * REPEATS * (double)n_rounds;
}
