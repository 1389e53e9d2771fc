/* key_index.c - chained hashing: heads[] by fingerprint, next[] from a change to the one before it
 * in its chain. Chains run from new to old, so adding and rewinding touch the head alone. */
#include "coordinator/store/key_index.h"

#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"

enum { LEAST_HEADS = 1024 };

struct key_index {
    uint64_t *prints; /* [sequence - 1]; 0: a gap, in no chain */
    uint32_t *next;   /* [sequence - 1]: an earlier sequence, 0 at the end */
    size_t n, cap;
    uint32_t *heads;
    size_t n_heads; /* a power of two */
};

struct key_index *key_index_new(void)
{
    struct key_index *ix = px_xcalloc(1, sizeof *ix);
    ix->n_heads = LEAST_HEADS;
    ix->heads = px_xcalloc(ix->n_heads, sizeof *ix->heads);
    return ix;
}

void key_index_free(struct key_index **ix)
{
    if (!*ix)
        return;
    free((*ix)->prints);
    free((*ix)->next);
    free((*ix)->heads);
    free(*ix);
    *ix = NULL;
}

uint64_t key_fingerprint(unsigned db, const void *key, size_t n_key)
{
    const uint8_t *p = key;
    uint64_t h = UINT64_C(0xcbf29ce484222325) ^ db; /* FNV-1a, then a finishing mix */
    for (size_t i = 0; i < n_key; i++)
        h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    h = (h ^ (h >> 32)) * UINT64_C(0xd6e8feb86659fd93);
    h ^= h >> 32;
    return h ? h : 1;
}

uint64_t key_index_last(const struct key_index *ix)
{
    return ix->n;
}

static void link_change(struct key_index *ix, size_t i)
{
    uint32_t *head = &ix->heads[ix->prints[i] & (ix->n_heads - 1)];
    ix->next[i] = *head;
    *head = (uint32_t)(i + 1);
}

static void widen(struct key_index *ix)
{
    free(ix->heads);
    ix->n_heads *= 2;
    ix->heads = px_xcalloc(ix->n_heads, sizeof *ix->heads);
    for (size_t i = 0; i < ix->n; i++)
        if (ix->prints[i])
            link_change(ix, i);
}

static void push(struct key_index *ix, uint64_t print)
{
    px_assert(ix->n < UINT32_MAX - 1);
    if (ix->n == ix->cap) {
        ix->cap = ix->cap ? 2 * ix->cap : LEAST_HEADS;
        ix->prints = px_xrealloc(ix->prints, ix->cap * sizeof *ix->prints);
        ix->next = px_xrealloc(ix->next, ix->cap * sizeof *ix->next);
    }
    ix->prints[ix->n] = print;
    ix->next[ix->n] = 0;
    if (print)
        link_change(ix, ix->n);
    ix->n++;
    if (ix->n > ix->n_heads)
        widen(ix);
}

void key_index_add(struct key_index *ix, uint64_t sequence, uint64_t fingerprint)
{
    px_assert(sequence > ix->n && fingerprint);
    key_index_skip(ix, sequence - 1);
    push(ix, fingerprint);
}

void key_index_skip(struct key_index *ix, uint64_t sequence)
{
    while (ix->n < sequence)
        push(ix, 0);
}

void key_index_rewind(struct key_index *ix, uint64_t last)
{
    while (ix->n > last) {
        size_t i = --ix->n;
        if (ix->prints[i])
            ix->heads[ix->prints[i] & (ix->n_heads - 1)] = ix->next[i];
    }
}

uint64_t key_index_find(const struct key_index *ix, uint64_t fingerprint, uint64_t most,
                        uint64_t before)
{
    uint32_t at = before ? ix->next[before - 1] : ix->heads[fingerprint & (ix->n_heads - 1)];
    while (at && (at > most || ix->prints[at - 1] != fingerprint))
        at = ix->next[at - 1];
    return at;
}
