/* pystr.h - what Python's str does, for templates and scorers that reproduce programs written in
 * it.
 *
 * Texts are spans of bytes read as UTF-8; an ill-formed sequence counts as U+FFFD, as
 * bytes.decode("utf-8", "replace") would have it. NUL is a character like any other. The Unicode
 * tables are those of Python 3.11 (Unicode 14.0), see pystr_tables.py, and no locale is asked.
 * Every function is linear in the text. Borrowed results point into the argument; owned ones are
 * well-formed UTF-8, NUL-terminated, and freed by the caller. */
#ifndef PROTO_PYSTR_H
#define PROTO_PYSTR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buf.h"
#include "proto/span.h"

/* A span from a NUL-terminated text. */
struct span pystr_of(const char *s);
/* s[from:to] by bytes; both are clamped to the text. */
struct span pystr_slice(struct span s, size_t from, size_t to);

/* The code point at byte *at (< s.n); moves *at behind it. */
uint32_t pystr_next(struct span s, size_t *at);
/* The code point that ends at byte *at (> 0); moves *at to its first byte. */
uint32_t pystr_prev(struct span s, size_t *at);
void pystr_put(struct px_buf *b, uint32_t c); /* appends c as UTF-8 */
size_t pystr_len(struct span s);              /* len(s): code points */

/* Owned: s with U+FFFD in place of every ill-formed sequence. */
char *pystr_clean(struct span s, size_t *n);

bool pystr_is_space(uint32_t c); /* isspace: U+001C-001F count, U+200B does not */
bool pystr_is_alnum(uint32_t c);
bool pystr_is_word(uint32_t c); /* \w of re: isalnum or "_"; combining marks are not */
bool pystr_is_digit(uint32_t c);
bool pystr_is_upper(uint32_t c);
bool pystr_is_lower(uint32_t c);

struct span pystr_strip(struct span s);
struct span pystr_lstrip(struct span s);
struct span pystr_rstrip(struct span s);
struct span pystr_strip_of(struct span s, const char *ascii); /* strip(chars) */
struct span pystr_lstrip_of(struct span s, const char *ascii);
struct span pystr_rstrip_of(struct span s, const char *ascii);
bool pystr_blank(struct span s); /* not s.strip() */

bool pystr_equal(struct span a, struct span b);
bool pystr_starts(struct span s, struct span with);
bool pystr_ends(struct span s, struct span with);
/* find(what, from) by bytes; (size_t)-1 when there is none. */
size_t pystr_find(struct span s, struct span what, size_t from);
size_t pystr_count(struct span s, struct span what); /* count(what), what not empty */

/* split() without argument: the next field, false after the last. *rest is the cursor. */
bool pystr_word(struct span *rest, struct span *field);

/* split(sep): `struct pystr_split i = pystr_split(s, sep); while (pystr_field(&i, &f)) ...`.
 * Empty fields are kept; there is always at least one. sep is not empty. */
struct pystr_split {
    struct span rest, sep;
    bool done;
};
struct pystr_split pystr_split(struct span s, struct span sep);
bool pystr_field(struct pystr_split *i, struct span *field);

char *pystr_lower(struct span s, size_t *n); /* with the final sigma */
char *pystr_upper(struct span s, size_t *n);
char *pystr_capitalize(struct span s, size_t *n); /* first to title case, the rest to lower */
bool pystr_isupper(struct span s);
bool pystr_islower(struct span s);

/* Owned: replace(what, with), one pass from the left; what is not empty. */
char *pystr_replace(struct span s, struct span what, struct span with, size_t *n);

#endif
