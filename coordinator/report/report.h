/* report.h - what a run came to, for people and for programs.
 *
 * Everything is read from the store (manifest, results, verdicts), so a run may be live in another
 * process, finished, or half done: what is missing is shown as missing. */
#ifndef COORDINATOR_REPORT_H
#define COORDINATOR_REPORT_H

#include <stdbool.h>
#include <stdio.h>

#include "coordinator/store/store.h"
#include "proto/buf.h"
#include "proto/err.h"

enum report_format { REPORT_TABLE = 1, REPORT_MARKDOWN, REPORT_CSV, REPORT_JSON };

/* "table", "md", "csv", "json"; false for anything else. */
bool report_format_parse(const char *name, enum report_format *out);
extern const char *const report_format_names[]; /* ends with NULL */

/* Appends the report to out. */
int report_write(struct store *s, enum report_format f, struct px_buf *out,
                 struct px_err *err) PX_MUST_CHECK;

/* Writes run_dir/results.json and run_dir/samples/<cell>/<task>.jsonl. Each is there whole, old or
 * new, whatever happens meanwhile. docs/results.md describes both.
 * *failed: a unit is missing or was given up, or a cell does not show what it claims (alarms of
 * severity "failure"). table: the table of the same numbers is appended, or NULL. */
int report_export(struct store *s, const char *run_dir, bool *failed, struct px_buf *table,
                  struct px_err *err) PX_MUST_CHECK;

/* Which samples; NULL members admit everything. cell matches any of a cell's names; a name, task
 * or verdict that the run does not have at all is an error (PX_EUSAGE) that lists what there is. */
struct samples_filter {
    const char *task;
    const char *verdict; /* a verdict class, or an outcome: right, wrong, truncated ... */
    const char *cell;
    bool tokens; /* token ids of the prompts, too */
};

/* Called with each line (newline included); false stops. */
typedef bool (*report_line_fn)(void *ctx, const char *line, size_t n);

/* Per-sample records as JSON lines, in the manifest's order, of every unit that has a completion
 * or was given up. */
int report_samples(struct store *s, const struct samples_filter *f, report_line_fn fn, void *ctx,
                   struct px_err *err) PX_MUST_CHECK;

#endif
