/* results.c - see results.h. */
#include "coordinator/report/results.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/report/emit.h"
#include "coordinator/report/gates.h"
#include "coordinator/report/results_group.h"
#include "proto/json.h"
#include "proto/mem.h"

/* ---- the compared part ---- */

/* The manifest's models, without the paths they happened to have. */
static void write_models(struct emit *j, const char *models, bool observed)
{
    struct json_object *list = px_json_parse(models, strlen(models), NULL);
    emit_begin(j, "models", '[');
    for (size_t i = 0;
         list && json_object_is_type(list, json_type_array) && i < json_object_array_length(list);
         i++) {
        struct json_object *m = json_object_array_get_idx(list, i);
        emit_begin(j, NULL, '{');
        emit_text(j, "name", px_json_str_or(m, "name", ""));
        if (observed) {
            emit_text(j, "path", px_json_str_or(m, "path", ""));
        } else {
            emit_text(j, "digest", px_json_str_or(m, "digest", ""));
            emit_text(j, "backend", px_json_str_or(m, "backend", ""));
            emit_text(j, "architecture", px_json_str_or(m, "architecture", ""));
            emit_u64(j, "bytes", (uint64_t)px_json_int_or(m, "bytes", 0));
        }
        emit_end(j, '}');
    }
    emit_end(j, ']');
    json_object_put(list);
}

static void write_tasks(struct emit *j, const struct manifest *m)
{
    emit_begin(j, "tasks", '[');
    for (uint32_t i = 0; i < m->n_tasks; i++) {
        const struct manifest_task *t = &m->tasks[i];
        emit_begin(j, NULL, '{');
        emit_text(j, "name", t->name);
        emit_text(j, "request", t->request);
        emit_text(j, "scorer", t->scorer);
        emit_text(j, "headline", t->headline);
        emit_f64(j, "chance", t->chance);
        emit_u64(j, "problems", t->n_problems);
        emit_text(j, "digest", t->digest);
        emit_text(j, "compat", t->compat);
        emit_bool(j, "lower_is_better", t->lower_is_better);
        emit_raw(j, "oracle", t->oracle);
        emit_end(j, '}');
    }
    emit_end(j, ']');
}

static void write_cells(struct emit *j, const struct manifest *m)
{
    emit_begin(j, "cells", '[');
    for (uint32_t i = 0; i < m->n_cells; i++) {
        const struct manifest_cell *c = &m->cells[i];
        emit_begin(j, NULL, '{');
        emit_begin(j, "names", '[');
        for (uint32_t k = 0; k < c->n_names; k++)
            emit_text(j, NULL, c->names[k]);
        emit_end(j, ']');
        emit_text(j, "model", c->model);
        emit_raw(j, "settings", c->settings);
        emit_bool(j, "reuse", c->reuse_on);
        emit_f64(j, "speedup_bound", c->speedup_bound);
        emit_end(j, '}');
    }
    emit_end(j, ']');
}

static void write_run_accidents(struct emit *j, const struct run_stats *r)
{
    uint64_t all[N_ACCIDENTS] = {0};
    for (uint32_t i = 0; i < r->n_groups; i++)
        for (int k = 0; k < N_ACCIDENTS; k++)
            all[k] += r->groups[i].accidents[k];
    results_accidents(j, all);
}

static void write_gates(struct emit *j, const struct run_stats *r)
{
    emit_begin(j, "gates", '[');
    for (uint32_t i = 0; i < r->n_gates; i++) {
        const struct gate_result *g = &r->gates[i];
        const struct group_stats *of = &r->groups[g->group];
        emit_begin(j, NULL, '{');
        emit_text(j, "metric", g->gate->metric);
        emit_text(j, "cell", of->cell->names[0]);
        emit_text(j, "model", of->cell->model);
        emit_text(j, "task", of->task->name);
        emit_text(j, "bound", gate_bound_name(g->gate->bound));
        emit_f64(j, "threshold", g->gate->threshold);
        emit_text(j, "severity", gate_severity_name(g->gate->severity));
        emit_u64(j, "after", g->gate->after);
        emit_text(j, "state", gate_state_name(g->state));
        emit_f64(j, "value", g->value);
        emit_u64(j, "done", g->done);
        emit_u64(j, "n", g->n);
        emit_end(j, '}');
    }
    emit_end(j, ']');
}

static void write_alarms(struct emit *j, const struct run_stats *r, const struct alarms *a)
{
    emit_begin(j, "alarms", '[');
    for (uint32_t i = 0; i < a->n; i++) {
        const struct group_stats *g = &r->groups[a->list[i].group];
        emit_begin(j, NULL, '{');
        emit_text(j, "severity", alarm_severity_name(a->list[i].severity));
        emit_text(j, "kind", a->list[i].kind);
        emit_text(j, "cell", g->cell->names[0]);
        emit_text(j, "task", g->task->name);
        emit_text(j, "text", a->list[i].text);
        emit_end(j, '}');
    }
    emit_end(j, ']');
}

static void write_result(struct emit *j, const struct run_stats *r, const struct alarms *a)
{
    const struct manifest *m = r->manifest;
    char seed[24];
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)m->seed);
    emit_begin(j, "result", '{');
    emit_text(j, "recipe", m->recipe);
    emit_text(j, "seed", seed);
    emit_text(j, "plan", m->plan_digest);
    write_models(j, m->models, false);
    write_tasks(j, m);
    write_cells(j, m);
    emit_begin(j, "groups", '[');
    for (uint32_t i = 0; i < r->n_groups; i++)
        results_group(j, r, &r->groups[i]);
    emit_end(j, ']');
    write_run_accidents(j, r);
    write_gates(j, r);
    write_alarms(j, r, a);
    emit_end(j, '}');
}

/* ---- what was merely observed ---- */

static void write_anomaly(struct emit *j, const char *key, const struct host_speeds *s,
                          const struct speed_anomaly *a)
{
    if (!a->found)
        return;
    emit_begin(j, key, '{');
    emit_text(j, "fast", s->hosts[a->fast].host);
    emit_text(j, "slow", s->hosts[a->slow].host);
    emit_u64(j, "batch", a->batch);
    emit_f64(j, "fast_tokens_per_s", a->fast_rate);
    emit_f64(j, "slow_tokens_per_s", a->slow_rate);
    emit_f64(j, "ratio", a->fast_rate / a->slow_rate);
    if (a->over_time)
        emit_text(j, "slow_half", a->slowed_down ? "later" : "earlier");
    emit_end(j, '}');
}

static void write_observed_group(struct emit *j, const struct group_stats *g)
{
    emit_begin(j, NULL, '{');
    emit_text(j, "cell", g->cell->names[0]);
    emit_text(j, "task", g->task->name);
    emit_f64(j, "prefill_tokens_per_s", speeds_prefill(&g->speeds));
    emit_f64(j, "decode_tokens_per_s", speeds_decode(&g->speeds));
    if (g->pairing.valid && g->pairing.speed_ratio > 0)
        emit_f64(j, "decode_speed_ratio", g->pairing.speed_ratio);
    emit_u64(j, "prompt_tokens_computed", g->prompt_computed);
    write_anomaly(j, "speed_between_hosts", &g->speeds, &g->speeds.between);
    write_anomaly(j, "speed_over_time", &g->speeds, &g->speeds.within);
    emit_u64(j, "retried", g->retried);
    emit_u64(j, "first_wall_us", (uint64_t)g->first_wall_us);
    emit_u64(j, "last_wall_us", (uint64_t)g->last_wall_us);
    emit_begin(j, "hosts", '[');
    for (uint32_t i = 0; i < g->speeds.n_hosts; i++) {
        const struct host_speed *h = &g->speeds.hosts[i];
        emit_begin(j, NULL, '{');
        emit_text(j, "host", h->host);
        emit_u64(j, "units", h->n);
        emit_f64(j, "prefill_s", h->prefill_s);
        emit_f64(j, "decode_s", h->decode_s);
        emit_end(j, '}');
    }
    emit_end(j, ']');
    emit_end(j, '}');
}

static void write_observed(struct emit *j, const struct run_stats *r)
{
    emit_begin(j, "observed", '{');
    emit_text(j, "run_dir", r->manifest->run_dir);
    write_models(j, r->manifest->models, true);
    emit_u64(j, "damaged_records", r->lost);
    emit_begin(j, "groups", '[');
    for (uint32_t i = 0; i < r->n_groups; i++)
        write_observed_group(j, &r->groups[i]);
    emit_end(j, ']');
    emit_end(j, '}');
}

void results_json(const struct run_stats *r, const struct alarms *a, struct px_buf *out)
{
    struct emit j = {.b = out, .lines_to = 3};
    emit_begin(&j, NULL, '{');
    emit_u64(&j, "format", RESULTS_FORMAT);
    write_result(&j, r, a);
    write_observed(&j, r);
    emit_end(&j, '}');
    px_buf_char(out, '\n');
}
