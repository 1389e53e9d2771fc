/* template_node.h - a parsed template as a tree: for the template's own files only. */
#ifndef COORDINATOR_TASK_TEMPLATE_NODE_H
#define COORDINATOR_TASK_TEMPLATE_NODE_H

#include "coordinator/task/template.h"
#include "proto/pyregex.h"

enum node_kind {
    /* statements */
    NODE_TEXT,  /* literal: the text */
    NODE_PRINT, /* kids: expression */
    NODE_IF,    /* kids: condition, then, otherwise (or NULL) */
    NODE_FOR,   /* name; kids: list, body */
    NODE_SET,   /* name; kids: value */
    NODE_BLOCK, /* kids: statements */
    /* expressions */
    NODE_LITERAL,
    NODE_LIST,   /* kids: items */
    NODE_NAME,   /* name */
    NODE_FIELD,  /* name; kids: of what */
    NODE_INDEX,  /* kids: of what, index */
    NODE_SLICE,  /* kids: of what, from (or NULL), to (or NULL) */
    NODE_TEST,   /* name: what it is asked to be; op OP_NOT when negated; kids: of what */
    NODE_CALL,   /* name: filter or method; kids: of what, arguments */
    NODE_UNARY,  /* op; kids: one */
    NODE_BINARY, /* op; kids: two */
    NODE_COND    /* kids: value, condition, otherwise */
};

enum op {
    OP_NOT,
    OP_NEGATE,
    OP_AND,
    OP_OR,
    OP_ADD,
    OP_SUBTRACT,
    OP_CONCAT,
    OP_EQUAL,
    OP_DIFFERENT,
    OP_LESS,
    OP_LESS_EQUAL,
    OP_GREATER,
    OP_GREATER_EQUAL,
    OP_IN,
    OP_NOT_IN
};

struct node {
    enum node_kind kind;
    enum op op;
    uint32_t at; /* byte in the template */
    const char *name;
    const struct function *function; /* NODE_CALL */
    struct pyregex *regex;           /* NODE_CALL of regex_replace: its pattern; the template's */
    struct value literal;
    struct node **kids;
    size_t n;
};

struct text_template {
    struct arena *arena; /* the tree and its texts */
    char *text;
    size_t n;
    struct node *root;        /* NODE_BLOCK */
    struct pyregex **regexes; /* owned */
    size_t n_regexes, cap_regexes;
};

/* A filter or method: `self` and its arguments to a value. */
struct function {
    const char *name;
    bool is_filter, is_method;
    unsigned min_args, max_args;
    const char *keyword; /* the only argument is given as keyword=value; NULL: by place */
    int (*call)(struct arena *a, const struct value *self, const struct value *args, size_t n,
                struct value *out, struct px_err *err);
    enum {
        FUNCTION_PLAIN,
        FUNCTION_DEFAULT,
        FUNCTION_REGEX
    } special; /* `call` is NULL for these */
};
enum { MAX_ARGS = 2 };

/* The tables end with a NULL name: of texts (template_text.c), of everything else. */
extern const struct function template_text_functions[];
extern const struct function template_value_functions[];
const struct function *function_find(const char *name, bool as_filter);
/* Appends the names of all filters or methods, for messages: "a, b, c". */
void function_names(bool filters, struct px_buf *out);
int function_need_text(const struct value *v, const char *who, struct px_err *err);

/* Tests: `x is name`. false when there is none of that name. */
bool template_test_known(const char *name);
bool template_test(const char *name, const struct value *v); /* `defined` is the evaluator's */
#define TEMPLATE_TESTS "defined, none, string, number, boolean, mapping, sequence"

/* Python's s[from:to] of a text or list; NULL for an end that is left out. */
int template_slice(const struct value *of, const struct value *from, const struct value *to,
                   struct value *out, struct px_err *err);

/* "3:7: what": the place of byte `at` in the template. Returns -1. */
int template_fail(const struct text_template *t, size_t at, struct px_err *err, const char *fmt,
                  ...) PX_PRINTF(4, 5);

#endif
