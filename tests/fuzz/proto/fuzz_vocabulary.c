/* Any bytes are a vocabulary's image or an error; what is accepted can be asked anything, and no
 * answer names an entry that is not there. The seeds are good images of both families. */
#include <string.h>

#include "proto/mem.h"
#include "proto/model/tokenizer.h"
#include "tests/fuzz/fuzz.h"
#include "tests/unit/proto/gguf_builder.h"

/* A SentencePiece vocabulary of the 256 bytes and a few joins. */
static uint8_t *spm_file(size_t *n)
{
    static const char *const more[] = {"<unk>", "<s>", "</s>", "\xe2\x96\x81", "t",
                                       "h",     "e",   "he",   "the",          "\xe2\x96\x81the"};
    enum { MORE = sizeof more / sizeof more[0], ALL = MORE + 256 };
    struct gguf_builder b;
    builder_init(&b);
    builder_str(&b, "tokenizer.ggml.model", "llama");
    builder_array(&b, "tokenizer.ggml.tokens", GB_STR, ALL);
    for (unsigned i = 0; i < MORE; i++)
        builder_text(&b.keys, more[i], strlen(more[i]));
    for (unsigned i = 0; i < 256; i++) {
        char name[8];
        snprintf(name, sizeof name, "<0x%02X>", i);
        builder_text(&b.keys, name, 6);
    }
    builder_array(&b, "tokenizer.ggml.scores", GB_F32, ALL);
    for (unsigned i = 0; i < ALL; i++)
        px_buf_f32(&b.keys, -(float)(i % 7));
    builder_array(&b, "tokenizer.ggml.token_type", GB_I32, ALL);
    for (unsigned i = 0; i < ALL; i++)
        px_buf_u32(&b.keys, i == 0 ? 2 : i < 3 ? 3 : i < MORE ? 1 : 6);
    return builder_finish(&b, n);
}

size_t fuzz_seed(unsigned i, uint8_t *out, size_t cap)
{
    static const char *const pre[] = {"qwen2", "llama-bpe", "deepseek-coder"};
    enum { PRE = sizeof pre / sizeof pre[0] };
    struct px_err err;
    struct px_buf image;
    size_t n;
    if (i > PRE)
        return 0;
    struct tiny_options o = {.micro = true, .pre = i < PRE ? pre[i] : NULL};
    uint8_t *bytes = i < PRE ? tiny_model(&o, &n) : spm_file(&n);
    struct gguf *g = gguf_from_memory(bytes, n, "seed", &err);
    px_assert(g);
    px_buf_init(&image, cap);
    px_assert(tokenizer_image_build(g, &image, &err) == 0);
    n = image.len;
    memcpy(out, image.data, n);
    px_buf_clear(&image);
    gguf_free(&g);
    free(bytes);
    return n;
}

static void encode(const struct tokenizer *t, const char *s, size_t n, unsigned flags)
{
    struct px_err err;
    struct px_buf b;
    uint32_t *ids;
    size_t n_ids;
    if (tokenizer_encode(t, s, n, flags, &ids, &n_ids, &err) != 0)
        return;
    for (size_t i = 0; i < n_ids; i++)
        px_assert(ids[i] < tokenizer_n_vocab(t));
    px_buf_init(&b, 1 << 20);
    tokenizer_decode(t, ids, n_ids, flags & TOK_PARSE_SPECIAL, &b);
    px_buf_clear(&b);
    free(ids);
}

static void ask_everything(const struct tokenizer *t)
{
    static const char text[] =
        "the <|im_end|> in the\xff <tool> he\n  12345 \xe4\xbd\xa0<s> hehehehehehehehehehehehehehe"
        "hehehehehehehehehehehehehehethethethethethe   the the</s> \xf0\x9f\x9a\x80 don't 'inn";
    struct px_buf b;
    size_t n;
    for (unsigned flags = 0; flags < 4; flags++)
        encode(t, text, sizeof text - 1, flags);
    px_buf_init(&b, 1 << 20);
    for (uint32_t id = 0; id < tokenizer_n_vocab(t) && id < 5000; id++) {
        const char *s = tokenizer_text(t, id, &n);
        int32_t found = tokenizer_find(t, s, n);
        px_assert(n > 0 && found >= -1 && found < (int64_t)tokenizer_n_vocab(t));
        tokenizer_piece(t, id, &b);
    }
    px_buf_clear(&b);
    const uint32_t *stops = tokenizer_stop_ids(t, &n);
    for (size_t i = 0; i < n; i++)
        px_assert(stops[i] < tokenizer_n_vocab(t));
    px_assert(tokenizer_bos(t) < (int64_t)tokenizer_n_vocab(t));
    px_assert(strlen(tokenizer_family(t)) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct px_err err;
    PX_FREE uint8_t *image = px_xmalloc(size); /* aligned, and its end is watched */
    if (size > 0)
        memcpy(image, data, size);
    struct tokenizer *t = tokenizer_from_image(image, size, "fuzz", &err);
    if (t)
        ask_everything(t);
    tokenizer_free(&t);
    return 0;
}
