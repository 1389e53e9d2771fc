/* recording_internal.h - a recording's parts, shared by its source files only: recording.c (rows
 * and what is asked of them), recording_load.c (files, directories, formats that are no rows). */
#ifndef PROTO_RECORDING_INTERNAL_H
#define PROTO_RECORDING_INTERNAL_H

#include "proto/buf.h"
#include "proto/recording.h"

#define RECORDING_LIMIT ((size_t)4 << 30) /* bytes of text, decompressed */

/* Member that tells rows of one lm-eval task from those of another in the same directory. */
#define RECORDING_PART_KEY "lm-eval task"

struct recording_text {
    char *text; /* JSON lines, owned */
    size_t len;
};

/* Turns what a file holds into JSON lines, in place where it is that already. format is resolved
 * from AUTO. */
int recording_lines(struct px_buf *raw, const char *name, enum recording_format *format,
                    struct recording_text *out, struct px_err *err) PX_MUST_CHECK;
/* Reads a file (plain or gzip) as a whole. */
int recording_read_file(const char *path, struct px_buf *out, struct px_err *err) PX_MUST_CHECK;
/* A directory: EvalPlus's TASK_ID/n.py, or samples_*.jsonl. */
int recording_read_dir(const char *path, enum recording_format *format, struct recording_text *out,
                       struct px_err *err) PX_MUST_CHECK;

#endif
