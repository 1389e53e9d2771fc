/* pages.c - see pages.h. */
#include "coordinator/report/pages.h"

#include <math.h>
#include <string.h>

#include "proto/json.h"

static bool scored(const struct group_stats *g)
{
    return g->outcomes[OUTCOME_UNSCORED] != g->n;
}

static uint64_t other_errors(const struct group_stats *g)
{
    return g->outcomes[OUTCOME_ERROR] + g->outcomes[OUTCOME_QUARANTINED] +
           g->outcomes[OUTCOME_OVERFLOW] + g->outcomes[OUTCOME_TOO_LONG];
}

/* ---- Markdown ---- */

/* Text inside a table: bars and line ends would break the row. */
static void md_text(struct px_buf *out, const char *s)
{
    for (; *s; s++) {
        if (*s == '|')
            px_buf_char(out, '\\');
        px_buf_char(out, *s == '\n' || *s == '\r' ? ' ' : *s);
    }
}

static void md_names(struct px_buf *out, const struct manifest_cell *c)
{
    for (uint32_t i = 0; i < c->n_names; i++) {
        if (i)
            px_buf_str(out, "<br>");
        md_text(out, c->names[i]);
    }
}

static void md_value(struct px_buf *out, const struct group_stats *g)
{
    struct interval v = g->metrics[0].interval;
    if (!scored(g)) {
        px_buf_str(out, " - | - ");
        return;
    }
    px_buf_printf(out, " %s%.1f |", g->done < g->n ? "&ge; " : "", 100 * g->metrics[0].value);
    if (isfinite(v.lo))
        px_buf_printf(out, " %.1f - %.1f ", 100 * v.lo, 100 * v.hi);
    else
        px_buf_str(out, " - ");
}

static void md_row(struct px_buf *out, const struct group_stats *g)
{
    const struct pairing *p = &g->pairing;
    px_buf_str(out, "| ");
    md_names(out, g->cell);
    px_buf_str(out, " | ");
    md_text(out, g->task->name);
    px_buf_str(out, " | ");
    md_text(out, g->task->headline);
    px_buf_str(out, " |");
    md_value(out, g);
    px_buf_printf(out, "| %llu |", (unsigned long long)g->n);
    static const enum outcome shown[] = {OUTCOME_WRONG, OUTCOME_UNPARSED, OUTCOME_TRUNCATED,
                                         OUTCOME_TIMEOUT};
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        px_buf_printf(out, " %llu |", (unsigned long long)g->outcomes[shown[i]]);
    px_buf_printf(out, " %llu | %llu | %llu |", (unsigned long long)other_errors(g),
                  (unsigned long long)g->outcomes[OUTCOME_MISSING],
                  (unsigned long long)g->generated_tokens);
    px_buf_printf(out, " %.1f | %.1f |", group_prefill_speed(g), group_decode_speed(g));
    if (p->valid && p->speed_ratio > 0)
        px_buf_printf(out, " %.2f of %.2f |", p->speed_ratio, g->cell->speedup_bound);
    else
        px_buf_str(out, " - |");
    if (p->valid)
        px_buf_printf(out, " %+.1f | %.3g |\n", 100 * p->difference, p->p);
    else
        px_buf_str(out, " - | - |\n");
}

void page_markdown(const struct run_stats *r, const struct alarms *a, struct px_buf *out)
{
    const struct manifest *m = r->manifest;
    px_buf_str(out, "# ");
    md_text(out, m->recipe);
    px_buf_printf(out,
                  "\n\nSeed %llu. Values in percent of n with 95 %% intervals; what is missing or "
                  "failed counts as not right.\n\n",
                  (unsigned long long)m->seed);
    px_buf_str(out, "| cell | task | metric | value | 95 % interval | n | wrong | unparsed | "
                    "truncated | timed out | error | missing | tokens | prefill tok/s | decode "
                    "tok/s | speed-up of bound | difference | p |\n"
                    "|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n");
    for (uint32_t i = 0; i < r->n_groups; i++)
        md_row(out, &r->groups[i]);
    if (a->n)
        px_buf_str(out, "\n## Alarms\n\n");
    for (uint32_t i = 0; i < a->n; i++) {
        const struct group_stats *g = &r->groups[a->list[i].group];
        px_buf_printf(out, "* **%s** ", alarm_severity_name(a->list[i].severity));
        md_text(out, g->cell->names[0]);
        px_buf_str(out, ", ");
        md_text(out, g->task->name);
        px_buf_str(out, ": ");
        md_text(out, a->list[i].text);
        px_buf_char(out, '\n');
    }
}

/* ---- CSV ---- */

static void csv_text(struct px_buf *out, const char *s)
{
    bool quote = strpbrk(s, ",\"\r\n") != NULL;
    if (quote)
        px_buf_char(out, '"');
    for (; *s; s++) {
        if (*s == '"')
            px_buf_char(out, '"');
        px_buf_char(out, *s);
    }
    if (quote)
        px_buf_char(out, '"');
}

static void csv_number(struct px_buf *out, double v, bool there)
{
    px_buf_char(out, ',');
    if (there && isfinite(v))
        px_json_number(out, v);
}

static void csv_count(struct px_buf *out, uint64_t v)
{
    px_buf_printf(out, ",%llu", (unsigned long long)v);
}

static void csv_row(struct px_buf *out, const struct group_stats *g)
{
    const struct pairing *p = &g->pairing;
    struct px_buf names;
    px_buf_init(&names, 1 << 20);
    for (uint32_t i = 0; i < g->cell->n_names; i++) {
        px_buf_str(&names, i ? "; " : "");
        px_buf_str(&names, g->cell->names[i]);
    }
    csv_text(out, (const char *)names.data);
    px_buf_clear(&names);
    px_buf_char(out, ',');
    csv_text(out, g->cell->model);
    px_buf_char(out, ',');
    csv_text(out, g->task->name);
    px_buf_char(out, ',');
    csv_text(out, g->task->headline);
    csv_number(out, g->metrics[0].value, scored(g));
    csv_number(out, g->metrics[0].interval.lo, scored(g));
    csv_number(out, g->metrics[0].interval.hi, scored(g));
    csv_count(out, g->n);
    csv_count(out, g->samples);
    for (int i = 0; i < N_OUTCOMES; i++)
        csv_count(out, g->outcomes[i]);
    csv_count(out, g->prompt_tokens);
    csv_count(out, g->generated_tokens);
    csv_number(out, group_prefill_speed(g), group_prefill_speed(g) > 0);
    csv_number(out, group_decode_speed(g), group_decode_speed(g) > 0);
    csv_number(out, p->speed_ratio, p->valid && p->speed_ratio > 0);
    csv_number(out, g->cell->speedup_bound, g->cell->reuse_on);
    csv_number(out, p->difference, p->valid);
    csv_number(out, p->p, p->valid);
    px_buf_str(out, "\r\n");
}

void page_csv(const struct run_stats *r, struct px_buf *out)
{
    px_buf_str(out, "cell,model,task,metric,value,low,high,n,samples");
    for (int i = 0; i < N_OUTCOMES; i++)
        px_buf_printf(out, ",%s", outcome_name((enum outcome)i));
    px_buf_str(out, ",prompt_tokens,generated_tokens,prefill_tokens_per_s,decode_tokens_per_s,"
                    "speed_ratio,speedup_bound,difference,p\r\n");
    for (uint32_t i = 0; i < r->n_groups; i++)
        csv_row(out, &r->groups[i]);
}
