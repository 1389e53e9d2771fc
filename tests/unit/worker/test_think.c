/* test_think.c - thoughts by token id: markers, budgets, stop strings that act on answers alone. */
#include "engine_fixture.h"

#include "worker/engine/think.h"

/* ---- the state alone ---- */

static uint32_t open_ids[] = {7}, close_ids[] = {8, 9};

static struct think_spec spec(uint32_t budget, bool open_in_prompt)
{
    return (struct think_spec){.open = open_ids,
                               .n_open = 1,
                               .close = close_ids,
                               .n_close = 2,
                               .budget = budget,
                               .open_in_prompt = open_in_prompt};
}

/* Takes tokens of two bytes each; those that are forced come instead of the given ones. */
static struct think follow(const struct think_spec *s, uint32_t *tokens, uint32_t n)
{
    struct think t;
    think_begin(&t, s);
    for (uint32_t i = 0; i < n; i++) {
        think_forces(&t, &tokens[i]);
        think_take(&t, tokens, i + 1, 2 * (size_t)(i + 1));
    }
    return t;
}

#define FOLLOW(s, ...)                                                                             \
    follow(&s, (uint32_t[]){__VA_ARGS__}, sizeof((uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

static void check(struct think t, enum think_state state, uint32_t n_tokens, size_t answer_at)
{
    assert_int_equal(t.state, state);
    assert_int_equal(t.n_tokens, n_tokens);
    if (state != THINK_UNCLOSED)
        assert_int_equal(t.answer_at, answer_at);
}

static void markers_are_token_ids(void **state)
{
    struct think_spec s = spec(0, false), in = spec(0, true), off = {.open = open_ids, .n_open = 1};
    (void)state;
    check(FOLLOW(s, 1, 2, 3), THINK_NONE, 0, 0);
    check(FOLLOW(s, 7, 1, 8, 9, 2), THINK_CLOSED, 4, 8);
    check(FOLLOW(s, 7, 1, 8, 1, 9, 2), THINK_UNCLOSED, 6, 0);
    check(FOLLOW(in, 1, 8, 9, 2, 2), THINK_CLOSED, 3, 6);
    check(FOLLOW(in, 1, 2), THINK_UNCLOSED, 2, 0);
    check(FOLLOW(in, 8, 8, 9, 4), THINK_CLOSED, 3, 6);
    /* Two thoughts: the answer begins after the last one. */
    check(FOLLOW(s, 7, 8, 9, 5, 7, 1, 8, 9, 6), THINK_CLOSED, 7, 16);
    check(FOLLOW(s, 7, 8, 9, 5, 7, 1), THINK_UNCLOSED, 5, 0);
    /* A close marker that nothing opened ends a thought from the start. */
    check(FOLLOW(s, 1, 2, 8, 9, 5), THINK_CLOSED, 4, 8);
    check(FOLLOW(off, 7, 8, 9), THINK_NONE, 0, 0);
}

static void a_budget_forces_the_rest_of_the_marker(void **state)
{
    struct think_spec s = spec(3, true);
    uint32_t plain[] = {1, 1, 1, 1, 1, 1}, begun[] = {1, 1, 8, 1, 1}, early[] = {1, 8, 9, 1, 1, 1};
    (void)state;
    check(follow(&s, plain, 6), THINK_CLOSED, 5, 10);
    assert_int_equal(plain[2], 1);
    assert_int_equal(plain[3], 8);
    assert_int_equal(plain[4], 9);
    assert_int_equal(plain[5], 1);
    check(follow(&s, begun, 5), THINK_CLOSED, 4, 8);
    assert_int_equal(begun[3], 9);
    assert_int_equal(begun[4], 1);
    check(follow(&s, early, 6), THINK_CLOSED, 3, 6); /* answers have no budget */
    s.open_in_prompt = false;
    uint32_t late[] = {5, 7, 1, 1, 1, 1, 1, 6};
    check(follow(&s, late, 8), THINK_CLOSED, 6, 14);
    assert_int_equal(late[5], 8);
}

/* ---- in the engine ---- */

static void setup_thinking(struct fixture *f)
{
    setup(f, "qwen2", GGML_F32);
    f->job.sampler.temperature = 2; /* varied tokens */
}

static uint32_t first_of(const struct completion *c, uint32_t token)
{
    uint32_t i = 0;
    while (c->tokens[i] != token)
        i++;
    return i;
}

static void an_answer_begins_after_the_marker(void **state)
{
    struct fixture f;
    (void)state;
    setup_thinking(&f);
    struct completion plain = run_one(&f, &f.units[0]);
    assert_int_equal(plain.think, THINK_NONE);
    assert_int_equal(plain.answer_at, 0);
    uint32_t close = plain.tokens[11], at = first_of(&plain, close);
    f.job.think = (struct think_spec){.close = &close, .n_close = 1, .open_in_prompt = true};
    struct completion c = run_one(&f, &f.units[0]);
    assert_int_equal(c.n_tokens, plain.n_tokens);
    assert_memory_equal(c.tokens, plain.tokens, c.n_tokens * sizeof *c.tokens);
    assert_int_equal(c.think, THINK_CLOSED);
    assert_true(c.answer_at >= 2 * (at + 1) && c.answer_at <= c.n_text);
    assert_true(c.n_think_tokens >= at + 1);
    completion_clear(&c);
    uint32_t never = 1; /* a byte that this run does not produce */
    f.job.think.close = &never;
    c = run_one(&f, &f.units[0]);
    assert_int_equal(c.think, THINK_UNCLOSED);
    assert_int_equal(c.finish, plain.finish);
    assert_int_equal(c.answer_at, c.n_text);
    /* The end of the text is no thought. */
    assert_int_equal(c.n_think_tokens, c.n_tokens - (c.finish == FINISH_EOS));
    completion_clear(&c);
    completion_clear(&plain);
    teardown(&f);
}

static void a_stop_string_inside_a_thought_cuts_nothing(void **state)
{
    struct fixture f;
    char *stops[1];
    (void)state;
    setup_thinking(&f);
    struct completion plain = run_one(&f, &f.units[0]);
    uint32_t close = plain.tokens[9], at = first_of(&plain, close);
    /* The last letter of the thought's marker and the first of the answer are no stop string. */
    stops[0] = px_xstrndup(plain.text + 1, 2);
    f.job.stops = stops;
    f.job.n_stops = 1;
    struct completion c = run_one(&f, &f.units[0]);
    assert_int_equal(c.finish, FINISH_STOP);
    assert_true(c.n_text <= 1);
    completion_clear(&c);
    f.job.think = (struct think_spec){.close = &close, .n_close = 1, .open_in_prompt = true};
    c = run_one(&f, &f.units[0]);
    assert_true(c.n_tokens > at + 1);
    assert_int_equal(c.think, THINK_CLOSED);
    const char *again = strstr(plain.text + c.answer_at, stops[0]);
    assert_int_equal(c.finish, again ? FINISH_STOP : plain.finish);
    assert_int_equal(c.n_text, again ? (uint32_t)(again - plain.text) : plain.n_text);
    completion_clear(&c);
    free(stops[0]);
    stops[0] = px_xstrndup(plain.text + 2 * at + 1, 2); /* spans the marker's end */
    c = run_one(&f, &f.units[0]);
    assert_true(c.n_text > 2 * at + 1);
    completion_clear(&c);
    completion_clear(&plain);
    free(stops[0]);
    teardown(&f);
}

/* The forced tokens are computed as if they had been generated: what follows is what a prompt
 * with the same tokens would have given. */
static void a_forced_marker_is_followed_by_an_answer(void **state)
{
    struct fixture f;
    uint32_t close[] = {40, 41, 42};
    (void)state;
    setup_thinking(&f);
    f.job.sampler.temperature = 0;
    struct completion plain = run_one(&f, &f.units[0]);
    f.job.think =
        (struct think_spec){.close = close, .n_close = 3, .budget = 6, .open_in_prompt = true};
    struct completion c = run_one(&f, &f.units[0]);
    assert_int_equal(c.think, THINK_CLOSED);
    assert_int_equal(c.n_think_tokens, 9);
    assert_int_equal(c.n_tokens, f.job.max_tokens);
    assert_memory_equal(c.tokens, plain.tokens, 6 * sizeof *c.tokens);
    assert_memory_equal(c.tokens + 6, close, sizeof close);
    struct unit u = f.units[0];
    u.n_prompt += 9;
    u.prompt = px_xcalloc(u.n_prompt, sizeof *u.prompt);
    memcpy(u.prompt, f.units[0].prompt, f.units[0].n_prompt * sizeof *u.prompt);
    memcpy(u.prompt + f.units[0].n_prompt, c.tokens, 9 * sizeof *u.prompt);
    f.job.think = (struct think_spec){0};
    struct completion rest = run_one(&f, &u);
    assert_memory_equal(rest.tokens, c.tokens + 9, (c.n_tokens - 9) * sizeof *c.tokens);
    assert_memory_equal(c.text + c.answer_at, rest.text, c.n_text - c.answer_at);
    free(u.prompt);
    completion_clear(&rest);
    completion_clear(&c);
    completion_clear(&plain);
    teardown(&f);
}

static void thinking_does_not_depend_on_batch_mates(void **state)
{
    struct fixture f;
    uint32_t close[] = {120, 121}, open[] = {30};
    (void)state;
    setup_thinking(&f);
    f.job.think =
        (struct think_spec){.open = open, .n_open = 1, .close = close, .n_close = 2, .budget = 4};
    for (int in = 0; in < 2; in++) {
        f.job.think.open_in_prompt = in;
        struct completion want[UNITS], got[UNITS];
        struct engine *e = new_engine(&f, 1, 64, 1, BUDGET);
        run_all(&f, e, want);
        engine_free(&e);
        e = new_engine(&f, 7, 16, 2, BUDGET);
        run_all(&f, e, got);
        engine_free(&e);
        assert_same_results(want, got, UNITS);
        clear_all(want);
        clear_all(got);
    }
    uint32_t beyond = TINY_VOCAB;
    struct px_err err = {0};
    struct engine *e = new_engine(&f, 1, 64, 1, BUDGET);
    f.job.think.open = &beyond;
    assert_int_equal(engine_submit(e, &f.job, &f.units[0], 1, &err), -1);
    assert_non_null(strstr(err.text, "open marker"));
    engine_free(&e);
    teardown(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(markers_are_token_ids),
        cmocka_unit_test(a_budget_forces_the_rest_of_the_marker),
        cmocka_unit_test(an_answer_begins_after_the_marker),
        cmocka_unit_test(a_stop_string_inside_a_thought_cuts_nothing),
        cmocka_unit_test(a_forced_marker_is_followed_by_an_answer),
        cmocka_unit_test(thinking_does_not_depend_on_batch_mates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
