/* Token ids and texts equal the reference's, string by string, for every vocabulary there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "proto/model/tokenizer.h"
#include "tests/unit/proto/reference.h"

struct vocabulary {
    struct gguf *gguf;
    struct px_buf image;
    struct tokenizer *tokenizer;
};

/* From the file's metadata, or from an image of it as an imported file holds one. */
static void open_vocabulary(const char *path, bool imported, struct vocabulary *v)
{
    struct px_err err = {0};
    px_buf_init(&v->image, 1 << 30);
    v->gguf = gguf_open(path, &err);
    if (!v->gguf || (imported && tokenizer_image_build(v->gguf, &v->image, &err) != 0))
        fail_msg("%s", err.text);
    if (imported)
        gguf_free(&v->gguf);
    v->tokenizer = imported ? tokenizer_from_image(v->image.data, v->image.len, path, &err)
                            : tokenizer_new(v->gguf, &err);
    if (!v->tokenizer)
        fail_msg("%s", err.text);
}

static void close_vocabulary(struct vocabulary *v)
{
    tokenizer_free(&v->tokenizer);
    gguf_free(&v->gguf);
    px_buf_clear(&v->image);
}

static void show_ids(const char *what, const uint32_t *ids, size_t n)
{
    printf("  %s:", what);
    for (size_t i = 0; i < n; i++)
        printf(" %u", ids[i]);
    printf("\n");
}

/* Encodes and compares; returns the number of differences (0 or 1). */
static int compare(const struct tokenizer *t, const char *text, size_t len, unsigned flags,
                   const uint32_t *want, size_t n_want)
{
    struct px_err err = {0};
    uint32_t *ids;
    size_t n;
    if (tokenizer_encode(t, text, len, flags, &ids, &n, &err) != 0)
        fail_msg("%s", err.text);
    int differs = n != n_want || memcmp(ids, want, n * sizeof *ids) != 0;
    if (differs) {
        printf("'%.*s' flags %u\n", (int)len, text, flags);
        show_ids("got ", ids, n);
        show_ids("want", want, n_want);
    }
    free(ids);
    return differs;
}

static uint32_t *ids_of(struct json_object *array, size_t *n)
{
    *n = json_object_array_length(array);
    uint32_t *ids = px_xmalloc((*n + 1) * sizeof *ids);
    for (size_t i = 0; i < *n; i++)
        ids[i] = (uint32_t)json_object_get_int64(json_object_array_get_idx(array, i));
    return ids;
}

static char *unhex(const char *hex, size_t *n)
{
    *n = strlen(hex) / 2;
    char *out = px_xmalloc(*n + 1);
    for (size_t i = 0; i < *n; i++) {
        unsigned byte;
        assert_int_equal(sscanf(hex + 2 * i, "%2x", &byte), 1);
        out[i] = (char)byte;
    }
    return out;
}

static int compare_text(const struct tokenizer *t, const uint32_t *ids, size_t n, bool special,
                        const char *want, size_t n_want)
{
    struct px_buf b;
    px_buf_init(&b, 1 << 20);
    tokenizer_decode(t, ids, n, special, &b);
    int differs = b.len != n_want || (n_want && memcmp(b.data, want, n_want) != 0);
    if (differs)
        printf("decoded '%.*s'\nwanted  '%.*s'\n", (int)b.len, b.data ? (char *)b.data : "",
               (int)n_want, want);
    px_buf_clear(&b);
    return differs;
}

static int check_decoding(const struct tokenizer *t, struct json_object *o, const char *text,
                          size_t len)
{
    size_t n, n_all, n_hex;
    PX_FREE uint32_t *plain = ids_of(json_object_object_get(o, "plain"), &n);
    PX_FREE uint32_t *all = ids_of(json_object_object_get(o, "add_and_parse_special"), &n_all);
    const char *hex = px_json_str_or(o, "plain_detok_hex", NULL);
    PX_FREE char *want = hex ? unhex(hex, &n_hex) : px_xmemdup(text, n_hex = len);
    int bad = compare_text(t, plain, n, false, want, n_hex);
    hex = px_json_str_or(o, "special_detok_hex", NULL);
    PX_FREE char *shown = hex ? unhex(hex, &n_hex) : NULL;
    if (shown)
        bad += compare_text(t, all, n_all, true, shown, n_hex);
    hex = px_json_str_or(o, "special_detok_hidden_hex", NULL);
    PX_FREE char *hidden = hex ? unhex(hex, &n_hex) : NULL;
    if (hidden)
        bad += compare_text(t, all, n_all, false, hidden, n_hex);
    return bad;
}

static int compare_with_golden(const struct tokenizer *t, struct json_object *all)
{
    static const struct {
        const char *key;
        unsigned flags;
    } ways[] = {{"plain", 0},
                {"add_special", TOK_ADD_SPECIAL},
                {"add_and_parse_special", TOK_ADD_SPECIAL | TOK_PARSE_SPECIAL}};
    int bad = 0;
    for (size_t i = 0; i < json_object_array_length(all); i++) {
        struct json_object *o = json_object_array_get_idx(all, i);
        struct json_object *text = json_object_object_get(o, "text");
        const char *s = json_object_get_string(text);
        size_t len = (size_t)json_object_get_string_len(text);
        for (size_t w = 0; w < 3; w++) {
            size_t n;
            PX_FREE uint32_t *want = ids_of(json_object_object_get(o, ways[w].key), &n);
            bad += compare(t, s, len, ways[w].flags, want, n);
        }
        bad += check_decoding(t, o, s, len);
    }
    return bad;
}

static void check_golden(const char *golden, const char *model)
{
    REFERENCE_OR_SKIP(golden_path, golden);
    REFERENCE_OR_SKIP(model_path, model);
    struct json_object *all = reference_json(golden_path);
    int bad = 0;
    assert_true(json_object_array_length(all) > 100);
    for (int imported = 0; imported < 2; imported++) {
        struct vocabulary v;
        open_vocabulary(model_path, imported, &v);
        bad += compare_with_golden(v.tokenizer, all);
        close_vocabulary(&v);
    }
    json_object_put(all);
    assert_int_equal(bad, 0);
}

/* llama.cpp's own vectors: texts separated by a line, ids a line each. */
static void check_vectors(const char *name, const char *model)
{
    char in_name[128], out_name[128];
    snprintf(in_name, sizeof in_name, "reference/goldens/tokenizer/ggml-vocab-%s.gguf.inp", name);
    snprintf(out_name, sizeof out_name, "reference/goldens/tokenizer/ggml-vocab-%s.gguf.out", name);
    REFERENCE_OR_SKIP(in_path, in_name);
    REFERENCE_OR_SKIP(out_path, out_name);
    REFERENCE_OR_SKIP(model_path, model);
    static const char separator[] = "\n__ggml_vocab_test__\n";
    char *in, *out;
    size_t n_in, n_out;
    struct px_err err = {0};
    struct vocabulary v;
    open_vocabulary(model_path, false, &v);
    assert_int_equal(px_read_file(in_path, 1 << 20, &in, &n_in, &err), 0);
    assert_int_equal(px_read_file(out_path, 1 << 20, &out, &n_out, &err), 0);
    int bad = 0, n_texts = 0;
    char *line = out;
    for (char *text = in, *next; text && line; text = next) {
        next = strstr(text, separator);
        size_t len = next ? (size_t)(next - text) : strlen(text);
        uint32_t want[2000];
        size_t n = 0;
        char *newline = strchr(line, '\n'), *end = line;
        for (unsigned long id; (id = strtoul(line, &end, 10)), end != line && n < 2000;
             line = end) {
            if (newline && end > newline)
                break;
            want[n++] = (uint32_t)id;
        }
        bad += compare(v.tokenizer, text, len, 0, want, n);
        n_texts++;
        line = newline ? newline + 1 : NULL;
        next = next ? next + strlen(separator) : NULL;
    }
    free(in);
    free(out);
    close_vocabulary(&v);
    assert_true(n_texts > 30);
    assert_int_equal(bad, 0);
}

#define FULL "reference/models/rand-qwen2-fullvocab-Q8_0.gguf"
#define GOLDEN(name, file, model)                                                                  \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        check_golden("reference/goldens/tokenizer/" file ".json", "reference/models/" model);      \
    }
#define VECTORS(name, file, model)                                                                 \
    static void name(void **state)                                                                 \
    {                                                                                              \
        (void)state;                                                                               \
        check_vectors(file, model);                                                                \
    }

GOLDEN(qwen2_equals_the_goldens, "qwen2", "rand-qwen2-fullvocab-Q8_0.gguf")
GOLDEN(small_bpe_equals_the_goldens, "small-bpe-1024", "rand-qwen2-tied-Q8_0.gguf")
GOLDEN(stories_equals_the_goldens, "stories260k-spm512", "stories260K-F32.gguf")
GOLDEN(llama_spm_equals_the_goldens, "llama-spm", "ggml-vocab-llama-spm.gguf")
GOLDEN(phi3_equals_the_goldens, "phi-3", "ggml-vocab-phi-3.gguf")
GOLDEN(gpt2_equals_the_goldens, "gpt-2", "ggml-vocab-gpt-2.gguf")
GOLDEN(deepseek_coder_equals_the_goldens, "deepseek-coder", "ggml-vocab-deepseek-coder.gguf")
VECTORS(qwen2_equals_the_vectors, "qwen2", FULL)
VECTORS(llama_spm_equals_the_vectors, "llama-spm", "reference/models/ggml-vocab-llama-spm.gguf")
VECTORS(phi3_equals_the_vectors, "phi-3", "reference/models/ggml-vocab-phi-3.gguf")
VECTORS(gpt2_equals_the_vectors, "gpt-2", "reference/models/ggml-vocab-gpt-2.gguf")
VECTORS(deepseek_coder_equals_the_vectors, "deepseek-coder",
        "reference/models/ggml-vocab-deepseek-coder.gguf")

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(qwen2_equals_the_goldens),
        cmocka_unit_test(small_bpe_equals_the_goldens),
        cmocka_unit_test(stories_equals_the_goldens),
        cmocka_unit_test(llama_spm_equals_the_goldens),
        cmocka_unit_test(phi3_equals_the_goldens),
        cmocka_unit_test(gpt2_equals_the_goldens),
        cmocka_unit_test(deepseek_coder_equals_the_goldens),
        cmocka_unit_test(qwen2_equals_the_vectors),
        cmocka_unit_test(llama_spm_equals_the_vectors),
        cmocka_unit_test(phi3_equals_the_vectors),
        cmocka_unit_test(gpt2_equals_the_vectors),
        cmocka_unit_test(deepseek_coder_equals_the_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
