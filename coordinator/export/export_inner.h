/* export_inner.h - what the export room's formats share. */
#ifndef COORDINATOR_EXPORT_INNER_H
#define COORDINATOR_EXPORT_INNER_H

#include <stdio.h>

#include "coordinator/export/export.h"
#include "coordinator/report/collect.h"
#include "coordinator/report/emit.h"

struct exporter {
    const struct export_options *o;
    struct export_counts *counts;
    struct store *store;
    struct store_view *view;
    struct run_stats *run;
    char *dir;       /* what is being written */
    char **cells;    /* names of cells as names of files */
    bool *chosen;    /* per group */
    int64_t last_us; /* when the last answer came; 0: there are none */
    char stamp[40];  /* the same as lm-eval writes it into names: 2026-01-02T03-04-05.678000 */
};

/* One answer to a problem. */
struct answer {
    uint32_t sample;
    enum outcome outcome;
    enum verdict_class class; /* 0 while it is not done */
    struct px_digest content;
    bool has_completion, has_verdict;
    struct completion completion;
    struct verdict verdict;
    bool has_receipt;
    struct px_digest prompt_text; /* of the receipt */
};

/* A problem with all of its answers, in the order of the samples. */
struct problem {
    const struct group_stats *group;
    uint32_t group_index;
    uint32_t ordinal; /* in the group */
    const char *id;
    uint32_t subset; /* of the task's; 0 when there are none */
    struct answer *answers;
    uint32_t n_answers;
    uint64_t plan_index; /* of its first unit; PLAN_UNKNOWN: the plan has no such unit */
};
#define PLAN_UNKNOWN UINT64_MAX

typedef int (*problem_fn)(void *ctx, const struct problem *p, struct px_err *err);
/* Every problem of a group with one turn. What p points to is valid during the call. */
int export_walk(struct exporter *x, uint32_t group, problem_fn fn, void *ctx,
                struct px_err *err) PX_MUST_CHECK;

/* What a problem asks. Texts that are not known are NULL. */
struct asked {
    bool known; /* rendered, and equal to what the model was given */
    struct task_prompt prompt;
    struct px_buf text;          /* what was read before the first token */
    struct json_object *row;     /* of the data set; NULL: not known */
    struct json_object *scoring; /* what the scorer was given of the problem; NULL: not known */
    const char *target;          /* the right answer, or the index of the right choice; borrowed */
};
void asked_get(struct exporter *x, const struct problem *p, struct asked *out);
void asked_clear(struct asked *a);

/* Files below x->dir. NULL and -1 with err. */
FILE *export_open(const struct exporter *x, const char *name, char **path, struct px_err *err);
int export_close(FILE *f, const char *path, struct px_err *err) PX_MUST_CHECK;
int export_put(const struct exporter *x, const char *name, const struct px_buf *b,
               struct px_err *err) PX_MUST_CHECK;

/* The answer proper: behind the thought, where there was one. */
const char *answer_text(const struct completion *c, size_t *n);
/* The program that was judged, whole, where it can be told (`with_prompt`), or what follows the
 * prompt. Owned. */
char *answer_program(const struct asked *q, const struct answer *a, const char *style, size_t *n);
bool group_chats(const struct exporter *x, uint32_t group); /* a chat template was applied */

/* A text, or null when it is not known. */
void emit_maybe(struct emit *j, const char *key, const char *s);

/* One per format; they write below x->dir. */
int export_lm_eval(struct exporter *x, struct px_err *err) PX_MUST_CHECK;
int export_programs(struct exporter *x, struct px_err *err) PX_MUST_CHECK;
int export_inspect(struct exporter *x, struct px_err *err) PX_MUST_CHECK;
int export_report(struct exporter *x, struct px_err *err) PX_MUST_CHECK;
int export_preference(struct exporter *x, struct px_err *err) PX_MUST_CHECK;

#define EXPORT_LINE ((size_t)512 << 20) /* bytes of one document */

#endif
