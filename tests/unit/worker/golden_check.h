/* golden_check.h - holds one model file to its golden values.
 *
 * The rule: F32 files with F32 keys and values: every last logit within 2e-4 of the exact one.
 * Others: over all prompts the root mean square of the last-logit rms error is at most 1.5 times
 * llama.cpp's own, no single prompt above 3 times. Greedy continuations are compared up to the
 * first margin below twice the largest error; log-probabilities by the same factors. Over all files
 * of a program, the divergence (KL) from the exact distribution is not larger than llama.cpp's own,
 * and the best token agrees with the exact one at least as often (golden_totals_check). */
#ifndef TESTS_WORKER_GOLDEN_CHECK_H
#define TESTS_WORKER_GOLDEN_CHECK_H

#include <math.h>

#include "reference.h"
#include "worker/engine/engine.h"
#include "worker/engine/eval.h"
#include "worker/engine/sample.h"

#define F32_TOLERANCE 2e-4
#define LONGEST_WHEN_SLOW 64u /* prompts beyond are left out under sanitizers */

struct golden_stats {
    double ours, llama; /* sums of squared rms errors */
    double worst_ratio, max_abs, max_kl, llama_kl;
    double next_ours, next_llama; /* largest errors of log-probabilities of the prompts' tokens */
    double kl, llama_kl_sum;      /* over prompts with all logits */
    uint32_t n_agree, n_llama_agree, n_positions;
    uint32_t n_prompts, n_greedy;
};

/* Of the quantised files that this program checked. */
static struct golden_stats golden_total;

struct golden_next {
    const struct golden_prompt *p;
    uint32_t n_vocab;
    double sum, max_err;
    uint32_t n_agree;
};

static inline void golden_next_each(void *ctx, uint32_t pos, const float *logits)
{
    struct golden_next *x = ctx;
    x->n_agree += sample_argmax(kernels_at(0), logits, x->n_vocab) == x->p->argmax[pos];
    if (pos + 1 >= x->p->n_tokens)
        return;
    double lp = (double)logits[x->p->tokens[pos + 1]] -
                sample_log_sum_exp(kernels_at(0), logits, x->n_vocab);
    x->sum += lp;
    x->max_err = fmax(x->max_err, fabs(lp - x->p->next_logprob[pos]));
}

static inline double golden_kl(const float *exact, const float *ours, uint32_t n)
{
    double a = sample_log_sum_exp(kernels_at(0), exact, n),
           b = sample_log_sum_exp(kernels_at(0), ours, n), kl = 0;
    for (uint32_t i = 0; i < n; i++) {
        double la = (double)exact[i] - a, lb = (double)ours[i] - b;
        kl += exp(la) * (la - lb);
    }
    return kl;
}

/* Last logits and log-probabilities of one prompt. */
static inline void golden_prompt_check(struct eval *e, const struct golden *g, uint32_t i,
                                       bool is_f32, struct golden_stats *s)
{
    struct px_err err = {0};
    const struct golden_prompt *p = &g->p[i];
    struct golden_next next = {.p = p, .n_vocab = g->n_vocab};
    eval_reset(e);
    const float *l = eval_tokens(e, p->tokens, p->n_tokens, golden_next_each, &next, &err);
    if (l == NULL)
        fail_msg("prompt %u: %s", i, err.text);
    double squares = 0, max = 0;
    uint32_t n = p->last ? g->n_vocab : 20;
    for (uint32_t j = 0; j < n; j++) {
        double d = p->last ? fabs((double)l[j] - (double)p->last[j])
                           : fabs((double)l[p->top_id[j]] - p->top_logit[j]);
        squares += d * d;
        max = fmax(max, d);
    }
    double rms = sqrt(squares / n);
    if (is_f32 && max > F32_TOLERANCE)
        fail_msg("prompt %u: a logit is off by %g", i, max);
    if (!is_f32 && rms > 3 * p->llama_rms)
        fail_msg("prompt %u: rms error %g, llama.cpp's %g", i, rms, p->llama_rms);
    if (is_f32 && next.max_err > F32_TOLERANCE)
        fail_msg("prompt %u: a log-probability is off by %g", i, next.max_err);
    s->ours += rms * rms;
    s->llama += p->llama_rms * p->llama_rms;
    s->worst_ratio = fmax(s->worst_ratio, p->llama_rms > 0 ? rms / p->llama_rms : 0);
    s->max_abs = fmax(s->max_abs, max);
    if (p->last) {
        double kl = golden_kl(p->last, l, g->n_vocab);
        s->max_kl = fmax(s->max_kl, kl);
        s->kl += kl;
        s->llama_kl_sum += p->llama_kl;
    }
    s->n_agree += next.n_agree;
    s->n_llama_agree += p->llama_agree;
    s->n_positions += p->n_tokens;
    s->llama_kl = fmax(s->llama_kl, p->llama_kl);
    s->next_ours = fmax(s->next_ours, next.max_err);
    s->next_llama = fmax(s->next_llama, p->llama_next_max);
    s->n_prompts++;
}

/* A token that the golden continuation never has, to be the stop token. */
static inline uint32_t golden_unused(const struct golden *g, const struct golden_prompt *p)
{
    for (uint32_t id = g->n_vocab - 1;; id--) {
        bool is_used = false;
        for (uint32_t i = 0; i < p->n_greedy; i++)
            is_used = is_used || p->greedy[i] == id;
        if (!is_used)
            return id;
    }
}

static inline void golden_greedy_compare(const struct golden_prompt *p, const struct completion *c,
                                         double max_err, struct golden_stats *s)
{
    uint32_t n = p->n_greedy;
    if (c->finish == FINISH_TOO_LONG)
        return; /* the golden values went beyond the context that the file states */
    if (c->finish == FINISH_OVERFLOW)
        n = c->n_tokens;
    for (uint32_t i = 0; i < n && p->greedy_margin[i] >= 2 * max_err; i++) {
        if (i >= c->n_tokens || c->tokens[i] != p->greedy[i])
            fail_msg("greedy step %u differs although its margin is %g, the largest error %g", i,
                     p->greedy_margin[i], max_err);
        s->n_greedy++;
    }
}

/* All prompts side by side in one engine: their greedy continuations. */
static inline void golden_engine_check(const struct model *m, const struct golden *g,
                                       struct golden_stats *s)
{
    struct px_err err = {0};
    struct engine_config cfg = {
        .threads = 2, .kv = KV_F32, .memory_budget = 256 << 20, .max_rows = 16};
    struct engine *e = engine_new(m, NULL, &cfg, &err);
    if (e == NULL)
        fail_msg("%s", err.text);
    struct job *jobs = px_xcalloc(g->n, sizeof *jobs);
    struct unit *units = px_xcalloc(g->n, sizeof *units);
    uint32_t *stops = px_xcalloc(g->n, sizeof *stops);
    uint32_t sent = 0, done = 0, wanted = 0;
    for (uint32_t i = 0; i < g->n; i++)
        wanted += !SLOW_BUILD || g->p[i].n_tokens <= LONGEST_WHEN_SLOW;
    for (uint32_t i = 0; done < wanted;) {
        while (i < g->n && engine_free_rows(e) > 0) {
            const struct golden_prompt *p = &g->p[i];
            stops[i] = golden_unused(g, p);
            jobs[i] = (struct job){.kind = UNIT_GENERATE,
                                   .max_tokens = p->n_greedy,
                                   .kv = KV_F32,
                                   .sampler.top_p = 1,
                                   .stop_tokens = &stops[i],
                                   .n_stop_tokens = 1};
            units[i] = (struct unit){.prompt = p->tokens, .n_prompt = p->n_tokens};
            if (!SLOW_BUILD || p->n_tokens <= LONGEST_WHEN_SLOW) {
                if (engine_submit(e, &jobs[i], &units[i], i, &err))
                    fail_msg("%s", err.text);
                sent++;
            }
            i++;
        }
        engine_step(e);
        uint64_t ticket;
        struct completion c;
        while (engine_take(e, &ticket, &c)) {
            golden_greedy_compare(&g->p[ticket], &c, s->max_abs, s);
            completion_clear(&c);
            done++;
        }
    }
    assert_int_equal(sent, wanted);
    free(jobs);
    free(units);
    free(stops);
    engine_free(&e);
}

static inline void golden_file_check(const char *path, const char *name, bool is_f32)
{
    struct px_err err = {0};
    struct golden *g = golden_read(name);
    struct model *m = model_open(path, &err);
    if (m == NULL)
        fail_msg("%s", err.text);
    assert_int_equal(m->cfg.n_vocab, g->n_vocab);
    struct eval_config cfg = {.threads = 2, .kv = KV_F32, .max_tokens = 1024};
    struct eval *e = eval_new(m, &cfg, &err);
    if (e == NULL)
        fail_msg("%s", err.text);
    struct golden_stats s = {0};
    for (uint32_t i = 0; i < g->n; i++)
        if (!SLOW_BUILD || g->p[i].n_tokens <= LONGEST_WHEN_SLOW)
            golden_prompt_check(e, g, i, is_f32, &s);
    assert_true(s.n_prompts > 0);
    if (!is_f32 && sqrt(s.ours) > 1.5 * sqrt(s.llama))
        fail_msg("%s: rms error over prompts is %.3f times llama.cpp's", name,
                 sqrt(s.ours / s.llama));
    if (!is_f32 && s.next_ours > 3 * s.next_llama)
        fail_msg("%s: log-probabilities off by up to %g, llama.cpp's by %g", name, s.next_ours,
                 s.next_llama);
    golden_engine_check(m, g, &s);
    printf("%-32s max %.2e  rms/llama %.3f (worst %.2f)  KL %.2e (llama %.2e)  next %.2e (%.2e)  "
           "greedy %u  best %u (%u) of %u\n",
           name, s.max_abs, s.llama > 0 ? sqrt(s.ours / s.llama) : 0, s.worst_ratio, s.max_kl,
           s.llama_kl, s.next_ours, s.next_llama, s.n_greedy, s.n_agree, s.n_llama_agree,
           s.n_positions);
    golden_total.kl += is_f32 ? 0 : s.kl;
    golden_total.llama_kl_sum += is_f32 ? 0 : s.llama_kl_sum;
    golden_total.n_agree += is_f32 ? 0 : s.n_agree;
    golden_total.n_llama_agree += is_f32 ? 0 : s.n_llama_agree;
    golden_total.n_positions += is_f32 ? 0 : s.n_positions;
    eval_free(&e);
    model_free(&m);
    golden_free(g);
}

/* A test of its own, the last of the program. */
static inline void golden_totals_check(void **state)
{
    const struct golden_stats *t = &golden_total;
    (void)state;
    if (t->n_positions == 0) {
        printf("SKIP reference data: no golden file was compared\n");
        skip();
    }
    printf("KL %.3e, llama.cpp's %.3e; best token exact %u, llama.cpp's %u of %u\n", t->kl,
           t->llama_kl_sum, t->n_agree, t->n_llama_agree, t->n_positions);
    assert_true(t->kl <= t->llama_kl_sum);
    assert_true(t->n_agree >= t->n_llama_agree);
}

#endif
