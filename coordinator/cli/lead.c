/* lead.c - the coordinator at work for any command: store, hall, signals. */
#include "coordinator/cli/lead.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "coordinator/cli/progress.h"
#include "coordinator/dispatch/hall.h"
#include "proto/file.h"
#include "proto/mem.h"

static const char *command_name = "run";

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

struct store *lead_open(const struct lead_options *o, const struct setup *s, struct px_err *err)
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

static int lead_hall(const struct lead_options *o, const struct setup *s, struct store *store,
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

int lead_run(const struct lead_options *o, const struct setup *s, struct store *store,
             const struct conductor_options *co, struct px_err *err)
{
    int rc = -1;
    struct conductor *c = conductor_new(s->plan, store, co, err);
    struct conductor_counts n;
    if (c && conductor_begin(c, s->run_dir, err) == 0) {
        conductor_count(c, &n);
        if (!o->quiet)
            announce(&n, s);
        bool work = (n.done + n.quarantined < n.total || n.imports) && !conductor_gate_stop(c);
        rc = work ? lead_hall(o, s, store, c, err) : 0;
        if (rc == 0 && conductor_stage_failure(c)) {
            fprintf(stderr, "proctor %s: %s\n", command_name, conductor_stage_failure(c));
            rc = 1;
        } else if (rc == 0 && conductor_gate_stop(c)) {
            fprintf(stderr, "proctor %s: stopped by a gate, %s\n", command_name,
                    conductor_gate_stop(c));
        }
    }
    conductor_free(&c);
    return rc;
}

/* Before and after the hall, which reads signals itself, nothing is in the making that a kill would
 * spoil: stop there and then, with the exit code of an interruption. */
static void stop_at_once(int sig)
{
    static const char text[] = ": interrupted; the same command goes on\n";
    (void)sig;
    ssize_t ignored = write(2, "\nproctor ", 9);
    ignored += write(2, command_name, strlen(command_name));
    ignored += write(2, text, sizeof text - 1);
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

int lead_prepare(const char *command, struct px_err *err)
{
    command_name = command;
    mind_signals();
    return raise_descriptors(err);
}

int lead_check_isa(const char *isa, struct px_err *err)
{
    static const char *const names[] = {"auto", "scalar", "avx2",    "avx512",
                                        "amx",  "neon",   "neon-dot"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (!isa || strcmp(isa, names[i]) == 0)
            return 0;
    return px_fail(err, PX_EUSAGE,
                   "--isa: '%s' is not auto, scalar, avx2, avx512, amx, neon or neon-dot", isa);
}
