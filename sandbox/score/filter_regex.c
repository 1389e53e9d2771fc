/* filter_regex.c - regex and multi_choice_regex. See filter_regex.h. */
#include "sandbox/score/filter_regex.h"

#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"
#include "proto/pyregex.h"
#include "proto/pystr.h"
#include "proto/scorer_check.h"

enum { MOST_CHOICES = 26 }; /* lettered A to Z; further ones are not looked for */

struct regex_filter {
    struct pyregex *re;
    int64_t select;
    char *fallback;
    size_t n_fallback;
    bool ignore_case, ignore_punctuation;
    struct pyregex **ignore;
    size_t n_ignore;
    struct pyregex *punctuation; /* what ignore_punctuation deletes */
};

static struct span text_of(struct json_object *o)
{
    return (struct span){json_object_get_string(o), (size_t)json_object_get_string_len(o)};
}

/* ---- lists of expressions ---- */

int regex_list_parse(struct json_object *o, struct pyregex ***list, size_t *count,
                     struct px_err *err)
{
    size_t n = o != NULL ? json_object_array_length(o) : 0;
    struct pyregex **l = px_xcalloc(n, sizeof *l);
    for (size_t i = 0; i < n; i++) {
        l[i] = pyregex_new(text_of(json_object_array_get_idx(o, i)), 0, err);
        if (l[i] == NULL) {
            regex_list_free(l, i);
            return -1;
        }
    }
    *list = l;
    *count = n;
    return 0;
}

void regex_list_free(struct pyregex **list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        pyregex_free(list[i]);
    free(list);
}

char *regex_delete_all(struct pyregex *const *list, size_t count, struct span s, bool *limited,
                       size_t *n)
{
    char *text = px_xmemdup(s.p, s.n);
    *n = s.n;
    for (size_t i = 0; i < count; i++) {
        char *t = pyregex_delete(list[i], (struct span){text, *n}, n, limited);
        free(text);
        text = t;
    }
    return text;
}

/* ---- regex ---- */

struct regex_filter *regex_filter_new(struct json_object *o, struct px_err *err)
{
    struct regex_filter *f = px_xcalloc(1, sizeof *f);
    struct json_object *v;
    struct span pattern = pystr_of(SCORER_DEFAULT_PATTERN);
    struct span fallback = pystr_of(SCORER_DEFAULT_FALLBACK);
    if (json_object_object_get_ex(o, "regex_pattern", &v))
        pattern = text_of(v);
    if (json_object_object_get_ex(o, "fallback", &v))
        fallback = text_of(v);
    f->fallback = px_xmemdup(fallback.p, fallback.n);
    f->n_fallback = fallback.n;
    f->select = px_json_int_or(o, "group_select", 0);
    f->ignore_case = px_json_bool_or(o, "ignore_case", false);
    f->ignore_punctuation = px_json_bool_or(o, "ignore_punctuation", false);
    f->re = pyregex_new(pattern, 0, err);
    if (f->ignore_punctuation)
        f->punctuation = pyregex_make("\\p{P}+", PYRE_PROPERTIES);
    if (f->re != NULL && regex_list_parse(json_object_object_get(o, "regexes_to_ignore"),
                                          &f->ignore, &f->n_ignore, err) == 0)
        return f;
    regex_filter_free(f);
    return NULL;
}

void regex_filter_free(struct regex_filter *f)
{
    if (f == NULL)
        return;
    pyregex_free(f->re);
    pyregex_free(f->punctuation);
    regex_list_free(f->ignore, f->n_ignore);
    free(f->fallback);
    free(f);
}

/* What findall puts in its list for a match: the whole, the only group, or the first of several
 * groups that is not empty (p NULL when all are). */
static struct span finding(const struct pyregex_match *m)
{
    struct span none = {"", 0};
    if (m->n <= 2)
        return m->group[m->n - 1].p != NULL ? m->group[m->n - 1] : none;
    for (uint32_t i = 1; i < m->n; i++)
        if (m->group[i].n > 0)
            return m->group[i];
    return (struct span){NULL, 0};
}

/* findall()[select]; p NULL when there is no such match. */
static struct span select_match(const struct pyregex *re, struct span text, int64_t select,
                                bool *limited)
{
    struct span found = {NULL, 0}, *ring = NULL;
    struct pyregex_scan *s = pyregex_scan_new(re, text);
    struct pyregex_match m;
    size_t back = select < 0 ? (size_t)-select : 0;
    size_t seen = 0, cap = 0;
    while (pyregex_next(s, &m)) {
        if (back == 1) {
            found = finding(&m);
        } else if (back > 0) {
            PX_GROW(ring, seen, cap);
            ring[seen] = finding(&m);
        } else if (seen == (size_t)select) {
            found = finding(&m);
            break;
        }
        seen++;
    }
    if (back > 1 && seen >= back)
        found = ring[seen - back];
    free(ring);
    bool over = pyregex_scan_free(s);
    *limited = *limited || over;
    return over ? (struct span){NULL, 0} : found; /* half a list selects nothing */
}

static char *put(struct span s, size_t *n)
{
    *n = s.n;
    return px_xmemdup(s.p, s.n);
}

static char *fall_back(const struct regex_filter *f, bool *fallback, size_t *n)
{
    *fallback = true;
    return put((struct span){f->fallback, f->n_fallback}, n);
}

char *regex_filter_run(const struct regex_filter *f, struct span text, bool *fallback,
                       bool *limited, size_t *n)
{
    struct span m = select_match(f->re, text, f->select, limited);
    return m.p != NULL ? put(pystr_strip(m), n) : fall_back(f, fallback, n);
}

/* ---- multi_choice_regex ---- */

/* Without what is ignored, in lower case, without characters of the categories P*: owned. */
static char *clean(const struct regex_filter *f, struct span s, bool *limited, size_t *n)
{
    char *text = regex_delete_all(f->ignore, f->n_ignore, s, limited, n), *t;
    if (f->ignore_case) {
        t = pystr_lower((struct span){text, *n}, n);
        free(text);
        text = t;
    }
    if (f->ignore_punctuation) {
        t = pyregex_delete(f->punctuation, (struct span){text, *n}, n, limited);
        free(text);
        text = t;
    }
    return text;
}

struct word { /* a choice's cleaned text and where it occurs next */
    char *text;
    size_t n, at;
};

/* Which choice is the select-th match of their ordered alternation in s; -1: none. Matches do not
 * overlap; an empty choice never counts. */
static int find_choice(struct word *w, size_t count, struct span s, int64_t select)
{
    size_t at = 0, seen = 0, cap = 0;
    int *all = NULL, found = -1;
    for (size_t i = 0; i < count; i++)
        w[i].at = w[i].n > 0 ? pystr_find(s, (struct span){w[i].text, w[i].n}, 0) : (size_t)-1;
    for (;;) {
        size_t best = count;
        for (size_t i = 0; i < count; i++) {
            if (w[i].at != (size_t)-1 && w[i].at < at)
                w[i].at = pystr_find(s, (struct span){w[i].text, w[i].n}, at);
            if (w[i].at != (size_t)-1 && (best == count || w[i].at < w[best].at))
                best = i;
        }
        if (best == count)
            break;
        PX_GROW(all, seen, cap);
        all[seen++] = (int)best;
        at = w[best].at + w[best].n;
    }
    int64_t i = select < 0 ? (int64_t)seen + select : select;
    if (i >= 0 && i < (int64_t)seen)
        found = all[i];
    free(all);
    return found;
}

/* The letter of ": B" in the response, as the index of a choice; -1: none. */
static int find_letter(struct span text, size_t count, int64_t select, bool *limited)
{
    char pattern[40] = ":[\\s]*([A-A])"; /* choices are lettered in order */
    char *last = strchr(pattern, '-') + 1;
    *last = (char)('A' + count - 1);
    struct pyregex *re = pyregex_make(pattern, 0);
    struct span m = select_match(re, text, select, limited);
    pyregex_free(re);
    return m.p != NULL ? m.p[0] - 'A' : -1;
}

/* The choice that the response names; -1: none. */
static int choose(const struct regex_filter *f, struct span text, struct json_object *choices,
                  bool *limited)
{
    size_t count = json_object_array_length(choices), n;
    count = count < MOST_CHOICES ? count : MOST_CHOICES;
    struct word *w = px_xcalloc(count, sizeof *w);
    for (size_t i = 0; i < count; i++) {
        struct span c = pystr_strip(text_of(json_object_array_get_idx(choices, i)));
        w[i].text = clean(f, c, limited, &w[i].n);
    }
    char *response = clean(f, text, limited, &n);
    int found = find_choice(w, count, (struct span){response, n}, f->select);
    for (size_t i = 0; found >= 0 && i < count; i++) /* of equal texts the last, as in a dict */
        if (w[i].n == w[found].n && memcmp(w[i].text, w[found].text, w[i].n) == 0)
            found = (int)i;
    free(response);
    for (size_t i = 0; i < count; i++)
        free(w[i].text);
    free(w);
    return found >= 0 ? found : find_letter(text, count, f->select, limited);
}

char *regex_filter_choose(const struct regex_filter *f, struct span text,
                          struct json_object *choices, bool *fallback, bool *limited, size_t *n)
{
    struct span m = select_match(f->re, text, f->select, limited);
    if (m.p != NULL && (m = pystr_strip(m)).n > 0)
        return put(m, n);
    int i = choices != NULL && json_object_array_length(choices) > 0
                ? choose(f, text, choices, limited)
                : -1;
    if (i < 0)
        return fall_back(f, fallback, n);
    char letter[3] = {'(', (char)('A' + i), ')'};
    return put((struct span){letter, 3}, n);
}
