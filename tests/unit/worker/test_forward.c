/* test_forward.c - a row's bits do not depend on threads, chunks, batch-mates or instruction set.
 */
#include "tiny_model.h"

#include "worker/engine/eval.h"
#include "worker/engine/forward.h"
#include "worker/engine/sample.h"

enum { N = 70 };

static const struct {
    const char *arch;
    enum ggml_type type;
} models[] = {{"llama", GGML_Q8_0}, {"qwen2", GGML_Q4_0}, {"qwen3", GGML_F16}, {"qwen3", GGML_F32}};

static void prompt(uint32_t *tokens, uint32_t n, uint32_t salt)
{
    for (uint32_t i = 0; i < n; i++)
        tokens[i] = (i * 37 + salt * 11 + i * i) % TINY_VOCAB;
}

static void store(void *ctx, uint32_t pos, const float *logits)
{
    memcpy((float *)ctx + (size_t)pos * TINY_VOCAB, logits, TINY_VOCAB * sizeof *logits);
}

/* All logits of a prompt, computed in one way. */
static float *run(const struct model *m, const char *isa, uint32_t threads, enum kv_type kv,
                  uint32_t chunk)
{
    struct px_err err = {0};
    uint32_t tokens[N];
    struct eval_config cfg = {
        .isa = isa, .threads = threads, .kv = kv, .max_tokens = N, .chunk = chunk};
    struct eval *e = eval_new(m, &cfg, &err);
    if (e == NULL)
        fail_msg("%s", err.text);
    float *out = px_xcalloc((size_t)N * TINY_VOCAB, sizeof *out);
    prompt(tokens, N, 1);
    assert_non_null(eval_tokens(e, tokens, N, store, out, &err));
    eval_free(&e);
    assert_true(sample_finite(out, N * TINY_VOCAB));
    return out;
}

static void assert_same_bits(const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&a[i], &b[i], sizeof *a) != 0)
            fail_msg("value %zu: %a and %a", i, (double)a[i], (double)b[i]);
}

static void threads_and_chunks_do_not_show(void **state)
{
    static const uint32_t chunks[] = {1, 7, 32, 33, 64};
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        for (int kv = KV_F32; kv <= KV_F16; kv++) {
            struct tiny_model *t = tiny_model_new(models[i].arch, models[i].type);
            float *want = run(t->m, "scalar", 1, kv, N);
            for (size_t c = 0; c < sizeof chunks / sizeof *chunks; c++) {
                float *got = run(t->m, "scalar", 1 + (c & 1) * 2, kv, chunks[c]);
                assert_same_bits(want, got, (size_t)N * TINY_VOCAB);
                free(got);
            }
            free(want);
            tiny_model_free(t);
        }
}

static void instruction_sets_do_not_show(void **state)
{
    (void)state;
    assert_non_null(kernels_at(0));
    if (kernels_at(1) == NULL) {
        printf("SKIP instruction sets: this CPU has none beyond scalar\n");
        skip();
    }
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        struct tiny_model *t = tiny_model_new(models[i].arch, models[i].type);
        float *want = run(t->m, "scalar", 1, KV_F16, 32);
        for (unsigned j = 1; kernels_at(j); j++) {
            float *got = run(t->m, kernels_at(j)->isa, 2, KV_F16, 48);
            assert_same_bits(want, got, (size_t)N * TINY_VOCAB);
            free(got);
        }
        free(want);
        tiny_model_free(t);
    }
}

/* Two sequences interleaved in one batch give what each gives alone. */
static void batch_mates_do_not_show(void **state)
{
    struct px_err err = {0};
    struct tiny_model *t = tiny_model_new("qwen2", GGML_Q8_0);
    const struct kernels *kn = kernels_choose("auto", &err);
    struct threads *th = threads_new(2);
    struct kv_pool *kv = kv_pool_new(&t->m->cfg, KV_F16, 16, &err);
    struct forward *f = forward_new(t->m, kn, th, kv, 2 * N, 2, N, &err);
    uint32_t a[N], b[N];
    struct forward_row rows[2 * N];
    struct kv_seq sa, sb;
    float alone[2 * TINY_VOCAB];
    (void)state;
    assert_non_null(f);
    prompt(a, N, 1);
    prompt(b, N, 2);
    for (int both = 0; both < 2; both++) {
        kv_seq_init(&sa);
        kv_seq_init(&sb);
        assert_true(kv_seq_extend(kv, &sa, 0, N) && kv_seq_extend(kv, &sb, 0, N));
        for (uint32_t i = 0; i < 2 * N; i++) {
            bool is_b = both ? i % 2 : i >= N;
            uint32_t pos = both ? i / 2 : i % N;
            rows[i] = (struct forward_row){.seq = is_b ? &sb : &sa,
                                           .pos = pos,
                                           .token = is_b ? b[pos] : a[pos],
                                           .wants_logits = pos == N - 1};
        }
        if (both) {
            assert_same_bits(alone, forward_run(f, rows, 2 * N), 2 * TINY_VOCAB);
        } else {
            memcpy(alone, forward_run(f, rows, N), TINY_VOCAB * sizeof *alone);
            memcpy(alone + TINY_VOCAB, forward_run(f, rows + N, N), TINY_VOCAB * sizeof *alone);
        }
        kv_seq_clear(kv, &sa);
        kv_seq_clear(kv, &sb);
    }
    forward_free(&f);
    kv_pool_free(&kv);
    threads_free(&th);
    tiny_model_free(t);
}

/* A fork continues on shared pages exactly as the original would, and does not disturb it. */
static void forks_share_pages_without_a_trace(void **state)
{
    struct px_err err = {0};
    struct tiny_model *t = tiny_model_new("qwen3", GGML_F16);
    struct threads *th = threads_new(1);
    struct kv_pool *kv = kv_pool_new(&t->m->cfg, KV_F32, 12, &err);
    struct forward *f = forward_new(t->m, kernels_choose("auto", &err), th, kv, N, N, N + 1, &err);
    uint32_t a[N];
    struct forward_row rows[N];
    struct kv_seq s, child;
    (void)state;
    prompt(a, N, 3);
    kv_seq_init(&s);
    kv_seq_init(&child);
    assert_true(kv_seq_extend(kv, &s, 0, N));
    for (uint32_t i = 0; i < N; i++)
        rows[i] =
            (struct forward_row){.seq = &s, .pos = i, .token = a[i], .wants_logits = i == N - 1};
    float want[TINY_VOCAB];
    memcpy(want, forward_run(f, rows, N), sizeof want);
    uint32_t used = kv_pool_used(kv);
    kv_seq_fork(kv, &s, N - 1, &child);
    assert_int_equal(kv_pool_used(kv), used); /* nothing is copied yet */
    assert_true(kv_seq_extend(kv, &child, N - 1, N));
    assert_int_equal(kv_pool_used(kv), used + 1); /* only the partial page */
    rows[0] = (struct forward_row){.seq = &child, .pos = N - 1, .token = 5, .wants_logits = true};
    forward_run(f, rows, 1);
    rows[0].token = a[N - 1];
    assert_same_bits(want, forward_run(f, rows, 1), TINY_VOCAB);
    rows[0].seq = &s; /* the original's last position again: its past was not disturbed */
    assert_same_bits(want, forward_run(f, rows, 1), TINY_VOCAB);
    kv_seq_clear(kv, &child);
    kv_seq_clear(kv, &s);
    assert_int_equal(kv_pool_used(kv), 0);
    forward_free(&f);
    kv_pool_free(&kv);
    threads_free(&th);
    tiny_model_free(t);
}

/* Logits asked for a few at a time are those of all at once. */
static void logits_may_be_read_in_parts(void **state)
{
    struct px_err err = {0};
    struct tiny_model *t = tiny_model_new("llama", GGML_Q8_0);
    struct threads *th = threads_new(2);
    struct kv_pool *kv = kv_pool_new(&t->m->cfg, KV_F16, 12, &err);
    const struct kernels *kn = kernels_choose("auto", &err);
    struct forward *all = forward_new(t->m, kn, th, kv, N, N, N, &err);
    struct forward *few = forward_new(t->m, kn, th, kv, N, 3, N, &err);
    uint32_t a[N], n_wanted = 0;
    struct forward_row rows[N];
    struct kv_seq s;
    (void)state;
    prompt(a, N, 4);
    kv_seq_init(&s);
    assert_true(kv_seq_extend(kv, &s, 0, N));
    for (uint32_t i = 0; i < N; i++) {
        rows[i] = (struct forward_row){.seq = &s, .pos = i, .token = a[i], .wants_logits = i % 3};
        n_wanted += i % 3 != 0;
    }
    const float *want = forward_run(all, rows, N);
    assert_int_equal(forward_pass(few, rows, N), n_wanted);
    for (uint32_t i = 0; i < n_wanted; i += 3) {
        uint32_t n = n_wanted - i < 3 ? n_wanted - i : 3;
        assert_same_bits(want + (size_t)i * TINY_VOCAB, forward_logits(few, i, n), n * TINY_VOCAB);
    }
    kv_seq_clear(kv, &s);
    forward_free(&few);
    forward_free(&all);
    kv_pool_free(&kv);
    threads_free(&th);
    tiny_model_free(t);
}

static void token_outside_the_vocabulary_is_refused(void **state)
{
    struct px_err err = {0};
    struct tiny_model *t = tiny_model_new("llama", GGML_F32);
    struct eval_config cfg = {.max_tokens = 4};
    struct eval *e = eval_new(t->m, &cfg, &err);
    uint32_t bad[] = {1, TINY_VOCAB}, many[] = {1, 2, 3, 4, 5};
    (void)state;
    assert_null(eval_tokens(e, bad, 2, NULL, NULL, &err));
    assert_non_null(strstr(err.text, "outside the vocabulary"));
    assert_null(eval_tokens(e, many, 5, NULL, NULL, &err));
    assert_non_null(strstr(err.text, "do not fit"));
    assert_null(eval_tokens(e, many, 0, NULL, NULL, &err));
    assert_non_null(eval_tokens(e, many, 4, NULL, NULL, &err));
    eval_free(&e);
    tiny_model_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_and_chunks_do_not_show),
        cmocka_unit_test(instruction_sets_do_not_show),
        cmocka_unit_test(batch_mates_do_not_show),
        cmocka_unit_test(forks_share_pages_without_a_trace),
        cmocka_unit_test(logits_may_be_read_in_parts),
        cmocka_unit_test(token_outside_the_vocabulary_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
