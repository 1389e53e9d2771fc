/* samples.c - per-sample records out of the store: to a callback, filtered. */
#include <string.h>

#include "coordinator/report/collect.h"
#include "coordinator/report/labels.h"
#include "coordinator/report/report.h"
#include "coordinator/report/sample_json.h"

enum { LINE_LIMIT = 256 << 20 };

struct sieve {
    const struct samples_filter *f;
    report_line_fn fn;
    void *ctx;
    struct px_buf line;
    bool stopped;
};

static bool verdict_fits(const struct sample *s, const char *want)
{
    return !want || strcmp(outcome_name(outcome_of(s)), want) == 0 ||
           (sample_done(s) && strcmp(verdict_class_name(sample_class(s)), want) == 0);
}

static bool pass_sample(void *ctx, const struct sample *s)
{
    struct sieve *v = ctx;
    if ((!s->has_completion && !s->quarantine) || !verdict_fits(s, v->f->verdict))
        return true;
    px_buf_reset(&v->line);
    sample_json(s, &v->line);
    v->stopped = !v->fn(v->ctx, (const char *)v->line.data, v->line.len);
    return !v->stopped;
}

/* ---- filters that cannot match anything are mistakes ---- */

static int check_task(const struct manifest *m, const char *task, struct px_err *err)
{
    struct px_buf all;
    px_buf_init(&all, 600);
    for (uint32_t i = 0; i < m->n_tasks; i++) {
        if (strcmp(m->tasks[i].name, task) == 0) {
            px_buf_clear(&all);
            return 0;
        }
        px_buf_printf(&all, "%s%s", i ? ", " : "", m->tasks[i].name);
    }
    px_fail(err, PX_EUSAGE, "the run has no task '%.100s'; it has %s", task,
            all.len ? (const char *)all.data : "none");
    px_buf_clear(&all);
    return -1;
}

static int check_verdict(const char *want, struct px_err *err)
{
    struct px_buf all;
    px_buf_init(&all, 900);
    for (int i = 1; i < N_CLASSES; i++) {
        const char *name = verdict_class_name((enum verdict_class)i);
        if (strcmp(name, want) == 0)
            goto known;
        px_buf_printf(&all, "%s%s", i > 1 ? ", " : "", name);
    }
    for (int i = 0; i < N_OUTCOMES; i++) {
        if (strcmp(outcome_name((enum outcome)i), want) == 0)
            goto known;
        px_buf_printf(&all, ", %s", outcome_name((enum outcome)i));
    }
    px_fail(err, PX_EUSAGE, "no verdict is called '%.100s'; there are %s", want,
            (const char *)all.data);
    px_buf_clear(&all);
    return -1;
known:
    px_buf_clear(&all);
    return 0;
}

static int check_filter(const struct manifest *m, const struct samples_filter *f,
                        struct px_err *err)
{
    if (f->task && check_task(m, f->task, err) != 0)
        return -1;
    return f->verdict ? check_verdict(f->verdict, err) : 0;
}

int report_samples(struct store *s, const struct samples_filter *f, report_line_fn fn, void *ctx,
                   struct px_err *err)
{
    struct sieve v = {.f = f, .fn = fn, .ctx = ctx};
    struct manifest *m = manifest_read(s, err);
    if (!m)
        return -1;
    int rc = check_filter(m, f, err);
    const char *cell = rc == 0 && f->cell ? cell_name_find(m, f->cell, err) : NULL;
    if (f->cell && !cell)
        rc = -1;
    struct store_view *view = rc == 0 ? store_view_begin(s, err) : NULL;
    if (!view)
        rc = -1;
    px_buf_init(&v.line, LINE_LIMIT);
    for (uint32_t i = 0; i < m->n_groups && rc == 0 && !v.stopped; i++) {
        const struct manifest_group *g = &m->groups[i];
        if (f->task && strcmp(m->tasks[g->task].name, f->task) != 0)
            continue;
        if (cell && !cell_has_name(&m->cells[g->cell], cell))
            continue;
        rc = (f->tokens ? walk_group_tokens : walk_group)(view, m, i, pass_sample, &v, err);
    }
    px_buf_clear(&v.line);
    store_view_end(&view);
    manifest_free(&m);
    return rc;
}
