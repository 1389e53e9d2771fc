/* gguf_internal.h - what the parser (gguf.c) leaves for the getters (gguf_get.c). */
#ifndef PROTO_MODEL_GGUF_INTERNAL_H
#define PROTO_MODEL_GGUF_INTERNAL_H

#include <sys/stat.h>

#include "proto/buf.h"
#include "proto/model/imported.h"

enum gguf_value_type {
    GGUF_U8 = 0,
    GGUF_I8,
    GGUF_U16,
    GGUF_I16,
    GGUF_U32,
    GGUF_I32,
    GGUF_F32,
    GGUF_BOOL,
    GGUF_STRING,
    GGUF_ARRAY,
    GGUF_U64,
    GGUF_I64,
    GGUF_F64,
    GGUF_N_TYPES
};

struct gguf_key {
    const char *key; /* into the file, not NUL-terminated */
    uint32_t key_len;
    uint32_t type; /* enum gguf_value_type; of the elements for arrays */
    bool is_array;
    uint64_t count;    /* elements; 1 for plain values */
    const uint8_t *p;  /* first byte of the value or of the first element */
    uint64_t *strings; /* arrays of strings: where each one's length stands, from `base` */
};

struct gguf {
    char *path;
    const uint8_t *base;
    uint64_t size;
    bool mapped;
    uint32_t version;
    uint32_t n_keys;
    struct gguf_key *keys; /* in file order */
    uint32_t *by_key;      /* indices sorted by key */
    uint32_t n_tensors;
    struct gguf_tensor *tensors;  /* in file order */
    uint32_t *by_name;            /* indices sorted by name */
    char *names;                  /* all tensor names, NUL-terminated */
    uint64_t infos_at, infos_end; /* where the descriptions of the tensors stand */
    struct stat st;               /* of the file when it was mapped */
    bool is_imported;
    struct gguf_source source; /* the rest only when imported */
    const uint8_t *panels;     /* [n_tensors] 0 or 1 */
};

/* gguf_from_memory without the checksum of an imported file's head: what it guards against is
 * accident, and tests that damage files on purpose must get further. */
struct gguf *gguf_parse(const void *p, size_t n, const char *name, struct px_err *err);

/* The parts of opening that imported.c does. */
int gguf_read_import(struct gguf *g, struct px_err *err); /* keys are there; 0 too if not one */
int gguf_size_panels(struct gguf_tensor *t, struct px_err *err);
int gguf_check_head(const struct gguf *g, struct px_err *err);
/* What the head's checksum is made of: the file up to infos_end, the other checksums. */
struct px_digest imported_head_digest(const void *head, uint64_t n, const void *others, uint64_t m);

/* NULL when there is no such key. */
const struct gguf_key *gguf_find_key(const struct gguf *g, const char *key);
/* Elements of an array without a search for the key each time; i < k->count. */
const struct gguf_key *gguf_need_array(const struct gguf *g, const char *key, struct px_err *err);
int gguf_element_str(const struct gguf *g, const struct gguf_key *k, uint64_t i, const char **out,
                     size_t *len, struct px_err *err) PX_MUST_CHECK;
int gguf_element_f64(const struct gguf *g, const struct gguf_key *k, uint64_t i, double *out,
                     struct px_err *err) PX_MUST_CHECK;
int gguf_element_i64(const struct gguf *g, const struct gguf_key *k, uint64_t i, int64_t *out,
                     struct px_err *err) PX_MUST_CHECK;
/* The same of a key that is known to be an array of strings. */
static inline const char *gguf_string_at(const struct gguf *g, const struct gguf_key *k, uint64_t i,
                                         size_t *len)
{
    const uint8_t *p = g->base + k->strings[i];
    *len = (size_t)px_load_u64(p);
    return (const char *)p + 8;
}
/* "uint32", "string" ... */
const char *gguf_value_name(uint32_t type);
/* Bytes of one fixed-size value, 0 for strings and arrays. */
uint32_t gguf_value_bytes(uint32_t type);
/* 4294967296 as "4,294,967,296". */
const char *gguf_figure(uint64_t v, char out[32]);

#endif
