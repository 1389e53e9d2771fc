/* cmd_score.c - `proctor score`: recorded completions are graded without a model.
 *
 * The recording is joined with the task, written as rows of our own into a run directory, and
 * graded by an ordinary run over a replay model: so it uses every core, shows its progress, and
 * goes on when the same command is given again. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "coordinator/cli/cli.h"
#include "coordinator/cli/lead.h"
#include "coordinator/cli/score_out.h"
#include "coordinator/recorded/fits.h"
#include "coordinator/recorded/spool.h"
#include "coordinator/report/report.h"
#include "proto/file.h"
#include "proto/json.h"
#include "proto/mem.h"
#include "proto/number.h"
#include "proto/scorer_kinds.h"

const char help_score[] =
    "Usage: proctor score TASK SAMPLES [options]\n"
    "       proctor score TASK --answers reference|empty|first [options]\n"
    "\n"
    "Grades recorded completions: a file (JSON lines, JSON, CSV of loglikelihoods; plain or "
    "gzip),\n"
    "a directory (EvalPlus's TASK_ID/n.py, lm-eval's samples_*.jsonl) or - for stdin. Verdicts "
    "that\n"
    "the recording publishes are compared with ours, item by item. docs/replay.md has the "
    "formats.\n"
    "Interrupted, the same command goes on.\n"
    "\n"
    "  --format NAME      auto (default), humaneval, evalplus, bigcode, lm-eval, jsonl, csv\n"
    "  --id-key K         member that says which problem a row is about, dotted where it lies "
    "deeper\n"
    "  --text-key K       member with the text, or a list of texts\n"
    "  --flag K[=METRIC]  member with a published verdict, and which of our metrics it is\n"
    "  --style NAME       code: task, completion, function, raw, whole (default: what the "
    "format's\n"
    "                     own program does)\n"
    "  --compat lm-eval   the task as lm-eval has it\n"
    "  --allow-missing    grade an incomplete recording; the result is marked\n"
    "  --answers KIND     instead of SAMPLES: the task's own reference solutions, empty answers, "
    "or\n"
    "                     always the first choice: ceilings and floors\n"
    "  --temperature T    that several samples of a problem were drawn at (default 1)\n"
    "  -o, --output PATH  graded rows: a file, or a directory for <SAMPLES>_results.jsonl\n"
    "                     (default: in the run directory)\n"
    "  --run DIR          run directory (default runs/score-<TASK>-<SAMPLES>)\n"
    "  --fresh            throw away what the run directory holds first\n"
    "  --json             the result as one JSON object on stdout\n"
    "  --testers N, --data DIR, --quiet   as for proctor run\n"
    "\n"
    "Example: proctor score humaneval samples.jsonl -o graded.jsonl\n";

enum { MAX_FLAGS = 8, MODEL_NAME_MAX = 60 };

struct score_options {
    struct setup_options setup;
    struct lead_options lead;
    const char *task, *samples;
    const char *format, *id_key, *text_key, *style, *compat, *answers, *temperature, *output;
    const char *flags[MAX_FLAGS];
    uint32_t n_flags;
    bool allow_missing, json;
};

struct score {
    const struct score_options *o;
    char *stem; /* what the recording is called in names of files and in reports */
    struct task *task;
    struct recording *recording;
    struct joined joined;
    const char *style;
    char *run_dir;
};

/* ---- options ---- */

static const char *const styles[] = {"task", "completion", "function", "raw", "whole"};

static int check_style(const char *style, struct px_err *err)
{
    for (size_t i = 0; i < sizeof styles / sizeof *styles; i++)
        if (strcmp(style, styles[i]) == 0)
            return 0;
    return px_fail(err, PX_EUSAGE,
                   "--style: '%.40s' is not task, completion, function, raw or whole", style);
}

/* Before anything is read or written. */
static int check_options(const struct score_options *o, struct px_err *err)
{
    double t;
    struct stat in, out;
    if (o->style && check_style(o->style, err) != 0)
        return -1;
    if (o->temperature && px_parse_double(o->temperature, 0, 100, &t, err) != 0)
        return px_wrap(err, "--temperature");
    if (o->output && stat(o->samples, &in) == 0 && stat(o->output, &out) == 0 &&
        in.st_ino == out.st_ino && in.st_dev == out.st_dev && S_ISREG(in.st_mode))
        return px_fail(err, PX_EUSAGE, "--output %s would replace the recording itself", o->output);
    return 0;
}

static bool has_member(const struct recording *r, const char *key)
{
    bool found = false;
    for (uint32_t i = 0; i < recording_rows(r) && !found; i++) {
        struct json_object *row = recording_row(r, i);
        found = recording_member(row, key) != NULL;
        json_object_put(row);
    }
    return found;
}

/* A flag that no row has, or a metric that no verdict can have, is a mistake. */
static int check_flags(const struct score *s, struct px_err *err)
{
    const struct scorer_kind *k = scorer_kind_find(task_scorer_kind(s->task));
    for (uint32_t i = 0; i < s->o->n_flags; i++) {
        const char *flag = s->o->flags[i], *eq = strchr(flag, '=');
        PX_FREE char *key = px_xstrndup(flag, eq ? (size_t)(eq - flag) : strlen(flag));
        if (!has_member(s->recording, key))
            return px_fail(err, PX_EINPUT, "--flag: no row of %s has a member '%.60s'",
                           recording_name(s->recording), key);
        if (eq && k && !scorer_kind_emits(k, eq + 1))
            return px_fail(err, PX_EUSAGE, "--flag: task %s has no metric '%.60s'",
                           task_name(s->task), eq + 1);
    }
    return 0;
}

/* ---- the recording ---- */

/* stdin is kept as a file in the run directory: it cannot be read twice. */
static int keep_stdin(const char *run_dir, char **path, struct px_err *err)
{
    struct px_buf b;
    char chunk[1 << 16];
    ssize_t n;
    px_buf_init(&b, SPOOL_LIMIT);
    while ((n = read(0, chunk, sizeof chunk)) > 0 && !b.overflow)
        px_buf_put(&b, chunk, (size_t)n);
    int rc = n < 0 ? px_fail_errno(err, "cannot read stdin") : 0;
    if (rc == 0 && b.overflow)
        rc = px_fail(err, PX_ELIMIT, "stdin holds more than %zu bytes", SPOOL_LIMIT);
    *path = px_path_join(run_dir, "stdin");
    if (rc == 0)
        rc = px_mkdirs(run_dir, 0755, err);
    if (rc == 0)
        rc = px_write_file(*path, b.data ? b.data : (const void *)"", b.len, err);
    px_buf_clear(&b);
    return rc;
}

static int open_recording(struct score *s, struct px_err *err)
{
    const struct score_options *o = s->o;
    struct recording_options ro = {.id_key = o->id_key, .text_key = o->text_key};
    PX_FREE char *path = NULL;
    if (!recording_format_parse(o->format, &ro.format))
        return px_fail(
            err, PX_EUSAGE,
            "--format: '%.40s' is not auto, humaneval, evalplus, bigcode, lm-eval, jsonl "
            "or csv",
            o->format);
    if (o->answers) {
        enum answers a;
        struct px_buf rows;
        if (!answers_parse(o->answers, &a))
            return px_fail(err, PX_EUSAGE, "--answers: '%.40s' is not reference, empty or first",
                           o->answers);
        px_buf_init(&rows, SPOOL_LIMIT);
        if (answers_write(s->task, a, &rows, err) == 0)
            s->recording = recording_parse((char *)rows.data, rows.len, s->stem, NULL, err);
        px_buf_clear(&rows);
    } else if (strcmp(o->samples, "-") == 0) {
        if (keep_stdin(s->run_dir, &path, err) == 0)
            s->recording = recording_open(path, &ro, err);
    } else {
        s->recording = recording_open(o->samples, &ro, err);
    }
    return s->recording ? 0 : -1;
}

static void announce(const struct score *s)
{
    const struct joined *j = &s->joined;
    fprintf(stderr, "%s: %s, %u completions of %u of %u problems, found by %s\n",
            recording_name(s->recording), recording_format_name(recording_format(s->recording)),
            j->n_items - j->n_unknown, j->n_problems - j->n_missing, j->n_problems, j->how);
    if (recording_repeats(s->recording))
        fprintf(stderr, "%u rows repeat a document for another filter\n",
                recording_repeats(s->recording));
    if (recording_repaired(s->recording))
        fprintf(stderr, "the file has bytes that are no UTF-8: they are read as U+FFFD\n");
    static const char *const words[][2] = {
        {"raw", "the prompt and the text as it is"},
        {"whole", "the text as it is"},
        {"completion", "the prompt and the code found in the text"},
        {"function", "the code found in the text"}};
    for (size_t i = 0; s->style && i < sizeof words / sizeof *words; i++)
        if (strcmp(words[i][0], s->style) == 0)
            fprintf(stderr, "programs: %s (style %s; --style changes it)\n", words[i][1], s->style);
}

static int check_coverage(const struct score *s, struct px_err *err)
{
    if (joined_complete(&s->joined))
        return 0;
    struct px_buf words;
    px_buf_init(&words, 1 << 20);
    joined_describe(&s->joined, s->task, s->recording, &words);
    fwrite(words.data, 1, words.len, stderr);
    px_buf_clear(&words);
    if (s->o->allow_missing)
        return 0;
    return px_fail(err, PX_EINPUT,
                   "%s does not cover task %s (see above); --allow-missing grades what is there",
                   recording_name(s->recording), task_name(s->task));
}

/* ---- the run ---- */

static void quote(struct px_buf *out, const char *s)
{
    px_json_quote(out, s, strlen(s));
}

/* A bare name stays one; a path is made absolute. */
static char *task_word(const char *task)
{
    char *full = strchr(task, '/') || strstr(task, ".yaml") ? realpath(task, NULL) : NULL;
    char *owned = px_xstrdup(full ? full : task);
    free(full);
    return owned;
}

static int make_recipe(const struct score *s, const char *spool, struct px_buf *out,
                       struct px_err *err)
{
    const struct score_options *o = s->o;
    double t = 1;
    PX_FREE char *task = task_word(o->task);
    if (o->temperature && px_parse_double(o->temperature, 0, 100, &t, err) != 0)
        return -1; /* check_options has seen it */
    px_buf_printf(out, "recipe: \"score-%s\"\nmodels:\n  \"%s\": {backend: replay, source: ",
                  task_name(s->task), s->stem);
    quote(out, spool);
    if (s->style)
        px_buf_printf(out, ", style: %s", s->style);
    px_buf_printf(out, "}\nstages:\n  - eval:\n      models: [\"%s\"]\n      tasks: [", s->stem);
    quote(out, task);
    px_buf_str(out, "]\n");
    if (s->joined.samples > 1) {
        px_buf_printf(out, "      samples: %u\n      sampler: {temperature: ", s->joined.samples);
        px_json_number(out, t);
        px_buf_str(out, "}\n");
    }
    if (o->compat)
        px_buf_printf(out, "      compat: %s\n", o->compat);
    return 0;
}

static int write_spool(const struct score *s, const char *path, struct px_err *err)
{
    struct px_buf rows;
    px_buf_init(&rows, SPOOL_LIMIT);
    spool_write(s->task, s->recording, &s->joined, &rows);
    int rc = rows.overflow ? px_fail(err, PX_ELIMIT, "the recording is too large")
                           : px_mkdirs(s->run_dir, 0755, err);
    if (rc == 0)
        rc = px_write_file(path, rows.data, rows.len, err);
    px_buf_clear(&rows);
    return rc;
}

static int grade(const struct score *s, struct setup *setup, struct px_err *err)
{
    const struct score_options *o = s->o;
    PX_FREE char *dir = realpath(s->run_dir, NULL);
    PX_FREE char *spool = px_path_join(dir ? dir : s->run_dir, "recorded.jsonl");
    PX_FREE char *path = px_path_join(s->run_dir, "score.yaml");
    struct setup_options so = o->setup;
    struct px_buf recipe;
    px_buf_init(&recipe, 1 << 20);
    so.run_dir = s->run_dir;
    int rc = make_recipe(s, spool, &recipe, err);
    if (rc == 0)
        rc = setup_parse((char *)recipe.data, recipe.len, path, &so, setup, err);
    px_buf_clear(&recipe);
    if (rc != 0)
        return -1;
    struct store *store = lead_open(&o->lead, setup, err);
    if (!store)
        return -1;
    rc = lead_run(&o->lead, setup, store, NULL, err);
    struct score_output out = {.recording = s->recording,
                               .joined = &s->joined,
                               .task = s->task,
                               .stem = s->stem,
                               .run_dir = s->run_dir,
                               .style = s->style,
                               .text_key = o->text_key,
                               .output = o->output,
                               .flags = o->flags,
                               .n_flags = o->n_flags,
                               .json = o->json,
                               .quiet = o->lead.quiet,
                               .answers = o->answers != NULL,
                               .allow_missing = o->allow_missing};
    if (rc == 0)
        rc = score_conclude(&out, store, err);
    store_close(&store);
    return rc;
}

/* "samples" of "dir/samples.jsonl.gz", as a name that a recipe takes. Owned. */
static char *stem_of(const struct score_options *o)
{
    const char *from = o->answers                     ? o->answers
                       : strcmp(o->samples, "-") == 0 ? "stdin"
                                                      : o->samples;
    PX_FREE char *copy = px_xstrdup(from);
    size_t n = strlen(copy);
    while (n > 1 && copy[n - 1] == '/')
        copy[--n] = '\0';
    char *base = strrchr(copy, '/') ? strrchr(copy, '/') + 1 : copy;
    static const char *const endings[] = {".gz", ".jsonl", ".json", ".csv"};
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
        size_t len = strlen(base), k = strlen(endings[i]);
        if (len > k && strcmp(base + len - k, endings[i]) == 0)
            base[len - k] = '\0';
    }
    char *stem = px_xstrndup(base, MODEL_NAME_MAX);
    for (char *p = stem; *p; p++)
        if (!strchr("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-.", *p))
            *p = '_';
    return stem;
}

static int score_file(struct score *s, struct px_err *err)
{
    const struct score_options *o = s->o;
    struct task_env env = {.data_dir = o->setup.data_dir, .compat = o->compat};
    struct setup setup = {0};
    uint32_t above;
    if (check_options(o, err) != 0)
        return -1;
    s->stem = stem_of(o);
    s->task = task_load(o->task, &env, err);
    if (!s->task)
        return -1;
    s->run_dir = o->setup.run_dir ? px_xstrdup(o->setup.run_dir)
                                  : px_xasprintf("runs/score-%s-%s", task_name(s->task), s->stem);
    if (open_recording(s, err) != 0 ||
        join_recording(s->task, s->recording, &s->joined, err) != 0 ||
        recorded_fits(s->task, s->recording, &s->joined, &above, err) != 0 ||
        check_flags(s, err) != 0)
        return -1;
    s->style = o->answers ? NULL : spool_style(s->task, s->recording, &s->joined);
    if (o->style)
        s->style = strcmp(o->style, "task") == 0 ? NULL : o->style;
    if (!o->lead.quiet)
        announce(s);
    if (above)
        fprintf(stderr,
                "warning: %u loglikelihoods are above 0: are these negated (nll)? The greatest is "
                "taken for the likeliest\n",
                above);
    PX_FREE char *spool = px_path_join(s->run_dir, "recorded.jsonl");
    int rc = check_coverage(s, err);
    if (rc == 0)
        rc = write_spool(s, spool, err);
    if (rc == 0)
        rc = grade(s, &setup, err);
    setup_clear(&setup);
    return rc;
}

static uint32_t score_table(struct score_options *o, struct cli_option *out)
{
    const struct cli_option table[] = {
        {.name = "format", .text = &o->format},
        {.name = "id-key", .text = &o->id_key},
        {.name = "text-key", .text = &o->text_key},
        {.name = "flag", .list = o->flags, .n_list = &o->n_flags, .cap_list = MAX_FLAGS},
        {.name = "style", .text = &o->style},
        {.name = "compat", .text = &o->compat},
        {.name = "answers", .text = &o->answers},
        {.name = "temperature", .text = &o->temperature},
        {.name = "output", .text = &o->output},
        {.name = "allow-missing", .flag = &o->allow_missing},
        {.name = "json", .flag = &o->json},
        {.name = "run", .text = &o->setup.run_dir},
        {.name = "data", .text = &o->setup.data_dir},
        {.name = "testers", .number = &o->setup.testers, .lo = 1, .hi = 1024},
        {.name = "fresh", .flag = &o->lead.fresh},
        {.name = "quiet", .flag = &o->lead.quiet},
    };
    memcpy(out, table, sizeof table);
    return sizeof table / sizeof *table;
}

static int check_args(struct score_options *o, const char **args, uint32_t n, struct px_err *err)
{
    if (n == 0)
        return px_fail(err, PX_EUSAGE, "which task?");
    if (n == 1 && !o->answers)
        return px_fail(err, PX_EUSAGE, "which recorded completions? (a file, a directory, or -)");
    if (n == 2 && o->answers)
        return px_fail(err, PX_EUSAGE, "--answers takes the place of SAMPLES");
    o->task = args[0];
    o->samples = n == 2 ? args[1] : "";
    return 0;
}

int cmd_score(int argc, char **argv)
{
    struct score_options o = {.format = "auto"};
    struct cli_option options[32];
    struct score s = {.o = &o};
    struct px_err err;
    const char *args[2];
    uint32_t n_args;
    bool help;
    setup_defaults(&o.setup);
    uint32_t n = score_table(&o, options);
    for (int i = 1; i < argc; i++) /* the one short option */
        if (strcmp(argv[i], "-o") == 0)
            argv[i] = px_xstrdup("--output");
    if (cli_parse(argc, argv, options, n, args, 2, &n_args, &help, &err) != 0)
        return cli_usage("score", &err);
    if (help)
        return cli_help(help_score);
    if (check_args(&o, args, n_args, &err) != 0)
        return cli_usage("score", &err);
    int rc = lead_prepare("score", &err);
    if (rc == 0)
        rc = score_file(&s, &err);
    joined_clear(&s.joined);
    recording_free(&s.recording);
    task_free(&s.task);
    free(s.stem);
    free(s.run_dir);
    return rc < 0 ? cli_fail("score", &err) : rc;
}
