/* collect.c - one pass over the store: counts, and each problem's values, in the manifest's order.
 * What they come to is figures.c's and parts.c's. */
#include "coordinator/report/collect.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/report/figures.h"
#include "coordinator/report/gates.h"
#include "coordinator/report/pairing.h"
#include "coordinator/report/parts.h"
#include "coordinator/report/votes.h"
#include "proto/json.h"
#include "proto/mem.h"

struct collector {
    struct group_stats *g;
    uint32_t problem;      /* index of the problem at hand */
    bool fresh;            /* it has no unit yet */
    uint32_t problem_left; /* units of it that are not done */
    uint32_t n_texts;
    uint64_t first_text;
    bool same_texts;
    char *answer; /* the first one of the group */
    uint32_t n_answer;
    struct votes votes;
    collect_watch watch;
    void *ctx;
    int rc; /* of the watch */
    struct px_err *err;
};

/* ---- one problem after another ---- */

static struct metric_stats *metric_of(struct group_stats *g, const char *name)
{
    for (uint32_t i = 0; i < g->n_metrics; i++)
        if (strcmp(g->metrics[i].name, name) == 0)
            return &g->metrics[i];
    return group_add_metric(g, name, METRIC_MEAN);
}

static void close_problem(struct collector *c)
{
    struct group_stats *g = c->g;
    if (c->fresh)
        return;
    for (uint32_t i = 0; i < g->n_metrics; i++) {
        struct metric_stats *m = &g->metrics[i];
        m->problem[c->problem] = m->problem_sum / (g->samples * g->turns);
        m->problem_sum = 0;
    }
    g->problem_done[c->problem] = c->problem_left == 0;
    votes_close(&c->votes);
    if (c->n_texts > 1 && g->turns == 1) {
        g->compared_problems++;
        g->repeated_problems += c->same_texts;
    }
}

static void open_problem(struct collector *c, uint32_t problem)
{
    c->problem = problem;
    c->fresh = true;
    c->n_texts = 0;
    c->same_texts = true;
    c->problem_left = c->g->samples * c->g->turns;
}

/* ---- one unit ---- */

static void note_answer(struct collector *c, const struct verdict *v)
{
    struct group_stats *g = c->g;
    if (v->n_extracted == 0)
        return;
    if (g->n_answers++ == 0) {
        c->answer = px_xmemdup(v->extracted, v->n_extracted);
        c->n_answer = v->n_extracted;
        g->one_answer = true;
    } else if (v->n_extracted != c->n_answer || memcmp(v->extracted, c->answer, c->n_answer) != 0) {
        g->one_answer = false;
    }
}

static void note_verdict(struct collector *c, const struct sample *s)
{
    const struct verdict *v = &s->verdict;
    for (uint32_t i = 0; i < v->n_metrics; i++) {
        struct metric_stats *m = metric_of(c->g, v->metrics[i].name);
        double x = v->metrics[i].value;
        if (!m || m->kind != METRIC_MEAN)
            continue;
        m->problem_sum += x;
        m->binary = m->binary && (!(x > 0) || !(x < 1)) && x >= 0 && x <= 1;
        m->share = m->share && x >= 0 && x <= 1;
    }
    note_answer(c, v);
    votes_cast(&c->votes, v->extracted, v->n_extracted, sample_value(s));
}

/* Of the text; of loglikelihoods, where there is none. */
static uint64_t text_mark(const struct completion *done)
{
    struct px_digest d;
    if (done->n_choices == 0) {
        d = px_sha256(done->text, done->n_text);
    } else {
        struct px_hash *h = px_hash_new("proctor choices");
        for (uint32_t i = 0; i < done->n_choices; i++)
            px_hash_f64(h, done->choices[i].logprob);
        d = px_hash_end(&h);
    }
    uint64_t mark = px_load_u64(d.b);
    return mark ? mark : 1;
}

static void note_completion(struct collector *c, const struct sample *s)
{
    struct group_stats *g = c->g;
    const struct completion *done = &s->completion;
    g->finishes[(unsigned)done->finish < N_FINISHES ? done->finish : 0]++;
    g->prompt_tokens += done->n_prompt;
    g->prompt_computed += done->n_prompt_computed;
    g->generated_tokens += done->n_tokens;
    g->decode_steps += done->decode_steps;
    g->refresh_steps += done->refresh_steps;
    g->reused_layer_steps += done->reused_layer_steps;
    g->long_sequences += done->decode_steps >= 2;
    uint32_t length = done->n_tokens ? done->n_tokens : done->n_text; /* recordings: bytes */
    if (g->n_completions++ == 0) {
        g->length = length;
        g->one_length = true;
    }
    g->one_length = g->one_length && length == g->length;
    uint64_t text = text_mark(done);
    g->unit_text[s->index] = text;
    if (c->n_texts++ == 0)
        c->first_text = text;
    else
        c->same_texts = c->same_texts && text == c->first_text;
    speeds_note(&g->speeds, done);
    g->retried += done->attempts > 1;
    if (done->wall_us && (!g->first_wall_us || done->wall_us < g->first_wall_us))
        g->first_wall_us = done->wall_us;
    if (done->wall_us > g->last_wall_us)
        g->last_wall_us = done->wall_us;
}

static bool note_sample(void *ctx, const struct sample *s)
{
    struct collector *c = ctx;
    struct group_stats *g = c->g;
    uint32_t problem = s->index / (g->samples * g->turns);
    if (problem != c->problem) {
        close_problem(c);
        open_problem(c, problem);
    }
    c->fresh = false;
    enum outcome o = outcome_of(s);
    g->outcomes[o]++;
    g->unit_outcome[s->index] = (uint8_t)o;
    g->problem_right[problem] += o == OUTCOME_RIGHT;
    for (int i = 0; i < N_ACCIDENTS; i++)
        g->accidents[i] += (s->accidents & accident_bit(i)) != 0;
    if (s->has_completion)
        note_completion(c, s);
    if (sample_done(s)) {
        g->done++;
        c->problem_left--;
        g->classes[sample_class(s)]++;
    }
    if (s->has_verdict)
        note_verdict(c, s);
    if (g->group->opponent != MANIFEST_NONE)
        duel_note(&g->duel, s);
    c->rc = c->watch ? c->watch(c->ctx, s, c->err) : 0;
    return c->rc == 0;
}

/* ---- one group ---- */

static bool same_problem(const struct manifest_group *g, uint32_t a, uint32_t b)
{
    return strcmp(g->units[a].problem, g->units[b].problem) == 0;
}

void group_layout(const struct manifest_group *g, uint32_t *samples, uint32_t *turns)
{
    uint32_t n = 1, last_turn = 0;
    *samples = *turns = 1;
    while (n < g->n_units && same_problem(g, n, 0))
        n++;
    if (g->n_units % n)
        return;
    for (uint32_t i = 0; i < n; i++)
        last_turn = g->units[i].turn > last_turn ? g->units[i].turn : last_turn;
    if (last_turn >= n || n % (last_turn + 1))
        return;
    for (uint32_t i = 0; i < g->n_units; i++) {
        const struct manifest_unit *u = &g->units[i], *like = &g->units[i % n];
        if (u->sample != like->sample || u->turn != like->turn ||
            u->sample >= n / (last_turn + 1) || !same_problem(g, i, i - i % n) ||
            (i % n == 0 && i && same_problem(g, i, i - 1)))
            return;
    }
    *turns = last_turn + 1;
    *samples = n / *turns;
}

static void choose_pass_at(struct group_stats *g)
{
    enum { MOST = 100 }; /* every further k costs a pass over the problems */
    if (g->samples < 2 || g->turns > 1 || g->group->judged != MANIFEST_NONE)
        return;
    g->pass_at = px_xcalloc(MOST + 1, sizeof *g->pass_at);
    for (uint32_t k = 1; k <= MOST && k < g->samples; k++)
        g->pass_at[g->n_pass_at++].k = k;
    g->pass_at[g->n_pass_at++].k = g->samples;
}

static double setting(const struct manifest_cell *c, const char *key)
{
    struct json_object *o = px_json_parse(c->settings, strlen(c->settings), NULL);
    double v = o ? px_json_double_or(o, key, 0) : 0;
    json_object_put(o);
    return v;
}

/* Answers that can be voted on: texts that are answers, not programs or ratings. */
static bool can_vote(const struct group_stats *g)
{
    return g->samples > 1 && g->turns == 1 && g->group->judged == MANIFEST_NONE &&
           strcmp(g->task->request, "generate") == 0 && strcmp(g->task->scorer, "code") != 0 &&
           strcmp(g->task->scorer, "none") != 0 && g->metrics[0].kind == METRIC_MEAN;
}

static void prepare(struct run_stats *r, uint32_t index)
{
    const struct manifest *m = r->manifest;
    struct group_stats *g = &r->groups[index];
    const struct manifest_group *mg = &m->groups[index];
    g->group = mg;
    g->cell = &m->cells[mg->cell];
    g->task = &m->tasks[mg->task];
    g->model_digest = r->cell_digests[mg->cell];
    g->n = mg->n_units;
    g->samples = g->turns = 1;
    if (g->n)
        group_layout(mg, &g->samples, &g->turns);
    g->n_problems = (uint32_t)(g->n / ((uint64_t)g->samples * g->turns));
    g->problem_done = px_xcalloc((size_t)g->n_problems + 1, sizeof *g->problem_done);
    g->problem_right = px_xcalloc((size_t)g->n_problems + 1, sizeof *g->problem_right);
    g->unit_outcome = px_xcalloc((size_t)g->n + 1, sizeof *g->unit_outcome);
    g->unit_text = px_xcalloc((size_t)g->n + 1, sizeof *g->unit_text);
    g->temperature = setting(g->cell, "sampler.temperature");
    choose_pass_at(g);
    group_first_metrics(g);
}

static int collect_group(struct store_view *v, struct run_stats *r, uint32_t index,
                         collect_watch watch, void *ctx, struct px_err *err)
{
    struct group_stats *g = &r->groups[index];
    struct collector c = {.g = g, .watch = watch, .ctx = ctx, .err = err};
    prepare(r, index);
    votes_begin(&c.votes, can_vote(g) ? g->n_problems : 0);
    open_problem(&c, 0);
    int rc = walk_group(v, r->manifest, index, note_sample, &c, err);
    close_problem(&c);
    free(c.answer);
    group_figures(g);
    votes_end(&c.votes, &g->majority);
    parts_make(g);
    speeds_finish(&g->speeds);
    return rc == 0 ? c.rc : rc;
}

/* ---- the run ---- */

/* Digest of each cell's model, by the manifest's list of models. */
static char **cell_digests(const struct manifest *m)
{
    char **out = px_xcalloc((size_t)m->n_cells + 1, sizeof *out);
    struct json_object *list = px_json_parse(m->models, strlen(m->models), NULL);
    size_t n =
        list && json_object_is_type(list, json_type_array) ? json_object_array_length(list) : 0;
    for (uint32_t i = 0; i < m->n_cells; i++) {
        const char *digest = "";
        for (size_t k = 0; k < n; k++) {
            struct json_object *o = json_object_array_get_idx(list, k);
            if (strcmp(px_json_str_or(o, "name", ""), m->cells[i].model) == 0)
                digest = px_json_str_or(o, "digest", "");
        }
        out[i] = px_xstrdup(digest);
    }
    json_object_put(list);
    return out;
}

static struct bounds bounds_of(const struct manifest_task *t)
{
    struct json_object *o = px_json_parse(t->oracle, strlen(t->oracle), NULL);
    struct bounds b = {NAN, NAN, NAN};
    struct json_object *known;
    if (o && json_object_object_get_ex(o, "reference", &known))
        b.reference = px_json_double_or(known, t->headline, NAN);
    if (o && json_object_object_get_ex(o, "empty", &known))
        b.empty = px_json_double_or(known, t->headline, NAN);
    if (o && json_object_object_get_ex(o, "first", &known))
        b.first = px_json_double_or(known, t->headline, NAN);
    json_object_put(o);
    return b;
}

static int collect_groups(struct store *s, struct run_stats *r, collect_watch watch, void *ctx,
                          struct px_err *err)
{
    struct store_view *v = store_view_begin(s, err);
    int rc = 0;
    if (!v)
        return -1;
    r->lost = store_view_count(v, STORE_LOST);
    for (uint32_t i = 0; i < r->n_groups && rc == 0; i++)
        rc = collect_group(v, r, i, watch, ctx, err);
    gates_judge_run(v, r);
    store_view_end(&v);
    return rc;
}

struct run_stats *collect_run_watched(struct store *s, collect_watch watch, void *ctx,
                                      struct px_err *err)
{
    struct run_stats *r = px_xcalloc(1, sizeof *r);
    r->manifest = manifest_read(s, err);
    if (!r->manifest) {
        run_stats_free(&r);
        return NULL;
    }
    const struct manifest *m = r->manifest;
    r->n_groups = m->n_groups;
    r->groups = px_xcalloc((size_t)r->n_groups + 1, sizeof *r->groups);
    r->cell_digests = cell_digests(m);
    r->bounds = px_xcalloc((size_t)m->n_tasks + 1, sizeof *r->bounds);
    for (uint32_t i = 0; i < m->n_tasks; i++)
        r->bounds[i] = bounds_of(&m->tasks[i]);
    if (collect_groups(s, r, watch, ctx, err) == 0)
        pair_groups(r);
    else
        run_stats_free(&r);
    return r;
}

struct run_stats *collect_run(struct store *s, struct px_err *err)
{
    return collect_run_watched(s, NULL, NULL, err);
}

static void free_group(struct group_stats *g)
{
    for (uint32_t k = 0; k < g->n_metrics; k++) {
        free(g->metrics[k].name);
        free(g->metrics[k].problem);
    }
    parts_free(g);
    speeds_clear(&g->speeds);
    free(g->pass_at);
    free(g->problem_done);
    free(g->problem_right);
    free(g->problem_subset);
    free(g->unit_outcome);
    free(g->unit_text);
}

void run_stats_free(struct run_stats **rp)
{
    struct run_stats *r = *rp;
    if (!r)
        return;
    for (uint32_t i = 0; i < r->n_groups; i++)
        free_group(&r->groups[i]);
    for (uint32_t i = 0; r->cell_digests && i < r->manifest->n_cells; i++)
        free(r->cell_digests[i]);
    gates_free(r);
    free(r->cell_digests);
    free(r->bounds);
    free(r->groups);
    manifest_free(&r->manifest);
    free(r);
    *rp = NULL;
}

/* ---- what others ask of a group ---- */

const char *group_problem(const struct group_stats *g, uint32_t problem)
{
    return g->group->units[(uint64_t)problem * g->samples * g->turns].problem;
}

bool group_incomplete(const struct group_stats *g)
{
    return g->done < g->n || g->n_problems < g->task->n_problems;
}

const struct metric_stats *group_metric(const struct group_stats *g, const char *name)
{
    for (uint32_t i = 0; i < g->n_metrics; i++)
        if (strcmp(g->metrics[i].name, name) == 0)
            return &g->metrics[i];
    return NULL;
}

bool task_in_percent(const struct run_stats *r, uint32_t task)
{
    for (uint32_t i = 0; i < r->n_groups; i++)
        if (r->groups[i].group->task == task && !r->groups[i].metrics[0].share)
            return false;
    return true;
}
