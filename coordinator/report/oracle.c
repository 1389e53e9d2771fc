/* oracle.c - see oracle.h. */
#include "coordinator/report/oracle.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/report/emit.h"
#include "coordinator/report/problem_index.h"
#include "proto/json.h"
#include "proto/mem.h"

/* ---- who belongs together ---- */

static bool has_verdicts(const struct group_stats *g)
{
    return g->outcomes[OUTCOME_GRADED] == 0 && g->outcomes[OUTCOME_UNSCORED] == 0 && g->n > 0;
}

static char *strategy_of(const struct manifest_cell *c)
{
    struct json_object *o = px_json_parse(c->settings, strlen(c->settings), NULL);
    char *s = px_xstrdup(o ? px_json_str_or(o, "strategy", "standard") : "standard");
    json_object_put(o);
    return s;
}

static uint32_t union_named(struct oracle *o, char *strategy)
{
    for (uint32_t i = 0; i < o->n_unions; i++) {
        if (strcmp(o->unions[i].strategy, strategy) == 0) {
            free(strategy);
            return i;
        }
    }
    o->unions = px_xrealloc(o->unions, (o->n_unions + 1) * sizeof *o->unions);
    o->unions[o->n_unions] = (struct oracle_union){.strategy = strategy};
    return o->n_unions++;
}

static void add_member(struct oracle *o, const struct group_stats *g, const char *run)
{
    o->members = px_xrealloc(o->members, (o->n_members + 1) * sizeof *o->members);
    struct oracle_member m = {.group = g, .run = run};
    m.strategy = union_named(o, strategy_of(g->cell));
    o->unions[m.strategy].members++;
    o->members[o->n_members++] = m;
}

static struct oracle *place(struct oracle **list, uint32_t *n, const struct group_stats *g)
{
    for (uint32_t i = 0; i < *n; i++) {
        struct oracle *o = &(*list)[i];
        if (strcmp(o->task->name, g->task->name) == 0 &&
            strcmp(o->task->digest, g->task->digest) == 0 &&
            strcmp(o->model_digest, g->model_digest) == 0)
            return o;
    }
    *list = px_xrealloc(*list, (*n + 1) * sizeof **list);
    (*list)[*n] = (struct oracle){.task = g->task, .model_digest = g->model_digest};
    return &(*list)[(*n)++];
}

/* ---- counting ---- */

struct places {
    uint32_t *at; /* per member: index of the problem there */
    struct problem_index *index;
};

/* Is the first member's i-th problem done by all? Fills where it is. */
static bool find_everywhere(struct oracle *o, uint32_t i, struct places *p)
{
    const char *id = group_problem(o->members[0].group, i);
    bool everywhere = true;
    for (uint32_t k = 0; k < o->n_members; k++) {
        const struct group_stats *g = o->members[k].group;
        if (!problem_index_find(&p->index[k], id, &p->at[k])) {
            o->sets_differ = true;
            return false;
        }
        everywhere = everywhere && g->problem_done[p->at[k]];
    }
    return everywhere;
}

static void count_problem(struct oracle *o, const struct places *p, bool *by_union)
{
    uint32_t solvers = 0, last = 0;
    bool all_right = true;
    memset(by_union, 0, o->n_unions * sizeof *by_union);
    for (uint32_t k = 0; k < o->n_members; k++) {
        const struct group_stats *g = o->members[k].group;
        uint32_t right = g->problem_right[p->at[k]];
        all_right = all_right && right == g->samples * g->turns;
        if (right == 0)
            continue;
        o->members[k].solved++;
        by_union[o->members[k].strategy] = true;
        last = k;
        solvers++;
    }
    for (uint32_t u = 0; u < o->n_unions; u++)
        o->unions[u].solved += by_union[u];
    o->n++;
    o->solved += solvers > 0;
    o->never += solvers == 0;
    o->always += all_right;
    if (solvers == 1)
        o->members[last].unique++;
}

static void count(struct oracle *o)
{
    const struct group_stats *first = o->members[0].group;
    bool *by_union = px_xcalloc(o->n_unions, sizeof *by_union);
    struct places p = {.at = px_xcalloc(o->n_members, sizeof *p.at),
                       .index = px_xcalloc(o->n_members, sizeof *p.index)};
    for (uint32_t k = 0; k < o->n_members; k++) {
        problem_index_make(&p.index[k], o->members[k].group);
        o->sets_differ = o->sets_differ || o->members[k].group->n_problems != first->n_problems;
    }
    for (uint32_t i = 0; i < first->n_problems; i++) {
        if (find_everywhere(o, i, &p))
            count_problem(o, &p, by_union);
        else
            o->left_out++;
    }
    for (uint32_t k = 0; k < o->n_members; k++) {
        if (o->members[k].solved > o->members[o->best].solved)
            o->best = k;
        problem_index_clear(&p.index[k]);
    }
    for (uint32_t u = 0; u < o->n_unions; u++)
        if (o->unions[u].solved > o->unions[o->best_union].solved)
            o->best_union = u;
    free(p.at);
    free(p.index);
    free(by_union);
}

struct oracle *oracles_make(const struct oracle_source *runs, uint32_t n_runs, const char *task,
                            uint32_t *n)
{
    struct oracle *list = NULL;
    *n = 0;
    for (uint32_t r = 0; r < n_runs; r++)
        for (uint32_t i = 0; i < runs[r].run->n_groups; i++) {
            const struct group_stats *g = &runs[r].run->groups[i];
            if (has_verdicts(g) && (!task || strcmp(task, g->task->name) == 0))
                add_member(place(&list, n, g), g, runs[r].name);
        }
    for (uint32_t i = 0; i < *n; i++)
        count(&list[i]);
    return list;
}

void oracles_free(struct oracle **list, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        for (uint32_t k = 0; k < (*list)[i].n_unions; k++)
            free((*list)[i].unions[k].strategy);
        free((*list)[i].unions);
        free((*list)[i].members);
    }
    free(*list);
    *list = NULL;
}

/* ---- pages ---- */

static double share(const struct oracle *o, uint32_t count)
{
    return o->n ? (double)count / o->n : 0;
}

static void line(struct px_buf *out, const char *what, const struct oracle *o, uint32_t count)
{
    px_buf_printf(out, "  %-13s %6u  %5.1f %%", what, count, 100 * share(o, count));
}

static void text_one(const struct oracle *o, struct px_buf *out)
{
    px_buf_printf(out, "%s, model %s %.12s: %u cells, %u problems done by all\n", o->task->name,
                  o->members[0].group->cell->model, o->model_digest, o->n_members, o->n);
    if (o->left_out || o->sets_differ)
        px_buf_printf(out, "  incomplete: %u problems are not done by all of them%s\n", o->left_out,
                      o->sets_differ ? ", or not in all of their sets" : "");
    line(out, "any cell", o, o->solved);
    px_buf_str(out, "  (oracle)\n");
    line(out, "best cell", o, o->members[o->best].solved);
    px_buf_printf(out, "  %s, gap %u\n", o->members[o->best].group->cell->names[0],
                  o->solved - o->members[o->best].solved);
    line(out, "best strategy", o, o->unions[o->best_union].solved);
    px_buf_printf(out, "  %s, %u cells, gap %u\n", o->unions[o->best_union].strategy,
                  o->unions[o->best_union].members, o->solved - o->unions[o->best_union].solved);
    line(out, "always", o, o->always);
    px_buf_char(out, '\n');
    line(out, "inconsistent", o, o->n - o->always - o->never);
    px_buf_char(out, '\n');
    line(out, "never", o, o->never);
    px_buf_char(out, '\n');
    for (uint32_t k = 0; k < o->n_members; k++)
        px_buf_printf(out, "  %s %s: %u solved, %u by no other\n", o->members[k].run,
                      o->members[k].group->cell->names[0], o->members[k].solved,
                      o->members[k].unique);
}

void oracles_text(const struct oracle *list, uint32_t n, struct px_buf *out)
{
    for (uint32_t i = 0; i < n; i++) {
        if (i)
            px_buf_char(out, '\n');
        text_one(&list[i], out);
    }
}

static void json_one(const struct oracle *o, struct emit *j)
{
    emit_begin(j, NULL, '{');
    emit_text(j, "task", o->task->name);
    emit_text(j, "task_digest", o->task->digest);
    emit_text(j, "model_digest", o->model_digest);
    emit_u64(j, "problems", o->n);
    emit_u64(j, "left_out", o->left_out);
    emit_bool(j, "sets_differ", o->sets_differ);
    emit_u64(j, "oracle", o->solved);
    emit_u64(j, "always", o->always);
    emit_u64(j, "inconsistent", o->n - o->always - o->never);
    emit_u64(j, "never", o->never);
    emit_text(j, "best_cell", o->members[o->best].group->cell->names[0]);
    emit_u64(j, "gap_to_best_cell", o->solved - o->members[o->best].solved);
    emit_text(j, "best_strategy", o->unions[o->best_union].strategy);
    emit_u64(j, "gap_to_best_strategy", o->solved - o->unions[o->best_union].solved);
    emit_begin(j, "strategies", '[');
    for (uint32_t u = 0; u < o->n_unions; u++) {
        emit_begin(j, NULL, '{');
        emit_text(j, "strategy", o->unions[u].strategy);
        emit_u64(j, "cells", o->unions[u].members);
        emit_u64(j, "solved", o->unions[u].solved);
        emit_end(j, '}');
    }
    emit_end(j, ']');
    emit_begin(j, "cells", '[');
    for (uint32_t k = 0; k < o->n_members; k++) {
        emit_begin(j, NULL, '{');
        emit_text(j, "run", o->members[k].run);
        emit_text(j, "cell", o->members[k].group->cell->names[0]);
        emit_u64(j, "solved", o->members[k].solved);
        emit_u64(j, "unique", o->members[k].unique);
        emit_end(j, '}');
    }
    emit_end(j, ']');
    emit_end(j, '}');
}

void oracles_json(const struct oracle *list, uint32_t n, struct px_buf *out)
{
    struct emit j = {.b = out, .lines_to = 2};
    emit_begin(&j, NULL, '{');
    emit_begin(&j, "oracles", '[');
    for (uint32_t i = 0; i < n; i++)
        json_one(&list[i], &j);
    emit_end(&j, ']');
    emit_end(&j, '}');
    px_buf_char(out, '\n');
}
