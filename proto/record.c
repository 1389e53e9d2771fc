/* record.c - the encodings of results: completions and verdicts (declared in proto/unit.h).
 *
 * Both are {tag, layout, section result, section observed}: the result section is what two runs
 * of the same recipe must agree on, and its digest is taken over exactly those bytes. */
#include <stdlib.h>
#include <string.h>

#include "proto/codec.h"
#include "proto/mem.h"
#include "proto/unit.h"

enum { COMPLETION_TAG = 'C', VERDICT_TAG = 'V', LAYOUT = 2 };

const char *finish_name(enum finish f)
{
    static const char *const names[] = {"unknown",  "eos",      "stop",  "length",
                                        "overflow", "too-long", "error", "scored"};
    return f >= FINISH_EOS && f <= FINISH_SCORED ? names[f] : names[0];
}

const char *verdict_class_name(enum verdict_class v)
{
    static const char *const names[] = {
        "unknown",       "passed",        "failed_assertion", "wrong_answer", "compile_error",
        "runtime_error", "timeout",       "memory_limit",     "output_limit", "security_violation",
        "no_code",       "unparsed",      "overflow",         "too_long",     "error",
        "inconclusive",  "sandbox_error", "unscored"};
    return v >= VERDICT_PASSED && v <= VERDICT_UNSCORED ? names[v] : names[0];
}

/* ---- completions ---- */

static void put_completion_result(struct px_buf *out, const struct completion *c)
{
    px_buf_u8(out, (uint8_t)c->finish);
    px_buf_blob(out, c->text, c->n_text);
    codec_put_u32s(out, c->tokens, c->n_tokens);
    px_buf_u32(out, c->n_choices);
    for (uint32_t i = 0; i < c->n_choices; i++) {
        const struct choice_score *s = &c->choices[i];
        px_buf_f64(out, s->logprob);
        px_buf_u8(out, s->greedy);
        px_buf_u32(out, s->n_tokens);
        px_buf_u32(out, s->n_bytes);
        px_buf_u32(out, s->n_chars);
    }
    px_buf_u32(out, c->n_prompt);
    px_buf_u32(out, c->decode_steps);
    px_buf_u32(out, c->refresh_steps);
    px_buf_u64(out, c->reused_layer_steps);
    px_buf_u8(out, (uint8_t)c->think);
    px_buf_u32(out, c->n_think_tokens);
    px_buf_u32(out, c->answer_at);
    px_buf_cstr(out, c->error);
}

static void put_completion_observed(struct px_buf *out, const struct completion *c)
{
    px_buf_cstr(out, c->host);
    px_buf_cstr(out, c->worker);
    px_buf_cstr(out, c->backend);
    px_buf_cstr(out, c->isa);
    px_buf_cstr(out, c->build);
    px_buf_f64(out, c->prefill_s);
    px_buf_f64(out, c->decode_s);
    px_buf_f64(out, c->queue_s);
    px_buf_u32(out, c->attempts);
    px_buf_u32(out, c->batch);
    px_buf_u32(out, c->n_prompt_computed);
    px_buf_u64(out, c->rss_bytes);
    px_buf_i64(out, c->wall_us);
}

void completion_encode(const struct completion *c, struct px_buf *out)
{
    px_buf_u8(out, COMPLETION_TAG);
    px_buf_u8(out, LAYOUT);
    size_t at = codec_begin(out);
    put_completion_result(out, c);
    codec_end(out, at);
    at = codec_begin(out);
    put_completion_observed(out, c);
    codec_end(out, at);
}

static void get_choice_scores(struct px_reader *r, struct completion *c)
{
    uint32_t n = codec_get_count(r, 21);
    if (n == 0)
        return;
    c->choices = px_xcalloc(n, sizeof *c->choices);
    c->n_choices = n;
    for (uint32_t i = 0; i < n; i++) {
        struct choice_score *s = &c->choices[i];
        s->logprob = px_get_f64(r);
        s->greedy = codec_get_bool(r);
        s->n_tokens = px_get_u32(r);
        s->n_bytes = px_get_u32(r);
        s->n_chars = px_get_u32(r);
    }
}

static void get_completion_result(struct px_reader *r, struct completion *c)
{
    c->finish = (enum finish)codec_get_enum(r, FINISH_EOS, FINISH_SCORED);
    c->text = codec_get_bytes(r, &c->n_text);
    c->tokens = codec_get_u32s(r, &c->n_tokens);
    get_choice_scores(r, c);
    c->n_prompt = px_get_u32(r);
    c->decode_steps = px_get_u32(r);
    c->refresh_steps = px_get_u32(r);
    c->reused_layer_steps = px_get_u64(r);
    c->think = (enum think_state)codec_get_enum(r, THINK_NONE, THINK_UNCLOSED);
    c->n_think_tokens = px_get_u32(r);
    c->answer_at = px_get_u32(r);
    c->error = codec_get_text(r);
}

static void get_completion_observed(struct px_reader *r, struct completion *c)
{
    c->host = codec_get_text(r);
    c->worker = codec_get_text(r);
    c->backend = codec_get_text(r);
    c->isa = codec_get_text(r);
    c->build = codec_get_text(r);
    c->prefill_s = px_get_f64(r);
    c->decode_s = px_get_f64(r);
    c->queue_s = px_get_f64(r);
    c->attempts = px_get_u32(r);
    c->batch = px_get_u32(r);
    c->n_prompt_computed = px_get_u32(r);
    c->rss_bytes = px_get_u64(r);
    c->wall_us = px_get_i64(r);
}

/* Splits a record of the given tag into its two sections. */
static int sections(const void *p, size_t n, uint8_t tag, const char *what,
                    struct px_reader *result, struct px_reader *observed, struct px_err *err)
{
    struct px_reader r;
    px_reader_init(&r, p, n);
    if (n > UNIT_LIMIT || px_get_u8(&r) != tag || px_get_u8(&r) != LAYOUT)
        return px_fail(err, PX_EINPUT, "these %zu bytes are not a %s of layout %d", n, what,
                       LAYOUT);
    *result = codec_section(&r);
    *observed = codec_section(&r);
    if (!px_reader_end(&r))
        return px_fail(err, PX_EINPUT, "a %s of %zu bytes is malformed", what, n);
    return 0;
}

int completion_decode(const void *p, size_t n, struct completion *out, struct px_err *err)
{
    struct px_reader result, observed;
    struct completion c = {0};
    if (sections(p, n, COMPLETION_TAG, "completion", &result, &observed, err) != 0)
        return -1;
    get_completion_result(&result, &c);
    get_completion_observed(&observed, &c);
    if (!px_reader_end(&result) || !px_reader_end(&observed) || c.answer_at > c.n_text) {
        completion_clear(&c);
        return px_fail(err, PX_EINPUT, "a completion of %zu bytes is malformed", n);
    }
    *out = c;
    return 0;
}

void completion_clear(struct completion *c)
{
    free(c->text);
    free(c->tokens);
    free(c->choices);
    free(c->error);
    free(c->host);
    free(c->worker);
    free(c->backend);
    free(c->isa);
    free(c->build);
    memset(c, 0, sizeof *c);
}

static int result_digest(const void *p, size_t n, uint8_t tag, const char *what,
                         struct px_digest *out, struct px_err *err)
{
    struct px_reader result, observed;
    if (sections(p, n, tag, what, &result, &observed, err) != 0)
        return -1;
    *out = px_sha256(result.p, px_reader_left(&result));
    return 0;
}

int completion_result_digest(const void *p, size_t n, struct px_digest *out, struct px_err *err)
{
    return result_digest(p, n, COMPLETION_TAG, "completion", out, err);
}

/* ---- verdicts ---- */

static void put_verdict_result(struct px_buf *out, const struct verdict *v)
{
    px_buf_u8(out, (uint8_t)v->class);
    px_buf_blob(out, v->extracted, v->n_extracted);
    px_buf_cstr(out, v->rule);
    px_buf_u32(out, v->n_metrics);
    for (uint32_t i = 0; i < v->n_metrics; i++) {
        px_buf_cstr(out, v->metrics[i].name);
        px_buf_f64(out, v->metrics[i].value);
    }
    px_buf_cstr(out, v->exception);
    px_buf_u32(out, (uint32_t)v->signal);
    px_buf_cstr(out, v->assurance);
    px_buf_cstr(out, v->visible);
    px_buf_u32(out, v->accidents);
}

static void put_verdict_observed(struct px_buf *out, const struct verdict *v)
{
    px_buf_cstr(out, v->detail);
    px_buf_f64(out, v->cpu_s);
    px_buf_f64(out, v->wall_s);
    px_buf_f64(out, v->runqueue_s);
    px_buf_u64(out, v->rss_bytes);
    px_buf_u64(out, v->output_bytes);
    px_buf_cstr(out, v->stderr_tail);
    px_buf_cstr(out, v->jail);
    px_buf_cstr(out, v->host);
    px_buf_u32(out, v->attempts);
    px_buf_i64(out, v->wall_us);
}

void verdict_encode(const struct verdict *v, struct px_buf *out)
{
    px_buf_u8(out, VERDICT_TAG);
    px_buf_u8(out, LAYOUT);
    size_t at = codec_begin(out);
    put_verdict_result(out, v);
    codec_end(out, at);
    at = codec_begin(out);
    put_verdict_observed(out, v);
    codec_end(out, at);
}

static void get_metrics(struct px_reader *r, struct verdict *v)
{
    uint32_t n = codec_get_count(r, 12);
    if (n == 0)
        return;
    v->metrics = px_xcalloc(n, sizeof *v->metrics);
    v->n_metrics = n;
    for (uint32_t i = 0; i < n && px_reader_ok(r); i++) {
        v->metrics[i].name = codec_get_text(r);
        v->metrics[i].value = px_get_f64(r);
    }
}

static void get_verdict_result(struct px_reader *r, struct verdict *v)
{
    v->class = (enum verdict_class)codec_get_enum(r, VERDICT_PASSED, VERDICT_UNSCORED);
    v->extracted = codec_get_bytes(r, &v->n_extracted);
    v->rule = codec_get_text(r);
    get_metrics(r, v);
    v->exception = codec_get_text(r);
    v->signal = (int32_t)px_get_u32(r);
    v->assurance = codec_get_text(r);
    v->visible = codec_get_text(r);
    v->accidents = px_get_u32(r);
}

static void get_verdict_observed(struct px_reader *r, struct verdict *v)
{
    v->detail = codec_get_text(r);
    v->cpu_s = px_get_f64(r);
    v->wall_s = px_get_f64(r);
    v->runqueue_s = px_get_f64(r);
    v->rss_bytes = px_get_u64(r);
    v->output_bytes = px_get_u64(r);
    v->stderr_tail = codec_get_text(r);
    v->jail = codec_get_text(r);
    v->host = codec_get_text(r);
    v->attempts = px_get_u32(r);
    v->wall_us = px_get_i64(r);
}

int verdict_decode(const void *p, size_t n, struct verdict *out, struct px_err *err)
{
    struct px_reader result, observed;
    struct verdict v = {0};
    if (sections(p, n, VERDICT_TAG, "verdict", &result, &observed, err) != 0)
        return -1;
    get_verdict_result(&result, &v);
    get_verdict_observed(&observed, &v);
    if (!px_reader_end(&result) || !px_reader_end(&observed)) {
        verdict_clear(&v);
        return px_fail(err, PX_EINPUT, "a verdict of %zu bytes is malformed", n);
    }
    *out = v;
    return 0;
}

void verdict_clear(struct verdict *v)
{
    free(v->extracted);
    free(v->rule);
    for (uint32_t i = 0; i < v->n_metrics; i++)
        free(v->metrics[i].name);
    free(v->metrics);
    free(v->exception);
    free(v->assurance);
    free(v->visible);
    free(v->detail);
    free(v->stderr_tail);
    free(v->jail);
    free(v->host);
    memset(v, 0, sizeof *v);
}

int verdict_result_digest(const void *p, size_t n, struct px_digest *out, struct px_err *err)
{
    return result_digest(p, n, VERDICT_TAG, "verdict", out, err);
}

void verdict_add_metric(struct verdict *v, const char *name, double value)
{
    v->metrics = px_xrealloc(v->metrics, (v->n_metrics + 1) * sizeof *v->metrics);
    v->metrics[v->n_metrics].name = px_xstrdup(name);
    v->metrics[v->n_metrics].value = value;
    v->n_metrics++;
}

double verdict_metric(const struct verdict *v, const char *name, double def)
{
    for (uint32_t i = 0; i < v->n_metrics; i++)
        if (strcmp(v->metrics[i].name, name) == 0)
            return v->metrics[i].value;
    return def;
}
