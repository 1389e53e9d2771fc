/* fuzz_engine.c - a damaged model file that still opens: the engine runs it, or says why not.
 *
 * Weights of any bits (infinities and non-numbers too), odd shapes and contexts must end in a
 * completion or an error. */
#include <stdlib.h>
#include <string.h>

#define TINY_LAYERS 1
#include "tests/fuzz/fuzz.h"
#include "tests/unit/worker/tiny_gguf.h"
#include "worker/engine/engine.h"

enum { BUDGET = 16 << 20, STEPS_MAX = 10000 };

static void run(struct engine *e, const struct job *job, const struct unit *unit)
{
    struct completion c;
    uint64_t ticket;
    if (engine_submit(e, job, unit, 1, NULL))
        return;
    for (int i = 0; i < STEPS_MAX; i++) {
        if (engine_take(e, &ticket, &c)) {
            completion_clear(&c);
            return;
        }
        engine_step(e);
    }
    abort(); /* no progress */
}

static void run_units(const struct model *m, enum kv_type kv)
{
    uint32_t stop = 2, layers[] = {0}, prompt[40];
    struct engine_config cfg = {.threads = 1, .kv = kv, .memory_budget = BUDGET, .max_rows = 2};
    struct engine *e = engine_new(m, NULL, &cfg, NULL);
    if (e == NULL)
        return;
    for (uint32_t i = 0; i < 40; i++)
        prompt[i] = i * 3 % m->cfg.n_vocab;
    struct job job = {.kind = UNIT_GENERATE,
                      .max_tokens = 4,
                      .kv = kv,
                      .sampler = {.temperature = 1, .top_k = 9, .top_p = 0.9, .min_p = 0.01},
                      .stop_tokens = &stop,
                      .n_stop_tokens = 1,
                      .think = {.close = &stop, .n_close = 1, .budget = 2, .open_in_prompt = true},
                      .reuse = {2, layers, 1, REUSE_DELTA, REUSE_KV_COPY}};
    struct unit_choice choices[] = {{.tokens = prompt, .n_tokens = 1},
                                    {.tokens = prompt + 3, .n_tokens = 9, .n_skip = 4},
                                    {.tokens = prompt + 3, .n_tokens = 9, .n_skip = 2}};
    struct unit unit = {.prompt = prompt, .n_prompt = 35};
    run(e, &job, &unit);
    job.kind = UNIT_CHOICE;
    job.reuse.n_layers = 0;
    unit.choices = choices;
    unit.n_choices = 3;
    run(e, &job, &unit);
    unit.n_prompt = 0;
    unit.choices++;
    unit.n_choices = 2;
    run(e, &job, &unit);
    engine_free(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct gguf *g = gguf_from_memory(data, size, "fuzz", NULL);
    struct model *m = g ? model_from_gguf(g, NULL) : NULL;
    if (m)
        run_units(m, KV_F32 + data[size - 1] % 3);
    model_free(&m);
    return 0;
}

size_t fuzz_seed(unsigned i, uint8_t *out, size_t cap)
{
    static const char *const archs[] = {"llama", "qwen2", "qwen3"};
    struct px_buf b;
    if (i >= 3)
        return 0;
    px_buf_init(&b, cap);
    tiny_gguf(archs[i], i == 0 ? GGML_Q8_0 : GGML_Q4_0, &b);
    size_t n = b.overflow ? 0 : b.len;
    memcpy(out, b.data, n);
    px_buf_clear(&b);
    return n;
}
