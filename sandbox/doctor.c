/* doctor.c - `proctor-tester doctor`: what this host offers, and what is missing. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "proto/buf.h"
#include "proto/clock.h"
#include "proto/json.h"
#include "proto/mem.h"
#include "proto/model/imported.h"
#include "sandbox/jail/confine.h"
#include "sandbox/judge.h"
#include "sandbox/pool.h"

struct finding {
    struct px_buf text, json;
    unsigned missing;
};

static void add(struct finding *f, const char *key, const char *value)
{
    px_buf_printf(&f->text, "  %-22s %s\n", key, value);
    px_buf_str(&f->json, f->json.len > 1 ? ", " : "");
    px_buf_char(&f->json, '"');
    for (key += strspn(key, " "); *key != '\0'; key++)
        px_buf_char(&f->json, *key == ' ' || *key == '-' ? '_' : *key);
    px_buf_str(&f->json, "\": ");
    px_json_quote(&f->json, value, strlen(value));
}

static void processor(struct finding *f)
{
    char line[512] = "";
    __builtin_cpu_init();
    snprintf(line, sizeof line, "%s%s%s%s%s%s%s", __builtin_cpu_supports("avx2") ? "avx2 " : "",
             __builtin_cpu_supports("fma") ? "fma " : "",
             __builtin_cpu_supports("avx512f") ? "avx512f " : "",
             __builtin_cpu_supports("avx512bw") ? "avx512bw " : "",
             __builtin_cpu_supports("avx512vl") ? "avx512vl " : "",
             __builtin_cpu_supports("avx512vnni") ? "avx512vnni " : "",
             __builtin_cpu_supports("sse4.2") ? "sse4.2" : "");
    add(f, "processor features", line);
    snprintf(line, sizeof line, "%ld online", sysconf(_SC_NPROCESSORS_ONLN));
    add(f, "processors", line);
}

static void memory(struct finding *f)
{
    char line[256];
    double page = (double)sysconf(_SC_PAGESIZE) / (1 << 30);
    snprintf(line, sizeof line, "%.1f GiB, %.1f GiB free", page * (double)sysconf(_SC_PHYS_PAGES),
             page * (double)sysconf(_SC_AVPHYS_PAGES));
    add(f, "memory", line);
    struct utsname u;
    if (uname(&u) == 0) {
        snprintf(line, sizeof line, "%.60s %.60s %.60s", u.sysname, u.release, u.machine);
        add(f, "kernel", line);
    }
}

/* Where imported models go, and how much room there is: a folder that is not there yet is made on
 * the file system of the nearest one above it that is. */
static void models(struct finding *f)
{
    PX_FREE char *dir = imported_dir();
    PX_FREE char *above = px_xstrdup(dir);
    PX_FREE char *line = NULL;
    struct statvfs room;
    bool is_there = access(dir, F_OK) == 0;
    while (statvfs(above, &room) != 0 && strrchr(above, '/') != NULL)
        *strrchr(above, '/') = '\0';
    if (statvfs(*above != '\0' ? above : "/", &room) != 0)
        line = px_xasprintf("%s", dir);
    else
        line = px_xasprintf("%s%s, %.1f GiB free", dir, is_there ? "" : " (made when needed)",
                            (double)room.f_bavail * (double)room.f_frsize / (1 << 30));
    add(f, "imported models", line);
}

static void layers(struct finding *f, const struct pool *p)
{
    char line[256];
    unsigned level = pool_level(p);
    bool ns = strstr(pool_jail_json(p), "\"user\"") != NULL;
    bool landlock = strstr(pool_jail_json(p), "\"landlock\":0") == NULL;
    snprintf(line, sizeof line, "level %u (%s)", level, jail_level_name(level));
    add(f, "jail", line);
    add(f, "  namespaces",
        ns                       ? "user, pid, mount, net, ipc, uts, cgroup: made and entered"
        : pool_why(p)[0] != '\0' ? pool_why(p)
                                 : "not tried (PROCTOR_NO_USERNS)");
    snprintf(line, sizeof line,
             landlock ? "ABI %d: a program could open nothing outside" : "missing (ABI %d offered)",
             jail_landlock_abi());
    add(f, "  landlock", line);
    add(f, "  seccomp", "a filter was loaded and held");
    add(f, "  cgroup", "not used: memory is limited by rlimits");
    if (!ns || !landlock) {
        f->missing++;
        add(f, "missing",
            ns ? "Landlock: lsm=...,landlock on the kernel's command line"
               : "user namespaces: sysctl user.max_user_namespaces, and no AppArmor "
                 "or container rule against them");
    }
}

static void interpreter(struct finding *f, const struct pool *p, int64_t us)
{
    char line[128];
    snprintf(line, sizeof line, "Python %s, embedded", pool_python(p));
    add(f, "interpreter", line);
    snprintf(line, sizeof line,
             "a right program passed, a wrong one failed, what is forbidden failed");
    add(f, "self-test", line);
    snprintf(line, sizeof line, "%.0f ms from start to ready", (double)us / 1000);
    add(f, "warm start", line);
}

static const char help[] = "Usage: proctor-tester doctor [--json]\n"
                           "\n"
                           "Shows what this host offers to the tester: processor, memory, "
                           "where imported models go,\n"
                           "the layers of the jail (each was tried, not looked up), the "
                           "interpreter, and what is missing.\n"
                           "The exit code is 0 when programs can be judged here, 2 when they "
                           "cannot.\n"
                           "\n"
                           "Example:\n"
                           "  proctor-tester doctor --json\n";

static int report(bool json)
{
    struct finding f = {.missing = 0};
    struct px_err err = {.code = PX_OK};
    px_buf_init(&f.text, 1u << 16);
    px_buf_init(&f.json, 1u << 16);
    px_buf_str(&f.json, "{");
    int64_t start = clk_now_us();
    struct pool_config cfg = {.slots = 1, .require_level = 1};
    struct pool *p = pool_new(&cfg, &err);
    int64_t took = clk_now_us() - start;
    processor(&f);
    memory(&f);
    models(&f);
    if (p != NULL) {
        layers(&f, p);
        interpreter(&f, p, took);
    } else {
        add(&f, "missing", err.text);
    }
    px_buf_str(&f.json, "}\n");
    fputs(json ? (const char *)f.json.data : (const char *)f.text.data, stdout);
    bool good = p != NULL;
    pool_free(&p);
    px_buf_clear(&f.text);
    px_buf_clear(&f.json);
    return good ? 0 : 2;
}

int doctor_main(int argc, char **argv)
{
    static const struct option options[] = {
        {"help", no_argument, NULL, 'h'}, {"json", no_argument, NULL, 'j'}, {NULL, 0, NULL, 0}};
    bool json = false;
    int c;
    while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
        if (c == 'h') {
            fputs(help, stdout);
            return 0;
        }
        if (c != 'j')
            return 2;
        json = true;
    }
    if (optind != argc) {
        fprintf(stderr, "proctor-tester: doctor takes no arguments; try --help\n");
        return 2;
    }
    return report(json);
}
