/* tokenizer_internal.h - the vocabulary as the parts of the tokenizer share it. */
#ifndef PROTO_MODEL_TOKENIZER_INTERNAL_H
#define PROTO_MODEL_TOKENIZER_INTERNAL_H

#include "proto/model/tokenizer.h"

/* What an entry is; the first six as the file says, bits because some get CONTROL on top. */
enum token_attr {
    TOKEN_NORMAL = 1,
    TOKEN_UNKNOWN = 2,
    TOKEN_CONTROL = 4,
    TOKEN_USER_DEFINED = 8,
    TOKEN_UNUSED = 16,
    TOKEN_BYTE = 32,
    TOKEN_RSTRIP = 64 /* swallows the white space behind it */
};

struct bpe_merge {
    uint32_t left, right, result; /* token ids; the rank is the place in the array */
};

struct splitter;

struct tokenizer {
    bool is_spm;
    char family[64];

    uint32_t n_vocab;
    char *text;       /* all entries, one after the other */
    uint32_t *offset; /* [n_vocab + 1] into text */
    uint32_t max_len; /* bytes of the longest entry */
    uint8_t *attr;    /* [n_vocab] */
    uint64_t *slots;  /* text -> id: hash in the upper half, id + 1 in the lower, 0 empty */
    uint32_t slot_mask;

    float *score; /* SentencePiece: [n_vocab] */

    struct bpe_merge *merges; /* BPE */
    uint32_t n_merges;
    uint32_t *merge_slots; /* (left, right) -> rank + 1, 0 empty */
    uint32_t merge_mask;
    struct splitter *splitter;
    bool ignore_merges; /* a word that is an entry is that entry, whatever the merges say */

    int32_t byte_id[256]; /* token that stands for one byte, -1 when there is none */
    bool add_space_prefix;
    bool clean_spaces; /* decoding drops the space before punctuation */
    bool add_bos;
    bool add_eos;
    int32_t bos, eos, unknown;
    uint32_t *stops; /* ascending */
    size_t n_stops;
    uint32_t *special; /* entries matched before the text is split, longest first */
    uint32_t n_special;
};

/* ---- tokenizer.c ---- */
int32_t token_find(const struct tokenizer *t, const char *s, size_t n);
/* The same in two steps: the memory that the second will touch is on its way meanwhile. */
uint32_t token_hash(const char *s, size_t n);
static inline void token_prefetch(const struct tokenizer *t, uint32_t hash)
{
    __builtin_prefetch(&t->slots[hash & t->slot_mask]);
}
int32_t token_find_hashed(const struct tokenizer *t, const char *s, size_t n, uint32_t hash);
static inline const char *token_text(const struct tokenizer *t, uint32_t id, size_t *len)
{
    *len = t->offset[id + 1] - t->offset[id];
    return t->text + t->offset[id];
}

/* A growing list of ids. */
struct id_list {
    uint32_t *ids;
    size_t n, cap;
};
void id_push(struct id_list *l, uint32_t id);

/* ---- tokenizer_special.c: attributes, special ids, stop set, the list of special entries ---- */
int special_load(struct tokenizer *t, const struct gguf *g, struct px_err *err) PX_MUST_CHECK;

/* A piece of text, or a special token found in it (token >= 0). */
struct fragment {
    size_t at, len;
    int32_t token;
};
/* Cuts text at special tokens; with parse_special false only at user-defined ones. *out is
 * owned. */
void special_partition(const struct tokenizer *t, const char *text, size_t len, bool parse_special,
                       struct fragment **out, size_t *n);

/* ---- tokenizer_split.c: the pre-tokenizers ---- */
struct splitter_traits {
    bool ignore_merges;
    bool add_bos;
    bool clean_spaces;
};
/* NULL with err when the name is unknown (the error lists the known ones). */
struct splitter *splitter_new(const char *name, size_t len, struct splitter_traits *traits,
                              struct px_err *err);
void splitter_free(struct splitter **s);
/* Calls word() for every word of text, which must be valid UTF-8, in order. */
int splitter_run(const struct splitter *s, const char *text, size_t len,
                 int (*word)(void *ctx, const char *p, size_t n), void *ctx,
                 struct px_err *err) PX_MUST_CHECK;

/* ---- tokenizer_bpe.c ---- */
int bpe_load(struct tokenizer *t, const struct gguf *g, struct px_err *err) PX_MUST_CHECK;
int bpe_encode(const struct tokenizer *t, const char *text, size_t len, struct id_list *out,
               struct px_err *err) PX_MUST_CHECK;
/* Appends the bytes that a byte-level entry stands for. */
void bpe_decode(const char *s, size_t n, struct px_buf *out);

/* ---- tokenizer_spm.c ---- */
int spm_load(struct tokenizer *t, const struct gguf *g, struct px_err *err) PX_MUST_CHECK;
/* text already has its spaces escaped. */
int spm_encode(const struct tokenizer *t, const char *text, size_t len, struct id_list *out,
               struct px_err *err) PX_MUST_CHECK;

#endif
