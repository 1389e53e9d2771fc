/* tokenizer_build_special.c - entries that are more than text: what they are, and which of them end
 * a generation.
 *
 * Files are sloppy about this, so the well-known names count as well as the metadata, in the way
 * llama.cpp does it: an entry with the name of an end token becomes a control token. */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "proto/model/tokenizer_build.h"

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

static int32_t find_name(const struct vocabulary_maker *m, const char *name)
{
    return token_find(&m->t, name, strlen(name));
}

/* Replaces *id when the file names a token that exists; ids outside the vocabulary (some files
 * write 4294967295 for none) are passed over. */
static void read_id(const struct vocabulary_maker *m, const char *name, int32_t *id)
{
    char key[80];
    uint64_t v;
    snprintf(key, sizeof key, "tokenizer.ggml.%s_token_id", name);
    if (gguf_get_u64(m->g, key, &v, NULL) == 0 && v < m->h->n_vocab)
        *id = (int32_t)v;
}

static int read_flag(const struct gguf *g, const char *key, uint8_t *out, struct px_err *err)
{
    bool v;
    if (!gguf_has(g, key))
        return 0;
    if (gguf_get_bool(g, key, &v, err) != 0)
        return -1;
    *out = v;
    return 0;
}

/* Every name and key that can end a generation gives one id at most. */
struct stop_set {
    uint32_t ids[COUNT(end_names) + COUNT(fim) + 3];
    uint32_t n;
};

static bool has_stop(const struct stop_set *s, int32_t id)
{
    for (uint32_t i = 0; i < s->n; i++)
        if (id >= 0 && s->ids[i] == (uint32_t)id)
            return true;
    return false;
}

static void add_stop(struct stop_set *s, int32_t id)
{
    if (id >= 0 && !has_stop(s, id))
        s->ids[s->n++] = (uint32_t)id;
}

static void remove_stop(struct stop_set *s, int32_t id)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < s->n; i++)
        if (s->ids[i] != (uint32_t)id)
            s->ids[n++] = s->ids[i];
    s->n = n;
}

/* Formats in which a well-known end token has another meaning. */
static void correct_stops(struct vocabulary_maker *m, struct stop_set *s)
{
    int32_t end = find_name(m, "<|end|>"), eos = find_name(m, "</s>");
    bool call = has_stop(s, find_name(m, "<|call|>")) || has_stop(s, find_name(m, "<|calls|>"));
    bool harmony = has_stop(s, find_name(m, "<|return|>")) && call;
    bool solar = has_stop(s, find_name(m, "<|flush|>")) && call;
    if ((harmony || solar) && has_stop(s, end)) {
        remove_stop(s, end);
        m->attr[end] = TOKEN_USER_DEFINED;
    }
    if (has_stop(s, find_name(m, "<|tool_response>")) && has_stop(s, eos)) {
        remove_stop(s, eos);
        m->attr[eos] = TOKEN_NORMAL;
    }
}

static int compare_ids(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

static void find_stops(struct vocabulary_maker *m, struct stop_set *s)
{
    int32_t eot = -1, eom = -1;
    read_id(m, "eot", &eot);
    read_id(m, "eom", &eom);
    for (size_t i = 0; i < COUNT(fim); i++) {
        int32_t id = -1;
        read_id(m, fim[i].key, &id);
        for (size_t k = 0; k < COUNT(fim[i].names) && fim[i].names[k] && id < 0; k++) {
            id = find_name(m, fim[i].names[k]);
            if (id >= 0)
                m->attr[id] |= TOKEN_CONTROL;
        }
        if (fim[i].ends)
            add_stop(s, id);
    }
    for (size_t i = 0; i < COUNT(end_names); i++) {
        int32_t id = find_name(m, end_names[i]);
        if (id >= 0)
            m->attr[id] |= TOKEN_CONTROL;
        add_stop(s, id);
    }
    for (size_t i = 0; i < COUNT(shown_names); i++) {
        int32_t id = find_name(m, shown_names[i]);
        if (id >= 0)
            m->attr[id] = TOKEN_USER_DEFINED;
    }
    add_stop(s, m->h->eos);
    add_stop(s, eot);
    add_stop(s, eom);
    correct_stops(m, s);
    qsort(s->ids, s->n, sizeof s->ids[0], compare_ids);
}

static int longer_first(const void *a, const void *b, void *ctx)
{
    const uint32_t *offset = ctx;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    uint32_t n = offset[x + 1] - offset[x], m = offset[y + 1] - offset[y];
    return n != m ? (n < m) - (n > m) : (x > y) - (x < y);
}

static bool is_special(const struct vocabulary_maker *m, uint32_t id)
{
    return m->attr[id] & (TOKEN_CONTROL | TOKEN_USER_DEFINED | TOKEN_UNKNOWN);
}

/* Puts both lists behind the image. */
static void write_lists(struct vocabulary_maker *m, const struct stop_set *s)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->h->n_vocab; i++)
        n += is_special(m, i);
    m->h->n_stops = s->n;
    m->h->n_special = n;
    maker_fit(m);
    memcpy(m->stops, s->ids, s->n * sizeof s->ids[0]);
    n = 0;
    for (uint32_t i = 0; i < m->h->n_vocab; i++)
        if (is_special(m, i))
            m->special[n++] = i;
    qsort_r(m->special, n, sizeof *m->special, longer_first, m->offset);
}

/* Phi-3's special tokens swallow white space behind them; only the model's name says so. */
static void strip_like_phi3(struct vocabulary_maker *m)
{
    static const char *const not [] = {"<unk>", "<s>", "<|endoftext|>"};
    const char *name;
    size_t len;
    char lower[128] = "";
    if (gguf_get_str(m->g, "general.name", &name, &len, NULL) != 0)
        return;
    for (size_t i = 0; i < len && i < sizeof lower - 1; i++)
        lower[i] = (char)tolower((unsigned char)name[i]);
    if (!strstr(lower, "phi-3") && !strstr(lower, "phi3"))
        return;
    for (uint32_t i = 0; i < m->h->n_special; i++)
        m->attr[m->special[i]] |= TOKEN_RSTRIP;
    int32_t id = find_name(m, "</s>");
    if (id >= 0)
        m->attr[id] |= TOKEN_RSTRIP;
    for (size_t i = 0; i < COUNT(not ); i++) {
        id = find_name(m, not [i]);
        if (id >= 0)
            m->attr[id] &= (uint8_t)~TOKEN_RSTRIP;
    }
}

int maker_special(struct vocabulary_maker *m, struct px_err *err)
{
    struct vocabulary_header *h = m->h;
    struct stop_set stops = {.n = 0};
    read_id(m, "bos", &h->bos);
    read_id(m, "eos", &h->eos);
    read_id(m, "unknown", &h->unknown);
    if (read_flag(m->g, "tokenizer.ggml.add_bos_token", &h->add_bos, err) != 0 ||
        read_flag(m->g, "tokenizer.ggml.add_eos_token", &h->add_eos, err) != 0 ||
        read_flag(m->g, "tokenizer.ggml.add_space_prefix", &h->add_space_prefix, err) != 0)
        return -1;
    if ((h->add_bos && h->bos < 0) || (h->add_eos && h->eos < 0))
        return px_fail(err, PX_EINPUT, "the tokenizer adds %s to every text but names none",
                       h->add_bos && h->bos < 0 ? "a BOS token" : "an EOS token");
    find_stops(m, &stops);
    write_lists(m, &stops);
    strip_like_phi3(m);
    return 0;
}
