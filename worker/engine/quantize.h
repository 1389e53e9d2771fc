/* quantize.h - single precision to the simple block formats.
 *
 * F32, F16, BF16, Q4_0, Q4_1, Q5_0, Q5_1 and Q8_0, with the arithmetic of ggml's reference
 * functions, so the bytes are the same. Pure, any thread. */
#ifndef WORKER_ENGINE_QUANTIZE_H
#define WORKER_ENGINE_QUANTIZE_H

#include <stdint.h>

#include "proto/err.h"
#include "proto/model/gguf.h"

/* Writes n values (whole blocks) to `blocks`, n / block * bytes of the type. PX_EUNSUPPORTED for
 * another type; PX_EINPUT when n is not a whole number of blocks or, for the block formats, a
 * value is not finite or too large for a half-precision scale. On failure nothing is written. */
int quantize_row(enum ggml_type type, const float *x, void *blocks, uint64_t n,
                 struct px_err *err) PX_MUST_CHECK;

#endif
