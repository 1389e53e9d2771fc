/* bench_print.c - the report of a bench: a table for people, one JSON object for programs. */
#include <stdio.h>
#include <string.h>

#include "proto/buf.h"
#include "proto/json.h"
#include "worker/stage/bench.h"

enum { JSON_LIMIT = 1 << 24 };

static double per_second(double n, double s)
{
    return s > 0 ? n / s : 0;
}

static double percent(double limit_s, double s)
{
    return s > 0 ? 100 * limit_s / s : 0;
}

static double ops(const struct bench_work *w)
{
    return w->int8_ops + w->f32_ops;
}

static const char *layout_name(const struct bench_shape *s)
{
    return s->is_panels ? "panels" : "rows";
}

/* ---- text ---- */

static void print_head(const struct bench_report *r)
{
    const struct bench_limits *l = &r->limits;
    struct bench_work w = bench_pass_work(r->m, r->o->kv, 1, 1, 0);
    printf("model    %s: %s, %u layers, %.1f M weights and %.3f GB read for a token\n", r->o->path,
           r->m->cfg.arch_name, r->m->cfg.n_layers, ops(&w) * 0.5e-6, w.bytes * 1e-9);
    printf("setting  %s, %u threads, kv %s, medians of %u, load %.2f at the start\n", r->isa,
           r->o->threads, kv_type_name(r->o->kv), r->o->rounds, r->load);
    printf("limits   reads %.1f GB/s (%s), %.1f GB/s (huge pages); int8 %.3f TOP/s (%s), f32 %.3f "
           "TOP/s (%s)\n",
           l->read_gb_s, l->is_mapping ? "the weights where they lie" : "plain memory",
           l->huge_gb_s, l->int8_tops, l->int8_how, l->f32_tops, l->f32_how);
}

static void print_limits(const struct bench_limits *l, const struct bench_work *w, double s)
{
    printf(" %9.2f %8.1f %% %9.3f %8.1f %%\n", per_second(w->bytes * 1e-9, s),
           percent(bench_read_s(l, w), s), per_second(ops(w) * 1e-12, s),
           percent(bench_compute_s(l, w), s));
}

static void print_figure(const struct bench_report *r, const char *name,
                         const struct bench_figure *f)
{
    printf("%-28s %5u %10.2f %9.3f", name, f->rows, per_second(f->tokens, f->s), f->cpu_s);
    print_limits(&r->limits, &f->work, f->s);
}

static void print_shapes(const struct bench_report *r)
{
    printf("\n%-28s %5s %10s %9s %9s %10s %9s %10s\n", "matrices (count)", "rows", "us each", "",
           "GB/s", "of limit", "TOP/s", "of limit");
    for (uint32_t i = 0; i < r->n_shapes; i++) {
        const struct bench_shape *s = &r->shapes[i];
        char name[64];
        snprintf(name, sizeof name, "%s %ux%u %s (%u)", ggml_type_info(s->type)->name, s->n_in,
                 s->n_out, layout_name(s), s->count);
        printf("%-28s %5u %10.1f %9s", name, s->rows, s->s * 1e6 / s->count, "");
        print_limits(&r->limits, &s->work, s->s);
    }
}

void bench_print_text(const struct bench_report *r)
{
    const struct bench_options *o = r->o;
    char name[64];
    print_head(r);
    if (o->do_pp || o->do_tg || o->do_shared || o->do_own)
        printf("\n%-28s %5s %10s %9s %9s %10s %9s %10s\n", "measured", "rows", "tokens/s", "cpu s",
               "GB/s", "of limit", "TOP/s", "of limit");
    for (uint32_t i = 0; o->do_pp && i < o->prompt.n; i++) {
        snprintf(name, sizeof name, "pp%u", o->prompt.v[i]);
        print_figure(r, name, &r->pp[i]);
    }
    if (o->do_tg) {
        snprintf(name, sizeof name, "tg%u", o->tokens);
        print_figure(r, name, &r->tg);
    }
    for (uint32_t i = 0; o->do_shared && i < o->rows.n; i++) {
        snprintf(name, sizeof name, "tg%u behind one head of %u", o->tokens, o->head);
        print_figure(r, name, &r->shared[i]);
    }
    for (uint32_t i = 0; o->do_own && i < o->rows.n; i++) {
        snprintf(name, sizeof name, "tg%u, %u own tokens", o->tokens, o->own);
        print_figure(r, name, &r->own[i]);
    }
    if (o->do_kernels)
        print_shapes(r);
}

/* ---- JSON ---- */

static void add_number(struct px_buf *b, const char *name, double v)
{
    px_buf_printf(b, ", \"%s\": ", name);
    px_json_number(b, v);
}

/* GB/s, operations, and their shares of the limits (1 is the limit itself). */
static void add_shares(struct px_buf *b, const struct bench_limits *l, const struct bench_work *w,
                       double s)
{
    add_number(b, "s", s);
    add_number(b, "read_gb_s", per_second(w->bytes * 1e-9, s));
    add_number(b, "read_share", percent(bench_read_s(l, w), s) / 100);
    add_number(b, "tops", per_second(ops(w) * 1e-12, s));
    add_number(b, "compute_share", percent(bench_compute_s(l, w), s) / 100);
}

static void add_figure(struct px_buf *b, const struct bench_report *r, const struct bench_figure *f)
{
    px_buf_printf(b, "{\"rows\": %u, \"tokens\": %u", f->rows, f->tokens);
    add_number(b, "tok_s", per_second(f->tokens, f->s));
    add_number(b, "cpu_s", f->cpu_s);
    add_shares(b, &r->limits, &f->work, f->s);
    px_buf_char(b, '}');
}

static void add_figures(struct px_buf *b, const struct bench_report *r, const char *name,
                        const struct bench_figure *f, uint32_t n)
{
    px_buf_printf(b, ", \"%s\": [", name);
    for (uint32_t i = 0; i < n; i++) {
        px_buf_str(b, i ? ", " : "");
        add_figure(b, r, &f[i]);
    }
    px_buf_char(b, ']');
}

static void add_shapes(struct px_buf *b, const struct bench_report *r)
{
    px_buf_str(b, ", \"kernels\": [");
    for (uint32_t i = 0; i < r->n_shapes; i++) {
        const struct bench_shape *s = &r->shapes[i];
        px_buf_printf(b,
                      "%s{\"type\": \"%s\", \"layout\": \"%s\", \"n_in\": %u, \"n_out\": %u, "
                      "\"count\": %u, \"rows\": %u",
                      i ? ", " : "", ggml_type_info(s->type)->name, layout_name(s), s->n_in,
                      s->n_out, s->count, s->rows);
        add_shares(b, &r->limits, &s->work, s->s);
        px_buf_char(b, '}');
    }
    px_buf_char(b, ']');
}

static void add_head(struct px_buf *b, const struct bench_report *r)
{
    const struct bench_limits *l = &r->limits;
    struct bench_work w = bench_pass_work(r->m, r->o->kv, 1, 1, 0);
    px_buf_str(b, "{\"model\": ");
    px_json_quote(b, r->o->path, strlen(r->o->path));
    px_buf_printf(b,
                  ", \"isa\": \"%s\", \"threads\": %u, \"kv\": \"%s\", \"rounds\": %u, "
                  "\"generated_tokens\": %u, \"head_tokens\": %u, \"own_tokens\": %u",
                  r->isa, r->o->threads, kv_type_name(r->o->kv), r->o->rounds, r->o->tokens,
                  r->o->head, r->o->own);
    add_number(b, "load", r->load);
    add_number(b, "bytes_per_token", w.bytes);
    add_number(b, "ops_per_token", ops(&w));
    px_buf_printf(b, ", \"limits\": {\"is_mapping\": %s, \"int8_how\": \"%s\", \"f32_how\": \"%s\"",
                  l->is_mapping ? "true" : "false", l->int8_how, l->f32_how);
    add_number(b, "read_gb_s", l->read_gb_s);
    add_number(b, "huge_gb_s", l->huge_gb_s);
    add_number(b, "int8_tops", l->int8_tops);
    add_number(b, "f32_tops", l->f32_tops);
    px_buf_char(b, '}');
}

void bench_print_json(const struct bench_report *r)
{
    const struct bench_options *o = r->o;
    struct px_buf b;
    px_buf_init(&b, JSON_LIMIT);
    add_head(&b, r);
    if (o->do_pp)
        add_figures(&b, r, "pp", r->pp, o->prompt.n);
    if (o->do_tg)
        add_figures(&b, r, "tg", &r->tg, 1);
    if (o->do_shared)
        add_figures(&b, r, "shared", r->shared, o->rows.n);
    if (o->do_own)
        add_figures(&b, r, "own", r->own, o->rows.n);
    if (o->do_kernels)
        add_shapes(&b, r);
    px_buf_str(&b, "}\n");
    fwrite(b.data, 1, b.len, stdout);
    px_buf_clear(&b);
}
