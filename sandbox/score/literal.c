/* literal.c - JSON and Python's literals. See literal.h. */
#include "sandbox/score/literal.h"

#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/mem.h"
#include "proto/number.h"
#include "proto/pystr.h"

static bool at_end(const struct literal_reader *r)
{
    return r->p >= r->end;
}

static bool space(char c)
{
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

void literal_space(struct literal_reader *r)
{
    while (!at_end(r) && space(*r->p))
        r->p++;
}

bool literal_take(struct literal_reader *r, char c)
{
    literal_space(r);
    if (at_end(r) || *r->p != c)
        return false;
    r->p++;
    return true;
}

static bool letter(char c)
{
    return ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '_';
}

static bool digit(char c)
{
    return c >= '0' && c <= '9';
}

struct span literal_name(struct literal_reader *r)
{
    const char *from = r->p;
    if (at_end(r) || !letter(*r->p))
        return (struct span){from, 0};
    while (!at_end(r) && (letter(*r->p) || digit(*r->p) ||
                          (*r->p == '.' && r->p + 1 < r->end && letter(r->p[1]))))
        r->p++;
    return (struct span){from, (size_t)(r->p - from)};
}

/* ---- texts ---- */

static int hex_value(char c)
{
    return digit(c) ? c - '0' : (c | 32) >= 'a' && (c | 32) <= 'f' ? (c | 32) - 'a' + 10 : -1;
}

static bool hex_digits(struct literal_reader *r, int n, uint32_t *out)
{
    *out = 0;
    for (int i = 0; i < n; i++, r->p++) {
        int h = at_end(r) ? -1 : hex_value(*r->p);
        if (h < 0)
            return false;
        *out = *out << 4 | (uint32_t)h;
    }
    return true;
}

/* \uXXXX, of which two may make one character; a half alone becomes U+FFFD. */
static bool put_unicode(struct literal_reader *r, struct px_buf *b)
{
    uint32_t c, low;
    if (!hex_digits(r, 4, &c))
        return false;
    if (c >= 0xD800 && c <= 0xDBFF && r->end - r->p >= 6 && r->p[0] == '\\' && r->p[1] == 'u') {
        struct literal_reader ahead = *r;
        ahead.p += 2;
        if (hex_digits(&ahead, 4, &low) && low >= 0xDC00 && low <= 0xDFFF) {
            r->p = ahead.p;
            c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
        }
    }
    pystr_put(b, c >= 0xD800 && c <= 0xDFFF ? 0xFFFD : c);
    return true;
}

/* r->p behind the backslash. */
static bool put_escape(struct literal_reader *r, struct px_buf *b)
{
    static const char from[] = "nrtbf/\\\"'", to[] = "\n\r\t\b\f/\\\"'";
    if (at_end(r))
        return false;
    char c = *r->p++;
    const char *known = c != '\0' ? strchr(from, c) : NULL;
    if (c == 'u')
        return put_unicode(r, b);
    r->json = r->json && known != NULL && c != '\'';
    if (known != NULL)
        px_buf_char(b, to[known - from]);
    else if (c != '\n') { /* Python keeps what it does not know */
        px_buf_char(b, '\\');
        px_buf_char(b, c);
    }
    return true;
}

/* A text in quotes. Owned bytes in *b. */
static bool read_text(struct literal_reader *r, struct px_buf *b)
{
    char quote = *r->p++;
    r->json = r->json && quote == '"';
    px_buf_init(b, LITERAL_BYTES);
    while (!at_end(r) && *r->p != quote) {
        char c = *r->p++;
        if (c == '\\') {
            if (!put_escape(r, b))
                return false;
        } else {
            r->json = r->json && (unsigned char)c >= 0x20;
            px_buf_char(b, c);
        }
    }
    if (at_end(r))
        return false;
    r->p++;
    return true;
}

static bool text_value(struct literal_reader *r, struct json_object **out)
{
    struct px_buf b;
    bool ok = read_text(r, &b);
    if (ok)
        *out = json_object_new_string_len(b.data ? (const char *)b.data : "", (int)b.len);
    px_buf_clear(&b);
    return ok;
}

/* ---- numbers and words ---- */

/* Is it a number as JSON writes it: no plus, no leading zeros, digits around the dot? */
static bool json_number(const char *s, size_t n)
{
    size_t i = n > 0 && s[0] == '-', whole = i;
    while (i < n && digit(s[i]))
        i++;
    if (i == whole || (s[whole] == '0' && i > whole + 1))
        return false;
    return !(i < n && s[i] == '.') || (i + 1 < n && digit(s[i + 1]));
}

static bool number_value(struct literal_reader *r, struct json_object **out)
{
    const char *from = r->p;
    bool whole = true;
    if (!at_end(r) && (*r->p == '-' || *r->p == '+'))
        r->p++;
    while (!at_end(r) && (digit(*r->p) || *r->p == '.' || (*r->p | 32) == 'e' || *r->p == '_' ||
                          ((*r->p == '-' || *r->p == '+') && (r->p[-1] | 32) == 'e'))) {
        whole = whole && (digit(*r->p) || *r->p == '_');
        r->p++;
    }
    PX_FREE char *text = px_xmalloc((size_t)(r->p - from) + 1);
    size_t n = 0;
    for (const char *c = from; c < r->p; c++) {
        r->json = r->json && *c != '_';
        if (*c != '_' && !(c == from && *c == '+'))
            text[n++] = *c;
    }
    text[n] = '\0';
    r->json = r->json && *from != '+' && json_number(text, n);
    int64_t i;
    double d;
    if (whole && px_parse_int(text, INT64_MIN, INT64_MAX, &i, NULL) == 0)
        *out = json_object_new_int64(i);
    else if (px_parse_double(text, -1e300, 1e300, &d, NULL) == 0)
        *out = json_object_new_double(d);
    else
        return false;
    return true;
}

static bool word_value(struct literal_reader *r, struct json_object **out)
{
    static const struct {
        const char *word;
        int value; /* 1 true, 0 false, -1 null */
        bool json;
    } words[] = {{"true", 1, true},  {"false", 0, true},  {"null", -1, true},
                 {"True", 1, false}, {"False", 0, false}, {"None", -1, false}};
    struct span w = literal_name(r);
    if (w.n == 0)
        return false;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (!text_equals(w, words[i].word))
            continue;
        r->json = r->json && words[i].json;
        *out = words[i].value < 0 ? NULL : json_object_new_boolean(words[i].value);
        return true;
    }
    r->json = false;
    *out = json_object_new_string_len(w.p, (int)w.n);
    return true;
}

/* ---- lists and maps ---- */

static bool read_list(struct literal_reader *r, struct json_object *list, char close)
{
    r->json = r->json && close == ']';
    for (bool first = true; !literal_take(r, close); first = false) {
        struct json_object *item = NULL;
        if (!first && !literal_take(r, ','))
            return false;
        if (!first && literal_take(r, close)) {
            r->json = false; /* a trailing comma */
            return true;
        }
        if (!literal_read(r, &item))
            return false;
        json_object_array_add(list, item);
    }
    return true;
}

static bool read_member(struct literal_reader *r, struct json_object *map)
{
    struct px_buf key;
    struct json_object *value = NULL;
    literal_space(r);
    if (at_end(r) || (*r->p != '"' && *r->p != '\''))
        return false;
    bool ok = read_text(r, &key);
    const char *name = key.data ? (const char *)key.data : "";
    ok = ok && strlen(name) == key.len && literal_take(r, ':') && literal_read(r, &value);
    if (ok)
        json_object_object_add(map, name, value);
    px_buf_clear(&key);
    return ok;
}

static bool read_map(struct literal_reader *r, struct json_object *map)
{
    for (bool first = true; !literal_take(r, '}'); first = false) {
        if (!first && !literal_take(r, ','))
            return false;
        if (!first && literal_take(r, '}')) {
            r->json = false;
            return true;
        }
        if (!read_member(r, map))
            return false;
    }
    return true;
}

bool literal_read(struct literal_reader *r, struct json_object **out)
{
    literal_space(r);
    *out = NULL;
    if (at_end(r))
        return false;
    char c = *r->p;
    if (c == '"' || c == '\'')
        return text_value(r, out);
    if (digit(c) || c == '-' || c == '+' || c == '.')
        return number_value(r, out);
    if (c != '[' && c != '(' && c != '{')
        return word_value(r, out);
    if (r->depth >= LITERAL_DEPTH)
        return false;
    r->p++;
    r->depth++;
    struct json_object *o = c == '{' ? json_object_new_object() : json_object_new_array();
    bool ok = c == '{' ? read_map(r, o) : read_list(r, o, c == '[' ? ']' : ')');
    r->depth--;
    if (ok)
        *out = o;
    else
        json_object_put(o);
    return ok;
}
