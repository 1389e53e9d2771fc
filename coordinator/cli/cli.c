#include "coordinator/cli/cli.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "coordinator/recipe/recipe.h"
#include "proto/file.h"
#include "proto/mem.h"
#include "proto/number.h"

static int take_value(const struct cli_option *o, const char *value, struct px_err *err)
{
    int rc = 0;
    if (o->text) {
        *o->text = value;
    } else if (o->number) {
        rc = px_parse_int(value, o->lo, o->hi, o->number, err);
    } else if (o->size) {
        rc = px_parse_size(value, o->size, err);
    } else if (o->duration) {
        rc = px_parse_duration(value, o->duration, err);
    } else if (*o->n_list == o->cap_list) {
        rc = px_fail(err, PX_EUSAGE, "at most %u times", o->cap_list);
    } else {
        o->list[(*o->n_list)++] = value;
    }
    if (rc != 0) {
        px_wrap(err, "--%s", o->name);
        if (err)
            err->code = PX_EUSAGE;
    }
    return rc;
}

static const struct cli_option *find_option(const struct cli_option *options, uint32_t n,
                                            const char *name, size_t len)
{
    for (uint32_t i = 0; i < n; i++)
        if (strlen(options[i].name) == len && strncmp(options[i].name, name, len) == 0)
            return &options[i];
    return NULL;
}

static int unknown_option(const struct cli_option *options, uint32_t n, const char *name,
                          size_t len, struct px_err *err)
{
    const char *names[64];
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)len, name);
    for (uint32_t i = 0; i < n && i < 64; i++)
        names[i] = options[i].name;
    const char *near = recipe_nearest(word, names, n < 64 ? n : 64);
    return px_fail(err, PX_EUSAGE, "unknown option --%s%s%s%s", word,
                   near ? "; did you mean --" : "", near ? near : "", near ? "?" : "");
}

int cli_parse(int argc, char **argv, const struct cli_option *options, uint32_t n_options,
              const char **args, uint32_t max_args, uint32_t *n_args, bool *help,
              struct px_err *err)
{
    bool ended = false;
    *n_args = 0;
    *help = false;
    for (int i = 1; i < argc; i++) {
        const char *a = argv[i];
        if (!ended && strcmp(a, "--") == 0) {
            ended = true;
        } else if (!ended && (strcmp(a, "--help") == 0 || strcmp(a, "-h") == 0)) {
            *help = true;
            return 0;
        } else if (!ended && strncmp(a, "--", 2) == 0) {
            size_t len = strcspn(a + 2, "=");
            const struct cli_option *o = find_option(options, n_options, a + 2, len);
            if (!o)
                return unknown_option(options, n_options, a + 2, len, err);
            const char *value = a[2 + len] ? a + 3 + len : NULL;
            if (o->flag && value)
                return px_fail(err, PX_EUSAGE, "--%s takes no value", o->name);
            if (o->flag) {
                *o->flag = true;
                continue;
            }
            if (!value && i + 1 == argc)
                return px_fail(err, PX_EUSAGE, "--%s needs a value", o->name);
            if (take_value(o, value ? value : argv[++i], err) != 0)
                return -1;
        } else if (!ended && a[0] == '-' && a[1]) {
            return px_fail(err, PX_EUSAGE, "unknown option %s", a);
        } else if (*n_args == max_args) {
            return px_fail(err, PX_EUSAGE, "unexpected argument '%s'", a);
        } else {
            args[(*n_args)++] = a;
        }
    }
    return 0;
}

int cli_fail(const char *command, const struct px_err *err)
{
    fprintf(stderr, "proctor %s: %s\n", command, err->text);
    return px_exit_code(err->code);
}

int cli_usage(const char *command, const struct px_err *err)
{
    fprintf(stderr, "proctor %s: %s\nSee: proctor %s --help\n", command, err->text, command);
    return 2;
}

int cli_help(const char *text)
{
    fputs(text, stdout);
    return 0;
}

int cli_print(const void *data, size_t n)
{
    fwrite(data, 1, n, stdout);
    fflush(stdout);
    return 0;
}

static bool is_run(const char *dir)
{
    PX_FREE char *store = px_path_join(dir, "store");
    return px_exists(store);
}

static char *newest_run(void)
{
    DIR *d = opendir("runs");
    char *best = NULL;
    struct timespec when = {0, 0};
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        PX_FREE char *path = px_xasprintf("runs/%s", e->d_name);
        PX_FREE char *data = px_xasprintf("%s/store/data.mdb", path);
        struct stat st;
        if (stat(data, &st) != 0)
            continue;
        if (!best || st.st_mtim.tv_sec > when.tv_sec ||
            (st.st_mtim.tv_sec == when.tv_sec && st.st_mtim.tv_nsec > when.tv_nsec)) {
            free(best);
            best = px_xstrdup(path);
            when = st.st_mtim;
        }
    }
    if (d)
        closedir(d);
    return best;
}

char *cli_find_run(const char *arg, struct px_err *err)
{
    if (arg) {
        PX_FREE char *below = px_path_join("runs", arg);
        if (is_run(arg))
            return px_xstrdup(arg);
        if (is_run(below))
            return px_xstrdup(below);
        px_fail(err, PX_EMISSING, "%s is not a run directory (it has no store/)", arg);
        return NULL;
    }
    char *run = newest_run();
    if (!run)
        px_fail(err, PX_EMISSING,
                "no run below ./runs; name a run directory or start one: proctor run RECIPE");
    return run;
}
