/* run.c - the way of one run: descriptors, start, limits, end, outcome. */
#include "sandbox/run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/mem.h"
#include "sandbox/jail/confine.h"

#define KILL_US 2000000  /* a zygote that has not ended a run by then is killed itself */
#define GRACE_US 1000000 /* for a program that closed its channel to end by itself */
#define PEEK_US 200000
#define STDERR_TAIL 8192
#define TESTS_EXTRA_CPU_US 2000000
#define TESTS_MEMORY (1ll << 30)

struct end { /* one of the two processes */
    struct zygote_end *zygote;
    bool active, exited, kill_sent;
    int64_t kill_by_us;
    bool broken; /* the zygote must be replaced */
    bool lost;   /* it ended although nobody killed it */
    struct packet_msg exit;
};

struct run {
    int epoll_fd;
    uint64_t tag;
    uint64_t id;
    const struct program *program;
    struct end ends[2]; /* SOURCE_CANDIDATE, SOURCE_TESTS */
    int out_fd, err_fd, verdict_fd, channel_fd;
    struct px_buf out, verdict;
    char tail[STDERR_TAIL];
    size_t n_tail;
    uint64_t output_bytes;
    uint32_t at_case;
    bool busy, over;
    bool wall_limited, output_limited, starved, peeking;
    int peeks;
    int64_t started_us, case_started_us, wall_by_us, grace_by_us, peek_by_us, ended_us;
    double runqueue_s;
    uint64_t cpu_us, rss_bytes;
    struct outcome outcome;
    uint32_t calls;
    bool first_passed;
};

void program_clear(struct program *p)
{
    for (uint32_t i = 0; i < p->n_cases; i++) {
        free(p->cases[i].in);
        free(p->cases[i].out);
    }
    free(p->cases);
    free(p->source);
    free(p->task);
    memset(p, 0, sizeof *p);
}

struct run *run_new(int epoll_fd, uint64_t tag)
{
    struct run *r = px_xcalloc(1, sizeof *r);
    r->epoll_fd = epoll_fd;
    r->tag = tag;
    r->out_fd = r->err_fd = r->verdict_fd = r->channel_fd = -1;
    px_buf_init(&r->out, 64u << 20);
    px_buf_init(&r->verdict, RECORD_BYTES + 1);
    return r;
}

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd); /* leaves the epoll set by itself: nobody else holds it */
    *fd = -1;
}

static void close_fds(struct run *r)
{
    close_fd(&r->out_fd);
    close_fd(&r->err_fd);
    close_fd(&r->verdict_fd);
    close_fd(&r->channel_fd);
    for (int i = 0; i < 2; i++)
        if (r->ends[i].active && r->ends[i].zygote->ctl >= 0)
            (void)epoll_ctl(r->epoll_fd, EPOLL_CTL_DEL, r->ends[i].zygote->ctl, NULL);
}

void run_free(struct run **r)
{
    if (*r == NULL)
        return;
    close_fds(*r);
    px_buf_clear(&(*r)->out);
    px_buf_clear(&(*r)->verdict);
    free(*r);
    *r = NULL;
}

/* ---- starting ---- */

static int watch_fd(const struct run *r, int fd, enum run_source source)
{
    struct epoll_event e = {.events = EPOLLIN, .data.u64 = r->tag << 8 | (uint64_t)source};
    return epoll_ctl(r->epoll_fd, EPOLL_CTL_ADD, fd, &e);
}

/* A sealed memory file with the bytes in it, read from its start. */
static int sealed(const char *name, const char *p, size_t n)
{
    int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
    size_t at = 0;
    while (fd >= 0 && at < n) {
        ssize_t k = write(fd, p + at, n - at);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0) {
            close_fd(&fd);
            return -1;
        }
        at += (size_t)k;
    }
    if (fd >= 0 &&
        (lseek(fd, 0, SEEK_SET) != 0 ||
         fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0))
        close_fd(&fd);
    return fd;
}

static int our_pipe(int *ours, int *theirs)
{
    int p[2];
    if (pipe2(p, O_CLOEXEC) != 0)
        return -1;
    *ours = p[0];
    *theirs = p[1];
    return fcntl(p[0], F_SETFL, O_NONBLOCK);
}

static int send_run(struct run *r, struct end *e, enum run_mode mode, const int *fds, int n)
{
    const struct run_limits *l = &r->program->limits;
    bool tests = mode == RUN_TESTS;
    struct packet_msg m = {.op = PACKET_RUN,
                           .run = r->id,
                           .mode = mode,
                           .warm_unittest = tests && r->program->unittest,
                           .cpu_us = l->cpu_us + (tests ? TESTS_EXTRA_CPU_US : 0),
                           .memory_bytes = tests ? TESTS_MEMORY : l->memory_bytes};
    if (watch_fd(r, e->zygote->ctl, tests ? SOURCE_TESTS : SOURCE_CANDIDATE) != 0)
        return -1;
    e->active = true;
    e->zygote->runs++;
    return packet_send(e->zygote->ctl, &m, fds, n);
}

static int start_processes(struct run *r, int theirs[PACKET_FDS + 2])
{
    const struct program *p = r->program;
    const struct run_case *c = p->script ? &p->cases[r->at_case] : NULL;
    int pair[2];
    /* theirs: source, channel, stdin, stdout, stderr | task, channel, verdict */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0)
        return -1;
    theirs[1] = pair[0];
    if (p->script)
        r->channel_fd = pair[1];
    else
        theirs[6] = pair[1];
    if ((theirs[0] = sealed("program", p->source, p->n_source)) < 0 ||
        (theirs[2] = sealed("stdin", c != NULL ? c->in : "", c != NULL ? c->n_in : 0)) < 0 ||
        our_pipe(&r->out_fd, &theirs[3]) != 0 || our_pipe(&r->err_fd, &theirs[4]) != 0 ||
        watch_fd(r, r->out_fd, SOURCE_OUT) != 0 || watch_fd(r, r->err_fd, SOURCE_ERR) != 0)
        return -1;
    if (p->script)
        return send_run(r, &r->ends[SOURCE_CANDIDATE], RUN_SCRIPT, theirs, 5);
    if ((theirs[5] = sealed("task", p->task, p->n_task)) < 0 ||
        our_pipe(&r->verdict_fd, &theirs[7]) != 0 ||
        watch_fd(r, r->verdict_fd, SOURCE_VERDICT) != 0)
        return -1;
    if (send_run(r, &r->ends[SOURCE_CANDIDATE], RUN_CANDIDATE, theirs, 5) != 0)
        return -1;
    return send_run(r, &r->ends[SOURCE_TESTS], RUN_TESTS, theirs + 5, 3);
}

static void reset_end(struct end *e, struct zygote_end *z)
{
    memset(e, 0, sizeof *e);
    e->zygote = z;
}

static int start_case(struct run *r, int64_t now_us)
{
    static uint64_t next_id;
    int theirs[PACKET_FDS + 2];
    for (size_t i = 0; i < PACKET_FDS + 2; i++)
        theirs[i] = -1;
    r->id = ++next_id;
    reset_end(&r->ends[0], r->ends[0].zygote);
    reset_end(&r->ends[1], r->ends[1].zygote);
    px_buf_reset(&r->out);
    px_buf_reset(&r->verdict);
    r->case_started_us = now_us;
    r->wall_by_us = now_us + r->program->limits.wall_us;
    r->grace_by_us = r->peek_by_us = INT64_MAX;
    r->wall_limited = r->output_limited = r->starved = r->peeking = false;
    r->peeks = 0;
    r->output_bytes = 0;
    r->n_tail = 0;
    int rc = start_processes(r, theirs);
    int saved = errno;
    for (size_t i = 0; i < PACKET_FDS + 2; i++)
        close_fd(&theirs[i]);
    errno = saved;
    return rc;
}

int run_start(struct run *r, const struct program *p, struct zygote_end *candidate,
              struct zygote_end *tests, int64_t now_us, struct px_err *err)
{
    r->program = p;
    r->ends[SOURCE_CANDIDATE].zygote = candidate;
    r->ends[SOURCE_TESTS].zygote = tests;
    r->at_case = 0;
    r->cpu_us = r->rss_bytes = 0;
    r->runqueue_s = 0;
    r->calls = 0;
    r->started_us = now_us;
    r->busy = true;
    r->over = false;
    if (start_case(r, now_us) == 0)
        return 0;
    int saved = errno;
    close_fds(r);
    r->busy = false;
    errno = saved;
    return px_fail_errno(err, "cannot start a run");
}

/* ---- ending ---- */

static void end_kill(struct run *r, struct end *e, int64_t now_us)
{
    if (!e->active || e->exited || e->kill_sent)
        return;
    struct packet_msg m = {.op = PACKET_KILL, .run = r->id};
    e->kill_sent = true;
    e->kill_by_us = packet_send(e->zygote->ctl, &m, NULL, 0) == 0 ? now_us + KILL_US : now_us;
}

static void drain_output(struct run *r, int *fd, bool is_err)
{
    char part[65536];
    for (;;) {
        ssize_t k = *fd < 0 ? 0 : read(*fd, part, sizeof part);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0) {
            if (k == 0)
                close_fd(fd);
            return;
        }
        r->output_bytes += (uint64_t)k;
        if (r->output_bytes > (uint64_t)r->program->limits.output_bytes) {
            r->output_limited = true;
            return;
        }
        if (!is_err) {
            if (r->program->script)
                px_buf_put(&r->out, part, (size_t)k);
            continue;
        }
        size_t n = (size_t)k;
        const char *p = part;
        if (n > STDERR_TAIL) {
            p += n - STDERR_TAIL;
            n = STDERR_TAIL;
        }
        size_t keep = r->n_tail + n > STDERR_TAIL ? STDERR_TAIL - n : r->n_tail;
        memmove(r->tail, r->tail + r->n_tail - keep, keep);
        memcpy(r->tail + keep, p, n);
        r->n_tail = keep + n;
    }
}

static void drain_verdict(struct run *r)
{
    char part[4096];
    ssize_t k;
    while (r->verdict_fd >= 0 && (k = read(r->verdict_fd, part, sizeof part)) != 0) {
        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0)
            return;
        px_buf_put(&r->verdict, part, (size_t)k);
    }
    close_fd(&r->verdict_fd);
}

static void gather(struct run *r, struct facts *f)
{
    const struct end *c = &r->ends[SOURCE_CANDIDATE], *t = &r->ends[SOURCE_TESTS];
    memset(f, 0, sizeof *f);
    f->script = r->program->script;
    f->confined = c->exit.step == CONFINE_DONE || c->kill_sent;
    f->status = c->exit.status;
    f->killed = c->kill_sent || c->exit.cpu_limited;
    f->cpu_limited = c->exit.cpu_limited;
    f->wall_limited = r->wall_limited;
    f->output_limited = r->output_limited;
    f->starved = r->starved;
    f->tests_confined = t->exit.step == CONFINE_DONE || t->kill_sent;
    f->tests_status = t->exit.status;
    f->tests_killed = t->kill_sent;
    f->tests_cpu_limited = t->exit.cpu_limited;
    if (f->script) {
        char head[8192];
        ssize_t k = recv(r->channel_fd, head, sizeof head, MSG_DONTWAIT);
        f->began = record_begun(head, k > 0 ? (size_t)k : 0, f->exception);
        const struct run_case *want = &r->program->cases[r->at_case];
        f->same_output = record_same_output(r->out.len > 0 ? (char *)r->out.data : "", r->out.len,
                                            want->out, want->n_out);
    } else {
        record_decode(r->verdict.data, r->verdict.overflow ? 0 : r->verdict.len, &f->record);
    }
}

/* The case is over: everything has exited. Starts the next one or ends the run. */
static void finish_case(struct run *r, int64_t now_us)
{
    drain_output(r, &r->out_fd, false);
    drain_output(r, &r->err_fd, true);
    drain_verdict(r);
    struct facts f;
    bool lost = false;
    gather(r, &f);
    for (int i = 0; i < 2; i++) {
        const struct end *e = &r->ends[i];
        lost = lost || e->lost;
        r->cpu_us += e->exit.used_cpu_us;
        if (i == SOURCE_CANDIDATE && e->exit.rss_bytes > r->rss_bytes)
            r->rss_bytes = e->exit.rss_bytes;
    }
    close_fds(r);
    r->calls = f.record.calls;
    r->first_passed = f.record.first_passed;
    outcome_decide(&f, &r->outcome);
    if (lost) {
        memset(&r->outcome, 0, sizeof r->outcome);
        r->outcome.class = VERDICT_SANDBOX_ERROR;
        snprintf(r->outcome.detail, sizeof r->outcome.detail, "a zygote ended during the run");
    } else if (r->outcome.class == VERDICT_SANDBOX_ERROR && !f.confined) {
        snprintf(r->outcome.detail, sizeof r->outcome.detail, "confining failed at step %d: %s",
                 r->ends[0].exit.step, strerror(r->ends[0].exit.error));
    }
    if (r->program->script && r->outcome.class == VERDICT_PASSED &&
        r->at_case + 1 < r->program->n_cases) {
        r->at_case++;
        if (start_case(r, now_us) == 0)
            return;
        close_fds(r);
        r->outcome.class = VERDICT_SANDBOX_ERROR;
        snprintf(r->outcome.detail, sizeof r->outcome.detail, "cannot start a run: %s",
                 strerror(errno));
    }
    r->over = true;
    r->ended_us = now_us;
}

/* Looks at where things stand after any event. */
static void advance(struct run *r, int64_t now_us)
{
    struct end *c = &r->ends[SOURCE_CANDIDATE], *t = &r->ends[SOURCE_TESTS];
    if (r->over)
        return;
    if (r->output_limited)
        end_kill(r, c, now_us);
    if (c->exited && (!t->active || t->exited)) {
        finish_case(r, now_us);
        return;
    }
    if (c->exited && (c->exit.cpu_limited || r->output_limited || c->lost))
        end_kill(r, t, now_us);
    if (!t->active || !t->exited || c->exited)
        return;
    drain_verdict(r);
    struct record rec;
    record_decode(r->verdict.data, r->verdict.overflow ? 0 : r->verdict.len, &rec);
    if (rec.class != RECORD_DIED)
        end_kill(r, c, now_us);
    else if (r->grace_by_us == INT64_MAX)
        r->grace_by_us = now_us + GRACE_US;
}

/* How long a process has waited for a processor, seconds; 0 when the kernel does not say. */
static double runqueue_of(int pidfd)
{
    char path[64], text[1024];
    snprintf(path, sizeof path, "/proc/self/fdinfo/%d", pidfd);
    for (int round = 0; round < 2; round++) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
        close_fd(&fd);
        if (n < 0)
            return 0;
        text[n] = '\0';
        if (round == 0) {
            const char *at = strstr(text, "\nPid:");
            long pid;
            if (at == NULL || sscanf(at, "\nPid:\t%ld", &pid) != 1 || pid <= 0)
                return 0;
            snprintf(path, sizeof path, "/proc/%ld/schedstat", pid);
        }
    }
    uint64_t ran, waited;
    return sscanf(text, "%" SCNu64 " %" SCNu64, &ran, &waited) == 2 ? (double)waited / 1e9 : 0;
}

static void judge_wall(struct run *r, int64_t now_us)
{
    double wall = (double)(now_us - r->case_started_us) / 1e6;
    r->peeking = false;
    r->peek_by_us = INT64_MAX;
    r->starved = r->runqueue_s >= 0.2 * wall;
    end_kill(r, &r->ends[SOURCE_CANDIDATE], now_us);
    end_kill(r, &r->ends[SOURCE_TESTS], now_us);
}

static void on_packet(struct run *r, struct end *e, int64_t now_us)
{
    struct packet_msg m = {.op = 0};
    int fds[PACKET_FDS], n;
    int rc = packet_recv(e->zygote->ctl, MSG_DONTWAIT, &m, fds, &n);
    if (rc < 0 && errno == EAGAIN)
        return;
    if (rc != 1) {
        e->exited = e->broken = true;
        e->lost = !e->kill_sent;
    } else if (m.op == PACKET_EXITED && m.run == r->id) {
        e->exit = m;
        e->exited = true;
    } else if (m.op == PACKET_PEEKED && m.run == r->id && n == 1 && r->peeking) {
        double waited = runqueue_of(fds[0]);
        r->runqueue_s += waited; /* program and tests take turns: both waits are the run's */
        if (--r->peeks == 0)
            judge_wall(r, now_us);
    }
    for (int i = 0; rc == 1 && i < n; i++)
        close(fds[i]);
}

void run_event(struct run *r, enum run_source source, int64_t now_us)
{
    if (!r->busy || r->over)
        return;
    if (source == SOURCE_CANDIDATE || source == SOURCE_TESTS) {
        if (r->ends[source].active && !r->ends[source].exited)
            on_packet(r, &r->ends[source], now_us);
    } else if (source == SOURCE_OUT) {
        drain_output(r, &r->out_fd, false);
    } else if (source == SOURCE_ERR) {
        drain_output(r, &r->err_fd, true);
    } else if (source == SOURCE_VERDICT) {
        drain_verdict(r);
    }
    if (r->output_limited) { /* no more is read: the flood stays in its pipe */
        close_fd(&r->out_fd);
        close_fd(&r->err_fd);
    }
    advance(r, now_us);
}

/* ---- clocks ---- */

static int64_t sooner(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t run_deadline(const struct run *r)
{
    if (!r->busy || r->over)
        return INT64_MAX;
    int64_t at = r->wall_limited ? INT64_MAX : r->wall_by_us;
    at = sooner(at, sooner(r->grace_by_us, r->peek_by_us));
    for (int i = 0; i < 2; i++)
        if (r->ends[i].kill_sent && !r->ends[i].exited)
            at = sooner(at, r->ends[i].kill_by_us);
    return at;
}

static void wall_is_up(struct run *r, int64_t now_us)
{
    r->wall_limited = r->peeking = true;
    r->runqueue_s = 0;
    r->peek_by_us = now_us + PEEK_US;
    for (int i = 0; i < 2; i++) {
        struct end *e = &r->ends[i];
        struct packet_msg m = {.op = PACKET_PEEK, .run = r->id};
        if (e->active && !e->exited && packet_send(e->zygote->ctl, &m, NULL, 0) == 0)
            r->peeks++;
    }
    if (r->peeks == 0)
        judge_wall(r, now_us);
}

void run_tick(struct run *r, int64_t now_us)
{
    if (!r->busy || r->over)
        return;
    if (!r->wall_limited && now_us >= r->wall_by_us)
        wall_is_up(r, now_us);
    if (now_us >= r->peek_by_us)
        judge_wall(r, now_us);
    if (now_us >= r->grace_by_us) {
        r->grace_by_us = INT64_MAX;
        end_kill(r, &r->ends[SOURCE_CANDIDATE], now_us);
    }
    for (int i = 0; i < 2; i++) {
        struct end *e = &r->ends[i];
        if (e->kill_sent && !e->exited && now_us >= e->kill_by_us)
            e->exited = e->broken = true; /* the pool kills the zygote and its namespace */
    }
    advance(r, now_us);
}

bool run_take(struct run *r, struct run_result *out, bool *candidate_broken, bool *tests_broken)
{
    if (!r->busy || !r->over)
        return false;
    memset(out, 0, sizeof *out);
    out->outcome = r->outcome;
    out->assurance = r->program->script ? "stdio" : "split";
    out->cpu_s = (double)r->cpu_us / 1e6;
    out->wall_s = (double)(r->ended_us - r->started_us) / 1e6;
    out->runqueue_s = r->runqueue_s;
    out->rss_bytes = r->rss_bytes;
    out->output_bytes = r->output_bytes;
    out->calls = r->calls;
    out->two_sets = r->program->two_sets;
    out->first_passed = out->two_sets && r->first_passed;
    out->attempts = 1;
    record_text(r->tail, r->n_tail, out->stderr_tail, sizeof out->stderr_tail);
    *candidate_broken = r->ends[SOURCE_CANDIDATE].broken;
    *tests_broken = r->ends[SOURCE_TESTS].broken;
    r->busy = r->over = false;
    return true;
}
