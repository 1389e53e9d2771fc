/* cmd_compare.c - `proctor compare`: cells and runs against each other, problem by problem. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "coordinator/cli/cli.h"
#include "coordinator/report/oracle.h"
#include "coordinator/report/stability.h"
#include "coordinator/report/versus.h"
#include "proto/file.h"
#include "proto/mem.h"

const char help_compare[] =
    "Usage: proctor compare [RUN]                     all pairs of a run's cells, per task\n"
    "       proctor compare RUN CELL CELL             two cells of a run\n"
    "       proctor compare RUN[:CELL] RUN[:CELL]     two runs; without cells those of one name\n"
    "       proctor compare --oracle RUN...           what the cells of one model know together\n"
    "       proctor compare --stability RUN RUN...    the same cells run again: what came out "
    "equal\n"
    "\n"
    "The second is held against the first, problem by problem: difference with a 95 % interval, "
    "the\n"
    "exact McNemar test for values of 0 and 1 (else a paired bootstrap of 10,000 replicates), p\n"
    "adjusted by Holm over all that is shown, problems gained and lost, and the smallest "
    "difference\n"
    "that so many problems could have shown. Versions of a task with different problems are "
    "refused;\n"
    "problems that are not done on both sides are left out and counted.\n"
    "A CELL is its name, or settings that no other cell has: k=2,subset=last.\n"
    "\n"
    "  --task NAME    this task only\n"
    "  --metric NAME  instead of the headline\n"
    "  --items        list the problems that were gained and lost\n"
    "  --json         for programs (docs/results.md)\n"
    "\n"
    "Example: proctor compare runs/quickstart k=1 k=3,subset=last --items\n";

enum { MOST_RUNS = 64 };

struct compare_options {
    const char *task, *metric;
    bool items, json, oracle, stability;
};

/* The runs that were opened; each directory once, since a store opens once in a process. */
struct runs {
    char *path[MOST_RUNS]; /* resolved */
    struct run_stats *run[MOST_RUNS];
    uint32_t n;
};

static struct run_stats *read_run(const char *dir, struct px_err *err)
{
    struct store_options opt = {.mode = STORE_READ, .allow_network_fs = true};
    PX_FREE char *path = px_path_join(dir, "store");
    struct store *s = store_open(path, &opt, err);
    struct run_stats *r = s ? collect_run(s, err) : NULL;
    store_close(&s);
    return r;
}

/* The run of a directory or a name below ./runs. NULL with err. */
static struct run_stats *open_run(struct runs *runs, const char *name, struct px_err *err)
{
    PX_FREE char *dir = cli_find_run(name, err);
    if (!dir)
        return NULL;
    char *path = realpath(dir, NULL);
    if (!path)
        path = px_xstrdup(dir);
    for (uint32_t i = 0; i < runs->n; i++) {
        if (strcmp(runs->path[i], path) == 0) {
            free(path);
            return runs->run[i];
        }
    }
    struct run_stats *r = runs->n < MOST_RUNS ? read_run(dir, err) : NULL;
    if (runs->n == MOST_RUNS)
        px_fail(err, PX_EUSAGE, "at most %d runs", MOST_RUNS);
    if (!r) {
        free(path);
        return NULL;
    }
    runs->path[runs->n] = path;
    runs->run[runs->n++] = r;
    return r;
}

static void close_runs(struct runs *runs)
{
    for (uint32_t i = 0; i < runs->n; i++) {
        free(runs->path[i]);
        run_stats_free(&runs->run[i]);
    }
}

/* RUN or RUN:CELL; a colon may also be part of the run's name. arg is cut at the colon. */
static int open_side(struct runs *runs, char *arg, struct versus_side *out, struct px_err *err)
{
    struct px_err ignored;
    PX_FREE char *whole = arg ? cli_find_run(arg, &ignored) : NULL;
    out->cell = NULL;
    for (char *colon = arg ? strchr(arg, ':') : NULL; colon && !whole;
         colon = strchr(colon + 1, ':')) {
        *colon = '\0';
        PX_FREE char *dir = cli_find_run(arg, &ignored);
        if (dir) {
            out->cell = colon + 1;
            break;
        }
        *colon = ':';
    }
    out->run = open_run(runs, arg, err);
    if (!out->run)
        return -1;
    out->name = arg ? arg : out->run->manifest->recipe;
    return 0;
}

static int find_sides(struct runs *runs, char **args, uint32_t n, struct versus_side side[2],
                      struct px_err *err)
{
    if (open_side(runs, n ? args[0] : NULL, &side[0], err) != 0)
        return -1;
    side[1] = side[0];
    if (n == 2)
        return open_side(runs, args[1], &side[1], err);
    if (n == 3) {
        side[0].cell = args[1];
        side[1].cell = args[2];
    }
    return 0;
}

static int compare_cells(struct runs *runs, const struct compare_options *o, char **args,
                         uint32_t n, struct px_buf *out, struct px_err *err)
{
    struct versus_side side[2];
    struct versus v;
    if (n > 3)
        return px_fail(err, PX_EUSAGE, "too many arguments: RUN CELL CELL, or two runs");
    if (find_sides(runs, args, n, side, err) != 0 ||
        versus_make(&side[0], &side[1], o->task, o->metric, &v, err) != 0)
        return -1;
    if (o->json)
        versus_json(&v, o->items, out);
    else
        versus_text(&v, o->items, out);
    versus_clear(&v);
    return 0;
}

static int open_sources(struct runs *runs, char **args, uint32_t n, struct oracle_source *out,
                        struct px_err *err)
{
    for (uint32_t i = 0; i < (n ? n : 1); i++) {
        out[i].run = open_run(runs, n ? args[i] : NULL, err);
        if (!out[i].run)
            return -1;
        out[i].name = n ? args[i] : out[i].run->manifest->recipe;
    }
    return 0;
}

static int show_oracle(struct runs *runs, const struct compare_options *o, char **args, uint32_t n,
                       struct px_buf *out, struct px_err *err)
{
    struct oracle_source src[MOST_RUNS];
    uint32_t found;
    if (open_sources(runs, args, n, src, err) != 0)
        return -1;
    struct oracle *list = oracles_make(src, n ? n : 1, o->task, &found);
    if (found == 0)
        return px_fail(err, PX_EUSAGE, "no task with right and wrong answers%s%s is there",
                       o->task ? " called " : "", o->task ? o->task : "");
    if (o->json)
        oracles_json(list, found, out);
    else
        oracles_text(list, found, out);
    oracles_free(&list, found);
    return 0;
}

static int show_stability(struct runs *runs, const struct compare_options *o, char **args,
                          uint32_t n, struct px_buf *out, struct px_err *err)
{
    struct oracle_source src[MOST_RUNS];
    uint32_t found;
    if (n < 2)
        return px_fail(err, PX_EUSAGE, "--stability needs two runs or more");
    if (open_sources(runs, args, n, src, err) != 0)
        return -1;
    struct stability *list = stability_make(src, n, o->task, &found);
    if (found == 0)
        return px_fail(err, PX_EUSAGE,
                       "no cell with the same name, settings, model and task is in "
                       "two of the runs");
    if (o->json)
        stability_json(list, found, out);
    else
        stability_text(list, found, out);
    free(list);
    return 0;
}

static int run_compare(const struct compare_options *o, char **args, uint32_t n, struct px_err *err)
{
    struct runs runs = {0};
    struct px_buf out;
    int rc;
    px_buf_init(&out, (size_t)1 << 30);
    if (o->oracle)
        rc = show_oracle(&runs, o, args, n, &out, err);
    else if (o->stability)
        rc = show_stability(&runs, o, args, n, &out, err);
    else
        rc = compare_cells(&runs, o, args, n, &out, err);
    if (rc == 0 && out.overflow)
        rc = px_fail(err, PX_ELIMIT, "the comparison is too long");
    if (rc == 0)
        cli_print(out.data, out.len);
    px_buf_clear(&out);
    close_runs(&runs);
    return rc;
}

int cmd_compare(int argc, char **argv)
{
    struct compare_options o = {0};
    const char *args[MOST_RUNS];
    char *own[MOST_RUNS];
    uint32_t n;
    bool help;
    struct px_err err;
    const struct cli_option options[] = {
        {.name = "task", .text = &o.task},     {.name = "metric", .text = &o.metric},
        {.name = "items", .flag = &o.items},   {.name = "json", .flag = &o.json},
        {.name = "oracle", .flag = &o.oracle}, {.name = "stability", .flag = &o.stability}};
    if (cli_parse(argc, argv, options, 6, args, MOST_RUNS, &n, &help, &err) != 0)
        return cli_usage("compare", &err);
    if (help)
        return cli_help(help_compare);
    bool alone = o.oracle || o.stability;
    if ((o.oracle && o.stability) || (alone && (o.items || o.metric))) {
        px_fail(&err, PX_EUSAGE,
                o.oracle && o.stability ? "--oracle and --stability exclude each other"
                                        : "--items and --metric cannot act with --oracle or "
                                          "--stability");
        return cli_usage("compare", &err);
    }
    for (uint32_t i = 0; i < n; i++)
        own[i] = px_xstrdup(args[i]);
    int rc = run_compare(&o, own, n, &err);
    for (uint32_t i = 0; i < n; i++)
        free(own[i]);
    return rc == 0 ? 0 : cli_fail("compare", &err);
}
