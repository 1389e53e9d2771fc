/* template_text.c - the filters and methods of templates on texts, with Python's meaning. */
#include <string.h>

#include "coordinator/task/template_node.h"
#include "coordinator/task/text.h"
#include "proto/mem.h"
#include "proto/pystr.h"

#define ARGS                                                                                       \
    struct arena *a, const struct value *self, const struct value *args, size_t n,                 \
        struct value *out, struct px_err *err

static struct span span_of(const struct value *v)
{
    return (struct span){v->text, v->n};
}

static int need_texts(const struct value *self, const struct value *args, size_t n, const char *who,
                      struct px_err *err)
{
    if (function_need_text(self, who, err) != 0)
        return -1;
    for (size_t i = 0; i < n; i++)
        if (function_need_text(&args[i], who, err) != 0)
            return -1;
    return 0;
}

/* Which ends to strip. */
enum { LEFT = 1, RIGHT = 2 };

static bool is_in(const struct value *set, uint32_t c)
{
    struct span s = span_of(set);
    for (size_t at = 0; at < s.n;)
        if (pystr_next(s, &at) == c)
            return true;
    return false;
}

static int strip(const struct value *self, const struct value *args, size_t n, int ends,
                 const char *who, struct value *out, struct px_err *err)
{
    if (need_texts(self, args, n, who, err) != 0)
        return -1;
    struct span s = span_of(self);
    size_t from = 0, to = s.n, at;
    while ((ends & LEFT) && (at = from) < to) {
        uint32_t c = pystr_next(s, &at);
        if (!(n ? is_in(&args[0], c) : pystr_is_space(c)))
            break;
        from = at;
    }
    while ((ends & RIGHT) && (at = to) > from) {
        uint32_t c = pystr_prev(s, &at);
        if (!(n ? is_in(&args[0], c) : pystr_is_space(c)))
            break;
        to = at;
    }
    *out = value_text(self->text + from, to - from);
    return 0;
}

static int call_trim(ARGS)
{
    (void)a;
    return strip(self, args, n, LEFT | RIGHT, "trim", out, err);
}

static int call_lstrip(ARGS)
{
    (void)a;
    return strip(self, args, n, LEFT, "lstrip", out, err);
}

static int call_rstrip(ARGS)
{
    (void)a;
    return strip(self, args, n, RIGHT, "rstrip", out, err);
}

static int change(struct arena *a, const struct value *self, char *(*how)(struct span, size_t *),
                  const char *who, struct value *out, struct px_err *err)
{
    size_t n;
    if (function_need_text(self, who, err) != 0)
        return -1;
    PX_FREE char *text = how(span_of(self), &n);
    *out = value_text(arena_copy(a, text, n), n);
    return 0;
}

static int call_lower(ARGS)
{
    (void)args, (void)n;
    return change(a, self, pystr_lower, "lower", out, err);
}

static int call_upper(ARGS)
{
    (void)args, (void)n;
    return change(a, self, pystr_upper, "upper", out, err);
}

static int call_capitalize(ARGS)
{
    (void)args, (void)n;
    return change(a, self, pystr_capitalize, "capitalize", out, err);
}

static int call_replace(ARGS)
{
    if (need_texts(self, args, n, "replace", err) != 0)
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

/* split() without argument: what stands between runs of white space. */
static int split_words(struct arena *a, const struct value *self, struct value *out)
{
    struct value v = {.kind = VALUE_LIST};
    struct span rest = span_of(self), field;
    size_t count = 0;
    while (pystr_word(&rest, &field))
        count++;
    v.items = arena_alloc(a, (count + 1) * sizeof *v.items);
    rest = span_of(self);
    while (pystr_word(&rest, &field))
        v.items[v.n++] = value_text(field.p, field.n);
    *out = v;
    return 0;
}

static int call_split(ARGS)
{
    if (need_texts(self, args, n, "split", err) != 0)
        return -1;
    if (n == 0)
        return split_words(a, self, out);
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

/* Code points before the first occurrence, -1 when there is none. */
static int64_t find(const struct value *self, const struct value *what)
{
    const char *hit = what->n ? memmem(self->text, self->n, what->text, what->n) : self->text;
    return hit || what->n == 0 ? (int64_t)text_code_points(self->text, (size_t)(hit - self->text))
                               : -1;
}

static int call_find(ARGS)
{
    (void)a;
    if (need_texts(self, args, n, "find", err) != 0)
        return -1;
    *out = value_int(find(self, &args[0]));
    return 0;
}

static int call_index(ARGS)
{
    (void)a, (void)n;
    int64_t at = -1;
    if (self->kind == VALUE_TEXT && args[0].kind == VALUE_TEXT)
        at = find(self, &args[0]);
    else if (self->kind != VALUE_LIST)
        return px_fail(err, PX_EINPUT, "'index' works on a list or text, not on %s",
                       value_kind_name(self));
    for (size_t i = 0; self->kind == VALUE_LIST && at < 0 && i < self->n; i++)
        at = value_equal(&self->items[i], &args[0]) ? (int64_t)i : -1;
    if (at < 0)
        return px_fail(err, PX_EINPUT, "'index': %s does not hold the value",
                       self->kind == VALUE_LIST ? "the list" : "the text");
    *out = value_int(at);
    return 0;
}

static int call_startswith(ARGS)
{
    (void)a;
    if (need_texts(self, args, n, "startswith", err) != 0)
        return -1;
    *out = value_bool(pystr_starts(span_of(self), span_of(&args[0])));
    return 0;
}

static int call_endswith(ARGS)
{
    (void)a;
    if (need_texts(self, args, n, "endswith", err) != 0)
        return -1;
    *out = value_bool(pystr_ends(span_of(self), span_of(&args[0])));
    return 0;
}

const struct function template_text_functions[] = {
    {"trim", true, false, 0, 1, NULL, call_trim, 0},
    {"strip", false, true, 0, 1, NULL, call_trim, 0},
    {"lstrip", false, true, 0, 1, NULL, call_lstrip, 0},
    {"rstrip", false, true, 0, 1, NULL, call_rstrip, 0},
    {"lower", true, true, 0, 0, NULL, call_lower, 0},
    {"upper", true, true, 0, 0, NULL, call_upper, 0},
    {"capitalize", true, true, 0, 0, NULL, call_capitalize, 0},
    {"replace", true, true, 2, 2, NULL, call_replace, 0},
    {"regex_replace", true, false, 2, 2, NULL, NULL, FUNCTION_REGEX},
    {"split", true, true, 0, 1, NULL, call_split, 0},
    {"find", false, true, 1, 1, NULL, call_find, 0},
    {"index", false, true, 1, 1, NULL, call_index, 0},
    {"startswith", false, true, 1, 1, NULL, call_startswith, 0},
    {"endswith", false, true, 1, 1, NULL, call_endswith, 0},
    {NULL, false, false, 0, 0, NULL, NULL, 0},
};
