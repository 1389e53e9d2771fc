/* Any bytes are a GGUF file or an error; what opens can be asked anything, and its configuration,
 * tokenizer and chat template are good or errors too. */
#include <string.h>

#include "proto/mem.h"
#include "proto/model/chat.h"
#include "proto/model/config.h"
#include "proto/model/tokenizer.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/proto/gguf_builder.h"

size_t fuzz_seed(unsigned i, uint8_t *out, size_t cap)
{
    static const struct tiny_extra yarn[] = {
        {"rope.scaling.type", GB_STR, 0, "yarn"},
        {"rope.scaling.factor", GB_F32, 4, NULL},
        {"rope.scaling.original_context_length", GB_U32, 64, NULL},
        {"rope.scaling.yarn_beta_fast", GB_F32, 16, NULL},
        {"attention.sliding_window", GB_U32, 20, NULL},
        {"attention.sliding_window_pattern", GB_ARR, 0, "1"},
        {.name = NULL}};
    static const struct tiny_options seeds[] = {
        {.micro = true, .tied = true},
        {.micro = true, .arch = "qwen2"},
        {.micro = true, .arch = "qwen3", .tied = true},
        {.micro = true, .extra = yarn},
    };
    size_t n;
    if (i >= sizeof seeds / sizeof seeds[0])
        return 0;
    uint8_t *bytes = tiny_model(&seeds[i], &n);
    px_assert(n <= cap);
    memcpy(out, bytes, n);
    free(bytes);
    return n;
}

static void ask_everything(const struct gguf *g)
{
    char key[100], value[200];
    uint64_t u;
    double d;
    int64_t v;
    const char *s;
    size_t len;
    for (uint32_t i = 0; i < gguf_n_keys(g) && i < 50; i++) {
        gguf_key_text(g, i, key, sizeof key, value, sizeof value);
        if (gguf_get_u64(g, key, &u, NULL) != 0 && gguf_get_f64(g, key, &d, NULL) != 0 &&
            gguf_get_str(g, key, &s, &len, NULL) != 0 && gguf_get_array(g, key, &u, NULL) == 0 &&
            u > 0 && gguf_array_str(g, key, u - 1, &s, &len, NULL) != 0 &&
            gguf_array_i64(g, key, u - 1, &v, NULL) != 0)
            (void)!gguf_array_f64(g, key, u - 1, &d, NULL);
    }
    for (uint32_t i = 0; i < gguf_n_tensors(g); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(g, i);
        px_assert(t->offset + t->bytes <= gguf_file_size(g));
        px_assert(gguf_tensor_find(g, t->name) == t);
    }
}

static void use_tokenizer(const struct gguf *g)
{
    static const char text[] = "the <|im_end|> in the\xff <tool> he\n  12345 \xe4\xbd\xa0";
    struct px_err err;
    struct tokenizer *t = tokenizer_new(g, &err);
    uint32_t *ids;
    size_t n;
    struct px_buf b;
    if (!t)
        return;
    px_buf_init(&b, 1 << 20);
    if (tokenizer_encode(t, text, sizeof text - 1, TOK_ADD_SPECIAL | TOK_PARSE_SPECIAL, &ids, &n,
                         &err) == 0) {
        for (size_t i = 0; i < n; i++)
            px_assert(ids[i] < tokenizer_n_vocab(t));
        tokenizer_decode(t, ids, n, true, &b);
        free(ids);
    }
    px_buf_clear(&b);
    tokenizer_free(&t);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct px_err err;
    struct model_config c;
    enum chat_template chat;
    const char *s;
    size_t len;
    struct gguf *g = gguf_from_memory(data, size, "fuzz", &err);
    if (!g)
        return 0;
    ask_everything(g);
    if (model_config_read(g, &c, &err) == 0) {
        px_assert(c.n_vocab > 0 && c.n_heads % c.n_kv_heads == 0 && c.rope_dims <= c.head_dim);
        px_assert(c.rope_scale > 0 && c.rope_attn_factor > 0 && c.window < c.context_length);
        px_assert(model_window(&c, c.n_layers - 1) > 0);
    }
    use_tokenizer(g);
    if (gguf_get_str(g, "tokenizer.chat_template", &s, &len, &err) == 0)
        (void)!chat_recognise(s, len, &chat, &err);
    gguf_free(&g);
    return 0;
}
