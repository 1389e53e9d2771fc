/* nursery.c - the supervisor's hand on proctor-zygote. */
#include "sandbox/nursery.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/file.h"
#include "proto/mem.h"
#include "sandbox/jail/confine.h"

/* The user that runs programs when the supervisor is root: a number that Debian and systemd give
 * to nobody. */
#define RUN_AS 60777

struct nursery {
    pid_t pid;
    int ctl;
    unsigned denied;
    char python[64];
};

static void stop(struct nursery *n)
{
    if (n->pid > 0) {
        kill(n->pid, SIGKILL);
        while (waitpid(n->pid, NULL, 0) < 0 && errno == EINTR)
            ;
    }
    if (n->ctl >= 0)
        close(n->ctl);
    n->pid = 0;
    n->ctl = -1;
}

/* Waits for one packet of kind op. 1, or 0 with err. */
static int await(int fd, uint32_t op, int ms, struct packet_msg *m, int *got_fd, struct px_err *err)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int64_t end = clk_now_us() + ms * 1000LL;
    int rc;
    do
        rc = poll(&p, 1, (int)((end - clk_now_us()) / 1000));
    while (rc < 0 && errno == EINTR);
    if (rc <= 0)
        return px_fail(err, PX_ETIMEOUT, "proctor-zygote did not answer within %d ms", ms);
    int fds[PACKET_FDS], n;
    rc = packet_recv(fd, MSG_DONTWAIT, m, fds, &n);
    for (int i = got_fd != NULL ? 1 : 0; rc == 1 && i < n; i++)
        close(fds[i]);
    if (got_fd != NULL)
        *got_fd = rc == 1 && n > 0 ? fds[0] : -1;
    if (rc != 1 || m->op != op)
        return px_fail(err, PX_EIO, "proctor-zygote ended while it was being asked for a zygote");
    return 0;
}

static int launch(struct nursery *n, struct px_err *err)
{
    PX_FREE char *dir = px_exe_dir();
    PX_FREE char *path = px_path_join(dir, "proctor-zygote");
    if (!px_exists(path))
        return px_fail(err, PX_EMISSING, "no %s: it runs the programs, and belongs beside %s", path,
                       "proctor-tester (run make)");
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return px_fail_errno(err, "cannot make a socket pair for %s", path);
    char *const argv[] = {(char[]){"proctor-zygote"}, NULL};
    char *const envp[] = {(char[]){"PATH=/usr/bin:/bin"}, (char[]){"HOME=/w"},
                          (char[]){"LANG=C.UTF-8"}, (char[]){"TZ=UTC"}, NULL};
    posix_spawn_file_actions_t acts;
    posix_spawnattr_t attr;
    sigset_t none;
    sigemptyset(&none);
    posix_spawn_file_actions_init(&acts);
    posix_spawnattr_init(&attr);
    posix_spawn_file_actions_adddup2(&acts, pair[1], PACKET_CTL_FD);
    posix_spawn_file_actions_addclosefrom_np(&acts, PACKET_CTL_FD + 1);
    posix_spawnattr_setsigmask(&attr, &none);
    posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
    int rc = posix_spawn(&n->pid, path, &acts, &attr, argv, envp);
    posix_spawn_file_actions_destroy(&acts);
    posix_spawnattr_destroy(&attr);
    close(pair[1]);
    n->ctl = pair[0];
    if (rc != 0) {
        errno = rc;
        n->pid = 0;
        return px_fail_errno(err, "cannot start %s", path);
    }
    return 0;
}

static int start(struct nursery *n, struct px_err *err)
{
    struct packet_msg m = {.op = PACKET_CONFIG, .uid = RUN_AS, .gid = RUN_AS, .denied = n->denied};
    if (launch(n, err) != 0)
        return -1;
    if (packet_send(n->ctl, &m, NULL, 0) != 0)
        return px_fail_errno(err, "cannot speak to proctor-zygote");
    if (await(n->ctl, PACKET_READY, 20000, &m, NULL, err) != 0)
        return -1;
    if (m.step != 0)
        return px_fail(err, PX_EIO, "proctor-zygote: %.60s (%s)", m.text, strerror(m.error));
    snprintf(n->python, sizeof n->python, "%.60s", m.text);
    return 0;
}

struct nursery *nursery_new(unsigned denied, struct px_err *err)
{
    struct nursery *n = px_xcalloc(1, sizeof *n);
    n->ctl = -1;
    n->denied = denied;
    if (start(n, err) != 0)
        nursery_free(&n);
    return n;
}

void nursery_free(struct nursery **n)
{
    if (*n == NULL)
        return;
    stop(*n);
    free(*n);
    *n = NULL;
}

const char *nursery_python(const struct nursery *n)
{
    return n->python;
}

/* One try. 1: namespaces were refused (why says so), 0: there it is, -1: err. */
static int try_spawn(struct nursery *n, unsigned denied, struct zygote_end *out, char *why,
                     struct px_err *err)
{
    int pair[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
        return px_fail_errno(err, "cannot make a socket pair for a zygote");
    struct zygote_end z = {.ctl = pair[0], .pidfd = -1};
    struct packet_msg m = {.op = PACKET_SPAWN, .denied = denied};
    int rc = packet_send(n->ctl, &m, &pair[1], 1);
    close(pair[1]);
    if (rc != 0 || await(n->ctl, PACKET_SPAWNED, 20000, &m, &z.pidfd, err) != 0) {
        zygote_end_close(&z);
        return rc == 0 ? -1 : px_fail_errno(err, "cannot speak to proctor-zygote");
    }
    bool cloned = z.pidfd >= 0;
    if (!cloned && (denied & JAIL_NS)) {
        zygote_end_close(&z);
        return px_fail(err, PX_EIO, "cannot make a zygote: %s", strerror(m.error));
    }
    if (cloned && await(z.ctl, PACKET_HELLO, 20000, &m, NULL, err) != 0) {
        zygote_end_close(&z);
        return -1;
    }
    if (!cloned || m.step != 0) {
        snprintf(why, 128, "namespaces: %.60s: %s", cloned ? m.text : "cloning", strerror(m.error));
        zygote_end_close(&z);
        return 1;
    }
    z.layers = m.layers;
    *out = z;
    return 0;
}

int nursery_spawn(struct nursery *n, struct zygote_end *out, char *why, struct px_err *err)
{
    char words[128] = "";
    int rc = try_spawn(n, n->denied, out, words, err);
    if (rc < 0) { /* the nursery may be gone: once more with a new one */
        stop(n);
        if (start(n, err) != 0)
            return -1;
        rc = try_spawn(n, n->denied, out, words, err);
    }
    if (rc > 0) {
        n->denied |= JAIL_NS; /* this host refuses: do not ask for every zygote */
        rc = try_spawn(n, n->denied, out, words, err);
    }
    if (rc == 0 && why != NULL)
        memcpy(why, words, sizeof words);
    return rc == 0 ? 0 : -1;
}

void zygote_end_close(struct zygote_end *z)
{
    if (z->pidfd >= 0) {
        (void)syscall(SYS_pidfd_send_signal, z->pidfd, SIGKILL, NULL, 0);
        close(z->pidfd);
    }
    if (z->ctl >= 0)
        close(z->ctl);
    z->ctl = z->pidfd = -1;
}
