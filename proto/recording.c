/* recording.c - rows of a recording: what they are about, and what is asked of them. */
#include "proto/recording.h"

#include <stdlib.h>
#include <string.h>

#include "proto/file.h"
#include "proto/json.h"
#include "proto/mem.h"
#include "proto/pystr.h"
#include "proto/recording_internal.h"

struct entry {
    struct recording_item item;
    char *id;   /* owned; item.id */
    char *part; /* owned; item.part */
};

struct row {
    size_t at, len;
    uint32_t line;
};

/* The row that was parsed last: one row may hold a hundred samples. */
struct last_row {
    struct json_object *parsed; /* NULL: none yet */
    uint32_t row;
};

struct recording {
    char *name;
    enum recording_format format;
    char *id_key, *text_key;             /* given, or NULL */
    char *found_id_key, *found_text_key; /* of the first row; "" when it has none */
    char *filter;                        /* lm-eval: the one that is taken */
    struct recording_text text;
    struct last_row *last;
    struct row *rows;
    uint32_t n_rows, cap_rows;
    struct entry *entries; /* in the file's order */
    uint32_t *by_id;       /* sorted by id, then order; those with an id */
    uint32_t n, cap, n_ids;
    uint32_t repeats;
    bool repaired;    /* bytes that were no UTF-8 were replaced */
    uint32_t n_whole; /* rows that hold complete programs */
};

static const char *const format_names[] = {"auto",    "humaneval", "evalplus", "bigcode",
                                           "lm-eval", "jsonl",     "csv"};

bool recording_format_parse(const char *name, enum recording_format *out)
{
    for (size_t i = 0; i < sizeof format_names / sizeof *format_names; i++)
        if (strcmp(format_names[i], name) == 0) {
            *out = (enum recording_format)i;
            return true;
        }
    return false;
}

const char *recording_format_name(enum recording_format f)
{
    return format_names[f];
}

/* ---- members of a row ---- */

static const char *const id_keys[] = {"task_id",     "id",  "problem", "doc_id",
                                      "question_id", "key", "prompt",  "question"};
static const char *const text_keys[] = {"completion", "response",       "output",    "generation",
                                        "text",       "solution",       "generated", "samples",
                                        "code_list",  "choices.0.turns"}; /* FastChat's answers */
enum { N_ID_KEYS = sizeof id_keys / sizeof *id_keys };
enum { N_TEXT_KEYS = sizeof text_keys / sizeof *text_keys };

/* "0" or "0.turns" of a list. */
static struct json_object *element(struct json_object *list, const char *path)
{
    size_t digits = strspn(path, "0123456789");
    if (digits == 0 || digits > 9 || (path[digits] != '\0' && path[digits] != '.'))
        return NULL;
    struct json_object *v = json_object_array_get_idx(list, strtoul(path, NULL, 10));
    return v && path[digits] == '.' ? recording_member(v, path + digits + 1) : v;
}

struct json_object *recording_member(struct json_object *row, const char *path)
{
    struct json_object *v = NULL;
    if (json_object_is_type(row, json_type_array))
        return element(row, path);
    if (!json_object_is_type(row, json_type_object))
        return NULL;
    if (json_object_object_get_ex(row, path, &v))
        return v;
    for (const char *dot = strchr(path, '.'); dot; dot = strchr(dot + 1, '.')) {
        PX_FREE char *head = px_xstrndup(path, (size_t)(dot - path));
        if (json_object_object_get_ex(row, head, &v) && (v = recording_member(v, dot + 1)))
            return v;
    }
    return NULL;
}

static struct json_object *first_of(struct json_object *row, const char *const *keys, int n,
                                    const char **key)
{
    struct json_object *v = NULL;
    for (int i = 0; i < n; i++)
        if ((v = strchr(keys[i], '.') ? recording_member(row, keys[i])
                                      : json_object_object_get(row, keys[i]))) {
            *key = keys[i];
            return v;
        }
    return NULL;
}

static struct json_object *row_id(const struct recording *r, struct json_object *row,
                                  const char **key)
{
    *key = r->id_key;
    struct json_object *v =
        r->id_key ? recording_member(row, r->id_key) : first_of(row, id_keys, N_ID_KEYS, key);
    bool ok =
        v && (json_object_is_type(v, json_type_string) || json_object_is_type(v, json_type_int));
    return ok ? v : NULL;
}

static struct json_object *row_text(const struct recording *r, struct json_object *row,
                                    const char **key)
{
    *key = r->text_key;
    if (r->text_key)
        return recording_member(row, r->text_key);
    return first_of(row, text_keys, N_TEXT_KEYS, key);
}

/* ---- loglikelihoods ---- */

static bool is_number_text(struct json_object *v)
{
    if (json_object_is_type(v, json_type_double) || json_object_is_type(v, json_type_int))
        return true;
    if (!json_object_is_type(v, json_type_string))
        return false;
    const char *s = json_object_get_string(v);
    char *end;
    strtod(s, &end);
    return end != s && *end == '\0';
}

static bool is_truth(struct json_object *v)
{
    if (json_object_is_type(v, json_type_boolean))
        return true;
    const char *s = json_object_is_type(v, json_type_string) ? json_object_get_string(v) : "";
    return strcmp(s, "True") == 0 || strcmp(s, "False") == 0;
}

static bool truth_of(struct json_object *v)
{
    return json_object_is_type(v, json_type_boolean)
               ? json_object_get_boolean(v)
               : strcmp(json_object_get_string(v), "True") == 0;
}

static double number_of(struct json_object *v)
{
    return json_object_is_type(v, json_type_string) ? strtod(json_object_get_string(v), NULL)
                                                    : json_object_get_double(v);
}

/* lm-eval: ["-12.34", "False"], alone or as the first of its repeats; NULL when it is no pair. */
static struct json_object *pair_of(struct json_object *request)
{
    if (!json_object_is_type(request, json_type_array) || json_object_array_length(request) == 0)
        return NULL;
    struct json_object *first = json_object_array_get_idx(request, 0);
    if (json_object_is_type(first, json_type_array))
        return pair_of(first);
    bool pair = json_object_array_length(request) == 2 && is_number_text(first) &&
                is_truth(json_object_array_get_idx(request, 1));
    return pair ? request : NULL;
}

/* lm-eval's requests for text have an object of generation arguments behind the context. */
static bool asks_for_text(struct json_object *row)
{
    return json_object_is_type(recording_member(row, "arguments.gen_args_0.arg_1"),
                               json_type_object);
}

/* Number of loglikelihoods of a row, 0 when it holds none. */
static uint32_t count_scores(const struct recording *r, struct json_object *row)
{
    struct json_object *list = NULL;
    if (r->format == RECORDING_LM_EVAL) {
        if (asks_for_text(row) || !json_object_object_get_ex(row, "resps", &list) ||
            !json_object_is_type(list, json_type_array))
            return 0;
        for (size_t i = 0; i < json_object_array_length(list); i++)
            if (!pair_of(json_object_array_get_idx(list, i)))
                return 0;
        return (uint32_t)json_object_array_length(list);
    }
    if (!json_object_object_get_ex(row, "loglikelihoods", &list) ||
        !json_object_is_type(list, json_type_array))
        return 0;
    for (size_t i = 0; i < json_object_array_length(list); i++)
        if (!is_number_text(json_object_array_get_idx(list, i)))
            return 0;
    return (uint32_t)json_object_array_length(list);
}

static void take_scores(const struct recording *r, struct json_object *row, struct completion *out)
{
    uint32_t n = count_scores(r, row);
    bool lm_eval = r->format == RECORDING_LM_EVAL;
    struct json_object *list = recording_member(row, lm_eval ? "resps" : "loglikelihoods");
    struct json_object *greedy = lm_eval ? NULL : recording_member(row, "greedy");
    out->finish = FINISH_SCORED;
    out->choices = px_xcalloc(n, sizeof *out->choices);
    out->n_choices = n;
    for (uint32_t i = 0; i < n; i++) {
        struct json_object *v = json_object_array_get_idx(list, i);
        if (lm_eval) {
            struct json_object *pair = pair_of(v);
            out->choices[i].logprob = number_of(json_object_array_get_idx(pair, 0));
            out->choices[i].greedy = truth_of(json_object_array_get_idx(pair, 1));
        } else {
            struct json_object *g = json_object_is_type(greedy, json_type_array)
                                        ? json_object_array_get_idx(greedy, i)
                                        : NULL;
            out->choices[i].logprob = number_of(v);
            out->choices[i].greedy = json_object_is_type(g, json_type_boolean) && truth_of(g);
        }
    }
}

/* ---- texts ---- */

/* A text or a list of texts; lm-eval: the repeats of the first request. NULL when there is none. */
static struct json_object *texts_of(const struct recording *r, struct json_object *row,
                                    const char **key)
{
    struct json_object *v;
    if (r->format == RECORDING_LM_EVAL && !r->text_key) {
        *key = "resps";
        v = recording_member(row, "resps");
        v = json_object_is_type(v, json_type_array) ? json_object_array_get_idx(v, 0) : NULL;
    } else {
        v = row_text(r, row, key);
    }
    bool ok = json_object_is_type(v, json_type_string) || json_object_is_type(v, json_type_array);
    return ok ? v : NULL;
}

/* EvalPlus's `solution` is a program; a row that also tells the prompt keeps a part of one there.
 */
static bool is_whole(const struct recording *r, struct json_object *row, const char *text_key)
{
    if (r->format == RECORDING_BIGCODE || px_json_bool_or(row, "whole", false))
        return true;
    return r->format == RECORDING_EVALPLUS && text_key && strcmp(text_key, "solution") == 0;
}

/* ---- rows ---- */

static void add_entry(struct recording *r, struct json_object *id, const char *part,
                      uint64_t position, uint32_t within, bool scored)
{
    PX_GROW(r->entries, r->n, r->cap);
    struct entry *e = &r->entries[r->n++];
    e->id = id ? px_xstrdup(json_object_get_string(id)) : NULL;
    e->part = *part ? px_xstrdup(part) : NULL;
    e->item = (struct recording_item){e->id, e->part, position, r->n_rows, within, scored};
}

static bool is_other_filter(struct recording *r, struct json_object *row)
{
    const char *filter = px_json_str_or(row, "filter", "");
    if (r->format != RECORDING_LM_EVAL)
        return false;
    if (!r->filter)
        r->filter = px_xstrdup(filter);
    return strcmp(filter, r->filter) != 0;
}

/* What a row does have, for a message. */
static void list_members(struct json_object *row, struct px_buf *out)
{
    json_object_object_foreach(row, key, v)
    {
        const char *type = json_type_to_name(json_object_get_type(v));
        px_buf_printf(out, "%s%.40s (%s)", out->len ? ", " : "", key, type);
    }
}

static int refuse_text(const struct recording *r, struct json_object *row, uint32_t line,
                       struct px_err *err)
{
    struct px_buf b;
    px_buf_init(&b, 4096);
    list_members(row, &b);
    const char *have = b.len ? (const char *)b.data : "none";
    if (r->text_key)
        px_fail(err, PX_EINPUT,
                "%s:%u: no text under '%.60s' (a string or a list of strings); the row has %.300s",
                r->name, line, r->text_key, have);
    else if (r->format == RECORDING_LM_EVAL)
        px_fail(err, PX_EINPUT, "%s:%u: no `resps` of lm-eval; the row has %.300s", r->name, line,
                have);
    else
        px_fail(err, PX_EINPUT,
                "%s:%u: no text (completion, response, output, generation, text, solution, "
                "generated, samples or code_list: a string or a list of strings); the row has "
                "%.300s; `proctor score --text-key` names another member",
                r->name, line, have);
    px_buf_clear(&b);
    return -1;
}

/* Every row has an id or none has. */
static int check_id(struct recording *r, struct json_object *id, const char *key, uint32_t line,
                    struct px_err *err)
{
    if (!id && (r->id_key || (r->n_rows && *r->found_id_key)))
        return px_fail(err, PX_EINPUT, "%s:%u: no problem id (%s%s)", r->name, line,
                       r->id_key ? "" : "as in the rows before, ",
                       r->id_key ? r->id_key : r->found_id_key);
    if (id && r->n_rows && !*r->found_id_key)
        return px_fail(err, PX_EINPUT, "%s:%u: a problem id (%s), and the rows before have none",
                       r->name, line, key);
    if (r->n_rows == 0) {
        free(r->found_id_key);
        r->found_id_key = px_xstrdup(id ? key : "");
    }
    return 0;
}

static int take_row(struct recording *r, struct json_object *row, uint32_t line, struct px_err *err)
{
    const char *id_key = "", *text_key = "";
    if (!json_object_is_type(row, json_type_object))
        return px_fail(err, PX_EINPUT, "%s:%u: not a JSON object", r->name, line);
    if (is_other_filter(r, row)) {
        r->repeats++;
        return 0;
    }
    struct json_object *id = row_id(r, row, &id_key);
    uint32_t scores = r->text_key ? 0 : count_scores(r, row);
    struct json_object *texts = scores ? NULL : texts_of(r, row, &text_key);
    bool list = json_object_is_type(texts, json_type_array);
    uint32_t n = scores ? 1 : !texts ? 0 : list ? (uint32_t)json_object_array_length(texts) : 1;
    if (check_id(r, id, id_key, line, err) != 0)
        return -1;
    if (n == 0 && !(list && r->format == RECORDING_BIGCODE))
        return refuse_text(r, row, line, err);
    for (uint32_t i = 0; list && i < n; i++)
        if (!json_object_is_type(json_object_array_get_idx(texts, i), json_type_string))
            return refuse_text(r, row, line, err);
    uint64_t position = r->n_rows;
    if (id && strcmp(id_key, "doc_id") == 0 && json_object_is_type(id, json_type_int) &&
        json_object_get_int64(id) >= 0)
        position = (uint64_t)json_object_get_int64(id);
    if (r->n_rows == 0) {
        free(r->found_text_key);
        r->found_text_key = px_xstrdup(text_key);
    }
    for (uint32_t i = 0; i < n; i++)
        add_entry(r, id, px_json_str_or(row, RECORDING_PART_KEY, ""), position, i, scores > 0);
    r->n_whole += is_whole(r, row, text_key);
    return 1;
}

static int add_row(struct recording *r, size_t at, size_t len, uint32_t line, struct px_err *err)
{
    struct px_err why;
    struct json_object *row = px_json_parse(r->text.text + at, len, &why);
    if (!row)
        return px_fail(err, PX_EINPUT, "%s:%u: %s", r->name, line, why.text);
    int rc = take_row(r, row, line, err);
    json_object_put(row);
    if (rc == 1) {
        PX_GROW(r->rows, r->n_rows, r->cap_rows);
        r->rows[r->n_rows++] = (struct row){at, len, line};
    }
    return rc < 0 ? -1 : 0;
}

static int index_rows(struct recording *r, struct px_err *err)
{
    const char *text = r->text.text;
    uint32_t line = 1;
    for (size_t at = 0; at < r->text.len; line++) {
        const char *end = memchr(text + at, '\n', r->text.len - at);
        size_t n = end ? (size_t)(end - (text + at)) : r->text.len - at;
        size_t blank = 0;
        while (blank < n && text[at + blank] && strchr(" \t\r", text[at + blank]))
            blank++;
        if (blank < n && add_row(r, at, n, line, err) != 0)
            return -1;
        at += n + 1;
    }
    if (r->n_rows == 0)
        return px_fail(err, PX_EINPUT, "%s: no rows: the recording is empty", r->name);
    return 0;
}

static int by_problem(const void *pa, const void *pb, void *ctx)
{
    const struct recording *r = ctx;
    uint32_t a = *(const uint32_t *)pa, b = *(const uint32_t *)pb;
    int c = strcmp(r->entries[a].id, r->entries[b].id);
    return c ? c : (a > b) - (a < b);
}

static void sort_ids(struct recording *r)
{
    r->by_id = px_xcalloc((size_t)r->n + 1, sizeof *r->by_id);
    for (uint32_t i = 0; i < r->n; i++)
        if (r->entries[i].id)
            r->by_id[r->n_ids++] = i;
    if (r->n_ids)
        qsort_r(r->by_id, r->n_ids, sizeof *r->by_id, by_problem, r);
}

/* ---- opening ---- */

static struct recording *new_recording(const char *name, const struct recording_options *opt)
{
    struct recording *r = px_xcalloc(1, sizeof *r);
    r->name = px_xstrdup(name);
    r->last = px_xcalloc(1, sizeof *r->last);
    r->found_id_key = px_xstrdup("");
    r->found_text_key = px_xstrdup("");
    if (opt) {
        r->format = opt->format;
        r->id_key = opt->id_key ? px_xstrdup(opt->id_key) : NULL;
        r->text_key = opt->text_key ? px_xstrdup(opt->text_key) : NULL;
    }
    return r;
}

static int fill(struct recording *r, struct px_err *err)
{
    if (index_rows(r, err) != 0)
        return -1;
    if (r->n_whole && r->n_whole != r->n_rows)
        return px_fail(err, PX_EINPUT,
                       "%s: %u of %u rows hold complete programs, the others do not", r->name,
                       r->n_whole, r->n_rows);
    sort_ids(r);
    return 0;
}

/* One model's bad bytes must not cost the other rows: they become U+FFFD, as they do where texts
 * are scored. */
static void repair(struct recording *r, struct px_buf *raw)
{
    struct span all = {(const char *)raw->data, raw->len};
    if (px_utf8_valid(all.p, all.n))
        return;
    size_t n;
    PX_FREE char *clean = pystr_clean(all, &n);
    px_buf_reset(raw);
    px_buf_put(raw, clean, n);
    r->repaired = true;
}

/* Takes what raw holds. */
static struct recording *from_text(struct recording *r, struct px_buf *raw, struct px_err *err)
{
    repair(r, raw);
    if (recording_lines(raw, r->name, &r->format, &r->text, err) != 0 || fill(r, err) != 0)
        recording_free(&r);
    px_buf_clear(raw);
    return r;
}

struct recording *recording_parse(const char *text, size_t len, const char *name,
                                  const struct recording_options *opt, struct px_err *err)
{
    struct px_buf raw;
    px_buf_init(&raw, RECORDING_LIMIT);
    px_buf_put(&raw, text, len);
    return from_text(new_recording(name, opt), &raw, err);
}

struct recording *recording_open(const char *path, const struct recording_options *opt,
                                 struct px_err *err)
{
    struct recording *r = new_recording(path, opt);
    if (px_is_dir(path)) {
        if (recording_read_dir(path, &r->format, &r->text, err) != 0 || fill(r, err) != 0)
            recording_free(&r);
        return r;
    }
    struct px_buf raw;
    px_buf_init(&raw, RECORDING_LIMIT);
    if (recording_read_file(path, &raw, err) == 0)
        return from_text(r, &raw, err);
    px_buf_clear(&raw);
    recording_free(&r);
    return NULL;
}

void recording_free(struct recording **rp)
{
    struct recording *r = *rp;
    if (!r)
        return;
    for (uint32_t i = 0; i < r->n; i++) {
        free(r->entries[i].id);
        free(r->entries[i].part);
    }
    free(r->entries);
    free(r->by_id);
    free(r->rows);
    json_object_put(r->last->parsed);
    free(r->last);
    free(r->text.text);
    free(r->name);
    free(r->id_key);
    free(r->text_key);
    free(r->found_id_key);
    free(r->found_text_key);
    free(r->filter);
    free(r);
    *rp = NULL;
}

/* ---- questions ---- */

const char *recording_name(const struct recording *r)
{
    return r->name;
}

enum recording_format recording_format(const struct recording *r)
{
    return r->format;
}

uint32_t recording_rows(const struct recording *r)
{
    return r->n_rows;
}

uint32_t recording_items(const struct recording *r)
{
    return r->n;
}

const struct recording_item *recording_item(const struct recording *r, uint32_t i)
{
    px_assert(i < r->n);
    return &r->entries[i].item;
}

const char *recording_id_key(const struct recording *r)
{
    return r->found_id_key;
}

const char *recording_text_key(const struct recording *r)
{
    return r->found_text_key;
}

bool recording_whole(const struct recording *r)
{
    return r->n_whole > 0;
}

uint32_t recording_repeats(const struct recording *r)
{
    return r->repeats;
}

bool recording_repaired(const struct recording *r)
{
    return r->repaired;
}

uint32_t recording_line(const struct recording *r, uint32_t row)
{
    px_assert(row < r->n_rows);
    return r->rows[row].line;
}

struct json_object *recording_row(const struct recording *r, uint32_t row)
{
    px_assert(row < r->n_rows);
    struct json_object *o = px_json_parse(r->text.text + r->rows[row].at, r->rows[row].len, NULL);
    px_assert(o != NULL);
    return o;
}

void recording_completion(const struct recording *r, uint32_t i, struct completion *out)
{
    const struct recording_item *item = recording_item(r, i);
    if (!r->last->parsed || r->last->row != item->row) {
        json_object_put(r->last->parsed);
        *r->last = (struct last_row){recording_row(r, item->row), item->row};
    }
    struct json_object *row = r->last->parsed;
    memset(out, 0, sizeof *out);
    if (item->scored) {
        take_scores(r, row, out);
    } else {
        const char *key;
        struct json_object *text = texts_of(r, row, &key);
        if (json_object_is_type(text, json_type_array))
            text = json_object_array_get_idx(text, item->within);
        const char *reason = px_json_str_or(row, "finish_reason", "");
        out->finish = strcmp(reason, "length") == 0 ? FINISH_LENGTH : FINISH_EOS;
        out->n_text = (uint32_t)json_object_get_string_len(text);
        out->text = px_xmemdup(json_object_get_string(text), out->n_text);
    }
}

static uint32_t first_entry(const struct recording *r, const char *problem)
{
    uint32_t lo = 0;
    uint32_t hi = r->n_ids;
    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        if (strcmp(r->entries[r->by_id[mid]].id, problem) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

void recording_find(const struct recording *r, const char *problem, uint32_t sample,
                    struct completion *out)
{
    uint64_t i = (uint64_t)first_entry(r, problem) + sample;
    if (i < r->n_ids && strcmp(r->entries[r->by_id[i]].id, problem) == 0) {
        recording_completion(r, r->by_id[i], out);
        return;
    }
    memset(out, 0, sizeof *out);
    out->finish = FINISH_ERROR;
    out->error = px_xasprintf("no recorded completion for problem %s, sample %u", problem, sample);
}
