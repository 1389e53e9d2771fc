/* json.h - json-c with limits and with errors in words. */
#ifndef PROTO_JSON_H
#define PROTO_JSON_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buf.h"
#include "proto/err.h"

/* Parses exactly one value (trailing white space allowed), depth at most 64. Owned
 * (json_object_put), or NULL with err. NaN/Infinity and invalid UTF-8 are refused; single quotes
 * are taken for double ones, as json-c does. */
struct json_object *px_json_parse(const char *text, size_t len, struct px_err *err);

/* Members of an object; a missing or mistyped one is an error that names the key. */
int px_json_str(struct json_object *o, const char *key, const char **out,
                struct px_err *err) PX_MUST_CHECK; /* borrowed from o */
int px_json_int(struct json_object *o, const char *key, int64_t *out,
                struct px_err *err) PX_MUST_CHECK;
/* The same with a default when the key is absent (a wrong type gives the default too). */
const char *px_json_str_or(struct json_object *o, const char *key, const char *def);
int64_t px_json_int_or(struct json_object *o, const char *key, int64_t def);
double px_json_double_or(struct json_object *o, const char *key, double def);
bool px_json_bool_or(struct json_object *o, const char *key, bool def);

/* Appends s as a JSON string with quotes. Bytes that are not UTF-8 are replaced by U+FFFD, so the
 * output is always valid JSON; control characters are escaped. */
void px_json_quote(struct px_buf *b, const char *s, size_t len);

/* Appends a double so that it reads back to the same bits (shortest of %.15g %.16g %.17g);
 * NaN and infinities are written as null. */
void px_json_number(struct px_buf *b, double v);

bool px_utf8_valid(const char *s, size_t len);

#endif
