/* pyregex.h - Python's `re`: search, findall, sub. On what a model wrote (scorers) and on
 * the texts of data sets (task files).
 *
 * Patterns are rewritten to PCRE2 by proto/pypattern.h. Texts are spans of well-formed UTF-8
 * (pystr_clean makes them so, once, before everything else); in any other text nothing is found.
 * NUL is a character. Matched spans point into the text.
 *
 * Work is bounded: every item of a pattern that is tried and the distances that are moved are
 * counted, and a budget of 16 million + 4 per byte of text ends a scan (about a second at most), as
 * 64 MiB of backtracking memory do. The rest of the scan then finds nothing and says so
 * (`limited`). The counting depends on text and pattern alone, never on the machine. */
#ifndef PROTO_PYREGEX_H
#define PROTO_PYREGEX_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/pypattern.h"
#include "proto/span.h"

struct pyregex; /* immutable: many scans may use one */

/* flags: enum pypattern_flag. Owned; NULL with err. */
struct pyregex *pyregex_new(struct span pattern, unsigned flags, struct px_err *err);
/* The same for a pattern that is part of this program; a bad one aborts. */
struct pyregex *pyregex_make(const char *pattern, unsigned flags);
void pyregex_free(struct pyregex *re); /* NULL is fine */

struct pyregex_match {
    uint32_t n;                          /* groups with the whole match, which is group 0 */
    struct span group[PYPATTERN_GROUPS]; /* p is NULL for a group that took no part */
};

/* re.search; *limited (may be NULL) is set when the budget ended it. */
bool pyregex_search(const struct pyregex *re, struct span text, struct pyregex_match *m,
                    bool *limited);

/* re.finditer: `struct pyregex_scan *s = pyregex_scan_new(re, text); while (pyregex_next(s, &m))`.
 * Empty matches count and may follow another match, as since Python 3.7. */
struct pyregex_scan;
struct pyregex_scan *pyregex_scan_new(const struct pyregex *re, struct span text); /* owned */
bool pyregex_next(struct pyregex_scan *s, struct pyregex_match *m);
bool pyregex_scan_free(struct pyregex_scan *s); /* was it limited? */

/* len(re.findall()). */
size_t pyregex_count(const struct pyregex *re, struct span text, bool *limited);
/* re.sub(pattern, by, text), appended: every match from the left, empty ones included. In `by`, \1
 * to \99 and \g<1> are groups (those that took no part are empty), \n, \t and \\ are characters. -1
 * with err: another escape, or a group that the pattern lacks. */
int pyregex_sub(const struct pyregex *re, struct span text, struct span by, struct px_buf *out,
                bool *limited, struct px_err *err) PX_MUST_CHECK;
/* re.sub(pattern, "", text). Owned, NUL-terminated, *n its length. */
char *pyregex_delete(const struct pyregex *re, struct span text, size_t *n, bool *limited);

#endif
