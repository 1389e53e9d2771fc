/* The scheduler: single rules by hand, then random histories against its invariants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/dispatch/scheduler.h"
#include "proto/clock.h"
#include "proto/mem.h"
#include "proto/unit.h"

#define SEC INT64_C(1000000)

static const struct sched_config config = {
    .no_progress_us = 120 * SEC, .silence_us = 8 * SEC, .max_fails = 4, .solo_deaths = 3};
static const struct px_digest no_model;

static struct px_digest key_of(uint64_t i)
{
    struct px_digest d = {{0}};
    for (int k = 0; k < 4; k++) { /* cheap and well spread */
        i = (i + 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
        i ^= i >> 29;
        memcpy(d.b + 8 * k, &i, 8);
    }
    return d;
}

static uint32_t join(struct sched *s, unsigned roles, uint32_t credits, int64_t now)
{
    struct sched_peer info = {.roles = roles, .host = 1, .credits = credits, .end_us = INT64_MAX};
    return sched_join(s, &info, now);
}

/* All leases that are to be had now; returns how many units the peer got. */
static uint32_t granted(struct sched *s, int64_t now, uint32_t peer, uint32_t *slots)
{
    struct sched_action a;
    uint32_t n = 0;
    while (sched_next(s, now, &a))
        if (a.kind == SCHED_GRANT && a.peer == peer)
            for (uint32_t i = 0; i < a.n; i++)
                slots[n++] = a.slots[i];
    return n;
}

static struct sched *with_units(uint32_t n, uint32_t *job)
{
    struct sched *s = sched_new(&config);
    *job = sched_add_job(s, ROLE_GENERATE, &no_model);
    for (uint32_t i = 0; i < n; i++) {
        struct px_digest k = key_of(i);
        assert_int_not_equal(sched_add_unit(s, i, &k, *job, 1 + i), SCHED_NONE);
    }
    return s;
}

static struct px_digest key_at(struct sched *s, uint32_t slot)
{
    struct sched_unit u;
    sched_get_unit(s, slot, &u);
    return u.key;
}

static void credits_bound_what_is_leased_and_long_ones_go_first(void **state)
{
    (void)state;
    uint32_t job, got[64], slot;
    struct sched_unit u;
    struct sched *s = with_units(10, &job);
    uint32_t p = join(s, ROLE_GENERATE, 4, 0);
    assert_int_equal(granted(s, 0, p, got), 4);
    for (uint32_t i = 0; i < 4; i++) { /* costs 8, 9 and 10 as they came, then 4 */
        sched_get_unit(s, got[i], &u);
        assert_int_equal(u.id, i < 3 ? 7 + i : 3);
    }
    assert_int_equal(granted(s, 1, p, got + 4), 0);
    struct px_digest k = key_at(s, got[0]);
    assert_int_equal(sched_done(s, p, &k, 5, &slot), SCHED_ACCEPTED);
    assert_int_equal(slot, got[0]);
    assert_int_equal(sched_done(s, p, &k, 5, &slot), SCHED_PENDING);
    sched_forget(s, slot);
    assert_int_equal(sched_done(s, p, &k, 5, &slot), SCHED_UNKNOWN);
    assert_int_equal(granted(s, 6, p, got), 1);
    assert_int_equal(sched_in_flight(s, p), 4);
    sched_credits(s, p, 6);
    assert_int_equal(granted(s, 7, p, got), 2);
    sched_free(&s);
}

static void the_same_key_is_taken_once(void **state)
{
    (void)state;
    uint32_t job;
    struct sched *s = with_units(1, &job);
    struct px_digest k = key_of(0);
    assert_int_equal(sched_add_unit(s, 99, &k, job, 1), SCHED_NONE);
    sched_free(&s);
}

static void roles_are_kept_apart_and_peers_stay_with_their_model(void **state)
{
    (void)state;
    struct sched *s = sched_new(&config);
    struct px_digest a = key_of(1000), b = key_of(1001);
    uint32_t ja = sched_add_job(s, ROLE_GENERATE, &a), jb = sched_add_job(s, ROLE_GENERATE, &b);
    uint32_t js = sched_add_job(s, ROLE_SCORE, &no_model), got[8];
    struct sched_unit u;
    for (uint64_t i = 0; i < 30; i++) {
        struct px_digest k = key_of(i);
        sched_add_unit(s, i, &k, i % 3 == 0 ? ja : i % 3 == 1 ? jb : js, 1);
    }
    uint32_t p1 = join(s, ROLE_GENERATE, 1, 0), p2 = join(s, ROLE_GENERATE, 1, 0);
    uint32_t first[3] = {SCHED_NONE, SCHED_NONE, SCHED_NONE};
    struct sched_action act;
    while (sched_next(s, 0, &act))
        first[act.peer] = act.slots[0];
    struct sched_unit u1, u2;
    sched_get_unit(s, first[p1], &u1);
    sched_get_unit(s, first[p2], &u2);
    assert_int_not_equal(u1.job, u2.job); /* two models, two peers */
    uint32_t at = first[p1], slot;
    for (int i = 0; i < 9; i++) {
        struct px_digest k = key_at(s, at);
        sched_done(s, p1, &k, 10 + i, &slot);
        sched_forget(s, slot);
        assert_int_equal(granted(s, 10 + i, p1, got), 1);
        sched_get_unit(s, got[0], &u);
        assert_int_equal(u.job, u1.job);
        at = got[0];
    }
    uint32_t t = join(s, ROLE_SCORE, 2, 0);
    assert_int_equal(granted(s, 100, t, got), 2);
    sched_get_unit(s, got[0], &u);
    assert_int_equal(u.job, js);
    sched_free(&s);
}

static void the_last_units_are_spread_evenly(void **state)
{
    (void)state;
    uint32_t job, n[2] = {0, 0};
    struct sched_action a;
    struct sched *s = with_units(10, &job);
    join(s, ROLE_GENERATE, 16, 0);
    join(s, ROLE_GENERATE, 16, 0);
    while (sched_next(s, 0, &a))
        n[a.peer] += a.n;
    assert_int_equal(n[0], 5);
    assert_int_equal(n[1], 5);
    sched_free(&s);
}

static void a_planned_end_blames_nobody(void **state)
{
    (void)state;
    uint32_t job, got[16];
    struct sched *s = with_units(8, &job);
    struct sched_unit u;
    for (int round = 0; round < 10; round++) {
        uint32_t p = join(s, ROLE_GENERATE, 8, 0);
        assert_int_equal(granted(s, round, p, got), 8);
        if (round % 2)
            sched_drain(s, p);
        sched_remove(s, p, round % 2 ? SCHED_CRASHED : SCHED_LEFT, round);
    }
    sched_get_unit(s, got[0], &u);
    assert_int_equal(u.solo_deaths, 0);
    sched_free(&s);
}

/* One poisoned unit among good ones; every peer that runs it dies. Returns the deaths. */
static int play_poison(uint32_t n_units, uint32_t credits, uint64_t poison, enum sched_end how,
                       uint32_t n_peers)
{
    uint32_t job, slot, n_done = 0;
    int deaths = 0, given_up = 0;
    struct sched *s = with_units(n_units, &job);
    struct sched_action a;
    struct sched_unit u;
    int64_t now = 0;
    for (uint32_t i = 0; i < n_peers; i++)
        join(s, ROLE_GENERATE, credits, now);
    while (n_done + (uint32_t)given_up < n_units) {
        now += SEC / 10;
        for (uint32_t i = 0; i < n_peers; i++)
            sched_heard(s, i, now);
        assert_true(now < 3600 * SEC);
        if (!sched_next(s, now, &a))
            continue;
        if (a.kind == SCHED_GIVE_UP) {
            sched_get_unit(s, a.slots[0], &u);
            assert_int_equal(u.id, poison);
            assert_string_equal(a.reason, "deaths");
            sched_forget(s, a.slots[0]);
            given_up++;
        }
        if (a.kind != SCHED_GRANT)
            continue;
        struct px_digest keys[64];
        bool dies = false;
        for (uint32_t i = 0; i < a.n; i++) {
            sched_get_unit(s, a.slots[i], &u);
            keys[i] = u.key;
            dies |= u.id == poison;
        }
        if (dies) {
            deaths++;
            sched_remove(s, a.peer, how, now);
            assert_int_equal(join(s, ROLE_GENERATE, credits, now), a.peer);
            continue;
        }
        for (uint32_t i = 0; i < a.n; i++) {
            assert_int_equal(sched_done(s, a.peer, &keys[i], now, &slot), SCHED_ACCEPTED);
            sched_forget(s, slot);
            n_done++;
        }
    }
    assert_int_equal(given_up, 1);
    sched_free(&s);
    return deaths;
}

static void a_poisoned_unit_is_found_by_halves_and_alone_is_quarantined(void **state)
{
    (void)state;
    /* 16 -> 8 -> 4 -> 2 -> then alone, three times */
    assert_true(play_poison(1000, 16, 777, SCHED_CRASHED, 1) <= 4 + 3);
    assert_true(play_poison(1000, 16, 3, SCHED_HUNG, 2) <= 4 + 3);
    assert_int_equal(play_poison(1, 16, 0, SCHED_CRASHED, 1), 3);
    /* kills from outside weigh a third */
    assert_int_equal(play_poison(1, 16, 0, SCHED_KILLED, 1), 9);
}

static void suspects_run_apart_from_other_work(void **state)
{
    (void)state;
    uint32_t job, got[32], slot;
    struct sched *s = with_units(40, &job);
    uint32_t p = join(s, ROLE_GENERATE, 8, 0), q = join(s, ROLE_GENERATE, 8, 0);
    assert_int_equal(granted(s, 0, p, got), 8);
    sched_remove(s, p, SCHED_CRASHED, 1); /* q is busy: its places are not filled with suspects */
    p = join(s, ROLE_GENERATE, 8, 2);
    assert_int_equal(granted(s, 2, p, got), 4); /* a half, and nothing beside it */
    assert_int_equal(granted(s, 3, p, got), 0);
    for (int i = 0; i < 4; i++) {
        struct px_digest k = key_at(s, got[i]);
        assert_int_equal(sched_done(s, p, &k, 4, &slot), SCHED_ACCEPTED);
        sched_forget(s, slot);
        if (i < 3)
            assert_int_equal(granted(s, 4, p, got + 8), 0);
    }
    assert_int_equal(granted(s, 5, p, got), 4); /* the other half */
    (void)q;
    sched_free(&s);
}

static void failures_wait_longer_each_time_and_end(void **state)
{
    (void)state;
    uint32_t job, got[4];
    struct sched *s = with_units(1, &job);
    struct sched_action a;
    uint32_t p = join(s, ROLE_GENERATE, 1, 0);
    int64_t now = 0, waited[4] = {0};
    struct px_digest k = key_of(0);
    for (int round = 0; round < 4; round++) {
        int64_t from = now;
        while (granted(s, now, p, got) == 0) {
            now += SEC / 20;
            sched_heard(s, p, now);
        }
        waited[round] = now - from;
        assert_int_equal(sched_failed(s, p, &k, SCHED_FAULT_IO, now), got[0]);
    }
    assert_true(waited[1] >= SEC / 2 && waited[2] > waited[1] && waited[3] > waited[2]);
    assert_true(sched_next(s, now, &a));
    assert_int_equal(a.kind, SCHED_GIVE_UP);
    assert_string_equal(a.reason, "failures");
    sched_free(&s);
}

static void
a_model_that_one_peer_refuses_goes_to_another_and_is_given_up_when_all_refuse(void **state)
{
    (void)state;
    uint32_t job, got[4];
    struct sched *s = with_units(2, &job);
    struct sched_action a;
    uint32_t p = join(s, ROLE_GENERATE, 1, 0);
    assert_int_equal(granted(s, 0, p, got), 1);
    struct px_digest k = key_at(s, got[0]);
    uint32_t q = join(s, ROLE_GENERATE, 1, 0);
    assert_int_equal(sched_failed(s, p, &k, SCHED_FAULT_MODEL, 1), got[0]);
    assert_int_equal(granted(s, 2, q, got), 1);
    k = key_at(s, got[0]);
    sched_failed(s, q, &k, SCHED_FAULT_MODEL, 3);
    int given_up = 0;
    while (sched_next(s, 4, &a)) {
        assert_int_equal(a.kind, SCHED_GIVE_UP);
        assert_string_equal(a.reason, "no-peer");
        given_up++;
    }
    assert_int_equal(given_up, 2);
    sched_free(&s);
}

static void silence_and_hanging_end_leases_but_not_after_our_own_stall(void **state)
{
    (void)state;
    uint32_t job, got[8];
    struct sched *s = with_units(2, &job);
    struct sched_action a;
    uint32_t p = join(s, ROLE_GENERATE, 2, 0);
    assert_int_equal(granted(s, 0, p, got), 2);
    sched_stalled(s, 100 * SEC); /* we slept: nobody is judged */
    assert_false(sched_next(s, 100 * SEC, &a));
    assert_false(sched_next(s, 107 * SEC, &a));
    assert_true(sched_next(s, 109 * SEC, &a));
    assert_int_equal(a.kind, SCHED_LOST);
    assert_int_equal(a.how, SCHED_SILENT);
    p = join(s, ROLE_GENERATE, 2, 110 * SEC);
    assert_int_equal(granted(s, 110 * SEC, p, got), 1);
    int64_t now = 110 * SEC;
    for (; now < 225 * SEC; now += SEC) {
        sched_progress(s, p, (uint64_t)(now < 112 * SEC), now);
        assert_false(sched_next(s, now, &a));
    }
    for (; now < 240 * SEC && !sched_next(s, now, &a); now += SEC)
        sched_progress(s, p, 0, now);
    assert_int_equal(a.kind, SCHED_LOST);
    assert_int_equal(a.how, SCHED_HUNG);
    sched_free(&s);
}

static void a_late_result_is_accepted_once_and_the_new_holder_is_told(void **state)
{
    (void)state;
    uint32_t job, got[8], slot;
    struct sched *s = with_units(1, &job);
    struct sched_action a;
    uint32_t p = join(s, ROLE_GENERATE, 1, 0);
    assert_int_equal(granted(s, 0, p, got), 1);
    struct px_digest k = key_at(s, got[0]);
    sched_remove(s, p, SCHED_SILENT, 1);
    uint32_t q = join(s, ROLE_GENERATE, 1, 1);
    assert_int_equal(granted(s, 2, q, got), 1);
    assert_int_equal(sched_done(s, SCHED_NONE, &k, 3, &slot), SCHED_ACCEPTED);
    assert_true(sched_next(s, 3, &a));
    assert_int_equal(a.kind, SCHED_CANCEL);
    assert_int_equal(a.peer, q);
    assert_true(px_digest_eq(a.keys, &k));
    assert_int_equal(sched_done(s, q, &k, 4, &slot), SCHED_PENDING);
    assert_int_equal(sched_in_flight(s, q), 0);
    sched_free(&s);
}

static void units_that_outlived_a_coordinator_stay_where_they_run(void **state)
{
    (void)state;
    uint32_t job, got[8];
    struct sched *s = with_units(3, &job);
    struct sched_action a;
    uint32_t p = join(s, ROLE_GENERATE, 2, 0);
    struct px_digest held = key_of(1), strange = key_of(77);
    sched_holds(s, p, &held, 0);
    sched_holds(s, p, &strange, 0);
    assert_true(sched_next(s, 0, &a));
    assert_int_equal(a.kind, SCHED_CANCEL);
    assert_true(px_digest_eq(a.keys, &strange));
    assert_int_equal(granted(s, 0, p, got), 1);
    uint32_t q = join(s, ROLE_GENERATE, 2, 0);
    assert_int_equal(granted(s, 0, q, got), 1); /* the third: none of them is that one */
    assert_false(px_digest_eq(&held, &(struct px_digest){{0}}));
    struct px_digest k = key_at(s, got[0]);
    assert_false(px_digest_eq(&k, &held));
    sched_free(&s);
}

static void prefetched_units_are_asked_back_for_an_idle_peer(void **state)
{
    (void)state;
    uint32_t job, got[16];
    struct sched *s = with_units(8, &job);
    struct sched_action a;
    uint32_t p = join(s, ROLE_GENERATE, 8, 0);
    assert_int_equal(granted(s, 0, p, got), 8);
    uint32_t q = join(s, ROLE_GENERATE, 8, 0);
    assert_false(sched_next(s, 1000, &a)); /* fresh leases are left alone */
    assert_true(sched_next(s, SEC, &a));
    assert_int_equal(a.kind, SCHED_RETRACT);
    assert_int_equal(a.peer, p);
    assert_int_equal(a.n, 4);
    struct px_digest k = key_at(s, a.slots[0]);
    assert_false(sched_next(s, 2 * SEC, &a)); /* asked once */
    sched_returned(s, p, &k, 2 * SEC);
    assert_int_equal(granted(s, 2 * SEC, q, got), 1);
    sched_free(&s);
}

static void a_straggler_is_doubled_on_another_host_only(void **state)
{
    (void)state;
    uint32_t job, got[16], slot;
    struct sched *s = with_units(6, &job);
    struct sched_action a;
    uint32_t p = join(s, ROLE_GENERATE, 6, 0);
    assert_int_equal(granted(s, 0, p, got), 6);
    for (int i = 0; i < 5; i++) {
        struct px_digest k = key_at(s, got[i]);
        sched_done(s, p, &k, SEC, &slot);
        sched_forget(s, slot);
    }
    struct px_digest last = key_at(s, got[5]);
    join(s, ROLE_GENERATE, 1, SEC);
    for (int64_t t = SEC; t < 30 * SEC; t += SEC) {
        sched_heard(s, 0, t);
        sched_heard(s, 1, t);
        assert_false(sched_next(s, t, &a));
    }
    struct sched_peer far = {.roles = ROLE_GENERATE, .host = 2, .credits = 1, .end_us = INT64_MAX};
    uint32_t q = sched_join(s, &far, 30 * SEC);
    assert_int_equal(granted(s, 30 * SEC, q, got), 1);
    assert_false(sched_next(s, 31 * SEC, &a)); /* one copy */
    assert_int_equal(sched_done(s, q, &last, 32 * SEC, &slot), SCHED_ACCEPTED);
    assert_true(sched_next(s, 32 * SEC, &a));
    assert_int_equal(a.kind, SCHED_CANCEL);
    assert_int_equal(a.peer, p);
    sched_free(&s);
}

static void nothing_is_leased_that_cannot_finish_before_the_end(void **state)
{
    (void)state;
    uint32_t job, got[16], slot;
    struct sched *s = with_units(40, &job);
    uint32_t p = join(s, ROLE_GENERATE, 1, 0);
    int64_t now = 0;
    for (int i = 0; i < 5; i++) { /* one second per unit of cost */
        assert_int_equal(granted(s, now, p, got), 1);
        struct sched_unit u;
        sched_get_unit(s, got[0], &u);
        now += (int64_t)(u.id + 1) * SEC;
        sched_stalled(s, now);
        sched_done(s, p, &u.key, now, &slot);
        sched_forget(s, slot);
    }
    sched_remove(s, p, SCHED_LEFT, now);
    struct sched_peer ending = {
        .roles = ROLE_GENERATE, .host = 1, .credits = 1, .end_us = now + 47 * SEC};
    p = sched_join(s, &ending, now);
    assert_int_equal(granted(s, now, p, got), 1);
    struct sched_unit u;
    sched_get_unit(s, got[0], &u);
    assert_true(1.5 * (double)(u.id + 1) < 45 && u.id + 1 >= 16); /* still a long one */
    sched_free(&s);
}

/* ---- random histories ---- */

enum { MOST_PEERS = 12, MOST_HELD = 64 };

struct sim_peer {
    bool joined;
    bool mute; /* stopped: says nothing, may come back */
    uint32_t credits;
    uint64_t held[MOST_HELD];
    uint32_t n_held;
};

struct sim {
    struct sched *s;
    uint64_t seed;
    uint64_t n_units, added, finished, given_up;
    uint8_t *accepted; /* per unit: accepted or given up */
    struct sim_peer peer[MOST_PEERS];
    uint64_t late[256]; /* units that lost peers may still answer for */
    uint32_t n_late;
    uint32_t pending[4096]; /* slots whose commit is under way */
    uint32_t n_pending;
    int64_t now;
    uint32_t jobs[6];
    bool calm;
};

static uint64_t rnd(struct sim *m)
{
    m->seed ^= m->seed << 13;
    m->seed ^= m->seed >> 7;
    m->seed ^= m->seed << 17;
    return m->seed;
}

static void remember_late(struct sim *m, uint64_t unit)
{
    m->late[m->n_late < 256 ? m->n_late++ : rnd(m) % 256] = unit;
}

static void lose(struct sim *m, uint32_t i)
{
    struct sim_peer *p = &m->peer[i];
    for (uint32_t k = 0; k < p->n_held; k++)
        remember_late(m, p->held[k]);
    memset(p, 0, sizeof *p);
}

static bool take_held(struct sim_peer *p, uint64_t unit)
{
    for (uint32_t k = 0; k < p->n_held; k++) {
        if (p->held[k] == unit) {
            p->held[k] = p->held[--p->n_held];
            return true;
        }
    }
    return false;
}

static void answer(struct sim *m, uint32_t peer, uint64_t unit)
{
    struct px_digest k = key_of(unit);
    uint32_t slot;
    enum sched_answer a = sched_done(m->s, peer, &k, m->now, &slot);
    if (a != SCHED_ACCEPTED) {
        assert_true(m->accepted[unit]); /* nothing is lost: it had been taken before */
        return;
    }
    assert_false(m->accepted[unit]);
    if (rnd(m) % 64 == 0) { /* the record is no good */
        sched_rejected(m->s, slot, m->now);
        return;
    }
    m->accepted[unit] = 1;
    m->pending[m->n_pending++] = slot;
}

static void commit_all(struct sim *m)
{
    while (m->n_pending > 0) {
        sched_forget(m->s, m->pending[--m->n_pending]);
        m->finished++;
    }
}

static void carry_out(struct sim *m)
{
    struct sched_action a;
    struct sched_unit u;
    int guard = 0;
    while (sched_next(m->s, m->now, &a)) {
        assert_true(guard++ < 100000);
        struct sim_peer *p = a.peer < MOST_PEERS ? &m->peer[a.peer] : NULL;
        if (a.kind == SCHED_GRANT) {
            assert_true(p->joined);
            for (uint32_t i = 0; i < a.n; i++) {
                sched_get_unit(m->s, a.slots[i], &u);
                assert_false(m->accepted[u.id]);
                assert_int_equal(u.job, a.job);
                p->held[p->n_held++] = u.id;
            }
            assert_true(p->n_held <= p->credits);
            assert_true(sched_in_flight(m->s, a.peer) <= p->credits);
        } else if (a.kind == SCHED_CANCEL) {
            for (uint32_t k = 0; k < p->n_held; k++) {
                struct px_digest d = key_of(p->held[k]);
                if (px_digest_eq(&d, a.keys))
                    p->held[k--] = p->held[--p->n_held];
            }
        } else if (a.kind == SCHED_RETRACT) {
            struct px_digest back[64];
            uint32_t n = 0;
            for (uint32_t i = 0; i < a.n; i++) {
                sched_get_unit(m->s, a.slots[i], &u);
                if (rnd(m) % 2 && take_held(p, u.id))
                    back[n++] = u.key;
            }
            for (uint32_t i = 0; i < n; i++)
                sched_returned(m->s, a.peer, &back[i], m->now);
        } else if (a.kind == SCHED_GIVE_UP) {
            sched_get_unit(m->s, a.slots[0], &u);
            assert_false(m->accepted[u.id]);
            m->accepted[u.id] = 1;
            m->pending[m->n_pending++] = a.slots[0];
            m->given_up++;
        } else {
            assert_true(p->joined);
            lose(m, a.peer);
        }
        if (m->n_pending > 4000)
            commit_all(m);
    }
    for (uint32_t i = 0; i < MOST_PEERS; i++)
        if (m->peer[i].joined)
            assert_int_equal(m->peer[i].n_held, sched_in_flight(m->s, i));
}

static void add_units(struct sim *m, uint64_t n)
{
    for (uint64_t i = 0; i < n && m->added < m->n_units; i++, m->added++) {
        struct px_digest k = key_of(m->added);
        uint32_t slot =
            sched_add_unit(m->s, m->added, &k, m->jobs[rnd(m) % 6], (double)(rnd(m) % 100));
        assert_int_not_equal(slot, SCHED_NONE);
    }
}

static void somebody_joins(struct sim *m)
{
    static const unsigned roles[] = {ROLE_GENERATE | ROLE_STAGE, ROLE_GENERATE | ROLE_STAGE,
                                     ROLE_SCORE, ROLE_GENERATE | ROLE_SCORE | ROLE_STAGE};
    int n = 0;
    for (int i = 0; i < MOST_PEERS; i++)
        n += m->peer[i].joined;
    if (n >= MOST_PEERS - 1)
        return;
    struct sched_peer info = {.roles = roles[rnd(m) % 4],
                              .host = rnd(m) % 3,
                              .credits = (uint32_t)(1 + rnd(m) % 20),
                              .end_us = m->calm || rnd(m) % 8 ? INT64_MAX : m->now + 60 * SEC};
    uint32_t i = sched_join(m->s, &info, m->now);
    assert_true(i < MOST_PEERS && !m->peer[i].joined);
    m->peer[i].joined = true;
    m->peer[i].credits = info.credits;
    for (int k = 0; k < 3 && m->n_late > 0; k++) { /* it still works on something, it says */
        uint64_t unit = m->late[rnd(m) % m->n_late];
        struct px_digest key = key_of(unit);
        uint32_t before = sched_in_flight(m->s, i);
        sched_holds(m->s, i, &key, m->now);
        if (sched_in_flight(m->s, i) > before)
            m->peer[i].held[m->peer[i].n_held++] = unit;
    }
}

static void trouble(struct sim *m, uint32_t i)
{
    struct sim_peer *p = &m->peer[i];
    switch (rnd(m) % 8) {
    case 0: /* dies, for one reason or another */
        sched_remove(m->s, i, (enum sched_end)(rnd(m) % 5), m->now);
        lose(m, i);
        break;
    case 1:
        p->mute = !p->mute;
        break;
    case 2:
        sched_drain(m->s, i);
        break;
    case 3: /* fewer places than it has units: nothing more until some are done */
        p->credits = (uint32_t)(rnd(m) % 20);
        if (p->credits < p->n_held)
            p->credits = p->n_held;
        sched_credits(m->s, i, p->credits);
        break;
    case 4:
        m->now += (int64_t)(rnd(m) % 200) * SEC; /* we slept */
        sched_stalled(m->s, m->now);
        break;
    default:
        if (p->n_held > 0) {
            uint64_t unit = p->held[rnd(m) % p->n_held];
            struct px_digest k = key_of(unit);
            take_held(p, unit);
            if (rnd(m) % 2)
                sched_returned(m->s, i, &k, m->now);
            else
                sched_failed(m->s, i, &k, (enum sched_fault)(rnd(m) % 5), m->now);
        }
    }
}

static void one_event(struct sim *m, bool faults)
{
    uint32_t i = (uint32_t)(rnd(m) % MOST_PEERS);
    struct sim_peer *p = &m->peer[i];
    uint64_t dice = rnd(m) % 1000;
    m->now += (int64_t)(rnd(m) % 20000);
    for (uint32_t k = 0; k < MOST_PEERS; k++)
        if (m->peer[k].joined && (!m->peer[k].mute || !faults))
            sched_progress(m->s, k, rnd(m), m->now);
    if (!p->joined) {
        somebody_joins(m);
    } else if (faults && dice < 25) {
        trouble(m, i);
    } else if (faults && dice < 40 && m->n_late > 0) {
        uint64_t unit = m->late[rnd(m) % m->n_late];
        uint32_t from = rnd(m) % 2 ? SCHED_NONE : i;
        if (from == i)
            take_held(p, unit); /* it may have been leased the same one again */
        answer(m, from, unit);
    } else if (!p->mute || !faults) {
        for (uint64_t k = rnd(m) % 6; k > 0 && p->n_held > 0; k--) {
            uint64_t unit = p->held[rnd(m) % p->n_held];
            take_held(p, unit);
            answer(m, i, unit);
            if (rnd(m) % 32 == 0)
                answer(m, i, unit); /* said twice */
        }
    }
    if (dice % 10 == 0)
        add_units(m, rnd(m) % 40);
    if (dice % 7 == 0)
        commit_all(m);
    carry_out(m);
}

static void check_counts(struct sim *m)
{
    struct sched_counts c;
    sched_counts(m->s, &c);
    assert_int_equal(c.ready + c.leased + c.pending + m->finished, m->added);
    assert_int_equal(c.pending, m->n_pending);
    uint64_t leases = 0;
    for (uint32_t i = 0; i < MOST_PEERS; i++)
        if (m->peer[i].joined)
            leases += sched_in_flight(m->s, i);
    assert_true(c.leased <= leases);
}

static void play(uint64_t seed, uint64_t events)
{
    struct sim *m = px_xcalloc(1, sizeof *m);
    m->seed = seed * 2654435761u + 1;
    m->s = sched_new(&config);
    m->n_units = events;
    m->accepted = px_xcalloc(m->n_units, 1);
    for (uint64_t i = 0; i < 6; i++) {
        struct px_digest model = key_of(i % 3);
        unsigned role = i < 3 ? ROLE_GENERATE : i < 5 ? ROLE_SCORE : ROLE_STAGE;
        m->jobs[i] = sched_add_job(m->s, role, i < 3 ? &model : &no_model);
    }
    for (uint64_t e = 0; e < events; e++) {
        one_event(m, true);
        if (e % 1024 == 0)
            check_counts(m);
    }
    /* Calm: everybody goes home, fresh peers come, and all units must come to their end. */
    m->n_units = m->added;
    m->calm = true;
    for (uint32_t i = 0; i < MOST_PEERS; i++) {
        if (m->peer[i].joined) {
            sched_remove(m->s, i, SCHED_LEFT, m->now);
            lose(m, i);
        }
    }
    for (uint64_t e = 0; m->finished < m->added; e++) {
        if (e > 200000 + 40 * m->added)
            fail_msg("no progress: seed %llu", (unsigned long long)seed);
        m->now += SEC / 20;
        one_event(m, false);
        commit_all(m);
    }
    check_counts(m);
    free(m->accepted);
    sched_free(&m->s);
    free(m);
}

static void no_history_loses_doubles_or_stalls_a_unit(void **state)
{
    (void)state;
    const char *want = getenv("SCHED_EVENTS");
    uint64_t events = want ? strtoull(want, NULL, 10) : 100000;
    uint64_t seed = 1, chunk = 20000;
    int64_t begin = clk_now_us();
    for (uint64_t done = 0; done < events; done += chunk)
        play(seed++, chunk);
    printf("%llu random events in %.2f s, seeds 1 to %llu\n", (unsigned long long)events,
           (double)(clk_now_us() - begin) / 1e6, (unsigned long long)(seed - 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(credits_bound_what_is_leased_and_long_ones_go_first),
        cmocka_unit_test(the_same_key_is_taken_once),
        cmocka_unit_test(roles_are_kept_apart_and_peers_stay_with_their_model),
        cmocka_unit_test(the_last_units_are_spread_evenly),
        cmocka_unit_test(a_planned_end_blames_nobody),
        cmocka_unit_test(a_poisoned_unit_is_found_by_halves_and_alone_is_quarantined),
        cmocka_unit_test(suspects_run_apart_from_other_work),
        cmocka_unit_test(failures_wait_longer_each_time_and_end),
        cmocka_unit_test(
            a_model_that_one_peer_refuses_goes_to_another_and_is_given_up_when_all_refuse),
        cmocka_unit_test(silence_and_hanging_end_leases_but_not_after_our_own_stall),
        cmocka_unit_test(a_late_result_is_accepted_once_and_the_new_holder_is_told),
        cmocka_unit_test(units_that_outlived_a_coordinator_stay_where_they_run),
        cmocka_unit_test(prefetched_units_are_asked_back_for_an_idle_peer),
        cmocka_unit_test(a_straggler_is_doubled_on_another_host_only),
        cmocka_unit_test(nothing_is_leased_that_cannot_finish_before_the_end),
        cmocka_unit_test(no_history_loses_doubles_or_stalls_a_unit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
