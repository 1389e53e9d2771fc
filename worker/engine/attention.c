/* attention.c - rotary positions and causal attention, block of positions by block. */
#include "worker/engine/attention.h"

#include <math.h>
#include <string.h>

void rope_angles(const double *freqs, uint32_t n, uint32_t pos, float *cos_out, float *sin_out)
{
    for (uint32_t i = 0; i < n; i++) {
        double s, c;
        det_sincos((double)pos * freqs[i], &s, &c);
        cos_out[i] = (float)c;
        sin_out[i] = (float)s;
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

static uint32_t group_size(const struct model_config *c)
{
    return c->n_heads / c->n_kv_heads;
}

static size_t padded(uint32_t max_positions)
{
    return (size_t)kv_pages_for(max_positions) * KV_PAGE;
}

size_t attention_scratch(const struct model_config *c, uint32_t max_positions)
{
    return padded(max_positions) * group_size(c) + c->head_dim + group_size(c);
}

/* scores[j] = q . k_j for the n positions of one block. */
static void block_scores(const struct model_config *c, const struct kernels *kn, enum kv_type type,
                         const void *k, uint32_t n, const float *q, float *scores)
{
    if (type == KV_F16)
        kn->dots_f16(q, k, n, c->head_dim, scores);
    else
        kn->dots_f32(q, k, n, c->head_dim, scores);
}

/* out += (sum of p[j] v_j over the block, from zero, in order). */
static void block_values(const struct model_config *c, const struct kernels *kn, enum kv_type type,
                         const void *v, uint32_t n, const float *p, float *out, float *acc)
{
    if (type == KV_F16)
        kn->sums_f16(p, v, n, c->head_dim, acc);
    else
        kn->sums_f32(p, v, n, c->head_dim, acc);
    kn->add(out, acc, c->head_dim);
}

/* Scores to probabilities times their sum, which is returned: blocks in order. */
static float softmax_blocks(const struct kernels *kn, float *scores, uint32_t n, float scale)
{
    float total = 0;
    kn->scale(scores, scale, n);
    float max = kn->max(scores, n);
    for (uint32_t j = 0; j < n; j += KV_PAGE) {
        uint32_t in_block = n - j < KV_PAGE ? n - j : KV_PAGE;
        total += kn->exp_sum(scores + j, max, scores + j, in_block);
    }
    return total;
}

void attention_head_group(const struct model_config *c, const struct kernels *kn,
                          const struct kv_pool *kv, const struct kv_seq *seq, uint32_t layer,
                          uint32_t kv_head, uint32_t pos, const float *q, float *out,
                          float *scratch)
{
    uint32_t group = group_size(c), n = pos + 1, n_blocks = kv_pages_for(n);
    size_t stride = (size_t)n_blocks * KV_PAGE;
    enum kv_type type = kv_pool_type(kv);
    float *acc = scratch + stride * group, *totals = acc + c->head_dim;
    float scale = 1.0f / sqrtf((float)c->head_dim);
    q += (size_t)kv_head * group * c->head_dim;
    out += (size_t)kv_head * group * c->head_dim;
    for (uint32_t b = 0; b < n_blocks; b++) {
        const void *k = kv_block(kv, seq->pages[b], layer, false, kv_head);
        uint32_t in_block = n - b * KV_PAGE < KV_PAGE ? n - b * KV_PAGE : KV_PAGE;
        for (uint32_t g = 0; g < group; g++)
            block_scores(c, kn, type, k, in_block, q + (size_t)g * c->head_dim,
                         scratch + g * stride + (size_t)b * KV_PAGE);
    }
    for (uint32_t g = 0; g < group; g++)
        totals[g] = softmax_blocks(kn, scratch + g * stride, n, scale);
    memset(out, 0, (size_t)group * c->head_dim * sizeof *out);
    for (uint32_t b = 0; b < n_blocks; b++) {
        const void *v = kv_block(kv, seq->pages[b], layer, true, kv_head);
        uint32_t in_block = n - b * KV_PAGE < KV_PAGE ? n - b * KV_PAGE : KV_PAGE;
        for (uint32_t g = 0; g < group; g++)
            block_values(c, kn, type, v, in_block, scratch + g * stride + (size_t)b * KV_PAGE,
                         out + (size_t)g * c->head_dim, acc);
    }
    for (uint32_t g = 0; g < group; g++)
        kn->scale(out + (size_t)g * c->head_dim, 1.0f / totals[g], c->head_dim);
}
