/* score_out.c - the end of `proctor score`. */
#include "coordinator/cli/score_out.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "coordinator/cli/cli.h"
#include "coordinator/recorded/agree.h"
#include "coordinator/recorded/results_out.h"
#include "coordinator/report/emit.h"
#include "coordinator/report/report.h"
#include "proto/file.h"
#include "proto/mem.h"

enum { MAX_FLAGS = 8, SHOWN_DIFFERENCES = 10 };
#define OUTPUT_LIMIT ((size_t)4 << 30)

/* ---- graded rows ---- */

/* Owned. */
static char *rows_path(const struct score_output *o)
{
    struct stat st;
    PX_FREE char *name = px_xasprintf("%s_results.jsonl", o->stem);
    size_t n = o->output ? strlen(o->output) : 0;
    bool is_dir =
        n && (o->output[n - 1] == '/' || (stat(o->output, &st) == 0 && S_ISDIR(st.st_mode)));
    if (!o->output)
        return px_path_join(o->run_dir, name);
    return is_dir ? px_path_join(o->output, name) : px_xstrdup(o->output);
}

static int write_rows(const struct score_output *o, const struct graded *g, const char *path,
                      struct px_err *err)
{
    struct px_buf b;
    PX_FREE char *dir = px_dirname(path);
    px_buf_init(&b, OUTPUT_LIMIT);
    results_lines(o->recording, o->joined, g, &b);
    int rc = b.overflow ? px_fail(err, PX_ELIMIT, "the graded rows are too many for %s", path)
                        : px_mkdirs(dir, 0755, err);
    if (rc == 0)
        rc = px_write_file(path, b.data ? b.data : (const void *)"", b.len, err);
    px_buf_clear(&b);
    return rc;
}

/* ---- agreement ---- */

static void read_flags(const struct score_output *o, const struct graded *g, struct agreements *out)
{
    struct agree_flag flags[MAX_FLAGS];
    char *keys[MAX_FLAGS];
    uint32_t n = o->n_flags < MAX_FLAGS ? o->n_flags : MAX_FLAGS;
    for (uint32_t i = 0; i < n; i++) {
        const char *eq = strchr(o->flags[i], '=');
        keys[i] =
            eq ? px_xstrndup(o->flags[i], (size_t)(eq - o->flags[i])) : px_xstrdup(o->flags[i]);
        flags[i] = (struct agree_flag){keys[i], eq ? eq + 1 : NULL};
    }
    agree(o->recording, o->joined, g, flags, n, o->text_key, out);
    for (uint32_t i = 0; i < n; i++)
        free(keys[i]);
}

static const char *problem_of(const struct score_output *o, const struct difference *d)
{
    return task_problem_id(o->task, o->joined->problem[d->item]);
}

static void print_agreement(const struct score_output *o, const struct graded *g,
                            const struct agreements *a, struct px_buf *out)
{
    for (uint32_t i = 0; i < a->n; i++) {
        const struct agreement *e = &a->list[i];
        px_buf_printf(out, "published %s against %s: %u of %u equal (sums %.10g and %.10g)\n",
                      e->key, e->metric, e->n - e->n_differ, e->n, e->sum, e->ours);
        for (uint32_t k = 0; k < e->n_differ && k < SHOWN_DIFFERENCES; k++) {
            const struct difference *d = &e->differ[k];
            uint32_t sample = o->joined->sample[d->item];
            const struct grade *grade =
                &g->list[(size_t)o->joined->problem[d->item] * g->samples + sample];
            px_buf_printf(out, "  %s sample %u: published %.10g, ours %.10g (%s)\n",
                          problem_of(o, d), sample, d->published, d->ours,
                          verdict_class_name(grade->class));
        }
        if (e->n_differ > SHOWN_DIFFERENCES)
            px_buf_printf(out, "  ... %u more (--json lists all)\n",
                          e->n_differ - SHOWN_DIFFERENCES);
    }
}

/* ---- the incomplete set ---- */

struct part {
    uint64_t n;    /* recorded completions that are judged */
    double sum;    /* of their headline */
    uint64_t open; /* recorded, and not judged */
};

static struct part recorded_part(const struct score_output *o, const struct graded *g)
{
    struct part p = {0};
    for (uint32_t i = 0; i < o->joined->n_items; i++) {
        if (o->joined->problem[i] == JOIN_UNKNOWN)
            continue;
        const struct grade *x =
            &g->list[(size_t)o->joined->problem[i] * g->samples + o->joined->sample[i]];
        p.n += x->done;
        p.sum += x->done ? x->value : 0;
        p.open += !x->done;
    }
    return p;
}

static void print_coverage(const struct score_output *o, const struct part *p, struct px_buf *out)
{
    const struct joined *j = o->joined;
    if (joined_complete(j))
        return;
    px_buf_printf(out,
                  "INCOMPLETE: %u of %u problems have no completion, %u have fewer than others, %u "
                  "completions are about no problem.\n"
                  "The table counts what is missing as not right; over the %llu recorded "
                  "completions alone: %.10g (%.4f)\n",
                  j->n_missing, j->n_problems, j->n_fewer, j->n_unknown, (unsigned long long)p->n,
                  p->sum, p->n ? p->sum / (double)p->n : 0);
}

/* ---- every metric ---- */

struct total {
    const char *name;
    uint64_t n;
    double sum;
};
enum { MAX_TOTALS = 32 };

/* Sums of each metric over the completions that are judged; returns how many metrics. */
static uint32_t add_up(const struct graded *g, struct total *totals)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < g->n; i++)
        for (uint32_t k = 0; k < g->list[i].n_metrics; k++) {
            const struct metric_value *m = &g->list[i].metrics[k];
            uint32_t t = 0;
            while (t < n && strcmp(totals[t].name, m->name) != 0)
                t++;
            if (t == n && n == MAX_TOTALS)
                continue;
            if (t == n)
                totals[n++] = (struct total){.name = m->name};
            totals[t].n++;
            totals[t].sum += m->value;
        }
    return n;
}

static void print_metrics(const struct graded *g, struct px_buf *out)
{
    struct total totals[MAX_TOTALS];
    uint32_t n = add_up(g, totals);
    if (n < 2)
        return;
    px_buf_str(out, "all metrics:");
    for (uint32_t i = 0; i < n; i++)
        px_buf_printf(out, "%s %s %.4f (%.10g of %llu)", i ? "," : "", totals[i].name,
                      totals[i].sum / (double)totals[i].n, totals[i].sum,
                      (unsigned long long)totals[i].n);
    px_buf_char(out, '\n');
}

static void emit_metrics(struct emit *e, const struct graded *g)
{
    struct total totals[MAX_TOTALS];
    uint32_t n = add_up(g, totals);
    emit_begin(e, "metrics", '{');
    for (uint32_t i = 0; i < n; i++) {
        emit_begin(e, totals[i].name, '{');
        emit_f64(e, "value", totals[i].sum / (double)totals[i].n);
        emit_f64(e, "sum", totals[i].sum);
        emit_u64(e, "n", totals[i].n);
        emit_end(e, '}');
    }
    emit_end(e, '}');
}

/* ---- JSON ---- */

static void emit_recording(struct emit *e, const struct score_output *o)
{
    const struct joined *j = o->joined;
    emit_begin(e, "recording", '{');
    emit_text(e, "name", recording_name(o->recording));
    emit_text(e, "format", recording_format_name(recording_format(o->recording)));
    emit_text(e, "found_by", j->how);
    emit_text(e, "style", o->style ? o->style : "task");
    emit_u64(e, "completions", j->n_items);
    emit_u64(e, "problems", j->n_problems);
    emit_u64(e, "samples", j->samples);
    emit_u64(e, "unknown", j->n_unknown);
    emit_u64(e, "missing", j->n_missing);
    emit_u64(e, "fewer", j->n_fewer);
    emit_bool(e, "complete", joined_complete(j));
    emit_end(e, '}');
}

static void emit_agreement(struct emit *e, const struct score_output *o, const struct agreements *a)
{
    emit_begin(e, "agreement", '[');
    for (uint32_t i = 0; i < a->n; i++) {
        const struct agreement *x = &a->list[i];
        emit_begin(e, NULL, '{');
        emit_text(e, "published", x->key);
        emit_text(e, "metric", x->metric);
        emit_u64(e, "n", x->n);
        emit_u64(e, "equal", x->n - x->n_differ);
        emit_f64(e, "published_sum", x->sum);
        emit_f64(e, "our_sum", x->ours);
        emit_begin(e, "differ", '[');
        for (uint32_t k = 0; k < x->n_differ; k++) {
            emit_begin(e, NULL, '{');
            emit_text(e, "problem", problem_of(o, &x->differ[k]));
            emit_u64(e, "sample", o->joined->sample[x->differ[k].item]);
            emit_f64(e, "published", x->differ[k].published);
            emit_f64(e, "ours", x->differ[k].ours);
            emit_end(e, '}');
        }
        emit_end(e, ']');
        emit_end(e, '}');
    }
    emit_end(e, ']');
}

static void print_json(const struct score_output *o, const struct graded *g,
                       const struct agreements *a, const struct part *p, const char *rows)
{
    struct px_buf b;
    struct emit e = {.b = &b, .lines_to = 1};
    uint64_t passed = 0;
    double sum = 0;
    px_buf_init(&b, OUTPUT_LIMIT);
    for (uint32_t i = 0; i < g->n; i++) {
        passed += g->list[i].done && g->list[i].value >= 1;
        sum += g->list[i].done ? g->list[i].value : 0;
    }
    emit_begin(&e, NULL, '{');
    emit_text(&e, "task", task_name(o->task));
    emit_text(&e, "metric", g->manifest->tasks[0].headline);
    emit_u64(&e, "n", g->n);
    emit_u64(&e, "right", passed);
    emit_f64(&e, "sum", sum);
    emit_f64(&e, "value", g->n ? sum / g->n : 0);
    emit_u64(&e, "recorded", p->n);
    emit_f64(&e, "recorded_value", p->n ? p->sum / (double)p->n : 0);
    emit_metrics(&e, g);
    emit_recording(&e, o);
    emit_agreement(&e, o, a);
    emit_text(&e, "rows", rows);
    emit_text(&e, "run", o->run_dir);
    emit_end(&e, '}');
    px_buf_char(&b, '\n');
    cli_print(b.data, b.len);
    px_buf_clear(&b);
}

/* ---- all of it ---- */

int score_conclude(const struct score_output *o, struct store *store, struct px_err *err)
{
    struct px_buf text;
    struct graded g;
    struct agreements a;
    bool failed = false;
    px_buf_init(&text, OUTPUT_LIMIT);
    int rc = report_export(store, o->run_dir, &failed, &text, err);
    if (rc == 0)
        rc = graded_read(store, 0, o->joined->samples, &g, err);
    if (rc != 0) {
        px_buf_clear(&text);
        return -1;
    }
    PX_FREE char *rows = o->answers ? NULL : rows_path(o);
    struct part p = recorded_part(o, &g);
    read_flags(o, &g, &a);
    print_metrics(&g, &text);
    print_coverage(o, &p, &text);
    print_agreement(o, &g, &a, &text);
    if (rows)
        rc = write_rows(o, &g, rows, err);
    if (rc == 0 && o->json)
        print_json(o, &g, &a, &p, rows);
    else if (rc == 0 && !o->quiet)
        cli_print(text.data, text.len);
    if (rc == 0 && !o->quiet)
        fprintf(stderr, "results: %s/results.json%s%s\n", o->run_dir, rows ? ", graded rows: " : "",
                rows ? rows : "");
    px_buf_clear(&text);
    agreements_clear(&a);
    graded_clear(&g);
    return rc != 0 ? -1 : p.open ? 1 : 0;
}
