/* scorer_kinds.h - what kinds of scorers there are: the table that the coordinator checks task
 * files against and that the tester's own kinds are held to by a test. docs/scoring.md describes
 * each. */
#ifndef PROTO_SCORER_KINDS_H
#define PROTO_SCORER_KINDS_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/err.h"

/* Of all kinds; raised when a verdict could change, so that stored ones are not taken for new ones.
 * A task file that asks for another is refused. */
#define SCORER_VERSION 1

/* What a scorer reads of a completion. */
enum scorer_input { SCORER_TEXT = 1, SCORER_LOGLIKELIHOODS, SCORER_NOTHING };

struct scorer_kind {
    const char *name;
    enum scorer_input input;
    const char *const *keys;    /* of `scorer`, beside kind, version and problem; ends with NULL */
    const char *const *needs;   /* what `problem` must hold; ends with NULL */
    const char *const *metrics; /* "name", or "name,*" for any word behind the comma; NULL ends */
    /* Are the values of its keys ones that can act (proto/scorer_check.h)? NULL: nothing to ask. */
    int (*check)(struct json_object *scorer, const char **key, struct px_err *err);
};

/* NULL when there is none of that name. */
const struct scorer_kind *scorer_kind_find(const char *name);
/* The i-th kind, NULL behind the last. */
const struct scorer_kind *scorer_kind_at(uint32_t i);
/* Can a verdict of this kind have that metric? */
bool scorer_kind_emits(const struct scorer_kind *k, const char *metric);

#endif
