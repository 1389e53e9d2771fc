/* admission.h - which of the waiting units begins next.
 *
 * Those whose heads are there already, so that heads meet before their pages are given up; of them
 * the one with the most work, so that what is left at the end is short; else the oldest. One that
 * does not fit into memory is overtaken by those that do, but only so often: then nobody begins
 * before it does. Order never changes a result. Pure, and the same for the same candidates. */
#ifndef WORKER_ENGINE_ADMISSION_H
#define WORKER_ENGINE_ADMISSION_H

#include <stdbool.h>
#include <stdint.h>

enum { OVERTAKEN_MOST = 64 };

struct candidate {
    void *unit;         /* the caller's */
    uint64_t order;     /* of arrival, unique */
    uint64_t work;      /* tokens to be computed, at most */
    uint32_t shared;    /* pages of its head that are there */
    uint32_t overtaken; /* later ones that began before it */
};

/* Sorts them, the first to begin first. */
void admission_sort(struct candidate *c, uint32_t n);
/* It does not fit: may others begin before it? */
bool admission_may_pass(const struct candidate *c);

#endif
