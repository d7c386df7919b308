/* Prints the worst error of kernel/vmath.h over every float32 (pow: over a sample), and of base/math.h over every
 * 251st, in units of the last place of the true value, against the C library's double functions.
 *
 * Built and run by script/ulp, in the library's floating-point mode: denormal arguments are skipped, as they count as
 * zero, and where the true value is below 2^-126 a zero is right. The true value of small arguments is the start of
 * the Taylor series in double, which is exact enough there and much faster. */
#include "base/cpu.h"
#include "base/math.h"
#include "base/random.h"
#include "kernel/vmath.h"

#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

enum { CHUNK = 1024, MAX_THREADS = 64 };

typedef struct worst {
    double error;
    float  x, y;
} worst;
typedef struct function {
    const char *name;
    void (*run)(const float *x, float *y);
    double (*truth)(double x);
    uint32_t stride;
    int      parity; /* 1: f(-x) = f(x), -1: f(-x) = -f(x), to the bit: only positive x are compared with the truth */
    double   floor;  /* the unit is the last place of this where the true value is smaller: an absolute error */
} function;
typedef struct part {
    const function *function;
    uint64_t        first, last;
    worst           worst;
    pthread_t       thread;
} part;

#define VECTOR(name)                                                                       \
    static void run_##name(const float *x, float *y) {                                     \
        for (int i = 0; i < CHUNK; i += LN_WIDTH) v_store(y + i, v_##name(v_load(x + i))); \
    }
#define SCALAR(name)                                               \
    static void base_##name(const float *x, float *y) {            \
        for (int i = 0; i < CHUNK; i++) y[i] = ln_##name##f(x[i]); \
    }
VECTOR(exp)
VECTOR(expm1)
VECTOR(log)
VECTOR(tanh)
VECTOR(sigmoid)
VECTOR(softplus)
VECTOR(sin)
VECTOR(cos)
static void run_share(const float *x, float *y) {
    vec density;
    for (int i = 0; i < CHUNK; i += LN_WIDTH) v_store(y + i, v_normal(v_load(x + i), &density));
}
static void run_density(const float *x, float *y) {
    for (int i = 0; i < CHUNK; i += LN_WIDTH) {
        vec density;
        (void)v_normal(v_load(x + i), &density);
        v_store(y + i, density);
    }
}
SCALAR(exp)
SCALAR(log)
SCALAR(tanh)
SCALAR(sin)
SCALAR(cos)

static double true_exp(double x) { return fabs(x) < 0x1p-20 ? 1 + x + x * x / 2 : exp(x); }
static double true_sigmoid(double x) { return fabs(x) < 0x1p-20 ? 0.5 + x / 4 : 1 / (1 + true_exp(-x)); }
static double true_expm1(double x) { return fabs(x) < 0x1p-12 ? x + x * x / 2 + x * x * x / 6 : expm1(x); }
static double true_softplus(double x) { return (x < 0 ? 0 : x) + log1p(exp(-fabs(x))); }
static double true_share(double x) { return fabs(x) < 0x1p-28 ? 0.5 : erfc(-x * 0.70710678118654752) / 2; }
static double true_density(double x) { return true_exp(-x * x / 2) * 0.39894228040143268; }
static double true_tanh(double x) {
    if (fabs(x) > 20) return copysign(1, x);
    return fabs(x) < 0x1p-9 ? x - x * x * x / 3 + x * x * x * x * x * 2 / 15 : tanh(x);
}
static double true_sin(double x) { return fabs(x) < 0x1p-9 ? x - x * x * x / 6 + x * x * x * x * x / 120 : sin(x); }
static double true_cos(double x) { return fabs(x) < 0x1p-9 ? 1 - x * x / 2 + x * x * x * x / 24 : cos(x); }

static const function functions[] = {
    {"v_exp", run_exp, true_exp, 1, 0, 0},
    {"v_expm1", run_expm1, true_expm1, 1, 0, 0},
    {"v_log", run_log, log, 1, 0, 0},
    {"v_tanh", run_tanh, true_tanh, 1, -1, 0},
    {"v_sigmoid", run_sigmoid, true_sigmoid, 1, 0, 0},
    {"v_softplus", run_softplus, true_softplus, 1, 0, 0},
    {"v_normal", run_share, true_share, 1, 0, 0.5},
    {"(density)", run_density, true_density, 1, 1, 0.5},
    {"v_sin", run_sin, true_sin, 1, -1, 0},
    {"v_cos", run_cos, true_cos, 1, 1, 0},
    {"ln_expf", base_exp, true_exp, 251, 0, 0},
    {"ln_logf", base_log, log, 251, 0, 0},
    {"ln_tanhf", base_tanh, true_tanh, 251, -1, 0},
    {"ln_sinf", base_sin, true_sin, 251, -1, 0},
    {"ln_cosf", base_cos, true_cos, 251, 1, 0},
};

/* |got - truth| in units of a float's last place at truth, or at `least` where truth is smaller. */
static double error_of(float got, double truth, double least) {
    if (isnan(truth)) return isnan(got) ? 0 : INFINITY;
    if (isnan(got)) return INFINITY;
    if (fabs(truth) < 0x1.000008p-126 && fabsf(got) <= 0x1.000008p-126f) return 0; /* flushed */
    if (isinf(got) && fabs(truth) >= 0x1.ffffffp127) return (truth > 0) == (got > 0) ? 0 : INFINITY;
    const double at = fabs(truth) < least ? least : truth;
    uint64_t     bits;
    memcpy(&bits, &at, sizeof bits);
    int exponent = (int)(bits >> 52 & 0x7ff) - 1023;
    if (exponent > 127) exponent = 127;
    const uint64_t per_unit = (uint64_t)(1023 + 23 - exponent) << 52; /* 2^(23-exponent) */
    double         factor;
    memcpy(&factor, &per_unit, sizeof factor);
    return fabs((double)got - truth) * factor;
}

/* Whether f(-x) is what the parity says, for the whole chunk. */
static int mirrored(const function *f, const float *x, const float *y) {
    float minus_x[CHUNK], minus_y[CHUNK];
    for (int i = 0; i < CHUNK; i++) minus_x[i] = -x[i];
    f->run(minus_x, minus_y);
    int equal = 1;
    for (int i = 0; i < CHUNK; i++) equal &= isnan(y[i]) || minus_y[i] == (float)f->parity * y[i];
    return equal;
}

static void *measure(void *argument) {
    part *const    p = argument;
    const uint64_t mode = ln_fp_enter();
    float          x[CHUNK], y[CHUNK];
    uint64_t       next = p->first;
    while (next < p->last) {
        int n = 0;
        while (n < CHUNK) {
            const uint32_t bits = (uint32_t)next;
            if ((bits & 0x7f800000u) || !(bits & 0x7fffffffu)) memcpy(&x[n++], &bits, sizeof bits);
            next += p->function->stride;
            if (next >= p->last) break;
        }
        for (int i = n; i < CHUNK; i++) x[i] = 1;
        p->function->run(x, y);
        if (p->function->parity && !mirrored(p->function, x, y)) p->worst = (worst){INFINITY, x[0], 0};
        for (int i = 0; i < n; i++) {
            const double error = error_of(y[i], p->function->truth((double)x[i]), p->function->floor);
            if (error > p->worst.error) p->worst = (worst){error, x[i], 0};
        }
    }
    ln_fp_leave(mode);
    return NULL;
}

/* pow over numbers of any size and exponents that keep the result finite, a third of them near 1. */
static void *measure_pow(void *argument) {
    part *const    p = argument;
    const uint64_t mode = ln_fp_enter();
    float          x[CHUNK], y[CHUNK];
    double         truth[CHUNK];
    for (uint64_t chunk = p->first; chunk < p->last; chunk++) {
        ln_random random = ln_random_at(1, LN_RANDOM_CHECK, 0, chunk);
        for (int i = 0; i < CHUNK; i++) {
            const uint32_t bits = ln_random_u32(&random) % 0x7f000000u + 0x00800000u;
            memcpy(&x[i], &bits, sizeof bits);
            if (i % 3 == 0) x[i] = 1 + (float)ldexp(ln_random_uniform(&random) - 0.5, -(int)(bits % 23));
            const double log2_x = log2((double)x[i]);
            y[i] = log2_x == 0 ? 1 : (float)((ln_random_uniform(&random) * 256 - 128) / log2_x);
            truth[i] = pow((double)x[i], (double)y[i]);
        }
        for (int i = 0; i < CHUNK; i += LN_WIDTH) {
            float z[LN_WIDTH];
            v_store(z, v_pow(v_load(x + i), v_load(y + i)));
            for (int j = 0; j < LN_WIDTH; j++) {
                const double error = error_of(z[j], truth[i + j], 0);
                if (error > p->worst.error) p->worst = (worst){error, x[i + j], y[i + j]};
            }
        }
    }
    ln_fp_leave(mode);
    return NULL;
}

static worst run_parts(const function *f, void *(*work)(void *), uint64_t count) {
    const int n = ln_cpu_count() < MAX_THREADS ? ln_cpu_count() : MAX_THREADS;
    part      parts[MAX_THREADS];
    worst     all = {0, 0, 0};
    for (int i = 0; i < n; i++) {
        parts[i] = (part){
            .function = f, .first = count * (unsigned)i / (unsigned)n, .last = count * (unsigned)(i + 1) / (unsigned)n};
        if (pthread_create(&parts[i].thread, NULL, work, &parts[i])) return (worst){NAN, 0, 0};
    }
    for (int i = 0; i < n; i++) {
        pthread_join(parts[i].thread, NULL);
        if (parts[i].worst.error > all.error) all = parts[i].worst;
    }
    return all;
}

/* Without arguments all functions, otherwise those named. */
static int wanted(const char *name, int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], name)) return 1;
    return argc < 2;
}

int main(int argc, char **argv) {
    printf("%-10s %10s  at\n", "function", "worst ULP");
    for (size_t i = 0; i < sizeof functions / sizeof *functions; i++) {
        const function *const f = &functions[i];
        if (!wanted(f->name, argc, argv)) continue;
        const worst w = run_parts(f, measure, f->parity ? UINT64_C(1) << 31 : UINT64_C(1) << 32);
        printf("%-10s %10.4f  %.9g (%a)\n", f->name, w.error, (double)w.x, (double)w.x);
        fflush(stdout);
    }
    if (!wanted("v_pow", argc, argv)) return 0;
    const worst w = run_parts(NULL, measure_pow, UINT64_C(1) << 16);
    printf("%-10s %10.4f  %.9g, %.9g\n", "v_pow", w.error, (double)w.x, (double)w.y);
    return 0;
}
