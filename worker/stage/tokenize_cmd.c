/* tokenize_cmd.c - proctor model tokenize: texts to token ids. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/file.h"
#include "proto/json.h"
#include "proto/mem.h"
#include "proto/model/tokenizer.h"
#include "worker/stage/engine_args.h"
#include "worker/stage/model_cmd.h"

static const char usage[] =
    "Usage: proctor model tokenize FILE TEXT... [options]\n"
    "\n"
    "Prints the token ids of each text, one token a line with what it stands for. A file with\n"
    "a vocabulary alone will do.\n"
    "\n"
    "  --file PATH        the text is the contents of a file\n"
    "  --special          add the tokens that the model adds (BOS, EOS)\n"
    "  --parse-special    special tokens in the text, such as <|im_end|>, are recognised\n"
    "  --json             one JSON object per text: {\"text\", \"ids\", \"pieces\"}\n"
    "\n"
    "Example: proctor model tokenize model.gguf --special 'Hello, world!'\n";

enum { O_HELP = 256, O_FILE, O_SPECIAL, O_PARSE, O_JSON, MAX_TEXT = 64 << 20 };
static const struct option longs[] = {
    {"help", no_argument, NULL, O_HELP},       {"file", required_argument, NULL, O_FILE},
    {"special", no_argument, NULL, O_SPECIAL}, {"parse-special", no_argument, NULL, O_PARSE},
    {"json", no_argument, NULL, O_JSON},       {NULL, 0, NULL, 0}};

struct options {
    const char *file;
    unsigned flags;
    bool is_json;
};

static void put_pieces(struct px_buf *b, const struct tokenizer *t, const uint32_t *ids, size_t n,
                       bool is_json)
{
    struct px_buf piece;
    px_buf_init(&piece, 1 << 17);
    for (size_t i = 0; i < n; i++) {
        px_buf_reset(&piece);
        if (tokenizer_is_control(t, ids[i]))
            tokenizer_decode(t, &ids[i], 1, true, &piece);
        else
            tokenizer_piece(t, ids[i], &piece);
        if (is_json)
            px_buf_str(b, i ? ", " : "");
        else
            px_buf_printf(b, "%u\t", ids[i]);
        px_json_quote(b, piece.len ? (const char *)piece.data : "", piece.len);
        if (!is_json)
            px_buf_char(b, '\n');
    }
    px_buf_clear(&piece);
}

static int tokenize(const struct options *o, const struct tokenizer *t, const char *text,
                    size_t len, struct px_err *err)
{
    uint32_t *ids;
    size_t n;
    struct px_buf b;
    if (tokenizer_encode(t, text, len, o->flags, &ids, &n, err) != 0)
        return -1;
    px_buf_init(&b, SIZE_MAX);
    if (o->is_json) {
        px_buf_str(&b, "{\"text\": ");
        px_json_quote(&b, text, len);
        px_buf_str(&b, ", \"ids\": [");
        for (size_t i = 0; i < n; i++)
            px_buf_printf(&b, "%s%u", i ? ", " : "", ids[i]);
        px_buf_str(&b, "], \"pieces\": [");
    }
    put_pieces(&b, t, ids, n, o->is_json);
    px_buf_str(&b, o->is_json ? "]}\n" : "");
    if (b.len)
        fwrite(b.data, 1, b.len, stdout);
    px_buf_clear(&b);
    free(ids);
    return 0;
}

static int run(const struct options *o, const char *path, char **texts, int n, struct px_err *err)
{
    struct gguf *g = gguf_open(path, err);
    struct tokenizer *t = g ? tokenizer_new(g, err) : NULL;
    int rc = t ? 0 : -1;
    if (rc == 0 && o->file) {
        char *text;
        size_t len;
        rc = px_read_file(o->file, MAX_TEXT, &text, &len, err);
        if (rc == 0) {
            rc = tokenize(o, t, text, len, err);
            free(text);
        }
    }
    for (int i = 0; i < n && rc == 0; i++)
        rc = tokenize(o, t, texts[i], strlen(texts[i]), err);
    tokenizer_free(&t);
    gguf_free(&g);
    return rc;
}

int tokenize_command(int argc, char **argv)
{
    struct options o = {0};
    struct px_err err = {0};
    int which;
    optind = 1;
    opterr = 0;
    while ((which = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        if (which == 'h' || which == O_HELP) {
            fputs(usage, stdout);
            return 0;
        }
        if (which == '?')
            return command_misused("tokenize", "unknown option or missing value: %s",
                                   argv[optind - 1]);
        if (which == O_FILE)
            o.file = optarg;
        o.flags |= which == O_SPECIAL ? TOK_ADD_SPECIAL : which == O_PARSE ? TOK_PARSE_SPECIAL : 0;
        o.is_json = o.is_json || which == O_JSON;
    }
    if (argc - optind < (o.file ? 1 : 2))
        return command_misused("tokenize", "a model file and a text (or --file) are expected");
    if (run(&o, argv[optind], argv + optind + 1, argc - optind - 1, &err) != 0)
        return command_failed("tokenize", &err);
    return 0;
}
