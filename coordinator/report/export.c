/* export.c - results.json and samples/ in the run directory.
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
#include "coordinator/report/report.h"
#include "coordinator/report/results.h"
#include "coordinator/report/sample_json.h"
#include "coordinator/report/table.h"
#include "proto/file.h"
#include "proto/mem.h"

enum { NAME_LONGEST = 150 };
#define RESULTS_LIMIT ((size_t)1 << 30)
#define LINE_LIMIT ((size_t)256 << 20)

/* ---- names ---- */

/* A name that any file system takes and no path can be hidden in; `index` tells names apart that
 * become equal or too long. */
static char *file_name(const char *name, bool unique, uint32_t index)
{
    char *s = px_xstrndup(name, NAME_LONGEST);
    for (char *p = s; *p; p++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-+=,", *p))
            *p = '_';
    if (s[0] == '.' || s[0] == '\0')
        unique = false;
    if (unique)
        return s;
    char *numbered = px_xasprintf("%u_%s", index, s);
    free(s);
    return numbered;
}

/* Directory of each cell: its main name, numbered when two would be the same. */
static char **cell_directories(const struct manifest *m)
{
    char **dirs = px_xcalloc((size_t)m->n_cells + 1, sizeof *dirs);
    for (uint32_t i = 0; i < m->n_cells; i++) {
        bool unique = strlen(m->cells[i].names[0]) <= NAME_LONGEST;
        dirs[i] = file_name(m->cells[i].names[0], unique, i);
        for (uint32_t k = 0; k < i; k++) {
            if (strcasecmp(dirs[i], dirs[k]) != 0)
                continue;
            free(dirs[i]);
            dirs[i] = file_name(m->cells[i].names[0], false, i);
            break;
        }
    }
    return dirs;
}

/* ---- samples ---- */

struct sink {
    FILE *f;
    struct px_buf line;
    bool failed;
};

static bool write_line(void *ctx, const struct sample *s)
{
    struct sink *k = ctx;
    if (!sample_done(s))
        return true;
    px_buf_reset(&k->line);
    sample_json(s, &k->line);
    k->failed = k->line.overflow || fwrite(k->line.data, 1, k->line.len, k->f) != k->line.len;
    return !k->failed;
}

static int write_group(struct store_view *v, const struct manifest *m, uint32_t group,
                       const char *path, struct px_err *err)
{
    struct sink k = {.f = fopen(path, "we")};
    if (!k.f)
        return px_fail_errno(err, "cannot create %s", path);
    px_buf_init(&k.line, LINE_LIMIT);
    int rc = walk_group(v, m, group, write_line, &k, err);
    bool overflow = k.line.overflow;
    px_buf_clear(&k.line);
    if (rc == 0 && (k.failed || fflush(k.f) != 0 || fsync(fileno(k.f)) != 0))
        rc = overflow ? px_fail(err, PX_ELIMIT, "a sample is too long for %s", path)
                      : px_fail_errno(err, "cannot write %s", path);
    if (fclose(k.f) != 0 && rc == 0)
        rc = px_fail_errno(err, "cannot write %s", path);
    return rc;
}

static int write_groups(struct store_view *v, const struct run_stats *r, const char *top,
                        struct px_err *err)
{
    const struct manifest *m = r->manifest;
    char **dirs = cell_directories(m);
    int rc = px_mkdirs(top, 0755, err);
    for (uint32_t i = 0; i < m->n_groups && rc == 0; i++) {
        const struct manifest_group *g = &m->groups[i];
        PX_FREE char *dir = px_path_join(top, dirs[g->cell]);
        PX_FREE char *task = file_name(m->tasks[g->task].name, true, g->task);
        PX_FREE char *path = px_xasprintf("%s/%s.jsonl", dir, task);
        rc = px_mkdirs(dir, 0755, err);
        if (rc == 0)
            rc = write_group(v, m, i, path, err);
    }
    for (uint32_t i = 0; i < m->n_cells; i++)
        free(dirs[i]);
    free(dirs);
    return rc;
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

static int replace_files(struct store *s, const char *run_dir, const struct run_stats *r,
                         const struct alarms *a, struct px_err *err)
{
    PX_FREE char *dir = px_path_join(run_dir, "samples");
    PX_FREE char *fresh = px_path_join(run_dir, "samples.new");
    PX_FREE char *results = px_path_join(run_dir, "results.json");
    struct px_buf json;
    px_buf_init(&json, RESULTS_LIMIT);
    results_json(r, a, &json);
    int rc = remove_tree(fresh, err);
    struct store_view *v = rc == 0 ? store_view_begin(s, err) : NULL;
    rc = v ? write_groups(v, r, fresh, err) : -1;
    store_view_end(&v);
    if (rc == 0)
        rc = take_place(fresh, dir, err);
    if (rc == 0)
        rc = px_write_file(results, json.data, json.len, err);
    px_buf_clear(&json);
    return rc;
}

int report_export(struct store *s, const char *run_dir, bool *failed, struct px_buf *table,
                  struct px_err *err)
{
    struct alarms a;
    struct run_stats *r = collect_run(s, err);
    if (!r)
        return -1;
    alarms_find(r, &a);
    int rc = replace_files(s, run_dir, r, &a, err);
    *failed = alarms_failed(&a);
    if (table)
        table_write(r, &a, table);
    alarms_clear(&a);
    run_stats_free(&r);
    return rc;
}
