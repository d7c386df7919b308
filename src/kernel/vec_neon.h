/* vec.h on NEON (aarch64): 4 floats, masks of all ones or all zeros. */
#include <arm_neon.h>
#include <string.h>

#define LN_WIDTH 4
typedef float32x4_t vec;
typedef uint32x4_t  vmask;
typedef int32x4_t   vint;

LN_INLINE vec  v_zero(void) { return vdupq_n_f32(0.0f); }
LN_INLINE vec  v_load(const real *p) { return vld1q_f32(p); }
LN_INLINE void v_store(real *p, vec a) { vst1q_f32(p, a); }
LN_INLINE void v_stream(real *p, vec a) { vst1q_f32(p, a); }
LN_INLINE void v_stream_end(void) {}
LN_INLINE vec  v_splat(real x) { return vdupq_n_f32(x); }
LN_INLINE vec  v_broadcast(const real *p) { return vld1q_dup_f32(p); }
LN_INLINE vec  v_fma(vec a, vec b, vec c) { return vfmaq_f32(c, a, b); }
LN_INLINE vec  v_add(vec a, vec b) { return vaddq_f32(a, b); }
LN_INLINE vec  v_sub(vec a, vec b) { return vsubq_f32(a, b); }
LN_INLINE vec  v_mul(vec a, vec b) { return vmulq_f32(a, b); }
LN_INLINE vec  v_div(vec a, vec b) { return vdivq_f32(a, b); }
LN_INLINE vec  v_sqrt(vec a) { return vsqrtq_f32(a); }
LN_INLINE vec  v_neg(vec a) { return vnegq_f32(a); }
LN_INLINE vec  v_abs(vec a) { return vabsq_f32(a); }
/* Not vmaxq and vminq, which treat NaN and zeros otherwise than x86. */
LN_INLINE vec v_max(vec a, vec b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
LN_INLINE vec v_min(vec a, vec b) { return vbslq_f32(vcltq_f32(a, b), a, b); }

LN_INLINE vmask v_lt(vec a, vec b) { return vcltq_f32(a, b); }
LN_INLINE vmask v_le(vec a, vec b) { return vcleq_f32(a, b); }
LN_INLINE vmask v_gt(vec a, vec b) { return vcgtq_f32(a, b); }
LN_INLINE vmask v_ge(vec a, vec b) { return vcgeq_f32(a, b); }
LN_INLINE vmask v_eq(vec a, vec b) { return vceqq_f32(a, b); }
LN_INLINE vmask v_is_nan(vec a) { return vmvnq_u32(vceqq_f32(a, a)); }
LN_INLINE vmask mask_and(vmask a, vmask b) { return vandq_u32(a, b); }
LN_INLINE vmask mask_or(vmask a, vmask b) { return vorrq_u32(a, b); }
LN_INLINE vmask mask_not(vmask a) { return vmvnq_u32(a); }
LN_INLINE unsigned mask_bits(vmask a) {
    const uint32x4_t own = {1, 2, 4, 8};
    return vaddvq_u32(vandq_u32(a, own));
}
LN_INLINE vmask mask_from_bits(unsigned bits) {
    const uint32x4_t own = {1, 2, 4, 8};
    return vtstq_u32(vdupq_n_u32(bits), own);
}
LN_INLINE vec v_select(vmask m, vec if_set, vec if_clear) { return vbslq_f32(m, if_set, if_clear); }

LN_INLINE vint  vi_splat(int32_t x) { return vdupq_n_s32(x); }
LN_INLINE vint  vi_load(const int32_t *p) { return vld1q_s32(p); }
LN_INLINE void  vi_store(int32_t *p, vint a) { vst1q_s32(p, a); }
LN_INLINE vint  vi_load_bytes(const unsigned char *p) {
    uint32_t four;
    memcpy(&four, p, sizeof four);
    return vreinterpretq_s32_u32(vmovl_u16(vget_low_u16(vmovl_u8(vreinterpret_u8_u32(vdup_n_u32(four))))));
}
LN_INLINE void vi_store_bytes(unsigned char *p, vint a) {
    const uint16x4_t words = vmovn_u32(vreinterpretq_u32_s32(a));
    const uint32_t   four = vget_lane_u32(vreinterpret_u32_u8(vmovn_u16(vcombine_u16(words, words))), 0);
    memcpy(p, &four, sizeof four);
}
LN_INLINE vint  vi_add(vint a, vint b) { return vaddq_s32(a, b); }
LN_INLINE vint  vi_sub(vint a, vint b) { return vsubq_s32(a, b); }
LN_INLINE vint  vi_and(vint a, vint b) { return vandq_s32(a, b); }
LN_INLINE vint  vi_or(vint a, vint b) { return vorrq_s32(a, b); }
LN_INLINE vint  vi_xor(vint a, vint b) { return veorq_s32(a, b); }
LN_INLINE vmask vi_eq(vint a, vint b) { return vceqq_s32(a, b); }
LN_INLINE vint  vi_mul_low(vint a, vint b) { return vmulq_s32(a, b); }
LN_INLINE vint  vi_mul_high(vint a, vint b) {
    const uint32x4_t x = vreinterpretq_u32_s32(a), y = vreinterpretq_u32_s32(b);
    const uint64x2_t low = vmull_u32(vget_low_u32(x), vget_low_u32(y)), high = vmull_high_u32(x, y);
    return vreinterpretq_s32_u32(vuzp2q_u32(vreinterpretq_u32_u64(low), vreinterpretq_u32_u64(high)));
}
LN_INLINE vint vi_shift_left(vint a, int n) { return vshlq_s32(a, vdupq_n_s32(n)); }
LN_INLINE vint vi_shift_right(vint a, int n) {
    return vreinterpretq_s32_u32(vshlq_u32(vreinterpretq_u32_s32(a), vdupq_n_s32(-n)));
}
LN_INLINE vint vi_shift_right_signed(vint a, int n) { return vshlq_s32(a, vdupq_n_s32(-n)); }
LN_INLINE vint v_round_int(vec a) { return vcvtnq_s32_f32(a); }
LN_INLINE vec  vi_to_real(vint a) { return vcvtq_f32_s32(a); }
LN_INLINE vint v_bits(vec a) { return vreinterpretq_s32_f32(a); }
LN_INLINE vec  v_from_bits(vint a) { return vreinterpretq_f32_s32(a); }

/* Elements i, i+8, then i+4: four partial sums. */
LN_INLINE vec ln_fold4(const lanes *x) {
    return v_add(v_add(v_load(x->of), v_load(x->of + 8)), v_add(v_load(x->of + 4), v_load(x->of + 12)));
}
/* [a0+a2, a1+a3, b0+b2, b1+b3] */
LN_INLINE vec ln_fold2(vec a, vec b) {
    const float64x2_t x = vreinterpretq_f64_f32(a), y = vreinterpretq_f64_f32(b);
    return v_add(vreinterpretq_f32_f64(vzip1q_f64(x, y)), vreinterpretq_f32_f64(vzip2q_f64(x, y)));
}
LN_INLINE real lanes_sum(const lanes *x) {
    const vec s4 = ln_fold4(x);
    return vpadds_f32(vadd_f32(vget_low_f32(s4), vget_high_f32(s4)));
}
LN_INLINE void lanes_sum16(const lanes in[16], real out[16]) {
    for (int k = 0; k < 16; k += 4) {
        const vec ab = ln_fold2(ln_fold4(&in[k]), ln_fold4(&in[k + 1]));
        const vec cd = ln_fold2(ln_fold4(&in[k + 2]), ln_fold4(&in[k + 3]));
        v_store(out + k, vpaddq_f32(ab, cd));
    }
}

/* Blocks of 4×4. */
LN_INLINE void lanes_transpose16(const lanes in[16], lanes out[16]) {
    for (int p = 0; p < 16; p += 4)
        for (int q = 0; q < 16; q += 4) {
            const vec a = v_load(in[p].of + q), b = v_load(in[p + 1].of + q);
            const vec c = v_load(in[p + 2].of + q), d = v_load(in[p + 3].of + q);
            const vec ac0 = vzip1q_f32(a, c), ac1 = vzip2q_f32(a, c), bd0 = vzip1q_f32(b, d), bd1 = vzip2q_f32(b, d);
            v_store(out[q].of + p, vzip1q_f32(ac0, bd0));
            v_store(out[q + 1].of + p, vzip2q_f32(ac0, bd0));
            v_store(out[q + 2].of + p, vzip1q_f32(ac1, bd1));
            v_store(out[q + 3].of + p, vzip2q_f32(ac1, bd1));
        }
}
