/* lm_eval_samples.c - one line per document and filter. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/export/lm_eval.h"
#include "coordinator/recorded/py_json.h"
#include "proto/json.h"
#include "proto/mem.h"

struct sampling {
    struct exporter *x;
    struct lm_task *tasks; /* by subset, or the only one */
    uint32_t n_tasks;
    const char **filters;
    uint32_t n_filters;
    struct px_buf line;
};

/* What a document's lines share. */
struct document {
    const struct problem *p;
    struct asked q;
    uint64_t id;
    char doc_hash[PX_HEX_SIZE], prompt_hash[PX_HEX_SIZE], target_hash[PX_HEX_SIZE]; /* "": null */
};

char *lm_metric(const char *metric, const char **filter)
{
    const char *comma = strchr(metric, ',');
    *filter = comma ? comma + 1 : "none";
    return px_xstrndup(metric, comma ? (size_t)(comma - metric) : strlen(metric));
}

const char **lm_filters(const struct group_stats *g, uint32_t *n)
{
    const char **list = px_xcalloc((size_t)g->n_metrics + 1, sizeof *list);
    *n = 0;
    for (uint32_t i = 0; i < g->n_metrics; i++) {
        const char *filter;
        PX_FREE char *name = lm_metric(g->metrics[i].name, &filter);
        uint32_t k = 0;
        while (k < *n && strcmp(list[k], filter) != 0)
            k++;
        if (k == *n)
            list[(*n)++] = filter;
    }
    return list;
}

/* ---- hashes ---- */

static void hash_text(const char *s, size_t n, char hex[PX_HEX_SIZE])
{
    struct px_digest d = px_sha256(s, n);
    px_digest_hex(&d, hex);
}

static void hash_document(struct document *d)
{
    const struct asked *q = &d->q;
    if (q->row) {
        struct px_buf doc;
        px_buf_init(&doc, EXPORT_LINE);
        py_json_dumps(q->row, &doc);
        hash_text((char *)doc.data, doc.len, d->doc_hash);
        px_buf_clear(&doc);
    }
    if (q->target)
        hash_text(q->target, strlen(q->target), d->target_hash);
    if (!q->known) {
        const struct answer *a = d->p->n_answers ? &d->p->answers[0] : NULL;
        bool whole = a && a->has_receipt && strcmp(d->p->group->task->request, "choice") != 0;
        if (whole)
            px_digest_hex(&a->prompt_text, d->prompt_hash);
        return;
    }
    if (q->prompt.text) {
        hash_text(q->prompt.text, strlen(q->prompt.text), d->prompt_hash);
        return;
    }
    const char *own = q->prompt.n_choices ? q->prompt.choices[0].context : NULL;
    PX_FREE char *first = px_xasprintf("%s%s", (char *)q->text.data, own ? own : "");
    hash_text(first, strlen(first), d->prompt_hash);
}

/* ---- what was asked ---- */

static void write_settings(struct emit *j, const struct sampling *s, const struct problem *p)
{
    const struct plan_group *g = &s->x->o->plan->groups[p->group_index];
    emit_begin(j, "arg_1", '{');
    emit_begin(j, "until", '[');
    for (uint32_t i = 0; i < g->generate.n_stops; i++)
        emit_text(j, NULL, g->generate.stops[i]);
    emit_end(j, ']');
    emit_u64(j, "max_gen_toks", g->generate.max_tokens);
    emit_bool(j, "do_sample", g->generate.sampler.temperature > 0);
    emit_f64(j, "temperature", g->generate.sampler.temperature);
    emit_end(j, '}');
}

static void write_argument(struct emit *j, uint32_t i, const char *context, const char *own,
                           const char *continuation)
{
    char key[32];
    PX_FREE char *arg_0 = px_xasprintf("%s%s", context, own);
    snprintf(key, sizeof key, "gen_args_%u", i);
    emit_begin(j, key, '{');
    emit_text(j, "arg_0", arg_0);
    if (continuation)
        emit_text(j, "arg_1", continuation);
    emit_end(j, '}');
}

static void write_arguments(struct emit *j, const struct sampling *s, const struct document *d)
{
    const struct task_prompt *p = &d->q.prompt;
    const char *context = d->q.known ? (char *)d->q.text.data : "";
    if (!d->q.known) {
        emit_raw(j, "arguments", NULL);
        return;
    }
    emit_begin(j, "arguments", '{');
    if (p->text) {
        write_argument(j, 0, p->text, "", NULL);
    } else if (p->n_choices == 0) {
        emit_begin(j, "gen_args_0", '{');
        emit_text(j, "arg_0", context);
        write_settings(j, s, d->p);
        emit_end(j, '}');
    }
    bool again = d->p->n_answers && p->n_choices &&
                 d->p->answers[0].completion.n_choices == 2 * p->n_choices;
    for (uint32_t i = 0; i < p->n_choices; i++)
        write_argument(j, i, context, p->choices[i].context ? p->choices[i].context : "",
                       p->choices[i].continuation);
    for (uint32_t i = 0; i < p->n_choices && again; i++) /* with mutual information */
        write_argument(j, p->n_choices + i, "", "", p->choices[i].continuation);
    emit_end(j, '}');
}

/* ---- what was answered ---- */

/* Python's str() of a float, in quotes. */
static void write_number_text(struct emit *j, double v)
{
    struct px_buf b;
    px_buf_init(&b, 64);
    px_json_number(&b, v);
    if (b.len && !strpbrk((char *)b.data, ".en"))
        px_buf_str(&b, ".0");
    emit_text(j, NULL, (char *)b.data);
    px_buf_clear(&b);
}

static void write_pair(struct emit *j, const struct choice_score *c)
{
    emit_begin(j, NULL, '[');
    write_number_text(j, c->logprob);
    emit_text(j, NULL, c->greedy ? "True" : "False");
    emit_end(j, ']');
}

static void write_loglikelihoods(struct emit *j, const struct problem *p, bool nested)
{
    const struct completion *c = &p->answers[0].completion;
    for (uint32_t i = 0; p->answers[0].has_completion && i < c->n_choices; i++) {
        if (nested)
            emit_begin(j, NULL, '[');
        write_pair(j, &c->choices[i]);
        if (nested)
            emit_end(j, ']');
    }
}

static void write_resps(struct emit *j, const struct problem *p, bool scored)
{
    emit_begin(j, "resps", '[');
    if (scored) {
        write_loglikelihoods(j, p, true);
    } else {
        emit_begin(j, NULL, '[');
        for (uint32_t i = 0; i < p->n_answers; i++) {
            size_t n;
            const char *text = answer_text(&p->answers[i].completion, &n);
            emit_bytes(j, NULL, text, n);
        }
        emit_end(j, ']');
    }
    emit_end(j, ']');
}

/* A verdict keeps what one rule found: the others' findings are not stored (null). */
static void write_filtered(struct emit *j, const struct problem *p, const char *filter, bool scored)
{
    bool known = strcmp(filter, "none") == 0;
    for (uint32_t i = 0; i < p->n_answers && !known; i++) {
        const char *rule = p->answers[i].has_verdict ? p->answers[i].verdict.rule : NULL;
        known = rule && strcmp(rule, filter) == 0;
    }
    if (!known) {
        emit_raw(j, "filtered_resps", NULL);
        return;
    }
    emit_begin(j, "filtered_resps", '[');
    if (scored)
        write_loglikelihoods(j, p, false);
    for (uint32_t i = 0; i < p->n_answers && !scored; i++) {
        const struct answer *a = &p->answers[i];
        if (!a->has_verdict || a->class == VERDICT_UNPARSED)
            emit_text(j, NULL, "[invalid]");
        else
            emit_bytes(j, NULL, a->verdict.extracted, a->verdict.n_extracted);
    }
    emit_end(j, ']');
}

/* Mean over the samples; what is not done counts as 0, as everywhere. */
static double mean_of(const struct problem *p, const char *metric)
{
    double sum = 0;
    for (uint32_t i = 0; i < p->n_answers; i++)
        if (p->answers[i].has_verdict)
            sum += verdict_metric(&p->answers[i].verdict, metric, 0);
    return sum / (double)p->n_answers;
}

static void write_metrics(struct emit *j, const struct problem *p, const char *filter)
{
    const struct group_stats *g = p->group;
    for (int values = 0; values < 2; values++) {
        if (!values)
            emit_begin(j, "metrics", '[');
        for (uint32_t i = 0; i < g->n_metrics; i++) {
            const char *own;
            PX_FREE char *name = lm_metric(g->metrics[i].name, &own);
            if (g->metrics[i].kind != METRIC_MEAN || strcmp(own, filter) != 0)
                continue;
            if (values)
                emit_f64(j, name, mean_of(p, g->metrics[i].name));
            else
                emit_text(j, NULL, name);
        }
        if (!values)
            emit_end(j, ']');
    }
}

/* ---- a line ---- */

static void write_line(struct sampling *s, const struct document *d, const char *filter)
{
    bool scored = strcmp(d->p->group->task->request, "generate") != 0;
    struct emit j = {.b = &s->line};
    px_buf_reset(&s->line);
    emit_begin(&j, NULL, '{');
    emit_u64(&j, "doc_id", d->id);
    emit_raw(&j, "doc",
             d->q.row ? json_object_to_json_string_ext(d->q.row, JSON_C_TO_STRING_PLAIN |
                                                                     JSON_C_TO_STRING_NOSLASHESCAPE)
                      : NULL);
    emit_maybe(&j, "target", d->q.target);
    write_arguments(&j, s, d);
    write_resps(&j, d->p, scored);
    write_filtered(&j, d->p, filter, scored);
    emit_text(&j, "filter", filter);
    emit_maybe(&j, "doc_hash", *d->doc_hash ? d->doc_hash : NULL);
    emit_maybe(&j, "prompt_hash", *d->prompt_hash ? d->prompt_hash : NULL);
    emit_maybe(&j, "target_hash", *d->target_hash ? d->target_hash : NULL);
    write_metrics(&j, d->p, filter);
    emit_text(&j, "problem", d->p->id);
    emit_end(&j, '}');
    px_buf_char(&s->line, '\n');
}

static int take_document(void *ctx, const struct problem *p, struct px_err *err)
{
    struct sampling *s = ctx;
    struct lm_task *t = &s->tasks[s->n_tasks > 1 ? p->subset : 0];
    struct document d = {.p = p, .id = t->n_docs++};
    int rc = 0;
    asked_get(s->x, p, &d.q);
    hash_document(&d);
    s->x->counts->answers += p->n_answers;
    t->hashes_known = t->hashes_known && *d.doc_hash && *d.prompt_hash && *d.target_hash;
    for (uint32_t i = 0; i < s->n_filters; i++) {
        write_line(s, &d, s->filters[i]);
        px_buf_printf(&t->hashes, "%s%s%s", d.doc_hash, d.prompt_hash, d.target_hash);
        if (s->line.overflow)
            rc = px_fail(err, PX_ELIMIT, "problem %s makes a line of more than %zu bytes", p->id,
                         EXPORT_LINE);
        fwrite(s->line.data, 1, s->line.len, t->samples);
    }
    asked_clear(&d.q);
    return rc;
}

int lm_samples(struct exporter *x, uint32_t group, struct lm_task *tasks, uint32_t n_tasks,
               struct px_err *err)
{
    struct sampling s = {.x = x, .tasks = tasks, .n_tasks = n_tasks};
    s.filters = lm_filters(&x->run->groups[group], &s.n_filters);
    px_buf_init(&s.line, EXPORT_LINE);
    int rc = export_walk(x, group, take_document, &s, err);
    px_buf_clear(&s.line);
    free(s.filters);
    return rc;
}
