/* receipt.h - what exactly a model was given: one record per prompt, under its content key.
 *
 * Token ids are kept in blocks of RECEIPT_BLOCK that are stored once by their digest, so problems
 * that share few-shot examples share their blocks. */
#ifndef COORDINATOR_STORE_RECEIPT_H
#define COORDINATOR_STORE_RECEIPT_H

#include "coordinator/store/store.h"

enum { RECEIPT_BLOCK = 256 };

struct receipt {
    uint32_t accidents;    /* of the prompt: proto/accident.h */
    char *template;        /* the chat template that was applied; "" for a raw prompt */
    bool bos;              /* the first token is BOS */
    uint32_t n_cut;        /* tokens that were cut from the left */
    struct px_digest text; /* SHA-256 of the prompt's UTF-8 text (before tokens were cut) */
    uint32_t *tokens;      /* the prompt; for choices: what they share, then each choice's own */
    uint32_t n_tokens;
    uint32_t n_prompt; /* of them, the prompt or what choices share */
};

void receipt_clear(struct receipt *r);

/* Adds the receipt to a batch; one that is already stored is kept. */
void receipt_put(struct store_batch *b, const struct px_digest *content, const struct receipt *r);

/* 1: *out is filled (owned; tokens only when `tokens` is wished). 0: there is none, or a part of it
 * is damaged. */
int receipt_get(struct store_view *v, const struct px_digest *content, bool tokens,
                struct receipt *out);

#endif
