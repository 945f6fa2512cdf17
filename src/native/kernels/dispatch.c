#include "kernels/kernels.h"

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

static int machine_has_avx2(void) {
#if !defined(SV_HAVE_AVX2)
    return 0;
#elif defined(_MSC_VER)
    int leaf[4];
    __cpuid(leaf, 0);
    if (leaf[0] < 7) return 0;
    __cpuid(leaf, 1);
    const int fma = (leaf[2] >> 12) & 1, osxsave = (leaf[2] >> 27) & 1;
    if (!fma || !osxsave || (_xgetbv(0) & 6) != 6) return 0; /* the system must save the wide registers */
    __cpuidex(leaf, 7, 0);
    return (leaf[1] >> 5) & 1;
#else
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
#endif
}

const char *const *sv_kernels_available(void) {
    static const char *const without_avx2[] = {"baseline", NULL};
    static const char *const with_avx2[] = {"baseline", "avx2", NULL};
    return machine_has_avx2() ? with_avx2 : without_avx2;
}

static const sv_kernels *by_name(const char *name) {
#if defined(SV_HAVE_AVX2)
    if (strcmp(name, sv_kernels_avx2.name) == 0) return &sv_kernels_avx2;
#endif
    return &sv_kernels_baseline;
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
