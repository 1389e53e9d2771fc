/* cmd_plan.c - `proctor plan`: what would run; nothing is started. */
#include <stdlib.h>

#include "coordinator/cli/cli.h"
#include "coordinator/cli/plan_text.h"
#include "coordinator/cli/setup.h"
#include "proto/file.h"
#include "proto/mem.h"

const char help_plan[] =
    "Usage: proctor plan RECIPE [options]\n"
    "\n"
    "Shows what a recipe comes to: models, stages, cells, units, prompt tokens, memory per worker\n"
    "and host with the arithmetic, and what the run directory already holds. Starts nothing.\n"
    "Refuses (exit 2) what cannot run or cannot fit, with every error at once.\n"
    "\n"
    "  --set PATH=VALUE   change a key of the recipe, e.g. --set stages.1.eval.limit=10;\n"
    "                     eval keys may be written short: --set sampler.temperature=0.8\n"
    "  --limit N          at most N problems per task\n"
    "  --workers N        local workers        --testers N   local testers\n"
    "  --threads N        threads per worker\n"
    "  --memory SIZE      private memory per worker, e.g. 2GiB\n"
    "  --host-memory SIZE everything on this host together\n"
    "  --run DIR          run directory (default runs/<recipe>)\n"
    "  --data DIR         where data sets are (then PROCTOR_DATA, the cache, Proctor's own)\n"
    "  --allow-noop       accept the noop backend (dispatch measurements)\n"
    "  --json             for programs\n"
    "\n"
    "Example: proctor plan recipes/quickstart.yaml --limit 10\n";

/* What the store already knows; *has = false when there is no store yet. */
static int count_stored(const struct setup *s, struct conductor_counts *counts, bool *has,
                        struct px_err *err)
{
    PX_FREE char *dir = px_path_join(s->run_dir, "store");
    struct store_options opt = {.mode = STORE_READ};
    *has = false;
    if (!px_exists(dir))
        return 0;
    struct store *store = store_open(dir, &opt, err);
    if (!store)
        return err->code == PX_EMISSING ? 0 : -1;
    struct conductor *c = conductor_new(s->plan, store, NULL, err);
    if (c) {
        conductor_count(c, counts);
        *has = true;
    }
    conductor_free(&c);
    store_close(&store);
    return *has ? 0 : -1;
}

static int show(const struct setup *s, bool json, struct px_err *err)
{
    struct estimate e;
    struct conductor_counts counts;
    bool has;
    struct px_err fit;
    int fits = estimate_make(s->plan, &s->resources, &e, &fit);
    if (fits != 0 && !e.groups) {
        *err = fit;
        return -1;
    }
    int rc = count_stored(s, &counts, &has, err);
    if (rc == 0) {
        struct plan_facts f = {s->plan, &s->resources, &e, has ? &counts : NULL, s->run_dir};
        struct px_buf out;
        px_buf_init(&out, 64 << 20);
        if (json)
            plan_write_json(&f, &out);
        else
            plan_write_text(&f, &out);
        cli_print(out.data, out.len);
        px_buf_clear(&out);
    }
    estimate_clear(&e);
    if (rc == 0 && fits != 0) {
        *err = fit;
        rc = -1;
    }
    return rc;
}

int cmd_plan(int argc, char **argv)
{
    struct setup_options o;
    struct cli_option options[SETUP_OPTIONS + 1];
    struct setup s;
    struct px_err err;
    const char *args[1];
    uint32_t n_args;
    bool help;
    bool json = false;
    setup_defaults(&o);
    uint32_t n = setup_table(&o, options);
    options[n++] = (struct cli_option){.name = "json", .flag = &json};
    if (cli_parse(argc, argv, options, n, args, 1, &n_args, &help, &err) != 0)
        return cli_usage("plan", &err);
    if (help)
        return cli_help(help_plan);
    if (n_args == 0) {
        px_fail(&err, PX_EUSAGE, "which recipe?");
        return cli_usage("plan", &err);
    }
    if (setup_load(args[0], &o, &s, &err) != 0)
        return cli_fail("plan", &err);
    int rc = show(&s, json, &err);
    setup_clear(&s);
    return rc == 0 ? 0 : cli_fail("plan", &err);
}
