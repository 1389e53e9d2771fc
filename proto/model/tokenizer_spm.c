/* tokenizer_spm.c - SentencePiece BPE: entries have scores, and bytes are the last resort.
 *
 * The text starts as one symbol per character; the adjacent pair that makes the entry with the
 * highest score is joined, the leftmost first, until no pair makes an entry. What is no entry
 * then is written as byte tokens. */
#include <stdlib.h>

#include "proto/mem.h"
#include "proto/model/tokenizer_internal.h"

struct symbol {
    uint32_t at, len; /* len 0: joined into its left neighbour */
    int32_t prev, next;
};

struct pair {
    float score;
    int32_t left, right;
    uint32_t len; /* of both when the pair was found: another length means it is outdated */
};

struct merger {
    const struct tokenizer *t;
    const char *text;
    struct symbol *symbols;
    struct pair *heap;
    size_t n_heap, cap_heap;
};

static bool before(const struct pair *a, const struct pair *b)
{
    if (a->score > b->score || a->score < b->score)
        return a->score > b->score;
    return a->left < b->left;
}

static void heap_push(struct merger *m, struct pair p)
{
    PX_GROW(m->heap, m->n_heap, m->cap_heap);
    size_t i = m->n_heap++;
    for (; i > 0 && before(&p, &m->heap[(i - 1) / 2]); i = (i - 1) / 2)
        m->heap[i] = m->heap[(i - 1) / 2];
    m->heap[i] = p;
}

static struct pair heap_pop(struct merger *m)
{
    struct pair top = m->heap[0], last = m->heap[--m->n_heap];
    size_t i = 0, child;
    while ((child = 2 * i + 1) < m->n_heap) {
        if (child + 1 < m->n_heap && before(&m->heap[child + 1], &m->heap[child]))
            child++;
        if (!before(&m->heap[child], &last))
            break;
        m->heap[i] = m->heap[child];
        i = child;
    }
    m->heap[i] = last;
    return top;
}

static void push_pair(struct merger *m, int32_t left, int32_t right)
{
    if (left < 0 || right < 0)
        return;
    uint32_t len = m->symbols[left].len + m->symbols[right].len;
    int32_t id = token_find(m->t, m->text + m->symbols[left].at, len);
    if (id >= 0)
        heap_push(m, (struct pair){m->t->score[id], left, right, len});
}

static int32_t split_characters(const char *text, size_t len, struct symbol *symbols)
{
    static const uint8_t lengths[16] = {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 3, 4};
    int32_t n = 0;
    for (size_t at = 0; at < len; n++) {
        size_t l = lengths[(unsigned char)text[at] >> 4];
        if (l > len - at)
            l = len - at;
        symbols[n] = (struct symbol){(uint32_t)at, (uint32_t)l, n - 1, n + 1};
        at += l;
    }
    if (n > 0)
        symbols[n - 1].next = -1;
    return n;
}

static void merge_all(struct merger *m, int32_t n)
{
    struct symbol *s = m->symbols;
    for (int32_t i = 1; i < n; i++)
        push_pair(m, i - 1, i);
    while (m->n_heap > 0) {
        struct pair p = heap_pop(m);
        struct symbol *left = &s[p.left], *right = &s[p.right];
        if (left->len == 0 || right->len == 0 || left->len + right->len != p.len)
            continue;
        left->len += right->len;
        right->len = 0;
        left->next = right->next;
        if (right->next >= 0)
            s[right->next].prev = p.left;
        push_pair(m, left->prev, p.left);
        push_pair(m, p.left, left->next);
    }
}

static int emit(const struct merger *m, const struct symbol *s, struct id_list *out,
                struct px_err *err)
{
    const struct tokenizer *t = m->t;
    int32_t id = token_find(t, m->text + s->at, s->len);
    if (id >= 0) {
        id_push(out, (uint32_t)id);
        return 0;
    }
    for (uint32_t i = 0; i < s->len; i++) {
        unsigned char c = (unsigned char)m->text[s->at + i];
        int32_t byte = t->h->byte_id[c] >= 0 ? t->h->byte_id[c] : t->h->unknown;
        if (byte < 0)
            return px_fail(err, PX_EINPUT,
                           "the vocabulary has neither a token for the byte 0x%02x nor an unknown "
                           "token",
                           c);
        id_push(out, (uint32_t)byte);
    }
    return 0;
}

int spm_encode(const struct tokenizer *t, const char *text, size_t len, struct id_list *out,
               struct px_err *err)
{
    PX_FREE struct symbol *symbols = px_xmalloc((len + 1) * sizeof *symbols);
    struct merger m = {.t = t, .text = text, .symbols = symbols};
    int32_t n = split_characters(text, len, symbols);
    int rc = 0;
    merge_all(&m, n);
    for (int32_t i = n > 0 ? 0 : -1; i >= 0 && rc == 0; i = symbols[i].next)
        rc = emit(&m, &symbols[i], out, err);
    free(m.heap);
    return rc;
}
