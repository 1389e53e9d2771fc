/* selftest.c - the canary pair and the probe. */
#include "sandbox/selftest.h"

#include <stdio.h>
#include <string.h>

#include "proto/mem.h"

static const char pair_task[] =
    "{\"id\":\"canary\",\"kind\":\"humaneval\",\"prompt\":\"def twice(x):\\n    pass\\n\","
    "\"entry_point\":\"twice\",\"test\":\"def check(f):\\n    assert f(4) == 8\\n    "
    "assert f([1]) == [1, 1]\\n\"}";
static const char good[] = "def twice(x):\n    return x + x\n";
static const char bad[] = "def twice(x):\n    return x\n";

/* Returns what it could do although it must not; `level` 1 may read the user's files. */
static const char probe[] =
    "import os, socket\n"
    "def trial(level):\n"
    "    tries = {\n"
    "        'write outside': lambda: open('/usr/lib/proctor_probe', 'w'),\n"
    "        'write in /': lambda: open('/proctor_probe', 'w'),\n"
    "        'connect': lambda: socket.socket(socket.AF_INET, socket.SOCK_STREAM),\n"
    "        'unix socket': lambda: socket.socket(socket.AF_UNIX, socket.SOCK_STREAM),\n"
    "        'fork': lambda: os.fork() or os._exit(0),\n"
    "        'signal the parent': lambda: os.kill(os.getppid(), 0),\n"
    "        'signal everybody': lambda: os.kill(-1, 0),\n"
    "        'much memory': lambda: bytearray(600 << 20),\n"
    "    }\n"
    "    if level >= 2:\n"
    "        tries['read outside'] = lambda: open('/etc/passwd')\n"
    "    done = []\n"
    "    for name, f in tries.items():\n"
    "        try:\n"
    "            f()\n"
    "            done.append(name)\n"
    "        except (OSError, MemoryError):\n"
    "            pass\n"
    "    return done\n";

struct trial {
    bool done;
    struct run_result result;
};

static void done(void *context, const struct run_result *r)
{
    struct trial *t = context;
    t->done = true;
    t->result = *r;
}

static int run_one(struct pool *p, const char *source, const char *task, struct trial *t,
                   struct px_err *err)
{
    struct program prog = {.source = px_xstrdup(source),
                           .n_source = strlen(source),
                           .task = px_xstrdup(task),
                           .n_task = strlen(task),
                           .limits = {2000000, 10000000, 256 << 20, 64 << 10}};
    memset(t, 0, sizeof *t);
    pool_submit(p, &prog, done, t);
    int rc = 0;
    while (rc == 0 && !t->done)
        rc = pool_step(p, 1000, err);
    program_clear(&prog);
    return rc;
}

static int expect(const struct trial *t, bool pass, const char *what, struct px_err *err)
{
    const struct outcome *o = &t->result.outcome;
    if (pass ? o->class == VERDICT_PASSED : o->class == VERDICT_FAILED_ASSERTION)
        return 0;
    return px_fail(err, PX_EINTERNAL, "%s came out as %s (%s): nothing is scored on this host",
                   what, verdict_class_name(o->class), o->detail);
}

int selftest_run(struct pool *p, struct px_err *err)
{
    struct trial t;
    char task[256];
    snprintf(task, sizeof task,
             "{\"id\":\"probe\",\"kind\":\"calls\",\"entry_point\":\"trial\",\"calls\":"
             "[{\"args\":[%u],\"expect\":[]}]}",
             pool_level(p));
    if (run_one(p, good, pair_task, &t, err) != 0 ||
        expect(&t, true, "a right program", err) != 0 || run_one(p, bad, pair_task, &t, err) != 0 ||
        expect(&t, false, "a wrong program", err) != 0 || run_one(p, probe, task, &t, err) != 0)
        return -1;
    return expect(&t, true, "a program that tries what the jail forbids", err);
}

struct px_digest selftest_digest(void)
{
    return px_sha256(probe, sizeof probe - 1);
}
