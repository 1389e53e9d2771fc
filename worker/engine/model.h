/* model.h - a transformer ready to run: a mapped GGUF file with its weights by name and layer.
 *
 * The big matrices stay in the read-only mapping that every process of a host shares; only what
 * is small or not F32 (norms, biases) may be copied. Immutable after model_open: any thread may
 * read. */
#ifndef WORKER_ENGINE_MODEL_H
#define WORKER_ENGINE_MODEL_H

#include <stdint.h>

#include "proto/err.h"
#include "proto/model/config.h"
#include "proto/model/gguf.h"
#include "worker/engine/kernels.h"

struct model_layer {
    struct weight q, k, v, o;     /* attention: [n_heads*head_dim][n_embd] ... */
    struct weight gate, up, down; /* feed forward */
    const float *attn_norm;       /* [n_embd] */
    const float *ffn_norm;        /* [n_embd] */
    const float *q_bias;          /* [n_heads*head_dim], NULL when the architecture has none */
    const float *k_bias;          /* [n_kv_heads*head_dim] or NULL */
    const float *v_bias;          /* [n_kv_heads*head_dim] or NULL */
    const float *q_norm;          /* [head_dim] or NULL */
    const float *k_norm;          /* [head_dim] or NULL */
};

struct model {
    struct gguf *gguf;
    struct model_config cfg;
    struct weight embd;   /* [n_vocab][n_embd] */
    struct weight output; /* the same data as embd when tied */
    const float *output_norm;
    struct model_layer *layers; /* cfg.n_layers of them */
    double *rope_freqs;         /* [rope_dims/2] radians per position, scaling included */
    double rope_magnitude;      /* of rotation, rope.h */
    float **copies;             /* vectors that had to be converted or aligned */
    uint32_t n_copies;
    uint32_t cap_copies;
};

/* Maps and validates; waits for no weights (the kernel is asked to read them ahead). Owned, or NULL
 * with err: what model_config_read refuses, and vectors that are not plain floats. */
struct model *model_open(const char *path, struct px_err *err);
/* The same over a file that is already open; takes g, even on error. */
struct model *model_from_gguf(struct gguf *g, struct px_err *err);
void model_free(struct model **m);

/* Row `token` of the embedding as floats. token < cfg.n_vocab. */
void model_embed(const struct model *m, uint32_t token, float *out);

#endif
