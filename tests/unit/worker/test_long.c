/* test_long.c - prompts of 8,000 tokens, stretched rotation, windows and eight-bit keys and values:
 * the same bits however they are computed. */
#define TINY_LAYERS 2
#include <math.h>

#include "engine_fixture.h"

enum { CONTEXT = 12288, LONG = 8200, SHARED = 8000, SHORT = 150 };

/* YaRN by four from 2,048 positions; of two layers the first sees 100 positions. */
static const struct tiny_extra yarn[] = {{"rope.scaling.type", 8, 0, "yarn"},
                                         {"rope.scaling.factor", 6, 4, NULL},
                                         {"rope.scaling.original_context_length", 4, 2048, NULL},
                                         {.name = NULL}};
static const struct tiny_extra window[] = {{"attention.sliding_window", 4, 100, NULL},
                                           {"attention.sliding_window_pattern", 9, 0, "10"},
                                           {.name = NULL}};
static const struct tiny_extra narrow[] = {{"attention.sliding_window", 4, 20, NULL},
                                           {.name = NULL}};

static struct tiny_model *model(const char *arch, const struct tiny_extra *extra)
{
    return tiny_model_with(
        arch, GGML_Q8_0, &(struct tiny_change){.context = CONTEXT, .head_dim = 32, .extra = extra});
}

static struct completion finish(struct engine *e, const struct job *job, const struct unit *u)
{
    struct px_err err = {0};
    struct completion c;
    uint64_t ticket;
    if (engine_submit(e, job, u, 1, &err))
        fail_msg("%s", err.text);
    while (!engine_take(e, &ticket, &c))
        engine_step(e);
    return c;
}

static struct engine *open_engine(const struct fixture *f, uint32_t batch, uint32_t threads,
                                  bool no_cache)
{
    struct px_err err = {0};
    struct engine_config cfg = {.threads = threads,
                                .kv = f->job.kv,
                                .memory_budget = 96 << 20,
                                .max_rows = 2,
                                .max_batch = batch,
                                .no_prefix_cache = no_cache};
    struct engine *e = engine_new(f->t->m, f->tok, &cfg, &err);
    if (e == NULL)
        fail_msg("%s", err.text);
    return e;
}

/* Two units over one head of 8,000 tokens: the second computed alone in chunks of 512, and in
 * chunks of 77 behind the first one's head. */
static void check_long(struct tiny_model *t, enum kv_type kv)
{
    struct fixture f;
    struct completion alone, other, behind;
    setup_with(&f, t);
    f.job.kv = kv;
    f.job.max_tokens = 6;
    struct unit units[2] = {f.units[0], f.units[1]};
    for (uint32_t i = 0; i < 2; i++) {
        units[i].n_prompt = LONG;
        units[i].prompt = ids(LONG, 3);
        for (uint32_t j = SHARED; j < LONG; j++)
            units[i].prompt[j] = 3 + (j * 7 + i * 5) % (TINY_VOCAB - 3);
    }
    struct engine *e = open_engine(&f, 512, 2, true);
    alone = finish(e, &f.job, &units[1]);
    engine_free(&e);
    e = open_engine(&f, 77, 1, false);
    other = finish(e, &f.job, &units[0]);
    behind = finish(e, &f.job, &units[1]);
    engine_free(&e);
    assert_int_equal(alone.n_prompt_computed, LONG);
    assert_in_range(behind.n_prompt_computed, LONG - SHARED, LONG - SHARED + 32);
    assert_true(alone.n_tokens > 0);
    assert_same_results(&alone, &behind, 1);
    completion_clear(&alone);
    completion_clear(&other);
    completion_clear(&behind);
    free(units[0].prompt);
    free(units[1].prompt);
    teardown(&f);
}

static void eight_thousand_tokens_with_yarn(void **state)
{
    (void)state;
    check_long(model("qwen2", yarn), KV_F16);
}

static void eight_thousand_tokens_with_a_window_and_bytes(void **state)
{
    (void)state;
    check_long(model("qwen3", window), KV_Q8_0);
}

static void store(void *ctx, uint32_t pos, const float *logits)
{
    memcpy((float *)ctx + (size_t)pos * TINY_VOCAB, logits, TINY_VOCAB * sizeof *logits);
}

/* The logits after each token of a prompt of SHORT tokens, whose first `changed` are others. */
static float *logits_of(const struct model *m, const char *isa, uint32_t threads, enum kv_type kv,
                        uint32_t chunk, uint32_t changed)
{
    struct px_err err = {0};
    struct eval_config cfg = {
        .isa = isa, .threads = threads, .kv = kv, .max_tokens = SHORT, .chunk = chunk};
    struct eval *e = eval_new(m, &cfg, &err);
    if (e == NULL)
        fail_msg("%s", err.text);
    float *out = px_xcalloc((size_t)SHORT * TINY_VOCAB, sizeof *out);
    uint32_t *tokens = ids(SHORT, 1);
    for (uint32_t i = 0; i < changed; i++)
        tokens[i] = 3 + i % 50;
    assert_non_null(eval_tokens(e, tokens, SHORT, store, out, &err));
    eval_free(&e);
    free(tokens);
    assert_true(sample_finite(out, SHORT * TINY_VOCAB));
    return out;
}

static bool is_same(const float *a, const float *b, uint32_t from, uint32_t to)
{
    return memcmp(a + (size_t)from * TINY_VOCAB, b + (size_t)from * TINY_VOCAB,
                  (size_t)(to - from) * TINY_VOCAB * sizeof *a) == 0;
}

static void instruction_sets_and_chunks_do_not_show(void **state)
{
    static const struct tiny_extra *const kinds[] = {yarn, window, narrow};
    (void)state;
    for (size_t i = 0; i < 3; i++)
        for (enum kv_type kv = KV_F16; kv <= KV_Q8_0; kv++) {
            struct tiny_model *t = model(i == 2 ? "llama" : "qwen3", kinds[i]);
            float *want = logits_of(t->m, "scalar", 1, kv, SHORT, 0);
            for (unsigned j = 0; kernels_at(j); j++) {
                float *got = logits_of(t->m, kernels_at(j)->isa, 1 + j % 2, kv, 7 + 40 * j, 0);
                assert_true(is_same(want, got, 0, SHORT));
                free(got);
            }
            free(want);
            tiny_model_free(t);
        }
}

/* Two layers that see 20 positions each: nothing reaches further than 38 back. */
static void what_lies_before_the_windows_has_no_effect(void **state)
{
    (void)state;
    enum { REACH = 2 * 19 };
    struct tiny_model *t = model("llama", narrow), *plain = model("llama", NULL);
    float *a = logits_of(t->m, NULL, 1, KV_Q8_0, 64, 0);
    float *b = logits_of(t->m, NULL, 1, KV_Q8_0, 64, 50);
    float *c = logits_of(plain->m, NULL, 1, KV_Q8_0, 64, 0);
    assert_false(is_same(a, b, 49 + REACH, 50 + REACH));
    assert_true(is_same(a, b, 50 + REACH, SHORT));
    assert_true(is_same(a, c, 0, 20)); /* the window is not full yet */
    assert_false(is_same(a, c, 20, 21));
    free(a);
    free(b);
    free(c);
    tiny_model_free(t);
    tiny_model_free(plain);
}

static void eight_bits_are_near_sixteen(void **state)
{
    (void)state;
    double worst = 0, largest = 0;
    struct tiny_model *t = model("qwen2", yarn);
    float *a = logits_of(t->m, NULL, 1, KV_F16, 64, 0);
    float *b = logits_of(t->m, NULL, 1, KV_Q8_0, 64, 0);
    for (size_t i = 0; i < (size_t)SHORT * TINY_VOCAB; i++) {
        worst = fmax(worst, fabs((double)a[i] - (double)b[i]));
        largest = fmax(largest, fabs((double)a[i]));
    }
    assert_true(worst > 0 && worst < largest / 20);
    free(a);
    free(b);
    tiny_model_free(t);
}

static void heads_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    struct px_err err = {0};
    struct tiny_model *t = tiny_model_new("llama", GGML_Q8_0);
    struct engine_config cfg = {.threads = 1, .kv = KV_Q8_0, .memory_budget = BUDGET};
    assert_null(engine_new(t->m, NULL, &cfg, &err));
    assert_non_null(strstr(err.text, "heads have 16 dimensions"));
    tiny_model_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eight_thousand_tokens_with_yarn),
        cmocka_unit_test(eight_thousand_tokens_with_a_window_and_bytes),
        cmocka_unit_test(instruction_sets_and_chunks_do_not_show),
        cmocka_unit_test(what_lies_before_the_windows_has_no_effect),
        cmocka_unit_test(eight_bits_are_near_sixteen),
        cmocka_unit_test(heads_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
