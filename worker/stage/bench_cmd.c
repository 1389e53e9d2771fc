/* bench_cmd.c - proctor model bench: how fast a model runs here, and how fast it could. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mem.h"
#include "proto/number.h"
#include "worker/stage/bench.h"
#include "worker/stage/engine_args.h"
#include "worker/stage/engine_cmds.h"

static const char usage[] =
    "Usage: proctor model bench FILE [options]\n"
    "\n"
    "How fast a model runs on this machine, with the machine's own limits beside it: how fast it\n"
    "reads memory and multiplies, measured in the same run.\n"
    "\n"
    "  --parts LIST     of pp, tg, shared, own, kernels (default: all of them)\n"
    "  --prompt LIST    pp: lengths of prompts (default 512)\n"
    "  --tokens N       tokens that a row generates (default 128)\n"
    "  --rows LIST      shared, own: rows decoded side by side (default 1,2,4,8,16,32)\n"
    "  --head N         shared: tokens of the one head of all rows (default 512)\n"
    "  --own N          own: tokens of every row's own prompt (default 128)\n"
    "  --rounds N       a figure is the median of so many, after one to warm up (default 3)\n"
    "  --kv TYPE        f16, f32 or q8_0: keys and values are kept as (default f16)\n"
    "  --memory SIZE    for keys, values and activations (default 2GiB)\n"
    "  --isa NAME       auto, scalar, avx2, avx512, amx, neon, neon-dot: same bits\n"
    "  --threads N      default: all\n"
    "  --json           one JSON object on stdout\n"
    "\n"
    "pp is the time to a prompt's first token, tg decodes one row after a prompt of one token;\n"
    "shared and own decode many rows, their prompts computed before. Kernels are measured at 1 "
    "and\n"
    "32 rows on the matrices of the model.\n"
    "\n"
    "Example: proctor model bench model.gguf --parts pp,tg --rounds 5\n";

enum { O_JSON = 256, O_PARTS, O_PROMPT, O_TOKENS, O_ROWS, O_HEAD, O_OWN, O_ROUNDS, O_MEMORY };
enum { O_ENGINE = 512, MAX_ROWS = 256, MAX_TOKENS = 1 << 20 };

static const struct option longs[] = {{"help", no_argument, NULL, 'h'},
                                      {"parts", required_argument, NULL, O_PARTS},
                                      {"prompt", required_argument, NULL, O_PROMPT},
                                      {"tokens", required_argument, NULL, O_TOKENS},
                                      {"rows", required_argument, NULL, O_ROWS},
                                      {"head", required_argument, NULL, O_HEAD},
                                      {"own", required_argument, NULL, O_OWN},
                                      {"rounds", required_argument, NULL, O_ROUNDS},
                                      {"memory", required_argument, NULL, O_MEMORY},
                                      {"json", no_argument, NULL, O_JSON},
                                      {"kv", required_argument, NULL, O_ENGINE},
                                      {"isa", required_argument, NULL, O_ENGINE},
                                      {"threads", required_argument, NULL, O_ENGINE},
                                      {NULL, 0, NULL, 0}};

struct command {
    struct bench_options bench;
    struct engine_args engine;
    bool is_json;
};

static int read_list(const char *text, int64_t most, struct bench_list *out, struct px_err *err)
{
    PX_FREE char *copy = px_xstrdup(text);
    int64_t v;
    out->n = 0;
    for (char *p, *rest = copy; (p = strsep(&rest, ",")) != NULL;) {
        if (out->n == BENCH_LIST)
            return px_fail(err, PX_EUSAGE, "more than %d numbers", BENCH_LIST);
        if (px_parse_int(p, 1, most, &v, err))
            return -1;
        out->v[out->n++] = (uint32_t)v;
    }
    return 0;
}

static int read_parts(const char *text, struct bench_options *o, struct px_err *err)
{
    const struct {
        const char *name;
        bool *flag;
    } parts[] = {{"pp", &o->do_pp},
                 {"tg", &o->do_tg},
                 {"shared", &o->do_shared},
                 {"own", &o->do_own},
                 {"kernels", &o->do_kernels}};
    enum { N = sizeof parts / sizeof *parts };
    PX_FREE char *copy = px_xstrdup(text);
    for (int i = 0; i < N; i++)
        *parts[i].flag = false;
    for (char *p, *rest = copy; (p = strsep(&rest, ",")) != NULL;) {
        int i = 0;
        while (i < N && strcmp(p, parts[i].name) != 0)
            i++;
        if (i == N)
            return px_fail(err, PX_EUSAGE, "'%s': known are pp, tg, shared, own and kernels", p);
        *parts[i].flag = true;
    }
    return 0;
}

static int read_number(const char *text, int64_t least, int64_t most, uint32_t *out,
                       struct px_err *err)
{
    int64_t v;
    if (px_parse_int(text, least, most, &v, err))
        return -1;
    *out = (uint32_t)v;
    return 0;
}

static int set_option(struct command *c, int which, const char *name, const char *value,
                      struct px_err *err)
{
    struct bench_options *o = &c->bench;
    switch (which) {
    case O_JSON:
        c->is_json = true;
        return 0;
    case O_PARTS:
        return read_parts(value, o, err);
    case O_PROMPT:
        return read_list(value, MAX_TOKENS, &o->prompt, err);
    case O_ROWS:
        return read_list(value, MAX_ROWS, &o->rows, err);
    case O_TOKENS:
        return read_number(value, 1, MAX_TOKENS, &o->tokens, err);
    case O_HEAD:
        return read_number(value, 1, MAX_TOKENS, &o->head, err);
    case O_OWN:
        return read_number(value, 1, MAX_TOKENS, &o->own, err);
    case O_ROUNDS:
        return read_number(value, 1, BENCH_ROUNDS, &o->rounds, err);
    case O_MEMORY:
        return px_parse_size(value, &o->memory, err);
    default:
        return engine_args_set(&c->engine, name, value, err);
    }
}

/* 0: go on, 1: help was printed, -1: err is set. */
static int read_options(struct command *c, int argc, char **argv, struct px_err *err)
{
    int which, index = 0;
    *c = (struct command){.bench = {.memory = (int64_t)2 << 30,
                                    .prompt = {{512}, 1},
                                    .rows = {{1, 2, 4, 8, 16, 32}, 6},
                                    .head = 512,
                                    .own = 128,
                                    .tokens = 128,
                                    .rounds = 3,
                                    .do_pp = true,
                                    .do_tg = true,
                                    .do_shared = true,
                                    .do_own = true,
                                    .do_kernels = true}};
    engine_args_init(&c->engine, KV_F16);
    optind = 1;
    opterr = 0;
    while ((which = getopt_long(argc, argv, "h", longs, &index)) != -1) {
        if (which == 'h') {
            fputs(usage, stdout);
            return 1;
        }
        if (which == '?')
            return px_fail(err, PX_EUSAGE, "unknown option or missing value: %s", argv[optind - 1]);
        if (set_option(c, which, longs[index].name, optarg, err))
            return px_wrap(err, "--%s", longs[index].name);
    }
    if (argc - optind != 1)
        return px_fail(err, PX_EUSAGE, "one model file is expected, %d were given", argc - optind);
    c->bench.path = argv[optind];
    c->bench.isa = c->engine.isa;
    c->bench.threads = c->engine.threads;
    c->bench.kv = c->engine.kv;
    return 0;
}

static int measure_engine(const struct bench_options *o, struct bench_report *r, struct px_err *err)
{
    struct bench_engine *b = bench_engine_new(r->m, o, err);
    int rc = b ? 0 : -1;
    if (b)
        r->isa = bench_engine_isa(b);
    for (uint32_t i = 0; rc == 0 && o->do_pp && i < o->prompt.n; i++)
        rc = bench_prompt(b, o->prompt.v[i], &r->pp[i], err);
    if (rc == 0 && o->do_tg)
        rc = bench_decode(b, 1, 0, 0, &r->tg, err);
    for (uint32_t i = 0; rc == 0 && o->do_shared && i < o->rows.n; i++)
        rc = bench_decode(b, o->rows.v[i], o->head, 0, &r->shared[i], err);
    for (uint32_t i = 0; rc == 0 && o->do_own && i < o->rows.n; i++)
        rc = bench_decode(b, o->rows.v[i], 0, o->own, &r->own[i], err);
    bench_engine_free(&b);
    return rc;
}

static int bench(const struct command *c, struct px_err *err)
{
    const struct bench_options *o = &c->bench;
    struct model *m = model_open(o->path, err);
    if (m == NULL)
        return -1;
    struct bench_report r = {.o = o, .m = m};
    if (getloadavg(&r.load, 1) != 1)
        r.load = 0;
    int rc = measure_engine(o, &r, err);
    if (rc == 0 && o->do_kernels)
        rc = bench_shapes(m, o, &r.shapes, &r.n_shapes, err);
    if (rc == 0)
        bench_limits_measure(m, o->threads, &r.limits);
    if (rc == 0 && c->is_json)
        bench_print_json(&r);
    else if (rc == 0)
        bench_print_text(&r);
    free(r.shapes);
    model_free(&m);
    return rc;
}

int bench_command(int argc, char **argv)
{
    struct command c;
    struct px_err err = {0};
    int rc = read_options(&c, argc, argv, &err);
    if (rc == 1)
        return 0;
    if (rc < 0)
        return command_misused("bench", "%s", err.text);
    return bench(&c, &err) ? command_failed("bench", &err) : 0;
}
