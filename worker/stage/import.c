/* import.c - the import stage: check, digest, imported form, report. */
#include "worker/stage/import.h"

#include <stdlib.h>
#include <string.h>

#include "proto/clock.h"
#include "proto/json.h"
#include "proto/mem.h"
#include "proto/model/imported.h"
#include "worker/stage/check.h"
#include "worker/stage/import_file.h"

/* What is wrong, in words; owned, NULL when nothing is. */
static char *find_fault(const struct check_report *r, const struct px_digest *want,
                        const struct px_digest *got)
{
    char wanted[PX_HEX_SIZE], found[PX_HEX_SIZE];
    const struct check_stage *s = check_cause(r);
    if (s)
        return px_xasprintf("model check, stage %s: %s", s->name, s->details);
    if (px_digest_is_zero(want) || px_digest_eq(want, got))
        return NULL;
    px_digest_hex(want, wanted);
    px_digest_hex(got, found);
    return px_xasprintf("the file's digest is %s, but the run was planned with %s: it has been "
                        "changed since",
                        found, wanted);
}

/* Appends the member "imported" to the report, an object without its last brace. A model that
 * cannot be written runs from its own file: that is a problem to tell, not a failure. */
static void write_imported(const struct job *job, const struct import_options *opt,
                           struct px_buf *text)
{
    struct imported_file f;
    struct px_err err = {0};
    if (import_file(job->model_path, opt, &f, &err) != 0) {
        px_buf_str(text, ", \"imported\": {\"problem\": ");
        px_json_quote(text, err.text, strlen(err.text));
    } else {
        px_buf_str(text, ", \"imported\": {\"path\": ");
        px_json_quote(text, f.path, strlen(f.path));
        px_buf_printf(text, ", \"bytes\": %llu, \"was_there\": %s", (unsigned long long)f.bytes,
                      f.was_there ? "true" : "false");
        free(f.path);
    }
    px_buf_str(text, "}}");
}

static bool wants_panels(const struct job *job)
{
    struct json_object *o =
        job->options ? px_json_parse(job->options, strlen(job->options), NULL) : NULL;
    bool panels = o && strcmp(px_json_str_or(o, "layout", ""), "panels") == 0;
    json_object_put(o);
    return panels;
}

int stage_import(const struct job *job, const struct unit *unit,
                 void (*progress)(void *ctx, uint64_t done), void *ctx, struct completion *out,
                 struct px_err *err)
{
    struct check_options opt = {.progress = progress, .ctx = ctx};
    struct check_report report;
    struct px_digest digest;
    struct px_buf text;
    int64_t started = clk_now_us();
    (void)unit;
    if (check_file(job->model_path, &opt, &report, err) != 0 ||
        gguf_file_digest(job->model_path, &digest, err) != 0)
        return -1;
    struct completion c = {0};
    px_buf_init(&text, 1 << 20);
    check_json(&report, job->model_name, &digest, &text);
    c.error = find_fault(&report, &job->model, &digest);
    if (!c.error && wants_panels(job) && !report.is_imported) {
        struct import_options how = {.progress = progress, .ctx = ctx};
        text.len--;
        write_imported(job, &how, &text);
    }
    size_t len;
    c.text = px_buf_steal(&text, &len);
    c.n_text = (uint32_t)len;
    c.finish = c.error ? FINISH_ERROR : FINISH_EOS;
    c.backend = px_xstrdup("import");
    c.prefill_s = (double)(clk_now_us() - started) / 1e6;
    c.wall_us = clk_wall_us();
    *out = c;
    return 0;
}
