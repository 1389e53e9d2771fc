/* rows_csv.c - see rows_csv.h. Two passes over a record: the first finds its end and counts. */
#include "coordinator/task/rows_csv.h"

#include <string.h>

#include "proto/mem.h"

static int refuse(size_t at, const char *what, struct px_err *err)
{
    return px_fail(err, PX_EINPUT, "byte %zu: %s", at + 1, what);
}

/* Past a quoted field that begins at `at` (on its quote). */
static int skip_quoted(const char *text, size_t n, size_t *at, struct px_err *err)
{
    size_t from = *at, i = from + 1;
    for (;;) {
        const char *quote = i < n ? memchr(text + i, '"', n - i) : NULL;
        if (!quote)
            return refuse(from, "a field without its closing quote", err);
        i = (size_t)(quote - text) + 1;
        if (i >= n || text[i] != '"')
            break;
        i++;
    }
    if (i < n && text[i] != ',' && text[i] != '\n' && text[i] != '\r')
        return refuse(i, "something stands between a closing quote and the next comma", err);
    *at = i;
    return 0;
}

static int skip_plain(const char *text, size_t n, size_t *at, struct px_err *err)
{
    size_t i = *at;
    while (i < n && text[i] != ',' && text[i] != '\n' &&
           !(text[i] == '\r' && i + 1 < n && text[i + 1] == '\n')) {
        if (text[i] == '"')
            return refuse(i, "a quote inside a field without quotes", err);
        i++;
    }
    *at = i;
    return 0;
}

/* Finds the end of one field; *more when a comma follows. */
static int skip_field(const char *text, size_t n, size_t *at, bool *more, struct px_err *err)
{
    int rc =
        *at < n && text[*at] == '"' ? skip_quoted(text, n, at, err) : skip_plain(text, n, at, err);
    if (rc != 0)
        return -1;
    *more = *at < n && text[*at] == ',';
    return 0;
}

static size_t skip_line_end(const char *text, size_t n, size_t at)
{
    if (at < n && text[at] == '\r')
        at++;
    if (at < n && text[at] == '\n')
        at++;
    return at;
}

static struct value field_value(struct arena *a, const char *s, size_t n)
{
    if (n == 0 || s[0] != '"')
        return value_text(s, n);
    s++;
    n -= 2;
    if (n == 0 || !memchr(s, '"', n))
        return value_text(s, n);
    char *copy = arena_alloc(a, n);
    size_t len = 0;
    for (size_t i = 0; i < n; i++) {
        copy[len++] = s[i];
        i += s[i] == '"'; /* the second of a doubled quote */
    }
    return value_text(copy, len);
}

int csv_record(struct arena *a, const char *text, size_t n, struct value *out, size_t *n_fields,
               size_t *end, struct px_err *err)
{
    size_t at = 0, count = 0;
    bool more = true;
    while (more) {
        if (skip_field(text, n, &at, &more, err) != 0)
            return -1;
        count++;
        at += more;
    }
    *end = skip_line_end(text, n, at);
    *n_fields = count;
    if (!a)
        return 0;
    struct value list = {.kind = VALUE_LIST, .n = count};
    list.items = arena_alloc(a, count * sizeof *list.items);
    at = 0;
    for (size_t i = 0; i < count; i++) {
        size_t from = at;
        if (skip_field(text, n, &at, &more, err) != 0)
            return -1;
        list.items[i] = field_value(a, text + from, at - from);
        at += more;
    }
    *out = list;
    return 0;
}
