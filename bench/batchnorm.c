/* The gradient of batch normalisation by the graph's nodes, one after the other, and in closed form: what each takes,
 * and how far they are apart. One thread; written with the vectors of src/kernel/vec.h and compiled as the kernels of
 * an instruction set are (there is a program for each); docs/mathematics.md derives both.
 *
 *   cmake --build build --target bench_batchnorm_avx512 && build/bench_batchnorm_avx512
 *
 * A node of the graph is a loop over all N values of a channel that reads what it needs and writes what the next one
 * reads, as a program of one operation a line does. */
#include "base/clock.h"
#include "kernel/vec.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHANNELS = 16, N = 64 * 28 * 28, ROUNDS = 101, SUMS = 4 };
static const float eps = 1e-5F;

#define LN_TEXT(name) LN_TEXT_OF(name)
#define LN_TEXT_OF(name) #name

typedef struct channel {
    const float *x, *dy;
    float       *dx, gamma, mean, rate; /* rate: 1 / sqrt(variance + eps) */
    float       *node[4];               /* what the graph's nodes hand on */
} channel;

/* Several sums side by side do not wait for one another. */
typedef struct sums {
    vec of[SUMS];
} sums;

static inline float total(const sums *s) {
    float part[LN_WIDTH], sum = 0;
    v_store(part, v_add(v_add(s->of[0], s->of[1]), v_add(s->of[2], s->of[3])));
    for (size_t k = 0; k < LN_WIDTH; k++) sum += part[k];
    return sum;
}

static float sum_of(const float *a) {
    sums s = {{v_zero(), v_zero(), v_zero(), v_zero()}};
    for (size_t i = 0; i < N; i += SUMS * LN_WIDTH)
        LN_UNROLL for (size_t k = 0; k < SUMS; k++) s.of[k] = v_add(s.of[k], v_load(a + i + k * LN_WIDTH));
    return total(&s);
}

/* to[i] = value for the vector from each i. */
#define EACH(to, value) \
    for (size_t i = 0; i < N; i += LN_WIDTH) v_store((to) + i, value)

static void graph(const channel *c) {
    float *const centred = c->node[0], *const direct = c->node[1], *const other = c->node[2], *const work = c->node[3];
    const vec mean = v_splat(c->mean), gamma = v_splat(c->gamma), rate = v_splat(c->rate), two = v_splat(2);
    EACH(centred, v_sub(v_load(c->x + i), mean));
    EACH(work, v_mul(gamma, v_load(c->dy + i)));              /* of gamma · x̂ */
    EACH(direct, v_mul(v_load(work + i), rate));              /* of centred · rate, the one factor */
    EACH(work, v_mul(v_load(work + i), v_load(centred + i))); /* the other */
    const float drate = sum_of(work);
    const vec   dvariance = v_splat(-0.5F * c->rate * c->rate * c->rate * drate); /* of rate = variance^(-1/2) */
    const vec   share = v_splat(1.0F / N);
    EACH(work, v_mul(dvariance, share));                                   /* of the mean of squares */
    EACH(other, v_mul(v_mul(two, v_load(centred + i)), v_load(work + i))); /* of the square */
    EACH(work, v_add(v_load(direct + i), v_load(other + i)));              /* both ways meet */
    const vec dmean = v_splat(-sum_of(work) / N);
    EACH(c->dx, v_add(v_load(work + i), dmean)); /* of x - mean */
}

static void closed(const channel *c) {
    const vec mean = v_splat(c->mean);
    sums      dy = {{v_zero(), v_zero(), v_zero(), v_zero()}}, dyx = dy;
    for (size_t i = 0; i < N; i += SUMS * LN_WIDTH) LN_UNROLL for (size_t k = 0; k < SUMS; k++) {
            const vec d = v_load(c->dy + i + k * LN_WIDTH), x = v_load(c->x + i + k * LN_WIDTH);
            dy.of[k] = v_add(dy.of[k], d);
            dyx.of[k] = v_fma(d, v_sub(x, mean), dyx.of[k]);
        }
    const float slope = total(&dyx) * c->rate * c->rate / N;
    const vec   scale = v_splat(c->gamma * c->rate), mean_dy = v_splat(total(&dy) / N), minus_slope = v_splat(-slope);
    EACH(c->dx, v_mul(scale, v_fma(v_sub(v_load(c->x + i), mean), minus_slope, v_sub(v_load(c->dy + i), mean_dy))));
}

static void moments(channel *c) {
    double sum = 0, squares = 0;
    for (size_t i = 0; i < N; i++) sum += (double)c->x[i];
    for (size_t i = 0; i < N; i++) squares += ((double)c->x[i] - sum / N) * ((double)c->x[i] - sum / N);
    c->mean = (float)(sum / N);
    c->rate = 1 / sqrtf((float)(squares / N) + eps);
}

static float *room(void) {
    float *const memory = malloc((size_t)CHANNELS * N * sizeof *memory);
    if (memory) return memory;
    fputs("bench_batchnorm: out of memory\n", stderr);
    exit(1);
}

static double seconds_of(void (*back)(const channel *), const channel *channels) {
    const double start = ln_seconds_now();
    for (size_t c = 0; c < CHANNELS; c++) back(&channels[c]);
    return ln_seconds_now() - start;
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *seconds) {
    qsort(seconds, ROUNDS, sizeof *seconds, by_size);
    return seconds[ROUNDS / 2];
}

int main(void) {
    float *const x = room(), *const dy = room(), *const one = room(), *const two = room(), *const nodes = room();
    channel  channels[CHANNELS], others[CHANNELS];
    unsigned state = 1;
    double   far = 0, size = 0, graph_seconds[ROUNDS], closed_seconds[ROUNDS];
    for (size_t i = 0; i < (size_t)CHANNELS * N; i++) {
        state = state * 1664525U + 1013904223U;
        x[i] = (float)(state >> 8) * 0x1p-24F;
        dy[i] = x[i] * x[i] - 0.3F * (float)(i % 7);
    }
    for (size_t c = 0; c < CHANNELS; c++) {
        channels[c] = (channel){.x = x + c * N, .dy = dy + c * N, .dx = one + c * N, .gamma = 1.5F};
        for (size_t k = 0; k < 4; k++) channels[c].node[k] = nodes + k * N;
        moments(&channels[c]);
        others[c] = channels[c];
        others[c].dx = two + c * N;
    }
    for (size_t round = 0; round < ROUNDS; round++) { /* by turns */
        graph_seconds[round] = seconds_of(graph, channels);
        closed_seconds[round] = seconds_of(closed, others);
    }
    const double by_graph = median(graph_seconds), in_closed_form = median(closed_seconds);
    for (size_t i = 0; i < (size_t)CHANNELS * N; i++) {
        far = fmax(far, fabs((double)one[i] - (double)two[i]));
        size = fmax(size, fabs((double)two[i]));
    }
    printf("%s, %d channels of %d values: by the graph %.2f ms, in closed form %.2f ms, %.1f times as fast; largest "
           "difference %.1e of the largest gradient\n",
           LN_TEXT(LN_ISA_NAME), CHANNELS, N, 1e3 * by_graph, 1e3 * in_closed_form, by_graph / in_closed_form,
           far / size);
    free(x), free(dy), free(one), free(two), free(nodes);
    return 0;
}
