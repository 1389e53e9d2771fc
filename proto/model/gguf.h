/* gguf.h - a GGUF v2/v3 file, mapped read-only and fully validated; imported files too
 * (imported.h says what is particular to them).
 *
 * Source: the GGUF specification (ggml). A hostile file is refused with a reason, never a crash:
 * every length, count, offset, alignment and type is checked against the file before use. */
#ifndef PROTO_MODEL_GGUF_H
#define PROTO_MODEL_GGUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"

enum ggml_type {
    GGML_F32 = 0,
    GGML_F16 = 1,
    GGML_Q4_0 = 2,
    GGML_Q4_1 = 3,
    GGML_Q5_0 = 6,
    GGML_Q5_1 = 7,
    GGML_Q8_0 = 8,
    GGML_Q2_K = 10,
    GGML_Q3_K = 11,
    GGML_Q4_K = 12,
    GGML_Q5_K = 13,
    GGML_Q6_K = 14,
    GGML_IQ4_NL = 20,
    GGML_IQ4_XS = 23,
    GGML_BF16 = 30
};

/* Bytes that imported files hold beside the weights (imported.h): no type of weights, so that those
 * who multiply need not know it. */
#define GGML_I8 ((enum ggml_type)24)

struct ggml_type_info {
    const char *name; /* "Q4_K"; NULL for types that this build does not know */
    uint32_t block;   /* values per block */
    uint32_t bytes;   /* bytes per block */
};
/* NULL for an unknown type number. */
const struct ggml_type_info *ggml_type_info(uint32_t type);

struct gguf_tensor {
    const char *name; /* borrowed from the file object, NUL-terminated */
    enum ggml_type type;
    uint32_t n_dims;
    uint64_t dims[4]; /* dims[0] is the row length (contiguous); unused ones are 1 */
    uint64_t offset;  /* from the start of the file */
    uint64_t bytes;
    const void *data; /* into the mapping */
    bool in_panels;   /* laid out by panel_layout.h (imported files), not row by row */
};

struct gguf;

struct gguf *gguf_open(const char *path, struct px_err *err); /* maps the file; owned */
/* The same over bytes in memory (borrowed until freed); `name` is for messages. */
struct gguf *gguf_from_memory(const void *p, size_t n, const char *name, struct px_err *err);
void gguf_free(struct gguf **g);

/* Asks the kernel to have the file in memory soon: the weights are about to be used. Returns at
 * once. */
void gguf_read_ahead(const struct gguf *g);

const char *gguf_path(const struct gguf *g);
uint64_t gguf_file_size(const struct gguf *g);
uint32_t gguf_version(const struct gguf *g);

uint32_t gguf_n_tensors(const struct gguf *g);
const struct gguf_tensor *gguf_tensor_at(const struct gguf *g, uint32_t i);
const struct gguf_tensor *gguf_tensor_find(const struct gguf *g, const char *name); /* or NULL */

/* Metadata. The getters accept every GGUF integer type that holds the value (bool too for ints),
 * and fail naming the key when it is missing or has another type. */
bool gguf_has(const struct gguf *g, const char *key);
int gguf_get_u64(const struct gguf *g, const char *key, uint64_t *out,
                 struct px_err *err) PX_MUST_CHECK;
int gguf_get_f64(const struct gguf *g, const char *key, double *out,
                 struct px_err *err) PX_MUST_CHECK;
int gguf_get_bool(const struct gguf *g, const char *key, bool *out,
                  struct px_err *err) PX_MUST_CHECK;
/* Strings are not NUL-terminated in the file: *out is borrowed, *len bytes. */
int gguf_get_str(const struct gguf *g, const char *key, const char **out, size_t *len,
                 struct px_err *err) PX_MUST_CHECK;
/* Arrays: count, and typed element access (index checked by assertion). */
int gguf_get_array(const struct gguf *g, const char *key, uint64_t *count,
                   struct px_err *err) PX_MUST_CHECK;
int gguf_array_str(const struct gguf *g, const char *key, uint64_t i, const char **out, size_t *len,
                   struct px_err *err) PX_MUST_CHECK; /* O(1) after the first call */
int gguf_array_f64(const struct gguf *g, const char *key, uint64_t i, double *out,
                   struct px_err *err) PX_MUST_CHECK;
int gguf_array_i64(const struct gguf *g, const char *key, uint64_t i, int64_t *out,
                   struct px_err *err) PX_MUST_CHECK;
/* For `model inspect`: the i-th key and a printable value (arrays abbreviated). */
uint32_t gguf_n_keys(const struct gguf *g);
void gguf_key_text(const struct gguf *g, uint32_t i, char *key, size_t key_size, char *value,
                   size_t value_size);

#endif
