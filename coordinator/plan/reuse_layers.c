#include "coordinator/plan/reuse_layers.h"

#include <string.h>

#include "proto/mem.h"

static uint32_t first_layer(enum reuse_subset subset, uint32_t n, uint32_t size)
{
    if (subset == SUBSET_FIRST)
        return 1;
    if (subset == SUBSET_LAST)
        return n - size;
    return n / 2 - size / 2;
}

int reuse_layers_resolve(const struct reuse_settings *s, uint32_t n_layers, struct reuse_spec *out,
                         struct px_err *err)
{
    struct reuse_spec r = {.k = 1, .mode = REUSE_DELTA, .kv = REUSE_KV_PROJECT};
    bool listed = s->subset == SUBSET_LIST;
    if (s->k > 1 && s->subset != SUBSET_NONE && !(listed && s->n_list == 0)) {
        uint32_t size = listed ? s->n_list : s->size < n_layers ? s->size : n_layers - 1;
        for (uint32_t i = 0; listed && i < s->n_list; i++)
            if (s->list[i] >= n_layers)
                return px_fail(err, PX_EINPUT,
                               "reuse.subset names layer %u, the model has layers 0 to %u",
                               s->list[i], n_layers - 1);
        r.k = s->k;
        r.mode = s->mode;
        r.kv = s->kv;
        r.n_layers = size;
        r.layers = px_xmalloc(size * sizeof *r.layers);
        for (uint32_t i = 0; i < size; i++)
            r.layers[i] = listed ? s->list[i] : first_layer(s->subset, n_layers, size) + i;
    }
    *out = r;
    return 0;
}

double reuse_speedup_bound(const struct reuse_spec *r, uint32_t n_layers)
{
    if (r->k <= 1 || r->n_layers == 0 || n_layers == 0)
        return 1;
    return 1 / (1 - (double)r->n_layers / n_layers * (1 - 1.0 / r->k));
}
