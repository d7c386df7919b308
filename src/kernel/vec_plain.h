/* vec.h in plain C: one float (LN_VEC_PLAIN) or one double (LN_VEC_F64). */
#include <string.h>

#define LN_WIDTH 1
typedef real     vec;
typedef unsigned vmask; /* 0 or 1 */
typedef int32_t  vint;

#if defined(LN_VEC_F64)
LN_INLINE vec  v_fma(vec a, vec b, vec c) { return a * b + c; }
LN_INLINE vec  v_sqrt(vec a) { return __builtin_sqrt(a); }
LN_INLINE vec  v_abs(vec a) { return __builtin_fabs(a); }
LN_INLINE vint v_round_int(vec a) { return (vint)__builtin_lrint(a); }
#else
#ifdef LN_NOFMA
LN_INLINE vec v_fma(vec a, vec b, vec c) { return a * b + c; }
#else
LN_INLINE vec v_fma(vec a, vec b, vec c) { return __builtin_fmaf(a, b, c); }
#endif
LN_INLINE vec  v_sqrt(vec a) { return __builtin_sqrtf(a); }
LN_INLINE vec  v_abs(vec a) { return __builtin_fabsf(a); }
LN_INLINE vint v_round_int(vec a) { return (vint)__builtin_lrintf(a); }
LN_INLINE vint v_bits(vec a) {
    vint bits;
    memcpy(&bits, &a, sizeof bits);
    return bits;
}
LN_INLINE vec v_from_bits(vint bits) {
    vec a;
    memcpy(&a, &bits, sizeof a);
    return a;
}
#endif

LN_INLINE vec  v_zero(void) { return 0; }
LN_INLINE vec  v_load(const real *p) { return *p; }
LN_INLINE void v_store(real *p, vec a) { *p = a; }
LN_INLINE void v_stream(real *p, vec a) { *p = a; }
LN_INLINE void v_stream_end(void) {}
LN_INLINE vec  v_splat(real x) { return x; }
LN_INLINE vec  v_broadcast(const real *p) { return *p; }
LN_INLINE vec  v_add(vec a, vec b) { return a + b; }
LN_INLINE vec  v_sub(vec a, vec b) { return a - b; }
LN_INLINE vec  v_mul(vec a, vec b) { return a * b; }
LN_INLINE vec  v_div(vec a, vec b) { return a / b; }
LN_INLINE vec  v_neg(vec a) { return -a; }
LN_INLINE vec  v_max(vec a, vec b) { return a > b ? a : b; }
LN_INLINE vec  v_min(vec a, vec b) { return a < b ? a : b; }

LN_INLINE vmask v_lt(vec a, vec b) { return a < b; }
LN_INLINE vmask v_le(vec a, vec b) { return a <= b; }
LN_INLINE vmask v_gt(vec a, vec b) { return a > b; }
LN_INLINE vmask v_ge(vec a, vec b) { return a >= b; }
LN_INLINE vmask v_eq(vec a, vec b) { return a == b; }
LN_INLINE vmask v_is_nan(vec a) { return a != a; }
LN_INLINE vmask mask_and(vmask a, vmask b) { return a & b; }
LN_INLINE vmask mask_or(vmask a, vmask b) { return a | b; }
LN_INLINE vmask mask_not(vmask a) { return a ^ 1; }
LN_INLINE unsigned mask_bits(vmask a) { return a; }
LN_INLINE vmask mask_from_bits(unsigned bits) { return bits & 1; }
LN_INLINE vec   v_select(vmask m, vec if_set, vec if_clear) { return m ? if_set : if_clear; }

LN_INLINE vint  vi_splat(int32_t x) { return x; }
LN_INLINE vint  vi_load(const int32_t *p) { return *p; }
LN_INLINE void  vi_store(int32_t *p, vint a) { *p = a; }
LN_INLINE vint  vi_load_bytes(const unsigned char *p) { return *p; }
LN_INLINE void  vi_store_bytes(unsigned char *p, vint a) { *p = (unsigned char)a; }
LN_INLINE vint  vi_add(vint a, vint b) { return (vint)((uint32_t)a + (uint32_t)b); }
LN_INLINE vint  vi_sub(vint a, vint b) { return (vint)((uint32_t)a - (uint32_t)b); }
LN_INLINE vint  vi_and(vint a, vint b) { return a & b; }
LN_INLINE vint  vi_or(vint a, vint b) { return a | b; }
LN_INLINE vint  vi_xor(vint a, vint b) { return a ^ b; }
LN_INLINE vmask vi_eq(vint a, vint b) { return a == b; }
LN_INLINE vint  vi_mul_low(vint a, vint b) { return (vint)((uint32_t)a * (uint32_t)b); }
LN_INLINE vint  vi_mul_high(vint a, vint b) { return (vint)((uint64_t)(uint32_t)a * (uint32_t)b >> 32); }
LN_INLINE vint  vi_shift_left(vint a, int n) { return (vint)((uint32_t)a << n); }
LN_INLINE vint  vi_shift_right(vint a, int n) { return (vint)((uint32_t)a >> n); }
LN_INLINE vint  vi_shift_right_signed(vint a, int n) { return a >> n; }
LN_INLINE vec   vi_to_real(vint a) { return (vec)a; }

LN_INLINE real lanes_sum(const lanes *x) {
    real s[8];
    for (int i = 0; i < 8; i++) s[i] = x->of[i] + x->of[i + 8];
    for (int i = 0; i < 4; i++) s[i] += s[i + 4];
    return (s[0] + s[2]) + (s[1] + s[3]);
}
LN_INLINE void lanes_sum16(const lanes in[16], real out[16]) {
    for (int k = 0; k < 16; k++) out[k] = lanes_sum(&in[k]);
}
LN_INLINE void lanes_transpose16(const lanes in[16], lanes out[16]) {
    for (int i = 0; i < 16; i++)
        for (int j = 0; j < 16; j++) out[i].of[j] = in[j].of[i];
}
