/* results_group.c - see results_group.h. */
#include "coordinator/report/results_group.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static void write_interval(struct emit *j, struct interval v)
{
    emit_begin(j, "interval", '[');
    emit_f64(j, NULL, v.lo);
    emit_f64(j, NULL, v.hi);
    emit_end(j, ']');
}

static void write_counts(struct emit *j, const struct group_stats *g)
{
    emit_begin(j, "outcomes", '{');
    for (int i = 0; i < N_OUTCOMES; i++)
        emit_u64(j, outcome_name((enum outcome)i), g->outcomes[i]);
    emit_end(j, '}');
    emit_begin(j, "verdicts", '{');
    for (int i = 1; i < N_CLASSES; i++)
        if (g->classes[i])
            emit_u64(j, verdict_class_name((enum verdict_class)i), g->classes[i]);
    emit_end(j, '}');
    emit_begin(j, "finishes", '{');
    for (int i = 1; i < N_FINISHES; i++)
        if (g->finishes[i])
            emit_u64(j, finish_name((enum finish)i), g->finishes[i]);
    emit_end(j, '}');
    emit_begin(j, "tokens", '{');
    emit_u64(j, "prompt", g->prompt_tokens);
    emit_u64(j, "generated", g->generated_tokens);
    emit_u64(j, "decode_steps", g->decode_steps);
    emit_u64(j, "refresh_steps", g->refresh_steps);
    emit_u64(j, "reused_layer_steps", g->reused_layer_steps);
    emit_end(j, '}');
}

static void write_metrics(struct emit *j, const struct group_stats *g)
{
    emit_begin(j, "metrics", '{');
    for (uint32_t i = 0; i < g->n_metrics; i++) {
        const struct metric_stats *m = &g->metrics[i];
        emit_begin(j, m->name, '{');
        emit_f64(j, "value", m->value);
        write_interval(j, m->interval);
        emit_text(j, "method", m->method);
        emit_f64(j, "std_error", m->std_error);
        if (m->kind != METRIC_MEAN)
            emit_text(j, "sum_of", g->metrics[m->of].name);
        if (m->kind == METRIC_RATIO || m->kind == METRIC_EXP_NEG_RATIO ||
            m->kind == METRIC_BITS_RATIO)
            emit_text(j, "over", g->metrics[m->over].name);
        emit_end(j, '}');
    }
    emit_end(j, '}');
}

static void write_samples(struct emit *j, const struct group_stats *g)
{
    if (g->n_pass_at) {
        emit_begin(j, "pass_at", '{');
        for (uint32_t i = 0; i < g->n_pass_at; i++) {
            char k[16];
            snprintf(k, sizeof k, "%u", g->pass_at[i].k);
            emit_f64(j, k, g->pass_at[i].value);
        }
        emit_end(j, '}');
    }
    if (g->duel.valid) {
        const struct duel *d = &g->duel;
        emit_begin(j, "duel", '{');
        emit_u64(j, "pairs", d->pairs);
        emit_u64(j, "wins", d->wins);
        emit_u64(j, "ties", d->ties);
        emit_u64(j, "losses", d->losses);
        emit_u64(j, "flips", d->flips);
        emit_u64(j, "unjudged", d->unjudged);
        emit_f64(j, "win_rate", duel_win_rate(d));
        emit_f64(j, "flip_rate", duel_flip_rate(d));
        emit_end(j, '}');
    }
    if (g->majority.valid) {
        emit_begin(j, "majority", '{');
        emit_u64(j, "samples", g->samples);
        emit_f64(j, "value", g->majority.value);
        write_interval(j, g->majority.interval);
        emit_end(j, '}');
    }
}

double results_six_digits(double v)
{
    char text[32];
    snprintf(text, sizeof text, "%.6g", v);
    return strtod(text, NULL);
}

/* ---- the headline and what stands beside it ---- */

void results_headline(struct emit *j, const struct run_stats *r, const struct group_stats *g)
{
    const struct bounds *b = &r->bounds[g->group->task];
    emit_text(j, "metric", g->task->headline);
    emit_f64(j, "value", g->metrics[0].value);
    write_interval(j, g->metrics[0].interval);
    emit_text(j, "method", g->metrics[0].method);
    emit_bool(j, "lower_is_better", g->task->lower_is_better);
    emit_u64(j, "n", g->n);
    emit_u64(j, "done", g->done);
    emit_u64(j, "problems", g->n_problems);
    emit_u64(j, "task_problems", g->task->n_problems);
    emit_u64(j, "samples", g->samples);
    if (g->turns > 1)
        emit_u64(j, "turns", g->turns);
    emit_bool(j, "complete", !group_incomplete(g));
    emit_f64(j, "ceiling", b->reference);
    emit_f64(j, "floor_empty", b->empty);
    emit_f64(j, "floor_first", b->first);
}

static double share(const struct group_stats *g, uint64_t count)
{
    return g->n ? (double)count / (double)g->n : 0;
}

void results_decomposition(struct emit *j, const struct group_stats *g)
{
    static const struct {
        enum outcome outcome;
        const char *name;
    } parts[] = {{OUTCOME_RIGHT, "right"},       {OUTCOME_WRONG, "wrong"},
                 {OUTCOME_UNPARSED, "unparsed"}, {OUTCOME_TRUNCATED, "truncated"},
                 {OUTCOME_TIMEOUT, "timed_out"}, {OUTCOME_MISSING, "missing"},
                 {OUTCOME_UNSCORED, "unscored"}, {OUTCOME_GRADED, "graded"}};
    uint64_t errors = 0;
    for (int i = 0; i < N_OUTCOMES; i++)
        errors += outcome_is_error((enum outcome)i) ? g->outcomes[i] : 0;
    emit_begin(j, "decomposition", '{');
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        emit_f64(j, parts[i].name, share(g, g->outcomes[parts[i].outcome]));
    emit_f64(j, "error", share(g, errors));
    emit_end(j, '}');
    if (g->spread.n < 2)
        return;
    const struct metric_stats *low = &g->metrics[g->spread.lowest],
                              *high = &g->metrics[g->spread.highest];
    emit_begin(j, "extractors", '{');
    emit_u64(j, "n", g->spread.n);
    emit_f64(j, "min", low->value);
    emit_text(j, "lowest", low->name);
    emit_f64(j, "max", high->value);
    emit_text(j, "highest", high->name);
    emit_end(j, '}');
}

void results_accidents(struct emit *j, const uint64_t accidents[N_ACCIDENTS])
{
    emit_begin(j, "accidents", '{');
    for (int i = 0; i < N_ACCIDENTS; i++)
        if (accidents[i])
            emit_u64(j, accident_name(i), accidents[i]);
    emit_end(j, '}');
}

/* ---- subsets ---- */

static void write_values(struct emit *j, const char *key, const struct group_stats *g,
                         const double *values)
{
    emit_begin(j, key, '{');
    for (uint32_t i = 0; i < g->n_metrics; i++)
        emit_f64(j, g->metrics[i].name, values[i]);
    emit_end(j, '}');
}

static void write_coverage(struct emit *j, const struct part_stats *p)
{
    emit_u64(j, "problems", p->n_problems);
    emit_u64(j, "n", p->n);
    emit_u64(j, "done", p->done);
    emit_bool(j, "complete", p->done == p->n && p->n_subsets == p->of_subsets);
}

static void write_parts(struct emit *j, const struct group_stats *g)
{
    if (!g->n_subsets)
        return;
    emit_begin(j, "subsets", '[');
    for (uint32_t i = 0; i < g->n_subsets; i++) {
        const struct part_stats *p = &g->subsets[i];
        emit_begin(j, NULL, '{');
        emit_text(j, "name", p->name);
        emit_text(j, "group", p->family == PART_NONE ? "" : g->families[p->family].name);
        write_coverage(j, p);
        emit_u64(j, "right", p->outcomes[OUTCOME_RIGHT]);
        write_interval(j, p->interval);
        write_values(j, "value", g, p->value);
        write_values(j, "std_error", g, p->std_error);
        emit_end(j, '}');
    }
    emit_end(j, ']');
    emit_begin(j, "subset_groups", '[');
    for (uint32_t i = 0; i < g->n_families; i++) {
        const struct part_stats *p = &g->families[i];
        emit_begin(j, NULL, '{');
        emit_text(j, "name", p->name);
        emit_u64(j, "subsets", p->n_subsets);
        emit_u64(j, "of_subsets", p->of_subsets);
        write_coverage(j, p);
        write_interval(j, p->interval);
        write_values(j, "micro", g, p->value);
        write_values(j, "micro_std_error", g, p->std_error);
        write_values(j, "macro", g, p->macro);
        write_values(j, "macro_std_error", g, p->macro_std_error);
        emit_end(j, '}');
    }
    emit_end(j, ']');
}

/* ---- the whole ---- */

void results_group(struct emit *j, const struct run_stats *r, const struct group_stats *g)
{
    emit_begin(j, NULL, '{');
    emit_text(j, "cell", g->cell->names[0]);
    emit_text(j, "model", g->cell->model);
    emit_text(j, "model_digest", g->model_digest);
    emit_text(j, "task", g->task->name);
    results_headline(j, r, g);
    results_decomposition(j, g);
    write_metrics(j, g);
    write_samples(j, g);
    write_counts(j, g);
    results_accidents(j, g->accidents);
    write_parts(j, g);
    const struct pairing *p = &g->pairing;
    if (p->valid) {
        emit_begin(j, "paired", '{');
        emit_text(j, "baseline", r->groups[p->baseline].cell->names[0]);
        emit_u64(j, "problems", p->n);
        emit_f64(j, "difference", p->difference);
        emit_u64(j, "gained", p->gained);
        emit_u64(j, "lost", p->lost);
        emit_f64(j, "p", results_six_digits(p->p));
        emit_end(j, '}');
    }
    emit_end(j, '}');
}
