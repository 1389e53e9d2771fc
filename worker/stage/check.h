/* check.h - is a model file whole, sane and able to predict? Twelve stages, each with a reason.
 *
 *   container, tokenizer, embedding, positions, projections, attention, feed forward, norms,
 *   head, logits, sampler, data
 *
 * The report depends on the file alone (not on threads, instruction set or host); only an
 * unreadable container is reported with its path. */
#ifndef WORKER_STAGE_CHECK_H
#define WORKER_STAGE_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/buf.h"
#include "proto/digest.h"
#include "proto/err.h"

enum { CHECK_STAGES = 12 };
enum check_status { CHECK_SKIPPED, CHECK_PASSED, CHECK_FAILED };

struct check_stage {
    const char *name; /* static */
    enum check_status status;
    char details[600]; /* what was found; for a failure what was expected too */
};

struct check_report {
    char architecture[32]; /* "" when the container cannot be read */
    uint64_t bytes;
    bool is_imported; /* an imported file (proto/model/imported.h) */
    struct check_stage stages[CHECK_STAGES];
    unsigned passed;
};

struct check_options {
    const char *isa;  /* NULL: auto */
    uint32_t threads; /* 0: 1 */
    /* Called now and then with the bytes looked at so far; may be NULL. */
    void (*progress)(void *ctx, uint64_t done);
    void *ctx;
};

/* Runs every stage; a damaged file is a report with failed stages. -1 with err only when the file
 * is missing or the system cannot read it (PX_EMISSING, PX_EIO). Reads the whole file. */
int check_file(const char *path, const struct check_options *opt, struct check_report *out,
               struct px_err *err) PX_MUST_CHECK;

/* The failed stage to name when one must be named (damaged data explain other failures), or NULL
 * when none failed. */
const struct check_stage *check_cause(const struct check_report *r);

/* {"model", "architecture", "digest", "bytes", "stages": [{"name", "status", "details"}],
 *  "passed", "total", "all_passed"} */
void check_json(const struct check_report *r, const char *model, const struct px_digest *digest,
                struct px_buf *out);

#endif
