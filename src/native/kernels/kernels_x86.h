/* What the AVX-512 set has beyond that of AVX2. */
#ifndef SOTTOVOCE_KERNELS_X86_H
#define SOTTOVOCE_KERNELS_X86_H

#include "kernels/kernels.h"

#if defined(SV_HAVE_AVX2)
void sv_linear_avx512(const float *SV_RESTRICT x, float *SV_RESTRICT out, size_t frames, size_t channels,
                      sv_linear_position *position);
#endif

#endif
