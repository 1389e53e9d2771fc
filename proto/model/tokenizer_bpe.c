/* tokenizer_bpe.c - byte-level byte-pair encoding.
 *
 * Every byte has a printable stand-in (GPT-2's table): printable Latin-1 stands for itself, the
 * other 68 bytes in order for U+0100 ... . A word starts as one token per byte; the adjacent pair
 * with the lowest rank is joined, the leftmost first, until no pair has a rank. */
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"
#include "proto/model/tokenizer_internal.h"

enum { SHORT_WORD = 40, NO_RANK = -1 };

static bool stands_for_itself(unsigned byte)
{
    return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
}

unsigned bpe_stand_in(unsigned byte)
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

size_t bpe_put_code_point(char *out, unsigned cp)
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

/* Rank of a pair, NO_RANK when it is never joined. */
static int32_t find_rank(const struct tokenizer *t, uint32_t left, uint32_t right)
{
    for (uint32_t i = bpe_hash_pair(left, right) & t->merge_mask;; i = (i + 1) & t->merge_mask) {
        uint32_t slot = t->merge_slots[i];
        if (slot == 0)
            return NO_RANK;
        const struct bpe_merge *m = &t->merges[slot - 1];
        if (m->left == left && m->right == right)
            return (int32_t)(slot - 1);
    }
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
    if (n > t->h->max_len)
        return -1;
    PX_FREE char *big = 2 * n > sizeof small ? px_xmalloc(2 * n) : NULL;
    char *mapped = big ? big : small;
    size_t len = 0;
    for (size_t i = 0; i < n; i++)
        len += bpe_put_code_point(mapped + len, bpe_stand_in((unsigned char)p[i]));
    return token_find(t, mapped, len);
}

static int encode_word(void *ctx, const char *p, size_t n)
{
    const struct encoding *e = ctx;
    const struct tokenizer *t = e->t;
    uint32_t small[SHORT_WORD];
    if (t->h->ignore_merges) {
        int32_t id = find_word(t, p, n);
        if (id >= 0) {
            id_push(e->out, (uint32_t)id);
            return 0;
        }
    }
    PX_FREE uint32_t *big = n > SHORT_WORD ? px_xmalloc(n * sizeof *big) : NULL;
    uint32_t *ids = big ? big : small;
    for (size_t i = 0; i < n; i++) {
        int32_t id = t->h->byte_id[(unsigned char)p[i]];
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
