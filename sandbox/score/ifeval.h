/* ifeval.h - the 25 verifiable instructions of IFEval (Zhou et al. 2023), strict and loose.
 *
 * Rules are those of google-research/instruction_following_eval as lm-eval 0.4 runs them, with
 * Python's idea of letters, white space and regular expressions. Three parts cannot be the
 * originals and are named in docs/scoring.md: sentences (sentences.h), tokens (words.h) and the
 * language of a text (language.h). Where the original draws a random letter to count (its letter
 * is no letter), the character that was asked for is counted. Everything is deterministic. */
#ifndef SANDBOX_SCORE_IFEVAL_H
#define SANDBOX_SCORE_IFEVAL_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>

#include "proto/err.h"
#include "sandbox/score/text.h"

enum { IFEVAL_MOST = 64 }; /* instructions of one prompt */

struct ifeval; /* the instructions of one prompt; immutable */

/* ids: array of texts ("punctuation:no_comma"); kwargs: array of objects, one per instruction. A
 * value that is null, 0 or "" counts as absent, and names that the instruction does not take are
 * ignored, as data sets that give every name to every instruction need. Owned; NULL with err for an
 * unknown instruction or an argument that is missing or of the wrong type. */
struct ifeval *ifeval_new(struct json_object *ids, struct json_object *kwargs, struct px_err *err);
void ifeval_free(struct ifeval *f); /* NULL is fine */
size_t ifeval_count(const struct ifeval *f);
const char *ifeval_id(const struct ifeval *f, size_t i); /* static */

/* Is each instruction followed? strict and loose hold ifeval_count flags. Strict: by the response
 * as it is. Loose: by any of eight variants, without its first line, its last line, both, and each
 * without asterisks. A blank text follows nothing. */
void ifeval_judge(const struct ifeval *f, struct span response, bool *strict, bool *loose);

#endif
