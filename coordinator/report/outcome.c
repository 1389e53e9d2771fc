/* outcome.c - see outcome.h. */
#include "coordinator/report/outcome.h"

static enum outcome outcome_of_class(enum verdict_class class)
{
    switch (class) {
    case VERDICT_PASSED:
    case VERDICT_FAILED_ASSERTION:
    case VERDICT_WRONG_ANSWER:
    case VERDICT_COMPILE_ERROR:
    case VERDICT_RUNTIME_ERROR:
    case VERDICT_MEMORY_LIMIT:
    case VERDICT_OUTPUT_LIMIT:
    case VERDICT_SECURITY_VIOLATION:
        return OUTCOME_WRONG;
    case VERDICT_TIMEOUT:
        return OUTCOME_TIMEOUT;
    case VERDICT_NO_CODE:
    case VERDICT_UNPARSED:
        return OUTCOME_UNPARSED;
    case VERDICT_OVERFLOW:
        return OUTCOME_OVERFLOW;
    case VERDICT_TOO_LONG:
        return OUTCOME_TOO_LONG;
    case VERDICT_UNSCORED:
        return OUTCOME_UNSCORED;
    case VERDICT_ERROR:
    case VERDICT_INCONCLUSIVE:
    case VERDICT_SANDBOX_ERROR:
    default:
        return OUTCOME_ERROR;
    }
}

enum outcome outcome_of(const struct sample *s)
{
    if (!sample_done(s))
        return OUTCOME_MISSING;
    if (!s->has_verdict && s->quarantine)
        return OUTCOME_QUARANTINED;
    enum outcome o = outcome_of_class(sample_class(s));
    if (s->has_verdict) {
        /* the headline decides: for a choice it may be acc_norm, where the class goes by acc */
        double v = sample_value(s);
        bool answered = o == OUTCOME_WRONG || o == OUTCOME_UNSCORED;
        if (answered && (s->graded || v > 1 || v < 0 || (v > 0 && v < 1)))
            return OUTCOME_GRADED;
        if (!s->graded && v >= 1)
            return OUTCOME_RIGHT;
    }
    bool cut = s->has_completion && s->completion.finish == FINISH_LENGTH;
    return cut && (o == OUTCOME_WRONG || o == OUTCOME_UNPARSED) ? OUTCOME_TRUNCATED : o;
}
