/* collect.h - what a run came to, per group (cell x task): the numbers that every page shows.
 *
 * Everything but the `observed` members derives from compared parts of the store in the manifest's
 * order, so two runs of one recipe give the same numbers bit for bit. Denominators are the
 * manifest's: what is missing or failed counts as not right, it never drops out. */
#ifndef COORDINATOR_REPORT_COLLECT_H
#define COORDINATOR_REPORT_COLLECT_H

#include "coordinator/report/duel.h"
#include "coordinator/report/outcome.h"
#include "coordinator/report/speed.h"
#include "coordinator/report/stats.h"
#include "coordinator/report/walk.h"
#include "proto/accident.h"

enum { N_CLASSES = VERDICT_UNSCORED + 1, N_FINISHES = FINISH_SCORED + 1, MAX_METRICS = 64 };

/* How a metric is made of its problems' values. All but the mean are made of sums, see `aggregate`
 * in docs/tasks.md. */
enum metric_kind {
    METRIC_MEAN = 1,      /* mean over problems of the mean over their samples */
    METRIC_RATIO,         /* sum(of) / sum(over) */
    METRIC_EXP_NEG_RATIO, /* exp(-sum(of) / sum(over)): perplexities */
    METRIC_BITS_RATIO,    /* -sum(of) / sum(over) / ln 2 */
    METRIC_EXP_NEG_MEAN   /* exp(-mean(of)) */
};

struct metric_stats {
    char *name;
    enum metric_kind kind;
    uint32_t of, over; /* indices of metrics; kinds made of sums only */
    double value;
    double std_error; /* of a mean: sample standard deviation / sqrt n; NaN when there is none */
    struct interval interval;
    const char *method; /* of the interval: "wilson", "student", "bootstrap"; "" without one */
    bool binary;        /* every value was 0 or 1 */
    bool share;         /* lies in 0 .. 1 by its nature, as far as was seen: shown in percent */
    double *problem;    /* per problem, mean over its samples; unused for kinds made of sums */
    double problem_sum; /* of the problem at hand, while collecting */
};

/* A part of a group's problems (a subject of mmlu), or several parts together. */
struct part_stats {
    char *name;
    uint32_t family;     /* of a subset: index in families; PART_NONE when it has none */
    uint32_t n_subsets;  /* of a family: subsets that have problems in this run ... */
    uint32_t of_subsets; /* ... of so many in the task; 1 of 1 for a subset */
    uint32_t n_problems;
    uint64_t n, done; /* units */
    uint64_t outcomes[N_OUTCOMES];
    double *value;     /* per metric, over problems ("micro") */
    double *std_error; /* per metric; of a family by lm-eval's formula from its subsets */
    double *macro;     /* per metric: mean of the subsets' values; a family's only */
    double *macro_std_error;
    struct interval interval; /* of the headline's value */
};
#define PART_NONE UINT32_MAX

struct pairing {
    bool valid;
    uint32_t baseline;     /* group index */
    uint64_t n;            /* problems done in both */
    uint64_t gained, lost; /* problems whose value is better, worse than the baseline's */
    double difference;     /* of the values over those problems, cell - baseline */
    double p;              /* exact McNemar for 0 and 1, paired bootstrap otherwise */
    double
        speed_ratio; /* observed: decode speed over the baseline's on the same hosts; 0 unknown */
};

/* Majority vote: of each problem's answers the one that most samples gave. */
struct majority {
    bool valid; /* several samples of texts whose answers can be compared */
    double value;
    struct interval interval;
};

/* The headline by each of the task's ways to find an answer: "m" and "m,filter". */
struct spread {
    uint32_t n;               /* ways; nothing else holds below 2 */
    uint32_t lowest, highest; /* metric indices */
};

struct group_stats {
    const struct manifest_group *group;
    const struct manifest_cell *cell;
    const struct manifest_task *task;
    const char *model_digest; /* hex; borrowed */
    uint64_t n, done;
    uint32_t n_problems, samples, turns; /* units per problem: samples x turns */
    uint64_t outcomes[N_OUTCOMES];
    uint64_t classes[N_CLASSES];
    uint64_t finishes[N_FINISHES];
    uint64_t accidents[N_ACCIDENTS];          /* units with that accident */
    struct metric_stats metrics[MAX_METRICS]; /* the headline is the first */
    uint32_t n_metrics;
    struct pass_at {
        uint32_t k;
        double value;
    } * pass_at; /* pass@k for every k up to the samples (up to 100 and that of all), when > 1 */
    uint32_t n_pass_at;
    struct majority majority;
    struct spread spread;
    struct duel duel;           /* judged in pairs */
    struct part_stats *subsets; /* as the task names them; 0 when it has none */
    uint32_t n_subsets;
    struct part_stats *families; /* groups of subsets in the task's order, then "total" */
    uint32_t n_families;
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
    struct host_speeds speeds;
    uint64_t prompt_computed; /* prompt tokens that were computed, not shared */
    uint64_t retried;         /* units with more than one attempt */
    int64_t first_wall_us, last_wall_us;
    /* per problem */
    bool *problem_done;       /* all its units are done */
    uint32_t *problem_right;  /* units that are right */
    uint32_t *problem_subset; /* NULL when the task has none */
    /* per unit */
    uint8_t *unit_outcome; /* enum outcome */
    uint64_t
        *unit_text; /* eight bytes of the SHA-256 of the text or loglikelihoods; 0: no completion */
};

/* Known scores of a task's headline for answers that need no model; NaN: not known. */
struct bounds {
    double reference, empty, first; /* reference answers; nothing at all; always the first choice */
};

struct gate;
struct gate_result;

struct run_stats {
    struct manifest *manifest; /* owned */
    struct group_stats *groups;
    uint32_t n_groups;
    struct bounds *bounds;  /* per task */
    char **cell_digests;    /* per cell: digest of its model's weights, hex; "" unknown */
    uint64_t lost;          /* damaged records set aside */
    struct gate *gate_list; /* the recipe's (gates.h), and one result per group it speaks of */
    uint32_t n_gate_list;
    struct gate_result *gates;
    uint32_t n_gates;
};

/* How a group's units are laid out: problem by problem, each with samples x turns units. A group
 * that is laid out otherwise counts as one unit per problem. Not for groups without units. */
void group_layout(const struct manifest_group *g, uint32_t *samples, uint32_t *turns);
/* The id of a group's problem. */
const char *group_problem(const struct group_stats *g, uint32_t problem);
/* Some of its units are not done, or some of the task's subsets are not in it: whatever is said of
 * it must say so. */
bool group_incomplete(const struct group_stats *g);
/* The metric with that name, NULL when the group has none. */
const struct metric_stats *group_metric(const struct group_stats *g, const char *name);
/* Unbiased pass@k over problems; NaN unless 1 <= k <= samples, with one turn. */
double group_pass_at(const struct group_stats *g, uint32_t k);
/* Is the headline of a task shown in percent? */
bool task_in_percent(const struct run_stats *r, uint32_t task);

/* Sees every unit during the one pass over the store, in the manifest's order. */
typedef int (*collect_watch)(void *ctx, const struct sample *s, struct px_err *err);

/* Owned, or NULL with err (also when watch, which may be NULL, fails). One view of the store from
 * begin to end. */
struct run_stats *collect_run_watched(struct store *s, collect_watch watch, void *ctx,
                                      struct px_err *err);
struct run_stats *collect_run(struct store *s, struct px_err *err);
void run_stats_free(struct run_stats **r);

#endif
