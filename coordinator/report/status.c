/* status.c - see status.h. */
#include "coordinator/report/status.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/report/emit.h"
#include "coordinator/report/labels.h"
#include "proto/json.h"
#include "proto/mem.h"
#include "proto/number.h"

static uint64_t counter(struct store_view *v, const char *name)
{
    const void *val;
    size_t n;
    if (!store_view_get(v, STORE_COUNTER, name, strlen(name), &val, &n) || n != 8)
        return 0;
    int64_t count = (int64_t)px_load_u64(val);
    return count > 0 ? (uint64_t)count : 0;
}

static uint64_t group_counter(struct store_view *v, uint32_t group, const char *what)
{
    char name[64];
    snprintf(name, sizeof name, "g%u.%s", group, what);
    return counter(v, name);
}

static uint64_t at_most(uint64_t v, uint64_t limit)
{
    return v < limit ? v : limit;
}

static void read_groups(struct store_view *v, struct run_status *st)
{
    const struct manifest *m = st->manifest;
    st->n_groups = m->n_groups;
    st->groups = px_xcalloc((size_t)m->n_groups + 1, sizeof *st->groups);
    for (uint32_t i = 0; i < m->n_groups; i++) {
        struct status_group *g = &st->groups[i];
        g->cell = &m->cells[m->groups[i].cell];
        g->task = &m->tasks[m->groups[i].task];
        g->n = m->groups[i].n_units;
        g->generated = group_counter(v, i, "generated");
        g->scored = group_counter(v, i, "scored");
        g->failed = group_counter(v, i, "failed");
        bool unscored = strcmp(g->task->scorer, "none") == 0;
        g->done = at_most((unscored ? g->generated : g->scored) + g->failed, g->n);
        st->total += g->n;
        st->done += g->done;
        st->failed += g->failed;
        st->generated += at_most(g->generated, g->n);
    }
}

static void read_heartbeat(struct store_view *v, struct run_status *st)
{
    const void *val;
    size_t n;
    if (!store_view_get(v, STORE_META, "heartbeat", 9, &val, &n))
        return;
    struct json_object *o = px_json_parse(val, n, NULL);
    if (!o)
        return;
    st->heartbeat_us = px_json_int_or(o, "wall_us", 0);
    st->rate = px_json_double_or(o, "rate", 0);
    st->eta_s = px_json_double_or(o, "eta_s", 0);
    int64_t workers = px_json_int_or(o, "workers", 0), testers = px_json_int_or(o, "testers", 0);
    st->workers = workers > 0 ? (uint64_t)workers : 0;
    st->testers = testers > 0 ? (uint64_t)testers : 0;
    json_object_put(o);
}

int status_read(struct store *s, struct run_status *out, struct px_err *err)
{
    struct run_status st = {0};
    st.manifest = manifest_read_head(s, err);
    struct store_view *v = st.manifest ? store_view_begin(s, err) : NULL;
    if (!v) {
        manifest_free(&st.manifest);
        return -1;
    }
    read_groups(v, &st);
    read_heartbeat(v, &st);
    st.quarantined = store_view_count(v, STORE_QUARANTINE);
    st.damaged = store_view_count(v, STORE_LOST);
    store_view_end(&v);
    st.live = store_writer_alive(s, &st.pid);
    *out = st;
    return 0;
}

void status_clear(struct run_status *st)
{
    manifest_free(&st->manifest);
    free(st->groups);
    memset(st, 0, sizeof *st);
}

/* ---- text ---- */

static double percent(uint64_t part, uint64_t of)
{
    return of ? 100.0 * (double)part / (double)of : 100;
}

static void write_live(const struct run_status *st, struct px_buf *out)
{
    char eta[32];
    if (!st->live) {
        px_buf_str(out, st->done == st->total
                            ? "finished\n"
                            : "not running: the same `proctor run` command goes on from here\n");
        return;
    }
    px_buf_printf(out, "running, pid %d: %llu worker%s, %llu tester%s", st->pid,
                  (unsigned long long)st->workers, st->workers == 1 ? "" : "s",
                  (unsigned long long)st->testers, st->testers == 1 ? "" : "s");
    if (st->rate > 0) {
        px_format_duration((int64_t)(st->eta_s * 1e6), eta);
        px_buf_printf(out, ", %.1f units/s, %s to go", st->rate, eta);
    }
    px_buf_char(out, '\n');
}

void status_text(const struct run_status *st, struct px_buf *out)
{
    const struct manifest *m = st->manifest;
    char **labels = labels_make(m);
    px_buf_printf(out, "%s (%s)\n", m->recipe, m->run_dir);
    write_live(st, out);
    px_buf_printf(out, "%llu of %llu units done (%.1f %%)", (unsigned long long)st->done,
                  (unsigned long long)st->total, percent(st->done, st->total));
    if (st->generated > st->done)
        px_buf_printf(out, ", %llu generated", (unsigned long long)st->generated);
    if (st->failed)
        px_buf_printf(out, ", %llu failed", (unsigned long long)st->failed);
    px_buf_str(out, "\n\n");
    size_t width = 4;
    for (uint32_t i = 0; i < m->n_cells; i++)
        width = strlen(labels[i]) > width ? strlen(labels[i]) : width;
    for (uint32_t i = 0; i < st->n_groups; i++) {
        const struct status_group *g = &st->groups[i];
        px_buf_printf(out, "%-*s  %-16s %8llu of %-8llu %5.1f %%", (int)width,
                      labels[m->groups[i].cell], g->task->name, (unsigned long long)g->done,
                      (unsigned long long)g->n, percent(g->done, g->n));
        if (g->failed)
            px_buf_printf(out, "  %llu failed", (unsigned long long)g->failed);
        px_buf_char(out, '\n');
    }
    if (st->quarantined)
        px_buf_printf(out, "\n%llu quarantined: given up after repeated deaths or failures\n",
                      (unsigned long long)st->quarantined);
    if (st->damaged)
        px_buf_printf(out, "\n%llu damaged records were set aside and are done again\n",
                      (unsigned long long)st->damaged);
    labels_free(&labels, m->n_cells);
}

/* ---- JSON ---- */

void status_json(const struct run_status *st, struct px_buf *out)
{
    struct emit j = {.b = out};
    emit_begin(&j, NULL, '{');
    emit_text(&j, "recipe", st->manifest->recipe);
    emit_text(&j, "run_dir", st->manifest->run_dir);
    emit_text(&j, "state", st->live ? "running" : st->done == st->total ? "finished" : "stopped");
    emit_u64(&j, "pid", (uint64_t)st->pid);
    emit_u64(&j, "total", st->total);
    emit_u64(&j, "done", st->done);
    emit_u64(&j, "generated", st->generated);
    emit_u64(&j, "failed", st->failed);
    emit_u64(&j, "quarantined", st->quarantined);
    emit_u64(&j, "damaged_records", st->damaged);
    emit_f64(&j, "units_per_s", st->rate);
    emit_f64(&j, "eta_s", st->eta_s);
    emit_u64(&j, "workers", st->workers);
    emit_u64(&j, "testers", st->testers);
    emit_u64(&j, "heartbeat_us", st->heartbeat_us > 0 ? (uint64_t)st->heartbeat_us : 0);
    emit_begin(&j, "groups", '[');
    for (uint32_t i = 0; i < st->n_groups; i++) {
        const struct status_group *g = &st->groups[i];
        emit_begin(&j, NULL, '{');
        emit_text(&j, "cell", g->cell->names[0]);
        emit_text(&j, "task", g->task->name);
        emit_u64(&j, "n", g->n);
        emit_u64(&j, "done", g->done);
        emit_u64(&j, "generated", g->generated);
        emit_u64(&j, "scored", g->scored);
        emit_u64(&j, "failed", g->failed);
        emit_end(&j, '}');
    }
    emit_end(&j, ']');
    emit_end(&j, '}');
    px_buf_char(out, '\n');
}
