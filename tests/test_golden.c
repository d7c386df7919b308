/* Every op against PyTorch's values in golden/OP.bin (golden/generate.py says what is in them), forward and backward,
 * with every argument given another value than its default, on every instruction set this machine has and cut in every
 * way a planner may cut: |Δ| ≤ 1e-5 · max|tensor| from PyTorch's float64 and float32 alike, and the same bits
 * everywhere. The double-precision table must be as near as float32 files can tell. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harness/argument.h"
#include "harness/op_run.h"

enum { MAX_TENSORS = 8, SLOT_X = 0, SLOT_PARAM = 2, SLOT_DOUT = 4, SLOT_LABEL = 5, SLOT_DIN = 6, SLOT_BUFFER = 6 };

/* -------------------------------------------------------------------- a case */

typedef struct golden {
    char   name[17];
    size_t count;
    double torch32, largest;
    float *values;
} golden;

typedef struct golden_case {
    char     line[97];
    uint32_t n, n_inputs, seed, coarse;
    float    scale;
    ln_shape in[LN_MAX_INPUTS];
    size_t   n_tensors;
    golden   tensor[MAX_TENSORS];
    ln_node  node;
    float   *x[LN_MAX_INPUTS], *param[LN_MAX_TENSORS], *dout, *din[LN_MAX_INPUTS]; /* made, not stored */
    int32_t *label;
} golden_case;

static void take(FILE *file, void *to, size_t n_bytes) {
    if (fread(to, 1, n_bytes, file) != n_bytes) fail_msg("a golden file ends too early");
}

static uint32_t take_u32(FILE *file) {
    uint32_t value;
    take(file, &value, sizeof value);
    return value;
}

static void *must(void *memory) {
    if (!memory) abort();
    return memory;
}

/* bits() of golden/generate.py. */
static uint32_t mixed(uint32_t seed, uint32_t slot, uint32_t i) {
    uint32_t h = i * 0x9E3779B1u + (seed * 8 + slot) * 0x85EBCA77u;
    h = (h ^ h >> 16) * 0x7FEB352Du;
    h = (h ^ h >> 15) * 0x846CA68Bu;
    return h ^ h >> 16;
}

/* values() of golden/generate.py, times scale. */
static float *made(uint32_t seed, uint32_t slot, size_t count, bool coarse, float scale) {
    float *values = must(malloc(count * sizeof *values));
    for (size_t i = 0; i < count; i++) {
        const uint32_t h = mixed(seed, slot, (uint32_t)i);
        const float    fine = (float)((int)(h >> 8) - (1 << 23)) / (1 << 23);
        values[i] = scale * (coarse ? (float)((int)(h >> 29) - 4) / 4 : fine);
    }
    return values;
}

static void take_tensors(FILE *file, golden_case *c) {
    c->n_tensors = take_u32(file);
    assert_in_range(c->n_tensors, 1, MAX_TENSORS);
    for (size_t i = 0; i < c->n_tensors; i++) {
        golden *t = &c->tensor[i];
        take(file, t->name, 16);
        t->count = take_u32(file);
        take(file, &t->torch32, sizeof t->torch32);
        t->values = must(malloc(t->count * sizeof(float)));
        take(file, t->values, t->count * sizeof(float));
        for (size_t k = 0; k < t->count; k++) t->largest = fmax(t->largest, fabs((double)t->values[k]));
    }
}

/* Buffers of golden/generate.py: half a drawn value about the one they begin with. */
static void make_buffers(golden_case *c) {
    const ln_node *node = &c->node;
    for (uint32_t i = 0; i < node->n_buffers; i++) {
        const ln_param *p = &node->param[node->n_params + i];
        float          *values = made(c->seed, SLOT_BUFFER + i, p->count, false, 0.5F);
        for (size_t k = 0; k < p->count; k++) values[k] += (float)p->constant;
        c->param[node->n_params + i] = values;
    }
}

static void make_inputs(golden_case *c) {
    const ln_op *const op = c->node.op;
    const size_t       classes = op->classes ? op->classes(&c->node) : ln_shape_count(c->in[0]);
    for (uint32_t i = 0; i < c->n_inputs; i++) {
        const size_t count = c->n * ln_shape_count(c->in[i]);
        c->x[i] = made(c->seed, SLOT_X + i, count, c->coarse != 0, c->scale);
        for (size_t k = 0; k < count && strcmp(op->name, "bce") == 0; k++) c->x[i][k] = fabsf(c->x[i][k]);
        c->din[i] = made(c->seed, SLOT_DIN + i, count, false, 1);
    }
    for (uint32_t i = 0; i < c->node.n_params; i++)
        c->param[i] = made(c->seed, SLOT_PARAM + i, c->node.param[i].count, false, 1);
    make_buffers(c);
    c->dout = made(c->seed, SLOT_DOUT, c->n * ln_shape_count(c->node.out), false, 1);
    c->label = must(malloc(c->n * sizeof *c->label));
    for (uint32_t i = 0; i < c->n; i++) c->label[i] = (int32_t)(mixed(c->seed, SLOT_LABEL, i) % classes);
}

static void case_take(FILE *file, golden_case *c) {
    ln_error error = {0};
    *c = (golden_case){0};
    take(file, c->line, 96);
    c->n = take_u32(file);
    c->n_inputs = take_u32(file);
    assert_in_range(c->n_inputs, 1, LN_MAX_INPUTS);
    for (size_t i = 0; i < 2; i++) {
        c->in[i].c = take_u32(file);
        c->in[i].h = take_u32(file);
        c->in[i].w = take_u32(file);
    }
    c->seed = take_u32(file);
    c->coarse = take_u32(file);
    take(file, &c->scale, sizeof c->scale);
    take_tensors(file, c);
    if (!op_node(c->line, c->in, &c->node, &error)) fail_msg("%s: %s", c->line, error.message);
    make_inputs(c);
}

static void case_free(golden_case *c) {
    for (size_t i = 0; i < c->n_tensors; i++) free(c->tensor[i].values);
    for (size_t i = 0; i < LN_MAX_INPUTS; i++) {
        free(c->x[i]);
        free(c->din[i]);
    }
    for (size_t i = 0; i < LN_MAX_TENSORS; i++) free(c->param[i]);
    free(c->dout);
    free(c->label);
}

/* ------------------------------------------------------------------- judging */

/* Where a run stands, for messages, and how many failed. */
typedef struct place {
    const golden_case *c;
    const char        *isa, *cut;
    size_t             n_failed;
} place;

static void complain(place *p, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void complain(place *p, const char *format, ...) {
    char    text[400];
    va_list list;
    va_start(list, format);
    (void)vsnprintf(text, sizeof text, format, list);
    va_end(list);
    const ln_shape in = p->c->in[0];
    if (p->n_failed++ < 40)
        print_error("%s, %u images of %zux%zux%zu, %s, %s: %s\n", p->c->line, p->c->n, in.c, in.h, in.w, p->isa, p->cut,
                    text);
}

/* Buffers change in training, and prediction goes by them: its output is called eval, and not out. */
static bool predicts(const op_result *r) { return r->node.n_buffers > 0 && !r->buffer[0]; }

/* The tensor of a name in a result, or NULL. */
static const double *tensor_of(const op_result *r, const char *name) {
    if (strcmp(name, "out") == 0) return predicts(r) ? NULL : r->out;
    if (strcmp(name, "eval") == 0) return predicts(r) ? r->out : NULL;
    if (strcmp(name, "din0") == 0) return r->din[0];
    if (strcmp(name, "din1") == 0) return r->din[1];
    for (size_t i = 0; i < r->node.n_params; i++)
        if (strcmp(name, r->node.param[i].name) == 0) return r->dparam[i];
    for (size_t i = 0; i < r->node.n_buffers; i++)
        if (strcmp(name, r->node.param[r->node.n_params + i].name) == 0) return r->buffer[i];
    return NULL;
}

/* got must be want (plus base, when there is one) within tolerance. */
static void check_near(place *p, const golden *want, const double *got, const float *base, bool is_double) {
    const double share = is_double ? 1e-7 : 1e-5, largest = want->largest + (base ? 1 : 0);
    const double limit = share * largest - (is_double ? 0 : want->torch32);
    double       worst = -1;
    size_t       at = 0, n = 0;
    for (size_t i = 0; i < want->count; i++) {
        const double far = fabs(got[i] - ((double)want->values[i] + (base ? (double)base[i] : 0)));
        if (!(far <= limit)) n++;
        if (!(far <= worst)) worst = far, at = i; /* NaN is worst */
        if (isnan(far)) break;
    }
    if (n > 0)
        complain(p, "%s: %zu of %zu are off; [%zu] is %.9g, PyTorch's is %.9g, off by %.2g, allowed is %.2g",
                 want->name, n, want->count, at, got[at], (double)want->values[at] + (base ? (double)base[at] : 0),
                 worst, limit);
}

static void check_hits(place *p, const golden *want, const op_result *r) {
    for (size_t i = 0; i < want->count; i++)
        if (r->hit[i] != (uint8_t)want->values[i]) {
            complain(p, "hit[%zu] is %d, PyTorch's is %d", i, r->hit[i], (int)want->values[i]);
            return;
        }
}

static void check_values(place *p, const op_result *r, const op_cut *cut, bool is_double) {
    for (size_t i = 0; i < p->c->n_tensors; i++) {
        const golden *want = &p->c->tensor[i];
        const bool    is_din = strncmp(want->name, "din", 3) == 0, adds = is_din && cut->write == LN_ADD;
        const bool    is_out = strcmp(want->name, predicts(r) ? "eval" : "out") == 0;
        const bool    is_missed = !(cut->inference || cut->skip) && strcmp(want->name, "eval") != 0;
        const double *got = tensor_of(r, want->name);
        if (strcmp(want->name, "hit") == 0) check_hits(p, want, r);
        else if (got) check_near(p, want, got, adds ? p->c->din[want->name[3] - '0'] : NULL, is_double);
        else if (is_out || is_missed) complain(p, "there is no %s", want->name);
    }
}

typedef enum which { VALUES = 1, PARAMETERS = 2 } which;

/* Both results must have the same bits. */
static void check_same(place *p, const op_result *a, const op_result *b, unsigned compared, const char *with) {
    for (size_t i = 0; i < p->c->n_tensors; i++) {
        const golden *t = &p->c->tensor[i];
        const bool    is_value = strcmp(t->name, "out") == 0 || strncmp(t->name, "din", 3) == 0;
        const double *x = tensor_of(a, t->name), *y = tensor_of(b, t->name);
        if (!x || !y || !(compared & (is_value ? VALUES : PARAMETERS))) continue;
        for (size_t k = 0; k < t->count; k++)
            if (memcmp(&x[k], &y[k], sizeof *x) != 0) {
                complain(p, "%s[%zu] is %.17g, but %.17g with %s", t->name, k, x[k], y[k], with);
                break;
            }
    }
}

/* ------------------------------------------------------------------- running */

enum { WHOLE, BLOCKS, CUT, ADDED, IN_PLACE, INFERENCE, SKIP_FIRST, SKIP_SECOND, N_CUTS };
static const struct {
    const char *name;
    op_cut      cut;
    int         like;
    unsigned    compared;
} cuts[N_CUTS] = {
    [WHOLE] = {"whole", {0}, WHOLE, 0},
    [BLOCKS] = {"dparam by blocks", {.dparam_blocks = true}, WHOLE, VALUES},
    [CUT] = {"cut small",
             {.n_parts = 3, .band_rows = 3, .task_blocks = 1, .dparam_blocks = true},
             BLOCKS,
             VALUES | PARAMETERS},
    [ADDED] = {"added", {.write = LN_ADD, .n_parts = 2}, WHOLE, PARAMETERS},
    [IN_PLACE] = {"in place", {.in_place = true, .band_rows = 1, .n_parts = 2}, WHOLE, VALUES | PARAMETERS},
    [INFERENCE] = {"inference", {.inference = true, .band_rows = 2}, WHOLE, VALUES},
    [SKIP_FIRST] = {"first skipped", {.skip = 1}, WHOLE, VALUES},
    [SKIP_SECOND] = {"second skipped", {.skip = 2}, WHOLE, VALUES},
};

static void run_cut(place *p, ln_isa isa, int k, op_result *result) {
    const golden_case *c = p->c;
    ln_error           error = {0};
    op_run             run = {.line = c->line,
                              .isa = isa,
                              .n = c->n,
                              .dout = c->dout,
                              .label = c->label,
                              .seed = 1,
                              .step = 1,
                              .cut = cuts[k].cut};
    for (size_t i = 0; i < LN_MAX_INPUTS; i++) run.in[i] = c->in[i], run.x[i] = c->x[i], run.din[i] = c->din[i];
    for (size_t i = 0; i < LN_MAX_TENSORS; i++) run.param[i] = c->param[i];
    p->isa = ln_isa_name(isa);
    p->cut = cuts[k].name;
    *result = (op_result){0};
    if (run.cut.skip && c->n_inputs < 2) return;
    if (!op_run_all(&run, result, &error)) {
        complain(p, "%s", error.message);
        return;
    }
    if (result->fault[0]) complain(p, "%s", result->fault);
    check_values(p, result, &run.cut, isa == LN_ISA_F64);
}

/* One instruction set, all cuts; first: the results of the first one, or NULL. */
static void run_isa(place *p, ln_isa isa, op_result result[N_CUTS], const op_result *first) {
    for (int k = 0; k < N_CUTS; k++) {
        run_cut(p, isa, k, &result[k]);
        if (isa != LN_ISA_F64 && cuts[k].compared)
            check_same(p, &result[k], &result[cuts[k].like], cuts[k].compared, cuts[cuts[k].like].name);
        if (first) check_same(p, &result[k], &first[k], VALUES | PARAMETERS, "plain");
    }
}

static void free_results(op_result result[N_CUTS]) {
    for (int k = 0; k < N_CUTS; k++) op_result_free(&result[k]);
}

static void run_case(place *p) {
    op_result plain[N_CUTS], other[N_CUTS];
    run_isa(p, LN_ISA_PLAIN, plain, NULL);
    for (ln_isa isa = 0; isa < LN_ISA_COUNT; isa++) {
        if (isa == LN_ISA_PLAIN || (isa != LN_ISA_F64 && !ln_isa_available(isa)) || !ln_kernels_of(isa)) continue;
        run_isa(p, isa, other, isa != LN_ISA_F64 && ln_cpu_has_fma() ? plain : NULL);
        free_results(other);
    }
    free_results(plain);
}

/* Every argument has a case with another value than its default. */
static void check_op(const char *op) {
    char                 path[1024], magic[8];
    golden_case          c;
    uint64_t             given = 0;
    const ln_attr *const attrs = ln_op_find(op)->attrs;
    place                p = {.c = &c};
    (void)snprintf(path, sizeof path, LN_SOURCE_DIR "/tests/golden/%s.bin", op);
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("%s has no golden values: add its cases to tests/golden/generate.py and run it", op);
    take(file, magic, sizeof magic);
    assert_memory_equal(magic, "LNGOLD1", sizeof magic);
    for (uint32_t i = take_u32(file); i > 0; i--) {
        case_take(file, &c);
        given |= arguments_given(attrs, c.node.args);
        run_case(&p);
        case_free(&c);
    }
    assert_int_equal(fgetc(file), EOF);
    (void)fclose(file);
    const char *const missing = argument_missing(attrs, given);
    if (missing) fail_msg("%s has no golden values with another %s than its default: add a case", op, missing);
    if (p.n_failed) fail_msg("%s: %zu failures", op, p.n_failed);
}

/* ------------------------------------------------------------- a test for each op */

#define LN_OP(name)                         \
    static void test_##name(void **state) { \
        (void)state;                        \
        check_op(#name);                    \
    }
#include "op/ops.def"
#undef LN_OP

int main(void) {
    const struct CMUnitTest tests[] = {
#define LN_OP(name) cmocka_unit_test(test_##name),
#include "op/ops.def"
#undef LN_OP
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
