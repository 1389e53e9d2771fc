/* inspect_cmd.c - proctor model inspect: what a GGUF file says about itself.
 *
 * A file that this build cannot run is shown as far as it can be read, with the reason. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/mem.h"
#include "proto/model/chat.h"
#include "proto/model/config.h"
#include "proto/model/imported.h"
#include "proto/model/tokenizer.h"
#include "proto/number.h"
#include "worker/stage/engine_args.h"
#include "worker/stage/model_cmd.h"

static const char usage[] =
    "Usage: proctor model inspect FILE [--json]\n"
    "\n"
    "Shows the metadata, the shape, the tensors with types and bytes, the memory that weights\n"
    "and keys and values take, the tokenizer, the stop tokens and the chat template. Reads no\n"
    "weights. A file that cannot be run is shown with the reason.\n"
    "\n"
    "  --json    one JSON object on stdout\n"
    "\n"
    "Example: proctor model inspect model.gguf\n";

enum { O_HELP = 256, O_JSON, TYPE_MAX = 64 };

/* What was found out; the texts are reasons where something could not be. */
struct findings {
    struct gguf *gguf;
    struct model_config config;
    bool has_config, has_chat;
    struct tokenizer *tokenizer;
    enum chat_template chat;
    char config_problem[600], tokenizer_problem[600], chat_problem[600];
    uint64_t type_bytes[TYPE_MAX], total_bytes;
    uint32_t type_count[TYPE_MAX];
};

static int look(const char *path, struct findings *f, struct px_err *err)
{
    struct px_err why = {0};
    const char *text;
    size_t len;
    memset(f, 0, sizeof *f);
    f->gguf = gguf_open(path, err);
    if (!f->gguf)
        return -1;
    f->has_config = model_config_read(f->gguf, &f->config, &why) == 0;
    snprintf(f->config_problem, sizeof f->config_problem, "%.590s", why.text);
    f->tokenizer = tokenizer_new(f->gguf, &why);
    snprintf(f->tokenizer_problem, sizeof f->tokenizer_problem, "%.590s", why.text);
    if (!gguf_has(f->gguf, "tokenizer.chat_template"))
        snprintf(f->chat_problem, sizeof f->chat_problem, "none in the file");
    else if (gguf_get_str(f->gguf, "tokenizer.chat_template", &text, &len, &why) == 0 &&
             chat_recognise(text, len, &f->chat, &why) == 0)
        f->has_chat = true;
    else
        snprintf(f->chat_problem, sizeof f->chat_problem, "%.590s", why.text);
    for (uint32_t i = 0; i < gguf_n_tensors(f->gguf); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(f->gguf, i);
        px_assert((unsigned)t->type < TYPE_MAX);
        f->type_bytes[t->type] += t->bytes;
        f->type_count[t->type]++;
        f->total_bytes += t->bytes;
    }
    return 0;
}

static void shape_text(const struct gguf_tensor *t, char out[96])
{
    int o = 0;
    for (uint32_t d = 0; d < t->n_dims && o < 80; d++)
        o += snprintf(out + o, 96 - (size_t)o, "%s%llu", d ? " x " : "",
                      (unsigned long long)t->dims[d]);
}

static const char *scaling_name(const struct model_config *c)
{
    static const char *const names[] = {
        [ROPE_LINEAR] = "linear", [ROPE_YARN] = "yarn", [ROPE_LLAMA3] = "llama3"};
    return names[c->rope_scaling];
}

static uint32_t windowed_layers(const struct model_config *c)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < c->n_layers; i++)
        n += model_window(c, i) != MODEL_WINDOW_NONE;
    return n;
}

/* ---- for people ---- */

static void print_size(const char *label, uint64_t bytes)
{
    char text[32];
    px_format_size(bytes > INT64_MAX ? INT64_MAX : (int64_t)bytes, text);
    printf("  %-34s %14llu  %s\n", label, (unsigned long long)bytes, text);
}

static void print_config(const struct findings *f)
{
    const struct model_config *c = &f->config;
    if (!f->has_config) {
        printf("\nnot a model that can be run: %s\n", f->config_problem);
        return;
    }
    printf("\nshape\n"
           "  %s, %u layers of width %u, feed forward %u, vocabulary %u, made for %u positions\n"
           "  %u query heads and %u key-value heads of %u dimensions; rope over %u, theta %g, "
           "%s scale %g\n"
           "  %s embeddings%s%s, norm epsilon %g\n",
           c->arch_name, c->n_layers, c->n_embd, c->n_ff, c->n_vocab, c->context_length, c->n_heads,
           c->n_kv_heads, c->head_dim, c->rope_dims, c->rope_theta, scaling_name(c), c->rope_scale,
           c->tied_embeddings ? "tied" : "separate output",
           c->qkv_bias ? ", biases of q, k, v" : "", c->qk_norm ? ", norms of q and k" : "",
           c->rms_eps);
    if (windowed_layers(c))
        printf("  %u layers see the last %u positions\n", windowed_layers(c), c->window);
    printf("\nmemory\n");
    print_size("weights (mapped, shared by workers)", f->total_bytes);
    for (enum kv_type t = KV_F32; t <= KV_Q8_0; t++) {
        char label[64];
        if (model_kv_check(c, t, NULL) != 0)
            continue;
        uint64_t token = model_kv_bytes_per_token(c, t);
        snprintf(label, sizeof label, "keys and values of a token, %s", kv_type_name(t));
        print_size(label, token);
        snprintf(label, sizeof label, "a whole context, %s", kv_type_name(t));
        print_size(label, token * c->context_length);
    }
}

static void print_tokenizer(const struct findings *f)
{
    const struct tokenizer *t = f->tokenizer;
    size_t n, len;
    printf("\ntokenizer\n");
    if (!t) {
        printf("  %s\n", f->tokenizer_problem);
        return;
    }
    const uint32_t *stops = tokenizer_stop_ids(t, &n);
    printf("  %s, %u entries; BOS %d%s, EOS %d%s; stop tokens", tokenizer_family(t),
           tokenizer_n_vocab(t), tokenizer_bos(t), tokenizer_adds_bos(t) ? " (added)" : "",
           tokenizer_eos(t), tokenizer_adds_eos(t) ? " (added)" : "");
    for (size_t i = 0; i < n; i++) {
        const char *s = tokenizer_text(t, stops[i], &len);
        printf(" %u %.*s", stops[i], (int)len, s);
    }
    printf("%s\n", n ? "" : " none");
}

static void print_source(const struct gguf *g)
{
    char hex[PX_HEX_SIZE];
    if (gguf_source(g) == NULL)
        return;
    px_digest_hex(&gguf_source(g)->digest, hex);
    printf("  imported from a file of %llu bytes, SHA-256 %s\n\n",
           (unsigned long long)gguf_source(g)->bytes, hex);
}

static void print_text(const struct findings *f)
{
    char key[256], value[512], shape[96];
    printf("%s: GGUF version %u, %llu bytes\n\nmetadata\n", gguf_path(f->gguf),
           gguf_version(f->gguf), (unsigned long long)gguf_file_size(f->gguf));
    print_source(f->gguf);
    for (uint32_t i = 0; i < gguf_n_keys(f->gguf); i++) {
        gguf_key_text(f->gguf, i, key, sizeof key, value, sizeof value);
        printf("  %-44s %s\n", key, value);
    }
    printf("\ntensors\n");
    for (uint32_t i = 0; i < gguf_n_tensors(f->gguf); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(f->gguf, i);
        shape_text(t, shape);
        printf("  %-34s %14llu  %-7s %s%s\n", t->name, (unsigned long long)t->bytes,
               ggml_type_info(t->type)->name, shape, t->in_panels ? ", in panels" : "");
    }
    printf("\ntypes\n");
    for (uint32_t i = 0; i < TYPE_MAX; i++)
        if (f->type_count[i])
            printf("  %-8s %6u tensors %18llu bytes\n", ggml_type_info(i)->name, f->type_count[i],
                   (unsigned long long)f->type_bytes[i]);
    print_config(f);
    print_tokenizer(f);
    printf("\nchat template\n  %s\n", f->has_chat ? chat_template_name(f->chat) : f->chat_problem);
}

/* ---- for programs ---- */

static void put_text(struct px_buf *b, const char *key, const char *s)
{
    px_buf_printf(b, ", \"%s\": ", key);
    px_json_quote(b, s, strlen(s));
}

static void put_config(struct px_buf *b, const struct findings *f)
{
    const struct model_config *c = &f->config;
    if (!f->has_config) {
        put_text(b, "problem", f->config_problem);
        return;
    }
    px_buf_printf(b,
                  ", \"config\": {\"architecture\": \"%s\", \"layers\": %u, \"width\": %u, "
                  "\"feed_forward\": %u, \"heads\": %u, \"kv_heads\": %u, \"head_dim\": %u, "
                  "\"rope_dims\": %u, \"rope_theta\": ",
                  c->arch_name, c->n_layers, c->n_embd, c->n_ff, c->n_heads, c->n_kv_heads,
                  c->head_dim, c->rope_dims);
    px_json_number(b, c->rope_theta);
    px_buf_str(b, ", \"rope_scale\": ");
    px_json_number(b, c->rope_scale);
    px_buf_printf(b, ", \"rope_scaling\": \"%s\", \"window\": %u, \"windowed_layers\": %u",
                  scaling_name(c), c->window, windowed_layers(c));
    px_buf_str(b, ", \"rms_eps\": ");
    px_json_number(b, c->rms_eps);
    px_buf_printf(b,
                  ", \"context\": %u, \"vocabulary\": %u, \"tied\": %s, \"qkv_bias\": %s, "
                  "\"qk_norm\": %s}",
                  c->context_length, c->n_vocab, c->tied_embeddings ? "true" : "false",
                  c->qkv_bias ? "true" : "false", c->qk_norm ? "true" : "false");
    px_buf_printf(b, ", \"memory\": {\"weights\": %llu", (unsigned long long)f->total_bytes);
    for (enum kv_type t = KV_F32; t <= KV_Q8_0; t++)
        if (model_kv_check(c, t, NULL) == 0)
            px_buf_printf(b, ", \"kv_token_%s\": %llu", kv_type_name(t),
                          (unsigned long long)model_kv_bytes_per_token(c, t));
    px_buf_str(b, "}");
}

static void put_tokenizer(struct px_buf *b, const struct findings *f)
{
    const struct tokenizer *t = f->tokenizer;
    size_t n;
    if (!t) {
        put_text(b, "tokenizer_problem", f->tokenizer_problem);
        return;
    }
    const uint32_t *stops = tokenizer_stop_ids(t, &n);
    px_buf_str(b, ", \"tokenizer\": {\"family\": ");
    px_json_quote(b, tokenizer_family(t), strlen(tokenizer_family(t)));
    px_buf_printf(b,
                  ", \"entries\": %u, \"bos\": %d, \"eos\": %d, \"adds_bos\": %s, \"adds_eos\": "
                  "%s, \"stop\": [",
                  tokenizer_n_vocab(t), tokenizer_bos(t), tokenizer_eos(t),
                  tokenizer_adds_bos(t) ? "true" : "false",
                  tokenizer_adds_eos(t) ? "true" : "false");
    for (size_t i = 0; i < n; i++)
        px_buf_printf(b, "%s%u", i ? ", " : "", stops[i]);
    px_buf_str(b, "]}");
}

static void put_tensors(struct px_buf *b, const struct findings *f)
{
    px_buf_str(b, ", \"tensors\": [");
    for (uint32_t i = 0; i < gguf_n_tensors(f->gguf); i++) {
        const struct gguf_tensor *t = gguf_tensor_at(f->gguf, i);
        px_buf_str(b, i ? ", {\"name\": " : "{\"name\": ");
        px_json_quote(b, t->name, strlen(t->name));
        px_buf_printf(b, ", \"type\": \"%s\", \"bytes\": %llu, \"offset\": %llu, \"shape\": [",
                      ggml_type_info(t->type)->name, (unsigned long long)t->bytes,
                      (unsigned long long)t->offset);
        for (uint32_t d = 0; d < t->n_dims; d++)
            px_buf_printf(b, "%s%llu", d ? ", " : "", (unsigned long long)t->dims[d]);
        px_buf_printf(b, "], \"layout\": \"%s\"}", t->in_panels ? "panels" : "rows");
    }
    px_buf_str(b, "]");
}

static void put_source(struct px_buf *b, const struct gguf *g)
{
    char hex[PX_HEX_SIZE];
    if (gguf_source(g) == NULL)
        return;
    px_digest_hex(&gguf_source(g)->digest, hex);
    px_buf_printf(b, ", \"source\": {\"digest\": \"%s\", \"bytes\": %llu}", hex,
                  (unsigned long long)gguf_source(g)->bytes);
}

static void print_json(const struct findings *f)
{
    char key[256], value[512];
    struct px_buf b;
    px_buf_init(&b, SIZE_MAX);
    px_buf_str(&b, "{\"file\": ");
    px_json_quote(&b, gguf_path(f->gguf), strlen(gguf_path(f->gguf)));
    px_buf_printf(&b, ", \"version\": %u, \"bytes\": %llu, \"metadata\": {", gguf_version(f->gguf),
                  (unsigned long long)gguf_file_size(f->gguf));
    for (uint32_t i = 0; i < gguf_n_keys(f->gguf); i++) {
        gguf_key_text(f->gguf, i, key, sizeof key, value, sizeof value);
        px_buf_str(&b, i ? ", " : "");
        px_json_quote(&b, key, strlen(key));
        px_buf_str(&b, ": ");
        px_json_quote(&b, value, strlen(value));
    }
    px_buf_char(&b, '}');
    put_source(&b, f->gguf);
    put_config(&b, f);
    put_tokenizer(&b, f);
    put_text(&b, f->has_chat ? "chat_template" : "chat_problem",
             f->has_chat ? chat_template_name(f->chat) : f->chat_problem);
    put_tensors(&b, f);
    px_buf_str(&b, "}\n");
    fwrite(b.data, 1, b.len, stdout);
    px_buf_clear(&b);
}

int inspect_command(int argc, char **argv)
{
    static const struct option longs[] = {
        {"help", no_argument, NULL, O_HELP}, {"json", no_argument, NULL, O_JSON}, {0}};
    struct findings f;
    struct px_err err = {0};
    bool is_json = false;
    int which;
    optind = 1;
    opterr = 0;
    while ((which = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        if (which == 'h' || which == O_HELP) {
            fputs(usage, stdout);
            return 0;
        }
        if (which == '?')
            return command_misused("inspect", "unknown option: %s", argv[optind - 1]);
        is_json = is_json || which == O_JSON;
    }
    if (argc - optind != 1)
        return command_misused("inspect", "one model file is expected, %d were given",
                               argc - optind);
    if (look(argv[optind], &f, &err) != 0)
        return command_failed("inspect", &err);
    if (is_json)
        print_json(&f);
    else
        print_text(&f);
    tokenizer_free(&f.tokenizer);
    gguf_free(&f.gguf);
    return 0;
}
