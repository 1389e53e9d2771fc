/* gates.c - see gates.h. */
#include "coordinator/report/gates.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"
#include "proto/number.h"

static const char *const bounds[] = {"", "at_least", "at_most", "above", "below"};
static const char *const severities[] = {"", "warn", "stop", "stop_early"};
static const char *const states[] = {"open", "met", "missed", "behind"};

const char *gate_bound_name(enum gate_bound b)
{
    return bounds[b];
}

const char *gate_severity_name(enum gate_severity s)
{
    return severities[s];
}

const char *gate_state_name(enum gate_state s)
{
    return states[s];
}

/* ---- what is measured ---- */

static bool part_of(const char *metric, const char *prefix, const char **rest)
{
    size_t n = strlen(prefix);
    *rest = metric + n;
    return strncmp(metric, prefix, n) == 0;
}

static bool outcome_by_name(const char *name, uint32_t *bits)
{
    for (int i = 0; i < N_OUTCOMES; i++) {
        if (strcmp(outcome_name((enum outcome)i), name) == 0) {
            *bits = 1u << i;
            return true;
        }
    }
    return false;
}

bool gate_measure_parse(const char *metric, struct gate_measure *out)
{
    const char *rest;
    int64_t k;
    *out = (struct gate_measure){.source = GATE_OF_METRIC};
    if (strcmp(metric, "errors") == 0) {
        out->source = GATE_OF_OUTCOMES;
        for (int i = 0; i < N_OUTCOMES; i++)
            out->outcomes |= outcome_is_error((enum outcome)i) ? 1u << i : 0;
        return true;
    }
    if (part_of(metric, "outcomes/", &rest)) {
        out->source = GATE_OF_OUTCOMES;
        return outcome_by_name(rest, &out->outcomes);
    }
    if (part_of(metric, "accidents/", &rest)) {
        out->source = GATE_OF_ACCIDENT;
        out->bit = accident_by_name(rest);
        return out->bit != 0;
    }
    if (part_of(metric, "maj@", &rest)) {
        out->source = GATE_OF_MAJORITY;
        out->k = px_parse_int(rest, 2, 10000, &k, NULL) == 0 ? (uint32_t)k : 0;
        return out->k != 0;
    }
    if (part_of(metric, "pass@", &rest) && px_parse_int(rest, 2, 10000, &k, NULL) == 0) {
        out->source = GATE_OF_PASS_AT;
        out->k = (uint32_t)k;
    }
    return *metric != '\0';
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

/* ---- the list ---- */

static uint32_t index_in(const char *const *names, size_t n, const char *name)
{
    for (uint32_t i = 1; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return 0;
}

static bool read_gate(struct json_object *o, struct gate *g)
{
    struct gate_measure ignored;
    g->bound = index_in(bounds, sizeof bounds / sizeof *bounds, px_json_str_or(o, "bound", ""));
    g->severity = index_in(severities, sizeof severities / sizeof *severities,
                           px_json_str_or(o, "severity", ""));
    g->threshold = px_json_double_or(o, "threshold", NAN);
    int64_t after = px_json_int_or(o, "after", 0);
    g->after = after > 0 ? (uint64_t)after : 0;
    g->task = px_xstrdup(px_json_str_or(o, "task", ""));
    g->metric = px_xstrdup(px_json_str_or(o, "metric", ""));
    g->model = px_xstrdup(px_json_str_or(o, "model", ""));
    g->cell = px_xstrdup(px_json_str_or(o, "cell", ""));
    return g->bound && g->severity && isfinite(g->threshold) &&
           gate_measure_parse(g->metric, &ignored);
}

static void clear_gate(struct gate *g)
{
    free(g->task);
    free(g->metric);
    free(g->model);
    free(g->cell);
    memset(g, 0, sizeof *g);
}

struct gate *gates_parse(const void *json, size_t n_json, uint32_t *n)
{
    struct json_object *list = px_json_parse(json, n_json, NULL);
    size_t most =
        list && json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    struct gate *gates = most ? px_xcalloc(most, sizeof *gates) : NULL;
    *n = 0;
    for (size_t i = 0; i < most; i++) {
        if (read_gate(json_object_array_get_idx(list, i), &gates[*n]))
            ++*n;
        else
            clear_gate(&gates[*n]);
    }
    json_object_put(list);
    return gates;
}

void gates_free_list(struct gate *list, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        clear_gate(&list[i]);
    free(list);
}

void gate_write(const struct gate *g, struct px_buf *out)
{
    px_buf_printf(out, "%s%s%s %s ", g->task, *g->task ? "/" : "", g->metric,
                  gate_bound_name(g->bound));
    px_json_number(out, g->threshold);
    if (*g->model)
        px_buf_printf(out, ", model %s", g->model);
    if (*g->cell)
        px_buf_printf(out, ", cell %s", g->cell);
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
