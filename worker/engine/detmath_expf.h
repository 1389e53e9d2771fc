/* detmath_expf.h - the definition of expf, operation by operation (internal to the kernels).
 *
 * The vector kernels repeat exactly these steps in every lane; the constants are shared. */
#ifndef WORKER_ENGINE_DETMATH_EXPF_H
#define WORKER_ENGINE_DETMATH_EXPF_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#define EXPF_MAX 89.0f     /* above: infinity */
#define EXPF_MIN (-105.0f) /* below: zero */
#define EXPF_LOG2E 0x1.715476p+0f
#define EXPF_MAGIC 12582912.0f /* 1.5 * 2^23: adding it rounds to an integer, ties to even */
#define EXPF_MAGIC_BITS 0x4b400000
#define EXPF_LN2_HI 0x1.62e430p-1f
#define EXPF_LN2_LO (-0x1.05c610p-29f)
#define EXPF_C7 (1.0f / 5040.0f)
#define EXPF_C6 (1.0f / 720.0f)
#define EXPF_C5 (1.0f / 120.0f)
#define EXPF_C4 (1.0f / 24.0f)
#define EXPF_C3 (1.0f / 6.0f)
#define EXPF_C2 0.5f

static inline float expf_pow2(int32_t k)
{
    uint32_t u = (uint32_t)(k + 127) << 23;
    float f;
    memcpy(&f, &u, sizeof(f));
    return f;
}

static inline float expf_defined(float x)
{
    if (x != x)
        return x;
    x = x > EXPF_MAX ? EXPF_MAX : x;
    x = x < EXPF_MIN ? EXPF_MIN : x;
    float t = fmaf(x, EXPF_LOG2E, EXPF_MAGIC);
    float n = t - EXPF_MAGIC;
    float r = fmaf(n, -EXPF_LN2_HI, x);
    r = fmaf(n, -EXPF_LN2_LO, r);
    float p = fmaf(EXPF_C7, r, EXPF_C6);
    p = fmaf(p, r, EXPF_C5);
    p = fmaf(p, r, EXPF_C4);
    p = fmaf(p, r, EXPF_C3);
    p = fmaf(p, r, EXPF_C2);
    p = fmaf(p, r, 1.0f);
    p = fmaf(p, r, 1.0f);
    int32_t k;
    memcpy(&k, &t, sizeof(k));
    k -= EXPF_MAGIC_BITS;
    int32_t k1 = k >> 1; /* two factors: the result may be subnormal or infinite, these are not */
    return p * expf_pow2(k1) * expf_pow2(k - k1);
}

#endif
