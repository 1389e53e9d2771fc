/* import.c - the import stage: check, digest, report. */
#include "worker/stage/import.h"

#include <string.h>

#include "proto/clock.h"
#include "proto/mem.h"
#include "worker/stage/check.h"

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
        px_sha256_file(job->model_path, &digest, NULL, err) != 0)
        return -1;
    struct completion c = {0};
    px_buf_init(&text, 1 << 20);
    check_json(&report, job->model_name, &digest, &text);
    size_t len;
    c.text = px_buf_steal(&text, &len);
    c.n_text = (uint32_t)len;
    c.error = find_fault(&report, &job->model, &digest);
    c.finish = c.error ? FINISH_ERROR : FINISH_EOS;
    c.backend = px_xstrdup("import");
    c.prefill_s = (double)(clk_now_us() - started) / 1e6;
    c.wall_us = clk_wall_us();
    *out = c;
    return 0;
}
