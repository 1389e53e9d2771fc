#include "coordinator/plan/estimate.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/mem.h"
#include "proto/model/imported.h"
#include "proto/number.h"

enum {
    EXACT_PROBLEMS = 2000,
    SAMPLED_PROBLEMS = 500,
    DEFAULT_ROWS = 16,
};
static const int64_t mib = 1 << 20;
static const int64_t worker_base = 48 << 20; /* program, thread stacks, activations */
static const int64_t tester_base = 96 << 20; /* supervisor and warm interpreters */

/* ---- the host ---- */

static uint32_t host_cores(void)
{
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    int n = CPU_COUNT(&set);
    return n > 0 ? (uint32_t)n : 1;
}

/* The smaller of what the kernel calls available and the cgroup's limit. */
static int64_t host_available(void)
{
    int64_t bytes = (int64_t)sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE);
    char *text;
    size_t len;
    if (px_read_file("/proc/meminfo", 1 << 16, &text, &len, NULL) == 0) {
        const char *at = strstr(text, "MemAvailable:");
        if (at)
            bytes = strtoll(at + 13, NULL, 10) * 1024;
        free(text);
    }
    static const char *const limits[] = {"/sys/fs/cgroup/memory.max",
                                         "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
    for (size_t i = 0; i < 2; i++)
        if (px_read_file(limits[i], 64, &text, &len, NULL) == 0) {
            int64_t limit = strtoll(text, NULL, 10);
            if (limit > 0 && limit < bytes)
                bytes = limit;
            free(text);
        }
    return bytes;
}

void resources_resolve(const struct recipe *r, struct resources *out)
{
    uint32_t cores = host_cores();
    struct resources res = {.max_rows = r->max_rows};
    res.workers = r->workers >= 0 ? (uint32_t)r->workers : cores > 8 ? cores / 8 : 1;
    res.testers = r->testers >= 0 ? (uint32_t)r->testers : 1;
    res.threads = r->threads > 0 ? (uint32_t)r->threads
                  : res.workers  ? (cores + res.workers - 1) / res.workers
                                 : 1;
    res.host_memory = r->host_memory > 0 ? r->host_memory : host_available();
    res.memory = r->memory;
    if (res.memory < 0) {
        res.memory = res.host_memory / (2 * (res.workers ? res.workers : 1));
        if (res.memory > 4096 * mib)
            res.memory = 4096 * mib;
    }
    *out = res;
}

/* ---- tokens ---- */

static int estimate_group(const struct plan *p, uint32_t index, struct group_estimate *out,
                          struct px_err *err)
{
    const struct plan_group *g = &p->groups[index];
    struct group_estimate e = {.about = g->n_problems > EXACT_PROBLEMS};
    uint32_t n = e.about ? SAMPLED_PROBLEMS : g->n_problems;
    uint32_t per_problem = g->samples * g->turns * g->orders;
    bool native = p->models[g->model].backend == BACKEND_NATIVE;
    for (uint32_t i = 0; native && i < n; i++) {
        uint64_t problem = e.about ? (uint64_t)i * g->n_problems / n : i;
        struct unit u;
        if (plan_make_unit(p, g->first + problem * per_problem, NULL, &u, NULL, err) != 0)
            return -1;
        uint32_t length = u.n_prompt;
        for (uint32_t k = 0; k < u.n_choices; k++)
            if (u.n_prompt + u.choices[k].n_tokens > length)
                length = u.n_prompt + u.choices[k].n_tokens;
        e.prompt_tokens += u.n_prompt;
        for (uint32_t k = 0; k < u.n_choices; k++)
            e.prompt_tokens += u.choices[k].n_tokens;
        if (length > e.longest_prompt)
            e.longest_prompt = length;
        unit_clear(&u);
    }
    if (e.about)
        e.prompt_tokens = e.prompt_tokens * g->n_problems / n;
    e.prompt_tokens *= per_problem;
    e.new_tokens = native ? g->n_units * g->generate.max_tokens : 0;
    *out = e;
    return 0;
}

/* Cells that differ in nothing that a prompt depends on share their count. */
static bool same_prompts(const struct plan *p, uint32_t a, uint32_t b)
{
    const struct plan_group *x = &p->groups[a];
    const struct plan_group *y = &p->groups[b];
    const struct plan_cell *cx = &p->cells[x->cell];
    const struct plan_cell *cy = &p->cells[y->cell];
    return x->task == y->task && x->model == y->model && x->turns == y->turns &&
           x->chat == y->chat && x->chat_template == y->chat_template &&
           x->n_problems == y->n_problems && x->samples == y->samples &&
           cx->settings->fewshot == cy->settings->fewshot &&
           x->generate.max_tokens == y->generate.max_tokens;
}

static int estimate_tokens(const struct plan *p, struct estimate *e, struct px_err *err)
{
    for (uint32_t i = 0; i < p->n_groups; i++) {
        uint32_t k = 0;
        while (k < i && !same_prompts(p, k, i))
            k++;
        if (k < i)
            e->groups[i] = e->groups[k];
        else if (estimate_group(p, i, &e->groups[i], err) != 0)
            return -1;
    }
    return 0;
}

/* ---- memory ---- */

/* What workers map: the imported form where it is or will be there, which is a little larger. */
static int64_t mapped_bytes(const struct plan *p, uint32_t model)
{
    const struct model_file *m = &p->models[model];
    PX_FREE char *path = imported_path(NULL, &m->digest);
    bool is_imported = px_exists(path) || (m->gguf && gguf_source(m->gguf));
    for (uint32_t i = 0; i < p->n_imports; i++)
        is_imported |= p->imports[i].model == model && p->imports[i].panels;
    return (int64_t)(is_imported && m->imported_bytes > m->bytes ? m->imported_bytes : m->bytes);
}

static void estimate_models(const struct plan *p, struct estimate *e)
{
    for (uint32_t i = 0; i < p->n_models; i++) {
        const struct model_file *m = &p->models[i];
        bool seen = m->backend != BACKEND_NATIVE;
        for (uint32_t k = 0; k < i; k++)
            seen |= px_digest_eq(&p->models[k].digest, &m->digest);
        if (seen)
            continue;
        int64_t bytes = mapped_bytes(p, i);
        e->weights += bytes;
        if (bytes > e->largest_model)
            e->largest_model = bytes;
    }
}

/* Imported forms that are still to be written, each once. */
static void estimate_disk(const struct plan *p, struct estimate *e)
{
    for (uint32_t i = 0; i < p->n_imports; i++) {
        const struct model_file *m = &p->models[p->imports[i].model];
        PX_FREE char *path = imported_path(NULL, &m->digest);
        bool seen = !p->imports[i].panels || gguf_source(m->gguf) || px_exists(path);
        for (uint32_t k = 0; k < i; k++)
            seen |= p->imports[k].panels &&
                    px_digest_eq(&p->models[p->imports[k].model].digest, &m->digest);
        if (!seen)
            e->disk += (int64_t)m->imported_bytes;
    }
}

static void estimate_rows(const struct plan *p, const struct resources *res, struct estimate *e)
{
    for (uint32_t i = 0; i < p->n_groups; i++) {
        const struct plan_group *g = &p->groups[i];
        const struct model_file *m = &p->models[g->model];
        if (m->backend != BACKEND_NATIVE)
            continue;
        uint64_t length = (uint64_t)e->groups[i].longest_prompt + g->generate.max_tokens;
        uint32_t limit = g->generate.context ? g->generate.context : m->config.context_length;
        if (length > limit)
            length = limit;
        int64_t kv = (int64_t)(length * model_kv_bytes_per_token(&m->config, g->generate.kv));
        if (kv > e->per_row)
            e->per_row = kv;
    }
    uint32_t rows = res->max_rows ? res->max_rows : DEFAULT_ROWS;
    while (rows > 1 && e->base + rows * e->per_row > res->memory)
        rows--;
    e->rows = rows;
    e->private_bytes = e->base + rows * e->per_row;
}

static int check_fit(const struct resources *res, const struct estimate *e, struct px_err *err)
{
    char need[32], have[32], base[32], row[32], weights[32], testers[32];
    px_format_size(e->base, base);
    px_format_size(e->per_row, row);
    px_format_size(e->weights, weights);
    px_format_size(e->testers, testers);
    if (e->base + e->per_row > res->memory) {
        px_format_size(e->base + e->per_row, need);
        px_format_size(res->memory, have);
        return px_fail(err, PX_ELIMIT,
                       "a worker needs %s (%s base + %s KV of the longest sequence) and its memory "
                       "is %s; raise resources.memory or lower max_tokens or context",
                       need, base, row, have);
    }
    if (res->workers &&
        e->largest_model + res->workers * (e->base + e->per_row) + e->testers > res->host_memory) {
        char model[32];
        px_format_size(e->largest_model, model);
        px_format_size(e->largest_model + res->workers * (e->base + e->per_row) + e->testers, need);
        px_format_size(res->host_memory, have);
        return px_fail(err, PX_ELIMIT,
                       "this host needs %s (%s largest model, mapped once + %u x (%s + %s) workers "
                       "+ %s testers) and host_memory is %s",
                       need, model, res->workers, base, row, testers, have);
    }
    return 0;
}

int estimate_make(const struct plan *p, const struct resources *res, struct estimate *out,
                  struct px_err *err)
{
    struct estimate e = {.base = worker_base};
    e.groups = px_xcalloc(p->n_groups, sizeof *e.groups);
    if (estimate_tokens(p, &e, err) != 0) {
        estimate_clear(&e);
        memset(out, 0, sizeof *out);
        return -1;
    }
    estimate_models(p, &e);
    estimate_disk(p, &e);
    estimate_rows(p, res, &e);
    e.testers = res->testers * tester_base;
    e.total = e.weights + res->workers * e.private_bytes + e.testers;
    *out = e;
    return check_fit(res, &e, err);
}

void estimate_clear(struct estimate *e)
{
    free(e->groups);
    memset(e, 0, sizeof *e);
}
