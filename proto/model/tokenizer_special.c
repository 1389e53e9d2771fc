/* tokenizer_special.c - entries that are more than text: what they are, which of them end a
 * generation, and finding them in a text.
 *
 * Files are sloppy about this, so the well-known names count as well as the metadata, in the way
 * llama.cpp does it: an entry with the name of an end token becomes a control token. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "proto/model/tokenizer_internal.h"

/* Text of entries that end a generation. */
static const char *const end_names[] = {
    "<|eot_id|>",      "<|im_end|>",
    "<|end|>",         "<|return|>",
    "<|call|>",        "<|flush|>",
    "<|calls|>",       "<end_of_turn>",
    "<|endoftext|>",   "</s>",
    "<|eom_id|>",      "<EOT>",
    "_<EOT>",          "[EOT]",
    "[EOS]",           "<eos>",
    "<|end_of_text|>", "<end_of_utterance>",
    "<turn|>",         "<|tool_response>",
};
/* Fill-in-the-middle tokens: the first name that is there counts when the file names none. The
 * last three kinds end a generation. */
static const struct {
    const char *key;
    bool ends;
    const char *names[6];
} fim[] = {
    {"fim_pre",
     false,
     {"<|fim_prefix|>", "<fim-prefix>", "<fim_prefix>", "<PRE>", "<|code_prefix|>", "<|prefix|>"}},
    {"fim_suf",
     false,
     {"<|fim_suffix|>", "<fim-suffix>", "<fim_suffix>", "<SUF>", "<|code_suffix|>", "<|suffix|>"}},
    {"fim_mid",
     false,
     {"<|fim_middle|>", "<fim-middle>", "<fim_middle>", "<MID>", "<|code_middle|>", "<|middle|>"}},
    {"fim_pad", true, {"<|fim_pad|>", "<fim-pad>", "<fim_pad>", "<PAD>", "[PAD]"}},
    {"fim_rep", true, {"<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"}},
    {"fim_sep", true, {"<|file_sep|>"}},
};
/* Always written out. */
static const char *const shown_names[] = {"<|channel|>", "<|message|>", "<|start|>",
                                          "<|constrain|>"};
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static int32_t find_name(const struct tokenizer *t, const char *name)
{
    return token_find(t, name, strlen(name));
}

/* Replaces *id when the file names a token that exists; ids outside the vocabulary (some files
 * write 4294967295 for none) are passed over. */
static void read_id(const struct tokenizer *t, const struct gguf *g, const char *name, int32_t *id)
{
    char key[80];
    uint64_t v;
    snprintf(key, sizeof key, "tokenizer.ggml.%s_token_id", name);
    if (gguf_get_u64(g, key, &v, NULL) == 0 && v < t->n_vocab)
        *id = (int32_t)v;
}

static int read_flag(const struct gguf *g, const char *key, bool *out, struct px_err *err)
{
    return gguf_has(g, key) ? gguf_get_bool(g, key, out, err) : 0;
}

static void add_stop(struct tokenizer *t, int32_t id)
{
    for (size_t i = 0; i < t->n_stops; i++)
        if (id < 0 || t->stops[i] == (uint32_t)id)
            return;
    if (id >= 0)
        t->stops[t->n_stops++] = (uint32_t)id;
}

static void remove_stop(struct tokenizer *t, int32_t id)
{
    size_t n = 0;
    for (size_t i = 0; i < t->n_stops; i++)
        if (t->stops[i] != (uint32_t)id)
            t->stops[n++] = t->stops[i];
    t->n_stops = n;
}

static bool is_stop(const struct tokenizer *t, const char *name)
{
    int32_t id = find_name(t, name);
    for (size_t i = 0; i < t->n_stops; i++)
        if (id >= 0 && t->stops[i] == (uint32_t)id)
            return true;
    return false;
}

/* Formats in which a well-known end token has another meaning. */
static void correct_stops(struct tokenizer *t)
{
    bool harmony = is_stop(t, "<|return|>") && (is_stop(t, "<|call|>") || is_stop(t, "<|calls|>"));
    bool solar = is_stop(t, "<|flush|>") && (is_stop(t, "<|call|>") || is_stop(t, "<|calls|>"));
    if ((harmony || solar) && is_stop(t, "<|end|>")) {
        int32_t id = find_name(t, "<|end|>");
        remove_stop(t, id);
        t->attr[id] = TOKEN_USER_DEFINED;
    }
    if (is_stop(t, "<|tool_response>") && is_stop(t, "</s>")) {
        int32_t id = find_name(t, "</s>");
        remove_stop(t, id);
        t->attr[id] = TOKEN_NORMAL;
    }
}

static int compare_ids(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void load_stops(struct tokenizer *t, const struct gguf *g)
{
    int32_t eot = -1, eom = -1;
    t->stops = px_xcalloc(COUNT(end_names) + COUNT(fim) + 3, sizeof *t->stops);
    read_id(t, g, "eot", &eot);
    read_id(t, g, "eom", &eom);
    for (size_t i = 0; i < COUNT(fim); i++) {
        int32_t id = -1;
        read_id(t, g, fim[i].key, &id);
        for (size_t k = 0; k < COUNT(fim[i].names) && fim[i].names[k] && id < 0; k++) {
            id = find_name(t, fim[i].names[k]);
            if (id >= 0)
                t->attr[id] |= TOKEN_CONTROL;
        }
        if (fim[i].ends)
            add_stop(t, id);
    }
    for (size_t i = 0; i < COUNT(end_names); i++) {
        int32_t id = find_name(t, end_names[i]);
        if (id >= 0)
            t->attr[id] |= TOKEN_CONTROL;
        add_stop(t, id);
    }
    for (size_t i = 0; i < COUNT(shown_names); i++) {
        int32_t id = find_name(t, shown_names[i]);
        if (id >= 0)
            t->attr[id] = TOKEN_USER_DEFINED;
    }
    add_stop(t, t->eos);
    add_stop(t, eot);
    add_stop(t, eom);
    correct_stops(t);
    qsort(t->stops, t->n_stops, sizeof *t->stops, compare_ids);
}

static int longer_first(const void *a, const void *b, void *ctx)
{
    const struct tokenizer *t = ctx;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    uint32_t n = t->offset[x + 1] - t->offset[x], m = t->offset[y + 1] - t->offset[y];
    return n != m ? (n < m) - (n > m) : (x > y) - (x < y);
}

/* Phi-3's special tokens swallow white space behind them; only the model's name says so. */
static void strip_like_phi3(struct tokenizer *t, const struct gguf *g)
{
    static const char *const not [] = {"<unk>", "<s>", "<|endoftext|>"};
    const char *name;
    size_t len;
    char lower[128] = "";
    if (gguf_get_str(g, "general.name", &name, &len, NULL) != 0)
        return;
    for (size_t i = 0; i < len && i < sizeof lower - 1; i++)
        lower[i] = (char)tolower((unsigned char)name[i]);
    if (!strstr(lower, "phi-3") && !strstr(lower, "phi3"))
        return;
    for (uint32_t i = 0; i < t->n_special; i++)
        t->attr[t->special[i]] |= TOKEN_RSTRIP;
    int32_t id = find_name(t, "</s>");
    if (id >= 0)
        t->attr[id] |= TOKEN_RSTRIP;
    for (size_t i = 0; i < COUNT(not ); i++) {
        id = find_name(t, not [i]);
        if (id >= 0)
            t->attr[id] &= (uint8_t)~TOKEN_RSTRIP;
    }
}

int special_load(struct tokenizer *t, const struct gguf *g, struct px_err *err)
{
    read_id(t, g, "bos", &t->bos);
    read_id(t, g, "eos", &t->eos);
    read_id(t, g, "unknown", &t->unknown);
    if (read_flag(g, "tokenizer.ggml.add_bos_token", &t->add_bos, err) != 0 ||
        read_flag(g, "tokenizer.ggml.add_eos_token", &t->add_eos, err) != 0 ||
        read_flag(g, "tokenizer.ggml.add_space_prefix", &t->add_space_prefix, err) != 0)
        return -1;
    if ((t->add_bos && t->bos < 0) || (t->add_eos && t->eos < 0))
        return px_fail(err, PX_EINPUT, "the tokenizer adds %s to every text but names none",
                       t->add_bos && t->bos < 0 ? "a BOS token" : "an EOS token");
    load_stops(t, g);
    uint32_t n = 0;
    for (uint32_t i = 0; i < t->n_vocab; i++)
        n += (t->attr[i] & (TOKEN_CONTROL | TOKEN_USER_DEFINED | TOKEN_UNKNOWN)) != 0;
    t->special = px_xcalloc((size_t)n + 1, sizeof *t->special);
    for (uint32_t i = 0; i < t->n_vocab; i++)
        if (t->attr[i] & (TOKEN_CONTROL | TOKEN_USER_DEFINED | TOKEN_UNKNOWN))
            t->special[t->n_special++] = i;
    qsort_r(t->special, t->n_special, sizeof *t->special, longer_first, t);
    strip_like_phi3(t, g);
    return 0;
}

/* ---- finding them in a text ---- */

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
    for (uint32_t i = 0; i < t->n_special; i++) {
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
