/* problem_index.h - a group's problems found by their ids. */
#ifndef COORDINATOR_REPORT_PROBLEM_INDEX_H
#define COORDINATOR_REPORT_PROBLEM_INDEX_H

#include "coordinator/report/collect.h"

struct problem_name {
    const char *id; /* borrowed from the group's manifest */
    uint32_t at;
};

struct problem_index {
    struct problem_name *names; /* by id */
    uint32_t n;
};

void problem_index_make(struct problem_index *x, const struct group_stats *g);
void problem_index_clear(struct problem_index *x);
bool problem_index_find(const struct problem_index *x, const char *id, uint32_t *at);

#endif
