/* conform.h - a peer's samples against what we make of the same documents.
 *
 * Per document, in this order, and the first difference is kept: the prompt and each continuation
 * (`arguments`), the hashes of document, prompt and target as recomputed from the row itself, the
 * filtered answer, each metric. Then per task: every metric's mean and standard error, and the hash
 * over all documents. Nothing here runs a model: prompts come from our task, answers from theirs.
 */
#ifndef COORDINATOR_RECORDED_CONFORM_H
#define COORDINATOR_RECORDED_CONFORM_H

#include "coordinator/recorded/graded.h"
#include "coordinator/recorded/peer_run.h"
#include "coordinator/task/task.h"
#include "proto/recording.h"

struct conform_difference {
    uint64_t doc;
    char *field;         /* "arguments.gen_args_0.arg_0", "acc,none" ... */
    char *ours, *theirs; /* owned; around the first difference where they are long */
    size_t at;           /* code points that are equal before it */
};

struct conform_metric {
    char *name, *filter;
    uint64_t n;
    double sum, sum_of_squares; /* of ours */
    double *values;             /* of a perplexity: its error is bootstrapped */
    uint32_t n_values, cap_values;
};

struct conform_result {
    uint64_t docs;        /* rows of one filter */
    uint64_t rows;        /* all filters */
    uint64_t differ;      /* documents with a difference */
    uint64_t n_fields[5]; /* compared: prompts, hashes, filtered, metrics, aggregates */
    uint64_t differ_fields[5];
    struct conform_difference *list;
    uint32_t n_list, cap_list;
    struct conform_metric *metrics;
    uint32_t n_metrics, cap_metrics;
    char *notes; /* what could not be compared, "" when nothing; lines */
};

enum { CONFORM_PROMPTS, CONFORM_HASHES, CONFORM_FILTERED, CONFORM_METRICS, CONFORM_AGGREGATES };

struct conform_input {
    const struct peer_run *peer;
    const char *peer_task;
    const char *samples; /* path */
    const struct task *task;
    const uint32_t *problems; /* document number -> problem */
    uint32_t n_problems;
    const struct graded *graded; /* verdicts of the same answers, one sample each */
};

int conform_task(const struct conform_input *in, struct conform_result *out,
                 struct px_err *err) PX_MUST_CHECK;
void conform_clear(struct conform_result *r);

#endif
