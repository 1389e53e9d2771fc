/* Any bytes can be encoded; well-formed UTF-8 comes back as it was; any ids can be decoded. The
 * first byte chooses the flags. */
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"
#include "proto/model/tokenizer.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/proto/gguf_builder.h"

size_t fuzz_seed(unsigned i, uint8_t *out, size_t cap)
{
    static const char *const seeds[] = {
        "\3the quick <|im_end|> in the inn 12345 it's <tool>",
        "\2\xe4\xbd\xa0\xe5\xa5\xbd na\xc3\xafve \xf0\x9f\x9a\x80\r\n\n   x",
        "\1      hehehehehehehehehehehehehehehehehehehehehehehehehehehehehehehehehehehehehe",
    };
    if (i >= sizeof seeds / sizeof seeds[0])
        return 0;
    size_t n = strlen(seeds[i]);
    px_assert(n <= cap);
    memcpy(out, seeds[i], n);
    return n;
}

static struct tokenizer *make(const char *pre)
{
    struct tiny_options o = {.micro = true, .pre = pre};
    struct px_err err;
    size_t n;
    uint8_t *bytes = tiny_model(&o, &n);
    struct gguf *g = gguf_from_memory(bytes, n, "seed", &err);
    px_assert(g);
    struct tokenizer *t = tokenizer_new(g, &err);
    px_assert(t);
    gguf_free(&g);
    free(bytes);
    return t;
}

/* All 256 bytes as tokens and a few joins. */
static struct tokenizer *make_spm(void)
{
    static const char *const more[] = {
        "<unk>", "<s>", "</s>",          "\xe2\x96\x81",   "t", "h", "e",
        "he",    "the", "\xe2\x96\x81t", "\xe2\x96\x81the"};
    enum { MORE = sizeof more / sizeof more[0] };
    struct gguf_builder b;
    struct px_err err;
    size_t n;
    builder_init(&b);
    builder_str(&b, "tokenizer.ggml.model", "llama");
    builder_array(&b, "tokenizer.ggml.tokens", GB_STR, MORE + 256);
    for (unsigned i = 0; i < MORE; i++)
        builder_text(&b.keys, more[i], strlen(more[i]));
    for (unsigned i = 0; i < 256; i++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", i);
        builder_text(&b.keys, name, 6);
    }
    builder_array(&b, "tokenizer.ggml.scores", GB_F32, MORE + 256);
    for (unsigned i = 0; i < MORE + 256; i++)
        px_buf_f32(&b.keys, -(float)(i % 7));
    builder_array(&b, "tokenizer.ggml.token_type", GB_I32, MORE + 256);
    for (unsigned i = 0; i < MORE + 256; i++)
        px_buf_u32(&b.keys, i == 0 ? 2 : i < 3 ? 3 : i < MORE ? 1 : 6);
    uint8_t *bytes = builder_finish(&b, &n);
    struct gguf *g = gguf_from_memory(bytes, n, "seed", &err);
    px_assert(g);
    struct tokenizer *t = tokenizer_new(g, &err);
    px_assert(t);
    gguf_free(&g);
    free(bytes);
    return t;
}

static bool has(const char *s, size_t n, const char *what)
{
    return memmem(s, n, what, strlen(what)) != NULL;
}

static void check(const struct tokenizer *t, bool exact, const char *s, size_t n, unsigned flags)
{
    struct px_err err;
    struct px_buf b;
    uint32_t *ids;
    size_t n_ids;
    px_assert(tokenizer_encode(t, s, n, flags, &ids, &n_ids, &err) == 0);
    for (size_t i = 0; i < n_ids; i++)
        px_assert(ids[i] < tokenizer_n_vocab(t));
    px_buf_init(&b, 8 * FUZZ_MAX);
    tokenizer_decode(t, ids, n_ids, true, &b);
    bool plain = !(flags & TOK_ADD_SPECIAL) && px_utf8_valid(s, n);
    if (exact && plain)
        px_assert(b.len == n && (n == 0 || memcmp(b.data, s, n) == 0));
    px_buf_clear(&b);
    free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct tokenizer *qwen2, *gpt2, *deepseek, *fallback, *spm;
    if (!qwen2) {
        qwen2 = make("qwen2");
        gpt2 = make("gpt-2");
        deepseek = make("deepseek-coder");
        fallback = make("default");
        spm = make_spm();
    }
    if (size == 0)
        return 0;
    const char *s = (const char *)data + 1;
    size_t n = size - 1;
    unsigned flags = data[0] & 3;
    check(qwen2, true, s, n, flags);
    check(deepseek, true, s, n, flags);
    check(gpt2, false, s, n, flags);
    check(fallback, false, s, n, flags);
    /* U+2581 becomes a space, and a space is put behind special tokens. */
    bool odd =
        has(s, n, "\xe2\x96\x81") || has(s, n, "<s>") || has(s, n, "</s>") || has(s, n, "<unk>");
    check(spm, !odd, s, n, flags);
    struct px_buf b;
    px_buf_init(&b, 8 * FUZZ_MAX);
    for (size_t i = 0; i + 2 <= n && i < 200; i += 2) {
        uint32_t id = px_load_u16(s + i) % 600u;
        tokenizer_piece(qwen2, id, &b);
        tokenizer_decode(spm, &id, 1, i % 4 == 0, &b);
    }
    px_buf_clear(&b);
    return 0;
}
