/* logits_cmd.c - proctor model logits: what the model expects after a prompt. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/file.h"
#include "proto/json.h"
#include "proto/mem.h"
#include "proto/number.h"
#include "worker/engine/eval.h"
#include "worker/engine/sample.h"
#include "worker/stage/engine_args.h"
#include "worker/stage/engine_cmds.h"

static const char usage[] =
    "Usage: proctor model logits FILE (--prompt TEXT | --tokens 1,2,3) [options]\n"
    "\n"
    "Prints the best next tokens after a prompt: id, logit, log-probability, text.\n"
    "\n"
    "  --prompt TEXT    the prompt (special tokens in it are recognised)\n"
    "  --tokens IDS     the prompt as token ids\n"
    "  --top N          how many tokens to print (default 10)\n"
    "  --all            with -o: the logits after every token, not only after the last\n"
    "  -o FILE          write the logits as little-endian floats, n_vocab per position\n"
    "  --kv TYPE        f16, f32 or q8_0: keys and values are kept as (default f32)\n"
    "  --isa NAME       auto, scalar, avx2, avx512, amx, neon, neon-dot: same bits\n"
    "  --threads N      default: all\n"
    "  --json           one JSON object on stdout\n"
    "\n"
    "Example: proctor model logits model.gguf --prompt 'The capital of France is' --top 5\n";

struct options {
    const char *model, *prompt, *ids, *out;
    int64_t top;
    bool is_all, is_json;
    struct engine_args engine;
};

enum { O_PROMPT = 256, O_IDS, O_TOP, O_ALL, O_JSON, O_ENGINE };

static const struct option longs[] = {{"help", no_argument, NULL, 'h'},
                                      {"prompt", required_argument, NULL, O_PROMPT},
                                      {"tokens", required_argument, NULL, O_IDS},
                                      {"top", required_argument, NULL, O_TOP},
                                      {"all", no_argument, NULL, O_ALL},
                                      {"json", no_argument, NULL, O_JSON},
                                      {"kv", required_argument, NULL, O_ENGINE},
                                      {"isa", required_argument, NULL, O_ENGINE},
                                      {"threads", required_argument, NULL, O_ENGINE},
                                      {NULL, 0, NULL, 0}};

static int set_option(struct options *o, int which, const char *name, const char *value,
                      struct px_err *err)
{
    switch (which) {
    case O_PROMPT:
        o->prompt = value;
        return 0;
    case O_IDS:
        o->ids = value;
        return 0;
    case O_ALL:
        o->is_all = true;
        return 0;
    case O_JSON:
        o->is_json = true;
        return 0;
    case 'o':
        o->out = value;
        return 0;
    case O_TOP:
        return px_parse_int(value, 1, 1 << 20, &o->top, err);
    default:
        return engine_args_set(&o->engine, name, value, err);
    }
}

/* 0: go on, 1: help was printed, -1: err is set. */
static int read_options(struct options *o, int argc, char **argv, struct px_err *err)
{
    int which, index = 0;
    *o = (struct options){.top = 10};
    engine_args_init(&o->engine, KV_F32);
    optind = 1;
    opterr = 0;
    while ((which = getopt_long(argc, argv, "ho:", longs, &index)) != -1) {
        const char *name = which == 'o' ? "o" : longs[index].name;
        if (which == 'h') {
            fputs(usage, stdout);
            return 1;
        }
        if (which == '?')
            return px_fail(err, PX_EUSAGE, "unknown option or missing value: %s", argv[optind - 1]);
        if (set_option(o, which, name, optarg, err))
            return px_wrap(err, "--%s", name);
    }
    if (argc - optind != 1)
        return px_fail(err, PX_EUSAGE, "one model file is expected, %d were given", argc - optind);
    if ((o->prompt != NULL) + (o->ids != NULL) != 1)
        return px_fail(err, PX_EUSAGE, "exactly one of --prompt and --tokens is needed");
    if (o->is_all && o->out == NULL)
        return px_fail(err, PX_EUSAGE, "--all needs -o FILE");
    o->model = argv[optind];
    return 0;
}

struct ranked {
    uint32_t id;
    float logit;
};

static int by_logit(const void *pa, const void *pb)
{
    const struct ranked *a = pa, *b = pb;
    if (a->logit != b->logit)
        return a->logit > b->logit ? -1 : 1;
    return a->id < b->id ? -1 : a->id > b->id;
}

static void print_top(const struct options *o, const struct tokenizer *tok, const uint32_t *ids,
                      size_t n_ids, const float *logits, uint32_t n_vocab)
{
    PX_FREE struct ranked *r = px_xcalloc(n_vocab, sizeof *r);
    double lse = sample_log_sum_exp(kernels_at(0), logits, n_vocab);
    uint32_t top = o->top < n_vocab ? (uint32_t)o->top : n_vocab;
    struct px_buf b;
    for (uint32_t i = 0; i < n_vocab; i++)
        r[i] = (struct ranked){.id = i, .logit = logits[i]};
    qsort(r, n_vocab, sizeof *r, by_logit);
    px_buf_init(&b, UNIT_LIMIT);
    if (o->is_json) {
        px_buf_str(&b, "{\"tokens\": [");
        for (size_t i = 0; i < n_ids; i++)
            px_buf_printf(&b, "%s%u", i ? ", " : "", ids[i]);
        px_buf_printf(&b, "], \"log_sum_exp\": %.9g, \"top\": [", lse);
    }
    for (uint32_t i = 0; i < top; i++) {
        struct px_buf text;
        px_buf_init(&text, 1 << 16);
        tokenizer_decode(tok, &r[i].id, 1, true, &text);
        px_buf_printf(&b,
                      o->is_json ? "%s{\"id\": %u, \"logit\": %.9g, \"logprob\": %.9g, \"text\": "
                                 : "%s%7u %12.6f %12.6f  ",
                      o->is_json && i ? ", " : "", r[i].id, (double)r[i].logit,
                      (double)r[i].logit - lse);
        px_json_quote(&b, text.len ? (const char *)text.data : "", text.len);
        px_buf_str(&b, o->is_json ? "}" : "\n");
        px_buf_clear(&text);
    }
    px_buf_str(&b, o->is_json ? "]}\n" : "");
    fwrite(b.data, 1, b.len, stdout);
    px_buf_clear(&b);
}

struct sink {
    FILE *f;
    uint32_t n_vocab;
    bool failed;
};

static void write_logits(void *ctx, uint32_t pos, const float *logits)
{
    struct sink *s = ctx;
    (void)pos;
    s->failed = s->failed || fwrite(logits, sizeof *logits, s->n_vocab, s->f) != s->n_vocab;
}

static int run(const struct options *o, const struct model *m, const struct tokenizer *tok,
               const uint32_t *ids, size_t n, struct px_err *err)
{
    struct eval_config cfg = {.isa = o->engine.isa,
                              .threads = o->engine.threads,
                              .kv = o->engine.kv,
                              .max_tokens = m->cfg.context_length};
    struct sink sink = {.n_vocab = m->cfg.n_vocab};
    int rc = -1;
    if (n > m->cfg.context_length)
        return px_fail(err, PX_EINPUT, "%zu tokens, the model was made for %u", n,
                       m->cfg.context_length);
    struct eval *e = eval_new(m, &cfg, err);
    if (e == NULL)
        return -1;
    if (o->out && (sink.f = fopen(o->out, "we")) == NULL) {
        px_fail_errno(err, "cannot write %s", o->out);
        goto done;
    }
    const float *last =
        eval_tokens(e, ids, (uint32_t)n, o->is_all ? write_logits : NULL, &sink, err);
    if (last == NULL)
        goto done;
    if (sink.f && !o->is_all)
        write_logits(&sink, 0, last);
    print_top(o, tok, ids, n, last, m->cfg.n_vocab);
    rc = 0;
done:
    if (sink.f && (fclose(sink.f) != 0 || sink.failed) && rc == 0)
        rc = px_fail_errno(err, "cannot write %s", o->out);
    eval_free(&e);
    return rc;
}

static int logits(const struct options *o, struct px_err *err)
{
    struct model *m;
    struct tokenizer *tok;
    PX_FREE uint32_t *ids = NULL;
    size_t n = 0;
    if (open_model(o->model, &m, &tok, err))
        return -1;
    int rc = o->ids ? parse_ids(o->ids, &ids, &n, err)
                    : tokenizer_encode(tok, o->prompt, strlen(o->prompt),
                                       TOK_ADD_SPECIAL | TOK_PARSE_SPECIAL, &ids, &n, err);
    if (rc == 0)
        rc = run(o, m, tok, ids, n, err);
    tokenizer_free(&tok);
    model_free(&m);
    return rc;
}

int logits_command(int argc, char **argv)
{
    struct options o;
    struct px_err err = {0};
    int rc = read_options(&o, argc, argv, &err);
    if (rc == 1)
        return 0;
    if (rc < 0)
        return command_misused("logits", "%s", err.text);
    return logits(&o, &err) ? command_failed("logits", &err) : 0;
}
