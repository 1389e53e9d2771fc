/* test_choices.c - choices against their separate evaluation: skipped tokens, contexts of their
 * own, windows as long as the context, and nothing computed twice. */
#include "engine_fixture.h"

#include "worker/engine/choices.h"

/* Every score of c, bit for bit, as a plain pass over prompt and choice gives it. */
static void assert_scores(struct fixture *f, const struct unit *u, const struct completion *c)
{
    struct px_err err = {0};
    struct eval_config cfg = {.kv = f->job.kv, .max_tokens = TINY_CONTEXT + 1};
    struct eval *e = eval_new(f->t->m, &cfg, &err);
    assert_int_equal(c->finish, FINISH_SCORED);
    assert_int_equal(c->n_choices, u->n_choices);
    for (uint32_t i = 0; i < u->n_choices; i++) {
        const struct unit_choice *ch = &u->choices[i];
        uint32_t all[2 * TINY_CONTEXT], n = u->n_prompt;
        if (n)
            memcpy(all, u->prompt, n * sizeof *all);
        memcpy(all + n, ch->tokens, ch->n_tokens * sizeof *all);
        struct sum s = {
            .tokens = all, .from = n + ch->n_skip, .n = n + ch->n_tokens, .greedy = true};
        eval_reset(e);
        assert_non_null(eval_tokens(e, all, s.n, add_logprob, &s, &err));
        assert_memory_equal(&s.logprob, &c->choices[i].logprob, sizeof s.logprob);
        assert_int_equal(s.greedy, c->choices[i].greedy);
        assert_int_equal(c->choices[i].n_tokens, ch->n_tokens - ch->n_skip);
    }
    eval_free(&e);
}

/* A unit whose choices are {n_tokens, n_skip, salt}. */
static struct unit make_unit(uint32_t n_prompt, uint32_t n, const uint32_t (*spec)[3])
{
    struct unit u = {.problem = px_xstrdup("p"), .n_prompt = n_prompt, .n_choices = n};
    u.prompt = n_prompt ? ids(n_prompt, 5) : NULL;
    u.choices = px_xcalloc(n, sizeof *u.choices);
    for (uint32_t i = 0; i < n; i++)
        u.choices[i] = (struct unit_choice){
            .tokens = ids(spec[i][0], spec[i][2]), .n_tokens = spec[i][0], .n_skip = spec[i][1]};
    return u;
}

/* Runs u alone; *rows is what the engine computed for it. */
static struct completion run_counted(struct fixture *f, const struct unit *u, uint64_t *rows)
{
    struct px_err err = {0};
    struct engine *e = new_engine(f, 1, 0, 1, BUDGET);
    struct completion c;
    uint64_t ticket;
    if (engine_submit(e, &f->job, u, 9, &err))
        fail_msg("%s", err.text);
    while (!engine_take(e, &ticket, &c))
        engine_step(e);
    *rows = engine_tokens(e);
    engine_free(&e);
    return c;
}

static void check(struct fixture *f, struct unit u, uint64_t want_rows)
{
    uint64_t rows;
    struct completion c = run_counted(f, &u, &rows);
    assert_scores(f, &u, &c);
    assert_int_equal(rows, want_rows);
    assert_int_equal(c.n_prompt, u.n_prompt);
    assert_int_equal(c.n_prompt_computed, u.n_prompt);
    completion_clear(&c);
    unit_clear(&u);
}

static void skipped_tokens_are_context_and_not_scored(void **state)
{
    static const uint32_t own[][3] = {{20, 15, 1}, {24, 19, 2}, {9, 0, 3}};
    static const uint32_t shared[][3] = {{50, 40, 1}, {45, 40, 1}, {43, 40, 2}};
    static const uint32_t many_silent[][3] = {{70, 69, 1}, {70, 1, 2}};
    struct fixture f;
    (void)state;
    setup(&f, "qwen2", GGML_Q8_0);
    f.job.kind = UNIT_CHOICE;
    check(&f, make_unit(7, 3, own), 7 + 19 + 23 + 8);
    struct unit u = make_unit(33, 3, shared);
    u.choices[2].tokens[0] = u.choices[0].tokens[0]; /* one token in common with the others */
    check(&f, u, 33 + 1 + 48 + 43 + 41);
    check(&f, make_unit(40, 2, many_silent), 40 + 69 + 69);
    teardown(&f);
}

static void a_prompt_may_be_empty_when_every_choice_brings_its_context(void **state)
{
    static const uint32_t windows[][3] = {
        {TINY_CONTEXT + 1, 1, 1}, {TINY_CONTEXT + 1, 1, 2}, {TINY_CONTEXT, 200, 3}};
    static const uint32_t one[][3] = {{TINY_CONTEXT + 1, 3, 4}};
    static const uint32_t none[][3] = {{5, 1, 1}, {5, 0, 1}};
    struct fixture f;
    struct px_err err = {0};
    (void)state;
    setup(&f, "llama", GGML_Q4_0);
    f.job.kind = UNIT_CHOICE;
    check(&f, make_unit(0, 3, windows), 2 * TINY_CONTEXT + TINY_CONTEXT - 1);
    check(&f, make_unit(0, 1, one), TINY_CONTEXT);
    struct unit u = make_unit(0, 2, none);
    struct engine *e = new_engine(&f, 1, 0, 1, BUDGET);
    assert_int_equal(engine_submit(e, &f.job, &u, 1, &err), -1);
    assert_non_null(strstr(err.text, "choice 1"));
    u.choices[1].n_skip = 5;
    assert_int_equal(engine_submit(e, &f.job, &u, 1, &err), -1);
    assert_non_null(strstr(err.text, "none is scored"));
    engine_free(&e);
    unit_clear(&u);
    teardown(&f);
}

/* The smallest budget that takes one window takes a document of thirty. */
static void a_document_of_many_windows_needs_no_more_memory_than_one(void **state)
{
    uint32_t spec[30][3];
    struct fixture f;
    struct px_err err = {0};
    (void)state;
    setup(&f, "qwen2", GGML_Q8_0);
    f.job.kind = UNIT_CHOICE;
    for (uint32_t i = 0; i < 30; i++) {
        spec[i][0] = TINY_CONTEXT;
        spec[i][1] = i ? 200 : 1;
        spec[i][2] = i;
    }
    struct unit one = make_unit(1, 1, spec), all = make_unit(1, 30, spec);
    struct engine *e = NULL;
    for (int64_t budget = 1 << 16; e == NULL; budget += 1 << 14) {
        struct engine_config cfg = {
            .threads = 1, .kv = KV_F16, .memory_budget = budget, .max_rows = 1, .max_batch = 16};
        e = engine_new(f.t->m, f.tok, &cfg, NULL);
        if (e && engine_submit(e, &f.job, &one, 1, &err))
            engine_free(&e);
    }
    engine_cancel(e, 1);
    if (engine_submit(e, &f.job, &all, 2, &err))
        fail_msg("%s", err.text);
    struct completion c;
    uint64_t ticket;
    while (!engine_take(e, &ticket, &c))
        engine_step(e);
    assert_scores(&f, &all, &c);
    completion_clear(&c);
    engine_free(&e);
    unit_clear(&one);
    unit_clear(&all);
    teardown(&f);
}

static void what_choices_have_in_common_is_computed_once(void **state)
{
    static const uint32_t letters[][3] = {{1, 0, 1}, {1, 0, 2}, {1, 0, 3}, {1, 0, 4}};
    static const uint32_t endings[][3] = {{9, 0, 1}, {4, 0, 2}, {9, 0, 1}, {9, 3, 1}};
    struct fixture f;
    (void)state;
    setup(&f, "qwen3", GGML_Q4_0);
    f.job.kind = UNIT_CHOICE;
    check(&f, make_unit(50, 4, letters), 50);
    struct unit u = make_unit(50, 4, endings);
    u.choices[2].tokens[8] = 3; /* differs from choice 0 in its last token alone */
    u.choices[3].tokens[8] = 4;
    check(&f, u, 50 + 8 + 3);
    teardown(&f);
}

static void feeds_are_grouped_and_keep_the_order_of_their_choices(void **state)
{
    static const uint32_t spec[][3] = {{9, 4, 1}, {5, 2, 2}, {2, 1, 1}, {9, 2, 1}, {9, 2, 7}};
    struct unit u = make_unit(3, 5, spec);
    (void)state;
    for (uint32_t i = 0; i < 5; i++)
        u.choices[i].tokens[0] = 77;
    u.choices[0].tokens[8] = 5;
    struct choices *c = choices_new(&u);
    assert_int_equal(c->n_common, 1);
    assert_int_equal(c->n_context, 4);
    assert_int_equal(c->context[3], 77);
    assert_int_equal(c->n_direct, 1);
    assert_int_equal(c->members[0], 2);
    assert_int_equal(c->n_feeds, 3);
    assert_int_equal(c->longest, 7);
    assert_int_equal(c->feeds[0].n_members, 2); /* choices 0 and 3 */
    assert_int_equal(c->members[c->feeds[0].first], 0);
    assert_int_equal(c->members[c->feeds[0].first + 1], 3);
    assert_int_equal(c->feeds[0].n_silent, 0); /* choice 3 scores from its third token */
    assert_int_equal(c->members[c->feeds[1].first], 1);
    assert_int_equal(c->members[c->feeds[2].first], 4);
    choices_free(&c);
    unit_clear(&u);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(skipped_tokens_are_context_and_not_scored),
        cmocka_unit_test(a_prompt_may_be_empty_when_every_choice_brings_its_context),
        cmocka_unit_test(a_document_of_many_windows_needs_no_more_memory_than_one),
        cmocka_unit_test(what_choices_have_in_common_is_computed_once),
        cmocka_unit_test(feeds_are_grouped_and_keep_the_order_of_their_choices),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
