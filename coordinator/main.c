/* main.c - proctor, the command line. Every command is one line of the table below. */
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "coordinator/cli/cli.h"
#include "coordinator/recipe/recipe.h"
#include "proto/log.h"
#include "proto/streams.h"

static const struct cli_command commands[] = {
    {"run", "run a recipe; run it again to resume", help_run, cmd_run},
    {"plan", "what a recipe would do; nothing is started", help_plan, cmd_plan},
    {"status", "progress of a live or finished run", help_status, cmd_status},
    {"report", "results of a run as a table, Markdown, CSV or JSON", help_report, cmd_report},
    {"samples", "per-sample records as JSON lines", help_samples, cmd_samples},
    {"compare", "cells against each other, problem by problem", help_compare, cmd_compare},
    {"verify", "compute a fraction of a run again and compare the bits", help_verify, cmd_verify},
    {"score", "grade recorded completions; no model is needed", help_score, cmd_score},
    {"rescore", "judge a run's completions by the tasks as they are now", help_rescore,
     cmd_rescore},
    {"conform", "compare an lm-eval output folder with what we make of it", help_conform,
     cmd_conform},
    {"export", "a run as lm-eval, HumanEval, EvalPlus, bigcode, inspect, csv ...", help_export,
     cmd_export},
    {"data", "known data sets: list, check, fetch", help_data, cmd_data},
    {"model", "inspect, check, tokenize, generate, logits, perplexity", help_model, cmd_model},
    {"doctor", "what this host offers and what is missing", help_doctor, cmd_doctor},
    {"recipe-reference", NULL, NULL, cmd_recipe_reference},
};
enum { N_COMMANDS = sizeof commands / sizeof *commands };

static void print_overview(FILE *to)
{
    fputs("Proctor runs grids of language-model experiments and grades them.\n\n"
          "Usage: proctor COMMAND [arguments]\n\n",
          to);
    for (int i = 0; i < N_COMMANDS; i++)
        if (commands[i].summary)
            fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fputs("\nEach command has --help with an example. `proctor --version` names this build.\n"
          "Exit codes: 0 done, 1 finished with failures, 2 refused, 3 interrupted (resumable),\n"
          "4 internal error.\n",
          to);
}

static int unknown_command(const char *word)
{
    const char *names[N_COMMANDS];
    for (int i = 0; i < N_COMMANDS; i++)
        names[i] = commands[i].name;
    const char *near = recipe_nearest(word, names, N_COMMANDS);
    fprintf(stderr, "proctor: unknown command '%s'%s%s%s\nSee: proctor --help\n", word,
            near ? "; did you mean '" : "", near ? near : "", near ? "'?" : "");
    return 2;
}

/* `proctor help run`, as `proctor run --help`. */
static int help_of(const char *word)
{
    for (int i = 0; i < N_COMMANDS; i++)
        if (commands[i].help && strcmp(commands[i].name, word) == 0) {
            fputs(commands[i].help, stdout);
            return 0;
        }
    return unknown_command(word);
}

static int run_command(int argc, char **argv)
{
    if (argc < 2) {
        print_overview(stderr);
        return 2;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        if (argc > 2)
            return help_of(argv[2]);
        print_overview(stdout);
        return 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("proctor " PROCTOR_VERSION);
        return 0;
    }
    for (int i = 0; i < N_COMMANDS; i++)
        if (strcmp(commands[i].name, argv[1]) == 0)
            return commands[i].run(argc - 1, argv + 1);
    return unknown_command(argv[1]);
}

int main(int argc, char **argv)
{
    px_streams_hold();
    px_log_init("proctor");
    signal(SIGPIPE, SIG_IGN);
    return px_streams_finish("proctor", run_command(argc, argv));
}
