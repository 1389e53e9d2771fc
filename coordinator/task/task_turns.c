/* task_turns.c - conversations of several turns, and judges of their answers: `turns`, `judge`.
 *
 * A judge of a task is a task of its own that shares everything about the problems with the first:
 * what it asks is the judge's prompt about the answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/recipe/check.h"
#include "coordinator/recipe/yaml.h"
#include "coordinator/task/task_inner.h"
#include "proto/mem.h"

static const char *const mode_names[] = {"", "single", "pairwise"};
const char *const task_keys_judge[] = {"single", "pairwise", NULL};
const char *const task_keys_judge_mode[] = {"system", "prompts", "max_tokens", NULL};

/* ---- reading ---- */

static struct text_template **read_templates(const struct task_map *m, const char *key,
                                             uint32_t most, uint32_t *n)
{
    char path[CHECK_PATH];
    const struct yaml_node *list = yaml_get(m->node, key);
    *n = 0;
    if (!list)
        return NULL;
    if (list->kind != YAML_LIST || list->n == 0 || list->n > most) {
        char what[80];
        snprintf(what, sizeof what, "is not a list of 1 to %u templates", most);
        task_map_finding(m, key, what);
        return NULL;
    }
    struct text_template **out = px_xcalloc(list->n, sizeof(struct text_template *));
    for (size_t i = 0; i < list->n; i++) {
        snprintf(path, sizeof path, "%.200s%s.%zu", m->path, key, i);
        out[i] = task_template(list->items[i], path, m->f);
    }
    *n = (uint32_t)list->n;
    return out;
}

static void read_mode(struct task *t, const struct task_map *judge, enum judge_mode mode)
{
    char path[CHECK_PATH];
    struct judge_prompts *j = &t->judges[mode - 1];
    snprintf(path, sizeof path, "judge.%s.", mode_names[mode]);
    struct task_map m = task_map_map(judge, mode_names[mode], path, false);
    if (!m.node)
        return;
    task_map_check(&m, task_keys_judge_mode);
    j->system = task_map_template(&m, "system", false);
    j->prompts = read_templates(&m, "prompts", TASK_MAX_TURNS, &j->n);
    j->max_tokens = (uint32_t)task_map_int(&m, "max_tokens", 1, 1048576, 2048);
    if (!yaml_get(m.node, "prompts"))
        task_map_finding(&m, "prompts", "missing: one template per turn");
    else if (j->n && j->n != t->n_turns + 1)
        task_map_finding(&m, "prompts",
                         "must have one template per turn: prompt and each of turns");
}

void task_read_turns(struct task *t, const struct task_map *m)
{
    t->turns = read_templates(m, "turns", TASK_MAX_TURNS - 1, &t->n_turns);
    struct task_map judge = task_map_map(m, "judge", "judge.", false);
    task_map_check(&judge, task_keys_judge);
    read_mode(t, &judge, JUDGE_SINGLE);
    read_mode(t, &judge, JUDGE_PAIRWISE);
    bool quotes = t->n_turns || judge.node;
    if (quotes && t->request != TASK_GENERATE)
        task_map_finding(m, t->n_turns ? "turns" : "judge", "cannot act: it acts on texts");
    else if (quotes && t->scorer_kind && strcmp(t->scorer_kind, "turn") != 0)
        task_map_finding(m, "scorer",
                         "contradiction: answers that are quoted later have `kind: turn`");
}

void task_turns_clear(struct task *t)
{
    for (uint32_t i = 0; i < t->n_turns; i++)
        template_free(&t->turns[i]);
    free(t->turns);
    for (int k = 0; k < 2; k++) {
        template_free(&t->judges[k].system);
        for (uint32_t i = 0; i < t->judges[k].n; i++)
            template_free(&t->judges[k].prompts[i]);
        free(t->judges[k].prompts);
    }
}

/* ---- judges as tasks ---- */

/* Means over what was rated: a judge without a rating does not count as a bad rating, it is counted
 * apart. */
static const char score_sums[] =
    "[{\"metric\":\"score\",\"kind\":\"ratio\",\"of\":\"rating\",\"over\":\"rated\"},"
    "{\"metric\":\"score_turn_1\",\"kind\":\"ratio\",\"of\":\"rating_turn_1\",\"over\":"
    "\"rated_turn_1\"},"
    "{\"metric\":\"score_turn_2\",\"kind\":\"ratio\",\"of\":\"rating_turn_2\",\"over\":"
    "\"rated_turn_2\"}]";

uint32_t task_n_turns(const struct task *t)
{
    return t->n_turns + 1;
}

bool task_has_judge(const struct task *t, enum judge_mode mode)
{
    return mode != JUDGE_NONE && t->judges[mode - 1].n > 0;
}

enum judge_mode task_judge_mode(const struct task *t)
{
    return t->mode;
}

struct task *task_judge_new(const struct task *of, enum judge_mode mode)
{
    px_assert(task_has_judge(of, mode));
    struct task *t = px_xcalloc(1, sizeof *t);
    const char *kind = mode == JUDGE_SINGLE ? "rating" : "pairwise";
    *t = *of; /* what it shares is the other's */
    t->of = of;
    t->strategy = NULL;
    t->mode = mode;
    t->name = px_xasprintf("%s/%s", of->name, mode_names[mode]);
    t->headline = px_xstrdup(mode == JUDGE_SINGLE ? "score" : "win");
    t->scorer_kind = px_xstrdup(kind);
    t->scorer = px_xasprintf("{\"kind\":\"%s\",\"version\":1}", kind);
    t->aggregates_json = px_xstrdup(mode == JUDGE_SINGLE ? score_sums : "[]");
    t->oracle_json = px_xstrdup("{}");
    t->chance = 0;
    t->lower_is_better = false;
    t->max_tokens = of->judges[mode - 1].max_tokens;
    t->stops = NULL;
    t->n_stops = 0;
    struct px_hash *h = px_hash_new("proctor.judge");
    px_hash_digest(h, &of->digest);
    px_hash_u64(h, (uint64_t)mode);
    t->digest = px_hash_end(&h);
    return t;
}

void task_judge_clear(struct task *t)
{
    free(t->name);
    free(t->headline);
    free(t->scorer_kind);
    free(t->scorer);
    free(t->aggregates_json);
    free(t->oracle_json);
    free(t);
}

/* ---- rendering ---- */

static struct value list_of(const char *const *texts, uint32_t n, struct arena *a)
{
    struct value v = {.kind = VALUE_LIST, .n = n};
    v.items = arena_alloc(a, (n + 1) * sizeof *v.items);
    for (uint32_t i = 0; i < n; i++)
        v.items[i] = value_text(texts[i], strlen(texts[i]));
    return v;
}

/* The row with `turn`, `answers` and `answers_b` beside its own fields, which they hide. */
static struct value with_answers(const struct value *row, const struct task_answers *q,
                                 struct arena *a)
{
    static const char *const names[] = {"turn", "answers", "answers_b"};
    struct value values[3] = {value_int(q->turn), list_of(q->first, q->n, a),
                              list_of(q->second, q->second ? q->n : 0, a)};
    struct value v = {.kind = VALUE_MAP};
    v.items = arena_alloc(a, (row->n + 3) * sizeof *v.items);
    v.keys = arena_alloc(a, (row->n + 3) * sizeof *v.keys);
    for (size_t i = 0; i < row->n; i++) {
        bool hidden = false;
        for (int k = 0; k < 3; k++)
            hidden = hidden || (row->keys[i].n == strlen(names[k]) &&
                                memcmp(row->keys[i].text, names[k], row->keys[i].n) == 0);
        if (hidden)
            continue;
        v.keys[v.n] = row->keys[i];
        v.items[v.n++] = row->items[i];
    }
    for (int k = 0; k < 3; k++) {
        v.keys[v.n] = value_text(names[k], strlen(names[k]));
        v.items[v.n++] = values[k];
    }
    return v;
}

/* Owned; NULL with err. A model's answer may hold NUL, a prompt may not: it becomes a space. */
static char *render(const struct task *t, uint32_t i, const struct text_template *tmpl,
                    const char *key, const struct template_row *view, struct arena *a,
                    struct px_err *err)
{
    struct px_buf b;
    px_buf_init(&b, 32u << 20);
    px_buf_put(&b, "", 0);
    if (tmpl && template_render(tmpl, view, a, &b, err) != 0) {
        px_wrap(err, "%s (%s:%u)", key, table_path(t->rows, i), table_line(t->rows, i));
        px_buf_clear(&b);
        return NULL;
    }
    for (size_t k = 0; k < b.len; k++)
        if (b.data[k] == '\0')
            b.data[k] = ' ';
    return px_buf_steal(&b, NULL);
}

static void say(struct task_prompt *p, const char *role, char *content)
{
    p->messages = px_xrealloc(p->messages, (p->n_messages + 1) * sizeof *p->messages);
    p->messages[p->n_messages++] = (struct chat_message){.role = role, .content = content};
}

static int ask_judge(const struct task *t, uint32_t i, const struct task_answers *q,
                     const struct template_row *view, struct arena *a, struct task_prompt *out,
                     struct px_err *err)
{
    const struct judge_prompts *j = &t->judges[t->mode - 1];
    struct task_prompt p = {0};
    char *system = render(t, i, j->system, "judge.system", view, a, err);
    char *user = system ? render(t, i, j->prompts[q->turn], "judge.prompts", view, a, err) : NULL;
    if (!user) {
        free(system);
        return -1;
    }
    if (*system)
        say(&p, "system", system);
    else
        free(system);
    p.question = px_xstrdup(user);
    say(&p, "user", user);
    p.prefix = px_xstrdup("");
    *out = p;
    return 0;
}

/* The conversation so far behind the first question, and the next one. */
static int go_on(const struct task *t, uint32_t i, const struct task_answers *q,
                 const struct template_row *view, struct arena *a, struct task_prompt *p,
                 struct px_err *err)
{
    for (uint32_t k = 0; k < q->turn; k++) {
        char *next = render(t, i, t->turns[k], "turns", view, a, err);
        if (!next)
            return -1;
        say(p, "assistant", px_xstrdup(q->first[k]));
        say(p, "user", next);
        free(p->question);
        p->question = px_xstrdup(next);
    }
    return 0;
}

int task_render_turn(const struct task *t, uint32_t i, int32_t fewshot, bool chat,
                     const struct task_answers *q, struct task_prompt *out, struct px_err *err)
{
    if (t->mode == JUDGE_NONE && q->turn == 0)
        return task_render(t, i, fewshot, chat, out, err);
    px_assert(chat && q->turn <= t->n_turns);
    struct task_prompt p = {0};
    struct arena *a = arena_new();
    struct value row = table_get(t->rows, i, a), full = with_answers(&row, q, a);
    struct template_row view = {.row = &full, .number = i};
    int rc;
    if (t->mode != JUDGE_NONE) {
        rc = ask_judge(t, i, q, &view, a, &p, err);
    } else {
        rc = task_render(t, i, fewshot, chat, &p, err);
        if (rc == 0)
            rc = go_on(t, i, q, &view, a, &p, err);
    }
    arena_free(&a);
    if (rc != 0) {
        task_prompt_clear(&p);
        return -1;
    }
    *out = p;
    return 0;
}
