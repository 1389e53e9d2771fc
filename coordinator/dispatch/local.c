#include "coordinator/dispatch/local.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/file.h"
#include "proto/log.h"
#include "proto/mem.h"

enum { MAX_ARGS = 24 };
static const int64_t first_backoff_us = 100000;
static const int64_t last_backoff_us = 5000000;
static const int64_t calm_us = 10000000; /* a life this long forgets earlier deaths */

struct slot {
    bool worker;
    uint32_t number;
    pid_t pid; /* 0: not running */
    int64_t started_us;
    int64_t start_at_us; /* when it may be started again */
    int64_t backoff_us;
    off_t log_from; /* where this life's words begin in its log */
    char *log_path;
    char *argv[MAX_ARGS];
    int argc;
};

struct local {
    struct slot *slots;
    uint32_t n;
    bool refused;
    struct px_err refusal;
};

/* ---- set-up ---- */

static void add_arg(struct slot *s, const char *name, char *value)
{
    px_assert(s->argc + 3 < MAX_ARGS);
    s->argv[s->argc++] = px_xstrdup(name);
    if (value)
        s->argv[s->argc++] = value;
}

static void init_slot(struct slot *s, const struct local_config *cfg, bool worker, uint32_t number)
{
    PX_FREE char *dir = cfg->program_dir ? px_xstrdup(cfg->program_dir) : px_exe_dir();
    const char *program = worker ? "proctor-worker" : "proctor-tester";
    s->worker = worker;
    s->number = number;
    s->backoff_us = first_backoff_us;
    s->log_path = px_xasprintf("%s/logs/%s-%u.log", cfg->run_dir, program, number);
    s->argv[s->argc++] = px_path_join(dir, program);
    add_arg(s, "--connect", px_xstrdup(cfg->endpoint));
    if (!worker) {
        if (cfg->slots)
            add_arg(s, "--slots", px_xasprintf("%u", cfg->slots));
        return;
    }
    add_arg(s, "--memory", px_xasprintf("%" PRId64, cfg->memory));
    add_arg(s, "--threads", px_xasprintf("%u", cfg->threads));
    add_arg(s, "--isa", px_xstrdup(cfg->isa ? cfg->isa : "auto"));
    if (cfg->host_memory)
        add_arg(s, "--host-memory", px_xasprintf("%" PRId64, cfg->host_memory));
    if (cfg->max_rows)
        add_arg(s, "--rows", px_xasprintf("%u", cfg->max_rows));
}

struct local *local_new(const struct local_config *cfg, struct px_err *err)
{
    PX_FREE char *logs = px_path_join(cfg->run_dir, "logs");
    if (px_mkdirs(logs, 0755, err) != 0)
        return NULL;
    struct local *l = px_xcalloc(1, sizeof *l);
    l->n = cfg->workers + cfg->testers;
    l->slots = px_xcalloc(l->n, sizeof *l->slots);
    for (uint32_t i = 0; i < l->n; i++) {
        bool worker = i < cfg->workers;
        init_slot(&l->slots[i], cfg, worker, worker ? i : i - cfg->workers);
    }
    return l;
}

void local_free(struct local **lp)
{
    struct local *l = *lp;
    if (!l)
        return;
    local_stop(l, 0);
    for (uint32_t i = 0; i < l->n; i++) {
        for (int k = 0; k < l->slots[i].argc; k++)
            free(l->slots[i].argv[k]);
        free(l->slots[i].log_path);
    }
    free(l->slots);
    free(l);
    *lp = NULL;
}

/* ---- starting ---- */

/* In the child: only async-signal-safe calls up to execv. */
static _Noreturn void become(const struct slot *s, int log, int null, pid_t parent, int report)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_DFL);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) /* it died in between */
        _exit(1);
    dup2(null, 0);
    dup2(log, 1);
    dup2(log, 2);
    if (report != 3)
        dup2(report, 3);
    fcntl(3, F_SETFD, FD_CLOEXEC);
    close_range(4, ~0u, 0);
    execv(s->argv[0], s->argv);
    int e = errno;
    ssize_t ignored = write(3, &e, sizeof e);
    (void)ignored;
    _exit(127);
}

static int start(struct slot *s, int64_t now_us, struct px_err *err)
{
    PX_CLOSE int log = open(s->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    PX_CLOSE int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    int ends[2];
    if (log < 0)
        return px_fail_errno(err, "cannot open %s", s->log_path);
    if (null < 0 || pipe2(ends, O_CLOEXEC) != 0)
        return px_fail_errno(err, "cannot start %s", s->argv[0]);
    s->log_from = lseek(log, 0, SEEK_END);
    pid_t parent = getpid();
    pid_t pid = fork();
    if (pid == 0)
        become(s, log, null, parent, ends[1]);
    close(ends[1]);
    PX_CLOSE int status = ends[0];
    if (pid < 0)
        return px_fail_errno(err, "cannot start %s", s->argv[0]);
    int e = 0;
    if (read(status, &e, sizeof e) == (ssize_t)sizeof e) {
        waitpid(pid, NULL, 0);
        errno = e;
        return px_fail_errno(err, "cannot start %s", s->argv[0]);
    }
    s->pid = pid;
    s->started_us = now_us;
    px_log(PX_INFO, "started", "program=%s slot=%u pid=%d", s->worker ? "worker" : "tester",
           s->number, (int)pid);
    return 0;
}

int local_tick(struct local *l, int64_t now_us, struct px_err *err)
{
    if (l->refused) {
        *err = l->refusal;
        return -1;
    }
    for (uint32_t i = 0; i < l->n; i++)
        if (l->slots[i].pid == 0 && l->slots[i].start_at_us <= now_us &&
            start(&l->slots[i], now_us, err) != 0)
            return -1;
    return 0;
}

int64_t local_next_us(const struct local *l)
{
    int64_t next = l->refused ? 0 : INT64_MAX;
    for (uint32_t i = 0; i < l->n; i++)
        if (l->slots[i].pid == 0 && l->slots[i].start_at_us < next)
            next = l->slots[i].start_at_us;
    return next;
}

/* ---- ending ---- */

/* The last line that the child wrote in this life. */
static void last_words(const struct slot *s, char out[256])
{
    char tail[1024];
    out[0] = '\0';
    PX_CLOSE int fd = open(s->log_path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0)
        return;
    off_t from = st.st_size - (off_t)sizeof tail + 1;
    ssize_t n = pread(fd, tail, sizeof tail - 1, from > s->log_from ? from : s->log_from);
    while (n > 0 && tail[n - 1] == '\n')
        n--;
    if (n <= 0)
        return;
    tail[n] = '\0';
    const char *line = strrchr(tail, '\n');
    snprintf(out, 256, "%.250s", line ? line + 1 : tail);
}

static void note_end(struct local *l, struct slot *s, int status, int64_t now_us,
                     struct local_death *out)
{
    out->pid = s->pid;
    out->worker = s->worker;
    out->status = status;
    last_words(s, out->words);
    if (now_us - s->started_us > calm_us)
        s->backoff_us = first_backoff_us;
    s->pid = 0;
    s->start_at_us = now_us + s->backoff_us;
    s->backoff_us = 2 * s->backoff_us < last_backoff_us ? 2 * s->backoff_us : last_backoff_us;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 2 && !l->refused) {
        l->refused = true;
        px_fail(&l->refusal, PX_EUNSUPPORTED, "a local %s refused to work: %s",
                s->worker ? "worker" : "tester",
                out->words[0] ? out->words : "it gave no reason; see logs/");
    }
}

int local_reap(struct local *l, int64_t now_us, struct local_death *out, int max)
{
    int n = 0;
    for (uint32_t i = 0; i < l->n && n < max; i++) {
        struct slot *s = &l->slots[i];
        int status;
        if (s->pid > 0 && waitpid(s->pid, &status, WNOHANG) == s->pid)
            note_end(l, s, status, now_us, &out[n++]);
    }
    return n;
}

bool local_is_mine(const struct local *l, pid_t pid)
{
    for (uint32_t i = 0; i < l->n; i++)
        if (l->slots[i].pid == pid && pid > 0)
            return true;
    return false;
}

void local_kill(struct local *l, pid_t pid)
{
    if (local_is_mine(l, pid))
        kill(pid, SIGKILL);
}

static uint32_t signal_all(const struct local *l, int sig)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < l->n; i++)
        if (l->slots[i].pid > 0) {
            kill(l->slots[i].pid, sig);
            n++;
        }
    return n;
}

void local_stop(struct local *l, int64_t grace_us)
{
    int64_t end = clk_now_us() + grace_us;
    bool asked = false;
    for (;;) {
        for (uint32_t i = 0; i < l->n; i++)
            if (l->slots[i].pid > 0 && waitpid(l->slots[i].pid, NULL, WNOHANG) != 0)
                l->slots[i].pid = 0;
        bool late = clk_now_us() >= end;
        if (signal_all(l, late ? SIGKILL : asked ? 0 : SIGTERM) == 0)
            return;
        asked = true;
        clk_sleep_us(late ? 1000 : 5000);
    }
}
