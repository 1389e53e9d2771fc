/* flips.h - what a rescoring changed: which verdicts flipped, from what to what, and why. */
#ifndef COORDINATOR_FLIPS_H
#define COORDINATOR_FLIPS_H

#include "coordinator/run/rescore.h"

/* Appends text or one JSON object. A verdict flips when its class or its headline changes; one
 * whose extracted answer or rule alone is another is counted apart. before and after: the manifest
 * as it was and as it will be. */
int flips_write(const struct rescore *r, const struct manifest *before,
                const struct manifest *after, const char *run, bool json, struct px_buf *out,
                struct px_err *err) PX_MUST_CHECK;

#endif
