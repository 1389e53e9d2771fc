/* summary.c - see summary.h. */
#include "coordinator/report/summary.h"

#include "coordinator/report/emit.h"
#include "coordinator/report/results_group.h"

static void write_task(struct emit *j, const struct run_stats *r, const struct group_stats *g)
{
    emit_begin(j, NULL, '{');
    emit_text(j, "task", g->task->name);
    emit_text(j, "task_digest", g->task->digest);
    emit_text(j, "compat", g->task->compat);
    results_headline(j, r, g);
    results_decomposition(j, g);
    emit_end(j, '}');
}

void summary_json(const struct run_stats *r, uint32_t cell, struct px_buf *out)
{
    const struct manifest_cell *c = &r->manifest->cells[cell];
    struct emit j = {.b = out, .lines_to = 2};
    emit_begin(&j, NULL, '{');
    emit_text(&j, "recipe", r->manifest->recipe);
    emit_begin(&j, "cell", '[');
    for (uint32_t i = 0; i < c->n_names; i++)
        emit_text(&j, NULL, c->names[i]);
    emit_end(&j, ']');
    emit_text(&j, "model", c->model);
    emit_text(&j, "model_digest", r->cell_digests[cell]);
    emit_raw(&j, "settings", c->settings);
    emit_begin(&j, "tasks", '[');
    for (uint32_t i = 0; i < r->n_groups; i++)
        if (r->groups[i].group->cell == cell)
            write_task(&j, r, &r->groups[i]);
    emit_end(&j, ']');
    emit_end(&j, '}');
    px_buf_char(out, '\n');
}
