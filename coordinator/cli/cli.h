/* cli.h - the command line: one table of commands, one way to parse options and to fail.
 *
 * Human text goes to stderr, data to stdout. Exit codes: 0 done and gates met, 1 the run finished
 * but a stage or a unit failed, 2 refused (usage, recipe, data), 3 interrupted and resumable,
 * 4 internal error. */
#ifndef COORDINATOR_CLI_H
#define COORDINATOR_CLI_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/err.h"

struct cli_command {
    const char *name;
    const char *summary;               /* one line for `proctor --help` */
    const char *help;                  /* one page with an example */
    int (*run)(int argc, char **argv); /* argv[0] is the command's name */
};

int cmd_run(int argc, char **argv);
int cmd_plan(int argc, char **argv);
int cmd_status(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_samples(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_score(int argc, char **argv);
int cmd_rescore(int argc, char **argv);
int cmd_conform(int argc, char **argv);
int cmd_export(int argc, char **argv);
int cmd_data(int argc, char **argv);
int cmd_model(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
int cmd_recipe_reference(int argc, char **argv);

extern const char help_run[], help_plan[], help_status[], help_report[], help_samples[],
    help_compare[], help_verify[], help_score[], help_rescore[], help_conform[], help_export[],
    help_data[], help_model[], help_doctor[];

/* One option of a command. Exactly one target is set. */
struct cli_option {
    const char *name; /* without the dashes */
    bool *flag;
    const char **text;
    int64_t *number; /* with lo and hi */
    int64_t lo, hi;
    int64_t *size;     /* "6GiB" */
    int64_t *duration; /* "30s", microseconds */
    const char **list; /* repeatable: values appended, *n_list counts */
    uint32_t *n_list;
    uint32_t cap_list;
};

/* Parses options anywhere among the arguments; `--` ends them; `--name=value` and `--name value`
 * both work. Non-options go to args (at most max_args). -1 with err naming the wrong option and
 * the nearest valid one. `--help` sets *help. */
int cli_parse(int argc, char **argv, const struct cli_option *options, uint32_t n_options,
              const char **args, uint32_t max_args, uint32_t *n_args, bool *help,
              struct px_err *err) PX_MUST_CHECK;

/* Prints "proctor COMMAND: text" and returns the exit code of err. */
int cli_fail(const char *command, const struct px_err *err);
/* As cli_fail for wrong usage: adds where the help is; returns 2. */
int cli_usage(const char *command, const struct px_err *err);
int cli_help(const char *text); /* prints to stdout, returns 0 */

/* Directory of a run: the argument, or the newest below ./runs. Owned; NULL with err. */
char *cli_find_run(const char *arg, struct px_err *err);

/* Writes all of a buffer to stdout; a closed pipe is not an error. */
int cli_print(const void *data, size_t n);

#endif
