/* vec.h on AVX2 with FMA: 8 floats, masks of all ones or all zeros. */
#include <immintrin.h>

#define LN_WIDTH 8
typedef __m256  vec;
typedef __m256  vmask;
typedef __m256i vint;

LN_INLINE vec  v_zero(void) { return _mm256_setzero_ps(); }
LN_INLINE vec  v_load(const real *p) { return _mm256_loadu_ps(p); }
LN_INLINE void v_store(real *p, vec a) { _mm256_storeu_ps(p, a); }
LN_INLINE void v_stream(real *p, vec a) { _mm256_stream_ps(p, a); }
LN_INLINE void v_stream_end(void) { _mm_sfence(); }
LN_INLINE vec  v_splat(real x) { return _mm256_set1_ps(x); }
LN_INLINE vec  v_broadcast(const real *p) { return _mm256_broadcast_ss(p); }
LN_INLINE vec  v_fma(vec a, vec b, vec c) { return _mm256_fmadd_ps(a, b, c); }
LN_INLINE vec  v_add(vec a, vec b) { return _mm256_add_ps(a, b); }
LN_INLINE vec  v_sub(vec a, vec b) { return _mm256_sub_ps(a, b); }
LN_INLINE vec  v_mul(vec a, vec b) { return _mm256_mul_ps(a, b); }
LN_INLINE vec  v_div(vec a, vec b) { return _mm256_div_ps(a, b); }
LN_INLINE vec  v_sqrt(vec a) { return _mm256_sqrt_ps(a); }
LN_INLINE vec  v_neg(vec a) { return _mm256_xor_ps(a, _mm256_set1_ps(-0.0f)); }
LN_INLINE vec  v_abs(vec a) { return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), a); }
LN_INLINE vec  v_max(vec a, vec b) { return _mm256_max_ps(a, b); }
LN_INLINE vec  v_min(vec a, vec b) { return _mm256_min_ps(a, b); }

LN_INLINE vmask v_lt(vec a, vec b) { return _mm256_cmp_ps(a, b, _CMP_LT_OQ); }
LN_INLINE vmask v_le(vec a, vec b) { return _mm256_cmp_ps(a, b, _CMP_LE_OQ); }
LN_INLINE vmask v_gt(vec a, vec b) { return _mm256_cmp_ps(a, b, _CMP_GT_OQ); }
LN_INLINE vmask v_ge(vec a, vec b) { return _mm256_cmp_ps(a, b, _CMP_GE_OQ); }
LN_INLINE vmask v_eq(vec a, vec b) { return _mm256_cmp_ps(a, b, _CMP_EQ_OQ); }
LN_INLINE vmask v_is_nan(vec a) { return _mm256_cmp_ps(a, a, _CMP_UNORD_Q); }
LN_INLINE vmask mask_and(vmask a, vmask b) { return _mm256_and_ps(a, b); }
LN_INLINE vmask mask_or(vmask a, vmask b) { return _mm256_or_ps(a, b); }
LN_INLINE vmask mask_not(vmask a) { return _mm256_xor_ps(a, _mm256_castsi256_ps(_mm256_set1_epi32(-1))); }
LN_INLINE unsigned mask_bits(vmask a) { return (unsigned)_mm256_movemask_ps(a); }
LN_INLINE vmask mask_from_bits(unsigned bits) {
    const __m256i own = _mm256_setr_epi32(1, 2, 4, 8, 16, 32, 64, 128);
    return _mm256_castsi256_ps(_mm256_cmpeq_epi32(_mm256_and_si256(_mm256_set1_epi32((int)bits), own), own));
}
LN_INLINE vec v_select(vmask m, vec if_set, vec if_clear) { return _mm256_blendv_ps(if_clear, if_set, m); }

LN_INLINE vint  vi_splat(int32_t x) { return _mm256_set1_epi32(x); }
LN_INLINE vint  vi_load(const int32_t *p) { return _mm256_loadu_si256((const __m256i_u *)p); }
LN_INLINE void  vi_store(int32_t *p, vint a) { _mm256_storeu_si256((__m256i_u *)p, a); }
LN_INLINE vint  vi_load_bytes(const unsigned char *p) { return _mm256_cvtepu8_epi32(_mm_loadl_epi64((const void *)p)); }
LN_INLINE void  vi_store_bytes(unsigned char *p, vint a) {
    const __m128i words = _mm_packs_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
    _mm_storel_epi64((void *)p, _mm_packus_epi16(words, words));
}
LN_INLINE vint  vi_add(vint a, vint b) { return _mm256_add_epi32(a, b); }
LN_INLINE vint  vi_sub(vint a, vint b) { return _mm256_sub_epi32(a, b); }
LN_INLINE vint  vi_and(vint a, vint b) { return _mm256_and_si256(a, b); }
LN_INLINE vint  vi_or(vint a, vint b) { return _mm256_or_si256(a, b); }
LN_INLINE vint  vi_xor(vint a, vint b) { return _mm256_xor_si256(a, b); }
LN_INLINE vmask vi_eq(vint a, vint b) { return _mm256_castsi256_ps(_mm256_cmpeq_epi32(a, b)); }
LN_INLINE vint  vi_mul_low(vint a, vint b) { return _mm256_mullo_epi32(a, b); }
LN_INLINE vint  vi_mul_high(vint a, vint b) {
    const vint even = _mm256_srli_epi64(_mm256_mul_epu32(a, b), 32);
    const vint odd = _mm256_mul_epu32(_mm256_srli_epi64(a, 32), _mm256_srli_epi64(b, 32));
    return _mm256_blend_epi32(even, odd, 0xaa);
}
/* Vector shifts in C: intrinsics by an immediate do not compile in unoptimised builds. */
typedef uint32_t ln_u32x8 __attribute__((vector_size(32)));
typedef int32_t  ln_i32x8 __attribute__((vector_size(32)));
LN_INLINE vint vi_shift_left(vint a, int n) { return (vint)((ln_u32x8)a << n); }
LN_INLINE vint vi_shift_right(vint a, int n) { return (vint)((ln_u32x8)a >> n); }
LN_INLINE vint vi_shift_right_signed(vint a, int n) { return (vint)((ln_i32x8)a >> n); }
LN_INLINE vint v_round_int(vec a) { return _mm256_cvtps_epi32(a); }
LN_INLINE vec  vi_to_real(vint a) { return _mm256_cvtepi32_ps(a); }
LN_INLINE vint v_bits(vec a) { return _mm256_castps_si256(a); }
LN_INLINE vec  v_from_bits(vint a) { return _mm256_castsi256_ps(a); }

LN_INLINE real lanes_sum(const lanes *x) {
    const vec    s8 = v_add(v_load(x->of), v_load(x->of + 8));
    const __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
    const __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
    return _mm_cvtss_f32(_mm_add_ss(s2, _mm_shuffle_ps(s2, s2, 1)));
}

/* Folds two vectors into one at each step; eight sums at a time. */
LN_INLINE void lanes_sum16(const lanes in[16], real out[16]) {
    for (int k = 0; k < 16; k += 8) {
        vec s4[4];
        LN_UNROLL for (int t = 0; t < 4; t++) {
            const lanes *const x = &in[k + t], *const y = &in[k + t + 4];
            const vec a = v_add(v_load(x->of), v_load(x->of + 8)), b = v_add(v_load(y->of), v_load(y->of + 8));
            s4[t] = v_add(_mm256_permute2f128_ps(a, b, 0x20), _mm256_permute2f128_ps(a, b, 0x31));
        }
        const vec e = v_add(_mm256_shuffle_ps(s4[0], s4[1], 0x44), _mm256_shuffle_ps(s4[0], s4[1], 0xee));
        const vec f = v_add(_mm256_shuffle_ps(s4[2], s4[3], 0x44), _mm256_shuffle_ps(s4[2], s4[3], 0xee));
        v_store(out + k, v_add(_mm256_shuffle_ps(e, f, 0x88), _mm256_shuffle_ps(e, f, 0xdd)));
    }
}

/* Eight rows of four columns at a time: rows r and r+4 side by side, then 4×4 in each half. */
LN_INLINE void lanes_transpose16(const lanes in[16], lanes out[16]) {
    for (int p = 0; p < 16; p += 8)
        for (int q = 0; q < 16; q += 4) {
            vec m[4];
            LN_UNROLL for (int r = 0; r < 4; r++) {
                const __m128 low = _mm_load_ps(in[p + r].of + q), high = _mm_load_ps(in[p + r + 4].of + q);
                m[r] = _mm256_insertf128_ps(_mm256_castps128_ps256(low), high, 1);
            }
            const vec a = _mm256_unpacklo_ps(m[0], m[1]), b = _mm256_unpackhi_ps(m[0], m[1]);
            const vec c = _mm256_unpacklo_ps(m[2], m[3]), d = _mm256_unpackhi_ps(m[2], m[3]);
            v_store(out[q].of + p, _mm256_shuffle_ps(a, c, 0x44));
            v_store(out[q + 1].of + p, _mm256_shuffle_ps(a, c, 0xee));
            v_store(out[q + 2].of + p, _mm256_shuffle_ps(b, d, 0x44));
            v_store(out[q + 3].of + p, _mm256_shuffle_ps(b, d, 0xee));
        }
}
