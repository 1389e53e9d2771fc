/* config.c - the configuration of a model file, and the proof that its tensors fit it. */
#include "proto/model/config_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "proto/model/imported.h"
#include "proto/model/tokenizer_image.h"

static const struct {
    const char *name;
    enum model_arch arch;
    bool interleaved;
    bool qk_norm;
    bool needs_bias; /* q, k and v must have one; without this they may (llama) or may not */
    bool may_have_bias;
} architectures[] = {
    {"llama", ARCH_LLAMA, true, false, false, true},
    {"qwen2", ARCH_QWEN2, false, false, true, true},
    {"qwen3", ARCH_QWEN3, false, true, false, false},
};
#define N_ARCHITECTURES (sizeof architectures / sizeof architectures[0])

enum { MAX_WIDTH = 1 << 22, MAX_HEADS = 1 << 16 };

const char *config_key(const struct reading *r, const char *name, char out[128])
{
    snprintf(out, 128, "%.31s.%.90s", r->c->arch_name, name);
    return out;
}

bool config_has(const struct reading *r, const char *name)
{
    char key[128];
    return gguf_has(r->g, config_key(r, name, key));
}

int config_u32(const struct reading *r, const char *name, uint32_t lo, uint32_t hi, uint32_t def,
               uint32_t *out)
{
    char key[128];
    uint64_t v;
    if (def > 0 && !config_has(r, name)) {
        *out = def;
        return 0;
    }
    if (gguf_get_u64(r->g, config_key(r, name, key), &v, r->err) != 0)
        return -1;
    if (v < lo || v > hi)
        return px_fail(r->err, PX_EINPUT, "%s: %s is %llu, expected %u to %u", gguf_path(r->g), key,
                       (unsigned long long)v, lo, hi);
    *out = (uint32_t)v;
    return 0;
}

int config_positive(const struct reading *r, const char *name, double def, double *out)
{
    char key[128];
    double v;
    if (def > 0 && !config_has(r, name)) {
        *out = def;
        return 0;
    }
    if (gguf_get_f64(r->g, config_key(r, name, key), &v, r->err) != 0)
        return -1;
    if (!isfinite(v) || v <= 0)
        return px_fail(r->err, PX_EINPUT, "%s: %s is %g, expected a positive number",
                       gguf_path(r->g), key, v);
    *out = v;
    return 0;
}

static int read_architecture(struct reading *r, size_t *index)
{
    const char *name;
    size_t len;
    if (gguf_has(r->g, "general.type") &&
        gguf_get_str(r->g, "general.type", &name, &len, NULL) == 0 &&
        (len != 5 || memcmp(name, "model", 5) != 0))
        return px_fail(r->err, PX_EUNSUPPORTED, "%s is of type '%.*s', expected a model",
                       gguf_path(r->g), (int)(len > 40 ? 40 : len), name);
    if (gguf_get_str(r->g, "general.architecture", &name, &len, r->err) != 0)
        return -1;
    for (size_t i = 0; i < N_ARCHITECTURES; i++)
        if (strlen(architectures[i].name) == len && memcmp(architectures[i].name, name, len) == 0) {
            snprintf(r->c->arch_name, sizeof r->c->arch_name, "%s", architectures[i].name);
            r->c->arch = architectures[i].arch;
            r->c->rope_interleaved = architectures[i].interleaved;
            r->c->qk_norm = architectures[i].qk_norm;
            *index = i;
            return 0;
        }
    return px_fail(r->err, PX_EUNSUPPORTED,
                   "%s: unknown architecture '%.*s'; supported are llama, qwen2, qwen3",
                   gguf_path(r->g), (int)(len > 60 ? 60 : len), name);
}

static void read_name(struct reading *r)
{
    const char *name;
    size_t len;
    if (gguf_get_str(r->g, "general.name", &name, &len, NULL) == 0)
        snprintf(r->c->name, sizeof r->c->name, "%.*s", (int)(len > 127 ? 127 : len), name);
}

static int read_heads(struct reading *r)
{
    struct model_config *c = r->c;
    uint32_t value_dim;
    if (config_u32(r, "attention.head_count", 1, MAX_HEADS, 0, &c->n_heads) != 0 ||
        config_u32(r, "attention.head_count_kv", 1, MAX_HEADS, c->n_heads, &c->n_kv_heads) != 0)
        return -1;
    if (c->n_heads % c->n_kv_heads != 0)
        return px_fail(r->err, PX_EINPUT,
                       "%s: %u attention heads cannot share %u key-value heads evenly",
                       gguf_path(r->g), c->n_heads, c->n_kv_heads);
    if (!config_has(r, "attention.key_length") && c->n_embd % c->n_heads != 0)
        return px_fail(r->err, PX_EINPUT,
                       "%s: %s.attention.key_length is missing and the width %u is not a multiple "
                       "of %u heads",
                       gguf_path(r->g), c->arch_name, c->n_embd, c->n_heads);
    uint32_t derived = c->n_embd / c->n_heads;
    if (config_u32(r, "attention.key_length", 2, MAX_HEAD_DIM, derived, &c->head_dim) != 0 ||
        config_u32(r, "attention.value_length", 2, MAX_HEAD_DIM, c->head_dim, &value_dim) != 0)
        return -1;
    if (value_dim != c->head_dim)
        return px_fail(r->err, PX_EUNSUPPORTED,
                       "%s: keys have %u dimensions and values %u; they must be equal",
                       gguf_path(r->g), c->head_dim, value_dim);
    if ((uint64_t)c->head_dim * c->n_heads > MAX_WIDTH)
        return px_fail(r->err, PX_ELIMIT, "%s: %u heads of %u are wider than %u values",
                       gguf_path(r->g), c->n_heads, c->head_dim, MAX_WIDTH);
    return 0;
}

/* Things that would change the arithmetic and that this engine does not do. */
static int refuse_variants(const struct reading *r)
{
    char key[128];
    uint64_t experts;
    bool causal;
    if (config_has(r, "expert_count")) {
        if (gguf_get_u64(r->g, config_key(r, "expert_count", key), &experts, r->err) != 0)
            return -1;
        if (experts > 0)
            return px_fail(r->err, PX_EUNSUPPORTED,
                           "%s: a mixture of %llu experts; only dense models are supported",
                           gguf_path(r->g), (unsigned long long)experts);
    }
    if (config_has(r, "attention.causal")) {
        if (gguf_get_bool(r->g, config_key(r, "attention.causal", key), &causal, r->err) != 0)
            return -1;
        if (!causal)
            return px_fail(r->err, PX_EUNSUPPORTED, "%s: its attention is not causal",
                           gguf_path(r->g));
    }
    return 0;
}

static const char *shape_text(const uint64_t *dims, uint32_t n, char out[96])
{
    int o = snprintf(out, 96, "[");
    for (uint32_t i = 0; i < n && o < 90; i++)
        o += snprintf(out + o, 96 - (size_t)o, "%s%llu", i ? " x " : "",
                      (unsigned long long)dims[i]);
    snprintf(out + o, 96 - (size_t)o, "]");
    return out;
}

/* Finds a tensor and checks its shape: cols values a row, `rows` rows (0: a vector). */
static int check_tensor(struct reading *r, const char *name, uint32_t cols, uint32_t rows)
{
    const struct gguf_tensor *t = gguf_tensor_find(r->g, name);
    const uint64_t want[2] = {cols, rows};
    uint32_t n = rows ? 2 : 1;
    char got[96], expected[96];
    if (!t)
        return px_fail(r->err, PX_EINPUT, "%s: the tensor %s (%s) is missing", gguf_path(r->g),
                       name, shape_text(want, n, expected));
    bool fits =
        t->dims[0] == cols && t->dims[1] == (rows ? rows : 1) && t->dims[2] == 1 && t->dims[3] == 1;
    if (!fits)
        return px_fail(r->err, PX_EINPUT,
                       "%s: the tensor %s is %s, but the configuration asks for %s",
                       gguf_path(r->g), name, shape_text(t->dims, t->n_dims, got),
                       shape_text(want, n, expected));
    if (!rows && t->type != GGML_F32 && t->type != GGML_F16 && t->type != GGML_BF16)
        return px_fail(r->err, PX_EUNSUPPORTED,
                       "%s: the vector %s is of type %s; expected F32, F16 or BF16",
                       gguf_path(r->g), name, ggml_type_info(t->type)->name);
    r->used[t - gguf_tensor_at(r->g, 0)] = true;
    return 0;
}

static int check_layer(struct reading *r, uint32_t layer)
{
    const struct model_config *c = r->c;
    const uint32_t q = c->n_heads * c->head_dim, kv = c->n_kv_heads * c->head_dim;
    const struct {
        const char *name;
        uint32_t cols, rows;
        bool wanted;
    } tensors[] = {
        {"attn_norm.weight", c->n_embd, 0, true},
        {"attn_q.weight", c->n_embd, q, true},
        {"attn_k.weight", c->n_embd, kv, true},
        {"attn_v.weight", c->n_embd, kv, true},
        {"attn_output.weight", q, c->n_embd, true},
        {"attn_q.bias", q, 0, c->qkv_bias},
        {"attn_k.bias", kv, 0, c->qkv_bias},
        {"attn_v.bias", kv, 0, c->qkv_bias},
        {"attn_q_norm.weight", c->head_dim, 0, c->qk_norm},
        {"attn_k_norm.weight", c->head_dim, 0, c->qk_norm},
        {"ffn_norm.weight", c->n_embd, 0, true},
        {"ffn_gate.weight", c->n_embd, c->n_ff, true},
        {"ffn_up.weight", c->n_embd, c->n_ff, true},
        {"ffn_down.weight", c->n_ff, c->n_embd, true},
    };
    for (size_t i = 0; i < sizeof tensors / sizeof tensors[0]; i++) {
        char name[80];
        snprintf(name, sizeof name, "blk.%u.%s", layer, tensors[i].name);
        if (tensors[i].wanted && check_tensor(r, name, tensors[i].cols, tensors[i].rows) != 0)
            return -1;
    }
    return 0;
}

static int refuse_unknown_tensors(const struct reading *r)
{
    uint32_t unknown = 0;
    char names[400] = "";
    for (uint32_t i = 0; i < gguf_n_tensors(r->g); i++) {
        size_t n = strlen(names);
        if (r->used[i] || gguf_is_own_tensor(r->g, gguf_tensor_at(r->g, i)))
            continue;
        if (unknown++ < 5)
            snprintf(names + n, sizeof names - n, "%s%s", n ? ", " : "",
                     gguf_tensor_at(r->g, i)->name);
    }
    if (unknown == 0)
        return 0;
    return px_fail(r->err, PX_EUNSUPPORTED,
                   "%s: %u tensor%s that a %s model of %u layers does not have would be ignored: "
                   "%s%s; known are token_embd, output_norm, output, %sand blk.N. attn_norm attn_q "
                   "attn_k attn_v attn_output ffn_norm ffn_gate ffn_up ffn_down%s%s",
                   gguf_path(r->g), unknown, unknown == 1 ? "" : "s", r->c->arch_name,
                   r->c->n_layers, names, unknown > 5 ? " ..." : "",
                   r->c->arch == ARCH_LLAMA ? "rope_freqs " : "",
                   r->c->qk_norm ? " attn_q_norm attn_k_norm" : "",
                   r->c->qkv_bias ? " and biases of q, k, v" : "");
}

static int check_tensors(struct reading *r)
{
    struct model_config *c = r->c;
    if (check_tensor(r, "token_embd.weight", c->n_embd, c->n_vocab) != 0 ||
        check_tensor(r, "output_norm.weight", c->n_embd, 0) != 0)
        return -1;
    c->tied_embeddings = !gguf_tensor_find(r->g, "output.weight");
    if (!c->tied_embeddings && check_tensor(r, "output.weight", c->n_embd, c->n_vocab) != 0)
        return -1;
    if (c->arch == ARCH_LLAMA && gguf_tensor_find(r->g, "rope_freqs.weight") &&
        check_tensor(r, "rope_freqs.weight", c->rope_dims / 2, 0) != 0)
        return -1;
    for (uint32_t i = 0; i < c->n_layers; i++)
        if (check_layer(r, i) != 0)
            return -1;
    return refuse_unknown_tensors(r);
}

/* The vocabulary's size is the embedding's number of rows; what else the file says must agree. */
static int read_vocabulary_size(struct reading *r)
{
    const struct gguf_tensor *t = gguf_tensor_find(r->g, "token_embd.weight");
    uint64_t tokens;
    uint32_t stated;
    if (!t)
        return px_fail(r->err, PX_EINPUT,
                       "%s: the tensor token_embd.weight is missing (%u tensors in the file)",
                       gguf_path(r->g), gguf_n_tensors(r->g));
    if (t->dims[1] > MAX_WIDTH)
        return px_fail(r->err, PX_ELIMIT, "%s: token_embd.weight has %llu rows, at most %d",
                       gguf_path(r->g), (unsigned long long)t->dims[1], MAX_WIDTH);
    r->c->n_vocab = (uint32_t)t->dims[1];
    if (config_u32(r, "vocab_size", 1, MAX_WIDTH, r->c->n_vocab, &stated) != 0)
        return -1;
    if (stated != r->c->n_vocab)
        return px_fail(r->err, PX_EINPUT,
                       "%s: %s.vocab_size is %u, but token_embd.weight has %u rows",
                       gguf_path(r->g), r->c->arch_name, stated, r->c->n_vocab);
    const struct gguf_tensor *image = gguf_tensor_find(r->g, IMPORTED_VOCABULARY);
    struct vocabulary_header h;
    if (image && image->bytes >= sizeof h) {
        memcpy(&h, image->data, sizeof h);
        tokens = h.n_vocab;
    } else if (!gguf_has(r->g, "tokenizer.ggml.tokens")) {
        return 0;
    } else if (gguf_get_array(r->g, "tokenizer.ggml.tokens", &tokens, r->err) != 0) {
        return -1;
    }
    if (tokens != r->c->n_vocab)
        return px_fail(r->err, PX_EINPUT,
                       "%s: the vocabulary has %llu entries, but token_embd.weight has %u rows",
                       gguf_path(r->g), (unsigned long long)tokens, r->c->n_vocab);
    return 0;
}

static int read_all(struct reading *r)
{
    struct model_config *c = r->c;
    size_t arch = 0;
    if (read_architecture(r, &arch) != 0)
        return -1;
    read_name(r);
    if (config_u32(r, "block_count", 1, MAX_LAYERS, 0, &c->n_layers) != 0 ||
        config_u32(r, "embedding_length", 1, MAX_WIDTH, 0, &c->n_embd) != 0 ||
        config_u32(r, "feed_forward_length", 1, MAX_WIDTH, 0, &c->n_ff) != 0 ||
        config_u32(r, "context_length", 1, MAX_CONTEXT, 0, &c->context_length) != 0 ||
        read_heads(r) != 0 || config_read_rope(r) != 0 || config_read_window(r) != 0 ||
        config_positive(r, "attention.layer_norm_rms_epsilon", 0, &c->rms_eps) != 0 ||
        refuse_variants(r) != 0 || read_vocabulary_size(r) != 0)
        return -1;
    c->qkv_bias = architectures[arch].needs_bias || (architectures[arch].may_have_bias &&
                                                     gguf_tensor_find(r->g, "blk.0.attn_q.bias"));
    return check_tensors(r);
}

int model_config_read(const struct gguf *g, struct model_config *out, struct px_err *err)
{
    struct model_config c = {0};
    PX_FREE bool *used = px_xcalloc((size_t)gguf_n_tensors(g) + 1, sizeof *used);
    struct reading r = {.g = g, .c = &c, .err = err, .used = used};
    if (read_all(&r) != 0)
        return -1;
    *out = c;
    return 0;
}

int model_kv_check(const struct model_config *c, enum kv_type type, struct px_err *err)
{
    if (type < KV_F32 || type > KV_Q8_0)
        return px_fail(err, PX_EUSAGE, "kv type %d is none of f32, f16, q8_0", (int)type);
    if (type == KV_Q8_0 && c->head_dim % KV_Q8_BLOCK != 0)
        return px_fail(
            err, PX_EUNSUPPORTED,
            "kv q8_0 keeps blocks of %d values, and this model's heads have %u dimensions, "
            "not a multiple; use f16",
            KV_Q8_BLOCK, c->head_dim);
    return 0;
}

uint64_t model_kv_bytes_per_token(const struct model_config *c, enum kv_type type)
{
    uint64_t n = (uint64_t)2 * c->n_layers * c->n_kv_heads * c->head_dim;
    if (type == KV_Q8_0)
        return n + n / KV_Q8_BLOCK * sizeof(uint16_t);
    return n * (type == KV_F16 ? sizeof(uint16_t) : sizeof(float));
}
