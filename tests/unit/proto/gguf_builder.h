/* gguf_builder.h - GGUF files made in memory, well-formed or damaged on purpose, for tests.
 *
 * A builder collects keys and tensors; builder_finish gives the bytes. tiny_model makes a whole
 * small transformer with a byte-level vocabulary, with places to change it. */
#ifndef TESTS_UNIT_PROTO_GGUF_BUILDER_H
#define TESTS_UNIT_PROTO_GGUF_BUILDER_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/mem.h"
#include "proto/model/gguf.h"

enum { GB_U32 = 4, GB_I32 = 5, GB_F32 = 6, GB_BOOL = 7, GB_STR = 8, GB_ARR = 9 };
enum { GB_ALIGN = 32, GB_ALIGN_MAX = 64 };

struct gguf_builder {
    struct px_buf keys, infos, data;
    uint64_t n_keys, n_tensors;
    uint32_t version, align; /* align: a file of another than 32 says so in general.alignment */
};

static inline void builder_init(struct gguf_builder *b)
{
    memset(b, 0, sizeof *b);
    px_buf_init(&b->keys, 64u << 20);
    px_buf_init(&b->infos, 64u << 20);
    px_buf_init(&b->data, 64u << 20);
    b->version = 3;
    b->align = GB_ALIGN;
}

static inline void builder_text(struct px_buf *b, const char *s, size_t n)
{
    px_buf_u64(b, n);
    px_buf_put(b, s, n);
}

static inline void builder_key(struct gguf_builder *b, const char *key, uint32_t type)
{
    builder_text(&b->keys, key, strlen(key));
    px_buf_u32(&b->keys, type);
    b->n_keys++;
}

static inline void builder_str(struct gguf_builder *b, const char *key, const char *value)
{
    builder_key(b, key, GB_STR);
    builder_text(&b->keys, value, strlen(value));
}

static inline void builder_u32(struct gguf_builder *b, const char *key, uint32_t v)
{
    builder_key(b, key, GB_U32);
    px_buf_u32(&b->keys, v);
}

static inline void builder_f32(struct gguf_builder *b, const char *key, float v)
{
    builder_key(b, key, GB_F32);
    px_buf_f32(&b->keys, v);
}

static inline void builder_bool(struct gguf_builder *b, const char *key, bool v)
{
    builder_key(b, key, GB_BOOL);
    px_buf_u8(&b->keys, v);
}

static inline void builder_array(struct gguf_builder *b, const char *key, uint32_t type, uint64_t n)
{
    builder_key(b, key, GB_ARR);
    px_buf_u32(&b->keys, type);
    px_buf_u64(&b->keys, n);
}

/* data: `bytes` bytes, or NULL for zeros. Dimensions of 0 end the list. */
static inline void builder_tensor(struct gguf_builder *b, const char *name, uint32_t type,
                                  uint64_t d0, uint64_t d1, const void *data, size_t bytes)
{
    static const uint8_t zeros[GB_ALIGN_MAX];
    builder_text(&b->infos, name, strlen(name));
    px_buf_u32(&b->infos, d1 ? 2 : 1);
    px_buf_u64(&b->infos, d0);
    if (d1)
        px_buf_u64(&b->infos, d1);
    px_buf_u32(&b->infos, type);
    px_buf_u64(&b->infos, b->data.len);
    b->n_tensors++;
    for (size_t i = 0; !data && i < bytes; i++)
        px_buf_u8(&b->data, 0);
    if (data)
        px_buf_put(&b->data, data, bytes);
    px_buf_put(&b->data, zeros, (b->align - b->data.len % b->align) % b->align);
}

/* The file's bytes; clears the builder. Owned. */
static inline uint8_t *builder_finish(struct gguf_builder *b, size_t *n)
{
    struct px_buf out;
    px_buf_init(&out, 256u << 20);
    px_buf_str(&out, "GGUF");
    px_buf_u32(&out, b->version);
    px_buf_u64(&out, b->n_tensors);
    px_buf_u64(&out, b->n_keys);
    px_buf_put(&out, b->keys.data, b->keys.len);
    px_buf_put(&out, b->infos.data, b->infos.len);
    while (out.len % b->align)
        px_buf_u8(&out, 0);
    px_buf_put(&out, b->data.data, b->data.len);
    px_buf_clear(&b->keys);
    px_buf_clear(&b->infos);
    px_buf_clear(&b->data);
    return (uint8_t *)px_buf_steal(&out, n);
}

/* ---- a whole small model ---- */

enum {
    TINY_EMBD = 32,
    TINY_FF = 64,
    TINY_HEADS = 2,
    TINY_KV = 1,
    TINY_DIM = 16,
    TINY_LAYERS = 2,
    TINY_BYTES = 256,
    TINY_VOCAB = TINY_BYTES + 8
};

/* One more key, after "ARCHITECTURE." */
struct tiny_extra {
    const char *name; /* NULL ends a list */
    uint32_t type;    /* GB_U32, GB_F32, GB_STR, or GB_ARR: of bools, a character each, '1' true */
    double number;
    const char *text;
};

/* What to make, and what to spoil. Zeroed: a good llama model. */
struct tiny_options {
    const struct tiny_extra *extra; /* or NULL */
    const char *arch;               /* NULL: "llama"; qwen2 gets biases, qwen3 q and k norms */
    const char *tokenizer;          /* NULL: "gpt2" */
    const char *pre;                /* NULL: "qwen2" */
    const char *skip_key;           /* leave this key out */
    const char *skip_tensor;        /* leave this tensor out */
    const char *wide_tensor;        /* give this tensor twice the rows */
    const char *extra_tensor;
    uint32_t extra_values; /* of the extra tensor, a vector; 0: as many as the width */
    bool tied;
    bool add_bos;            /* the tokenizer begins a text with BOS */
    bool micro;              /* one layer of width 4: a few KB in all */
    const char *nan_tensor;  /* its 6th value is NaN */
    const char *zero_tensor; /* all zeros */
};

struct tiny_shape {
    uint32_t embd, ff, heads, kv, dim, layers;
};

static inline struct tiny_shape tiny_shape(const struct tiny_options *o)
{
    return o->micro ? (struct tiny_shape){4, 4, 2, 1, 2, 1}
                    : (struct tiny_shape){TINY_EMBD, TINY_FF,  TINY_HEADS,
                                          TINY_KV,   TINY_DIM, TINY_LAYERS};
}

static inline float *tiny_values(size_t n, uint64_t *state, bool norm)
{
    float *v = px_xmalloc(n * sizeof *v);
    for (size_t i = 0; i < n; i++) {
        *state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        float x = (float)((double)(*state >> 40) / (double)(1 << 24) - 0.5);
        v[i] = norm ? 1 + x / 4 : x / 2;
    }
    return v;
}

static inline void tiny_tensor(struct gguf_builder *b, const struct tiny_options *o,
                               const char *name, uint64_t cols, uint64_t rows)
{
    if (o->skip_tensor && strcmp(o->skip_tensor, name) == 0)
        return;
    if (o->wide_tensor && strcmp(o->wide_tensor, name) == 0)
        rows = 2 * (rows ? rows : 1);
    uint64_t state = 88172645463325252u;
    for (const char *p = name; *p; p++)
        state = state * 31 + (unsigned char)*p;
    size_t n = (size_t)(cols * (rows ? rows : 1));
    float *v = tiny_values(n, &state, strstr(name, "norm") != NULL);
    if (o->nan_tensor && strcmp(o->nan_tensor, name) == 0)
        memset(&v[5], 0xff, sizeof v[5]);
    if (o->zero_tensor && strcmp(o->zero_tensor, name) == 0)
        memset(v, 0, n * sizeof *v);
    builder_tensor(b, name, GGML_F32, cols, rows, v, n * sizeof *v);
    free(v);
}

static inline void tiny_layer(struct gguf_builder *b, const struct tiny_options *o,
                              const char *arch, unsigned layer)
{
    const bool bias = strcmp(arch, "qwen2") == 0, norm = strcmp(arch, "qwen3") == 0;
    const struct tiny_shape z = tiny_shape(o);
    const struct {
        const char *name;
        uint64_t cols, rows;
        bool wanted;
    } t[] = {
        {"attn_norm.weight", z.embd, 0, true},
        {"attn_q.weight", z.embd, z.heads * z.dim, true},
        {"attn_k.weight", z.embd, z.kv * z.dim, true},
        {"attn_v.weight", z.embd, z.kv * z.dim, true},
        {"attn_output.weight", z.heads * z.dim, z.embd, true},
        {"attn_q.bias", z.heads * z.dim, 0, bias},
        {"attn_k.bias", z.kv * z.dim, 0, bias},
        {"attn_v.bias", z.kv * z.dim, 0, bias},
        {"attn_q_norm.weight", z.dim, 0, norm},
        {"attn_k_norm.weight", z.dim, 0, norm},
        {"ffn_norm.weight", z.embd, 0, true},
        {"ffn_gate.weight", z.embd, z.ff, true},
        {"ffn_up.weight", z.embd, z.ff, true},
        {"ffn_down.weight", z.ff, z.embd, true},
    };
    for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
        char name[64];
        snprintf(name, sizeof name, "blk.%u.%s", layer, t[i].name);
        if (t[i].wanted)
            tiny_tensor(b, o, name, t[i].cols, t[i].rows);
    }
}

/* Entries 0..255 are the bytes, then " t", "he", " the", "in", and the control tokens. */
static inline void tiny_vocabulary(struct gguf_builder *b, const struct tiny_options *o)
{
    static const char *const more[] = {"\xc4\xa0t",     "he",           "\xc4\xa0the", "in",
                                       "<|endoftext|>", "<|im_start|>", "<|im_end|>",  "<tool>"};
    static const char *const merges[] = {"\xc4\xa0 t", "h e", "\xc4\xa0t he", "i n"};
    static const int32_t types[] = {1, 1, 1, 1, 3, 3, 3, 4};
    builder_str(b, "tokenizer.ggml.model", o->tokenizer ? o->tokenizer : "gpt2");
    builder_str(b, "tokenizer.ggml.pre", o->pre ? o->pre : "qwen2");
    builder_array(b, "tokenizer.ggml.tokens", GB_STR, TINY_VOCAB);
    unsigned shifted = 0x100;
    for (unsigned byte = 0; byte < TINY_BYTES; byte++) {
        bool self = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte != 0xad);
        unsigned cp = self ? byte : shifted++;
        char s[2] = {(char)cp, 0};
        if (cp >= 0x80) {
            s[0] = (char)(0xc0 | cp >> 6);
            s[1] = (char)(0x80 | (cp & 0x3f));
        }
        builder_text(&b->keys, s, cp < 0x80 ? 1 : 2);
    }
    for (size_t i = 0; i < 8; i++)
        builder_text(&b->keys, more[i], strlen(more[i]));
    builder_array(b, "tokenizer.ggml.token_type", GB_I32, TINY_VOCAB);
    for (unsigned i = 0; i < TINY_VOCAB; i++)
        px_buf_u32(&b->keys, (uint32_t)(i < TINY_BYTES ? 1 : types[i - TINY_BYTES]));
    builder_array(b, "tokenizer.ggml.merges", GB_STR, 4);
    for (size_t i = 0; i < 4; i++)
        builder_text(&b->keys, merges[i], strlen(merges[i]));
    builder_u32(b, "tokenizer.ggml.eos_token_id", TINY_BYTES + 6);
    builder_bool(b, "tokenizer.ggml.add_bos_token", o->add_bos);
    builder_str(b, "tokenizer.chat_template",
                "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + "
                "message['content'] + '<|im_end|>' + '\\n'}}{% endfor %}{% if "
                "add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}");
}

static inline void tiny_extra_key(struct gguf_builder *b, const char *key,
                                  const struct tiny_extra *x)
{
    if (x->type == GB_U32)
        builder_u32(b, key, (uint32_t)x->number);
    else if (x->type == GB_F32)
        builder_f32(b, key, (float)x->number);
    else if (x->type == GB_STR)
        builder_str(b, key, x->text);
    else
        builder_array(b, key, GB_BOOL, strlen(x->text));
    for (size_t i = 0; x->type == GB_ARR && x->text[i]; i++)
        px_buf_u8(&b->keys, x->text[i] == '1');
}

static inline void tiny_configuration(struct gguf_builder *b, const struct tiny_options *o,
                                      const char *arch)
{
    const struct tiny_shape z = tiny_shape(o);
    const struct {
        const char *name;
        uint32_t value;
    } keys[] = {
        {"block_count", z.layers},         {"context_length", 128},
        {"embedding_length", z.embd},      {"feed_forward_length", z.ff},
        {"attention.head_count", z.heads}, {"attention.head_count_kv", z.kv},
        {"attention.key_length", z.dim},   {"rope.dimension_count", z.dim},
    };
    char key[96];
    builder_str(b, "general.architecture", arch);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        snprintf(key, sizeof key, "%s.%s", arch, keys[i].name);
        if (!o->skip_key || strcmp(o->skip_key, keys[i].name) != 0)
            builder_u32(b, key, keys[i].value);
    }
    snprintf(key, sizeof key, "%s.attention.layer_norm_rms_epsilon", arch);
    builder_f32(b, key, 1e-5f);
    snprintf(key, sizeof key, "%s.rope.freq_base", arch);
    builder_f32(b, key, 10000);
    for (const struct tiny_extra *x = o->extra; x && x->name; x++) {
        snprintf(key, sizeof key, "%s.%s", arch, x->name);
        tiny_extra_key(b, key, x);
    }
}

/* The bytes of a GGUF file. Owned. */
static inline uint8_t *tiny_model(const struct tiny_options *o, size_t *n)
{
    struct gguf_builder b;
    const char *arch = o->arch ? o->arch : "llama";
    const struct tiny_shape z = tiny_shape(o);
    builder_init(&b);
    tiny_configuration(&b, o, arch);
    tiny_vocabulary(&b, o);
    tiny_tensor(&b, o, "token_embd.weight", z.embd, TINY_VOCAB);
    tiny_tensor(&b, o, "output_norm.weight", z.embd, 0);
    if (!o->tied)
        tiny_tensor(&b, o, "output.weight", z.embd, TINY_VOCAB);
    for (unsigned i = 0; i < z.layers; i++)
        tiny_layer(&b, o, arch, i);
    if (o->extra_tensor)
        tiny_tensor(&b, o, o->extra_tensor, o->extra_values ? o->extra_values : z.embd, 0);
    return builder_finish(&b, n);
}

#endif
