/* alarms.c - each alarm is one function that looks at one group. */
#include "coordinator/report/alarms.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"

enum { FEW = 5, REGULAR = 8 }; /* fewer units prove nothing */
#define BELOW_CHANCE_P 0.01
#define MANY_TRUNCATED 0.1

const char *alarm_severity_name(enum alarm_severity s)
{
    return s == ALARM_FAILURE ? "failure" : s == ALARM_WARNING ? "warning" : "note";
}

static void raise_alarm(struct alarms *a, enum alarm_severity severity, const char *kind,
                        uint32_t group, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static void raise_alarm(struct alarms *a, enum alarm_severity severity, const char *kind,
                        uint32_t group, const char *fmt, ...)
{
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    a->list = px_xrealloc(a->list, (a->n + 1) * sizeof *a->list);
    a->list[a->n++] = (struct alarm){severity, kind, group, px_xstrdup(text)};
}

static unsigned long long count(const struct group_stats *g, enum outcome o)
{
    return g->outcomes[o];
}

static void incomplete(const struct group_stats *g, uint32_t i, struct alarms *a)
{
    if (g->outcomes[OUTCOME_MISSING])
        raise_alarm(a, ALARM_FAILURE, "incomplete", i,
                    "%llu of %llu units are missing; the value counts them as not right",
                    count(g, OUTCOME_MISSING), (unsigned long long)g->n);
}

static void inert_reuse(const struct group_stats *g, uint32_t i, struct alarms *a)
{
    if (g->group->judged != MANIFEST_NONE)
        return; /* a judge answers by settings of its own */
    if (g->cell->reuse_on && g->long_sequences && g->reused_layer_steps == 0)
        raise_alarm(a, ALARM_FAILURE, "inert_reuse", i,
                    "layer reuse was asked for and reused nothing in %llu sequences of two or "
                    "more decode steps",
                    (unsigned long long)g->long_sequences);
}

static void errors(const struct group_stats *g, uint32_t i, struct alarms *a)
{
    static const struct {
        enum outcome outcome;
        enum alarm_severity severity;
        const char *kind, *words;
    } kinds[] = {
        {OUTCOME_QUARANTINED, ALARM_FAILURE, "quarantined",
         "were given up (quarantined); they count as not right"},
        {OUTCOME_ERROR, ALARM_FAILURE, "errors",
         "have no answer because of an error; they count as not right"},
        {OUTCOME_TIMEOUT, ALARM_WARNING, "timeouts", "ran out of CPU time in the tester"},
        {OUTCOME_OVERFLOW, ALARM_WARNING, "overflow", "filled the model's context"},
        {OUTCOME_TOO_LONG, ALARM_WARNING, "too_long",
         "have a prompt that does not fit the context; nothing was run"},
    };
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        if (g->outcomes[kinds[k].outcome])
            raise_alarm(a, kinds[k].severity, kinds[k].kind, i, "%llu of %llu units %s",
                        count(g, kinds[k].outcome), (unsigned long long)g->n, kinds[k].words);
    if ((double)g->outcomes[OUTCOME_TRUNCATED] > MANY_TRUNCATED * (double)g->n)
        raise_alarm(a, ALARM_WARNING, "truncated", i,
                    "%llu of %llu answers were cut off at max_tokens and are not right",
                    count(g, OUTCOME_TRUNCATED), (unsigned long long)g->n);
}

static void suspicious_score(const struct group_stats *g, uint32_t i, struct alarms *a)
{
    uint64_t right = g->outcomes[OUTCOME_RIGHT];
    if (g->outcomes[OUTCOME_UNSCORED] == g->done || g->outcomes[OUTCOME_GRADED])
        return; /* nothing is right or wrong there */
    if (g->done >= FEW && right == 0 && g->group->judged != MANIFEST_NONE) {
        raise_alarm(a, ALARM_WARNING, "zero", i,
                    "none of %llu judgements says what was asked for: check the judge's template "
                    "and max_tokens",
                    (unsigned long long)g->done);
        return;
    }
    if (g->done >= FEW && right == 0)
        raise_alarm(a, ALARM_WARNING, "zero", i,
                    "0 of %llu are right: check the prompt, the stop tokens and the extraction",
                    (unsigned long long)g->done);
    if (!(g->task->chance > 0) || g->done == 0)
        return;
    double p = stats_binomial_at_most(right, g->done, g->task->chance);
    if (p < BELOW_CHANCE_P)
        raise_alarm(a, ALARM_WARNING, "below_chance", i,
                    "%llu of %llu right is less than guessing (%.3g) would give: p = %.2g",
                    (unsigned long long)right, (unsigned long long)g->done, g->task->chance, p);
}

static void too_regular(const struct group_stats *g, uint32_t i, struct alarms *a)
{
    bool text = strcmp(g->task->request, "generate") == 0;
    if (text && g->one_length && g->n_completions >= REGULAR)
        raise_alarm(a, ALARM_WARNING, "one_length", i,
                    "all %llu completions have %u %s: a hidden cap, or a stop at once?",
                    (unsigned long long)g->n_completions, g->length,
                    g->generated_tokens ? "tokens" : "bytes");
    if (g->one_answer && g->n_answers >= REGULAR && g->n_problems > 1)
        raise_alarm(a, ALARM_WARNING, "one_answer", i,
                    "all %llu answers that were found are the same",
                    (unsigned long long)g->n_answers);
    if (text && g->temperature > 0 && g->compared_problems &&
        g->repeated_problems == g->compared_problems)
        raise_alarm(a, ALARM_WARNING, "equal_samples", i,
                    "the %u samples of each of %u problems are equal at temperature %g", g->samples,
                    g->compared_problems, g->temperature);
}

void alarms_find(const struct run_stats *r, struct alarms *out)
{
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < r->n_groups; i++) {
        const struct group_stats *g = &r->groups[i];
        incomplete(g, i, out);
        inert_reuse(g, i, out);
        errors(g, i, out);
        suspicious_score(g, i, out);
        too_regular(g, i, out);
    }
}

void alarms_clear(struct alarms *a)
{
    for (uint32_t i = 0; i < a->n; i++)
        free(a->list[i].text);
    free(a->list);
    memset(a, 0, sizeof *a);
}

bool alarms_failed(const struct alarms *a)
{
    for (uint32_t i = 0; i < a->n; i++)
        if (a->list[i].severity == ALARM_FAILURE)
            return true;
    return false;
}
