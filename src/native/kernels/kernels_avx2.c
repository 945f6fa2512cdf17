/* Compiled with AVX2 and FMA allowed. Empty where a universal build compiles this file for another architecture. */
#include "kernels/kernels.h"

#if defined(SV_HAVE_AVX2)
#include "kernels/loops.h"

const sv_kernels sv_kernels_avx2 = {
    "avx2", int16_to_float32, float32_to_int16, add, scale, ramp, scrub, mono_to_stereo, stereo_to_mono, linear,
};
#endif
