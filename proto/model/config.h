/* config.h - the shape of a transformer as its file states it: read, never derived.
 *
 * Supported architectures: llama, qwen2, qwen3. Anything else is refused by name. */
#ifndef PROTO_MODEL_CONFIG_H
#define PROTO_MODEL_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/err.h"
#include "proto/model/gguf.h"
#include "proto/unit.h"

enum model_arch { ARCH_LLAMA = 1, ARCH_QWEN2, ARCH_QWEN3 };

/* How rotation is stretched beyond the length that a model was first made for; the arithmetic is
 * in docs/numerics.md ("Rotation"). ROPE_LLAMA3: factors are computed; where the file has them as
 * the tensor rope_freqs.weight, they apply to every kind. */
enum rope_scaling { ROPE_LINEAR = 1, ROPE_YARN, ROPE_LLAMA3 };

enum { MODEL_LAYERS_MAX = 4096 };
#define MODEL_WINDOW_NONE UINT32_MAX

struct model_config {
    enum model_arch arch;
    char arch_name[32];
    char name[128]; /* general.name, "" when absent */
    uint32_t n_layers;
    uint32_t n_embd;
    uint32_t n_ff;
    uint32_t n_heads;
    uint32_t n_kv_heads;
    uint32_t head_dim;     /* attention.key_length when given, else n_embd / n_heads */
    uint32_t rope_dims;    /* rotated dimensions of a head */
    bool rope_interleaved; /* llama files rotate pairs (2i, 2i+1); qwen pairs (i, i + d/2) */
    double rope_theta;
    enum rope_scaling rope_scaling;
    double rope_scale;              /* the factor; 1 when there is none */
    double rope_attn_factor;        /* cosines and sines are multiplied by it; 1 mostly */
    uint32_t rope_original_context; /* yarn, llama3: positions before stretching */
    double yarn_ext_factor, yarn_beta_fast, yarn_beta_slow; /* yarn alone */
    double llama3_low, llama3_high;                         /* llama3 alone */
    uint32_t window; /* positions that a windowed layer sees, itself included; 0: no window */
    uint64_t windowed[MODEL_LAYERS_MAX / 64]; /* a bit a layer */
    double rms_eps;
    uint32_t context_length; /* positions the model was made for */
    uint32_t n_vocab;
    bool tied_embeddings; /* no output.weight: token_embd is both */
    bool qk_norm;
    bool qkv_bias;
};

/* Reads the configuration and checks that every tensor the architecture needs is there with the
 * right shape and a supported type, and that no unknown tensor would be silently ignored. */
int model_config_read(const struct gguf *g, struct model_config *out,
                      struct px_err *err) PX_MUST_CHECK;

/* Positions that a row of this layer attends to, its own included; MODEL_WINDOW_NONE: all. */
uint32_t model_window(const struct model_config *c, uint32_t layer);

/* Whether the model's heads can be kept so: q8_0 needs head_dim to be a multiple of 32. */
int model_kv_check(const struct model_config *c, enum kv_type type,
                   struct px_err *err) PX_MUST_CHECK;
/* Bytes of keys and values that one position takes over all layers; model_kv_check has passed. */
uint64_t model_kv_bytes_per_token(const struct model_config *c, enum kv_type type);

#endif
