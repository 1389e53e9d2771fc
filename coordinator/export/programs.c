/* programs.c - answers to code tasks as HumanEval, EvalPlus and bigcode have them. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/export/export_inner.h"
#include "coordinator/report/export_names.h"
#include "proto/clock.h"
#include "proto/json.h"
#include "proto/mem.h"

/* One group on its way to its files. */
struct program_files {
    struct exporter *x;
    const struct group_stats *group;
    const char *style; /* of the task's programs */
    FILE *samples;     /* one line per answer */
    FILE *results;     /* HumanEval: the same with the verdict */
    struct px_buf line;
    struct px_buf all; /* EvalPlus: members of "eval"; bigcode: the list of lists */
    bool more;
};

/* "passed", "timed out" or "failed: why", as HumanEval's program says it. */
static void write_result(struct emit *j, const struct answer *a)
{
    const char *why = a->verdict.exception && *a->verdict.exception
                          ? a->verdict.exception
                          : verdict_class_name(a->class ? a->class : VERDICT_ERROR);
    PX_FREE char *failed = px_xasprintf("failed: %s", why);
    emit_text(j, "result",
              a->class == VERDICT_PASSED    ? "passed"
              : a->class == VERDICT_TIMEOUT ? "timed out"
                                            : failed);
    emit_bool(j, "passed", a->class == VERDICT_PASSED);
}

static void put_line(struct program_files *f, FILE *to)
{
    px_buf_char(&f->line, '\n');
    fwrite(f->line.data, 1, f->line.len, to);
}

/* HumanEval appends the completion to the prompt, so it is what stands behind that. */
static void humaneval_answer(struct program_files *f, const struct problem *p,
                             const struct answer *a)
{
    size_t n;
    PX_FREE char *text = answer_program(NULL, a, f->style, &n);
    for (int with_result = 0; with_result < 2; with_result++) {
        struct emit j = {.b = &f->line};
        px_buf_reset(&f->line);
        emit_begin(&j, NULL, '{');
        emit_text(&j, "task_id", p->id);
        emit_bytes(&j, "completion", text, n);
        if (with_result)
            write_result(&j, a);
        emit_end(&j, '}');
        put_line(f, with_result ? f->results : f->samples);
    }
}

static const char *status(bool passed, const struct answer *a)
{
    return passed ? "pass" : a->class == VERDICT_TIMEOUT ? "timeout" : "fail";
}

static void write_status(struct emit *j, const char *key, const char *fails, bool known,
                         bool passed, const struct answer *a)
{
    emit_maybe(j, key, known ? status(passed, a) : NULL);
    if (!known || !passed) { /* which inputs failed is not stored */
        emit_raw(j, fails, "null");
        return;
    }
    emit_begin(j, fails, '[');
    emit_end(j, ']');
}

static void evalplus_answer(struct program_files *f, const struct asked *q, const struct problem *p,
                            const struct answer *a, struct emit *all)
{
    size_t n;
    PX_FREE char *text = answer_program(q, a, f->style, &n);
    double base = a->has_verdict ? verdict_metric(&a->verdict, "pass@1_base", -1) : -1;
    bool passed = a->class == VERDICT_PASSED;
    struct emit j = {.b = &f->line};
    px_buf_reset(&f->line);
    emit_begin(&j, NULL, '{');
    emit_text(&j, "task_id", p->id);
    emit_bytes(&j, "solution", text, n);
    emit_end(&j, '}');
    put_line(f, f->samples);
    emit_begin(all, NULL, '{');
    emit_text(all, "task_id", p->id);
    emit_bytes(all, "solution", text, n);
    write_status(all, "base_status", "base_fail_tests", true, base >= 0 ? base >= 1 : passed, a);
    write_status(all, "plus_status", "plus_fail_tests", base >= 0, passed, a);
    emit_end(all, '}');
}

static int take_problem(void *ctx, const struct problem *p, struct px_err *err)
{
    struct program_files *f = ctx;
    enum export_format format = f->x->o->format;
    struct asked q;
    struct emit all = {.b = &f->all, .depth = 2, .more = f->more};
    (void)err;
    asked_get(f->x, p, &q);
    if (format != EXPORT_HUMANEVAL)
        emit_begin(&all, format == EXPORT_EVALPLUS ? p->id : NULL, '[');
    for (uint32_t i = 0; i < p->n_answers; i++) {
        const struct answer *a = &p->answers[i];
        if (!a->has_completion)
            continue;
        f->x->counts->answers++;
        if (format == EXPORT_HUMANEVAL) {
            humaneval_answer(f, p, a);
        } else if (format == EXPORT_EVALPLUS) {
            evalplus_answer(f, &q, p, a, &all);
        } else {
            size_t n;
            PX_FREE char *text = answer_program(&q, a, f->style, &n);
            emit_bytes(&all, NULL, text, n);
        }
    }
    if (format != EXPORT_HUMANEVAL)
        emit_end(&all, ']');
    f->more = true;
    asked_clear(&q);
    return 0;
}

/* ---- what stands over all problems ---- */

static const struct metric_stats *metric_or_null(const struct group_stats *g, const char *name)
{
    return g->n_metrics ? group_metric(g, name) : NULL;
}

static void write_pass_at(struct emit *j, const struct group_stats *g)
{
    const struct metric_stats *m = metric_or_null(g, "pass@1");
    if (m)
        emit_f64(j, "pass@1", m->value);
    for (uint32_t i = 0; i < g->n_pass_at; i++) {
        char key[24];
        snprintf(key, sizeof key, "pass@%u", g->pass_at[i].k);
        if (!m || g->pass_at[i].k != 1)
            emit_f64(j, key, g->pass_at[i].value);
    }
}

static int evalplus_results(struct program_files *f, const char *stem, struct px_err *err)
{
    const struct metric_stats *base = metric_or_null(f->group, "pass@1_base");
    PX_FREE char *name = px_xasprintf("%s.eval_results.json", stem);
    char date[32];
    struct px_buf b;
    struct emit j = {.b = &b, .lines_to = 2};
    px_buf_init(&b, EXPORT_LINE);
    clk_utc_text(f->x->last_us, date);
    date[16] = '\0';
    date[10] = ' ';
    emit_begin(&j, NULL, '{');
    emit_text(&j, "date", date);
    emit_maybe(&j, "hash", NULL); /* MD5 of EvalPlus's own file: not known here */
    px_buf_str(&f->all, "}");
    emit_raw(&j, "eval", (char *)f->all.data);
    emit_begin(&j, "pass_at_k", '{');
    emit_begin(&j, "base", '{');
    if (base)
        emit_f64(&j, "pass@1", base->value);
    else
        write_pass_at(&j, f->group);
    emit_end(&j, '}');
    if (base) {
        emit_begin(&j, "plus", '{');
        write_pass_at(&j, f->group);
        emit_end(&j, '}');
    }
    emit_end(&j, '}');
    emit_end(&j, '}');
    px_buf_char(&b, '\n');
    int rc = export_put(f->x, name, &b, err);
    px_buf_clear(&b);
    return rc;
}

static int bigcode_results(struct program_files *f, const char *stem, struct px_err *err)
{
    PX_FREE char *generations = px_xasprintf("%s/generations.json", stem);
    PX_FREE char *results = px_xasprintf("%s/evaluation_results.json", stem);
    struct px_buf b;
    struct emit j = {.b = &b, .lines_to = 2};
    px_buf_init(&b, 1u << 20);
    emit_begin(&j, NULL, '{');
    emit_begin(&j, f->group->task->name, '{');
    write_pass_at(&j, f->group);
    emit_end(&j, '}');
    emit_begin(&j, "config", '{');
    emit_text(&j, "model", f->group->cell->model);
    emit_text(&j, "sha256", f->group->model_digest);
    emit_raw(&j, "settings", f->group->cell->settings);
    emit_u64(&j, "n_samples", f->group->samples);
    emit_end(&j, '}');
    emit_end(&j, '}');
    px_buf_char(&b, '\n');
    px_buf_str(&f->all, "]\n");
    int rc = export_put(f->x, generations, &f->all, err);
    if (rc == 0)
        rc = export_put(f->x, results, &b, err);
    px_buf_clear(&b);
    return rc;
}

static char *style_of(const struct exporter *x, uint32_t group)
{
    const struct plan *p = x->o->plan;
    struct json_object *spec = NULL;
    if (p && group < p->n_groups) {
        const char *text = p->groups[group].score.scorer;
        spec = text ? px_json_parse(text, strlen(text), NULL) : NULL;
    }
    char *style = px_xstrdup(px_json_str_or(spec, "style", "completion"));
    json_object_put(spec);
    return style;
}

static int write_group(struct program_files *f, uint32_t group, const char *stem,
                       struct px_err *err)
{
    enum export_format format = f->x->o->format;
    PX_FREE char *samples = px_xasprintf("%s.jsonl", stem);
    PX_FREE char *results = px_xasprintf("%s.jsonl_results.jsonl", stem);
    PX_FREE char *samples_path = NULL;
    PX_FREE char *results_path = NULL;
    int rc = 0;
    if (format != EXPORT_BIGCODE &&
        (f->samples = export_open(f->x, samples, &samples_path, err)) == NULL)
        rc = -1;
    if (rc == 0 && format == EXPORT_HUMANEVAL &&
        (f->results = export_open(f->x, results, &results_path, err)) == NULL)
        rc = -1;
    px_buf_str(&f->all, format == EXPORT_EVALPLUS ? "{" : "[");
    if (rc == 0)
        rc = export_walk(f->x, group, take_problem, f, err);
    if (rc == 0 && format == EXPORT_EVALPLUS)
        rc = evalplus_results(f, stem, err);
    if (rc == 0 && format == EXPORT_BIGCODE)
        rc = bigcode_results(f, stem, err);
    if (f->samples && export_close(f->samples, samples_path, rc == 0 ? err : NULL) != 0)
        rc = -1;
    if (f->results && export_close(f->results, results_path, rc == 0 ? err : NULL) != 0)
        rc = -1;
    return rc;
}

int export_programs(struct exporter *x, struct px_err *err)
{
    int rc = 0;
    for (uint32_t i = 0; i < x->run->n_groups && rc == 0; i++) {
        const struct group_stats *g = &x->run->groups[i];
        if (!x->chosen[i])
            continue;
        PX_FREE char *task = export_file_name(g->task->name, true, i);
        PX_FREE char *stem = px_xasprintf("%s/%s", x->cells[g->group->cell], task);
        PX_FREE char *style = style_of(x, i);
        struct program_files f = {.x = x, .group = g, .style = style};
        px_buf_init(&f.line, EXPORT_LINE);
        px_buf_init(&f.all, EXPORT_LINE);
        rc = write_group(&f, i, stem, err);
        px_buf_clear(&f.line);
        px_buf_clear(&f.all);
    }
    return rc;
}
