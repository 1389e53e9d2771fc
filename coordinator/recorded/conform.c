/* conform.c - one task of a peer's run, document by document. */
#include "coordinator/recorded/conform.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/recorded/py_json.h"
#include "coordinator/report/python_bootstrap.h"
#include "coordinator/report/stats.h"
#include "proto/digest.h"
#include "proto/file.h"
#include "proto/json.h"
#include "proto/mem.h"
#include "proto/model/chat.h"

#define TEXT_LIMIT ((size_t)256 << 20)
enum { AROUND = 60 }; /* bytes shown on each side of a difference */

/* Of one text per document: the documents have its loglikelihood, the task exp(-mean). */
#define PERPLEXITY "perplexity"

/* Draws of a bootstrapped error at most: lm-eval's 100,000 replicates of 10,000 documents. */
#define MOST_DRAWS 1e9

/* Numbers that went through another program's decimals and sums. */
#define TOLERANCE 1e-6

struct comparing {
    const struct conform_input *in;
    struct conform_result *out;
    struct px_buf notes;
    uint64_t doc;
    uint32_t problem;
    bool differs;       /* this document has a difference already */
    bool chat, prompts; /* render as chat; prompts can be compared at all */
    enum chat_template template;
    struct px_buf all_hashes;
    char *first_filter;
    const char *main_filter; /* the pipeline whose text our verdicts keep; "" when none does */
};

/* ---- differences ---- */

/* Up to AROUND bytes before `at` and behind it, whole code points. Owned. */
static char *excerpt(const char *s, size_t n, size_t at)
{
    size_t from = at > AROUND ? at - AROUND : 0, to = n - at > AROUND ? at + AROUND : n;
    while (from > 0 && ((unsigned char)s[from] & 0xc0) == 0x80)
        from--;
    while (to < n && ((unsigned char)s[to] & 0xc0) == 0x80)
        to++;
    PX_FREE char *part = px_xstrndup(s + from, to - from);
    return px_xasprintf("%s%s%s", from ? "..." : "", part, to < n ? "..." : "");
}

static void add_difference(struct comparing *c, const char *field, const char *ours, size_t n_ours,
                           const char *theirs, size_t n_theirs)
{
    struct conform_result *r = c->out;
    size_t at = 0, chars = 0;
    if (c->differs)
        return;
    c->differs = true;
    r->differ++;
    while (at < n_ours && at < n_theirs && ours[at] == theirs[at])
        at++;
    while (at > 0 && at < n_ours && ((unsigned char)ours[at] & 0xc0) == 0x80)
        at--;
    for (size_t i = 0; i < at; i++)
        chars += ((unsigned char)ours[i] & 0xc0) != 0x80;
    PX_GROW(r->list, r->n_list, r->cap_list);
    r->list[r->n_list++] = (struct conform_difference){
        .doc = c->doc,
        .field = px_xstrdup(field),
        .ours = excerpt(ours, n_ours, at),
        .theirs = excerpt(theirs, n_theirs, at < n_theirs ? at : n_theirs),
        .at = chars};
}

static void compare_text(struct comparing *c, int kind, const char *field, const char *ours,
                         size_t n_ours, const char *theirs, size_t n_theirs)
{
    c->out->n_fields[kind]++;
    if (n_ours == n_theirs && memcmp(ours, theirs, n_ours) == 0)
        return;
    c->out->differ_fields[kind]++;
    add_difference(c, field, ours, n_ours, theirs, n_theirs);
}

static bool near(double a, double b)
{
    return (isnan(a) && isnan(b)) || fabs(a - b) <= TOLERANCE * (1 + fabs(b));
}

static void compare_number(struct comparing *c, int kind, const char *field, double ours,
                           double theirs)
{
    char a[40], b[40];
    c->out->n_fields[kind]++;
    if (near(ours, theirs))
        return;
    c->out->differ_fields[kind]++;
    snprintf(a, sizeof a, "%.10g", ours);
    snprintf(b, sizeof b, "%.10g", theirs);
    add_difference(c, field, a, strlen(a), b, strlen(b));
}

static void note_once(struct comparing *c, const char *text)
{
    if (!c->notes.len || !strstr((char *)c->notes.data, text))
        px_buf_printf(&c->notes, "%s\n", text);
}

/* ---- prompts ---- */

static int our_prompt(const struct comparing *c, struct task_prompt *p, struct px_buf *out,
                      struct px_err *err)
{
    int32_t shots = peer_run_shots(c->in->peer, c->in->peer_task);
    if (task_render(c->in->task, c->problem, shots, c->chat, p, err) != 0)
        return -1;
    px_buf_put(out, "", 0);
    if (!c->chat) {
        px_buf_str(out, p->prompt ? p->prompt : "");
        return 0;
    }
    PX_FREE char *bos = peer_run_bos(c->in->peer);
    struct chat_options opt = {
        .add_generation_prompt = true, .enable_thinking = true, .bos = bos, .drop_system = true};
    if (chat_render(c->template, p->messages, p->n_messages, &opt, out, err) != 0)
        return -1;
    px_buf_str(out, p->prefix ? p->prefix : "");
    return 0;
}

static void compare_argument(struct comparing *c, struct json_object *row, uint32_t i, int arg,
                             const char *ours, size_t n)
{
    char path[64];
    snprintf(path, sizeof path, "arguments.gen_args_%u.arg_%d", i, arg);
    struct json_object *v = recording_member(row, path);
    if (!json_object_is_type(v, json_type_string)) {
        char missing[96];
        snprintf(missing, sizeof missing, "%s is not in the samples", path);
        note_once(c, missing);
        return;
    }
    compare_text(c, CONFORM_PROMPTS, path, ours, n, json_object_get_string(v),
                 (size_t)json_object_get_string_len(v));
}

static int compare_prompts(struct comparing *c, struct json_object *row, struct px_err *err)
{
    struct task_prompt p = {0};
    struct px_buf text;
    px_buf_init(&text, TEXT_LIMIT);
    int rc = our_prompt(c, &p, &text, err);
    const char *prompt = text.data ? (char *)text.data : "";
    if (rc == 0 && task_request(c->in->task) == TASK_GENERATE)
        compare_argument(c, row, 0, 0, prompt, text.len);
    if (rc == 0 && p.text)
        compare_argument(c, row, 0, 0, p.text, strlen(p.text));
    size_t n_prompt = text.len;
    for (uint32_t i = 0; rc == 0 && i < p.n_choices; i++) {
        const struct task_choice *x = &p.choices[i];
        text.len = n_prompt;
        px_buf_str(&text, x->context ? x->context : "");
        compare_argument(c, row, i, 0, (char *)text.data, text.len);
        compare_argument(c, row, i, 1, x->continuation, strlen(x->continuation));
    }
    px_buf_clear(&text);
    task_prompt_clear(&p);
    return rc;
}

/* ---- hashes ---- */

static void compare_hash(struct comparing *c, struct json_object *row, const char *key,
                         const char *text, size_t n)
{
    const char *theirs = px_json_str_or(row, key, "");
    struct px_digest d = px_sha256(text, n);
    char hex[PX_HEX_SIZE];
    px_digest_hex(&d, hex);
    px_buf_str(&c->all_hashes, theirs);
    if (*theirs)
        compare_text(c, CONFORM_HASHES, key, hex, strlen(hex), theirs, strlen(theirs));
}

static void compare_hashes(struct comparing *c, struct json_object *row)
{
    struct px_buf doc;
    struct json_object *prompt = recording_member(row, "arguments.gen_args_0.arg_0");
    struct json_object *target = recording_member(row, "target");
    px_buf_init(&doc, TEXT_LIMIT);
    py_json_dumps(recording_member(row, "doc"), &doc);
    compare_hash(c, row, "doc_hash", (char *)doc.data, doc.len);
    if (json_object_is_type(prompt, json_type_string))
        compare_hash(c, row, "prompt_hash", json_object_get_string(prompt),
                     (size_t)json_object_get_string_len(prompt));
    if (json_object_is_type(target, json_type_string))
        compare_hash(c, row, "target_hash", json_object_get_string(target),
                     (size_t)json_object_get_string_len(target));
    px_buf_clear(&doc);
}

/* ---- filters and metrics ---- */

/* Only one pipeline's text is kept in a verdict; the others are compared by their metrics. */
static void compare_filtered(struct comparing *c, struct json_object *row, const struct grade *g)
{
    struct json_object *list = recording_member(row, "filtered_resps");
    const char *filter = px_json_str_or(row, "filter", "");
    struct json_object *v =
        json_object_is_type(list, json_type_array) ? json_object_array_get_idx(list, 0) : list;
    if (!json_object_is_type(v, json_type_string) || strcmp(c->main_filter, filter) != 0)
        return;
    bool none = g->class == VERDICT_UNPARSED; /* what lm-eval's filters fall back to */
    const char *ours = none ? "[invalid]" : g->extracted;
    PX_FREE char *field = px_xasprintf("filtered_resps (%s)", filter);
    compare_text(c, CONFORM_FILTERED, field, ours, none ? strlen(ours) : g->n_extracted,
                 json_object_get_string(v), (size_t)json_object_get_string_len(v));
}

static struct conform_metric *metric_of(struct conform_result *r, const char *name,
                                        const char *filter)
{
    for (uint32_t i = 0; i < r->n_metrics; i++)
        if (strcmp(r->metrics[i].name, name) == 0 && strcmp(r->metrics[i].filter, filter) == 0)
            return &r->metrics[i];
    PX_GROW(r->metrics, r->n_metrics, r->cap_metrics);
    struct conform_metric *m = &r->metrics[r->n_metrics++];
    *m = (struct conform_metric){.name = px_xstrdup(name), .filter = px_xstrdup(filter)};
    return m;
}

/* Ours of that name: "metric,filter", or the metric where a task has no filters; code is pass@1. */
static const double *our_metric(const struct grade *g, const char *name, const char *filter)
{
    PX_FREE char *long_name = px_xasprintf("%s,%s", name, filter);
    const double *v = grade_metric(g, long_name);
    bool plain = strcmp(filter, "none") == 0 || strcmp(filter, "create_test") == 0 ||
                 strcmp(filter, "extract_code") == 0;
    if (!v && plain)
        v = grade_metric(g, name);
    if (!v && strcmp(name, PERPLEXITY) == 0)
        v = grade_metric(g, "loglikelihood");
    if (!v && (strcmp(name, "pass_at_1") == 0 || strcmp(name, "pass@1") == 0))
        v = grade_metric(g, "pass@1");
    return v;
}

static void compare_metrics(struct comparing *c, struct json_object *row, const struct grade *g)
{
    struct json_object *names = recording_member(row, "metrics");
    const char *filter = px_json_str_or(row, "filter", "none");
    size_t n = json_object_is_type(names, json_type_array) ? json_object_array_length(names) : 0;
    for (size_t i = 0; i < n; i++) {
        const char *name = json_object_get_string(json_object_array_get_idx(names, i));
        struct json_object *v = NULL;
        if (!name || !json_object_object_get_ex(row, name, &v))
            continue;
        const double *ours = our_metric(g, name, filter);
        bool number = json_object_is_type(v, json_type_double) ||
                      json_object_is_type(v, json_type_int) ||
                      json_object_is_type(v, json_type_boolean);
        PX_FREE char *field = px_xasprintf("%s,%s", name, filter);
        if (!ours || !number) {
            PX_FREE char *note = px_xasprintf("%s is not compared: %s", field,
                                              ours ? "theirs is no number" : "we do not have it");
            note_once(c, note);
            continue;
        }
        double theirs = json_object_is_type(v, json_type_boolean) ? json_object_get_boolean(v)
                                                                  : json_object_get_double(v);
        struct conform_metric *m = metric_of(c->out, name, filter);
        m->n++;
        m->sum += *ours;
        m->sum_of_squares += *ours * *ours;
        if (strcmp(name, PERPLEXITY) == 0) {
            PX_GROW(m->values, m->n_values, m->cap_values);
            m->values[m->n_values++] = *ours;
        }
        compare_number(c, CONFORM_METRICS, field, *ours, theirs);
    }
}

/* ---- the task ---- */

/* lm-eval: sample standard deviation over the root of n, but for perplexities; NaN when it is not
 * compared. */
static double standard_error(struct comparing *c, const struct conform_metric *m)
{
    double n = (double)m->n, mean = m->sum / n;
    if (!m->n_values) {
        double var = (m->sum_of_squares - n * mean * mean) / (n - 1);
        return sqrt((var > 0 ? var : 0) / n);
    }
    uint32_t iterations = peer_run_bootstrap_iters(c->in->peer);
    if (n * iterations <= MOST_DRAWS)
        return python_bootstrap_perplexity(m->values, m->n_values, iterations);
    note_once(c, PERPLEXITY "_stderr is not compared: too many documents and replicates");
    return NAN;
}

static void compare_aggregates(struct comparing *c)
{
    const struct conform_input *in = c->in;
    c->doc = UINT64_MAX;
    for (uint32_t i = 0; i < c->out->n_metrics; i++) {
        const struct conform_metric *m = &c->out->metrics[i];
        double theirs, mean = m->sum / (double)m->n;
        PX_FREE char *field = px_xasprintf("%s,%s", m->name, m->filter);
        PX_FREE char *se_field = px_xasprintf("%s_stderr,%s", m->name, m->filter);
        c->differs = false;
        if (peer_run_metric(in->peer, in->peer_task, m->name, m->filter, false, &theirs))
            compare_number(c, CONFORM_AGGREGATES, field, m->n_values ? stats_exp(-mean) : mean,
                           theirs);
        c->differs = false;
        if (m->n > 1 &&
            peer_run_metric(in->peer, in->peer_task, m->name, m->filter, true, &theirs)) {
            double ours = standard_error(c, m);
            if (!isnan(ours))
                compare_number(c, CONFORM_AGGREGATES, se_field, ours, theirs);
        }
    }
    const char *theirs = peer_run_task_hash(in->peer, in->peer_task);
    struct px_digest d = px_sha256(c->all_hashes.data, c->all_hashes.len);
    char hex[PX_HEX_SIZE];
    px_digest_hex(&d, hex);
    c->differs = false;
    if (*theirs)
        compare_text(c, CONFORM_AGGREGATES, "task_hashes", hex, strlen(hex), theirs,
                     strlen(theirs));
}

static void choose_rendering(struct comparing *c)
{
    const char *text = peer_run_text(c->in->peer, "chat_template");
    struct px_err err;
    c->prompts = true;
    if (*text) {
        c->chat = chat_recognise(text, strlen(text), &c->template, &err) == 0;
        c->prompts = c->chat;
        if (!c->chat)
            note_once(c, "prompts are not compared: the peer's chat template is unknown here");
    }
    if (*peer_run_text(c->in->peer, "system_instruction")) {
        c->prompts = false;
        note_once(c, "prompts are not compared: the peer had a system instruction");
    }
}

/* The rule of the first verdict that has one: the name of the task's main pipeline. */
static const char *find_main(const struct conform_input *in)
{
    for (uint32_t i = 0; i < in->n_problems; i++) {
        const struct grade *g = &in->graded->list[in->problems[i]];
        if (g->rule && *g->rule)
            return g->rule;
    }
    return "";
}

static int compare_row(struct comparing *c, struct json_object *row, struct px_err *err)
{
    const struct conform_input *in = c->in;
    struct json_object *id = recording_member(row, "doc_id");
    int64_t doc = json_object_is_type(id, json_type_int) ? json_object_get_int64(id) : -1;
    const char *filter = px_json_str_or(row, "filter", "");
    if (doc < 0 || (uint64_t)doc >= in->n_problems)
        return px_fail(err, PX_EINPUT, "doc_id %lld: the task has documents 0 to %u",
                       (long long)doc, in->n_problems - 1);
    if (!c->first_filter)
        c->first_filter = px_xstrdup(filter);
    bool first = strcmp(filter, c->first_filter) == 0;
    c->doc = (uint64_t)doc;
    c->problem = in->problems[doc];
    c->differs = false;
    c->out->rows++;
    c->out->docs += first;
    if (first && c->prompts && compare_prompts(c, row, err) != 0)
        return -1;
    compare_hashes(c, row);
    const struct grade *g = &in->graded->list[c->problem];
    if (!g->done) {
        note_once(c, "some answers could not be judged: their metrics are not compared");
        return 0;
    }
    compare_filtered(c, row, g);
    compare_metrics(c, row, g);
    return 0;
}

static int compare_lines(struct comparing *c, const char *text, size_t len, struct px_err *err)
{
    uint32_t line = 1;
    for (size_t at = 0; at < len; line++) {
        const char *end = memchr(text + at, '\n', len - at);
        size_t n = end ? (size_t)(end - (text + at)) : len - at;
        if (n > 0) {
            struct json_object *row = px_json_parse(text + at, n, err);
            int rc = row ? compare_row(c, row, err) : -1;
            json_object_put(row);
            if (rc != 0)
                return px_wrap(err, "%s:%u", c->in->samples, line);
        }
        at += n + 1;
    }
    return 0;
}

int conform_task(const struct conform_input *in, struct conform_result *out, struct px_err *err)
{
    struct conform_result r = {0};
    struct comparing c = {.in = in, .out = &r};
    char *text = NULL;
    size_t n;
    px_buf_init(&c.notes, 1 << 20);
    px_buf_init(&c.all_hashes, TEXT_LIMIT);
    choose_rendering(&c);
    c.main_filter = find_main(in);
    int rc = px_read_file(in->samples, (size_t)4 << 30, &text, &n, err);
    if (rc == 0)
        rc = compare_lines(&c, text, n, err);
    if (rc == 0)
        compare_aggregates(&c);
    px_buf_put(&c.notes, "", 0);
    r.notes = px_buf_steal(&c.notes, NULL);
    px_buf_clear(&c.all_hashes);
    free(c.first_filter);
    free(text);
    if (rc != 0)
        conform_clear(&r);
    else
        *out = r;
    return rc;
}

void conform_clear(struct conform_result *r)
{
    for (uint32_t i = 0; i < r->n_list; i++) {
        free(r->list[i].field);
        free(r->list[i].ours);
        free(r->list[i].theirs);
    }
    for (uint32_t i = 0; i < r->n_metrics; i++) {
        free(r->metrics[i].name);
        free(r->metrics[i].filter);
        free(r->metrics[i].values);
    }
    free(r->list);
    free(r->metrics);
    free(r->notes);
    memset(r, 0, sizeof *r);
}
