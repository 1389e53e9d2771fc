/* scratch.h - a directory of its own for one test, removed with everything in it. */
#ifndef TESTS_COORDINATOR_SCRATCH_H
#define TESTS_COORDINATOR_SCRATCH_H

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static inline int scratch_remove_one(const char *path, const struct stat *st, int kind,
                                     struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

/* dir has room for 64 bytes. */
static inline void scratch_make(char *dir)
{
    const char *base = getenv("TMPDIR");
    snprintf(dir, 64, "%.40s/proctor-XXXXXX", base && strlen(base) <= 40 ? base : "/tmp");
    if (!mkdtemp(dir))
        abort();
}

static inline void scratch_remove(const char *dir)
{
    nftw(dir, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#endif
