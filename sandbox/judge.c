/* judge.c - `proctor-tester judge TASKS RESULTS`: JSON lines in, a verdict a line out, in the
 * order of the tasks. */
#include "sandbox/judge.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/file.h"
#include "proto/json.h"
#include "proto/mem.h"
#include "proto/number.h"
#include "sandbox/pool.h"
#include "sandbox/problem.h"

struct task {
    char *id;
    struct program program;
    bool done;
    struct run_result result;
};

struct judge {
    FILE *in, *out;
    const char *in_name, *out_name;
    struct pool *pool;
    unsigned line;
    bool at_end;
    /* tasks in flight, oldest first: results leave in order */
    struct task **ring;
    unsigned head, n, cap;
};

static void task_free(struct task *t)
{
    program_clear(&t->program);
    free(t->id);
    free(t);
}

static struct task *parse(const char *line, size_t n, struct px_err *err)
{
    struct json_object *o = px_json_parse(line, n, err);
    struct task *t = px_xcalloc(1, sizeof *t);
    const char *id, *code;
    if (o == NULL || px_json_str(o, "id", &id, err) != 0 || px_json_str(o, "code", &code, err) != 0)
        goto fail;
    struct json_object *problem = json_object_object_get(o, "problem");
    if (!json_object_is_type(problem, json_type_object)) {
        (void)px_fail(err, PX_EINPUT, "\"problem\" must be an object");
        goto fail;
    }
    if (problem_limits(json_object_object_get(o, "limits"), NULL, &t->program.limits, err) != 0 ||
        problem_program(problem, line, n, &t->program, err) != 0)
        goto fail;
    t->id = px_xstrdup(id);
    t->program.n_source = (size_t)json_object_get_string_len(json_object_object_get(o, "code"));
    t->program.source = px_xmemdup(code, t->program.n_source);
    json_object_put(o);
    return t;
fail:
    task_free(t);
    json_object_put(o);
    return NULL;
}

static void write_result(struct judge *j, const struct task *t)
{
    const struct run_result *r = &t->result;
    const struct outcome *o = &r->outcome;
    struct px_buf b;
    px_buf_init(&b, 1u << 20);
    px_buf_str(&b, "{\"id\": ");
    px_json_quote(&b, t->id, strlen(t->id));
    px_buf_printf(&b, ", \"verdict\": \"%s\", \"exception\": ", verdict_class_name(o->class));
    px_json_quote(&b, o->exception, strlen(o->exception));
    if (r->two_sets)
        px_buf_printf(&b, ", \"first_passed\": %s", r->first_passed ? "true" : "false");
    px_buf_printf(&b, ", \"signal\": %d, \"assurance\": \"%s\", \"detail\": ", o->signal,
                  r->assurance);
    px_json_quote(&b, o->detail, strlen(o->detail));
    px_buf_printf(&b,
                  ", \"cpu_s\": %.6f, \"wall_s\": %.6f, \"runqueue_s\": %.6f, \"rss_bytes\": %llu, "
                  "\"output_bytes\": %llu, \"calls\": %u, \"attempts\": %u, \"stderr_tail\": ",
                  r->cpu_s, r->wall_s, r->runqueue_s, (unsigned long long)r->rss_bytes,
                  (unsigned long long)r->output_bytes, r->calls, r->attempts);
    px_json_quote(&b, r->stderr_tail, strlen(r->stderr_tail));
    px_buf_printf(&b, ", \"jail\": %s}\n", pool_jail_json(j->pool));
    fwrite(b.data, 1, b.len, j->out);
    fflush(j->out);
    px_buf_clear(&b);
}

static void done(void *context, const struct run_result *r)
{
    struct task *t = context;
    t->result = *r;
    t->done = true;
}

/* Reads and submits one task. 1, 0 at the end of the file, -1 with err. */
static int submit_next(struct judge *j, struct px_err *err)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    do {
        n = getline(&line, &cap, j->in);
        j->line++;
    } while (n > 0 && line[strspn(line, " \t\r\n")] == '\0');
    if (n <= 0) {
        free(line);
        return ferror(j->in) ? px_fail_errno(err, "cannot read %s", j->in_name) : 0;
    }
    struct task *t = parse(line, (size_t)n, err);
    free(line);
    if (t == NULL)
        return px_wrap(err, "%s:%u", j->in_name, j->line);
    j->ring[(j->head + j->n++) % j->cap] = t;
    pool_submit(j->pool, &t->program, done, t);
    return 1;
}

static void flush_done(struct judge *j)
{
    while (j->n > 0 && j->ring[j->head]->done) {
        write_result(j, j->ring[j->head]);
        task_free(j->ring[j->head]);
        j->head = (j->head + 1) % j->cap;
        j->n--;
    }
}

static int judge_all(struct judge *j, struct px_err *err)
{
    j->cap = 4 * pool_slots(j->pool) + 64;
    j->ring = px_xcalloc(j->cap, sizeof *j->ring);
    int rc = 0;
    while (rc == 0 && (!j->at_end || j->n > 0)) {
        while (rc == 0 && !j->at_end && j->n < j->cap &&
               pool_load(j->pool) < 2 * pool_slots(j->pool)) {
            int got = submit_next(j, err);
            j->at_end = got == 0;
            rc = got < 0 ? -1 : 0;
        }
        if (rc == 0 && pool_load(j->pool) > 0)
            rc = pool_step(j->pool, 1000, err);
        flush_done(j);
    }
    if (rc == 0 && (fflush(j->out) != 0 || ferror(j->out)))
        rc = px_fail_errno(err, "cannot write %s", j->out_name);
    return rc;
}

static const char help[] =
    "Usage: proctor-tester judge [--slots N] [--require LEVEL] TASKS RESULTS\n"
    "\n"
    "Runs and judges programs. TASKS has a JSON object a line: id, problem (kind humaneval, mbpp,\n"
    "calls, evalplus, stdio or unittest and its fields, see docs/scoring.md), code, limits (cpu_s, "
    "wall_s,\n"
    "mem_mb, out_kb; all optional). RESULTS gets one a line, in the same order: id, verdict and\n"
    "what was seen. A name of - stands for standard input or output.\n"
    "\n"
    "  --slots N        programs at a time (default: the processors it may use)\n"
    "  --require LEVEL  the weakest jail to accept: strict (namespaces, Landlock, seccomp),\n"
    "                   landlock (the default) or seccomp\n"
    "\n"
    "Example:\n"
    "  proctor-tester judge tasks.jsonl results.jsonl\n";

static int parse_options(int argc, char **argv, struct pool_config *cfg, struct px_err *err)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'},
                                            {"slots", required_argument, NULL, 's'},
                                            {"require", required_argument, NULL, 'r'},
                                            {NULL, 0, NULL, 0}};
    int c;
    int64_t n;
    while ((c = getopt_long(argc, argv, "h", options, NULL)) >= 0) {
        if (c == 'h')
            return 1;
        if (c == 's' && px_parse_int(optarg, 1, 1024, &n, err) == 0)
            cfg->slots = (unsigned)n;
        else if (c == 's')
            return px_wrap(err, "--slots");
        else if (c != 'r')
            return px_fail(err, PX_EUSAGE, "try proctor-tester judge --help");
        else if (pool_parse_require(optarg, &cfg->require_level, err) != 0)
            return -1;
    }
    if (argc - optind != 2)
        return px_fail(err, PX_EUSAGE, "judge takes TASKS and RESULTS; try --help");
    return 0;
}

static int run(struct judge *j, const struct pool_config *cfg, struct px_err *err)
{
    j->in = strcmp(j->in_name, "-") == 0 ? stdin : fopen(j->in_name, "re");
    if (j->in == NULL)
        return px_fail_errno(err, "cannot read %s", j->in_name);
    j->pool = pool_new(cfg, err);
    if (j->pool == NULL)
        return -1;
    j->out = strcmp(j->out_name, "-") == 0 ? stdout : fopen(j->out_name, "we");
    if (j->out == NULL)
        return px_fail_errno(err, "cannot write %s", j->out_name);
    return judge_all(j, err);
}

int judge_main(int argc, char **argv)
{
    struct pool_config cfg = {.require_level = 2};
    struct px_err err;
    int rc = parse_options(argc, argv, &cfg, &err);
    if (rc > 0) {
        fputs(help, stdout);
        return 0;
    }
    struct judge j = {.in = NULL};
    if (rc == 0) {
        j.in_name = argv[optind];
        j.out_name = argv[optind + 1];
        rc = run(&j, &cfg, &err);
    }
    pool_free(&j.pool);
    while (j.n > 0) {
        task_free(j.ring[j.head]);
        j.head = (j.head + 1) % j.cap;
        j.n--;
    }
    free(j.ring);
    if (j.in != NULL && j.in != stdin)
        fclose(j.in);
    if (j.out != NULL && j.out != stdout)
        fclose(j.out);
    if (rc == 0)
        return 0;
    fprintf(stderr, "proctor-tester: %s\n", err.text);
    return px_exit_code(err.code);
}
