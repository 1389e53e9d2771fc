/* regex.c - see regex.h. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include "coordinator/task/regex.h"

#include <ctype.h>
#include <pcre2.h>
#include <stdint.h>
#include <stdlib.h>

#include "proto/mem.h"
#include "proto/pypattern.h"

#define MATCH_LIMIT 10000000 /* steps; about a second */
#define HEAP_LIMIT_KIB (64u << 10)

struct regex {
    pcre2_code *code;
    pcre2_match_data *match;
    pcre2_match_context *limits;
    uint32_t n_groups;
};

static int fail_pcre(int code, const char *what, struct px_err *err)
{
    PCRE2_UCHAR text[200];
    if (pcre2_get_error_message(code, text, sizeof text) < 0)
        text[0] = '\0';
    return px_fail(err, PX_EINPUT, "%s%s", what, (const char *)text);
}

struct regex *regex_compile(const char *pattern, size_t n, struct px_err *err)
{
    pcre2_code *compiled = pypattern_compile(pattern, n, 0, err);
    if (!compiled)
        return NULL;
    struct regex *r = px_xcalloc(1, sizeof *r);
    r->code = compiled;
    r->match = pcre2_match_data_create_from_pattern(compiled, NULL);
    r->limits = pcre2_match_context_create(NULL);
    px_assert(r->match && r->limits);
    pcre2_set_match_limit(r->limits, MATCH_LIMIT);
    pcre2_set_heap_limit(r->limits, HEAP_LIMIT_KIB);
    pcre2_pattern_info(compiled, PCRE2_INFO_CAPTURECOUNT, &r->n_groups);
    pcre2_jit_compile(compiled, PCRE2_JIT_COMPLETE); /* without it matching is slower, no more */
    return r;
}

void regex_free(struct regex **r)
{
    if (!*r)
        return;
    pcre2_match_context_free((*r)->limits);
    pcre2_match_data_free((*r)->match);
    pcre2_code_free((*r)->code);
    free(*r);
    *r = NULL;
}

/* 1 with the offsets in *at, 0, or -1. */
static int find(const struct regex *r, const char *text, size_t n, size_t from, uint32_t options,
                const PCRE2_SIZE **at, struct px_err *err)
{
    int rc = pcre2_match(r->code, (PCRE2_SPTR)text, n, from, options, r->match, r->limits);
    if (rc == PCRE2_ERROR_NOMATCH)
        return 0;
    if (rc < 0)
        return fail_pcre(rc, "the regular expression cannot be applied: ", err);
    *at = pcre2_get_ovector_pointer(r->match);
    return 1;
}

int regex_search(const struct regex *r, const char *text, size_t n, struct px_err *err)
{
    const PCRE2_SIZE *at = NULL;
    return find(r, text, n, 0, 0, &at, err);
}

static int put_group(const struct regex *r, uint32_t group, const char *text, const PCRE2_SIZE *at,
                     struct px_buf *out, struct px_err *err)
{
    if (group > r->n_groups)
        return px_fail(err, PX_EINPUT, "there is no group %u in the pattern", group);
    if (at[2 * group] != PCRE2_UNSET && at[2 * group + 1] >= at[2 * group])
        px_buf_put(out, text + at[2 * group], at[2 * group + 1] - at[2 * group]);
    return 0;
}

/* A number of one or two digits; false when none stands here. */
static bool take_number(const char *s, size_t n, size_t *i, uint32_t *v)
{
    size_t from = *i;
    *v = 0;
    while (*i < n && *i < from + 2 && isdigit((unsigned char)s[*i]))
        *v = 10 * *v + (uint32_t)(s[(*i)++] - '0');
    return *i > from;
}

static int expand(const struct regex *r, const char *by, size_t n, const char *text,
                  const PCRE2_SIZE *at, struct px_buf *out, struct px_err *err)
{
    for (size_t i = 0; i < n;) {
        uint32_t group;
        if (by[i] != '\\') {
            px_buf_char(out, by[i++]);
            continue;
        }
        i++;
        if (i < n && (by[i] == '\\' || by[i] == 'n' || by[i] == 't')) {
            px_buf_char(out, by[i] == 'n' ? '\n' : by[i] == 't' ? '\t' : '\\');
            i++;
            continue;
        }
        bool named = i + 1 < n && by[i] == 'g' && by[i + 1] == '<';
        i += named ? 2 : 0;
        if (!take_number(by, n, &i, &group) || (named && (i >= n || by[i++] != '>')))
            return px_fail(
                err, PX_EINPUT,
                "an unknown escape in a replacement; known: \\1, \\g<1>, \\\\, \\n, \\t");
        if (put_group(r, group, text, at, out, err) != 0)
            return -1;
    }
    return 0;
}

int regex_replace(const struct regex *r, const char *text, size_t n, const char *by, size_t n_by,
                  struct px_buf *out, struct px_err *err)
{
    const PCRE2_SIZE *at = NULL;
    size_t done = 0, from = 0;
    uint32_t options = 0;
    int rc;
    while (from <= n && (rc = find(r, text, n, from, options, &at, err)) != 0) {
        if (rc < 0)
            return -1;
        size_t begin = at[0], end = at[1];
        if (end < begin) /* \K inside a look-around: no Python pattern can do that */
            return px_fail(err, PX_EINPUT, "the match ends before its beginning");
        px_buf_put(out, text + done, begin - done);
        if (expand(r, by, n_by, text, at, out, err) != 0)
            return -1;
        /* An empty match is followed by another match only if that one takes something. */
        options = PCRE2_NO_UTF_CHECK | (begin == end ? PCRE2_NOTEMPTY_ATSTART : 0);
        done = from = end;
        if (out->overflow)
            return px_fail(err, PX_ELIMIT, "a replacement makes too long a text");
    }
    px_buf_put(out, text + done, n - done);
    return 0;
}
