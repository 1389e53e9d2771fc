/* generate_cmd.c - proctor model generate: one completion from the command line. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/file.h"
#include "proto/json.h"
#include "proto/mem.h"
#include "proto/model/chat.h"
#include "proto/number.h"
#include "worker/engine/engine.h"
#include "worker/engine/sample.h"
#include "worker/stage/engine_args.h"
#include "worker/stage/engine_cmds.h"

static const char usage[] =
    "Usage: proctor model generate FILE [options]\n"
    "\n"
    "Continues a prompt with the model in a GGUF file. The text goes to stdout, figures to "
    "stderr.\n"
    "\n"
    "  --prompt TEXT        the prompt (special tokens in it are recognised)\n"
    "  --file PATH          the prompt is the contents of a file\n"
    "  --chat               the prompt is a user message, rendered with the model's template\n"
    "  --max-tokens N       new tokens at most (default 256)\n"
    "  --temperature T      0 is greedy (default 0)\n"
    "  --top-k N            only the N best tokens (default 0: off)\n"
    "  --top-p P            the best tokens that together reach P (default 1: off)\n"
    "  --min-p P            tokens of at least P times the best one's probability (default 0)\n"
    "  --seed N             of the generator (default 0); the same seed gives the same text\n"
    "  --stop TEXT          end before this text; may be given several times\n"
    "  --kv f16|f32|q8_0    keys and values are kept as (default f16)\n"
    "  --reuse SPEC         layer reuse: k=3,subset=middle,size=4,mode=delta,kv=project;\n"
    "                       subset first, middle, last or a list such as 2+5+6;\n"
    "                       mode delta, skip or output; kv project or copy\n"
    "  --memory SIZE        for keys, values and activations (default 2GiB)\n"
    "  --isa NAME           auto, scalar, avx2, avx512, amx, neon, neon-dot: same bits\n"
    "  --threads N          default: all\n"
    "  --json               one JSON object on stdout\n"
    "\n"
    "Example: proctor model generate model.gguf --chat --prompt 'What is 2 + 2?' --max-tokens 32\n";

struct options {
    const char *model, *prompt, *file, *reuse;
    bool is_chat, is_json;
    int64_t max_tokens, memory, seed, top_k;
    struct sampler_spec sampler;
    struct engine_args engine;
    char **stops;
    uint32_t n_stops, cap_stops;
};

enum {
    O_HELP = 256,
    O_PROMPT,
    O_FILE,
    O_CHAT,
    O_MAX,
    O_TEMPERATURE,
    O_TOP_K,
    O_TOP_P,
    O_MIN_P,
    O_SEED,
    O_STOP,
    O_REUSE,
    O_MEMORY,
    O_JSON,
    O_ENGINE
};

static const struct option longs[] = {{"help", no_argument, NULL, O_HELP},
                                      {"prompt", required_argument, NULL, O_PROMPT},
                                      {"file", required_argument, NULL, O_FILE},
                                      {"chat", no_argument, NULL, O_CHAT},
                                      {"max-tokens", required_argument, NULL, O_MAX},
                                      {"temperature", required_argument, NULL, O_TEMPERATURE},
                                      {"top-k", required_argument, NULL, O_TOP_K},
                                      {"top-p", required_argument, NULL, O_TOP_P},
                                      {"min-p", required_argument, NULL, O_MIN_P},
                                      {"seed", required_argument, NULL, O_SEED},
                                      {"stop", required_argument, NULL, O_STOP},
                                      {"reuse", required_argument, NULL, O_REUSE},
                                      {"memory", required_argument, NULL, O_MEMORY},
                                      {"json", no_argument, NULL, O_JSON},
                                      {"kv", required_argument, NULL, O_ENGINE},
                                      {"isa", required_argument, NULL, O_ENGINE},
                                      {"threads", required_argument, NULL, O_ENGINE},
                                      {NULL, 0, NULL, 0}};

static int set_option(struct options *o, int which, const char *name, char *value,
                      struct px_err *err)
{
    switch (which) {
    case O_PROMPT:
        o->prompt = value;
        return 0;
    case O_FILE:
        o->file = value;
        return 0;
    case O_CHAT:
        o->is_chat = true;
        return 0;
    case O_JSON:
        o->is_json = true;
        return 0;
    case O_REUSE:
        o->reuse = value;
        return 0;
    case O_STOP:
        if (value[0] == '\0')
            return px_fail(err, PX_EUSAGE, "an empty text cannot stop anything");
        PX_GROW(o->stops, o->n_stops, o->cap_stops);
        o->stops[o->n_stops++] = value;
        return 0;
    case O_MAX:
        return px_parse_int(value, 1, 1 << 30, &o->max_tokens, err);
    case O_TEMPERATURE:
        return px_parse_double(value, 0, 1000, &o->sampler.temperature, err);
    case O_TOP_K:
        return px_parse_int(value, 0, INT32_MAX, &o->top_k, err);
    case O_TOP_P:
        return px_parse_double(value, 0, 1, &o->sampler.top_p, err);
    case O_MIN_P:
        return px_parse_double(value, 0, 1, &o->sampler.min_p, err);
    case O_SEED:
        return px_parse_int(value, 0, INT64_MAX, &o->seed, err);
    case O_MEMORY:
        return px_parse_size(value, &o->memory, err);
    default:
        return engine_args_set(&o->engine, name, value, err);
    }
}

/* 0: go on, 1: help was printed, -1: err is set. */
static int read_options(struct options *o, int argc, char **argv, struct px_err *err)
{
    int which, index = 0;
    *o = (struct options){.max_tokens = 256, .memory = (int64_t)2 << 30, .sampler.top_p = 1};
    engine_args_init(&o->engine, KV_F16);
    optind = 1;
    opterr = 0;
    while ((which = getopt_long(argc, argv, "h", longs, &index)) != -1) {
        if (which == O_HELP || which == 'h') {
            fputs(usage, stdout);
            return 1;
        }
        if (which == '?')
            return px_fail(err, PX_EUSAGE, "unknown option or missing value: %s", argv[optind - 1]);
        if (set_option(o, which, longs[index].name, optarg, err))
            return px_wrap(err, "--%s", longs[index].name);
    }
    if (argc - optind != 1)
        return px_fail(err, PX_EUSAGE, "one model file is expected, %d were given", argc - optind);
    if ((o->prompt != NULL) + (o->file != NULL) != 1)
        return px_fail(err, PX_EUSAGE, "exactly one of --prompt and --file is needed");
    o->model = argv[optind];
    o->sampler.top_k = (int32_t)o->top_k;
    o->sampler.seed = (uint64_t)o->seed;
    return sample_check(&o->sampler, err);
}

/* The user's message as the model's own template writes it. */
static int render_chat(const struct model *m, const struct tokenizer *tok, const char *message,
                       struct px_buf *out, struct px_err *err)
{
    const char *text;
    size_t len;
    enum chat_template t;
    if (gguf_get_str(m->gguf, "tokenizer.chat_template", &text, &len, err) ||
        chat_recognise(text, len, &t, err))
        return px_wrap(err, "--chat");
    char *bos = NULL;
    if (tokenizer_bos(tok) >= 0) {
        size_t n;
        const char *p = tokenizer_text(tok, (uint32_t)tokenizer_bos(tok), &n);
        bos = px_xstrndup(p, n);
    }
    struct chat_message msg = {.role = "user", .content = message};
    struct chat_options opt = {.add_generation_prompt = true, .enable_thinking = true, .bos = bos};
    int rc = chat_render(t, &msg, 1, &opt, out, err);
    free(bos);
    return rc;
}

/* A template that writes BOS itself gets no second one. */
static unsigned encode_flags(const struct tokenizer *tok, const char *text, size_t len)
{
    size_t n = 0;
    const char *bos =
        tokenizer_bos(tok) >= 0 ? tokenizer_text(tok, (uint32_t)tokenizer_bos(tok), &n) : NULL;
    bool has_bos = bos && n && len >= n && memcmp(text, bos, n) == 0;
    return has_bos ? TOK_PARSE_SPECIAL : TOK_PARSE_SPECIAL | TOK_ADD_SPECIAL;
}

static int make_prompt(const struct options *o, const struct model *m, const struct tokenizer *tok,
                       uint32_t **ids, size_t *n, struct px_err *err)
{
    PX_FREE char *from_file = NULL;
    const char *text = o->prompt;
    struct px_buf chat;
    size_t len = text ? strlen(text) : 0;
    int rc = -1;
    px_buf_init(&chat, UNIT_LIMIT);
    if (o->file && px_read_file(o->file, UNIT_LIMIT, &from_file, &len, err))
        return -1;
    if (o->file)
        text = from_file;
    if (o->is_chat) {
        if (render_chat(m, tok, text, &chat, err))
            goto done;
        text = (const char *)chat.data;
        len = chat.len;
    }
    rc = tokenizer_encode(tok, text, len, encode_flags(tok, text, len), ids, n, err);
done:
    px_buf_clear(&chat);
    return rc;
}

static void print_json(const struct completion *c)
{
    struct px_buf b;
    px_buf_init(&b, UNIT_LIMIT);
    px_buf_str(&b, "{\"text\": ");
    px_json_quote(&b, c->text, c->n_text);
    px_buf_str(&b, ", \"tokens\": [");
    for (uint32_t i = 0; i < c->n_tokens; i++)
        px_buf_printf(&b, "%s%u", i ? ", " : "", c->tokens[i]);
    px_buf_printf(&b,
                  "], \"finish\": \"%s\", \"prompt_tokens\": %u, \"decode_steps\": %u, "
                  "\"refresh_steps\": %u, \"reused_layer_steps\": %llu, \"prefill_s\": %.6f, "
                  "\"decode_s\": %.6f, \"isa\": \"%s\"}\n",
                  finish_name(c->finish), c->n_prompt, c->decode_steps, c->refresh_steps,
                  (unsigned long long)c->reused_layer_steps, c->prefill_s, c->decode_s, c->isa);
    fwrite(b.data, 1, b.len, stdout);
    px_buf_clear(&b);
}

static void print_text(const struct completion *c)
{
    fwrite(c->text, 1, c->n_text, stdout);
    putchar('\n');
    fflush(stdout);
    fprintf(stderr,
            "%s after %u tokens; prompt %u tokens in %.3f s (%.1f/s), decode %u steps in %.3f s "
            "(%.1f/s), %llu layer-steps reused, %s\n",
            finish_name(c->finish), c->n_tokens, c->n_prompt, c->prefill_s,
            c->prefill_s > 0 ? c->n_prompt / c->prefill_s : 0, c->decode_steps, c->decode_s,
            c->decode_s > 0 ? c->decode_steps / c->decode_s : 0,
            (unsigned long long)c->reused_layer_steps, c->isa);
}

static int run(const struct options *o, const struct model *m, const struct tokenizer *tok,
               const struct job *job, struct px_err *err)
{
    struct unit unit = {.problem = (char *)"prompt"};
    struct completion c = {0};
    uint64_t ticket;
    size_t n = 0;
    int rc = -1;
    struct engine_config cfg = {.isa = o->engine.isa,
                                .threads = o->engine.threads,
                                .kv = o->engine.kv,
                                .memory_budget = o->memory,
                                .max_rows = 1};
    struct engine *e = engine_new(m, tok, &cfg, err);
    if (e == NULL)
        return -1;
    if (make_prompt(o, m, tok, &unit.prompt, &n, err))
        goto done;
    unit.n_prompt = (uint32_t)n;
    if (engine_submit(e, job, &unit, 1, err))
        goto done;
    while (!engine_take(e, &ticket, &c))
        engine_step(e);
    if (o->is_json)
        print_json(&c);
    else
        print_text(&c);
    rc = 0;
    if (c.finish == FINISH_ERROR || c.finish == FINISH_TOO_LONG)
        rc = px_fail(err, PX_EINPUT, "%s",
                     c.finish == FINISH_ERROR ? c.error
                                              : "the prompt is longer than the model's context");
done:
    completion_clear(&c);
    free(unit.prompt);
    engine_free(&e);
    return rc;
}

static int generate(const struct options *o, struct px_err *err)
{
    struct model *m;
    struct tokenizer *tok;
    if (open_model(o->model, &m, &tok, err))
        return -1;
    size_t n_ids;
    const uint32_t *ids = tokenizer_stop_ids(tok, &n_ids);
    struct job job = {.kind = UNIT_GENERATE,
                      .sampler = o->sampler,
                      .max_tokens = (uint32_t)o->max_tokens,
                      .kv = o->engine.kv,
                      .stops = o->stops,
                      .n_stops = o->n_stops,
                      .n_stop_tokens = (uint32_t)n_ids};
    job.stop_tokens = (uint32_t *)(void *)px_xmemdup(ids, n_ids * sizeof *ids);
    int rc = o->reuse ? reuse_parse(o->reuse, m->cfg.n_layers, &job.reuse, err) : 0;
    if (rc == 0)
        rc = run(o, m, tok, &job, err);
    free(job.reuse.layers);
    free(job.stop_tokens);
    tokenizer_free(&tok);
    model_free(&m);
    return rc;
}

int generate_command(int argc, char **argv)
{
    struct options o;
    struct px_err err = {0};
    int rc = read_options(&o, argc, argv, &err);
    if (rc == 1)
        rc = 0;
    else if (rc < 0)
        rc = command_misused("generate", "%s", err.text);
    else if (generate(&o, &err))
        rc = command_failed("generate", &err);
    free(o.stops);
    return rc;
}
