/* table.c - see table.h. */
#include "coordinator/task/table.h"

#include <stdlib.h>
#include <string.h>

#include "coordinator/data/places.h"
#include "proto/mem.h"

#define NO_PARTNER UINT32_MAX

struct part {
    struct rows *rows;
    char *value;
    uint32_t first; /* number of its first row in the table */
};

struct table {
    struct part *parts;
    uint32_t n_parts, n;
    uint32_t *kept; /* row in its part of each row of the table; NULL: all of them in order */
    char *each_name;
    char *on;
    struct rows *joined;
    uint32_t *partner; /* row of `joined`, of each row of the table; or NO_PARTNER */
};

void data_spec_init(struct data_spec *s)
{
    *s = (struct data_spec){.rows.n_rows = -1, .join.rows.n_rows = -1};
}

void data_spec_clear(struct data_spec *s)
{
    for (uint32_t i = 0; i < s->each.n_values; i++)
        free(s->each.values[i]);
    free(s->each.values);
    free(s->each.name);
    template_free(&s->each.file);
    template_free(&s->where);
    rows_spec_clear(&s->rows);
    rows_spec_clear(&s->join.rows);
    free(s->join.on);
    data_spec_init(s);
}

bool data_spec_given(const struct data_spec *s)
{
    return s->rows.n_files > 0 || s->each.name;
}

void table_free(struct table **tp)
{
    struct table *t = *tp;
    if (!t)
        return;
    for (uint32_t i = 0; i < t->n_parts; i++) {
        rows_free(&t->parts[i].rows);
        free(t->parts[i].value);
    }
    rows_free(&t->joined);
    free(t->parts);
    free(t->kept);
    free(t->each_name);
    free(t->on);
    free(t->partner);
    free(t);
    *tp = NULL;
}

/* ---- a family of files ---- */

static int each_path(const struct each_spec *e, uint32_t i, const struct places *places,
                     const char *task_dir, const char *get, char **out, struct px_err *err)
{
    struct arena *a = arena_new();
    struct px_buf b;
    struct value key = value_text(e->name, strlen(e->name));
    struct value text = value_text(e->values[i], strlen(e->values[i]));
    struct value row = {.kind = VALUE_MAP, .n = 1, .keys = &key, .items = &text};
    struct template_row view = {.row = &row, .number = i};
    px_buf_init(&b, 4096);
    px_buf_put(&b, "", 0);
    *out = NULL;
    int rc = template_render(e->file, &view, a, &b, err);
    if (rc != 0) {
        px_wrap(err, "data.each.file");
    } else if (memchr(b.data, '\0', b.len) || !rows_format_known((char *)b.data)) {
        rc = px_fail(err, PX_EINPUT, "data.each.file: '%.200s' is of no known format; allowed: %s",
                     (char *)b.data, rows_formats);
    } else if ((*out = places_find(places, task_dir, (char *)b.data)) == NULL) {
        rc = rows_report_missing((char *)b.data, get, places, task_dir, err);
    }
    px_buf_clear(&b);
    arena_free(&a);
    return rc;
}

static int by_path(const void *a, const void *b)
{
    return strcmp(rows_path(*(struct rows *const *)a), rows_path(*(struct rows *const *)b));
}

static int check_family(const struct table *t, const struct px_digest *want, struct px_err *err)
{
    char hex_want[PX_HEX_SIZE], hex_got[PX_HEX_SIZE];
    struct px_buf all;
    if (px_digest_is_zero(want))
        return 0;
    struct rows **order = px_xcalloc(t->n_parts, sizeof *order);
    for (uint32_t i = 0; i < t->n_parts; i++)
        order[i] = t->parts[i].rows;
    qsort(order, t->n_parts, sizeof *order, by_path);
    px_buf_init(&all, (size_t)1 << 30);
    for (uint32_t i = 0; i < t->n_parts; i++) {
        size_t n;
        const char *text = rows_text(order[i], &n);
        px_buf_put(&all, text, n);
    }
    struct px_digest got = px_sha256(all.data, all.len);
    bool ok = !all.overflow && px_digest_eq(&got, want);
    px_digest_hex(want, hex_want);
    px_digest_hex(&got, hex_got);
    if (!ok)
        px_fail(err, PX_EINPUT,
                "%s and the other %u files of data.each: their SHA-256, one after the other in the "
                "order of their names, is %s, expected %s: a file is another one, or damaged",
                rows_path(order[0]), t->n_parts - 1, hex_got, hex_want);
    px_buf_clear(&all);
    free(order);
    return ok ? 0 : -1;
}

static int load_family(struct table *t, const struct data_spec *s, const char *task_dir,
                       const char *data_dir, struct px_err *err)
{
    static const struct px_digest any = {0};
    struct places places;
    struct rows_spec spec = s->rows; /* borrowed: its number of rows is of all files together */
    uint64_t n = 0;
    int rc = 0;
    spec.n_rows = -1;
    t->each_name = px_xstrdup(s->each.name);
    t->parts = px_xcalloc(s->each.n_values, sizeof *t->parts);
    places_get(data_dir, &places);
    for (uint32_t i = 0; rc == 0 && i < s->each.n_values; i++) {
        PX_FREE char *path = NULL;
        rc = each_path(&s->each, i, &places, task_dir, s->rows.get, &path, err);
        struct rows *r = rc == 0 ? rows_load_file(&spec, path, &any, err) : NULL;
        if (!r) {
            rc = -1;
            break;
        }
        t->parts[t->n_parts++] = (struct part){.rows = r, .value = px_xstrdup(s->each.values[i])};
        n += rows_count(r);
    }
    places_free(&places);
    if (rc == 0 && n > 50000000)
        rc = px_fail(err, PX_ELIMIT, "data.each: more than 50,000,000 rows");
    if (rc == 0 && s->rows.n_rows >= 0 && (int64_t)n != s->rows.n_rows)
        rc = px_fail(err, PX_EINPUT, "data.each: %llu rows in all files, expected %lld",
                     (unsigned long long)n, (long long)s->rows.n_rows);
    return rc == 0 ? check_family(t, &s->each.hash, err) : rc;
}

static void number_parts(struct table *t)
{
    t->n = 0;
    for (uint32_t i = 0; i < t->n_parts; i++) {
        t->parts[i].first = t->n;
        t->n += rows_count(t->parts[i].rows);
    }
}

static int load_one(struct table *t, struct rows *r)
{
    if (!r)
        return -1;
    t->parts = px_xcalloc(1, sizeof *t->parts);
    t->parts[t->n_parts++] = (struct part){.rows = r};
    return 0;
}

/* ---- reading ---- */

uint32_t table_part_of(const struct table *t, uint32_t i)
{
    uint32_t lo = 0, hi = t->n_parts;
    px_assert(i < t->n);
    while (hi - lo > 1) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (t->parts[mid].first <= i)
            lo = mid;
        else
            hi = mid;
    }
    return lo;
}

static uint32_t row_in_part(const struct table *t, uint32_t part, uint32_t i)
{
    return t->kept ? t->kept[i] : i - t->parts[part].first;
}

/* The map with n more fields; the caller fills them in at the end. */
static struct value widen(const struct value *row, size_t more, struct arena *a)
{
    struct value v = {.kind = VALUE_MAP, .n = row->n};
    v.keys = arena_alloc(a, (row->n + more) * sizeof *v.keys);
    v.items = arena_alloc(a, (row->n + more) * sizeof *v.items);
    if (row->n > 0) {
        memcpy(v.keys, row->keys, row->n * sizeof *v.keys);
        memcpy(v.items, row->items, row->n * sizeof *v.items);
    }
    return v;
}

static struct value own_fields(const struct table *t, const struct part *p, uint32_t row,
                               struct arena *a)
{
    struct value v = rows_get(p->rows, row, a);
    if (!t->each_name)
        return v;
    v = widen(&v, 1, a);
    v.keys[v.n] = value_text(t->each_name, strlen(t->each_name));
    v.items[v.n++] = value_text(p->value, strlen(p->value));
    return v;
}

struct value table_get(const struct table *t, uint32_t i, struct arena *a)
{
    const struct part *p = &t->parts[table_part_of(t, i)];
    struct value v = own_fields(t, p, row_in_part(t, table_part_of(t, i), i), a);
    if (!t->joined)
        return v;
    if (t->partner[i] == NO_PARTNER)
        return v;
    struct value other = rows_get(t->joined, t->partner[i], a);
    v = widen(&v, other.n, a);
    for (size_t k = 0; k < other.n; k++) {
        if (value_get(&v, other.keys[k].text, other.keys[k].n))
            continue; /* the key of the join: loading refuses every other one */
        v.keys[v.n] = other.keys[k];
        v.items[v.n++] = other.items[k];
    }
    return v;
}

uint32_t table_count(const struct table *t)
{
    return t->n;
}

const char *table_path(const struct table *t, uint32_t i)
{
    return rows_path(t->parts[i < t->n ? table_part_of(t, i) : 0].rows);
}

uint32_t table_line(const struct table *t, uint32_t i)
{
    uint32_t part = table_part_of(t, i);
    return rows_line(t->parts[part].rows, row_in_part(t, part, i));
}

struct px_digest table_row_digest(const struct table *t, uint32_t i)
{
    const struct part *p = &t->parts[table_part_of(t, i)];
    struct px_digest own = rows_row_digest(p->rows, row_in_part(t, table_part_of(t, i), i));
    if (!p->value && !t->joined)
        return own;
    struct px_hash *h = px_hash_new("proctor row");
    px_hash_digest(h, &own);
    px_hash_str(h, p->value);
    if (t->joined && t->partner[i] != NO_PARTNER) {
        own = rows_row_digest(t->joined, t->partner[i]);
        px_hash_digest(h, &own);
    }
    return px_hash_end(&h);
}

struct px_digest table_digest(const struct table *t)
{
    struct px_digest d = rows_digest(t->parts[0].rows);
    if (!t->each_name && !t->joined)
        return d;
    struct px_hash *h = px_hash_new("proctor table");
    for (uint32_t i = 0; i < t->n_parts; i++) {
        d = rows_digest(t->parts[i].rows);
        px_hash_str(h, t->parts[i].value);
        px_hash_digest(h, &d);
    }
    if (t->joined) {
        d = rows_digest(t->joined);
        px_hash_digest(h, &d);
    }
    return px_hash_end(&h);
}

const char *table_each_name(const struct table *t)
{
    return t->each_name;
}

uint32_t table_n_parts(const struct table *t)
{
    return t->n_parts;
}

const char *table_part_value(const struct table *t, uint32_t part)
{
    return t->parts[part].value;
}

uint32_t table_part_first(const struct table *t, uint32_t part)
{
    return part < t->n_parts ? t->parts[part].first : t->n;
}

/* ---- where ---- */

/* A family's field must not be a column, and `where` decides. */
static int keep_row(const struct table *t, const struct part *p, uint32_t row,
                    const struct text_template *where, struct arena *a, bool *keep,
                    struct px_err *err)
{
    arena_reset(a);
    struct value plain = rows_get(p->rows, row, a), verdict;
    const char *path = rows_path(p->rows);
    uint32_t line = rows_line(p->rows, row);
    if (t->each_name && value_get(&plain, t->each_name, strlen(t->each_name)))
        return px_fail(err, PX_EINPUT, "%s:%u: the row has a field '%s', and data.each adds one",
                       path, line, t->each_name);
    if (!where)
        return 0;
    struct value v = own_fields(t, p, row, a);
    struct template_row view = {.row = &v, .number = row};
    if (template_value(where, &view, a, &verdict, err) != 0)
        return px_wrap(err, "%s:%u: data.where", path, line);
    if (verdict.kind != VALUE_BOOL)
        return px_fail(err, PX_EINPUT, "%s:%u: data.where is %s, expected true or false", path,
                       line, value_kind_name(&verdict));
    *keep = verdict.is_true;
    return 0;
}

static int choose_rows(struct table *t, const struct text_template *where, struct px_err *err)
{
    struct arena *a;
    uint32_t n = 0;
    int rc = 0;
    number_parts(t);
    if (!where && !t->each_name)
        return 0;
    a = arena_new();
    uint32_t *kept = px_xcalloc(t->n + 1u, sizeof *kept);
    for (uint32_t i = 0; i < t->n_parts && rc == 0; i++) {
        uint32_t rows = rows_count(t->parts[i].rows);
        t->parts[i].first = n;
        for (uint32_t k = 0; k < rows && rc == 0; k++) {
            bool keep = true;
            rc = keep_row(t, &t->parts[i], k, where, a, &keep, err);
            if (keep)
                kept[n++] = k;
        }
    }
    arena_free(&a);
    t->n = n;
    t->kept = kept;
    if (rc == 0 && n == 0)
        rc = px_fail(err, PX_EINPUT, "%s: data.where keeps no row", rows_path(t->parts[0].rows));
    return rc;
}

/* ---- join ---- */

struct index {
    uint32_t *slots; /* row + 1 */
    size_t cap;
    char **keys; /* JSON of each row's key */
    struct arena *texts;
};

static uint64_t text_hash(const char *s)
{
    uint64_t h = 0xcbf29ce484222325u; /* FNV-1a */
    for (; *s; s++)
        h = (h ^ (uint8_t)*s) * 0x100000001b3u;
    return h;
}

/* The slot of the row with this key, or the free one where it would be. */
static size_t index_slot(const struct index *x, const char *key)
{
    size_t k = text_hash(key) & (x->cap - 1);
    while (x->slots[k] && strcmp(x->keys[x->slots[k] - 1], key) != 0)
        k = (k + 1) & (x->cap - 1);
    return k;
}

static int row_key(const struct value *row, const char *on, const char *path, uint32_t line,
                   struct arena *a, char **out, struct px_err *err)
{
    const struct value *v = value_get(row, on, strlen(on));
    struct px_buf b;
    if (!v)
        return px_fail(err, PX_EINPUT, "%s:%u: the row has no field '%s' to join on", path, line,
                       on);
    px_buf_init(&b, 1u << 20);
    value_write_json(v, &b);
    *out = arena_copy(a, (char *)b.data, b.len);
    px_buf_clear(&b);
    return 0;
}

static int fill_index(struct index *x, const struct rows *r, const char *on, struct px_err *err)
{
    uint32_t n = rows_count(r);
    struct arena *a = arena_new();
    int rc = 0;
    for (uint32_t i = 0; i < n && rc == 0; i++) {
        arena_reset(a);
        struct value row = rows_get(r, i, a);
        rc = row_key(&row, on, rows_path(r), rows_line(r, i), x->texts, &x->keys[i], err);
        size_t k = rc == 0 ? index_slot(x, x->keys[i]) : 0;
        if (rc == 0 && x->slots[k])
            rc = px_fail(err, PX_EINPUT, "%s:%u: %s %.200s stands at line %u already", rows_path(r),
                         rows_line(r, i), on, x->keys[i], rows_line(r, x->slots[k] - 1));
        else if (rc == 0)
            x->slots[k] = i + 1;
    }
    arena_free(&a);
    return rc;
}

/* A field that both files have would hide one of the two. */
static int check_fields(const struct table *t, uint32_t i, const struct value *row, struct arena *a,
                        struct px_err *err)
{
    struct value other = rows_get(t->joined, t->partner[i], a);
    for (size_t k = 0; k < other.n; k++) {
        const struct value *key = &other.keys[k];
        bool is_on = key->n == strlen(t->on) && memcmp(key->text, t->on, key->n) == 0;
        if (!is_on && value_get(row, key->text, key->n))
            return px_fail(err, PX_EINPUT, "%s:%u: the field '%.*s' is in %s too",
                           rows_path(t->joined), rows_line(t->joined, t->partner[i]),
                           (int)(key->n < 60 ? key->n : 60), key->text, table_path(t, i));
    }
    return 0;
}

static int find_partners(struct table *t, const struct index *x, bool optional, struct px_err *err)
{
    struct arena *a = arena_new();
    int rc = 0;
    t->partner = px_xcalloc(t->n + 1u, sizeof *t->partner);
    for (uint32_t i = 0; i < t->n && rc == 0; i++) {
        uint32_t part = table_part_of(t, i);
        char *key = NULL;
        arena_reset(a);
        struct value row = own_fields(t, &t->parts[part], row_in_part(t, part, i), a);
        rc = row_key(&row, t->on, table_path(t, i), table_line(t, i), a, &key, err);
        if (rc != 0)
            break;
        uint32_t found = x->slots[index_slot(x, key)];
        if (found == 0 && !optional)
            rc = px_fail(err, PX_EINPUT, "%s:%u: no row of %s has the %s %.200s", table_path(t, i),
                         table_line(t, i), rows_path(t->joined), t->on, key);
        t->partner[i] = found ? found - 1 : NO_PARTNER;
        if (rc == 0 && found)
            rc = check_fields(t, i, &row, a, err);
    }
    arena_free(&a);
    return rc;
}

static int join(struct table *t, const struct join_spec *s, const char *task_dir,
                const char *data_dir, struct px_err *err)
{
    struct rows *r = rows_load(&s->rows, task_dir, data_dir, err);
    if (!r)
        return px_wrap(err, "data.join");
    struct index x = {.cap = 16, .texts = arena_new()};
    while (x.cap < 2 * (size_t)rows_count(r))
        x.cap *= 2;
    x.slots = px_xcalloc(x.cap, sizeof *x.slots);
    x.keys = px_xcalloc(rows_count(r) + 1u, sizeof *x.keys);
    t->on = px_xstrdup(s->on);
    int rc = fill_index(&x, r, s->on, err);
    t->joined = r;
    if (rc == 0)
        rc = find_partners(t, &x, s->optional, err);
    free(x.slots);
    free(x.keys);
    arena_free(&x.texts);
    return rc == 0 ? 0 : px_wrap(err, "data.join");
}

/* ---- loading ---- */

struct table *table_load(const struct data_spec *s, const char *task_dir, const char *data_dir,
                         struct px_err *err)
{
    struct table *t = px_xcalloc(1, sizeof *t);
    int rc = s->each.name ? load_family(t, s, task_dir, data_dir, err)
                          : load_one(t, rows_load(&s->rows, task_dir, data_dir, err));
    if (rc == 0)
        rc = choose_rows(t, s->where, err);
    if (rc == 0 && s->join.rows.n_files > 0)
        rc = join(t, &s->join, task_dir, data_dir, err);
    if (rc != 0)
        table_free(&t);
    return t;
}

struct table *table_parse(const char *name, char *text, size_t n, struct px_err *err)
{
    struct rows_spec spec = {.n_rows = -1};
    struct table *t = px_xcalloc(1, sizeof *t);
    if (load_one(t, rows_parse(&spec, name, text, n, err)) == 0)
        number_parts(t);
    else
        table_free(&t);
    return t;
}
