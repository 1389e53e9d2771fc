#include "coordinator/dispatch/hall.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>
#include <zmq.h>

#include "coordinator/dispatch/hall_internal.h"
#include "coordinator/dispatch/rendezvous.h"
#include "proto/clock.h"
#include "proto/json.h"
#include "proto/log.h"
#include "proto/mem.h"

enum {
    TURN_MS = 50,
    STALL_US = 1500000,
    TELL_US = 250000,
    STUCK_US = 10000000,
    WAITING_US = 5000000,
    WAITING_AGAIN_US = 25000000,
    FAREWELL_US = 3000000
};

/* ---- set-up ---- */

static int catch_signals(struct hall *h, struct px_err *err)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGCHLD);
    if (pthread_sigmask(SIG_BLOCK, &set, &h->old_mask) != 0)
        return px_fail_errno(err, "cannot block signals");
    h->mask_set = true;
    h->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return h->signal_fd >= 0 ? 0 : px_fail_errno(err, "cannot make a signalfd");
}

static int open_socket(struct hall *h, int k, const char *endpoint, const struct curve_server *keys,
                       struct px_err *err)
{
    static const char *const names[HALL_N_SOCKETS] = {"hall-ipc", "hall-tcp"};
    h->socket[k] = rendezvous_bind(h->ctx, endpoint, keys, err);
    if (!h->socket[k])
        return -1;
    h->monitor[k] = link_monitor(h->ctx, h->socket[k], names[k], err);
    return h->monitor[k] ? 0 : -1;
}

static int open_sockets(struct hall *h, struct px_err *err)
{
    h->ctx = zmq_ctx_new();
    if (!h->ctx)
        return px_fail_errno(err, "cannot make a ZeroMQ context");
    h->endpoint = rendezvous_ipc(h->run_dir, true, err);
    if (!h->endpoint || open_socket(h, 0, h->endpoint, NULL, err) != 0)
        return -1;
    if (!h->listen)
        return 0;
    if (strncmp(h->listen, "tcp://", 6) != 0)
        return px_fail(err, PX_EUSAGE, "cannot listen on '%s': not tcp://host:port", h->listen);
    if (!h->cfg.curve_dir)
        return px_fail(err, PX_EUSAGE, "listening on %s needs a directory for keys", h->listen);
    if (curve_server_load(h->cfg.curve_dir, &h->keys, err) != 0)
        return -1;
    h->guard = rendezvous_guard(h->ctx, err);
    return h->guard ? open_socket(h, 1, h->listen, &h->keys, err) : -1;
}

static int start_local(struct hall *h, struct px_err *err)
{
    struct local_config c = {.run_dir = h->run_dir,
                             .endpoint = h->endpoint,
                             .workers = h->cfg.workers,
                             .testers = h->cfg.testers,
                             .threads = h->cfg.threads,
                             .memory = h->cfg.memory,
                             .host_memory = h->cfg.host_memory,
                             .max_rows = h->cfg.max_rows,
                             .isa = h->cfg.isa,
                             .program_dir = h->cfg.program_dir};
    h->local = local_new(&c, err);
    return h->local ? local_tick(h->local, clk_now_us(), err) : -1;
}

static void name_self(struct hall *h)
{
    uint8_t r[6];
    gethostname(h->own_host, sizeof h->own_host - 1);
    px_random_bytes(r, sizeof r);
    snprintf(h->own_id, sizeof h->own_id, "coordinator-%d-%02x%02x%02x%02x%02x%02x", (int)getpid(),
             r[0], r[1], r[2], r[3], r[4], r[5]);
}

struct hall *hall_new(const struct hall_config *cfg, struct store *store,
                      const struct hall_source *src, struct px_err *err)
{
    struct hall *h = px_xcalloc(1, sizeof *h);
    h->cfg = *cfg;
    h->run_dir = px_xstrdup(cfg->run_dir);
    h->listen = cfg->listen ? px_xstrdup(cfg->listen) : NULL;
    h->store = store;
    h->src = *src;
    h->signal_fd = -1;
    h->more_to_pull = true;
    h->oom_kills = hall_read_oom_kills();
    name_self(h);
    struct sched_config sc = {
        .no_progress_us = cfg->no_progress_us > 0 ? cfg->no_progress_us : 120 * INT64_C(1000000),
        .silence_us = cfg->silence_us > 0 ? cfg->silence_us : 8 * INT64_C(1000000),
        .max_fails = 5,
        .solo_deaths = 3};
    h->sched = sched_new(&sc);
    if (catch_signals(h, err) == 0 && open_sockets(h, err) == 0 && start_local(h, err) == 0)
        return h;
    hall_free(&h);
    return NULL;
}

void hall_free(struct hall **hp)
{
    struct hall *h = *hp;
    if (!h)
        return;
    if (h->local)
        local_free(&h->local);
    for (int k = 0; k < HALL_N_SOCKETS; k++)
        link_close(h->socket[k], h->monitor[k]);
    if (h->guard)
        zmq_close(h->guard);
    if (h->ctx)
        zmq_ctx_term(h->ctx);
    if (h->endpoint)
        rendezvous_remove(h->endpoint);
    if (h->signal_fd >= 0)
        close(h->signal_fd);
    if (h->mask_set)
        pthread_sigmask(SIG_SETMASK, &h->old_mask, NULL);
    hall_clear_roster(h);
    hall_free_turn(h->turn);
    for (uint32_t i = 0; i < h->n_submitted; i++) /* their commits failed */
        hall_free_turn(h->submitted[i]);
    free(h->submitted);
    sched_free(&h->sched);
    for (uint32_t i = 0; i < h->n_jobs; i++)
        px_buf_clear(&h->jobs[i].head);
    free(h->jobs);
    free(h->endpoint);
    free(h->listen);
    free(h->run_dir);
    free(h);
    *hp = NULL;
}

uint32_t hall_add_job(struct hall *h, const struct job *job)
{
    PX_GROW(h->jobs, h->n_jobs, h->cap_jobs);
    struct hall_job *j = &h->jobs[h->n_jobs];
    struct px_digest none = {{0}};
    j->role = unit_kind_role(job->kind);
    px_buf_init(&j->head, UNIT_LIMIT);
    job_encode(job, &j->head);
    /* Testers and stages map nothing that could be kept. */
    uint32_t same =
        sched_add_job(h->sched, j->role, j->role == ROLE_GENERATE ? &job->model : &none);
    px_assert(same == h->n_jobs);
    return h->n_jobs++;
}

const char *hall_endpoint(const struct hall *h)
{
    return h->endpoint;
}

/* ---- progress ---- */

void hall_progress_json(const struct hall_progress *p, struct px_buf *out)
{
    const struct {
        const char *name;
        uint64_t v;
    } n[] = {{"done_generate", p->done_generate},
             {"done_score", p->done_score},
             {"done_stage", p->done_stage},
             {"leased", p->leased},
             {"ready", p->ready},
             {"gave_up", p->gave_up},
             {"retries", p->retries},
             {"workers", p->workers},
             {"testers", p->testers},
             {"worker_deaths", p->worker_deaths},
             {"audits", p->audits},
             {"mismatches", p->mismatches}};
    px_buf_char(out, '{');
    for (size_t i = 0; i < sizeof n / sizeof *n; i++)
        px_buf_printf(out, "\"%s\":%" PRIu64 ",", n[i].name, n[i].v);
    px_buf_str(out, "\"units_per_s\":");
    px_json_number(out, p->units_per_s);
    px_buf_str(out, ",\"tokens_per_s\":");
    px_json_number(out, p->tokens_per_s);
    px_buf_char(out, '}');
}

static void measure(struct hall *h, int64_t now)
{
    struct sched_counts c;
    sched_counts(h->sched, &c);
    struct hall_progress *p = &h->counts;
    p->leased = c.leased;
    p->ready = c.ready;
    p->retries = c.retries;
    p->worker_deaths = h->deaths;
    p->workers = p->testers = 0;
    for (uint32_t i = 0; i < h->n_roster; i++) {
        if (!h->roster[i].used)
            continue;
        p->workers += (h->roster[i].roles & (ROLE_GENERATE | ROLE_STAGE)) != 0;
        p->testers += (h->roster[i].roles & ROLE_SCORE) != 0;
    }
    if (now - h->rated_us >= TELL_US) {
        h->rated_us = now;
        uint32_t i = h->at_rate++ % RATE_SLOTS;
        double span = h->rate[i].at ? (double)(now - h->rate[i].at) / 1e6 : 0;
        if (span > 0) {
            p->units_per_s = (double)(h->units - h->rate[i].units) / span;
            p->tokens_per_s = (double)(h->tokens - h->rate[i].tokens) / span;
        }
        h->rate[i].at = now;
        h->rate[i].units = h->units;
        h->rate[i].tokens = h->tokens;
    }
}

/* ---- the loop ---- */

static void read_signals(struct hall *h)
{
    struct signalfd_siginfo s;
    while (read(h->signal_fd, &s, sizeof s) == (ssize_t)sizeof s) {
        if (s.ssi_signo == SIGCHLD) {
            h->child_ended = true;
            continue;
        }
        h->asked_to_stop++;
        h->counts.stopping = true;
        px_log(PX_INFO, "stopping", "signal=%u %s", s.ssi_signo,
               h->asked_to_stop == 1 ? "finishing what runs" : "at once");
        if (h->asked_to_stop == 1)
            sched_recall(h->sched);
    }
}

static void wait_for_news(struct hall *h, int64_t now, bool busy)
{
    zmq_pollitem_t item[2 * HALL_N_SOCKETS + 3];
    int n = 0;
    for (int k = 0; k < HALL_N_SOCKETS; k++) {
        if (!h->socket[k])
            continue;
        item[n++] = (zmq_pollitem_t){h->socket[k], 0, ZMQ_POLLIN, 0};
        item[n++] = (zmq_pollitem_t){h->monitor[k], 0, ZMQ_POLLIN, 0};
    }
    if (h->guard)
        item[n++] = (zmq_pollitem_t){h->guard, 0, ZMQ_POLLIN, 0};
    item[n++] = (zmq_pollitem_t){NULL, h->signal_fd, ZMQ_POLLIN, 0};
    item[n++] = (zmq_pollitem_t){NULL, store_event_fd(h->store), ZMQ_POLLIN, 0};
    int64_t ms = busy ? 0 : TURN_MS;
    int64_t next = local_next_us(h->local);
    if (next != INT64_MAX && (next - now) / 1000 < ms)
        ms = next > now ? (next - now) / 1000 : 0;
    zmq_poll(item, n, (long)ms);
}

/* One turn. Mail is read before anybody is judged; after a stall of our own nobody is. */
static void turn(struct hall *h)
{
    struct px_err err;
    int64_t now = clk_now_us();
    bool stalled = h->turned_us && now - h->turned_us > STALL_US;
    read_signals(h);
    if (h->guard)
        rendezvous_answer(h->guard, &h->keys);
    hall_read_monitors(h, now);
    hall_read_mail(h, now);
    if (stalled) {
        px_log(PX_WARN, "stall", "the coordinator itself stood still for %.1f s",
               (double)(now - h->turned_us) / 1e6);
        sched_stalled(h->sched, now);
    }
    if (h->child_ended) {
        h->child_ended = false;
        hall_bury_children(h, now);
    }
    hall_probe(h, now);
    if (local_tick(h->local, now, &err) != 0)
        hall_fail(h, &err);
    hall_reap(h, now);
    int pulled = hall_pull(h, now);
    hall_act(h, now);
    hall_submit(h);
    hall_beat(h, now);
    h->turned_us = now;
    wait_for_news(h, now, pulled > 0);
}

/* Says once in a while that units wait and nobody is there to take them. */
static void mention_waiting(struct hall *h, int64_t now)
{
    if (h->counts.workers + h->counts.testers > 0 || h->counts.ready == 0 || h->asked_to_stop) {
        h->waiting_us = now;
    } else if (now - h->waiting_us > WAITING_US) {
        h->waiting_us = now + WAITING_AGAIN_US;
        px_log(PX_INFO, "waiting",
               "%" PRIu64 " units wait for somebody to join: proctor-worker, "
               "proctor-tester --connect %s",
               h->counts.ready, h->listen ? h->listen : h->endpoint);
    }
}

/* Everything is done, or nothing is under way that could be waited for. */
static bool finished(struct hall *h, int64_t now)
{
    struct sched_counts c;
    sched_counts(h->sched, &c);
    if (h->asked_to_stop)
        return h->asked_to_stop > 1 || (c.leased == 0 && c.pending == 0 && h->n_pending_units == 0);
    if (c.ready + c.leased + c.pending + h->n_pending_units > 0 || h->more_to_pull) {
        h->stuck_since = now;
        return false;
    }
    if (h->src.exhausted(h->src.ctx))
        return true;
    if (now - h->stuck_since > STUCK_US) {
        struct px_err err;
        px_fail(&err, PX_EINTERNAL, "the run is not finished and nothing is left to lease");
        hall_fail(h, &err);
    }
    return false;
}

/* Writes what waits; peers are told that it is over (or left to wait for the next coordinator). */
static void farewell(struct hall *h, bool over)
{
    int64_t until = clk_now_us() + FAREWELL_US;
    if (over)
        hall_say_bye(h, "the run is finished");
    while (!h->failed && h->n_pending_units > 0 && clk_now_us() < until) {
        hall_submit(h);
        hall_reap(h, clk_now_us());
        clk_sleep_us(1000);
    }
    local_stop(h->local, h->asked_to_stop > 1 ? 0 : FAREWELL_US);
}

int hall_run(struct hall *h, hall_progress_fn on_progress, void *ctx, struct px_err *err)
{
    h->stuck_since = h->waiting_us = clk_now_us();
    for (;;) {
        turn(h);
        int64_t now = clk_now_us();
        if (h->failed || finished(h, now))
            break;
        if (now - h->told_us >= TELL_US) {
            h->told_us = now;
            measure(h, now);
            mention_waiting(h, now);
            if (on_progress)
                on_progress(ctx, &h->counts);
        }
    }
    measure(h, clk_now_us());
    px_log(PX_INFO, "dispatched", "generate=%" PRIu64 " score=%" PRIu64 " stage=%" PRIu64,
           h->counts.done_generate, h->counts.done_score, h->counts.done_stage);
    if (on_progress)
        on_progress(ctx, &h->counts);
    farewell(h, !h->failed && !h->asked_to_stop);
    if (h->failed) {
        if (err)
            *err = h->failure;
        return -1;
    }
    return h->asked_to_stop ? px_fail(err, PX_EINTERRUPTED, "interrupted; the same command goes on")
                            : 0;
}
