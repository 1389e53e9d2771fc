/* math_tree.h - a mathematical answer as a tree.
 *
 * math_parse reads what people and models write as an answer: LaTeX, plain text, or a mixture
 * ("\frac12", "1/2", "x \in [1, 2)", "3 and 5", "5\text{ cm}"). Units, currency and percent signs
 * are dropped, degrees are kept as a node. Answers are short: MATH_MAX_TEXT bytes at most, a depth
 * of MATH_MAX_DEPTH; anything longer, deeper or not understood is no tree, never a guess.
 * Numbers and names are spans of the tree's own text. Time is linear in the text. */
#ifndef SANDBOX_SCORE_MATH_TREE_H
#define SANDBOX_SCORE_MATH_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "sandbox/score/text.h"

enum {
    MATH_MAX_TEXT = 4096,
    MATH_MAX_NODES = 4096,
    MATH_MAX_DEPTH = 120,
    MATH_MAX_PARTS = 256 /* elements of a list, rows x columns of a matrix */
};

enum math_kind {
    /* scalars */
    MATH_NUMBER = 1, /* text: digits, at most one point; `cols` more digits behind it repeat.
                        No text: 10 to the power `op`, or MATH_ZERO */
    MATH_NAME,       /* text: a letter, a Greek letter, x_1, \mathbf{v}: a variable */
    MATH_PI,
    MATH_E,
    MATH_I,
    MATH_INFINITY,
    MATH_ADD,   /* a + b */
    MATH_PM,    /* a +- b; op '-': a -+ b */
    MATH_NEG,   /* -a */
    MATH_MUL,   /* a b */
    MATH_DIV,   /* a / b */
    MATH_POW,   /* a ^ b */
    MATH_ROOT,  /* root of a; b: its index, or none */
    MATH_FUNC,  /* op: enum math_func, of a; b: base of a logarithm, or none */
    MATH_APPLY, /* text: name of a function that is not known (f, g), of a */
    MATH_FACT,  /* a! */
    MATH_BINOM, /* a over b */
    MATH_ABS,   /* |a| */
    MATH_FLOOR,
    MATH_CEIL,
    MATH_DEGREE, /* a degrees */
    MATH_BASED,  /* text: digits of a numeral; b: its base, a node */
    /* structures: parts from `a` on, linked by `next`, `n_parts` of them */
    MATH_LIST,     /* 1, 2, 3: in no order */
    MATH_TUPLE,    /* op: '(' ')' = 0, '(' ']' = 1, '[' ')' = 2, '[' ']' = 3; point or interval */
    MATH_SET,      /* {1, 2}: in no order, each once */
    MATH_UNION,    /* op 'u' or 'n' (intersection) */
    MATH_MATRIX,   /* rows of `cols` columns; op 'v': a determinant */
    MATH_RELATION, /* parts; rel of a part: the relation between it and the part before */
    MATH_RATIO,    /* 3 : 1 */
    MATH_TEXT,     /* text: words */
};

enum { MATH_ZERO = 255 };

enum math_func {
    MATH_SIN = 1,
    MATH_COS,
    MATH_TAN,
    MATH_COT,
    MATH_SEC,
    MATH_CSC,
    MATH_ARCSIN,
    MATH_ARCCOS,
    MATH_ARCTAN,
    MATH_LN,
    MATH_LOG, /* base 10 where no base is written */
    MATH_EXP
};

/* Relations between parts. */
enum math_rel { MATH_EQ = 1, MATH_NE, MATH_LT, MATH_LE, MATH_GT, MATH_GE, MATH_IN };

struct math_node {
    uint8_t kind, op, rel;
    uint16_t n_parts, cols;
    int16_t a, b, next;  /* indices of nodes; -1: none */
    uint16_t at, length; /* text */
};

struct math_tree {
    char text[MATH_MAX_TEXT + 1];
    struct math_node node[MATH_MAX_NODES];
    int n;
    int root;
};

/* False: not understood. */
bool math_parse(struct span s, struct math_tree *out);

/* Adds a node with no parts; -1 when the tree is full. */
int math_add(struct math_tree *t, enum math_kind kind, int a, int b);

#endif
