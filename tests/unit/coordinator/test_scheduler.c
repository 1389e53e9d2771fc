/* The scheduler: each rule by itself, then random histories against its invariants.
 *
 * A history has peers that lose messages, die, hang, come late with results, drain and give units
 * back; poison units that kill whoever runs them; clocks that jump and callers that stall. Held to:
 * no unit lost, none committed twice, no peer ever holds more than the places it announced,
 * innocents are never given up, and in calm weather everything ends. SCHED_EVENTS=n plays n events.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/dispatch/scheduler.h"
#include "proto/mem.h"

static const struct px_digest model_a = {{1}}, model_b = {{2}};

static struct scheduler *new_scheduler(void)
{
    struct sched_config cfg;
    sched_config_default(&cfg);
    struct scheduler *s = sched_new(&cfg);
    sched_add_job(s, 0, ROLE_GENERATE, &model_a);
    sched_add_job(s, 1, ROLE_GENERATE, &model_b);
    sched_add_job(s, 2, ROLE_SCORE, &model_a);
    return s;
}

static uint32_t join(struct scheduler *s, int64_t now, unsigned roles, uint64_t host,
                     uint32_t places)
{
    struct sched_peer p = {.roles = roles, .host = host, .end_us = INT64_MAX};
    uint32_t peer = sched_join(s, now, &p);
    sched_ready(s, now, peer, places);
    return peer;
}

static struct sched_action next(struct scheduler *s, int64_t now)
{
    struct sched_action a;
    sched_next(s, now, true, &a);
    sched_check(s);
    return a;
}

static void the_longest_unit_is_leased_first_and_credits_bound_the_lease(void **state)
{
    (void)state;
    struct scheduler *s = new_scheduler();
    for (uint64_t i = 0; i < 10; i++)
        sched_add(s, i, 0, (double)i);
    uint32_t p = join(s, 0, ROLE_GENERATE, 1, 3);
    struct sched_action a = next(s, 0);
    assert_int_equal(a.kind, SCHED_LEASE);
    assert_int_equal(a.n, 3);
    assert_int_equal(sched_unit_id(s, a.units[0]), 9);
    assert_int_equal(sched_unit_id(s, a.units[2]), 7);
    assert_int_equal(next(s, 0).kind, SCHED_IDLE);
    sched_ready(s, 1, p, 1);
    assert_int_equal(next(s, 1).n, 1);
    sched_free(&s);
}

static void roles_and_mapped_models_decide_who_gets_what(void **state)
{
    (void)state;
    struct scheduler *s = new_scheduler();
    sched_add(s, 1, 1, 1);
    sched_add(s, 2, 2, 1);
    join(s, 0, ROLE_SCORE, 1, 5);
    struct sched_action a = next(s, 0);
    assert_int_equal(a.job, 2);
    assert_int_equal(next(s, 0).kind, SCHED_IDLE);
    uint32_t g = join(s, 0, ROLE_GENERATE, 1, 1);
    assert_int_equal(next(s, 0).job, 1);
    /* Both jobs have work now: the one whose model it has goes on. */
    sched_add(s, 3, 0, 1);
    sched_add(s, 4, 1, 1);
    sched_ready(s, 0, g, 1);
    assert_int_equal(next(s, 0).job, 1);
    sched_free(&s);
}

static void only_deaths_alone_count_and_three_give_a_unit_up(void **state)
{
    (void)state;
    struct scheduler *s = new_scheduler();
    int64_t now = 0;
    int deaths = 0;
    uint64_t poison = 5;
    bool done[20] = {false};
    uint64_t given_up = 99;
    for (uint64_t i = 0; i < 20; i++)
        sched_add(s, i, 0, 1);
    while (given_up == 99) {
        uint32_t p = join(s, now, ROLE_GENERATE, 1, 16);
        struct sched_action a = next(s, now);
        if (a.kind == SCHED_GIVE_UP) {
            given_up = a.id;
            break;
        }
        assert_int_equal(a.kind, SCHED_LEASE);
        uint32_t units[16];
        uint32_t n = a.n;
        bool dies = false;
        memcpy(units, a.units, n * sizeof *units);
        for (uint32_t i = 0; i < n; i++)
            dies |= sched_unit_id(s, units[i]) == poison;
        for (uint32_t i = 0; i < n && !dies; i++) {
            done[sched_unit_id(s, units[i])] = true;
            assert_true(sched_result(s, now, p, units[i]));
            sched_committed(s, units[i]);
        }
        deaths += dies;
        sched_gone(s, now, p, !dies);
        sched_check(s);
        assert_true(deaths <= 8);
        now += 1000;
    }
    assert_int_equal(given_up, poison);
    for (int i = 0; i < 20; i++) /* nobody else was: they are done or still to do */
        assert_true(!done[i] || (uint64_t)i != poison);
    sched_free(&s);
}

static void a_planned_leave_suspects_nobody(void **state)
{
    (void)state;
    struct scheduler *s = new_scheduler();
    sched_add(s, 1, 0, 1);
    for (int i = 0; i < 10; i++) {
        uint32_t p = join(s, i, ROLE_GENERATE, 1, 4);
        assert_int_equal(next(s, i).kind, SCHED_LEASE);
        sched_drain(s, p);
        sched_gone(s, i, p, false);
    }
    struct sched_counts c;
    sched_count(s, &c);
    assert_int_equal(c.given_up, 0);
    assert_int_equal(c.deaths, 0);
    assert_int_equal(c.ready, 1);
    sched_free(&s);
}

static void silence_and_standing_still_end_a_lease_but_not_after_a_stall(void **state)
{
    (void)state;
    struct scheduler *s = new_scheduler();
    uint32_t u = sched_add(s, 1, 0, 1);
    uint32_t p = join(s, 0, ROLE_GENERATE, 1, 4);
    next(s, 0);
    sched_tick(s, 0);
    sched_tick(s, 60000000); /* the caller stood still for a minute: grace */
    assert_int_equal(next(s, 60000000).kind, SCHED_IDLE);
    for (int64_t t = 61000000; t < 180000000; t += 1000000) {
        sched_heard(s, t, p);
        sched_tick(s, t);
    }
    sched_tick(s, 181000000);
    struct sched_action a = next(s, 181000000);
    assert_int_equal(a.kind, SCHED_BURY);
    assert_string_equal(a.class_name, "hung");
    /* Its result comes late all the same, and is accepted once. */
    assert_true(sched_result(s, 182000000, SCHED_NONE, u));
    assert_false(sched_result(s, 182000001, SCHED_NONE, u));
    sched_committed(s, u);
    uint32_t q = join(s, 182000000, ROLE_GENERATE, 1, 4);
    for (int64_t t = 183000000; t <= 192000000; t += 1000000)
        sched_tick(s, t);
    a = next(s, 192000000);
    assert_int_equal(a.kind, SCHED_BURY);
    assert_int_equal(a.peer, q);
    assert_string_equal(a.class_name, "silent");
    sched_free(&s);
}

static void nothing_is_leased_that_cannot_end_in_time(void **state)
{
    (void)state;
    struct scheduler *s = new_scheduler();
    struct sched_peer info = {.roles = ROLE_GENERATE, .host = 1, .end_us = 100000000};
    uint32_t u = sched_add(s, 1, 0, 1);
    uint32_t p = join(s, 0, ROLE_GENERATE, 1, 1);
    next(s, 0);
    assert_true(sched_result(s, 30000000, p, u)); /* such units take 30 s */
    sched_committed(s, u);
    sched_gone(s, 30000000, p, true);
    sched_add(s, 2, 0, 1);
    p = sched_join(s, 30000000, &info);
    sched_ready(s, 60000000, p, 1);
    assert_int_equal(next(s, 60000000).kind, SCHED_IDLE); /* 40 s left, 45 wanted */
    p = join(s, 60000000, ROLE_GENERATE, 1, 1);
    assert_int_equal(next(s, 60000000).kind, SCHED_LEASE);
    sched_free(&s);
}

static void retryable_failures_wait_longer_each_time_and_end(void **state)
{
    (void)state;
    struct scheduler *s = new_scheduler();
    uint32_t u = sched_add(s, 4, 0, 1);
    int64_t now = 0;
    int64_t waited = 0;
    int leases = 0;
    uint32_t p = join(s, now, ROLE_GENERATE, 1, 8);
    for (;;) {
        struct sched_action a = next(s, now);
        if (a.kind == SCHED_GIVE_UP)
            break;
        if (a.kind == SCHED_LEASE) {
            leases++;
            sched_failed(s, now, p, u, true);
            waited = now;
        }
        now += 100000;
        sched_heard(s, now, p);
        sched_tick(s, now);
        assert_true(now < 1000000000);
    }
    assert_int_equal(leases, 5);
    assert_in_range(waited, 15000000, 16000000); /* 1 + 2 + 4 + 8 s */
    sched_free(&s);
}

static void at_the_tail_an_idle_peer_gets_what_another_holds_in_reserve(void **state)
{
    (void)state;
    struct scheduler *s = new_scheduler();
    for (uint64_t i = 0; i < 8; i++)
        sched_add(s, i, 0, 1);
    uint32_t p = join(s, 0, ROLE_GENERATE, 1, 8);
    assert_int_equal(next(s, 0).n, 8);
    uint32_t q = join(s, 0, ROLE_GENERATE, 1, 8);
    struct sched_action a = next(s, 0);
    assert_int_equal(a.kind, SCHED_RETRACT);
    assert_int_equal(a.peer, p);
    assert_int_equal(a.n, 4);
    uint32_t back = a.units[0];
    sched_returned(s, 1, p, back);
    a = next(s, 1);
    assert_int_equal(a.kind, SCHED_LEASE);
    assert_int_equal(a.peer, q);
    assert_int_equal(a.units[0], back);
    sched_free(&s);
}

static void a_straggler_is_copied_to_another_host_and_the_first_answer_wins(void **state)
{
    (void)state;
    struct scheduler *s = new_scheduler();
    uint32_t p = join(s, 0, ROLE_GENERATE, 1, 1);
    uint32_t u = sched_add(s, 1, 0, 1);
    next(s, 0);
    assert_true(sched_result(s, 1000000, p, u));
    sched_committed(s, u);
    sched_ready(s, 1000000, p, 1);
    u = sched_add(s, 2, 0, 1);
    next(s, 1000000);
    uint32_t same = join(s, 1000000, ROLE_GENERATE, 1, 1);
    assert_int_equal(next(s, 30000000).kind, SCHED_IDLE); /* same host: would only slow it */
    uint32_t other = join(s, 30000000, ROLE_GENERATE, 2, 1);
    sched_drain(s, same);
    struct sched_action a = next(s, 30000000);
    assert_int_equal(a.kind, SCHED_LEASE);
    assert_int_equal(a.peer, other);
    assert_true(sched_result(s, 31000000, other, u));
    a = next(s, 31000000);
    assert_int_equal(a.kind, SCHED_CANCEL);
    assert_int_equal(a.peer, p);
    assert_false(sched_result(s, 31000001, p, u));
    sched_free(&s);
}

/* ---- random histories ---- */

enum { N_UNITS = 400, N_PEERS = 12, N_POISON = 2 };

struct sim_peer {
    bool exists; /* in the scheduler */
    uint32_t handle;
    uint32_t capacity;
    uint32_t held[64]; /* numbers of units, as the peer sees them */
    uint32_t n;
    uint64_t progress;
};

struct sim {
    struct scheduler *s;
    uint64_t rng;
    int64_t now;
    struct sim_peer peers[N_PEERS];
    uint32_t handle[N_UNITS]; /* SCHED_NONE: not in the scheduler */
    uint8_t committed[N_UNITS];
    uint8_t given_up[N_UNITS];
    uint32_t late[64]; /* results on their way from peers that are gone */
    uint32_t n_late;
    uint32_t added, ended;
    bool calm;
};

static uint32_t draw(struct sim *m, uint32_t n)
{
    m->rng = m->rng * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((m->rng >> 33) % n);
}

static bool poisonous(uint32_t unit)
{
    return unit % (N_UNITS / N_POISON) == 17;
}

static void die(struct sim *m, struct sim_peer *p, bool planned)
{
    /* Some of its results were on the wire already. */
    for (uint32_t i = 0; i < p->n && m->n_late < 64; i++)
        if (!poisonous(p->held[i]) && draw(m, 4) == 0)
            m->late[m->n_late++] = p->held[i];
    if (p->exists)
        sched_gone(m->s, m->now, p->handle, planned);
    p->exists = false;
    p->n = 0;
}

static void ready(struct sim *m, struct sim_peer *p)
{
    sched_ready(m->s, m->now, p->handle, p->capacity - p->n);
}

static void arrive(struct sim *m, struct sim_peer *p)
{
    struct sched_peer info = {.roles = ROLE_GENERATE | (draw(m, 2) ? ROLE_SCORE : 0),
                              .host = draw(m, 3),
                              .end_us = INT64_MAX};
    if (m->calm)
        info.roles = ROLE_GENERATE | ROLE_SCORE;
    *p = (struct sim_peer){.exists = true, .capacity = 1 + draw(m, 20)};
    p->handle = sched_join(m->s, m->now, &info);
    ready(m, p);
}

static void result(struct sim *m, uint32_t peer_handle, uint32_t unit)
{
    if (m->handle[unit] == SCHED_NONE || !sched_result(m->s, m->now, peer_handle, m->handle[unit]))
        return;
    if (!m->calm && draw(m, 30) == 0) { /* its record turns out to be bad */
        sched_failed(m->s, m->now, SCHED_NONE, m->handle[unit], true);
        return;
    }
    sched_committed(m->s, m->handle[unit]);
    m->handle[unit] = SCHED_NONE;
    m->committed[unit]++;
    m->ended++;
}

static void drop_held(struct sim_peer *p, uint32_t at)
{
    p->held[at] = p->held[--p->n];
}

/* A peer finishes something, or the poison works. */
static void work(struct sim *m, struct sim_peer *p)
{
    if (!p->exists || !p->n)
        return;
    for (uint32_t i = 0; i < p->n; i++)
        if (poisonous(p->held[i])) {
            die(m, p, false);
            return;
        }
    uint32_t at = draw(m, p->n);
    uint32_t unit = p->held[at];
    drop_held(p, at);
    sched_progress(m->s, m->now, p->handle, ++p->progress);
    result(m, p->handle, unit);
    if (draw(m, 3))
        ready(m, p);
}

static struct sim_peer *peer_of(struct sim *m, uint32_t handle)
{
    for (int i = 0; i < N_PEERS; i++)
        if (m->peers[i].exists && m->peers[i].handle == handle)
            return &m->peers[i];
    return NULL;
}

static uint32_t number_of(const struct sim *m, uint32_t handle)
{
    return (uint32_t)sched_unit_id(m->s, handle);
}

static void act(struct sim *m)
{
    struct sched_action a;
    for (sched_next(m->s, m->now, true, &a); a.kind != SCHED_IDLE;
         sched_next(m->s, m->now, true, &a)) {
        struct sim_peer *p = a.kind == SCHED_GIVE_UP ? NULL : peer_of(m, a.peer);
        if (a.kind == SCHED_GIVE_UP) {
            assert_int_equal(m->handle[a.id], a.units[0]);
            m->handle[a.id] = SCHED_NONE;
            m->given_up[a.id]++;
            m->ended++;
            continue;
        }
        if (a.kind == SCHED_BURY) {
            if (p) {
                p->exists = false; /* the scheduler let it go already */
                die(m, p, false);
            }
            continue;
        }
        assert_non_null(p);
        for (uint32_t i = 0; i < a.n; i++) {
            uint32_t unit = number_of(m, a.units[i]);
            uint32_t at = 0;
            while (at < p->n && p->held[at] != unit)
                at++;
            if (a.kind == SCHED_LEASE) {
                assert_true(p->n < p->capacity);
                p->held[p->n++] = unit;
            } else if (at < p->n) {
                drop_held(p, at);
                if (a.kind == SCHED_RETRACT)
                    sched_returned(m->s, m->now, p->handle, a.units[i]);
            }
        }
    }
}

static void random_event(struct sim *m)
{
    struct sim_peer *p = &m->peers[draw(m, N_PEERS)];
    switch (draw(m, 16)) {
    case 0:
        if (!p->exists)
            arrive(m, p);
        break;
    case 1:
        if (draw(m, 8) == 0)
            die(m, p, false);
        break;
    case 2:
        if (p->exists && draw(m, 4) == 0) {
            sched_drain(m->s, p->handle);
            die(m, p, true);
        }
        break;
    case 3:
        if (m->n_late)
            result(m, SCHED_NONE, m->late[--m->n_late]);
        break;
    case 4:
        if (p->exists && p->n) {
            uint32_t unit = p->held[p->n - 1];
            p->n--;
            if (m->handle[unit] != SCHED_NONE && !poisonous(unit) && draw(m, 10) == 0)
                sched_failed(m->s, m->now, p->handle, m->handle[unit], true);
            else if (m->handle[unit] != SCHED_NONE)
                sched_returned(m->s, m->now, p->handle, m->handle[unit]);
        }
        break;
    case 5:
        if (draw(m, 50) == 0)
            m->now += 30000000; /* a stall */
        else if (draw(m, 50) == 0)
            m->now -= 5000000; /* a clock that steps back */
        break;
    case 6:
    case 7:
        sched_tick(m->s, m->now);
        break;
    case 8:
        if (m->added < N_UNITS) {
            uint32_t u = m->added++;
            m->handle[u] = sched_add(m->s, u, u % 3, draw(m, 100));
        }
        break;
    case 9:
        if (p->exists)
            ready(m, p);
        break;
    default:
        work(m, p);
        break;
    }
    m->now += draw(m, 20000);
}

/* Peers that nobody speaks for are silent; the others are heard. */
static void heartbeat(struct sim *m)
{
    for (int i = 0; i < N_PEERS; i++)
        if (m->peers[i].exists && (m->calm || draw(m, 10)))
            sched_heard(m->s, m->now, m->peers[i].handle);
}

/* Calm weather: no more deaths but by poison. Everything must end. */
static void finish(struct sim *m)
{
    m->calm = true;
    for (int i = 0; i < N_PEERS; i++)
        die(m, &m->peers[i], true);
    for (int rounds = 0; m->ended < N_UNITS; rounds++) {
        assert_true(rounds < 20000);
        while (m->added < N_UNITS) {
            uint32_t u = m->added++;
            m->handle[u] = sched_add(m->s, u, u % 3, 1);
        }
        for (int i = 0; i < N_PEERS; i++) {
            if (!m->peers[i].exists)
                arrive(m, &m->peers[i]);
            ready(m, &m->peers[i]);
            work(m, &m->peers[i]);
        }
        heartbeat(m);
        sched_tick(m->s, m->now);
        act(m);
        m->now += 500000;
    }
}

static void play(uint64_t seed, long events)
{
    struct sim m = {.s = new_scheduler(), .rng = seed, .now = 1000000};
    memset(m.handle, 0xff, sizeof m.handle);
    for (long i = 0; i < events; i++) {
        random_event(&m);
        if (i % 7 == 0)
            heartbeat(&m);
        act(&m);
        if (i % 97 == 0)
            sched_check(m.s);
    }
    finish(&m);
    sched_check(m.s);
    uint32_t innocents = 0;
    for (uint32_t u = 0; u < N_UNITS; u++) {
        assert_int_equal(m.committed[u] + m.given_up[u], 1);
        if (poisonous(u))
            assert_int_equal(m.given_up[u], 1);
        innocents += !poisonous(u) && m.given_up[u];
    }
    /* Only three deaths alone or five failures may end an innocent: rare, and never by company. */
    assert_true(innocents <= 4);
    sched_free(&m.s);
}

static void random_histories_keep_every_promise(void **state)
{
    (void)state;
    const char *want = getenv("SCHED_EVENTS");
    long total = want ? strtol(want, NULL, 10) : 150000;
    uint64_t seed = 1;
    for (long played = 0; played < total; played += 5000)
        play(seed++ * 7919, 5000);
    print_message("%ld events in %llu histories\n", total, (unsigned long long)seed - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_longest_unit_is_leased_first_and_credits_bound_the_lease),
        cmocka_unit_test(roles_and_mapped_models_decide_who_gets_what),
        cmocka_unit_test(only_deaths_alone_count_and_three_give_a_unit_up),
        cmocka_unit_test(a_planned_leave_suspects_nobody),
        cmocka_unit_test(silence_and_standing_still_end_a_lease_but_not_after_a_stall),
        cmocka_unit_test(nothing_is_leased_that_cannot_end_in_time),
        cmocka_unit_test(retryable_failures_wait_longer_each_time_and_end),
        cmocka_unit_test(at_the_tail_an_idle_peer_gets_what_another_holds_in_reserve),
        cmocka_unit_test(a_straggler_is_copied_to_another_host_and_the_first_answer_wins),
        cmocka_unit_test(random_histories_keep_every_promise),
    };
    return cmocka_run_group_tests_name("scheduler", tests, NULL, NULL);
}
