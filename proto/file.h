/* file.h - whole files, made and read safely. */
#ifndef PROTO_FILE_H
#define PROTO_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"

/* Reads a file of at most `limit` bytes. *out is owned and has a NUL after its *len bytes. */
int px_read_file(const char *path, size_t limit, char **out, size_t *len,
                 struct px_err *err) PX_MUST_CHECK;

/* Writes path as a whole or not at all: temporary file beside it, fsync, rename, fsync of the
 * directory. */
int px_write_file(const char *path, const void *data, size_t len, struct px_err *err) PX_MUST_CHECK;

int px_mkdirs(const char *path, unsigned mode, struct px_err *err) PX_MUST_CHECK; /* mkdir -p */
bool px_exists(const char *path);
bool px_is_dir(const char *path);                      /* links are followed */
char *px_path_join(const char *dir, const char *name); /* owned; absolute names win */
char *px_dirname(const char *path);                    /* owned; "." when there is no slash */

/* The user's cache directory for Proctor: $PROCTOR_CACHE, $XDG_CACHE_HOME/proctor or
 * ~/.cache/proctor. Owned; not made. */
char *px_cache_dir(void);

/* Directory of the running executable (via /proc/self/exe). Owned. */
char *px_exe_dir(void);

/* Directory with Proctor's own recipes/: $PROCTOR_HOME, else <exe dir>/../share/proctor when
 * installed, else the source tree above the build directory. Owned, or NULL with err. */
char *px_home_dir(struct px_err *err);

#endif
