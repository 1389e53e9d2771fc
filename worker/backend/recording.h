/* recording.h - recorded completions: JSON lines (plain or gzip), found by problem id and sample.
 *
 * docs/replay.md describes the rows. The file is read once; texts are parsed when asked for. */
#ifndef WORKER_RECORDING_H
#define WORKER_RECORDING_H

#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"
#include "proto/unit.h"

struct recording;

struct recording *recording_open(const char *path, struct px_err *err); /* owned */
/* The same over text in memory (copied); `name` is for messages. */
struct recording *recording_parse(const char *text, size_t len, const char *name,
                                  struct px_err *err);
void recording_free(struct recording **r);
uint32_t recording_rows(const struct recording *r);

/* Fills finish and text. A problem or sample that is not there gives FINISH_ERROR with a reason. */
void recording_find(const struct recording *r, const char *problem, uint32_t sample,
                    struct completion *out);

#endif
