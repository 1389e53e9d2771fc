/* tokenizer_internal.h - the vocabulary as the parts of the tokenizer share it. */
#ifndef PROTO_MODEL_TOKENIZER_INTERNAL_H
#define PROTO_MODEL_TOKENIZER_INTERNAL_H

#include "proto/model/tokenizer.h"
#include "proto/model/tokenizer_image.h"

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

/* The view of an image (tokenizer_image.h) that encoding and decoding work on. */
struct tokenizer {
    const struct vocabulary_header *h;
    const uint32_t *offset;         /* [n_vocab + 1] into text */
    const uint8_t *attr;            /* [n_vocab] enum token_attr */
    const char *text;               /* all entries, one after the other; none is empty */
    const uint32_t *slots;          /* [n_slots] text -> id, see token_slot; 0 is empty */
    const float *score;             /* SentencePiece: [n_vocab] */
    const struct bpe_merge *merges; /* BPE: [n_merges] */
    const uint32_t *merge_slots;    /* [n_merge_slots] (left, right) -> rank + 1, 0 is empty */
    const uint32_t *stops;          /* [n_stops], ascending */
    const uint32_t *special;        /* [n_special] entries found before the text is split, longest
                                       first */
    uint32_t slot_mask, merge_mask;
    struct splitter *splitter; /* BPE */
    char family[64];
    void *owned; /* the image, unless it is borrowed */
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

/* ---- tokenizer_special.c ---- */
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
/* What goes with a pre-tokenizer's name; fails on an unknown one and lists the known ones. */
int splitter_find(const char *name, size_t len, struct splitter_traits *traits,
                  struct px_err *err) PX_MUST_CHECK;
struct splitter *splitter_new(const char *name, size_t len, struct px_err *err);
void splitter_free(struct splitter **s);
/* Calls word() for every word of text, which must be valid UTF-8, in order. */
int splitter_run(const struct splitter *s, const char *text, size_t len,
                 int (*word)(void *ctx, const char *p, size_t n), void *ctx,
                 struct px_err *err) PX_MUST_CHECK;

/* ---- tokenizer_bpe.c ---- */
/* Code point below U+0144 that stands for a byte in an entry's text. */
unsigned bpe_stand_in(unsigned byte);
/* A code point below U+0800 as UTF-8; returns its 1 or 2 bytes. */
size_t bpe_put_code_point(char *out, unsigned cp);
static inline uint32_t bpe_hash_pair(uint32_t left, uint32_t right)
{
    uint64_t h = ((uint64_t)left << 32 | right) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint32_t)(h >> 32);
}
int bpe_encode(const struct tokenizer *t, const char *text, size_t len, struct id_list *out,
               struct px_err *err) PX_MUST_CHECK;
/* Appends the bytes that a byte-level entry stands for. */
void bpe_decode(const char *s, size_t n, struct px_buf *out);

/* ---- tokenizer_spm.c ---- */
/* text already has its spaces escaped. */
int spm_encode(const struct tokenizer *t, const char *text, size_t len, struct id_list *out,
               struct px_err *err) PX_MUST_CHECK;

#endif
