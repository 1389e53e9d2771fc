/* peer_run.c - finding and reading what lm-evaluation-harness wrote. */
#include "coordinator/recorded/peer_run.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "proto/file.h"
#include "proto/json.h"
#include "proto/mem.h"

#define RESULTS_LIMIT ((size_t)1 << 30)

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n >= k && strcmp(s + n - k, end) == 0;
}

/* The last results_*.json by name: stamps sort as times. Owned, NULL when there is none. */
static char *newest_results(const char *dir)
{
    DIR *d = opendir(dir);
    char *best = NULL;
    for (struct dirent *e; d && (e = readdir(d));) {
        if (strncmp(e->d_name, "results_", 8) != 0 || !ends_with(e->d_name, ".json"))
            continue;
        if (!best || strcmp(e->d_name, best) > 0) {
            free(best);
            best = px_xstrdup(e->d_name);
        }
    }
    if (d)
        closedir(d);
    return best;
}

/* The one folder below that has results. Owned, NULL when there is none or several. */
static char *only_below(const char *dir)
{
    DIR *d = opendir(dir);
    char *found = NULL;
    uint32_t n = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        PX_FREE char *path = px_path_join(dir, e->d_name);
        PX_FREE char *results = px_is_dir(path) ? newest_results(path) : NULL;
        if (!results)
            continue;
        n++;
        free(found);
        found = px_xstrdup(path);
    }
    if (d)
        closedir(d);
    if (n != 1) {
        free(found);
        return NULL;
    }
    return found;
}

static int locate(const char *path, struct peer_run *p, struct px_err *err)
{
    if (!px_exists(path))
        return px_fail(err, PX_EMISSING, "there is no %s", path);
    if (!px_is_dir(path)) {
        p->results_path = px_xstrdup(path);
        p->dir = px_dirname(path);
        return 0;
    }
    PX_FREE char *name = newest_results(path);
    p->dir = name ? px_xstrdup(path) : only_below(path);
    if (!p->dir)
        return px_fail(err, PX_EINPUT,
                       "%s holds no results_*.json of lm-eval (nor does exactly one folder in it)",
                       path);
    PX_FREE char *there = name ? px_xstrdup(name) : newest_results(p->dir);
    p->results_path = px_path_join(p->dir, there);
    return 0;
}

/* "2025-01-02T03-04-05.678" of "results_2025-01-02T03-04-05.678.json"; "" elsewhere. */
static char *stamp_of(const char *results_path)
{
    const char *slash = strrchr(results_path, '/');
    const char *name = slash ? slash + 1 : results_path;
    const char *under = strchr(name, '_');
    const char *from = under ? under + 1 : "";
    return ends_with(from, ".json") ? px_xstrndup(from, strlen(from) - 5) : px_xstrdup(from);
}

static void add_tasks(struct peer_run *p)
{
    struct json_object *configs = NULL;
    PX_FREE char *stamp = stamp_of(p->results_path);
    if (!json_object_object_get_ex(p->results, "configs", &configs) ||
        !json_object_is_type(configs, json_type_object))
        return;
    p->tasks = px_xcalloc((size_t)json_object_object_length(configs) + 1, sizeof *p->tasks);
    json_object_object_foreach(configs, name, config)
    {
        (void)config;
        PX_FREE char *file = px_xasprintf("samples_%s_%s.jsonl", name, stamp);
        char *path = px_path_join(p->dir, file);
        struct peer_task *t = &p->tasks[p->n_tasks++];
        t->name = px_xstrdup(name);
        if (px_exists(path))
            t->samples = path;
        else
            free(path);
    }
}

int peer_run_open(const char *path, struct peer_run *out, struct px_err *err)
{
    struct peer_run p = {0};
    PX_FREE char *text = NULL;
    size_t n;
    int rc = locate(path, &p, err);
    if (rc == 0)
        rc = px_read_file(p.results_path, RESULTS_LIMIT, &text, &n, err);
    if (rc == 0 && !(p.results = px_json_parse(text, n, err)))
        rc = px_wrap(err, "%s", p.results_path);
    if (rc == 0)
        add_tasks(&p);
    if (rc == 0 && p.n_tasks == 0)
        rc = px_fail(err, PX_EINPUT, "%s has no `configs`: it is no results file of lm-eval",
                     p.results_path);
    if (rc != 0) {
        peer_run_clear(&p);
        return -1;
    }
    *out = p;
    return 0;
}

void peer_run_clear(struct peer_run *p)
{
    for (uint32_t i = 0; i < p->n_tasks; i++) {
        free(p->tasks[i].name);
        free(p->tasks[i].samples);
    }
    free(p->tasks);
    free(p->dir);
    free(p->results_path);
    json_object_put(p->results);
    memset(p, 0, sizeof *p);
}

static struct json_object *member(struct json_object *o, const char *key)
{
    struct json_object *v = NULL;
    return json_object_is_type(o, json_type_object) && json_object_object_get_ex(o, key, &v) ? v
                                                                                             : NULL;
}

int32_t peer_run_shots(const struct peer_run *p, const char *task)
{
    struct json_object *n = member(member(p->results, "n-shot"), task);
    if (!json_object_is_type(n, json_type_int))
        n = member(member(member(p->results, "configs"), task), "num_fewshot");
    int64_t v = json_object_is_type(n, json_type_int) ? json_object_get_int64(n) : 0;
    return v >= 0 && v <= 64 ? (int32_t)v : 0;
}

const char *peer_run_text(const struct peer_run *p, const char *key)
{
    return px_json_str_or(p->results, key, "");
}

char *peer_run_bos(const struct peer_run *p)
{
    struct json_object *v = member(p->results, "tokenizer_bos_token");
    if (json_object_is_type(v, json_type_array))
        v = json_object_array_get_idx(v, 0);
    return json_object_is_type(v, json_type_string) ? px_xstrdup(json_object_get_string(v)) : NULL;
}

uint32_t peer_run_bootstrap_iters(const struct peer_run *p)
{
    struct json_object *v = member(member(p->results, "config"), "bootstrap_iters");
    int64_t n = json_object_is_type(v, json_type_int) ? json_object_get_int64(v) : 100000;
    return n < 0 ? 0 : n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

bool peer_run_metric(const struct peer_run *p, const char *task, const char *metric,
                     const char *filter, bool stderr_, double *out)
{
    PX_FREE char *key = px_xasprintf("%s%s,%s", metric, stderr_ ? "_stderr" : "", filter);
    struct json_object *v = member(member(member(p->results, "results"), task), key);
    if (!json_object_is_type(v, json_type_double) && !json_object_is_type(v, json_type_int))
        return false;
    *out = json_object_get_double(v);
    return true;
}

const char *peer_run_task_hash(const struct peer_run *p, const char *task)
{
    struct json_object *h = member(member(p->results, "task_hashes"), task);
    return json_object_is_type(h, json_type_string) ? json_object_get_string(h) : "";
}
