/* table_parts.c - see table_parts.h. */
#include "coordinator/report/table_parts.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/report/gates.h"

/* ---- subsets ---- */

static void put_number(struct px_buf *out, bool percent, double v)
{
    if (!isfinite(v))
        px_buf_printf(out, " %7s", "-");
    else if (percent)
        px_buf_printf(out, " %7.1f", 100 * v);
    else
        px_buf_printf(out, " %7.4g", v);
}

static int name_width(const struct group_stats *g, bool subsets)
{
    size_t width = 5;
    for (uint32_t i = 0; i < g->n_families; i++)
        width = strlen(g->families[i].name) > width ? strlen(g->families[i].name) : width;
    for (uint32_t i = 0; subsets && i < g->n_subsets; i++)
        width = strlen(g->subsets[i].name) > width ? strlen(g->subsets[i].name) : width;
    return (int)(width < 40 ? width : 40);
}

/* How much of it there is: "3 of 57 subsets, 10 of 12 done"; nothing when all is. */
static void put_coverage(struct px_buf *out, const struct part_stats *p)
{
    if (p->n_subsets < p->of_subsets)
        px_buf_printf(out, "  %u of %u subsets", p->n_subsets, p->of_subsets);
    if (p->done < p->n)
        px_buf_printf(out, "  %llu of %llu done", (unsigned long long)p->done,
                      (unsigned long long)p->n);
    px_buf_char(out, '\n');
}

static void write_parts(const struct group_stats *g, bool percent, bool subsets, const char *label,
                        struct px_buf *out)
{
    int width = name_width(g, subsets);
    px_buf_printf(out, "\n%s by group, %s: micro over problems, macro over subsets\n", label,
                  g->task->name);
    px_buf_printf(out, "%-*s %7s %7s %7s %7s\n", width, "", "n", "micro", "std.err", "macro");
    for (uint32_t f = 0; f < g->n_families; f++) {
        const struct part_stats *p = &g->families[f];
        px_buf_printf(out, "%-*.40s %7u", width, p->name, p->n_problems);
        put_number(out, percent, p->value[0]);
        put_number(out, percent, p->std_error[0]);
        put_number(out, percent, p->macro[0]);
        put_coverage(out, p);
    }
    for (uint32_t i = 0; subsets && i < g->n_subsets; i++) {
        const struct part_stats *p = &g->subsets[i];
        if (p->n_problems == 0)
            continue;
        px_buf_printf(out, "%-*.40s %7u", width, p->name, p->n_problems);
        put_number(out, percent, p->value[0]);
        put_number(out, percent, p->std_error[0]);
        put_coverage(out, p);
    }
}

void table_parts(const struct run_stats *r, uint32_t task, char *const *labels, struct px_buf *out)
{
    uint32_t n = 0;
    bool percent = task_in_percent(r, task);
    for (uint32_t i = 0; i < r->n_groups; i++)
        n += r->groups[i].group->task == task;
    for (uint32_t i = 0; i < r->n_groups; i++) {
        const struct group_stats *g = &r->groups[i];
        if (g->group->task == task && g->n_subsets && g->outcomes[OUTCOME_UNSCORED] != g->n)
            write_parts(g, percent, n == 1, labels[g->group->cell], out);
    }
}

/* ---- several samples ---- */

/* Every k is in results.json; a line has room for the usual ones. */
static bool usual(uint32_t k, uint32_t samples)
{
    static const uint32_t list[] = {1, 2, 3, 5, 10, 20, 50, 100, 200, 500};
    for (size_t i = 0; i < sizeof list / sizeof *list; i++)
        if (k == list[i])
            return true;
    return k == samples;
}

void table_passes(const struct run_stats *r, uint32_t task, char *const *labels, struct px_buf *out)
{
    for (uint32_t i = 0; i < r->n_groups; i++) {
        const struct group_stats *g = &r->groups[i];
        if (g->group->task != task || g->n_pass_at < 3)
            continue;
        px_buf_printf(out, "%s, pass@k:", labels[g->group->cell]);
        for (uint32_t k = 0; k < g->n_pass_at; k++)
            if (usual(g->pass_at[k].k, g->samples))
                px_buf_printf(out, "  %u: %.1f", g->pass_at[k].k, 100 * g->pass_at[k].value);
        px_buf_char(out, '\n');
    }
}

/* ---- pairwise judgements ---- */

void table_duels(const struct run_stats *r, uint32_t task, char *const *labels, struct px_buf *out)
{
    for (uint32_t i = 0; i < r->n_groups; i++) {
        const struct group_stats *g = &r->groups[i];
        const struct duel *d = &g->duel;
        if (g->group->task != task || !d->valid)
            continue;
        px_buf_printf(out, "%s against %s: ", labels[g->group->cell],
                      labels[r->groups[g->group->opponent].group->cell]);
        if (d->pairs)
            px_buf_printf(out,
                          "%llu wins, %llu ties, %llu losses of %llu pairs: win rate %.1f %%; the "
                          "order changed %.1f %%",
                          (unsigned long long)d->wins, (unsigned long long)d->ties,
                          (unsigned long long)d->losses, (unsigned long long)d->pairs,
                          100 * duel_win_rate(d), 100 * duel_flip_rate(d));
        else
            px_buf_str(out, "no pair was judged");
        if (d->unjudged)
            px_buf_printf(out, "; %llu pairs not judged", (unsigned long long)d->unjudged);
        px_buf_char(out, '\n');
    }
}

/* ---- shared heads ---- */

void table_sharing(const struct run_stats *r, uint32_t task, struct px_buf *out)
{
    uint64_t all = 0, computed = 0;
    for (uint32_t i = 0; i < r->n_groups; i++) {
        if (r->groups[i].group->task != task)
            continue;
        all += r->groups[i].prompt_tokens;
        computed += r->groups[i].prompt_computed;
    }
    if (computed && (double)computed < 0.9995 * (double)all)
        px_buf_printf(out, "prompt tokens: %llu, computed %.1f %%, the others were shared\n",
                      (unsigned long long)all, 100 * (double)computed / (double)all);
}

/* ---- accidents ---- */

void table_accidents(const struct run_stats *r, char *const *labels, struct px_buf *out)
{
    bool any = false;
    for (uint32_t i = 0; i < r->n_groups; i++) {
        const struct group_stats *g = &r->groups[i];
        for (int k = 0; k < N_ACCIDENTS; k++) {
            if (!g->accidents[k])
                continue;
            if (!any)
                px_buf_str(out, "\naccidents (units, share):\n");
            any = true;
            px_buf_printf(out, "  %-16s %7llu %6.2f %%  %s, %s\n", accident_name(k),
                          (unsigned long long)g->accidents[k],
                          100 * (double)g->accidents[k] / (double)g->n, labels[g->group->cell],
                          g->task->name);
        }
    }
}

/* ---- gates ---- */

void table_gates(const struct run_stats *r, char *const *labels, struct px_buf *out)
{
    for (uint32_t i = 0; i < r->n_gates; i++) {
        const struct gate_result *g = &r->gates[i];
        const struct group_stats *of = &r->groups[g->group];
        px_buf_printf(out, "%sgate %s: ", i ? "" : "\n", gate_state_name(g->state));
        gate_write(g->gate, out);
        px_buf_printf(out, "; %s, %s: ", labels[of->group->cell], of->task->name);
        if (isfinite(g->value))
            px_buf_printf(out, "%.4g", g->value);
        else
            px_buf_str(out, "no value");
        if (g->done < g->n)
            px_buf_printf(out, " after %llu of %llu units", (unsigned long long)g->done,
                          (unsigned long long)g->n);
        px_buf_printf(out, "%s\n", gate_failed(g) ? " (fails the run)" : "");
    }
}

/* ---- speeds ---- */

static void write_anomaly(const struct group_stats *g, const struct speed_anomaly *a,
                          const char *label, struct px_buf *out)
{
    const struct host_speed *hosts = g->speeds.hosts;
    if (!a->found)
        return;
    px_buf_printf(out, "warning: %s, %s: ", label, g->task->name);
    if (a->over_time)
        px_buf_printf(out, "host %s was %.1f times as fast in the %s half of the same work",
                      hosts[a->fast].host, a->fast_rate / a->slow_rate,
                      a->slowed_down ? "earlier" : "later");
    else
        px_buf_printf(out, "host %s is %.1f times as fast as %s at the same work",
                      hosts[a->fast].host, a->fast_rate / a->slow_rate, hosts[a->slow].host);
    px_buf_printf(out, " (%.1f and %.1f tokens/s)\n", a->fast_rate, a->slow_rate);
}

void table_speeds(const struct run_stats *r, char *const *labels, struct px_buf *out)
{
    for (uint32_t i = 0; i < r->n_groups; i++) {
        const struct group_stats *g = &r->groups[i];
        write_anomaly(g, &g->speeds.between, labels[g->group->cell], out);
        write_anomaly(g, &g->speeds.within, labels[g->group->cell], out);
    }
}
