/* agree.c - published verdicts, item by item. */
#include "coordinator/recorded/agree.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"

/* ---- values ---- */

static bool text_value(const char *s, double *out)
{
    static const struct {
        const char *word;
        double value;
    } words[] = {{"pass", 1},    {"passed", 1},    {"True", 1}, {"fail", 0},
                 {"timeout", 0}, {"timed out", 0}, {"False", 0}};
    char *end;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcmp(s, words[i].word) == 0) {
            *out = words[i].value;
            return true;
        }
    if (strncmp(s, "failed", 6) == 0) {
        *out = 0;
        return true;
    }
    *out = strtod(s, &end);
    return end != s && *end == '\0';
}

/* A number, a truth, a known word, or how many of a list of truths are true. */
static bool value_of(struct json_object *v, double *out)
{
    switch (json_object_get_type(v)) {
    case json_type_boolean:
        *out = json_object_get_boolean(v);
        return true;
    case json_type_int:
    case json_type_double:
        *out = json_object_get_double(v);
        return true;
    case json_type_string:
        return text_value(json_object_get_string(v), out);
    case json_type_array:
        *out = 0;
        for (size_t i = 0; i < json_object_array_length(v); i++) {
            struct json_object *e = json_object_array_get_idx(v, i);
            if (!json_object_is_type(e, json_type_boolean))
                return false;
            *out += json_object_get_boolean(e);
        }
        return json_object_array_length(v) > 0;
    default:
        return false;
    }
}

static struct agreement *entry_of(struct agreements *a, const char *key, const char *metric)
{
    for (uint32_t i = 0; i < a->n; i++)
        if (strcmp(a->list[i].key, key) == 0)
            return &a->list[i];
    PX_GROW(a->list, a->n, a->cap);
    struct agreement *e = &a->list[a->n++];
    *e = (struct agreement){.key = px_xstrdup(key), .metric = px_xstrdup(metric)};
    return e;
}

/* ---- one item ---- */

struct at {
    const struct graded *g;
    const struct grade *grade;
    struct json_object *row;
    uint32_t item;
    struct agreements *out;
};

static void compare(const struct at *at, struct json_object *published, const char *key,
                    const char *metric)
{
    const char *headline = at->g->manifest->tasks[0].headline;
    double theirs;
    if (!at->grade->done || !value_of(published, &theirs))
        return;
    const double *found = metric ? grade_metric(at->grade, metric) : NULL;
    if (metric && !found)
        return;
    double ours = found ? *found : at->grade->value;
    struct agreement *e = entry_of(at->out, key, metric ? metric : headline);
    e->n++;
    e->sum += theirs;
    e->ours += ours;
    if (fabs(ours - theirs) <= 1e-9 * (1 + fabs(theirs)))
        return;
    PX_GROW(e->differ, e->n_differ, e->cap_differ);
    e->differ[e->n_differ++] = (struct difference){at->item, theirs, ours};
}

/* lm-eval's rows name their metrics; ours are called "metric,filter" where a task has filters. */
static void compare_lm_eval(const struct at *at)
{
    struct json_object *names = recording_member(at->row, "metrics");
    const char *filter = px_json_str_or(at->row, "filter", "none");
    size_t n = json_object_is_type(names, json_type_array) ? json_object_array_length(names) : 0;
    for (size_t i = 0; i < n; i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(names, i));
        struct json_object *v = NULL;
        if (!name || !json_object_object_get_ex(at->row, name, &v))
            continue;
        PX_FREE char *long_name = px_xasprintf("%s,%s", name, filter);
        bool filtered = grade_metric(at->grade, long_name) != NULL;
        if (strcmp(name, "inst_level_strict_acc") == 0)
            compare(at, v, name, "inst_strict_right");
        else if (strcmp(name, "inst_level_loose_acc") == 0)
            compare(at, v, name, "inst_loose_right");
        else
            compare(at, v, name, filtered ? long_name : name);
    }
}

static void compare_known(const struct at *at, const char *prefix, bool loose)
{
    bool plus = grade_metric(at->grade, "pass@1_base") != NULL;
    const struct agree_flag known[] = {
        {"passed", NULL},
        {"is_solved", NULL},
        {"is_correct", NULL},
        {"base_status", plus ? "pass@1_base" : NULL},
        {plus ? "plus_status" : NULL, NULL},
        {"follow_all_instructions", loose ? "prompt_level_loose_acc" : "prompt_level_strict_acc"},
        {"follow_instruction_list", loose ? "inst_loose_right" : "inst_strict_right"}};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (!known[i].key)
            continue;
        PX_FREE char *key = px_xasprintf("%s%s", prefix, known[i].key);
        struct json_object *v = recording_member(at->row, key);
        double base;
        /* EvalPlus counts the added tests only for what passes the first ones */
        if (v && strcmp(known[i].key, "plus_status") == 0 &&
            value_of(recording_member(at->row, "base_status"), &base) && base < 1)
            v = recording_member(at->row, "base_status");
        if (v)
            compare(at, v, key, known[i].metric);
    }
}

void agree(const struct recording *r, const struct joined *j, const struct graded *g,
           const struct agree_flag *flags, uint32_t n_flags, const char *text_key,
           struct agreements *out)
{
    bool loose = strstr(recording_name(r), "loose") != NULL;
    const char *dot = text_key ? strrchr(text_key, '.') : NULL;
    PX_FREE char *beside = dot ? px_xstrndup(text_key, (size_t)(dot + 1 - text_key)) : NULL;
    memset(out, 0, sizeof *out);
    for (uint32_t i = 0; i < j->n_items; i++) {
        uint64_t unit = (uint64_t)j->problem[i] * g->samples + j->sample[i];
        if (j->problem[i] == JOIN_UNKNOWN || unit >= g->n)
            continue;
        struct at at = {g, &g->list[unit], recording_row(r, recording_item(r, i)->row), i, out};
        for (uint32_t k = 0; k < n_flags; k++)
            compare(&at, recording_member(at.row, flags[k].key), flags[k].key, flags[k].metric);
        if (n_flags == 0 && recording_format(r) == RECORDING_LM_EVAL)
            compare_lm_eval(&at);
        else if (n_flags == 0) {
            compare_known(&at, "", loose);
            if (beside)
                compare_known(&at, beside, loose);
        }
        json_object_put(at.row);
    }
}

void agreements_clear(struct agreements *a)
{
    for (uint32_t i = 0; i < a->n; i++) {
        free(a->list[i].key);
        free(a->list[i].metric);
        free(a->list[i].differ);
    }
    free(a->list);
    memset(a, 0, sizeof *a);
}
