/* source.c - problems, answers and prompts of a run, as the formats want them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/export/export_inner.h"
#include "proto/file.h"
#include "proto/json.h"
#include "proto/mem.h"

/* ---- problems with their answers ---- */

struct walking {
    struct exporter *x;
    struct problem p;
    problem_fn fn;
    void *ctx;
    struct px_err *err;
    int rc;
};

/* A copy that outlives the walk's. */
static int keep(struct answer *a, const struct sample *s, struct px_err *err)
{
    struct px_buf b;
    int rc = 0;
    *a = (struct answer){.sample = s->unit->sample,
                         .outcome = outcome_of(s),
                         .class = sample_done(s) ? sample_class(s) : 0,
                         .content = s->content,
                         .has_receipt = s->has_receipt,
                         .prompt_text = s->receipt.text};
    px_buf_init(&b, UNIT_LIMIT);
    if (s->has_completion) {
        completion_encode(&s->completion, &b);
        rc = completion_decode(b.data, b.len, &a->completion, err);
        a->has_completion = rc == 0;
    }
    px_buf_reset(&b);
    if (rc == 0 && s->has_verdict) {
        verdict_encode(&s->verdict, &b);
        rc = verdict_decode(b.data, b.len, &a->verdict, err);
        a->has_verdict = rc == 0;
    }
    px_buf_clear(&b);
    return rc;
}

static void clear_answers(struct problem *p)
{
    for (uint32_t i = 0; i < p->n_answers; i++) {
        completion_clear(&p->answers[i].completion);
        verdict_clear(&p->answers[i].verdict);
    }
    p->n_answers = 0;
}

/* The plan's unit is the run's unit when their keys are equal: task, data and settings are. */
static uint64_t find_in_plan(const struct exporter *x, uint32_t group, const struct sample *s)
{
    const struct plan *p = x->o->plan;
    if (!p || group >= p->n_groups || s->index >= p->groups[group].n_units)
        return PLAN_UNKNOWN;
    uint64_t index = p->groups[group].first + s->index;
    struct px_digest key = plan_key(p, index);
    return px_digest_eq(&key, &s->unit->plan_key) ? index : PLAN_UNKNOWN;
}

static bool take(void *ctx, const struct sample *s)
{
    struct walking *w = ctx;
    struct problem *p = &w->p;
    uint32_t samples = p->group->samples;
    if (p->n_answers == 0) {
        p->ordinal = s->index / samples;
        p->id = s->unit->problem;
        p->subset = s->unit->subset;
        p->plan_index = find_in_plan(w->x, p->group_index, s);
    }
    w->rc = keep(&p->answers[p->n_answers++], s, w->err);
    if (w->rc == 0 && p->n_answers == samples) {
        w->rc = w->fn(w->ctx, p, w->err);
        clear_answers(p);
    }
    return w->rc == 0;
}

int export_walk(struct exporter *x, uint32_t group, problem_fn fn, void *ctx, struct px_err *err)
{
    const struct group_stats *g = &x->run->groups[group];
    struct walking w = {
        .x = x, .p = {.group = g, .group_index = group}, .fn = fn, .ctx = ctx, .err = err};
    w.p.answers = px_xcalloc((size_t)g->samples + 1, sizeof *w.p.answers);
    int rc = walk_group(x->view, x->run->manifest, group, take, &w, err);
    clear_answers(&w.p);
    free(w.p.answers);
    return w.rc != 0 ? w.rc : rc;
}

/* ---- what was asked ---- */

static struct json_object *parsed(struct px_buf *b)
{
    px_buf_put(b, "", 0);
    return b->overflow ? NULL : px_json_parse((char *)b->data, b->len, NULL);
}

/* The right answer among the scorer's fields, under the names that tasks give it. */
static const char *find_target(struct json_object *scoring)
{
    static const char *const names[] = {"gold", "target", "answer", "test"};
    struct json_object *v = NULL;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (json_object_is_type(scoring, json_type_object) &&
            json_object_object_get_ex(scoring, names[i], &v) && v)
            return json_object_get_string(v);
    return NULL;
}

static void get_row(struct exporter *x, const struct problem *p, struct asked *out)
{
    const struct plan *plan = x->o->plan;
    struct plan_unit u = plan_unit_at(plan, p->plan_index);
    const struct task *t = plan->tasks[plan->groups[u.group].task];
    struct px_buf b;
    px_buf_init(&b, EXPORT_LINE);
    task_row_json(t, u.problem, &b);
    out->row = parsed(&b);
    px_buf_reset(&b);
    if (task_problem_json(t, u.problem, &b, NULL) == 0)
        out->scoring = parsed(&b);
    out->target = find_target(out->scoring);
    px_buf_clear(&b);
}

static bool same_text(const struct asked *q, const struct answer *a)
{
    const char *text = q->prompt.text;
    struct px_digest d =
        text ? px_sha256(text, strlen(text)) : px_sha256(q->text.data, q->text.len);
    return !a->has_receipt || px_digest_eq(&d, &a->prompt_text);
}

void asked_get(struct exporter *x, const struct problem *p, struct asked *out)
{
    *out = (struct asked){0};
    px_buf_init(&out->text, EXPORT_LINE);
    px_buf_put(&out->text, "", 0);
    if (!x->o->plan)
        return;
    if (p->plan_index == PLAN_UNKNOWN) {
        x->counts->unlike++;
        return;
    }
    get_row(x, p, out);
    if (plan_prompt(x->o->plan, p->plan_index, &out->prompt, &out->text, NULL) != 0)
        return;
    out->known = p->n_answers == 0 || same_text(out, &p->answers[0]);
    x->counts->prompts += out->known;
    x->counts->unlike += !out->known;
}

void asked_clear(struct asked *a)
{
    task_prompt_clear(&a->prompt);
    px_buf_clear(&a->text);
    json_object_put(a->row);
    json_object_put(a->scoring);
    *a = (struct asked){0};
}

bool group_chats(const struct exporter *x, uint32_t group)
{
    const struct plan *p = x->o->plan;
    return p && group < p->n_groups && p->groups[group].chat;
}

/* ---- answers ---- */

const char *answer_text(const struct completion *c, size_t *n)
{
    uint32_t from = c->think != THINK_NONE && c->answer_at <= c->n_text ? c->answer_at : 0;
    *n = c->n_text - from;
    return c->text ? c->text + from : "";
}

static bool begins_with(const char *s, size_t n, const char *word)
{
    size_t k = strlen(word);
    return n >= k && memcmp(s, word, k) == 0;
}

/* As the tester puts them together: a definition begins on a line of its own. */
static bool begins_line(const char *s, size_t n)
{
    static const char *const words[] = {"def ", "class ", "import ", "from ", "@", "async "};
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (begins_with(s, n, words[i]))
            return true;
    return false;
}

char *answer_program(const struct asked *q, const struct answer *a, const char *style, size_t *n)
{
    const char *text = a->verdict.extracted;
    size_t n_text = a->verdict.n_extracted;
    const char *prompt = q ? px_json_str_or(q->scoring, "prompt", "") : "";
    bool alone = !q || strcmp(style, "function") == 0 || strcmp(style, "whole") == 0;
    struct px_buf b;
    if (!a->has_verdict || n_text == 0)
        text = answer_text(&a->completion, &n_text);
    px_buf_init(&b, EXPORT_LINE);
    px_buf_str(&b, alone ? "" : prompt);
    if (b.len > 0 && b.data[b.len - 1] != '\n' && begins_line(text, n_text))
        px_buf_char(&b, '\n');
    px_buf_put(&b, text, n_text);
    px_buf_put(&b, "", 0);
    return px_buf_steal(&b, n);
}

/* ---- files ---- */

void emit_maybe(struct emit *j, const char *key, const char *s)
{
    if (s)
        emit_text(j, key, s);
    else
        emit_raw(j, key, NULL);
}

FILE *export_open(const struct exporter *x, const char *name, char **path, struct px_err *err)
{
    *path = px_path_join(x->dir, name);
    PX_FREE char *dir = px_dirname(*path);
    FILE *f = px_mkdirs(dir, 0755, err) == 0 ? fopen(*path, "we") : NULL;
    if (!f) {
        px_fail_errno(err, "cannot create %s", *path);
        free(*path);
        *path = NULL;
    }
    return f;
}

int export_close(FILE *f, const char *path, struct px_err *err)
{
    int bad = ferror(f) || fflush(f) != 0;
    if (fclose(f) != 0 || bad)
        return px_fail_errno(err, "cannot write %s", path);
    return 0;
}

int export_put(const struct exporter *x, const char *name, const struct px_buf *b,
               struct px_err *err)
{
    PX_FREE char *path = px_path_join(x->dir, name);
    PX_FREE char *dir = px_dirname(path);
    if (b->overflow)
        return px_fail(err, PX_ELIMIT, "%s would be larger than %zu bytes", path, b->limit);
    if (px_mkdirs(dir, 0755, err) != 0)
        return -1;
    return px_write_file(path, b->data, b->len, err);
}
