/* stability.c - see stability.h. */
#include "coordinator/report/stability.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/report/emit.h"
#include "coordinator/report/problem_index.h"
#include "proto/mem.h"

enum { MOST_RUNS = 64 };

static bool same_work(const struct group_stats *a, const struct group_stats *b)
{
    return strcmp(a->task->name, b->task->name) == 0 &&
           strcmp(a->task->digest, b->task->digest) == 0 &&
           strcmp(a->model_digest, b->model_digest) == 0 &&
           strcmp(a->cell->names[0], b->cell->names[0]) == 0 &&
           strcmp(a->cell->settings, b->cell->settings) == 0 && a->samples == b->samples &&
           a->turns == b->turns;
}

/* One problem's units in all the runs; at[k] is the problem there. */
static void count_units(struct stability *s, const struct group_stats *const *g, const uint32_t *at)
{
    uint32_t per = g[0]->samples * g[0]->turns;
    for (uint32_t u = 0; u < per; u++) {
        uint64_t first = (uint64_t)at[0] * per + u;
        bool done = true, text = true, verdict = true;
        for (uint32_t k = 0; k < s->runs; k++) {
            uint64_t i = (uint64_t)at[k] * per + u;
            done = done && g[k]->unit_outcome[i] != OUTCOME_MISSING;
            text = text && g[k]->unit_text[i] == g[0]->unit_text[first];
            verdict = verdict && g[k]->unit_outcome[i] == g[0]->unit_outcome[first];
        }
        s->n += done;
        s->left_out += !done;
        s->same_text += done && text;
        s->same_verdict += done && verdict;
    }
}

static void compare_runs(struct stability *s, const struct group_stats *const *g)
{
    struct problem_index index[MOST_RUNS];
    uint32_t at[MOST_RUNS];
    for (uint32_t k = 0; k < s->runs; k++)
        problem_index_make(&index[k], g[k]);
    for (uint32_t i = 0; i < g[0]->n_problems; i++) {
        bool everywhere = true;
        for (uint32_t k = 0; k < s->runs && everywhere; k++)
            everywhere = problem_index_find(&index[k], group_problem(g[0], i), &at[k]);
        if (everywhere)
            count_units(s, g, at);
        else
            s->left_out += g[0]->samples * g[0]->turns;
    }
    s->least = s->most = g[0]->metrics[0].value;
    for (uint32_t k = 0; k < s->runs; k++) {
        double v = g[k]->metrics[0].value;
        s->least = v < s->least ? v : s->least;
        s->most = v > s->most ? v : s->most;
        problem_index_clear(&index[k]);
    }
}

/* Every run's group for the same work as g, g's own first. */
static uint32_t find_repeats(const struct oracle_source *runs, uint32_t n_runs, uint32_t first,
                             const struct group_stats *g, const struct group_stats **out)
{
    uint32_t n = 0;
    for (uint32_t r = first; r < n_runs && n < MOST_RUNS; r++) {
        for (uint32_t i = 0; i < runs[r].run->n_groups; i++) {
            if (!same_work(g, &runs[r].run->groups[i]))
                continue;
            out[n++] = &runs[r].run->groups[i];
            break;
        }
    }
    return n;
}

static bool seen(const struct stability *list, uint32_t n, const struct group_stats *g)
{
    for (uint32_t i = 0; i < n; i++)
        if (same_work(list[i].group, g))
            return true;
    return false;
}

struct stability *stability_make(const struct oracle_source *runs, uint32_t n_runs,
                                 const char *task, uint32_t *n)
{
    const struct group_stats *groups[MOST_RUNS];
    struct stability *list = NULL;
    *n = 0;
    for (uint32_t r = 0; r < n_runs; r++) {
        for (uint32_t i = 0; i < runs[r].run->n_groups; i++) {
            const struct group_stats *g = &runs[r].run->groups[i];
            struct stability s = {.group = g};
            if ((task && strcmp(task, g->task->name) != 0) || seen(list, *n, g))
                continue;
            s.runs = find_repeats(runs, n_runs, r, g, groups);
            if (s.runs < 2)
                continue;
            compare_runs(&s, groups);
            list = px_xrealloc(list, (*n + 1) * sizeof *list);
            list[(*n)++] = s;
        }
    }
    return list;
}

static double share(uint64_t part, uint64_t n)
{
    return n ? (double)part / (double)n : 0;
}

void stability_text(const struct stability *list, uint32_t n, struct px_buf *out)
{
    for (uint32_t i = 0; i < n; i++) {
        const struct stability *s = &list[i];
        bool percent = s->group->metrics[0].share;
        px_buf_printf(out, "%s, %s, model %s %.12s%s: %u runs, %llu units\n",
                      s->group->cell->names[0], s->group->task->name, s->group->cell->model,
                      s->group->model_digest,
                      s->group->temperature > 0 ? " (sampled, not greedy)" : "", s->runs,
                      (unsigned long long)s->n);
        px_buf_printf(out, "  same text %.2f %%, same verdict %.2f %%, %s ",
                      100 * share(s->same_text, s->n), 100 * share(s->same_verdict, s->n),
                      s->group->task->headline);
        px_buf_printf(out, percent ? "%.1f to %.1f\n" : "%.4g to %.4g\n",
                      percent ? 100 * s->least : s->least, percent ? 100 * s->most : s->most);
        if (s->left_out)
            px_buf_printf(out, "  incomplete: %llu units are not done in all of the runs\n",
                          (unsigned long long)s->left_out);
    }
}

void stability_json(const struct stability *list, uint32_t n, struct px_buf *out)
{
    struct emit j = {.b = out, .lines_to = 2};
    emit_begin(&j, NULL, '{');
    emit_begin(&j, "stability", '[');
    for (uint32_t i = 0; i < n; i++) {
        const struct stability *s = &list[i];
        emit_begin(&j, NULL, '{');
        emit_text(&j, "cell", s->group->cell->names[0]);
        emit_text(&j, "task", s->group->task->name);
        emit_text(&j, "model_digest", s->group->model_digest);
        emit_f64(&j, "temperature", s->group->temperature);
        emit_u64(&j, "runs", s->runs);
        emit_u64(&j, "units", s->n);
        emit_u64(&j, "left_out", s->left_out);
        emit_u64(&j, "same_text", s->same_text);
        emit_u64(&j, "same_verdict", s->same_verdict);
        emit_f64(&j, "least", s->least);
        emit_f64(&j, "most", s->most);
        emit_end(&j, '}');
    }
    emit_end(&j, ']');
    emit_end(&j, '}');
    px_buf_char(out, '\n');
}
