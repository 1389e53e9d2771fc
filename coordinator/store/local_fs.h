/* local_fs.h - is this directory on a local disk? LMDB's locks and map do not hold elsewhere. */
#ifndef COORDINATOR_STORE_LOCAL_FS_H
#define COORDINATOR_STORE_LOCAL_FS_H

#include <stdbool.h>

#include "proto/err.h"

/* 0 when dir (which exists) is on a local file system. PX_EUNSUPPORTED with the file system's name
 * and what to do otherwise. allow_fuse admits FUSE, whose locking is the user's word; NFS and its
 * like are never admitted. */
int local_fs_check(const char *dir, bool allow_fuse, struct px_err *err) PX_MUST_CHECK;

/* For tests: from now on every directory is taken to be on a file system with this magic number
 * (statfs f_type); 0 asks the system again. */
void local_fs_pretend(unsigned long magic);

#endif
