/* sample.c - argmax, log-sum-exp, and drawing tokens with a counter-based generator.
 *
 * Philox-4x32-10: J. Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", SC 2011. */
#include "worker/engine/sample.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/digest.h"
#include "proto/mem.h"

enum { ARGMAX_BLOCK = 1024 };

/* The block that has the largest first, then its place there; what is not a number is passed over.
 */
uint32_t sample_argmax(const struct kernels *kn, const float *logits, uint32_t n)
{
    uint32_t at = 0;
    float best = logits[0];
    for (uint32_t i = 0; i < n; i += ARGMAX_BLOCK) {
        float top = kn->max(logits + i, n - i < ARGMAX_BLOCK ? n - i : ARGMAX_BLOCK);
        if (top > best) {
            best = top;
            at = i;
        }
    }
    while (!isnan(best) && !(logits[at] >= best))
        at++;
    return at;
}

bool sample_finite(const float *logits, uint32_t n)
{
    uint32_t n_bad = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &logits[i], sizeof bits);
        n_bad += (bits & 0x7f800000) == 0x7f800000;
    }
    return n_bad == 0;
}

double sample_log_sum_exp(const struct kernels *kn, const float *logits, uint32_t n)
{
    double max = (double)logits[sample_argmax(kn, logits, n)];
    return max + det_log(kn->exp_sum(logits, max, 1, NULL, n));
}

void sample_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4])
{
    uint32_t c[4] = {counter[0], counter[1], counter[2], counter[3]};
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < 10; round++) {
        uint64_t a = (uint64_t)0xD2511F53u * c[0], b = (uint64_t)0xCD9E8D57u * c[2];
        uint32_t x0 = (uint32_t)(b >> 32) ^ c[1] ^ k0, x2 = (uint32_t)(a >> 32) ^ c[3] ^ k1;
        c[0] = x0;
        c[1] = (uint32_t)b;
        c[2] = x2;
        c[3] = (uint32_t)a;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
    for (int i = 0; i < 4; i++)
        out[i] = c[i];
}

uint64_t sample_problem_hash(const char *problem)
{
    size_t n = 0;
    while (problem[n])
        n++;
    struct px_digest d = px_sha256(problem, n);
    return px_load_u64(d.b);
}

double sample_uniform(const struct sample_key *key)
{
    uint32_t k[2] = {(uint32_t)key->seed, (uint32_t)(key->seed >> 32)}, r[4];
    uint32_t c[4] = {(uint32_t)key->problem, (uint32_t)(key->problem >> 32), key->sample,
                     key->position};
    sample_philox(c, k, r);
    uint64_t bits = (uint64_t)r[0] << 32 | r[1];
    return (double)(bits >> 11) * 0x1p-53;
}

int sample_check(const struct sampler_spec *s, struct px_err *err)
{
    if (!(s->temperature >= 0) || !isfinite(s->temperature))
        return px_fail(err, PX_EINPUT, "temperature %g: must be 0 or more", s->temperature);
    if (s->temperature > 0 && s->temperature < 1e-6)
        return px_fail(err, PX_EINPUT, "temperature %g is too small: use 0 for greedy",
                       s->temperature);
    if (s->top_k < 0)
        return px_fail(err, PX_EINPUT, "top_k %d: must be 0 (off) or more", s->top_k);
    if (!(s->top_p > 0 && s->top_p <= 1))
        return px_fail(err, PX_EINPUT, "top_p %g: must be above 0 and at most 1", s->top_p);
    if (!(s->min_p >= 0 && s->min_p <= 1))
        return px_fail(err, PX_EINPUT, "min_p %g: must be from 0 to 1", s->min_p);
    return 0;
}

struct candidate {
    float logit;
    uint32_t id;
    double weight; /* exp((logit - best) / temperature) */
};

static int by_logit(const void *pa, const void *pb)
{
    const struct candidate *a = pa, *b = pb;
    if (a->logit != b->logit)
        return a->logit > b->logit ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

static double weight_of(float logit, double best, double temperature)
{
    return det_exp(((double)logit - best) / temperature);
}

/* No filter acts: tokens in id order, no sorting. */
static uint32_t draw_all(const struct kernels *kn, const float *logits, uint32_t n, double best,
                         double temperature, double u)
{
    PX_FREE double *sums = px_xmalloc(n * sizeof *sums);
    double target = u * kn->exp_sum(logits, best, temperature, sums, n);
    uint32_t low = 0, high = n; /* sums never fall: the first above the target */
    while (low < high) {
        uint32_t mid = low + (high - low) / 2;
        if (sums[mid] > target)
            high = mid;
        else
            low = mid + 1;
    }
    return low < n ? low : sample_argmax(kn, logits, n);
}

/* The head of the ordered tokens whose logit is within `depth` temperatures of the best. */
static uint32_t collect_head(const float *logits, uint32_t n, double best, double temperature,
                             double depth, struct candidate *c)
{
    uint32_t m = 0;
    for (uint32_t i = 0; i < n; i++)
        if ((double)logits[i] >= best - depth * temperature)
            c[m++] = (struct candidate){.logit = logits[i], .id = i};
    for (uint32_t i = 0; i < m; i++)
        c[i].weight = weight_of(c[i].logit, best, temperature);
    qsort(c, m, sizeof *c, by_logit);
    return m;
}

static double head_mass(const struct candidate *c, uint32_t m)
{
    double mass = 0;
    for (uint32_t i = 0; i < m; i++)
        mass += c[i].weight;
    return mass;
}

/* How many of the ordered tokens the filters keep; *enough is false when the head that was
 * collected may be too short to tell. `floor` is above the weight of every token outside the head,
 * `total` the weight of all tokens (used without top-k). */
static uint32_t keep(const struct sampler_spec *s, const struct candidate *c, uint32_t m,
                     double floor, double total, bool *enough)
{
    bool has_k = s->top_k > 0;
    if (has_k && m > (uint32_t)s->top_k)
        m = (uint32_t)s->top_k;
    *enough = has_k ? m == (uint32_t)s->top_k : s->min_p > floor;
    if (s->top_p < 1) {
        double wanted = s->top_p * (has_k ? head_mass(c, m) : total), sum = 0;
        uint32_t i = 0;
        while (i < m && sum < wanted)
            sum += c[i++].weight;
        *enough = *enough || (!has_k && sum >= wanted);
        m = i;
    }
    uint32_t i = 0;
    while (i < m && c[i].weight >= s->min_p)
        i++;
    return i ? i : 1;
}

static uint32_t draw_filtered(const struct kernels *kn, const float *logits, uint32_t n,
                              double best, const struct sampler_spec *s, double u)
{
    static const struct {
        double depth, floor;
    } heads[] = {{8, 4e-4}, {16, 2e-7}, {32, 2e-14}, {INFINITY, 0}};
    PX_FREE struct candidate *c = px_xmalloc(n * sizeof *c);
    double total = 0;
    if (s->top_k == 0 && s->top_p < 1)
        total = kn->exp_sum(logits, best, s->temperature, NULL, n);
    uint32_t m = 1;
    bool enough = false;
    for (size_t h = 0; h < sizeof heads / sizeof *heads && !enough; h++) {
        m = collect_head(logits, n, best, s->temperature, heads[h].depth, c);
        m = keep(s, c, m, heads[h].floor, total, &enough);
    }
    double target = u * head_mass(c, m), sum = 0;
    for (uint32_t i = 0; i < m; i++) {
        sum += c[i].weight;
        if (sum > target)
            return c[i].id;
    }
    return c[m - 1].id;
}

uint32_t sample_token(const struct kernels *kn, const float *logits, uint32_t n,
                      const struct sampler_spec *s, const struct sample_key *key)
{
    uint32_t top = sample_argmax(kn, logits, n);
    if (!(s->temperature > 0))
        return top;
    double best = (double)logits[top], u = sample_uniform(key);
    struct sampler_spec f = *s;
    if ((uint32_t)f.top_k >= n)
        f.top_k = 0;
    if (f.top_k == 0 && f.top_p >= 1 && !(f.min_p > 0))
        return draw_all(kn, logits, n, best, f.temperature, u);
    return draw_filtered(kn, logits, n, best, &f, u);
}
