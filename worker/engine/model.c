/* model.c - binds the tensors of a GGUF file to their places in the transformer.
 *
 * model_config_read has already checked names, shapes and types against the architecture; what is
 * missing here is therefore an internal error with the tensor's name. */
#include "worker/engine/model.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/mem.h"
#include "worker/engine/panels.h"
#include "worker/engine/rope.h"

static const struct gguf_tensor *layer_tensor(const struct model *m, uint32_t layer,
                                              const char *name)
{
    char full[96];
    snprintf(full, sizeof full, "blk.%u.%s", layer, name);
    return gguf_tensor_find(m->gguf, full);
}

static int bind_matrix(const struct gguf_tensor *t, const char *name, uint32_t n_in, uint32_t n_out,
                       struct weight *w, struct px_err *err)
{
    if (t == NULL)
        return px_fail(err, PX_EINPUT, "tensor %s is missing", name);
    if (t->dims[0] != n_in || t->dims[1] != n_out)
        return px_fail(err, PX_EINPUT, "tensor %s is %llu x %llu, expected %u x %u", t->name,
                       (unsigned long long)t->dims[0], (unsigned long long)t->dims[1], n_in, n_out);
    if (t->in_panels && (uintptr_t)t->data % PANEL_VECTOR != 0)
        return px_fail(err, PX_EINPUT, "tensor %s: panels must begin at a multiple of %d bytes",
                       t->name, PANEL_VECTOR);
    *w = (struct weight){.type = t->type,
                         .data = t->data,
                         .n_in = n_in,
                         .n_out = n_out,
                         .layout = t->in_panels ? WEIGHT_PANELS : WEIGHT_ROWS};
    return 0;
}

/* Vectors are used as plain floats: F32 in place, other types and odd addresses as a copy. */
static int bind_vector(struct model *m, const struct gguf_tensor *t, const char *name, uint32_t n,
                       const float **out, struct px_err *err)
{
    if (t == NULL)
        return px_fail(err, PX_EINPUT, "tensor %s is missing", name);
    if (t->dims[0] != n || t->n_dims != 1)
        return px_fail(err, PX_EINPUT, "tensor %s has %llu values, expected %u", t->name,
                       (unsigned long long)t->dims[0], n);
    if (t->type == GGML_F32 && (uintptr_t)t->data % _Alignof(float) == 0) {
        *out = (const float *)t->data;
        return 0;
    }
    float *copy = px_xmalloc((size_t)n * sizeof *copy);
    dequantize(t->type, t->data, copy, n);
    PX_GROW(m->copies, m->n_copies, m->cap_copies);
    m->copies[m->n_copies++] = copy;
    *out = copy;
    return 0;
}

static int bind_layer_matrices(struct model *m, uint32_t i, struct px_err *err)
{
    const struct model_config *c = &m->cfg;
    struct model_layer *l = &m->layers[i];
    uint32_t q = c->n_heads * c->head_dim;
    uint32_t kv = c->n_kv_heads * c->head_dim;
    const struct {
        const char *name;
        uint32_t n_in, n_out;
        struct weight *w;
    } table[] = {
        {"attn_q.weight", c->n_embd, q, &l->q},
        {"attn_k.weight", c->n_embd, kv, &l->k},
        {"attn_v.weight", c->n_embd, kv, &l->v},
        {"attn_output.weight", q, c->n_embd, &l->o},
        {"ffn_gate.weight", c->n_embd, c->n_ff, &l->gate},
        {"ffn_up.weight", c->n_embd, c->n_ff, &l->up},
        {"ffn_down.weight", c->n_ff, c->n_embd, &l->down},
    };
    for (size_t j = 0; j < sizeof table / sizeof *table; j++)
        if (bind_matrix(layer_tensor(m, i, table[j].name), table[j].name, table[j].n_in,
                        table[j].n_out, table[j].w, err))
            return px_wrap(err, "layer %u", i);
    return 0;
}

static int bind_layer_vectors(struct model *m, uint32_t i, struct px_err *err)
{
    const struct model_config *c = &m->cfg;
    struct model_layer *l = &m->layers[i];
    uint32_t q = c->n_heads * c->head_dim;
    uint32_t kv = c->n_kv_heads * c->head_dim;
    const struct {
        const char *name;
        uint32_t n;
        bool wanted;
        const float **v;
    } table[] = {
        {"attn_norm.weight", c->n_embd, true, &l->attn_norm},
        {"ffn_norm.weight", c->n_embd, true, &l->ffn_norm},
        {"attn_q.bias", q, c->qkv_bias, &l->q_bias},
        {"attn_k.bias", kv, c->qkv_bias, &l->k_bias},
        {"attn_v.bias", kv, c->qkv_bias, &l->v_bias},
        {"attn_q_norm.weight", c->head_dim, c->qk_norm, &l->q_norm},
        {"attn_k_norm.weight", c->head_dim, c->qk_norm, &l->k_norm},
    };
    for (size_t j = 0; j < sizeof table / sizeof *table; j++)
        if (table[j].wanted && bind_vector(m, layer_tensor(m, i, table[j].name), table[j].name,
                                           table[j].n, table[j].v, err))
            return px_wrap(err, "layer %u", i);
    return 0;
}

/* rope_freqs.weight divides the frequencies (Llama 3.1). */
static int bind_rope(struct model *m, struct px_err *err)
{
    const struct model_config *c = &m->cfg;
    uint32_t half = c->rope_dims / 2;
    const float *factors = NULL;
    const struct gguf_tensor *t = gguf_tensor_find(m->gguf, "rope_freqs.weight");
    if (t && bind_vector(m, t, "rope_freqs.weight", half, &factors, err))
        return -1;
    for (uint32_t i = 0; factors && i < half; i++)
        if (!(factors[i] > 0))
            return px_fail(err, PX_EINPUT, "rope_freqs.weight: factor %u is %g, not positive", i,
                           (double)factors[i]);
    m->rope_freqs = px_xcalloc(half, sizeof *m->rope_freqs);
    rope_frequencies(c, factors, m->rope_freqs);
    m->rope_magnitude = rope_magnitude(c);
    return 0;
}

static int bind_all(struct model *m, struct px_err *err)
{
    const struct model_config *c = &m->cfg;
    const struct gguf_tensor *e = gguf_tensor_find(m->gguf, "token_embd.weight");
    const struct gguf_tensor *o = gguf_tensor_find(m->gguf, "output.weight");
    if (bind_matrix(e, "token_embd.weight", c->n_embd, c->n_vocab, &m->embd, err) ||
        bind_matrix(o ? o : e, "output.weight", c->n_embd, c->n_vocab, &m->output, err) ||
        bind_vector(m, gguf_tensor_find(m->gguf, "output_norm.weight"), "output_norm.weight",
                    c->n_embd, &m->output_norm, err))
        return -1;
    m->layers = px_xcalloc(c->n_layers, sizeof *m->layers);
    for (uint32_t i = 0; i < c->n_layers; i++)
        if (bind_layer_matrices(m, i, err) || bind_layer_vectors(m, i, err))
            return -1;
    return bind_rope(m, err);
}

struct model *model_from_gguf(struct gguf *g, struct px_err *err)
{
    struct model *m = px_xcalloc(1, sizeof *m);
    m->gguf = g;
    gguf_read_ahead(g);
    if (model_config_read(g, &m->cfg, err) || bind_all(m, err)) {
        px_wrap(err, "%s", gguf_path(g));
        model_free(&m);
        return NULL;
    }
    return m;
}

struct model *model_open(const char *path, struct px_err *err)
{
    struct gguf *g = gguf_open(path, err);
    return g ? model_from_gguf(g, err) : NULL;
}

void model_free(struct model **mp)
{
    struct model *m = *mp;
    if (m == NULL)
        return;
    for (uint32_t i = 0; i < m->n_copies; i++)
        free(m->copies[i]);
    free(m->copies);
    free(m->layers);
    free(m->rope_freqs);
    gguf_free(&m->gguf);
    free(m);
    *mp = NULL;
}

void model_embed(const struct model *m, uint32_t token, float *out)
{
    const struct ggml_type_info *t = ggml_type_info(m->embd.type);
    px_assert(token < m->embd.n_out);
    if (m->embd.layout == WEIGHT_PANELS) {
        panels_row(m->embd.type, m->embd.data, m->embd.n_in, token, out);
        return;
    }
    size_t row_bytes = (size_t)(m->embd.n_in / t->block) * t->bytes;
    dequantize(m->embd.type, (const char *)m->embd.data + token * row_bytes, out, m->embd.n_in);
}
