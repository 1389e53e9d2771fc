/* cmd_conform.c - `proctor conform`: an output folder of lm-evaluation-harness, recomputed.
 *
 * The peer's answers become replay models, one per task of ours, and are judged by an ordinary run;
 * then prompts, hashes, filtered answers, metrics and sums are compared document by document. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/cli/cli.h"
#include "coordinator/cli/conform_out.h"
#include "coordinator/cli/lead.h"
#include "coordinator/recorded/spool.h"
#include "proto/file.h"
#include "proto/json.h"
#include "proto/mem.h"

const char help_conform[] =
    "Usage: proctor conform PEER-RUN [options]\n"
    "\n"
    "Reads an output folder of lm-evaluation-harness (results_*.json and samples_*.jsonl), makes "
    "its\n"
    "prompts, hashes, filtered answers, metrics and means anew from our task files under `compat:\n"
    "lm-eval`, and shows the first difference of each document. No model is needed. Exits with 0\n"
    "when all is equal, with 1 when anything differs.\n"
    "\n"
    "  --task-map PEER=OURS[/SUBSET]  which task of ours a task of theirs is (default: the one of\n"
    "                     the same name, or mmlu_anatomy is subset anatomy of mmlu)\n"
    "  --run DIR          run directory (default runs/conform-<PEER-RUN>)\n"
    "  --json             the comparison as one JSON object on stdout\n"
    "  --testers N, --data DIR, --quiet   as for proctor run\n"
    "\n"
    "Example: proctor conform results/my-model --task-map gsm8k=gsm8k\n";

enum { MAX_MAPS = 64 };

struct conform_options {
    struct setup_options setup;
    struct lead_options lead;
    const char *maps[MAX_MAPS];
    uint32_t n_maps;
    bool json;
};

/* A task of ours, with all answers that the peer's tasks have for it. */
struct ours {
    char *word;
    struct task *task;
    bool *answered; /* per problem */
    struct px_buf rows;
    struct graded graded;
};

struct mapping {
    const struct peer_task *peer;
    char *skipped; /* why it is not compared, or NULL */
    uint32_t ours;
    char *label; /* "mmlu/anatomy" */
    uint32_t *problems;
    uint32_t n_problems;
    struct conform_result result;
};

struct conforming {
    const struct conform_options *o;
    struct peer_run peer;
    struct mapping *maps; /* per task of the peer */
    struct ours *ours;
    uint32_t n_ours, cap_ours;
    struct plan *plan; /* borrowed while the run is led */
    char *run_dir;
};

/* ---- which task of ours ---- */

static bool same_label(const char *name, const char *want)
{
    for (; *name && *want; name++, want++)
        if (*name != *want && !(*name == ' ' && *want == '_'))
            return false;
    return *name == *want;
}

/* Index in c->ours; -1 when there is no such task. Under the rules of lm-eval where it has any. */
static int load_ours(struct conforming *c, const char *word, struct px_err *err)
{
    for (uint32_t i = 0; i < c->n_ours; i++)
        if (strcmp(c->ours[i].word, word) == 0)
            return (int)i;
    struct task_env env = {.data_dir = c->o->setup.data_dir, .compat = "lm-eval"};
    struct task *t = task_load(word, &env, err);
    if (!t) {
        env.compat = NULL;
        t = task_load(word, &env, err);
    }
    if (!t)
        return -1;
    PX_GROW(c->ours, c->n_ours, c->cap_ours);
    struct ours *x = &c->ours[c->n_ours];
    *x = (struct ours){.word = px_xstrdup(word), .task = t};
    x->answered = px_xcalloc((size_t)task_n_problems(t) + 1, sizeof *x->answered);
    px_buf_init(&x->rows, SPOOL_LIMIT);
    return (int)c->n_ours++;
}

static void take_all(struct mapping *m, const struct task *t, const char *subset)
{
    uint32_t n = task_n_problems(t);
    m->problems = px_xcalloc((size_t)n + 1, sizeof *m->problems);
    for (uint32_t i = 0; i < n; i++)
        if (!subset || same_label(task_subset_name(t, task_subset(t, i)), subset))
            m->problems[m->n_problems++] = i;
}

/* "ours" or "ours/subset"; false when there is no such task or subset. */
static bool map_to(struct conforming *c, struct mapping *m, const char *word, const char *subset,
                   struct px_err *err)
{
    int index = load_ours(c, word, err);
    if (index < 0)
        return false;
    const struct task *t = c->ours[index].task;
    bool found = subset == NULL;
    for (uint32_t i = 0; i < task_n_subsets(t) && !found; i++)
        found = same_label(task_subset_name(t, i), subset);
    if (!found) {
        px_fail(err, PX_EMISSING, "task %s has no subset '%s'", word, subset);
        return false;
    }
    m->ours = (uint32_t)index;
    m->label = subset ? px_xasprintf("%s/%s", task_name(t), subset) : px_xstrdup(task_name(t));
    take_all(m, t, subset);
    return true;
}

static bool map_as_told(struct conforming *c, struct mapping *m, bool *told, struct px_err *err)
{
    size_t n = strlen(m->peer->name);
    for (uint32_t i = 0; i < c->o->n_maps; i++) {
        const char *map = c->o->maps[i];
        if (strncmp(map, m->peer->name, n) != 0 || map[n] != '=')
            continue;
        *told = true;
        PX_FREE char *word = px_xstrdup(map + n + 1);
        if (map_to(c, m, word, NULL, err))
            return true;
        char *slash = strrchr(word, '/');
        if (!slash)
            return false;
        *slash = '\0';
        struct px_err whole = *err;
        if (map_to(c, m, word, slash + 1, err))
            return true;
        if (err->code == PX_EMISSING && !strstr(err->text, "has no subset"))
            *err = whole;
        return false;
    }
    return false;
}

/* The name itself, or a task of ours and one of its subsets joined by '_'. */
static bool map_by_name(struct conforming *c, struct mapping *m, struct px_err *err)
{
    struct px_err first;
    if (map_to(c, m, m->peer->name, NULL, &first))
        return true;
    for (const char *under = strchr(m->peer->name, '_'); under; under = strchr(under + 1, '_')) {
        PX_FREE char *word = px_xstrndup(m->peer->name, (size_t)(under - m->peer->name));
        if (map_to(c, m, word, under + 1, err))
            return true;
    }
    if (err)
        *err = first;
    return false;
}

static int map_tasks(struct conforming *c, struct px_err *err)
{
    c->maps = px_xcalloc((size_t)c->peer.n_tasks + 1, sizeof *c->maps);
    for (uint32_t i = 0; i < c->peer.n_tasks; i++) {
        struct mapping *m = &c->maps[i];
        struct px_err why;
        bool told = false;
        m->peer = &c->peer.tasks[i];
        if (!m->peer->samples) {
            m->skipped = px_xstrdup("there is no samples file of it");
        } else if (!map_as_told(c, m, &told, &why) && (told || !map_by_name(c, m, &why))) {
            if (told)
                return px_fail(err, why.code, "--task-map %s: %s", m->peer->name, why.text);
            m->skipped = px_xstrdup(why.text);
        }
    }
    for (uint32_t k = 0; k < c->o->n_maps; k++) {
        bool used = false;
        for (uint32_t i = 0; i < c->peer.n_tasks && !used; i++) {
            size_t n = strlen(c->peer.tasks[i].name);
            used = strncmp(c->o->maps[k], c->peer.tasks[i].name, n) == 0 && c->o->maps[k][n] == '=';
        }
        if (!used)
            return px_fail(err, PX_EUSAGE, "--task-map %s: the peer has no such task",
                           c->o->maps[k]);
    }
    return 0;
}

/* ---- answers ---- */

static int take_answers(struct conforming *c, struct mapping *m, struct px_err *err)
{
    struct recording_options ro = {.format = RECORDING_LM_EVAL};
    struct recording *r = recording_open(m->peer->samples, &ro, err);
    struct ours *x = &c->ours[m->ours];
    int rc = r ? 0 : -1;
    for (uint32_t i = 0; rc == 0 && i < recording_items(r); i++) {
        const struct recording_item *item = recording_item(r, i);
        struct completion done;
        if (item->within)
            continue; /* repeats: the first stands for the document */
        if (item->position >= m->n_problems) {
            rc = px_fail(err, PX_EINPUT, "%s:%u: doc_id %llu: %s has documents 0 to %u",
                         m->peer->samples, recording_line(r, item->row),
                         (unsigned long long)item->position, m->label, m->n_problems - 1);
            break;
        }
        uint32_t problem = m->problems[item->position];
        if (x->answered[problem]) {
            rc = px_fail(err, PX_EINPUT, "%s:%u: document %llu is there twice", m->peer->samples,
                         recording_line(r, item->row), (unsigned long long)item->position);
            break;
        }
        x->answered[problem] = true;
        recording_completion(r, i, &done);
        spool_row(task_problem_id(x->task, problem), &done, &x->rows);
        completion_clear(&done);
    }
    recording_free(&r);
    return rc;
}

static bool wanted(void *ctx, uint64_t unit)
{
    const struct conforming *c = ctx;
    struct plan_unit u = plan_unit_at(c->plan, unit);
    return c->ours[u.group].answered[u.problem];
}

static int write_recipe(struct conforming *c, struct px_buf *models, struct px_err *err)
{
    struct px_buf stages;
    px_buf_init(&stages, 1 << 20);
    int rc = px_mkdirs(c->run_dir, 0755, err);
    char *dir = rc == 0 ? realpath(c->run_dir, NULL) : NULL;
    px_buf_str(models, "recipe: conform\nmodels:\n");
    for (uint32_t i = 0; i < c->n_ours && rc == 0; i++) {
        const struct ours *x = &c->ours[i];
        PX_FREE char *path = px_xasprintf("%s/peer-%u.jsonl", dir ? dir : c->run_dir, i);
        rc = px_write_file(path, x->rows.data ? x->rows.data : (const void *)"", x->rows.len, err);
        px_buf_printf(models, "  peer%u: {backend: replay, source: ", i);
        px_json_quote(models, path, strlen(path));
        px_buf_printf(&stages, "  - eval: {name: peer%u, models: [peer%u], tasks: [", i, i);
        PX_FREE char *full = strchr(x->word, '/') ? realpath(x->word, NULL) : NULL;
        px_json_quote(&stages, full ? full : x->word, strlen(full ? full : x->word));
        px_buf_printf(&stages, "]%s}\n", *task_compat(x->task) ? ", compat: lm-eval" : "");
        px_buf_str(models, "}\n");
    }
    px_buf_str(models, "stages:\n");
    px_buf_put(models, stages.data, stages.len);
    px_buf_clear(&stages);
    free(dir);
    return rc;
}

static int judge_answers(struct conforming *c, struct px_err *err)
{
    struct px_buf recipe;
    struct setup setup = {0};
    struct setup_options so = c->o->setup;
    PX_FREE char *path = px_path_join(c->run_dir, "conform.yaml");
    px_buf_init(&recipe, 1 << 22);
    so.run_dir = c->run_dir;
    int rc = write_recipe(c, &recipe, err);
    if (rc == 0)
        rc = setup_parse((char *)recipe.data, recipe.len, path, &so, &setup, err);
    px_buf_clear(&recipe);
    struct store *store = rc == 0 ? lead_open(&c->o->lead, &setup, err) : NULL;
    if (!store)
        rc = -1;
    if (rc == 0) {
        struct conductor_options co = {.wants = wanted, .ctx = c};
        c->plan = setup.plan;
        rc = lead_run(&c->o->lead, &setup, store, &co, err);
    }
    for (uint32_t i = 0; i < c->n_ours && rc == 0; i++)
        rc = graded_read(store, i, 1, &c->ours[i].graded, err);
    store_close(&store);
    setup_clear(&setup);
    return rc;
}

/* ---- all of it ---- */

static int compare(struct conforming *c, struct px_err *err)
{
    for (uint32_t i = 0; i < c->peer.n_tasks; i++) {
        struct mapping *m = &c->maps[i];
        if (m->skipped)
            continue;
        const struct ours *x = &c->ours[m->ours];
        struct conform_input in = {.peer = &c->peer,
                                   .peer_task = m->peer->name,
                                   .samples = m->peer->samples,
                                   .task = x->task,
                                   .problems = m->problems,
                                   .n_problems = m->n_problems,
                                   .graded = &x->graded};
        if (conform_task(&in, &m->result, err) != 0)
            return -1;
    }
    return 0;
}

/* 0 all equal, 1 not. */
static int tell(const struct conforming *c)
{
    struct px_buf out;
    struct emit e = {.b = &out, .lines_to = 2};
    uint32_t compared = 0, equal = 0;
    px_buf_init(&out, (size_t)1 << 30);
    if (c->o->json) {
        emit_begin(&e, NULL, '{');
        emit_text(&e, "peer", c->peer.results_path);
        emit_begin(&e, "tasks", '[');
    }
    for (uint32_t i = 0; i < c->peer.n_tasks; i++) {
        const struct mapping *m = &c->maps[i];
        struct conform_line l = {.peer_task = m->peer->name,
                                 .ours = m->label,
                                 .skipped = m->skipped,
                                 .compat =
                                     !m->skipped && *task_compat(c->ours[m->ours].task) != '\0',
                                 .shots = peer_run_shots(&c->peer, m->peer->name),
                                 .result = &m->result};
        compared += !m->skipped;
        equal += !m->skipped && conform_equal(&m->result);
        if (c->o->json)
            conform_json(&l, &e);
        else
            conform_text(&l, &out);
    }
    if (c->o->json) {
        emit_end(&e, ']');
        emit_u64(&e, "compared", compared);
        emit_u64(&e, "equal", equal);
        emit_end(&e, '}');
        px_buf_char(&out, '\n');
    } else {
        px_buf_printf(&out, "%u of %u tasks compared, %u equal\n", compared, c->peer.n_tasks,
                      equal);
    }
    cli_print(out.data, out.len);
    px_buf_clear(&out);
    return compared > 0 && equal == compared ? 0 : 1;
}

static int conform(struct conforming *c, const char *path, struct px_err *err)
{
    if (peer_run_open(path, &c->peer, err) != 0 || map_tasks(c, err) != 0)
        return -1;
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->peer.n_tasks; i++) {
        if (c->maps[i].skipped)
            continue;
        n++;
        if (take_answers(c, &c->maps[i], err) != 0)
            return -1;
    }
    if (n == 0) {
        tell(c);
        return px_fail(err, PX_EINPUT, "%s: no task could be compared (see above)", path);
    }
    if (judge_answers(c, err) != 0 || compare(c, err) != 0)
        return -1;
    return tell(c);
}

static void clear(struct conforming *c)
{
    for (uint32_t i = 0; c->maps && i < c->peer.n_tasks; i++) {
        free(c->maps[i].skipped);
        free(c->maps[i].label);
        free(c->maps[i].problems);
        conform_clear(&c->maps[i].result);
    }
    for (uint32_t i = 0; i < c->n_ours; i++) {
        free(c->ours[i].word);
        free(c->ours[i].answered);
        px_buf_clear(&c->ours[i].rows);
        graded_clear(&c->ours[i].graded);
        task_free(&c->ours[i].task);
    }
    free(c->maps);
    free(c->ours);
    free(c->run_dir);
    peer_run_clear(&c->peer);
}

/* "runs/conform-<last part of the path>". Owned. */
static char *default_run(const char *path)
{
    PX_FREE char *copy = px_xstrdup(path);
    size_t n = strlen(copy);
    while (n > 1 && copy[n - 1] == '/')
        copy[--n] = '\0';
    const char *slash = strrchr(copy, '/');
    return px_xasprintf("runs/conform-%s", slash ? slash + 1 : copy);
}

int cmd_conform(int argc, char **argv)
{
    struct conform_options o = {0};
    struct conforming c = {.o = &o};
    const char *args[1] = {NULL};
    uint32_t n_args;
    bool help;
    struct px_err err;
    setup_defaults(&o.setup);
    const struct cli_option options[] = {
        {.name = "task-map", .list = o.maps, .n_list = &o.n_maps, .cap_list = MAX_MAPS},
        {.name = "run", .text = &o.setup.run_dir},
        {.name = "data", .text = &o.setup.data_dir},
        {.name = "testers", .number = &o.setup.testers, .lo = 1, .hi = 1024},
        {.name = "json", .flag = &o.json},
        {.name = "quiet", .flag = &o.lead.quiet}};
    if (cli_parse(argc, argv, options, sizeof options / sizeof *options, args, 1, &n_args, &help,
                  &err) != 0)
        return cli_usage("conform", &err);
    if (help)
        return cli_help(help_conform);
    if (n_args == 0) {
        px_fail(&err, PX_EUSAGE, "which output folder of lm-eval?");
        return cli_usage("conform", &err);
    }
    int rc = lead_prepare("conform", &err);
    c.run_dir = o.setup.run_dir ? px_xstrdup(o.setup.run_dir) : default_run(args[0]);
    if (rc == 0)
        rc = conform(&c, args[0], &err);
    clear(&c);
    return rc < 0 ? cli_fail("conform", &err) : rc;
}
