/* The image of a vocabulary: the same answers as from the file, at any address, and damage refused
 * with words that say what is wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "proto/model/gguf_internal.h"
#include "proto/model/imported.h"
#include "proto/model/tokenizer.h"
#include "proto/model/tokenizer_internal.h"
#include "tests/unit/proto/gguf_builder.h"

struct image {
    uint8_t *bytes; /* owned */
    size_t n;
};

static struct image make_image(const char *pre)
{
    struct px_err err = {0};
    struct px_buf b;
    struct image im;
    size_t n;
    uint8_t *bytes = tiny_model(&(struct tiny_options){.micro = true, .pre = pre}, &n);
    struct gguf *g = gguf_from_memory(bytes, n, "x.gguf", &err);
    px_buf_init(&b, 1 << 20);
    if (!g || tokenizer_image_build(g, &b, &err) != 0)
        fail_msg("%s", err.text);
    gguf_free(&g);
    free(bytes);
    im.bytes = (uint8_t *)px_buf_steal(&b, &im.n);
    return im;
}

static struct vocabulary_header *header(struct image *im)
{
    return (struct vocabulary_header *)im->bytes;
}

static struct vocabulary_layout layout(struct image *im)
{
    struct vocabulary_layout l;
    vocabulary_place(header(im), &l);
    return l;
}

static uint32_t *words(struct image *im, uint64_t at)
{
    return (uint32_t *)(im->bytes + at);
}

static void expect_ids(const struct tokenizer *t, const char *text, const uint32_t *want, size_t n)
{
    struct px_err err = {0};
    uint32_t *ids;
    size_t got;
    assert_int_equal(tokenizer_encode(t, text, strlen(text), TOK_PARSE_SPECIAL, &ids, &got, &err),
                     0);
    assert_int_equal(got, n);
    assert_memory_equal(ids, want, n * sizeof *ids);
    free(ids);
}

static void an_image_works_wherever_it_lies(void **state)
{
    (void)state;
    static const uint32_t want[] = {'a', TINY_BYTES + 2, TINY_BYTES + 6};
    struct image im = make_image("qwen2");
    uint8_t *room = px_xmalloc(im.n + 64);
    for (size_t shift = 0; shift <= 56; shift += 8) {
        struct px_err err = {0};
        memcpy(room + shift, im.bytes, im.n);
        struct tokenizer *t = tokenizer_from_image(room + shift, im.n, "x", &err);
        if (!t)
            fail_msg("%s", err.text);
        expect_ids(t, "a the<|im_end|>", want, 3);
        assert_string_equal(tokenizer_family(t), "bpe:qwen2");
        assert_int_equal(tokenizer_n_vocab(t), TINY_VOCAB);
        assert_int_equal(tokenizer_find(t, "<tool>", 6), TINY_BYTES + 7);
        tokenizer_free(&t);
    }
    free(room);
    free(im.bytes);
}

static void the_same_file_gives_the_same_bytes(void **state)
{
    (void)state;
    struct image a = make_image("gpt-2"), b = make_image("gpt-2"), c = make_image("qwen2");
    assert_int_equal(a.n, b.n);
    assert_memory_equal(a.bytes, b.bytes, a.n);
    assert_int_equal(a.n, c.n);
    assert_memory_not_equal(a.bytes, c.bytes, a.n);
    free(a.bytes);
    free(b.bytes);
    free(c.bytes);
}

static void refused(const void *p, size_t n, const char *words)
{
    struct px_err err = {0};
    assert_null(tokenizer_from_image(p, n, "x.gguf", &err));
    if (!strstr(err.text, words))
        fail_msg("expected '%s' in: %s", words, err.text);
    assert_non_null(strstr(err.text, "cannot use the tokenizer of x.gguf: the vocabulary"));
}

/* Refused as it is now; then the bytes are put back. */
static void spoiled(struct image *im, const struct image *good, const char *words)
{
    refused(im->bytes, im->n, words);
    memcpy(im->bytes, good->bytes, im->n);
}

static void cut_images_are_refused(void **state)
{
    (void)state;
    struct image im = make_image("qwen2");
    for (size_t n = 0; n < im.n; n += n < 1300 ? 1 : 61) {
        PX_FREE uint8_t *copy = (uint8_t *)px_xmemdup(im.bytes, n);
        refused(copy, n, "truncated");
    }
    PX_FREE uint8_t *longer = px_xcalloc(1, im.n + 64);
    memcpy(longer, im.bytes, im.n);
    refused(longer, im.n + 64, "its header says");
    memmove(longer + 4, longer, im.n);
    refused(longer + 4, im.n, "multiple of 8");
    free(im.bytes);
}

static void damaged_headers_are_refused(void **state)
{
    (void)state;
    struct image im = make_image("qwen2"), good = make_image("qwen2");
    struct vocabulary_header *h = header(&im);
    h->magic[0] = 'Q';
    spoiled(&im, &good, "does not begin like a vocabulary");
    h->version++;
    spoiled(&im, &good, "version 2, this build reads version 1: import the model again");
    h->n_vocab = 0;
    h->bos = h->eos = h->unknown = -1;
    memset(h->byte_id, 0xff, sizeof h->byte_id);
    spoiled(&im, &good, "0 entries of at most");
    h->n_vocab = UINT32_MAX;
    spoiled(&im, &good, "4294967295 entries");
    h->n_slots--;
    spoiled(&im, &good, "tables of 511, 0 and 8 places");
    h->n_slots = TINY_VOCAB / 2;
    spoiled(&im, &good, "do not go with 264 entries");
    h->n_merge_slots = 4;
    spoiled(&im, &good, "512, 0 and 4 places");
    h->n_merges = 1u << 31;
    spoiled(&im, &good, "2147483648 merges");
    h->n_special += 16;
    spoiled(&im, &good, "its parts take");
    h->add_eos = 2;
    spoiled(&im, &good, "flag 5 is 2");
    h->add_bos = 1; /* and no BOS */
    spoiled(&im, &good, "a special token or a byte's token");
    h->byte_id[7] = TINY_VOCAB;
    spoiled(&im, &good, "is not one of the 264 entries");
    h->is_spm = 1;
    spoiled(&im, &good, "its header is damaged");
    memset(h->pre, 'q', sizeof h->pre);
    struct px_err err = {0};
    assert_null(tokenizer_from_image(im.bytes, im.n, "x.gguf", &err));
    assert_non_null(strstr(err.text, "unknown pre-tokenizer 'qqqq"));
    free(im.bytes);
    free(good.bytes);
}

static void damaged_tables_are_refused(void **state)
{
    (void)state;
    struct image im = make_image("qwen2"), good = make_image("qwen2");
    const struct vocabulary_layout l = layout(&im);
    words(&im, l.offset)[3] = words(&im, l.offset)[2]; /* an empty entry */
    spoiled(&im, &good, "places of its entries");
    words(&im, l.offset)[3] = UINT32_MAX;
    spoiled(&im, &good, "places of its entries");
    words(&im, l.offset)[TINY_VOCAB]++;
    spoiled(&im, &good, "places of its entries");
    header(&im)->max_len++;
    spoiled(&im, &good, "places of its entries");
    words(&im, l.slots)[5] = TINY_VOCAB + 1;
    spoiled(&im, &good, "its table of entries names number 265 of 264");
    words(&im, l.slots)[5] = 1u << VOCABULARY_ID_BITS;
    spoiled(&im, &good, "its table of entries");
    for (uint32_t i = 0; i < header(&im)->n_slots; i++)
        words(&im, l.slots)[i] = 1; /* no empty one: a search would not end */
    spoiled(&im, &good, "its table of entries");
    words(&im, l.merge_slots)[0] = 5;
    spoiled(&im, &good, "its table of merges names number 5 of 4");
    words(&im, l.merges)[11] = TINY_VOCAB;
    spoiled(&im, &good, "its merges name entry 264, but there are 264");
    words(&im, l.stops)[0] = UINT32_MAX;
    spoiled(&im, &good, "its stop tokens name entry 4294967295");
    words(&im, l.special)[1] = TINY_VOCAB;
    spoiled(&im, &good, "its special tokens name entry 264");
    free(im.bytes);
    free(good.bytes);
}

/* ---- in an imported file ---- */

/* The head of an imported file is covered by a checksum that stands in its last tensor. */
static void seal(uint8_t *file, uint64_t infos_end, uint64_t n_tensors, uint8_t *sums)
{
    struct px_digest d = imported_head_digest(file, infos_end, sums + PX_DIGEST_SIZE,
                                              (n_tensors - 1) * PX_DIGEST_SIZE);
    memcpy(sums, d.b, PX_DIGEST_SIZE);
}

/* An imported file of an embedding with `rows` rows and a vocabulary; owned. */
static uint8_t *imported_file(const struct image *im, uint32_t type, uint64_t rows, size_t *n)
{
    enum { TENSORS = 3, SUMS = TENSORS * PX_DIGEST_SIZE };
    struct gguf_builder b;
    builder_init(&b);
    b.align = IMPORTED_ALIGN;
    builder_u32(&b, "general.alignment", b.align);
    builder_u32(&b, "proctor.layout", IMPORTED_VERSION);
    builder_str(&b, "proctor.source_sha256",
                "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef");
    builder_u32(&b, "proctor.source_size", 12345);
    builder_array(&b, "proctor.panels", GB_BOOL, TENSORS);
    for (int i = 0; i < TENSORS; i++)
        px_buf_u8(&b.keys, 0);
    builder_tensor(&b, "token_embd.weight", GGML_F32, 1, rows, NULL, 4 * rows);
    builder_tensor(&b, IMPORTED_VOCABULARY, type, type == GGML_I8 ? im->n : im->n / 4, 0, im->bytes,
                   im->n);
    builder_tensor(&b, IMPORTED_CHECKSUMS, GGML_I8, SUMS, 0, NULL, SUMS);
    uint64_t sums = b.data.len - (SUMS + b.align - 1) / b.align * b.align;
    uint64_t infos_end = 24 + b.keys.len + b.infos.len;
    uint8_t *file = builder_finish(&b, n);
    uint64_t data = (infos_end + IMPORTED_ALIGN - 1) / IMPORTED_ALIGN * IMPORTED_ALIGN;
    seal(file, infos_end, TENSORS, file + data + sums);
    return file;
}

static void an_imported_file_is_used_where_it_lies(void **state)
{
    (void)state;
    static const uint32_t want[] = {TINY_BYTES + 2, TINY_BYTES + 6};
    struct image im = make_image("qwen2");
    struct px_err err = {0};
    size_t n, len;
    PX_FREE uint8_t *file = imported_file(&im, GGML_I8, TINY_VOCAB, &n);
    struct gguf *g = gguf_from_memory(file, n, "x.gguf", &err);
    struct tokenizer *t = g ? tokenizer_new(g, &err) : NULL;
    if (!t)
        fail_msg("%s", err.text);
    expect_ids(t, " the<|im_end|>", want, 2);
    const char *text = tokenizer_text(t, TINY_BYTES + 7, &len);
    assert_true(text > (char *)file && text < (char *)file + n);
    tokenizer_free(&t);
    gguf_free(&g);
    free(im.bytes);
}

static void imported_refused(struct image *im, uint32_t type, uint64_t rows, const char *words)
{
    struct px_err err = {0};
    size_t n;
    PX_FREE uint8_t *file = imported_file(im, type, rows, &n);
    struct gguf *g = gguf_from_memory(file, n, "x.gguf", &err);
    if (!g)
        fail_msg("%s", err.text);
    assert_null(tokenizer_new(g, &err));
    if (!strstr(err.text, words))
        fail_msg("expected '%s' in: %s", words, err.text);
    gguf_free(&g);
}

static void vocabularies_that_do_not_fit_their_file_are_refused(void **state)
{
    (void)state;
    struct image im = make_image("qwen2");
    imported_refused(&im, GGML_I8, TINY_VOCAB - 1,
                     "the vocabulary has 264 entries, but token_embd.weight has 263 rows");
    imported_refused(&im, GGML_F32, TINY_VOCAB, "proctor.vocabulary is no list of bytes");
    im.bytes[0] = 'Q';
    imported_refused(&im, GGML_I8, TINY_VOCAB, "does not begin like a vocabulary");
    free(im.bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_image_works_wherever_it_lies),
        cmocka_unit_test(the_same_file_gives_the_same_bytes),
        cmocka_unit_test(cut_images_are_refused),
        cmocka_unit_test(damaged_headers_are_refused),
        cmocka_unit_test(damaged_tables_are_refused),
        cmocka_unit_test(an_imported_file_is_used_where_it_lies),
        cmocka_unit_test(vocabularies_that_do_not_fit_their_file_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
