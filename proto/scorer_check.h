/* scorer_check.h - are the values of a scorer's keys ones that can act? The coordinator asks when a
 * task file is loaded, the tester when it reads a job: both refuse the same scorers.
 *
 * Each takes the scorer's JSON object, whose keys are known to the kind. 0, or -1 with err in words
 * and *key the key at fault. docs/scoring.md describes the values. */
#ifndef PROTO_SCORER_CHECK_H
#define PROTO_SCORER_CHECK_H

#include <json-c/json.h>

#include "proto/err.h"

int scorer_check_text(struct json_object *scorer, const char **key, struct px_err *err);
int scorer_check_numeric(struct json_object *scorer, const char **key, struct px_err *err);
int scorer_check_choice(struct json_object *scorer, const char **key, struct px_err *err);
int scorer_check_math(struct json_object *scorer, const char **key, struct px_err *err);

/* ---- what lists of filters are made of, for those that run them ---- */

/* regex and multi_choice_regex without `regex_pattern`: lm-eval's default */
#define SCORER_DEFAULT_PATTERN "#### (\\-?[0-9\\.\\,]+)"
#define SCORER_DEFAULT_FALLBACK "[invalid]"

#endif
