/* tokenizer_special.c - finding entries that are more than text, before the text is split. */
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "proto/model/tokenizer_internal.h"

struct fragments {
    struct fragment *f;
    size_t n, cap;
};

static void add_fragment(struct fragments *l, size_t at, size_t len, int32_t token)
{
    if (len == 0 && token < 0)
        return;
    PX_GROW(l->f, l->n, l->cap);
    l->f[l->n++] = (struct fragment){at, len, token};
}

static bool is_c_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Cuts one piece of text at every occurrence of a token. */
static void cut_piece(const struct tokenizer *t, const char *text, struct fragment piece,
                      uint32_t id, struct fragments *out)
{
    size_t len, end = piece.at + piece.len;
    const char *name = token_text(t, id, &len), *hit;
    while ((hit = memmem(text + piece.at, end - piece.at, name, len)) != NULL) {
        size_t at = (size_t)(hit - text);
        add_fragment(out, piece.at, at - piece.at, -1);
        add_fragment(out, at, len, (int32_t)id);
        piece.at = at + len;
        while (t->attr[id] & TOKEN_RSTRIP && piece.at < end && is_c_space(text[piece.at]))
            piece.at++;
    }
    add_fragment(out, piece.at, end - piece.at, -1);
}

/* Which pairs of neighbouring bytes the text has: most tokens need not be looked for at all. */
struct pairs {
    uint8_t bits[65536 / 8];
    bool any_byte[256];
};

static void note_pairs(struct pairs *p, const unsigned char *text, size_t len)
{
    memset(p, 0, sizeof *p);
    for (size_t i = 0; i < len; i++) {
        p->any_byte[text[i]] = true;
        if (i + 1 < len) {
            unsigned pair = (unsigned)text[i] << 8 | text[i + 1];
            p->bits[pair >> 3] |= (uint8_t)(1u << (pair & 7));
        }
    }
}

static bool may_occur(const struct pairs *p, const unsigned char *name, size_t len)
{
    if (len < 2)
        return p->any_byte[name[0]];
    unsigned pair = (unsigned)name[0] << 8 | name[1];
    return p->bits[pair >> 3] >> (pair & 7) & 1;
}

void special_partition(const struct tokenizer *t, const char *text, size_t len, bool parse_special,
                       struct fragment **out, size_t *n)
{
    struct fragments now = {0}, next = {0};
    struct pairs pairs;
    note_pairs(&pairs, (const unsigned char *)text, len);
    add_fragment(&now, 0, len, -1);
    for (uint32_t i = 0; i < t->h->n_special; i++) {
        uint32_t id = t->special[i];
        size_t name_len;
        const char *name = token_text(t, id, &name_len);
        if ((!parse_special && (t->attr[id] & (TOKEN_CONTROL | TOKEN_UNKNOWN))) ||
            !may_occur(&pairs, (const unsigned char *)name, name_len) ||
            !memmem(text, len, name, name_len))
            continue;
        next.n = 0;
        for (size_t k = 0; k < now.n; k++) {
            if (now.f[k].token < 0)
                cut_piece(t, text, now.f[k], id, &next);
            else
                add_fragment(&next, now.f[k].at, now.f[k].len, now.f[k].token);
        }
        struct fragments swap = now;
        now = next;
        next = swap;
    }
    free(next.f);
    *out = now.f;
    *n = now.n;
}
