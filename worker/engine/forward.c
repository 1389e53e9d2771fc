/* forward.c - the transformer, layer by layer over a batch of rows.
 *
 * Theory of operation. A layer's work is a sequence of regions: row regions (norms, rounding of
 * activations, rotation, residuals) hand blocks of rows to the threads, matrix regions hand out
 * ranges of outputs, attention hands out (rows that share pages, kv head). Each value is computed
 * by one task from start to end, so the split never shows in the bits. In a layer some rows may be
 * reused instead of computed (reuse.h); the computed ones are compacted through `rows_of`. In the
 * last layer rows without logits end with their keys and values. */
#include "worker/engine/forward.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "proto/mem.h"
#include "worker/engine/attention.h"
#include "worker/engine/rope.h"

enum {
    ALIGN = 64,
    N_ACTS = 3,             /* inputs of one matrix region that may differ in form: q, k, v */
    SMALL_ROWS = 1 << 14,   /* values below which a row region is not worth waking threads */
    SMALL_MATMUL = 1 << 16, /* multiplications below which matrices and attention are not */
    OUTPUTS_PER_TASK = 32,  /* a matrix task has a multiple of so many outputs: two panels */
    MOST_ROUNDS = 6,        /* of matrix tasks, each half as big as the one before */
    TASKS_PER_THREAD = 4
};

struct forward {
    const struct model *m;
    const struct model_config *c;
    const struct kernels *kn;
    struct threads *th;
    struct kv_pool *kv;
    uint32_t max_rows, max_logits, max_positions, n_threads;
    uint32_t n_q, n_kv; /* widths of a row of queries, of keys */
    size_t act_stride_max;

    char *arena; /* everything below */
    size_t arena_bytes;
    float *x;           /* [rows][n_embd] the residual stream, by row of the batch */
    float *cos, *sin;   /* [rows][rope_dims/2] */
    float *x_in;        /* [rows][n_embd] input of a layer whose results are kept */
    float *xn, *proj;   /* [rows][n_embd] compact from here on */
    float *q, *att;     /* [rows][n_q] */
    float *k, *v;       /* [rows][n_kv] */
    float *gate, *up;   /* [rows][n_ff] */
    char *acts[N_ACTS]; /* [rows] prepared activations */
    float *scratch;     /* [threads] attention */
    float *logits;      /* [max_logits][n_vocab] */
    uint32_t *rows_of;  /* compact index -> row of the batch */
    uint32_t *reused;   /* rows that this layer reuses */
    uint32_t *wanted;   /* rows that want logits */
    uint32_t n_wanted;

    struct attention_plan plan; /* its rows and tiles are in the arena */
    bool is_planned;            /* plan is that of a layer that computes all rows of this pass */

    const struct forward_row *rows; /* of the present pass */
    uint32_t n_rows;
    const struct model_layer *layer;
    uint32_t layer_index;
    uint32_t n_computed;
};

/* ---- memory: one arena, laid out twice (to measure, then to place) ---- */

static void *place(char *base, size_t *used, size_t bytes)
{
    void *p = base ? base + *used : NULL;
    *used += (bytes + ALIGN - 1) & ~(size_t)(ALIGN - 1);
    return p;
}

static size_t widest_act(const struct model *m, const struct kernels *kn)
{
    size_t widest = kn->act_bytes(m->output.type, m->output.n_in, 1);
    for (uint32_t i = 0; i < m->cfg.n_layers; i++) {
        const struct model_layer *l = &m->layers[i];
        const struct weight *all[] = {&l->q, &l->k, &l->v, &l->o, &l->gate, &l->up, &l->down};
        for (size_t j = 0; j < sizeof all / sizeof *all; j++) {
            size_t bytes = kn->act_bytes(all[j]->type, all[j]->n_in, 1);
            widest = bytes > widest ? bytes : widest;
        }
    }
    return widest;
}

static size_t lay_out(struct forward *f, char *base)
{
    const struct model_config *c = f->c;
    size_t used = 0, rows = f->max_rows, values = sizeof(float);
    size_t embd = rows * c->n_embd * values, half = rows * (c->rope_dims / 2) * values;
    f->x = place(base, &used, embd);
    f->cos = place(base, &used, half);
    f->sin = place(base, &used, half);
    f->x_in = place(base, &used, embd);
    f->xn = place(base, &used, embd);
    f->proj = place(base, &used, embd);
    f->q = place(base, &used, rows * f->n_q * values);
    f->att = place(base, &used, rows * f->n_q * values);
    f->k = place(base, &used, rows * f->n_kv * values);
    f->v = place(base, &used, rows * f->n_kv * values);
    f->gate = place(base, &used, rows * c->n_ff * values);
    f->up = place(base, &used, rows * c->n_ff * values);
    for (int i = 0; i < N_ACTS; i++)
        f->acts[i] = place(base, &used, rows * f->act_stride_max);
    f->scratch = place(base, &used, f->n_threads * attention_scratch(c, f->max_positions) * values);
    f->logits = place(base, &used, (size_t)f->max_logits * c->n_vocab * values);
    f->rows_of = place(base, &used, rows * sizeof *f->rows_of);
    f->reused = place(base, &used, rows * sizeof *f->reused);
    f->wanted = place(base, &used, rows * sizeof *f->wanted);
    f->plan.rows = place(base, &used, rows * sizeof *f->plan.rows);
    f->plan.tiles = place(base, &used, rows * sizeof *f->plan.tiles);
    return used;
}

static void set_shape(struct forward *f, const struct model *m, const struct kernels *kn,
                      uint32_t max_rows, uint32_t max_logits, uint32_t max_positions,
                      uint32_t n_threads)
{
    *f = (struct forward){.m = m,
                          .c = &m->cfg,
                          .kn = kn,
                          .max_rows = max_rows,
                          .max_logits = max_logits,
                          .max_positions = max_positions,
                          .n_threads = n_threads,
                          .n_q = m->cfg.n_heads * m->cfg.head_dim,
                          .n_kv = m->cfg.n_kv_heads * m->cfg.head_dim,
                          .act_stride_max = widest_act(m, kn)};
}

uint64_t forward_bytes(const struct model *m, const struct kernels *kn, uint32_t max_rows,
                       uint32_t max_logits, uint32_t max_positions, uint32_t n_threads)
{
    struct forward f;
    set_shape(&f, m, kn, max_rows, max_logits, max_positions, n_threads);
    return lay_out(&f, NULL);
}

struct forward *forward_new(const struct model *m, const struct kernels *kn, struct threads *th,
                            struct kv_pool *kv, uint32_t max_rows, uint32_t max_logits,
                            uint32_t max_positions, struct px_err *err)
{
    struct forward *f = px_xcalloc(1, sizeof *f);
    set_shape(f, m, kn, max_rows, max_logits, max_positions, threads_count(th));
    f->th = th;
    f->kv = kv;
    f->arena_bytes = lay_out(f, NULL);
    f->arena = mmap(NULL, f->arena_bytes, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (f->arena == MAP_FAILED) {
        px_fail_errno(err, "cannot reserve %zu bytes for activations", f->arena_bytes);
        free(f);
        return NULL;
    }
    lay_out(f, f->arena);
    return f;
}

void forward_free(struct forward **fp)
{
    struct forward *f = *fp;
    if (f == NULL)
        return;
    munmap(f->arena, f->arena_bytes);
    free(f);
    *fp = NULL;
}

/* ---- regions ---- */

struct row_region {
    struct forward *f;
    void (*fn)(struct forward *f, uint32_t i);
    uint32_t n, per_task;
};

static void row_task(void *arg, uint32_t task, uint32_t worker)
{
    struct row_region *r = arg;
    uint32_t end = (task + 1) * r->per_task;
    (void)worker;
    for (uint32_t i = task * r->per_task; i < r->n && i < end; i++)
        r->fn(r->f, i);
}

/* fn for i < n; `width` values are touched per row, roughly. */
static void for_rows(struct forward *f, uint32_t n, uint32_t width,
                     void (*fn)(struct forward *f, uint32_t i))
{
    uint32_t tasks = (uint64_t)n * width < SMALL_ROWS ? 1 : f->n_threads * TASKS_PER_THREAD;
    struct row_region r = {.f = f, .fn = fn, .n = n, .per_task = (n + tasks - 1) / tasks};
    if (n)
        threads_run(f->th, (n + r.per_task - 1) / r.per_task, row_task, &r);
}

struct product {
    const struct weight *w;
    const void *act;
    float *y; /* [rows][n_out] */
};

/* The outputs of all products in a line, in steps of OUTPUTS_PER_TASK, cut into `rounds` + 1
 * rounds of one task per thread. The first round has half of the steps, each of the others half of
 * what the one before has, the last as much as the one before: long stretches of weights to read,
 * and little left to wait for at the end. */
struct product_region {
    const struct forward *f;
    const struct product *p;
    uint32_t rows, n_threads, rounds;
    uint64_t steps;
};

static uint32_t steps_of(const struct weight *w)
{
    return w->n_out / OUTPUTS_PER_TASK + (w->n_out % OUTPUTS_PER_TASK != 0);
}

/* The first step of a task; of the one after the last: the end. */
static uint64_t first_step(const struct product_region *r, uint32_t task)
{
    uint64_t whole = (uint64_t)r->n_threads << r->rounds, of_round = task % r->n_threads;
    uint32_t round = task / r->n_threads, halved = round < r->rounds ? round + 1 : r->rounds;
    uint64_t before = whole - (whole >> round);
    if (round > r->rounds)
        return r->steps;
    return r->steps * (before + (of_round << (r->rounds - halved))) / whole;
}

static void product_task(void *arg, uint32_t task, uint32_t worker)
{
    const struct product_region *r = arg;
    uint64_t step = first_step(r, task), end = first_step(r, task + 1);
    (void)worker;
    for (const struct product *p = r->p; step < end; p++) {
        uint64_t n = steps_of(p->w);
        if (step < n) {
            uint64_t o1 = (end < n ? end : n) * OUTPUTS_PER_TASK;
            r->f->kn->matmul(p->w, p->act, r->rows, p->y, p->w->n_out,
                             (uint32_t)step * OUTPUTS_PER_TASK,
                             o1 < p->w->n_out ? (uint32_t)o1 : p->w->n_out);
        }
        step = step > n ? step - n : 0;
        end = end > n ? end - n : 0;
    }
}

/* Up to three matrices times the same rows, as one region. */
static void multiply(struct forward *f, const struct product *p, uint32_t n, uint32_t rows)
{
    struct product_region r = {.f = f, .p = p, .rows = rows, .n_threads = f->n_threads};
    uint64_t work = 0;
    for (uint32_t i = 0; i < n; i++) {
        r.steps += steps_of(p[i].w);
        work += (uint64_t)p[i].w->n_out * p[i].w->n_in * rows;
    }
    if (work < SMALL_MATMUL)
        r.n_threads = 1;
    while (r.n_threads > 1 && r.rounds < MOST_ROUNDS &&
           (uint64_t)r.n_threads << (r.rounds + 1) <= r.steps)
        r.rounds++;
    if (rows)
        threads_run(f->th, (r.rounds + 1) * r.n_threads, product_task, &r);
}

/* Which of the prepared inputs matrix j of a region reads: matrices of one type share one. */
static uint32_t act_slot(const struct weight *const *ws, uint32_t j)
{
    for (uint32_t i = 0; i < j; i++)
        if (ws[i]->type == ws[j]->type)
            return i;
    return j;
}

static char *act_row(const struct forward *f, const struct weight *w, uint32_t slot, uint32_t i)
{
    return f->acts[slot] + i * f->kn->act_bytes(w->type, w->n_in, 1);
}

static void prepare_row(struct forward *f, const struct weight *const *ws, uint32_t n,
                        const float *x, uint32_t i)
{
    for (uint32_t j = 0; j < n; j++)
        if (act_slot(ws, j) == j)
            f->kn->act_prepare(ws[j]->type, x, ws[j]->n_in, 1, act_row(f, ws[j], j, i));
}

static void multiply_prepared(struct forward *f, const struct weight *const *ws, float *const *ys,
                              uint32_t n, uint32_t rows)
{
    struct product p[N_ACTS];
    for (uint32_t j = 0; j < n; j++)
        p[j] = (struct product){.w = ws[j], .act = f->acts[act_slot(ws, j)], .y = ys[j]};
    multiply(f, p, n, rows);
}

/* ---- what happens to one row, in order ---- */

static float *stream(const struct forward *f, uint32_t row)
{
    return f->x + (size_t)row * f->c->n_embd;
}

static void embed_row(struct forward *f, uint32_t i)
{
    uint32_t half = f->c->rope_dims / 2;
    model_embed(f->m, f->rows[i].token, stream(f, i));
    rope_angles(f->m->rope_freqs, half, f->m->rope_magnitude, f->rows[i].pos,
                f->cos + (size_t)i * half, f->sin + (size_t)i * half);
}

static bool is_kept(const struct forward *f, const struct forward_row *r)
{
    return r->reuse && reuse_is_kept(r->reuse, f->layer_index);
}

static void attn_input(struct forward *f, uint32_t i)
{
    const struct model_layer *l = f->layer;
    const struct weight *ws[] = {&l->q, &l->k, &l->v};
    const float *x = stream(f, f->rows_of[i]);
    float *xn = f->xn + (size_t)i * f->c->n_embd;
    if (is_kept(f, &f->rows[f->rows_of[i]]))
        memcpy(f->x_in + (size_t)i * f->c->n_embd, x, f->c->n_embd * sizeof *x);
    f->kn->rms_norm(x, l->attn_norm, (float)f->c->rms_eps, f->c->n_embd, xn);
    prepare_row(f, ws, 3, xn, i);
}

static void norm_heads(const struct forward *f, const float *w, uint32_t n_heads, float *x)
{
    for (uint32_t h = 0; w && h < n_heads; h++, x += f->c->head_dim)
        f->kn->rms_norm(x, w, (float)f->c->rms_eps, f->c->head_dim, x);
}

/* Keys and values of a row as projected: bias, norm, rotation, into the page. */
static void finish_kv(struct forward *f, uint32_t i)
{
    const struct model_layer *l = f->layer;
    uint32_t row = f->rows_of[i], half = f->c->rope_dims / 2;
    const struct forward_row *r = &f->rows[row];
    float *k = f->k + (size_t)i * f->n_kv, *v = f->v + (size_t)i * f->n_kv;
    if (l->k_bias)
        f->kn->add(k, l->k_bias, f->n_kv);
    if (l->v_bias)
        f->kn->add(v, l->v_bias, f->n_kv);
    norm_heads(f, l->k_norm, f->c->n_kv_heads, k);
    if (is_kept(f, r) && reuse_copies_kv(r->reuse))
        reuse_keep_kv(r->reuse, f->layer_index, k, v);
    rope_rotate(f->c, f->cos + (size_t)row * half, f->sin + (size_t)row * half, f->c->n_kv_heads,
                k);
    kv_store(f->kv, f->kn, r->seq, f->layer_index, r->pos, k, v);
}

static void finish_qkv(struct forward *f, uint32_t i)
{
    const struct model_layer *l = f->layer;
    uint32_t row = f->rows_of[i], half = f->c->rope_dims / 2;
    float *q = f->q + (size_t)i * f->n_q;
    if (l->q_bias)
        f->kn->add(q, l->q_bias, f->n_q);
    norm_heads(f, l->q_norm, f->c->n_heads, q);
    rope_rotate(f->c, f->cos + (size_t)row * half, f->sin + (size_t)row * half, f->c->n_heads, q);
    finish_kv(f, i);
}

struct attention_region {
    struct attention a;
    float *scratch;
    size_t scratch_floats; /* of each thread */
};

static void attend_task(void *arg, uint32_t task, uint32_t worker)
{
    const struct attention_region *r = arg;
    attention_task(&r->a, task, r->scratch + worker * r->scratch_floats);
}

/* Of the n computed rows. One plan does for all layers that compute all rows. */
static void plan_attention(struct forward *f, uint32_t n, uint32_t n_threads)
{
    bool is_all = n == f->n_rows;
    if (is_all && f->is_planned)
        return;
    for (uint32_t i = 0; i < n; i++) {
        const struct forward_row *r = &f->rows[f->rows_of[i]];
        f->plan.rows[i] = (struct attention_row){.seq = r->seq, .pos = r->pos, .index = i};
    }
    attention_plan(&f->plan, f->c, f->max_positions, n, n_threads);
    f->is_planned = is_all;
}

static void attend(struct forward *f, uint32_t n)
{
    uint64_t work = 0;
    for (uint32_t i = 0; i < n; i++)
        work += (uint64_t)(f->rows[f->rows_of[i]].pos + 1) * f->n_q * 2;
    bool is_small = work < SMALL_MATMUL;
    plan_attention(f, n, is_small ? 1 : f->n_threads);
    struct attention_region r = {
        .a = {.c = f->c,
              .kn = f->kn,
              .kv = f->kv,
              .plan = &f->plan,
              .layer = f->layer_index,
              .window = model_window(f->c, f->layer_index),
              .q = f->q,
              .out = f->att},
        .scratch = f->scratch,
        .scratch_floats = attention_scratch(f->c, f->max_positions),
    };
    uint32_t tasks = attention_tasks(&f->plan, f->c);
    if (is_small)
        for (uint32_t i = 0; i < tasks; i++)
            attend_task(&r, i, 0);
    else
        threads_run(f->th, tasks, attend_task, &r);
}

static void attn_output_input(struct forward *f, uint32_t i)
{
    const struct weight *ws[] = {&f->layer->o};
    prepare_row(f, ws, 1, f->att + (size_t)i * f->n_q, i);
}

static void ffn_input(struct forward *f, uint32_t i)
{
    const struct model_layer *l = f->layer;
    const struct weight *ws[] = {&l->gate, &l->up};
    float *x = stream(f, f->rows_of[i]), *xn = f->xn + (size_t)i * f->c->n_embd;
    f->kn->add(x, f->proj + (size_t)i * f->c->n_embd, f->c->n_embd);
    f->kn->rms_norm(x, l->ffn_norm, (float)f->c->rms_eps, f->c->n_embd, xn);
    prepare_row(f, ws, 2, xn, i);
}

static void ffn_down_input(struct forward *f, uint32_t i)
{
    const struct weight *ws[] = {&f->layer->down};
    float *gate = f->gate + (size_t)i * f->c->n_ff;
    f->kn->silu_mul(gate, f->up + (size_t)i * f->c->n_ff, gate, f->c->n_ff);
    prepare_row(f, ws, 1, gate, i);
}

static void finish_layer(struct forward *f, uint32_t i)
{
    const struct forward_row *r = &f->rows[f->rows_of[i]];
    float *x = stream(f, f->rows_of[i]);
    f->kn->add(x, f->proj + (size_t)i * f->c->n_embd, f->c->n_embd);
    if (is_kept(f, r))
        reuse_keep(r->reuse, f->layer_index, f->x_in + (size_t)i * f->c->n_embd, x);
}

/* ---- layers ---- */

static void run_computed(struct forward *f, uint32_t n)
{
    const struct model_config *c = f->c;
    const struct model_layer *l = f->layer;
    const struct weight *qkv[] = {&l->q, &l->k, &l->v}, *o[] = {&l->o};
    const struct weight *gate_up[] = {&l->gate, &l->up}, *down[] = {&l->down};
    for_rows(f, n, 4 * c->n_embd, attn_input);
    multiply_prepared(f, qkv, (float *[]){f->q, f->k, f->v}, 3, n);
    for_rows(f, n, 2 * f->n_q, finish_qkv);
    attend(f, n);
    for_rows(f, n, f->n_q, attn_output_input);
    multiply_prepared(f, o, (float *[]){f->proj}, 1, n);
    for_rows(f, n, 4 * c->n_embd, ffn_input);
    multiply_prepared(f, gate_up, (float *[]){f->gate, f->up}, 2, n);
    for_rows(f, n, 4 * c->n_ff, ffn_down_input);
    multiply_prepared(f, down, (float *[]){f->proj}, 1, n);
    for_rows(f, n, c->n_embd, finish_layer);
}

/* The rows' keys and values come from what reaches this layer now. */
static void project_kv_input(struct forward *f, uint32_t i)
{
    const struct weight *ws[] = {&f->layer->k, &f->layer->v};
    float *xn = f->xn + (size_t)i * f->c->n_embd;
    f->kn->rms_norm(stream(f, f->rows_of[i]), f->layer->attn_norm, (float)f->c->rms_eps,
                    f->c->n_embd, xn);
    prepare_row(f, ws, 2, xn, i);
}

static void copy_kv(struct forward *f, uint32_t row)
{
    const struct forward_row *r = &f->rows[row];
    uint32_t half = f->c->rope_dims / 2;
    float *k = f->k; /* reused rows are finished one after another */
    memcpy(k, reuse_k(r->reuse, f->layer_index), f->n_kv * sizeof *k);
    rope_rotate(f->c, f->cos + (size_t)row * half, f->sin + (size_t)row * half, f->c->n_kv_heads,
                k);
    kv_store(f->kv, f->kn, r->seq, f->layer_index, r->pos, k, reuse_v(r->reuse, f->layer_index));
}

/* Of the first n rows of rows_of, keys and values alone. */
static void project_kv(struct forward *f, uint32_t n)
{
    const struct weight *kv[] = {&f->layer->k, &f->layer->v};
    for_rows(f, n, 4 * f->c->n_embd, project_kv_input);
    multiply_prepared(f, kv, (float *[]){f->k, f->v}, 2, n);
    for_rows(f, n, 2 * f->n_kv, finish_kv);
}

static void run_reused(struct forward *f, uint32_t n)
{
    uint32_t n_project = 0;
    for (uint32_t i = 0; i < n; i++) {
        if (reuse_copies_kv(f->rows[f->reused[i]].reuse))
            copy_kv(f, f->reused[i]);
        else
            f->rows_of[n_project++] = f->reused[i];
    }
    project_kv(f, n_project);
    for (uint32_t i = 0; i < n; i++)
        reuse_apply(f->rows[f->reused[i]].reuse, f->layer_index, stream(f, f->reused[i]));
}

/* Nobody reads what the last layer makes of a row without logits, but for its keys and values. */
static bool ends_in_kv(const struct forward *f, const struct forward_row *r)
{
    return f->layer_index + 1 == f->c->n_layers && !r->wants_logits && r->reuse == NULL;
}

static void run_kv_only(struct forward *f)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < f->n_rows; i++)
        if (ends_in_kv(f, &f->rows[i]))
            f->rows_of[n++] = i;
    project_kv(f, n);
}

static void run_layer(struct forward *f, uint32_t layer)
{
    uint32_t n_reused = 0, n_computed = 0;
    f->layer = &f->m->layers[layer];
    f->layer_index = layer;
    if (layer + 1 == f->c->n_layers)
        run_kv_only(f);
    for (uint32_t i = 0; i < f->n_rows; i++) {
        if (f->rows[i].reuse && reuse_is_reused(f->rows[i].reuse, layer))
            f->reused[n_reused++] = i;
        else if (!ends_in_kv(f, &f->rows[i]))
            f->rows_of[n_computed++] = i;
    }
    if (n_computed)
        run_computed(f, n_computed);
    if (n_reused)
        run_reused(f, n_reused);
}

static void output_input(struct forward *f, uint32_t i)
{
    const struct weight *ws[] = {&f->m->output};
    float *xn = f->xn + (size_t)i * f->c->n_embd;
    f->kn->rms_norm(stream(f, f->rows_of[i]), f->m->output_norm, (float)f->c->rms_eps, f->c->n_embd,
                    xn);
    prepare_row(f, ws, 1, xn, i);
}

uint32_t forward_pass(struct forward *f, const struct forward_row *rows, uint32_t n)
{
    px_assert(n >= 1 && n <= f->max_rows);
    f->rows = rows;
    f->n_rows = n;
    f->n_wanted = 0;
    f->is_planned = false;
    for (uint32_t i = 0; i < n; i++)
        px_assert(rows[i].pos < f->max_positions && rows[i].token < f->c->n_vocab);
    for_rows(f, n, 4 * f->c->n_embd, embed_row);
    for (uint32_t layer = 0; layer < f->c->n_layers; layer++)
        run_layer(f, layer);
    for (uint32_t i = 0; i < n; i++)
        if (rows[i].wants_logits)
            f->wanted[f->n_wanted++] = i;
    return f->n_wanted;
}

const float *forward_logits(struct forward *f, uint32_t first, uint32_t n)
{
    const struct weight *out[] = {&f->m->output};
    px_assert(n <= f->max_logits && first + n <= f->n_wanted);
    memcpy(f->rows_of, f->wanted + first, n * sizeof *f->rows_of);
    for_rows(f, n, 4 * f->c->n_embd, output_input);
    multiply_prepared(f, out, (float *[]){f->logits}, 1, n);
    return f->logits;
}

const float *forward_run(struct forward *f, const struct forward_row *rows, uint32_t n)
{
    return forward_logits(f, 0, forward_pass(f, rows, n));
}
