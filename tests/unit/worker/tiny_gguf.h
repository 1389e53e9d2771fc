/* tiny_gguf.h - the bytes of a small random model, for tests that need no reference data.
 *
 * Weights come from a counter, so every run has the same model; the matrices can have any type
 * that quantize_row makes. Small, but with everything the engine must get right: grouped heads,
 * biases (qwen2), head norms and an explicit head_dim (qwen3), interleaved rotation (llama), tied
 * and untied output. */
#ifndef TESTS_WORKER_TINY_GGUF_H
#define TESTS_WORKER_TINY_GGUF_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/mem.h"
#include "worker/engine/quantize.h"

#ifndef TINY_LAYERS
#define TINY_LAYERS 4
#endif

enum { TINY_EMBD = 64, TINY_FF = 96, TINY_VOCAB = 128, TINY_CONTEXT = 256 };

/* One more key, after "ARCHITECTURE.": an integer, a number, a text or an array of bools ("101").
 */
struct tiny_extra {
    const char *name; /* NULL ends a list */
    uint32_t type;    /* 4, 6, 8, 9 as in the file */
    double number;
    const char *text;
};

/* What to make otherwise; zeroes change nothing. */
struct tiny_change {
    uint32_t context, head_dim;
    const struct tiny_extra *extra;
};

struct tiny_maker {
    struct px_buf infos, data;
    uint32_t n_tensors;
    enum ggml_type type;
    uint64_t random;
};

static inline float tiny_random(struct tiny_maker *k)
{
    k->random += 0x9E3779B97F4A7C15u; /* splitmix64 */
    uint64_t z = k->random;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    return (float)(int32_t)(z >> 32) * 0x1p-31f;
}

static inline void tiny_gguf_str(struct px_buf *b, const char *s)
{
    px_buf_u64(b, strlen(s));
    px_buf_str(b, s);
}

static inline void tiny_tensor(struct tiny_maker *k, const char *name, uint32_t n_in,
                               uint32_t n_out, float base, float spread)
{
    bool is_matrix = n_out > 0;
    enum ggml_type type = is_matrix ? k->type : GGML_F32;
    size_t n = (size_t)n_in * (is_matrix ? n_out : 1);
    const struct ggml_type_info *t = ggml_type_info(type);
    size_t bytes = n / t->block * t->bytes;
    float *values = px_xcalloc(n, sizeof *values);
    char *blocks = px_xcalloc(1, bytes);
    struct px_err err = {0};
    for (size_t i = 0; i < n; i++)
        values[i] = base + spread * tiny_random(k);
    int rc = quantize_row(type, values, blocks, n, &err);
    px_assert(rc == 0);
    while (k->data.len % 32)
        px_buf_char(&k->data, 0);
    tiny_gguf_str(&k->infos, name);
    px_buf_u32(&k->infos, is_matrix ? 2 : 1);
    px_buf_u64(&k->infos, n_in);
    if (is_matrix)
        px_buf_u64(&k->infos, n_out);
    px_buf_u32(&k->infos, type);
    px_buf_u64(&k->infos, k->data.len);
    px_buf_put(&k->data, blocks, bytes);
    k->n_tensors++;
    free(values);
    free(blocks);
}

static inline void tiny_layer(struct tiny_maker *k, const char *arch, uint32_t i, uint32_t n_q,
                              uint32_t n_kv, uint32_t head_dim)
{
    char name[64];
#define TINY(what, n_in, n_out, base, spread)                                                      \
    (snprintf(name, sizeof name, "blk.%u.%s", i, what),                                            \
     tiny_tensor(k, name, n_in, n_out, base, spread))
    TINY("attn_norm.weight", TINY_EMBD, 0, 1, 0.3f);
    TINY("attn_q.weight", TINY_EMBD, n_q, 0, 0.3f);
    TINY("attn_k.weight", TINY_EMBD, n_kv, 0, 0.3f);
    TINY("attn_v.weight", TINY_EMBD, n_kv, 0, 0.3f);
    TINY("attn_output.weight", n_q, TINY_EMBD, 0, 0.15f);
    TINY("ffn_norm.weight", TINY_EMBD, 0, 1, 0.3f);
    TINY("ffn_gate.weight", TINY_EMBD, TINY_FF, 0, 0.3f);
    TINY("ffn_up.weight", TINY_EMBD, TINY_FF, 0, 0.3f);
    TINY("ffn_down.weight", TINY_FF, TINY_EMBD, 0, 0.15f);
    if (strcmp(arch, "qwen2") == 0) {
        TINY("attn_q.bias", n_q, 0, 0, 0.5f);
        TINY("attn_k.bias", n_kv, 0, 0, 0.5f);
        TINY("attn_v.bias", n_kv, 0, 0, 0.5f);
    }
    if (strcmp(arch, "qwen3") == 0) {
        TINY("attn_q_norm.weight", head_dim, 0, 1.2f, 0.2f);
        TINY("attn_k_norm.weight", head_dim, 0, 1.2f, 0.2f);
    }
#undef TINY
}

static inline void tiny_key(struct px_buf *b, uint32_t *n, const char *arch, const char *key,
                            uint32_t type, uint32_t u, float f)
{
    char full[96];
    snprintf(full, sizeof full, "%s.%s", arch, key);
    tiny_gguf_str(b, full);
    px_buf_u32(b, type);
    if (type == 6)
        px_buf_f32(b, f);
    else
        px_buf_u32(b, u);
    (*n)++;
}

static inline uint32_t tiny_extra_keys(struct px_buf *b, const char *arch,
                                       const struct tiny_extra *x)
{
    uint32_t n = 0;
    for (; x && x->name; x++) {
        if (x->type < 8) {
            tiny_key(b, &n, arch, x->name, x->type, (uint32_t)x->number, (float)x->number);
            continue;
        }
        char full[96];
        snprintf(full, sizeof full, "%s.%s", arch, x->name);
        tiny_gguf_str(b, full);
        px_buf_u32(b, x->type);
        if (x->type == 9)
            px_buf_u32(b, 7);
        px_buf_u64(b, strlen(x->text));
        for (size_t i = 0; x->text[i]; i++)
            px_buf_char(b, x->type == 9 ? x->text[i] == '1' : x->text[i]);
        n++;
    }
    return n;
}

/* Ids 0 to 2 are <unk>, <s> and </s>; the others are two letters: 3 is "da", 4 is "ea" ... */
static inline uint32_t tiny_vocabulary(struct px_buf *b)
{
    static const char *const control[] = {"<unk>", "<s>", "</s>"};
    tiny_gguf_str(b, "tokenizer.ggml.model");
    px_buf_u32(b, 8);
    tiny_gguf_str(b, "llama");
    tiny_gguf_str(b, "tokenizer.ggml.tokens");
    px_buf_u32(b, 9);
    px_buf_u32(b, 8);
    px_buf_u64(b, TINY_VOCAB);
    for (uint32_t i = 0; i < TINY_VOCAB; i++) {
        char two[3] = {(char)('a' + i % 26), (char)('a' + i / 26), 0};
        tiny_gguf_str(b, i < 3 ? control[i] : two);
    }
    tiny_gguf_str(b, "tokenizer.ggml.scores");
    px_buf_u32(b, 9);
    px_buf_u32(b, 6);
    px_buf_u64(b, TINY_VOCAB);
    for (uint32_t i = 0; i < TINY_VOCAB; i++)
        px_buf_f32(b, -(float)i);
    tiny_gguf_str(b, "tokenizer.ggml.token_type");
    px_buf_u32(b, 9);
    px_buf_u32(b, 5);
    px_buf_u64(b, TINY_VOCAB);
    for (uint32_t i = 0; i < TINY_VOCAB; i++)
        px_buf_u32(b, i == 0 ? 2 : i < 3 ? 3 : 1);
    tiny_gguf_str(b, "tokenizer.ggml.bos_token_id");
    px_buf_u32(b, 4);
    px_buf_u32(b, 1);
    tiny_gguf_str(b, "tokenizer.ggml.eos_token_id");
    px_buf_u32(b, 4);
    px_buf_u32(b, 2);
    return 6;
}

static inline uint32_t tiny_keys(struct px_buf *b, const char *arch, uint32_t context,
                                 uint32_t n_heads, uint32_t n_kv_heads, uint32_t head_dim)
{
    uint32_t n = 1;
    tiny_gguf_str(b, "general.architecture");
    px_buf_u32(b, 8);
    tiny_gguf_str(b, arch);
    tiny_key(b, &n, arch, "block_count", 4, TINY_LAYERS, 0);
    tiny_key(b, &n, arch, "context_length", 4, context, 0);
    tiny_key(b, &n, arch, "embedding_length", 4, TINY_EMBD, 0);
    tiny_key(b, &n, arch, "feed_forward_length", 4, TINY_FF, 0);
    tiny_key(b, &n, arch, "attention.head_count", 4, n_heads, 0);
    tiny_key(b, &n, arch, "attention.head_count_kv", 4, n_kv_heads, 0);
    tiny_key(b, &n, arch, "attention.key_length", 4, head_dim, 0);
    tiny_key(b, &n, arch, "attention.value_length", 4, head_dim, 0);
    tiny_key(b, &n, arch, "attention.layer_norm_rms_epsilon", 6, 0, 1e-5f);
    tiny_key(b, &n, arch, "rope.freq_base", 6, 0, 10000.0f);
    return n + tiny_vocabulary(b);
}

/* Appends the file. arch: llama (untied), qwen2 or qwen3 (tied). */
static inline void tiny_gguf_with(const char *arch, enum ggml_type type,
                                  const struct tiny_change *change, struct px_buf *file)
{
    struct tiny_maker k = {.type = type, .random = 7};
    struct px_buf keys;
    bool is_qwen3 = strcmp(arch, "qwen3") == 0;
    uint32_t n_heads = is_qwen3 ? 6 : 4, n_kv_heads = 2, head_dim = is_qwen3 ? 32 : 16;
    head_dim = change->head_dim ? change->head_dim : head_dim;
    px_buf_init(&k.infos, 1 << 24);
    px_buf_init(&k.data, 1 << 24);
    px_buf_init(&keys, 1 << 16);
    uint32_t n_keys = tiny_keys(&keys, arch, change->context ? change->context : TINY_CONTEXT,
                                n_heads, n_kv_heads, head_dim);
    n_keys += tiny_extra_keys(&keys, arch, change->extra);
    tiny_tensor(&k, "token_embd.weight", TINY_EMBD, TINY_VOCAB, 0, 0.6f);
    tiny_tensor(&k, "output_norm.weight", TINY_EMBD, 0, 1, 0.3f);
    if (strcmp(arch, "llama") == 0)
        tiny_tensor(&k, "output.weight", TINY_EMBD, TINY_VOCAB, 0, 0.6f);
    for (uint32_t i = 0; i < TINY_LAYERS; i++)
        tiny_layer(&k, arch, i, n_heads * head_dim, n_kv_heads * head_dim, head_dim);
    px_buf_str(file, "GGUF");
    px_buf_u32(file, 3);
    px_buf_u64(file, k.n_tensors);
    px_buf_u64(file, n_keys);
    px_buf_put(file, keys.data, keys.len);
    px_buf_put(file, k.infos.data, k.infos.len);
    while (file->len % 32)
        px_buf_char(file, 0);
    px_buf_put(file, k.data.data, k.data.len);
    while (file->len % 32)
        px_buf_char(file, 0);
    px_buf_clear(&keys);
    px_buf_clear(&k.infos);
    px_buf_clear(&k.data);
}

static inline void tiny_gguf(const char *arch, enum ggml_type type, struct px_buf *file)
{
    tiny_gguf_with(arch, type, &(struct tiny_change){0}, file);
}

#endif
