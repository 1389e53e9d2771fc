/* cmd_report.c - `proctor report`, `status` and `samples`: what the store of a run says. */
#include <stdio.h>
#include <stdlib.h>

#include "coordinator/cli/cli.h"
#include "coordinator/dispatch/rendezvous.h"
#include "coordinator/report/report.h"
#include "coordinator/report/status.h"
#include "proto/file.h"
#include "proto/mem.h"

const char help_report[] =
    "Usage: proctor report [RUN] [options]\n"
    "\n"
    "Results of a run, live or finished: per cell and task n, value, 95 % interval, verdicts, "
    "tokens,\n"
    "speed, paired tests against the run without layer reuse, alarms. RUN is a run directory or a\n"
    "name below ./runs; without it the newest.\n"
    "\n"
    "  --format NAME   table (default), md, csv, json\n"
    "  -o, --output F  write to a file instead of stdout\n"
    "\n"
    "Example: proctor report runs/quickstart --format md --output report.md\n";

const char help_status[] =
    "Usage: proctor status [RUN] [--json]\n"
    "\n"
    "Progress of a live or finished run, read from its store (no conversation with the "
    "coordinator):\n"
    "units done and failed per cell and task, rate, who works, quarantined and damaged records.\n"
    "\n"
    "Example: proctor status runs/quickstart\n";

const char help_samples[] =
    "Usage: proctor samples [RUN] [options]\n"
    "\n"
    "Per-sample records as JSON lines on stdout: what was asked, answered, extracted and judged\n"
    "(`result`), and what was merely observed (`observed`). docs/results.md names the fields.\n"
    "\n"
    "  --task NAME     of this task only\n"
    "  --verdict NAME  of this verdict class or outcome: passed, wrong_answer, timeout, truncated "
    "...\n"
    "  --cell NAME     of this cell only: its name, or settings that no other cell has (k=2)\n"
    "  --tokens        with the token ids of the prompts (receipt.prompt_token_ids)\n"
    "\n"
    "Example: proctor samples runs/quickstart --task small_code --verdict wrong_answer\n";

/* Opens the store of the run that the user means. */
static struct store *open_store(const char *arg, struct px_err *err)
{
    PX_FREE char *run = cli_find_run(arg, err);
    struct store_options opt = {.mode = STORE_READ, .allow_network_fs = true};
    if (!run)
        return NULL;
    PX_FREE char *dir = px_path_join(run, "store");
    return store_open(dir, &opt, err);
}

static int write_out(const char *path, const struct px_buf *b, struct px_err *err)
{
    if (path)
        return px_write_file(path, b->data, b->len, err);
    return cli_print(b->data, b->len);
}

int cmd_report(int argc, char **argv)
{
    const char *format = "table";
    const char *output = NULL;
    const char *args[1] = {NULL};
    uint32_t n_args;
    bool help;
    struct px_err err;
    enum report_format f;
    const struct cli_option options[] = {{.name = "format", .text = &format},
                                         {.name = "output", .text = &output}};
    for (int i = 1; i < argc; i++) /* the one short option */
        if (argv[i][0] == '-' && argv[i][1] == 'o' && !argv[i][2])
            argv[i] = px_xstrdup("--output");
    if (cli_parse(argc, argv, options, 2, args, 1, &n_args, &help, &err) != 0)
        return cli_usage("report", &err);
    if (help)
        return cli_help(help_report);
    if (!report_format_parse(format, &f)) {
        px_fail(&err, PX_EUSAGE, "--format: '%s' is not table, md, csv or json", format);
        return cli_usage("report", &err);
    }
    struct store *s = open_store(args[0], &err);
    if (!s)
        return cli_fail("report", &err);
    struct px_buf out;
    px_buf_init(&out, (size_t)1 << 30);
    int rc = report_write(s, f, &out, &err);
    if (rc == 0)
        rc = write_out(output, &out, &err);
    px_buf_clear(&out);
    store_close(&s);
    return rc == 0 ? 0 : cli_fail("report", &err);
}

static int ask_coordinator(const char *endpoint, const char *curve_dir)
{
    struct px_buf json;
    struct px_err err;
    px_buf_init(&json, 1 << 20);
    int rc = rendezvous_ask(endpoint, curve_dir, 5000, &json, &err);
    if (rc == 0) {
        px_buf_char(&json, '\n');
        cli_print(json.data, json.len);
    }
    px_buf_clear(&json);
    return rc == 0 ? 0 : cli_fail("status", &err);
}

int cmd_status(int argc, char **argv)
{
    const char *connect = NULL;
    const char *curve_dir = NULL;
    bool json = false;
    bool help;
    const char *args[1] = {NULL};
    uint32_t n_args;
    struct px_err err;
    struct run_status st;
    const struct cli_option options[] = {{.name = "json", .flag = &json},
                                         {.name = "connect", .text = &connect},
                                         {.name = "curve-dir", .text = &curve_dir}};
    if (cli_parse(argc, argv, options, 3, args, 1, &n_args, &help, &err) != 0)
        return cli_usage("status", &err);
    if (help)
        return cli_help(help_status);
    if (connect)
        return ask_coordinator(connect, curve_dir);
    struct store *s = open_store(args[0], &err);
    if (!s)
        return cli_fail("status", &err);
    int rc = status_read(s, &st, &err);
    if (rc == 0) {
        struct px_buf out;
        px_buf_init(&out, 64 << 20);
        if (json)
            status_json(&st, &out);
        else
            status_text(&st, &out);
        cli_print(out.data, out.len);
        px_buf_clear(&out);
        status_clear(&st);
    }
    store_close(&s);
    return rc == 0 ? 0 : cli_fail("status", &err);
}

static bool print_line(void *ctx, const char *line, size_t n)
{
    (void)ctx;
    return fwrite(line, 1, n, stdout) == n;
}

int cmd_samples(int argc, char **argv)
{
    struct samples_filter f = {0};
    bool help;
    const char *args[1] = {NULL};
    uint32_t n_args;
    struct px_err err;
    const struct cli_option options[] = {{.name = "task", .text = &f.task},
                                         {.name = "verdict", .text = &f.verdict},
                                         {.name = "cell", .text = &f.cell},
                                         {.name = "tokens", .flag = &f.tokens}};
    if (cli_parse(argc, argv, options, 4, args, 1, &n_args, &help, &err) != 0)
        return cli_usage("samples", &err);
    if (help)
        return cli_help(help_samples);
    struct store *s = open_store(args[0], &err);
    if (!s)
        return cli_fail("samples", &err);
    int rc = report_samples(s, &f, print_line, NULL, &err);
    store_close(&s);
    fflush(stdout);
    return rc == 0 ? 0 : cli_fail("samples", &err);
}
