/* test_prefix_cache.c - shared heads in the engine: the same bits with and without, whatever the
 * schedule and however little memory there is; and heads really are computed once. */
#include "engine_fixture.h"

enum { MANY = 40, ROUNDS = 12 };

static uint64_t random_state;

static uint32_t draw(uint32_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % n;
}

/* Units that begin with pieces of a few texts, so that heads meet at all kinds of places. */
static struct unit random_unit(uint32_t i, bool has_choices)
{
    struct unit u = {.problem = px_xasprintf("p%u", i), .sample = i % 3};
    uint32_t n = 1 + draw(150), turn = draw(n + 1);
    uint32_t *head = ids(n, draw(3)), *rest = ids(n, 50 + draw(2));
    memcpy(head + turn, rest, (n - turn) * sizeof *head);
    free(rest);
    u.prompt = head;
    u.n_prompt = n;
    if (!has_choices)
        return u;
    add_choices(&u, 1 + draw(4), draw(40));
    for (uint32_t j = 0; j < u.n_choices; j++)
        u.choices[j].n_skip = draw(u.choices[j].n_tokens);
    return u;
}

struct many {
    struct unit units[MANY];
    struct completion want[MANY];
    struct job jobs[3]; /* generate, choice, generate with layer reuse */
    uint32_t layers[2];
};

static const struct job *job_of(const struct many *m, uint32_t i)
{
    return &m->jobs[i % 3];
}

static void setup_many(struct fixture *f, struct many *m)
{
    setup(f, "qwen2", GGML_Q8_0);
    f->job.max_tokens = 40;
    for (int i = 0; i < 3; i++)
        m->jobs[i] = f->job;
    m->jobs[1].kind = UNIT_CHOICE;
    m->layers[0] = 1;
    m->layers[1] = 2;
    m->jobs[2].reuse = (struct reuse_spec){
        .k = 2, .layers = m->layers, .n_layers = 2, .mode = REUSE_DELTA, .kv = REUSE_KV_COPY};
    random_state = 7;
    for (uint32_t i = 0; i < MANY; i++) {
        struct px_err err = {0};
        struct engine_config cfg = {
            .threads = 1, .kv = f->job.kv, .memory_budget = BUDGET, .no_prefix_cache = true};
        struct engine *e = engine_new(f->t->m, f->tok, &cfg, &err);
        uint64_t ticket;
        m->units[i] = random_unit(i, i % 3 == 1);
        if (engine_submit(e, job_of(m, i), &m->units[i], i, &err))
            fail_msg("%s", err.text);
        while (!engine_take(e, &ticket, &m->want[i]))
            engine_step(e);
        assert_int_equal(m->want[i].n_prompt_computed, m->units[i].n_prompt);
        engine_free(&e);
    }
}

static void teardown_many(struct fixture *f, struct many *m)
{
    for (uint32_t i = 0; i < MANY; i++) {
        unit_clear(&m->units[i]);
        completion_clear(&m->want[i]);
    }
    teardown(f);
}

/* The smallest engine of so many rows that takes every unit, and a little more. */
static struct engine *small_engine(struct fixture *f, const struct many *m, uint32_t rows,
                                   uint32_t batch, uint32_t threads, int64_t more)
{
    for (int64_t budget = 1 << 16;; budget += 1 << 15) {
        struct engine_config cfg = {.threads = threads,
                                    .kv = f->job.kv,
                                    .memory_budget = budget + more,
                                    .max_rows = rows,
                                    .max_batch = batch};
        struct engine *e = engine_new(f->t->m, f->tok, &cfg, NULL);
        bool takes_all = e != NULL;
        for (uint32_t i = 0; takes_all && i < MANY; i++) {
            takes_all = engine_submit(e, job_of(m, i), &m->units[i], i, NULL) == 0;
            engine_cancel(e, i);
        }
        if (takes_all)
            return e;
        engine_free(&e);
    }
}

/* Submits in random order, cancels some on the way and submits them again. */
static void play(const struct many *m, struct engine *e, struct completion *out)
{
    enum { WAITING, RUNNING, DONE } at[MANY] = {WAITING};
    for (uint32_t n_done = 0; n_done < MANY;) {
        uint64_t ticket;
        struct completion c;
        for (uint32_t tries = draw(4); tries && engine_free_rows(e); tries--) {
            uint32_t i = draw(MANY);
            if (at[i] != WAITING)
                continue;
            struct px_err err = {0};
            if (engine_submit(e, job_of(m, i), &m->units[i], i, &err))
                fail_msg("%s", err.text);
            at[i] = RUNNING;
        }
        uint32_t victim = draw(MANY);
        if (at[victim] == RUNNING && draw(20) == 0) {
            engine_cancel(e, victim);
            at[victim] = WAITING;
        }
        engine_step(e);
        while (engine_take(e, &ticket, &c)) {
            assert_int_equal(at[ticket], RUNNING);
            at[ticket] = DONE;
            out[ticket] = c;
            n_done++;
        }
    }
    assert_int_equal(engine_active(e), 0);
}

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
        struct engine *e =
            small_engine(&f, &m, ways[w].rows, ways[w].batch, ways[w].threads, ways[w].more);
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
