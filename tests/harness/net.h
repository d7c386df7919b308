/* For tests of whole networks: contexts, models from lines (with the harness's own ops too), images, and their bits. */
#ifndef LN_TESTS_NET_H
#define LN_TESTS_NET_H

#include "graph/run.h"
#include "harness/own_ops.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { NET_LINES = 24 };

static inline void *net_must(void *memory) {
    if (!memory) abort();
    return memory;
}

/* isa NULL: the best. */
static inline ln_context *net_context(const char *isa, int n_threads) {
    const ln_context_options with = {.size = sizeof with, .n_threads = n_threads, .isa = isa};
    ln_error                 error = {0};
    ln_context              *context = ln_context_new(&with, &error);
    if (!context) fail_msg("%s", error.message);
    return context;
}

/* One layer by its line; the harness's ops by their names. */
static inline ln_layer net_add(ln_model *model, const char *text, ln_error *error) {
    const ln_op *const own[] = {&own_centre, &own_drop, &own_skew};
    ln_line            line;
    for (size_t i = 0; i < sizeof own / sizeof *own; i++) {
        const size_t length = strlen(own[i]->name);
        if (strncmp(text, own[i]->name, length) == 0 && strchr(" ", text[length]) &&
            ln_line_split(text, "layer", &line, error) == LN_OK)
            return ln_model_append(model, own[i], &line, error);
    }
    return ln_model_add(model, text, error);
}

/* lines end with NULL. Parameters are drawn by seed 1. NULL and an error when it cannot be built. */
static inline ln_model *net_model_or_null(ln_context *context, ln_shape in, const char *const lines[],
                                          ln_error *error) {
    ln_model *const model = ln_model_new(context, in.c, in.h, in.w, error);
    ln_layer        last = 0;
    for (size_t i = 0; model && lines[i] && last >= 0; i++) last = net_add(model, lines[i], error);
    if (model && last >= 0 && ln_model_initialize(model, 1, error) == LN_OK) return model;
    ln_model_free(model);
    return NULL;
}

static inline ln_model *net_model(ln_context *context, ln_shape in, const char *const lines[]) {
    ln_error        error = {0};
    ln_model *const model = net_model_or_null(context, in, lines, &error);
    if (!model) fail_msg("%s", error.message);
    return model;
}

/* count floats in [-1, 1), the same for the same seed. */
static inline float *net_floats(uint32_t seed, size_t count) {
    float *const values = net_must(malloc(count * sizeof *values));
    ln_random    random = ln_random_at(seed, LN_RANDOM_CHECK, 0, 0);
    for (size_t i = 0; i < count; i++) values[i] = (float)(2 * ln_random_uniform(&random) - 1);
    return values;
}

/* A small network drawn by seed: convolutions with odd kernels, strides, paddings and groups, pools, activations, sums
 * with earlier layers. Ends in flatten and linear. */
typedef struct net_drawn {
    ln_shape    in;
    size_t      n;
    char        text[NET_LINES][96];
    const char *lines[NET_LINES];
} net_drawn;

static inline size_t net_side(size_t side, size_t kernel, size_t stride, size_t padding) {
    return (side + 2 * padding - kernel) / stride + 1;
}

static inline ln_shape net_draw_conv(ln_random *r, ln_shape s, char *text) {
    const size_t kh = 1 + ln_random_below(r, s.h < 4 ? s.h : 4), kw = 1 + ln_random_below(r, s.w < 4 ? s.w : 4);
    const size_t sh = 1 + ln_random_below(r, 2), sw = 1 + ln_random_below(r, 2);
    const size_t ph = ln_random_below(r, kh + 1), pw = ln_random_below(r, kw + 1);
    const size_t groups = s.c % 2 == 0 && ln_random_below(r, 3) == 0 ? 2 : 1, c = groups * (1 + ln_random_below(r, 9));
    snprintf(text, 96, "conv2d %zu kernel=%zux%zu stride=%zux%zu padding=%zux%zu groups=%zu bias=%s", c, kh, kw, sh, sw,
             ph, pw, groups, ln_random_below(r, 3) ? "true" : "false");
    return (ln_shape){c, net_side(s.h, kh, sh, ph), net_side(s.w, kw, sw, pw)};
}

static inline ln_shape net_draw_pool(ln_random *r, ln_shape s, char *text) {
    const size_t kh = 1 + ln_random_below(r, s.h < 3 ? s.h : 3), kw = 1 + ln_random_below(r, s.w < 3 ? s.w : 3);
    const size_t sh = 1 + ln_random_below(r, 3), sw = 1 + ln_random_below(r, 3);
    const size_t ph = ln_random_below(r, kh / 2 + 1), pw = ln_random_below(r, kw / 2 + 1);
    snprintf(text, 96, "%s %zux%zu stride=%zux%zu padding=%zux%zu", ln_random_below(r, 2) ? "maxpool2d" : "avgpool2d",
             kh, kw, sh, sw, ph, pw);
    return (ln_shape){s.c, net_side(s.h, kh, sh, ph), net_side(s.w, kw, sw, pw)};
}

/* own: the harness's ops too. */
static inline void net_draw(net_drawn *net, uint64_t seed, bool own) {
    static const char *const simple[] = {"relu", "sigmoid", "tanh"};
    ln_random                r = ln_random_at(seed, LN_RANDOM_CHECK, 77, 0);
    ln_shape                 shape[NET_LINES]; /* of the outputs; names are numbers */
    *net = (net_drawn){.in = {1 + ln_random_below(&r, 4), 3 + ln_random_below(&r, 10), 3 + ln_random_below(&r, 10)}};
    const size_t n = 2 + ln_random_below(&r, 9);
    for (size_t i = 0; i < n; i++) {
        const ln_shape s = i ? shape[i - 1] : net->in;
        const size_t   kind = ln_random_below(&r, 8), with = ln_random_below(&r, i + 1);
        char *const    text = net->text[i];
        shape[i] = s;
        if (kind < 3) shape[i] = net_draw_conv(&r, s, text);
        else if (kind == 3) shape[i] = net_draw_pool(&r, s, text);
        else if (kind == 4 && i > 0 && memcmp(&shape[with], &s, sizeof s) == 0)
            snprintf(text, 96, "add %zu", with < i ? with : i - 1);
        else if (own && kind == 5) snprintf(text, 96, ln_random_below(&r, 2) ? "drop 0.2" : "centre init=normal std=1");
        else snprintf(text, 96, "%s", simple[kind % 3]);
    }
    snprintf(net->text[n], 96, "flatten");
    snprintf(net->text[n + 1], 96, "linear 3");
    net->n = n + 2;
    for (size_t i = 0; i < net->n; i++) net->lines[i] = net->text[i];
}

/* All parameters in a row; free() them. */
static inline float *net_weights(const ln_model *model, size_t *n_bytes) {
    size_t count = 0;
    for (size_t i = 0; i < ln_model_parameter_count(model); i++) count += ln_model_parameter(model, i).count;
    float *const all = net_must(malloc(count * sizeof *all)), *to = all;
    for (size_t i = 0; i < ln_model_parameter_count(model); i++) {
        const ln_parameter p = ln_model_parameter(model, i);
        memcpy(to, p.values, p.count * sizeof *to);
        to += p.count;
    }
    *n_bytes = count * sizeof *all;
    return all;
}

#endif
