/* join.c - rows of a recording find their problems. */
#include "coordinator/recorded/join.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"

/* ---- tables of names ---- */

struct name {
    char *text;  /* owned */
    char *whole; /* the prompt that a signature was taken from; owned, or NULL */
    uint32_t problem;
};

struct names {
    struct name *list; /* sorted by text */
    uint32_t n, cap;
};

static void add_name(struct names *t, char *text, uint32_t problem)
{
    if (!text)
        return;
    PX_GROW(t->list, t->n, t->cap);
    t->list[t->n++] = (struct name){text, NULL, problem};
}

static int by_text(const void *a, const void *b)
{
    return strcmp(((const struct name *)a)->text, ((const struct name *)b)->text);
}

static void sort_names(struct names *t)
{
    if (t->n)
        qsort(t->list, t->n, sizeof *t->list, by_text);
}

static size_t common_prefix(const char *a, const char *b)
{
    size_t n = 0;
    while (a[n] && a[n] == b[n])
        n++;
    return n;
}

/* Of the names from `lo` on that are `text`: the one whose prompt begins most like `whole`. */
static uint32_t most_alike(const struct names *t, uint32_t lo, const char *text, const char *whole)
{
    size_t best = 0;
    uint32_t found = JOIN_UNKNOWN;
    for (uint32_t i = lo; i < t->n && strcmp(t->list[i].text, text) == 0; i++) {
        size_t n = t->list[i].whole ? common_prefix(t->list[i].whole, whole) : 0;
        if (n == best)
            found = JOIN_UNKNOWN; /* nothing decides between them */
        if (n > best) {
            best = n;
            found = t->list[i].problem;
        }
    }
    return found;
}

/* A name that several problems have stands for none, unless their prompts tell. whole: the text
 * that the name was taken from. */
static uint32_t find_name(const struct names *t, const char *text, const char *whole)
{
    uint32_t lo = 0;
    uint32_t hi = t->n;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (strcmp(t->list[mid].text, text) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    if (lo == t->n || strcmp(t->list[lo].text, text) != 0)
        return JOIN_UNKNOWN;
    bool several = lo + 1 < t->n && strcmp(t->list[lo + 1].text, text) == 0;
    return several ? most_alike(t, lo, text, whole) : t->list[lo].problem;
}

static void clear_names(struct names *t)
{
    for (uint32_t i = 0; i < t->n; i++)
        free(t->list[i].text);
    for (uint32_t i = 0; i < t->n; i++)
        free(t->list[i].whole);
    free(t->list);
    *t = (struct names){0};
}

/* ---- spellings ---- */

/* White space at both ends does not count. Owned. */
static char *trimmed(const char *s)
{
    while (isspace((unsigned char)*s))
        s++;
    size_t n = strlen(s);
    while (n && isspace((unsigned char)s[n - 1]))
        n--;
    return px_xstrndup(s, n);
}

static char *behind_slash(const char *s)
{
    const char *slash = strrchr(s, '/');
    return slash && slash[1] ? px_xstrdup(slash + 1) : NULL;
}

static char *with_underscore(const char *s)
{
    char *copy = px_xstrdup(s);
    for (char *p = copy; *p; p++)
        if (*p == '/')
            *p = '_';
    return copy;
}

/* The last line that begins with "def ", NULL when there is none. Owned. */
static char *last_signature(const char *s)
{
    const char *best = strncmp(s, "def ", 4) == 0 ? s : NULL;
    for (const char *p = strstr(s, "\ndef "); p; p = strstr(p + 1, "\ndef "))
        best = p + 1;
    return best ? px_xstrndup(best, strcspn(best, "\r\n")) : NULL;
}

static char *prompt_of(const struct task *t, uint32_t i)
{
    struct task_prompt p = {0};
    char *text = NULL;
    if (task_render(t, i, 0, false, &p, NULL) == 0 && p.prompt)
        text = px_xstrdup(p.prompt);
    task_prompt_clear(&p);
    return text;
}

/* ---- ways ---- */

enum way_kind {
    WAY_ID,
    WAY_NUMBER,
    WAY_UNDERSCORE,
    WAY_DOC_ID,
    WAY_FIELD,
    WAY_PROMPT,
    WAY_SIGNATURE
};

struct way {
    enum way_kind kind;
    const char *field;
};

static void fill_names(const struct task *t, const struct way *w, struct names *out)
{
    for (uint32_t i = 0; i < task_n_problems(t); i++) {
        const char *id = task_problem_id(t, i);
        PX_FREE char *text = NULL;
        switch (w->kind) {
        case WAY_ID:
            add_name(out, px_xstrdup(id), i);
            break;
        case WAY_NUMBER:
            add_name(out, behind_slash(id), i);
            break;
        case WAY_UNDERSCORE:
            add_name(out, with_underscore(id), i);
            break;
        case WAY_FIELD:
            text = task_field(t, i, w->field);
            add_name(out, text ? trimmed(text) : NULL, i);
            break;
        case WAY_PROMPT:
            text = prompt_of(t, i);
            add_name(out, text ? trimmed(text) : NULL, i);
            break;
        case WAY_SIGNATURE:
            text = prompt_of(t, i);
            add_name(out, text ? last_signature(text) : NULL, i);
            if (out->n && out->list[out->n - 1].problem == i)
                out->list[out->n - 1].whole = trimmed(text);
            break;
        case WAY_DOC_ID:
            break;
        }
    }
    sort_names(out);
}

/* What an item's id is called in this way. Owned; NULL: not at all. */
static char *spelling(const struct way *w, const char *id)
{
    switch (w->kind) {
    case WAY_FIELD:
    case WAY_PROMPT:
        return trimmed(id);
    case WAY_SIGNATURE:
        return last_signature(id);
    case WAY_UNDERSCORE:
        return with_underscore(id);
    default:
        return px_xstrdup(id);
    }
}

static bool is_subset(const char *part, const char *name)
{
    size_t n = strlen(part), k = strlen(name);
    if (n < k || (n > k && part[n - k - 1] != '_'))
        return false;
    for (size_t i = 0; i < k; i++)
        if (part[n - k + i] != name[i] && !(part[n - k + i] == '_' && name[i] == ' '))
            return false;
    return true;
}

/* The position-th problem, of the subset that an lm-eval task stands for where there are several:
 * the longest name that fits. */
static uint32_t numbered(const struct task *t, const struct recording_item *item, bool parts)
{
    uint32_t subset = JOIN_UNKNOWN, longest = 0;
    uint64_t left = item->position;
    if (!parts)
        return left < task_n_problems(t) ? (uint32_t)left : JOIN_UNKNOWN;
    for (uint32_t s = 0; s < task_n_subsets(t); s++) {
        const char *name = task_subset_name(t, s);
        if (strlen(name) > longest && is_subset(item->part, name)) {
            longest = (uint32_t)strlen(name);
            subset = s;
        }
    }
    for (uint32_t i = 0; subset != JOIN_UNKNOWN && i < task_n_problems(t); i++)
        if (task_subset(t, i) == subset && left-- == 0)
            return i;
    return JOIN_UNKNOWN;
}

static bool has_parts(const struct recording *r)
{
    const char *first = recording_item(r, 0)->part;
    for (uint32_t i = 1; first && i < recording_items(r); i++)
        if (strcmp(recording_item(r, i)->part, first) != 0)
            return true;
    return false;
}

/* Fills problem[]; returns how many items found theirs. */
static uint32_t try_way(const struct task *t, const struct recording *r, const struct way *w,
                        uint32_t *problem)
{
    struct names names = {0};
    uint32_t found = 0;
    uint32_t row = UINT32_MAX, last = JOIN_UNKNOWN;
    bool parts = w->kind == WAY_DOC_ID && has_parts(r);
    fill_names(t, w, &names);
    for (uint32_t i = 0; i < recording_items(r); i++) {
        const struct recording_item *item = recording_item(r, i);
        if (item->row != row) {
            row = item->row;
            last = JOIN_UNKNOWN;
            if (w->kind == WAY_DOC_ID) {
                last = numbered(t, item, parts);
            } else {
                PX_FREE char *name = spelling(w, item->id);
                PX_FREE char *whole = trimmed(item->id);
                last = name ? find_name(&names, name, whole) : last;
            }
        }
        problem[i] = last;
        found += last != JOIN_UNKNOWN;
    }
    clear_names(&names);
    return found;
}

static void describe_way(const struct way *w, const char *key, char *out, size_t n)
{
    static const char *const names[] = {"id",
                                        "number",
                                        "id",
                                        "doc_id",
                                        "field",
                                        "the prompt's text",
                                        "the prompt's last signature"};
    if (w->kind == WAY_FIELD)
        snprintf(out, n, "%.60s is the task's field %.60s", key, w->field);
    else
        snprintf(out, n, "%s (%.60s)", names[w->kind], key);
}

static int match_ids(const struct task *t, const struct recording *r, struct joined *j,
                     struct px_err *err)
{
    const char *key = recording_id_key(r);
    const char *fields[] = {key, "prompt", "question", "problem", "text", "input", "ctx"};
    struct way ways[16];
    uint32_t n = 0, best = 0, winner = 0;
    if (strcmp(key, "doc_id") == 0) /* a number, whatever the ids look like */
        ways[n++] = (struct way){WAY_DOC_ID, NULL};
    for (int k = WAY_ID; k <= WAY_UNDERSCORE; k++)
        ways[n++] = (struct way){(enum way_kind)k, NULL};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
        if (i == 0 || strcmp(fields[i], key) != 0)
            ways[n++] = (struct way){WAY_FIELD, fields[i]};
    ways[n++] = (struct way){WAY_PROMPT, NULL};
    ways[n++] = (struct way){WAY_SIGNATURE, NULL};
    PX_FREE uint32_t *problem = px_xcalloc((size_t)j->n_items + 1, sizeof *problem);
    for (uint32_t i = 0; i < n && best < j->n_items; i++) {
        uint32_t found = try_way(t, r, &ways[i], problem);
        if (found > best) {
            best = found;
            winner = i;
            memcpy(j->problem, problem, j->n_items * sizeof *problem);
        }
    }
    if (best == 0)
        return px_fail(err, PX_EINPUT,
                       "%s: no row is about a problem of task %s: its ids (%s) are like '%.60s', "
                       "the task's like '%.60s'; name another member with --id-key",
                       recording_name(r), task_name(t), key, recording_item(r, 0)->id,
                       task_problem_id(t, 0));
    j->by_signature = ways[winner].kind == WAY_SIGNATURE;
    describe_way(&ways[winner], key, j->how, sizeof j->how);
    return 0;
}

static int match_positions(const struct task *t, const struct recording *r, struct joined *j,
                           struct px_err *err)
{
    bool may_end = recording_format(r) == RECORDING_BIGCODE;
    if (recording_rows(r) > j->n_problems || (recording_rows(r) < j->n_problems && !may_end))
        return px_fail(err, PX_EINPUT,
                       "%s: %u rows without problem ids, and task %s has %u problems: which are "
                       "they? (rows are taken by their position when the numbers agree; --id-key "
                       "names the member that tells)",
                       recording_name(r), recording_rows(r), task_name(t), j->n_problems);
    for (uint32_t i = 0; i < j->n_items; i++)
        j->problem[i] = (uint32_t)recording_item(r, i)->position;
    snprintf(j->how, sizeof j->how, "position: row N is problem N");
    return 0;
}

/* ---- coverage ---- */

static void find_usual(struct joined *j)
{
    PX_FREE uint32_t *with = px_xcalloc((size_t)j->samples + 1, sizeof *with);
    for (uint32_t p = 0; p < j->n_problems; p++)
        with[j->count[p]]++;
    for (uint32_t n = 1; n <= j->samples; n++)
        if (with[n] && (j->usual == 0 || with[n] >= with[j->usual]))
            j->usual = n;
    for (uint32_t n = j->usual + 1; n <= j->samples; n++)
        j->n_more += with[n];
}

static void count_samples(struct joined *j)
{
    for (uint32_t i = 0; i < j->n_items; i++) {
        if (j->problem[i] == JOIN_UNKNOWN) {
            j->n_unknown++;
            continue;
        }
        j->sample[i] = j->count[j->problem[i]]++;
        if (j->count[j->problem[i]] > j->samples)
            j->samples = j->count[j->problem[i]];
    }
    for (uint32_t p = 0; p < j->n_problems; p++) {
        j->n_missing += j->count[p] == 0;
        j->n_fewer += j->count[p] && j->count[p] < j->samples;
        j->first[p + 1] = j->first[p] + j->count[p];
    }
    find_usual(j);
    for (uint32_t i = 0; i < j->n_items; i++)
        if (j->problem[i] != JOIN_UNKNOWN)
            j->order[j->first[j->problem[i]] + j->sample[i]] = i;
}

int join_recording(const struct task *t, const struct recording *r, struct joined *out,
                   struct px_err *err)
{
    struct joined j = {.n_items = recording_items(r), .n_problems = task_n_problems(t)};
    j.problem = px_xcalloc((size_t)j.n_items + 1, sizeof *j.problem);
    j.sample = px_xcalloc((size_t)j.n_items + 1, sizeof *j.sample);
    j.order = px_xcalloc((size_t)j.n_items + 1, sizeof *j.order);
    j.count = px_xcalloc((size_t)j.n_problems + 1, sizeof *j.count);
    j.first = px_xcalloc((size_t)j.n_problems + 1, sizeof *j.first);
    bool ids = *recording_id_key(r) != '\0';
    if (j.n_items == 0)
        px_fail(err, PX_EINPUT, "%s holds no completion", recording_name(r));
    else if ((ids ? match_ids(t, r, &j, err) : match_positions(t, r, &j, err)) == 0) {
        count_samples(&j);
        *out = j;
        return 0;
    }
    joined_clear(&j);
    return -1;
}

void joined_clear(struct joined *j)
{
    free(j->problem);
    free(j->sample);
    free(j->count);
    free(j->first);
    free(j->order);
    memset(j, 0, sizeof *j);
}

bool joined_complete(const struct joined *j)
{
    return j->n_unknown == 0 && j->n_missing == 0 && j->n_fewer == 0;
}

/* ---- words ---- */

enum { SHOWN = 5 };

/* Of the n problems that have `least` to `most` completions the first ones, and how many they have.
 */
static void list_problems(const struct joined *j, const struct task *t, uint32_t least,
                          uint32_t most, uint32_t n, struct px_buf *out)
{
    uint32_t shown = 0;
    for (uint32_t p = 0; p < j->n_problems && shown < SHOWN; p++) {
        if (j->count[p] < least || j->count[p] > most)
            continue;
        px_buf_printf(out, "%s%.100s", shown ? ", " : ": ", task_problem_id(t, p));
        if (most)
            px_buf_printf(out, " (%u)", j->count[p]);
        shown++;
    }
    px_buf_str(out, n > SHOWN ? ", ...\n" : "\n");
}

static const char *have(uint32_t n)
{
    return n == 1 ? "problem has" : "problems have";
}

static void list_unknown(const struct joined *j, const struct recording *r, struct px_buf *out)
{
    uint32_t shown = 0;
    for (uint32_t i = 0; i < j->n_items && shown < SHOWN; i++) {
        const struct recording_item *item = recording_item(r, i);
        if (j->problem[i] != JOIN_UNKNOWN || item->within)
            continue;
        PX_FREE char *id = trimmed(item->id);
        id[strcspn(id, "\r\n")] = '\0';
        px_buf_printf(out, "%s'%.60s' (line %u)", shown ? ", " : ": ", id,
                      recording_line(r, item->row));
        shown++;
    }
    px_buf_str(out, j->n_unknown > shown ? ", ...\n" : "\n");
}

void joined_describe(const struct joined *j, const struct task *t, const struct recording *r,
                     struct px_buf *out)
{
    if (j->n_unknown) {
        px_buf_printf(out, "%u of %u completions are about no problem of task %s", j->n_unknown,
                      j->n_items, task_name(t));
        list_unknown(j, r, out);
    }
    if (j->n_missing) {
        px_buf_printf(out, "%u of %u problems have no completion", j->n_missing, j->n_problems);
        list_problems(j, t, 0, 0, j->n_missing, out);
    }
    uint32_t less = 0;
    for (uint32_t p = 0; p < j->n_problems; p++)
        less += j->count[p] && j->count[p] < j->usual;
    if (j->n_more) {
        px_buf_printf(out, "%u %s more completions than the %u of others (the same id again?)",
                      j->n_more, have(j->n_more), j->usual);
        list_problems(j, t, j->usual + 1, UINT32_MAX, j->n_more, out);
    }
    if (less) {
        px_buf_printf(out, "%u %s fewer completions than the %u of others", less, have(less),
                      j->usual);
        list_problems(j, t, 1, j->usual - 1, less, out);
    }
}
