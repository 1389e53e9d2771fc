/* flips.c - old verdicts beside new ones. */
#include "coordinator/cli/flips.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/report/emit.h"
#include "proto/json.h"
#include "proto/mem.h"

enum { SHOWN_FLIPS = 40, SHOWN_BYTES = 40 };

struct task_change {
    uint64_t units, flipped, other; /* other: answer or rule alone */
    uint64_t added;                 /* had no verdict */
    double before, after;           /* sums of the headline */
};

struct flips {
    const struct manifest *before, *after;
    struct task_change *tasks;
    struct emit json; /* the flips as a JSON list */
    struct px_buf list, text;
    uint32_t shown;
};

static bool same_bytes(const char *a, uint32_t na, const char *b, uint32_t nb)
{
    return na == nb && (na == 0 || memcmp(a, b, na) == 0);
}

static double headline(const struct verdict *v, const struct manifest_task *t)
{
    return v ? verdict_metric(v, t->headline, 0) : 0;
}

/* What is another: the words of `why`. */
static void explain(const struct rescored *u, bool task_changed, struct px_buf *out)
{
    px_buf_str(out, task_changed ? "the task's file or data changed"
                                 : "the scorer of this build is another");
    if (u->old && strcmp(u->old->rule, u->now->rule) != 0)
        px_buf_printf(out, "; rule %s -> %s", *u->old->rule ? u->old->rule : "none",
                      *u->now->rule ? u->now->rule : "none");
    if (u->old &&
        !same_bytes(u->old->extracted, u->old->n_extracted, u->now->extracted, u->now->n_extracted))
        px_buf_str(out, "; another answer was extracted");
    else if (u->old)
        px_buf_str(out, "; the same answer is judged otherwise");
    px_buf_char(out, '\0');
}

static void put_short(struct px_buf *b, const struct verdict *v)
{
    uint32_t n = v->n_extracted < SHOWN_BYTES ? v->n_extracted : SHOWN_BYTES;
    while (n && n < v->n_extracted && ((unsigned char)v->extracted[n] & 0xc0) == 0x80)
        n--;
    px_json_quote(b, v->extracted ? v->extracted : "", n);
    if (n < v->n_extracted)
        px_buf_str(b, "...");
}

static void emit_verdict(struct emit *e, const char *key, const struct verdict *v,
                         const struct manifest_task *t)
{
    emit_begin(e, key, '{');
    emit_text(e, "verdict", verdict_class_name(v->class));
    emit_f64(e, "value", headline(v, t));
    emit_text(e, "rule", v->rule);
    emit_bytes(e, "extracted", v->extracted, v->n_extracted);
    emit_end(e, '}');
}

static void tell(struct flips *f, const struct rescored *u, const struct manifest_unit *mu,
                 const struct manifest_group *g, bool task_changed)
{
    const struct manifest_task *was = &f->before->tasks[g->task], *is = &f->after->tasks[g->task];
    struct px_buf why;
    px_buf_init(&why, 4096);
    explain(u, task_changed, &why);
    emit_begin(&f->json, NULL, '{');
    emit_text(&f->json, "cell", f->before->cells[g->cell].names[0]);
    emit_text(&f->json, "task", was->name);
    emit_text(&f->json, "problem", mu->problem);
    emit_u64(&f->json, "sample", mu->sample);
    emit_verdict(&f->json, "old", u->old, was);
    emit_verdict(&f->json, "new", u->now, is);
    emit_text(&f->json, "why", (char *)why.data);
    emit_end(&f->json, '}');
    if (f->shown++ < SHOWN_FLIPS) {
        px_buf_printf(&f->text, "%s %s sample %u: %s -> %s, ", was->name, mu->problem, mu->sample,
                      verdict_class_name(u->old->class), verdict_class_name(u->now->class));
        put_short(&f->text, u->old);
        px_buf_str(&f->text, " -> ");
        put_short(&f->text, u->now);
        px_buf_printf(&f->text, " (%s)\n", (char *)why.data);
    }
    px_buf_clear(&why);
}

static void note(void *ctx, const struct rescored *u)
{
    struct flips *f = ctx;
    const struct manifest_group *g = &f->before->groups[u->group];
    const struct manifest_task *was = &f->before->tasks[g->task], *is = &f->after->tasks[g->task];
    struct task_change *c = &f->tasks[g->task];
    double before = headline(u->old, was), after = headline(u->now, is);
    c->units++;
    c->before += before;
    c->after += after;
    if (!u->old) {
        c->added++;
        return;
    }
    if (u->old->class != u->now->class || fabs(before - after) > 0) {
        c->flipped++;
        tell(f, u, &g->units[u->index], g, strcmp(was->digest, is->digest) != 0);
    } else if (strcmp(u->old->rule, u->now->rule) != 0 ||
               !same_bytes(u->old->extracted, u->old->n_extracted, u->now->extracted,
                           u->now->n_extracted)) {
        c->other++;
    }
}

static void write_text(struct flips *f, const struct rescore_counts *n, struct px_buf *out)
{
    if (n->stored + n->done + n->gave_up == 0) {
        px_buf_str(out, "nothing to do: every completion is judged by the tasks and scorers as "
                        "they are now\n");
        return;
    }
    px_buf_put(out, f->text.data, f->text.len);
    if (f->shown > SHOWN_FLIPS)
        px_buf_printf(out, "... %u more (--json lists all)\n", f->shown - SHOWN_FLIPS);
    for (uint32_t i = 0; i < f->before->n_tasks; i++) {
        const struct task_change *c = &f->tasks[i];
        if (!c->units)
            continue;
        px_buf_printf(out,
                      "%s: %llu of %llu verdicts flipped (%llu more have another answer or rule), "
                      "sum of %s %.10g -> %.10g%s\n",
                      f->after->tasks[i].name, (unsigned long long)c->flipped,
                      (unsigned long long)c->units, (unsigned long long)c->other,
                      f->after->tasks[i].headline, c->before, c->after,
                      strcmp(f->before->tasks[i].digest, f->after->tasks[i].digest)
                          ? ", task file or data changed"
                          : "");
    }
    if (n->gave_up)
        px_buf_printf(
            out, "%llu could not be judged, so the run keeps its verdicts: nothing was changed\n",
            (unsigned long long)n->gave_up);
}

static void write_json(struct flips *f, const struct rescore_counts *n, const char *run,
                       struct px_buf *out)
{
    struct emit e = {.b = out, .lines_to = 1};
    emit_begin(&e, NULL, '{');
    emit_text(&e, "run", run);
    emit_u64(&e, "completions", n->units);
    emit_u64(&e, "same_rules", n->same);
    emit_u64(&e, "rescored", n->stored + n->done);
    emit_u64(&e, "gave_up", n->gave_up);
    emit_u64(&e, "forgotten", n->forgotten);
    emit_begin(&e, "tasks", '[');
    for (uint32_t i = 0; i < f->before->n_tasks; i++) {
        const struct task_change *c = &f->tasks[i];
        emit_begin(&e, NULL, '{');
        emit_text(&e, "task", f->after->tasks[i].name);
        emit_text(&e, "old_digest", f->before->tasks[i].digest);
        emit_text(&e, "new_digest", f->after->tasks[i].digest);
        emit_u64(&e, "rescored", c->units);
        emit_u64(&e, "flipped", c->flipped);
        emit_u64(&e, "other_answer_or_rule", c->other);
        emit_u64(&e, "added", c->added);
        emit_text(&e, "metric", f->after->tasks[i].headline);
        emit_f64(&e, "sum_before", c->before);
        emit_f64(&e, "sum_after", c->after);
        emit_end(&e, '}');
    }
    emit_end(&e, ']');
    emit_raw(&e, "flips", (char *)f->list.data);
    emit_end(&e, '}');
    px_buf_char(out, '\n');
}

int flips_write(const struct rescore *r, const struct manifest *before,
                const struct manifest *after, const char *run, bool json, struct px_buf *out,
                struct px_err *err)
{
    struct flips f = {.before = before, .after = after};
    struct rescore_counts n;
    f.tasks = px_xcalloc((size_t)before->n_tasks + 1, sizeof *f.tasks);
    px_buf_init(&f.list, (size_t)1 << 30);
    px_buf_init(&f.text, (size_t)1 << 20);
    f.json.b = &f.list;
    rescore_count(r, &n);
    emit_begin(&f.json, NULL, '[');
    int rc = rescore_walk(r, note, &f, err);
    emit_end(&f.json, ']');
    if (rc == 0 && json)
        write_json(&f, &n, run, out);
    else if (rc == 0)
        write_text(&f, &n, out);
    px_buf_clear(&f.list);
    px_buf_clear(&f.text);
    free(f.tasks);
    return rc;
}
