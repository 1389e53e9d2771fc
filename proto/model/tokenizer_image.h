/* tokenizer_image.h - the vocabulary as one block of bytes that is used where it lies.
 *
 * An image holds all that encoding and decoding need, hash tables included, and no addresses: it
 * can be part of a file, mapped read-only by many processes at any place. Little-endian; a header,
 * then the arrays in the order of struct vocabulary_layout, each at a multiple of
 * VOCABULARY_ALIGN with zero bytes in front. Their places follow from the header's counts, so
 * there are no offsets to trust.
 *
 * The tables are part of the format: token_hash, token_slot, bpe_hash_pair and linear probing.
 * Whatever changes the bytes that are built from the same file makes a new VOCABULARY_VERSION
 * (and a new IMPORTED_VERSION, imported.h). */
#ifndef PROTO_MODEL_TOKENIZER_IMAGE_H
#define PROTO_MODEL_TOKENIZER_IMAGE_H

#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"

#define VOCABULARY_MAGIC "PXVOCAB\n"
enum {
    VOCABULARY_VERSION = 1,
    VOCABULARY_ALIGN = 64,
    VOCABULARY_ID_BITS = 22,
    VOCABULARY_MAX = (1 << VOCABULARY_ID_BITS) - 1, /* entries */
    VOCABULARY_MAX_ENTRY = 1 << 16,                 /* bytes of one */
    VOCABULARY_MAX_MERGES = 1 << 24
};

struct vocabulary_header {
    char magic[8];
    uint32_t version;
    uint32_t n_vocab;
    uint64_t bytes; /* of the whole image */
    uint32_t text_bytes;
    uint32_t max_len;  /* bytes of the longest entry */
    uint32_t n_slots;  /* a power of two above n_vocab */
    uint32_t n_scores; /* n_vocab for SentencePiece, 0 for BPE */
    uint32_t n_merges;
    uint32_t n_merge_slots; /* a power of two above n_merges; 0 for SentencePiece */
    uint32_t n_stops;
    uint32_t n_special;
    int32_t bos, eos, unknown; /* -1: none */
    uint8_t is_spm;            /* this and the following are 0 or 1 */
    uint8_t ignore_merges;     /* a word that is an entry is that entry, whatever the merges say */
    uint8_t add_space_prefix;
    uint8_t clean_spaces; /* decoding drops the space before punctuation */
    uint8_t add_bos;
    uint8_t add_eos;
    uint8_t zero[2];
    char pre[52];         /* BPE: the pre-tokenizer's name, zero bytes behind it */
    int32_t byte_id[256]; /* token that stands for one byte, -1 when there is none */
};

/* Places from the start of the image; `bytes` is its whole length. */
struct vocabulary_layout {
    uint64_t offset, attr, text, slots, score, merges, merge_slots, stops, special, bytes;
};
void vocabulary_place(const struct vocabulary_header *h, struct vocabulary_layout *l);

/* One slot of the table text -> id: the upper bits of the text's hash over id + 1. */
static inline uint32_t token_slot(uint32_t hash, uint32_t id)
{
    return (hash & ~(uint32_t)VOCABULARY_MAX) | (id + 1);
}

struct tokenizer;
/* Points the arrays of t into an image whose header is already right. */
void vocabulary_bind(struct tokenizer *t, const void *image);
/* Everything that a lookup relies on, in one pass over the tables: after it no image, however
 * damaged, leads outside its bytes or into an endless loop. It does not say that the answers are
 * right: that takes the checksum of the file. */
int vocabulary_check(const void *image, size_t n, struct px_err *err) PX_MUST_CHECK;

#endif
