/* value.h - the values that templates work on, and JSON text as such values.
 *
 * Values live in an arena and die with it. A text without escapes is borrowed from the JSON it was
 * parsed from, so that text must live as long as the value. The parser is total and strict
 * (RFC 8259, and NaN, Infinity and -Infinity as Python writes them), takes any depth up to 64, and
 * makes about 100 MB/s: rows of a data set are kept as text and parsed whenever they are needed.
 * What is written again keeps its kind: 1.0 is no integer afterwards, digits are all there. */
#ifndef COORDINATOR_TASK_VALUE_H
#define COORDINATOR_TASK_VALUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/buf.h"
#include "proto/err.h"

struct arena;
struct arena *arena_new(void);
void arena_free(struct arena **a);
void arena_reset(struct arena *a);            /* everything in it is gone, its memory is kept */
void *arena_alloc(struct arena *a, size_t n); /* aligned for any object, not zeroed */
char *arena_copy(struct arena *a, const char *s, size_t n); /* with a NUL after the n bytes */

enum value_kind {
    VALUE_NULL,
    VALUE_BOOL,
    VALUE_INT,
    VALUE_FLOAT,
    VALUE_TEXT,
    VALUE_LIST,
    VALUE_MAP
};

struct value {
    enum value_kind kind;
    bool is_true;     /* VALUE_BOOL */
    int64_t integer;  /* VALUE_INT that fits */
    double number;    /* VALUE_FLOAT; VALUE_INT too */
    const char *text; /* VALUE_TEXT, not NUL-terminated; VALUE_INT beyond 64 bits: its digits */
    size_t n;         /* bytes of text, or number of items */
    struct value *items;
    struct value *keys; /* VALUE_MAP: texts beside items; a key stands once (the last one wins) */
};

struct value value_text(const char *s, size_t n); /* borrowed */
struct value value_int(int64_t i);
struct value value_bool(bool b);
/* A map's value; NULL when there is no such key or it is not a map. */
const struct value *value_get(const struct value *map, const char *key, size_t n);
bool value_equal(const struct value *a, const struct value *b); /* 1 == 1.0, as in Python */
bool value_is_true(const struct value *v);                      /* as in Python */
const char *value_kind_name(const struct value *v);             /* "a list" */

/* One JSON value with white space around it. The error names the byte: "byte 17: ...". */
int value_parse_json(struct arena *a, const char *text, size_t n, struct value *out,
                     struct px_err *err) PX_MUST_CHECK;
/* One JSON value at the beginning; *end is the bytes it took. */
int value_parse_json_prefix(struct arena *a, const char *text, size_t n, struct value *out,
                            size_t *end, struct px_err *err) PX_MUST_CHECK;
void value_write_json(const struct value *v, struct px_buf *out);

/* As str() of Python writes it. -1 for null, lists and maps. */
int value_write_text(const struct value *v, struct px_buf *out, struct px_err *err) PX_MUST_CHECK;

#endif
