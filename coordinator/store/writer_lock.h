/* writer_lock.h - one writer per store: an flock on <dir>/writer.lock, the pid inside. The lock
 * ends with its process, however that ends; the file stays. */
#ifndef COORDINATOR_STORE_WRITER_LOCK_H
#define COORDINATOR_STORE_WRITER_LOCK_H

#include <stdbool.h>
#include <sys/types.h>

#include "proto/err.h"

/* A descriptor that holds the lock until it is closed, or -1 (PX_EEXIST names the holder's pid). */
int writer_lock_take(const char *dir, struct px_err *err) PX_MUST_CHECK;

/* Is a writer alive? *pid is its process, 0 when unknown. */
bool writer_lock_held(const char *dir, pid_t *pid);

#endif
