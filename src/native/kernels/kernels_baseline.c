/* SSE2 on x86-64, NEON on aarch64: what every machine of the architecture has. */
#include "kernels/loops.h"

const sv_kernels sv_kernels_baseline = {
    "baseline", int16_to_float32, float32_to_int16, add, scale, ramp, scrub, mono_to_stereo, stereo_to_mono, linear,
};
