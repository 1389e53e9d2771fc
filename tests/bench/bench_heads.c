/* bench_heads.c - what shared heads are worth: questions with the choices A to D behind few-shot
 * heads, as MMLU asks them, with and without the prefix cache.
 *
 *     bench_heads MODEL.gguf [heads questions head-tokens question-tokens [threads]]
 *
 * By default 4 heads of 224 tokens, 24 questions each of 224 tokens: what the shipped model's
 * context takes of MMLU with its 757 tokens of vocabulary. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/mem.h"
#include "worker/engine/engine.h"

enum { ROWS = 16, CHOICES = 4 };

struct shape {
    uint32_t heads, questions, head, question, threads;
};

static void die(const char *what, const struct px_err *err)
{
    fprintf(stderr, "bench_heads: %s: %s\n", what, err->text);
    exit(2);
}

static struct unit *make_units(const struct model *m, const struct shape *s, uint32_t n)
{
    static uint32_t letters[CHOICES] = {32, 33, 34, 35};
    static struct unit_choice choices[CHOICES];
    struct unit *units = px_xcalloc(n, sizeof *units);
    for (uint32_t i = 0; i < CHOICES; i++)
        choices[i] = (struct unit_choice){.tokens = &letters[i], .n_tokens = 1};
    for (uint32_t i = 0; i < n; i++) {
        uint32_t *prompt = px_xcalloc(s->head + s->question, sizeof *prompt);
        for (uint32_t j = 0; j < s->head + s->question; j++)
            prompt[j] =
                (j * 7919 + (j < s->head ? i / s->questions : i + 1) * 104729) % m->cfg.n_vocab;
        units[i] = (struct unit){.problem = (char *)"bench",
                                 .prompt = prompt,
                                 .n_prompt = s->head + s->question,
                                 .choices = choices,
                                 .n_choices = CHOICES};
    }
    return units;
}

static void run(const struct model *m, const struct shape *s, const struct unit *units, uint32_t n,
                bool no_cache)
{
    struct px_err err = {0};
    struct engine_config cfg = {.threads = s->threads,
                                .kv = KV_F16,
                                .memory_budget = (int64_t)1 << 30,
                                .max_rows = ROWS,
                                .no_prefix_cache = no_cache};
    struct job job = {.kind = UNIT_CHOICE, .kv = KV_F16};
    struct engine *e = engine_new(m, NULL, &cfg, &err);
    if (e == NULL)
        die("engine", &err);
    uint64_t ticket, prompt = 0, computed = 0;
    int64_t start = clk_now_us();
    for (uint32_t sent = 0, done = 0; done < n;) {
        struct completion c;
        for (; sent < n && engine_free_rows(e); sent++)
            if (engine_submit(e, &job, &units[sent], sent, &err))
                die("submit", &err);
        engine_step(e);
        while (engine_take(e, &ticket, &c)) {
            prompt += c.n_prompt;
            computed += c.n_prompt_computed;
            completion_clear(&c);
            done++;
        }
    }
    double seconds = (double)(clk_now_us() - start) * 1e-6;
    printf("%-8s %8.1f questions/s %10.0f prompt tokens/s  %5.1f %% of them computed\n",
           no_cache ? "without" : "shared", n / seconds, (double)prompt / seconds,
           100.0 * (double)computed / (double)prompt);
    engine_free(&e);
}

int main(int argc, char **argv)
{
    struct px_err err = {0};
    uint32_t v[] = {4, 24, 224, 224, 2};
    if (argc < 2 || (argc > 2 && argc < 6)) {
        fprintf(stderr, "usage: bench_heads MODEL.gguf [heads questions head-tokens "
                        "question-tokens [threads]]\n");
        return 2;
    }
    for (int i = 2; i < argc && i < 7; i++)
        v[i - 2] = (uint32_t)strtoul(argv[i], NULL, 10);
    struct shape s = {v[0], v[1], v[2], v[3], v[4] ? v[4] : 1};
    struct model *m = model_open(argv[1], &err);
    if (m == NULL)
        die(argv[1], &err);
    uint32_t n = s.heads * s.questions;
    struct unit *units = make_units(m, &s, n);
    printf("%u heads of %u tokens, %u questions of %u tokens each, %u threads\n", s.heads, s.head,
           s.questions, s.question, s.threads);
    run(m, &s, units, n, true);
    run(m, &s, units, n, false);
    for (uint32_t i = 0; i < n; i++)
        free(units[i].prompt);
    free(units);
    model_free(&m);
    return 0;
}
