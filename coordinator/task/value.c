/* value.c - arena, comparison and writing of values; see value.h. */
#include "coordinator/task/value.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"
#include "proto/number.h"

#define BLOCK (64u << 10)

struct block {
    struct block *next;
    size_t size, used;
    _Alignas(16) unsigned char bytes[];
};

struct arena {
    struct block *first, *now;
};

struct arena *arena_new(void)
{
    return px_xcalloc(1, sizeof(struct arena));
}

void arena_free(struct arena **a)
{
    if (!*a)
        return;
    for (struct block *b = (*a)->first; b;) {
        struct block *next = b->next;
        free(b);
        b = next;
    }
    free(*a);
    *a = NULL;
}

void arena_reset(struct arena *a)
{
    a->now = a->first;
    if (a->now)
        a->now->used = 0;
}

void *arena_alloc(struct arena *a, size_t n)
{
    n = (n + 15) & ~(size_t)15;
    while (a->now && a->now->size - a->now->used < n && a->now->next) {
        a->now = a->now->next;
        a->now->used = 0;
    }
    if (!a->now || a->now->size - a->now->used < n) {
        size_t size = n > BLOCK ? n : BLOCK;
        struct block *b = px_xmalloc(sizeof *b + size);
        *b = (struct block){.size = size};
        if (a->now)
            a->now->next = b;
        else
            a->first = b;
        a->now = b;
    }
    void *p = a->now->bytes + a->now->used;
    a->now->used += n;
    return p;
}

char *arena_copy(struct arena *a, const char *s, size_t n)
{
    char *p = arena_alloc(a, n + 1);
    if (n > 0)
        memcpy(p, s, n);
    p[n] = '\0';
    return p;
}

struct value value_text(const char *s, size_t n)
{
    return (struct value){.kind = VALUE_TEXT, .text = s, .n = n};
}

struct value value_int(int64_t i)
{
    return (struct value){.kind = VALUE_INT, .integer = i, .number = (double)i};
}

struct value value_bool(bool b)
{
    return (struct value){.kind = VALUE_BOOL, .is_true = b};
}

const struct value *value_get(const struct value *map, const char *key, size_t n)
{
    if (map->kind != VALUE_MAP)
        return NULL;
    for (size_t i = 0; i < map->n; i++) {
        if (map->keys[i].n == n && memcmp(map->keys[i].text, key, n) == 0)
            return &map->items[i];
    }
    return NULL;
}

static bool is_number(const struct value *v)
{
    return v->kind == VALUE_INT || v->kind == VALUE_FLOAT;
}

static bool equal_texts(const struct value *a, const struct value *b)
{
    return a->n == b->n && (a->n == 0 || memcmp(a->text, b->text, a->n) == 0);
}

static bool equal_numbers(const struct value *a, const struct value *b)
{
    if (a->kind == VALUE_INT && b->kind == VALUE_INT) {
        if (a->text || b->text)
            return a->text && b->text && equal_texts(a, b);
        return a->integer == b->integer;
    }
    return !(a->number < b->number) && !(a->number > b->number);
}

bool value_equal(const struct value *a, const struct value *b)
{
    if (is_number(a) && is_number(b))
        return equal_numbers(a, b);
    if (a->kind != b->kind)
        return false;
    switch (a->kind) {
    case VALUE_BOOL:
        return a->is_true == b->is_true;
    case VALUE_TEXT:
        return equal_texts(a, b);
    case VALUE_LIST:
        for (size_t i = 0; a->n == b->n && i < a->n; i++) {
            if (!value_equal(&a->items[i], &b->items[i]))
                return false;
        }
        return a->n == b->n;
    case VALUE_MAP:
        for (size_t i = 0; a->n == b->n && i < a->n; i++) {
            const struct value *other = value_get(b, a->keys[i].text, a->keys[i].n);
            if (!other || !value_equal(&a->items[i], other))
                return false;
        }
        return a->n == b->n;
    default:
        return true; /* two nulls */
    }
}

bool value_is_true(const struct value *v)
{
    switch (v->kind) {
    case VALUE_NULL:
        return false;
    case VALUE_BOOL:
        return v->is_true;
    case VALUE_INT:
    case VALUE_FLOAT:
        return v->number < 0 || v->number > 0;
    default:
        return v->n > 0;
    }
}

const char *value_kind_name(const struct value *v)
{
    static const char *const names[] = {"null",   "a boolean", "an integer", "a number",
                                        "a text", "a list",    "a map"};
    return names[v->kind];
}

/* With a point or an exponent, so that a reader makes a float of it again. */
static void write_json_float(double v, struct px_buf *out)
{
    if (!isfinite(v)) {
        px_buf_str(out, isnan(v) ? "NaN" : v > 0 ? "Infinity" : "-Infinity");
        return;
    }
    size_t from = out->len;
    px_json_number(out, v);
    if (!out->overflow && memchr(out->data + from, '.', out->len - from) == NULL &&
        memchr(out->data + from, 'e', out->len - from) == NULL)
        px_buf_str(out, ".0");
}

void value_write_json(const struct value *v, struct px_buf *out)
{
    switch (v->kind) {
    case VALUE_NULL:
        px_buf_str(out, "null");
        break;
    case VALUE_BOOL:
        px_buf_str(out, v->is_true ? "true" : "false");
        break;
    case VALUE_INT:
        if (v->text)
            px_buf_put(out, v->text, v->n);
        else
            px_buf_printf(out, "%lld", (long long)v->integer);
        break;
    case VALUE_FLOAT:
        write_json_float(v->number, out);
        break;
    case VALUE_TEXT:
        px_json_quote(out, v->text, v->n);
        break;
    case VALUE_LIST:
    case VALUE_MAP:
        px_buf_char(out, v->kind == VALUE_LIST ? '[' : '{');
        for (size_t i = 0; i < v->n; i++) {
            if (i)
                px_buf_char(out, ',');
            if (v->kind == VALUE_MAP) {
                px_json_quote(out, v->keys[i].text, v->keys[i].n);
                px_buf_char(out, ':');
            }
            value_write_json(&v->items[i], out);
        }
        px_buf_char(out, v->kind == VALUE_LIST ? ']' : '}');
        break;
    }
}

/* repr() of a float: the shortest digits that read back, positional between 1e-4 and 1e16. */
static void write_float(double v, struct px_buf *out)
{
    char digits[40];
    int precision = 0;
    if (!isfinite(v)) {
        px_buf_str(out, isnan(v) ? "nan" : v > 0 ? "inf" : "-inf");
        return;
    }
    do {
        snprintf(digits, sizeof digits, "%.*e", precision, v);
    } while (strtod(digits, NULL) != v && ++precision < 17);
    int64_t exponent = 0;
    px_assert(px_parse_int(strchr(digits, 'e') + 1, -400, 400, &exponent, NULL) == 0);
    if (exponent < -4 || exponent >= 16) {
        char *e = strchr(digits, 'e');
        px_buf_put(out, digits, (size_t)(e - digits));
        px_buf_printf(out, "e%c%02d", exponent < 0 ? '-' : '+', abs((int)exponent));
        return;
    }
    int after_point = precision - (int)exponent;
    px_buf_printf(out, "%.*f", after_point > 1 ? after_point : 1, v);
}

int value_write_text(const struct value *v, struct px_buf *out, struct px_err *err)
{
    switch (v->kind) {
    case VALUE_TEXT:
        px_buf_put(out, v->text, v->n);
        return 0;
    case VALUE_INT:
        value_write_json(v, out);
        return 0;
    case VALUE_FLOAT:
        write_float(v->number, out);
        return 0;
    case VALUE_BOOL:
        px_buf_str(out, v->is_true ? "True" : "False");
        return 0;
    default:
        return px_fail(err, PX_EINPUT, "%s cannot be written as text", value_kind_name(v));
    }
}
