/* slot.h - one unit inside the engine: what it needs, what it feeds next, what logits make of it.
 *
 * A generation is one sequence; a question with choices is a context and, once that is computed,
 * lanes: forks of it that feed one continuation each (choices.h). The engine decides when; the
 * slot knows what. Used by engine.c alone, on its thread. */
#ifndef WORKER_ENGINE_SLOT_H
#define WORKER_ENGINE_SLOT_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/model/tokenizer.h"
#include "proto/unit.h"
#include "worker/engine/choices.h"
#include "worker/engine/draft.h"
#include "worker/engine/kv.h"
#include "worker/engine/model.h"
#include "worker/engine/pace.h"
#include "worker/engine/prefix_tree.h"
#include "worker/engine/reuse.h"
#include "worker/engine/think.h"

enum slot_state { SLOT_FREE = 0, SLOT_WAITING, SLOT_PREFILL, SLOT_DECODE, SLOT_LANES, SLOT_DONE };

struct lane {
    struct kv_seq seq;
    const struct choice_feed *feed;
    uint32_t n_fed; /* of its tokens, computed already */
    bool is_open;
};

struct slot {
    enum slot_state state;
    uint64_t ticket;
    uint64_t order;     /* of arrival, of beginning, of finishing: among those in its state */
    uint32_t overtaken; /* waiting: later ones that began before it */
    const struct job *job;
    const struct unit *unit;
    const struct model *m;
    const struct tokenizer *tok;

    const uint32_t *context; /* the prompt, or what all choices begin with; may be empty then */
    uint32_t n_context;
    struct kv_seq seq;        /* the context, then what was generated */
    uint32_t n_fed;           /* context tokens computed */
    uint32_t n_pages;         /* that this unit may need at most */
    uint32_t n_private;       /* of them not in `path`: set aside while it runs */
    struct prefix_path path;  /* full pages of the context */
    struct prefix_node *tail; /* the page after them, NULL without a prefix cache */

    uint32_t limit; /* tokens to generate at most */
    bool is_cut;    /* limit comes from the context, not from max_tokens */
    uint64_t problem_hash;
    struct reuse *reuse;
    struct think think;
    struct px_buf text;
    uint32_t cap_tokens; /* of out.tokens, which guesses follow */

    /* Guesses of the present pass: out.tokens[n_before .. n_before + n_draft). */
    uint32_t n_before; /* tokens before the pass */
    uint32_t n_draft, n_right;
    struct draft_record record;

    struct lane *lanes;
    uint32_t n_lanes;
    struct choices *choices;
    uint32_t next_feed; /* that no lane has taken yet */
    uint32_t n_scored;  /* choices that are finished */

    struct completion out;
    int64_t submitted_us, started_us, prefilled_us;
};

/* Checks a unit against the model and fills s (state SLOT_WAITING, or SLOT_DONE when nothing has
 * to be run). max_pages is what the pool has. On error s stays free. */
int slot_open(struct slot *s, const struct model *m, const struct tokenizer *tok,
              const struct job *job, const struct unit *unit, uint32_t max_pages,
              uint64_t page_bytes, struct px_err *err) PX_MUST_CHECK;
/* Tokens that a waiting unit computes at most, if nothing is there. */
uint64_t slot_work(const struct slot *s);
/* Frees everything but path and tail, which the engine closed; s is SLOT_FREE. */
void slot_close(struct slot *s, struct kv_pool *kv);

/* What one row's logits say: all that needs the whole vocabulary. */
struct slot_reading {
    const float *logits;
    bool is_finite;
    uint32_t token;     /* generation: the one taken; choices: the best */
    double log_sum_exp; /* choices only */
};

/* Reads a row's logits for a unit; index: the guess that the row was fed, 0 for none. Pure, any
 * thread: s is only looked at. */
struct slot_reading slot_read(const struct slot *s, const struct kernels *kn, uint32_t index,
                              const float *logits);

/* May begin: SLOT_PREFILL, or SLOT_LANES when there is no context to compute. */
void slot_start(struct slot *s, struct kv_pool *kv, int64_t now_us);
/* After the last context token: first generated token, or first tokens of all choices. */
void slot_prefilled(struct slot *s, struct kv_pool *kv, const struct slot_reading *r,
                    int64_t now_us);
/* After row `index` of a lane's feed, one that scores something. */
void slot_lane_scored(struct slot *s, struct kv_pool *kv, struct lane *lane, uint32_t index,
                      const struct slot_reading *r, int64_t now_us);

/* ---- decoding ---- */

/* How many guesses to take: as long as they are likely to be worth their rows. */
struct draft_plan {
    const struct pace *pace;
    uint32_t rows;     /* of the pass without them */
    uint32_t most;     /* rows there is room for; 0: none */
    uint32_t n_forced; /* take as many whatever they are worth; 0: see above */
};

/* Begins a decode step: it feeds the last token and then as many guesses as returned. */
uint32_t slot_begin_step(struct slot *s, const struct draft_plan *plan);
/* Position of the step's first row, and the token of row i. */
uint32_t slot_decode_pos(const struct slot *s);
uint32_t slot_decode_token(const struct slot *s, uint32_t i);
/* After row i of the step, in order. False for a row behind a wrong guess, or behind the end: what
 * it says is about another text. */
bool slot_decoded(struct slot *s, uint32_t i, const struct slot_reading *r, int64_t now_us);

#endif
