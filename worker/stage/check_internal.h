/* check_internal.h - what the stages of a check share. */
#ifndef WORKER_STAGE_CHECK_INTERNAL_H
#define WORKER_STAGE_CHECK_INTERNAL_H

#include <stdbool.h>

#include "proto/model/tokenizer.h"
#include "worker/engine/kernels.h"
#include "worker/engine/model.h"
#include "worker/stage/check.h"

enum check_index {
    STAGE_CONTAINER,
    STAGE_TOKENIZER,
    STAGE_EMBEDDING,
    STAGE_POSITIONS,
    STAGE_PROJECTIONS,
    STAGE_ATTENTION,
    STAGE_FEED_FORWARD,
    STAGE_NORMS,
    STAGE_HEAD,
    STAGE_LOGITS,
    STAGE_SAMPLER,
    STAGE_DATA
};

struct check {
    const struct check_options *opt;
    const struct model *m;
    const struct tokenizer *tok;
    const struct kernels *kn;
    struct check_report *report;
};

void check_passed(struct check *c, enum check_index i, const char *fmt, ...) PX_PRINTF(3, 4);
void check_failed(struct check *c, enum check_index i, const char *fmt, ...) PX_PRINTF(3, 4);

/* Size of a vector of values; is_finite false when any value is NaN or infinite. */
struct spread {
    bool is_finite;
    double rms, variance;
};
struct spread spread_of(const float *v, uint64_t n);

/* ---- check_layers.c: projections, attention, feed forward ---- */
void check_layers(struct check *c);
/* ---- check_data.c: NaN, Inf and all-zero tensors; false when the data are damaged ---- */
bool check_data(struct check *c);

#endif
