/* rows.c - see rows.h. Rows are spans of one text; loading parses each once to check it. */
#include "coordinator/task/rows.h"

#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "coordinator/data/catalogue.h"
#include "coordinator/task/rows_csv.h"
#include "coordinator/task/text.h"
#include "proto/file.h"
#include "proto/json.h"
#include "proto/mem.h"

#define MAX_FILE ((size_t)1 << 30)
#define MAX_ROWS 50000000

struct stretch {
    size_t at;
    uint32_t n;
    uint32_t line;
};

struct rows {
    char *path;
    char *text;
    size_t n_text;
    struct stretch *spans;
    uint32_t n, cap;
    bool is_csv, is_text;
    struct value *columns; /* CSV: texts */
    size_t n_columns;
    struct arena *arena; /* of the columns */
    struct px_digest digest;
};

void rows_spec_clear(struct rows_spec *s)
{
    for (uint32_t i = 0; i < s->n_files; i++)
        free(s->files[i].path);
    for (uint32_t i = 0; i < s->n_columns; i++)
        free(s->columns[i]);
    free(s->files);
    free(s->columns);
    free(s->get);
    free(s->records);
    pyregex_free(s->page);
    *s = (struct rows_spec){0};
}

void rows_free(struct rows **r)
{
    if (!*r)
        return;
    arena_free(&(*r)->arena);
    free((*r)->path);
    free((*r)->text);
    free((*r)->spans);
    free(*r);
    *r = NULL;
}

static int bad_row(const struct rows *r, uint32_t line, const char *what, struct px_err *err)
{
    return px_fail(err, PX_EINPUT, "%s:%u: %s", r->path, line, what);
}

static int add_row(struct rows *r, size_t at, size_t n, uint32_t line, struct px_err *err)
{
    if (r->n >= MAX_ROWS || n > UINT32_MAX)
        return bad_row(r, line, "too many rows, or a row of more than 4 GiB", err);
    if (!px_utf8_valid(r->text + at, n))
        return bad_row(r, line, "the row is not UTF-8", err);
    PX_GROW(r->spans, r->n, r->cap);
    r->spans[r->n++] = (struct stretch){.at = at, .n = (uint32_t)n, .line = line};
    return 0;
}

/* ---- JSON lines ---- */

static int add_json_line(struct rows *r, size_t at, size_t n, uint32_t line, struct arena *a,
                         struct px_err *err)
{
    struct value v;
    struct px_err inner;
    arena_reset(a);
    if (add_row(r, at, n, line, err) != 0)
        return -1;
    if (value_parse_json(a, r->text + at, n, &v, &inner) != 0)
        return bad_row(r, line, inner.text, err);
    if (v.kind != VALUE_MAP)
        return bad_row(r, line, "the row is not a JSON object", err);
    return 0;
}

static int split_json_lines(struct rows *r, struct px_err *err)
{
    struct arena *a = arena_new();
    uint32_t line = 0;
    int rc = 0;
    for (size_t at = 0; at < r->n_text && rc == 0;) {
        const char *end = memchr(r->text + at, '\n', r->n_text - at);
        size_t n = end ? (size_t)(end - (r->text + at)) : r->n_text - at;
        line++;
        if (strspn(r->text + at, " \t\r") < n) /* blank lines are not rows */
            rc = add_json_line(r, at, n, line, a, err);
        at += n + 1;
    }
    arena_free(&a);
    return rc;
}

/* ---- one JSON document ---- */

static uint32_t count_lines(const char *s, size_t n)
{
    uint32_t lines = 0;
    const char *end = s + n;
    while (s < end && (s = memchr(s, '\n', (size_t)(end - s)))) {
        lines++;
        s++;
    }
    return lines;
}

static size_t skip_space(const struct rows *r, size_t at)
{
    while (at < r->n_text && r->text[at] && strchr(" \t\r\n", r->text[at]))
        at++;
    return at;
}

/* The parser keeps no positions, but texts are borrowed: the list is found by walking the text
 * again, from the root's map down the path. *at ends on the list's bracket. */
static int find_records(const struct rows *r, const char *path, struct arena *a, size_t *at,
                        struct px_err *err)
{
    size_t pos = skip_space(r, 0);
    while (*path) {
        size_t n_part = strcspn(path, ".");
        bool found = false;
        if (pos >= r->n_text || r->text[pos] != '{')
            return px_fail(err, PX_EINPUT, "%s: there is no map that holds '%s'", r->path, path);
        pos++;
        while (!found) {
            struct value key, v;
            size_t end;
            pos = skip_space(r, pos);
            if (pos >= r->n_text || r->text[pos] != '"')
                return px_fail(err, PX_EINPUT, "%s: there is no key '%s'", r->path, path);
            if (value_parse_json_prefix(a, r->text + pos, r->n_text - pos, &key, &end, err) != 0)
                return -1;
            pos = skip_space(r, skip_space(r, pos + end) + 1); /* the colon */
            found = key.n == n_part && memcmp(key.text, path, n_part) == 0;
            if (found)
                break;
            if (value_parse_json_prefix(a, r->text + pos, r->n_text - pos, &v, &end, err) != 0)
                return -1;
            pos = skip_space(r, pos + end) + 1; /* the comma */
        }
        path += n_part + (path[n_part] == '.');
    }
    *at = pos;
    return 0;
}

static int split_json(struct rows *r, const char *records, struct px_err *err)
{
    struct arena *a = arena_new();
    struct value v;
    struct px_err inner;
    size_t at = 0, end;
    uint32_t line = 1;
    int rc = -1;
    if (!px_utf8_valid(r->text, r->n_text)) {
        px_fail(err, PX_EINPUT, "%s: the file is not UTF-8", r->path);
        goto done;
    }
    if (value_parse_json(a, r->text, r->n_text, &v, &inner) != 0) {
        px_fail(err, PX_EINPUT, "%s: %s", r->path, inner.text);
        goto done;
    }
    if (find_records(r, records, a, &at, err) != 0)
        goto done;
    if (at >= r->n_text || r->text[at] != '[') {
        px_fail(err, PX_EINPUT, "%s: '%s' is not a list of rows", r->path, records);
        goto done;
    }
    line += count_lines(r->text, at);
    rc = 0;
    for (size_t next = skip_space(r, at + 1); rc == 0 && r->text[next] != ']';) {
        line += count_lines(r->text + at, next - at);
        at = next;
        arena_reset(a);
        rc = value_parse_json_prefix(a, r->text + at, r->n_text - at, &v, &end, err);
        if (rc == 0 && v.kind != VALUE_MAP)
            rc = bad_row(r, line, "the row is not a JSON object", err);
        if (rc == 0)
            rc = add_row(r, at, end, line, err);
        if (rc == 0) {
            next = skip_space(r, at + end);
            next = r->text[next] == ',' ? skip_space(r, next + 1) : next;
        }
    }
done:
    arena_free(&a);
    return rc;
}

/* ---- CSV ---- */

static int read_columns(struct rows *r, const struct rows_spec *spec, size_t *at, uint32_t *line,
                        struct px_err *err)
{
    struct value header = {0};
    struct px_err inner;
    r->arena = arena_new();
    if (spec->n_columns > 0) {
        r->n_columns = spec->n_columns;
        r->columns = arena_alloc(r->arena, r->n_columns * sizeof *r->columns);
        for (uint32_t i = 0; i < spec->n_columns; i++) {
            size_t n = strlen(spec->columns[i]);
            r->columns[i] = value_text(arena_copy(r->arena, spec->columns[i], n), n);
        }
        return 0;
    }
    if (csv_record(r->arena, r->text, r->n_text, &header, &r->n_columns, at, &inner) != 0)
        return bad_row(r, 1, inner.text, err);
    *line += count_lines(r->text, *at);
    r->columns = header.items;
    for (size_t i = 0; i < r->n_columns; i++) {
        if (!px_utf8_valid(r->columns[i].text, r->columns[i].n))
            return bad_row(r, 1, "the header is not UTF-8", err);
        for (size_t j = 0; j < i && i < 1000; j++) {
            if (value_equal(&r->columns[i], &r->columns[j]))
                return bad_row(r, 1, "the header names a column twice", err);
        }
    }
    return 0;
}

static int split_csv(struct rows *r, const struct rows_spec *spec, struct px_err *err)
{
    size_t at = 0, n_fields, end;
    uint32_t line = 1;
    r->is_csv = true;
    if (read_columns(r, spec, &at, &line, err) != 0)
        return -1;
    while (at < r->n_text) {
        struct px_err inner;
        if (r->text[at] == '\n' || r->text[at] == '\r') { /* a blank line */
            line += r->text[at++] == '\n';
            continue;
        }
        if (csv_record(NULL, r->text + at, r->n_text - at, NULL, &n_fields, &end, &inner) != 0)
            return bad_row(r, line, inner.text, err);
        if (n_fields != r->n_columns)
            return px_fail(err, PX_EINPUT, "%s:%u: %zu fields in a record, expected %zu", r->path,
                           line, n_fields, r->n_columns);
        if (add_row(r, at, end, line, err) != 0)
            return -1;
        line += count_lines(r->text + at, end);
        at += end;
    }
    return 0;
}

/* ---- texts ---- */

static bool is_blank(const char *s, size_t n)
{
    text_strip(&s, &n);
    return n == 0;
}

static int add_page(struct rows *r, size_t at, size_t end, uint32_t line, struct px_err *err)
{
    return is_blank(r->text + at, end - at) ? 0 : add_row(r, at, end - at, line, err);
}

static int split_pages(struct rows *r, const struct pyregex *page, struct px_err *err)
{
    size_t at = 0, page_at = 0;
    uint32_t line = 1, page_line = 1;
    if (!px_utf8_valid(r->text, r->n_text))
        return px_fail(err, PX_EINPUT, "%s: the file is not UTF-8", r->path);
    for (; page && at <= r->n_text; line++) {
        const char *end = memchr(r->text + at, '\n', r->n_text - at);
        size_t n = end ? (size_t)(end - (r->text + at)) : r->n_text - at;
        struct pyregex_match m;
        bool limited = false;
        bool begins = pyregex_search(page, (struct span){r->text + at, n}, &m, &limited);
        if (limited)
            return px_fail(err, PX_EINPUT,
                           "%s:%u: page: the regular expression takes too long on this line",
                           r->path, line);
        if (begins && at > 0) {
            if (add_page(r, page_at, at - 1, page_line, err) != 0)
                return -1;
            page_at = at;
            page_line = line;
        }
        at += n + 1;
    }
    return add_page(r, page_at, r->n_text, page_line, err);
}

/* Every so many lines are a page, whatever they hold; the last one is whole. */
static int split_lines(struct rows *r, uint32_t per_page, struct px_err *err)
{
    size_t at = 0, page_at = 0;
    uint32_t line = 1;
    if (!px_utf8_valid(r->text, r->n_text))
        return px_fail(err, PX_EINPUT, "%s: the file is not UTF-8", r->path);
    for (; at < r->n_text; line++) {
        const char *end = memchr(r->text + at, '\n', r->n_text - at);
        size_t stop = end ? (size_t)(end - r->text) : r->n_text;
        at = stop + 1;
        if (line % per_page != 0)
            continue;
        if (add_row(r, page_at, stop - page_at, line - per_page + 1, err) != 0)
            return -1;
        page_at = at;
    }
    if ((line - 1) % per_page != 0)
        return px_fail(err, PX_EINPUT, "%s:%u: the file ends after %u lines of a page of %u",
                       r->path, line - 1, (line - 1) % per_page, per_page);
    return 0;
}

static int split_text(struct rows *r, const struct rows_spec *spec, struct px_err *err)
{
    r->is_text = true;
    r->n_columns = 1;
    r->arena = arena_new();
    r->columns = arena_alloc(r->arena, sizeof *r->columns);
    r->columns[0] = value_text("page", 4);
    return spec->page_lines ? split_lines(r, spec->page_lines, err)
                            : split_pages(r, spec->page, err);
}

/* ---- files ---- */

static bool has_ending(const char *s, const char *ending)
{
    size_t n = strlen(s), m = strlen(ending);
    return n > m && strcmp(s + n - m, ending) == 0;
}

const char rows_formats[] = ".jsonl, .jsonl.gz, .csv, .json, .txt, .raw";

bool rows_format_known(const char *file)
{
    static const char *const endings[] = {".jsonl", ".jsonl.gz", ".csv", ".json", ".txt", ".raw"};
    for (size_t i = 0; i < sizeof endings / sizeof endings[0]; i++)
        if (has_ending(file, endings[i]))
            return true;
    return false;
}

/* Inflates gzip (one member or several); *out is owned and has a NUL after its bytes. */
static int gunzip(const char *path, const char *in, size_t n, char **out, size_t *n_out,
                  struct px_err *err)
{
    struct px_buf b;
    z_stream z = {0};
    unsigned char chunk[65536];
    int rc = Z_OK;
    px_buf_init(&b, MAX_FILE);
    px_buf_put(&b, "", 0);
    px_assert(inflateInit2(&z, 15 + 16) == Z_OK);
    z.next_in = (unsigned char *)(uintptr_t)in;
    z.avail_in = (unsigned)n;
    while (!b.overflow) {
        z.next_out = chunk;
        z.avail_out = sizeof chunk;
        rc = inflate(&z, Z_NO_FLUSH);
        px_buf_put(&b, chunk, sizeof chunk - z.avail_out);
        if (rc == Z_STREAM_END && z.avail_in > 0)
            rc = inflateReset(&z);
        else if (rc != Z_OK)
            break;
    }
    inflateEnd(&z);
    if (b.overflow || rc != Z_STREAM_END) {
        px_buf_clear(&b);
        return px_fail(err, PX_EINPUT, "%s: %s", path,
                       rc == Z_OK || rc == Z_STREAM_END ? "more than 1 GiB when decompressed"
                                                        : "not a whole gzip file");
    }
    *out = px_buf_steal(&b, n_out);
    return 0;
}

/* JSON lines under the name .json, as some data sets have them: objects on several lines. */
static bool is_json_lines(const struct rows *r, const struct rows_spec *spec)
{
    size_t i = 0;
    while (i < r->n_text && strchr(" \t\r\n", r->text[i]) && r->text[i])
        i++;
    return !spec->records && i < r->n_text && r->text[i] == '{' &&
           memmem(r->text + i, r->n_text - i, "\n{", 2) != NULL;
}

static int split(struct rows *r, const struct rows_spec *spec, const char *name, struct px_err *err)
{
    if (r->n_text >= 3 && memcmp(r->text, "\xef\xbb\xbf", 3) == 0)
        memset(r->text, ' ', 3); /* a byte-order mark is white space */
    if (has_ending(name, ".csv"))
        return split_csv(r, spec, err);
    if (has_ending(name, ".json") && !is_json_lines(r, spec))
        return split_json(r, spec->records ? spec->records : "", err);
    if (has_ending(name, ".txt") || has_ending(name, ".raw"))
        return split_text(r, spec, err);
    return split_json_lines(r, err);
}

static int read_rows(struct rows *r, const struct rows_spec *spec, struct px_err *err)
{
    if (has_ending(r->path, ".gz")) {
        char *plain;
        size_t n_plain;
        if (gunzip(r->path, r->text, r->n_text, &plain, &n_plain, err) != 0)
            return -1;
        free(r->text);
        r->text = plain;
        r->n_text = n_plain;
        r->digest = px_sha256(r->text, r->n_text);
    }
    if (split(r, spec, r->path, err) != 0)
        return -1;
    if (spec->n_rows >= 0 && (int64_t)r->n != spec->n_rows)
        return px_fail(err, PX_EINPUT, "%s: %u rows, expected %lld", r->path, r->n,
                       (long long)spec->n_rows);
    return 0;
}

static int check_hash(const struct rows *r, const struct px_digest *expected, struct px_err *err)
{
    if (px_digest_is_zero(expected) || px_digest_eq(&r->digest, expected))
        return 0;
    char want[PX_HEX_SIZE], got[PX_HEX_SIZE];
    px_digest_hex(expected, want);
    px_digest_hex(&r->digest, got);
    return px_fail(err, PX_EINPUT,
                   "%s: the file's SHA-256 is %s, expected %s: it is another file, or damaged",
                   r->path, got, want);
}

/* Takes the text. */
static struct rows *rows_new(const struct rows_spec *spec, const struct px_digest *expected,
                             const char *name, char *text, size_t n, struct px_err *err)
{
    struct rows *r = px_xcalloc(1, sizeof *r);
    r->path = px_xstrdup(name);
    r->text = text;
    r->n_text = n;
    r->digest = px_sha256(text, n);
    if (check_hash(r, expected, err) != 0 || read_rows(r, spec, err) != 0)
        rows_free(&r);
    return r;
}

struct rows *rows_parse(const struct rows_spec *spec, const char *name, char *text, size_t n,
                        struct px_err *err)
{
    static const struct px_digest any = {0};
    return rows_new(spec, &any, name, text, n, err);
}

int rows_report_missing(const char *what, const char *get, const struct places *p,
                        const char *task_dir, struct px_err *err)
{
    struct px_buf b;
    if (what[0] == '/')
        return px_fail(err, PX_EMISSING, "%s is not there; get it: %s", what, get ? get : "-");
    if (strncmp(what, "./", 2) == 0)
        return px_fail(err, PX_EMISSING, "%s was not found in %s (the task file's); get it: %s",
                       what, task_dir, get ? get : "-");
    px_buf_init(&b, sizeof err->text);
    px_buf_printf(&b, "%s was not found in ", what);
    for (uint32_t i = 0; i < p->n; i++)
        px_buf_printf(&b, "%s%s (%s)", i ? ", " : "", p->list[i].dir, p->list[i].why);
    PX_FREE char *first = px_xstrndup(what, strcspn(what, " "));
    PX_FREE char *set = catalogue_hint(first);
    PX_FREE char *fetch = set ? px_xasprintf("`proctor data fetch %s`, or ", set) : px_xstrdup("");
    px_fail(err, PX_EMISSING,
            "%s; get it: %s%s; then put it into one of these directories, or name yours by --data "
            "or PROCTOR_DATA",
            (char *)b.data, fetch, get ? get : "-");
    px_buf_clear(&b);
    return -1;
}

static void report_missing(const struct rows_spec *spec, const struct places *p,
                           const char *task_dir, struct px_err *err)
{
    struct px_buf b;
    px_buf_init(&b, sizeof err->text);
    for (uint32_t i = 0; i < spec->n_files; i++)
        px_buf_printf(&b, "%s%s", i ? " or " : "", spec->files[i].path);
    rows_report_missing(b.len ? (char *)b.data : "", spec->get, p, task_dir, err);
    px_buf_clear(&b);
}

struct rows *rows_load_file(const struct rows_spec *spec, const char *path,
                            const struct px_digest *hash, struct px_err *err)
{
    char *text = NULL;
    size_t n;
    if (px_read_file(path, MAX_FILE, &text, &n, err) != 0)
        return NULL;
    return rows_new(spec, hash, path, text, n, err);
}

struct rows *rows_load(const struct rows_spec *spec, const char *task_dir, const char *data_dir,
                       struct px_err *err)
{
    struct places places;
    struct rows *r = NULL;
    PX_FREE char *path = NULL;
    uint32_t i = 0;
    places_get(data_dir, &places);
    for (; i < spec->n_files && !path; i++)
        path = places_find(&places, task_dir, spec->files[i].path);
    if (!path)
        report_missing(spec, &places, task_dir, err);
    else
        r = rows_load_file(spec, path, &spec->files[i - 1].hash, err);
    places_free(&places);
    return r;
}

/* ---- reading ---- */

uint32_t rows_count(const struct rows *r)
{
    return r->n;
}

struct value rows_get(const struct rows *r, uint32_t i, struct arena *a)
{
    px_assert(i < r->n);
    const struct stretch *s = &r->spans[i];
    struct value v;
    size_t n_fields, end;
    if (r->is_text) {
        struct value *page = arena_alloc(a, sizeof *page);
        *page = value_text(r->text + s->at, s->n);
        return (struct value){.kind = VALUE_MAP, .n = 1, .keys = r->columns, .items = page};
    }
    if (!r->is_csv) {
        px_assert(value_parse_json(a, r->text + s->at, s->n, &v, NULL) == 0); /* checked at load */
        return v;
    }
    px_assert(csv_record(a, r->text + s->at, s->n, &v, &n_fields, &end, NULL) == 0);
    return (struct value){
        .kind = VALUE_MAP, .n = r->n_columns, .keys = r->columns, .items = v.items};
}

struct px_digest rows_row_digest(const struct rows *r, uint32_t i)
{
    px_assert(i < r->n);
    return px_sha256(r->text + r->spans[i].at, r->spans[i].n);
}

struct px_digest rows_digest(const struct rows *r)
{
    return r->digest;
}

const char *rows_text(const struct rows *r, size_t *n)
{
    *n = r->n_text;
    return r->text;
}

const char *rows_path(const struct rows *r)
{
    return r->path;
}

uint32_t rows_line(const struct rows *r, uint32_t i)
{
    px_assert(i < r->n);
    return r->spans[i].line;
}
