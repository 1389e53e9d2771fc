/* pyregex.c - matching with PCRE2 under a budget. See pyregex.h. */
#include "proto/pyregex.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "proto/buf.h"
#include "proto/json.h"
#include "proto/mem.h"

enum { BUDGET = 16 << 20, PER_BYTE = 4, STRIDE = 32, HEAP_KIB = 64 << 10 };

struct pyregex {
    pcre2_code *code;
    uint32_t groups;
    bool references; /* has backreferences, whose comparisons are not counted one by one */
    uint32_t least;  /* code units of the shortest match */
};

struct pyregex_scan {
    const struct pyregex *re;
    struct span text;
    size_t at;
    bool after_empty; /* the last match was empty: the next must not be the same */
    bool limited;
    bool ended;
    uint64_t budget;
    uint64_t toll; /* of every item tried */
    size_t last;   /* where the last item was tried */
    pcre2_match_data *data;
    pcre2_match_context *ctx;
};

struct pyregex *pyregex_new(struct span pattern, unsigned flags, struct px_err *err)
{
    pcre2_code *code = pypattern_compile(pattern.p, pattern.n, flags, err);
    if (code == NULL)
        return NULL;
    struct pyregex *re = px_xcalloc(1, sizeof *re);
    uint32_t back = 0;
    re->code = code;
    pcre2_pattern_info(code, PCRE2_INFO_CAPTURECOUNT, &re->groups);
    pcre2_pattern_info(code, PCRE2_INFO_BACKREFMAX, &back);
    pcre2_pattern_info(code, PCRE2_INFO_MINLENGTH, &re->least);
    re->references = back > 0;
    return re;
}

struct pyregex *pyregex_make(const char *pattern, unsigned flags)
{
    struct px_err err;
    struct pyregex *re = pyregex_new((struct span){pattern, strlen(pattern)}, flags, &err);
    if (re == NULL)
        fprintf(stderr, "%s: %s\n", pattern, err.text);
    px_assert(re != NULL);
    return re;
}

void pyregex_free(struct pyregex *re)
{
    if (re == NULL)
        return;
    pcre2_code_free(re->code);
    free(re);
}

/* ---- one scan ---- */

/* Before every item of the pattern: what has been done so far is paid for. */
static int pay(pcre2_callout_block *b, void *data)
{
    struct pyregex_scan *s = data;
    size_t moved = b->current_position > s->last ? b->current_position - s->last
                                                 : s->last - b->current_position;
    uint64_t cost = s->toll + moved / STRIDE;
    s->last = b->current_position;
    if (cost > s->budget) {
        s->budget = 0;
        return PCRE2_ERROR_CALLOUT;
    }
    s->budget -= cost;
    return 0;
}

struct pyregex_scan *pyregex_scan_new(const struct pyregex *re, struct span text)
{
    struct pyregex_scan *s = px_xcalloc(1, sizeof *s);
    s->re = re;
    s->text = text.p != NULL ? text : (struct span){"", 0};
    s->ended = !px_utf8_valid(s->text.p, text.n);
    s->budget = BUDGET + (uint64_t)PER_BYTE * text.n;
    s->toll = 1 + re->least / STRIDE + (re->references ? text.n / STRIDE : 0);
    s->data = pcre2_match_data_create_from_pattern(re->code, NULL);
    s->ctx = pcre2_match_context_create(NULL);
    px_assert(s->data != NULL && s->ctx != NULL);
    pcre2_set_callout(s->ctx, pay, s);
    pcre2_set_heap_limit(s->ctx, HEAP_KIB);
    pcre2_set_match_limit(s->ctx, UINT32_MAX); /* the budget is tighter */
    pcre2_set_depth_limit(s->ctx, UINT32_MAX);
    return s;
}

bool pyregex_next(struct pyregex_scan *s, struct pyregex_match *m)
{
    if (s->ended)
        return false;
    uint32_t options = PCRE2_NO_UTF_CHECK | (s->after_empty ? PCRE2_NOTEMPTY_ATSTART : 0);
    int rc =
        pcre2_match(s->re->code, (PCRE2_SPTR)s->text.p, s->text.n, s->at, options, s->data, s->ctx);
    if (rc < 0) {
        s->ended = true;
        s->limited = rc != PCRE2_ERROR_NOMATCH;
        return false;
    }
    const PCRE2_SIZE *o = pcre2_get_ovector_pointer(s->data);
    m->n = s->re->groups + 1;
    for (uint32_t i = 0; i < m->n; i++) {
        bool set = i < (uint32_t)rc && o[2 * i] != PCRE2_UNSET && o[2 * i + 1] >= o[2 * i];
        m->group[i] =
            set ? (struct span){s->text.p + o[2 * i], o[2 * i + 1] - o[2 * i]} : (struct span){0};
    }
    size_t end = (size_t)(m->group[0].p - s->text.p) + m->group[0].n;
    s->after_empty = m->group[0].n == 0;
    s->at = end;
    return true;
}

bool pyregex_scan_free(struct pyregex_scan *s)
{
    bool limited = s->limited;
    pcre2_match_data_free(s->data);
    pcre2_match_context_free(s->ctx);
    free(s);
    return limited;
}

/* ---- whole operations ---- */

static void note(bool *limited, bool now)
{
    if (limited != NULL)
        *limited = *limited || now;
}

bool pyregex_search(const struct pyregex *re, struct span text, struct pyregex_match *m,
                    bool *limited)
{
    struct pyregex_scan *s = pyregex_scan_new(re, text);
    bool found = pyregex_next(s, m);
    note(limited, pyregex_scan_free(s));
    return found;
}

size_t pyregex_count(const struct pyregex *re, struct span text, bool *limited)
{
    struct pyregex_scan *s = pyregex_scan_new(re, text);
    struct pyregex_match m;
    size_t n = 0;
    while (pyregex_next(s, &m))
        n++;
    note(limited, pyregex_scan_free(s));
    return n;
}

static int put_group(const struct pyregex_match *m, uint32_t group, struct px_buf *out,
                     struct px_err *err)
{
    if (group >= m->n)
        return px_fail(err, PX_EINPUT, "there is no group %u in the pattern", group);
    if (m->group[group].n > 0)
        px_buf_put(out, m->group[group].p, m->group[group].n);
    return 0;
}

/* A number of one or two digits; false when none stands here. */
static bool take_number(struct span s, size_t *i, uint32_t *v)
{
    size_t from = *i;
    *v = 0;
    while (*i < s.n && *i < from + 2 && s.p[*i] >= '0' && s.p[*i] <= '9')
        *v = 10 * *v + (uint32_t)(s.p[(*i)++] - '0');
    return *i > from;
}

static int expand(struct span by, const struct pyregex_match *m, struct px_buf *out,
                  struct px_err *err)
{
    for (size_t i = 0; i < by.n;) {
        uint32_t group;
        if (by.p[i] != '\\') {
            px_buf_char(out, by.p[i++]);
            continue;
        }
        i++;
        if (i < by.n && (by.p[i] == '\\' || by.p[i] == 'n' || by.p[i] == 't')) {
            px_buf_char(out, by.p[i] == 'n' ? '\n' : by.p[i] == 't' ? '\t' : '\\');
            i++;
            continue;
        }
        bool named = i + 1 < by.n && by.p[i] == 'g' && by.p[i + 1] == '<';
        i += named ? 2 : 0;
        if (!take_number(by, &i, &group) || (named && (i >= by.n || by.p[i++] != '>')))
            return px_fail(
                err, PX_EINPUT,
                "an unknown escape in a replacement; known: \\1, \\g<1>, \\\\, \\n, \\t");
        if (put_group(m, group, out, err) != 0)
            return -1;
    }
    return 0;
}

int pyregex_sub(const struct pyregex *re, struct span text, struct span by, struct px_buf *out,
                bool *limited, struct px_err *err)
{
    struct pyregex_scan *s = pyregex_scan_new(re, text);
    struct pyregex_match m;
    size_t from = 0;
    int rc = 0;
    while (rc == 0 && !out->overflow && pyregex_next(s, &m)) {
        size_t at = (size_t)(m.group[0].p - s->text.p);
        px_buf_put(out, s->text.p + from, at - from);
        rc = expand(by, &m, out, err);
        from = at + m.group[0].n;
    }
    px_buf_put(out, s->text.p + from, s->text.n - from);
    note(limited, pyregex_scan_free(s));
    return rc;
}

char *pyregex_delete(const struct pyregex *re, struct span text, size_t *n, bool *limited)
{
    struct px_buf out;
    px_buf_init(&out, SIZE_MAX);
    int rc = pyregex_sub(re, text, (struct span){"", 0}, &out, limited, NULL);
    px_assert(rc == 0);
    return px_buf_steal(&out, n);
}
