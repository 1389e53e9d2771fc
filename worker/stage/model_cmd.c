/* model_cmd.c - which model command is meant. */
#include "worker/stage/model_cmd.h"

#include <stdio.h>
#include <string.h>

#include "worker/stage/engine_cmds.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *what;
} commands[] = {
    {"inspect", inspect_command, "metadata, tensors, memory, tokenizer, chat template"},
    {"check", check_command, "is the file whole, sane and able to predict? twelve stages"},
    {"import", import_command, "write the layout that the engine reads best, once for this host"},
    {"tokenize", tokenize_command, "texts to token ids"},
    {"generate", generate_command, "continue a prompt"},
    {"logits", logits_command, "the best next tokens, or all logits"},
    {"perplexity", perplexity_command, "how well a text is predicted"},
    {"bench", bench_command, "how fast it runs here, beside the limits of the machine"},
};
enum { N_COMMANDS = sizeof commands / sizeof commands[0] };

static void print_usage(FILE *to)
{
    fprintf(to, "Usage: proctor model COMMAND FILE [options]\n\n"
                "Looks at, checks and runs a model in a GGUF file.\n\n");
    for (int i = 0; i < N_COMMANDS; i++)
        fprintf(to, "  %-11s %s\n", commands[i].name, commands[i].what);
    fprintf(to, "\nproctor model COMMAND --help says more.\n\n"
                "Example: proctor model check model.gguf\n");
}

int model_command(int argc, char **argv)
{
    if (argc < 1) {
        print_usage(stderr);
        return 2;
    }
    for (int i = 0; i < N_COMMANDS; i++)
        if (strcmp(argv[0], commands[i].name) == 0)
            return commands[i].run(argc, argv);
    if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0 ||
        strcmp(argv[0], "help") == 0) {
        print_usage(stdout);
        return 0;
    }
    fprintf(stderr, "proctor model: unknown command '%s'\n\n", argv[0]);
    print_usage(stderr);
    return 2;
}
