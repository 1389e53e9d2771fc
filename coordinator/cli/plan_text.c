#include "coordinator/cli/plan_text.h"

#include <stdio.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"
#include "proto/model/imported.h"
#include "proto/number.h"

static void write_models(const struct plan *p, struct px_buf *out)
{
    px_buf_str(out, "models\n");
    for (uint32_t i = 0; i < p->n_models; i++) {
        const struct model_file *m = &p->models[i];
        char size[32];
        char hex[PX_HEX_SIZE];
        px_format_size((int64_t)m->bytes, size);
        px_digest_hex(&m->digest, hex);
        px_buf_printf(out, "  %-16s %s, %s, sha256 %.12s", m->name, backend_kind_name(m->backend),
                      size, hex);
        if (m->gguf)
            px_buf_printf(out, ", %s, %u layers, context %u", m->config.arch_name,
                          m->config.n_layers, m->config.context_length);
        px_buf_char(out, '\n');
    }
}

static void write_stages(const struct plan *p, struct px_buf *out)
{
    const struct recipe *r = p->recipe;
    px_buf_str(out, "stages\n");
    for (uint32_t i = 0; i < r->n_stages; i++) {
        const struct recipe_stage *s = &r->stages[i];
        if (s->kind == STAGE_IMPORT) {
            px_buf_printf(out, "  %u. import %s as %s%s\n", i + 1, s->model, s->as,
                          s->panels ? "" : " (checked only)");
            continue;
        }
        px_buf_printf(out, "  %u. eval%s%s:", i + 1, s->name && *s->name ? " " : "",
                      s->name ? s->name : "");
        for (uint32_t k = 0; k < s->n_models; k++)
            px_buf_printf(out, "%s %s", k ? "," : "", s->models[k]);
        px_buf_printf(out, " on");
        for (uint32_t k = 0; k < s->n_tasks; k++)
            px_buf_printf(out, "%s %s", k ? "," : "", s->tasks[k]);
        px_buf_printf(out, ", %u %s\n", s->n_cells, s->n_cells == 1 ? "cell" : "cells");
    }
}

static void write_groups(const struct plan_facts *f, struct px_buf *out)
{
    const struct plan *p = f->plan;
    px_buf_printf(out, "%-44s %-18s %8s %12s %12s %6s\n", "cell", "task", "units", "prompt tok",
                  "new tok <=", "bound");
    for (uint32_t i = 0; i < p->n_groups; i++) {
        const struct plan_group *g = &p->groups[i];
        const struct plan_cell *c = &p->cells[g->cell];
        const struct group_estimate *e = &f->estimate->groups[i];
        char name[64];
        char bound[16] = "";
        if (c->n_names > 1)
            snprintf(name, sizeof name, "%.36s (+%u)", c->names[0], c->n_names - 1);
        else
            snprintf(name, sizeof name, "%.44s", c->names[0]);
        if (c->speedup_bound > 1)
            snprintf(bound, sizeof bound, "%.2fx", c->speedup_bound);
        px_buf_printf(out, "%-44s %-18s %8llu %s%*llu %12llu %6s\n", name,
                      task_name(p->tasks[g->task]), (unsigned long long)g->n_units,
                      e->about ? "~" : "", e->about ? 11 : 12, (unsigned long long)e->prompt_tokens,
                      (unsigned long long)e->new_tokens, bound);
    }
}

static void write_memory(const struct plan_facts *f, struct px_buf *out)
{
    const struct estimate *e = f->estimate;
    const struct resources *res = f->res;
    char a[32], b[32], c[32], d[32], h[32], t[32];
    px_format_size(e->base, a);
    px_format_size(e->per_row, b);
    px_format_size(e->private_bytes, c);
    px_format_size(res->memory, d);
    px_buf_printf(out, "memory\n  per worker  %s base + %u rows x %s KV = %s of %s\n", a, e->rows,
                  b, c, d);
    px_format_size(e->weights, a);
    px_format_size(e->testers, b);
    px_format_size(e->total, t);
    px_format_size(res->host_memory, h);
    px_buf_printf(
        out, "  this host   %s models, mapped once + %u workers x %s + %s testers = %s of %s\n", a,
        res->workers, c, b, t, h);
    px_buf_printf(out, "  processes   %u workers x %u threads, %u testers\n", res->workers,
                  res->threads, res->testers);
}

static void write_disk(const struct plan_facts *f, struct px_buf *out)
{
    char size[32];
    PX_FREE char *dir = imported_dir();
    if (f->estimate->disk == 0)
        return;
    px_format_size(f->estimate->disk, size);
    px_buf_printf(out, "disk\n  import writes about %s to %s\n", size, dir);
}

static void write_store(const struct plan_facts *f, struct px_buf *out)
{
    const struct conductor_counts *n = f->counts;
    px_buf_printf(out, "run directory %s\n", f->run_dir);
    if (!n) {
        px_buf_printf(out, "  no results yet: %llu units to do\n",
                      (unsigned long long)f->plan->n_units);
        return;
    }
    px_buf_printf(out,
                  "  %llu of %llu units done, %llu generated and not scored, %llu quarantined, "
                  "%llu to generate\n",
                  (unsigned long long)n->done, (unsigned long long)n->total,
                  (unsigned long long)n->generated, (unsigned long long)n->quarantined,
                  (unsigned long long)(n->total - n->done - n->generated - n->quarantined));
}

void plan_write_text(const struct plan_facts *f, struct px_buf *out)
{
    px_buf_printf(out, "recipe %s, seed %llu\n", f->plan->recipe->name,
                  (unsigned long long)f->plan->recipe->seed);
    write_models(f->plan, out);
    write_stages(f->plan, out);
    write_groups(f, out);
    write_memory(f, out);
    write_disk(f, out);
    write_store(f, out);
}

static void json_string(struct px_buf *out, const char *key, const char *value)
{
    px_buf_printf(out, "\"%s\":", key);
    px_json_quote(out, value, strlen(value));
}

static void json_group(const struct plan_facts *f, uint32_t i, struct px_buf *out)
{
    const struct plan *p = f->plan;
    const struct plan_group *g = &p->groups[i];
    const struct plan_cell *c = &p->cells[g->cell];
    const struct group_estimate *e = &f->estimate->groups[i];
    px_buf_str(out, i ? ",{\"cells\":[" : "{\"cells\":[");
    for (uint32_t k = 0; k < c->n_names; k++) {
        if (k)
            px_buf_char(out, ',');
        px_json_quote(out, c->names[k], strlen(c->names[k]));
    }
    px_buf_str(out, "],");
    json_string(out, "model", p->models[c->model].name);
    px_buf_char(out, ',');
    json_string(out, "task", task_name(p->tasks[g->task]));
    px_buf_printf(out,
                  ",\"settings\":%s,\"problems\":%u,\"samples\":%u,\"units\":%llu,"
                  "\"prompt_tokens\":%llu,\"prompt_tokens_exact\":%s,\"longest_prompt\":%u,"
                  "\"max_new_tokens\":%llu,\"speedup_bound\":",
                  c->settings_json, g->n_problems, g->samples, (unsigned long long)g->n_units,
                  (unsigned long long)e->prompt_tokens, e->about ? "false" : "true",
                  e->longest_prompt, (unsigned long long)e->new_tokens);
    px_json_number(out, c->speedup_bound);
    px_buf_char(out, '}');
}

void plan_write_json(const struct plan_facts *f, struct px_buf *out)
{
    const struct plan *p = f->plan;
    const struct estimate *e = f->estimate;
    px_buf_char(out, '{');
    json_string(out, "recipe", p->recipe->name);
    px_buf_printf(out, ",\"units\":%llu,\"imports\":%u,\"groups\":[",
                  (unsigned long long)p->n_units, p->n_imports);
    for (uint32_t i = 0; i < p->n_groups; i++)
        json_group(f, i, out);
    px_buf_printf(
        out,
        "],\"memory\":{\"weights\":%lld,\"worker_base\":%lld,\"kv_per_row\":%lld,"
        "\"rows\":%u,\"per_worker\":%lld,\"worker_budget\":%lld,\"testers\":%lld,"
        "\"total\":%lld,\"host_memory\":%lld},\"disk\":%lld,\"workers\":%u,\"threads\":%u,"
        "\"testers\":%u,",
        (long long)e->weights, (long long)e->base, (long long)e->per_row, e->rows,
        (long long)e->private_bytes, (long long)f->res->memory, (long long)e->testers,
        (long long)e->total, (long long)f->res->host_memory, (long long)e->disk, f->res->workers,
        f->res->threads, f->res->testers);
    json_string(out, "run_dir", f->run_dir);
    if (f->counts)
        px_buf_printf(out, ",\"done\":%llu,\"generated\":%llu,\"quarantined\":%llu",
                      (unsigned long long)f->counts->done, (unsigned long long)f->counts->generated,
                      (unsigned long long)f->counts->quarantined);
    px_buf_str(out, "}\n");
}
