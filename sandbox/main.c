/* main.c - proctor-tester: a table of subcommands. */
#include <stdio.h>
#include <string.h>

#include "proto/log.h"
#include "proto/streams.h"
#include "sandbox/judge.h"

static const char help[] =
    "Usage: proctor-tester COMMAND [OPTIONS]\n"
    "       proctor-tester --connect ENDPOINT [OPTIONS]\n"
    "\n"
    "Runs programs that a model wrote, confined, and scores what models answered.\n"
    "\n"
    "  judge TASKS RESULTS   judge the programs of a file\n"
    "  doctor                what this host offers, and what is missing\n"
    "  --connect ENDPOINT    take score units from a coordinator\n"
    "  --version, --help\n"
    "\n"
    "Each command has a --help of its own.\n"
    "\n"
    "Example:\n"
    "  proctor-tester judge tasks.jsonl results.jsonl\n";

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
} commands[] = {{"judge", judge_main}, {"doctor", doctor_main}};

static int run_command(int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        fputs(help, argc < 2 ? stderr : stdout);
        return argc < 2 ? 2 : 0;
    }
    if (strcmp(argv[1], "--version") == 0) {
        puts("proctor-tester " PROCTOR_VERSION);
        return 0;
    }
    if (strncmp(argv[1], "--", 2) == 0)
        return session_main(argc, argv);
    for (size_t i = 0; i < sizeof commands / sizeof commands[0]; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    fprintf(stderr, "proctor-tester: no command \"%.60s\"; try proctor-tester --help\n", argv[1]);
    return 2;
}

int main(int argc, char **argv)
{
    px_streams_hold();
    px_log_init("tester");
    return px_streams_finish("proctor-tester", run_command(argc, argv));
}
