/* What the processor can do, and the floating-point mode that computing threads run in. */
#ifndef LN_BASE_CPU_H
#define LN_BASE_CPU_H

#include <stdbool.h>
#include <stdint.h>

/* Instruction sets, best last. LN_ISA_F64 is the double-precision reference, never chosen for running. */
typedef enum ln_isa { LN_ISA_F64, LN_ISA_PLAIN, LN_ISA_NEON, LN_ISA_AVX2, LN_ISA_AVX512, LN_ISA_COUNT } ln_isa;

const char *ln_isa_name(ln_isa isa);
bool        ln_isa_available(ln_isa isa); /* compiled in, and the processor and the system support it */
ln_isa      ln_isa_best(void);
bool        ln_cpu_has_fma(void);
int         ln_cpu_count(void); /* cores this process may use (affinity and cgroup quota), at least 1 */
/* Cores, rounded up, that the control groups under root leave to the process whose /proc/PID/cgroup is the file
 * membership; 0 when they set no limit. */
int ln_cpu_quota(const char *membership, const char *root);

/* Flush denormals to zero, round to nearest, exceptions masked; returns the mode that was. The public functions
 * that compute give it back with ln_fp_leave at every return. */
uint64_t ln_fp_enter(void);
void     ln_fp_leave(uint64_t mode);

#endif
