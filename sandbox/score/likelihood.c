/* likelihood.c - softmax. See likelihood.h. */
#include "sandbox/score/likelihood.h"

#include <math.h>

double likelihood_exp(double x)
{
    static const double ln2_hi = 0x1.62e42feep-1, ln2_lo = 0x1.a39ef35793c76p-33;
    if (!(x >= -708))
        return 0;
    if (x >= 0)
        return 1;
    double k = rint(x / (ln2_hi + ln2_lo));
    double r = (x - k * ln2_hi) - k * ln2_lo; /* k * ln2_hi is exact */
    double sum = 1;
    for (int i = 14; i >= 1; i--) /* Taylor; |r| <= 0.35 leaves less than 1e-18 */
        sum = 1 + r / i * sum;
    return ldexp(sum, (int)k);
}

void likelihood_softmax(const struct choice_score *c, uint32_t n, double *out)
{
    double top = -INFINITY, sum = 0;
    for (uint32_t i = 0; i < n; i++)
        top = c[i].logprob > top ? c[i].logprob : top;
    for (uint32_t i = 0; i < n; i++) {
        double x = c[i].logprob - top;
        out[i] = !isfinite(top) ? 1 : isnan(x) ? 0 : likelihood_exp(x);
        sum += out[i];
    }
    for (uint32_t i = 0; i < n; i++)
        out[i] /= sum;
}
