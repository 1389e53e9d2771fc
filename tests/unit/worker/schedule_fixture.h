/* schedule_fixture.h - many units of every kind, what each gives alone, and random ways to run
 * them together; for cmocka tests. */
#ifndef TESTS_WORKER_SCHEDULE_FIXTURE_H
#define TESTS_WORKER_SCHEDULE_FIXTURE_H

#include "engine_fixture.h"

enum { MANY = 40, KINDS = 5 };

static uint64_t random_state;

static inline uint32_t draw(uint32_t n)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(random_state >> 33) % n;
}

/* Units that begin with pieces of a few texts, so that heads meet at all kinds of places. */
static inline struct unit random_unit(uint32_t i, uint32_t longest, bool has_choices)
{
    struct unit u = {.problem = px_xasprintf("p%u", i), .sample = i % 3};
    uint32_t n = 1 + draw(longest), turn = draw(n + 1);
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
    struct job jobs[KINDS]; /* samples, choices, layer reuse, greedy with a stop string, thoughts */
    uint32_t layers[2], close[2];
    char *stops[1];
};

static inline const struct job *job_of(const struct many *m, uint32_t i)
{
    return &m->jobs[i % KINDS];
}

static inline struct completion run_plain(struct fixture *f, const struct job *job,
                                          const struct unit *u)
{
    struct px_err err = {0};
    struct completion c;
    uint64_t ticket;
    struct engine_config cfg = {.threads = 1,
                                .kv = f->job.kv,
                                .memory_budget = BUDGET,
                                .no_prefix_cache = true,
                                .no_speculation = true};
    struct engine *e = engine_new(f->t->m, f->tok, &cfg, &err);
    if (e == NULL || engine_submit(e, job, u, 1, &err))
        fail_msg("%s", err.text);
    while (!engine_take(e, &ticket, &c))
        engine_step(e);
    engine_free(&e);
    return c;
}

/* The jobs of all kinds. Greedy texts of a small model go in circles, so guesses are often right;
 * the others' are mostly wrong. */
static inline void make_jobs(struct fixture *f, struct many *m)
{
    for (int i = 0; i < KINDS; i++)
        m->jobs[i] = f->job;
    m->jobs[1].kind = UNIT_CHOICE;
    m->layers[0] = 1;
    m->layers[1] = 2;
    m->jobs[2].reuse = (struct reuse_spec){
        .k = 2, .layers = m->layers, .n_layers = 2, .mode = REUSE_DELTA, .kv = REUSE_KV_COPY};
    m->jobs[3].sampler.temperature = 0;
    struct completion c = run_plain(f, &m->jobs[3], &f->units[2]);
    m->stops[0] = px_xstrndup(c.text + 5, 4);
    completion_clear(&c);
    m->jobs[3].stops = m->stops;
    m->jobs[3].n_stops = 1;
    m->close[0] = 8;
    m->close[1] = 9;
    m->jobs[4].sampler.temperature = 0.5;
    m->jobs[4].think =
        (struct think_spec){.close = m->close, .n_close = 2, .budget = 6, .open_in_prompt = true};
}

static inline void setup_many(struct fixture *f, struct many *m)
{
    setup(f, "qwen2", GGML_Q8_0);
    f->job.max_tokens = 40;
    make_jobs(f, m);
    random_state = 7;
    for (uint32_t i = 0; i < MANY; i++) {
        m->units[i] = random_unit(i, 150, job_of(m, i)->kind == UNIT_CHOICE);
        m->want[i] = run_plain(f, job_of(m, i), &m->units[i]);
        assert_int_equal(m->want[i].n_prompt_computed, m->units[i].n_prompt);
    }
}

static inline void teardown_many(struct fixture *f, struct many *m)
{
    for (uint32_t i = 0; i < MANY; i++) {
        unit_clear(&m->units[i]);
        completion_clear(&m->want[i]);
    }
    free(m->stops[0]);
    teardown(f);
}

/* The smallest engine of this kind that takes every unit, and a little more. */
static inline struct engine *small_engine(struct fixture *f, const struct many *m,
                                          struct engine_config cfg, int64_t more)
{
    cfg.kv = f->job.kv;
    for (int64_t budget = 1 << 16;; budget += 1 << 15) {
        cfg.memory_budget = budget + more;
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
static inline void play(const struct many *m, struct engine *e, struct completion *out)
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
    assert_true(engine_give_up_idle(e));
}

#endif
