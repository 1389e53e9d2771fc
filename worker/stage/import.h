/* import.h - the import stage: a model file is checked, identified and ready to be mapped. */
#ifndef WORKER_STAGE_IMPORT_H
#define WORKER_STAGE_IMPORT_H

#include <stdint.h>

#include "proto/err.h"
#include "proto/unit.h"

/* Checks job->model_path, computes its digest and, where job->options say {"layout": "panels"} and
 * the file is good and not imported already, writes its imported form (import_file). The
 * completion's text is the report of check_json, with a member "imported": {"path", "bytes",
 * "was_there"}, or {"problem"} where it could not be written, which fails nothing. finish is
 * FINISH_EOS when every stage passed and the digest is job->model (when that is not zero), else
 * FINISH_ERROR with `error` naming the stage. -1 with err when the file is missing or cannot be
 * read, so there is nothing to report (PX_EMISSING; PX_EIO may pass).
 *
 * Blocks for as long as reading the file takes; progress (may be NULL) is called with the bytes
 * looked at so far. *out is owned (completion_clear). */
int stage_import(const struct job *job, const struct unit *unit,
                 void (*progress)(void *ctx, uint64_t done), void *ctx, struct completion *out,
                 struct px_err *err) PX_MUST_CHECK;

#endif
