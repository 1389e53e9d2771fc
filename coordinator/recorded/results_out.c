/* results_out.c - one line per graded completion. */
#include "coordinator/recorded/results_out.h"

#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"

static void put(struct json_object *row, const char *key, struct json_object *v)
{
    json_object_object_del(row, key);
    json_object_object_add(row, key, v);
}

/* "passed", "timed out" or "failed: why", as HumanEval's program says it. */
static struct json_object *result_text(const struct grade *g)
{
    if (g->class == VERDICT_PASSED)
        return json_object_new_string("passed");
    if (g->class == VERDICT_TIMEOUT)
        return json_object_new_string("timed out");
    const char *why = g->exception && *g->exception ? g->exception : verdict_class_name(g->class);
    PX_FREE char *text = px_xasprintf("failed: %s", g->done ? why : "not judged");
    return json_object_new_string(text);
}

static void put_statuses(struct json_object *row, const struct grade *g)
{
    const char *bad = g->class == VERDICT_TIMEOUT ? "timeout" : "fail";
    const double *base = grade_metric(g, "pass@1_base");
    bool base_ok = base ? *base >= 1 : g->value >= 1;
    put(row, "base_status", json_object_new_string(base_ok ? "pass" : bad));
    if (base)
        put(row, "plus_status", json_object_new_string(g->value >= 1 ? "pass" : bad));
}

static struct json_object *metrics_of(const struct grade *g)
{
    struct json_object *o = json_object_new_object();
    for (uint32_t i = 0; i < g->n_metrics; i++)
        json_object_object_add(o, g->metrics[i].name, json_object_new_double(g->metrics[i].value));
    return o;
}

/* Texts that are not UTF-8 get replacement characters. */
static struct json_object *text_of(const char *s, size_t n)
{
    struct px_buf b;
    px_buf_init(&b, (size_t)1 << 30);
    px_json_quote(&b, s ? s : "", n);
    struct json_object *o = px_json_parse((char *)b.data, b.len, NULL);
    px_buf_clear(&b);
    return o;
}

static void write_item(const struct recording *r, const struct recording_item *item,
                       const struct grade *g, const char *problem, struct px_buf *out)
{
    struct json_object *row = recording_row(r, item->row);
    const char *text_key = recording_text_key(r);
    struct json_object *texts = NULL;
    if (json_object_object_get_ex(row, text_key, &texts) &&
        json_object_is_type(texts, json_type_array) && recording_format(r) != RECORDING_LM_EVAL) {
        struct json_object *one = json_object_get(json_object_array_get_idx(texts, item->within));
        put(row, text_key, one);
    }
    if (!item->id)
        put(row, "id", json_object_new_string(problem));
    put(row, "result", result_text(g));
    put(row, "passed", json_object_new_boolean(g->value >= 1));
    if (recording_format(r) == RECORDING_EVALPLUS)
        put_statuses(row, g);
    put(row, "verdict", json_object_new_string(g->done ? verdict_class_name(g->class) : "pending"));
    put(row, "extracted", text_of(g->extracted, g->n_extracted));
    put(row, "rule", json_object_new_string(g->rule ? g->rule : ""));
    put(row, "metrics", metrics_of(g));
    size_t n;
    const char *line = json_object_to_json_string_length(
        row, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &n);
    px_buf_put(out, line, n);
    px_buf_char(out, '\n');
    json_object_put(row);
}

void results_lines(const struct recording *r, const struct joined *j, const struct graded *g,
                   struct px_buf *out)
{
    for (uint32_t i = 0; i < j->n_items; i++) {
        uint64_t unit = (uint64_t)j->problem[i] * g->samples + j->sample[i];
        if (j->problem[i] == JOIN_UNKNOWN || unit >= g->n)
            continue;
        write_item(r, recording_item(r, i), &g->list[unit],
                   g->manifest->groups[0].units[unit].problem, out);
    }
}
