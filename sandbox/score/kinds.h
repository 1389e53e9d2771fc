/* kinds.h - what a kind of scorer is made of. Each lives in kind_<name>.c; kinds.c lists them.
 *
 * A kind either judges a completion by itself (score) or makes a program that has to be run
 * (program, then after). Compared fields of a verdict depend on completion, problem and scorer
 * alone. State is made once per job and read by many units; no kind keeps anything else. */
#ifndef SANDBOX_SCORE_KINDS_H
#define SANDBOX_SCORE_KINDS_H

#include <json-c/json.h>
#include <stdbool.h>

#include "proto/unit.h"
#include "sandbox/run.h"
#include "sandbox/score/score.h"

struct scoring {
    struct json_object *problem; /* an object */
    const char *problem_text;    /* the same as JSON text */
    const struct completion *completion;
    struct span answer; /* the text behind a thought that was marked by token ids; else all of it */
};

struct scorer_ops {
    const char *kind;
    /* spec: struct job's scorer, whose keys were checked against proto/scorer_kinds.h. Fills
     * *state (owned; may stay NULL) and, for programs, *limits. NULL when there is nothing to read.
     */
    int (*parse)(struct json_object *spec, void **state, struct run_limits *limits,
                 struct px_err *err);
    void (*free)(void *state);
    /* v is blank; fills class, extracted, rule and metrics. -1: the problem itself is unusable. */
    int (*score)(const void *state, const struct scoring *in, struct verdict *v,
                 struct px_err *err);
    /* Instead of score. *runs: p is filled (its limits were the job's) and has to be run; otherwise
     * the verdict is complete. */
    int (*program)(const void *state, const struct scoring *in, struct verdict *v,
                   struct program *p, bool *runs, struct px_err *err);
    void (*after)(const void *state, const struct run_result *r, struct verdict *v);
    /* Adds the metrics of a completion that cannot be scored (context overflow, backend error). */
    void (*zero)(const void *state, const struct scoring *in, struct verdict *v);
};

extern const struct scorer_ops scorer_code, scorer_numeric, scorer_text, scorer_choice,
    scorer_choice_mass, scorer_continuation, scorer_rolling, scorer_letter, scorer_function_call,
    scorer_digest, scorer_rating, scorer_pairwise, scorer_turn, scorer_ifeval, scorer_math,
    scorer_none;

/* NULL when there is none of that name. */
const struct scorer_ops *scorer_ops_find(const char *kind);

/* ---- helpers for kinds ---- */

/* A text member of the problem; n = 0 when it is absent or no text. Borrowed. */
struct span scoring_text(const struct scoring *in, const char *key);
/* Moves an extract into the verdict: extracted, rule and, when it is unusable, the class. */
void verdict_put_extract(struct verdict *v, struct extract *e);
/* Replaces detail. */
void verdict_put_detail(struct verdict *v, const char *text);
/* Adds the metrics, all 0. */
void verdict_zero(struct verdict *v, const char *const *names);

#endif
