/* lm_eval.h - output of lm-evaluation-harness: results_<stamp>.json and
 * samples_<task>_<stamp>.jsonl of the tasks of one cell. The shapes are those of its
 * EvaluationTracker (version 0.4): a member that we cannot know is null. */
#ifndef COORDINATOR_EXPORT_LM_EVAL_H
#define COORDINATOR_EXPORT_LM_EVAL_H

#include "coordinator/export/export_inner.h"

/* One of its tasks: a group of ours, or one subset of it (mmlu_anatomy). */
struct lm_task {
    char *name;
    uint32_t group;
    uint32_t part; /* subset; PART_NONE: the whole group */
    FILE *samples;
    char *path;
    uint64_t n_docs;
    struct px_buf hashes; /* doc, prompt and target hash of every line */
    bool hashes_known;
};

/* A metric of ours as "name" and "filter"; what has none stands under "none". Name is owned. */
char *lm_metric(const char *metric, const char **filter);
/* Filters of a group in the order of its metrics; owned list of borrowed texts. */
const char **lm_filters(const struct group_stats *g, uint32_t *n);

/* Writes the lines of one group; its tasks (one per subset, or one) have their files open. */
int lm_samples(struct exporter *x, uint32_t group, struct lm_task *tasks, uint32_t n_tasks,
               struct px_err *err) PX_MUST_CHECK;

#endif
