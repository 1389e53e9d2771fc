/* inspect.c - logs of inspect (UK AI Security Institute), one .eval file per cell and task: a ZIP
 * with header.json, samples/, summaries and reductions, log version 2 (its EvalLog, EvalSample). */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/export/export_inner.h"
#include "coordinator/export/zip.h"
#include "coordinator/report/export_names.h"
#include "proto/clock.h"
#include "proto/file.h"
#include "proto/json.h"
#include "proto/mem.h"

enum { SHORT_INPUT = 1024 }; /* bytes of a prompt that a summary shows */

struct inspect_log {
    struct exporter *x;
    uint32_t group;
    const struct group_stats *g;
    struct zip *zip;
    struct px_buf sample, summaries, ids;
    struct emit summary_list, id_list;
    char *model; /* "proctor/<name>" */
    uint64_t n, input_tokens, output_tokens;
};

static void write_time(struct emit *j, const char *key, int64_t us)
{
    char text[40];
    clk_utc_text(us, text);
    char *z = strchr(text, 'Z');
    if (z)
        snprintf(z, (size_t)(text + sizeof text - z), "+00:00");
    emit_text(j, key, us > 0 ? text : "");
}

/* Names of members cannot lead out of the archive. */
static char *safe_id(const char *id)
{
    char *s = px_xstrdup(*id ? id : "_");
    for (char *p = s; (p = strstr(p, "..")) != NULL; p += 2)
        p[0] = p[1] = '_';
    if (s[0] == '/')
        s[0] = '_';
    return s;
}

/* Whole code points only. */
static size_t shortened(const char *s, size_t n)
{
    if (n <= SHORT_INPUT)
        return n;
    for (n = SHORT_INPUT; n > 0 && ((unsigned char)s[n] & 0xc0) == 0x80;)
        n--;
    return n;
}

/* ---- a sample ---- */

static void write_usage_numbers(struct emit *j, uint64_t in, uint64_t out)
{
    emit_u64(j, "input_tokens", in);
    emit_u64(j, "output_tokens", out);
    emit_u64(j, "total_tokens", in + out);
}

static void write_usage(struct emit *j, const struct inspect_log *l, uint64_t in, uint64_t out)
{
    emit_begin(j, "model_usage", '{');
    emit_begin(j, l->model, '{');
    write_usage_numbers(j, in, out);
    emit_end(j, '}');
    emit_end(j, '}');
}

static void write_scores(struct emit *j, const struct answer *a)
{
    const struct verdict *v = &a->verdict;
    emit_begin(j, "scores", '{');
    for (uint32_t i = 0; a->has_verdict && i < v->n_metrics; i++) {
        if (isnan(v->metrics[i].value))
            continue;
        emit_begin(j, v->metrics[i].name, '{');
        emit_f64(j, "value", v->metrics[i].value);
        emit_bytes(j, "answer", v->extracted, v->n_extracted);
        emit_text(j, "explanation",
                  v->exception && *v->exception ? v->exception : verdict_class_name(a->class));
        emit_begin(j, "metadata", '{');
        emit_text(j, "verdict", verdict_class_name(a->class));
        emit_text(j, "outcome", outcome_name(a->outcome));
        emit_text(j, "rule", v->rule);
        emit_end(j, '}');
        emit_end(j, '}');
    }
    emit_end(j, '}');
}

static const char *stop_reason(enum finish f)
{
    return f == FINISH_EOS || f == FINISH_STOP            ? "stop"
           : f == FINISH_LENGTH                           ? "max_tokens"
           : f == FINISH_OVERFLOW || f == FINISH_TOO_LONG ? "model_length"
                                                          : "unknown";
}

static void write_assistant(struct emit *j, const char *key, const struct inspect_log *l,
                            const struct completion *c)
{
    emit_begin(j, key, '{');
    emit_text(j, "role", "assistant");
    emit_bytes(j, "content", c->text, c->n_text);
    emit_text(j, "source", "generate");
    emit_text(j, "model", l->model);
    emit_end(j, '}');
}

static void write_prompt(struct emit *j, const struct asked *q)
{
    const struct task_prompt *p = &q->prompt;
    for (uint32_t i = 0; q->known && i < p->n_messages; i++) {
        emit_begin(j, NULL, '{');
        emit_text(j, "role", p->messages[i].role);
        emit_text(j, "content", p->messages[i].content);
        emit_text(j, "source", "input");
        emit_end(j, '}');
    }
    if (q->known && p->n_messages > 0)
        return;
    emit_begin(j, NULL, '{');
    emit_text(j, "role", "user");
    emit_text(j, "content", !q->known ? "" : p->text ? p->text : (char *)q->text.data);
    emit_text(j, "source", "input");
    emit_end(j, '}');
}

static void write_output(struct emit *j, const struct inspect_log *l, const struct completion *c)
{
    bool text = c->finish != FINISH_SCORED;
    emit_begin(j, "output", '{');
    emit_text(j, "model", l->model);
    emit_begin(j, "choices", '[');
    if (text) {
        emit_begin(j, NULL, '{');
        write_assistant(j, "message", l, c);
        emit_text(j, "stop_reason", stop_reason(c->finish));
        emit_end(j, '}');
    }
    emit_end(j, ']');
    emit_bytes(j, "completion", text ? c->text : "", text ? c->n_text : 0);
    emit_begin(j, "usage", '{');
    write_usage_numbers(j, c->n_prompt, c->n_tokens);
    emit_end(j, '}');
    emit_f64(j, "time", c->prefill_s + c->decode_s);
    emit_end(j, '}');
}

static void write_metadata(struct emit *j, const struct asked *q, const struct answer *a)
{
    const struct completion *c = &a->completion;
    char hex[PX_HEX_SIZE];
    emit_begin(j, "metadata", '{');
    emit_text(j, "outcome", outcome_name(a->outcome));
    emit_text(j, "finish", finish_name(c->finish));
    px_digest_hex(&a->prompt_text, hex);
    emit_maybe(j, "prompt_sha256", a->has_receipt ? hex : NULL);
    emit_bool(j, "prompt_known", q->known);
    if (c->finish == FINISH_SCORED) {
        emit_begin(j, "loglikelihoods", '[');
        for (uint32_t i = 0; i < c->n_choices; i++)
            emit_f64(j, NULL, c->choices[i].logprob);
        emit_end(j, ']');
    }
    emit_end(j, '}');
}

/* What a sample and its summary both begin with. */
static void write_head(struct emit *j, const char *id, uint32_t epoch, const struct asked *q,
                       bool summary)
{
    const struct task_prompt *p = &q->prompt;
    const char *input = !q->known ? "" : p->text ? p->text : (char *)q->text.data;
    size_t n = strlen(input);
    emit_text(j, "id", id);
    emit_u64(j, "epoch", epoch);
    emit_bytes(j, "input", input, summary ? shortened(input, n) : n);
    if (q->known && p->n_choices > 0) {
        emit_begin(j, "choices", '[');
        for (uint32_t i = 0; i < p->n_choices; i++)
            emit_text(j, NULL, p->choices[i].text);
        emit_end(j, ']');
    }
    emit_text(j, "target", q->target ? q->target : "");
}

static void write_tail(struct emit *j, const struct inspect_log *l, const struct answer *a)
{
    const struct completion *c = &a->completion;
    double seconds = c->prefill_s + c->decode_s;
    char hex[PX_HEX_SIZE];
    write_scores(j, a);
    write_usage(j, l, c->n_prompt, c->n_tokens);
    if (c->wall_us > 0) {
        write_time(j, "started_at", c->wall_us - (int64_t)(seconds * 1e6));
        write_time(j, "completed_at", c->wall_us);
    }
    emit_f64(j, "total_time", seconds);
    emit_f64(j, "working_time", seconds);
    px_digest_hex(&a->content, hex);
    hex[22] = '\0';
    emit_text(j, "uuid", hex);
}

static void write_error(struct emit *j, const char *message)
{
    emit_begin(j, "error", '{');
    emit_text(j, "message", message);
    emit_text(j, "traceback", "");
    emit_text(j, "traceback_ansi", "");
    emit_end(j, '}');
}

static void write_sample(struct inspect_log *l, const char *id, const struct asked *q,
                         const struct answer *a)
{
    const struct completion *c = &a->completion;
    struct emit j = {.b = &l->sample};
    px_buf_reset(&l->sample);
    emit_begin(&j, NULL, '{');
    write_head(&j, id, a->sample + 1, q, false);
    emit_begin(&j, "messages", '[');
    write_prompt(&j, q);
    if (c->finish != FINISH_SCORED)
        write_assistant(&j, NULL, l, c);
    emit_end(&j, ']');
    write_output(&j, l, c);
    write_metadata(&j, q, a);
    write_tail(&j, l, a);
    if (c->finish == FINISH_ERROR)
        write_error(&j, c->error ? c->error : "");
    emit_end(&j, '}');
}

static void write_summary(struct inspect_log *l, const char *id, const struct asked *q,
                          const struct answer *a)
{
    const struct completion *c = &a->completion;
    struct emit *j = &l->summary_list;
    emit_begin(j, NULL, '{');
    write_head(j, id, a->sample + 1, q, true);
    write_tail(j, l, a);
    if (c->finish == FINISH_ERROR)
        emit_text(j, "error", c->error ? c->error : "");
    emit_bool(j, "completed", true);
    emit_u64(j, "message_count", c->finish == FINISH_SCORED ? 1 : 2);
    emit_end(j, '}');
}

static int take_problem(void *ctx, const struct problem *p, struct px_err *err)
{
    struct inspect_log *l = ctx;
    PX_FREE char *id = safe_id(p->id);
    struct asked q;
    int rc = 0;
    asked_get(l->x, p, &q);
    emit_text(&l->id_list, NULL, id);
    for (uint32_t i = 0; i < p->n_answers && rc == 0; i++) {
        const struct answer *a = &p->answers[i];
        if (!a->has_completion)
            continue;
        PX_FREE char *name = px_xasprintf("samples/%s_epoch_%u.json", id, a->sample + 1);
        l->x->counts->answers++;
        l->n++;
        l->input_tokens += a->completion.n_prompt;
        l->output_tokens += a->completion.n_tokens;
        write_sample(l, id, &q, a);
        write_summary(l, id, &q, a);
        rc = zip_add(l->zip, name, l->sample.data, l->sample.len, err);
    }
    asked_clear(&q);
    return rc;
}

/* ---- the log ---- */

static void write_spec(struct emit *j, const struct inspect_log *l)
{
    const struct group_stats *g = l->g;
    const struct manifest *m = l->x->run->manifest;
    emit_begin(j, "eval", '{');
    PX_FREE char *names =
        px_xasprintf("%s\n%s\n%s", m->plan_digest, g->cell->names[0], g->task->name);
    struct px_digest id = px_sha256(names, strlen(names));
    char hex[PX_HEX_SIZE];
    px_digest_hex(&id, hex);
    hex[22] = '\0';
    emit_text(j, "eval_id", hex);
    emit_text(j, "run_id", m->plan_digest);
    write_time(j, "created", g->first_wall_us > 0 ? g->first_wall_us : 1);
    emit_text(j, "task", g->task->name);
    emit_text(j, "task_id", g->task->digest);
    emit_u64(j, "task_version", 0);
    emit_begin(j, "task_args", '{');
    emit_end(j, '}');
    emit_begin(j, "dataset", '{');
    emit_text(j, "name", g->task->name);
    emit_u64(j, "samples", g->n_problems);
    emit_raw(j, "sample_ids", (char *)l->ids.data);
    emit_bool(j, "shuffled", false);
    emit_end(j, '}');
    emit_text(j, "model", l->model);
    emit_begin(j, "model_args", '{');
    emit_text(j, "sha256", g->model_digest);
    emit_end(j, '}');
    emit_begin(j, "config", '{');
    if (g->n_problems < g->task->n_problems)
        emit_u64(j, "limit", g->n_problems);
    emit_u64(j, "epochs", g->samples);
    emit_end(j, '}');
    emit_begin(j, "packages", '{');
    emit_text(j, "proctor", PROCTOR_VERSION);
    emit_end(j, '}');
    emit_begin(j, "metadata", '{');
    emit_text(j, "recipe", m->recipe);
    emit_text(j, "cell", g->cell->names[0]);
    emit_raw(j, "settings", g->cell->settings);
    emit_text(j, "compat", g->task->compat);
    emit_u64(j, "units", g->n);
    emit_u64(j, "units_done", g->done);
    emit_end(j, '}');
    emit_end(j, '}');
}

static void write_plan(struct emit *j, const struct inspect_log *l)
{
    struct json_object *s = px_json_parse(l->g->cell->settings, strlen(l->g->cell->settings), NULL);
    emit_begin(j, "plan", '{');
    emit_text(j, "name", "plan");
    emit_begin(j, "steps", '[');
    emit_begin(j, NULL, '{');
    emit_text(j, "solver", "generate");
    emit_begin(j, "params", '{');
    emit_end(j, '}');
    emit_end(j, '}');
    emit_end(j, ']');
    emit_begin(j, "config", '{');
    emit_f64(j, "temperature", px_json_double_or(s, "sampler.temperature", 0));
    emit_f64(j, "top_p", px_json_double_or(s, "sampler.top_p", 1));
    emit_end(j, '}');
    emit_end(j, '}');
    json_object_put(s);
}

static void write_metric(struct emit *j, const char *name, double value)
{
    if (isnan(value))
        return;
    emit_begin(j, name, '{');
    emit_text(j, "name", name);
    emit_f64(j, "value", value);
    emit_begin(j, "params", '{');
    emit_end(j, '}');
    emit_end(j, '}');
}

static void write_results(struct emit *j, const struct inspect_log *l)
{
    const struct group_stats *g = l->g;
    emit_begin(j, "results", '{');
    emit_u64(j, "total_samples", g->n);
    emit_u64(j, "completed_samples", l->n);
    emit_begin(j, "scores", '[');
    for (uint32_t i = 0; i < g->n_metrics; i++) {
        const struct metric_stats *m = &g->metrics[i];
        emit_begin(j, NULL, '{');
        emit_text(j, "name", m->name);
        emit_text(j, "scorer", g->task->scorer);
        emit_text(j, "reducer", "mean");
        emit_begin(j, "params", '{');
        emit_end(j, '}');
        emit_begin(j, "metrics", '{');
        write_metric(j, m->kind == METRIC_MEAN ? "mean" : m->name, m->value);
        write_metric(j, "stderr", m->kind == METRIC_MEAN ? m->std_error : NAN);
        emit_end(j, '}');
        emit_end(j, '}');
    }
    emit_end(j, ']');
    emit_end(j, '}');
}

static void write_stats(struct emit *j, const struct inspect_log *l)
{
    emit_begin(j, "stats", '{');
    write_time(j, "started_at", l->g->first_wall_us);
    write_time(j, "completed_at", l->g->last_wall_us);
    write_usage(j, l, l->input_tokens, l->output_tokens);
    emit_end(j, '}');
}

static void write_header(struct inspect_log *l, struct px_buf *out)
{
    struct emit j = {.b = out};
    emit_begin(&j, NULL, '{');
    emit_u64(&j, "version", 2);
    emit_text(&j, "status", l->g->done < l->g->n ? "cancelled" : "success");
    write_spec(&j, l);
    write_plan(&j, l);
    write_results(&j, l);
    write_stats(&j, l);
    emit_end(&j, '}');
}

static void write_start(struct inspect_log *l, struct px_buf *out)
{
    struct emit j = {.b = out};
    emit_begin(&j, NULL, '{');
    emit_u64(&j, "version", 2);
    write_spec(&j, l);
    write_plan(&j, l);
    emit_end(&j, '}');
}

/* Per problem, the mean over its epochs of the headline and its companions. */
static void write_reductions(struct inspect_log *l, struct px_buf *out)
{
    const struct group_stats *g = l->g;
    struct emit j = {.b = out};
    emit_begin(&j, NULL, '[');
    for (uint32_t i = 0; i < g->n_metrics; i++) {
        if (g->metrics[i].kind != METRIC_MEAN)
            continue;
        emit_begin(&j, NULL, '{');
        emit_text(&j, "scorer", g->metrics[i].name);
        emit_text(&j, "reducer", "mean");
        emit_begin(&j, "samples", '[');
        for (uint32_t p = 0; p < g->n_problems; p++) {
            PX_FREE char *id = safe_id(group_problem(g, p));
            if (!g->problem_done[p])
                continue;
            emit_begin(&j, NULL, '{');
            emit_f64(&j, "value", g->metrics[i].problem[p]);
            emit_text(&j, "sample_id", id);
            emit_end(&j, '}');
        }
        emit_end(&j, ']');
        emit_end(&j, '}');
    }
    emit_end(&j, ']');
}

static int add(struct inspect_log *l, const char *name,
               void (*write)(struct inspect_log *l, struct px_buf *out), struct px_err *err)
{
    struct px_buf b;
    px_buf_init(&b, EXPORT_LINE);
    write(l, &b);
    int rc = b.overflow ? px_fail(err, PX_ELIMIT, "%s is too large", name)
                        : zip_add(l->zip, name, b.data, b.len, err);
    px_buf_clear(&b);
    return rc;
}

static void copy_summaries(struct inspect_log *l, struct px_buf *out)
{
    px_buf_put(out, l->summaries.data, l->summaries.len);
}

static int fill(struct inspect_log *l, struct px_err *err)
{
    l->summary_list = (struct emit){.b = &l->summaries};
    l->id_list = (struct emit){.b = &l->ids};
    emit_begin(&l->summary_list, NULL, '[');
    emit_begin(&l->id_list, NULL, '[');
    if (export_walk(l->x, l->group, take_problem, l, err) != 0)
        return -1;
    emit_end(&l->summary_list, ']');
    emit_end(&l->id_list, ']');
    if (add(l, "_journal/start.json", write_start, err) != 0 ||
        add(l, "_journal/summaries/1.json", copy_summaries, err) != 0 ||
        add(l, "summaries.json", copy_summaries, err) != 0 ||
        add(l, "reductions.json", write_reductions, err) != 0)
        return -1;
    return add(l, "header.json", write_header, err);
}

static int write_log(struct exporter *x, uint32_t group, struct px_err *err)
{
    const struct group_stats *g = &x->run->groups[group];
    PX_FREE char *model = px_xasprintf("proctor/%s", g->cell->model);
    PX_FREE char *task = export_file_name(g->task->name, true, group);
    PX_FREE char *path =
        px_xasprintf("%s/%.19s_%s_%s.eval", x->dir, x->stamp, task, x->cells[g->group->cell]);
    struct inspect_log l = {.x = x, .group = group, .g = g, .model = model};
    l.zip = zip_new(path, err);
    if (!l.zip)
        return -1;
    px_buf_init(&l.sample, EXPORT_LINE);
    px_buf_init(&l.summaries, EXPORT_LINE);
    px_buf_init(&l.ids, EXPORT_LINE);
    int rc = fill(&l, err);
    if (rc == 0)
        rc = zip_close(&l.zip, err);
    zip_abandon(&l.zip);
    px_buf_clear(&l.sample);
    px_buf_clear(&l.summaries);
    px_buf_clear(&l.ids);
    return rc;
}

int export_inspect(struct exporter *x, struct px_err *err)
{
    int rc = 0;
    for (uint32_t i = 0; i < x->run->n_groups && rc == 0; i++)
        if (x->chosen[i])
            rc = write_log(x, i, err);
    return rc;
}
