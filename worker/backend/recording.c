#include "worker/backend/recording.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "proto/buf.h"
#include "proto/json.h"
#include "proto/mem.h"

#define RECORDING_LIMIT ((size_t)4 << 30) /* bytes of text, decompressed */

/* One text of one row; a row may hold a list of samples. */
struct entry {
    char *problem;
    uint32_t order;  /* of the row in the file */
    uint32_t within; /* of the text in its row */
    size_t at, len;  /* the row */
};

struct recording {
    char *name;
    char *text;
    struct entry *entries; /* sorted by problem, order, within */
    size_t n, cap;
    uint32_t rows;
};

static const char *const id_keys[] = {"task_id", "id", "problem", "doc_id"};
static const char *const text_keys[] = {"completion", "response", "output", "generation", "text"};

static struct json_object *first_of(struct json_object *row, const char *const *keys, size_t n)
{
    struct json_object *v = NULL;
    for (size_t i = 0; i < n; i++)
        if (json_object_object_get_ex(row, keys[i], &v) && v)
            return v;
    return NULL;
}

static struct json_object *row_id(struct json_object *row)
{
    struct json_object *v = first_of(row, id_keys, sizeof id_keys / sizeof *id_keys);
    bool ok =
        v && (json_object_is_type(v, json_type_string) || json_object_is_type(v, json_type_int));
    return ok ? v : NULL;
}

static struct json_object *row_text(struct json_object *row)
{
    return first_of(row, text_keys, sizeof text_keys / sizeof *text_keys);
}

static int by_problem(const void *pa, const void *pb)
{
    const struct entry *a = pa;
    const struct entry *b = pb;
    int c = strcmp(a->problem, b->problem);
    if (c == 0)
        c = (a->order > b->order) - (a->order < b->order);
    return c ? c : (a->within > b->within) - (a->within < b->within);
}

static int add_row(struct recording *r, size_t at, size_t len, uint32_t line, struct px_err *err)
{
    struct px_err why;
    struct json_object *row = px_json_parse(r->text + at, len, &why);
    if (!row)
        return px_fail(err, PX_EINPUT, "%s:%u: %s", r->name, line, why.text);
    struct json_object *id = row_id(row);
    struct json_object *text = row_text(row);
    uint32_t n = !text                                         ? 0
                 : json_object_is_type(text, json_type_string) ? 1
                 : json_object_is_type(text, json_type_array)
                     ? (uint32_t)json_object_array_length(text)
                     : 0;
    int rc = 0;
    if (!id)
        rc = px_fail(err, PX_EINPUT, "%s:%u: no problem id (task_id, id, problem or doc_id)",
                     r->name, line);
    else if (n == 0)
        rc = px_fail(err, PX_EINPUT,
                     "%s:%u: no text (completion, response, output, generation or text: a string "
                     "or a list of strings)",
                     r->name, line);
    for (uint32_t i = 0; rc == 0 && i < n; i++) {
        PX_GROW(r->entries, r->n, r->cap);
        r->entries[r->n++] =
            (struct entry){px_xstrdup(json_object_get_string(id)), r->rows, i, at, len};
    }
    r->rows++;
    json_object_put(row);
    return rc;
}

/* Takes the text. */
static struct recording *index_text(char *text, size_t len, const char *name, struct px_err *err)
{
    struct recording *r = px_xcalloc(1, sizeof *r);
    r->name = px_xstrdup(name);
    r->text = text;
    uint32_t line = 1;
    for (size_t at = 0; at < len; line++) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end ? (size_t)(end - (text + at)) : len - at;
        size_t blank = 0;
        while (blank < n && strchr(" \t\r", text[at + blank]) && text[at + blank])
            blank++;
        if (blank < n && add_row(r, at, n, line, err) != 0) {
            recording_free(&r);
            return NULL;
        }
        at += n + 1;
    }
    if (r->n)
        qsort(r->entries, r->n, sizeof *r->entries, by_problem);
    return r;
}

struct recording *recording_parse(const char *text, size_t len, const char *name,
                                  struct px_err *err)
{
    return index_text(px_xmemdup(text, len), len, name, err);
}

struct recording *recording_open(const char *path, struct px_err *err)
{
    gzFile f = gzopen(path, "rb"); /* reads plain files too */
    if (!f) {
        px_fail_errno(err, "cannot open recorded completions %s", path);
        return NULL;
    }
    struct px_buf b;
    char chunk[1 << 16];
    int n;
    px_buf_init(&b, RECORDING_LIMIT);
    while ((n = gzread(f, chunk, sizeof chunk)) > 0)
        px_buf_put(&b, chunk, (size_t)n);
    int status;
    const char *why = gzerror(f, &status);
    struct recording *r = NULL;
    if (n < 0)
        px_fail(err, PX_EINPUT, "cannot read %s: %s", path, why);
    else if (b.overflow)
        px_fail(err, PX_ELIMIT, "%s holds more than %zu bytes", path, RECORDING_LIMIT);
    gzclose(f);
    if (n < 0 || b.overflow) {
        px_buf_clear(&b);
        return NULL;
    }
    size_t len;
    char *text = px_buf_steal(&b, &len);
    r = index_text(text, len, path, err);
    return r;
}

void recording_free(struct recording **rp)
{
    struct recording *r = *rp;
    if (!r)
        return;
    for (size_t i = 0; i < r->n; i++)
        free(r->entries[i].problem);
    free(r->entries);
    free(r->text);
    free(r->name);
    free(r);
    *rp = NULL;
}

uint32_t recording_rows(const struct recording *r)
{
    return r->rows;
}

static size_t first_entry(const struct recording *r, const char *problem)
{
    size_t lo = 0;
    size_t hi = r->n;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (strcmp(r->entries[mid].problem, problem) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

void recording_find(const struct recording *r, const char *problem, uint32_t sample,
                    struct completion *out)
{
    size_t i = first_entry(r, problem) + sample;
    memset(out, 0, sizeof *out);
    if (i >= r->n || strcmp(r->entries[i].problem, problem) != 0) {
        out->finish = FINISH_ERROR;
        out->error =
            px_xasprintf("no recorded completion for problem %s, sample %u", problem, sample);
        return;
    }
    const struct entry *e = &r->entries[i];
    struct json_object *row = px_json_parse(r->text + e->at, e->len, NULL);
    px_assert(row);
    struct json_object *text = row_text(row);
    if (json_object_is_type(text, json_type_array))
        text = json_object_array_get_idx(text, e->within);
    const char *reason = px_json_str_or(row, "finish_reason", "");
    out->finish = strcmp(reason, "length") == 0 ? FINISH_LENGTH : FINISH_EOS;
    if (json_object_is_type(text, json_type_string)) {
        out->n_text = (uint32_t)json_object_get_string_len(text);
        out->text = px_xmemdup(json_object_get_string(text), out->n_text);
    } else {
        out->finish = FINISH_ERROR;
        out->error = px_xasprintf("the recorded completion of problem %s is not a text", problem);
    }
    json_object_put(row);
}
