/* pool.h - N slots that run programs, each with a pair of warm zygotes. Single-threaded.
 *
 * The pool probes the jail by using it: pool_new makes the zygotes and runs a program that must
 * pass, one that must fail and one that tries what is forbidden; if any comes out otherwise, or
 * the jail is weaker than required, there is no pool. */
#ifndef SANDBOX_POOL_H
#define SANDBOX_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/err.h"
#include "sandbox/run.h"

struct pool;

struct pool_config {
    unsigned slots;         /* 0: one per processor of the affinity mask */
    unsigned require_level; /* 1 seccomp, 2 landlock, 3 namespaces ("strict") */
};

/* "strict", "namespaces", "landlock" or "seccomp" to a level; -1 with err. */
int pool_parse_require(const char *word, unsigned *level, struct px_err *err) PX_MUST_CHECK;

struct pool *pool_new(const struct pool_config *cfg, struct px_err *err);
void pool_free(struct pool **p); /* ends what runs */

/* Called from pool_step with the result; the program may be freed then. */
typedef void pool_done_fn(void *context, const struct run_result *result);

/* Queues a program (borrowed until done is called). */
void pool_submit(struct pool *p, const struct program *program, pool_done_fn *done, void *context);

unsigned pool_slots(const struct pool *p);
unsigned pool_load(const struct pool *p); /* programs submitted and not done */

/* Readable when pool_step has something to do. */
int pool_fd(const struct pool *p);
int pool_timeout_ms(const struct pool *p); /* until pool_step is due, -1: never, at most 1000 */

/* Waits at most timeout_ms (0: does not) and handles what happened. -1 with err when the sandbox
 * itself is broken (zygotes cannot be made any more). */
int pool_step(struct pool *p, int timeout_ms, struct px_err *err) PX_MUST_CHECK;

/* The layers that are active, a JSON object; borrowed. */
const char *pool_jail_json(const struct pool *p);
unsigned pool_level(const struct pool *p);
const char *pool_python(const struct pool *p);
const char *pool_why(const struct pool *p); /* what was tried and refused, "" when nothing was */

#endif
