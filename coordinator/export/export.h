/* export.h - a run's answers and scores in the formats of other programs.
 *
 * Theory of operation. Numbers come from the same collection as the report (coordinator/report),
 * answers from the store. Prompts are not stored: where task files, data and model are at hand the
 * plan renders them again, each is compared with the SHA-256 in its receipt, and what does not
 * agree is left out (null), never guessed. Everything is written to a directory beside the target,
 * which takes the target's name when it is whole. Equal runs give equal files but for what was
 * observed (times). docs/results.md says what each format holds. */
#ifndef COORDINATOR_EXPORT_H
#define COORDINATOR_EXPORT_H

#include "coordinator/plan/plan.h"
#include "coordinator/report/report.h"

enum export_format {
    EXPORT_LM_EVAL = 1,
    EXPORT_HUMANEVAL,
    EXPORT_EVALPLUS,
    EXPORT_BIGCODE,
    EXPORT_INSPECT,
    EXPORT_CSV,
    EXPORT_MARKDOWN,
    EXPORT_JSON,
    EXPORT_PREFERENCE
};
/* "lm-eval", "humaneval" ...; false for anything else. */
bool export_format_parse(const char *name, enum export_format *out);
extern const char export_formats[]; /* the names, for messages */

struct export_options {
    enum export_format format;
    const char *dir;         /* must not exist, or be empty */
    const char *task;        /* NULL: all */
    const char *cell;        /* named as report/labels.h has it; NULL: all */
    bool allow_incomplete;   /* groups with units that are not done are written, and marked (as are
                              * those that have a part of their task only) */
    const struct plan *plan; /* of the run's recipe; NULL: prompts are not at hand */
};

struct export_counts {
    uint64_t groups, answers;
    uint64_t left_out;   /* groups that the format has no place for */
    uint64_t incomplete; /* groups */
    uint64_t prompts;    /* that were rendered and agree with their receipts */
    uint64_t unlike;     /* that were rendered and do not, or whose task is another one now */
};

/* PX_EINPUT: a group is incomplete and that is not allowed, or nothing of the run fits the format;
 * PX_EEXIST: something is in the way. Nothing is left behind then. */
int export_run(struct store *s, const struct export_options *o, struct export_counts *counts,
               struct px_err *err) PX_MUST_CHECK;

#endif
