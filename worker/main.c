/* main.c - proctor-worker: holds models, runs inference and model stages. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/clock.h"
#include "proto/log.h"
#include "proto/mem.h"
#include "proto/number.h"
#include "proto/streams.h"
#include "worker/engine/kernels.h"
#include "worker/session.h"
#include "worker/stage/model_cmd.h"

static const char help_text[] =
    "Usage: proctor-worker --connect ENDPOINT [options]\n"
    "       proctor-worker model COMMAND ...   (see: proctor model --help)\n"
    "\n"
    "Joins a coordinator, maps its models once per host and runs units until told to leave.\n"
    "`proctor run` starts local workers itself; this is how others join, from another shell or\n"
    "another host. SIGTERM drains: what runs is finished, the rest goes back.\n"
    "\n"
    "  --connect ENDPOINT  ipc://PATH on this host, tcp://HOST:PORT elsewhere (with --curve-dir)\n"
    "  --curve-dir DIR     keys that the coordinator made (default for a local run: <run>/curve)\n"
    "  --memory SIZE       private memory, e.g. 4GiB (default 2GiB)\n"
    "  --host-memory SIZE  mapped models and private memory together (default: no limit)\n"
    "  --threads N         threads of the engine (default: the cores of this process)\n"
    "  --rows N            sequences side by side (default 16)\n"
    "  --isa NAME          auto, scalar, avx2, avx512, amx, neon, neon-dot: same bits\n"
    "  --roles LIST        generate, stage (default: both)\n"
    "  --end-time UNIX     wall-clock second when this host's job ends\n"
    "  --time-left SPAN    the same, counted from now: 30min, 2h\n"
    "  --gone-after SPAN   leave when no coordinator was heard for so long (default 60s)\n"
    "  --version\n"
    "\n"
    "Example: proctor-worker --connect tcp://head:5555 --curve-dir runs/grid/curve --time-left "
    "2h\n";

struct arguments {
    const char *connect, *curve_dir, *isa, *roles;
    int64_t memory, host_memory, threads, rows, end_time_us, gone_after_us;
};

static int set_argument(struct arguments *a, const char *name, const char *value,
                        struct px_err *err)
{
    int64_t v;
    if (strcmp(name, "connect") == 0)
        a->connect = value;
    else if (strcmp(name, "curve-dir") == 0)
        a->curve_dir = value;
    else if (strcmp(name, "isa") == 0)
        a->isa = value;
    else if (strcmp(name, "roles") == 0)
        a->roles = value;
    else if (strcmp(name, "memory") == 0)
        return px_parse_size(value, &a->memory, err);
    else if (strcmp(name, "host-memory") == 0)
        return px_parse_size(value, &a->host_memory, err);
    else if (strcmp(name, "threads") == 0)
        return px_parse_int(value, 1, 1024, &a->threads, err);
    else if (strcmp(name, "rows") == 0)
        return px_parse_int(value, 1, 4096, &a->rows, err);
    else if (strcmp(name, "gone-after") == 0)
        return px_parse_duration(value, &a->gone_after_us, err);
    else if (strcmp(name, "end-time") == 0) {
        if (px_parse_int(value, 1, INT64_MAX / 1000000, &v, err) != 0)
            return -1;
        a->end_time_us = v * 1000000;
    } else if (strcmp(name, "time-left") == 0) {
        if (px_parse_duration(value, &v, err) != 0)
            return -1;
        a->end_time_us = clk_wall_us() + v;
    } else {
        return px_fail(err, PX_EUSAGE, "unknown option --%s", name);
    }
    return 0;
}

static int parse_arguments(int argc, char **argv, struct arguments *a, struct px_err *err)
{
    for (int i = 1; i < argc; i++) {
        char name[32];
        const char *arg = argv[i];
        size_t len = strncmp(arg, "--", 2) == 0 ? strcspn(arg + 2, "=") : 0;
        if (len == 0 || len >= sizeof name)
            return px_fail(err, PX_EUSAGE, "unexpected argument '%s'", arg);
        memcpy(name, arg + 2, len);
        name[len] = '\0';
        const char *value = arg[2 + len] ? arg + 3 + len : i + 1 < argc ? argv[++i] : NULL;
        if (!value)
            return px_fail(err, PX_EUSAGE, "--%s needs a value", name);
        if (set_argument(a, name, value, err) != 0)
            return err->code == PX_EUSAGE ? -1 : px_wrap(err, "--%s", name);
    }
    return a->connect ? 0 : px_fail(err, PX_EUSAGE, "--connect ENDPOINT is missing");
}

static int parse_roles(const char *text, unsigned *roles, struct px_err *err)
{
    unsigned r = 0;
    for (const char *p = text; *p;) {
        size_t n = strcspn(p, ",");
        if (n == 8 && strncmp(p, "generate", n) == 0)
            r |= ROLE_GENERATE;
        else if (n == 5 && strncmp(p, "stage", n) == 0)
            r |= ROLE_STAGE;
        else
            return px_fail(err, PX_EUSAGE, "--roles: '%.*s' is not generate or stage", (int)n, p);
        p += n + (p[n] == ',');
    }
    *roles = r;
    return r ? 0 : px_fail(err, PX_EUSAGE, "--roles: empty");
}

static int connect_and_work(const struct arguments *a, struct px_err *err)
{
    unsigned roles = ROLE_GENERATE | ROLE_STAGE;
    const struct kernels *k = kernels_choose(a->isa, err);
    if (!k || (a->roles && parse_roles(a->roles, &roles, err) != 0))
        return -1;
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct session_config cfg = {
        .peer = {.endpoint = a->connect,
                 .curve_dir = a->curve_dir,
                 .program = "worker",
                 .roles = roles,
                 .cores = cores > 0 ? (uint32_t)cores : 1,
                 .isa = k->isa,
                 .memory_budget = a->memory,
                 .end_time_us = a->end_time_us,
                 .gone_after_us = a->gone_after_us},
        .backend = {.memory_budget = a->memory,
                    .host_memory = a->host_memory,
                    .threads = a->threads  ? (uint32_t)a->threads
                               : cores > 0 ? (uint32_t)cores
                                           : 1,
                    .max_rows = (uint32_t)a->rows,
                    .isa = a->isa},
        .build = PROCTOR_VERSION,
    };
    /* Blocked before any thread exists, so that only the session's signalfd sees them. */
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    return session_run(&cfg, err);
}

static int run_command(int argc, char **argv)
{
    struct arguments a = {.isa = "auto", .memory = INT64_C(2) << 30};
    struct px_err err;
    if (argc < 2) {
        fputs(help_text, stderr);
        return 2;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("proctor-worker " PROCTOR_VERSION);
        return 0;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        fputs(help_text, stdout);
        return 0;
    }
    if (strcmp(argv[1], "model") == 0)
        return model_command(argc - 2, argv + 2);
    if (parse_arguments(argc, argv, &a, &err) != 0) {
        fprintf(stderr, "proctor-worker: %s\nSee: proctor-worker --help\n", err.text);
        return 2;
    }
    if (connect_and_work(&a, &err) != 0) {
        fprintf(stderr, "proctor-worker: %s\n", err.text);
        return px_exit_code(err.code);
    }
    return 0;
}

int main(int argc, char **argv)
{
    px_streams_hold();
    px_log_init("proctor-worker");
    return px_streams_finish("proctor-worker", run_command(argc, argv));
}
