/* join.h - which problem of a task each row of a recording is about.
 *
 * Ids come in many spellings, so several ways of matching are tried and the one that finds a
 * problem for the most rows is taken (the earlier in this list when two find as many):
 *   id         the task's own problem ids
 *   number     the part of a problem's id behind its last '/' ("11" is "mbpp/11"), or with '_' for
 *              '/' ("HumanEval_11")
 *   doc_id     the problem's number in the task, from 0; where a directory of lm-eval has several
 *              tasks, in the subset that the file's name ends with
 *   text       a field of the problem's row, or its prompt, is the id's text
 *   signature  the last "def name(...)" in the id's text is that of the problem's prompt; of
 * several the one whose prompt begins most like it position   rows without ids: as many as the task
 * has problems, in its order; bigcode's lists, which are in that order by definition, may end early
 *
 * A row that no problem is found for is unknown; nothing is guessed for a part of the rows. */
#ifndef COORDINATOR_RECORDED_JOIN_H
#define COORDINATOR_RECORDED_JOIN_H

#include "coordinator/task/task.h"
#include "proto/recording.h"

#define JOIN_UNKNOWN UINT32_MAX

struct joined {
    uint32_t *problem; /* per item of the recording; JOIN_UNKNOWN */
    uint32_t *sample;  /* per item: of its problem, from 0 in the recording's order */
    uint32_t n_items;
    uint32_t *count; /* per problem: samples */
    uint32_t *first; /* per problem, one more at the end: where its items begin in `order` */
    uint32_t *order; /* items by problem, then sample; unknown ones are left out */
    uint32_t n_problems;
    uint32_t samples;   /* of the problem that has the most */
    uint32_t n_unknown; /* items */
    uint32_t n_missing; /* problems without any sample */
    uint32_t n_fewer;   /* problems with some samples, fewer than the most */
    uint32_t usual;     /* samples that most problems have, missing ones apart */
    uint32_t n_more;    /* problems with more than the usual */
    char how[160];      /* "id (task_id)": for people */
    bool by_signature;  /* the recording has prompts of its own */
};

/* -1: nothing matches at all, or rows without ids are not as many as problems. */
int join_recording(const struct task *t, const struct recording *r, struct joined *out,
                   struct px_err *err) PX_MUST_CHECK;
void joined_clear(struct joined *j);

/* Every problem has the same number of samples and every item has a problem. */
bool joined_complete(const struct joined *j);
/* What is unknown, missing or uneven, in words: counts and the first names, one line each. */
void joined_describe(const struct joined *j, const struct task *t, const struct recording *r,
                     struct px_buf *out);

#endif
