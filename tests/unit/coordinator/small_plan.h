/* small_plan.h - a scratch directory with a task of eight problems, and plans of recipes over the
 * shipped model. Tests run in the root of the repository. */
#ifndef TESTS_COORDINATOR_SMALL_PLAN_H
#define TESTS_COORDINATOR_SMALL_PLAN_H

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/plan/plan.h"
#include "proto/file.h"
#include "proto/mem.h"
#include "scratch.h"

struct small_plan {
    char dir[64];
    struct recipe *recipe;
    struct plan *plan;
    struct px_buf findings; /* with its NUL */
};

static inline void small_put(const char *folder, const char *name, const char *text)
{
    PX_FREE char *path = px_path_join(folder, name);
    if (px_write_file(path, text, strlen(text), NULL) != 0)
        abort();
}

/* Problems 0 and 1 have the same question and answer, 2 and 3 the same question alone. */
static inline void small_plan_open(struct small_plan *p)
{
    memset(p, 0, sizeof *p);
    scratch_make(p->dir);
    setenv("PROCTOR_CACHE", p->dir, 1);
    setenv("PROCTOR_HOME", ".", 1);
    px_buf_init(&p->findings, 1 << 20);
    small_put(p->dir, "rows.jsonl",
              "{\"id\": \"p0\", \"q\": \"1+1\", \"a\": \"2\"}\n"
              "{\"id\": \"p1\", \"q\": \"1+1\", \"a\": \"2\"}\n"
              "{\"id\": \"p2\", \"q\": \"3+3\", \"a\": \"6\"}\n"
              "{\"id\": \"p3\", \"q\": \"3+3\", \"a\": \"7\"}\n"
              "{\"id\": \"p4\", \"q\": \"4+4\", \"a\": \"8\"}\n"
              "{\"id\": \"p5\", \"q\": \"5+5\", \"a\": \"10\"}\n"
              "{\"id\": \"p6\", \"q\": \"6+6\", \"a\": \"12\"}\n"
              "{\"id\": \"p7\", \"q\": \"7+7\", \"a\": \"14\"}\n");
    small_put(p->dir, "sums.yaml",
              "task: sums\ndata: {file: ./rows.jsonl, get: here}\nid: '{{ id }}'\n"
              "prompt: 'Q: {{ q }} A:'\nmax_tokens: 4\nheadline: exact_match\n"
              "scorer: {kind: numeric, problem: {answer: '{{ a }}'}}\n");
}

/* `stages` are the recipe's; the model is called m. 0, or -1 with the findings. */
static inline int small_plan_build(struct small_plan *p, const char *stages, struct px_err *err)
{
    PX_FREE char *cwd = getcwd(NULL, 0);
    PX_FREE char *text = px_xasprintf("recipe: small\nseed: 7\nmodels:\n"
                                      "  m: {source: %s/recipes/models/tiny.gguf}\nstages:\n%s",
                                      cwd, stages);
    PX_FREE char *path = px_path_join(p->dir, "recipe.yaml");
    struct recipe_options opt = {0};
    struct task_env env = {.seed = 7};
    px_buf_reset(&p->findings);
    p->recipe = recipe_parse(text, strlen(text), path, &opt, &p->findings, err);
    p->plan = p->recipe ? plan_build(p->recipe, &env, &p->findings, err) : NULL;
    px_buf_char(&p->findings, '\0');
    return p->plan ? 0 : -1;
}

static inline void small_plan_drop(struct small_plan *p)
{
    plan_free(&p->plan);
    recipe_free(&p->recipe);
}

static inline void small_plan_close(struct small_plan *p)
{
    small_plan_drop(p);
    px_buf_clear(&p->findings);
    scratch_remove(p->dir);
}

#endif
