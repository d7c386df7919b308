/* Optimizers and schedules against PyTorch's (golden/optim.bin, golden/schedules.bin, which golden/generate_optim.py
 * describes), with every argument given another value than its default, over every split and instruction set; what they
 * do with NaN, and refuse. */
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
#include "kernel/kernels.h"

enum { COUNT = 77, STEPS = 10, EPOCHS = 60, PER_EPOCH = 5 };

static const ln_isa isas[] = {LN_ISA_PLAIN, LN_ISA_NEON, LN_ISA_AVX2, LN_ISA_AVX512};
enum { N_ISAS = sizeof isas / sizeof *isas };

static void take(FILE *file, void *to, size_t n_bytes) {
    if (fread(to, 1, n_bytes, file) != n_bytes) fail_msg("a golden file ends too early");
}

static FILE *golden(const char *name, const char *magic) {
    char path[1024], found[8];
    (void)snprintf(path, sizeof path, LN_SOURCE_DIR "/tests/golden/%s", name);
    FILE *file = fopen(path, "rb");
    if (!file) fail_msg("%s is missing: run tests/golden/generate_optim.py", path);
    take(file, found, sizeof found);
    assert_memory_equal(found, magic, sizeof found);
    return file;
}

static void golden_end(FILE *file) {
    assert_int_equal(fgetc(file), EOF);
    (void)fclose(file);
}

/* Every argument of a table must have had another value than its default in some line. */
static void assert_all_given(const char *name, const ln_attr *table, uint64_t given) {
    const char *const missing = argument_missing(table, given);
    if (missing) fail_msg("%s: no line of golden/generate_optim.py has another %s than its default", name, missing);
}

/* ------------------------------------------------------------------------ optimizers */

typedef struct line {
    char            text[96];
    ln_correction   correction;
    double          torch32, after[COUNT];
    ln_optimizer_id id;
    _Alignas(16) unsigned char args[LN_MAX_OPTIM_ARGS];
} line;

static double start_at(size_t i) { return ((int)(i * 13) % 29 - 14) / 8.0; }
static double gradient_at(int step, size_t i) { return ((int)(i * 37 + (size_t)step * 11) % 61 - 30) / 32.0; }

/* Elements of either size, between two that must stay as they are. */
typedef struct array {
    _Alignas(64) unsigned char bytes[(COUNT + 2) * sizeof(double)];
} array;

static void set(array *a, bool f64, size_t i, double value) {
    if (f64) ((double *)(void *)a->bytes)[i] = value;
    else ((float *)(void *)a->bytes)[i] = (float)value;
}

static double get(const array *a, bool f64, size_t i) {
    return f64 ? ((const double *)(const void *)a->bytes)[i] : (double)((const float *)(const void *)a->bytes)[i];
}

static void *first_of(array *a, bool f64) { return a->bytes + (f64 ? sizeof(double) : sizeof(float)); }

static void guard(array *a, bool f64) {
    set(a, f64, 0, 123);
    set(a, f64, COUNT + 1, 123);
}

static void assert_guarded(const array *a, bool f64) {
    assert_true(get(a, f64, 0) == 123 && get(a, f64, COUNT + 1) == 123);
}

/* STEPS steps in splits of `split` elements, from an address that no vector is aligned to. */
static void descend(ln_isa isa, const line *a, size_t split, array *p) {
    static array g, state[LN_MAX_OPTIM_STATES];
    const bool   f64 = isa == LN_ISA_F64;
    const size_t n_states = ln_optimizers[a->id]->n_states(a->args);
    const bool   corrects = a->correction.scale < 1 || a->correction.limit > 0 || a->correction.l2 > 0;
    ln_update    u = {.args = a->args, .param = first_of(p, f64), .gradient = first_of(&g, f64)};
    memset(state, 0, sizeof state);
    for (size_t j = 0; j < LN_MAX_OPTIM_STATES; j++) guard(&state[j], f64);
    for (size_t j = 0; j < n_states; j++) u.state[j] = first_of(&state[j], f64);
    guard(p, f64);
    for (size_t i = 0; i < COUNT; i++) set(p, f64, i + 1, start_at(i));
    u.correction = corrects ? &a->correction : NULL;
    u.lr = ln_optimizers[a->id]->lr(a->args);
    for (u.step = 1; u.step <= STEPS; u.step++) {
        for (size_t i = 0; i < COUNT; i++) set(&g, f64, i + 1, gradient_at((int)u.step, i));
        for (u.lo = 0; u.lo < COUNT; u.lo = u.hi) {
            u.hi = u.lo + split < COUNT ? u.lo + split : COUNT;
            ln_kernels_of(isa)->update[a->id](&u);
        }
    }
    assert_guarded(p, f64);
    for (size_t j = 0; j < LN_MAX_OPTIM_STATES; j++) assert_guarded(&state[j], f64);
}

static void check_distance(const line *a, const array *p, bool f64, double most) {
    double sum = 0;
    for (size_t i = 0; i < COUNT; i++) {
        const double d = get(p, f64, i + 1) - a->after[i];
        sum += d * d;
    }
    if (!(sqrt(sum) <= most))
        fail_msg("%s (scale=%g limit=%g l2=%g): %s is %.3g from PyTorch's float64, more than %.3g", a->text,
                 a->correction.scale, a->correction.limit, a->correction.l2, f64 ? "float64" : "float32", sqrt(sum),
                 most);
}

static void check_line(const line *a) {
    static const size_t splits[] = {1, 5, 16, 33};
    array               want, p;
    descend(LN_ISA_F64, a, COUNT, &p);
    check_distance(a, &p, true, 1e-13);
    descend(LN_ISA_PLAIN, a, COUNT, &want);
    check_distance(a, &want, false, 2 * a->torch32);
    for (size_t isa = 0; isa < N_ISAS; isa++)
        for (size_t s = 0; ln_isa_available(isas[isa]) && s < sizeof splits / sizeof *splits; s++) {
            descend(isas[isa], a, splits[s], &p);
            assert_memory_equal(p.bytes, want.bytes, (COUNT + 2) * sizeof(float));
        }
}

static void test_optimizers(void **state) {
    (void)state;
    FILE    *file = golden("optim.bin", "LNOPTM1");
    uint32_t sizes[3];
    uint64_t given[LN_OPTIMIZER_COUNT] = {0};
    take(file, sizes, sizeof sizes);
    assert_true(sizes[1] == COUNT && sizes[2] == STEPS);
    for (uint32_t k = 0; k < sizes[0]; k++) {
        line     a = {0};
        ln_error error;
        take(file, a.text, sizeof a.text);
        take(file, &a.correction, sizeof a.correction);
        take(file, &a.torch32, sizeof a.torch32);
        take(file, a.after, sizeof a.after);
        if (ln_optimizer_parse(a.text, &a.id, a.args, &error) != LN_OK) fail_msg("%s", error.message);
        check_line(&a);
        given[a.id] |= arguments_given(ln_optimizers[a.id]->attrs, a.args);
    }
    for (size_t i = 0; i < LN_OPTIMIZER_COUNT; i++)
        assert_all_given(ln_optimizers[i]->name, ln_optimizers[i]->attrs, given[i]);
    golden_end(file);
}

/* NaN in a gradient reaches its parameter and no other, whatever is done to gradients first. */
static void test_nan(void **state) {
    (void)state;
    static const char *const   lines[] = {"sgd lr=0.1 momentum=0.9", "rmsprop centered=true", "adam amsgrad=true",
                                          "adamw"};
    static const ln_correction correction = {0.5, 0.25, 0.1};
    for (size_t k = 0; k < 2 * N_ISAS * sizeof lines / sizeof *lines; k++) {
        const ln_isa isa = isas[k / 2 % N_ISAS];
        if (!ln_isa_available(isa)) continue;
        _Alignas(16) unsigned char args[LN_MAX_OPTIM_ARGS];
        float                      p[20] = {0}, s[LN_MAX_OPTIM_STATES][20] = {{0}}, g[20] = {0};
        ln_optimizer_id            id;
        ln_update                  u = {.args = args, .param = p, .gradient = g, .hi = 20, .lr = 0.1, .step = 1};
        u.correction = k % 2 ? &correction : NULL;
        for (size_t j = 0; j < LN_MAX_OPTIM_STATES; j++) u.state[j] = s[j];
        g[3] = g[18] = NAN;
        assert_int_equal(ln_optimizer_parse(lines[k / 2 / N_ISAS], &id, args, NULL), LN_OK);
        ln_kernels_of(isa)->update[id](&u);
        for (int i = 0; i < 20; i++) assert_int_equal(isnan(p[i]) != 0, i == 3 || i == 18);
    }
}

/* A centered variance that rounding would take below 0 is 0: a steady gradient gives steps of lr·g/eps at most. */
static void test_centered(void **state) {
    (void)state;
    _Alignas(16) unsigned char args[LN_MAX_OPTIM_ARGS];
    float                      p[16] = {0}, s[2][16] = {{0}}, g[16];
    ln_optimizer_id            id;
    assert_int_equal(ln_optimizer_parse("rmsprop centered=true alpha=0.3", &id, args, NULL), LN_OK);
    for (int i = 0; i < 16; i++) g[i] = 0.1F + (float)i / 7;
    for (uint64_t step = 1; step <= 200; step++) {
        const ln_update u = {
            .args = args, .param = p, .gradient = g, .state = {s[0], s[1]}, .hi = 16, .lr = 1e-9, .step = step};
        ln_kernels_of(LN_ISA_PLAIN)->update[id](&u);
        for (int i = 0; i < 16; i++) assert_true(isfinite(p[i]));
    }
}

static void test_states(void **state) {
    (void)state;
    static const struct {
        const char *text;
        size_t      n;
    } lines[] = {{"sgd lr=1", 0},
                 {"sgd lr=1 momentum=0.1", 1},
                 {"rmsprop", 1},
                 {"rmsprop momentum=0.1", 2},
                 {"rmsprop centered=true", 2},
                 {"rmsprop momentum=0.1 centered=true", 3},
                 {"adam", 2},
                 {"adam amsgrad=true", 3},
                 {"adamw", 2}};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        _Alignas(16) unsigned char args[LN_MAX_OPTIM_ARGS];
        ln_optimizer_id            id;
        assert_int_equal(ln_optimizer_parse(lines[i].text, &id, args, NULL), LN_OK);
        assert_int_equal(ln_optimizers[id]->n_states(args), lines[i].n);
    }
}

static void test_refusals(void **state) {
    (void)state;
    static const char *const bad[][2] = {
        {"sgd lr=0.1 nesterov=true", "nesterov"},
        {"sgd lr=0.1 momentum=0.9 dampening=0.1 nesterov=true", "nesterov"},
        {"sgd momentum=0.9", "lr"},
        {"adam beta1=1", "beta1"},
        {"adamw eps=0", "eps"},
        {"rmsprop alpha=1", "alpha"},
        {"adam momentum=0.9", "momentum"},
        {"adma", "did you mean 'adam'?"},
        {"adam from x", "neither 'from' nor 'as'"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        _Alignas(16) unsigned char args[LN_MAX_OPTIM_ARGS];
        ln_optimizer_id            id;
        ln_error                   error;
        assert_int_equal(ln_optimizer_parse(bad[i][0], &id, args, &error), LN_E_ARGUMENT);
        if (!strstr(error.message, bad[i][1])) fail_msg("%s: %s", bad[i][0], error.message);
    }
}

/* ------------------------------------------------------------------------- schedules */

static ln_pace pace_of(const char *text) {
    ln_pace  pace;
    ln_error error;
    if (ln_schedule_parse(text, &pace, &error) != LN_OK) fail_msg("%s", error.message);
    return pace;
}

static void check_schedule(const char *text, double base, const double *measured, const double *want) {
    ln_pace pace = pace_of(text);
    assert_int_equal(ln_pace_check(&pace, base, EPOCHS, NULL), LN_OK);
    for (uint64_t step = 0; step < EPOCHS * PER_EPOCH; step++) {
        const double now = step >= PER_EPOCH ? measured[step / PER_EPOCH - 1] : 0;
        if (step >= PER_EPOCH && step % PER_EPOCH == 0)
            ln_pace_observe(&pace, base, step, PER_EPOCH, &(ln_metrics){.loss = now, .accuracy = now});
        const double rate = ln_pace_rate(&pace, base, step, PER_EPOCH, EPOCHS);
        if (!(fabs(rate - want[step]) <= 1e-12 * want[step]))
            fail_msg("%s: step %d has the rate %.17g, not %.17g", text, (int)step, rate, want[step]);
    }
}

static void test_schedules(void **state) {
    (void)state;
    FILE    *file = golden("schedules.bin", "LNSCHD1");
    uint32_t n, seen[LN_SCHEDULE_COUNT] = {0};
    uint64_t given[LN_SCHEDULE_COUNT] = {0}, warmup = 0;
    take(file, &n, sizeof n);
    for (uint32_t k = 0; k < n; k++) {
        char     text[128];
        double   base, measured[EPOCHS], rate[EPOCHS * PER_EPOCH];
        uint32_t sizes[2];
        take(file, text, sizeof text);
        take(file, &base, sizeof base);
        take(file, sizes, sizeof sizes);
        assert_true(sizes[0] == EPOCHS && sizes[1] == PER_EPOCH);
        take(file, measured, sizeof measured);
        take(file, rate, sizeof rate);
        check_schedule(text, base, measured, rate);
        const ln_pace pace = pace_of(text);
        warmup |= arguments_given(ln_warmup_attrs, &pace.warmup);
        for (size_t i = 0; i < LN_SCHEDULE_COUNT; i++)
            if (ln_schedules[i] == pace.schedule) {
                given[i] |= arguments_given(pace.schedule->attrs, pace.args);
                seen[i]++;
            }
    }
    assert_all_given("warmup", ln_warmup_attrs, warmup);
    for (size_t i = 0; i < LN_SCHEDULE_COUNT; i++) {
        assert_true(seen[i] > 0);
        assert_all_given(ln_schedules[i]->name, ln_schedules[i]->attrs, given[i]);
    }
    golden_end(file);
}

/* Where steps are few, phases have no length, or the base rate is 0. */
static void test_schedule_edges(void **state) {
    (void)state;
    static const char *const lines[] = {
        "one_cycle", "one_cycle pct_start=0", "one_cycle pct_start=1", "one_cycle three_phase=true pct_start=0.5",
        "cosine",    "reduce_on_plateau"};
    for (size_t k = 0; k < sizeof lines / sizeof *lines; k++)
        for (uint64_t n = 1; n <= 12; n++)
            for (uint64_t step = 0; step <= n + 2; step++) {
                const ln_pace pace = pace_of(lines[k]);
                const double  rate = ln_pace_rate(&pace, 0.5, step, 1, n);
                if (!(rate >= 0 && rate <= 0.5))
                    fail_msg("%s: step %d of %d has %g", lines[k], (int)step, (int)n, rate);
                assert_true(ln_pace_rate(&pace, 0, step, 1, n) == 0);
            }
    const ln_pace cosine = pace_of("cosine min=0.125");
    assert_true(ln_pace_rate(&cosine, 0.5, 0, 10, 10) == 0.5);
    assert_true(ln_pace_rate(&cosine, 0.5, 100, 10, 10) == 0.125);
    assert_false(ln_pace_watches(&cosine));
    const ln_pace plateau = pace_of("reduce_on_plateau");
    assert_true(ln_pace_watches(&plateau));
}

static void test_schedule_refusals(void **state) {
    (void)state;
    static const char *const bad[][2] = {
        {"cosine min=0.5", "min=0.5 is greater than the optimizer's lr=0.4"},
        {"reduce_on_plateau min_lr=0.5", "min_lr=0.5 is greater than the optimizer's lr=0.4"},
        {"one_cycle three_phase=true pct_start=0.6", "pct_start=0.6 with three_phase=true"},
        {"reduce_on_plateau factor=1", "factor=1 lowers no rate"},
        {"multistep 2,2.5", "milestone 2.5 is no whole number"},
        {"constant warmup=5", "warmup=5 leaves nothing of 5 epochs"},
    };
    static const char *const wrong[][2] = {
        {"multistep", "milestones"},
        {"multistep milestones=0", "milestones"},
        {"exponential", "gamma"},
        {"one_cycle div_factor=0.5", "div_factor"},
        {"step size=2 warmup=-1", "warmup"},
        {"cosine warmup_form=1", "warmup_from"},
    };
    ln_error error;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        const ln_pace pace = pace_of(bad[i][0]);
        assert_int_equal(ln_pace_check(&pace, 0.4, 5, &error), LN_E_ARGUMENT);
        if (!strstr(error.message, bad[i][1])) fail_msg("%s: %s", bad[i][0], error.message);
    }
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ln_pace pace;
        assert_int_equal(ln_schedule_parse(wrong[i][0], &pace, &error), LN_E_ARGUMENT);
        if (!strstr(error.message, wrong[i][1])) fail_msg("%s: %s", wrong[i][0], error.message);
    }
    const ln_pace fits = pace_of("cosine min=0.4 warmup=4.9");
    assert_int_equal(ln_pace_check(&fits, 0.4, 5, &error), LN_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_optimizers),     cmocka_unit_test(test_nan),
        cmocka_unit_test(test_centered),       cmocka_unit_test(test_states),
        cmocka_unit_test(test_refusals),       cmocka_unit_test(test_schedules),
        cmocka_unit_test(test_schedule_edges), cmocka_unit_test(test_schedule_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
