/* cmd_export.c - `proctor export`: a run in the formats of other programs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/cli/cli.h"
#include "coordinator/cli/setup.h"
#include "coordinator/export/export.h"
#include "proto/file.h"
#include "proto/mem.h"

const char help_export[] =
    "Usage: proctor export [RUN] --format NAME -o DIR [options]\n"
    "\n"
    "A run's answers and scores as other programs have them. DIR is made, whole or not at all.\n"
    "\n"
    "  --format NAME   lm-eval      results_*.json and samples_*.jsonl per cell\n"
    "                  humaneval    samples and samples_results per code task\n"
    "                  evalplus     samples and eval_results.json per code task\n"
    "                  bigcode      generations.json and evaluation_results.json per code task\n"
    "                  inspect      one .eval log per cell and task\n"
    "                  csv, md, json  the report\n"
    "                  preference   pairs of a right and a wrong answer, JSON lines\n"
    "  -o, --output DIR     must not exist, or be empty\n"
    "  --task NAME          of this task only\n"
    "  --cell NAME          of this cell only\n"
    "  --allow-incomplete   a run that is not finished is written and marked (INCOMPLETE.txt)\n"
    "  --data DIR           where data sets are, to render the prompts again\n"
    "\n"
    "Prompts are not stored. They are rendered again from recipe, tasks and data, each is "
    "compared\n"
    "with its receipt, and those that cannot be had or do not agree are null.\n"
    "\n"
    "Example: proctor export runs/quickstart --format lm-eval -o quickstart-lm-eval\n";

static bool wants_prompts(enum export_format f)
{
    return f != EXPORT_CSV && f != EXPORT_MARKDOWN && f != EXPORT_JSON;
}

static int tell(const struct export_options *o, const struct export_counts *n, const char *format)
{
    if (wants_prompts(o->format))
        fprintf(stderr, "%s: %llu %s of %llu groups as %s\n", o->dir,
                (unsigned long long)n->answers,
                o->format == EXPORT_PREFERENCE ? "pairs" : "answers", (unsigned long long)n->groups,
                format);
    else
        fprintf(stderr, "%s: the report of %llu groups as %s\n", o->dir,
                (unsigned long long)n->groups, format);
    if (n->left_out)
        fprintf(stderr, "%llu groups are left out: %s has no place for them\n",
                (unsigned long long)n->left_out, format);
    if (n->unlike)
        fprintf(stderr,
                "%llu prompts are left out: the task, its data or the model is not what it was\n",
                (unsigned long long)n->unlike);
    if (n->incomplete)
        fprintf(stderr, "%llu groups are not the whole task, or not finished: INCOMPLETE.txt\n",
                (unsigned long long)n->incomplete);
    return 0;
}

static struct store *open_store(const char *run, struct px_err *err)
{
    struct store_options opt = {.mode = STORE_READ, .allow_network_fs = true};
    PX_FREE char *dir = px_path_join(run, "store");
    return store_open(dir, &opt, err);
}

/* The plan of the run's own recipe; without it prompts are left out. */
static bool load_plan(const char *run, const char *data_dir, struct setup *s)
{
    struct setup_options so;
    struct px_err err;
    PX_FREE char *recipe = px_path_join(run, "recipe.yaml");
    setup_defaults(&so);
    so.data_dir = data_dir;
    so.allow_noop = true; /* what the run accepted is not asked again */
    if (setup_load(recipe, &so, s, &err) == 0)
        return true;
    fprintf(stderr, "prompts are left out: %s\n", err.text);
    return false;
}

static int export(const char *run, struct export_options *o, const char *data_dir,
                  const char *format, struct px_err *err)
{
    struct setup s = {0};
    struct export_counts counts;
    struct store *store = open_store(run, err);
    if (!store)
        return -1;
    if (wants_prompts(o->format) && load_plan(run, data_dir, &s))
        o->plan = s.plan;
    int rc = export_run(store, o, &counts, err);
    store_close(&store);
    if (o->plan)
        setup_clear(&s);
    return rc == 0 ? tell(o, &counts, format) : -1;
}

int cmd_export(int argc, char **argv)
{
    struct export_options o = {0};
    const char *format = NULL, *data_dir = NULL;
    const char *args[1] = {NULL};
    uint32_t n_args;
    bool help;
    struct px_err err;
    const struct cli_option options[] = {{.name = "format", .text = &format},
                                         {.name = "output", .text = &o.dir},
                                         {.name = "task", .text = &o.task},
                                         {.name = "cell", .text = &o.cell},
                                         {.name = "data", .text = &data_dir},
                                         {.name = "allow-incomplete", .flag = &o.allow_incomplete}};
    for (int i = 1; i < argc; i++) /* the one short option */
        if (strcmp(argv[i], "-o") == 0)
            argv[i] = px_xstrdup("--output");
    if (cli_parse(argc, argv, options, sizeof options / sizeof *options, args, 1, &n_args, &help,
                  &err) != 0)
        return cli_usage("export", &err);
    if (help)
        return cli_help(help_export);
    if (!format || !o.dir) {
        px_fail(&err, PX_EUSAGE, "--%s is missing", format ? "output" : "format");
        return cli_usage("export", &err);
    }
    if (!export_format_parse(format, &o.format)) {
        px_fail(&err, PX_EUSAGE, "--format: '%s' is none of %s", format, export_formats);
        return cli_usage("export", &err);
    }
    PX_FREE char *run = cli_find_run(args[0], &err);
    if (run && export(run, &o, data_dir, format, &err) == 0)
        return 0;
    return cli_fail("export", &err);
}
