/* The probes that this build has and this processor can run. The build defines
 * LN_HAVE_AVX2, LN_HAVE_AVX512, LN_HAVE_NEON for the sets that it compiled; plain is always there. */
#ifndef LN_TESTS_VEC_PROBES_H
#define LN_TESTS_VEC_PROBES_H

#include "base/cpu.h"
#include "vec_probe.h"

#include <stddef.h>

extern const vec_probe vec_probe_plain, vec_probe_neon, vec_probe_avx2, vec_probe_avx512;

/* The probe of an instruction set, or NULL. Plain is compiled for processors with fma. */
static inline const vec_probe *probe_of(ln_isa isa) {
    if (!ln_isa_available(isa) || !ln_cpu_has_fma()) return NULL;
    switch (isa) {
    case LN_ISA_PLAIN: return &vec_probe_plain;
#ifdef LN_HAVE_NEON
    case LN_ISA_NEON: return &vec_probe_neon;
#endif
#ifdef LN_HAVE_AVX2
    case LN_ISA_AVX2: return &vec_probe_avx2;
#endif
#ifdef LN_HAVE_AVX512
    case LN_ISA_AVX512: return &vec_probe_avx512;
#endif
    default: return NULL;
    }
}

#endif
