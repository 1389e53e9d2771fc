/* test_engine.c - completions depend on nothing but what defines them; every way to finish. */
#include <math.h>

#include "engine_fixture.h"

/* One row at a time against every other way to batch the same units. */
static void compare_ways(struct fixture *f)
{
    static const struct {
        uint32_t rows, batch, threads;
        int64_t budget;
    } ways[] = {{16, 256, 1, BUDGET}, {16, 16, 2, BUDGET}, {5, 8, 1, 3 << 19}};
    struct completion want[UNITS], got[UNITS];
    struct engine *e = new_engine(f, 1, 64, 1, BUDGET);
    run_all(f, e, want);
    engine_free(&e);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        e = new_engine(f, ways[i].rows, ways[i].batch, ways[i].threads, ways[i].budget);
        run_all(f, e, got);
        assert_same_results(want, got, UNITS);
        clear_all(got);
        engine_free(&e);
    }
    clear_all(want);
}

static void generations_do_not_depend_on_batch_mates(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f, "qwen2", GGML_Q8_0);
    compare_ways(&f);
    f.job.sampler = (struct sampler_spec){.temperature = 1.3, .top_k = 20, .top_p = 0.9, .seed = 1};
    f.job.kv = KV_F32;
    compare_ways(&f);
    teardown(&f);
}

static void seeds_samples_and_problems_differ(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f, "llama", GGML_F16);
    f.job.sampler.temperature = 1.5;
    struct completion first = run_one(&f, &f.units[0]);
    struct unit u = f.units[0];
    u.sample = 7;
    struct completion other = run_one(&f, &u);
    struct px_digest a = digest_of(&first), b = digest_of(&other);
    assert_false(px_digest_eq(&a, &b));
    completion_clear(&other);
    f.job.sampler.seed = 6;
    other = run_one(&f, &f.units[0]);
    b = digest_of(&other);
    assert_false(px_digest_eq(&a, &b));
    completion_clear(&other);
    completion_clear(&first);
    teardown(&f);
}

/* ---- choices ---- */

static void choices_equal_their_separate_evaluation(void **state)
{
    struct fixture f;
    struct px_err err = {0};
    (void)state;
    setup(&f, "qwen3", GGML_Q4_0);
    f.job.kind = UNIT_CHOICE;
    add_choices(&f.units[1], 6, 3);
    struct completion c = run_one(&f, &f.units[1]);
    assert_int_equal(c.finish, FINISH_SCORED);
    assert_int_equal(c.n_choices, 6);
    struct eval_config cfg = {.kv = f.job.kv, .max_tokens = TINY_CONTEXT};
    struct eval *e = eval_new(f.t->m, &cfg, &err);
    for (uint32_t i = 0; i < 6; i++) {
        const struct unit_choice *ch = &f.units[1].choices[i];
        uint32_t all[TINY_CONTEXT], n = f.units[1].n_prompt;
        memcpy(all, f.units[1].prompt, n * sizeof *all);
        memcpy(all + n, ch->tokens, ch->n_tokens * sizeof *all);
        struct sum s = {.tokens = all, .from = n, .n = n + ch->n_tokens, .greedy = true};
        eval_reset(e);
        assert_non_null(eval_tokens(e, all, s.n, add_logprob, &s, &err));
        assert_memory_equal(&s.logprob, &c.choices[i].logprob, sizeof s.logprob);
        assert_int_equal(s.greedy, c.choices[i].greedy);
        assert_int_equal(c.choices[i].n_tokens, ch->n_tokens);
        assert_int_equal(c.choices[i].n_bytes, ch->n_bytes);
    }
    eval_free(&e);
    completion_clear(&c);
    teardown(&f);
}

static void choices_do_not_depend_on_batch_mates(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f, "qwen2", GGML_Q4_0);
    f.job.kind = UNIT_CHOICE;
    for (uint32_t i = 0; i < UNITS; i++)
        add_choices(&f.units[i], 1 + i, i);
    compare_ways(&f);
    teardown(&f);
}

/* ---- how units finish ---- */

static void a_stop_token_ends_the_text_before_it(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f, "qwen2", GGML_F32);
    struct completion free_run = run_one(&f, &f.units[0]);
    assert_int_equal(free_run.finish, FINISH_LENGTH);
    assert_int_equal(free_run.n_tokens, f.job.max_tokens);
    assert_int_equal(free_run.decode_steps, f.job.max_tokens - 1);
    assert_int_equal(free_run.refresh_steps, free_run.decode_steps);
    assert_int_equal(free_run.n_text, 2 * f.job.max_tokens);
    f.stop_tokens[1] = free_run.tokens[10];
    f.job.n_stop_tokens = 2;
    uint32_t at = 0;
    while (free_run.tokens[at] != f.stop_tokens[1])
        at++;
    struct completion c = run_one(&f, &f.units[0]);
    assert_int_equal(c.finish, FINISH_EOS);
    assert_int_equal(c.n_tokens, at + 1);
    assert_memory_equal(c.tokens, free_run.tokens, (at + 1) * sizeof *c.tokens);
    assert_int_equal(c.n_text, 2 * at);
    completion_clear(&c);
    completion_clear(&free_run);
    teardown(&f);
}

static void a_stop_string_may_span_tokens_and_the_earliest_wins(void **state)
{
    struct fixture f;
    char *stops[2];
    (void)state;
    setup(&f, "qwen2", GGML_F32);
    f.job.sampler.temperature = 2; /* varied text */
    struct completion free_run = run_one(&f, &f.units[0]);
    /* Second letter of one token, first of the next; and a longer one that ends in the same token
     * but begins earlier. */
    stops[0] = px_xstrndup(free_run.text + 21, 2);
    stops[1] = px_xstrndup(free_run.text + 17, 5);
    f.job.stops = stops;
    f.job.n_stops = 2;
    struct completion c = run_one(&f, &f.units[0]);
    assert_int_equal(c.finish, FINISH_STOP);
    assert_true(c.n_text <= 17);
    assert_memory_equal(c.text, free_run.text, c.n_text);
    assert_int_equal(c.text[c.n_text], '\0');
    assert_true(strncmp(free_run.text + c.n_text, stops[0], 2) == 0 ||
                strncmp(free_run.text + c.n_text, stops[1], 5) == 0);
    completion_clear(&c);
    completion_clear(&free_run);
    free(stops[0]);
    free(stops[1]);
    teardown(&f);
}

static void the_context_is_a_wall_that_is_named(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f, "llama", GGML_Q8_0);
    f.job.sampler.temperature = 0;
    f.job.context = f.units[2].n_prompt + 5;
    struct completion c = run_one(&f, &f.units[2]);
    assert_int_equal(c.finish, FINISH_OVERFLOW);
    assert_int_equal(c.n_tokens, 5);
    completion_clear(&c);
    f.job.context = f.units[2].n_prompt;
    c = run_one(&f, &f.units[2]);
    assert_int_equal(c.finish, FINISH_OVERFLOW);
    assert_int_equal(c.n_tokens, 0);
    completion_clear(&c);
    f.job.context = f.units[2].n_prompt - 1;
    c = run_one(&f, &f.units[2]);
    assert_int_equal(c.finish, FINISH_TOO_LONG);
    assert_int_equal(c.n_prompt, f.units[2].n_prompt);
    assert_int_equal(c.n_tokens, 0);
    completion_clear(&c);
    f.job.kind = UNIT_CHOICE;
    add_choices(&f.units[2], 3, 8);
    c = run_one(&f, &f.units[2]);
    assert_int_equal(c.finish, FINISH_TOO_LONG);
    assert_int_equal(c.n_choices, 0);
    completion_clear(&c);
    teardown(&f);
}

static void what_cannot_run_is_refused_with_a_reason(void **state)
{
    struct fixture f;
    struct px_err err = {0};
    uint32_t beyond[] = {TINY_VOCAB}, layers[] = {TINY_LAYERS};
    (void)state;
    setup(&f, "qwen2", GGML_Q8_0);
    struct engine *e = new_engine(&f, 2, 16, 1, 1 << 20);
    struct job j = f.job;
    j.n_stop_tokens = 0;
    assert_int_equal(engine_submit(e, &j, &f.units[0], 1, &err), -1);
    assert_non_null(strstr(err.text, "stop tokens"));
    j = f.job;
    j.max_tokens = 0;
    assert_int_equal(engine_submit(e, &j, &f.units[0], 1, &err), -1);
    struct unit u = f.units[0];
    u.n_prompt = 0;
    assert_int_equal(engine_submit(e, &f.job, &u, 1, &err), -1);
    u = (struct unit){.prompt = beyond, .n_prompt = 1};
    assert_int_equal(engine_submit(e, &f.job, &u, 1, &err), -1);
    assert_non_null(strstr(err.text, "vocabulary"));
    j = f.job;
    j.context = TINY_CONTEXT + 1;
    assert_int_equal(engine_submit(e, &j, &f.units[0], 1, &err), -1);
    j = f.job;
    j.reuse = (struct reuse_spec){
        .k = 2, .layers = layers, .n_layers = 1, .mode = REUSE_DELTA, .kv = REUSE_KV_COPY};
    assert_int_equal(engine_submit(e, &j, &f.units[0], 1, &err), -1);
    assert_non_null(strstr(err.text, "layer"));
    j = f.job;
    j.kv = KV_F32;
    assert_int_equal(engine_submit(e, &j, &f.units[0], 1, &err), -1);
    assert_int_equal(engine_active(e), 0);
    engine_free(&e);
    teardown(&f);
}

static void what_can_never_fit_is_refused_with_the_arithmetic(void **state)
{
    struct fixture f;
    struct px_err err = {0};
    (void)state;
    setup(&f, "qwen2", GGML_Q8_0);
    struct engine_config cfg = {.threads = 1, .kv = KV_F16, .memory_budget = 1000};
    assert_null(engine_new(f.t->m, f.tok, &cfg, &err));
    assert_int_equal(err.code, PX_ELIMIT);
    assert_non_null(strstr(err.text, "1000"));
    /* Just enough for a few pages: a short unit runs, a long one is refused at once. */
    cfg.memory_budget = 1;
    while ((cfg.memory_budget += 512) < BUDGET) {
        struct engine *e = engine_new(f.t->m, f.tok, &cfg, NULL);
        if (e == NULL)
            continue;
        f.job.max_tokens = TINY_CONTEXT - f.units[0].n_prompt;
        assert_int_equal(engine_submit(e, &f.job, &f.units[0], 1, &err), -1);
        assert_int_equal(err.code, PX_ELIMIT);
        assert_non_null(strstr(err.text, "pages"));
        f.job.max_tokens = 4;
        assert_int_equal(engine_submit(e, &f.job, &f.units[0], 1, &err), 0);
        engine_free(&e);
        break;
    }
    assert_true(cfg.memory_budget < BUDGET);
    teardown(&f);
}

static void numbers_that_are_not_finite_end_a_unit_with_an_error(void **state)
{
    struct fixture f;
    (void)state;
    setup(&f, "qwen2", GGML_F32);
    ((float *)(uintptr_t)f.t->m->output_norm)[3] = NAN; /* as a damaged file would have it */
    struct completion c = run_one(&f, &f.units[0]);
    assert_int_equal(c.finish, FINISH_ERROR);
    assert_non_null(strstr(c.error, "not finite"));
    assert_int_equal(c.n_tokens, 0);
    completion_clear(&c);
    f.job.kind = UNIT_CHOICE;
    add_choices(&f.units[0], 3, 2);
    c = run_one(&f, &f.units[0]);
    assert_int_equal(c.finish, FINISH_ERROR);
    assert_int_equal(c.n_choices, 0);
    completion_clear(&c);
    teardown(&f);
}

static void a_cancelled_unit_is_never_reported(void **state)
{
    struct fixture f;
    struct px_err err = {0};
    struct completion c;
    uint64_t ticket;
    (void)state;
    setup(&f, "qwen2", GGML_Q8_0);
    struct engine *e = new_engine(&f, 4, 16, 1, BUDGET);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(engine_submit(e, &f.job, &f.units[i], i, &err), 0);
    engine_step(e);
    engine_cancel(e, 1);
    engine_cancel(e, 77);
    assert_int_equal(engine_active(e), 2);
    for (uint32_t done = 0; done < 2;) {
        engine_step(e);
        while (engine_take(e, &ticket, &c)) {
            assert_int_not_equal(ticket, 1);
            completion_clear(&c);
            done++;
        }
    }
    assert_int_equal(engine_active(e), 0);
    engine_free(&e);
    teardown(&f);
}

/* ---- layer reuse ---- */

static struct completion run_reused(struct fixture *f, uint32_t k, uint32_t *layers, uint32_t n,
                                    enum reuse_mode mode, enum reuse_kv kv)
{
    f->job.reuse =
        (struct reuse_spec){.k = k, .layers = layers, .n_layers = n, .mode = mode, .kv = kv};
    return run_one(f, &f->units[1]);
}

static void no_reuse_is_bit_identical_however_it_is_said(void **state)
{
    struct fixture f;
    uint32_t layers[] = {1, 2};
    (void)state;
    setup(&f, "qwen2", GGML_Q8_0);
    struct completion plain = run_one(&f, &f.units[1]);
    struct completion k1 = run_reused(&f, 1, layers, 2, REUSE_DELTA, REUSE_KV_PROJECT);
    struct completion empty = run_reused(&f, 3, NULL, 0, REUSE_DELTA, REUSE_KV_PROJECT);
    assert_same_results(&plain, &k1, 1);
    assert_same_results(&plain, &empty, 1);
    completion_clear(&plain);
    completion_clear(&k1);
    completion_clear(&empty);
    teardown(&f);
}

static void reuse_is_counted_step_by_step(void **state)
{
    struct fixture f;
    uint32_t layers[] = {1, 3};
    (void)state;
    setup(&f, "qwen2", GGML_Q8_0);
    for (uint32_t k = 2; k <= 4; k++)
        for (int mode = REUSE_DELTA; mode <= REUSE_OUTPUT; mode++)
            for (int kv = REUSE_KV_PROJECT; kv <= REUSE_KV_COPY; kv++) {
                struct completion c = run_reused(&f, k, layers, 2, mode, kv);
                uint32_t steps = c.n_tokens - 1, refreshes = (steps + k - 1) / k;
                assert_int_equal(c.decode_steps, steps);
                assert_int_equal(c.refresh_steps, refreshes);
                assert_int_equal(c.reused_layer_steps, 2 * (steps - refreshes));
                completion_clear(&c);
            }
    teardown(&f);
}

/* A model that always reuses its last layers' outputs repeats the refresh's logits; one that
 * skips every layer is not the model at all. */
static void modes_do_what_they_say(void **state)
{
    struct fixture f;
    uint32_t last[] = {2, 3}, all[] = {0, 1, 2, 3};
    (void)state;
    setup(&f, "qwen3", GGML_F16);
    f.job.sampler.temperature = 0;
    struct completion plain = run_one(&f, &f.units[1]);
    struct completion c = run_reused(&f, 1000, last, 2, REUSE_OUTPUT, REUSE_KV_PROJECT);
    assert_int_equal(c.tokens[0], plain.tokens[0]);
    assert_int_equal(c.tokens[1], plain.tokens[1]); /* step 0 is a refresh */
    for (uint32_t i = 2; i < c.n_tokens; i++)
        assert_int_equal(c.tokens[i], c.tokens[1]);
    completion_clear(&c);
    /* Delta of all layers and skip of all layers agree on step 0 and part afterwards. */
    f.job.sampler.temperature = 1;
    struct completion skip_all = run_reused(&f, 1000, all, 4, REUSE_SKIP, REUSE_KV_COPY);
    struct completion delta_all = run_reused(&f, 1000, all, 4, REUSE_DELTA, REUSE_KV_COPY);
    assert_int_equal(skip_all.tokens[1], delta_all.tokens[1]);
    struct px_digest a = digest_of(&skip_all), b = digest_of(&delta_all);
    assert_false(px_digest_eq(&a, &b));
    completion_clear(&skip_all);
    completion_clear(&delta_all);
    completion_clear(&plain);
    teardown(&f);
}

static void reuse_state_belongs_to_one_sequence(void **state)
{
    struct fixture f;
    uint32_t layers[] = {1, 2};
    (void)state;
    setup(&f, "qwen2", GGML_Q4_0);
    for (int kv = REUSE_KV_PROJECT; kv <= REUSE_KV_COPY; kv++) {
        f.job.reuse = (struct reuse_spec){
            .k = 3, .layers = layers, .n_layers = 2, .mode = REUSE_DELTA, .kv = kv};
        compare_ways(&f);
    }
    teardown(&f);
}

static void reuse_of_a_loglikelihood_is_refused(void **state)
{
    struct fixture f;
    struct px_err err = {0};
    uint32_t layers[] = {1};
    (void)state;
    setup(&f, "qwen2", GGML_Q8_0);
    f.job.kind = UNIT_CHOICE;
    f.job.reuse = (struct reuse_spec){
        .k = 2, .layers = layers, .n_layers = 1, .mode = REUSE_DELTA, .kv = REUSE_KV_COPY};
    add_choices(&f.units[0], 2, 1);
    struct engine *e = new_engine(&f, 1, 0, 1, BUDGET);
    assert_int_equal(engine_submit(e, &f.job, &f.units[0], 1, &err), -1);
    assert_non_null(strstr(err.text, "loglikelihood"));
    engine_free(&e);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(generations_do_not_depend_on_batch_mates),
        cmocka_unit_test(seeds_samples_and_problems_differ),
        cmocka_unit_test(choices_equal_their_separate_evaluation),
        cmocka_unit_test(choices_do_not_depend_on_batch_mates),
        cmocka_unit_test(a_stop_token_ends_the_text_before_it),
        cmocka_unit_test(a_stop_string_may_span_tokens_and_the_earliest_wins),
        cmocka_unit_test(the_context_is_a_wall_that_is_named),
        cmocka_unit_test(what_cannot_run_is_refused_with_a_reason),
        cmocka_unit_test(what_can_never_fit_is_refused_with_the_arithmetic),
        cmocka_unit_test(numbers_that_are_not_finite_end_a_unit_with_an_error),
        cmocka_unit_test(a_cancelled_unit_is_never_reported),
        cmocka_unit_test(no_reuse_is_bit_identical_however_it_is_said),
        cmocka_unit_test(reuse_is_counted_step_by_step),
        cmocka_unit_test(modes_do_what_they_say),
        cmocka_unit_test(reuse_state_belongs_to_one_sequence),
        cmocka_unit_test(reuse_of_a_loglikelihood_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
