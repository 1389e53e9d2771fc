/* task_report.c - what a task file says about its numbers: subsets and their groups, metrics made
 * of sums, which way is better, and the scores that are known beforehand. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/recipe/check.h"
#include "coordinator/recipe/yaml.h"
#include "coordinator/task/task_inner.h"
#include "proto/json.h"
#include "proto/mem.h"
#include "proto/scorer_kinds.h"

static const char *const kinds[] = {"ratio", "exp_neg_ratio", "bits_ratio", "exp_neg_mean", NULL};

void task_report_clear(struct task *t)
{
    for (uint32_t i = 0; i < t->n_aggregates; i++) {
        free(t->aggregates[i].metric);
        free(t->aggregates[i].of);
        free(t->aggregates[i].over);
    }
    for (uint32_t i = 0; i < t->n_groups; i++)
        free(t->groups[i]);
    for (uint32_t i = 0; i < t->n_members; i++)
        free(t->members[i].subset);
    for (uint32_t i = 0; i < t->n_subsets; i++)
        free(t->subsets[i].name);
    free(t->aggregates);
    free(t->groups);
    free(t->members);
    free(t->subsets);
    free(t->subset_of);
    free(t->aggregates_json);
    free(t->oracle_json);
    free(t->subsets_json);
    template_free(&t->subset);
}

bool task_has_aggregate(const struct task *t, const char *metric)
{
    for (uint32_t i = 0; i < t->n_aggregates; i++)
        if (t->aggregates[i].metric && strcmp(t->aggregates[i].metric, metric) == 0)
            return true;
    return false;
}

/* ---- metrics ---- */

static bool emits(const struct task *t, const char *metric)
{
    const struct scorer_kind *k = t->scorer_kind ? scorer_kind_find(t->scorer_kind) : NULL;
    return !k || !k->metrics[0] || scorer_kind_emits(k, metric);
}

/* "'x' is not a metric of this scorer; allowed: a, b" */
static void refuse_metric(const struct task *t, const struct task_map *m, const char *key,
                          const char *metric, bool aggregates)
{
    const struct scorer_kind *k = scorer_kind_find(t->scorer_kind);
    struct px_buf b;
    px_buf_init(&b, 4096);
    px_buf_printf(&b, "'%.60s' is not a metric of this scorer; allowed: ", metric);
    for (uint32_t i = 0; k && k->metrics[i]; i++)
        px_buf_printf(&b, "%s%s", i ? ", " : "", k->metrics[i]);
    for (uint32_t i = 0; aggregates && i < t->n_aggregates; i++)
        if (t->aggregates[i].metric)
            px_buf_printf(&b, ", %s", t->aggregates[i].metric);
    task_map_finding(m, key, (char *)b.data);
    px_buf_clear(&b);
}

static char *scorer_metric(const struct task *t, const struct task_map *m, const char *key)
{
    char *name = task_map_text(m, key, true);
    if (name && !emits(t, name))
        refuse_metric(t, m, key, name, false);
    return name;
}

static void read_aggregate(struct task *t, const struct task_map *m)
{
    struct aggregate *a = &t->aggregates[t->n_aggregates];
    task_map_check(m, task_keys_aggregate);
    char *metric = task_map_text(m, "metric", true);
    if (metric && (!*metric || task_has_aggregate(t, metric)))
        task_map_finding(m, "metric", "is empty or named twice");
    a->metric = metric;
    if (!yaml_get(m->node, "kind"))
        task_map_finding(m, "kind",
                         "missing; allowed: ratio, exp_neg_ratio, bits_ratio, exp_neg_mean");
    a->kind = (enum aggregate_kind)task_map_enum(m, "kind", kinds, 0);
    a->of = scorer_metric(t, m, "of");
    if (a->kind != AGGREGATE_EXP_NEG_MEAN)
        a->over = scorer_metric(t, m, "over");
    else if (yaml_get(m->node, "over"))
        task_map_finding(m, "over", "cannot act: exp_neg_mean divides by the number of problems");
    t->n_aggregates++;
}

static void read_aggregates(struct task *t, const struct task_map *m)
{
    const struct yaml_node *list = yaml_get(m->node, "aggregate");
    if (!list)
        return;
    if (list->kind != YAML_LIST || list->n == 0 || list->n > 100) {
        task_map_finding(m, "aggregate", "is not a list of maps {metric, kind, of, over}");
        return;
    }
    t->aggregates = px_xcalloc(list->n, sizeof *t->aggregates);
    for (size_t i = 0; i < list->n; i++) {
        struct task_map one = {.node = list->items[i], .path = "aggregate.", .f = m->f};
        if (one.node->kind != YAML_MAP)
            task_map_finding(m, "aggregate", "is not a list of maps {metric, kind, of, over}");
        else
            read_aggregate(t, &one);
    }
}

static char *aggregates_json(const struct task *t)
{
    struct px_buf b;
    px_buf_init(&b, 1 << 20);
    px_buf_char(&b, '[');
    for (uint32_t i = 0; i < t->n_aggregates; i++) {
        const struct aggregate *a = &t->aggregates[i];
        const char *metric = a->metric ? a->metric : "", *of = a->of ? a->of : "";
        px_buf_str(&b, i ? ",{\"metric\":" : "{\"metric\":");
        px_json_quote(&b, metric, strlen(metric));
        px_buf_printf(&b, ",\"kind\":\"%s\",\"of\":", kinds[a->kind]);
        px_json_quote(&b, of, strlen(of));
        if (a->over) {
            px_buf_str(&b, ",\"over\":");
            px_json_quote(&b, a->over, strlen(a->over));
        }
        px_buf_char(&b, '}');
    }
    px_buf_char(&b, ']');
    return px_buf_steal(&b, NULL);
}

/* ---- known scores ---- */

static void read_scores(const struct task *t, const struct task_map *m, struct px_buf *out)
{
    px_buf_char(out, '{');
    for (size_t i = 0; i < m->node->n; i++) {
        const char *metric = m->node->keys[i]->text;
        double v = 0;
        if (!emits(t, metric) && !task_has_aggregate(t, metric))
            refuse_metric(t, m, metric, metric, true);
        if (!yaml_double(m->node->items[i], &v) || !isfinite(v))
            task_map_finding(m, metric, "is not a number");
        if (i)
            px_buf_char(out, ',');
        px_json_quote(out, metric, strlen(metric));
        px_buf_char(out, ':');
        px_json_number(out, isfinite(v) ? v : 0);
    }
    px_buf_char(out, '}');
}

static char *read_oracle(const struct task *t, const struct task_map *m)
{
    struct task_map oracle = task_map_map(m, "oracle", "oracle.", false);
    struct px_buf b;
    bool first = true;
    px_buf_init(&b, 1 << 20);
    px_buf_char(&b, '{');
    task_map_check(&oracle, task_keys_oracle);
    for (uint32_t i = 0; task_keys_oracle[i]; i++) {
        char path[40];
        snprintf(path, sizeof path, "oracle.%s.", task_keys_oracle[i]);
        struct task_map of = task_map_map(&oracle, task_keys_oracle[i], path, false);
        if (!of.node)
            continue;
        px_buf_printf(&b, "%s\"%s\":", first ? "" : ",", task_keys_oracle[i]);
        read_scores(t, &of, &b);
        first = false;
    }
    px_buf_char(&b, '}');
    return px_buf_steal(&b, NULL);
}

/* ---- groups ---- */

static void add_member(struct task *t, const struct task_map *m, const char *group,
                       const struct yaml_node *n)
{
    PX_FREE char *path = px_xasprintf("groups.%.100s", group);
    if (n->kind != YAML_SCALAR || n->n_text == 0) {
        findings_add(m->f, n, path, "is not a list of subsets");
        return;
    }
    for (uint32_t i = 0; i < t->n_members; i++)
        if (strcmp(t->members[i].subset, n->text) == 0)
            findings_add(m->f, n, path, "'%.100s' is in a group already", n->text);
    t->members = px_xrealloc(t->members, (t->n_members + 1) * sizeof *t->members);
    t->members[t->n_members++] = (struct group_member){
        .subset = px_xstrdup(n->text), .group = t->n_groups, .line = n->line, .column = n->column};
}

static void read_groups(struct task *t, const struct task_map *m)
{
    struct task_map groups = task_map_map(m, "groups", "groups.", false);
    if (!groups.node)
        return;
    if (!t->subset)
        task_map_finding(m, "groups", "cannot act: there is no `subset`");
    t->groups = px_xcalloc(groups.node->n + 1, sizeof *t->groups);
    for (size_t i = 0; i < groups.node->n; i++) {
        const struct yaml_node *list = groups.node->items[i];
        const char *name = groups.node->keys[i]->text;
        if (list->kind != YAML_LIST || list->n == 0)
            task_map_finding(&groups, name, "is not a list of subsets");
        for (size_t k = 0; list->kind == YAML_LIST && k < list->n; k++)
            add_member(t, m, name, list->items[k]);
        t->groups[t->n_groups++] = px_xstrdup(name);
    }
}

void task_read_report(struct task *t, const struct task_map *m)
{
    const struct yaml_node *lower = yaml_get(m->node, "lower_is_better");
    read_aggregates(t, m);
    t->aggregates_json = aggregates_json(t);
    t->headline = task_map_text(m, "headline", true);
    if (t->headline && !*t->headline)
        task_map_finding(m, "headline", "is not the name of a metric");
    else if (t->headline && !emits(t, t->headline) && !task_has_aggregate(t, t->headline))
        refuse_metric(t, m, "headline", t->headline, true);
    if (lower && !yaml_bool(lower, &t->lower_is_better))
        task_map_finding(m, "lower_is_better", "is not true or false");
    t->oracle_json = read_oracle(t, m);
    t->subset = task_map_template(m, "subset", false);
    read_groups(t, m);
}

/* ---- labels ---- */

static uint32_t find_subset(struct task *t, const char *name, uint32_t hint)
{
    if (hint < t->n_subsets && strcmp(t->subsets[hint].name, name) == 0)
        return hint; /* rows come subset by subset */
    uint32_t i = 0;
    while (i < t->n_subsets && strcmp(t->subsets[i].name, name) != 0)
        i++;
    if (i < t->n_subsets)
        return i;
    struct subset s = {.name = px_xstrdup(name)};
    for (uint32_t k = 0; k < t->n_members; k++)
        if (strcmp(t->members[k].subset, name) == 0)
            s.group = t->members[k].group + 1;
    t->subsets = px_xrealloc(t->subsets, (t->n_subsets + 1) * sizeof *t->subsets);
    t->subsets[t->n_subsets++] = s;
    return i;
}

static int label(struct task *t, uint32_t i, struct arena *a, struct px_buf *b, struct px_err *err)
{
    struct value row = table_get(t->rows, i, a);
    struct template_row view = {.row = &row, .number = i};
    px_buf_reset(b);
    if (template_render(t->subset, &view, a, b, err) != 0)
        return -1;
    px_buf_char(b, '\0');
    if (b->len < 2 || b->len > 200 || memchr(b->data, '\0', b->len - 1))
        return px_fail(err, PX_EINPUT, "a label must have 1 to 199 bytes and no NUL character");
    t->subset_of[i] = find_subset(t, (char *)b->data, i ? t->subset_of[i - 1] : 0);
    if (t->n_subsets > 10000)
        return px_fail(err, PX_ELIMIT, "more than 10,000 different labels");
    return 0;
}

static int check_members(const struct task *t, struct px_err *err)
{
    for (uint32_t i = 0; i < t->n_members; i++) {
        const struct group_member *m = &t->members[i];
        bool found = false;
        for (uint32_t k = 0; k < t->n_subsets && !found; k++)
            found = strcmp(t->subsets[k].name, m->subset) == 0;
        if (!found)
            return px_fail(err, PX_EINPUT, "%s:%u:%u: groups.%s: no problem is labelled '%s'",
                           t->path, m->line, m->column, t->groups[m->group], m->subset);
    }
    return 0;
}

static char *subsets_json(const struct task *t)
{
    struct px_buf b;
    px_buf_init(&b, 16u << 20);
    px_buf_char(&b, '[');
    for (uint32_t i = 0; i < t->n_subsets; i++) {
        const char *group = t->subsets[i].group ? t->groups[t->subsets[i].group - 1] : "";
        px_buf_str(&b, i ? ",{\"name\":" : "{\"name\":");
        px_json_quote(&b, t->subsets[i].name, strlen(t->subsets[i].name));
        px_buf_str(&b, ",\"group\":");
        px_json_quote(&b, group, strlen(group));
        px_buf_char(&b, '}');
    }
    px_buf_char(&b, ']');
    return px_buf_steal(&b, NULL);
}

int task_label_problems(struct task *t, struct px_err *err)
{
    uint32_t n = table_count(t->rows);
    struct arena *a = arena_new();
    struct px_buf b;
    int rc = 0;
    px_buf_init(&b, 1u << 20);
    t->subset_of = px_xcalloc(n + 1u, sizeof *t->subset_of);
    for (uint32_t i = 0; t->subset && i < n && rc == 0; i++) {
        arena_reset(a);
        rc = label(t, i, a, &b, err);
        if (rc != 0)
            px_wrap(err, "%s:%u: subset", table_path(t->rows, i), table_line(t->rows, i));
    }
    px_buf_clear(&b);
    arena_free(&a);
    if (rc == 0)
        rc = check_members(t, err);
    t->subsets_json = subsets_json(t);
    return rc;
}
