/* local.h - the workers and testers that a run starts on its own host.
 *
 * Each is a slot: a child process that is started again when it dies, with a backoff that doubles
 * up to 5 s. Children die with the coordinator (PR_SET_PDEATHSIG), have their own process group (a
 * terminal's Ctrl-C reaches only the coordinator), no inherited descriptors, and write to
 * <run>/logs/<program>-<slot>.log. A child that exits by itself with a refusal (status 2) will not
 * do better the next time: that ends the run with its last words.
 *
 * Must be called from one thread that lives as long as the run. Forks and executes at once, so a
 * ZeroMQ context in the parent is harmless. */
#ifndef COORDINATOR_LOCAL_H
#define COORDINATOR_LOCAL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/err.h"

struct local;

struct local_config {
    const char *run_dir;
    const char *endpoint; /* ipc://... that the children connect to */
    uint32_t workers, testers;
    uint32_t threads;    /* per worker */
    int64_t memory;      /* per worker */
    int64_t host_memory; /* 0: no limit */
    uint32_t max_rows;   /* 0: the worker's default */
    const char *isa;
    uint32_t slots;          /* runs side by side per tester; 0: its default */
    const char *program_dir; /* NULL: beside the running program */
};

struct local_death {
    pid_t pid;
    bool worker;     /* else a tester */
    int status;      /* as wait(2) gives it */
    char words[256]; /* the end of what it wrote, one line */
};

/* Copies the configuration; makes <run>/logs. Starts nothing yet. */
struct local *local_new(const struct local_config *cfg, struct px_err *err);
void local_free(struct local **l); /* kills and reaps what is left */

/* Starts every slot whose time has come. -1: a program cannot be started, or refused. */
int local_tick(struct local *l, int64_t now_us, struct px_err *err) PX_MUST_CHECK;
/* When local_tick has something to do next; INT64_MAX: nothing. */
int64_t local_next_us(const struct local *l);

/* Collects children that have ended, at most max; call on SIGCHLD. Returns how many. */
int local_reap(struct local *l, int64_t now_us, struct local_death *out, int max);

bool local_is_mine(const struct local *l, pid_t pid);
/* Kills a child for good reason (hung); it is reaped and started again as usual. */
void local_kill(struct local *l, pid_t pid);

/* Asks all children to leave, kills those that have not after grace_us, reaps them all. */
void local_stop(struct local *l, int64_t grace_us);

#endif
