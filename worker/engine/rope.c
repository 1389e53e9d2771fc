/* rope.c - rotary positions as docs/numerics.md defines them. */
#include "worker/engine/rope.h"

#include <math.h>

#include "worker/engine/kernels.h"

#define TWO_PI 6.283185307179586

/* The (fractional) pair that turns `turns` times over the original context. */
static double pair_of_turns(const struct model_config *c, double turns)
{
    return c->rope_dims * det_log(c->rope_original_context / (turns * TWO_PI)) /
           (2 * det_log(c->rope_theta));
}

/* How much of pair i is left as it was: 1 for pairs that turn often, 0 for slow ones. */
static double yarn_share(const struct model_config *c, uint32_t i)
{
    double low = floor(pair_of_turns(c, c->yarn_beta_fast));
    double high = ceil(pair_of_turns(c, c->yarn_beta_slow));
    double last = c->rope_dims - 1.0;
    low = low > 0 ? low : 0;
    high = high < last ? high : last;
    double width = high - low > 0.001 ? high - low : 0.001, y = (i - low) / width;
    y = y > 0 ? y : 0;
    return (1 - (y < 1 ? y : 1)) * c->yarn_ext_factor;
}

/* The divisor of frequency f: 1 for short waves, the factor for long ones, smooth between. */
static double llama3_factor(const struct model_config *c, double f)
{
    double turns = c->rope_original_context * f / TWO_PI;
    if (turns > c->llama3_high)
        return 1;
    if (turns < c->llama3_low)
        return c->rope_scale;
    double smooth = (turns - c->llama3_low) / (c->llama3_high - c->llama3_low);
    return 1 / ((1 - smooth) / c->rope_scale + smooth);
}

static double frequency(const struct model_config *c, uint32_t i)
{
    double f = det_pow(c->rope_theta, -2.0 * i / c->rope_dims);
    if (c->rope_scaling == ROPE_LLAMA3)
        return f / llama3_factor(c, f);
    if (c->rope_scaling == ROPE_LINEAR)
        return f / c->rope_scale;
    double share = yarn_share(c, i);
    return f / c->rope_scale * (1 - share) + f * share;
}

void rope_frequencies(const struct model_config *c, const float *factors, double *freqs)
{
    for (uint32_t i = 0; i < c->rope_dims / 2; i++) {
        freqs[i] = frequency(c, i);
        if (factors)
            freqs[i] /= (double)factors[i];
    }
}

double rope_magnitude(const struct model_config *c)
{
    bool is_stretched = c->rope_scaling == ROPE_YARN && c->yarn_ext_factor > 0 && c->rope_scale > 1;
    return c->rope_attn_factor * (is_stretched ? 1 + 0.1 * det_log(c->rope_scale) : 1);
}

void rope_angles(const double *freqs, uint32_t n, double magnitude, uint32_t pos, float *cos_out,
                 float *sin_out)
{
    for (uint32_t i = 0; i < n; i++) {
        double s, c;
        det_sincos((double)pos * freqs[i], &s, &c);
        cos_out[i] = (float)(c * magnitude);
        sin_out[i] = (float)(s * magnitude);
    }
}

void rope_rotate(const struct model_config *c, const float *cos_in, const float *sin_in,
                 uint32_t n_heads, float *x)
{
    uint32_t half = c->rope_dims / 2;
    uint32_t step = c->rope_interleaved ? 2 : 1;
    uint32_t other = c->rope_interleaved ? 1 : half;
    for (uint32_t h = 0; h < n_heads; h++, x += c->head_dim)
        for (uint32_t i = 0; i < half; i++) {
            float a = x[i * step], b = x[i * step + other];
            x[i * step] = a * cos_in[i] - b * sin_in[i];
            x[i * step + other] = a * sin_in[i] + b * cos_in[i];
        }
}
