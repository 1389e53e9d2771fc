/* manifest.c - the manifest as one JSON document and, per group, a table of units.
 *
 * A group's value: u32 cell, u32 task, u32 number of units, then per unit 32 bytes plan key, u32
 * sample, u32 turn, u32 subset, problem id as a blob. Decoders trust nothing: indices are checked
 * against the head. */
#include "coordinator/store/manifest.h"

#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"

enum { UNIT_BYTES_LEAST = PX_DIGEST_SIZE + 3 * 4 + 4 };
#define HEAD_LIMIT ((size_t)64 << 20)
#define GROUP_LIMIT ((size_t)3 << 30)
static const char head_key[] = "manifest";

/* ---- writing ---- */

static void put_text(struct px_buf *b, const char *key, const char *value)
{
    px_buf_printf(b, "\"%s\":", key);
    px_json_quote(b, value ? value : "", value ? strlen(value) : 0);
}

static void write_cell(const struct manifest_cell *c, struct px_buf *b)
{
    px_buf_str(b, "{\"names\":[");
    for (uint32_t i = 0; i < c->n_names; i++) {
        if (i)
            px_buf_char(b, ',');
        px_json_quote(b, c->names[i], strlen(c->names[i]));
    }
    px_buf_str(b, "],");
    put_text(b, "model", c->model);
    px_buf_printf(b, ",\"settings\":%s,\"speedup_bound\":", c->settings ? c->settings : "{}");
    px_json_number(b, c->speedup_bound);
    px_buf_printf(b, ",\"reuse_on\":%s}", c->reuse_on ? "true" : "false");
}

static void write_task(const struct manifest_task *t, struct px_buf *b)
{
    px_buf_char(b, '{');
    put_text(b, "name", t->name);
    px_buf_char(b, ',');
    put_text(b, "request", t->request);
    px_buf_char(b, ',');
    put_text(b, "headline", t->headline);
    px_buf_char(b, ',');
    put_text(b, "scorer", t->scorer);
    px_buf_str(b, ",\"chance\":");
    px_json_number(b, t->chance);
    px_buf_printf(b, ",\"n_problems\":%u,", t->n_problems);
    put_text(b, "digest", t->digest);
    px_buf_char(b, ',');
    put_text(b, "problems", t->problems);
    px_buf_char(b, ',');
    put_text(b, "compat", t->compat);
    px_buf_char(b, ',');
    put_text(b, "strategy", t->strategy);
    px_buf_printf(b, ",\"subsets\":%s,\"aggregates\":%s,\"oracle\":%s,\"lower_is_better\":%s}",
                  t->subsets ? t->subsets : "[]", t->aggregates ? t->aggregates : "[]",
                  t->oracle ? t->oracle : "{}", t->lower_is_better ? "true" : "false");
}

static void write_group_head(const struct manifest_group *g, bool comma, struct px_buf *b)
{
    px_buf_printf(b, "%s{\"cell\":%u,\"task\":%u,\"n_units\":%u", comma ? "," : "", g->cell,
                  g->task, g->n_units);
    if (g->judged != MANIFEST_NONE)
        px_buf_printf(b, ",\"judged\":%u", g->judged);
    if (g->opponent != MANIFEST_NONE)
        px_buf_printf(b, ",\"opponent\":%u", g->opponent);
    px_buf_char(b, '}');
}

static void write_head(const struct manifest *m, struct px_buf *b)
{
    px_buf_char(b, '{');
    put_text(b, "recipe", m->recipe);
    px_buf_char(b, ',');
    put_text(b, "run_dir", m->run_dir);
    /* a string: JSON readers keep 53 or 63 bits of a number */
    px_buf_printf(b, ",\"seed\":\"%llu\",\"models\":%s,", (unsigned long long)m->seed,
                  m->models ? m->models : "[]");
    put_text(b, "plan_digest", m->plan_digest);
    px_buf_str(b, ",\"cells\":[");
    for (uint32_t i = 0; i < m->n_cells; i++) {
        if (i)
            px_buf_char(b, ',');
        write_cell(&m->cells[i], b);
    }
    px_buf_str(b, "],\"tasks\":[");
    for (uint32_t i = 0; i < m->n_tasks; i++) {
        if (i)
            px_buf_char(b, ',');
        write_task(&m->tasks[i], b);
    }
    px_buf_str(b, "],\"groups\":[");
    for (uint32_t i = 0; i < m->n_groups; i++)
        write_group_head(&m->groups[i], i > 0, b);
    px_buf_str(b, "]}");
}

static void write_group(const struct manifest_group *g, struct px_buf *b)
{
    px_buf_u32(b, g->cell);
    px_buf_u32(b, g->task);
    px_buf_u32(b, g->n_units);
    for (uint32_t i = 0; i < g->n_units; i++) {
        px_buf_put(b, g->units[i].plan_key.b, PX_DIGEST_SIZE);
        px_buf_u32(b, g->units[i].sample);
        px_buf_u32(b, g->units[i].turn);
        px_buf_u32(b, g->units[i].subset);
        px_buf_cstr(b, g->units[i].problem);
    }
}

static void group_key(uint32_t index, uint8_t key[4])
{
    for (int i = 0; i < 4; i++)
        key[i] = (uint8_t)(index >> (24 - 8 * i));
}

void manifest_write(const struct manifest *m, struct store_batch *batch)
{
    struct px_buf b;
    uint8_t key[4];
    px_buf_init(&b, GROUP_LIMIT);
    write_head(m, &b);
    px_assert(b.len <= HEAD_LIMIT);
    store_batch_put(batch, STORE_META, head_key, sizeof head_key - 1, b.data, b.len);
    for (uint32_t i = 0; i < m->n_groups; i++) {
        px_buf_reset(&b);
        write_group(&m->groups[i], &b);
        px_assert(!b.overflow);
        group_key(i, key);
        store_batch_put(batch, STORE_GROUP, key, sizeof key, b.data, b.len);
    }
    px_buf_clear(&b);
}

/* ---- reading ---- */

static int dup_text(struct json_object *o, const char *key, char **out, struct px_err *err)
{
    const char *s;
    if (px_json_str(o, key, &s, err) != 0)
        return -1;
    *out = px_xstrdup(s);
    return 0;
}

/* A member as JSON text. */
static char *member_text(struct json_object *o, const char *key, const char *def)
{
    struct json_object *v;
    if (!json_object_object_get_ex(o, key, &v))
        return px_xstrdup(def);
    return px_xstrdup(
        json_object_to_json_string_ext(v, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE));
}

static int get_u32(struct json_object *o, const char *key, uint32_t *out, struct px_err *err)
{
    int64_t v;
    if (px_json_int(o, key, &v, err) != 0)
        return -1;
    if (v < 0 || v > UINT32_MAX)
        return px_fail(err, PX_EINPUT, "key '%s' is out of range", key);
    *out = (uint32_t)v;
    return 0;
}

static struct json_object *get_array(struct json_object *o, const char *key, struct px_err *err)
{
    struct json_object *v;
    if (json_object_is_type(o, json_type_object) && json_object_object_get_ex(o, key, &v) &&
        json_object_is_type(v, json_type_array))
        return v;
    px_fail(err, PX_EINPUT, "key '%s' should be a list", key);
    return NULL;
}

static int read_cell(struct json_object *o, struct manifest_cell *c, struct px_err *err)
{
    struct json_object *names = get_array(o, "names", err);
    if (!names || json_object_array_length(names) == 0)
        return px_fail(err, PX_EINPUT, "a cell has no names");
    size_t n = json_object_array_length(names);
    c->names = px_xcalloc(n, sizeof *c->names);
    for (size_t i = 0; i < n; i++) {
        struct json_object *s = json_object_array_get_idx(names, i);
        if (!json_object_is_type(s, json_type_string))
            return px_fail(err, PX_EINPUT, "a cell's name is no text");
        c->names[c->n_names++] = px_xstrdup(json_object_get_string(s));
    }
    c->settings = member_text(o, "settings", "{}");
    c->reuse_on = px_json_bool_or(o, "reuse_on", false);
    c->speedup_bound = px_json_double_or(o, "speedup_bound", 1);
    return dup_text(o, "model", &c->model, err);
}

static int read_task(struct json_object *o, struct manifest_task *t, struct px_err *err)
{
    if (dup_text(o, "name", &t->name, err) != 0 || dup_text(o, "request", &t->request, err) != 0 ||
        dup_text(o, "headline", &t->headline, err) != 0 ||
        dup_text(o, "scorer", &t->scorer, err) != 0 || dup_text(o, "digest", &t->digest, err) != 0)
        return -1;
    if (dup_text(o, "compat", &t->compat, err) != 0 ||
        dup_text(o, "strategy", &t->strategy, err) != 0 ||
        dup_text(o, "problems", &t->problems, err) != 0)
        return -1;
    t->subsets = member_text(o, "subsets", "[]");
    t->aggregates = member_text(o, "aggregates", "[]");
    t->oracle = member_text(o, "oracle", "{}");
    t->lower_is_better = px_json_bool_or(o, "lower_is_better", false);
    t->chance = px_json_double_or(o, "chance", 0);
    return get_u32(o, "n_problems", &t->n_problems, err);
}

static int read_group_head(struct json_object *o, const struct manifest *m, uint32_t n_groups,
                           struct manifest_group *g, struct px_err *err)
{
    if (get_u32(o, "cell", &g->cell, err) != 0 || get_u32(o, "task", &g->task, err) != 0 ||
        get_u32(o, "n_units", &g->n_units, err) != 0)
        return -1;
    if (g->cell >= m->n_cells || g->task >= m->n_tasks)
        return px_fail(err, PX_EINPUT, "a group names cell %u of %u and task %u of %u", g->cell,
                       m->n_cells, g->task, m->n_tasks);
    int64_t judged = px_json_int_or(o, "judged", MANIFEST_NONE);
    int64_t opponent = px_json_int_or(o, "opponent", MANIFEST_NONE);
    bool sound = (judged == MANIFEST_NONE || (judged >= 0 && judged < n_groups)) &&
                 (opponent == MANIFEST_NONE || (opponent >= 0 && opponent < n_groups));
    if (!sound)
        return px_fail(err, PX_EINPUT, "a group judges group %lld of %u", (long long)judged,
                       n_groups);
    g->judged = (uint32_t)judged;
    g->opponent = (uint32_t)opponent;
    return 0;
}

static int read_lists(struct json_object *o, struct manifest *m, struct px_err *err)
{
    struct json_object *cells = get_array(o, "cells", err);
    struct json_object *tasks = cells ? get_array(o, "tasks", err) : NULL;
    struct json_object *groups = tasks ? get_array(o, "groups", err) : NULL;
    if (!groups)
        return -1;
    size_t n_cells = json_object_array_length(cells), n_tasks = json_object_array_length(tasks);
    size_t n_groups = json_object_array_length(groups);
    m->cells = px_xcalloc(n_cells + 1, sizeof *m->cells);
    m->tasks = px_xcalloc(n_tasks + 1, sizeof *m->tasks);
    m->groups = px_xcalloc(n_groups + 1, sizeof *m->groups);
    while (m->n_cells < n_cells) {
        uint32_t i = m->n_cells++; /* counted first: manifest_free clears it on failure */
        if (read_cell(json_object_array_get_idx(cells, i), &m->cells[i], err) != 0)
            return -1;
    }
    while (m->n_tasks < n_tasks) {
        uint32_t i = m->n_tasks++;
        if (read_task(json_object_array_get_idx(tasks, i), &m->tasks[i], err) != 0)
            return -1;
    }
    for (uint32_t i = 0; i < n_groups; i++) {
        m->groups[i].index = i;
        if (read_group_head(json_object_array_get_idx(groups, i), m, (uint32_t)n_groups,
                            &m->groups[i], err) != 0)
            return -1;
        m->n_groups++;
    }
    return 0;
}

static int read_seed(struct json_object *o, uint64_t *out, struct px_err *err)
{
    const char *s;
    if (px_json_str(o, "seed", &s, err) != 0)
        return -1;
    char *end;
    uint64_t v = strtoull(s, &end, 10);
    if (*s < '0' || *s > '9' || *end)
        return px_fail(err, PX_EINPUT, "key 'seed' is no number: %.40s", s);
    *out = v;
    return 0;
}

struct manifest *manifest_decode_head(const void *json, size_t n, struct px_err *err)
{
    struct json_object *o = px_json_parse(json, n, err);
    if (!o)
        return NULL;
    struct manifest *m = px_xcalloc(1, sizeof *m);
    if (dup_text(o, "recipe", &m->recipe, err) != 0 ||
        dup_text(o, "run_dir", &m->run_dir, err) != 0 ||
        dup_text(o, "plan_digest", &m->plan_digest, err) != 0 || read_seed(o, &m->seed, err) != 0 ||
        read_lists(o, m, err) != 0)
        manifest_free(&m);
    else
        m->models = member_text(o, "models", "[]");
    json_object_put(o);
    return m;
}

int manifest_decode_group(const void *p, size_t n, struct manifest_group *g, struct px_err *err)
{
    struct px_reader r;
    px_assert(!g->units);
    px_reader_init(&r, p, n);
    uint32_t cell = px_get_u32(&r), task = px_get_u32(&r), n_units = px_get_u32(&r);
    if (!px_reader_ok(&r) || cell != g->cell || task != g->task || n_units != g->n_units ||
        n_units > px_reader_left(&r) / UNIT_BYTES_LEAST)
        return px_fail(err, PX_EINPUT, "group %u does not agree with its manifest", g->index);
    struct manifest_unit *units = px_xcalloc((size_t)n_units + 1, sizeof *units);
    for (uint32_t i = 0; i < n_units; i++) {
        const uint8_t *key = px_get_bytes(&r, PX_DIGEST_SIZE);
        if (key)
            memcpy(units[i].plan_key.b, key, PX_DIGEST_SIZE);
        units[i].sample = px_get_u32(&r);
        units[i].turn = px_get_u32(&r);
        units[i].subset = px_get_u32(&r);
        units[i].problem = px_get_cstr(&r);
    }
    g->units = units;
    if (!px_reader_end(&r))
        return px_fail(err, PX_EINPUT, "group %u has the wrong length", g->index);
    return 0;
}

static int read_groups(struct store_view *v, struct manifest *m, struct px_err *err)
{
    for (uint32_t i = 0; i < m->n_groups; i++) {
        uint8_t key[4];
        const void *val;
        size_t n;
        group_key(i, key);
        if (!store_view_get(v, STORE_GROUP, key, sizeof key, &val, &n))
            return px_fail(err, PX_EINPUT, "group %u of %u is missing or damaged", i, m->n_groups);
        if (manifest_decode_group(val, n, &m->groups[i], err) != 0)
            return -1;
    }
    return 0;
}

static struct manifest *read_all(struct store *s, bool units, struct px_err *err)
{
    const void *val;
    size_t n;
    struct manifest *m = NULL;
    struct store_view *v = store_view_begin(s, err);
    if (!v)
        return NULL;
    if (!store_view_get(v, STORE_META, head_key, sizeof head_key - 1, &val, &n)) {
        px_fail(err, PX_EMISSING, "store %s has no manifest: no run was started in it",
                store_dir(s));
    } else {
        m = manifest_decode_head(val, n, err);
        if (m && units && read_groups(v, m, err) != 0)
            manifest_free(&m);
        if (!m)
            px_wrap(err, "the manifest in store %s", store_dir(s));
    }
    store_view_end(&v);
    return m;
}

struct manifest *manifest_read(struct store *s, struct px_err *err)
{
    return read_all(s, true, err);
}

struct manifest *manifest_read_head(struct store *s, struct px_err *err)
{
    return read_all(s, false, err);
}

void manifest_free(struct manifest **mp)
{
    struct manifest *m = *mp;
    if (!m)
        return;
    for (uint32_t i = 0; i < m->n_cells; i++) {
        for (uint32_t k = 0; k < m->cells[i].n_names; k++)
            free(m->cells[i].names[k]);
        free(m->cells[i].names);
        free(m->cells[i].model);
        free(m->cells[i].settings);
    }
    for (uint32_t i = 0; i < m->n_tasks; i++) {
        free(m->tasks[i].name);
        free(m->tasks[i].request);
        free(m->tasks[i].headline);
        free(m->tasks[i].scorer);
        free(m->tasks[i].digest);
        free(m->tasks[i].subsets);
        free(m->tasks[i].aggregates);
        free(m->tasks[i].oracle);
        free(m->tasks[i].compat);
        free(m->tasks[i].strategy);
        free(m->tasks[i].problems);
    }
    for (uint32_t i = 0; i < m->n_groups; i++) {
        for (uint32_t k = 0; m->groups[i].units && k < m->groups[i].n_units; k++)
            free(m->groups[i].units[k].problem);
        free(m->groups[i].units);
    }
    free(m->cells);
    free(m->tasks);
    free(m->groups);
    free(m->recipe);
    free(m->run_dir);
    free(m->models);
    free(m->plan_digest);
    free(m);
    *mp = NULL;
}
