/* bench_shapes.c - the kernels alone, on the matrices of a model.
 *
 * All matrices of one type and shape are multiplied one after another, by all threads, as they
 * lie in the file. Where they fit into the caches together, the figures may pass the limit of
 * reading from memory. */
#include <stdlib.h>

#include "proto/clock.h"
#include "proto/mem.h"
#include "proto/model/panel_layout.h"
#include "worker/engine/threads.h"
#include "worker/stage/bench.h"

enum { TASKS_PER_THREAD = 8, N_SIZES = 2 };
static const uint32_t SIZES[N_SIZES] = {1, 32};

struct run {
    const struct kernels *kn;
    struct threads *th;
    const struct model *m;
    const struct weight *w; /* the one being multiplied */
    uint32_t rows, per_task;
    float *x, *y;
    void *act;
};

static bool is_of(const struct bench_shape *s, const struct weight *w)
{
    return s->type == w->type && s->n_in == w->n_in && s->n_out == w->n_out &&
           s->is_panels == (w->layout == WEIGHT_PANELS);
}

/* The distinct shapes, N_SIZES entries for each. */
static uint32_t find_shapes(const struct model *m, struct bench_shape **out)
{
    struct bench_shape *list = NULL;
    uint32_t n = 0, cap = 0;
    for (uint32_t i = 0; i < bench_n_weights(m); i++) {
        const struct weight *w = bench_weight_at(m, i);
        uint32_t k = 0;
        while (k < n && !is_of(&list[k], w))
            k += N_SIZES;
        for (uint32_t j = 0; k == n && j < N_SIZES; j++) {
            PX_GROW(list, n + j, cap);
            list[n + j] = (struct bench_shape){.type = w->type,
                                               .is_panels = w->layout == WEIGHT_PANELS,
                                               .n_in = w->n_in,
                                               .n_out = w->n_out,
                                               .rows = SIZES[j]};
        }
        n = k == n ? n + N_SIZES : n;
        for (uint32_t j = 0; j < N_SIZES; j++)
            list[k + j].count++;
    }
    *out = list;
    return n;
}

static void multiply_task(void *arg, uint32_t task, uint32_t worker)
{
    const struct run *r = arg;
    uint32_t o0 = task * r->per_task, o1 = o0 + r->per_task, n = r->w->n_out;
    (void)worker;
    r->kn->matmul(r->w, r->act, r->rows, r->y, n, o0, o1 < n ? o1 : n);
}

static void multiply(struct run *r, const struct weight *w)
{
    uint32_t tasks = threads_count(r->th) * TASKS_PER_THREAD;
    uint32_t pairs =
        (w->n_out + 2 * PANEL_OUTPUTS - 1) / (2 * PANEL_OUTPUTS); /* as a pass has it */
    r->w = w;
    r->per_task = (pairs + tasks - 1) / tasks * 2 * PANEL_OUTPUTS;
    threads_run(r->th, (w->n_out + r->per_task - 1) / r->per_task, multiply_task, r);
}

static void multiply_all(struct run *r, const struct bench_shape *s)
{
    for (uint32_t i = 0; i < bench_n_weights(r->m); i++)
        if (is_of(s, bench_weight_at(r->m, i)))
            multiply(r, bench_weight_at(r->m, i));
}

static void add_work(struct bench_shape *s, const struct weight *w)
{
    bool is_float = s->type == GGML_F32 || s->type == GGML_F16 || s->type == GGML_BF16;
    double ops = 2.0 * s->n_in * s->n_out * s->rows * s->count;
    s->work.bytes = (double)bench_weight_bytes(w) * s->count;
    s->work.int8_ops = is_float ? 0 : ops;
    s->work.f32_ops = is_float ? ops : 0;
}

static void measure(struct run *r, struct bench_shape *s, uint32_t rounds)
{
    double v[BENCH_ROUNDS];
    size_t n_x = (size_t)s->rows * s->n_in;
    r->rows = s->rows;
    r->x = px_xcalloc(n_x, sizeof *r->x);
    r->y = px_xcalloc((size_t)s->rows * s->n_out, sizeof *r->y);
    for (size_t i = 0; i < n_x; i++)
        r->x[i] = (float)((uint32_t)i * 2654435761u >> 20) / 2048.0f - 1.0f;
    size_t bytes = (r->kn->act_bytes(s->type, s->n_in, s->rows) + 63) / 64 * 64;
    r->act = aligned_alloc(64, bytes);
    px_assert(r->act != NULL);
    r->kn->act_prepare(s->type, r->x, s->n_in, s->rows, r->act);
    multiply_all(r, s); /* pages come in */
    for (uint32_t i = 0; i < rounds; i++) {
        int64_t start = clk_now_us();
        multiply_all(r, s);
        v[i] = (double)(clk_now_us() - start) * 1e-6;
    }
    s->s = bench_median(v, rounds);
    free(r->x);
    free(r->y);
    free(r->act);
}

int bench_shapes(const struct model *m, const struct bench_options *o, struct bench_shape **out,
                 uint32_t *n, struct px_err *err)
{
    struct run r = {.kn = kernels_choose(o->isa, err), .m = m};
    if (r.kn == NULL)
        return -1;
    r.th = threads_new(o->threads);
    *n = find_shapes(m, out);
    for (uint32_t i = 0; i < *n; i++) {
        struct bench_shape *s = &(*out)[i];
        uint32_t k = 0;
        while (!is_of(s, bench_weight_at(m, k)))
            k++;
        add_work(s, bench_weight_at(m, k));
        measure(&r, s, o->rounds);
    }
    threads_free(&r.th);
    return 0;
}
