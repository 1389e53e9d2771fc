/* panels.h - matrices turned into the layout that the kernels read best, and read back.
 *
 * The layout itself is proto/model/panel_layout.h. Packing moves bits about and changes no value:
 * what is multiplied and dequantised is the same to the last bit. Pure, any thread. */
#ifndef WORKER_ENGINE_PANELS_H
#define WORKER_ENGINE_PANELS_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/model/gguf.h"
#include "proto/model/panel_layout.h"

/* Whether import lays matrices of this type out in panels (else rows stay as they are). */
bool panels_suit(enum ggml_type type);

/* Panels [first, last) of the matrix whose rows, as in the file, begin at `rows`; out holds them
 * alone: (last - first) * panel_bytes(type, n_in) bytes, 64-byte aligned not needed. */
void panels_pack(enum ggml_type type, const void *rows, uint32_t n_in, uint32_t n_out,
                 uint32_t first, uint32_t last, void *out);

/* Decodes n values of one output (`o` of its panel) from a chunk, as unpack_values does it from the
 * file: u [n], scale and min [n / sub]. */
void panel_unpack(enum ggml_type type, const uint8_t *chunk, uint32_t n, uint32_t o, uint8_t *u,
                  float *scale, float *min);

/* Row `output` of a matrix in panels as floats: the bits that dequantize() gives. */
void panels_row(enum ggml_type type, const void *panels, uint32_t n_in, uint32_t output,
                float *out);

#endif
