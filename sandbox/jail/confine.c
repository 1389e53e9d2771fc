/* confine.c - the steps that shut one run in: scratch space, limits, Landlock, seccomp. */
#include "sandbox/jail/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Rights that kernels newer than this build's headers know; masked by the running ABI. */
#define LL_TRUNCATE (1ull << 14)
#define LL_IOCTL_DEV (1ull << 15)
#define LL_NET_BIND_CONNECT 3ull
#define LL_SCOPE_ALL 3ull

#define SCRATCH_BYTES (16u << 20)

struct ll_attr { /* struct landlock_ruleset_attr as of ABI 6 */
    uint64_t fs, net, scoped;
};

unsigned jail_denied_by_environment(void)
{
    static const struct {
        const char *name;
        unsigned layer;
    } names[] = {{"PROCTOR_NO_USERNS", JAIL_NS},
                 {"PROCTOR_NO_LANDLOCK", JAIL_LANDLOCK},
                 {"PROCTOR_NO_SECCOMP", JAIL_SECCOMP}};
    unsigned denied = 0;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *v = getenv(names[i].name);
        if (v != NULL && strcmp(v, "") != 0 && strcmp(v, "0") != 0)
            denied |= names[i].layer;
    }
    return denied;
}

unsigned jail_level(unsigned layers)
{
    if (!(layers & JAIL_SECCOMP))
        return 0;
    if ((layers & JAIL_NS) && (layers & JAIL_LANDLOCK))
        return 3;
    return layers & (JAIL_NS | JAIL_LANDLOCK) ? 2 : 1;
}

const char *jail_level_name(unsigned level)
{
    static const char *const names[] = {"none", "seccomp", "landlock", "namespaces"};
    return level < 4 ? names[level] : "?";
}

int jail_landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
    return abi > 0 ? (int)abi : 0;
}

/* ---- the steps of one run ---- */

static int scratch_space(void)
{
    if (unshare(CLONE_NEWNS) != 0)
        return -1;
    return mount("scratch", "/w", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC,
                 "size=16m,nr_inodes=1024,mode=700");
}

static int drop_capabilities(void)
{
    struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct none[2] = {{0, 0, 0}, {0, 0, 0}};
    return (int)syscall(SYS_capset, &head, none);
}

static int limit(int which, uint64_t soft, uint64_t hard)
{
    struct rlimit now;
    if (getrlimit((__rlimit_resource_t)which, &now) != 0)
        return -1;
    if (hard > now.rlim_max)
        hard = now.rlim_max; /* the host's own limit is tighter: it stays */
    struct rlimit r = {soft < hard ? soft : hard, hard};
    return setrlimit((__rlimit_resource_t)which, &r);
}

static int limits(const struct confine *c)
{
    uint64_t mem = (uint64_t)c->memory_bytes;
    uint64_t cpu = (uint64_t)c->cpu_s;
    /* CPU: soft before hard, so that the end is SIGXCPU and does not look like a suicide.
     * Memory: DATA stops private pages, only AS stops shared mappings. */
    if (limit(RLIMIT_CPU, cpu + 1, cpu + 2) != 0 || limit(RLIMIT_DATA, mem, mem) != 0 ||
        limit(RLIMIT_AS, mem + (512u << 20), mem + (512u << 20)) != 0 ||
        limit(RLIMIT_STACK, 16u << 20, 16u << 20) != 0 ||
        limit(RLIMIT_FSIZE, SCRATCH_BYTES, SCRATCH_BYTES) != 0 ||
        limit(RLIMIT_NOFILE, 64, 64) != 0 || limit(RLIMIT_CORE, 0, 0) != 0 ||
        limit(RLIMIT_MSGQUEUE, 0, 0) != 0 || limit(RLIMIT_MEMLOCK, 0, 0) != 0)
        return -1;
    if ((c->layers & JAIL_NPROC) && limit(RLIMIT_NPROC, 72, 72) != 0)
        return -1;
    return 0;
}

/* jail_settle_signals left the zygote with these four ignored and everything else as it must be. */
static const int shielded[] = {SIGINT, SIGQUIT, SIGHUP, SIGTERM};

int jail_settle_signals(void)
{
    struct sigaction def = {.sa_handler = SIG_DFL}, ign = {.sa_handler = SIG_IGN};
    for (int s = 1; s < NSIG; s++)
        if (s != SIGKILL && s != SIGSTOP)
            (void)sigaction(s, &def, NULL); /* 32 and 33 belong to libc and are refused */
    for (size_t i = 0; i < sizeof shielded / sizeof shielded[0]; i++)
        if (sigaction(shielded[i], &ign, NULL) != 0)
            return -1;
    /* as every Python program starts */
    return sigaction(SIGPIPE, &ign, NULL) != 0 || sigaction(SIGXFSZ, &ign, NULL) != 0 ? -1 : 0;
}

static int reset_signals(void)
{
    struct sigaction def = {.sa_handler = SIG_DFL};
    for (size_t i = 0; i < sizeof shielded / sizeof shielded[0]; i++)
        if (sigaction(shielded[i], &def, NULL) != 0)
            return -1;
    sigset_t none;
    sigemptyset(&none);
    return sigprocmask(SIG_SETMASK, &none, NULL);
}

static int allow_path(int ruleset, const char *path, uint64_t rights)
{
    int fd = open(path, O_PATH | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? 0 : -1;
    struct stat st;
    int rc = fstat(fd, &st);
    if (rc == 0) {
        if (!S_ISDIR(st.st_mode))
            rights &= LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | LL_TRUNCATE;
        struct landlock_path_beneath_attr rule = {.allowed_access = rights, .parent_fd = fd};
        rc = (int)syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &rule, 0);
    }
    int saved = errno;
    close(fd);
    errno = saved;
    return rc;
}

static int landlock(const struct confine *c)
{
    int abi = jail_landlock_abi();
    uint64_t all = (1ull << 13) - 1;
    all |= abi >= 2 ? LANDLOCK_ACCESS_FS_REFER : 0;
    all |= abi >= 3 ? LL_TRUNCATE : 0;
    all |= abi >= 5 ? LL_IOCTL_DEV : 0;
    struct ll_attr attr = {all, abi >= 4 ? LL_NET_BIND_CONNECT : 0, abi >= 6 ? LL_SCOPE_ALL : 0};
    size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
    int rs = (int)syscall(SYS_landlock_create_ruleset, &attr, size, 0);
    if (rs < 0)
        return -1;
    uint64_t read = LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR;
    uint64_t write = all & ~(uint64_t)(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR |
                                       LANDLOCK_ACCESS_FS_MAKE_BLOCK |
                                       LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_MAKE_SYM |
                                       LANDLOCK_ACCESS_FS_MAKE_FIFO | LL_IOCTL_DEV);
    static const char *const dirs[] = {"/usr/lib", "/usr/lib64", "/lib", "/lib64",
                                       "/etc/ld.so.cache"};
    int rc = 0;
    if (c->layers & JAIL_NS) {
        rc = allow_path(rs, "/", read); /* the root holds only what jail_enter put there */
    } else {
        for (size_t i = 0; rc == 0 && i < sizeof dirs / sizeof dirs[0]; i++)
            rc = allow_path(rs, dirs[i], read);
        if (rc == 0)
            rc = allow_path(rs, c->stdlib, read);
    }
    if (rc == 0)
        rc = allow_path(rs, "/dev/null",
                        LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE);
    if (rc == 0)
        rc = allow_path(rs, "/dev/zero", LANDLOCK_ACCESS_FS_READ_FILE);
    if (rc == 0)
        rc = allow_path(rs, "/dev/urandom", LANDLOCK_ACCESS_FS_READ_FILE);
    if (rc == 0 && c->scratch)
        rc = allow_path(rs, "/w", write);
    if (rc == 0)
        rc = (int)syscall(SYS_landlock_restrict_self, rs, 0);
    int saved = errno;
    close(rs);
    errno = saved;
    return rc;
}

static int seccomp(const struct confine *c)
{
    struct sock_filter insn[POLICY_MAX_INSNS];
    size_t n = policy_build(c->profile, (uint32_t)getpid(), insn);
    struct sock_fprog prog = {(unsigned short)n, insn};
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
}

int confine_run(const struct confine *c, volatile struct confine_stage *stage)
{
    int step = 0;
#define STEP(call)                                                                                 \
    do {                                                                                           \
        stage->step = ++step;                                                                      \
        if ((call) != 0) {                                                                         \
            stage->error = errno;                                                                  \
            return -1;                                                                             \
        }                                                                                          \
    } while (0)
    STEP(setsid() < 0);
    STEP(c->scratch ? scratch_space() : 0);
    STEP(c->layers & JAIL_NS ? drop_capabilities() : 0);
    STEP(chdir(c->layers & JAIL_NS ? "/w" : "/"));
    umask(077);
    STEP(limits(c));
    STEP(reset_signals());
    STEP(prctl(PR_SET_DUMPABLE, 0, 0, 0, 0));
    STEP(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
    STEP(c->layers & JAIL_LANDLOCK ? landlock(c) : 0);
    STEP(c->layers & JAIL_SECCOMP ? seccomp(c) : (errno = EPERM, -1));
#undef STEP
    stage->step = CONFINE_DONE;
    return 0;
}
