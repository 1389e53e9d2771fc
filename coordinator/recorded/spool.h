/* spool.h - a joined recording as Proctor's own rows: what a replay model is made of.
 *
 * Rows are written by problem, then sample, under the task's ids, so that the same completions give
 * the same bytes whatever file they came in. */
#ifndef COORDINATOR_RECORDED_SPOOL_H
#define COORDINATOR_RECORDED_SPOOL_H

#include "coordinator/recorded/join.h"
#include "proto/buf.h"

#define SPOOL_LIMIT ((size_t)4 << 30) /* bytes */

/* How programs are taken when nobody says otherwise: a style of docs/scoring.md, or NULL for the
 * task's own. Harnesses that write programs' texts run them as they are. */
const char *spool_style(const struct task *t, const struct recording *r, const struct joined *j);

/* Appends the rows. Where the recording has prompts of its own (by_signature) they stand before
 * their texts. */
void spool_write(const struct task *t, const struct recording *r, const struct joined *j,
                 struct px_buf *out);

/* Appends one row: an answer of the problem of that id. */
void spool_row(const char *id, const struct completion *c, struct px_buf *out);

enum answers { ANSWERS_NONE, ANSWERS_REFERENCE, ANSWERS_EMPTY, ANSWERS_FIRST };
/* "reference", "empty", "first"; false for anything else. */
bool answers_parse(const char *name, enum answers *out);

/* Appends rows that the task itself answers: its reference solutions (the right choice), nothing,
 * or always the first choice. -1: the task has none of that kind. */
int answers_write(const struct task *t, enum answers a, struct px_buf *out,
                  struct px_err *err) PX_MUST_CHECK;

#endif
