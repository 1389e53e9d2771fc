/* sample_json.c - see sample_json.h. */
#include "coordinator/report/sample_json.h"

#include <string.h>

#include "coordinator/report/collect.h"
#include "coordinator/report/emit.h"
#include "proto/accident.h"
#include "proto/json.h"

static void write_digest(struct emit *j, const char *key, const struct px_digest *d)
{
    char hex[PX_HEX_SIZE];
    px_digest_hex(d, hex);
    emit_text(j, key, hex);
}

/* Text that is not UTF-8 is shown with replacement characters and given again as hexadecimal. */
static void write_text(struct emit *j, const char *key, const char *hex_key, const char *s,
                       size_t n)
{
    emit_bytes(j, key, s, n);
    if (!s || px_utf8_valid(s, n))
        return;
    struct px_buf hex;
    px_buf_init(&hex, 2 * n + 1);
    for (size_t i = 0; i < n; i++)
        px_buf_printf(&hex, "%02x", (unsigned char)s[i]);
    emit_bytes(j, hex_key, (const char *)hex.data, hex.len);
    px_buf_clear(&hex);
}

static void write_completion(struct emit *j, const struct completion *c)
{
    emit_text(j, "finish", finish_name(c->finish));
    if (c->finish == FINISH_SCORED) {
        emit_begin(j, "choices", '[');
        for (uint32_t i = 0; i < c->n_choices; i++) {
            const struct choice_score *s = &c->choices[i];
            emit_begin(j, NULL, '{');
            emit_f64(j, "logprob", s->logprob);
            emit_bool(j, "greedy", s->greedy);
            emit_u64(j, "tokens", s->n_tokens);
            emit_u64(j, "bytes", s->n_bytes);
            emit_u64(j, "chars", s->n_chars);
            emit_end(j, '}');
        }
        emit_end(j, ']');
    } else {
        write_text(j, "text", "text_hex", c->text, c->n_text);
        emit_begin(j, "tokens", '[');
        for (uint32_t i = 0; i < c->n_tokens; i++)
            emit_u64(j, NULL, c->tokens[i]);
        emit_end(j, ']');
    }
    emit_u64(j, "prompt_tokens", c->n_prompt);
    emit_u64(j, "decode_steps", c->decode_steps);
    emit_u64(j, "refresh_steps", c->refresh_steps);
    emit_u64(j, "reused_layer_steps", c->reused_layer_steps);
    if (c->think != THINK_NONE) {
        emit_text(j, "thinking", c->think == THINK_CLOSED ? "closed" : "unclosed");
        emit_u64(j, "thinking_tokens", c->n_think_tokens);
        emit_u64(j, "answer_at", c->answer_at);
    }
    emit_text(j, "error", c->error);
}

static void write_accidents(struct emit *j, uint32_t bits)
{
    emit_begin(j, "accidents", '[');
    for (int i = 0; i < N_ACCIDENTS; i++)
        if (bits & accident_bit(i))
            emit_text(j, NULL, accident_name(i));
    emit_end(j, ']');
}

static void write_receipt(struct emit *j, const struct receipt *r)
{
    emit_begin(j, "receipt", '{');
    emit_text(j, "template", r->template);
    emit_bool(j, "bos", r->bos);
    emit_u64(j, "cut", r->n_cut);
    write_digest(j, "prompt_sha256", &r->text);
    if (r->tokens) {
        emit_begin(j, "prompt_token_ids", '[');
        for (uint32_t i = 0; i < r->n_prompt; i++)
            emit_u64(j, NULL, r->tokens[i]);
        emit_end(j, ']');
        emit_begin(j, "choice_token_ids", '[');
        for (uint32_t i = r->n_prompt; i < r->n_tokens; i++)
            emit_u64(j, NULL, r->tokens[i]);
        emit_end(j, ']');
    }
    emit_end(j, '}');
}

static void write_verdict(struct emit *j, const struct verdict *v)
{
    write_text(j, "extracted", "extracted_hex", v->extracted, v->n_extracted);
    emit_text(j, "rule", v->rule);
    emit_begin(j, "metrics", '{');
    for (uint32_t i = 0; i < v->n_metrics; i++)
        emit_f64(j, v->metrics[i].name, v->metrics[i].value);
    emit_end(j, '}');
    emit_text(j, "exception", v->exception);
    emit_u64(j, "signal", (uint64_t)(v->signal > 0 ? v->signal : 0));
    emit_text(j, "assurance", v->assurance);
    emit_text(j, "visible", v->visible);
}

static void write_result(struct emit *j, const struct sample *s)
{
    emit_begin(j, "result", '{');
    emit_text(j, "cell", s->cell->names[0]);
    emit_text(j, "model", s->cell->model);
    emit_text(j, "task", s->task->name);
    emit_text(j, "problem", s->unit->problem);
    emit_u64(j, "sample", s->unit->sample);
    emit_text(j, "verdict", sample_done(s) ? verdict_class_name(sample_class(s)) : "pending");
    emit_text(j, "outcome", outcome_name(outcome_of(s)));
    write_digest(j, "plan_key", &s->unit->plan_key);
    write_digest(j, "key", &s->content);
    if (s->has_completion)
        write_completion(j, &s->completion);
    if (s->has_verdict)
        write_verdict(j, &s->verdict);
    if (s->has_receipt)
        write_receipt(j, &s->receipt);
    write_accidents(j, s->accidents);
    emit_end(j, '}');
}

static void write_run(struct emit *j, const struct completion *c)
{
    emit_begin(j, "run", '{');
    emit_text(j, "host", c->host);
    emit_text(j, "worker", c->worker);
    emit_text(j, "backend", c->backend);
    emit_text(j, "isa", c->isa);
    emit_text(j, "build", c->build);
    emit_f64(j, "prefill_s", c->prefill_s);
    emit_f64(j, "decode_s", c->decode_s);
    emit_f64(j, "queue_s", c->queue_s);
    emit_u64(j, "attempts", c->attempts);
    emit_u64(j, "batch", c->batch);
    emit_u64(j, "prompt_tokens_computed", c->n_prompt_computed);
    emit_u64(j, "rss_bytes", c->rss_bytes);
    emit_u64(j, "wall_us", (uint64_t)c->wall_us);
    emit_end(j, '}');
}

/* JSON that others made (jail, evidence): repeated as such when it is valid, as text when not. */
static void write_foreign(struct emit *j, const char *key, const char *text)
{
    struct json_object *o = text ? px_json_parse(text, strlen(text), NULL) : NULL;
    if (o)
        emit_raw(j, key, json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
    else
        emit_text(j, key, text);
    json_object_put(o);
}

static void write_test(struct emit *j, const struct verdict *v)
{
    emit_begin(j, "test", '{');
    emit_text(j, "detail", v->detail);
    emit_f64(j, "cpu_s", v->cpu_s);
    emit_f64(j, "wall_s", v->wall_s);
    emit_f64(j, "runqueue_s", v->runqueue_s);
    emit_u64(j, "rss_bytes", v->rss_bytes);
    emit_u64(j, "output_bytes", v->output_bytes);
    emit_text(j, "stderr_tail", v->stderr_tail);
    write_foreign(j, "jail", v->jail);
    emit_text(j, "host", v->host);
    emit_u64(j, "attempts", v->attempts);
    emit_u64(j, "wall_us", (uint64_t)v->wall_us);
    emit_end(j, '}');
}

void sample_json(const struct sample *s, struct px_buf *out)
{
    struct emit j = {.b = out};
    emit_begin(&j, NULL, '{');
    write_result(&j, s);
    emit_begin(&j, "observed", '{');
    if (s->has_completion)
        write_run(&j, &s->completion);
    if (s->has_verdict)
        write_test(&j, &s->verdict);
    if (s->quarantine)
        write_foreign(&j, "quarantine", s->quarantine);
    emit_end(&j, '}');
    emit_end(&j, '}');
    px_buf_char(out, '\n');
}
