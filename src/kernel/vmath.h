/* exp, expm1, log, tanh, sigmoid, softplus, the normal distribution, sin, cos and pow of `vec`.
 *
 * The float sets are made of vec.h's operations alone, so every set with fma gives the same bits; f64 is libm.
 * Denormals are zero here, as everywhere in the library: a denormal argument counts as zero, and a result below 2^-126
 * may come back as zero. NaN gives NaN (pow: as in C). The errors stated are the worst over every float32 that
 * script/ulp printed, in units of the last place of the true value, for sets with fma. */
#ifndef LN_KERNEL_VMATH_H
#define LN_KERNEL_VMATH_H

#include "kernel/vec.h"

#ifdef LN_VEC_F64
#include <math.h>

LN_INLINE vec v_exp(vec x) { return exp(x); }
LN_INLINE vec v_expm1(vec x) { return expm1(x); }
LN_INLINE vec v_log(vec x) { return log(x); }
LN_INLINE vec v_tanh(vec x) { return tanh(x); }
LN_INLINE vec v_sigmoid(vec x) { return 1 / (1 + exp(-x)); }
LN_INLINE vec v_softplus(vec x) { return (x < 0 ? 0 : x) + log1p(exp(-fabs(x))); }
LN_INLINE vec v_normal(vec x, vec *density) {
    *density = exp(-x * x / 2) * 0.39894228040143268;
    return erfc(x * -0.70710678118654752) / 2;
}
LN_INLINE vec v_sin(vec x) { return sin(x); }
LN_INLINE vec v_cos(vec x) { return cos(x); }
LN_INLINE vec v_pow(vec x, vec y) { return pow(x, y); }

#else
#include "base/math.h"

/* c[0] + c[1] x + … + c[n-1] x^(n-1) */
LN_INLINE vec ln_polynomial(vec x, const real *c, int n) {
    vec sum = v_splat(c[n - 1]);
    LN_UNROLL for (int i = n - 2; i >= 0; i--) sum = v_fma(sum, x, v_splat(c[i]));
    return sum;
}

/* low ≤ x ≤ high by force; NaN stays. */
LN_INLINE vec ln_clamp(vec x, real low, real high) { return v_max(v_splat(low), v_min(v_splat(high), x)); }

/* Adding it rounds |x| < 2^22 to a whole number, which then stands in the low bits of the sum. */
#define LN_ROUNDER 12582912.0f /* 1.5 · 2^23 */

/* e^x = 2^n e^r with n whole and |r| ≤ ln 2 / 2: returns e^r - 1 = r + r² q(r) and n + LN_ROUNDER, for |x| < 2^20.
 * ln 2 is split so that n times its first part is exact without fma too; q is a minimax fit, error 1.4e-8 |r|. */
LN_INLINE vec ln_exp_reduced(vec x, vec *n_rounder) {
    static const real q[] = {0.5f, 0.16666545f, 0.0416664034f, 0.00836640596f, 0.00139406603f};
    *n_rounder = v_fma(x, v_splat(1.44269502f), v_splat(LN_ROUNDER));
    const vec n = v_sub(*n_rounder, v_splat(LN_ROUNDER));
    const vec r = v_fma(n, v_splat(-0x1.7f7d1cp-20f), v_fma(n, v_splat(-0x1.62e4p-1f), x));
    return v_fma(v_mul(r, r), ln_polynomial(r, q, 5), r);
}

/* 2^n from n + LN_ROUNDER, -126 ≤ n ≤ 127; 0 for n = -127. */
LN_INLINE vec ln_exp_power(vec n_rounder) {
    return v_from_bits(vi_add(vi_shift_left(v_bits(n_rounder), 23), vi_splat(0x3f800000)));
}

/* e^x; error at most 1.05. */
LN_INLINE vec v_exp(vec x) {
    vec       n;
    const vec t = ln_exp_reduced(ln_clamp(x, -104.0f, 89.0f), &n); /* beyond: surely 0 and infinity */
    return v_scale(v_add(v_splat(1.0f), t), v_sub(n, v_splat(LN_ROUNDER)));
}

/* e^x - 1 = t for n = 0, 2 · (2^(n-1) t + (2^(n-1) - 1/2)) else, as 2^n may not be a float; error at most 1.57. */
LN_INLINE vec v_expm1(vec x) {
    vec       n;
    const vec t = ln_exp_reduced(ln_clamp(x, -87.0f, 89.0f), &n); /* beyond: surely -1 and infinity */
    const vec half = ln_exp_power(v_sub(n, v_splat(1.0f)));
    const vec y = v_fma(half, t, v_sub(half, v_splat(0.5f)));
    return v_select(v_eq(n, v_splat(LN_ROUNDER)), t, v_add(y, y));
}

/* e^x for -88 ≤ x ≤ 0; 0 at -88, where n is -127. */
LN_INLINE vec ln_exp_below(vec x) {
    vec       n;
    const vec t = ln_exp_reduced(x, &n), power = ln_exp_power(n);
    return v_fma(power, t, power);
}

/* e^-|x| */
LN_INLINE vec ln_exp_tent(vec x) { return ln_exp_below(v_neg(v_min(v_splat(88.0f), v_abs(x)))); }

/* With e = e^-|x|: 1 / (1 + e), for negative x e / (1 + e); error at most 2.41. */
LN_INLINE vec v_sigmoid(vec x) {
    const vec one = v_splat(1.0f), e = ln_exp_tent(x);
    return v_div(v_select(v_lt(x, v_zero()), e, one), v_add(one, e));
}

/* log(1 + e^x) = max(x, 0) + log(1 + e) with e = e^-|x|, log(1 + e) = e + e² p(e), a minimax fit of relative error
 * 2e-8; error at most 2.01. */
LN_INLINE vec v_softplus(vec x) {
    static const real p[] = {-0.499999315f, 0.33330512f,    -0.249585882f, 0.196954012f, -0.153553978f,
                             0.10680557f,   -0.0576644614f, 0.0202045944f, -0.0033184744f};
    const vec e = ln_exp_tent(x);
    return v_add(v_max(v_zero(), x), v_fma(v_mul(e, e), ln_polynomial(e, p, 9), e));
}

/* Φ(x), the share of a standard normal below x, and its density φ(x) = e^(-x²/2) / √(2π); absolute errors at most
 * 9.8e-8 and 4.7e-8. With a = |x|: Φ(-a) = e^(-a²/2) p(a), where p is a minimax fit that keeps a Φ(-a) to 3.2e-8; from
 * 13.26 on, where a²/2 is 88, both are 0. */
LN_INLINE vec v_normal(vec x, vec *density) {
    static const real p[] = {0.5f,            -0.398941398f,    0.249985233f,    -0.132882416f,   0.0621601492f,
                             -0.0258941539f,  0.00947383326f,   -0.00292788446f, 0.000722510973f, -0.00013317143f,
                             1.68832485e-05f, -1.29593627e-06f, 4.49979183e-08f};
    const vec a = v_min(v_splat(13.26f), v_abs(x));
    const vec e = ln_exp_below(v_mul(v_mul(a, v_splat(-0.5f)), a)), tail = v_mul(e, ln_polynomial(a, p, 13));
    *density = v_mul(e, v_splat(0.398942280f));
    return v_select(v_lt(x, v_zero()), tail, v_sub(v_splat(1.0f), tail));
}

/* g / (g + 2) with g = e^2|x| - 1 = 2^n (e^r - 1) + (2^n - 1), or |x| + |x|³ p(x²) below a half, and the sign of x;
 * error at most 1.50. */
LN_INLINE vec v_tanh(vec x) {
    static const real p[] = {-0.333331466f, 0.133259252f, -0.0530475453f, 0.0172435399f};
    vec        n;
    const vec  magnitude = v_min(v_splat(10.0f), v_abs(x)); /* beyond: 1 */
    const vec  t = ln_exp_reduced(v_add(magnitude, magnitude), &n);
    const vec  power = ln_exp_power(n);
    const vec  g = v_fma(power, t, v_sub(power, v_splat(1.0f)));
    const vec  x2 = v_mul(magnitude, magnitude);
    const vec  small = v_fma(v_mul(magnitude, x2), ln_polynomial(x2, p, 4), magnitude);
    const vec  y = v_select(v_lt(magnitude, v_splat(0.5f)), small, v_div(g, v_add(g, v_splat(2.0f))));
    const vint sign = vi_and(v_bits(x), v_bits(v_splat(-0.0f)));
    return v_from_bits(vi_or(v_bits(y), sign));
}

/* x = 2^exponent · m with √½ ≤ m < √2, for x normal. */
LN_INLINE vec ln_split_exponent(vec x, vec *m) {
    const vint bits = v_bits(x), n = vi_shift_right_signed(vi_sub(bits, vi_splat(0x3f3504f3)), 23);
    *m = v_from_bits(vi_sub(bits, vi_shift_left(n, 23)));
    return vi_to_real(n);
}

/* The natural logarithm; -inf at 0, NaN below; error at most 0.87.
 * With f = m - 1: log m = f - f²/2 + f³ p(f), a minimax fit of relative error 6e-9. */
LN_INLINE vec v_log(vec x) {
    static const real p[] = {0.333333164f, -0.250008106f, 0.20002301f,  -0.166245565f,
                             0.141809657f, -0.131285578f, 0.128827393f, -0.07861159f};
    vec       m;
    const vec n = ln_split_exponent(x, &m), f = v_sub(m, v_splat(1.0f)), f2 = v_mul(f, f);
    const vec low = v_fma(n, v_splat(0x1.7f7d1cp-20f), v_mul(v_mul(f2, f), ln_polynomial(f, p, 8)));
    const vec y = v_fma(n, v_splat(0x1.62e4p-1f), v_add(f, v_fma(f2, v_splat(-0.5f), low)));
    const vec infinity = v_splat(__builtin_inff());
    const vec positive = v_select(v_lt(x, v_splat(0x1p-126f)), v_neg(infinity), y);
    const vec any = v_select(v_lt(x, v_zero()), v_splat(__builtin_nanf("")), positive);
    return v_select(v_lt(x, infinity), any, x);
}

/* f(x) in the elements whose bit is set in which. */
LN_INLINE vec ln_each(unsigned which, real (*f)(real), vec x, vec otherwise) {
    real arguments[LN_WIDTH], values[LN_WIDTH];
    v_store(arguments, x);
    v_store(values, otherwise);
    for (int i = 0; i < LN_WIDTH; i++)
        if (which >> i & 1) values[i] = f(arguments[i]);
    return v_load(values);
}

/* sin(x + turn π/2) for 0 ≤ x ≤ LN_SINE_LIMIT, without the sign: x = n π/2 + r, |r| ≤ π/4; sin r or cos r as n + turn
 * is even or odd, minus where its second bit is set (returned as a sign bit). */
LN_INLINE vec ln_sine(vec x, int32_t turn, vint *sign) {
    static const real s[] = {-0.166666552f, 0.0083321901f, -0.000195184082f};
    static const real c[] = {0.0416666456f, -0.00138873013f, 2.44306684e-05f};
    const vec  n_rounder = v_fma(x, v_splat(0.636619747f), v_splat(LN_ROUNDER));
    const vec  n = v_sub(n_rounder, v_splat(LN_ROUNDER));
    const vint quarter = vi_add(v_bits(n_rounder), vi_splat(turn));
#ifdef LN_NOFMA /* three parts of 13 bits, whose products with n ≤ 2^11 are exact, and a fourth */
    vec r = v_sub(x, v_mul(n, v_splat(0x1.921p+0f)));
    r = v_sub(r, v_mul(n, v_splat(0x1.f6ap-13f)));
    r = v_sub(r, v_mul(n, v_splat(0x1.11p-26f)));
    r = v_sub(r, v_mul(n, v_splat(0x1.68c234p-39f)));
#else
    vec r = v_fma(n, v_splat(-0x1.921fb6p+0f), x);
    r = v_fma(n, v_splat(0x1.777a5cp-25f), r);
    r = v_fma(n, v_splat(0x1.ee59dap-50f), r);
#endif
    const vec r2 = v_mul(r, r);
    const vec sine = v_fma(v_mul(r, r2), ln_polynomial(r2, s, 3), r);
    const vec cosine = v_fma(v_mul(r2, r2), ln_polynomial(r2, c, 3), v_fma(r2, v_splat(-0.5f), v_splat(1.0f)));
    *sign = vi_shift_left(vi_and(quarter, vi_splat(2)), 30);
    return v_select(vi_eq(vi_and(quarter, vi_splat(1)), vi_splat(0)), sine, cosine);
}

/* Beyond it base/math.h reduces x with as many digits of π as it needs: right, but slow. */
#ifdef LN_NOFMA
#define LN_SINE_LIMIT 3e3f
#else
#define LN_SINE_LIMIT 1e5f
#endif

/* Any finite x; NaN at infinity; error at most 1.56. */
LN_INLINE vec v_sin(vec x) {
    vint           sign;
    const vec      magnitude = v_abs(x);
    const vec      sine = ln_sine(magnitude, 0, &sign);
    const vint     own = vi_and(v_bits(x), v_bits(v_splat(-0.0f)));
    const vec      y = v_from_bits(vi_xor(v_bits(sine), vi_xor(sign, own)));
    const unsigned far = mask_bits(v_gt(magnitude, v_splat(LN_SINE_LIMIT)));
    return far ? ln_each(far, ln_sinf, x, y) : y;
}

/* Any finite x; NaN at infinity; error at most 1.57. */
LN_INLINE vec v_cos(vec x) {
    vint           sign;
    const vec      magnitude = v_abs(x);
    const vec      sine = ln_sine(magnitude, 1, &sign);
    const vec      y = v_from_bits(vi_xor(v_bits(sine), sign));
    const unsigned far = mask_bits(v_gt(magnitude, v_splat(LN_SINE_LIMIT)));
    return far ? ln_each(far, ln_cosf, x, y) : y;
}

/* a·b - p, where p is a·b rounded. */
LN_INLINE vec ln_product_error(vec a, vec b, vec p) {
#ifdef LN_NOFMA /* Dekker 1971: halves of 12 bits */
    const vec a_big = v_mul(a, v_splat(4097.0f)), b_big = v_mul(b, v_splat(4097.0f));
    const vec ah = v_sub(a_big, v_sub(a_big, a)), al = v_sub(a, ah);
    const vec bh = v_sub(b_big, v_sub(b_big, b)), bl = v_sub(b, bh);
    return v_add(v_mul(al, bl), v_add(v_add(v_sub(v_mul(ah, bh), p), v_mul(ah, bl)), v_mul(al, bh)));
#else
    return v_fma(a, b, v_neg(p));
#endif
}

/* log2 x as high + low, some 33 bits, for x normal. With s = (m-1)/(m+1): log m = 2s + s³ p(s²). */
LN_INLINE vec ln_log2_pair(vec x, vec *low) {
    static const real p[] = {0.666666627f, 0.400009722f, 0.284987867f, 0.242792234f};
    const vec one = v_splat(1.0f), log2e = v_splat(0x1.715476p+0f);
    vec       m;
    const vec n = ln_split_exponent(x, &m);
    const vec f = v_sub(m, one), d = v_add(m, one), d_low = v_sub(m, v_sub(d, one));
    const vec s = v_div(f, d), product = v_mul(s, d);
    const vec rest = v_sub(v_sub(v_sub(f, product), ln_product_error(s, d, product)), v_mul(s, d_low));
    const vec s_low = v_div(rest, d), s2 = v_mul(s, s);
    const vec tail = v_fma(v_mul(s2, s), ln_polynomial(s2, p, 4), v_add(s_low, s_low));
    const vec twice = v_add(s, s), high = v_mul(twice, log2e);
    const vec rounding = ln_product_error(twice, log2e, high); /* and log2e itself is rounded */
    const vec small = v_add(rounding, v_fma(twice, v_splat(0x1.4ae0cp-26f), v_mul(tail, log2e)));
    const vec sum = v_add(n, high), sum_low = v_add(v_sub(high, v_sub(sum, n)), small);
    const vec total = v_add(sum, sum_low);
    *low = v_sub(sum_low, v_sub(total, sum));
    return total;
}

/* 2^(high + low) for |high| ≤ 200. */
LN_INLINE vec ln_exp2_pair(vec high, vec low) {
    static const real q[] = {0.693147182f,   0.240226507f,   0.0555040613f, 0.00961808767f,
                             0.00133366568f, 0.000154518595f, 1.46748898e-05f};
    const vec n = v_sub(v_add(high, v_splat(LN_ROUNDER)), v_splat(LN_ROUNDER));
    const vec r = v_add(v_sub(high, n), low);
    return v_scale(v_fma(ln_polynomial(r, q, 7), r, v_splat(1.0f)), n);
}

/* x^y with C's special cases (pow(x, 0) = pow(1, y) = 1 even for NaN; NaN for x < 0 and y not whole); error at most
 * 5.9 over the sample of script/ulp. */
LN_INLINE vec v_pow(vec x, vec y) {
    const vec one = v_splat(1.0f), infinity = v_splat(__builtin_inff()), magnitude = v_abs(x);
    vec log_low;
    vec log_high = ln_log2_pair(magnitude, &log_low);
    log_high = v_select(v_lt(magnitude, v_splat(0x1p-126f)), v_neg(infinity), log_high);
    log_high = v_select(v_eq(magnitude, infinity), infinity, log_high);
    const vec high = v_mul(y, log_high);
    const vec exact_low = v_fma(y, log_low, ln_product_error(y, log_high, high));
    const vec low = v_select(v_lt(v_abs(high), v_splat(190.0f)), exact_low, v_zero());
    vec       z = ln_exp2_pair(ln_clamp(high, -200.0f, 200.0f), low);
    z = v_select(v_eq(magnitude, one), one, z);

    const vec   small_y = ln_clamp(y, -0x1p25f, 0x1p25f); /* from 2^24 on every float is whole and even */
    const vint  whole = v_round_int(small_y);
    const vmask is_whole = v_eq(vi_to_real(whole), small_y);
    const vint  odd = vi_and(v_bits(v_select(is_whole, v_from_bits(vi_shift_left(whole, 31)), v_zero())), v_bits(x));
    z = v_from_bits(vi_xor(v_bits(z), odd));
    const vmask negative = mask_and(v_lt(x, v_zero()), v_lt(magnitude, infinity));
    z = v_select(mask_and(negative, mask_not(is_whole)), v_splat(__builtin_nanf("")), z);

    z = v_select(mask_or(v_is_nan(x), v_is_nan(y)), v_add(x, y), z);
    return v_select(mask_or(v_eq(y, v_zero()), v_eq(x, one)), one, z);
}

#undef LN_ROUNDER
#undef LN_SINE_LIMIT
#endif
#endif
