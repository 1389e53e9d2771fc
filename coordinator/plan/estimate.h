/* estimate.h - what a plan will take: tokens, memory with the arithmetic, and whether it fits.
 *
 * Prompt tokens are exact while a (task, model) pair has at most 2,000 problems; above that they
 * are extrapolated from 500 problems spread evenly and marked "about". */
#ifndef COORDINATOR_ESTIMATE_H
#define COORDINATOR_ESTIMATE_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/plan/plan.h"

struct resources {
    uint32_t workers;
    uint32_t testers;
    uint32_t threads;    /* per worker */
    int64_t memory;      /* private bytes per worker */
    int64_t host_memory; /* bytes for everything on this host */
    uint32_t max_rows;
};

/* The recipe's wishes, the rest from this host: cores of the affinity mask, memory that is there
 * (cgroup limits respected). */
void resources_resolve(const struct recipe *r, struct resources *out);

struct group_estimate {
    uint64_t prompt_tokens;
    uint32_t longest_prompt; /* tokens, continuation included */
    uint64_t new_tokens;     /* at most */
    bool about;
};

struct estimate {
    struct group_estimate *groups; /* as the plan's groups */
    int64_t weights;               /* bytes mapped once per host, models of the plan together */
    int64_t largest_model;
    int64_t disk;    /* bytes that import stages will write to the directory of imported models */
    int64_t base;    /* private bytes of a worker before any sequence */
    int64_t per_row; /* KV of the longest sequence of the plan */
    uint32_t rows;   /* sequences side by side that the budget allows */
    int64_t private_bytes;
    int64_t testers;
    int64_t total;
};

/* -1 with the arithmetic in err when something cannot fit (PX_ELIMIT). `out` is filled anyway. */
int estimate_make(const struct plan *p, const struct resources *res, struct estimate *out,
                  struct px_err *err) PX_MUST_CHECK;
void estimate_clear(struct estimate *e);

#endif
