/* table.c - see table.h. Columns that are empty for every row of a task are left out. */
#include "coordinator/report/table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/report/labels.h"
#include "coordinator/report/table_parts.h"
#include "proto/mem.h"

enum { CELL_TEXT = 24, MAX_COLUMNS = 16 };

/* Writes a group's entry, "" when there is none. */
typedef void (*column_fn)(const struct run_stats *r, const struct group_stats *g,
                          char out[CELL_TEXT]);

struct column {
    const char *title;
    column_fn write;
    bool optional; /* left out when every row is empty or zero */
};

static bool in_percent(const struct run_stats *r, const struct group_stats *g)
{
    return task_in_percent(r, g->group->task);
}

/* In percent with one digit, or as it is with four. */
static void number(bool percent, double v, char out[CELL_TEXT])
{
    if (!isfinite(v))
        snprintf(out, CELL_TEXT, "-");
    else if (percent)
        snprintf(out, CELL_TEXT, "%.1f", 100 * v);
    else
        snprintf(out, CELL_TEXT, "%.4g", v);
}

static void range(bool percent, struct interval v, char out[CELL_TEXT])
{
    char lo[CELL_TEXT], hi[CELL_TEXT];
    number(percent, v.lo, lo);
    number(percent, v.hi, hi);
    if (isfinite(v.lo))
        snprintf(out, CELL_TEXT, "%.10s-%.10s", lo, hi);
}

static bool scored(const struct group_stats *g)
{
    return g->outcomes[OUTCOME_UNSCORED] != g->n;
}

/* What is missing counts as not right: a share can only grow. */
static void value(const struct run_stats *r, const struct group_stats *g, char out[CELL_TEXT])
{
    char text[CELL_TEXT];
    if (!scored(g))
        return;
    number(in_percent(r, g), g->metrics[0].value, text);
    const char *mark = g->done == g->n ? "" : g->metrics[0].share ? ">=" : "~";
    snprintf(out, CELL_TEXT, "%s%.20s", mark, text);
}

static void interval(const struct run_stats *r, const struct group_stats *g, char out[CELL_TEXT])
{
    if (scored(g))
        range(in_percent(r, g), g->metrics[0].interval, out);
}

static void by_extractor(const struct run_stats *r, const struct group_stats *g,
                         char out[CELL_TEXT])
{
    const struct spread *s = &g->spread;
    double least = g->metrics[s->lowest].value, most = g->metrics[s->highest].value;
    if (s->n > 1 && scored(g) && least < most)
        range(in_percent(r, g), (struct interval){least, most}, out);
}

static void majority(const struct run_stats *r, const struct group_stats *g, char out[CELL_TEXT])
{
    if (g->majority.valid)
        number(in_percent(r, g), g->majority.value, out);
}

static void count(uint64_t n, char out[CELL_TEXT])
{
    snprintf(out, CELL_TEXT, "%llu", (unsigned long long)n);
}

static void wrong(const struct run_stats *r, const struct group_stats *g, char out[CELL_TEXT])
{
    (void)r;
    count(g->outcomes[OUTCOME_WRONG], out);
}

static void unparsed(const struct run_stats *r, const struct group_stats *g, char out[CELL_TEXT])
{
    (void)r;
    count(g->outcomes[OUTCOME_UNPARSED], out);
}

static void truncated(const struct run_stats *r, const struct group_stats *g, char out[CELL_TEXT])
{
    (void)r;
    count(g->outcomes[OUTCOME_TRUNCATED], out);
}

static void timed_out(const struct run_stats *r, const struct group_stats *g, char out[CELL_TEXT])
{
    (void)r;
    count(g->outcomes[OUTCOME_TIMEOUT], out);
}

static void failed(const struct run_stats *r, const struct group_stats *g, char out[CELL_TEXT])
{
    (void)r;
    count(g->outcomes[OUTCOME_ERROR] + g->outcomes[OUTCOME_QUARANTINED] +
              g->outcomes[OUTCOME_OVERFLOW] + g->outcomes[OUTCOME_TOO_LONG],
          out);
}

static void missing(const struct run_stats *r, const struct group_stats *g, char out[CELL_TEXT])
{
    (void)r;
    count(g->outcomes[OUTCOME_MISSING], out);
}

static void last_pass_at(const struct run_stats *r, const struct group_stats *g,
                         char out[CELL_TEXT])
{
    (void)r;
    if (g->n_pass_at)
        snprintf(out, CELL_TEXT, "%.1f", 100 * g->pass_at[g->n_pass_at - 1].value);
}

static void speed(const struct run_stats *r, const struct group_stats *g, char out[CELL_TEXT])
{
    (void)r;
    double v = speeds_decode(&g->speeds);
    if (v > 0)
        snprintf(out, CELL_TEXT, v < 100 ? "%.1f" : "%.0f", v);
}

static void speedup(const struct run_stats *r, const struct group_stats *g, char out[CELL_TEXT])
{
    (void)r;
    if (g->pairing.valid && g->pairing.speed_ratio > 0)
        snprintf(out, CELL_TEXT, "%.2f/%.2f", g->pairing.speed_ratio, g->cell->speedup_bound);
}

static bool tested(const struct group_stats *g)
{
    return g->pairing.valid && scored(g) && isfinite(g->pairing.difference);
}

static void difference(const struct run_stats *r, const struct group_stats *g, char out[CELL_TEXT])
{
    if (tested(g))
        snprintf(out, CELL_TEXT, in_percent(r, g) ? "%+.1f" : "%+.3g",
                 in_percent(r, g) ? 100 * g->pairing.difference : g->pairing.difference);
}

static void p_value(const struct run_stats *r, const struct group_stats *g, char out[CELL_TEXT])
{
    (void)r;
    if (tested(g) && g->pairing.p < 0.001)
        snprintf(out, CELL_TEXT, "<.001");
    else if (tested(g))
        snprintf(out, CELL_TEXT, "%.3f", g->pairing.p);
}

static const struct column columns[] = {
    {"value", value, false},
    {"95% interv.", interval, false},
    {"extractors", by_extractor, true},
    {"wrong", wrong, true},
    {"unpar", unparsed, true},
    {"trunc", truncated, true},
    {"time", timed_out, true},
    {"error", failed, true},
    {"missing", missing, true},
    {"pass@n", last_pass_at, true},
    {"maj@n", majority, true},
    {"tok/s", speed, true},
    {"x/bound", speedup, true},
    {"diff", difference, true},
    {"p", p_value, true},
};
enum { N_COLUMNS = sizeof columns / sizeof *columns };

static bool shown(const struct run_stats *r, uint32_t task, const struct column *c)
{
    for (uint32_t i = 0; i < r->n_groups; i++) {
        char text[CELL_TEXT] = "";
        if (r->groups[i].group->task != task)
            continue;
        c->write(r, &r->groups[i], text);
        if (text[0] && strcmp(text, "0") != 0)
            return true;
    }
    return !c->optional;
}

struct layout {
    const struct run_stats *r;
    uint32_t task;
    char **labels;
    bool show[N_COLUMNS];
    int width[N_COLUMNS], label_width;
};

static int longer(int a, size_t b)
{
    return a > (int)b ? a : (int)b;
}

static void measure(struct layout *l)
{
    l->label_width = 4;
    for (int k = 0; k < N_COLUMNS; k++) {
        l->show[k] = shown(l->r, l->task, &columns[k]);
        l->width[k] = (int)strlen(columns[k].title);
    }
    for (uint32_t i = 0; i < l->r->n_groups; i++) {
        const struct group_stats *g = &l->r->groups[i];
        if (g->group->task != l->task)
            continue;
        l->label_width = longer(l->label_width, strlen(l->labels[g->group->cell]));
        for (int k = 0; k < N_COLUMNS; k++) {
            char text[CELL_TEXT] = "";
            columns[k].write(l->r, g, text);
            l->width[k] = longer(l->width[k], strlen(text));
        }
    }
}

static void write_row(const struct layout *l, const struct group_stats *g, struct px_buf *out)
{
    int blanks = 0; /* owed, so that no line ends with them */
    px_buf_printf(out, "%-*s", l->label_width, g ? l->labels[g->group->cell] : "cell");
    for (int k = 0; k < N_COLUMNS; k++) {
        char text[CELL_TEXT] = "";
        if (!l->show[k])
            continue;
        if (g)
            columns[k].write(l->r, g, text);
        const char *entry = g ? text : columns[k].title;
        int n = (int)strlen(entry);
        blanks += 1 + l->width[k] - n;
        if (n) {
            px_buf_printf(out, "%*s%s", blanks, "", entry);
            blanks = 0;
        }
    }
    px_buf_char(out, '\n');
}

/* What answers that need no model score: a value means little without it. */
static void write_bounds(const struct layout *l, bool percent, struct px_buf *out)
{
    const struct bounds *b = &l->r->bounds[l->task];
    const struct {
        double v;
        const char *words;
    } known[] = {{b->reference, "reference answers (ceiling)"},
                 {b->first, "always the first choice"},
                 {b->empty, "empty answers"}};
    bool any = false;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        char text[CELL_TEXT];
        if (!isfinite(known[i].v))
            continue;
        number(percent, known[i].v, text);
        px_buf_printf(out, "%s%s %s", any ? ", " : "known: ", known[i].words, text);
        any = true;
    }
    if (any)
        px_buf_char(out, '\n');
}

/* Facts that hold for every row stand once, above the table. */
static void write_heading(const struct layout *l, struct px_buf *out)
{
    const struct manifest_task *t = &l->r->manifest->tasks[l->task];
    const struct group_stats *first = NULL;
    bool same_n = true;
    for (uint32_t i = 0; i < l->r->n_groups; i++) {
        const struct group_stats *g = &l->r->groups[i];
        if (g->group->task != l->task)
            continue;
        same_n = same_n && (!first || (g->n == first->n && g->samples == first->samples));
        first = first ? first : g;
    }
    bool percent = task_in_percent(l->r, l->task);
    px_buf_printf(out, "\n%s%s%s", t->name, *t->compat ? " as " : "", t->compat);
    if (first && scored(first))
        px_buf_printf(out, ", %s%s", t->headline, percent ? " in %" : "");
    if (first && same_n)
        px_buf_printf(out, ", n = %u", first->n_problems);
    if (first && same_n && first->n_problems < t->n_problems)
        px_buf_printf(out, " of %u (not the whole set)", t->n_problems);
    if (first && same_n && first->samples > 1)
        px_buf_printf(out, " x %u samples", first->samples);
    if (first && same_n && first->turns > 1)
        px_buf_printf(out, " x %u turns", first->turns);
    px_buf_str(out, t->lower_is_better ? ", lower is better\n" : "\n");
    write_bounds(l, percent, out);
}

static void write_task(const struct run_stats *r, uint32_t task, char **labels, struct px_buf *out)
{
    struct layout l = {.r = r, .task = task, .labels = labels};
    bool any = false;
    for (uint32_t i = 0; i < r->n_groups; i++)
        any = any || r->groups[i].group->task == task;
    if (!any)
        return;
    measure(&l);
    write_heading(&l, out);
    write_row(&l, NULL, out);
    for (uint32_t i = 0; i < r->n_groups; i++)
        if (r->groups[i].group->task == task)
            write_row(&l, &r->groups[i], out);
    table_parts(r, task, labels, out);
    table_passes(r, task, labels, out);
    table_duels(r, task, labels, out);
    table_sharing(r, task, out);
}

static void write_names(const struct manifest *m, char **labels, struct px_buf *out)
{
    bool first = true;
    for (uint32_t i = 0; i < m->n_cells; i++) {
        const struct manifest_cell *c = &m->cells[i];
        if (c->n_names < 2)
            continue;
        px_buf_printf(out, "%s%s", first ? "\n" : "", labels[i]);
        first = false;
        for (uint32_t k = 1; k < c->n_names; k++) {
            PX_FREE char *also = label_of_name(m, c->names[k]);
            px_buf_printf(out, " = %s", also);
        }
        px_buf_str(out, " (run once)\n");
    }
}

static void write_legend(const struct run_stats *r, struct px_buf *out)
{
    bool paired = false;
    for (uint32_t i = 0; i < r->n_groups; i++)
        paired = paired || r->groups[i].pairing.valid;
    if (paired)
        px_buf_str(out,
                   "\nx/bound: decode speed over the cell without layer reuse / its upper "
                   "bound\ndiff, p: against that cell; exact McNemar test, or paired bootstrap\n");
}

static void write_alarms(const struct run_stats *r, const struct alarms *a, char **labels,
                         struct px_buf *out)
{
    if (a->n)
        px_buf_str(out, "\n");
    for (uint32_t i = 0; i < a->n; i++) {
        const struct group_stats *g = &r->groups[a->list[i].group];
        px_buf_printf(out, "%s: %s, %s: %s\n", alarm_severity_name(a->list[i].severity),
                      labels[g->group->cell], g->task->name, a->list[i].text);
    }
    if (r->lost)
        px_buf_printf(out, "\nnote: %llu damaged records were set aside in the store\n",
                      (unsigned long long)r->lost);
}

void table_write(const struct run_stats *r, const struct alarms *a, struct px_buf *out)
{
    const struct manifest *m = r->manifest;
    char **labels = labels_make(m);
    uint64_t n = 0, done = 0;
    for (uint32_t i = 0; i < r->n_groups; i++) {
        n += r->groups[i].n;
        done += r->groups[i].done;
    }
    px_buf_printf(out, "%s: %llu of %llu units done, seed %llu\n", m->recipe,
                  (unsigned long long)done, (unsigned long long)n, (unsigned long long)m->seed);
    for (uint32_t t = 0; t < m->n_tasks; t++)
        write_task(r, t, labels, out);
    write_names(m, labels, out);
    write_legend(r, out);
    table_accidents(r, labels, out);
    table_gates(r, labels, out);
    write_alarms(r, a, labels, out);
    table_speeds(r, labels, out);
    labels_free(&labels, m->n_cells);
}
