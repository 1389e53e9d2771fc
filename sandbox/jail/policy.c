/* policy.c - the table of system calls and its compilation to a range tree in classic BPF. */
#include "sandbox/jail/policy.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define NEW_NAMESPACES                                                                             \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |  \
     CLONE_NEWNET)
#define OPEN_WRITES (O_ACCMODE | O_CREAT | O_TRUNC | O_APPEND | (O_TMPFILE & ~O_DIRECTORY))

static const uint32_t ioctls[] = {FIOCLEX, FIONCLEX, FIONBIO, FIONREAD, TCGETS};
static const uint32_t fcntls[] = {F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL};
static const uint32_t prctls[] = {PR_SET_NAME, PR_GET_NAME, PR_GET_DUMPABLE, PR_GET_PDEATHSIG};

static const uint16_t allowed[] = {
    /* files that are open, and looking */
    SYS_read, SYS_readv, SYS_pread64, SYS_preadv, SYS_preadv2, SYS_write, SYS_writev, SYS_pwrite64,
    SYS_pwritev, SYS_pwritev2, SYS_lseek, SYS_close, SYS_close_range, SYS_dup, SYS_dup2, SYS_dup3,
    SYS_fstat, SYS_newfstatat, SYS_stat, SYS_lstat, SYS_statx, SYS_statfs, SYS_fstatfs, SYS_access,
    SYS_faccessat, SYS_faccessat2, SYS_readlink, SYS_readlinkat, SYS_getdents, SYS_getdents64,
    SYS_getcwd, SYS_chdir, SYS_fchdir, SYS_fsync, SYS_fdatasync, SYS_umask, SYS_fadvise64,
    SYS_sendfile, SYS_copy_file_range, SYS_ftruncate,
    /* memory and threads */
    SYS_mmap, SYS_munmap, SYS_mremap, SYS_madvise, SYS_brk, SYS_mincore, SYS_futex,
    SYS_set_robust_list, SYS_get_robust_list, SYS_rseq, SYS_set_tid_address, SYS_membarrier,
    SYS_arch_prctl, SYS_exit, SYS_exit_group, SYS_sched_yield, SYS_sched_getaffinity,
    SYS_sched_getparam, SYS_sched_getscheduler, SYS_getpriority, SYS_getcpu, SYS_wait4, SYS_waitid,
    /* who and when */
    SYS_gettid, SYS_getpid, SYS_getppid, SYS_getpgid, SYS_getpgrp, SYS_getsid, SYS_getuid,
    SYS_geteuid, SYS_getgid, SYS_getegid, SYS_getresuid, SYS_getresgid, SYS_getgroups, SYS_capget,
    SYS_uname, SYS_sysinfo, SYS_getrandom, SYS_getrlimit, SYS_getrusage, SYS_times, SYS_time,
    SYS_gettimeofday, SYS_clock_gettime, SYS_clock_getres, SYS_clock_nanosleep, SYS_nanosleep,
    SYS_alarm, SYS_setitimer, SYS_getitimer, SYS_pause, SYS_restart_syscall,
    /* signals to itself */
    SYS_rt_sigaction, SYS_rt_sigprocmask, SYS_rt_sigreturn, SYS_rt_sigpending, SYS_rt_sigtimedwait,
    SYS_rt_sigsuspend, SYS_sigaltstack,
    /* waiting, and channels inside the process */
    SYS_poll, SYS_ppoll, SYS_select, SYS_pselect6, SYS_epoll_create, SYS_epoll_create1,
    SYS_epoll_ctl, SYS_epoll_wait, SYS_epoll_pwait, SYS_epoll_pwait2, SYS_eventfd, SYS_eventfd2,
    SYS_timerfd_create, SYS_timerfd_settime, SYS_timerfd_gettime, SYS_pipe, SYS_pipe2, SYS_sendto,
    SYS_recvfrom, SYS_sendmsg, SYS_recvmsg, SYS_shutdown, SYS_getsockname, SYS_getpeername,
    SYS_getsockopt};

/* Allowed under POLICY_FILES, EACCES under POLICY_READONLY: Landlock does not govern metadata. */
static const uint16_t file_writes[] = {
    SYS_creat,    SYS_mkdir,    SYS_mkdirat,   SYS_rmdir,     SYS_unlink,    SYS_unlinkat,
    SYS_rename,   SYS_renameat, SYS_renameat2, SYS_chmod,     SYS_fchmod,    SYS_utime,
    SYS_fchmodat, SYS_utimes,   SYS_truncate,  SYS_futimesat, SYS_utimensat, SYS_fallocate};

static const uint16_t killed[] = {SYS_ptrace,
                                  SYS_process_vm_readv,
                                  SYS_process_vm_writev,
                                  SYS_bpf,
                                  SYS_init_module,
                                  SYS_finit_module,
                                  SYS_delete_module,
                                  SYS_kexec_load,
                                  SYS_kexec_file_load,
                                  SYS_mount,
                                  SYS_umount2,
                                  SYS_pivot_root,
                                  SYS_move_mount,
                                  SYS_open_tree,
                                  SYS_fsopen,
                                  SYS_fsconfig,
                                  SYS_fsmount,
                                  SYS_fspick,
                                  SYS_mount_setattr,
                                  SYS_unshare,
                                  SYS_setns,
                                  SYS_add_key,
                                  SYS_request_key,
                                  SYS_keyctl,
                                  SYS_userfaultfd,
                                  SYS_perf_event_open,
                                  SYS_open_by_handle_at,
                                  SYS_io_uring_setup,
                                  SYS_io_uring_enter,
                                  SYS_io_uring_register,
                                  SYS_pidfd_getfd,
                                  SYS_kcmp,
                                  SYS_swapon,
                                  SYS_swapoff,
                                  SYS_reboot,
                                  SYS_execve,
                                  SYS_execveat};

#define N_OF(a) (sizeof(a) / sizeof(a)[0])

static const struct policy_rule special[] = {
    {.nr = SYS_clone3, .kind = RULE_ERRNO, .err = ENOSYS}, /* libc falls back to clone */
    {.nr = SYS_openat2, .kind = RULE_ERRNO, .err = ENOSYS},
    {.nr = SYS_socket, .kind = RULE_ERRNO, .err = EACCES},
    {.nr = SYS_connect, .kind = RULE_ERRNO, .err = EACCES},
    {.nr = SYS_bind, .kind = RULE_ERRNO, .err = EACCES},
    {.nr = SYS_listen, .kind = RULE_ERRNO, .err = EACCES},
    {.nr = SYS_accept, .kind = RULE_ERRNO, .err = EACCES},
    {.nr = SYS_accept4, .kind = RULE_ERRNO, .err = EACCES},
    /* threads only: CLONE_THREAD there, no namespace flag */
    {.nr = SYS_clone,
     .kind = RULE_MASKED,
     .arg = 0,
     .err = EPERM,
     .mask = CLONE_THREAD | (uint32_t)NEW_NAMESPACES,
     .value = CLONE_THREAD},
    {.nr = SYS_mprotect, .kind = RULE_MASKED, .arg = 2, .err = EACCES, .mask = PROT_EXEC},
    {.nr = SYS_socketpair,
     .kind = RULE_MASKED,
     .arg = 0,
     .err = EACCES,
     .mask = 0xffffffffu,
     .value = AF_UNIX},
    {.nr = SYS_ioctl,
     .kind = RULE_IN,
     .arg = 1,
     .err = ENOTTY,
     .list = ioctls,
     .n_list = N_OF(ioctls)},
    {.nr = SYS_fcntl,
     .kind = RULE_IN,
     .arg = 1,
     .err = EPERM,
     .list = fcntls,
     .n_list = N_OF(fcntls)},
    {.nr = SYS_prctl,
     .kind = RULE_IN,
     .arg = 0,
     .err = EPERM,
     .list = prctls,
     .n_list = N_OF(prctls)},
    {.nr = SYS_kill, .kind = RULE_SELF, .arg = 0, .err = EPERM},
    {.nr = SYS_tgkill, .kind = RULE_SELF, .arg = 0, .err = EPERM},
    {.nr = SYS_prlimit64, .kind = RULE_SELF, .arg = 0, .err = EPERM, .mask = 1}};

static bool has(const uint16_t *list, size_t n, uint32_t nr)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == nr)
            return true;
    return false;
}

struct policy_rule policy_rule_for(enum policy_profile profile, uint32_t nr)
{
    struct policy_rule r = {.nr = (uint16_t)nr, .kind = RULE_ERRNO, .err = EPERM};
    /* 335..423 were never given out on x86-64 */
    if (nr > POLICY_MAX_NR || (nr > SYS_rseq && nr < SYS_pidfd_send_signal)) {
        r.err = ENOSYS;
        return r;
    }
    for (size_t i = 0; i < N_OF(special); i++)
        if (special[i].nr == nr)
            return special[i];
    if (has(allowed, N_OF(allowed), nr)) {
        r.kind = RULE_ALLOW;
    } else if (has(killed, N_OF(killed), nr)) {
        r.kind = RULE_KILL;
    } else if (has(file_writes, N_OF(file_writes), nr)) {
        r.kind = profile == POLICY_FILES ? RULE_ALLOW : RULE_ERRNO;
        r.err = EACCES;
    } else if (nr == SYS_open || nr == SYS_openat) {
        r.kind = profile == POLICY_FILES ? RULE_ALLOW : RULE_MASKED;
        r.arg = nr == SYS_open ? 1 : 2;
        r.err = EACCES;
        r.mask = OPEN_WRITES;
    }
    return r;
}

/* ---- compilation ---- */

struct range {
    uint16_t first;
    struct policy_rule rule;
};

struct program {
    struct sock_filter *insn;
    size_t n;
    uint32_t own_pid;
};

static void emit(struct program *p, uint16_t code, uint32_t k, uint8_t jt, uint8_t jf)
{
    if (p->n < POLICY_MAX_INSNS)
        p->insn[p->n] = (struct sock_filter){code, jt, jf, k};
    p->n++;
}

static void emit_ret(struct program *p, uint32_t action)
{
    emit(p, BPF_RET | BPF_K, action, 0, 0);
}

static void emit_leaf(struct program *p, const struct policy_rule *r)
{
    uint32_t deny = SECCOMP_RET_ERRNO | r->err;
    if (r->kind == RULE_ALLOW || r->kind == RULE_ERRNO || r->kind == RULE_KILL) {
        emit_ret(p, r->kind == RULE_ALLOW   ? SECCOMP_RET_ALLOW
                    : r->kind == RULE_ERRNO ? deny
                                            : SECCOMP_RET_KILL_PROCESS);
        return;
    }
    /* The kernel takes all looked-at arguments as 32-bit integers: the low word decides. */
    emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, args) + 8u * r->arg,
         0, 0);
    if (r->kind == RULE_MASKED) {
        emit(p, BPF_ALU | BPF_AND | BPF_K, r->mask, 0, 0);
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, r->value, 0, 1);
    } else if (r->kind == RULE_SELF) {
        if (r->mask != 0)
            emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0);
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, p->own_pid, 0, 1);
    } else {
        for (size_t i = 0; i < r->n_list; i++) {
            bool last = i + 1 == r->n_list;
            emit(p, BPF_JMP | BPF_JEQ | BPF_K, r->list[i], (uint8_t)(r->n_list - 1 - i),
                 last ? 1 : 0);
        }
    }
    emit_ret(p, SECCOMP_RET_ALLOW);
    emit_ret(p, deny);
}

/* Emits the search over ranges[lo, hi); the number is in the accumulator. */
static void emit_tree(struct program *p, const struct range *ranges, size_t lo, size_t hi)
{
    if (hi - lo == 1) {
        emit_leaf(p, &ranges[lo].rule);
        return;
    }
    size_t mid = lo + (hi - lo) / 2;
    size_t at = p->n;
    emit(p, BPF_JMP | BPF_JGE | BPF_K, ranges[mid].first, 0, 1);
    emit(p, BPF_JMP | BPF_JA, 0, 0, 0);
    emit_tree(p, ranges, lo, mid);
    if (at + 1 < POLICY_MAX_INSNS)
        p->insn[at + 1].k = (uint32_t)(p->n - (at + 2));
    emit_tree(p, ranges, mid, hi);
}

static bool same_rule(const struct policy_rule *a, const struct policy_rule *b)
{
    return a->kind == b->kind && a->kind <= RULE_KILL &&
           (a->kind != RULE_ERRNO || a->err == b->err);
}

size_t policy_build(enum policy_profile profile, uint32_t own_pid,
                    struct sock_filter out[POLICY_MAX_INSNS])
{
    struct range ranges[POLICY_MAX_NR + 2];
    size_t n = 0;
    for (uint32_t nr = 0; nr <= POLICY_MAX_NR + 1; nr++) {
        struct policy_rule r = policy_rule_for(profile, nr);
        if (n > 0 && same_rule(&ranges[n - 1].rule, &r))
            continue;
        ranges[n++] = (struct range){(uint16_t)nr, r};
    }
    struct program p = {out, 0, own_pid};
    emit(&p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, arch), 0, 0);
    emit(&p, BPF_JMP | BPF_JEQ | BPF_K, AUDIT_ARCH_X86_64, 1, 0);
    emit_ret(&p, SECCOMP_RET_KILL_PROCESS);
    emit(&p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offsetof(struct seccomp_data, nr), 0, 0);
    emit(&p, BPF_JMP | BPF_JGE | BPF_K, 0x40000000u, 0, 1);
    emit_ret(&p, SECCOMP_RET_KILL_PROCESS);
    emit_tree(&p, ranges, 0, n);
    return p.n <= POLICY_MAX_INSNS ? p.n : 0;
}
