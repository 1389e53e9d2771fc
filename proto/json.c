#include "proto/json.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 64 };

bool px_utf8_valid(const char *text, size_t len)
{
    const uint8_t *s = (const uint8_t *)text;
    for (size_t i = 0; i < len;) {
        uint8_t c = s[i];
        size_t n = c < 0x80 ? 1 : (c & 0xe0) == 0xc0 ? 2 : (c & 0xf0) == 0xe0 ? 3 : 4;
        if ((c >= 0x80 && c < 0xc2) || c > 0xf4 || n > len - i)
            return false;
        for (size_t j = 1; j < n; j++)
            if ((s[i + j] & 0xc0) != 0x80)
                return false;
        if ((c == 0xe0 && s[i + 1] < 0xa0) || (c == 0xed && s[i + 1] > 0x9f) ||
            (c == 0xf0 && s[i + 1] < 0x90) || (c == 0xf4 && s[i + 1] > 0x8f))
            return false;
        i += n;
    }
    return true;
}

struct json_object *px_json_parse(const char *text, size_t len, struct px_err *err)
{
    if (len > INT32_MAX) {
        px_fail(err, PX_ELIMIT, "JSON text of %zu bytes is too large", len);
        return NULL;
    }
    struct json_tokener *tok = json_tokener_new_ex(MAX_DEPTH);
    json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    struct json_object *o = json_tokener_parse_ex(tok, text, (int)len);
    enum json_tokener_error e = json_tokener_get_error(tok);
    if (e == json_tokener_continue) { /* a bare number needs an end */
        o = json_tokener_parse_ex(tok, " ", 1);
        e = json_tokener_get_error(tok);
    }
    size_t at = json_tokener_get_parse_end(tok);
    json_tokener_free(tok);
    while (e == json_tokener_success && at < len && strchr(" \t\r\n", text[at]) && text[at])
        at++;
    if (e == json_tokener_success && at < len)
        e = json_tokener_error_parse_unexpected;
    if (e != json_tokener_success) {
        json_object_put(o);
        if (e == json_tokener_continue || e == json_tokener_error_parse_eof)
            px_fail(err, PX_EINPUT, "not valid JSON: it ends in the middle of a value");
        else
            px_fail(err, PX_EINPUT, "not valid JSON at byte %zu: %s", at,
                    json_tokener_error_desc(e));
        return NULL;
    }
    return o;
}

static int want(struct json_object *o, const char *key, enum json_type type,
                struct json_object **out, struct px_err *err)
{
    if (!json_object_is_type(o, json_type_object) || !json_object_object_get_ex(o, key, out))
        return px_fail(err, PX_EINPUT, "key '%s' is missing", key);
    enum json_type have = json_object_get_type(*out);
    if (have == type || (type == json_type_double && have == json_type_int))
        return 0;
    return px_fail(err, PX_EINPUT, "key '%s' should be a %s and is a %s", key,
                   json_type_to_name(type), json_type_to_name(have));
}

int px_json_str(struct json_object *o, const char *key, const char **out, struct px_err *err)
{
    struct json_object *v;
    if (want(o, key, json_type_string, &v, err) != 0)
        return -1;
    *out = json_object_get_string(v);
    return 0;
}

int px_json_int(struct json_object *o, const char *key, int64_t *out, struct px_err *err)
{
    struct json_object *v;
    if (want(o, key, json_type_int, &v, err) != 0)
        return -1;
    *out = json_object_get_int64(v);
    return 0;
}

const char *px_json_str_or(struct json_object *o, const char *key, const char *def)
{
    struct json_object *v;
    return want(o, key, json_type_string, &v, NULL) == 0 ? json_object_get_string(v) : def;
}

int64_t px_json_int_or(struct json_object *o, const char *key, int64_t def)
{
    struct json_object *v;
    return want(o, key, json_type_int, &v, NULL) == 0 ? json_object_get_int64(v) : def;
}

double px_json_double_or(struct json_object *o, const char *key, double def)
{
    struct json_object *v;
    return want(o, key, json_type_double, &v, NULL) == 0 ? json_object_get_double(v) : def;
}

bool px_json_bool_or(struct json_object *o, const char *key, bool def)
{
    struct json_object *v;
    return want(o, key, json_type_boolean, &v, NULL) == 0 ? json_object_get_boolean(v) : def;
}

static size_t utf8_length_at(const char *s, size_t left)
{
    for (size_t n = 1; n <= 4 && n <= left; n++)
        if (px_utf8_valid(s, n))
            return n;
    return 0;
}

/* How many bytes from s on stand for themselves in a JSON string. */
static size_t plain_length(const char *s, size_t n)
{
    size_t i = 0;
    while (i < n && s[i] >= 0x20 && s[i] < 0x7f && s[i] != '"' && s[i] != '\\')
        i++;
    return i;
}

void px_json_quote(struct px_buf *b, const char *s, size_t len)
{
    px_buf_char(b, '"');
    for (size_t i = 0; i < len;) {
        size_t plain = plain_length(s + i, len - i);
        px_buf_put(b, s + i, plain);
        i += plain;
        if (i == len)
            break;
        unsigned char c = (unsigned char)s[i];
        if (c == '"' || c == '\\') {
            px_buf_char(b, '\\');
            px_buf_char(b, (char)c);
            i++;
        } else if (c == '\n') {
            px_buf_str(b, "\\n");
            i++;
        } else if (c == '\t') {
            px_buf_str(b, "\\t");
            i++;
        } else if (c == '\r') {
            px_buf_str(b, "\\r");
            i++;
        } else if (c < 0x20 || c == 0x7f) {
            px_buf_printf(b, "\\u%04x", c);
            i++;
        } else {
            size_t n = utf8_length_at(s + i, len - i);
            if (n)
                px_buf_put(b, s + i, n);
            else
                px_buf_str(b, "\xef\xbf\xbd");
            i += n ? n : 1;
        }
    }
    px_buf_char(b, '"');
}

void px_json_number(struct px_buf *b, double v)
{
    if (!isfinite(v)) {
        px_buf_str(b, "null");
        return;
    }
    char text[40];
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    px_buf_str(b, text);
}
