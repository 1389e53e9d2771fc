/* conform_out.h - what `proctor conform` tells of each task. */
#ifndef COORDINATOR_CONFORM_OUT_H
#define COORDINATOR_CONFORM_OUT_H

#include "coordinator/recorded/conform.h"
#include "coordinator/report/emit.h"

struct conform_line {
    const char *peer_task;
    const char *ours;    /* our task, with /subset; NULL: none is mapped */
    const char *skipped; /* why it was not compared, or NULL */
    bool compat;         /* under the rules of lm-eval */
    int32_t shots;
    const struct conform_result *result;
};

/* Equal in everything that was compared, and something was. */
bool conform_equal(const struct conform_result *r);
void conform_text(const struct conform_line *l, struct px_buf *out);
void conform_json(const struct conform_line *l, struct emit *e);

#endif
