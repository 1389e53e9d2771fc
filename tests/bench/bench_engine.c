/* bench_engine.c - prefill and decode speed of the engine, and how fast it starts.
 *
 *     bench_engine MODEL.gguf [f16|f32] [threads]
 *
 * Prefill: one prompt of 256 tokens. Decode: 32 tokens at batch 1 and 16 after short prompts. Each
 * figure is the median of several runs in this process. Start-up runs itself anew and takes the
 * time from exec to the first token. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/mem.h"
#include "proto/model/tokenizer.h"
#include "worker/engine/engine.h"

enum { PREFILL = 256, DECODE = 32, SHORT_PROMPT = 8, RUNS = 3, STARTS = 11, MAX_BATCH = 16 };

struct setting {
    const char *path;
    enum kv_type kv;
    uint32_t threads;
};

static void die(const char *what, const struct px_err *err)
{
    fprintf(stderr, "bench_engine: %s: %s\n", what, err->text);
    exit(2);
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(double *v, int n)
{
    qsort(v, (size_t)n, sizeof *v, by_value);
    return v[n / 2];
}

static struct engine *make_engine(const struct model *m, const struct tokenizer *tok,
                                  const struct setting *s, uint32_t rows)
{
    struct px_err err = {0};
    struct engine_config cfg = {.threads = s->threads,
                                .kv = s->kv,
                                .memory_budget = (int64_t)2 << 30,
                                .max_rows = rows,
                                .no_prefix_cache = true}; /* all rows have the same prompt */
    struct engine *e = engine_new(m, tok, &cfg, &err);
    if (e == NULL)
        die("engine", &err);
    return e;
}

/* Runs `batch` units of n_prompt tokens; returns tokens/s of the prefill or of the decode steps. */
static double run(const struct model *m, const struct tokenizer *tok, const struct setting *s,
                  uint32_t batch, uint32_t n_prompt, uint32_t max_tokens)
{
    struct px_err err = {0};
    uint32_t stop = 0, *prompt = px_xcalloc(n_prompt, sizeof *prompt), done = 0;
    uint64_t ticket, steps = 0;
    struct completion c;
    double prefill_s = 0, decode_s = 0;
    struct engine *e = make_engine(m, tok, s, batch);
    struct job job = {.kind = UNIT_GENERATE,
                      .max_tokens = max_tokens,
                      .kv = s->kv,
                      .sampler = {.temperature = 1, .top_p = 1},
                      .stop_tokens = &stop,
                      .n_stop_tokens = 1};
    struct unit units[MAX_BATCH];
    for (uint32_t i = 0; i < n_prompt; i++)
        prompt[i] = (i * 7919 + 13) % m->cfg.n_vocab;
    for (uint32_t i = 0; i < batch; i++) {
        units[i] = (struct unit){
            .problem = (char *)"bench", .sample = i, .prompt = prompt, .n_prompt = n_prompt};
        if (engine_submit(e, &job, &units[i], i, &err))
            die("submit", &err);
    }
    int64_t first = 0, start = clk_now_us();
    while (done < batch) {
        engine_step(e);
        if (first == 0 && engine_tokens(e) >= (uint64_t)batch * n_prompt)
            first = clk_now_us();
        while (engine_take(e, &ticket, &c)) {
            steps += c.decode_steps;
            completion_clear(&c);
            done++;
        }
    }
    prefill_s = (double)(first - start) * 1e-6;
    decode_s = (double)(clk_now_us() - first) * 1e-6;
    engine_free(&e);
    free(prompt);
    return max_tokens == 1 ? batch * n_prompt / prefill_s : (double)steps / decode_s;
}

static void report(const char *what, const struct model *m, const struct tokenizer *tok,
                   const struct setting *s, uint32_t batch, uint32_t n_prompt, uint32_t max_tokens)
{
    double v[RUNS];
    for (int i = 0; i < RUNS; i++)
        v[i] = run(m, tok, s, batch, n_prompt, max_tokens);
    printf("%-28s %10.1f tokens/s\n", what, median(v, RUNS));
}

/* The child's whole life up to its first token; says so on stdout, which the parent waits for. */
static int first_token(const struct setting *s)
{
    struct px_err err = {0};
    struct model *m = model_open(s->path, &err);
    struct tokenizer *tok = m ? tokenizer_new(m->gguf, &err) : NULL;
    if (tok == NULL)
        die(s->path, &err);
    run(m, tok, s, 1, SHORT_PROMPT, 1);
    return write(STDOUT_FILENO, "1", 1) == 1 ? 0 : 4;
}

static double start_once(const struct setting *s)
{
    int pipes[2], status;
    char byte, threads[16];
    if (pipe(pipes) != 0)
        return -1;
    snprintf(threads, sizeof threads, "%u", s->threads);
    int64_t start = clk_now_us();
    pid_t pid = fork();
    if (pid == 0) {
        dup2(pipes[1], STDOUT_FILENO);
        close(pipes[0]);
        execl("/proc/self/exe", "bench_engine", s->path, s->kv == KV_F16 ? "f16" : "f32", threads,
              "first-token", (char *)NULL);
        _exit(127);
    }
    close(pipes[1]);
    bool ok = read(pipes[0], &byte, 1) == 1;
    double ms = (double)(clk_now_us() - start) * 1e-3;
    close(pipes[0]);
    waitpid(pid, &status, 0);
    return ok ? ms : -1;
}

int main(int argc, char **argv)
{
    struct px_err err = {0};
    if (argc < 2) {
        fprintf(stderr, "usage: bench_engine MODEL.gguf [f16|f32] [threads]\n");
        return 2;
    }
    struct setting s = {.path = argv[1],
                        .kv = argc > 2 && strcmp(argv[2], "f32") == 0 ? KV_F32 : KV_F16,
                        .threads = argc > 3 ? (uint32_t)strtoul(argv[3], NULL, 10) : 2};
    if (argc > 4)
        return first_token(&s);
    setvbuf(stdout, NULL, _IOLBF, 0); /* big models take a while */
    struct model *m = model_open(s.path, &err);
    struct tokenizer *tok = m ? tokenizer_new(m->gguf, &err) : NULL;
    if (tok == NULL)
        die(s.path, &err);
    struct engine *e = make_engine(m, tok, &s, 1);
    printf("%s, kv %s, %u threads, %s\n", s.path, s.kv == KV_F16 ? "f16" : "f32", s.threads,
           engine_isa(e));
    engine_free(&e);
    report("prefill, 256 tokens", m, tok, &s, 1, PREFILL, 1);
    report("decode, batch 1", m, tok, &s, 1, SHORT_PROMPT, DECODE);
    report("decode, batch 16", m, tok, &s, MAX_BATCH, SHORT_PROMPT, DECODE);
    double ms[STARTS];
    for (int i = 0; i < STARTS; i++)
        ms[i] = start_once(&s);
    printf("%-28s %10.1f ms\n", "exec to first token", median(ms, STARTS));
    tokenizer_free(&tok);
    model_free(&m);
    return 0;
}
