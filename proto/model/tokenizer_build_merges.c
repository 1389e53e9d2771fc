/* tokenizer_build_merges.c - the merges of a byte-pair vocabulary as ids, and the table that finds
 * the rank of a pair. */
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "proto/model/gguf_internal.h"
#include "proto/model/tokenizer_build.h"

enum { BLOCK = 32 };

static void insert_merge(struct vocabulary_maker *v, uint32_t rank)
{
    const struct bpe_merge *m = &v->merges[rank];
    uint32_t i = bpe_hash_pair(m->left, m->right) & v->t.merge_mask;
    for (; v->merge_slots[i] != 0; i = (i + 1) & v->t.merge_mask) {
        const struct bpe_merge *other = &v->merges[v->merge_slots[i] - 1];
        if (other->left == m->left && other->right == m->right)
            return; /* the first one counts */
    }
    v->merge_slots[i] = rank + 1;
}

/* Entries usually stand in the order of the merges that make them. */
static int32_t find_near(const struct tokenizer *t, uint32_t guess, const char *s, size_t n)
{
    if (guess < t->h->n_vocab) {
        size_t len;
        const char *text = token_text(t, guess, &len);
        if (len == n && memcmp(text, s, n) == 0)
            return (int32_t)guess;
    }
    return token_find(t, s, n);
}

/* A merge on its way into the table. */
struct pending {
    const char *s;
    size_t n, left; /* bytes of the whole and of the part before the space */
    uint32_t hash_left, hash_right;
};

static int read_merge(const struct vocabulary_maker *m, const struct gguf_key *k, uint32_t rank,
                      struct pending *p, struct px_err *err)
{
    const struct tokenizer *t = &m->t;
    if (gguf_element_str(m->g, k, rank, &p->s, &p->n, err) != 0)
        return -1;
    const char *space = p->n > 1 ? memchr(p->s + 1, ' ', p->n - 1) : NULL;
    if (!space || p->n > 2 * (size_t)t->h->max_len + 1)
        return px_fail(err, PX_EINPUT, "merge %u ('%.*s') is not two entries and a space", rank,
                       (int)(p->n > 60 ? 60 : p->n), p->s);
    p->left = (size_t)(space - p->s);
    p->hash_left = token_hash(p->s, p->left);
    p->hash_right = token_hash(space + 1, p->n - p->left - 1);
    token_prefetch(t, p->hash_left);
    token_prefetch(t, p->hash_right);
    return 0;
}

static int resolve_merge(struct vocabulary_maker *m, uint32_t rank, const struct pending *p,
                         char *joined, uint32_t *guess, struct px_err *err)
{
    const struct tokenizer *t = &m->t;
    const char *right = p->s + p->left + 1;
    size_t n_right = p->n - p->left - 1;
    memcpy(joined, p->s, p->left);
    memcpy(joined + p->left, right, n_right);
    int32_t a = token_find_hashed(t, p->s, p->left, p->hash_left);
    int32_t b = token_find_hashed(t, right, n_right, p->hash_right);
    int32_t c = find_near(t, *guess, joined, p->n - 1);
    if (a < 0 || b < 0 || c < 0)
        return px_fail(err, PX_EINPUT, "merge %u ('%.*s') %s that is not in the vocabulary", rank,
                       (int)(p->n > 60 ? 60 : p->n), p->s,
                       c < 0 ? "makes an entry" : "joins an entry");
    m->merges[rank] = (struct bpe_merge){(uint32_t)a, (uint32_t)b, (uint32_t)c};
    *guess = (uint32_t)c + 1;
    __builtin_prefetch(&t->merge_slots[bpe_hash_pair((uint32_t)a, (uint32_t)b) & t->merge_mask]);
    return 0;
}

/* In blocks, each step of a block fetching memory for the next one. */
static int fill_merges(struct vocabulary_maker *m, const struct gguf_key *k, struct px_err *err)
{
    PX_FREE char *joined = px_xmalloc(2 * (size_t)m->h->max_len + 2);
    struct pending pending[BLOCK];
    uint32_t guess = 256, n_merges = m->h->n_merges;
    for (uint32_t start = 0; start < n_merges; start += BLOCK) {
        uint32_t n = n_merges - start < BLOCK ? n_merges - start : BLOCK;
        for (uint32_t i = 0; i < n; i++)
            if (read_merge(m, k, start + i, &pending[i], err) != 0)
                return -1;
        for (uint32_t i = 0; i < n; i++)
            if (resolve_merge(m, start + i, &pending[i], joined, &guess, err) != 0)
                return -1;
        for (uint32_t i = 0; i < n; i++)
            insert_merge(m, start + i);
    }
    return 0;
}

int maker_merges(struct vocabulary_maker *m, struct px_err *err)
{
    const struct gguf_key *k = gguf_need_array(m->g, "tokenizer.ggml.merges", err);
    return k ? fill_merges(m, k, err) : -1;
}
