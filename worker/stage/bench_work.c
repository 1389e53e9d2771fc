/* bench_work.c - what a pass has to read and to compute, from the model's shape alone. */
#include <stdlib.h>

#include "proto/model/panel_layout.h"
#include "worker/engine/kv.h"
#include "worker/stage/bench.h"

enum { PER_LAYER = 7 };

uint64_t bench_weight_bytes(const struct weight *w)
{
    if (w->layout == WEIGHT_PANELS)
        return panels_bytes(w->type, w->n_in, w->n_out);
    const struct ggml_type_info *t = ggml_type_info(w->type);
    return (uint64_t)w->n_in / t->block * t->bytes * w->n_out;
}

uint32_t bench_n_weights(const struct model *m)
{
    return m->cfg.n_layers * PER_LAYER + 1;
}

const struct weight *bench_weight_at(const struct model *m, uint32_t i)
{
    if (i / PER_LAYER >= m->cfg.n_layers)
        return &m->output;
    const struct model_layer *l = &m->layers[i / PER_LAYER];
    const struct weight *const all[PER_LAYER] = {&l->q,    &l->k,  &l->v,   &l->o,
                                                 &l->gate, &l->up, &l->down};
    return all[i % PER_LAYER];
}

static void add_matrix(struct bench_work *w, const struct weight *matrix, uint32_t n)
{
    double ops = 2.0 * matrix->n_in * matrix->n_out * n;
    bool is_float =
        matrix->type == GGML_F32 || matrix->type == GGML_F16 || matrix->type == GGML_BF16;
    w->bytes += n ? (double)bench_weight_bytes(matrix) : 0;
    w->int8_ops += is_float ? 0 : ops;
    w->f32_ops += is_float ? ops : 0;
}

struct bench_work bench_pass_work(const struct model *m, enum kv_type kv, uint32_t n,
                                  uint32_t n_logits, uint64_t n_kv)
{
    struct bench_work w = {0};
    uint32_t last = bench_n_weights(m) - 1;
    for (uint32_t i = 0; i < last; i++)
        add_matrix(&w, bench_weight_at(m, i), n);
    add_matrix(&w, bench_weight_at(m, last), n_logits);
    w.bytes += (double)n_kv * (double)kv_page_bytes(&m->cfg, kv) / KV_PAGE;
    return w;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

double bench_median(double *v, uint32_t n)
{
    qsort(v, n, sizeof *v, by_value);
    return n % 2 ? v[n / 2] : 0.5 * (v[n / 2 - 1] + v[n / 2]);
}
