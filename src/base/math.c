/* Elementary functions in double: reduction to a small argument, then its Taylor series.
 *
 * Compiled without contraction of a·b + c, so that every machine rounds alike. */
#include "base/math.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

#define LN_2_HIGH 0x1.62e42feep-1 /* ln 2 = high + low; n·high is exact for |n| < 2^21 */
#define LN_2_LOW 0x1.a39ef35793c76p-33
#define LN_PI 0x1.921fb54442d18p+1

static double from_bits(uint64_t bits) {
    double x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static uint64_t bits_of(double x) {
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

/* c[0] + c[1] x + … + c[n-1] x^(n-1) */
static double polynomial(double x, const double *c, int n) {
    double sum = c[n - 1];
    for (int i = n - 2; i >= 0; i--) sum = sum * x + c[i];
    return sum;
}

/* e^x = 2^n e^r with |r| ≤ ln 2 / 2 */
double ln_exp_double(double x) {
    static const double c[] = {
        1.0,        1.0,         1.0 / 2,      1.0 / 6,       1.0 / 24,       1.0 / 120,       1.0 / 720,
        1.0 / 5040, 1.0 / 40320, 1.0 / 362880, 1.0 / 3628800, 1.0 / 39916800, 1.0 / 479001600, 1.0 / 6227020800};
    if (isnan(x)) return x;
    if (x > 709.7) return (double)INFINITY;
    if (x < -708.0) return 0;
    const double n = floor(x * 1.4426950408889634 + 0.5);
    const double r = (x - n * LN_2_HIGH) - n * LN_2_LOW;
    const double y = polynomial(r, c, 14);
    /* Two factors: 2^1024 is not a double. */
    const int whole = (int)n, half = whole / 2;
    return y * from_bits((uint64_t)(half + 1023) << 52) * from_bits((uint64_t)(whole - half + 1023) << 52);
}

/* x = 2^n m with √½ ≤ m < √2; log m = 2 atanh s with s = (m - 1) / (m + 1) */
double ln_log_double(double x) {
    static const double c[] = {2.0,      2.0 / 3,  2.0 / 5,  2.0 / 7,  2.0 / 9, 2.0 / 11,
                               2.0 / 13, 2.0 / 15, 2.0 / 17, 2.0 / 19, 2.0 / 21};
    if (isnan(x) || (isinf(x) && x > 0)) return x;
    if (x < 0) return (double)NAN;
    if (x < 0x1p-1022) return (double)-INFINITY;
    const uint64_t bits = bits_of(x), root = 0x3fe6a09e667f3bcdu; /* √½ */
    const int64_t  n = (int64_t)(bits - root) >> 52;
    const double   m = from_bits(bits - ((uint64_t)n << 52));
    const double   s = (m - 1) / (m + 1);
    return (double)n * LN_2_HIGH + (s * polynomial(s * s, c, 11) + (double)n * LN_2_LOW);
}

/* sin r and cos r for |r| ≤ π/4 */
static double sine(double r) {
    static const double c[] = {1.0,
                               -1.0 / 6,
                               1.0 / 120,
                               -1.0 / 5040,
                               1.0 / 362880,
                               -1.0 / 39916800,
                               1.0 / 6227020800,
                               -1.0 / 1307674368000,
                               1.0 / 355687428096000};
    return r * polynomial(r * r, c, 9);
}

static double cosine(double r) {
    static const double c[] = {1.0,
                               -1.0 / 2,
                               1.0 / 24,
                               -1.0 / 720,
                               1.0 / 40320,
                               -1.0 / 3628800,
                               1.0 / 479001600,
                               -1.0 / 87178291200,
                               1.0 / 20922789888000};
    return polynomial(r * r, c, 9);
}

double ln_cos_pi(double x) {
    if (x > 0.5) return -ln_cos_pi(1 - x);
    return x <= 0.25 ? cosine(LN_PI * x) : sine(LN_PI * (0.5 - x));
}

/* The bits of 2/π, after a word of zeros. */
static const uint32_t two_over_pi[] = {0,          0xa2f9836e, 0x4e441529, 0xfc2757d1,
                                       0xf534ddc0, 0xdb629599, 0x3c439041, 0xfe5163ab};

/* x = π/2 · quarter + remainder with |remainder| ≤ π/4, for finite |x| ≥ 2^-7 (after Payne and Hanek, 1983): with
 * x = mantissa · 2^e, digits of 2/π worth whole turns are left out, and 96 of the following multiplied by mantissa. */
static double reduce(float x, unsigned *quarter) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const uint64_t mantissa = (bits & 0x7fffffu) | 0x800000u;
    const unsigned first = (bits >> 23 & 0xffu) - 150u + 30u; /* x/2π = mantissa · 2^(e-2) · 2/π */
    uint64_t       digits[3];
    for (unsigned i = 0; i < 3; i++) {
        const uint64_t pair = (uint64_t)two_over_pi[first / 32 + i] << 32 | two_over_pi[first / 32 + i + 1];
        digits[i] = pair >> (32 - first % 32) & 0xffffffffu;
    }
    const uint64_t turn = (digits[0] * mantissa << 32) + digits[1] * mantissa + (digits[2] * mantissa >> 32);
    const uint64_t nearest = (turn + (UINT64_C(1) << 61)) >> 62;
    const double   remainder = (double)(int64_t)(turn - (nearest << 62)) * 0x1p-64 * (2 * LN_PI);
    *quarter = (unsigned)nearest;
    if (x >= 0) return remainder;
    *quarter = 0u - *quarter;
    return -remainder;
}

/* sin(x + turn π/2) */
static float sine_of(float x, unsigned turn) {
    if (!isfinite(x)) return x - x;
    unsigned quarter = 0;
    double   r = (double)x;
    if (fabsf(x) > 0.75f) r = reduce(x, &quarter);
    quarter += turn;
    const double y = quarter & 1 ? cosine(r) : sine(r);
    return (float)(quarter & 2 ? -y : y);
}

float ln_sinf(float x) { return sine_of(x, 0); }
float ln_cosf(float x) { return sine_of(x, 1); }
float ln_expf(float x) { return (float)ln_exp_double((double)x); }
float ln_logf(float x) { return (float)ln_log_double((double)x); }

float ln_tanhf(float x) {
    const double a = fabs((double)x);
    double       y;
    if (a < 1e-3) { /* where e^2a - 1 would cancel */
        y = a - a * a * a / 3;
    } else {
        const double e = ln_exp_double(2 * fmin(a, 20.0));
        y = (e - 1) / (e + 1);
    }
    return isnan(x) ? x : (float)(signbit(x) ? -y : y);
}

/* Whether y is a whole number, and an odd one. */
static int is_whole(float y) { return isinf(y) || floorf(y) == y; }
static int is_odd(float y) { return fabsf(y) < 0x1p24f && is_whole(y) && ((int32_t)y & 1); }

float ln_powf(float x, float y) {
    if (y == 0 || x == 1) return 1;
    if (isnan(x) || isnan(y)) return x + y;
    const double a = fabs((double)x);
    if (x < 0 && !isinf(x) && !is_whole(y)) return NAN;
    double z;
    if (a == 1) z = 1; /* also for infinite y */
    else z = ln_exp_double((double)y * ln_log_double(a));
    return (float)(signbit(x) && is_odd(y) ? -z : z);
}

size_t ln_first_not_finite(const float *values, size_t n) {
    size_t i = 0;
    while (i < n && isfinite(values[i])) i++;
    return i;
}
