/* zip.h - writing a ZIP archive whose members are deflated (PKWARE's APPNOTE 6.3; ZIP64 where sizes
 * or counts ask for it). No times and no permissions: equal members give equal bytes. */
#ifndef COORDINATOR_EXPORT_ZIP_H
#define COORDINATOR_EXPORT_ZIP_H

#include <stddef.h>

#include "proto/err.h"

struct zip;

/* path is replaced. NULL with err. */
struct zip *zip_new(const char *path, struct px_err *err);
/* Names are UTF-8 with '/' between parts, at most 65,535 bytes; a member has less than 4 GiB. */
int zip_add(struct zip *z, const char *name, const void *data, size_t n,
            struct px_err *err) PX_MUST_CHECK;
/* Writes the directory and closes. Frees z; on failure the file is of no use. */
int zip_close(struct zip **z, struct px_err *err) PX_MUST_CHECK;
void zip_abandon(struct zip **z); /* frees z without finishing the file */

#endif
