/* tokenizer_build.c - the image of a vocabulary from a GGUF file's tokenizer.ggml.* metadata.
 *
 * The header is planned from the counts first, so that the block is allocated once; only the lists
 * of stop tokens and special entries, whose lengths come out last, are put behind it. */
#include "proto/model/tokenizer_build.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "proto/model/gguf_internal.h"
#include "proto/model/imported.h"

enum { BLOCK = 32, EMPTY_NAME = 24 };

static void bind(struct vocabulary_maker *m)
{
    struct vocabulary_layout l;
    vocabulary_bind(&m->t, m->block);
    vocabulary_place(m->t.h, &l);
    m->h = (struct vocabulary_header *)m->block;
    m->offset = (uint32_t *)(m->block + l.offset);
    m->attr = m->block + l.attr;
    m->text = (char *)(m->block + l.text);
    m->slots = (uint32_t *)(m->block + l.slots);
    m->score = (float *)(void *)(m->block + l.score);
    m->merges = (struct bpe_merge *)(m->block + l.merges);
    m->merge_slots = (uint32_t *)(m->block + l.merge_slots);
    m->stops = (uint32_t *)(m->block + l.stops);
    m->special = (uint32_t *)(m->block + l.special);
}

void maker_fit(struct vocabulary_maker *m)
{
    struct vocabulary_layout l;
    uint64_t had = m->h->bytes;
    vocabulary_place(m->h, &l);
    m->h->bytes = l.bytes;
    m->block = px_xrealloc(m->block, (size_t)l.bytes);
    memset(m->block + had, 0, (size_t)(l.bytes - had));
    bind(m);
}

/* ---- the plan: everything that decides sizes ---- */

/* A power of two of which at most three quarters are taken. */
static uint32_t table_size(uint64_t entries)
{
    uint32_t size = 8;
    while (3 * (uint64_t)size < 4 * entries)
        size *= 2;
    return size;
}

/* An empty entry gets a name of its own, as in llama.cpp. */
static size_t name_empty(char out[EMPTY_NAME], uint32_t id)
{
    return (size_t)snprintf(out, EMPTY_NAME, "[EMPTY_%u]", id);
}

static int plan_entries(const struct gguf *g, struct vocabulary_header *h, struct px_err *err)
{
    const struct gguf_key *k = gguf_need_array(g, "tokenizer.ggml.tokens", err);
    char empty[EMPTY_NAME];
    uint64_t total = 0;
    const char *s;
    size_t n;
    if (!k)
        return -1;
    if (k->count == 0 || k->count > VOCABULARY_MAX)
        return px_fail(err, PX_ELIMIT, "the vocabulary has %llu entries, expected 1 to %d",
                       (unsigned long long)k->count, VOCABULARY_MAX);
    h->n_vocab = (uint32_t)k->count;
    for (uint32_t i = 0; i < h->n_vocab; i++) {
        if (gguf_element_str(g, k, i, &s, &n, err) != 0)
            return -1;
        if (n > VOCABULARY_MAX_ENTRY)
            return px_fail(err, PX_ELIMIT, "the vocabulary's entry %u has %zu bytes, at most %d", i,
                           n, VOCABULARY_MAX_ENTRY);
        n = n ? n : name_empty(empty, i);
        total += n;
        h->max_len = n > h->max_len ? (uint32_t)n : h->max_len;
    }
    if (total > UINT32_MAX)
        return px_fail(err, PX_ELIMIT, "the vocabulary has %llu bytes of text",
                       (unsigned long long)total);
    h->text_bytes = (uint32_t)total;
    h->n_slots = table_size(h->n_vocab);
    return 0;
}

static int plan_bpe(const struct gguf *g, struct vocabulary_header *h, struct px_err *err)
{
    struct splitter_traits traits;
    const char *pre = "default";
    size_t len = strlen(pre);
    uint64_t n;
    if (gguf_has(g, "tokenizer.ggml.pre") &&
        gguf_get_str(g, "tokenizer.ggml.pre", &pre, &len, err) != 0)
        return -1;
    if (splitter_find(pre, len, &traits, err) != 0 ||
        gguf_get_array(g, "tokenizer.ggml.merges", &n, err) != 0)
        return -1;
    if (n > VOCABULARY_MAX_MERGES)
        return px_fail(err, PX_ELIMIT, "%llu merges, at most %d", (unsigned long long)n,
                       VOCABULARY_MAX_MERGES);
    px_assert(len < sizeof h->pre); /* one of our names */
    memcpy(h->pre, pre, len);
    h->ignore_merges = traits.ignore_merges;
    h->clean_spaces = traits.clean_spaces;
    h->add_bos = traits.add_bos;
    h->bos = h->eos = h->unknown = -1;
    h->n_merges = (uint32_t)n;
    h->n_merge_slots = table_size(n);
    return 0;
}

/* SentencePiece's own order of special tokens, unless the file says otherwise. */
static void plan_spm(struct vocabulary_header *h)
{
    h->is_spm = 1;
    h->add_space_prefix = 1;
    h->add_bos = 1;
    h->unknown = 0;
    h->bos = h->n_vocab > 1 ? 1 : -1;
    h->eos = h->n_vocab > 2 ? 2 : -1;
    h->n_scores = h->n_vocab;
}

static int plan(const struct gguf *g, struct vocabulary_header *h, struct px_err *err)
{
    const char *model;
    size_t len;
    if (gguf_get_str(g, "tokenizer.ggml.model", &model, &len, err) != 0)
        return -1;
    bool is_spm = len == 5 && memcmp(model, "llama", 5) == 0;
    if (!is_spm && (len != 4 || memcmp(model, "gpt2", 4) != 0))
        return px_fail(err, PX_EUNSUPPORTED,
                       "unknown tokenizer '%.*s'; supported are gpt2 (byte-level BPE) and llama "
                       "(SentencePiece)",
                       (int)(len > 60 ? 60 : len), model);
    memcpy(h->magic, VOCABULARY_MAGIC, sizeof h->magic);
    h->version = VOCABULARY_VERSION;
    if (plan_entries(g, h, err) != 0)
        return -1;
    if (!is_spm)
        return plan_bpe(g, h, err);
    plan_spm(h);
    return 0;
}

/* ---- entries ---- */

static int insert_entry(struct vocabulary_maker *m, uint32_t id, uint32_t hash, struct px_err *err)
{
    size_t n;
    const char *s = token_text(&m->t, id, &n);
    int32_t other = token_find_hashed(&m->t, s, n, hash);
    if (other >= 0)
        return px_fail(err, PX_EINPUT, "the vocabulary's entries %d and %u are both '%.*s'", other,
                       id, (int)(n > 60 ? 60 : n), s);
    uint32_t i = hash & m->t.slot_mask;
    while (m->slots[i] != 0)
        i = (i + 1) & m->t.slot_mask;
    m->slots[i] = token_slot(hash, id);
    return 0;
}

static uint32_t copy_entry(struct vocabulary_maker *m, const struct gguf_key *k, uint32_t i)
{
    char empty[EMPTY_NAME];
    size_t n;
    const char *s = gguf_string_at(m->g, k, i, &n);
    if (n == 0) {
        n = name_empty(empty, i);
        s = empty;
    }
    memcpy(m->text + m->offset[i], s, n);
    m->offset[i + 1] = m->offset[i] + (uint32_t)n;
    return token_hash(s, n);
}

/* In blocks, so that the table's memory is on its way while the next entries are copied. */
static int copy_entries(struct vocabulary_maker *m, struct px_err *err)
{
    const struct gguf_key *k = gguf_find_key(m->g, "tokenizer.ggml.tokens");
    uint32_t hashes[BLOCK], n_vocab = m->h->n_vocab;
    for (uint32_t start = 0; start < n_vocab; start += BLOCK) {
        uint32_t n = n_vocab - start < BLOCK ? n_vocab - start : BLOCK;
        for (uint32_t i = 0; i < n; i++) {
            hashes[i] = copy_entry(m, k, start + i);
            token_prefetch(&m->t, hashes[i]);
        }
        for (uint32_t i = 0; i < n; i++)
            if (insert_entry(m, start + i, hashes[i], err) != 0)
                return -1;
    }
    return 0;
}

static int copy_attributes(struct vocabulary_maker *m, struct px_err *err)
{
    /* as the file numbers them: undefined, normal, unknown, control, user-defined, unused, byte */
    static const uint8_t attrs[] = {
        0,         TOKEN_NORMAL, TOKEN_UNKNOWN, TOKEN_CONTROL, TOKEN_USER_DEFINED, TOKEN_UNUSED,
        TOKEN_BYTE};
    memset(m->attr, TOKEN_NORMAL, m->h->n_vocab);
    if (!gguf_has(m->g, "tokenizer.ggml.token_type"))
        return 0;
    const struct gguf_key *k = gguf_need_array(m->g, "tokenizer.ggml.token_type", err);
    if (!k)
        return -1;
    if (k->count < m->h->n_vocab)
        return px_fail(err, PX_EINPUT, "%u entries but only %llu token types", m->h->n_vocab,
                       (unsigned long long)k->count);
    for (uint32_t i = 0; i < m->h->n_vocab; i++) {
        int64_t v;
        if (gguf_element_i64(m->g, k, i, &v, err) != 0)
            return -1;
        m->attr[i] = v >= 0 && v < (int64_t)sizeof attrs ? attrs[v] : 0;
    }
    return 0;
}

/* ---- the families ---- */

static int copy_scores(struct vocabulary_maker *m, struct px_err *err)
{
    const struct gguf_key *k = gguf_need_array(m->g, "tokenizer.ggml.scores", err);
    if (!k)
        return -1;
    if (k->count < m->h->n_vocab)
        return px_fail(err, PX_EINPUT, "%u entries but only %llu scores", m->h->n_vocab,
                       (unsigned long long)k->count);
    for (uint32_t i = 0; i < m->h->n_vocab; i++) {
        double v;
        if (gguf_element_f64(m->g, k, i, &v, err) != 0)
            return -1;
        if (isnan(v))
            return px_fail(err, PX_EINPUT, "the score of entry %u is not a number", i);
        m->score[i] = (float)v;
    }
    return 0;
}

static void find_bytes(struct vocabulary_maker *m)
{
    for (unsigned b = 0; b < 256; b++) {
        char name[8], c = (char)b;
        if (!m->h->is_spm) {
            m->h->byte_id[b] = token_find(&m->t, name, bpe_put_code_point(name, bpe_stand_in(b)));
            continue;
        }
        snprintf(name, sizeof name, "<0x%02X>", b);
        m->h->byte_id[b] = token_find(&m->t, name, 6);
        if (m->h->byte_id[b] < 0)
            m->h->byte_id[b] = token_find(&m->t, &c, 1);
    }
}

static int fill(struct vocabulary_maker *m, struct px_err *err)
{
    if (copy_entries(m, err) != 0 || copy_attributes(m, err) != 0)
        return -1;
    find_bytes(m);
    if ((m->h->is_spm ? copy_scores(m, err) : maker_merges(m, err)) != 0)
        return -1;
    return maker_special(m, err);
}

/* The image in a block of its own (owned), NULL with err. */
static uint8_t *build(const struct gguf *g, size_t *n, struct px_err *err)
{
    struct vocabulary_header h = {0};
    struct vocabulary_layout l;
    if (plan(g, &h, err) != 0)
        return NULL;
    vocabulary_place(&h, &l);
    h.bytes = l.bytes;
    struct vocabulary_maker m = {.g = g, .block = px_xcalloc(1, (size_t)l.bytes)};
    memcpy(m.block, &h, sizeof h);
    bind(&m);
    if (fill(&m, err) != 0) {
        free(m.block);
        return NULL;
    }
    *n = (size_t)m.h->bytes;
    return m.block;
}

int tokenizer_image_build(const struct gguf *g, struct px_buf *out, struct px_err *err)
{
    size_t n;
    PX_FREE uint8_t *image = build(g, &n, err);
    if (!image)
        return px_wrap(err, "cannot use the tokenizer of %s", gguf_path(g));
    px_buf_put(out, image, n);
    return out->overflow ? px_fail(err, PX_ELIMIT,
                                   "the vocabulary of %s takes %zu bytes, more than are allowed",
                                   gguf_path(g), n)
                         : 0;
}

/* The vocabulary of an imported file lies in it as a tensor of bytes. */
static struct tokenizer *from_tensor(const struct gguf *g, const struct gguf_tensor *v,
                                     struct px_err *err)
{
    const struct gguf_tensor *embedding = gguf_tensor_find(g, "token_embd.weight");
    if (v->type != GGML_I8 || v->n_dims != 1) {
        px_fail(err, PX_EINPUT, "cannot use the tokenizer of %s: the tensor %s is no list of bytes",
                gguf_path(g), v->name);
        return NULL;
    }
    struct tokenizer *t = tokenizer_from_image(v->data, (size_t)v->bytes, gguf_path(g), err);
    if (t && embedding && embedding->dims[1] != t->h->n_vocab) {
        px_fail(err, PX_EINPUT,
                "%s: the vocabulary has %u entries, but token_embd.weight has %llu rows",
                gguf_path(g), t->h->n_vocab, (unsigned long long)embedding->dims[1]);
        tokenizer_free(&t);
    }
    return t;
}

struct tokenizer *tokenizer_new(const struct gguf *g, struct px_err *err)
{
    const struct gguf_tensor *v = gguf_tensor_find(g, IMPORTED_VOCABULARY);
    size_t n;
    if (v && gguf_is_own_tensor(g, v))
        return from_tensor(g, v, err);
    uint8_t *image = build(g, &n, err);
    if (!image) {
        px_wrap(err, "cannot use the tokenizer of %s", gguf_path(g));
        return NULL;
    }
    struct tokenizer *t = tokenizer_from_image(image, n, gguf_path(g), err);
    if (t)
        t->owned = image;
    else
        free(image);
    return t;
}
