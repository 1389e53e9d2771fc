/* policy.h - which system calls a confined program may make, as a table and as classic BPF.
 *
 * The table is the policy; policy_build turns it into a seccomp filter that finds a number by
 * binary search over ranges (loading costs per instruction, running per path). Numbers the table
 * does not name are answered with EPERM, numbers this build does not know with ENOSYS; a foreign
 * architecture or an x32 number kills. */
#ifndef SANDBOX_JAIL_POLICY_H
#define SANDBOX_JAIL_POLICY_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

enum policy_profile {
    POLICY_FILES,   /* may create and change files (where the mount and Landlock let it) */
    POLICY_READONLY /* opens for reading only, changes no file and no file's metadata */
};

enum policy_kind {
    RULE_ALLOW,
    RULE_ERRNO,  /* answer err */
    RULE_KILL,   /* no honest program makes this call: SIGSYS for the whole process */
    RULE_IN,     /* allow when the low word of arg is in list, else err */
    RULE_MASKED, /* allow when (arg & mask) == value, else err */
    RULE_SELF    /* allow when arg is the program's own pid (or 0 with mask != 0), else err */
};

struct policy_rule {
    uint16_t nr;
    uint8_t kind; /* enum policy_kind */
    uint8_t arg;  /* index of the argument that is looked at */
    uint16_t err;
    uint8_t n_list;
    const uint32_t *list;
    uint32_t mask;
    uint32_t value;
};

#define POLICY_MAX_NR 450 /* highest system call number this table knows of */
#define POLICY_MAX_INSNS 1024

/* The rule for one number under a profile; total for 0 <= nr. */
struct policy_rule policy_rule_for(enum policy_profile profile, uint32_t nr);

/* Writes the filter for a program whose pid is own_pid. Returns the number of instructions, at
 * most POLICY_MAX_INSNS. Allocates nothing: it is called between fork and the filter's load. */
size_t policy_build(enum policy_profile profile, uint32_t own_pid,
                    struct sock_filter out[POLICY_MAX_INSNS]);

#endif
