/* call.c - finding and reading function calls. See call.h. */
#include "sandbox/score/call.h"

#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"
#include "sandbox/score/literal.h"

enum { PLACES = 64 }; /* where a call could begin in prose, at most */

void call_clear(struct call *c)
{
    free(c->name);
    json_object_put(c->arguments);
    *c = (struct call){.rule = ""};
}

/* ---- a value that is a call, or a list of calls ---- */

static bool from_value(struct json_object *v, struct call *out, int depth);

/* {"name": ..., "arguments": an object, or its text}. */
static bool from_parts(const char *name, struct json_object *arguments, struct call *out)
{
    struct json_object *parsed = NULL;
    if (json_object_is_type(arguments, json_type_string)) {
        const char *s = json_object_get_string(arguments);
        struct literal_reader r = {s, s + json_object_get_string_len(arguments), 0, true};
        if (!literal_read(&r, &parsed)) {
            json_object_put(parsed);
            return false;
        }
        arguments = parsed;
    }
    bool ok = arguments == NULL || json_object_is_type(arguments, json_type_object);
    if (ok && out->count++ == 0) {
        out->name = px_xstrdup(name);
        out->arguments = arguments ? json_object_get(arguments) : json_object_new_object();
    }
    json_object_put(parsed);
    return ok;
}

static bool from_object(struct json_object *v, struct call *out, int depth)
{
    static const char *const keys[] = {"arguments", "parameters", "args"};
    struct json_object *inner, *name, *arguments = NULL;
    if (json_object_object_get_ex(v, "name", &name) &&
        json_object_is_type(name, json_type_string)) {
        for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
            if (json_object_object_get_ex(v, keys[i], &arguments))
                break;
        return from_parts(json_object_get_string(name), arguments, out);
    }
    if (json_object_object_get_ex(v, "tool_calls", &inner) ||
        (json_object_object_get_ex(v, "function", &inner) &&
         json_object_is_type(inner, json_type_object)))
        return from_value(inner, out, depth + 1);
    if (json_object_object_length(v) != 1)
        return false;
    json_object_object_foreach(v, key, value)
    {
        return json_object_is_type(value, json_type_object) && from_parts(key, value, out);
    }
    return false;
}

static bool from_value(struct json_object *v, struct call *out, int depth)
{
    if (depth > 8)
        return false;
    if (json_object_is_type(v, json_type_object))
        return from_object(v, out, depth);
    if (!json_object_is_type(v, json_type_array) || json_object_array_length(v) == 0)
        return false;
    for (size_t i = 0; i < json_object_array_length(v); i++)
        if (!from_value(json_object_array_get_idx(v, i), out, depth + 1))
            return false;
    return true;
}

/* ---- Python's syntax ---- */

static bool read_argument(struct literal_reader *r, struct json_object *arguments, bool *positional)
{
    struct literal_reader ahead = *r;
    struct json_object *value = NULL;
    struct span name;
    literal_space(&ahead);
    name = literal_name(&ahead);
    bool named = name.n > 0 && literal_take(&ahead, '=');
    if (named)
        *r = ahead;
    if (!literal_read(r, &value))
        return false;
    if (named) {
        PX_FREE char *key = px_xmemdup(name.p, name.n);
        json_object_object_add(arguments, key, value);
    } else {
        *positional = true;
        json_object_put(value);
    }
    return true;
}

static bool read_call(struct literal_reader *r, struct call *out)
{
    literal_space(r);
    struct span name = literal_name(r);
    if (name.n == 0 || !literal_take(r, '('))
        return false;
    struct json_object *arguments = json_object_new_object();
    bool ok = true, positional = false;
    for (bool first = true; ok && !literal_take(r, ')'); first = false) {
        ok = first || literal_take(r, ',');
        if (ok && !first && literal_take(r, ')'))
            break;
        ok = ok && read_argument(r, arguments, &positional);
    }
    if (ok && out->count++ == 0) {
        out->name = px_xmemdup(name.p, name.n);
        out->arguments = json_object_get(arguments);
        out->positional = positional;
    }
    json_object_put(arguments);
    return ok;
}

/* f(...) or a list of such. */
static bool read_calls(struct literal_reader *r, struct call *out)
{
    if (!literal_take(r, '['))
        return read_call(r, out);
    do {
        if (!read_call(r, out))
            return false;
    } while (literal_take(r, ','));
    return literal_take(r, ']');
}

/* ---- places ---- */

/* A call at the start of s; whole: nothing but white space may follow. */
static bool read_at(struct span s, bool whole, const char *rule, struct call *out)
{
    struct literal_reader r = {s.p, s.p + s.n, 0, true};
    struct json_object *v = NULL;
    bool value = literal_read(&r, &v), json = value && r.json;
    literal_space(&r);
    bool ok = value && (!whole || r.p == r.end) && from_value(v, out, 0);
    json = json && whole && r.p == r.end; /* JSON, also when it is no call */
    json_object_put(v);
    if (!ok) {
        call_clear(out);
        r = (struct literal_reader){s.p, s.p + s.n, 0, true};
        ok = read_calls(&r, out);
        literal_space(&r);
        ok = ok && (!whole || r.p == r.end);
    }
    if (!ok)
        call_clear(out);
    out->json = json;
    out->rule = ok ? rule : "";
    return ok;
}

/* The text between two marks; n = 0 when there is none. */
static struct span between(struct span s, const char *open, const char *close)
{
    size_t from = text_find(s, open);
    if (from == (size_t)-1)
        return (struct span){s.p, 0};
    s = (struct span){s.p + from + strlen(open), s.n - from - strlen(open)};
    size_t to = text_find(s, close);
    return (struct span){s.p, to == (size_t)-1 ? s.n : to};
}

/* The body of the first fence, without the word that names its language. */
static struct span fenced(struct span s)
{
    struct span body = between(s, "```", "```"), rest;
    struct span word = text_line(body, &rest);
    return memchr(word.p, '{', word.n) || memchr(word.p, '[', word.n) || memchr(word.p, '(', word.n)
               ? body
               : rest;
}

static bool callable_at(struct span s, struct json_object *functions)
{
    size_t n =
        json_object_is_type(functions, json_type_array) ? json_object_array_length(functions) : 0;
    for (size_t i = 0; i < n; i++) {
        const char *name = px_json_str_or(json_object_array_get_idx(functions, i), "name", "");
        if (*name && text_starts(s, name)) {
            struct literal_reader r = {s.p + strlen(name), s.p + s.n, 0, true};
            if (literal_take(&r, '('))
                return true;
        }
    }
    return false;
}

/* Places in prose where a value or the call of a known function begins. */
static bool in_prose(struct span s, struct json_object *functions, struct call *out)
{
    unsigned places = 0;
    for (size_t i = 0; i < s.n && places < PLACES; i++) {
        struct span at = {s.p + i, s.n - i};
        bool word = i == 0 || !((s.p[i - 1] | 32) >= 'a' && (s.p[i - 1] | 32) <= 'z');
        if (s.p[i] != '{' && s.p[i] != '[' && !(word && callable_at(at, functions)))
            continue;
        places++;
        if (read_at(at, false, "prose", out))
            return true;
    }
    return false;
}

void call_find(struct span text, struct json_object *functions, struct call *out)
{
    struct span s = text_trim(text), inner;
    *out = (struct call){.rule = ""};
    if (s.n > LITERAL_BYTES || read_at(s, true, "whole", out) || s.n == 0)
        return;
    bool json = out->json;
    inner = between(s, "<tool_call>", "</tool_call>");
    if (inner.n > 0 && read_at(text_trim(inner), true, "tag", out))
        return;
    json = json || out->json;
    inner = fenced(s);
    if (inner.n > 0 && read_at(text_trim(inner), true, "fence", out))
        return;
    json = json || out->json;
    if (!in_prose(s, functions, out))
        out->json = json;
    else
        out->json = false;
}
