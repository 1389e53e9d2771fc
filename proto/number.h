/* number.h - text to numbers, strictly: the whole text must be used, nothing saturates. */
#ifndef PROTO_NUMBER_H
#define PROTO_NUMBER_H

#include <stdint.h>

#include "proto/err.h"

int px_parse_int(const char *s, int64_t lo, int64_t hi, int64_t *out,
                 struct px_err *err) PX_MUST_CHECK;
int px_parse_double(const char *s, double lo, double hi, double *out,
                    struct px_err *err) PX_MUST_CHECK; /* finite, C locale */

/* "6GiB", "512 MiB", "1.5GB", "4096": bytes. Units B kB KB MB GB TB (powers of 1000) and KiB MiB
 * GiB TiB (powers of 1024). */
int px_parse_size(const char *s, int64_t *bytes, struct px_err *err) PX_MUST_CHECK;

/* "30s", "250ms", "5min", "2h", "1d", "90" (seconds): microseconds. */
int px_parse_duration(const char *s, int64_t *us, struct px_err *err) PX_MUST_CHECK;

void px_format_size(int64_t bytes, char out[32]); /* "1.50 GiB" */
void px_format_duration(int64_t us, char out[32]);

#endif
