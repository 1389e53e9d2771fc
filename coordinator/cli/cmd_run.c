/* cmd_run.c - `proctor run`: the coordinator. The same command again resumes. */
#include <stdio.h>
#include <string.h>

#include "coordinator/cli/cli.h"
#include "coordinator/cli/lead.h"
#include "coordinator/cli/setup.h"
#include "coordinator/report/report.h"

const char help_run[] =
    "Usage: proctor run RECIPE [options]\n"
    "\n"
    "Runs a recipe and shows the report. Interrupted or killed in any way, the same command goes "
    "on\n"
    "where it stopped: nothing is repeated, nothing is lost. First Ctrl-C lets running units "
    "finish,\n"
    "the second stops at once; both exit with 3.\n"
    "\n"
    "  --set PATH=VALUE   change a key of the recipe, e.g. --set stages.1.eval.limit=10;\n"
    "                     eval keys may be written short: --set sampler.temperature=0.8\n"
    "  --limit N          at most N problems per task\n"
    "  --workers N        local workers (0: only those that connect)\n"
    "  --testers N        local testers\n"
    "  --threads N        threads per worker\n"
    "  --memory SIZE      private memory per worker, e.g. 2GiB\n"
    "  --host-memory SIZE everything on this host together\n"
    "  --isa NAME         auto, scalar, avx2, avx512, amx, neon, neon-dot: same bits\n"
    "  --run DIR          run directory (default runs/<recipe>)\n"
    "  --fresh            throw away what the run directory holds first\n"
    "  --retry-quarantined  give units that were given up another chance\n"
    "  --max-failures N   stop after N units were given up\n"
    "  --data DIR         where data sets are (then PROCTOR_DATA, the cache, Proctor's own)\n"
    "  --listen ENDPOINT  also accept workers and testers of other hosts: tcp://HOST:PORT, always\n"
    "                     encrypted and authenticated with the keys in --curve-dir\n"
    "  --curve-dir DIR    keys, made at first use (default <run>/curve)\n"
    "  --network-store    accept a run directory on a FUSE file system\n"
    "  --allow-noop       accept the noop backend (dispatch measurements)\n"
    "  --quiet            no progress, no table\n"
    "\n"
    "Example: proctor run recipes/quickstart.yaml --limit 10\n";

struct run_options {
    struct setup_options setup;
    struct lead_options lead;
};

enum { RUN_OPTIONS = SETUP_OPTIONS + 8 };

static uint32_t run_table(struct run_options *o, struct cli_option *out)
{
    uint32_t n = setup_table(&o->setup, out);
    out[n++] = (struct cli_option){.name = "isa", .text = &o->lead.isa};
    out[n++] = (struct cli_option){.name = "listen", .text = &o->lead.listen};
    out[n++] = (struct cli_option){.name = "curve-dir", .text = &o->lead.curve_dir};
    out[n++] = (struct cli_option){.name = "fresh", .flag = &o->lead.fresh};
    out[n++] = (struct cli_option){.name = "retry-quarantined", .flag = &o->lead.retry_quarantined};
    out[n++] = (struct cli_option){.name = "network-store", .flag = &o->lead.network_store};
    out[n++] = (struct cli_option){.name = "quiet", .flag = &o->lead.quiet};
    out[n++] = (struct cli_option){
        .name = "max-failures", .number = &o->lead.max_failures, .lo = 1, .hi = UINT32_MAX};
    return n;
}

/* Writes results.json and samples/, shows the table. 1 when something failed. */
static int conclude(const struct run_options *o, const struct setup *s, struct store *store,
                    struct px_err *err)
{
    struct px_buf table;
    px_buf_init(&table, 64 << 20);
    bool failed = false;
    int rc = report_export(store, s->run_dir, &failed, o->lead.quiet ? NULL : &table, err);
    if (rc == 0 && table.len)
        cli_print(table.data, table.len);
    px_buf_clear(&table);
    if (rc != 0)
        return -1;
    if (!o->lead.quiet)
        fprintf(stderr, "results: %s/results.json, samples: %s/samples/\n", s->run_dir, s->run_dir);
    return failed ? 1 : 0;
}

static int run_recipe(const struct run_options *o, const struct setup *s, struct px_err *err)
{
    struct estimate e = {0};
    if (estimate_make(s->plan, &s->resources, &e, err) != 0) {
        estimate_clear(&e);
        return -1;
    }
    estimate_clear(&e);
    struct store *store = lead_open(&o->lead, s, err);
    if (!store)
        return -1;
    int rc = lead_run(&o->lead, s, store, NULL, err);
    if (rc == 0)
        rc = conclude(o, s, store, err);
    store_close(&store);
    return rc;
}

int cmd_run(int argc, char **argv)
{
    struct run_options o = {0};
    struct cli_option options[RUN_OPTIONS];
    struct setup s;
    struct px_err err;
    const char *args[1];
    uint32_t n_args;
    bool help;
    setup_defaults(&o.setup);
    uint32_t n = run_table(&o, options);
    if (cli_parse(argc, argv, options, n, args, 1, &n_args, &help, &err) != 0 ||
        lead_check_isa(o.lead.isa, &err) != 0)
        return cli_usage("run", &err);
    if (help)
        return cli_help(help_run);
    if (n_args == 0) {
        px_fail(&err, PX_EUSAGE, "which recipe?");
        return cli_usage("run", &err);
    }
    if (lead_prepare("run", &err) != 0 || setup_load(args[0], &o.setup, &s, &err) != 0)
        return cli_fail("run", &err);
    int rc = run_recipe(&o, &s, &err);
    if (rc < 0) {
        rc = cli_fail("run", &err);
        if (err.code == PX_ENOSPC)
            fprintf(stderr, "Make space and run the same command again: it goes on.\n");
    }
    setup_clear(&s);
    return rc;
}
