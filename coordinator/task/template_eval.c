/* template_eval.c - a parsed template and a row to text or a value. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/task/template_node.h"
#include "proto/mem.h"

#define MAX_OUTPUT (16u << 20)
#define MAX_STEPS 1000000 /* nodes visited: nested loops end as an error, not as a wait */

/* Variables, innermost first. */
struct scope {
    const char *name;
    struct value value;
    const struct scope *outer;
};

/* Where `set` puts its variables: a loop's body has a frame of its own, an `if` has not. */
struct frame {
    const struct scope *vars;
};

struct eval {
    const struct text_template *t;
    const struct template_row *row;
    struct arena *arena;
    struct px_err *err;
    uint32_t steps;
    bool is_undefined; /* the last error is a name, field or item that is not there */
};

static int eval(struct eval *e, const struct node *n, const struct scope *s, struct value *out);

static int refuse(struct eval *e, const struct node *n, const char *what)
{
    return template_fail(e->t, n->at, e->err, "%s", what);
}

/* Something that is not there: `default` and `is defined` live with it. */
static int missing(struct eval *e, const struct node *n, const char *fmt, ...) PX_PRINTF(3, 4);
static int missing(struct eval *e, const struct node *n, const char *fmt, ...)
{
    char what[300];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(what, sizeof what, fmt, ap);
    va_end(ap);
    e->is_undefined = true;
    return template_fail(e->t, n->at, e->err, "%s", what);
}

/* Puts the place before an error that has none. */
static int with_place(struct eval *e, const struct node *n, const struct px_err *inner)
{
    return template_fail(e->t, n->at, e->err, "%s", inner->text);
}

static int eval_name(struct eval *e, const struct node *n, const struct scope *s, struct value *out)
{
    for (; s; s = s->outer) {
        if (strcmp(s->name, n->name) == 0) {
            *out = s->value;
            return 0;
        }
    }
    const struct value *field = value_get(e->row->row, n->name, strlen(n->name));
    if (field)
        *out = *field;
    else if (strcmp(n->name, "row") == 0)
        *out = *e->row->row;
    else if (strcmp(n->name, "row_number") == 0)
        *out = value_int(e->row->number);
    else
        return missing(e, n, "the row has no field '%s'", n->name);
    return 0;
}

static int eval_field(struct eval *e, const struct node *n, const struct scope *s,
                      struct value *out)
{
    struct value of;
    if (eval(e, n->kids[0], s, &of) != 0)
        return -1;
    const struct value *field = value_get(&of, n->name, strlen(n->name));
    if (!field)
        return missing(e, n, "%s has no field '%s'", value_kind_name(&of), n->name);
    *out = *field;
    return 0;
}

static int index_text(struct eval *e, const struct node *n, const struct value *of, int64_t i,
                      struct value *out)
{
    struct value from = value_int(i), to = value_int(i + 1);
    struct px_err inner;
    if (i == -1 || i == INT64_MAX)
        to = (struct value){.kind = VALUE_NULL};
    if (template_slice(of, &from, to.kind == VALUE_NULL ? NULL : &to, out, &inner) != 0)
        return with_place(e, n, &inner);
    if (out->n == 0)
        return missing(e, n, "index %lld is outside the text", (long long)i);
    return 0;
}

static int eval_index(struct eval *e, const struct node *n, const struct scope *s,
                      struct value *out)
{
    struct value of, at;
    if (eval(e, n->kids[0], s, &of) != 0 || eval(e, n->kids[1], s, &at) != 0)
        return -1;
    if (of.kind == VALUE_MAP && at.kind == VALUE_TEXT) {
        const struct value *field = value_get(&of, at.text, at.n);
        if (!field)
            return missing(e, n, "a map without the key '%.*s'", (int)(at.n < 60 ? at.n : 60),
                           at.text);
        *out = *field;
        return 0;
    }
    if (of.kind == VALUE_TEXT && at.kind == VALUE_INT && !at.text)
        return index_text(e, n, &of, at.integer, out);
    if (of.kind != VALUE_LIST || at.kind != VALUE_INT || at.text)
        return template_fail(e->t, n->at, e->err, "%s cannot be indexed by %s",
                             value_kind_name(&of), value_kind_name(&at));
    int64_t i = at.integer < 0 ? at.integer + (int64_t)of.n : at.integer;
    if (i < 0 || i >= (int64_t)of.n)
        return missing(e, n, "index %lld is outside a list of %zu", (long long)at.integer, of.n);
    *out = of.items[i];
    return 0;
}

static int eval_slice(struct eval *e, const struct node *n, const struct scope *s,
                      struct value *out)
{
    struct value of, from, to;
    struct px_err inner;
    if (eval(e, n->kids[0], s, &of) != 0 || (n->kids[1] && eval(e, n->kids[1], s, &from) != 0) ||
        (n->kids[2] && eval(e, n->kids[2], s, &to) != 0))
        return -1;
    if (template_slice(&of, n->kids[1] ? &from : NULL, n->kids[2] ? &to : NULL, out, &inner) != 0)
        return with_place(e, n, &inner);
    return 0;
}

/* 1 when the operand has a value, 0 when something in it is not there, -1 for other errors. */
static int eval_if_there(struct eval *e, const struct node *n, const struct scope *s,
                         struct value *out)
{
    e->is_undefined = false;
    if (eval(e, n, s, out) == 0)
        return 1;
    bool absent = e->is_undefined;
    e->is_undefined = false;
    return absent ? 0 : -1;
}

static int eval_test(struct eval *e, const struct node *n, const struct scope *s, struct value *out)
{
    struct value v;
    bool asks_defined = strcmp(n->name, "defined") == 0;
    int there = asks_defined ? eval_if_there(e, n->kids[0], s, &v) : eval(e, n->kids[0], s, &v) + 1;
    if (there < 0 || (!asks_defined && there == 0))
        return -1;
    bool is = asks_defined ? there > 0 : template_test(n->name, &v);
    *out = value_bool(is == (n->op != OP_NOT));
    return 0;
}

static int eval_list(struct eval *e, const struct node *n, const struct scope *s, struct value *out)
{
    struct value v = {.kind = VALUE_LIST, .n = n->n};
    v.items = arena_alloc(e->arena, (n->n + 1) * sizeof *v.items);
    for (size_t i = 0; i < n->n; i++) {
        if (eval(e, n->kids[i], s, &v.items[i]) != 0)
            return -1;
    }
    *out = v;
    return 0;
}

/* value | default(otherwise, also_when_false) */
static int eval_default(struct eval *e, const struct node *n, const struct scope *s,
                        struct value *out)
{
    struct value otherwise = value_text("", 0), also = value_bool(false);
    int there = eval_if_there(e, n->kids[0], s, out);
    if (there < 0 || (n->n > 1 && eval(e, n->kids[1], s, &otherwise) != 0) ||
        (n->n > 2 && eval(e, n->kids[2], s, &also) != 0))
        return -1;
    if (!there || (value_is_true(&also) && !value_is_true(out)))
        *out = otherwise;
    return 0;
}

static int replace_by_regex(struct eval *e, const struct node *n, const struct value *self,
                            const struct value *by, struct value *out)
{
    struct px_buf b;
    struct px_err inner;
    bool limited = false;
    int rc = function_need_text(self, "regex_replace", &inner);
    if (rc == 0)
        rc = function_need_text(by, "regex_replace", &inner);
    if (rc != 0)
        return with_place(e, n, &inner);
    px_buf_init(&b, MAX_OUTPUT);
    px_buf_put(&b, "", 0);
    rc = pyregex_sub(n->regex, (struct span){self->text, self->n}, (struct span){by->text, by->n},
                     &b, &limited, &inner);
    if (rc == 0 && limited)
        rc = px_fail(&inner, PX_EINPUT, "the regular expression takes too long on this text");
    if (rc == 0 && b.overflow)
        rc = px_fail(&inner, PX_ELIMIT, "'regex_replace' makes more than 16 MiB");
    if (rc == 0)
        *out = value_text(arena_copy(e->arena, (char *)b.data, b.len), b.len);
    px_buf_clear(&b);
    return rc == 0 ? 0 : with_place(e, n, &inner);
}

static int eval_call(struct eval *e, const struct node *n, const struct scope *s, struct value *out)
{
    struct value args[1 + MAX_ARGS];
    struct px_err inner;
    px_assert(n->n <= 1 + MAX_ARGS);
    if (n->function->special == FUNCTION_DEFAULT)
        return eval_default(e, n, s, out);
    for (size_t i = 0; i < n->n; i++) {
        if (eval(e, n->kids[i], s, &args[i]) != 0)
            return -1;
    }
    if (n->regex)
        return replace_by_regex(e, n, &args[0], &args[2], out);
    if (n->function->call(e->arena, &args[0], args + 1, n->n - 1, out, &inner) != 0)
        return with_place(e, n, &inner);
    return 0;
}

/* Two texts in one. */
static struct value join(struct eval *e, const struct value *a, const struct value *b)
{
    char *text = arena_alloc(e->arena, a->n + b->n + 1);
    if (a->n)
        memcpy(text, a->text, a->n);
    if (b->n)
        memcpy(text + a->n, b->text, b->n);
    return value_text(text, a->n + b->n);
}

static int as_text(struct eval *e, const struct node *n, const struct value *v, struct value *out)
{
    struct px_buf b;
    struct px_err inner;
    if (v->kind == VALUE_TEXT) {
        *out = *v;
        return 0;
    }
    px_buf_init(&b, MAX_OUTPUT);
    int rc = value_write_text(v, &b, &inner);
    if (rc == 0)
        *out = value_text(arena_copy(e->arena, (char *)b.data, b.len), b.len);
    px_buf_clear(&b);
    return rc == 0 ? 0 : with_place(e, n, &inner);
}

static int add(struct eval *e, const struct node *n, const struct value *a, const struct value *b,
               struct value *out)
{
    bool plus = n->op == OP_ADD;
    if (a->kind == VALUE_INT && b->kind == VALUE_INT && !a->text && !b->text) {
        int64_t r;
        bool over = plus ? __builtin_add_overflow(a->integer, b->integer, &r)
                         : __builtin_sub_overflow(a->integer, b->integer, &r);
        if (over)
            return refuse(e, n, "an integer beyond 64 bits");
        *out = value_int(r);
        return 0;
    }
    bool numbers = (a->kind == VALUE_INT || a->kind == VALUE_FLOAT) &&
                   (b->kind == VALUE_INT || b->kind == VALUE_FLOAT) && !a->text && !b->text;
    if (numbers) {
        *out = (struct value){.kind = VALUE_FLOAT,
                              .number = plus ? a->number + b->number : a->number - b->number};
        return 0;
    }
    if (plus && a->kind == VALUE_TEXT && b->kind == VALUE_TEXT) {
        *out = join(e, a, b);
        return 0;
    }
    if (plus && a->kind == VALUE_LIST && b->kind == VALUE_LIST) {
        struct value v = {.kind = VALUE_LIST, .n = a->n + b->n};
        v.items = arena_alloc(e->arena, (v.n + 1) * sizeof *v.items);
        for (size_t i = 0; i < v.n; i++)
            v.items[i] = i < a->n ? a->items[i] : b->items[i - a->n];
        *out = v;
        return 0;
    }
    return template_fail(e->t, n->at, e->err, "%s and %s cannot be %s", value_kind_name(a),
                         value_kind_name(b), plus ? "added" : "subtracted");
}

static int contains(struct eval *e, const struct node *n, const struct value *needle,
                    const struct value *hay, struct value *out)
{
    bool found = false;
    if (hay->kind == VALUE_LIST) {
        for (size_t i = 0; i < hay->n && !found; i++)
            found = value_equal(&hay->items[i], needle);
    } else if (hay->kind == VALUE_TEXT && needle->kind == VALUE_TEXT) {
        found = needle->n == 0 || memmem(hay->text, hay->n, needle->text, needle->n);
    } else if (hay->kind == VALUE_MAP && needle->kind == VALUE_TEXT) {
        found = value_get(hay, needle->text, needle->n) != NULL;
    } else {
        return template_fail(e->t, n->at, e->err, "%s cannot be in %s", value_kind_name(needle),
                             value_kind_name(hay));
    }
    *out = value_bool(found == (n->op == OP_IN));
    return 0;
}

static int order(struct eval *e, const struct node *n, const struct value *a, const struct value *b,
                 struct value *out)
{
    int c;
    bool numbers = (a->kind == VALUE_INT || a->kind == VALUE_FLOAT) &&
                   (b->kind == VALUE_INT || b->kind == VALUE_FLOAT);
    if (numbers) {
        c = a->number < b->number ? -1 : a->number > b->number;
    } else if (a->kind == VALUE_TEXT && b->kind == VALUE_TEXT) {
        size_t least = a->n < b->n ? a->n : b->n;
        c = least ? memcmp(a->text, b->text, least) : 0;
        if (c == 0)
            c = a->n < b->n ? -1 : a->n > b->n;
    } else {
        return template_fail(e->t, n->at, e->err, "%s and %s have no order", value_kind_name(a),
                             value_kind_name(b));
    }
    *out = value_bool(n->op == OP_LESS         ? c < 0
                      : n->op == OP_LESS_EQUAL ? c <= 0
                      : n->op == OP_GREATER    ? c > 0
                                               : c >= 0);
    return 0;
}

static int eval_binary(struct eval *e, const struct node *n, const struct scope *s,
                       struct value *out)
{
    struct value a, b;
    if (eval(e, n->kids[0], s, &a) != 0)
        return -1;
    if (n->op == OP_AND || n->op == OP_OR) { /* as in Python: one of the two values */
        if (value_is_true(&a) == (n->op == OP_OR)) {
            *out = a;
            return 0;
        }
        return eval(e, n->kids[1], s, out);
    }
    if (eval(e, n->kids[1], s, &b) != 0)
        return -1;
    switch ((int)n->op) {
    case OP_ADD:
    case OP_SUBTRACT:
        return add(e, n, &a, &b, out);
    case OP_CONCAT:
        if (as_text(e, n, &a, &a) != 0 || as_text(e, n, &b, &b) != 0)
            return -1;
        *out = join(e, &a, &b);
        return 0;
    case OP_EQUAL:
    case OP_DIFFERENT:
        *out = value_bool(value_equal(&a, &b) == (n->op == OP_EQUAL));
        return 0;
    case OP_IN:
    case OP_NOT_IN:
        return contains(e, n, &a, &b, out);
    default:
        return order(e, n, &a, &b, out);
    }
}

static int eval_unary(struct eval *e, const struct node *n, const struct scope *s,
                      struct value *out)
{
    struct value v;
    if (eval(e, n->kids[0], s, &v) != 0)
        return -1;
    if (n->op == OP_NOT) {
        *out = value_bool(!value_is_true(&v));
        return 0;
    }
    if ((v.kind != VALUE_INT && v.kind != VALUE_FLOAT) || v.text ||
        (v.kind == VALUE_INT && v.integer == INT64_MIN))
        return refuse(e, n, "only numbers have a sign");
    *out = v.kind == VALUE_INT ? value_int(-v.integer)
                               : (struct value){.kind = VALUE_FLOAT, .number = -v.number};
    return 0;
}

static int eval(struct eval *e, const struct node *n, const struct scope *s, struct value *out)
{
    struct value v;
    if (++e->steps > MAX_STEPS)
        return refuse(e, n, "more than a million steps");
    switch (n->kind) {
    case NODE_LITERAL:
        *out = n->literal;
        return 0;
    case NODE_NAME:
        return eval_name(e, n, s, out);
    case NODE_FIELD:
        return eval_field(e, n, s, out);
    case NODE_INDEX:
        return eval_index(e, n, s, out);
    case NODE_SLICE:
        return eval_slice(e, n, s, out);
    case NODE_TEST:
        return eval_test(e, n, s, out);
    case NODE_LIST:
        return eval_list(e, n, s, out);
    case NODE_CALL:
        return eval_call(e, n, s, out);
    case NODE_UNARY:
        return eval_unary(e, n, s, out);
    case NODE_BINARY:
        return eval_binary(e, n, s, out);
    case NODE_COND:
        if (eval(e, n->kids[1], s, &v) != 0)
            return -1;
        return eval(e, n->kids[value_is_true(&v) ? 0 : 2], s, out);
    default:
        px_assert(!"a statement in an expression");
        return -1;
    }
}

/* ---- statements ---- */

static int run(struct eval *e, const struct node *n, struct frame *f, struct px_buf *out);

static struct value loop_state(struct eval *e, size_t i, size_t n)
{
    static const char *const names[] = {"index", "index0", "first", "last", "length"};
    struct value v = {.kind = VALUE_MAP, .n = 5};
    v.keys = arena_alloc(e->arena, 5 * sizeof *v.keys);
    v.items = arena_alloc(e->arena, 5 * sizeof *v.items);
    for (size_t k = 0; k < 5; k++)
        v.keys[k] = value_text(names[k], strlen(names[k]));
    v.items[0] = value_int((int64_t)i + 1);
    v.items[1] = value_int((int64_t)i);
    v.items[2] = value_bool(i == 0);
    v.items[3] = value_bool(i + 1 == n);
    v.items[4] = value_int((int64_t)n);
    return v;
}

static int run_for(struct eval *e, const struct node *n, struct frame *f, struct px_buf *out)
{
    struct value list;
    if (eval(e, n->kids[0], f->vars, &list) != 0)
        return -1;
    if (list.kind != VALUE_LIST)
        return template_fail(e->t, n->at, e->err, "a loop over %s", value_kind_name(&list));
    for (size_t i = 0; i < list.n; i++) {
        struct scope loop = {.name = "loop", .value = loop_state(e, i, list.n), .outer = f->vars};
        struct scope item = {.name = n->name, .value = list.items[i], .outer = &loop};
        struct frame body = {.vars = &item};
        if (run(e, n->kids[1], &body, out) != 0)
            return -1;
    }
    return 0;
}

static int run_print(struct eval *e, const struct node *n, const struct frame *f,
                     struct px_buf *out)
{
    struct value v;
    struct px_err inner;
    if (eval(e, n->kids[0], f->vars, &v) != 0)
        return -1;
    if (value_write_text(&v, out, &inner) != 0)
        return with_place(e, n, &inner);
    return 0;
}

static int run_set(struct eval *e, const struct node *n, struct frame *f)
{
    struct scope *var = arena_alloc(e->arena, sizeof *var);
    *var = (struct scope){.name = n->name, .outer = f->vars};
    if (eval(e, n->kids[0], f->vars, &var->value) != 0)
        return -1;
    f->vars = var;
    return 0;
}

static int run(struct eval *e, const struct node *n, struct frame *f, struct px_buf *out)
{
    struct value v;
    if (++e->steps > MAX_STEPS)
        return refuse(e, n, "more than a million steps");
    if (out->overflow || out->len > MAX_OUTPUT)
        return refuse(e, n, "more than 16 MiB of text");
    switch ((int)n->kind) {
    case NODE_TEXT:
        px_buf_put(out, n->literal.text, n->literal.n);
        return 0;
    case NODE_PRINT:
        return run_print(e, n, f, out);
    case NODE_FOR:
        return run_for(e, n, f, out);
    case NODE_SET:
        return run_set(e, n, f);
    case NODE_IF:
        if (eval(e, n->kids[0], f->vars, &v) != 0)
            return -1;
        if (value_is_true(&v))
            return run(e, n->kids[1], f, out);
        return n->kids[2] ? run(e, n->kids[2], f, out) : 0;
    default:
        for (size_t i = 0; i < n->n; i++) {
            if (run(e, n->kids[i], f, out) != 0)
                return -1;
        }
        return 0;
    }
}

/* Nothing but `set` before one expression. */
static bool is_one_value(const struct node *root)
{
    for (size_t i = 0; i + 1 < root->n; i++)
        if (root->kids[i]->kind != NODE_SET)
            return false;
    return root->n > 0 && root->kids[root->n - 1]->kind == NODE_PRINT;
}

static int value_of(struct eval *e, const struct node *root, struct value *out)
{
    struct frame f = {0};
    struct value v;
    for (size_t i = 0; i + 1 < root->n; i++)
        if (run_set(e, root->kids[i], &f) != 0)
            return -1;
    if (eval(e, root->kids[root->n - 1]->kids[0], f.vars, &v) != 0)
        return -1;
    *out = v;
    return 0;
}

int template_value(const struct text_template *t, const struct template_row *row, struct arena *a,
                   struct value *out, struct px_err *err)
{
    struct eval e = {.t = t, .row = row, .arena = a, .err = err};
    struct frame f = {0};
    if (is_one_value(t->root))
        return value_of(&e, t->root, out);
    struct px_buf b;
    px_buf_init(&b, 2 * MAX_OUTPUT);
    int rc = run(&e, t->root, &f, &b);
    if (rc == 0)
        *out = value_text(arena_copy(a, (char *)b.data, b.len), b.len);
    px_buf_clear(&b);
    return rc;
}

int template_render(const struct text_template *t, const struct template_row *row, struct arena *a,
                    struct px_buf *out, struct px_err *err)
{
    struct eval e = {.t = t, .row = row, .arena = a, .err = err};
    struct frame f = {0};
    size_t before = out->len;
    if (run(&e, t->root, &f, out) != 0 || out->overflow) {
        if (out->overflow)
            px_fail(err, PX_ELIMIT, "more than 16 MiB of text");
        out->len = before;
        return -1;
    }
    return 0;
}
