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

static const char *const kinds[] = {"code", "numeric", "choice", "letter", "none", NULL};
static const char *const styles[] = {"completion", "function", NULL};
/* What `problem` must hold, and the metrics that a headline may name, by kind. */
static const char *const needed[][3] = {
    {"kind", "entry_point", NULL}, {"answer", NULL}, {NULL}, {"gold", "letters", NULL}, {NULL}};
static const char *const metrics[][4] = {{"pass@1", NULL},
                                         {"exact_match", "exact_match_strict", NULL},
                                         {"acc", "acc_norm", "acc_bytes", NULL},
                                         {"exact_match", NULL},
                                         {NULL}};

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

static void check_headline(const struct task *t, const struct task_map *m, uint32_t kind)
{
    uint32_t i = 0;
    struct px_buf b;
    while (t->headline && metrics[kind][i] && strcmp(metrics[kind][i], t->headline) != 0)
        i++;
    if (!t->headline || metrics[kind][i] || !metrics[kind][0])
        return;
    px_buf_init(&b, 1024);
    px_buf_printf(&b, "headline '%.60s' is not a metric of this scorer; allowed: ", t->headline);
    for (i = 0; metrics[kind][i]; i++)
        px_buf_printf(&b, "%s%s", i ? ", " : "", metrics[kind][i]);
    task_map_finding(m, "kind", (char *)b.data);
    px_buf_clear(&b);
}

static void check_kind(const struct task *t, const struct task_map *m, uint32_t kind)
{
    bool is_choice = strcmp(kinds[kind], "choice") == 0;
    if (is_choice != (t->request == TASK_CHOICE) && strcmp(kinds[kind], "none") != 0)
        task_map_finding(m, "kind",
                         "contradiction: the scorer `choice` goes with `request: choice`, the "
                         "others with `generate`");
    if (kind != 0 && yaml_get(m->node, "style"))
        task_map_finding(m, "style", "cannot act: it acts on `kind: code`");
    if (kind != 0 && yaml_get(m->node, "limits"))
        task_map_finding(m, "limits", "cannot act: they act on `kind: code`");
    check_headline(t, m, kind);
}

static void read_problem(struct task *t, const struct task_map *m, uint32_t kind)
{
    struct task_map problem = task_map_map(m, "problem", "scorer.problem.", false);
    t->problem.kind = FIELD_MAP;
    for (uint32_t i = 0; needed[kind][i]; i++) {
        if (problem.node ? !yaml_get(problem.node, needed[kind][i]) : true)
            task_map_finding(problem.node ? &problem : m, needed[kind][i],
                             "missing: this scorer needs it in `problem`");
    }
    if (problem.node)
        read_field(problem.node, "scorer.problem", m->f, &t->problem);
}

void task_read_scorer(struct task *t, const struct yaml_node *map, struct findings *f)
{
    struct task_map m = {.node = map, .path = "scorer.", .f = f};
    struct px_buf b;
    task_map_check(&m, task_keys_scorer);
    if (!yaml_get(map, "kind"))
        task_map_finding(&m, "kind", "missing; allowed: code, numeric, choice, letter, none");
    uint32_t kind = task_map_enum(&m, "kind", kinds, 4);
    t->scorer_kind = px_xstrdup(kinds[kind]);
    px_buf_init(&b, 4096);
    px_buf_printf(&b, "{\"kind\":\"%s\",\"version\":%lld", kinds[kind],
                  (long long)task_map_int(&m, "version", 1, 1000000, 1));
    if (kind == 0) {
        px_buf_printf(&b, ",\"style\":\"%s\"", styles[task_map_enum(&m, "style", styles, 0)]);
        struct task_map limits = task_map_map(&m, "limits", "scorer.limits.", false);
        task_map_check(&limits, task_keys_limits);
        if (limits.node)
            write_limits(&limits, &b);
    }
    px_buf_char(&b, '}');
    t->scorer = px_buf_steal(&b, NULL);
    check_kind(t, &m, kind);
    read_problem(t, &m, kind);
}
