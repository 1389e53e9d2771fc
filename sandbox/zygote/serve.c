/* serve.c - a zygote: forks one confined program at a time, watches its CPU clock, reaps it. */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "sandbox/jail/confine.h"
#include "sandbox/zygote/zygote.h"

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

struct zygote {
    int ctl;
    unsigned layers;
    long cores; /* a program's threads can use this many seconds of CPU in one second */
    volatile struct confine_stage *stage; /* shared with the fork until it is confined */
};

/* Puts the received descriptors at 0..5 and closes everything else. */
static int place_fds(const int *fds, int n, bool tests)
{
    static const int candidate_at[] = {FD_SOURCE, FD_CHANNEL, 0, 1, 2};
    static const int tests_at[] = {FD_SOURCE, FD_CHANNEL, FD_VERDICT};
    const int *at = tests ? tests_at : candidate_at;
    int high[PACKET_FDS];
    for (int i = 0; i < n; i++)
        if ((high[i] = fcntl(fds[i], F_DUPFD, 32)) < 0)
            return -1;
    for (int i = 0; i < n; i++)
        if (dup2(high[i], at[i]) < 0)
            return -1;
    return (int)syscall(SYS_close_range, tests ? FD_VERDICT + 1 : FD_SOURCE + 1, ~0u, 0);
}

static _Noreturn void child(struct zygote *z, const struct packet_msg *m, const int *fds, int n)
{
    bool tests = m->mode == RUN_TESTS;
    struct confine c = {.layers = z->layers,
                        .stdlib = interpreter_stdlib(),
                        .scratch = !tests && (z->layers & JAIL_NS),
                        .profile = !tests && (z->layers & JAIL_NS) ? POLICY_FILES : POLICY_READONLY,
                        .cpu_s = (m->cpu_us + 999999) / 1000000,
                        .memory_bytes = m->memory_bytes};
    if (place_fds(fds, n, tests) != 0) {
        z->stage->error = errno;
        _exit(1);
    }
    setpriority(PRIO_PROCESS, 0, 5); /* the supervisor's clocks come first; a hint only */
    if (confine_run(&c, z->stage) != 0)
        _exit(1);
    munmap((void *)(uintptr_t)z->stage, 4096); /* from here on the stage cannot be changed */
    interpreter_after_fork();
    if (tests)
        tests_run();
    candidate_run(m->mode == RUN_SCRIPT);
}

static int64_t cpu_used_us(pid_t pid)
{
    clockid_t id;
    struct timespec t;
    if (clock_getcpuclockid(pid, &id) != 0 || clock_gettime(id, &t) != 0)
        return 0;
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void end_run(const struct zygote *z, pid_t pid)
{
    if (z->layers & JAIL_NS)
        kill(-1, SIGKILL); /* everything in this pid namespace but us */
    else
        kill(pid, SIGKILL);
}

/* Answers one packet during a run; false when the supervisor is gone. */
static bool during_run(struct zygote *z, uint64_t run, pid_t pid, int pidfd)
{
    struct packet_msg m = {.op = 0};
    int fds[PACKET_FDS], n;
    int rc = packet_recv(z->ctl, MSG_DONTWAIT, &m, fds, &n);
    for (int i = 0; rc == 1 && i < n; i++)
        close(fds[i]);
    if (rc < 0 && errno == EAGAIN)
        return true;
    if (rc != 1)
        return false;
    if (m.op == PACKET_KILL && m.run == run) {
        end_run(z, pid);
    } else if (m.op == PACKET_PEEK && m.run == run) {
        struct packet_msg out = {.op = PACKET_PEEKED, .run = run};
        (void)packet_send(z->ctl, &out, &pidfd, 1);
    }
    return true;
}

/* Waits for the fork's end, ending it when its CPU time is used up. */
static bool watch(struct zygote *z, const struct packet_msg *m, pid_t pid, int pidfd, bool *limited)
{
    for (;;) {
        int64_t left = m->cpu_us - cpu_used_us(pid);
        int wait_ms = *limited ? 1000 : (int)(left / 1000 / z->cores);
        if (wait_ms < 10)
            wait_ms = 10;
        struct pollfd p[2] = {{.fd = pidfd, .events = POLLIN}, {.fd = z->ctl, .events = POLLIN}};
        if (poll(p, 2, wait_ms) < 0 && errno != EINTR)
            return false;
        if (p[0].revents != 0)
            return true;
        if (p[1].revents != 0 && !during_run(z, m->run, pid, pidfd)) {
            end_run(z, pid);
            return false;
        }
        if (!*limited && cpu_used_us(pid) >= m->cpu_us) {
            *limited = true;
            end_run(z, pid);
        }
    }
}

static void reap(const struct zygote *z, pid_t pid, struct packet_msg *out)
{
    struct rusage u;
    int status = 0;
    if (z->layers & JAIL_NS)
        kill(-1, SIGKILL);
    while (wait4(pid, &status, 0, &u) < 0 && errno == EINTR)
        ;
    while (waitpid(-1, NULL, 0) > 0 || errno == EINTR)
        ;
    out->status = status;
    out->used_cpu_us = (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000000u +
                       (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
    out->rss_bytes = (uint64_t)u.ru_maxrss * 1024u;
}

static void run(struct zygote *z, const struct packet_msg *m, int *fds, int n)
{
    struct packet_msg out = {.op = PACKET_EXITED, .run = m->run};
    if (m->mode == RUN_TESTS)
        tests_prepare();
    if (m->warm_unittest)
        interpreter_import("unittest");
    z->stage->step = 0;
    z->stage->error = 0;
    PyOS_BeforeFork();
    pid_t pid = fork();
    if (pid == 0)
        child(z, m, fds, n);
    PyOS_AfterFork_Parent();
    for (int i = 0; i < n; i++)
        close(fds[i]);
    int pidfd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
    if (pidfd < 0) {
        out.error = errno;
        if (pid > 0)
            reap(z, pid, &out);
        (void)packet_send(z->ctl, &out, NULL, 0);
        return;
    }
    bool limited = false;
    bool alive = watch(z, m, pid, pidfd, &limited);
    if (!alive)
        _exit(0); /* nobody to report to; the namespace dies with us */
    reap(z, pid, &out);
    close(pidfd);
    out.cpu_limited = limited;
    out.step = z->stage->step;
    out.error = z->stage->error;
    (void)packet_send(z->ctl, &out, NULL, 0);
}

/* Do threads still start under the limit? Where the kernel counts per user on the whole host
 * (before 5.14) a busy user has none left, and the limit is not used. */
static void *nothing(void *p)
{
    return p;
}

static bool thread_limit_works(void)
{
    pid_t pid = fork();
    if (pid == 0) {
        struct rlimit r = {72, 72};
        pthread_t t[8];
        if (setrlimit(RLIMIT_NPROC, &r) != 0)
            _exit(1);
        for (int i = 0; i < 8; i++)
            if (pthread_create(&t[i], NULL, nothing, NULL) != 0)
                _exit(1);
        _exit(0);
    }
    int status = 1;
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return pid > 0 && status == 0;
}

static void settle(void)
{
    pthread_attr_t a;
    if (pthread_attr_init(&a) == 0) {
        if (pthread_attr_setstacksize(&a, 1u << 20) == 0)
            (void)pthread_setattr_default_np(&a); /* threads' stacks count as memory */
        pthread_attr_destroy(&a);
    }
    mallopt(M_ARENA_MAX, 2);
}

_Noreturn void zygote_serve(int ctl, unsigned layers)
{
    struct zygote z = {.ctl = ctl, .layers = layers, .cores = sysconf(_SC_NPROCESSORS_ONLN)};
    if (z.cores < 1)
        z.cores = 1;
    settle();
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        _exit(1);
    z.stage = page;
    if ((layers & JAIL_NS) && thread_limit_works())
        z.layers |= JAIL_NPROC;
    struct packet_msg m = {.op = PACKET_HELLO, .layers = z.layers};
    if (packet_send(ctl, &m, NULL, 0) != 0)
        _exit(1);
    int fds[PACKET_FDS], n;
    while (packet_recv(ctl, 0, &m, fds, &n) == 1) {
        if (m.op == PACKET_RUN && n == (m.mode == RUN_TESTS ? 3 : 5)) {
            run(&z, &m, fds, n);
            continue;
        }
        for (int i = 0; i < n; i++)
            close(fds[i]); /* a late KILL or PEEK for a run that has ended */
    }
    _exit(0);
}
