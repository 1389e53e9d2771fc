/* template_function.c - the filters and methods of templates, with Python's meaning. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/task/template_node.h"
#include "coordinator/task/text.h"
#include "proto/mem.h"
#include "proto/number.h"

#define ARGS                                                                                       \
    struct arena *a, const struct value *self, const struct value *args, size_t n,                 \
        struct value *out, struct px_err *err

static int need_text(const struct value *v, const char *who, struct px_err *err)
{
    if (v->kind == VALUE_TEXT)
        return 0;
    return px_fail(err, PX_EINPUT, "'%s' works on a text, not on %s", who, value_kind_name(v));
}

static int need_list(const struct value *v, const char *who, struct px_err *err)
{
    if (v->kind == VALUE_LIST)
        return 0;
    return px_fail(err, PX_EINPUT, "'%s' works on a list, not on %s", who, value_kind_name(v));
}

static int call_trim(ARGS)
{
    (void)a, (void)args, (void)n;
    if (need_text(self, "trim", err) != 0)
        return -1;
    *out = *self;
    text_strip(&out->text, &out->n);
    return 0;
}

static int change_case(struct arena *a, const struct value *self, int (*change)(int),
                       const char *who, struct value *out, struct px_err *err)
{
    if (need_text(self, who, err) != 0)
        return -1;
    char *copy = arena_copy(a, self->text, self->n);
    for (size_t i = 0; i < self->n; i++) {
        if ((unsigned char)copy[i] >= 0x80)
            return px_fail(err, PX_EUNSUPPORTED, "'%s' works on ASCII texts only", who);
        copy[i] = (char)change(copy[i]);
    }
    *out = value_text(copy, self->n);
    return 0;
}

static int call_lower(ARGS)
{
    (void)args, (void)n;
    return change_case(a, self, tolower, "lower", out, err);
}

static int call_upper(ARGS)
{
    (void)args, (void)n;
    return change_case(a, self, toupper, "upper", out, err);
}

static int call_replace(ARGS)
{
    (void)n;
    if (need_text(self, "replace", err) != 0 || need_text(&args[0], "replace", err) != 0 ||
        need_text(&args[1], "replace", err) != 0)
        return -1;
    if (args[0].n == 0)
        return px_fail(err, PX_EINPUT, "'replace' of an empty text");
    struct px_buf b;
    px_buf_init(&b, 16u << 20);
    const char *p = self->text, *end = self->text + self->n, *hit;
    while (p < end && (hit = memmem(p, (size_t)(end - p), args[0].text, args[0].n))) {
        px_buf_put(&b, p, (size_t)(hit - p));
        px_buf_put(&b, args[1].text, args[1].n);
        p = hit + args[0].n;
    }
    px_buf_put(&b, p, (size_t)(end - p));
    bool over = b.overflow;
    if (!over)
        *out = value_text(arena_copy(a, (char *)b.data, b.len), b.len);
    px_buf_clear(&b);
    return over ? px_fail(err, PX_ELIMIT, "'replace' makes more than 16 MiB") : 0;
}

static int call_join(ARGS)
{
    static const struct value none = {.kind = VALUE_TEXT, .text = ""};
    const struct value *between = n ? &args[0] : &none;
    if (need_list(self, "join", err) != 0 || need_text(between, "join", err) != 0)
        return -1;
    struct px_buf b;
    px_buf_init(&b, 16u << 20);
    int rc = 0;
    px_buf_put(&b, "", 0);
    for (size_t i = 0; i < self->n && rc == 0; i++) {
        if (i)
            px_buf_put(&b, between->text, between->n);
        rc = value_write_text(&self->items[i], &b, err);
    }
    if (rc == 0 && b.overflow)
        rc = px_fail(err, PX_ELIMIT, "'join' makes more than 16 MiB");
    if (rc == 0)
        *out = value_text(arena_copy(a, (char *)b.data, b.len), b.len);
    px_buf_clear(&b);
    return rc;
}

static int call_length(ARGS)
{
    (void)a, (void)args, (void)n;
    if (self->kind < VALUE_TEXT)
        return px_fail(err, PX_EINPUT, "%s has no length", value_kind_name(self));
    *out = value_int(
        (int64_t)(self->kind == VALUE_TEXT ? text_code_points(self->text, self->n) : self->n));
    return 0;
}

static int call_first(ARGS)
{
    (void)a, (void)args, (void)n;
    if (need_list(self, "first", err) != 0)
        return -1;
    if (self->n == 0)
        return px_fail(err, PX_EINPUT, "'first' of an empty list");
    *out = self->items[0];
    return 0;
}

static int call_last(ARGS)
{
    (void)a, (void)args, (void)n;
    if (need_list(self, "last", err) != 0)
        return -1;
    if (self->n == 0)
        return px_fail(err, PX_EINPUT, "'last' of an empty list");
    *out = self->items[self->n - 1];
    return 0;
}

static int call_list(ARGS)
{
    (void)a, (void)args, (void)n;
    if (need_list(self, "list", err) != 0)
        return -1;
    *out = *self;
    return 0;
}

static int call_map(ARGS)
{
    (void)n;
    if (need_list(self, "map", err) != 0 || need_text(&args[0], "map", err) != 0)
        return -1;
    struct value v = {.kind = VALUE_LIST, .n = self->n};
    v.items = arena_alloc(a, (self->n + 1) * sizeof *v.items);
    for (size_t i = 0; i < self->n; i++) {
        const struct value *field = value_get(&self->items[i], args[0].text, args[0].n);
        if (!field)
            return px_fail(err, PX_EINPUT, "item %zu of 'map' has no field '%.*s'", i,
                           (int)(args[0].n < 60 ? args[0].n : 60), args[0].text);
        v.items[i] = *field;
    }
    *out = v;
    return 0;
}

static int call_int(ARGS)
{
    (void)args, (void)n;
    int64_t i;
    if (self->kind == VALUE_INT) {
        *out = *self;
        return 0;
    }
    if (need_text(self, "int", err) != 0)
        return -1;
    const char *s = self->text;
    size_t len = self->n;
    text_strip(&s, &len);
    char *copy = arena_copy(a, s, len);
    if (strlen(copy) != len || px_parse_int(copy, INT64_MIN, INT64_MAX, &i, NULL) != 0)
        return px_fail(err, PX_EINPUT, "'%.60s' is not an integer", copy);
    *out = value_int(i);
    return 0;
}

static int call_string(ARGS)
{
    (void)args, (void)n;
    struct px_buf b;
    px_buf_init(&b, 16u << 20);
    px_buf_put(&b, "", 0);
    int rc = value_write_text(self, &b, err);
    if (rc == 0)
        *out = value_text(arena_copy(a, (char *)b.data, b.len), b.len);
    px_buf_clear(&b);
    return rc;
}

static int call_split(ARGS)
{
    (void)n;
    if (need_text(self, "split", err) != 0 || need_text(&args[0], "split", err) != 0)
        return -1;
    if (args[0].n == 0)
        return px_fail(err, PX_EINPUT, "'split' at an empty text");
    struct value v = {.kind = VALUE_LIST};
    const char *end = self->text + self->n, *hit;
    size_t n_parts = 1;
    for (const char *p = self->text;
         p < end && (hit = memmem(p, (size_t)(end - p), args[0].text, args[0].n));
         p = hit + args[0].n)
        n_parts++;
    v.items = arena_alloc(a, n_parts * sizeof *v.items);
    const char *p = self->text;
    while (v.n + 1 < n_parts) {
        hit = memmem(p, (size_t)(end - p), args[0].text, args[0].n);
        v.items[v.n++] = value_text(p, (size_t)(hit - p));
        p = hit + args[0].n;
    }
    v.items[v.n++] = value_text(p, (size_t)(end - p));
    *out = v;
    return 0;
}

static int call_index(ARGS)
{
    (void)a, (void)n;
    if (need_list(self, "index", err) != 0)
        return -1;
    for (size_t i = 0; i < self->n; i++) {
        if (value_equal(&self->items[i], &args[0])) {
            *out = value_int((int64_t)i);
            return 0;
        }
    }
    return px_fail(err, PX_EINPUT, "'index': the list does not hold the value");
}

static const struct function functions[] = {
    {"trim", true, false, 0, 0, NULL, call_trim},
    {"strip", false, true, 0, 0, NULL, call_trim},
    {"lower", true, true, 0, 0, NULL, call_lower},
    {"upper", true, true, 0, 0, NULL, call_upper},
    {"replace", true, true, 2, 2, NULL, call_replace},
    {"join", true, false, 0, 1, NULL, call_join},
    {"length", true, false, 0, 0, NULL, call_length},
    {"first", true, false, 0, 0, NULL, call_first},
    {"last", true, false, 0, 0, NULL, call_last},
    {"list", true, false, 0, 0, NULL, call_list},
    {"map", true, false, 1, 1, "attribute", call_map},
    {"int", true, false, 0, 0, NULL, call_int},
    {"string", true, false, 0, 0, NULL, call_string},
    {"split", false, true, 1, 1, NULL, call_split},
    {"index", false, true, 1, 1, NULL, call_index},
};

const struct function *function_find(const char *name, bool as_filter)
{
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        const struct function *f = &functions[i];
        if ((as_filter ? f->is_filter : f->is_method) && strcmp(f->name, name) == 0)
            return f;
    }
    return NULL;
}

const char *function_names(bool filters)
{
    return filters
               ? "trim, lower, upper, replace, join, length, first, last, list, map, int, string"
               : "strip, lower, upper, replace, split, index";
}
