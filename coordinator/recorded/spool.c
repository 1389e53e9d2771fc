/* spool.c - recorded completions, and a task's own answers, as rows for a replay model. */
#include "coordinator/recorded/spool.h"

#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"

const char *spool_style(const struct task *t, const struct recording *r, const struct joined *j)
{
    static const char *const programs[] = {"completion", "solution", "samples"};
    if (strcmp(task_scorer_kind(t), "code") != 0)
        return NULL;
    if (recording_whole(r) || j->by_signature)
        return "whole";
    if (recording_format(r) == RECORDING_LM_EVAL)
        return "raw";
    for (size_t i = 0; i < sizeof programs / sizeof *programs; i++)
        if (strcmp(recording_text_key(r), programs[i]) == 0)
            return "raw";
    return NULL;
}

static void begin_row(struct px_buf *out, const char *id)
{
    px_buf_str(out, "{\"id\":");
    px_json_quote(out, id, strlen(id));
}

static void put_text(struct px_buf *out, const char *before, const char *text, size_t n)
{
    struct px_buf whole;
    px_buf_init(&whole, SPOOL_LIMIT);
    px_buf_str(&whole, before);
    px_buf_put(&whole, text, n);
    px_buf_str(out, ",\"completion\":");
    px_json_quote(out, (char *)whole.data, whole.len);
    px_buf_clear(&whole);
}

static void put_scores(struct px_buf *out, const struct choice_score *c, uint32_t n)
{
    px_buf_str(out, ",\"loglikelihoods\":[");
    for (uint32_t i = 0; i < n; i++)
        px_buf_printf(out, "%s\"%.17g\"", i ? "," : "", c[i].logprob);
    px_buf_str(out, "],\"greedy\":[");
    for (uint32_t i = 0; i < n; i++)
        px_buf_printf(out, "%s%s", i ? "," : "", c[i].greedy ? "true" : "false");
    px_buf_char(out, ']');
}

static void put_answer(const char *id, const char *before, const struct completion *c,
                       struct px_buf *out)
{
    begin_row(out, id);
    if (c->finish == FINISH_SCORED)
        put_scores(out, c->choices, c->n_choices);
    else
        put_text(out, before, c->text, c->n_text);
    px_buf_str(out, c->finish == FINISH_LENGTH ? ",\"finish_reason\":\"length\"}\n" : "}\n");
}

void spool_row(const char *id, const struct completion *c, struct px_buf *out)
{
    put_answer(id, "", c, out);
}

void spool_write(const struct task *t, const struct recording *r, const struct joined *j,
                 struct px_buf *out)
{
    for (uint32_t k = 0; k < j->first[j->n_problems]; k++) {
        uint32_t i = j->order[k];
        struct completion c;
        recording_completion(r, i, &c);
        put_answer(task_problem_id(t, j->problem[i]),
                   j->by_signature ? recording_item(r, i)->id : "", &c, out);
        completion_clear(&c);
    }
}

/* ---- a task's own answers ---- */

bool answers_parse(const char *name, enum answers *out)
{
    static const char *const names[] = {"", "reference", "empty", "first"};
    for (size_t i = 1; i < sizeof names / sizeof *names; i++)
        if (strcmp(names[i], name) == 0) {
            *out = (enum answers)i;
            return true;
        }
    return false;
}

static int gold_of(const struct task *t, uint32_t i, uint32_t *gold, struct px_err *err)
{
    struct px_buf b;
    px_buf_init(&b, 64u << 20);
    int rc = task_problem_json(t, i, &b, err);
    struct json_object *o = rc == 0 ? px_json_parse((char *)b.data, b.len, err) : NULL;
    struct json_object *g = recording_member(o, "gold");
    if (json_object_is_type(g, json_type_array)) /* several right ones: the first will do */
        g = json_object_array_get_idx(g, 0);
    if (rc == 0 && !g)
        rc = px_fail(err, PX_EUSAGE, "task %s does not say which choice is right", task_name(t));
    if (rc == 0)
        *gold = (uint32_t)json_object_get_int64(g);
    json_object_put(o);
    px_buf_clear(&b);
    return rc;
}

static int choose(const struct task *t, uint32_t i, enum answers a, struct px_buf *out,
                  struct px_err *err)
{
    struct task_prompt p = {0};
    uint32_t best = 0;
    bool one_text = strcmp(task_scorer_kind(t), "continuation") == 0; /* and it is the right one */
    if (a == ANSWERS_REFERENCE && !one_text && gold_of(t, i, &best, err) != 0)
        return -1;
    if (task_render(t, i, 0, false, &p, err) != 0)
        return -1;
    uint32_t n = p.n_choices * (task_mutual_info(t) ? 2 : 1);
    struct choice_score *c = px_xcalloc((size_t)n + 1, sizeof *c);
    for (uint32_t k = 0; k < p.n_choices; k++) {
        c[k].logprob = k == best ? 0 : -1e9; /* the best however long it is */
        c[k].greedy = k == best;
    }
    put_scores(out, c, n);
    free(c);
    task_prompt_clear(&p);
    return 0;
}

int answers_write(const struct task *t, enum answers a, struct px_buf *out, struct px_err *err)
{
    bool choice = task_request(t) != TASK_GENERATE;
    if (task_request(t) == TASK_ROLLING)
        return px_fail(err, PX_EUSAGE, "task %s scores a text as it is: it has no answers",
                       task_name(t));
    if (choice && a == ANSWERS_EMPTY)
        return px_fail(err, PX_EUSAGE, "task %s has choices: there is no empty answer",
                       task_name(t));
    if (!choice && a == ANSWERS_FIRST)
        return px_fail(err, PX_EUSAGE, "task %s has no choices, so there is no first one",
                       task_name(t));
    for (uint32_t i = 0; i < task_n_problems(t); i++) {
        PX_FREE char *text = NULL;
        begin_row(out, task_problem_id(t, i));
        if (choice) {
            if (choose(t, i, a, out, err) != 0)
                return -1;
        } else {
            text = a == ANSWERS_REFERENCE ? task_reference(t, i) : px_xstrdup("");
            if (!text)
                return px_fail(err, PX_EUSAGE, "task %s has no reference solution of problem %s",
                               task_name(t), task_problem_id(t, i));
            put_text(out, "", text, strlen(text));
        }
        px_buf_str(out, "}\n");
    }
    return 0;
}
