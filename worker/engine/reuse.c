/* reuse.c - the state of layer reuse of one sequence. */
#include "worker/engine/reuse.h"

#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"

enum { NOT_IN_SUBSET = UINT32_MAX };

struct reuse {
    uint32_t k;
    enum reuse_mode mode;
    enum reuse_kv kv;
    uint32_t n_embd;
    uint32_t n_kv; /* n_kv_heads * head_dim */
    uint32_t n_layers;
    uint32_t *slot; /* [n_layers] place in the subset, or NOT_IN_SUBSET */
    float *kept;    /* [subset][n_embd] delta or output; NULL for skip */
    float *kept_k;  /* [subset][n_kv]; NULL unless kv: copy */
    float *kept_v;
    uint32_t n_steps;
    bool refreshing;
    struct reuse_counters counters;
};

static bool means_nothing(const struct reuse_spec *s)
{
    return s->k <= 1 || s->n_layers == 0;
}

int reuse_check(const struct reuse_spec *s, uint32_t n_layers, struct px_err *err)
{
    for (uint32_t i = 0; i < s->n_layers; i++) {
        if (s->layers[i] >= n_layers)
            return px_fail(err, PX_EINPUT, "layer reuse: layer %u, but the model has 0 to %u",
                           s->layers[i], n_layers - 1);
        if (i && s->layers[i] <= s->layers[i - 1])
            return px_fail(err, PX_EINPUT, "layer reuse: layers must ascend (%u after %u)",
                           s->layers[i], s->layers[i - 1]);
    }
    if (means_nothing(s))
        return 0;
    if (s->mode != REUSE_DELTA && s->mode != REUSE_SKIP && s->mode != REUSE_OUTPUT)
        return px_fail(err, PX_EINPUT, "layer reuse: mode %d is none of delta, skip, output",
                       (int)s->mode);
    if (s->kv != REUSE_KV_PROJECT && s->kv != REUSE_KV_COPY)
        return px_fail(err, PX_EINPUT, "layer reuse: kv %d is neither project nor copy",
                       (int)s->kv);
    return 0;
}

uint64_t reuse_bytes(const struct reuse_spec *s, const struct model_config *c)
{
    if (means_nothing(s))
        return 0;
    uint64_t per_layer = s->mode == REUSE_SKIP ? 0 : c->n_embd;
    if (s->kv == REUSE_KV_COPY)
        per_layer += 2 * (uint64_t)c->n_kv_heads * c->head_dim;
    return s->n_layers * per_layer * sizeof(float) + c->n_layers * sizeof(uint32_t);
}

struct reuse *reuse_new(const struct reuse_spec *s, const struct model_config *c)
{
    if (means_nothing(s))
        return NULL;
    struct reuse *r = px_xcalloc(1, sizeof *r);
    r->k = s->k;
    r->mode = s->mode;
    r->kv = s->kv;
    r->n_embd = c->n_embd;
    r->n_kv = c->n_kv_heads * c->head_dim;
    r->n_layers = c->n_layers;
    r->slot = px_xmalloc(c->n_layers * sizeof *r->slot);
    for (uint32_t i = 0; i < c->n_layers; i++)
        r->slot[i] = NOT_IN_SUBSET;
    for (uint32_t i = 0; i < s->n_layers; i++)
        r->slot[s->layers[i]] = i;
    if (s->mode != REUSE_SKIP)
        r->kept = px_xcalloc((size_t)s->n_layers * r->n_embd, sizeof *r->kept);
    if (s->kv == REUSE_KV_COPY) {
        r->kept_k = px_xcalloc((size_t)s->n_layers * r->n_kv, sizeof *r->kept_k);
        r->kept_v = px_xcalloc((size_t)s->n_layers * r->n_kv, sizeof *r->kept_v);
    }
    return r;
}

void reuse_free(struct reuse **rp)
{
    struct reuse *r = *rp;
    if (r == NULL)
        return;
    free(r->slot);
    free(r->kept);
    free(r->kept_k);
    free(r->kept_v);
    free(r);
    *rp = NULL;
}

bool reuse_next_step(struct reuse *r)
{
    r->refreshing = r->n_steps++ % r->k == 0;
    r->counters.refresh_steps += r->refreshing;
    return r->refreshing;
}

bool reuse_is_reused(const struct reuse *r, uint32_t layer)
{
    return !r->refreshing && r->slot[layer] != NOT_IN_SUBSET;
}

bool reuse_is_kept(const struct reuse *r, uint32_t layer)
{
    return r->refreshing && r->slot[layer] != NOT_IN_SUBSET;
}

bool reuse_copies_kv(const struct reuse *r)
{
    return r->kv == REUSE_KV_COPY;
}

void reuse_keep(struct reuse *r, uint32_t layer, const float *x_in, const float *x_out)
{
    if (r->mode == REUSE_SKIP)
        return;
    float *kept = r->kept + (size_t)r->slot[layer] * r->n_embd;
    for (uint32_t i = 0; i < r->n_embd; i++)
        kept[i] = r->mode == REUSE_DELTA ? x_out[i] - x_in[i] : x_out[i];
}

void reuse_keep_kv(struct reuse *r, uint32_t layer, const float *k, const float *v)
{
    size_t at = (size_t)r->slot[layer] * r->n_kv;
    memcpy(r->kept_k + at, k, r->n_kv * sizeof *k);
    memcpy(r->kept_v + at, v, r->n_kv * sizeof *v);
}

const float *reuse_k(const struct reuse *r, uint32_t layer)
{
    return r->kept_k + (size_t)r->slot[layer] * r->n_kv;
}

const float *reuse_v(const struct reuse *r, uint32_t layer)
{
    return r->kept_v + (size_t)r->slot[layer] * r->n_kv;
}

void reuse_apply(struct reuse *r, uint32_t layer, float *x)
{
    const float *kept = r->kept + (r->kept ? (size_t)r->slot[layer] * r->n_embd : 0);
    if (r->mode == REUSE_DELTA)
        for (uint32_t i = 0; i < r->n_embd; i++)
            x[i] += kept[i];
    else if (r->mode == REUSE_OUTPUT)
        memcpy(x, kept, r->n_embd * sizeof *x);
    r->counters.reused_layer_steps++;
}

struct reuse_counters reuse_counters(const struct reuse *r)
{
    return r->counters;
}

int reuse_subset(const char *name, uint32_t size, uint32_t n_layers, uint32_t **layers, uint32_t *n,
                 struct px_err *err)
{
    if (n_layers < 2)
        return px_fail(err, PX_EINPUT, "layer reuse needs at least 2 layers, the model has %u",
                       n_layers);
    uint32_t s = size < n_layers - 1 ? size : n_layers - 1, from;
    if (strcmp(name, "first") == 0)
        from = 1;
    else if (strcmp(name, "middle") == 0)
        from = n_layers / 2 > s / 2 ? n_layers / 2 - s / 2 : 0;
    else if (strcmp(name, "last") == 0)
        from = n_layers - s;
    else
        return px_fail(err, PX_EUSAGE, "subset '%s' is none of first, middle, last", name);
    if (from + s > n_layers)
        from = n_layers - s;
    *layers = px_xmalloc((s ? s : 1) * sizeof **layers);
    for (uint32_t i = 0; i < s; i++)
        (*layers)[i] = from + i;
    *n = s;
    return 0;
}
