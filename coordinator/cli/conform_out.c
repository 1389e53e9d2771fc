/* conform_out.c - agreement with a peer, as text and as JSON. */
#include "coordinator/cli/conform_out.h"

#include <string.h>

#include "proto/json.h"

enum { SHOWN = 5, N_KINDS = 5 };

static const char *const kinds[N_KINDS] = {"prompts", "hashes", "filtered", "metrics",
                                           "aggregates"};

bool conform_equal(const struct conform_result *r)
{
    uint64_t compared = 0, differ = 0;
    for (int i = 0; i < N_KINDS; i++) {
        compared += r->n_fields[i];
        differ += r->differ_fields[i];
    }
    return compared > 0 && differ == 0;
}

static void put_difference(const struct conform_difference *d, struct px_buf *out)
{
    if (d->doc == UINT64_MAX)
        px_buf_printf(out, "  task, %s: ", d->field);
    else
        px_buf_printf(out, "  document %llu, %s, from character %zu on:\n    ours   ",
                      (unsigned long long)d->doc, d->field, d->at);
    px_json_quote(out, d->ours, strlen(d->ours));
    px_buf_str(out, d->doc == UINT64_MAX ? " ours, " : "\n    theirs ");
    px_json_quote(out, d->theirs, strlen(d->theirs));
    px_buf_str(out, d->doc == UINT64_MAX ? " theirs\n" : "\n");
}

void conform_text(const struct conform_line *l, struct px_buf *out)
{
    if (l->skipped) {
        px_buf_printf(out, "%s: not compared: %s\n", l->peer_task, l->skipped);
        return;
    }
    const struct conform_result *r = l->result;
    px_buf_printf(out, "%s (%s%s, %d-shot): %llu documents, %s\n", l->peer_task, l->ours,
                  l->compat ? ", compat lm-eval" : "", (int)l->shots, (unsigned long long)r->docs,
                  conform_equal(r) ? "equal" : "DIFFERENT");
    for (int i = 0; i < N_KINDS; i++)
        if (r->n_fields[i])
            px_buf_printf(out, "  %s: %llu of %llu equal\n", kinds[i],
                          (unsigned long long)(r->n_fields[i] - r->differ_fields[i]),
                          (unsigned long long)r->n_fields[i]);
    for (uint32_t i = 0; i < r->n_list && i < SHOWN; i++)
        put_difference(&r->list[i], out);
    if (r->n_list > SHOWN)
        px_buf_printf(out, "  ... %u more (--json lists all)\n", r->n_list - SHOWN);
    for (const char *p = r->notes; *p;) {
        size_t n = strcspn(p, "\n");
        px_buf_printf(out, "  note: %.*s\n", (int)n, p);
        p += n + (p[n] == '\n');
    }
}

static void emit_notes(const char *p, struct emit *e)
{
    emit_begin(e, "notes", '[');
    while (*p) {
        size_t n = strcspn(p, "\n");
        emit_bytes(e, NULL, p, n);
        p += n + (p[n] == '\n');
    }
    emit_end(e, ']');
}

void conform_json(const struct conform_line *l, struct emit *e)
{
    const struct conform_result *r = l->result;
    emit_begin(e, NULL, '{');
    emit_text(e, "task", l->peer_task);
    if (l->skipped) {
        emit_text(e, "not_compared", l->skipped);
        emit_end(e, '}');
        return;
    }
    emit_text(e, "ours", l->ours);
    emit_text(e, "compat", l->compat ? "lm-eval" : "");
    emit_u64(e, "shots", (uint64_t)l->shots);
    emit_u64(e, "documents", r->docs);
    emit_bool(e, "equal", conform_equal(r));
    for (int i = 0; i < N_KINDS; i++) {
        emit_begin(e, kinds[i], '{');
        emit_u64(e, "compared", r->n_fields[i]);
        emit_u64(e, "differ", r->differ_fields[i]);
        emit_end(e, '}');
    }
    emit_begin(e, "differences", '[');
    for (uint32_t i = 0; i < r->n_list; i++) {
        const struct conform_difference *d = &r->list[i];
        emit_begin(e, NULL, '{');
        if (d->doc != UINT64_MAX)
            emit_u64(e, "doc_id", d->doc);
        emit_text(e, "field", d->field);
        emit_u64(e, "at", d->at);
        emit_text(e, "ours", d->ours);
        emit_text(e, "theirs", d->theirs);
        emit_end(e, '}');
    }
    emit_end(e, ']');
    emit_notes(r->notes, e);
    emit_end(e, '}');
}
