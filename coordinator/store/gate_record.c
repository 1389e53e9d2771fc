/* gate_record.c - see gate_record.h. */
#include "coordinator/store/gate_record.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/accident.h"
#include "proto/json.h"
#include "proto/mem.h"
#include "proto/number.h"
#include "proto/outcome.h"

static const char *const bounds[] = {"", "at_least", "at_most", "above", "below"};
static const char *const severities[] = {"", "warn", "stop", "stop_early"};
static uint32_t index_in(const char *const *names, size_t n, const char *name)
{
    for (uint32_t i = 1; i < n; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return 0;
}

const char *gate_bound_name(enum gate_bound b)
{
    return bounds[b];
}

const char *gate_severity_name(enum gate_severity s)
{
    return severities[s];
}

enum gate_bound gate_bound_by_name(const char *name)
{
    return index_in(bounds, sizeof bounds / sizeof *bounds, name);
}

enum gate_severity gate_severity_by_name(const char *name)
{
    return index_in(severities, sizeof severities / sizeof *severities, name);
}

/* ---- what is measured ---- */

static bool part_of(const char *metric, const char *prefix, const char **rest)
{
    size_t n = strlen(prefix);
    *rest = metric + n;
    return strncmp(metric, prefix, n) == 0;
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
        enum outcome o;
        if (!outcome_by_name(rest, &o))
            return false;
        out->outcomes = 1u << o;
        return true;
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

/* ---- the list ---- */

static bool read_gate(struct json_object *o, struct gate *g)
{
    struct gate_measure ignored;
    g->bound = gate_bound_by_name(px_json_str_or(o, "bound", ""));
    g->severity = gate_severity_by_name(px_json_str_or(o, "severity", ""));
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

static void put_text(struct px_buf *out, const char *key, const char *value)
{
    px_buf_printf(out, "\"%s\":", key);
    px_json_quote(out, value, strlen(value));
    px_buf_char(out, ',');
}

void gates_json(const struct gate *list, uint32_t n, struct px_buf *out)
{
    px_buf_char(out, '[');
    for (uint32_t i = 0; i < n; i++) {
        const struct gate *g = &list[i];
        px_buf_str(out, i ? ",{" : "{");
        put_text(out, "task", g->task);
        put_text(out, "metric", g->metric);
        put_text(out, "model", g->model);
        put_text(out, "cell", g->cell);
        put_text(out, "bound", gate_bound_name(g->bound));
        put_text(out, "severity", gate_severity_name(g->severity));
        px_buf_str(out, "\"threshold\":");
        px_json_number(out, g->threshold);
        px_buf_printf(out, ",\"after\":%llu}", (unsigned long long)g->after);
    }
    px_buf_char(out, ']');
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
