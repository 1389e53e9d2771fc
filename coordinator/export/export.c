/* export.c - see export.h: which groups, whether they are whole, and the directory. */
#include "coordinator/export/export.h"

#include <errno.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/export/export_inner.h"
#include "coordinator/report/export_names.h"
#include "coordinator/report/labels.h"
#include "proto/clock.h"
#include "proto/file.h"
#include "proto/mem.h"

static const struct {
    const char *name;
    int (*write)(struct exporter *x, struct px_err *err);
} formats[] = {[EXPORT_LM_EVAL] = {"lm-eval", export_lm_eval},
               [EXPORT_HUMANEVAL] = {"humaneval", export_programs},
               [EXPORT_EVALPLUS] = {"evalplus", export_programs},
               [EXPORT_BIGCODE] = {"bigcode", export_programs},
               [EXPORT_INSPECT] = {"inspect", export_inspect},
               [EXPORT_CSV] = {"csv", export_report},
               [EXPORT_MARKDOWN] = {"md", export_report},
               [EXPORT_JSON] = {"json", export_report},
               [EXPORT_PREFERENCE] = {"preference", export_preference}};
enum { N_FORMATS = sizeof formats / sizeof *formats };
const char export_formats[] =
    "lm-eval, humaneval, evalplus, bigcode, inspect, csv, md, json, preference";

bool export_format_parse(const char *name, enum export_format *out)
{
    for (int i = 1; i < N_FORMATS; i++) {
        if (strcmp(formats[i].name, name) == 0) {
            *out = (enum export_format)i;
            return true;
        }
    }
    return false;
}

/* ---- which groups ---- */

/* Why the format has no place for a group; NULL: it has one. */
static const char *no_place(enum export_format f, const struct group_stats *g)
{
    if (f == EXPORT_CSV || f == EXPORT_MARKDOWN || f == EXPORT_JSON || f == EXPORT_PREFERENCE)
        return NULL;
    if (g->n == 0)
        return "has no problems";
    if (g->group->judged != MANIFEST_NONE)
        return "is a judge's";
    if (g->turns > 1)
        return "is a conversation";
    bool programs = f == EXPORT_HUMANEVAL || f == EXPORT_EVALPLUS || f == EXPORT_BIGCODE;
    return programs && strcmp(g->task->scorer, "code") != 0 ? "is no task of programs" : NULL;
}

static int no_task(const struct exporter *x, struct px_err *err)
{
    const struct manifest *m = x->run->manifest;
    struct px_buf all;
    px_buf_init(&all, 4096);
    for (uint32_t i = 0; i < m->n_tasks; i++)
        px_buf_printf(&all, "%s%s", i ? ", " : "", m->tasks[i].name);
    px_fail(err, PX_EUSAGE, "the run has no task '%.100s'%s%.100s; its tasks are %s", x->o->task,
            x->o->cell ? " in cell " : "", x->o->cell ? x->o->cell : "",
            all.len ? (const char *)all.data : "none");
    px_buf_clear(&all);
    return -1;
}

static int choose(struct exporter *x, struct px_err *err)
{
    bool named = false;
    const char *cell = x->o->cell ? cell_name_find(x->run->manifest, x->o->cell, err) : NULL;
    if (x->o->cell && !cell)
        return -1;
    x->chosen = px_xcalloc(x->run->n_groups + 1, sizeof *x->chosen);
    for (uint32_t i = 0; i < x->run->n_groups; i++) {
        const struct group_stats *g = &x->run->groups[i];
        if ((x->o->task && strcmp(x->o->task, g->task->name) != 0) ||
            (x->o->cell && !cell_has_name(g->cell, cell)))
            continue;
        named = true;
        if (no_place(x->o->format, g)) {
            x->counts->left_out++;
            continue;
        }
        x->chosen[i] = true;
        x->counts->groups++;
        if (g->last_wall_us > x->last_us)
            x->last_us = g->last_wall_us;
        if (!group_incomplete(g))
            continue;
        x->counts->incomplete++; /* also a part of the task that was run as a whole: marked */
        if (g->done < g->n && !x->o->allow_incomplete)
            return px_fail(err, PX_EINPUT,
                           "task %s of cell %s is incomplete (%llu of %llu units are done); finish "
                           "the run, or mark it with --allow-incomplete",
                           g->task->name, g->cell->names[0], (unsigned long long)g->done,
                           (unsigned long long)g->n);
    }
    if (!named && x->o->task)
        return no_task(x, err);
    if (x->counts->groups == 0)
        return px_fail(err, PX_EINPUT, "nothing of the run can be told in the format %s",
                       formats[x->o->format].name);
    return 0;
}

/* ---- the directory ---- */

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st, (void)kind, (void)at;
    return remove(path);
}

static void remove_tree(const char *dir)
{
    if (px_exists(dir))
        nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static int check_target(const char *dir, struct px_err *err)
{
    if (!px_exists(dir) || rmdir(dir) == 0)
        return 0;
    if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR)
        return px_fail(err, PX_EEXIST, "%s is there and not an empty directory", dir);
    return px_fail_errno(err, "cannot replace %s", dir);
}

/* What is incomplete stands in a file of its own too: not every format has a place for it. */
static int mark_incomplete(const struct exporter *x, struct px_err *err)
{
    struct px_buf b;
    if (x->counts->incomplete == 0)
        return 0;
    px_buf_init(&b, 16u << 20);
    px_buf_str(&b, "Not the whole task, or not finished, when it was exported:\n");
    for (uint32_t i = 0; i < x->run->n_groups; i++) {
        const struct group_stats *g = &x->run->groups[i];
        if (x->chosen[i] && group_incomplete(g))
            px_buf_printf(&b, "cell %s, task %s: %llu of %llu units done, %u of %u problems\n",
                          g->cell->names[0], g->task->name, (unsigned long long)g->done,
                          (unsigned long long)g->n, g->n_problems, g->task->n_problems);
    }
    int rc = export_put(x, "INCOMPLETE.txt", &b, err);
    px_buf_clear(&b);
    return rc;
}

static int write_all(struct exporter *x, struct px_err *err)
{
    char utc[32];
    if (choose(x, err) != 0)
        return -1;
    clk_utc_text(x->last_us, utc);
    for (char *p = utc; *p; p++)
        *p = *p == ':' ? '-' : *p;
    snprintf(x->stamp, sizeof x->stamp, "%.19s.%06lld", utc, (long long)(x->last_us % 1000000));
    if (px_mkdirs(x->dir, 0755, err) != 0 || formats[x->o->format].write(x, err) != 0)
        return -1;
    return mark_incomplete(x, err);
}

static void free_cells(struct exporter *x)
{
    for (uint32_t i = 0; x->cells && i < x->run->manifest->n_cells; i++)
        free(x->cells[i]);
    free(x->cells);
}

int export_run(struct store *s, const struct export_options *o, struct export_counts *counts,
               struct px_err *err)
{
    size_t n = strlen(o->dir);
    while (n > 1 && o->dir[n - 1] == '/')
        n--;
    PX_FREE char *dir = px_xasprintf("%.*s.part.%d", (int)n, o->dir, (int)getpid());
    struct exporter x = {.o = o, .counts = counts, .store = s, .dir = dir};
    *counts = (struct export_counts){0};
    if (check_target(o->dir, err) != 0)
        return -1;
    x.run = collect_run(s, err);
    x.view = x.run ? store_view_begin(s, err) : NULL;
    int rc = x.view ? 0 : -1;
    if (rc == 0) {
        x.cells = export_cell_names(x.run->manifest);
        rc = write_all(&x, err);
    }
    if (rc == 0 && rename(dir, o->dir) != 0)
        rc = px_fail_errno(err, "cannot rename %s to %s", dir, o->dir);
    if (rc != 0)
        remove_tree(dir);
    store_view_end(&x.view);
    free_cells(&x);
    free(x.chosen);
    run_stats_free(&x.run);
    return rc;
}
