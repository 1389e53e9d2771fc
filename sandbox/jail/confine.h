/* confine.h - putting processes into the jail: the zygote's namespaces once, each run's limits.
 *
 * Two moments. jail_enter makes a zygote pid 1 of namespaces of its own with a root that holds
 * nothing but the interpreter (it runs in a child made by jail_clone). confine_run is what the
 * fork of a zygote does before it reads a program's source: a fresh tmpfs, descriptors, limits,
 * Landlock, seccomp. Both say at which step they failed; nothing here allocates after a fork.
 *
 * The ladder: 3 = namespaces + Landlock + seccomp, 2 = seccomp and one of the two, 1 = seccomp
 * alone, 0 = nothing. */
#ifndef SANDBOX_JAIL_CONFINE_H
#define SANDBOX_JAIL_CONFINE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "sandbox/jail/policy.h"

enum jail_layer {
    JAIL_NS = 1, /* user, pid, mount, net, ipc, uts and cgroup namespaces */
    JAIL_LANDLOCK = 2,
    JAIL_SECCOMP = 4,
    JAIL_NPROC = 8 /* RLIMIT_NPROC counts inside the user namespace: threads are limited */
};

/* Layers that are not to be tried (PROCTOR_NO_USERNS, PROCTOR_NO_LANDLOCK, PROCTOR_NO_SECCOMP:
 * how tests see hosts that lack them). */
unsigned jail_denied_by_environment(void);

unsigned jail_level(unsigned layers);
const char *jail_level_name(unsigned level);
int jail_landlock_abi(void); /* 0 when the kernel has none */

/* Like fork, but the child is pid 1 of new namespaces. -1 with errno when the host refuses. */
pid_t jail_clone(void);

/* In that child: maps the user, builds and enters the new root with `stdlib` (absolute path of
 * the interpreter's library) in it. 0, or the number of the step that failed, with errno. */
int jail_enter(uid_t uid, gid_t gid, const char *stdlib);
const char *jail_step_name(int step);

/* Once in a zygote: signals as its forks are to have them, but that those for a whole process group
 * (a Ctrl-C) are ignored: what runs is the supervisor's to end. */
int jail_settle_signals(void);

struct confine {
    unsigned layers;
    const char *stdlib;
    enum policy_profile profile;
    bool scratch;  /* a tmpfs on /w: only with JAIL_NS */
    int64_t cpu_s; /* whole seconds: the backstop behind the zygote's clock */
    int64_t memory_bytes;
};

/* How far a run got, kept in a page that the zygote shares with its fork. */
struct confine_stage {
    int32_t step;  /* the step that is being tried; CONFINE_DONE when all are done */
    int32_t error; /* errno of the step that failed */
};
#define CONFINE_DONE 100

/* Confines the calling process for good. On failure -1 and *stage says where. */
int confine_run(const struct confine *c, volatile struct confine_stage *stage);

#endif
