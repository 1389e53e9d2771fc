/* emit.h - JSON written in a fixed order with fixed spelling, so that equal data gives equal
 * bytes. Keys appear in the order of the calls; a depth down to `lines_to` starts lines. */
#ifndef COORDINATOR_REPORT_EMIT_H
#define COORDINATOR_REPORT_EMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/buf.h"

struct emit {
    struct px_buf *b;
    unsigned depth;
    unsigned lines_to; /* 0: everything on one line */
    bool more;         /* the current object or list has members */
};

/* key is NULL inside lists and at the top. */
void emit_begin(struct emit *j, const char *key, char bracket); /* '{' or '[' */
void emit_end(struct emit *j, char bracket);                    /* '}' or ']' */
void emit_text(struct emit *j, const char *key, const char *s);
void emit_bytes(struct emit *j, const char *key, const char *s, size_t n);
void emit_u64(struct emit *j, const char *key, uint64_t v);
void emit_f64(struct emit *j, const char *key, double v); /* NaN: null */
void emit_bool(struct emit *j, const char *key, bool v);
void emit_raw(struct emit *j, const char *key, const char *json); /* is JSON already */

#endif
