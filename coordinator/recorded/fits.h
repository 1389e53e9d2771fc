/* fits.h - do a recording's rows hold what a task asks for: texts, or as many loglikelihoods as
 * each problem has choices? */
#ifndef COORDINATOR_RECORDED_FITS_H
#define COORDINATOR_RECORDED_FITS_H

#include "coordinator/recorded/join.h"

/* -1 names the first row that does not fit. *above: loglikelihoods greater than 0, which none can
 * be (somebody else's are negated); told, not refused: sums of differences may be. */
int recorded_fits(const struct task *t, const struct recording *r, const struct joined *j,
                  uint32_t *above, struct px_err *err) PX_MUST_CHECK;

#endif
