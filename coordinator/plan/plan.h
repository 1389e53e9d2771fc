/* plan.h - what a recipe comes to: models, cells, groups, and a numbered stream of units.
 *
 * Theory of operation. The plan flattens the recipe's eval stages into *cells* (settings x model)
 * and *groups* (cell x task). A group's units are its problems times its samples; unit indices run
 * through all groups in order, so a unit is one number and needs no memory of its own. Keys are
 * computed from the number when asked for.
 *
 * Identity: a *plan key* covers everything that decides a unit before its prompt is rendered; a
 * *content key* covers what the worker really computes (token ids included); a *verdict key* covers
 * the completion, the scorer and the problem's reference. `plan`, `run` and the report all work
 * from this one object. Immutable after plan_build. */
#ifndef COORDINATOR_PLAN_H
#define COORDINATOR_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "coordinator/plan/model_file.h"
#include "coordinator/recipe/recipe.h"
#include "coordinator/store/manifest.h"
#include "coordinator/store/receipt.h"
#include "coordinator/task/task.h"
#include "proto/unit.h"

struct plan_cell {
    char **names; /* with model and eval prefixes where a recipe has several */
    uint32_t n_names;
    uint32_t stage;                       /* index in the recipe's stages */
    uint32_t model;                       /* index in the plan's models */
    bool after_import;                    /* its model is made by an import stage */
    uint32_t import;                      /* index in the plan's imports */
    const struct eval_settings *settings; /* borrowed from the recipe */
    struct reuse_spec reuse;              /* subset resolved to layers of this model */
    double speedup_bound;
    char *settings_json;
};

enum { NO_GROUP = UINT32_MAX, PLAN_MAX_NEEDS = 2 * TASK_MAX_TURNS };

struct plan_group {
    uint32_t cell;
    uint32_t task;
    uint32_t model;      /* index in the plan's models: the cell's, or the judge's */
    bool after_import;   /* that model is made by an import stage */
    uint32_t import;     /* index in the plan's imports */
    uint32_t n_problems; /* after `limit` */
    uint32_t *problems;  /* which of the task's, ascending; NULL: the first ones. Borrowed by the
                          * groups of its judges. */
    uint32_t samples;
    uint32_t turns;  /* of a conversation; 1 elsewhere */
    uint32_t orders; /* 2 when each pair of answers is judged in both orders; 1 elsewhere */
    enum judge_mode judge;
    uint32_t judged;   /* the group whose answers are judged; NO_GROUP elsewhere */
    uint32_t opponent; /* pairwise: the group that they are compared with; NO_GROUP elsewhere */
    uint64_t first;    /* index of its first unit */
    uint64_t n_units;
    bool chat;
    enum chat_template chat_template;
    struct px_digest base; /* of everything that its plan keys share */
    struct job generate;   /* job heads */
    struct job score;
};

struct plan_import {
    uint32_t stage;
    uint32_t model;
    bool panels; /* the imported form is written */
    struct px_digest key;
    struct job job;
};

struct plan {
    const struct recipe *recipe; /* borrowed */
    struct model_file *models;
    uint32_t n_models;
    struct task **tasks;
    uint32_t n_tasks;
    struct plan_import *imports;
    uint32_t n_imports;
    struct plan_cell *cells;
    uint32_t n_cells;
    struct plan_group *groups;
    uint32_t n_groups;
    uint64_t n_units;
};

struct plan_unit {
    uint32_t group;
    uint32_t problem; /* index in the task */
    uint32_t ordinal; /* among the group's problems */
    uint32_t sample;
    uint32_t turn;
    uint32_t order; /* 1: the opponent's answer stands first */
};

/* Opens models, loads tasks, checks every knob against what it acts on. All problems are appended
 * to findings (one per line) before -1 is returned. The recipe must outlive the plan. */
struct plan *plan_build(const struct recipe *r, const struct task_env *env, struct px_buf *findings,
                        struct px_err *err);
void plan_free(struct plan **p);

struct plan_unit plan_unit_at(const struct plan *p, uint64_t index);
uint64_t plan_index(const struct plan *p, const struct plan_unit *u); /* of plan_unit_at */
struct px_digest plan_key(const struct plan *p, uint64_t index);

/* The units whose answers a unit's prompt quotes, in the order in which it wants their texts:
 * earlier turns; of a judge the judged turns, then the opponent's. At most PLAN_MAX_NEEDS. */
uint32_t plan_needs(const struct plan *p, uint64_t index, uint64_t out[]);

/* Renders and tokenises a unit's prompt. `out` is owned (unit_clear); its key is the content key.
 * texts: one per unit of plan_needs (their verdicts' visible texts); NULL where none is needed,
 * or to make a prompt of the right shape with empty ones (estimates).
 * receipt: NULL, or filled (receipt_clear) with what the model is given; without tokens where
 * nothing is given to a model (recordings). */
int plan_make_unit(const struct plan *p, uint64_t index, const char *const *texts, struct unit *out,
                   struct receipt *receipt, struct px_err *err) PX_MUST_CHECK;

/* The words of a unit's prompt: the rendered problem (owned, task_prompt_clear), and in `text` what
 * the model reads before its first token (of a rolling text nothing: that is out->text). For units
 * that quote nothing (plan_needs is 0). */
int plan_prompt(const struct plan *p, uint64_t index, struct task_prompt *out, struct px_buf *text,
                struct px_err *err) PX_MUST_CHECK;

/* The score unit of a completion record: problem JSON filled, key is the verdict key. */
int plan_make_score_unit(const struct plan *p, uint64_t index, const void *record, size_t n,
                         struct unit *out, struct px_err *err) PX_MUST_CHECK;

/* Does the group's prompt end inside a thought, because a template or the task's prefix wrote the
 * model's open marker? Looked up in the first problem's prompt. */
bool plan_opens_thought(const struct plan *p, const struct plan_group *g);

/* A unit of this group needs no tester. */
bool plan_unscored(const struct plan *p, uint32_t group);

/* What judges a task's answers: struct job's scorer. style: of recorded programs, or NULL for the
 * task's own. Owned. */
char *plan_scorer(const struct task *t, const char *style);

/* What the manifest says of a task; out's texts are owned by the manifest. */
void plan_manifest_task(const struct task *t, struct manifest_task *out);

/* The manifest that readers of the store go by; owned (manifest_free). */
struct manifest *plan_manifest(const struct plan *p, const char *run_dir);

#endif
