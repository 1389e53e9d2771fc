/* task_scorer.c - `scorer` of a task file: what a tester is told once, and of each problem
 * (docs/scoring.md). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/recipe/check.h"
#include "coordinator/recipe/yaml.h"
#include "coordinator/task/task_inner.h"
#include "proto/json.h"
#include "proto/mem.h"
#include "proto/scorer_kinds.h"

static const char *const styles[] = {"completion", "function", "raw", "whole", NULL};

void field_clear(struct field *f)
{
    for (uint32_t i = 0; i < f->n; i++)
        field_clear(&f->kids[i]);
    free(f->kids);
    free(f->name);
    free(f->literal);
    template_free(&f->tmpl);
    *f = (struct field){0};
}

static bool is_literal(const struct yaml_node *n)
{
    int64_t i;
    double d;
    bool b;
    return yaml_int(n, &i) || yaml_double(n, &d) || yaml_bool(n, &b) || yaml_is_null(n);
}

static void read_field(const struct yaml_node *n, const char *path, struct findings *fs,
                       struct field *out)
{
    char below[CHECK_PATH];
    if (n->kind == YAML_SCALAR && is_literal(n)) {
        struct px_buf b;
        px_buf_init(&b, 1024);
        task_yaml_json(n, &b);
        out->kind = FIELD_LITERAL;
        out->literal = px_buf_steal(&b, NULL);
        return;
    }
    if (n->kind == YAML_SCALAR) {
        out->kind = FIELD_TEMPLATE;
        out->tmpl = task_template(n, path, fs);
        return;
    }
    out->kind = n->kind == YAML_MAP ? FIELD_MAP : FIELD_LIST;
    out->kids = px_xcalloc(n->n, sizeof *out->kids);
    out->n = (uint32_t)n->n;
    for (uint32_t i = 0; i < out->n; i++) {
        snprintf(below, sizeof below, "%.400s.%.100s", path,
                 n->kind == YAML_MAP ? n->keys[i]->text : "[]");
        if (n->kind == YAML_MAP)
            out->kids[i].name = px_xstrdup(n->keys[i]->text);
        read_field(n->items[i], below, fs, &out->kids[i]);
    }
}

static void write_limits(const struct task_map *m, struct px_buf *out)
{
    double v;
    bool first = true;
    px_buf_str(out, ",\"limits\":{");
    for (uint32_t i = 0; task_keys_limits[i]; i++) {
        const struct yaml_node *n = yaml_get(m->node, task_keys_limits[i]);
        if (!n)
            continue;
        if (!yaml_double(n, &v) || !(v > 0)) {
            task_map_finding(m, task_keys_limits[i], "is not a number above 0");
            continue;
        }
        px_buf_printf(out, "%s\"%s\":", first ? "" : ",", task_keys_limits[i]);
        px_json_number(out, v);
        first = false;
    }
    px_buf_char(out, '}');
}

static void check_kind(const struct task *t, const struct task_map *m,
                       const struct scorer_kind *kind)
{
    bool rolling = strcmp(kind->name, "rolling") == 0;
    enum task_request wants = kind->input != SCORER_LOGLIKELIHOODS ? TASK_GENERATE
                              : rolling                            ? TASK_ROLLING
                                                                   : TASK_CHOICE;
    char what[100];
    if (kind->input == SCORER_NOTHING || wants == t->request)
        return;
    snprintf(what, sizeof what, "contradiction: this scorer goes with `request: %s`",
             task_request_name(wants));
    task_map_finding(m, "kind", what);
}

static void read_choice_keys(struct task *t, const struct task_map *m)
{
    const struct yaml_node *n = yaml_get(m->node, "mutual_info");
    if (n && !yaml_bool(n, &t->mutual_info))
        task_map_finding(m, "mutual_info", "is not true or false");
    n = yaml_get(m->node, "out_of_range");
    t->gold_may_miss = n && n->kind == YAML_SCALAR && strcmp(n->text, "wrong") == 0;
    if (t->mutual_info && t->contexts.n > 0)
        task_map_finding(m, "mutual_info", "cannot act: there is one continuation only");
}

static void read_problem(struct task *t, const struct task_map *m, const struct scorer_kind *kind)
{
    struct task_map problem = task_map_map(m, "problem", "scorer.problem.", false);
    t->problem.kind = FIELD_MAP;
    for (uint32_t i = 0; kind->needs[i]; i++) {
        bool given =
            t->gold && strcmp(kind->needs[i], "gold") == 0; /* the task's own is filled in */
        if (!given && (problem.node ? !yaml_get(problem.node, kind->needs[i]) : true))
            task_map_finding(problem.node ? &problem : m, kind->needs[i],
                             "missing: this scorer needs it in `problem`");
    }
    if (problem.node)
        read_field(problem.node, "scorer.problem", m->f, &t->problem);
}

/* The kind; a finding and `none` when the name is missing or unknown. */
static const struct scorer_kind *read_kind(const struct task_map *m)
{
    const char *names[32] = {NULL};
    const struct scorer_kind *k;
    uint32_t none = 0;
    struct px_buf b;
    px_buf_init(&b, 1024);
    px_buf_str(&b, "missing; allowed: ");
    for (uint32_t i = 0; (k = scorer_kind_at(i)) != NULL && i < 31; i++) {
        names[i] = k->name;
        none = strcmp(k->name, "none") == 0 ? i : none;
        px_buf_printf(&b, "%s%s", i ? ", " : "", k->name);
    }
    if (!yaml_get(m->node, "kind"))
        task_map_finding(m, "kind", (char *)b.data);
    px_buf_clear(&b);
    return scorer_kind_at(task_map_enum(m, "kind", names, none));
}

static bool takes(const struct scorer_kind *kind, const char *key)
{
    for (uint32_t i = 0; kind->keys[i]; i++)
        if (strcmp(kind->keys[i], key) == 0)
            return true;
    return false;
}

/* The keys that only some kinds take, as JSON members. */
static void write_keys(const struct task_map *m, const struct scorer_kind *kind, struct px_buf *b)
{
    for (size_t i = 0; i < m->node->n; i++) {
        const char *key = m->node->keys[i]->text;
        if (strcmp(key, "kind") == 0 || strcmp(key, "version") == 0 || strcmp(key, "problem") == 0)
            continue;
        if (!takes(kind, key)) {
            char what[100];
            snprintf(what, sizeof what, "cannot act: a scorer of kind %s does not take it",
                     kind->name);
            task_map_finding(m, key, what);
        } else if (strcmp(key, "limits") == 0) {
            struct task_map limits = task_map_map(m, "limits", "scorer.limits.", false);
            task_map_check(&limits, task_keys_limits);
            if (limits.node)
                write_limits(&limits, b);
        } else if (strcmp(key, "style") == 0) {
            px_buf_printf(b, ",\"style\":\"%s\"", styles[task_map_enum(m, "style", styles, 0)]);
        } else {
            px_buf_printf(b, ",\"%s\":", key);
            task_yaml_json(m->node->items[i], b);
        }
    }
}

/* Values that cannot act: what the tester would refuse, said at the key. */
static void check_values(const struct task *t, const struct task_map *m,
                         const struct scorer_kind *kind)
{
    struct px_err err;
    const char *key = "kind";
    struct json_object *o = kind->check ? px_json_parse(t->scorer, strlen(t->scorer), &err) : NULL;
    if (o && kind->check(o, &key, &err) != 0)
        task_map_finding(m, key, err.text);
    json_object_put(o);
}

void task_read_scorer(struct task *t, const struct yaml_node *map, struct findings *f)
{
    struct task_map m = {.node = map, .path = "scorer.", .f = f};
    struct px_buf b;
    task_map_check(&m, task_keys_scorer);
    const struct scorer_kind *kind = read_kind(&m);
    int64_t version = task_map_int(&m, "version", 1, 1000000, SCORER_VERSION);
    if (version != SCORER_VERSION) {
        PX_FREE char *what = px_xasprintf("%lld is asked for, this build's scorers are version %d",
                                          (long long)version, SCORER_VERSION);
        task_map_finding(&m, "version", what);
    }
    t->scorer_kind = px_xstrdup(kind->name);
    px_buf_init(&b, 1 << 20);
    px_buf_printf(&b, "{\"kind\":\"%s\",\"version\":%lld", kind->name, (long long)version);
    write_keys(&m, kind, &b);
    px_buf_char(&b, '}');
    t->scorer = px_buf_steal(&b, NULL);
    check_kind(t, &m, kind);
    read_choice_keys(t, &m);
    check_values(t, &m, kind);
    read_problem(t, &m, kind);
}
