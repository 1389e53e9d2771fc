/* recording_load.c - files and directories of recorded completions, and the formats that are no
 * JSON lines: they are written as such. */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "proto/file.h"
#include "proto/json.h"
#include "proto/mem.h"
#include "proto/recording_internal.h"

/* ---- reading ---- */

int recording_read_file(const char *path, struct px_buf *out, struct px_err *err)
{
    gzFile f = gzopen(path, "rb"); /* reads plain files too */
    if (!f)
        return px_fail_errno(err, "cannot open recorded completions %s", path);
    char chunk[1 << 16];
    int n;
    while ((n = gzread(f, chunk, sizeof chunk)) > 0 && !out->overflow)
        px_buf_put(out, chunk, (size_t)n);
    static const char mark[] = "\xef\xbb\xbf"; /* what some editors put before UTF-8 */
    if (out->len >= 3 && memcmp(out->data, mark, 3) == 0) {
        memmove(out->data, out->data + 3, out->len - 3);
        out->len -= 3;
    }
    int status;
    const char *why = gzerror(f, &status);
    int rc = 0;
    if (n < 0 && status == Z_ERRNO)
        rc = px_fail_errno(err, "cannot read %s", path);
    else if (n < 0 || status == Z_BUF_ERROR)
        rc = px_fail(err, PX_EINPUT, "cannot read %s: %s (is the gzip file cut short?)", path, why);
    else if (out->overflow)
        rc = px_fail(err, PX_ELIMIT, "%s holds more than %zu bytes", path, RECORDING_LIMIT);
    gzclose(f);
    return rc;
}

/* ---- one JSON value ---- */

static int wrong_format(const char *name, enum recording_format want, const char *what,
                        struct px_err *err)
{
    return px_fail(err, PX_EINPUT, "%s is not in the format %s: %s", name,
                   recording_format_name(want), what);
}

static void put_member(struct px_buf *b, const char *key, struct json_object *v)
{
    size_t n;
    const char *text = json_object_to_json_string_length(v, JSON_C_TO_STRING_PLAIN, &n);
    px_buf_char(b, b->data[b->len - 1] == '{' ? '"' : ',');
    if (b->data[b->len - 1] == ',')
        px_buf_char(b, '"');
    px_buf_printf(b, "%s\":", key);
    px_buf_put(b, text, n);
}

static void put_line(struct px_buf *b, struct json_object *row)
{
    size_t n;
    const char *text = json_object_to_json_string_length(row, JSON_C_TO_STRING_PLAIN, &n);
    px_buf_put(b, text, n);
    px_buf_char(b, '\n');
}

/* A list of lists of texts (bigcode), or a list of rows. */
static int lines_of_array(struct json_object *a, const char *name, enum recording_format *format,
                          struct px_buf *out, struct px_err *err)
{
    for (size_t i = 0; i < json_object_array_length(a); i++) {
        struct json_object *e = json_object_array_get_idx(a, i);
        bool list = json_object_is_type(e, json_type_array);
        if (!list && !json_object_is_type(e, json_type_object))
            return px_fail(err, PX_EINPUT, "%s: element %zu is neither a row nor a list of texts",
                           name, i);
        if (i == 0 && *format == RECORDING_AUTO)
            *format = list ? RECORDING_BIGCODE : RECORDING_JSONL;
        if (list != (*format == RECORDING_BIGCODE))
            return px_fail(err, PX_EINPUT, "%s: element %zu is %s, in a file of format %s", name, i,
                           list ? "a list" : "an object", recording_format_name(*format));
        if (list) {
            px_buf_char(out, '{');
            put_member(out, "generation", e);
            px_buf_str(out, "}\n");
        } else {
            put_line(out, e);
        }
    }
    return 0;
}

/* EvalPlus's results: {"eval": {task: [{"solution", "base_status", ...}]}}. */
static int lines_of_results(struct json_object *eval, const char *name, struct px_buf *out,
                            struct px_err *err)
{
    json_object_object_foreach(eval, task, list)
    {
        if (!json_object_is_type(list, json_type_array))
            return px_fail(err, PX_EINPUT, "%s: eval.%.80s is not a list", name, task);
        for (size_t i = 0; i < json_object_array_length(list); i++) {
            struct json_object *row = json_object_array_get_idx(list, i);
            if (!json_object_is_type(row, json_type_object))
                return px_fail(err, PX_EINPUT, "%s: eval.%.80s[%zu] is not an object", name, task,
                               i);
            if (!recording_member(row, "task_id"))
                json_object_object_add(row, "task_id", json_object_new_string(task));
            put_line(out, row);
        }
    }
    return 0;
}

static int lines_of_value(struct json_object *v, const char *name, enum recording_format *format,
                          struct px_buf *out, struct px_err *err)
{
    struct json_object *eval;
    if (json_object_is_type(v, json_type_array))
        return lines_of_array(v, name, format, out, err);
    if (json_object_object_get_ex(v, "eval", &eval) &&
        json_object_is_type(eval, json_type_object)) {
        *format = RECORDING_EVALPLUS;
        return lines_of_results(eval, name, out, err);
    }
    if (recording_member(v, "results") && recording_member(v, "configs"))
        return px_fail(err, PX_EINPUT,
                       "%s holds lm-eval's results; the completions are in samples_*.jsonl beside "
                       "it",
                       name);
    put_line(out, v); /* one row, written over several lines */
    return 0;
}

/* ---- CSV of loglikelihoods ---- */

static int csv_line(const char *s, size_t n, uint32_t columns, uint32_t line, const char *name,
                    struct px_buf *out, struct px_err *err)
{
    uint32_t k = 0;
    px_buf_str(out, "{\"loglikelihoods\":[");
    for (size_t at = 0; at <= n; k++) {
        const char *comma = memchr(s + at, ',', n - at);
        size_t len = comma ? (size_t)(comma - (s + at)) : n - at;
        PX_FREE char *field = px_xstrndup(s + at, len);
        char *end;
        double v = strtod(field, &end);
        if (end == field || end[strspn(end, " \t\r")] != '\0')
            return px_fail(err, PX_EINPUT, "%s:%u: '%.40s' is not a number", name, line, field);
        px_buf_printf(out, "%s\"%.17g\"", k ? "," : "", v);
        at += len + 1;
    }
    px_buf_str(out, "]}\n");
    if (k != columns)
        return px_fail(err, PX_EINPUT, "%s:%u: %u numbers, the header names %u columns", name, line,
                       k, columns);
    return 0;
}

static int lines_of_csv(const struct px_buf *raw, const char *name, struct px_buf *out,
                        struct px_err *err)
{
    const char *text = (const char *)raw->data;
    uint32_t line = 1;
    uint32_t columns = 0;
    for (size_t at = 0; at < raw->len; line++) {
        const char *end = memchr(text + at, '\n', raw->len - at);
        size_t n = end ? (size_t)(end - (text + at)) : raw->len - at;
        if (columns == 0) {
            columns = 1;
            for (size_t i = 0; i < n; i++)
                columns += text[at + i] == ',';
            px_buf_char(out, '\n'); /* a line for each line: rows are told by their number */
        } else if (n == 0 || (n == 1 && text[at] == '\r')) {
            px_buf_char(out, '\n');
        } else if (csv_line(text + at, n, columns, line, name, out, err) != 0) {
            return -1;
        }
        at += n + 1;
    }
    return 0;
}

/* ---- what is it? ---- */

static bool ends_with(const char *s, const char *end)
{
    size_t n = strlen(s), k = strlen(end);
    return n >= k && strcmp(s + n - k, end) == 0;
}

static bool looks_like_csv(const struct px_buf *raw, const char *name)
{
    if (ends_with(name, ".csv") || ends_with(name, ".csv.gz"))
        return true;
    const char *text = (const char *)raw->data;
    return raw->len > 4 && strncmp(text, "nll_", 4) == 0;
}

/* Of JSON lines, by the first row. */
static enum recording_format format_of_row(struct json_object *row)
{
    bool id = recording_member(row, "task_id") != NULL;
    if (recording_member(row, "resps") && recording_member(row, "doc_id"))
        return RECORDING_LM_EVAL;
    if (id && recording_member(row, "solution") && !recording_member(row, "prompt") &&
        !recording_member(row, "completion"))
        return RECORDING_EVALPLUS;
    if (id && recording_member(row, "completion"))
        return RECORDING_HUMANEVAL;
    return RECORDING_JSONL;
}

/* What a format must have in its first row; lines of other formats have been told by now. */
static int check_first_row(struct json_object *row, const char *name, enum recording_format *format,
                           struct px_err *err)
{
    enum recording_format seen = format_of_row(row);
    if (*format == RECORDING_AUTO)
        *format = seen;
    if (*format == RECORDING_HUMANEVAL && !recording_member(row, "task_id"))
        return wrong_format(name, *format, "its first row has no task_id", err);
    if (*format == RECORDING_EVALPLUS && !recording_member(row, "solution") &&
        !recording_member(row, "completion"))
        return wrong_format(name, *format, "its first row has neither solution nor completion",
                            err);
    if (*format == RECORDING_LM_EVAL && seen != RECORDING_LM_EVAL)
        return wrong_format(name, *format, "its first row has no doc_id and resps", err);
    return 0;
}

/* Takes the text of raw, or what `made` holds. */
static void take(struct px_buf *from, struct recording_text *out)
{
    px_buf_put(from, "", 0);
    out->text = px_buf_steal(from, &out->len);
    if (!out->text)
        out->text = px_xstrdup("");
}

static int lines_of_whole(struct px_buf *raw, const char *name, enum recording_format *format,
                          struct recording_text *out, struct px_err *err)
{
    struct px_err why;
    struct json_object *v = px_json_parse((const char *)raw->data, raw->len, &why);
    struct px_buf made;
    if (!v)
        return px_fail(err, PX_EINPUT, "%s: neither JSON lines nor one JSON value: %s", name,
                       why.text);
    px_buf_init(&made, RECORDING_LIMIT);
    int rc = lines_of_value(v, name, format, &made, err);
    json_object_put(v);
    if (rc == 0 && made.len) {
        size_t first = (size_t)((char *)memchr(made.data, '\n', made.len) - (char *)made.data);
        struct json_object *row = px_json_parse((char *)made.data, first, NULL);
        if (*format != RECORDING_BIGCODE && row)
            rc = check_first_row(row, name, format, err);
        json_object_put(row);
    }
    if (rc == 0)
        take(&made, out);
    px_buf_clear(&made);
    return rc;
}

int recording_lines(struct px_buf *raw, const char *name, enum recording_format *format,
                    struct recording_text *out, struct px_err *err)
{
    const char *text = raw->data ? (const char *)raw->data : "";
    size_t at = strspn(text, " \t\r\n");
    if (at >= raw->len)
        return px_fail(err, PX_EINPUT, "%s: no rows: the recording is empty", name);
    if (*format == RECORDING_CSV || (*format == RECORDING_AUTO && looks_like_csv(raw, name))) {
        struct px_buf made;
        px_buf_init(&made, RECORDING_LIMIT);
        *format = RECORDING_CSV;
        int rc = lines_of_csv(raw, name, &made, err);
        if (rc == 0)
            take(&made, out);
        px_buf_clear(&made);
        return rc;
    }
    if (*format == RECORDING_BIGCODE && text[at] != '[')
        return wrong_format(name, *format, "it is no list of lists of texts", err);
    const char *end = memchr(text + at, '\n', raw->len - at);
    size_t n = end ? (size_t)(end - (text + at)) : raw->len - at;
    struct json_object *first = text[at] == '{' ? px_json_parse(text + at, n, NULL) : NULL;
    bool whole = text[at] == '[' || (text[at] == '{' && !first && end) ||
                 recording_member(first, "eval") || recording_member(first, "configs");
    int rc = 0;
    struct px_err why;
    if (whole) {
        rc = lines_of_whole(raw, name, format, out, &why);
        /* rows follow the first: it is JSON lines whose first line is broken */
        const char *next = end ? end + 1 : NULL;
        if (rc != 0 && text[at] == '{' && !first && next && *next == '{') {
            uint32_t line = 1;
            for (size_t i = 0; i < at; i++)
                line += text[i] == '\n';
            px_json_parse(text + at, n, &why);
            px_wrap(&why, "%s:%u", name, line);
        }
        if (rc != 0 && err)
            *err = why;
    } else {
        rc = first ? check_first_row(first, name, format, err) : 0;
        if (*format == RECORDING_AUTO)
            *format = RECORDING_JSONL;
        if (rc == 0)
            take(raw, out);
    }
    json_object_put(first);
    return rc;
}

/* ---- directories ---- */

static int only_names(const struct dirent *e)
{
    return e->d_name[0] != '.';
}

/* Numbers by value, the rest by bytes: 2.py before 10.py. */
static int by_number(const struct dirent **a, const struct dirent **b)
{
    char *ea, *eb;
    unsigned long long x = strtoull((*a)->d_name, &ea, 10), y = strtoull((*b)->d_name, &eb, 10);
    if (ea != (*a)->d_name && eb != (*b)->d_name && x != y)
        return x < y ? -1 : 1;
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int list_dir(const char *path, struct dirent ***out, struct px_err *err)
{
    int n = scandir(path, out, only_names, by_number);
    if (n < 0)
        px_fail_errno(err, "cannot read directory %s", path);
    return n;
}

static void free_list(struct dirent **list, int n)
{
    for (int i = 0; i < n; i++)
        free(list[i]);
    free(list);
}

/* HumanEval_0/0.py: EvalPlus writes the slash of a task id as an underscore. */
static int put_programs(const char *dir, const char *name, struct px_buf *out, struct px_err *err)
{
    struct dirent **list;
    PX_FREE char *path = px_path_join(dir, name);
    int n = list_dir(path, &list, err);
    int rc = n < 0 ? -1 : 0;
    PX_FREE char *id = px_xstrdup(name);
    char *under = strrchr(id, '_');
    if (under && under[1] && strspn(under + 1, "0123456789") == strlen(under + 1))
        *under = '/';
    for (int i = 0; i < n && rc == 0; i++) {
        if (!ends_with(list[i]->d_name, ".py"))
            continue;
        struct px_buf program;
        PX_FREE char *file = px_path_join(path, list[i]->d_name);
        px_buf_init(&program, RECORDING_LIMIT);
        rc = recording_read_file(file, &program, err);
        if (rc == 0) {
            px_buf_str(out, "{\"task_id\":");
            px_json_quote(out, id, strlen(id));
            px_buf_str(out, ",\"solution\":");
            px_json_quote(out, program.data ? (char *)program.data : "", program.len);
            px_buf_str(out, "}\n");
        }
        px_buf_clear(&program);
    }
    if (n >= 0)
        free_list(list, n);
    return rc;
}

static bool is_dir(const char *dir, const char *name)
{
    PX_FREE char *path = px_path_join(dir, name);
    return px_is_dir(path);
}

/* Every row is told which task it is of: "samples_<task>_<stamp>.jsonl". */
static int put_samples(const char *dir, const char *name, struct px_buf *out, struct px_err *err)
{
    struct px_buf file;
    PX_FREE char *path = px_path_join(dir, name);
    PX_FREE char *task = px_xstrdup(name + strlen("samples_"));
    char *stamp = strrchr(task, '_');
    if (stamp)
        *stamp = '\0';
    px_buf_init(&file, RECORDING_LIMIT);
    int rc = recording_read_file(path, &file, err);
    for (size_t at = 0; rc == 0 && at < file.len;) {
        const char *line = (char *)file.data + at;
        const char *end = memchr(line, '\n', file.len - at);
        size_t n = end ? (size_t)(end - line) : file.len - at;
        bool object = n > 2 && line[0] == '{';
        if (object) {
            px_buf_str(out, "{\"" RECORDING_PART_KEY "\":");
            px_json_quote(out, task, strlen(task));
            px_buf_char(out, ',');
        }
        px_buf_put(out, line + object, n - object);
        px_buf_char(out, '\n');
        at += n + 1;
    }
    px_buf_clear(&file);
    return rc;
}

int recording_read_dir(const char *path, enum recording_format *format, struct recording_text *out,
                       struct px_err *err)
{
    struct dirent **list;
    struct px_buf b;
    int n = list_dir(path, &list, err);
    int rc = n < 0 ? -1 : 0;
    int samples = 0;
    px_buf_init(&b, RECORDING_LIMIT);
    for (int i = 0; i < n && rc == 0; i++) {
        const char *name = list[i]->d_name;
        if (is_dir(path, name)) {
            rc = put_programs(path, name, &b, err);
        } else if (strncmp(name, "samples_", 8) == 0 && ends_with(name, ".jsonl")) {
            samples++;
            rc = put_samples(path, name, &b, err);
        }
    }
    if (n >= 0)
        free_list(list, n);
    enum recording_format seen = samples ? RECORDING_LM_EVAL : RECORDING_EVALPLUS;
    if (rc == 0 && b.len == 0)
        rc = px_fail(err, PX_EINPUT,
                     "%s holds neither programs as TASK_ID/n.py nor a samples_*.jsonl", path);
    if (rc == 0 && *format != RECORDING_AUTO && *format != seen)
        rc = wrong_format(path, *format, "it is a directory", err);
    *format = rc == 0 ? seen : *format;
    if (rc == 0)
        take(&b, out);
    px_buf_clear(&b);
    return rc;
}
