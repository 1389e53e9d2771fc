/* lm_eval.c - see lm_eval.h: the files of each cell, and the results of its tasks. */
#include "coordinator/export/lm_eval.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/report/export_names.h"
#include "proto/json.h"
#include "proto/mem.h"
#include "proto/model/gguf.h"

/* What becomes one results file: the tasks of a cell that were all asked with, or all without, its
 * chat template (lm-eval has one for all). */
struct lm_run {
    struct exporter *x;
    uint32_t cell;
    bool chat;
    char *dir; /* below the export's */
    struct lm_task *tasks;
    uint32_t n, cap;
};

static const struct group_stats *group_of(const struct lm_run *r, const struct lm_task *t)
{
    return &r->x->run->groups[t->group];
}

/* A subset that a limited run did not come to is no task of the export. */
static bool is_there(const struct lm_run *r, const struct lm_task *t)
{
    return t->part == PART_NONE || group_of(r, t)->subsets[t->part].n_problems > 0;
}

/* "mmlu_anatomy": names as lm-eval has them, without blanks. */
static char *task_name_of(const struct group_stats *g, uint32_t part)
{
    char *name = part == PART_NONE ? px_xstrdup(g->task->name)
                                   : px_xasprintf("%s_%s", g->task->name, g->subsets[part].name);
    for (char *p = name; *p; p++)
        *p = *p == ' ' ? '_' : *p;
    return name;
}

/* ---- metrics ---- */

static void write_error(struct emit *j, const char *key, double v)
{
    if (isnan(v))
        emit_text(j, key, "N/A");
    else
        emit_f64(j, key, v);
}

static void write_metrics(struct emit *j, const struct group_stats *g, const double *values,
                          const double *errors)
{
    for (uint32_t i = 0; i < g->n_metrics; i++) {
        const struct metric_stats *m = &g->metrics[i];
        const char *filter;
        PX_FREE char *name = lm_metric(m->name, &filter);
        PX_FREE char *key = px_xasprintf("%s,%s", name, filter);
        PX_FREE char *error = px_xasprintf("%s_stderr,%s", name, filter);
        emit_f64(j, key, values ? values[i] : m->value);
        write_error(j, error, errors ? errors[i] : m->kind == METRIC_MEAN ? m->std_error : NAN);
    }
    for (uint32_t i = 0; i < g->n_pass_at && !values; i++) {
        char key[40];
        snprintf(key, sizeof key, "pass@%u,none", g->pass_at[i].k);
        if (g->pass_at[i].k > 1)
            emit_f64(j, key, g->pass_at[i].value);
    }
}

static void write_task_result(struct emit *j, const struct lm_run *r, const struct lm_task *t)
{
    const struct group_stats *g = group_of(r, t);
    const struct part_stats *p = t->part == PART_NONE ? NULL : &g->subsets[t->part];
    emit_begin(j, t->name, '{');
    emit_text(j, "name", t->name);
    emit_text(j, "alias", t->name);
    emit_u64(j, "sample_len", p ? p->n_problems : g->n_problems);
    write_metrics(j, g, p ? p->value : NULL, p ? p->std_error : NULL);
    emit_end(j, '}');
}

/* A group of subsets, or all of them (the last family, named as the task). */
static char *family_name(const struct group_stats *g, uint32_t f)
{
    bool total = f + 1 == g->n_families;
    return total ? px_xstrdup(g->task->name)
                 : px_xasprintf("%s_%s", g->task->name, g->families[f].name);
}

typedef void (*family_fn)(struct emit *j, const struct group_stats *g, uint32_t f);

/* Calls fn for each family of each group that was split into its subsets. */
static void each_family(struct emit *j, const struct lm_run *r, family_fn fn)
{
    for (uint32_t i = 0; i < r->n; i++) {
        const struct group_stats *g = group_of(r, &r->tasks[i]);
        if (r->tasks[i].part != 0)
            continue;
        for (uint32_t f = 0; f < g->n_families; f++)
            fn(j, g, f);
    }
}

static void write_family(struct emit *j, const struct group_stats *g, uint32_t f)
{
    PX_FREE char *name = family_name(g, f);
    emit_begin(j, name, '{');
    emit_text(j, "name", name);
    emit_text(j, "alias", name);
    emit_u64(j, "sample_len", g->families[f].n_problems);
    write_metrics(j, g, g->families[f].value, g->families[f].std_error);
    emit_end(j, '}');
}

static void write_members(struct emit *j, const struct group_stats *g, uint32_t f)
{
    PX_FREE char *name = family_name(g, f);
    bool total = f + 1 == g->n_families;
    emit_begin(j, name, '[');
    for (uint32_t k = 0; k + 1 < g->n_families && total; k++) {
        PX_FREE char *below = family_name(g, k);
        emit_text(j, NULL, below);
    }
    for (uint32_t k = 0; k < g->n_subsets; k++) {
        PX_FREE char *below = task_name_of(g, k);
        bool in = total ? g->subsets[k].family == PART_NONE || g->n_families == 1
                        : g->subsets[k].family == f;
        if (in && g->subsets[k].n_problems)
            emit_text(j, NULL, below);
    }
    emit_end(j, ']');
}

/* ---- what else is said of a task ---- */

static const struct plan_group *plan_group_of(const struct lm_run *r, const struct lm_task *t)
{
    const struct plan *p = r->x->o->plan;
    return p && t->group < p->n_groups ? &p->groups[t->group] : NULL;
}

static void write_shots(struct emit *j, const char *key, const struct lm_run *r,
                        const struct lm_task *t)
{
    const struct plan_group *g = plan_group_of(r, t);
    if (!g) {
        emit_raw(j, key, NULL);
        return;
    }
    int32_t n = r->x->o->plan->cells[g->cell].settings->fewshot;
    n = n < 0 ? task_fewshot(r->x->o->plan->tasks[g->task]) : n;
    emit_u64(j, key, (uint64_t)(n > 0 ? n : 0));
}

static const char *output_type(const struct group_stats *g)
{
    const char *request = g->task->request;
    return strcmp(request, "generate") == 0  ? "generate_until"
           : strcmp(request, "rolling") == 0 ? "loglikelihood_rolling"
                                             : "multiple_choice";
}

static void write_config(struct emit *j, const struct lm_run *r, const struct lm_task *t)
{
    const struct group_stats *g = group_of(r, t);
    emit_begin(j, t->name, '{');
    emit_text(j, "task", t->name);
    emit_text(j, "output_type", output_type(g));
    write_shots(j, "num_fewshot", r, t);
    emit_u64(j, "repeats", g->samples);
    emit_begin(j, "metric_list", '[');
    for (uint32_t i = 0; i < g->n_metrics; i++) {
        const char *filter;
        PX_FREE char *name = lm_metric(g->metrics[i].name, &filter);
        if (strcmp(filter, "none") != 0)
            continue;
        emit_begin(j, NULL, '{');
        emit_text(j, "metric", name);
        emit_end(j, '}');
    }
    emit_end(j, ']');
    emit_begin(j, "metadata", '{');
    emit_raw(j, "version", NULL);
    emit_text(j, "proctor_task_digest", g->task->digest);
    emit_text(j, "proctor_compat", g->task->compat);
    emit_text(j, "proctor_scorer", g->task->scorer);
    emit_end(j, '}');
    emit_end(j, '}');
}

/* Known of shares (more is better), of perplexities (less is) and of the headline. */
static void write_direction(struct emit *j, const struct lm_run *r, const struct lm_task *t)
{
    const struct group_stats *g = group_of(r, t);
    emit_begin(j, t->name, '{');
    for (uint32_t i = 0; i < g->n_metrics; i++) {
        const struct metric_stats *m = &g->metrics[i];
        const char *filter;
        PX_FREE char *name = lm_metric(m->name, &filter);
        bool told = false, headline = i == 0;
        for (uint32_t k = 0; k < i && !told; k++) {
            PX_FREE char *before = lm_metric(g->metrics[k].name, &filter);
            told = strcmp(before, name) == 0;
        }
        if (told)
            continue;
        if (headline)
            emit_bool(j, name, !g->task->lower_is_better);
        else if (m->kind != METRIC_MEAN && m->kind != METRIC_RATIO)
            emit_bool(j, name, false);
        else if (m->share && m->binary)
            emit_bool(j, name, true);
        else
            emit_raw(j, name, NULL);
    }
    emit_end(j, '}');
}

static void write_sizes(struct emit *j, const struct lm_run *r, const struct lm_task *t)
{
    const struct group_stats *g = group_of(r, t);
    const struct part_stats *p = t->part == PART_NONE ? NULL : &g->subsets[t->part];
    bool limited = g->n_problems < g->task->n_problems;
    emit_begin(j, t->name, '{');
    if (p && limited)
        emit_raw(j, "original", NULL);
    else
        emit_u64(j, "original", p ? p->n_problems : g->task->n_problems);
    emit_u64(j, "effective", p ? p->n_problems : g->n_problems);
    emit_end(j, '}');
}

static void write_hash(struct emit *j, const struct lm_run *r, const struct lm_task *t)
{
    (void)r;
    struct px_digest d = px_sha256(t->hashes.data, t->hashes.len);
    char hex[PX_HEX_SIZE];
    px_digest_hex(&d, hex);
    emit_maybe(j, t->name, t->hashes_known ? hex : NULL);
}

static void write_version(struct emit *j, const struct lm_run *r, const struct lm_task *t)
{
    (void)r;
    emit_raw(j, t->name, NULL); /* lm-eval numbers its own task files; ours have digests */
}

static void write_n_shot(struct emit *j, const struct lm_run *r, const struct lm_task *t)
{
    write_shots(j, t->name, r, t);
}

typedef void (*task_fn)(struct emit *j, const struct lm_run *r, const struct lm_task *t);

static void each_task(struct emit *j, const char *key, const struct lm_run *r, task_fn fn)
{
    emit_begin(j, key, '{');
    for (uint32_t i = 0; i < r->n; i++)
        if (is_there(r, &r->tasks[i]))
            fn(j, r, &r->tasks[i]);
    emit_end(j, '}');
}

/* ---- the run ---- */

static const struct model_file *model_of(const struct lm_run *r)
{
    const struct plan_group *g = r->n ? plan_group_of(r, &r->tasks[0]) : NULL;
    const struct model_file *m = g ? &r->x->o->plan->models[g->model] : NULL;
    return m && m->tokenizer ? m : NULL;
}

static void write_nulls(struct emit *j, const char *const *names)
{
    for (; *names; names++)
        emit_raw(j, *names, NULL);
}

static void write_run_config(struct emit *j, const struct lm_run *r)
{
    static const char *const unknown[] = {
        "model_num_parameters", "model_dtype", "model_revision", "model_sha", "batch_size",
        "batch_sizes",          "device",      "use_cache",      NULL};
    static const char *const unknown_too[] = {
        "bootstrap_iters", "gen_kwargs",   "random_seed", "numpy_seed",
        "torch_seed",      "fewshot_seed", NULL};
    const struct manifest_cell *c = &r->x->run->manifest->cells[r->cell];
    const struct group_stats *g = group_of(r, &r->tasks[0]);
    struct json_object *settings = px_json_parse(c->settings, strlen(c->settings), NULL);
    int64_t limit = px_json_int_or(settings, "limit", 0);
    emit_begin(j, "config", '{');
    emit_text(j, "model", "proctor");
    emit_begin(j, "model_args", '{');
    emit_text(j, "name", c->model);
    emit_text(j, "sha256", g->model_digest);
    emit_raw(j, "settings", c->settings);
    emit_end(j, '}');
    write_nulls(j, unknown);
    if (limit > 0)
        emit_u64(j, "limit", (uint64_t)limit);
    else
        emit_raw(j, "limit", NULL);
    write_nulls(j, unknown_too);
    emit_end(j, '}');
    json_object_put(settings);
}

/* Text and number of a token that the vocabulary has, as lm-eval pairs them. */
static void write_token(struct emit *j, const char *key, const struct model_file *m, int32_t id)
{
    char number[16];
    size_t n;
    if (!m || id < 0) {
        emit_raw(j, key, NULL);
        return;
    }
    const char *text = tokenizer_text(m->tokenizer, (uint32_t)id, &n);
    snprintf(number, sizeof number, "%d", (int)id);
    emit_begin(j, key, '[');
    emit_bytes(j, NULL, text, n);
    emit_text(j, NULL, number);
    emit_end(j, ']');
}

static void write_model(struct emit *j, const struct lm_run *r)
{
    static const char *const unknown[] = {
        "git_hash",        "pretty_env_info", "transformers_version",
        "lm_eval_version", "upper_git_hash",  NULL};
    const struct model_file *m = model_of(r);
    const struct manifest_cell *c = &r->x->run->manifest->cells[r->cell];
    PX_FREE char *clean = export_file_name(c->model, true, 0);
    write_nulls(j, unknown);
    emit_f64(j, "date", (double)r->x->last_us / 1e6);
    emit_raw(j, "tokenizer_pad_token", NULL);
    write_token(j, "tokenizer_eos_token", m, m ? tokenizer_eos(m->tokenizer) : -1);
    write_token(j, "tokenizer_bos_token", m, m ? tokenizer_bos(m->tokenizer) : -1);
    emit_raw(j, "eot_token_id", NULL);
    if (m)
        emit_u64(j, "max_length", m->config.context_length);
    else
        emit_raw(j, "max_length", NULL);
    each_task(j, "task_hashes", r, write_hash);
    emit_text(j, "model_source", "proctor");
    emit_text(j, "model_name", c->model);
    emit_text(j, "model_name_sanitized", clean);
    emit_raw(j, "system_instruction", NULL);
    emit_raw(j, "system_instruction_sha", NULL);
}

/* The template's own text, when the tasks were asked with it and the model has one. */
static void write_template(struct emit *j, const struct lm_run *r)
{
    const struct model_file *m = r->chat ? model_of(r) : NULL;
    const char *text = NULL;
    size_t n = 0;
    char hex[PX_HEX_SIZE] = "";
    if (m && m->gguf && gguf_get_str(m->gguf, "tokenizer.chat_template", &text, &n, NULL) != 0)
        text = NULL;
    struct px_digest d = px_sha256(text ? text : "", n);
    px_digest_hex(&d, hex);
    emit_bool(j, "fewshot_as_multiturn", r->chat);
    if (text)
        emit_bytes(j, "chat_template", text, n);
    else
        emit_raw(j, "chat_template", NULL);
    emit_maybe(j, "chat_template_sha", text ? hex : NULL);
}

/* What no other program reads: where this comes from, and how whole it is. */
static void write_own(struct emit *j, const struct lm_run *r)
{
    const struct manifest *m = r->x->run->manifest;
    emit_begin(j, "proctor", '{');
    emit_text(j, "version", PROCTOR_VERSION);
    emit_text(j, "recipe", m->recipe);
    emit_text(j, "cell", m->cells[r->cell].names[0]);
    emit_text(j, "plan", m->plan_digest);
    emit_begin(j, "incomplete", '[');
    for (uint32_t i = 0; i < r->n; i++) {
        const struct group_stats *g = group_of(r, &r->tasks[i]);
        if (!group_incomplete(g) || (i > 0 && r->tasks[i].group == r->tasks[i - 1].group))
            continue;
        emit_begin(j, NULL, '{');
        emit_text(j, "task", g->task->name);
        emit_u64(j, "n", g->n);
        emit_u64(j, "done", g->done);
        emit_u64(j, "problems", g->n_problems);
        emit_u64(j, "task_problems", g->task->n_problems);
        emit_end(j, '}');
    }
    emit_end(j, ']');
    emit_end(j, '}');
}

static void write_results(struct emit *j, const struct lm_run *r)
{
    emit_begin(j, NULL, '{');
    emit_begin(j, "results", '{');
    each_family(j, r, write_family);
    for (uint32_t i = 0; i < r->n; i++)
        if (is_there(r, &r->tasks[i]))
            write_task_result(j, r, &r->tasks[i]);
    emit_end(j, '}');
    emit_begin(j, "groups", '{');
    each_family(j, r, write_family);
    emit_end(j, '}');
    emit_begin(j, "group_subtasks", '{');
    each_family(j, r, write_members);
    for (uint32_t i = 0; i < r->n; i++) {
        if (r->tasks[i].part != PART_NONE)
            continue;
        emit_begin(j, r->tasks[i].name, '[');
        emit_end(j, ']');
    }
    emit_end(j, '}');
    each_task(j, "configs", r, write_config);
    each_task(j, "versions", r, write_version);
    each_task(j, "n-shot", r, write_n_shot);
    each_task(j, "higher_is_better", r, write_direction);
    each_task(j, "n-samples", r, write_sizes);
    write_run_config(j, r);
    write_model(j, r);
    write_template(j, r);
    uint64_t first = UINT64_MAX, last = 0;
    for (uint32_t i = 0; i < r->n; i++) {
        const struct group_stats *g = group_of(r, &r->tasks[i]);
        if (g->first_wall_us > 0 && (uint64_t)g->first_wall_us < first)
            first = (uint64_t)g->first_wall_us;
        if (g->last_wall_us > 0 && (uint64_t)g->last_wall_us > last)
            last = (uint64_t)g->last_wall_us;
    }
    PX_FREE char *seconds = px_xasprintf("%.6f", last > first ? (double)(last - first) / 1e6 : 0.0);
    emit_text(j, "total_evaluation_time_seconds", seconds);
    write_own(j, r);
    emit_end(j, '}');
    px_buf_char(j->b, '\n');
}

/* ---- files ---- */

static int add_task(struct lm_run *r, uint32_t group, uint32_t part, struct px_err *err)
{
    PX_GROW(r->tasks, r->n, r->cap);
    struct lm_task *t = &r->tasks[r->n++];
    *t = (struct lm_task){.group = group, .part = part, .hashes_known = true};
    t->name = task_name_of(&r->x->run->groups[group], part);
    px_buf_init(&t->hashes, (size_t)1 << 30);
    PX_FREE char *clean = export_file_name(t->name, true, r->n);
    PX_FREE char *file = px_xasprintf("%s/samples_%s_%s.jsonl", r->dir, clean, r->x->stamp);
    t->samples = export_open(r->x, file, &t->path, err);
    return t->samples ? 0 : -1;
}

static int add_group(struct lm_run *r, uint32_t group, struct px_err *err)
{
    const struct group_stats *g = &r->x->run->groups[group];
    uint32_t first = r->n, n = g->n_subsets > 1 ? g->n_subsets : 1;
    int rc = 0;
    for (uint32_t i = 0; i < n && rc == 0; i++)
        rc = add_task(r, group, g->n_subsets > 1 ? i : PART_NONE, err);
    if (rc == 0)
        rc = lm_samples(r->x, group, r->tasks + first, n, err);
    for (uint32_t i = first; i < r->n; i++) {
        if (r->tasks[i].samples &&
            export_close(r->tasks[i].samples, r->tasks[i].path, rc == 0 ? err : NULL) != 0)
            rc = -1;
        if (!is_there(r, &r->tasks[i]))
            unlink(r->tasks[i].path);
        r->tasks[i].samples = NULL;
    }
    return rc;
}

static int write_run(struct lm_run *r, struct px_err *err)
{
    int rc = 0;
    for (uint32_t i = 0; i < r->x->run->n_groups && rc == 0; i++)
        if (r->x->chosen[i] && r->x->run->groups[i].group->cell == r->cell &&
            group_chats(r->x, i) == r->chat)
            rc = add_group(r, i, err);
    if (rc != 0 || r->n == 0)
        return rc;
    struct px_buf b;
    struct emit j = {.b = &b, .lines_to = 3};
    PX_FREE char *file = px_xasprintf("%s/results_%s.json", r->dir, r->x->stamp);
    px_buf_init(&b, (size_t)1 << 30);
    write_results(&j, r);
    rc = export_put(r->x, file, &b, err);
    px_buf_clear(&b);
    return rc;
}

static void clear_run(struct lm_run *r)
{
    for (uint32_t i = 0; i < r->n; i++) {
        free(r->tasks[i].name);
        free(r->tasks[i].path);
        px_buf_clear(&r->tasks[i].hashes);
    }
    free(r->tasks);
    free(r->dir);
}

int export_lm_eval(struct exporter *x, struct px_err *err)
{
    int rc = 0;
    for (uint32_t c = 0; c < x->run->manifest->n_cells; c++) {
        for (int chat = 0; chat < 2 && rc == 0; chat++) {
            struct lm_run r = {.x = x, .cell = c, .chat = chat};
            r.dir = px_xasprintf("%s%s", x->cells[c], chat ? "__chat" : "");
            rc = write_run(&r, err);
            clear_run(&r);
        }
    }
    return rc;
}
