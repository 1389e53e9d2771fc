/* task.h - a benchmark as data: where its problems are, how one becomes a prompt, how it is scored.
 *
 * A task is a YAML file (recipes/tasks/<name>.yaml or a path). docs/tasks.md describes the keys.
 * Problems are read once, checked against the file's SHA-256 and row count, and kept in memory as
 * the file's text, parsed when one is asked for. Immutable after loading, except for a table of
 * draws that task_render fills for `selection: lm-eval`: one thread at a time. */
#ifndef COORDINATOR_TASK_H
#define COORDINATOR_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/buf.h"
#include "proto/digest.h"
#include "proto/err.h"
#include "proto/model/chat.h"

struct task;

struct task_env {
    const char *data_dir; /* --data, or NULL; then PROCTOR_DATA, the cache's data/, recipes/data */
    uint64_t seed;        /* the recipe's: few-shot draws are keyed by (seed, problem) */
    const char *compat;   /* NULL or "": the file as it is; "lm-eval": with its rules for that */
    const char *strategy; /* NULL or "": the file as it is; else one of its strategies */
};

/* A text; loglikelihoods of given continuations; the loglikelihood of a whole text. */
enum task_request { TASK_GENERATE = 1, TASK_CHOICE, TASK_ROLLING };
const char *task_request_name(enum task_request r); /* "generate", "choice", "rolling" */

/* How a long text is scored (coordinator/plan/windows.h). */
enum windows_rule { WINDOWS_ROLLING, WINDOWS_LLAMACPP };

struct task_windows {
    enum windows_rule rule;
    uint32_t context; /* tokens of a window; 0: the model's */
    bool score_bos;   /* rolling: the text's own BOS is scored, behind another one (lm-eval) */
};

/* How a judge model looks at answers: one by one, or two beside each other. */
enum judge_mode { JUDGE_NONE = 0, JUDGE_SINGLE, JUDGE_PAIRWISE };

enum { TASK_MAX_TURNS = 8 };

/* NULL with err: PX_EMISSING says what to get and where to put it; PX_EINPUT has
 * file:line:column for a bad task file, file:line for a bad row. */
struct task *task_load(const char *name_or_path, const struct task_env *env, struct px_err *err);
void task_free(struct task **t);

/* Owned path of the task file of that name or path; NULL with err. */
char *task_file_path(const char *name_or_path, struct px_err *err);

const char *task_name(const struct task *t);
const char *task_compat(const struct task *t);   /* "" or "lm-eval" */
const char *task_strategy(const struct task *t); /* "" or the one that it was loaded with */
enum task_request task_request(const struct task *t);
const char *task_headline(const struct task *t); /* metric shown first */
bool task_lower_is_better(const struct task *t); /* of the headline */
/* Metrics made of sums over the problems: JSON list of {"metric", "kind", "of", "over"}, see
 * `aggregate` in docs/tasks.md; "[]" when there are none. */
const char *task_aggregates_json(const struct task *t);
/* Scores that are known: {"reference": {metric: value}, "empty": ..., "first": ...}. */
const char *task_oracle_json(const struct task *t);
const char *task_scorer_kind(const struct task *t);
const char *task_scorer(const struct task *t); /* JSON object, borrowed: struct job's scorer */
double task_chance(const struct task *t);      /* 0 when unknown */
uint32_t task_max_tokens(const struct task *t);
const char *const *task_stops(const struct task *t, uint32_t *n);
int32_t task_fewshot(const struct task *t);
bool task_chat(const struct task *t);        /* wants the model's chat template */
bool task_takes_chat(const struct task *t);  /* can its prompts be messages at all? */
bool task_truncates(const struct task *t);   /* a prompt that is too long loses its first tokens */
bool task_mutual_info(const struct task *t); /* choices are scored behind nothing, too */
struct task_windows task_windows(const struct task *t); /* TASK_ROLLING */
/* Digest over the task file, the data and everything that decides prompts and scores. */
struct px_digest task_digest(const struct task *t);
/* Of the rows that shots are drawn from, when they are not the task's own (zero then). It is part
 * of task_digest only when the file itself wants shots: their file may be missing otherwise. */
struct px_digest task_pool_digest(const struct task *t);

uint32_t task_n_problems(const struct task *t);
const char *task_problem_id(const struct task *t, uint32_t i);
struct px_digest task_problem_digest(const struct task *t, uint32_t i); /* of its row */
/* Subsets: labels that problems share, in the order in which they first appear. */
uint32_t task_n_subsets(const struct task *t); /* 0: the task has none */
const char *task_subset_name(const struct task *t, uint32_t subset);
const char *task_subset_group(const struct task *t, uint32_t subset); /* "" when in no group */
uint32_t task_subset(const struct task *t, uint32_t i); /* of a problem; 0 when there are none */
const char *task_subsets_json(const struct task *t);    /* [{"name", "group"}], "[]" for none */
/* JSON object for struct unit's problem_json: the scorer's fields, rendered. Appended to out. */
int task_problem_json(const struct task *t, uint32_t i, struct px_buf *out,
                      struct px_err *err) PX_MUST_CHECK;

/* A text or number of the problem's row under a dotted path, as text. Owned; NULL when there is no
 * such field or it is a list, a map or null. */
char *task_field(const struct task *t, uint32_t i, const char *path);

/* The problem's row as a JSON object, appended to out. */
void task_row_json(const struct task *t, uint32_t i, struct px_buf *out);

struct task_choice {
    char *text;         /* the choice itself: lengths for acc_norm come from it */
    char *continuation; /* what is scored: delimiter + text */
    char *context;      /* stands between prompt and continuation; NULL: the prompt is all */
};

/* A rendered problem. Either `prompt` (raw) or messages (chat) is filled, or `text` (rolling);
 * owned by the caller. */
struct task_prompt {
    char *prompt;                  /* raw: everything before the model's first token */
    char *question;                /* the problem alone, without head, shots and prefix */
    struct chat_message *messages; /* chat: strings owned with the struct */
    uint32_t n_messages;
    char *prefix; /* chat: text that opens the assistant's turn ("" when none) */
    struct task_choice *choices;
    uint32_t n_choices;
    char *text; /* TASK_ROLLING: what is scored */
};

/* fewshot: -1 for the task's own number. chat: messages instead of one text. */
int task_render(const struct task *t, uint32_t i, int32_t fewshot, bool chat,
                struct task_prompt *out, struct px_err *err) PX_MUST_CHECK;
void task_prompt_clear(struct task_prompt *p);

/* ---- conversations and judges ---- */

uint32_t task_n_turns(const struct task *t); /* 1 for a single question */
bool task_has_judge(const struct task *t, enum judge_mode mode);
/* A judge of the task's answers, as a task named "<task>/single" or "<task>/pairwise" with the same
 * problems. Borrows from `of`, which must outlive it; freed by task_free. */
struct task *task_judge_new(const struct task *of, enum judge_mode mode);
enum judge_mode task_judge_mode(const struct task *t); /* JUDGE_NONE for any other task */

/* Answers that a prompt quotes: of the turns before (a conversation), or of the turns to be judged.
 */
struct task_answers {
    uint32_t turn;
    const char *const *first;  /* `answers` in templates; in a conversation what was said */
    const char *const *second; /* `answers_b`: pairwise only, else NULL */
    uint32_t n;                /* of each */
};

/* As task_render, of a later turn or of a judge; those two want a chat template. */
int task_render_turn(const struct task *t, uint32_t i, int32_t fewshot, bool chat,
                     const struct task_answers *answers, struct task_prompt *out,
                     struct px_err *err) PX_MUST_CHECK;

/* Can this many shots be made (-1: the task's own number)? For refusing a recipe's `fewshot` before
 * a run begins; task_render fails in the same cases. */
int task_check_fewshot(const struct task *t, int32_t fewshot, struct px_err *err) PX_MUST_CHECK;

/* The reference solution as a completion (scorers are tested on it), or NULL. Owned. */
char *task_reference(const struct task *t, uint32_t i);

#endif
