/* recipe.h - a recipe, validated and resolved: what `plan` and `run` both work from.
 *
 * One table (recipe/keys.c) describes every key: type, range, default, what it acts on, one line
 * of documentation. Validation, suggestions and docs/recipe.md come from that table. Every error
 * of a recipe is reported at once, each as file:line:column, key path, what is wrong, what is
 * allowed, and the nearest valid name. */
#ifndef COORDINATOR_RECIPE_H
#define COORDINATOR_RECIPE_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/buf.h"
#include "proto/err.h"
#include "proto/unit.h"

enum chat_mode {
    CHAT_MODE_TASK = 0, /* as the task says */
    CHAT_MODE_RAW,      /* no template */
    CHAT_MODE_MODEL,    /* the model's own template */
    CHAT_MODE_NAMED     /* `chat_template` */
};

enum strategy { STRATEGY_STANDARD = 0, STRATEGY_FEW_SHOT, STRATEGY_SCOT, STRATEGY_CGO };
const char *strategy_name(enum strategy s); /* as a recipe writes it */

enum compat { COMPAT_NONE = 0, COMPAT_LM_EVAL };
const char *compat_name(enum compat c); /* "none", "lm-eval" */

enum reuse_subset { SUBSET_NONE = 0, SUBSET_FIRST, SUBSET_MIDDLE, SUBSET_LAST, SUBSET_LIST };

struct reuse_settings {
    uint32_t k; /* 1: off, and then every other field is at its default */
    enum reuse_subset subset;
    uint32_t *list; /* SUBSET_LIST: layer indices, ascending */
    uint32_t n_list;
    uint32_t size; /* layers in a named subset; default 12, clamped to n - 1 at plan time;
                    * n_list for a list */
    enum reuse_mode mode;
    enum reuse_kv kv;
};

/* The values one cell resolves to. */
struct eval_settings {
    struct sampler_spec sampler; /* seed is the recipe's */
    uint32_t max_tokens;         /* 0: the task's */
    char **stops;                /* added to the task's */
    uint32_t n_stops;
    uint32_t context; /* 0: the model's */
    enum kv_type kv;
    enum chat_mode chat;
    char *chat_template; /* CHAT_MODE_NAMED: a name of proto/model/chat.h */
    int32_t fewshot;     /* -1: the task's */
    enum strategy strategy;
    enum compat compat;
    uint32_t samples;
    uint32_t limit; /* 0: all problems */
    struct reuse_settings reuse;
};

struct recipe_cell {
    char **names; /* e.g. "reuse.k=2,reuse.subset=first"; "default" without a grid */
    uint32_t n_names;
    struct eval_settings settings;
    char *settings_json; /* the resolved values, for reports; canonical key order */
};

struct recipe_model {
    char *name;
    enum backend_kind backend; /* native: GGUF; replay: recorded completions; noop */
    char *source;              /* absolute path ("" for noop) */
    char *style;               /* replay: scorer style of programs; NULL: the task's */
    /* thinking; NULL and 0 where the model does not think */
    char *think_open, *think_close;
    uint32_t think_budget; /* 0: none */
    uint32_t line, column;
};

enum stage_kind { STAGE_IMPORT = 1, STAGE_EVAL };

struct recipe_stage {
    enum stage_kind kind;
    uint32_t line, column;
    /* import */
    char *model; /* name it takes */
    char *as;    /* name it makes */
    bool panels; /* written in the engine's layout, not only checked */
    /* eval */
    char *name;    /* "" unless given; put before cell names by the plan */
    char **models; /* names */
    uint32_t n_models;
    char **tasks; /* names or paths of task files */
    uint32_t *task_lines, *task_columns;
    uint32_t n_tasks;
    char *judge;          /* name of the judging model, NULL when nothing is judged */
    char *judge_chat;     /* name of a template; NULL: the model's own */
    char *judge_baseline; /* name of a cell, NULL: the first */
    bool judge_single, judge_pairwise;
    struct recipe_cell *cells; /* at least one; cells that resolve to the same values are merged */
    uint32_t n_cells;
    const struct yaml_node *body; /* in the recipe's tree */
};

/* A bound on a result. */
struct recipe_gate {
    char *task;         /* "": every task */
    char *metric;       /* without the task */
    char *model, *cell; /* "": every one */
    const char *bound;  /* "at_least", "at_most", "above", "below"; static */
    double threshold;
    char *severity;                    /* "warn", "stop", "stop_early" */
    uint64_t after;                    /* units; 0: all of them */
    uint32_t line, column;             /* of the metric */
    uint32_t model_line, model_column; /* of the model, 0 when not given */
    uint32_t cell_line, cell_column;
};

struct recipe {
    char *name;
    char *path; /* file it came from */
    uint64_t seed;
    struct recipe_model *models;
    uint32_t n_models;
    struct recipe_stage *stages; /* in an order that respects names */
    uint32_t n_stages;
    int32_t workers;       /* -1: auto */
    int32_t testers;       /* -1: auto */
    int32_t threads;       /* -1: auto */
    int64_t memory;        /* private bytes per worker; -1: auto */
    int64_t host_memory;   /* -1: auto */
    int64_t hung_after_us; /* resources.hung_after; 0: auto */
    uint32_t max_rows;     /* resources.batch; 0: auto */
    struct recipe_gate *gates;
    uint32_t n_gates;
    struct yaml_doc *tree; /* as written, --set applied: what recipe_write starts from */
};

/* A set is "path=value" with an inline YAML value. The path is the key's dotted path from the top
 * ("stages.1.eval.limit=10", "models.base.source=x.gguf"); one that begins with a key of eval
 * ("limit=10", "sampler.temperature=0.7") goes to every eval stage. */
struct recipe_options {
    const char *const *sets;
    uint32_t n_sets;
    bool allow_noop;
    bool without_models; /* their files need not be there */
};

/* Owned, or NULL. All findings are appended to `findings`, one per line; err has a summary
 * ("3 errors in recipe.yaml") and PX_EINPUT. */
struct recipe *recipe_load(const char *path, const struct recipe_options *opt,
                           struct px_buf *findings, struct px_err *err);
struct recipe *recipe_parse(const char *text, size_t len, const char *path,
                            const struct recipe_options *opt, struct px_buf *findings,
                            struct px_err *err);
void recipe_free(struct recipe **r);

/* The resolved recipe as YAML (defaults written out, --set applied): <run>/recipe.yaml. */
void recipe_write(const struct recipe *r, struct px_buf *out);

/* docs/recipe.md, from the table of keys. */
void recipe_write_reference(struct px_buf *out);

/* Nearest of n names by edit distance, NULL when none is near. For every "did you mean". */
const char *recipe_nearest(const char *word, const char *const *names, uint32_t n);

#endif
