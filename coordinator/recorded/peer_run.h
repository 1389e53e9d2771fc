/* peer_run.h - an output folder of lm-evaluation-harness: its results file and the samples file of
 * each task that belongs to it (same time stamp). */
#ifndef COORDINATOR_RECORDED_PEER_RUN_H
#define COORDINATOR_RECORDED_PEER_RUN_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdint.h>

#include "proto/err.h"

struct peer_task {
    char *name;
    char *samples; /* path of its samples file; NULL: there is none */
};

struct peer_run {
    char *dir;
    char *results_path;
    struct json_object *results; /* owned */
    struct peer_task *tasks;     /* of `configs`, in its order */
    uint32_t n_tasks;
};

/* path: the folder, one whose only folder with results it is, or the results file itself. With
 * several results files the newest stamp is taken. */
int peer_run_open(const char *path, struct peer_run *out, struct px_err *err) PX_MUST_CHECK;
void peer_run_clear(struct peer_run *p);

/* Shots of a task: `n-shot`, else its config's num_fewshot, else 0. */
int32_t peer_run_shots(const struct peer_run *p, const char *task);
/* A member at the top, "" when it is absent or no text: chat_template, system_instruction. */
const char *peer_run_text(const struct peer_run *p, const char *key);
/* Text of the tokenizer's BOS, which templates may write: `tokenizer_bos_token` is a text or a pair
 * of text and id. Owned; NULL when it is not told. */
char *peer_run_bos(const struct peer_run *p);
/* config.bootstrap_iters, 100,000 where it is not told. */
uint32_t peer_run_bootstrap_iters(const struct peer_run *p);
/* results[task]["metric,filter"] or ["metric_stderr,filter"]; false when it is no number. */
bool peer_run_metric(const struct peer_run *p, const char *task, const char *metric,
                     const char *filter, bool stderr_, double *out);
const char *peer_run_task_hash(const struct peer_run *p, const char *task); /* "" when absent */

#endif
