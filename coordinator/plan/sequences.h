/* sequences.h - token sequences whose ends are scored, and the unit that they make.
 *
 * A *sequence* is context and continuation. A unit holds what all contexts begin with once, as its
 * prompt; what is left of a context is the first, unscored tokens of its choice. */
#ifndef COORDINATOR_SEQUENCES_H
#define COORDINATOR_SEQUENCES_H

#include "coordinator/plan/model_file.h"
#include "coordinator/task/task.h"
#include "proto/unit.h"

enum { PROMPT_LIMIT = 32 << 20 }; /* bytes of a text that is tokenised */

struct sequence {
    uint32_t *ids;
    uint32_t n;
    uint32_t n_context; /* >= 1, below n */
    uint32_t n_bytes, n_chars;
};

struct sequences {
    struct sequence *list;
    uint32_t n;
    bool merged;    /* tokens merge across some context and its continuation */
    uint32_t n_cut; /* tokens that were cut from the left, of the sequence that lost most */
};

void sequences_clear(struct sequences *s);

/* Token ids of a text; owned. */
int plan_encode(const struct model_file *m, const struct px_buf *text, unsigned flags,
                uint32_t **ids, uint32_t *n, struct px_err *err) PX_MUST_CHECK;
/* What a text without context is predicted from: BOS, or EOS where there is no BOS. */
int plan_prefix_token(const struct model_file *m, uint32_t *id, struct px_err *err) PX_MUST_CHECK;

/* The choices of p behind `prompt` (their own contexts in between), and with `mutual_info` each
 * choice once more behind nothing. */
int sequences_of_choices(const struct model_file *m, const struct px_buf *prompt, unsigned flags,
                         const struct task_prompt *p, bool mutual_info, struct sequences *out,
                         struct px_err *err) PX_MUST_CHECK;
/* The windows of a text; `context` is the model's limit. */
int sequences_of_text(const struct model_file *m, const char *text, const struct task_windows *w,
                      uint32_t context, struct sequences *out, struct px_err *err) PX_MUST_CHECK;

/* Leaves the last limit + 1 tokens of each (the last one is never an input), a token of context at
 * least. */
void sequences_cut(struct sequences *s, uint32_t limit);
/* Fills the unit's prompt and choices. */
void sequences_share(const struct sequences *s, struct unit *u);

#endif
