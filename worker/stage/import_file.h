/* import_file.h - writes the imported form of a model (proto/model/imported.h). */
#ifndef WORKER_STAGE_IMPORT_FILE_H
#define WORKER_STAGE_IMPORT_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/err.h"

struct import_options {
    const char *dir;  /* where imported models are kept; NULL: imported_dir() */
    uint32_t threads; /* 0: one for each CPU of this process */
    /* Called now and then by the calling thread with the bytes written so far; may be NULL. */
    void (*progress)(void *ctx, uint64_t done);
    void *ctx;
};

struct imported_file {
    char *path; /* owned */
    uint64_t bytes;
    double seconds;
    bool was_there; /* whole and of this version: nothing was written */
};

/* Writes the model of the GGUF file `source` to its place (imported_path), unless a good file is
 * there already; a damaged one or one of another version is replaced. The file appears under its
 * name when it is complete and on disk, or not at all: an importer that fails leaves nothing, one
 * that is killed leaves a "*.part" file, which the next importer of the model takes over. Several
 * at once wait for the first.
 *
 * PX_EINPUT, PX_EUNSUPPORTED: not a model that this build can run, or changed while it was read;
 * PX_EUSAGE: it is an imported file itself; PX_ENOSPC with the figures when the disk is too full;
 * PX_EMISSING, PX_EIO: the directory cannot be written. */
int import_file(const char *source, const struct import_options *opt, struct imported_file *out,
                struct px_err *err) PX_MUST_CHECK;

#endif
