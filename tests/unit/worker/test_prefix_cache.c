/* test_prefix_cache.c - shared heads in the engine: the same bits with and without, whatever the
 * schedule and however little memory there is; and heads really are computed once. */
#include "schedule_fixture.h"

enum { ROUNDS = 12 };

static void bits_do_not_depend_on_what_is_shared(void **state)
{
    static const struct {
        uint32_t rows, batch, threads;
        int64_t more;
    } ways[] = {{16, 256, 1, BUDGET}, {16, 16, 2, BUDGET}, {4, 24, 1, 0}, {8, 64, 1, 1 << 17}};
    struct fixture f;
    struct many m;
    uint64_t computed = 0, prompts = 0;
    (void)state;
    setup_many(&f, &m);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t w = round % (sizeof ways / sizeof *ways);
        struct engine_config cfg = {
            .threads = ways[w].threads, .max_rows = ways[w].rows, .max_batch = ways[w].batch};
        struct engine *e = small_engine(&f, &m, cfg, ways[w].more);
        struct completion got[MANY];
        play(&m, e, got);
        assert_same_results(m.want, got, MANY);
        for (uint32_t i = 0; i < MANY; i++) {
            computed += got[i].n_prompt_computed;
            prompts += got[i].n_prompt;
            completion_clear(&got[i]);
        }
        engine_free(&e);
    }
    assert_true(computed < prompts * 3 / 4);
    teardown_many(&f, &m);
}

/* ---- how much is computed ---- */

struct tally {
    uint64_t rows, prompt, computed;
};

static struct tally run_units(struct fixture *f, struct engine *e, struct unit *units, uint32_t n)
{
    struct px_err err = {0};
    struct tally t = {.rows = engine_tokens(e)};
    for (uint32_t sent = 0, done = 0; done < n;) {
        struct completion c;
        uint64_t ticket;
        while (sent < n && engine_free_rows(e)) {
            if (engine_submit(e, &f->job, &units[sent], sent, &err))
                fail_msg("%s", err.text);
            sent++;
        }
        engine_step(e);
        while (engine_take(e, &ticket, &c)) {
            t.prompt += c.n_prompt;
            t.computed += c.n_prompt_computed;
            completion_clear(&c);
            done++;
        }
    }
    t.rows = engine_tokens(e) - t.rows;
    return t;
}

static void samples_of_one_prompt_compute_it_once(void **state)
{
    struct fixture f;
    struct unit units[8];
    (void)state;
    setup(&f, "qwen2", GGML_Q8_0);
    f.job.max_tokens = 1;
    uint32_t *prompt = ids(150, 1);
    for (uint32_t i = 0; i < 8; i++)
        units[i] =
            (struct unit){.problem = (char *)"p", .sample = i, .prompt = prompt, .n_prompt = 150};
    struct engine *e = new_engine(&f, 8, 256, 1, BUDGET);
    struct tally t = run_units(&f, e, units, 8);
    assert_int_equal(t.prompt, 8 * 150);
    assert_int_equal(t.computed, 150 + 7); /* the last token gives everybody's logits */
    assert_int_equal(t.rows, t.computed);
    for (uint32_t i = 0; i < 8; i++)
        units[i].n_prompt = 128; /* whole pages: the last one is copied but for a position */
    t = run_units(&f, e, units, 8);
    assert_int_equal(t.computed, 8);
    engine_free(&e);
    free(prompt);
    teardown(&f);
}

static void questions_with_one_head_compute_it_once(void **state)
{
    struct fixture f;
    struct unit units[20];
    (void)state;
    setup(&f, "llama", GGML_Q8_0);
    f.job.kind = UNIT_CHOICE;
    for (uint32_t i = 0; i < 20; i++) {
        uint32_t *head = ids(140, 1), *own = ids(20, 60 + i);
        own[0] = 3 + i;
        memcpy(head + 120, own, 20 * sizeof *head);
        free(own);
        units[i] = (struct unit){.problem = (char *)"p", .prompt = head, .n_prompt = 140};
        add_choices(&units[i], 4, 0);
        for (uint32_t j = 0; j < 4; j++)
            units[i].choices[j].n_tokens = 1;
    }
    for (uint32_t batch = 16; batch <= 256; batch *= 16) {
        struct engine *e = new_engine(&f, 6, batch, 1, BUDGET);
        struct tally t = run_units(&f, e, units, 20);
        assert_int_equal(t.rows, t.computed); /* letters need no rows of their own */
        assert_int_equal(t.computed, 120 + 20 * 20);
        engine_free(&e);
    }
    for (uint32_t i = 0; i < 20; i++) {
        units[i].problem = NULL;
        unit_clear(&units[i]);
    }
    teardown(&f);
}

static void a_next_turn_computes_only_what_is_new(void **state)
{
    struct fixture f;
    uint32_t layers[] = {1};
    (void)state;
    setup(&f, "qwen3", GGML_Q8_0);
    struct unit first = f.units[3];
    for (int reused = 0; reused < 2; reused++) {
        struct px_err err = {0};
        struct completion c;
        uint64_t ticket;
        struct engine *e = new_engine(&f, 2, 64, 1, BUDGET);
        f.job.reuse = (struct reuse_spec){.k = 2,
                                          .layers = layers,
                                          .n_layers = (uint32_t)reused,
                                          .mode = REUSE_DELTA,
                                          .kv = REUSE_KV_COPY};
        assert_int_equal(engine_submit(e, &f.job, &first, 1, &err), 0);
        while (!engine_take(e, &ticket, &c))
            engine_step(e);
        struct unit next = {.problem = (char *)"n", .n_prompt = first.n_prompt + c.n_tokens + 5};
        next.prompt = ids(next.n_prompt, 9);
        memcpy(next.prompt, first.prompt, first.n_prompt * sizeof *next.prompt);
        memcpy(next.prompt + first.n_prompt, c.tokens, c.n_tokens * sizeof *next.prompt);
        struct tally t = run_units(&f, e, &next, 1);
        /* The last token of a turn is computed by the next; under layer reuse all of them are. */
        assert_int_equal(t.computed, reused ? c.n_tokens + 5 : 1 + 5);
        completion_clear(&c);
        free(next.prompt);
        engine_free(&e);
    }
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_do_not_depend_on_what_is_shared),
        cmocka_unit_test(samples_of_one_prompt_compute_it_once),
        cmocka_unit_test(questions_with_one_head_compute_it_once),
        cmocka_unit_test(a_next_turn_computes_only_what_is_new),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
