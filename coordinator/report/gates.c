/* gates.c - see gates.h. */
#include "coordinator/report/gates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"

static const char *const states[] = {"open", "met", "missed", "behind"};

const char *gate_state_name(enum gate_state s)
{
    return states[s];
}

/* ---- judging ---- */

static bool holds(const struct gate *g, double v)
{
    switch (g->bound) {
    case GATE_AT_LEAST:
        return v >= g->threshold;
    case GATE_AT_MOST:
        return v <= g->threshold;
    case GATE_ABOVE:
        return v > g->threshold;
    default:
        return v < g->threshold;
    }
}

enum gate_state gate_judge(const struct gate *g, const struct gate_tally *t, double *value)
{
    double n = (double)t->n, missing = (double)(t->n - t->done);
    *value = t->done == 0 ? NAN : t->share && t->linear ? t->value * n / (double)t->done : t->value;
    if (t->done == t->n)
        return holds(g, t->value) ? GATE_MET : GATE_MISSED;
    bool wants_much = g->bound == GATE_AT_LEAST || g->bound == GATE_ABOVE;
    if (t->share) {
        double least = t->value, most = t->linear ? t->value + missing / n : 1;
        if (!holds(g, wants_much ? most : least))
            return GATE_MISSED;
        if (holds(g, wants_much ? least : most))
            return GATE_MET;
    }
    bool early = g->after && t->done >= g->after && t->done > 0;
    return early && !holds(g, *value) ? GATE_BEHIND : GATE_OPEN;
}

bool gate_failed(const struct gate_result *g)
{
    return g->gate->severity != GATE_WARN &&
           (g->state == GATE_MISSED ||
            (g->state == GATE_BEHIND && g->gate->severity == GATE_STOP_EARLY));
}

bool gate_covers(const struct gate *g, const struct manifest *m, const struct manifest_group *mg)
{
    const struct manifest_cell *c = &m->cells[mg->cell];
    if (*g->task && strcmp(g->task, m->tasks[mg->task].name) != 0)
        return false;
    if (*g->model && strcmp(g->model, c->model) != 0)
        return false;
    bool named = *g->cell == '\0';
    for (uint32_t i = 0; i < c->n_names && !named; i++)
        named = strcmp(g->cell, c->names[i]) == 0;
    return named;
}

/* ---- a whole run ---- */

static uint64_t count_outcomes(const struct group_stats *g, uint32_t bits)
{
    uint64_t n = 0;
    for (int i = 0; i < N_OUTCOMES; i++)
        n += bits & 1u << i ? g->outcomes[i] : 0;
    return n;
}

static struct gate_tally tally_group(const struct group_stats *g, const struct gate *gate)
{
    struct gate_measure how;
    struct gate_tally t = {.value = NAN, .share = true, .linear = true, .done = g->done, .n = g->n};
    gate_measure_parse(gate->metric, &how);
    const struct metric_stats *m = group_metric(g, gate->metric);
    if (how.source == GATE_OF_METRIC && m) {
        t.value = m->value;
        t.share = m->share && m->kind == METRIC_MEAN;
    } else if (how.source == GATE_OF_METRIC) {
        t.share = false; /* no verdict has it */
    } else if (how.source == GATE_OF_PASS_AT) {
        t.value = group_pass_at(g, how.k);
        t.linear = false;
    } else if (how.source == GATE_OF_MAJORITY) {
        t.value = g->majority.valid ? g->majority.value : NAN;
        t.share = false; /* what is missing can turn a vote */
    } else if (g->n) {
        uint64_t of = count_outcomes(g, how.outcomes);
        for (int i = 0; how.source == GATE_OF_ACCIDENT && i < N_ACCIDENTS; i++)
            of = accident_bit(i) == how.bit ? g->accidents[i] : of;
        t.value = (double)of / (double)g->n;
    }
    return t;
}

static void add_result(struct run_stats *r, const struct gate *gate, uint32_t group)
{
    const struct group_stats *g = &r->groups[group];
    struct gate_tally t = tally_group(g, gate);
    struct gate_result res = {.gate = gate, .group = group, .done = g->done, .n = g->n};
    res.state = gate_judge(gate, &t, &res.value);
    r->gates = px_xrealloc(r->gates, (r->n_gates + 1) * sizeof *r->gates);
    r->gates[r->n_gates++] = res;
}

void gates_judge_run(struct store_view *v, struct run_stats *r)
{
    const void *json;
    size_t n;
    if (!store_view_get(v, STORE_META, "gates", 5, &json, &n))
        return;
    r->gate_list = gates_parse(json, n, &r->n_gate_list);
    for (uint32_t i = 0; i < r->n_gate_list; i++)
        for (uint32_t k = 0; k < r->n_groups; k++)
            if (gate_covers(&r->gate_list[i], r->manifest, r->groups[k].group))
                add_result(r, &r->gate_list[i], k);
}

void gates_free(struct run_stats *r)
{
    gates_free_list(r->gate_list, r->n_gate_list);
    free(r->gates);
}
