/* template_function.c - the filters and methods of templates that are not about texts alone, tests
 * and slices, with Python's meaning. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/task/template_node.h"
#include "coordinator/task/text.h"
#include "proto/json.h"
#include "proto/mem.h"
#include "proto/number.h"

#define ARGS                                                                                       \
    struct arena *a, const struct value *self, const struct value *args, size_t n,                 \
        struct value *out, struct px_err *err

int function_need_text(const struct value *v, const char *who, struct px_err *err)
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

static int call_join(ARGS)
{
    static const struct value none = {.kind = VALUE_TEXT, .text = ""};
    const struct value *between = n ? &args[0] : &none;
    if (need_list(self, "join", err) != 0 || function_need_text(between, "join", err) != 0)
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
    if (need_list(self, "map", err) != 0 || function_need_text(&args[0], "map", err) != 0)
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

static int not_a_number(const struct value *self, const char *who, struct px_err *err)
{
    return px_fail(err, PX_EINPUT, "'%s': %s is no number", who, value_kind_name(self));
}

/* The text without white space around it, NUL-terminated; NULL when it holds a NUL. */
static const char *trimmed(struct arena *a, const struct value *self)
{
    const char *s = self->text;
    size_t len = self->n;
    text_strip(&s, &len);
    const char *copy = arena_copy(a, s, len);
    return strlen(copy) == len ? copy : NULL;
}

static int call_int(ARGS)
{
    (void)args, (void)n;
    int64_t i;
    if (self->kind == VALUE_INT) {
        *out = *self;
        return 0;
    }
    if (self->kind == VALUE_FLOAT && fabs(self->number) < 9e18) {
        *out = value_int((int64_t)self->number);
        return 0;
    }
    if (self->kind == VALUE_BOOL) {
        *out = value_int(self->is_true);
        return 0;
    }
    if (function_need_text(self, "int", err) != 0)
        return -1;
    const char *s = trimmed(a, self);
    if (!s || px_parse_int(s, INT64_MIN, INT64_MAX, &i, NULL) != 0)
        return px_fail(err, PX_EINPUT, "'%.60s' is not an integer", s ? s : "");
    *out = value_int(i);
    return 0;
}

static int call_float(ARGS)
{
    (void)args, (void)n;
    double d = self->number;
    if (self->kind == VALUE_TEXT) {
        const char *s = trimmed(a, self);
        if (!s || px_parse_double(s, -1e300, 1e300, &d, NULL) != 0)
            return px_fail(err, PX_EINPUT, "'%.60s' is not a number", s ? s : "");
    } else if (self->kind != VALUE_INT && self->kind != VALUE_FLOAT) {
        return not_a_number(self, "float", err);
    }
    *out = (struct value){.kind = VALUE_FLOAT, .number = d};
    return 0;
}

/* As round() of Python: to the nearest decimal, halves of what the number exactly is to even. */
static int call_round(ARGS)
{
    char digits[400];
    int64_t places = n ? args[0].integer : 0;
    (void)a;
    if (self->kind != VALUE_INT && self->kind != VALUE_FLOAT)
        return not_a_number(self, "round", err);
    if (n && (args[0].kind != VALUE_INT || args[0].text || places < 0 || places > 20))
        return px_fail(err, PX_EINPUT, "'round' takes 0 to 20 places");
    snprintf(digits, sizeof digits, "%.*f", (int)places, self->number);
    *out = (struct value){.kind = VALUE_FLOAT, .number = strtod(digits, NULL)};
    return 0;
}

static int compare(const struct value *a, const struct value *b)
{
    if (a->kind != VALUE_TEXT)
        return a->number < b->number ? -1 : a->number > b->number;
    size_t least = a->n < b->n ? a->n : b->n;
    int c = least ? memcmp(a->text, b->text, least) : 0;
    return c ? c : a->n < b->n ? -1 : a->n > b->n;
}

/* A stable insertion: lists in data sets are short. */
static int call_sort(ARGS)
{
    (void)args, (void)n;
    if (need_list(self, "sort", err) != 0)
        return -1;
    if (self->n > 10000)
        return px_fail(err, PX_ELIMIT, "'sort' of more than 10,000 items");
    struct value v = {.kind = VALUE_LIST};
    v.items = arena_alloc(a, (self->n + 1) * sizeof *v.items);
    for (size_t i = 0; i < self->n; i++) {
        const struct value *x = &self->items[i];
        bool text = x->kind == VALUE_TEXT, number = x->kind == VALUE_INT || x->kind == VALUE_FLOAT;
        if ((!text && !number) || text != (self->items[0].kind == VALUE_TEXT))
            return px_fail(err, PX_EINPUT, "'sort' takes all texts or all numbers");
        size_t k = v.n++;
        for (; k > 0 && compare(&v.items[k - 1], x) > 0; k--)
            v.items[k] = v.items[k - 1];
        v.items[k] = *x;
    }
    *out = v;
    return 0;
}

/* json.dumps(value, ensure_ascii=False): with a space behind commas and colons. */
static int write_python_json(const struct value *v, struct px_buf *b, struct px_err *err)
{
    if (v->kind == VALUE_FLOAT)
        return value_write_text(v, b, err);
    if (v->kind != VALUE_LIST && v->kind != VALUE_MAP) {
        value_write_json(v, b);
        return 0;
    }
    px_buf_char(b, v->kind == VALUE_LIST ? '[' : '{');
    for (size_t i = 0; i < v->n; i++) {
        if (i)
            px_buf_str(b, ", ");
        if (v->kind == VALUE_MAP) {
            px_json_quote(b, v->keys[i].text, v->keys[i].n);
            px_buf_str(b, ": ");
        }
        if (write_python_json(&v->items[i], b, err) != 0)
            return -1;
    }
    px_buf_char(b, v->kind == VALUE_LIST ? ']' : '}');
    return 0;
}

static int call_tojson(ARGS)
{
    (void)args, (void)n;
    struct px_buf b;
    px_buf_init(&b, 16u << 20);
    int rc = write_python_json(self, &b, err);
    if (rc == 0 && b.overflow)
        rc = px_fail(err, PX_ELIMIT, "'tojson' makes more than 16 MiB");
    if (rc == 0)
        *out = value_text(arena_copy(a, (char *)b.data, b.len), b.len);
    px_buf_clear(&b);
    return rc;
}

static int call_keys(ARGS)
{
    (void)a, (void)args, (void)n;
    if (self->kind != VALUE_MAP)
        return px_fail(err, PX_EINPUT, "'keys' works on a map, not on %s", value_kind_name(self));
    *out = (struct value){.kind = VALUE_LIST, .n = self->n, .items = self->keys};
    return 0;
}

static int call_values(ARGS)
{
    (void)a, (void)args, (void)n;
    if (self->kind != VALUE_MAP)
        return px_fail(err, PX_EINPUT, "'values' works on a map, not on %s", value_kind_name(self));
    *out = (struct value){.kind = VALUE_LIST, .n = self->n, .items = self->items};
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

/* ---- tests and slices ---- */

bool template_test_known(const char *name)
{
    static const char *const names[] = {"defined", "none",    "string",  "number",
                                        "boolean", "mapping", "sequence"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

bool template_test(const char *name, const struct value *v)
{
    switch (*name) {
    case 'n':
        return strcmp(name, "none") == 0 ? v->kind == VALUE_NULL
                                         : v->kind == VALUE_INT || v->kind == VALUE_FLOAT;
    case 'b':
        return v->kind == VALUE_BOOL;
    case 'm':
        return v->kind == VALUE_MAP;
    default: /* string, sequence: a text is both */
        return v->kind == VALUE_TEXT || (strcmp(name, "sequence") == 0 && v->kind == VALUE_LIST);
    }
}

/* An end of a slice, clamped to the length. */
static int slice_end(const struct value *v, size_t n, size_t otherwise, size_t *out,
                     struct px_err *err)
{
    *out = otherwise;
    if (!v)
        return 0;
    if (v->kind != VALUE_INT || v->text)
        return px_fail(err, PX_EINPUT, "a slice begins and ends at integers, not at %s",
                       value_kind_name(v));
    int64_t i = v->integer < 0 ? v->integer + (int64_t)n : v->integer;
    *out = i < 0 ? 0 : (uint64_t)i > n ? n : (size_t)i;
    return 0;
}

int template_slice(const struct value *of, const struct value *from, const struct value *to,
                   struct value *out, struct px_err *err)
{
    size_t begin, end, n;
    if (of->kind != VALUE_TEXT && of->kind != VALUE_LIST)
        return px_fail(err, PX_EINPUT, "%s has no slices", value_kind_name(of));
    n = of->kind == VALUE_TEXT ? text_code_points(of->text, of->n) : of->n;
    if (slice_end(from, n, 0, &begin, err) != 0 || slice_end(to, n, n, &end, err) != 0)
        return -1;
    end = end < begin ? begin : end;
    if (of->kind == VALUE_LIST) {
        *out = (struct value){.kind = VALUE_LIST, .n = end - begin};
        out->items = of->n ? of->items + begin : NULL;
        return 0;
    }
    size_t at = text_offset(of->text, of->n, begin);
    *out = value_text(of->text + at, text_offset(of->text + at, of->n - at, end - begin));
    return 0;
}

/* ---- the table ---- */

const struct function template_value_functions[] = {
    {"join", true, false, 0, 1, NULL, call_join, 0},
    {"length", true, false, 0, 0, NULL, call_length, 0},
    {"first", true, false, 0, 0, NULL, call_first, 0},
    {"last", true, false, 0, 0, NULL, call_last, 0},
    {"list", true, false, 0, 0, NULL, call_list, 0},
    {"map", true, false, 1, 1, "attribute", call_map, 0},
    {"sort", true, false, 0, 0, NULL, call_sort, 0},
    {"int", true, false, 0, 0, NULL, call_int, 0},
    {"float", true, false, 0, 0, NULL, call_float, 0},
    {"round", true, false, 0, 1, NULL, call_round, 0},
    {"string", true, false, 0, 0, NULL, call_string, 0},
    {"tojson", true, false, 0, 0, NULL, call_tojson, 0},
    {"default", true, false, 0, 2, NULL, NULL, FUNCTION_DEFAULT},
    {"keys", false, true, 0, 0, NULL, call_keys, 0},
    {"values", false, true, 0, 0, NULL, call_values, 0},
    {NULL, false, false, 0, 0, NULL, NULL, 0},
};

static const struct function *find_in(const struct function *f, const char *name, bool as_filter)
{
    for (; f->name; f++)
        if ((as_filter ? f->is_filter : f->is_method) && strcmp(f->name, name) == 0)
            return f;
    return NULL;
}

const struct function *function_find(const char *name, bool as_filter)
{
    const struct function *f = find_in(template_text_functions, name, as_filter);
    return f ? f : find_in(template_value_functions, name, as_filter);
}

void function_names(bool filters, struct px_buf *out)
{
    const struct function *const tables[] = {template_text_functions, template_value_functions};
    size_t before = out->len;
    for (size_t i = 0; i < 2; i++)
        for (const struct function *f = tables[i]; f->name; f++)
            if (filters ? f->is_filter : f->is_method)
                px_buf_printf(out, "%s%s", out->len > before ? ", " : "", f->name);
}
