/* test_policy.c - the generated filter against libseccomp's for the same table, number by number,
 * and what the table must say. Both filters run in a small interpreter of classic BPF. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/jail/policy.h"

#define PID 4242

static uint32_t run(const struct sock_filter *f, size_t n, const struct seccomp_data *d)
{
    uint32_t a = 0;
    for (size_t pc = 0; pc < n; pc++) {
        const struct sock_filter *i = &f[pc];
        bool yes = false;
        switch (i->code) {
        case BPF_LD | BPF_W | BPF_ABS:
            assert_true(i->k + 4 <= sizeof *d);
            memcpy(&a, (const char *)d + i->k, 4);
            continue;
        case BPF_ALU | BPF_AND | BPF_K:
            a &= i->k;
            continue;
        case BPF_RET | BPF_K:
            return i->k;
        case BPF_JMP | BPF_JA:
            pc += i->k;
            continue;
        case BPF_JMP | BPF_JEQ | BPF_K:
            yes = a == i->k;
            break;
        case BPF_JMP | BPF_JGE | BPF_K:
            yes = a >= i->k;
            break;
        case BPF_JMP | BPF_JGT | BPF_K:
            yes = a > i->k;
            break;
        case BPF_JMP | BPF_JSET | BPF_K:
            yes = (a & i->k) != 0;
            break;
        default:
            fail_msg("instruction %zu has code %#x", pc, i->code);
        }
        pc += yes ? i->jt : i->jf;
    }
    fail_msg("the filter runs off its end");
    return 0;
}

static uint32_t ask(const struct sock_filter *f, size_t n, uint32_t nr, unsigned arg,
                    uint64_t value)
{
    struct seccomp_data d = {.nr = (int)nr, .arch = AUDIT_ARCH_X86_64};
    d.args[arg] = value;
    return run(f, n, &d);
}

/* One rule of the table in libseccomp's words; what is not allowed is left to the default. */
static void add_rule(scmp_filter_ctx ctx, const struct policy_rule *r)
{
    int nr = r->nr, rc = 0;
    struct scmp_arg_cmp c = {.arg = r->arg, .op = SCMP_CMP_MASKED_EQ, .datum_a = 0xffffffff};
    if (r->kind == RULE_ALLOW) {
        rc = seccomp_rule_add_exact(ctx, SCMP_ACT_ALLOW, nr, 0);
    } else if (r->kind == RULE_KILL) {
        rc = seccomp_rule_add_exact(ctx, SCMP_ACT_KILL_PROCESS, nr, 0);
    } else if (r->kind == RULE_MASKED) {
        c.datum_a = r->mask;
        c.datum_b = r->value;
        rc = seccomp_rule_add_exact_array(ctx, SCMP_ACT_ALLOW, nr, 1, &c);
    } else if (r->kind == RULE_SELF) {
        c.datum_b = PID;
        rc = seccomp_rule_add_exact_array(ctx, SCMP_ACT_ALLOW, nr, 1, &c);
        c.datum_b = 0;
        if (rc == 0 && r->mask != 0)
            rc = seccomp_rule_add_exact_array(ctx, SCMP_ACT_ALLOW, nr, 1, &c);
    } else if (r->kind == RULE_IN) {
        for (size_t i = 0; rc == 0 && i < r->n_list; i++) {
            c.datum_b = r->list[i];
            rc = seccomp_rule_add_exact_array(ctx, SCMP_ACT_ALLOW, nr, 1, &c);
        }
    }
    assert_int_equal(rc, 0);
}

static size_t by_libseccomp(enum policy_profile profile, struct sock_filter *out, size_t cap)
{
    scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    assert_non_null(ctx);
    assert_int_equal(seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS), 0);
    for (uint32_t nr = 0; nr <= POLICY_MAX_NR; nr++) {
        struct policy_rule r = policy_rule_for(profile, nr);
        add_rule(ctx, &r);
    }
    int fd = memfd_create("bpf", 0);
    assert_true(fd >= 0);
    assert_int_equal(seccomp_export_bpf(ctx, fd), 0);
    ssize_t n = pread(fd, out, cap * sizeof *out, 0);
    assert_true(n > 0 && (size_t)n < cap * sizeof *out);
    close(fd);
    seccomp_release(ctx);
    return (size_t)n / sizeof *out;
}

static uint32_t kind_of_answer(uint32_t answer)
{
    return answer & SECCOMP_RET_ACTION_FULL;
}

static void both_filters_agree(enum policy_profile profile)
{
    static struct sock_filter ours[POLICY_MAX_INSNS], theirs[16384];
    size_t n = policy_build(profile, PID, ours), m = by_libseccomp(profile, theirs, 16384);
    assert_true(n > 0);
    static const uint64_t values[] = {0,
                                      1,
                                      2,
                                      3,
                                      4,
                                      5,
                                      6,
                                      7,
                                      15,
                                      16,
                                      17,
                                      38,
                                      PID,
                                      PID + 1,
                                      63,
                                      64,
                                      0x5421,
                                      0x5401,
                                      0x5412,
                                      0x541b,
                                      1030,
                                      1031,
                                      CLONE_THREAD,
                                      CLONE_THREAD | CLONE_NEWUSER,
                                      CLONE_NEWNET,
                                      0x3d0f00,
                                      O_CREAT,
                                      O_TRUNC,
                                      O_RDWR,
                                      O_WRONLY,
                                      O_CLOEXEC,
                                      O_TMPFILE,
                                      0xffffffff,
                                      0x100000000ull,
                                      (uint64_t)-1,
                                      0x100000000ull + PID,
                                      PROT_EXEC | PROT_READ,
                                      PROT_WRITE};
    for (uint32_t nr = 0; nr <= POLICY_MAX_NR; nr++)
        for (unsigned arg = 0; arg < 4; arg++)
            for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
                uint32_t a = ask(ours, n, nr, arg, values[i]);
                uint32_t b = ask(theirs, m, nr, arg, values[i]);
                if (kind_of_answer(a) != kind_of_answer(b))
                    fail_msg("system call %u, argument %u = %#llx: %#x, libseccomp %#x", nr, arg,
                             (unsigned long long)values[i], a, b);
            }
}

static void filters_agree_where_files_may_change(void **state)
{
    (void)state;
    both_filters_agree(POLICY_FILES);
}

static void filters_agree_where_nothing_may_change(void **state)
{
    (void)state;
    both_filters_agree(POLICY_READONLY);
}

static void denials_carry_their_errno(void **state)
{
    (void)state;
    struct sock_filter f[POLICY_MAX_INSNS];
    size_t n = policy_build(POLICY_READONLY, PID, f);
    for (uint32_t nr = 0; nr <= 600; nr++) {
        struct policy_rule r = policy_rule_for(POLICY_READONLY, nr);
        uint32_t got = ask(f, n, nr, 0, 0x7777);
        if (r.kind == RULE_ERRNO)
            assert_int_equal(got, SECCOMP_RET_ERRNO | r.err);
    }
    assert_int_equal(ask(f, n, SYS_clone3, 0, 0), SECCOMP_RET_ERRNO | ENOSYS);
    assert_int_equal(ask(f, n, SYS_socket, 0, 2), SECCOMP_RET_ERRNO | EACCES);
    assert_int_equal(ask(f, n, SYS_fork, 0, 0), SECCOMP_RET_ERRNO | EPERM);
    assert_int_equal(ask(f, n, 9999, 0, 0), SECCOMP_RET_ERRNO | ENOSYS);
    assert_int_equal(ask(f, n, SYS_openat, 2, O_WRONLY), SECCOMP_RET_ERRNO | EACCES);
    assert_int_equal(ask(f, n, SYS_openat, 2, O_RDONLY | O_CLOEXEC), SECCOMP_RET_ALLOW);
}

static void other_architectures_kill(void **state)
{
    (void)state;
    struct sock_filter f[POLICY_MAX_INSNS];
    size_t n = policy_build(POLICY_FILES, PID, f);
    struct seccomp_data d = {.nr = SYS_read, .arch = AUDIT_ARCH_I386};
    assert_int_equal(run(f, n, &d), SECCOMP_RET_KILL_PROCESS);
    assert_int_equal(ask(f, n, 0x40000000u | SYS_read, 0, 0), SECCOMP_RET_KILL_PROCESS);
    assert_int_equal(ask(f, n, SYS_ptrace, 0, 0), SECCOMP_RET_KILL_PROCESS);
}

static void a_program_signals_nobody_but_itself(void **state)
{
    (void)state;
    struct sock_filter f[POLICY_MAX_INSNS];
    size_t n = policy_build(POLICY_FILES, PID, f);
    assert_int_equal(ask(f, n, SYS_kill, 0, PID), SECCOMP_RET_ALLOW);
    static const uint64_t others[] = {0, 1, PID + 1, (uint64_t)-1, (uint64_t)-PID};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        assert_int_equal(ask(f, n, SYS_kill, 0, others[i]), SECCOMP_RET_ERRNO | EPERM);
}

static void paths_through_the_filter_are_short(void **state)
{
    (void)state;
    struct sock_filter f[POLICY_MAX_INSNS];
    size_t n = policy_build(POLICY_FILES, PID, f);
    assert_in_range(n, 100, 600);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(filters_agree_where_files_may_change),
                                       cmocka_unit_test(filters_agree_where_nothing_may_change),
                                       cmocka_unit_test(denials_carry_their_errno),
                                       cmocka_unit_test(other_architectures_kill),
                                       cmocka_unit_test(a_program_signals_nobody_but_itself),
                                       cmocka_unit_test(paths_through_the_filter_are_short)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
