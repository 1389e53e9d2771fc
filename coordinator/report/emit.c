/* emit.c - see emit.h. */
#include "coordinator/report/emit.h"

#include <string.h>

#include "proto/json.h"

static void member(struct emit *j, const char *key)
{
    if (j->more)
        px_buf_char(j->b, ',');
    if (j->depth && j->depth <= j->lines_to) {
        px_buf_char(j->b, '\n');
        for (unsigned i = 0; i < j->depth; i++)
            px_buf_char(j->b, ' ');
    }
    if (key) {
        px_json_quote(j->b, key, strlen(key));
        px_buf_char(j->b, ':');
    }
    j->more = true;
}

void emit_begin(struct emit *j, const char *key, char bracket)
{
    member(j, key);
    px_buf_char(j->b, bracket);
    j->depth++;
    j->more = false;
}

void emit_end(struct emit *j, char bracket)
{
    if (j->more && j->depth <= j->lines_to) {
        px_buf_char(j->b, '\n');
        for (unsigned i = 1; i < j->depth; i++)
            px_buf_char(j->b, ' ');
    }
    j->depth--;
    px_buf_char(j->b, bracket);
    j->more = true;
}

void emit_text(struct emit *j, const char *key, const char *s)
{
    emit_bytes(j, key, s ? s : "", s ? strlen(s) : 0);
}

void emit_bytes(struct emit *j, const char *key, const char *s, size_t n)
{
    member(j, key);
    px_json_quote(j->b, s ? s : "", s ? n : 0);
}

void emit_u64(struct emit *j, const char *key, uint64_t v)
{
    member(j, key);
    px_buf_printf(j->b, "%llu", (unsigned long long)v);
}

void emit_f64(struct emit *j, const char *key, double v)
{
    member(j, key);
    px_json_number(j->b, v);
}

void emit_bool(struct emit *j, const char *key, bool v)
{
    member(j, key);
    px_buf_str(j->b, v ? "true" : "false");
}

void emit_raw(struct emit *j, const char *key, const char *json)
{
    member(j, key);
    px_buf_str(j->b, json && *json ? json : "null");
}
