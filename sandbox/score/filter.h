/* filter.h - the filters and the exact_match of lm-evaluation-harness, on one response.
 *
 * A pipeline is a named list of filters; each turns a text into a text. Semantics are those of
 * lm-eval's filters/extraction.py, transformation.py and selection.py, and of the exact_match of
 * Hugging Face evaluate that its api/metrics.py carries; docs/scoring.md lists them. Texts are
 * well-formed UTF-8 (pystr_clean). What depends on several responses (majority_vote, take_first_k)
 * leaves the one response as it is. */
#ifndef SANDBOX_SCORE_FILTER_H
#define SANDBOX_SCORE_FILTER_H

#include <json-c/json.h>
#include <stdbool.h>

#include "proto/err.h"
#include "sandbox/score/text.h"

struct pipeline;

struct pipelines {
    struct pipeline *list;
    size_t n;
};

/* A scorer's `filters`, checked by proto/scorer_check.h; NULL gives one pipeline "none" that takes
 * the response as it is. Expressions are compiled here, once per job. *out owned
 * (pipelines_clear). */
int pipelines_parse(struct json_object *filters, struct pipelines *out,
                    struct px_err *err) PX_MUST_CHECK;
/* One pipeline with one regex filter. */
int pipelines_regex(const char *name, struct span pattern, int64_t select, struct pipelines *out,
                    struct px_err *err) PX_MUST_CHECK;
void pipelines_clear(struct pipelines *p);
const char *pipeline_name(const struct pipelines *p, size_t i);
size_t pipelines_find(const struct pipelines *p, const char *name); /* n when there is none */

struct filtered {
    char *text; /* owned */
    size_t n;
    bool fallback; /* an expression did not match */
    bool none;     /* a map without default had no entry: equals nothing */
    bool limited;  /* an expression ran out of work (pyregex.h) */
};

/* choices: what multi_choice_regex looks for, an array of texts or NULL. */
void pipeline_run(const struct pipelines *p, size_t i, struct span text,
                  struct json_object *choices, struct filtered *out);

/* ---- exact_match ---- */

struct exact_match; /* a scorer's `exact_match`, compiled */

int exact_match_parse(struct json_object *o, struct exact_match **out,
                      struct px_err *err) PX_MUST_CHECK; /* o NULL: plain equality */
void exact_match_free(struct exact_match *m);
bool exact_match_same(const struct exact_match *m, struct span prediction, struct span reference,
                      bool *limited);

#endif
