/* cmd_data.c - `proctor data`: known data sets, what of them is here, and getting them. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/cli/cli.h"
#include "coordinator/cli/data_book.h"
#include "coordinator/data/fetch.h"
#include "proto/file.h"
#include "proto/mem.h"

const char help_data[] =
    "Usage: proctor data list [NAME...]\n"
    "       proctor data check [NAME...]\n"
    "       proctor data fetch NAME... | --task TASK\n"
    "\n"
    "Known data sets: what they are, where they come from, under which licence, whether they are\n"
    "here. `check` compares the bytes with their SHA-256 and says which tasks can run. `fetch` "
    "gets\n"
    "what is missing from its public origin; no other command downloads anything. NAME is a set "
    "or\n"
    "one of its files; docs/data.md has more.\n"
    "\n"
    "  --task TASK      what this task needs (a name or a file; repeatable)\n"
    "  --data DIR       look (and put) here first; then PROCTOR_DATA, then the cache's data/\n"
    "  --json           list, check: for programs\n"
    "  --mirror URL     fetch from this server instead, below the same paths (http is allowed)\n"
    "  --offline        fetch: only say what would be fetched, and exit with 2\n"
    "  --replace        fetch: replace a file that is there and is wrong\n"
    "  --retries N      fetch: further attempts when the network fails (default 4)\n"
    "  --catalogue F    another catalogue than recipes/data/catalogue.yaml\n"
    "\n"
    "Exit codes: 0 all is there, 1 the network failed, 2 missing, wrong or refused, 3 interrupted "
    "or\n"
    "no space (the same command goes on).\n"
    "\n"
    "Example: proctor data fetch --task gsm8k\n";

enum { MAX_NAMES = 64 };

struct data_options {
    const char *names[MAX_NAMES + 1];
    const char *tasks[MAX_NAMES];
    uint32_t n_names, n_tasks;
    const char *data, *mirror, *catalogue;
    int64_t retries;
    bool json, offline, replace;
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
    (void)sig;
    stop = 1;
}

/* ---- list, check ---- */

static int choose(struct data_book *b, const struct data_options *o, struct px_err *err)
{
    if (o->n_names + o->n_tasks == 0)
        book_choose_all(b);
    for (uint32_t i = 0; i < o->n_names; i++)
        if (book_choose(b, o->names[i], err) != 0)
            return -1;
    for (uint32_t i = 0; i < o->n_tasks; i++)
        if (book_choose_task(b, o->tasks[i], err) != 0)
            return -1;
    return 0;
}

/* What was asked for by name must be there; otherwise only what is there must be right. */
static bool is_bad(const struct data_book *b)
{
    for (uint32_t i = 0; i < b->catalogue->n_files; i++) {
        enum data_state s = b->found[i].state;
        bool missing = s == DATA_ABSENT && !b->all && !book_spared(b, i);
        if (b->chosen[i] && (s == DATA_WRONG || s == DATA_INCOMPLETE || missing))
            return true;
    }
    return false;
}

static int show(struct data_book *b, const struct data_options *o, bool check)
{
    struct px_buf out;
    px_buf_init(&out, (size_t)64 << 20);
    book_look(b, check);
    if (o->json)
        book_write_json(b, check, &out);
    else if (check)
        book_write_check(b, &out);
    else
        book_write_list(b, &out);
    cli_print(out.data, out.len);
    px_buf_clear(&out);
    return check && is_bad(b) ? 2 : 0;
}

/* ---- fetch ---- */

/* 0, or the exit code of what is in the way of fetching; *wanted when there is nothing. */
static int fetch_or_not(const struct data_book *b, uint32_t i, const struct data_options *o,
                        const char *target, bool *wanted)
{
    const struct catalogue_file *f = &b->catalogue->files[i];
    const struct data_found *d = &b->found[i];
    *wanted = false;
    if (book_spared(b, i) && f->instead_of)
        return 0;
    if (d->state == DATA_RIGHT || (d->state == DATA_THERE && px_digest_is_zero(&f->hash))) {
        fprintf(stderr, "%s: already there: %s\n", f->file, d->path);
        return 0;
    }
    if (f->shipped || f->manual) {
        fprintf(stderr, "proctor data: %s: %s; %s%s\n", f->file, data_state_name(d->state),
                f->shipped ? "it is part of Proctor: install that again" : "get it by hand: ",
                f->manual ? f->manual : "");
        return 2;
    }
    if (d->state != DATA_ABSENT && (!o->replace || strcmp(d->path, target) != 0)) {
        fprintf(stderr, "proctor data: %s %s; %s\n", d->path, d->why ? d->why : "is wrong",
                strcmp(d->path, target) == 0 ? "--replace gets the right one in its place"
                                             : "it would be found first: move it away");
        return 2;
    }
    *wanted = true;
    return 0;
}

static int code_of(const struct px_err *err)
{
    return err->code == PX_EIO || err->code == PX_ETIMEOUT ? 1 : px_exit_code(err->code);
}

static int fetch_one(const struct data_book *b, uint32_t i, const struct data_options *o)
{
    const struct catalogue_file *f = &b->catalogue->files[i];
    PX_FREE char *target = px_path_join(b->places.list[0].dir, f->file);
    PX_FREE char *url = NULL;
    struct px_err err;
    bool wanted;
    int rc = fetch_or_not(b, i, o, target, &wanted);
    if (!wanted)
        return rc;
    url = o->mirror ? fetch_mirrored(f->url, o->mirror, &err) : px_xstrdup(f->url);
    if (!url)
        return cli_fail("data", &err);
    if (o->offline) {
        fprintf(stderr, "would fetch %s (%lld bytes) to %s\n", url, (long long)f->bytes, target);
        return 2;
    }
    struct fetch_request r = {.url = url, .path = target, .hash = f->hash, .bytes = f->bytes};
    struct fetch_options fo = {.plain = o->mirror != NULL,
                               .retries = (unsigned)o->retries,
                               .progress = isatty(2),
                               .stop = &stop};
    if (fetch_file(&r, &fo, &err) != 0) {
        fprintf(stderr, "proctor data: %s\n", err.text);
        return code_of(&err);
    }
    printf("%s\n", target);
    fprintf(stderr, "%s: fetched, %lld bytes, licence %s\n", f->file, (long long)f->bytes,
            b->catalogue->sets[f->set].licence);
    return 0;
}

static int fetch(struct data_book *b, const struct data_options *o)
{
    int worst = 0;
    struct sigaction act = {.sa_handler = on_signal};
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    book_look(b, true);
    for (uint32_t i = 0; i < b->catalogue->n_files && worst != 3; i++) {
        int rc = b->chosen[i] ? fetch_one(b, i, o) : 0;
        worst = rc > worst ? rc : worst;
    }
    if (o->offline && worst == 2)
        fprintf(stderr, "proctor data: --offline: nothing was fetched\n");
    return worst;
}

/* ---- the command ---- */

static int parse(int argc, char **argv, struct data_options *o, bool *help, struct px_err *err)
{
    const struct cli_option options[] = {
        {.name = "task", .list = o->tasks, .n_list = &o->n_tasks, .cap_list = MAX_NAMES},
        {.name = "data", .text = &o->data},
        {.name = "mirror", .text = &o->mirror},
        {.name = "catalogue", .text = &o->catalogue},
        {.name = "retries", .number = &o->retries, .lo = 0, .hi = 100},
        {.name = "json", .flag = &o->json},
        {.name = "offline", .flag = &o->offline},
        {.name = "replace", .flag = &o->replace}};
    if (cli_parse(argc, argv, options, sizeof options / sizeof *options, o->names, MAX_NAMES + 1,
                  &o->n_names, help, err) != 0)
        return -1;
    if (*help)
        return 0;
    const char *verb = o->n_names > 0 ? o->names[0] : NULL;
    bool get = verb && strcmp(verb, "fetch") == 0;
    if (!verb)
        return px_fail(err, PX_EUSAGE, "list, check or fetch?");
    if (!get && strcmp(verb, "list") != 0 && strcmp(verb, "check") != 0)
        return px_fail(err, PX_EUSAGE, "'%s' is not list, check or fetch", verb);
    if (!get && (o->mirror || o->offline || o->replace))
        return px_fail(err, PX_EUSAGE, "--%s goes with fetch",
                       o->mirror    ? "mirror"
                       : o->offline ? "offline"
                                    : "replace");
    if (get && o->json)
        return px_fail(err, PX_EUSAGE, "--json goes with list and check");
    if (get && o->n_names == 1 && o->n_tasks == 0)
        return px_fail(err, PX_EUSAGE, "fetch what? Name a data set, or a task with --task");
    return 0;
}

int cmd_data(int argc, char **argv)
{
    struct data_options o = {.retries = 4};
    struct data_book b;
    struct px_err err;
    bool help;
    if (parse(argc, argv, &o, &help, &err) != 0)
        return cli_usage("data", &err);
    if (help)
        return cli_help(help_data);
    const char *verb = o.names[0];
    bool get = strcmp(verb, "fetch") == 0;
    o.n_names--;
    memmove(o.names, o.names + 1, o.n_names * sizeof *o.names);
    if (book_open(&b, o.catalogue, o.data, &err) != 0)
        return cli_fail("data", &err);
    int rc = choose(&b, &o, &err);
    if (rc != 0)
        rc = err.code == PX_EUSAGE ? cli_usage("data", &err) : cli_fail("data", &err);
    else
        rc = get ? fetch(&b, &o) : show(&b, &o, strcmp(verb, "check") == 0);
    book_close(&b);
    return rc;
}
