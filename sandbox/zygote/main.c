/* main.c - proctor-zygote: the nursery. It becomes an unprivileged user, warms the interpreter and
 * forks a zygote for every request of the supervisor, which holds the other end of descriptor 3. */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/jail/confine.h"
#include "sandbox/zygote/zygote.h"

static void say(int ctl, uint32_t op, int32_t step, int32_t error, const char *text)
{
    struct packet_msg m = {.op = op, .step = step, .error = error};
    snprintf(m.text, sizeof m.text, "%s", text);
    (void)packet_send(ctl, &m, NULL, 0);
}

/* In a rootless container user 0 is somebody ordinary outside, and often nobody else is mapped. */
static bool root_in_name_only(void)
{
    unsigned inside, outside, count;
    bool ordinary = false;
    FILE *f = fopen("/proc/self/uid_map", "re");
    while (f != NULL && fscanf(f, "%u %u %u", &inside, &outside, &count) == 3)
        if (inside == 0)
            ordinary = outside != 0;
    if (f != NULL)
        fclose(f);
    return ordinary;
}

static int become(const struct packet_msg *m)
{
    errno = EPERM;
    if (geteuid() != 0)
        return getuid() == 0 ? -1 : 0;
    if (m->uid != 0 && setgroups(0, NULL) == 0 && setresgid(m->gid, m->gid, m->gid) == 0 &&
        setresuid(m->uid, m->uid, m->uid) == 0)
        return geteuid() == 0 || getuid() == 0 ? -1 : 0;
    if (root_in_name_only())
        return 0;
    errno = EPERM; /* root, in a namespace without another user, say */
    return -1;
}

/* The interpreter's streams look at 0, 1 and 2 when they are made: 1 and 2 must not be seekable
 * then, and must go nowhere afterwards. */
static const char *start_interpreter(void)
{
    int null = open("/dev/null", O_RDWR | O_CLOEXEC), p[2];
    if (null < 0 || pipe2(p, O_CLOEXEC) != 0 || dup2(null, 0) < 0 || dup2(p[1], 1) < 0 ||
        dup2(p[1], 2) < 0)
        return "no descriptors for the interpreter's streams";
    const char *wrong = interpreter_start();
    if (dup2(null, 1) < 0 || dup2(null, 2) < 0)
        wrong = "no descriptors for the interpreter's streams";
    close(null);
    close(p[0]);
    close(p[1]);
    return wrong;
}

static bool seccomp_there(void)
{
    uint32_t action = SECCOMP_RET_KILL_PROCESS;
    return syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0;
}

/* uid and gid as the nursery saw them: inside the new namespace nobody is mapped yet. */
static _Noreturn void zygote(int own, int ctl, const struct packet_msg *m, bool namespaces,
                             uid_t uid, gid_t gid)
{
    close(own);
    if (jail_settle_signals() != 0)
        _exit(1);
    PyOS_AfterFork_Child();
    unsigned layers = 0;
    if (namespaces) {
        int step = jail_enter(uid, gid, interpreter_stdlib());
        if (step != 0) {
            say(ctl, PACKET_HELLO, step, errno, jail_step_name(step));
            _exit(1);
        }
        layers |= JAIL_NS;
    }
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) != 0)
        _exit(1);
    if (!(m->denied & JAIL_LANDLOCK) && jail_landlock_abi() > 0)
        layers |= JAIL_LANDLOCK;
    if (!(m->denied & JAIL_SECCOMP) && seccomp_there())
        layers |= JAIL_SECCOMP;
    zygote_serve(ctl, layers);
}

static void spawn(int own, const struct packet_msg *m, int ctl)
{
    bool namespaces = !(m->denied & JAIL_NS);
    uid_t uid = geteuid();
    gid_t gid = getegid();
    PyOS_BeforeFork();
    pid_t pid = namespaces ? jail_clone() : fork();
    if (pid == 0)
        zygote(own, ctl, m, namespaces, uid, gid);
    int error = errno;
    PyOS_AfterFork_Parent();
    int pidfd = pid < 0 ? -1 : (int)syscall(SYS_pidfd_open, pid, 0);
    struct packet_msg out = {.op = PACKET_SPAWNED,
                             .error = pid < 0     ? error
                                      : pidfd < 0 ? errno
                                                  : 0};
    (void)packet_send(own, &out, &pidfd, pidfd >= 0 ? 1 : 0);
    if (pidfd >= 0)
        close(pidfd);
}

int main(void)
{
    int ctl = PACKET_CTL_FD;
    struct packet_msg m = {.op = 0};
    int fds[PACKET_FDS], n;
    if (packet_recv(ctl, 0, &m, fds, &n) != 1 || m.op != PACKET_CONFIG) {
        fprintf(stderr, "proctor-zygote is started by proctor-tester, not by hand.\n");
        return 2;
    }
    if (become(&m) != 0 || chdir("/") != 0) {
        say(ctl, PACKET_READY, 1, errno, "cannot become an unprivileged user");
        return 1;
    }
    fcntl(ctl, F_SETFD, FD_CLOEXEC);
    const char *wrong = start_interpreter();
    if (wrong != NULL) {
        say(ctl, PACKET_READY, 2, EINVAL, wrong);
        return 1;
    }
    signal(SIGCHLD, SIG_IGN); /* zygotes are reaped by the kernel */
    signal(SIGPIPE, SIG_IGN);
    /* a Ctrl-C goes to the whole group: what runs is the supervisor's to end */
    signal(SIGINT, SIG_IGN);
    signal(SIGQUIT, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    say(ctl, PACKET_READY, 0, 0, interpreter_version());
    while (packet_recv(ctl, 0, &m, fds, &n) == 1) {
        if (m.op == PACKET_SPAWN && n == 1)
            spawn(ctl, &m, fds[0]);
        for (int i = 0; i < n; i++)
            close(fds[i]);
    }
    /* The supervisor is gone; zygotes see that too. Stay until they are gone, so that nobody has
     * to reap them; should one hang, our death is its death. */
    signal(SIGALRM, SIG_DFL);
    alarm(3);
    while (wait(NULL) > 0 || errno == EINTR)
        ;
    return 0;
}
