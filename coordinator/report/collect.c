/* collect.c - one pass over a group's units. Sums are taken in the manifest's order. */
#include "coordinator/report/collect.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/report/pairing.h"
#include "proto/json.h"
#include "proto/mem.h"

struct collector {
    struct group_stats *g;
    uint32_t problem; /* index of the problem at hand */
    bool fresh;       /* it has no sample yet */
    uint32_t n_texts, right;
    struct px_digest first_text;
    bool same_texts;
    uint32_t problem_left; /* samples of the problem that are not done */
    char *answer;
    uint32_t n_answer;
    double *pass_sums; /* per g->pass_at */
};

const char *outcome_name(enum outcome o)
{
    static const char *const names[N_OUTCOMES] = {
        "missing",  "right",    "wrong", "unparsed",    "truncated", "timeout",
        "overflow", "too_long", "error", "quarantined", "unscored"};
    return o < N_OUTCOMES ? names[o] : "unknown";
}

static enum outcome outcome_of_class(enum verdict_class class)
{
    switch (class) {
    case VERDICT_PASSED:
    case VERDICT_FAILED_ASSERTION:
    case VERDICT_WRONG_ANSWER:
    case VERDICT_COMPILE_ERROR:
    case VERDICT_RUNTIME_ERROR:
    case VERDICT_MEMORY_LIMIT:
    case VERDICT_OUTPUT_LIMIT:
    case VERDICT_SECURITY_VIOLATION:
        return OUTCOME_WRONG;
    case VERDICT_TIMEOUT:
        return OUTCOME_TIMEOUT;
    case VERDICT_NO_CODE:
    case VERDICT_UNPARSED:
        return OUTCOME_UNPARSED;
    case VERDICT_OVERFLOW:
        return OUTCOME_OVERFLOW;
    case VERDICT_TOO_LONG:
        return OUTCOME_TOO_LONG;
    case VERDICT_UNSCORED:
        return OUTCOME_UNSCORED;
    case VERDICT_ERROR:
    case VERDICT_INCONCLUSIVE:
    case VERDICT_SANDBOX_ERROR:
    default:
        return OUTCOME_ERROR;
    }
}

enum outcome outcome_of(const struct sample *s)
{
    if (!sample_done(s))
        return OUTCOME_MISSING;
    if (!s->has_verdict && s->quarantine)
        return OUTCOME_QUARANTINED;
    /* the headline decides: for a choice it may be acc_norm, where the class goes by acc */
    if (s->has_verdict && sample_value(s) >= 1)
        return OUTCOME_RIGHT;
    enum outcome o = outcome_of_class(sample_class(s));
    bool cut = s->has_completion && s->completion.finish == FINISH_LENGTH;
    return cut && (o == OUTCOME_WRONG || o == OUTCOME_UNPARSED) ? OUTCOME_TRUNCATED : o;
}

/* ---- one problem after another ---- */

static struct metric_stats *metric_of(struct group_stats *g, const char *name)
{
    for (uint32_t i = 0; i < g->n_metrics; i++)
        if (strcmp(g->metrics[i].name, name) == 0)
            return &g->metrics[i];
    if (g->n_metrics == MAX_METRICS)
        return NULL;
    struct metric_stats *m = &g->metrics[g->n_metrics++];
    m->name = px_xstrdup(name);
    m->binary = true;
    return m;
}

static void close_problem(struct collector *c)
{
    struct group_stats *g = c->g;
    if (c->fresh)
        return;
    for (uint32_t i = 0; i < g->n_metrics; i++) {
        struct metric_stats *m = &g->metrics[i];
        double mean = m->problem_sum / g->samples;
        m->sum += mean;
        m->sum_of_squares += mean * mean;
        m->problem_sum = 0;
        if (i == 0)
            g->problem_value[c->problem] = mean;
    }
    for (uint32_t i = 0; i < g->n_pass_at; i++)
        c->pass_sums[i] += stats_pass_at(g->samples, c->right, g->pass_at[i].k);
    g->problem_done[c->problem] = c->problem_left == 0;
    if (c->n_texts > 1) {
        g->compared_problems++;
        g->repeated_problems += c->same_texts;
    }
}

static void open_problem(struct collector *c, uint32_t problem)
{
    c->problem = problem;
    c->fresh = true;
    c->n_texts = c->right = 0;
    c->same_texts = true;
    c->problem_left = c->g->samples;
}

/* ---- one sample ---- */

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

static void note_verdict(struct collector *c, const struct verdict *v)
{
    for (uint32_t i = 0; i < v->n_metrics; i++) {
        struct metric_stats *m = metric_of(c->g, v->metrics[i].name);
        double x = v->metrics[i].value;
        if (!m)
            continue;
        m->problem_sum += x;
        if (!(x >= 1 && x <= 1) && !(x >= 0 && x <= 0))
            m->binary = false;
    }
    note_answer(c, v);
}

static struct host_speed *host_of(struct group_stats *g, const char *name)
{
    for (uint32_t i = 0; i < g->n_hosts; i++)
        if (strcmp(g->hosts[i].host, name) == 0)
            return &g->hosts[i];
    g->hosts = px_xrealloc(g->hosts, (g->n_hosts + 1) * sizeof *g->hosts);
    struct host_speed *h = &g->hosts[g->n_hosts++];
    memset(h, 0, sizeof *h);
    h->host = px_xstrdup(name);
    return h;
}

static void note_observed(struct group_stats *g, const struct completion *c)
{
    struct host_speed *h = host_of(g, c->host ? c->host : "");
    h->n++;
    h->prompt_tokens += c->n_prompt;
    h->prefill_s += c->prefill_s;
    h->steps += c->decode_steps;
    h->decode_s += c->decode_s;
    g->retried += c->attempts > 1;
    if (c->wall_us && (!g->first_wall_us || c->wall_us < g->first_wall_us))
        g->first_wall_us = c->wall_us;
    if (c->wall_us > g->last_wall_us)
        g->last_wall_us = c->wall_us;
}

static void note_completion(struct collector *c, const struct completion *done)
{
    struct group_stats *g = c->g;
    g->finishes[(unsigned)done->finish < N_FINISHES ? done->finish : 0]++;
    g->prompt_tokens += done->n_prompt;
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
    struct px_digest text = px_sha256(done->text, done->n_text);
    if (c->n_texts++ == 0)
        c->first_text = text;
    else
        c->same_texts = c->same_texts && px_digest_eq(&text, &c->first_text);
    note_observed(g, done);
}

static bool note_sample(void *ctx, const struct sample *s)
{
    struct collector *c = ctx;
    struct group_stats *g = c->g;
    uint32_t problem = s->index / g->samples;
    if (problem != c->problem) {
        close_problem(c);
        open_problem(c, problem);
    }
    c->fresh = false;
    enum outcome o = outcome_of(s);
    g->outcomes[o]++;
    c->right += o == OUTCOME_RIGHT;
    if (s->has_completion)
        note_completion(c, &s->completion);
    if (!sample_done(s))
        return true;
    g->done++;
    c->problem_left--;
    g->classes[sample_class(s)]++;
    if (s->has_verdict)
        note_verdict(c, &s->verdict);
    return true;
}

/* ---- one group ---- */

/* Units come problem by problem, each with the same number of samples; a manifest that is laid out
 * otherwise is taken sample by sample. */
static uint32_t samples_of(const struct manifest_group *g)
{
    uint32_t n = 1;
    while (n < g->n_units && strcmp(g->units[n].problem, g->units[0].problem) == 0)
        n++;
    if (n == 0 || g->n_units % n)
        return 1;
    for (uint32_t i = 0; i < g->n_units; i++)
        if (g->units[i].sample != i % n ||
            strcmp(g->units[i].problem, g->units[i - i % n].problem) != 0)
            return 1;
    return n;
}

static void choose_pass_at(struct group_stats *g)
{
    static const uint32_t wanted[] = {1, 2, 5, 10, 20, 50, 100};
    if (g->samples < 2)
        return;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted && wanted[i] < g->samples; i++)
        g->pass_at[g->n_pass_at++].k = wanted[i];
    g->pass_at[g->n_pass_at++].k = g->samples;
}

static void finish_metrics(struct group_stats *g, const double *pass_sums)
{
    double problems = g->n_problems;
    for (uint32_t i = 0; i < g->n_metrics && g->n_problems; i++) {
        struct metric_stats *m = &g->metrics[i];
        m->value = m->sum / problems;
        /* where every sample agrees, Student's interval would have no width */
        bool sure = m->sum <= 0 || m->sum >= problems;
        m->interval = m->binary && (g->samples == 1 || sure)
                          ? stats_wilson((uint64_t)llround(m->sum), g->n_problems)
                          : stats_mean(m->sum, m->sum_of_squares, g->n_problems);
        /* metrics are shares; Student's interval knows nothing of that */
        if (m->interval.lo < 0)
            m->interval.lo = 0;
        if (m->interval.hi > 1)
            m->interval.hi = 1;
    }
    for (uint32_t i = 0; i < g->n_pass_at && g->n_problems; i++)
        g->pass_at[i].value = pass_sums[i] / problems;
}

static double setting(const struct manifest_cell *c, const char *key)
{
    struct json_object *o = px_json_parse(c->settings, strlen(c->settings), NULL);
    double v = o ? px_json_double_or(o, key, 0) : 0;
    json_object_put(o);
    return v;
}

static int collect_group(struct store_view *v, const struct manifest *m, uint32_t index,
                         struct group_stats *g, struct px_err *err)
{
    double pass_sums[sizeof g->pass_at / sizeof *g->pass_at] = {0};
    const struct manifest_group *mg = &m->groups[index];
    g->group = mg;
    g->cell = &m->cells[mg->cell];
    g->task = &m->tasks[mg->task];
    g->n = mg->n_units;
    g->samples = g->n ? samples_of(mg) : 1;
    g->n_problems = (uint32_t)(g->n / g->samples);
    g->problem_value = px_xcalloc((size_t)g->n_problems + 1, sizeof *g->problem_value);
    g->problem_done = px_xcalloc((size_t)g->n_problems + 1, sizeof *g->problem_done);
    g->temperature = setting(g->cell, "sampler.temperature");
    choose_pass_at(g);
    metric_of(g, g->task->headline);
    struct collector c = {.g = g, .pass_sums = pass_sums};
    open_problem(&c, 0);
    int rc = walk_group(v, m, index, note_sample, &c, err);
    close_problem(&c);
    free(c.answer);
    finish_metrics(g, pass_sums);
    return rc;
}

/* ---- the run ---- */

struct run_stats *collect_run(struct store *s, struct px_err *err)
{
    struct run_stats *r = px_xcalloc(1, sizeof *r);
    struct store_view *v = NULL;
    int rc = -1;
    r->manifest = manifest_read(s, err);
    if (r->manifest)
        v = store_view_begin(s, err);
    if (v) {
        r->lost = store_view_count(v, STORE_LOST);
        r->n_groups = r->manifest->n_groups;
        r->groups = px_xcalloc((size_t)r->n_groups + 1, sizeof *r->groups);
        rc = 0;
        for (uint32_t i = 0; i < r->n_groups && rc == 0; i++)
            rc = collect_group(v, r->manifest, i, &r->groups[i], err);
    }
    store_view_end(&v);
    if (rc == 0)
        pair_groups(r);
    else
        run_stats_free(&r);
    return r;
}

void run_stats_free(struct run_stats **rp)
{
    struct run_stats *r = *rp;
    if (!r)
        return;
    for (uint32_t i = 0; i < r->n_groups; i++) {
        struct group_stats *g = &r->groups[i];
        for (uint32_t k = 0; k < g->n_metrics; k++)
            free(g->metrics[k].name);
        for (uint32_t k = 0; k < g->n_hosts; k++)
            free(g->hosts[k].host);
        free(g->hosts);
        free(g->problem_value);
        free(g->problem_done);
    }
    free(r->groups);
    manifest_free(&r->manifest);
    free(r);
    *rp = NULL;
}

double group_prefill_speed(const struct group_stats *g)
{
    double tokens = 0, seconds = 0;
    for (uint32_t i = 0; i < g->n_hosts; i++) {
        tokens += (double)g->hosts[i].prompt_tokens;
        seconds += g->hosts[i].prefill_s;
    }
    return seconds > 0 ? tokens / seconds : 0;
}

double group_decode_speed(const struct group_stats *g)
{
    double steps = 0, seconds = 0;
    for (uint32_t i = 0; i < g->n_hosts; i++) {
        steps += (double)g->hosts[i].steps;
        seconds += g->hosts[i].decode_s;
    }
    return seconds > 0 ? steps / seconds : 0;
}
