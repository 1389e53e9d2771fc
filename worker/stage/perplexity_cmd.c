/* perplexity_cmd.c - proctor model perplexity: how well a model predicts a text. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/file.h"
#include "proto/mem.h"
#include "proto/number.h"
#include "worker/stage/engine_args.h"
#include "worker/stage/engine_cmds.h"
#include "worker/stage/perplexity.h"

static const char usage[] =
    "Usage: proctor model perplexity FILE TEXTFILE [options]\n"
    "\n"
    "Perplexity of a text, computed as llama-perplexity does: chunks of N tokens, each on its "
    "own,\n"
    "the second half of each scored.\n"
    "\n"
    "  --ctx N          tokens of a chunk (default 512, or the model's context if smaller)\n"
    "  --kv TYPE        f16, f32 or q8_0: keys and values are kept as (default f32)\n"
    "  --isa NAME       auto, scalar, avx2, avx512, amx, neon, neon-dot: same bits\n"
    "  --threads N      default: all\n"
    "  --json           one JSON object on stdout\n"
    "\n"
    "Example: proctor model perplexity model.gguf wiki.test.raw --ctx 512\n";

enum { O_CTX = 256, O_JSON, O_ENGINE, TEXT_LIMIT = 1 << 30 };

struct options {
    const char *model, *text;
    int64_t n_ctx;
    bool is_json;
    struct engine_args engine;
};

static const struct option longs[] = {{"help", no_argument, NULL, 'h'},
                                      {"ctx", required_argument, NULL, O_CTX},
                                      {"json", no_argument, NULL, O_JSON},
                                      {"kv", required_argument, NULL, O_ENGINE},
                                      {"isa", required_argument, NULL, O_ENGINE},
                                      {"threads", required_argument, NULL, O_ENGINE},
                                      {NULL, 0, NULL, 0}};

/* 0: go on, 1: help was printed, -1: err is set. */
static int read_options(struct options *o, int argc, char **argv, struct px_err *err)
{
    int which, index = 0, rc = 0;
    *o = (struct options){0};
    engine_args_init(&o->engine, KV_F32);
    optind = 1;
    opterr = 0;
    while (rc == 0 && (which = getopt_long(argc, argv, "h", longs, &index)) != -1) {
        if (which == 'h') {
            fputs(usage, stdout);
            return 1;
        }
        if (which == '?')
            return px_fail(err, PX_EUSAGE, "unknown option or missing value: %s", argv[optind - 1]);
        if (which == O_JSON)
            o->is_json = true;
        else if (which == O_CTX)
            rc = px_parse_int(optarg, 4, 1 << 20, &o->n_ctx, err);
        else
            rc = engine_args_set(&o->engine, longs[index].name, optarg, err);
    }
    if (rc)
        return px_wrap(err, "--%s", longs[index].name);
    if (argc - optind != 2)
        return px_fail(err, PX_EUSAGE, "a model file and a text file are expected");
    o->model = argv[optind];
    o->text = argv[optind + 1];
    return 0;
}

static void show_running(void *ctx, uint32_t chunk, double running)
{
    (void)ctx;
    fprintf(stderr, "\r[%u] %.4f ", chunk + 1, running);
}

static void print_result(const struct options *o, const struct perplexity *p, uint32_t n_ctx)
{
    if (o->is_json)
        printf("{\"ppl\": %.9g, \"err\": %.9g, \"chunks\": %u, \"scored\": %llu, \"n_ctx\": %u}\n",
               p->ppl, p->err, p->n_chunks, (unsigned long long)p->n_scored, n_ctx);
    else
        printf("perplexity %.4f +/- %.5f (%u chunks of %u tokens, %llu scored)\n", p->ppl, p->err,
               p->n_chunks, n_ctx, (unsigned long long)p->n_scored);
}

static int run(const struct options *o, const struct model *m, const struct tokenizer *tok,
               const uint32_t *ids, size_t n, struct px_err *err)
{
    uint32_t n_ctx = o->n_ctx ? (uint32_t)o->n_ctx : 512;
    struct perplexity p;
    if (o->n_ctx == 0 && n_ctx > m->cfg.context_length)
        n_ctx = m->cfg.context_length;
    if (n_ctx > m->cfg.context_length)
        return px_fail(err, PX_EUSAGE, "--ctx %u: the model was made for %u positions", n_ctx,
                       m->cfg.context_length);
    struct eval_config cfg = {.isa = o->engine.isa,
                              .threads = o->engine.threads,
                              .kv = o->engine.kv,
                              .max_tokens = n_ctx};
    struct eval *e = eval_new(m, &cfg, err);
    if (e == NULL)
        return -1;
    bool is_live = !o->is_json && isatty(STDERR_FILENO);
    int rc = perplexity_of(e, m->cfg.n_vocab, ids, n, n_ctx,
                           tokenizer_adds_bos(tok) ? tokenizer_bos(tok) : -1,
                           is_live ? show_running : NULL, NULL, &p, err);
    if (is_live)
        fputs("\r\033[K", stderr);
    if (rc == 0)
        print_result(o, &p, n_ctx);
    eval_free(&e);
    return rc;
}

static int perplexity(const struct options *o, struct px_err *err)
{
    struct model *m;
    struct tokenizer *tok;
    PX_FREE char *text = NULL;
    PX_FREE uint32_t *ids = NULL;
    size_t len, n = 0;
    if (px_read_file(o->text, TEXT_LIMIT, &text, &len, err) || open_model(o->model, &m, &tok, err))
        return -1;
    int rc = tokenizer_encode(tok, text, len, TOK_ADD_SPECIAL, &ids, &n, err);
    if (rc == 0)
        rc = run(o, m, tok, ids, n, err);
    tokenizer_free(&tok);
    model_free(&m);
    return rc;
}

int perplexity_command(int argc, char **argv)
{
    struct options o;
    struct px_err err = {0};
    int rc = read_options(&o, argc, argv, &err);
    if (rc == 1)
        return 0;
    if (rc < 0)
        return command_misused("perplexity", "%s", err.text);
    return perplexity(&o, &err) ? command_failed("perplexity", &err) : 0;
}
