/* GGUF files: good ones are read, each kind of damage is one clear message. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "proto/clock.h"
#include "proto/model/config.h"
#include "tests/unit/proto/gguf_builder.h"
#include "tests/unit/proto/reference.h"

/* The bytes are refused, with these words in the message. Frees the bytes. */
static void refused(uint8_t *bytes, size_t n, const char *words)
{
    struct px_err err = {0};
    /* A copy of the exact size, so that sanitizers see every read past the end. */
    uint8_t *exact = px_xmalloc(n);
    memcpy(exact, bytes, n);
    struct gguf *g = gguf_from_memory(exact, n, "x.gguf", &err);
    assert_null(g);
    if (!strstr(err.text, words))
        fail_msg("expected '%s' in: %s", words, err.text);
    assert_non_null(strstr(err.text, "cannot read model x.gguf: "));
    free(exact);
    free(bytes);
}

static uint8_t *good(size_t *n)
{
    return tiny_model(&(struct tiny_options){0}, n);
}

static void a_good_file_is_read_back(void **state)
{
    (void)state;
    struct px_err err = {0};
    struct gguf_builder b;
    size_t n, len;
    const float values[] = {1, 2, 3};
    builder_init(&b);
    builder_str(&b, "a.name", "hello");
    builder_u32(&b, "a.count", 7);
    builder_f32(&b, "a.ratio", 0.5f);
    builder_bool(&b, "a.flag", true);
    builder_array(&b, "a.words", GB_STR, 2);
    builder_text(&b.keys, "one", 3);
    builder_text(&b.keys, "", 0);
    builder_array(&b, "a.ints", GB_I32, 2);
    px_buf_u32(&b.keys, (uint32_t)-4);
    px_buf_u32(&b.keys, 9);
    builder_tensor(&b, "w", GGML_F32, 3, 0, values, sizeof values);
    builder_tensor(&b, "q", GGML_Q8_0, 64, 2, NULL, 2 * 2 * 34);
    uint8_t *bytes = builder_finish(&b, &n);
    struct gguf *g = gguf_from_memory(bytes, n, "x.gguf", &err);
    assert_non_null(g);
    const char *s;
    uint64_t u;
    double d;
    bool flag;
    int64_t i;
    assert_int_equal(gguf_get_str(g, "a.name", &s, &len, &err), 0);
    assert_int_equal(len, 5);
    assert_memory_equal(s, "hello", 5);
    assert_int_equal(gguf_get_u64(g, "a.count", &u, &err), 0);
    assert_int_equal(u, 7);
    assert_int_equal(gguf_get_f64(g, "a.ratio", &d, &err), 0);
    assert_true(d > 0.49 && d < 0.51);
    assert_int_equal(gguf_get_f64(g, "a.count", &d, &err), 0);
    assert_true(d > 6.9 && d < 7.1);
    assert_int_equal(gguf_get_bool(g, "a.flag", &flag, &err), 0);
    assert_true(flag);
    assert_int_equal(gguf_get_array(g, "a.words", &u, &err), 0);
    assert_int_equal(u, 2);
    assert_int_equal(gguf_array_str(g, "a.words", 1, &s, &len, &err), 0);
    assert_int_equal(len, 0);
    assert_int_equal(gguf_array_i64(g, "a.ints", 0, &i, &err), 0);
    assert_int_equal(i, -4);
    const struct gguf_tensor *t = gguf_tensor_find(g, "q");
    assert_non_null(t);
    assert_int_equal(t->bytes, 136);
    assert_int_equal(t->dims[1], 2);
    assert_ptr_equal(t->data, bytes + t->offset);
    assert_memory_equal(gguf_tensor_find(g, "w")->data, values, sizeof values);
    assert_null(gguf_tensor_find(g, "nope"));
    char key[64], value[64];
    gguf_key_text(g, 4, key, sizeof key, value, sizeof value);
    assert_string_equal(key, "a.words");
    assert_string_equal(value, "2 x string [\"one\", \"\"]");
    gguf_free(&g);
    assert_null(g);
    free(bytes);
}

static void getters_name_the_key_and_the_types(void **state)
{
    (void)state;
    struct px_err err = {0};
    size_t n, len;
    uint64_t u;
    const char *s;
    uint8_t *bytes = good(&n);
    struct gguf *g = gguf_from_memory(bytes, n, "x.gguf", &err);
    assert_int_equal(gguf_get_u64(g, "no.such", &u, &err), -1);
    assert_string_equal(err.text, "x.gguf: the key no.such is missing");
    assert_int_equal(gguf_get_str(g, "llama.block_count", &s, &len, &err), -1);
    assert_string_equal(err.text,
                        "x.gguf: the key llama.block_count has the type uint32, expected a string");
    assert_int_equal(gguf_get_u64(g, "tokenizer.ggml.tokens", &u, &err), -1);
    assert_non_null(strstr(err.text, "an array of string, expected an integer"));
    assert_int_equal(gguf_get_array(g, "llama.block_count", &u, &err), -1);
    assert_int_equal(gguf_array_str(g, "tokenizer.ggml.token_type", 0, &s, &len, &err), -1);
    gguf_free(&g);
    free(bytes);
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    size_t n;
    uint8_t *bytes = good(&n);
    struct px_err err = {0};
    for (size_t cut = 0; cut < n; cut += cut < 6000 ? 7 : 997) {
        uint8_t *exact = px_xmalloc(cut);
        memcpy(exact, bytes, cut);
        struct gguf *g = gguf_from_memory(exact, cut, "x.gguf", &err);
        if (g)
            fail_msg("%zu of %zu bytes were accepted", cut, n);
        free(exact);
    }
    refused(bytes, n - 64, "the file at ");
}

static void a_tensor_past_the_end_is_named_with_figures(void **state)
{
    (void)state;
    struct gguf_builder b;
    size_t n;
    builder_init(&b);
    builder_tensor(&b, "blk.3.attn_q.weight", GGML_F32, 1u << 20, 1024, NULL, 64);
    uint8_t *bytes = builder_finish(&b, &n);
    char words[128];
    snprintf(words, sizeof words,
             "tensor blk.3.attn_q.weight ends at 4,294,967,392, the file at %zu", n);
    refused(bytes, n, words);
}

static void wrong_magic_version_and_byte_order_are_refused(void **state)
{
    (void)state;
    size_t n;
    uint8_t *bytes = good(&n);
    bytes[0] = 'X';
    refused(bytes, n, "not a GGUF file: it begins with the bytes 58 47 55 46");
    bytes = good(&n);
    bytes[4] = 1;
    refused(bytes, n, "GGUF version 1; versions 2 and 3 are supported");
    bytes = good(&n);
    memcpy(bytes + 4, "\0\0\0\3", 4);
    refused(bytes, n, "a big-endian GGUF file");
}

static void huge_counts_are_refused(void **state)
{
    (void)state;
    size_t n;
    uint8_t *bytes = good(&n);
    memset(bytes + 8, 0xff, 8);
    refused(bytes, n, "announces 18,446,744,073,709,551,615 tensors");
    bytes = good(&n);
    memset(bytes + 16, 0x7f, 8);
    refused(bytes, n, "more than");
    struct gguf_builder b;
    builder_init(&b);
    builder_array(&b, "big", GB_F32, UINT64_MAX / 2);
    bytes = builder_finish(&b, &n);
    refused(bytes, n, "truncated: the value of 'big'");
    builder_init(&b);
    builder_array(&b, "big", GB_STR, UINT64_MAX / 8);
    bytes = builder_finish(&b, &n);
    refused(bytes, n, "truncated: the array 'big'");
    builder_init(&b);
    builder_key(&b, "text", GB_STR);
    px_buf_u64(&b.keys, UINT64_MAX - 3);
    bytes = builder_finish(&b, &n);
    refused(bytes, n, "truncated: the value of 'text'");
}

static void keys_must_be_named_once_and_have_a_type(void **state)
{
    (void)state;
    struct gguf_builder b;
    size_t n;
    builder_init(&b);
    builder_u32(&b, "twice", 1);
    builder_u32(&b, "other", 1);
    builder_u32(&b, "twice", 2);
    uint8_t *bytes = builder_finish(&b, &n);
    refused(bytes, n, "the key 'twice' appears twice");
    builder_init(&b);
    builder_u32(&b, "", 1);
    bytes = builder_finish(&b, &n);
    refused(bytes, n, "key 1 of 1 has no proper name");
    builder_init(&b);
    builder_key(&b, "odd", 13);
    bytes = builder_finish(&b, &n);
    refused(bytes, n, "key 'odd' has the unknown value type 13");
    builder_init(&b);
    builder_array(&b, "nested", GB_ARR, 1);
    bytes = builder_finish(&b, &n);
    refused(bytes, n, "key 'nested' is an array of arrays");
    builder_init(&b);
    builder_key(&b, "flag", GB_BOOL);
    px_buf_u8(&b.keys, 2);
    bytes = builder_finish(&b, &n);
    refused(bytes, n, "key 'flag' holds 2");
    builder_init(&b);
    builder_u32(&b, "general.alignment", 48);
    bytes = builder_finish(&b, &n);
    refused(bytes, n, "general.alignment is 48; expected a power of two");
}

static void tensors_must_make_sense(void **state)
{
    (void)state;
    struct gguf_builder b;
    size_t n;
    builder_init(&b);
    builder_tensor(&b, "w", GGML_F32, 4, 0, NULL, 16);
    builder_tensor(&b, "w", GGML_F32, 4, 0, NULL, 16);
    uint8_t *bytes = builder_finish(&b, &n);
    refused(bytes, n, "the tensor w appears twice");
    builder_init(&b);
    builder_tensor(&b, "w", 17, 256, 0, NULL, 16);
    bytes = builder_finish(&b, &n);
    refused(bytes, n, "tensor w has ggml type 17, which this build does not know; known are F32");
    builder_init(&b);
    builder_tensor(&b, "w", GGML_Q4_K, 128, 0, NULL, 144);
    bytes = builder_finish(&b, &n);
    refused(bytes, n, "a row of 128 values is not a whole number of Q4_K blocks of 256");
    builder_init(&b);
    builder_tensor(&b, "w", GGML_F32, UINT64_MAX / 2, 8, NULL, 16);
    bytes = builder_finish(&b, &n);
    refused(bytes, n, "multiply to more than 2^60 values");
    builder_init(&b);
    builder_tensor(&b, "w", GGML_F32, 0, 0, NULL, 16);
    bytes = builder_finish(&b, &n);
    refused(bytes, n, "tensor w: dimension 0 is 0");
    builder_init(&b);
    builder_tensor(&b, "a", GGML_F32, 32, 0, NULL, 32);
    builder_tensor(&b, "b", GGML_F32, 8, 0, NULL, 32);
    builder_tensor(&b, "c", GGML_F32, 32, 0, NULL, 128);
    bytes = builder_finish(&b, &n);
    refused(bytes, n, "inside tensor a");
}

static void files_are_opened_or_refused_by_name(void **state)
{
    (void)state;
    struct px_err err = {0};
    assert_null(gguf_open("/nonexistent/x.gguf", &err));
    assert_non_null(strstr(err.text, "cannot open model /nonexistent/x.gguf"));
    assert_int_equal(err.code, PX_EMISSING);
    assert_null(gguf_open("/", &err));
    assert_non_null(strstr(err.text, "not a regular file"));
}

static void reference_models_open(void **state)
{
    (void)state;
    REFERENCE_OR_SKIP(path, "reference/models/rand-qwen2-fullvocab-Q8_0.gguf");
    struct px_err err = {0};
    struct gguf *g = gguf_open(path, &err);
    if (!g)
        fail_msg("%s", err.text);
    const char *s;
    size_t len;
    uint64_t n;
    assert_int_equal(gguf_get_array(g, "tokenizer.ggml.tokens", &n, &err), 0);
    assert_int_equal(n, 151936);
    assert_int_equal(gguf_array_str(g, "tokenizer.ggml.tokens", 151645, &s, &len, &err), 0);
    assert_memory_equal(s, "<|im_end|>", 10);
    assert_int_equal(gguf_tensor_find(g, "token_embd.weight")->dims[1], 151936);
    gguf_free(&g);
}

/* ---- the configuration ---- */

static int read_config(const struct tiny_options *o, struct model_config *c, struct px_err *err)
{
    size_t n;
    uint8_t *bytes = tiny_model(o, &n);
    struct gguf *g = gguf_from_memory(bytes, n, "x.gguf", err);
    int rc = g ? model_config_read(g, c, err) : -1;
    gguf_free(&g);
    free(bytes);
    return rc;
}

static void config_refused(const struct tiny_options *o, const char *words)
{
    struct px_err err = {0};
    struct model_config c;
    assert_int_equal(read_config(o, &c, &err), -1);
    if (!strstr(err.text, words))
        fail_msg("expected '%s' in: %s", words, err.text);
}

static void each_architecture_is_read(void **state)
{
    (void)state;
    struct px_err err = {0};
    struct model_config c;
    static const char *const archs[] = {"llama", "qwen2", "qwen3"};
    for (int i = 0; i < 3; i++) {
        struct tiny_options o = {.arch = archs[i], .tied = i == 1};
        if (read_config(&o, &c, &err) != 0)
            fail_msg("%s", err.text);
        assert_string_equal(c.arch_name, archs[i]);
        assert_int_equal(c.n_layers, TINY_LAYERS);
        assert_int_equal(c.head_dim, TINY_DIM);
        assert_int_equal(c.n_vocab, TINY_VOCAB);
        assert_int_equal(c.tied_embeddings, i == 1);
        assert_int_equal(c.qkv_bias, i == 1);
        assert_int_equal(c.qk_norm, i == 2);
        assert_int_equal(c.rope_interleaved, i == 0);
        assert_int_equal(model_kv_bytes_per_token(&c, KV_F16), 2 * 2 * TINY_LAYERS * TINY_DIM);
    }
}

static void head_dim_is_derived_only_when_absent(void **state)
{
    (void)state;
    struct px_err err = {0};
    struct model_config c;
    struct tiny_options o = {.skip_key = "attention.key_length"};
    assert_int_equal(read_config(&o, &c, &err), 0);
    assert_int_equal(c.head_dim, TINY_EMBD / TINY_HEADS);
}

static void wrong_configurations_are_refused(void **state)
{
    (void)state;
    config_refused(&(struct tiny_options){.arch = "gemma2"},
                   "unknown architecture 'gemma2'; supported are llama, qwen2, qwen3");
    config_refused(&(struct tiny_options){.skip_key = "block_count"},
                   "the key llama.block_count is missing");
    config_refused(&(struct tiny_options){.skip_tensor = "blk.1.ffn_up.weight"},
                   "the tensor blk.1.ffn_up.weight ([32 x 64]) is missing");
    config_refused(&(struct tiny_options){.wide_tensor = "blk.0.attn_k.weight"},
                   "the tensor blk.0.attn_k.weight is [32 x 32], but the configuration asks for "
                   "[32 x 16]");
    config_refused(&(struct tiny_options){.extra_tensor = "blk.2.attn_norm.weight"},
                   "1 tensor that a llama model of 2 layers does not have would be ignored: "
                   "blk.2.attn_norm.weight");
    config_refused(&(struct tiny_options){.arch = "qwen2", .skip_tensor = "blk.0.attn_q.bias"},
                   "the tensor blk.0.attn_q.bias ([32]) is missing");
    config_refused(&(struct tiny_options){.wide_tensor = "token_embd.weight"},
                   "the vocabulary has 264 entries, but token_embd.weight has 528 rows");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_good_file_is_read_back),
        cmocka_unit_test(getters_name_the_key_and_the_types),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(a_tensor_past_the_end_is_named_with_figures),
        cmocka_unit_test(wrong_magic_version_and_byte_order_are_refused),
        cmocka_unit_test(huge_counts_are_refused),
        cmocka_unit_test(keys_must_be_named_once_and_have_a_type),
        cmocka_unit_test(tensors_must_make_sense),
        cmocka_unit_test(files_are_opened_or_refused_by_name),
        cmocka_unit_test(reference_models_open),
        cmocka_unit_test(each_architecture_is_read),
        cmocka_unit_test(head_dim_is_derived_only_when_absent),
        cmocka_unit_test(wrong_configurations_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
