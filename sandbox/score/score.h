/* score.h - from a completion to a verdict: extraction, comparison, metrics.
 *
 * docs/scoring.md is the contract. A scorer works in two moments: score_begin looks at the
 * completion and either settles the verdict or gives a program to run; score_end turns the run's
 * result into the verdict. Compared fields of the verdict depend on the completion, the problem
 * and the scorer alone. Pure, but for the allocation of results. */
#ifndef SANDBOX_SCORE_SCORE_H
#define SANDBOX_SCORE_SCORE_H

#include <stdbool.h>

#include "proto/unit.h"
#include "sandbox/run.h"
#include "sandbox/score/text.h"

enum code_style {
    STYLE_COMPLETION = 1, /* the text continues the prompt */
    STYLE_FUNCTION,       /* the text holds the whole program */
    STYLE_RAW,            /* the program is the prompt and the text, nothing is looked for */
    STYLE_WHOLE           /* the program is the text, nothing is looked for */
};

struct scorer {
    const struct scorer_ops *ops; /* kinds.h */
    void *state;                  /* the kind's own */
    struct run_limits limits;     /* of programs; zero for kinds that run none */
};

/* From struct job's `scorer`. Unknown kinds, keys, values and versions are errors. */
int scorer_parse(const char *json, struct scorer *out, struct px_err *err) PX_MUST_CHECK;
void scorer_clear(struct scorer *s);

/* problem: struct unit's problem_json. Fills *v (owned, verdict_clear). *runs says whether *p
 * was filled (owned, program_clear) and has to be run before the verdict is complete. */
int score_begin(const struct scorer *s, const char *problem, const struct completion *c,
                struct verdict *v, struct program *p, bool *runs, struct px_err *err) PX_MUST_CHECK;

void score_end(const struct scorer *s, const struct run_result *r, struct verdict *v);

/* ---- the parts, for the kinds and tests ---- */

struct extract {
    char *text; /* owned; NULL when nothing was found */
    size_t n;
    const char *rule;            /* static; "" when none matched */
    enum verdict_class unusable; /* 0, or why there is nothing: no code, unparsed, overflow */
};

/* Code: the program text in a completion. entry_point may be "". */
void code_extract(struct span completion, enum code_style style, const char *entry_point,
                  struct extract *out);
/* The program to run. Owned; *n its length. */
char *code_program(enum code_style style, struct span prompt, const struct extract *e, size_t *n);

/* Numbers: canonical text ("-12.5"), or NULL. Owned. */
char *numeric_gold(struct span answer);
void numeric_extract(struct span completion, struct extract *out);
/* Letters: one of `letters` by an explicit pattern. */
void letter_extract(struct span completion, const char *letters, struct extract *out);

double choice_value(const struct choice_score *c, int kind);
/* Index of the first maximum of logprob / divisor (kind 0: 1, 1: code points, 2: bytes). */
uint32_t choice_best(const struct choice_score *c, uint32_t n, int kind);

#endif
