/* kernels_neon.c - the kernels for every 64-bit ARM: 4 lanes, the same bits as the definition. */
#include "worker/engine/simd_neon.h"

#include "worker/engine/simd_unpack.h"

#include "worker/engine/simd_matmul.h"
#include "worker/engine/simd_vectors.h"

#include "worker/engine/simd_attention.h"
#include "worker/engine/simd_tiles.h"

const struct kernels kernels_neon = SIMD_TABLE("neon");
