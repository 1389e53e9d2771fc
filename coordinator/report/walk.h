/* walk.h - every unit of a run in the manifest's order, with what the store knows of it. */
#ifndef COORDINATOR_REPORT_WALK_H
#define COORDINATOR_REPORT_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/store/manifest.h"
#include "coordinator/store/receipt.h"
#include "proto/unit.h"

struct sample {
    const struct manifest_group *group;
    const struct manifest_cell *cell;
    const struct manifest_task *task;
    const struct manifest_unit *unit;
    uint32_t index;           /* of the unit in its group */
    bool graded;              /* the task's headline is judged by degrees, not right or wrong */
    struct px_digest content; /* zero when the unit was not planned yet */
    struct px_digest verdict_key;
    bool has_completion;
    struct completion completion; /* zeroed when absent */
    bool has_verdict;
    struct verdict verdict; /* zeroed when absent */
    char *quarantine;       /* JSON evidence, or NULL */
    bool has_receipt;
    struct receipt receipt; /* zeroed when absent; tokens only when the walk asks for them */
    uint32_t accidents;     /* of the prompt (its receipt) and of the completion (its verdict) */
};

/* Nothing more will come: it is judged, needs no judge, or was given up. */
bool sample_done(const struct sample *s);

/* The class that counts: the verdict's; error when quarantined; unscored without a scorer; 0 while
 * it is not done. */
enum verdict_class sample_class(const struct sample *s);

/* Headline value: the verdict's metric, 0 for anything done without it. */
double sample_value(const struct sample *s);

/* Is the headline made of sums over problems, or a rating? Then no unit is right or wrong. A
 * headline that merely turns out to lie between 0 and 1 is not known here. */
bool task_graded(const struct manifest_task *t);

/* Called with each unit; what s points to is valid during the call. False stops the walk. */
typedef bool (*walk_fn)(void *ctx, const struct sample *s);

/* As walk_group, with the token ids of prompts in the receipts. */
int walk_group_tokens(struct store_view *v, const struct manifest *m, uint32_t group, walk_fn fn,
                      void *ctx, struct px_err *err) PX_MUST_CHECK;

/* Walks one group. -1 when a record is undecodable; damaged ones are absent. */
int walk_group(struct store_view *v, const struct manifest *m, uint32_t group, walk_fn fn,
               void *ctx, struct px_err *err) PX_MUST_CHECK;
/* As walk_group_tokens for one unit of a group. */
int walk_unit_tokens(struct store_view *v, const struct manifest *m, uint32_t group, uint32_t index,
                     walk_fn fn, void *ctx, struct px_err *err) PX_MUST_CHECK;

/* A unit of a group whose keys are known, though its plan record may not be written yet; the sample
 * has no unit to speak of. */
int walk_keys(struct store_view *v, const struct manifest *m, uint32_t group,
              const struct px_digest *content, const struct px_digest *verdict, walk_fn fn,
              void *ctx, struct px_err *err) PX_MUST_CHECK;

#endif
