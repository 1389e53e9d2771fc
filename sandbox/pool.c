/* pool.c - slots, their zygotes, the queue, running again, and the self-test. */
#include "sandbox/pool.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/digest.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "sandbox/jail/confine.h"
#include "sandbox/selftest.h"

#define RECYCLE_RUNS 1000
#define ATTEMPTS 3u

struct entry {
    const struct program *program;
    pool_done_fn *done;
    void *context;
    uint32_t attempts;
    bool always_lost; /* every attempt ended its zygote */
    bool alone;       /* the wall clock decided on a busy machine: again, with nothing beside it */
    bool was_killed;  /* a SIGKILL of unknown origin ended it once: the second one is its own */
    double cpu_s;
    struct entry *next;
};

struct slot {
    struct run *run;
    struct zygote_end candidate, tests;
    struct entry *job;
};

struct pool {
    struct nursery *nursery;
    int epoll_fd;
    unsigned n_slots, load;
    struct slot *slots;
    struct entry *first, **last;
    unsigned level, layers;
    char why[128];
    char jail[512];
};

int pool_parse_require(const char *word, unsigned *level, struct px_err *err)
{
    static const struct {
        const char *word;
        unsigned level;
    } words[] = {{"strict", 3}, {"namespaces", 3}, {"landlock", 2}, {"seccomp", 1}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (strcmp(word, words[i].word) == 0) {
            *level = words[i].level;
            return 0;
        }
    return px_fail(err, PX_EUSAGE,
                   "--require %s: allowed are strict (namespaces, Landlock and "
                   "seccomp), landlock and seccomp",
                   word);
}

static unsigned processors(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
    return n > 0 ? (unsigned)n : 1;
}

/* ---- zygotes ---- */

static int ensure(struct pool *p, struct zygote_end *z, struct px_err *err)
{
    if (z->ctl >= 0 && z->runs < RECYCLE_RUNS)
        return 0;
    zygote_end_close(z);
    char why[128] = "";
    if (nursery_spawn(p->nursery, z, why, err) != 0)
        return px_wrap(err, "the sandbox is broken");
    z->runs = 0;
    if (why[0] != '\0')
        memcpy(p->why, why, sizeof why);
    unsigned layers = z->layers & (JAIL_NS | JAIL_LANDLOCK | JAIL_SECCOMP);
    if (p->layers != 0 && layers != p->layers)
        return px_fail(err, PX_EIO,
                       "the host's jail changed while running: it was %s, now it is %s",
                       jail_level_name(p->level), jail_level_name(jail_level(layers)));
    return 0;
}

static void describe(struct pool *p)
{
    struct sock_filter insn[POLICY_MAX_INSNS];
    bool ns = p->layers & JAIL_NS;
    size_t n = policy_build(ns ? POLICY_FILES : POLICY_READONLY, 0, insn);
    struct px_digest d = px_sha256(insn, n * sizeof insn[0]);
    struct px_digest probe = selftest_digest();
    char hex[PX_HEX_SIZE], probe_hex[PX_HEX_SIZE];
    px_digest_hex(&d, hex);
    px_digest_hex(&probe, probe_hex);
    snprintf(p->jail, sizeof p->jail,
             "{\"level\":%u,\"name\":\"%s\",\"ns\":[%s],\"seccomp\":\"%.16s\",\"landlock\":%d,"
             "\"cgroup\":\"none\",\"mem\":\"rlimit\",\"cpu\":\"clock\",\"probe\":\"%.16s\","
             "\"python\":\"%s\"}",
             p->level, jail_level_name(p->level),
             ns ? "\"user\",\"pid\",\"mount\",\"net\",\"ipc\",\"uts\",\"cgroup\"" : "", hex,
             p->layers & JAIL_LANDLOCK ? jail_landlock_abi() : 0, probe_hex,
             nursery_python(p->nursery));
}

static int check_level(struct pool *p, unsigned require, struct px_err *err)
{
    p->layers = p->slots[0].candidate.layers & (JAIL_NS | JAIL_LANDLOCK | JAIL_SECCOMP);
    p->level = jail_level(p->layers);
    if (p->level == 0)
        return px_fail(err, PX_EUNSUPPORTED,
                       "no seccomp: this host cannot filter system calls "
                       "(a kernel without CONFIG_SECCOMP_FILTER, or it is forbidden here), and no "
                       "program runs unconfined; use a host or a container that allows seccomp");
    if (p->level < require)
        return px_fail(err, PX_EUNSUPPORTED,
                       "the best jail on this host is level %u (%s) and level "
                       "%u (%s) is required%s%s; `proctor-tester doctor` shows what is missing",
                       p->level, jail_level_name(p->level), require, jail_level_name(require),
                       p->why[0] != '\0' ? "; " : "", p->why);
    return 0;
}

struct pool *pool_new(const struct pool_config *cfg, struct px_err *err)
{
    struct pool *p = px_xcalloc(1, sizeof *p);
    p->last = &p->first;
    p->n_slots = cfg->slots > 0 ? cfg->slots : processors();
    p->slots = px_xcalloc(p->n_slots, sizeof *p->slots);
    p->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    for (unsigned i = 0; i < p->n_slots; i++) {
        struct zygote_end none = {.ctl = -1, .pidfd = -1};
        p->slots[i].candidate = p->slots[i].tests = none;
        p->slots[i].run = run_new(p->epoll_fd, i);
    }
    p->nursery = nursery_new(jail_denied_by_environment(), err);
    if (p->nursery == NULL || ensure(p, &p->slots[0].candidate, err) != 0 ||
        check_level(p, cfg->require_level, err) != 0) {
        pool_free(&p);
        return NULL;
    }
    describe(p);
    if (selftest_run(p, err) != 0) {
        px_wrap(err, "self-test");
        pool_free(&p);
    }
    return p;
}

void pool_free(struct pool **pp)
{
    struct pool *p = *pp;
    if (p == NULL)
        return;
    for (unsigned i = 0; i < p->n_slots; i++) {
        run_free(&p->slots[i].run);
        zygote_end_close(&p->slots[i].candidate);
        zygote_end_close(&p->slots[i].tests);
        free(p->slots[i].job);
    }
    while (p->first != NULL) {
        struct entry *j = p->first;
        p->first = j->next;
        free(j);
    }
    nursery_free(&p->nursery);
    if (p->epoll_fd >= 0)
        close(p->epoll_fd);
    free(p->slots);
    free(p);
    *pp = NULL;
}

/* ---- the queue ---- */

static void put_last(struct pool *p, struct entry *j)
{
    j->next = NULL;
    *p->last = j;
    p->last = &j->next;
}

static struct entry *take_first(struct pool *p)
{
    struct entry *j = p->first;
    p->first = j->next;
    if (p->first == NULL)
        p->last = &p->first;
    return j;
}

void pool_submit(struct pool *p, const struct program *program, pool_done_fn *done, void *context)
{
    struct entry *j = px_xcalloc(1, sizeof *j);
    j->program = program;
    j->done = done;
    j->context = context;
    j->always_lost = true;
    p->load++;
    put_last(p, j);
}

static unsigned running(const struct pool *p, bool *alone)
{
    unsigned n = 0;
    *alone = false;
    for (unsigned i = 0; i < p->n_slots; i++)
        if (p->slots[i].job != NULL) {
            n++;
            *alone = *alone || p->slots[i].job->alone;
        }
    return n;
}

static int start_on(struct pool *p, struct slot *s, struct px_err *err)
{
    if (ensure(p, &s->candidate, err) != 0)
        return -1;
    if (!p->first->program->script && ensure(p, &s->tests, err) != 0)
        return -1;
    struct entry *j = take_first(p);
    struct px_err why;
    j->attempts++;
    s->job = j;
    if (run_start(s->run, j->program, &s->candidate, &s->tests, clk_now_us(), &why) == 0)
        return 0;
    /* a zygote that died while idle is the usual cause */
    zygote_end_close(&s->candidate);
    zygote_end_close(&s->tests);
    s->job = NULL;
    put_last(p, j);
    if (j->attempts < ATTEMPTS)
        return 0;
    if (err != NULL)
        *err = why;
    return -1;
}

static int start_waiting(struct pool *p, struct px_err *err)
{
    for (unsigned i = 0; i < p->n_slots && p->first != NULL; i++) {
        bool alone;
        unsigned n = running(p, &alone);
        if (alone || (p->first->alone && n > 0))
            return 0;
        if (p->slots[i].job == NULL && start_on(p, &p->slots[i], err) != 0)
            return -1;
    }
    return 0;
}

/* A run is over: again, or done. */
static void settle(struct pool *p, struct slot *s, struct run_result *r)
{
    struct entry *j = s->job;
    struct outcome *o = &r->outcome;
    s->job = NULL;
    r->attempts = j->attempts;
    bool again = false;
    if (o->class == VERDICT_SANDBOX_ERROR && !o->task_at_fault) {
        bool lost = strstr(o->detail, "zygote") != NULL;
        j->always_lost = j->always_lost && lost;
        again = j->attempts < ATTEMPTS;
        if (!again && j->always_lost) {
            /* only this program does that: it counts against it */
            o->class = VERDICT_RUNTIME_ERROR;
            snprintf(o->detail, sizeof o->detail, "took its zygote with it, %u times", ATTEMPTS);
        }
    } else if (o->class == VERDICT_INCONCLUSIVE) {
        again = !j->alone;
        if (!again)
            o->class = VERDICT_TIMEOUT; /* alone, the wall clock is final */
        j->alone = true;
    } else if (o->killed_by_whom && !j->was_killed) {
        again = j->was_killed = true;
    }
    if (again) {
        px_log(PX_INFO, "run_again", "class=%s attempt=%u detail=\"%s\"",
               verdict_class_name(o->class), j->attempts, o->detail);
        put_last(p, j);
        return;
    }
    p->load--;
    j->done(j->context, r);
    free(j);
}

static void collect(struct pool *p)
{
    for (unsigned i = 0; i < p->n_slots; i++) {
        struct slot *s = &p->slots[i];
        struct run_result r;
        bool candidate_broken, tests_broken;
        if (!run_take(s->run, &r, &candidate_broken, &tests_broken))
            continue;
        if (candidate_broken)
            zygote_end_close(&s->candidate);
        if (tests_broken)
            zygote_end_close(&s->tests);
        settle(p, s, &r);
    }
}

int pool_timeout_ms(const struct pool *p)
{
    int64_t at = INT64_MAX, now = clk_now_us();
    for (unsigned i = 0; i < p->n_slots; i++) {
        int64_t d = run_deadline(p->slots[i].run);
        at = d < at ? d : at;
    }
    if (at == INT64_MAX)
        return -1;
    return at <= now ? 0 : at - now > 1000000 ? 1000 : (int)((at - now + 999) / 1000);
}

int pool_step(struct pool *p, int timeout_ms, struct px_err *err)
{
    struct epoll_event ev[64];
    if (start_waiting(p, err) != 0)
        return -1;
    int due = pool_timeout_ms(p);
    if (due >= 0 && (timeout_ms < 0 || due < timeout_ms))
        timeout_ms = due;
    int n = epoll_wait(p->epoll_fd, ev, 64, timeout_ms);
    if (n < 0 && errno != EINTR)
        return px_fail_errno(err, "cannot wait for runs");
    int64_t now = clk_now_us();
    for (int i = 0; i < n; i++) {
        uint64_t slot = ev[i].data.u64 >> 8;
        if (slot < p->n_slots)
            run_event(p->slots[slot].run, (enum run_source)(ev[i].data.u64 & 0xff), now);
    }
    for (unsigned i = 0; i < p->n_slots; i++)
        run_tick(p->slots[i].run, now);
    collect(p);
    return start_waiting(p, err);
}

unsigned pool_slots(const struct pool *p)
{
    return p->n_slots;
}

unsigned pool_load(const struct pool *p)
{
    return p->load;
}

int pool_fd(const struct pool *p)
{
    return p->epoll_fd;
}

const char *pool_jail_json(const struct pool *p)
{
    return p->jail;
}

unsigned pool_level(const struct pool *p)
{
    return p->level;
}

const char *pool_python(const struct pool *p)
{
    return nursery_python(p->nursery);
}

const char *pool_why(const struct pool *p)
{
    return p->why;
}
