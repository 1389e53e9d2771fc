/* cmd_exec.c - commands that are other programs: `model` (worker), `doctor` (tester). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "coordinator/cli/cli.h"
#include "coordinator/recipe/recipe.h"
#include "proto/file.h"
#include "proto/mem.h"

const char help_model[] =
    "Usage: proctor model COMMAND FILE ...\n"
    "\n"
    "Looks at and runs one GGUF file without a recipe.\n"
    "\n"
    "  inspect FILE       metadata, shapes, types, memory\n"
    "  check FILE         the stages of validation, one line each\n"
    "  tokenize FILE TEXT token ids\n"
    "  generate FILE      continue a prompt\n"
    "  logits FILE        logits after a prompt\n"
    "  perplexity FILE TEXTFILE\n"
    "  import FILE        write the layout that the engine reads best, once for this host\n"
    "\n"
    "Each has its own --help.\n"
    "\n"
    "Example: proctor model generate recipes/models/tiny.gguf --prompt 'def add('\n";

const char help_doctor[] =
    "Usage: proctor doctor [--json]\n"
    "\n"
    "Looks at this host: CPU features, memory, where imported models go, the layers of the jail\n"
    "(each tried, not guessed), the interpreter that runs candidates, and what is missing with\n"
    "the way to mend it.\n"
    "\n"
    "Example: proctor doctor\n";

/* Becomes `program argv...`, argv[1] being the command; returns only on failure. */
static int become(const char *program, char **argv)
{
    PX_FREE char *dir = px_exe_dir();
    PX_FREE char *path = px_path_join(dir, program);
    execv(path, argv);
    struct px_err err;
    px_fail_errno(&err, "cannot start %s", path);
    return cli_fail(argv[1], &err);
}

int cmd_model(int argc, char **argv)
{
    if (argc < 2) {
        struct px_err err;
        px_fail(&err, PX_EUSAGE,
                "which command? inspect, check, tokenize, generate, logits, "
                "perplexity or import");
        return cli_usage("model", &err);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
        return cli_help(help_model);
    char **args = px_xcalloc((size_t)argc + 2, sizeof *args);
    args[0] = px_xstrdup("proctor-worker");
    for (int i = 0; i < argc; i++)
        args[i + 1] = argv[i];
    return become("proctor-worker", args);
}

int cmd_doctor(int argc, char **argv)
{
    bool json = false;
    bool help;
    uint32_t n_args;
    struct px_err err;
    const struct cli_option options[] = {{.name = "json", .flag = &json}};
    if (cli_parse(argc, argv, options, 1, NULL, 0, &n_args, &help, &err) != 0)
        return cli_usage("doctor", &err);
    if (help)
        return cli_help(help_doctor);
    char *args[] = {px_xstrdup("proctor-tester"), px_xstrdup("doctor"),
                    json ? px_xstrdup("--json") : NULL, NULL};
    return become("proctor-tester", args);
}

/* Prints docs/recipe.md from the table of keys: for the maintainers of the documentation. */
int cmd_recipe_reference(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    struct px_buf out;
    px_buf_init(&out, 1 << 22);
    recipe_write_reference(&out);
    cli_print(out.data, out.len);
    px_buf_clear(&out);
    return 0;
}
