/* tokenizer_build.h - the image of a vocabulary while it is made from a GGUF file's metadata. */
#ifndef PROTO_MODEL_TOKENIZER_BUILD_H
#define PROTO_MODEL_TOKENIZER_BUILD_H

#include "proto/model/gguf.h"
#include "proto/model/tokenizer_internal.h"

/* The image in one block of memory, for writing; `t` looks into the same block, so that entries
 * can be found as soon as they are in. */
struct vocabulary_maker {
    const struct gguf *g;
    struct tokenizer t;
    uint8_t *block;              /* owned */
    struct vocabulary_header *h; /* this and the following lie in the block */
    uint32_t *offset;
    uint8_t *attr;
    char *text;
    uint32_t *slots;
    float *score;
    struct bpe_merge *merges;
    uint32_t *merge_slots;
    uint32_t *stops, *special;
};

/* ---- tokenizer_build.c ---- */
/* Makes the block as long as the header's counts say; what is added is zero. */
void maker_fit(struct vocabulary_maker *m);

/* ---- tokenizer_build_merges.c: the merges and their table; entries must be there ---- */
int maker_merges(struct vocabulary_maker *m, struct px_err *err) PX_MUST_CHECK;

/* ---- tokenizer_build_special.c: what entries are more than text, which of them end a
 * generation; entries and their attributes must be there ---- */
int maker_special(struct vocabulary_maker *m, struct px_err *err) PX_MUST_CHECK;

#endif
