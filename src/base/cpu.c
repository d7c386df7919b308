/* What the processor, the system and the control group allow, asked each time: nothing is remembered here, so
 * nothing is shared between contexts. */
#include "base/cpu.h"

#include "base/error.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#ifdef __x86_64__
#include <cpuid.h>
#include <immintrin.h>
#endif

/* -------------------------------------------------------- instruction sets */

const char *ln_isa_name(ln_isa isa) {
    static const char *const names[LN_ISA_COUNT] = {[LN_ISA_F64] = "f64",
                                                    [LN_ISA_PLAIN] = "plain",
                                                    [LN_ISA_NEON] = "neon",
                                                    [LN_ISA_AVX2] = "avx2",
                                                    [LN_ISA_AVX512] = "avx512"};
    return names[isa];
}

#ifdef __x86_64__
typedef struct x86_features {
    bool fma, avx2, avx512;
} x86_features;

/* The parts of the register file that the system saves for each thread; without them the instructions fault. */
static uint64_t saved_state(void) {
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

static x86_features x86_detect(void) {
    enum { XMM_YMM = 0x06, XMM_YMM_ZMM = 0xe6 };
    const unsigned f_dq_bw_vl = bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL;
    unsigned       eax, ebx, ecx, edx;
    x86_features   found = {0};
    if (!__get_cpuid(1, &eax, &ebx, &ecx, &edx) || !(ecx & bit_OSXSAVE) || !(ecx & bit_AVX)) return found;
    const uint64_t state = saved_state();
    if ((state & XMM_YMM) != XMM_YMM) return found;
    found.fma = ecx & bit_FMA;
    if (!found.fma || !__get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx)) return found;
    found.avx2 = (ebx & bit_AVX2) && (ebx & bit_BMI2);
    found.avx512 = found.avx2 && (ebx & f_dq_bw_vl) == f_dq_bw_vl && (state & XMM_YMM_ZMM) == XMM_YMM_ZMM;
    return found;
}
#endif

bool ln_cpu_has_fma(void) {
#if defined(__x86_64__)
    return x86_detect().fma;
#elif defined(__aarch64__)
    return true;
#else
    return false;
#endif
}

bool ln_isa_available(ln_isa isa) {
    switch (isa) {
    case LN_ISA_F64:
    case LN_ISA_PLAIN: return true;
#if defined(LN_HAVE_NEON) && defined(__aarch64__)
    case LN_ISA_NEON: return true;
#endif
#if defined(LN_HAVE_AVX2) && defined(__x86_64__)
    case LN_ISA_AVX2: return x86_detect().avx2;
#endif
#if defined(LN_HAVE_AVX512) && defined(__x86_64__)
    case LN_ISA_AVX512: return x86_detect().avx512;
#endif
    default: return false;
    }
}

ln_isa ln_isa_best(void) {
    ln_isa isa = LN_ISA_COUNT - 1;
    while (isa > LN_ISA_PLAIN && !ln_isa_available(isa)) isa--;
    return isa;
}

/* ------------------------------------------------------------------- cores */

/* Reads a small file whole, as a string; "" when there is none. */
static void read_text(const char *path, char *text, size_t size) {
    text[0] = '\0';
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return;
    const ssize_t n = read(fd, text, size - 1);
    text[n > 0 ? n : 0] = '\0';
    close(fd);
}

/* Cores, rounded up, that "QUOTA" microseconds out of every "PERIOD" are; 0 (no limit) for anything else: "max", -1. */
static int quota_cores(const char *quota, const char *period) {
    const long long used = strtoll(quota, NULL, 10), of = strtoll(period, NULL, 10);
    if (used <= 0 || of <= 0 || used / of > 4096) return 0;
    return (int)((used + of - 1) / of);
}

/* One group: version 2 keeps both numbers in cpu.max, version 1 has a file for each. */
static int group_cores(const char *folder, bool v2) {
    char path[1280], first[64], second[64];
    snprintf(path, sizeof path, "%s/%s", folder, v2 ? "cpu.max" : "cpu.cfs_quota_us");
    read_text(path, first, sizeof first);
    if (v2) {
        const char *const blank = strchr(first, ' ');
        return blank ? quota_cores(first, blank) : 0;
    }
    snprintf(path, sizeof path, "%s/cpu.cfs_period_us", folder);
    read_text(path, second, sizeof second);
    return quota_cores(first, second);
}

/* The least of a group and its ancestors. Inside a container the path may be the host's, of which only the root is
 * to be seen; that is the container's own group. */
static int least_cores(const char *root, bool v2, const char *group) {
    char         folder[1200];
    const int    length = snprintf(folder, sizeof folder, "%s%s%s", root, v2 ? "" : "/cpu", group);
    const size_t n_root = strlen(root) + (v2 ? 0 : strlen("/cpu"));
    if (length < 0 || length >= (int)sizeof folder) return 0;
    int least = 0;
    for (;;) {
        const int cores = group_cores(folder, v2);
        if (cores && (!least || cores < least)) least = cores;
        char *const slash = strrchr(folder + n_root, '/');
        if (!slash) return least;
        *slash = '\0';
    }
}

/* Whether a comma-separated list of version 1 controllers has the one that limits processors. */
static bool lists_cpu(const char *list) {
    for (const char *word = list; *word; word += strcspn(word, ",") + (word[strcspn(word, ",")] == ','))
        if (strcspn(word, ",") == 3 && strncmp(word, "cpu", 3) == 0) return true;
    return false;
}

int ln_cpu_quota(const char *membership, const char *root) {
    char text[4096];
    int  least = 0;
    read_text(membership, text, sizeof text);
    for (char *line = text, *next; *line; line = next) { /* "ID:controllers:/group" */
        next = line + strcspn(line, "\n");
        if (*next) *next++ = '\0';
        char *const list = strchr(line, ':');
        char *const group = list ? strchr(list + 1, ':') : NULL;
        if (!group) continue;
        *group = '\0';
        const bool v2 = list[1] == '\0';
        const int  cores = v2 || lists_cpu(list + 1) ? least_cores(root, v2, group + 1) : 0;
        if (cores && (!least || cores < least)) least = cores;
    }
    return least;
}

int ln_cpu_count(void) {
    unsigned long mask[1024] = {0}; /* 65536 cores: the kernel refuses masks that are too short for it */
    int           count = 0;
    if (sched_getaffinity(0, sizeof mask, (cpu_set_t *)mask) == 0)
        for (size_t i = 0; i < sizeof mask / sizeof *mask; i++) count += __builtin_popcountl(mask[i]);
    if (count == 0) count = (int)sysconf(_SC_NPROCESSORS_ONLN);
    const int quota = ln_cpu_quota("/proc/self/cgroup", "/sys/fs/cgroup");
    if (quota && quota < count) count = quota;
    return count < 1 ? 1 : count;
}

/* ----------------------------------------------------- floating-point mode */

#if defined(__x86_64__)
/* The x87 control word too: the C library asks it how to round when it reads and prints numbers. */
uint64_t ln_fp_enter(void) {
    enum { ALL_MASKED = 0x1f80, FLUSH_RESULTS = 0x8000, FLUSH_OPERANDS = 0x0040, X87_DEFAULT = 0x037f };
    const uint16_t x87 = X87_DEFAULT;
    uint16_t       before;
    __asm__ volatile("fnstcw %0" : "=m"(before));
    const uint64_t mode = (uint64_t)before << 32 | _mm_getcsr();
    _mm_setcsr(ALL_MASKED | FLUSH_RESULTS | FLUSH_OPERANDS);
    if (before != x87) __asm__ volatile("fldcw %0" : : "m"(x87));
    return mode;
}

void ln_fp_leave(uint64_t mode) {
    const uint16_t x87 = (uint16_t)(mode >> 32);
    uint16_t       now;
    _mm_setcsr((unsigned)mode);
    __asm__ volatile("fnstcw %0" : "=m"(now));
    if (now != x87) __asm__ volatile("fldcw %0" : : "m"(x87));
}
#elif defined(__aarch64__)
uint64_t ln_fp_enter(void) {
    const uint64_t flush = (uint64_t)1 << 24; /* and every other bit 0: nearest, no traps, NaN payloads kept */
    uint64_t mode;
    __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
    __asm__ volatile("msr fpcr, %0" : : "r"(flush));
    return mode;
}

void ln_fp_leave(uint64_t mode) { __asm__ volatile("msr fpcr, %0" : : "r"(mode)); }
#else
uint64_t ln_fp_enter(void) { return 0; }
void ln_fp_leave(uint64_t mode) { (void)mode; }
#endif
