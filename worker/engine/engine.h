/* engine.h - many units through one model at once: continuous batching over paged KV.
 *
 * Units are submitted and come back when they are finished, each as soon as it is. A completion
 * depends on the weights, the prompt's tokens, sampler, seed, limits and KV type and on nothing
 * else. Every step runs a bounded slice: the next token of each decoding sequence, guesses at what
 * follows it where their rows cost little (draft.h), choices, and chunks of prompts. A unit's worst
 * case of KV pages is set aside before it starts, so nothing that runs is ever thrown out again;
 * admission.h says who starts first. What several units begin with is computed once, as long as
 * its pages find room (prefix_tree.h).
 *
 * One thread calls; the engine's own threads only work inside engine_step. */
#ifndef WORKER_ENGINE_ENGINE_H
#define WORKER_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/err.h"
#include "proto/model/tokenizer.h"
#include "proto/unit.h"
#include "worker/engine/model.h"

struct engine_config {
    const char *isa;  /* "auto" or a name of kernels_choose; NULL: auto */
    uint32_t threads; /* >= 1 */
    enum kv_type kv;
    int64_t memory_budget; /* bytes for KV pages and activations together */
    uint32_t max_rows;     /* units side by side; 0: 32; fewer when memory is short */
    uint32_t max_batch;    /* rows of one forward pass; 0: 512, fewer when memory is short */
    bool no_prefix_cache;  /* compute every prompt anew: the same bits, for comparison */
    bool no_speculation;   /* guess nothing: the same bits, for comparison */
    uint32_t speculation;  /* guess so many tokens in every step, however bad; 0: where it pays */
};

struct engine;

/* m and tok are borrowed for the engine's life; tok may be NULL when no unit has stop strings
 * and nobody reads the text. NULL with err PX_ELIMIT and the arithmetic when the budget cannot
 * hold the activations and one page of KV. */
struct engine *engine_new(const struct model *m, const struct tokenizer *tok,
                          const struct engine_config *cfg, struct px_err *err);
void engine_free(struct engine **e);

/* Takes a UNIT_GENERATE or UNIT_CHOICE unit; job and unit are borrowed until the ticket comes
 * back. Refused at once: no free row (PX_ELIMIT), token ids outside the vocabulary, an empty
 * prompt, no stop tokens for generation, reuse of layers that are not there, or a sequence that
 * could never fit into the pages (PX_ELIMIT, with the arithmetic). A prompt that is longer than
 * the context is no error: its completion says FINISH_TOO_LONG. */
int engine_submit(struct engine *e, const struct job *job, const struct unit *unit, uint64_t ticket,
                  struct px_err *err) PX_MUST_CHECK;
/* Forgets a unit; it will not be reported. Unknown tickets are ignored. */
void engine_cancel(struct engine *e, uint64_t ticket);

/* One forward pass at most (aim: 150 ms, 250 ms when only prompts are computed; longer where
 * reading the weights alone takes so long). */
void engine_step(struct engine *e);

/* The next finished unit, or false. *out is owned (completion_clear); its result part, n_prompt,
 * n_prompt_computed, prefill_s, decode_s, queue_s, batch and isa are filled. */
bool engine_take(struct engine *e, uint64_t *ticket, struct completion *out);

uint32_t engine_free_rows(const struct engine *e);
uint32_t engine_active(const struct engine *e); /* submitted and not yet taken */
uint64_t engine_tokens(const struct engine *e); /* rows computed so far, only grows */
const char *engine_isa(const struct engine *e);
uint32_t engine_max_rows(const struct engine *e);

struct engine_counters {
    uint64_t passes, rows;
    uint64_t drafted, accepted; /* guessed tokens, and how many of them were right */
};
struct engine_counters engine_counters(const struct engine *e);
/* Gives up all pages that no unit holds. True when no page is held then: of an idle engine this
 * tells that nothing was lost. */
bool engine_give_up_idle(struct engine *e);

#endif
