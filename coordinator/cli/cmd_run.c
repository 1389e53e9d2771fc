/* cmd_run.c - `proctor run`: the coordinator. The same command again resumes. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "coordinator/cli/cli.h"
#include "coordinator/cli/progress.h"
#include "coordinator/cli/setup.h"
#include "coordinator/dispatch/hall.h"
#include "coordinator/report/report.h"
#include "coordinator/run/conductor.h"
#include "proto/file.h"
#include "proto/log.h"
#include "proto/mem.h"

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
    "  --isa NAME         auto, scalar, avx2, avx512: the results are the same bits\n"
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
    const char *isa, *listen, *curve_dir;
    bool fresh, retry_quarantined, network_store, quiet;
    int64_t max_failures;
};

enum { RUN_OPTIONS = SETUP_OPTIONS + 8 };

static uint32_t run_table(struct run_options *o, struct cli_option *out)
{
    uint32_t n = setup_table(&o->setup, out);
    out[n++] = (struct cli_option){.name = "isa", .text = &o->isa};
    out[n++] = (struct cli_option){.name = "listen", .text = &o->listen};
    out[n++] = (struct cli_option){.name = "curve-dir", .text = &o->curve_dir};
    out[n++] = (struct cli_option){.name = "fresh", .flag = &o->fresh};
    out[n++] = (struct cli_option){.name = "retry-quarantined", .flag = &o->retry_quarantined};
    out[n++] = (struct cli_option){.name = "network-store", .flag = &o->network_store};
    out[n++] = (struct cli_option){.name = "quiet", .flag = &o->quiet};
    out[n++] = (struct cli_option){
        .name = "max-failures", .number = &o->max_failures, .lo = 1, .hi = UINT32_MAX};
    return n;
}

/* ---- the run directory ---- */

/* The lock of an open store proves that nobody is writing; then its files go. */
static int throw_away(const char *store_dir, const struct store_options *so, struct px_err *err)
{
    static const char *const files[] = {"data.mdb", "lock.mdb"};
    if (!px_exists(store_dir))
        return 0;
    struct store *s = store_open(store_dir, so, err);
    if (!s)
        return -1;
    store_close(&s);
    for (size_t i = 0; i < 2; i++) {
        PX_FREE char *path = px_path_join(store_dir, files[i]);
        if (unlink(path) != 0 && px_exists(path))
            return px_fail_errno(err, "cannot remove %s", path);
    }
    return 0;
}

struct key_list {
    struct px_digest *keys;
    size_t n, cap;
};

static bool collect_key(void *ctx, const void *key, size_t n_key, const void *val, size_t n_val)
{
    struct key_list *l = ctx;
    (void)val;
    (void)n_val;
    if (n_key == PX_DIGEST_SIZE) {
        PX_GROW(l->keys, l->n, l->cap);
        memcpy(l->keys[l->n++].b, key, PX_DIGEST_SIZE);
    }
    return true;
}

static int release_quarantine(struct store *s, struct px_err *err)
{
    struct key_list l = {0};
    struct store_view *v = store_view_begin(s, err);
    if (!v)
        return -1;
    int rc = store_view_scan(v, STORE_QUARANTINE, NULL, 0, collect_key, &l, err);
    store_view_end(&v);
    struct store_batch *b = store_batch_new();
    for (size_t i = 0; i < l.n; i++)
        store_batch_del(b, STORE_QUARANTINE, l.keys[i].b, PX_DIGEST_SIZE);
    free(l.keys);
    if (rc == 0)
        return store_commit(s, b, err);
    store_batch_free(&b);
    return -1;
}

static struct store *open_run(const struct run_options *o, const struct setup *s,
                              struct px_err *err)
{
    PX_FREE char *dir = px_path_join(s->run_dir, "store");
    PX_FREE char *recipe_path = px_path_join(s->run_dir, "recipe.yaml");
    struct store_options so = {.mode = STORE_WRITE, .allow_network_fs = o->network_store};
    if (px_mkdirs(s->run_dir, 0755, err) != 0)
        return NULL;
    if (o->fresh && throw_away(dir, &so, err) != 0)
        return NULL;
    struct store *store = store_open(dir, &so, err);
    if (!store)
        return NULL;
    struct px_buf yaml;
    px_buf_init(&yaml, 1 << 24);
    recipe_write(s->recipe, &yaml);
    int rc = px_write_file(recipe_path, yaml.data, yaml.len, err);
    px_buf_clear(&yaml);
    if (rc == 0 && o->retry_quarantined)
        rc = release_quarantine(store, err);
    if (rc != 0)
        store_close(&store);
    return store;
}

/* ---- the work ---- */

static int lead_hall(const struct run_options *o, const struct setup *s, struct store *store,
                     struct conductor *c, struct px_err *err)
{
    PX_FREE char *curve =
        o->curve_dir ? px_xstrdup(o->curve_dir) : px_path_join(s->run_dir, "curve");
    struct hall_config cfg = {.run_dir = s->run_dir,
                              .listen = o->listen,
                              .curve_dir = curve,
                              .workers = s->resources.workers,
                              .testers = s->resources.testers,
                              .threads = s->resources.threads,
                              .memory = s->resources.memory,
                              .host_memory = s->resources.host_memory,
                              .isa = o->isa ? o->isa : "auto",
                              .max_rows = s->resources.max_rows,
                              .no_progress_us = s->recipe->hung_after_us,
                              .max_failures = (uint32_t)o->max_failures};
    struct hall_source src = conductor_source(c);
    struct hall *h = hall_new(&cfg, store, &src, err);
    if (!h)
        return -1;
    conductor_attach(c, h);
    if (o->listen && !o->quiet)
        fprintf(stderr, "join from another host: proctor-worker --connect %s --curve-dir %s\n",
                o->listen, curve);
    struct progress *p = progress_new(c, o->quiet);
    int rc = hall_run(h, progress_show, p, err);
    progress_free(&p);
    hall_free(&h);
    if (rc == 0)
        rc = conductor_flush(c, err);
    return rc;
}

static void announce(const struct conductor_counts *n, const struct setup *s)
{
    fprintf(stderr, "%s: %llu units, %llu done, %llu to do", s->run_dir,
            (unsigned long long)n->total, (unsigned long long)n->done,
            (unsigned long long)(n->total - n->done - n->quarantined));
    if (n->quarantined)
        fprintf(stderr, ", %llu quarantined (--retry-quarantined tries them again)",
                (unsigned long long)n->quarantined);
    fputc('\n', stderr);
}

/* Writes results.json and samples/, shows the table. 1 when something failed. */
static int conclude(const struct run_options *o, const struct setup *s, struct store *store,
                    struct px_err *err)
{
    struct px_buf table;
    px_buf_init(&table, 64 << 20);
    bool failed = false;
    int rc = report_export(store, s->run_dir, &failed, o->quiet ? NULL : &table, err);
    if (rc == 0 && table.len)
        cli_print(table.data, table.len);
    px_buf_clear(&table);
    if (rc != 0)
        return -1;
    if (!o->quiet)
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
    struct store *store = open_run(o, s, err);
    if (!store)
        return -1;
    int rc = -1;
    struct conductor *c = conductor_new(s->plan, store, err);
    struct conductor_counts n;
    if (c && conductor_begin(c, s->run_dir, err) == 0) {
        conductor_count(c, &n);
        if (!o->quiet)
            announce(&n, s);
        bool work = n.done + n.quarantined < n.total || n.imports;
        rc = work ? lead_hall(o, s, store, c, err) : 0;
        if (rc == 0 && conductor_stage_failure(c)) {
            fprintf(stderr, "proctor run: %s\n", conductor_stage_failure(c));
            rc = 1;
        } else if (rc == 0) {
            rc = conclude(o, s, store, err);
        }
    }
    conductor_free(&c);
    store_close(&store);
    return rc;
}

/* Before and after the hall, which reads signals itself, nothing is in the making that a kill would
 * spoil: stop there and then, with the exit code of an interruption. */
static void stop_at_once(int sig)
{
    static const char text[] = "\nproctor run: interrupted; the same command goes on\n";
    (void)sig;
    ssize_t ignored = write(2, text, sizeof text - 1);
    (void)ignored;
    _exit(3);
}

static void mind_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        struct sigaction old, stop = {.sa_handler = stop_at_once};
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler != SIG_IGN)
            sigaction(signals[i], &stop, NULL);
    }
}

/* As many descriptors as this process may have: each peer takes some, and ZeroMQ aborts without. */
static int raise_descriptors(struct px_err *err)
{
    enum { LEAST = 64, ENOUGH = 65536 };
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) != 0)
        return px_fail_errno(err, "cannot ask for the limit of open files");
    if (r.rlim_cur < ENOUGH && r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max < ENOUGH ? r.rlim_max : ENOUGH;
        if (setrlimit(RLIMIT_NOFILE, &r) != 0)
            return px_fail_errno(err, "cannot raise the limit of open files");
    }
    return r.rlim_cur >= LEAST ? 0
                               : px_fail(err, PX_ELIMIT,
                                         "at most %llu open files are allowed here, %d are needed: "
                                         "raise the limit, e.g. ulimit -n 1024",
                                         (unsigned long long)r.rlim_cur, LEAST);
}

/* Whether this CPU has it is for each worker to say; a name that nobody has is refused here. */
static int check_isa(const char *isa, struct px_err *err)
{
    static const char *const names[] = {"auto", "scalar", "avx2", "avx512"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!isa || strcmp(isa, names[i]) == 0)
            return 0;
    return px_fail(err, PX_EUSAGE, "--isa: '%s' is not auto, scalar, avx2 or avx512", isa);
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
        check_isa(o.isa, &err) != 0)
        return cli_usage("run", &err);
    if (help)
        return cli_help(help_run);
    if (n_args == 0) {
        px_fail(&err, PX_EUSAGE, "which recipe?");
        return cli_usage("run", &err);
    }
    mind_signals();
    if (raise_descriptors(&err) != 0 || setup_load(args[0], &o.setup, &s, &err) != 0)
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
