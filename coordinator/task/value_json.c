/* value_json.c - strict JSON into values; any bytes give a value or an error with the byte's place.
 *
 * Items of an unfinished list or map wait on one stack and are copied into the arena when it ends.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/task/value.h"
#include "proto/mem.h"

#define MAX_DEPTH 64
#define MAX_KEYS 5000

struct parser {
    struct arena *arena;
    const char *text;
    size_t n, at;
    struct value *stack; /* a map's entries are key, value, key, value ... */
    size_t n_stack, cap_stack;
    struct px_err *err;
};

static int parse_value(struct parser *p, unsigned depth, struct value *out);

static int refuse(struct parser *p, size_t at, const char *what)
{
    return px_fail(p->err, PX_EINPUT, "byte %zu: %s", at + 1, what);
}

static void skip_space(struct parser *p)
{
    while (p->at < p->n && strchr(" \t\n\r", p->text[p->at]) && p->text[p->at])
        p->at++;
}

static bool take(struct parser *p, char c)
{
    if (p->at >= p->n || p->text[p->at] != c)
        return false;
    p->at++;
    return true;
}

static void push(struct parser *p, struct value v)
{
    PX_GROW(p->stack, p->n_stack, p->cap_stack);
    p->stack[p->n_stack++] = v;
}

static int parse_word(struct parser *p, struct value *out)
{
    static const struct {
        const char *word;
        struct value value;
    } words[] = {{"true", {.kind = VALUE_BOOL, .is_true = true}},
                 {"false", {.kind = VALUE_BOOL}},
                 {"null", {.kind = VALUE_NULL}},
                 {"NaN", {.kind = VALUE_FLOAT, .number = NAN}},
                 {"Infinity", {.kind = VALUE_FLOAT, .number = INFINITY}},
                 {"-Infinity", {.kind = VALUE_FLOAT, .number = -INFINITY}}};
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        size_t len = strlen(words[i].word);
        if (p->n - p->at >= len && memcmp(p->text + p->at, words[i].word, len) == 0) {
            p->at += len;
            *out = words[i].value;
            return 0;
        }
    }
    return refuse(p, p->at, p->at < p->n ? "not the beginning of a JSON value" : "the text ends");
}

static size_t digits(struct parser *p)
{
    size_t from = p->at;
    while (p->at < p->n && p->text[p->at] >= '0' && p->text[p->at] <= '9')
        p->at++;
    return p->at - from;
}

static int parse_number(struct parser *p, struct value *out)
{
    size_t from = p->at;
    bool is_float = false;
    take(p, '-');
    if (take(p, '0') ? false : digits(p) == 0)
        return refuse(p, from, "not a number");
    if (take(p, '.')) {
        is_float = true;
        if (digits(p) == 0)
            return refuse(p, p->at, "a digit is missing after the point");
    }
    if (take(p, 'e') || take(p, 'E')) {
        is_float = true;
        if (!take(p, '+'))
            take(p, '-');
        if (digits(p) == 0)
            return refuse(p, p->at, "a digit is missing in the exponent");
    }
    size_t len = p->at - from;
    char small[32];
    char *copy = len < sizeof small ? memcpy(small, p->text + from, len)
                                    : arena_copy(p->arena, p->text + from, len);
    copy[len] = '\0';
    *out = (struct value){.kind = is_float ? VALUE_FLOAT : VALUE_INT};
    if (!is_float && len <= 18) {
        out->integer = strtoll(copy, NULL, 10);
        out->number = (double)out->integer;
        return 0;
    }
    out->number = strtod(copy, NULL);
    if (!isfinite(out->number))
        return refuse(p, from, "a number beyond the range of doubles");
    if (!is_float) {
        out->text = p->text + from;
        out->n = len;
    }
    return 0;
}

static int hex4(struct parser *p, unsigned *out)
{
    unsigned v = 0;
    if (p->n - p->at < 4)
        return refuse(p, p->at, "an escape is cut short");
    for (int i = 0; i < 4; i++) {
        char c = p->text[p->at++];
        unsigned d = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                     : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                     : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                            : 16;
        if (d == 16)
            return refuse(p, p->at - 1, "not a hexadecimal digit");
        v = v * 16 + d;
    }
    *out = v;
    return 0;
}

static char *put_utf8(char *to, unsigned c)
{
    if (c < 0x80) {
        *to++ = (char)c;
    } else if (c < 0x800) {
        *to++ = (char)(0xc0 | c >> 6);
        *to++ = (char)(0x80 | (c & 63));
    } else if (c < 0x10000) {
        *to++ = (char)(0xe0 | c >> 12);
        *to++ = (char)(0x80 | (c >> 6 & 63));
        *to++ = (char)(0x80 | (c & 63));
    } else {
        *to++ = (char)(0xf0 | c >> 18);
        *to++ = (char)(0x80 | (c >> 12 & 63));
        *to++ = (char)(0x80 | (c >> 6 & 63));
        *to++ = (char)(0x80 | (c & 63));
    }
    return to;
}

/* After the backslash; at most 4 bytes are written for at least 6 read, or 1 for 2. */
static int parse_escape(struct parser *p, char **to)
{
    static const char from[] = "\"\\/bfnrt", into[] = "\"\\/\b\f\n\r\t";
    char c = p->at < p->n ? p->text[p->at++] : '\0';
    const char *simple = c ? strchr(from, c) : NULL;
    if (simple) {
        *(*to)++ = into[simple - from];
        return 0;
    }
    unsigned code, low;
    if (c != 'u')
        return refuse(p, p->at - 1, "an unknown escape");
    if (hex4(p, &code) != 0)
        return -1;
    if (code >= 0xdc00 && code < 0xe000)
        return refuse(p, p->at - 4, "half of a surrogate pair");
    if (code >= 0xd800 && code < 0xdc00) {
        if (!take(p, '\\') || !take(p, 'u'))
            return refuse(p, p->at, "half of a surrogate pair");
        if (hex4(p, &low) != 0)
            return -1;
        if (low < 0xdc00 || low >= 0xe000)
            return refuse(p, p->at - 4, "half of a surrogate pair");
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    *to = put_utf8(*to, code);
    return 0;
}

/* The first control character of a text, or n. Eight bytes at a time: a byte below 0x20 borrows. */
static size_t find_control(const char *s, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        uint64_t w = px_load_u64(s + i);
        if ((w - UINT64_C(0x2020202020202020)) & ~w & UINT64_C(0x8080808080808080))
            break;
    }
    while (i < n && (unsigned char)s[i] >= 0x20)
        i++;
    return i;
}

/* The closing quote of a text whose bytes begin at `from`, NULL when it has none. A backslash takes
 * the byte behind it along. */
static const char *find_quote(const struct parser *p, size_t from, bool *escaped)
{
    const char *at = p->text + from, *end = p->text + p->n;
    const char *quote = memchr(at, '"', (size_t)(end - at));
    while (quote) {
        const char *slash = memchr(at, '\\', (size_t)(quote - at));
        if (!slash)
            break;
        *escaped = true;
        at = slash + 2;
        if (at > quote)
            quote = at < end ? memchr(at, '"', (size_t)(end - at)) : NULL;
    }
    return quote;
}

/* At an opening quote. */
static int parse_text(struct parser *p, struct value *out)
{
    size_t from = ++p->at;
    bool escaped = false;
    const char *quote = find_quote(p, from, &escaped);
    if (!quote)
        return refuse(p, from - 1, "a text without its closing quote");
    size_t end = (size_t)(quote - p->text);
    size_t control = from + find_control(p->text + from, end - from);
    if (control < end)
        return refuse(p, control, "a control character inside a text");
    p->at = end + 1;
    *out = value_text(p->text + from, end - from);
    if (!escaped)
        return 0;
    char *copy = arena_alloc(p->arena, end - from + 1), *to = copy;
    struct parser inner = {.text = p->text, .n = end, .at = from, .err = p->err};
    while (inner.at < end) {
        char c = inner.text[inner.at++];
        if (c != '\\')
            *to++ = c;
        else if (parse_escape(&inner, &to) != 0)
            return -1;
    }
    *out = value_text(copy, (size_t)(to - copy));
    return 0;
}

static int parse_list(struct parser *p, unsigned depth, struct value *out)
{
    size_t base = p->n_stack;
    p->at++;
    skip_space(p);
    if (!take(p, ']')) {
        for (;;) {
            struct value v;
            if (parse_value(p, depth + 1, &v) != 0)
                return -1;
            push(p, v);
            skip_space(p);
            if (take(p, ']'))
                break;
            if (!take(p, ','))
                return refuse(p, p->at, "',' or ']' is missing in a list");
        }
    }
    size_t n = p->n_stack - base;
    *out = (struct value){.kind = VALUE_LIST, .n = n};
    if (n > 0) {
        out->items = arena_alloc(p->arena, n * sizeof *out->items);
        memcpy(out->items, p->stack + base, n * sizeof *out->items);
    }
    p->n_stack = base;
    return 0;
}

/* Moves the stack's pairs into a map; a key that stands twice keeps its last value. */
static void end_map(struct parser *p, size_t base, struct value *out)
{
    size_t n = (p->n_stack - base) / 2;
    *out = (struct value){.kind = VALUE_MAP};
    if (n == 0)
        return;
    out->keys = arena_alloc(p->arena, n * sizeof *out->keys);
    out->items = arena_alloc(p->arena, n * sizeof *out->items);
    for (size_t i = 0; i < n; i++) {
        const struct value *key = &p->stack[base + 2 * i];
        const struct value *old = value_get(out, key->text, key->n);
        size_t at = old ? (size_t)(old - out->items) : out->n++;
        out->keys[at] = *key;
        out->items[at] = p->stack[base + 2 * i + 1];
    }
    p->n_stack = base;
}

static int parse_map(struct parser *p, unsigned depth, struct value *out)
{
    size_t base = p->n_stack;
    p->at++;
    skip_space(p);
    if (take(p, '}')) {
        *out = (struct value){.kind = VALUE_MAP};
        return 0;
    }
    for (;;) {
        struct value key, v;
        skip_space(p);
        if (p->at >= p->n || p->text[p->at] != '"')
            return refuse(p, p->at, "a key in quotes is missing in a map");
        if (parse_text(p, &key) != 0)
            return -1;
        skip_space(p);
        if (!take(p, ':'))
            return refuse(p, p->at, "':' is missing after a key");
        if (parse_value(p, depth + 1, &v) != 0)
            return -1;
        push(p, key);
        push(p, v);
        skip_space(p);
        if (take(p, '}'))
            break;
        if (!take(p, ','))
            return refuse(p, p->at, "',' or '}' is missing in a map");
        if (p->n_stack - base > 2 * MAX_KEYS) /* finding duplicates is quadratic */
            return refuse(p, p->at, "a map of more than 5000 keys");
    }
    end_map(p, base, out);
    return 0;
}

static int parse_value(struct parser *p, unsigned depth, struct value *out)
{
    skip_space(p);
    if (depth > MAX_DEPTH)
        return refuse(p, p->at, "more than 64 levels of nesting");
    char c = p->at < p->n ? p->text[p->at] : '\0';
    if (c == '"')
        return parse_text(p, out);
    if (c == '{')
        return parse_map(p, depth, out);
    if (c == '[')
        return parse_list(p, depth, out);
    bool infinite = c == '-' && p->at + 1 < p->n && p->text[p->at + 1] == 'I';
    if (!infinite && (c == '-' || (c >= '0' && c <= '9')))
        return parse_number(p, out);
    return parse_word(p, out);
}

int value_parse_json_prefix(struct arena *a, const char *text, size_t n, struct value *out,
                            size_t *end, struct px_err *err)
{
    struct parser p = {.arena = a, .text = text, .n = n, .err = err};
    struct value v;
    int rc = parse_value(&p, 1, &v);
    free(p.stack);
    if (rc != 0)
        return -1;
    *out = v;
    *end = p.at;
    return 0;
}

int value_parse_json(struct arena *a, const char *text, size_t n, struct value *out,
                     struct px_err *err)
{
    size_t end;
    struct value v;
    if (value_parse_json_prefix(a, text, n, &v, &end, err) != 0)
        return -1;
    struct parser p = {.text = text, .n = n, .at = end, .err = err};
    skip_space(&p);
    if (p.at < n)
        return refuse(&p, p.at, "something stands after the value");
    *out = v;
    return 0;
}
