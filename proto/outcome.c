/* outcome.c - see outcome.h. */
#include "proto/outcome.h"

#include <string.h>

const char *outcome_name(enum outcome o)
{
    static const char *const names[N_OUTCOMES] = {
        "missing",  "right",    "wrong", "unparsed",    "truncated", "timeout",
        "overflow", "too_long", "error", "quarantined", "unscored",  "graded"};
    return o < N_OUTCOMES ? names[o] : "unknown";
}

bool outcome_by_name(const char *name, enum outcome *out)
{
    for (int i = 0; i < N_OUTCOMES; i++) {
        if (strcmp(outcome_name((enum outcome)i), name) == 0) {
            *out = (enum outcome)i;
            return true;
        }
    }
    return false;
}

bool outcome_is_error(enum outcome o)
{
    return o == OUTCOME_OVERFLOW || o == OUTCOME_TOO_LONG || o == OUTCOME_ERROR ||
           o == OUTCOME_QUARANTINED;
}
