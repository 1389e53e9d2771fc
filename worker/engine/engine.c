/* engine.c - admission, batches and memory of the continuous batching engine. */
#include "worker/engine/engine.h"

#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/mem.h"
#include "worker/engine/admission.h"
#include "worker/engine/batch.h"
#include "worker/engine/forward.h"
#include "worker/engine/pace.h"
#include "worker/engine/prefix_tree.h"
#include "worker/engine/slot.h"

enum {
    DEFAULT_ROWS = 32,
    MAX_ROWS = 4096,
    DEFAULT_BATCH = 512,
    MAX_BATCH = 4096,
    LOGITS = 32,      /* rows that go through the output matrix together, at least */
    LOGITS_SHARE = 16 /* more, as long as they take at most this part of the budget */
};

/* A row with logits, and what they say. */
struct row_logits {
    const struct row_use *use;
    struct slot_reading reading;
};

struct engine {
    const struct model *m;
    const struct tokenizer *tok;
    const struct kernels *kn;
    struct threads *th;
    struct kv_pool *kv;
    struct prefix_tree *tree;
    bool has_cache;
    struct forward *fwd;
    uint64_t page_bytes;
    uint32_t max_rows, max_batch, max_logits;

    struct slot *slots;           /* [max_rows] */
    struct slot **running;        /* [max_rows] of the present pass, in order of beginning */
    struct candidate *candidates; /* [max_rows] of the present admission */
    struct batch batch;
    struct pace pace;
    struct row_logits *read; /* [max_logits] */
    const float *logits;     /* of read[0] and those after it */
    uint32_t pages_promised; /* sum of n_private over running slots */
    bool may_admit;          /* units or pages came since the last admission */
    uint64_t arrivals, starts, endings;
    struct engine_counters counters;
};

/* ---- memory ---- */

/* Rows whose logits are there at once: the more, the less often the output matrix is read. */
static uint32_t choose_logits(const struct engine *e, const struct engine_config *cfg)
{
    uint64_t row = (uint64_t)e->m->cfg.n_vocab * sizeof(float);
    uint64_t n = (uint64_t)cfg->memory_budget / LOGITS_SHARE / row;
    n = n > LOGITS ? n : LOGITS;
    return n < e->max_batch ? (uint32_t)n : e->max_batch;
}

/* The largest batch whose activations take at most half of the budget, at least one row. */
static uint64_t choose_batch(struct engine *e, const struct engine_config *cfg)
{
    uint32_t rows = cfg->max_rows ? cfg->max_rows : DEFAULT_ROWS;
    uint32_t batch = rows > DEFAULT_BATCH ? rows : DEFAULT_BATCH;
    for (batch = cfg->max_batch ? cfg->max_batch : batch;; batch /= 2) {
        e->max_batch = batch;
        e->max_rows = rows < batch ? rows : batch;
        e->max_logits = choose_logits(e, cfg);
        uint64_t bytes = forward_bytes(e->m, e->kn, batch, e->max_logits, e->m->cfg.context_length,
                                       threads_count(e->th));
        if (batch == 1 || bytes <= (uint64_t)cfg->memory_budget / 2)
            return bytes;
    }
}

static uint64_t pages_within(const struct engine *e, int64_t bytes)
{
    uint64_t pages = bytes > 0 ? (uint64_t)bytes / e->page_bytes : 0;
    uint64_t useful = (uint64_t)e->max_rows * 2 * kv_pages_for(e->m->cfg.context_length);
    return pages < useful ? pages : useful;
}

static int make_memory(struct engine *e, const struct engine_config *cfg, struct px_err *err)
{
    uint64_t activations = choose_batch(e, cfg);
    uint64_t pages = pages_within(e, cfg->memory_budget - (int64_t)activations);
    if (pages == 0)
        return px_fail(err, PX_ELIMIT,
                       "the engine needs %llu bytes for activations and %llu for a page of %d "
                       "positions of keys and values, its budget is %lld bytes",
                       (unsigned long long)activations, (unsigned long long)e->page_bytes, KV_PAGE,
                       (long long)cfg->memory_budget);
    if (pages > UINT32_MAX)
        pages = UINT32_MAX;
    e->kv = kv_pool_new(&e->m->cfg, cfg->kv, (uint32_t)pages, err);
    if (e->kv == NULL)
        return -1;
    e->tree = prefix_tree_new(e->kv);
    e->has_cache = !cfg->no_prefix_cache;
    e->fwd = forward_new(e->m, e->kn, e->th, e->kv, e->max_batch, e->max_logits,
                         e->m->cfg.context_length, err);
    return e->fwd ? 0 : -1;
}

static int check_config(const struct model_config *c, const struct engine_config *cfg,
                        struct px_err *err)
{
    if (model_kv_check(c, cfg->kv, err) != 0)
        return -1;
    if (cfg->max_rows > MAX_ROWS || cfg->max_batch > MAX_BATCH)
        return px_fail(err, PX_EUSAGE, "at most %d units and %d rows a pass", MAX_ROWS, MAX_BATCH);
    if (cfg->memory_budget <= 0)
        return px_fail(err, PX_EUSAGE, "the engine's memory budget is %lld bytes",
                       (long long)cfg->memory_budget);
    return 0;
}

struct engine *engine_new(const struct model *m, const struct tokenizer *tok,
                          const struct engine_config *cfg, struct px_err *err)
{
    const struct kernels *kn = kernels_choose(cfg->isa ? cfg->isa : "auto", err);
    if (kn == NULL || check_config(&m->cfg, cfg, err))
        return NULL;
    if (m->cfg.context_length == 0) {
        px_fail(err, PX_EINPUT, "the model's context is 0 positions");
        return NULL;
    }
    struct engine *e = px_xcalloc(1, sizeof *e);
    e->m = m;
    e->tok = tok;
    e->kn = kn;
    e->th = threads_new(cfg->threads);
    e->page_bytes = kv_page_bytes(&m->cfg, cfg->kv);
    if (make_memory(e, cfg, err)) {
        engine_free(&e);
        return NULL;
    }
    e->slots = px_xcalloc(e->max_rows, sizeof *e->slots);
    e->running = px_xcalloc(e->max_rows, sizeof *e->running);
    e->candidates = px_xcalloc(e->max_rows, sizeof *e->candidates);
    batch_init(&e->batch, e->tree, &e->pace, e->max_batch);
    e->batch.speculates = !cfg->no_speculation;
    e->batch.n_forced = cfg->speculation;
    e->read = px_xcalloc(e->max_logits, sizeof *e->read);
    return e;
}

/* ---- units in ---- */

static bool is_running(const struct slot *s)
{
    return s->state == SLOT_PREFILL || s->state == SLOT_DECODE || s->state == SLOT_LANES;
}

int engine_submit(struct engine *e, const struct job *job, const struct unit *unit, uint64_t ticket,
                  struct px_err *err)
{
    struct slot *s = NULL;
    for (uint32_t i = 0; i < e->max_rows && s == NULL; i++)
        if (e->slots[i].state == SLOT_FREE)
            s = &e->slots[i];
    if (s == NULL)
        return px_fail(err, PX_ELIMIT, "all %u rows are taken", e->max_rows);
    if (job->kv != kv_pool_type(e->kv))
        return px_fail(err, PX_EINPUT, "the unit wants another KV type than this engine's");
    if (slot_open(s, e->m, e->tok, job, unit, kv_pool_pages(e->kv), e->page_bytes, err))
        return -1;
    s->ticket = ticket;
    s->order = s->state == SLOT_DONE ? e->endings++ : e->arrivals++;
    s->submitted_us = clk_now_us();
    e->may_admit = true;
    return 0;
}

/* Enters what a finished unit leaves behind: its context's last page and, computed in the plain
 * way, what it generated (but for the last token, which nobody fed). */
static void keep_pages(struct engine *e, struct slot *s)
{
    uint32_t from = s->path.n * KV_PAGE, n_generated = s->reuse ? 0 : s->out.n_tokens;
    uint32_t n = s->n_context + (n_generated ? n_generated - 1 : 0) - from;
    uint32_t *tokens = px_xmalloc(n * sizeof *tokens), in_context = s->n_context - from;
    memcpy(tokens, s->context + from, in_context * sizeof *tokens);
    if (n > in_context)
        memcpy(tokens + in_context, s->out.tokens, (n - in_context) * sizeof *tokens);
    prefix_keep(e->tree, &s->path, tokens, n, s->seq.pages + s->path.n);
    free(tokens);
}

/* A running unit gives its pages back: to the cache when what they hold is whole. */
static void retire(struct engine *e, struct slot *s)
{
    prefix_tail_close(e->tree, &s->tail);
    if (e->has_cache && s->state == SLOT_DONE && s->out.finish != FINISH_ERROR && s->n_context)
        keep_pages(e, s);
    prefix_close(e->tree, &s->path, s);
    for (uint32_t i = 0; s->lanes && i < s->n_lanes; i++)
        kv_seq_clear(e->kv, &s->lanes[i].seq);
    kv_seq_clear(e->kv, &s->seq);
    e->pages_promised -= s->n_private;
    e->may_admit = true;
}

static void close_slot(struct engine *e, struct slot *s)
{
    if (is_running(s))
        retire(e, s);
    slot_close(s, e->kv);
    e->may_admit = true;
}

void engine_free(struct engine **ep)
{
    struct engine *e = *ep;
    if (e == NULL)
        return;
    for (uint32_t i = 0; e->slots && i < e->max_rows; i++)
        if (e->slots[i].state != SLOT_FREE)
            close_slot(e, &e->slots[i]);
    forward_free(&e->fwd);
    prefix_tree_free(&e->tree);
    kv_pool_free(&e->kv);
    threads_free(&e->th);
    free(e->slots);
    free(e->running);
    free(e->candidates);
    batch_clear(&e->batch);
    free(e->read);
    free(e);
    *ep = NULL;
}

void engine_cancel(struct engine *e, uint64_t ticket)
{
    for (uint32_t i = 0; i < e->max_rows; i++)
        if (e->slots[i].state != SLOT_FREE && e->slots[i].ticket == ticket)
            close_slot(e, &e->slots[i]);
}

static struct slot *oldest(struct engine *e, enum slot_state state)
{
    struct slot *best = NULL;
    for (uint32_t i = 0; i < e->max_rows; i++) {
        struct slot *s = &e->slots[i];
        if (s->state == state && (best == NULL || s->order < best->order))
            best = s;
    }
    return best;
}

/* Full pages that a unit may share: the context's, but its last token is always computed. */
static uint32_t path_pages(const struct engine *e, const struct slot *s)
{
    return e->has_cache && s->n_context ? (s->n_context - 1) / KV_PAGE : 0;
}

/* Starts a unit when there is memory for its worst case beside everybody's. */
static bool start(struct engine *e, struct slot *s)
{
    uint32_t n_path = path_pages(e, s), from = n_path * KV_PAGE;
    uint64_t there = prefix_count_open(e->tree, s->context, n_path);
    uint64_t wanted = prefix_open_pages(e->tree) + (uint64_t)e->pages_promised + s->n_pages - there;
    if (wanted > kv_pool_pages(e->kv))
        return false;
    s->n_private = s->n_pages - n_path;
    e->pages_promised += s->n_private;
    prefix_open(e->tree, s->context, n_path, s, &s->path);
    for (uint32_t i = 0; i < n_path; i++)
        kv_seq_share(e->kv, &s->seq, prefix_page(s->path.nodes[i]));
    prefix_extend(e->tree, &s->seq, from, s->n_context);
    if (e->has_cache && s->n_context)
        s->tail = prefix_tail_open(e->tree, n_path ? s->path.nodes[n_path - 1] : NULL,
                                   s->context + from, s->n_context - from, s->seq.pages[n_path], s);
    s->order = e->starts++;
    slot_start(s, e->kv, clk_now_us());
    return true;
}

/* Units that wait, the first to begin first. Returns how many. */
static uint32_t rank_waiting(struct engine *e)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < e->max_rows; i++) {
        struct slot *s = &e->slots[i];
        if (s->state != SLOT_WAITING)
            continue;
        uint32_t shared = prefix_count(e->tree, s->context, path_pages(e, s));
        e->candidates[n++] = (struct candidate){.unit = s,
                                                .order = s->order,
                                                .work = slot_work(s) - shared * KV_PAGE,
                                                .shared = shared,
                                                .overtaken = s->overtaken};
    }
    admission_sort(e->candidates, n);
    return n;
}

/* s began: who came before it and waits was overtaken. */
static void count_overtaken(struct engine *e, uint64_t order)
{
    for (uint32_t i = 0; i < e->max_rows; i++)
        if (e->slots[i].state == SLOT_WAITING && e->slots[i].order < order)
            e->slots[i].overtaken++;
}

/* Begins the first unit in rank that may and fits. */
static bool admit_one(struct engine *e)
{
    uint32_t n = rank_waiting(e);
    for (uint32_t i = 0; i < n; i++) {
        const struct candidate *c = &e->candidates[i];
        if (start(e, c->unit)) {
            count_overtaken(e, c->order);
            return true;
        }
        if (!admission_may_pass(c))
            return false;
    }
    return false;
}

static void admit(struct engine *e)
{
    while (e->may_admit)
        e->may_admit = admit_one(e);
}

static int by_order(const void *a, const void *b)
{
    const struct slot *x = *(struct slot *const *)a, *y = *(struct slot *const *)b;
    return x->order < y->order ? -1 : x->order > y->order;
}

static void build_batch(struct engine *e)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < e->max_rows; i++)
        if (is_running(&e->slots[i]))
            e->running[n++] = &e->slots[i];
    qsort(e->running, n, sizeof(struct slot *), by_order);
    for (uint32_t i = 0; i < n; i++)
        if (e->running[i]->out.batch < n)
            e->running[i]->out.batch = n;
    batch_build(&e->batch, e->running, n);
}

/* ---- results ---- */

static void use_logits(struct engine *e, const struct row_logits *l, int64_t now_us)
{
    const struct row_use *u = l->use;
    struct slot *s = u->slot;
    bool was_running = is_running(s);
    if (u->lane)
        slot_lane_scored(s, e->kv, u->lane, u->index, &l->reading, now_us);
    else if (s->state == SLOT_PREFILL)
        slot_prefilled(s, e->kv, &l->reading, now_us);
    else if (slot_decoded(s, u->index, &l->reading, now_us))
        e->counters.accepted += u->index > 0;
    if (was_running && s->state == SLOT_DONE) {
        retire(e, s);
        s->order = e->endings++;
    }
}

static void read_task(void *arg, uint32_t task, uint32_t worker)
{
    struct engine *e = arg;
    struct row_logits *l = &e->read[task];
    (void)worker;
    l->reading =
        slot_read(l->use->slot, e->kn, l->use->index, e->logits + (size_t)task * e->m->cfg.n_vocab);
}

/* Reading goes over whole vocabularies, so the threads share it; what follows is quick. */
static void use_all_logits(struct engine *e, uint32_t n_wanted)
{
    const struct batch *b = &e->batch;
    for (uint32_t first = 0, row = 0; first < n_wanted; first += e->max_logits) {
        uint32_t n = 0;
        for (; row < b->n && n < e->max_logits; row++)
            if (b->rows[row].wants_logits)
                e->read[n++].use = &b->uses[row];
        e->logits = forward_logits(e->fwd, first, n);
        threads_run(e->th, n, read_task, e);
        int64_t now = clk_now_us();
        for (uint32_t i = 0; i < n; i++)
            use_logits(e, &e->read[i], now);
    }
}

void engine_step(struct engine *e)
{
    int64_t start_us = clk_cpu_us();
    admit(e);
    build_batch(e);
    if (e->batch.n == 0)
        return;
    uint32_t n_wanted = forward_pass(e->fwd, e->batch.rows, e->batch.n);
    use_all_logits(e, n_wanted);
    double us = (double)(clk_cpu_us() - start_us) / threads_count(e->th);
    pace_pass(&e->pace, e->batch.n, us);
    if (n_wanted == e->batch.n)
        pace_decode(&e->pace, e->batch.n, us);
    e->counters.passes++;
    e->counters.rows += e->batch.n;
}

bool engine_take(struct engine *e, uint64_t *ticket, struct completion *out)
{
    struct slot *s = oldest(e, SLOT_DONE);
    if (s == NULL)
        return false;
    *ticket = s->ticket;
    *out = s->out;
    out->isa = px_xstrdup(e->kn->isa);
    s->out = (struct completion){0};
    close_slot(e, s);
    return true;
}

uint32_t engine_free_rows(const struct engine *e)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < e->max_rows; i++)
        n += e->slots[i].state == SLOT_FREE;
    return n;
}

uint32_t engine_active(const struct engine *e)
{
    return e->max_rows - engine_free_rows(e);
}

uint64_t engine_tokens(const struct engine *e)
{
    return e->counters.rows;
}

const char *engine_isa(const struct engine *e)
{
    return e->kn->isa;
}

uint32_t engine_max_rows(const struct engine *e)
{
    return e->max_rows;
}

struct engine_counters engine_counters(const struct engine *e)
{
    struct engine_counters c = e->counters;
    c.drafted = e->batch.n_drafted;
    return c;
}

bool engine_give_up_idle(struct engine *e)
{
    return prefix_make_room(e->tree, kv_pool_pages(e->kv));
}
