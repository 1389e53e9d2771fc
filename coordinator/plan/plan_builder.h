/* plan_builder.h - a plan in the making: for the plan's own source files only. plan.c flattens the
 * recipe, plan_jobs.c fills the job heads, plan_judges.c adds the judges. */
#ifndef COORDINATOR_PLAN_BUILDER_H
#define COORDINATOR_PLAN_BUILDER_H

#include "coordinator/plan/plan.h"

/* A task is loaded once per variant that cells want. */
struct variant {
    const char *name; /* as the recipe has it */
    enum compat compat;
    enum strategy strategy;
    uint32_t judge_of; /* index + 1 of the task that it judges; 0 */
};

struct builder {
    struct plan *plan;
    const struct recipe *recipe;
    const struct task_env *env;
    struct px_buf *findings;
    uint32_t n_findings;
    struct variant *variants; /* of the plan's tasks */
    uint32_t cap_tasks, cap_cells, cap_groups;
};

/* A mistake in the recipe, at its place; said once, however many cells it is true of. */
void plan_finding(struct builder *b, uint32_t line, uint32_t column, const char *fmt, ...)
    PX_PRINTF(4, 5);

/* A name is a model of the recipe or what an import stage makes of one. */
bool plan_find_model(const struct plan *p, const char *name, uint32_t *model, bool *imported,
                     uint32_t *import);
void plan_add_loaded(struct builder *b, struct task *t, struct variant v); /* takes t */

/* plan_jobs.c: job heads; what they fill is owned by the job. */
void plan_fill_model(struct job *j, const struct model_file *m);
void plan_generate_job(struct job *j, const struct plan_cell *c, const struct model_file *m,
                       const struct task *t);
void plan_score_job(struct job *j, const struct task *t, const struct model_file *m);
void plan_copy_thinking(const struct plan *p, struct plan_group *g, const struct model_file *m);

/* plan_judges.c: judges of the groups from `first` on, which the stage has made. */
void plan_add_judges(struct builder *b, const struct recipe_stage *s, uint32_t first);

#endif
