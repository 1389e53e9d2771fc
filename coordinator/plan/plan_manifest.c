/* plan_manifest.c - the plan as readers of the store see it. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/plan/plan.h"
#include "proto/json.h"
#include "proto/mem.h"

static char *models_json(const struct plan *p)
{
    struct px_buf b;
    px_buf_init(&b, 1 << 20);
    px_buf_char(&b, '[');
    for (uint32_t i = 0; i < p->n_models; i++) {
        const struct model_file *m = &p->models[i];
        const char *backend = backend_kind_name(m->backend);
        char hex[PX_HEX_SIZE];
        px_digest_hex(&m->digest, hex);
        px_buf_str(&b, i ? ",{\"name\":" : "{\"name\":");
        px_json_quote(&b, m->name, strlen(m->name));
        px_buf_printf(&b, ",\"digest\":\"%s\",\"backend\":\"%s\",\"architecture\":\"%s\"", hex,
                      backend, m->gguf ? m->config.arch_name : "");
        px_buf_printf(&b, ",\"bytes\":%llu,\"path\":", (unsigned long long)m->bytes);
        px_json_quote(&b, m->path, strlen(m->path));
        px_buf_char(&b, '}');
    }
    px_buf_char(&b, ']');
    return px_buf_steal(&b, NULL);
}

static void fill_cells(const struct plan *p, struct manifest *m)
{
    m->cells = px_xcalloc(p->n_cells, sizeof *m->cells);
    m->n_cells = p->n_cells;
    for (uint32_t i = 0; i < p->n_cells; i++) {
        const struct plan_cell *c = &p->cells[i];
        struct manifest_cell *out = &m->cells[i];
        out->names = px_xcalloc(c->n_names, sizeof *out->names);
        out->n_names = c->n_names;
        for (uint32_t k = 0; k < c->n_names; k++)
            out->names[k] = px_xstrdup(c->names[k]);
        out->model = px_xstrdup(p->models[c->model].name);
        out->settings = px_xstrdup(c->settings_json);
        out->speedup_bound = c->speedup_bound;
        out->reuse_on = c->reuse.k > 1 && c->reuse.n_layers > 0;
    }
}

static char *problems_digest(const struct task *t)
{
    struct px_hash *h = px_hash_new("proctor problems 1");
    char hex[PX_HEX_SIZE];
    for (uint32_t i = 0; i < task_n_problems(t); i++) {
        struct px_digest row = task_problem_digest(t, i);
        px_hash_str(h, task_problem_id(t, i));
        px_hash_digest(h, &row);
    }
    struct px_digest d = px_hash_end(&h);
    px_digest_hex(&d, hex);
    return px_xstrdup(hex);
}

void plan_manifest_task(const struct task *t, struct manifest_task *out)
{
    struct px_digest d = task_digest(t);
    char hex[PX_HEX_SIZE];
    px_digest_hex(&d, hex);
    out->name = px_xstrdup(task_name(t));
    out->request = px_xstrdup(task_request_name(task_request(t)));
    out->headline = px_xstrdup(task_headline(t));
    out->scorer = px_xstrdup(task_scorer_kind(t));
    out->chance = task_chance(t);
    out->n_problems = task_n_problems(t);
    out->digest = px_xstrdup(hex);
    out->problems = problems_digest(t);
    out->compat = px_xstrdup(task_compat(t));
    out->strategy = px_xstrdup(task_strategy(t));
    out->subsets = px_xstrdup(task_subsets_json(t));
    out->aggregates = px_xstrdup(task_aggregates_json(t));
    out->oracle = px_xstrdup(task_oracle_json(t));
    out->lower_is_better = task_lower_is_better(t);
}

static void fill_tasks(const struct plan *p, struct manifest *m)
{
    m->tasks = px_xcalloc(p->n_tasks, sizeof *m->tasks);
    m->n_tasks = p->n_tasks;
    for (uint32_t i = 0; i < p->n_tasks; i++)
        plan_manifest_task(p->tasks[i], &m->tasks[i]);
}

static void fill_group(const struct plan *p, uint32_t i, struct manifest_group *out)
{
    const struct plan_group *g = &p->groups[i];
    out->index = i;
    out->cell = g->cell;
    out->task = g->task;
    out->judged = g->judged;
    out->opponent = g->opponent;
    out->n_units = (uint32_t)g->n_units;
    out->units = px_xcalloc(g->n_units, sizeof *out->units);
    for (uint64_t k = 0; k < g->n_units; k++) {
        struct plan_unit at = plan_unit_at(p, g->first + k);
        out->units[k].plan_key = plan_key(p, g->first + k);
        out->units[k].problem = px_xstrdup(task_problem_id(p->tasks[g->task], at.problem));
        out->units[k].sample = at.sample * g->orders + at.order;
        out->units[k].turn = at.turn;
        out->units[k].subset = task_subset(p->tasks[g->task], at.problem);
    }
}

static struct px_digest plan_digest(const struct manifest *m)
{
    struct px_hash *h = px_hash_new("proctor run 1");
    for (uint32_t i = 0; i < m->n_groups; i++)
        for (uint32_t k = 0; k < m->groups[i].n_units; k++)
            px_hash_digest(h, &m->groups[i].units[k].plan_key);
    return px_hash_end(&h);
}

struct manifest *plan_manifest(const struct plan *p, const char *run_dir)
{
    struct manifest *m = px_xcalloc(1, sizeof *m);
    char hex[PX_HEX_SIZE];
    m->recipe = px_xstrdup(p->recipe->name);
    m->run_dir = px_xstrdup(run_dir);
    m->seed = p->recipe->seed;
    m->models = models_json(p);
    fill_cells(p, m);
    fill_tasks(p, m);
    m->groups = px_xcalloc(p->n_groups, sizeof *m->groups);
    m->n_groups = p->n_groups;
    for (uint32_t i = 0; i < p->n_groups; i++)
        fill_group(p, i, &m->groups[i]);
    struct px_digest d = plan_digest(m);
    px_digest_hex(&d, hex);
    m->plan_digest = px_xstrdup(hex);
    return m;
}
