/* import_cmd.c - proctor model import. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/json.h"
#include "proto/number.h"
#include "worker/stage/engine_args.h"
#include "worker/stage/import_file.h"
#include "worker/stage/model_cmd.h"

static const char usage[] =
    "Usage: proctor model import FILE [options]\n"
    "\n"
    "Writes the model in the layout that the engine reads best, under the SHA-256 of FILE, to\n"
    "the directory of imported models: $PROCTOR_MODELS, else $PROCTOR_CACHE/models, else\n"
    "$XDG_CACHE_HOME/proctor/models, else ~/.cache/proctor/models. Workers of this host use it\n"
    "from then on for every run of the same model; results are the same, bit for bit.\n"
    "\n"
    "  --to DIR       another directory; workers look there when PROCTOR_MODELS names it\n"
    "  --threads N    default: all\n"
    "  --json         one JSON object on stdout: path, bytes, seconds, was_there\n"
    "\n"
    "Example: proctor model import model.gguf\n";

enum { O_HELP = 256, O_JSON, O_TO, O_THREADS };
static const struct option longs[] = {{"help", no_argument, NULL, O_HELP},
                                      {"json", no_argument, NULL, O_JSON},
                                      {"to", required_argument, NULL, O_TO},
                                      {"threads", required_argument, NULL, O_THREADS},
                                      {NULL, 0, NULL, 0}};

static void print_json(const struct imported_file *f)
{
    struct px_buf b;
    px_buf_init(&b, 1 << 16);
    px_buf_str(&b, "{\"path\": ");
    px_json_quote(&b, f->path, strlen(f->path));
    px_buf_printf(&b, ", \"bytes\": %llu, \"seconds\": %.3f, \"was_there\": %s}\n",
                  (unsigned long long)f->bytes, f->seconds, f->was_there ? "true" : "false");
    fwrite(b.data, 1, b.len, stdout);
    px_buf_clear(&b);
}

static void print_text(const struct imported_file *f)
{
    printf("%s\n%llu bytes, %s", f->path, (unsigned long long)f->bytes,
           f->was_there ? "was there already\n" : "written in ");
    if (!f->was_there)
        printf("%.1f s\n", f->seconds);
}

int import_command(int argc, char **argv)
{
    struct engine_args engine;
    struct import_options opt = {0};
    struct imported_file f;
    struct px_err err = {0};
    bool is_json = false;
    int which;
    engine_args_init(&engine, KV_F16);
    optind = 1;
    opterr = 0;
    while ((which = getopt_long(argc, argv, "h", longs, NULL)) != -1) {
        if (which == 'h' || which == O_HELP) {
            fputs(usage, stdout);
            return 0;
        }
        if (which == '?')
            return command_misused("import", "unknown option or missing value: %s",
                                   argv[optind - 1]);
        is_json = is_json || which == O_JSON;
        if (which == O_TO)
            opt.dir = optarg;
        if (which == O_THREADS && engine_args_set(&engine, "threads", optarg, &err) != 0)
            return command_misused("import", "%s", err.text);
    }
    if (argc - optind != 1)
        return command_misused("import", "one model file is expected, %d were given",
                               argc - optind);
    opt.threads = engine.threads;
    if (import_file(argv[optind], &opt, &f, &err) != 0)
        return command_failed("import", &err);
    if (is_json)
        print_json(&f);
    else
        print_text(&f);
    free(f.path);
    return 0;
}
