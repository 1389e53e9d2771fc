/* collect.h - what a run came to, per group (cell x task): the numbers that every page shows.
 *
 * Everything but the `observed` members derives from compared parts of the store in the manifest's
 * order, so two runs of one recipe give the same numbers bit for bit. Denominators are the
 * manifest's: what is missing or failed counts as not right, it never drops out. */
#ifndef COORDINATOR_REPORT_COLLECT_H
#define COORDINATOR_REPORT_COLLECT_H

#include "coordinator/report/stats.h"
#include "coordinator/report/walk.h"

/* What became of a unit; exactly one each. */
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
    N_OUTCOMES
};
const char *outcome_name(enum outcome o);
enum outcome outcome_of(const struct sample *s);

enum { N_CLASSES = VERDICT_UNSCORED + 1, N_FINISHES = FINISH_SCORED + 1, MAX_METRICS = 16 };

struct metric_stats {
    char *name;
    double value; /* mean over problems of the mean over their samples */
    struct interval interval;
    bool binary; /* every value was 0 or 1: Wilson's interval when there is one sample,
                  * or when all samples agree */
    /* sums of the collection */
    double sum, sum_of_squares;
    double problem_sum; /* of the problem at hand */
};

/* Speed on one host, observed. */
struct host_speed {
    char *host;
    uint64_t prompt_tokens, steps;
    double prefill_s, decode_s;
    uint64_t n;
};

struct pairing {
    bool valid;
    uint32_t baseline;     /* group index */
    uint64_t n;            /* problems done in both */
    uint64_t gained, lost; /* problems whose value is higher, lower than the baseline's */
    double difference;     /* mean over those problems, cell - baseline */
    double p;              /* exact McNemar (sign test over problems when samples > 1) */
    double
        speed_ratio; /* observed: decode speed over the baseline's on the same hosts; 0 unknown */
};

struct group_stats {
    const struct manifest_group *group;
    const struct manifest_cell *cell;
    const struct manifest_task *task;
    uint64_t n, done;
    uint32_t n_problems, samples; /* samples per problem */
    uint64_t outcomes[N_OUTCOMES];
    uint64_t classes[N_CLASSES];
    uint64_t finishes[N_FINISHES];
    struct metric_stats metrics[MAX_METRICS]; /* the headline is the first */
    uint32_t n_metrics;
    uint32_t n_pass_at; /* pass@k for the k that fit the samples, when samples > 1 */
    struct {
        uint32_t k;
        double value;
    } pass_at[8];
    uint64_t prompt_tokens, generated_tokens, decode_steps, refresh_steps, reused_layer_steps;
    uint64_t n_completions;
    struct pairing pairing; /* with the cell that differs in layer reuse alone */
    /* facts for alarms */
    uint64_t long_sequences; /* with at least two decode steps */
    bool one_length; /* all completions have `length` tokens (bytes, where there are no tokens) */
    uint32_t length;
    bool one_answer; /* all extracted answers are equal and not empty */
    uint64_t n_answers;
    uint32_t repeated_problems; /* all samples of the problem have the same text */
    uint32_t compared_problems; /* with at least two completions */
    double temperature;
    /* observed */
    struct host_speed *hosts;
    uint32_t n_hosts;
    uint64_t retried; /* units with more than one attempt */
    int64_t first_wall_us, last_wall_us;
    /* per problem: right samples and done samples, for pairings */
    double *problem_value;
    bool *problem_done;
};

struct run_stats {
    struct manifest *manifest; /* owned */
    struct group_stats *groups;
    uint32_t n_groups;
    uint64_t lost; /* damaged records set aside */
};

/* Owned, or NULL with err. One view of the store from begin to end. */
struct run_stats *collect_run(struct store *s, struct px_err *err);
void run_stats_free(struct run_stats **r);

/* Sums over a group's hosts, observed: tokens per second, 0 when nothing was measured. */
double group_prefill_speed(const struct group_stats *g);
double group_decode_speed(const struct group_stats *g);

#endif
