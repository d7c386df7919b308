/* The tables that are compiled in, by instruction set. */
#include "kernel/kernels.h"

#ifdef LN_HAVE_F64
extern const ln_kernels ln_table_f64;
#endif
#ifdef LN_HAVE_PLAIN
extern const ln_kernels ln_table_plain;
#endif
#ifdef LN_HAVE_NOFMA
extern const ln_kernels ln_table_nofma;
#endif
#ifdef LN_HAVE_NEON
extern const ln_kernels ln_table_neon;
#endif
#ifdef LN_HAVE_AVX2
extern const ln_kernels ln_table_avx2;
#endif
#ifdef LN_HAVE_AVX512
extern const ln_kernels ln_table_avx512;
#endif

const ln_kernels *ln_kernels_of(ln_isa isa) {
    switch (isa) {
#ifdef LN_HAVE_F64
    case LN_ISA_F64: return &ln_table_f64;
#endif
#ifdef LN_HAVE_PLAIN
    case LN_ISA_PLAIN:
#ifdef LN_HAVE_NOFMA
        if (!ln_cpu_has_fma()) return &ln_table_nofma;
#endif
        return &ln_table_plain;
#endif
#ifdef LN_HAVE_NEON
    case LN_ISA_NEON: return &ln_table_neon;
#endif
#ifdef LN_HAVE_AVX2
    case LN_ISA_AVX2: return &ln_table_avx2;
#endif
#ifdef LN_HAVE_AVX512
    case LN_ISA_AVX512: return &ln_table_avx512;
#endif
    default: return NULL;
    }
}

const ln_pixels *ln_pixels_of(ln_isa isa) {
    const ln_kernels *const kernels = ln_kernels_of(isa);
    return kernels ? kernels->pixels : NULL;
}
