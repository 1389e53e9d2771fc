/* selftest.h - before a pool is used: a program that must pass, one that must not, and one that
 * tries what the jail forbids. */
#ifndef SANDBOX_SELFTEST_H
#define SANDBOX_SELFTEST_H

#include "proto/digest.h"
#include "sandbox/pool.h"

/* 0 when all three come out as they must; -1 with err that says which did not. */
int selftest_run(struct pool *p, struct px_err *err) PX_MUST_CHECK;

/* Identifies what was tried. */
struct px_digest selftest_digest(void);

#endif
