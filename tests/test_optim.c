/* sgd against its formulas in double and over every split and instruction set; the schedules' factors; refusals. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "kernel/kernels.h"

enum { COUNT = 77, STEPS = 5 };

static const ln_isa isas[] = {LN_ISA_PLAIN, LN_ISA_NEON, LN_ISA_AVX2, LN_ISA_AVX512};
enum { N_ISAS = sizeof isas / sizeof *isas };

static float gradient_at(int step, size_t i) { return (float)((int)(i * 37 + (size_t)step * 11) % 61 - 30) / 32; }

static void start(float *p, float *v) {
    for (size_t i = 0; i < COUNT; i++) p[i] = (float)((int)(i * 13) % 29 - 14) / 8, v[i] = 0;
}

typedef struct line {
    const char *text;
    double      lr, momentum, dampening, weight_decay;
    bool        nesterov;
} line;

static const line lines[] = {
    {"lr=0.05", 0.05, 0, 0, 0, false},
    {"lr=0.05 weight_decay=0.01", 0.05, 0, 0, 0.01, false},
    {"lr=0.05 momentum=0.9", 0.05, 0.9, 0, 0, false},
    {"lr=0.05 momentum=0.9 dampening=0.25 weight_decay=0.01", 0.05, 0.9, 0.25, 0.01, false},
    {"lr=0.05 momentum=0.9 nesterov=true weight_decay=0.01", 0.05, 0.9, 0, 0.01, true},
};

/* torch.optim.SGD's single-tensor code, in double. */
static void reference(const line *a, double *p) {
    double buffer[COUNT];
    for (int step = 1; step <= STEPS; step++)
        for (size_t i = 0; i < COUNT; i++) {
            double g = (double)gradient_at(step, i) + a->weight_decay * p[i];
            if (a->momentum > 0) {
                buffer[i] = step == 1 ? g : a->momentum * buffer[i] + (1 - a->dampening) * g;
                g = a->nesterov ? g + a->momentum * buffer[i] : buffer[i];
            }
            p[i] -= a->lr * g;
        }
}

/* STEPS steps in splits of `split` elements, from an address that no vector is aligned to. */
static void descend(ln_isa isa, const line *a, size_t split, float *p_out) {
    _Alignas(64) static float  p[COUNT + 2], v[COUNT + 2], g[COUNT + 2];
    _Alignas(16) unsigned char args[LN_MAX_OPTIM_ARGS];
    const ln_optimizer        *sgd = ln_optimizers[LN_OPTIMIZER_sgd];
    ln_error                   error;
    if (ln_attr_parse(a->text, "sgd", sgd->attrs, args, sgd->args_size, NULL, NULL, 0, &error) != LN_OK)
        fail_msg("%s", error.message);
    assert_int_equal(sgd->check(args, &error), LN_OK);
    start(p + 1, v + 1);
    p[0] = p[COUNT + 1] = v[0] = v[COUNT + 1] = 123;
    for (int step = 1; step <= STEPS; step++) {
        for (size_t i = 0; i < COUNT; i++) g[i + 1] = gradient_at(step, i);
        for (size_t lo = 0; lo < COUNT; lo += split) {
            const ln_update u = {.args = args,
                                 .param = p + 1,
                                 .gradient = g + 1,
                                 .state = {v + 1},
                                 .lo = lo,
                                 .hi = lo + split < COUNT ? lo + split : COUNT,
                                 .lr = sgd->lr(args),
                                 .step = (uint64_t)step};
            ln_kernels_of(isa)->update[LN_OPTIMIZER_sgd](&u);
        }
    }
    assert_true(p[0] == 123 && p[COUNT + 1] == 123 && v[0] == 123 && v[COUNT + 1] == 123);
    for (size_t i = 0; i < COUNT && a->momentum == 0; i++) assert_true(v[i + 1] == 0);
    memcpy(p_out, p + 1, COUNT * sizeof *p);
}

static void test_sgd(void **state) {
    (void)state;
    static const size_t splits[] = {1, 5, 16, 33};
    for (size_t k = 0; k < sizeof lines / sizeof *lines; k++) {
        float  first[COUNT], p[COUNT], v[COUNT];
        double want[COUNT];
        start(p, v);
        for (size_t i = 0; i < COUNT; i++) want[i] = (double)p[i];
        reference(&lines[k], want);
        descend(LN_ISA_PLAIN, &lines[k], COUNT, first);
        for (size_t i = 0; i < COUNT; i++)
            if (!(fabs((double)first[i] - want[i]) <= 1e-6))
                fail_msg("sgd %s: element %zu is %.9g, not %.9g", lines[k].text, i, (double)first[i], want[i]);
        for (size_t isa = 0; isa < N_ISAS; isa++) {
            if (!ln_isa_available(isas[isa])) continue;
            for (size_t s = 0; s < sizeof splits / sizeof *splits; s++) {
                descend(isas[isa], &lines[k], splits[s], p);
                assert_memory_equal(p, first, sizeof p);
            }
        }
    }
}

/* NaN in a gradient reaches its parameter and no other. */
static void test_sgd_nan(void **state) {
    (void)state;
    for (size_t isa = 0; isa < N_ISAS; isa++) {
        if (!ln_isa_available(isas[isa])) continue;
        float           p[20] = {0}, v[20] = {0}, g[20] = {0};
        const double    args[5] = {0.1, 0.9};
        const ln_update u = {.args = args, .param = p, .gradient = g, .state = {v}, .hi = 20, .lr = 0.1, .step = 1};
        g[3] = g[18] = NAN;
        ln_kernels_of(isas[isa])->update[LN_OPTIMIZER_sgd](&u);
        for (int i = 0; i < 20; i++) assert_int_equal(isnan(p[i]) != 0, i == 3 || i == 18);
    }
}

static void test_sgd_refusals(void **state) {
    (void)state;
    static const char *const   bad[] = {"lr=0.1 nesterov=true", "lr=0.1 momentum=0.9 dampening=0.1 nesterov=true"};
    const ln_optimizer        *sgd = ln_optimizers[LN_OPTIMIZER_sgd];
    _Alignas(16) unsigned char args[LN_MAX_OPTIM_ARGS];
    ln_error                   error;
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(ln_attr_parse(bad[i], "sgd", sgd->attrs, args, sgd->args_size, NULL, NULL, 0, &error), LN_OK);
        assert_int_equal(sgd->check(args, &error), LN_E_ARGUMENT);
        assert_non_null(strstr(error.message, "nesterov"));
    }
    ln_optimizer_id id;
    assert_int_equal(ln_optimizer_parse("sgd lr=0.1 nesterov=true", &id, args, &error), LN_E_ARGUMENT);
    assert_int_equal(ln_attr_parse("momentum=0.9", "sgd", sgd->attrs, args, sgd->args_size, NULL, NULL, 0, &error),
                     LN_E_ARGUMENT);
}

static double factor(ln_schedule_id id, const char *text, uint64_t step, uint64_t total, uint64_t epoch) {
    _Alignas(16) unsigned char args[LN_MAX_OPTIM_ARGS];
    const ln_schedule         *s = ln_schedules[id];
    ln_error                   error;
    if (ln_attr_parse(text, s->name, s->attrs, args, s->args_size, NULL, NULL, 0, &error) != LN_OK)
        fail_msg("%s", error.message);
    return s->factor(args, 0.5, step, total, epoch, 10);
}

static void assert_close(double found, double want) {
    if (!(fabs(found - want) <= 1e-15)) fail_msg("%.17g is not %.17g", found, want);
}

static void test_schedules(void **state) {
    (void)state;
    const double half_turn = acos(-1);
    assert_true(factor(LN_SCHEDULE_constant, "", 7, 100, 3) == 1);
    for (uint64_t epoch = 0; epoch < 10; epoch++)
        assert_close(factor(LN_SCHEDULE_step, "size=3 gamma=0.5", 0, 100, epoch), pow(0.5, (double)(epoch / 3)));
    assert_close(factor(LN_SCHEDULE_step, "size=1", 0, 100, 2), 0.01);
    assert_true(factor(LN_SCHEDULE_cosine, "", 0, 100, 0) == 1);
    assert_true(factor(LN_SCHEDULE_cosine, "", 50, 100, 0) == 0.5);
    assert_true(factor(LN_SCHEDULE_cosine, "", 100, 100, 0) == 0);
    assert_true(factor(LN_SCHEDULE_cosine, "min=0.125", 100, 100, 0) == 0.25);
    for (uint64_t step = 0; step < 100; step++) {
        const double x = 0.25 + 0.75 * (1 + cos(half_turn * (double)step / 100)) / 2;
        assert_close(factor(LN_SCHEDULE_cosine, "min=0.125", step, 100, 0), x);
    }
}

static void test_schedule_refusals(void **state) {
    (void)state;
    const ln_schedule *s = ln_schedules[LN_SCHEDULE_cosine];
    ln_error           error;
    const double       args[1] = {0.5};
    assert_int_equal(s->check(args, 0.5, &error), LN_OK);
    assert_int_equal(s->check(args, 0.4, &error), LN_E_ARGUMENT);
    assert_non_null(strstr(error.message, "min=0.5 is greater than the optimizer's lr=0.4"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sgd),       cmocka_unit_test(test_sgd_nan),           cmocka_unit_test(test_sgd_refusals),
        cmocka_unit_test(test_schedules), cmocka_unit_test(test_schedule_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
