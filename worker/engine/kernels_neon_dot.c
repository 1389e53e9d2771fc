/* kernels_neon_dot.c - the kernels for ARM with dot products of bytes (ARMv8.2, optional there):
 * those of kernels_neon.c, compiled for it. */
#include "worker/engine/simd_neon.h"

#include "worker/engine/simd_unpack.h"

#include "worker/engine/simd_matmul.h"
#include "worker/engine/simd_vectors.h"

#include "worker/engine/simd_attention.h"
#include "worker/engine/simd_tiles.h"

const struct kernels kernels_neon_dot = SIMD_TABLE("neon-dot");
