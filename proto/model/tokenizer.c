/* tokenizer.c - finding entries, and the way of a text through the parts of a tokenizer.
 *
 * Encoding: special tokens are found first (tokenizer_special.c), what is between them is encoded
 * by the family (tokenizer_bpe.c, tokenizer_spm.c). Decoding is a walk over the entries. */
#include "proto/model/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "proto/model/tokenizer_internal.h"

void id_push(struct id_list *l, uint32_t id)
{
    PX_GROW(l->ids, l->n, l->cap);
    l->ids[l->n++] = id;
}

static uint64_t load(const char *s, size_t n)
{
    uint64_t w = 0;
    memcpy(&w, s, n);
    return w;
}

/* Eight bytes at a time; the last eight may overlap those before them, and fewer are spread over
 * eight. Part of the image's format. */
uint32_t token_hash(const char *s, size_t n)
{
    const unsigned char *u = (const unsigned char *)s;
    uint64_t h = n * UINT64_C(0x9e3779b97f4a7c15), w = 0;
    for (size_t i = 0; i + 8 < n; i += 8) {
        h = (h ^ load(s + i, 8)) * UINT64_C(0xff51afd7ed558ccd);
        h ^= h >> 32;
    }
    if (n >= 8)
        w = load(s + n - 8, 8);
    else if (n >= 4)
        w = load(s, 4) | load(s + n - 4, 4) << 32;
    else if (n > 0)
        w = u[0] | (uint64_t)u[n / 2] << 8 | (uint64_t)u[n - 1] << 16;
    h = (h ^ w) * UINT64_C(0xc4ceb9fe1a85ec53);
    h ^= h >> 29;
    h *= UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(h >> 32);
}

int32_t token_find_hashed(const struct tokenizer *t, const char *s, size_t n, uint32_t hash)
{
    const uint32_t tag = ~(uint32_t)VOCABULARY_MAX;
    if (n > t->h->max_len)
        return -1;
    for (uint32_t i = hash & t->slot_mask;; i = (i + 1) & t->slot_mask) {
        uint32_t slot = t->slots[i];
        if (slot == 0)
            return -1;
        if ((slot ^ hash) & tag)
            continue;
        uint32_t id = (slot & VOCABULARY_MAX) - 1;
        size_t len;
        const char *text = token_text(t, id, &len);
        if (len == n && memcmp(text, s, n) == 0)
            return (int32_t)id;
    }
}

int32_t token_find(const struct tokenizer *t, const char *s, size_t n)
{
    return n > t->h->max_len ? -1 : token_find_hashed(t, s, n, token_hash(s, n));
}

void tokenizer_free(struct tokenizer **tp)
{
    struct tokenizer *t = *tp;
    if (!t)
        return;
    splitter_free(&t->splitter);
    free(t->owned);
    free(t);
    *tp = NULL;
}

/* Spaces become U+2581; one more goes in front where SentencePiece puts it. */
static char *escape_spaces(const char *text, size_t len, bool prefix, size_t *out_len)
{
    char *out = px_xmalloc(3 * (len + 1));
    size_t o = 0;
    if (prefix) {
        memcpy(out, "\xe2\x96\x81", 3);
        o = 3;
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] == ' ') {
            memcpy(out + o, "\xe2\x96\x81", 3);
            o += 3;
        } else {
            out[o++] = text[i];
        }
    }
    *out_len = o;
    return out;
}

static int encode_piece(const struct tokenizer *t, const char *text, size_t len, bool after_special,
                        struct id_list *out, struct px_err *err)
{
    if (!t->h->is_spm)
        return bpe_encode(t, text, len, out, err);
    size_t n;
    PX_FREE char *escaped = escape_spaces(text, len, t->h->add_space_prefix && after_special, &n);
    return spm_encode(t, escaped, n, out, err);
}

int tokenizer_encode(const struct tokenizer *t, const char *text, size_t len, unsigned flags,
                     uint32_t **ids, size_t *n, struct px_err *err)
{
    struct id_list out = {0};
    PX_FREE struct fragment *fragments = NULL;
    size_t n_fragments;
    bool after_special = true;
    if (len > INT32_MAX / 4)
        return px_fail(err, PX_ELIMIT, "a text of %zu bytes is too long to tokenise", len);
    special_partition(t, text, len, flags & TOK_PARSE_SPECIAL, &fragments, &n_fragments);
    if (flags & TOK_ADD_SPECIAL && t->h->add_bos)
        id_push(&out, (uint32_t)t->h->bos);
    for (size_t i = 0; i < n_fragments; i++) {
        const struct fragment *f = &fragments[i];
        if (f->token >= 0) {
            id_push(&out, (uint32_t)f->token);
        } else if (encode_piece(t, text + f->at, f->len, after_special, &out, err) != 0) {
            free(out.ids);
            return -1;
        }
        after_special = f->token >= 0;
    }
    if (flags & TOK_ADD_SPECIAL && t->h->add_eos)
        id_push(&out, (uint32_t)t->h->eos);
    *ids = out.ids ? out.ids : px_xmalloc(sizeof **ids);
    *n = out.n;
    return 0;
}

/* "<0x0A>" is 10; -1 for any other text. */
static int byte_of(const char *s, size_t n)
{
    static const char digits[] = "0123456789ABCDEF";
    if (n != 6 || memcmp(s, "<0x", 3) != 0 || s[5] != '>')
        return -1;
    const char *high = memchr(digits, s[3], 16), *low = memchr(digits, s[4], 16);
    return high && low ? (int)((high - digits) * 16 + (low - digits)) : -1;
}

/* Appends what one entry stands for; skip_space drops one leading space. */
static void put_piece(const struct tokenizer *t, uint32_t id, bool special, bool skip_space,
                      struct px_buf *out)
{
    if (id >= t->h->n_vocab)
        return;
    size_t n;
    const char *s = token_text(t, id, &n);
    uint8_t attr = t->attr[id];
    if (attr & (TOKEN_CONTROL | TOKEN_UNKNOWN | TOKEN_USER_DEFINED)) {
        if (special || !(attr & (TOKEN_CONTROL | TOKEN_UNKNOWN)))
            px_buf_put(out, s + (skip_space && s[0] == ' '), n - (skip_space && s[0] == ' '));
        return;
    }
    if (attr & TOKEN_BYTE) {
        int byte = byte_of(s, n);
        if (byte >= 0 && !(skip_space && byte == ' '))
            px_buf_u8(out, (uint8_t)byte);
        return;
    }
    if (!(attr & TOKEN_NORMAL))
        return;
    if (!t->h->is_spm) {
        bpe_decode(s, n, out);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        bool space = n - i >= 3 && memcmp(s + i, "\xe2\x96\x81", 3) == 0;
        if (!(i == 0 && skip_space && (space || s[0] == ' ')))
            px_buf_char(out, space ? ' ' : s[i]);
        i += space ? 2 : 0;
    }
}

/* Drops spaces that word-level tokenizers put before punctuation, in place. */
static size_t clean_spaces(char *s, size_t n)
{
    size_t o = n ? 1 : 0;
    for (size_t i = 1; i < n; i++) {
        if (s[i - 1] == ' ' && (s[i] == '?' || s[i] == '!' || s[i] == '.' || s[i] == ','))
            o--;
        s[o++] = s[i];
    }
    n = o;
    o = n ? 1 : 0;
    for (size_t i = 1; i < n; i++) {
        char c = s[i];
        if (c == '\'' && i + 1 < n && s[i - 1] == ' ' && s[i + 1] == ' ') {
            o--;
            s[++i] = '\0'; /* the space behind it: gone, and no neighbour of what follows */
        }
        s[o++] = c;
    }
    n = o;
    o = n ? 1 : 0;
    for (size_t i = 1; i < n; i++) {
        if (s[i - 1] == ' ' && s[i] == '\'' && i + 1 < n) {
            char a = s[i + 1], b = i + 2 < n ? s[i + 2] : '\0';
            if (a == 's' || a == 'm' || (a == 'r' && b == 'e') || (a == 'v' && b == 'e'))
                o--;
        }
        s[o++] = s[i];
    }
    return o;
}

void tokenizer_decode(const struct tokenizer *t, const uint32_t *ids, size_t n, bool special,
                      struct px_buf *out)
{
    size_t start = out->len;
    for (size_t i = 0; i < n; i++)
        put_piece(t, ids[i], special, i == 0 && t->h->add_space_prefix, out);
    if (t->h->clean_spaces && out->len > start)
        out->len = start + clean_spaces((char *)out->data + start, out->len - start);
    if (out->data)
        out->data[out->len] = '\0';
}

void tokenizer_piece(const struct tokenizer *t, uint32_t id, struct px_buf *out)
{
    put_piece(t, id, false, false, out);
}

uint32_t tokenizer_n_vocab(const struct tokenizer *t)
{
    return t->h->n_vocab;
}

int32_t tokenizer_bos(const struct tokenizer *t)
{
    return t->h->bos;
}

int32_t tokenizer_eos(const struct tokenizer *t)
{
    return t->h->eos;
}

bool tokenizer_adds_bos(const struct tokenizer *t)
{
    return t->h->add_bos;
}

bool tokenizer_adds_eos(const struct tokenizer *t)
{
    return t->h->add_eos;
}

const uint32_t *tokenizer_stop_ids(const struct tokenizer *t, size_t *n)
{
    *n = t->h->n_stops;
    return t->stops;
}

int32_t tokenizer_find(const struct tokenizer *t, const char *text, size_t len)
{
    return token_find(t, text, len);
}

const char *tokenizer_text(const struct tokenizer *t, uint32_t id, size_t *len)
{
    px_assert(id < t->h->n_vocab);
    return token_text(t, id, len);
}

bool tokenizer_is_control(const struct tokenizer *t, uint32_t id)
{
    return id < t->h->n_vocab && t->attr[id] & TOKEN_CONTROL;
}

const char *tokenizer_family(const struct tokenizer *t)
{
    return t->family;
}
