/* pages.c - see pages.h. */
#include "coordinator/report/pages.h"

#include <math.h>
#include <string.h>

#include "coordinator/report/gates.h"
#include "proto/json.h"

static bool scored(const struct group_stats *g)
{
    return g->outcomes[OUTCOME_UNSCORED] != g->n;
}

static uint64_t other_errors(const struct group_stats *g)
{
    uint64_t n = 0;
    for (int i = 0; i < N_OUTCOMES; i++)
        n += outcome_is_error((enum outcome)i) ? g->outcomes[i] : 0;
    return n;
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

/* In percent with one digit, or as it is with four. */
static void md_number(struct px_buf *out, bool percent, double v)
{
    if (!isfinite(v))
        px_buf_str(out, "-");
    else
        px_buf_printf(out, percent ? "%.1f" : "%.4g", percent ? 100 * v : v);
}

static void md_range(struct px_buf *out, bool percent, double lo, double hi)
{
    if (!isfinite(lo)) {
        px_buf_str(out, " - ");
        return;
    }
    px_buf_char(out, ' ');
    md_number(out, percent, lo);
    px_buf_str(out, " - ");
    md_number(out, percent, hi);
    px_buf_char(out, ' ');
}

static void md_value(struct px_buf *out, const struct run_stats *r, const struct group_stats *g)
{
    struct interval v = g->metrics[0].interval;
    const struct spread *s = &g->spread;
    const struct bounds *b = &r->bounds[g->group->task];
    bool percent = task_in_percent(r, g->group->task);
    if (!scored(g)) {
        px_buf_str(out, " - | - | - | - ");
        return;
    }
    px_buf_printf(out, " %s", g->done == g->n ? "" : g->metrics[0].share ? "&ge; " : "~ ");
    md_number(out, percent, g->metrics[0].value);
    px_buf_str(out, " |");
    md_range(out, percent, v.lo, v.hi);
    px_buf_char(out, '|');
    md_range(out, percent, s->n > 1 ? g->metrics[s->lowest].value : NAN,
             g->metrics[s->highest].value);
    px_buf_char(out, '|');
    md_range(out, percent, isnan(b->first) ? b->empty : b->first, b->reference);
}

/* n, and of how many when the task has more or not all are done. */
static void md_coverage(struct px_buf *out, const struct group_stats *g)
{
    px_buf_printf(out, "| %llu", (unsigned long long)g->n);
    if (g->n_problems < g->task->n_problems)
        px_buf_printf(out, " (%u of %u problems)", g->n_problems, g->task->n_problems);
    if (g->done < g->n)
        px_buf_printf(out, " (%llu done)", (unsigned long long)g->done);
    px_buf_str(out, " |");
}

static void md_row(struct px_buf *out, const struct run_stats *r, const struct group_stats *g)
{
    const struct pairing *p = &g->pairing;
    px_buf_str(out, "| ");
    md_names(out, g->cell);
    px_buf_str(out, " | ");
    md_text(out, g->task->name);
    px_buf_str(out, " | ");
    md_text(out, g->task->headline);
    px_buf_str(out, " |");
    md_value(out, r, g);
    md_coverage(out, g);
    static const enum outcome shown[] = {OUTCOME_WRONG, OUTCOME_UNPARSED, OUTCOME_TRUNCATED,
                                         OUTCOME_TIMEOUT};
    for (size_t i = 0; i < sizeof shown / sizeof *shown; i++)
        px_buf_printf(out, " %llu |", (unsigned long long)g->outcomes[shown[i]]);
    px_buf_printf(out, " %llu | %llu | %llu |", (unsigned long long)other_errors(g),
                  (unsigned long long)g->outcomes[OUTCOME_MISSING],
                  (unsigned long long)g->generated_tokens);
    px_buf_printf(out, " %.1f | %.1f |", speeds_prefill(&g->speeds), speeds_decode(&g->speeds));
    if (p->valid && p->speed_ratio > 0)
        px_buf_printf(out, " %.2f of %.2f |", p->speed_ratio, g->cell->speedup_bound);
    else
        px_buf_str(out, " - |");
    double scale = task_in_percent(r, g->group->task) ? 100 : 1;
    if (p->valid)
        px_buf_printf(out, " %+.3g | %.3g |\n", scale * p->difference, p->p);
    else
        px_buf_str(out, " - | - |\n");
}

static void md_part(struct px_buf *out, const struct group_stats *g, const struct part_stats *p,
                    bool percent, const char *group)
{
    px_buf_str(out, "| ");
    md_text(out, g->cell->names[0]);
    px_buf_str(out, " | ");
    md_text(out, g->task->name);
    px_buf_str(out, " | ");
    md_text(out, p->name);
    px_buf_str(out, " | ");
    md_text(out, group);
    px_buf_printf(out, " | %u", p->n_problems);
    if (p->n_subsets < p->of_subsets)
        px_buf_printf(out, " (%u of %u subsets)", p->n_subsets, p->of_subsets);
    if (p->done < p->n)
        px_buf_printf(out, " (%llu of %llu done)", (unsigned long long)p->done,
                      (unsigned long long)p->n);
    px_buf_str(out, " | ");
    md_number(out, percent, p->value[0]);
    px_buf_str(out, " | ");
    md_number(out, percent, p->std_error[0]);
    px_buf_str(out, " | ");
    md_number(out, percent, p->of_subsets > 1 || !*group ? p->macro[0] : NAN);
    px_buf_str(out, " |\n");
}

static void md_subsets(struct px_buf *out, const struct run_stats *r)
{
    bool any = false;
    for (uint32_t i = 0; i < r->n_groups; i++) {
        const struct group_stats *g = &r->groups[i];
        bool percent = task_in_percent(r, g->group->task);
        if (g->n_subsets && !any)
            px_buf_str(out, "\n## Subsets\n\nmicro: over problems; macro: mean of the subsets.\n\n"
                            "| cell | task | subset | group | n | micro | std. error | macro |\n"
                            "|---|---|---|---|--:|--:|--:|--:|\n");
        any = any || g->n_subsets;
        for (uint32_t k = 0; k < g->n_families; k++)
            md_part(out, g, &g->families[k], percent, "");
        for (uint32_t k = 0; k < g->n_subsets; k++) {
            const struct part_stats *p = &g->subsets[k];
            if (p->n_problems)
                md_part(out, g, p, percent,
                        p->family == PART_NONE ? "-" : g->families[p->family].name);
        }
    }
}

static void md_accidents(struct px_buf *out, const struct run_stats *r)
{
    bool any = false;
    for (uint32_t i = 0; i < r->n_groups; i++) {
        const struct group_stats *g = &r->groups[i];
        for (int k = 0; k < N_ACCIDENTS; k++) {
            if (!g->accidents[k])
                continue;
            if (!any)
                px_buf_str(out, "\n## Accidents\n\n| cell | task | accident | units | share |\n"
                                "|---|---|---|--:|--:|\n");
            any = true;
            px_buf_str(out, "| ");
            md_text(out, g->cell->names[0]);
            px_buf_str(out, " | ");
            md_text(out, g->task->name);
            px_buf_printf(out, " | %s | %llu | %.2f %% |\n", accident_name(k),
                          (unsigned long long)g->accidents[k],
                          100 * (double)g->accidents[k] / (double)g->n);
        }
    }
}

static void md_gates(struct px_buf *out, const struct run_stats *r)
{
    if (r->n_gates)
        px_buf_str(out, "\n## Gates\n\n| gate | cell | task | value | units | state |\n"
                        "|---|---|---|--:|--:|---|\n");
    for (uint32_t i = 0; i < r->n_gates; i++) {
        const struct gate_result *g = &r->gates[i];
        struct px_buf words;
        px_buf_init(&words, 1 << 16);
        gate_write(g->gate, &words);
        px_buf_str(out, "| ");
        md_text(out, (const char *)words.data);
        px_buf_clear(&words);
        px_buf_str(out, " | ");
        md_text(out, r->groups[g->group].cell->names[0]);
        px_buf_str(out, " | ");
        md_text(out, r->groups[g->group].task->name);
        px_buf_str(out, " | ");
        md_number(out, false, g->value);
        px_buf_printf(out, " | %llu of %llu | %s%s |\n", (unsigned long long)g->done,
                      (unsigned long long)g->n, gate_state_name(g->state),
                      gate_failed(g) ? ", fails the run" : "");
    }
}

void page_markdown(const struct run_stats *r, const struct alarms *a, struct px_buf *out)
{
    const struct manifest *m = r->manifest;
    px_buf_str(out, "# ");
    md_text(out, m->recipe);
    px_buf_printf(out,
                  "\n\nSeed %llu. Shares in percent of n, 95 %% intervals; what is missing or "
                  "failed counts as not right. Extractors: the same completions by each registered "
                  "way to find the answer. Known: the first choice or empty answers, and reference "
                  "answers.\n\n",
                  (unsigned long long)m->seed);
    px_buf_str(
        out, "| cell | task | metric | value | 95 % interval | extractors | known | n | wrong | "
             "unparsed | "
             "truncated | timed out | error | missing | tokens | prefill tok/s | decode "
             "tok/s | speed-up of bound | difference | p |\n"
             "|---|---|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n");
    for (uint32_t i = 0; i < r->n_groups; i++)
        md_row(out, r, &r->groups[i]);
    md_subsets(out, r);
    md_accidents(out, r);
    md_gates(out, r);
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

/* What follows in every row: which part of the task, how sure, and what else is known. */
static void csv_beside(struct px_buf *out, const struct run_stats *r, const struct group_stats *g)
{
    const struct metric_stats *m = &g->metrics[0];
    const struct spread *s = &g->spread;
    const struct bounds *b = &r->bounds[g->group->task];
    bool several = s->n > 1;
    px_buf_str(out, ",,,,"); /* subset, subset_group, macro */
    csv_text(out, g->model_digest);
    px_buf_printf(out, ",%s", group_incomplete(g) ? "no" : "yes");
    csv_number(out, m->std_error, scored(g));
    px_buf_char(out, ',');
    csv_text(out, m->method ? m->method : "");
    csv_number(out, several ? g->metrics[s->lowest].value : 0, several);
    csv_number(out, several ? g->metrics[s->highest].value : 0, several);
    csv_number(out, b->reference, true);
    csv_number(out, b->empty, true);
    csv_number(out, b->first, true);
    csv_number(out, g->majority.value, g->majority.valid);
    for (int i = 0; i < N_ACCIDENTS; i++)
        csv_count(out, g->accidents[i]);
}

static void csv_head(struct px_buf *out, const struct group_stats *g)
{
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
}

static void csv_row(struct px_buf *out, const struct run_stats *r, const struct group_stats *g)
{
    const struct pairing *p = &g->pairing;
    double prefill = speeds_prefill(&g->speeds), decode = speeds_decode(&g->speeds);
    csv_head(out, g);
    csv_number(out, g->metrics[0].value, scored(g));
    csv_number(out, g->metrics[0].interval.lo, scored(g));
    csv_number(out, g->metrics[0].interval.hi, scored(g));
    csv_count(out, g->n);
    csv_count(out, g->samples);
    for (int i = 0; i < N_OUTCOMES; i++)
        csv_count(out, g->outcomes[i]);
    csv_count(out, g->prompt_tokens);
    csv_count(out, g->generated_tokens);
    csv_number(out, prefill, prefill > 0);
    csv_number(out, decode, decode > 0);
    csv_number(out, p->speed_ratio, p->valid && p->speed_ratio > 0);
    csv_number(out, g->cell->speedup_bound, g->cell->reuse_on);
    csv_number(out, p->difference, p->valid);
    csv_number(out, p->p, p->valid);
    csv_beside(out, r, g);
    px_buf_str(out, "\r\n");
}

/* A subset, or a group of them: the same columns, empty where they say nothing of a part. */
static void csv_part(struct px_buf *out, const struct group_stats *g, const struct part_stats *p,
                     const char *subset, const char *family)
{
    csv_head(out, g);
    csv_number(out, p->value[0], p->n_problems > 0);
    csv_number(out, p->interval.lo, true);
    csv_number(out, p->interval.hi, true);
    csv_count(out, p->n);
    csv_count(out, g->samples);
    for (int i = 0; i < N_OUTCOMES; i++)
        csv_count(out, p->outcomes[i]);
    px_buf_str(out, ",,,,,,,,,");
    csv_text(out, subset);
    px_buf_char(out, ',');
    csv_text(out, family);
    csv_number(out, *subset ? NAN : p->macro[0], true);
    px_buf_char(out, ',');
    csv_text(out, g->model_digest);
    bool whole = p->done == p->n && p->n_subsets == p->of_subsets;
    px_buf_printf(out, ",%s", whole ? "yes" : "no");
    csv_number(out, p->std_error[0], true);
    px_buf_str(out, ",,,,,,,");
    for (int i = 0; i < N_ACCIDENTS; i++)
        px_buf_char(out, ',');
    px_buf_str(out, "\r\n");
}

static void csv_parts(struct px_buf *out, const struct group_stats *g)
{
    for (uint32_t i = 0; i < g->n_families; i++)
        csv_part(out, g, &g->families[i], "", g->families[i].name);
    for (uint32_t i = 0; i < g->n_subsets; i++) {
        const struct part_stats *p = &g->subsets[i];
        if (p->n_problems)
            csv_part(out, g, p, p->name, p->family == PART_NONE ? "" : g->families[p->family].name);
    }
}

void page_csv(const struct run_stats *r, struct px_buf *out)
{
    px_buf_str(out, "cell,model,task,metric,value,low,high,n,samples");
    for (int i = 0; i < N_OUTCOMES; i++)
        px_buf_printf(out, ",%s", outcome_name((enum outcome)i));
    px_buf_str(out, ",prompt_tokens,generated_tokens,prefill_tokens_per_s,decode_tokens_per_s,"
                    "speed_ratio,speedup_bound,difference,p,subset,subset_group,macro,model_digest,"
                    "complete,std_error,interval,extractors_min,extractors_max,ceiling,floor_empty,"
                    "floor_first,majority");
    for (int i = 0; i < N_ACCIDENTS; i++)
        px_buf_printf(out, ",accident_%s", accident_name(i));
    px_buf_str(out, "\r\n");
    for (uint32_t i = 0; i < r->n_groups; i++) {
        csv_row(out, r, &r->groups[i]);
        csv_parts(out, &r->groups[i]);
    }
}
