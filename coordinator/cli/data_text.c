/* data_text.c - what `proctor data list` and `check` write, for people and for programs. */
#include <stdio.h>
#include <string.h>

#include "coordinator/cli/data_book.h"
#include "proto/json.h"
#include "proto/mem.h"

static void write_size(int64_t bytes, char out[24])
{
    if (bytes < 0)
        snprintf(out, 24, "?");
    else if (bytes < 1000000)
        snprintf(out, 24, "%.1f kB", (double)bytes / 1e3);
    else
        snprintf(out, 24, "%.1f MB", (double)bytes / 1e6);
}

/* Number, or -1 (not known) when one of them is not. */
static int64_t sum(int64_t total, int64_t more)
{
    return total < 0 || more < 0 ? -1 : total + more;
}

static void write_tasks(const struct data_book *b, const struct catalogue_set *s,
                        struct px_buf *out)
{
    for (uint32_t t = 0; t < b->n_tasks; t++) {
        bool uses = false;
        for (uint32_t i = 0; i < s->n; i++)
            uses = uses || book_task_uses(b, t, s->first + i);
        if (uses)
            px_buf_printf(out, " %s", b->tasks[t]->task);
    }
}

/* "there", "3 of 4 files", "missing", "by hand", "wrong". */
static void write_state(const struct data_book *b, const struct catalogue_set *s, char out[40],
                        const char **where)
{
    uint32_t there = 0, wanted = 0, wrong = 0, by_hand = 0;
    *where = "";
    for (uint32_t i = s->first; i < s->first + s->n; i++) {
        enum data_state st = b->found[i].state;
        if (book_spared(b, i))
            continue;
        wanted++;
        there += st == DATA_RIGHT || st == DATA_THERE;
        wrong += st == DATA_WRONG || st == DATA_INCOMPLETE;
        by_hand += st == DATA_ABSENT && b->catalogue->files[i].manual;
        if (b->found[i].path && !**where)
            *where = b->found[i].path;
    }
    if (wrong)
        snprintf(out, 40, "wrong");
    else if (there == wanted)
        snprintf(out, 40, "there");
    else if (there)
        snprintf(out, 40, "%u of %u files", there, wanted);
    else
        snprintf(out, 40, by_hand == wanted ? "missing (manual)" : "missing");
}

void book_write_list(const struct data_book *b, struct px_buf *out)
{
    const struct catalogue *c = b->catalogue;
    px_buf_printf(out, "%-17s %7s %9s  %-16s %s\n", "data set", "rows", "size", "state", "licence");
    for (uint32_t i = 0; i < c->n_sets; i++) {
        const struct catalogue_set *s = &c->sets[i];
        int64_t rows = 0, bytes = 0;
        char size[24], state[40], count[24] = "?";
        const char *where;
        bool any = false;
        for (uint32_t k = s->first; k < s->first + s->n; k++) {
            any = any || b->chosen[k];
            if (c->files[k].instead_of)
                continue;
            rows = sum(rows, c->files[k].rows);
            bytes = sum(bytes, c->files[k].bytes);
        }
        if (!any)
            continue;
        if (rows >= 0)
            snprintf(count, sizeof count, "%lld", (long long)rows);
        write_size(bytes, size);
        write_state(b, s, state, &where);
        px_buf_printf(out, "%-17s %7s %9s  %-16s %s\n", s->name, count, size, state, s->licence);
        px_buf_printf(out, "    tasks:");
        write_tasks(b, s, out);
        px_buf_printf(out, "%s%s\n", *where ? "; in " : "", where);
    }
    px_buf_printf(out, "get one: proctor data fetch NAME, into %s\n", b->places.list[0].dir);
}

static void write_file(const struct data_book *b, uint32_t i, struct px_buf *out)
{
    const struct catalogue_file *f = &b->catalogue->files[i];
    const struct data_found *d = &b->found[i];
    bool spared = book_spared(b, i);
    px_buf_printf(out, "%-10s %s", spared ? "-" : data_state_name(d->state), f->file);
    if (spared)
        px_buf_printf(out, ": another form of it will do");
    else if (d->why)
        px_buf_printf(out, ": %s %s", d->path, d->why);
    else if (d->path)
        px_buf_printf(out, ": %s", d->path);
    else if (f->manual)
        px_buf_printf(out, ": get it by hand: %s", f->manual);
    else if (f->url)
        px_buf_printf(out, ": proctor data fetch %s", b->catalogue->sets[f->set].name);
    px_buf_char(out, '\n');
}

/* Does the task use one of the chosen files? */
static bool concerns(const struct data_book *b, uint32_t task)
{
    for (uint32_t i = 0; i < b->catalogue->n_files; i++)
        if (b->chosen[i] && book_task_uses(b, task, i))
            return true;
    return b->all;
}

void book_write_check(const struct data_book *b, struct px_buf *out)
{
    for (uint32_t i = 0; i < b->catalogue->n_files; i++)
        if (b->chosen[i])
            write_file(b, i, out);
    px_buf_str(out, "tasks that can run:");
    for (uint32_t t = 0; t < b->n_tasks; t++) {
        const char *what;
        enum data_state s = concerns(b, t) ? book_task_state(b, t, true, &what) : DATA_ABSENT;
        if (s == DATA_RIGHT || s == DATA_THERE)
            px_buf_printf(out, " %s", b->tasks[t]->task);
    }
    px_buf_char(out, '\n');
    for (uint32_t t = 0; t < b->n_tasks; t++) {
        const char *what;
        enum data_state s = concerns(b, t) ? book_task_state(b, t, true, &what) : DATA_RIGHT;
        if (s != DATA_RIGHT && s != DATA_THERE)
            px_buf_printf(out, "task %s cannot: %s is %s\n", b->tasks[t]->task, what,
                          data_state_name(s));
    }
}

/* ---- for programs ---- */

static void member(struct px_buf *out, const char *key, const char *value)
{
    px_buf_printf(out, ", \"%s\": ", key);
    if (value)
        px_json_quote(out, value, strlen(value));
    else
        px_buf_str(out, "null");
}

static void write_file_json(const struct data_book *b, uint32_t i, struct px_buf *out)
{
    const struct catalogue_file *f = &b->catalogue->files[i];
    const struct data_found *d = &b->found[i];
    char hex[PX_HEX_SIZE];
    px_digest_hex(&f->hash, hex);
    px_buf_str(out, "{\"file\": ");
    px_json_quote(out, f->file, strlen(f->file));
    member(out, "sha256", px_digest_is_zero(&f->hash) ? NULL : hex);
    px_buf_printf(out, f->bytes < 0 ? ", \"bytes\": null" : ", \"bytes\": %lld",
                  (long long)f->bytes);
    px_buf_printf(out, f->rows < 0 ? ", \"rows\": null" : ", \"rows\": %lld", (long long)f->rows);
    px_buf_printf(out, ", \"files\": %u", f->n_files);
    member(out, "fetch", f->url ? "url" : f->manual ? "manual" : "shipped");
    member(out, "url", f->url);
    member(out, "manual", f->manual);
    member(out, "instead_of", f->instead_of);
    member(out, "state", data_state_name(d->state));
    member(out, "path", d->path);
    member(out, "why", d->why);
    px_buf_printf(out, ", \"not_needed\": %s}", book_spared(b, i) ? "true" : "false");
}

static void write_set_json(const struct data_book *b, const struct catalogue_set *s,
                           struct px_buf *out)
{
    bool first = true;
    px_buf_str(out, "{\"name\": ");
    px_json_quote(out, s->name, strlen(s->name));
    member(out, "about", s->about);
    member(out, "licence", s->licence);
    member(out, "origin", s->origin);
    px_buf_str(out, ", \"tasks\": [");
    for (uint32_t t = 0; t < b->n_tasks; t++) {
        bool uses = false;
        for (uint32_t i = 0; i < s->n; i++)
            uses = uses || book_task_uses(b, t, s->first + i);
        if (!uses)
            continue;
        px_buf_str(out, first ? "" : ", ");
        px_json_quote(out, b->tasks[t]->task, strlen(b->tasks[t]->task));
        first = false;
    }
    px_buf_str(out, "], \"files\": [");
    first = true;
    for (uint32_t i = s->first; i < s->first + s->n; i++) {
        if (!b->chosen[i])
            continue;
        px_buf_str(out, first ? "\n    " : ",\n    ");
        write_file_json(b, i, out);
        first = false;
    }
    px_buf_str(out, "]}");
}

static void write_tasks_json(const struct data_book *b, bool hash, struct px_buf *out)
{
    bool first = true;
    px_buf_str(out, ", \"tasks\": [");
    for (uint32_t t = 0; t < b->n_tasks; t++) {
        const char *what;
        if (!concerns(b, t))
            continue;
        enum data_state s = book_task_state(b, t, hash, &what);
        bool runs = s == DATA_RIGHT || s == DATA_THERE;
        px_buf_str(out, first ? "\n  {\"task\": " : ",\n  {\"task\": ");
        px_json_quote(out, b->tasks[t]->task, strlen(b->tasks[t]->task));
        px_buf_printf(out, ", \"can_run\": %s", runs ? "true" : "false");
        member(out, "state", data_state_name(s));
        member(out, "file", *what ? what : NULL);
        px_buf_char(out, '}');
        first = false;
    }
    px_buf_char(out, ']');
}

void book_write_json(const struct data_book *b, bool hash, struct px_buf *out)
{
    bool first = true;
    px_buf_str(out, "{\"sets\": [");
    for (uint32_t i = 0; i < b->catalogue->n_sets; i++) {
        const struct catalogue_set *s = &b->catalogue->sets[i];
        bool any = false;
        for (uint32_t k = s->first; k < s->first + s->n; k++)
            any = any || b->chosen[k];
        if (!any)
            continue;
        px_buf_str(out, first ? "\n  " : ",\n  ");
        write_set_json(b, s, out);
        first = false;
    }
    px_buf_char(out, ']');
    write_tasks_json(b, hash, out);
    px_buf_str(out, "}\n");
}
