/* test_schedule.c - whatever the schedule: the same bits, guesses included, and no page is lost. */
#include "schedule_fixture.h"

#if defined(__SANITIZE_THREAD__)
enum { ROUNDS = 4 };
#else
enum { ROUNDS = 10 };
#endif
enum { REQUESTS = 10000, HEADS = 24 };

static struct engine_config random_config(uint32_t round)
{
    uint32_t speculation = draw(3);
    return (struct engine_config){.isa = round % 8 == 3 ? "scalar" : "auto",
                                  .threads = 1 + draw(2),
                                  .max_rows = 1 + draw(20),
                                  .max_batch = draw(3) ? 1 + draw(60) : 0,
                                  .no_prefix_cache = draw(4) == 0,
                                  .no_speculation = speculation == 0,
                                  .speculation = speculation == 1 ? 1 + round % 9 : 0};
}

static void bits_do_not_depend_on_the_schedule(void **state)
{
    struct fixture f;
    struct many m;
    uint64_t drafted = 0, accepted = 0;
    (void)state;
    setup_many(&f, &m);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        struct engine_config cfg = random_config(round);
        struct engine *e = small_engine(&f, &m, cfg, draw(2) ? (int64_t)draw(1 << 20) : 0);
        struct completion got[MANY];
        play(&m, e, got);
        assert_same_results(m.want, got, MANY);
        for (uint32_t i = 0; i < MANY; i++)
            completion_clear(&got[i]);
        struct engine_counters c = engine_counters(e);
        drafted += c.drafted;
        accepted += c.accepted;
        assert_true(!cfg.no_speculation || c.drafted == 0);
        engine_free(&e);
    }
    assert_true(accepted > 0 && accepted < drafted);
    teardown_many(&f, &m);
}

/* Every right guess is a pass less. */
static void right_guesses_save_passes(void **state)
{
    struct fixture f;
    struct px_err err = {0};
    struct completion c;
    uint64_t ticket, passes[2];
    (void)state;
    setup(&f, "qwen2", GGML_Q8_0);
    f.job.sampler.temperature = 0;
    f.job.max_tokens = 100;
    for (uint32_t guesses = 0; guesses <= 8; guesses += 8) {
        struct engine_config cfg = {.threads = 1,
                                    .kv = f.job.kv,
                                    .memory_budget = BUDGET,
                                    .speculation = guesses,
                                    .no_speculation = guesses == 0};
        struct engine *e = engine_new(f.t->m, f.tok, &cfg, &err);
        assert_int_equal(engine_submit(e, &f.job, &f.units[4], 1, &err), 0);
        while (!engine_take(e, &ticket, &c))
            engine_step(e);
        passes[guesses / 8] = engine_counters(e).passes;
        if (guesses) {
            /* The first token comes with the prompt; each pass gives one and what was right. */
            uint64_t accepted = engine_counters(e).accepted;
            assert_int_equal(c.n_tokens - 1 - accepted, passes[1] - (passes[0] - c.decode_steps));
        }
        assert_int_equal(c.n_tokens, 100);
        assert_int_equal(c.decode_steps, 99);
        completion_clear(&c);
        engine_free(&e);
    }
    assert_true(passes[1] < passes[0]);
    teardown(&f);
}

/* ---- ten thousand requests ---- */

struct crowd {
    struct fixture f;
    struct many m; /* its jobs */
    struct unit units[HEADS];
    uint32_t n_sent, n_done, n_cancelled;
    uint64_t alive[64]; /* tickets */
    uint32_t n_alive;
};

static void setup_crowd(struct crowd *c)
{
    memset(c, 0, sizeof *c);
    setup(&c->f, "qwen2", GGML_Q8_0);
    make_jobs(&c->f, &c->m);
    for (int i = 0; i < KINDS; i++)
        c->m.jobs[i].max_tokens = 3 + 2 * (uint32_t)i;
    random_state = 11;
    for (uint32_t i = 0; i < HEADS; i++) {
        c->units[i] = random_unit(i, 70, i % KINDS == 1);
        for (uint32_t j = 0; j < c->units[i].n_choices; j++)
            if (c->units[i].choices[j].n_tokens > 6) {
                c->units[i].choices[j].n_tokens = 6;
                c->units[i].choices[j].n_skip %= 6;
            }
    }
}

static void teardown_crowd(struct crowd *c)
{
    for (uint32_t i = 0; i < HEADS; i++)
        unit_clear(&c->units[i]);
    free(c->m.stops[0]);
    teardown(&c->f);
}

static void cancel_one(struct crowd *c, struct engine *e)
{
    uint32_t i = draw(c->n_alive);
    engine_cancel(e, c->alive[i]);
    c->alive[i] = c->alive[--c->n_alive];
    c->n_cancelled++;
}

static void take_all(struct crowd *c, struct engine *e)
{
    struct completion done;
    uint64_t ticket;
    while (engine_take(e, &ticket, &done)) {
        uint32_t i = 0;
        while (i < c->n_alive && c->alive[i] != ticket)
            i++;
        assert_true(i < c->n_alive);
        assert_int_not_equal(done.finish, FINISH_ERROR);
        c->alive[i] = c->alive[--c->n_alive];
        c->n_done++;
        completion_clear(&done);
    }
}

static void ten_thousand_requests_lose_no_page(void **state)
{
    struct crowd c;
    struct px_err err = {0};
    (void)state;
    setup_crowd(&c);
    struct engine_config cfg = {
        .threads = 2, .kv = KV_F16, .memory_budget = 1 << 20, .max_rows = 24, .speculation = 2};
    struct engine *e = engine_new(c.f.t->m, c.f.tok, &cfg, &err);
    assert_non_null(e);
    while (c.n_sent < REQUESTS || c.n_alive) {
        for (uint32_t n = draw(24); n && c.n_sent < REQUESTS && engine_free_rows(e); n--) {
            uint32_t i = draw(HEADS);
            if (engine_submit(e, job_of(&c.m, i), &c.units[i], c.n_sent, &err))
                fail_msg("%s", err.text);
            c.alive[c.n_alive++] = c.n_sent++;
        }
        for (uint32_t n = draw(5); n && c.n_alive; n--)
            cancel_one(&c, e);
        engine_step(e);
        take_all(&c, e);
    }
    assert_int_equal(c.n_done + c.n_cancelled, REQUESTS);
    assert_true(c.n_done > REQUESTS / 4 && c.n_cancelled > REQUESTS / 10);
    assert_int_equal(engine_active(e), 0);
    assert_true(engine_give_up_idle(e));
    engine_free(&e);
    teardown_crowd(&c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bits_do_not_depend_on_the_schedule),
        cmocka_unit_test(right_guesses_save_passes),
        cmocka_unit_test(ten_thousand_requests_lose_no_page),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
