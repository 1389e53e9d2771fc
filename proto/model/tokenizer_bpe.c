/* tokenizer_bpe.c - byte-level byte-pair encoding.
 *
 * Every byte has a printable stand-in (GPT-2's table): printable Latin-1 stands for itself, the
 * other 68 bytes in order for U+0100 ... . A word starts as one token per byte; the adjacent pair
 * with the lowest rank is joined, the leftmost first, until no pair has a rank. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"
#include "proto/model/tokenizer_internal.h"

enum { SHORT_WORD = 40, NO_RANK = -1, BLOCK = 32 };

static bool stands_for_itself(unsigned byte)
{
    return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
}

/* The code point that stands for a byte: below U+0144. */
static unsigned stand_in(unsigned byte)
{
    if (stands_for_itself(byte))
        return byte;
    if (byte <= 0x20)
        return 0x100 + byte;
    return byte == 0xad ? 0x143 : 0x121 + byte - 0x7f;
}

/* The byte that a code point stands for, 256 when none. */
static unsigned byte_behind(unsigned cp)
{
    if (cp < 0x100)
        return stands_for_itself(cp) ? cp : 256;
    if (cp <= 0x120)
        return cp - 0x100;
    if (cp < 0x143)
        return cp - 0x121 + 0x7f;
    return cp == 0x143 ? 0xad : 256;
}

static size_t put_code_point(char *out, unsigned cp)
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    out[0] = (char)(0xc0 | (cp >> 6));
    out[1] = (char)(0x80 | (cp & 0x3f));
    return 2;
}

void bpe_decode(const char *s, size_t n, struct px_buf *out)
{
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        unsigned byte = 256;
        if (c >= 0xc2 && c < 0xe0 && i + 1 < n)
            byte = byte_behind((c & 0x1fu) << 6 | ((unsigned char)s[i + 1] & 0x3fu));
        i += byte < 256;
        px_buf_char(out, (char)(byte < 256 ? byte : c));
    }
}

static uint32_t hash_pair(uint32_t left, uint32_t right)
{
    uint64_t h = ((uint64_t)left << 32 | right) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(h >> 32);
}

/* Rank of a pair, NO_RANK when it is never joined. */
static int32_t find_rank(const struct tokenizer *t, uint32_t left, uint32_t right)
{
    for (uint32_t i = hash_pair(left, right) & t->merge_mask;; i = (i + 1) & t->merge_mask) {
        uint32_t slot = t->merge_slots[i];
        if (slot == 0)
            return NO_RANK;
        const struct bpe_merge *m = &t->merges[slot - 1];
        if (m->left == left && m->right == right)
            return (int32_t)(slot - 1);
    }
}

static void insert_merge(struct tokenizer *t, uint32_t rank)
{
    const struct bpe_merge *m = &t->merges[rank];
    uint32_t i = hash_pair(m->left, m->right) & t->merge_mask;
    for (; t->merge_slots[i] != 0; i = (i + 1) & t->merge_mask) {
        const struct bpe_merge *other = &t->merges[t->merge_slots[i] - 1];
        if (other->left == m->left && other->right == m->right)
            return; /* the first one counts */
    }
    t->merge_slots[i] = rank + 1;
}

/* Entries usually stand in the order of the merges that make them. */
static int32_t find_near(const struct tokenizer *t, uint32_t guess, const char *s, size_t n)
{
    if (guess < t->n_vocab) {
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

static int read_merge(const struct tokenizer *t, const struct gguf *g, uint32_t rank,
                      struct pending *p, struct px_err *err)
{
    if (gguf_array_str(g, "tokenizer.ggml.merges", rank, &p->s, &p->n, err) != 0)
        return -1;
    const char *space = p->n > 1 ? memchr(p->s + 1, ' ', p->n - 1) : NULL;
    if (!space || p->n > 2 * (size_t)t->max_len + 1)
        return px_fail(err, PX_EINPUT, "merge %u ('%.*s') is not two entries and a space", rank,
                       (int)(p->n > 60 ? 60 : p->n), p->s);
    p->left = (size_t)(space - p->s);
    p->hash_left = token_hash(p->s, p->left);
    p->hash_right = token_hash(space + 1, p->n - p->left - 1);
    token_prefetch(t, p->hash_left);
    token_prefetch(t, p->hash_right);
    return 0;
}

static int resolve_merge(struct tokenizer *t, uint32_t rank, const struct pending *p, char *joined,
                         uint32_t *guess, struct px_err *err)
{
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
    t->merges[rank] = (struct bpe_merge){(uint32_t)a, (uint32_t)b, (uint32_t)c};
    *guess = (uint32_t)c + 1;
    __builtin_prefetch(&t->merge_slots[hash_pair((uint32_t)a, (uint32_t)b) & t->merge_mask]);
    return 0;
}

/* In blocks, each step of a block fetching memory for the next one. */
static int fill_merges(struct tokenizer *t, const struct gguf *g, struct px_err *err)
{
    PX_FREE char *joined = px_xmalloc(2 * (size_t)t->max_len + 2);
    struct pending pending[BLOCK];
    uint32_t guess = 256;
    for (uint32_t start = 0; start < t->n_merges; start += BLOCK) {
        uint32_t n = t->n_merges - start < BLOCK ? t->n_merges - start : BLOCK;
        for (uint32_t k = 0; k < n; k++)
            if (read_merge(t, g, start + k, &pending[k], err) != 0)
                return -1;
        for (uint32_t k = 0; k < n; k++)
            if (resolve_merge(t, start + k, &pending[k], joined, &guess, err) != 0)
                return -1;
        for (uint32_t k = 0; k < n; k++)
            insert_merge(t, start + k);
    }
    return 0;
}

static int load_merges(struct tokenizer *t, const struct gguf *g, struct px_err *err)
{
    uint64_t n;
    if (gguf_get_array(g, "tokenizer.ggml.merges", &n, err) != 0)
        return -1;
    if (n > (1u << 24))
        return px_fail(err, PX_ELIMIT, "%llu merges, at most %u", (unsigned long long)n, 1u << 24);
    uint32_t size = 8;
    while (3 * (uint64_t)size < 4 * n)
        size *= 2;
    t->n_merges = (uint32_t)n;
    t->merges = px_xmalloc((size_t)(n + 1) * sizeof *t->merges);
    t->merge_slots = px_xcalloc(size, sizeof *t->merge_slots);
    t->merge_mask = size - 1;
    return fill_merges(t, g, err);
}

int bpe_load(struct tokenizer *t, const struct gguf *g, struct px_err *err)
{
    struct splitter_traits traits;
    const char *pre = "default";
    size_t len = strlen(pre);
    if (gguf_has(g, "tokenizer.ggml.pre") &&
        gguf_get_str(g, "tokenizer.ggml.pre", &pre, &len, err) != 0)
        return -1;
    t->splitter = splitter_new(pre, len, &traits, err);
    if (!t->splitter)
        return -1;
    snprintf(t->family, sizeof t->family, "bpe:%.*s", (int)len, pre);
    t->ignore_merges = traits.ignore_merges;
    t->clean_spaces = traits.clean_spaces;
    t->add_bos = traits.add_bos;
    t->bos = t->eos = t->unknown = -1;
    for (unsigned b = 0; b < 256; b++) {
        char s[2];
        t->byte_id[b] = token_find(t, s, put_code_point(s, stand_in(b)));
    }
    return load_merges(t, g, err);
}

/* ---- encoding one word ---- */

struct encoding {
    const struct tokenizer *t;
    struct id_list *out;
    struct px_err *err;
};

/* The pair to join is found by looking at all of them: best for a handful. */
static void encode_short(const struct tokenizer *t, uint32_t *ids, size_t n, struct id_list *out)
{
    int32_t rank[SHORT_WORD];
    for (size_t i = 0; i + 1 < n; i++)
        rank[i] = find_rank(t, ids[i], ids[i + 1]);
    while (n > 1) {
        size_t best = n;
        uint32_t lowest = UINT32_MAX; /* NO_RANK as unsigned */
        for (size_t i = 0; i + 1 < n; i++)
            if ((uint32_t)rank[i] < lowest) {
                lowest = (uint32_t)rank[i];
                best = i;
            }
        if (best == n)
            break;
        ids[best] = t->merges[lowest].result;
        for (size_t i = best + 1; i + 1 < n; i++) {
            ids[i] = ids[i + 1];
            rank[i - 1] = rank[i];
        }
        n--;
        rank[best] = best + 1 < n ? find_rank(t, ids[best], ids[best + 1]) : NO_RANK;
        if (best > 0)
            rank[best - 1] = find_rank(t, ids[best - 1], ids[best]);
    }
    for (size_t i = 0; i < n; i++)
        id_push(out, ids[i]);
}

struct symbol {
    uint32_t id;
    int32_t prev, next; /* -1 at the ends; prev = -2: joined into its left neighbour */
};

struct heap {
    uint64_t *items; /* rank << 32 | left symbol */
    size_t n, cap;
};

static void heap_push(struct heap *h, uint64_t item)
{
    PX_GROW(h->items, h->n, h->cap);
    size_t i = h->n++;
    for (; i > 0 && h->items[(i - 1) / 2] > item; i = (i - 1) / 2)
        h->items[i] = h->items[(i - 1) / 2];
    h->items[i] = item;
}

static uint64_t heap_pop(struct heap *h)
{
    uint64_t top = h->items[0], last = h->items[--h->n];
    size_t i = 0, child;
    while ((child = 2 * i + 1) < h->n) {
        if (child + 1 < h->n && h->items[child + 1] < h->items[child])
            child++;
        if (h->items[child] >= last)
            break;
        h->items[i] = h->items[child];
        i = child;
    }
    h->items[i] = last;
    return top;
}

static void push_pair(const struct tokenizer *t, const struct symbol *s, int32_t left,
                      struct heap *h)
{
    if (left < 0 || s[left].next < 0)
        return;
    int32_t rank = find_rank(t, s[left].id, s[s[left].next].id);
    if (rank != NO_RANK)
        heap_push(h, (uint64_t)(uint32_t)rank << 32 | (uint32_t)left);
}

/* Long words (runs of spaces, base64) keep their pairs in a heap. */
static void encode_long(const struct tokenizer *t, const uint32_t *ids, size_t n,
                        struct id_list *out)
{
    struct heap h = {0};
    PX_FREE struct symbol *s = px_xmalloc(n * sizeof *s);
    for (size_t i = 0; i < n; i++)
        s[i] = (struct symbol){ids[i], (int32_t)i - 1, i + 1 < n ? (int32_t)i + 1 : -1};
    for (size_t i = 0; i + 1 < n; i++)
        push_pair(t, s, (int32_t)i, &h);
    while (h.n > 0) {
        uint64_t item = heap_pop(&h);
        int32_t left = (int32_t)(uint32_t)item, right = s[left].next;
        const struct bpe_merge *m = &t->merges[item >> 32];
        if (s[left].prev == -2 || right < 0 || s[left].id != m->left || s[right].id != m->right)
            continue; /* one of the two has been joined since */
        s[left].id = m->result;
        s[left].next = s[right].next;
        s[right].prev = -2;
        if (s[left].next >= 0)
            s[s[left].next].prev = left;
        push_pair(t, s, s[left].prev, &h);
        push_pair(t, s, left, &h);
    }
    for (int32_t i = 0; i >= 0; i = s[i].next)
        id_push(out, s[i].id);
    free(h.items);
}

/* The entry that is the whole word, -1 when there is none. */
static int32_t find_word(const struct tokenizer *t, const char *p, size_t n)
{
    char small[256];
    if (n > t->max_len)
        return -1;
    PX_FREE char *big = 2 * n > sizeof small ? px_xmalloc(2 * n) : NULL;
    char *mapped = big ? big : small;
    size_t len = 0;
    for (size_t i = 0; i < n; i++)
        len += put_code_point(mapped + len, stand_in((unsigned char)p[i]));
    return token_find(t, mapped, len);
}

static int encode_word(void *ctx, const char *p, size_t n)
{
    const struct encoding *e = ctx;
    const struct tokenizer *t = e->t;
    uint32_t small[SHORT_WORD];
    if (t->ignore_merges) {
        int32_t id = find_word(t, p, n);
        if (id >= 0) {
            id_push(e->out, (uint32_t)id);
            return 0;
        }
    }
    PX_FREE uint32_t *big = n > SHORT_WORD ? px_xmalloc(n * sizeof *big) : NULL;
    uint32_t *ids = big ? big : small;
    for (size_t i = 0; i < n; i++) {
        int32_t id = t->byte_id[(unsigned char)p[i]];
        if (id < 0)
            return px_fail(e->err, PX_EINPUT, "the vocabulary has no token for the byte 0x%02x",
                           (unsigned char)p[i]);
        ids[i] = (uint32_t)id;
    }
    if (n > SHORT_WORD)
        encode_long(t, ids, n, e->out);
    else
        encode_short(t, ids, n, e->out);
    return 0;
}

/* Length of the well-formed UTF-8 sequence at p, 0 when there is none. */
static size_t sequence_length(const unsigned char *p, size_t left)
{
    size_t n = 1;
    if (p[0] >= 0x80)
        n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    if (n > left || (p[0] >= 0x80 && p[0] < 0xc2) || p[0] > 0xf4)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
        (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
        return 0;
    return n;
}

/* A copy with U+FFFD for every byte that is not part of well-formed UTF-8. */
static char *repair(const char *text, size_t len, size_t *out_len)
{
    char *out = px_xmalloc(3 * len + 1);
    size_t o = 0;
    for (size_t i = 0; i < len;) {
        size_t n = sequence_length((const unsigned char *)text + i, len - i);
        if (n == 0) {
            memcpy(out + o, "\xef\xbf\xbd", 3);
            o += 3;
            i++;
        } else {
            memcpy(out + o, text + i, n);
            o += n;
            i += n;
        }
    }
    *out_len = o;
    return out;
}

int bpe_encode(const struct tokenizer *t, const char *text, size_t len, struct id_list *out,
               struct px_err *err)
{
    struct encoding e = {t, out, err};
    PX_FREE char *repaired = px_utf8_valid(text, len) ? NULL : repair(text, len, &len);
    return splitter_run(t->splitter, repaired ? repaired : text, len, encode_word, &e, err);
}
