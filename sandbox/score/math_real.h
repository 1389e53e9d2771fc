/* math_real.h - binary128 numbers in software, and complex numbers with error bounds.
 *
 * No function of libm is used: results are the same on every processor. Relative errors of the
 * functions are below 2^-104; the error bounds of complex values allow for that. */
#ifndef SANDBOX_SCORE_MATH_REAL_H
#define SANDBOX_SCORE_MATH_REAL_H

#include <stdbool.h>

#ifdef __SIZEOF_FLOAT128__
typedef __float128 math_real; /* x86-64: libgcc's software arithmetic */
#else
typedef long double math_real; /* AArch64: the same format */
#endif

struct math_complex {
    math_real re, im, err; /* the true value lies within err of re + i im */
};

math_real math_pi(void);
math_real math_abs(math_real x);
bool math_is_finite(math_real x);
math_real math_floor(math_real x); /* |x| < 2^62 */

/* False: outside the domain, or too large to be exact. */
bool math_sqrt(math_real x, math_real *out);
bool math_exp(math_real x, math_real *out);
bool math_log(math_real x, math_real *out);
bool math_sin_cos(math_real x, math_real *sine, math_real *cosine);
math_real math_atan2(math_real y, math_real x);

bool math_c_add(struct math_complex a, struct math_complex b, struct math_complex *out);
bool math_c_mul(struct math_complex a, struct math_complex b, struct math_complex *out);
bool math_c_div(struct math_complex a, struct math_complex b, struct math_complex *out);
bool math_c_sqrt(struct math_complex a, struct math_complex *out); /* principal */
bool math_c_exp(struct math_complex a, struct math_complex *out);
bool math_c_log(struct math_complex a, struct math_complex *out); /* principal */
bool math_c_pow(struct math_complex a, struct math_complex b, struct math_complex *out);
struct math_complex math_c_real(math_real x);
struct math_complex math_c_neg(struct math_complex a);
math_real math_c_abs(struct math_complex a);

/* Certainly the same within the bounds, and the bounds are tight. */
bool math_c_same(struct math_complex a, struct math_complex b);

#endif
