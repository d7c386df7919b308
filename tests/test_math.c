/* kernel/vmath.h and base/math.h: special values, nearness to the C library, and the same bits from every instruction
 * set, which a digest fixes across machines. script/ulp measures every float. */
#include "base/math.h"
#include "base/random.h"
#include "vec_probes.h"

#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define INF INFINITY
#define PI 3.14159265358979323846

static uint32_t bits_of(float x) {
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits;
}

static void assert_same(float got, float want) {
    if (isnan(want)) assert_true(isnan(got));
    else assert_int_equal(bits_of(got), bits_of(want));
}

/* In units of the last place of a float at want. */
static double ulps(float got, double want) {
    if (isinf(want) || fabs(want) > (double)FLT_MAX) return isinf(got) && (got > 0) == (want > 0) ? 0 : INF;
    if (fabs(want) < 0x1.000008p-126) return fabs((double)got) <= 0x1.000008p-126 ? 0 : INF;
    return fabs((double)got - want) / ldexp(1, ilogb(want) - 23);
}

static float one(void (*run)(const float *, float *), float x) {
    float in[16], out[16];
    for (int i = 0; i < 16; i++) in[i] = x;
    run(in, out);
    for (int i = 1; i < 16; i++) assert_same(out[i], out[0]);
    return out[0];
}

static float power(const vec_probe *p, float x, float y) {
    float a[16], b[16], out[16];
    for (int i = 0; i < 16; i++) a[i] = x, b[i] = y;
    p->binary[PROBE_B_pow](a, b, out);
    return out[0];
}

#define FOR_PROBES(p)                               \
    for (int isa_ = 0; isa_ < LN_ISA_COUNT; isa_++) \
        for (const vec_probe *p = probe_of((ln_isa)isa_); p; p = NULL)

static const struct {
    int   function;
    float x, y;
} specials[] = {
    {PROBE_exp, 0, 1},           {PROBE_exp, -0.0F, 1},
    {PROBE_exp, INF, INF},       {PROBE_exp, -INF, 0},
    {PROBE_exp, NAN, NAN},       {PROBE_exp, 88.8F, INF},
    {PROBE_exp, FLT_MAX, INF},   {PROBE_exp, -FLT_MAX, 0},
    {PROBE_exp, -110, 0},        {PROBE_log, 1, 0},
    {PROBE_log, 0, -INF},        {PROBE_log, -0.0F, -INF},
    {PROBE_log, -1, NAN},        {PROBE_log, -INF, NAN},
    {PROBE_log, INF, INF},       {PROBE_log, NAN, NAN},
    {PROBE_tanh, 0, 0},          {PROBE_tanh, -0.0F, -0.0F},
    {PROBE_tanh, INF, 1},        {PROBE_tanh, -INF, -1},
    {PROBE_tanh, NAN, NAN},      {PROBE_tanh, 1e10F, 1},
    {PROBE_tanh, -20, -1},       {PROBE_tanh, 0x1p-126F, 0x1p-126F},
    {PROBE_sigmoid, 0, 0.5F},    {PROBE_sigmoid, INF, 1},
    {PROBE_sigmoid, -INF, 0},    {PROBE_sigmoid, NAN, NAN},
    {PROBE_sigmoid, 1e10F, 1},   {PROBE_sigmoid, -1e10F, 0},
    {PROBE_sin, 0, 0},           {PROBE_sin, -0.0F, -0.0F},
    {PROBE_sin, INF, NAN},       {PROBE_sin, -INF, NAN},
    {PROBE_sin, NAN, NAN},       {PROBE_sin, 0x1p-126F, 0x1p-126F},
    {PROBE_cos, 0, 1},           {PROBE_cos, INF, NAN},
    {PROBE_cos, -INF, NAN},      {PROBE_cos, NAN, NAN},
    {PROBE_expm1, 0, 0},         {PROBE_expm1, -0.0F, 0},
    {PROBE_expm1, INF, INF},     {PROBE_expm1, -INF, -1},
    {PROBE_expm1, NAN, NAN},     {PROBE_expm1, 88.8F, INF},
    {PROBE_expm1, -100, -1},     {PROBE_expm1, 0x1p-126F, 0x1p-126F},
    {PROBE_softplus, INF, INF},  {PROBE_softplus, -INF, 0},
    {PROBE_softplus, NAN, NAN},  {PROBE_softplus, 1e10F, 1e10F},
    {PROBE_softplus, -1e10F, 0}, {PROBE_share, 0, 0.5F},
    {PROBE_share, INF, 1},       {PROBE_share, -INF, 0},
    {PROBE_share, NAN, NAN},     {PROBE_share, 1e30F, 1},
    {PROBE_share, -1e30F, 0},    {PROBE_density, INF, 0},
    {PROBE_density, -INF, 0},    {PROBE_density, NAN, NAN},
    {PROBE_density, 14, 0},
};

static void test_special_values(void **state) {
    (void)state;
    float (*const base[PROBE_N_UNARY])(float) = {[PROBE_exp] = ln_expf,
                                                 [PROBE_log] = ln_logf,
                                                 [PROBE_tanh] = ln_tanhf,
                                                 [PROBE_sin] = ln_sinf,
                                                 [PROBE_cos] = ln_cosf};
    for (size_t i = 0; i < sizeof specials / sizeof *specials; i++) {
        const int f = specials[i].function;
        FOR_PROBES(p) assert_same(one(p->unary[f], specials[i].x), specials[i].y);
        if (base[f]) assert_same(base[f](specials[i].x), specials[i].y);
    }
}

/* All pairs of interesting numbers, against C's pow. */
static void test_pow_special_values(void **state) {
    (void)state;
    static const float x[] = {0, -0.0F, 1, -1, 2, -2, 0.5F, -0.5F, INF, -INF, NAN, FLT_MAX, -FLT_MAX, 0x1p-126F, 10};
    static const float y[] = {0,    -0.0F, 1,    -1,  2,    -2,    3,           -3,          0.5F,  -0.5F,  126,
                              -127, INF,   -INF, NAN, 1e9F, -1e9F, 16777215.0F, 16777216.0F, 1e30F, -1e30F, 2.5F};
    for (size_t i = 0; i < sizeof x / sizeof *x; i++)
        for (size_t j = 0; j < sizeof y / sizeof *y; j++) {
            const double want = pow((double)x[i], (double)y[j]);
            float        got[LN_ISA_COUNT + 1];
            int          n = 0;
            FOR_PROBES(p) got[n++] = power(p, x[i], y[j]);
            got[n++] = ln_powf(x[i], y[j]);
            for (int k = 0; k < n; k++) {
                if (isnan(want)) {
                    assert_true(isnan(got[k]));
                } else {
                    assert_true(ulps(got[k], want) < 7);
                    if (fabs(want) >= 0x1p-126 || want == 0) assert_int_equal(!signbit(got[k]), !signbit(want));
                }
            }
        }
}

static double sigmoid(double x) { return 1 / (1 + exp(-x)); }
static double softplus(double x) { return fmax(x, 0) + log1p(exp(-fabs(x))); }
static double share(double x) { return erfc(-x / sqrt(2)) / 2; }
static double density(double x) { return exp(-x * x / 2) / sqrt(2 * PI); }

typedef struct bound {
    int function;
    double (*truth)(double);
    float  low, high;
    double error;
} bound;

/* The bounds of the docstrings (rounded up), over numbers spread by value and by exponent. */
static const bound bounds[] = {
    {PROBE_exp, exp, -90, 90, 1.05},          {PROBE_exp, exp, -0.01F, 0.01F, 1.05},
    {PROBE_log, log, 0x1p-126F, 1e-30F, 0.9}, {PROBE_log, log, 0.5F, 2, 0.9},
    {PROBE_log, log, 1, 3e38F, 0.9},          {PROBE_tanh, tanh, -11, 11, 1.5},
    {PROBE_tanh, tanh, -0.6F, 0.6F, 1.5},     {PROBE_tanh, tanh, -1e-5F, 1e-5F, 1.5},
    {PROBE_sigmoid, sigmoid, -90, 90, 2.5},   {PROBE_sigmoid, sigmoid, -5, 5, 2.5},
    {PROBE_sin, sin, -10, 10, 1.6},           {PROBE_sin, sin, -2e5F, 2e5F, 1.6},
    {PROBE_sin, sin, -1e-4F, 1e-4F, 1.6},     {PROBE_sin, sin, 1e5F, FLT_MAX, 1.6},
    {PROBE_cos, cos, -10, 10, 1.6},           {PROBE_cos, cos, -2e5F, 2e5F, 1.6},
    {PROBE_cos, cos, 1e5F, FLT_MAX, 1.6},     {PROBE_expm1, expm1, -90, 90, 1.6},
    {PROBE_expm1, expm1, -1, 1, 1.6},         {PROBE_expm1, expm1, -1e-5F, 1e-5F, 1.6},
    {PROBE_softplus, softplus, -90, 90, 2.1}, {PROBE_softplus, softplus, -2, 2, 2.1},
};

static void fill_between(float low, float high, uint64_t number, float out[16]) {
    ln_random random = ln_random_at(3, LN_RANDOM_CHECK, bits_of(low) ^ bits_of(high), number);
    for (int i = 0; i < 16; i++) out[i] = low + (high - low) * (float)ln_random_uniform(&random);
}

static void test_near_the_c_library(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof bounds / sizeof *bounds; k++)
        for (uint64_t n = 0; n < 2000; n++) {
            float x[16], y[16];
            fill_between(bounds[k].low, bounds[k].high, n, x);
            FOR_PROBES(p) {
                p->unary[bounds[k].function](x, y);
                for (int i = 0; i < 16; i++) assert_true(ulps(y[i], bounds[k].truth((double)x[i])) <= bounds[k].error);
            }
        }
}

/* The errors of the normal distribution are absolute, here in units of 2^-24. */
static void test_normal_near_the_c_library(void **state) {
    (void)state;
    for (uint64_t n = 0; n < 4000; n++) {
        float x[16], y[16];
        fill_between(n % 2 ? -15 : -3, n % 2 ? 15 : 3, n, x);
        FOR_PROBES(p) {
            p->unary[PROBE_share](x, y);
            for (int i = 0; i < 16; i++) assert_true(fabs((double)y[i] - share((double)x[i])) <= 1.64 * 0x1p-24);
            p->unary[PROBE_density](x, y);
            for (int i = 0; i < 16; i++) assert_true(fabs((double)y[i] - density((double)x[i])) <= 0.78 * 0x1p-24);
        }
    }
}

static void test_base_near_the_c_library(void **state) {
    (void)state;
    const struct {
        float (*ours)(float);
        double (*truth)(double);
        float low, high;
    } cases[] = {
        {ln_expf, exp, -87, 88.7F},  {ln_logf, log, 0x1p-126F, 3},    {ln_logf, log, 0.9F, 1.1F},
        {ln_tanhf, tanh, -10, 10},   {ln_tanhf, tanh, -2e-3F, 2e-3F}, {ln_sinf, sin, -10, 10},
        {ln_sinf, sin, -1e9F, 1e9F}, {ln_sinf, sin, 0, FLT_MAX},      {ln_cosf, cos, -10, 10},
        {ln_cosf, cos, -1e9F, 1e9F}, {ln_cosf, cos, 0, FLT_MAX},
    };
    for (size_t k = 0; k < sizeof cases / sizeof *cases; k++)
        for (uint64_t n = 0; n < 500; n++) {
            float x[16];
            fill_between(cases[k].low, cases[k].high, n, x);
            for (int i = 0; i < 16; i++) assert_true(ulps(cases[k].ours(x[i]), cases[k].truth((double)x[i])) <= 0.5001);
        }
    for (int i = 0; i <= 1000; i++) {
        const double x = i / 1000.0;
        assert_true(fabs(ln_cos_pi(x) - cos(PI * x)) < 5e-16);
        assert_true(fabs(ln_exp_double(i - 500.0) / exp(i - 500.0) - 1) < 1e-15);
        assert_true(i == 0 || fabs(ln_log_double(x) - log(x)) <= 1e-15 * fabs(log(x)));
    }
    assert_true(ln_cos_pi(0) == 1 && ln_cos_pi(0.5) == 0 && ln_cos_pi(1) == -1);
    assert_true(isinf(ln_exp_double(800)) && ln_exp_double(-800) == 0 && isnan(ln_exp_double((double)NAN)));
    assert_true(isinf(ln_log_double(0)) && isnan(ln_log_double(-1)) && isnan(ln_log_double((double)NAN)));
}

/* Where polynomials and exponents change hands, the functions still rise. */
static void test_monotone_at_seams(void **state) {
    (void)state;
    static const struct {
        int   function;
        float at;
    } seams[] = {
        {PROBE_exp, 0.34657359F},
        {PROBE_exp, -0.34657359F},
        {PROBE_exp, 1.0397208F},
        {PROBE_exp, 0},
        {PROBE_log, 1.41421356F},
        {PROBE_log, 0.70710678F},
        {PROBE_log, 1},
        {PROBE_tanh, 0.5F},
        {PROBE_tanh, 0},
        {PROBE_sigmoid, 0},
        {PROBE_sigmoid, -88},
        {PROBE_expm1, 0.34657359F},
        {PROBE_expm1, -0.34657359F},
        {PROBE_expm1, 0},
        {PROBE_softplus, 0},
        {PROBE_softplus, -88},
        {PROBE_share, 0},
    };
    for (size_t k = 0; k < sizeof seams / sizeof *seams; k++) {
        FOR_PROBES(p) {
            float x = seams[k].at, last;
            for (int i = 0; i < 8; i++) x = nextafterf(x, -INF);
            last = one(p->unary[seams[k].function], x);
            for (int i = 0; i < 16; i++) {
                x = nextafterf(x, INF);
                const float next = one(p->unary[seams[k].function], x);
                assert_true((double)next >= (double)last - 2.5 * ldexp(1, ilogbf(fmaxf(fabsf(last), 0x1p-100F)) - 23));
                last = next;
            }
        }
    }
}

static uint64_t digest(uint64_t hash, const float *x) {
    for (int i = 0; i < 16; i++) hash = (hash ^ (isnan(x[i]) ? 0x7fc00000u : bits_of(x[i]))) * UINT64_C(0x100000001b3);
    return hash;
}

/* Any bits (denormals apart), and ordinary numbers; in the library's floating-point mode. */
static uint64_t digest_of(const vec_probe *p, int function) {
    const uint64_t mode = ln_fp_enter();
    uint64_t       hash = UINT64_C(0xcbf29ce484222325);
    for (uint64_t n = 0; n < 4000; n++) {
        ln_random random = ln_random_at(5, LN_RANDOM_CHECK, 0, n);
        float     x[16], y[16], out[16];
        for (int i = 0; i < 16; i++) {
            const uint32_t any = ln_random_u32(&random) | 0x00800000u;
            memcpy(&x[i], &any, sizeof any);
            y[i] = (float)(40 * ln_random_uniform(&random) - 20);
        }
        const float *const a = n % 2 ? x : y;
        if (function < PROBE_N_UNARY) p->unary[function](a, out);
        else p->binary[PROBE_B_pow](x, y, out);
        for (int i = 0; i < 16; i++)
            if (fabsf(out[i]) <= 0x1p-126F) out[i] = 0; /* ARM flushes before rounding, x86 after */
        hash = digest(hash, out);
    }
    ln_fp_leave(mode);
    return hash;
}

/* The function PROBE_N_UNARY is pow. */
static const struct {
    int      function;
    uint64_t want;
} digests[] = {
    {PROBE_exp, UINT64_C(0x6010d1e9803d6315)},     {PROBE_log, UINT64_C(0x08ac326bd3bdd3f2)},
    {PROBE_tanh, UINT64_C(0x6f9305c206840f00)},    {PROBE_sigmoid, UINT64_C(0x5ee1761c437b2c69)},
    {PROBE_expm1, UINT64_C(0x0c54423948ecc346)},   {PROBE_softplus, UINT64_C(0x3aaf5fbefe118839)},
    {PROBE_share, UINT64_C(0xcfa3cf760af4767c)},   {PROBE_density, UINT64_C(0xa653b80ecb82fc67)},
    {PROBE_sin, UINT64_C(0x484c98f1763de870)},     {PROBE_cos, UINT64_C(0x3d98699182747229)},
    {PROBE_N_UNARY, UINT64_C(0x8ab2b8c46a28981f)},
};

static void test_same_bits_everywhere(void **state) {
    (void)state;
    for (size_t k = 0; k < sizeof digests / sizeof *digests; k++)
        FOR_PROBES(p) assert_int_equal(digest_of(p, digests[k].function), digests[k].want);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_special_values),          cmocka_unit_test(test_pow_special_values),
        cmocka_unit_test(test_near_the_c_library),      cmocka_unit_test(test_normal_near_the_c_library),
        cmocka_unit_test(test_base_near_the_c_library), cmocka_unit_test(test_monotone_at_seams),
        cmocka_unit_test(test_same_bits_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
