/* outcome.h - what became of a unit, in the words of every report. */
#ifndef COORDINATOR_REPORT_OUTCOME_H
#define COORDINATOR_REPORT_OUTCOME_H

#include "coordinator/report/walk.h"

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
enum outcome outcome_of(const struct sample *s);

/* Units without an answer for which the model's text is not to blame: OVERFLOW, TOO_LONG, ERROR,
 * QUARANTINED. The "error" of tables and gates. */
bool outcome_is_error(enum outcome o);

#endif
