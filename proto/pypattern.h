/* pypattern.h - regular expressions in the language of Python's `re`, compiled by PCRE2.
 *
 * A pattern is rewritten where the two languages differ, so that it matches what Python 3.11
 * matches (docs.python.org/3.11/library/re.html against pcre2pattern(3)): \s, \w, \Z, \v, \u1234,
 * {,n}, "[" inside a set; `.` excludes only \n, ^ of MULTILINE matches behind a last \n too. What
 * only PCRE2 knows (recursion, verbs, \K, \p ...) is refused, and so are the flags a, L and x.
 * Matching is pyregex.h's. */
#ifndef PROTO_PYPATTERN_H
#define PROTO_PYPATTERN_H

#include <stddef.h>

#include "proto/err.h"

enum pypattern_flag {
    PYRE_IGNORECASE = 1,
    PYRE_MULTILINE = 2,
    PYRE_DOTALL = 4,
    PYRE_PROPERTIES = 8 /* \p{..} too, which Python lacks: for patterns of this program's own */
};

enum { PYPATTERN_BYTES = 16384, PYPATTERN_GROUPS = 64 }; /* the longest pattern, groups at most */

struct pcre2_real_code_8; /* pcre2_code */

/* Owned (pcre2_code_free); NULL with err, which says what is wrong and where. Matching calls the
 * match context's callout before every item of the pattern (PCRE2_AUTO_CALLOUT). */
struct pcre2_real_code_8 *pypattern_compile(const char *pattern, size_t n, unsigned flags,
                                            struct px_err *err);

/* Would it compile? 0, or -1 with err. */
int pypattern_check(const char *pattern, size_t n, unsigned flags, struct px_err *err);

#endif
