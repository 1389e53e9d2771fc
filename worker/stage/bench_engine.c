/* bench_engine.c - prompts and decoding measured through the engine, as units that a run submits.
 *
 * Prompts are random token ids, new ones for every round, so that the engine's cache of heads
 * serves only what is meant to be shared. Decoding is measured alone: the prompts' pages are
 * computed by units of their own before, and the clock runs from the first pass, whose rows feed
 * one token each, to the last.
 *
 * Nothing is speculated, so that a pass is one token of every row.
 *
 * Generation must have a token that ends it. The one given here is the vocabulary's last; should
 * a row produce it, that round is thrown away and the token before it takes its place. */
#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/mem.h"
#include "worker/engine/kv.h"
#include "worker/stage/bench.h"

enum { STOP_TRIES = 64 };

struct bench_engine {
    const struct model *m;
    const struct bench_options *o;
    struct engine *e;
    uint32_t stop;       /* the token that ends a row, and none has produced yet */
    uint32_t stop_tries; /* tokens given up */
    uint64_t random;
    struct unit *units; /* [max rows] */
    uint32_t *tokens;   /* their prompts, one after another */
    uint32_t n_units;
    struct bench_times {
        double s[BENCH_ROUNDS], cpu_s[BENCH_ROUNDS];
    } times;
};

static uint32_t most_rows(const struct bench_options *o)
{
    uint32_t most = 1;
    for (uint32_t i = 0; i < o->rows.n && (o->do_shared || o->do_own); i++)
        most = o->rows.v[i] > most ? o->rows.v[i] : most;
    return most;
}

struct bench_engine *bench_engine_new(const struct model *m, const struct bench_options *o,
                                      struct px_err *err)
{
    uint32_t rows = most_rows(o);
    struct engine_config cfg = {.isa = o->isa,
                                .threads = o->threads,
                                .kv = o->kv,
                                .memory_budget = o->memory,
                                .max_rows = rows,
                                .no_speculation = true};
    struct engine *e = engine_new(m, NULL, &cfg, err);
    if (e == NULL)
        return NULL;
    if (engine_max_rows(e) < rows) {
        px_fail(err, PX_ELIMIT, "the memory holds %u rows, %u are asked for: raise --memory",
                engine_max_rows(e), rows);
        engine_free(&e);
        return NULL;
    }
    struct bench_engine *b = px_xcalloc(1, sizeof *b);
    *b = (struct bench_engine){.m = m, .o = o, .e = e, .stop = m->cfg.n_vocab - 1};
    b->units = px_xcalloc(rows, sizeof *b->units);
    return b;
}

void bench_engine_free(struct bench_engine **bp)
{
    struct bench_engine *b = *bp;
    if (b == NULL)
        return;
    engine_free(&b->e);
    free(b->units);
    free(b->tokens);
    free(b);
    *bp = NULL;
}

const char *bench_engine_isa(const struct bench_engine *b)
{
    return engine_isa(b->e);
}

/* ---- units ---- */

static uint32_t random_token(struct bench_engine *b)
{
    b->random += 0x9E3779B97F4A7C15u; /* splitmix64 */
    uint64_t z = b->random;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return (uint32_t)((z ^ z >> 31) % b->m->cfg.n_vocab);
}

/* n units of `each` tokens, the first `head` of them the same for all, with room for max_tokens. */
static int make_units(struct bench_engine *b, uint32_t n, uint32_t each, uint32_t head,
                      uint32_t max_tokens, struct px_err *err)
{
    uint32_t context = b->m->cfg.context_length;
    if (each > context || max_tokens > context - each)
        return px_fail(err, PX_EUSAGE,
                       "prompts of %u tokens and %u to generate are more than the model's context "
                       "of %u",
                       each, max_tokens, context);
    free(b->tokens);
    b->tokens = px_xcalloc(n, (size_t)each * sizeof *b->tokens);
    for (uint32_t i = 0; i < n; i++) {
        uint32_t *prompt = b->tokens + (size_t)i * each;
        memcpy(prompt, b->tokens, head * sizeof *prompt);
        for (uint32_t j = i ? head : 0; j < each; j++)
            prompt[j] = random_token(b);
        b->units[i] = (struct unit){.problem = (char *)(uintptr_t) "bench",
                                    .sample = i,
                                    .prompt = prompt,
                                    .n_prompt = each};
    }
    b->n_units = n;
    return 0;
}

/* ---- one run ---- */

struct outcome {
    double s, cpu_s;
    uint64_t n_tokens, n_computed;
    bool is_cut; /* a row ended before its time: do it again */
};

static int submit_all(struct bench_engine *b, const struct job *job, uint32_t n, uint32_t n_prompt,
                      struct px_err *err)
{
    for (uint32_t i = 0; i < n; i++) {
        b->units[i].n_prompt = n_prompt;
        if (engine_submit(b->e, job, &b->units[i], i, err)) {
            while (i-- > 0)
                engine_cancel(b->e, i);
            return -1;
        }
    }
    return 0;
}

static int take_all(struct bench_engine *b, struct outcome *out, struct px_err *err)
{
    struct completion c;
    uint64_t ticket;
    int rc = 0;
    while (engine_take(b->e, &ticket, &c)) {
        out->n_tokens += c.n_tokens;
        out->n_computed += c.n_prompt_computed;
        out->is_cut = out->is_cut || c.finish == FINISH_EOS;
        if (c.finish == FINISH_ERROR && rc == 0)
            rc = px_fail(err, PX_EINPUT, "%s", c.error);
        completion_clear(&c);
    }
    return rc;
}

/* Runs the first n units with prompts of n_prompt tokens to max_tokens each. */
static int run_units(struct bench_engine *b, uint32_t n, uint32_t n_prompt, uint32_t max_tokens,
                     struct outcome *out, struct px_err *err)
{
    struct job job = {.kind = UNIT_GENERATE,
                      .sampler = {.top_p = 1}, /* greedy */
                      .max_tokens = max_tokens,
                      .kv = b->o->kv,
                      .stop_tokens = &b->stop,
                      .n_stop_tokens = 1};
    *out = (struct outcome){0};
    if (submit_all(b, &job, n, n_prompt, err))
        return -1;
    int64_t start = clk_now_us(), cpu = clk_cpu_us();
    int rc = 0;
    while (rc == 0 && engine_active(b->e)) {
        engine_step(b->e);
        rc = take_all(b, out, err);
    }
    out->s = (double)(clk_now_us() - start) * 1e-6;
    out->cpu_s = (double)(clk_cpu_us() - cpu) * 1e-6;
    for (uint32_t i = 0; rc && i < n; i++)
        engine_cancel(b->e, i);
    if (out->is_cut)
        b->stop = b->stop > 0 ? b->stop - 1 : b->m->cfg.n_vocab - 1;
    if (rc == 0 && out->is_cut && ++b->stop_tries > STOP_TRIES)
        return px_fail(err, PX_EINPUT,
                       "%d tokens were tried to end generation with, rows produced each of them",
                       STOP_TRIES);
    return rc;
}

static void finish_figure(struct bench_engine *b, struct bench_figure *out)
{
    out->s = bench_median(b->times.s, b->o->rounds);
    out->cpu_s = bench_median(b->times.cpu_s, b->o->rounds);
}

static void keep_round(struct bench_engine *b, int64_t round, const struct outcome *r)
{
    if (round < 0)
        return; /* the first one warms up */
    b->times.s[round] = r->s;
    b->times.cpu_s[round] = r->cpu_s;
}

/* ---- measurements ---- */

int bench_prompt(struct bench_engine *b, uint32_t n, struct bench_figure *out, struct px_err *err)
{
    struct outcome r;
    *out = (struct bench_figure){.rows = 1, .tokens = n};
    out->work = bench_pass_work(b->m, b->o->kv, n, 1, 0);
    for (int64_t i = -1; i < b->o->rounds; i++) {
        if (make_units(b, 1, n, 0, 1, err) || run_units(b, 1, n, 1, &r, err))
            return -1;
        keep_round(b, i, &r); /* whichever the one token is, it comes last */
    }
    finish_figure(b, out);
    return 0;
}

/* What the rows stand on: their heads or own prompts, computed and left in the cache. */
static int compute_before(struct bench_engine *b, uint32_t rows, uint32_t head, uint32_t own,
                          struct px_err *err)
{
    struct outcome r;
    if (head + own == 0)
        return 0;
    if (head && run_units(b, 1, head, 1, &r, err))
        return -1;
    return own ? run_units(b, rows, head + own, 1, &r, err) : 0;
}

static struct bench_work decode_work(const struct bench_engine *b, uint32_t rows, uint32_t head,
                                     uint32_t own)
{
    struct bench_work sum = {0};
    for (uint32_t i = 0; i < b->o->tokens; i++) {
        uint64_t n_kv = head + (uint64_t)rows * (own + i);
        struct bench_work w = bench_pass_work(b->m, b->o->kv, rows, rows, n_kv);
        sum.bytes += w.bytes;
        sum.int8_ops += w.int8_ops;
        sum.f32_ops += w.f32_ops;
    }
    return sum;
}

int bench_decode(struct bench_engine *b, uint32_t rows, uint32_t head, uint32_t own,
                 struct bench_figure *out, struct px_err *err)
{
    struct outcome r;
    *out = (struct bench_figure){.rows = rows, .tokens = rows * b->o->tokens};
    out->work = decode_work(b, rows, head, own);
    for (int64_t i = -1; i < b->o->rounds;) {
        if (make_units(b, rows, head + own + 1, head, b->o->tokens, err) ||
            compute_before(b, rows, head, own, err) ||
            run_units(b, rows, head + own + 1, b->o->tokens, &r, err))
            return -1;
        if (r.is_cut)
            continue;
        if (r.n_computed > (uint64_t)rows * KV_PAGE)
            return px_fail(err, PX_ELIMIT,
                           "%u rows of %u tokens and %u to generate: the memory does not keep what "
                           "was computed before: raise --memory",
                           rows, head + own, b->o->tokens);
        keep_round(b, i++, &r);
    }
    finish_figure(b, out);
    return 0;
}
