#include "kernels/kernels.h"
#include "kernels/polyphase_kernels.h"

#include <stdlib.h>
#include <string.h>

#if defined(_MSC_VER)
#pragma warning(disable : 4996) /* getenv is called once, at import */
#endif

#if defined(SV_HAVE_AVX2) && defined(_MSC_VER)
#include <immintrin.h>
#include <intrin.h>
#endif

const sv_kernels *sv_kernels_active = &sv_kernels_baseline;

/* How much of the x86-64 family this machine can run: 0 the baseline, 1 AVX2 and FMA, 2 AVX-512F. */
static int machine_level(void) {
#if !defined(SV_HAVE_AVX2)
    return 0;
#elif defined(_MSC_VER)
    int leaf[4];
    __cpuid(leaf, 0);
    if (leaf[0] < 7) return 0;
    __cpuid(leaf, 1);
    const int fma = (leaf[2] >> 12) & 1, osxsave = (leaf[2] >> 27) & 1;
    if (!fma || !osxsave || (_xgetbv(0) & 0x06) != 0x06) return 0; /* the system must save the wide registers */
    __cpuidex(leaf, 7, 0);
    if (!((leaf[1] >> 5) & 1)) return 0;
    /* what /arch:AVX512 takes for granted: F, DQ, CD, BW, VL */
    const unsigned all = 0xd0030000u;
    return ((unsigned)leaf[1] & all) == all && (_xgetbv(0) & 0xe6) == 0xe6 ? 2 : 1;
#else
    __builtin_cpu_init();
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return 0;
    return __builtin_cpu_supports("avx512f") ? 2 : 1;
#endif
}

const char *const *sv_kernels_available(void) {
    static const char *const names[3][4] = {
        {"baseline", NULL},
        {"baseline", "avx2", NULL},
        {"baseline", "avx2", "avx512", NULL},
    };
    return names[machine_level()];
}

static const sv_kernels *by_name(const char *name) {
#if defined(SV_HAVE_AVX2)
    if (strcmp(name, sv_kernels_avx512.name) == 0) return &sv_kernels_avx512;
    if (strcmp(name, sv_kernels_avx2.name) == 0) return &sv_kernels_avx2;
#endif
    return &sv_kernels_baseline;
}

const sv_polyphase_kernels *sv_polyphase_active(void) {
#if defined(SV_HAVE_AVX2)
    if (sv_kernels_active == &sv_kernels_avx512) return &sv_polyphase_avx512;
    if (sv_kernels_active == &sv_kernels_avx2) return &sv_polyphase_avx2;
#endif
    return &sv_polyphase_baseline;
}

int sv_kernels_select(const char *name) {
    const char *const *available = sv_kernels_available();
    const char *best = NULL;
    for (; *available != NULL; available++) {
        best = *available;
        if (name != NULL && strcmp(name, best) == 0) {
            sv_kernels_active = by_name(best);
            return 0;
        }
    }
    if (name != NULL && name[0] != '\0') return -1;
    sv_kernels_active = by_name(best);
    return 0;
}

int sv_kernels_select_from_environment(void) { return sv_kernels_select(getenv("SOTTOVOCE_ISA")); }
