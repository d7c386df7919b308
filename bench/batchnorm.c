/* The gradient of batch normalisation by the graph's nodes, one after the other, and in closed form: what each takes,
 * and how far they are apart. Plain C, one thread; docs/mathematics.md derives both.
 *
 *   cmake --build build --target bench_batchnorm && build/bench_batchnorm
 *
 * A node of the graph is a loop over all N values of a channel that reads what it needs and writes what the next one
 * reads, as a program of one operation a line does. */
#include "base/clock.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { CHANNELS = 16, N = 64 * 28 * 28, ROUNDS = 15 };
static const float eps = 1e-5F;

typedef struct channel {
    const float *x, *dy;
    float       *dx, gamma, mean, rate; /* rate: 1 / sqrt(variance + eps) */
    float       *node[4];               /* what the graph's nodes hand on */
} channel;

static float sum_of(const float *a) { /* several sums side by side, as any good library takes them */
    float part[16] = {0}, sum = 0;
    for (size_t i = 0; i < N; i += 16)
        for (size_t k = 0; k < 16; k++) part[k] += a[i + k];
    for (size_t k = 0; k < 16; k++) sum += part[k];
    return sum;
}

static void graph(const channel *c) {
    float *const centred = c->node[0], *const direct = c->node[1], *const other = c->node[2], *const work = c->node[3];
    for (size_t i = 0; i < N; i++) centred[i] = c->x[i] - c->mean;
    for (size_t i = 0; i < N; i++) work[i] = c->gamma * c->dy[i];  /* of gamma · x̂ */
    for (size_t i = 0; i < N; i++) direct[i] = work[i] * c->rate;  /* of centred · rate, the one factor */
    for (size_t i = 0; i < N; i++) work[i] = work[i] * centred[i]; /* the other */
    const float drate = sum_of(work);
    const float dvariance = -0.5F * c->rate * c->rate * c->rate * drate; /* of rate = variance^(-1/2) */
    for (size_t i = 0; i < N; i++) work[i] = dvariance / N;              /* of the mean of squares */
    for (size_t i = 0; i < N; i++) other[i] = 2 * centred[i] * work[i];  /* of the square */
    for (size_t i = 0; i < N; i++) work[i] = direct[i] + other[i];       /* both ways meet */
    const float dmean = -sum_of(work);
    for (size_t i = 0; i < N; i++) c->dx[i] = work[i] + dmean / N; /* of x - mean */
}

static void closed(const channel *c) {
    float dy_part[16] = {0}, dyx_part[16] = {0}, dy_sum = 0, dyx_sum = 0;
    for (size_t i = 0; i < N; i += 16)
        for (size_t k = 0; k < 16; k++) {
            dy_part[k] += c->dy[i + k];
            dyx_part[k] += c->dy[i + k] * (c->x[i + k] - c->mean);
        }
    for (size_t k = 0; k < 16; k++) dy_sum += dy_part[k], dyx_sum += dyx_part[k];
    const float scale = c->gamma * c->rate, mean_dy = dy_sum / N, slope = dyx_sum * c->rate * c->rate / N;
    for (size_t i = 0; i < N; i++) c->dx[i] = scale * (c->dy[i] - mean_dy - (c->x[i] - c->mean) * slope);
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
    double best = 1e9;
    for (int round = 0; round < ROUNDS; round++) {
        const double start = ln_seconds_now();
        for (size_t c = 0; c < CHANNELS; c++) back(&channels[c]);
        const double seconds = ln_seconds_now() - start;
        if (seconds < best) best = seconds;
    }
    return best;
}

int main(void) {
    float *const x = room(), *const dy = room(), *const one = room(), *const two = room(), *const nodes = room();
    channel  channels[CHANNELS];
    unsigned state = 1;
    double   far = 0, size = 0;
    for (size_t i = 0; i < (size_t)CHANNELS * N; i++) {
        state = state * 1664525U + 1013904223U;
        x[i] = (float)(state >> 8) * 0x1p-24F;
        dy[i] = x[i] * x[i] - 0.3F * (float)(i % 7);
    }
    for (size_t c = 0; c < CHANNELS; c++) {
        channels[c] = (channel){.x = x + c * N, .dy = dy + c * N, .dx = one + c * N, .gamma = 1.5F};
        for (size_t k = 0; k < 4; k++) channels[c].node[k] = nodes + k * N;
        moments(&channels[c]);
    }
    const double by_graph = seconds_of(graph, channels);
    for (size_t c = 0; c < CHANNELS; c++) channels[c].dx = two + c * N;
    const double in_closed_form = seconds_of(closed, channels);
    for (size_t i = 0; i < (size_t)CHANNELS * N; i++) {
        far = fmax(far, fabs((double)one[i] - (double)two[i]));
        size = fmax(size, fabs((double)two[i]));
    }
    printf("%d channels of %d values: by the graph %.2f ms, in closed form %.2f ms, %.1f times as fast; largest "
           "difference "
           "%.1e of the largest gradient\n",
           CHANNELS, N, 1e3 * by_graph, 1e3 * in_closed_form, by_graph / in_closed_form, far / size);
    free(x), free(dy), free(one), free(two), free(nodes);
    return 0;
}
