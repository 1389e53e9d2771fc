/* detmath_exp.h - the constants of exp in double precision (internal to the kernels).
 *
 * detmath.c is the definition; the vector kernels repeat its steps in every lane. */
#ifndef WORKER_ENGINE_DETMATH_EXP_H
#define WORKER_ENGINE_DETMATH_EXP_H

#define EXP_MAX 710.0    /* above: infinity */
#define EXP_MIN (-746.0) /* below: zero */
#define EXP_LOG2E 0x1.71547652b82fep+0
#define EXP_LN2_HI 0x1.62e42fefa39efp-1
#define EXP_LN2_LO 0x1.abc9e3b39803fp-56
#define EXP_MAGIC 0x1.8p52 /* adding it rounds to an integer, ties to even */

/* 1/k! for k = 14 .. 2: |r| <= ln2/2 leaves less than 2^-60 after the last term. */
#define EXP_TERMS                                                                                  \
    {                                                                                              \
        1.0 / 87178291200, 1.0 / 6227020800, 1.0 / 479001600, 1.0 / 39916800, 1.0 / 3628800,       \
            1.0 / 362880, 1.0 / 40320, 1.0 / 5040, 1.0 / 720, 1.0 / 120, 1.0 / 24, 1.0 / 6, 0.5    \
    }
#define EXP_N_TERMS 13

#endif
