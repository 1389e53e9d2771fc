/* check_cmd.c - proctor model check. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "proto/mem.h"
#include "proto/model/imported.h"
#include "worker/stage/check.h"
#include "worker/stage/engine_args.h"
#include "worker/stage/model_cmd.h"

static const char usage[] =
    "Usage: proctor model check FILE [options]\n"
    "\n"
    "Reads the whole file and runs twelve stages: the container, tokenizer, embedding,\n"
    "positions, projections, attention, feed forward, norms, head, logits, sampler, and the\n"
    "data (NaN, infinite and all-zero tensors). Exit 0 when all pass, 1 when one fails.\n"
    "\n"
    "  --json         one JSON object on stdout\n"
    "  --isa NAME     auto, scalar, avx2, avx512, amx, neon, neon-dot: same bits\n"
    "  --threads N    default: all\n"
    "\n"
    "Example: proctor model check recipes/models/tiny.gguf\n";

enum { O_HELP = 256, O_JSON, O_ENGINE };
static const struct option longs[] = {{"help", no_argument, NULL, O_HELP},
                                      {"json", no_argument, NULL, O_JSON},
                                      {"isa", required_argument, NULL, O_ENGINE},
                                      {"threads", required_argument, NULL, O_ENGINE},
                                      {NULL, 0, NULL, 0}};

static void print_text(const struct check_report *r, const char *path)
{
    static const char *const words[] = {"skipped", "ok", "FAILED"};
    printf("%s: %s, %llu bytes\n", path, r->architecture[0] ? r->architecture : "not readable",
           (unsigned long long)r->bytes);
    for (unsigned i = 0; i < CHECK_STAGES; i++)
        printf("%3u %-13s %-8s %s\n", i, r->stages[i].name, words[r->stages[i].status],
               r->stages[i].details);
    printf("%u of %d stages passed\n", r->passed, CHECK_STAGES);
}

static int print_json(const struct check_report *r, const char *path, struct px_err *err)
{
    struct px_digest digest;
    struct px_buf b;
    if (gguf_file_digest(path, &digest, err) != 0)
        return -1;
    px_buf_init(&b, 1 << 20);
    check_json(r, path, &digest, &b);
    px_buf_char(&b, '\n');
    fwrite(b.data, 1, b.len, stdout);
    px_buf_clear(&b);
    return 0;
}

int check_command(int argc, char **argv)
{
    struct engine_args engine;
    struct check_report report;
    struct px_err err = {0};
    bool is_json = false;
    int which, index = 0;
    engine_args_init(&engine, KV_F32);
    optind = 1;
    opterr = 0;
    while ((which = getopt_long(argc, argv, "h", longs, &index)) != -1) {
        if (which == 'h' || which == O_HELP) {
            fputs(usage, stdout);
            return 0;
        }
        if (which == '?')
            return command_misused("check", "unknown option or missing value: %s",
                                   argv[optind - 1]);
        is_json = is_json || which == O_JSON;
        if (which == O_ENGINE && engine_args_set(&engine, longs[index].name, optarg, &err) != 0)
            return command_misused("check", "%s", err.text);
    }
    if (argc - optind != 1)
        return command_misused("check", "one model file is expected, %d were given", argc - optind);
    const char *path = argv[optind];
    struct check_options opt = {.isa = engine.isa, .threads = engine.threads};
    if (check_file(path, &opt, &report, &err) != 0)
        return command_failed("check", &err);
    if (!is_json)
        print_text(&report, path);
    else if (print_json(&report, path, &err) != 0)
        return command_failed("check", &err);
    return report.passed == CHECK_STAGES ? 0 : 1;
}
