/* vec.h on AVX-512 (F, VL, BW, DQ): 16 floats, masks of one bit an element. */
#include <immintrin.h>

#define LN_WIDTH 16
typedef __m512    vec;
typedef __mmask16 vmask;
typedef __m512i   vint;

LN_INLINE vec  v_zero(void) { return _mm512_setzero_ps(); }
LN_INLINE vec  v_load(const real *p) { return _mm512_loadu_ps(p); }
LN_INLINE void v_store(real *p, vec a) { _mm512_storeu_ps(p, a); }
LN_INLINE void v_stream(real *p, vec a) { _mm512_stream_ps(p, a); }
LN_INLINE void v_stream_end(void) { _mm_sfence(); }
LN_INLINE vec  v_splat(real x) { return _mm512_set1_ps(x); }
LN_INLINE vec  v_broadcast(const real *p) { return _mm512_set1_ps(*p); }
LN_INLINE vec  v_fma(vec a, vec b, vec c) { return _mm512_fmadd_ps(a, b, c); }
LN_INLINE vec  v_add(vec a, vec b) { return _mm512_add_ps(a, b); }
LN_INLINE vec  v_sub(vec a, vec b) { return _mm512_sub_ps(a, b); }
LN_INLINE vec  v_mul(vec a, vec b) { return _mm512_mul_ps(a, b); }
LN_INLINE vec  v_div(vec a, vec b) { return _mm512_div_ps(a, b); }
LN_INLINE vec  v_sqrt(vec a) { return _mm512_sqrt_ps(a); }
LN_INLINE vec  v_neg(vec a) { return _mm512_xor_ps(a, _mm512_set1_ps(-0.0f)); }
LN_INLINE vec  v_abs(vec a) { return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), a); }
LN_INLINE vec  v_max(vec a, vec b) { return _mm512_max_ps(a, b); }
LN_INLINE vec  v_min(vec a, vec b) { return _mm512_min_ps(a, b); }

LN_INLINE vmask v_lt(vec a, vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_LT_OQ); }
LN_INLINE vmask v_le(vec a, vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_LE_OQ); }
LN_INLINE vmask v_gt(vec a, vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_GT_OQ); }
LN_INLINE vmask v_ge(vec a, vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_GE_OQ); }
LN_INLINE vmask v_eq(vec a, vec b) { return _mm512_cmp_ps_mask(a, b, _CMP_EQ_OQ); }
LN_INLINE vmask v_is_nan(vec a) { return _mm512_cmp_ps_mask(a, a, _CMP_UNORD_Q); }
LN_INLINE vmask mask_and(vmask a, vmask b) { return (vmask)(a & b); }
LN_INLINE vmask mask_or(vmask a, vmask b) { return (vmask)(a | b); }
LN_INLINE vmask mask_not(vmask a) { return (vmask)~a; }
LN_INLINE unsigned mask_bits(vmask a) { return (unsigned)a; }
LN_INLINE vmask mask_from_bits(unsigned bits) { return (vmask)bits; }
LN_INLINE vec   v_select(vmask m, vec if_set, vec if_clear) { return _mm512_mask_blend_ps(m, if_clear, if_set); }

LN_INLINE vint  vi_splat(int32_t x) { return _mm512_set1_epi32(x); }
LN_INLINE vint  vi_load(const int32_t *p) { return _mm512_loadu_si512(p); }
LN_INLINE void  vi_store(int32_t *p, vint a) { _mm512_storeu_si512(p, a); }
LN_INLINE vint  vi_load_bytes(const unsigned char *p) {
    return _mm512_cvtepu8_epi32(_mm_loadu_si128((const __m128i_u *)p));
}
LN_INLINE void vi_store_bytes(unsigned char *p, vint a) { _mm_storeu_si128((__m128i_u *)p, _mm512_cvtepi32_epi8(a)); }
LN_INLINE vint  vi_add(vint a, vint b) { return _mm512_add_epi32(a, b); }
LN_INLINE vint  vi_sub(vint a, vint b) { return _mm512_sub_epi32(a, b); }
LN_INLINE vint  vi_and(vint a, vint b) { return _mm512_and_si512(a, b); }
LN_INLINE vint  vi_or(vint a, vint b) { return _mm512_or_si512(a, b); }
LN_INLINE vint  vi_xor(vint a, vint b) { return _mm512_xor_si512(a, b); }
LN_INLINE vmask vi_eq(vint a, vint b) { return _mm512_cmpeq_epi32_mask(a, b); }
LN_INLINE vint  vi_mul_low(vint a, vint b) { return _mm512_mullo_epi32(a, b); }
LN_INLINE vint  vi_mul_high(vint a, vint b) {
    const vint even = _mm512_srli_epi64(_mm512_mul_epu32(a, b), 32);
    const vint odd = _mm512_mul_epu32(_mm512_srli_epi64(a, 32), _mm512_srli_epi64(b, 32));
    return _mm512_mask_blend_epi32(0xaaaa, even, odd);
}
/* Vector shifts in C: intrinsics by an immediate do not compile in unoptimised builds. */
typedef uint32_t ln_u32x16 __attribute__((vector_size(64)));
typedef int32_t  ln_i32x16 __attribute__((vector_size(64)));
LN_INLINE vint vi_shift_left(vint a, int n) { return (vint)((ln_u32x16)a << n); }
LN_INLINE vint vi_shift_right(vint a, int n) { return (vint)((ln_u32x16)a >> n); }
LN_INLINE vint vi_shift_right_signed(vint a, int n) { return (vint)((ln_i32x16)a >> n); }
LN_INLINE vint v_round_int(vec a) { return _mm512_cvtps_epi32(a); }
LN_INLINE vec  vi_to_real(vint a) { return _mm512_cvtepi32_ps(a); }
LN_INLINE vint v_bits(vec a) { return _mm512_castps_si512(a); }
LN_INLINE vec  v_from_bits(vint a) { return _mm512_castsi512_ps(a); }
LN_INLINE vec  v_scale(vec a, vec n) { return _mm512_scalef_ps(a, n); }

LN_INLINE real lanes_sum(const lanes *x) {
    const __m256 s8 = _mm256_add_ps(_mm256_load_ps(x->of), _mm256_load_ps(x->of + 8));
    const __m128 s4 = _mm_add_ps(_mm256_castps256_ps128(s8), _mm256_extractf128_ps(s8, 1));
    const __m128 s2 = _mm_add_ps(s4, _mm_movehl_ps(s4, s4));
    return _mm_cvtss_f32(_mm_add_ss(s2, _mm_shuffle_ps(s2, s2, 1)));
}

/* Folds two vectors into one at each step; after four steps element k is the sum of in[k]. */
LN_INLINE void lanes_sum16(const lanes in[16], real out[16]) {
    vec s2[4];
    LN_UNROLL for (int t = 0; t < 4; t++) {
        const vec a = v_load(in[t].of), b = v_load(in[t + 4].of), c = v_load(in[t + 8].of), d = v_load(in[t + 12].of);
        const vec ab = v_add(_mm512_shuffle_f32x4(a, b, 0x44), _mm512_shuffle_f32x4(a, b, 0xee));
        const vec cd = v_add(_mm512_shuffle_f32x4(c, d, 0x44), _mm512_shuffle_f32x4(c, d, 0xee));
        s2[t] = v_add(_mm512_shuffle_f32x4(ab, cd, 0x88), _mm512_shuffle_f32x4(ab, cd, 0xdd));
    }
    const vec e = v_add(_mm512_shuffle_ps(s2[0], s2[1], 0x44), _mm512_shuffle_ps(s2[0], s2[1], 0xee));
    const vec f = v_add(_mm512_shuffle_ps(s2[2], s2[3], 0x44), _mm512_shuffle_ps(s2[2], s2[3], 0xee));
    v_store(out, v_add(_mm512_shuffle_ps(e, f, 0x88), _mm512_shuffle_ps(e, f, 0xdd)));
}

/* Four columns at a time: rows r, r+4, r+8, r+12 side by side (masked loads, no shuffles), then 4×4 in each. */
LN_INLINE void lanes_transpose16(const lanes in[16], lanes out[16]) {
    for (int q = 0; q < 16; q += 4) {
        vec m[4];
        LN_UNROLL for (int r = 0; r < 4; r++) {
            m[r] = _mm512_castps128_ps512(_mm_load_ps(in[r].of + q));
            m[r] = _mm512_mask_broadcast_f32x4(m[r], 0x00f0, _mm_load_ps(in[r + 4].of + q));
            m[r] = _mm512_mask_broadcast_f32x4(m[r], 0x0f00, _mm_load_ps(in[r + 8].of + q));
            m[r] = _mm512_mask_broadcast_f32x4(m[r], 0xf000, _mm_load_ps(in[r + 12].of + q));
        }
        const vec a = _mm512_unpacklo_ps(m[0], m[1]), b = _mm512_unpackhi_ps(m[0], m[1]);
        const vec c = _mm512_unpacklo_ps(m[2], m[3]), d = _mm512_unpackhi_ps(m[2], m[3]);
        v_store(out[q].of, _mm512_shuffle_ps(a, c, 0x44));
        v_store(out[q + 1].of, _mm512_shuffle_ps(a, c, 0xee));
        v_store(out[q + 2].of, _mm512_shuffle_ps(b, d, 0x44));
        v_store(out[q + 3].of, _mm512_shuffle_ps(b, d, 0xee));
    }
}
