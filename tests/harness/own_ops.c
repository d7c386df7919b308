/* See own_ops.h. */
#include "harness/own_ops.h"

#include "base/cpu.h"

static ln_status infer_centre(ln_node *node, ln_error *error) {
    const size_t c = node->in[0].c;
    node->n_params = 1;
    node->param[0] = (ln_param){.name = "weight", .rank = 1, .dims = {c}, .count = c, .fan_in = 1, .fan_out = 1};
    return ln_infer_same(node, error);
}

/* NAME's kernel in each instruction set that was compiled. */
#define DECLARE(name, isa) extern const ln_kernel ln_kernel_own_##name##_##isa;
#define DECLARE_ALL(name) \
    DECLARE(name, plain)  \
    DECLARE(name, nofma) DECLARE(name, neon) DECLARE(name, avx2) DECLARE(name, avx512) DECLARE(name, f64)
DECLARE_ALL(centre)
DECLARE_ALL(drop)
DECLARE_ALL(skew)

enum { CENTRE, DROP, SKEW };
#define ROW(isa) \
    { &ln_kernel_own_centre_##isa, &ln_kernel_own_drop_##isa, &ln_kernel_own_skew_##isa }

static const ln_kernel *kernel_of(int op, ln_isa isa) {
    static const ln_kernel *const f64[] = ROW(f64), *const plain[] = ROW(plain);
    if (isa == LN_ISA_F64) return f64[op];
#ifdef LN_HAVE_NOFMA
    static const ln_kernel *const nofma[] = ROW(nofma);
    if (isa == LN_ISA_PLAIN && !ln_cpu_has_fma()) return nofma[op];
#endif
#ifdef LN_HAVE_NEON
    static const ln_kernel *const neon[] = ROW(neon);
    if (isa == LN_ISA_NEON) return neon[op];
#endif
#ifdef LN_HAVE_AVX2
    static const ln_kernel *const avx2[] = ROW(avx2);
    if (isa == LN_ISA_AVX2) return avx2[op];
#endif
#ifdef LN_HAVE_AVX512
    static const ln_kernel *const avx512[] = ROW(avx512);
    if (isa == LN_ISA_AVX512) return avx512[op];
#endif
    return isa == LN_ISA_PLAIN ? plain[op] : NULL;
}

static const ln_kernel *centre_kernel(ln_isa isa) { return kernel_of(CENTRE, isa); }
static const ln_kernel *drop_kernel(ln_isa isa) { return kernel_of(DROP, isa); }
static const ln_kernel *skew_kernel(ln_isa isa) { return kernel_of(SKEW, isa); }

static const ln_attr no_attrs[] = {{0}};
static const ln_attr drop_attrs[] = {{.key = "p",
                                      .type = LN_ATTR_FLOAT,
                                      .offset = offsetof(drop_args, p),
                                      .preset = 0.5,
                                      .high = 0.99,
                                      .positional = true,
                                      .help = "share of the values that become 0"},
                                     {0}};
static const ln_attr skew_attrs[] = {{.key = "factor",
                                      .type = LN_ATTR_FLOAT,
                                      .offset = offsetof(skew_args, factor),
                                      .preset = 1,
                                      .high = 2,
                                      .positional = true,
                                      .help = "what the gradient is multiplied by"},
                                     {0}};

const ln_op own_centre = {.name = "centre",
                          .help = "less the batch's mean",
                          .attrs = no_attrs,
                          .n_inputs = 1,
                          .traits = LN_CROSS_BATCH | LN_NEEDS_IN | LN_LEARNS | LN_DRAWS,
                          .infer = infer_centre,
                          .kernel = centre_kernel};
const ln_op own_drop = {.name = "drop",
                        .help = "some values, at random",
                        .attrs = drop_attrs,
                        .n_inputs = 1,
                        .args_size = sizeof(drop_args),
                        .traits = LN_LOCAL | LN_IN_PLACE | LN_RANDOM,
                        .infer = ln_infer_same,
                        .kernel = drop_kernel};
const ln_op own_skew = {.name = "skew",
                        .help = "a gradient that is off",
                        .attrs = skew_attrs,
                        .n_inputs = 1,
                        .args_size = sizeof(skew_args),
                        .traits = LN_LOCAL,
                        .infer = ln_infer_same,
                        .kernel = skew_kernel};
