/* gate_watch.c - see gate_watch.h. */
#include "coordinator/report/gate_watch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/report/figures.h"
#include "coordinator/report/outcome.h"
#include "proto/json.h"
#include "proto/mem.h"

/* One gate on one group. */
struct watched {
    const struct gate *gate;
    struct gate_measure how;
    uint32_t group;
    struct metric_sums sums; /* GATE_OF_METRIC */
    double of, over;
    bool share;
    uint32_t *right, samples; /* GATE_OF_PASS_AT: per problem */
    uint64_t done, n;
    enum gate_state told;
};

struct gate_watch {
    struct gate *gates;
    uint32_t n_gates;
    struct manifest *head; /* cells and tasks; its groups have no units */
    struct watched *list;
    uint32_t n, next; /* next: where gate_watch_next goes on */
    bool *covered;    /* per group */
    struct px_buf words;
};

/* ---- set-up ---- */

/* A copy of what a sample is judged by: the manifest without its units. */
static struct manifest *copy_head(const struct manifest *m)
{
    struct manifest *head = px_xcalloc(1, sizeof *head);
    head->cells = px_xcalloc((size_t)m->n_cells + 1, sizeof *head->cells);
    head->tasks = px_xcalloc((size_t)m->n_tasks + 1, sizeof *head->tasks);
    head->groups = px_xcalloc((size_t)m->n_groups + 1, sizeof *head->groups);
    for (uint32_t i = 0; i < m->n_cells; i++) {
        struct manifest_cell *c = &head->cells[head->n_cells++];
        c->names = px_xcalloc(1, sizeof *c->names);
        c->names[c->n_names++] = px_xstrdup(m->cells[i].names[0]);
        c->model = px_xstrdup(m->cells[i].model);
    }
    for (uint32_t i = 0; i < m->n_tasks; i++) {
        struct manifest_task *t = &head->tasks[head->n_tasks++];
        t->name = px_xstrdup(m->tasks[i].name);
        t->headline = px_xstrdup(m->tasks[i].headline);
        t->scorer = px_xstrdup(m->tasks[i].scorer);
        t->aggregates = px_xstrdup(m->tasks[i].aggregates ? m->tasks[i].aggregates : "[]");
    }
    for (uint32_t i = 0; i < m->n_groups; i++) {
        struct manifest_group *g = &head->groups[head->n_groups++];
        g->index = i;
        g->cell = m->groups[i].cell;
        g->task = m->groups[i].task;
    }
    return head;
}

static struct gate *copy_gates(const struct gate *list, uint32_t n)
{
    struct gate *out = px_xcalloc(n, sizeof *out);
    for (uint32_t i = 0; i < n; i++) {
        out[i] = list[i];
        out[i].task = px_xstrdup(list[i].task);
        out[i].metric = px_xstrdup(list[i].metric);
        out[i].model = px_xstrdup(list[i].model);
        out[i].cell = px_xstrdup(list[i].cell);
    }
    return out;
}

static void watch_group(struct gate_watch *w, const struct gate *g, const struct manifest *m,
                        uint32_t group)
{
    const struct manifest_group *mg = &m->groups[group];
    struct watched x = {.gate = g, .group = group, .share = true, .n = mg->n_units, .samples = 1};
    uint32_t turns = 1;
    gate_measure_parse(g->metric, &x.how);
    if (x.how.source == GATE_OF_MAJORITY || mg->n_units == 0)
        return;
    if (x.how.source == GATE_OF_METRIC)
        metric_sums_find(&w->head->tasks[mg->task], g->metric, &x.sums);
    if (x.how.source == GATE_OF_PASS_AT) {
        group_layout(mg, &x.samples, &turns);
        x.right = px_xcalloc(mg->n_units / x.samples + 1, sizeof *x.right);
    }
    w->list = px_xrealloc(w->list, (w->n + 1) * sizeof *w->list);
    w->list[w->n++] = x;
    w->covered[group] = true;
}

struct gate_watch *gate_watch_new(const struct gate *list, uint32_t n, const struct manifest *m)
{
    if (n == 0)
        return NULL;
    struct gate_watch *w = px_xcalloc(1, sizeof *w);
    w->gates = copy_gates(list, n);
    w->n_gates = n;
    w->head = copy_head(m);
    w->covered = px_xcalloc((size_t)m->n_groups + 1, sizeof *w->covered);
    px_buf_init(&w->words, 1 << 16);
    for (uint32_t i = 0; i < n; i++)
        for (uint32_t k = 0; k < m->n_groups; k++)
            if (gate_covers(&w->gates[i], m, &m->groups[k]))
                watch_group(w, &w->gates[i], m, k);
    return w;
}

void gate_watch_free(struct gate_watch **wp)
{
    struct gate_watch *w = *wp;
    if (!w)
        return;
    for (uint32_t i = 0; i < w->n; i++) {
        metric_sums_clear(&w->list[i].sums);
        free(w->list[i].right);
    }
    gates_free_list(w->gates, w->n_gates);
    manifest_free(&w->head);
    free(w->list);
    free(w->covered);
    px_buf_clear(&w->words);
    free(w);
    *wp = NULL;
}

bool gate_watch_covers(const struct gate_watch *w, uint32_t group)
{
    return w && w->covered[group];
}

/* ---- counting ---- */

struct noting {
    struct gate_watch *w;
    uint64_t index;
};

static void add(struct watched *x, const struct sample *s, uint64_t index)
{
    enum outcome o = outcome_of(s);
    double v;
    x->done++;
    switch (x->how.source) {
    case GATE_OF_METRIC:
        v = s->has_verdict ? verdict_metric(&s->verdict, x->sums.of, 0) : 0;
        x->of += v;
        x->over +=
            s->has_verdict && x->sums.over ? verdict_metric(&s->verdict, x->sums.over, 0) : 0;
        x->share = x->share && x->sums.kind == METRIC_MEAN && v >= 0 && v <= 1;
        break;
    case GATE_OF_PASS_AT:
        x->right[index / x->samples] += o == OUTCOME_RIGHT;
        break;
    case GATE_OF_OUTCOMES:
        x->of += (x->how.outcomes & 1u << o) != 0;
        break;
    default:
        x->of += (s->accidents & x->how.bit) != 0;
        break;
    }
}

static bool note(void *ctx, const struct sample *s)
{
    struct noting *at = ctx;
    for (uint32_t i = 0; i < at->w->n; i++)
        if (at->w->list[i].group == s->group->index)
            add(&at->w->list[i], s, at->index);
    at->w->next = 0;
    return true;
}

int gate_watch_note(struct gate_watch *w, struct store *s, uint32_t group, uint64_t index,
                    const struct px_digest *content, const struct px_digest *verdict,
                    struct px_err *err)
{
    struct noting at = {w, index};
    struct store_view *v = store_view_begin(s, err);
    if (!v)
        return -1;
    int rc = walk_keys(v, w->head, group, content, verdict, note, &at, err);
    store_view_end(&v);
    return rc;
}

/* ---- judging ---- */

static double pass_at(const struct watched *x)
{
    double sum = 0;
    uint64_t problems = x->n / x->samples;
    for (uint64_t i = 0; i < problems; i++)
        sum += stats_pass_at(x->samples, x->right[i], x->how.k);
    return sum / (double)problems;
}

static struct gate_tally tally(const struct watched *x)
{
    double n = (double)x->n;
    struct gate_tally t = {.share = true, .linear = true, .done = x->done, .n = x->n};
    if (x->how.source == GATE_OF_PASS_AT) {
        t.linear = false;
        t.value = pass_at(x);
    } else if (x->how.source == GATE_OF_METRIC && x->sums.kind != METRIC_MEAN) {
        t.share = false;
        t.value = metric_of_sums(x->sums.kind, x->of,
                                 x->sums.kind == METRIC_EXP_NEG_MEAN ? (double)x->done : x->over);
    } else {
        t.share = x->share;
        t.value = x->of / n;
    }
    return t;
}

/* Is it time to speak of this state? */
static bool due(const struct watched *x, enum gate_state s)
{
    bool time = x->done == x->n || (x->gate->after && x->done >= x->gate->after);
    return time && s != x->told && x->told != GATE_MISSED && (s == GATE_MISSED || s == GATE_BEHIND);
}

const char *gate_watch_next(struct gate_watch *w, bool *stop)
{
    for (; w && w->next < w->n; w->next++) {
        struct watched *x = &w->list[w->next];
        struct gate_tally t = tally(x);
        double value;
        enum gate_state s = gate_judge(x->gate, &t, &value);
        if (!due(x, s))
            continue;
        const struct manifest_group *g = &w->head->groups[x->group];
        struct gate_result r = {.gate = x->gate, .state = s};
        x->told = s;
        px_buf_reset(&w->words);
        px_buf_printf(&w->words, "%s: ", gate_state_name(s));
        gate_write(x->gate, &w->words);
        px_buf_printf(&w->words, "; %s, %s: %.4g after %llu of %llu units",
                      w->head->cells[g->cell].names[0], w->head->tasks[g->task].name, value,
                      (unsigned long long)x->done, (unsigned long long)x->n);
        *stop = gate_failed(&r);
        return (const char *)w->words.data;
    }
    return NULL;
}
