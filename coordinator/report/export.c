/* export.c - results.json, summary/ and samples/ in the run directory.
 *
 * A new samples/ is written beside the old one and takes its place in one step; results.json is
 * replaced by a rename. So both are whole at any time. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/report/alarms.h"
#include "coordinator/report/collect.h"
#include "coordinator/report/export_names.h"
#include "coordinator/report/gates.h"
#include "coordinator/report/report.h"
#include "coordinator/report/results.h"
#include "coordinator/report/sample_json.h"
#include "coordinator/report/summary.h"
#include "coordinator/report/table.h"
#include "proto/file.h"
#include "proto/mem.h"

#define RESULTS_LIMIT ((size_t)1 << 30)
#define LINE_LIMIT ((size_t)256 << 20)

/* ---- samples ---- */

/* Takes every unit while the numbers are collected: one file per group, one after another. */
struct sink {
    const char *top;
    char **dirs; /* per cell, made at the first unit */
    uint32_t n_dirs;
    const struct manifest_group *group; /* whose file is open */
    char *path;
    FILE *f;
    struct px_buf line;
};

static int close_file(struct sink *k, struct px_err *err)
{
    int rc = 0;
    if (!k->f)
        return 0;
    if (fflush(k->f) != 0 || fsync(fileno(k->f)) != 0)
        rc = px_fail_errno(err, "cannot write %s", k->path);
    if (fclose(k->f) != 0 && rc == 0)
        rc = px_fail_errno(err, "cannot write %s", k->path);
    k->f = NULL;
    free(k->path);
    k->path = NULL;
    return rc;
}

static int open_file(struct sink *k, const struct sample *s, struct px_err *err)
{
    if (close_file(k, err) != 0)
        return -1;
    PX_FREE char *dir = px_path_join(k->top, k->dirs[s->group->cell]);
    PX_FREE char *task = export_file_name(s->task->name, true, s->group->task);
    if (px_mkdirs(dir, 0755, err) != 0)
        return -1;
    k->group = s->group;
    k->path = px_xasprintf("%s/%s.jsonl", dir, task);
    k->f = fopen(k->path, "we");
    return k->f ? 0 : px_fail_errno(err, "cannot create %s", k->path);
}

static int take_sample(void *ctx, const struct sample *s, struct px_err *err)
{
    struct sink *k = ctx;
    if (k->group != s->group && open_file(k, s, err) != 0)
        return -1;
    if (!sample_done(s))
        return 0;
    px_buf_reset(&k->line);
    sample_json(s, &k->line);
    if (k->line.overflow)
        return px_fail(err, PX_ELIMIT, "a sample is too long for %s", k->path);
    if (fwrite(k->line.data, 1, k->line.len, k->f) != k->line.len)
        return px_fail_errno(err, "cannot write %s", k->path);
    return 0;
}

/* ---- directories ---- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

static int remove_tree(const char *dir, struct px_err *err)
{
    if (nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS) != 0 && errno != ENOENT)
        return px_fail_errno(err, "cannot remove %s", dir);
    return 0;
}

/* fresh takes the place of dir; what was there is removed. */
static int take_place(const char *fresh, const char *dir, struct px_err *err)
{
    if (!px_exists(dir)) {
        if (rename(fresh, dir) != 0)
            return px_fail_errno(err, "cannot make %s", dir);
        return 0;
    }
    if (renameat2(AT_FDCWD, fresh, AT_FDCWD, dir, RENAME_EXCHANGE) == 0)
        return remove_tree(fresh, err);
    /* a file system without exchange: for a moment there is neither */
    PX_FREE char *old = px_xasprintf("%s.old", dir);
    if (remove_tree(old, err) != 0)
        return -1;
    if (rename(dir, old) != 0 || rename(fresh, dir) != 0)
        return px_fail_errno(err, "cannot replace %s", dir);
    return remove_tree(old, err);
}

/* summary/<cell>.json, each replaced by a rename. */
static int write_summaries(const struct run_stats *r, const char *run_dir, char *const *dirs,
                           struct px_err *err)
{
    PX_FREE char *dir = px_path_join(run_dir, "summary");
    int rc = px_mkdirs(dir, 0755, err);
    for (uint32_t i = 0; i < r->manifest->n_cells && rc == 0; i++) {
        PX_FREE char *path = px_xasprintf("%s/%s.json", dir, dirs[i]);
        struct px_buf json;
        px_buf_init(&json, RESULTS_LIMIT);
        summary_json(r, i, &json);
        rc = px_write_file(path, json.data, json.len, err);
        px_buf_clear(&json);
    }
    return rc;
}

static int write_results(const struct run_stats *r, const struct alarms *a, const char *run_dir,
                         struct px_err *err)
{
    PX_FREE char *path = px_path_join(run_dir, "results.json");
    struct px_buf json;
    px_buf_init(&json, RESULTS_LIMIT);
    results_json(r, a, &json);
    int rc = px_write_file(path, json.data, json.len, err);
    px_buf_clear(&json);
    return rc;
}

static void free_names(char **names, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        free(names[i]);
    free(names);
}

/* Collects, writing samples to `fresh` on the way. */
static struct run_stats *collect_samples(struct store *s, struct sink *k, struct px_err *err)
{
    struct manifest *m = manifest_read_head(s, err);
    if (!m)
        return NULL;
    k->dirs = export_cell_names(m);
    k->n_dirs = m->n_cells;
    manifest_free(&m);
    px_buf_init(&k->line, LINE_LIMIT);
    struct run_stats *r =
        px_mkdirs(k->top, 0755, err) == 0 ? collect_run_watched(s, take_sample, k, err) : NULL;
    int rc = close_file(k, r ? err : NULL);
    px_buf_clear(&k->line);
    if (rc != 0)
        run_stats_free(&r);
    return r;
}

static int write_all(const struct run_stats *r, const struct alarms *a, const struct sink *k,
                     const char *run_dir, struct px_err *err)
{
    PX_FREE char *dir = px_path_join(run_dir, "samples");
    if (take_place(k->top, dir, err) != 0 || write_summaries(r, run_dir, k->dirs, err) != 0)
        return -1;
    return write_results(r, a, run_dir, err);
}

int report_export(struct store *s, const char *run_dir, bool *failed, struct px_buf *table,
                  struct px_err *err)
{
    PX_FREE char *fresh = px_path_join(run_dir, "samples.new");
    struct sink k = {.top = fresh};
    struct alarms a;
    if (remove_tree(fresh, err) != 0)
        return -1;
    struct run_stats *r = collect_samples(s, &k, err);
    int rc = -1;
    if (r) {
        alarms_find(r, &a);
        rc = write_all(r, &a, &k, run_dir, err);
        *failed = alarms_failed(&a);
        for (uint32_t i = 0; i < r->n_gates; i++)
            *failed = *failed || gate_failed(&r->gates[i]);
        if (table)
            table_write(r, &a, table);
        alarms_clear(&a);
        run_stats_free(&r);
    }
    free_names(k.dirs, k.n_dirs);
    return rc;
}
