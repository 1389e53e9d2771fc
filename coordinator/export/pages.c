/* pages.c - the report as a page or for programs, and pairs of answers for preference training. */
#include <stdlib.h>
#include <string.h>

#include "coordinator/export/export_inner.h"
#include "coordinator/report/preference.h"
#include "proto/json.h"
#include "proto/mem.h"

int export_report(struct exporter *x, struct px_err *err)
{
    static const struct {
        enum export_format format;
        enum report_format report;
        const char *file;
    } pages[] = {{EXPORT_CSV, REPORT_CSV, "report.csv"},
                 {EXPORT_MARKDOWN, REPORT_MARKDOWN, "report.md"},
                 {EXPORT_JSON, REPORT_JSON, "results.json"}};
    struct px_buf b;
    int rc = 0;
    if (x->o->task || x->o->cell)
        return px_fail(err, PX_EUSAGE,
                       "--task and --cell cannot act on the report, which is of "
                       "the whole run");
    for (size_t i = 0; i < sizeof pages / sizeof *pages && rc == 0; i++) {
        if (pages[i].format != x->o->format)
            continue;
        px_buf_init(&b, (size_t)1 << 30);
        rc = report_write(x->store, pages[i].report, &b, err);
        if (rc == 0)
            rc = export_put(x, pages[i].file, &b, err);
        px_buf_clear(&b);
    }
    return rc;
}

/* ---- preference pairs ---- */

struct pairing_out {
    struct exporter *x;
    FILE *f;
    struct px_buf line;
    /* the prompt at hand */
    char *task, *problem, *prompt;
    struct px_digest text;
    uint32_t at; /* its place among a group's problems */
};

static bool has_text(const struct exporter *x, uint64_t index, const struct px_digest *want,
                     char **out)
{
    struct task_prompt p = {0};
    struct px_buf text;
    px_buf_init(&text, EXPORT_LINE);
    px_buf_put(&text, "", 0);
    bool same = false;
    if (plan_prompt(x->o->plan, index, &p, &text, NULL) == 0) {
        struct px_digest got = px_sha256(text.data, text.len);
        same = px_digest_eq(&got, want);
        if (same)
            *out = px_buf_steal(&text, NULL);
    }
    task_prompt_clear(&p);
    px_buf_clear(&text);
    return same;
}

/* The prompt's words, from any group of the task whose prompt has that digest. Owned or NULL. */
static char *find_prompt(struct pairing_out *o, const struct preference_pair *p)
{
    const struct plan *plan = o->x->o->plan;
    char *text = NULL;
    for (uint32_t i = 0; plan && i < plan->n_groups && !text; i++) {
        const struct plan_group *g = &plan->groups[i];
        const struct task *t = plan->tasks[g->task];
        if (strcmp(task_name(t), p->task) != 0 || g->turns > 1 || g->judge != JUDGE_NONE)
            continue;
        for (uint32_t n = 0; n < g->n_problems && !text; n++) {
            uint32_t k = (uint32_t)(((uint64_t)o->at + n) % g->n_problems);
            uint32_t problem = g->problems ? g->problems[k] : k;
            struct plan_unit u = {.group = i, .problem = problem, .ordinal = k};
            if (strcmp(task_problem_id(t, problem), p->problem) != 0)
                continue;
            o->at = k; /* pairs come in the order of the problems */
            has_text(o->x, plan_index(plan, &u), p->prompt_text, &text);
            break;
        }
    }
    return text;
}

static void look_up(struct pairing_out *o, const struct preference_pair *p)
{
    bool same = o->task && strcmp(o->task, p->task) == 0 && strcmp(o->problem, p->problem) == 0 &&
                px_digest_eq(&o->text, p->prompt_text);
    if (same)
        return;
    free(o->task);
    free(o->problem);
    free(o->prompt);
    o->task = px_xstrdup(p->task);
    o->problem = px_xstrdup(p->problem);
    o->text = *p->prompt_text;
    o->prompt = find_prompt(o, p);
    o->x->counts->prompts += o->prompt != NULL;
    o->x->counts->unlike += o->x->o->plan && !o->prompt;
}

static bool take_pair(void *ctx, const struct preference_pair *p)
{
    struct pairing_out *o = ctx;
    char hex[PX_HEX_SIZE];
    struct emit j = {.b = &o->line};
    look_up(o, p);
    px_digest_hex(p->prompt_text, hex);
    px_buf_reset(&o->line);
    emit_begin(&j, NULL, '{');
    emit_maybe(&j, "prompt", o->prompt);
    emit_bytes(&j, "chosen", p->chosen.text, p->chosen.n_text);
    emit_bytes(&j, "rejected", p->rejected.text, p->rejected.n_text);
    emit_text(&j, "task", p->task);
    emit_text(&j, "problem", p->problem);
    emit_text(&j, "model", p->model);
    emit_text(&j, "model_sha256", p->model_digest);
    emit_text(&j, "chat_template", p->chat_template);
    emit_text(&j, "prompt_sha256", hex);
    if (!o->prompt && p->prompt) {
        emit_begin(&j, "prompt_token_ids", '[');
        for (uint32_t i = 0; i < p->n_prompt; i++)
            emit_u64(&j, NULL, p->prompt[i]);
        emit_end(&j, ']');
    }
    emit_text(&j, "chosen_cell", p->chosen.cell);
    emit_u64(&j, "chosen_sample", p->chosen.sample);
    emit_text(&j, "rejected_cell", p->rejected.cell);
    emit_u64(&j, "rejected_sample", p->rejected.sample);
    emit_end(&j, '}');
    px_buf_char(&o->line, '\n');
    o->x->counts->answers++;
    return fwrite(o->line.data, 1, o->line.len, o->f) == o->line.len;
}

int export_preference(struct exporter *x, struct px_err *err)
{
    struct pairing_out o = {.x = x};
    PX_FREE char *path = NULL;
    o.f = export_open(x, "preference.jsonl", &path, err);
    if (!o.f)
        return -1;
    px_buf_init(&o.line, EXPORT_LINE);
    int rc = report_preference_pairs(x->store, x->o->task, x->o->cell, take_pair, &o, err);
    px_buf_clear(&o.line);
    free(o.task);
    free(o.problem);
    free(o.prompt);
    return export_close(o.f, path, rc == 0 ? err : NULL) != 0 ? -1 : rc;
}
