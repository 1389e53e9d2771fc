/* cmd_rescore.c - `proctor rescore`: a run's completions under the tasks and scorers of today. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/cli/cli.h"
#include "coordinator/cli/flips.h"
#include "coordinator/cli/lead.h"
#include "coordinator/report/report.h"
#include "coordinator/run/rescore.h"
#include "proto/file.h"
#include "proto/mem.h"

const char help_rescore[] =
    "Usage: proctor rescore RUN [options]\n"
    "\n"
    "Judges a run's stored completions by the task files, data and scorers as they are now: no "
    "model\n"
    "is needed and nothing is generated. Shows which verdicts flipped, from what to what, and "
    "why.\n"
    "Old verdicts stay in the store; a second time there is nothing to do.\n"
    "\n"
    "  --task-dir DIR   take <task>.yaml from there, where it is, instead of the run's own\n"
    "  --json           the result as one JSON object on stdout\n"
    "  --testers N, --data DIR, --quiet   as for proctor run\n"
    "\n"
    "Example: proctor rescore runs/quickstart --task-dir my-tasks\n";

struct rescore_options {
    const char *task_dir, *data_dir;
    int64_t testers;
    bool json, quiet;
};

struct job_of_rescoring {
    const struct rescore_options *o;
    char *run;
    struct recipe *recipe;
    struct store *store;
    struct manifest *manifest;
    struct task **tasks; /* per task of the manifest; NULL where nothing is judged */
    struct rescore_rule *rules;
};

/* ---- the rules of today ---- */

static int read_recipe(struct job_of_rescoring *j, struct px_err *err)
{
    PX_FREE char *path = px_path_join(j->run, "recipe.yaml");
    struct recipe_options ro = {.allow_noop = true, .without_models = true};
    struct px_buf findings;
    px_buf_init(&findings, 1 << 22);
    j->recipe = recipe_load(path, &ro, &findings, err);
    if (findings.len)
        fwrite(findings.data, 1, findings.len, stderr);
    px_buf_clear(&findings);
    return j->recipe ? 0 : -1;
}

/* The file that --task-dir has for a task. Owned, or NULL. */
static char *own_file(const struct job_of_rescoring *j, const char *name)
{
    if (!j->o->task_dir)
        return NULL;
    PX_FREE char *file = px_xasprintf("%s.yaml", name);
    char *path = px_path_join(j->o->task_dir, file);
    if (px_exists(path))
        return path;
    free(path);
    return NULL;
}

static struct task *load_if(const char *word, const struct task_env *env, const char *name,
                            struct px_err *err)
{
    struct task *t = task_load(word, env, err);
    if (t && strcmp(task_name(t), name) != 0)
        task_free(&t);
    return t;
}

/* The recipe names tasks by words or paths; the one that makes a task of this name is it. */
static struct task *find_task(const struct job_of_rescoring *j, const struct manifest_task *mt,
                              struct px_err *err)
{
    struct task_env env = {.data_dir = j->o->data_dir,
                           .seed = j->manifest->seed,
                           .compat = mt->compat,
                           .strategy = mt->strategy};
    PX_FREE char *own = own_file(j, mt->name);
    struct task *t = NULL;
    px_fail(err, PX_EMISSING, "the run's recipe names no task %s", mt->name);
    if (own) {
        t = load_if(own, &env, mt->name, err);
        if (!t && err->code == PX_EMISSING)
            px_fail(err, PX_EINPUT, "%s is not task %s", own, mt->name);
        return t;
    }
    const struct recipe *r = j->recipe;
    for (int exact = 1; exact >= 0 && !t; exact--) /* words that are the name come first */
        for (uint32_t s = 0; s < r->n_stages && !t; s++)
            for (uint32_t i = 0; i < r->stages[s].n_tasks && !t; i++)
                if ((strcmp(r->stages[s].tasks[i], mt->name) == 0) == exact)
                    t = load_if(r->stages[s].tasks[i], &env, mt->name, err);
    return t;
}

static const char *style_of(const struct recipe *r, const char *model)
{
    for (uint32_t i = 0; i < r->n_models; i++)
        if (strcmp(r->models[i].name, model) == 0)
            return r->models[i].style;
    return NULL;
}

/* The verdicts of judges follow from texts that a judge model wrote about answers: they stay. */
static bool is_judge(const struct manifest *m, uint32_t task)
{
    for (uint32_t g = 0; g < m->n_groups; g++)
        if (m->groups[g].task == task && m->groups[g].judged != MANIFEST_NONE)
            return true;
    return false;
}

static int make_rules(struct job_of_rescoring *j, struct px_err *err)
{
    const struct manifest *m = j->manifest;
    j->tasks = px_xcalloc((size_t)m->n_tasks + 1, sizeof *j->tasks);
    j->rules = px_xcalloc((size_t)m->n_groups + 1, sizeof *j->rules);
    for (uint32_t i = 0; i < m->n_tasks; i++) {
        const struct manifest_task *mt = &m->tasks[i];
        if (is_judge(m, i))
            continue;
        j->tasks[i] = find_task(j, mt, err);
        if (!j->tasks[i])
            return -1;
        const char *request = task_request_name(task_request(j->tasks[i]));
        if (strcmp(request, mt->request) != 0)
            return px_fail(err, PX_EINPUT,
                           "task %s asked for %s when the run was made and now asks for %s",
                           mt->name, mt->request, request);
    }
    for (uint32_t g = 0; g < m->n_groups; g++) {
        const struct task *t = j->tasks[m->groups[g].task];
        if (!t) {
            fprintf(stderr, "task %s is a judge's: its verdicts stay\n",
                    m->tasks[m->groups[g].task].name);
            continue;
        }
        if (strcmp(task_scorer_kind(t), "none") == 0)
            continue;
        j->rules[g].task = t;
        j->rules[g].scorer = plan_scorer(t, style_of(j->recipe, m->cells[m->groups[g].cell].model));
    }
    return 0;
}

/* ---- the work ---- */

static void show_progress(void *ctx, const struct hall_progress *h)
{
    uint64_t *shown = ctx;
    if (h->done_score >= *shown + 1000) {
        *shown = h->done_score;
        fprintf(stderr, "%llu judged, %u testers\n", (unsigned long long)h->done_score, h->testers);
    }
}

static void show_nothing(void *ctx, const struct hall_progress *h)
{
    (void)ctx;
    (void)h;
}

static int judge(const struct job_of_rescoring *j, struct rescore *r, struct px_err *err)
{
    struct resources res;
    uint64_t shown = 0;
    PX_FREE char *curve = px_path_join(j->run, "curve");
    if (j->o->testers > 0)
        j->recipe->testers = (int32_t)j->o->testers;
    resources_resolve(j->recipe, &res);
    struct hall_config cfg = {.run_dir = j->run,
                              .curve_dir = curve,
                              .testers = res.testers ? res.testers : 1,
                              .threads = 1,
                              .memory = res.memory,
                              .host_memory = res.host_memory,
                              .isa = "auto"};
    struct hall_source src = rescore_source(r);
    struct hall *h = hall_new(&cfg, j->store, &src, err);
    if (!h)
        return -1;
    rescore_attach(r, h);
    int rc = hall_run(h, j->o->quiet ? show_nothing : show_progress, &shown, err);
    hall_free(&h);
    return rc;
}

/* The manifest with the tasks of today. */
static int renew_manifest(const struct job_of_rescoring *j, struct manifest **out,
                          struct px_err *err)
{
    struct manifest *m = manifest_read(j->store, err);
    if (!m)
        return -1;
    for (uint32_t i = 0; i < m->n_tasks; i++) {
        struct manifest_task *t = &m->tasks[i];
        if (!j->tasks[i])
            continue;
        char *const old[] = {t->name,       t->request, t->headline, t->scorer,
                             t->digest,     t->subsets, t->compat,   t->strategy,
                             t->aggregates, t->oracle,  t->problems};
        for (size_t k = 0; k < sizeof old / sizeof *old; k++)
            free(old[k]);
        plan_manifest_task(j->tasks[i], t);
    }
    *out = m;
    return 0;
}

static int conclude(const struct job_of_rescoring *j, struct rescore *r, struct px_err *err)
{
    struct rescore_counts n;
    struct manifest *renewed = NULL;
    struct px_buf text;
    bool failed = false;
    px_buf_init(&text, (size_t)1 << 30);
    rescore_count(r, &n);
    if (renew_manifest(j, &renewed, err) != 0)
        return -1;
    int rc = flips_write(r, j->manifest, renewed, j->run, j->o->json, &text, err);
    if (rc == 0 && n.gave_up == 0) { /* no number of two rules: all go over, or none */
        rc = rescore_commit(r, renewed, err);
        if (rc == 0)
            rc = report_export(j->store, j->run, &failed, NULL, err);
    }
    if (rc == 0)
        cli_print(text.data, text.len);
    px_buf_clear(&text);
    manifest_free(&renewed);
    return rc != 0 ? -1 : n.gave_up ? 1 : 0;
}

static int rescore_run(struct job_of_rescoring *j, struct px_err *err)
{
    PX_FREE char *dir = px_path_join(j->run, "store");
    struct store_options so = {.mode = STORE_WRITE, .allow_network_fs = false};
    struct rescore_counts n;
    if (j->o->task_dir && !px_is_dir(j->o->task_dir))
        return px_fail(err, PX_EUSAGE, "--task-dir: %s is not a directory", j->o->task_dir);
    j->store = store_open(dir, &so, err);
    if (!j->store)
        return -1;
    j->manifest = manifest_read(j->store, err);
    if (!j->manifest || read_recipe(j, err) != 0 || make_rules(j, err) != 0)
        return -1;
    struct rescore *r = rescore_new(j->store, j->manifest, j->rules, err);
    if (!r)
        return -1;
    rescore_count(r, &n);
    if (!j->o->quiet)
        fprintf(stderr,
                "%s: %llu completions, %llu judged by these rules already, %llu verdicts of these "
                "rules in the store, %llu to judge\n",
                j->run, (unsigned long long)n.units, (unsigned long long)n.same,
                (unsigned long long)n.stored, (unsigned long long)n.to_do);
    if (n.forgotten)
        fprintf(stderr, "%llu keep their verdict: their problem is not in the task any more\n",
                (unsigned long long)n.forgotten);
    int rc = n.to_do ? judge(j, r, err) : 0;
    if (rc == 0)
        rc = conclude(j, r, err);
    rescore_free(&r);
    return rc;
}

static void clear(struct job_of_rescoring *j)
{
    for (uint32_t i = 0; j->tasks && i < j->manifest->n_tasks; i++)
        task_free(&j->tasks[i]);
    for (uint32_t g = 0; j->rules && g < j->manifest->n_groups; g++)
        free(j->rules[g].scorer);
    free(j->tasks);
    free(j->rules);
    manifest_free(&j->manifest);
    recipe_free(&j->recipe);
    store_close(&j->store);
    free(j->run);
}

int cmd_rescore(int argc, char **argv)
{
    struct rescore_options o = {.testers = -1};
    struct job_of_rescoring j = {.o = &o};
    const char *args[1] = {NULL};
    uint32_t n_args;
    bool help;
    struct px_err err;
    const struct cli_option options[] = {
        {.name = "task-dir", .text = &o.task_dir},
        {.name = "data", .text = &o.data_dir},
        {.name = "testers", .number = &o.testers, .lo = 1, .hi = 1024},
        {.name = "json", .flag = &o.json},
        {.name = "quiet", .flag = &o.quiet}};
    if (cli_parse(argc, argv, options, sizeof options / sizeof *options, args, 1, &n_args, &help,
                  &err) != 0)
        return cli_usage("rescore", &err);
    if (help)
        return cli_help(help_rescore);
    if (n_args == 0) {
        px_fail(&err, PX_EUSAGE, "which run?");
        return cli_usage("rescore", &err);
    }
    int rc = lead_prepare("rescore", &err);
    if (rc == 0)
        rc = (j.run = cli_find_run(args[0], &err)) ? rescore_run(&j, &err) : -1;
    clear(&j);
    return rc < 0 ? cli_fail("rescore", &err) : rc;
}
