/* graded.c - verdicts of a run of one group, by problem and sample. */
#include "coordinator/recorded/graded.h"

#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"

static bool take(void *ctx, const struct sample *s)
{
    struct graded *g = ctx;
    struct grade *out = &g->list[s->index];
    out->done = sample_done(s);
    out->class = sample_class(s);
    out->value = sample_value(s);
    if (!s->has_verdict)
        return true;
    const struct verdict *v = &s->verdict;
    out->extracted = px_xmemdup(v->extracted ? v->extracted : "", v->n_extracted);
    out->n_extracted = v->n_extracted;
    out->rule = px_xstrdup(v->rule ? v->rule : "");
    out->exception = px_xstrdup(v->exception ? v->exception : "");
    out->n_metrics = v->n_metrics;
    out->metrics = px_xcalloc((size_t)v->n_metrics + 1, sizeof *out->metrics);
    for (uint32_t i = 0; i < v->n_metrics; i++)
        out->metrics[i] =
            (struct metric_value){px_xstrdup(v->metrics[i].name), v->metrics[i].value};
    return true;
}

int graded_read(struct store *s, uint32_t group, uint32_t samples, struct graded *out,
                struct px_err *err)
{
    struct graded g = {.group = group, .samples = samples};
    g.manifest = manifest_read(s, err);
    if (!g.manifest)
        return -1;
    struct store_view *v = NULL;
    int rc =
        group < g.manifest->n_groups
            ? 0
            : px_fail(err, PX_EINTERNAL, "a run of recorded completions has no group %u", group);
    if (rc == 0) {
        g.n = g.manifest->groups[group].n_units;
        g.list = px_xcalloc((size_t)g.n + 1, sizeof *g.list);
        v = store_view_begin(s, err);
        rc = v ? walk_group(v, g.manifest, group, take, &g, err) : -1;
    }
    store_view_end(&v);
    if (rc != 0)
        graded_clear(&g);
    else
        *out = g;
    return rc;
}

void graded_clear(struct graded *g)
{
    for (uint32_t i = 0; i < g->n && g->list; i++) {
        struct grade *x = &g->list[i];
        for (uint32_t k = 0; k < x->n_metrics; k++)
            free(x->metrics[k].name);
        free(x->metrics);
        free(x->extracted);
        free(x->rule);
        free(x->exception);
    }
    free(g->list);
    manifest_free(&g->manifest);
    memset(g, 0, sizeof *g);
}

const double *grade_metric(const struct grade *g, const char *name)
{
    for (uint32_t i = 0; i < g->n_metrics; i++)
        if (strcmp(g->metrics[i].name, name) == 0)
            return &g->metrics[i].value;
    return NULL;
}
