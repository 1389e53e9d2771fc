/* math_eval.h - values of the scalar part of an answer's tree. Two ways, both deterministic on
 * every processor:
 *
 * Residues. Numbers, variables, i, pi, e and + - * / with whole exponents, factorials, binomials
 * are computed modulo a 61-bit prime (p = 1 mod 4, so that i is a root of -1), with fixed random
 * residues for variables, pi and e. Equal expressions have equal residues; different ones of the
 * answers' size have different ones but for a chance of about degree / 2^61 per prime, and two
 * primes are used. So numbers of any size and polynomials are compared exactly.
 *
 * Numbers. Everything else is computed in 113-bit binary floating point (software, IEEE
 * binary128), complex, with fixed random real values of either sign for variables and a bound of
 * the error beside each value.
 *
 * A context bounds the work: past its steps every evaluation fails. */
#ifndef SANDBOX_SCORE_MATH_EVAL_H
#define SANDBOX_SCORE_MATH_EVAL_H

#include <stdbool.h>
#include <stdint.h>

#include "sandbox/score/math_real.h"
#include "sandbox/score/math_tree.h"

enum { MATH_PRIMES = 2, MATH_POINTS = 3, MATH_MAX_FACTORIAL = 20000 };

struct math_context {
    int64_t steps;    /* left; work is charged for nodes, factorials and powers */
    bool radians;     /* degrees outside of functions: multiplied by pi / 180, not dropped */
    bool plain_names; /* i, e and pi are variables like others */
    int assignment;   /* which residues variables have */
};

struct math_at { /* a scalar: a node, and which sign +- stands for (0: it may not occur) */
    const struct math_tree *tree;
    int node;
    int sign;
};

/* A small whole number, exactly. */
bool math_small_int(struct math_context *c, struct math_at x, int64_t *out);

bool math_residue(struct math_context *c, struct math_at x, int prime, uint64_t *out);

/* point: 0 all variables positive, 1 all negative, 2 mixed. */
bool math_number(struct math_context *c, struct math_at x, int point, struct math_complex *out);

uint64_t math_mod_mul(uint64_t a, uint64_t b, int prime);
uint64_t math_mod_subtract(uint64_t a, uint64_t b, int prime);

#endif
