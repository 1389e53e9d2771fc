/* panel_layout.h - where everything lies in a quantised matrix that was imported.
 *
 * A matrix [n_out][n_in] is cut into *panels* of 16 outputs, a panel into *chunks* of 256 values of
 * each output (the last one may be shorter, in blocks of 32). Panels follow one another, chunks
 * too: whoever multiplies reads the matrix once from start to end. Outputs that the last panel
 * lacks are zeros. Every chunk begins at a multiple of 64 bytes from the matrix's start.
 *
 * A chunk begins with what its blocks need together, so that a reader goes from its start to its
 * end without a jump: *scales*, one byte for each sub-block and output ([sub-block][16]), then
 * *minima* in the same way, then halves: d, then m, [16] for each block of the file's type
 * ([8][16] where that block is 32 values, [1][16] where it is 256). At the next multiple of 64
 * bytes follow the *values*, block after block. A block is a few vectors of 64 bytes; in
 * each of them bytes 4o .. 4o + 3 belong to output o, so that a 32-bit lane is an output (the form
 * that dot products of four bytes and AMX tiles take; a vector of 8 or 4 outputs is a part of it).
 * With u the unsigned value (worker/engine/unpack.h) and i = 0 .. 3:
 *
 *   8 bits   8 vectors; vector g byte (o, i): u[4g + i]
 *   4 bits   4 vectors; vector j byte (o, i): low nibble u[4j + i], high nibble u[16 + 4j + i]
 *   2 bits   2 vectors; vector h byte (o, i): bits 2t, 2t + 1: of u[16h + 4t + i]
 *   1 bit    1 vector;  byte (o, i): bit g: of u[4g + i]
 *
 * A type with 5, 6 or 3 bits has its low plane first and the high one behind it. IQ4 types keep the
 * index into their table. */
#ifndef PROTO_MODEL_PANEL_LAYOUT_H
#define PROTO_MODEL_PANEL_LAYOUT_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/model/gguf.h"

enum { PANEL_OUTPUTS = 16, PANEL_CHUNK = 256, PANEL_BLOCK = 32, PANEL_VECTOR = 64 };

struct panel_chunk {
    uint32_t block;  /* bytes of the values of one block of 32 for all outputs */
    uint32_t values; /* offsets in the chunk: of the first block, a multiple of 64 */
    uint32_t scales; /* (what the type does not have begins where the next thing does) */
    uint32_t mins;
    uint32_t d;
    uint32_t m;
    uint32_t bytes; /* a multiple of 64 */
};

/* What of each part a type has, for 32 values or for 256. */
struct panel_parts {
    uint32_t block;   /* as above; 0: the type is not laid out in panels */
    uint32_t n_scale; /* sub-blocks with a byte of scale in 256 values, 0: none */
    bool has_min_bytes;
    bool is_super; /* one d for 256 values, not for 32 */
    bool has_m;
};

static inline struct panel_parts panel_parts(enum ggml_type type)
{
    switch (type) {
    case GGML_Q4_0:
    case GGML_IQ4_NL:
        return (struct panel_parts){256, 0, false, false, false};
    case GGML_Q4_1:
        return (struct panel_parts){256, 0, false, false, true};
    case GGML_Q5_0:
        return (struct panel_parts){320, 0, false, false, false};
    case GGML_Q5_1:
        return (struct panel_parts){320, 0, false, false, true};
    case GGML_Q8_0:
        return (struct panel_parts){512, 0, false, false, false};
    case GGML_Q2_K: /* scale in the low nibble of the byte, minimum in the high one */
        return (struct panel_parts){128, 16, false, true, true};
    case GGML_Q3_K: /* signed scales */
        return (struct panel_parts){192, 16, false, true, false};
    case GGML_Q4_K:
        return (struct panel_parts){256, 8, true, true, true};
    case GGML_Q5_K:
        return (struct panel_parts){320, 8, true, true, true};
    case GGML_Q6_K: /* signed scales */
        return (struct panel_parts){384, 16, false, true, false};
    case GGML_IQ4_XS: /* signed scales */
        return (struct panel_parts){256, 8, false, true, false};
    default:
        return (struct panel_parts){0, 0, false, false, false};
    }
}

/* The chunk of n values, a multiple of 32 and at most 256 (256 where the type's blocks are so). */
static inline struct panel_chunk panel_chunk(enum ggml_type type, uint32_t n)
{
    struct panel_parts p = panel_parts(type);
    struct panel_chunk c = {.block = p.block};
    uint32_t halves = (p.is_super ? 1 : n / PANEL_BLOCK) * PANEL_OUTPUTS * 2;
    c.mins = c.scales + p.n_scale * PANEL_OUTPUTS;
    c.d = c.mins + (p.has_min_bytes ? p.n_scale * PANEL_OUTPUTS : 0);
    c.m = c.d + halves;
    c.values = c.m + (p.has_m ? halves : 0);
    c.values = (c.values + PANEL_VECTOR - 1) / PANEL_VECTOR * PANEL_VECTOR;
    c.bytes = c.values + n / PANEL_BLOCK * p.block;
    return c;
}

/* Bytes of one panel; n_in is a multiple of the type's block. */
static inline uint64_t panel_bytes(enum ggml_type type, uint32_t n_in)
{
    uint64_t whole = (uint64_t)(n_in / PANEL_CHUNK) * panel_chunk(type, PANEL_CHUNK).bytes;
    return n_in % PANEL_CHUNK ? whole + panel_chunk(type, n_in % PANEL_CHUNK).bytes : whole;
}

/* Bytes of a matrix. */
static inline uint64_t panels_bytes(enum ggml_type type, uint32_t n_in, uint32_t n_out)
{
    return ((uint64_t)n_out + PANEL_OUTPUTS - 1) / PANEL_OUTPUTS * panel_bytes(type, n_in);
}

#endif
