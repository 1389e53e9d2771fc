/* outcome.h - what can become of a unit, in the words of reports and of a recipe's gates. */
#ifndef PROTO_OUTCOME_H
#define PROTO_OUTCOME_H

#include <stdbool.h>

/* Exactly one each. */
enum outcome {
    OUTCOME_MISSING = 0, /* not done (yet) */
    OUTCOME_RIGHT,
    OUTCOME_WRONG,
    OUTCOME_UNPARSED,  /* no answer or no code was found */
    OUTCOME_TRUNCATED, /* not right, and cut off at max_tokens */
    OUTCOME_TIMEOUT,
    OUTCOME_OVERFLOW, /* the context was full */
    OUTCOME_TOO_LONG, /* the prompt did not fit */
    OUTCOME_ERROR,    /* no answer for no fault of the model: backend, sandbox */
    OUTCOME_QUARANTINED,
    OUTCOME_UNSCORED, /* done, and nothing judges it */
    OUTCOME_GRADED,   /* judged by degrees (a rating, a probability, a loglikelihood): neither */
    N_OUTCOMES
};

const char *outcome_name(enum outcome o);
/* False when there is none of that name. */
bool outcome_by_name(const char *name, enum outcome *out);

/* Units without an answer for which the model's text is not to blame: OVERFLOW, TOO_LONG, ERROR,
 * QUARANTINED. The "error" of tables and gates. */
bool outcome_is_error(enum outcome o);

#endif
