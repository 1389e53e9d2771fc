/* session.c - `proctor-tester --connect`: score units from a coordinator, verdicts back.
 *
 * The pool's zygotes exist before the peer's thread does. Units wait here, not in the pool, so that
 * they can be given back; the pool holds twice its slots. One thread calls pool and peer. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "proto/number.h"
#include "proto/peer.h"
#include "sandbox/judge.h"
#include "sandbox/pool.h"
#include "sandbox/score/score.h"

#define TICK_MS 500
#define PREFETCH 28

struct shared_job { /* the head that units of one lease share */
    struct job job;
    struct scorer scorer;
    unsigned refs;
};

struct item {
    struct session *session;
    struct shared_job *job;
    uint64_t lease;
    struct unit unit;
    bool running, cancelled, settled;
    struct verdict verdict;
    struct program program;
    struct item *next;
};

struct session {
    struct pool *pool;
    struct peer *peer;
    struct item *items; /* oldest first */
    unsigned n_items, credits;
    uint64_t progress;
    int64_t end_time_us;
    int signal_fd;
    bool draining, stop;
    int exit_code;
    char host[256];
};

struct options {
    struct peer_config peer;
    struct pool_config pool;
};

static void job_release(struct shared_job **j)
{
    if (--(*j)->refs == 0) {
        job_clear(&(*j)->job);
        scorer_clear(&(*j)->scorer);
        free(*j);
    }
    *j = NULL;
}

static void item_free(struct item *it)
{
    unit_clear(&it->unit);
    verdict_clear(&it->verdict);
    program_clear(&it->program);
    job_release(&it->job);
    free(it);
}

static void unlink_item(struct session *s, struct item *it)
{
    struct item **at = &s->items;
    while (*at != it)
        at = &(*at)->next;
    *at = it->next;
    s->n_items--;
}

static void moved(struct session *s)
{
    peer_progress(s->peer, ++s->progress);
}

static void send_verdict(struct session *s, struct item *it)
{
    struct px_buf b;
    px_buf_init(&b, UNIT_LIMIT);
    struct verdict *v = &it->verdict;
    free(v->jail);
    free(v->host);
    v->jail = px_xstrdup(pool_jail_json(s->pool));
    v->host = px_xstrdup(s->host);
    v->wall_us = clk_wall_us();
    verdict_encode(v, &b);
    if (b.overflow)
        peer_fail(s->peer, it->lease, &it->unit.key, false, "too_big", "the verdict is too large");
    else
        peer_done(s->peer, it->lease, &it->unit.key, b.data, b.len);
    px_buf_clear(&b);
    moved(s);
}

static void on_run(void *context, const struct run_result *r)
{
    struct item *it = context;
    struct session *s = it->session;
    const struct outcome *o = &r->outcome;
    if (it->cancelled) {
        moved(s);
    } else if (o->class == VERDICT_SANDBOX_ERROR) {
        peer_fail(s->peer, it->lease, &it->unit.key, !o->task_at_fault,
                  o->task_at_fault ? "bad_task" : "sandbox_error", o->detail);
        moved(s);
    } else {
        score_end(&it->job->scorer, r, &it->verdict);
        send_verdict(s, it);
    }
    it->settled = true;
}

/* Starts a waiting unit: its verdict is sent at once, or its program goes to the pool. */
static void start(struct session *s, struct item *it)
{
    struct px_err err;
    struct completion c;
    bool runs = false;
    it->running = true;
    if (s->end_time_us > 0 && clk_wall_us() + it->job->scorer.limits.wall_us > s->end_time_us) {
        peer_return(s->peer, it->lease, &it->unit.key); /* it could not finish in time */
        it->settled = true;
        return;
    }
    int rc = completion_decode(it->unit.completion, it->unit.n_completion, &c, &err);
    if (rc == 0) {
        const char *problem = it->unit.problem_json != NULL ? it->unit.problem_json : "";
        rc = score_begin(&it->job->scorer, problem, &c, &it->verdict, &it->program, &runs, &err);
        completion_clear(&c);
    }
    if (rc != 0) {
        peer_fail(s->peer, it->lease, &it->unit.key, false, "bad_unit", err.text);
        moved(s);
        it->settled = true;
    } else if (runs) {
        pool_submit(s->pool, &it->program, on_run, it);
    } else {
        send_verdict(s, it);
        it->settled = true;
    }
}

static void start_waiting(struct session *s)
{
    for (struct item *it = s->items; it != NULL; it = it->next)
        if (!it->running && pool_load(s->pool) < 2 * pool_slots(s->pool))
            start(s, it);
    for (struct item *it = s->items, *next; it != NULL; it = next) {
        next = it->next;
        if (it->settled) {
            unlink_item(s, it);
            item_free(it);
        }
    }
}

/* ---- events of the peer ---- */

static void on_work(struct session *s, struct peer_event *e)
{
    struct px_err err;
    struct shared_job *j = px_xcalloc(1, sizeof *j);
    j->job = *e->job;
    free(e->job);
    j->refs = 1;
    bool good = j->job.kind == UNIT_SCORE;
    if (!good)
        (void)px_fail(&err, PX_EUNSUPPORTED, "a tester takes score units, not %s",
                      unit_kind_name(j->job.kind));
    else
        good = scorer_parse(j->job.scorer != NULL ? j->job.scorer : "", &j->scorer, &err) == 0;
    struct item **last = &s->items;
    while (*last != NULL)
        last = &(*last)->next;
    for (uint32_t i = 0; i < e->n; i++) {
        if (!good || s->draining) {
            if (s->draining)
                peer_return(s->peer, e->lease, &e->units[i].key);
            else
                peer_fail(s->peer, e->lease, &e->units[i].key, false, "bad_job", err.text);
            unit_clear(&e->units[i]);
            continue;
        }
        struct item *it = px_xcalloc(1, sizeof *it);
        *it = (struct item){.session = s, .job = j, .lease = e->lease, .unit = e->units[i]};
        j->refs++;
        *last = it;
        last = &it->next;
        s->n_items++;
    }
    free(e->units);
    free(e->attempts);
    job_release(&j);
}

static struct item *find(struct session *s, const struct px_digest *key, uint64_t lease)
{
    for (struct item *it = s->items; it != NULL; it = it->next)
        if (px_digest_eq(&it->unit.key, key) && (lease == 0 || it->lease == lease))
            return it;
    return NULL;
}

static void on_taken_back(struct session *s, struct peer_event *e)
{
    for (uint32_t i = 0; i < e->n; i++) {
        struct item *it = find(s, &e->keys[i], e->lease);
        if (it == NULL)
            continue;
        if (it->running) {
            it->cancelled = it->cancelled || e->kind == PEER_CANCEL;
            continue;
        }
        if (e->kind == PEER_RETRACT)
            peer_return(s->peer, it->lease, &it->unit.key);
        unlink_item(s, it);
        item_free(it);
    }
    free(e->keys);
}

static void drain(struct session *s)
{
    if (!s->draining)
        peer_drain(s->peer);
    s->draining = true;
    for (struct item *it = s->items, *next; it != NULL; it = next) {
        next = it->next;
        if (it->running)
            continue;
        peer_return(s->peer, it->lease, &it->unit.key);
        unlink_item(s, it);
        item_free(it);
    }
}

static void on_peer(struct session *s, int timeout_ms)
{
    struct peer_event e;
    for (peer_poll(s->peer, timeout_ms, &e); e.kind != PEER_NONE; peer_poll(s->peer, 0, &e)) {
        switch (e.kind) {
        case PEER_WORK:
            on_work(s, &e);
            break;
        case PEER_RETRACT:
        case PEER_CANCEL:
            on_taken_back(s, &e);
            break;
        case PEER_DRAIN:
            drain(s);
            break;
        case PEER_REFUSED:
            fprintf(stderr, "proctor-tester: the coordinator refused: %s\n", e.err.text);
            s->stop = true;
            s->exit_code = 2;
            return;
        case PEER_GONE:
            px_log(PX_INFO, "coordinator_gone", "%s", e.err.text);
            s->stop = true;
            return;
        case PEER_NONE:
            break;
        }
    }
}

static void on_signal(struct session *s)
{
    struct signalfd_siginfo si;
    while (read(s->signal_fd, &si, sizeof si) == (ssize_t)sizeof si) {
        if (s->draining) { /* the second one does not wait */
            s->stop = true;
            s->exit_code = 3;
        }
        drain(s);
    }
}

static int serve(struct session *s, struct px_err *err)
{
    int64_t ticked = clk_now_us();
    unsigned announced = UINT32_MAX;
    while (!s->stop && !(s->draining && s->n_items == 0)) {
        unsigned free_places = s->draining ? 0 : s->credits - s->n_items;
        if (s->n_items >= s->credits)
            free_places = 0;
        if (free_places != announced)
            peer_ready(s->peer, announced = free_places);
        struct pollfd p[3] = {{.fd = peer_fd(s->peer), .events = POLLIN},
                              {.fd = pool_fd(s->pool), .events = POLLIN},
                              {.fd = s->signal_fd, .events = POLLIN}};
        int due = pool_timeout_ms(s->pool);
        if (poll(p, 3, due < 0 || due > TICK_MS ? TICK_MS : due) < 0 && errno != EINTR)
            return px_fail_errno(err, "cannot wait for events");
        on_signal(s);
        on_peer(s, 0);
        start_waiting(s);
        if (pool_load(s->pool) > 0 && pool_step(s->pool, 0, err) != 0)
            return -1;
        start_waiting(s);
        if (clk_now_us() - ticked > TICK_MS * 1000) {
            ticked = clk_now_us();
            if (pool_load(s->pool) > 0)
                moved(s); /* every run is bounded by its limits: while one runs, time is progress */
        }
    }
    return 0;
}

static const char help[] =
    "Usage: proctor-tester --connect ENDPOINT [--slots N] [--require LEVEL] [--curve-dir DIR]\n"
    "                      [--end-time SECONDS]\n"
    "\n"
    "Joins a coordinator, scores what it sends, and leaves when the coordinator is gone. SIGTERM\n"
    "drains: what runs is finished, the rest is given back; a second one stops at once.\n"
    "\n"
    "  --connect ENDPOINT  ipc://PATH, or tcp://HOST:PORT with --curve-dir\n"
    "  --slots N           programs at a time (default: the processors it may use)\n"
    "  --require LEVEL     the weakest jail to accept: strict, landlock (default) or seccomp\n"
    "  --curve-dir DIR     directory with the keys for tcp://\n"
    "  --end-time SECONDS  when this host's job ends, UTC seconds since 1970: no unit is started\n"
    "                      that may not finish before\n"
    "\n"
    "Example:\n"
    "  proctor-tester --connect tcp://head:5555 --curve-dir ~/.config/proctor/curve --slots 4\n";

static int parse_options(int argc, char **argv, struct options *o, struct px_err *err)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'},
                                            {"connect", required_argument, NULL, 'c'},
                                            {"slots", required_argument, NULL, 's'},
                                            {"require", required_argument, NULL, 'r'},
                                            {"curve-dir", required_argument, NULL, 'k'},
                                            {"end-time", required_argument, NULL, 'e'},
                                            {NULL, 0, NULL, 0}};
    int c;
    int64_t n;
    while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
        int rc = 0;
        if (c == 'h')
            return 1;
        if (c == 'c')
            o->peer.endpoint = optarg;
        else if (c == 'k')
            o->peer.curve_dir = optarg;
        else if (c == 's' && (rc = px_parse_int(optarg, 1, 1024, &n, err)) == 0)
            o->pool.slots = (unsigned)n;
        else if (c == 'e' && (rc = px_parse_int(optarg, 1, INT64_MAX / 1000000, &n, err)) == 0)
            o->peer.end_time_us = n * 1000000;
        else if (c == 'r')
            rc = pool_parse_require(optarg, &o->pool.require_level, err);
        else if (c == '?')
            return px_fail(err, PX_EUSAGE, "try proctor-tester --connect ENDPOINT --help");
        if (rc != 0)
            return px_wrap(err, "--%s", c == 's' ? "slots" : c == 'e' ? "end-time" : "require");
    }
    if (optind != argc || o->peer.endpoint == NULL)
        return px_fail(err, PX_EUSAGE, "--connect takes an endpoint and nothing else; try --help");
    return 0;
}

static int join(struct session *s, struct options *o, struct px_err *err)
{
    sigset_t mask;
    sigemptyset(&mask);
    sigaddset(&mask, SIGTERM);
    sigaddset(&mask, SIGINT);
    sigprocmask(SIG_BLOCK, &mask, NULL);
    s->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->signal_fd < 0)
        return px_fail_errno(err, "cannot watch for signals");
    s->pool = pool_new(&o->pool, err);
    if (s->pool == NULL)
        return -1;
    if (gethostname(s->host, sizeof s->host - 1) != 0)
        snprintf(s->host, sizeof s->host, "?");
    s->end_time_us = o->peer.end_time_us;
    s->credits = 4 * pool_slots(s->pool) + PREFETCH;
    o->peer.program = "tester";
    o->peer.roles = ROLE_SCORE;
    o->peer.credits = s->credits;
    o->peer.cores = pool_slots(s->pool);
    o->peer.isa = "scalar";
    o->peer.memory_budget = (int64_t)pool_slots(s->pool) * (512ll << 20) + (64ll << 20);
    s->peer = peer_new(&o->peer, err);
    if (s->peer == NULL)
        return -1;
    px_log(PX_INFO, "tester_ready", "slots=%u level=%u python=%s", pool_slots(s->pool),
           pool_level(s->pool), pool_python(s->pool));
    return serve(s, err);
}

int session_main(int argc, char **argv)
{
    struct options o = {.pool = {.require_level = 2}};
    struct session s = {.signal_fd = -1};
    struct px_err err;
    int rc = parse_options(argc, argv, &o, &err);
    if (rc > 0) {
        fputs(help, stdout);
        return 0;
    }
    if (rc == 0)
        rc = join(&s, &o, &err);
    for (struct item *it = s.items; rc != 0 && s.peer != NULL && it != NULL; it = it->next)
        peer_fail(s.peer, it->lease, &it->unit.key, true, "sandbox_error", err.text);
    peer_free(&s.peer);
    pool_free(&s.pool);
    while (s.items != NULL) {
        struct item *it = s.items;
        s.items = it->next;
        item_free(it);
    }
    if (s.signal_fd >= 0)
        close(s.signal_fd);
    if (rc == 0)
        return s.exit_code;
    fprintf(stderr, "proctor-tester: %s\n", err.text);
    return px_exit_code(err.code);
}
