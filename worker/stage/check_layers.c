/* check_layers.c - the matrices of every layer at work on a few embeddings.
 *
 * Each layer gets the same input, a few rows of the embedding, so that one bad layer shows as
 * itself and not as whatever it does to the next ones. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "worker/stage/check_internal.h"

enum { ROWS = 4, ALIGN = 64 };
static const double least_variance = 1e-18, most_variance = 1e18;

struct probe {
    struct check *c;
    float *x;  /* [ROWS][n_embd] embeddings */
    float *xn; /* [ROWS][n_embd] after a norm */
    float *q, *k, *v;
    float *gate, *up, *down;
    double least, most; /* rms over the layers */
};

static void multiply(const struct probe *p, const struct weight *w, const float *x, float *y)
{
    const struct kernels *kn = p->c->kn;
    size_t bytes = (kn->act_bytes(w->type, w->n_in, ROWS) / ALIGN + 1) * ALIGN;
    void *act = aligned_alloc(ALIGN, bytes);
    px_assert(act != NULL);
    kn->act_prepare(w->type, x, w->n_in, ROWS, act);
    kn->matmul(w, act, ROWS, y, w->n_out, 0, w->n_out);
    free(act);
}

static void add_bias(const struct probe *p, float *y, const float *bias, uint32_t n)
{
    for (uint32_t r = 0; bias && r < ROWS; r++)
        p->c->kn->add(y + (size_t)r * n, bias, n);
}

static void norm_rows(const struct probe *p, const float *weight, float *out)
{
    const struct model_config *cfg = &p->c->m->cfg;
    for (uint32_t r = 0; r < ROWS; r++)
        p->c->kn->rms_norm(p->x + (size_t)r * cfg->n_embd, weight, (float)cfg->rms_eps, cfg->n_embd,
                           out + (size_t)r * cfg->n_embd);
}

/* False (and the stage failed) when an output is not finite or does not vary sensibly. */
static bool is_sane(struct probe *p, enum check_index stage, uint32_t layer, const char *name,
                    const float *y, uint64_t n)
{
    struct spread s = spread_of(y, n);
    if (!s.is_finite) {
        check_failed(p->c, stage, "layer %u: %s is not finite", layer, name);
        return false;
    }
    if (s.variance < least_variance || s.variance > most_variance) {
        check_failed(p->c, stage, "layer %u: the variance of %s is %g, expected %g to %g", layer,
                     name, s.variance, least_variance, most_variance);
        return false;
    }
    p->least = s.rms < p->least ? s.rms : p->least;
    p->most = s.rms > p->most ? s.rms : p->most;
    return true;
}

static void project(struct probe *p, uint32_t layer)
{
    const struct model_layer *l = &p->c->m->layers[layer];
    norm_rows(p, l->attn_norm, p->xn);
    multiply(p, &l->q, p->xn, p->q);
    multiply(p, &l->k, p->xn, p->k);
    multiply(p, &l->v, p->xn, p->v);
    add_bias(p, p->q, l->q_bias, l->q.n_out);
    add_bias(p, p->k, l->k_bias, l->k.n_out);
    add_bias(p, p->v, l->v_bias, l->v.n_out);
}

static void check_projections(struct probe *p)
{
    const struct model_config *cfg = &p->c->m->cfg;
    uint32_t n_q = cfg->n_heads * cfg->head_dim, n_kv = cfg->n_kv_heads * cfg->head_dim;
    p->least = INFINITY;
    p->most = 0;
    for (uint32_t i = 0; i < cfg->n_layers; i++) {
        project(p, i);
        if (!is_sane(p, STAGE_PROJECTIONS, i, "q", p->q, (uint64_t)ROWS * n_q) ||
            !is_sane(p, STAGE_PROJECTIONS, i, "k", p->k, (uint64_t)ROWS * n_kv) ||
            !is_sane(p, STAGE_PROJECTIONS, i, "v", p->v, (uint64_t)ROWS * n_kv))
            return;
    }
    check_passed(p->c, STAGE_PROJECTIONS,
                 "%u layers: %u query heads and %u key-value heads of %u; rms %.4g to %.4g",
                 cfg->n_layers, cfg->n_heads, cfg->n_kv_heads, cfg->head_dim, p->least, p->most);
}

static void norm_heads(const struct probe *p, float *rows, uint32_t heads, const float *weight)
{
    const struct model_config *cfg = &p->c->m->cfg;
    for (uint32_t i = 0; weight && i < ROWS * heads; i++) {
        float *head = rows + (size_t)i * cfg->head_dim;
        p->c->kn->rms_norm(head, weight, (float)cfg->rms_eps, cfg->head_dim, head);
    }
}

/* Attention of the last row over all of them, for one head: probabilities that sum to 1. */
static double probability_sum(const struct probe *p, uint32_t head, double *entropy)
{
    const struct model_config *cfg = &p->c->m->cfg;
    uint32_t kv_head = head / (cfg->n_heads / cfg->n_kv_heads), d = cfg->head_dim;
    const float *q = p->q + ((size_t)(ROWS - 1) * cfg->n_heads + head) * d;
    float score[ROWS], e[ROWS];
    for (uint32_t r = 0; r < ROWS; r++) {
        const float *k = p->k + ((size_t)r * cfg->n_kv_heads + kv_head) * d;
        p->c->kn->dots_f32(q, k, 1, d, &score[r]);
        score[r] /= sqrtf((float)d);
    }
    float sum = p->c->kn->exp_blocks(score, p->c->kn->max(score, ROWS), e, ROWS);
    double total = 0;
    for (uint32_t r = 0; r < ROWS; r++) {
        double share = (double)e[r] / (double)sum;
        total += share;
        *entropy -= share > 0 ? share * det_log(share) : 0;
    }
    return total;
}

static void check_attention(struct probe *p)
{
    const struct model_config *cfg = &p->c->m->cfg;
    double entropy = 0;
    for (uint32_t i = 0; i < cfg->n_layers; i++) {
        project(p, i);
        norm_heads(p, p->q, cfg->n_heads, p->c->m->layers[i].q_norm);
        norm_heads(p, p->k, cfg->n_kv_heads, p->c->m->layers[i].k_norm);
        for (uint32_t h = 0; h < cfg->n_heads; h++) {
            double sum = probability_sum(p, h, &entropy);
            if (!(fabs(sum - 1) < 1e-5)) {
                check_failed(p->c, STAGE_ATTENTION,
                             "layer %u, head %u: attention probabilities sum to %g, expected 1", i,
                             h, sum);
                return;
            }
        }
    }
    check_passed(p->c, STAGE_ATTENTION,
                 "%u layers: probabilities sum to 1; mean entropy %.4g of at most %.4g",
                 cfg->n_layers, entropy / cfg->n_layers / cfg->n_heads, det_log(ROWS));
}

static void check_feed_forward(struct probe *p)
{
    const struct model_config *cfg = &p->c->m->cfg;
    p->least = INFINITY;
    p->most = 0;
    for (uint32_t i = 0; i < cfg->n_layers; i++) {
        const struct model_layer *l = &p->c->m->layers[i];
        norm_rows(p, l->ffn_norm, p->xn);
        multiply(p, &l->gate, p->xn, p->gate);
        multiply(p, &l->up, p->xn, p->up);
        p->c->kn->silu_mul(p->gate, p->up, p->gate, ROWS * cfg->n_ff);
        multiply(p, &l->down, p->gate, p->down);
        if (!is_sane(p, STAGE_FEED_FORWARD, i, "the output", p->down, (uint64_t)ROWS * cfg->n_embd))
            return;
    }
    check_passed(p->c, STAGE_FEED_FORWARD, "%u layers: %u wide; rms %.4g to %.4g", cfg->n_layers,
                 cfg->n_ff, p->least, p->most);
}

void check_layers(struct check *c)
{
    const struct model_config *cfg = &c->m->cfg;
    size_t embd = (size_t)ROWS * cfg->n_embd, ff = (size_t)ROWS * cfg->n_ff;
    size_t q = (size_t)ROWS * cfg->n_heads * cfg->head_dim;
    size_t kv = (size_t)ROWS * cfg->n_kv_heads * cfg->head_dim;
    PX_FREE float *arena = px_xcalloc(3 * embd + q + 2 * kv + 2 * ff, sizeof *arena);
    struct probe p = {.c = c, .x = arena};
    p.xn = p.x + embd;
    p.down = p.xn + embd;
    p.q = p.down + embd;
    p.k = p.q + q;
    p.v = p.k + kv;
    p.gate = p.v + kv;
    p.up = p.gate + ff;
    for (uint32_t r = 0; r < ROWS; r++)
        model_embed(c->m, (uint32_t)((uint64_t)r * cfg->n_vocab / ROWS),
                    p.x + (size_t)r * cfg->n_embd);
    check_projections(&p);
    check_attention(&p);
    check_feed_forward(&p);
}
