/* Tokenizers on a vocabulary made here: merges, special tokens, stop set, damaged vocabularies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "proto/model/tokenizer.h"
#include "tests/unit/proto/gguf_builder.h"

enum { T = TINY_BYTES, SPACE_T = T, HE, SPACE_THE, IN, ENDOFTEXT, IM_START, IM_END, TOOL };

static struct tokenizer *make(const struct tiny_options *o, struct px_err *err)
{
    size_t n;
    uint8_t *bytes = tiny_model(o, &n);
    struct gguf *g = gguf_from_memory(bytes, n, "x.gguf", err);
    struct tokenizer *t = g ? tokenizer_new(g, err) : NULL;
    gguf_free(&g);
    free(bytes);
    return t;
}

static struct tokenizer *make_good(void)
{
    struct px_err err = {0};
    struct tokenizer *t = make(&(struct tiny_options){0}, &err);
    if (!t)
        fail_msg("%s", err.text);
    return t;
}

static void expect(const struct tokenizer *t, const char *text, size_t len, unsigned flags,
                   const uint32_t *want, size_t n_want)
{
    struct px_err err = {0};
    uint32_t *ids;
    size_t n;
    if (tokenizer_encode(t, text, len, flags, &ids, &n, &err) != 0)
        fail_msg("%s", err.text);
    assert_int_equal(n, n_want);
    assert_memory_equal(ids, want, n * sizeof *ids);
    free(ids);
}

#define EXPECT(t, text, flags, ...)                                                                \
    do {                                                                                           \
        const uint32_t want_[] = {__VA_ARGS__};                                                    \
        expect(t, text, strlen(text), flags, want_, sizeof want_ / sizeof want_[0]);               \
    } while (0)

static void merges_apply_by_rank(void **state)
{
    (void)state;
    struct tokenizer *t = make_good();
    EXPECT(t, " the", 0, SPACE_THE);
    EXPECT(t, "the", 0, 't', HE);
    EXPECT(t, " thin", 0, SPACE_T, 'h', IN);
    assert_string_equal(tokenizer_family(t), "bpe:qwen2");
    assert_int_equal(tokenizer_n_vocab(t), TINY_VOCAB);
    tokenizer_free(&t);
}

static void special_tokens_are_found_when_asked_for(void **state)
{
    (void)state;
    struct tokenizer *t = make_good();
    size_t len = strlen("<|im_end|>");
    uint32_t letters[16];
    for (size_t i = 0; i < len; i++)
        letters[i] = (unsigned char)"<|im_end|>"[i];
    EXPECT(t, "a<|im_end|>he", TOK_PARSE_SPECIAL, 'a', IM_END, HE);
    expect(t, "<|im_end|>", len, 0, letters, len);
    EXPECT(t, "<tool>", 0, TOOL); /* user-defined: always */
    tokenizer_free(&t);
}

static void stop_ids_come_from_metadata_and_names(void **state)
{
    (void)state;
    struct tokenizer *t = make_good();
    size_t n;
    const uint32_t *stops = tokenizer_stop_ids(t, &n);
    assert_int_equal(n, 2);
    assert_int_equal(stops[0], ENDOFTEXT);
    assert_int_equal(stops[1], IM_END);
    assert_int_equal(tokenizer_eos(t), IM_END);
    assert_int_equal(tokenizer_bos(t), -1);
    assert_true(tokenizer_is_control(t, IM_START));
    assert_false(tokenizer_is_control(t, TOOL));
    assert_false(tokenizer_is_control(t, 1u << 30));
    tokenizer_free(&t);
}

static void decoding_gives_the_bytes_back(void **state)
{
    (void)state;
    struct tokenizer *t = make_good();
    struct px_err err = {0};
    struct px_buf b;
    uint32_t *ids;
    size_t n;
    char text[256];
    for (int i = 0; i < 256; i++)
        text[i] = (char)(i < 128 ? i : i % 2 ? 0xa9 : 0xc3); /* "\xc3\xa9" over and over */
    px_buf_init(&b, 10000);
    assert_int_equal(tokenizer_encode(t, text, sizeof text, 0, &ids, &n, &err), 0);
    tokenizer_decode(t, ids, n, false, &b);
    assert_int_equal(b.len, sizeof text);
    assert_memory_equal(b.data, text, sizeof text);
    px_buf_reset(&b);
    for (size_t i = 0; i < n; i++)
        tokenizer_piece(t, ids[i], &b);
    assert_memory_equal(b.data, text, sizeof text);
    px_buf_reset(&b);
    tokenizer_decode(t, (const uint32_t[]){IM_START, 'a', TOOL, TINY_VOCAB}, 4, false, &b);
    assert_string_equal((char *)b.data, "a<tool>");
    px_buf_reset(&b);
    tokenizer_decode(t, (const uint32_t[]){IM_START, 'a'}, 2, true, &b);
    assert_string_equal((char *)b.data, "<|im_start|>a");
    px_buf_clear(&b);
    free(ids);
    tokenizer_free(&t);
}

static void malformed_text_is_encoded_as_replacement_characters(void **state)
{
    (void)state;
    struct tokenizer *t = make_good();
    /* U+FFFD is ef bf bd; two bytes that belong to nothing give two of them */
    const uint32_t want[] = {'a', 0xef, 0xbf, 0xbd, 0xef, 0xbf, 0xbd, 'b'};
    uint32_t ids[8];
    for (int i = 0; i < 8; i++) {
        char s[4] = {(char)(want[i] >= 0x80 ? 0xc0 | want[i] >> 6 : want[i]),
                     (char)(0x80 | (want[i] & 0x3f)), 0, 0};
        ids[i] = (uint32_t)tokenizer_find(t, s, want[i] >= 0x80 ? 2 : 1);
    }
    expect(t, "a\xff\xc3", 3, 0, ids, 7);
    expect(t,
           "a\xff\xf0"
           "b",
           4, 0, ids, 8);
    tokenizer_free(&t);
}

static void long_words_take_the_same_way_as_short_ones(void **state)
{
    (void)state;
    struct tokenizer *t = make_good();
    enum { N = 3000 };
    char text[2 * N];
    uint32_t want[N];
    for (int i = 0; i < N; i++) {
        memcpy(text + 2 * i, "he", 2);
        want[i] = HE;
    }
    expect(t, text, 2 * N, 0, want, N);
    expect(t, text, 30, 0, want, 15);
    tokenizer_free(&t);
}

static void refused(const struct tiny_options *o, const char *words)
{
    struct px_err err = {0};
    assert_null(make(o, &err));
    if (!strstr(err.text, words))
        fail_msg("expected '%s' in: %s", words, err.text);
    assert_non_null(strstr(err.text, "cannot use the tokenizer of x.gguf"));
}

static void unknown_families_are_refused_by_name(void **state)
{
    (void)state;
    refused(&(struct tiny_options){.tokenizer = "t5"},
            "unknown tokenizer 't5'; supported are gpt2");
    refused(&(struct tiny_options){.pre = "tekken"}, "unknown pre-tokenizer 'tekken'; known are");
}

/* A BPE vocabulary of the given entries and merges; the message must hold the words. */
static void vocabulary_refused(const char *const *entries, size_t n, const char *merge,
                               const char *words)
{
    struct px_err err = {0};
    struct gguf_builder b;
    size_t size;
    builder_init(&b);
    builder_str(&b, "tokenizer.ggml.model", "gpt2");
    builder_array(&b, "tokenizer.ggml.tokens", GB_STR, n);
    for (size_t i = 0; i < n; i++)
        builder_text(&b.keys, entries[i], strlen(entries[i]));
    builder_array(&b, "tokenizer.ggml.merges", GB_STR, 1);
    builder_text(&b.keys, merge, strlen(merge));
    uint8_t *bytes = builder_finish(&b, &size);
    struct gguf *g = gguf_from_memory(bytes, size, "x.gguf", &err);
    assert_non_null(g);
    struct tokenizer *t = tokenizer_new(g, &err);
    assert_null(t);
    if (!strstr(err.text, words))
        fail_msg("expected '%s' in: %s", words, err.text);
    gguf_free(&g);
    free(bytes);
}

static void damaged_vocabularies_are_refused(void **state)
{
    (void)state;
    static const char *const twice[] = {"a", "b", "a"};
    static const char *const few[] = {"a", "b"};
    vocabulary_refused(twice, 3, "a b", "entries 0 and 2 are both 'a'");
    vocabulary_refused(few, 2, "a b", "merge 0 ('a b') makes an entry that is not");
    vocabulary_refused(few, 2, "a c", "is not in the vocabulary");
    vocabulary_refused(few, 2, "ab", "is not two entries and a space");
    vocabulary_refused(few, 0, "a b", "the vocabulary has 0 entries");
}

static void a_byte_without_token_is_an_error(void **state)
{
    (void)state;
    struct px_err err = {0};
    struct gguf_builder b;
    size_t size, n;
    uint32_t *ids;
    builder_init(&b);
    builder_str(&b, "tokenizer.ggml.model", "gpt2");
    builder_array(&b, "tokenizer.ggml.tokens", GB_STR, 1);
    builder_text(&b.keys, "a", 1);
    builder_array(&b, "tokenizer.ggml.merges", GB_STR, 0);
    uint8_t *bytes = builder_finish(&b, &size);
    struct gguf *g = gguf_from_memory(bytes, size, "x.gguf", &err);
    struct tokenizer *t = tokenizer_new(g, &err);
    if (!t)
        fail_msg("%s", err.text);
    EXPECT(t, "a", 0, 0);
    assert_int_equal(tokenizer_encode(t, "ab", 2, 0, &ids, &n, &err), -1);
    assert_non_null(strstr(err.text, "no token for the byte 0x62"));
    tokenizer_free(&t);
    gguf_free(&g);
    free(bytes);
}

/* ---- SentencePiece ---- */

static struct tokenizer *make_spm(void)
{
    static const char *const entries[] = {"<unk>",
                                          "<s>",
                                          "</s>",
                                          "\xe2\x96\x81",
                                          "a",
                                          "b",
                                          "ab",
                                          "ba",
                                          "\xe2\x96\x81"
                                          "a",
                                          "<0xC3>"};
    static const float scores[] = {0, 0, 0, -9, -9, -9, -2, -1, -3, 0};
    static const int32_t types[] = {2, 3, 3, 1, 1, 1, 1, 1, 1, 6};
    struct px_err err = {0};
    struct gguf_builder b;
    size_t size;
    builder_init(&b);
    builder_str(&b, "tokenizer.ggml.model", "llama");
    builder_array(&b, "tokenizer.ggml.tokens", GB_STR, 10);
    for (int i = 0; i < 10; i++)
        builder_text(&b.keys, entries[i], strlen(entries[i]));
    builder_array(&b, "tokenizer.ggml.scores", GB_F32, 10);
    for (int i = 0; i < 10; i++)
        px_buf_f32(&b.keys, scores[i]);
    builder_array(&b, "tokenizer.ggml.token_type", GB_I32, 10);
    for (int i = 0; i < 10; i++)
        px_buf_u32(&b.keys, (uint32_t)types[i]);
    uint8_t *bytes = builder_finish(&b, &size);
    struct gguf *g = gguf_from_memory(bytes, size, "x.gguf", &err);
    struct tokenizer *t = tokenizer_new(g, &err);
    if (!t)
        fail_msg("%s", err.text);
    gguf_free(&g);
    free(bytes);
    return t;
}

static void sentencepiece_joins_by_score(void **state)
{
    (void)state;
    struct tokenizer *t = make_spm();
    struct px_buf b;
    EXPECT(t, "ab", 0, 3, 6);                        /* "ab" beats " a" */
    EXPECT(t, "aba", 0, 8, 7);                       /* "ba" first, then " a" is left */
    EXPECT(t, "a", TOK_ADD_SPECIAL, 1, 8);           /* BOS, and a space in front */
    EXPECT(t, "\xc3q", 0, 3, 9, 0);                  /* a byte token, and <unk> for the rest */
    EXPECT(t, "a</s>a", TOK_PARSE_SPECIAL, 8, 2, 8); /* a space behind a special token too */
    px_buf_init(&b, 100);
    tokenizer_decode(t, (const uint32_t[]){8, 9, 8}, 3, false, &b);
    assert_string_equal((char *)b.data, "a\xc3 a"); /* without the first space */
    px_buf_reset(&b);
    tokenizer_piece(t, 8, &b);
    assert_string_equal((char *)b.data, " a");
    px_buf_clear(&b);
    tokenizer_free(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merges_apply_by_rank),
        cmocka_unit_test(special_tokens_are_found_when_asked_for),
        cmocka_unit_test(stop_ids_come_from_metadata_and_names),
        cmocka_unit_test(decoding_gives_the_bytes_back),
        cmocka_unit_test(malformed_text_is_encoded_as_replacement_characters),
        cmocka_unit_test(long_words_take_the_same_way_as_short_ones),
        cmocka_unit_test(unknown_families_are_refused_by_name),
        cmocka_unit_test(damaged_vocabularies_are_refused),
        cmocka_unit_test(a_byte_without_token_is_an_error),
        cmocka_unit_test(sentencepiece_joins_by_score),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
