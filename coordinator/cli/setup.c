#include "coordinator/cli/setup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"

void setup_defaults(struct setup_options *o)
{
    memset(o, 0, sizeof *o);
    o->workers = o->testers = o->threads = o->memory = o->host_memory = o->limit = -1;
}

uint32_t setup_table(struct setup_options *o, struct cli_option *out)
{
    const struct cli_option table[] = {
        {.name = "set", .list = o->sets, .n_list = &o->n_sets, .cap_list = SETUP_MAX_SETS - 1},
        {.name = "workers", .number = &o->workers, .lo = 0, .hi = 1024},
        {.name = "testers", .number = &o->testers, .lo = 0, .hi = 1024},
        {.name = "threads", .number = &o->threads, .lo = 1, .hi = 1024},
        {.name = "memory", .size = &o->memory},
        {.name = "host-memory", .size = &o->host_memory},
        {.name = "limit", .number = &o->limit, .lo = 1, .hi = UINT32_MAX},
        {.name = "run", .text = &o->run_dir},
        {.name = "data", .text = &o->data_dir},
        {.name = "allow-noop", .flag = &o->allow_noop},
    };
    _Static_assert(sizeof table / sizeof *table == SETUP_OPTIONS, "SETUP_OPTIONS counts the table");
    memcpy(out, table, sizeof table);
    return SETUP_OPTIONS;
}

static void apply_overrides(struct recipe *r, const struct setup_options *o)
{
    if (o->workers >= 0)
        r->workers = (int32_t)o->workers;
    if (o->testers >= 0)
        r->testers = (int32_t)o->testers;
    if (o->threads >= 0)
        r->threads = (int32_t)o->threads;
    if (o->memory >= 0)
        r->memory = o->memory;
    if (o->host_memory >= 0)
        r->host_memory = o->host_memory;
}

static void print_findings(struct px_buf *findings)
{
    if (findings->len)
        fwrite(findings->data, 1, findings->len, stderr);
    px_buf_clear(findings);
}

/* text NULL: the file at path. */
static int load(const char *text, size_t len, const char *path, struct setup_options *o,
                struct setup *out, struct px_err *err)
{
    struct setup s = {0};
    struct px_buf findings;
    char limit[48];
    px_buf_init(&findings, 1 << 22);
    if (o->limit >= 0) { /* --limit N is --set limit=N */
        snprintf(limit, sizeof limit, "limit=%lld", (long long)o->limit);
        o->sets[o->n_sets++] = limit;
    }
    struct recipe_options ro = {.sets = o->sets, .n_sets = o->n_sets, .allow_noop = o->allow_noop};
    s.recipe = text ? recipe_parse(text, len, path, &ro, &findings, err)
                    : recipe_load(path, &ro, &findings, err);
    if (!s.recipe) {
        print_findings(&findings);
        return -1;
    }
    apply_overrides(s.recipe, o);
    struct task_env env = {.data_dir = o->data_dir, .seed = s.recipe->seed};
    s.plan = plan_build(s.recipe, &env, &findings, err);
    if (!s.plan) {
        print_findings(&findings);
        setup_clear(&s);
        return -1;
    }
    px_buf_clear(&findings);
    resources_resolve(s.recipe, &s.resources);
    s.run_dir = o->run_dir ? px_xstrdup(o->run_dir) : px_xasprintf("runs/%s", s.recipe->name);
    *out = s;
    return 0;
}

int setup_load(const char *path, struct setup_options *o, struct setup *out, struct px_err *err)
{
    return load(NULL, 0, path, o, out, err);
}

int setup_parse(const char *text, size_t len, const char *path, struct setup_options *o,
                struct setup *out, struct px_err *err)
{
    return load(text, len, path, o, out, err);
}

void setup_clear(struct setup *s)
{
    plan_free(&s->plan);
    recipe_free(&s->recipe);
    free(s->run_dir);
    memset(s, 0, sizeof *s);
}
