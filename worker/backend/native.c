/* native.c - the backend that runs GGUF models in this process.
 *
 * Theory of operation. Several models can be mapped at once; their weights are shared with every
 * process of the host. A model that was imported on this host is mapped in that form, else the file
 * that the job names; a damaged imported file costs a warning, not the run. One engine at a time
 * holds the private memory (KV pages, activations), made for one model and KV type: units of
 * another model or KV type get no credit until the present ones are finished, then the engine is
 * made anew, which costs no more than reserving memory.
 *
 * Budgets. What the process already uses privately (tokenizers, vocabulary) is measured before an
 * engine is made; the engine gets the rest of memory_budget, less a reserve for what grows with
 * the units. Mapped files and memory_budget together stay within host_memory: the models that
 * were not used for longest are unmapped first. */
#include "worker/backend/backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/file.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "proto/model/imported.h"
#include "worker/engine/engine.h"
#include "worker/engine/reuse.h"

enum { RESERVE_BYTES = 4 << 20 };

struct held_model {
    char *path;              /* the job's; its imported form may be what is mapped */
    struct px_digest digest; /* that was asked for; zero when nobody did */
    struct model *m;
    struct tokenizer *tok;
    uint64_t bytes;
    uint64_t last_used;
};

struct native {
    struct backend_config cfg;
    char *isa;
    char host[256];
    struct held_model **models;
    uint32_t n_models, cap_models;
    struct engine *engine;
    struct held_model *engine_model;
    enum kv_type engine_kv;
    uint64_t uses;
    uint64_t tokens_before; /* of engines that are gone */
};

/* ---- memory ---- */

static int64_t private_bytes(void)
{
    char line[256];
    long long kib = 0;
    FILE *f = fopen("/proc/self/status", "re");
    while (f && fgets(line, sizeof line, f))
        if (sscanf(line, "RssAnon: %lld", &kib) == 1)
            break;
    if (f)
        fclose(f);
    return (int64_t)kib * 1024;
}

static uint64_t mapped_bytes(const struct native *n)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < n->n_models; i++)
        sum += n->models[i]->bytes;
    return sum;
}

static void drop_engine(struct native *n)
{
    if (n->engine)
        n->tokens_before += engine_tokens(n->engine);
    engine_free(&n->engine);
    n->engine_model = NULL;
}

static void free_held(struct held_model *h)
{
    tokenizer_free(&h->tok);
    model_free(&h->m);
    free(h->path);
    free(h);
}

static void unmap(struct native *n, uint32_t i)
{
    struct held_model *h = n->models[i];
    px_log(PX_INFO, "model-unmapped", "path=%s bytes=%llu", h->path, (unsigned long long)h->bytes);
    if (n->engine_model == h)
        drop_engine(n);
    free_held(h);
    n->models[i] = n->models[--n->n_models];
}

/* Makes room for `need` bytes of mapping. The engine is idle when this is called. */
static int make_room(struct native *n, uint64_t need, const char *path, struct px_err *err)
{
    uint64_t limit = (uint64_t)n->cfg.host_memory, own = (uint64_t)n->cfg.memory_budget;
    if (limit == 0)
        return 0;
    if (own + need > limit)
        return px_fail(err, PX_ELIMIT,
                       "%s is %llu bytes; with the %llu bytes this worker may use itself that is "
                       "%llu, and host_memory is %llu",
                       path, (unsigned long long)need, (unsigned long long)own,
                       (unsigned long long)(own + need), (unsigned long long)limit);
    while (n->n_models && own + need + mapped_bytes(n) > limit) {
        uint32_t least = 0;
        for (uint32_t i = 1; i < n->n_models; i++)
            if (n->models[i]->last_used < n->models[least]->last_used)
                least = i;
        unmap(n, least);
    }
    return 0;
}

/* ---- models ---- */

static struct held_model *find_held(const struct native *n, const struct job *job)
{
    for (uint32_t i = 0; i < n->n_models; i++)
        if (strcmp(n->models[i]->path, job->model_path) == 0 &&
            px_digest_eq(&n->models[i]->digest, &job->model))
            return n->models[i];
    return NULL;
}

/* The file is what the job names, not merely what has its path on this host. */
static int check_digest(const struct gguf *g, const struct job *job, struct px_err *err)
{
    struct px_digest have;
    char want_hex[PX_HEX_SIZE], have_hex[PX_HEX_SIZE];
    if (gguf_source(g) && gguf_check_data_once(g, err))
        return -1;
    if (px_digest_is_zero(&job->model))
        return 0;
    if (gguf_digest(g, &have, err))
        return -1;
    if (px_digest_eq(&have, &job->model))
        return 0;
    px_digest_hex(&job->model, want_hex);
    px_digest_hex(&have, have_hex);
    return px_fail(err, PX_EINPUT, "%s is another model here: its SHA-256 is %s, the job's is %s",
                   gguf_path(g), have_hex, want_hex);
}

static struct held_model *load_file(struct native *n, const char *path, const struct job *job,
                                    struct px_err *err)
{
    struct gguf *g = gguf_open(path, err);
    if (g == NULL)
        return NULL;
    uint64_t bytes = gguf_file_size(g);
    if (make_room(n, bytes, path, err) || check_digest(g, job, err)) {
        gguf_free(&g);
        return NULL;
    }
    struct held_model *h = px_xcalloc(1, sizeof *h);
    h->path = px_xstrdup(job->model_path);
    h->digest = job->model;
    h->bytes = bytes;
    h->m = model_from_gguf(g, err);
    if (h->m)
        h->tok = tokenizer_new(h->m->gguf, err);
    if (h->tok == NULL) {
        free_held(h);
        return NULL;
    }
    px_log(PX_INFO, "model-mapped", "path=%s bytes=%llu", path, (unsigned long long)bytes);
    return h;
}

/* The imported form where this host has it, else the file that the job names. */
static struct held_model *load(struct native *n, const struct job *job, struct px_err *err)
{
    PX_FREE char *imported = imported_path(NULL, &job->model);
    struct held_model *h = NULL;
    struct px_err why;
    if (!px_digest_is_zero(&job->model) && px_exists(imported)) {
        h = load_file(n, imported, job, &why);
        if (h == NULL)
            px_log(PX_WARN, "imported-model-unused", "path=%s instead=%s: %s", imported,
                   job->model_path, why.text);
    }
    if (h == NULL)
        h = load_file(n, job->model_path, job, err);
    if (h == NULL)
        return NULL;
    PX_GROW(n->models, n->n_models, n->cap_models);
    n->models[n->n_models++] = h;
    return h;
}

/* ---- the engine of a job ---- */

static int make_engine(struct native *n, struct held_model *h, enum kv_type kv, struct px_err *err)
{
    const struct model_config *c = &h->m->cfg;
    uint32_t rows = n->cfg.max_rows ? n->cfg.max_rows : BACKEND_ROWS;
    uint64_t reuse_state = (uint64_t)c->n_layers *
                           (c->n_embd + 2 * (uint64_t)c->n_kv_heads * c->head_dim) * sizeof(float);
    int64_t used = private_bytes();
    int64_t reserve = (int64_t)(RESERVE_BYTES + 32 * (uint64_t)c->n_vocab + rows * reuse_state);
    int64_t rest = n->cfg.memory_budget - used - reserve;
    if (rest <= 0)
        return px_fail(err, PX_ELIMIT,
                       "memory %lld bytes: %lld are in use (tokenizer, program) and %lld are kept "
                       "for sampling and layer reuse; nothing is left for keys and values",
                       (long long)n->cfg.memory_budget, (long long)used, (long long)reserve);
    struct engine_config cfg = {.isa = n->isa,
                                .threads = n->cfg.threads,
                                .kv = kv,
                                .memory_budget = rest,
                                .max_rows = rows};
    n->engine = engine_new(h->m, h->tok, &cfg, err);
    if (n->engine == NULL)
        return px_wrap(err, "%s", h->path);
    n->engine_model = h;
    n->engine_kv = kv;
    return 0;
}

static bool engine_serves(const struct native *n, const struct job *job)
{
    return n->engine && n->engine_kv == job->kv && find_held(n, job) == n->engine_model;
}

static bool is_busy(const struct native *n)
{
    return n->engine && engine_active(n->engine) > 0;
}

/* An engine for this job; the present one must be idle or the right one. */
static int ensure_engine(struct native *n, const struct job *job, struct px_err *err)
{
    if (job->model_path == NULL || job->model_path[0] == '\0')
        return px_fail(err, PX_EINPUT, "the job names no model file");
    if (engine_serves(n, job)) {
        n->engine_model->last_used = ++n->uses;
        return 0;
    }
    if (is_busy(n))
        return px_fail(err, PX_ELIMIT, "the engine is busy with another model");
    drop_engine(n);
    struct held_model *h = find_held(n, job);
    if (h == NULL)
        h = load(n, job, err);
    if (h == NULL)
        return -1;
    h->last_used = ++n->uses;
    return make_engine(n, h, job->kv, err);
}

/* ---- the backend's face ---- */

static uint32_t native_credits(void *self, const struct job *job)
{
    struct native *n = self;
    if (!engine_serves(n, job) && is_busy(n))
        return 0;
    if (ensure_engine(n, job, NULL))
        return 1; /* submit says why it cannot run */
    return engine_free_rows(n->engine);
}

static int native_submit(void *self, const struct job *job, const struct unit *unit,
                         uint64_t ticket, struct px_err *err)
{
    struct native *n = self;
    if (ensure_engine(n, job, err))
        return -1;
    return engine_submit(n->engine, job, unit, ticket, err);
}

static int native_step(void *self, struct backend_done *done, int max, struct px_err *err)
{
    struct native *n = self;
    int count = 0;
    (void)err; /* what can fail belongs to one unit and is in its completion */
    if (n->engine == NULL)
        return 0;
    engine_step(n->engine);
    while (count < max) {
        struct backend_done *d = &done[count];
        *d = (struct backend_done){0};
        if (!engine_take(n->engine, &d->ticket, &d->completion))
            break;
        d->completion.backend = px_xstrdup("native");
        d->completion.host = px_xstrdup(n->host);
        d->completion.build = px_xstrdup(PROCTOR_VERSION);
        d->completion.rss_bytes = (uint64_t)private_bytes();
        d->completion.wall_us = clk_wall_us();
        count++;
    }
    return count;
}

static void native_cancel(void *self, uint64_t ticket)
{
    struct native *n = self;
    if (n->engine)
        engine_cancel(n->engine, ticket);
}

static uint64_t native_progress(void *self)
{
    struct native *n = self;
    return n->tokens_before + (n->engine ? engine_tokens(n->engine) : 0);
}

static void native_free(void *self)
{
    struct native *n = self;
    drop_engine(n);
    for (uint32_t i = 0; i < n->n_models; i++)
        free_held(n->models[i]);
    free(n->models);
    free(n->isa);
    free(n);
}

struct backend *backend_native_new(const struct backend_config *cfg, struct px_err *err)
{
    if (cfg->memory_budget <= 0) {
        px_fail(err, PX_EUSAGE, "the native backend needs a memory budget");
        return NULL;
    }
    if (kernels_choose(cfg->isa ? cfg->isa : "auto", err) == NULL)
        return NULL;
    struct native *n = px_xcalloc(1, sizeof *n);
    n->cfg = *cfg;
    n->isa = px_xstrdup(cfg->isa ? cfg->isa : "auto");
    if (gethostname(n->host, sizeof n->host - 1) != 0)
        n->host[0] = '\0';
    struct backend *b = px_xcalloc(1, sizeof *b);
    *b = (struct backend){.name = "native",
                          .self = n,
                          .credits = native_credits,
                          .submit = native_submit,
                          .step = native_step,
                          .cancel = native_cancel,
                          .progress = native_progress,
                          .free = native_free};
    return b;
}
